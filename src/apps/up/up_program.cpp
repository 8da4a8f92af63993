#include "apps/up/up_program.hpp"

#include "apps/up/bill.hpp"
#include "apps/up/children.hpp"
#include "apps/up/network_client.hpp"
#include "apps/up/stage.hpp"
#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "domain/job.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <sys/signalfd.h>
#include <poll.h>
#include <unistd.h>

namespace weir::up {
namespace {

using Clock = std::chrono::steady_clock;

/// Short leases, so that the loss of a site shows within seconds. A real network's are longer (docs/operator.md).
constexpr auto policy = "task_lease: 4s\nrun_on_lease: 60s\nkill_grace: 2s\ndrift_bound: 1s\nsite_silence: 3s\n";

/// The story's lines, with the seconds since it began.
class Teller {
public:
    void say(std::string_view who, const std::string& what) const {
        const auto s = std::chrono::duration<double>(Clock::now() - began_).count();
        fmt::print("{:6.1f} s  {:<14} {}\n", s, who, what);
        std::fflush(stdout);
    }

private:
    Clock::time_point began_ = Clock::now();
};

/// "resuming at step 250 from /long/path/step-000250" names the checkpoint alone.
std::string without_folder(const std::string& line) {
    const auto path = line.find(" from /");
    const auto name = line.rfind('/');
    return path == std::string::npos ? line : line.substr(0, path + 6) + line.substr(name + 1);
}

class Demonstration {
public:
    Demonstration(const UpOptions& options, Stage stage) : options_{options}, stage_{std::move(stage)} {
        sigset_t ends;
        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        sigprocmask(SIG_BLOCK, &ends, nullptr);
        signals_ = ::signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    ~Demonstration() { ::close(signals_); }
    Demonstration(const Demonstration&) = delete;
    Demonstration& operator=(const Demonstration&) = delete;

    int run() {
        begin_unbroken();
        const bool told = start_server() && found() && start_agents() && submit() && follow();
        const int code = told ? conclude() : 1;
        if (!told) {
            end();
            return code;
        }
        if (!options_.once && !interrupted()) {
            teller_.say("weir", fmt::format("the network stays up at {}; Ctrl-C ends it", url_));
            fmt::print("          try: export WEIR_SERVER={} WEIR_TOKEN=$(cat {})\n               {}/weir job list --project {}\n", url_,
                       stage_.path("operator.token"), options_.programs, "vision-lab");
            std::fflush(stdout);
            wait_for_signal(-1);
        }
        end();
        return code;
    }

private:
    /// Waits so long, or until somebody wants an end.
    bool wait_for_signal(int ms) {
        pollfd signal{signals_, POLLIN, 0};
        if (::poll(&signal, 1, ms) > 0) interrupted_ = true;
        return interrupted_;
    }
    bool interrupted() { return wait_for_signal(0); }

    bool trouble(const std::string& what) {
        teller_.say("weir", "stopped: " + what);
        stage_.keep();
        fmt::print("          logs: {}\n", stage_.folder());
        return false;
    }

    /// The same training with the same seed, on this machine and never interrupted: what the network's must equal.
    void begin_unbroken() {
        const auto program = stage_.path("digits");
        for (int rank = 0; rank < 2; ++rank) {
            const auto folder = stage_.path(fmt::format("unbroken-{}", rank));
            const std::vector<std::string> environment{
                fmt::format("RANK={}", rank),    "WORLD_SIZE=2",
                "MASTER_ADDR=127.0.0.1",         fmt::format("MASTER_PORT={}", 20'000 + ::getpid() % 20'000),
                "WEIR_CHECKPOINT_DIR=" + folder, "WEIR_OUTPUT_DIR=" + folder,
                "DIGITS_DIR=" + program,         "OPENBLAS_NUM_THREADS=1"};
            unbroken_.push_back(Child::start({"/usr/bin/env", "nice", "-n", "10", "/usr/bin/python3", program + "/train.py", "--steps",
                                              "600", "--checkpoint-every", "600"},
                                             stage_.path(fmt::format("unbroken-{}.log", rank)), environment));
        }
    }

    bool start_server() {
        if (!write_file(stage_.path("policy.yaml"), policy, 0644)) return trouble("the policy cannot be written");
        std::vector<std::string> arguments{options_.programs + "/weir-server",
                                           "--data",
                                           stage_.path("server"),
                                           "--port",
                                           "0",
                                           "--catalogue",
                                           options_.share + "/catalogue/accelerators.yaml",
                                           "--policy",
                                           stage_.path("policy.yaml"),
                                           "--blobs",
                                           stage_.path("blobs")};
        for (const auto& site : stage_.sites()) {
            arguments.emplace_back("--site-root");
            arguments.push_back(site.name + "=" + site.folder + "/root");
        }
        server_ = Child::start(arguments, stage_.path("server.log"));
        if (!server_) return trouble("weir-server cannot be started");
        for (int tries = 0; tries < 400 && server_->running(); ++tries) {
            const auto endpoint = read_file(stage_.path("server/endpoint"));
            const auto secret = read_file(stage_.path("server/operator.token"));
            if (endpoint && secret) {
                url_ = endpoint->substr(0, endpoint->find('\n'));
                const auto token = secret->substr(0, secret->find('\n'));
                operator_ = std::make_unique<NetworkClient>(url_, token);
                (void)write_file(stage_.path("operator.token"), token + "\n", 0600);
                teller_.say("server", fmt::format("answers at {} on the embedded store, every commit synced to the disk", url_));
                return true;
            }
            if (wait_for_signal(50)) return false;
        }
        return trouble("the server did not come up: see server.log");
    }

    /// Organisations, a project, sites, the voucher programme.
    bool found() {
        const auto must = [this](Result<codec::Value, std::string> answer) { return answer ? true : trouble(answer.error()); };
        for (const auto& site : stage_.sites()) {
            if (!must(operator_->post(
                    "/v1/organisations",
                    fmt::format(R"({{"name":"{}","kind":"enterprise","registered_in":"cn/sichuan/chengdu"}})", site.owner))))
                return false;
            if (!must(operator_->post_yaml("/v1/sites", site.site_yaml))) return false;
        }
        if (!must(
                operator_->post("/v1/organisations", R"({"name":"sichuan-lab","kind":"university","registered_in":"cn/sichuan/chengdu"})")))
            return false;
        if (!must(operator_->post("/v1/projects", R"({"name":"vision-lab","organisation":"sichuan-lab"})"))) return false;
        if (!must(operator_->put("/v1/projects/vision-lab/members/ann", R"({"roles":["owner"]})"))) return false;
        const auto programme = read_file(options_.share + "/examples/programmes/demo-2026.yaml");
        if (!programme) return trouble(programme.error());
        if (!must(operator_->post_yaml("/v1/programmes", *programme))) return false;
        auto voucher = operator_->post("/v1/vouchers", R"({"programme":"demo-2026","organisation":"sichuan-lab","amount":100000})");
        if (!voucher) return trouble(voucher.error());
        voucher_ = text_at(*voucher, "id");
        if (!must(operator_->post("/v1/deposits", R"({"organisation":"sichuan-lab","amount":50000})"))) return false;
        auto token = operator_->post("/v1/tokens", R"({"subject":"ann","scopes":["read","write"]})");
        if (!token) return trouble(token.error());
        tenant_ = std::make_unique<NetworkClient>(url_, text_at(*token, "secret"));
        teller_.say("operator",
                    "opened programme demo-2026, awarded sichuan-lab a voucher of 1000.00 yuan and booked a deposit of 500.00 yuan");
        return true;
    }

    bool start_agents() {
        for (std::size_t i = 0; i < stage_.sites().size(); ++i) {
            const auto& site = stage_.sites()[i];
            auto token = operator_->post(fmt::format("/v1/sites/{}/agent-token", site.name), "{}");
            if (!token) return trouble(token.error());
            if (!stage_.write_agent_file(site, i, url_, text_at(*token, "secret"))) return trouble("an agent's file cannot be written");
            agents_[site.name] =
                Child::start({options_.programs + "/weir", "agent", site.folder + "/agent.yaml"}, site.folder + "/agent.log");
            if (!agents_[site.name]) return trouble("weir agent cannot be started");
        }
        std::map<std::string, bool> known;
        for (int tries = 0; tries < 400; ++tries) {
            for (const auto& site : stage_.sites()) {
                if (!agents_[site.name]->running())
                    return trouble(fmt::format("the agent of {} ended at once: see {}/agent.log", site.name, site.folder));
                if (known[site.name]) continue;
                const auto seen = operator_->get("/v1/sites/" + site.name);
                if (!seen || number_at(*seen, "nodes") == 0) continue;
                known[site.name] = true;
                teller_.say(site.name, fmt::format("joined: {} tier, {} node(s), emulated cards (programs compute on the processor)",
                                                   text_at(*seen, "tier"), number_at(*seen, "nodes")));
            }
            if (known.size() == stage_.sites().size() && std::ranges::all_of(known, [](const auto& entry) { return entry.second; }))
                return true;
            if (wait_for_signal(50)) return false;
        }
        return trouble("a site did not join: see its agent.log");
    }

    bool submit() {
        const auto text = read_file(options_.share + "/examples/jobs/digits.yaml");
        if (!text) return trouble(text.error());
        auto spec = codec::decode_yaml<JobSpec>(*text, "examples/jobs/digits.yaml");
        if (!spec) return trouble(codec::describe(spec.error()));
        spec->envs["DIGITS_DIR"] = stage_.path("digits");
        spec->funding = {FundingSource{VoucherId::parse(voucher_)}, FundingSource{}};
        std::string json;
        codec::write_json(*spec, json);
        auto made = tenant_->post("/v1/jobs", R"({"project":"vision-lab","spec":)" + json + "}");
        if (!made) return trouble(made.error());
        job_ = text_at(*made, "id");
        teller_.say("ann", fmt::format("submitted {}: 2 ranks on 2 cards, paid by the voucher first, then prepaid", job_));
        return true;
    }

    /// Tells what happens to the job until it ends; kills an agent half-way.
    bool follow() {
        const auto deadline = Clock::now() + std::chrono::minutes{5};
        while (Clock::now() < deadline) {
            const auto job = tenant_->get("/v1/jobs/" + job_);
            if (!job) return trouble(job.error());
            tell_state(*job);
            tell_log(number_at(*job, "generation"));
            const auto state = text_at(*job, "state");
            if (state == "succeeded" || state == "failed" || state == "cancelled") {
                // The last lines may still be on their way.
                for (int tries = 0; tries < 50 && final_.empty() && state == "succeeded"; ++tries) {
                    tell_log(log_generation_);
                    if (final_.empty() && wait_for_signal(50)) break;
                }
                return state == "succeeded" ? true : trouble("the job " + state + ": " + text_at(*job, "reason"));
            }
            kill_half_way(*job);
            revive(*job);
            drain(*job);
            tell_move(*job);
            if (wait_for_signal(100)) return trouble("interrupted");
        }
        return trouble("the job did not end within five minutes");
    }

    void tell_state(const codec::Value& job) {
        const auto state = text_at(job, "state");
        const auto generation = number_at(job, "generation");
        const auto line = fmt::format("{} {} {}", state, generation, text_at(job, "reason"));
        if (line == last_state_) return;
        last_state_ = line;
        const auto site = text_at(job, "site");
        if (state == "placed" || state == "running") {
            teller_.say(site, fmt::format("job {}: generation {} {} on {} (emulated), {} fen per card-hour", state, generation,
                                          state == "placed" ? "chosen" : "runs", text_at(job, "model"),
                                          number_at(job, "placement.fen_per_card_hour")));
        } else if (state == "queued") {
            teller_.say("scheduler", fmt::format("job queued: {}", text_at(job, "reason")));
        } else {
            teller_.say("job", fmt::format("{}: {}", state, text_at(job, "reason")));
        }
    }

    /// New lines of the training's output; remembers how far it is.
    void tell_log(std::int64_t generation) {
        if (generation == 0) return;
        if (generation != log_generation_) {
            log_generation_ = generation;
            log_offset_ = 0;
            step_ = 0;
            partial_.clear();
        }
        const auto more = tenant_->text(fmt::format("/v1/jobs/{}/logs?offset={}", job_, log_offset_));
        if (!more) return;
        log_offset_ += more->size();
        partial_ += *more;
        for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
            const auto line = partial_.substr(0, end);
            partial_.erase(0, end + 1);
            if (line.starts_with("final")) final_ = line;
            if (line.starts_with("step")) std::sscanf(line.c_str(), "step %d", &step_);
            const bool worth =
                line.starts_with("final") || line.find("resum") != std::string::npos || (line.starts_with("step") && step_ % 100 == 0);
            if (worth) teller_.say("training", without_folder(line));
        }
    }

