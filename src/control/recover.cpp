#include "control/recover.hpp"

#include "codec/binary.hpp"
#include "codec/compress.hpp"

#include <fmt/format.h>

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
    return visit(s.revision) && visit(s.now) && visit(s.epoch) && visit(s.organisations) && visit(s.projects) && visit(s.network_roles) &&
           visit(s.members) && visit(s.tokens) && visit(s.sites) && visit(s.programmes) && visit(s.vouchers) && visit(s.jobs) &&
           visit(s.finished) && visit(s.keys) && visit(s.forgotten_before);
}

template <class T>
void put_section(const T& value, std::string& out) {
    std::string section;
    codec::write_binary(value, section);
    codec::write_binary(static_cast<std::uint64_t>(section.size()), out);
    out += section;
}

/// Takes sections off the front of `rest`.
class Sections {
public:
    explicit Sections(std::string_view rest) : rest_{rest} {}
    template <class T>
    bool take(T& out) {
        // The length is a varint of at most ten bytes; it ends at the first byte below 128.
        std::size_t length_bytes = 0;
        while (length_bytes < rest_.size() && (static_cast<unsigned char>(rest_[length_bytes]) & 0x80U) != 0) ++length_bytes;
        const auto length = codec::read_binary<std::uint64_t>(rest_.substr(0, length_bytes + 1));
        if (!length || *length > rest_.size() - length_bytes - 1) return false;
        auto value = codec::read_binary<T>(rest_.substr(length_bytes + 1, *length));
        if (!value) return false;
        out = std::move(*value);
        rest_.remove_prefix(length_bytes + 1 + *length);
        return true;
    }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

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

/// Folds the entries after the revision of a core, or of a state alone, up to `until`; how many.
template <class Folded>
Result<std::uint64_t, std::string> fold(ports::JournalReader& journal, Folded& folded, std::uint64_t until) {
    std::uint64_t count = 0;
    while (state_of(folded).revision < until) {
        auto records = journal.read(state_of(folded).revision + 1, 4096, 16U << 20U);
        if (!records) return fail(records.error().message);
        if (records->empty()) break;
        for (const auto& record : *records) {
            if (record.revision > until) break;
            auto entry = read_entry(record.text);
            if (!entry)
                return fail(
                    fmt::format("the journal's revision {} {}; nothing was started; restore a backup or start the program that wrote it",
                                record.revision, entry.error()));
            if (entry->revision != record.revision) {
                return fail(fmt::format("the journal's revision {} holds a text that says {}; verify the journal: weir audit verify",
                                        record.revision, entry->revision));
            }
            apply(folded, entry->event, entry->revision, entry->at);
            ++count;
        }
    }
    return count;
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

Result<UnpackedState, std::string> unpack(const std::string& bytes) {
    const auto plain = codec::decompress(bytes, state_bytes_max);
    if (!plain) return fail(std::string{"its bytes are no whole compressed frame"});
    Sections sections{*plain};
    State state;
    const bool whole = each_field(state, [&](auto& field) { return sections.take(field); });
    ledger::LedgerState books;
    if (!whole || !sections.take(books) || !sections.at_end()) return fail(std::string{"its bytes are not a state of this layout"});
    auto ledger = ledger::Ledger::import_state(books);
    if (!ledger) return fail(std::string{"its ledger breaks a law of the ledger"});
    state.ledger = std::move(*ledger);
    return UnpackedState{std::move(state), sha256(*plain)};
}

Result<Recovery, std::string> recover(ports::JournalReader& journal, Policy policy, Catalogue catalogue, std::uint64_t until,
                                      bool use_snapshots) {
    Recovery recovery;
    recovery.core.policy = policy;
    recovery.core.catalogue = std::move(catalogue);
    for (std::uint64_t at_most = until; use_snapshots;) {
        auto search = journal.latest_snapshot(state_version(), at_most);
        if (!search) return fail(search.error().message);
        recovery.remarks.insert(recovery.remarks.end(), search->passed_over.begin(), search->passed_over.end());
        if (!search->found) break;
        auto unpacked = unpack(search->found->bytes);
        if (unpacked && unpacked->digest == search->found->state && unpacked->state.revision == search->found->revision) {
            recovery.core.state = std::move(unpacked->state);
            recovery.snapshot_revision = search->found->revision;
            break;
        }
        recovery.remarks.push_back(fmt::format("the snapshot of revision {} was passed over: {}; an older one or the journal serves",
                                               search->found->revision, unpacked ? "its digest differs" : unpacked.error()));
        if (search->found->revision == 0) break;
        at_most = search->found->revision - 1;
    }
    rebuild(recovery.core);
    auto replayed = fold(journal, recovery.core, until);
    if (!replayed) return fail(std::move(replayed).error());
    recovery.replayed = *replayed;
    if (recovery.core.state.ledger_broken)
        return fail(std::string{"the journal breaks a law of the ledger; nothing was started; verify it: weir audit verify"});
    return recovery;
}

Result<void, std::string> replay(ports::JournalReader& journal, State& state) {
    if (auto folded = fold(journal, state, UINT64_MAX); !folded) return fail(std::move(folded).error());
    return {};
}

ports::JournalResult<void> keep_snapshot(ports::Journal& journal, const State& state) {
    auto packed = pack(state);
    return journal.put_snapshot({state.revision, state_version(), packed.digest, std::move(packed.bytes)});
}

}  // namespace weir::control
