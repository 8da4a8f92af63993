#include "supervisor/launch.hpp"

#include "supervisor/init.hpp"
#include "supervisor/text.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

constexpr int spare_descriptors_from = 256;
constexpr std::string_view nul{"\0", 1};

/// Prints `NAME=value\0` strings and counts them.
class VariablePrinter {
public:
    explicit VariablePrinter(TextBuffer& text) : text_(text) {}

    void add(std::string_view name, std::string_view value) {
        text_.add(name).add("=").add(value).add(nul);
        ++count_;
    }
    void add(std::string_view name, std::int64_t value) {
        text_.add(name).add("=").add(value).add(nul);
        ++count_;
    }
    void add_whole(std::string_view variable) {
        text_.add(variable).add(nul);
        ++count_;
    }
    void add_list(std::string_view name, std::span<const char* const> values) {
        text_.add(name).add("=");
        for (std::size_t i = 0; i < values.size(); ++i) text_.add(i == 0 ? "" : ",").add(values[i]);
        text_.add(nul);
        ++count_;
    }
    [[nodiscard]] std::uint32_t count() const { return count_; }

private:
    TextBuffer& text_;
    std::uint32_t count_ = 0;
};

/// A card that was not given must not be found: the other stacks' lists are empty, not absent.
void add_cards(const Spec& spec, VariablePrinter& variables) {
    const std::span<const char* const> none;
    variables.add_list("WEIR_CARDS", spec.cards.all());
    variables.add("WEIR_CARDS_EMULATED", spec.emulated ? "1" : "0");
    variables.add_list("CUDA_VISIBLE_DEVICES", spec.stack == Stack::cuda ? spec.cards.all() : none);
    variables.add_list("ASCEND_RT_VISIBLE_DEVICES", spec.stack == Stack::cann ? spec.cards.all() : none);
}

std::uint32_t add_common(const Spec& spec, TextBuffer& text) {
    VariablePrinter variables{text};
    for (const char* const variable : spec.environment.all()) variables.add_whole(variable);
    char marker[256];
    if (print_marker(spec, marker)) variables.add_whole(marker);
    variables.add("WEIR_JOB", spec.job);
    variables.add("WEIR_GENERATION", spec.generation);
    variables.add("WEIR_NODE_RANK", spec.node_rank);
    variables.add("WEIR_NNODES", spec.nnodes);
    variables.add("WEIR_NPROC_PER_NODE", spec.nproc_per_node);
    variables.add("WORLD_SIZE", spec.world_size);
    variables.add("LOCAL_WORLD_SIZE", spec.processes);
    variables.add("MASTER_ADDR", spec.master_addr);
    variables.add("MASTER_PORT", spec.master_port);
    variables.add("WEIR_CHECKPOINT_DIR", spec.checkpoint_dir);
    variables.add("WEIR_RESUME_DIR", spec.resume_dir);
    variables.add("WEIR_OUTPUT_DIR", spec.output_dir);
    add_cards(spec, variables);
    return variables.count();
}

void add_rank(const Spec& spec, std::int64_t local_rank, TextBuffer& text) {
    VariablePrinter variables{text};
    variables.add("WEIR_RANK", spec.rank_offset + local_rank);
    variables.add("RANK", spec.rank_offset + local_rank);
    variables.add("LOCAL_RANK", local_rank);
}

/// A memory file with the plan, its position irrelevant: it is mapped, not read.
Fd make_plan(const Spec& spec) {
    void* const room = mmap(nullptr, plan_bytes_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return {};
    Fd file;
    if (const auto text = print_plan(spec, {static_cast<char*>(room), plan_bytes_max})) {
        file = Fd{memfd_create("weir-plan", MFD_CLOEXEC)};
        if (!file || !write_all(file.get(), *text)) file.reset();
    } else {
        errno = E2BIG;
    }
    munmap(room, plan_bytes_max);
    return file;
}

bool join_limits(const Spec& spec) {
    for (const char* const folder : spec.cgroups.all()) {
        char path_room[4096];
        TextBuffer path{path_room};
        path.add(folder).add("/cgroup.procs");
        const Fd file{open(path.c_str(), O_WRONLY | O_CLOEXEC)};
        if (!file || !write_all(file.get(), "0")) return false;
    }
    return true;
}

/// Puts `wanted` where the init looks for them (3, 4, ...), whatever numbers they have now.
bool place_descriptors(std::span<const int> wanted) {
    std::array<int, 2 * processes_max + 2> spare{};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        spare[i] = fcntl(wanted[i], F_DUPFD, spare_descriptors_from);
        if (spare[i] < 0) return false;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (dup2(spare[i], plan_descriptor + static_cast<int>(i)) < 0) return false;
    }
    const auto first_unwanted = static_cast<unsigned>(plan_descriptor) + static_cast<unsigned>(wanted.size());
    return close_descriptors(first_unwanted, ~0U);
}

