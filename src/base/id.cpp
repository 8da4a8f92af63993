#include "base/id.hpp"

#include <array>

namespace weir {
namespace {

constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t uid_length = 26;  // 130 bits; the first character holds only three of the 128.

constexpr std::array<std::int8_t, 256> decode_table = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return table;
}();

}  // namespace

Uid make_uid(Instant at, std::uint64_t chance_high, std::uint64_t chance_low) {
    const auto ms = static_cast<std::uint64_t>(at.ns / 1'000'000);
    return {(ms << 16) | (chance_high & 0xFFFF), chance_low};
}

Instant time_of(Uid uid) {
    const auto ms = static_cast<std::int64_t>(uid.high >> 16);
    return {ms > INT64_MAX / 1'000'000 ? INT64_MAX : ms * 1'000'000};
}

std::string format_uid(Uid uid) {
    std::string text(uid_length, '0');
    // In words of 60 bits, which are 12 characters each: shifts of 128 bits took most of the time of printing a journal.
    constexpr std::uint64_t sixty = (std::uint64_t{1} << 60) - 1;
    std::size_t i = uid_length;
    for (std::uint64_t bits : {uid.low & sixty, (uid.high << 4 | uid.low >> 60) & sixty, uid.high >> 56}) {
        for (const std::size_t end = i < 12 ? 0 : i - 12; i > end; bits >>= 5) text[--i] = alphabet[bits & 31];
    }
    return text;
}

std::optional<Uid> parse_uid(std::string_view text) {
    if (text.size() != uid_length || text[0] > '7') return std::nullopt;
    __extension__ using Wide = unsigned __int128;
    Wide bits = 0;
    for (const char c : text) {
        const auto value = decode_table[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = (bits << 5) | static_cast<Wide>(value);
    }
    return Uid{static_cast<std::uint64_t>(bits >> 64), static_cast<std::uint64_t>(bits)};
}

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > 63) return false;
    const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (!alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
    for (const char c : text) {
        if (!alphanumeric(c) && c != '-' && c != '.') return false;
    }
    return text.find("..") == std::string_view::npos;
}

}  // namespace weir
