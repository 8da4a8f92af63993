// transport/http/server/render.hpp: an answer's head as bytes.
#pragma once

#include "transport/http/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

/// `Sun, 06 Nov 1994 08:49:37 GMT`
[[nodiscard]] std::string http_date(std::int64_t epoch_s);

/// How the body of an answer is delimited.
enum class Framing : std::uint8_t {
    none = 1,        ///< 204 and 304: no body, no length.
    length = 2,      ///< Content-Length.
    chunked = 3,
    until_close = 4, ///< Unknown length to an HTTP/1.0 client.
};

struct HeadFacts {
    std::string_view date;
    std::string_view server_name;
    std::uint64_t request_id = 0;
    Framing framing = Framing::length;
    std::uint64_t length = 0;
    bool keep_alive = true;
    bool is_http_11 = true;
};

/// Appends status line and fields with the closing empty line.
void append_head(std::string& out, const Response& response, const HeadFacts& facts);

/// Wraps `payload` as one chunk; the empty payload must not be wrapped, it would end the body.
void wrap_chunk(std::string& payload, std::string& head);

constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace weir::http
