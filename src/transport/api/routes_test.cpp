// Goal: what holds for every answer holds for each route: revision, waiting, tags; and for every list: pages and bounds.
// Method: the routes are taken from the served document, so that a new one is tested by being there.
#include "transport/api/test_document.hpp"
#include "transport/api/test_server.hpp"
#include "transport/http/target.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace weir::api::test {
namespace {

using http::Method;

/// A town in which every route that shows one thing has that thing to show.
class FullTown {
public:
    FullTown() : town{hasty()} {
        const auto made = [&](const std::string& person, const std::string& target, const std::string& body) {
            const auto answer = town.post(person, target, body);
            EXPECT_EQ(answer.status, 201) << target << ": " << answer.body;
            return text_of(answer.body, "id");
        };
        town.must(control::OpenProgramme{Town::programme("p1")});
        town.must(control::OpenProgramme{Town::programme("p2")});
        SiteReport nodes;
        nodes.nodes = {Town::node("n1"), Town::node("n2")};
        EXPECT_EQ(town.report(nodes).status, 200);
        for (int i = 0; i < 3; ++i) {
            things["job"] = made("ann", "/v1/jobs", Town::job_body());
            things["voucher"] = made("app", "/v1/vouchers", R"({"programme":"p1","organisation":"lab","amount":1000})");
            town.must(control::KeepTree{ProjectName{"vision"}, sha256(std::to_string(i)), {10, 1}});
            things["token"] = made("root", "/v1/tokens", R"({"scopes":["read"]})");
        }
        made("root", "/v1/sites",
             R"({"name":"west","owner":"owner","region":"cn/sichuan","tariff":[{"model":"A100","fen_per_card_hour":900}]})");
        EXPECT_TRUE(town.comes("root", "/v1/jobs?state=queued", R"("items":[])")) << "all are placed: the town is quiet";
        document = codec::read_json(town.get("", "/v1/openapi.json").body).value();
    }

    /// The pattern with the names of things that are there in its braces.
    [[nodiscard]] std::string target_of(std::string pattern) const {
        for (auto at = pattern.find('{'); at != std::string::npos; at = pattern.find('{')) {
            const auto end = pattern.find('}');
            pattern.replace(at, end - at + 1, things.at(pattern.substr(at + 1, end - at - 1)));
        }
        return pattern;
    }
    /// Patterns of the questions about the state, and what the document says of each.
    [[nodiscard]] std::map<std::string, const Value*> questions() const {
        // The document does not change; the watch and the agent's long question carry revisions in themselves; a log is bytes; statements
        // are the views' and carry their revision (statements_test.cpp).
        // Files and trees are bytes of a store, shown as they are there (data_test.cpp).
        const std::set<std::string> others{"/v1/projects/{project}/trees/{tree}",
                                           "/v1/projects/{project}/uploads/{blob}",
                                           "/v1/projects/{project}/files",
                                           "/v1/projects/{project}/files/{path}",
                                           "/v1/projects/{project}/receipts/{tree}",
                                           "/v1/jobs/{job}/outputs",
                                           "/v1/jobs/{job}/outputs/{path}",
                                           "/v1/openapi.json",
                                           "/v1/watch",
                                           "/v1/sites/{site}/desired",
                                           "/v1/jobs/{job}/logs",
                                           "/v1/ledger/accounts/{account}/transfers",
                                           "/v1/sites/{site}/statement"};
        std::map<std::string, const Value*> found;
        for (const auto& operation : operations_of(document)) {
            if (operation.method == "get" && operation.path.starts_with("/v1/") && !others.contains(operation.path))
                found[operation.path] = operation.value;
        }
        return found;
    }
    static bool takes(const Value& operation, std::string_view parameter) {
        return std::ranges::any_of(*operation.find("parameters")->array(), [&](const Value& one) {
            return one.find("name") != nullptr && *one.find("name")->string() == parameter;
        });
    }

