// transport/site_link/http_server_link.hpp: the agent link over HTTP, as the agent speaks it.
//
//     POST /v1/sites/{site}/report                     a SiteReport; answered by a ReportAnswer
//     GET  /v1/sites/{site}/desired?since=N&wait_s=S   answered by a DesiredPage, once there is news since N or after S seconds;
//                                  ...&after=JOB       the next page of a list from the start
//
// Each message names the protocol that this agent speaks, in the header Weir-Agent-Protocol. A server that does not speak it is spoken to
// in the one before, down to the lowest that this agent knows, without the words that came later; once it cannot be reached, as while it
// is brought up to date, the newest is tried again.
// Reports and questions have a connection each, so that a waiting question delays no report. Of several servers each is asked in turn until
// one leads; where a connection breaks the next message goes to the next one.
#pragma once

#include "ports/server_link.hpp"
#include "transport/http/client/servers.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace weir::site_link {

struct HttpServerLinkOptions {
    std::string url;  ///< `http://host:port`, or several of them between commas.
    SiteName site;
    /// Tells the agent's bearer token; asked at the start and after each 401, for it may have been exchanged. Called from two threads, one
    /// at a time.
    std::function<std::string()> token;
    Duration connect_within = seconds(3);
    Duration answer_within = seconds(10);  ///< Of a report; a question may take its `wait` more.
};

class HttpServerLink final : public ports::ServerLink {
public:
    /// None where a URL is not `http://host[:port]`, or there are more than http::servers_max.
    [[nodiscard]] static std::optional<std::unique_ptr<HttpServerLink>> make(HttpServerLinkOptions options);

    [[nodiscard]] Result<ReportAnswer, ports::LinkError> post_report(const SiteReport& report) override;
    [[nodiscard]] Result<DesiredPage, ports::LinkError> get_desired(const DesiredQuestion& question, Seconds wait) override;
    void interrupt() override;

private:
    HttpServerLink(HttpServerLinkOptions options, http::Servers reports, http::Servers questions);
    /// Makes a call in the words of a protocol.
    using MakeCall = std::function<http::Call(std::uint32_t protocol)>;
    /// Of the server that leads, if one does.
    [[nodiscard]] Result<http::Answer, http::CallError> ask(http::Servers& servers, const MakeCall& make);
    /// In the newest protocol that the server speaks.
    [[nodiscard]] Result<http::Answer, http::CallError> ask_one(http::Client& client, const MakeCall& make);
    /// Once more where the token was exchanged meanwhile.
    [[nodiscard]] Result<http::Answer, http::CallError> ask_in(std::uint32_t protocol, http::Client& client, const MakeCall& make);
    [[nodiscard]] std::string current_token();

    HttpServerLinkOptions options_;
    std::atomic<std::uint32_t> spoken_ = agent_protocol::newest;
    std::mutex mutex_;
    std::string token_;
    http::Servers reports_;
    http::Servers questions_;
};

/// What an answer that is not 2xx means to the agent: by the problem's code where it has one, by its status otherwise.
[[nodiscard]] ports::LinkError link_error_of(int status, std::string_view body);

}  // namespace weir::site_link
