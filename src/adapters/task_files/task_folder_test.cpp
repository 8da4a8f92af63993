// Goal: what a site keeps of old jobs has a bound, and what is pruned is never what still matters; instants of another boot are none.
// Method: fences below a temporary folder with times set by hand; a status as a supervisor writes it.
#include "adapters/task_files/task_folder.hpp"

#include "base/test_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include <fcntl.h>

namespace weir::task_files {
namespace {

namespace fs = std::filesystem;

class FencesTest : public testing::Test {
protected:
    /// A job whose generation 3 is fenced, `age` hours ago.
    void fence(const std::string& job, int age) {
        fs::create_directory(root / job);
        ASSERT_TRUE(raise_fence(tasks.get(), job, 3));
        fs::last_write_time(root / job / fence_file, fs::file_time_type::clock::now() - std::chrono::hours{age});
    }
    [[nodiscard]] bool is_fenced(const std::string& job) const { return read_fence(tasks.get(), job) == 3; }

    const TestFolder made;
    const fs::path root = made.path();
    const Fd tasks{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(FencesTest, TheOldestGoWhereAQuarterTooManyAreThere) {
    for (int age = 1; age <= 10; ++age) fence("job-" + std::to_string(age), age);
    prune_fences(tasks.get(), 8);
    EXPECT_TRUE(is_fenced("job-10")) << "ten are not a quarter more than eight";
    fence("job-11", 11);
    prune_fences(tasks.get(), 8);
    for (int age = 1; age <= 11; ++age) {
        EXPECT_EQ(is_fenced("job-" + std::to_string(age)), age <= 8) << age;
        EXPECT_EQ(fs::exists(root / ("job-" + std::to_string(age))), age <= 8);
    }
}

TEST_F(FencesTest, OfAJobThatHasMoreLeftThanItsFenceNothingGoes) {
    for (int age = 1; age <= 10; ++age) fence("job-" + std::to_string(age), age);
    fs::create_directories(root / "job-10" / "4" / "0");
    fs::create_directories(root / "job-9" / "2");
    prune_fences(tasks.get(), 2);
    for (const std::string job : {"job-1", "job-2", "job-9", "job-10"}) EXPECT_TRUE(is_fenced(job)) << job;
    for (const std::string job : {"job-3", "job-8"}) EXPECT_FALSE(is_fenced(job)) << job;
}

/// What is observed of a task whose supervisor wrote this, by an agent of this boot.
ports::TaskObserved observed_of(const supervisor::Status& status, const std::string& boot_id) {
    TaskRecord record;
    record.status = status;
    record.is_of_this_boot = boot_id == status.boot_id;
    return observe_record({.job = "job-1", .generation = 1}, record);
}

TEST(TaskRecord, WhenATaskBeganAndEndedIsKnownInItsOwnBootAlone) {
    supervisor::Status status{.phase = supervisor::Phase::ended, .reason = supervisor::Reason::exited, .boot_id = "one"};
    EXPECT_FALSE(observed_of(status, "one").ended) << "a supervisor of before did not say";
    status.began_ns = 1'000;
    status.ended_ns = 3'000;
    EXPECT_EQ(observed_of(status, "one").began, ports::BootInstant{1'000});
    EXPECT_EQ(observed_of(status, "one").ended, ports::BootInstant{3'000});
    EXPECT_FALSE(observed_of(status, "two").began);
    EXPECT_FALSE(observed_of(status, "two").ended);
    status.phase = supervisor::Phase::stopping;
    EXPECT_FALSE(observed_of(status, "one").ended) << "not yet";
}

}  // namespace
}  // namespace weir::task_files
