// bench/codec.cpp: jobs per second through each form, on one core: JSON written and decoded a line at a time as a journal
// is, and the binary form of a snapshot.
//
// A job here is what a snapshot keeps of one: about 770 bytes of JSON, 340 of binary. The floor, measured between the
// runs, copies the same JSON lines and adds up their bytes: what any reader of that text must do at least.
#include "base/random.hpp"
#include "bench/report.hpp"
#include "codec/binary.hpp"
#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <boost/describe.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace weir;

constexpr std::size_t job_count = 100'000;
constexpr int runs = 7;

struct JobKind {
    static constexpr std::string_view prefix = "job";
};
struct ProjectKind {};

enum class State : std::uint8_t { queued = 1, placed = 2, running = 3 };
BOOST_DESCRIBE_ENUM(State, queued, placed, running)

struct Change {
    State to = State::queued;
    Instant at;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(Change, (), (to, at, reason))

struct Job {
    Id<JobKind> id;
    Name<ProjectKind> project;
    std::string name;
    State state = State::queued;
    Instant submitted;
    std::optional<Instant> deadline;
    Duration max_duration;
    std::int32_t nodes = 1;
    std::int64_t cards_milli = 8000;
    std::int64_t memory_mib = 65'536;
    Fen budget_fen;
    std::string run;
    std::map<std::string, std::string> envs;
    std::vector<std::string> labels;
    std::vector<Change> history;
    std::uint64_t generation = 0;
    double score = 0.5;
};
BOOST_DESCRIBE_STRUCT(Job, (),
                      (id, project, name, state, submitted, deadline, max_duration, nodes, cards_milli, memory_mib, budget_fen, run,
                       envs, labels, history, generation, score))

std::vector<Job> make_jobs() {
    Random random{1, "bench_codec"};
    std::vector<Job> jobs(job_count);
    for (Job& job : jobs) {
        const std::uint64_t high = random.next();
        job.id.uid = {high, random.next()};
        job.project = {"lab-" + std::to_string(random.below(100))};
        job.name = "train-" + std::to_string(random.next());
        job.state = State::running;
        job.submitted = {1'795'327'200'000'000'000 + static_cast<std::int64_t>(random.below(1'000'000'000'000))};
        job.deadline = job.submitted + hours(36);
        job.max_duration = hours(10);
        job.budget_fen = {1'234'567};
        job.run = "torchrun --nproc-per-node 8 train.py --epochs 10 --lr 0.001 --data /data/imagenet --out $WEIR_OUTPUTS";
        job.envs = {{"OMP_NUM_THREADS", "8"}, {"NCCL_DEBUG", "INFO"}};
        job.labels = {"vision", "nightly"};
        job.history = {{State::queued, job.submitted, "submitted by a member"},
                       {State::placed, job.submitted, "fits on site chengdu-a"},
                       {State::running, job.submitted, "all ranks report"}};
        job.generation = random.below(5);
    }
    return jobs;
}

/// Runs the work once and adds its rate; work that fails ends the benchmark.
template <class Work>
void measure(bench::Rates& rates, Work&& work) {
    bench::Stopwatch watch;
    watch.start();
    const bool good = work();
    watch.stop();
    if (!good) std::abort();
    rates.add(static_cast<double>(job_count), watch);
}

}  // namespace

int main() {
    const std::vector<Job> jobs = make_jobs();
    std::vector<std::string> lines(jobs.size());
    std::string binary;
    std::string copy;
    std::size_t json_bytes = 0;
    bench::Rates floor, json_write, json_decode, binary_write, binary_read;
    for (int i = 0; i < runs; ++i) {
        measure(json_write, [&] {
            for (std::size_t k = 0; k < jobs.size(); ++k) {
                lines[k].clear();
                codec::write_json(jobs[k], lines[k]);
            }
            return true;
        });
        measure(floor, [&] {
            std::uint64_t sum = 0;
            json_bytes = 0;
            for (const std::string& line : lines) {
                copy = line;
                json_bytes += copy.size();
                for (const char c : copy) sum += static_cast<unsigned char>(c);
            }
            return sum != 0;
        });
        measure(json_decode, [&] {
            for (const std::string& line : lines) {
                if (!codec::decode_json<Job>(line, "line")) return false;
            }
            return true;
        });
        measure(binary_write, [&] {
            binary.clear();
            codec::write_binary(jobs, binary);
            return true;
        });
        measure(binary_read, [&] { return codec::read_binary<std::vector<Job>>(binary).has_value(); });
    }
    fmt::print("{{\"benchmark\": \"codec\", {},\n \"jobs\": {}, \"json_bytes\": {}, \"binary_bytes\": {},\n", bench::provenance(),
               job_count, json_bytes, binary.size());
    fmt::print(" \"per_core_second\": {{\n  {},\n  {},\n  {},\n  {},\n  {}}}}}\n",
               bench::rates("floor_copy_and_sum", floor.per_core_second), bench::rates("json_write", json_write.per_core_second),
               bench::rates("json_decode", json_decode.per_core_second), bench::rates("binary_write", binary_write.per_core_second),
               bench::rates("binary_read", binary_read.per_core_second));
}
