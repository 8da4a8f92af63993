// transport/http/sse.hpp: server-sent events as text and back (WHATWG HTML, 9.2).
//
// Printing and parsing are inverse but for line ends inside data: CR and CR LF come back as LF, as the format
// has no way to say which it was.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace weir::http {

struct Event {
    /// What a client sends back as Last-Event-ID. Line breaks and NUL are left out when printed.
    std::string id;
    /// The type; empty means "message". Line breaks are left out when printed.
    std::string name;
    std::string data;
    friend bool operator==(const Event&, const Event&) = default;
};

/// Appends the event with its closing empty line. An event without data is printed with empty data.
void append_event(std::string& out, const Event& event);
[[nodiscard]] std::string format_event(const Event& event);
/// A line that clients ignore: a heartbeat, or the reason of an end.
[[nodiscard]] std::string format_comment(std::string_view text);

/// Why a stream of events cannot be read on.
enum class EventFault : std::uint8_t {
    line_too_long = 1,   ///< A line, or the data of one event, exceeds the parser's limit.
};

/// Reads events from pieces that may be cut anywhere. The state after an event is the state of a browser:
/// `id` sticks until it is changed.
class EventParser {
public:
    explicit EventParser(std::size_t max_event_bytes = 1024 * 1024) : max_bytes_{max_event_bytes} {}

    /// Takes a piece; complete events are then at next(). After a fault the parser stays at fault.
    Result<void, EventFault> feed(std::string_view piece);
    /// The next complete event, oldest first.
    [[nodiscard]] std::optional<Event> next();
    /// The id to send as Last-Event-ID when reconnecting; empty if none was seen.
    [[nodiscard]] const std::string& last_id() const { return last_id_; }
    /// The reconnection time the server asked for, milliseconds.
    [[nodiscard]] std::optional<std::int64_t> retry_ms() const { return retry_ms_; }
    /// The text of the latest comment: on a dropped stream, the reason.
    [[nodiscard]] const std::string& last_comment() const { return last_comment_; }

private:
    void end_line();
    void set_field(std::string_view field, std::string_view value);
    void dispatch();

    std::size_t max_bytes_;
    std::string line_;
    bool first_line_ = true;
    bool after_cr_ = false;
    bool at_fault_ = false;
    bool has_data_ = false;
    Event event_;
    std::string last_id_;
    std::string last_comment_;
    std::optional<std::int64_t> retry_ms_;
    std::deque<Event> ready_;
};

}  // namespace weir::http
