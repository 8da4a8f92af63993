// adapters/site_process/users_claim.hpp: no two sites of a host have a user in common.
//
// It answers one question: does another agent of this host give out these users? Each ends all processes of a user of its range that has
// no living task, so two of them with a user in common would end each other's tenants.
//
//     <folder>/users          locked over the bytes [first, first + count) by each agent for as long as it lives
//     <folder>/users.<first>  the root of the site that has, or had, the range from there on: for people
#pragma once

#include "adapters/task_files/files.hpp"
#include "adapters/site_process/users.hpp"

#include <string>

namespace weir::site_process {

/// The claim lasts as long as the descriptor. `refused` where a site of this host has some of them, which the message names;
/// `unavailable` where `folder` cannot be had, or is not root's alone: then nothing is known.
[[nodiscard]] BackendResult<Fd> claim_users(const std::string& folder, UserRange range, const std::string& root);

}  // namespace weir::site_process
