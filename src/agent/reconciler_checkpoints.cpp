// Checkpoints of generations: putting in place what they resume from, storing what they publish, asking for one before they stop.
#include "agent/reconciler.hpp"

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace weir::agent {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t ahead_at_most_s = 60;  ///< A folder of later than that was made before the clock was set back.
/// From one second to a minute: each attempt may read all of a checkpoint again.
ports::BootInstant pause_after(std::uint32_t failures) { return {std::min<std::int64_t>(1LL << std::min(failures, 6U), 60) * ns_per_s}; }
constexpr ports::BootInstant prepare_within{300 * ns_per_s};  ///< Then the network may try elsewhere: cards that wait cost nobody.
constexpr std::uint32_t bad_at_once_max = 8;  ///< Checkpoints that do not hold; beyond them each one waits longer.
constexpr std::size_t stored_untold_max = 4;  ///< Of a generation, while the server is away; it keeps two.

ports::BootInstant later(ports::BootInstant from, ports::BootInstant by) { return {from.ns + by.ns}; }

/// Names a list of checkpoints to resume from.
Digest digest_of(const std::vector<StoredCheckpoint>& resume) {
    std::string text;
    for (const auto& one : resume) text += fmt::format("{} {}\n", one.manifest.text(), one.name);
    return sha256(text);
}

}  // namespace

// ---- what it resumes from

/// Whether what it resumes from is in place; orders it where it is not, and anew where the list became another before it began: a newer
/// checkpoint came. Files that are there already are not fetched again.
bool Reconciler::is_prepared(const GenerationKey& key, const GenerationRecord& record, const Gang& gang) {
    const auto& desired = *gang.desired;
    const auto wanted = digest_of(desired.resume);
    const bool none_here = std::ranges::all_of(gang.ranks, [](const auto* rank) { return rank == nullptr; });
    if (record.prepared && (!none_here || !record.prepared_of || *record.prepared_of == wanted)) return true;
    auto& memory = memory_[key];
    // What is held for later ends one copy before it begins the next: a job that publishes often would never be told of one. Where it is
    // to begin now, only the last is of use.
    if (memory.preparing && (desired.is_prepare() || *memory.preparing == wanted)) return false;
    if (memory.preparing) {
        desk_.drop(key);
        memory.preparing.reset();
    }
    if (now_ < memory.prepare_after) return false;
    memory.preparing = wanted;
    desk_.order(PrepareOrder{key, desired.project, static_cast<std::int32_t>(desired.placement.nodes.size()), desired.resume,
                             desired.workdir});
    take_answers();
    const auto* now = records_.find(key);
    return now != nullptr && now->prepared && now->prepared_of == wanted;
}

// ---- asking

/// Before a pause only who can be asked is waited for.
bool Reconciler::waits_for_checkpoint(const GenerationKey& key, const Gang& gang) {
    const auto* record = records_.find(key);
    return record != nullptr && can_be_asked(record->checkpoint) && awaits_checkpoint(key, gang, options_.pause_grace);
}

/// It runs on until it has published what it goes on from elsewhere: what it does meanwhile is in there. Its lease is renewed as before.
bool Reconciler::waits_to_leave(const GenerationKey& key, const Gang& gang) {
    if (!leaves(gang) || !awaits_checkpoint(key, gang, *gang.desired->checkpoint_within)) return false;
    const auto deadline = deadline_of(gang.desired->run_on);
    for (const auto* rank : gang.ranks) {
        if (rank != nullptr && deadline && *deadline > now_) renew(key, *rank, *deadline);
    }
    return true;
}

/// Asks once, then waits for a checkpoint that was not there before, at most so long. A gang of which one has ended, or does not run yet,
/// publishes none.
bool Reconciler::awaits_checkpoint(const GenerationKey& key, const Gang& gang, Seconds within) {
    const auto* record = records_.find(key);
    const auto runs = [](const auto* rank) { return rank != nullptr && rank->state == ports::TaskState::running; };
    if (record == nullptr || record->checkpoint == CheckpointProtocol::none || !std::ranges::all_of(gang.ranks, runs)) return false;
    const auto& first = *gang.ranks.front();
    const auto published = backend_.list_checkpoints(first.key);
    if (!published) return false;
    if (!record->asked_ns) return ask_for_checkpoint(key, first, *published);
    const auto& memory = memory_[key];
    // The agent that asked may be gone, and what it saw with it; a folder's last change is when it was named.
    const bool saw = memory.asked_at.has_value();
    const bool came = std::ranges::any_of(*published, [&](const auto& one) {
        if (saw) return !memory.there_when_asked.contains(one.edition);
        return one.changed_s != INT64_MAX && one.changed_s >= *record->asked_s;
    });
    return !came && now_ < later({*record->asked_ns}, {within.value * ns_per_s});
}

