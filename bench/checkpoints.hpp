// bench/checkpoints.hpp: moves a journal's write-ahead log into its file from a thread of its own, as the server does.
#pragma once

#include "ports/journal.hpp"

#include <atomic>
#include <chrono>
#include <thread>

namespace weir::bench {

class Checkpoints {
public:
    explicit Checkpoints(ports::Journal& journal)
        : thread_{[this, &journal] {
              while (!done_) {
                  if (journal.checkpoint_due() && journal.checkpoint()) ++count_;
                  std::this_thread::sleep_for(std::chrono::milliseconds{5});
              }
          }} {}
    Checkpoints(const Checkpoints&) = delete;
    Checkpoints& operator=(const Checkpoints&) = delete;
    ~Checkpoints() {
        done_ = true;
        thread_.join();
    }
    [[nodiscard]] int count() const { return count_; }

private:
    std::atomic<bool> done_{false};
    std::atomic<int> count_{0};
    std::thread thread_;
};

}  // namespace weir::bench
