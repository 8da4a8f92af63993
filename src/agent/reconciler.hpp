// agent/reconciler.hpp: makes a site run what should run there, and tells the network what does.
//
// It answers one question: given what was ordered and what is observed, what is to be done next, and what is to be said? It has no
// clock, no socket and no thread: the loop in agent.hpp brings the time and carries the messages.
//
// Promises:
//   - a generation is started once, and not while another agent of the site may run it (doubts.hpp); two generations of a job never run
//     here at once; older ones are fenced before a newer one starts;
//   - nothing is started, and no lease is renewed, but under a lease that the server gave: it counts from the moment the report was
//     sent, on the boot clock;
//   - an end is told after all its meter and, within `replicate_within`, after its last checkpoint is stored; within `leave_within` where
//     the task leaves for another site and was asked for that checkpoint;
//   - of a generation for which a place is held nothing is begun, and nothing is told but which checkpoint lies there;
//   - everything but the lease survives the agent: a new Reconciler over the same backend and records goes on where the old one was.
//
// Level, not edge: what was heard is the whole truth until something newer is heard. Before anything was heard nothing is stopped.
#pragma once

#include "agent/checkpoint_desk.hpp"
#include "agent/disk_watch.hpp"
#include "agent/doubts.hpp"
#include "agent/gang.hpp"
#include "agent/nodes.hpp"
#include "agent/records.hpp"
#include "agent/refusals.hpp"
#include "agent/report_book.hpp"
#include "base/random.hpp"
#include "domain/agent_link.hpp"
#include "ports/server_link.hpp"
#include "ports/site_backend.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::agent {

struct ReconcilerOptions {
    SiteName site;
    Seconds meter_slice{10};
    Seconds log_retention{3600};
    Seconds pause_grace{30};
    Seconds replicate_within{60};
    Seconds leave_within{300};
    Seconds outputs_every{60};  ///< How often outputs of tasks that run are looked at; 0: only at their end.
    std::size_t lines_per_report = 1000;  ///< Of each kind (meters, checkpoints, tasks) in one report; the rest goes with the next.
    std::int64_t task_files = 2'000'000;  ///< Files and folders of one task, likewise.
    MiB task_disk{102'400};               ///< What the files of one task may take before it is stopped.
    std::size_t ended_kept_max = 500;     ///< Generations whose directories wait for log_retention; beyond it the oldest go at once.
};

/// A free port for rank 0 of a job, none of `taken`; 0: there is none.
using PortPicker = std::function<std::uint16_t(const std::set<std::uint16_t>& taken)>;

class Reconciler {
public:
    /// `seed`: chance for the ids of sessions.
    Reconciler(ReconcilerOptions options, ports::SiteBackend& backend, CheckpointDesk& desk, Records records, NodeTable nodes,
               PortPicker pick_port, std::uint64_t seed);

    /// What should run: the server's latest answer. Its revision may be lower than before (a server that was restored counts anew);
    /// whoever carries the messages gives them in the order in which they were asked for.
    void hear(Desired desired);
    /// The list that was heard last is what should run at this revision too.
    void hear_revision(std::uint64_t revision);
    /// A paused site starts nothing, stops everything (with a checkpoint where the task can be asked for one) and offers no node.
    void set_paused(bool paused);
    /// A new look at the host's cards: table_of() with the nodes that are in use.
    void set_nodes(NodeTable nodes);
    /// The cards of nodes on which a task is known.
    [[nodiscard]] CardsOfNodes cards_in_use() const { return records_.cards_in_use(); }

    /// What the disk holds, as of the last look: a task that takes more than it may is stopped, and on a disk that is all but full the site
    /// offers no node until there is room again.
    void hear_disk(const DiskFigures& figures);
    /// The tasks that may write.
    [[nodiscard]] std::vector<ports::TaskKey> live_tasks() const;

    /// Observes and acts, until there is nothing more to be done at once.
    void step(ports::BootInstant now, std::int64_t now_s);

