#include "control/writer.hpp"

#include <algorithm>
#include <utility>

namespace weir::control {

Writer::Writer(Core core, ports::Journal& journal) : core_{std::move(core)}, journal_{journal} {
    if (const auto head = journal_.head()) head_ = *head;
}

void Writer::take(Event event, const std::string& actor, Instant at, Committed& committed) {
    Entry entry{head_.revision + 1, at, actor, std::move(event)};
    apply(core_, entry.event, entry.revision, at);
    ports::Record record;
    record.revision = entry.revision;
    write_entry(entry, record.text);
    record.hash = chain(head_.hash, record.text);
    head_ = {record.revision, record.hash};
    records_.push_back(std::move(record));
    committed.entries.push_back(std::move(entry));
}

ports::JournalResult<BatchOutcome> Writer::commit(std::span<const Request> requests, Instant now) {
    const Instant at = std::max(now, core_.state.now);
    BatchOutcome outcome;
    auto committed = std::make_shared<Committed>();
    records_.clear();
    for (const auto& request : requests) {
        auto decision = decide(core_, request, at);
        const auto actor = request.actor.text();
        for (auto& event : decision.events) take(std::move(event), actor, at, *committed);
        outcome.answers.push_back(std::move(decision.answer));
    }
    for (auto& event : decide_placements(core_, at)) take(std::move(event), "system", at, *committed);
    if (core_.state.ledger_broken) {
        return fail(ports::JournalError{ports::JournalFault::does_not_continue,
                                        "what was decided breaks a law of the ledger, and was not written; this is a bug of the program: "
                                        "start it again, and report it with the end of its log"});
    }
    if (!records_.empty()) {
        if (auto done = journal_.append(records_, journal_.epoch()); !done) return fail(std::move(done).error());
    }
    committed->revision = head_.revision;
    committed->head = head_.hash;
    outcome.committed = std::move(committed);
    return outcome;
}

}  // namespace weir::control
