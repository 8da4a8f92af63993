#include "apps/shipped/shipped.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

namespace weir::apps {

namespace fs = std::filesystem;

std::string program_folder() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

std::vector<std::string> shipped_places(const std::string& program_folder) {
    std::vector<std::string> places;
    // Beside the program; PREFIX/bin and PREFIX/share/weir; CHECKOUT/build/PRESET/bin and CHECKOUT.
    for (const auto* way : {".", "../share/weir", "../../.."}) {
        auto place = (fs::path{program_folder} / way).lexically_normal().string();
        if (place.size() > 1 && place.ends_with('/')) place.pop_back();
        places.push_back(std::move(place));
    }
    return places;
}

Result<std::string, std::string> find_shipped(const std::string& program_folder, std::string_view file, std::string_view option) {
    const auto places = shipped_places(program_folder);
    for (const auto& place : places) {
        std::error_code error;
        if (fs::is_regular_file(fs::path{place} / file, error)) return place;
    }
    return fail(fmt::format("{} is in none of {}; name it with {}", file, fmt::join(places, ", "), option));
}

Result<std::string, std::string> catalogue_path(const std::string& named) {
    if (!named.empty()) return named;
    return WEIR_TRY(find_shipped(program_folder(), shipped_catalogue, "--catalogue FILE")) + "/" + std::string{shipped_catalogue};
}

}  // namespace weir::apps
