// Requests mean the same however the network cuts them: whatever is read in one piece is read byte by byte too.
#include "transport/http/server/request_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace weir::http;

void require(bool holds) {
    if (!holds) std::abort();
}

class Collect final : public PieceTaker {
public:
    bool take_piece(std::string_view piece) override {
        body += piece;
        return body.size() <= 200;
    }
    std::string body;
};

/// Reads one request from a buffer that grows by `piece` bytes, as a connection does; what it came to, as text.
std::string read(std::string_view input, std::size_t piece) {
    RequestParser parser{{.header_bytes = 512, .header_fields = 6, .target_bytes = 64}};
    Collect body;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool in_body = false;
    while (true) {
        const std::string_view buffered = input.substr(begin, end - begin);
        const auto step = in_body ? parser.read_body(buffered, body) : parser.read_head(buffered);
        require(step.consumed <= buffered.size());
        begin += step.consumed;
        if (step.step == RequestParser::Step::failed) return "refused";
        if (step.step == RequestParser::Step::complete) {
            if (!in_body && parser.head().has_body) {
                in_body = true;
                continue;
            }
            break;
        }
        if (end == input.size()) return "unfinished";
        end = std::min(end + piece, input.size());
    }
    const RequestHead& head = parser.head();
    std::string text = head.method + " " + head.target + (head.is_http_11 ? " 1.1" : " 1.0") + (head.keep_alive ? " kept" : " closed");
    for (std::size_t i = 0; i < head.headers.size(); ++i)
        text.append("\n").append(head.headers[i].name).append(":").append(head.headers[i].value);
    return text + "\n\n" + body.body + "\n" + std::to_string(begin);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input{reinterpret_cast<const char*>(data), size};
    if (input.empty()) return 0;
    const std::string whole = read(input, input.size());
    const std::string bytes = read(input, 1);
    require(whole == bytes || whole == "refused" || bytes == "refused");
    // A refusal may come earlier byte by byte (or the other way round), but never a different request.
    return 0;
}
