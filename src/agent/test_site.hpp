// agent/test_site.hpp: a site without processes, for tests: a backend that does what it is told, and the moves of a story.
#pragma once

#include "agent/checkpoint_desk.hpp"
#include "agent/manifest.hpp"
#include "agent/reconciler.hpp"
#include "ports/blob_store.hpp"
#include "ports/site_backend.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace weir::agent {

/// Blobs in memory.
class FakeBlobs final : public ports::BlobStore {
public:
    ports::BlobResult<std::int64_t> room() override { return room_bytes; }
    ports::BlobResult<void> put(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) override {
        if (copying.onward(size) != ports::Onward::go_on) return fail(ports::BlobError{ports::BlobFault::unavailable, "called off"});
        std::string bytes(static_cast<std::size_t>(size), '\0');
        if (::pread(file, bytes.data(), bytes.size(), 0) != size) return fail(ports::BlobError{ports::BlobFault::damaged, "short"});
        return put_bytes(digest, bytes);
    }
    ports::BlobResult<void> put_bytes(const Digest& digest, std::string_view bytes) override {
        if (down) return fail(ports::BlobError{ports::BlobFault::unavailable, "the store is down"});
        if (sha256(bytes) != digest) return fail(ports::BlobError{ports::BlobFault::damaged, "other bytes"});
        blobs[digest] = bytes;
        return {};
    }
    ports::BlobResult<void> fetch(const Digest& digest, int into, ports::Copying&) override {
        auto bytes = fetch_bytes(digest, SIZE_MAX);
        if (!bytes) return fail(bytes.error());
        return ::write(into, bytes->data(), bytes->size()) == std::ssize(*bytes)
                   ? ports::BlobResult<void>{}
                   : fail(ports::BlobError{ports::BlobFault::unavailable, "cannot write"});
    }
    ports::BlobResult<std::string> fetch_bytes(const Digest& digest, std::size_t) override {
        if (down) return fail(ports::BlobError{ports::BlobFault::unavailable, "the store is down"});
        const auto found = blobs.find(digest);
        if (found == blobs.end()) return fail(ports::BlobError{ports::BlobFault::not_found, "no such blob"});
        if (sha256(found->second) != digest) return fail(ports::BlobError{ports::BlobFault::damaged, "it rotted"});
        return found->second;
    }

    std::map<Digest, std::string> blobs;
    std::int64_t room_bytes = INT64_MAX;
    bool down = false;
};

/// Tasks as entries of a map. It refuses to break the promises that the reconciler relies on, and notes every call that changes
/// something: "start 1/0", "stop 1/0", "fence 1", "renew 1/0 until 30", "forget 1/0" (generation/rank; seconds).
class FakeBackend final : public ports::SiteBackend {
public:
    struct Task {
        ports::TaskSpec spec;
        ports::TaskObserved seen;
        ports::BootInstant deadline;
        std::map<std::string, std::string> checkpoints;  ///< Name and content of its one file, oldest first by name.
    };

    ports::Capabilities capabilities() const override {
        ports::Capabilities can;
        can.checkpoints_beside = checkpoints_beside;
        return can;
    }
    ports::BackendResult<ports::Inventory> inventory() override { return host; }

