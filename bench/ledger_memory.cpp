// bench/ledger_memory.cpp: transfers per second in memory, on one core, with the laws checked at each.
//
// Batches of 8,190 are made outside the measured time and executed inside it. Time runs at 8,190 transfers per 100 ms, so
// that the memory of ids grows, is cut into slices and is forgotten as in service. The floor, measured between the runs, is
// a bare loop over the same transfers: three look-ups and one insert in tables like the ledger's, and the four additions;
// it checks nothing, remembers no request and writes no fact.
#include "base/random.hpp"
#include "bench/report.hpp"
#include "engines/ledger/ledger.hpp"

#include <cstdio>

namespace {

using namespace weir;
using namespace weir::ledger;

constexpr std::int64_t batch_ms = 100;
constexpr int runs = 7;
constexpr std::int64_t deep = std::int64_t{1} << 40;

enum class Load { moves, hold_and_post, chains, holds };

struct Setup {
    Load load;
    std::size_t accounts;
    int batches;
};

AccountId account_at(std::size_t i) {
    return account_id_of(1, i % 2 == 0 ? AccountCode::voucher : AccountCode::redeemed, fmt::to_string(i));
}

/// Makes batches that are all applied: vouchers at even places, their payees at odd ones.
class Source {
public:
    Source(const Setup& setup, std::uint64_t seed) : setup_(setup), random_(seed, "ledger_memory"), batch_(batch_max) {
        for (std::size_t i = 0; i < setup.accounts; ++i) accounts_.push_back(account_at(i));
    }

    [[nodiscard]] const std::vector<AccountId>& accounts() const { return accounts_; }
    [[nodiscard]] Instant now() const { return now_; }

    [[nodiscard]] const std::vector<Transfer>& next() {
        now_ = now_ + milliseconds(batch_ms);
        for (std::size_t i = 0; i < batch_.size(); ++i) {
            if (setup_.load == Load::hold_and_post && i % 2 == 1) {
                capture(batch_[i], batch_[i - 1]);
            } else {
                move(batch_[i]);
            }
            if (setup_.load == Load::chains && i % 3 != 2) batch_[i].flags |= flag::linked;
        }
        return batch_;
    }

private:
    TransferId new_id() {
        const std::uint64_t high = random_.next();
        return {make_uid(now_, high, random_.next())};
    }

    void move(Transfer& t) {
        t = {};
        t.id = new_id();
        t.debit = accounts_[random_.below(accounts_.size() / 2) * 2];
        t.credit = accounts_[random_.below(accounts_.size() / 2) * 2 + 1];
        t.amount = random_.between(1, 1000);
        t.cause = {1, random_.next()};
        t.ledger = 1;
        t.code = TransferCode::redeem;
        if (setup_.load != Load::hold_and_post && setup_.load != Load::holds) return;
        t.code = TransferCode::hold;
        t.flags = flag::pending;
        t.timeout = seconds(random_.between(60, 86'400));
    }

    void capture(Transfer& t, const Transfer& hold) {
        t = {};
        t.id = new_id();
        t.pending_id = hold.id;
        t.amount = (hold.amount + 1) / 2;
        t.cause = hold.cause;
        t.code = TransferCode::redeem;
        t.flags = flag::post_pending;
    }

    Setup setup_;
    Random random_;
    std::vector<AccountId> accounts_;
    std::vector<Transfer> batch_;
    Instant now_{1'790'000'000'000'000'000};
};

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "ledger_memory: %s; the ledger is broken, no number is worth anything\n", what);
    std::exit(1);
}

/// Every account has plenty, so that every transfer is applied.
Ledger open_books(const Source& source) {
    Ledger books({.idempotency_window = seconds(600)});
    const AccountId grant = account_id_of(1, AccountCode::appropriation, "grant");
    const auto open = [&](AccountId id, AccountCode code, Bound bound) {
        const auto fact = books.decide_account({.id = id, .ledger = 1, .code = code, .bound = bound}, source.now());
        if (!fact || !books.apply(Fact{*fact})) give_up("an account does not open");
    };
    open(grant, AccountCode::appropriation, Bound::none);
    for (std::size_t i = 0; i < source.accounts().size(); ++i) {
        if (i % 2 == 1) {
            open(source.accounts()[i], AccountCode::redeemed, Bound::none);
            continue;
        }
        open(source.accounts()[i], AccountCode::voucher, Bound::debits_may_not_exceed_credits);
        const Posting award{.id = transfer_id_of(source.now(), fmt::format("award {}", i)),
                            .debit = grant,
                            .credit = source.accounts()[i],
                            .amount = deep / static_cast<std::int64_t>(source.accounts().size()) * 1024,
                            .at = source.now(),
                            .ledger = 1,
                            .code = TransferCode::award,
                            .kind = PostingKind::moved};
        if (!books.apply(Fact{award})) give_up("an award does not apply");
    }
    return books;
}

void measure_ledger(const Setup& setup, std::uint64_t seed, bench::Rates& rates) {
    Source source(setup, seed);
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

void measure_floor(const Setup& setup, std::uint64_t seed, bench::Rates& rates) {
    Source source(setup, seed);
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

std::string measure(std::string_view name, const Setup& setup) {
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
    Source source({.load = Load::holds, .accounts = 1'000'000, .batches = 12}, 1);
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

}  // namespace

int main() {
    const std::string moves = measure("moves", {.load = Load::moves, .accounts = 10'000, .batches = 120});
    const std::string pairs = measure("hold_and_post", {.load = Load::hold_and_post, .accounts = 10'000, .batches = 120});
    const std::string chains = measure("chains_of_three", {.load = Load::chains, .accounts = 10'000, .batches = 120});
    const std::string wide = measure("moves_over_many_accounts", {.load = Load::moves, .accounts = 1'000'000, .batches = 120});
    fmt::print("{{\"benchmark\": \"ledger_memory\", {},\n  \"batch\": {}, \"target_per_second\": 1000000,\n{},\n{},\n{},\n{},\n{}}}\n",
               bench::provenance(), batch_max, moves, pairs, chains, wide, measure_whole_state());
}
