// What a task printed: up to now piece by piece, then as it comes, over broken connections and restarts.
//
// A piece tells the offset at which the next one begins, also where old output was dropped; so after a break we go
// on with pieces first and follow only from where they end.
#include "apps/client/format.hpp"
#include "apps/client/job_id.hpp"
#include "apps/client/progress.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

#include <charconv>
#include <memory>

namespace weir::cli {
namespace {

constexpr Duration silence_max = seconds(60);
constexpr Duration look_every = seconds(1);
constexpr int breaks_max = 60;

struct Piece {
    std::string bytes;
    std::uint64_t next = 0;
    bool ended = false;
};

std::uint64_t natural(std::optional<std::string_view> text) {
    std::uint64_t number = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}

/// One task's output, and how far it was printed.
class Log {
public:
    Log(Session& session, std::string job, const LogAsk& ask, std::uint32_t generation)
        : session_{session}, path_{fmt::format("/v1/jobs/{}/logs", job)}, ask_{ask}, generation_{generation} {}

    /// Prints all there is.
    Done catch_up() {
        for (;;) {
            const auto piece = WEIR_TRY(next_piece());
            print(piece.bytes);
            ended_ = piece.ended;
            const bool moved = piece.next != offset_;
            offset_ = piece.next;
            if (ended_ || piece.bytes.empty() || !moved) return {};
        }
    }

    /// Prints what comes until the server ends the answer; a break is no failure.
    Done follow() {
        http::Call call;
        call.target = target(true);
        call.within = silence_max;
        http::Consumer consumer;
        consumer.on_piece = [this](std::string_view bytes) {
            print(bytes);
            offset_ += bytes.size();
            return true;
        };
        auto answer = session_.client().download(std::move(call), std::move(consumer));
        if (answer && !answer->ok()) return fail(failure_of(*answer, false));
        if (!answer && answer.error().fault != http::CallFault::timed_out && answer.error().fault != http::CallFault::closed) {
            return fail(failure_of(answer.error(), session_.server(), false));
        }
        return {};
    }

    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] std::uint64_t offset() const { return offset_; }

private:
    [[nodiscard]] std::string target(bool follows) const {
        return target_of(path_, {{"stream", ask_.errors ? "stderr" : "stdout"}, {"offset", std::to_string(offset_)}, {"generation", generation_ > 0 ? std::to_string(generation_) : ""},
                                 {"node_rank", std::to_string(ask_.node_rank)}, {"follow", follows ? "true" : ""}});
    }

    Result<Piece, Failure> next_piece() {
        const auto answer = WEIR_TRY(session_.ask(
            [this] {
                http::Call call;
                call.target = target(false);
                return call;
            },
            false));
        return Piece{answer.body, std::max(natural(answer.headers.find("Weir-Log-Next")), offset_), answer.headers.find("Weir-Log-Ended") == "true"};
    }

    void print(std::string_view bytes) {
        if (!bytes.empty()) session_.console().out << bytes << std::flush;
    }

    Session& session_;
    std::string path_;
    const LogAsk& ask_;
    std::uint32_t generation_;
    std::uint64_t offset_ = 0;
    bool ended_ = false;
};

struct Standing {
    std::uint32_t generation = 0;
    bool over = false;
    std::string state;
};

Result<Standing, Failure> standing_of(Session& session, const std::string& job) {
    const auto reply = WEIR_TRY(session.get("/v1/jobs/" + job));
    Standing standing{static_cast<std::uint32_t>(integer_of(reply.value, "generation")), false, text_of(reply.value, "state")};
    standing.over = standing.state == "succeeded" || standing.state == "failed" || standing.state == "cancelled";
    return standing;
}

bool is_passing(const Failure& failure) { return failure.exit == Exit::unreachable || failure.code == "no_log"; }

/// Follows the job from generation to generation until it is over.
Done follow_job(Session& session, const std::string& job, const LogAsk& ask) {
    std::unique_ptr<Log> log;
    std::uint32_t shown = 0;
    for (int breaks = 0; breaks <= breaks_max;) {
        // First the standing, then the output: what a job prints before its end is there once it is over.
        const auto standing = standing_of(session, job);
        const auto generation = ask.generation > 0 ? ask.generation : standing ? standing->generation : shown;
        if (generation != shown && generation > 0) {
            if (shown > 0) session.console().err << fmt::format("weir: generation {} begins\n", generation);
            log = std::make_unique<Log>(session, job, ask, generation);
            shown = generation;
        }
        Done done = standing ? Done{} : Done{fail(standing.error())};
        const auto before = log ? log->offset() : 0;
        if (done && log) done = log->catch_up();
        const bool over = standing && (standing->over || (ask.generation > 0 && standing->generation > ask.generation));
        if (done && over) return {};
        if (done && log && !log->ended()) done = log->follow();
        if (!done && (!is_passing(done.error()) || over)) return done;
        breaks = done || (log && log->offset() > before) ? 0 : breaks + 1;
        if (done && log && !log->ended()) continue;
        const Progress progress{session.console(), standing ? fmt::format("{} is {}", job, standing->state) : "waiting for " + session.server()};
        session.console().sleep(look_every);
    }
    return fail(Failure{.exit = Exit::unreachable, .message = fmt::format("no log of {} could be read in {} attempts; try again later", job, breaks_max)});
}

}  // namespace

Done show_logs(Session& session, const LogAsk& ask) {
    const auto job = WEIR_TRY(resolve_job(session, ask.job));
    if (ask.follow) return follow_job(session, job, ask);
    Log log{session, job, ask, ask.generation};
    return log.catch_up();
}

}  // namespace weir::cli
