#include "transport/http/headers.hpp"

#include <algorithm>

namespace weir::http {
namespace {

constexpr bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f'; }

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

void append_value(std::string& out, std::string_view value) {
    const std::size_t from = out.size();
    out += value;
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), is_control, ' ');
}

void Headers::add(std::string_view name, std::string_view value) {
    if (entries_.empty()) {
        text_.reserve(512);
        entries_.reserve(8);
    }
    entries_.push_back({.begin = static_cast<std::uint32_t>(text_.size()),
                        .name_size = static_cast<std::uint32_t>(name.size()),
                        .value_size = static_cast<std::uint32_t>(value.size())});
    text_.append(name);
    append_value(text_, value);
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const Field field = (*this)[i];
        if (same_name(field.name, name)) return field.value;
    }
    return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
    std::size_t found = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) found += same_name((*this)[i].name, name) ? 1 : 0;
    return found;
}

Headers::Field Headers::operator[](std::size_t index) const {
    const Entry& entry = entries_[index];
    const std::string_view text = text_;
    return {.name = text.substr(entry.begin, entry.name_size), .value = text.substr(entry.begin + entry.name_size, entry.value_size)};
}

void Headers::clear() {
    text_.clear();
    entries_.clear();
}

}  // namespace weir::http
