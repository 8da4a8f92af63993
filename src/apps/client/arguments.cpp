#include "apps/client/arguments.hpp"

#include "apps/client/books.hpp"
#include "apps/client/explain.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

namespace weir::cli {
namespace {

/// A command whose options fill an Ask and whose choice is to run it.
template <class Ask>
void add(CLI::App& parent, Chosen& chosen, const char* name, const char* about, Done (*run)(Session&, const Ask&),
         void (*options)(CLI::App&, Ask&)) {
    auto ask = std::make_shared<Ask>();
    auto* command = parent.add_subcommand(name, about);
    options(*command, *ask);
    command->callback([&chosen, ask, run] { chosen.run = [ask, run](Session& session) { return run(session, *ask); }; });
}

/// One that explains the commands themselves and asks no server.
template <class Ask>
CLI::App& add_explaining(CLI::App& app, Chosen& chosen, const char* name, const char* about,
                         Done (*run)(Console&, const CLI::App&, const Ask&), Ask& ask) {
    auto* command = app.add_subcommand(name, about);
    command->callback([&chosen, &app, &ask, run] {
        chosen.alone = [&app, &ask, run](Console& console) { return run(console, app, ask); };
    });
    return *command;
}

CLI::App& noun(CLI::App& app, const char* name, const char* about) {
    auto* command = app.add_subcommand(name, about);
    command->require_subcommand(1);
    return *command;
}

void none(CLI::App&, Nothing&) {}
void limit(CLI::App& command, ListAsk& ask) {
    command.add_option("--limit", ask.most, "most items")->check(CLI::Range(1, 1'000'000))->capture_default_str();
}
/// A parameter of a list's query, spelled as an option.
void filter(CLI::App& command, ListAsk& ask, std::string_view parameter, const char* about) {
    std::string option = "--" + std::string{parameter};
    std::ranges::replace(option, '_', '-');
    command.add_option(option, ask.filters[parameter], about);
}
void organisations_wanted(CLI::App& command, ListAsk& ask) {
    limit(command, ask);
    filter(command, ask, "kind", "only such, as university");
    filter(command, ask, "control_group", "only of this group of firms");
}
void projects_wanted(CLI::App& command, ListAsk& ask) {
    limit(command, ask);
    filter(command, ask, "organisation", "only of this one");
}
void sites_wanted(CLI::App& command, ListAsk& ask) {
    limit(command, ask);
    filter(command, ask, "owner", "only of this organisation");
    filter(command, ask, "tier", "only edge, cloud or core");
    filter(command, ask, "backend", "only process, slurm, kubernetes or weir");
    filter(command, ask, "duty", "only working, draining or stopped");
    filter(command, ask, "model", "only who has a price for this one");
}
void models_wanted(CLI::App& command, ListAsk& ask) {
    filter(command, ask, "vendor", "only of this one");
    filter(command, ask, "stack", "only of this one, such as cuda or cann");
}
void programmes_wanted(CLI::App& command, ListAsk& ask) {
    limit(command, ask);
    filter(command, ask, "funder", "only of this one");
}
void file(CLI::App& command, FileAsk& ask) { command.add_option("-f,--file", ask.file, "YAML or JSON; - is standard input")->required(); }
template <int which>
void one(CLI::App& command, OneAsk& ask) {
    constexpr const char* titles[] = {"NAME", "JOB", "TOKEN", "VOUCHER"};
    constexpr const char* docs[] = {"its name", "its id, or 6 or more characters of its beginning or end", "its id", "its id"};
    command.add_option(titles[which], ask.name, docs[which])->required();
}

void organisation(CLI::App& command, OrganisationAsk& ask) {
    command.add_option("NAME", ask.name, "its name");
    command.add_option("-f,--file", ask.file, "all of it as YAML or JSON; - is standard input");
    command.add_option("--kind", ask.kind, "enterprise, startup, university, research_institute, government, person");
    command.add_option("--title", ask.title, "legal name; none for a person");
    command.add_option("--credit-code", ask.credit_code, "unified social credit code");
    command.add_option("--size", ask.size_class, "micro, small, medium, large");
    command.add_option("--registered-in", ask.registered_in, "region, such as cn/sichuan/chengdu");
    command.add_option("--control-group", ask.control_group, "shared by firms under one control");
}

void project(CLI::App& command, ProjectAsk& ask) {
    command.add_option("NAME", ask.name, "its name");
    command.add_option("-f,--file", ask.file, "all of it as YAML or JSON; - is standard input");
    command.add_option("--organisation", ask.organisation, "who it belongs to");
    command.add_option("--quota", ask.quota, "most cards of a model at once, such as H800:16; once for each model");
    command.add_option("--trust", ask.trusted, "a site it trusts; once for each, none: all");
    command.add_option("--live-jobs-max", ask.live_jobs_max, "most jobs that wait or run at once");
}

void quota(CLI::App& command, QuotaAsk& ask) {
    command.add_option("PROJECT", ask.project, "of this one; none: of each that you may see");
}

void roles(CLI::App& command, RolesAsk& ask) {
    command.add_option("SUBJECT", ask.subject, "whose roles")->required();
    command.add_option(
        "--role", ask.roles,
        "exactly these; once for each: in a project owner, member, viewer or provider, in the network operator, approver, finance or "
        "auditor");
    command.add_flag("--none", ask.none, "take all away");
}

void member(CLI::App& command, RolesAsk& ask) {
    command.add_option("PROJECT", ask.project, "in which project")->required();
    roles(command, ask);
}

void token(CLI::App& command, TokenAsk& ask) {
    command.add_option("--subject", ask.subject, "whose; none: your own");
    command.add_option("--scope", ask.scopes, "read, write, admin; once for each, none: read");
    command.add_option("--expires", ask.expires, "such as 30d, or an instant; none: never");
    command.add_option("--to", ask.to, "file for the secret, readable by you alone");
}

void agent_token(CLI::App& command, TokenAsk& ask) {
    command.add_option("SITE", ask.site, "for whose agent")->required();
    command.add_option("--expires", ask.expires, "such as 365d, or an instant; none: never");
    command.add_option("--to", ask.to, "file for the secret, readable by you alone");
}

void token_list(CLI::App& command, TokenListAsk& ask) {
    limit(command, ask);
    command.add_flag("--all", ask.all, "everybody's, for operators");
    filter(command, ask, "subject", "only of this one");
    filter(command, ask, "site", "only of this one's agents");
}

void node_list(CLI::App& command, NodeListAsk& ask) {
    limit(command, ask);
    command.add_option("--site", ask.site, "only of this site");
    filter(command, ask, "model", "only who has such cards");
    filter(command, ask, "health", "only healthy or ill");
}

void submission(CLI::App& command, SubmitAsk& ask) {
    command.add_option("FILE", ask.file, "job file, YAML or JSON; - is standard input")->required();
    command.add_option("--project", ask.project, "none: WEIR_PROJECT, or your only one");
    command.add_option("--id", ask.id, "of an earlier attempt whose outcome is unknown");
    command.add_option("--funding", ask.funding, "instead of the file's: a voucher's id or prepaid; once for each, in their order");
    auto* dry = command.add_flag("--dry-run", ask.dry_run, "where, when and for how much it would run; nothing is submitted");
    dry->excludes(command.get_option("--id"));
    command.add_option("--workdir", ask.workdir, "folder that the job begins in, instead of the file's; .gitignore and .weirignore count");
    command.add_flag("--wait", ask.wait, "until it is over; exit code 10 where it did not succeed");
}

void job_list(CLI::App& command, ListAsk& ask) {
    ask.most = 50;
    limit(command, ask);
    filter(command, ask, "project", "only of this project");
    filter(command, ask, "state", "live, finished, or a state such as queued");
    filter(command, ask, "submitter", "only of this subject");
    filter(command, ask, "site", "only what runs there, or ran there last");
}

void moving(CLI::App& command, MoveAsk& ask) {
    command.add_option("JOB", ask.job, "its id, or 6 or more characters of its beginning or end")->required();
    auto* to = command.add_option("--to", ask.to, "the site where it is to go on; none: wherever it fits");
    auto* restart = command.add_flag("--restart", ask.restart, "it may begin from its start, where it has no checkpoint");
    command.add_flag("--call-off", ask.call_off, "it is to stay where it is; possible until it was told to stop")
        ->excludes(to)
        ->excludes(restart);
}

void draining(CLI::App& command, DrainAsk& ask) {
    command.add_option("SITE", ask.name, "its name")->required();
    command.add_option("--deadline", ask.deadline,
                       "when the last of its work stops, such as 2h, or an instant; none: what finds no place elsewhere runs to its end");
}

void stopping(CLI::App& command, StopSiteAsk& ask) {
    command.add_option("SITE", ask.name, "its name")->required();
    command.add_flag("--now", ask.now, "for an emergency: nothing waits for a checkpoint")->required();
}

void logs(CLI::App& command, LogAsk& ask) {
    command.add_option("JOB", ask.job, "its id, or 6 or more characters of its beginning or end")->required();
    command.add_flag("-f,--follow", ask.follow, "go on until the job is over");
    command.add_flag("--stderr", ask.errors, "what it printed to stderr");
    command.add_option("--node,--node-rank", ask.node_rank, "node of the gang, from 0");
    command.add_option("--rank", ask.rank, "process of that node, from 0: its LOCAL_RANK");
    command.add_option("--generation", ask.generation, "of which start, from 1 on; none: the present one")
        ->check(CLI::Range(1U, UINT32_MAX));
    command.add_flag("--raw", ask.raw, "as it was printed on a terminal, too, colours and control characters and all");
}

constexpr const char* which_project = "none: WEIR_PROJECT, or your only one";

void putting(CLI::App& command, PutAsk& ask) {
    command.add_option("SOURCE", ask.source, "file or folder here; of a folder .gitignore and .weirignore count")->required();
    command.add_option("PATH", ask.to, "among the project's files; none: its name here");
    command.add_option("--project", ask.project, which_project);
}

void getting(CLI::App& command, GetAsk& ask) {
    command
        .add_option(
            "NAME", ask.words,
            "PATH of a file of the project, or JOB PATH, or JOB:PATH, of an output; a folder is all below it, JOB alone is all; then "
            "the file or folder here, none: its name")
        ->required()
        ->expected(1, 3);
    command.add_option("--project", ask.project, which_project);
}

void files(CLI::App& command, FilesAsk& ask) {
    limit(command, ask);
    command.add_option("NAME", ask.name, "only what begins so; JOB, or JOB:PATH, for the outputs of a job");
    command.add_option("--project", ask.project, which_project);
}

void removing(CLI::App& command, RemoveAsk& ask) {
    command.add_option("NAME", ask.names, "PATH of a file, PATH/ of all below it, JOB for all outputs of a job, or tree-...")->required();
    command.add_option("--project", ask.project, which_project);
}

void data(CLI::App& command, DataAsk& ask) { command.add_option("--project", ask.project, which_project); }

void data_quota(CLI::App& command, DataQuotaAsk& ask) {
    command.add_option("PROJECT", ask.project, "whose")->required();
    command.add_option("BYTES", ask.bytes, "such as 107374182400")->required();
}

void receipt(CLI::App& command, ReceiptAsk& ask) {
    command.add_option("TREE", ask.tree, "tree-...")->required();
    command.add_option("--project", ask.project, which_project);
}

/// The largest that every reader of JSON holds exactly.
constexpr std::uint64_t revision_max = std::uint64_t{1} << 53U;

void watching(CLI::App& command, WatchAsk& ask) {
    command.add_option("--project", ask.project, "only what is this project's");
    command.add_option("--job", ask.job, "only what is this job's; ends with the job");
    command.add_option("--site", ask.site, "only what is about this site, or happened there");
    command.add_option("--about", ask.about,
                       "only what is about such things: job, site, node, project, organisation, voucher, ledger, ...");
    command.add_option("--type", ask.type, "only of this kind, such as job_placed");
    command.add_option("--since", ask.since, "after this revision; none: from now on")->check(CLI::Range(std::uint64_t{0}, revision_max));
    command.add_option("--count", ask.events_max, "end after so many events");
}

void award(CLI::App& command, AwardAsk& ask) {
    command.add_option("PROGRAMME", ask.programme, "whose budget pays")->required();
    command.add_option("ORGANISATION", ask.organisation, "who gets it")->required();
    command.add_option("AMOUNT", ask.amount, "such as '1000 yuan'")->required();
    command.add_option("--id", ask.id, "of an earlier attempt whose outcome is unknown");
}

void voucher_list(CLI::App& command, ListAsk& ask) {
    limit(command, ask);
    filter(command, ask, "organisation", "only of this one");
    filter(command, ask, "programme", "only of this one");
}

void depositing(CLI::App& command, DepositAsk& ask) {
    command.add_option("ORGANISATION", ask.organisation, "whose prepaid balance")->required();
    command.add_option("AMOUNT", ask.amount, "such as '1000 yuan'")->required();
    command.add_option("--id", ask.id, "of an earlier attempt whose outcome is unknown");
}

void accounts(CLI::App& command, AccountsAsk& ask) {
    limit(command, ask);
    command.add_option("--owner", ask.owner, "only of this organisation, funder, programme or control group");
}

template <int which>
void statement(CLI::App& command, StatementAsk& ask) {
    ask.most = 50;
    limit(command, ask);
    command.add_option(which == 0 ? "ACCOUNT" : "SITE", ask.of, which == 0 ? "its id, as weir ledger accounts shows it" : "its name")
        ->required();
}

void audit(CLI::App& command, AuditAsk& ask) {
    ask.most = 50;
    limit(command, ask);
    command.add_option("--actor", ask.actor, "only of this one, such as subject:ann");
    command.add_option("--type", ask.type, "only of this kind, such as job_placed");
    command.add_option("--job", ask.job, "only what is about this job, its transfers too");
    command.add_option("--project", ask.project, "only what is about this project and its jobs, their transfers too");
}

void add_people(CLI::App& app, Chosen& chosen) {
    auto* entry = app.add_subcommand("login", "store the server and a token");
    entry->callback([&chosen] { chosen.alone = [&chosen](Console& console) { return login(console, chosen.flags); }; });
    add(app, chosen, "whoami", "who your token says you are", who_am_i, none);
    auto& org = noun(app, "org", "organisations");
    add(org, chosen, "set", "make one, or change it", set_organisation, organisation);
    add(org, chosen, "list", "those you may see", list_organisations, organisations_wanted);
    add(org, chosen, "show", "one with its balance", show_organisation, one<0>);
    add(org, chosen, "suspend", "its jobs publish a checkpoint, stop and wait", suspend_organisation, one<0>);
    add(org, chosen, "resume", "its jobs may run again", resume_organisation, one<0>);
    auto& projects = noun(app, "project", "projects and their members");
    add(projects, chosen, "set", "make one, or change it", set_project, project);
    add(projects, chosen, "list", "those you may see", list_projects, projects_wanted);
    add(projects, chosen, "show", "one with quota, use and members", show_project, one<0>);
    add(projects, chosen, "member", "give a subject its roles in a project", set_roles, member);
    add(app, chosen, "quota", "cards in use and the most that may be", show_quota, quota);
    add(app, chosen, "role", "give a subject its roles in the network", set_roles, roles);
    auto& tokens = noun(app, "token", "API tokens");
    add(tokens, chosen, "issue", "a new token; its secret is shown once", issue_token, token);
    add(tokens, chosen, "list", "your tokens, without their secrets", list_tokens, token_list);
    add(tokens, chosen, "revoke", "end a token at once", revoke_token, one<2>);
}

void add_sites(CLI::App& app, Chosen& chosen) {
    auto& sites = noun(app, "site", "sites");
    add(sites, chosen, "set", "register one, or change it", set_site, file);
    add(sites, chosen, "list", "all of them", list_sites, sites_wanted);
    add(sites, chosen, "show", "one with tariff and links", show_site, one<0>);
    add(sites, chosen, "drain", "empty one: its jobs go on elsewhere, and nothing new comes", drain_site, draining);
    add(sites, chosen, "resume", "take one into service again", resume_site, one<0>);
    add(sites, chosen, "stop", "stop all work of one at once", stop_site, stopping);
    add(sites, chosen, "statement", "what one has earned, in all and by job", show_site_statement, statement<1>);
    add(sites, chosen, "agent-token", "a new token for a site's agent", issue_token, agent_token);
    auto& nodes = noun(app, "node", "nodes of sites");
    add(nodes, chosen, "list", "all of them, or a site's", list_nodes, node_list);
    add(app, chosen, "catalog", "accelerator models that the network knows", list_catalogue, models_wanted);
    add(app, chosen, "model", "make an accelerator model known to the network, or change what it knows of one", set_model, file);
}

void add_jobs(CLI::App& app, Chosen& chosen) {
    add(app, chosen, "submit", "submit a job", submit, submission);
    auto& jobs = noun(app, "job", "jobs");
    add(jobs, chosen, "list", "newest first", list_jobs, job_list);
    add(jobs, chosen, "show", "all about one", show_job, one<1>);
    add(jobs, chosen, "logs", "what it printed", show_logs, logs);
    add(jobs, chosen, "cancel", "stop it; what it used is billed", cancel_job, one<1>);
    add(jobs, chosen, "move", "let it go on at another site, from a checkpoint", move_job, moving);
    add(jobs, chosen, "why", "why it waits, and what would change it", why_job, one<1>);
    add(jobs, chosen, "eta", "when it begins and ends, as far as that can be told", eta_job, one<1>);
    add(jobs, chosen, "bill", "what it owes, line by line", bill_job, one<1>);
    add(app, chosen, "watch", "events as they come", watch, watching);
    add(app, chosen, "put", "send files to the project", put_files, putting);
    add(app, chosen, "get", "fetch files of the project, or outputs of a job", get_files, getting);
    add(app, chosen, "ls", "list files of the project, or outputs of a job", list_files, files);
    add(app, chosen, "rm", "remove files of the project, or outputs of a job", remove_files, removing);
    auto& kept = noun(app, "data", "what projects keep with the network");
    add(kept, chosen, "show", "how much, and how much may be", show_data, data);
    add(kept, chosen, "quota", "set what a project may keep", set_data_quota, data_quota);
    add(kept, chosen, "receipt", "whether a tree is kept, or the proof that it was erased", show_receipt, receipt);
}

void add_money(CLI::App& app, Chosen& chosen) {
    auto& programmes = noun(app, "programme", "voucher programmes");
    add(programmes, chosen, "set", "open one", set_programme, file);
    add(programmes, chosen, "list", "all of them", list_programmes, programmes_wanted);
    add(programmes, chosen, "show", "one with its terms", show_programme, one<0>);
    auto& vouchers = noun(app, "voucher", "vouchers");
    add(vouchers, chosen, "award", "award one out of a programme's budget", award_voucher, award);
    add(vouchers, chosen, "list", "with what is left of them", list_vouchers, voucher_list);
    add(vouchers, chosen, "show", "one, in force or ended", show_voucher, one<3>);
    add(app, chosen, "deposit", "book money that arrived", deposit, depositing);
    auto& ledger = noun(app, "ledger", "the books");
    add(ledger, chosen, "trial-balance", "every ledger's sums", show_trial_balance, none);
    add(ledger, chosen, "accounts", "every account with its sums, in words", list_accounts, accounts);
    add(ledger, chosen, "statement", "what was booked on an account, newest first", show_account_statement, statement<0>);
    auto& journal = noun(app, "audit", "the journal");
    add(journal, chosen, "log", "every change, newest first", show_audit_log, audit);
    // `weir audit verify` itself is the server's program; this tells of it, and of a flag that came before it.
    add(journal, chosen, "verify", "prove a store, on the machine where it is; see: weir audit verify --help", prove_store_elsewhere, none);
}

void add_explanations(CLI::App& app, Chosen& chosen) {
    auto& help = add_explaining(app, chosen, "help", "topics that teach, and commands one by one", print_help, chosen.help);
    help.add_option("ABOUT", chosen.help.about, "a topic, or the words of a command; none: what there is");
    auto& shell = add_explaining(app, chosen, "completion", "what a shell needs to complete commands and options", print_completion,
                                 chosen.completion);
    shell.add_option("SHELL", chosen.completion.shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    auto& man = add_explaining(app, chosen, "man", "manual pages, in roff", print_man, chosen.man);
    man.add_option("COMMAND", chosen.man.command, "of this command; none: of weir itself")->expected(0, 1);
    man.add_option("--to", chosen.man.to, "write all pages into this folder");
}

void topping(CLI::App& command, TopAsk& ask) {
    command.add_option("--every", ask.every_s, "seconds between two pictures")->check(CLI::Range(1, 3600))->capture_default_str();
    command.add_flag("--once", ask.once, "one picture, as off a terminal");
}

void applying(CLI::App& command, ApplyAsk& ask) {
    command.add_option("-f,--file", ask.file, "YAML or JSON; - is standard input")->required();
    command.add_flag("--dry-run", ask.dry_run, "only show what would change");
    command.add_flag("--yes", ask.yes, "do not ask");
}

}  // namespace

void add_commands(CLI::App& app, Chosen& chosen) {
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--server", chosen.flags.server,
                   "http://host:port, or those of several servers between commas; none: WEIR_SERVER, or what weir login stored");
    app.add_option("--token-file", chosen.flags.token_file,
                   "file with the token, - for standard input; none: WEIR_TOKEN, or what weir login stored");
    app.add_flag("--json", chosen.flags.json, "the server's answer as it is");
    add_people(app, chosen);
    add_sites(app, chosen);
    add_jobs(app, chosen);
    add_money(app, chosen);
    add(app, chosen, "top", "the network on one screen", top, topping);
    add(app, chosen, "apply", "objects of an operator's file: shows what would change, then does it", apply, applying);
    add_explanations(app, chosen);
}

}  // namespace weir::cli
