// bench/ledger_memory.cpp: transfers per second in memory, on one core, with the laws checked at each.
//
// Batches of 8,190 are made outside the measured time and executed inside it. The floor, measured between the runs, is
// a bare loop over the same transfers: three look-ups and one insert in tables like the ledger's, and the four additions;
// it checks nothing, remembers no request and writes no fact.
#include "bench/ledger_load.hpp"
#include "bench/report.hpp"

#include <cstdio>

namespace {

using namespace weir;
using namespace weir::ledger;

using bench::give_up;
using bench::LedgerSetup;
using bench::open_books;
using bench::TransferSource;

constexpr int runs = 7;

void measure_ledger(const LedgerSetup& setup, std::uint64_t seed, bench::Rates& rates) {
    TransferSource source(setup, seed);
    Ledger books = open_books(source);
    BatchResult result;
    bench::Stopwatch watch;
    for (int i = 0; i < setup.batches; ++i) {
        const std::vector<Transfer>& batch = source.next();
        watch.start();
        const auto done = books.execute(batch, source.now(), result);
        if (const auto old = books.decide_forget(source.now()); old && !books.apply(*old)) give_up("ids are not forgotten");
        watch.stop();
        if (!done || result.facts.size() != batch.size()) give_up("a transfer was refused");
    }
    if (!books.verify().empty()) give_up("a law does not hold");
    rates.add(static_cast<double>(batch_max) * setup.batches, watch);
}

void measure_floor(const LedgerSetup& setup, std::uint64_t seed, bench::Rates& rates) {
    TransferSource source(setup, seed);
    struct Row {
        AccountId id;
        std::int64_t sums[4] = {};
    };
    std::vector<Row> rows;
    SlotIndex accounts;
    for (const AccountId id : source.accounts()) {
        accounts.insert(id.uid, static_cast<std::uint32_t>(rows.size()));
        rows.push_back({.id = id});
    }
    SlotIndex seen;
    std::vector<TransferId> ids;
    const auto account_at_slot = [&](std::uint32_t slot) { return rows[slot].id.uid; };
    const auto id_at_slot = [&](std::uint32_t slot) { return ids[slot].uid; };
    bench::Stopwatch watch;
    for (int i = 0; i < setup.batches; ++i) {
        const std::vector<Transfer>& batch = source.next();
        watch.start();
        const Transfer* hold = nullptr;
        for (const Transfer& t : batch) {
            if (seen.find(t.id.uid, id_at_slot) != SlotIndex::none) give_up("an id came twice");
            const bool captures = t.has(flag::post_pending);
            if (captures && seen.find(t.pending_id.uid, id_at_slot) == SlotIndex::none) give_up("a hold is not there");
            const Transfer& parties = captures ? *hold : t;
            Row& debit = rows[accounts.find(parties.debit.uid, account_at_slot)];
            Row& credit = rows[accounts.find(parties.credit.uid, account_at_slot)];
            const std::size_t column = t.has(flag::pending) ? 0 : 1;
            debit.sums[column] += t.amount;
            credit.sums[column + 2] += t.amount;
            seen.insert(t.id.uid, static_cast<std::uint32_t>(ids.size()));
            ids.push_back(t.id);
            hold = &t;
        }
        watch.stop();
    }
    rates.add(static_cast<double>(batch_max) * setup.batches, watch);
}

std::string measure(std::string_view name, const LedgerSetup& setup) {
    bench::Rates ledger;
    bench::Rates floor;
    for (int run = 0; run < runs; ++run) {
        measure_ledger(setup, static_cast<std::uint64_t>(run), ledger);
        measure_floor(setup, static_cast<std::uint64_t>(run), floor);
    }
    return fmt::format(
        "  \"{}\": {{\"accounts\": {}, \"transfers_per_run\": {},\n"
        "    {},\n    {},\n    {},\n    {},\n    \"share_of_floor_per_core_second\": {:.3f}}}",
        name, setup.accounts, batch_max * static_cast<std::size_t>(setup.batches), bench::rates("per_second", ledger.per_second),
        bench::rates("per_core_second", ledger.per_core_second), bench::rates("floor_per_second", floor.per_second),
        bench::rates("floor_per_core_second", floor.per_core_second),
        bench::median(ledger.per_core_second) / bench::median(floor.per_core_second));
}

/// What a restart and a snapshot cost: a state of 1,000,000 accounts and about 100,000 standing holds.
std::string measure_whole_state() {
    TransferSource source({.load = bench::LedgerLoad::holds, .accounts = 1'000'000, .batches = 12}, 1);
    Ledger books = open_books(source);
    BatchResult result;
    for (int i = 0; i < 12; ++i) {
        if (!books.execute(source.next(), source.now(), result)) give_up("a hold was refused");
    }
    std::vector<double> verify_s, export_s, digest_s, import_s;
    const auto timed = [](std::vector<double>& spent_s, const auto& work) {
        bench::Stopwatch watch;
        watch.start();
        const bool sound = work();
        watch.stop();
        if (!sound) give_up("a law does not hold");
        spent_s.push_back(watch.core_spent_s());
    };
    for (int run = 0; run < 3; ++run) {
        LedgerState state;
        timed(verify_s, [&] { return books.verify().empty(); });
        timed(export_s, [&] { return (state = books.export_state()).accounts.size() > 1'000'000; });
        timed(digest_s, [&] { return digest_of(state) != Digest{}; });
        timed(import_s, [&] { return Ledger::import_state(state).has_value(); });
    }
    return fmt::format("  \"whole_state\": {{\"accounts\": {}, \"holds\": {}, \"ids\": {}, \"core_seconds\": {{\"verify\": {:.3f}, "
                       "\"export\": {:.3f}, \"digest\": {:.3f}, \"import_with_verify\": {:.3f}}}}}",
                       books.account_count(), books.hold_count(), books.id_count(), bench::median(verify_s), bench::median(export_s),
                       bench::median(digest_s), bench::median(import_s));
}

void measure_all() {
    const std::string moves = measure("moves", {.load = bench::LedgerLoad::moves, .accounts = 10'000, .batches = 120});
    const std::string pairs = measure("hold_and_post", {.load = bench::LedgerLoad::hold_and_post, .accounts = 10'000, .batches = 120});
    const std::string chains = measure("chains_of_three", {.load = bench::LedgerLoad::chains, .accounts = 10'000, .batches = 120});
    const std::string wide = measure("moves_over_many_accounts", {.load = bench::LedgerLoad::moves, .accounts = 1'000'000, .batches = 120});
    fmt::print("{{\"benchmark\": \"ledger_memory\", {},\n  \"batch\": {}, \"target_per_second\": 1000000,\n{},\n{},\n{},\n{},\n{}}}\n",
               bench::provenance(), batch_max, moves, pairs, chains, wide, measure_whole_state());
}

}  // namespace

int main() { return weir::bench::run(measure_all); }
