// apps/shipped/shipped.hpp: where the files are that come with the programs: the catalogue, the examples.
//
// Every program looks at the same places in the same order, so that one command line means one thing: beside the program, in the share
// folder of an installation, in the checkout that it was built in.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::apps {

/// The folder of the program that runs.
[[nodiscard]] std::string program_folder();

/// The folders that may hold shipped files for a program of this folder, the first choice first.
[[nodiscard]] std::vector<std::string> shipped_places(const std::string& program_folder);

/// The first of the places that holds `file`, such as catalogue/accelerators.yaml. The error names every place that was looked at, and
/// `option`, with which the file can be named.
[[nodiscard]] Result<std::string, std::string> find_shipped(const std::string& program_folder, std::string_view file,
                                                            std::string_view option);

inline constexpr std::string_view shipped_catalogue = "catalogue/accelerators.yaml";

/// The catalogue that `named` is, or where that is empty the shipped one.
[[nodiscard]] Result<std::string, std::string> catalogue_path(const std::string& named);

}  // namespace weir::apps
