#include "apps/client/books.hpp"

#include "apps/client/send.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

using http::percent_encode;

std::string amount(const codec::Value& value, std::string_view key) { return yuan(integer_of(value, key)); }

/// The same, but nothing for zero: of a transfer one side is empty.
std::string side(const codec::Value& value, std::string_view key) {
    return integer_of(value, key) == 0 ? std::string{} : amount(value, key);
}

}  // namespace

Done list_accounts(Session& session, const AccountsAsk& ask) {
    Table table{{{.title = "ACCOUNT", .rank = 2},
                 {.title = "NAME", .rank = 6, .least = 20, .keeps_end = true, .wraps = true, .stays = true},
                 {.title = "KIND", .rank = 5},
                 {.title = "DEBITS HELD", .rank = 4, .align = Align::right},
                 {.title = "CREDITS HELD", .rank = 4, .align = Align::right},
                 {.title = "DEBITS", .align = Align::right},
                 {.title = "CREDITS", .align = Align::right}}};
    WEIR_CHECK(each_item(session, "/v1/ledger/accounts", {{"owner", ask.owner}}, ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "account"), text_of(one, "name"), text_of(one, "kind"), amount(one, "debits_pending"),
                   amount(one, "credits_pending"), amount(one, "debits_posted"), amount(one, "credits_posted")});
    }));
    print(session, table);
    if (!session.json() && table.empty() && !ask.owner.empty())
        session.console().err << fmt::format("weir: no account belongs to {}; an owner is an organisation, a funder, a programme or a "
                                             "control group\n",
                                             visible(ask.owner));
    return {};
}

Done show_account_statement(Session& session, const StatementAsk& ask) {
    auto& console = session.console();
    Table table{{{.title = "TIME"},
                 {.title = "WHAT", .rank = 2},
                 {.title = "DEBIT YUAN", .align = Align::right},
                 {.title = "CREDIT YUAN", .align = Align::right},
                 {.title = "OTHER ACCOUNT", .rank = 3, .least = 16},
                 {.title = "JOB", .rank = 4},
                 {.title = "REVISION", .rank = 5, .align = Align::right}}};
    const auto path = fmt::format("/v1/ledger/accounts/{}/transfers", percent_encode(ask.of));
    WEIR_CHECK(each_item(session, path, {}, ask.most, [&](const codec::Value& one) {
        const auto name = text_of(one, "other_name");
        table.add({time_of(console, one, "at"), text_of(one, "code"), side(one, "debit"), side(one, "credit"),
                   name.empty() ? text_of(one, "other") : name, text_of(one, "job"), text_of(one, "revision")});
    }));
    print(session, table);
    return {};
}

Done show_site_statement(Session& session, const StatementAsk& ask) {
    auto& console = session.console();
    const auto path = fmt::format("/v1/sites/{}/statement", percent_encode(ask.of));
    const auto head = WEIR_TRY(session.get(target_of(path, {{"limit", "1"}})));
    if (!session.json()) {
        Fields fields;
        fields.add("site", text_of(head.value, "site"));
        fields.add("owner", text_of(head.value, "owner"));
        fields.add("jobs metered", text_of(head.value, "jobs"));
        fields.add("card-seconds paid", cards(integer_of(head.value, "used")));
        fields.add("card-seconds lost", cards(integer_of(head.value, "lost")));
        fields.add("earned", money(integer_of(head.value, "earned")));
        console.out << fields.text(console.width);
    }
    Table table{{{.title = "JOB"},
                 {.title = "ENDED", .rank = 2},
                 {.title = "CARD-SECONDS PAID", .rank = 3, .align = Align::right},
                 {.title = "LOST", .rank = 4, .align = Align::right},
                 {.title = "EARNED YUAN", .align = Align::right}}};
    WEIR_CHECK(each_item(session, path, {}, ask.most, [&](const codec::Value& one) {
        table.add({text_of(one, "job"), time_of(console, one, "finished_at"), cards(integer_of(one, "used")),
                   cards(integer_of(one, "lost")), amount(one, "earned")});
    }));
    if (!session.json() && !table.empty()) console.out << '\n' << table.text(console.width);
    return {};
}

}  // namespace weir::cli
