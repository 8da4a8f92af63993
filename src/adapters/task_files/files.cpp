#include "adapters/task_files/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weir::task_files {

BackendError cannot(std::string_view what, std::string_view path, int error) {
    return {.fault = BackendFault::unavailable,
            .message = fmt::format("could not {} {}: {}; mend that and try again", what, path, std::generic_category().message(error))};
}

namespace {

/// As openat2() below, folder by folder: for kernels before 5.6, which do not have it.
Fd walk_beneath(int directory, std::string_view path, int flags, mode_t mode) {
    Fd folder;
    int from = directory;
    while (true) {
        const auto length = path.find('/');
        const std::string name{path.substr(0, length)};
        if (name.empty() || name == "..") {
            errno = path.empty() ? ENOENT : EXDEV;
            return {};
        }
        if (length == std::string_view::npos) return Fd{openat(from, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode)};
        folder = Fd{openat(from, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!folder) return {};
        from = folder.get();
        path.remove_prefix(length + 1);
    }
}

}  // namespace

Fd open_beneath(int directory, const std::string& path, int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const auto opened = static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
    return opened < 0 && errno == ENOSYS ? walk_beneath(directory, path, flags, mode) : Fd{opened};
}

Fd open_regular(int directory, const std::string& path) {
    Fd file = open_beneath(directory, path, O_RDONLY | O_NONBLOCK);
    struct stat facts{};
    if (!file || fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
    return file;
}

Fd open_folder(int directory, const std::string& path) { return open_beneath(directory, path, O_RDONLY | O_DIRECTORY); }

std::optional<std::string> read_text(int directory, const std::string& path, std::size_t at_most) {
    const Fd file = open_regular(directory, path);
    if (!file) return std::nullopt;
    std::string text(at_most + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = read(file.get(), text.data() + size, text.size() - size);
        if (got == 0) break;
        if (got < 0 && errno != EINTR) return std::nullopt;
        if (got > 0) size += static_cast<std::size_t>(got);
    }
    if (size > at_most) return std::nullopt;
    text.resize(size);
    return text;
}

std::vector<std::string> list_folder(int directory) { return list_at_most(directory, SIZE_MAX).value_or(std::vector<std::string>{}); }

std::optional<std::vector<std::string>> list_at_most(int directory, std::size_t at_most) {
    std::vector<std::string> names;
    const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const folder = copy < 0 ? nullptr : fdopendir(copy);
    if (folder == nullptr) {
        if (copy >= 0) close(copy);
        return names;
    }
    while (const dirent* const entry = names.size() > at_most ? nullptr : readdir(folder)) {
        const std::string_view name{entry->d_name};
        if (name != "." && name != "..") names.emplace_back(name);
    }
    closedir(folder);
    if (names.size() > at_most) return std::nullopt;
    std::sort(names.begin(), names.end());
    return names;
}

BackendResult<Fd> make_folder(int directory, const std::string& name, mode_t mode, std::optional<Owner> owner) {
    if (mkdirat(directory, name.c_str(), 0700) != 0 && errno != EEXIST) return fail(cannot("make the folder", name, errno));
    Fd folder = open_folder(directory, name);
    if (!folder) return fail(cannot("open the folder", name, errno));
    if (owner && fchown(folder.get(), owner->uid, owner->gid) != 0) return fail(cannot("change the owner of", name, errno));
    if (fchmod(folder.get(), mode) != 0) return fail(cannot("change the mode of", name, errno));
    return folder;
}

namespace {

constexpr int depth_max = 64;

bool remove_below(int directory, const std::string& name, int depth) {
    if (unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return true;
    if ((errno != EISDIR && errno != EPERM) || depth == depth_max) return false;
    {
        Fd folder = open_folder(directory, name);
        if (!folder && errno == EACCES) {
            // Its owner may have closed it to himself, and the agent may be no root.
            const Fd closed = open_beneath(directory, name, O_PATH | O_DIRECTORY);
            if (closed) (void)chmod(fmt::format("/proc/self/fd/{}", closed.get()).c_str(), 0700);
            folder = open_folder(directory, name);
        }
        if (!folder) return false;
        (void)fchmod(folder.get(), 0700);
        for (const auto& entry : list_folder(folder.get())) (void)remove_below(folder.get(), entry, depth + 1);
    }
    return unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace

bool remove_tree(int directory, const std::string& name) { return remove_below(directory, name, 0); }

bool is_safe_name(std::string_view name) {
    if (name.empty() || name.size() > 64 || name.front() == '.') return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

bool is_safe_path(std::string_view path) {
    if (path.empty() || path.size() > 1024) return false;
    if (std::any_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) return false;
    while (true) {
        const auto slash = path.find('/');
        const auto part = path.substr(0, slash);
        if (part.empty() || part == "." || part == "..") return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace weir::task_files
