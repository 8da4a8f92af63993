#include "supervisor/status.hpp"

#include "supervisor/text.hpp"

namespace weir::supervisor {
namespace {

struct NumberField {
    const char* key;
    std::int64_t Status::*number;
};

constexpr std::array numbers{
    NumberField{"exit_code", &Status::exit_code},
    NumberField{"supervisor_pid", &Status::supervisor_pid},
    NumberField{"supervisor_start", &Status::supervisor_start},
    NumberField{"started_at_s", &Status::started_at_s},
    NumberField{"ended_at_s", &Status::ended_at_s},
    NumberField{"began_ns", &Status::began_ns},
    NumberField{"ended_ns", &Status::ended_ns},
    NumberField{"metered_s", &Status::metered_s},
    NumberField{"checkpoint_requests", &Status::checkpoint_requests},
    NumberField{"dropped_log_bytes", &Status::dropped_log_bytes},
    NumberField{"processes", &Status::processes},
};

constexpr std::array phase_names{"", "starting", "running", "stopping", "ended"};
constexpr std::array reason_names{"none",         "exited",        "signalled",       "lease_ended",   "stopped",
                                  "start_failed", "out_of_memory", "supervisor_lost", "host_restarted",
                                  "duration_ended"};

template <class Enum, std::size_t Size>
bool take_name(std::string_view value, const std::array<const char*, Size>& names, std::size_t first, Enum& into) {
    for (std::size_t at = first; at < Size; ++at) {
        if (value != names[at]) continue;
        into = static_cast<Enum>(at);
        return true;
    }
    return false;
}

bool take_end(std::string_view value, Status& status) {
    const auto rank = parse_number(take_until(value, ' '));
    const auto kind = take_until(value, ' ');
    const auto code = parse_number(value);
    if (!rank || *rank < 0 || *rank >= static_cast<std::int64_t>(processes_max) || !code) return false;
    auto& end = status.ends[static_cast<std::size_t>(*rank)];
    end.code = static_cast<std::int32_t>(*code);
    if (kind == "exited") end.kind = RankEnd::Kind::exited;
    else if (kind == "signalled") end.kind = RankEnd::Kind::signalled;
    else return false;
    return true;
}

bool take_field(std::string_view key, std::string_view value, Status& status) {
    for (const auto& field : numbers) {
        if (key != field.key) continue;
        const auto number = parse_number(value);
        if (!number) return false;
        status.*field.number = *number;
        return true;
    }
    if (key == "phase") return take_name(value, phase_names, 1, status.phase);
    if (key == "reason") return take_name(value, reason_names, 0, status.reason);
    if (key == "end_of") return take_end(value, status);
    if (key == "boot_id") copy_text(status.boot_id, value);
    if (key == "detail") copy_text(status.detail, value);
    return true;
}

/// A detail may come from a tenant's path: it must stay one line.
void add_one_line(TextBuffer& text, const char* detail) {
    for (; *detail != '\0'; ++detail) {
        const char c = static_cast<unsigned char>(*detail) < 0x20 ? ' ' : *detail;
        text.add(std::string_view{&c, 1});
    }
}

}  // namespace

std::string_view print_status(const Status& status, std::span<char> room) {
    TextBuffer text{room};
    text.add("weir-status 1\nphase ").add(phase_names[static_cast<std::size_t>(status.phase)]);
    text.add("\nreason ").add(reason_names[static_cast<std::size_t>(status.reason)]).add("\n");
    for (const auto& field : numbers) text.add(field.key).add(" ").add(status.*field.number).add("\n");
    for (std::size_t rank = 0; rank < processes_max; ++rank) {
        const auto& end = status.ends[rank];
        if (end.kind == RankEnd::Kind::none) continue;
        text.add("end_of ").add(static_cast<std::int64_t>(rank));
        text.add(end.kind == RankEnd::Kind::exited ? " exited " : " signalled ").add(std::int64_t{end.code}).add("\n");
    }
    text.add("boot_id ").add(status.boot_id).add("\ndetail ");
    add_one_line(text, status.detail);
    text.add("\nend\n");
    return text.view();
}

bool parse_status(std::string_view text, Status& status) {
    if (take_line(text) != "weir-status 1") return false;
    while (const auto line = take_line(text)) {
        if (*line == "end") return text.empty();
        std::string_view value = *line;
        const auto key = take_until(value, ' ');
        if (!take_field(key, value, status)) return false;
    }
    return false;
}

std::string_view print_lease(const Lease& lease, std::span<char> room) {
    TextBuffer text{room};
    text.add("weir-lease 1\nboot_id ").add(lease.boot_id).add("\ndeadline_ns ").add(lease.deadline_ns).add("\nend\n");
    return text.view();
}

std::optional<Lease> parse_lease(std::string_view text) {
    Lease lease;
    bool has_boot = false;
    bool has_deadline = false;
    if (take_line(text) != "weir-lease 1") return std::nullopt;
    while (const auto line = take_line(text)) {
        if (*line == "end") return has_boot && has_deadline && text.empty() ? std::optional{lease} : std::nullopt;
        std::string_view value = *line;
        const auto key = take_until(value, ' ');
        if (key == "boot_id" && value.size() == boot_id_size) {
            copy_text(lease.boot_id, value);
            has_boot = true;
        } else if (key == "deadline_ns") {
            const auto number = parse_number(value);
            if (!number) return std::nullopt;
            lease.deadline_ns = *number;
            has_deadline = true;
        }
    }
    return std::nullopt;
}

std::int64_t lease_end_ns(const Lease& lease, std::string_view boot_id) {
    return boot_id == lease.boot_id ? lease.deadline_ns : 0;
}

}  // namespace weir::supervisor
