#include "apps/server/settings.hpp"

#include "codec/decode.hpp"
#include "domain/forms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

namespace weir::server {

struct CatalogueFile {
    std::vector<Accelerator> accelerators;
};
BOOST_DESCRIBE_STRUCT(CatalogueFile, (), (accelerators))

struct PolicyFile {
    std::optional<Duration> task_lease;
    std::optional<Duration> run_on_lease;
    std::optional<Duration> kill_grace;
    std::optional<Duration> drift_bound;
    std::optional<Duration> start_within;
    std::optional<Duration> stop_within;
    std::optional<Duration> checkpoint_within;
    std::optional<Duration> prepare_within;
    std::optional<Duration> site_silence;
    std::optional<Duration> remember;
    std::optional<Duration> output_keep;
    std::optional<Duration> output_keep_max;
};
BOOST_DESCRIBE_STRUCT(PolicyFile, (), (task_lease, run_on_lease, kill_grace, drift_bound, start_within, stop_within,
                       checkpoint_within, prepare_within, site_silence, remember, output_keep, output_keep_max))

namespace {

Result<std::string, std::string> read_file(const std::string& path) {
    constexpr std::size_t bytes_max = codec::largest_yaml_bytes;
    std::ifstream file{path, std::ios::binary};
    std::error_code unknown;
    const auto unreadable = [&] { return fail(fmt::format("{} cannot be read; give the path of a file that exists", path)); };
    if (!file || std::filesystem::is_directory(path, unknown)) return unreadable();
    std::string text(bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return unreadable();
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > bytes_max)
        return fail(fmt::format("{} has more than {} bytes, which is the most that is taken; is it the right file?", path, bytes_max));
    return text;
}

void take(const std::optional<Duration>& from, Duration& into) {
    if (from) into = *from;
}

}  // namespace

Result<Catalogue, std::string> read_catalogue(const std::string& path) {
    const auto text = WEIR_TRY(read_file(path));
    auto file = codec::decode_yaml<CatalogueFile>(text, path);
    if (!file) return fail(codec::describe(file.error()));
    Catalogue catalogue;
    for (auto& entry : file->accelerators) {
        const auto model = entry.model;
        if (!catalogue.emplace(model, std::move(entry)).second) return fail(fmt::format("{}: the model {} is listed twice", path, model));
    }
    return catalogue;
}

Result<control::Policy, std::string> read_policy(const std::string& path) {
    const auto text = WEIR_TRY(read_file(path));
    const auto file = codec::decode_yaml<PolicyFile>(text, path);
    if (!file) return fail(codec::describe(file.error()));
    control::Policy policy;
    take(file->task_lease, policy.task_lease);
    take(file->run_on_lease, policy.run_on_lease);
    take(file->kill_grace, policy.kill_grace);
    take(file->drift_bound, policy.drift_bound);
    take(file->start_within, policy.start_within);
    take(file->stop_within, policy.stop_within);
    take(file->checkpoint_within, policy.checkpoint_within);
    take(file->prepare_within, policy.prepare_within);
    take(file->site_silence, policy.site_silence);
    take(file->remember, policy.remember);
    take(file->output_keep, policy.output_keep);
    take(file->output_keep_max, policy.output_keep_max);
    // A bound below the default bounds that too.
    if (!file->output_keep) policy.output_keep = std::min(policy.output_keep, policy.output_keep_max);
    struct Bounds {
        std::string_view name;
        Duration given;
        Duration least;
        Duration most = hours(366 * 24);
    };
    // A bound of zero would let a task be given up while its processes still run, or refuse every id that a client made.
    for (const auto& [name, given, least, most] : {Bounds{"task_lease", policy.task_lease, seconds(1)},
                                                   Bounds{"run_on_lease", policy.run_on_lease, policy.task_lease},
                                                   Bounds{"kill_grace", policy.kill_grace, seconds(1)},
                                                   Bounds{"drift_bound", policy.drift_bound, milliseconds(500)},
                                                   Bounds{"start_within", policy.start_within, seconds(10)},
                                                   Bounds{"stop_within", policy.stop_within, policy.kill_grace + seconds(10)},
                                                   Bounds{"checkpoint_within", policy.checkpoint_within, seconds(1), hours(1)},
                                                   Bounds{"prepare_within", policy.prepare_within, seconds(1), hours(24)},
                                                   Bounds{"site_silence", policy.site_silence, seconds(1)},
                                                   Bounds{"remember", policy.remember, hours(1), hours(3660 * 24)},
                                                   Bounds{"output_keep_max", policy.output_keep_max, seconds(0), hours(3660 * 24)},
                                                   Bounds{"output_keep", policy.output_keep, seconds(0), policy.output_keep_max}}) {
        if (given < least)
            return fail(fmt::format("{}: {} is {}, and must be at least {}", path, name, format_duration(given), format_duration(least)));
        if (given > most)
            return fail(fmt::format("{}: {} is {}, and must be at most {}", path, name, format_duration(given), format_duration(most)));
    }
    return policy;
}

}  // namespace weir::server
