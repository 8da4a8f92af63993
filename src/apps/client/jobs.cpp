// Looking at jobs, and cancelling them.
#include "apps/client/job_id.hpp"
#include "apps/client/object.hpp"
#include "apps/client/job_text.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

Result<Reply, Failure> look(Session& session, const std::string& part, std::string_view what) {
    const auto id = WEIR_TRY(resolve_job(session, part));
    return session.get(fmt::format("/v1/jobs/{}{}", id, what));
}

/// The jobs that it comes after, and what became of them where that is why it ended.
std::string after_text(Session& session, const codec::Value& job) {
    constexpr std::size_t asked_max = 20;
    const auto* spec = job.find("spec");
    if (spec == nullptr) return {};
    const bool one_failed = text_of(job, "reason") == "dependency_failed";
    std::string out;
    std::size_t asked = 0;
    for (const auto& id : items_of(*spec, "after")) {
        auto text = text_of(id);
        if (one_failed && asked++ < asked_max) {
            if (const auto before = session.get("/v1/jobs/" + text)) text += fmt::format(" ({})", text_of(before->value, "state"));
        }
        out += (out.empty() ? "" : ", ") + text;
    }
    return out;
}

}  // namespace

Done list_jobs(Session& session, const ListAsk& ask) {
    auto& console = session.console();
    // The end of an id is enough to ask for the job; names and sites that begin alike differ at their end.
    Table table{{{.title = "ID", .rank = 9, .least = 13, .keeps_end = true, .stays = true},
                 {.title = "NAME", .rank = 3, .least = 10, .keeps_end = true},
                 {.title = "PROJECT", .rank = 6, .least = 6},
                 {.title = "STATE"},
                 {.title = "REASON", .rank = 5, .least = 10},
                 {.title = "SITE", .rank = 2, .least = 10, .keeps_end = true},
                 {.title = "MODEL", .rank = 7},
                 {.title = "NODES", .rank = 8, .align = Align::right},
                 {.title = "SINCE", .rank = 4}}};
    WEIR_CHECK(each_item(session, "/v1/jobs", ask.query(), ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "id"), text_of(one, "name"), text_of(one, "project"), text_of(one, "state"), text_of(one, "reason"),
                   text_of(one, "site"), model_of(one), text_of(one, "num_nodes"), time_of(console, one, "since")});
    }));
    print(session, table);
    return {};
}

Done show_job(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(look(session, ask.name, ""));
    if (!session.printed(reply))
        session.console().out << detail_text(session.console(), reply.value, after_text(session, reply.value));
    return {};
}

Done bill_job(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(look(session, ask.name, "/bill"));
    if (!session.printed(reply)) session.console().out << bill_text(session.console(), reply.value);
    return {};
}

Done why_job(Session& session, const OneAsk& ask) {
    const auto id = WEIR_TRY(resolve_job(session, ask.name));
    auto answer = session.get(fmt::format("/v1/jobs/{}/why", id));
    if (!answer) {
        auto failure = std::move(answer).error();
        if (failure.code == "already_finished") failure.message += fmt::format("; how it ended: weir job show {}", id);
        return fail(std::move(failure));
    }
    const auto reply = *std::move(answer);
    if (session.printed(reply)) return {};
    const auto& console = session.console();
    console.out << fmt::format("{} is {}{}\n", text_of(reply.value, "job"), text_of(reply.value, "state"),
                               flag_of(reply.value, "waiting") ? " and waits:" : ":");
    for (const auto& reason : items_of(reply.value, "reasons")) {
        const auto operator_text = text_of(reason, "operator_text");
        const auto text = with_local_times(console, operator_text.empty() ? text_of(reason, "text") : operator_text);
        console.out << fmt::format("  {}: {}\n", text_of(reason, "code"), text);
        for (const auto& clause : items_of(reason, "clauses"))
            console.out << fmt::format("    {}: {}\n", text_of(clause, "source"), text_of(clause, "clause"));
    }
    return {};
}

Done eta_job(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(look(session, ask.name, "/eta"));
    if (session.printed(reply)) return {};
    const auto& console = session.console();
    const auto& eta = reply.value;
    Fields fields;
    fields.add("job", text_of(eta, "job"));
    fields.add("state", text_of(eta, "state"));
    fields.add("starts", when_text(console, eta, "starts_at"));
    fields.add("ends", when_text(console, eta, "ends_at"));
    fields.add("site", text_of(eta, "site"));
    fields.add("model", model_of(eta));
    fields.add("estimate", text_of(eta, "text"));
    console.out << fields.text(console.width);
    return {};
}

Done move_job(Session& session, const MoveAsk& ask) {
    const auto id = WEIR_TRY(resolve_job(session, ask.job));
    auto body = Object{}.text("to", ask.to).raw("restart", ask.restart ? "true" : "").raw("call_off", ask.call_off ? "true" : "").json();
    const auto reply = WEIR_TRY(session.change(http::Method::post, "/v1/jobs/" + id + "/move", std::move(body)));
    if (session.printed(reply)) return {};
    const bool before = flag_of(reply.value, "repeated");
    if (ask.call_off) {
        session.console().out << fmt::format("{} stays where it is\n", id);
    } else {
        session.console().out << fmt::format("{} {} to go on {}; how far it has come: weir job why {}\n", id,
                                             before ? "was told before" : "is", ask.to.empty() ? "elsewhere" : "at " + ask.to, id);
    }
    return {};
}

Done cancel_job(Session& session, const OneAsk& ask) {
    const auto id = WEIR_TRY(resolve_job(session, ask.name));
    const auto reply = WEIR_TRY(session.change(http::Method::del, "/v1/jobs/" + id, {}));
    if (session.printed(reply)) return {};
    const bool before = flag_of(reply.value, "repeated");  // Then it is over, or its end is ordered.
    session.console().out << (before ? fmt::format("{} was told to stop before; how it stands: weir job show {}\n", id, id)
                                     : fmt::format("cancelled {}\n", id));
    return {};
}

}  // namespace weir::cli
