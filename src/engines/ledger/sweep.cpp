// engines/ledger/sweep.cpp: the whole state looked at: recomputed laws, trial balance, export and import.
#include "base/quantity.hpp"
#include "engines/ledger/ledger.hpp"

#include <algorithm>
#include <map>

namespace weir::ledger {
namespace {

/// Sums that cannot leave their type: a damaged state may hold anything.
__extension__ using Wide = __int128;

std::int64_t narrow(Wide sum) {
    if (sum > whole_amount) return whole_amount;
    if (sum < -static_cast<Wide>(whole_amount)) return -whole_amount;
    return static_cast<std::int64_t>(sum);
}

std::int64_t least_sum(const Account& account) {
    return std::min({account.debits_pending, account.debits_posted, account.credits_pending, account.credits_posted});
}

struct WideSums {
    Wide debits_pending = 0;
    Wide debits_posted = 0;
    Wide credits_pending = 0;
    Wide credits_posted = 0;
    void add(const Account& account) {
        debits_pending += account.debits_pending;
        debits_posted += account.debits_posted;
        credits_pending += account.credits_pending;
        credits_posted += account.credits_posted;
    }
};

/// What the holds of an account come to.
struct HeldSums {
    Wide debits = 0;
    Wide credits = 0;
};

class Sweep {
public:
    /// `accounts` in the order of their ids.
    Sweep(const std::vector<Account>& accounts, std::vector<Violation>& violations)
        : accounts_(accounts), held_(accounts.size()), violations_(violations) {}

    void hold(const Hold& hold, const Ledger& ledger) {
        if (hold.amount <= 0) report(Law::sum_not_negative, hold.ledger, hold.debit, hold.amount, 1, hold.id);
        for (const AccountId id : {hold.debit, hold.credit}) {
            const Account* account = ledger.account(id);
            if (account == nullptr) {
                report(Law::account_exists_once, hold.ledger, id, 0, 1, hold.id);
            } else if (account->ledger != hold.ledger) {
                report(Law::one_ledger, hold.ledger, id, hold.ledger, account->ledger, hold.id);
            }
        }
        if (HeldSums* held = held_of(hold.debit)) held->debits += hold.amount;
        if (HeldSums* held = held_of(hold.credit)) held->credits += hold.amount;
    }

    void account(std::size_t place, const Ledger& ledger) {
        const Account& account = accounts_[place];
        if (ledger.account(account.id) == nullptr) report(Law::account_exists_once, account.ledger, account.id, 0, 1);
        const std::int64_t least = least_sum(account);
        if (least < 0) report(Law::sum_not_negative, account.ledger, account.id, least, 0);
        const Wide debits = Wide{account.debits_pending} + account.debits_posted;
        const Wide credits = Wide{account.credits_pending} + account.credits_posted;
        if (account.bound == Bound::debits_may_not_exceed_credits && debits > account.credits_posted) {
            report(Law::debits_within_credits, account.ledger, account.id, narrow(debits), account.credits_posted);
        }
        if (account.bound == Bound::credits_may_not_exceed_debits && credits > account.debits_posted) {
            report(Law::credits_within_debits, account.ledger, account.id, narrow(credits), account.debits_posted);
        }
        equal(Law::holds_match_pending, account.ledger, account.id, held_[place].debits, account.debits_pending);
        equal(Law::holds_match_pending, account.ledger, account.id, held_[place].credits, account.credits_pending);
        sums_[account.ledger].add(account);
        budget_[account.ledger] += share_of_budget(account);
    }

    void ledger(const LedgerTotals& totals) {
        const WideSums& sums = sums_[totals.ledger];
        equal(Law::posted_debits_equal_posted_credits, totals.ledger, {}, sums.debits_posted, sums.credits_posted);
        equal(Law::pending_debits_equal_pending_credits, totals.ledger, {}, sums.debits_pending, sums.credits_pending);
        equal(Law::totals_match_accounts, totals.ledger, {}, totals.debits_pending, sums.debits_pending);
        equal(Law::totals_match_accounts, totals.ledger, {}, totals.debits_posted, sums.debits_posted);
        equal(Law::totals_match_accounts, totals.ledger, {}, totals.credits_pending, sums.credits_pending);
        equal(Law::totals_match_accounts, totals.ledger, {}, totals.credits_posted, sums.credits_posted);
        if (totals.family == Family::voucher) equal(Law::budget_is_conserved, totals.ledger, {}, budget_[totals.ledger], 0);
    }

private:
    /// What was appropriated counts against, what became of it counts for; the sum of a programme-year is zero.
    static Wide share_of_budget(const Account& account) {
        switch (account.code) {
            case AccountCode::appropriation:
            case AccountCode::available:
            case AccountCode::voucher:
            case AccountCode::redeemed:
            case AccountCode::expired:
            case AccountCode::revoked: return Wide{account.credits_posted} - account.debits_posted;
            default: return 0;
        }
    }

    HeldSums* held_of(AccountId id) {
        const auto at = std::ranges::lower_bound(accounts_, id, {}, &Account::id);
        return at != accounts_.end() && at->id == id ? &held_[static_cast<std::size_t>(at - accounts_.begin())] : nullptr;
    }

