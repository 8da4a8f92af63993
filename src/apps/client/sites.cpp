// Sites, their nodes, and the models that the network knows.
#include "apps/client/moment.hpp"
#include "apps/client/object.hpp"
#include "apps/client/send.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

using http::percent_encode;

/// Whether no agent of it ever reported: then it is out of reach since the beginning of time.
bool is_new(const codec::Value& site) {
    const auto since = parse_utc(text_of(site, "reachable_since"));
    return !flag_of(site, "reachable") && (!since || since->ns == 0);
}

std::string standing_of(const codec::Value& site) {
    if (is_new(site)) return "not joined";
    if (!flag_of(site, "reachable")) return "out of reach";
    if (const auto duty = text_of(site, "duty"); duty == "stopped") return duty;
    if (text_of(site, "duty") == "draining") return integer_of(site, "tasks") == 0 ? "drained" : "draining";
    if (!flag_of(site, "open")) return "closed";
    return integer_of(site, "nodes") > 0 && text_of(site, "healthy_nodes") == "0" ? "open, no healthy node" : "open";
}

/// `3, 2 of them leaving; places held for 1 more`
std::string tasks_text(const codec::Value& site) {
    auto text = text_of(site, "tasks");
    if (integer_of(site, "tasks_leaving") > 0) text += fmt::format(", {} of them leaving", text_of(site, "tasks_leaving"));
    if (integer_of(site, "places_held") > 0) text += fmt::format("; places held for {} more", text_of(site, "places_held"));
    return text;
}

/// `8 x H800 (emulated), 2 x cpu`
std::string cards_text(const codec::Value& node) {
    std::string out;
    for (const auto& group : items_of(node, "cards")) {
        out += fmt::format("{}{} x {}", out.empty() ? "" : ", ", text_of(group, "count"), model_of(group));
        if (text_of(group, "slicing") == "fractional") out += " in fractions";
    }
    return out;
}

/// The value of a figure, in units of `per`; "-" where the vendor publishes none.
std::string figure(const codec::Value& model, std::string_view name, std::int64_t per) {
    const auto* found = model.find(name);
    if (found == nullptr || found->is_null()) return "-";
    const auto value = integer_of(*found, "value");
    return per == 1 ? std::to_string(value) : fmt::format("{}.{}", value / per, value % per * 10 / per);
}

Result<Reply, Failure> set_duty(Session& session, const std::string& site, std::string body) {
    return session.change(http::Method::put, "/v1/sites/" + percent_encode(site) + "/duty", std::move(body));
}

}  // namespace

Done set_site(Session& session, const FileAsk& ask) { return send_file(session, "/v1/sites", ask.file, "site"); }

Done list_sites(Session& session, const ListAsk& ask) {
    Table table{{{"NAME"},
                 {.title = "STATE", .rank = 1},
                 {.title = "TIER", .rank = 3},
                 {.title = "OWNER", .rank = 5, .least = 8},
                 {.title = "REGION", .rank = 6, .least = 10},
                 {.title = "BACKEND", .rank = 7},
                 {.title = "NODES", .rank = 2, .align = Align::right},
                 {.title = "TASKS", .rank = 2, .align = Align::right}}};
    WEIR_CHECK(each_item(session, "/v1/sites", ask.query(), ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "name"), standing_of(one), text_of(one, "tier"), text_of(one, "owner"), text_of(one, "region"),
                   text_of(one, "backend"), text_of(one, "nodes"), text_of(one, "tasks")});
    }));
    print(session, table);
    return {};
}

Done show_site(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(session.get("/v1/sites/" + percent_encode(ask.name)));
    if (session.printed(reply)) return {};
    auto& console = session.console();
    const auto& site = reply.value;
    Fields fields;
    fields.add("name", text_of(site, "name"));
    fields.add("state", is_new(site) ? "not joined: its agent has never reported"
                                     : fmt::format("{} since {}", standing_of(site), time_of(console, site, "reachable_since")));
    for (const auto* name : {"owner", "region", "tier", "backend", "grid_zone"}) fields.add(name, text_of(site, name));
    fields.add("pue", cards(integer_of(site, "pue_milli")));
    fields.add("nodes", fmt::format("{}, {} of them healthy", text_of(site, "nodes"), text_of(site, "healthy_nodes")));
    fields.add("tasks", tasks_text(site));
    fields.add("drained by", zoned_time_of(console, site, "drained_by"));
    console.out << fields.text(console.width);
    Table tariff{{{"MODEL"}, {.title = "YUAN / CARD-HOUR", .align = Align::right}}};
    for (const auto& line : items_of(site, "tariff")) tariff.add({text_of(line, "model"), yuan(integer_of(line, "fen_per_card_hour"))});
    if (!tariff.empty()) console.out << '\n' << tariff.text(console.width);
    Table links{{{"LINK TO"},
                 {.title = "MBIT/S", .align = Align::right},
                 {.title = "LATENCY MS", .align = Align::right},
                 {.title = "YUAN / GIB", .align = Align::right}}};
    for (const auto& link : items_of(site, "links")) {
        links.add({text_of(link, "to"), text_of(link, "megabit_per_s"), cards(integer_of(link, "latency_us")),
                   yuan(integer_of(link, "fen_per_gib"))});
    }
    if (!links.empty()) console.out << '\n' << links.text(console.width);
    return {};
}

