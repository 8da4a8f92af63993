// apps/client/journal_text.hpp: an entry of the journal as a line for people.
#pragma once

#include "apps/client/console.hpp"
#include "codec/value.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::cli {

/// The name of an event's type number: `job_placed`; `type 99` for one of a later release.
[[nodiscard]] std::string event_name(std::int64_t type);
/// The members of an event in a line: `job=job-... to=running reason=agent_started`.
[[nodiscard]] std::string event_text(const Console& console, const codec::Value& event);

/// The same for a narrow line: what became of it comes first.
[[nodiscard]] std::string watched_text(const Console& console, const codec::Value& event);

}  // namespace weir::cli
