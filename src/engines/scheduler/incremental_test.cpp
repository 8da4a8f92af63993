// Goal: a scheduler that was told everything step by step equals one that is told the outcome; no plan breaks a law.
// Method: a random life of a small network. After every step the facts are told to an empty scheduler, in another order
// of names than they came in, and the two must agree on facts, indexes, every `why` and, at random moments, the plan. Each plan is
// checked against the facts by plain arithmetic that shares no code with the engine.
#include "base/random.hpp"
#include "engines/scheduler/worlds.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace weir::scheduler {
namespace {

using namespace worlds;

/// What is held on one node, counted from the facts.
struct Load {
    std::map<std::int32_t, std::pair<std::int64_t, std::int64_t>> cards;  ///< Card -> milli, MiB.
    std::int64_t cpus = 0;
    std::int64_t memory = 0;
};

struct Ledger {
    std::map<std::string, SiteSet> sites;
    std::map<NodeRef, NodeSet> nodes;
    std::map<std::pair<std::string, std::string>, std::int64_t> limits;
    std::map<std::pair<std::string, std::string>, std::int64_t> used;
    std::map<std::string, FundingSet> fundings;
    std::map<NodeRef, Load> loads;
    std::map<Uid, JobQueued> waiting;

    explicit Ledger(const std::vector<Delta>& facts) {
        for (const Delta& fact : facts) {
            if (const auto* one = std::get_if<SiteSet>(&fact)) sites[one->site] = *one;
            if (const auto* one = std::get_if<NodeSet>(&fact)) nodes[{one->site, one->node}] = *one;
            if (const auto* one = std::get_if<QuotaSet>(&fact)) limits[{one->project, one->model}] = one->limit_milli.value();
            if (const auto* one = std::get_if<FundingSet>(&fact)) fundings[one->funding] = *one;
            if (const auto* one = std::get_if<JobPlaced>(&fact)) hold(one->allocation);
            if (const auto* one = std::get_if<JobQueued>(&fact)) waiting[one->job] = *one;
        }
    }

