// control/core/refusal.hpp: why a command was not carried out, as a token and as a sentence.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <boost/describe.hpp>

#include <string>
#include <vector>

namespace weir::control {

/// Tokens that programs may react to. Where several apply, decide gives the first that it meets in this order:
/// who asks, what is named, what is asked, what it would cost.
BOOST_DEFINE_ENUM_CLASS(RefusalCode, unauthenticated, forbidden, not_found, already_exists_different, id_too_old, id_from_the_future,
                        bad_value, limit_reached, unknown_model, never_fits, dependency_failed, funding_not_eligible, insufficient_funds,
                        cap_reached, budget_exceeded, already_finished, stale_sequence, key_reused, queue_full, shutting_down, too_large,
                        not_movable, suspended)

/// An instant as refusals tell it, to the second.
[[nodiscard]] inline std::string moment(Instant t) { return format_utc({floor_seconds(t) * 1'000'000'000}); }

/// What was asked, both numbers, what to do.
struct Refusal {
    RefusalCode code = RefusalCode::bad_value;
    std::string message;
    std::string field;   ///< Path of the field at fault, or empty.
    std::string clause;  ///< The rule's text, where a published rule refuses.
    bool operator==(const Refusal&) const = default;
};
BOOST_DESCRIBE_STRUCT(Refusal, (), (code, message, field, clause))

/// What was made, or was there already in the same form.
struct Accepted {
    std::string id;
    bool repeated = false;  ///< The same request was carried out before; nothing was done again.
};

using Answer = Result<Accepted, Refusal>;

}  // namespace weir::control
