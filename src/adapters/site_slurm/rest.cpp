#include "adapters/site_slurm/rest.hpp"

#include "codec/encode.hpp"
#include "codec/value.hpp"
#include "supervisor/system.hpp"

#include <boost/describe.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <utility>

namespace weir::site_slurm {

/// The words of v0.0.38 for a submission. The environment must not be empty, and holds nothing of the tenant's: anybody may read a job.
struct JobWords {
    std::string name{};
    std::string comment{};
    std::optional<std::string> partition{};
    std::optional<std::string> account{};
    std::string nodelist{};
    std::vector<std::int64_t> nodes{};
    std::int64_t tasks = 1;
    std::int64_t tasks_per_node = 1;
    std::int64_t cpus_per_task = 1;
    std::optional<std::int64_t> memory_per_node{};
    std::optional<std::int64_t> time_limit{};
    std::optional<std::string> gres{};
    bool no_requeue = true;
    std::map<std::string, std::string> environment{};
    std::string current_working_directory = "/";
    std::string standard_output = "/dev/null";
    std::string standard_error = "/dev/null";
};
BOOST_DESCRIBE_STRUCT(JobWords, (),
                      (name, comment, partition, account, nodelist, nodes, tasks, tasks_per_node, cpus_per_task, memory_per_node,
                       time_limit, gres, no_requeue, environment, current_working_directory, standard_output, standard_error))

struct Submission {
    std::string script;
    JobWords job;
};
BOOST_DESCRIBE_STRUCT(Submission, (), (script, job))

namespace {

constexpr std::int64_t unknown_job = 2017;   ///< ESLURM_INVALID_JOB_ID
constexpr std::int64_t already_done = 2021;  ///< ESLURM_ALREADY_DONE
/// Slurm's own words of a job or a node that it would not have; below are those of the connection to its controller.
constexpr std::int64_t first_refusal = 2000;
constexpr const char* version = "/slurm/v0.0.38";

const codec::Value* find(const codec::Value& object, std::string_view key) { return object.find(key); }

std::string text(const codec::Value& object, std::string_view key) {
    const auto* value = find(object, key);
    return value != nullptr && value->string() != nullptr ? *value->string() : std::string{};
}

std::int64_t integer(const codec::Value& object, std::string_view key) {
    const auto* value = find(object, key);
    return value != nullptr && value->integer() != nullptr ? *value->integer() : 0;
}

std::vector<std::string> texts(const codec::Value& object, std::string_view key) {
    std::vector<std::string> all;
    const auto* value = find(object, key);
    if (value == nullptr || value->array() == nullptr) return all;
    for (const auto& item : *value->array()) {
        if (item.string() != nullptr) all.push_back(*item.string());
    }
    return all;
}

/// An answer may be larger than what people send us; its bytes were counted when they came.
Result<codec::Value, std::string> read(std::string_view body) {
    auto value = codec::read_json(body, {.max_bytes = SIZE_MAX, .max_depth = 64, .max_nodes = SIZE_MAX});
    if (value) return std::move(*value);
    return fail(fmt::format("slurmrestd answered what is no JSON, at line {}: {}", value.error().line, value.error().message));
}

template <class T>
Result<std::vector<T>, std::string> parse_list(std::string_view body, std::string_view key, T (*take)(const codec::Value&)) {
    const auto value = WEIR_TRY(read(body));
    const auto* list = value.find(key);
    if (list == nullptr || list->array() == nullptr) return fail(fmt::format("slurmrestd answered without `{}`", key));
    std::vector<T> all;
    for (const auto& item : *list->array()) all.push_back(take(item));
    return all;
}

SlurmJob take_job(const codec::Value& item) {
    const auto* requeue = find(item, "requeue");
    return {.id = integer(item, "job_id"),
            .name = text(item, "name"),
            .user_id = integer(item, "user_id"),
            .state = text(item, "job_state"),
            .reason = text(item, "state_reason"),
            .requeue = requeue != nullptr && requeue->boolean() != nullptr && *requeue->boolean(),
            .restarts = integer(item, "restart_cnt"),
            .nodes = text(item, "nodes")};
}

SlurmNode take_node(const codec::Value& item) {
    return {.name = text(item, "name"),
            .state = text(item, "state"),
            .flags = texts(item, "state_flags"),
            .cpus = integer(item, "cpus"),
            .memory_mib = integer(item, "real_memory"),
            .gres = text(item, "gres"),
            .partitions = texts(item, "partitions")};
}

RestError unknown(std::string message) { return {.refused = false, .message = std::move(message)}; }

}  // namespace

std::string submission_text(const GangJob& job) {
    const auto count = static_cast<std::int64_t>(job.nodes.size());
    JobWords words{.name = job.name, .comment = job.comment, .nodelist = fmt::format("{}", fmt::join(job.nodes, ",")),
                   .nodes = {count, count}, .tasks = count, .cpus_per_task = job.cpus_per_node,
                   .environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}}};
    if (!job.partition.empty()) words.partition = job.partition;
    if (!job.account.empty()) words.account = job.account;
    if (job.memory_mib_per_node > 0) words.memory_per_node = job.memory_mib_per_node;
    if (job.minutes_max > 0) words.time_limit = job.minutes_max;
    if (job.gpus_per_node > 0) words.gres = fmt::format("gpu:{}", job.gpus_per_node);
    return codec::to_json(Submission{.script = job.script, .job = std::move(words)});
}

