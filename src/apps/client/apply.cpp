// Operators' objects from a file: what would change is shown first, and nothing changes before somebody said yes.
#include "apps/client/object.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace weir::cli {
namespace {

using http::Method;
using http::percent_encode;

/// A section of the file, and how one of its objects is named and sent.
struct Section {
    std::string_view name;
    std::string_view title;
};

/// In the order in which they need each other.
constexpr std::array sections{Section{"catalogue", "model"},     Section{"organisations", "organisation"},
                              Section{"sites", "site"},          Section{"projects", "project"},
                              Section{"members", "member"},      Section{"roles", "roles of"},
                              Section{"programmes", "programme"}};

std::string json_of(const codec::Value& value) {
    std::string text;
    codec::write_json(value, text);
    return text;
}

std::string name_of(const Section& section, const codec::Value& after) {
    if (section.name == "members") return text_of(after, "subject") + " in " + text_of(after, "project");
    return text_of(after, section.name == "roles" ? "subject" : section.name == "catalogue" ? "model" : "name");
}

/// Lines of the fields that differ, below the line of their object.
std::string difference(const codec::Value* before, const codec::Value& after) {
    std::string out;
    if (after.object() == nullptr) return out;
    for (const auto& member : *after.object()) {
        const auto now = json_of(member.value);
        const auto* old = before == nullptr ? nullptr : before->find(member.key);
        if (before == nullptr) {
            if (now != "\"\"" && now != "[]" && now != "null") out += fmt::format("    {}: {}\n", visible(member.key), visible(now));
            continue;
        }
        const auto was = old == nullptr ? std::string{"none"} : json_of(*old);
        if (was != now) out += fmt::format("    {}: {} -> {}\n", visible(member.key), visible(was), visible(now));
    }
    if (before == nullptr || before->object() == nullptr) return out;
    for (const auto& member : *before->object()) {
        if (after.find(member.key) == nullptr)
            out += fmt::format("    {}: {} -> none\n", visible(member.key), visible(json_of(member.value)));
    }
    return out;
}

struct Step {
    Section section;
    std::string name;
    Method method = Method::post;
    std::string target;
    std::string body;
};

Step step_of(const Section& section, const codec::Value& after) {
    const auto roles = after.find("roles") == nullptr ? std::string{"[]"} : json_of(*after.find("roles"));
    if (section.name == "members") {
        return {
            section, name_of(section, after), Method::put,
            fmt::format("/v1/projects/{}/members/{}", percent_encode(text_of(after, "project")), percent_encode(text_of(after, "subject"))),
            Object{}.raw("roles", roles).json()};
    }
    if (section.name == "roles") {
        return {section, name_of(section, after), Method::put, "/v1/network/roles/" + percent_encode(text_of(after, "subject")),
                Object{}.raw("roles", roles).json()};
    }
    const auto* collection = section.name == "catalogue" ? "catalog" : section.name.data();
    return {section, name_of(section, after), Method::post, fmt::format("/v1/{}", collection), json_of(after)};
}

/// What the server compared, as a person reads it, and what is to be sent.
struct Plan {
    std::string text;
    std::vector<Step> steps;
    std::size_t as_they_are = 0;
};

Plan plan_of(const codec::Value& compared) {
    Plan plan;
    for (const auto& section : sections) {
        for (const auto& one : items_of(compared, section.name)) {
            const auto* after = one.find("after");
            if (after == nullptr) continue;
            const auto* before = one.find("before");
            if (before != nullptr && before->is_null()) before = nullptr;
            const auto name = name_of(section, *after);
            if (!flag_of(one, "changes")) {
                ++plan.as_they_are;
                continue;
            }
            plan.text += fmt::format("{} {} {}{}\n", before == nullptr ? '+' : '~', section.title, name, before == nullptr ? " (new)" : "");
            plan.text += difference(before, *after);
            plan.steps.push_back(step_of(section, *after));
        }
    }
    return plan;
}

Result<bool, Failure> agreed(Session& session, std::size_t changes) {
    auto& console = session.console();
    if (!console.asks) {
        return fail(usage(fmt::format("{} objects would change and nobody can be asked here; say --yes to apply them, or --dry-run to look",
                                      changes)));
    }
    console.err << fmt::format("apply {} changes? [y/N] ", changes) << std::flush;
    std::string line;
    std::getline(console.in, line);
    return line == "y" || line == "Y" || line == "yes";
}

}  // namespace

Done apply(Session& session, const ApplyAsk& ask) {
    auto& console = session.console();
    const auto source = WEIR_TRY(read_source(console, ask.file));
    auto compared = session.change(Method::post, "/v1/objects:compare", json_of(source.value));
    if (!compared) return fail(placed(source, std::move(compared).error()));
    if (session.json() && ask.dry_run) {
        (void)session.printed(*compared);
        return {};
    }
    const auto plan = plan_of(compared->value);
    if (!session.json()) {
        console.out << plan.text << fmt::format("{} to change, {} as they are\n", plan.steps.size(), plan.as_they_are) << std::flush;
    }
    if (ask.dry_run || plan.steps.empty()) return {};
    if (!ask.yes && !WEIR_TRY(agreed(session, plan.steps.size()))) {
        console.err << "nothing was changed\n";
        return {};
    }
    std::size_t done = 0;
    for (const auto& step : plan.steps) {
        auto reply = session.change(step.method, step.target, step.body);
        if (!reply) {
            auto failure = std::move(reply).error();
            failure.message = fmt::format("{} {}: {}; {} of {} changes were applied before it: apply the file again, which goes on there",
                                          step.section.title, step.name, failure.message, done, plan.steps.size());
            return fail(std::move(failure));
        }
        ++done;
        if (!session.printed(*reply)) console.out << fmt::format("{} {}\n", step.section.title, step.name);
    }
    return {};
}

}  // namespace weir::cli
