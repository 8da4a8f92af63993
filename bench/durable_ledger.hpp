// bench/durable_ledger.hpp: the ledger on the real journal: batches judged, written as events, chained, appended and synced.
//
// All on one thread, one after the other, as the core's writer does it, while another thread moves the write-ahead log. At the end
// the journal is read again and folded into fresh books: they must be the books that were kept.
#pragma once

#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "bench/checkpoints.hpp"
#include "bench/ledger_load.hpp"
#include "control/entry.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::bench {

struct LedgerRound {
    /// Where the time of a batch goes.
    enum Part : std::uint8_t { judge = 0, text = 1, hash = 2, append = 3, parts = 4 };
    static constexpr std::array<std::string_view, parts> part_names{"judge_and_book", "journal_text", "hash_chain", "append_and_sync"};

    double seconds = 0;
    double floor_seconds = 0;
    std::array<double, parts> part_ms{};  ///< Of a batch, mean.
    std::vector<double> batch_ms;
    std::size_t bytes = 0;  ///< Of all batches.
};

/// Reads the journal again: the same postings must give the same books.
inline void check_books(ports::Journal& journal, const ledger::Ledger& books, ledger::Ledger again) {
    const auto head = journal.head();
    if (!head) give_up("the journal has no head");
    for (std::uint64_t revision = 1; revision <= head->revision; ++revision) {
        const auto record = journal.read(revision, 1, ports::max_record_bytes);
        if (!record || record->empty()) give_up("a record is gone");
        const auto entry = control::read_entry(record->front().text);
        if (!entry) give_up("a record cannot be read: " + entry.error());
        const auto& posted = std::get<control::LedgerPosted>(entry->event);
        for (const auto& posting : posted.postings) {
            if (!again.apply(ledger::Fact{posting})) give_up("a posting breaks a law");
        }
        if (posted.forgotten && !again.apply(ledger::Fact{*posted.forgotten})) give_up("ids cannot be forgotten");
    }
    if (books.digest() != again.digest()) give_up("the journal does not give back the books");
    if (!books.verify().empty()) give_up("a law does not hold");
}

/// Batches of `size` transfers, at most ledger::batch_max, and then the floor: the same bytes, one write() and one fdatasync() each.
[[nodiscard]] inline LedgerRound run_ledger(const Directory& directory, const std::string& name, std::size_t size, int batches,
                                            std::uint64_t seed) {
    using Clock = std::chrono::steady_clock;
    using enum LedgerRound::Part;
    TransferSource source({.load = LedgerLoad::moves, .accounts = 10'000, .batches = batches}, seed);
    ledger::Ledger books = open_books(source);
    const ledger::Ledger fresh = open_books(source);
    auto journal = store::open_journal({.path = directory.file(name + ".db")});
    if (!journal) give_up(journal.error().message);
    ports::Head head = (*journal)->head().value();
    LedgerRound round;
    std::vector<std::string> texts;
    {
        const Checkpoints checkpoints{**journal};
        ledger::BatchResult result;
        for (int i = 0; i < batches; ++i) {
            const auto transfers = std::span{source.next()}.first(size);
            std::array<Clock::time_point, parts + 1> at{};
            at[judge] = Clock::now();
            const auto done = books.execute(transfers, source.now(), result);
            auto forgotten = books.decide_forget(source.now());
            if (forgotten && !books.apply(*forgotten)) give_up("ids are not forgotten");
            if (!done || result.facts.size() != transfers.size()) give_up("a transfer was refused");
            at[text] = Clock::now();
            control::Entry entry{head.revision + 1, source.now(), "system", control::LedgerPosted{{}, std::move(result.facts), forgotten}};
            ports::Record record{.revision = entry.revision, .text = {}, .hash = {}};
            control::write_entry(entry, record.text);
            at[hash] = Clock::now();
            record.hash = chain(head.hash, record.text);
            at[append] = Clock::now();
            const auto durable = (*journal)->append({&record, 1}, (*journal)->epoch());
            if (!durable) give_up(durable.error().message);
            at[parts] = Clock::now();
            head = {record.revision, record.hash};
            const auto ms = [&](std::size_t from, std::size_t to) {
                return std::chrono::duration<double, std::milli>(at.at(to) - at.at(from)).count();
            };
            for (std::size_t part = 0; part < parts; ++part) round.part_ms.at(part) += ms(part, part + 1) / batches;
            round.batch_ms.push_back(ms(0, parts));
            round.seconds += ms(0, parts) / 1'000;
            round.bytes += record.text.size();
            texts.push_back(std::move(record.text));
        }
    }
    check_books(**journal, books, fresh);
    SyncedFile floor{directory.file(name + ".floor")};
    const auto from = Clock::now();
    for (const auto& one : texts) {
        if (!floor.append(one)) give_up("the floor's file cannot be written");
    }
    round.floor_seconds = std::chrono::duration<double>(Clock::now() - from).count();
    return round;
}

}  // namespace weir::bench
