// control/core/access.hpp: the one table of who may do what, and the one function that says what may be seen.
//
// A right comes from a role; a token's scopes can only take away. Somebody else's project does not exist for
// those who have no role in it: they get "not found", never "forbidden".
#pragma once

#include "control/core/commands.hpp"
#include "control/core/refusal.hpp"
#include "control/core/state.hpp"

#include <span>

namespace weir::control {

enum class Action : std::uint8_t {
    see_project = 1,      ///< Its jobs, quota, usage.
    submit = 2,
    cancel = 3,
    manage_members = 4,
    see_network = 5,      ///< Sites, nodes, catalogue: every subject.
    manage_network = 6,   ///< Organisations, projects, sites, programmes.
    issue_token = 7,
    award = 8,
    move_money = 9,       ///< Deposits.
    see_ledger = 10,
    see_audit = 11,
    report = 12,          ///< An agent's reports of its own site.
    move_job = 13,
    run_site = 14,        ///< Emptying a site and taking it into service again: of its own sites for a provider.
};

/// Whether a role grants an action. `in_project`: the role is held in the project that the action is about.
[[nodiscard]] bool grants(Role role, Action action, bool in_project);

/// Whether the actor may do it, in `project` where the action is about one (else empty).
[[nodiscard]] Result<void, Refusal> permit(const State& state, const Actor& actor, Action action, const ProjectName& project = {});

/// Whether a subject has the right by a role in the project itself, and not by one in the network.
[[nodiscard]] bool may_as_member(const State& state, const SubjectName& subject, Action action, const ProjectName& project);

/// Whether the actor may empty this site: an operator, or a provider of the organisation that owns it. To others of the network it exists.
[[nodiscard]] Result<void, Refusal> permit_running(const State& state, const Actor& actor, const SiteState& site);

/// Whether the actor may see what belongs to `project`: the visibility function of every read.
[[nodiscard]] bool may_see(const State& state, const Actor& actor, const ProjectName& project);
/// Whether the actor may see the organisation of a project, its balance and what its sites earn: who may see the project may, and its
/// providers, who see nothing else of it.
[[nodiscard]] bool may_see_organisation_of(const State& state, const Actor& actor, const ProjectName& project);

/// Who a bearer secret belongs to at `now`, or why it is not accepted.
[[nodiscard]] Result<Actor, Refusal> authenticate(const State& state, const Digest& secret_hash, Instant now);

}  // namespace weir::control
