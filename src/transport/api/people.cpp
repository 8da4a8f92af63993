// Who takes part: organisations, projects, members, roles, tokens.
#include "control/core/funding.hpp"
#include "transport/api/context.hpp"

#include <algorithm>
#include <array>

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::Refusal;
using control::State;
using http::Method;

OrganisationView view_of(const State& state, const Organisation& organisation) {
    OrganisationView view{organisation, {}, state.suspended.contains(organisation.name)};
    view.prepaid_fen = control::free_in(state, control::account::prepaid(organisation.name));
    return view;
}

Refusal unknown_organisation(std::string_view name) {
    return not_found(fmt::format("organisation {} is not known here; list yours with: weir org list", name));
}
Refusal unknown_project(std::string_view name) {
    return not_found(fmt::format("project {} is not known here; list yours with: weir project list", name));
}

Result<std::string, Refusal> list_organisations(const View& view) {
    const bool all = sees_all_organisations(view.state, view.actor);
    const auto mine = all ? std::set<OrganisationName>{} : organisations_seen(view.state, view.actor);
    return codec::to_json(
        page_of<OrganisationView>(view.state.organisations, view, [&](const OrganisationName& name, const Organisation& one) {
            const bool wanted = wants(view, "kind", codec::name_of(one.kind)) && wants(view, "control_group", one.control_group);
            return wanted && (all || mine.contains(name)) ? std::optional{view_of(view.state, one)} : std::nullopt;
        }));
}

Result<std::string, Refusal> get_organisation(const View& view) {
    const OrganisationName name{std::string{view.request.parameter("organisation")}};
    const auto found = view.state.organisations.find(name);
    if (found == view.state.organisations.end() || !may_see_organisation(view.state, view.actor, name))
        return fail(unknown_organisation(name.value));
    return codec::to_json(view_of(view.state, found->second));
}

Result<std::string, Refusal> list_projects(const View& view) {
    return codec::to_json(page_of<Project>(view.state.projects, view, [&](const ProjectName& name, const Project& one) {
        const bool wanted = wants(view, "organisation", one.organisation.value);
        return wanted && control::may_see(view.state, view.actor, name) ? std::optional{one} : std::nullopt;
    }));
}

/// Milli-cards that the project's jobs hold now, by model.
std::map<std::string, MilliCards> use_of(const State& state, const ProjectName& project) {
    std::map<std::string, MilliCards> use;
    for (const auto& [site, tasks] : state.tasks) {
        for (const auto& [id, generation] : tasks) {
            const auto& job = state.jobs.at(id);
            if (job.project != project || !job.placement) continue;
            use[job.placement->model] += job.placement->per_node * static_cast<std::int64_t>(job.placement->nodes.size());
        }
    }
    return use;
}

Result<std::string, Refusal> get_project(const View& view) {
    const ProjectName name{std::string{view.request.parameter("project")}};
    const auto found = view.state.projects.find(name);
    if (found == view.state.projects.end() || !control::may_see(view.state, view.actor, name)) return fail(unknown_project(name.value));
    ProjectView project{found->second, {}, {}, 0, view.state.revision};
    auto use = use_of(view.state, name);
    for (const auto& line : project.quota) {
        project.use.push_back({line.model, line.milli_cards, use[line.model]});
        use.erase(line.model);
    }
    for (const auto& [model, used] : use) project.use.push_back({model, std::nullopt, used});
    if (const auto members = view.state.members.find(name); members != view.state.members.end()) {
        for (const auto& [subject, roles] : members->second) project.members.push_back({subject, roles});
    }
    if (const auto live = view.state.live_jobs.find(name); live != view.state.live_jobs.end()) project.live_jobs = live->second;
    return codec::to_json(project);
}

Result<std::string, Refusal> who_am_i(const View& view) {
    const auto& token = view.state.tokens.at(view.actor.token);
    WhoAmI me;
    me.actor = view.actor.text();
    me.subject = token.subject;
    me.site = token.site;
    me.token = token.id;
    me.scopes = token.scopes;
    me.expires_at = token.expires_at;
    if (const auto roles = view.state.network_roles.find(token.subject); !token.site && roles != view.state.network_roles.end())
        me.network_roles = roles->second;
    for (const auto& [project, members] : view.state.members) {
        const auto roles = members.find(token.subject);
        if (!token.site && roles != members.end()) me.projects.push_back({project, roles->second});
    }
    me.revision = view.state.revision;
    return codec::to_json(me);
}

