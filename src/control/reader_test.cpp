#include "control/reader.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace weir::control {
namespace {

/// A batch of one entry at `revision` whose record has so many bytes.
std::shared_ptr<const Committed> batch(std::uint64_t revision, std::size_t bytes) {
    auto committed = std::make_shared<Committed>();
    committed->entries.push_back({revision, Instant{0}, "system", Event{LeaderStarted{}}});
    committed->revision = revision;
    committed->bytes = bytes;
    return committed;
}

/// The revision from which on everything is kept.
std::uint64_t kept_from(const Reader& reader) {
    std::uint64_t from = 0;
    while (!reader.since(from)) ++from;
    return from;
}

TEST(Reader, KeepsTheNewestBatchesUpToACountAndToTheirBytes) {
    Core core;
    Reader reader{std::move(core), {.batches = 3, .bytes = 100}};
    const struct {
        std::size_t bytes;
        std::uint64_t kept_from;
    } steps[]{{10, 0}, {10, 0}, {10, 0}, {10, 1}, {60, 2}, {60, 5}, {1'000, 6}, {1, 7}};
    std::uint64_t revision = 0;
    for (const auto& step : steps) {
        reader.take(batch(++revision, step.bytes));
        EXPECT_EQ(kept_from(reader), step.kept_from) << "after revision " << revision;
        EXPECT_EQ(reader.revision(), revision);
    }
}

}  // namespace
}  // namespace weir::control