void clear_signals() {
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// In the child: joins the limits and becomes the wrapper or the init. A step that fails is reported as the init's would be.
[[noreturn]] void become(const Spec& spec, pid_t supervisor, std::span<const int> descriptors) {
    std::array<const char*, wrapper_max + 3> arguments{};
    std::size_t count = 0;
    for (const char* const argument : spec.wrapper.all()) arguments[count++] = argument;
    const char* const program = count == 0 ? "/proc/self/exe" : arguments[0];
    arguments[count++] = count == 0 ? "weir-supervisor" : spec.init;
    arguments[count++] = "--init";

    char marker[256];
    const char* const variables[] = {print_marker(spec, marker) ? marker : "WEIR_TASK=", "PATH=/usr/local/bin:/usr/bin:/bin", nullptr};

    setpgid(0, 0);
    umask(022);  // the wrapper makes folders that the tenant has to pass
    const bool guarded = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == supervisor;
    const int errors = descriptors[3];
    if (guarded && dup2(errors, STDERR_FILENO) >= 0 && place_descriptors(descriptors) && join_limits(spec)) {
        clear_signals();
        execve(program, const_cast<char* const*>(arguments.data()), const_cast<char* const*>(variables));
    }
    const InitReport failure{.kind = InitReport::Kind::failed, .step = InitStep::privileges, .value = errno};
    (void)!write(report_descriptor, &failure, sizeof failure);
    _exit(127);
}

}  // namespace

bool print_marker(const Spec& spec, std::span<char> room) {
    TextBuffer text{room};
    text.add("WEIR_TASK=").add(spec.job).add("/").add(spec.generation).add("/").add(spec.node_rank);
    return !text.overflowed();
}

std::optional<std::string_view> print_plan(const Spec& spec, std::span<char> room) {
    InitPlan head{.uid = static_cast<std::uint32_t>(spec.uid),
                  .gid = static_cast<std::uint32_t>(spec.gid),
                  .processes = static_cast<std::uint32_t>(spec.processes)};
    if (room.size() <= sizeof head) return std::nullopt;
    TextBuffer text{room.subspan(sizeof head)};
    text.add(spec.workdir).add(nul).add(spec.run).add(nul);
    head.environment = add_common(spec, text);
    for (std::int64_t rank = 0; rank < spec.processes; ++rank) add_rank(spec, rank, text);
    std::memcpy(room.data(), &head, sizeof head);
    if (text.overflowed()) return std::nullopt;
    return std::string_view{room.data(), sizeof head + text.view().size()};
}

const char* launch(const Spec& spec, Launched& launched) {
    std::array<Fd, 2 * processes_max> writing;
    std::array<int, 2 * processes_max + 2> descriptors{};
    const auto streams = 2 * static_cast<std::size_t>(spec.processes);

    const Fd plan = make_plan(spec);
    if (!plan) return "make the plan of the task";
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return "make a pipe";
    launched.reports = Fd{ends[0]};
    const Fd reporting{ends[1]};
    fcntl(launched.reports.get(), F_SETFL, O_NONBLOCK);
    descriptors[0] = plan.get();
    descriptors[1] = reporting.get();
    for (std::size_t i = 0; i < streams; ++i) {
        if (pipe2(ends, O_CLOEXEC) != 0) return "make a pipe";
        launched.streams[i] = Fd{ends[0]};
        writing[i] = Fd{ends[1]};
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        descriptors[2 + i] = ends[1];
    }
    const pid_t supervisor = getpid();
    launched.pid = fork();
    if (launched.pid < 0) return "start a process";
    if (launched.pid == 0) become(spec, supervisor, {descriptors.data(), streams + 2});
    return nullptr;
}

}  // namespace weir::supervisor
