#include "agent/agent.hpp"

#include "agent/checkpoint_desk.hpp"
#include "agent/disk_watch.hpp"
#include "agent/pause.hpp"
#include "agent/reconciler.hpp"
#include "base/random.hpp"

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace weir::agent {
namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::int64_t look_ms_max = 1000;  ///< Also how soon a pause is noticed.
constexpr std::int64_t moving_ms = 25;      ///< Between looks while something is on its way.
constexpr std::int64_t heartbeat_ms_before_terms = 1000;
constexpr std::int64_t first_list_within_ms = 3000;  ///< The first report waits so long for what was ordered before it.
constexpr std::int64_t inventory_every_ms = 300'000;
constexpr std::int64_t shared_inventory_every_ms = 5'000;  ///< Where somebody else takes nodes in and out; also after one that failed.
constexpr std::int64_t backoff_ms_min = 200;
constexpr std::int64_t backoff_ms_max = 5000;

ports::BootInstant boot_now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

Instant wall_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

/// The life of this host; empty where the kernel does not say.
std::string host_boot() {
    std::string name;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), name);
    return name;
}

ports::BootInstant after_ms(ports::BootInstant from, std::int64_t ms) { return {from.ns + ms * ns_per_ms}; }

/// Wakes a poll() from any thread.
class Bell {
public:
    Bell() : fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    ~Bell() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int descriptor() const { return fd_; }
    void ring() const {
        const std::uint64_t one = 1;
        // A full counter is a bell that rings already.
        [[maybe_unused]] const auto wrote = ::write(fd_, &one, sizeof one);
    }
    void hush() const {
        std::uint64_t rung = 0;
        [[maybe_unused]] const auto read = ::read(fd_, &rung, sizeof rung);
    }

private:
    int fd_;
};

/// Twice as long after each failure, up to a limit, and up to half of it more by chance, so that sites do not come back as one.
class Backoff {
public:
    explicit Backoff(std::uint64_t seed) : random_{seed, "agent backoff"} {}
    void forget() { failures_ = 0; }
    [[nodiscard]] std::int64_t next_ms() {
        const auto base = std::min(backoff_ms_max, backoff_ms_min << std::min(failures_, 10));
        ++failures_;
        return base + random_.between(0, base / 2);
    }

private:
    Random random_;
    int failures_ = 0;
};

/// Waits at the server for what should run. Only whole lists whose digest held are given on. Asks under the session of the reports, and
/// not at all without one.
class Listener {
public:
    Listener(ports::ServerLink& link, Seconds wait, const Bell& bell, std::uint64_t seed)
        : link_{link}, wait_{wait}, bell_{bell}, backoff_{seed}, thread_{[this](const std::stop_token& stop) { run(stop); }} {}

    struct News {
        std::optional<Desired> list;
        std::optional<std::uint64_t> same_at;  ///< The last list is what should run at this revision too.
        bool superseded = false;               ///< A session later than ours speaks for the site.
    };
    [[nodiscard]] News take() {
        const std::lock_guard lock{mutex_};
        return std::exchange(news_, {});
    }

    void ask_under(const std::string& session) {
        const std::lock_guard lock{mutex_};
        if (session_ == session) return;
        session_ = session;
        changed_.notify_all();
    }
    /// What should run was heard at least once.
    [[nodiscard]] bool has_heard() const { return has_heard_; }

private:
    void run(const std::stop_token& stop) {
        bool certain = false;  // The server of the last answer still is the one we ask.
        while (const auto session = await_session(stop)) {
            const auto question = list_.ask(*session);
            auto page = link_.get_desired(question, certain && list_.is_whole() ? wait_ : Seconds{0});
            if (!page) {
                const bool told_to_stop = page.error().fault == ports::LinkFault::interrupted;
                if (page.error().fault == ports::LinkFault::stale_sequence && !is_superseded(*session)) continue;
                if (certain && !told_to_stop) spdlog::warn("agent.deaf why=\"{}\"", page.error().message);
                certain = false;
                pause(stop, *session);
                continue;
            }
            certain = true;
            const auto heard = list_.hear(question.number, std::move(*page));
            if (heard == DesiredList::Heard::differs) {
                spdlog::warn("agent.list_differs times={} what_next=\"asks for the whole list\"", list_.times_differed());
                pause(stop, *session);
                continue;
            }
            backoff_.forget();
            if (heard == DesiredList::Heard::changed || heard == DesiredList::Heard::same) give_on(heard);
        }
    }

