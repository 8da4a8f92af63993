// Goal: what a job's money may pay for decides where it goes, from its submission to its bill.
// Method: a market with sites, prices and programmes as each test needs them; tests play commands and read state, plan and bill.
#include "control/core/funding.hpp"
#include "control/core/rules.hpp"
#include "control/core/settle.hpp"

#include <gtest/gtest.h>

#include <string>

namespace weir::control {
namespace {

class Market {
public:
    Market() {
        core.policy.kill_grace = seconds(0);  // What is held is of max_duration alone: whole numbers.
        for (const std::string model : {"A100", "H800", "910B", "cpu"}) core.catalogue[model].model = model;
        core.catalogue["910B"].domestic = true;
        organisation("lab", OrganisationKind::university);
        organisation("owner", OrganisationKind::enterprise);
        must(SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {}, {}, 100'000}});
    }

    void organisation(const std::string& name, OrganisationKind kind, const std::string& region = "cn/sichuan/chengdu") {
        must(SetOrganisation{{OrganisationName{name}, kind, "", "", SizeClass::small, region, ""}});
    }
    /// Registers a site, or changes its prices.
    void site(const std::string& name, std::vector<TariffLine> tariff, Tier tier = Tier::edge) {
        Site site;
        site.name = SiteName{name};
        site.owner = OrganisationName{"owner"};
        site.region = "cn/sichuan/chengdu";
        site.tier = tier;
        site.tariff = std::move(tariff);
        must(SetSite{site});
    }
    /// One node with these cards, two of each model.
    static Node node(const std::string& name, const std::vector<std::string>& models, std::int64_t cpus = 16) {
        Node made{NodeName{name}, {}, MilliCpus{1000 * cpus}, MiB{65536}, {}, true, "127.0.0.1"};
        for (const auto& model : models) made.cards.push_back({model, 2, MiB{40960}, Slicing::exclusive, true});
        return made;
    }
    void nodes(const std::string& site, std::vector<Node> all) {
        report(site, [&](SiteReport& r) { r.nodes = std::move(all); });
    }
    template <class Fill>
    void report(const std::string& site, Fill fill) {
        SiteReport r;
        r.site = SiteName{site};
        r.session = format_uid({0, 1});
        r.sequence = core.state.sites.at(r.site).sequence + 1;
        fill(r);
        must(r);
    }

    static Programme programme(std::vector<RatioLine> ratio) {
        Programme p;
        p.name = ProgrammeName{"demo"};
        p.fiscal_year = 2027;
        p.effective_from = begin - hours(24);
        p.effective_to = begin + hours(24 * 365);
        p.funder = "city";
        p.budget = Fen{1'000'000};
        p.entity_cap = Fen{1'000'000};
        p.ratio = std::move(ratio);
        p.validity_days = 30;
        return p;
    }
    VoucherId award(const Programme& p, std::int64_t fen) {
        must(OpenProgramme{p});
        const VoucherId voucher{make_uid(now, 2, ++ids)};
        must(AwardVoucher{voucher, p.name, OrganisationName{"lab"}, Fen{fen}});
        return voucher;
    }
    void deposit(std::int64_t fen) { must(Deposit{make_uid(now, 1, ++ids), OrganisationName{"lab"}, Fen{fen}}); }

    /// An hour on two cards of each of these models, in this order of preference.
    static JobSpec spec(const std::vector<std::string>& models, std::vector<FundingSource> funding = {}) {
        JobSpec s;
        s.name = "train";
        s.run = "true";
        for (const auto& model : models) s.resources.accelerators.push_back({model, MilliCards{2000}, ""});
        s.max_duration = Seconds{3600};
        s.funding = std::move(funding);
        return s;
    }
    JobId submit(const JobSpec& s) {
        const JobId job{make_uid(now, 0, ++ids)};
        must(SubmitJob{job, ProjectName{"vision"}, s, sha256("body")});
        return job;
    }
    void place() {
        for (const auto& event : decide_placements(core, now)) apply(core, event, ++revision, now);
    }
    /// The model on which the job was placed; empty where it waits.
    std::string model_of(JobId job) const {
        const auto& placement = core.state.jobs.at(job).placement;
        return placement ? placement->model : "";
    }
    /// Why the job waits for this model at this site.
    std::string why(JobId job, const std::string& site, const std::string& model) const {
        for (const auto& reason : core.scheduler.why(job.uid, now).reasons) {
            if (reason.site == site && reason.model == model && !reason.clauses.empty()) return reason.clauses.front().clause;
        }
        return {};
    }

    Decision play(Command command) {
        auto decision = decide(core, Request{Actor{}, std::move(command), {}, {}}, now);
        for (const auto& event : decision.events) apply(core, event, ++revision, now);
        return decision;
    }
    std::string must(Command command) {
        auto decision = play(std::move(command));
        EXPECT_TRUE(decision.answer) << (decision.answer ? "" : decision.answer.error().message);
        return decision.answer ? decision.answer->id : "";
    }
    void run(JobId job) {
        const auto& placed = live(job);
        report(placed.placement->site.value, [&](SiteReport& r) {
            r.tasks = {{job, placed.generation, TaskState::running, Reason::none, 0, std::nullopt}};
        });
    }
    /// The next so many seconds on its cards.
    void meter(JobId job, std::uint64_t sequence, std::int64_t s) {
        const auto from = floor_seconds(now);
        now = now + seconds(s);
        const auto& placed = live(job);
        report(placed.placement->site.value, [&](SiteReport& r) { r.meters = {{job, placed.generation, 0, sequence, from, from + s}}; });
    }
    JobFinished end(JobId job) {
        const auto& placed = live(job);
        SiteReport r;
        r.site = placed.placement->site;
        r.session = format_uid({0, 1});
        r.sequence = core.state.sites.at(r.site).sequence + 1;
        r.tasks = {{job, placed.generation, TaskState::ended, Reason::exited, 0, std::nullopt}};
        for (const auto& event : play(r).events) {
            if (const auto* finished = std::get_if<JobFinished>(&event)) return *finished;
        }
        return {};
    }
    const LiveJob& live(JobId job) const { return core.state.jobs.at(job); }

    static constexpr Instant begin{1'800'000'000'000'000'000};
    Core core;
    Instant now = begin;
    std::uint64_t revision = 0;
    std::uint64_t ids = 0;
};

TEST(Funding, AJobIsPlacedByTheAlternativeThatItCanPay) {
    Market market;
    market.site("east", {{"H800", Fen{8'000}}, {"cpu", Fen{100}}});
    market.nodes("east", {Market::node("n1", {"H800", "cpu"})});
    market.deposit(1'000);
    const auto job = market.submit(Market::spec({"H800", "cpu"}));
    EXPECT_EQ(held(market.live(job)), Fen{200});
    market.place();
    EXPECT_EQ(market.model_of(job), "cpu") << "160 yuan for the cards are not there, two for cores are";
}

TEST(Funding, AVoucherForDomesticCardsPaysForThemThoughOthersStandBeside) {
    Market market;
    market.site("east", {{"A100", Fen{600}}, {"910B", Fen{600}}});
    market.nodes("east", {Market::node("n1", {"A100", "910B"})});
    const auto voucher =
        market.award(Market::programme({{{}, true, 1000, "domestic: all"}, {{}, {}, 0, "article 5: no foreign cards"}}), 50'000);
    const auto spec = Market::spec({"A100", "910B"}, {{voucher}});
    const auto first = market.submit(spec);
    const auto second = market.submit(spec);
    market.place();
    EXPECT_EQ(market.model_of(first), "910B");
    EXPECT_EQ(market.model_of(second), "");
    EXPECT_EQ(market.why(second, "east", "A100"), "article 5: no foreign cards");
    EXPECT_EQ(market.why(second, "east", "910B"), "") << "the clause is about the cards that it refuses";
}

TEST(Funding, CardsThatTheSiteHasAndDoesNotPriceAreNeverPlanned) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    market.nodes("east", {Market::node("n1", {"A100", "910B"}, 1)});
    market.deposit(10'000);
    auto spec = Market::spec({"910B", "A100"});
    spec.resources.cpus = MilliCpus{1'000};
    const auto job = market.submit(spec);
    market.place();
    EXPECT_EQ(market.model_of(job), "A100") << "cards without a price are free for ever, and were promised again in each pass";
}

TEST(Funding, JobsThatAskTheSameShareOneAnswer) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    market.deposit(100'000);
    for (int i = 0; i < 3; ++i) market.submit(Market::spec({"A100"}));
    ASSERT_EQ(market.core.funding.remembered.size(), 1U);
    EXPECT_EQ(market.core.funding.users.at(market.core.funding.remembered.begin()->second), 4U) << "three jobs and the memory";
    auto longer = Market::spec({"A100"});
    longer.max_duration = Seconds{7200};
    market.submit(longer);
    EXPECT_EQ(market.core.funding.remembered.size(), 2U) << "another question";
    EXPECT_EQ(market.core.funding.users.size(), 1U) << "and the same answer: the scheduler sees one class";
}

TEST(Funding, WhatWasAnsweredBeforeAPriceRoseIsForgotten) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    market.deposit(100'000);
    const auto before = market.submit(Market::spec({"A100"}));
    market.site("east", {{"A100", Fen{601}}});
    EXPECT_EQ(market.why(before, "east", "A100"),
              "up to 12.02 yuan are needed for it at its price of now, and 12.00 yuan were held when it was submitted");
    market.nodes("east", {Market::node("n1", {"A100"})});
    const auto after = market.submit(Market::spec({"A100"}));
    market.place();
    EXPECT_EQ(market.model_of(before), "");
    EXPECT_EQ(market.model_of(after), "A100");
    market.site("east", {{"A100", Fen{600}}});
    market.nodes("east", {Market::node("n1", {"A100"}), Market::node("n2", {"A100"})});
    market.place();
    EXPECT_EQ(market.model_of(before), "A100");
    EXPECT_EQ(market.core.facts_refused, 0U);
}

TEST(Funding, AnOrganisationOfAnotherKindIsJudgedAnewWhileItsJobsWait) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    const auto voucher = market.award(Market::programme({{{OrganisationKind::university}, {}, 1000, "universities: all"}}), 50'000);
    const auto job = market.submit(Market::spec({"A100"}, {{voucher}}));
    EXPECT_EQ(market.why(job, "east", "A100"), "");
    market.organisation("lab", OrganisationKind::enterprise);
    EXPECT_EQ(market.why(job, "east", "A100"), "no line of the programme's ratio fits this organisation and accelerator");
    market.nodes("east", {Market::node("n1", {"A100"})});
    market.place();
    EXPECT_EQ(market.model_of(job), "");
    market.organisation("lab", OrganisationKind::university);
    market.place();
    EXPECT_EQ(market.model_of(job), "A100");
}

TEST(Funding, WhatAVoucherPromisedWithAPlacementItPays) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    market.nodes("east", {Market::node("n1", {"A100"})});
    market.deposit(100'000);
    const auto voucher = market.award(Market::programme({{{OrganisationKind::university}, {}, 600, "universities: 60 %"}}), 50'000);
    const auto job = market.submit(Market::spec({"A100"}, {{voucher}, {}}));
    market.place();
    market.run(job);
    market.meter(job, 1, 1800);
    market.organisation("lab", OrganisationKind::enterprise);
    market.site("east", {{"A100", Fen{900}}}, Tier::core);
    const auto finished = market.end(job);
    ASSERT_EQ(finished.paid.size(), 2U);
    EXPECT_EQ(finished.paid[0].captured, Fen{360});
    EXPECT_EQ(finished.paid[1].captured, Fen{240});
}

TEST(Funding, AJobThatWaitedTooLongForItsVoucherIsJudgedAnew) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    const auto voucher = market.award(Market::programme({{{}, {}, 1000, "all"}}), 50'000);
    const auto job = market.submit(Market::spec({"A100"}, {{voucher}}));
    const auto other = market.submit(Market::spec({"A100"}, {{voucher}}));
    market.now = market.core.state.vouchers.at(voucher).valid_to - hours(1);
    market.nodes("east", {Market::node("n1", {"A100"})});
    market.must(Tick{});
    market.place();
    EXPECT_EQ(market.model_of(job), "A100") << "its run ends with the voucher at the latest";
    market.now = market.now + milliseconds(1);
    market.nodes("east", {Market::node("n1", {"A100"}), Market::node("n2", {"A100"})});
    EXPECT_TRUE(decide_placements(market.core, market.now).empty());
    market.must(Tick{});
    EXPECT_EQ(market.live(other).reason, Reason::funding_lapsed);
    EXPECT_TRUE(market.why(other, "east", "A100").starts_with("the voucher is valid from")) << market.why(other, "east", "A100");
    EXPECT_TRUE(decide_placements(market.core, market.now).empty());
    EXPECT_TRUE(market.play(Tick{}).events.empty()) << "once";
}

/// Two sites at two fen a second for a job on two cards; cards are in the west alone, and a programme pays 60 % in the east alone.
/// @returns a voucher of it.
VoucherId cards_where_no_voucher_pays(Market& market) {
    market.core.policy.kill_grace = seconds(10);
    for (const std::string site : {"east", "west"}) market.site(site, {{"A100", Fen{3600}}});
    market.nodes("west", {Market::node("n1", {"A100"})});
    market.deposit(100'000);
    auto programme = Market::programme({{{}, {}, 600, "all: 60 %"}});
    programme.sites = {{SiteName{"east"}}, "article 3: the east"};
    return market.award(programme, 50'000);
}

/// The job runs so long in the west, stores a checkpoint and is lost with its site.
void run_and_lose(Market& market, JobId job, std::int64_t used_s) {
    market.place();
    market.run(job);
    market.meter(job, 1, used_s);
    market.report("west", [&](SiteReport& r) { r.checkpoints = {{job, 1, "c1", sha256("c1"), 1, {}}}; });
    market.must(LoseTask{job, 1});
}

// Each source holds what it would pay where it pays most: all that is held together may be more than any site can be paid.
TEST(Funding, TheNextRunLastsAsLongAsItsSiteCanBePaidOfWhatIsLeft) {
    Market market;
    const auto voucher = cards_where_no_voucher_pays(market);
    const auto job = market.submit(Market::spec({"A100"}, {{voucher}, {}}));
    ASSERT_EQ(held(market.live(job)), Fen{4332 + 7220}) << "two fen a second for 3,610 s: 60 % in the east, all in the west";
    run_and_lose(market, job, 3000);
    market.place();
    ASSERT_TRUE(market.live(job).placement);
    EXPECT_EQ(market.live(job).run_for, Seconds{600}) << "1,220 fen are left of what pays in the west, and the grace is paid of them";
    market.run(job);
    market.meter(job, 1, 609);
    EXPECT_FALSE(market.live(job).stop_ordered);
    market.meter(job, 2, 1);
    EXPECT_EQ(market.live(job).stop_ordered, Reason::budget_reached);
    const auto finished = market.end(job);
    EXPECT_EQ(finished.paid[0].captured, Fen{0});
    EXPECT_EQ(finished.paid[1].captured, Fen{7220});
    for (const auto& line : finished.bill) EXPECT_EQ(line.payer, Payer::tenant) << "nobody computed on the provider's money";
}

TEST(Funding, AJobThatCanPayForNoOtherRunEnds) {
    for (const std::int64_t used_s : {3598, 3600}) {
        Market market;
        const auto voucher = cards_where_no_voucher_pays(market);
        auto spec = Market::spec({"A100"}, {{voucher}, {}});
        spec.trust = {SiteName{"west"}};  // where the voucher, of which nothing is held then, does not help
        const auto job = market.submit(spec);
        run_and_lose(market, job, used_s);
        EXPECT_EQ(market.core.state.jobs.contains(job), used_s == 3598) << "a second and the grace are paid for, or not";
    }
}

TEST(Funding, WhatAPurseCanPayIsFoundToTheFen) {
    const auto all = Fen{1'000'000};
    EXPECT_EQ(most_payable({Fen{100}}, {1000}, all), Fen{100});
    EXPECT_EQ(most_payable({Fen{100}}, {0}, all), Fen{0});
    EXPECT_EQ(most_payable({Fen{100}}, {1000}, Fen{40}), Fen{40}) << "the budget";
    EXPECT_EQ(most_payable({Fen{60}, Fen{40}}, {600, 1000}, all), Fen{100});
    EXPECT_EQ(most_payable({Fen{60}, Fen{100}}, {600, 1000}, all), Fen{160}) << "what the voucher lacks the next one pays";
    EXPECT_EQ(most_payable({Fen{1000}, Fen{40}}, {600, 1000}, all), Fen{100}) << "of a run of 100 the voucher pays 60";
    EXPECT_EQ(most_payable({Fen{1000}, Fen{0}}, {600, 1000}, all), Fen{0}) << "nobody pays the rest";
    EXPECT_EQ(most_payable({Fen{60}, Fen{40}}, {600, 400}, all), Fen{100});
    EXPECT_EQ(most_payable({}, {}, all), Fen{0});
}

/// A job of which a voucher pays 90 %, waiting for the only site.
std::pair<VoucherId, JobId> waits_with_a_voucher(Market& market) {
    market.site("east", {{"A100", Fen{3600}}});
    market.nodes("east", {Market::node("n1", {"A100"})});
    market.deposit(100'000);
    const auto voucher = market.award(Market::programme({{{}, {}, 900, "all: 90 %"}}), 50'000);
    return {voucher, market.submit(Market::spec({"A100"}, {{voucher}, {}}))};
}

TEST(Funding, ARunThatAVoucherSharesInBeginsSoThatItEndsWithIt) {
    Market market;
    const auto [voucher, job] = waits_with_a_voucher(market);
    market.now = market.core.state.vouchers.at(voucher).valid_to - hours(1) - seconds(600);
    market.place();
    EXPECT_EQ(market.live(job).deadline, market.now + seconds(600)) << "later it would run on when the voucher has ended";
}

// A site whose clock is years ahead let a voucher pass for ended: the tenant, or the network, paid what the voucher would have.
TEST(Funding, WhetherAVoucherHadEndedIsJudgedByOurClock) {
    for (const std::int64_t ahead_s : {0L, 4L * 366 * 86'400, -86'400L}) {
        Market market;
        const auto [voucher, job] = waits_with_a_voucher(market);
        market.place();
        market.run(job);
        const auto from = floor_seconds(market.now) + ahead_s;
        market.now = market.now + seconds(100);
        market.report("east", [&](SiteReport& r) { r.meters = {{job, 1, 0, 1, from, from + 100}}; });
        const auto finished = market.end(job);
        EXPECT_EQ(finished.paid[0].captured, Fen{180}) << ahead_s;
        EXPECT_EQ(finished.paid[1].captured, Fen{20}) << ahead_s;
    }
}

TEST(Funding, AProgrammePaysItsPartOfAJobOnce) {
    Market market;
    market.site("east", {{"A100", Fen{3600}}});
    market.deposit(100'000);
    const auto programme = Market::programme({{{}, {}, 500, "half"}});
    const auto first = market.award(programme, 50'000);
    const VoucherId second{make_uid(market.now, 2, 77)};
    market.must(AwardVoucher{second, programme.name, OrganisationName{"lab"}, Fen{50'000}});
    const SubmitJob command{JobId{make_uid(market.now, 0, 78)}, ProjectName{"vision"}, Market::spec({"A100"}, {{first}, {second}}), {}};
    const auto refused = market.play(command).answer;
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, RefusalCode::bad_value);
    EXPECT_EQ(refused.error().field, "funding[1]");
}

TEST(Funding, AVoucherPaysForNoUseAfterItsEnd) {
    Market market;
    market.site("east", {{"A100", Fen{3600}}});
    market.nodes("east", {Market::node("n1", {"A100"})});
    market.deposit(100'000);
    const auto voucher = market.award(Market::programme({{{}, {}, 900, "all: 90 %"}}), 50'000);
    const auto job = market.submit(Market::spec({"A100"}, {{voucher}, {}}));
    market.now = market.core.state.vouchers.at(voucher).valid_to - hours(1);
    market.place();
    market.now = market.now + seconds(2600);  // its site was slow to start it
    market.run(job);
    market.meter(job, 1, 400);
    market.meter(job, 2, 1000);  // the voucher ends in the middle of this
    const auto finished = market.end(job);
    EXPECT_EQ(finished.paid[0].captured, Fen{1800}) << "90 % of two fen a second for 1,000 s";
    EXPECT_EQ(finished.paid[1].captured, Fen{720}) << "all that was held of it";
    ASSERT_EQ(finished.bill.size(), 2U);
    EXPECT_EQ(finished.bill[1].payer, Payer::network);
    EXPECT_EQ(finished.bill[1].amount, Fen{280});
}

TEST(Feed, WhatTheSchedulerWouldRefuseIsRefusedAtTheDoor) {
    Market market;
    market.site("east", {{"A100", Fen{600}}});
    auto twice = Market::node("n1", {"A100", "A100"});
    twice.cards[1].slicing = Slicing::fractional;
    const auto flawed = flaws(twice);
    ASSERT_EQ(flawed.size(), 1U);
    EXPECT_EQ(flawed[0].path, "cards[1].model");
    Project rich{ProjectName{"rich"}, OrganisationName{"lab"}, {{"A100", MilliCards{limits::quota_milli_max}}}, {}, 10};
    market.must(SetProject{rich});
    rich.quota[0].milli_cards = MilliCards{limits::quota_milli_max + 1};
    EXPECT_FALSE(market.play(SetProject{rich}).answer);
    EXPECT_EQ(market.core.facts_refused, 0U);
    apply(market.core, NodeSet{SiteName{"east"}, twice}, ++market.revision, market.now);
    EXPECT_EQ(market.core.facts_refused, 1U) << "a broken law is counted, not passed over";
}

}  // namespace
}  // namespace weir::control
