#include "apps/server/site_logs.hpp"

#include "adapters/task_files/log_reader.hpp"
#include "adapters/task_files/task_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::server {

namespace {

using task_files::Fd;

/// The operator named it, so links on the way to it are his. All below it is the site's own: nothing there is trusted to be no link.
Fd open_root(const std::string& path) { return Fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}; }

/// The newest generation of a job that has a folder below a site's root; 0 where there is none.
std::uint32_t newest_generation(int root, const JobId& job) {
    std::uint32_t newest = 0;
    const auto folder = task_files::open_folder(root, fmt::format("{}/{}", task_files::tasks_folder, job.text()));
    for (const auto& name : task_files::list_folder(folder.get())) {
        std::uint32_t generation = 0;
        const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), generation);
        if (failed == std::errc{} && end == name.data() + name.size()) newest = std::max(newest, generation);
    }
    return newest;
}

Fd open_task(int root, const api::LogQuery& query, std::uint32_t generation) {
    return task_files::open_folder(root, task_files::folder_of({.job = query.job.text(),
                                                                    .generation = generation,
                                                                    .node_rank = static_cast<std::int32_t>(query.node_rank)}));
}

}  // namespace

/// The folder of the task, not open where it is not there; nothing where no site of this server can have it. Of a job that has left
/// the core the API knows neither site nor generation: then the newest that is here.
std::optional<Fd> SiteLogs::task_of(const api::LogQuery& query) const {
    if (const auto known = roots_.find(query.site); known != roots_.end())
        return open_task(open_root(known->second).get(), query, query.generation);
    if (!query.site.empty()) return std::nullopt;
    std::optional<Fd> found;
    std::uint32_t newest = 0;
    for (const auto& [site, path] : roots_) {
        const auto root = open_root(path);
        const auto generation = query.generation > 0 ? query.generation : newest_generation(root.get(), query.job);
        if (generation <= newest) continue;
        auto task = open_task(root.get(), query, generation);
        if (!task) continue;
        newest = generation;
        found = std::move(task);
    }
    return found;
}

Result<api::LogPiece, api::LogError> SiteLogs::read(const api::LogQuery& query) {
    const auto task = task_of(query);
    if (!task) {
        return fail(api::LogError{
            api::LogFault::unavailable,
            fmt::format(
                "the log of {} is on another machine, or its site's directory was not given to this server (--site-root), or it is gone",
                query.job.text())});
    }
    // Asked first: a task that is over now writes nothing after the look.
    const bool over = *task && task_files::is_over(task->get());
    const auto logs = *task ? task_files::open_folder(task->get(), "logs") : Fd{};
    if (!logs) {
        return fail(api::LogError{api::LogFault::unknown,
                                  fmt::format("{} has printed nothing there yet, or its log is gone", query.job.text())});
    }
    const auto stream = fmt::format("{}.{}", query.local_rank, query.stream == api::LogStream::stdout_ ? "out" : "err");
    const auto chunk = task_files::read_log(logs.get(), stream, static_cast<std::int64_t>(query.offset),
                                              static_cast<std::int64_t>(query.max_bytes));
    const bool at_end = chunk.offset + std::ssize(chunk.bytes) >= chunk.end;
    return api::LogPiece{chunk.bytes, static_cast<std::uint64_t>(chunk.offset), over && at_end};
}

}  // namespace weir::server
