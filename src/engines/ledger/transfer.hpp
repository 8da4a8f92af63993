// engines/ledger/transfer.hpp: what a caller asks the ledger to move.
//
// It answers: what is a transfer, and are two requests the same request? A transfer is immutable and its id is made by
// the client, so asking twice is asking once. What the ledger did about it is a fact (fact.hpp).
//
// A transfer is one of four: a movement (no flag), a hold (`pending`), the capture of a hold (`post_pending`: the part
// that was used is posted, the rest returns) or its release (`void_pending`: all returns).
#pragma once

#include "base/time.hpp"
#include "engines/ledger/account.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace weir::ledger {

struct TransferKind {
    static constexpr std::string_view prefix = "trf";
};
using TransferId = Id<TransferKind>;

/// Why value moves. Stored: append only.
enum class TransferCode : std::uint16_t {
    appropriate = 10,
    fund_cap = 11,
    top_up = 12,  ///< Money comes in: bank to buyer_prepaid or treasury.
    allot = 13,   ///< Quota is granted in card-seconds.
    award = 20,
    hold = 30,
    redeem = 31,
    release = 32,
    lapse = 33,  ///< A hold's time ran out. Only the ledger itself books this.
    pay_subsidy = 40,
    advance = 41,
    advance_offset = 42,
    pay_out = 43,
    expire = 50,
    revoke = 51,
    clawback = 52,
    cap_return = 53,
    charge = 60,
    charge_correction = 61,
    sla_credit = 62,
    refund = 63,
    fee = 64,
    tax = 65,
    round_off = 66,
    pledge = 70,
    offer = 71,
    deliver = 72,
    shortfall = 73,
    excuse = 74,
    trade_buy = 80,
    trade_sell = 81,
    congestion = 82,
};

/// Whether a caller may use this code.
[[nodiscard]] bool is_known(TransferCode code);
/// Whether this code may debit a frozen account: what the authority does (expire, revoke, clawback, cap_return) it may;
/// what the holder does it may not. Releasing a hold is always possible.
[[nodiscard]] bool frozen_may_give(TransferCode code);
/// Whether this code pays out what a hold captured: refusing it for want of ids would leave a captured hold unpaid. There are only as
/// many of these as open holds give rise to, so they need no limit of their own.
[[nodiscard]] bool pays_out(TransferCode code);

/// Bits of Transfer::flags.
namespace flag {
constexpr std::uint16_t linked = 1;           ///< Stands or falls with the next transfer of the batch.
constexpr std::uint16_t pending = 2;          ///< A hold.
constexpr std::uint16_t post_pending = 4;     ///< Captures the hold `pending_id`.
constexpr std::uint16_t void_pending = 8;     ///< Releases the hold `pending_id`.
constexpr std::uint16_t balancing_debit = 16; ///< `amount` is an upper limit: moves what the debit account has free.
constexpr std::uint16_t all = 31;
}  // namespace flag

/// As the amount of a capture or of a balancing transfer: everything there is.
constexpr std::int64_t whole_amount = std::numeric_limits<std::int64_t>::max();

struct Transfer {
    TransferId id{};
    /// For a capture or a release: nil (inherited from the hold), or the hold's own.
    AccountId debit{};
    AccountId credit{};
    /// Unit of the ledger. Movement and hold: at least 1. Capture: 1 to the held amount, or whole_amount. Release: 0.
    std::int64_t amount = 0;
    /// The hold to capture or to release; nil otherwise.
    TransferId pending_id{};
    /// How long a hold stands: it can be captured in [now, now + timeout). 0 = until resolved.
    Duration timeout{};
    /// What made this necessary: a job, an invoice line, an award.
    Uid cause{};
    /// Who asked, and who approved where two must (then a different person). Nil = nobody named.
    Uid actor{};
    Uid second_actor{};
    /// 0 for a capture or a release: inherited.
    LedgerId ledger = 0;
    std::uint32_t policy_version = 0;
    TransferCode code{};
    std::uint16_t flags = 0;

    friend bool operator==(const Transfer&, const Transfer&) = default;
    [[nodiscard]] bool has(std::uint16_t bit) const { return (flags & bit) != 0; }
    [[nodiscard]] bool resolves() const { return has(flag::post_pending | flag::void_pending); }
};

/// What stays of a request for comparing it with a later one of the same id: 64 bits over the whole body decide whether
/// it is the same, the tags of the fields name a difference. Carried by facts, so it never has to be computed again.
struct Fingerprint {
    std::uint64_t body = 0;
    std::uint64_t tags_high = 0;  ///< flags (8 bits, exact), ledger (8), pending_id, timeout, debit (16 each).
    std::uint64_t tags_low = 0;   ///< credit, amount, code (exact), cause (16 each).
    friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

[[nodiscard]] Fingerprint fingerprint_of(const Transfer& transfer);

/// The id of a logical event, for callers that must not make a new id at each attempt: `made` is when the event happened
/// (the same at each attempt), `event` says which one it is.
[[nodiscard]] TransferId transfer_id_of(Instant made, std::string_view event);

/// Milliseconds since 1970 at which an id says it was made. Unlike time_of() it holds for any 128 bits.
[[nodiscard]] constexpr std::int64_t made_ms(TransferId id) { return static_cast<std::int64_t>(id.uid.high >> 16); }

}  // namespace weir::ledger
