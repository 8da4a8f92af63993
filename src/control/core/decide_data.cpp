// What projects keep with the network, and for how long. Bytes are moved by others: what is decided here is which trees there are.
#include "control/core/rules.hpp"
#include "domain/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace weir::control {
namespace {

const ProjectData& data_of(const State& state, const ProjectName& project) {
    static const ProjectData none;
    const auto data = state.data.find(project);
    return data == state.data.end() ? none : data->second;
}

bool is_used(const State& state, const ProjectName& project, const Digest& tree) { return state.tree_uses.contains({project, tree}); }

/// Trees that no job uses, the longest unused first.
std::vector<std::pair<Instant, Digest>> unused_trees(const State& state, const ProjectName& project, const ProjectData& data) {
    std::vector<std::pair<Instant, Digest>> unused;
    for (const auto& [digest, tree] : data.trees) {
        if (!is_used(state, project, digest)) unused.emplace_back(tree.used_at, digest);
    }
    std::ranges::sort(unused);
    return unused;
}

Refusal over_quota(const ProjectName& project, std::int64_t more, std::int64_t kept, std::int64_t quota) {
    return {RefusalCode::limit_reached,
            fmt::format("{} bytes are to be kept for project {}, which keeps {} that are in use and may keep {}; remove what is no longer "
                        "needed (weir rm), leave files out with .weirignore, or ask an operator for more",
                        more, project.value, kept, quota),
            "quota",
            {}};
}

/// The trees that go so that `more` bytes can be kept, or a refusal.
Result<std::vector<Event>, Refusal> make_room(const State& state, const ProjectName& project, std::int64_t more) {
    const auto& data = data_of(state, project);
    auto kept = kept_bytes(data);
    const auto quota = quota_of(data);
    auto count = data.trees.size();
    std::vector<Event> dropped;
    for (const auto& [used_at, digest] : unused_trees(state, project, data)) {
        if (kept + more <= quota && count < limits::trees_per_project_max) break;
        kept -= data.trees.at(digest).size.bytes;
        --count;
        dropped.emplace_back(TreeDropped{project, digest, DropReason::displaced, std::nullopt});
    }
    if (kept + more > quota) return fail(over_quota(project, more, kept, quota));
    if (auto refusal = no_room(count, limits::trees_per_project_max, "folders of code in use by jobs of the project",
                               "wait for some of its jobs to end"))
        return fail(*std::move(refusal));
    return dropped;
}

std::optional<Refusal> check_project(const State& state, const ProjectName& project) {
    if (state.projects.contains(project)) return std::nullopt;
    return Refusal{RefusalCode::not_found, fmt::format("project {} is not known here; list yours with: weir project list", project.value),
                   "project", {}};
}

}  // namespace

std::optional<Refusal> check_quota(const State& state, const ProjectName& project, std::int64_t more, std::int64_t room_made) {
    const auto& data = data_of(state, project);
    auto kept = kept_bytes(data) - room_made;
    for (const auto& [used_at, digest] : unused_trees(state, project, data)) kept -= data.trees.at(digest).size.bytes;
    if (kept + more <= quota_of(data)) return std::nullopt;
    return over_quota(project, more, kept, quota_of(data));
}

std::optional<Refusal> check_workdir(const State& state, const ProjectName& project, const JobSpec& spec) {
    if (!spec.workdir) return std::nullopt;
    const auto tree = parse_tree_name(*spec.workdir);
    if (!tree) {
        return Refusal{
            RefusalCode::bad_value,
            fmt::format("workdir is '{}', which is no tree-... that the project keeps; weir submit packs a folder and names it so",
                        escaped(*spec.workdir)),
            "workdir",
            {}};
    }
    if (data_of(state, project).trees.contains(*tree)) return std::nullopt;
    return Refusal{RefusalCode::not_found,
                   fmt::format("workdir is {}, which project {} does not keep; upload it first, as weir submit does", *spec.workdir,
                               project.value),
                   "workdir",
                   {}};
}

Decision decide(const Core& core, const Actor& actor, const KeepTree& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::submit, command.project); !allowed) return refuse(allowed.error());
    if (auto refusal = check_project(core.state, command.project)) return refuse(std::move(*refusal));
    const auto name = tree_name(command.tree);
    const auto& data = data_of(core.state, command.project);
    if (data.trees.contains(command.tree)) return repeat(name);
    auto events = make_room(core.state, command.project, command.size.bytes);
    if (!events) return refuse(events.error());
    events->emplace_back(TreeKept{command.project, command.tree, command.size});
    return accept(name, std::move(*events));
}

