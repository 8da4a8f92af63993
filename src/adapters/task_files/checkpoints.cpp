#include "adapters/task_files/checkpoints.hpp"

#include "adapters/task_files/manifest.hpp"
#include "base/quantity.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <tuple>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::task_files {
namespace {

constexpr int folder_depth_max = 16;

auto bad(std::string_view name, std::string_view why) {
    return refuse(BackendFault::bad_checkpoint, fmt::format("checkpoint {} does not hold: {}; use the one before", name, why));
}

auto called_off(std::string_view name) {
    return refuse(BackendFault::unavailable, fmt::format("the reading of {} was called off", name));
}

struct Content {
    std::int64_t size = 0;
    Digest sha256;
};

enum class Read : std::uint8_t { whole = 1, broken = 2, called_off = 3 };

/// Size and digest of a file. One that grows while it is read is broken, and read no further.
std::pair<Read, Content> read_content(const Fd& file, ports::Copying& copying) {
    Content content;
    struct stat facts{};
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    if (fstat(file.get(), &facts) != 0 || !context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
        return {Read::broken, content};
    std::vector<char> room(1 << 20);
    while (true) {
        const auto got = read(file.get(), room.data(), room.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return {Read::broken, content};
        if (got == 0) break;
        EVP_DigestUpdate(context.get(), room.data(), static_cast<std::size_t>(got));
        content.size += got;
        if (content.size > facts.st_size) return {Read::broken, content};
        if (copying.onward(got) != ports::Onward::go_on) return {Read::called_off, content};
    }
    EVP_DigestFinal_ex(context.get(), content.sha256.bytes.data(), nullptr);
    return {content.size == facts.st_size ? Read::whole : Read::broken, content};
}

/// Why a checkpoint is not taken: a fault of its own, or that nobody waits for it any more (then it has no words).
using Fault = std::optional<std::string>;
const std::string nobody_waits;

/// What is wrong with one file, or nothing.
Fault find_fault(int folder, const ports::ManifestEntry& entry, ports::Copying& copying) {
    const Fd file = open_regular(folder, entry.path);
    if (!file) return fmt::format("{} is not a plain file that can be read", entry.path);
    struct stat facts{};
    if (fstat(file.get(), &facts) != 0 || facts.st_size != entry.size) {
        return fmt::format("{} has {} bytes, its manifest says {}", entry.path, facts.st_size, entry.size);
    }
    const auto [read, content] = read_content(file, copying);
    if (read == Read::called_off) return nobody_waits;
    if (read == Read::broken || content.size != entry.size) return fmt::format("{} changed or broke while it was read", entry.path);
    if (content.sha256 != entry.sha256) {
        return fmt::format("{} has digest {:.12}, its manifest says {:.12}", entry.path, content.sha256.text(), entry.sha256.text());
    }
    return std::nullopt;
}

/// Gives every plain file below `folder` to `take`, with its path; what is neither file nor folder makes the whole thing bad.
using TakeFile = std::function<Fault(const Fd& file, const std::string& path)>;

Fault each_file(int folder, const std::string& prefix, int depth, std::size_t& files, const TakeFile& take) {
    // The manifest is one more. One who fills a folder with names fills no memory of ours.
    const auto names = list_at_most(folder, manifest_files_max + 1);
    if (!names) return fmt::format("there are more than {} files", manifest_files_max);
    for (const auto& name : *names) {
        const auto path = prefix + name;
        if (!is_safe_path(path)) return fmt::format("a file name in {} cannot be kept", prefix.empty() ? "it" : prefix);
        if (const Fd below = open_folder(folder, name)) {
            if (depth == folder_depth_max) return fmt::format("{} is deeper than {} folders", path, folder_depth_max);
            if (auto fault = each_file(below.get(), path + "/", depth + 1, files, take)) return fault;
            continue;
        }
        const Fd file = open_regular(folder, name);
        if (!file) return fmt::format("{} is not a plain file that can be read", path);
        if (files++ > manifest_files_max) return fmt::format("there are more than {} files", manifest_files_max);
        if (auto fault = take(file, path)) return fault;
    }
    return std::nullopt;
}

/// Lists every plain file below `folder` with its digest.
Fault collect(int folder, std::vector<ports::ManifestEntry>& found, ports::Copying& copying) {
    std::size_t files = 0;
    return each_file(folder, "", 0, files, [&](const Fd& file, const std::string& path) -> Fault {
        if (found.size() == manifest_files_max) return fmt::format("there are more than {} files", manifest_files_max);
        const auto [read, content] = read_content(file, copying);
        if (read == Read::called_off) return nobody_waits;
        if (read == Read::broken) return fmt::format("{} changed or broke while it was read", path);
        found.push_back({.size = content.size, .sha256 = content.sha256, .path = path});
        return std::nullopt;
    });
}

/// What edition_of() looks at.
constexpr unsigned edition_mask = STATX_INO | STATX_BTIME | STATX_MTIME;

/// Tells a folder from the one that had its place before: when it was made, because a file system may give a number again, and not when it
/// was changed, because a folder that is being removed is not published anew. Some file systems do not know when a folder was made; there
/// its last change has to do, which a new name is not.
statx_timestamp made_at(const struct statx& facts) { return (facts.stx_mask & STATX_BTIME) != 0 ? facts.stx_btime : facts.stx_mtime; }
std::string edition_of(const struct statx& facts) {
    const auto made = made_at(facts);
    return fmt::format("{}:{}.{:09}", facts.stx_ino, made.tv_sec, made.tv_nsec);
}

/// The line above a manifest that is kept: of which folder it is. Nothing where that cannot be told.
std::optional<std::string> head_of(int folder) {
    struct statx facts{};
    if (statx(folder, "", AT_EMPTY_PATH, edition_mask, &facts) != 0) return std::nullopt;
    return fmt::format("edition {}\n", edition_of(facts));
}

/// The manifest that was made here for this folder before.
std::optional<std::string> kept_manifest(int folder, int manifests, const std::string& name) {
    const auto head = head_of(folder);
    if (!head) return std::nullopt;
    const auto text = read_text(manifests, name, head->size() + manifest_bytes_max);
    if (!text || !text->starts_with(*head)) return std::nullopt;
    return text->substr(head->size());
}

/// The manifest of the task, or the one made here before, or one made now.
struct Claim {
    std::vector<ports::ManifestEntry> files{};
    bool by_task = false;
    bool made_now = false;
};

Result<Claim, std::string> find_claim(int folder, int manifests, const std::string& name, ports::Copying& copying) {
    struct stat facts{};
    const bool sealed = fstatat(folder, manifest_file, &facts, AT_SYMLINK_NOFOLLOW) == 0;
    auto text = sealed ? read_text(folder, manifest_file, manifest_bytes_max) : kept_manifest(folder, manifests, name);
    if (sealed && !text) return fail(fmt::format("its {} is not a plain file of at most {} bytes", manifest_file, manifest_bytes_max));
    if (text) {
        auto files = parse_manifest(*text);
        if (!files) return fail(fmt::format("of its {}, {}", manifest_file, files.error()));
        return Claim{.files = std::move(*files), .by_task = sealed};
    }
    Claim claim{.made_now = true};
    if (auto fault = collect(folder, claim.files, copying)) return fail(std::move(*fault));
    if (claim.files.empty()) return fail(std::string{"it has no file"});
    return claim;
}

BackendResult<Fd> open_checkpoint(int checkpoints, const std::string& name) {
    Fd folder = is_safe_name(name) ? open_folder(checkpoints, name) : Fd{};
    if (!folder) return refuse(BackendFault::not_found, fmt::format("there is no checkpoint {}; list them first", name));
    return folder;
}

BackendResult<void> write_file(int folder, const std::string& name, const ports::ManifestEntry& entry, std::optional<Owner> owner,
                               const ports::FetchFile& fetch, ports::Copying& copying) {
    const Fd file = open_beneath(folder, name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!file) return fail(cannot("create", entry.path, errno));
    WEIR_CHECK(fetch(entry, file.get()));
    if (lseek(file.get(), 0, SEEK_SET) != 0) return fail(cannot("read back", entry.path, errno));
    const auto [read, content] = read_content(file, copying);
    if (read == Read::called_off) return called_off(entry.path);
    if (read == Read::broken) return fail(cannot("read back", entry.path, errno));
    if (content.size != entry.size || content.sha256 != entry.sha256) {
        return refuse(BackendFault::bad_checkpoint,
                      fmt::format("{} came as {} bytes with digest {:.12}, wanted {} with {:.12}; fetch it again", entry.path,
                                  content.size, content.sha256.text(), entry.size, entry.sha256.text()));
    }
    if (owner && fchown(file.get(), owner->uid, owner->gid) != 0) return fail(cannot("change the owner of", entry.path, errno));
    if (fsync(file.get()) != 0) return fail(cannot("sync", entry.path, errno));
    return {};
}

}  // namespace

BackendResult<std::vector<ports::PublishedCheckpoint>> list_checkpoints(int checkpoints) {
    auto there = list_at_most(checkpoints, checkpoint_names_max);
    if (!there) {
        return refuse(BackendFault::bad_checkpoint,
                      fmt::format("there are more than {} names in WEIR_CHECKPOINT_DIR: nothing of them is stored until there are fewer; "
                                  "the task must remove old checkpoints",
                                  checkpoint_names_max));
    }
    std::vector<ports::PublishedCheckpoint> published;
    for (auto& name : *there) {
        struct statx facts{};
        constexpr auto wanted = STATX_BASIC_STATS | edition_mask;
        if (!is_safe_name(name) || statx(checkpoints, name.c_str(), AT_SYMLINK_NOFOLLOW, wanted, &facts) != 0 || !S_ISDIR(facts.stx_mode))
            continue;
        // By when they were made: who thins out an older one changes it, and does not make it the newest.
        const auto made = made_at(facts);
        published.push_back(
            {std::move(name), edition_of(facts), facts.stx_ctime.tv_sec, std::int64_t{made.tv_sec} * 1'000'000'000 + made.tv_nsec});
    }
    std::ranges::sort(published, [](const auto& a, const auto& b) { return std::tie(a.made_ns, a.name) < std::tie(b.made_ns, b.name); });
    return published;
}

BackendResult<ports::CheckpointSize> measure_checkpoint(int checkpoints, const std::string& name) {
    const Fd folder = WEIR_TRY(open_checkpoint(checkpoints, name));
    ports::CheckpointSize size;
    std::size_t files = 0;
    const auto fault = each_file(folder.get(), "", 0, files, [&](const Fd& file, const std::string& path) -> Fault {
        struct stat facts{};
        if (fstat(file.get(), &facts) != 0) return fmt::format("{} cannot be looked at", path);
        const auto sum = checked_add(size.bytes, facts.st_size);
        if (!sum) return fmt::format("with {} its files say more bytes than can be counted", path);
        size.bytes = *sum;
        // Each name of a file becomes a file of its own where it is copied to.
        size.on_disk_bytes += std::int64_t{facts.st_blocks} * 512 / std::max<std::int64_t>(static_cast<std::int64_t>(facts.st_nlink), 1);
        return std::nullopt;
    });
    if (fault) return bad(name, *fault);
    return size;
}

BackendResult<ports::Checkpoint> inspect_checkpoint(int checkpoints, int manifests, const std::string& name, ports::Copying& copying) {
    const Fd folder = WEIR_TRY(open_checkpoint(checkpoints, name));
    auto claim = find_claim(folder.get(), manifests, name, copying);
    if (!claim && claim.error() == nobody_waits) return called_off(name);
    if (!claim) return bad(name, claim.error());
    if (claim->made_now) {
        const auto head = head_of(folder.get());
        if (!head) return fail(cannot("look at", name, errno));
        const auto text = *head + print_manifest(claim->files);
        if (!supervisor::replace_file(manifests, name.c_str(), ".new", text, 0600, supervisor::Durable::yes)) {
            return fail(cannot("keep the manifest of", name, errno));
        }
    } else {
        for (const auto& entry : claim->files) {
            const auto fault = find_fault(folder.get(), entry, copying);
            if (fault == nobody_waits) return called_off(name);
            if (fault) return bad(name, *fault);
        }
    }
    return make_checkpoint(name, std::move(claim->files), claim->by_task);
}

BackendResult<Fd> open_checkpoint_file(int checkpoints, const std::string& name, const std::string& path) {
    const Fd folder = is_safe_name(name) ? open_folder(checkpoints, name) : Fd{};
    Fd file = folder && is_safe_path(path) ? open_regular(folder.get(), path) : Fd{};
    if (!file) return refuse(BackendFault::not_found, fmt::format("checkpoint {} has no plain file {}; inspect it again", name, path));
    return file;
}

namespace {

constexpr const char* aside = ".tmp";         ///< What is being installed.
constexpr const char* aside_before = ".old";  ///< What was, and came to no end: some of its files may be of use.

/// The files that lie in a folder of installed checkpoints, by what is in them as their manifests say. Each is given once: two files of a
/// checkpoint that are the same do not become one, for a task may write to one of them.
class AtHand {
public:
    explicit AtHand(int folder) {
        for (const auto& name : list_folder(folder)) {
            Fd lies = open_folder(folder, name);
            const auto text = lies ? read_text(lies.get(), manifest_file, manifest_bytes_max) : std::nullopt;
            if (!text) continue;
            auto files = parse_manifest(*text);
            if (!files) continue;
            folders_.push_back(std::move(lies));
            for (auto& file : *files) files_.emplace(std::pair{file.sha256, file.size}, Place{folders_.size() - 1, std::move(file.path)});
        }
    }
    /// A file that should be this one: opened, and not to be had again. None where there is none.
    [[nodiscard]] Fd take(const ports::ManifestEntry& wanted) {
        const auto found = files_.find({wanted.sha256, wanted.size});
        if (found == files_.end()) return {};
        const auto place = std::move(files_.extract(found).mapped());
        return open_regular(folders_[place.folder].get(), place.path);
    }
    [[nodiscard]] bool has_more(const ports::ManifestEntry& wanted) const { return files_.contains({wanted.sha256, wanted.size}); }

private:
    struct Place {
        std::size_t folder = 0;
        std::string path{};
    };
    std::vector<Fd> folders_;
    std::multimap<std::pair<Digest, std::int64_t>, Place> files_;
};

/// Where a file of a checkpoint goes: its folder, made where it is not there.
struct Spot {
    std::vector<Fd> way{};
    int folder = -1;
    std::string name{};
};

BackendResult<Spot> spot_of(int folder, const ports::ManifestEntry& entry, std::optional<Owner> owner) {
    Spot spot{.folder = folder};
    std::string_view rest = entry.path;
    for (auto slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
        spot.way.push_back(WEIR_TRY(make_folder(spot.folder, std::string{rest.substr(0, slash)}, 0700, owner)));
        spot.folder = spot.way.back().get();
        rest.remove_prefix(slash + 1);
    }
    spot.name = rest;
    return spot;
}

/// Whether the file that was opened is this one, byte for byte.
Read compare(const Fd& file, const ports::ManifestEntry& entry, ports::Copying& copying) {
    struct stat facts{};
    if (fstat(file.get(), &facts) != 0 || facts.st_size != entry.size) return Read::broken;
    const auto [read, content] = read_content(file, copying);
    if (read != Read::whole) return read;
    return content.size == entry.size && content.sha256 == entry.sha256 ? Read::whole : Read::broken;
}

/// Puts a file that lies here already where it is to be, if there is one: by another name of the very file that was compared. True where it
/// is there.
BackendResult<bool> link_file(const Spot& spot, const ports::ManifestEntry& entry, AtHand& at_hand, ports::Copying& copying) {
    while (at_hand.has_more(entry)) {
        const Fd file = at_hand.take(entry);
        const auto read = file ? compare(file, entry, copying) : Read::broken;
        if (read == Read::called_off) return called_off(entry.path);
        // What half a checkpoint has may not have reached the disk.
        if (read == Read::broken || fsync(file.get()) != 0) continue;
        const auto opened = fmt::format("/proc/self/fd/{}", file.get());
        if (linkat(AT_FDCWD, opened.c_str(), spot.folder, spot.name.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
        if (errno == EEXIST) return fail(cannot("link", entry.path, EEXIST));
    }
    return false;
}

/// Makes room for what is to be installed; what an earlier attempt left is kept for its files.
BackendResult<void> set_aside(int folder) {
    const Fd left = open_folder(folder, aside);
    if (!left) return remove_tree(folder, aside) ? BackendResult<void>{} : fail(cannot("clear", aside, errno));
    if (!remove_tree(folder, aside_before)) return fail(cannot("clear", aside_before, errno));
    if (renameat(folder, aside, folder, aside_before) != 0) return fail(cannot("set aside", aside, errno));
    return {};
}

/// Gives what is whole its name, which another may bear until then.
BackendResult<void> publish(int folder, const std::string& name) {
    if (renameat2(folder, aside, folder, name.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno == EEXIST && renameat2(folder, aside, folder, name.c_str(), RENAME_EXCHANGE) == 0) return {};
    // Not every file system knows how to exchange two names.
    if (!remove_tree(folder, name) || renameat(folder, aside, folder, name.c_str()) != 0) return fail(cannot("publish", name, errno));
    return {};
}

/// What is left here and cannot be removed now is removed with the task.
void drop_others(int folder, const std::string& name) {
    for (const auto& other : list_folder(folder)) {
        if (other != name) (void)remove_tree(folder, other);
    }
}

}  // namespace

std::int64_t bytes_at_hand(int folder, const ports::Checkpoint& checkpoint) {
    AtHand at_hand{folder};
    std::int64_t bytes = 0;
    for (const auto& entry : checkpoint.files) {
        if (at_hand.take(entry)) bytes += entry.size;
    }
    return bytes;
}

BackendResult<void> drop_installed(int folder) {
    for (const auto& name : list_folder(folder)) {
        if (!remove_tree(folder, name)) return fail(cannot("remove", name, errno));
    }
    return {};
}

BackendResult<void> install_checkpoint(int folder, const ports::Checkpoint& checkpoint, std::optional<Owner> owner,
                                       const ports::FetchFile& fetch, ports::Copying& copying) {
    const auto text = print_manifest(checkpoint.files);
    const auto wanted = parse_manifest(text);
    if (!is_safe_name(checkpoint.name) || !wanted || sha256(text) != checkpoint.digest) {
        return refuse(BackendFault::invalid, fmt::format("checkpoint {} has no sound list of files; inspect it anew", checkpoint.name));
    }
    const Fd there = open_folder(folder, checkpoint.name);
    if (there && read_text(there.get(), manifest_file, manifest_bytes_max) == text) {
        drop_others(folder, checkpoint.name);
        return {};
    }
    WEIR_CHECK(set_aside(folder));
    AtHand at_hand{folder};
    const Fd target = WEIR_TRY(make_folder(folder, aside, 0700, owner));
    // First, so that the files of half a checkpoint are of use to the next attempt.
    const Fd manifest = open_beneath(target.get(), manifest_file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    const bool written = manifest && supervisor::write_all(manifest.get(), text) && fsync(manifest.get()) == 0 &&
                         (!owner || fchown(manifest.get(), owner->uid, owner->gid) == 0);
    if (!written) return fail(cannot("write", manifest_file, errno));
    for (const auto& entry : *wanted) {
        const auto spot = WEIR_TRY(spot_of(target.get(), entry, owner));
        if (WEIR_TRY(link_file(spot, entry, at_hand, copying))) continue;
        WEIR_CHECK(write_file(spot.folder, spot.name, entry, owner, fetch, copying));
    }
    if (fsync(target.get()) != 0) return fail(cannot("sync", checkpoint.name, errno));
    WEIR_CHECK(publish(folder, checkpoint.name));
    if (fsync(folder) != 0) return fail(cannot("sync the folder of", checkpoint.name, errno));
    drop_others(folder, checkpoint.name);
    return {};
}

}  // namespace weir::task_files
