// transport/api/words.hpp: what the API takes and answers, as described types.
//
// The decoder, the printer and the OpenAPI document all come from here. Where a noun of the domain is what travels, it is
// used as it is; the types here are forms that people fill in (with fewer required fields), and views of the state.
// A field `revision` is the state's revision that the answer shows.
#pragma once

#include "codec/bare_lengths.hpp"
#include "codec/field.hpp"
#include "control/core/state.hpp"
#include "domain/accelerator.hpp"
#include "domain/job.hpp"
#include "domain/length_fields.hpp"
#include "domain/move.hpp"
#include "domain/organisation.hpp"
#include "domain/placement.hpp"
#include "domain/programme.hpp"
#include "domain/site.hpp"
#include "transport/api/data_words.hpp"

#include <boost/describe.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::api {

// ---- forms

struct OrganisationForm {
    OrganisationName name;
    OrganisationKind kind = OrganisationKind::enterprise;
    std::string title;
    std::string credit_code;
    SizeClass size_class = SizeClass::small;
    std::string registered_in;
    std::string control_group;
    static constexpr std::string_view doc = "A legal entity or a person who takes part.";
    static constexpr std::array field_rules{
        codec::Field{.name = "name", .min_length = 1},
        codec::Field{.name = "title", .optional = true, .doc = "legal name; empty for a person"},
        codec::Field{.name = "credit_code", .optional = true, .doc = "unified social credit code, 18 characters"},
        codec::Field{.name = "size_class", .optional = true},
        codec::Field{.name = "registered_in", .optional = true, .doc = "region path, such as cn/sichuan/chengdu"},
        codec::Field{.name = "control_group", .optional = true, .doc = "name shared by firms under one control"},
    };
};
BOOST_DESCRIBE_STRUCT(OrganisationForm, (), (name, kind, title, credit_code, size_class, registered_in, control_group))

struct ProjectForm {
    ProjectName name;
    OrganisationName organisation;
    std::vector<ModelQuota> quota;
    std::vector<SiteName> trusted;
    std::uint32_t live_jobs_max = Project{}.live_jobs_max;
    static constexpr std::string_view doc = "Where jobs, quota and money of one group of people meet.";
    static constexpr std::array field_rules{
        codec::Field{.name = "name", .min_length = 1},
        codec::Field{.name = "organisation", .min_length = 1},
        codec::Field{.name = "quota", .optional = true, .doc = "most milli-cards at once by model; no line: no limit"},
        codec::Field{.name = "trusted", .optional = true, .doc = "sites it trusts; none: all"},
        codec::Field{.name = "live_jobs_max", .optional = true},
    };
};
BOOST_DESCRIBE_STRUCT(ProjectForm, (), (name, organisation, quota, trusted, live_jobs_max))

struct RolesForm {
    std::vector<Role> roles;
    static constexpr std::string_view doc = "Exactly these roles; none removes the member.";
    static constexpr std::array field_rules{codec::Field{.name = "roles", .max_length = 16}};
};
BOOST_DESCRIBE_STRUCT(RolesForm, (), (roles))

struct TokenForm {
    std::optional<TokenId> id;
    SubjectName subject;
    std::vector<Scope> scopes{Scope::read};
    std::optional<Instant> expires_at;
    static constexpr std::array field_rules{
        codec::Field{.name = "subject", .optional = true, .doc = "whose; empty: one's own"},
        codec::Field{.name = "scopes", .optional = true, .max_length = 8, .doc = "what it may be used for; absent: read"},
    };
};
BOOST_DESCRIBE_STRUCT(TokenForm, (), (id, subject, scopes, expires_at))

struct AgentTokenForm {
    std::optional<TokenId> id;
    std::optional<Instant> expires_at;
};
BOOST_DESCRIBE_STRUCT(AgentTokenForm, (), (id, expires_at))

struct SiteForm {
    SiteName name;
    OrganisationName owner;
    std::string region;
    Tier tier = Tier::cloud;
    Backend backend = Backend::process;
    std::vector<TariffLine> tariff;
    std::vector<SiteLink> links;
    std::string grid_zone;
    std::int64_t pue_milli = Site{}.pue_milli;
    bool open = true;
    static constexpr std::string_view doc = "One data centre, or the pledged part of one.";
    static constexpr std::array field_rules{
        codec::Field{.name = "name", .min_length = 1},
        codec::Field{.name = "owner", .min_length = 1},
        codec::Field{.name = "tier", .optional = true},
        codec::Field{.name = "backend", .optional = true},
        codec::Field{.name = "tariff", .optional = true},
        codec::Field{.name = "links", .optional = true},
        codec::Field{.name = "grid_zone", .optional = true},
        codec::Field{.name = "pue_milli", .optional = true, .doc = "power usage effectiveness x 1000"},
        codec::Field{.name = "open", .optional = true, .doc = "a closed site finishes what it runs and gets nothing new"},
    };
};
BOOST_DESCRIBE_STRUCT(SiteForm, (), (name, owner, region, tier, backend, tariff, links, grid_zone, pue_milli, open))

