#include "adapters/task_files/task_folder.hpp"

#include "supervisor/processes.hpp"
#include "supervisor/spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // One spelling per number: a folder `01` is not ours.
    const bool plain = !text.empty() && (text == "0" || text.front() != '0') && text.front() != '-';
    if (error != std::errc{} || end != text.data() + text.size() || !plain) return std::nullopt;
    return value;
}

void list_nodes(int generation_folder, const std::string& job, std::int64_t generation, std::vector<ports::TaskKey>& keys) {
    for (const auto& name : list_folder(generation_folder)) {
        if (const auto rank = number<std::int32_t>(name)) keys.push_back({.job = job, .generation = generation, .node_rank = *rank});
    }
}

bool supervisor_lives(const supervisor::Status& status, const std::string& boot_id) {
    if (boot_id != status.boot_id || status.supervisor_pid <= 1) return false;
    const auto process = supervisor::read_process(static_cast<pid_t>(status.supervisor_pid));
    return process && !process->zombie && process->start_ticks == status.supervisor_start;
}

/// The supervisor writes this file in place: two equal readings are a whole one.
std::int64_t read_alive(int folder) {
    constexpr int looks_max = 8;
    auto before = read_text(folder, supervisor::alive_file, 64);
    for (int look = 0; look < looks_max; ++look) {
        auto now = read_text(folder, supervisor::alive_file, 64);
        if (now == before) break;
        before = std::move(now);
    }
    std::int64_t seconds_s = 0;
    if (!before || before->size() != 21) return 0;
    const auto [end, error] = std::from_chars(before->data(), before->data() + 20, seconds_s);
    return error == std::errc{} && end == before->data() + 20 ? seconds_s : 0;
}

}  // namespace

std::string folder_of(const ports::TaskKey& key) {
    return fmt::format("{}/{}/{}/{}", tasks_folder, key.job, key.generation, key.node_rank);
}

std::vector<ports::TaskKey> list_keys(int tasks) {
    std::vector<ports::TaskKey> keys;
    for (const auto& job : list_folder(tasks)) {
        const Fd job_folder = is_safe_name(job) ? open_folder(tasks, job) : Fd{};
        if (!job_folder) continue;
        for (const auto& name : list_folder(job_folder.get())) {
            const auto generation = number<std::int64_t>(name);
            const Fd folder = generation ? open_folder(job_folder.get(), name) : Fd{};
            if (folder) list_nodes(folder.get(), job, *generation, keys);
        }
    }
    std::sort(keys.begin(), keys.end());
    return keys;
}

std::int64_t read_fence(int tasks, const std::string& job) {
    const auto text = read_text(tasks, job + "/" + fence_file, 64);
    if (!text || text->empty() || text->back() != '\n') return 0;
    return number<std::int64_t>(std::string_view{*text}.substr(0, text->size() - 1)).value_or(0);
}

BackendResult<void> raise_fence(int tasks, const std::string& job, std::int64_t generation) {
    if (read_fence(tasks, job) >= generation) return {};
    const Fd folder = open_folder(tasks, job);
    if (!folder) return fail(cannot("open the folder of", job, errno));
    const auto text = fmt::format("{}\n", generation);
    if (!supervisor::replace_file(folder.get(), fence_file, "fenced.new", text, 0600, supervisor::Durable::yes)) {
        return fail(cannot("write down the fence of", job, errno));
    }
    if (fsync(tasks) != 0) return fail(cannot("sync the folder of", job, errno));
    return {};
}

