// Who takes part: organisations, projects, members, tokens. Each is named by its maker, so that setting the same
// thing twice is setting it once.
#include "control/core/accounts.hpp"
#include "control/core/rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir::control {
namespace {

constexpr std::string_view another_network = "use one that there is, or run another network";

/// A control group that has awards keeps its members: in another one they would have the yearly cap of a programme once more.
std::optional<Refusal> group_is_fixed(const State& state, const Organisation& now, const Organisation& wanted) {
    const auto group = account::group_of(now);
    if (group == account::group_of(wanted)) return std::nullopt;
    for (const auto& [name, opened] : state.programmes) {
        if (state.ledger.account(account::entity_cap(opened, group)) == nullptr) continue;
        return Refusal{RefusalCode::already_exists_different,
                       fmt::format("the control group {} has awards of programme {}, which count against the cap of that group; {} cannot "
                                   "leave it for {}",
                                   group, name.value, now.name.value, account::group_of(wanted)),
                       "control_group",
                       {}};
    }
    return std::nullopt;
}

/// Whether nobody could run the network for good without the tokens of which `is_left_out` is true, though somebody can with them. One
/// that ends takes its last holder with it: it makes none that is good for longer.
template <class LeftOut>
bool locks_out(const State& state, const LeftOut& is_left_out) {
    bool with = false;
    for (const auto& [id, token] : state.tokens) {
        const auto roles = state.network_roles.find(token.subject);
        const bool is_for_good = !token.site && !token.expires_at;
        const bool is_wide = std::ranges::find(token.scopes, Scope::admin) != token.scopes.end();
        if (!is_for_good || !is_wide || roles == state.network_roles.end()) continue;
        if (std::ranges::find(roles->second, Role::operator_) == roles->second.end()) continue;
        if (!is_left_out(token)) return false;
        with = true;
    }
    return with;
}

}  // namespace

Decision decide(const Core& core, const Actor& actor, const SetOrganisation& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    if (auto flaw = first_of(flaws(command.organisation), "organisation")) return refuse(*flaw);
    const auto& name = command.organisation.name;
    const auto known = core.state.organisations.find(name);
    if (known != core.state.organisations.end()) {
        if (known->second == command.organisation) return repeat(name.value);
        if (auto fixed = group_is_fixed(core.state, known->second, command.organisation)) return refuse(*std::move(fixed));
    } else if (auto full = no_room(core.state.organisations.size(), limits::organisations_max, "organisations", another_network)) {
        return refuse(*std::move(full));
    }
    return accept(name.value, {OrganisationSet{command.organisation}});
}

Decision decide(const Core& core, const Actor& actor, const SetProject& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    const auto& project = command.project;
    const auto known = core.state.projects.find(project.name);
    if (known != core.state.projects.end() && known->second == project) return repeat(project.name.value);
    if (auto flaw = first_of(flaws(project), "project")) return refuse(*flaw);
    if (!core.state.organisations.contains(project.organisation)) {
        return refuse(RefusalCode::not_found,
                      fmt::format("organisation {} is not known; create it first: weir org set {}", project.organisation.value,
                                  project.organisation.value),
                      "organisation");
    }
    for (const auto& line : project.quota) {
        if (!core.catalogue.contains(line.model)) {
            return refuse(RefusalCode::unknown_model,
                          fmt::format("the catalogue has no model '{}'; list the models with: weir catalog", line.model), "quota");
        }
    }
    for (const auto& site : project.trusted) {
        if (core.state.sites.contains(site)) continue;
        return refuse(
            RefusalCode::not_found,
            fmt::format("trusted names the site {}, which is not known; register it first: weir site set -f FILE", site.value),
            "trusted");
    }
    if (known != core.state.projects.end()) {
        if (known->second.organisation != project.organisation) {
            return refuse(RefusalCode::already_exists_different,
                          fmt::format("project {} belongs to {} and cannot be given to {}; its bills are there; create another project",
                                      project.name.value, known->second.organisation.value, project.organisation.value),
                          "organisation");
        }
    } else if (auto full = no_room(core.state.projects.size(), limits::projects_max, "projects", another_network)) {
        return refuse(*std::move(full));
    }
    return accept(project.name.value, {ProjectSet{project}});
}

