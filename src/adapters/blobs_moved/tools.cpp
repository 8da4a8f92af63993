#include "adapters/blobs_moved/tools.hpp"

#include "codec/value.hpp"
#include "supervisor/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::blobs_moved {
namespace {

using ports::FarFile;
using ports::MoveError;
using ports::MoveFault;
using ports::MoveResult;
using supervisor::Fd;

constexpr std::size_t list_nodes_max = 20'000'000;  ///< Values of a list of files: some of each.
constexpr int rclone_no_folder = 3;
constexpr int rclone_no_file = 4;

/// The last number that follows `mark`, with commas or without; 0 where there is none.
std::int64_t last_number_after(std::string_view text, std::string_view mark) {
    const auto at = text.rfind(mark);
    if (at == std::string_view::npos) return 0;
    std::int64_t number = 0;
    for (const char digit : text.substr(at + mark.size())) {
        if (digit == ',' || digit == ' ') continue;
        if (digit < '0' || digit > '9') break;
        number = number * 10 + (digit - '0');
    }
    return number;
}

/// Seconds since 1970 of `2026-11-24T03:37:16...` or `2026/11/24 03:37:16`, in UTC; 0 where it is neither.
std::int64_t seconds_of(std::string_view text) {
    constexpr std::array<std::pair<std::size_t, std::size_t>, 6> places{{{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}}};
    std::array<int, 6> parts{};
    if (text.size() < 19) return 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto* const from = text.data() + places[i].first;
        const auto [stop, error] = std::from_chars(from, from + places[i].second, parts[i]);
        if (error != std::errc{} || stop != from + places[i].second) return 0;
    }
    const std::chrono::year_month_day day{std::chrono::year{parts[0]}, std::chrono::month{static_cast<unsigned>(parts[1])},
                                          std::chrono::day{static_cast<unsigned>(parts[2])}};
    if (!day.ok()) return 0;
    return std::int64_t{std::chrono::sys_days{day}.time_since_epoch().count()} * 86'400 + parts[3] * 3600 + parts[4] * 60 + parts[5];
}

auto failed(std::string message) { return fail(MoveError{MoveFault::failed, std::move(message)}); }

tl::unexpected<MoveError> error_of(const ToolRun& run, const ToolAnswer& answer, bool is_missing) {
    const auto fault = answer.end == ToolEnd::called_off ? MoveFault::called_off : is_missing ? MoveFault::not_found : MoveFault::failed;
    return fail(MoveError{fault, describe(run, answer)});
}

bool is_no_file(const ToolAnswer& answer) {
    return answer.end == ToolEnd::exited && (answer.exit_code == rclone_no_folder || answer.exit_code == rclone_no_file);
}

/// rsync has one code for all that could not be read.
bool says_no_file(const ToolAnswer& answer) {
    return answer.end == ToolEnd::exited && answer.exit_code != 0 &&
           answer.complaint.find("No such file or directory") != std::string::npos;
}

/// A list that the tool reads, gone with this object.
class ListFile {
public:
    ListFile(const std::string& folder, std::string_view text) : path_{folder + "/list-XXXXXX"} {
        const Fd file{::mkstemp(path_.data())};
        is_there_ = static_cast<bool>(file);
        good_ = file && supervisor::write_all(file.get(), text);
    }
    ListFile(const ListFile&) = delete;
    ListFile& operator=(const ListFile&) = delete;
    ~ListFile() {
        if (is_there_) ::unlink(path_.c_str());
    }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    bool is_there_ = false;
    bool good_ = false;
};

/// With a bound the copies go one after the other: each may then go as fast as the bound.
std::unique_lock<std::mutex> in_turn(std::mutex& mutex, std::int64_t bytes_per_s) {
    return bytes_per_s > 0 ? std::unique_lock{mutex} : std::unique_lock<std::mutex>{};
}

