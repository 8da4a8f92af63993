#include "control/core/access.hpp"

#include "engines/ledger/canonical.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::control {
namespace {

struct Grant {
    Role role;
    Action action;
    bool only_in_project;  ///< Held in a project, it counts there; else it counts in the whole network.
};

using enum Action;

constexpr std::array table{
    Grant{Role::owner, see_project, true},         Grant{Role::owner, submit, true},
    Grant{Role::owner, cancel, true},              Grant{Role::owner, manage_members, true},
    Grant{Role::member, see_project, true},        Grant{Role::member, submit, true},
    Grant{Role::member, cancel, true},             Grant{Role::viewer, see_project, true},
    Grant{Role::operator_, see_project, false},    Grant{Role::operator_, cancel, false},
    Grant{Role::operator_, manage_members, false}, Grant{Role::operator_, manage_network, false},
    Grant{Role::operator_, issue_token, false},    Grant{Role::operator_, see_ledger, false},
    Grant{Role::operator_, see_audit, false},      Grant{Role::approver, award, false},
    Grant{Role::finance, move_money, false},       Grant{Role::finance, see_ledger, false},
    Grant{Role::auditor, see_project, false},      Grant{Role::auditor, see_ledger, false},
    Grant{Role::auditor, see_audit, false},        Grant{Role::owner, move_job, true},
    Grant{Role::member, move_job, true},           Grant{Role::operator_, move_job, false},
    Grant{Role::operator_, run_site, false},       Grant{Role::provider, run_site, true},
};

constexpr bool is_read(Action action) {
    return action == see_project || action == see_network || action == see_ledger || action == see_audit;
}

/// What a scope leaves of the subject's rights.
bool covers(Scope scope, Action action) {
    switch (scope) {
        case Scope::read: return is_read(action);
        case Scope::write: return is_read(action) || action == submit || action == cancel || action == move_job || action == run_site ||
                                   action == manage_members;
        case Scope::agent: return action == report;
        case Scope::admin: return action != report;
    }
    return false;
}

std::span<const Role> roles_in(const State& state, const SubjectName& subject, const ProjectName& project) {
    const auto members = state.members.find(project);
    if (members == state.members.end()) return {};
    const auto roles = members->second.find(subject);
    return roles == members->second.end() ? std::span<const Role>{} : std::span{roles->second};
}

std::span<const Role> network_roles(const State& state, const SubjectName& subject) {
    const auto roles = state.network_roles.find(subject);
    return roles == state.network_roles.end() ? std::span<const Role>{} : std::span{roles->second};
}

bool holds(std::span<const Role> roles, Action action, bool in_project) {
    return std::ranges::any_of(roles, [&](Role role) { return grants(role, action, in_project); });
}

bool has_right(const State& state, const SubjectName& subject, Action action, const ProjectName& project) {
    if (action == see_network) return true;
    return holds(network_roles(state, subject), action, false) ||
           (!project.empty() && holds(roles_in(state, subject, project), action, true));
}

std::string_view words(Action action) {
    switch (action) {
        case see_project: return "see this project";
        case submit: return "submit jobs here: that needs the role member or owner of the project";
        case cancel: return "cancel jobs here: that needs the role member or owner of the project";
        case move_job: return "move jobs here: that needs the role member or owner of the project";
        case run_site: return "drain, stop or resume this site: that needs the role provider of its owner, or the network role operator";
        case manage_members: return "change members: that needs the role owner of the project";
        case see_network: return "see the network";
        case manage_network: return "change organisations, projects, sites or programmes: that needs the network role operator";
        case issue_token: return "issue tokens for others: that needs the network role operator";
        case award: return "award vouchers: that needs the network role approver";
        case move_money: return "book deposits: that needs the network role finance";
        case see_ledger: return "see the ledger: that needs the network role finance, auditor or operator";
        case see_audit: return "see the audit log: that needs the network role auditor or operator";
        case report: return "report for a site: that needs the token of its agent";
    }
    return "do this";
}

}  // namespace

std::string Actor::text() const {
    switch (kind) {
        case Kind::system: return "system";
        case Kind::subject: return "subject:" + subject.value;
        case Kind::agent: return "agent:" + site.value;
    }
    return "system";
}

Uid Actor::id() const {
    ledger::Canonical words;
    words.add_text("weir actor");
    words.add_text(text());
    return words.uid();
}

