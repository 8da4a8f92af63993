// supervisor/text.hpp: lines of text in a fixed room, and numbers out of them, without the heap.
//
// The supervisor is a small static program: it allocates nothing and links no stream. What does not fit is cut off and
// remembered, so a caller that needs the whole text asks overflowed().
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace weir::supervisor {

/// Builds a NUL-terminated text in `room`, which outlives it and holds at least one byte.
class TextBuffer {
public:
    explicit TextBuffer(std::span<char> room) : room_(room) { room_.front() = '\0'; }

    TextBuffer& add(std::string_view text) {
        const std::size_t left = room_.size() - 1 - size_;
        overflowed_ = overflowed_ || text.size() > left;
        const std::size_t taken = text.size() < left ? text.size() : left;
        if (taken > 0) std::memcpy(room_.data() + size_, text.data(), taken);
        size_ += taken;
        room_[size_] = '\0';
        return *this;
    }

    TextBuffer& add(std::int64_t number) {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        return add(std::string_view{digits, static_cast<std::size_t>(end - digits)});
    }

    /// `number` >= 0 with leading zeros, `width` digits (at most 20).
    TextBuffer& add_padded(std::int64_t number, std::size_t width) {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
        for (auto have = static_cast<std::size_t>(end - digits); have < width; ++have) add("0");
        return add(std::string_view{digits, static_cast<std::size_t>(end - digits)});
    }

    [[nodiscard]] std::string_view view() const { return {room_.data(), size_}; }
    [[nodiscard]] const char* c_str() const { return room_.data(); }
    [[nodiscard]] bool overflowed() const { return overflowed_; }

private:
    std::span<char> room_;
    std::size_t size_ = 0;
    bool overflowed_ = false;
};

/// The whole of `text` as a decimal number without sign or with '-'; nothing for anything else.
[[nodiscard]] inline std::optional<std::int64_t> parse_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

/// Cuts the first line (without its end) off `rest`; nothing where no '\n' is left.
[[nodiscard]] inline std::optional<std::string_view> take_line(std::string_view& rest) {
    const auto* end = rest.empty() ? nullptr : static_cast<const char*>(std::memchr(rest.data(), '\n', rest.size()));
    if (end == nullptr) return std::nullopt;
    const auto length = static_cast<std::size_t>(end - rest.data());
    const std::string_view line{rest.data(), length};
    rest.remove_prefix(length + 1);
    return line;
}

/// Cuts `text` at the first `separator`: what stands before it; `text` keeps what follows, nothing where there is none.
[[nodiscard]] inline std::string_view take_until(std::string_view& text, char separator) {
    const auto* at = text.empty() ? nullptr : static_cast<const char*>(std::memchr(text.data(), separator, text.size()));
    const auto length = at == nullptr ? text.size() : static_cast<std::size_t>(at - text.data());
    const std::string_view head{text.data(), length};
    text.remove_prefix(at == nullptr ? length : length + 1);
    return head;
}

/// Copies into a fixed array, cut off where it does not fit.
template <std::size_t Size>
void copy_text(char (&into)[Size], std::string_view text) {
    const std::size_t taken = text.size() < Size - 1 ? text.size() : Size - 1;
    if (taken > 0) std::memcpy(into, text.data(), taken);
    into[taken] = '\0';
}

}  // namespace weir::supervisor
