// bench/real_network.hpp: the programs themselves for a benchmark: a weir-server on a disk, and an agent if one is wanted.
//
// Each is a process of its own, started from the build and ended by its pid. The server keeps its usual limits; whoever asks more than
// a thousand times a second is several people.
#pragma once

#include "apps/up/children.hpp"
#include "apps/up/network_client.hpp"
#include "bench/disk.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::bench {

/// The folder of the programs of the build that this benchmark belongs to.
[[nodiscard]] std::string programs();

/// A number of /proc/PID/status, such as `VmRSS:`; 0 where there is none.
[[nodiscard]] std::int64_t status_number(pid_t pid, const std::string& mark);

struct RealNetworkOptions {
    int projects = 1;  ///< `bench-0`, `bench-1`, ...
    int people = 64;   ///< Members of all projects, with a token each.
};

class RealNetwork {
public:
    /// Ends the benchmark where anything fails.
    explicit RealNetwork(const Directory& directory, const RealNetworkOptions& options = {});

    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// One of each person.
    [[nodiscard]] const std::vector<std::string>& tokens() const { return tokens_; }
    [[nodiscard]] pid_t server_pid() const { return server_->pid(); }
    [[nodiscard]] up::NetworkClient& member() { return *member_; }

    /// An agent of the site `east` with 8 emulated cards, and waits until the network sees its node. One at a time.
    void start_agent(bool sandbox);
    void stop_agent() { agent_.reset(); }
    /// Where the agent keeps the tasks.
    [[nodiscard]] std::string tasks() const { return folder_ + "/site/tasks"; }
    /// Whether the agent said that it runs tasks in a sandbox.
    [[nodiscard]] bool sandboxed() const;
    [[nodiscard]] std::string agent_log() const { return folder_ + "/agent.log"; }

private:
    std::string folder_;
    std::uint16_t port_ = 0;
    std::string url_;
    std::vector<std::string> tokens_;
    std::unique_ptr<up::NetworkClient> operator_;
    std::unique_ptr<up::NetworkClient> member_;
    std::optional<up::Child> server_;
    std::optional<up::Child> agent_;
};

/// A request that submits one small job to a project.
[[nodiscard]] std::string submission(const std::string& token, int project = 0);

}  // namespace weir::bench
