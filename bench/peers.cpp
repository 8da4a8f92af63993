// bench/peers.cpp: Weir beside Slurm 22.05 and PostgreSQL 15, in one run on one disk, each with its syncs on.
//
// Submission of one job at a time: a real weir-server over HTTP, Slurm's own REST server over HTTP with the same load generator, and
// the program sbatch, one process for each job. In all three the jobs wait, so submission alone is measured. A job is one node with 8
// processors, 32 GiB, an hour and a one-line script.
//
// What an answer means differs, and the figures must be read so: Weir answers when the job is durable, with its hold booked in the
// ledger. Slurm answers when its controller has the job in memory; it saves its state in the background, as shipped.
//
// Double entry, one transfer for each row: PostgreSQL with one transaction for each transfer (two balances, one row), as one statement
// and, with the most clients, as five. Weir's ledger on its journal with as many transfers in one commit as PostgreSQL has clients, and
// with its usual batch of 8,190. Both durable before the answer. The floor of the disk is one sync of 4 KiB, in each round.
//
// bench/peers/*.sh start the peers in directories of their own, on the loopback; they are ended by pid, also where this gives up.
// Refused: a directory in memory, a library that swallows syncs, a PostgreSQL whose fsync, full_page_writes or synchronous_commit is off.
#include "bench/durable_ledger.hpp"
#include "bench/load.hpp"
#include "bench/real_network.hpp"
#include "bench/report.hpp"

#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

namespace {

using namespace weir;
using bench::give_up;

constexpr int rounds = 3;
constexpr int warm_ms = 500;
constexpr int measure_ms = 1'500;
constexpr std::array connection_counts{1, 16, 64};
constexpr std::array sbatch_counts{1, 4, 16};
constexpr std::array client_counts{1, 16, 64};
constexpr int transfer_seconds = 2;

/// Runs a command to its end. @returns what it printed; gives up where it fails.
std::string output_of(const std::string& command) {
    FILE* pipe = ::popen((command + " </dev/null").c_str(), "re");
    if (pipe == nullptr) give_up("no process can be started");
    std::string text;
    std::array<char, 4096> room{};
    for (std::size_t got = 0; (got = std::fread(room.data(), 1, room.size(), pipe)) > 0;) text.append(room.data(), got);
    if (::pclose(pipe) != 0) give_up("failed: " + command + ": " + text);
    return text;
}

/// Ports of the loopback that are free now, all different.
std::vector<std::uint16_t> free_ports(std::size_t count) {
    std::vector<int> sockets;
    std::vector<std::uint16_t> ports;
    for (std::size_t i = 0; i < count; ++i) {
        sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        if (::bind(sockets.back(), reinterpret_cast<sockaddr*>(&at), size) != 0) give_up("no port is free");
        ::getsockname(sockets.back(), reinterpret_cast<sockaddr*>(&at), &size);
        ports.push_back(ntohs(at.sin_port));
    }
    for (const int socket : sockets) ::close(socket);
    return ports;
}

/// A peer that a recipe started; ended with the object.
class Recipe {
public:
    Recipe(std::string name, std::string folder, const std::string& ports) : name_{std::move(name)}, folder_{std::move(folder)} {
        try {
            output_of(fmt::format("bench/peers/{}.sh start {} {} 2>&1", name_, folder_, ports));
        } catch (const bench::GaveUp&) {
            stop();
            throw;
        }
    }
    Recipe(const Recipe&) = delete;
    Recipe& operator=(const Recipe&) = delete;
    ~Recipe() { stop(); }

private:
    void stop() const {
        if (std::system(fmt::format("bench/peers/{}.sh stop {} >/dev/null 2>&1", name_, folder_).c_str()) != 0)
            fmt::print(stderr, "bench: {} in {} may still run\n", name_, folder_);
    }
    std::string name_;
    std::string folder_;
};

/// The figures of one way of doing a thing, round by round.
struct Figures {
    std::vector<double> per_second;
    std::vector<double> p50_ms;
    std::vector<double> p99_ms;
    void add(const bench::Asked& asked) {
        per_second.push_back(asked.per_second);
        p50_ms.push_back(static_cast<double>(asked.p50_us) / 1e3);
        p99_ms.push_back(static_cast<double>(asked.p99_us) / 1e3);
    }
    [[nodiscard]] std::string json(std::string_view count_name, int count) const {
        auto text = fmt::format("{{\"{}\": {}, {}", count_name, count, bench::series("per_second", per_second, 0));
        if (!p50_ms.empty()) text += fmt::format(", {}, {}", bench::series("p50_ms", p50_ms), bench::series("p99_ms", p99_ms));
        return text + "}";
    }
};
using ByCount = std::map<int, Figures>;

std::string json(const ByCount& all, std::string_view count_name) {
    std::string text;
    for (const auto& [count, figures] : all) text += (text.empty() ? "" : ",\n      ") + figures.json(count_name, count);
    return text;
}

double best(const ByCount& all) {
    double most = 0;
    for (const auto& [count, figures] : all) most = std::max(most, bench::median(figures.per_second));
    return most;
}

// ---- jobs

class Slurm {
public:
    Slurm(const std::string& folder, std::uint16_t control, std::uint16_t rest)
        : folder_{folder}, rest_{rest}, recipe_{"slurm", folder, fmt::format("{} {}", control, rest)} {
        std::ifstream{folder + "/token"} >> token_;
        std::ofstream{folder + "/job.sh"} << "#!/bin/sh\npython3 train.py --epochs 10\n";
        ::chmod((folder + "/job.sh").c_str(), 0755);
    }

