#include "transport/http/sse.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::http {
namespace {

void append_line(std::string& out, std::string_view field, std::string_view value) {
    out += field;
    for (const char c : value) {
        if (c != '\n' && c != '\r') out.push_back(c);
    }
    out.push_back('\n');
}

/// A reader ignores an id that holds NUL.
std::string without_nul(std::string_view text) {
    std::string out{text};
    std::erase(out, '\0');
    return out;
}

/// Calls `each` for every line of `text`; CR, LF and CR LF end lines alike.
template <class Each>
void for_each_line(std::string_view text, Each each) {
    std::size_t from = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '\n' && text[at] != '\r') continue;
        each(text.substr(from, at - from));
        if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') ++at;
        from = at + 1;
    }
    each(text.substr(from));
}

}  // namespace

void append_event(std::string& out, const Event& event) {
    if (!event.id.empty()) append_line(out, "id: ", without_nul(event.id));
    if (!event.name.empty()) append_line(out, "event: ", event.name);
    for_each_line(event.data, [&](std::string_view line) {
        out += "data: ";
        out += line;
        out.push_back('\n');
    });
    out.push_back('\n');
}

std::string format_event(const Event& event) {
    std::string out;
    out.reserve(event.data.size() + event.id.size() + event.name.size() + 32);
    append_event(out, event);
    return out;
}

std::string format_comment(std::string_view text) {
    std::string out;
    for_each_line(text, [&](std::string_view line) { append_line(out, ": ", line); });
    out.push_back('\n');
    return out;
}

Result<void, EventFault> EventParser::feed(std::string_view piece) {
    if (at_fault_) return fail(EventFault::line_too_long);
    while (!piece.empty()) {
        if (std::exchange(after_cr_, false) && piece.front() == '\n') {
            piece.remove_prefix(1);
            continue;
        }
        const std::size_t end = piece.find_first_of("\r\n");
        const std::string_view part = piece.substr(0, end);
        if (line_.size() + part.size() + event_.data.size() > max_bytes_) {
            at_fault_ = true;
            return fail(EventFault::line_too_long);
        }
        line_ += part;
        if (end == std::string_view::npos) return {};
        after_cr_ = piece[end] == '\r';
        piece.remove_prefix(end + 1);
        end_line();
    }
    return {};
}

void EventParser::end_line() {
    std::string_view line = line_;
    if (std::exchange(first_line_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.empty()) {
        dispatch();
    } else {
        const std::size_t colon = std::min(line.find(':'), line.size());
        std::string_view value = line.substr(std::min(colon + 1, line.size()));
        if (value.starts_with(' ')) value.remove_prefix(1);
        set_field(line.substr(0, colon), value);
    }
    line_.clear();
}

void EventParser::set_field(std::string_view field, std::string_view value) {
    if (field.empty()) {
        last_comment_ = value;
    } else if (field == "data") {
        event_.data.append(value).push_back('\n');
        has_data_ = true;
    } else if (field == "event") {
        event_.name = value;
    } else if (field == "id") {
        if (!value.contains('\0')) last_id_ = value;
    } else if (field == "retry") {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error == std::errc{} && end == value.data() + value.size() && number >= 0) retry_ms_ = number;
    }
}

void EventParser::dispatch() {
    if (std::exchange(has_data_, false)) {
        event_.data.pop_back();
        event_.id = last_id_;
        ready_.push_back(std::move(event_));
    }
    event_ = {};
}

std::optional<Event> EventParser::next() {
    if (ready_.empty()) return std::nullopt;
    Event event = std::move(ready_.front());
    ready_.pop_front();
    return event;
}

}  // namespace weir::http
