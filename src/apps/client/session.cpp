#include "apps/client/session.hpp"

#include "apps/client/format.hpp"
#include "apps/client/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace weir::cli {
namespace {

constexpr std::size_t page_max = 500;
constexpr std::int64_t longest_wait_s = 30;

/// What the server asked to wait before the same request may go better.
std::optional<Duration> asked_to_wait(const http::Answer& answer) {
    if (answer.status != 429 && answer.status != 503) return std::nullopt;
    const auto text = answer.headers.find("Retry-After");
    if (!text) return std::nullopt;
    std::int64_t wait_s = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), wait_s);
    if (error != std::errc{} || end != text->data() + text->size() || wait_s < 0 || wait_s > longest_wait_s) return std::nullopt;
    return seconds(wait_s);
}

bool is_broken(http::CallFault fault) { return fault == http::CallFault::timed_out || fault == http::CallFault::closed; }

}  // namespace

std::string target_of(std::string_view path, const Query& query) {
    std::string target{path};
    char before = path.find('?') == std::string_view::npos ? '?' : '&';
    for (const auto& [name, value] : query) {
        if (value.empty()) continue;
        target += fmt::format("{}{}={}", before, name, http::percent_encode(value));
        before = '&';
    }
    return target;
}

Result<Session, Failure> Session::open(Console& console, const Flags& flags) {
    const auto settings = WEIR_TRY(settings_of(console, flags));
    if (settings.token.empty()) {
        return fail(
            Failure{.exit = Exit::not_authorised,
                    .message = fmt::format("no token is known for {}; log in with: weir login, or set WEIR_TOKEN", settings.server),
                    .code = std::string{no_token}});
    }
    return open(console, settings, flags.json);
}

Result<Session, Failure> Session::open(Console& console, const Settings& settings, bool json) {
    auto servers = http::Servers::make(settings.server, [&settings](http::ClientOptions& options) {
        options.headers.emplace_back("Authorization", "Bearer " + settings.token);
    });
    if (servers) return Session{console, json, *std::move(servers)};
    return fail(usage(fmt::format("'{}' is no address of a server; write http://host or http://host:port, or at most {} of them between "
                                  "commas",
                                  settings.server, http::servers_max)));
}

Result<http::Answer, http::CallError> Session::ask_in_turn(const std::function<http::Call()>& call) {
    auto answer = client().call(call());
    for (std::size_t asked = 1; asked < servers_.count() && http::is_elsewhere(answer); ++asked) {
        servers_.next();
        answer = client().call(call());
    }
    return answer;
}

Result<http::Answer, Failure> Session::ask(const std::function<http::Call()>& call, bool changes) {
    const Progress progress{*console_, "waiting for " + server()};
    const bool has_others = servers_.count() > 1;
    const int attempts = has_others ? most_rounds : most_attempts;
    bool maybe_made = false;
    std::optional<Failure> failure;
    auto delay = first_delay;
    for (int attempt = 1; attempt <= attempts; ++attempt) {
        auto answer = ask_in_turn(call);
        auto wait = delay;
        if (answer) {
            if (answer->ok()) return std::move(*answer);
            failure = failure_of(*answer, changes);
            const auto asked = asked_to_wait(*answer);
            if (asked && http::is_elsewhere(answer)) servers_.next();
            const bool unsure = failure->exit == Exit::unknown_outcome;
            if (!asked && !unsure) break;  // A clear answer, also to what was sent before: the server knew it again.
            maybe_made = maybe_made || unsure;
            if (asked) wait = *asked;
        } else {
            failure = failure_of(answer.error(), server(), changes);
            maybe_made = maybe_made || failure->exit == Exit::unknown_outcome;
            // Where nobody listens it is of no use to knock again, unless the server went away under our hands, or another may take over.
            if (!is_broken(answer.error().fault) && !maybe_made && !has_others) break;
            servers_.next();
        }
        if (attempt < attempts) console_->sleep(wait);
        delay = delay * 2;
    }
    if (maybe_made && failure->exit == Exit::unreachable) failure->exit = Exit::unknown_outcome;
    return fail(*std::move(failure));
}

namespace {

Result<Reply, Failure> reply_of(http::Answer answer, bool changes) {
    auto value = codec::read_json(answer.body, {.max_bytes = std::size_t{64} << 20U, .max_depth = 64, .max_nodes = 4'000'000});
    if (!value)
        return fail(
            Failure{.exit = changes ? Exit::unknown_outcome : Exit::refused,
                    .message = fmt::format("the answer is no JSON: {}; is it a Weir server of this release?", value.error().message)});
    return Reply{std::move(answer.body), std::move(*value)};
}

}  // namespace

Result<Reply, Failure> Session::get(std::string target) {
    auto answer = WEIR_TRY(ask(
        [&target] {
            http::Call call;
            call.target = target;
            return call;
        },
        false));
    return reply_of(std::move(answer), false);
}

Result<Reply, Failure> Session::change(http::Method method, std::string target, std::string body, bool id_in_body) {
    const auto key = format_uid(console_->new_uid());
    auto answer = WEIR_TRY(ask(
        [&] {
            http::Call call;
            call.method = method;
            call.target = target;
            call.body = body;
            if (!body.empty()) call.content_type = "application/json";
            if (!id_in_body) call.headers.emplace_back("Idempotency-Key", key);
            return call;
        },
        true));
    return reply_of(std::move(answer), true);
}

bool Session::printed(const Reply& reply) {
    if (!json_) return false;
    console_->out << reply.text << (reply.text.ends_with('\n') ? "" : "\n") << std::flush;
    return true;
}

Result<bool, Failure> PageWalk::go_on(const Reply& page) {
    cursor_ = text_of(page.value, "next_cursor");
    if (cursor_.empty() || seen_.insert(cursor_).second) return !cursor_.empty();
    return fail(Failure{.exit = Exit::refused,
                        .message = "the server says that the next page of the list is one that it gave already, so the list has no end; "
                                   "is it a Weir server of this release?"});
}

Done each_item(Session& session, std::string_view path, Query query, std::size_t most,
               const std::function<void(const codec::Value&)>& take, JsonLines lines) {
    std::size_t left = most;
    PageWalk pages;
    bool more = true;
    while (more && left > 0) {
        auto page_query = query;
        page_query.emplace_back("limit", std::to_string(std::min(left, page_max)));
        page_query.emplace_back("cursor", pages.cursor());
        const auto page = WEIR_TRY(session.get(target_of(path, page_query)));
        const auto& items = items_of(page.value, "items");
        if (lines == JsonLines::items || !session.printed(page)) {
            for (const auto& item : items) take(item);
        }
        left -= std::min(left, items.size());
        more = WEIR_TRY(pages.go_on(page));
    }
    if (more && session.console().talks)
        session.console().err << fmt::format("there are more than {}; ask for them with --limit\n", most);
    return {};
}

}  // namespace weir::cli
