#include "control/recover.hpp"

#include "codec/binary.hpp"
#include "codec/compress.hpp"
#include "control/prefetch.hpp"

#include <fmt/format.h>

#include <future>
#include <optional>
#include <utility>

namespace weir::ledger {
BOOST_DESCRIBE_STRUCT(Account, (), (id, debits_pending, debits_posted, credits_pending, credits_posted, ledger, code, bound, frozen))
BOOST_DESCRIBE_STRUCT(Hold, (), (id, debit, credit, amount, at, expires_at, cause, request, ledger, policy_version, code))
BOOST_DESCRIBE_ENUM(Fate, settled, pending, posted, voided, expired)
BOOST_DESCRIBE_STRUCT(SeenId, (), (id, request, fate))
BOOST_DESCRIBE_STRUCT(LedgerState, (), (at, ids_floor_ms, accounts, holds, seen))
}  // namespace weir::ledger

namespace weir::control {
namespace {

constexpr std::size_t state_bytes_max = 4ULL << 30;

/// Every field of a state that is not derived, in the order of a snapshot.
template <class S, class Visit>
bool each_field(S& s, Visit&& visit) {
    return visit(s.revision) && visit(s.now) && visit(s.epoch) && visit(s.leader) && visit(s.organisations) && visit(s.projects) &&
           visit(s.network_roles) && visit(s.members) && visit(s.tokens) && visit(s.sites) && visit(s.accelerators) &&
           visit(s.programmes) && visit(s.vouchers) &&
           visit(s.jobs) && visit(s.suspended) && visit(s.finished) && visit(s.keys) && visit(s.data) && visit(s.forgotten_before);
}

template <class T>
void put_section(const T& value, std::string& out) {
    std::string section;
    codec::write_binary(value, section);
    codec::write_binary(static_cast<std::uint64_t>(section.size()), out);
    out += section;
}

/// Cuts sections off the front of `rest`.
class Sections {
public:
    explicit Sections(std::string_view rest) : rest_{rest} {}
    bool cut(std::string_view& section) {
        // The length is a varint of at most ten bytes; it ends at the first byte below 128.
        std::size_t length_bytes = 0;
        while (length_bytes < rest_.size() && (static_cast<unsigned char>(rest_[length_bytes]) & 0x80U) != 0) ++length_bytes;
        const auto length = codec::read_binary<std::uint64_t>(rest_.substr(0, length_bytes + 1));
        if (!length || *length > rest_.size() - length_bytes - 1) return false;
        section = rest_.substr(length_bytes + 1, *length);
        rest_.remove_prefix(length_bytes + 1 + *length);
        return true;
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

template <class T>
bool read_section(std::string_view section, T& out) {
    auto value = codec::read_binary<T>(section);
    if (!value) return false;
    out = std::move(*value);
    return true;
}

std::string plain_bytes(const State& state) {
    std::string bytes;
    each_field(state, [&](const auto& field) {
        put_section(field, bytes);
        return true;
    });
    put_section(state.ledger.export_state(), bytes);
    return bytes;
}

template <class S>
std::string layout_of(S& state) {
    std::string layout;
    each_field(state, [&]<class T>(const T&) {
        layout += codec::schema_text<T>() + "\n";
        return true;
    });
    return layout + codec::schema_text<ledger::LedgerState>();
}

const State& state_of(const Core& core) { return core.state; }
const State& state_of(const State& state) { return state; }

/// Stops at the first fact that breaks the books: what follows it means nothing.
void fold(const std::vector<Entry>& entries, auto& into) {
    for (const auto& entry : entries) {
        apply(into, entry.event, entry.revision, entry.at);
        if (state_of(into).ledger_broken) return;
    }
}

std::string books_broke(const State& state) {
    return fmt::format(
        "the journal's revision {} breaks a law of the ledger: {}; it was written by a bug or forged: restore up to revision {}, and "
        "report it",
        state.revision, broken_law(state).value_or("unknown"), state.revision - 1);
}

Companions companions_of(const Core& core) {
    auto follower = std::async(std::launch::async, [&core] { return core.state; });
    Companions made;
    made.reader.policy = core.policy;
    made.reader.catalogue = core.catalogue;
    made.reader.state = core.state;
    made.follower = follower.get();
    return made;
}

/// Does the same to the first instance and, on threads of their own, to its companions where it has any.
void to_all(Recovery& recovery, const auto& what) {
    if (!recovery.companions) return what(recovery.core);
    auto reader = std::async(std::launch::async, [&] { what(recovery.companions->reader); });
    auto follower = std::async(std::launch::async, [&] { what(recovery.companions->follower); });
    what(recovery.core);
    reader.get();
    follower.get();
}

/// All that comes, into all instances.
Result<void, std::string> fold_all(Prefetch& ahead, Recovery& recovery) {
    for (;;) {
        const auto entries = WEIR_TRY(ahead.next());
        if (entries.empty()) return {};
        to_all(recovery, [&](auto& instance) { fold(entries, instance); });
        if (recovery.core.state.ledger_broken) return fail(books_broke(recovery.core.state));
        recovery.replayed += entries.size();
    }
}

}  // namespace

std::uint32_t state_version() {
    const State empty;
    const auto digest = sha256(layout_of(empty));
    return static_cast<std::uint32_t>(digest.bytes[0]) << 24U | static_cast<std::uint32_t>(digest.bytes[1]) << 16U |
           static_cast<std::uint32_t>(digest.bytes[2]) << 8U | digest.bytes[3];
}

PackedState pack(const State& state) {
    const auto plain = plain_bytes(state);
    return {codec::compress(plain, 1), sha256(plain)};
}

Digest digest_of(const State& state) { return sha256(plain_bytes(state)); }

Result<UnpackedState, std::string> unpack(const std::string& bytes, std::uint64_t hash_seed) {
    const auto plain = codec::decompress(bytes, state_bytes_max);
    if (!plain) return fail(std::string{"its bytes are no whole compressed frame"});
    const std::string other_layout = "its bytes are not a state of this layout";
    Sections rest{*plain};
    State state;
    std::vector<std::string_view> sections;
    std::string_view books;
    const bool cut = each_field(state, [&](auto&) { return rest.cut(sections.emplace_back()); }) && rest.cut(books) && rest.at_end();
    if (!cut) return fail(other_layout);
    // The books take about as long as all the rest.
    auto digest_and_ledger = std::async(std::launch::async, [&]() -> Result<std::pair<Digest, ledger::Ledger>, std::string> {
        ledger::LedgerState read;
        if (!read_section(books, read)) return fail(other_layout);
        auto ledger = ledger::Ledger::import_state(read, {.hash_seed = hash_seed});
        if (!ledger) return fail(std::string{"its ledger breaks a law of the ledger"});
        return std::pair{sha256(*plain), std::move(*ledger)};
    });
    std::size_t next = 0;
    if (!each_field(state, [&](auto& field) { return read_section(sections[next++], field); })) return fail(other_layout);
    auto [digest, ledger] = WEIR_TRY(digest_and_ledger.get());
    state.ledger = std::move(ledger);
    return UnpackedState{std::move(state), digest};
}

Result<Recovery, std::string> recover(ports::JournalReader& journal, Policy policy, Catalogue catalogue, RecoverOptions options) {
    Recovery recovery;
    recovery.core.policy = policy;
    recovery.core.state.ledger = ledger::Ledger{{.hash_seed = policy.hash_seed}};
    recovery.core.catalogue = std::move(catalogue);
    std::optional<Prefetch> ahead;
    for (std::uint64_t at_most = options.until; options.use_snapshots;) {
        auto search = journal.latest_snapshot(state_version(), at_most);
        if (!search) return fail(search.error().message);
        recovery.remarks.insert(recovery.remarks.end(), search->passed_over.begin(), search->passed_over.end());
        if (!search->found) break;
        const auto revision = search->found->revision;
        ahead.emplace(journal, revision + 1, options.until);  // what follows is decoded while the snapshot is unpacked
        auto unpacked = unpack(search->found->bytes, policy.hash_seed);
        if (unpacked && unpacked->digest == search->found->state && unpacked->state.revision == revision) {
            recovery.core.state = std::move(unpacked->state);
            recovery.snapshot_revision = revision;
            break;
        }
        ahead.reset();
        recovery.unsound.push_back(revision);
        recovery.remarks.push_back(fmt::format("the snapshot of revision {} was passed over: {}; an older one or the journal serves",
                                               revision, unpacked ? "its digest differs" : unpacked.error()));
        if (revision == 0) break;
        at_most = revision - 1;
    }
    if (!ahead) ahead.emplace(journal, 1, options.until);
    if (options.companions) recovery.companions = companions_of(recovery.core);
    to_all(recovery, [](auto& instance) { rebuild(instance); });
    WEIR_CHECK(fold_all(*ahead, recovery));
    return recovery;
}

Result<void, std::string> catch_up(ports::JournalReader& journal, Recovery& recovery) {
    Prefetch ahead{journal, recovery.core.state.revision + 1, UINT64_MAX};
    return fold_all(ahead, recovery);
}

Result<void, std::string> replay(ports::JournalReader& journal, State& state) {
    Prefetch ahead{journal, state.revision + 1, UINT64_MAX};
    for (;;) {
        const auto entries = WEIR_TRY(ahead.next());
        if (entries.empty()) return {};
        fold(entries, state);
        if (state.ledger_broken) return fail(books_broke(state));
    }
}

std::optional<std::string> broken_law(const State& state) {
    if (const auto broken = state.ledger.verify(); !broken.empty()) {
        const auto& first = broken.front();
        return fmt::format("{} on ledger {}, account {}: {} against {} (of {} findings)", name_of(first.law), first.ledger,
                           first.account.text(), first.left, first.right, broken.size());
    }
    if (state.ledger_broken) return std::string{"a fact was refused by the books, and they are not to be trusted since"};
    return std::nullopt;
}

Result<void, SnapshotError> keep_snapshot(ports::Journal& journal, const State& state) {
    if (const auto law = broken_law(state)) {
        return fail(SnapshotError{
            SnapshotFault::books_broken,
            fmt::format("the ledger swept at revision {} breaks a law: {}; no snapshot was stored; stop, and prove the store with weir "
                        "audit verify: where it finds the same, restore up to the last revision at which the books hold",
                        state.revision, *law)});
    }
    auto packed = pack(state);
    auto stored = journal.put_snapshot({state.revision, state_version(), packed.digest, std::move(packed.bytes)});
    if (!stored) return fail(SnapshotError{SnapshotFault::not_stored, std::move(stored.error().message)});
    return {};
}

}  // namespace weir::control
