// What operators keep in files: what would change if they were applied. Nothing is changed here; who applies sends each change by its
// own route.
#include "transport/api/context.hpp"

#include <boost/describe.hpp>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::api {

struct MemberForm {
    ProjectName project;
    SubjectName subject;
    std::vector<Role> roles;
    static constexpr std::string_view doc = "The roles of a subject in a project: exactly these.";
    static constexpr std::array field_rules{codec::Field{.name = "project", .min_length = 1},
                                            codec::Field{.name = "subject", .min_length = 1},
                                            codec::Field{.name = "roles", .max_length = 16}};
    bool operator==(const MemberForm&) const = default;
};
BOOST_DESCRIBE_STRUCT(MemberForm, (), (project, subject, roles))

struct NetworkRolesForm {
    SubjectName subject;
    std::vector<Role> roles;
    static constexpr std::string_view doc = "The roles of a subject in the network: exactly these.";
    static constexpr std::array field_rules{codec::Field{.name = "subject", .min_length = 1},
                                            codec::Field{.name = "roles", .max_length = 16}};
    bool operator==(const NetworkRolesForm&) const = default;
};
BOOST_DESCRIBE_STRUCT(NetworkRolesForm, (), (subject, roles))

struct ObjectsForm {
    std::vector<Accelerator> catalogue;
    std::vector<OrganisationForm> organisations;
    std::vector<SiteForm> sites;
    std::vector<ProjectForm> projects;
    std::vector<MemberForm> members;
    std::vector<NetworkRolesForm> roles;
    std::vector<Programme> programmes;
    static constexpr std::size_t most = 1'000;
    static constexpr std::string_view doc = "Objects of an operator's file. What is not in it is left alone.";
    static constexpr std::array field_rules{
        codec::Field{.name = "catalogue", .optional = true, .max_length = most},
        codec::Field{.name = "organisations", .optional = true, .max_length = most},
        codec::Field{.name = "sites", .optional = true, .max_length = most},
        codec::Field{.name = "projects", .optional = true, .max_length = most},
        codec::Field{.name = "members", .optional = true, .max_length = most},
        codec::Field{.name = "roles", .optional = true, .max_length = most},
        codec::Field{.name = "programmes", .optional = true, .max_length = most},
    };
};
BOOST_DESCRIBE_STRUCT(ObjectsForm, (), (catalogue, organisations, sites, projects, members, roles, programmes))

/// One object as it is and as it would be, with every default filled in.
template <class T>
struct Compared {
    std::optional<T> before;  ///< Absent: it would be new.
    T after;
    bool changes = true;
};
BOOST_DESCRIBE_STRUCT(Compared<Accelerator>, (), (before, after, changes))
BOOST_DESCRIBE_STRUCT(Compared<OrganisationForm>, (), (before, after, changes))
BOOST_DESCRIBE_STRUCT(Compared<SiteForm>, (), (before, after, changes))
BOOST_DESCRIBE_STRUCT(Compared<ProjectForm>, (), (before, after, changes))
BOOST_DESCRIBE_STRUCT(Compared<MemberForm>, (), (before, after, changes))
BOOST_DESCRIBE_STRUCT(Compared<NetworkRolesForm>, (), (before, after, changes))
BOOST_DESCRIBE_STRUCT(Compared<Programme>, (), (before, after, changes))

