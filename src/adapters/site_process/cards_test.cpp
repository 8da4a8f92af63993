// Goal: what the makers' tools print is read right, and what is not understood hides no card.
// Method: samples in the tools' own format. They were composed after published outputs of these tools, not recorded here:
// this host has no accelerator.
#include "adapters/site_process/cards.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace weir::site_process {
namespace {

constexpr std::string_view nvidia_sample = R"(0, NVIDIA H800, 81559, GPU-5c1f7d3e-9a1c-4e0f-8a58-2f0f6f2b1a01
1, NVIDIA H800, 81559, GPU-0b7e2c44-51a2-4a0b-b8a7-8c2f1f6f0e55
7, NVIDIA L20, 46068, GPU-77aa01f0-2c3d-4e5f-9a6b-0c1d2e3f4a5b
)";

constexpr std::string_view ascend_910b_sample =
    R"(+------------------------------------------------------------------------------------------------+
| npu-smi 23.0.rc3                 Version: 23.0.rc3                                             |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B3               | OK            | 97.5        44                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          3356 / 65536         |
+===========================+===============+====================================================+
| 1     910B3               | Warning       | 93.2        45                0    / 0             |
| 0                         | 0000:C2:00.0  | 0           0    / 0          3357 / 65536         |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| 0       0                 | 41207         | python3.9                | 3120                    |
+===========================+===============+====================================================+
)";

constexpr std::string_view ascend_310p_sample =
    R"(+--------------------------------------------------------------------------------------------------------+
| npu-smi 24.1.rc1                                 Version: 24.1.rc1                                     |
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===============================+=================+======================================================+
| 8       310P3                 | OK              | NA           49                0     / 0             |
| 0       0                     | 0000:81:00.0    | 0            1625 / 44216                            |
+-------------------------------+-----------------+------------------------------------------------------+
| 8       310P3                 | OK              | NA           48                0     / 0             |
| 1       1                     | 0000:81:00.0    | 0            1391 / 43757                            |
+===============================+=================+======================================================+
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Chip                  | Process id      | Process name             | Process memory(MB)        |
+===============================+=================+======================================================+
| No running processes found in NPU 8                                                                    |
+===============================+=================+======================================================+
)";

TEST(Cards, NvidiaIsReadLineByLine) {
    const auto reading = read_nvidia(nvidia_sample);
    EXPECT_EQ(reading.lines_not_understood, 0);
    ASSERT_EQ(reading.cards.size(), 3U);
    EXPECT_EQ(reading.cards[0], (ports::Card{.index = 0,
                                             .model = "NVIDIA H800",
                                             .stack = ports::CardStack::cuda,
                                             .memory_mib = 81559,
                                             .uuid = "GPU-5c1f7d3e-9a1c-4e0f-8a58-2f0f6f2b1a01"}));
    EXPECT_EQ(reading.cards[2].index, 7);
    EXPECT_EQ(reading.cards[2].model, "NVIDIA L20");
    EXPECT_FALSE(reading.cards[2].emulated);
}

TEST(Cards, ALineOfNvidiaThatIsNotUnderstoodHidesNoCard) {
    const auto reading = read_nvidia(
        "0, NVIDIA H20, [N/A], GPU-1\nUnable to determine the device handle for GPU 0000:3B:00.0\n2, NVIDIA H20, 97871, GPU-2\n");
    EXPECT_EQ(reading.lines_not_understood, 2);
    ASSERT_EQ(reading.cards.size(), 1U);
    EXPECT_EQ(reading.cards[0].index, 2);
}

TEST(Cards, AnAscendTrainingCardHasItsMemoryInTheLastColumn) {
    const auto reading = read_ascend(ascend_910b_sample);
    EXPECT_EQ(reading.lines_not_understood, 0);
    ASSERT_EQ(reading.cards.size(), 2U);
    EXPECT_EQ(reading.cards[1], (ports::Card{.index = 1,
                                             .model = "Ascend910B3",
                                             .stack = ports::CardStack::cann,
                                             .memory_mib = 65536,
                                             .uuid = "0000:C2:00.0"}));
}

TEST(Cards, ChipsOfOneAscendCardAreNumberedOverAll) {
    const auto reading = read_ascend(ascend_310p_sample);
    EXPECT_EQ(reading.lines_not_understood, 0);
    ASSERT_EQ(reading.cards.size(), 2U);
    EXPECT_EQ(reading.cards[0].model, "Ascend310P3");
    EXPECT_EQ(reading.cards[0].memory_mib, 44216);
    EXPECT_EQ(reading.cards[1].index, 1);
    EXPECT_EQ(reading.cards[1].memory_mib, 43757);
}

TEST(Cards, AnAscendChipWithoutItsSecondLineIsCounted) {
    const auto reading = read_ascend(
        "| 0     910B3               | OK            | 97.5        44                0    / 0             |\n"
        "| 1     910B3               | OK            | 97.5        44                0    / 0             |\n"
        "| 0                         | 0000:C2:00.0  | 0           0    / 0          0    / NA            |\n");
    EXPECT_TRUE(reading.cards.empty());
    EXPECT_EQ(reading.lines_not_understood, 2);
}

TEST(Cards, NothingIsReadFromNothing) {
    EXPECT_TRUE(read_nvidia("").cards.empty());
    EXPECT_TRUE(read_nvidia("No devices were found\n").cards.empty());
    EXPECT_TRUE(read_ascend("").cards.empty());
    EXPECT_TRUE(read_ascend("dcmi module initialize failed. ret is -8005\n").cards.empty());
}

RC_GTEST_PROP(Cards, AnyTextIsReadWithoutHarm, (const std::string& text)) {
    for (const auto& card : read_nvidia(text).cards) RC_ASSERT(card.index >= 0);
    for (const auto& card : read_ascend("| 0 910B3 | OK |\n" + text).cards) RC_ASSERT(card.memory_mib > 0);
}

}  // namespace
}  // namespace weir::site_process
