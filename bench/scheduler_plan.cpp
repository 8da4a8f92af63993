// bench/scheduler_plan.cpp: what the placement engine costs on one core: per job placed, per job that waits, per change.
//
// The network is one site with the nodes of openb (../shared/data, or the folder named in WEIR_DATA), or as many made up.
// `single` fills it with class-equal one-card jobs in one batch: queue, plan, commit. `waiting` queues class-equal
// jobs on the full network. `change` frees what one job holds under 10,000 waiting jobs, of 200 classes and all different,
// plans and commits. `why` asks for the reasons of one of those; `ever` asks whether an ask could run at all. Times are of this
// thread's processor, which neighbours disturb little.
#include "base/random.hpp"
#include "bench/report.hpp"
#include "engines/scheduler/scheduler.hpp"

#include <cstdio>
#include <map>
#include <sstream>

namespace {

using namespace weir;
using namespace weir::scheduler;

constexpr int runs = 5;
constexpr std::size_t waiting_jobs = 10'000;
constexpr int changes = 2'000;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "scheduler_plan: %s; no number is worth anything\n", what);
    std::exit(1);
}

void tell(Scheduler& engine, const Delta& delta) {
    if (!engine.apply(delta)) give_up("a delta was refused");
}

NodeSet make_node(const std::string& name, std::int64_t cpus_milli, std::int64_t memory_mib, std::int32_t cards) {
    return {.site = "openb", .node = name,
            .accelerators = {{.model = "GPU", .cards = cards, .memory_mib = 32'768, .slicing = Slicing::fractional,
                              .slicing_owner = "weir"}},
            .cpus_milli = cpus_milli, .memory_mib = memory_mib};
}

/// Nodes of openb_node_list_gpu_node.csv (sn,cpu_milli,memory_mib,gpu,model), all cards as one model.
std::vector<NodeSet> openb_nodes(const std::string& folder) {
    std::vector<NodeSet> nodes;
    std::ifstream file(folder + "/openb/openb_node_list_gpu_node.csv");
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
        std::istringstream row(line);
        std::string name;
        std::string cpus;
        std::string memory;
        std::string cards;
        std::getline(row, name, ',');
        std::getline(row, cpus, ',');
        std::getline(row, memory, ',');
        std::getline(row, cards, ',');
        nodes.push_back(make_node(name, std::stoll(cpus), std::stoll(memory), std::stoi(cards)));
    }
    return nodes;
}

std::vector<NodeSet> made_up_nodes(std::size_t count) {
    std::vector<NodeSet> nodes;
    for (std::size_t i = 0; i < count; ++i) nodes.push_back(make_node(fmt::format("node-{:06}", i), 96'000, 393'216, i % 3 == 0 ? 2 : 8));
    return nodes;
}

