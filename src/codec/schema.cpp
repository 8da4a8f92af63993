#include "codec/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace weir::codec::detail {
namespace {

constexpr std::uint64_t plain_magnitude = static_cast<std::uint64_t>(largest_plain_integer);

/// A regular expression, without anchors, of the decimal numbers from `low` to `high`; both have as many digits.
std::string same_length_range(const std::string& low, const std::string& high) {
    const auto digit_range = [](char a, char b) { return a == b ? std::string{a} : fmt::format("[{}-{}]", a, b); };
    const auto any = [](std::size_t count) { return count == 0 ? std::string{} : fmt::format("[0-9]{{{}}}", count); };
    if (low == high) return low;
    std::size_t shared = 0;
    while (low[shared] == high[shared]) ++shared;
    const std::string prefix = low.substr(0, shared);
    const std::size_t rest = low.size() - shared - 1;
    const bool low_is_floor = low.find_first_not_of('0', shared + 1) == std::string::npos;
    const bool high_is_ceiling = high.find_first_not_of('9', shared + 1) == std::string::npos;
    std::vector<std::string> parts;
    char from = low[shared];
    char to = high[shared];
    if (!low_is_floor) {
        parts.push_back(from + same_length_range(low.substr(shared + 1), std::string(rest, '9')));
        ++from;
    }
    if (!high_is_ceiling) --to;
    if (from <= to) parts.push_back(digit_range(from, to) + any(rest));
    if (!high_is_ceiling) parts.push_back(high[shared] + same_length_range(std::string(rest, '0'), high.substr(shared + 1)));
    if (parts.size() == 1) return prefix + parts[0];
    return fmt::format("{}({})", prefix, fmt::join(parts, "|"));
}

std::string decimal_range(std::uint64_t low, std::uint64_t high) {
    std::vector<std::string> parts;
    while (true) {
        const std::string from = std::to_string(low);
        const std::string to = std::to_string(high);
        if (from.size() == to.size()) {
            parts.push_back(same_length_range(from, to));
            break;
        }
        const std::string nines(from.size(), '9');
        parts.push_back(same_length_range(from, nines));
        low = std::stoull(nines) + 1;
    }
    return fmt::format("({})", fmt::join(parts, "|"));
}

/// The strings from `low` to `high`, both beyond 2^53 and of one sign.
std::string string_range(std::string_view sign, std::uint64_t low, std::uint64_t high) {
    return std::string{sign} + decimal_range(low, high);
}

std::string number_form(const std::string& min, const std::string& max) {
    return fmt::format(R"({{"type":"integer","minimum":{},"maximum":{}}})", min, max);
}

std::string either_form(const std::string& number, const std::vector<std::string>& strings) {
    if (strings.empty()) return number;
    return fmt::format(R"({{"anyOf":[{},{{"type":"string","pattern":"^({})$"}}]}})", number, fmt::join(strings, "|"));
}

}  // namespace

void append_lengths(std::string& out, const Field& rule, std::string_view minimum, std::string_view maximum) {
    if (rule.min_length != 0) out += fmt::format(",\"{}\":{}", minimum, rule.min_length);
    if (rule.max_length != SIZE_MAX) out += fmt::format(",\"{}\":{}", maximum, rule.max_length);
}

std::string with_description(std::string schema, std::string_view doc) {
    if (doc.empty()) return schema;
    if (schema.starts_with("{\"description\"")) schema = "{\"allOf\":[" + schema + "]}";
    std::string out = "{\"description\":";
    append_quoted(out, doc);
    if (schema != "{}") out.push_back(',');
    return out.append(schema, 1);
}

std::string integer_schema(std::int64_t min, std::int64_t max) {
    std::vector<std::string> strings;
    if (min < -largest_plain_integer) {
        const std::uint64_t low = std::max(plain_magnitude + 1, max < 0 ? 0 - static_cast<std::uint64_t>(max) : 0);
        strings.push_back(string_range("-", low, 0 - static_cast<std::uint64_t>(min)));
    }
    if (max > largest_plain_integer) {
        const std::uint64_t low = std::max(plain_magnitude + 1, min > 0 ? static_cast<std::uint64_t>(min) : 0);
        strings.push_back(string_range("", low, static_cast<std::uint64_t>(max)));
    }
    return either_form(number_form(std::to_string(min), std::to_string(max)), strings);
}

std::string unsigned_schema(std::uint64_t min, std::uint64_t max) {
    std::vector<std::string> strings;
    if (max > plain_magnitude) strings.push_back(string_range("", std::max(plain_magnitude + 1, min), max));
    return either_form(number_form(std::to_string(min), std::to_string(max)), strings);
}

std::string real_schema(const Field& rule) {
    std::string out = R"({"type":"number")";
    if (rule.min != INT64_MIN) out += fmt::format(",\"minimum\":{}", rule.min);
    if (rule.max != INT64_MAX) out += fmt::format(",\"maximum\":{}", rule.max);
    return out + "}";
}

std::string string_schema(const Field& rule, std::string_view pattern) {
    std::string out = R"({"type":"string")";
    if (!pattern.empty()) {
        out += ",\"pattern\":";
        append_quoted(out, pattern);
    }
    append_lengths(out, rule, "minLength", "maxLength");
    return out + "}";
}

std::string enum_schema(std::span<const std::string_view> names) {
    std::string out = R"({"type":"string","enum":[)";
    for (const std::string_view name : names) {
        if (!out.ends_with('[')) out.push_back(',');
        append_quoted(out, name);
    }
    return out + "]}";
}

std::string instant_schema() {
    return R"({"type":"string","format":"date-time","pattern":"^(167[89]|16[89][0-9]|1[7-9][0-9]{2}|2[01][0-9]{2}|22[0-5][0-9]|226[01])-)"
           R"((0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?)"
           R"(([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"})";
}

std::string duration_schema() {
    return R"({"type":"string","pattern":"^-?(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?([0-9]+us)?([0-9]+ns)?$",)"
           R"("examples":["4h30m"]})";
}

std::string definition_name(std::string_view spelled) {
    std::string out;
    for (std::size_t i = 0; i < spelled.size();) {
        const std::string_view rest = spelled.substr(i);
        std::size_t skip = 0;
        for (const std::string_view noise : {"(anonymous namespace)::", "weir::", "struct ", "class "}) {
            if (rest.starts_with(noise)) skip = noise.size();
        }
        if (skip != 0) {
            i += skip;
        } else if (rest.starts_with("::")) {
            out.push_back('.');
            i += 2;
        } else {
            const char c = spelled[i++];
            const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (plain) {
                out.push_back(c);
            } else if (!out.empty() && out.back() != '_' && c != '>') {
                out.push_back('_');
            }
        }
    }
    return out;
}

std::string standalone(std::string root, const std::map<std::string, std::string>& definitions) {
    std::string out = R"({"$schema":"https://json-schema.org/draft/2020-12/schema",)" + root.substr(1);
    if (definitions.empty()) return out;
    out.pop_back();
    out += ",\"$defs\":{";
    bool first = true;
    for (const auto& [name, schema] : definitions) {
        if (!first) out.push_back(',');
        first = false;
        append_quoted(out, name);
        out.push_back(':');
        out += schema;
    }
    return out + "}}";
}

}  // namespace weir::codec::detail
