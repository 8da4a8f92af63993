// apps/client/job_text.hpp: a job's answer in words.
#pragma once

#include "apps/client/console.hpp"
#include "codec/value.hpp"

#include <string>

namespace weir::cli {

/// `running at pidu-core on H800 (emulated)`, `failed: exit_code 3`.
/// Whether the job has ended.
[[nodiscard]] bool is_over(const codec::Value& job);
[[nodiscard]] std::string standing_text(const codec::Value& job);
/// The whole of a JobDetail, without its id in the first line's column.
[[nodiscard]] std::string detail_text(const Console& console, const codec::Value& job, const std::string& after);
/// The whole of a BillView.
[[nodiscard]] std::string bill_text(const Console& console, const codec::Value& bill);

}  // namespace weir::cli
