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
    __extension__ using Wide = unsigned __int128;
    Wide bits = (static_cast<Wide>(uid.high) << 64) | uid.low;
    for (std::size_t i = uid_length; i-- > 0; bits >>= 5) text[i] = alphabet[static_cast<std::size_t>(bits & 31)];
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
