#include "engines/ledger/transfer.hpp"

#include "engines/ledger/canonical.hpp"
#include "engines/ledger/mix.hpp"

namespace weir::ledger {
namespace {

constexpr std::uint64_t tag(std::uint64_t hash) { return hash >> 48; }

}  // namespace

bool is_known(TransferCode code) {
    switch (code) {
        case TransferCode::appropriate:
        case TransferCode::fund_cap:
        case TransferCode::top_up:
        case TransferCode::allot:
        case TransferCode::award:
        case TransferCode::hold:
        case TransferCode::redeem:
        case TransferCode::release:
        case TransferCode::pay_subsidy:
        case TransferCode::advance:
        case TransferCode::advance_offset:
        case TransferCode::pay_out:
        case TransferCode::expire:
        case TransferCode::revoke:
        case TransferCode::clawback:
        case TransferCode::cap_return:
        case TransferCode::charge:
        case TransferCode::charge_correction:
        case TransferCode::sla_credit:
        case TransferCode::refund:
        case TransferCode::fee:
        case TransferCode::tax:
        case TransferCode::round_off:
        case TransferCode::pledge:
        case TransferCode::offer:
        case TransferCode::deliver:
        case TransferCode::shortfall:
        case TransferCode::excuse:
        case TransferCode::trade_buy:
        case TransferCode::trade_sell:
        case TransferCode::congestion: return true;
        case TransferCode::lapse: return false;
    }
    return false;
}

bool frozen_may_give(TransferCode code) {
    return code == TransferCode::expire || code == TransferCode::revoke || code == TransferCode::clawback ||
           code == TransferCode::cap_return;
}

bool pays_out(TransferCode code) {
    return code == TransferCode::charge || code == TransferCode::pay_subsidy || code == TransferCode::redeem;
}

Fingerprint fingerprint_of(const Transfer& t) {
    const std::uint64_t pending_id = mix(t.pending_id.uid);
    const std::uint64_t timeout = mix(static_cast<std::uint64_t>(t.timeout.ns), 1);
    const std::uint64_t debit = mix(t.debit.uid);
    const std::uint64_t credit = mix(t.credit.uid);
    const std::uint64_t amount = mix(static_cast<std::uint64_t>(t.amount), 2);
    const std::uint64_t cause = mix(t.cause);
    const std::uint64_t ledger = mix(t.ledger, 3);
    const std::uint64_t who = mix(mix(t.actor), mix(t.second_actor));
    const std::uint64_t code = static_cast<std::uint16_t>(t.code);
    const std::uint64_t flags = t.flags & 0xFFU;

    std::uint64_t body = mix(debit, credit ^ 4);
    body = mix(body, amount);
    body = mix(body, pending_id);
    body = mix(body, timeout ^ ledger);
    body = mix(body, cause);
    body = mix(body, who);
    body = mix(body, std::uint64_t{t.policy_version} << 32 | code << 16 | t.flags);
    return {.body = body,
            .tags_high = flags << 56 | (ledger >> 56) << 48 | tag(pending_id) << 32 | tag(timeout) << 16 | tag(debit),
            .tags_low = tag(credit) << 48 | tag(amount) << 32 | code << 16 | tag(cause)};
}

TransferId transfer_id_of(Instant made, std::string_view event) {
    Canonical text;
    text.add_text("weir transfer");
    text.add(made.ns);
    text.add_text(event);
    const Uid chance = text.uid();
    return {make_uid(made, chance.high, chance.low)};
}

}  // namespace weir::ledger
