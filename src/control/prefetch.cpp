#include "control/prefetch.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::control {
namespace {

constexpr std::size_t list_max = 2'048;
constexpr std::size_t list_bytes_max = 8U << 20U;
constexpr std::size_t lists_ahead = 24;

}  // namespace

Prefetch::Prefetch(ports::JournalReader& journal, std::uint64_t from, std::uint64_t until)
    : journal_{journal}, until_{until}, thread_{[this, from] { run(from); }} {}

Prefetch::~Prefetch() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Prefetch::List Prefetch::read(std::uint64_t from) {
    auto records = journal_.read(from, list_max, list_bytes_max);
    if (!records) return fail(std::move(records).error().message);
    std::vector<Entry> entries;
    entries.reserve(records->size());
    for (const auto& record : *records) {
        if (record.revision > until_) break;
        auto entry = read_entry(record.text);
        if (!entry)
            return fail(
                fmt::format("the journal's revision {} {}; nothing was started; restore a backup or start the program that wrote it",
                            record.revision, entry.error()));
        if (entry->revision != record.revision) {
            return fail(fmt::format("the journal's revision {} holds a text that says {}; verify the journal: weir audit verify",
                                    record.revision, entry->revision));
        }
        entries.push_back(std::move(*entry));
    }
    return entries;
}

void Prefetch::run(std::uint64_t from) {
    for (;;) {
        auto list = read(from);
        if (list && !list->empty()) from = list->back().revision + 1;
        std::unique_lock lock{mutex_};
        over_ = !list || list->empty();
        ready_.push_back(std::move(list));
        changed_.notify_all();
        if (over_) return;
        changed_.wait(lock, [&] { return stopping_ || ready_.size() < lists_ahead; });
        if (stopping_) return;
    }
}

Prefetch::List Prefetch::next() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return !ready_.empty(); });
    if (over_ && ready_.size() == 1) return ready_.front();
    auto list = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return list;
}

}  // namespace weir::control
