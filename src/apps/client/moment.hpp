// apps/client/moment.hpp: a moment as people say it on the command line: a length from now, or an instant.
#pragma once

#include "apps/client/session.hpp"

#include <string>
#include <string_view>

namespace weir::cli {

/// The instant of `30d` from now, or of an instant with its zone, in UTC. `option` is named in the error, and `otherwise` says what leaving
/// it out means.
[[nodiscard]] Result<std::string, Failure> moment_of(const Console& console, std::string_view option, const std::string& text,
                                                     std::string_view otherwise);

}  // namespace weir::cli
