#include "apps/client/moment.hpp"

#include "codec/text.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace weir::cli {

Result<std::string, Failure> moment_of(const Console& console, std::string_view option, const std::string& text,
                                       std::string_view otherwise) {
    if (const auto at = parse_utc(text)) return format_utc(*at);
    const auto length = codec::parse_span(text);
    if (!length || length->ns <= 0 || !checked_add(console.now().ns, length->ns)) {
        return fail(usage(fmt::format("{} is '{}' and must be a length above 0s that ends before {:.10}, such as 12h or 30d, or an "
                                      "instant such as 2027-01-01T00:00:00+08:00; without it {}",
                                      option, text, format_utc(Instant{INT64_MAX}), otherwise)));
    }
    return format_utc(console.now() + *length);
}

}  // namespace weir::cli