bool grants(Role role, Action action, bool in_project) {
    return std::ranges::any_of(table, [&](const Grant& grant) {
        return grant.role == role && grant.action == action && grant.only_in_project == in_project;
    });
}

bool may_as_member(const State& state, const SubjectName& subject, Action action, const ProjectName& project) {
    return holds(roles_in(state, subject, project), action, true);
}

Result<void, Refusal> permit(const State& state, const Actor& actor, Action action, const ProjectName& project) {
    if (actor.kind == Actor::Kind::system) return {};
    const auto token = state.tokens.find(actor.token);
    if (token == state.tokens.end()) {
        return fail(
            Refusal{RefusalCode::unauthenticated, "the token is not known, has expired or was revoked; log in with another", {}, {}});
    }
    const auto& scopes = token->second.scopes;
    const bool scoped = std::ranges::any_of(scopes, [&](Scope scope) { return covers(scope, action); });
    if (actor.kind == Actor::Kind::agent) {
        if (action == report && scoped) return {};
        return fail(Refusal{RefusalCode::forbidden, fmt::format("the agent of {} may not {}", actor.site.value, words(action)), {}, {}});
    }
    const bool seen = project.empty() || has_right(state, actor.subject, see_project, project);
    if (!seen) {
        return fail(Refusal{RefusalCode::not_found,
                            fmt::format("project {} is not known here; list yours with: weir project list", project.value),
                            {},
                            {}});
    }
    if (!has_right(state, actor.subject, action, project)) {
        return fail(Refusal{RefusalCode::forbidden, fmt::format("{} may not {}", actor.subject.value, words(action)), {}, {}});
    }
    if (!scoped) {
        return fail(Refusal{RefusalCode::forbidden,
                            fmt::format("the token's scopes do not let it {}; issue one with a wider scope", words(action)),
                            {},
                            {}});
    }
    return {};
}

Result<void, Refusal> permit_running(const State& state, const Actor& actor, const SiteState& site) {
    // The role is held in a project of the owner; the right is then that of a member there, whatever else the project is for.
    const auto provides = [&](const auto& entry) {
        return entry.second.organisation == site.site.owner && may_as_member(state, actor.subject, run_site, entry.first);
    };
    if (actor.kind != Actor::Kind::subject || std::ranges::none_of(state.projects, provides)) return permit(state, actor, run_site);
    const auto token = state.tokens.find(actor.token);
    const bool scoped = token != state.tokens.end() &&
                        std::ranges::any_of(token->second.scopes, [](Scope scope) { return covers(scope, run_site); });
    if (scoped) return {};
    return fail(Refusal{RefusalCode::forbidden,
                        fmt::format("the token's scopes do not let it {}; issue one with a wider scope", words(run_site)),
                        {},
                        {}});
}

bool may_see(const State& state, const Actor& actor, const ProjectName& project) {
    return permit(state, actor, see_project, project).has_value();
}

bool may_see_organisation_of(const State& state, const Actor& actor, const ProjectName& project) {
    if (may_see(state, actor, project)) return true;
    const auto roles = roles_in(state, actor.subject, project);
    return actor.kind == Actor::Kind::subject && std::ranges::find(roles, Role::provider) != roles.end() &&
           permit(state, actor, see_network).has_value();
}

Result<Actor, Refusal> authenticate(const State& state, const Digest& secret_hash, Instant now) {
    const auto id = state.token_by_hash.find(secret_hash);
    const auto token = id == state.token_by_hash.end() ? state.tokens.end() : state.tokens.find(id->second);
    if (token == state.tokens.end()) {
        return fail(
            Refusal{RefusalCode::unauthenticated, "the token is not known, has expired or was revoked; log in with another", {}, {}});
    }
    if (token->second.expires_at && *token->second.expires_at <= now) {
        return fail(Refusal{
            RefusalCode::unauthenticated,
            fmt::format("the token expired at {}, now is {}; issue a new one", moment(*token->second.expires_at), moment(now)),
            {},
            {}});
    }
    Actor actor{.kind = Actor::Kind::subject, .subject = token->second.subject, .token = token->first, .site = {}};
    if (token->second.site) {
        actor.kind = Actor::Kind::agent;
        actor.site = *token->second.site;
    }
    return actor;
}

}  // namespace weir::control
