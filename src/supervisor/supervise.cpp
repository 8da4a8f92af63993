#include "supervisor/supervise.hpp"

#include "supervisor/asked.hpp"
#include "supervisor/text.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t never_ns = INT64_MAX;
constexpr std::int64_t fence_after_ns = 100'000'000;  ///< A supervisor that works has killed by then; far below any drift bound.
constexpr const char* reserve_file = "status.reserve";

std::int64_t later(std::int64_t at_ns, std::int64_t by_ns) { return at_ns > never_ns - by_ns ? never_ns : at_ns + by_ns; }

class Supervisor {
public:
    Supervisor(Fd directory, int report_to) : directory_(std::move(directory)), report_to_(report_to) {}

    Outcome run();

private:
    [[nodiscard]] bool prepare_files();
    [[nodiscard]] bool prepare_events();
    Outcome refuse(Outcome outcome, const char* what, const char* why);
    Outcome end_unstarted(Reason reason, const char* detail);
    [[nodiscard]] bool start();
    void loop();
    void finish();
    void name_the_killed();

    void wait_for_events();
    void take_signals();
    void take_reports();
    void take_report(const InitReport& report);
    void take_output(std::size_t stream);
    void take_commands();
    void obey(std::size_t client, std::string_view text);
    void take_time();
    void begin_stop(Reason reason, std::int64_t grace_s);
    [[nodiscard]] std::int64_t request_checkpoint();
    [[nodiscard]] std::int64_t ask_at_ns() const;
    [[nodiscard]] std::int64_t last_ns() const { return later(lease_ns_, spec_.kill_grace_s * second_ns); }
    void reap();
    void read_lease();
    void read_asked();
    void beat(std::int64_t now_ns);
    void arm_timer();
    void settle();
    [[nodiscard]] std::int64_t ended_by_ns(std::int64_t now_ns) const;

    [[nodiscard]] std::int64_t metered_s(std::int64_t now_ns) const { return (now_ns - started_ns_) / second_ns; }
    [[nodiscard]] bool all_ranks_ended() const { return ended_ranks_ == spec_.processes; }
    void describe_failure(const char* what, int error);
    [[nodiscard]] bool write_status(Durable durable);
    void write_last_status();
    void tell(std::string_view text);

    Fd directory_;
    int report_to_;
    Fd lock_;
    Fd reserve_;
    Fd alive_;
    Fd logs_;
    Fd checkpoints_;
    Fd signals_;
    Fd timer_;
    ControlSocket control_;
    Spec spec_;
    Status status_;
    Launched launched_;
    Fence fence_;
    std::array<LogRing, 2 * processes_max> rings_;
    std::int64_t lease_ns_ = 0;
    Asked done_;                       ///< Of what was asked for by the file.
    std::int64_t asked_lease_ns_ = 0;  ///< The lease for whose end a checkpoint was asked for.
    std::int64_t stop_ns_ = never_ns;  ///< When the task has run as long as it may.
    std::int64_t grace_ns_ = never_ns;
    std::int64_t beat_ns_ = never_ns;
    std::int64_t started_ns_ = 0;
    std::int64_t ended_ranks_ = 0;
    std::int64_t last_end_ns_ = 0;  ///< Of a rank.
    bool reported_start_ = false;
    bool first_is_gone_ = false;
    bool nobody_left_ = false;
    bool over_ = false;
    char spec_room_[spec_bytes_max + 1];
    char read_room_[64 * 1024];
};

void Supervisor::tell(std::string_view text) {
    if (report_to_ < 0) return;
    (void)write_all(report_to_, text);
    close(report_to_);
    report_to_ = -1;
}

bool Supervisor::write_status(Durable durable) {
    char room[status_bytes_max];
    return replace_file(directory_.get(), status_file, "status.new", print_status(status_, room), 0600, durable);
}

