// supervisor/fence.hpp: ends a task at the end of its lease though its supervisor hangs.
//
// It answers one question: is it time, whatever the supervisor's own thread is doing? That thread writes logs and status files, and a disk
// that does not answer (a network file system that is away) holds it for as long as it likes. The fence is a thread that touches no file
// of the task: it sleeps until the last moment that it was told and then kills everybody. When that moment is, is the supervisor's to say;
// one that works says a later one in time, or has ended the task before.
#pragma once

#include "supervisor/spec.hpp"
#include "supervisor/system.hpp"

#include <atomic>
#include <cstdint>

namespace weir::supervisor {

class Fence {
public:
    Fence() = default;
    Fence(const Fence&) = delete;
    Fence& operator=(const Fence&) = delete;

    /// To be called once, after the task was launched; `spec` outlives the process. False where the host gives no timer or no thread.
    [[nodiscard]] bool raise(const Spec& spec);
    /// The task may run until then, on the boot clock.
    void set(std::int64_t until_ns);
    /// When it killed everybody; 0: it did not.
    [[nodiscard]] std::int64_t fell_at_ns() const { return fell_at_ns_.load(); }

private:
    static void* keep(void* self);
    void keep();

    const Spec* spec_ = nullptr;
    Fd timer_;
    std::atomic<std::int64_t> until_ns_ = INT64_MAX;
    std::atomic<std::int64_t> fell_at_ns_ = 0;
};

}  // namespace weir::supervisor
