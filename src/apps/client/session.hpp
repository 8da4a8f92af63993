// apps/client/session.hpp: asks the server of the settings, and asks again where that can do no harm.
//
// A question is repeated after a broken connection. A change is repeated only under the same idempotency key, or
// where its body carries the id of what it makes, so that the server knows it again. Only when no repetition was
// answered is the outcome unknown. Of several servers the next one is asked where one is away or does not lead.
#pragma once

#include "apps/client/config.hpp"
#include "apps/client/console.hpp"
#include "apps/client/failure.hpp"
#include "codec/value.hpp"
#include "transport/http/client/servers.hpp"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {

/// A 2xx answer of JSON.
struct Reply {
    std::string text;
    codec::Value value;
};

using Query = std::vector<std::pair<std::string_view, std::string>>;
/// The path with the items of the query that are not empty, encoded.
[[nodiscard]] std::string target_of(std::string_view path, const Query& query);

/// How often a request is sent in all, and how long is waited before the second; then twice as long each time.
inline constexpr int most_attempts = 5;
/// Likewise of several servers, each of which is asked once a time: longer than a lease that one takes over from another.
inline constexpr int most_rounds = 6;
inline constexpr Duration first_delay = milliseconds(500);

class Session {
public:
    [[nodiscard]] static Result<Session, Failure> open(Console& console, const Flags& flags);
    /// For login: these settings, whatever is stored.
    [[nodiscard]] static Result<Session, Failure> open(Console& console, const Settings& settings, bool json);

    [[nodiscard]] Console& console() const { return *console_; }
    [[nodiscard]] bool json() const { return json_; }
    /// The address that is asked.
    [[nodiscard]] const std::string& server() const { return servers_.url(); }
    [[nodiscard]] http::Client& client() { return servers_.client(); }
    /// After an answer to client()'s question that was none, or after a break: the next server is asked from now on.
    void go_to_next() { servers_.next(); }

    [[nodiscard]] Result<Reply, Failure> get(std::string target);
    /// `body` is JSON or empty. `id_in_body`: the body's own id is the idempotency key.
    [[nodiscard]] Result<Reply, Failure> change(http::Method method, std::string target, std::string body, bool id_in_body = false);
    /// Any answer with a status of 2xx, without looking at its body.
    [[nodiscard]] Result<http::Answer, Failure> ask(const std::function<http::Call()>& call, bool changes);

    /// Prints the reply as it came; true where JSON is wanted and nothing else is to be printed.
    bool printed(const Reply& reply);

private:
    Session(Console& console, bool json, http::Servers servers) : console_{&console}, json_{json}, servers_{std::move(servers)} {}
    /// Of the first server that leads.
    [[nodiscard]] Result<http::Answer, http::CallError> ask_in_turn(const std::function<http::Call()>& call);

    Console* console_;
    bool json_;
    http::Servers servers_;
};

/// Goes from page to page of a list. A server that gives a cursor twice would be asked for ever: that is an error.
class PageWalk {
public:
    /// Of the page to ask for; empty for the first.
    [[nodiscard]] const std::string& cursor() const { return cursor_; }
    /// Whether there is another page after this one.
    [[nodiscard]] Result<bool, Failure> go_on(const Reply& page);

private:
    std::string cursor_;
    std::set<std::string> seen_;
};

/// What --json prints of a list: a line for each page as it came, or a line for each item.
enum class JsonLines : std::uint8_t { pages = 1, items = 2 };
/// Goes through the pages of a list until `most` items; with --json prints lines instead. Says on stderr where there would be more.
[[nodiscard]] Done each_item(Session& session, std::string_view path, Query query, std::size_t most,
                             const std::function<void(const codec::Value&)>& take, JsonLines lines = JsonLines::pages);

}  // namespace weir::cli
