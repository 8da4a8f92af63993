// control/core/test_town.hpp: a small town with one programme and two sites, for tests that play commands and read state and ledger.
#pragma once

#include "control/core/funding.hpp"
#include "control/core/rules.hpp"
#include "control/core/settle.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::control {

constexpr Instant start{1'800'000'000'000'000'000};

class Town {
public:
    Town() {
        core.policy.kill_grace = seconds(0);  // What is held is of max_duration alone: whole numbers.
        for (const std::string model : {"A100", "cpu"}) core.catalogue[model].model = model;
        must(SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn/sichuan/chengdu", ""}});
        must(SetOrganisation{
            {OrganisationName{"owner"}, OrganisationKind::enterprise, "Owner", "", SizeClass::large, "cn/sichuan/chengdu", ""}});
        must(SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {{"A100", MilliCards{4000}}}, {}, 100}});
        must(SetRoles{SubjectName{"ann"}, ProjectName{"vision"}, {Role::member}});
        add_site("east", Tier::edge, 600);
        add_site("west", Tier::core, 900);
    }

    Town(const Town&) = delete;
    Town& operator=(const Town&) = delete;
    ~Town() { EXPECT_FALSE(core.state.ledger_broken) << "a fact was decided that the books refuse"; }

    void add_site(const std::string& name, Tier tier, std::int64_t price) {
        Site site;
        site.name = SiteName{name};
        site.owner = OrganisationName{"owner"};
        site.region = "cn/sichuan/chengdu";
        site.tier = tier;
        site.tariff = {{"A100", Fen{price}}};
        must(SetSite{site});
        report(name, [&](SiteReport& r) { r.nodes = {{node("n1"), node("n2")}}; });
    }
    static Node node(const std::string& name) {
        return {
            NodeName{name}, {{"A100", 2, MiB{40960}, Slicing::fractional, true}}, MilliCpus{16000}, MiB{65536}, {"z1", "b1", "r1"}, true,
            "127.0.0.1"};
    }

    Decision play(Command command, const std::string& key = {}) {
        auto decision = decide(core, Request{Actor{}, std::move(command), key, sha256(key)}, now);
        for (const auto& event : decision.events) apply(core, event, ++revision, now);
        while (!core.state.forsaken.empty()) {
            for (const auto& event : decide_forsaken(core, now, 1)) apply(core, event, ++revision, now);
        }
        return decision;
    }
    std::string must(Command command) {
        auto decision = play(std::move(command));
        EXPECT_TRUE(decision.answer) << (decision.answer ? "" : decision.answer.error().message);
        return decision.answer ? decision.answer->id : "";
    }
    Refusal refused(Command command) {
        auto decision = play(std::move(command));
        EXPECT_FALSE(decision.answer);
        return decision.answer ? Refusal{} : decision.answer.error();
    }
    void place() {
        for (const auto& event : decide_placements(core, now)) apply(core, event, ++revision, now);
    }
    template <class Fill>
    Decision report(const std::string& site, Fill fill) {
        SiteReport r;
        r.site = SiteName{site};
        r.session = session();
        r.sequence = core.state.sites.at(r.site).sequence + 1;
        fill(r);
        auto decision = play(r);
        EXPECT_TRUE(decision.answer) << (decision.answer ? "" : decision.answer.error().message);
        return decision;
    }
    void wait(std::int64_t s) { now = now + seconds(s); }
    /// Names of sessions, in their order.
    static std::string session(std::uint64_t number = 1) { return format_uid({0, number}); }

    JobId id() { return {make_uid(now, 0, ++ids)}; }
    static JobSpec spec(std::int64_t cards = 1, std::int64_t nodes = 1) {
        JobSpec s;
        s.name = "train";
        s.run = "true";
        s.resources.accelerators = {{"A100", MilliCards{cards * 1000}, ""}};
        s.num_nodes = nodes;
        s.max_duration = Seconds{3600};
        return s;
    }
    JobId submit(const JobSpec& s) {
        const auto job = id();
        must(SubmitJob{job, ProjectName{"vision"}, s, sha256("body")});
        return job;
    }
    void deposit(std::int64_t fen) { must(Deposit{make_uid(now, 1, ++ids), OrganisationName{"lab"}, Fen{fen}}); }
    VoucherId award(std::int64_t fen, std::int64_t validity_days = 365) {
        Programme p;
        p.name = ProgrammeName{"chengdu-2026"};
        p.title = "Demo";
        p.fiscal_year = 2026;
        p.effective_from = start - hours(24);
        p.effective_to = start + hours(24 * 365);
        p.funder = "city";
        p.budget = Fen{1'000'000};
        p.entity_cap = Fen{100'000};
        p.ratio = {{{OrganisationKind::university}, std::nullopt, 600, "universities: 60 %"}};
        p.sites = {{SiteName{"east"}}, "article 4: only the east site"};
        p.validity_days = validity_days;
        must(OpenProgramme{p});
        const VoucherId voucher{make_uid(now, 2, ++ids)};
        must(AwardVoucher{voucher, p.name, OrganisationName{"lab"}, Fen{fen}});
        return voucher;
    }
    /// A token of all rights that its subject has.
    Token issue(const std::string& subject) {
        Token token;
        token.id = {make_uid(now, 3, ++ids)};
        token.subject = SubjectName{subject};
        token.hash = sha256(subject);
        token.scopes = {Scope::admin};
        must(IssueToken{token});
        return token;
    }
    void run(JobId job, const std::string& site) {
        report(site, [&](SiteReport& r) { r.tasks = {{job, live(job).generation, TaskState::running, Reason::none, 0, std::nullopt}}; });
    }
    void meter(JobId job, const std::string& site, std::int64_t sequence, std::int64_t s, std::uint32_t generation = 0) {
        const auto from = floor_seconds(now);
        wait(s);
        report(site, [&](SiteReport& r) {
            r.meters = {
                {job, generation == 0 ? live(job).generation : generation, 0, static_cast<std::uint64_t>(sequence), from, from + s}};
        });
    }
    Decision end(JobId job, const std::string& site, Reason reason, std::int64_t code = 0, std::optional<NodeName> blamed = {}) {
        return report(site, [&](SiteReport& r) { r.tasks = {{job, live(job).generation, TaskState::ended, reason, code, blamed}}; });
    }
    const LiveJob& live(JobId job) const { return core.state.jobs.at(job); }
    Fen prepaid() const { return free_in(core.state, account::prepaid(OrganisationName{"lab"})); }
    Fen earned() const {
        const auto* account = core.state.ledger.account(account::supplier(OrganisationName{"owner"}));
        return Fen{account->credits_posted - account->debits_posted};
    }
    JobState outcome(JobId job) const { return core.state.finished.at(job).outcome; }

    Core core;
    Instant now = start;
    std::uint64_t revision = 0;
    std::uint64_t ids = 0;
};

}  // namespace weir::control
