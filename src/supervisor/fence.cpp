#include "supervisor/fence.hpp"

#include "supervisor/reaper.hpp"

#include <cerrno>

#include <poll.h>
#include <pthread.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::size_t stack_bytes = 256U << 10U;
constexpr int first_look_ms = 5;
constexpr int last_look_ms = 1000;  ///< Who is dead and not reaped, because the supervisor hangs, is found by every look.

}  // namespace

bool Fence::raise(const Spec& spec) {
    spec_ = &spec;
    timer_ = Fd{timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC)};
    pthread_attr_t attributes;
    if (!timer_ || pthread_attr_init(&attributes) != 0) return false;
    pthread_t thread{};
    const bool kept = pthread_attr_setstacksize(&attributes, stack_bytes) == 0 &&
                      pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                      pthread_create(&thread, &attributes, &Fence::keep, this) == 0;
    pthread_attr_destroy(&attributes);
    return kept;
}

void Fence::set(std::int64_t until_ns) {
    if (until_ns_.exchange(until_ns) == until_ns) return;
    itimerspec when{};
    when.it_value.tv_sec = until_ns / second_ns;
    when.it_value.tv_nsec = until_ns % second_ns;
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void* Fence::keep(void* self) {
    static_cast<Fence*>(self)->keep();
    return nullptr;
}

void Fence::keep() {
    while (boot_now_ns() < until_ns_.load()) {
        std::uint64_t expirations = 0;
        if (read(timer_.get(), &expirations, sizeof expirations) < 0 && errno != EINTR) return;
    }
    fell_at_ns_ = boot_now_ns();
    for (int look_ms = first_look_ms; kill_everybody(*spec_); look_ms = look_ms < last_look_ms ? 2 * look_ms : last_look_ms)
        poll(nullptr, 0, look_ms);
}

}  // namespace weir::supervisor