Decision decide(const Core& core, const Actor& actor, const SetRoles& command, Instant) {
    const auto action = command.project.empty() ? Action::manage_network : Action::manage_members;
    if (auto allowed = permit(core.state, actor, action, command.project); !allowed) return refuse(allowed.error());
    if (!is_name(command.subject.value))
        return refuse(RefusalCode::bad_value, "subject must be a pseudonym of a-z, 0-9, '-' and '.'; never a person's name or address",
                      "subject");
    if (!command.project.empty() && !core.state.projects.contains(command.project)) {
        return refuse(RefusalCode::not_found, fmt::format("project {} is not known; create it first", command.project.value), "project");
    }
    auto roles = command.roles;
    std::ranges::sort(roles);
    roles.erase(std::ranges::unique(roles).begin(), roles.end());
    const auto of_project = [](Role role) {
        return role == Role::owner || role == Role::member || role == Role::viewer || role == Role::provider;
    };
    for (const auto role : roles) {
        if (of_project(role) == command.project.empty()) {
            return refuse(RefusalCode::bad_value,
                          "owner, member, viewer and provider are roles of a project; operator, approver, finance and auditor are roles of "
                          "the network",
                          "roles");
        }
    }
    static const std::map<SubjectName, std::vector<Role>> nobody;
    const auto members = core.state.members.find(command.project);
    const auto& all = command.project.empty() ? core.state.network_roles : members == core.state.members.end() ? nobody : members->second;
    const auto known = all.find(command.subject);
    const auto held = known == all.end() ? std::vector<Role>{} : known->second;
    if (held == roles) return repeat(command.subject.value);
    if (held.empty()) {
        auto full = command.project.empty()
                        ? no_room(all.size(), limits::people_max, "people with a role of the network",
                                  "take the role from one who no longer needs it")
                        : no_room(all.size(), limits::members_per_project_max, "members of project " + command.project.value,
                                  "remove one who no longer takes part: weir project member PROJECT SUBJECT --none");
        if (full) return refuse(*std::move(full));
    }
    const auto gives_up = [&](Role role) {
        return std::ranges::find(held, role) != held.end() && std::ranges::find(roles, role) == roles.end();
    };
    const auto holders = [](const std::map<SubjectName, std::vector<Role>>& all, Role role) {
        return std::ranges::count_if(all, [&](const auto& one) { return std::ranges::find(one.second, role) != one.second.end(); });
    };
    if (command.project.empty() && gives_up(Role::operator_) && holders(core.state.network_roles, Role::operator_) == 1) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("{} is the last operator, and nobody could make another; make another one first", command.subject.value),
                      "roles");
    }
    const auto of_subject = [&](const Token& token) { return token.subject == command.subject; };
    if (command.project.empty() && gives_up(Role::operator_) && locks_out(core.state, of_subject)) {
        return refuse(
            RefusalCode::bad_value,
            fmt::format("{} is the last operator with a token of the scope admin that does not expire, and nobody could run the "
                                  "network for good; issue one to another operator first: weir token issue --subject NAME --scope admin",
                                  command.subject.value),
                      "roles");
    }
    if (!command.project.empty() && gives_up(Role::owner) && holders(core.state.members.at(command.project), Role::owner) == 1 &&
        !permit(core.state, actor, Action::manage_network)) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("{} is the last owner of project {}; make another one first, or ask an operator", command.subject.value,
                                  command.project.value),
                      "roles");
    }
    return accept(command.subject.value, {RolesSet{command.subject, command.project, roles}});
}

