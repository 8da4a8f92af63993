// Goal: a process that is killed at any moment leaves a store that opens at once, with every record that it had announced.
// Method: a child opens the store, appends and writes each durable revision to a pipe; the parent kills it after a
// random number of them. WEIR_SOAK_KILLS says how often (default 12).
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "base/random.hpp"
#include "base/test_folder.hpp"
#include "ports/record_chain.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace weir::store {
namespace {

long kills() {
    const char* asked = std::getenv("WEIR_SOAK_KILLS");
    return asked != nullptr ? std::strtol(asked, nullptr, 10) : 12;
}

/// The child: never returns.
[[noreturn]] void append_for_ever(const std::string& path, int announce) {
    auto journal = open_journal({.path = path, .checkpoint_log_mib = 1});
    if (!journal) ::_exit(1);
    for (std::uint64_t n = 0;; ++n) {
        const auto head = (*journal)->head().value();
        const std::vector<std::string> texts(1 + n % 3, std::string(200 + n % 7 * 900, static_cast<char>('a' + head.revision % 26)));
        const auto durable = (*journal)->append(ports::records_after(head, texts), (*journal)->epoch());
        if (!durable || ::write(announce, &durable->revision, sizeof durable->revision) != sizeof durable->revision) ::_exit(1);
        if (n % 5 == 0 && !(*journal)->put_snapshot({durable->revision, 1, {}, "state"})) ::_exit(1);
        if (n % 4 == 0 && !(*journal)->checkpoint()) ::_exit(1);
    }
}

TEST(Kill, EveryAnnouncedRecordIsThereAndTheNextProcessGoesOn) {
    const TestFolder directory;
    const auto path = directory.file("weir.db");
    Random random{7, "kills"};
    std::uint64_t announced = 0;
    for (long round = 0; round < kills(); ++round) {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe(ends.data()), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) append_for_ever(path, ends[1]);
        ::close(ends[1]);
        // The first round kills the creation of the store itself, at some point.
        const auto wanted = round == 0 ? 0 : random.below(12);
        for (std::uint64_t n = 0; n < wanted; ++n) {
            ASSERT_EQ(::read(ends[0], &announced, sizeof announced), static_cast<ssize_t>(sizeof announced))
                << "the child gave up by itself";
        }
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        while (::read(ends[0], &announced, sizeof announced) == static_cast<ssize_t>(sizeof announced)) continue;
        ::close(ends[0]);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child gave up by itself";

        const auto journal = open_journal({.path = path});
        ASSERT_TRUE(journal) << journal.error().message;
        const auto head = (*journal)->head()->revision;
        EXPECT_GE(head, announced);
        EXPECT_LE(head, announced + 3) << "at most the batch under way";
        const auto verified = (*journal)->verify(1, head).value();
        EXPECT_FALSE(verified.bad) << verified.bad->problem;
        announced = head;
    }
    EXPECT_GT(announced, 0U);
}

}  // namespace
}  // namespace weir::store