    void kill_half_way(const codec::Value& job) {
        if (killed_ || step_ < 250 || text_at(job, "state") != "running") return;
        const auto* checkpoints = at(job, "checkpoints");
        if (checkpoints == nullptr || checkpoints->array() == nullptr || checkpoints->array()->empty()) return;
        killed_ = true;
        const auto site = text_at(job, "site");
        const auto& agent = agents_[site];
        teller_.say("fault", fmt::format("kill -9 of the agent of {} (pid {}): no more leases; its supervisor will stop the training", site,
                                         agent->pid()));
        agents_[site]->kill_hard();
        dead_site_ = site;
        teller_.say("network", "waits for lease 4 s + kill grace 2 s + drift bound 1 s before it starts the job anywhere else");
    }

    /// Once the job runs elsewhere the dead agent is started again: it finds what its site did to the end of the lease, and tells it.
    void revive(const codec::Value& job) {
        if (dead_site_.empty() || number_at(job, "generation") < 2 || text_at(job, "state") != "running") return;
        for (const auto& site : stage_.sites()) {
            if (site.name != dead_site_) continue;
            agents_[site.name] =
                Child::start({options_.programs + "/weir", "agent", site.folder + "/agent.yaml"}, site.folder + "/agent.log");
        }
        teller_.say(dead_site_,
                    "its agent is started again: what its site did after the last report comes too late to count, and is its own loss");
        dead_site_.clear();
    }

