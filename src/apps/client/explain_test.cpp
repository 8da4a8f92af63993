// Goal: shells, man and newcomers are told of every command, by the commands themselves; no server is asked.
// Method: bash itself completes; man pages are looked at for what roff would take for its own.
#include "apps/client/test_rig.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::cli {
namespace {

std::string output_of(const std::string& command) {
    std::string out;
    std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(command.c_str(), "r"), ::pclose};
    std::array<char, 4096> buffer{};
    while (pipe && std::fgets(buffer.data(), buffer.size(), pipe.get()) != nullptr) out += buffer.data();
    return out;
}

TEST(Completion, OfBashKnowsCommandsAndOptions) {
    Rig rig;
    ASSERT_EQ(rig.run({"completion", "bash"}), 0) << rig.err;
    const auto script = rig.write("weir.bash", rig.out);
    const auto completed = [&](const std::string& words, int count) {
        return output_of("bash -c 'source \"" + script + "\"; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(count) +
                         "; _weir; printf \"%s\\n\" \"${COMPREPLY[@]}\"' 2>&1");
    };
    EXPECT_EQ(completed("weir jo", 1), "job\n");
    EXPECT_EQ(completed("weir job mo", 2), "move\n");
    EXPECT_EQ(completed("weir --json job logs abc --fo", 5), "--follow\n") << "options and names are passed over";
    EXPECT_THAT(completed("weir site \"\"", 2), HasSubstr("drain\n"));
}

TEST(Completion, IsForThreeShellsAndNoOther) {
    Rig rig;
    for (const std::string shell : {"zsh", "fish"}) {
        ASSERT_EQ(rig.run({"completion", shell}), 0) << rig.err;
        EXPECT_THAT(rig.out, HasSubstr("weir job move"));
    }
    EXPECT_EQ(rig.run({"completion", "tcsh"}), 2);
}

TEST(Man, HasAPageForEachCommand) {
    Rig rig;
    const auto folder = rig.write("x", "") + ".man";
    ASSERT_EQ(rig.run({"man", "--to", folder}), 0) << rig.err;
    EXPECT_TRUE(std::filesystem::exists(folder + "/weir.1"));
    for (const std::string command : {"submit", "job", "site", "org", "top", "apply", "help"}) {
        std::ifstream file{folder + "/weir-" + command + ".1"};
        std::stringstream text;
        text << file.rdbuf();
        EXPECT_THAT(text.str(), HasSubstr(".TH weir\\-" + command + " 1")) << command;
        EXPECT_THAT(text.str(), HasSubstr(".SH EXIT STATUS")) << command;
    }
    ASSERT_EQ(rig.run({"man", "job"}), 0);
    EXPECT_THAT(rig.out, HasSubstr(".SS weir job move"));
    EXPECT_THAT(rig.out, HasSubstr("\\fB\\-\\-call\\-off\\fR"));
    EXPECT_EQ(rig.run({"man", "nothing"}), 2);
}

TEST(Help, TeachesAndExplainsEachCommand) {
    Rig rig;
    ASSERT_EQ(rig.run({"help"}), 0) << rig.err;
    EXPECT_THAT(rig.out, HasSubstr("weir help checkpoints"));
    ASSERT_EQ(rig.run({"help", "moves"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("weir job move JOB --to SITE"));
    ASSERT_EQ(rig.run({"help", "job", "logs"}), 0);
    EXPECT_THAT(rig.out, HasSubstr("--follow"));
    EXPECT_EQ(rig.run({"help", "mony"}), 2);
    EXPECT_THAT(rig.err, HasSubstr("did you mean money"));
}

}  // namespace
}  // namespace weir::cli
