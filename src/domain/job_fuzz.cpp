// Fuzzes job files: YAML and JSON either become a spec or are refused; a spec is checked without harm and survives its text.
#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "domain/limits.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    for (const bool yaml : {true, false}) {
        const auto spec = yaml ? codec::decode_yaml<JobSpec>(text, "job") : codec::decode_json<JobSpec>(text, "job");
        if (!spec) continue;
        (void)flaws(*spec, Catalogue{});
        const auto again = codec::decode_json<JobSpec>(codec::to_json(*spec), "again");
        if (!again || *again != *spec) std::abort();
    }
    return 0;
}