/// The end must be told on a full disk too: its blocks were reserved before the task began.
void Supervisor::write_last_status() {
    if (write_status(Durable::yes)) return;
    char room[status_bytes_max];
    const auto text = print_status(status_, room);
    if (pwrite(reserve_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return;
    if (ftruncate(reserve_.get(), static_cast<off_t>(text.size())) != 0 || fsync(reserve_.get()) != 0) return;
    if (renameat(directory_.get(), reserve_file, directory_.get(), status_file) == 0) (void)fsync(directory_.get());
}

void Supervisor::describe_failure(const char* what, int error) {
    TextBuffer text{status_.detail};
    text.add("the task could not ").add(what).add(": ").add(std::strerror(error));
}

Outcome Supervisor::refuse(Outcome outcome, const char* what, const char* why) {
    char room[512];
    TextBuffer text{room};
    text.add("refused ").add(what).add(*what == '\0' ? "" : ": ").add(why).add("\n");
    tell(text.view());
    return outcome;
}

Outcome Supervisor::end_unstarted(Reason reason, const char* detail) {
    status_.phase = Phase::ended;
    status_.reason = reason;
    status_.exit_code = reason == Reason::start_failed ? 125 : 0;
    status_.ended_at_s = wall_now_s();
    status_.ended_ns = boot_now_ns();
    copy_text(status_.detail, detail);
    write_last_status();
    return Outcome::ended;
}

bool Supervisor::prepare_files() {
    const int directory = directory_.get();
    reserve_ = Fd{openat(directory, reserve_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!reserve_ || posix_fallocate(reserve_.get(), 0, status_bytes_max) != 0) return false;
    if (mkdirat(directory, log_folder, 0700) != 0 && errno != EEXIST) return false;
    logs_ = Fd{openat(directory, log_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    alive_ = Fd{openat(directory, alive_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
    checkpoints_ = Fd{open(spec_.checkpoint_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!logs_ || !alive_ || !checkpoints_) return false;
    const auto quota = spec_.log_quota / (2 * spec_.processes);
    for (std::int64_t rank = 0; rank < spec_.processes; ++rank) {
        for (const bool errors : {false, true}) {
            char name[16];
            TextBuffer stream{name};
            stream.add(rank).add(errors ? ".err" : ".out");
            rings_[static_cast<std::size_t>(2 * rank + (errors ? 1 : 0))].open(logs_.get(), stream.view(), quota);
        }
    }
    return control_.open(directory);
}

bool Supervisor::prepare_events() {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) sigaddset(&watched, number);
    if (sigprocmask(SIG_SETMASK, &watched, nullptr) != 0) return false;
    signals_ = Fd{signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC)};
    timer_ = Fd{timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)};
    return signals_ && timer_ && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

void Supervisor::read_lease() {
    char room[lease_bytes_max];
    const auto text = read_file(directory_.get(), lease_file, room);
    const auto lease = text ? parse_lease(*text) : std::nullopt;
    // A lease only ever grows: an old message that comes late takes nothing away.
    if (lease) lease_ns_ = std::max(lease_ns_, lease_end_ns(*lease, status_.boot_id));
}

Outcome Supervisor::run() {
    lock_ = take_lock(directory_.get(), lock_file).value_or(Fd{});
    if (!lock_) return refuse(Outcome::not_needed, "", "another supervisor has this task");
    struct stat facts{};
    if (fstatat(directory_.get(), status_file, &facts, AT_SYMLINK_NOFOLLOW) == 0) {
        return refuse(Outcome::not_needed, "", "this task was started before");
    }
    read_boot_id(status_.boot_id);
    const auto self = read_process(getpid());
    if (*status_.boot_id == '\0' || !self) return refuse(Outcome::cannot_start, "", "/proc is not readable");
    status_.supervisor_pid = getpid();
    status_.supervisor_start = self->start_ticks;

    const auto text = read_file(directory_.get(), spec_file, spec_room_);
    if (!text) return refuse(Outcome::refused, "spec", std::strerror(errno));
    if (const auto error = parse_spec({text->data(), text->size()}, spec_)) {
        char room[256];
        TextBuffer detail{room};
        detail.add(error->key).add(*error->key == '\0' ? "" : ": ").add(describe(error->fault));
        (void)end_unstarted(Reason::start_failed, detail.c_str());
        return refuse(Outcome::refused, error->key, describe(error->fault));
    }
    if (geteuid() != 0 && static_cast<std::int64_t>(geteuid()) != spec_.uid) {
        constexpr const char* why = "only a supervisor run by root can change users; give the uid it runs as";
        (void)end_unstarted(Reason::start_failed, why);
        return refuse(Outcome::refused, "uid", why);
    }
    status_.processes = spec_.processes;
    read_lease();
    if (lease_ns_ <= boot_now_ns()) {
        const auto outcome = end_unstarted(Reason::lease_ended, "the lease was over before the task began");
        tell("ended\n");
        return outcome;
    }
    if (!prepare_files() || !prepare_events() || !write_status(Durable::no)) {
        return refuse(Outcome::cannot_start, "task directory", std::strerror(errno));
    }
    if (start()) loop();
    finish();
    return Outcome::ended;
}

bool Supervisor::start() {
    started_ns_ = boot_now_ns();
    status_.began_ns = started_ns_;
    status_.started_at_s = wall_now_s();
    if (spec_.stop_after_s > 0) stop_ns_ = started_ns_ + spec_.stop_after_s * second_ns;
    if (const int error = fence_.raise(spec_)) {
        status_.reason = Reason::start_failed;
        describe_failure("be fenced", error);
        return false;
    }
    if (const char* const failed = launch(spec_, launched_)) {
        status_.reason = Reason::start_failed;
        describe_failure(failed, errno);
        return false;
    }
    return true;
}

void Supervisor::loop() {
    while (!over_) {
        arm_timer();
        wait_for_events();
        settle();
    }
}

void Supervisor::arm_timer() {
    const bool stopping = status_.phase == Phase::stopping;
    const auto next_ns = stopping ? std::min(grace_ns_, beat_ns_) : std::min({ask_at_ns(), lease_ns_, stop_ns_, beat_ns_});
    set_timer(timer_.get(), next_ns);
    fence_.set(later(stopping ? grace_ns_ : last_ns(), fence_after_ns));
}

/// By when surely nobody of the task was left: the supervisor may have learnt it late.
std::int64_t Supervisor::ended_by_ns(std::int64_t now_ns) const {
    const auto gone_ns = fence_.gone_at_ns() != 0 ? fence_.gone_at_ns() : never_ns;
    // Daemons that outlive the last rank are killed at once, but not before its end is known.
    const auto last_rank_ns = all_ranks_ended() && !fence_.fell() ? later(last_end_ns_, second_ns) : never_ns;
    return std::min({now_ns, gone_ns, last_rank_ns});
}

void Supervisor::wait_for_events() {
    constexpr std::size_t fixed = 4;
    std::array<pollfd, fixed + control_clients_max + 2 * processes_max> sources{};
    const auto streams = 2 * static_cast<std::size_t>(spec_.processes);
    const auto watch = [&sources](std::size_t at, int descriptor) {
        sources[at] = {.fd = descriptor, .events = POLLIN, .revents = 0};
    };
    watch(0, signals_.get());
    watch(1, timer_.get());
    watch(2, launched_.reports.get());
    watch(3, control_.listener());
    for (std::size_t i = 0; i < control_clients_max; ++i) watch(fixed + i, control_.client(i));
    const std::size_t first_stream = fixed + control_clients_max;
    for (std::size_t i = 0; i < streams; ++i) watch(first_stream + i, launched_.streams[i].get());
    if (poll(sources.data(), first_stream + streams, -1) < 0) return;

    // Output first: what a process wrote before it ended is in the log before its end is told.
    for (std::size_t i = 0; i < streams; ++i) {
        if (sources[first_stream + i].revents != 0) take_output(i);
    }
    // Then the ends, also those that came since the poll: a write to a log may have taken hours. Who has ended by himself is neither told
    // to stop nor stopped for the time.
    take_signals();
    take_reports();
    settle();
    if (over_) return;
    if (sources[1].revents != 0) take_time();
    if (sources[3].revents != 0) control_.accept();
    take_commands();
}

void Supervisor::take_output(std::size_t stream) {
    const auto got = read(launched_.streams[stream].get(), read_room_, sizeof read_room_);
    if (got > 0) rings_[stream].append({read_room_, static_cast<std::size_t>(got)});
    if (got == 0) launched_.streams[stream].reset();
}

void Supervisor::take_signals() {
    signalfd_siginfo caught{};
    while (read(signals_.get(), &caught, sizeof caught) == static_cast<ssize_t>(sizeof caught)) {
        if (caught.ssi_signo == SIGTERM || caught.ssi_signo == SIGINT) begin_stop(Reason::stopped, spec_.kill_grace_s);
        if (caught.ssi_signo == SIGUSR1) (void)request_checkpoint();
    }
    reap();
}

void Supervisor::reap() {
    for (;;) {
        int status = 0;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) continue;
        nobody_left_ = pid < 0;
        if (pid <= 0) return;
        if (pid != launched_.pid) continue;
        // All that it reported is in the pipe by now, and counts before its own end.
        take_reports();
        first_is_gone_ = true;
        if (all_ranks_ended() || status_.reason != Reason::none) continue;
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (fence_.fell()) {
            begin_stop(Reason::lease_ended, 0);
        } else if (!reported_start_) {
            status_.reason = Reason::start_failed;
            TextBuffer text{status_.detail};
            text.add("the sandbox ended with ").add(std::int64_t{code}).add(" before the task began; its words are in the log of errors");
        } else {
            status_.reason = Reason::signalled;
            status_.exit_code = code;
            copy_text(status_.detail, "the task's first process was killed");
        }
    }
}

void Supervisor::take_reports() {
    InitReport report{};
    for (;;) {
        const auto got = read(launched_.reports.get(), &report, sizeof report);
        if (got == static_cast<ssize_t>(sizeof report)) take_report(report);
        else if (got == 0) return launched_.reports.reset();
        else if (got > 0 || errno != EINTR) return;
    }
}

void Supervisor::take_report(const InitReport& report) {
    using Kind = InitReport::Kind;
    if (report.kind == Kind::failed && status_.reason == Reason::none) {
        status_.reason = Reason::start_failed;
        describe_failure(describe(report.step), report.value);
    }
    if (report.kind == Kind::started && !reported_start_) {
        reported_start_ = true;
        if (status_.phase == Phase::starting) status_.phase = Phase::running;
        // A stop that came during the start found nobody to tell.
        if (status_.phase == Phase::stopping) ask_to_end({.first = launched_.pid, .wrapped = spec_.wrapper.size > 0});
        beat_ns_ = started_ns_;
        beat(boot_now_ns());
        if (write_status(Durable::yes)) {
            tell("running\n");
        } else {
            // What is not on disk must not be metered: a restart of the host would forget that this task ever ran.
            status_.reason = Reason::start_failed;
            describe_failure("write its status", errno);
        }
    }
    if (report.kind != Kind::ended || report.rank >= spec_.processes) return;
    auto& end = status_.ends[report.rank];
    if (end.kind != RankEnd::Kind::none) return;
    ++ended_ranks_;
    last_end_ns_ = std::max(last_end_ns_, report.at_ns);
    const bool exited = WIFEXITED(report.value);
    end.kind = exited ? RankEnd::Kind::exited : RankEnd::Kind::signalled;
    end.code = exited ? WEXITSTATUS(report.value) : WTERMSIG(report.value);
    // Whom the fence killed was told to end: the lease was over. Who ended before it fell did so by himself.
    if (fence_.fell() && !exited && end.code == SIGKILL) begin_stop(Reason::lease_ended, 0);
    const bool well = exited && end.code == 0;
    const bool told_to_end =
        status_.reason == Reason::lease_ended || status_.reason == Reason::stopped || status_.reason == Reason::duration_ended;
    if (well || told_to_end) {
        if (!well && status_.exit_code == 0) status_.exit_code = exited ? end.code : 128 + end.code;
        return;
    }
    if (status_.reason != Reason::none) return;
    status_.exit_code = exited ? end.code : 128 + end.code;
    status_.reason = exited ? Reason::exited : Reason::signalled;
    // The others would wait for it for ever. Daemons that outlive the last rank get no grace.
    if (!all_ranks_ended()) begin_stop(status_.reason, spec_.kill_grace_s);
}

void Supervisor::begin_stop(Reason reason, std::int64_t grace_s) {
    const auto now_ns = boot_now_ns();
    if (status_.phase == Phase::stopping) {
        grace_ns_ = std::min(grace_ns_, now_ns + grace_s * second_ns);
        return;
    }
    if (status_.reason == Reason::none) status_.reason = reason;
    status_.phase = Phase::stopping;
    grace_ns_ = std::min(now_ns + grace_s * second_ns, last_ns());
    if (all_ranks_ended()) return;
    ask_to_end({.first = launched_.pid, .wrapped = spec_.wrapper.size > 0});
    (void)write_status(Durable::no);
}

void Supervisor::take_time() {
    std::uint64_t expirations = 0;
    (void)!read(timer_.get(), &expirations, sizeof expirations);
    const auto now_ns = boot_now_ns();
    if (now_ns >= beat_ns_) {
        beat(now_ns);
        read_lease();  // here, and not at its end alone: the fence goes by what was read
        read_asked();
    }
    if (status_.phase == Phase::stopping) {
        if (now_ns >= grace_ns_) over_ = true;
        return;
    }
    if (now_ns >= stop_ns_) return begin_stop(Reason::duration_ended, spec_.kill_grace_s);
    if (now_ns >= ask_at_ns()) {
        read_lease();
        if (now_ns >= ask_at_ns()) {
            asked_lease_ns_ = lease_ns_;
            (void)request_checkpoint();
        }
    }
    if (now_ns < lease_ns_) return;
    read_lease();
    if (now_ns < lease_ns_) return;
    begin_stop(Reason::lease_ended, spec_.kill_grace_s);
}

/// When a checkpoint is to be asked for, once for each lease that is about to end.
std::int64_t Supervisor::ask_at_ns() const {
    const bool asks = spec_.checkpoint_before_s > 0 && asked_lease_ns_ != lease_ns_;
    return asks ? lease_ns_ - spec_.checkpoint_before_s * second_ns : never_ns;
}

void Supervisor::beat(std::int64_t now_ns) {
    char room[32];
    TextBuffer text{room};
    text.add_padded(metered_s(ended_by_ns(now_ns)), 20).add("\n");
    (void)!pwrite(alive_.get(), text.view().data(), text.view().size(), 0);
    beat_ns_ = started_ns_ + (metered_s(now_ns) + 1) * second_ns;
}

/// What an agent on another host asks for; once a second.
void Supervisor::read_asked() {
    char room[asked_bytes_max];
    const auto text = read_file(directory_.get(), asked_file, room);
    const auto asked = text ? parse_asked(*text) : std::nullopt;
    if (!asked) return;
    if (asked->checkpoints > done_.checkpoints && request_checkpoint() >= 0) done_.checkpoints = asked->checkpoints;
    if (asked->signals > done_.signals && asked->signal >= 1 && asked->signal <= 64) {
        const Family family{.first = launched_.pid, .wrapped = spec_.wrapper.size > 0};
        (void)signal_tenant(family, static_cast<int>(asked->signal), false);
        done_.signals = asked->signals;
    }
    if (asked->end == done_.end) return;
    done_.end = asked->end;
    if (asked->end != Asked::End::none) begin_stop(Reason::stopped, asked->end == Asked::End::kill ? 0 : spec_.kill_grace_s);
}

void Supervisor::take_commands() {
    for (std::size_t client = 0; client < control_clients_max; ++client) {
        if (control_.client(client) < 0) continue;
        char room[control_bytes_max];
        if (const auto text = control_.receive(client, room)) obey(client, *text);
    }
}

void Supervisor::obey(std::size_t client, std::string_view text) {
    const auto command = parse_command(text);
    if (!command) return control_.answer(client, "refused the command is not known");
    char room[64];
    TextBuffer answer{room};
    answer.add("ok");
    switch (command->verb) {
        case Command::Verb::ping: break;
        case Command::Verb::stop: begin_stop(Reason::stopped, spec_.kill_grace_s); break;
        case Command::Verb::kill: begin_stop(Reason::stopped, 0); break;
        case Command::Verb::renew: read_lease(); break;
        case Command::Verb::signal:
            answer.add(" ").add(signal_tenant({.first = launched_.pid, .wrapped = spec_.wrapper.size > 0}, command->number, false));
            break;
        case Command::Verb::checkpoint: {
            const auto number = request_checkpoint();
            if (number < 0) return control_.answer(client, "refused the request file could not be written");
            answer.add(" ").add(number);
            break;
        }
    }
    control_.answer(client, answer.view());
}

std::int64_t Supervisor::request_checkpoint() {
    // The directory belongs to the tenant: only its descriptor is trusted, and a link in place of the file is replaced, not followed.
    char room[64];
    TextBuffer text{room};
    text.add(status_.checkpoint_requests + 1).add("\n");
    if (!replace_file(checkpoints_.get(), request_file, ".REQUEST.new", text.view(), 0644, Durable::no)) return -1;
    ++status_.checkpoint_requests;
    const Family family{.first = launched_.pid, .wrapped = spec_.wrapper.size > 0};
    if (spec_.checkpoint_signal != 0) (void)signal_tenant(family, static_cast<int>(spec_.checkpoint_signal), true);
    (void)write_status(Durable::no);
    return status_.checkpoint_requests;
}

/// Whether what happened so far is the end of the task.
void Supervisor::settle() {
    if (first_is_gone_ && !all_ranks_ended() && status_.phase != Phase::stopping) over_ = true;
    if (status_.reason == Reason::start_failed) over_ = true;
    if (status_.phase != Phase::stopping && all_ranks_ended()) {
        if (status_.reason == Reason::none) status_.reason = Reason::exited;
        over_ = true;
    }
    if (status_.phase == Phase::stopping && nobody_left_) over_ = true;
}

/// Who had not ended when everybody was killed was killed.
void Supervisor::name_the_killed() {
    if (!reported_start_) return;
    for (std::size_t rank = 0; rank < static_cast<std::size_t>(spec_.processes); ++rank) {
        if (status_.ends[rank].kind != RankEnd::Kind::none) continue;
        status_.ends[rank] = {.kind = RankEnd::Kind::signalled, .code = SIGKILL};
        if (status_.exit_code == 0) status_.exit_code = 128 + SIGKILL;
    }
}

void Supervisor::finish() {
    const auto memory_kills = count_memory_kills(spec_);
    for (int look_ms = 5; kill_everybody(spec_) != Left::nobody; look_ms = std::min(2 * look_ms, 1000)) {
        pollfd source{.fd = signals_.get(), .events = POLLIN, .revents = 0};
        (void)poll(&source, 1, look_ms);
        signalfd_siginfo caught{};
        while (read(signals_.get(), &caught, sizeof caught) > 0) {
        }
        reap();
    }
    take_reports();
    const auto end_ns = ended_by_ns(boot_now_ns());
    name_the_killed();
    for (std::size_t stream = 0; stream < 2 * static_cast<std::size_t>(spec_.processes); ++stream) {
        while (launched_.streams[stream]) {
            const auto got = read(launched_.streams[stream].get(), read_room_, sizeof read_room_);
            if (got <= 0) break;
            rings_[stream].append({read_room_, static_cast<std::size_t>(got)});
        }
        status_.dropped_log_bytes += rings_[stream].dropped();
    }
    if (status_.reason == Reason::none) status_.reason = Reason::exited;
    const bool by_itself = status_.reason == Reason::exited || status_.reason == Reason::signalled;
    if (by_itself && status_.exit_code != 0 && memory_kills > 0) {
        status_.reason = Reason::out_of_memory;
        copy_text(status_.detail, "the task used more memory than it asked for; ask for more");
    }
    status_.phase = Phase::ended;
    status_.ended_at_s = wall_now_s();
    status_.ended_ns = end_ns;
    if (status_.reason == Reason::start_failed) {
        status_.exit_code = 125;
    } else {
        status_.metered_s = metered_s(end_ns);
    }
    remove_limits(spec_);
    write_last_status();
    unlinkat(directory_.get(), control_file, 0);
    unlinkat(directory_.get(), reserve_file, 0);
    if (status_.reason == Reason::start_failed) (void)refuse(Outcome::refused, "", status_.detail);
    tell("ended\n");
}

}  // namespace

Outcome supervise(const char* spec_path, int report_to) {
    const char* const name = std::strrchr(spec_path, '/');
    if (name == nullptr || std::strcmp(name + 1, spec_file) != 0) return Outcome::bad_usage;
    char folder[4096];
    copy_text(folder, {spec_path, static_cast<std::size_t>(name - spec_path) + 1});
    umask(077);
    Supervisor supervisor{Fd{open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, report_to};
    return supervisor.run();
}

}  // namespace weir::supervisor
