// apps/server/site_diary.hpp: what the operator's log says of the sites: who fell silent, whose agent began anew, which nodes are gone.
//
// Follows what is durable, on the housekeeper's thread: a line may be a second late, and holds nobody up.
#pragma once

#include "control/reader.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace weir::server {

class SiteDiary {
public:
    /// Begins with what `reader` knows now.
    explicit SiteDiary(const control::Reader& reader);

    /// Says a line of each thing that came since; where the reader no longer keeps all of it, a line that says so.
    void follow(const std::function<void(const std::string&)>& say);

    /// The line of one entry; most have none.
    [[nodiscard]] std::optional<std::string> line_of(const control::Entry& entry);

private:
    void begin();

    const control::Reader& reader_;
    std::uint64_t told_ = 0;                          ///< Revision up to which all is said.
    std::map<SiteName, std::string> sessions_;        ///< Of the last report of each site.
    std::set<std::pair<SiteName, NodeName>> unwell_;  ///< Nodes that their site calls unhealthy.
};

}  // namespace weir::server
