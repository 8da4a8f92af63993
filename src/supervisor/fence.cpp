#include "supervisor/fence.hpp"

#include "supervisor/reaper.hpp"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

constexpr std::size_t stack_bytes = 256U << 10U;
constexpr int first_look_ms = 5;
constexpr int last_look_ms = 1000;  ///< Who cannot die (in a disk that hangs) is looked at that often.

}  // namespace

int Fence::raise(const Spec& spec) {
    spec_ = &spec;
    timer_ = Fd{timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC)};
    if (!timer_) return errno;
    // This program may lie on the very disk that hangs: what it is made of is in memory before that. Where that is refused it mostly is.
    (void)mlockall(MCL_CURRENT);
    pthread_attr_t attributes;
    if (const int error = pthread_attr_init(&attributes)) return error;
    int error = pthread_attr_setstacksize(&attributes, stack_bytes);
    if (error == 0) error = pthread_create(&thread_, &attributes, &Fence::keep, this);
    pthread_attr_destroy(&attributes);
    raised_ = error == 0;
    return error;
}

Fence::~Fence() {
    if (!raised_) return;
    down_ = true;
    set(1);
    pthread_join(thread_, nullptr);
}

void Fence::set(std::int64_t until_ns) {
    if (until_ns_.exchange(until_ns) == until_ns) return;
    set_timer(timer_.get(), until_ns);
}

void* Fence::keep(void* self) {
    static_cast<Fence*>(self)->keep();
    return nullptr;
}

/// Until the timer was set anew and is due, or so long; -1: for ever.
void Fence::wait(int longest_ms) const {
    pollfd timer{.fd = timer_.get(), .events = POLLIN, .revents = 0};
    if (poll(&timer, 1, longest_ms) <= 0) return;
    std::uint64_t expirations = 0;
    (void)!read(timer_.get(), &expirations, sizeof expirations);
}

void Fence::keep() {
    // Before a task that forks without end: of this thread alone, and not of what the supervisor starts. Only root may.
    (void)setpriority(PRIO_PROCESS, 0, -20);
    while (boot_now_ns() < until_ns_.load()) wait(-1);
    int look_ms = first_look_ms;
    while (!down_ && who_is_left(*spec_) == Left::living) {
        fell_ = true;  // before anybody can be seen to have been killed
        kill_everybody(*spec_);
        wait(look_ms);
        look_ms = std::min(2 * look_ms, last_look_ms);
    }
    if (!down_) gone_at_ns_ = boot_now_ns();
}

}  // namespace weir::supervisor