struct JobForm {
    std::optional<JobId> id;
    ProjectName project;
    JobSpec spec;
    static constexpr std::string_view doc = "A job to submit. A client that makes the id may send it again without harm.";
    static constexpr std::array field_rules{codec::Field{.name = "project", .min_length = 1}};
    /// What is wrong with a file though it can be decoded: lengths of time without a unit.
    static codec::Problems flaws_of(const codec::Value& document, std::string_view origin) {
        const auto* spec = document.find("spec");
        return spec == nullptr ? codec::Problems{} : codec::bare_lengths(*spec, job_length_fields, origin, "spec");
    }
};
BOOST_DESCRIBE_STRUCT(JobForm, (), (id, project, spec))

struct MoveForm {
    std::optional<SiteName> to;
    bool restart = false;
    bool call_off = false;
    static constexpr std::string_view doc =
        "Where a job is to go on; `call_off` takes back what was ordered before, as long as the job runs.";
    static constexpr std::array field_rules{
        codec::Field{.name = "to", .min_length = 1, .doc = "a site; absent: wherever it fits"},
        codec::Field{.name = "restart", .optional = true, .doc = "it may begin from its start, where it has no checkpoint"},
        codec::Field{.name = "call_off", .optional = true, .doc = "it is to stay where it is"},
    };
};
BOOST_DESCRIBE_STRUCT(MoveForm, (), (to, restart, call_off))

struct DutyForm {
    SiteDuty duty = SiteDuty::working;
    std::optional<Instant> deadline;
    static constexpr std::string_view doc = "Whether a site works, is emptied, or stops at once.";
    static constexpr std::array field_rules{
        codec::Field{.name = "deadline", .doc = "of a drain: when the last of its work stops, wherever it goes on; absent: never"},
    };
};
BOOST_DESCRIBE_STRUCT(DutyForm, (), (duty, deadline))

struct SuspensionForm {
    bool suspended = true;
    static constexpr std::string_view doc = "Whether the jobs of an organisation's projects wait.";
};
BOOST_DESCRIBE_STRUCT(SuspensionForm, (), (suspended))

struct JobBatchForm {
    std::vector<JobForm> jobs;
    static constexpr std::string_view doc = "Jobs that are each taken or refused alone.";
    static constexpr std::array field_rules{codec::Field{.name = "jobs", .min_length = 1, .max_length = 1000}};
};
BOOST_DESCRIBE_STRUCT(JobBatchForm, (), (jobs))

struct AwardForm {
    std::optional<VoucherId> id;
    ProgrammeName programme;
    OrganisationName organisation;
    Fen amount;
    static constexpr std::array field_rules{
        codec::Field{.name = "programme", .min_length = 1},
        codec::Field{.name = "organisation", .min_length = 1},
        codec::Field{.name = "amount", .doc = "face value in fen"},
    };
};
BOOST_DESCRIBE_STRUCT(AwardForm, (), (id, programme, organisation, amount))

struct DepositForm {
    std::optional<Uid> transfer;
    OrganisationName organisation;
    Fen amount;
    static constexpr std::array field_rules{
        codec::Field{.name = "organisation", .min_length = 1},
        codec::Field{.name = "amount", .doc = "fen"},
    };
};
BOOST_DESCRIBE_STRUCT(DepositForm, (), (transfer, organisation, amount))

// ---- answers to changes

struct Made {
    std::string id;
    bool repeated = false;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc = "What was made, or was there already in the same form (repeated).";
};
BOOST_DESCRIBE_STRUCT(Made, (), (id, repeated, revision))

struct TokenMade {
    std::string id;
    std::optional<std::string> secret;
    bool repeated = false;
    std::uint64_t revision = 0;
    static constexpr std::array field_rules{codec::Field{.name = "secret", .doc = "shown once, to the request that made the token"}};
};
BOOST_DESCRIBE_STRUCT(TokenMade, (), (id, secret, repeated, revision))

/// One job of a batch: an id, or a problem document of its own.
struct BatchItem {
    std::optional<std::string> id;
    bool repeated = false;
    std::int64_t status = 0;
    std::optional<std::string> code;
    std::optional<std::string> detail;
    std::optional<std::string> field;
    std::optional<std::string> clause;
    static constexpr std::string_view doc = "The answer to one job: its id, or the code and detail of the problem.";
};
BOOST_DESCRIBE_STRUCT(BatchItem, (), (id, repeated, status, code, detail, field, clause))

