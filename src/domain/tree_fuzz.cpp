// Fuzzes what comes from outside of a folder: a manifest is refused, or its paths stay within and it is its one text; a bundle is refused,
// or its blobs make their digests, however it is cut.
#include "domain/bundle.hpp"
#include "domain/tree.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto tree = parse_tree(text)) {
        if (tree_text(*tree) != text) std::abort();
        for (const auto& entry : tree->entries) {
            const std::filesystem::path path{entry.path};
            if (path.is_absolute() || path.lexically_normal() != path || path.begin()->string() == "..") std::abort();
            if (!entry.is_link()) continue;
            const auto to = (path.parent_path() / entry.target).lexically_normal();
            if (to.is_absolute() || to.begin()->string() == "..") std::abort();
        }
    }
    BundleReader whole;
    BundleReader cut;
    const auto at_once = whole.take(text).has_value();
    auto in_pieces = true;
    for (std::size_t at = 0; at < size && in_pieces; at += 7) in_pieces = cut.take(text.substr(at, 7)).has_value();
    if (at_once != in_pieces) std::abort();
    const auto blobs = whole.release();
    if (at_once && blobs != cut.release()) std::abort();
    for (const auto& blob : blobs) {
        if (sha256(blob.bytes) != blob.digest) std::abort();
    }
    return 0;
}
