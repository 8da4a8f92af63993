#include "agent/checkpoint_desk.hpp"

#include "agent/manifest.hpp"

#include <fmt/core.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include <unistd.h>

namespace weir::agent {
namespace {

using ports::BackendError;
using ports::BackendFault;
using ports::BlobError;
using ports::BlobFault;

/// What is wrong with one checkpoint: it does not hold, or it could not be told now.
struct Flaw {
    bool again = false;
    std::string message;
};

Flaw flaw_of(const BlobError& error) { return {error.fault == BlobFault::unavailable, error.message}; }
Flaw flaw_of(const BackendError& error) { return {error.fault == BackendFault::unavailable, error.message}; }

ports::TaskKey task_key(const GenerationKey& key, std::int32_t node_rank) { return {key.job.text(), key.generation, node_rank}; }

Result<ports::Checkpoint, Flaw> find(ports::BlobStore& store, const StoredCheckpoint& stored) {
    auto text = store.fetch_bytes(stored.manifest, manifest_bytes_max);
    if (!text) return fail(flaw_of(text.error()));
    auto files = parse_manifest(*text);
    if (!files) return fail(Flaw{false, fmt::format("{} is no manifest", stored.manifest.text())});
    ports::Checkpoint checkpoint{
        .name = stored.name, .files = std::move(*files), .bytes = 0, .digest = stored.manifest, .sealed_by_task = false};
    for (const auto& file : checkpoint.files) checkpoint.bytes += file.size;
    return checkpoint;
}

Result<void, Flaw> install(ports::SiteBackend& backend, ports::BlobStore& store, const PrepareOrder& order,
                           const StoredCheckpoint& stored) {
    const auto checkpoint = find(store, stored);
    if (!checkpoint) return fail(checkpoint.error());
    const ports::FetchFile fetch = [&store](const ports::ManifestEntry& file, int into) -> ports::BackendResult<void> {
        const auto done = store.fetch(file.sha256, into);
        if (done) return {};
        const bool again = done.error().fault == BlobFault::unavailable;
        return fail(BackendError{again ? BackendFault::unavailable : BackendFault::bad_checkpoint, done.error().message});
    };
    for (std::int32_t rank = 0; rank < order.nnodes; ++rank) {
        const auto done = backend.install_checkpoint(task_key(order.key, rank), order.project.text(), *checkpoint, fetch);
        if (!done) return fail(flaw_of(done.error()));
    }
    return {};
}

DeskAnswer prepare(ports::SiteBackend& backend, ports::BlobStore& store, const PrepareOrder& order) {
    Prepared answer{.key = order.key, .again = false, .name = {}, .remarks = {}};
    for (const auto& stored : order.resume) {
        const auto done = install(backend, store, order, stored);
        if (done) {
            answer.name = stored.name;
            return answer;
        }
        answer.remarks.push_back(fmt::format("{} of generation {}: {}", stored.name, stored.generation, done.error().message));
        if (done.error().again) {
            answer.again = true;
            return answer;
        }
    }
    return answer;
}

Result<ports::Checkpoint, Flaw> store_all(ports::SiteBackend& backend, ports::BlobStore& store, const ReplicateOrder& order) {
    const auto key = task_key(order.key, 0);
    auto checkpoint = backend.inspect_checkpoint(key, order.name);
    if (!checkpoint) return fail(flaw_of(checkpoint.error()));
    for (const auto& file : checkpoint->files) {
        const auto has = store.has(file.sha256);
        if (!has) return fail(flaw_of(has.error()));
        if (*has) continue;
        const auto opened = backend.open_checkpoint_file(key, order.name, file.path);
        if (!opened) return fail(flaw_of(opened.error()));
        const auto put = store.put(file.sha256, file.size, *opened);
        ::close(*opened);
        if (!put) return fail(flaw_of(put.error()));
    }
    const auto text = manifest_text(checkpoint->files);
    const auto put = store.put_bytes(checkpoint->digest, text);
    if (!put) return fail(flaw_of(put.error()));
    return std::move(*checkpoint);
}

DeskAnswer replicate(ports::SiteBackend& backend, ports::BlobStore& store, const ReplicateOrder& order) {
    Replicated answer{.key = order.key, .name = order.name, .again = false, .fault = {}, .manifest = {}, .bytes = 0};
    const auto stored = store_all(backend, store, order);
    if (stored) {
        answer.manifest = stored->digest;
        answer.bytes = stored->bytes;
    } else {
        answer.again = stored.error().again;
        answer.fault = stored.error().message;
    }
    return answer;
}

}  // namespace

DeskAnswer carry_out(ports::SiteBackend& backend, ports::BlobStore& store, const DeskOrder& order) {
    if (const auto* resume = std::get_if<PrepareOrder>(&order)) return prepare(backend, store, *resume);
    return replicate(backend, store, std::get<ReplicateOrder>(order));
}

struct ThreadDesk::Impl {
    Impl(ports::SiteBackend& backend, ports::BlobStore& store, std::function<void()> wake)
        : backend_{backend}, store_{store}, wake_{std::move(wake)}, thread_{[this](const std::stop_token& stop) { run(stop); }} {}

    void run(const std::stop_token& stop) {
        while (auto order = next(stop)) {
            auto answer = carry_out(backend_, store_, *order);
            {
                const std::lock_guard lock{mutex_};
                answers_.push_back(std::move(answer));
            }
            wake_();
        }
    }

    std::optional<DeskOrder> next(const std::stop_token& stop) {
        std::unique_lock lock{mutex_};
        if (!changed_.wait(lock, stop, [this] { return !orders_.empty(); })) return std::nullopt;
        auto order = std::move(orders_.front());
        orders_.pop_front();
        return order;
    }

    ports::SiteBackend& backend_;
    ports::BlobStore& store_;
    std::function<void()> wake_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<DeskOrder> orders_;
    std::vector<DeskAnswer> answers_;
    std::jthread thread_;  ///< Last: it uses all of the above.
};

ThreadDesk::ThreadDesk(ports::SiteBackend& backend, ports::BlobStore& store, std::function<void()> wake)
    : impl_{std::make_unique<Impl>(backend, store, std::move(wake))} {}
ThreadDesk::~ThreadDesk() = default;

void ThreadDesk::order(DeskOrder order) {
    {
        const std::lock_guard lock{impl_->mutex_};
        impl_->orders_.push_back(std::move(order));
    }
    impl_->changed_.notify_one();
}

std::vector<DeskAnswer> ThreadDesk::take() {
    const std::lock_guard lock{impl_->mutex_};
    return std::exchange(impl_->answers_, {});
}

}  // namespace weir::agent
