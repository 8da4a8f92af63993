// control/core/upcast.hpp: brings the value of an old event up to today's form, on reading.
//
// The journal is never rewritten: the text that was hashed stays as it is for ever. It answers one question: what would the
// event's writer have written, had it known today's form? What an event means is events.hpp's business, which number it
// carries entry.hpp's.
//
// Two ways in which a form may change, and no third:
//   - fields: the type keeps its number, and a step here renames, adds or drops them. A step knows an old value by its shape and
//     leaves one of today's form alone, so that it does not matter which program wrote the text;
//   - meaning: the event gets a new number, the old one is never used again, and a step here turns one into the other.
// Each change adds a line to upcasts() and a line to tests/golden/events.jsonl; nothing is ever taken out of either.
#pragma once

#include "codec/value.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace weir::control {

/// One change of form that was made at some time.
struct Upcast {
    std::uint16_t from = 0;                             ///< Type number in the text.
    std::uint16_t to = 0;                               ///< The same where only fields changed, else its successor's.
    void (*change)(codec::Value& event) = nullptr;      ///< In place; called on values of every age of `from`.
};

/// Every change that was ever made, oldest first.
[[nodiscard]] std::span<const Upcast> upcasts();

/// Takes `event` through all steps that begin with its type, in their order, and returns the type it has then.
[[nodiscard]] std::uint16_t upcast(std::uint16_t type, codec::Value& event, std::span<const Upcast> steps);

// ---- what steps are made of; each does nothing where the value is no object or is of the newer form already

/// The field's value, to change what is inside it; nullptr where there is none.
[[nodiscard]] codec::Value* field_of(codec::Value& object, std::string_view name);
void rename_field(codec::Value& object, std::string_view from, std::string_view to);
void add_field(codec::Value& object, std::string_view name, codec::Value value);
void drop_field(codec::Value& object, std::string_view name);

}  // namespace weir::control
