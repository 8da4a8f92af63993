// apps/server/settings.hpp: the operator's files: policy and catalogue.
#pragma once

#include "base/result.hpp"
#include "control/core/core.hpp"

#include <string>

namespace weir::server {

/// The accelerator catalogue of a YAML file; the error names file, line and field.
[[nodiscard]] Result<Catalogue, std::string> read_catalogue(const std::string& path);

/// A policy file; what it does not name keeps its default.
[[nodiscard]] Result<control::Policy, std::string> read_policy(const std::string& path);

}  // namespace weir::server
