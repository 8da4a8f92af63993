#include "transport/site_link/http_server_link.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <fmt/core.h>

#include <utility>

namespace weir::site_link {
namespace {

using ports::LinkError;
using ports::LinkFault;

constexpr std::string_view stale_type = "urn:weir:problem:stale_sequence";
constexpr std::string_view protocol_type = "urn:weir:problem:agent_protocol";
constexpr std::uint32_t lowest_spoken = agent_protocol::deltas;

LinkError error_of_call(const http::CallError& error) {
    const bool interrupted = error.fault == http::CallFault::interrupted;
    const bool nonsense = error.fault == http::CallFault::protocol || error.fault == http::CallFault::too_large;
    const auto fault = interrupted ? LinkFault::interrupted : nonsense ? LinkFault::bad_answer : LinkFault::unreachable;
    return {.fault = fault, .message = error.message};
}

/// A member of a problem document that is text; empty where there is none.
std::string member_of(std::string_view body, std::string_view name) {
    const auto document = codec::read_json(body);
    if (!document) return {};
    const auto* members = document->object();
    if (members == nullptr) return {};
    for (const auto& member : *members) {
        if (member.key == name && member.value.string() != nullptr) return *member.value.string();
    }
    return {};
}

template <class T>
Result<T, LinkError> read_answer(Result<http::Answer, http::CallError> answer, std::string_view asked) {
    if (!answer) return fail(error_of_call(answer.error()));
    if (!answer->ok()) return fail(link_error_of(answer->status, answer->body));
    auto decoded = codec::decode_json<T>(answer->body, asked);
    if (!decoded) return fail(LinkError{LinkFault::bad_answer, codec::describe(decoded.error())});
    return std::move(*decoded);
}

/// What servers below protocol 4 do not know.
SiteReport without_newer_words(SiteReport report) {
    for (auto& task : report.tasks) task.ago_ms.reset();
    report.prepared.reset();
    return report;
}

}  // namespace

LinkError link_error_of(int status, std::string_view body) {
    const auto type = member_of(body, "type");
    auto detail = member_of(body, "detail");
    auto message = fmt::format("the server answered {}{}{}", status, detail.empty() ? "" : ": ", detail);
    if (status == 401) message += "; put one that is in force into the token's file: it is read again";
    if (type == stale_type) return {.fault = LinkFault::stale_sequence, .message = std::move(message)};
    // Who is not let in is not told that what it says is wrong.
    const bool later = status == 401 || status == 403 || status == 408 || status == 429 || status >= 500;
    return {.fault = later ? LinkFault::busy : LinkFault::refused, .message = std::move(message)};
}

HttpServerLink::HttpServerLink(HttpServerLinkOptions options, http::Servers reports, http::Servers questions)
    : options_{std::move(options)}, token_{options_.token()}, reports_{std::move(reports)}, questions_{std::move(questions)} {}

Result<http::Answer, http::CallError> HttpServerLink::ask(http::Servers& servers, const MakeCall& make) {
    auto answer = ask_one(servers.client(), make);
    for (std::size_t asked = 1; asked < servers.count() && http::is_elsewhere(answer); ++asked) {
        servers.next();
        answer = ask_one(servers.client(), make);
    }
    // One that takes connections and does not answer may have been frozen as a leader.
    const bool broke = !answer && answer.error().fault != http::CallFault::interrupted;
    if (broke || http::is_elsewhere(answer)) servers.next();
    return answer;
}

Result<http::Answer, http::CallError> HttpServerLink::ask_one(http::Client& client, const MakeCall& make) {
    for (auto protocol = spoken_.load();; --protocol) {
        auto answer = ask_in(protocol, client, make);
        const bool is_unknown = answer && answer->status == 400 && member_of(answer->body, "type") == protocol_type;
        if (!answer || answer->status >= 500 || (is_unknown && protocol <= lowest_spoken)) spoken_ = agent_protocol::newest;
        if (!is_unknown || protocol <= lowest_spoken) return answer;
        spoken_ = protocol - 1;
    }
}

Result<http::Answer, http::CallError> HttpServerLink::ask_in(std::uint32_t protocol, http::Client& client, const MakeCall& make) {
    const auto with_token = [&](const std::string& token) {
        auto call = make(protocol);
        call.headers.emplace_back(agent_protocol::header, std::to_string(protocol));
        call.headers.emplace_back("Authorization", "Bearer " + token);
        return client.call(std::move(call));
    };
    const auto first = current_token();
    auto answer = with_token(first);
    if (!answer || answer->status != 401) return answer;
    {
        const std::lock_guard lock{mutex_};
        token_ = options_.token();
    }
    const auto again = current_token();
    return again == first ? std::move(answer) : with_token(again);
}

std::string HttpServerLink::current_token() {
    const std::lock_guard lock{mutex_};
    return token_;
}

std::optional<std::unique_ptr<HttpServerLink>> HttpServerLink::make(HttpServerLinkOptions options) {
    const auto fit = [&options](http::ClientOptions& client) {
        client.connect_within = options.connect_within;
        client.answer_within = options.answer_within;
        client.headers.emplace_back("Accept", "application/json");
    };
    auto reports = http::Servers::make(options.url, fit);
    auto questions = http::Servers::make(options.url, fit);
    if (!reports || !questions) return std::nullopt;
    return std::unique_ptr<HttpServerLink>(new HttpServerLink{std::move(options), *std::move(reports), *std::move(questions)});
}

Result<ReportAnswer, LinkError> HttpServerLink::post_report(const SiteReport& report) {
    const auto make = [&](std::uint32_t protocol) {
        http::Call call;
        call.method = http::Method::post;
        call.target = fmt::format("/v1/sites/{}/report", http::percent_encode(options_.site.text()));
        call.content_type = "application/json";
        call.body = codec::to_json(protocol < agent_protocol::prepares ? without_newer_words(report) : report);
        return call;
    };
    return read_answer<ReportAnswer>(ask(reports_, make), "the answer to a report");
}

Result<DesiredPage, LinkError> HttpServerLink::get_desired(const DesiredQuestion& question, Seconds wait) {
    const auto make = [&](std::uint32_t protocol) {
        http::Call call;
        call.target =
            fmt::format("/v1/sites/{}/desired?since={}&wait_s={}", http::percent_encode(options_.site.text()), question.since, wait.value);
        if (!question.session.empty() && protocol >= agent_protocol::names_session)
            call.target += "&session=" + http::percent_encode(question.session);
        if (question.after) call.target += "&after=" + http::percent_encode(question.after->text());
        call.within = options_.answer_within + seconds(wait.value);
        return call;
    };
    return read_answer<DesiredPage>(ask(questions_, make), "what should run");
}

void HttpServerLink::interrupt() {
    reports_.interrupt();
    questions_.interrupt();
}

}  // namespace weir::site_link
