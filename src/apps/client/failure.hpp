// apps/client/failure.hpp: why a command did not do what was asked, and the exit code that says so to scripts.
//
// The exit codes are documented in docs/reference/cli.md and do not change their meaning.
#pragma once

#include "base/result.hpp"
#include "codec/decode.hpp"
#include "transport/http/client/client.hpp"

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

enum class Exit : std::uint8_t {
    ok = 0,
    refused = 1,         ///< The server understood and said no.
    usage = 2,           ///< Wrong arguments, or a file that cannot be used; nothing was sent.
    unreachable = 3,     ///< No answer from the server, and nothing was changed.
    not_authorised = 4,  ///< No token, or one that does not allow this.
    not_found = 5,
    unknown_outcome = 6,  ///< The change may have been made: repeat it with the same id.
    job_failed = 10,      ///< submit --wait: the job failed or was cancelled.
    end_not_seen = 11,    ///< submit --wait: the job was submitted, and nobody here saw how it ended.
    not_told = 12,        ///< It was done, and what there is to say of it could not be written.
};

/// One thing that is wrong with what was sent.
struct Flaw {
    std::string field;
    std::string message;
};

struct Failure {
    Exit exit = Exit::refused;
    std::string message;
    std::string field{};   ///< Of the request, where the server named one.
    std::string clause{};  ///< Of a programme, where one decided.
    std::string code{};    ///< The server's word for the case.
    std::vector<Flaw> flaws{};  ///< Where the server named them one by one; the message has all of them in one line.
};

/// Failure::code where this program knows no token for the server.
inline constexpr std::string_view no_token = "no_token";

using Done = Result<void, Failure>;

[[nodiscard]] inline Failure usage(std::string message) { return {.exit = Exit::usage, .message = std::move(message)}; }

/// Of an answer that is not 2xx. A change whose server broke down on the way has an unknown outcome.
[[nodiscard]] Failure failure_of(const http::Answer& answer, bool changes);
/// Of a call without an answer.
[[nodiscard]] Failure failure_of(const http::CallError& error, std::string_view server, bool changes);
/// Of a document that cannot be used.
[[nodiscard]] Failure failure_of(const codec::Problems& problems);

/// The failure for people: what, where, and what to do.
void print(const Failure& failure, std::ostream& to);

}  // namespace weir::cli
