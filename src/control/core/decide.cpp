#include "control/core/rules.hpp"

#include <fmt/format.h>

#include <type_traits>
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

void record_key(const Core& core, const Request& request, Decision& decision, Instant now) {
    if (request.key.empty() || !decision.answer || decision.answer->repeated) return;
    const auto scope = core.state.keys.find(request.actor.text());
    if (scope != core.state.keys.end() && scope->second.size() >= limits::keys_per_scope_max) {
        decision =
            refuse(RefusalCode::limit_reached,
                   fmt::format("{} idempotency keys are remembered for {}, at most {} are; wait until some expire, or send without a key",
                               scope->second.size(), request.actor.text(), limits::keys_per_scope_max));
        return;
    }
    decision.events.push_back(
        KeyRecorded{request.actor.text(), request.key, request.body, decision.answer->id, now + core.policy.key_lifetime});
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

Result<void, Refusal> check_new_id(const Core& core, Uid uid, std::string_view text, Instant now) {
    const auto made = time_of(uid);
    const auto oldest = std::max(core.state.forgotten_before, now - core.policy.remember);
    if (made < oldest) {
        return fail(Refusal{RefusalCode::id_too_old,
                            fmt::format("{} was made at {} and ids are remembered from {} on; make a new id for a new request", text,
                                        format_utc(made), format_utc(oldest)),
                            "id",
                            {}});
    }
    if (made > now + core.policy.clock_tolerance) {
        return fail(Refusal{RefusalCode::id_from_the_future,
                            fmt::format("{} says it was made at {}, and here it is {}; set the clock of the machine that made it", text,
                                        format_utc(made), format_utc(now)),
                            "id",
                            {}});
    }
    return {};
}

}  // namespace weir::control
