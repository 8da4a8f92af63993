// An event stream means the same however it is cut, and what was read survives being printed and read again.
#include "transport/http/sse.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace weir::http;

void require(bool holds) {
    if (!holds) std::abort();
}

struct Reading {
    std::vector<Event> events;
    bool ok = true;
    std::string last_id;
    friend bool operator==(const Reading&, const Reading&) = default;
};

Reading read(std::string_view text, std::size_t piece) {
    constexpr std::size_t most = 256;
    EventParser parser{most};
    Reading reading;
    while (!text.empty() && reading.ok) {
        const std::string_view part = text.substr(0, piece);
        text.remove_prefix(part.size());
        reading.ok = parser.feed(part).has_value();
        while (auto event = parser.next()) reading.events.push_back(std::move(*event));
    }
    reading.last_id = parser.last_id();
    return reading;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    const Reading whole = read(text, std::max<std::size_t>(text.size(), 1));
    require(read(text, 1 + data[0] % 16) == whole);
    std::string printed;
    for (const Event& event : whole.events) append_event(printed, event);
    const Reading again = read(printed, 7);
    if (!again.ok) return 0;
    require(again.events.size() == whole.events.size());
    for (std::size_t i = 0; i < again.events.size(); ++i) {
        require(again.events[i].data == whole.events[i].data && again.events[i].name == whole.events[i].name);
    }
    return 0;
}
