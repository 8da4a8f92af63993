// The facts told back, and a digest of what is derived from them: two halves of one property, that a scheduler which
// was told everything step by step equals one which is told the outcome.
#include "engines/scheduler/state.hpp"

#include <algorithm>
#include <concepts>

namespace weir::scheduler {
namespace {

using State = Scheduler::State;

/// FNV-1a over 64-bit words and texts.
class Hash {
public:
    void add(std::integral auto value) {
        for (int shift = 0; shift < 64; shift += 8) byte(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
    }
    void add(std::string_view text) {
        add(text.size());
        for (const char c : text) byte(static_cast<std::uint8_t>(c));
    }
    void add(Uid uid) {
        add(uid.high);
        add(uid.low);
    }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    void byte(std::uint8_t b) { value_ = (value_ ^ b) * 0x100000001B3ULL; }
    std::uint64_t value_ = 0xCBF29CE484222325ULL;
};

std::vector<Uid> jobs_in_order(const State& state) {
    std::vector<Uid> jobs;
    jobs.reserve(state.jobs.size());
    for (const auto& [uid, job] : state.jobs) jobs.push_back(uid);
    std::ranges::sort(jobs);
    return jobs;
}

void add_pool(Hash& hash, const Inventory& inventory, const Pool& pool) {
    const auto name = [&](std::uint32_t rank) -> const std::string& { return inventory.node(pool.by_rank[rank]).facts.node; };
    for (std::size_t bucket = 0; bucket < pool.buckets.size(); ++bucket) {
        for (auto rank = pool.buckets[bucket].next(0); rank != RankSet::none; rank = pool.buckets[bucket].next(rank + 1)) {
            hash.add(bucket);
            hash.add(name(rank));
        }
    }
    for (const PartCard& part : pool.parts) {
        hash.add(part.milli_free);
        hash.add(name(part.rank));
        hash.add(part.card);
    }
}

void add_node(Hash& hash, const Node& node) {
    hash.add(node.facts.node);
    hash.add(node.present);
    hash.add(node.cpus_used);
    hash.add(node.memory_used);
    hash.add(node.holders);
    for (std::size_t card = 0; card < node.cards.size(); ++card) {
        if (node.cards[card].milli == 0 && node.cards[card].memory_mib == 0) continue;
        hash.add(card);
        hash.add(node.cards[card].milli);
        hash.add(node.cards[card].memory_mib);
    }
    for (const Group& group : node.groups) hash.add(group.free_cards);
}

void add_site(Hash& hash, const Inventory& inventory, const Site& site) {
    hash.add(site.facts.site);
    hash.add(site.present);
    for (const auto& [name, node] : site.nodes) add_node(hash, inventory.node(node));
    std::map<std::string_view, Slot> pools;
    for (const auto& [model, pool] : site.pools) pools.emplace(inventory.model_name(model), pool);
    for (const auto& [model, pool] : pools) {
        Hash inner;
        add_pool(inner, inventory, inventory.pool(pool));
        if (inner.value() == Hash{}.value()) continue;  // A pool whose nodes have all gone is no pool.
        hash.add(model);
        hash.add(inner.value());
    }
}

void add_projects(Hash& hash, const State& state) {
    for (const auto& [name, slot] : state.project_slots) {
        std::map<std::string_view, const Quota*> quotas;
        for (const auto& [model, quota] : state.projects[slot].quotas) quotas.emplace(state.inventory.model_name(model), &quota);
        for (const auto& [model, quota] : quotas) {
            if (quota->used_milli == 0 && !quota->limit_milli) continue;
            hash.add(name);
            hash.add(model);
            hash.add(quota->used_milli);
            hash.add(quota->limit_milli.value_or(-1));
        }
    }
}

void add_queue(Hash& hash, const State& state) {
    for (const auto& [ask, slot] : state.room.classes()) {
        hash.add(ask.project);
        hash.add(state.room.at(slot).jobs);
    }
    for (const Uid uid : jobs_in_order(state)) {
        const auto& waiting = state.jobs.find(uid)->second.waiting;
        if (!waiting) continue;
        hash.add(uid);
        hash.add(waiting->key.priority);
        hash.add(waiting->key.queued_at.ns);
        hash.add(waiting->not_before.ns);
        hash.add(waiting->dependencies);
    }
}

}  // namespace

std::vector<Delta> Scheduler::facts() const {
    std::vector<Delta> facts;
    const Inventory& inventory = state_->inventory;
    for (const auto& [name, slot] : inventory.sites()) {
        if (!inventory.site(slot).present) continue;
        facts.emplace_back(inventory.site(slot).facts);
        for (const auto& [node_name, node] : inventory.site(slot).nodes) {
            if (inventory.node(node).present) facts.emplace_back(inventory.node(node).facts);
        }
    }
    for (const auto& [name, answers] : state_->fundings) facts.emplace_back(FundingSet{name, answers});
    for (const auto& [name, slot] : state_->project_slots) {
        std::map<std::string, std::int64_t> limits;
        for (const auto& [model, quota] : state_->projects[slot].quotas) {
            if (quota.limit_milli) limits.emplace(inventory.model_name(model), *quota.limit_milli);
        }
        for (const auto& [model, limit] : limits) facts.emplace_back(QuotaSet{name, model, limit});
    }
    for (const Uid uid : jobs_in_order(*state_)) {
        const Job& job = state_->jobs.find(uid)->second;
        std::map<std::uint64_t, const Holding*> holdings;
        for (const Holding& holding : job.holdings) holdings.emplace(holding.generation, &holding);
        for (const auto& [generation, holding] : holdings) facts.emplace_back(JobPlaced{uid, generation, holding->allocation});
        if (!job.waiting) continue;
        const Waiting& waiting = *job.waiting;
        facts.emplace_back(JobQueued{.job = uid, .ask = state_->room.ask_of(waiting), .priority = waiting.key.priority,
                                     .queued_at = waiting.key.queued_at, .not_before = waiting.not_before,
                                     .dependencies = waiting.dependencies});
    }
    return facts;
}

std::uint64_t Scheduler::fingerprint() {
    state_->inventory.settle();
    Hash hash;
    for (const auto& [name, slot] : state_->inventory.sites()) {
        const Site& site = state_->inventory.site(slot);
        if (site.present || !site.nodes.empty()) add_site(hash, state_->inventory, site);
    }
    add_projects(hash, *state_);
    add_queue(hash, *state_);
    return hash.value();
}

Scheduler::Scheduler(Policy policy) : state_{std::make_unique<State>()} { state_->policy = policy; }
Scheduler::~Scheduler() = default;
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;

}  // namespace weir::scheduler
