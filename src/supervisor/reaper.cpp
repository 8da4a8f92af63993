#include "supervisor/reaper.hpp"

#include "supervisor/system.hpp"
#include "supervisor/text.hpp"

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

enum class Role : std::uint8_t { wrapper = 1, init = 2, tenant = 3 };

Role role_of(const Process& process, const Family& family) {
    if (process.pid == family.first) return family.wrapped ? Role::wrapper : Role::init;
    return family.wrapped && process.parent == family.first ? Role::init : Role::tenant;
}

Fd open_limit(const char* folder, const char* file, int flags) {
    char path_room[4096];
    TextBuffer path{path_room};
    path.add(folder).add("/").add(file);
    return Fd{open(path.c_str(), flags | O_CLOEXEC)};
}

bool write_limit(const char* folder, const char* file, std::string_view text) {
    const Fd limit = open_limit(folder, file, O_WRONLY);
    return limit && write_all(limit.get(), text);
}

/// All that one cgroup lists; a very long list is cut off and finished by the next round. @returns whether there was anybody.
bool look_at_listed(const char* folder, bool kills) {
    const Fd list = open_limit(folder, "cgroup.procs", O_RDONLY);
    char room[32 * 1024];
    const auto size = list ? read(list.get(), room, sizeof room) : 0;
    if (size <= 0) return false;
    std::string_view rest{room, static_cast<std::size_t>(size)};
    bool any = false;
    while (const auto line = take_line(rest)) {
        const auto pid = parse_number(*line);
        // 0 is a process outside our own process namespace.
        if (!pid || *pid <= 1 || *pid == getpid()) continue;
        if (kills) kill(static_cast<pid_t>(*pid), SIGKILL);
        any = true;
    }
    return any;
}

/// Not to whoever got the number of one that was reaped since it was seen.
void kill_if_the_same(const Process& seen) {
    const auto now = read_process(seen.pid);
    if (now && now->start_ticks == seen.start_ticks) kill(seen.pid, SIGKILL);
}

/// Who is stopped cannot fork while the others are killed: one by one they would be born faster than they die. Where a freezer holds
/// them they are not to be stopped as well.
void stop_everybody() {
    constexpr int looks_max = 32;  // Who hangs in a disk does not stop.
    ProcessTable table;
    for (int looks = 0; looks < looks_max; ++looks) {
        (void)table.read();
        bool any = false;
        for (const auto& process : table.keep_descendants(getpid())) {
            if (process.zombie || process.stopped) continue;
            kill(process.pid, SIGSTOP);
            any = true;
        }
        if (!any) return;
    }
}

Left look(const Spec& spec, bool kills) {
    ProcessTable table;
    bool any = false;
    // Who cannot look does not know that nobody is there.
    bool living = !table.read();
    for (const auto& process : table.keep_descendants(getpid())) {
        any = true;
        living = living || !process.zombie;
        if (kills) kill_if_the_same(process);
    }
    for (const char* const folder : spec.cgroups.all()) living = look_at_listed(folder, kills) || living;
    return living ? Left::living : any ? Left::dead : Left::nobody;
}

}  // namespace

void ask_to_end(const Family& family) {
    ProcessTable table;
    (void)table.read();
    const auto task = table.keep_descendants(getpid());
    for (const auto& process : task) {
        if (role_of(process, family) == Role::init) kill(process.pid, SIGTERM);
    }
    for (const auto& process : task) {
        if (role_of(process, family) == Role::tenant) kill(process.pid, SIGTERM);
    }
}

std::int64_t signal_tenant(const Family& family, int number, bool only_catching) {
    ProcessTable table;
    (void)table.read();
    std::int64_t reached = 0;
    for (const auto& process : table.keep_descendants(getpid())) {
        if (process.zombie || role_of(process, family) != Role::tenant) continue;
        if (only_catching && !catches_signal(process.pid, number)) continue;
        if (kill(process.pid, number) == 0) ++reached;
    }
    return reached;
}

Left who_is_left(const Spec& spec) { return look(spec, false); }

Left kill_everybody(const Spec& spec) {
    // A frozen task cannot fork while it is being killed. v1 has the freezer; v2 (untested here) kills a group by itself, after the look.
    for (const char* const folder : spec.cgroups.all()) (void)write_limit(folder, "freezer.state", "FROZEN");
    if (spec.cgroups.all().empty()) stop_everybody();
    const auto left = look(spec, true);
    for (const char* const folder : spec.cgroups.all()) {
        if (!write_limit(folder, "cgroup.kill", "1")) (void)write_limit(folder, "freezer.state", "THAWED");
    }
    return left;
}

std::int64_t count_memory_kills(const Spec& spec) {
    for (const char* const folder : spec.cgroups.all()) {
        for (const char* const file : {"memory.oom_control", "memory.events"}) {
            const Fd events = open_limit(folder, file, O_RDONLY);
            char room[1024];
            const auto size = events ? read(events.get(), room, sizeof room) : 0;
            if (size <= 0) continue;
            std::string_view rest{room, static_cast<std::size_t>(size)};
            while (const auto line = take_line(rest)) {
                std::string_view value = *line;
                if (take_until(value, ' ') == "oom_kill") return parse_number(value).value_or(0);
            }
        }
    }
    return 0;
}

void remove_limits(const Spec& spec) {
    for (const char* const folder : spec.cgroups.all()) rmdir(folder);
}

}  // namespace weir::supervisor