Result<std::string, Refusal> list_tokens(const View& view) {
    const bool all = flag(view.request, "all");
    if (auto allowed = control::permit(view.state, view.actor, all ? Action::issue_token : Action::see_network); !allowed)
        return fail(allowed.error());
    return codec::to_json(page_of<TokenView>(view.state.tokens, view, [&](const TokenId&, const Token& one) -> std::optional<TokenView> {
        const bool own = one.subject == view.actor.subject && !one.site;
        if ((!all && !own) || !wants(view, "subject", one.subject.value) || !wants(view, "site", one.site ? one.site->value : ""))
            return std::nullopt;
        return TokenView{one.id, one.subject, one.scopes, one.site, one.issued_at, one.expires_at};
    }));
}

/// A new secret and the change that makes its hash known. The secret goes into the answer of this request alone.
Change issue(Context& context, Token token, std::string canonical) {
    std::array<std::uint8_t, 32> chance{};
    context.world.random(chance);
    auto secret = secret_of(chance);
    token.hash = hash_of_secret(secret);
    Change change{control::IssueToken{std::move(token)}, std::move(canonical), "/v1/tokens/", {}};
    change.print = [secret = std::move(secret)](const control::Accepted& accepted, std::uint64_t revision) {
        TokenMade made{accepted.id, secret, accepted.repeated, revision};
        if (accepted.repeated) made.secret.reset();
        return codec::to_json(made);
    };
    return change;
}

Result<Change, http::Response> make_token(Context& context, const Actor& actor, const TokenForm& form) {
    Token token;
    token.id = form.id ? *form.id : TokenId{new_uid(context)};
    token.subject = form.subject.empty() ? actor.subject : form.subject;
    token.scopes = form.scopes;
    token.expires_at = form.expires_at;
    return issue(context, std::move(token), codec::to_json(form));
}

Result<Change, http::Response> make_agent_token(Context& context, const http::Request& request, const AgentTokenForm& form) {
    const auto site = SiteName::parse(request.parameter("site"));
    if (!site)
        return fail(
            refuse(not_found(fmt::format("site {} is not known; register it first", request.parameter("site")), "site"), request.target));
    Token token;
    token.id = form.id ? *form.id : TokenId{new_uid(context)};
    token.site = *site;
    token.scopes = {Scope::agent};
    token.expires_at = form.expires_at;
    return issue(context, std::move(token), codec::to_json(form));
}

Result<Change, http::Response> end_token(const http::Request& request) {
    const auto id = TokenId::parse(request.parameter("token"));
    if (!id) return fail(refuse(not_found(fmt::format("{} is not known here", request.parameter("token")), "id"), request.target));
    return Change{control::RevokeToken{*id}, {}, {}, {}};
}

Result<Change, http::Response> set_member(const http::Request& request, const RolesForm& form) {
    const ProjectName project{std::string{request.parameter("project")}};
    if (!is_name(project.value)) return fail(refuse(unknown_project(project.value), request.target));
    return Change{
        control::SetRoles{SubjectName{std::string{request.parameter("subject")}}, project, form.roles}, codec::to_json(form), {}, {}};
}

std::vector<Endpoint> token_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(showing<WhoAmI>(
        context, {.pattern = "/v1/whoami", .name = "who_am_i", .summary = "Who the token belongs to, and what it may do"}, who_am_i));
    endpoints.push_back(
        listing<TokenView>(context,
                           {.pattern = "/v1/tokens",
                            .name = "list_tokens",
                            .summary = "One's own tokens, without their secrets",
                            .query = {{.name = "all", .kind = Parameter::Kind::flag, .doc = "everybody's, for operators"},
                                      {.name = "subject", .doc = "only of this one"},
                                      {.name = "site", .doc = "only of this one's agents"}},
                            .problems = {403}},
                           list_tokens));
    endpoints.push_back(making<TokenForm, TokenMade>(
        context,
        {.pattern = "/v1/tokens",
         .name = "issue_token",
         .summary = "A new token; its secret is shown this once",
         .problems = {403, 404, 409, 422}},
        [&context](const Actor& actor, const http::Request&, const TokenForm& form) { return make_token(context, actor, form); }));
    endpoints.push_back(
        {.method = Method::del,
         .pattern = "/v1/tokens/{token}",
         .name = "revoke_token",
         .summary = "Ends a token at once",
         .answer = schema_of<Made>,
         .problems = {403, 404},
         .handler = changing_without_body(context, [](const Actor&, const http::Request& request) { return end_token(request); })});
    endpoints.push_back(making<AgentTokenForm, TokenMade>(
        context,
        {.pattern = "/v1/sites/{site}/agent-token",
         .name = "issue_agent_token",
         .summary = "A new token for a site's agent; its secret is shown this once",
         .problems = {403, 404, 409, 422}},
        [&context](const Actor&, const http::Request& request, const AgentTokenForm& form) {
            return make_agent_token(context, request, form);
        }));
    return endpoints;
}

}  // namespace