struct BatchAnswer {
    std::vector<BatchItem> items;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(BatchAnswer, (), (items, revision))

// ---- views

/// A part of a list, and where the rest begins.
template <class T>
struct Page {
    std::vector<T> items;
    std::optional<std::string> next_cursor;
    std::uint64_t revision = 0;
};

struct RoleIn {
    ProjectName project;
    std::vector<Role> roles;
};
BOOST_DESCRIBE_STRUCT(RoleIn, (), (project, roles))

struct WhoAmI {
    std::string actor;
    SubjectName subject;
    std::optional<SiteName> site;
    TokenId token;
    std::vector<Scope> scopes;
    std::optional<Instant> expires_at;
    std::vector<Role> network_roles;
    std::vector<RoleIn> projects;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(WhoAmI, (), (actor, subject, site, token, scopes, expires_at, network_roles, projects, revision))

struct TokenView {
    TokenId id;
    SubjectName subject;
    std::vector<Scope> scopes;
    std::optional<SiteName> site;
    Instant issued_at;
    std::optional<Instant> expires_at;
};
BOOST_DESCRIBE_STRUCT(TokenView, (), (id, subject, scopes, site, issued_at, expires_at))

struct OrganisationView : Organisation {
    Fen prepaid_fen;
    bool suspended = false;
};
BOOST_DESCRIBE_STRUCT(OrganisationView, (Organisation), (prepaid_fen, suspended))

struct QuotaUse {
    std::string model;
    std::optional<MilliCards> limit;
    MilliCards used;
};
BOOST_DESCRIBE_STRUCT(QuotaUse, (), (model, limit, used))

struct MemberView {
    SubjectName subject;
    std::vector<Role> roles;
};
BOOST_DESCRIBE_STRUCT(MemberView, (), (subject, roles))

struct ProjectView : Project {
    std::vector<QuotaUse> use;
    std::vector<MemberView> members;
    std::uint64_t live_jobs = 0;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(ProjectView, (Project), (use, members, live_jobs, revision))

struct SiteView : Site {
    bool reachable = false;
    Instant reachable_since;
    std::uint64_t nodes = 0;
    std::uint64_t healthy_nodes = 0;  ///< None of a site that is paused, or whose disk is full.
    std::uint64_t tasks = 0;
    SiteDuty duty = SiteDuty::working;
    std::optional<Instant> drained_by;  ///< Of a draining site: when the last of its work stops.
    std::uint64_t places_held = 0;      ///< For jobs that are to move here.
    std::uint64_t tasks_leaving = 0;    ///< Of `tasks`: those that are to go on elsewhere, or were told to stop.
};
BOOST_DESCRIBE_STRUCT(SiteView, (Site),
                      (reachable, reachable_since, nodes, healthy_nodes, tasks, duty, drained_by, places_held, tasks_leaving))

/// The cards of one model at a site, in milli-cards.
struct CardUse {
    std::string model;
    bool emulated = false;
    MilliCards total;
    MilliCards healthy;   ///< Of nodes that take work.
    MilliCards used;      ///< By jobs that are there.
    MilliCards held;      ///< For jobs that are to move there.
};
BOOST_DESCRIBE_STRUCT(CardUse, (), (model, emulated, total, healthy, used, held))

struct CapacityView {
    SiteName site;
    bool reachable = false;
    SiteDuty duty = SiteDuty::working;
    std::uint64_t tasks = 0;
    std::vector<CardUse> cards;
};
BOOST_DESCRIBE_STRUCT(CapacityView, (), (site, reachable, duty, tasks, cards))

/// A node as everybody sees it: without the address at which its ranks meet.
struct NodeView {
    SiteName site;
    NodeName name;
    std::vector<CardGroup> cards;
    MilliCpus cpus;
    MiB memory;
    std::vector<std::string> position;
    bool healthy = true;
    bool reachable = false;
};
BOOST_DESCRIBE_STRUCT(NodeView, (), (site, name, cards, cpus, memory, position, healthy, reachable))

struct JobSummary {
    JobId id;
    ProjectName project;
    SubjectName submitter;
    std::string name;
    JobType type = JobType::batch;
    PriorityClass priority = PriorityClass::normal;
    std::int64_t num_nodes = 1;
    JobState state = JobState::queued;
    Reason reason = Reason::none;
    Instant since;
    Instant submitted_at;
    std::uint32_t generation = 0;
    std::optional<SiteName> site;
    std::optional<std::string> model;
    bool emulated = false;
    std::optional<std::int64_t> exit_code;
};
BOOST_DESCRIBE_STRUCT(JobSummary, (),
                      (id, project, submitter, name, type, priority, num_nodes, state, reason, since, submitted_at, generation, site, model,
                       emulated, exit_code))

struct JobDetail : JobSummary {
    std::optional<JobSpec> spec;             ///< Absent for a moment after the end, until the views have it.
    std::vector<JobId> waits_for;
    std::optional<Placement> placement;
    std::optional<Reason> stop_ordered;
    std::optional<Instant> started_at;
    std::optional<Instant> not_before;
    // Of a live job alone: the views do not keep them, and a zero would be taken for the truth.
    std::optional<std::uint32_t> error_restarts;
    std::optional<std::uint32_t> fault_restarts;
    std::optional<Move> move;        ///< It is to go on elsewhere, and is still where it is.
    std::optional<Arrival> arrival;  ///< It has left one site and does not run at the next yet.
    std::optional<std::vector<MoveDone>> moves;
    std::optional<std::vector<StoredCheckpoint>> checkpoints;
    std::optional<std::vector<control::GenerationUsage>> usage;
    std::optional<std::vector<Hold>> holds;
    std::optional<Fen> held_fen;
    std::optional<Fen> accrued_fen;
    std::uint64_t revision = 0;
    static constexpr std::string_view doc =
        "A job. Of a finished one `error_restarts`, `fault_restarts`, `checkpoints`, `usage`, `holds`, `held_fen` and `accrued_fen` are "
        "absent: its bill says what was used and paid. `moves`: what each of its moves cost, the last ones of a live job.";
};
BOOST_DESCRIBE_STRUCT(JobDetail, (JobSummary),
                      (spec, waits_for, placement, stop_ordered, started_at, not_before, error_restarts, fault_restarts, move,
                       arrival, moves, checkpoints, usage, holds, held_fen, accrued_fen, revision))

struct BillView {
    JobId job;
    bool final_ = false;              ///< Until then it is what would be owed if the job ended well now.
    std::vector<BillLine> lines;
    std::vector<BillPart> paid;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(BillView, (), (job, final_, lines, paid, revision))

struct ClauseView {
    std::string source;
    std::string clause;
};
BOOST_DESCRIBE_STRUCT(ClauseView, (), (source, clause))

struct WhyReason {
    std::string code;
    std::optional<std::string> site;
    std::optional<std::string> model;
    std::string text;
    std::optional<std::string> operator_text;
    std::vector<ClauseView> clauses;
};
BOOST_DESCRIBE_STRUCT(WhyReason, (), (code, site, model, text, operator_text, clauses))

struct WhyView {
    JobId job;
    JobState state = JobState::queued;
    bool waiting = false;
    std::vector<WhyReason> reasons;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(WhyView, (), (job, state, waiting, reasons, revision))

struct VoucherView : Voucher {
    Fen held_fen;
    Fen redeemed_fen;
    Fen left_fen;
    std::optional<Fen> expired_fen;     ///< What was left in the end; only of a voucher that has ended.
    std::optional<Instant> ended_at;
};
BOOST_DESCRIBE_STRUCT(VoucherView, (Voucher), (held_fen, redeemed_fen, left_fen, expired_fen, ended_at))

struct TrialLine {
    ledger::AccountCode code = ledger::AccountCode::bank;
    std::int64_t accounts = 0;
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
};
BOOST_DESCRIBE_STRUCT(TrialLine, (), (code, accounts, debits_pending, debits_posted, credits_pending, credits_posted))

struct TrialSheet {
    std::uint32_t ledger = 0;
    std::string title;
    std::vector<TrialLine> lines;
    std::int64_t debits_pending = 0;
    std::int64_t debits_posted = 0;
    std::int64_t credits_pending = 0;
    std::int64_t credits_posted = 0;
    bool balanced = false;
};
BOOST_DESCRIBE_STRUCT(TrialSheet, (), (ledger, title, lines, debits_pending, debits_posted, credits_pending, credits_posted, balanced))

struct TrialBalanceView {
    std::vector<TrialSheet> ledgers;
    std::uint64_t revision = 0;
};
BOOST_DESCRIBE_STRUCT(TrialBalanceView, (), (ledgers, revision))

BOOST_DESCRIBE_STRUCT(Page<KeptTreeItem>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<TokenView>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<OrganisationView>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<Project>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<SiteView>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<CapacityView>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<NodeView>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<Accelerator>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<JobSummary>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<Programme>, (), (items, next_cursor, revision))
BOOST_DESCRIBE_STRUCT(Page<VoucherView>, (), (items, next_cursor, revision))

}  // namespace weir::api
