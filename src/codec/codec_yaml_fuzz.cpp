// Any bytes as YAML: what is accepted is a tree that JSON can carry, and is decoded or refused with a reason.
#include "codec/sample.hpp"

#include <cstddef>
#include <cstdint>

namespace {

void must(bool truth) {
    if (!truth) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::codec;
    using sample::Everything;
    const auto tree = read_yaml({reinterpret_cast<const char*>(data), size}, {.max_nodes = 10'000});
    if (!tree) {
        must(!tree.error().message.empty() && tree.error().line > 0);
        return 0;
    }
    std::string text;
    write_json(*tree, text);
    must(read_json(text).value() == *tree);
    const auto value = decode<Everything>(*tree, "input");
    if (value) {
        must(decode_json<Everything>(to_json(*value), "again").value() == *value);
    } else {
        must(!value.error().empty());
    }
    return 0;
}