/// True where it was asked, or publishes by itself. Who could not be asked is not waited for.
bool Reconciler::ask_for_checkpoint(const GenerationKey& key, const ports::TaskObserved& first,
                                    const std::vector<ports::PublishedCheckpoint>& published) {
    auto record = *records_.find(key);
    if (can_be_asked(record.checkpoint)) {
        if (const auto asked = backend_.request_checkpoint(first.key); !asked) return false;
    }
    auto& memory = memory_[key];
    memory.asked_at = now_;
    for (const auto& one : published) memory.there_when_asked.insert(one.edition);
    record.asked_ns = now_.ns;
    record.asked_s = now_s_;
    save(record);
    spdlog::info("checkpoint.awaited job={} generation={} asked={}", key.job.text(), key.generation, can_be_asked(record.checkpoint));
    return true;
}

/// Once for each number, and it runs on. Who publishes by itself need not be asked.
void Reconciler::ask_as_wanted(const GenerationKey& key, const Gang& gang) {
    const auto wanted = gang.desired->checkpoint_wanted;
    const auto* known = records_.find(key);
    if (!wanted || known == nullptr || known->asked_for >= wanted || !can_be_asked(known->checkpoint)) return;
    const auto runs = [](const auto* rank) { return rank != nullptr && rank->state == ports::TaskState::running; };
    if (!std::ranges::all_of(gang.ranks, runs)) return;
    if (const auto asked = backend_.request_checkpoint(gang.ranks.front()->key); !asked)
        return complain(key, "ask for a checkpoint", asked.error().message);
    auto record = *known;
    record.asked_for = wanted;
    save(record);
}

/// It goes on: the next stop or pause asks anew.
void Reconciler::forget_request(const GenerationKey& key) {
    const auto* known = records_.find(key);
    if (known == nullptr || !known->asked_ns) return;
    auto record = *known;
    record.asked_ns.reset();
    record.asked_s.reset();
    save(record);
    auto& memory = memory_[key];
    memory.asked_at.reset();
    memory.there_when_asked.clear();
}

// ---- what it publishes

void Reconciler::take_answers() {
    for (const auto& answer : desk_.take()) {
        std::visit([this](const auto& one) { take(one); }, answer);
    }
}

void Reconciler::take(const Prepared& answer) {
    auto& memory = memory_[answer.key];
    const auto prepared_of = std::exchange(memory.preparing, std::nullopt);
    for (const auto& remark : answer.remarks) {
        spdlog::warn("checkpoint.bad job={} generation={} why=\"{}\"", answer.key.job.text(), answer.key.generation, remark);
    }
    const auto* known = records_.find(answer.key);
    // What cannot be put in place where it is held is tried again, and refused once it is to begin.
    const bool is_held = known != nullptr && known->is_held();
    if (!answer.refused.empty() && known != nullptr && !is_held) return refuse_for_good(answer.key, answer.refused);
    if (answer.again || !answer.refused.empty()) {
        if (!memory.unprepared_since && !is_held) memory.unprepared_since = now_;
        if (known != nullptr && memory.unprepared_since && now_ >= later(*memory.unprepared_since, prepare_within)) {
            return refuse_for_good(answer.key, fmt::format("what it resumes from could not be put in place for {} s: {}",
                                                           prepare_within.ns / ns_per_s, answer.remarks.back()));
        }
        memory.prepare_after = later(now_, pause_after(memory.put_off++));
        return;
    }
    memory.put_off = 0;
    if (known == nullptr) return;
    auto record = *known;
    record.prepared = true;
    record.resume = answer.name;
    record.prepared_of = prepared_of;
    record.prepared_manifest = answer.name.empty() ? std::nullopt : std::optional{answer.manifest};
    spdlog::info("checkpoint.in_place job={} generation={} name={} held={}", answer.key.job.text(), answer.key.generation,
                 answer.name.empty() ? "none" : answer.name, is_held);
    save(record);
}

