#include "codec/decode.hpp"

#include "codec/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace weir::codec {
namespace {

/// A value for a message: `the string "abc"`, `4096`, `null`, `a list`.
std::string show_value(const Value& value) {
    std::string out;
    switch (value.kind()) {
        case Kind::string: return "the string " + show(*value.string());
        case Kind::array:
        case Kind::object: return std::string{name_of(value.kind())};
        case Kind::null: return "null";
        case Kind::boolean:
        case Kind::integer:
        case Kind::big_integer:
        case Kind::real: write_json(value, out); return out;
    }
    return out;
}

bool is_simple_key(std::string_view key) {
    return !key.empty() && key.size() <= 64 && std::ranges::all_of(key, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

template <class Number>
bool refuse_range(const Value& value, const Place& place, Number min, Number max) {
    return place.refuse(value, Fault::out_of_range, fmt::format("must be from {} to {}, is {}", min, max, show_value(value)));
}

constexpr std::uint64_t plain_magnitude = static_cast<std::uint64_t>(largest_plain_integer);

/// An integer as sign and magnitude, from a number or from the string form of one beyond 2^53.
struct Whole {
    bool negative = false;
    std::uint64_t magnitude = 0;
};

/// `-?[1-9][0-9]*` whose magnitude is beyond 2^53.
std::optional<Whole> whole_of_text(std::string_view text) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = text.substr(negative ? 1 : 0);
    if (digits.empty() || digits[0] < '1' || digits[0] > '9') return std::nullopt;
    std::uint64_t magnitude = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
    if (error != std::errc{} || end != digits.data() + digits.size() || magnitude <= plain_magnitude) return std::nullopt;
    return Whole{negative, magnitude};
}

/// Reads the form; the caller checks the range. `wide`: the type holds integers that are written as strings.
std::optional<Whole> read_whole(const Value& value, const Place& place, bool wide) {
    if (const auto* number = value.integer()) {
        const auto bits = static_cast<std::uint64_t>(*number);
        return Whole{*number < 0, *number < 0 ? 0 - bits : bits};
    }
    if (const auto* number = value.big_integer()) return Whole{false, *number};
    if (const auto* number = value.real(); number != nullptr && *number == 0) return Whole{};
    if (const auto* text = value.string(); text != nullptr && wide) {
        if (const auto whole = whole_of_text(*text)) return whole;
    }
    place.refuse_type(value, "an integer");
    return std::nullopt;
}

}  // namespace

std::string describe(const Problem& problem) {
    std::string out = problem.origin;
    if (problem.line != 0) out += fmt::format("{}{}:{}", out.empty() ? "" : ":", problem.line, problem.column);
    if (!out.empty()) out += ": ";
    if (!problem.path.empty()) out += problem.path + ": ";
    return out + problem.message;
}

std::string describe(const Problems& problems) {
    std::string out;
    for (const Problem& problem : problems) out += describe(problem) + "\n";
    return out;
}

Problem problem_of(ReadError error, std::string_view origin) {
    return {.origin = std::string{origin},
            .path = {},
            .line = error.line,
            .column = error.column,
            .code = error.code,
            .message = std::move(error.message)};
}

bool Place::refuse(Position at, Fault code, std::string message) const {
    if (!full()) {
        report_.problems.push_back({.origin = std::string{report_.origin},
                                    .path = path(),
                                    .line = at.line,
                                    .column = at.column,
                                    .code = code,
                                    .message = std::move(message)});
    }
    return false;
}

bool Place::refuse_type(const Value& value, std::string_view expected) const {
    return refuse(value, Fault::wrong_type, fmt::format("must be {}, is {}", expected, show_value(value)));
}

std::string Place::path() const {
    if (parent_ == nullptr) return {};
    std::string out = parent_->path();
    if (is_item_) return out + fmt::format("[{}]", index_);
    if (!is_simple_key(name_)) return out + "[" + show(name_) + "]";
    if (!out.empty()) out.push_back('.');
    return out.append(name_);
}

namespace detail {

Problems in_order(Report report) {
    std::ranges::sort(report.problems, {}, [](const Problem& problem) { return std::pair{problem.line, problem.column}; });
    return std::move(report.problems);
}

bool read_boolean(const Value& value, const Place& place, bool& out) {
    const bool* content = value.boolean();
    if (content == nullptr) return place.refuse_type(value, "true or false");
    out = *content;
    return true;
}

bool read_signed(const Value& value, const Place& place, std::int64_t min, std::int64_t max, std::int64_t& out) {
    const auto whole = read_whole(value, place, min < -largest_plain_integer || max > largest_plain_integer);
    if (!whole) return false;
    constexpr std::uint64_t limit = 1ULL << 63;
    if (whole->magnitude > (whole->negative ? limit : limit - 1)) return refuse_range(value, place, min, max);
    const auto number = static_cast<std::int64_t>(whole->negative ? 0 - whole->magnitude : whole->magnitude);
    if (number < min || number > max) return refuse_range(value, place, min, max);
    out = number;
    return true;
}

bool read_unsigned(const Value& value, const Place& place, std::uint64_t min, std::uint64_t max, std::uint64_t& out) {
    const auto whole = read_whole(value, place, max > plain_magnitude);
    if (!whole) return false;
    if (whole->negative || whole->magnitude < min || whole->magnitude > max) return refuse_range(value, place, min, max);
    out = whole->magnitude;
    return true;
}

bool read_real(const Value& value, const Place& place, const Field& rule, double& out) {
    if (const auto* number = value.real()) {
        out = *number;
    } else if (const auto* integer = value.integer()) {
        out = static_cast<double>(*integer);
    } else if (const auto* big = value.big_integer()) {
        out = static_cast<double>(*big);
    } else {
        return place.refuse_type(value, "a number");
    }
    const bool low = rule.min != INT64_MIN && out < static_cast<double>(rule.min);
    const bool high = rule.max != INT64_MAX && out > static_cast<double>(rule.max);
    if (!low && !high) return true;
    return place.refuse(value, Fault::out_of_range,
                        low ? fmt::format("must be at least {}, is {}", rule.min, show_value(value))
                            : fmt::format("must be at most {}, is {}", rule.max, show_value(value)));
}

bool read_string(const Value& value, const Place& place, const Field& rule, std::string& out) {
    const std::string* text = value.string();
    if (text == nullptr) {
        const bool scalar = value.array() == nullptr && value.object() == nullptr && !value.is_null();
        const std::string is = show_value(value);
        std::string message = fmt::format("must be a string, is {}", is);
        if (scalar) message += fmt::format("; write \"{}\"", is);
        return place.refuse(value, Fault::wrong_type, std::move(message));
    }
    if (!check_characters(value, place, rule, *text)) return false;
    out = *text;
    return true;
}

bool read_instant(const Value& value, const Place& place, Instant& out) {
    constexpr std::string_view expected = "an instant such as 2026-11-22T06:00:00Z";
    const std::string* text = value.string();
    if (text == nullptr) return place.refuse_type(value, expected);
    const auto instant = parse_utc(*text);
    if (!instant && text->size() >= 20 && *text > "2262-" && parse_utc("2000" + text->substr(4)))
        return place.refuse(value, Fault::out_of_range,
                            fmt::format("is {}, and the last instant that can be told is in April 2262; name an earlier one", *text));
    if (!instant) return refuse_word(value, place, *text, expected);
    out = *instant;
    return true;
}

bool read_duration(const Value& value, const Place& place, Duration& out) {
    constexpr std::string_view expected = "a length of time such as 4h30m or 90s (units d, h, m, s, ms, us, ns)";
    const std::string* text = value.string();
    if (text == nullptr) return place.refuse_type(value, expected);
    const auto length = parse_span(*text);
    if (!length) return refuse_word(value, place, *text, expected);
    out = *length;
    return true;
}

bool read_choice(const Value& value, const Place& place, std::span<const std::string_view> names, std::size_t& out) {
    const std::string* text = value.string();
    if (text != nullptr) {
        const auto found = std::ranges::find(names, std::string_view{*text});
        if (found != names.end()) {
            out = static_cast<std::size_t>(found - names.begin());
            return true;
        }
    }
    const std::string expected = fmt::format("one of {}", fmt::join(names, ", "));
    if (text == nullptr) return place.refuse_type(value, expected);
    std::string message = fmt::format("must be {}, is {}", expected, show(*text));
    if (const auto meant = nearest(*text, names)) message += fmt::format("; did you mean \"{}\"", *meant);
    return place.refuse(value, Fault::not_one_of, std::move(message));
}

namespace {

/// The fields that there are, or nothing where they were `told` of this object already.
bool refuse_unknown(const Member& member, const Place& place, std::span<const FieldInfo> fields, bool& told) {
    std::vector<std::string_view> names;
    for (const FieldInfo& field : fields) names.push_back(field.name);
    std::string message = "there is no such field";
    if (const auto meant = nearest(member.key, names)) {
        message += fmt::format("; did you mean \"{}\"", *meant);
    } else if (names.empty()) {
        message += "; this object has none";
    } else if (!std::exchange(told, true)) {
        message += fmt::format("; there are {}", fmt::join(names, ", "));
    }
    return place.field(member.key).refuse(member.at, Fault::unknown_field, std::move(message));
}

}  // namespace

bool read_fields(const Value& value, const Place& place, std::span<const FieldInfo> fields, std::span<const Value*> slots,
                 std::string_view also) {
    const Value::Object* members = value.object();
    if (members == nullptr) return place.refuse_type(value, "an object");
    bool good = true;
    bool fields_told = false;
    std::size_t next = 0;  // Documents tend to keep the order of the declaration.
    for (const Member& member : *members) {
        if (place.full()) return false;  // more problems are not told, and each costs a search for what was meant
        std::size_t i = next;
        if (i >= fields.size() || fields[i].name != member.key) {
            for (i = 0; i < fields.size() && fields[i].name != member.key; ++i) {}
        }
        if (i < fields.size()) {
            if (slots[i] != nullptr) good = refuse_repeated(member.value, place.field(member.key));
            slots[i] = &member.value;
            next = i + 1;
        } else if (member.key != also || also.empty()) {
            good = refuse_unknown(member, place, fields, fields_told);
        }
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (slots[i] != nullptr || !fields[i].required) continue;
        good = place.field(fields[i].name).refuse(value, Fault::missing_field, "is missing; this field is required");
    }
    return good;
}

bool read_tag(const Value& value, const Place& place, std::span<const std::string_view> tags, std::size_t& out) {
    if (value.object() == nullptr) return place.refuse_type(value, "an object");
    const Value* tag = value.find(tag_field);
    const Place inside = place.field(tag_field);
    if (tag == nullptr) {
        return inside.refuse(value, Fault::missing_field, fmt::format("is missing; it must be one of {}", fmt::join(tags, ", ")));
    }
    return read_choice(*tag, inside, tags, out);
}

const Value::Array* read_list(const Value& value, const Place& place, const Field& rule) {
    const Value::Array* items = value.array();
    if (items == nullptr) {
        place.refuse_type(value, "a list");
        return nullptr;
    }
    return check_length(value, place, rule, items->size(), "items") ? items : nullptr;
}

const Value::Object* read_map(const Value& value, const Place& place, const Field& rule) {
    const Value::Object* members = value.object();
    if (members == nullptr) {
        place.refuse_type(value, "an object");
        return nullptr;
    }
    return check_length(value, place, rule, members->size(), "entries") ? members : nullptr;
}

bool check_length(const Value& value, const Place& place, const Field& rule, std::size_t length, std::string_view unit) {
    if (length > rule.max_length) {
        return place.refuse(value, Fault::too_long, fmt::format("must have at most {} {}, has {}", rule.max_length, unit, length));
    }
    if (length < rule.min_length) {
        return place.refuse(value, Fault::too_short, fmt::format("must have at least {} {}, has {}", rule.min_length, unit, length));
    }
    return true;
}

bool check_characters(const Value& value, const Place& place, const Field& rule, std::string_view text) {
    if (rule.min_length == 0 && rule.max_length == SIZE_MAX) return true;
    return check_length(value, place, rule, count_characters(text), "characters");
}

bool refuse_word(const Value& value, const Place& place, std::string_view text, std::string_view expected) {
    return place.refuse(value, Fault::bad_format, fmt::format("must be {}, is {}", expected, show(text)));
}

bool refuse_key(const Member& member, const Place& place, std::string_view expected) {
    return place.refuse(member.at, Fault::bad_format, fmt::format("the key must be {}, is {}", expected, show(member.key)));
}

bool refuse_repeated(const Value& value, const Place& place) {
    return place.refuse(value, Fault::duplicate_key, "appears twice; once is enough");
}

bool check_amount(const Value& value, const Place& place, std::int64_t amount, const Field& rule, std::string_view unit) {
    if (amount >= rule.min && amount <= rule.max) return true;
    const bool low = amount < rule.min;
    return place.refuse(
        value, Fault::out_of_range,
        fmt::format("must be at {} {}{}, is {}", low ? "least" : "most", low ? rule.min : rule.max, unit, show_value(value)));
}

bool refuse_count(const Value& value, const Place& place, std::size_t count, std::size_t wanted) {
    const Fault code = count > wanted ? Fault::too_long : Fault::too_short;
    return place.refuse(value, code, fmt::format("must have {} items, has {}", wanted, count));
}

}  // namespace detail
}  // namespace weir::codec
