// agent/checkpoint_desk.hpp: checkpoints on their way between a site's tasks and the network's store.
//
// It answers one question: how does a published checkpoint reach the store whole, and how does the newest good one reach the task
// that resumes? When that should happen is the reconciler's business. The work is long (every byte is read and checked), so it may
// run beside the loop that keeps the leases: orders go in, answers come out.
//
// A gang's checkpoint is what node rank 0 publishes; every rank of the next generation finds it in its resume folder.
//
// Nobody's checkpoint keeps the others' waiting: several are under way at once, of one project at most half of them, and each copies a
// slice and lets the next one have its turn; a site may bound how fast they are, all together. One that is larger than the site takes, or
// whose files have holes that a copy would fill, is not copied at all.
#pragma once

#include "agent/pace.hpp"
#include "agent/records.hpp"
#include "domain/placement.hpp"
#include "ports/blob_store.hpp"
#include "ports/data_store.hpp"
#include "ports/site_backend.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weir::agent {

/// Puts the newest of these checkpoints that holds where the ranks of `key` will resume from.
struct PrepareOrder {
    GenerationKey key;
    ProjectName project;
    std::int32_t nnodes = 1;
    std::vector<StoredCheckpoint> resume;  ///< The newest first.
    std::optional<Digest> workdir{};       ///< The tree that they begin in.
};

/// Stores one published checkpoint.
struct ReplicateOrder {
    GenerationKey key;
    ProjectName project;
    ports::PublishedCheckpoint published;
};

/// What is known of outputs from look to look, by node rank; shared, for it may be long.
using KnownGang = std::shared_ptr<const std::vector<ports::KnownOutputs>>;

/// Stores what a generation left until now in its folders of outputs.
struct OutputOrder {
    GenerationKey key;
    ProjectName project;
    std::int64_t bytes_max = 0;
    std::int32_t nnodes = 1;
    bool all_nodes = false;                ///< Of each node below `node-RANK/`; otherwise of node rank 0.
    bool is_over = true;                   ///< Its tasks have ended: everything counts, and nothing changes any more.
    std::optional<Digest> before{};        ///< What earlier generations left.
    KnownGang known{};
    std::optional<Digest> stored{};        ///< The tree that was stored last, in this agent's life.
};

struct Prepared {
    GenerationKey key;
    bool again = false;                ///< The store or the host did not do it now.
    std::string name;                  ///< Of the checkpoint in place; empty: none held, start afresh.
    Digest manifest;                   ///< Of the same.
    std::string refused;               ///< Why the site can never put it in place; empty: it can.
    std::vector<std::string> remarks;  ///< One for each that did not hold, and why not.
};

struct Replicated {
    GenerationKey key;
    ports::PublishedCheckpoint published;
    bool again = false;  ///< The store or the host did not do it now.
    std::string fault;   ///< Why this one will never be stored; empty: it is stored, or `again`.
    Digest manifest;
    std::int64_t bytes = 0;
};

struct OutputsKept {
    GenerationKey key;
    bool is_over = true;                  ///< Of the order.
    bool again = false;                   ///< The store or the host did not do it now.
    std::string why;                      ///< Why they are not stored; empty: they are, or there are none.
    std::optional<OutputFault> fault{};   ///< The same, for the tenant.
    std::int64_t bytes_max = 0;           ///< With a fault: how many could have been stored.
    std::optional<Digest> tree{};         ///< Nothing: there are none, or a fault.
    TreeSize size{};                      ///< Of the tree, or of what could not be stored.
    KnownGang known{};
    std::vector<std::string> left_out{};  ///< What of them cannot be kept.
};

using DeskOrder = std::variant<PrepareOrder, ReplicateOrder, OutputOrder>;
using DeskAnswer = std::variant<Prepared, Replicated, OutputsKept>;

/// A file of outputs of a task that runs is taken once it has not changed for so long.
inline constexpr std::int64_t outputs_settled_s = 3;

/// What a desk takes.
struct DeskLimits {
    std::int64_t checkpoint_bytes_max = std::int64_t{1} << 40;  ///< As the files of one checkpoint say.
    std::int64_t resume_bytes_max = std::int64_t{1} << 40;      ///< What one may take of the disk of the task that resumes from it.
    /// How much all copies to and from the store may move in a second, together; 0: as much as they can. A desk without threads takes no
    /// notice: it would keep its agent waiting.
    std::int64_t bytes_per_s = 0;
};

