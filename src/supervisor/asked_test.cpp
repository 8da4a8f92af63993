// Goal: what is asked by a file is done, once, however often the file is read.
// Method: the text there and back and cut at every byte; a real supervisor with nothing but the folder between it and the test.
#include "supervisor/asked.hpp"

#include "supervisor/test_rig.hpp"

namespace weir::supervisor {
namespace {

void ask(const Rig& rig, const Asked& asked) {
    char room[asked_bytes_max];
    ASSERT_TRUE(replace_file(rig.directory(), asked_file, "asked.new", print_asked(asked, room), 0600, Durable::no));
}

TEST(Asked, IsReadBackAsWrittenAndNeverInPart) {
    const Asked all{.end = Asked::End::kill, .checkpoints = INT64_MAX, .signals = INT64_MAX, .signal = 64};
    char room[asked_bytes_max];
    const std::string text{print_asked(all, room)};
    ASSERT_LT(text.size(), asked_bytes_max - 1);
    EXPECT_EQ(parse_asked(text), all);
    for (std::size_t length = 0; length < text.size(); ++length) EXPECT_EQ(parse_asked(text.substr(0, length)), std::nullopt) << length;
    EXPECT_EQ(parse_asked("weir-asked 1\nof a newer version\nto_end stop\nend\n"), (Asked{.end = Asked::End::stop}));
    for (const char* const bad : {"weir-asked 1\nto_end now\nend\n", "weir-asked 1\nsignals -1\nend\n", "weir-asked 2\nend\n"})
        EXPECT_EQ(parse_asked(bad), std::nullopt) << bad;
}

TEST(Asked, CheckpointsSignalsAndTheEndAreAskedForByAFile) {
    Rig rig;
    rig.run("trap 'echo usr1' USR1; echo up; while :; do sleep 100 & wait; done").set("kill_grace_s", "0");
    ASSERT_EQ(rig.start(), "running");
    ASSERT_TRUE(eventually([&] { return rig.log("0.out") == "up\n"; }));
    ask(rig, {.checkpoints = 1, .signals = 1, .signal = SIGUSR1});
    ASSERT_TRUE(eventually([&] { return rig.log("0.out") == "up\nusr1\n"; })) << rig.log("0.out");
    ASSERT_TRUE(eventually([&] { return slurp(rig.path("checkpoints/REQUEST")) == "1\n"; }));
    // A later file with the same counts, and an end.
    ask(rig, {.end = Asked::End::stop, .checkpoints = 1, .signals = 1, .signal = SIGUSR1});
    const auto status = rig.end_status();
    EXPECT_EQ(status.reason, Reason::stopped);
    EXPECT_EQ(status.checkpoint_requests, 1);
    EXPECT_EQ(rig.log("0.out"), "up\nusr1\n") << "the signal was sent once";
}

}  // namespace
}  // namespace weir::supervisor
