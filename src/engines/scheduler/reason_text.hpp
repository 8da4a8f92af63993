// engines/scheduler/reason_text.hpp: a reason in words: what was asked, both numbers, what to do.
//
// The public form speaks of the tenant's own job and of totals that a site publishes. The operator form adds how the
// nodes of the site fall short. Neither names another project or job.
#pragma once

#include "engines/scheduler/reason.hpp"

namespace weir::scheduler {

enum class Audience : std::uint8_t { tenant = 1, operations = 2 };

/// One line, lower case, no full stop: `site-a: 2 nodes with 8 x H800 each were asked, 1 has room ...; wait, or ...`.
[[nodiscard]] std::string reason_text(const Reason& reason, Audience audience);

/// `room_lacking`: the reason's stable name for programs and logs.
[[nodiscard]] std::string_view reason_name(ReasonCode code);

/// One line for a refusal to take an ask: what is wrong with it and what to change.
[[nodiscard]] std::string_view ask_refusal_text(AskRefusal refusal);

}  // namespace weir::scheduler