    void hold(const Allocation& allocation) {
        for (const NodeShare& share : allocation.nodes) {
            Load& load = loads[{allocation.site, share.node}];
            load.cpus += share.cpus_milli;
            load.memory += share.memory_mib;
            for (const CardShare& card : share.cards) {
                load.cards[card.card].first += card.milli;
                load.cards[card.card].second += card.memory_mib;
                used[{allocation.project, allocation.model}] += card.milli;
            }
        }
    }
};

void check_node(const Ledger& ledger, const Ask& ask, const Alternative& way, const Allocation& given, const NodeShare& share) {
    const NodeRef ref{given.site, share.node};
    const NodeSet& node = ledger.nodes.at(ref);
    RC_ASSERT(node.healthy);
    RC_ASSERT(std::ranges::find(ask.excluded_nodes, ref) == ask.excluded_nodes.end());
    const Load& load = ledger.loads.at(ref);
    RC_ASSERT((load.cpus <= node.cpus_milli || share.cpus_milli == 0));
    RC_ASSERT((load.memory <= node.memory_mib || share.memory_mib == 0));
    std::int64_t milli = 0;
    for (const CardShare& card : share.cards) {
        milli += card.milli;
        std::int32_t first = 0;
        const auto group = std::ranges::find_if(node.accelerators, [&](const Accelerators& cards) {
            first += cards.cards;
            return card.card < first;
        });
        RC_ASSERT(group != node.accelerators.end());
        RC_ASSERT(group->model == way.model);
        RC_ASSERT(load.cards.at(card.card).first <= whole_card_milli);
        RC_ASSERT(load.cards.at(card.card).second <= group->memory_mib);
        RC_ASSERT(group->memory_mib >= way.memory_mib);
        RC_ASSERT((card.milli == whole_card_milli || group->slicing == Slicing::fractional));
    }
    RC_ASSERT(milli == way.milli_cards);
}

/// Every law of a plan, from the facts before it.
void check_plan(const std::vector<Delta>& facts, const Plan& plan, Instant now) {
    Ledger ledger{facts};
    using Line = std::pair<std::string, std::string>;
    std::set<Line> beyond;  // What is given back for it may still be held: the quota says nothing of these now.
    for (const Placement& placement : plan.placements) {
        ledger.hold(placement.allocation);
        const Ask& ask = ledger.waiting.at(placement.job).ask;
        if (!ask.held_model.empty() && ask.held_model == placement.allocation.model) beyond.insert({ask.project, ask.held_model});
    }
    std::set<Uid> placed;
    for (const Placement& placement : plan.placements) {
        RC_ASSERT(placed.insert(placement.job).second);
        const JobQueued& job = ledger.waiting.at(placement.job);
        RC_ASSERT(job.not_before <= now);
        RC_ASSERT(job.dependencies == 0);
        const Allocation& given = placement.allocation;
        const Alternative& way = job.ask.alternatives.at(static_cast<std::size_t>(placement.alternative));
        const SiteSet& site = ledger.sites.at(given.site);
        RC_ASSERT(site.open);
        RC_ASSERT((!job.ask.required_tier || *job.ask.required_tier == site.tier));
        RC_ASSERT((job.ask.funding.empty() || ledger.fundings.at(job.ask.funding).sites.at(given.site).at(way.model).eligible));
        RC_ASSERT(given.project == job.ask.project);
        RC_ASSERT(given.nodes.size() == static_cast<std::size_t>(job.ask.nodes));
        std::set<std::string> names;
        std::set<std::vector<std::string>> racks;
        for (const NodeShare& share : given.nodes) {
            check_node(ledger, job.ask, way, given, share);
            names.insert(share.node);
            racks.insert(ledger.nodes.at({given.site, share.node}).position);
        }
        RC_ASSERT(names.size() == given.nodes.size());
        RC_ASSERT((job.ask.required_level.empty() || racks.size() == 1 || job.ask.nodes == 1));
        const auto limit = ledger.limits.find({given.project, given.model});
        if (limit == ledger.limits.end() || beyond.contains(limit->first)) continue;
        RC_ASSERT((ledger.used[limit->first] <= limit->second));
    }
}

class Life {
public:
    explicit Life(std::uint64_t seed) : chance_{seed, "life of a network"} {}

    void step() {
        switch (chance_.below(17)) {
            case 0: return say(random_site());
            case 1:
            case 2: return say(random_node());
            case 3: return say(NodeRemoved{pick({"a", "b", "c"}), node_name()});
            case 4: return chance_.chance(1, 4) ? say(SiteRemoved{pick({"a", "b", "c"})}) : say(random_quota());
            case 5: return say(random_funding());
            case 6:
            case 7: return say(JobReleased{uid(chance_.below(24)), chance_.below(3)});
            case 8: return say(JobRemoved{uid(chance_.below(24))});
            case 9: return say(JobPlaced{uid(chance_.below(24)), chance_.below(3), random_allocation()});
            case 10:
            case 11: return plan();
            case 12: return say(JobWithdrawn{uid(chance_.below(24))});
            default: return say(random_job());
        }
    }

