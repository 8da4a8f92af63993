// agent/checkpoint_desk.hpp: checkpoints on their way between a site's tasks and the network's store.
//
// It answers one question: how does a published checkpoint reach the store whole, and how does the newest good one reach the task
// that resumes? When that should happen is the reconciler's business. The work is long (every byte is read and checked), so it may
// run beside the loop that keeps the leases: orders go in, answers come out.
//
// A gang's checkpoint is what node rank 0 publishes; every rank of the next generation finds it in its resume folder.
#pragma once

#include "agent/records.hpp"
#include "domain/placement.hpp"
#include "ports/blob_store.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <functional>
#include <memory>
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
};

/// Stores one published checkpoint.
struct ReplicateOrder {
    GenerationKey key;
    std::string name;
};

struct Prepared {
    GenerationKey key;
    bool again = false;                ///< The store or the host did not do it now.
    std::string name;                  ///< Of the checkpoint in place; empty: none held, start afresh.
    std::vector<std::string> remarks;  ///< One for each that did not hold, and why not.
};

struct Replicated {
    GenerationKey key;
    std::string name;
    bool again = false;  ///< The store or the host did not do it now.
    std::string fault;   ///< Why this one will never be stored; empty: it is stored, or `again`.
    Digest manifest;
    std::int64_t bytes = 0;
};

using DeskOrder = std::variant<PrepareOrder, ReplicateOrder>;
using DeskAnswer = std::variant<Prepared, Replicated>;

/// Does the work of one order.
[[nodiscard]] DeskAnswer carry_out(ports::SiteBackend& backend, ports::BlobStore& store, const DeskOrder& order);

class CheckpointDesk {
public:
    CheckpointDesk() = default;
    CheckpointDesk(const CheckpointDesk&) = delete;
    CheckpointDesk& operator=(const CheckpointDesk&) = delete;
    virtual ~CheckpointDesk() = default;
    virtual void order(DeskOrder order) = 0;
    /// The answers since the last call.
    [[nodiscard]] virtual std::vector<DeskAnswer> take() = 0;
};

/// Carries out an order when it is given.
class InlineDesk final : public CheckpointDesk {
public:
    InlineDesk(ports::SiteBackend& backend, ports::BlobStore& store) : backend_{backend}, store_{store} {}
    void order(DeskOrder order) override { answers_.push_back(carry_out(backend_, store_, order)); }
    [[nodiscard]] std::vector<DeskAnswer> take() override { return std::exchange(answers_, {}); }

private:
    ports::SiteBackend& backend_;
    ports::BlobStore& store_;
    std::vector<DeskAnswer> answers_;
};

/// Carries out orders on a thread of its own, in turn. The backend's calls for checkpoints then run beside its others: only for
/// backends that permit it. The destructor waits for the order under way.
class ThreadDesk final : public CheckpointDesk {
public:
    /// `wake` is called on the thread after each answer; it must not block.
    ThreadDesk(ports::SiteBackend& backend, ports::BlobStore& store, std::function<void()> wake);
    ~ThreadDesk() override;
    void order(DeskOrder order) override;
    [[nodiscard]] std::vector<DeskAnswer> take() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::agent