std::string below(const std::string& base, const std::string& name) {
    if (name.empty()) return base;
    return base.ends_with('/') || base.ends_with(':') ? base + name : base + "/" + name;
}

bool is_word(std::string_view text, std::string_view more) {
    return !text.empty() && std::ranges::all_of(text, [&](char letter) {
        return std::isalnum(static_cast<unsigned char>(letter)) != 0 || more.find(letter) != std::string_view::npos;
    });
}

bool is_rsync(std::string_view program) { return program.substr(program.rfind('/') + 1).starts_with("rsync"); }

}  // namespace

std::string rate_option(std::string_view program, std::int64_t bytes_per_s) {
    if (is_rsync(program)) return fmt::format("--bwlimit={}", std::max<std::int64_t>(bytes_per_s >> 10, 1));
    return fmt::format("--bwlimit={}B", bytes_per_s);
}

std::optional<std::string> fault_of(const ToolOptions& options) {
    constexpr std::string_view letters = "_-./:@";
    if (!is_word(options.base, letters) || options.base.starts_with(':') || options.base.starts_with('-')) {
        return fmt::format(
            "'{}' is no place for {}: it is REMOTE:PATH, a remote of its configuration, or an absolute path, of letters, digits "
            "and {}; keys and passwords belong into the configuration file",
            options.base, options.program, letters);
    }
    if (const auto at = options.base.find('@'); at != std::string::npos && options.base.substr(0, at).find(':') != std::string::npos &&
                                                !options.base.starts_with("rsync://")) {
        return fmt::format("{} has a password for all to read: put it into the configuration file", options.program);
    }
    if (options.base.starts_with("rsync://")) {
        const auto user = std::string_view{options.base}.substr(8);
        const auto at = user.find('@');
        if (at != std::string_view::npos && user.substr(0, at).find(':') != std::string_view::npos)
            return fmt::format("{} has a password for all to read: put it into the configuration file", options.program);
    }
    if (options.config.empty()) return std::nullopt;
    struct stat facts{};
    if (::stat(options.config.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode))
        return fmt::format("{} is no file that can be read; give {} its configuration there", options.config, options.program);
    if (facts.st_uid != ::geteuid() || (facts.st_mode & 077U) != 0) {
        return fmt::format("{} has mode {:04o} and belongs to user {}: it has keys, so make it 0600, of user {}", options.config,
                           facts.st_mode & 07777U, facts.st_uid, ::geteuid());
    }
    return std::nullopt;
}

// ---- rclone

std::string RcloneMover::far(const std::string& name) const { return below(options_.base, name); }

ToolRun RcloneMover::run_of(std::vector<std::string> words) const {
    words.insert(words.begin(), options_.program);
    for (const char* option : {"--retries=1", "--low-level-retries=3", "--timeout=60s", "--contimeout=15s"}) words.emplace_back(option);
    ToolRun run;
    run.words = std::move(words);
    run.environment = {"TZ=UTC", "RCLONE_CONFIG=" + (options_.config.empty() ? std::string{"/dev/null"} : options_.config)};
    run.stall = options_.stall;
    return run;
}

MoveResult<void> RcloneMover::send(const std::string& from, const std::string& to, ports::Copying& copying) {
    const auto turn = in_turn(paced_, options_.bytes_per_s);
    auto run = run_of({"copyto", from, far(to), "--ignore-times", "--stats=1s", "--stats-log-level=NOTICE", "--use-json-log"});
    if (options_.bytes_per_s > 0) run.words.push_back(rate_option(options_.program, options_.bytes_per_s));
    run.carried = [](const ToolAnswer& so_far) { return last_number_after(so_far.complaint, "\"bytes\":"); };
    const auto answer = run_tool(run, copying);
    if (!answer.ok()) return error_of(run, answer, false);
    return {};
}

