#include "agent/checkpoint_desk.hpp"

#include "agent/manifest.hpp"
#include "domain/tree.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>
#include <list>
#include <optional>
#include <stop_token>
#include <thread>

#include <time.h>
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
    bool elsewhere = false;  ///< It holds, and not here.
};

Flaw flaw_of(const BlobError& error) { return {error.fault == BlobFault::unavailable, error.message, false}; }
Flaw flaw_of(const BackendError& error) { return {error.fault == BackendFault::unavailable, error.message, false}; }

ports::TaskKey task_key(const GenerationKey& key, std::int32_t node_rank) { return {key.job.text(), key.generation, node_rank}; }

Result<ports::Checkpoint, Flaw> find(ports::BlobStore& store, const StoredCheckpoint& stored) {
    auto text = store.fetch_bytes(stored.manifest, manifest_bytes_max);
    if (!text) return fail(flaw_of(text.error()));
    auto files = parse_manifest(*text);
    if (!files) return fail(Flaw{false, fmt::format("{} is no manifest", stored.manifest.text()), false});
    ports::Checkpoint checkpoint{
        .name = stored.name, .files = std::move(*files), .bytes = 0, .digest = stored.manifest, .sealed_by_task = false};
    for (const auto& file : checkpoint.files) checkpoint.bytes += file.size;
    return checkpoint;
}

Result<void, Flaw> install(ports::SiteBackend& backend, ports::BlobStore& store, const PrepareOrder& order,
                           const StoredCheckpoint& stored, const DeskLimits& limits, Errand& errand) {
    const auto checkpoint = find(store, stored);
    if (!checkpoint) return fail(checkpoint.error());
    if (checkpoint->bytes > limits.resume_bytes_max) {
        return fail(Flaw{false,
                         fmt::format("it has {} bytes, and what a task may take of this site's disk is {}; resume elsewhere, or ask the "
                                     "site for more (task_disk)",
                                     checkpoint->bytes, limits.resume_bytes_max),
                         true});
    }
    const ports::FetchFile fetch = [&store, &errand](const ports::ManifestEntry& file, int into) -> ports::BackendResult<void> {
        errand.travel(file.size);
        const auto done = store.fetch(file.sha256, into, errand);
        errand.travel(0);
        if (done) return {};
        const bool again = done.error().fault == BlobFault::unavailable;
        return fail(BackendError{again ? BackendFault::unavailable : BackendFault::bad_checkpoint, done.error().message});
    };
    for (std::int32_t rank = 0; rank < order.nnodes; ++rank) {
        // Nobody makes a folder for what is called off.
        if (errand.onward(0) != ports::Onward::go_on) return fail(Flaw{true, "it was called off", false});
        const auto done = backend.install_checkpoint(task_key(order.key, rank), order.project.text(), *checkpoint, fetch, errand);
        if (!done) return fail(flaw_of(done.error()));
    }
    return {};
}

/// Puts the folder in place that the task begins in.
Result<void, Flaw> install_workdir(ports::SiteBackend& backend, const DeskStores& stores, const PrepareOrder& order,
                                   const DeskLimits& limits, Errand& errand) {
    const auto name = tree_name(*order.workdir);
    if (stores.data == nullptr) return fail(Flaw{false, fmt::format("this site has no way to {}", name), true});
    const auto store = stores.data->of(order.project);
    if (!store) return fail(flaw_of(store.error()));
    const auto text = (*store)->fetch_bytes(*order.workdir, limits::tree_text_bytes_max);
    if (!text) return fail(flaw_of(text.error()));
    const auto tree = parse_tree(*text);
    if (!tree) return fail(Flaw{false, fmt::format("{}: {}", name, tree.error()), false});
    if (const auto bytes = size_of(*tree, 0).bytes; bytes > limits.resume_bytes_max) {
        return fail(
            Flaw{false,
                 fmt::format("{} has {} bytes, and what a task may take of this site's disk is {}; leave files out of it, or ask the "
                             "site for more (task_disk)",
                             name, bytes, limits.resume_bytes_max),
                 true});
    }
    const ports::FetchFile fetch = [&store, &errand](const ports::ManifestEntry& file, int into) -> ports::BackendResult<void> {
        const auto done = (*store)->fetch(file.sha256, into, errand);
        if (done) return {};
        const bool again = done.error().fault == BlobFault::unavailable;
        return fail(BackendError{again ? BackendFault::unavailable : BackendFault::bad_checkpoint, done.error().message});
    };
    for (std::int32_t rank = 0; rank < order.nnodes; ++rank) {
        const auto done = backend.install_workdir(task_key(order.key, rank), order.project.text(), name, *tree, fetch, errand);
        if (!done) return fail(flaw_of(done.error()));
    }
    return {};
}

