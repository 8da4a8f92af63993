// adapters/site_slurm/http.hpp: one question to slurmrestd, over a unix socket or the loopback.
//
// It answers one question: what did that server say? What the words mean is rest.hpp's.
//
// One connection for each question, closed after it: slurmrestd is local, vanishes at times (it ends itself on some bad requests) and
// must be as good as new at the next question. Nothing leaves this host: a token is never sent over a network in clear.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::site_slurm {

struct HttpAddress {
    std::string path{};      ///< Of a unix socket; empty: the port.
    std::uint16_t port = 0;  ///< Of 127.0.0.1.
    friend bool operator==(const HttpAddress&, const HttpAddress&) = default;
};

/// `unix:/path`, or `http://127.0.0.1:PORT`; or why not.
[[nodiscard]] Result<HttpAddress, std::string> parse_address(std::string_view text);

struct HttpQuestion {
    std::string method = "GET";
    std::string target{};  ///< Such as /slurm/v0.0.38/nodes.
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};    ///< JSON; empty: none.
};

struct HttpAnswer {
    int status = 0;
    std::string body{};
};

struct HttpLimits {
    int deadline_ms = 10'000;             ///< For all of it.
    std::size_t bytes_max = 64U << 20U;   ///< Of an answer: some twenty thousand jobs.
};

/// Or what could not be done.
[[nodiscard]] Result<HttpAnswer, std::string> ask(const HttpAddress& address, const HttpQuestion& question, const HttpLimits& limits);

/// A whole answer as it was received until the end of the connection; or what is wrong with it.
[[nodiscard]] Result<HttpAnswer, std::string> parse_answer(std::string_view text);

}  // namespace weir::site_slurm