    void give_on(DesiredList::Heard heard) {
        {
            const std::lock_guard lock{mutex_};
            if (heard == DesiredList::Heard::changed) {
                news_ = {list_.list(), std::nullopt, news_.superseded};
            } else {
                news_.same_at = list_.revision();
            }
        }
        has_heard_ = true;
        bell_.ring();
    }

    /// Nothing once it is to stop.
    std::optional<std::string> await_session(const std::stop_token& stop) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, stop, [&] { return !session_.empty(); });
        return stop.stop_requested() ? std::nullopt : std::optional{session_};
    }

    /// A later session speaks for the site: our own next one, or another agent's. Of that our reports will tell.
    bool is_superseded(const std::string& session) {
        {
            const std::lock_guard lock{mutex_};
            if (session_ != session) return false;
            news_.superseded = true;
        }
        bell_.ring();
        return true;
    }

    /// Unless there is another session to ask under.
    void pause(const std::stop_token& stop, const std::string& asked_under) {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, stop, std::chrono::milliseconds{backoff_.next_ms()}, [&] { return session_ != asked_under; });
    }

    ports::ServerLink& link_;
    Seconds wait_;
    const Bell& bell_;
    Backoff backoff_;
    DesiredList list_;  ///< Of the thread alone.
    std::mutex mutex_;
    std::condition_variable_any changed_;
    News news_;
    std::string session_;  ///< Of the reports.
    std::atomic<bool> has_heard_ = false;
    std::jthread thread_;  ///< Last: it uses all of the above.
};

void introduce_remarks(const SiteName& site, const NodeTable& table) {
    for (const auto& remark : table.remarks) spdlog::warn("agent.node site={} \"{}\"", site.text(), remark);
}

class Loop {
public:
    Loop(const AgentConfig& config, const AgentParts& parts, const Bell& bell, Reconciler reconciler, Listener& listener,
         std::uint64_t seed)
        : config_{config}, parts_{parts}, bell_{bell}, reconciler_{std::move(reconciler)}, listener_{listener}, backoff_{seed} {
        const auto can = parts.backend.capabilities();
        nodes_come_and_go_ = can.nodes_come_and_go;
        if (can.checkpoints_beside) disk_.emplace(parts.backend, [&bell] { bell.ring(); });
    }

    void run(const std::stop_token& stop) {
        next_inventory_ = after_ms(boot_now(), inventory_ms());
        next_report_ = after_ms(boot_now(), first_list_within_ms);
        reconciler_.begin_first_session(wall_now());
        while (!stop.stop_requested()) {
            listener_.ask_under(reconciler_.session());
            take_in();
            reconciler_.step(boot_now(), floor_seconds(wall_now()));
            if (disk_) disk_->watch(reconciler_.live_tasks());
            if (speak()) continue;
            wait();
        }
    }

private:
    void take_in() {
        reconciler_.set_paused(is_paused(config_.root));
        if (!heard_first_ && listener_.has_heard()) {
            heard_first_ = true;
            next_report_ = {};
        }
        auto news = listener_.take();
        if (news.list) reconciler_.hear(std::move(*news.list));
        if (news.same_at) reconciler_.hear_revision(*news.same_at);
        if (news.superseded) {
            speaks_now_ = true;
            next_report_ = {};
        }
        if (disk_) {
            if (const auto figures = disk_->take()) reconciler_.hear_disk(*figures);
        }
        count_cards();
    }

    [[nodiscard]] std::int64_t inventory_ms() const { return nodes_come_and_go_ ? shared_inventory_every_ms : inventory_every_ms; }

