// Goal: a forecast says what will happen where its assumptions hold, and says nothing of what it cannot know.
// Method: small queues with known answers; then queues by chance that are both foretold and carried out, and must agree job by job.
#include "control/forecast.hpp"

#include "base/random.hpp"
#include "control/core/test_town.hpp"

namespace weir::control {
namespace {

class Forecasts : public testing::Test {
protected:
    Forecasts() { town_.deposit(10'000'000); }

    static JobSpec lasting(std::int64_t estimated_s, std::int64_t cards = 2) {
        auto spec = Town::spec(cards);
        spec.trust = {SiteName{"east"}};
        spec.estimated_duration = Seconds{estimated_s};
        return spec;
    }
    JobId running(const JobSpec& spec) {
        const auto job = town_.submit(spec);
        town_.place();
        EXPECT_TRUE(town_.live(job).placement);
        town_.run(job, "east");
        return job;
    }
    [[nodiscard]] Forecast told(std::optional<Uid> until = {}) const { return forecast(forecast_facts(town_.core, town_.now), {}, until); }
    [[nodiscard]] std::optional<std::int64_t> begins_in(JobId job) const {
        const auto found = told();
        const auto start = found.starts.find(job.uid);
        return start == found.starts.end() ? std::nullopt : std::optional{(start->second.starts_at - town_.now).ns / 1'000'000'000};
    }

    Town town_;
};

TEST_F(Forecasts, AJobBeginsWhenTheFirstThatMakesRoomShouldEnd) {
    running(lasting(600));
    running(lasting(1800));
    const auto next = town_.submit(lasting(60));
    const auto after = town_.submit(lasting(60));
    EXPECT_EQ(begins_in(next), 600);
    EXPECT_EQ(begins_in(after), 660) << "the place is free again a minute later";
    const auto found = told();
    EXPECT_EQ(found.starts.at(next.uid).site, "east");
    EXPECT_EQ(found.starts.at(next.uid).model, "A100");
    EXPECT_EQ(found.starts.at(next.uid).ends_at, town_.now + seconds(660));
    town_.wait(100);
    EXPECT_EQ(begins_in(next), 500) << "the nearer, the sooner";
}

TEST_F(Forecasts, WhatSaysNothingOfItsLengthOrIsLateEndsWhenItMust) {
    auto silent = lasting(0);
    silent.estimated_duration.reset();
    running(silent);
    running(lasting(600));
    const auto next = town_.submit(lasting(60, 2));
    const auto after = town_.submit(lasting(3000, 2));
    EXPECT_EQ(begins_in(next), 600);
    town_.wait(700);
    EXPECT_EQ(begins_in(next), 2900) << "what has outlived its estimate ends at its longest duration, an hour after its start";
    EXPECT_EQ(begins_in(after), 2900) << "so does the other";
}

TEST_F(Forecasts, PriorityAndDependenciesCount) {
    const auto first = running(lasting(600));
    running(lasting(900));
    auto plain = lasting(100);
    const auto low = town_.submit(plain);
    plain.priority = PriorityClass::high;
    const auto high = town_.submit(plain);
    auto dependent = lasting(100);
    dependent.after = {high, first};
    const auto last = town_.submit(dependent);
    EXPECT_EQ(begins_in(high), 600);
    EXPECT_EQ(begins_in(low), 700);
    EXPECT_EQ(begins_in(last), 800) << "both that it waits for are over at 700, and the place is taken then by one that came before it";
}

TEST_F(Forecasts, NothingIsSaidOfWhatFindsNoPlace) {
    const auto never = town_.submit(lasting(60, 3));
    const auto now = town_.submit(lasting(60, 1));
    const auto found = told();
    EXPECT_FALSE(found.starts.contains(never.uid)) << "no node has three cards";
    EXPECT_EQ(found.starts.at(now.uid).starts_at, town_.now);
    EXPECT_EQ(found.waiting, 1U);
}

TEST_F(Forecasts, AJobThatWasNotSubmittedIsTheLastOfItsPriority) {
    running(lasting(600));
    running(lasting(900));
    town_.submit(lasting(50));
    const auto asked = town_.id();
    const auto decision =
        decide(town_.core, Request{Actor{}, SubmitJob{asked, ProjectName{"vision"}, lasting(60), sha256("body")}}, town_.now);
    ASSERT_TRUE(decision.answer);
    auto facts = forecast_facts(town_.core, town_.now);
    for (const auto& event : decision.events) {
        if (const auto* submitted = std::get_if<JobSubmitted>(&event)) add_job(facts, town_.core, *submitted, town_.now);
    }
    const auto found = forecast(std::move(facts), {}, asked.uid);
    ASSERT_TRUE(found.starts.contains(asked.uid));
    EXPECT_EQ(found.starts.at(asked.uid).starts_at, town_.now + seconds(650));
    EXPECT_EQ(town_.core.state.jobs.size(), 3U) << "and still is not";
}

TEST_F(Forecasts, WhatIsForetoldHappensWhereNothingElseDoes) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Town town;
        town.deposit(100'000'000);
        Random random{seed, "forecast"};
        std::map<JobId, std::int64_t> lengths;
        for (int i = 0; i < 30; ++i) {
            auto spec = Town::spec(random.between(1, 2), random.between(1, 2));
            spec.estimated_duration = Seconds{random.between(1, 3000)};
            spec.priority = random.chance(1, 4) ? PriorityClass::high : PriorityClass::normal;
            const auto job = town.submit(spec);
            lengths[job] = spec.estimated_duration->value;
        }
        const auto found = forecast(forecast_facts(town.core, town.now));
        std::map<Instant, std::vector<JobId>> ends;
        std::map<JobId, Instant> began;
        for (;;) {
            town.place();
            for (const auto& [job, length] : lengths) {
                if (began.contains(job) || !town.live(job).placement) continue;
                began[job] = town.now;
                town.run(job, town.live(job).placement->site.value);
                ends[town.now + seconds(length)].push_back(job);
            }
            if (ends.empty()) break;
            town.now = ends.begin()->first;
            for (const auto& job : ends.begin()->second) town.end(job, town.live(job).placement->site.value, Reason::exited);
            ends.erase(ends.begin());
        }
        ASSERT_EQ(began.size(), 30U) << seed;
        for (const auto& [job, at] : began) EXPECT_EQ(found.starts.at(job.uid).starts_at, at) << "seed " << seed << " " << job.text();
    }
}

}  // namespace
}  // namespace weir::control
