#include "apps/server/site_logs.hpp"

#include "adapters/site_process/log_reader.hpp"
#include "adapters/site_process/task_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

namespace weir::server {

namespace {

/// The newest generation of a job that has a folder below a site's root; 0 where there is none.
std::uint32_t newest_generation(const std::string& root, const JobId& job) {
    std::uint32_t newest = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("{}/tasks/{}", root, job.text()), error)) {
        const auto name = entry.path().filename().string();
        std::uint32_t generation = 0;
        const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), generation);
        if (failed == std::errc{} && end == name.data() + name.size()) newest = std::max(newest, generation);
    }
    return newest;
}

}  // namespace

/// Where the log lies. Of a job that has left the core the API knows neither site nor generation: then the newest that is here.
std::optional<std::string> SiteLogs::folder_of(const api::LogQuery& query) const {
    const auto path = [&](const std::string& root, std::uint32_t generation) {
        return fmt::format("{}/tasks/{}/{}/{}", root, query.job.text(), generation, query.node_rank);
    };
    if (const auto root = roots_.find(query.site); root != roots_.end()) return path(root->second, query.generation);
    if (!query.site.empty()) return std::nullopt;
    std::optional<std::string> found;
    std::uint32_t newest = 0;
    for (const auto& [site, root] : roots_) {
        const auto generation = query.generation > 0 ? query.generation : newest_generation(root, query.job);
        if (generation > newest && std::filesystem::exists(path(root, generation))) {
            newest = generation;
            found = path(root, generation);
        }
    }
    return found;
}

Result<api::LogPiece, api::LogError> SiteLogs::read(const api::LogQuery& query) {
    const auto path = folder_of(query);
    if (!path) {
        return fail(api::LogError{
            api::LogFault::unavailable,
            fmt::format(
                "the log of {} is on another machine, or its site's directory was not given to this server (--site-root), or it is gone",
                query.job.text())});
    }
    const site_process::Fd task{::open(path->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    // Asked first: a task that is over now writes nothing after the look.
    const bool over = task && site_process::is_over(task.get());
    const auto logs = task ? site_process::open_folder(task.get(), "logs") : site_process::Fd{};
    if (!logs) {
        return fail(api::LogError{api::LogFault::unknown,
                                  fmt::format("{} has printed nothing there yet, or its log is gone", query.job.text())});
    }
    const auto stream = fmt::format("{}.{}", query.local_rank, query.stream == api::LogStream::stdout_ ? "out" : "err");
    const auto chunk = site_process::read_log(logs.get(), stream, static_cast<std::int64_t>(query.offset),
                                              static_cast<std::int64_t>(query.max_bytes));
    const bool at_end = chunk.offset + std::ssize(chunk.bytes) >= chunk.end;
    return api::LogPiece{chunk.bytes, static_cast<std::uint64_t>(chunk.offset), over && at_end};
}

}  // namespace weir::server
