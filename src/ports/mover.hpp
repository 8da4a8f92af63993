// ports/mover.hpp: the tool of a site that carries files to the network's store and from it.
//
// It answers one question: how does this file get there, or here? What the file is, whether it arrived whole, and whether it is tried
// again, is for who uses it: a mover may break off anywhere, hang, or say that all is well where it is not.
//
// Names at the far end are relative paths of [A-Za-z0-9._/-], below a base that the mover was made for. Calls come from any thread.
#pragma once

#include "base/result.hpp"
#include "ports/copying.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weir::ports {

/// In descending precedence.
enum class MoveFault : std::uint8_t {
    not_found = 1,   ///< There is no such file at the far end.
    called_off = 2,  ///< Whoever ordered it wants it no more, or not now.
    failed = 3,      ///< The tool could not, or ended, or stood still for too long: try again.
};

struct MoveError {
    MoveFault fault{};
    std::string message{};
};

template <class T>
using MoveResult = Result<T, MoveError>;

struct FarFile {
    std::string name{};          ///< Below the folder that was listed.
    std::int64_t size = 0;
    std::int64_t changed_s = 0;  ///< Seconds since 1970, by the far end's clock.
};

class Mover {
public:
    Mover() = default;
    Mover(const Mover&) = delete;
    Mover& operator=(const Mover&) = delete;
    virtual ~Mover() = default;

    /// What a person knows it by: "rclone to s3:weir".
    [[nodiscard]] virtual std::string text() const = 0;
    /// Whether a file bears its name at the far end only once it has all its bytes. Otherwise it is sent under another name and renamed.
    [[nodiscard]] virtual bool names_when_whole() const = 0;

    /// Copies a file of ours to a name there.
    [[nodiscard]] virtual MoveResult<void> send(const std::string& from, const std::string& to, Copying& copying) = 0;
    /// Appends the bytes of a file there, from `offset` on, to a file of ours, or overwrites that with all of them. What came of it stays
    /// after a failure.
    [[nodiscard]] virtual MoveResult<void> fetch(const std::string& from, const std::string& to, std::int64_t offset, Copying& copying) = 0;
    /// Another name for a file there, at once; what bore it is gone.
    [[nodiscard]] virtual MoveResult<void> rename(const std::string& from, const std::string& to) = 0;
    /// Removes what is there of these.
    [[nodiscard]] virtual MoveResult<void> remove(std::span<const std::string> names) = 0;
    /// Every file below a folder; none where there is no such folder.
    [[nodiscard]] virtual MoveResult<std::vector<FarFile>> list(const std::string& folder) = 0;
    /// Bytes that the far end still takes; nothing where it does not say.
    [[nodiscard]] virtual MoveResult<std::optional<std::int64_t>> room() = 0;
};

}  // namespace weir::ports
