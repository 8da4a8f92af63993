// A target that is taken must be safe, and mean the same when it is written out again and read back.
#include "transport/http/target.hpp"
#include "transport/http/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace weir::http;

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_clean(std::string_view text) {
    for (const char c : text) {
        if ((c >= 0 && c < 0x20) || c == 0x7f) return false;
    }
    return is_utf8(text);
}

/// Writes a target from its decoded parts.
std::string write(const Target& target) {
    std::string out;
    for (std::size_t at = 0; at < target.path.size();) {
        const std::size_t end = std::min(target.path.find('/', at + 1), target.path.size());
        out += "/" + percent_encode(std::string_view{target.path}.substr(at + 1, end - at - 1));
        at = end;
    }
    char separator = '?';
    for (const auto& [name, value] : target.query) {
        out += separator + percent_encode(name) + "=" + percent_encode(value);
        separator = '&';
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto target = parse_target({reinterpret_cast<const char*>(data), size});
    if (!target || target->path == "*") return 0;
    require(target->path.starts_with('/') && is_clean(target->path) && target->query.size() <= max_query_items);
    const std::string closed = target->path + "/";
    for (const std::string_view climb : {"//", "/./", "/../", "\\"}) require(!std::string_view{target->path}.contains(climb));
    require(!closed.contains("/../") && !closed.contains("/./"));
    for (const auto& [name, value] : target->query) require(is_clean(name) && is_clean(value));
    const auto again = parse_target(write(*target));
    require(again.has_value() && *again == *target);
    return 0;
}
