#include "transport/api/watch.hpp"

#include "transport/api/context.hpp"
#include "transport/http/sse.hpp"

#include <algorithm>
#include <chrono>
#include <compare>
#include <utility>

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::State;

/// Most of one push: below the buffer of a watch's stream, with room for one event of event_bytes_max.
constexpr std::size_t push_bytes = 64U << 10U;
constexpr std::size_t event_bytes_max = 128U << 10U;
constexpr std::size_t lines_at_once = 250;
/// Of printed events in memory; more than one push, for those who may see only some of them.
constexpr std::size_t window_bytes = 512U << 10U;
constexpr auto look_again_after = std::chrono::milliseconds{20};
constexpr auto ask_views_again_after = std::chrono::milliseconds{250};
constexpr std::size_t old_jobs_remembered = 100'000;

template <class E>
concept OfJob = requires(const E& event) { event.job.uid; };

std::optional<JobId> job_of(const control::Event& event) {
    return std::visit([](const auto& one) -> std::optional<JobId> {
        if constexpr (OfJob<std::decay_t<decltype(one)>>) return one.job;
        return std::nullopt;
    }, event);
}

/// Where an event happened, or which site it is about.
SiteName site_of(const control::Event& event) {
    return std::visit([](const auto& one) -> SiteName {
        if constexpr (requires { one.site.name; }) return one.site.name;
        else if constexpr (requires { SiteName{one.site}; }) return one.site;
        else if constexpr (requires { one.placement.site; }) return one.placement.site;
        else return {};
    }, event);
}

struct AudienceOf {
    const State& state;

    Audience operator()(const control::OrganisationSet& e) const { return {.organisation = e.organisation.name}; }
    Audience operator()(const control::ProjectSet& e) const { return {.project = e.project.name}; }
    Audience operator()(const control::RolesSet& e) const { return {.project = e.project, .subject = e.subject}; }
    Audience operator()(const control::TokenIssued& e) const { return {.subject = e.token.subject}; }
    Audience operator()(const control::SiteSet&) const { return {.everybody = true}; }
    Audience operator()(const control::AcceleratorSet&) const { return {.everybody = true}; }
    Audience operator()(const control::SiteReachable&) const { return {.everybody = true}; }
    Audience operator()(const control::ProgrammeOpened&) const { return {.everybody = true}; }
    Audience operator()(const control::VoucherAwarded& e) const { return {.organisation = e.voucher.organisation}; }
    Audience operator()(const control::LedgerPosted&) const { return {.ledger = true}; }
    Audience operator()(const control::JobSubmitted& e) const { return {.project = e.project}; }
    template <OfJob E>
    Audience operator()(const E& e) const {
        if (const auto live = state.jobs.find(e.job); live != state.jobs.end()) return {.project = live->second.project};
        const auto gone = state.finished.find(e.job);
        return gone == state.finished.end() ? Audience{} : Audience{.project = gone->second.project};
    }
    template <class E>
    Audience operator()(const E&) const {
        return {};
    }
};

}  // namespace

Audience audience_of(const State& state, const control::Event& event) { return std::visit(AudienceOf{state}, event); }

bool may_see_event(const State& state, const Actor& actor, const Audience& audience) {
    if (control::permit(state, actor, Action::see_audit)) return true;
    if (!control::permit(state, actor, Action::see_network)) return false;
    if (audience.everybody) return true;
    if (audience.ledger && control::permit(state, actor, Action::see_ledger)) return true;
    if (!audience.subject.empty() && audience.subject == actor.subject) return true;
    if (!audience.organisation.empty() && may_see_organisation(state, actor, audience.organisation)) return true;
    return !audience.project.empty() && control::may_see(state, actor, audience.project);
}

WatchHub::WatchHub(control::Reader& reader, JournalText& journal, OldJobs::Ask project_of,
                   std::function<Instant()> wall, std::size_t most)
    : reader_{reader}, journal_{journal}, wall_{std::move(wall)}, most_{most}, old_jobs_{std::move(project_of), old_jobs_remembered} {
    watcher_ = reader_.on_commit([this](std::uint64_t) {
        const std::lock_guard lock{mutex_};
        if (!std::exchange(committed_, true)) wake_.notify_one();
    });
    thread_ = std::thread{[this] { run(); }};
}

