// control/core/accounts.hpp: the accounts that control moves value between, and what is free in one.
#pragma once

#include "control/core/state.hpp"

#include <string>

namespace weir::control {

/// The ledger of real money; a programme's ledgers are numbered when it is opened.
inline constexpr ledger::LedgerId cash_ledger = 1;

/// The accounts that control moves value between.
namespace account {
[[nodiscard]] ledger::AccountId bank();
[[nodiscard]] ledger::AccountId prepaid(const OrganisationName& organisation);
[[nodiscard]] ledger::AccountId clearing();  ///< Captured from buyers, not yet credited to a site's owner; nets to zero.
[[nodiscard]] ledger::AccountId network();   ///< What the network itself bears: losses by its own doing.
[[nodiscard]] ledger::AccountId supplier(const OrganisationName& owner);
[[nodiscard]] ledger::AccountId treasury(const std::string& funder);
[[nodiscard]] ledger::AccountId appropriation(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId available(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId voucher(const OpenedProgramme& programme, VoucherId voucher);
/// Captured of vouchers: where holds go to. What a site's owner earned goes on from here to the owner's own account.
[[nodiscard]] ledger::AccountId redeemed(const OpenedProgramme& programme);
/// Face value that a site's owner has redeemed; one for each owner, opened with the programme or with the owner's first site.
[[nodiscard]] ledger::AccountSpec redeemed_at(const OpenedProgramme& programme, const OrganisationName& owner);
[[nodiscard]] ledger::AccountId expired(const OpenedProgramme& programme);
[[nodiscard]] ledger::AccountId cap_source(const OpenedProgramme& programme);
/// Whose awards count together against a programme's cap: the organisation's control group, or itself where it has none.
[[nodiscard]] std::string group_of(const Organisation& organisation);
[[nodiscard]] ledger::AccountId entity_cap(const OpenedProgramme& programme, const std::string& control_group);
[[nodiscard]] ledger::AccountId cap_used(const OpenedProgramme& programme);
}  // namespace account

/// Of a programme's terms, as transfers carry it.
[[nodiscard]] std::uint32_t version_of(const Programme& programme);

/// What an account has free, 0 where it does not exist.
[[nodiscard]] Fen free_in(const State& state, ledger::AccountId account);

/// The account from which a source pays; nil where there is no such voucher.
[[nodiscard]] ledger::AccountId account_of(const State& state, const OrganisationName& organisation, const FundingSource& source);

/// A sum in words for people, without its unit: 12.50.
[[nodiscard]] std::string yuan(Fen fen);

}  // namespace weir::control
