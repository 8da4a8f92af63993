// engines/ledger/account.hpp: where value stands: accounts, their kinds and their bounds.
//
// It answers: what is an account, which ledger may it belong to, and how much of it is still free? Names are the
// caller's business ("voucher v", "treasury of Chengdu"); account_id_of() turns such a name into an id, always the same.
//
// Conventions: amounts are integers in the unit of the ledger (fen, card-seconds), never negative. A movement "from A
// to B" debits A and credits B, so an account that must not be overdrawn is one whose debits may not exceed its credits.
#pragma once

#include "base/id.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::ledger {

struct AccountKind {
    static constexpr std::string_view prefix = "acc";
};
using AccountId = Id<AccountKind>;

/// One currency, one programme-year or one chip class. A transfer never crosses ledgers. 0 names none.
using LedgerId = std::uint32_t;

/// Accounts of one ledger are all of one family, so value of one kind cannot leak into another.
enum class Family : std::uint8_t {
    voucher = 1,   ///< Face value of one programme-year, fen; not cash.
    cap = 2,       ///< Control accounts for yearly caps, fen.
    cash = 3,      ///< Real money, fen.
    quantity = 4,  ///< Free quota and reservations, card-seconds.
    pledge = 5,    ///< What a provider pledged, offered and delivered, card-seconds.
};

/// What an account is for. The hundreds digit is the family. Stored: append only.
enum class AccountCode : std::uint16_t {
    appropriation = 101,  ///< Source of a programme-year; its debit balance is what the budget law granted.
    available = 102,      ///< Granted and not yet awarded.
    voucher = 103,        ///< One per voucher.
    redeemed = 104,       ///< One per supplier or payee.
    expired = 105,
    revoked = 106,

    cap_source = 201,
    entity_cap = 202,  ///< What one control group may still be awarded this year.
    supplier_cap = 203,
    district_quota = 204,
    cap_used = 205,

    bank = 301,  ///< The world outside: money enters and leaves here.
    treasury = 302,
    subsidy_payable = 303,
    buyer = 304,  ///< Receivable.
    buyer_prepaid = 305,
    supplier = 306,  ///< Payable.
    reserve = 307,   ///< Advance to a supplier, offset at settlement.
    platform_fee = 308,
    vat = 309,
    sla_credit_expense = 310,
    congestion_rent = 311,
    rounding = 312,
    clawback_receivable = 313,
    clearing = 314,      ///< Captured from buyers, not yet credited to a supplier.
    network_loss = 315,  ///< What the network itself bears.

    quota_source = 401,
    quota = 402,
    quota_used = 403,
    quota_lapsed = 404,

    pledge = 501,
    offered = 502,
    delivered = 503,
    excused = 504,
    shortfall = 505,
};

/// A limit that every transfer keeps, counting holds as if they were already posted.
enum class Bound : std::uint8_t {
    none = 1,
    debits_may_not_exceed_credits = 2,
    credits_may_not_exceed_debits = 3,
};

[[nodiscard]] bool is_known(AccountCode code);
[[nodiscard]] bool is_known(Bound bound);
/// The family of a known code.
[[nodiscard]] Family family_of(AccountCode code);
/// The bound that a code brings with it: a voucher is never overdrawn, whoever opens it. Nothing where the opener chooses.
[[nodiscard]] std::optional<Bound> required_bound(AccountCode code);
/// Whether value may go from one account to another. It always may, except out of a voucher: that reaches only
/// redeemed, expired, revoked and available, and so never cash and never another voucher.
[[nodiscard]] bool may_move(AccountCode from, AccountCode to);

/// What to open; the four sums start at zero.
struct AccountSpec {
    AccountId id{};
    LedgerId ledger = 0;
    AccountCode code{};
    Bound bound = Bound::none;
};

struct Account {
    AccountId id{};
    /// The four sums, each in the unit of the ledger, none negative.
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
    LedgerId ledger = 0;
    AccountCode code{};
    Bound bound = Bound::none;
    /// A frozen account's value does not leave by its holder's will; see frozen_may_give() in transfer.hpp.
    bool frozen = false;

    friend bool operator==(const Account&, const Account&) = default;

    /// Credits posted, less debits posted and held: what may still be debited under the first bound. May be negative
    /// for an account without it.
    [[nodiscard]] std::int64_t free_credit() const { return credits_posted - debits_posted - debits_pending; }
    /// The mirror image of free_credit().
    [[nodiscard]] std::int64_t free_debit() const { return debits_posted - credits_posted - credits_pending; }
    [[nodiscard]] bool within_bound() const {
        if (bound == Bound::debits_may_not_exceed_credits) return free_credit() >= 0;
        if (bound == Bound::credits_may_not_exceed_debits) return free_debit() >= 0;
        return true;
    }
};

/// The id of "the account of `owner` with this code on this ledger": the first 128 bits of a SHA-256.
[[nodiscard]] AccountId account_id_of(LedgerId ledger, AccountCode code, std::string_view owner);

}  // namespace weir::ledger