    [[nodiscard]] std::string version() const { return output_of(fmt::format("SLURM_CONF={}/etc/slurm.conf sbatch --version", folder_)); }

    [[nodiscard]] bench::Load rest_load(int connections) const {
        const auto headers = fmt::format("X-SLURM-USER-NAME: root\r\nX-SLURM-USER-TOKEN: {}\r\nConnection: Keep-Alive\r\n", token_);
        constexpr std::string_view job =
            R"({"job":{"name":"bench","cpus_per_task":8,"memory_per_node":32768,"time_limit":60,"current_working_directory":"/tmp",)"
            R"("environment":{"SEED":"1"}},"script":"#!/bin/sh\npython3 train.py --epochs 10\n"})";
        return {.port = rest_,
                .connections = connections,
                .warm_ms = warm_ms,
                .measure_ms = measure_ms,
                .requests = {bench::post_request("/slurm/v0.0.38/job/submit", headers, job)}};
    }

    /// So many shells, each of which calls sbatch again and again; jobs per second.
    [[nodiscard]] double sbatch(int shells) const {
        const auto jobs_before = jobs();
        const auto from = std::chrono::steady_clock::now();
        std::atomic<std::int64_t> failed = 0;
        {
            std::vector<std::jthread> callers;
            for (int i = 0; i < shells; ++i) {
                callers.emplace_back([&] {
                    const auto loop = fmt::format(
                        "export SLURM_CONF={0}/etc/slurm.conf SEED=1; end=$(($(date +%s%N) + {1}000000)); "
                        "while [ $(date +%s%N) -lt $end ]; do sbatch --parsable -J bench -c 8 --mem=32G -t 60 -D /tmp -o /dev/null "
                        "{0}/job.sh >/dev/null 2>&1 || exit 1; done",
                        folder_, measure_ms);
                    if (std::system(("bash -c '" + loop + "'").c_str()) != 0) ++failed;
                });
            }
        }
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
        if (failed > 0) give_up(fmt::format("sbatch failed in {} of {} shells", failed.load(), shells));
        return static_cast<double>(jobs() - jobs_before) / seconds;
    }

private:
    /// Jobs submitted since the controller began.
    [[nodiscard]] std::int64_t jobs() const {
        const auto text = output_of(fmt::format("SLURM_CONF={}/etc/slurm.conf sdiag", folder_));
        const auto at = text.find("Jobs submitted:");
        if (at == std::string::npos) give_up("sdiag says nothing of submitted jobs");
        return std::stoll(text.substr(at + 15));
    }
    std::string folder_;
    std::uint16_t rest_;
    std::string token_;
    Recipe recipe_;
};

/// Under many tokens in turn, as of several people: one alone may not ask more than a thousand times a second.
bench::Load weir_load(const bench::RealNetwork& network, int connections) {
    bench::Load load{.port = network.port(), .connections = connections, .warm_ms = warm_ms, .measure_ms = measure_ms};
    for (const auto& token : network.tokens()) load.requests.push_back(bench::submission(token));
    return load;
}

// ---- money

class Postgres {
public:
    Postgres(const std::string& folder, std::uint16_t port) : port_{port}, recipe_{"postgres", folder, std::to_string(port)} {
        for (const auto* setting : {"fsync", "full_page_writes", "synchronous_commit"}) {
            if (const auto is = ask(fmt::format("show {}", setting)); is != "on\n")
                give_up(fmt::format("PostgreSQL's {} is {}and must be on: nothing else is durable", setting, is));
        }
        output_of(psql() + " -q -v ON_ERROR_STOP=1 -f bench/peers/schema.sql");
    }

    [[nodiscard]] std::string version() const { return ask("show server_version"); }
    [[nodiscard]] std::string sync_method() const { return ask("show wal_sync_method"); }

