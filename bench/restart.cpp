// bench/restart.cpp: how long weir-server takes from its start to its first answer, and what it keeps in memory then.
//
// Prepared once, outside the measured time, through the real writer: a million jobs that have left and stand in the views alone, a hundred
// thousand that wait, a snapshot, and fifty thousand events after it. The jobs that left did so one a second, so that those of
// the last two days are still remembered by their ids, as in service.
//
// Measured: the real program from exec to its answer to GET /readyz, with the page cache warm (the store was written just
// before) and, where the kernel lets this process drop it, cold. The floor in the same run: reading the snapshot and the tail
// of the journal from the same file, decompressing and hashing them, and nothing else.
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/views_sql/views.hpp"
#include "bench/report.hpp"
#include "codec/compress.hpp"
#include "control/recover.hpp"
#include "control/writer.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace {

using namespace weir;
using namespace weir::control;
using Clock = std::chrono::steady_clock;

constexpr std::size_t finished_jobs = 1'000'000;
constexpr std::size_t live_jobs = 100'000;
constexpr std::size_t tail_events = 50'000;
constexpr std::size_t batch = 4'096;
constexpr int runs = 5;

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "restart: %s\n", what.c_str());
    std::_Exit(1);
}

class Directory {
public:
    Directory() {
        auto pattern = (std::filesystem::temp_directory_path() / "weir-restart-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) give_up("mkdtemp");
        path_ = pattern;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// Writes the network's past.
class Past {
public:
    explicit Past(const Directory& directory) : directory_{directory} {
        auto opened = store::open_journal({.path = directory.file("weir.db")});
        if (!opened) give_up(opened.error().message);
        journal_ = std::move(*opened);
        Catalogue catalogue;
        catalogue["A100"].model = "A100";
        auto recovery = recover(*journal_, {}, catalogue);
        if (!recovery) give_up(recovery.error());
        writer_ = std::make_unique<Writer>(std::move(recovery->core), *journal_);
        now_ = Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()} -
               seconds(static_cast<std::int64_t>(finished_jobs) + 3'600);
    }

    void write() {
        found();
        for (std::size_t done = 0; done < finished_jobs; done += batch) {
            const auto jobs = submit(std::min(batch, finished_jobs - done));
            for (const auto& job : jobs) add(CancelJob{job});
            commit();
            now_ = now_ + seconds(static_cast<std::int64_t>(jobs.size()));
            add(Tick{});
            commit();
            move_log();
        }
        for (std::size_t done = 0; done < live_jobs; done += batch) submit(std::min(batch, live_jobs - done));
        snapshot_at_ = state().revision;
        if (auto kept = keep_snapshot(*journal_, state()); !kept) give_up(kept.error().message);
        while (state().revision < snapshot_at_ + tail_events) {
            // Four events for each job that comes and goes: its hold, itself, its hold's end, its own.
            const auto jobs = submit(std::min(batch, (snapshot_at_ + tail_events - state().revision) / 4 + 1));
            for (const auto& job : jobs) add(CancelJob{job});
            commit();
        }
        fill_views();
    }

    [[nodiscard]] const State& state() const { return writer_->core().state; }
    [[nodiscard]] std::uint64_t snapshot_at() const { return snapshot_at_; }

private:
    void add(Command command) { requests_.push_back({Actor{}, std::move(command)}); }
    void commit() {
        auto outcome = writer_->commit(requests_, now_);
        if (!outcome) give_up(outcome.error().message);
        for (const auto& answer : outcome->answers) {
            if (!answer) give_up(answer.error().message);
        }
        requests_.clear();
    }
    void move_log() {
        if (!journal_->checkpoint_due()) return;
        if (auto moved = journal_->checkpoint(); !moved) give_up(moved.error().message);
    }
    void found() {
        add(SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn/sichuan/chengdu", ""}});
        add(SetProject{{ProjectName{"bench"}, OrganisationName{"lab"}, {}, {}, 1'000'000}});
        add(Deposit{make_uid(now_, 0, ++ids_), OrganisationName{"lab"}, Fen{10'000'000'000'00}});
        Site site;
        site.name = SiteName{"east"};
        site.owner = OrganisationName{"lab"};
        site.region = "cn/sichuan/chengdu";
        site.tariff = {{"A100", Fen{600}}};
        add(SetSite{site});
        // Someone has a role, so that the server finds a network that is not new.
        add(SetRoles{SubjectName{"operator"}, {}, {Role::operator_}});
        commit();
    }
    std::vector<JobId> submit(std::size_t count) {
        JobSpec spec;
        spec.name = "bench";
        spec.run = "python3 train.py --epochs 10";
        spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
        spec.resources.cpus = MilliCpus{8000};
        spec.resources.memory = MiB{32'768};
        spec.envs = {{"SEED", "1"}};
        spec.max_duration = Seconds{3600};
        std::vector<JobId> jobs;
        for (std::size_t i = 0; i < count; ++i) {
            jobs.push_back({make_uid(now_, 0, ++ids_)});
            add(SubmitJob{jobs.back(), ProjectName{"bench"}, spec, sha256("body")});
        }
        commit();
        return jobs;
    }
    void fill_views() {
        auto views = views::Views::open(directory_.file("views.db"));
        if (!views) give_up(views.error());
        const auto store = journal_->identity();
        if (!store) give_up(store.error().message);
        // As the server does: views of no store that is named would be built again at the first start.
        if (auto followed = (*views)->follow({store->store_id, state().revision}); !followed) give_up(followed.error());
        while ((*views)->watermark() < state().revision) {
            if (auto taken = (*views)->catch_up(*journal_, 20'000); !taken) give_up(taken.error());
        }
    }

    const Directory& directory_;
    std::unique_ptr<ports::Journal> journal_;
    std::unique_ptr<Writer> writer_;
    std::vector<Request> requests_;
    Instant now_;
    std::uint64_t ids_ = 0;
    std::uint64_t snapshot_at_ = 0;
};

// ---- the server

std::string program() {
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    return (self.parent_path().parent_path() / "bin" / "weir-server").string();
}

/// Whether the server at `port` says that it is ready.
bool is_ready(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::array<char, 256> answer{};
    const std::string ask = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const bool ready = ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
                       ::send(fd, ask.data(), ask.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(ask.size()) &&
                       ::recv(fd, answer.data(), answer.size(), 0) > 12 && std::string_view{answer.data()}.substr(9, 3) == "200";
    ::close(fd);
    return ready;
}

/// The number of kB after `field` in /proc/PID/status.
std::int64_t status_of(pid_t pid, const std::string& field) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(field + ":")) return std::stoll(line.substr(field.size() + 1));
    }
    return -1;
}

struct Start {
    double ready_s = 0;
    std::int64_t resident_mib = 0;
    std::int64_t peak_mib = 0;
};

Start start_server(const Directory& directory, const std::string& catalogue) {
    constexpr std::uint16_t port = 17'441;
    const auto from = Clock::now();
    const pid_t child = ::fork();
    if (child == 0) {
        const int log = ::open(directory.file("server.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, 1);
        ::dup2(log, 2);
        const auto path = program();
        ::execl(path.c_str(), path.c_str(), "--data", directory.path().c_str(), "--catalogue", catalogue.c_str(), "--port", "17441",
                nullptr);
        std::_Exit(127);
    }
    while (!is_ready(port)) {
        if (::waitpid(child, nullptr, WNOHANG) == child) give_up("the server ended: see " + directory.file("server.log"));
        ::usleep(1'000);
    }
    Start start;
    start.ready_s = std::chrono::duration<double>(Clock::now() - from).count();
    start.resident_mib = status_of(child, "VmRSS") / 1024;
    start.peak_mib = status_of(child, "VmHWM") / 1024;
    // As a crash ends it: a clean stop would leave a snapshot and no tail.
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return start;
}

/// Reads, unpacks and hashes what a restart must, and nothing else.
double floor_s(const Directory& directory, std::uint64_t snapshot_at) {
    const auto from = Clock::now();
    auto journal = store::open_reader(directory.file("weir.db"));
    if (!journal) give_up(journal.error().message);
    const auto search = (*journal)->latest_snapshot(state_version());
    if (!search || !search->found) give_up("no snapshot");
    const auto plain = codec::decompress(search->found->bytes, 4ULL << 30U);
    if (!plain || sha256(*plain) != search->found->state) give_up("the snapshot is damaged");
    for (auto at = snapshot_at + 1;;) {
        const auto records = (*journal)->read(at, 4'096, 16U << 20U);
        if (!records) give_up(records.error().message);
        if (records->empty()) break;
        for (const auto& record : *records) {
            if (chain({}, record.text) == Digest{}) give_up("a hash of zeros");
        }
        at = records->back().revision + 1;
    }
    return std::chrono::duration<double>(Clock::now() - from).count();
}

std::string row(std::string_view name, const std::vector<double>& values, std::string_view format) {
    std::string text;
    for (const auto value : values) text += (text.empty() ? "" : ", ") + fmt::format(fmt::runtime(format), value);
    return fmt::format(R"("{}": {{"median": {}, "runs": [{}]}})", name, fmt::format(fmt::runtime(format), bench::median(values)), text);
}

}  // namespace

int main() {
    const Directory directory;
    {
        std::ofstream catalogue{directory.file("catalogue.yaml")};
        std::ifstream shipped{"catalogue/accelerators.yaml"};
        if (!shipped) give_up("catalogue/accelerators.yaml is not here; run bench/run from the root of the tree");
        catalogue << shipped.rdbuf();
    }
    std::uint64_t snapshot_at = 0;
    std::uint64_t revision = 0;
    std::size_t remembered = 0;
    {
        Past past{directory};
        past.write();
        snapshot_at = past.snapshot_at();
        revision = past.state().revision;
        remembered = past.state().finished.size();
    }
    std::vector<double> ready;
    std::vector<double> floor;
    std::vector<double> resident;
    std::vector<double> peak;
    for (int i = 0; i < runs; ++i) {
        floor.push_back(floor_s(directory, snapshot_at));
        const auto start = start_server(directory, directory.file("catalogue.yaml"));
        ready.push_back(start.ready_s);
        resident.push_back(static_cast<double>(start.resident_mib));
        peak.push_back(static_cast<double>(start.peak_mib));
    }
    fmt::print(
        "{{\"benchmark\": \"restart\", {}, \"runs\": {},\n \"jobs_in_views\": {}, \"live_jobs\": {}, \"remembered_ids\": {}, "
        "\"snapshot_at\": {}, "
        "\"events_after_it\": {},\n {},\n {},\n {},\n {}}}\n",
        bench::provenance(), runs, finished_jobs, live_jobs, remembered, snapshot_at, revision - snapshot_at,
        row("ready_s", ready, "{:.3f}"), row("floor_s", floor, "{:.3f}"), row("resident_mib", resident, "{:.0f}"),
        row("peak_resident_mib", peak, "{:.0f}"));
    return 0;
}
