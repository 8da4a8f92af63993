// Goal: whatever happens to jobs and to messages, an agent that is answered ends with the server's list.
// Method: events are applied to a real core; an agent keeps its list by the real DesiredList over a link that the test spoils.
// Properties draw the histories.
#include "control/desired.hpp"

#include "domain/desired_list.hpp"
#include "domain/limits.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>

namespace weir::control {
namespace {

const SiteName east{"east"};
const SiteName west{"west"};
constexpr Instant morning{1'800'000'000'000'000'000};

/// Jobs that come, are placed, stop and go, by their numbers.
class World {
public:
    World() {
        Organisation lab;
        lab.name = OrganisationName{"lab"};
        happen(OrganisationSet{lab});
        Project vision;
        vision.name = ProjectName{"vision"};
        vision.organisation = lab.name;
        happen(ProjectSet{vision});
        for (const auto& name : {east, west}) {
            Site site;
            site.name = name;
            happen(SiteSet{site});
        }
    }

    void happen(const Event& event) { apply(core, event, core.state.revision + 1, morning); }

    /// The next thing in a job's life at `site`; what it is depends on where it is in its life.
    void step(std::uint64_t number, const SiteName& site) {
        const JobId id{Uid{0, number}};
        const auto job = core.state.jobs.find(id);
        if (job == core.state.jobs.end()) {
            JobSubmitted submitted;
            submitted.job = id;
            submitted.project = ProjectName{"vision"};
            JobSpec spec;
            spec.run = "job " + std::to_string(number);
            spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
            // Who speaks an older protocol is told nothing of outputs; here both lists are to be the same.
            spec.outputs = OutputAsk{.keep = Seconds{0}};
            submitted.spec = std::move(spec);
            happen(submitted);
        } else if (!job->second.placement) {
            JobPlaced placed;
            placed.job = id;
            placed.generation = job->second.generation + 1;
            placed.placement.site = site;
            placed.placement.model = "A100";
            placed.placement.nodes = {{NodeName{"n" + std::to_string(number % 3)}, {{0, MilliCards{1000}}}}};
            placed.run_for = Seconds{60};
            happen(placed);
        } else if (!job->second.stop_ordered && number % 2 == 0) {
            happen(JobStopOrdered{id, job->second.generation, Reason::cancelled_by_tenant});
        } else if (number % 3 == 0 && job->second.generation < 3) {
            JobRequeued back;
            back.job = id;
            back.generation = job->second.generation;
            happen(back);
        } else {
            JobFinished finished;
            finished.job = id;
            happen(finished);
        }
    }

    /// What a server knows that was started again from a snapshot.
    void restart() { rebuild(core); }

