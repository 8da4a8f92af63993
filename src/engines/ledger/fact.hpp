// engines/ledger/fact.hpp: what happened. The ledger's state is the sum of its facts.
//
// It answers: what does one decision change? A fact carries every value that applying it needs: the amount really moved,
// the time, the end of a hold. Ledger::apply() adds them up and decides nothing, so a journal of facts is good for ever,
// whatever becomes of the rules that made it.
#pragma once

#include "engines/ledger/transfer.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <variant>

namespace weir::ledger {

/// Of a hold without an end.
constexpr Instant never{std::numeric_limits<std::int64_t>::max()};

/// Stored: append only.
enum class PostingKind : std::uint8_t {
    moved = 1,    ///< debits_posted and credits_posted grow by `amount`.
    held = 2,     ///< debits_pending and credits_pending grow by `amount`.
    posted = 3,   ///< A hold ends: pending shrinks by `amount` + `released`, posted grows by `amount`.
    voided = 4,   ///< A hold ends: pending shrinks by `released`.
    expired = 5,  ///< As voided, by time. Its id and code are the ledger's own.
};

/// An entry of the journal: one transfer, resolved.
struct Posting {
    TransferId id{};
    AccountId debit{};
    AccountId credit{};
    std::int64_t amount = 0;    ///< Moved, held or captured.
    std::int64_t released = 0;  ///< What of a hold returned.
    TransferId pending_id{};      ///< The hold that ended; nil for moved and held.
    Instant at{};
    Instant expires_at = never;  ///< Of kind held: first instant at which the hold can no longer be captured.
    Uid cause{};
    Uid actor{};
    Uid second_actor{};
    Fingerprint request{};
    LedgerId ledger = 0;
    std::uint32_t policy_version = 0;
    TransferCode code{};
    PostingKind kind{};

    friend bool operator==(const Posting&, const Posting&) = default;
};

struct AccountOpened {
    AccountId id{};
    Instant at{};
    LedgerId ledger = 0;
    AccountCode code{};
    Bound bound = Bound::none;
    friend bool operator==(const AccountOpened&, const AccountOpened&) = default;
};

struct AccountFrozen {
    AccountId id{};
    Instant at{};
    bool frozen = false;
    friend bool operator==(const AccountFrozen&, const AccountFrozen&) = default;
};

/// An account without balance and holds left memory; `turnover` is what its debits and its credits each came to.
struct AccountClosed {
    AccountId id{};
    Instant at{};
    std::int64_t turnover = 0;
    friend bool operator==(const AccountClosed&, const AccountClosed&) = default;
};

/// The records of transfer ids made before `before_ms` (milliseconds since 1970) left memory.
struct IdsForgotten {
    std::int64_t before_ms = 0;
    Instant at{};
    friend bool operator==(const IdsForgotten&, const IdsForgotten&) = default;
};

using Fact = std::variant<Posting, AccountOpened, AccountFrozen, AccountClosed, IdsForgotten>;

}  // namespace weir::ledger
