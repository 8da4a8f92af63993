// supervisor/fence.hpp: ends a task at the end of its lease though its supervisor hangs.
//
// It answers one question: is it time, whatever the supervisor's own thread is doing? That thread writes logs and status files, and a disk
// that does not answer (a network file system that is away) holds it for as long as it likes. The fence is a thread that touches no file
// of the task: it sleeps until the last moment that it was told and then kills everybody. When that moment is, is the supervisor's to say;
// one that works says a later one in time, or is killing by itself.
#pragma once

#include "supervisor/spec.hpp"
#include "supervisor/system.hpp"

#include <atomic>
#include <cstdint>

#include <pthread.h>

namespace weir::supervisor {

class Fence {
public:
    Fence() = default;
    Fence(const Fence&) = delete;
    Fence& operator=(const Fence&) = delete;
    /// Takes the fence down; nothing is killed after that.
    ~Fence();

    /// To be called once, before anything of the task is launched; `spec` outlives the fence. @returns 0, or the errno of what the host
    /// does not give.
    [[nodiscard]] int raise(const Spec& spec);
    /// The task may run until then, on the boot clock.
    void set(std::int64_t until_ns);
    /// Whether it found somebody alive after that; it killed then.
    [[nodiscard]] bool fell() const { return fell_.load(); }
    /// When it found nobody alive after that; 0: it did not look, or somebody was.
    [[nodiscard]] std::int64_t gone_at_ns() const { return gone_at_ns_.load(); }

private:
    static void* keep(void* self);
    void keep();
    void wait(int longest_ms) const;

    const Spec* spec_ = nullptr;
    Fd timer_;
    pthread_t thread_{};
    bool raised_ = false;
    std::atomic<bool> down_ = false;
    std::atomic<std::int64_t> until_ns_ = INT64_MAX;
    std::atomic<bool> fell_ = false;
    std::atomic<std::int64_t> gone_at_ns_ = 0;
};

}  // namespace weir::supervisor