MoveResult<void> RcloneMover::fetch(const std::string& from, const std::string& to, std::int64_t offset, ports::Copying& copying) {
    const auto turn = in_turn(paced_, options_.bytes_per_s);
    const Fd file{::open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file || ::ftruncate(file.get(), offset) != 0 || ::lseek(file.get(), offset, SEEK_SET) != offset)
        return failed(fmt::format("{} cannot be written", to));
    auto run = run_of({"cat", far(from), fmt::format("--offset={}", offset)});
    if (options_.bytes_per_s > 0) run.words.push_back(rate_option(options_.program, options_.bytes_per_s));
    run.out = file.get();
    run.carried = [number = file.get()](const ToolAnswer&) -> std::int64_t {
        struct stat facts{};
        return ::fstat(number, &facts) == 0 ? facts.st_size : 0;
    };
    const auto answer = run_tool(run, copying);
    if (!answer.ok()) return error_of(run, answer, is_no_file(answer));
    return {};
}

MoveResult<void> RcloneMover::rename(const std::string& from, const std::string& to) {
    ports::Unhindered unhindered;
    const auto run = run_of({"moveto", far(from), far(to)});
    const auto answer = run_tool(run, unhindered);
    if (!answer.ok()) return error_of(run, answer, is_no_file(answer));
    return {};
}

MoveResult<void> RcloneMover::remove(std::span<const std::string> names) {
    if (names.empty()) return {};
    const ListFile list{options_.aside, fmt::format("{}\n", fmt::join(names, "\n"))};
    if (!list.good()) return failed(fmt::format("no list can be written in {}", options_.aside));
    ports::Unhindered unhindered;
    const auto run = run_of({"delete", options_.base, "--files-from-raw=" + list.path()});
    const auto answer = run_tool(run, unhindered);
    if (!answer.ok() && !is_no_file(answer)) return error_of(run, answer, false);
    return {};
}

MoveResult<std::vector<FarFile>> RcloneMover::list(const std::string& folder) {
    ports::Unhindered unhindered;
    const auto run = run_of({"lsjson", far(folder), "--recursive", "--files-only", "--no-mimetype"});
    const auto answer = run_tool(run, unhindered);
    std::vector<FarFile> files;
    if (is_no_file(answer)) return files;
    if (!answer.ok()) return error_of(run, answer, false);
    const auto document = codec::read_json(answer.said, {.max_bytes = said_bytes_max, .max_depth = 8, .max_nodes = list_nodes_max});
    const auto* const items = document ? document->array() : nullptr;
    if (items == nullptr) return failed("rclone gave a list that is none");
    for (const auto& item : *items) {
        const auto* const path = item.find("Path");
        const auto* const size = item.find("Size");
        const auto* const changed = item.find("ModTime");
        if (path == nullptr || path->string() == nullptr || size == nullptr || size->integer() == nullptr) continue;
        files.push_back({*path->string(), *size->integer(),
                         changed != nullptr && changed->string() != nullptr ? seconds_of(*changed->string()) : 0});
    }
    return files;
}

MoveResult<std::optional<std::int64_t>> RcloneMover::room() {
    ports::Unhindered unhindered;
    const auto answer = run_tool(run_of({"about", options_.base, "--json"}), unhindered);
    // Most stores of objects do not say.
    if (!answer.ok() || answer.said.find("\"free\":") == std::string::npos) return std::optional<std::int64_t>{};
    return std::optional{last_number_after(answer.said, "\"free\":")};
}

// ---- rsync

ToolRun RsyncMover::run_of(std::vector<std::string> words) const {
    words.insert(words.begin(), options_.program);
    words.emplace_back("--timeout=60");
    if (!options_.config.empty()) words.push_back("--password-file=" + options_.config);
    ToolRun run;
    run.words = std::move(words);
    run.environment = {"TZ=UTC"};
    run.stall = options_.stall;
    return run;
}

namespace {

std::int64_t rsync_carried(const ToolAnswer& so_far) {
    std::string_view text = so_far.said;
    return last_number_after(text.substr(text.size() - std::min<std::size_t>(text.size(), 200)), "\r");
}

}  // namespace

