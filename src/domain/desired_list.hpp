// domain/desired_list.hpp: what should run at a site, as its agent keeps it from pages of changes.
//
// It answers one question: is the list that the pages made the one that the server has? Each page that ends a list carries a digest
// over the whole of it; where ours differs, whatever the cause, the list is asked for from the start. How pages travel is the link's
// business, what to do about the list the reconciler's.
//
// Promises: only a list whose digest held is ever given out; an answer is heard once, and only if it is to the last question, so
// that pages which are lost, repeated, late or out of order never make a list that the server did not have.
#pragma once

#include "domain/agent_link.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace weir {

/// What a line of the list wants of a generation.
enum class Wanted : std::uint8_t { run = 1, stop = 2, prepare = 3 };
[[nodiscard]] inline Wanted wanted_of(const DesiredTask& task) {
    return task.is_prepare() ? Wanted::prepare : task.stop ? Wanted::stop : Wanted::run;
}

/// Takes a line into the digest of a list, or out of it again: the order of lines is of no account. A line says which generation
/// should run where, on which cards, or stop; what a task is made of follows from its job and never changes.
void toggle(Digest& digest, const JobId& job, std::uint32_t generation, Wanted wanted, const Placement& placement);
/// The digest of two lists that have no line in common.
[[nodiscard]] Digest joined(const Digest& a, const Digest& b);
[[nodiscard]] Digest digest_of(const std::vector<DesiredTask>& tasks);

struct DesiredQuestion {
    std::uint64_t since = 0;         ///< 0: from the start.
    std::optional<JobId> after{};    ///< Goes on with a list from the start, which is told in order of job.
    std::uint64_t number = 0;        ///< Stays with the asker: which answer belongs to which question.
    std::string session{};           ///< Of the agent's reports.
};

class DesiredList {
public:
    /// Values are for metrics and logs.
    enum class Heard : std::uint8_t {
        ignored = 1,  ///< Not the answer to the last question.
        part = 2,     ///< Ask on, at once.
        same = 3,     ///< The list is whole and as it was.
        changed = 4,  ///< The list is whole and new.
        differs = 5,  ///< The digest does not hold: the next question is from the start.
    };

    /// The next question, asked under the session in which the agent reports. Answers to the questions before are not heard any more.
    [[nodiscard]] DesiredQuestion ask(std::string session = {}) { return {since_, after_, ++asked_, std::move(session)}; }
    Heard hear(std::uint64_t number, DesiredPage page);

    /// Whether the next question may wait at the server for news: the list is whole.
    [[nodiscard]] bool is_whole() const { return whole_; }
    /// The list, where it is whole.
    [[nodiscard]] Desired list() const;
    [[nodiscard]] std::uint64_t revision() const { return since_; }
    /// How often a digest did not hold.
    [[nodiscard]] std::uint64_t times_differed() const { return differed_; }

private:
    void set(DesiredTask task);
    void remove(const JobId& job);
    Heard differs();

    std::map<JobId, DesiredTask> tasks_;
    Digest digest_;
    std::uint64_t since_ = 0;
    std::optional<JobId> after_;
    std::uint64_t asked_ = 0;
    std::uint64_t heard_ = 0;  ///< The number of the last question that was answered.
    std::uint64_t differed_ = 0;
    bool whole_ = false;
    bool touched_ = true;  ///< Since the list was whole last.
};

}  // namespace weir
