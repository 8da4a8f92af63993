// Submitting a job under an id of our own, and waiting for its end.
#include "apps/client/format.hpp"
#include "apps/client/job_file.hpp"
#include "apps/client/job_text.hpp"
#include "apps/client/object.hpp"
#include "apps/client/progress.hpp"
#include "apps/client/send.hpp"
#include "apps/client/upload.hpp"
#include "codec/encode.hpp"
#include "domain/names.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::cli {
namespace {

constexpr Duration look_every = seconds(1);
/// A server that is away for longer than about this many looks in a row is given up.
constexpr int misses_max = 60;
/// Of an id in the line of progress.
constexpr std::size_t id_width = 13;

/// The command that sends the same job once more under its id.
std::string repetition(const SubmitAsk& ask, std::string_view project, std::string_view id) {
    auto command = fmt::format("weir submit {} --project {} --id {}", ask.file, project, id);
    for (const auto& source : ask.funding) command += " --funding " + source;
    if (!ask.workdir.empty()) command += " --workdir " + ask.workdir;
    return command;
}

/// Has the project keep the folder. @returns the name of its tree.
Result<std::string, Failure> send_workdir(Session& session, const std::string& project, const std::string& folder) {
    auto& console = session.console();
    const auto packed = WEIR_TRY(pack(folder, memory_of(console, folder)));
    for (const auto& warning : packed.warnings) console.err << fmt::format("warning: {}\n", visible(warning));
    auto sent = WEIR_TRY(upload(session, project, packed));
    if (console.talks) {
        console.err << fmt::format("workdir: {} files, {} read, {} sent\n", packed.tree.entries.size(), packed.files_read,
                                   bytes_text(static_cast<std::uint64_t>(sent.bytes)));
    }
    return std::move(sent.tree);
}

Result<Reply, Failure> final_state(Session& session, const std::string& id) {
    Progress progress{session.console(), "waiting for " + id};
    for (int misses = 0;;) {
        auto reply = session.get("/v1/jobs/" + id);
        if (!reply && (reply.error().exit != Exit::unreachable || ++misses > misses_max)) return reply;
        if (reply) {
            misses = 0;
            if (is_over(reply->value)) return reply;
            progress.say(fmt::format("{} is {}", cut_middle(id, id_width), standing_text(reply->value)));  // The mark of a card fits.
        }
        session.console().sleep(look_every);
    }
}

/// `again` is the command that waits for the same job once more.
Done wait_for(Session& session, const std::string& id, const std::string& again) {
    const auto reply = final_state(session, id);
    if (!reply) {  // Whatever the cause is: a script that took its exit code for that of the submission would submit, and pay, twice.
        return fail(Failure{.exit = Exit::end_not_seen,
                            .message = fmt::format("{}; {} was submitted and its end was not seen: look at it with: weir job show {}, or "
                                                   "wait again with: {} --wait, which does no harm",
                                                   reply.error().message, id, id, again)});
    }
    const auto standing = standing_text(reply->value);
    if (!session.printed(*reply)) session.console().out << fmt::format("{} {}\n", id, standing);
    if (text_of(reply->value, "state") == "succeeded") return {};
    return fail(
        Failure{.exit = Exit::job_failed,
                .message = fmt::format("{} has not succeeded ({}); read what it said with: weir job logs {} --stderr", id, standing, id)});
}

/// Where, when and for how much.
Done estimate(Session& session, const JobFile& job, const std::string& project, const SubmitAsk& ask) {
    // The folder has no part in where and when, and is not sent for a question.
    auto spec = job.spec;
    spec.workdir.reset();
    const auto body = Object{}.text("project", project).raw("spec", codec::to_json(spec)).json();
    auto reply = session.change(http::Method::post, "/v1/jobs:estimate", body);
    if (!reply) {
        const bool in_file = ask.funding.empty() || reply.error().field.find("funding") == std::string::npos;
        return fail(in_file ? placed(job.source, std::move(reply).error()) : std::move(reply).error());
    }
    if (session.printed(*reply)) return {};
    const auto& console = session.console();
    const auto& told = reply->value;
    Fields fields;
    const auto start = when_text(console, told, "starts_at");
    fields.add("where", start.empty() ? "" : fmt::format("{} on {}", text_of(told, "site"), model_of(told)));
    fields.add("starts", start);
    fields.add("ends", when_text(console, told, "ends_at"));
    if (!start.empty()) fields.add("costs", money(integer_of(told, "cost_expected")) + " as it estimates its length");
    fields.add("held", money(integer_of(told, "held_fen")) + ", what it does not use goes back");
    for (const auto& hold : items_of(told, "holds"))
        fields.add("  of " + text_of(hold, "source"), money(integer_of(hold, "amount")));
    fields.add("estimate", text_of(told, "text"));
    console.out << fields.text(console.width);
    Table places{{{"SITE"},
                  {.title = "MODEL", .rank = 3},
                  {.title = "YUAN / CARD-HOUR", .rank = 2, .align = Align::right},
                  {.title = "COSTS YUAN", .align = Align::right},
                  {.title = "AT MOST", .align = Align::right}}};
    for (const auto& place : items_of(told, "places")) {
        places.add({text_of(place, "site"), model_of(place), yuan(integer_of(place, "fen_per_card_hour")),
                    yuan(integer_of(place, "cost_expected")), yuan(integer_of(place, "cost_max"))});
    }
    if (!places.empty()) console.out << '\n' << places.text(console.width);
    for (const auto& warning : items_of(told, "warnings"))
        console.err << fmt::format("warning: {}\n", with_local_times(console, text_of(warning, "text")));
    return {};
}

}  // namespace

