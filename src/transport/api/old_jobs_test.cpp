// Goal: an old watch sees all that happened to its jobs, however many came before them.
#include "transport/api/old_jobs.hpp"

#include <gtest/gtest.h>

namespace weir::api {
namespace {

JobId job(std::uint64_t number) { return JobId{{0, number}}; }

TEST(OldJobs, ForgetsNoneThatTheViewsKnow) {
    std::size_t questions = 0;
    OldJobs jobs{[&](const JobId& asked, std::uint64_t) -> std::optional<ProjectName> {
                     ++questions;
                     if (asked == job(98)) return std::nullopt;
                     return asked == job(99) ? ProjectName{} : ProjectName{"vision"};
                 },
                 3};
    for (std::uint64_t i = 1; i <= 3; ++i) jobs.learn(job(i), ProjectName{"told"});
    EXPECT_EQ(jobs.project_of(job(1), 7)->value, "told");
    EXPECT_EQ(questions, 0U);
    jobs.learn(job(4), ProjectName{"told"});
    EXPECT_EQ(jobs.project_of(job(4), 7)->value, "told") << "those that came last are remembered, too";
    EXPECT_EQ(jobs.project_of(job(1), 7)->value, "vision");
    EXPECT_EQ(jobs.project_of(job(1), 7)->value, "vision");
    EXPECT_EQ(questions, 1U);
    EXPECT_TRUE(jobs.project_of(job(99), 7)->empty());
    EXPECT_FALSE(jobs.project_of(job(98), 7)) << "that nobody can tell now is no answer";
}

TEST(OldJobs, WaitsForTheViewsOnlyAsFarAsTheHeadWasAtFirst) {
    std::uint64_t views = 5;
    OldJobs jobs{[&](const JobId&, std::uint64_t forgotten_at) {
                     return views >= forgotten_at ? std::optional{ProjectName{}} : std::nullopt;
                 },
                 3};
    EXPECT_FALSE(jobs.project_of(job(1), 10));
    views = 10;
    EXPECT_TRUE(jobs.project_of(job(1), 20)) << "the head goes on, and that job was over before";
    EXPECT_FALSE(jobs.project_of(job(1), 20)) << "asked anew";
}

}  // namespace
}  // namespace weir::api
