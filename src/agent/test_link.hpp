// agent/test_link.hpp: the server as a test plays it: it takes every report, says what should run, and can be away.
#pragma once

#include "ports/server_link.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace weir::agent {

/// The server as the test plays it.
class FakeLink final : public ports::ServerLink {
public:
    static constexpr std::chrono::seconds patience{30};  ///< No healthy run comes near it.

    Result<ReportAnswer, ports::LinkError> post_report(const SiteReport& report) override {
        const std::lock_guard lock{mutex_};
        if (interrupted_) return fail(ports::LinkError{ports::LinkFault::interrupted, "interrupted"});
        if (failures_ > 0) {
            --failures_;
            return fail(ports::LinkError{ports::LinkFault::unreachable, "nobody listens"});
        }
        if (is_superseded(report.session)) {
            ++stale_;
            changed_.notify_all();
            return fail(ports::LinkError{ports::LinkFault::stale_sequence, "a later session speaks"});
        }
        if (refuses_ && refuses_(report)) return fail(ports::LinkError{ports::LinkFault::refused, "a model that nobody knows"});
        reports_.push_back(report);
        changed_.notify_all();
        if (report.session != session_) session_before_ = std::exchange(session_, report.session);
        ReportAnswer answer{report.sequence, 300'000, 3'600'000, 10'000, std::max(changed_at_, known_from_)};
        answer.session_before = session_before_;
        return answer;
    }
    Result<DesiredPage, ports::LinkError> get_desired(const DesiredQuestion& question, Seconds wait) override {
        std::unique_lock lock{mutex_};
        questions_.push_back(question);
        changed_.notify_all();
        const auto ready = [&] { return interrupted_ || is_superseded(question.session) || desired_.revision > question.since; };
        if (wait.value > 0) changed_.wait_for(lock, patience, ready);
        if (interrupted_) return fail(ports::LinkError{ports::LinkFault::interrupted, "interrupted"});
        if (is_superseded(question.session)) return fail(ports::LinkError{ports::LinkFault::stale_sequence, "a later session speaks"});
        DesiredPage page;
        page.revision = desired_.revision;
        page.full = question.since == 0 || question.since < changed_at_;
        if (page.full) page.set = desired_.tasks;
        page.digest = digest_of(desired_.tasks);
        if (damaged_ > 0) {
            --damaged_;
            if (!page.set.empty()) page.set.pop_back();
        }
        return page;
    }
    void interrupt() override {
        const std::lock_guard lock{mutex_};
        interrupted_ = true;
        changed_.notify_all();
    }

    /// After interrupt(): the next agent speaks to the same server.
    void resume() {
        const std::lock_guard lock{mutex_};
        interrupted_ = false;
    }

    void desire(std::vector<DesiredTask> tasks) {
        const std::lock_guard lock{mutex_};
        desired_ = {desired_.revision + 1, std::move(tasks)};
        changed_at_ = desired_.revision;
        changed_.notify_all();
    }
    /// Something happens that this site's list does not name.
    void pass() {
        const std::lock_guard lock{mutex_};
        ++desired_.revision;
        changed_.notify_all();
    }
    /// It began from a snapshot of this revision, and knows no change before.
    void begin_at(std::uint64_t known_from) {
        const std::lock_guard lock{mutex_};
        known_from_ = known_from;
    }
    /// Another agent spoke before.
    void hear_another() {
        const std::lock_guard lock{mutex_};
        session_ = "00000000000000000000000000";
    }
    /// Another agent speaks from now on.
    void hear_another_from_now_on() {
        const std::lock_guard lock{mutex_};
        later_ = true;
        changed_.notify_all();
    }
    /// The next pages lack a task that they should have.
    void damage_pages(int pages) {
        const std::lock_guard lock{mutex_};
        damaged_ = pages;
    }
    void fail_times(int times) {
        const std::lock_guard lock{mutex_};
        failures_ = times;
    }
    void refuse_where(std::function<bool(const SiteReport&)> refuses) {
        const std::lock_guard lock{mutex_};
        refuses_ = std::move(refuses);
    }
    /// Waits until a report holds.
    bool wait_for(const std::function<bool(const SiteReport&)>& holds) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, [&] { return std::ranges::any_of(reports_, holds); });
    }

    /// Waits until so many reports were refused because a later session speaks.
    bool wait_for_stale(int times) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, [&] { return stale_ >= times; });
    }

    /// Waits until a question holds.
    bool wait_for_question(const std::function<bool(const DesiredQuestion&)>& holds) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, patience, [&] { return std::ranges::any_of(questions_, holds); });
    }

private:
    [[nodiscard]] bool is_superseded(const std::string& session) const { return later_ || session < session_; }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<SiteReport> reports_;
    Desired desired_;
    std::uint64_t changed_at_ = 0;
    std::uint64_t known_from_ = 0;
    std::string session_;
    std::string session_before_;
    std::vector<DesiredQuestion> questions_;
    std::function<bool(const SiteReport&)> refuses_;
    int failures_ = 0;
    int stale_ = 0;
    int damaged_ = 0;
    bool interrupted_ = false;
    bool later_ = false;  ///< A session later than any that comes.
};

}  // namespace weir::agent
