// sim/probes.hpp: rare paths by name. A path that no seed reaches is not tested, whatever the count of seeds says.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir::sim {

class Probes {
public:
    void hit(std::string_view name) { ++hits_[std::string{name}]; }
    void add(const Probes& other) {
        for (const auto& [name, count] : other.hits_) hits_[name] += count;
    }
    [[nodiscard]] std::uint64_t count(const std::string& name) const {
        const auto found = hits_.find(name);
        return found == hits_.end() ? 0 : found->second;
    }
    [[nodiscard]] const std::map<std::string, std::uint64_t>& all() const { return hits_; }

private:
    std::map<std::string, std::uint64_t> hits_;
};

/// The paths that five hundred seeds must reach, each at least once.
inline constexpr std::string_view required_probes[] = {
    "server crashed with commands unanswered",
    "append outcome unknown and written",
    "append outcome unknown and lost",
    "append refused on a full disk",
    "a transaction was full",
    "kept a snapshot",
    "recovered from a snapshot",
    "recovered from the whole journal",
    "report lost",
    "report repeated",
    "report answer lost",
    "report came out of order",
    "agent began a new session",
    "what should run told by pages",
    "list of what should run changed by a delta",
    "changes of what should run forgotten and the full list told",
    "digest differed and the full list was asked for",
    "page of what should run came late or twice",
    "question for what should run asked again",
    "agent restarted and adopted its tasks",
    "task stopped by its supervisor at the end of its lease",
    "task stopped by its supervisor at its longest duration",
    "task that runs on outlived the lease of others",
    "task lost and placed again on another site",
    "ends of two generations in one report",
    "meter of an old generation came too late to count",
    "site lost power with tasks running",
    "wall clock of a site jumped",
    "wall clock of the server went back",
    "job resumed from a checkpoint",
    "job cancelled while running",
    "job cancelled after its start was given up",
    "lease not renewed for what should run was not heard",
    "more timers were due than one pass carries out",
    "submission repeated after a crash",
    "job stopped at its longest duration",
    "job quarantined",
    "job restarted after its own error",
    "job refused for lack of money",
    "job refused by a clause",
    "dependent left with the job it waited for",
    "job placed by a later alternative than its first",
    "job stopped at its budget",
    "site changed its prices while jobs wait",
    "site closed while jobs wait",
    "project got another quota",
    "organisation became of another kind",
    "voucher lapsed while a job waited",
    "use came after its voucher's end",
    "voucher ended with its final figures",
    "node or cards lost under a running task",
    "site left out of its report a node that it had",
    "request with a key asked again",
    "token ended by time",
    "checkpoint lay at a target before the pause",
    "checkpoint published because one was wanted",
    "checkpoint published before a stop",
    "task stopped without the checkpoint that was asked for",
    "job left one site for another as ordered",
    "job lost on its way out goes on where a place was held",
    "job began where its last checkpoint lay already",
    "job moved and lost nothing",
    "job moved and lost some work",
    "move refused",
    "move ended: called_off",
    "move ended: target_lost",
    "move ended: no_longer_needed",
    "move ended: funding_lapsed",
    "job stopped for its site was drained",
    "job stopped for its site was stopped",
    "job stopped for its organisation was suspended",
};

}  // namespace weir::sim
