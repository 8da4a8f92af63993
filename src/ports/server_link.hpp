// ports/server_link.hpp: the network as a site's agent reaches it: one place to report to, one that says what should run.
//
// It answers one question: how do these two messages travel? What they say is domain/agent_link.hpp's, and what follows from them
// the agent's business. Every message may be lost, repeated or late.
#pragma once

#include "base/quantity.hpp"
#include "base/result.hpp"
#include "domain/agent_link.hpp"
#include "domain/desired_list.hpp"

#include <cstdint>
#include <string>

namespace weir::ports {

/// In descending precedence. Values reach metrics.
enum class LinkFault : std::uint8_t {
    stale_sequence = 1,  ///< The server does not know this session or sequence as the next: begin a new session. Of a question: a later
                         ///< session speaks for the site.
    refused = 2,         ///< The server will not take this message: its reason is for the operator.
    busy = 3,            ///< The server asks to come back later.
    bad_answer = 4,      ///< What came back is no answer to this message: another server, or another version.
    unreachable = 5,     ///< No answer. The message may have arrived.
    interrupted = 6,     ///< interrupt() was called.
};

struct LinkError {
    LinkFault fault{};
    std::string message;
};

/// post_report() and get_desired() may be called by two threads at once, each by one thread at a time.
class ServerLink {
public:
    ServerLink() = default;
    ServerLink(const ServerLink&) = delete;
    ServerLink& operator=(const ServerLink&) = delete;
    virtual ~ServerLink() = default;

    [[nodiscard]] virtual Result<ReportAnswer, LinkError> post_report(const SiteReport& report) = 0;
    /// A page of what should run: once there is news since the question's revision, or after `wait`; a `wait` of 0 answers at once.
    /// An answer that comes after the call has ended is never given to a later one.
    [[nodiscard]] virtual Result<DesiredPage, LinkError> get_desired(const DesiredQuestion& question, Seconds wait) = 0;
    /// From any thread: the calls under way and all later ones end with LinkFault::interrupted.
    virtual void interrupt() = 0;
};

}  // namespace weir::ports
