// apps/client/source.hpp: a file that a person wrote, and where in it a refused field stands.
#pragma once

#include "apps/client/console.hpp"
#include "apps/client/failure.hpp"
#include "codec/value.hpp"

#include <string>
#include <string_view>

namespace weir::cli {

struct Source {
    std::string origin;  ///< The path, or "standard input".
    codec::Value value;
};

/// Reads YAML, or JSON where the name ends so or the text begins with a brace. "-" is standard input.
[[nodiscard]] Result<Source, Failure> read_source(const Console& console, const std::string& path);

/// Where the field of a path like `resources.accelerators[0].model` is written, or the nearest part of it above.
[[nodiscard]] codec::Position place_of(const codec::Value& value, std::string_view path);

/// The server's refusal of a field, with the file, line and column in front.
[[nodiscard]] Failure placed(const Source& source, Failure failure);

}  // namespace weir::cli