    /// Tools may keep whoever asks them waiting, so that is done seldom; declared cards are counted anew once a node has been left.
    void count_cards() {
        const auto now = boot_now();
        const bool detects = nodes_come_and_go_ || std::ranges::any_of(config_.nodes, [](const auto& node) {
            return std::ranges::any_of(node.cards, [](const auto& cards) { return !cards.emulated; });
        });
        if (detects && now < next_inventory_) return;
        const auto in_use = reconciler_.cards_in_use();
        const bool was_left = in_use.size() < std::exchange(nodes_in_use_, in_use.size());
        if (!detects && !was_left) return;
        next_inventory_ = after_ms(now, inventory_ms());
        const auto inventory = parts_.backend.inventory();
        if (!inventory) return;
        auto table = table_of(config_.nodes, *inventory, in_use);
        if (table.remarks != remarks_) introduce_remarks(config_.site, table);
        remarks_ = table.remarks;
        reconciler_.set_nodes(std::move(table));
    }

    [[nodiscard]] ports::BootInstant heartbeat_at() const {
        const auto& terms = reconciler_.terms();
        return after_ms(last_answer_, terms ? std::max<std::int64_t>(terms->lease_ms / 3, 10) : heartbeat_ms_before_terms);
    }

    /// Sends what there is to say, if it is time. True where the answer gives the loop something to do.
    bool speak() {
        const auto now = boot_now();
        if (now < next_report_) return false;
        if (const auto* report = reconciler_.report(wall_now())) return send(*report);
        if (!std::exchange(speaks_now_, false) && now < heartbeat_at()) return false;
        const auto heartbeat = reconciler_.heartbeat();
        return heartbeat && send(*heartbeat);
    }

    bool send(const SiteReport& report) {
        const auto sent_at = boot_now();
        const auto answer = parts_.link.post_report(report);
        const bool for_its_lines = !answer && answer.error().fault == ports::LinkFault::refused && !Refusals::says_nothing(report);
        reconciler_.hear_answer(sent_at, answer, wall_now());
        if (answer) {
            if (cut_off_) spdlog::info("agent.heard site={} server={}", config_.site.text(), config_.server);
            cut_off_ = false;
            backoff_.forget();
            last_answer_ = sent_at;
            return true;
        }
        const auto wait_ms = backoff_.next_ms();
        next_report_ = after_ms(boot_now(), wait_ms);
        if (!for_its_lines && !std::exchange(cut_off_, true)) {
            spdlog::warn("agent.cut_off site={} server={} why=\"{}\" again_in_ms={}", config_.site.text(), config_.server,
                         answer.error().message, wait_ms);
        }
        return false;
    }

    void wait() const {
        const auto now = boot_now();
        const auto idle_ms = reconciler_.has_live_tasks() ? config_.observe_ms : look_ms_max;
        const auto look_ms = reconciler_.is_moving() ? std::min(moving_ms, config_.observe_ms) : idle_ms;
        const auto speak_at = std::max(heartbeat_at(), next_report_);
        const auto speak_ms = reconciler_.stands_back() ? look_ms_max : (speak_at.ns - now.ns + ns_per_ms - 1) / ns_per_ms;
        const auto wait_ms = std::clamp<std::int64_t>(std::min(look_ms, speak_ms), 1, look_ms_max);
        pollfd bells[] = {{bell_.descriptor(), POLLIN, 0}, {parts_.change_descriptor, POLLIN, 0}};
        ::poll(bells, 2, static_cast<int>(wait_ms));
        bell_.hush();
    }

    const AgentConfig& config_;
    const AgentParts& parts_;
    const Bell& bell_;
    Reconciler reconciler_;
    Listener& listener_;
    Backoff backoff_;
    ports::BootInstant last_answer_;
    ports::BootInstant next_report_;
    bool nodes_come_and_go_ = false;
    ports::BootInstant next_inventory_;
    std::size_t nodes_in_use_ = 0;
    std::vector<std::string> remarks_;  ///< Of the last look.
    bool cut_off_ = false;
    bool heard_first_ = false;
    bool speaks_now_ = false;  ///< Though it is not time: another agent may have spoken.
    std::optional<DiskWatch> disk_;  ///< Where the backend lets a thread look.
};

