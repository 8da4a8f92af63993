// Goal: finance reads every account with whose it is; what it says adds up to the trial balance; a site's earnings are its owner's and
// finance's alone.
#include "transport/api/test_books.hpp"
#include "transport/api/test_server.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir::api::test {
namespace {

using testing::HasSubstr;

std::vector<codec::Value> all_items(Town& town, const std::string& person, const std::string& path) {
    std::vector<codec::Value> items;
    std::string cursor;
    do {
        const auto answer =
            town.get(person, path + (path.contains('?') ? "&" : "?") + "limit=3" + (cursor.empty() ? "" : "&cursor=" + cursor));
        EXPECT_EQ(answer.status, 200) << answer.body;
        const auto page = codec::read_json(answer.body);
        if (!page || page->find("items") == nullptr) return items;
        for (const auto& item : *page->find("items")->array()) items.push_back(item);
        cursor = text_of(answer.body, "next_cursor");
    } while (!cursor.empty());
    return items;
}

std::int64_t number(const codec::Value& value, std::string_view name) { return *value.find(name)->integer(); }
std::string text(const codec::Value& value, std::string_view name) { return *value.find(name)->string(); }

TEST(Accounts, AreNamedAndAddUpToTheTrialBalance) {
    Town town;
    ASSERT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201);
    const auto items = all_items(town, "aud", "/v1/ledger/accounts");
    std::set<std::string> ids;
    std::map<std::int64_t, std::array<std::int64_t, 3>> sums;
    for (const auto& one : items) {
        EXPECT_TRUE(ids.insert(text(one, "account")).second) << text(one, "name") << " came twice";
        EXPECT_FALSE(text(one, "name").empty());
        auto& sum = sums[number(one, "ledger")];
        sum[0] += number(one, "debits_posted");
        sum[1] += number(one, "credits_posted");
        sum[2] += number(one, "debits_pending");
    }
    const auto balance = codec::read_json(town.get("aud", "/v1/ledger/trial-balance").body);
    ASSERT_TRUE(balance);
    const auto& sheets = *balance->find("ledgers")->array();
    ASSERT_FALSE(sheets.empty());
    std::int64_t accounts = 0;
    for (const auto& sheet : sheets) {
        EXPECT_EQ(sums[number(sheet, "ledger")][0], number(sheet, "debits_posted")) << text(sheet, "title");
        EXPECT_EQ(sums[number(sheet, "ledger")][1], number(sheet, "credits_posted")) << text(sheet, "title");
        EXPECT_EQ(sums[number(sheet, "ledger")][2], number(sheet, "debits_pending")) << text(sheet, "title");
        for (const auto& line : *sheet.find("lines")->array()) accounts += number(line, "accounts");
    }
    EXPECT_EQ(static_cast<std::int64_t>(items.size()), accounts);
}

TEST(Accounts, OfAnOwnerAreItsOwnAndForFinanceAlone) {
    Town town;
    const auto labs = all_items(town, "aud", "/v1/ledger/accounts?owner=lab");
    ASSERT_FALSE(labs.empty());
    for (const auto& one : labs) EXPECT_EQ(text(one, "owner"), "lab");
    EXPECT_TRUE(std::ranges::any_of(labs, [](const auto& one) { return text(one, "name") == "prepaid balance of lab"; }));
    EXPECT_EQ(town.get("ann", "/v1/ledger/accounts").status, 403);
    const auto id = text(labs.front(), "account");
    EXPECT_EQ(town.get("ann", "/v1/ledger/accounts/" + id + "/transfers").status, 403);
    EXPECT_EQ(town.get("aud", "/v1/ledger/accounts/acc-01kaj3y0000000000000000000/transfers").status, 404);
    EXPECT_EQ(town.get("aud", "/v1/ledger/accounts/nonsense/transfers").status, 404);
}

TEST(Statements, ArePagedToTheEndAndNameTheOtherAccount) {
    TownOptions options;
    options.history = std::make_shared<Books>();
    Town town{options};
    const auto labs = all_items(town, "aud", "/v1/ledger/accounts?owner=lab");
    ASSERT_FALSE(labs.empty());
    const auto path = "/v1/ledger/accounts/" + text(labs.front(), "account") + "/transfers";
    const auto lines = all_items(town, "aud", path);
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(text(lines[2], "transfer"), "trf-1");
    EXPECT_EQ(text(lines[0], "other_name"), text(labs.front(), "name"));
    const auto first = town.get("aud", path + "?limit=2");
    EXPECT_THAT(first.body, HasSubstr("trf-2"));
    EXPECT_THAT(town.get("aud", path + "?limit=2&cursor=" + text_of(first.body, "next_cursor")).body, HasSubstr("trf-1"));
}

TEST(Statements, OfASiteAreForItsOwnerAndForFinance) {
    TownOptions options;
    options.history = std::make_shared<Books>();
    Town town{options};
    const auto told = town.get("aud", "/v1/sites/east/statement");
    EXPECT_EQ(told.status, 200) << told.body;
    EXPECT_THAT(told.body, HasSubstr(R"("earned":600)"));
    EXPECT_EQ(all_items(town, "aud", "/v1/sites/east/statement").size(), 3U);
    const auto refused = town.get("ann", "/v1/sites/east/statement");
    EXPECT_EQ(refused.status, 403) << "ann is a tenant of lab, and east is another's";
    EXPECT_THAT(text_of(refused.body, "detail"), HasSubstr("a role in a project of its owner, owner"));
    EXPECT_EQ(town.get("aud", "/v1/sites/nowhere/statement").status, 404);
    ASSERT_EQ(town.post("root", "/v1/projects", R"({"name":"office","organisation":"owner"})").status, 201);
    ASSERT_EQ(town.ask("root", http::Method::put, "/v1/projects/office/members/ann", R"({"roles":["viewer"]})").status, 200);
    EXPECT_EQ(town.get("ann", "/v1/sites/east/statement").status, 200);
}

}  // namespace
}  // namespace weir::api::test
