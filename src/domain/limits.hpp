// domain/limits.hpp: the bounds of everything a person can send, and the check of a job against them.
#pragma once

#include "base/task_limits.hpp"
#include "domain/accelerator.hpp"
#include "domain/job.hpp"
#include "domain/organisation.hpp"
#include "domain/programme.hpp"
#include "domain/site.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir {

namespace limits {
inline constexpr std::int64_t nodes_max = 4096;
inline constexpr std::int64_t cards_per_node_max = task_limits::cards_per_node_max;
inline constexpr std::int64_t processes_per_node_max = task_limits::processes_per_node_max;
inline constexpr std::size_t alternatives_max = 16;
inline constexpr std::size_t script_bytes_max = task_limits::script_bytes_max;
inline constexpr std::size_t scripts_bytes_max = task_limits::scripts_bytes_max;  ///< Of setup and run together.
inline constexpr std::size_t envs_max = task_limits::variables_max;
inline constexpr std::size_t env_bytes_max = task_limits::variable_bytes_max;    ///< Of one value.
inline constexpr std::size_t envs_bytes_max = task_limits::variables_bytes_max;  ///< Of all together.
inline constexpr std::size_t session_max = 64;            ///< Characters of the name of an agent's session.
inline constexpr std::size_t list_max = 256;              ///< after, trust, exit_codes.
inline constexpr std::size_t funding_sources_max =
    16;  ///< A job's settlement is one chain of transfers: by sources and owners of its sites.
inline constexpr std::int64_t duration_s_max = 31 * 86'400;
inline constexpr std::int64_t restarts_max = 100;
inline constexpr std::int64_t cpus_milli_max = 4'096'000;
inline constexpr std::int64_t memory_mib_max = 64LL * 1024 * 1024;
inline constexpr std::int64_t fen_max = 100'000'000'000'00;  ///< A hundred milliard yuan: no single amount is larger.
inline constexpr std::size_t title_bytes_max = 200;
inline constexpr std::size_t live_jobs_per_project_max = 1'000'000;
inline constexpr std::size_t finished_per_project_max = 1'000'000;  ///< Jobs that left and are remembered (Policy::remember).
inline constexpr std::size_t live_bytes_per_project_max = 256U << 20U;  ///< Of the texts of its live jobs: each is kept several times.
inline constexpr std::size_t nodes_per_site_max = 32'768;  ///< A report may name all anew: two events each.
inline constexpr std::size_t keys_per_project_max = 10'000; ///< Idempotency keys of requests about one project.
inline constexpr std::size_t keys_per_sender_max = 10'000;  ///< Those of one sender about no project.
inline constexpr std::size_t tokens_per_subject_max = 64;
inline constexpr std::size_t quota_lines_max = 64;
inline constexpr std::size_t organisations_max = 100'000;
inline constexpr std::size_t projects_max = 100'000;
inline constexpr std::size_t members_per_project_max = 1'000;
inline constexpr std::size_t people_max = 10'000;  ///< With a role of the network.
inline constexpr std::size_t sites_max = 10'000;
inline constexpr std::size_t models_max = 1'000;  ///< That operators add to the catalogue.
inline constexpr std::size_t model_bytes_max = 64;
inline constexpr std::int64_t figure_max = 1'000'000'000'000;
inline constexpr std::size_t programmes_max = 10'000;  ///< Each has accounts for every owner of a site.
inline constexpr std::size_t vouchers_max = 1'000'000;  ///< That are valid or remembered.
inline constexpr std::int64_t quota_milli_max = 1'000'000'000'000;  ///< A milliard cards.
}  // namespace limits

/// One thing wrong with a value: where, and what was given, allowed and advised.
struct Flaw {
    std::string path;
    std::string message;
    bool operator==(const Flaw&) const = default;
};

/// Bytes that a job's texts take: what of it can be large.
[[nodiscard]] std::size_t bytes_of(const JobSpec& spec);

/// What is wrong with a job, the catalogue included; empty where it may be submitted.
[[nodiscard]] std::vector<Flaw> flaws(const JobSpec& spec, const Catalogue& catalogue);
[[nodiscard]] std::vector<Flaw> flaws(const Organisation& organisation);
[[nodiscard]] std::vector<Flaw> flaws(const Project& project);
/// Of a model of the catalogue: each figure needs the place where it was published.
[[nodiscard]] std::vector<Flaw> flaws(const Accelerator& accelerator);
[[nodiscard]] std::vector<Flaw> flaws(const Site& site, const Catalogue& catalogue);
[[nodiscard]] std::vector<Flaw> flaws(const Node& node);
[[nodiscard]] std::vector<Flaw> flaws(const Programme& programme);

/// Whether `region` lies in `within`: equal, or a longer path below it. Everything lies within the empty region.
[[nodiscard]] bool lies_within(std::string_view region, std::string_view within);

/// Whether text is a region path: names joined by '/', at most eight of them.
[[nodiscard]] bool is_region(std::string_view text);

}  // namespace weir