MoveResult<void> RsyncMover::send(const std::string& from, const std::string& to, ports::Copying& copying) {
    const auto turn = in_turn(paced_, options_.bytes_per_s);
    auto run = run_of({"--mkpath", "--ignore-times", "--info=progress2", from, below(options_.base, to)});
    if (options_.bytes_per_s > 0) run.words.push_back(rate_option(options_.program, options_.bytes_per_s));
    run.carried = rsync_carried;
    const auto answer = run_tool(run, copying);
    if (!answer.ok()) return error_of(run, answer, false);
    return {};
}

MoveResult<void> RsyncMover::fetch(const std::string& from, const std::string& to, std::int64_t, ports::Copying& copying) {
    const auto turn = in_turn(paced_, options_.bytes_per_s);
    auto run = run_of({"--ignore-times", "--info=progress2", below(options_.base, from), to});
    if (options_.bytes_per_s > 0) run.words.push_back(rate_option(options_.program, options_.bytes_per_s));
    run.carried = rsync_carried;
    const auto answer = run_tool(run, copying);
    if (!answer.ok()) return error_of(run, answer, says_no_file(answer));
    return {};
}

MoveResult<void> RsyncMover::rename(const std::string& from, const std::string&) {
    return failed(fmt::format("rsync cannot give {} another name", from));
}

MoveResult<void> RsyncMover::remove(std::span<const std::string> names) {
    if (names.empty()) return {};
    std::set<std::string> patterns;
    for (const auto& name : names) {
        patterns.insert("/" + name);
        for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
            patterns.insert("/" + name.substr(0, slash + 1));
    }
    const ListFile list{options_.aside, fmt::format("{}\n", fmt::join(patterns, "\n"))};
    const auto nothing = options_.aside + "/nothing";
    if (!list.good() || (::mkdir(nothing.c_str(), 0700) != 0 && errno != EEXIST))
        return failed(fmt::format("no list can be written in {}", options_.aside));
    ports::Unhindered unhindered;
    const auto run = run_of({"--recursive", "--delete", "--include-from=" + list.path(), "--exclude=*", nothing + "/",
                             below(options_.base, "") + "/"});
    const auto answer = run_tool(run, unhindered);
    if (!answer.ok() && !says_no_file(answer)) return error_of(run, answer, false);
    return {};
}

MoveResult<std::vector<FarFile>> RsyncMover::list(const std::string& folder) {
    ports::Unhindered unhindered;
    const auto run = run_of({"--recursive", "--list-only", "--no-human-readable", below(options_.base, folder) + "/"});
    const auto answer = run_tool(run, unhindered);
    std::vector<FarFile> files;
    if (says_no_file(answer)) return files;
    if (!answer.ok()) return error_of(run, answer, false);
    std::string_view left = answer.said;
    while (!left.empty()) {
        auto line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(left.size(), line.size() + 1));
        // -rw-r--r--         300000 2026/11/24 03:38:59 blobs/ab/q
        if (!line.starts_with('-')) continue;
        std::vector<std::string_view> words;
        while (words.size() < 4 && !line.empty()) {
            const auto from = line.find_first_not_of(' ');
            if (from == std::string_view::npos) break;
            line.remove_prefix(from);
            words.push_back(line.substr(0, line.find(' ')));
            line.remove_prefix(words.back().size());
        }
        std::int64_t size = 0;
        if (words.size() < 4 || line.empty() ||
            std::from_chars(words[1].data(), words[1].data() + words[1].size(), size).ec != std::errc{})
            continue;
        files.push_back({std::string{line.substr(1)}, size, seconds_of(fmt::format("{} {}", words[2], words[3]))});
    }
    return files;
}

MoveResult<std::optional<std::int64_t>> RsyncMover::room() { return std::optional<std::int64_t>{}; }

}  // namespace weir::blobs_moved
