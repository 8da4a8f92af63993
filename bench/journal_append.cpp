// bench/journal_append.cpp: how near the SQLite journal comes to a bare append and sync of the same bytes.
//
// The floor writes each batch's texts with one write() to a growing file and calls fdatasync(); the journal appends the same
// texts, hashed and chained beforehand, while another thread checkpoints its log whenever that is due. Rounds of floor and
// journal alternate, since disks vary from minute to minute; a ratio is taken within each round. A file system that
// does not sync to a disk is refused.
#include "adapters/store_sqlite/sqlite_journal.hpp"
#include "bench/checkpoints.hpp"
#include "bench/disk.hpp"
#include "bench/report.hpp"
#include "ports/record_chain.hpp"

#include <cstdio>
#include <optional>

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 5;

/// One kind of batch.
struct Shape {
    std::string_view name;
    std::size_t records;
    std::size_t bytes;  ///< Of one record.
    int commits;        ///< Per round.
};

constexpr Shape shapes[] = {
    {"one_event", 1, 300, 200},
    {"hundred_events", 100, 300, 100},
    {"thousand_events", 1'000, 300, 60},
    {"one_event_of_8190_transfers", 1, 8'190 * 90, 40},
};

/// A text that does not compress to nothing and differs from commit to commit.
std::string text_of(std::size_t bytes, std::uint64_t number) {
    std::string text = fmt::format("{{\"n\":{},\"text\":\"", number);
    std::uint64_t x = number * 0x9E3779B97F4A7C15ULL + 1;
    while (text.size() < bytes - 2) {
        x ^= x << 13U;
        x ^= x >> 7U;
        x ^= x << 17U;
        text += static_cast<char>('a' + x % 26);
    }
    return text + "\"}";
}

using Batches = std::vector<std::vector<ports::Record>>;

Batches batches_after(ports::Head head, const Shape& shape) {
    Batches batches;
    for (int i = 0; i < shape.commits; ++i) {
        std::vector<std::string> texts;
        for (std::size_t r = 0; r < shape.records; ++r) texts.push_back(text_of(shape.bytes, head.revision + r));
        batches.push_back(ports::records_after(head, texts));
        head = {batches.back().back().revision, batches.back().back().hash};
    }
    return batches;
}

/// Milliseconds of each commit of a round, in order.
struct Round {
    std::vector<double> commit_ms;
    double core_s = 0;  ///< Processor time of the writing thread.
    [[nodiscard]] double seconds() const {
        double sum = 0;
        for (const double ms : commit_ms) sum += ms;
        return sum / 1'000;
    }
};

template <class Commit>
std::optional<Round> measure(const Batches& batches, Commit commit) {
    Round round;
    bench::Stopwatch watch;
    watch.start();
    for (const auto& batch : batches) {
        const auto from = Clock::now();
        if (!commit(batch)) return std::nullopt;
        round.commit_ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - from).count());
    }
    watch.stop();
    round.core_s = watch.core_spent_s();
    return round;
}

class Floor {
public:
    explicit Floor(const std::string& path) : file_{path} {}
    bool commit(const std::vector<ports::Record>& batch) {
        bytes_.clear();
        for (const auto& record : batch) bytes_ += record.text;
        return file_.append(bytes_);
    }

private:
    bench::SyncedFile file_;
    std::string bytes_;
};

std::optional<std::string> run_shape(const Shape& shape, std::uint32_t page_bytes, const std::string& directory) {
    const auto prefix = fmt::format("{}/{}-{}", directory, shape.name, page_bytes);
    auto journal = store::open_journal({.path = prefix + ".db", .page_bytes = page_bytes});
    if (!journal) return std::nullopt;
    Floor floor{prefix + ".floor"};
    bench::Checkpoints background{**journal};
    std::vector<double> floor_rates, journal_rates, ratios, core_us, floor_ms, journal_ms;
    for (int i = 0; i < rounds; ++i) {
        const auto batches = batches_after((*journal)->head().value(), shape);
        const auto records = static_cast<double>(shape.records) * shape.commits;
        const auto bare = measure(batches, [&](const auto& batch) { return floor.commit(batch); });
        const auto real = measure(batches, [&](const auto& batch) { return (*journal)->append(batch, (*journal)->epoch()).has_value(); });
        if (!bare || !real) return std::nullopt;
        floor_rates.push_back(records / bare->seconds());
        journal_rates.push_back(records / real->seconds());
        core_us.push_back(real->core_s / records * 1e6);
        ratios.push_back(bare->seconds() / real->seconds());
        floor_ms.insert(floor_ms.end(), bare->commit_ms.begin(), bare->commit_ms.end());
        journal_ms.insert(journal_ms.end(), real->commit_ms.begin(), real->commit_ms.end());
    }
    return fmt::format(
        R"(  {{"shape": "{}", "page_bytes": {}, "records_per_commit": {}, "record_bytes": {}, "checkpoints": {},
   {},
   {},
   "journal_core_us_per_record": {:.2f},
   "ratio_to_floor": {{"median": {:.2f}, "runs": [{:.2f}]}},
   "commit_ms": {{"floor_p50": {:.2f}, "floor_p99": {:.2f}, "journal_p50": {:.2f}, "journal_p99": {:.2f}}}}})",
        shape.name, page_bytes, shape.records, shape.bytes, background.count(), bench::rates("floor_records_per_s", floor_rates),
        bench::rates("journal_records_per_s", journal_rates), bench::median(core_us), bench::median(ratios), fmt::join(ratios, ", "),
        bench::percentile(floor_ms, 0.5), bench::percentile(floor_ms, 0.99), bench::percentile(journal_ms, 0.5),
        bench::percentile(journal_ms, 0.99));
}

}  // namespace

int main() {
    const bench::Directory directory;
    std::vector<std::string> results;
    for (const auto& shape : shapes) {
        for (const std::uint32_t page_bytes : {4'096U, 8'192U, 16'384U}) {
            const auto result = run_shape(shape, page_bytes, directory.path());
            if (!result) {
                fmt::print(stderr, "{} with pages of {} failed; look at the disk's free space\n", shape.name, page_bytes);
                return 1;
            }
            results.push_back(*result);
        }
    }
    fmt::print("{{\"benchmark\": \"journal_append\", {}, \"rounds\": {},\n \"results\": [\n{}\n ]}}\n", bench::provenance(), rounds,
               fmt::join(results, ",\n"));
    return 0;
}
