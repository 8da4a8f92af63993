// apps/client/job_id.hpp: which job is meant by a part of its id?
#pragma once

#include "apps/client/session.hpp"

#include <string>
#include <string_view>

namespace weir::cli {

/// Fewer characters than this are not taken for a part of an id.
inline constexpr std::size_t part_of_id_min = 6;

/// Whether the id, or what follows its `job-`, begins or ends with the part.
[[nodiscard]] bool matches_id(std::string_view id, std::string_view part);

/// The id itself where it is whole; otherwise the one job among the newest that one may see whose id has the part that is written,
/// or the end of it where it is written as a narrow table cuts it.
[[nodiscard]] Result<std::string, Failure> resolve_job(Session& session, const std::string& written);

}  // namespace weir::cli