struct ObjectsView {
    std::vector<Compared<Accelerator>> catalogue;
    std::vector<Compared<OrganisationForm>> organisations;
    std::vector<Compared<SiteForm>> sites;
    std::vector<Compared<ProjectForm>> projects;
    std::vector<Compared<MemberForm>> members;
    std::vector<Compared<NetworkRolesForm>> roles;
    std::vector<Compared<Programme>> programmes;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(ObjectsView, (), (catalogue, organisations, sites, projects, members, roles, programmes, revision))

namespace {

using control::Refusal;

/// What one has and the other takes are printed alike: equal texts are equal objects.
template <class T>
Compared<T> compared(std::optional<T> before, T after) {
    const bool changes = !before || codec::to_json(*before) != codec::to_json(after);
    return {std::move(before), std::move(after), changes};
}

std::optional<Accelerator> known(const control::Core& core, const Accelerator& form) {
    const auto found = core.catalogue.find(form.model);
    return found == core.catalogue.end() ? std::nullopt : std::optional{found->second};
}

std::optional<OrganisationForm> known(const control::Core& core, const OrganisationForm& form) {
    const auto& state = core.state;
    const auto found = state.organisations.find(form.name);
    if (found == state.organisations.end()) return std::nullopt;
    const auto& one = found->second;
    return OrganisationForm{one.name, one.kind, one.title, one.credit_code, one.size_class, one.registered_in, one.control_group};
}

std::optional<SiteForm> known(const control::Core& core, const SiteForm& form) {
    const auto& state = core.state;
    const auto found = state.sites.find(form.name);
    if (found == state.sites.end()) return std::nullopt;
    const auto& one = found->second.site;
    return SiteForm{one.name, one.owner, one.region, one.tier, one.backend, one.tariff, one.links, one.grid_zone, one.pue_milli, one.open};
}

std::optional<ProjectForm> known(const control::Core& core, const ProjectForm& form) {
    const auto& state = core.state;
    const auto found = state.projects.find(form.name);
    if (found == state.projects.end()) return std::nullopt;
    const auto& one = found->second;
    return ProjectForm{one.name, one.organisation, one.quota, one.trusted, one.live_jobs_max};
}

std::optional<MemberForm> known(const control::Core& core, const MemberForm& form) {
    const auto& state = core.state;
    const auto project = state.members.find(form.project);
    if (project == state.members.end()) return std::nullopt;
    const auto found = project->second.find(form.subject);
    return found == project->second.end() ? std::nullopt : std::optional{MemberForm{form.project, form.subject, found->second}};
}

std::optional<NetworkRolesForm> known(const control::Core& core, const NetworkRolesForm& form) {
    const auto& state = core.state;
    const auto found = state.network_roles.find(form.subject);
    return found == state.network_roles.end() ? std::nullopt : std::optional{NetworkRolesForm{form.subject, found->second}};
}

std::optional<Programme> known(const control::Core& core, const Programme& form) {
    const auto& state = core.state;
    const auto found = state.programmes.find(form.name);
    return found == state.programmes.end() ? std::nullopt : std::optional{found->second.programme};
}

ObjectsView compare(const control::Core& core, ObjectsForm form) {
    ObjectsView view;
    const auto all = [&](auto& wanted, auto& told) {
        for (auto& one : wanted) {
            auto before = known(core, one);
            told.push_back(compared(std::move(before), std::move(one)));
        }
    };
    all(form.catalogue, view.catalogue);
    all(form.organisations, view.organisations);
    all(form.sites, view.sites);
    all(form.projects, view.projects);
    all(form.members, view.members);
    all(form.roles, view.roles);
    all(form.programmes, view.programmes);
    view.revision = core.state.revision;
    return view;
}

}  // namespace

std::vector<Endpoint> object_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(
        {.method = http::Method::post,
         .pattern = "/v1/objects:compare",
         .name = "compare_objects",
         .summary = "What would change if the objects of a file were applied; nothing does",
         .body = schema_of<ObjectsForm>,
         .takes_yaml = true,
         .answer = schema_of<ObjectsView>,
         .problems = {403, 422},
         .max_body = 8U << 20U,
         .handler = [&context](const http::Request& request, http::Reply reply) {
             const auto now = context.world.wall();
             const auto may = context.world.reader.ask([&](const control::Core& core) -> Result<void, Refusal> {
                 return control::permit(core.state, WEIR_TRY(actor_of(core.state, request, now)), control::Action::manage_network);
             });
             if (!may) return reply(refuse(may.error(), request.target));
             auto form = decode_body<ObjectsForm>(request, true);
             if (!form) return reply(std::move(form).error());
             std::uint64_t revision = 0;
             auto text = context.world.reader.ask([&](const control::Core& core) {
                 revision = core.state.revision;
                 return codec::to_json(compare(core, std::move(*form)));
             });
             reply(show(std::move(text), revision, request));
         }});
    return endpoints;
}

}  // namespace weir::api
