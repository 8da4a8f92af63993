#include "control/data_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <optional>
#include <set>

namespace weir::control {
namespace {

/// Uploads of a tree that was never kept stay so long, for whoever goes on with them.
constexpr std::int64_t upload_s = 86'400;
constexpr Duration sweep_every = hours(1);

/// What the state says of a project's data.
struct Wanted {
    std::set<Digest> kept;                   ///< Manifests.
    std::optional<Digest> dropped;           ///< One that is to go.
    std::vector<Digest> erased;              ///< Those whose files are gone: their manifests may go too.
};

Wanted wanted_of(const State& state, const ProjectName& project) {
    Wanted wanted;
    const auto data = state.data.find(project);
    if (data == state.data.end()) return wanted;
    for (const auto& [digest, tree] : data->second.trees) wanted.kept.insert(digest);
    if (data->second.files) wanted.kept.insert(data->second.files->tree);
    for (const auto& [job, outputs] : data->second.outputs) wanted.kept.insert(outputs.tree);
    if (!data->second.dropped.empty()) wanted.dropped = data->second.dropped.begin()->first;
    for (const auto& [digest, receipt] : data->second.erased) {
        if (!wanted.kept.contains(digest) && !data->second.dropped.contains(digest)) wanted.erased.push_back(digest);
    }
    return wanted;
}

ports::BlobResult<Tree> read_tree(ports::DataStore& store, const Digest& digest) {
    const auto text = WEIR_TRY(store.fetch_bytes(digest, limits::tree_text_bytes_max));
    auto tree = parse_tree(text);
    if (!tree) return fail(ports::BlobError{ports::BlobFault::damaged, fmt::format("{}: {}", tree_name(digest), tree.error())});
    return std::move(*tree);
}

/// Everything that a kept tree names; an error where one cannot be read, for then nothing may go.
ports::BlobResult<std::set<Digest>> named_by(ports::DataStore& store, const std::set<Digest>& manifests) {
    std::set<Digest> named{manifests};
    for (const auto& digest : manifests) {
        const auto tree = WEIR_TRY(read_tree(store, digest));
        for (const auto& blob : blobs_of(tree)) named.insert(blob.digest);
    }
    return named;
}

Digest list_head(std::span<const Digest> gone) {
    Digest head;
    for (const auto& digest : gone) head = chain(head, digest.text());
    return head;
}

}  // namespace

std::vector<ports::SizedDigest> blobs_of(const Tree& tree) {
    std::set<ports::SizedDigest> blobs;
    for (const auto& entry : tree.entries) {
        if (!entry.is_link()) blobs.insert({entry.digest, entry.size});
    }
    return {blobs.begin(), blobs.end()};
}

DataKeeper::Pin::Pin(DataKeeper& keeper, ProjectName project) : keeper_{keeper}, project_{std::move(project)} {
    std::unique_lock lock{keeper_.mutex_};
    keeper_.changed_.wait(lock, [&] { return keeper_.removing_ != project_; });
    ++keeper_.pins_[project_];
}

DataKeeper::Pin::~Pin() {
    const std::lock_guard lock{keeper_.mutex_};
    const auto pin = keeper_.pins_.find(project_);
    if (--pin->second == 0) keeper_.pins_.erase(pin);
}

bool DataKeeper::begin_removal(const ProjectName& project) {
    const std::lock_guard lock{mutex_};
    if (pins_.contains(project)) return false;
    removing_ = project;
    return true;
}

void DataKeeper::end_removal(const ProjectName&) {
    {
        const std::lock_guard lock{mutex_};
        removing_ = {};
    }
    changed_.notify_all();
}

void DataKeeper::look_after(const ProjectName& project, bool sweeps) {
    const auto wanted = reader_.ask([&](const Core& core) { return wanted_of(core.state, project); });
    if (!wanted.dropped && wanted.erased.empty() && !sweeps) return;
    const auto complain = [&](const std::string& why) {
        auto& last = complaints_[project];
        if (last != why) say_(fmt::format("nothing is removed of what project {} kept: {}", project.value, why));
        last = why;
    };
    const auto opened = stores_.of(project);
    if (!opened) return complain(opened.error().message);
    auto& store = **opened;
    if (!wanted.erased.empty()) {
        if (const auto removed = store.remove(wanted.erased); !removed) return complain(removed.error().message);
    }
    if (!wanted.dropped && !sweeps) return;
    const auto named = named_by(store, wanted.kept);
    if (!named) return complain(named.error().message);
    if (sweeps) {
        const auto old_s = floor_seconds(wall_()) - upload_s;
        const auto there = store.list();
        if (!there) return complain(there.error().message);
        std::vector<Digest> gone;
        for (const auto& blob : *there) {
            if (blob.stored_s < old_s && !named->contains(blob.digest) && blob.digest != wanted.dropped) gone.push_back(blob.digest);
        }
        if (const auto removed = store.remove(gone); !removed) return complain(removed.error().message);
        if (const auto removed = store.remove_uploads(old_s); !removed) return complain(removed.error().message);
    }
    complaints_.erase(project);
    if (!wanted.dropped) return;
    std::vector<Digest> gone;
    if (const auto tree = read_tree(store, *wanted.dropped)) {
        for (const auto& blob : blobs_of(*tree)) {
            if (!named->contains(blob.digest)) gone.push_back(blob.digest);
        }
    } else if (tree.error().fault == ports::BlobFault::unavailable) {
        return complain(tree.error().message);
    }
    const auto removed = store.remove(gone);
    if (!removed) return complain(removed.error().message);
    ConfirmErased confirmed{project, *wanted.dropped, list_head(gone),
                            {{"network", wall_(), static_cast<std::int64_t>(gone.size()), removed->bytes}}};
    std::promise<void> done;
    loop_.submit(Request{Actor{}, std::move(confirmed)}, [&done](const Answer&, std::uint64_t) { done.set_value(); });
    done.get_future().wait();
}

void DataKeeper::turn() {
    const auto now = wall_();
    const bool sweeps = now >= swept_at_ + sweep_every;
    if (sweeps) swept_at_ = now;
    std::set<ProjectName> projects;
    if (sweeps) {
        if (const auto there = stores_.projects()) projects.insert(there->begin(), there->end());
    }
    reader_.ask([&](const Core& core) {
        for (const auto& [project, data] : core.state.data) {
            if (!data.dropped.empty() || (sweeps && !data.erased.empty())) projects.insert(project);
        }
    });
    for (const auto& project : projects) {
        if (!begin_removal(project)) continue;
        look_after(project, sweeps);
        end_removal(project);
    }
}

}  // namespace weir::control
