// Goal: a city that breaks a law is found guilty of that law and no other, and a seed replays exactly.
// Method: the jury is told a short story that is right, and the same story with one thing changed; servers are tampered with in memory.
#include "checks.hpp"
#include "city.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::sim {
namespace {

using namespace control;
using testing::HasSubstr;

const Instant noon{1'800'000'000'000'000'000};
constexpr std::int64_t noon_s = 1'800'000'000;
const JobId job = *JobId::parse("job-01k00000000000000000000001");
const JobId other = *JobId::parse("job-01k00000000000000000000002");
const SiteName east{"east"};

/// A jury in a court of its own, and the events of a job that runs ten seconds on one card for six yuan an hour.
struct Court {
    Timeline timeline{noon};
    Probes probes;
    Jury jury{timeline, probes, false};
    std::uint64_t revision = 0;
    Instant now = noon;

    void say(Event event) { jury.entry({++revision, now, "network", std::move(event)}); }

    void submit(JobId which) {
        JobSpec spec;
        spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
        spec.funding = {FundingSource{}};
        say(JobSubmitted{which, ProjectName{"vision"}, SubjectName{"ann"}, {}, Frozen<JobSpec>{spec}, {}, {}});
    }
    void place(JobId which, std::uint32_t generation) {
        Placement placement{east, "A100", MilliCards{1000}, false, Fen{600}, {{NodeName{"n1"}, {{0, MilliCards{1000}}}}}, {}};
        say(JobPlaced{which, generation, placement});
    }
    void begin(JobId which, std::uint32_t generation) { jury.task_began(which, generation, east); }
    void end(JobId which, std::uint32_t generation) { jury.task_ended(which, generation, east, seconds(10)); }
    void meter(std::int64_t from, std::int64_t to, std::uint64_t sequence = 1, std::int64_t said = 0) {
        now = noon + seconds(std::max(to, said));
        say(TaskMetered{job, 1, 0, sequence, noon_s + from, noon_s + to, MilliCardSeconds{1000 * (to - from)}, {}});
    }
    JobFinished bill(std::int64_t used_s = 10, Fen owed = Fen{2}, Fen captured = Fen{2}) const {
        const BillLine line{1, east, "A100", false, Fen{600}, MilliCardSeconds{1000 * used_s}, Payer::tenant, {}, owed};
        return {job, JobState::succeeded, Reason::exited, 0, {line}, {{FundingSource{}, Fen{100}, captured}}};
    }
    /// Until its process has ended.
    void run() {
        submit(job);
        place(job, 1);
        begin(job, 1);
        end(job, 1);
    }
};

TEST(Jury, FindsARightStoryRight) {
    Court court;
    court.run();
    court.meter(0, 10);
    court.say(court.bill());
    EXPECT_EQ(court.jury.verdict(), "");
    EXPECT_EQ(court.jury.finished(), 1U);
}

TEST(Jury, FindsEachBrokenLawOfAStory) {
    struct Row {
        const char* verdict;
        void (*tell)(Court&);
    };
    const Row rows[] = {
        {"runs twice: generation 2 begins at east while generation 1 still runs",
         [](Court& c) {
             c.submit(job);
             c.place(job, 1);
             c.begin(job, 1);
             c.place(job, 2);
             c.begin(job, 2);
         }},
        {"card 0 of n1 at east is used 2000 thousandths",
         [](Court& c) {
             c.submit(job);
             c.submit(other);
             c.place(job, 1);
             c.place(other, 1);
             c.begin(job, 1);
             c.begin(other, 1);
         }},
        {"goes from generation 0 to 2",
         [](Court& c) {
             c.submit(job);
             c.place(job, 2);
         }},
        {"was cancelled and is placed again",
         [](Court& c) {
             c.submit(job);
             c.jury.cancelled(job);
             c.place(job, 1);
         }},
        {"obeyed its order to stop and begins anew",
         [](Court& c) {
             c.run();
             c.say(JobRequeued{job, 1, Reason::stopped_as_ordered, LossCause::provider_fault, noon, {}});
         }},
        {"is metered twice for the seconds before",
         [](Court& c) {
             c.run();
             c.meter(0, 10);
             c.meter(9, 12, 2);
         }},
        {"is metered after its bill was made",
         [](Court& c) {
             c.run();
             c.meter(0, 10);
             c.say(c.bill());
             c.meter(10, 11, 2);
         }},
        {"was metered 10000 milli-card-seconds and is billed 11000",
         [](Court& c) {
             c.run();
             c.meter(0, 10);
             c.say(c.bill(11));
         }},
        {"ran 10000 ms and 4000 ms of rank 0 were counted",
         [](Court& c) {
             c.run();
             c.meter(0, 4, 1, 10);
             c.say(c.bill(4));
         }},
        {"is finished, and so billed, twice",
         [](Court& c) {
             c.run();
             c.meter(0, 10);
             c.say(c.bill());
             c.say(c.bill());
         }},
        {"owes 2 fen and pays 3",
         [](Court& c) {
             c.run();
             c.meter(0, 10);
             c.say(c.bill(10, Fen{2}, Fen{3}));
         }},
        {"pays more than was held",
         [](Court& c) {
             c.run();
             c.meter(0, 10);
             c.say(c.bill(10, Fen{101}, Fen{101}));
         }},
        {"revision 3 follows 1",
         [](Court& c) {
             c.submit(job);
             ++c.revision;
             c.submit(other);
         }},
        {"the time of revision 2 is before that of the one before",
         [](Court& c) {
             c.submit(job);
             c.now = noon - seconds(1);
             c.submit(other);
         }},
    };
    for (const auto& row : rows) {
        Court court;
        row.tell(court);
        EXPECT_THAT(court.jury.verdict(), HasSubstr(row.verdict));
    }
}

/// A server that runs, with a job that waits: nobody has a card for it.
struct World : Court {
    Server server{timeline, Random{1, "server"}, probes, {}, catalogue()};