bool WatchHub::add(const http::Stream& stream, Actor actor, std::uint64_t since, WatchFilter filter) {
    const std::lock_guard lock{mutex_};
    if (stopping_ || open_.load() >= most_) return false;
    auto subject = actor.text();
    added_.push_back(std::make_shared<Watch>(Watch{stream, std::move(actor), std::move(subject), since, std::move(filter)}));
    open_.fetch_add(1);
    wake_.notify_one();
    return true;
}

void WatchHub::stop() {
    {
        const std::lock_guard lock{mutex_};
        if (!thread_.joinable()) return;
        stopping_ = true;
    }
    reader_.forget(watcher_);
    wake_.notify_one();
    thread_.join();
}

void WatchHub::run() {
    std::vector<std::shared_ptr<Watch>> watches;
    std::optional<std::chrono::milliseconds> again_after;
    for (;;) {
        {
            std::unique_lock lock{mutex_};
            const auto called = [&] { return stopping_ || committed_ || !added_.empty(); };
            if (again_after) {
                wake_.wait_for(lock, *again_after, called);
            } else {
                wake_.wait(lock, called);
            }
            if (stopping_) break;
            committed_ = false;
            std::ranges::move(added_, std::back_inserter(watches));
            added_.clear();
        }
        again_after = serve(watches);
        open_.store(watches.size());
    }
    open_.store(0);
}

/// Watches that stand at the same place and may see the same get the same bytes, made once.
struct WatchHub::Group {
    TokenId token;
    WatchFilter filter;
    friend auto operator<=>(const Group&, const Group&) = default;
};

struct WatchHub::Portion {
    std::string text;
    std::uint64_t upto = 0;
    std::string over;   ///< Why the watch ends; empty: it goes on.
};

namespace {

/// Whether a filter wants the event, whosesoever it is.
bool is_of(const WatchLine& line, const WatchFilter& filter) {
    const bool is_about =
        filter.about.empty() || (line.type.starts_with(filter.about) && line.type.substr(filter.about.size()).starts_with('_'));
    return is_about && (!filter.job || line.job == filter.job) && (filter.site.empty() || line.site == filter.site) &&
           (filter.type.empty() || line.type == filter.type);
}

}  // namespace

WatchHub::Portion WatchHub::portion_for(const Watch& watch, const WatchWindow* window) {
    Portion portion{{}, watch.sent, {}};
    if (window == nullptr) {
        portion.over = fmt::format(
            "gone: events after revision {} are no longer kept here; read the state again and watch from its revision", watch.sent);
        return portion;
    }
    const auto now = wall_();
    reader_.ask([&](const control::Core& core) {
        if (!still_stands(core.state, watch.actor.token, now)) {
            portion.over = "closed: the token has expired or was revoked; log in again and reconnect with Last-Event-ID";
            return;
        }
        for (const auto& line : window->lines()) {
            if (!portion.text.empty() && portion.text.size() + line.text.size() > push_bytes) return;
            const bool is_asked_for = is_of(line, watch.filter);
            // Whoever may not see everything hears of it once the views can tell whose it is.
            if (is_asked_for && line.is_untold &&
                (!watch.filter.project.empty() || !control::permit(core.state, watch.actor, Action::see_audit)))
                return;
            portion.upto = line.revision;
            if (!is_asked_for) continue;
            if (!watch.filter.project.empty() && line.audience.project != watch.filter.project) continue;
            if (may_see_event(core.state, watch.actor, line.audience)) portion.text += line.text;
        }
    });
    return portion;
}

std::optional<std::chrono::milliseconds> WatchHub::serve(std::vector<std::shared_ptr<Watch>>& watches) {
    const auto head = reader_.revision();
    views_are_late_ = false;
    bool behind = false;
    bool catching_up = false;
    std::vector<HungryWatch> hungry;
    for (std::size_t i = 0; i < watches.size(); ++i) {
        const auto& watch = *watches[i];
        if (watch.stream.gone() || watch.sent >= head) continue;
        behind = true;
        catching_up = catching_up || head - watch.sent > live_within;
        if (watch.stream.waiting() == 0) hungry.push_back({i, watch.sent, watch.subject});
    }
    const auto turn = turns_.next(std::move(hungry), head);
    const bool has_hungry = !turn.live.empty() || !turn.catching_up.empty();
    const bool live_moved = serve_turn(watches, turn.live, catching_up);
    const bool has_moved = serve_turn(watches, turn.catching_up, catching_up) || live_moved;
    std::erase_if(watches, [](const auto& watch) { return watch == nullptr || watch->stream.gone(); });
    if (!catching_up) old_jobs_.clear();
    if (!behind) return std::nullopt;
    if (has_hungry && !has_moved) return ask_views_again_after;  // All of them wait for the views.
    return turn.complete ? look_again_after : std::chrono::milliseconds{0};
}

