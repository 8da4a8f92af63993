// agent/config.hpp: what the agent of a site is told in its file.
//
//     site: pidu-core
//     server: http://127.0.0.1:7440
//     token_file: agent.token
//     root: /var/lib/weir/pidu-core
//     blobs: /var/lib/weir/blobs
//     users: {first: 61000, count: 1000}
//     nodes:
//       - name: n1
//         cards: [{model: Ascend910B3, count: 8, memory: 64GiB, emulated: true}]
//         cpus: 32
//         memory: 64GiB
//
// A site that Slurm runs says so, and has no users, shared paths, sandbox and limits of its own:
//
//     backend: slurm
//     slurm: {api: "unix:/run/weir/slurmrestd.sock", partition: gpu, gres: [{type: h800, model: H800}], shared_user: true}
//
// Relative paths are the caller's to resolve. A node's cards are detected unless they are declared to be emulated; declared
// cards that are neither emulated nor detected are not offered; processors (cpu) need no detection.
#pragma once

#include "base/quantity.hpp"
#include "codec/field.hpp"
#include "domain/names.hpp"
#include "domain/site.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::agent {

struct CardDeclaration {
    std::string model;  ///< A model of the catalogue.
    std::int64_t count = 1;
    MiB memory;  ///< Of one card; 0: as detected.
    Slicing slicing = Slicing::exclusive;
    bool emulated = false;
    static constexpr std::array field_rules{
        codec::Field{.name = "model", .min_length = 1, .max_length = 64},
        codec::Field{.name = "count", .optional = true, .min = 1, .max = 64},
        codec::Field{.name = "memory", .optional = true, .doc = "of one card; absent: as detected"},
        codec::Field{.name = "slicing", .optional = true},
        codec::Field{.name = "emulated", .optional = true, .doc = "declared, not there: it holds a place and has a price"},
    };
    bool operator==(const CardDeclaration&) const = default;
};
BOOST_DESCRIBE_STRUCT(CardDeclaration, (), (model, count, memory, slicing, emulated))

struct NodeDeclaration {
    NodeName name;
    std::vector<CardDeclaration> cards;
    MilliCpus cpus;                     ///< 0: as detected.
    MiB memory;                         ///< 0: as detected.
    std::vector<std::string> position;  ///< Outermost level first.
    bool healthy = true;                ///< False: taken out of service by hand.
    std::string address = "127.0.0.1";  ///< Where rank 0 listens when it runs here.
    static constexpr std::array field_rules{
        codec::Field{.name = "cards", .optional = true, .max_length = 64},
        codec::Field{.name = "cpus", .optional = true, .doc = "processor cores; absent: as detected"},
        codec::Field{.name = "memory", .optional = true, .doc = "absent: as detected"},
        codec::Field{.name = "position", .optional = true, .max_length = 8, .doc = "outermost level first: zone, block, rack"},
        codec::Field{.name = "healthy", .optional = true, .doc = "false: taken out of service by hand"},
        codec::Field{.name = "address", .optional = true, .min_length = 1, .max_length = 255, .doc = "where rank 0 listens"},
    };
    bool operator==(const NodeDeclaration&) const = default;
};
BOOST_DESCRIBE_STRUCT(NodeDeclaration, (), (name, cards, cpus, memory, position, healthy, address))

/// A file of nodes alone, as examples/sites has them.
struct NodeFile {
    std::vector<NodeDeclaration> nodes;
    static constexpr std::array field_rules{codec::Field{.name = "nodes", .min_length = 1, .max_length = 4096}};
};
BOOST_DESCRIBE_STRUCT(NodeFile, (), (nodes))