    /// Later its site is emptied, on purpose: the training is to go on elsewhere without losing anything.
    void drain(const codec::Value& job) {
        constexpr int drained_at_step = 350;
        if (!drained_site_.empty() || !killed_ || !dead_site_.empty() || step_ < drained_at_step || number_at(job, "generation") < 2 ||
            text_at(job, "state") != "running")
            return;
        drained_site_ = text_at(job, "site");
        const auto ordered = operator_->put("/v1/sites/" + drained_site_ + "/duty", R"({"duty":"draining"})");
        if (!ordered) return void(trouble(ordered.error()));
        teller_.say("operator", fmt::format("drains {}: its work goes on elsewhere, and nothing new comes", drained_site_));
    }

    /// What the move cost, once it is over; the site works again then.
    void tell_move(const codec::Value& job) {
        const auto* moves = at(job, "moves");
        if (moved_ || moves == nullptr || moves->array() == nullptr || moves->array()->empty()) return;
        const auto& move = moves->array()->back();
        const auto pause_ms = number_at(move, "pause_ms");
        const auto lost = number_at(move, "lost");
        moved_ = true;
        teller_.say("network", fmt::format("moved the job from {} to {}: none of its processes ran for {}.{:03} s, and {}.{:03} "
                                           "card-seconds are done again",
                                           text_at(move, "from"), text_at(move, "to"), pause_ms / 1000, pause_ms % 1000, lost / 1000,
                                           lost % 1000));
        const auto resumed = operator_->put("/v1/sites/" + drained_site_ + "/duty", R"({"duty":"working"})");
        if (resumed) teller_.say("operator", fmt::format("takes {} into service again", drained_site_));
    }

