// ports/record_chain.hpp: turns event texts into the records that continue a journal.
#pragma once

#include "ports/journal.hpp"

#include <span>
#include <string>
#include <vector>

namespace weir::ports {

/// Records that follow `head`, one per text, numbered and chained.
[[nodiscard]] inline std::vector<Record> records_after(Head head, std::span<const std::string> texts) {
    std::vector<Record> records;
    records.reserve(texts.size());
    for (const auto& text : texts) {
        head = {head.revision + 1, chain(head.hash, text)};
        records.push_back({head.revision, text, head.hash});
    }
    return records;
}

}  // namespace weir::ports
