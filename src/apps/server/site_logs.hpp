// apps/server/site_logs.hpp: logs of tasks whose site keeps its files on this machine.
//
// In this version the server reads a process site's log segments directly, where it was told the site's root directory;
// logs of a site elsewhere are answered with a problem that says so. The server may be root and a site's files are its own
// user's: below a root no link is followed, so that no site can have another's files read.
#pragma once

#include "adapters/task_files/files.hpp"
#include "transport/api/log_source.hpp"

#include <map>
#include <optional>
#include <string>

namespace weir::server {

class SiteLogs final : public api::LogSource {
public:
    explicit SiteLogs(std::map<SiteName, std::string> roots) : roots_{std::move(roots)} {}
    [[nodiscard]] Result<api::LogPiece, api::LogError> read(const api::LogQuery& query) override;

private:
    [[nodiscard]] std::optional<task_files::Fd> task_of(const api::LogQuery& query) const;
    std::map<SiteName, std::string> roots_;
};

}  // namespace weir::server
