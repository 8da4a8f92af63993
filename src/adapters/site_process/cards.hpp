// adapters/site_process/cards.hpp: which accelerators the makers' tools say are here, read from what they print.
//
// It answers one question: what does this text say? Running the tools is tool.hpp's work. A line that is not understood is
// passed over and counted: a card that cannot be described must not hide the others.
#pragma once

#include "ports/site_backend.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir::site_process {

/// What a tool's text was found to say.
struct CardReading {
    std::vector<ports::Card> cards;
    int lines_not_understood = 0;
};

/// `nvidia-smi --query-gpu=index,name,memory.total,uuid --format=csv,noheader,nounits`.
[[nodiscard]] CardReading read_nvidia(std::string_view text);

/// The table of `npu-smi info`: two lines for each chip, the first with card number and name, the second with the chip's
/// logical number, its bus address and its memory in use and in all.
[[nodiscard]] CardReading read_ascend(std::string_view text);

}  // namespace weir::site_process
