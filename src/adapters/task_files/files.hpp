// adapters/task_files/files.hpp: files that a tenant may have made, read without trusting him.
//
// It answers one question: is this name really the plain file that it claims to be? The agent may be root and the tenant may
// put links, devices and FIFOs wherever he can write; so every path below a task's directory is opened beneath a descriptor,
// without following a link, and only regular files are read.
#pragma once

#include "ports/site_backend.hpp"
#include "supervisor/system.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

namespace weir::task_files {

using ports::BackendError;
using ports::BackendFault;
using ports::BackendResult;
using supervisor::Fd;

[[nodiscard]] inline auto refuse(BackendFault fault, std::string message) {
    return fail(BackendError{.fault = fault, .message = std::move(message)});
}
/// unavailable, with what could not be done, to which path, and errno's words.
[[nodiscard]] BackendError cannot(std::string_view what, std::string_view path, int error);

/// Opens `path` below `directory`; neither a link nor ".." can lead out of it.
[[nodiscard]] Fd open_beneath(int directory, const std::string& path, int flags, mode_t mode = 0);
/// A regular file below `directory`, for reading; none where it is anything else. Never waits for a FIFO's writer.
[[nodiscard]] Fd open_regular(int directory, const std::string& path);
[[nodiscard]] Fd open_folder(int directory, const std::string& path);

/// The whole of a regular file of at most `at_most` bytes; nothing otherwise.
[[nodiscard]] std::optional<std::string> read_text(int directory, const std::string& path, std::size_t at_most);

/// Names in a folder, sorted, without "." and "..".
[[nodiscard]] std::vector<std::string> list_folder(int directory);
/// As list_folder(); nothing where there are more than `at_most`.
[[nodiscard]] std::optional<std::vector<std::string>> list_at_most(int directory, std::size_t at_most);

struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
};

/// Makes `name` below `directory` if it is not there and sets its mode and (as root) its owner. @returns it opened.
[[nodiscard]] BackendResult<Fd> make_folder(int directory, const std::string& name, mode_t mode, std::optional<Owner> owner);

/// Removes `name` below `directory` with all that is in it, following no link. False where something is left.
[[nodiscard]] bool remove_tree(int directory, const std::string& name);

/// 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.', not starting with '.'.
[[nodiscard]] bool is_safe_name(std::string_view name);

/// Relative, at most 1024 bytes, no empty, "." or ".." part, no control character.
[[nodiscard]] bool is_safe_path(std::string_view path);

}  // namespace weir::task_files