/// How many turns are taken at once, and by whom next: first come, first served, and each who comes back is the last.
class Turns;

/// One order under way: what it has copied, and whether anybody still wants it. drop() may be called from any thread.
class Errand : public ports::Copying {
public:
    /// Without `turns` nobody else waits; without `pace` it is as fast as it can be.
    explicit Errand(Turns* turns = nullptr, Pace* pace = nullptr) : turns_{turns}, pace_{pace} {}
    [[nodiscard]] ports::Onward onward(std::int64_t bytes) override;
    /// The next bytes that are read or written are on their way to or from the store, so many of them: the pace is for these. What is read
    /// a second time, to be checked, is not.
    void travel(std::int64_t bytes) { travelling_ = bytes; }
    /// How much may be read and written from now on: a checkpoint that became larger than it was ends the errand.
    void allow(std::int64_t bytes) { left_ = bytes; }
    [[nodiscard]] bool is_beyond() const { return left_ < 0; }
    void drop(ports::Onward what);

protected:
    /// The clock that the pace goes by.
    [[nodiscard]] virtual ports::BootInstant now() const;
    /// Lets this time go by, or less where it is dropped.
    virtual void rest(Duration duration);

private:
    void keep_pace(std::int64_t bytes);

    Turns* turns_;
    Pace* pace_;
    std::int64_t travelling_ = 0;
    std::int64_t left_ = INT64_MAX;
    std::int64_t slice_ = 0;
    std::atomic<ports::Onward> told_ = ports::Onward::go_on;
    std::mutex resting_;
    std::condition_variable woken_;
};

/// Where a desk copies from and to. `data`: what projects keep; null: this site has no way to it.
struct DeskStores {
    ports::BlobStore& checkpoints;
    ports::DataStores* data = nullptr;
};

/// Does the work of one order.
[[nodiscard]] DeskAnswer carry_out(ports::SiteBackend& backend, const DeskStores& stores, const DeskOrder& order, const DeskLimits& limits,
                                   Errand& errand);

class CheckpointDesk {
public:
    CheckpointDesk() = default;
    CheckpointDesk(const CheckpointDesk&) = delete;
    CheckpointDesk& operator=(const CheckpointDesk&) = delete;
    virtual ~CheckpointDesk() = default;
    virtual void order(DeskOrder order) = 0;
    /// Nobody wants what was ordered for this generation any more: it is ended, and not answered.
    virtual void drop(const GenerationKey& key) = 0;
    /// Whether what was ordered for it, and maybe dropped, still reads or writes.
    [[nodiscard]] virtual bool is_at_work(const GenerationKey& key) const = 0;
    /// The answers since the last call.
    [[nodiscard]] virtual std::vector<DeskAnswer> take() = 0;
};

/// Carries out an order when it is given.
class InlineDesk final : public CheckpointDesk {
public:
    InlineDesk(ports::SiteBackend& backend, ports::BlobStore& store, DeskLimits limits = {}, ports::DataStores* data = nullptr)
        : backend_{backend}, stores_{store, data}, limits_{limits} {}
    void order(DeskOrder order) override {
        Errand errand;
        answers_.push_back(carry_out(backend_, stores_, order, limits_, errand));
    }
    void drop(const GenerationKey&) override {}
    [[nodiscard]] bool is_at_work(const GenerationKey&) const override { return false; }
    [[nodiscard]] std::vector<DeskAnswer> take() override { return std::exchange(answers_, {}); }

private:
    ports::SiteBackend& backend_;
    DeskStores stores_;
    DeskLimits limits_;
    std::vector<DeskAnswer> answers_;
};

/// Carries out orders on threads of its own, those for one generation one after the other. The backend's calls for checkpoints then run
/// beside its others and each other: only for backends that permit it. The destructor ends the orders under way; what they copied is taken
/// up by the next agent.
class ThreadDesk final : public CheckpointDesk {
public:
    /// `wake` is called on a thread after each order that was carried out or dropped; it must not block.
    ThreadDesk(ports::SiteBackend& backend, ports::BlobStore& store, std::function<void()> wake, DeskLimits limits = {},
               ports::DataStores* data = nullptr);
    ~ThreadDesk() override;
    void order(DeskOrder order) override;
    void drop(const GenerationKey& key) override;
    [[nodiscard]] bool is_at_work(const GenerationKey& key) const override;
    [[nodiscard]] std::vector<DeskAnswer> take() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::agent