std::vector<Endpoint> people_endpoints(Context& context) {
    auto endpoints = token_endpoints(context);
    endpoints.push_back(making<OrganisationForm>(
        context,
        {.pattern = "/v1/organisations",
         .name = "set_organisation",
         .summary = "Makes an organisation, or changes it",
         .takes_yaml = true,
         .problems = {403, 409, 422}},
        [](const Actor&, const http::Request&, const OrganisationForm& form) -> Result<Change, http::Response> {
            const Organisation organisation{form.name,       form.kind,          form.title,        form.credit_code,
                                            form.size_class, form.registered_in, form.control_group};
            return Change{control::SetOrganisation{organisation}, codec::to_json(form), "/v1/organisations/", {}};
        }));
    endpoints.push_back(listing<OrganisationView>(context,
                                                  {.pattern = "/v1/organisations",
                                                   .name = "list_organisations",
                                                   .summary = "Organisations that one may see, by name",
                                                   .query = {{.name = "kind",
                                                              .kind = Parameter::Kind::word,
                                                              .doc = "only such",
                                                              .words = words_of<OrganisationKind>()},
                                                             {.name = "control_group", .doc = "only of this one"}}},
                                                  list_organisations));
    endpoints.push_back(showing<OrganisationView>(context,
                                                  {.pattern = "/v1/organisations/{organisation}",
                                                   .name = "get_organisation",
                                                   .summary = "One organisation",
                                                   .problems = {404}},
                                                  get_organisation));
    endpoints.push_back(setting<SuspensionForm>(
        context,
        {.pattern = "/v1/organisations/{organisation}/suspension",
         .name = "suspend_organisation",
         .summary = "Stops the jobs of an organisation's projects, which then wait, or lets them go on",
         .problems = {403, 404, 409, 422}},
        [](const Actor&, const http::Request& request, const SuspensionForm& form) -> Result<Change, http::Response> {
            const OrganisationName name{std::string{request.parameter("organisation")}};
            return Change{control::SuspendOrganisation{name, form.suspended}, codec::to_json(form), {}, {}};
        }));
    endpoints.push_back(making<ProjectForm>(
        context,
        {.pattern = "/v1/projects",
         .name = "set_project",
         .summary = "Makes a project, or changes its quota, trust or limits",
         .takes_yaml = true,
         .problems = {403, 404, 409, 422}},
        [](const Actor&, const http::Request&, const ProjectForm& form) -> Result<Change, http::Response> {
            const Project project{form.name, form.organisation, form.quota, form.trusted, form.live_jobs_max};
            return Change{control::SetProject{project}, codec::to_json(form), "/v1/projects/", {}};
        }));
    endpoints.push_back(listing<Project>(
        context,
        {.pattern = "/v1/projects",
         .name = "list_projects",
         .summary = "Projects that one may see, by name",
         .query = {{.name = "organisation", .doc = "only of this one"}}},
        list_projects));
    endpoints.push_back(showing<ProjectView>(context,
                                             {.pattern = "/v1/projects/{project}",
                                              .name = "get_project",
                                              .summary = "One project with its members, quota and use",
                                              .problems = {404}},
                                             get_project));
    endpoints.push_back(setting<RolesForm>(
        context,
        {.pattern = "/v1/projects/{project}/members/{subject}",
         .name = "set_member",
         .summary = "Gives a subject exactly these roles in a project",
         .problems = {403, 404, 422}},
        [](const Actor&, const http::Request& request, const RolesForm& form) { return set_member(request, form); }));
    endpoints.push_back(setting<RolesForm>(
        context,
        {.pattern = "/v1/network/roles/{subject}",
         .name = "set_network_roles",
         .summary = "Gives a subject exactly these roles in the network",
         .problems = {403, 422}},
        [](const Actor&, const http::Request& request, const RolesForm& form) -> Result<Change, http::Response> {
            return Change{control::SetRoles{SubjectName{std::string{request.parameter("subject")}}, {}, form.roles},
                          codec::to_json(form),
                          {},
                          {}};
        }));
    return endpoints;
}

}  // namespace weir::api