Done submit(Session& session, const SubmitAsk& ask) {
    if (!ask.id.empty() && !JobId::parse(ask.id)) {
        return fail(usage(fmt::format(
            "--id is '{}' and must be job- and 26 characters, as an earlier submit printed it; leave it out for a new job", ask.id)));
    }
    auto job = WEIR_TRY(read_job_file(session.console(), ask.file, ask.funding));
    if (!ask.workdir.empty()) job.workdir = ask.workdir;
    const auto project = WEIR_TRY(project_of(session, ask.project));
    const auto catalogue = WEIR_TRY(session.get("/v1/catalog"));
    WEIR_CHECK(check_job(job, catalogue.value));
    if (ask.dry_run) return estimate(session, job, project, ask);
    if (!job.workdir.empty()) job.spec.workdir = WEIR_TRY(send_workdir(session, project, job.workdir));
    const auto id = ask.id.empty() ? JobId{session.console().new_uid()}.text() : ask.id;
    auto reply =
        session.change(http::Method::post, "/v1/jobs",
                       Object{}.text("id", id).text("project", project).raw("spec", codec::to_json(job.spec)).json(), true);
    if (!reply) {
        auto failure = std::move(reply).error();
        // What the command line says of the funding is in no line of the file.
        const bool in_file = ask.funding.empty() || failure.field.find("funding") == std::string::npos;
        if (in_file) failure = placed(job.source, std::move(failure));
        if (failure.exit == Exit::unknown_outcome)
            failure.message += fmt::format("; repeat with: {}, which does no harm", repetition(ask, project, id));
        return fail(std::move(failure));
    }
    auto& console = session.console();
    if (!session.printed(*reply)) {
        console.out << id << '\n';
        bool said = false;
        for (const auto& warning : items_of(reply->value, "warnings")) {
            const bool of_sites = text_of(warning, "code") != "funding_unused";
            const auto* about = of_sites && !std::exchange(said, true) ? "as things are no site can run it: " : "";
            console.err << fmt::format("warning: {}{}\n", about, with_local_times(console, text_of(warning, "text")));
        }
    }
    console.out.flush();
    if (!console.out.good()) console.err << fmt::format("submitted: {}\n", id);  // Or nobody knows what will be paid for.
    if (console.talks && !ask.wait) console.err << fmt::format("follow it with: weir job logs {} -f\n", id);
    return ask.wait ? wait_for(session, id, repetition(ask, project, id)) : Done{};
}

}  // namespace weir::cli
