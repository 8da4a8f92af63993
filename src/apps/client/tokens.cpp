// Logging in, and the tokens that it needs.
#include "apps/client/moment.hpp"
#include "apps/client/object.hpp"
#include "apps/client/send.hpp"
#include "domain/names.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

using http::Method;
using http::percent_encode;

/// Empty: never.
Result<std::string, Failure> expiry_of(const Console& console, const std::string& text) {
    return text.empty() ? std::string{} : moment_of(console, "--expires", text, "the token does not end by itself");
}

/// The secret alone to stdout, so that it can go into a pipe; or the secret to a file, and the token's id to stdout.
Done hand_over(Session& session, const TokenAsk& ask, const Reply& reply) {
    auto& console = session.console();
    const auto* secret = reply.value.find("secret");
    if (secret == nullptr || secret->is_null()) {
        return fail(Failure{
            .exit = Exit::unknown_outcome,
            .message =
                fmt::format("{} was made, but the answer with its secret was lost; end it with: weir token revoke {}, and issue another",
                            text_of(reply.value, "id"), text_of(reply.value, "id"))});
    }
    const auto id = text_of(reply.value, "id");
    if (ask.to.empty()) {
        if (!session.printed(reply)) console.out << text_of(*secret) << '\n';
        if (console.talks) console.err << fmt::format("token {}; its secret is shown this once\n", id);
        return {};
    }
    if (auto wrong = write_private_file(ask.to, text_of(*secret) + "\n")) {
        return fail(Failure{.exit = Exit::unknown_outcome,
                            .message = fmt::format("{}: {} was made and its secret is lost; end it with: weir token revoke {}, and issue "
                                                   "another",
                                                   *wrong, id, id)});
    }
    console.out << (session.json() ? Object{}.text("id", id).text("secret_file", ask.to).json() : fmt::format("token {}", id)) << '\n';
    if (console.talks) console.err << fmt::format("the secret is in {}, readable by you alone\n", ask.to);
    return {};
}

std::string prompted(Console& console, std::string_view question, bool hidden) {
    if (console.asks) console.err << question << std::flush;
    std::string line;
    if (hidden && console.asks) {
        line = console.hidden_line();
        console.err << '\n';
    } else {
        std::getline(console.in, line);
    }
    return line;
}

}  // namespace

Done login(Console& console, const Flags& flags) {
    const auto known = WEIR_TRY(read_config(console));
    Settings settings{flags.server, {}};
    if (settings.server.empty()) settings.server = console.environment("WEIR_SERVER").value_or("");
    if (settings.server.empty()) {
        const auto proposal = known.server.value_or(usual_server);
        if (console.asks) settings.server = prompted(console, fmt::format("server [{}]: ", proposal), false);
        if (settings.server.empty()) settings.server = proposal;
    }
    if (!flags.token_file.empty()) {
        settings.token = WEIR_TRY(read_token(console, flags.token_file));
    } else if (console.asks) {
        settings.token = prompted(console, "token (not shown): ", true);
    } else {
        settings.token = WEIR_TRY(read_token(console, "-"));
    }
    if (settings.token.empty())
        return fail(usage("no token was given; ask your project's owner for one, who makes it with: weir token issue"));
    auto session = WEIR_TRY(Session::open(console, settings, flags.json));
    const auto reply = WEIR_TRY(session.get("/v1/whoami"));
    const auto path = WEIR_TRY(save_config(console, {settings.server, settings.token}));
    if (!session.printed(reply))
        console.out << fmt::format("{} at {}; stored in {}\n", text_of(reply.value, "actor"), settings.server, path);
    return {};
}

Done issue_token(Session& session, const TokenAsk& ask) {
    const auto expires_at = WEIR_TRY(expiry_of(session.console(), ask.expires));
    // Before anything is made: a secret that cannot be kept is lost.
    if (!ask.to.empty()) {
        if (auto wrong = private_file_fault(ask.to)) return fail(usage(*std::move(wrong)));
    }
    const auto id = TokenId{session.console().new_uid()}.text();
    auto body = Object{}.text("id", id).text("expires_at", expires_at);
    auto target = fmt::format("/v1/sites/{}/agent-token", percent_encode(ask.site));
    if (ask.site.empty()) {
        target = "/v1/tokens";
        body = std::move(body).text("subject", ask.subject).list("scopes", ask.scopes);
    }
    auto reply = session.change(Method::post, std::move(target), std::move(body).json(), true);
    if (reply) return hand_over(session, ask, *reply);
    // Its secret is shown once, and was not: to repeat would leave a token in force that nobody has.
    if (reply.error().exit == Exit::unknown_outcome)
        reply.error().message += fmt::format("; a token may have been made whose secret is lost: end it with: weir token revoke {}, then "
                                             "issue another", id);
    return fail(std::move(reply).error());
}

Done list_tokens(Session& session, const TokenListAsk& ask) {
    auto& console = session.console();
    Table table{{{"ID"},
                 {.title = "SUBJECT", .rank = 2, .least = 8, .keeps_end = true},
                 {.title = "SITE", .rank = 3, .least = 8, .keeps_end = true},
                 {.title = "SCOPES", .rank = 4, .least = 8, .wraps = true, .stays = true},
                 {.title = "ISSUED", .rank = 6},
                 {.title = "EXPIRES", .rank = 5}}};
    auto wanted = ask.query();
    wanted.emplace_back("all", ask.all ? "true" : "");
    auto listed = each_item(session, "/v1/tokens", wanted, ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "id"), text_of(one, "subject"), text_of(one, "site"), text_of(one, "scopes"),
                   time_of(console, one, "issued_at"), day_of(console, one, "expires_at")});
    });
    // The server asks for the right to issue them, and says so.
    if (!listed && ask.all && listed.error().code == "forbidden")
        listed.error().message =
            "everybody's tokens are listed for the network role operator alone, with a token that lets it issue others; "
            "list your own with: weir token list";
    WEIR_CHECK(listed);
    print(session, table);
    return {};
}

Done revoke_token(Session& session, const OneAsk& ask) {
    return send(session, Method::del, "/v1/tokens/" + percent_encode(ask.name), {}, "revoked");
}

}  // namespace weir::cli
