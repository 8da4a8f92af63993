#include "apps/client/characters.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

bool is_control(std::uint32_t code) {
    const bool turns = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || turns;
}

/// Bytes of the UTF-8 sequence that this byte begins; 0: it begins none.
std::size_t length_of(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first < 0xE0) return 2;
    if (first >= 0xE0 && first < 0xF0) return 3;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

bool is_overlong_or_beyond(std::uint32_t code, std::size_t bytes) {
    return (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000) || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000);
}

std::string spelled(const Character& one) {
    if (one.kind != Character::Kind::control || one.code < 0x80) return fmt::format("\\x{:02x}", one.code);
    return fmt::format("\\u{:04x}", one.code);
}

}  // namespace

Character character_of(std::string_view text) {
    using enum Character::Kind;
    const auto first = static_cast<unsigned char>(text.front());
    const auto bytes = length_of(first);
    if (bytes == 0) return {bad, 1, first};
    std::uint32_t code = bytes == 1 ? first : first & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        if (i == text.size()) return {incomplete, text.size(), first};
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xC0U) != 0x80U) return {bad, 1, first};
        code = code << 6U | (next & 0x3FU);
    }
    if (is_overlong_or_beyond(code, bytes)) return {bad, 1, first};
    return {is_control(code) ? control : plain, bytes, code};
}

std::string TerminalText::take(std::string_view bytes) {
    auto all = std::move(waiting_);
    all += bytes;
    waiting_.clear();
    std::string out;
    std::string_view left = all;
    while (!left.empty()) {
        const auto one = character_of(left);
        // A carriage return may be half of a line end whose other half comes next.
        if (one.kind == Character::Kind::incomplete || left == "\r") {
            waiting_ = left;
            return out;
        }
        const auto text = left.substr(0, one.bytes);
        left.remove_prefix(one.bytes);
        if (one.kind == Character::Kind::plain || one.code == '\n' || one.code == '\t') {
            out += text;
        } else if (one.code == '\r') {
            if (left.front() != '\n') out += '\n';
        } else {
            out += spelled(one);
        }
    }
    return out;
}

std::string TerminalText::rest() {
    std::string out;
    for (const char byte : waiting_) out += byte == '\r' ? "\n" : fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    waiting_.clear();
    return out;
}

}  // namespace weir::cli
