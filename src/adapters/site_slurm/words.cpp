#include "adapters/site_slurm/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace weir::site_slurm {
namespace {

constexpr std::int32_t cards_max = 1024;  ///< Of one kind on a node; more is a slip of somebody's pen.

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view take_until(std::string_view& text, char separator) {
    const auto head = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), head.size() + 1));
    return head;
}

/// `2,5,7` or `0-3,6`.
std::optional<std::vector<std::int32_t>> parse_cards(std::string_view text) {
    std::vector<std::int32_t> cards;
    while (!text.empty()) {
        auto part = take_until(text, ',');
        const auto first = number<std::int32_t>(take_until(part, '-'));
        const auto last = part.empty() ? first : number<std::int32_t>(part);
        if (!first || !last || *first < 0 || *last < *first || *last - *first >= cards_max) return std::nullopt;
        for (auto card = *first; card <= *last; ++card) cards.push_back(card);
        if (std::ssize(cards) > cards_max) return std::nullopt;
    }
    return cards;
}

/// Seconds with a fraction, as /proc/uptime has them.
std::optional<std::int64_t> parse_seconds(std::string_view text) {
    const auto seconds = number<std::int64_t>(take_until(text, '.'));
    std::int64_t ns = 0;
    std::int64_t unit = 1'000'000'000;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        unit /= 10;
        ns += unit * (c - '0');
    }
    if (!seconds || *seconds < 0 || *seconds > INT64_MAX / 2'000'000'000) return std::nullopt;
    return *seconds * 1'000'000'000 + ns;
}

}  // namespace

bool is_over(std::string_view job_state) {
    constexpr std::array<std::string_view, 10> over{"COMPLETED", "CANCELLED",     "FAILED",   "TIMEOUT", "NODE_FAIL",
                                                    "PREEMPTED", "OUT_OF_MEMORY", "DEADLINE", "BOOT_FAIL", "REVOKED"};
    return std::ranges::find(over, job_state) != over.end();
}

bool is_waiting(std::string_view job_state) { return job_state == "PENDING"; }

ports::EndReason end_of(std::string_view job_state, bool begun) {
    if (job_state == "NODE_FAIL" || job_state == "BOOT_FAIL") return ports::EndReason::host_restarted;
    if (!begun) return ports::EndReason::start_failed;
    if (job_state == "OUT_OF_MEMORY") return ports::EndReason::out_of_memory;
    return ports::EndReason::supervisor_lost;
}

std::vector<GresCount> parse_gres(std::string_view text) {
    std::vector<GresCount> all;
    int depth = 0;
    std::string plain;  // Without what stands in brackets: sockets, indices.
    for (const char c : text) {
        if (c == '(') ++depth;
        if (depth == 0) plain.push_back(c);
        if (c == ')') --depth;
    }
    for (std::string_view rest = plain; !rest.empty();) {
        auto part = take_until(rest, ',');
        if (take_until(part, ':') != "gpu") continue;
        const auto first = take_until(part, ':');
        const auto count = number<std::int32_t>(part.empty() ? first : part);
        if (!count || *count < 1 || *count > cards_max) continue;
        all.push_back({.type = part.empty() ? std::string{} : std::string{first}, .count = *count});
    }
    return all;
}

std::optional<std::string> why_away(const SlurmNode& node) {
    for (const auto& state : {"down", "error", "future", "unknown"}) {
        if (node.state == state) return node.state;
    }
    for (const auto& flag : {"DRAIN", "FAIL", "MAINTENANCE", "NOT_RESPONDING", "INVALID_REG", "POWERED_DOWN", "POWERING_DOWN"}) {
        if (std::ranges::find(node.flags, flag) != node.flags.end()) return flag;
    }
    return std::nullopt;
}

std::optional<Arrival> parse_arrival(std::string_view text) {
    Arrival arrival;
    if (take_until(text, '\n') != "weir-arrival 1") return std::nullopt;
    while (!text.empty()) {
        auto value = take_until(text, '\n');
        if (value == "end") return text.empty() && arrival.job > 0 && !arrival.boot_id.empty() ? std::optional{arrival} : std::nullopt;
        const auto key = take_until(value, ' ');
        if (key == "job") {
            arrival.job = number<std::int64_t>(value).value_or(0);
        } else if (key == "boot_id") {
            arrival.boot_id = value;
        } else if (key == "uptime") {
            const auto uptime = parse_seconds(value);
            if (!uptime) return std::nullopt;
            arrival.uptime_ns = *uptime;
        } else if (key == "node") {
            arrival.node = value;
        } else if (key == "cards") {
            // A node without cards says so in words of its own.
            arrival.cards = parse_cards(value).value_or(std::vector<std::int32_t>{});
        }
    }
    return std::nullopt;
}

std::string print_note(const GangNote& note) { return fmt::format("weir-slurm 1\njob {}\nover {}\nend\n", note.job, note.over); }

std::optional<GangNote> parse_note(std::string_view text) {
    GangNote note;
    if (take_until(text, '\n') != "weir-slurm 1") return std::nullopt;
    while (!text.empty()) {
        auto value = take_until(text, '\n');
        if (value == "end") return text.empty() ? std::optional{note} : std::nullopt;
        const auto key = take_until(value, ' ');
        if (key == "job") {
            const auto id = number<std::int64_t>(value);
            if (!id || *id < 0) return std::nullopt;
            note.job = *id;
        } else if (key == "over") {
            note.over = value;
        }
    }
    return std::nullopt;
}

std::string with_cards(std::string_view spec, const std::vector<std::int32_t>& cards) {
    std::string out;
    bool done = false;
    const auto add = [&] {
        if (std::exchange(done, true)) return;
        for (const auto card : cards) out += fmt::format("card={}", card) + '\0';
    };
    while (!spec.empty()) {
        const auto record = take_until(spec, '\0');
        if (record.starts_with("card=")) {
            add();
            continue;
        }
        out += record;
        out += '\0';
    }
    return out;
}

}  // namespace weir::site_slurm
