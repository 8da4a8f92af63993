// What waits is placed: the scheduler's plan, made facts. Prices, shares and times are those of this moment.
#include "control/core/funding.hpp"
#include "control/core/rules.hpp"

#include <algorithm>

namespace weir::control {
namespace {

/// Until when a run must have begun: a site has so long, and a voucher that shares in paying for it ends no earlier than the run.
Instant start_by(const Policy& policy, const std::vector<SourceShare>& shares, Seconds run_for, Instant now) {
    constexpr Duration begin_at_least = seconds(30);
    auto by = now + policy.start_within;
    for (const auto& share : shares) {
        if (share.until_s) by = std::min(by, std::max(Instant{} + seconds(*share.until_s - run_for.value), now + begin_at_least));
    }
    return by;
}

}  // namespace

std::vector<Event> decide_placements(Core& core, Instant now) {
    const auto plan = core.scheduler.plan(now, {.placements_max = core.policy.placements_per_pass, .waiting_max = 0});
    std::vector<Event> events;
    for (const auto& chosen : plan.placements) {
        const auto& job = core.state.jobs.at(JobId{chosen.job});
        if (const auto end = answers_end(core.state, job); end && now > *end) continue;  // The next tick judges it anew.
        const auto& ask = job.spec->resources.accelerators[static_cast<std::size_t>(chosen.alternative)];
        const SiteName site{chosen.allocation.site};
        JobPlaced placed{job.id, std::max(job.generation, core.state.leader.generations_above) + 1, {},
                         shares_of(core, job, core.state.sites.at(site).site, ask.model, now)};
        placed.placement.site = site;
        placed.placement.model = ask.model;
        placed.placement.per_node = ask.per_node;
        const auto& tariff = core.state.sites.at(site).site.tariff;
        const auto price = std::ranges::find(tariff, ask.model, &TariffLine::model);
        if (price == tariff.end()) continue;  // What is not priced has no funding answer and is no candidate.
        placed.placement.fen_per_card_hour = price->fen_per_card_hour;
        const auto longest = run_for(core, job, ask, price->fen_per_card_hour, placed.shares);
        placed.run_for = longest;
        placed.start_by = start_by(core.policy, placed.shares.value_or(std::vector<SourceShare>{}), longest, now);
        for (const auto& node : chosen.allocation.nodes) {
            PlacedNode at{NodeName{node.node}, {}};
            for (const auto& card : node.cards) at.cards.push_back({card.card, MilliCards{card.milli}});
            placed.placement.emulated = placed.placement.emulated || node.emulated;
            placed.placement.nodes.push_back(std::move(at));
        }
        for (const auto& [name, points] : chosen.score.terms()) placed.placement.score.push_back({std::string{name}, points});
        events.push_back(std::move(placed));
    }
    return events;
}

}  // namespace weir::control
