// Goal: what a site cannot give is refused or ended in words: the disk, the clock, a copy that nobody wants.
// Method: that of reconciler_test.cpp.
#include "agent/test_reconciler.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

namespace weir::agent {
namespace {

using ports::LinkFault;
using testing::HasSubstr;

TEST_F(ReconcilerTest, ASessionOfAClockThatWasWrongIsGivenUpOnceTheClockIsRight) {
    at(86'400);
    EXPECT_EQ(words(), "#1 nodes");
    lose(LinkFault::refused);
    EXPECT_EQ(words(), "#1");
    const auto of_tomorrow = session;
    lose(LinkFault::refused);
    EXPECT_EQ(words(), "#1");
    EXPECT_EQ(session, of_tomorrow) << "while the clock is wrong another session is no better";
    at(100);
    lose(LinkFault::refused);
    EXPECT_EQ(words(), "#1 nodes");
    EXPECT_EQ(session.substr(0, 10), format_uid(make_uid(wall(), 0, 0)).substr(0, 10));
    const auto taken = session;
    tell();
    // One that is taken stays, wherever the clock goes.
    at(10);
    lose(LinkFault::refused);
    EXPECT_EQ(agent->heartbeat()->session, taken);
}

// ---- the disk

DiskFigures takes(const ports::TaskKey& key, std::int64_t mib, bool whole = true) { return {{{key, {mib << 20, whole}}}, {}}; }

TEST_F(ReconcilerTest, ATaskThatTakesMoreThanItMayOfTheDiskIsStoppedAndSaysWhy) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    EXPECT_EQ(agent->live_tasks(), std::vector<ports::TaskKey>{rank(1, 0)});
    agent->hear_disk(takes(rank(1, 0), 102'400));
    EXPECT_EQ(at(102), (Calls{"renew 1/0 until 131"})) << "as much as it may";
    agent->hear_disk(takes(rank(1, 0), 102'401));
    EXPECT_EQ(at(103), Calls{"stop 1/0"});
    // It stays so over the agent's death, and though it is deleted what was written.
    restart();
    agent->hear_disk(takes(rank(1, 0), 0));
    desire({task(1)});
    at(104);
    backend.finish_stopping();
    at(105);
    EXPECT_THAT(words(), HasSubstr("1:ended(disk_exceeded,122)"));
    EXPECT_TRUE(agent->live_tasks().empty());
}

TEST_F(ReconcilerTest, ATaskThatIsAByteAboveItsDiskIsNotToldThatItTakesWhatItMay) {
    greet();
    desire({task(1)});
    at(101);
    agent->hear_disk({.tasks = {{rank(1, 0), {.bytes = (std::int64_t{102'400} << 20) + 1}}}, .disk = {}});
    at(102);
    std::ostringstream record;
    record << std::ifstream(root / "agent" / (job.text() + ".1.json")).rdbuf();
    EXPECT_THAT(record.str(), HasSubstr("take 102401 MiB and a task may take 102400 MiB"));
}

TEST_F(ReconcilerTest, ATaskThatHidesWhatItWritesIsStopped) {
    greet();
    desire({task(1)});
    at(101);
    agent->hear_disk(takes(rank(1, 0), 1, false));
    EXPECT_EQ(at(102), Calls{"stop 1/0"});
}

TEST_F(ReconcilerTest, ATaskOfTooManyFilesIsStopped) {
    greet();
    desire({task(1)});
    at(101);
    agent->hear_disk({{{rank(1, 0), {1, true, 2'000'000}}}, {}});
    EXPECT_EQ(at(102), Calls{});
    agent->hear_disk({{{rank(1, 0), {1, true, 2'000'001}}}, {}});
    EXPECT_EQ(at(103), Calls{"stop 1/0"});
}

TEST_F(ReconcilerTest, WhatNobodyNeedsOfATaskGoesOnceItsEndIsTold) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    backend.end(rank(1, 0), ports::EndReason::exited, 0);
    at(102);
    EXPECT_TRUE(backend.shed_tasks.empty()) << "nobody knows yet that it is over";
    tell();
    at(103);
    at(104);
    EXPECT_EQ(backend.shed_tasks, std::vector<ports::TaskKey>{rank(1, 0)});
}

TEST_F(ReconcilerTest, OfTooManyNamesNoneIsStoredAndTheOthersGoOn) {
    greet();
    desire({task(1)});
    at(101);
    backend.tasks.at(rank(1, 0)).checkpoints["step-1"] = "one";
    backend.too_many_names = true;
    EXPECT_EQ(at(102), Calls{});
    backend.too_many_names = false;
    at(103);
    at(104);
    EXPECT_THAT(words(), HasSubstr("c1:step-1"));
}

TEST_F(ReconcilerTest, WhatCanNotBeResumedHereForLongIsTriedElsewhere) {
    greet();
    auto wanted = task(2);
    wanted.resume = {stored("step-1", "one")};
    blobs.down = true;
    desire({wanted});
    std::string told;
    int ended_at_s = 0;
    for (int s = 101; s < 500 && ended_at_s == 0; s += 10) {
        at(s);
        told = tell();
        if (told.find("ended") != std::string::npos) ended_at_s = s;
    }
    EXPECT_THAT(told, HasSubstr("2:ended(start_failed,0)"));
    EXPECT_GE(ended_at_s, 401);
    EXPECT_TRUE(backend.tasks.empty());
}

TEST_F(ReconcilerTest, ASiteWhoseDiskIsFullOffersNoNodeUntilThereIsRoomAgain) {
    greet();
    EXPECT_EQ(words(), "");
    agent->hear_disk({{}, ports::DiskSpace{99, 100}});
    EXPECT_EQ(tell(), "#2 sick-nodes");
    agent->hear_disk({{}, ports::DiskSpace{124, 100}});
    EXPECT_EQ(words(), "") << "a little is not enough";
    agent->hear_disk({{}, ports::DiskSpace{125, 100}});
    EXPECT_EQ(tell(), "#3 nodes");
    agent->hear_disk({{}, ports::DiskSpace{100, 100}});
    EXPECT_EQ(words(), "");
    agent->hear_disk({{}, ports::DiskSpace{100, 100, 9, 10}});
    EXPECT_EQ(tell(), "#4 sick-nodes") << "bytes are not all that a disk runs out of";
}

TEST_F(ReconcilerTest, NothingIsStoredForAJobThatIsStopped) {
    greet();
    desire({task(1)});
    at(101);
    tell();
    auto stopped = task(1);
    stopped.stop = true;
    desire({stopped});
    backend.tasks.at(rank(1, 0)).checkpoints["step-1"] = "one";
    at(102);
    EXPECT_TRUE(blobs.blobs.empty());
    backend.finish_stopping();
    at(103);
    EXPECT_THAT(words(), HasSubstr("1:ended(stopped_as_ordered,0)"));
}

}  // namespace
}  // namespace weir::agent
