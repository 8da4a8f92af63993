#include "apps/server/site_diary.hpp"

#include <fmt/format.h>

namespace weir::server {

using namespace control;

namespace {

/// A session is named by when it began.
std::string began_at(const std::string& session) {
    const auto uid = parse_uid(session);
    return uid ? moment(time_of(*uid)) : session;
}

}  // namespace

SiteDiary::SiteDiary(const Reader& reader) : reader_{reader} { begin(); }

void SiteDiary::begin() {
    sessions_.clear();
    unwell_.clear();
    reader_.ask([&](const Core& core) {
        told_ = core.state.revision;
        for (const auto& [name, site] : core.state.sites) {
            if (!site.session.empty()) sessions_[name] = site.session;
            for (const auto& [node, one] : site.nodes) {
                if (!one.healthy) unwell_.emplace(name, node);
            }
        }
    });
}

void SiteDiary::follow(const std::function<void(const std::string&)>& say) {
    const auto batches = reader_.since(told_);
    if (!batches) {
        const auto from = told_ + 1;
        begin();
        say(fmt::format("what happened to sites in revisions {} to {} is not in this log: too much came at once; see weir audit log", from,
                        told_));
        return;
    }
    for (const auto& batch : *batches) {
        for (const auto& entry : batch->entries) {
            if (auto line = line_of(entry)) say(*line);
        }
        told_ = batch->revision;
    }
}

std::optional<std::string> SiteDiary::line_of(const Entry& entry) {
    if (const auto* heard = std::get_if<SiteReachable>(&entry.event)) {
        if (heard->reachable) return fmt::format("site {} is heard again", heard->site.value);
        return fmt::format(
            "site {} is silent: nothing new is placed there, and what runs there is given up once its leases are over; see to "
            "its agent and its network",
            heard->site.value);
    }
    if (const auto* report = std::get_if<ReportTaken>(&entry.event)) {
        auto& session = sessions_[report->site];
        if (session == report->session) return std::nullopt;
        const bool first = session.empty();
        session = report->session;
        return fmt::format("site {}: {} speaks, which began at {}", report->site.value, first ? "its agent" : "another run of its agent",
                           began_at(session));
    }
    if (const auto* set = std::get_if<NodeSet>(&entry.event)) {
        const std::pair node{set->site, set->node.name};
        if (!set->node.healthy && unwell_.insert(node).second)
            return fmt::format("site {}: node {} is not healthy and takes nothing new", set->site.value, set->node.name.value);
        if (set->node.healthy && unwell_.erase(node) > 0)
            return fmt::format("site {}: node {} is healthy again", set->site.value, set->node.name.value);
    }
    if (const auto* removed = std::get_if<NodeRemoved>(&entry.event)) {
        unwell_.erase({removed->site, removed->node});
        return fmt::format("site {}: node {} is no longer among its nodes", removed->site.value, removed->node.value);
    }
    return std::nullopt;
}

}  // namespace weir::server
