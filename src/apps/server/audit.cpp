#include "apps/server/audit.hpp"

#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/views_sql/views.hpp"
#include "control/recover.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace weir::server {

bool holds(bool so, const std::string& what) {
    fmt::print("{:<5} {}\n", so ? "ok" : "FAIL", what);
    return so;
}

namespace {

bool check_snapshots(ports::JournalReader& journal, const control::Core& folded) {
    const auto search = journal.latest_snapshot(control::state_version());
    if (!search) return holds(false, search.error().message);
    for (const auto& remark : search->passed_over) holds(true, "passed over: " + remark);
    if (!search->found) return holds(true, "no snapshot of this version is kept; the journal alone is the truth");
    const auto by_snapshot = control::recover(journal, folded.policy, folded.catalogue);
    if (!by_snapshot) return holds(false, by_snapshot.error());
    return holds(control::digest_of(by_snapshot->core.state) == control::digest_of(folded.state),
                 fmt::format("the snapshot of revision {} and {} events after it make the same state as the whole journal",
                             by_snapshot->snapshot_revision, by_snapshot->replayed));
}

/// What the views should say of each live job: Views::live_jobs().
std::vector<std::string> expected_lines(const control::State& state) {
    std::vector<std::string> lines;
    for (const auto& [id, job] : state.jobs) {
        std::int64_t used = 0;
        for (const auto& usage : job.usage) {
            used += (usage.secured + usage.at_risk).value;
            for (const auto& [cause, lost] : usage.lost) used += lost.value;
        }
        lines.push_back(fmt::format("{} {} {} {}", id.text(), job.project.value, job.generation, used));
    }
    return lines;
}

/// What a copy of the views says once it has taken in all of the journal: the views of a running server stay its own.
Result<std::vector<std::string>, std::string> live_lines(const std::string& path, const std::string& copy, ports::JournalReader& journal,
                                                         std::uint64_t revision) {
    WEIR_CHECK(views::Views::copy(path, copy));
    auto views = WEIR_TRY(views::Views::open(copy));
    while (views->watermark() < revision) {
        if (WEIR_TRY(views->catch_up(journal, 10'000)) == 0) break;
    }
    return views->live_jobs();
}

bool check_views(const std::string& path, ports::JournalReader& journal, const control::Core& folded) {
    if (path.empty()) return true;
    if (!std::filesystem::exists(path)) return holds(true, "there are no views; they are built at the server's next start");
    const auto copy = path + ".audit";
    const auto said = live_lines(path, copy, journal, folded.state.revision);
    std::error_code ignored;
    for (const auto* part : {"", "-wal", "-shm"}) std::filesystem::remove(copy + part, ignored);
    if (!said) return holds(false, said.error());
    const bool same = *said == expected_lines(folded.state);
    return holds(same, fmt::format("the views say {} the state says of {} live jobs", same ? "what" : "something else than",
                                   folded.state.jobs.size()));
}

}  // namespace

bool audit_store(const AuditRequest& request, const Catalogue& catalogue) {
    auto journal = store::open_reader(request.store);
    if (!journal) return holds(false, journal.error().message);
    const auto verified = (*journal)->verify(1, UINT64_MAX);
    if (!verified) return holds(false, verified.error().message);
    if (verified->bad) {
        return holds(false, fmt::format("the chain holds for {} records and breaks at revision {}: {}", verified->records,
                                        verified->bad->revision, verified->bad->problem));
    }
    holds(true, fmt::format("the chain of {} records holds; its head is {}", verified->records, verified->end.hash.text()));
    const auto folded = control::recover(**journal, {}, catalogue, {.use_snapshots = false});
    if (!folded) return holds(false, folded.error());
    const auto law = control::broken_law(folded->core.state);
    bool all = holds(!law, law ? "a law of the ledger is broken: " + *law : "every law of the ledger holds, swept in full");
    all = check_snapshots(**journal, folded->core) && all;
    return check_views(request.views, **journal, folded->core) && all;
}

}  // namespace weir::server
