#include "apps/client/pack.hpp"

#include "apps/client/ignore_rules.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <unordered_map>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::cli {
namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t unsure_ns = 2 * ns_per_s;
constexpr std::size_t rules_bytes_max = std::size_t{1} << 20;
constexpr std::string_view memory_head = "weir-digests 1 ";

std::int64_t ns_of(const timespec& at) { return at.tv_sec * ns_per_s + at.tv_nsec; }

/// What must stay for the digest to stay.
struct Mark {
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;
    std::uint64_t inode = 0;
    bool operator==(const Mark&) const = default;
};
Mark mark_of(const struct stat& facts) { return {facts.st_size, ns_of(facts.st_mtim), ns_of(facts.st_ctim), facts.st_ino}; }

struct Remembered {
    Mark mark;
    Digest digest;
};
using Memory = std::unordered_map<std::string, Remembered>;

Memory read_memory(const std::string& path) {
    Memory memory;
    std::ifstream file{path, std::ios::binary};
    std::string line;
    if (!std::getline(file, line) || !line.starts_with(memory_head)) return memory;
    std::int64_t looked_ns = 0;
    std::from_chars(line.data() + memory_head.size(), line.data() + line.size(), looked_ns);
    while (std::getline(file, line)) {
        Remembered one;
        const auto* at = line.data();
        const auto* const end = at + line.size();
        const auto number = [&](auto& out) {
            const auto [stop, error] = std::from_chars(at, end, out);
            if (error != std::errc{} || stop == end || *stop != ' ') return false;
            at = stop + 1;
            return true;
        };
        if (!number(one.mark.size) || !number(one.mark.modified_ns) || !number(one.mark.changed_ns) || !number(one.mark.inode)) return {};
        if (end - at < 66) return {};
        const auto digest = Digest::parse({at, 64});
        if (!digest) return {};
        one.digest = *digest;
        if (std::max(one.mark.modified_ns, one.mark.changed_ns) + unsure_ns >= looked_ns) continue;
        memory.emplace(std::string{at + 65, end}, one);
    }
    return memory;
}

/// A memory that cannot be written is none: the next time everything is read.
void write_memory(const std::string& path, const Memory& memory, std::int64_t looked_ns) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), error);
    const auto aside = fmt::format("{}.{}", path, ::getpid());
    std::string text = fmt::format("{}{}\n", memory_head, looked_ns);
    for (const auto& [name, one] : memory) {
        text += fmt::format("{} {} {} {} {} {}\n", one.mark.size, one.mark.modified_ns, one.mark.changed_ns, one.mark.inode,
                            one.digest.text(), name);
    }
    const int file = ::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return;
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(file);
    if (!written || ::rename(aside.c_str(), path.c_str()) != 0) ::unlink(aside.c_str());
}

Failure cannot(std::string_view what, const std::string& path) {
    return usage(fmt::format("cannot {} {}: {}", what, escaped(path), std::strerror(errno)));
}

Result<Digest, Failure> digest_of(int file, const std::string& path) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    Digest digest;
    std::vector<char> room(std::size_t{1} << 20);
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return fail(usage("SHA-256 is not to be had here"));
    while (true) {
        const auto got = ::read(file, room.data(), room.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(cannot("read", path));
        if (got == 0) break;
        EVP_DigestUpdate(context.get(), room.data(), static_cast<std::size_t>(got));
    }
    EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr);
    return digest;
}

