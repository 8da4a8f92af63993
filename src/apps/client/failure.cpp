#include "apps/client/failure.hpp"

#include "apps/client/format.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

Exit exit_of(int status, bool changes) {
    if (status == 401 || status == 403) return Exit::not_authorised;
    if (status == 404) return Exit::not_found;
    if (status == 503) return Exit::unreachable;
    if (status >= 500 && changes) return Exit::unknown_outcome;
    return Exit::refused;
}

std::string member(const codec::Value& document, std::string_view name) {
    const auto* value = document.find(name);
    const auto* text = value != nullptr ? value->string() : nullptr;
    return text != nullptr ? *text : std::string{};
}

/// `urn:weir:problem:unknown_project` names the case `unknown_project`.
std::string code_of(const codec::Value& document) {
    const auto type = member(document, "type");
    return type.substr(type.rfind(':') + 1);
}

}  // namespace

Failure failure_of(const http::Answer& answer, bool changes) {
    Failure failure{.exit = exit_of(answer.status, changes), .message = {}};
    if (const auto document = codec::read_json(answer.body)) {
        failure.message = member(*document, "detail");
        if (failure.message.empty()) failure.message = member(*document, "title");
        failure.field = member(*document, "field");
        failure.clause = member(*document, "clause");
        failure.code = code_of(*document);
        // It did answer, and the same question has the same answer in a moment.
        if (failure.code == "log_unavailable" || failure.code == "no_log_source") failure.exit = Exit::refused;
        for (const auto& one : items_of(*document, "problems")) failure.flaws.push_back({member(one, "field"), member(one, "message")});
    }
    if (failure.message.empty()) {
        failure.message = fmt::format("the server answered {} {} without a reason; is it a Weir server?", answer.status,
                                      http::reason_phrase(answer.status));
    }
    return failure;
}

Failure failure_of(const http::CallError& error, std::string_view server, bool changes) {
    const bool unknown = changes && error.maybe_sent;
    return {.exit = unknown ? Exit::unknown_outcome : Exit::unreachable,
            .message = fmt::format("no answer from {} ({})", server, error.message)};
}

Failure failure_of(const codec::Problems& problems) {
    std::string lines;
    for (const auto& problem : problems) lines += (lines.empty() ? "" : "\n") + codec::describe(problem);
    return usage(std::move(lines));
}

void print(const Failure& failure, std::ostream& to) {
    to << "weir: " << visible(failure.message, true) << '\n';
    // What was not found, or what the message begins with, need not be said again.
    const bool is_said = failure.exit == Exit::not_found || failure.message.find(failure.field + ":") != std::string::npos;
    if (!failure.field.empty() && !is_said) to << "  field: " << visible(failure.field) << '\n';
    if (!failure.clause.empty()) to << "  clause: " << visible(failure.clause) << '\n';
    switch (failure.exit) {
        case Exit::unreachable:
            if (!failure.code.empty()) break;  // It did answer.
            to << "  see that the server runs and that nothing is between; choose another with --server, WEIR_SERVER or weir login\n";
            break;
        case Exit::not_authorised:
            if (failure.code == no_token) break;
            to << (failure.code == "unauthenticated"
                       ? "  use a token that is in force with: weir login, --token-file or WEIR_TOKEN\n"
                       : "  see what your token allows with: weir whoami; use another one with: weir login\n");
            break;
        case Exit::unknown_outcome: to << "  the change may have been made; look before you make it again\n"; break;
        case Exit::ok:
        case Exit::refused:
        case Exit::usage:
        case Exit::not_found:
        case Exit::job_failed:
        case Exit::end_not_seen:
        case Exit::not_told: break;
    }
}

}  // namespace weir::cli
