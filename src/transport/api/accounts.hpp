// transport/api/accounts.hpp: whose is this account?
//
// The ledger knows accounts by digests alone. Here they are named from the state: the network's own, those of programmes, funders, owners
// of sites and control groups, then the prepaid balance of each organisation, then each voucher in force.
#pragma once

#include "control/core/state.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>

namespace weir::api {

struct NamedAccount {
    ledger::AccountId id;
    std::string name;
    std::string owner;
};

/// Visits the accounts behind `after` (empty: all) in the order of their positions until `take` returns false. Some may not be in the
/// ledger yet.
void each_account(const control::State& state, const std::string& after,
                  const std::function<bool(const std::string& position, const NamedAccount&)>& take);

/// Names by account, of the first `most`.
[[nodiscard]] std::map<ledger::AccountId, std::string> account_names(const control::State& state, std::size_t most);

}  // namespace weir::api
