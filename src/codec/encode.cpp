#include "codec/encode.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace weir::codec {

void detail::no_such_enumerator(std::string_view first_enumerator, std::int64_t value) {
    fmt::print(stderr, "weir: the value {} of the enum of '{}' has no name and cannot be written; this is a bug\n", value,
               first_enumerator);
    std::abort();
}

namespace {

/// The length of the string at the front of `json`, both quotes included.
std::size_t string_length(std::string_view json) {
    std::size_t i = 1;
    while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
    return std::min(i + 1, json.size());
}

}  // namespace

void append_indented(std::string_view json, std::string& out) {
    std::size_t level = 0;
    const auto new_line = [&] {
        out.push_back('\n');
        out.append(2 * level, ' ');
    };
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (c == '"') {
            const std::size_t length = string_length(json.substr(i));
            out += json.substr(i, length);
            i += length - 1;
        } else if ((c == '{' || c == '[') && i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
            out += json.substr(i++, 2);
        } else if (c == '{' || c == '[') {
            out.push_back(c);
            ++level;
            new_line();
        } else if (c == '}' || c == ']') {
            --level;
            new_line();
            out.push_back(c);
        } else if (c == ',') {
            out.push_back(c);
            new_line();
        } else if (c == ':') {
            out += ": ";
        } else {
            out.push_back(c);
        }
    }
    out.push_back('\n');
}

}  // namespace weir::codec
