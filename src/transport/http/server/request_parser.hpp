// transport/http/server/request_parser.hpp: bytes to requests, on Beast's parser.
//
// Beast knows the grammar; this file adds our limits and refuses what two readers could take differently
// (two lengths, an unknown transfer coding, a missing or second Host).
#pragma once

#include "transport/http/headers.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

struct RequestHead {
    std::string method;
    std::string target;
    Headers headers;
    bool is_http_11 = true;
    bool keep_alive = true;
    bool chunked = false;
    bool has_body = false;
    std::optional<std::uint64_t> content_length;
};

/// Why bytes are not a request.
enum class ParseFault : std::uint8_t {
    target_too_long = 1,
    header_too_large = 2,
    too_many_fields = 3,
    unknown_version = 4,
    unknown_transfer_coding = 5,
    bad_host = 6,            ///< HTTP/1.1 needs exactly one Host.
    malformed = 7,           ///< RequestParser::detail() says where.
    refused_by_taker = 8,
};

/// Receives the body in pieces, the framing of chunks removed.
class PieceTaker {
public:
    PieceTaker() = default;
    PieceTaker(const PieceTaker&) = delete;
    PieceTaker& operator=(const PieceTaker&) = delete;
    virtual ~PieceTaker() = default;
    /// False: no more of it.
    virtual bool take_piece(std::string_view piece) = 0;
};

class RequestParser {
public:
    struct Limits {
        std::size_t header_bytes = 0;
        std::size_t header_fields = 0;
        std::size_t target_bytes = 0;
    };
    enum class Step : std::uint8_t { need_more = 1, complete = 2, failed = 3 };
    struct Advance {
        std::size_t consumed = 0;
        Step step = Step::need_more;
    };

    explicit RequestParser(Limits limits);
    ~RequestParser();
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;

    /// Ready for the next request.
    void restart();
    /// Reads on in the head; `input` starts where the last call stopped consuming.
    Advance read_head(std::string_view input);
    /// Reads on in the body, after the head is complete and where it says there is one.
    Advance read_body(std::string_view input, PieceTaker& taker);

    [[nodiscard]] RequestHead& head();
    [[nodiscard]] ParseFault fault() const;
    /// What is wrong, in Beast's words.
    [[nodiscard]] const std::string& detail() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