    ports::BackendResult<ports::StartOutcome> start(const ports::TaskSpec& spec) override {
        if (start_fault) return fail(ports::BackendError{*start_fault, "not here"});
        if (const auto known = tasks.find(spec.key); known != tasks.end()) {
            if (known->second.seen.begun) return ports::StartOutcome::already_running;
            tasks.erase(known);
        }
        if (spec.key.generation <= fenced) return fail(ports::BackendError{ports::BackendFault::fenced, "fenced"});
        for (const auto& [key, task] : tasks) {
            EXPECT_TRUE(key.job != spec.key.job || key.generation == spec.key.generation || task.seen.state == ports::TaskState::ended)
                << "two generations of a job at once";
        }
        note("start " + name(spec.key));
        Task task;
        task.spec = spec;
        task.deadline = spec.lease_deadline;
        task.seen.key = spec.key;
        task.seen.project = spec.project;
        task.seen.state = ports::TaskState::running;
        task.seen.started_at_s = now_s;
        task.seen.began = ports::BootInstant{now_s * 1'000'000'000};
        installed.erase(spec.key);
        task.seen.meter = {now_s, now_s, false};
        tasks.emplace(spec.key, std::move(task));
        return ports::StartOutcome::started;
    }
    ports::BackendResult<std::vector<ports::TaskObserved>> observe() override {
        std::vector<ports::TaskObserved> all;
        for (auto& [key, task] : tasks) {
            if (task.seen.state != ports::TaskState::ended) task.seen.meter.to_s = now_s;
            all.push_back(task.seen);
        }
        return all;
    }
    ports::BackendResult<void> renew_lease(const ports::TaskKey& key, ports::BootInstant deadline) override {
        note("renew " + name(key) + " until " + std::to_string(deadline.ns / 1'000'000'000));
        tasks.at(key).deadline = std::max(tasks.at(key).deadline, deadline);
        return {};
    }
    ports::BackendResult<void> stop(const ports::TaskKey& key) override {
        note("stop " + name(key));
        tasks.at(key).seen.state = ports::TaskState::stopping;
        return {};
    }
    ports::BackendResult<void> signal(const ports::TaskKey&, int) override { return {}; }
    ports::BackendResult<void> request_checkpoint(const ports::TaskKey& key) override {
        note("checkpoint " + name(key));
        return {};
    }
    ports::BackendResult<void> fence(const std::string&, std::int64_t generation) override {
        note("fence " + std::to_string(generation));
        fenced = std::max(fenced, generation);
        for (auto& [key, task] : tasks) {
            if (key.generation <= generation && task.seen.state != ports::TaskState::ended) end(key, ports::EndReason::stopped, 0);
        }
        return {};
    }
    ports::BackendResult<void> forget(const ports::TaskKey& key) override {
        if (!tasks.contains(key) && !installed.contains(key)) return fail(ports::BackendError{ports::BackendFault::not_found, "not here"});
        note("forget " + name(key));
        tasks.erase(key);
        installed.erase(key);
        return {};
    }
    ports::BackendResult<void> shed(const ports::TaskKey& key) override {
        shed_tasks.push_back(key);
        return {};
    }
    ports::BackendResult<ports::LogChunk> read_log(const ports::TaskKey&, std::int32_t, ports::LogStream, std::int64_t,
                                                   std::int64_t) override {
        return ports::LogChunk{};
    }
    ports::BackendResult<std::vector<ports::PublishedCheckpoint>> list_checkpoints(const ports::TaskKey& key) override {
        if (too_many_names) return fail(ports::BackendError{ports::BackendFault::bad_checkpoint, "too many names"});
        std::vector<ports::PublishedCheckpoint> published;
        for (const auto& [at, content] : tasks.at(key).checkpoints)
            published.push_back({at, content, changed_s, made.contains(at) ? made.at(at) : INT64_MAX});
        return published;
    }
    ports::BackendResult<ports::CheckpointSize> measure_checkpoint(const ports::TaskKey& key, const std::string& at) override {
        const auto size = std::ssize(tasks.at(key).checkpoints.at(at));
        return seems.value_or(ports::CheckpointSize{size, size});
    }
    ports::BackendResult<ports::Checkpoint> inspect_checkpoint(const ports::TaskKey& key, const std::string& at,
                                                               ports::Copying& copying) override {
        const auto& content = tasks.at(key).checkpoints.at(at);
        if (copying.onward(std::ssize(content)) != ports::Onward::go_on)
            return fail(ports::BackendError{ports::BackendFault::unavailable, "called off"});
        if (content == "bad") return fail(ports::BackendError{ports::BackendFault::bad_checkpoint, "its manifest does not hold"});
        return checkpoint(at, content);
    }
    ports::BackendResult<int> open_checkpoint_file(const ports::TaskKey& key, const std::string& at, const std::string&) override {
        return file_of(tasks.at(key).checkpoints.at(at));
    }
    ports::BackendResult<void> install_checkpoint(const ports::TaskKey& key, const std::string&, const ports::Checkpoint& from,
                                                  const ports::FetchFile& fetch, ports::Copying&) override {
        const int into = file_of("");
        const auto fetched = fetch(from.files.front(), into);
        ::close(into);
        if (!fetched) return fetched;
        note("install " + name(key) + " " + from.name);
        installed.insert(key);
        return {};
    }

    ports::BackendResult<ports::Outputs> inspect_outputs(const ports::TaskKey& key, const ports::OutputLook& look,
                                                         ports::Copying&) override {
        note((look.settled_s ? "look " : "last look ") + name(key));
        ports::Outputs found;
        std::vector<TreeEntry> entries;
        for (const auto& [path, content] : outputs[key]) {
            found.bytes += std::ssize(content);
            found.known[path] = {content, std::ssize(content), sha256(content)};
            entries.push_back({path, EntryKind::file, std::ssize(content), sha256(content), {}});
        }
        if (found.bytes > look.bytes_max) found.fault = OutputFault::over_quota;
        if (!found.fault) found.tree = make_tree(std::move(entries)).value();
        return found;
    }
    ports::BackendResult<int> open_output(const ports::TaskKey& key, const std::string& path) override {
        note("read " + path);
        return file_of(outputs.at(key).at(path));
    }
    ports::BackendResult<ports::DiskUse> measure_task(const ports::TaskKey&) override { return ports::DiskUse{}; }
    ports::BackendResult<ports::DiskSpace> disk() override { return ports::DiskSpace{INT64_MAX / 4, 0}; }

    /// The checkpoint of one file with this content.
    static ports::Checkpoint checkpoint(const std::string& at, const std::string& content) {
        const std::vector<ports::ManifestEntry> files{{std::ssize(content), sha256(content), "weights"}};
        return {at, files, std::ssize(content), sha256(manifest_text(files)), false};
    }

    // ---- what happens to tasks ----

    void end(const ports::TaskKey& key, ports::EndReason reason, std::int32_t exit_code) {
        auto& seen = tasks.at(key).seen;
        seen.state = ports::TaskState::ended;
        seen.reason = reason;
        seen.exit_code = exit_code;
        seen.ended_at_s = now_s;
        seen.ended = ports::BootInstant{now_s * 1'000'000'000};
        seen.meter.to_s = now_s;
        seen.meter.final = true;
    }
    /// Every task that was told to stop is gone.
    void finish_stopping() {
        for (auto& [key, task] : tasks) {
            if (task.seen.state == ports::TaskState::stopping) end(key, ports::EndReason::stopped, 143);
        }
    }

    /// Waits until another thread has made this call.
    bool wait_for_call(const std::string& call) {
        std::unique_lock lock{calls_guard_};
        return called_.wait_for(lock, std::chrono::seconds{30}, [&] { return std::ranges::find(calls, call) != calls.end(); });
    }

    std::map<ports::TaskKey, Task> tasks;
    std::map<ports::TaskKey, std::map<std::string, std::string>> outputs;  ///< Path and content.
    std::set<ports::TaskKey> installed;  ///< For whom a checkpoint was put in place, and nothing begun.
    ports::Inventory host;
    std::vector<std::string> calls;
    std::int64_t now_s = 0;
    std::int64_t fenced = 0;
    std::optional<ports::BackendFault> start_fault;
    std::optional<ports::CheckpointSize> seems;  ///< What checkpoints seem to be; absent: what they are.
    std::vector<ports::TaskKey> shed_tasks;
    bool too_many_names = false;
    std::int64_t changed_s = INT64_MAX;  ///< Of what is published.
    std::map<std::string, std::int64_t> made;  ///< When, by names of checkpoints.
    bool checkpoints_beside = false;

private:
    void note(std::string call) {
        const std::lock_guard lock{calls_guard_};
        calls.push_back(std::move(call));
        called_.notify_all();
    }
    std::mutex calls_guard_;
    std::condition_variable called_;
    static std::string name(const ports::TaskKey& key) { return std::to_string(key.generation) + "/" + std::to_string(key.node_rank); }
    static int file_of(const std::string& content) {
        std::string pattern = (std::filesystem::temp_directory_path() / "weir-file-XXXXXX").string();
        const int file = ::mkstemp(pattern.data());
        ::unlink(pattern.c_str());
        EXPECT_EQ(::write(file, content.data(), content.size()), std::ssize(content));
        return file;
    }
};

}  // namespace weir::agent
