// adapters/task_files/order.hpp: a task as it was ordered, and as the supervisor reads it.
//
// It answers one question: what exactly is asked for? order_text() is a spec's identity: two orders for one key are the same
// if these texts are. spec_text() adds what this host decided: users, folders, sandbox, limits.
#pragma once

#include "adapters/task_files/files.hpp"
#include "ports/site_backend.hpp"

#include <string>
#include <vector>

namespace weir::task_files {

/// What the host adds to an order.
struct HostPart {
    Owner owner{};
    bool emulated = false;
    std::string workdir{};
    std::string home{};
    std::string temporary{};       ///< TMPDIR.
    std::string checkpoint_dir{};
    std::string resume_dir{};      ///< Empty: start afresh.
    std::string output_dir{};
    std::vector<std::string> wrapper{};
    std::string init{};
    std::vector<std::string> cgroups{};
};

/// Everything of an order but its lease and its node (of which a site of hosts has none), in one canonical form.
[[nodiscard]] std::string order_text(const ports::TaskSpec& task);

/// The spec file (supervisor/spec.hpp).
[[nodiscard]] std::string spec_text(const ports::TaskSpec& task, const HostPart& host);

/// What is wrong with an order, whatever the host; nothing for a sound one.
[[nodiscard]] std::optional<std::string> find_fault(const ports::TaskSpec& task);

/// `job/generation/node_rank`.
[[nodiscard]] std::string key_text(const ports::TaskKey& key);

}  // namespace weir::task_files
