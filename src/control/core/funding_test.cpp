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
        r.session = "s1";
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

}  // namespace
}  // namespace weir::control
