#include "city.hpp"

#include "checks.hpp"
#include "control/core/funding.hpp"
#include "server.hpp"
#include "site.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace weir::sim {

using namespace control;

namespace {

Policy sim_policy() {
    Policy policy;
    policy.task_lease = seconds(30);
    policy.run_on_lease = seconds(120);
    policy.kill_grace = seconds(5);
    policy.drift_bound = seconds(2);
    policy.site_silence = seconds(12);
    policy.start_within = seconds(90);  // Shorter than sites are cut off for: starts are given up while their agents know nothing of it.
    policy.stop_within = seconds(60);
    policy.prepare_within = seconds(45);
    policy.checkpoint_within = seconds(15);
    policy.remember = hours(6);  // so that a voucher of yesterday is forgotten while we look
    return policy;
}

Catalogue sim_catalogue() {
    Catalogue catalogue;
    for (const std::string model : {"A100", "Ascend910B3", "H800", "cpu"}) {
        catalogue[model].model = model;
        catalogue[model].domestic = model == "Ascend910B3";
        catalogue[model].stack = model == "Ascend910B3" ? "cann" : model == "cpu" ? "cpu" : "cuda";
    }
    return catalogue;
}

/// One city of so many is looked at from scratch after each of its changes, the others once a minute: it takes thirty times as long.
constexpr std::uint64_t looked_at_closely = 100;

/// Vouchers end with a civil day: each city begins some minutes before midnight.
Instant evening(const CityOptions& options) {
    constexpr Instant some_day{1'800'000'000'000'000'000};
    return china_day(some_day, 1) - seconds(Random{options.seed, "evening"}.between(60, 60 * options.minutes));
}

class City {
public:
    explicit City(const CityOptions& options)
        : options_{options},
          timeline_{evening(options)},
          random_{options.seed, "city"},
          tenants_{options.seed, "tenants"},
          faults_{options.seed, "faults"},
          council_{options.seed, "council"},
          server_{timeline_, Random{options.seed, "server"}, probes_, sim_policy(), sim_catalogue()},
          jury_{timeline_, probes_, options.trace},
          closely_{options.seed % looked_at_closely == 0} {
        server_.on_entry = [this](const Entry& entry) { jury_.entry(entry); };
    }

    CityReport run() {
        const Duration yesterday = hours(24);
        server_.jump_wall(Duration{-yesterday.ns});
        server_.start(true);
        found_yesterday(timeline_.now() - yesterday);
        server_.jump_wall(yesterday);
        found();
        for (auto& site : sites_) site->start();
        go(&City::tenant, seconds(4));
        go(&City::fault, seconds(20));
        go(&City::council, seconds(25));
        go(&City::storm, seconds(400));
        go(&City::inspect, seconds(60));
        go(&City::keep, seconds(60));
        live(timeline_.now() + seconds(options_.minutes * 60));
        mend();
        // Everything works again: what can run does, and comes to an end.
        for (int minutes = 0; minutes < 240 && !at_rest(); ++minutes) live(timeline_.now() + seconds(60));
        jury_.look_at_rest(server_);
        CityReport report;
        report.broken = jury_.verdict();
        report.probes = probes_;
        report.entries = jury_.entries();
        report.jobs_acknowledged = jury_.acknowledged_count();
        report.jobs_finished = jury_.finished();
        if (!server_.disk().records.empty()) report.signature = server_.disk().records.back().hash.text().substr(0, 16);
        return report;
    }

private:
    [[nodiscard]] bool at_rest() const {
        if (!server_.up()) return false;
        for (const auto& [id, job] : server_.core().state.jobs) {
            if (job.placement || job.not_before > server_.core().state.now) return false;
        }
        return std::ranges::all_of(sites_, [](const auto& site) { return site->idle(); });
    }

    void live(Instant end) {
        while (jury_.verdict().empty() && timeline_.step(end)) {
            jury_.look(server_);
            if (closely_) look_at_change();
        }
    }

