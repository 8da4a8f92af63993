// engines/scheduler/check.hpp: which deltas make sense at all, before anything is changed.
#pragma once

#include "engines/scheduler/delta.hpp"

namespace weir::scheduler {

/// What a delta's own text allows; whether the things that it names exist is not asked here.
[[nodiscard]] Result<void, DeltaRefusal> check_delta(const Delta& delta);

/// The same ask with its unordered lists sorted and without repetition: equal asks become identical.
[[nodiscard]] Ask normal_form(Ask ask);

}  // namespace weir::scheduler
