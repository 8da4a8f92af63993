#include "adapters/task_files/outputs.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

using ports::Outputs;

constexpr std::size_t left_out_max = 100;  ///< Lines that say what is left out.
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

/// A file or a link before a byte of it is read.
struct Found {
    std::string path;
    std::string facts;
    std::string target;  ///< Of a link.
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    EntryKind kind = EntryKind::file;
};

struct Walk {
    std::vector<Found> found;
    Outputs& outputs;
    bool is_full = false;
    std::size_t names = 0;

    void leave_out(const std::string& path, std::string_view why) {
        if (outputs.left_out.size() < left_out_max) outputs.left_out.push_back(fmt::format("{}: {}", escaped(path), why));
    }
};

std::int64_t ns_of(const timespec& at) { return at.tv_sec * 1'000'000'000 + at.tv_nsec; }

std::string facts_of(const struct stat& facts) {
    return fmt::format("{}.{}.{}.{}.{:o}", facts.st_ino, facts.st_size, ns_of(facts.st_mtim), ns_of(facts.st_ctim), facts.st_mode);
}

void take_link(int folder, const std::string& name, const std::string& path, Walk& walk) {
    std::array<char, limits::tree_path_bytes_max + 1> room{};
    const auto length = readlinkat(folder, name.c_str(), room.data(), room.size());
    if (length < 0) return;  // It is gone by now.
    const std::string target{room.data(), static_cast<std::size_t>(length)};
    if (const auto fault = link_fault(path, target)) return walk.leave_out(path, "the link " + *fault);
    walk.found.push_back({.path = path, .facts = {}, .target = target, .size = 0, .changed_ns = 0, .kind = EntryKind::link});
}

void walk_folder(int folder, const std::string& prefix, std::size_t depth, Walk& walk) {
    const auto names = list_at_most(folder, limits::tree_files_max - std::min(walk.names, limits::tree_files_max));
    if (!names) {
        walk.is_full = true;
        return;
    }
    walk.names += names->size();
    for (const auto& name : *names) {
        if (walk.is_full) return;
        if (name.starts_with(".tmp-") || (prefix.empty() && name.starts_with(".weir-"))) continue;
        const auto path = prefix + name;
        if (const auto fault = path_fault(path)) {
            walk.leave_out(path, *fault);
            continue;
        }
        struct stat facts{};
        if (fstatat(folder, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;  // It is gone by now.
        if (S_ISDIR(facts.st_mode)) {
            const Fd below = depth < limits::tree_depth_max ? open_folder(folder, name) : Fd{};
            if (below) {
                walk_folder(below.get(), path + "/", depth + 1, walk);
            } else {
                walk.leave_out(path, "the folder cannot be opened");
            }
        } else if (S_ISLNK(facts.st_mode)) {
            take_link(folder, name, path, walk);
        } else if (S_ISREG(facts.st_mode)) {
            walk.outputs.bytes += facts.st_size;
            walk.found.push_back({.path = path,
                                  .facts = facts_of(facts),
                                  .target = {},
                                  .size = facts.st_size,
                                  .changed_ns = std::max(ns_of(facts.st_mtim), ns_of(facts.st_ctim)),
                                  .kind = (facts.st_mode & S_IXUSR) != 0 ? EntryKind::executable : EntryKind::file});
        } else {
            walk.leave_out(path, "it is no plain file, folder or link");
        }
    }
}

enum class Read : std::uint8_t { whole = 1, changed = 2, called_off = 3 };

/// The digest of the very file that was found, or that it is another by now.
std::pair<Read, Digest> read_found(int folder, const Found& found, ports::Copying& copying) {
    Digest digest;
    const Fd file = open_regular(folder, found.path);
    const auto is_same = [&] {
        struct stat facts{};
        return file && fstat(file.get(), &facts) == 0 && facts_of(facts) == found.facts;
    };
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    if (!is_same() || !context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return {Read::changed, digest};
    std::vector<char> room(piece_bytes);
    for (std::int64_t at = 0; at < found.size;) {
        const auto got = pread(file.get(), room.data(), room.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return {Read::changed, digest};
        EVP_DigestUpdate(context.get(), room.data(), static_cast<std::size_t>(got));
        at += got;
        if (copying.onward(got) != ports::Onward::go_on) return {Read::called_off, digest};
    }
    EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr);
    return {is_same() ? Read::whole : Read::changed, digest};
}

/// The file as it was known before, where it was.
const ports::KnownOutput* known_of(const ports::OutputLook& look, const std::string& path) {
    if (look.known == nullptr) return nullptr;
    const auto known = look.known->find(path);
    return known == look.known->end() ? nullptr : &known->second;
}

}  // namespace

BackendResult<Outputs> collect_outputs(int folder, const ports::OutputLook& look, std::int64_t now_ns, ports::Copying& copying) {
    Outputs outputs;
    Walk walk{.found = {}, .outputs = outputs};
    walk_folder(folder, "", 1, walk);
    if (walk.is_full) outputs.fault = OutputFault::too_many_files;
    if (outputs.bytes > look.bytes_max) outputs.fault = OutputFault::over_quota;
    if (outputs.fault) return outputs;
    std::vector<TreeEntry> entries;
    for (auto& found : walk.found) {
        if (found.kind == EntryKind::link) {
            entries.push_back({found.path, found.kind, 0, {}, std::move(found.target)});
            continue;
        }
        const auto* before = known_of(look, found.path);
        ports::KnownOutput now{.facts = found.facts, .size = found.size, .digest = {}};
        const bool is_settled = !look.settled_s || found.changed_ns + *look.settled_s * 1'000'000'000 <= now_ns;
        if (before != nullptr && before->facts == found.facts) {
            now = *before;
        } else if (is_settled) {
            const auto [read, digest] = read_found(folder, found, copying);
            if (read == Read::called_off) return refuse(BackendFault::unavailable, "the reading of outputs was called off");
            if (read == Read::changed && !look.settled_s) {
                walk.leave_out(found.path, "it changed or broke while it was read");
                continue;
            }
            now.digest = digest;
            if (read == Read::changed) now = before != nullptr ? *before : ports::KnownOutput{};
        } else {
            // What is written just now is told as it was.
            now = before != nullptr ? *before : ports::KnownOutput{};
        }
        if (now.facts.empty()) continue;
        entries.push_back({found.path, found.kind, now.size, now.digest, {}});
        outputs.known.emplace(found.path, std::move(now));
    }
    auto tree = make_tree(std::move(entries));
    if (!tree) return refuse(BackendFault::invalid, fmt::format("the outputs are not kept: {}", tree.error()));
    outputs.tree = std::move(*tree);
    return outputs;
}

}  // namespace weir::task_files