DeskAnswer prepare(ports::SiteBackend& backend, const DeskStores& stores, const PrepareOrder& order, const DeskLimits& limits,
                   Errand& errand) {
    Prepared answer{.key = order.key, .again = false, .name = {}, .manifest = {}, .refused = {}, .remarks = {}};
    if (order.workdir) {
        // Without the folder that it begins in a job cannot begin at all.
        const auto done = install_workdir(backend, stores, order, limits, errand);
        if (!done && !done.error().again) {
            answer.refused = done.error().message;
            return answer;
        }
        if (!done) {
            answer.again = true;
            answer.remarks.push_back(done.error().message);
            return answer;
        }
    }
    for (const auto& stored : order.resume) {
        const auto done = install(backend, stores.checkpoints, order, stored, limits, errand);
        if (done) {
            answer.name = stored.name;
            answer.manifest = stored.manifest;
            return answer;
        }
        answer.remarks.push_back(fmt::format("{} of generation {}: {}", stored.name, stored.generation, done.error().message));
        if (done.error().elsewhere) {
            answer.refused = answer.remarks.back();
            return answer;
        }
        if (done.error().again) {
            answer.again = true;
            return answer;
        }
    }
    return answer;
}

/// Holes cost a tenant nothing and the store all: beyond this many times what is on the disk, and some, a checkpoint is refused. Disks
/// that compress hold less than files say, too.
constexpr std::int64_t holes_factor_max = 8;
constexpr std::int64_t holes_bytes_max = std::int64_t{64} << 20;

/// Whether it may be copied at all: what is wrong, before a byte of it is read.
Result<void, Flaw> check_size(ports::BlobStore& store, const ports::CheckpointSize& size, const DeskLimits& limits) {
    if (size.bytes > limits.checkpoint_bytes_max) {
        return fail(
            Flaw{false, fmt::format("its files have {} bytes and at most {} are taken of one checkpoint; keep less in it, or ask the "
                                    "site for more (checkpoint_max)",
                                    size.bytes, limits.checkpoint_bytes_max),
                 false});
    }
    if (size.bytes / holes_factor_max > size.on_disk_bytes + holes_bytes_max / holes_factor_max) {
        return fail(
            Flaw{false, fmt::format("its files say that they have {} bytes and {} are on the disk: files with holes are not stored, nor "
                                    "files of many names; write them whole",
                                    size.bytes, size.on_disk_bytes),
                 false});
    }
    const auto room = store.room();
    if (!room) return fail(flaw_of(room.error()));
    if (size.bytes > *room) {
        return fail(
            Flaw{true, fmt::format("it has {} bytes and the network's store has room for {}; make room there", size.bytes, *room), false});
    }
    return {};
}

Result<ports::Checkpoint, Flaw> store_all(ports::SiteBackend& backend, ports::BlobStore& store, const ReplicateOrder& order,
                                          const DeskLimits& limits, Errand& errand) {
    const auto key = task_key(order.key, 0);
    const auto size = backend.measure_checkpoint(key, order.published.name);
    if (!size) return fail(flaw_of(size.error()));
    WEIR_CHECK(check_size(store, *size, limits));
    // Each byte is read for its digest, compared with what the store has, copied, and read back, the last two once more where half a copy
    // was there that does not hold; the rest is for manifests.
    errand.allow(6 * size->bytes + manifest_bytes_max);
    auto checkpoint = backend.inspect_checkpoint(key, order.published.name, errand);
    if (!checkpoint) return fail(flaw_of(checkpoint.error()));
    for (const auto& file : checkpoint->files) {
        const auto opened = backend.open_checkpoint_file(key, order.published.name, file.path);
        if (!opened) return fail(flaw_of(opened.error()));
        errand.travel(file.size);
        const auto put = store.put(file.sha256, file.size, *opened, errand);
        errand.travel(0);
        ::close(*opened);
        if (!put) return fail(flaw_of(put.error()));
    }
    const auto text = manifest_text(checkpoint->files);
    const auto put = store.put_bytes(checkpoint->digest, text);
    if (!put) return fail(flaw_of(put.error()));
    return std::move(*checkpoint);
}

DeskAnswer replicate(ports::SiteBackend& backend, ports::BlobStore& store, const ReplicateOrder& order, const DeskLimits& limits,
                     Errand& errand) {
    Replicated answer{.key = order.key, .published = order.published, .again = false, .fault = {}, .manifest = {}, .bytes = 0};
    const auto stored = store_all(backend, store, order, limits, errand);
    if (stored) {
        answer.manifest = stored->digest;
        answer.bytes = stored->bytes;
    } else {
        answer.again = stored.error().again && !errand.is_beyond();
        answer.fault =
            errand.is_beyond() ? "it grew while it was copied; publish it by renaming it once it is whole" : stored.error().message;
    }
    return answer;
}