Done drain_site(Session& session, const DrainAsk& ask) {
    std::string deadline;
    if (!ask.deadline.empty())
        deadline = WEIR_TRY(moment_of(session.console(), "--deadline", ask.deadline, "what finds no place elsewhere runs to its end"));
    const auto reply = WEIR_TRY(set_duty(session, ask.name, Object{}.text("duty", "draining").text("deadline", deadline).json()));
    if (session.printed(reply)) return {};
    session.console().out << fmt::format("{} is being emptied{}; how far it has come: weir site show {}\n", ask.name,
                                         deadline.empty() ? "" : ", at the latest by " + deadline, ask.name);
    return {};
}

Done resume_site(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(set_duty(session, ask.name, Object{}.text("duty", "working").json()));
    if (!session.printed(reply)) session.console().out << fmt::format("{} takes work again\n", ask.name);
    return {};
}

Done stop_site(Session& session, const StopSiteAsk& ask) {
    const auto reply = WEIR_TRY(set_duty(session, ask.name, Object{}.text("duty", "stopped").json()));
    if (session.printed(reply)) return {};
    session.console().out << fmt::format("all work at {} was told to stop at once; in service again: weir site resume {}\n", ask.name,
                                         ask.name);
    return {};
}

Done list_nodes(Session& session, const NodeListAsk& ask) {
    Table table{{{"SITE"},
                 {.title = "NODE"},
                 {.title = "CARDS", .rank = 6, .least = 18, .wraps = true, .stays = true},
                 {.title = "CPUS", .rank = 3, .align = Align::right},
                 {.title = "MEMORY", .rank = 3, .align = Align::right},
                 {.title = "STATE"},
                 {.title = "POSITION", .rank = 5, .least = 8}}};
    const auto path = ask.site.empty() ? std::string{"/v1/nodes"} : fmt::format("/v1/sites/{}/nodes", percent_encode(ask.site));
    WEIR_CHECK(each_item(session, path, ask.query(), ask.most, [&](const codec::Value& one) {
        const auto* state = !flag_of(one, "reachable") ? "out of reach" : flag_of(one, "healthy") ? "healthy" : "ill";
        table.add({text_of(one, "site"), text_of(one, "name"), cards_text(one), text_of(one, "cpus"), text_of(one, "memory"), state,
                   text_of(one, "position")});
    }));
    print(session, table);
    return {};
}

Done set_model(Session& session, const FileAsk& ask) { return send_file(session, "/v1/catalog", ask.file, "model"); }

Done list_catalogue(Session& session, const ListAsk& ask) {
    const auto reply = WEIR_TRY(session.get(target_of("/v1/catalog", ask.query())));
    if (session.printed(reply)) return {};
    Table table{{{"MODEL"},
                 {.title = "VENDOR", .rank = 4, .least = 6},
                 {.title = "STACK", .rank = 3},
                 {.title = "DOMESTIC", .rank = 5},
                 {.title = "MEMORY GIB", .rank = 2, .align = Align::right},
                 {.title = "FP64 TFLOPS", .rank = 8, .align = Align::right},
                 {.title = "FP32 TFLOPS", .rank = 7, .align = Align::right},
                 {.title = "FP16 TFLOPS", .rank = 2, .align = Align::right},
                 {.title = "INT8 TOPS", .rank = 6, .align = Align::right},
                 {.title = "TDP W", .rank = 6, .align = Align::right}}};
    for (const auto& one : items_of(reply.value, "items")) {
        table.add({text_of(one, "model"), text_of(one, "vendor"), text_of(one, "stack"), flag_of(one, "domestic") ? "yes" : "no",
                   figure(one, "memory_mib", 1024), figure(one, "fp64_gflops", 1000), figure(one, "fp32_gflops", 1000),
                   figure(one, "fp16_gflops", 1000), figure(one, "int8_gops", 1000), figure(one, "tdp_w", 1)});
    }
    print(session, table);
    return {};
}

}  // namespace weir::cli
