// Fuzzes what is read back from a journal: no text crashes the reader, and what it takes it writes as an equal entry.
#include "control/entry.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto entry = weir::control::read_entry({reinterpret_cast<const char*>(data), size});
    if (!entry) return 0;
    std::string text;
    weir::control::write_entry(*entry, text);
    const auto again = weir::control::read_entry(text);
    std::string same;
    if (!again) std::abort();
    weir::control::write_entry(*again, same);
    if (same != text) std::abort();
    return 0;
}
