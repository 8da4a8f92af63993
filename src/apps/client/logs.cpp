// What a task printed: up to now piece by piece, then as it comes, over broken connections and restarts.
//
// A piece tells the offset at which the next one begins, also where old output was dropped; so after a break we go
// on with pieces first and follow only from where they end.
#include "apps/client/characters.hpp"
#include "apps/client/format.hpp"
#include "apps/client/job_id.hpp"
#include "apps/client/job_text.hpp"
#include "apps/client/progress.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <optional>

namespace weir::cli {
namespace {

constexpr Duration silence_max = seconds(60);
constexpr Duration look_every = seconds(1);
constexpr int breaks_max = 60;

struct Piece {
    std::string bytes;
    std::uint64_t from = 0;  ///< Where it begins; above what was asked for where older output is not kept.
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
    /// `idle` is ended before anything is printed.
    Log(Session& session, const std::string& job, const LogAsk& ask, std::uint32_t generation, std::optional<Progress>& idle)
        : session_{session}, path_{fmt::format("/v1/jobs/{}/logs", job)}, ask_{ask}, generation_{generation}, idle_{idle} {}

    /// Prints all there is.
    Done catch_up() {
        for (;;) {
            const auto piece = WEIR_TRY(next_piece());
            if (piece.from > offset_) say_missing(piece.from - offset_);
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
        if (!answer || answer->status == 503) session_.go_to_next();
        if (answer && !answer->ok()) return fail(failure_of(*answer, false));
        if (!answer && answer.error().fault != http::CallFault::timed_out && answer.error().fault != http::CallFault::closed) {
            return fail(failure_of(answer.error(), session_.server(), false));
        }
        return {};
    }

    /// Nothing more comes: what waited for its other half is shown.
    void finish() { session_.console().out << shown_.rest() << std::flush; }

    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] std::uint64_t offset() const { return offset_; }

private:
    [[nodiscard]] std::string target(bool follows) const {
        return target_of(path_, {{"stream", ask_.errors ? "stderr" : "stdout"},
                                 {"offset", std::to_string(offset_)},
                                 {"generation", generation_ > 0 ? std::to_string(generation_) : ""},
                                 {"node_rank", std::to_string(ask_.node_rank)},
                                 {"rank", std::to_string(ask_.rank)},
                                 {"follow", follows ? "true" : ""}});
    }

    Result<Piece, Failure> next_piece() {
        const auto answer = WEIR_TRY(session_.ask(
            [this] {
                http::Call call;
                call.target = target(false);
                return call;
            },
            false));
        return Piece{answer.body, natural(answer.headers.find("Weir-Log-Offset")),
                     std::max(natural(answer.headers.find("Weir-Log-Next")), offset_), answer.headers.find("Weir-Log-Ended") == "true"};
    }

    /// Nobody may take the rest for the whole.
    void say_missing(std::uint64_t bytes) {
        idle_.reset();
        session_.console().err << fmt::format(
            "weir: {} of this output {} not kept: of what a task prints only the newest is, and what follows begins inside a line\n",
            offset_ == 0 ? fmt::format("the first {}", bytes_text(bytes)) : fmt::format("{} in between", bytes_text(bytes)),
            bytes == 1 ? "is" : "are");
    }

    void print(std::string_view bytes) {
        if (bytes.empty()) return;
        idle_.reset();
        auto& out = session_.console().out;
        // Off a terminal nothing obeys what a program printed, and its bytes are what is wanted.
        if (ask_.raw || session_.console().width == 0) {
            out << bytes << std::flush;
        } else {
            out << shown_.take(bytes) << std::flush;
        }
    }

    Session& session_;
    std::string path_;
    const LogAsk& ask_;
    std::uint32_t generation_;
    std::optional<Progress>& idle_;
    std::uint64_t offset_ = 0;
    bool ended_ = false;
    TerminalText shown_;
};

struct Standing {
    std::uint32_t generation = 0;
    bool over = false;
    std::string state;
};

Result<Standing, Failure> standing_of(Session& session, const std::string& job) {
    const auto reply = WEIR_TRY(session.get("/v1/jobs/" + job));
    Standing standing{static_cast<std::uint32_t>(integer_of(reply.value, "generation")), is_over(reply.value),
                      text_of(reply.value, "state")};
    return standing;
}

bool is_passing(const Failure& failure) { return failure.exit == Exit::unreachable || failure.code == "no_log"; }

/// Follows the job from generation to generation until it is over.
class Follower {
public:
    Follower(Session& session, std::string job, const LogAsk& ask) : session_{session}, job_{std::move(job)}, ask_{ask} {}

    Done run() {
        for (int breaks = 0; breaks <= breaks_max;) {
            const auto before = offset();
            // First the standing, then the output: what a job prints before its end is there once it is over.
            const auto standing = standing_of(session_, job_);
            if (standing) turn_to(*standing);
            const bool over = standing && is_over(*standing);
            const auto done = standing ? show(over) : Done{fail(standing.error())};
            if (done && over) {
                if (log_) log_->finish();
                return {};
            }
            if (!done && (over || !is_passing(done.error()))) return done;
            if (offset() > before) {
                breaks = 0;
                continue;
            }
            breaks = done ? 0 : breaks + 1;
            wait(standing ? fmt::format("{} is {}", job_, standing->state) : "waiting for " + session_.server());
        }
        return fail(Failure{.exit = Exit::unreachable,
                            .message = fmt::format("no log of {} could be read in {} attempts; try again later", job_, breaks_max)});
    }

private:
    [[nodiscard]] std::uint64_t offset() const { return log_ ? log_->offset() : 0; }

    [[nodiscard]] bool is_over(const Standing& standing) const {
        return standing.over || (ask_.generation > 0 && standing.generation > ask_.generation);
    }

    /// Opens the log of the generation that is to be shown; of a job that is over, at least the last one.
    void turn_to(const Standing& standing) {
        const auto generation = ask_.generation > 0 ? ask_.generation : standing.generation;
        if (log_ ? generation == shown_ : generation == 0 && !standing.over) return;
        if (log_) {
            log_->finish();
            idle_.reset();
            session_.console().err << fmt::format("weir: generation {} begins\n", generation);
        }
        log_ = std::make_unique<Log>(session_, job_, ask_, generation, idle_);
        shown_ = generation;
    }

    Done show(bool over) {
        if (!log_) return {};
        WEIR_CHECK(log_->catch_up());
        return over || log_->ended() ? Done{} : log_->follow();
    }

    void wait(std::string what) {
        if (idle_) {
            idle_->say(std::move(what));
        } else {
            idle_.emplace(session_.console(), std::move(what));
        }
        session_.console().sleep(look_every);
    }

    Session& session_;
    std::string job_;
    const LogAsk& ask_;
    std::optional<Progress> idle_;
    std::unique_ptr<Log> log_;
    std::uint32_t shown_ = 0;
};

}  // namespace

Done show_logs(Session& session, const LogAsk& ask) {
    const auto job = WEIR_TRY(resolve_job(session, ask.job));
    if (ask.follow) {
        if (session.console().end_with_reader) session.console().end_with_reader();
        return Follower{session, job, ask}.run();
    }
    std::optional<Progress> idle;
    Log log{session, job, ask, ask.generation, idle};
    auto done = log.catch_up();
    log.finish();
    return done;
}

}  // namespace weir::cli
