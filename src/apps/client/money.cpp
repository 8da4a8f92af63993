// Programmes, vouchers, deposits, the trial balance.
#include "apps/client/object.hpp"
#include "apps/client/send.hpp"
#include "domain/names.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

using http::Method;
using http::percent_encode;

std::string per_cent(std::int64_t per_mille) { return cards(per_mille * 100) + " %"; }

std::string yuan_of(const codec::Value& value, std::string_view key) { return yuan(integer_of(value, key)); }

void add_allowed(Fields& fields, const codec::Value& programme, const char* name) {
    const auto* allowed = programme.find(name);
    if (allowed == nullptr || items_of(*allowed, "any_of").empty()) return;
    fields.add(name, fmt::format("{}  [{}]", text_of(*allowed, "any_of"), text_of(*allowed, "clause")));
}

}  // namespace

Done set_programme(Session& session, const FileAsk& ask) { return send_file(session, "/v1/programmes", ask.file, "programme"); }

Done list_programmes(Session& session, const ListAsk& ask) {
    auto& console = session.console();
    Table table{{{"NAME"},
                 {.title = "TITLE", .rank = 4, .least = 8},
                 {.title = "YEAR", .rank = 3},
                 {.title = "FROM", .rank = 5},
                 {.title = "TO", .rank = 5},
                 {.title = "FUNDER", .rank = 6, .least = 8},
                 {.title = "BUDGET YUAN", .rank = 2, .align = Align::right}}};
    WEIR_CHECK(each_item(session, "/v1/programmes", ask.query(), ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "name"), text_of(one, "title"), text_of(one, "fiscal_year"), day_of(console, one, "effective_from"),
                   last_day_of(console, one, "effective_to"), text_of(one, "funder"), yuan_of(one, "budget")});
    }));
    print(session, table);
    return {};
}

Done show_programme(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(session.get("/v1/programmes/" + percent_encode(ask.name)));
    if (session.printed(reply)) return {};
    auto& console = session.console();
    const auto& programme = reply.value;
    Fields fields;
    for (const auto* name : {"name", "title", "legal_ref", "fiscal_year", "funder"}) fields.add(name, text_of(programme, name));
    fields.add("from", day_of(console, programme, "effective_from"));
    fields.add("to", last_day_of(console, programme, "effective_to"));
    fields.add("budget", yuan_of(programme, "budget") + " yuan");
    fields.add("per entity", yuan_of(programme, "entity_cap") + " yuan");
    fields.add("vouchers last", text_of(programme, "validity_days") + " days");
    for (const auto* name : {"kinds", "registered_in", "sites", "tiers", "models"}) add_allowed(fields, programme, name);
    console.out << fields.text(console.width);
    Table ratio{{{.title = "PAYS", .align = Align::right},
                 {.title = "KINDS", .least = 10},
                 {.title = "CHIPS"},
                 {.title = "CLAUSE", .rank = 2, .least = 12}}};
    for (const auto& line : items_of(programme, "ratio")) {
        const auto* domestic = line.find("domestic");
        const auto* chips = domestic == nullptr || domestic->is_null() ? "any" : flag_of(line, "domestic") ? "domestic" : "other";
        ratio.add({per_cent(integer_of(line, "per_mille")), items_of(line, "kinds").empty() ? "any" : text_of(line, "kinds"), chips,
                   text_of(line, "clause")});
    }
    if (!ratio.empty()) console.out << '\n' << ratio.text(console.width);
    return {};
}

Done award_voucher(Session& session, const AwardAsk& ask) {
    const auto fen = WEIR_TRY(fen_of(ask.amount));
    const auto id = ask.id.empty() ? VoucherId{session.console().new_uid()}.text() : ask.id;
    auto reply = session.change(
        Method::post, "/v1/vouchers",
        Object{}.text("id", id).text("programme", ask.programme).text("organisation", ask.organisation).number("amount", fen).json(), true);
    if (!reply && reply.error().exit == Exit::unknown_outcome)
        reply.error().message += fmt::format("; repeat with: weir voucher award {} {} \"{} fen\" --id {}, which does no harm",
                                             ask.programme, ask.organisation, fen, id);
    if (!reply) return fail(std::move(reply).error());
    print_made(session, *reply, "voucher");
    return {};
}

