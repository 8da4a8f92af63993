#include "transport/http/server/render.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <iterator>

namespace weir::http {
namespace {

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    append_value(out, value);
    out += "\r\n";
}

bool is_token(std::string_view name) {
    if (name.empty()) return false;
    for (const char c : name) {
        const bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && !std::string_view{"!#$%&'*+-.^_`|~"}.contains(c)) return false;
    }
    return true;
}

/// Fields that only the server can get right.
bool is_ours(std::string_view name) {
    for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Date", "X-Request-Id"}) {
        if (same_name(name, own)) return true;
    }
    return false;
}

}  // namespace

std::string http_date(std::int64_t epoch_s) {
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::chrono::sys_seconds at{std::chrono::seconds{epoch_s}};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{at - day};
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days.at(std::chrono::weekday{day}.c_encoding()),
                       static_cast<unsigned>(date.day()), months.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

void append_head(std::string& out, const Response& response, const HeadFacts& facts) {
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
    if (!facts.server_name.empty()) append_field(out, "Server", facts.server_name);
    append_field(out, "Date", facts.date);
    fmt::format_to(std::back_inserter(out), "X-Request-Id: {:016x}\r\n", facts.request_id);
    if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
    for (const auto& [name, value] : response.headers) {
        if (is_token(name) && !is_ours(name)) append_field(out, name, value);
    }
    if (facts.framing == Framing::length) fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", facts.length);
    if (facts.framing == Framing::chunked) out += "Transfer-Encoding: chunked\r\n";
    if (!facts.keep_alive) {
        out += "Connection: close\r\n";
    } else if (!facts.is_http_11) {
        out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
}

void wrap_chunk(std::string& payload, std::string& head) {
    fmt::format_to(std::back_inserter(head), "{:x}\r\n", payload.size());
    payload += "\r\n";
}

}  // namespace weir::http
