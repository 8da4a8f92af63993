#include "control/core/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

namespace weir::control {
namespace {

/// The answer of an earlier request with the same key, where there was one.
std::optional<Decision> recall(const Core& core, const Request& request, const Digest& body) {
    if (request.key.empty()) return std::nullopt;
    const auto scope = core.state.keys.find(request.actor.text());
    if (scope == core.state.keys.end()) return std::nullopt;
    const auto known = scope->second.find(request.key);
    if (known == scope->second.end()) return std::nullopt;
    if (known->second.body == body) return repeat(known->second.answer);
    return refuse(RefusalCode::key_reused,
                  fmt::format("the idempotency key '{}' came before with another body; use a new key for a new request", request.key));
}

/// The project that a request is about; empty where it is about none.
ProjectName project_of(const Core& core, const Command& command) {
    if (const auto* submit = std::get_if<SubmitJob>(&command)) return submit->project;
    if (const auto* roles = std::get_if<SetRoles>(&command)) return roles->project;
    if (const auto* project = std::get_if<SetProject>(&command)) return project->project.name;
    if (const auto* cancel = std::get_if<CancelJob>(&command)) {
        const auto job = core.state.jobs.find(cancel->job);
        if (job != core.state.jobs.end()) return job->second.project;
    }
    if (const auto* tree = std::get_if<KeepTree>(&command)) return tree->project;
    if (const auto* tree = std::get_if<RemoveTree>(&command)) return tree->project;
    if (const auto* files = std::get_if<SetFiles>(&command)) return files->project;
    return {};
}

/// Nothing, or why one more key cannot be remembered.
std::optional<Refusal> key_limit(const Core& core, const std::string& sender, const ProjectName& project) {
    std::size_t known = 0;
    if (project.empty()) {
        const auto scope = core.state.keys.find(sender);
        if (scope != core.state.keys.end())
            known = static_cast<std::size_t>(
                std::ranges::count_if(scope->second, [](const auto& key) { return key.second.project.empty(); }));
    } else if (const auto count = core.state.keys_of.find(project); count != core.state.keys_of.end()) {
        known = count->second;
    }
    const auto most = project.empty() ? limits::keys_per_sender_max : limits::keys_per_project_max;
    if (known < most) return std::nullopt;
    return Refusal{RefusalCode::limit_reached,
                   fmt::format("{} idempotency keys are remembered for {}, at most {} are; wait until some expire, or send without a key",
                               known, project.empty() ? sender : "project " + project.value, most),
                   {},
                   {}};
}

void record_key(const Core& core, const Request& request, Decision& decision, Instant now) {
    if (request.key.empty() || !decision.answer || decision.answer->repeated) return;
    const auto sender = request.actor.text();
    const auto project = project_of(core, request.command);
    if (auto full = key_limit(core, sender, project)) {
        decision = refuse(std::move(*full));
        return;
    }
    decision.events.push_back(
        KeyRecorded{sender, request.key, request.body, decision.answer->id, now + core.policy.key_lifetime, project});
}

}  // namespace

Decision decide(const Core& core, const Request& request, Instant now) {
    if (auto earlier = recall(core, request, request.body)) return std::move(*earlier);
    auto decision = std::visit([&](const auto& command) { return decide(core, request.actor, command, now); }, request.command);
    record_key(core, request, decision, now);
    return decision;
}

std::optional<Refusal> first_of(const std::vector<Flaw>& flaws, std::string_view what) {
    if (flaws.empty()) return std::nullopt;
    std::string message;
    for (const auto& flaw : flaws) {
        if (!message.empty()) message += "; ";
        message += fmt::format("{} {}", flaw.path, flaw.message);
    }
    return Refusal{RefusalCode::bad_value, fmt::format("{}: {}", what, message), flaws.front().path, {}};
}

std::optional<Refusal> no_room(std::size_t have, std::size_t most, std::string_view what, std::string_view advice) {
    if (have < most) return std::nullopt;
    return Refusal{RefusalCode::limit_reached, fmt::format("there are {} {}, at most {} are kept; {}", have, what, most, advice), {}, {}};
}

Result<void, Refusal> check_new_id(const Core& core, Uid uid, std::string_view text, Instant now) {
    const auto made = time_of(uid);
    const auto oldest = std::max(core.state.forgotten_before, now - core.policy.remember);
    if (made < oldest) {
        return fail(Refusal{RefusalCode::id_too_old,
                            fmt::format("{} was made at {} and ids are remembered from {} on; make a new id for a new request", text,
                                        moment(made), moment(oldest)),
                            "id",
                            {}});
    }
    if (made > now + core.policy.clock_tolerance) {
        return fail(Refusal{RefusalCode::id_from_the_future,
                            fmt::format("{} says it was made at {}, and here it is {}; set the clock of the machine that made it", text,
                                        moment(made), moment(now)),
                            "id",
                            {}});
    }
    return {};
}

Refusal unusable_id(std::string_view text) {
    return {RefusalCode::bad_value, fmt::format("{} cannot be used for something new; make a new id", text), "id", {}};
}

}  // namespace weir::control