std::unique_ptr<CheckpointDesk> make_desk(const AgentConfig& config, const AgentParts& parts, const Bell& bell) {
    const DeskLimits limits{.checkpoint_bytes_max = config.checkpoint_max.value << 20,
                            .resume_bytes_max = config.task_disk.value << 20,
                            // A tool keeps the pace by itself.
                            .bytes_per_s = config.has_tool() ? 0 : config.checkpoint_rate.value_or(MiB{0}).value << 20};
    if (!parts.backend.capabilities().checkpoints_beside)
        return std::make_unique<InlineDesk>(parts.backend, parts.store, limits, parts.data);
    return std::make_unique<ThreadDesk>(parts.backend, parts.store, [&bell] { bell.ring(); }, limits, parts.data);
}

void introduce(const AgentConfig& config, const ports::SiteBackend& backend, const NodeTable& table) {
    const auto can = backend.capabilities();
    spdlog::info("agent.start site={} server={} root={} backend={}", config.site.text(), config.server, config.root, can.backend);
    for (const auto& statement : can.isolation) spdlog::info("agent.isolation site={} \"{}\"", config.site.text(), statement);
    for (const auto& node : table.nodes) {
        for (const auto& cards : node.cards) {
            spdlog::info("agent.node site={} node={} cards={}:{}{}", config.site.text(), node.name.text(), cards.model, cards.count,
                         cards.emulated ? " (emulated)" : "");
        }
    }
    introduce_remarks(config.site, table);
}

ReconcilerOptions options_of(const AgentConfig& config) {
    return {.site = config.site,
            .meter_slice = config.meter_slice,
            .log_retention = config.log_retention,
            .pause_grace = config.pause_grace,
            .replicate_within = config.replicate_within,
            .leave_within = config.leave_within,
            .outputs_every = config.outputs_every,
            .task_disk = config.task_disk};
}

}  // namespace

std::uint16_t pick_free_port(const std::set<std::uint16_t>& taken) {
    for (int tries = 0; tries < 64; ++tries) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket < 0) return 0;
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        const bool bound = ::bind(socket, raw, size) == 0 && ::getsockname(socket, raw, &size) == 0;
        ::close(socket);
        if (!bound) return 0;
        const auto port = ntohs(address.sin_port);
        if (!taken.contains(port)) return port;
    }
    return 0;
}

Result<void, std::string> run_agent(const AgentConfig& config, const AgentParts& parts, const std::stop_token& stop) {
    WEIR_CHECK(check_declared(config.nodes));
    auto records = WEIR_TRY(Records::open(config.root + "/agent", host_boot()));
    auto inventory = parts.backend.inventory();
    if (!inventory) {
        const auto why = fmt::format("the inventory of {} could not be taken: {}", config.site.text(), inventory.error().message);
        if (!parts.backend.capabilities().nodes_come_and_go) return fail(why);
        // The tasks that run here need their leases whether or not anything new can be placed.
        inventory = ports::Inventory{.remarks = {why}};
    }
    auto table = table_of(config.nodes, *inventory, records.cards_in_use());
    introduce(config, parts.backend, table);

    std::random_device chance;
    const auto seed = (std::uint64_t{chance()} << 32) | chance();
    const Bell bell;
    if (bell.descriptor() < 0) return fail(std::string{"no descriptor is left for the agent's own use"});
    const auto desk = make_desk(config, parts, bell);
    Reconciler reconciler{options_of(config), parts.backend, *desk, std::move(records), std::move(table), pick_free_port, seed};
    const std::stop_callback hang_up{stop, [&] {
                                         parts.link.interrupt();
                                         bell.ring();
                                     }};
    Listener listener{parts.link, config.poll_wait, bell, seed + 1};
    Loop{config, parts, bell, std::move(reconciler), listener, seed + 2}.run(stop);
    spdlog::info("agent.stop site={} why=\"told to\" tasks=\"left as they are, until their leases end\"", config.site.text());
    return {};
}

}  // namespace weir::agent