Result<OutputsKept, Flaw> keep(ports::SiteBackend& backend, const DeskStores& stores, const OutputOrder& order, Errand& errand) {
    if (stores.data == nullptr) return fail(Flaw{false, "this site has no way to the network's store of files", false});
    const auto key = task_key(order.key, 0);
    const auto tree = backend.inspect_outputs(key, order.bytes_max, errand);
    if (!tree) return fail(flaw_of(tree.error()));
    const auto store = stores.data->of(order.project);
    if (!store) return fail(flaw_of(store.error()));
    const auto bytes = size_of(*tree, 0).bytes;
    const auto room = (*store)->room();
    if (!room) return fail(flaw_of(room.error()));
    if (bytes > *room)
        return fail(Flaw{
            true, fmt::format("the outputs have {} bytes and the network's store has room for {}; make room there", bytes, *room), false});
    for (const auto& entry : tree->entries) {
        const auto opened = backend.open_output(key, entry.path);
        if (!opened) return fail(flaw_of(opened.error()));
        const auto put = (*store)->put(entry.digest, entry.size, *opened, errand);
        ::close(*opened);
        if (!put) return fail(flaw_of(put.error()));
    }
    const auto text = tree_text(*tree);
    const auto digest = sha256(text);
    if (const auto put = (*store)->put_bytes(digest, text); !put) return fail(flaw_of(put.error()));
    return OutputsKept{order.key, false, {}, digest, size_of(*tree, text.size())};
}

DeskAnswer keep_outputs(ports::SiteBackend& backend, const DeskStores& stores, const OutputOrder& order, Errand& errand) {
    auto kept = keep(backend, stores, order, errand);
    if (kept) return std::move(*kept);
    OutputsKept answer{.key = order.key, .again = kept.error().again, .fault = kept.error().message, .tree = {}, .size = {}};
    return answer;
}

}  // namespace

class Turns {
public:
    /// Waits for one's turn.
    void take() {
        std::unique_lock lock{mutex_};
        const auto ticket = tickets_++;
        changed_.wait(lock, [&] { return ticket < ended_ + at_once; });
    }
    void end() {
        {
            const std::lock_guard lock{mutex_};
            ++ended_;
        }
        changed_.notify_all();
    }

private:
    static constexpr std::uint64_t at_once = 2;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t tickets_ = 0;
    std::uint64_t ended_ = 0;
};