    int conclude() {
        const auto bill = tenant_->get("/v1/jobs/" + job_ + "/bill");
        if (bill) print_bill(*bill);
        std::string unbroken;
        for (auto& child : unbroken_) {
            if (child) (void)child->wait(60'000);
        }
        if (const auto log = read_file(stage_.path("unbroken-0.log"))) {
            const auto line = log->find("final accuracy");
            if (line != std::string::npos) unbroken = log->substr(line, log->find('\n', line) - line);
        }
        fmt::print("\n          interrupted run: {}\n          unbroken run:    {}\n", final_, unbroken);
        if (final_.empty() || final_ != unbroken || !killed_ || !moved_) {
            trouble(!killed_  ? "the training was over before an agent could be killed"
                    : !moved_ ? "the training was over before it could move"
                              : "the two runs did not end in the same bits");
            return 1;
        }
        fmt::print("          the same accuracy and the same weights, bit for bit\n\n");
        return 0;
    }

    /// A job that still runs is cancelled first, so that no process outlives the demonstration.
    void cancel_job() {
        if (!tenant_ || job_.empty()) return;
        (void)tenant_->remove("/v1/jobs/" + job_);
        for (int tries = 0; tries < 200; ++tries) {
            const auto job = tenant_->get("/v1/jobs/" + job_);
            if (!job || job->find("placement") == nullptr) return;
            const auto state = text_at(*job, "state");
            if (state == "succeeded" || state == "failed" || state == "cancelled") return;
            (void)::poll(nullptr, 0, 100);
        }
    }

    void end() {
        cancel_job();
        for (auto& [site, agent] : agents_) {
            if (agent) agent->stop();
        }
        if (server_) server_->stop();
        teller_.say("weir", stage_.kept() ? "ended; its logs stay in " + stage_.folder() : "ended; nothing is left behind");
    }

    UpOptions options_;
    Stage stage_;
    Teller teller_;
    int signals_ = -1;
    bool interrupted_ = false;
    std::vector<std::optional<Child>> unbroken_;
    std::optional<Child> server_;
    std::map<std::string, std::optional<Child>> agents_;
    std::string url_;
    std::unique_ptr<NetworkClient> operator_;
    std::unique_ptr<NetworkClient> tenant_;
    std::string voucher_;
    std::string job_;
    std::string last_state_;
    std::int64_t log_generation_ = 0;
    std::size_t log_offset_ = 0;
    std::string partial_;
    std::string final_;
    int step_ = 0;
    bool killed_ = false;
    std::string dead_site_;
    std::string drained_site_;
    bool moved_ = false;
};

}  // namespace

int run_up(const UpOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);
    auto stage = Stage::set({options.share, options.digits});
    if (!stage) {
        fmt::print(stderr, "weir up: {}\n", stage.error());
        return 2;
    }
    return Demonstration{options, std::move(*stage)}.run();
}

}  // namespace weir::up
