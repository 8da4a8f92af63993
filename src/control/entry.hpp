// control/entry.hpp: one line of the journal: an event with its revision, time and actor, as value and as text.
//
// The text is what is stored, hashed and shown to auditors:
//   {"revision":7,"type":41,"at":"2026-11-22T06:00:00Z","actor":"system","event":{...}}
// Type numbers are never reused. A text of an unknown type refuses start-up: a program must not pass over a fact. An old text is
// brought up to date on the way (core/upcast.hpp); its bytes, and what they hash to, stay as they were.
#pragma once

#include "base/result.hpp"
#include "control/core/events.hpp"
#include "control/core/upcast.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::control {

struct Entry {
    std::uint64_t revision = 0;
    Instant at;
    std::string actor;
    Event event;
};

/// Appends the text of an entry.
void write_entry(const Entry& entry, std::string& out);

/// The entry of a text, or what is wrong with it, in words for an operator.
/// @param steps from older forms to today's.
[[nodiscard]] Result<Entry, std::string> read_entry(std::string_view text, std::span<const Upcast> steps = upcasts());

/// The type number of an event, and the name of a type: `job_placed`.
[[nodiscard]] std::uint16_t type_of(const Event& event);
[[nodiscard]] std::string_view type_name(std::uint16_t type);

}  // namespace weir::control