bool WatchHub::serve_turn(std::vector<std::shared_ptr<Watch>>& watches, const std::vector<HungryWatch>& turn, bool& catching_up) {
    WatchWindow window{[&](std::uint64_t revision) { return lines_after(revision, catching_up); }, window_bytes};
    std::map<Group, Portion> portions;
    std::optional<std::uint64_t> place;
    bool kept = false;
    bool has_moved = false;
    for (const auto& one : turn) {
        auto& watch = watches[one.index];
        if (place != watch->sent) {
            place = watch->sent;
            kept = window.move_to(*place);
            portions.clear();
        }
        const Group group{watch->actor.token, watch->filter};
        auto portion = portions.find(group);
        if (portion == portions.end()) portion = portions.emplace(group, portion_for(*watch, kept ? &window : nullptr)).first;
        if (!portion->second.text.empty()) watch->stream.push(portion->second.text);
        has_moved = has_moved || portion->second.upto > watch->sent || !portion->second.over.empty();
        watch->sent = portion->second.upto;
        if (!portion->second.over.empty()) {
            watch->stream.core()->end_with(portion->second.over);
            watch.reset();
        }
    }
    return has_moved;
}

WatchLine WatchHub::line_of(const control::Entry& entry) {
    WatchLine line;
    line.revision = entry.revision;
    line.job = job_of(entry.event);
    line.type = control::type_name(control::type_of(entry.event));
    line.site = site_of(entry.event);
    std::string data;
    control::write_entry(entry, data);
    if (data.size() > event_bytes_max) {
        data = fmt::format(R"({{"revision":{},"type":{},"at":"{}","actor":"{}","left_out_bytes":{}}})", entry.revision,
                           control::type_of(entry.event), format_utc(entry.at), entry.actor, data.size());
    }
    http::append_event(line.text,
                       {std::to_string(entry.revision), std::string{line.type}, std::move(data)});
    return line;
}

/// A job that the core has forgotten still belongs to the project that submitted it. Views that are late are asked once a pass: each
/// question may wait for what builds them.
void WatchHub::tell_whose(WatchLine& line) {
    if (!line.job || !line.audience.project.empty()) return;
    auto project = old_jobs_.known(*line.job);
    if (!project && !views_are_late_) {
        project = old_jobs_.project_of(*line.job, reader_.revision());
        views_are_late_ = !project.has_value();
    }
    line.is_untold = !project.has_value();
    if (project) line.audience.project = *std::move(project);
}

std::optional<std::vector<WatchLine>> WatchHub::lines_after(std::uint64_t revision, bool& catching_up) {
    std::vector<WatchLine> lines;
    if (const auto batches = reader_.since(revision)) {
        std::size_t bytes = 0;
        for (const auto& batch : *batches) {
            for (const auto& entry : batch->entries) {
                if (entry.revision <= revision) continue;
                if (lines.size() == lines_at_once || bytes >= window_bytes) return lines;
                lines.push_back(line_of(entry));
                bytes += lines.back().text.size();
                reader_.ask([&](const control::Core& core) { lines.back().audience = audience_of(core.state, entry.event); });
                tell_whose(lines.back());
            }
        }
        return lines;
    }
    if (!journal_.there()) return std::nullopt;
    catching_up = true;
    const auto records = journal_.read(revision + 1, lines_at_once);
    if (!records) return std::nullopt;
    for (const auto& record : *records) {
        const auto entry = control::read_entry(record.text);
        if (!entry) return std::nullopt;
        lines.push_back(line_of(*entry));
        auto& line = lines.back();
        reader_.ask([&](const control::Core& core) { line.audience = audience_of(core.state, entry->event); });
        if (line.job && !line.audience.project.empty()) old_jobs_.learn(*line.job, line.audience.project);
        tell_whose(line);
    }
    return lines;
}

}  // namespace weir::api