    void check() {
        const auto facts = told_.facts();
        Scheduler fresh;
        for (const Delta& fact : in_another_order(facts)) RC_ASSERT(static_cast<bool>(fresh.apply(fact)));
        RC_ASSERT(fresh.facts() == facts);
        RC_ASSERT(fresh.fingerprint() == told_.fingerprint());
        for (std::uint64_t n = 0; n < 24; ++n) {
            const Why why = told_.why(uid(n), now_);
            RC_ASSERT(why == fresh.why(uid(n), now_));
            RC_ASSERT((why.standing != JobStanding::waiting || !why.reasons.empty()));
        }
        if (chance_.chance(1, 2)) return;
        const PlanLimits limits{.placements_max = chance_.chance(1, 4) ? 1U : 100U, .waiting_max = 5};
        const auto before = told_.fingerprint();
        const Plan ours = told_.plan(now_, limits);
        const Plan theirs = fresh.plan(now_, limits);
        RC_ASSERT(ours.placements == theirs.placements);
        RC_ASSERT(ours.waiting == theirs.waiting);
        RC_ASSERT(ours.counts == theirs.counts);
        RC_ASSERT(told_.fingerprint() == before);
        RC_ASSERT(told_.facts() == facts);
        check_plan(facts, ours, now_);
    }

private:
    /// Sites before their nodes and what a job holds before its wait; any order otherwise.
    std::vector<Delta> in_another_order(const std::vector<Delta>& facts) {
        std::array<std::vector<Delta>, 5> turns;
        for (const Delta& fact : facts) turns[turn_of(fact)].push_back(fact);
        std::vector<Delta> all;
        for (auto& turn : turns) {
            for (std::size_t i = turn.size(); i > 1; --i) std::swap(turn[i - 1], turn[chance_.below(i)]);
            all.insert(all.end(), turn.begin(), turn.end());
        }
        return all;
    }

    static std::size_t turn_of(const Delta& fact) {
        if (std::holds_alternative<SiteSet>(fact)) return 0;
        if (std::holds_alternative<NodeSet>(fact)) return 1;
        if (std::holds_alternative<JobPlaced>(fact)) return 3;
        return std::holds_alternative<JobQueued>(fact) ? 4 : 2;
    }

    void say(const Delta& delta) { (void)told_.apply(delta); }

    /// Plans, at times a few placements only, and commits all, some or none of it; a full plan leaves nobody behind who fits.
    void plan() {
        now_ = now_ + seconds(chance_.between(0, 3));
        const Plan made = told_.plan(now_, {.placements_max = chance_.chance(1, 2) ? 1 + chance_.below(3) : 100U, .waiting_max = 0});
        check_plan(told_.facts(), made, now_);
        const std::uint64_t some = chance_.below(3);
        std::uint64_t generation = 10 + now_.ns % 1'000;
        for (const Placement& placement : made.placements) {
            if (some == 1 && chance_.chance(1, 2)) continue;
            if (some == 2) return;
            while (!told_.apply(JobPlaced{placement.job, generation, placement.allocation})) ++generation;
        }
        if (some != 0 || made.counts.cut_short) return;
        for (std::uint64_t n = 0; n < 24; ++n) {
            const Why why = told_.why(uid(n), now_);
            for (const Reason& reason : why.reasons) RC_ASSERT(reason.code != ReasonCode::awaits_plan);
        }
    }

    std::string pick(std::initializer_list<const char*> names) { return names.begin()[chance_.below(names.size())]; }
    std::string node_name() { return "n" + std::to_string(chance_.below(5)); }

    SiteSet random_site() {
        SiteSet made = site(pick({"a", "b", "c"}));
        made.tier = chance_.chance(1, 2) ? Tier::cloud : Tier::core;
        made.open = !chance_.chance(1, 5);
        made.price_fen = {{"H800", chance_.between(0, 3) * 100}, {"A800", chance_.between(0, 3) * 100}};
        return made;
    }

    NodeSet random_node() {
        NodeSet made = node(pick({"a", "b", "c"}), node_name(), 0);
        made.cpus_milli = chance_.between(1, 8) * 1'000;
        made.memory_mib = chance_.between(1, 8) * 1'000;
        made.healthy = !chance_.chance(1, 6);
        made.position = {pick({"r1", "r2"})};
        for (const char* model : {"H800", "A800"}) {
            if (chance_.chance(1, 3)) continue;
            made.accelerators.push_back({.model = model, .cards = static_cast<std::int32_t>(chance_.between(1, 4)),
                                         .memory_mib = chance_.between(1, 2) * 1'000,
                                         .slicing = chance_.chance(2, 3) ? Slicing::fractional : Slicing::exclusive,
                                         .slicing_owner = pick({"weir", "weir", "none"}), .emulated = chance_.chance(1, 5)});
        }
        return made;
    }

