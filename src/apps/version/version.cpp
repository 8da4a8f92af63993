#include "apps/version/version.hpp"

namespace weir {

std::string_view release() { return WEIR_RELEASE; }

std::string_view version() {
    constexpr std::string_view commit = WEIR_COMMIT;
    return commit.empty() ? std::string_view{WEIR_RELEASE} : std::string_view{WEIR_RELEASE "+" WEIR_COMMIT};
}

}  // namespace weir