class Fd {
public:
    explicit Fd(int fd) : fd_{fd} {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

class Walk {
public:
    Walk(std::string top, Memory before) : top_{std::move(top)}, before_{std::move(before)} {}

    [[nodiscard]] Done folder(int parent, const char* name, const std::string& path) {
        const int opened = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (path.empty() ? 0 : O_NOFOLLOW));
        if (opened < 0) return fail(cannot("open", at(path)));
        const std::unique_ptr<DIR, decltype(&::closedir)> listing{::fdopendir(opened), &::closedir};
        add_rules(opened, path);
        std::vector<std::string> names;
        while (const auto* entry = ::readdir(listing.get())) {
            const std::string_view found = entry->d_name;
            if (found != "." && found != "..") names.emplace_back(found);
        }
        std::ranges::sort(names);
        for (const auto& one : names) WEIR_CHECK(this->entry(opened, one, path.empty() ? one : path + "/" + one));
        return {};
    }

    std::vector<TreeEntry> entries;
    [[nodiscard]] Done only(int parent, const std::string& name) {
        struct stat facts{};
        if (::fstatat(parent, name.c_str(), &facts, 0) != 0) return fail(cannot("look at", at(name)));
        if (!S_ISREG(facts.st_mode)) return fail(usage(fmt::format("'{}' is no plain file", escaped(at(name)))));
        return file(parent, name, name, facts);
    }

    Memory after;
    std::map<Digest, std::string> where;
    std::int64_t files_read = 0;

private:
    [[nodiscard]] std::string at(const std::string& path) const { return path.empty() ? top_ : top_ + "/" + path; }

    void add_rules(int folder, const std::string& path) {
        for (const char* name : {".gitignore", ".weirignore"}) {
            const Fd file{::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
            if (!file) continue;
            std::string text(rules_bytes_max, '\0');
            const auto got = ::read(file.get(), text.data(), text.size());
            if (got > 0) rules_.add(path, std::string_view{text}.substr(0, static_cast<std::size_t>(got)));
        }
    }

    [[nodiscard]] Done entry(int parent, const std::string& name, const std::string& path) {
        struct stat facts{};
        if (::fstatat(parent, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return fail(cannot("look at", at(path)));
        if (rules_.is_left_out(path, S_ISDIR(facts.st_mode))) return {};
        if (auto fault = path_fault(path)) return fail(usage(fmt::format("workdir: '{}' {}", escaped(path), *fault)));
        if (S_ISDIR(facts.st_mode)) return folder(parent, name.c_str(), path);
        if (S_ISLNK(facts.st_mode)) return link(parent, name, path);
        if (S_ISREG(facts.st_mode)) return file(parent, name, path, facts);
        return fail(usage(fmt::format("workdir: '{}' is a {}, which cannot be sent; name it in .weirignore", escaped(path),
                                      S_ISFIFO(facts.st_mode)   ? "FIFO"
                                      : S_ISSOCK(facts.st_mode) ? "socket"
                                                                : "device file")));
    }

    [[nodiscard]] Done link(int parent, const std::string& name, const std::string& path) {
        std::string target(limits::tree_path_bytes_max + 1, '\0');
        const auto length = ::readlinkat(parent, name.c_str(), target.data(), target.size());
        if (length < 0) return fail(cannot("read the link", at(path)));
        target.resize(static_cast<std::size_t>(length));
        if (auto fault = link_fault(path, target))
            return fail(usage(fmt::format("workdir: '{}' {}, or name it in .weirignore", escaped(path), *fault)));
        entries.push_back({path, EntryKind::link, 0, {}, std::move(target)});
        return {};
    }

    [[nodiscard]] Done file(int parent, const std::string& name, const std::string& path, const struct stat& facts) {
        Remembered one{mark_of(facts), {}};
        if (const auto known = before_.find(path); known != before_.end() && known->second.mark == one.mark) {
            one.digest = known->second.digest;
        } else {
            const Fd file{::openat(parent, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
            if (!file) return fail(cannot("open", at(path)));
            one.digest = WEIR_TRY(digest_of(file.get(), at(path)));
            struct stat later{};
            if (::fstat(file.get(), &later) != 0 || mark_of(later) != one.mark)
                return fail(usage(fmt::format("workdir: '{}' changed while it was read; submit again when it is at rest", escaped(path))));
            ++files_read;
        }
        const bool executable = (facts.st_mode & S_IXUSR) != 0;
        entries.push_back({path, executable ? EntryKind::executable : EntryKind::file, facts.st_size, one.digest, {}});
        where.emplace(one.digest, path);
        after.emplace(path, one);
        return {};
    }

    std::string top_;
    Memory before_;
    IgnoreRules rules_;
};

/// Paths that differ in case alone: two files here, and where the tenant's next machine is none of Linux, one.
std::vector<std::string> case_warnings(const Tree& tree) {
    std::vector<std::string> warnings;
    std::unordered_map<std::string, const std::string*> seen;
    for (const auto& entry : tree.entries) {
        auto lower = entry.path;
        std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        const auto [known, is_new] = seen.emplace(std::move(lower), &entry.path);
        if (!is_new) {
            warnings.push_back(fmt::format("'{}' and '{}' differ in case alone; on the sites, which are Linux, they are two files",
                                           *known->second, entry.path));
        }
    }
    return warnings;
}

}  // namespace

Result<Packed, Failure> pack(const std::string& folder, const std::string& memory) {
    std::error_code error;
    const auto top = std::filesystem::absolute(folder, error).lexically_normal().string();
    if (!std::filesystem::is_directory(top, error))
        return fail(usage(fmt::format("workdir is '{}', which is no folder here; name one that is", escaped(folder))));
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    Walk walk{top, memory.empty() ? Memory{} : read_memory(memory)};
    WEIR_CHECK(walk.folder(AT_FDCWD, top.c_str(), {}));
    if (!memory.empty()) write_memory(memory, walk.after, ns_of(now));
    auto tree = make_tree(std::move(walk.entries));
    if (!tree) return fail(usage("workdir: " + tree.error()));
    auto warnings = case_warnings(*tree);
    return Packed{top, std::move(*tree), std::move(walk.where), walk.files_read, std::move(warnings)};
}

Result<Packed, Failure> pack_file(const std::string& path) {
    std::error_code error;
    const auto whole = std::filesystem::absolute(path, error).lexically_normal();
    const auto folder = whole.parent_path().string();
    const Fd parent{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!parent) return fail(cannot("open", folder));
    Walk walk{folder, {}};
    WEIR_CHECK(walk.only(parent.get(), whole.filename().string()));
    auto tree = make_tree(std::move(walk.entries));
    if (!tree) return fail(usage(tree.error()));
    return Packed{folder, std::move(*tree), std::move(walk.where), walk.files_read, {}};
}

std::string memory_of(const Console& console, const std::string& folder) {
    std::error_code error;
    const auto top = std::filesystem::weakly_canonical(folder, error).string();
    auto base = console.environment("XDG_CACHE_HOME");
    if (!base || base->empty()) {
        const auto home = console.environment("HOME");
        if (!home || home->empty()) return {};
        base = *home + "/.cache";
    }
    return fmt::format("{}/weir/digests-{}", *base, sha256(top).text().substr(0, 16));
}

}  // namespace weir::cli
