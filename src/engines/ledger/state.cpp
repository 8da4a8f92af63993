#include "engines/ledger/state.hpp"

#include "engines/ledger/canonical.hpp"

namespace weir::ledger {
namespace {

void add(Canonical& bytes, const Account& account) {
    bytes.add(account.id.uid);
    bytes.add(account.ledger);
    bytes.add(static_cast<std::uint16_t>(account.code));
    bytes.add(static_cast<std::uint8_t>(account.bound));
    bytes.add(static_cast<std::uint8_t>(account.frozen));
    bytes.add(account.debits_pending);
    bytes.add(account.debits_posted);
    bytes.add(account.credits_pending);
    bytes.add(account.credits_posted);
}

void add(Canonical& bytes, const Fingerprint& request) {
    bytes.add(request.body);
    bytes.add(request.tags_high);
    bytes.add(request.tags_low);
}

void add(Canonical& bytes, const Hold& hold) {
    bytes.add(hold.id.uid);
    bytes.add(hold.debit.uid);
    bytes.add(hold.credit.uid);
    bytes.add(hold.amount);
    bytes.add(hold.at.ns);
    bytes.add(hold.expires_at.ns);
    bytes.add(hold.cause);
    add(bytes, hold.request);
    bytes.add(hold.ledger);
    bytes.add(hold.policy_version);
    bytes.add(static_cast<std::uint16_t>(hold.code));
}

void add(Canonical& bytes, const SeenId& seen) {
    bytes.add(seen.id.uid);
    add(bytes, seen.request);
    bytes.add(static_cast<std::uint8_t>(seen.fate));
}

template <class T>
void add_all(Canonical& bytes, const std::vector<T>& values) {
    bytes.add(static_cast<std::uint64_t>(values.size()));
    for (const T& value : values) add(bytes, value);
}

}  // namespace

Digest digest_of(const LedgerState& state) {
    Canonical bytes;
    bytes.add_text("weir ledger state 1");
    bytes.add(state.at.ns);
    bytes.add(state.ids_floor_ms);
    add_all(bytes, state.accounts);
    add_all(bytes, state.holds);
    add_all(bytes, state.seen);
    return bytes.digest();
}

}  // namespace weir::ledger
