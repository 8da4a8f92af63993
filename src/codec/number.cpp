#include "codec/number.hpp"

#include "codec/text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace weir::codec {
namespace {

constexpr std::size_t most_digits_of_64_bits = 20;

std::size_t digits_at(std::string_view text, std::size_t from) {
    std::size_t end = from;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    return end - from;
}

/// A decimal: digits times ten to the exponent, without leading or trailing zeros in the digits.
struct Decimal {
    bool negative = false;
    bool has_point_or_exponent = false;
    std::string digits;
    std::int64_t exponent = 0;
};

std::optional<Decimal> take_apart(std::string_view text) {
    Decimal number;
    std::size_t at = 0;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) number.negative = text[at++] == '-';
    const std::size_t whole = digits_at(text, at);
    number.digits.assign(text.substr(at, whole));
    at += whole;
    if (at < text.size() && text[at] == '.') {
        number.has_point_or_exponent = true;
        const std::size_t part = digits_at(text, ++at);
        if (whole == 0 && part == 0) return std::nullopt;
        number.digits.append(text.substr(at, part));
        number.exponent -= static_cast<std::int64_t>(part);
        at += part;
    } else if (whole == 0) {
        return std::nullopt;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        number.has_point_or_exponent = true;
        ++at;
        bool down = false;
        if (at < text.size() && (text[at] == '-' || text[at] == '+')) down = text[at++] == '-';
        const std::size_t length = digits_at(text, at);
        if (length == 0) return std::nullopt;
        std::int64_t power = 0;
        for (const char c : text.substr(at, length)) power = std::min<std::int64_t>(power * 10 + (c - '0'), 1'000'000'000);
        number.exponent += down ? -power : power;
        at += length;
    }
    if (at != text.size()) return std::nullopt;
    while (!number.digits.empty() && number.digits.back() == '0') {
        number.digits.pop_back();
        ++number.exponent;
    }
    number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size()));
    return number;
}

/// The magnitude where it is an integer below 2^64.
std::optional<std::uint64_t> integral(const Decimal& number) {
    if (number.exponent < 0) return std::nullopt;
    if (number.digits.size() + static_cast<std::size_t>(number.exponent) > most_digits_of_64_bits) return std::nullopt;
    std::string digits = number.digits;
    digits.append(static_cast<std::size_t>(number.exponent), '0');
    std::uint64_t magnitude = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), magnitude).ec != std::errc{}) return std::nullopt;
    return magnitude;
}

std::optional<Value> as_integer(bool negative, std::uint64_t magnitude, Position at) {
    if (!negative) return Value{magnitude, at};
    if (magnitude == 0) return Value{-0.0, at};
    constexpr std::uint64_t lowest = 1ULL << 63;
    if (magnitude > lowest) return std::nullopt;
    return Value{static_cast<std::int64_t>(0 - magnitude), at};
}

/// The usual case, without taking the number apart: an integer of at most 18 digits.
std::optional<Value> short_integer(std::string_view text, Position at) {
    const bool negative = text.starts_with('-');
    const std::string_view digits = text.substr(negative ? 1 : 0);
    if (digits.empty() || digits.size() > 18) return std::nullopt;
    std::int64_t number = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + (c - '0');
    }
    if (negative && number == 0) return std::nullopt;
    return Value{negative ? -number : number, at};
}

}  // namespace

std::string describe_number(NumberError error, std::string_view spelling) {
    switch (error) {
        case NumberError::not_a_number: return fmt::format("{} is not a number", show(spelling));
        case NumberError::too_big: return fmt::format("the number {} does not fit in 64 bits; quote it if it is text", show(spelling));
        case NumberError::too_small: return fmt::format("the number {} is too near to zero for 64 bits; write 0", show(spelling));
    }
    return {};
}

std::size_t json_number_length(std::string_view text) {
    std::size_t at = text.starts_with('-') ? 1 : 0;
    const std::size_t whole = digits_at(text, at);
    if (whole == 0) return 0;
    at += text[at] == '0' ? 1 : whole;
    if (at < text.size() && text[at] == '.') {
        const std::size_t part = digits_at(text, at + 1);
        if (part == 0) return 0;
        at += 1 + part;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        std::size_t after = at + 1;
        if (after < text.size() && (text[after] == '+' || text[after] == '-')) ++after;
        const std::size_t power = digits_at(text, after);
        if (power == 0) return 0;
        at = after + power;
    }
    return at;
}

Result<Value, NumberError> parse_number(std::string_view text, Position at) {
    if (auto value = short_integer(text, at)) return std::move(*value);
    const auto number = take_apart(text);
    if (!number) return fail(NumberError::not_a_number);
    if (number->digits.empty()) return number->negative ? Value{-0.0, at} : Value{std::int64_t{0}, at};
    const auto magnitude = integral(*number);
    if (magnitude && (!number->has_point_or_exponent || *magnitude <= static_cast<std::uint64_t>(largest_plain_integer))) {
        if (auto value = as_integer(number->negative, *magnitude, at)) return std::move(*value);
    }
    if (!number->has_point_or_exponent) return fail(NumberError::too_big);
    const std::string plain = (number->negative ? "-" : "") + number->digits + "e" + std::to_string(number->exponent);
    double real = 0;
    const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), real);
    if (error != std::errc{} || end != plain.data() + plain.size()) {
        const std::int64_t digits_before_point = static_cast<std::int64_t>(number->digits.size()) + number->exponent;
        return fail(digits_before_point > 0 ? NumberError::too_big : NumberError::too_small);
    }
    if (!std::isfinite(real)) return fail(NumberError::too_big);
    return Value{real, at};
}

}  // namespace weir::codec