    Town town;
    std::map<std::string, std::string> things{
        {"organisation", "lab"}, {"project", "vision"}, {"site", "east"}, {"programme", "p1"}, {"subject", "ann"}};
    Value document;

private:
    static TownOptions hasty() {
        TownOptions options;
        options.api.revision_wait = milliseconds(20);
        return options;
    }
};

TEST(Routes, EveryAnswerCarriesItsRevisionWaitsForOneAndHasATag) {
    FullTown full;
    auto& town = full.town;
    const auto questions = full.questions();
    EXPECT_GE(questions.size(), 18U);
    std::map<std::string, std::string> tags;
    for (const auto& [pattern, operation] : questions) {
        const auto target = full.target_of(pattern);
        const auto answer = town.get("root", target);
        EXPECT_EQ(answer.status, 200) << target << ": " << answer.body;
        const auto revision = std::string{answer.headers.find("Weir-Revision").value_or("")};
        EXPECT_EQ(revision, std::to_string(town.reader->revision())) << target;
        tags[target] = std::string{answer.headers.find("ETag").value_or("")};
        EXPECT_FALSE(tags[target].empty()) << target;
        for (const auto& had : {tags[target], "\"other\" , W/" + tags[target], std::string{"*"}}) {
            const auto same = town.ask("root", Method::get, target, {}, {{"If-None-Match", had}});
            EXPECT_EQ(same.status, 304) << target << " " << had;
            EXPECT_EQ(same.body, "") << target;
            EXPECT_EQ(same.headers.find("ETag"), tags[target]) << target;
        }
        EXPECT_EQ(town.ask("root", Method::get, target, {}, {{"If-None-Match", "\"other\""}}).status, 200) << target;
        EXPECT_TRUE(FullTown::takes(*operation, "min_revision")) << pattern;
        EXPECT_TRUE(FullTown::takes(*operation, "If-None-Match")) << pattern;
        EXPECT_NE(operation->find("responses")->find("304"), nullptr) << pattern;
        EXPECT_EQ(town.get("root", target + "?min_revision=" + revision).status, 200) << target;
        const auto late = town.get("root", target + "?min_revision=999999999");
        EXPECT_EQ(late.status, 503) << target;
        EXPECT_EQ(text_of(late.body, "type"), "urn:weir:problem:revision_not_reached") << target;
    }
    ASSERT_EQ(town.post("ann", "/v1/jobs", Town::job_body()).status, 201);
    for (const auto& [target, tag] : tags)
        EXPECT_EQ(town.ask("root", Method::get, target, {}, {{"If-None-Match", tag}}).status, 200) << target << " after a change";
}

std::vector<std::string> texts_of(const Value& page) {
    std::vector<std::string> texts;
    for (const auto& item : *page.find("items")->array()) {
        texts.emplace_back();
        codec::write_json(item, texts.back());
    }
    return texts;
}

TEST(Routes, EveryListIsPagedWithoutGapOrRepetitionAndBounded) {
    FullTown full;
    auto& town = full.town;
    const Schemas schemas{full.document};
    std::size_t lists = 0;
    for (const auto& [pattern, operation] : full.questions()) {
        const auto& answer = schemas.resolve(
            *operation->find("responses")->find("200")->find("content")->find("application/json")->find("schema"));
        if (answer.find("properties") == nullptr || answer.find("properties")->find("items") == nullptr) continue;
        ++lists;
        EXPECT_NE(answer.find("properties")->find("next_cursor"), nullptr) << pattern;
        EXPECT_TRUE(FullTown::takes(*operation, "limit")) << pattern;
        EXPECT_TRUE(FullTown::takes(*operation, "cursor")) << pattern;
        const auto target = full.target_of(pattern);
        const auto whole = codec::read_json(town.get("root", target + "?limit=500").body);
        ASSERT_TRUE(whole) << target;
        EXPECT_EQ(whole->find("next_cursor"), nullptr) << target;
        const auto expected = texts_of(*whole);
        EXPECT_GE(expected.size(), 2U) << target << " has too little to be paged";
        std::vector<std::string> walked;
        std::string cursor;
        for (std::size_t pages = 0; pages <= expected.size(); ++pages) {
            const auto one = town.get("root", target + "?limit=1" + (cursor.empty() ? "" : "&cursor=" + cursor));
            const auto page = codec::read_json(one.body);
            ASSERT_TRUE(page) << one.body;
            ASSERT_NE(page->find("items"), nullptr) << one.body;
            const auto items = texts_of(*page);
            EXPECT_LE(items.size(), 1U) << target;
            walked.insert(walked.end(), items.begin(), items.end());
            cursor = text_of(one.body, "next_cursor");
            if (cursor.empty()) break;
        }
        EXPECT_EQ(walked, expected) << target;
        for (const std::string query : {"?limit=0", "?limit=501", "?limit=-1", "?limit=x", "?cursor=zz", "?cursor=c1zz", "?colour=red"}) {
            const auto refused = town.get("root", target + query);
            EXPECT_EQ(refused.status, 400) << target << query;
            EXPECT_EQ(text_of(refused.body, "type"), "urn:weir:problem:bad_parameter") << target << query;
        }
    }
    EXPECT_GE(lists, 9U);
}

/// What a filter of a list looks at: a member of the item, or one of its cards or prices.
std::vector<std::string> seen_by(const std::string& filter, const Value& item) {
    const auto texts = [&](const char* list) {
        std::vector<std::string> all;
        if (const auto* lines = item.find(list)) {
            for (const auto& line : *lines->array()) all.push_back(*line.find("model")->string());
        }
        return all;
    };
    if (filter == "model") return item.find("cards") != nullptr ? texts("cards") : texts("tariff");
    if (filter == "health") return {*item.find("healthy")->boolean() ? "healthy" : "ill"};
    const auto* member = item.find(filter);
    return member != nullptr && member->string() != nullptr ? std::vector{*member->string()} : std::vector<std::string>{};
}

TEST(Routes, EveryFilterOfAListKeepsWhatHasItsValueAndNothingElse) {
    FullTown full;
    auto& town = full.town;
    const std::set<std::string> others{"limit", "cursor", "min_revision", "all", "prefix", "actor", "type", "job", "since", "follow"};
    std::set<std::string> proved;
    for (const auto& [pattern, operation] : full.questions()) {
        if (pattern == "/v1/audit" || pattern == "/v1/ledger/accounts") continue;  // Their filters are not members: see api_test, accounts.
        for (const auto& parameter : *operation->find("parameters")->array()) {
            const auto name = *parameter.find("name")->string();
            if (*parameter.find("in")->string() != "query" || others.contains(name)) continue;
            const auto target = full.target_of(pattern) + (pattern == "/v1/tokens" ? "?all=true&limit=500" : "?limit=500");
            const auto whole = codec::read_json(town.get("root", target).body);
            ASSERT_TRUE(whole && whole->find("items") != nullptr) << target;
            std::set<std::string> values;
            for (const auto& item : *whole->find("items")->array()) {
                for (const auto& value : seen_by(name, item)) values.insert(value);
            }
            values.erase("");  // An empty filter is none.
            for (const auto& value : values) {
                std::vector<std::string> expected;
                for (const auto& item : *whole->find("items")->array()) {
                    const auto seen = seen_by(name, item);
                    if (std::ranges::find(seen, value) == seen.end()) continue;
                    expected.emplace_back();
                    codec::write_json(item, expected.back());
                }
                const auto asked = target + "&" + name + "=" + http::percent_encode(value);
                const auto kept = codec::read_json(town.get("root", asked).body);
                ASSERT_TRUE(kept && kept->find("items") != nullptr) << asked;
                EXPECT_EQ(texts_of(*kept).size(), expected.size()) << asked;
                if (pattern != "/v1/capacity") EXPECT_EQ(texts_of(*kept), expected) << asked;  // Of that the cards are narrowed, too.
                proved.insert(pattern + " " + name);
            }
            const auto none = town.get("root", target + "&" + name + "=nobody-has-this");
            EXPECT_TRUE(none.status == 400 || none.body.contains(R"("items":[])")) << target << " " << name << ": " << none.body;
        }
    }
    for (const auto* one :
         {"/v1/jobs project", "/v1/jobs submitter", "/v1/jobs site", "/v1/jobs state", "/v1/sites owner", "/v1/sites tier",
          "/v1/sites model", "/v1/nodes model", "/v1/nodes health", "/v1/organisations kind", "/v1/projects organisation",
          "/v1/vouchers programme", "/v1/vouchers organisation", "/v1/tokens subject", "/v1/capacity site", "/v1/programmes funder"})
        EXPECT_TRUE(proved.contains(one)) << one;
}

}  // namespace
}  // namespace weir::api::test
