// What has happened: the audit log backwards, and events as they come.
#include "apps/client/job_id.hpp"
#include "apps/client/job_text.hpp"
#include "apps/client/journal_text.hpp"
#include "apps/client/progress.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

constexpr Duration silence_max = seconds(60);
constexpr int breaks_max = 60;

/// Prints one event after the other and remembers the last.
class Watcher {
public:
    Watcher(Session& session, const WatchAsk& ask)
        : session_{session}, ask_{ask}, last_{ask.since ? std::to_string(*ask.since) : std::string{}} {}

    void begin_after(std::int64_t revision) { last_ = std::to_string(revision); }

    /// Until the connection ends; whether that is the end of the watch.
    Result<bool, Failure> once(const std::string& target) {
        http::Call call;
        call.target = target;
        call.within = silence_max;
        if (!last_.empty()) call.headers.emplace_back("Last-Event-ID", last_);
        const auto answer = session_.client().events(std::move(call), [this](const http::Event& event) { return take(event); });
        if (!answer && answer.error().fault == http::CallFault::stopped) return true;
        if (!answer) {
            if (answer.error().fault == http::CallFault::protocol) return fail(failure_of(answer.error(), session_.server(), false));
            session_.go_to_next();
            return false;
        }
        if (answer->status == 503) session_.go_to_next();
        if (!answer->ok()) return answer->status == 503 ? Result<bool, Failure>{false} : fail(failure_of(*answer, false));
        if (answer->body.starts_with("gone:") || answer->body.starts_with("closed: the token")) {
            return fail(Failure{.exit = answer->body.starts_with("gone:") ? Exit::refused : Exit::not_authorised, .message = answer->body});
        }
        return false;
    }

    [[nodiscard]] std::uint64_t seen() const { return seen_; }

private:
    bool take(const http::Event& event) {
        if (!event.id.empty()) last_ = event.id;
        auto& console = session_.console();
        if (session_.json()) {
            console.out << event.data << '\n' << std::flush;
        } else if (const auto entry = codec::read_json(event.data)) {
            print(*entry, event.name);
        }
        ++seen_;
        if (!ask_.job.empty() && event.name == "job_finished") return false;
        return ask_.events_max == 0 || seen_ < ask_.events_max;
    }

    /// A line; on a terminal what does not fit goes on below.
    void print(const codec::Value& entry, std::string_view name) {
        auto& console = session_.console();
        const auto* body = entry.find("event");
        auto head = fmt::format("{}  {:>8}  {:<18}  ", time_of(console, entry, "at"), text_of(entry, "revision"), visible(name));
        const auto text = body == nullptr ? std::string{} : console.width > 0 ? watched_text(console, *body) : event_text(console, *body);
        const auto indent = display_width(head);
        for (const auto part : wrapped(text, console.width > indent ? console.width - indent : 0)) {
            head += part;
            console.out << (console.width > 0 ? cut(head, console.width) : head) << '\n';
            head.assign(indent, ' ');
        }
        console.out << std::flush;
    }

    Session& session_;
    const WatchAsk& ask_;
    std::string last_;
    std::uint64_t seen_ = 0;
};

/// A watch from now on of a job that has ended would never end: that is said instead. Otherwise it begins where the job was seen to live.
Result<bool, Failure> has_ended(Session& session, const std::string& job, Watcher& watcher) {
    const auto seen = WEIR_TRY(session.get("/v1/jobs/" + job));
    if (!is_over(seen.value)) {
        watcher.begin_after(integer_of(seen.value, "revision"));
        return false;
    }
    session.console().err << fmt::format("weir: {} is {} since {}; what happened before tells: weir watch --job {} --since 0\n", job,
                                         standing_text(seen.value), time_of(session.console(), seen.value, "since"), job);
    return true;
}

}  // namespace

Done watch(Session& session, const WatchAsk& ask) {
    const auto job = ask.job.empty() ? std::string{} : WEIR_TRY(resolve_job(session, ask.job));
    const auto target =
        target_of("/v1/watch", {{"project", ask.project}, {"job", job}, {"site", ask.site}, {"about", ask.about}, {"type", ask.type}});
    if (session.console().end_with_reader) session.console().end_with_reader();
    Watcher watcher{session, ask};
    if (!job.empty() && !ask.since && WEIR_TRY(has_ended(session, job, watcher))) return {};
    auto delay = first_delay;
    for (int breaks = 0; breaks <= breaks_max; ++breaks) {
        const auto before = watcher.seen();
        if (WEIR_TRY(watcher.once(target))) return {};
        if (watcher.seen() > before) {
            breaks = 0;
            delay = first_delay;
        }
        const Progress progress{session.console(), "the connection broke; going on with " + session.server()};
        session.console().sleep(delay);
        delay = std::min(delay * 2, seconds(10));
    }
    return fail(Failure{.exit = Exit::unreachable,
                        .message = fmt::format("{} could not be watched in {} attempts in a row", session.server(), breaks_max)});
}

namespace {

/// Which filters left nothing, and how an actor is written where one of them is an actor.
std::string nothing_matched(const Query& filters) {
    std::string said;
    bool bare_actor = false;
    for (const auto& [name, value] : filters) {
        if (value.empty()) continue;
        said += fmt::format("{} --{} {}", said.empty() ? "" : " with", name, value);
        bare_actor = bare_actor || (name == "actor" && !value.contains(':') && value != "system");
    }
    return fmt::format("weir: no entry of the journal is there{}{}\n", said.empty() ? "" : " with" + visible(said),
                       bare_actor ? "; an actor is written subject:NAME, agent:SITE or system" : "");
}

}  // namespace

Done prove_store_elsewhere(Session&, const Nothing&) {
    return fail(usage("a store is proved on the machine where it is, without a server or a token; write: weir audit verify --data DIR, "
                      "with no option before audit"));
}

Done show_audit_log(Session& session, const AuditAsk& ask) {
    auto& console = session.console();
    Table table{{{.title = "REVISION", .align = Align::right},
                 {.title = "TIME"},
                 {.title = "ACTOR", .rank = 2, .least = 12, .keeps_end = true},
                 {.title = "EVENT"},
                 {.title = "ABOUT", .rank = 3, .least = 22, .keeps_end = true, .wraps = true, .stays = true}}};
    const auto job = ask.job.empty() ? std::string{} : WEIR_TRY(resolve_job(session, ask.job));
    const Query filters{{"actor", ask.actor}, {"type", ask.type}, {"job", job}, {"project", ask.project}};
    bool any = false;
    const auto take = [&](const codec::Value& one) {
        any = true;
        if (session.json()) {
            std::string line;
            codec::write_json(one, line);
            console.out << line << '\n';
            return;
        }
        const auto* event = one.find("event");
        table.add({text_of(one, "revision"), time_of(console, one, "at"), text_of(one, "actor"), event_name(integer_of(one, "type")),
                   event != nullptr ? event_text(console, *event) : ""});
    };
    WEIR_CHECK(each_item(session, "/v1/audit", filters, ask.most, take, JsonLines::items));
    print(session, table);
    if (!any) console.err << nothing_matched(filters);
    return {};
}

}  // namespace weir::cli
