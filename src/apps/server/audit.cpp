#include "apps/server/audit.hpp"

#include "adapters/store_sqlite/restore.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/views_sql/views.hpp"
#include "control/recover.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

namespace weir::server {
namespace {

bool holds(bool so, const std::string& what) {
    fmt::print("{:<5} {}\n", so ? "ok" : "FAIL", what);
    return so;
}

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

bool check_views(const std::string& path, ports::JournalReader& journal, const control::Core& folded) {
    if (!std::filesystem::exists(path)) return holds(true, "there are no views; they are built at the server's next start");
    // On a copy: the views of a running server stay its own.
    const auto copy = path + ".audit";
    std::error_code error;
    for (const auto* part : {"", "-wal"}) {
        if (std::filesystem::exists(path + part))
            std::filesystem::copy_file(path + part, copy + part, std::filesystem::copy_options::overwrite_existing, error);
    }
    bool fine = !error;
    if (fine) {
        auto views = views::Views::open(copy);
        fine = views.has_value();
        while (fine && (*views)->watermark() < folded.state.revision) {
            const auto taken = (*views)->catch_up(journal, 10'000);
            fine = taken && *taken > 0;
        }
        std::vector<std::string> expected;
        for (const auto& [id, job] : folded.state.jobs) {
            std::int64_t used = 0;
            for (const auto& usage : job.usage) {
                used += (usage.secured + usage.at_risk).value;
                for (const auto& [cause, lost] : usage.lost) used += lost.value;
            }
            expected.push_back(fmt::format("{} {} {} {}", id.text(), job.project.value, job.generation, used));
        }
        if (fine) {
            const auto said = (*views)->live_jobs();
            fine = said && *said == expected;
        }
    }
    for (const auto* part : {"", "-wal", "-shm"}) std::filesystem::remove(copy + part, error);
    return holds(fine, fmt::format("the views say what the state says of {} live jobs", folded.state.jobs.size()));
}

}  // namespace

bool audit_store(const std::string& data, const Catalogue& catalogue) {
    auto journal = store::open_reader(data + "/weir.db");
    if (!journal) return holds(false, journal.error().message);
    const auto verified = (*journal)->verify(1, UINT64_MAX);
    if (!verified) return holds(false, verified.error().message);
    if (verified->bad) {
        return holds(false, fmt::format("the chain breaks at revision {}: stored {}, computed {}: {}", verified->bad->revision,
                                        verified->bad->stored.text(), verified->bad->computed.text(), verified->bad->problem));
    }
    holds(true, fmt::format("the chain of {} records holds; its head is {}", verified->records, verified->end.hash.text()));
    const auto folded = control::recover(**journal, {}, catalogue, {.use_snapshots = false});
    if (!folded) return holds(false, folded.error());
    bool all = holds(folded->core.state.ledger.verify().empty(), "every law of the ledger holds, swept in full");
    all = check_snapshots(**journal, folded->core) && all;
    return check_views(data + "/views.db", **journal, folded->core) && all;
}

bool restore(const RestoreRequest& request) {
    std::optional<Instant> until;
    if (!request.until_time.empty()) {
        until = parse_utc(request.until_time);
        if (!until) return holds(false, fmt::format("--until-time {} must be such as 2026-11-22T06:00:00Z", request.until_time));
    }
    std::error_code error;
    std::filesystem::create_directories(request.target, error);
    store::RestoreOptions options{
        .source = request.source, .target = request.target + "/weir.db", .until_revision = request.until_revision};
    if (until) {
        options.keep = [until](const ports::Record& record) {
            const auto entry = control::read_entry(record.text);
            return entry && entry->at <= *until;
        };
    }
    const auto restored = store::restore_store(options);
    if (!restored) return holds(false, restored.error().message);
    return holds(
        true,
        fmt::format(
            "{} holds revision {} and all before it; {} later records of the source were left out; start it with weir-server --data {}",
            options.target, restored->head.revision, restored->left_out, request.target));
}

}  // namespace weir::server
