// bench/ledger_durable.cpp: transfers per second that are durable before anybody is answered, in batches of 8,190.
//
// Each batch is judged and booked by the ledger, becomes one event in its journal form, is hashed into the chain, and is appended to
// the SQLite journal as one transaction with its sync; another thread moves the write-ahead log meanwhile. All on one thread, one
// after the other, as the core's writer does it. The floor, measured in the same round, appends the same bytes to a file with one
// write() and one fdatasync() for each batch. Transfers are made outside the measured time.
//
// At the end of a round the journal is read again and folded into fresh books: they must be the books that were kept.
#include "bench/durable_ledger.hpp"
#include "bench/report.hpp"

#include <cstdio>

namespace {

using namespace weir;
using Round = bench::LedgerRound;

constexpr int rounds = 5;
constexpr int batches = 60;
constexpr double target_per_second = 200'000;

template <class Of>
std::vector<double> of_all(const std::vector<Round>& all, Of&& of) {
    std::vector<double> values;
    for (const auto& round : all) values.push_back(of(round));
    return values;
}

void measure_all() {
    const bench::Directory directory;
    const double sync_us = directory.sync_us();
    constexpr double transfers = static_cast<double>(ledger::batch_max) * batches;
    std::vector<Round> all;
    for (int i = 0; i < rounds; ++i) {
        const auto name = fmt::format("ledger-{}", i);
        all.push_back(bench::run_ledger(directory, name, ledger::batch_max, batches, static_cast<std::uint64_t>(i)));
        directory.forget(name);
    }
    std::string times;
    for (std::size_t part = 0; part < Round::parts; ++part) {
        times += fmt::format("{}{}", part == 0 ? "" : ", ",
                             bench::series(Round::part_names.at(part), of_all(all, [&](const Round& r) { return r.part_ms.at(part); })));
    }
    fmt::print("{{\"benchmark\": \"ledger_durable\", {}, \"sync_of_4_kib_us\": {:.0f},\n", bench::provenance(), sync_us);
    fmt::print("  \"batch\": {}, \"batches_of_a_round\": {}, \"accounts\": 10000, \"journal_bytes_per_transfer\": {:.1f},\n",
               ledger::batch_max, batches, static_cast<double>(all.front().bytes) / transfers);
    fmt::print("  \"goal_per_second\": {:.0f},\n  {},\n", target_per_second,
               bench::series("transfers_per_second", of_all(all, [](const Round& r) { return transfers / r.seconds; }), 0));
    fmt::print("  \"floor\": \"the same bytes, one write() and one fdatasync() per batch\",\n  {},\n  {},\n",
               bench::series("floor_per_second", of_all(all, [](const Round& r) { return transfers / r.floor_seconds; }), 0),
               bench::series("ratio_to_floor", of_all(all, [](const Round& r) { return r.floor_seconds / r.seconds; })));
    fmt::print("  {},\n  {},\n  \"ms_of_a_batch\": {{{}}}}}\n",
               bench::series("batch_p50_ms", of_all(all, [](const Round& r) { return bench::percentile(r.batch_ms, 0.5); })),
               bench::series("batch_p99_ms", of_all(all, [](const Round& r) { return bench::percentile(r.batch_ms, 0.99); })), times);
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