std::optional<AnswerError> find_error(std::string_view body) {
    const auto value = read(body);
    if (!value) return AnswerError{.message = value.error()};
    const auto* errors = value->find("errors");
    if (errors == nullptr || errors->array() == nullptr || errors->array()->empty()) return std::nullopt;
    AnswerError found;
    for (const auto& item : *errors->array()) {
        const auto number = std::max(integer(item, "error_number"), integer(item, "error_code"));
        if (found.number == 0) found.number = number;
        for (const char* const key : {"description", "error"}) {
            const auto words = text(item, key);
            if (!words.empty()) found.message += (found.message.empty() ? "" : "; ") + words;
        }
    }
    // What its parser refuses has a number of the parser's, which comes last.
    for (const auto& item : *errors->array()) found.number = std::max(found.number, integer(item, "error_code"));
    return found;
}

Result<std::vector<SlurmJob>, std::string> parse_jobs(std::string_view body) { return parse_list<SlurmJob>(body, "jobs", &take_job); }
Result<std::vector<SlurmNode>, std::string> parse_nodes(std::string_view body) { return parse_list<SlurmNode>(body, "nodes", &take_node); }

RestError SlurmRest::keep(RestError error) const {
    if (error.refused) return error;
    silent_until_ns_ = supervisor::boot_now_ns() + std::int64_t{options_.rest_after_silence_ms} * 1'000'000;
    silent_why_ = error.message;
    return error;
}

RestError SlurmRest::told(const AnswerError& error) const {
    // 9001: its parser; it asked nobody.
    return keep({.refused = error.number >= first_refusal, .message = fmt::format("Slurm says: {} ({})", error.message, error.number)});
}

RestResult<std::string> SlurmRest::ask(HttpQuestion question) const {
    if (supervisor::boot_now_ns() < silent_until_ns_) return fail(unknown(silent_why_));
    if (!options_.token_file.empty()) {
        std::ifstream file{options_.token_file};
        std::string token;
        if (!std::getline(file, token) || token.empty()) {
            return fail(unknown(fmt::format("{} has no token in its first line; make one with scontrol token", options_.token_file)));
        }
        question.headers.emplace_back("X-SLURM-USER-NAME", options_.user);
        question.headers.emplace_back("X-SLURM-USER-TOKEN", token);
    }
    auto answer = site_slurm::ask(options_.address, question, options_.limits);
    if (!answer) return fail(keep(unknown(std::move(answer.error()))));
    if (answer->status == 401 || answer->status == 403) {
        return fail(
            unknown(fmt::format("slurmrestd does not let us in ({}); look at the token, and at whose its socket is", answer->status)));
    }
    return std::move(answer->body);
}

RestResult<std::vector<SlurmNode>> SlurmRest::nodes() const {
    const auto body = WEIR_TRY(ask({.target = fmt::format("{}/nodes", version)}));
    if (const auto error = find_error(body)) return fail(told(*error));
    auto all = parse_nodes(body);
    if (!all) return fail(unknown(std::move(all.error())));
    return std::move(*all);
}

RestResult<std::int64_t> SlurmRest::submit(const GangJob& job) const {
    const auto body = WEIR_TRY(ask({.method = "POST", .target = fmt::format("{}/job/submit", version), .body = submission_text(job)}));
    if (const auto error = find_error(body)) return fail(told(*error));
    const auto value = read(body);
    const auto id = value ? integer(*value, "job_id") : 0;
    if (id < 1) return fail(unknown("slurmrestd answered a submission without a job's id"));
    return id;
}

RestResult<std::optional<SlurmJob>> SlurmRest::job(std::int64_t id) const {
    const auto body = WEIR_TRY(ask({.target = fmt::format("{}/job/{}", version, id)}));
    if (const auto error = find_error(body)) {
        if (error->number == unknown_job) return std::optional<SlurmJob>{};
        return fail(told(*error));
    }
    auto all = parse_jobs(body);
    if (!all) return fail(unknown(std::move(all.error())));
    for (auto& found : *all) {
        if (found.id == id) return std::optional{std::move(found)};
    }
    return std::optional<SlurmJob>{};
}

RestResult<std::vector<SlurmJob>> SlurmRest::jobs_named(const std::string& name) const {
    const auto body = WEIR_TRY(ask({.target = fmt::format("{}/jobs", version)}));
    if (const auto error = find_error(body)) return fail(told(*error));
    auto all = parse_jobs(body);
    if (!all) return fail(unknown(std::move(all.error())));
    std::erase_if(*all, [&](const SlurmJob& job) { return job.name != name; });
    return std::move(*all);
}

RestResult<void> SlurmRest::cancel(std::int64_t id) const {
    const auto body = WEIR_TRY(ask({.method = "DELETE", .target = fmt::format("{}/job/{}", version, id)}));
    const auto error = find_error(body);
    if (!error || error->number == unknown_job || error->number == already_done) return {};
    return fail(told(*error));
}

}  // namespace weir::site_slurm
