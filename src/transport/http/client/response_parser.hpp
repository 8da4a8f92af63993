// transport/http/client/response_parser.hpp: bytes to answers, on Beast's parser.
#pragma once

#include "transport/http/headers.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir::http {

class ResponseParser {
public:
    /// Receives the answer; false: no more of it.
    class Taker {
    public:
        Taker() = default;
        Taker(const Taker&) = delete;
        Taker& operator=(const Taker&) = delete;
        virtual ~Taker() = default;
        virtual bool take_head(int status, Headers headers) = 0;
        virtual bool take_piece(std::string_view piece) = 0;
    };
    enum class Step : std::uint8_t { need_more = 1, complete = 2, stopped = 3, failed = 4 };

    /// `head_only`: the answer to HEAD, which has a length and no body.
    ResponseParser(Taker& taker, bool head_only);
    ~ResponseParser();
    ResponseParser(const ResponseParser&) = delete;
    ResponseParser& operator=(const ResponseParser&) = delete;

    /// Takes the bytes at the front of `input`, removes what is read from it. 1xx answers are passed over.
    Step feed(std::string_view& input);
    /// The connection has ended: complete for a body without length, failed otherwise.
    Step end();
    [[nodiscard]] bool keep_alive() const;
    [[nodiscard]] const std::string& detail() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
