// domain/job.hpp: what a tenant asks for, and the states that a job goes through.
//
// A JobSpec is the job file after reading: every text form ("4GiB", "2h", "H800:8") has become a number, every
// default is filled in. It is what the journal keeps.
#pragma once

#include "base/quantity.hpp"
#include "base/time.hpp"
#include "codec/custom.hpp"
#include "codec/field.hpp"
#include "domain/data.hpp"
#include "domain/forms.hpp"
#include "domain/names.hpp"
#include "domain/site.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir {

BOOST_DEFINE_ENUM_CLASS(JobType, training, inference, interactive, batch)
BOOST_DEFINE_ENUM_CLASS(PriorityClass, low, normal, high)
BOOST_DEFINE_ENUM_CLASS(OnDisconnect, checkpoint_stop, run_on)
BOOST_DEFINE_ENUM_CLASS(CheckpointProtocol, none, self, signal, file)

/// One way to satisfy a job: so many cards of a model on each of its nodes. Written `H800:8` or `A100:0.5`.
struct AcceleratorAsk {
    std::string model;
    MilliCards per_node{1000};
    std::string run;  ///< Replaces the job's command where this model is chosen; empty: the job's own.
    bool operator==(const AcceleratorAsk&) const = default;
};
BOOST_DESCRIBE_STRUCT(AcceleratorAsk, (), (model, per_node, run))

struct ResourceAsk {
    std::vector<AcceleratorAsk> accelerators;  ///< Alternatives, the preferred first.
    MilliCpus cpus{1000};                      ///< Per node.
    MiB memory{1024};                          ///< Per node.
    MiB accelerator_memory;                    ///< At least so much on each card; for a fraction, of the card's share.
    static constexpr std::array field_rules{
        codec::Field{.name = "accelerators", .doc = "H800:8, A100:0.5, or a list of alternatives, the preferred first; per node"},
        codec::Field{.name = "cpus", .optional = true, .doc = "processor cores per node"},
        codec::Field{.name = "memory", .optional = true, .doc = "memory per node"},
        codec::Field{.name = "accelerator_memory", .optional = true, .doc = "memory of each card, or of the share of one"},
    };
    bool operator==(const ResourceAsk&) const = default;
};
BOOST_DESCRIBE_STRUCT(ResourceAsk, (), (accelerators, cpus, memory, accelerator_memory))

struct CheckpointAsk {
    CheckpointProtocol protocol = CheckpointProtocol::none;
    Seconds interval{0};  ///< How often the program means to publish one by itself; 0: unknown.
    /// Stacks (`cuda`, `cann`) on which it was seen to load a checkpoint of any of them; absent: only on the one that made it.
    std::optional<std::vector<std::string>> stacks{};
    std::optional<std::vector<std::int64_t>> world_sizes{};  ///< Likewise, of processes in all.
    static constexpr std::array field_rules{
        codec::Field{.name = "protocol", .doc = "how the program is asked for a checkpoint"},
        codec::Field{.name = "interval", .optional = true, .doc = "how often it publishes one by itself"},
        codec::Field{.name = "stacks", .max_length = 16, .doc = "stacks on which its checkpoints were seen to load, each other's too"},
        codec::Field{.name = "world_sizes", .max_length = 64, .doc = "numbers of processes with which they were"},
    };
    bool operator==(const CheckpointAsk&) const = default;
};
BOOST_DESCRIBE_STRUCT(CheckpointAsk, (), (protocol, interval, stacks, world_sizes))

struct RetryAsk {
    std::int64_t max_restarts = 0;                ///< Restarts after the program's own errors, 0 to 100.
    std::int64_t max_restarts_on_site_fault = 10; ///< Restarts after faults of sites, 0 to 100.
    Seconds backoff{10};                          ///< Before the first restart after an error; doubles each time, up to an hour.
    std::vector<std::int64_t> exit_codes;         ///< Restart only on these; empty: on any but 0.
    static constexpr std::array field_rules{
        codec::Field{.name = "max_restarts", .optional = true, .doc = "after the program's own errors"},
        codec::Field{.name = "max_restarts_on_site_fault", .optional = true, .doc = "after faults of sites"},
        codec::Field{.name = "backoff", .optional = true, .doc = "before the first restart; doubles each time, up to an hour"},
        codec::Field{.name = "exit_codes", .optional = true, .doc = "restart only on these"},
    };
    bool operator==(const RetryAsk&) const = default;
};
BOOST_DESCRIBE_STRUCT(RetryAsk, (), (max_restarts, max_restarts_on_site_fault, backoff, exit_codes))

/// A source of money, in the order in which the job draws on them.
struct FundingSource {
    std::optional<VoucherId> voucher;  ///< Empty: the organisation's prepaid balance.
    bool operator==(const FundingSource&) const = default;
};
BOOST_DESCRIBE_STRUCT(FundingSource, (), (voucher))

