// base/id.hpp: names that people choose and ids that machines make.
//
// A Name is a slug: what people type, unique within its kind. A Uid is 128 bits, made by whoever
// creates the thing (so that a repeated request is the same request): the upper 48 bits are the
// milliseconds since 1970, the rest is chance. It prints as 26 characters of Crockford's base 32.
#pragma once

#include "base/time.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// 128 bits, ordered by time of making.
struct Uid {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend constexpr auto operator<=>(const Uid&, const Uid&) = default;
    [[nodiscard]] constexpr bool is_nil() const { return high == 0 && low == 0; }
};

/// The Uid of an instant and 80 bits of chance; the caller brings both.
[[nodiscard]] Uid make_uid(Instant at, std::uint64_t chance_high, std::uint64_t chance_low);
/// The millisecond in which a Uid says it was made; the end of time where that is beyond an Instant.
[[nodiscard]] Instant time_of(Uid uid);

[[nodiscard]] std::string format_uid(Uid uid);
[[nodiscard]] std::optional<Uid> parse_uid(std::string_view text);

/// A typed Uid: `job-01KAJ3...`. The kind supplies the prefix.
template <class Kind>
struct Id {
    Uid uid;
    friend constexpr auto operator<=>(const Id&, const Id&) = default;
    [[nodiscard]] std::string text() const { return std::string{Kind::prefix} + "-" + format_uid(uid); }
    [[nodiscard]] static std::optional<Id> parse(std::string_view text) {
        constexpr std::string_view prefix = Kind::prefix;
        if (!text.starts_with(prefix) || text.size() <= prefix.size() || text[prefix.size()] != '-') return std::nullopt;
        const auto uid = parse_uid(text.substr(prefix.size() + 1));
        return uid ? std::optional{Id{*uid}} : std::nullopt;
    }
};

/// 1 to 63 of a-z, 0-9, '-' and '.', starting and ending with a letter or a digit. No '@', no '/', no
/// upper case: a name is safe in a path, a URL and a log line, and cannot be an e-mail address.
[[nodiscard]] bool is_name(std::string_view text);

/// A typed name. Only parse() makes one from foreign text; the empty name means "none".
template <class Kind>
struct Name {
    std::string value;
    friend auto operator<=>(const Name&, const Name&) = default;
    [[nodiscard]] bool empty() const { return value.empty(); }
    [[nodiscard]] const std::string& text() const { return value; }
    [[nodiscard]] static std::optional<Name> parse(std::string_view text) {
        return is_name(text) ? std::optional{Name{std::string{text}}} : std::nullopt;
    }
};

}  // namespace weir

template <>
struct std::hash<weir::Uid> {
    std::size_t operator()(const weir::Uid& uid) const noexcept { return uid.high * 0x9E3779B97F4A7C15ULL ^ uid.low; }
};
template <class Kind>
struct std::hash<weir::Id<Kind>> {
    std::size_t operator()(const weir::Id<Kind>& id) const noexcept { return std::hash<weir::Uid>{}(id.uid); }
};
template <class Kind>
struct std::hash<weir::Name<Kind>> {
    std::size_t operator()(const weir::Name<Kind>& name) const noexcept { return std::hash<std::string>{}(name.value); }
};
