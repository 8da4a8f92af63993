#include "apps/server/copy.hpp"

#include "adapters/store_postgres/dump.hpp"
#include "adapters/store_postgres/postgres_journal.hpp"
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "apps/server/audit.hpp"
#include "apps/server/network.hpp"
#include "control/recover.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <utility>

namespace weir::server {
namespace {

using ports::Head;
using ports::JournalFault;

constexpr std::size_t records_at_once = 10'000;
constexpr std::size_t bytes_at_once = 16U << 20U;
constexpr std::uint64_t told_every = 100'000;

ports::JournalResult<std::unique_ptr<ports::JournalReader>> open_source(const std::string& from) {
    if (is_database(from)) return store::open_postgres_reader({.where = from});
    auto file = store::open_reader(from, {});
    if (file || !std::filesystem::exists(from)) return file;
    auto dump = store::open_dump(from);
    return dump ? std::move(dump) : std::move(file);
}

ports::JournalResult<std::unique_ptr<ports::Journal>> open_target(const std::string& to) {
    if (!is_database(to)) return store::open_journal({.path = to});
    auto journal = store::open_postgres_journal({.where = to});
    if (!journal) return fail(std::move(journal).error());
    return std::unique_ptr<ports::Journal>{*std::move(journal)};
}

/// What the target holds already must be the beginning of the source.
Result<Head, std::string> common_beginning(ports::JournalReader& from, ports::Journal& to, const std::string& target) {
    const auto have = to.head();
    if (!have) return fail(have.error().message);
    if (have->revision == 0) return *have;
    const auto same = from.read(have->revision, 1, 1);
    if (!same) return fail(same.error().message);
    if (!same->empty() && same->front().revision == have->revision && same->front().hash == have->hash) return *have;
    return fail(fmt::format("{} holds {} records of another history; name an empty one, nothing was changed", target, have->revision));
}

Result<Head, std::string> copy_records(ports::JournalReader& from, ports::Journal& to, Head at, const Head& end) {
    auto told = at.revision;
    while (at.revision < end.revision) {
        const auto wanted = std::min<std::uint64_t>(records_at_once, end.revision - at.revision);
        const auto records = from.read(at.revision + 1, wanted, bytes_at_once);
        if (!records) return fail(records.error().message);
        if (records->empty()) return fail(fmt::format("the source ends at revision {} before {}", at.revision, end.revision));
        const auto head = to.append(*records, to.epoch());
        if (!head) return fail(head.error().message);
        at = *head;
        if (at.revision - told >= told_every) {
            told = at.revision;
            fmt::print("      {} of {} records\n", at.revision, end.revision);
        }
    }
    return at;
}

Result<Digest, std::string> state_of(ports::JournalReader& journal, const Catalogue& catalogue, std::uint64_t revision) {
    const auto made = control::recover(journal, {}, catalogue, {.until = revision, .use_snapshots = false});
    if (!made) return fail(made.error());
    return control::digest_of(made->core.state);
}

}  // namespace

bool copy_store(const CopyRequest& request, const Catalogue& catalogue) {
    auto from = open_source(request.from);
    if (!from) return holds(false, from.error().message);
    auto to = open_target(request.to);
    if (!to) return holds(false, to.error().message);
    const auto end = (*from)->head();
    if (!end) return holds(false, end.error().message);
    const auto begin = common_beginning(**from, **to, request.to);
    if (!begin) return holds(false, begin.error());
    if (begin->revision > 0)
        fmt::print("      {} holds the first {} records already; the copy goes on there\n", request.to, begin->revision);
    const auto copied = copy_records(**from, **to, *begin, *end);
    if (!copied) return holds(false, copied.error() + "; the copy goes on where it is when it is asked for again");
    const auto verified = (*to)->verify(1, end->revision);
    if (!verified) return holds(false, verified.error().message);
    if (verified->bad) return holds(false, verified->bad->problem);
    const bool same_head = verified->end == *end;
    const bool whole = holds(same_head, fmt::format("{} records were copied, their chain verified in the copy; its head is {}",
                                                    end->revision, verified->end.hash.text()));
    if (!whole) return false;
    const auto before = state_of(**from, catalogue, end->revision);
    const auto after = state_of(**to, catalogue, end->revision);
    if (!before || !after) return holds(false, before ? after.error() : before.error());
    if (!holds(*before == *after, fmt::format("both make the same state at revision {}: {}", end->revision, after->text()))) return false;
    const auto snapshot = (*from)->latest_snapshot(control::state_version(), end->revision);
    if (snapshot && snapshot->found) {
        const auto kept = (*to)->put_snapshot(*snapshot->found);
        fmt::print("      {}\n",
                   kept ? fmt::format("the snapshot of revision {} was copied", snapshot->found->revision) : kept.error().message);
    }
    return true;
}

}  // namespace weir::server