    /// Names the session of the reports to come, where there is none yet; report() does so too.
    void begin_first_session(Instant wall);
    /// The session in which it reports, or is about to; empty before, and while it stands back.
    [[nodiscard]] std::string session() const { return stands_back_ ? std::string{} : book_.session(); }
    /// The report to be sent: the one that waits for its acknowledgement, or what changed since; null where nothing did.
    [[nodiscard]] const SiteReport* report(Instant wall);
    /// Renews the leases and says nothing else; none before the first report was taken in.
    [[nodiscard]] std::optional<SiteReport> heartbeat() const { return stands_back_ ? std::nullopt : book_.heartbeat(); }
    /// What became of a report or heartbeat that was sent at `sent_at`. A stale session begins a new one; so does a refused report, and
    /// what it said is told again in parts (refusals.hpp). After a silence that the
    /// server may have noticed the nodes are told again: only a report that says something makes a site reachable.
    ///
    /// One site has one agent. Once a session was taken in, a stale one is followed by the very next: a server that forgot (it was
    /// restored) takes that, one that knows a later session of another agent does not. Then this one stands back.
    void hear_answer(ports::BootInstant sent_at, const Result<ReportAnswer, ports::LinkError>& answer, Instant wall);

    /// The terms of the last answer.
    [[nodiscard]] const std::optional<ReportAnswer>& terms() const { return terms_; }
    [[nodiscard]] std::uint64_t heard_revision() const { return desired_ ? desired_->revision : 0; }
    /// Another agent speaks for this site: this one starts nothing, renews nothing and says nothing until it is started again.
    [[nodiscard]] bool stands_back() const { return stands_back_; }
    /// Something is on its way: look again soon.
    [[nodiscard]] bool is_moving() const;
    [[nodiscard]] bool has_live_tasks() const;

private:
    /// Why a generation is not to run. In descending precedence.
    enum class Closing : std::uint8_t {
        none = 0,
        superseded = 1,
        stop_ordered = 2,
        undesired = 3,
        refused = 4,
        failed = 5,
        told = 6,
        paused = 7,
        disk_used_up = 8,
        lost = 9  ///< To an agent that spoke before this one.
    };

    /// A generation in one look.
    struct Gang {
        const DesiredTask* desired = nullptr;
        std::vector<const ports::TaskObserved*> ranks;
        GangView view;
        Closing closing = Closing::none;
    };

    /// A checkpoint that the network's store has.
    struct Stored {
        CheckpointReport report;
        ports::PublishedCheckpoint published;
    };

    /// The age of a checkpoint: the later one is greater. What was seen before the site's clock was set back is older than all after it.
    struct Place {
        std::uint64_t era = 0;        ///< How often this agent saw the clock set back until then, and one; 0 of what it need not look at.
        std::int64_t made_ns = 0;     ///< At most when it was first seen: clocks of file systems run ahead, and some know nothing.
        std::uint64_t looks = 0;      ///< At which look it was first there, and where: of what was made at once.
        std::size_t index = 0;
        friend auto operator<=>(const Place&, const Place&) = default;
    };

    /// What is remembered of a checkpoint for as long as it is published.
    struct Edition {
        std::int64_t since_s = 0;  ///< It was published by then: what is used later is not in it.
        Place place;
        bool bad = false;          ///< It did not hold.
    };

