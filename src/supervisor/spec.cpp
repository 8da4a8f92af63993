#include "supervisor/spec.hpp"

#include "supervisor/text.hpp"

#include <cstring>

namespace weir::supervisor {
namespace {

/// Where the value of a key goes, and what it may be.
struct Field {
    const char* key;
    std::int64_t Spec::*number;
    std::int64_t least;
    std::int64_t most;
    const char* Spec::*text;
    bool may_be_empty;
    bool may_be_missing;
};

constexpr std::int64_t id_max = 4'294'967'293;  // one below the two ids that mean "no change"

constexpr Field number_field(const char* key, std::int64_t Spec::*number, std::int64_t least, std::int64_t most) {
    return {key, number, least, most, nullptr, false, false};
}
constexpr Field later_field(const char* key, std::int64_t Spec::*number, std::int64_t least, std::int64_t most) {
    return {key, number, least, most, nullptr, false, true};
}
constexpr Field text_field(const char* key, const char* Spec::*text, bool may_be_empty = false) {
    return {key, nullptr, 0, 0, text, may_be_empty, false};
}

constexpr std::array fields{
    text_field("job", &Spec::job),
    number_field("generation", &Spec::generation, 1, INT64_MAX),
    number_field("node_rank", &Spec::node_rank, 0, 1'000'000),
    number_field("nnodes", &Spec::nnodes, 1, 1'000'000),
    number_field("processes", &Spec::processes, 1, static_cast<std::int64_t>(processes_max)),
    number_field("nproc_per_node", &Spec::nproc_per_node, 1, 1'000'000),
    number_field("rank_offset", &Spec::rank_offset, 0, 100'000'000),
    number_field("world_size", &Spec::world_size, 1, 100'000'000),
    text_field("master_addr", &Spec::master_addr),
    number_field("master_port", &Spec::master_port, 0, 65'535),
    text_field("run", &Spec::run),
    text_field("workdir", &Spec::workdir),
    text_field("checkpoint_dir", &Spec::checkpoint_dir),
    text_field("resume_dir", &Spec::resume_dir, true),
    text_field("output_dir", &Spec::output_dir),
    number_field("uid", &Spec::uid, 0, id_max),
    number_field("gid", &Spec::gid, 0, id_max),
    number_field("log_quota", &Spec::log_quota, 0, std::int64_t{1} << 40),
    number_field("kill_grace_s", &Spec::kill_grace_s, 0, 86'400),
    number_field("checkpoint_signal", &Spec::checkpoint_signal, 0, 64),
    text_field("init", &Spec::init, true),
    later_field("checkpoint_before_s", &Spec::checkpoint_before_s, 0, 86'400),
    later_field("stop_after_s", &Spec::stop_after_s, 0, std::int64_t{1} << 32),
};
constexpr std::size_t stack_at = fields.size();
constexpr std::size_t emulated_at = fields.size() + 1;
constexpr std::size_t keys_once = fields.size() + 2;

using Seen = std::array<bool, keys_once>;

std::optional<SpecFault> take_number(const Field& field, std::string_view value, Spec& spec) {
    const auto number = parse_number(value);
    if (!number || *number < field.least || *number > field.most) return SpecFault::out_of_range;
    spec.*field.number = *number;
    return std::nullopt;
}

std::optional<SpecFault> take_variable(std::string_view value, Spec& spec) {
    std::string_view rest = value;
    const auto name = take_until(rest, '=');
    if (name.size() == value.size() || !task_limits::is_variable_name(name)) return SpecFault::out_of_range;
    if (task_limits::is_reserved_variable(name)) return SpecFault::reserved_variable;
    for (const char* const other : spec.environment.all()) {
        if (std::strncmp(other, value.data(), name.size() + 1) == 0) return SpecFault::repeated_key;
    }
    return spec.environment.push(value.data()) ? std::nullopt : std::optional{SpecFault::too_many};
}

std::optional<SpecFault> take_stack(std::string_view value, Spec& spec) {
    if (value == "none") spec.stack = Stack::none;
    else if (value == "cuda") spec.stack = Stack::cuda;
    else if (value == "cann") spec.stack = Stack::cann;
    else if (value == "other") spec.stack = Stack::other;
    else return SpecFault::out_of_range;
    return std::nullopt;
}

std::optional<SpecFault> take_card(std::string_view value, Spec& spec) {
    const auto number = parse_number(value);
    if (!number || *number < 0 || *number > 1'000'000) return SpecFault::out_of_range;
    return spec.cards.push(value.data()) ? std::nullopt : std::optional{SpecFault::too_many};
}

/// Keys that may stand several times. Nothing where `key` is none of them.
std::optional<std::optional<SpecFault>> take_repeatable(std::string_view key, std::string_view value, Spec& spec) {
    if (key == "env") return take_variable(value, spec);
    if (key == "card") return take_card(value, spec);
    if (key == "wrapper") return spec.wrapper.push(value.data()) ? std::nullopt : std::optional{SpecFault::too_many};
    if (key == "cgroup") {
        if (!value.starts_with('/')) return std::optional{SpecFault::out_of_range};
        return spec.cgroups.push(value.data()) ? std::nullopt : std::optional{SpecFault::too_many};
    }
    return std::nullopt;
}

std::optional<SpecFault> take_record(std::string_view key, std::string_view value, Spec& spec, Seen& seen) {
    if (const auto taken = take_repeatable(key, value, spec)) return *taken;
    std::size_t at = 0;
    while (at < fields.size() && key != fields[at].key) ++at;
    if (at == fields.size()) {
        if (key == "stack") at = stack_at;
        else if (key == "emulated") at = emulated_at;
        else return SpecFault::unknown_key;
    }
    if (seen[at]) return SpecFault::repeated_key;
    seen[at] = true;
    if (at == stack_at) return take_stack(value, spec);
    if (at == emulated_at) {
        spec.emulated = value == "1";
        return value == "0" || value == "1" ? std::nullopt : std::optional{SpecFault::out_of_range};
    }
    if (fields[at].number != nullptr) return take_number(fields[at], value, spec);
    if ((value.empty() && !fields[at].may_be_empty) || value.size() > task_limits::argument_bytes_max) return SpecFault::out_of_range;
    spec.*fields[at].text = value.data();
    return std::nullopt;
}

SpecError error_of(SpecFault fault, std::string_view key) {
    SpecError error{.fault = fault};
    copy_text(error.key, key);
    return error;
}

std::optional<SpecError> check_whole(const Spec& spec, const Seen& seen) {
    for (std::size_t at = 0; at < keys_once; ++at) {
        if (seen[at] || (at < fields.size() && fields[at].may_be_missing)) continue;
        const char* const key = at < fields.size() ? fields[at].key : at == stack_at ? "stack" : "emulated";
        return error_of(SpecFault::missing_key, key);
    }
    if (spec.node_rank >= spec.nnodes) return error_of(SpecFault::inconsistent, "node_rank");
    if (spec.rank_offset + spec.processes > spec.world_size) return error_of(SpecFault::inconsistent, "world_size");
    if ((spec.wrapper.size == 0) != (*spec.init == '\0')) return error_of(SpecFault::inconsistent, "init");
    if (*spec.workdir != '/') return error_of(SpecFault::out_of_range, "workdir");
    if (*spec.checkpoint_dir != '/') return error_of(SpecFault::out_of_range, "checkpoint_dir");
    if (*spec.output_dir != '/') return error_of(SpecFault::out_of_range, "output_dir");
    if (spec.uid == 0) return error_of(SpecFault::runs_as_root, "uid");
    if (spec.gid == 0) return error_of(SpecFault::runs_as_root, "gid");
    return std::nullopt;
}

}  // namespace

std::optional<SpecError> parse_spec(std::span<const char> bytes, Spec& spec) {
    if (bytes.size() > spec_bytes_max) return error_of(SpecFault::too_large, "");
    Seen seen{};
    std::string_view rest{bytes.data(), bytes.size()};
    for (bool first = true;; first = false) {
        const auto* const stop = rest.empty() ? nullptr : static_cast<const char*>(std::memchr(rest.data(), '\0', rest.size()));
        if (stop == nullptr) return error_of(first ? SpecFault::not_a_spec : SpecFault::truncated, "");
        std::string_view value{rest.data(), static_cast<std::size_t>(stop - rest.data())};
        rest.remove_prefix(value.size() + 1);
        if (first) {
            if (value != "weir-task=1") return error_of(SpecFault::not_a_spec, "");
            continue;
        }
        if (value == "end=") break;
        const bool has_value = std::memchr(value.data(), '=', value.size()) != nullptr;
        const auto key = take_until(value, '=');
        if (!has_value) return error_of(SpecFault::unknown_key, key);
        if (const auto fault = take_record(key, value, spec, seen)) return error_of(*fault, key);
    }
    if (!rest.empty()) return error_of(SpecFault::truncated, "end");
    return check_whole(spec, seen);
}

const char* describe(SpecFault fault) {
    switch (fault) {
        case SpecFault::too_large: return "the spec is larger than 384 KiB; shorten the command or the environment";
        case SpecFault::not_a_spec: return "the file does not begin with weir-task=1; write it with an agent of this version";
        case SpecFault::unknown_key: return "the key is not known to this supervisor; use agent and supervisor of one version";
        case SpecFault::repeated_key: return "the key stands twice; keep one of them";
        case SpecFault::too_many: return "more entries than fit (64 cards, 512 variables, 512 arguments, 8 limits); use fewer";
        case SpecFault::out_of_range: return "the value is empty, malformed, too long or out of range";
        case SpecFault::reserved_variable: return "the variable is set by weir itself; choose another name";
        case SpecFault::truncated: return "the file does not end with its end= record; write it again";
        case SpecFault::missing_key: return "the key is missing";
        case SpecFault::inconsistent: return "the value does not fit the others (node_rank < nnodes, rank_offset + processes <= "
                                             "world_size, init with a wrapper only)";
        case SpecFault::runs_as_root: return "tenant code as root is refused; give a user and a group other than 0";
    }
    return "unknown";
}

}  // namespace weir::supervisor
