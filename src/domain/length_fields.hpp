// domain/length_fields.hpp: which members of a job's document are lengths of time that people write with a unit?
#pragma once

#include <array>
#include <string_view>

namespace weir {

inline constexpr std::array<std::string_view, 6> job_length_fields{"max_duration", "estimated_duration", "retry.backoff",
                                                                   "checkpoint.interval", "outputs.keep", "outputs.retention"};

}  // namespace weir