Decision decide(const Core& core, const Actor& actor, const RemoveTree& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::submit, command.project); !allowed) return refuse(allowed.error());
    const auto name = tree_name(command.tree);
    const auto& data = data_of(core.state, command.project);
    if (!data.trees.contains(command.tree))
        return refuse(RefusalCode::not_found, fmt::format("project {} keeps no {}", command.project.value, name), "tree");
    if (const auto uses = core.state.tree_uses.find({command.project, command.tree}); uses != core.state.tree_uses.end()) {
        return refuse(RefusalCode::limit_reached,
                      fmt::format("{} live jobs begin in {}; wait for their end, or cancel them first", uses->second, name), "tree");
    }
    return accept(name, {TreeDropped{command.project, command.tree, DropReason::removed, actor.subject}});
}

Decision decide(const Core& core, const Actor& actor, const SetFiles& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::submit, command.project); !allowed) return refuse(allowed.error());
    if (auto refusal = check_project(core.state, command.project)) return refuse(std::move(*refusal));
    const auto& data = data_of(core.state, command.project);
    const auto now_tree = data.files ? std::optional{data.files->tree} : std::nullopt;
    const auto name = command.tree ? tree_name(*command.tree) : std::string{"none"};
    if (command.tree == now_tree) return repeat(name);
    if (command.before != now_tree) {
        return refuse(RefusalCode::already_exists_different,
                      fmt::format("the files of project {} were changed meanwhile: they are {} and no longer {}; look again and repeat",
                                  command.project.value, now_tree ? tree_name(*now_tree) : "none",
                                  command.before ? tree_name(*command.before) : "none"),
                      "before");
    }
    std::vector<Event> events;
    if (command.tree) {
        // The files of now go when those of then are there: only what comes on top needs room.
        const auto before = data.files ? data.files->size.bytes : 0;
        if (command.size.bytes > before) {
            auto room = make_room(core.state, command.project, command.size.bytes - before);
            if (!room) return refuse(room.error());
            events = std::move(*room);
        }
    }
    events.emplace_back(FilesSet{command.project, command.tree, command.tree ? command.size : TreeSize{}, actor.subject});
    return accept(name, std::move(events));
}

Decision decide(const Core& core, const Actor& actor, const RemoveOutputs& command, Instant) {
    const auto unknown = [&] {
        return refuse(RefusalCode::not_found, fmt::format("no outputs of {} are kept here", command.job.text()), "job");
    };
    for (const auto& [project, data] : core.state.data) {
        const auto outputs = data.outputs.find(command.job);
        if (outputs == data.outputs.end()) continue;
        if (auto allowed = permit(core.state, actor, Action::submit, project); !allowed)
            return allowed.error().code == RefusalCode::not_found ? unknown() : refuse(allowed.error());
        if (core.state.jobs.contains(command.job)) {
            return refuse(RefusalCode::limit_reached,
                          fmt::format("{} is not over and may publish more; wait for its end, or cancel it first", command.job.text()),
                          "job");
        }
        return accept(command.job.text(),
                      {OutputsDropped{command.job, project, outputs->second.tree, DropReason::removed, actor.subject}});
    }
    return unknown();
}

Decision decide(const Core& core, const Actor& actor, const SetDataQuota& command, Instant) {
    if (auto allowed = permit(core.state, actor, Action::manage_network); !allowed) return refuse(allowed.error());
    if (auto refusal = check_project(core.state, command.project)) return refuse(std::move(*refusal));
    if (command.bytes < 0 || command.bytes > limits::data_quota_bytes_max) {
        return refuse(RefusalCode::bad_value,
                      fmt::format("bytes is {}, and must be 0 to {}", command.bytes, limits::data_quota_bytes_max), "bytes");
    }
    if (data_of(core.state, command.project).quota_bytes == command.bytes) return repeat(command.project.value);
    return accept(command.project.value, {DataQuotaSet{command.project, command.bytes}});
}

