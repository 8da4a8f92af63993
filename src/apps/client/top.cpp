// The network on one screen, drawn again and again.
#include "apps/client/commands.hpp"
#include "apps/client/format.hpp"
#include "apps/client/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace weir::cli {
namespace {

constexpr std::size_t jobs_looked_at = 1'000;
constexpr std::size_t jobs_off_a_terminal = 20;
constexpr std::size_t jobs_least = 3;

/// `[######....]` of ten.
std::string bar(std::int64_t used, std::int64_t held, std::int64_t total) {
    constexpr std::int64_t width = 10;
    if (total <= 0) return {};
    const auto full = std::clamp<std::int64_t>((used * width + total - 1) / total, 0, width);
    const auto kept = std::clamp<std::int64_t>((held * width + total - 1) / total, 0, width - full);
    return '[' + std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(kept), '+') +
           std::string(static_cast<std::size_t>(width - full - kept), '.') + ']';
}

std::string standing_of(const codec::Value& site) {
    if (!flag_of(site, "reachable")) return "out of reach";
    const auto duty = text_of(site, "duty");
    if (duty != "draining") return duty;
    return integer_of(site, "tasks") == 0 ? "drained" : duty;
}

Result<std::string, Failure> sites_text(Session& session) {
    Table table{{{"SITE"},
                 {.title = "STATE", .rank = 3},
                 {.title = "MODEL", .rank = 2, .stays = true},
                 {.title = "CARDS", .align = Align::right},
                 {.title = "HEALTHY", .rank = 5, .align = Align::right},
                 {.title = "IN USE", .align = Align::right},
                 {.title = "HELD", .rank = 6, .align = Align::right},
                 {.title = "", .rank = 4}}};
    WEIR_CHECK(each_item(session, "/v1/capacity", {}, usual_items, [&](const codec::Value& site) {
        const auto name = text_of(site, "site");
        const auto& models = items_of(site, "cards");
        if (models.empty()) table.add({name, standing_of(site), "none", "0"});
        for (const auto& one : models) {
            table.add({name, standing_of(site), model_of(one), cards(integer_of(one, "total")), cards(integer_of(one, "healthy")),
                       cards(integer_of(one, "used")), cards(integer_of(one, "held")),
                       bar(integer_of(one, "used"), integer_of(one, "held"), integer_of(one, "total"))});
        }
    }));
    return table.text(session.console().width);
}

struct Jobs {
    std::map<std::string, std::size_t> by_state;
    std::string text;  ///< Of those that are shown.
    std::size_t seen = 0;
};

Result<Jobs, Failure> jobs_text(Session& session, std::size_t shown_max) {
    const auto& console = session.console();
    Jobs jobs;
    Table table{{{.title = "JOB", .rank = 9, .least = 13, .keeps_end = true, .stays = true},
                 {.title = "NAME", .rank = 3, .least = 10, .keeps_end = true},
                 {.title = "PROJECT", .rank = 6, .least = 6},
                 {.title = "STATE"},
                 {.title = "SITE", .rank = 2, .least = 10, .keeps_end = true},
                 {.title = "MODEL", .rank = 7},
                 {.title = "NODES", .rank = 8, .align = Align::right},
                 {.title = "SINCE", .rank = 4}}};
    std::size_t shown = 0;
    WEIR_CHECK(each_item(session, "/v1/jobs", {{"state", "live"}}, jobs_looked_at, [&](const codec::Value& one) {
        ++jobs.seen;
        ++jobs.by_state[text_of(one, "state")];
        if (shown++ >= shown_max) return;
        table.add({text_of(one, "id"), text_of(one, "name"), text_of(one, "project"), text_of(one, "state"), text_of(one, "site"),
                   model_of(one), text_of(one, "num_nodes"), time_of(console, one, "since")});
    }));
    jobs.text = table.empty() ? "no job waits or runs\n" : table.text(console.width);
    return jobs;
}

std::size_t lines_of(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

Result<std::string, Failure> screen(Session& session) {
    const auto& console = session.console();
    const auto sites = WEIR_TRY(sites_text(session));
    const auto taken = lines_of(sites) + 4;  // The head, two empty lines, the jobs' titles.
    const auto room = console.height == 0                   ? jobs_off_a_terminal
                      : console.height > taken + jobs_least ? console.height - taken - 1
                                                            : jobs_least;
    const auto jobs = WEIR_TRY(jobs_text(session, room));
    std::string counts;
    for (const auto& [state, count] : jobs.by_state) counts += fmt::format(", {} {}", count, state);
    if (jobs.seen == jobs_looked_at) counts += fmt::format(", of the newest {}", jobs_looked_at);
    return fmt::format("weir at {}  {}{}\n\n{}\n{}", session.server(), zoned_text(console, console.now()), counts, sites, jobs.text);
}

}  // namespace

Done top(Session& session, const TopAsk& ask) {
    auto& console = session.console();
    // Off a terminal one picture is all that is of use.
    const bool live = console.width > 0 && !ask.once;
    for (;;) {
        const auto text = WEIR_TRY(screen(session));
        if (session.json()) return {};
        console.out << (live ? "\x1b[H\x1b[2J" : "") << text << std::flush;
        if (!live || !console.out.good()) return {};
        console.sleep(seconds(ask.every_s));
    }
}

}  // namespace weir::cli