    World() {
        server.on_entry = [this](const Entry& entry) { jury.entry(entry); };
        server.start(false);
        must(SetOrganisation{{OrganisationName{"lab"}, OrganisationKind::university, "", "", SizeClass::small, "cn", ""}});
        must(SetProject{{ProjectName{"vision"}, OrganisationName{"lab"}, {}, {}}});
        must(Deposit{make_uid(noon, 1, 1), OrganisationName{"lab"}, Fen{100'000}});
        Site site;
        site.name = east;
        site.owner = OrganisationName{"lab"};
        site.region = "cn";
        site.tariff = {{"A100", Fen{600}}};
        must(SetSite{site});
        JobSpec spec;
        spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
        spec.name = "train";
        spec.run = "true";
        spec.max_duration = Seconds{60};
        must(SubmitJob{JobId{make_uid(noon, 1, 2)}, ProjectName{"vision"}, spec, {}});
        jury.look_closely(server);
    }
    static Catalogue catalogue() {
        Catalogue all;
        all["A100"].model = "A100";
        return all;
    }
    void must(Command command) {
        bool is_answered = false;
        server.submit({Actor{}, std::move(command)}, [&](const Answer& answer) {
            EXPECT_TRUE(answer) << answer.error().message;
            is_answered = true;
        });
        while (!is_answered && timeline.step(timeline.now() + seconds(1))) {}
    }
    /// The writer's core, to be tampered with.
    Core& core() { return const_cast<Core&>(server.core()); }
    std::string verdict() {
        jury.look(server);
        jury.look_closely(server);
        return jury.verdict();
    }
};

TEST(Jury, FindsEachBrokenLawOfAServer) {
    struct Row {
        const char* verdict;
        void (*tamper)(World&);
    };
    const Row rows[] = {
        {"was acknowledged and is lost", [](World& w) { w.jury.acknowledged(other); }},
        {"a fact broke a law of the ledger", [](World& w) { w.core().state.ledger_broken = true; }},
        {"the scheduler refused a fact", [](World& w) { w.core().facts_refused = 1; }},
        {"bills took 2 fen from prepaid money and the books 0",
         [](World& w) {
             w.revision = w.jury.entries();
             w.now = noon + seconds(5);
             w.run();
             w.meter(0, 10);
             w.say(w.bill());
         }},
        {"holds stand in the ledger, live jobs have 0", [](World& w) { w.core().state.jobs.begin()->second.holds.clear(); }},
        {"the reader's state differs from the writer's", [](World& w) { w.core().state.organisations.begin()->second.title = "another"; }},
        {"the scheduler told step by step differs from one built from the state",
         [](World& w) { ASSERT_TRUE(w.core().scheduler.apply(scheduler::JobRemoved{w.core().state.jobs.begin()->first.uid})); }},
        {"what is derived differs from scratch", [](World& w) { w.core().state.live_jobs.begin()->second += 1; }},
        {"what is known of waiting jobs and their vouchers differs from scratch",
         [](World& w) { w.core().funding.ends.emplace(noon, other); }},
    };
    ASSERT_EQ(World{}.verdict(), "");
    for (const auto& row : rows) {
        World world;
        row.tamper(world);
        EXPECT_THAT(world.verdict(), HasSubstr(row.verdict));
    }
}

TEST(City, OfOneSeedIsLivedThroughTheSameEachTime) {
    const auto first = live_through({.seed = 7});
    const auto again = live_through({.seed = 7});
    EXPECT_EQ(first.broken, "");
    EXPECT_EQ(first.signature, again.signature);
    EXPECT_EQ(first.entries, again.entries);
    EXPECT_EQ(first.probes.all(), again.probes.all());
    EXPECT_NE(live_through({.seed = 8}).signature, first.signature);
}

}  // namespace
}  // namespace weir::sim
