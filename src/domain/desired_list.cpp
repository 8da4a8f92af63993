#include "domain/desired_list.hpp"

#include <utility>

namespace weir {
namespace {

std::string line_of(const JobId& job, std::uint32_t generation, Wanted wanted, const Placement& placement) {
    std::string line = job.text();
    line += ' ';
    line += std::to_string(generation);
    line += wanted == Wanted::run ? " run " : wanted == Wanted::stop ? " stop " : " prepare ";
    line += placement.site.text();
    line += ' ';
    line += placement.model;
    for (const auto& placed : placement.nodes) {
        line += ' ';
        line += placed.node.text();
        for (const auto& card : placed.cards) {
            line += ':';
            line += std::to_string(card.index);
            line += '/';
            line += std::to_string(card.share.value);
        }
    }
    return line;
}

}  // namespace

Digest joined(const Digest& a, const Digest& b) {
    Digest both = a;
    for (std::size_t i = 0; i < both.bytes.size(); ++i) both.bytes[i] ^= b.bytes[i];
    return both;
}

void toggle(Digest& digest, const JobId& job, std::uint32_t generation, Wanted wanted, const Placement& placement) {
    digest = joined(digest, chain(Digest{}, line_of(job, generation, wanted, placement)));
}

Digest digest_of(const std::vector<DesiredTask>& tasks) {
    Digest digest;
    for (const auto& task : tasks) toggle(digest, task.job, task.generation, wanted_of(task), task.placement);
    return digest;
}

void DesiredList::remove(const JobId& job) {
    const auto known = tasks_.find(job);
    if (known == tasks_.end()) return;
    const auto& task = known->second;
    toggle(digest_, task.job, task.generation, wanted_of(task), task.placement);
    tasks_.erase(known);
    touched_ = true;
}

void DesiredList::set(DesiredTask task) {
    remove(task.job);
    toggle(digest_, task.job, task.generation, wanted_of(task), task.placement);
    touched_ = true;
    const auto job = task.job;
    tasks_.insert_or_assign(job, std::move(task));
}

DesiredList::Heard DesiredList::differs() {
    ++differed_;
    since_ = 0;
    after_.reset();
    return Heard::differs;
}

DesiredList::Heard DesiredList::hear(std::uint64_t number, DesiredPage page) {
    if (number != asked_ || number == heard_) return Heard::ignored;
    heard_ = number;
    whole_ = false;
    if (page.full) {
        tasks_.clear();
        digest_ = {};
        touched_ = true;
    } else if (page.revision < since_) {
        return differs();
    }
    for (const auto& job : page.removed) remove(job);
    for (auto& task : page.set) set(std::move(task));
    since_ = page.revision;
    after_ = page.after;
    if (page.more) return Heard::part;
    after_.reset();
    if (digest_ != page.digest) return differs();
    whole_ = true;
    return std::exchange(touched_, false) ? Heard::changed : Heard::same;
}

Desired DesiredList::list() const {
    Desired desired{since_, {}};
    desired.tasks.reserve(tasks_.size());
    for (const auto& [job, task] : tasks_) desired.tasks.push_back(task);
    return desired;
}

}  // namespace weir