void Reconciler::take(const Replicated& answer) {
    auto& memory = memory_[answer.key];
    memory.replicating.reset();
    auto& edition =
        memory.editions.try_emplace(answer.published.edition, Edition{now_s_, place_of(answer.published, memory, 0)}).first->second;
    if (answer.again) {
        memory.replicate_after = later(now_, pause_after(memory.put_off++));
        complain(answer.key, "store a checkpoint", answer.fault);
        return;
    }
    memory.put_off = 0;
    if (!answer.fault.empty()) {
        edition.bad = true;
        if (++memory.bad_in_a_row > bad_at_once_max)
            memory.replicate_after = later(now_, pause_after(memory.bad_in_a_row - bad_at_once_max));
        spdlog::warn("checkpoint.bad job={} generation={} name={} why=\"{}\"", answer.key.job.text(), answer.key.generation,
                     answer.published.name, answer.fault);
        return;
    }
    memory.bad_in_a_row = 0;
    memory.stored_upto = std::max(memory.stored_upto, edition.place);
    spdlog::info("checkpoint.stored job={} generation={} name={} bytes={}", answer.key.job.text(), answer.key.generation,
                 answer.published.name, answer.bytes);
    memory.stored.push_back(
        {{answer.key.job, answer.key.generation, answer.published.name, answer.manifest, answer.bytes, edition.since_s}, answer.published});
    // The newest say all that those before them do.
    if (memory.stored.size() > stored_untold_max) memory.stored.erase(memory.stored.begin());
}

/// Whether it was told to publish a checkpoint before it stops, and goes on from that elsewhere.
bool Reconciler::leaves(const Gang& gang) {
    return gang.closing == Closing::stop_ordered && gang.desired != nullptr && gang.desired->checkpoint_within.has_value() &&
           gang.view.any_here;
}

/// Whether what it publishes is of no use to anybody any more: its job is over, or goes on elsewhere without it.
bool Reconciler::is_given_up(const Gang& gang) {
    if (gang.closing == Closing::stop_ordered) return !leaves(gang);
    return gang.closing == Closing::superseded || gang.closing == Closing::undesired;
}

void Reconciler::drop_copies(const GenerationKey& key, const Gang& gang) {
    if (!is_given_up(gang)) return;
    const auto found = memory_.find(key);
    if (found == memory_.end()) return;
    auto& memory = found->second;
    // What a job leaves that was told to stop is kept all the same.
    const bool drops_outputs = memory.keeping_outputs && gang.closing != Closing::stop_ordered;
    if (!memory.replicating && !memory.preparing && !drops_outputs) return;
    desk_.drop(key);
    memory.replicating.reset();
    memory.preparing.reset();
    memory.keeping_outputs = false;
}

/// Orders the newest checkpoint that holds, where the store does not have it. True where the order may be answered already.
bool Reconciler::replicate(const GenerationKey& key, const Gang& gang) {
    const auto* record = records_.find(key);
    if (record == nullptr || gang.ranks.empty() || gang.ranks.front() == nullptr || record->end_known) return false;
    if (is_given_up(gang)) return false;
    auto& memory = memory_[key];
    auto published = published_to_store(key, gang);
    if (!published) return false;
    remember_editions(*published, *record, memory);
    if (now_ < memory.replicate_after) return false;
    if (memory.replicating && !leaves(gang)) return false;
    const auto age_of = [&](const ports::PublishedCheckpoint& one) { return memory.editions.at(one.edition).place; };
    std::ranges::sort(*published, std::greater{}, age_of);
    for (const auto& one : *published) {
        const auto& known = memory.editions.at(one.edition);
        if (known.place <= memory.stored_upto || one.edition == record->replicated_edition) return false;
        if (known.bad) continue;
        if (memory.replicating) {
            // Of a task that leaves only the last is of use, and its job waits for that.
            if (known.place <= memory.editions.at(memory.replicating->edition).place) return false;
            desk_.drop(key);
        }
        name_other_ranks(key, gang);
        memory.replicating = one;
        desk_.order(ReplicateOrder{key, record->project, one});
        return true;
    }
    return false;
}

