// Goal: whoever lives when the fence's moment comes is killed then, and not before; whoever does not is let be.
// Method: the fence over a child of the test itself, without a supervisor; needs no rights.
#include "supervisor/fence.hpp"
#include "supervisor/test_rig.hpp"

namespace weir::supervisor {
namespace {

constexpr std::int64_t hour_ns = 3'600'000'000'000;

/// A process of ours that waits for ever.
pid_t child() {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    for (;;) pause();
}

TEST(Fence, KillsWhoLivesAtTheMomentThatItWasToldLast) {
    const Spec spec;
    Fence fence;
    ASSERT_EQ(fence.raise(spec), 0);
    fence.set(boot_now_ns() + hour_ns);
    const pid_t pid = child();
    fence.set(boot_now_ns() + 2 * hour_ns);
    EXPECT_FALSE(fence.fell());
    EXPECT_TRUE(process_lives(pid));
    const auto due_ns = boot_now_ns();
    fence.set(due_ns);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    EXPECT_TRUE(fence.fell()) << "known before its death can be seen";
    EXPECT_TRUE(eventually([&] { return fence.gone_at_ns() >= due_ns; }));
}

TEST(Fence, DoesNotFallWhereNobodyLives) {
    const Spec spec;
    Fence fence;
    ASSERT_EQ(fence.raise(spec), 0);
    const pid_t pid = child();
    kill(pid, SIGKILL);
    ASSERT_TRUE(eventually([&] { return !process_lives(pid); }));
    fence.set(boot_now_ns());
    EXPECT_TRUE(eventually([&] { return fence.gone_at_ns() != 0; })) << "though the dead are not reaped";
    EXPECT_FALSE(fence.fell());
    waitpid(pid, nullptr, 0);
}

TEST(Fence, KillsNobodyOnceItIsTakenDown) {
    const pid_t pid = child();
    {
        const Spec spec;
        Fence fence;
        ASSERT_EQ(fence.raise(spec), 0);
        fence.set(boot_now_ns() + hour_ns);
    }
    EXPECT_TRUE(process_lives(pid));
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
}

}  // namespace
}  // namespace weir::supervisor