Decision decide(const Core& core, const Actor& actor, const ConfirmErased& command, Instant) {
    if (actor.kind != Actor::Kind::system) return refuse(RefusalCode::forbidden, "only the keeper of the store says what is gone");
    const auto& data = data_of(core.state, command.project);
    const auto dropped = data.dropped.find(command.tree);
    // Kept again meanwhile, or said before.
    if (dropped == data.dropped.end()) return repeat(tree_name(command.tree));
    auto copies = command.copies;
    if (copies.size() > limits::erased_copies_max) copies.resize(limits::erased_copies_max);
    return accept(tree_name(command.tree), {DataErased{command.project, command.tree, dropped->second.reason, dropped->second.by,
                                                       dropped->second.dropped_at, command.list, std::move(copies)}});
}

std::optional<Refusal> check_keep(const Policy& policy, const JobSpec& spec) {
    const auto asked = spec.outputs ? spec.outputs->asked() : std::nullopt;
    if (!asked || seconds(asked->value) <= policy.output_keep_max) return std::nullopt;
    return Refusal{RefusalCode::bad_value,
                   fmt::format("outputs are to be kept for {}, and this network keeps them for at most {}; ask for less, and fetch them "
                               "before (weir get)",
                               format_duration(seconds(asked->value)), format_duration(policy.output_keep_max)),
                   "outputs.keep",
                   {}};
}

void take_output(const Core& core, const SiteName& site, const OutputReport& report, OutputsTaken& taken, std::vector<Event>& events) {
    const auto found = core.state.jobs.find(report.job);
    if (found == core.state.jobs.end() || found->second.generation != report.generation) return;
    const auto& job = found->second;
    if (!job.placement || job.placement->site != site || !is_name(report.name)) return;
    if (report.bytes < 0 || report.bytes > limits::tree_bytes_max || report.files < 0) return;
    const auto asked = job.spec->outputs ? job.spec->outputs->asked() : std::nullopt;
    const Seconds keep = asked.value_or(Seconds{core.policy.output_keep.ns / 1'000'000'000});
    if (keep.value <= 0) return;
    const auto& project = job.project;
    const auto refuse_output = [&](OutputFault fault, std::int64_t bytes_max) {
        const RefusedOutputs refused{report.generation, fault, report.bytes, std::max<std::int64_t>(bytes_max, 0)};
        if (job.outputs_refused == refused) return;
        events.emplace_back(OutputsRefused{report.job, project, refused.generation, fault, refused.bytes, refused.bytes_max});
    };
    if (report.fault) return refuse_output(*report.fault, report.bytes_max.value_or(0));
    const auto& data = data_of(core.state, project);
    const auto known = data.outputs.find(report.job);
    const bool is_known = known != data.outputs.end();
    if (is_known && known->second.tree == report.tree && known->second.generation == report.generation &&
        known->second.name == report.name) {
        return;
    }
    if (!is_known && data.outputs.size() >= limits::outputs_per_project_max) return refuse_output(OutputFault::over_quota, 0);
    const auto own = is_known ? known->second.size.bytes : 0;
    // Others of this report came first.
    auto& before = taken[project];
    auto room = make_room(core.state, project, before + report.bytes - own);
    if (!room) return refuse_output(OutputFault::over_quota, quota_of(data) - kept_bytes(data) + own - before);
    before += report.bytes - own;
    std::ranges::move(*room, std::back_inserter(events));
    events.emplace_back(
        OutputsStored{report.job, project, report.generation, report.name, report.tree, {report.bytes, report.files}, keep});
}

void end_data(const Core& core, Instant now, std::vector<Event>& events) {
    const auto& state = core.state;
    const auto is_full = [&] { return events.size() >= core.policy.timers_per_pass; };
    for (const auto& [at, project, job] : state.output_ends) {
        if (at > now || is_full()) break;
        events.emplace_back(OutputsDropped{job, project, state.data.at(project).outputs.at(job).tree, DropReason::retention_over, {}});
    }
    for (const auto& [used_at, project, tree] : state.unused_trees) {
        if (used_at + core.policy.tree_unused > now || is_full()) break;
        events.emplace_back(TreeDropped{project, tree, DropReason::unused, {}});
    }
    // A day at once, as other records leave by the hour.
    const auto shown_from = now - core.policy.receipts_shown;
    std::set<ProjectName> forgetful;
    for (const auto& [erased_at, project, tree] : state.receipts) {
        if (erased_at >= shown_from - hours(24) || is_full()) break;
        if (forgetful.insert(project).second) events.emplace_back(ReceiptsForgotten{project, shown_from});
    }
}

}  // namespace weir::control
