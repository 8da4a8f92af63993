#include "agent/checkpoint_desk.hpp"

#include "agent/manifest.hpp"
#include "domain/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <set>
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
    std::optional<OutputFault> outputs{};  ///< Of outputs: what their tenant is told.
    std::int64_t room = 0;                 ///< With it: how many bytes could be stored,
    std::int64_t bytes = 0;                ///< of how many.
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

// ---- outputs

constexpr std::string_view left_out_name = ".weir-left-out";  ///< A file that names what could not be kept, for the tenant.

/// Where a file of the tree lies at the site: its rank and its path there.
struct Origin {
    std::int32_t rank = 0;
    std::string path;
};

/// What a generation has left, looked at and not yet stored.
struct Gathered {
    std::vector<TreeEntry> entries;
    std::map<std::string, Origin, std::less<>> origins;
    std::vector<ports::KnownOutputs> known;
    std::vector<std::string> left_out;
    std::int64_t bytes = 0;
    std::optional<OutputFault> fault{};
};

Result<Gathered, Flaw> gather(ports::SiteBackend& backend, const OutputOrder& order, Errand& errand) {
    Gathered all;
    const std::int32_t ranks = order.all_nodes ? order.nnodes : 1;
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
        const auto index = static_cast<std::size_t>(rank);
        const auto* known = order.known && index < order.known->size() ? &(*order.known)[index] : nullptr;
        const auto settled = order.is_over ? std::nullopt : std::optional<std::int64_t>{outputs_settled_s};
        auto seen = backend.inspect_outputs(task_key(order.key, rank), {order.bytes_max - all.bytes, settled, known}, errand);
        if (!seen) return fail(flaw_of(seen.error()));
        all.bytes += seen->bytes;
        if (seen->fault && !all.fault) all.fault = seen->fault;
        const auto prefix = order.all_nodes ? fmt::format("node-{}/", rank) : std::string{};
        for (auto& entry : seen->tree.entries) {
            auto path = prefix + entry.path;
            if (!entry.is_link()) all.origins.emplace(path, Origin{rank, entry.path});
            entry.path = std::move(path);
            all.entries.push_back(std::move(entry));
        }
        for (const auto& line : seen->left_out) all.left_out.push_back(prefix + line);
        all.known.push_back(std::move(seen->known));
    }
    return all;
}

/// What earlier generations left and this one has no path of; nothing of it where both cannot lie in one tree.
Result<Tree, Flaw> with_before(ports::DataStore& store, const Digest& before, const std::vector<TreeEntry>& own) {
    const auto text = store.fetch_bytes(before, limits::tree_text_bytes_max);
    const auto earlier = text ? parse_tree(*text) : Result<Tree, std::string>{Tree{}};
    if (!text && text.error().fault == BlobFault::unavailable) return fail(flaw_of(text.error()));
    auto entries = own;
    std::set<std::string_view> taken;
    for (const auto& entry : own) taken.insert(entry.path);
    for (const auto& entry : earlier ? earlier->entries : std::vector<TreeEntry>{}) {
        if (!taken.contains(entry.path) && entry.path != left_out_name) entries.push_back(entry);
    }
    auto both = make_tree(std::move(entries));
    if (!both) both = make_tree(own);
    if (!both) return fail(Flaw{false, both.error(), false});
    return std::move(*both);
}

std::vector<ports::SizedDigest> blobs_of(const Tree& tree) {
    std::set<ports::SizedDigest> blobs;
    for (const auto& entry : tree.entries) {
        if (!entry.is_link()) blobs.insert({entry.digest, entry.size});
    }
    return {blobs.begin(), blobs.end()};
}

