#include "engines/scheduler/constraints.hpp"

#include "base/quantity.hpp"
#include "engines/scheduler/search.hpp"

#include <algorithm>
#include <utility>

namespace weir::scheduler {
namespace {

bool lists(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::binary_search(names, name);
}

/// `cn/sichuan` holds itself and `cn/sichuan/chengdu`, not `cn/sichuan2`.
bool holds_region(const std::string& region, const std::string& inner) {
    return inner.starts_with(region) && (inner.size() == region.size() || inner[region.size()] == '/');
}

bool is_open(const Entry& e) { return e.site.open; }
bool is_trusted(const Entry& e) { return e.ask.trusted_sites.empty() || lists(e.ask.trusted_sites, e.site.site); }
bool is_not_excluded(const Entry& e) { return !lists(e.ask.excluded_sites, e.site.site); }
bool is_in_residency(const Entry& e) {
    return e.ask.residency.empty() ||
           std::ranges::any_of(e.ask.residency, [&](const std::string& region) { return holds_region(region, e.site.region); });
}
bool is_of_tier(const Entry& e) { return !e.ask.required_tier || *e.ask.required_tier == e.site.tier; }

const FundingAnswer* answer_for(const Entry& e, const std::string& model) {
    if (e.funding == nullptr) return nullptr;
    const auto site = e.funding->find(e.site.site);
    if (site == e.funding->end()) return nullptr;
    const auto answer = site->second.find(model);
    return answer == site->second.end() ? nullptr : &answer->second;
}
bool has_level(const Entry& e) { return e.ask.nodes == 1 || level_depth(e.site, e.ask.required_level) >= 0; }

constexpr Constraint constraints[] = {
    {ReasonCode::site_closed, is_open, true},
    {ReasonCode::site_not_trusted, is_trusted, false},
    {ReasonCode::site_excluded, is_not_excluded, false},
    {ReasonCode::outside_residency, is_in_residency, false},
    {ReasonCode::tier_differs, is_of_tier, false},
    {ReasonCode::level_unknown, has_level, false},
};

std::int64_t units(const Ask& ask, const Alternative& way) { return way.model.empty() ? ask.cpus_milli : way.milli_cards; }

/// Far below any real score, and far from overflow when four are added.
constexpr std::int64_t score_max = INT64_MAX / 8;

std::int64_t times(std::int64_t a, std::int64_t b) { return std::min(checked_mul(a, b).value_or(score_max), score_max); }

}  // namespace

std::span<const Constraint> site_constraints() { return constraints; }

bool may_enter(const Entry& entry) {
    return std::ranges::all_of(constraints, [&](const Constraint& constraint) { return constraint.allows(entry); });
}

Reason refusal(const Constraint& constraint, const Entry& entry) {
    Reason reason{.code = constraint.code, .site = entry.site.site};
    if (constraint.code == ReasonCode::outside_residency) reason.text = entry.site.region;
    if (constraint.code == ReasonCode::level_unknown) reason.text = entry.ask.required_level;
    if (constraint.code == ReasonCode::tier_differs) {
        reason.asked = std::to_underlying(*entry.ask.required_tier);
        reason.has = std::to_underlying(entry.site.tier);
    }
    return reason;
}

bool may_pay(const Entry& entry, const std::string& model) {
    if (entry.ask.funding.empty()) return true;
    const FundingAnswer* answer = answer_for(entry, model);
    return answer != nullptr && answer->eligible;
}

Reason funding_refusal(const Entry& entry, const std::string& model) {
    Reason reason{.code = ReasonCode::funding_unanswered, .site = entry.site.site, .model = model};
    const FundingAnswer* answer = answer_for(entry, model);
    if (answer == nullptr) return reason;
    reason.code = ReasonCode::funding_refused;
    reason.clauses = answer->clauses;
    return reason;
}

Score standing_score(const Policy& policy, const Ask& ask, std::size_t alternative, const SiteSet& site) {
    const Alternative& way = ask.alternatives[alternative];
    const auto listed = site.price_fen.find(way.model);
    const std::int64_t fen_per_unit = listed == site.price_fen.end() ? 0 : listed->second;
    const std::int64_t first_units = units(ask, ask.alternatives.front());
    const std::int64_t fen =
        mul_div(fen_per_unit, units(ask, way), first_units > 0 ? first_units : whole_card_milli, Rounding::down).value_or(score_max);
    return {.price = -times(fen, policy.price_points_per_fen),
            .tier = ask.preferred_tier == site.tier ? policy.tier_points : 0,
            .model = -times(static_cast<std::int64_t>(alternative), policy.model_points)};
}

}  // namespace weir::scheduler