    [[nodiscard]] const State& state() const { return core.state; }
    Core core;
};

DesiredPage answer(const World& world, const DesiredQuestion& question, std::size_t limit) {
    return desired_page(world.state(), east, {question.since, question.after, limit});
}

/// Asks until the list is whole; the pages that it took.
std::size_t catch_up(const World& world, DesiredList& list, std::size_t limit = 500) {
    for (std::size_t pages = 1; pages < 10'000; ++pages) {
        const auto question = list.ask();
        const auto heard = list.hear(question.number, answer(world, question, limit));
        if (heard == DesiredList::Heard::same || heard == DesiredList::Heard::changed) return pages;
    }
    ADD_FAILURE() << "the list never became whole";
    return 0;
}

void expect_equal(const DesiredList& list, const World& world) { EXPECT_EQ(list.list().tasks, desired(world.state(), east).tasks); }

TEST(DesiredPage, TellsWhatChangedAndNothingElse) {
    World world;
    DesiredList list;
    catch_up(world, list);
    for (const std::uint64_t number : {1, 3, 5}) {
        world.step(number, east);
        world.step(number, east);
    }
    catch_up(world, list);
    const auto since = list.revision();
    EXPECT_FALSE(has_desired_news(world.state(), east, since));

    world.step(7, east);
    world.step(9, west);
    world.step(9, west);
    EXPECT_FALSE(has_desired_news(world.state(), east, since)) << "a job that waits, and one elsewhere, are no news here";
    world.step(7, east);
    world.step(1, east);
    EXPECT_TRUE(has_desired_news(world.state(), east, since));
    const auto page = desired_page(world.state(), east, {since, {}, 500});
    EXPECT_FALSE(page.full);
    ASSERT_EQ(page.set.size(), 1U);
    EXPECT_EQ(page.set[0].run, "job 7");
    EXPECT_EQ(page.removed, (std::vector<JobId>{JobId{Uid{0, 1}}}));
    EXPECT_FALSE(page.more);
    EXPECT_EQ(page.digest, digest_of(desired(world.state(), east).tasks));
}

TEST(DesiredPage, IsFullWhereTheChangesAreNotKnown) {
    World world;
    for (const std::uint64_t number : {1, 3, 5}) {
        world.step(number, east);
        world.step(number, east);
    }
    const auto now = world.state().revision;
    EXPECT_TRUE(desired_page(world.state(), east, {0, {}, 500}).full);
    EXPECT_FALSE(desired_page(world.state(), east, {1, {}, 500}).full);
    EXPECT_TRUE(desired_page(world.state(), east, {now + 1, {}, 500}).full) << "of another server's counting";
    world.restart();
    EXPECT_TRUE(desired_page(world.state(), east, {now - 1, {}, 500}).full);
    EXPECT_TRUE(has_desired_news(world.state(), east, now - 1));
    EXPECT_FALSE(desired_page(world.state(), east, {now, {}, 500}).full) << "nothing has changed since the snapshot";
    EXPECT_FALSE(has_desired_news(world.state(), east, now));
}

TEST(DesiredPage, HoldsNoMoreThanWasAskedForNorMoreThanItsBytes) {
    World world;
    for (std::uint64_t number = 1; number < 20; number += 2) {
        world.step(number, east);
        world.step(number, east);
    }
    for (const std::size_t limit : {1, 3, 10, 100}) {
        DesiredList list;
        EXPECT_EQ(catch_up(world, list, limit), (10 + limit - 1) / limit);
        expect_equal(list, world);
    }
    for (std::uint64_t number = 101; number < 260; number += 2) {
        world.step(number, east);
        auto& job = world.core.state.jobs.at(JobId{Uid{0, number}});
        JobSpec longer = job.spec;
        longer.run = std::string(limits::script_bytes_max, 'x');
        job.spec = std::move(longer);
        world.step(number, east);
    }
    const auto page = desired_page(world.state(), east, {0, {}, 1000});
    EXPECT_TRUE(page.more);
    EXPECT_EQ(page.set.size(), 10 + desired_page_bytes / limits::script_bytes_max);
}

TEST(DesiredLog, RemembersABoundedNumberOfChanges) {
    DesiredLog log;
    const std::uint64_t many = 3 * DesiredLog::changes_max;
    for (std::uint64_t i = 1; i <= many; ++i) log.note(JobId{Uid{0, i}}, i);
    EXPECT_EQ(log.changes().size(), DesiredLog::changes_max);
    EXPECT_EQ(log.known_from(), many - DesiredLog::changes_max);
    EXPECT_EQ(log.last(), many);
    for (std::uint64_t i = 1; i <= many; ++i) log.note(JobId{Uid{0, 1}}, many + i);
    EXPECT_LE(log.changes().size(), DesiredLog::changes_max) << "a job stands there once";
    EXPECT_EQ(log.changes().rbegin()->first, 2 * many);
}

TEST(DesiredPage, AListThatIsForgottenWhileItIsToldBeginsAnew) {
    World world;
    for (std::uint64_t number = 1; number < 9; number += 2) {
        world.step(number, east);
        world.step(number, east);
    }
    DesiredList list;
    const auto first = list.ask();
    EXPECT_EQ(list.hear(first.number, answer(world, first, 2)), DesiredList::Heard::part);
    world.step(1, east);
    world.step(21, east);
    world.step(21, east);
    world.restart();
    const auto page = answer(world, list.ask(), 2);
    EXPECT_TRUE(page.full);
    catch_up(world, list, 2);
    expect_equal(list, world);
}

/// Jobs step, the server restarts, the agent asks; answers are lost, come twice, late and in any order, or lack a line.
RC_GTEST_PROP(DesiredProperty, AnyHistoryOfChangesAndLossesEndsWithTheServersList, ()) {
    enum class Move : std::uint8_t { step, step_elsewhere, restart, ask, deliver, deliver_again, damage, forget };
    World world;
    DesiredList list;
    std::deque<std::pair<std::uint64_t, DesiredPage>> under_way;
    const auto limit = *rc::gen::inRange<std::size_t>(1, 6);
    const auto moves = *rc::gen::container<std::vector<std::pair<std::uint8_t, std::uint32_t>>>(
        rc::gen::pair(rc::gen::inRange<std::uint8_t>(0, 24), rc::gen::arbitrary<std::uint32_t>()));
    for (const auto& [kind, chance] : moves) {
        static constexpr Move by_kind[] = {Move::restart, Move::damage, Move::forget, Move::step_elsewhere, Move::step_elsewhere};
        Move move = kind < std::size(by_kind) ? by_kind[kind]
                    : kind < 12               ? Move::step
                    : kind < 17               ? Move::ask
                    : kind < 22               ? Move::deliver
                                              : Move::deliver_again;
        const auto pick = [&] { return static_cast<std::ptrdiff_t>(chance % under_way.size()); };
        if ((move == Move::deliver || move == Move::deliver_again || move == Move::damage) && under_way.empty()) move = Move::ask;
        switch (move) {
            case Move::step: world.step(chance % 12, east); break;
            case Move::step_elsewhere: world.step(chance % 12, west); break;
            case Move::restart: world.restart(); break;
            case Move::forget: list = {}; break;
            case Move::ask: {
                const auto question = list.ask();
                under_way.emplace_back(question.number, answer(world, question, limit));
                break;
            }
            case Move::damage: {
                auto& page = under_way[static_cast<std::size_t>(pick())].second;
                if (!page.set.empty()) page.set.pop_back();
                else if (!page.removed.empty()) page.removed.pop_back();
                break;
            }
            case Move::deliver:
            case Move::deliver_again: {
                const auto at = under_way.begin() + pick();
                (void)list.hear(at->first, at->second);
                if (move == Move::deliver) under_way.erase(at);
                break;
            }
        }
    }
    catch_up(world, list, limit);
    RC_ASSERT(list.list().tasks == desired(world.state(), east).tasks);
    RC_ASSERT(world.state().desired_log.size() <= 2U);
}

/// What is kept step by step is what is computed from the state.
RC_GTEST_PROP(DesiredProperty, TheDigestKeptStepByStepIsThatOfTheTasks, (const std::vector<std::uint32_t>& steps)) {
    World world;
    for (const auto chance : steps) {
        world.step(chance % 9, chance % 4 == 0 ? west : east);
        for (const auto& site : {east, west}) {
            const auto log = world.state().desired_log.find(site);
            if (log != world.state().desired_log.end())
                RC_ASSERT(log->second.digest == digest_of(desired(world.state(), site).tasks));
        }
    }
    auto before = world.state().desired_log;
    world.restart();
    for (auto& [site, log] : before) RC_ASSERT(world.core.state.desired_log[site].digest == log.digest);
}

}  // namespace
}  // namespace weir::control
