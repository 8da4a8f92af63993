// apps/client/job_file.hpp: a job file, checked before anything is sent.
#pragma once

#include "apps/client/session.hpp"
#include "apps/client/source.hpp"
#include "domain/job.hpp"

#include <string>

namespace weir::cli {

struct JobFile {
    Source source;
    JobSpec spec;
    std::string workdir;  ///< The folder to be packed, as a path from here; empty: none, or a tree that the project keeps already.
};

/// Reads the file by the domain's types; every problem is named with file, line and field. `funding` replaces the file's unless empty.
[[nodiscard]] Result<JobFile, Failure> read_job_file(const Console& console, const std::string& path,
                                                     const std::vector<std::string>& funding);

/// Checks the job against the limits and the models of an answer of /v1/catalog.
[[nodiscard]] Done check_job(const JobFile& job, const codec::Value& catalogue);

}  // namespace weir::cli
