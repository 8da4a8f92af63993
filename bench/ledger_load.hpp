// bench/ledger_load.hpp: books with accounts that have plenty, and batches of transfers that are all applied.
//
// Vouchers stand at even places, their payees at odd ones. Time runs at one batch per 100 ms, so that the memory of ids grows, is cut
// into slices and is forgotten as in service.
#pragma once

#include "base/random.hpp"
#include "bench/disk.hpp"
#include "engines/ledger/ledger.hpp"

#include <string>
#include <vector>

namespace weir::bench {

enum class LedgerLoad { moves, hold_and_post, chains, holds };

struct LedgerSetup {
    LedgerLoad load = LedgerLoad::moves;
    std::size_t accounts = 10'000;
    int batches = 120;
};

[[nodiscard]] inline ledger::AccountId account_at(std::size_t i) {
    using enum ledger::AccountCode;
    return ledger::account_id_of(1, i % 2 == 0 ? voucher : redeemed, fmt::to_string(i));
}

/// Makes the batches.
class TransferSource {
public:
    TransferSource(const LedgerSetup& setup, std::uint64_t seed)
        : setup_(setup), random_(seed, "ledger_memory"), batch_(ledger::batch_max) {
        for (std::size_t i = 0; i < setup.accounts; ++i) accounts_.push_back(account_at(i));
    }

    [[nodiscard]] const std::vector<ledger::AccountId>& accounts() const { return accounts_; }
    [[nodiscard]] Instant now() const { return now_; }

    [[nodiscard]] const std::vector<ledger::Transfer>& next() {
        now_ = now_ + milliseconds(batch_ms);
        for (std::size_t i = 0; i < batch_.size(); ++i) {
            if (setup_.load == LedgerLoad::hold_and_post && i % 2 == 1) {
                capture(batch_[i], batch_[i - 1]);
            } else {
                move(batch_[i]);
            }
            if (setup_.load == LedgerLoad::chains && i % 3 != 2) batch_[i].flags |= ledger::flag::linked;
        }
        return batch_;
    }

private:
    static constexpr std::int64_t batch_ms = 100;

    ledger::TransferId new_id() {
        const std::uint64_t high = random_.next();
        return {make_uid(now_, high, random_.next())};
    }

    void move(ledger::Transfer& t) {
        t = {};
        t.id = new_id();
        t.debit = accounts_[random_.below(accounts_.size() / 2) * 2];
        t.credit = accounts_[random_.below(accounts_.size() / 2) * 2 + 1];
        t.amount = random_.between(1, 1000);
        t.cause = {1, random_.next()};
        t.ledger = 1;
        t.code = ledger::TransferCode::redeem;
        if (setup_.load != LedgerLoad::hold_and_post && setup_.load != LedgerLoad::holds) return;
        t.code = ledger::TransferCode::hold;
        t.flags = ledger::flag::pending;
        t.timeout = seconds(random_.between(60, 86'400));
    }

    void capture(ledger::Transfer& t, const ledger::Transfer& hold) {
        t = {};
        t.id = new_id();
        t.pending_id = hold.id;
        t.amount = (hold.amount + 1) / 2;
        t.cause = hold.cause;
        t.code = ledger::TransferCode::redeem;
        t.flags = ledger::flag::post_pending;
    }

    LedgerSetup setup_;
    Random random_;
    std::vector<ledger::AccountId> accounts_;
    std::vector<ledger::Transfer> batch_;
    Instant now_{1'790'000'000'000'000'000};
};

/// Every account has plenty, so that every transfer is applied.
[[nodiscard]] inline ledger::Ledger open_books(const TransferSource& source) {
    using namespace ledger;
    constexpr std::int64_t deep = std::int64_t{1} << 40;
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

}  // namespace weir::bench
