// Goal: what waits for the loop is bounded in number and in bytes, and its time is not led astray by the wall clock.
// Method: a journal in memory whose append can be held, and clocks that the test sets.
#include "control/loop.hpp"

#include "control/core/core.hpp"
#include "control/entry.hpp"
#include "ports/fake_journal.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

namespace weir::control {
namespace {

constexpr Instant noon{1'800'000'000'000'000'000};

/// An append waits until it is let go on.
class HeldJournal final : public ports::FakeJournal {
public:
    ports::JournalResult<ports::Head> append(std::span<const ports::Record> batch, ports::Epoch epoch) override {
        begun.release();
        go_on.acquire();
        go_on.release();
        return FakeJournal::append(batch, epoch);
    }

    std::counting_semaphore<> begun{0};
    std::counting_semaphore<> go_on{1};
};

struct House {
    explicit House(LoopOptions options = {}, std::optional<Loop::First> first = std::nullopt) {
        Core core;
        rebuild(core);
        Core read;
        rebuild(read);
        reader.emplace(std::move(read));
        writer.emplace(std::move(core), journal);
        loop.emplace(*writer, *reader, Clocks{[this] { return Instant{wall.load()}; }, [this] { return Instant{steady.load()}; }}, options,
                     [](const ports::JournalError&) {}, std::move(first));
    }
    ~House() { loop->stop(); }

    std::future<Answer> submit(std::size_t bytes = 0, Actor actor = {}) {
        auto done = std::make_shared<std::promise<Answer>>();
        Organisation organisation{
            OrganisationName{"lab-" + std::to_string(++made)}, OrganisationKind::university, "Lab", "", SizeClass::small, "cn", ""};
        auto answer = done->get_future();
        loop->submit(Request{std::move(actor), SetOrganisation{std::move(organisation)}},
                     [done](Answer given, std::uint64_t) { done->set_value(std::move(given)); }, bytes);
        return answer;
    }
    /// The time of the last commit.
    Instant time() {
        return reader->ask([](const Core& core) { return core.state.now; });
    }
    void pass(Duration length, Duration wrong = {}) {
        steady += length.ns;
        wall += length.ns + wrong.ns;
    }

    HeldJournal journal;
    std::optional<Reader> reader;
    std::optional<Writer> writer;
    std::atomic<std::int64_t> wall = noon.ns;
    std::atomic<std::int64_t> steady = 0;
    std::optional<Loop> loop;
    int made = 0;
};

TEST(Loop, CarriesOutWhatIsFirstBeforeTimersAndWhatIsAsked) {
    std::promise<Answer> done;
    House house{{.tick = Duration{1}}, Loop::First{StartLeader{1, "test", 7}, [&done](Answer answer, std::uint64_t) {
                                                       done.set_value(std::move(answer));
                                                   }}};
    ASSERT_TRUE(house.submit().get());
    EXPECT_TRUE(done.get_future().get());
    const auto first = read_entry(house.journal.read(1, 1, SIZE_MAX)->front().text);
    ASSERT_TRUE(first);
    EXPECT_TRUE(std::holds_alternative<LeaderStarted>(first->event));
}

TEST(Loop, BoundsWhatWaitsByNumberAndByBytes) {
    House house{{.queue_max = 4, .queue_bytes_max = 1000}};
    house.journal.go_on.acquire();
    auto first = house.submit();
    house.journal.begun.acquire();  // The loop is at its disk; all that comes now waits.
    auto large = house.submit(5000);
    auto none_beside_it = house.submit(1).get();
    ASSERT_FALSE(none_beside_it);
    EXPECT_EQ(none_beside_it.error().code, RefusalCode::queue_full);
    EXPECT_NE(none_beside_it.error().message.find("1 requests of 5000 bytes wait already, 1 of 0 bytes are system's"),
              std::string::npos)
        << none_beside_it.error().message;
    EXPECT_EQ(house.loop->figures().queued_bytes, 5000U);
    house.journal.go_on.release();
    EXPECT_TRUE(first.get());
    EXPECT_TRUE(large.get()) << "one alone may have more";

    house.journal.go_on.acquire();
    auto held = house.submit(900);
    while (house.loop->figures().queued > 0) house.journal.begun.acquire();
    auto a = house.submit(600);
    auto b = house.submit(400);
    EXPECT_FALSE(house.submit(1).get());
    auto c = house.submit(0);
    auto d = house.submit(0);
    EXPECT_FALSE(house.submit(0).get()) << "four wait";
    EXPECT_EQ(house.loop->figures().refused_queue_full, 3U);
    house.journal.go_on.release();
    for (auto* answer : {&held, &a, &b, &c, &d}) EXPECT_TRUE(answer->get());
    EXPECT_EQ(house.loop->figures().queued_bytes, 0U);
}

// Whoever may not do it is told so by the core; what counts here is whether the request was let wait.
TEST(Loop, KeepsRoomForAgentsAndForWhoAsksLittle) {
    const auto subject = [](const std::string& name) {
        return Actor{.kind = Actor::Kind::subject, .subject = SubjectName{name}, .token = {}, .site = {}};
    };
    const Actor agent{.kind = Actor::Kind::agent, .subject = {}, .token = {}, .site = SiteName{"east"}};
    House house{{.queue_max = 40, .queue_bytes_max = 4000}};
    house.journal.go_on.acquire();
    auto first = house.submit();
    house.journal.begun.acquire();
    std::vector<std::future<Answer>> waiting;
    const auto fill = [&](const Actor& actor, std::size_t bytes) {
        const auto before = house.loop->figures();
        while (house.loop->figures().refused_queue_full == before.refused_queue_full) waiting.push_back(house.submit(bytes, actor));
        return house.loop->figures().queued - before.queued;
    };
    EXPECT_EQ(fill(subject("greedy"), 10), 15U) << "half of thirty: ten are kept";
    EXPECT_EQ(fill(subject("other"), 10), 7U);
    EXPECT_EQ(fill(agent, 10), 9U) << "half of what is left of all forty";
    EXPECT_EQ(fill(subject("late"), 3000), 0U) << "too many bytes";
    house.journal.go_on.release();
    EXPECT_TRUE(first.get());
    for (auto& answer : waiting) {
        const auto given = answer.get();
        ASSERT_FALSE(given);
    }
    EXPECT_EQ(house.loop->figures().queued_bytes, 0U);
}

TEST(Loop, DoesNotFollowAWallClockThatJumps) {
    House house;
    ASSERT_TRUE(house.submit().get());
    EXPECT_EQ(house.time(), noon);
    EXPECT_FALSE(house.loop->clock_trouble());
    house.pass(seconds(1), hours(72));
    EXPECT_EQ(house.loop->time(), noon + seconds(1)) << "at once, before anything is committed";
    ASSERT_TRUE(house.submit().get());
    EXPECT_EQ(house.time(), noon + seconds(1));
    ASSERT_TRUE(house.loop->clock_trouble());
    EXPECT_EQ(house.loop->clock_trouble()->said, noon + seconds(1) + hours(72));
    house.pass(seconds(1), hours(-72));
    ASSERT_TRUE(house.submit().get());
    EXPECT_EQ(house.time(), noon + seconds(2)) << "it was set right";
    EXPECT_FALSE(house.loop->clock_trouble());
}

}  // namespace
}  // namespace weir::control