/// Copies what the store lacks of a tree. A file that is another by now is for the next look.
Result<void, Flaw> store_lacking(ports::SiteBackend& backend, ports::DataStore& store, const OutputOrder& order, const Tree& tree,
                                 const Gathered& from, Errand& errand) {
    const auto lacking = store.lacking(blobs_of(tree));
    if (!lacking) return fail(flaw_of(lacking.error()));
    const std::set<ports::SizedDigest> wanted{lacking->begin(), lacking->end()};
    std::int64_t bytes = 0;
    for (const auto& blob : wanted) bytes += blob.size;
    const auto room = store.room();
    if (!room) return fail(flaw_of(room.error()));
    if (bytes > *room)
        return fail(Flaw{true, fmt::format("{} bytes of outputs are to be stored, and the network's store has room for {}; make room there",
                                           bytes, *room),
                         false, OutputFault::store_full, *room, bytes});
    std::set<Digest> done;
    for (const auto& entry : tree.entries) {
        if (entry.is_link() || !wanted.contains({entry.digest, entry.size}) || !done.insert(entry.digest).second) continue;
        const auto origin = from.origins.find(entry.path);
        if (origin == from.origins.end()) return fail(Flaw{true, entry.path + " was stored before and is not there any more", false});
        const auto opened = backend.open_output(task_key(order.key, origin->second.rank), origin->second.path);
        if (!opened) return fail(Flaw{true, opened.error().message, false});
        errand.travel(entry.size);
        const auto put = store.put(entry.digest, entry.size, *opened, errand);
        errand.travel(0);
        ::close(*opened);
        if (!put) return fail(Flaw{true, put.error().message, false});
    }
    return {};
}

Result<OutputsKept, Flaw> keep(ports::SiteBackend& backend, const DeskStores& stores, const OutputOrder& order, Errand& errand) {
    if (stores.data == nullptr) return fail(Flaw{false, "this site has no way to the network's store of files", false});
    auto gathered = WEIR_TRY(gather(backend, order, errand));
    OutputsKept answer{.key = order.key, .is_over = order.is_over, .why = {}, .left_out = gathered.left_out};
    const auto refuse_all = [&](OutputFault fault, std::int64_t bytes) {
        answer.fault = fault;
        answer.bytes_max = order.bytes_max;
        answer.size = {bytes, static_cast<std::int64_t>(gathered.entries.size())};
        answer.why = fmt::format(
            "they have {} bytes and their project may still keep {}; leave fewer, remove what is no longer needed (weir "
            "rm), or ask an operator for more",
            bytes, order.bytes_max);
        if (fault == OutputFault::too_many_files)
            answer.why = fmt::format("there are more than {} files; pack them", limits::tree_files_max);
        return answer;
    };
    if (gathered.fault) return refuse_all(*gathered.fault, gathered.bytes);
    answer.known = std::make_shared<const std::vector<ports::KnownOutputs>>(std::move(gathered.known));
    if (gathered.entries.empty() && !order.before && !order.stored && gathered.left_out.empty()) return answer;
    const auto store = stores.data->of(order.project);
    if (!store) return fail(flaw_of(store.error()));
    if (!gathered.left_out.empty()) {
        const auto text = fmt::format("{}\n", fmt::join(gathered.left_out, "\n"));
        if (const auto put = (*store)->put_bytes(sha256(text), text); !put) return fail(flaw_of(put.error()));
        gathered.entries.push_back({std::string{left_out_name}, EntryKind::file, std::ssize(text), sha256(text), {}});
    }
    auto tree = order.before ? with_before(**store, *order.before, gathered.entries)
                             : make_tree(gathered.entries).map_error([](auto why) { return Flaw{false, std::move(why), false}; });
    if (!tree) return fail(tree.error());
    const auto text = tree_text(*tree);
    const auto digest = sha256(text);
    const auto size = size_of(*tree, text.size());
    if (size.bytes > order.bytes_max) return refuse_all(OutputFault::over_quota, size.bytes);
    answer.size = size;
    answer.tree = digest;
    if (order.stored == digest) return answer;
    WEIR_CHECK(store_lacking(backend, **store, order, *tree, gathered, errand));
    if (const auto put = (*store)->put_bytes(digest, text); !put) return fail(flaw_of(put.error()));
    return answer;
}

DeskAnswer keep_outputs(ports::SiteBackend& backend, const DeskStores& stores, const OutputOrder& order, Errand& errand) {
    auto kept = keep(backend, stores, order, errand);
    if (kept) return std::move(*kept);
    auto& flaw = kept.error();
    OutputsKept answer{.key = order.key, .is_over = order.is_over, .again = flaw.again, .why = std::move(flaw.message)};
    answer.fault = flaw.outputs;
    answer.bytes_max = flaw.room;
    answer.size.bytes = flaw.bytes;
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