    /// What is remembered of a generation from look to look, and may be forgotten.
    struct Memory {
        std::map<std::int32_t, ports::BootInstant> granted;  ///< Deadlines in force, by rank.
        std::set<std::int32_t> stop_sent;
        std::optional<Digest> preparing;         ///< Of the list from which a checkpoint is being put in place.
        std::optional<Digest> told_prepared;     ///< The checkpoint in place that the server knows of; in this session.
        std::optional<ports::PublishedCheckpoint> replicating;  ///< The checkpoint under way.
        std::map<std::string, Edition, std::less<>> editions;
        std::uint64_t looks = 0;  ///< At what is published.
        /// It is stored, or a newer one is: what is older would take the job back.
        Place stored_upto{.era = 0, .made_ns = INT64_MAX};
        ports::BootInstant replicate_after;  ///< Not before: the store did not answer.
        ports::BootInstant prepare_after;
        std::optional<ports::BootInstant> unprepared_since;
        std::uint32_t bad_in_a_row = 0;
        std::uint32_t put_off = 0;           ///< How often in a row the store did not answer.
        std::vector<Stored> stored;                  ///< Not yet acknowledged.
        std::optional<ports::BootInstant> asked_at;  ///< For the checkpoint before a pause or a stop.
        bool awaits_checkpoint = false;              ///< And it is not there yet.
        std::set<std::string> there_when_asked;  ///< Editions.
        bool keeping_outputs = false;                ///< Ordered, and not yet answered.
        std::optional<OutputReport> outputs;         ///< Stored, or refused, and not yet acknowledged.
        KnownGang known_outputs;                     ///< Of the last look.
        std::optional<Digest> outputs_stored;        ///< The tree of that.
        std::optional<OutputReport> outputs_told;    ///< Acknowledged last.
        std::optional<OutputReport> outputs_fault;   ///< Why the store did not take them; it is asked again.
        ports::BootInstant outputs_after;            ///< The next look is not before.
        bool left_nothing = false;                   ///< It is over, and nothing of it is to be stored.
        std::uint32_t outputs_put_off = 0;           ///< How often in a row the store did not take them.
        bool other_ranks_seen = false;  ///< That a rank other than 0 publishes checkpoints was said.
        std::optional<TaskState> told;  ///< In this session.
        Closing logged = Closing::none;
        std::map<std::string, std::string, std::less<>> complaints;  ///< The last fault that was logged, by what could not be done.
        bool shed = false;       ///< What nobody needs of its folders is given back.
        bool end_logged = false;
    };

    void remember_cards();
    bool look();
    void adopt(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] Closing why_closed(const GenerationKey& key, const Gang& gang) const;
    bool act(const GenerationKey& key, Gang& gang);
    bool close(const GenerationKey& key, Gang& gang);
    bool fence_older(const GenerationKey& key);
    [[nodiscard]] bool waits_for_checkpoint(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] bool waits_to_leave(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] bool awaits_checkpoint(const GenerationKey& key, const Gang& gang, Seconds within);
    void ask_as_wanted(const GenerationKey& key, const Gang& gang);
    void forget_request(const GenerationKey& key);
    [[nodiscard]] bool ask_for_checkpoint(const GenerationKey& key, const ports::TaskObserved& first,
                                          const std::vector<ports::PublishedCheckpoint>& published);
    bool open(const GenerationKey& key, Gang& gang);
    bool hold(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] bool list_is_current() const;
    [[nodiscard]] Doubt doubt_of(const GenerationKey& key, const Gang& gang) const;
    [[nodiscard]] bool is_doubtful(const GenerationKey& key, const Gang& gang) const { return doubt_of(key, gang) == Doubt::waits; }
    [[nodiscard]] bool older_lives(const GenerationKey& key) const;
    [[nodiscard]] const GenerationRecord* make_record(const GenerationKey& key, const DesiredTask& desired);
    [[nodiscard]] bool is_prepared(const GenerationKey& key, const GenerationRecord& record, const Gang& gang);
    bool start(const GenerationKey& key, const Gang& gang, std::int32_t rank, ports::BootInstant deadline);
    void renew(const GenerationKey& key, const ports::TaskObserved& rank, ports::BootInstant deadline);
    void take_grants();
    [[nodiscard]] std::optional<ports::BootInstant> deadline_of(bool run_on) const;
    void refuse_for_good(const GenerationKey& key, const std::string& reason);

    void take_answers();
    void take(const Prepared& answer);
    void take(const Replicated& answer);
    void take(const OutputsKept& answer);
    bool keep_outputs(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] bool wants_outputs(const GenerationKey& key, const Gang& gang) const;
    [[nodiscard]] bool outputs_settled(const GenerationKey& key, const Gang& gang) const;
    bool replicate(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] static bool leaves(const Gang& gang);
    [[nodiscard]] static bool is_given_up(const Gang& gang);
    void drop_copies(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] bool checkpoints_settled(const GenerationKey& key, const Gang& gang) const;