Reconciler::Place Reconciler::place_of(const ports::PublishedCheckpoint& one, const Memory& memory, std::size_t index) const {
    return {era_, std::min(one.made_ns, seconds(now_s_ + 1).ns), memory.looks, index};
}

/// Whether the agent before this one passed it over: it was made before what that one stored, or before the clock was set back.
bool Reconciler::was_passed_over(const ports::PublishedCheckpoint& one, const GenerationRecord& record) const {
    if (record.replicated_made_ns == 0 || !one.is_made_known()) return false;
    return one.made_ns < record.replicated_made_ns || one.made_ns > seconds(now_s_ + ahead_at_most_s).ns;
}

/// A copy takes its time, and waits for others: what is in a checkpoint is what was done until it was published, not until it was copied.
void Reconciler::remember_editions(const std::vector<ports::PublishedCheckpoint>& published, const GenerationRecord& record,
                                   Memory& memory) const {
    const bool is_first = memory.looks++ == 0;
    if (is_first && record.replicated_made_ns > 0)
        memory.stored_upto =
            std::max(memory.stored_upto, Place{.era = era_, .made_ns = std::min(record.replicated_made_ns, seconds(now_s_).ns)});
    std::set<std::string_view> there;
    for (const auto& one : published) {
        auto place = place_of(one, memory, there.size());
        if (is_first && was_passed_over(one, record)) place.era = 0;
        memory.editions.try_emplace(one.edition, Edition{std::min(now_s_, one.changed_s), place});
        there.insert(one.edition);
    }
    if (memory.editions.size() == there.size()) return;
    if (memory.replicating) there.insert(memory.replicating->edition);
    std::erase_if(memory.editions, [&](const auto& one) { return !there.contains(one.first); });
}

/// What is published under names that can be stored, oldest first. The others are named once, one of them for all.
std::optional<std::vector<ports::PublishedCheckpoint>> Reconciler::published_to_store(const GenerationKey& key, const Gang& gang) {
    auto published = backend_.list_checkpoints(gang.ranks.front()->key);
    if (!published) {
        if (published.error().fault == ports::BackendFault::bad_checkpoint)
            complain(key, "list its checkpoints", published.error().message);
        return std::nullopt;
    }
    const auto has_name = [](const ports::PublishedCheckpoint& one) { return is_name(one.name); };
    const auto unfit = std::ranges::find_if_not(*published, has_name);
    if (unfit == published->end()) return std::move(*published);
    complain(key, "name its checkpoints",
             unfit->name + ": a name has 1 to 63 of a-z, 0-9, '-' and '.'; the task must publish under such a one");
    std::erase_if(*published, std::not_fn(has_name));
    return std::move(*published);
}

/// A gang's checkpoint is what node rank 0 publishes. What the others publish stays where it is, and that is said once.
void Reconciler::name_other_ranks(const GenerationKey& key, const Gang& gang) {
    auto& memory = memory_[key];
    for (std::size_t i = 1; i < gang.ranks.size() && !memory.other_ranks_seen; ++i) {
        if (gang.ranks[i] == nullptr) continue;
        const auto published = backend_.list_checkpoints(gang.ranks[i]->key);
        if (!published || published->empty()) continue;
        memory.other_ranks_seen = true;
        spdlog::warn("checkpoint.not_stored job={} generation={} rank={} name={} why=\"a gang's checkpoint is what node rank 0 publishes; "
                     "gather the others' parts there\"",
                     key.job.text(), key.generation, i, published->back().name);
    }
}

bool Reconciler::checkpoints_settled(const GenerationKey& key, const Gang& gang) const {
    const auto within = leaves(gang) ? std::max(options_.leave_within, options_.replicate_within) : options_.replicate_within;
    if (now_s_ >= gang.view.ended_at_s + within.value) return true;
    const auto found = memory_.find(key);
    return found == memory_.end() || (!found->second.replicating && found->second.replicate_after <= now_);
}

}  // namespace weir::agent