Decision decide(const Core& core, const Actor& actor, const IssueToken& command, Instant now) {
    const auto& token = command.token;
    const bool own = actor.kind == Actor::Kind::subject && actor.subject == token.subject && !token.site;
    if (auto allowed = permit(core.state, actor, own ? Action::see_network : Action::issue_token); !allowed) return refuse(allowed.error());
    if (const auto known = core.state.tokens.find(token.id); known != core.state.tokens.end()) {
        // The secret is not compared: the server makes a new one for each request, and keeps that of the first.
        const auto& issued = known->second;
        if (issued.subject == token.subject && issued.scopes == token.scopes && issued.site == token.site &&
            issued.expires_at == token.expires_at)
            return repeat(token.id.text());
        const bool seen = (actor.kind == Actor::Kind::subject && issued.subject == actor.subject && !issued.site) ||
                          permit(core.state, actor, Action::issue_token).has_value();
        if (!seen) return refuse(unusable_id(token.id.text()));
        return refuse(RefusalCode::already_exists_different,
                      fmt::format("{} was issued before for something else; make a new id", token.id.text()), "id");
    }
    if (auto fresh = check_new_id(core, token.id.uid, token.id.text(), now); !fresh) return refuse(fresh.error());
    if (token.site && !core.state.sites.contains(*token.site)) {
        return refuse(RefusalCode::not_found, fmt::format("site {} is not known; register it first", token.site->value), "site");
    }
    if (!token.site && !is_name(token.subject.value))
        return refuse(RefusalCode::bad_value, "subject must be a pseudonym of a-z, 0-9, '-' and '.'", "subject");
    if (token.scopes.empty())
        return refuse(RefusalCode::bad_value, "scopes is empty; a token needs at least one of read, write, admin", "scopes");
    const bool agent_scope = std::ranges::find(token.scopes, Scope::agent) != token.scopes.end();
    if (agent_scope != token.site.has_value()) {
        return refuse(RefusalCode::bad_value,
                      "the scope agent and a site go together: an agent's token is good for one site and for nothing else", "scopes");
    }
    if (token.expires_at && *token.expires_at <= now) {
        return refuse(
            RefusalCode::bad_value,
            fmt::format("expires_at is {}, and now it is {}; choose a later time", moment(*token.expires_at), moment(now)),
            "expires_at");
    }
    if (own) {
        // Nobody widens what they hold: a token that one issues for oneself covers no more than the one that asks.
        const auto& mine = core.state.tokens.at(actor.token);
        const auto have = [&](Scope scope) { return std::ranges::find(mine.scopes, scope) != mine.scopes.end(); };
        if (!have(Scope::write) && !have(Scope::admin))
            return refuse(RefusalCode::forbidden, "the token you use may only read, and makes no others; use one with the scope write",
                          "scopes");
        for (const auto scope : token.scopes) {
            const bool within =
                have(scope) || (have(Scope::admin) && scope != Scope::agent) || (have(Scope::write) && scope == Scope::read);
            if (!within) {
                return refuse(RefusalCode::forbidden,
                              "the new token would have a scope that the one you use does not have; ask for fewer scopes", "scopes");
            }
        }
        if (mine.expires_at && (!token.expires_at || *token.expires_at > *mine.expires_at)) {
            return refuse(RefusalCode::forbidden,
                          fmt::format("the new token would be good {}, and the one you use ends at {}; ask for an earlier end",
                                      token.expires_at ? "until " + moment(*token.expires_at) : "without end",
                                      moment(*mine.expires_at)),
                          "expires_at");
        }
    }
    const auto count = std::ranges::count_if(
        core.state.tokens, [&](const auto& entry) { return entry.second.subject == token.subject && !entry.second.site; });
    if (!token.site && static_cast<std::size_t>(count) >= limits::tokens_per_subject_max) {
        return refuse(RefusalCode::limit_reached, fmt::format("{} has {} tokens, at most {} are kept; revoke one: weir token revoke",
                                                              token.subject.value, count, limits::tokens_per_subject_max));
    }
    auto issued = token;
    issued.issued_at = now;
    return accept(token.id.text(), {TokenIssued{issued}});
}

Decision decide(const Core& core, const Actor& actor, const RevokeToken& command, Instant) {
    const auto known = core.state.tokens.find(command.token);
    const bool own = known != core.state.tokens.end() && actor.kind == Actor::Kind::subject && known->second.subject == actor.subject;
    if (auto allowed = permit(core.state, actor, own ? Action::see_network : Action::issue_token); !allowed) {
        return refuse(own ? allowed.error()
                          : Refusal{RefusalCode::not_found, fmt::format("{} is not known here", command.token.text()), "id", {}});
    }
    if (known == core.state.tokens.end())
        return refuse(RefusalCode::not_found,
                      fmt::format("{} is not known here; it may have expired or been revoked", command.token.text()), "id");
    if (own && command.token != actor.token && core.state.tokens.contains(actor.token)) {
        const auto& scopes = core.state.tokens.at(actor.token).scopes;
        const auto have = [&](Scope scope) { return std::ranges::find(scopes, scope) != scopes.end(); };
        if (!have(Scope::write) && !have(Scope::admin)) {
            return refuse(RefusalCode::forbidden,
                          "the token you use may only read, and ends no other than itself; use one with the scope write", "id");
        }
    }
    if (locks_out(core.state, [&](const Token& token) { return token.id == command.token; })) {
        return refuse(
            RefusalCode::bad_value,
            fmt::format("{} is the last token without an end with which an operator can run the network; issue another one first, for "
                        "another operator where the one you use has an end: weir token issue --subject NAME --scope admin",
                        command.token.text()),
            "id");
    }
    std::vector<Event> events{TokenEnded{command.token, false}};
    // Whoever had it may have named a session that shuts the site's own agent out: any session may begin anew. The site's own agent is
    // told so once, and goes on in a later session; what spoke before is remembered.
    if (const auto& site = known->second.site; site && core.state.sites.contains(*site)) events.push_back(ReportTaken{*site, {}, 0});
    return accept(command.token.text(), std::move(events));
}

}  // namespace weir::control
