// apps/client/format.hpp: amounts, times and names as people read them.
//
// Nothing from a server reaches a terminal without visible(): a title must not move the cursor.
#pragma once

#include "apps/client/console.hpp"
#include "base/quantity.hpp"
#include "base/time.hpp"
#include "codec/value.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::cli {

/// What a terminal would obey, and what is no UTF-8, becomes '?' (characters.hpp); line ends stay where `lines`.
[[nodiscard]] std::string visible(std::string_view text, bool lines = false);

/// Yuan with two decimals, exact: 12.34, -0.05.
[[nodiscard]] std::string yuan(std::int64_t fen);
/// The same with its currency: CNY 12.34.
[[nodiscard]] std::string money(std::int64_t fen);
/// A length of time as people write it, to the second: 1h 30m, 2d 4h 5s, 0s.
[[nodiscard]] std::string span(Duration length);
/// Cards of milli-cards, and card-seconds of milli-card-seconds: 8, 0.5, 1.125.
[[nodiscard]] std::string cards(std::int64_t milli_cards);
/// `H800`, or `H800 (emulated)`.
[[nodiscard]] std::string model_label(std::string_view model, bool emulated);

/// On a terminal short: 14:05:09 of today, 11-22 14:05 of this year, else 2025-11-22; off a terminal always
/// 2026-11-22 14:05:09. Local time.
[[nodiscard]] std::string local_text(const Console& console, Instant at);

/// A text of the server with its instants (RFC 3339, in UTC) as local_text().
[[nodiscard]] std::string with_local_times(const Console& console, std::string_view text);

/// Local time with its distance from UTC, wherever it is shown: 2026-11-22 14:05:09 +08:00.
[[nodiscard]] std::string zoned_text(const Console& console, Instant at);

// ---- Members of an answer. What is absent, null or of another kind is empty, 0 or false.

[[nodiscard]] std::string text_of(const codec::Value& value, std::string_view key);
[[nodiscard]] std::int64_t integer_of(const codec::Value& value, std::string_view key);
[[nodiscard]] bool flag_of(const codec::Value& value, std::string_view key);
[[nodiscard]] const codec::Value::Array& items_of(const codec::Value& value, std::string_view key);
/// The scalar as text; the items of a list joined by ", ".
[[nodiscard]] std::string text_of(const codec::Value& value);
/// An instant of the answer as local_text(); "-" where there is none.
[[nodiscard]] std::string time_of(const Console& console, const codec::Value& value, std::string_view key);
/// An instant of the answer as zoned_text(); empty where there is none.
[[nodiscard]] std::string zoned_time_of(const Console& console, const codec::Value& value, std::string_view key);
/// Of the beginning or end of something that lasts: on a terminal the day with its year, 2026-12-31; off it as time_of().
[[nodiscard]] std::string day_of(const Console& console, const codec::Value& value, std::string_view key);
/// The same of the last day before a moment that is no longer part of what is told.
[[nodiscard]] std::string last_day_of(const Console& console, const codec::Value& value, std::string_view key);
/// model_label() of the members `model` and `emulated`; empty where there is no model.
[[nodiscard]] std::string model_of(const codec::Value& value);

/// `1 byte`, `700 bytes`, `280.0 MiB`.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

/// `2026-11-22 14:05:09 +08:00 (in 1h 30m)`; empty where there is no such time.
[[nodiscard]] std::string when_text(const Console& console, const codec::Value& value, std::string_view name);

}  // namespace weir::cli
