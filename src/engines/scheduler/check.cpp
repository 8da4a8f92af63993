#include "engines/scheduler/check.hpp"

#include <algorithm>

namespace weir::scheduler {
namespace {

using Verdict = Result<void, DeltaRefusal>;

bool in_range(std::int64_t amount) { return amount >= 0 && amount <= amount_max; }

Verdict check(const SiteSet& site) {
    if (site.site.empty()) return fail(DeltaRefusal::name_is_empty);
    for (const auto& [model, fen] : site.price_fen) {
        if (!in_range(fen)) return fail(DeltaRefusal::amount_out_of_range);
    }
    return {};
}

Verdict check(const NodeSet& node) {
    if (node.site.empty() || node.node.empty()) return fail(DeltaRefusal::name_is_empty);
    if (!in_range(node.cpus_milli) || !in_range(node.memory_mib)) return fail(DeltaRefusal::amount_out_of_range);
    std::int64_t cards = 0;
    for (auto group = node.accelerators.begin(); group != node.accelerators.end(); ++group) {
        if (group->model.empty()) return fail(DeltaRefusal::name_is_empty);
        if (group->cards <= 0 || !in_range(group->memory_mib)) return fail(DeltaRefusal::amount_out_of_range);
        cards += group->cards;
        const auto same = [&](const Accelerators& other) { return other.model == group->model; };
        if (std::any_of(node.accelerators.begin(), group, same)) return fail(DeltaRefusal::model_is_repeated);
    }
    if (cards > node_cards_max) return fail(DeltaRefusal::amount_out_of_range);
    return {};
}

Verdict check(const QuotaSet& quota) {
    if (quota.project.empty()) return fail(DeltaRefusal::name_is_empty);
    if (quota.limit_milli && !in_range(*quota.limit_milli)) return fail(DeltaRefusal::amount_out_of_range);
    return {};
}

Verdict check(const JobQueued& queued) {
    if (!check_ask(queued.ask)) return fail(DeltaRefusal::ask_is_malformed);
    if (queued.dependencies < 0) return fail(DeltaRefusal::amount_out_of_range);
    return {};
}

Verdict check(const JobPlaced& placed) {
    const Allocation& held = placed.allocation;
    if (held.project.empty() || held.site.empty()) return fail(DeltaRefusal::name_is_empty);
    if (held.nodes.empty() || held.nodes.size() > static_cast<std::size_t>(gang_nodes_max)) {
        return fail(DeltaRefusal::amount_out_of_range);
    }
    for (const NodeShare& share : held.nodes) {
        if (share.node.empty()) return fail(DeltaRefusal::name_is_empty);
        if (!in_range(share.cpus_milli) || !in_range(share.memory_mib)) return fail(DeltaRefusal::amount_out_of_range);
        for (const CardShare& card : share.cards) {
            const bool known = card.card >= 0 && card.card < node_cards_max;
            const bool sized = card.milli > 0 && card.milli <= whole_card_milli && in_range(card.memory_mib);
            if (!known || !sized) return fail(DeltaRefusal::amount_out_of_range);
        }
    }
    return {};
}

Verdict check(const FundingSet& funding) { return funding.funding.empty() ? Verdict{fail(DeltaRefusal::name_is_empty)} : Verdict{}; }
template <class Other>
Verdict check(const Other&) { return {}; }

bool is_consistent(const Alternative& way) {
    return way.model.empty() ? way.milli_cards == 0 : way.milli_cards != 0;
}

template <class T>
void sort_unique(std::vector<T>& list) {
    std::ranges::sort(list);
    const auto repeated = std::ranges::unique(list);
    list.erase(repeated.begin(), repeated.end());
}

}  // namespace

Result<void, DeltaRefusal> check_delta(const Delta& delta) {
    return std::visit([](const auto& one) { return check(one); }, delta);
}

Result<void, AskRefusal> check_ask(const Ask& ask) {
    const auto& ways = ask.alternatives;
    if (ask.project.empty()) return fail(AskRefusal::project_is_empty);
    if (ask.nodes < 1 || ask.nodes > gang_nodes_max) return fail(AskRefusal::nodes_out_of_range);
    if (ways.empty() || ways.size() > alternatives_max) return fail(AskRefusal::alternatives_out_of_range);
    if (!std::ranges::all_of(ways, is_consistent)) return fail(AskRefusal::model_without_cards);
    const auto cut = [](const Alternative& way) {
        return way.milli_cards > whole_card_milli && way.milli_cards % whole_card_milli != 0;
    };
    if (std::ranges::any_of(ways, cut)) return fail(AskRefusal::cards_not_whole);
    const auto sized = [](const Alternative& way) {
        return way.milli_cards >= 0 && way.milli_cards <= node_cards_max * whole_card_milli && in_range(way.memory_mib);
    };
    if (!in_range(ask.cpus_milli) || !in_range(ask.memory_mib) || !std::ranges::all_of(ways, sized)) {
        return fail(AskRefusal::amount_out_of_range);
    }
    for (const std::size_t size : {ask.trusted_sites.size(), ask.excluded_sites.size(), ask.excluded_nodes.size(), ask.residency.size()}) {
        if (size > ask_list_max) return fail(AskRefusal::list_too_long);
    }
    return {};
}

Ask normal_form(Ask ask) {
    sort_unique(ask.trusted_sites);
    sort_unique(ask.excluded_sites);
    sort_unique(ask.excluded_nodes);
    sort_unique(ask.residency);
    return ask;
}

}  // namespace weir::scheduler
