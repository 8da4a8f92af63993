#include "control/core/data_book.hpp"

#include <algorithm>

namespace weir::control {

std::int64_t kept_bytes(const ProjectData& data) {
    std::int64_t bytes = data.files ? data.files->size.bytes : 0;
    for (const auto& [digest, tree] : data.trees) bytes += tree.size.bytes;
    for (const auto& [job, outputs] : data.outputs) bytes += outputs.size.bytes;
    return bytes;
}

bool keeps(const ProjectData& data, const Digest& tree) {
    if (data.trees.contains(tree) || (data.files && data.files->tree == tree)) return true;
    return std::ranges::any_of(data.outputs, [&](const auto& one) { return one.second.tree == tree; });
}

}  // namespace weir::control
