#include "control/writer.hpp"

#include "domain/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir::control {

namespace {

static_assert(3 * limits::nodes_per_site_max <= ports::max_batch_records,
              "a site that names all its nodes anew must fit into one transaction, with room for what else its report says");

Refusal too_large(std::size_t events, const TransactionSize& size) {
    return {RefusalCode::too_large,
            fmt::format("the request makes {} events, and one transaction takes {} of them, {} bytes in all and {} bytes each; send it in "
                        "parts",
                        events, size.records_most, size.bytes_most, ports::max_record_bytes),
            {},
            {}};
}

}  // namespace

Writer::Writer(Core core, ports::Journal& journal, TransactionSize size) : core_{std::move(core)}, journal_{journal}, size_{size} {
    if (const auto head = journal_.head()) head_ = *head;
}

Writer::Fit Writer::take(std::vector<Event>& events, const std::string& actor, Instant at, Draft& draft) {
    const auto first = draft.entries.size();
    std::size_t bytes = 0;
    bool fits = events.size() <= size_.records_most;
    for (std::size_t i = 0; i < events.size() && fits; ++i) {
        const auto& entry = draft.entries.emplace_back(Entry{head_.revision + i + 1, at, actor, std::move(events[i])});
        auto& record = records_.emplace_back(ports::Record{entry.revision, {}, {}});
        write_entry(entry, record.text);
        bytes += record.text.size();
        fits = record.text.size() <= ports::max_record_bytes && bytes <= size_.bytes_most;
    }
    const bool full = first > 0 && (first + events.size() > size_.records || draft.bytes + bytes > size_.bytes);
    if (!fits || full) {
        draft.entries.resize(first);
        records_.resize(first);
        return fits ? Fit::full : Fit::too_large;
    }
    draft.bytes += bytes;
    for (auto i = first; i < draft.entries.size(); ++i) {
        const auto& entry = draft.entries[i];
        apply(core_, entry.event, entry.revision, at);
        records_[i].hash = chain(head_.hash, records_[i].text);
        head_ = {entry.revision, records_[i].hash};
    }
    return Fit::taken;
}

/// What follows from the requests by itself. Where the transaction is full, the rest follows in the next.
void Writer::follow_up(Instant at, Draft& draft) {
    std::size_t room = core_.policy.timers_per_pass;
    while (room > 0 && !core_.state.forsaken.empty()) {
        // A few at a time: those that waited for these are known only when these have left.
        const auto some = std::min<std::size_t>({room, core_.state.forsaken.size(), 100});
        auto events = decide_forsaken(core_, at, some);
        if (take(events, "system", at, draft) != Fit::taken) return;
        room -= some;
    }
    for (auto& placed : decide_placements(core_, at)) {
        std::vector<Event> one;
        one.push_back(std::move(placed));
        if (take(one, "system", at, draft) != Fit::taken) return;
    }
}

ports::JournalResult<BatchOutcome> Writer::commit(std::span<const Request> requests, Instant now) {
    const Instant at = std::max(now, core_.state.now);
    BatchOutcome outcome;
    Draft draft;
    draft.entries.reserve(2 * requests.size());
    outcome.answers.reserve(requests.size());
    records_.clear();
    for (const auto& request : requests) {
        auto decision = decide(core_, request, at);
        const auto events = decision.events.size();
        const auto fit = take(decision.events, request.actor.text(), at, draft);
        if (fit == Fit::full) break;
        outcome.answers.push_back(fit == Fit::taken ? std::move(decision.answer) : fail(too_large(events, size_)));
    }
    follow_up(at, draft);
    if (core_.state.ledger_broken) {
        return fail(ports::JournalError{ports::JournalFault::does_not_continue,
                                        "what was decided breaks a law of the ledger, and was not written; this is a bug of the program: "
                                        "start it again, and report it with the end of its log"});
    }
    if (!records_.empty()) {
        if (auto done = journal_.append(records_, journal_.epoch()); !done) return fail(std::move(done).error());
    }
    auto committed = std::make_shared<Committed>();
    committed->entries = std::move(draft.entries);
    committed->revision = head_.revision;
    committed->head = head_.hash;
    committed->bytes = draft.bytes;
    outcome.committed = std::move(committed);
    return outcome;
}

}  // namespace weir::control
