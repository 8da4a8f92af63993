#include "transport/http/target.hpp"

#include "transport/http/headers.hpp"
#include "transport/http/utf8.hpp"

#include <optional>

namespace weir::http {
namespace {

enum class Part : std::uint8_t { path = 1, query = 2 };

constexpr bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// RFC 3986 pchar for paths; in queries every visible ASCII character but '#', as browsers send them.
constexpr bool may_stand(char c, Part part) {
    if (is_alnum(c)) return true;
    if (part == Part::query) return c > ' ' && c < '\x7f' && c != '#';
    return std::string_view{"-._~!$&'()*+,;=:@"}.contains(c);
}

constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_text(std::string_view text) {
    bool ascii = true;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) return false;
        ascii = ascii && byte < 0x80;
    }
    return ascii || is_utf8(text);
}

/// Appends the decoded form of `raw` to `out`.
Result<void, TargetFault> decode(std::string_view raw, Part part, std::string& out) {
    const std::size_t from = out.size();
    bool escaped = false;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '%') {
            const int high = i + 2 < raw.size() ? hex_value(raw[i + 1]) : -1;
            const int low = i + 2 < raw.size() ? hex_value(raw[i + 2]) : -1;
            if (high < 0 || low < 0) return fail(TargetFault::bad_escape);
            out.push_back(static_cast<char>(high * 16 + low));
            escaped = true;
            i += 2;
        } else if (!may_stand(raw[i], part)) {
            return fail(TargetFault::bad_character);
        } else {
            out.push_back(part == Part::query && raw[i] == '+' ? ' ' : raw[i]);
        }
    }
    if (escaped && !is_text(std::string_view{out}.substr(from))) return fail(TargetFault::bad_text);
    return {};
}

Result<std::string, TargetFault> decode_path(std::string_view raw) {
    std::string path;
    path.reserve(raw.size());
    std::size_t at = 0;
    while (at < raw.size()) {
        const std::size_t end = std::min(raw.find('/', at + 1), raw.size());
        const std::string_view segment = raw.substr(at + 1, end - at - 1);
        if (segment.empty() && end < raw.size()) return fail(TargetFault::empty_segment);
        path.push_back('/');
        const std::size_t from = path.size();
        WEIR_CHECK(decode(segment, Part::path, path));
        const std::string_view decoded = std::string_view{path}.substr(from);
        if (decoded == "." || decoded == ".." || decoded.contains('/') || decoded.contains('\\')) return fail(TargetFault::path_escape);
        at = end;
    }
    return path;
}

Result<std::vector<QueryItem>, TargetFault> decode_query(std::string_view raw) {
    std::vector<QueryItem> items;
    while (!raw.empty()) {
        const std::size_t end = std::min(raw.find('&'), raw.size());
        const std::string_view item = raw.substr(0, end);
        raw.remove_prefix(std::min(end + 1, raw.size()));
        if (item.empty()) continue;
        if (items.size() == max_query_items) return fail(TargetFault::too_many_parameters);
        const std::size_t equals = std::min(item.find('='), item.size());
        QueryItem& decoded = items.emplace_back();
        WEIR_CHECK(decode(item.substr(0, equals), Part::query, decoded.name));
        WEIR_CHECK(decode(item.substr(std::min(equals + 1, item.size())), Part::query, decoded.value));
    }
    return items;
}

/// The part of an absolute form after its authority, or nothing where `raw` is no absolute form.
std::optional<std::string_view> after_authority(std::string_view raw) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (raw.size() <= scheme.size() || !same_name(raw.substr(0, scheme.size()), scheme)) continue;
        raw.remove_prefix(scheme.size());
        const std::size_t end = raw.find_first_of("/?#");
        if (end == 0) return std::nullopt;
        return end == std::string_view::npos ? std::string_view{"/"} : raw.substr(end);
    }
    return std::nullopt;
}

}  // namespace

std::string_view describe(TargetFault fault) {
    switch (fault) {
        case TargetFault::not_absolute: return "the request target must start with '/'";
        case TargetFault::bad_character: return "the request target holds a character that must be percent-encoded";
        case TargetFault::bad_escape: return "'%' in the request target must be followed by two hexadecimal digits";
        case TargetFault::bad_text: return "the request target must decode to UTF-8 without control characters";
        case TargetFault::path_escape: return "a path segment must not be '.' or '..', nor hold an encoded '/' or backslash";
        case TargetFault::empty_segment: return "the path must not hold '//'";
        case TargetFault::too_many_parameters: return "the query must hold at most 64 parameters";
    }
    return "the request target cannot be read";
}

Result<Target, TargetFault> parse_target(std::string_view raw) {
    if (raw == "*") return Target{.path = "*", .query = {}};
    if (!raw.starts_with('/')) {
        const auto rest = after_authority(raw);
        if (!rest) return fail(TargetFault::not_absolute);
        raw = *rest;
    }
    const std::size_t mark = std::min(raw.find('?'), raw.size());
    const std::string_view path = mark == 0 ? std::string_view{"/"} : raw.substr(0, mark);
    if (!path.starts_with('/')) return fail(TargetFault::bad_character);
    Target target;
    target.path = WEIR_TRY(decode_path(path));
    target.query = WEIR_TRY(decode_query(raw.substr(std::min(mark + 1, raw.size()))));
    return target;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_alnum(c) || std::string_view{"-._~"}.contains(c)) {
            out.push_back(c);
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out.push_back('%');
            out.push_back(digits[byte >> 4U]);
            out.push_back(digits[byte & 15U]);
        }
    }
    return out;
}

}  // namespace weir::http
