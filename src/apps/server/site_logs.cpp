#include "apps/server/site_logs.hpp"

#include "adapters/site_process/log_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace weir::server {

Result<api::LogPiece, api::LogError> SiteLogs::read(const api::LogQuery& query) {
    const auto root = roots_.find(query.site);
    if (root == roots_.end()) {
        return fail(api::LogError{
            api::LogFault::unavailable,
            fmt::format("site {} keeps its logs on another machine, and this server was not given its directory (--site-root)",
                        query.site.value)});
    }
    const auto path = fmt::format("{}/tasks/{}/{}/{}/logs", root->second, query.job.text(), query.generation, query.node_rank);
    const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return fail(api::LogError{api::LogFault::unknown, fmt::format("generation {} of {} has printed nothing yet, or its log is gone",
                                                                      query.generation, query.job.text())});
    const auto* stream = query.stream == api::LogStream::stdout_ ? "0.out" : "0.err";
    const auto chunk =
        site_process::read_log(folder, stream, static_cast<std::int64_t>(query.offset), static_cast<std::int64_t>(query.max_bytes));
    ::close(folder);
    return api::LogPiece{chunk.bytes, static_cast<std::uint64_t>(chunk.offset), false};
}

}  // namespace weir::server