struct JobSpec {
    std::string name;                        ///< A name (base/id.hpp), for people; need not be unique.
    JobType type = JobType::batch;
    ResourceAsk resources;
    std::int64_t num_nodes = 1;              ///< The gang: all of them or none.
    std::int64_t processes_per_node = 1;     ///< How often `run` is started on each node.
    std::string setup;                       ///< Shell text run once per node before `run`.
    std::string run;                         ///< Shell text.
    std::map<std::string, std::string> envs;
    PriorityClass priority = PriorityClass::normal;
    std::optional<Tier> tier;                ///< Only sites of this tier.
    std::string residency;                   ///< Only sites in this region; empty: anywhere.
    std::vector<SiteName> trust;             ///< Only these sites; empty: those that the project trusts.
    CheckpointAsk checkpoint;
    RetryAsk retry;
    std::vector<JobId> after;                ///< Starts when all of these have succeeded.
    Seconds max_duration{3600};              ///< Of one run, wall clock; what the hold is reckoned by.
    std::optional<Seconds> estimated_duration;
    std::optional<Instant> deadline;
    std::optional<Budget> budget;              ///< The job may not cost its payers more in all.
    std::vector<FundingSource> funding;      ///< Empty: the prepaid balance alone.
    OnDisconnect on_disconnect = OnDisconnect::checkpoint_stop;
    /// The folder that the job begins in, read-only: in a file the path of a folder beside it, at the network the name of a tree
    /// (domain/tree.hpp) that the project keeps.
    std::optional<std::string> workdir{};
    std::optional<OutputAsk> outputs{};        ///< What it leaves in WEIR_OUTPUT_DIR is kept; absent: that goes with its site's folders.
    static constexpr std::string_view doc = "What a tenant asks the network to run.";
    static constexpr std::array field_rules{
        codec::Field{.name = "name", .doc = "for people; need not be unique"},
        codec::Field{.name = "type", .optional = true},
        codec::Field{.name = "num_nodes", .optional = true, .doc = "the gang: all of them or none"},
        codec::Field{.name = "processes_per_node", .optional = true, .doc = "how often run is started on each node"},
        codec::Field{.name = "setup", .optional = true, .doc = "shell text, once per node before run"},
        codec::Field{.name = "run", .optional = true, .doc = "shell text"},
        codec::Field{.name = "envs", .optional = true, .doc = "environment variables"},
        codec::Field{.name = "priority", .optional = true},
        codec::Field{.name = "residency", .optional = true, .doc = "only sites in this region"},
        codec::Field{.name = "trust", .optional = true, .doc = "only these sites"},
        codec::Field{.name = "checkpoint", .optional = true},
        codec::Field{.name = "retry", .optional = true},
        codec::Field{.name = "after", .optional = true, .doc = "starts when all of these jobs have succeeded"},
        codec::Field{.name = "max_duration",
                     .optional = true,
                     .doc = "how long it may run; what is held back is reckoned by it, and a later start gets no longer than what is left "
                            "of that pays for"},
        codec::Field{.name = "funding", .optional = true, .doc = "voucher ids or prepaid, in the order they pay"},
        codec::Field{.name = "on_disconnect", .optional = true},
        codec::Field{.name = "workdir",
                     .doc = "the folder that the job begins in, read-only: a path, which weir submit packs, or tree-..."},
        codec::Field{.name = "outputs", .doc = "what it leaves in WEIR_OUTPUT_DIR is kept by the network"},
    };
    bool operator==(const JobSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(JobSpec, (),
                      (name, type, resources, num_nodes, processes_per_node, setup, run, envs, priority, tier, residency, trust, checkpoint,
                       retry, after, max_duration, estimated_duration, deadline, budget, funding, on_disconnect, workdir, outputs))

BOOST_DEFINE_ENUM_CLASS(JobState, queued, placed, starting, running, checkpointing, moving, succeeded, failed, cancelled)

[[nodiscard]] constexpr bool is_final(JobState state) {
    return state == JobState::succeeded || state == JobState::failed || state == JobState::cancelled;
}

/// Whether a job may go from one state to the other in one step.
[[nodiscard]] bool may_follow(JobState from, JobState to);

}  // namespace weir

namespace weir::codec {

/// `prepaid`, or a voucher's id.
template <>
struct Custom<FundingSource> {
    static std::optional<FundingSource> parse(std::string_view text);
    static std::string text(const FundingSource& source);
    static constexpr std::string_view expected = "prepaid, or the id of a voucher (vch-...)";
    static constexpr std::string_view pattern = "^prepaid$|^vch-[0-9a-z]{26}$";
};

/// `H800:8`, `A100:0.5`, or an object of model, count and run.
template <>
struct Custom<AcceleratorAsk> {
    static bool from_value(const Value& value, const Place& place, AcceleratorAsk& out);
    static void to_json(const AcceleratorAsk& ask, std::string& out);
    static std::string schema(SchemaBook& book);
};

/// One ask, or a list of alternatives.
template <>
struct Custom<std::vector<AcceleratorAsk>> {
    static bool from_value(const Value& value, const Place& place, std::vector<AcceleratorAsk>& out);
    static void to_json(const std::vector<AcceleratorAsk>& asks, std::string& out);
    static std::string schema(SchemaBook& book);
};

}  // namespace weir::codec