/// The tenants' users on this host, for an agent that is root: one for each project.
struct UserSpan {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    static constexpr std::array field_rules{
        codec::Field{.name = "first", .min = 1000, .max = 4'000'000'000},
        codec::Field{.name = "count", .min = 1, .max = 1'000'000},
    };
    bool operator==(const UserSpan&) const = default;
};
BOOST_DESCRIBE_STRUCT(UserSpan, (), (first, count))

/// One type of cards as Slurm calls it, and as the catalogue does.
struct GresType {
    std::string type;   ///< "h800", as in gpu:h800:8.
    std::string model;  ///< "H800".
    static constexpr std::array field_rules{
        codec::Field{.name = "type", .min_length = 1, .max_length = 64},
        codec::Field{.name = "model", .min_length = 1, .max_length = 64},
    };
    bool operator==(const GresType&) const = default;
};
BOOST_DESCRIBE_STRUCT(GresType, (), (type, model))

/// Where Slurm is, for a site with `backend: slurm`.
struct SlurmOptions {
    std::string api;               ///< Of slurmrestd: `unix:/path/of/its/socket` or `http://127.0.0.1:PORT`.
    std::string user;              ///< With a token: whose it is.
    std::string token_file;        ///< A JWT in its first line; empty: the socket tells who asks.
    std::string partition;         ///< Empty: Slurm's default.
    std::string account;           ///< Empty: the user's own.
    std::vector<GresType> gres;    ///< A type that is not here is its own model.
    bool shared_user = false;      ///< Said: the tasks of all projects run as the agent's user.
    static constexpr std::array field_rules{
        codec::Field{.name = "api", .min_length = 1, .max_length = 255, .doc = "of slurmrestd: unix:/path or http://127.0.0.1:PORT"},
        codec::Field{.name = "user", .optional = true, .max_length = 64, .doc = "with a token: whose it is"},
        codec::Field{.name = "token_file", .optional = true, .max_length = 4096, .doc = "a JWT in its first line"},
        codec::Field{.name = "partition", .optional = true, .max_length = 64, .doc = "absent: Slurm's default"},
        codec::Field{.name = "account", .optional = true, .max_length = 64, .doc = "absent: the user's own"},
        codec::Field{.name = "gres", .optional = true, .max_length = 64, .doc = "which type of cards is which model"},
        codec::Field{.name = "shared_user", .optional = true, .doc = "said: tasks of all projects run as the agent's user"},
    };
    bool operator==(const SlurmOptions&) const = default;
};
BOOST_DESCRIBE_STRUCT(SlurmOptions, (), (api, user, token_file, partition, account, gres, shared_user))

/// What carries copies between the site and the network's store: the agent itself, to a directory, or a tool.
BOOST_DEFINE_ENUM_CLASS(MoverTool, builtin, rclone, rsync)

struct AgentConfig {
    SiteName site;
    Backend backend = Backend::process;
    std::optional<SlurmOptions> slurm{};  ///< With Backend::slurm alone.
    std::string server;      ///< `http://host:port`, or those of several servers of one network between commas.
    std::string token_file;  ///< A file with the agent's bearer token in its first line.
    std::string root;        ///< All that the agent and its tasks keep.
    std::string blobs;       ///< The network's store: a directory; with a tool, where copies under way lie.
    std::optional<MoverTool> mover{};  ///< Absent: builtin.
    std::string mover_to;              ///< Of a tool: the far end, `remote:bucket/folder` of rclone's configuration say.
    std::string mover_config;          ///< Of a tool: its file with keys, of the agent's user alone. Empty: none.
    std::string supervisor;  ///< The program weir-supervisor; empty: beside this program.
    std::optional<UserSpan> users;
    std::uint32_t owner_uid = 0;  ///< As root: the site's own user, who owns the root directory. 0: root.
    std::vector<NodeDeclaration> nodes;
    std::vector<std::string> shared_paths;  ///< What every task may read.
    MiB task_disk{100 << 10};        ///< What the files of one task may take on one node: watched, not enforced by the kernel.
    MiB disk_floor{1 << 10};         ///< With less free on the disk of `root` nothing is started.
    MiB checkpoint_max{1 << 20};     ///< Of one checkpoint, as its files say.
    std::optional<MiB> checkpoint_rate{};  ///< In a second, of all copies of checkpoints together; absent: as fast as they can be.
    MiB cache_max{20 << 10};         ///< Of files of folders that jobs began in, kept for the next.
    bool sandbox = true;
    bool limits = true;
    Seconds meter_slice{10};        ///< Length of one report of a meter.
    Seconds log_retention{3600};    ///< How long an ended task's directory is kept.
    Seconds pause_grace{30};        ///< How long a paused site waits for a task's checkpoint before it stops it.
    Seconds replicate_within{60};   ///< How long the end of a task waits for its last checkpoint to be stored.
    Seconds leave_within{300};      ///< Likewise, of a task that goes on at another site and was asked for that checkpoint.
    Seconds outputs_every{60};      ///< How often outputs of tasks that run are stored; 0: only at their end.
    Seconds poll_wait{20};          ///< How long a question for what should run may wait at the server.
    std::int64_t observe_ms = 200;  ///< How often tasks are looked at while some run.
    [[nodiscard]] bool has_tool() const { return mover && *mover != MoverTool::builtin; }
    static constexpr std::string_view doc = "The agent of one site.";
    static constexpr std::array field_rules{
        codec::Field{.name = "backend", .optional = true, .doc = "process or slurm; absent: process"},
        codec::Field{.name = "slurm", .doc = "where Slurm is, with backend: slurm"},
        codec::Field{.name = "server", .min_length = 1, .max_length = 512},
        codec::Field{.name = "token_file", .min_length = 1, .max_length = 4096},
        codec::Field{.name = "root", .min_length = 1, .max_length = 4096},
        codec::Field{.name = "blobs", .min_length = 1, .max_length = 4096, .doc = "the network's store: a directory"},
        codec::Field{.name = "mover", .doc = "what carries copies: builtin (to a directory), rclone or rsync"},
        codec::Field{.name = "mover_to", .optional = true, .max_length = 1024, .doc = "where a tool carries them to"},
        codec::Field{.name = "mover_config", .optional = true, .max_length = 4096, .doc = "a tool's file with its keys, mode 0600"},
        codec::Field{.name = "supervisor", .optional = true, .max_length = 4096, .doc = "absent: beside this program"},
        codec::Field{.name = "owner_uid", .optional = true, .doc = "as root: who owns the root directory"},
        codec::Field{.name = "nodes", .min_length = 1, .max_length = 4096},
        codec::Field{.name = "shared_paths", .optional = true, .max_length = 64, .doc = "what every task may read"},
        codec::Field{.name = "task_disk", .optional = true, .min = 1, .max = 1 << 30, .doc = "what the files of a task may take on a node"},
        codec::Field{.name = "disk_floor", .optional = true, .min = 0, .max = 1 << 30, .doc = "with less free nothing is started"},
        codec::Field{.name = "checkpoint_max", .optional = true, .min = 1, .max = 1 << 30, .doc = "bytes of one checkpoint"},
        codec::Field{.name = "checkpoint_rate", .min = 1, .max = 1 << 30, .doc = "in a second, of all copies of checkpoints together"},
        codec::Field{.name = "cache_max", .optional = true, .min = 1, .max = 1 << 30, .doc = "files of folders that jobs began in"},
        codec::Field{.name = "sandbox", .optional = true},
        codec::Field{.name = "limits", .optional = true},
        codec::Field{.name = "meter_slice", .optional = true, .min = 1, .max = 3'600, .doc = "length of one report of a meter"},
        codec::Field{.name = "log_retention", .optional = true, .doc = "how long an ended task's directory is kept"},
        codec::Field{.name = "pause_grace", .optional = true, .doc = "how long a paused site waits for a checkpoint"},
        codec::Field{.name = "replicate_within", .optional = true, .doc = "how long an end waits for its last checkpoint"},
        codec::Field{.name = "leave_within", .optional = true, .doc = "likewise, of a task that goes on at another site"},
        codec::Field{.name = "outputs_every", .optional = true, .max = 86'400, .doc = "0s: outputs are stored at a task's end alone"},
        codec::Field{.name = "poll_wait", .optional = true, .min = 1, .max = 60, .doc = "how long a question may wait at the server"},
        codec::Field{.name = "observe_ms", .optional = true, .min = 10, .max = 10'000},
    };
};
BOOST_DESCRIBE_STRUCT(AgentConfig, (),
                      (site, backend, slurm, server, token_file, root, blobs, mover, mover_to, mover_config, supervisor, users, owner_uid,
                       nodes, shared_paths, task_disk, disk_floor, checkpoint_max, checkpoint_rate, cache_max, sandbox, limits, meter_slice,
                       log_retention, pause_grace, replicate_within, leave_within, outputs_every, poll_wait, observe_ms))

}  // namespace weir::agent
