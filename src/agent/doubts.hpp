// agent/doubts.hpp: what an agent that spoke before this one may still be running.
//
// It answers one question: a generation is ordered here and was not begun here; may it run under another agent of this site? The leases
// that such an agent was granted outlive its last word, those of work that runs on by hours. So what was ordered before this agent was
// first heard waits for their end and is then told as lost, unless the server says that nobody spoke before but agents of this root which
// were in no doubt themselves, or nobody at all. How long leases are is the server's to say, what runs here the reconciler's to look at.
//
// A session vouches for the root's next one only once nothing is in doubt: an agent that dies in doubt leaves the doubt to its successor.
// Nothing vouches beyond the host's boot: a root that was copied to a standby machine says nothing of what the first one began since.
#pragma once

#include "agent/records.hpp"
#include "domain/agent_link.hpp"
#include "ports/site_backend.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::agent {

/// Whether a generation that is ordered here may be begun here.
enum class Doubt : std::uint8_t {
    none = 1,
    waits = 2,  ///< It may run under another agent.
    over = 3,   ///< It may have, and can no more: what became of it nobody knows. It is never begun here.
};

class Doubts {
public:
    /// `vouching`: the root's sessions in which nothing was in doubt. `last`: its last session; empty: it never had one.
    Doubts(std::vector<std::string> vouching, std::string last) : ours_{std::move(vouching)}, last_{std::move(last)} {}

    /// The answer to a report of `session`; only the first of a session counts. `list`: what is to run, as far as it was heard; may be
    /// null. True where a doubt begins.
    bool hear_answer(const std::string& session, const ReportAnswer& answer, const Desired* list) {
        if (session == session_) return false;
        session_ = session;
        const auto& before = answer.session_before;
        const bool ours = before && std::ranges::find(ours_, *before) != ours_.end();
        const bool nobodys = before && before->empty() && last_.empty();
        const bool begins = state_ == State::unheard ? !ours && !nobodys : before && !ours;
        if (begins) {
            begin(answer, list);
        } else if (state_ == State::unheard) {
            end();
        }
        if (ours_.size() == sessions_max) ours_.erase(ours_.begin());
        ours_.push_back(session);
        return begins;
    }
    /// A whole list: what it names may have been ordered of another agent, until one was heard that has all that was ordered before this
    /// one's first word.
    void hear_list(const Desired& list) {
        if (lists_too_) {
            for (const auto& task : list.tasks) {
                // Of nobody was ordered yet to begin it.
                if (!task.is_prepare()) doubtful_.emplace(task.job, task.generation);
            }
            return hear_revision(list.revision);
        }
        if (doubtful_.empty()) return;
        std::set<GenerationKey> ordered;
        for (const auto& task : list.tasks) ordered.emplace(task.job, task.generation);
        std::erase_if(doubtful_, [&](const auto& key) { return !ordered.contains(key); });
        if (doubtful_.empty() && state_ == State::certain) another_ = false;
    }
    /// The list that was heard last is all that there is up to this revision.
    void hear_revision(std::uint64_t revision) {
        if (state_ == State::doubting && revision >= ordered_by_) lists_too_ = false;
    }
    /// Notes when no other agent's lease is renewed any more, and when the longest of them is over. True where the doubt ends.
    bool look(ports::BootInstant now) {
        if (state_ != State::doubting) return false;
        if (!spoke_at_) spoke_at_ = now;
        if (now < over(std::max(out_.lease_ms, out_.run_on_lease_ms))) return false;
        state_ = State::certain;
        lists_too_ = false;
        return true;
    }

    /// It waits until every lease of it that another agent may have been granted is over, and what it ran is gone. What has a record here
    /// is ours, unless another agent certainly spoke: then that is true only of what was begun here.
    [[nodiscard]] Doubt of(const GenerationKey& key, bool has_record, bool run_on, ports::BootInstant now) const {
        if (!doubtful_.contains(key) || (has_record && !another_)) return Doubt::none;
        if (state_ == State::certain) return Doubt::over;
        return !spoke_at_ || now < over(run_on ? out_.run_on_lease_ms : out_.lease_ms) ? Doubt::waits : Doubt::over;
    }
    /// The sessions after which the root's next agent need doubt nothing: none as long as anything that was in doubt is still ordered.
    [[nodiscard]] std::vector<std::string> vouching() const {
        return state_ == State::doubting || !doubtful_.empty() ? std::vector<std::string>{} : ours_;
    }

private:
    enum class State : std::uint8_t { unheard = 1, doubting = 2, certain = 3 };
    static constexpr std::size_t sessions_max = 8;  ///< A server that was restored may name one that is not the last.
    static constexpr std::int64_t clocks_apart_ms = 2000;  ///< How far the clocks of two hosts may drift in a lease, and more.
    static constexpr std::int64_t drift_share = 1000;      ///< In a long one: a thousandth of it.

    void begin(const ReportAnswer& answer, const Desired* list) {
        state_ = State::doubting;
        another_ = another_ || (answer.session_before && !answer.session_before->empty() && *answer.session_before != last_);
        ours_.clear();
        spoke_at_.reset();
        out_ = answer.leases_out.value_or(LeaseLengths{answer.lease_ms, answer.run_on_lease_ms, answer.kill_grace_ms});
        ordered_by_ = answer.desired_revision;
        lists_too_ = true;
        if (list != nullptr) hear_list(*list);
    }
    void end() {
        state_ = State::certain;
        another_ = false;
        lists_too_ = false;
        doubtful_.clear();
    }
    [[nodiscard]] ports::BootInstant over(std::int64_t lease_ms) const {
        const auto length_ms = lease_ms + out_.kill_grace_ms;
        return {spoke_at_->ns + (length_ms + std::max(clocks_apart_ms, length_ms / drift_share)) * 1'000'000};
    }

    State state_ = State::unheard;
    std::vector<std::string> ours_;  ///< Of this life, and of those before it that vouch. Oldest first.
    std::string last_;
    std::string session_;        ///< Whose first answer was heard last.
    bool another_ = false;       ///< Spoke certainly.
    bool lists_too_ = true;      ///< The next list may name what was ordered of another agent.
    std::uint64_t ordered_by_ = 0;  ///< Lists up to this revision do.
    LeaseLengths out_;  ///< The longest that another agent may have been granted.
    std::set<GenerationKey> doubtful_;
    std::optional<ports::BootInstant> spoke_at_;
};

}  // namespace weir::agent
