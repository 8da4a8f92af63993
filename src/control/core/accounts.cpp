#include "control/core/accounts.hpp"

#include "codec/text.hpp"

#include <fmt/format.h>

namespace weir::control {

using ledger::AccountCode;
using ledger::account_id_of;

namespace account {
ledger::AccountId bank() { return account_id_of(cash_ledger, AccountCode::bank, "bank"); }
ledger::AccountId prepaid(const OrganisationName& organisation) {
    return account_id_of(cash_ledger, AccountCode::buyer_prepaid, organisation.value);
}
ledger::AccountId clearing() { return account_id_of(cash_ledger, AccountCode::clearing, "clearing"); }
ledger::AccountId network() { return account_id_of(cash_ledger, AccountCode::network_loss, "network"); }
ledger::AccountId supplier(const OrganisationName& owner) { return account_id_of(cash_ledger, AccountCode::supplier, owner.value); }
ledger::AccountId treasury(const std::string& funder) { return account_id_of(cash_ledger, AccountCode::treasury, funder); }
ledger::AccountId appropriation(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::appropriation, "budget"); }
ledger::AccountId available(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::available, "available"); }
ledger::AccountId voucher(const OpenedProgramme& p, VoucherId id) {
    return account_id_of(p.voucher_ledger, AccountCode::voucher, id.text());
}
ledger::AccountId redeemed(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::redeemed, "redeemed"); }
ledger::AccountSpec redeemed_at(const OpenedProgramme& p, const OrganisationName& owner) {
    return {account_id_of(p.voucher_ledger, AccountCode::redeemed, "supplier " + owner.value), p.voucher_ledger, AccountCode::redeemed,
            ledger::Bound::none};
}
ledger::AccountId expired(const OpenedProgramme& p) { return account_id_of(p.voucher_ledger, AccountCode::expired, "expired"); }
ledger::AccountId cap_source(const OpenedProgramme& p) { return account_id_of(p.cap_ledger, AccountCode::cap_source, "caps"); }
std::string group_of(const Organisation& organisation) {
    return organisation.control_group.empty() ? organisation.name.value : organisation.control_group;
}
ledger::AccountId entity_cap(const OpenedProgramme& p, const std::string& group) {
    return account_id_of(p.cap_ledger, AccountCode::entity_cap, group);
}
ledger::AccountId cap_used(const OpenedProgramme& p) { return account_id_of(p.cap_ledger, AccountCode::cap_used, "used"); }
}  // namespace account

std::uint32_t version_of(const Programme& programme) { return static_cast<std::uint32_t>(programme.version); }

Fen free_in(const State& state, ledger::AccountId id) {
    const auto* found = state.ledger.account(id);
    return found == nullptr ? Fen{0} : Fen{found->free_credit()};
}

ledger::AccountId account_of(const State& state, const OrganisationName& organisation, const FundingSource& source) {
    if (!source.voucher) return account::prepaid(organisation);
    const auto voucher = state.vouchers.find(*source.voucher);
    if (voucher == state.vouchers.end()) return {};
    return account::voucher(state.programmes.at(voucher->second.programme), *source.voucher);
}

std::string yuan(Fen fen) { return codec::format_decimal(fen.value, 2); }

}  // namespace weir::control
