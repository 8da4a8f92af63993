// agent/refusals.hpp: what a server that refuses a report is told all the same.
//
// It answers one question: after a refusal, which lines wait, and for how long? A refusal takes in nothing of a report, though it may be
// about a single line of it. So the nodes are parted from the other lines, and those are halved until the line is found that the server
// does not take; it waits for a while and is tried again. All that is good gets through meanwhile, and so do heartbeats: no task ends
// because of a line.
#pragma once

#include "agent/records.hpp"
#include "domain/agent_link.hpp"
#include "ports/site_backend.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace weir::agent {

class Refusals {
public:
    static constexpr std::int64_t wait_ns = 60'000'000'000;  ///< Before a line that was refused by itself is sent again.

    /// Whether this report says anything: one that does not is refused for who sends it, never for what it says.
    [[nodiscard]] static bool says_nothing(const SiteReport& report) { return !report.nodes && generations_of(report).empty(); }

    /// The report was refused, and nothing of it taken in.
    void note_refused(const SiteReport& report, ports::BootInstant now) {
        if (says_nothing(report)) {
            // What was refused before was not refused for its lines.
            *this = {};
            return;
        }
        const auto told = generations_of(report);
        if (report.nodes && !told.empty()) {
            nodes_apart_ = true;
        } else if (report.nodes) {
            nodes_after_ = later(now);
        } else if (told.size() > 1) {
            generations_max_ = told.size() / 2;
        } else {
            waits_until_[*told.begin()] = later(now);
        }
        greeting_ = true;
    }
    void note_taken(const SiteReport& report) {
        greeting_ = false;
        if (report.nodes) nodes_apart_ = false;
        const auto told = generations_of(report);
        for (const auto& key : told) waits_until_.erase(key);
        if (!told.empty() && told.size() >= generations_max_) {
            generations_max_ = generations_max_ > unbounded / 2 ? unbounded : generations_max_ * 2;
        }
    }
    /// The nodes are others now.
    void forget_nodes() { nodes_after_ = {}; }

    /// Only a report without lines is sent: the next one after a refusal. It shows whether the server takes anything at all.
    [[nodiscard]] bool greets() const { return greeting_; }
    [[nodiscard]] bool may_tell_nodes(ports::BootInstant now) const { return now >= nodes_after_; }
    [[nodiscard]] bool tells_nodes_apart() const { return nodes_apart_; }
    [[nodiscard]] std::size_t generations_max() const { return generations_max_; }
    [[nodiscard]] bool waits(const GenerationKey& key, ports::BootInstant now) const {
        const auto found = waits_until_.find(key);
        return found != waits_until_.end() && now < found->second;
    }

private:
    static constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

    [[nodiscard]] static ports::BootInstant later(ports::BootInstant from) { return {from.ns + wait_ns}; }
    [[nodiscard]] static std::set<GenerationKey> generations_of(const SiteReport& report) {
        std::set<GenerationKey> told;
        for (const auto& line : report.meters) told.insert({line.job, line.generation});
        for (const auto& line : report.checkpoints) told.insert({line.job, line.generation});
        for (const auto& line : report.tasks) told.insert({line.job, line.generation});
        if (report.prepared) {
            for (const auto& line : *report.prepared) told.insert({line.job, line.generation});
        }
        if (report.outputs) {
            for (const auto& line : *report.outputs) told.insert({line.job, line.generation});
        }
        return told;
    }

    bool greeting_ = false;
    bool nodes_apart_ = false;
    ports::BootInstant nodes_after_;
    std::size_t generations_max_ = unbounded;  ///< Of which one report has lines.
    std::map<GenerationKey, ports::BootInstant> waits_until_;
};

}  // namespace weir::agent