ports::BootInstant Errand::now() const {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

void Errand::rest(Duration duration) {
    std::unique_lock lock{resting_};
    woken_.wait_for(lock, std::chrono::nanoseconds{duration.ns}, [this] { return told_ != ports::Onward::go_on; });
}

void Errand::drop(ports::Onward what) {
    {
        const std::lock_guard lock{resting_};
        told_ = what;
    }
    woken_.notify_all();
}

/// Whoever waits for its pace lets others go that have something else to do.
void Errand::keep_pace(std::int64_t bytes) {
    if (pace_ == nullptr || travelling_ == 0) return;
    const auto counted = std::min(bytes, travelling_);
    travelling_ -= counted;
    const auto wait = pace_->book(counted, now());
    if (wait.ns <= 0) return;
    if (turns_ != nullptr) turns_->end();
    rest(wait);
    if (turns_ == nullptr) return;
    slice_ = 0;
    turns_->take();
}

ports::Onward Errand::onward(std::int64_t bytes) {
    constexpr std::int64_t slice_bytes = std::int64_t{16} << 20;
    left_ -= bytes;
    slice_ += bytes;
    if (left_ < 0) return ports::Onward::never;
    keep_pace(bytes);
    if (turns_ != nullptr && slice_ >= slice_bytes) {
        slice_ = 0;
        turns_->end();
        turns_->take();
    }
    return told_;
}

DeskAnswer carry_out(ports::SiteBackend& backend, const DeskStores& stores, const DeskOrder& order, const DeskLimits& limits,
                     Errand& errand) {
    if (const auto* resume = std::get_if<PrepareOrder>(&order)) return prepare(backend, stores, *resume, limits, errand);
    if (const auto* outputs = std::get_if<OutputOrder>(&order)) return keep_outputs(backend, stores, *outputs, errand);
    return replicate(backend, stores.checkpoints, std::get<ReplicateOrder>(order), limits, errand);
}

struct ThreadDesk::Impl {
    static constexpr std::size_t threads_max = 8;
    static constexpr std::size_t of_a_project_max = threads_max / 2;

    struct UnderWay {
        DeskOrder order;
        std::shared_ptr<Errand> errand;
        bool dropped = false;
    };

    Impl(ports::SiteBackend& backend, DeskStores stores, std::function<void()> wake, DeskLimits limits)
        : backend_{backend}, stores_{stores}, wake_{std::move(wake)}, limits_{limits} {
        if (limits.bytes_per_s > 0) pace_.emplace(limits.bytes_per_s);
        for (std::size_t i = 0; i < threads_max; ++i) threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    }
    ~Impl() {
        for (auto& thread : threads_) thread.request_stop();
        const std::lock_guard lock{mutex_};
        for (auto& one : under_way_) one.errand->drop(ports::Onward::later);
    }

    static const GenerationKey& key_of(const DeskOrder& order) {
        return std::visit([](const auto& one) -> const GenerationKey& { return one.key; }, order);
    }
    static const ProjectName& project_of(const DeskOrder& order) {
        return std::visit([](const auto& one) -> const ProjectName& { return one.project; }, order);
    }

    void run(const std::stop_token& stop) {
        while (const auto mine = next(stop)) {
            turns_.take();
            auto answer = carry_out(backend_, stores_, (*mine)->order, limits_, *(*mine)->errand);
            turns_.end();
            {
                const std::lock_guard lock{mutex_};
                const bool dropped = (*mine)->dropped;
                under_way_.erase(*mine);
                if (!dropped) answers_.push_back(std::move(answer));
            }
            // Another order of the same project, or for the same generation, may go now.
            changed_.notify_all();
            wake_();
        }
    }

    [[nodiscard]] std::size_t under_way_of(const ProjectName& project) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(under_way_, [&](const auto& one) { return project_of(one.order) == project; }));
    }

    [[nodiscard]] bool is_at_work(const GenerationKey& key) const {
        return std::ranges::any_of(under_way_, [&](const auto& one) { return key_of(one.order) == key; });
    }

    /// The order of the project that has the fewest under way; of those the one that waits longest. What was dropped may not be at its end
    /// yet: nobody works on a generation beside it.
    [[nodiscard]] std::deque<DeskOrder>::iterator choose() {
        auto chosen = waiting_.end();
        auto fewest = of_a_project_max;
        for (auto it = waiting_.begin(); it != waiting_.end() && fewest > 0; ++it) {
            const auto count = under_way_of(project_of(*it));
            if (count >= fewest || is_at_work(key_of(*it))) continue;
            chosen = it;
            fewest = count;
        }
        return chosen;
    }

    std::optional<std::list<UnderWay>::iterator> next(const std::stop_token& stop) {
        std::unique_lock lock{mutex_};
        auto chosen = waiting_.end();
        const bool found = changed_.wait(lock, stop, [&] {
            chosen = choose();
            return chosen != waiting_.end();
        });
        if (!found || stop.stop_requested()) return std::nullopt;
        under_way_.push_back({std::move(*chosen), std::make_shared<Errand>(&turns_, pace_ ? &*pace_ : nullptr)});
        waiting_.erase(chosen);
        return std::prev(under_way_.end());
    }

    ports::SiteBackend& backend_;
    DeskStores stores_;
    std::function<void()> wake_;
    DeskLimits limits_;
    Turns turns_;
    std::optional<Pace> pace_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<DeskOrder> waiting_;
    std::list<UnderWay> under_way_;
    std::vector<DeskAnswer> answers_;
    std::vector<std::jthread> threads_;  ///< Last: they use all of the above.
};

ThreadDesk::ThreadDesk(ports::SiteBackend& backend, ports::BlobStore& store, std::function<void()> wake, DeskLimits limits,
                       ports::DataStores* data)
    : impl_{std::make_unique<Impl>(backend, DeskStores{store, data}, std::move(wake), limits)} {}
ThreadDesk::~ThreadDesk() = default;

void ThreadDesk::order(DeskOrder order) {
    {
        const std::lock_guard lock{impl_->mutex_};
        impl_->waiting_.push_back(std::move(order));
    }
    impl_->changed_.notify_all();
}

void ThreadDesk::drop(const GenerationKey& key) {
    const std::lock_guard lock{impl_->mutex_};
    std::erase_if(impl_->waiting_, [&](const auto& order) { return Impl::key_of(order) == key; });
    for (auto& one : impl_->under_way_) {
        if (Impl::key_of(one.order) != key) continue;
        one.errand->drop(ports::Onward::never);
        one.dropped = true;
    }
    std::erase_if(impl_->answers_, [&](const auto& answer) {
        return std::visit([&](const auto& one) { return one.key == key; }, answer);
    });
}

bool ThreadDesk::is_at_work(const GenerationKey& key) const {
    const std::lock_guard lock{impl_->mutex_};
    return impl_->is_at_work(key);
}

std::vector<DeskAnswer> ThreadDesk::take() {
    const std::lock_guard lock{impl_->mutex_};
    return std::exchange(impl_->answers_, {});
}

}  // namespace weir::agent
