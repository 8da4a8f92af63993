// Goal: one who asks much waits for himself alone.
// Method: the worker is held by a task of its own until all others are queued.
#include "transport/api/worker.hpp"

#include <gtest/gtest.h>

#include <future>
#include <string>

namespace weir::api {
namespace {

TEST(Worker, LetsThoseWhoAskTakeTurnsAndBoundsEachAndAll) {
    std::promise<void> go;
    std::string order;
    {
        Worker worker{{.waiting = 8, .each = 4}};
        std::promise<void> begun;
        EXPECT_EQ(worker.post("gate", [&] {
            begun.set_value();
            go.get_future().wait();
        }), Worker::Posted::taken);
        begun.get_future().wait();
        const auto ask = [&](const std::string& who) { return worker.post(who, [&order, who] { order += who; }); };
        for (int i = 0; i < 4; ++i) EXPECT_EQ(ask("a"), Worker::Posted::taken);
        EXPECT_EQ(ask("a"), Worker::Posted::too_many_of_one);
        EXPECT_EQ(ask("b"), Worker::Posted::taken);
        EXPECT_EQ(ask("c"), Worker::Posted::taken);
        EXPECT_EQ(ask("b"), Worker::Posted::taken);
        EXPECT_EQ(ask("d"), Worker::Posted::taken);
        EXPECT_EQ(ask("e"), Worker::Posted::too_many);
        go.set_value();
    }
    EXPECT_EQ(order, "abcdabaa");
}

}  // namespace
}  // namespace weir::api
