// Organisations, projects, their members.
#include "apps/client/object.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir::cli {
namespace {

using http::Method;
using http::percent_encode;

/// Milli-cards of `0.5` or `16`; nothing for other text.
std::optional<std::int64_t> milli_cards_of(std::string_view text) {
    const auto point = text.find('.');
    std::string digits{text.substr(0, point)};
    std::string fraction{point == std::string_view::npos ? std::string_view{} : text.substr(point + 1)};
    if (digits.empty() || fraction.size() > 3 || (point != std::string_view::npos && fraction.empty())) return std::nullopt;
    fraction.resize(3, '0');
    digits += fraction;
    std::int64_t milli = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), milli);
    return error == std::errc{} && end == digits.data() + digits.size() && milli >= 0 ? std::optional{milli} : std::nullopt;
}

Result<std::string, Failure> quota_json(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) {
        const auto colon = line.rfind(':');
        const auto milli = colon == std::string::npos ? std::nullopt : milli_cards_of(std::string_view{line}.substr(colon + 1));
        if (!milli || colon == 0)
            return fail(usage(fmt::format("the quota is '{}' and must be a model and its cards, such as H800:16 or A100:0.5", line)));
        out += (out.empty() ? "[" : ",") + Object{}.text("model", line.substr(0, colon)).number("milli_cards", *milli).json();
    }
    return out.empty() ? out : out + "]";
}

std::string quota_text(const codec::Value& project) {
    std::string out;
    for (const auto& line : items_of(project, "quota")) {
        out += fmt::format("{}{}:{}", out.empty() ? "" : ", ", text_of(line, "model"), cards(integer_of(line, "milli_cards")));
    }
    return out;
}

Failure needs_name(std::string_view noun, std::string_view example) {
    return usage(fmt::format("{} needs a name, or a file with -f; for example: {}", noun, example));
}

Result<Reply, Failure> set_suspension(Session& session, const std::string& organisation, bool suspended) {
    return session.change(Method::put, "/v1/organisations/" + percent_encode(organisation) + "/suspension",
                          Object{}.raw("suspended", suspended ? "true" : "false").json());
}

}  // namespace

Done who_am_i(Session& session, const Nothing&) {
    const auto reply = WEIR_TRY(session.get("/v1/whoami"));
    if (session.printed(reply)) return {};
    const auto& me = reply.value;
    Fields fields;
    fields.add("server", session.server());
    fields.add("subject", text_of(me, "subject"));
    fields.add("site", text_of(me, "site"));
    fields.add("token", text_of(me, "token"));
    fields.add("scopes", text_of(me, "scopes"));
    fields.add("expires", day_of(session.console(), me, "expires_at"));
    fields.add("network", text_of(me, "network_roles"));
    for (const auto& one : items_of(me, "projects")) fields.add("project " + text_of(one, "project"), text_of(one, "roles"));
    session.console().out << fields.text(session.console().width);
    return {};
}

Done set_organisation(Session& session, const OrganisationAsk& ask) {
    if (!ask.file.empty()) return send_file(session, "/v1/organisations", ask.file, "organisation");
    if (ask.name.empty() || ask.kind.empty())
        return fail(needs_name("an organisation (with its --kind)", "weir org set jinjiang-ai --kind startup"));
    return send(session, Method::post, "/v1/organisations",
                Object{}
                    .text("name", ask.name)
                    .text("kind", ask.kind)
                    .text("title", ask.title)
                    .text("credit_code", ask.credit_code)
                    .text("size_class", ask.size_class)
                    .text("registered_in", ask.registered_in)
                    .text("control_group", ask.control_group)
                    .json(),
                "organisation");
}

Done list_organisations(Session& session, const ListAsk& ask) {
    Table table{{{"NAME"},
                 {.title = "KIND", .rank = 3, .least = 6},
                 {.title = "TITLE", .rank = 5, .least = 8},
                 {.title = "REGISTERED IN", .rank = 6, .least = 10},
                 {.title = "SIZE", .rank = 7},
                 {.title = "PREPAID YUAN", .rank = 2, .align = Align::right}}};
    WEIR_CHECK(each_item(session, "/v1/organisations", ask.query(), ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "name"), text_of(one, "kind"), text_of(one, "title"), text_of(one, "registered_in"),
                   text_of(one, "size_class"), yuan(integer_of(one, "prepaid_fen"))});
    }));
    print(session, table);
    return {};
}

Done show_organisation(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(session.get("/v1/organisations/" + percent_encode(ask.name)));
    if (session.printed(reply)) return {};
    Fields fields;
    for (const auto* name : {"name", "kind", "title", "credit_code", "size_class", "registered_in", "control_group"})
        fields.add(name, text_of(reply.value, name));
    fields.add("prepaid", yuan(integer_of(reply.value, "prepaid_fen")) + " yuan");
    if (flag_of(reply.value, "suspended")) fields.add("suspended", "its jobs wait until: weir org resume " + text_of(reply.value, "name"));
    session.console().out << fields.text(session.console().width);
    return {};
}

Done suspend_organisation(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(set_suspension(session, ask.name, true));
    if (!session.printed(reply))
        session.console().out << fmt::format("{} is suspended: its jobs stop and wait, and it can submit none\n", ask.name);
    return {};
}

Done resume_organisation(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(set_suspension(session, ask.name, false));
    if (!session.printed(reply)) session.console().out << fmt::format("the jobs of {} may run again\n", ask.name);
    return {};
}