    QuotaSet random_quota() {
        QuotaSet made{.project = pick({"p", "q"}), .model = pick({"H800", "A800"})};
        if (!chance_.chance(1, 3)) made.limit_milli = chance_.between(0, 12) * 500;
        return made;
    }

    FundingSet random_funding() {
        FundingSet made{.funding = pick({"f", "g"})};
        for (const char* name : {"a", "b", "c"}) {
            for (const char* model : {"H800", "A800", ""}) {
                if (chance_.chance(3, 4)) made.sites[name][model] = {chance_.chance(2, 3), {{"voucher", "clause 1"}}};
            }
        }
        return made;
    }

    Allocation random_allocation() {
        Allocation made{.project = pick({"p", "q"}), .site = pick({"a", "b", "c", "z"}), .model = "H800"};
        made.nodes = {{.node = node_name(), .cpus_milli = chance_.between(0, 3) * 1'000}};
        for (std::int32_t card = 0; card < 3; ++card) {
            if (chance_.chance(1, 2)) made.nodes[0].cards.push_back({card, chance_.chance(1, 2) ? 1'000 : 400, chance_.between(0, 900)});
        }
        return made;
    }

    JobQueued random_job() {
        JobQueued made = queued(chance_.below(24), {}, static_cast<std::int32_t>(chance_.below(3)));
        made.queued_at = now_;
        Ask& wanted = made.ask;
        const bool common = chance_.chance(1, 2);
        wanted.project = pick({"p", "q"});
        wanted.nodes = static_cast<std::int32_t>(chance_.between(1, 3));
        const std::int64_t milli = chance_.chance(1, 2) ? chance_.between(1, 3) * 1'000 : chance_.between(1, 9) * 100;
        wanted.alternatives = {{.model = pick({"H800", "A800"}), .milli_cards = milli, .memory_mib = chance_.between(0, 3) * 500}};
        if (chance_.chance(1, 4)) wanted.alternatives.push_back({.model = "A800", .milli_cards = 1'000});
        if (chance_.chance(1, 6)) wanted.alternatives = {{}};
        wanted.cpus_milli = chance_.between(0, 3) * 500;
        wanted.memory_mib = chance_.between(0, 2) * 500;
        if (common) {  // Many classes that need the same.
            wanted.nodes = 1;
            wanted.alternatives = {{.model = "H800", .milli_cards = chance_.chance(1, 2) ? 1'000 : 500}};
            wanted.cpus_milli = wanted.memory_mib = 0;
        }
        if (chance_.chance(1, 8)) wanted.held_model = pick({"H800", "A800"});
        if (chance_.chance(1, 3)) wanted.funding = pick({"f", "g"});
        if (chance_.chance(1, 6)) wanted.trusted_sites = {"c", "a"};
        if (chance_.chance(1, 8)) wanted.required_tier = Tier::core;
        if (chance_.chance(1, 4)) wanted.preferred_tier = Tier::core;
        if (chance_.chance(1, 4)) wanted.required_level = "rack";
        if (chance_.chance(1, 8)) wanted.accepts_emulated = false;
        if (chance_.chance(1, 5)) wanted.excluded_nodes = {{pick({"a", "b"}), node_name()}, {"a", "n0"}};
        if (chance_.chance(1, 8)) made.not_before = now_ + seconds(chance_.between(-1, 4));
        if (chance_.chance(1, 12)) made.dependencies = 1;
        return made;
    }

    Random chance_;
    Scheduler told_;
    Instant now_;
};

TEST(Incremental, EqualsFromScratchAndBreaksNoLaw) {
    EXPECT_TRUE(rc::check("a random life", [] {
        // Any seed from the first test on, and no shrinking: a smaller seed is no smaller life.
        const auto seeds = rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>()));
        Life life{*seeds};
        for (int i = 0; i < 120; ++i) {
            life.step();
            life.check();
        }
    }));
}

}  // namespace
}  // namespace weir::scheduler
