// What waits is placed: the scheduler's plan, made facts. Prices, shares and times are those of this moment.
#include "control/core/feed.hpp"
#include "control/core/funding.hpp"
#include "control/core/rules.hpp"

#include <algorithm>

namespace weir::control {
namespace {

/// What the scheduler chose, at the price of this moment; nothing where the site has none for it.
std::optional<Placement> placement_of(const Core& core, const scheduler::Placement& chosen, const AcceleratorAsk& ask) {
    Placement placement;
    placement.site = SiteName{chosen.allocation.site};
    placement.model = ask.model;
    placement.per_node = ask.per_node;
    const auto& tariff = core.state.sites.at(placement.site).site.tariff;
    const auto price = std::ranges::find(tariff, ask.model, &TariffLine::model);
    if (price == tariff.end()) return std::nullopt;
    placement.fen_per_card_hour = price->fen_per_card_hour;
    for (const auto& node : chosen.allocation.nodes) {
        PlacedNode at{NodeName{node.node}, {}};
        for (const auto& card : node.cards) at.cards.push_back({card.card, MilliCards{card.milli}});
        placement.emulated = placement.emulated || node.emulated;
        placement.nodes.push_back(std::move(at));
    }
    for (const auto& [name, points] : chosen.score.terms()) placement.score.push_back({std::string{name}, points});
    return placement;
}

std::uint32_t next_generation(const Core& core, const LiveJob& job) {
    return std::max({job.generation, job.generations_used, core.state.leader.generations_above}) + 1;
}

}  // namespace

Instant start_by(const Policy& policy, const std::vector<SourceShare>& shares, Seconds run_for, Instant now) {
    constexpr Duration begin_at_least = seconds(30);
    auto by = now + policy.start_within;
    for (const auto& share : shares) {
        if (share.until_s) by = std::min(by, std::max(Instant{} + seconds(*share.until_s - run_for.value), now + begin_at_least));
    }
    return by;
}

std::vector<Event> decide_placements(Core& core, Instant now) {
    const auto plan = core.scheduler.plan(now, {.placements_max = core.policy.placements_per_pass, .waiting_max = 0});
    std::vector<Event> events;
    for (const auto& chosen : plan.placements) {
        const auto& job = core.state.jobs.at(JobId{chosen.job});
        if (const auto end = answers_end(core.state, job); end && now > *end) continue;  // The next tick judges it anew.
        const auto way = ways_of(core.catalogue, job)[static_cast<std::size_t>(chosen.alternative)];
        const auto& ask = job.spec->resources.accelerators[way];
        auto placement = placement_of(core, chosen, ask);
        if (!placement) continue;  // What is not priced has no funding answer and is no candidate.
        if (job.move) {
            events.push_back(JobMoveReserved{job.id, next_generation(core, job), *std::move(placement), now + core.policy.prepare_within});
            continue;
        }
        const auto& site = core.state.sites.at(placement->site).site;
        const auto price = placement->fen_per_card_hour;
        JobPlaced placed{job.id, next_generation(core, job), *std::move(placement), shares_of(core, job, site, ask.model, now)};
        const auto longest = run_for(core, job, ask, price, placed.shares);
        placed.run_for = longest;
        placed.start_by = start_by(core.policy, placed.shares.value_or(std::vector<SourceShare>{}), longest, now);
        events.push_back(std::move(placed));
    }
    return events;
}

}  // namespace weir::control
