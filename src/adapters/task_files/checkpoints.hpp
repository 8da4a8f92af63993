// adapters/task_files/checkpoints.hpp: the checkpoints in a folder that a tenant writes, believed only after a look.
//
// It answers one question: is this checkpoint what it says it is, byte for byte? Copying it to the network's store is the
// agent's work, through open_checkpoint_file().
//
// A task publishes by renaming `checkpoints/.tmp-...` to `checkpoints/<name>`. Where the task wrote no MANIFEST, one is made
// here from what is found after the rename; it is kept in a folder of the agent's, so that a later change is seen. Another folder under a
// name that was used before is another checkpoint, and not a change of the first.
#pragma once

#include "adapters/task_files/files.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::task_files {

/// Names in the folder of a task's checkpoints, of whatever kind: it is looked at several times a second.
inline constexpr std::size_t checkpoint_names_max = 1000;

/// Folders in `checkpoints` that bear a safe name, the one that was written first at the front; bad_checkpoint where there are
/// more names than are looked at.
[[nodiscard]] BackendResult<std::vector<ports::PublishedCheckpoint>> list_checkpoints(int checkpoints);

/// What a checkpoint seems to be: every plain file below it counts, whatever its manifest says.
[[nodiscard]] BackendResult<ports::CheckpointSize> measure_checkpoint(int checkpoints, const std::string& name);

/// Reads all of a checkpoint. `manifests` is the agent's own folder for the manifests that it makes.
[[nodiscard]] BackendResult<ports::Checkpoint> inspect_checkpoint(int checkpoints, int manifests, const std::string& name,
                                                                  ports::Copying& copying);

/// One file of a published checkpoint, for reading.
[[nodiscard]] BackendResult<Fd> open_checkpoint_file(int checkpoints, const std::string& name, const std::string& path);

/// Writes `checkpoint` to `folder/<name>`, verified, with its MANIFEST, synced and renamed into place, for `owner` to read. Files that lie
/// in `folder` already, in another checkpoint or in half of one, are read, compared and linked instead of fetched. Once it is whole
/// nothing else is left in `folder`; before that nothing that was whole is touched.
[[nodiscard]] BackendResult<void> install_checkpoint(int folder, const ports::Checkpoint& checkpoint, std::optional<Owner> owner,
                                                     const ports::FetchFile& fetch, ports::Copying& copying);

/// How many bytes of `checkpoint` need not be fetched, as the manifests in `folder` say.
[[nodiscard]] std::int64_t bytes_at_hand(int folder, const ports::Checkpoint& checkpoint);

/// Removes all that was installed in `folder`, whole or not.
[[nodiscard]] BackendResult<void> drop_installed(int folder);

}  // namespace weir::task_files