Ask one_card(const std::string& project) {
    return {.project = project, .alternatives = {{.model = "GPU", .milli_cards = 1'000}}, .cpus_milli = 4'000, .memory_mib = 8'192};
}

JobQueued job(std::uint64_t n, const Ask& ask) { return {.job = {0, n}, .ask = ask, .queued_at = Instant{static_cast<std::int64_t>(n)}}; }

Scheduler network(const std::vector<NodeSet>& nodes) {
    Scheduler engine;
    tell(engine, SiteSet{.site = "openb", .region = "cn", .price_fen = {{"GPU", 1'000}}});
    for (const NodeSet& node : nodes) tell(engine, node);
    return engine;
}

std::vector<Placement> fill(Scheduler& engine) {
    constexpr std::uint64_t jobs = 100'000;  // More than any network here has cards.
    for (std::uint64_t n = 1; n <= jobs; ++n) tell(engine, job(n, one_card("first")));
    Plan plan = engine.plan({}, {.placements_max = jobs});
    for (const Placement& placement : plan.placements) tell(engine, JobPlaced{placement.job, 1, placement.allocation});
    for (std::uint64_t n = plan.placements.size() + 1; n <= jobs; ++n) tell(engine, JobRemoved{{0, n}});
    if (plan.placements.size() < 1'000) give_up("the network did not fill");
    return std::move(plan.placements);
}

struct Result {
    std::vector<double> queue_per_s, plan_per_s, commit_per_s, single_per_s, waiting_per_s;
    std::vector<double> why_us, ever_us;
    std::map<std::size_t, std::vector<double>> change_us;  ///< By the number of classes that wait.
};

void measure_single(const std::vector<NodeSet>& nodes, Result& result) {
    Scheduler engine = network(nodes);
    const Ask ask = one_card("lab");
    constexpr std::uint64_t batch = 4'000;
    bench::Stopwatch queue;
    bench::Stopwatch plan;
    bench::Stopwatch commit;
    for (std::uint64_t round = 0; round < 10; ++round) {
        queue.start();
        for (std::uint64_t n = 1; n <= batch; ++n) tell(engine, job(round * batch + n, ask));
        queue.stop();
        plan.start();
        const Plan made = engine.plan({});
        plan.stop();
        if (made.placements.size() != batch) give_up("a job of the batch did not fit");
        commit.start();
        for (const Placement& placement : made.placements) tell(engine, JobPlaced{placement.job, 1, placement.allocation});
        commit.stop();
        for (const Placement& placement : made.placements) tell(engine, JobRemoved{placement.job});
    }
    constexpr double jobs = 10.0 * batch;
    result.queue_per_s.push_back(jobs / queue.core_spent_s());
    result.plan_per_s.push_back(jobs / plan.core_spent_s());
    result.commit_per_s.push_back(jobs / commit.core_spent_s());
    result.single_per_s.push_back(jobs / (queue.core_spent_s() + plan.core_spent_s() + commit.core_spent_s()));
}

void measure_waiting(const std::vector<NodeSet>& nodes, Result& result) {
    Scheduler engine = network(nodes);
    (void)fill(engine);
    const Ask ask = one_card("lab");
    bench::Stopwatch watch;
    watch.start();
    for (std::uint64_t n = 0; n < 40'000; ++n) {
        tell(engine, job(100'000 + n, ask));
        if (n % 1'000 == 999 && !engine.plan({}).placements.empty()) give_up("the network was not full");
    }
    watch.stop();
    result.waiting_per_s.push_back(40'000 / watch.core_spent_s());
}

/// Ten shapes of openb's mix times projects: more than the network can ever hold at once.
std::vector<Ask> mixed_asks(std::size_t classes) {
    std::vector<Ask> asks;
    for (std::size_t i = 0; i < classes; ++i) {
        constexpr std::int64_t shapes[] = {8'000, 4'000, 2'000, 1'000, 900, 500, 460, 250, 810, 100};
        Ask ask = one_card(fmt::format("project-{:04}", i / 10));
        ask.alternatives[0].milli_cards = shapes[i % 10];
        if (i % 30 == 0) ask.nodes = 2;
        asks.push_back(ask);
    }
    return asks;
}

void measure_answers(const Scheduler& engine, const std::vector<Ask>& asks, std::uint64_t last, Random& chance, Result& result) {
    for (int i = 0; i < 500; ++i) {
        bench::Stopwatch why;
        why.start();
        const Why answer = engine.why({0, last - chance.below(1'000)}, {});
        why.stop();
        if (answer.standing == JobStanding::waiting && answer.reasons.empty()) give_up("a waiting job had no reason");
        result.why_us.push_back(why.core_spent_s() * 1e6);
        bench::Stopwatch ever;
        ever.start();
        if (!engine.can_ever_fit(asks[chance.below(asks.size())]).fits) give_up("an ask never fits");
        ever.stop();
        result.ever_us.push_back(ever.core_spent_s() * 1e6);
    }
}

void measure_change(const std::vector<NodeSet>& nodes, std::size_t classes, Result& result) {
    Scheduler engine = network(nodes);
    std::vector<std::pair<Uid, std::uint64_t>> running;
    for (const Placement& placement : fill(engine)) running.emplace_back(placement.job, 1);
    Random chance{7, "changes"};
    const std::vector<Ask> asks = mixed_asks(classes);
    std::uint64_t next = 1'000'000;
    for (std::size_t n = 0; n < waiting_jobs; ++n, ++next) tell(engine, job(next, asks[n % classes]));
    (void)engine.plan({});
    for (int i = 0; i < changes; ++i) {
        const std::size_t which = chance.below(running.size());
        bench::Stopwatch watch;
        watch.start();
        tell(engine, JobReleased{running[which].first, running[which].second});
        const Plan plan = engine.plan({});
        for (const Placement& placement : plan.placements) tell(engine, JobPlaced{placement.job, 2, placement.allocation});
        watch.stop();
        result.change_us[classes].push_back(watch.core_spent_s() * 1e6);
        running[which] = running.back();
        running.pop_back();
        for (const Placement& placement : plan.placements) {
            running.emplace_back(placement.job, 2);
            tell(engine, job(next++, asks[chance.below(classes)]));
        }
    }
    measure_answers(engine, asks, next - 1, chance, result);
}

std::string quantiles(std::string_view name, std::vector<double> values) {
    std::ranges::sort(values);
    const auto at = [&](double share) { return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))]; };
    return fmt::format(R"("{}": {{"p50": {:.2f}, "p99": {:.2f}, "max": {:.2f}}})", name, at(0.5), at(0.99), values.back());
}

std::string measure(std::string_view name, const std::vector<NodeSet>& nodes) {
    Result r;
    for (int run = 0; run < runs; ++run) {
        measure_single(nodes, r);
        measure_waiting(nodes, r);
        measure_change(nodes, 200, r);
        measure_change(nodes, waiting_jobs, r);
    }
    const std::vector<std::string> figures{
        bench::rates("single_per_core_s", r.single_per_s),
        bench::rates("single_queue_per_core_s", r.queue_per_s),
        bench::rates("single_plan_per_core_s", r.plan_per_s),
        bench::rates("single_commit_per_core_s", r.commit_per_s),
        bench::rates("waiting_per_core_s", r.waiting_per_s),
        quantiles("change_200_classes_us", r.change_us[200]),
        quantiles("change_10000_classes_us", r.change_us[waiting_jobs]),
        quantiles("why_us", r.why_us),
        quantiles("ever_us", r.ever_us)};
    return fmt::format("\"{}\": {{\"nodes\": {},\n   {}}}", name, nodes.size(), fmt::join(figures, ",\n   "));
}

}  // namespace

int main() {
    const char* data = std::getenv("WEIR_DATA");
    std::vector<NodeSet> nodes = openb_nodes(data != nullptr ? data : "../shared/data");
    const bool real = !nodes.empty();
    if (!real) nodes = made_up_nodes(1'213);
    fmt::print("{{\"benchmark\": \"scheduler_plan\", {},\n \"goal\": {{\"batch_jobs_per_s\": 40000}},\n {},\n {}}}\n", bench::provenance(),
               measure(real ? "openb" : "made_up", nodes), measure("made_up_12k", made_up_nodes(12'000)));
}
