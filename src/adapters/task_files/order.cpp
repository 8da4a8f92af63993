#include "adapters/task_files/order.hpp"

#include "supervisor/spec.hpp"

#include <fmt/format.h>

namespace weir::task_files {
namespace {

const char* stack_name(ports::CardStack stack) {
    switch (stack) {
        case ports::CardStack::none: return "none";
        case ports::CardStack::cuda: return "cuda";
        case ports::CardStack::cann: return "cann";
        case ports::CardStack::other: return "other";
    }
    return "none";
}

/// Records of the supervisor's spec. A NUL inside a value would end it early: find_fault() refuses such orders.
class Records {
public:
    void add(std::string_view key, std::string_view value) {
        text_ += key;
        text_ += '=';
        text_ += value;
        text_ += '\0';
    }
    void add(std::string_view key, std::int64_t value) { add(key, std::string_view{fmt::format_int{value}.c_str()}); }
    [[nodiscard]] std::string text() && { return std::move(text_); }

private:
    std::string text_;
};

void add_common(const ports::TaskSpec& task, Records& records) {
    const auto cards = static_cast<std::int64_t>(task.cards.size());
    records.add("job", task.key.job);
    records.add("generation", task.key.generation);
    records.add("node_rank", task.key.node_rank);
    records.add("nnodes", task.nnodes);
    records.add("processes", task.processes_per_node);
    records.add("nproc_per_node", cards > 0 ? cards : std::int64_t{task.processes_per_node});
    records.add("rank_offset", task.rank_offset);
    records.add("world_size", task.world_size);
    records.add("master_addr", task.master_address);
    records.add("master_port", task.master_port);
    records.add("run", task.run);
    records.add("stack", stack_name(task.stack));
    for (const auto card : task.cards) records.add("card", card);
    records.add("log_quota", task.log_quota_bytes);
    records.add("kill_grace_s", task.kill_grace_s);
    records.add("checkpoint_signal", task.checkpoint_signal);
    records.add("checkpoint_before_s", task.checkpoint_before_s);
    records.add("stop_after_s", task.stop_after_s);
}

bool has_nul(const ports::TaskSpec& task) {
    const auto in = [](const std::string& text) { return text.find('\0') != std::string::npos; };
    bool found = in(task.run) || in(task.workdir) || in(task.master_address) || in(task.resume) || in(task.tree);
    for (const auto& path : task.read_only_paths) found = found || in(path);
    for (const auto& [name, value] : task.environment) found = found || in(name) || in(value);
    return found;
}

}  // namespace

std::string key_text(const ports::TaskKey& key) { return fmt::format("{}/{}/{}", key.job, key.generation, key.node_rank); }

std::string order_text(const ports::TaskSpec& task) {
    Records records;
    add_common(task, records);
    records.add("project", task.project);
    records.add("workdir", task.workdir);
    records.add("resume", task.resume);
    if (!task.tree.empty()) records.add("tree", task.tree);
    records.add("memory_mib", task.memory_mib);
    records.add("milli_cpus", task.milli_cpus);
    records.add("processes_max", task.processes_max);
    for (const auto& path : task.read_only_paths) records.add("read_only", path);
    for (const auto& [name, value] : task.environment) records.add("env", name + "=" + value);
    return std::move(records).text();
}

std::string spec_text(const ports::TaskSpec& task, const HostPart& host) {
    Records records;
    records.add("weir-task", "1");
    add_common(task, records);
    records.add("workdir", host.workdir);
    records.add("checkpoint_dir", host.checkpoint_dir);
    records.add("resume_dir", host.resume_dir);
    records.add("output_dir", host.output_dir);
    records.add("uid", std::int64_t{host.owner.uid});
    records.add("gid", std::int64_t{host.owner.gid});
    records.add("emulated", host.emulated ? "1" : "0");
    records.add("init", host.init);
    const std::map<std::string, std::string> defaults{
        {"HOME", host.home}, {"LANG", "C.UTF-8"}, {"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"TMPDIR", host.temporary}};
    for (const auto& [name, value] : defaults) {
        if (!task.environment.contains(name)) records.add("env", name + "=" + value);
    }
    for (const auto& [name, value] : task.environment) records.add("env", name + "=" + value);
    for (const auto& argument : host.wrapper) records.add("wrapper", argument);
    for (const auto& folder : host.cgroups) records.add("cgroup", folder);
    records.add("end", "");
    return std::move(records).text();
}

std::optional<std::string> find_fault(const ports::TaskSpec& task) {
    if (!is_safe_name(task.key.job)) return "the job's name is not 1 to 64 letters, digits, '-', '_' and '.'; choose another";
    if (!is_safe_name(task.project)) return "the project's name is not 1 to 64 letters, digits, '-', '_' and '.'; choose another";
    if (!task.resume.empty() && !is_safe_name(task.resume)) return "the name of the checkpoint to resume from is not one; list them first";
    if (has_nul(task)) return "a text holds a NUL byte; take it out";
    if (task.memory_mib < 0 || task.milli_cpus < 0 || task.processes_max < 0) return "a limit is below 0; 0 means none";
    // All else is what the supervisor would say: asked with a host part that is sound.
    const HostPart host{
        .owner = {.uid = 1, .gid = 1}, .workdir = "/", .home = "/", .temporary = "/", .checkpoint_dir = "/", .output_dir = "/"};
    const auto text = spec_text(task, host);
    supervisor::Spec spec;
    const auto error = supervisor::parse_spec(text, spec);
    if (!error) return std::nullopt;
    return fmt::format("{}{}{}", error->key, *error->key == '\0' ? "" : ": ", supervisor::describe(error->fault));
}

}  // namespace weir::task_files
