#include "bench/real_network.hpp"

#include "bench/load.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <thread>

namespace weir::bench {
namespace {

constexpr int patience_tries = 600;
constexpr auto between_tries = std::chrono::milliseconds{50};

/// As root, tasks run under users of their own.
constexpr unsigned site_uid = 61'000;

std::string slurp(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string first_line(const std::string& path) {
    const auto text = slurp(path);
    return text.substr(0, text.find('\n'));
}

codec::Value must(Result<codec::Value, std::string> answer) {
    if (!answer) give_up("the network is not set up: " + answer.error());
    return std::move(*answer);
}

template <class Holds>
void wait_for(std::string_view what, Holds&& holds) {
    for (int tries = 0; tries < patience_tries; ++tries) {
        if (holds()) return;
        std::this_thread::sleep_for(between_tries);
    }
    give_up(fmt::format("{} did not come in 30 s", what));
}

}  // namespace

std::string programs() {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin").string();
}

std::int64_t status_number(pid_t pid, const std::string& mark) {
    const auto text = slurp(fmt::format("/proc/{}/status", pid));
    const auto at = text.find(mark);
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + mark.size()));
}

std::string submission(const std::string& token, int project) {
    return post_request(
        "/v1/jobs", bearer(token),
        fmt::format(R"({{"project":"bench-{}","spec":{{"name":"bench","resources":{{"accelerators":["A100:1"],"cpus":8,)"
                    R"("memory":"32GiB"}},"run":"python3 train.py --epochs 10","envs":{{"SEED":"1"}},"max_duration":"1h"}}}})",
                    project));
}

RealNetwork::RealNetwork(const Directory& directory, const RealNetworkOptions& options) : folder_{directory.file("network")} {
    std::filesystem::create_directory(folder_);
    ::chmod(directory.path().c_str(), 0711);  // tasks run under users of their own and must be able to pass through
    ::chmod(folder_.c_str(), 0711);
    server_ = up::Child::start(
        {programs() + "/weir-server", "--data", folder_ + "/server", "--port", "0", "--catalogue", "catalogue/accelerators.yaml"},
        folder_ + "/server.log");
    if (!server_) give_up("weir-server cannot be started from " + programs() + "; build the target programs");
    wait_for("weir-server", [&] {
        if (!server_->running()) give_up("weir-server ended at once: " + slurp(folder_ + "/server.log"));
        return !slurp(folder_ + "/server/endpoint").empty();
    });
    url_ = first_line(folder_ + "/server/endpoint");
    const auto colon = url_.rfind(':') + 1;
    std::from_chars(url_.data() + colon, url_.data() + url_.size(), port_);
    operator_ = std::make_unique<up::NetworkClient>(url_, first_line(folder_ + "/server/operator.token"));
    must(operator_->post("/v1/organisations", R"({"name":"lab","kind":"university","registered_in":"cn/sichuan"})"));
    must(operator_->post("/v1/sites",
                         R"({"name":"east","owner":"lab","region":"cn/sichuan","tariff":[{"model":"A100","fen_per_card_hour":6}]})"));
    must(operator_->post("/v1/deposits", R"({"organisation":"lab","amount":10000000000000})"));
    for (int i = 0; i < options.projects; ++i) {
        must(operator_->post("/v1/projects", fmt::format(R"({{"name":"bench-{}","organisation":"lab","live_jobs_max":1000000}})", i)));
    }
    for (int i = 0; i < options.people; ++i) {
        const auto person = fmt::format("person-{}", i);
        for (int j = 0; j < options.projects; ++j)
            must(operator_->put(fmt::format("/v1/projects/bench-{}/members/{}", j, person), R"({"roles":["member"]})"));
        const auto asked = fmt::format(R"({{"subject":"{}","scopes":["read","write"]}})", person);
        tokens_.push_back(up::text_at(must(operator_->post("/v1/tokens", asked)), "secret"));
    }
    member_ = std::make_unique<up::NetworkClient>(url_, tokens_.front());
}

void RealNetwork::start_agent(bool sandbox) {
    agent_.reset();
    const auto secret = up::text_at(must(operator_->post("/v1/sites/east/agent-token", "{}")), "secret");
    std::string config = fmt::format(
        "site: east\nserver: {}\ntoken_file: {}/agent.token\nroot: {}/site\nblobs: {}/blobs\nsandbox: {}\n"
        "nodes:\n  - name: n1\n    cards: [{{model: A100, count: 8, memory: 80GiB, emulated: true}}]\n    cpus: 64\n    memory: 512GiB\n",
        url_, folder_, folder_, folder_, sandbox);
    if (::geteuid() == 0) config += fmt::format("owner_uid: {}\nusers: {{first: {}, count: 100}}\n", site_uid, site_uid + 1);
    std::ofstream{folder_ + "/agent.token"} << secret << '\n';
    std::ofstream{folder_ + "/agent.yaml"} << config;
    std::filesystem::create_directory(folder_ + "/blobs");
    std::filesystem::remove(agent_log());
    agent_ = up::Child::start({programs() + "/weir", "agent", folder_ + "/agent.yaml"}, agent_log());
    if (!agent_) give_up("weir agent cannot be started from " + programs());
    wait_for("the site's node", [&] {
        if (!agent_->running()) give_up("the agent ended at once: " + slurp(agent_log()));
        if (!slurp(agent_log()).contains("agent.start")) return false;
        const auto site = operator_->get("/v1/sites/east");
        return site && up::number_at(*site, "nodes") > 0;
    });
}

bool RealNetwork::sandboxed() const { return slurp(agent_log()).contains("bubblewrap: read-only"); }

}  // namespace weir::bench