void prune_fences(int tasks, std::size_t keep) {
    const auto jobs = list_folder(tasks);
    if (jobs.size() <= keep + keep / 4) return;
    std::vector<std::pair<std::int64_t, std::string>> alone;  // time of the fence, job
    for (const auto& job : jobs) {
        const Fd folder = is_safe_name(job) ? open_folder(tasks, job) : Fd{};
        struct stat facts{};
        if (!folder || list_folder(folder.get()) != std::vector<std::string>{fence_file}) continue;
        if (fstatat(folder.get(), fence_file, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
        alone.emplace_back(facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec, job);
    }
    if (alone.size() <= keep) return;
    std::sort(alone.begin(), alone.end());
    alone.resize(alone.size() - keep);
    for (const auto& [at, job] : alone) {
        unlinkat(tasks, (job + "/" + fence_file).c_str(), 0);
        unlinkat(tasks, job.c_str(), AT_REMOVEDIR);
    }
}

namespace {

std::optional<supervisor::Status> read_status(int folder) {
    const auto text = read_text(folder, supervisor::status_file, supervisor::status_bytes_max);
    supervisor::Status status;
    return text && supervisor::parse_status(*text, status) ? std::optional{status} : std::nullopt;
}

}  // namespace

bool is_over(int folder) {
    const auto status = read_status(folder);
    return status && status->phase == supervisor::Phase::ended;
}

TaskRecord read_record(int folder, const std::string& boot_id) {
    TaskRecord record;
    record.project = read_text(folder, project_file, 64).value_or("");
    record.alive = supervisor::is_locked(folder, supervisor::lock_file);
    record.status = read_status(folder);
    // A supervisor that wrote the end has nothing more to do but to exit.
    if (record.status && record.status->phase == supervisor::Phase::ended) record.alive = false;
    else if (record.status && !record.alive) record.alive = supervisor_lives(*record.status, boot_id);
    record.alive_s = read_alive(folder);
    record.is_of_this_boot = record.status && boot_id == record.status->boot_id;
    return record;
}

BackendResult<void> write_end(int folder, const supervisor::Status& status) {
    char room[supervisor::status_bytes_max];
    const auto text = supervisor::print_status(status, room);
    if (supervisor::replace_file(folder, supervisor::status_file, "status.agent", text, 0600, supervisor::Durable::yes)) return {};
    return fail(cannot("write down the end of", "a task", errno));
}

SpecFacts read_spec_facts(int folder) {
    SpecFacts facts;
    const auto text = read_text(folder, supervisor::spec_file, supervisor::spec_bytes_max);
    supervisor::Spec spec;
    if (!text || supervisor::parse_spec(*text, spec)) return facts;
    facts.uid = static_cast<uid_t>(spec.uid);
    for (const char* const group : spec.cgroups.all()) facts.cgroups.emplace_back(group);
    return facts;
}

ports::TaskObserved observe_record(const ports::TaskKey& key, const TaskRecord& record) {
    ports::TaskObserved observed{.key = key, .project = record.project};
    if (!record.status) {
        observed.begun = record.alive;
        observed.detail = "ordered, not yet begun";
        return observed;
    }
    const auto& status = *record.status;
    const bool ended = status.phase == supervisor::Phase::ended;
    observed.state = static_cast<ports::TaskState>(status.phase);
    if (ended) observed.reason = static_cast<ports::EndReason>(status.reason);
    observed.exit_code = static_cast<std::int32_t>(status.exit_code);
    for (std::int32_t rank = 0; rank < static_cast<std::int32_t>(supervisor::processes_max); ++rank) {
        const auto& end = status.ends[static_cast<std::size_t>(rank)];
        if (end.kind == supervisor::RankEnd::Kind::none) continue;
        observed.exits.push_back({.local_rank = rank, .signalled = end.kind == supervisor::RankEnd::Kind::signalled, .code = end.code});
    }
    observed.started_at_s = status.started_at_s;
    observed.ended_at_s = status.ended_at_s;
    if (record.is_of_this_boot && status.began_ns > 0) observed.began = ports::BootInstant{status.began_ns};
    if (record.is_of_this_boot && ended && status.ended_ns > 0) observed.ended = ports::BootInstant{status.ended_ns};
    const auto metered_s = ended ? status.metered_s : record.alive_s;
    observed.meter = {.from_s = status.started_at_s, .to_s = status.started_at_s + metered_s, .final = ended};
    observed.checkpoint_requests = status.checkpoint_requests;
    observed.detail = status.detail;
    return observed;
}

}  // namespace weir::task_files
