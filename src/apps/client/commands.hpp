// apps/client/commands.hpp: every command as a function of what was asked.
//
// How that is spelled on the command line is arguments.hpp's business; each function prints its answer.
#pragma once

#include "apps/client/session.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

inline constexpr std::size_t usual_items = 1'000;

struct Nothing {};
struct ListAsk {
    std::size_t most = usual_items;
    /// What is wanted, by the list's query parameters; an empty text wants everything.
    std::map<std::string_view, std::string> filters{};
    [[nodiscard]] Query query() const { return {filters.begin(), filters.end()}; }
    [[nodiscard]] std::string_view wanted(std::string_view parameter) const {
        const auto found = filters.find(parameter);
        return found == filters.end() ? std::string_view{} : found->second;
    }
};
struct OneAsk {
    std::string name;
};
struct FileAsk {
    std::string file;
};

/// Asks for server and token where they are not given, tries them, stores them.
[[nodiscard]] Done login(Console& console, const Flags& flags);
[[nodiscard]] Done who_am_i(Session& session, const Nothing& ask);

// ---- who takes part

struct OrganisationAsk {
    std::string file;  ///< Instead of the rest.
    std::string name;
    std::string kind;
    std::string title;
    std::string credit_code;
    std::string size_class;
    std::string registered_in;
    std::string control_group;
};
[[nodiscard]] Done set_organisation(Session& session, const OrganisationAsk& ask);
[[nodiscard]] Done list_organisations(Session& session, const ListAsk& ask);
[[nodiscard]] Done show_organisation(Session& session, const OneAsk& ask);
[[nodiscard]] Done suspend_organisation(Session& session, const OneAsk& ask);
[[nodiscard]] Done resume_organisation(Session& session, const OneAsk& ask);

struct ProjectAsk {
    std::string file;  ///< Instead of the rest.
    std::string name;
    std::string organisation;
    std::vector<std::string> quota;  ///< `H800:16`
    std::vector<std::string> trusted;
    std::optional<std::uint32_t> live_jobs_max;
};
[[nodiscard]] Done set_project(Session& session, const ProjectAsk& ask);
[[nodiscard]] Done list_projects(Session& session, const ListAsk& ask);
[[nodiscard]] Done show_project(Session& session, const OneAsk& ask);
struct QuotaAsk {
    std::string project;  ///< Empty: each that you may see.
};
/// Cards in use and the most that may be, of one project or of all.
[[nodiscard]] Done show_quota(Session& session, const QuotaAsk& ask);

struct RolesAsk {
    std::string project;  ///< Empty: the whole network.
    std::string subject;
    std::vector<std::string> roles;
    bool none = false;
};
[[nodiscard]] Done set_roles(Session& session, const RolesAsk& ask);

struct TokenAsk {
    std::string subject;
    std::string site;  ///< For an agent's token.
    std::vector<std::string> scopes;
    std::string expires;  ///< A length from now, or an instant.
    std::string to;       ///< File for the secret; empty: standard output.
};
[[nodiscard]] Done issue_token(Session& session, const TokenAsk& ask);
struct TokenListAsk : ListAsk {
    bool all = false;
};
[[nodiscard]] Done list_tokens(Session& session, const TokenListAsk& ask);
[[nodiscard]] Done revoke_token(Session& session, const OneAsk& ask);

// ---- where work runs

[[nodiscard]] Done set_site(Session& session, const FileAsk& ask);
[[nodiscard]] Done list_sites(Session& session, const ListAsk& ask);
[[nodiscard]] Done show_site(Session& session, const OneAsk& ask);
struct DrainAsk : OneAsk {
    std::string deadline;  ///< A length from now, or an instant.
};
/// Empties a site as its jobs' checkpoints permit.
[[nodiscard]] Done drain_site(Session& session, const DrainAsk& ask);
[[nodiscard]] Done resume_site(Session& session, const OneAsk& ask);
struct StopSiteAsk : OneAsk {
    bool now = false;
};
[[nodiscard]] Done stop_site(Session& session, const StopSiteAsk& ask);
struct NodeListAsk : ListAsk {
    std::string site;
};
[[nodiscard]] Done list_nodes(Session& session, const NodeListAsk& ask);
[[nodiscard]] Done set_model(Session& session, const FileAsk& ask);
[[nodiscard]] Done list_catalogue(Session& session, const ListAsk& ask);

// ---- jobs