Done set_project(Session& session, const ProjectAsk& ask) {
    if (!ask.file.empty()) return send_file(session, "/v1/projects", ask.file, "project");
    if (ask.name.empty() || ask.organisation.empty())
        return fail(needs_name("a project (with its --organisation)", "weir project set vision --organisation jinjiang-ai"));
    auto body = Object{}
                    .text("name", ask.name)
                    .text("organisation", ask.organisation)
                    .raw("quota", WEIR_TRY(quota_json(ask.quota)))
                    .list("trusted", ask.trusted);
    if (ask.live_jobs_max) body = std::move(body).number("live_jobs_max", *ask.live_jobs_max);
    return send(session, Method::post, "/v1/projects", std::move(body).json(), "project");
}

Done list_projects(Session& session, const ListAsk& ask) {
    Table table{{{"NAME"},
                 {.title = "ORGANISATION", .rank = 2, .least = 8},
                 {.title = "QUOTA", .rank = 4, .least = 10},
                 {.title = "TRUSTED SITES", .rank = 5, .least = 10},
                 {.title = "LIVE JOBS MAX", .rank = 6, .align = Align::right}}};
    WEIR_CHECK(each_item(session, "/v1/projects", ask.query(), ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "name"), text_of(one, "organisation"), quota_text(one),
                   items_of(one, "trusted").empty() ? "all" : text_of(one, "trusted"), text_of(one, "live_jobs_max")});
    }));
    print(session, table);
    return {};
}

Done show_project(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(session.get("/v1/projects/" + percent_encode(ask.name)));
    if (session.printed(reply)) return {};
    const auto& project = reply.value;
    Fields fields;
    fields.add("name", text_of(project, "name"));
    fields.add("organisation", text_of(project, "organisation"));
    fields.add("trusted sites", items_of(project, "trusted").empty() ? "all" : text_of(project, "trusted"));
    fields.add("live jobs", fmt::format("{} of at most {}", text_of(project, "live_jobs"), text_of(project, "live_jobs_max")));
    session.console().out << fields.text(session.console().width);
    Table use{{{"MODEL"}, {.title = "CARDS IN USE", .align = Align::right}, {.title = "QUOTA", .align = Align::right}}};
    for (const auto& line : items_of(project, "use")) {
        use.add({text_of(line, "model"), cards(integer_of(line, "used")),
                 line.find("limit") != nullptr ? cards(integer_of(line, "limit")) : "none"});
    }
    if (!use.empty()) session.console().out << '\n' << use.text(session.console().width);
    Table members{{{"MEMBER"}, {.title = "ROLES"}}};
    for (const auto& member : items_of(project, "members")) members.add({text_of(member, "subject"), text_of(member, "roles")});
    if (!members.empty()) session.console().out << '\n' << members.text(session.console().width);
    return {};
}

Done show_quota(Session& session, const QuotaAsk& ask) {
    std::vector<std::string> names{ask.project};
    if (ask.project.empty()) {
        names.clear();
        WEIR_CHECK(
            each_item(session, "/v1/projects", {}, usual_items, [&](const codec::Value& one) { names.push_back(text_of(one, "name")); }));
        if (session.json()) return {};
    }
    Table table{{{"PROJECT"},
                 {.title = "MODEL", .rank = 2},
                 {.title = "CARDS IN USE", .align = Align::right},
                 {.title = "QUOTA", .align = Align::right},
                 {.title = "LEFT", .align = Align::right},
                 {.title = "LIVE JOBS", .rank = 3, .align = Align::right}}};
    for (const auto& name : names) {
        const auto reply = WEIR_TRY(session.get("/v1/projects/" + percent_encode(name)));
        if (session.printed(reply)) continue;
        const auto live = fmt::format("{} of {}", text_of(reply.value, "live_jobs"), text_of(reply.value, "live_jobs_max"));
        const auto& use = items_of(reply.value, "use");
        for (const auto& line : use) {
            const bool limited = line.find("limit") != nullptr && !line.find("limit")->is_null();
            const auto used = integer_of(line, "used");
            const auto limit = integer_of(line, "limit");
            table.add({name, text_of(line, "model"), cards(used), limited ? cards(limit) : "none",
                       limited ? cards(std::max<std::int64_t>(limit - used, 0)) : "-", live});
        }
        if (use.empty()) table.add({name, "every", "0", "none", "-", live});
    }
    print(session, table);
    return {};
}

Done set_roles(Session& session, const RolesAsk& ask) {
    if (ask.roles.empty() != ask.none) {
        return fail(
            usage(fmt::format("say which roles {} shall have with --role (once for each), or take all away with --none", ask.subject)));
    }
    const auto target = ask.project.empty()
                            ? "/v1/network/roles/" + percent_encode(ask.subject)
                            : fmt::format("/v1/projects/{}/members/{}", percent_encode(ask.project), percent_encode(ask.subject));
    const auto reply = WEIR_TRY(session.change(Method::put, target, Object{}.list_even_if_empty("roles", ask.roles).json()));
    if (session.printed(reply)) return {};
    const auto where = ask.project.empty() ? std::string{"the network"} : ask.project;
    session.console().out << fmt::format("{} is {} in {}\n", ask.subject,
                                         ask.none ? "nothing" : fmt::format("{}", fmt::join(ask.roles, ", ")), where);
    return {};
}

}  // namespace weir::cli