    void equal(Law law, LedgerId ledger, AccountId account, Wide left, Wide right) {
        if (left != right) report(law, ledger, account, narrow(left), narrow(right));
    }

    void report(Law law, LedgerId ledger, AccountId account, std::int64_t left, std::int64_t right, TransferId transfer = {}) {
        violations_.push_back({.law = law, .ledger = ledger, .account = account, .transfer = transfer, .left = left, .right = right});
    }

    const std::vector<Account>& accounts_;
    std::vector<HeldSums> held_;  ///< One per account.
    std::vector<Violation>& violations_;
    std::map<LedgerId, WideSums> sums_;
    std::map<LedgerId, Wide> budget_;
};

Violation unfit(Law law, const Account& account, std::int64_t left, std::int64_t right) {
    return {.law = law, .ledger = account.ledger, .account = account.id, .transfer = {}, .left = left, .right = right};
}

/// Whether an account of a foreign state can be added without leaving int64 or its ledger's family.
std::optional<Violation> check_import(const Account& account, const Ledger& ledger, const LedgerTotals* totals) {
    if (ledger.account(account.id) != nullptr) return unfit(Law::account_exists_once, account, 1, 0);
    if (account.ledger == 0) return unfit(Law::one_ledger, account, 0, 1);
    const std::int64_t least = least_sum(account);
    if (least < 0) return unfit(Law::sum_not_negative, account, least, 0);
    const LedgerTotals before = totals != nullptr ? *totals : LedgerTotals{};
    const Wide debits = Wide{before.debits_pending} + before.debits_posted + account.debits_pending + account.debits_posted;
    const Wide credits = Wide{before.credits_pending} + before.credits_posted + account.credits_pending + account.credits_posted;
    const Wide most = std::max(debits, credits);
    if (most > whole_amount) return unfit(Law::totals_fit, account, narrow(most), whole_amount);
    if (totals != nullptr && totals->family != family_of(account.code)) {
        const auto own = static_cast<std::int64_t>(family_of(account.code));
        return unfit(Law::one_ledger, account, own, static_cast<std::int64_t>(totals->family));
    }
    return std::nullopt;
}

}  // namespace

std::vector<Violation> Ledger::verify() const {
    std::vector<Violation> violations;
    const std::vector<Account> accounts = accounts_.sorted();
    Sweep sweep(accounts, violations);
    for (const Hold& hold : holds_.sorted()) sweep.hold(hold, *this);
    for (std::size_t place = 0; place < accounts.size(); ++place) sweep.account(place, *this);
    for (const LedgerTotals& totals : accounts_.sorted_totals()) sweep.ledger(totals);
    if (!holds_.is_consistent()) violations.push_back({.law = Law::hold_exists_once, .left = 0, .right = 1});
    return violations;
}

TrialBalance Ledger::trial_balance(LedgerId ledger) const {
    std::map<AccountCode, TrialRow> rows;
    TrialBalance balance{.ledger = ledger};
    for (const Account& account : accounts_.sorted()) {
        if (account.ledger != ledger) continue;
        TrialRow& row = rows[account.code];
        row.code = account.code;
        ++row.accounts;
        row.debits_pending += account.debits_pending;
        row.debits_posted += account.debits_posted;
        row.credits_pending += account.credits_pending;
        row.credits_posted += account.credits_posted;
        balance.debits_pending += account.debits_pending;
        balance.debits_posted += account.debits_posted;
        balance.credits_pending += account.credits_pending;
        balance.credits_posted += account.credits_posted;
    }
    for (const auto& [code, row] : rows) balance.rows.push_back(row);
    return balance;
}

LedgerState Ledger::export_state() const {
    return {.at = at_, .ids_floor_ms = ids_.floor_ms(), .accounts = accounts_.sorted(), .holds = holds_.sorted(), .seen = ids_.sorted()};
}

Result<Ledger, Violation> Ledger::import_state(const LedgerState& state, Options options) {
    Ledger ledger(options);
    for (const Account& account : state.accounts) {
        if (const auto violation = check_import(account, ledger, ledger.totals(account.ledger))) return fail(*violation);
        ledger.accounts_.insert(account);
    }
    for (const Hold& hold : state.holds) {
        if (ledger.hold(hold.id) != nullptr || hold.ledger == 0) {
            return fail(Violation{.law = Law::hold_exists_once, .ledger = hold.ledger, .transfer = hold.id, .left = 2, .right = 1});
        }
        ledger.holds_.insert(hold);
    }
    for (const SeenId& seen : state.seen) {
        if (ledger.seen(seen.id) != nullptr) return fail(Violation{.law = Law::applied_once, .transfer = seen.id, .left = 2, .right = 1});
        ledger.ids_.insert(seen);
    }
    ledger.ids_.forget(state.ids_floor_ms);
    ledger.at_ = state.at;
    if (const auto violations = ledger.verify(); !violations.empty()) return fail(violations.front());
    return ledger;
}

}  // namespace weir::ledger