struct SubmitAsk {
    std::string file;
    std::string project;
    std::string id;
    std::vector<std::string> funding;  ///< Instead of the file's.
    std::string workdir;               ///< Instead of the file's.
    bool wait = false;
    bool dry_run = false;
};
[[nodiscard]] Done submit(Session& session, const SubmitAsk& ask);
[[nodiscard]] Done list_jobs(Session& session, const ListAsk& ask);
[[nodiscard]] Done show_job(Session& session, const OneAsk& ask);
[[nodiscard]] Done cancel_job(Session& session, const OneAsk& ask);
struct MoveAsk {
    std::string job;
    std::string to;  ///< Empty: wherever it fits.
    bool restart = false;
    bool call_off = false;
};
[[nodiscard]] Done move_job(Session& session, const MoveAsk& ask);
[[nodiscard]] Done why_job(Session& session, const OneAsk& ask);
[[nodiscard]] Done eta_job(Session& session, const OneAsk& ask);
[[nodiscard]] Done bill_job(Session& session, const OneAsk& ask);
struct LogAsk {
    std::string job;
    bool follow = false;
    bool errors = false;
    std::uint32_t node_rank = 0;
    std::uint32_t rank = 0;        ///< Process of that node.
    std::uint32_t generation = 0;  ///< 0: the present one, and with `follow` those after it.
    bool raw = false;              ///< Control characters reach a terminal, too.
};
[[nodiscard]] Done show_logs(Session& session, const LogAsk& ask);
struct WatchAsk {
    std::string project;
    std::string job;
    std::string site;
    std::string about;  ///< A noun.
    std::string type;   ///< A kind of event.
    std::optional<std::uint64_t> since;
    std::uint64_t events_max = 0;  ///< Ends after so many; 0: never.
};
[[nodiscard]] Done watch(Session& session, const WatchAsk& ask);

struct TopAsk {
    std::int64_t every_s = 2;
    bool once = false;
};
/// Sites with their cards, and the newest live jobs; on a terminal again and again, until it is interrupted.
[[nodiscard]] Done top(Session& session, const TopAsk& ask);

struct ApplyAsk : FileAsk {
    bool dry_run = false;
    bool yes = false;
};
/// Compares an operator's file with what is there, shows the difference, asks, and applies it.
[[nodiscard]] Done apply(Session& session, const ApplyAsk& ask);

// ---- files and outputs: a name is a path among the project's files, or JOB:PATH among the outputs of a job

struct PutAsk {
    std::string source;
    std::string to;
    std::string project;
};
[[nodiscard]] Done put_files(Session& session, const PutAsk& ask);
struct GetAsk {
    std::vector<std::string> words;  ///< What, and where to; of an output the job may be a word of its own.
    std::string project;
};
[[nodiscard]] Done get_files(Session& session, const GetAsk& ask);
struct FilesAsk : ListAsk {
    std::string name;
    std::string project;
};
[[nodiscard]] Done list_files(Session& session, const FilesAsk& ask);
struct RemoveAsk {
    std::vector<std::string> names;
    std::string project;
};
[[nodiscard]] Done remove_files(Session& session, const RemoveAsk& ask);
struct DataAsk {
    std::string project;
};
[[nodiscard]] Done show_data(Session& session, const DataAsk& ask);
struct DataQuotaAsk {
    std::string project;
    std::int64_t bytes = 0;
};
[[nodiscard]] Done set_data_quota(Session& session, const DataQuotaAsk& ask);
struct ReceiptAsk {
    std::string tree;
    std::string project;
};
[[nodiscard]] Done show_receipt(Session& session, const ReceiptAsk& ask);

// ---- money and the journal

[[nodiscard]] Done set_programme(Session& session, const FileAsk& ask);
[[nodiscard]] Done list_programmes(Session& session, const ListAsk& ask);
[[nodiscard]] Done show_programme(Session& session, const OneAsk& ask);
struct AwardAsk {
    std::string programme;
    std::string organisation;
    std::string amount;
    std::string id;
};
[[nodiscard]] Done award_voucher(Session& session, const AwardAsk& ask);
[[nodiscard]] Done list_vouchers(Session& session, const ListAsk& ask);
[[nodiscard]] Done show_voucher(Session& session, const OneAsk& ask);
struct DepositAsk {
    std::string organisation;
    std::string amount;
    std::string id;
};
[[nodiscard]] Done deposit(Session& session, const DepositAsk& ask);
[[nodiscard]] Done show_trial_balance(Session& session, const Nothing& ask);
struct AuditAsk : ListAsk {
    std::string actor;
    std::string type;
    std::string job;
    std::string project;
};
/// Says how to call the program that proves a store.
[[nodiscard]] Done prove_store_elsewhere(Session& session, const Nothing& ask);
[[nodiscard]] Done show_audit_log(Session& session, const AuditAsk& ask);

}  // namespace weir::cli