    bool begin_session(Instant wall);
    bool begin_next_session();
    void remember_vouching();
    bool open_book(const Result<std::string, std::string>& session);
    void hear_first_answer(const ReportAnswer& answer);
    void hear_stale(const std::string& why, Instant wall);
    void tell_everything_anew();
    [[nodiscard]] SiteReport changes();
    void add_lines(SiteReport& report);
    void hear_refusal(const std::string& why, Instant wall);
    [[nodiscard]] bool add_meters(const GenerationKey& key, const Gang& gang, SiteReport& report) const;
    void add_task(const GenerationKey& key, const Gang& gang, bool all_metered, SiteReport& report);
    void add_prepared(const GenerationKey& key, const Gang& gang, SiteReport& report);
    [[nodiscard]] std::optional<std::int64_t> ago_ms_of(const GangView& view) const;
    void acknowledge(const SiteReport& report);

    [[nodiscard]] std::vector<Node> nodes_to_tell() const;
    void name_other_ranks(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] std::set<GenerationKey> beyond_room() const;
    void clean_up();
    void log_ends();
    [[nodiscard]] bool is_end_told(const GenerationKey& key) const;
    void shed(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] std::optional<std::vector<ports::PublishedCheckpoint>> published_to_store(const GenerationKey& key, const Gang& gang);
    [[nodiscard]] Place place_of(const ports::PublishedCheckpoint& one, const Memory& memory, std::size_t index) const;
    [[nodiscard]] bool was_passed_over(const ports::PublishedCheckpoint& one, const GenerationRecord& record) const;
    void remember_editions(const std::vector<ports::PublishedCheckpoint>& published, const GenerationRecord& record, Memory& memory) const;
    void note_order_to_stop(const GenerationKey& key, const Gang& gang);
    void save(const GenerationRecord& record);
    void complain(const GenerationKey& key, std::string_view what, const std::string& why);

    ReconcilerOptions options_;
    ports::SiteBackend& backend_;
    CheckpointDesk& desk_;
    Records records_;
    NodeTable nodes_;
    PortPicker pick_port_;
    Random random_;
    ReportBook book_;
    Doubts doubts_;
    Refusals refusals_;
    ports::BootInstant now_;
    std::int64_t now_s_ = 0;
    std::uint64_t era_ = 1;  ///< Grows when the clock is set back.
    std::optional<Desired> desired_;
    std::optional<Desired> heard_;  ///< Becomes desired_ with the next step.
    bool paused_ = false;
    bool disk_full_ = false;
    bool nodes_told_ = false;
    bool was_silent_ = false;  ///< The nodes are told again with the next report.
    std::optional<ReportAnswer> terms_;
    ports::BootInstant terms_from_;              ///< When the report was sent that they answer.
    /// An answer, and when what it answers was sent. It renews leases once the list has all that it tells of: whoever hears no orders any
    /// more, and still reports, has tasks that the fence stops.
    struct Grant {
        ports::BootInstant sent_at;
        ReportAnswer terms;
    };
    std::optional<Grant> grant_;                 ///< The last one that renews.
    std::vector<Grant> grants_to_come_;          ///< Whose news the list does not have yet, in order of coming; the last few.
    std::uint32_t refused_sessions_ = 0;         ///< In a row.
    bool was_taken_ = false;                     ///< A session of this life.
    bool is_next_ = false;                       ///< The session comes right after one that was taken.
    bool stands_back_ = false;
    std::vector<ports::TaskObserved> observed_;  ///< Of the last look; gangs_ points into it.
    std::map<GenerationKey, Gang> gangs_;
    std::map<GenerationKey, Memory> memory_;
    std::string complaint_;          ///< That the backend could not be observed.
    std::string session_complaint_;  ///< That no session could be begun.
};

}  // namespace weir::agent
