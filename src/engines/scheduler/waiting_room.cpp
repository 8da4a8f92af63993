#include "engines/scheduler/waiting_room.hpp"

#include "engines/scheduler/check.hpp"

#include <algorithm>

namespace weir::scheduler {
namespace {

/// A slot of `all`: a free one, or a new one at the end.
template <class T>
Slot take_slot(std::vector<T>& all, std::vector<Slot>& free) {
    if (free.empty()) {
        all.emplace_back();
        return static_cast<Slot>(all.size() - 1);
    }
    const Slot slot = free.back();
    free.pop_back();
    return slot;
}

}  // namespace

Slot WaitingRoom::open_class(Ask ask, Slot project) {
    const auto [at, made] = asks_.try_emplace(normal_form(std::move(ask)), no_slot);
    if (!made) return at->second;
    const Slot slot = take_slot(classes_, free_classes_);
    at->second = slot;
    AskClass& one = classes_[slot];
    one.ask = &at->first;
    one.project = project;
    for (const Alternative& way : one.ask->alternatives) {
        const auto [need, is_new] = need_slots_.try_emplace(need_of(*one.ask, way), no_slot);
        if (is_new) {
            need->second = take_slot(needs_, free_needs_);
            needs_[need->second].need = &need->first;
        }
        ++needs_[need->second].users;
        one.needs.push_back(need->second);
    }
    if (!one.ask->funding.empty()) funding_users_[one.ask->funding].insert(slot);
    return slot;
}

void WaitingRoom::close_class(Slot slot) {
    unblock(slot);
    AskClass& one = classes_[slot];
    for (const Slot need : one.needs) {
        if (--needs_[need].users > 0) continue;
        need_slots_.erase(need_slots_.find(*needs_[need].need));
        needs_[need] = NeedRecord{};
        free_needs_.push_back(need);
    }
    if (const auto users = funding_users_.find(one.ask->funding); users != funding_users_.end()) {
        users->second.erase(slot);
        if (users->second.empty()) funding_users_.erase(users);
    }
    asks_.erase(asks_.find(*one.ask));
    one = AskClass{};
    free_classes_.push_back(slot);
}

Waiting WaitingRoom::enter(Ask ask, QueueKey key, Instant not_before, std::int32_t dependencies, Slot project) {
    Waiting waiting{.ask_class = open_class(std::move(ask), project), .key = key, .not_before = not_before, .dependencies = dependencies};
    ++classes_[waiting.ask_class].jobs;
    if (dependencies > 0) {
        waiting.hold = Hold::dependency;
        ++dependent_;
    } else if (not_before.ns != INT64_MIN) {
        waiting.hold = Hold::time;
        held_.emplace(not_before, key.job);
    } else {
        make_ready(waiting);
    }
    return waiting;
}

void WaitingRoom::make_ready(Waiting& waiting) {
    waiting.hold = Hold::ready;
    ++ready_;
    AskClass& one = classes_[waiting.ask_class];
    one.ready.insert(waiting.key);
    if (!one.blocked) wake(waiting.ask_class);
    if (one.blocked && waiting.key < one.listed_as) list_anew(waiting.ask_class);
}

void WaitingRoom::leave(const Waiting& waiting) {
    AskClass& one = classes_[waiting.ask_class];
    if (waiting.hold == Hold::dependency) --dependent_;
    if (waiting.hold == Hold::time) held_.erase({waiting.not_before, waiting.key.job});
    if (waiting.hold == Hold::ready) {
        one.ready.erase(waiting.key);
        --ready_;
    }
    if (one.blocked && one.ready.empty()) unblock(waiting.ask_class);
    // Who leaves may come back in another class of the same need, whose place in the list must be free.
    if (one.blocked && one.listed_as == waiting.key) list_anew(waiting.ask_class);
    if (--one.jobs == 0) close_class(waiting.ask_class);
}

std::vector<Slot> WaitingRoom::take_awake() {
    std::vector<Slot> taken;
    for (const Slot slot : awake_) {
        // A slot is listed twice when its class ended and another took the slot.
        if (!classes_[slot].awake) continue;
        classes_[slot].awake = false;
        taken.push_back(slot);
    }
    awake_.clear();
    return taken;
}

void WaitingRoom::enlist(AskClass& one, Slot slot) {
    one.listed_as = *one.ready.begin();
    for (const auto& [pool, need] : one.shut) {
        if (lists_.size() <= pool) lists_.resize(pool + 1);
        lists_[pool][need].insert({one.listed_as, slot});
    }
}

void WaitingRoom::unlist(AskClass& one) {
    for (const auto& [pool, need] : one.shut) {
        const auto list = lists_[pool].find(need);
        if (list == lists_[pool].end()) continue;  // Two alternatives of one need share an entry.
        list->second.erase({.key = one.listed_as});
        if (list->second.empty()) lists_[pool].erase(list);
    }
}

void WaitingRoom::list_anew(Slot slot) {
    unlist(classes_[slot]);
    enlist(classes_[slot], slot);
}

void WaitingRoom::unblock(Slot slot) {
    AskClass& one = classes_[slot];
    unlist(one);
    one.shut.clear();
    if (one.watches_project) project_watchers_[one.project].erase(slot);
    one.watches_project = false;
    one.blocked = false;
}

void WaitingRoom::wake(Slot slot) {
    AskClass& one = classes_[slot];
    if (one.blocked) unblock(slot);
    if (one.awake) return;
    one.awake = true;
    awake_.push_back(slot);
}

void WaitingRoom::wake_all() {
    for (const auto& [ask, slot] : asks_) wake(slot);
}

void WaitingRoom::wake_watchers_of_project(Slot project) {
    if (project >= project_watchers_.size()) return;
    while (!project_watchers_[project].empty()) wake(*project_watchers_[project].begin());
}

void WaitingRoom::wake_users_of_funding(const std::string& funding) {
    const auto users = funding_users_.find(funding);
    if (users == funding_users_.end()) return;
    for (const Slot slot : users->second) {
        classes_[slot].epoch = UINT64_MAX;
        wake(slot);
    }
}

void WaitingRoom::block(Slot slot, std::vector<Shut> shut, bool by_project) {
    AskClass& one = classes_[slot];
    one.blocked = true;
    one.shut = std::move(shut);
    enlist(one, slot);
    one.watches_project = by_project;
    if (!by_project) return;
    if (project_watchers_.size() <= one.project) project_watchers_.resize(one.project + 1);
    project_watchers_[one.project].insert(slot);
}

const std::map<Slot, WatchList>& WaitingRoom::lists_of(Slot pool) {
    if (lists_.size() <= pool) lists_.resize(pool + 1);
    return lists_[pool];
}

}  // namespace weir::scheduler
