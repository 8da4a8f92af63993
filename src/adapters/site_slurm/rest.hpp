// adapters/site_slurm/rest.hpp: Slurm's nodes and jobs, by the REST interface of the version that Debian 12 has (22.05, v0.0.38).
//
// It answers one question: what does Slurm say, in values instead of JSON? What follows from it is slurm_site.hpp's.
//
// What was found with 22.05.8, and is kept by tests against it:
//   - `"requeue": false` in a submission is taken as true; `"no_requeue": true` is what switches requeueing off;
//   - `required_nodes` is refused as disabled; `nodelist` does the same;
//   - an unknown job is answered with status 500 and error 2017, so that the status says nothing and the error's number all;
//   - jobs cannot be asked for by name: all that the controller knows are listed, and searched here;
//   - a bad id in an address can end slurmrestd: only numbers are put there.
#pragma once

#include "adapters/site_slurm/http.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::site_slurm {

struct SlurmNode {
    std::string name{};
    std::string state{};               ///< "idle", "mixed", "allocated", "down"...
    std::vector<std::string> flags{};  ///< "DRAIN", "NOT_RESPONDING"...
    std::int64_t cpus = 0;
    std::int64_t memory_mib = 0;
    std::string gres{};                ///< "gpu:h800:8(S:0-1),..."
    std::vector<std::string> partitions{};
};

struct SlurmJob {
    std::int64_t id = 0;
    std::string name{};
    std::int64_t user_id = 0;
    std::string state{};         ///< "PENDING", "RUNNING", "NODE_FAIL"...
    std::string reason{};        ///< Why it is in that state: "Resources", "None"...
    bool requeue = false;
    std::int64_t restarts = 0;
    std::string nodes{};
};

/// A gang as one job: one task on each of the named nodes.
struct GangJob {
    std::string name{};
    std::string comment{};
    std::string partition{};  ///< Empty: Slurm's default.
    std::string account{};    ///< Empty: the user's own.
    std::vector<std::string> nodes{};
    std::int64_t gpus_per_node = 0;
    std::int64_t cpus_per_node = 1;
    std::int64_t memory_mib_per_node = 0;  ///< 0: as the site has it by default.
    std::int64_t minutes_max = 0;          ///< 0: as the partition has it.
    std::string script{};
};

/// What an answer complains of. `number`: Slurm's, of the first error.
struct AnswerError {
    std::int64_t number = 0;
    std::string message{};
};

struct RestError {
    bool refused = false;  ///< Slurm was asked and said no; otherwise nobody knows what became of the question.
    std::string message{};
};

template <class T>
using RestResult = Result<T, RestError>;

struct RestOptions {
    HttpAddress address{};
    std::string user{};        ///< With a token: of whom. Empty: who one is, the socket tells.
    std::string token_file{};  ///< A JWT in its first line, read at each question, since it is changed while one works. Empty: none.
    HttpLimits limits{.deadline_ms = 3'000};
    int rest_after_silence_ms = 5'000;  ///< Nothing is asked for so long after a question that got no answer.
};

/// One question at a time. After one that was not answered it asks nothing for a while, and says so.
class SlurmRest {
public:
    explicit SlurmRest(RestOptions options) : options_(std::move(options)) {}

    [[nodiscard]] RestResult<std::vector<SlurmNode>> nodes() const;
    /// The new job's id. Where it fails and was not refused, there may be a job all the same: look for it by its name.
    [[nodiscard]] RestResult<std::int64_t> submit(const GangJob& job) const;
    /// Nothing: Slurm knows no such job (any more).
    [[nodiscard]] RestResult<std::optional<SlurmJob>> job(std::int64_t id) const;
    /// All that the controller still knows, also ended ones.
    [[nodiscard]] RestResult<std::vector<SlurmJob>> jobs_named(const std::string& name) const;
    /// SIGTERM to what runs, SIGKILL after Slurm's KillWait. Harmless where it is over or unknown.
    [[nodiscard]] RestResult<void> cancel(std::int64_t id) const;

private:
    [[nodiscard]] RestResult<std::string> ask(HttpQuestion question) const;
    /// As it is; nothing is asked for a while where nobody knows what became of the question.
    [[nodiscard]] RestError keep(RestError error) const;
    [[nodiscard]] RestError told(const AnswerError& error) const;

    RestOptions options_;
    // Whoever asks has leases to renew: a controller that is away keeps each question waiting, and must not keep all of them.
    mutable std::int64_t silent_until_ns_ = 0;
    mutable std::string silent_why_{};
};

/// What a submission says, as JSON.
[[nodiscard]] std::string submission_text(const GangJob& job);
/// Nothing where it has none.
[[nodiscard]] std::optional<AnswerError> find_error(std::string_view body);
[[nodiscard]] Result<std::vector<SlurmJob>, std::string> parse_jobs(std::string_view body);
[[nodiscard]] Result<std::vector<SlurmNode>, std::string> parse_nodes(std::string_view body);

}  // namespace weir::site_slurm