    void look_at_change() {
        if (!server_.up() || server_.core().state.revision == looked_at_) return;
        looked_at_ = server_.core().state.revision;
        jury_.look_closely(server_);
    }

    void go(void (City::*what)(), Duration mean) {
        timeline_.after(Duration{random_.between(1, 2 * mean.ns)}, [this, what, mean] {
            if (mended_) return;
            (this->*what)();
            go(what, mean);
        });
    }

    /// Organisations, a programme, sites: asked again until they are there.
    void must(Command command) {
        if (!server_.up()) return;
        server_.submit(Request{Actor{}, std::move(command)}, [](const Answer&) {});
    }

    static Organisation lab(OrganisationKind kind) {
        return {OrganisationName{"lab"}, kind, "Lab", "", SizeClass::small, "cn/sichuan/chengdu", ""};
    }
    static Project vision(std::int64_t cards, std::vector<SiteName> trusted = {}) {
        return {ProjectName{"vision"}, OrganisationName{"lab"}, {{"A100", MilliCards{1000 * cards}}}, std::move(trusted), 400};
    }

    /// A programme whose vouchers of yesterday end with today, while the city lives.
    void found_yesterday(Instant then) {
        must(SetOrganisation{lab(OrganisationKind::university)});
        Programme programme;
        programme.name = ProgrammeName{"ending"};
        programme.fiscal_year = 2027;
        programme.effective_from = then - hours(1);
        programme.effective_to = then + hours(24 * 300);
        programme.funder = "district";
        programme.budget = Fen{1'000'000};
        programme.entity_cap = Fen{1'000'000};
        programme.ratio = {{{OrganisationKind::university}, std::nullopt, 1000, "universities: all"}, {{}, true, 700, "domestic: 70 %"}};
        programme.validity_days = 1;
        must(OpenProgramme{programme});
        ending_ = VoucherId{make_uid(then, 2, 2)};
        must(AwardVoucher{ending_, programme.name, OrganisationName{"lab"}, Fen{100'000}});
        live(timeline_.now() + seconds(1));
    }

    void found() {
        must(SetOrganisation{
            {OrganisationName{"owner"}, OrganisationKind::enterprise, "Owner", "", SizeClass::large, "cn/sichuan/chengdu", ""}});
        must(SetProject{vision(12)});
        const std::int64_t count = random_.between(2, 4);
        for (std::int64_t i = 0; i < count; ++i) found_site(i);
        Programme programme;
        programme.name = ProgrammeName{"demo"};
        programme.fiscal_year = 2027;
        programme.effective_from = timeline_.now() - hours(1);
        programme.effective_to = timeline_.now() + hours(24 * 300);
        programme.funder = "city";
        programme.budget = Fen{10'000'000};
        programme.entity_cap = Fen{5'000'000};
        programme.ratio = {{{}, true, 600, "domestic: 60 %"}, {{}, std::nullopt, 300, "others: 30 %"}};
        programme.sites = {{SiteName{"site-0"}}, "article 3: sites of the agreement"};
        must(OpenProgramme{programme});
        must(Deposit{make_uid(timeline_.now(), 1, 1), OrganisationName{"lab"}, Fen{200'000}});
        voucher_ = VoucherId{make_uid(timeline_.now(), 2, 1)};
        must(AwardVoucher{voucher_, programme.name, OrganisationName{"lab"}, Fen{500'000}});
        // The town is founded before anything goes wrong.
        live(timeline_.now() + seconds(1));
    }

    void found_site(std::int64_t i) {
        Site site;
        site.name = SiteName{fmt::format("site-{}", i)};
        site.owner = OrganisationName{"owner"};
        site.region = "cn/sichuan/chengdu";
        site.tier = i % 2 == 0 ? Tier::core : Tier::cloud;
        site.tariff = {{"A100", Fen{500 + 100 * i}}, {"Ascend910B3", Fen{400 + 50 * i}}, {"cpu", Fen{10}}};
        must(SetSite{site});
        registered_.push_back(site);
        std::vector<Node> nodes;
        for (std::int64_t n = 0; n < random_.between(1, 4); ++n) {
            const auto* model = random_.chance(2, 3) ? "A100" : "Ascend910B3";
            // Cards of the last group may be lost: those before it keep their numbers.
            std::vector<CardGroup> cards{{"cpu", 8, MiB{1024}, Slicing::exclusive, true}};
            if (random_.chance(1, 2)) cards.push_back({"H800", 2, MiB{65'536}, Slicing::exclusive, true});
            cards.push_back({model, 4, MiB{65'536}, Slicing::fractional, true});
            nodes.push_back({NodeName{fmt::format("n{}", n)},
                             cards,
                             MilliCpus{64'000},
                             MiB{262'144},
                             {"z", "b", fmt::format("r{}", n % 2)},
                             true,
                             "127.0.0.1"});
        }
        machines_.push_back(nodes);
        sites_.push_back(std::make_unique<SimSite>(SiteOptions{site.name, nodes, random_.between(-10'000, 10'000), random_.below(4) == 0},
                                                   timeline_, server_, Random{options_.seed, site.name.value}, probes_, jury_,
                                                   behaviours_));
    }

    // ---- tenants

    JobSpec random_spec(JobId id) {
        JobSpec spec;
        spec.name = "job";
        spec.run = "work";
        const auto model = std::string{tenants_.chance(1, 2) ? "A100" : "Ascend910B3"};
        const auto cards = tenants_.chance(1, 5) ? 500 : 1000 * tenants_.between(1, 4);
        spec.resources.accelerators = {{model, MilliCards{cards}, ""}};
        if (tenants_.chance(1, 4)) spec.resources.accelerators.push_back({"cpu", MilliCards{2000}, ""});
        // Cards that few sites price, or nobody.
        if (tenants_.chance(1, 6)) spec.resources.accelerators.insert(spec.resources.accelerators.begin(), {"H800", MilliCards{1000}, ""});
        spec.num_nodes = tenants_.chance(1, 4) ? tenants_.between(2, 3) : 1;
        spec.priority = static_cast<PriorityClass>(tenants_.between(0, 2));
        spec.max_duration = Seconds{tenants_.between(60, 900)};
        spec.retry.max_restarts = tenants_.between(0, 2);
        spec.retry.max_restarts_on_site_fault = tenants_.between(1, 10);
        spec.retry.backoff = Seconds{tenants_.between(0, 20)};
        if (tenants_.chance(1, 6)) spec.on_disconnect = OnDisconnect::run_on;
        if (tenants_.chance(1, 3)) spec.funding = {{voucher_}, {}};
        if (tenants_.chance(1, 12)) spec.funding = {{voucher_}};  // the voucher alone: it never covers all
        if (tenants_.chance(1, 8)) spec.funding = {{ending_}, {}};
        if (tenants_.chance(1, 10)) spec.funding = {{voucher_}, {ending_}, {}};
        if (tenants_.chance(1, 16)) spec.funding = {{ending_}};
        if (tenants_.chance(1, 10)) spec.budget = Budget{Fen{tenants_.between(1, 100)}};
        // Of late jobs, so that several of them may end at once.
        for (auto left = tenants_.chance(1, 6) ? tenants_.between(1, 3) : 0; left > 0 && !known_.empty(); --left) {
            const auto late = known_[known_.size() - 1 - tenants_.below(std::min<std::size_t>(known_.size(), 12))];
            if (std::ranges::find(spec.after, late) == spec.after.end()) spec.after.push_back(late);
        }
        if (tenants_.chance(1, 8)) spec.tier = tenants_.chance(1, 2) ? Tier::core : Tier::cloud;
        Behaviour behaviour;
        behaviour.work_s = tenants_.between(1, 500);
        if (tenants_.chance(1, 6)) behaviour.fails_at_s = tenants_.between(1, 200);
        if (tenants_.chance(1, 2)) {
            behaviour.checkpoint_every_s = tenants_.between(5, 60);
            spec.checkpoint.protocol = tenants_.chance(1, 3) ? CheckpointProtocol::self : CheckpointProtocol::signal;
            spec.checkpoint.interval = Seconds{behaviour.checkpoint_every_s};
            if (tenants_.chance(1, 2)) spec.checkpoint.stacks = {"cuda", "cann", "cpu"};
        }
        behaviour.kills_its_node = tenants_.chance(1, 25);
        behaviours_[id] = behaviour;
        return spec;
    }

    struct Order {
        JobSpec spec;
        std::uint64_t tries = 0;
    };

    void order(JobId id) {
        auto& waiting = orders_[id];
        if (waiting.tries++ > 0) probes_.hit("submission repeated after a crash");
        const auto key = id.uid.low % 4 == 0 ? id.text() : std::string{};
        if (waiting.tries > 1 && !key.empty()) probes_.hit("request with a key asked again");
        server_.submit(Request{Actor{}, SubmitJob{id, ProjectName{"vision"}, waiting.spec, sha256(id.text())}, key, sha256(id.text())},
                       [this, id](const Answer& answer) {
                           orders_.erase(id);
                           if (answer) {
                               jury_.acknowledged(id);
                               known_.push_back(id);
                               return;
                           }
                           if (answer.error().code == RefusalCode::insufficient_funds) probes_.hit("job refused for lack of money");
                           if (answer.error().code == RefusalCode::funding_not_eligible) probes_.hit("job refused by a clause");
                       });
    }

    void cancel(JobId job) {
        if (!server_.up()) return;
        server_.submit(Request{Actor{}, CancelJob{job}}, [this, job](const Answer& answer) {
            if (answer) jury_.cancelled(job);
        });
    }

    /// Many jobs at one moment that would all run longer than they may: their timers are due together.
    void storm() {
        for (auto left = tenants_.between(8, 30); left > 0; --left) {
            const JobId id{make_uid(timeline_.now(), 0, ++made_)};
            auto& spec = orders_[id].spec;
            spec.name = "storm";
            spec.run = "work";
            spec.resources.accelerators = {{"A100", MilliCards{100}, ""}, {"Ascend910B3", MilliCards{100}, ""}};
            spec.max_duration = Seconds{60};
            spec.retry.max_restarts_on_site_fault = 10;
            behaviours_[id].work_s = 1000;
            order(id);
        }
    }

    void tenant() {
        const auto what = tenants_.below(10);
        if (what == 0 && !known_.empty()) {
            const auto late = std::min<std::size_t>(known_.size(), tenants_.chance(1, 2) ? 25 : known_.size());
            cancel(known_[known_.size() - 1 - tenants_.below(late)]);
        } else if (what == 1) {
            // Whoever got no answer asks again, with the same id and body.
            std::vector<JobId> unanswered;
            for (const auto& [id, waiting] : orders_) unanswered.push_back(id);
            for (const auto id : unanswered) order(id);
        } else {
            const JobId id{make_uid(timeline_.now(), 0, ++made_)};
            orders_[id].spec = random_spec(id);
            order(id);
        }
    }

    // ---- what the city and its people decide meanwhile

    [[nodiscard]] bool somebody_waits() const {
        if (!server_.up()) return false;
        const auto& states = server_.core().state.jobs_by_state;
        return states.contains(JobState::queued);
    }

    void council() {
        switch (council_.below(14)) {
            case 0:
            case 1: set_prices(registered_[council_.below(registered_.size())]); break;
            case 2: {
                const auto which = council_.below(registered_.size());
                if (somebody_waits()) probes_.hit("site closed while jobs wait");
                open(which, false);
                timeline_.after(seconds(council_.between(5, 60)), [this, which] { open(which, true); });
                break;
            }
            case 3:
                probes_.hit("project got another quota");
                must(SetProject{
                    vision(council_.between(2, 16), council_.chance(1, 4) ? std::vector{registered_[0].name} : std::vector<SiteName>{})});
                break;
            case 4:
                university_ = !university_;
                probes_.hit("organisation became of another kind");
                must(SetOrganisation{lab(university_ ? OrganisationKind::university : OrganisationKind::enterprise)});
                break;
            case 5:
                must(IssueToken{{TokenId{make_uid(timeline_.now(), 3, ++made_)}, SubjectName{"ann"}, sha256(fmt::format("token {}", made_)),
                                 {Scope::read}, std::nullopt, timeline_.now(), timeline_.now() + seconds(council_.between(20, 120))}});
                break;
            case 6:
            case 7: change_machines(council_.below(sites_.size())); break;
            case 8: empty(council_.below(registered_.size())); break;
            case 9: suspend(); break;
            default: move_some(); break;
        }
    }

    /// Sends some of what runs elsewhere, and changes its mind about some of that.
    void move_some() {
        if (!server_.up()) return;
        std::vector<JobId> there;
        for (const auto& [id, job] : server_.core().state.jobs) {
            if (job.placement) there.push_back(id);
        }
        for (auto left = council_.between(1, 4); left > 0 && !there.empty(); --left) {
            const auto id = there[council_.below(there.size())];
            std::optional<SiteName> to;
            if (council_.chance(1, 2)) to = registered_[council_.below(registered_.size())].name;
            server_.submit(Request{Actor{}, MoveJob{id, to, council_.chance(1, 4), council_.chance(1, 8)}}, [this](const Answer& answer) {
                if (!answer) probes_.hit("move refused");
            });
        }
    }

    void empty(std::size_t which) {
        const auto name = registered_[which].name;
        const bool at_once = council_.chance(1, 3);
        std::optional<Instant> deadline;
        if (!at_once && council_.chance(1, 2) && server_.up())
            deadline = std::max(timeline_.now(), server_.core().state.now) + seconds(council_.between(30, 200));
        server_.submit(Request{Actor{}, SetSiteDuty{name, at_once ? SiteDuty::stopped : SiteDuty::draining, deadline}},
                       [](const Answer&) {});
        timeline_.after(seconds(council_.between(10, 250)), [this, name] { must(SetSiteDuty{name, SiteDuty::working, {}}); });
    }

    void suspend() {
        must(SuspendOrganisation{OrganisationName{"lab"}});
        timeline_.after(seconds(council_.between(5, 60)), [this] { must(SuspendOrganisation{OrganisationName{"lab"}, false}); });
    }

    void open(std::size_t which, bool open) {
        registered_[which].open = open;
        must(SetSite{registered_[which]});
    }

    void set_prices(Site& site) {
        for (auto& line : site.tariff) line.fen_per_card_hour = Fen{line.fen_per_card_hour.value * council_.between(50, 150) / 100 + 1};
        const auto dear = std::ranges::find(site.tariff, "H800", &TariffLine::model);
        if (dear != site.tariff.end()) {
            site.tariff.erase(dear);
        } else if (council_.chance(1, 2)) {
            site.tariff.push_back({"H800", Fen{council_.chance(1, 2) ? 900 : 1'000'000}});
        }
        if (council_.chance(1, 4)) site.tier = site.tier == Tier::core ? Tier::cloud : Tier::core;
        if (somebody_waits()) probes_.hit("site changed its prices while jobs wait");
        must(SetSite{site});
    }

    /// A node leaves, loses some of its cards or falls ill; or all is as it was.
    void change_machines(std::size_t at) {
        auto nodes = machines_[at];
        if (council_.chance(1, 2)) {
            auto& node = nodes[council_.below(nodes.size())];
            switch (council_.below(3)) {
                case 0: nodes.erase(nodes.begin() + (&node - nodes.data())); break;
                case 1: node.cards.back().count = council_.between(1, 3); break;
                default: node.healthy = false; break;
            }
        }
        sites_[at]->set_nodes(std::move(nodes));
    }

    // ---- faults

    void fault() {
        auto& site = *sites_[faults_.below(sites_.size())];
        switch (faults_.below(12)) {
            case 0: restart(faults_.chance(1, 2)); break;
            case 1:
                if (server_.up()) server_.fail_next(static_cast<AppendFault>(faults_.between(2, 4)));
                revive();
                break;
            case 2:
            case 3:
                site.connect(false);
                timeline_.after(seconds(faults_.between(3, 150)), [&site] { site.connect(true); });
                break;
            case 4:
            case 5:
                site.trouble(true);
                timeline_.after(seconds(faults_.between(10, 90)), [&site] { site.trouble(false); });
                break;
            case 6:
            case 7: site.kill_agent(seconds(faults_.between(1, 90))); break;
            case 8: site.lose_power(seconds(faults_.between(20, 120))); break;
            case 9: site.jump_wall(seconds(faults_.between(-600, 600))); break;
            case 10: {
                const auto by = seconds(faults_.between(-20, 20));
                if (by.ns < 0) probes_.hit("wall clock of the server went back");
                server_.jump_wall(by);
                break;
            }
            default: revive(); break;
        }
    }

    void restart(bool use_snapshots) {
        server_.crash();
        timeline_.after(seconds(faults_.between(1, 40)), [this, use_snapshots] {
            if (!server_.up()) server_.start(use_snapshots);
        });
    }
    /// A server that died by itself is started again by whoever watches it.
    void revive() {
        timeline_.after(seconds(faults_.between(2, 30)), [this] {
            if (!server_.up()) server_.start(faults_.chance(1, 2));
        });
    }

    void inspect() {
        if (!server_.up()) revive();
        jury_.look_closely(server_);
    }
    void keep() {
        if (faults_.chance(1, 2)) server_.keep_snapshot();
    }

    void mend() {
        mended_ = true;
        for (std::size_t i = 0; i < sites_.size(); ++i) {
            sites_[i]->connect(true);
            sites_[i]->trouble(false);
            sites_[i]->set_nodes(machines_[i]);
        }
        if (!server_.up()) server_.start(true);
        // Tariffs stay as they are: whoever can be paid for runs.
        for (std::size_t i = 0; i < registered_.size(); ++i) open(i, true);
        for (const auto& site : registered_) must(SetSiteDuty{site.name, SiteDuty::working, {}});
        must(SuspendOrganisation{OrganisationName{"lab"}, false});
        timeline_.after(seconds(60), [this] { watch_over(); });
    }
    void watch_over() {
        if (!server_.up()) server_.start(true);
        timeline_.after(seconds(20), [this] { watch_over(); });
    }

    CityOptions options_;
    Timeline timeline_;
    Probes probes_;
    Random random_;
    Random tenants_;
    Random faults_;
    Random council_;
    Server server_;
    Jury jury_;
    std::map<JobId, Behaviour> behaviours_;
    std::vector<std::unique_ptr<SimSite>> sites_;
    std::map<JobId, Order> orders_;
    std::vector<JobId> known_;
    VoucherId voucher_;
    VoucherId ending_;
    std::vector<Site> registered_;
    std::vector<std::vector<Node>> machines_;  ///< By site: all that it ever had.
    bool university_ = true;
    std::uint64_t made_ = 0;
    bool mended_ = false;
    bool closely_;                  ///< Every law is checked after every step that changed anything.
    std::uint64_t looked_at_ = 0;   ///< Revision.
};

}  // namespace

CityReport live_through(const CityOptions& options) { return City{options}.run(); }

}  // namespace weir::sim
