// Any bytes as JSON and as the binary form: what is accepted is written again to an equal value.
#include "codec/binary.hpp"
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
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};

    if (const auto tree = read_json(bytes)) {
        std::string text;
        write_json(*tree, text);
        must(read_json(text).value() == *tree);
        if (const auto value = decode<Everything>(*tree, "input")) {
            must(decode_json<Everything>(to_json(*value), "again").value() == *value);
            std::string binary;
            write_binary(*value, binary);
            must(read_binary<Everything>(binary).value() == *value);
        }
    }
    if (const auto value = read_binary<Everything>(bytes)) {
        std::string binary;
        write_binary(*value, binary);
        must(read_binary<Everything>(binary).has_value());
    }
    return 0;
}
