#include "domain/job.hpp"

#include <array>

namespace weir {
namespace {

using enum JobState;

struct Step {
    JobState from, to;
};

// Every final state is reached from every live one: a job can be cancelled, or end, at any time.
constexpr std::array steps{
    Step{queued, placed},         Step{placed, starting},       Step{placed, running},   Step{placed, queued},
    Step{starting, running},      Step{starting, queued},       Step{running, queued},   Step{running, checkpointing},
    Step{checkpointing, running}, Step{checkpointing, moving},  Step{checkpointing, queued},
    Step{running, moving},        Step{moving, placed},         Step{moving, queued},         Step{placed, moving},
    Step{starting, moving},       Step{moving, starting},       Step{moving, running},        Step{moving, moving},
};

}  // namespace

bool may_follow(JobState from, JobState to) {
    if (is_final(from)) return false;
    if (is_final(to)) return true;
    for (const auto& step : steps) {
        if (step.from == from && step.to == to) return true;
    }
    return false;
}

}  // namespace weir
