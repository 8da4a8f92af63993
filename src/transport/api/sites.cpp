// Where work runs: sites, nodes and the catalogue, as everybody sees them.
#include "transport/api/context.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace weir::api {
namespace {

using control::Action;
using control::Refusal;
using control::SiteState;

constexpr std::array<std::string_view, 2> health_words{"healthy", "ill"};
constexpr Parameter model_of_node{.name = "model", .doc = "only who has such cards"};
constexpr Parameter health_of_node{.name = "health", .kind = Parameter::Kind::word, .doc = "only who is", .words = health_words};

Result<void, Refusal> sees_network(const View& view) { return control::permit(view.state, view.actor, Action::see_network); }

SiteView view_of(const control::State& state, const SiteName& name, const SiteState& site) {
    const auto tasks = state.tasks.find(name);
    const auto places = state.places_held.find(name);
    const auto healthy = std::ranges::count_if(site.nodes, [](const auto& entry) { return entry.second.healthy; });
    SiteView view{site.site, site.reachable, site.reachable_since, site.nodes.size(), static_cast<std::uint64_t>(healthy), 0, site.duty,
                  site.drained_by, places == state.places_held.end() ? 0 : places->second.size(), 0};
    if (tasks == state.tasks.end()) return view;
    view.tasks = tasks->second.size();
    view.tasks_leaving = static_cast<std::uint64_t>(std::ranges::count_if(tasks->second, [&](const auto& entry) {
        const auto& job = state.jobs.at(entry.first);
        return job.move || job.stop_ordered;
    }));
    return view;
}

bool is_wanted(const View& view, const Node& node) {
    const auto model = word(view.request, "model");
    return wants(view, "health", node.healthy ? "healthy" : "ill") &&
           (model.empty() || std::ranges::find(node.cards, model, &CardGroup::model) != node.cards.end());
}

NodeView view_of(const SiteName& site, const Node& node, bool reachable) {
    return {site, node.name, node.cards, node.cpus, node.memory, node.position, node.healthy, reachable};
}

Result<std::string, Refusal> list_sites(const View& view) {
    WEIR_CHECK(sees_network(view));
    return codec::to_json(
        page_of<SiteView>(view.state.sites, view, [&](const SiteName& name, const SiteState& site) -> std::optional<SiteView> {
            const auto& is = site.site;
            if (!wants(view, "owner", is.owner.value) || !wants(view, "tier", codec::name_of(is.tier)) ||
                !wants(view, "backend", codec::name_of(is.backend)) || !wants(view, "duty", codec::name_of(site.duty)))
                return std::nullopt;
            if (const auto model = word(view.request, "model");
                !model.empty() && std::ranges::find(is.tariff, model, &TariffLine::model) == is.tariff.end())
                return std::nullopt;
            return view_of(view.state, name, site);
        }));
}

CapacityView capacity_of(const control::State& state, const SiteName& name, const SiteState& site, std::string_view wanted_model) {
    std::map<std::pair<std::string, bool>, CardUse> models;
    const auto of = [&](const std::string& model, bool emulated) -> CardUse& {
        auto& use = models[{model, emulated}];
        use.model = model;
        use.emulated = emulated;
        return use;
    };
    for (const auto& [node_name, node] : site.nodes) {
        for (const auto& group : node.cards) {
            auto& use = of(group.model, group.emulated);
            use.total += MilliCards{1000 * group.count};
            if (node.healthy) use.healthy += MilliCards{1000 * group.count};
        }
    }
    const auto taken = [](const Placement& placement) { return placement.per_node * static_cast<std::int64_t>(placement.nodes.size()); };
    CapacityView view{name, site.reachable, site.duty, 0, {}};
    if (const auto tasks = state.tasks.find(name); tasks != state.tasks.end()) {
        view.tasks = tasks->second.size();
        for (const auto& [id, generation] : tasks->second) {
            const auto& placement = *state.jobs.at(id).placement;
            of(placement.model, placement.emulated).used += taken(placement);
        }
    }
    if (const auto places = state.places_held.find(name); places != state.places_held.end()) {
        for (const auto& [id, generation] : places->second) {
            const auto& placement = *state.jobs.at(id).move->target;
            of(placement.model, placement.emulated).held += taken(placement);
        }
    }
    for (auto& [model, use] : models) {
        if (wanted_model.empty() || use.model == wanted_model) view.cards.push_back(std::move(use));
    }
    return view;
}

Result<std::string, Refusal> list_capacity(const View& view) {
    WEIR_CHECK(sees_network(view));
    const auto model = word(view.request, "model");
    return codec::to_json(
        page_of<CapacityView>(view.state.sites, view, [&](const SiteName& name, const SiteState& site) -> std::optional<CapacityView> {
            if (!wants(view, "site", name.value)) return std::nullopt;
            auto capacity = capacity_of(view.state, name, site, model);
            return model.empty() || !capacity.cards.empty() ? std::optional{std::move(capacity)} : std::nullopt;
        }));
}

Result<const SiteState*, Refusal> site_of(const View& view) {
    const SiteName name{std::string{view.request.parameter("site")}};
    const auto found = view.state.sites.find(name);
    if (found == view.state.sites.end()) return fail(not_found(fmt::format("site {} is not known; see: weir site list", name.value)));
    return &found->second;
}

Result<std::string, Refusal> get_site(const View& view) {
    WEIR_CHECK(sees_network(view));
    const auto* site = WEIR_TRY(site_of(view));
    return codec::to_json(view_of(view.state, site->site.name, *site));
}

Result<std::string, Refusal> list_nodes_of_site(const View& view) {
    WEIR_CHECK(sees_network(view));
    const auto* site = WEIR_TRY(site_of(view));
    return codec::to_json(page_of<NodeView>(site->nodes, view, [&](const NodeName&, const Node& node) {
        return is_wanted(view, node) ? std::optional{view_of(site->site.name, node, site->reachable)} : std::nullopt;
    }));
}

/// Nodes of all sites, by site and name; the cursor is both, joined by a slash.
Result<std::string, Refusal> list_nodes(const View& view) {
    WEIR_CHECK(sees_network(view));
    const auto after = from_cursor(view.request).value_or("");
    const auto slash = after.find('/');
    const SiteName first{after.substr(0, slash)};
    Page<NodeView> page{{}, {}, view.state.revision};
    const auto limit = page_limit(view.request);
    for (auto site = view.state.sites.lower_bound(first); site != view.state.sites.end(); ++site) {
        const auto& nodes = site->second.nodes;
        auto node =
            slash != std::string::npos && site->first == first ? nodes.upper_bound(NodeName{after.substr(slash + 1)}) : nodes.begin();
        for (; node != nodes.end(); ++node) {
            if (page.items.size() == limit) {
                const auto& last = page.items.back();
                page.next_cursor = cursor_of(view.request, last.site.value + "/" + last.name.value);
                return codec::to_json(page);
            }
            if (is_wanted(view, node->second)) page.items.push_back(view_of(site->first, node->second, site->second.reachable));
        }
    }
    return codec::to_json(page);
}

Result<std::string, Refusal> list_catalogue(const View& view) {
    WEIR_CHECK(sees_network(view));
    return codec::to_json(page_of<Accelerator>(view.core.catalogue, view, [&](const std::string&, const Accelerator& one) {
        return wants(view, "stack", one.stack) && wants(view, "vendor", one.vendor) ? std::optional{one} : std::nullopt;
    }));
}

}  // namespace

