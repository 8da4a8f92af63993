// apps/version/version.hpp: which program is this?
//
// One text for `--version`, the API's document, /healthz, /metrics and the journal. The release is CMakeLists.txt's; the commit behind it
// is that of the tree when the build was configured, and absent where that was no git checkout.
#pragma once

#include <string_view>

namespace weir {

/// `0.3.0`
[[nodiscard]] std::string_view release();
/// `0.3.0+5931b0c54e2f`, or the release alone: semantic versioning with the commit as build metadata.
[[nodiscard]] std::string_view version();

}  // namespace weir
