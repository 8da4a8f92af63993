#include "apps/server/audit.hpp"

#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "adapters/views_sql/views.hpp"
#include "control/recover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace weir::server {

bool holds(bool so, const std::string& what) {
    fmt::print("{:<5} {}\n", so ? "ok" : "FAIL", what);
    return so;
}

namespace {

/// Asks the store once: beside a running server the newest snapshot of one moment is not that of the next.
bool check_snapshots(ports::JournalReader& journal, const control::Core& folded) {
    const auto by_snapshot = control::recover(journal, folded.policy, folded.catalogue, {.until = folded.state.revision});
    if (!by_snapshot) return holds(false, by_snapshot.error());
    for (const auto& remark : by_snapshot->remarks) fmt::print("      {}\n", remark);
    if (!by_snapshot->unsound.empty())
        return holds(false, fmt::format("the snapshot of revision {} says what it holds", by_snapshot->unsound.front()));
    if (by_snapshot->snapshot_revision == 0) return holds(true, "no snapshot of this version is kept; the journal alone is the truth");
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

/// A folder for copies of the views for the time of an audit, beside them or, where their disk can only be read, where the system keeps
/// what is temporary; gone with it.
class ViewsAside {
public:
    explicit ViewsAside(const std::string& views) {
        if (views.empty()) return;
        std::error_code ignored;
        for (const auto& place : {views, (std::filesystem::temp_directory_path(ignored) / "weir-views").string()}) {
            path_ = place + ".audit.XXXXXX";
            if (::mkdtemp(path_.data()) != nullptr) return;
        }
    }
    ViewsAside(const ViewsAside&) = delete;
    ViewsAside& operator=(const ViewsAside&) = delete;
    ~ViewsAside() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string copy() const { return path_ + "/views.db"; }
    [[nodiscard]] std::string anew() const { return path_ + "/anew.db"; }

private:
    std::string path_;
};

Result<void, std::string> catch_up(views::Views& views, ports::JournalReader& journal, std::uint64_t revision) {
    while (views.watermark() < revision) {
        const auto taken = WEIR_TRY(views.catch_up(journal, std::min<std::uint64_t>(10'000, revision - views.watermark())));
        if (taken == 0)
            return fail(fmt::format("the views are at revision {}, and the journal ends at {}", revision, views.watermark()));
    }
    return {};
}

/// The first thing of the state that these views, of the same revision, say otherwise.
Result<std::optional<std::string>, std::string> difference(views::Views& views, const control::State& state) {
    if (WEIR_TRY(views.live_jobs()) != expected_lines(state)) return std::optional<std::string>{"the live jobs and their use"};
    for (const auto& [id, left] : state.finished) {
        const auto row = WEIR_TRY(views.job(id));
        if (!row || row->outcome != left.outcome || row->project != left.project || row->finished_at != left.finished_at)
            return std::optional{fmt::format("how {} ended", id.text())};
    }
    std::vector<Voucher> in_force;
    for (const auto& [id, voucher] : state.vouchers) in_force.push_back(voucher);
    if (WEIR_TRY(views.vouchers_in_force()) != in_force) return std::optional<std::string>{"the vouchers in force"};
    auto sums = WEIR_TRY(views.account_sums());
    for (const auto& account : state.ledger.export_state().accounts) {
        const views::Views::AccountSums booked{account.debits_posted, account.credits_posted, account.debits_pending,
                                               account.credits_pending};
        if (sums[account.id.text()] != booked) return std::optional{fmt::format("the transfers of account {}", account.id.text())};
    }
    return std::optional<std::string>{};
}

/// The copy against views that are built of the journal anew, column by column, and those against the state, which was folded by other
/// code than theirs.
Result<std::string, std::string> prove_views(const ViewsAside& aside, ports::JournalReader& journal, const control::State& state) {
    const auto copied = WEIR_TRY(views::Views::open(aside.copy()))->origin();
    const auto watermark = copied.revision;
    const auto store = journal.identity();
    if (!store) return fail(store.error().message);
    if (watermark > 0 && copied.store_id != store->store_id) {
        return fail(fmt::format("the views were made of the journal of store {}, this is store {}; they are built again at the server's "
                                "next start",
                                copied.store_id, store->store_id));
    }
    auto rebuilt = WEIR_TRY(views::Views::open(aside.anew()));
    (void)WEIR_TRY(rebuilt->follow({copied.store_id, watermark}));
    WEIR_CHECK(catch_up(*rebuilt, journal, watermark));
    if (const auto found = WEIR_TRY(views::Views::first_difference(aside.copy(), aside.anew())))
        return fail("the views say something else than the journal: " + *found);
    if (watermark > state.revision) return fail(fmt::format("the views are at {}, beyond the state at {}", watermark, state.revision));
    WEIR_CHECK(catch_up(*rebuilt, journal, state.revision));
    if (const auto found = WEIR_TRY(difference(*rebuilt, state)))
        return fail("the views say something else than the state: " + *found);
    return fmt::format("every row of the views at revision {} is what the journal says, and their sums are those of the state", watermark);
}

bool check_views(const AuditRequest& request, const Result<void, std::string>& copied, const ViewsAside& aside,
                 ports::JournalReader& journal, const control::Core& folded) {
    if (request.views.empty()) return true;
    if (!std::filesystem::exists(request.views)) return holds(true, "there are no views; they are built at the server's next start");
    if (!copied) return holds(false, copied.error());
    const auto proof = prove_views(aside, journal, folded.state);
    return holds(proof.has_value(), proof ? *proof : proof.error());
}

}  // namespace

bool audit_store(const AuditRequest& request, const Catalogue& catalogue) {
    // First of all: beside a running server the journal may go on after it, the views never come before the journal.
    const ViewsAside aside{request.views};
    const auto copied =
        std::filesystem::exists(request.views) ? views::Views::copy(request.views, aside.copy()) : Result<void, std::string>{};
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
    return check_views(request, copied, aside, **journal, folded->core) && all;
}

}  // namespace weir::server
