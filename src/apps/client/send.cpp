#include "apps/client/send.hpp"

#include "domain/forms.hpp"

#include <fmt/format.h>

namespace weir::cli {

Result<std::string, Failure> project_of(Session& session, const std::string& named_project) {
    if (!named_project.empty()) return named_project;
    if (auto named = session.console().environment("WEIR_PROJECT"); named && !named->empty()) return *std::move(named);
    const auto me = WEIR_TRY(session.get("/v1/whoami"));
    const auto& projects = items_of(me.value, "projects");
    if (projects.size() == 1) return text_of(projects.front(), "project");
    if (projects.empty())
        return fail(usage("you are in no project; ask the owner of one to make you a member, or name one with --project"));
    std::string names;
    for (const auto& one : projects) names += (names.empty() ? "" : ", ") + text_of(one, "project");
    return fail(usage(fmt::format("you are in {} projects{}{}; name one with --project or WEIR_PROJECT", projects.size(),
                                  names.empty() ? "" : ": ", names)));
}

void print_made(Session& session, const Reply& reply, std::string_view what) {
    if (session.printed(reply)) return;
    session.console().out << fmt::format("{} {}{}\n", what, text_of(reply.value, "id"),
                                         flag_of(reply.value, "repeated") ? " (was so before)" : "");
}

Done send(Session& session, http::Method method, std::string target, std::string body, std::string_view what, bool id_in_body) {
    const auto reply = WEIR_TRY(session.change(method, std::move(target), std::move(body), id_in_body));
    print_made(session, reply, what);
    return {};
}

Done send_file(Session& session, std::string target, const std::string& file, std::string_view what) {
    const auto source = WEIR_TRY(read_source(session.console(), file));
    std::string body;
    codec::write_json(source.value, body);
    auto reply = session.change(http::Method::post, std::move(target), std::move(body));
    if (!reply) return fail(placed(source, std::move(reply).error()));
    print_made(session, *reply, what);
    return {};
}

void print(Session& session, const Table& table) {
    if (!session.json()) session.console().out << table.text(session.console().width);
}

Result<std::int64_t, Failure> fen_of(std::string_view amount) {
    using Form = codec::Custom<Budget>;
    const auto parsed = Form::parse(amount);
    if (!parsed) return fail(usage(fmt::format("the amount is '{}' and must be {}", amount, Form::expected)));
    return parsed->fen.value;
}

}  // namespace weir::cli