    /// Transfers per second of so many clients.
    [[nodiscard]] double transfers(const std::string& script, int clients) const {
        const auto text = output_of(fmt::format("/usr/lib/postgresql/15/bin/pgbench -h 127.0.0.1 -p {} -U postgres -n -M prepared -f "
                                                "bench/peers/{}.sql -c {} -j {} -T {} postgres 2>&1",
                                                port_, script, clients, std::min(clients, 2), transfer_seconds));
        const auto at = text.find("tps = ");
        if (at == std::string::npos || !text.contains("failed transactions: 0 ")) give_up("pgbench: " + text);
        return std::stod(text.substr(at + 6));
    }
    /// Gives up where the books do not balance: then the figures are of nothing.
    void check() const {
        if (const auto even = ask("select sum(debits) = (select sum(amount) from transfer) and "
                                  "sum(credits) - 5000 * 1099511627776 = (select sum(amount) from transfer) from account");
            even != "t\n")
            give_up("PostgreSQL's books do not balance");
    }

private:
    [[nodiscard]] std::string psql() const { return fmt::format("psql -h 127.0.0.1 -p {} -U postgres -X", port_); }
    [[nodiscard]] std::string ask(const std::string& question) const { return output_of(fmt::format("{} -Atc '{}'", psql(), question)); }
    std::uint16_t port_;
    Recipe recipe_;
};

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

void measure_all() {
    bench::Asker asker;  // forked before any thread begins
    const bench::Directory directory;
    ::chmod(directory.path().c_str(), 0711);
    const auto ports = free_ports(3);
    const Slurm slurm{directory.file("slurm"), ports[0], ports[1]};
    const Postgres postgres{directory.file("postgres"), ports[2]};
    const bench::RealNetwork network{directory};

    const auto versions = fmt::format(R"("slurm": "{}", "postgresql": "{}", "wal_sync_method": "{}")", trimmed(slurm.version()),
                                      trimmed(postgres.version()), trimmed(postgres.sync_method()));
    std::vector<double> sync_us;
    ByCount weir_jobs, slurm_rest, slurm_sbatch, pg_one, pg_five, weir_ledger;
    for (int round = 0; round < rounds; ++round) {
        sync_us.push_back(directory.sync_us(20));
        for (const int count : connection_counts) {
            weir_jobs[count].add(asker.ask(weir_load(network, count)));
            slurm_rest[count].add(asker.ask(slurm.rest_load(count)));
        }
        for (const int count : sbatch_counts) slurm_sbatch[count].per_second.push_back(slurm.sbatch(count));
        for (const int clients : client_counts) {
            pg_one[clients].per_second.push_back(postgres.transfers("transfer", clients));
            const auto name = fmt::format("books-{}-{}-", round, clients);
            const auto run = bench::run_ledger(directory, name, static_cast<std::size_t>(clients), 100, static_cast<std::uint64_t>(round));
            weir_ledger[clients].per_second.push_back(100.0 * clients / run.seconds);
        }
        const auto most = client_counts.back();
        pg_five[most].per_second.push_back(postgres.transfers("transfer_by_statements", most));
        constexpr int batches = 24;
        const auto run = bench::run_ledger(directory, fmt::format("books-{}-full-", round), ledger::batch_max, batches,
                                           static_cast<std::uint64_t>(round));
        weir_ledger[static_cast<int>(ledger::batch_max)].per_second.push_back(static_cast<double>(ledger::batch_max) * batches /
                                                                              run.seconds);
        directory.forget("books-");
    }
    postgres.check();
    fmt::print("{{\"benchmark\": \"peers\", {}, \"rounds\": {}, \"measured_ms\": {},\n", bench::provenance(), rounds, measure_ms);
    fmt::print("  \"floor\": \"one write and sync of 4 KiB\", {},\n", bench::series("sync_of_4_kib_us", sync_us, 0));
    fmt::print("  \"peers\": {{{}, \"fsync\": \"on\", \"synchronous_commit\": \"on\"}},\n", versions);
    fmt::print("  \"submissions\": {{\n    \"weir_http\": {{\"durable_when_answered\": true, \"runs\": [\n      {}]}},\n",
               json(weir_jobs, "connections"));
    fmt::print("    \"slurmrestd_keep_alive\": {{\"durable_when_answered\": false, \"runs\": [\n      {}]}},\n",
               json(slurm_rest, "connections"));
    fmt::print("    \"sbatch\": {{\"durable_when_answered\": false, \"runs\": [\n      {}]}},\n", json(slurm_sbatch, "at_once"));
    fmt::print("    \"best_weir_to_best_slurmrestd\": {:.2f}, \"best_weir_to_best_sbatch\": {:.2f}}},\n",
               best(weir_jobs) / best(slurm_rest), best(weir_jobs) / best(slurm_sbatch));
    fmt::print("  \"transfers\": {{\n    \"postgresql_one_statement\": [\n      {}],\n", json(pg_one, "clients"));
    fmt::print("    \"postgresql_five_statements\": [\n      {}],\n", json(pg_five, "clients"));
    fmt::print("    \"weir_ledger_durable\": [\n      {}],\n", json(weir_ledger, "transfers_of_a_commit"));
    fmt::print("    \"best_weir_to_best_postgresql\": {:.1f}}}}}\n", best(weir_ledger) / std::max(best(pg_one), best(pg_five)));
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
