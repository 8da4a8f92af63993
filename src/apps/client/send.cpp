#include "apps/client/send.hpp"

#include "domain/forms.hpp"

#include <fmt/format.h>

namespace weir::cli {

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
