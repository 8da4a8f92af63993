#include "apps/client/job_text.hpp"

#include "apps/client/format.hpp"
#include "apps/client/table.hpp"
#include "domain/forms.hpp"

#include <fmt/format.h>

#include <optional>

namespace weir::cli {
namespace {

std::string reason_of(const codec::Value& job) {
    auto reason = text_of(job, "reason");
    return reason == "none" ? std::string{} : reason;
}

/// `H800:8 or A100:8`: what was asked for.
std::string asked_text(const codec::Value& spec) {
    const auto* resources = spec.find("resources");
    if (resources == nullptr) return {};
    std::string out;
    for (const auto& ask : items_of(*resources, "accelerators")) {
        const auto* text = ask.string();
        out += (out.empty() ? "" : " or ") +
               (text != nullptr ? visible(*text) : fmt::format("{}:{}", text_of(ask, "model"), text_of(ask, "count")));
    }
    return out;
}

std::string nodes_text(const codec::Value& placement) {
    std::string out;
    for (const auto& node : items_of(placement, "nodes")) out += (out.empty() ? "" : ", ") + text_of(node, "node");
    return out;
}

/// Seconds of a specification as people write them; empty where there are none.
std::string span_text(const codec::Value& spec, std::string_view name) {
    return spec.find(name) == nullptr ? std::string{} : span(seconds(integer_of(spec, name)));
}

std::string rate_text(std::int64_t fen) { return money(fen) + " a card and hour"; }

/// How long ago, or how long it took; empty where one of the two is not known.
std::string between(std::optional<Instant> from, std::optional<Instant> to) {
    return from && to && *from <= *to ? span(*to - *from) : std::string{};
}

/// `running since 2026-11-22 14:05:09 +08:00 (1h 30m)`
std::string since_text(const Console& console, const codec::Value& job) {
    auto text = fmt::format("{} since {}", standing_text(job), zoned_time_of(console, job, "since"));
    const auto age = between(parse_utc(text_of(job, "since")), console.now());
    return age.empty() ? text : fmt::format("{} ({})", text, age);
}

/// The budget of a specification is written with its unit.
std::string budget_text(const codec::Value& spec) {
    const auto budget = codec::Custom<Budget>::parse(text_of(spec, "budget"));
    return budget ? money(budget->fen.value) : text_of(spec, "budget");
}

void add_spec(Fields& fields, const Console& console, const codec::Value& spec) {
    fields.add("accelerators", asked_text(spec));
    fields.add("max duration", span_text(spec, "max_duration"));
    fields.add("estimated", span_text(spec, "estimated_duration"));
    fields.add("deadline", zoned_time_of(console, spec, "deadline"));
    fields.add("budget", budget_text(spec));
    fields.add("funding", text_of(spec, "funding"));
}

void add_placement(Fields& fields, const codec::Value& placement) {
    fields.add("site", text_of(placement, "site"));
    const auto nodes = items_of(placement, "nodes").size();
    fields.add("cards", fmt::format("{} x {}{}", cards(integer_of(placement, "per_node")), model_of(placement),
                                    nodes == 1 ? "" : fmt::format(" on each of {} nodes", nodes)));
    fields.add("nodes", nodes_text(placement));
    fields.add("price", rate_text(integer_of(placement, "fen_per_card_hour")));
    std::string score;
    for (const auto& term : items_of(placement, "score"))
        score += fmt::format("{}{} {}", score.empty() ? "" : ", ", text_of(term, "name"), text_of(term, "points"));
    fields.add("score", score);
}

/// `to tianfu-cloud since ...; a place is held there`
std::string move_text(const Console& console, const codec::Value& move) {
    const auto to = text_of(move, "to");
    auto text = fmt::format("{}, ordered {}", to.empty() ? "elsewhere" : "to " + to, zoned_time_of(console, move, "ordered_at"));
    const auto* target = move.find("target");
    if (target == nullptr || target->is_null()) return text + "; a place is sought";
    text += fmt::format("; a place is held at {}", text_of(*target, "site"));
    return text + (text_of(move, "prepared").empty() ? "" : ", and its checkpoint lies there");
}

Table usage_table(const codec::Value& job) {
    Table table{{{.title = "GENERATION", .align = Align::right},
                 {.title = "SITE"},
                 {.title = "MODEL"},
                 {.title = "SECURED CARD-SECONDS", .rank = 2, .align = Align::right},
                 {.title = "AT RISK", .rank = 3, .align = Align::right}}};
    for (const auto& one : items_of(job, "usage")) {
        table.add({text_of(one, "generation"), text_of(one, "site"), model_of(one), cards(integer_of(one, "secured")),
                   cards(integer_of(one, "at_risk"))});
    }
    return table;
}

}  // namespace

bool is_over(const codec::Value& job) {
    const auto state = text_of(job, "state");
    return state == "succeeded" || state == "failed" || state == "cancelled";
}

std::string standing_text(const codec::Value& job) {
    auto text = text_of(job, "state");
    if (is_over(job)) {
        if (const auto reason = reason_of(job); !reason.empty() && text != "succeeded") text += ": " + reason;
        if (const auto code = text_of(job, "exit_code"); !code.empty() && code != "0") text += " " + code;
        return text;
    }
    if (const auto site = text_of(job, "site"); !site.empty()) text += fmt::format(" at {} on {}", site, model_of(job));
    return text;
}

std::string detail_text(const Console& console, const codec::Value& job, const std::string& after) {
    Fields fields;
    for (const auto* name : {"id", "name", "project", "submitter", "type", "priority"}) fields.add(name, text_of(job, name));
    fields.add("state", since_text(console, job));
    fields.add("reason", reason_of(job));
    fields.add("submitted", zoned_time_of(console, job, "submitted_at"));
    fields.add("started", zoned_time_of(console, job, "started_at"));
    fields.add("not before", zoned_time_of(console, job, "not_before"));
    if (is_over(job))
        fields.add("took", between(parse_utc(text_of(job, "submitted_at")), parse_utc(text_of(job, "since"))) + " from submission to end");
    if (const auto* move = job.find("move"); move != nullptr && !move->is_null()) fields.add("to move", move_text(console, *move));
    if (const auto* arrival = job.find("arrival"); arrival != nullptr && !arrival->is_null())
        fields.add("comes from",
                   fmt::format("{}, where it ended at {}", text_of(*arrival, "from"), zoned_time_of(console, *arrival, "paused_at")));
    fields.add("stop ordered", text_of(job, "stop_ordered"));
    fields.add("after", after);
    fields.add("waits for", text_of(job, "waits_for"));
    fields.add("generation", text_of(job, "generation"));
    if (const auto* spec = job.find("spec")) add_spec(fields, console, *spec);
    if (const auto* placement = job.find("placement"); placement != nullptr && !placement->is_null()) {
        add_placement(fields, *placement);
    } else {
        fields.add("site", text_of(job, "site"));
        fields.add("model", model_of(job));
    }
    if (!is_over(job)) {  // Of a job that is over the bill knows.
        fields.add("restarts", fmt::format("{} after errors, {} after faults of sites", integer_of(job, "error_restarts"),
                                           integer_of(job, "fault_restarts")));
        fields.add("held", money(integer_of(job, "held_fen")));
        fields.add("owed so far", money(integer_of(job, "accrued_fen")));
    }
    auto text = fields.text(console.width);
    if (const auto table = usage_table(job); !table.empty()) text += '\n' + table.text(console.width);
    Table moves{{{.title = "MOVED"},
                 {.title = "FROM", .rank = 2, .least = 8, .keeps_end = true},
                 {.title = "TO", .rank = 2, .least = 8, .keeps_end = true},
                 {.title = "PAUSE", .align = Align::right},
                 {.title = "CARD-SECONDS LOST", .align = Align::right}}};
    for (const auto& one : items_of(job, "moves"))
        moves.add({zoned_time_of(console, one, "arrived_at"), text_of(one, "from"), text_of(one, "to"),
                   fmt::format("{}.{:03} s", integer_of(one, "pause_ms") / 1000, integer_of(one, "pause_ms") % 1000),
                   cards(integer_of(one, "lost"))});
    if (!moves.empty()) text += '\n' + moves.text(console.width);
    Table checkpoints{{{.title = "CHECKPOINT", .least = 12},
                       {.title = "GENERATION", .align = Align::right},
                       {.title = "BYTES", .align = Align::right},
                       {.title = "STORED"}}};
    for (const auto& one : items_of(job, "checkpoints"))
        checkpoints.add(
            {text_of(one, "name"), text_of(one, "generation"), text_of(one, "bytes"), zoned_time_of(console, one, "stored_at")});
    if (!checkpoints.empty()) text += '\n' + checkpoints.text(console.width);
    return text;
}

std::string bill_text(const Console& console, const codec::Value& bill) {
    std::string text = flag_of(bill, "final")
                           ? fmt::format("bill of {}, final\n\n", text_of(bill, "job"))
                           : fmt::format("bill of {} so far: what would be owed if it ended well now\n\n", text_of(bill, "job"));
    Table lines{{{.title = "GEN", .rank = 2, .align = Align::right},
                 {.title = "SITE", .rank = 3, .least = 8, .keeps_end = true},
                 {.title = "MODEL", .rank = 6, .least = 11, .wraps = true, .stays = true},
                 {.title = "CARD-SECONDS", .align = Align::right},
                 {.title = "YUAN/HOUR", .rank = 5, .align = Align::right},
                 {.title = "PAYER"},
                 {.title = "LOST TO", .rank = 4, .least = 10},
                 {.title = "YUAN", .align = Align::right}}};
    std::int64_t sum_fen = 0;
    for (const auto& line : items_of(bill, "lines")) {
        const auto payer = text_of(line, "payer");
        if (payer == "tenant") sum_fen += integer_of(line, "amount");
        lines.add({text_of(line, "generation"), text_of(line, "site"), model_of(line), cards(integer_of(line, "used")),
                   yuan(integer_of(line, "fen_per_card_hour")), payer, text_of(line, "lost"), yuan(integer_of(line, "amount"))});
    }
    lines.add({"", "", "", "", "", "tenant", "in all", yuan(sum_fen)});
    text += lines.text(console.width);
    if (items_of(bill, "lines").empty()) text += "no whole second of a card was used\n";
    Table paid{{{.title = "PAID FROM"}, {.title = "HELD YUAN", .align = Align::right}, {.title = "PAID YUAN", .align = Align::right}}};
    for (const auto& part : items_of(bill, "paid"))
        paid.add({text_of(part, "source"), yuan(integer_of(part, "held")), yuan(integer_of(part, "captured"))});
    if (!paid.empty()) text += '\n' + paid.text(console.width);
    return text;
}

}  // namespace weir::cli