std::vector<Endpoint> site_endpoints(Context& context) {
    std::vector<Endpoint> endpoints;
    endpoints.push_back(making<SiteForm>(
        context,
        {.pattern = "/v1/sites",
         .name = "set_site",
         .summary = "Registers a site, or changes its tariff, links or whether it is open",
         .takes_yaml = true,
         .problems = {403, 404, 409, 422}},
        [](const control::Actor&, const http::Request&, const SiteForm& form) -> Result<Change, http::Response> {
            const Site site{form.name,   form.owner, form.region,    form.tier,      form.backend,
                            form.tariff, form.links, form.grid_zone, form.pue_milli, form.open};
            return Change{control::SetSite{site}, codec::to_json(form), "/v1/sites/", {}};
        }));
    endpoints.push_back(making<Accelerator>(
        context,
        {.pattern = "/v1/catalog",
         .name = "set_accelerator",
         .summary = "Makes a model known to this network, or changes what it knows of one",
         .takes_yaml = true,
         .problems = {403, 409, 422}},
        [](const control::Actor&, const http::Request&, const Accelerator& form) -> Result<Change, http::Response> {
            return Change{control::SetAccelerator{form}, codec::to_json(form), "/v1/catalog/", {}};
        }));
    endpoints.push_back(setting<DutyForm>(
        context,
        {.pattern = "/v1/sites/{site}/duty",
         .name = "set_site_duty",
         .summary = "Empties a site, stops it at once, or takes it into service again",
         .problems = {403, 404, 409, 422}},
        [](const control::Actor&, const http::Request& request, const DutyForm& form) -> Result<Change, http::Response> {
            const SiteName site{std::string{request.parameter("site")}};
            return Change{control::SetSiteDuty{site, form.duty, form.deadline}, codec::to_json(form), {}, {}};
        }));
    endpoints.push_back(listing<SiteView>(
        context,
        {.pattern = "/v1/sites",
         .name = "list_sites",
         .summary = "All sites, by name",
         .query = {{.name = "owner", .doc = "only of this organisation"},
                   {.name = "tier", .kind = Parameter::Kind::word, .doc = "only of this one", .words = words_of<Tier>()},
                   {.name = "backend", .kind = Parameter::Kind::word, .doc = "only such", .words = words_of<Backend>()},
                   {.name = "duty", .kind = Parameter::Kind::word, .doc = "only who is", .words = words_of<SiteDuty>()},
                   {.name = "model", .doc = "only who has a price for this one"}},
         .problems = {403}},
        list_sites));
    endpoints.push_back(showing<SiteView>(
        context, {.pattern = "/v1/sites/{site}", .name = "get_site", .summary = "One site", .problems = {403, 404}}, get_site));
    endpoints.push_back(listing<NodeView>(context,
                                          {.pattern = "/v1/sites/{site}/nodes",
                                           .name = "list_site_nodes",
                                           .summary = "The nodes of a site, by name",
                                           .query = {model_of_node, health_of_node},
                                           .problems = {403, 404}},
                                          list_nodes_of_site));
    endpoints.push_back(listing<NodeView>(context,
                                          {.pattern = "/v1/nodes",
                                           .name = "list_nodes",
                                           .summary = "The nodes of all sites, by site and name",
                                           .query = {model_of_node, health_of_node},
                                           .problems = {403}},
                                          list_nodes));
    endpoints.push_back(listing<CapacityView>(context,
                                              {.pattern = "/v1/capacity",
                                               .name = "list_capacity",
                                               .summary = "Cards of each site by model: how many there are, in use and held",
                                               .query = {{.name = "site", .doc = "only of this one"},
                                                         {.name = "model", .doc = "only of this one"}},
                                               .problems = {403}},
                                              list_capacity));
    endpoints.push_back(listing<Accelerator>(context,
                                             {.pattern = "/v1/catalog",
                                              .name = "list_catalog",
                                              .summary = "The accelerator models that the network knows, with the source of each figure",
                                              .query = {{.name = "vendor", .doc = "only of this one"},
                                                        {.name = "stack", .doc = "only of this one, such as cuda or cann"}},
                                              .problems = {403}},
                                             list_catalogue));
    return endpoints;
}

}  // namespace weir::api