Done list_vouchers(Session& session, const ListAsk& ask) {
    auto& console = session.console();
    Table table{{{"ID"},
                 {.title = "PROGRAMME", .rank = 4, .least = 8},
                 {.title = "ORGANISATION", .rank = 3, .least = 8},
                 {.title = "AMOUNT YUAN", .rank = 5, .align = Align::right},
                 {.title = "HELD YUAN", .rank = 6, .align = Align::right},
                 {.title = "REDEEMED YUAN", .rank = 7, .align = Align::right},
                 {.title = "LEFT YUAN", .rank = 1, .align = Align::right},
                 {.title = "VALID TO", .rank = 2}}};
    WEIR_CHECK(each_item(session, "/v1/vouchers", ask.query(), ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "id"), text_of(one, "programme"), text_of(one, "organisation"), yuan_of(one, "amount"),
                   yuan_of(one, "held_fen"), yuan_of(one, "redeemed_fen"), yuan_of(one, "left_fen"),
                   last_day_of(console, one, "valid_to")});
    }));
    print(session, table);
    if (!session.json() && table.empty() && !ask.wanted("organisation").empty())
        console.err << fmt::format(
            "weir: no voucher in force of {} is there for you to see; organisations are listed with: weir org list\n",
            visible(ask.wanted("organisation")));
    return {};
}

Done show_voucher(Session& session, const OneAsk& ask) {
    const auto reply = WEIR_TRY(session.get("/v1/vouchers/" + percent_encode(ask.name)));
    if (session.printed(reply)) return {};
    const auto& voucher = reply.value;
    Fields fields;
    for (const auto* name : {"id", "programme", "organisation"}) fields.add(name, text_of(voucher, name));
    fields.add("valid from", day_of(session.console(), voucher, "valid_from"));
    fields.add("valid to", last_day_of(session.console(), voucher, "valid_to"));
    fields.add("amount", yuan_of(voucher, "amount") + " yuan");
    fields.add("held", yuan_of(voucher, "held_fen") + " yuan");
    fields.add("redeemed", yuan_of(voucher, "redeemed_fen") + " yuan");
    if (voucher.find("ended_at") != nullptr) {
        fields.add("ended", time_of(session.console(), voucher, "ended_at"));
        fields.add("expired", yuan_of(voucher, "expired_fen") + " yuan");
    } else {
        fields.add("left", yuan_of(voucher, "left_fen") + " yuan");
    }
    session.console().out << fields.text(session.console().width);
    return {};
}

Done deposit(Session& session, const DepositAsk& ask) {
    const auto fen = WEIR_TRY(fen_of(ask.amount));
    constexpr std::string_view prefix = "trf-";
    const auto given = ask.id.starts_with(prefix) ? ask.id.substr(prefix.size()) : ask.id;
    const auto id = given.empty() ? format_uid(session.console().new_uid()) : given;
    auto reply = session.change(Method::post, "/v1/deposits",
                                Object{}.text("transfer", id).text("organisation", ask.organisation).number("amount", fen).json(), true);
    if (!reply && reply.error().exit == Exit::unknown_outcome)
        reply.error().message +=
            fmt::format("; repeat with: weir deposit {} \"{} fen\" --id {}{}, which does no harm", ask.organisation, fen, prefix, id);
    if (!reply) return fail(std::move(reply).error());
    print_made(session, *reply, "deposit");
    return {};
}

Done show_trial_balance(Session& session, const Nothing&) {
    const auto reply = WEIR_TRY(session.get("/v1/ledger/trial-balance"));
    if (session.printed(reply)) return {};
    auto& console = session.console();
    bool balanced = true;
    for (const auto& sheet : items_of(reply.value, "ledgers")) {
        console.out << fmt::format("ledger {}: {}, {}\n", text_of(sheet, "ledger"), text_of(sheet, "title"),
                                   flag_of(sheet, "balanced") ? "balanced" : "NOT BALANCED");
        balanced = balanced && flag_of(sheet, "balanced");
        Table table{{{"ACCOUNTS OF"},
                     {.title = "COUNT", .rank = 2, .align = Align::right},
                     {.title = "DEBITS HELD", .rank = 3, .align = Align::right},
                     {.title = "CREDITS HELD", .rank = 3, .align = Align::right},
                     {.title = "DEBITS", .align = Align::right},
                     {.title = "CREDITS", .align = Align::right}}};
        const auto add = [&](std::string name, std::string count, const codec::Value& line) {
            table.add({std::move(name), std::move(count), yuan_of(line, "debits_pending"), yuan_of(line, "credits_pending"),
                       yuan_of(line, "debits_posted"), yuan_of(line, "credits_posted")});
        };
        for (const auto& line : items_of(sheet, "lines")) add(text_of(line, "code"), text_of(line, "accounts"), line);
        add("total", "", sheet);
        console.out << table.text(console.width) << '\n';
    }
    console.out << (balanced ? "every ledger balances; amounts are yuan\n" : "");
    if (!balanced)
        return fail(Failure{.exit = Exit::refused, .message = "a ledger does not balance; stop changes and run: weir audit verify"});
    return {};
}

}  // namespace weir::cli
