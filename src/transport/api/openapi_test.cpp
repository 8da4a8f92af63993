// Goal: the served document tells the truth: every route is in it, and whatever is asked by it, well or badly, is answered
// by a status that it declares and a body of the schema that it gives, and never by a failure of the server.
// Method: requests are generated from the served schemas with a seed, half of them then spoiled.
#include "codec/encode.hpp"
#include "transport/api/test_books.hpp"
#include "transport/api/test_document.hpp"
#include "transport/api/test_server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace weir::api::test {
namespace {

TEST(OpenApi, ListsEveryRoute) {
    Town town;
    const auto document = codec::read_json(town.get("", "/v1/openapi.json").body);
    ASSERT_TRUE(document) << document.error().message << " at " << document.error().column;
    std::vector<std::string> listed;
    for (const auto& [path, operations, at] : *document->find("paths")->object()) {
        for (const auto& [method, operation, where] : *operations.object()) listed.push_back(method + " " + path);
    }
    const std::vector<std::string> golden{"get /healthz",
                                          "get /metrics",
                                          "get /readyz",
                                          "get /v1/audit",
                                          "get /v1/capacity",
                                          "get /v1/catalog",
                                          "post /v1/catalog",
                                          "post /v1/deposits",
                                          "get /v1/jobs",
                                          "post /v1/jobs",
                                          "delete /v1/jobs/{job}",
                                          "get /v1/jobs/{job}",
                                          "get /v1/jobs/{job}/bill",
                                          "get /v1/jobs/{job}/logs",
                                          "delete /v1/jobs/{job}/outputs",
                                          "get /v1/jobs/{job}/outputs",
                                          "get /v1/jobs/{job}/outputs/{path}",
                                          "get /v1/jobs/{job}/why",
                                          "get /v1/jobs/{job}/eta",
                                          "post /v1/jobs/{job}/move",
                                          "post /v1/jobs:estimate",
                                          "post /v1/jobs:batch",
                                          "get /v1/ledger/accounts",
                                          "get /v1/ledger/accounts/{account}/transfers",
                                          "get /v1/ledger/trial-balance",
                                          "put /v1/network/roles/{subject}",
                                          "get /v1/nodes",
                                          "post /v1/objects:compare",
                                          "get /v1/openapi.json",
                                          "get /v1/organisations",
                                          "post /v1/organisations",
                                          "get /v1/organisations/{organisation}",
                                          "get /v1/programmes",
                                          "post /v1/programmes",
                                          "get /v1/programmes/{programme}",
                                          "put /v1/organisations/{organisation}/suspension",
                                          "get /v1/projects",
                                          "post /v1/projects",
                                          "get /v1/projects/{project}",
                                          "post /v1/projects/{project}/blobs",
                                          "get /v1/projects/{project}/data",
                                          "put /v1/projects/{project}/data",
                                          "get /v1/projects/{project}/files",
                                          "post /v1/projects/{project}/files",
                                          "get /v1/projects/{project}/files/{path}",
                                          "put /v1/projects/{project}/members/{subject}",
                                          "get /v1/projects/{project}/receipts/{tree}",
                                          "get /v1/projects/{project}/trees",
                                          "delete /v1/projects/{project}/trees/{tree}",
                                          "get /v1/projects/{project}/trees/{tree}",
                                          "put /v1/projects/{project}/trees/{tree}",
                                          "get /v1/projects/{project}/uploads/{blob}",
                                          "put /v1/projects/{project}/uploads/{blob}",
                                          "get /v1/sites",
                                          "post /v1/sites",
                                          "get /v1/sites/{site}",
                                          "post /v1/sites/{site}/agent-token",
                                          "get /v1/sites/{site}/desired",
                                          "put /v1/sites/{site}/duty",
                                          "get /v1/sites/{site}/nodes",
                                          "get /v1/sites/{site}/statement",
                                          "post /v1/sites/{site}/report",
                                          "get /v1/tokens",
                                          "post /v1/tokens",
                                          "delete /v1/tokens/{token}",
                                          "get /v1/vouchers",
                                          "post /v1/vouchers",
                                          "get /v1/vouchers/{voucher}",
                                          "get /v1/watch",
                                          "get /v1/whoami"};
    const std::set<std::string> have{listed.begin(), listed.end()};
    EXPECT_EQ(have, std::set<std::string>(golden.begin(), golden.end()));
    EXPECT_EQ(have.size(), town.server->router().routes().size());
}

TEST(OpenApi, TellsTheVersionThatHealthAndMetricsTell) {
    Town town;
    const auto document = codec::read_json(town.get("", "/v1/openapi.json").body);
    ASSERT_TRUE(document);
    EXPECT_EQ(*document->find("info")->find("version")->string(), "test");
    EXPECT_EQ(town.get("", "/healthz").body, "ok\nweir test\n");
    EXPECT_NE(town.get("", "/metrics").body.find(R"(weir_build_info{build="test"} 1)"), std::string::npos);
}

/// A log that is always empty.
class EmptyLog final : public LogSource {
    Result<LogPiece, LogError> read(const LogQuery& query) override { return LogPiece{{}, query.offset, true}; }
};

/// A job that has run, was metered and published a checkpoint, so that the schemas of these are shown too.
std::string run_a_job(Town& town) {
    SiteReport report;
    report.nodes = {Town::node("n1"), Town::node("n2")};
    EXPECT_EQ(town.report(report).status, 200);
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    EXPECT_TRUE(town.comes("ann", "/v1/jobs/" + id, R"("state":"placed")"));
    const auto from = floor_seconds(Instant{
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count()});
    town.wall_shift_ns = seconds(600).ns;
    report = SiteReport{};
    report.meters = {{*JobId::parse(id), 1, 0, 1, from + 1, from + 301}};
    report.checkpoints = {{*JobId::parse(id), 1, "step-1", sha256("manifest"), 10}};
    report.tasks = {{*JobId::parse(id), 1, TaskState::running, Reason::none, 0, std::nullopt}};
    const auto answer = town.report(report);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return id;
}

/// Bodies that are good, of operations whose good bodies chance seldom finds; each is spoiled as often as not.
const std::map<std::string, std::string>& good_bodies() {
    static const std::map<std::string, std::string> bodies{
        {"/v1/jobs", Town::job_body()},
        {"/v1/jobs:estimate", Town::job_body()},
        {"/v1/programmes", codec::to_json(Town::programme("p1"))},
        {"/v1/catalog", R"({"model":"X1","vendor":"V","stack":"cuda","domestic":true,"interconnect":"PCIe"})"},
        {"/v1/objects:compare", R"({"catalogue":[{"model":"A100","vendor":"V","stack":"cuda","domestic":true,"interconnect":"PCIe"}],)"
                                R"("organisations":[{"name":"lab","kind":"university"}],"roles":[{"subject":"kim","roles":["auditor"]}],)"
                                R"("projects":[{"name":"vision","organisation":"lab"}],)"
                                R"("sites":[{"name":"east","owner":"owner","region":"cn"}],)"
                                R"("members":[{"project":"vision","subject":"ann","roles":["viewer"]}],"programmes":[)" +
                                    codec::to_json(Town::programme("p1")) + "]}"},
        {"/v1/vouchers", R"({"programme":"p1","organisation":"lab","amount":100})"},
        {"/v1/sites/{site}/report",
         R"({"site":"east","session":"00000000000000000000000002","sequence":1,"meters":[],"checkpoints":[],"tasks":[]})"},
    };
    return bodies;
}

TEST(OpenApi, WhateverIsAskedByItIsAnsweredByIt) {
    TownOptions options;
    options.logs = std::make_shared<EmptyLog>();
    options.history = std::make_shared<Books>();
    Town town{options};
    const auto document = codec::read_json(town.api->openapi());
    ASSERT_TRUE(document) << document.error().message << " at " << document.error().column;
    const Schemas schemas{*document};
    const auto operations = operations_of(*document);
    Maker maker{schemas, 20'261'122};
    maker.learn(R"({"id":")" + run_a_job(town) + R"("})");
    const auto accounts = codec::read_json(town.get("fin", "/v1/ledger/accounts").body);
    ASSERT_TRUE(accounts);
    maker.learn(R"({"id":")" + *accounts->find("items")->array()->front().find("account")->string() + R"("})");
    std::map<std::string, std::map<int, int>> seen;
    std::set<std::string> not_done;
    // What takes bytes, or shows what bytes made, is not met by chance: data_test.cpp carries it out.
    const auto is_of_bytes = [](const std::string& path) {
        constexpr std::array words{"/trees/", "/blobs", "/uploads/", "/files", "/outputs", "/receipts/"};
        return std::ranges::any_of(words, [&](const char* word) { return path.contains(word); });
    };
    for (const auto& operation : operations) {
        if (!is_of_bytes(operation.path)) not_done.insert(operation.method + " " + operation.path);
    }
    // Shown by a catalogue with figures, by a job whose funding does not reach the sites that have room, by one that a voucher
    // helps to pay while it holds cards, and by one that moves (moves_test.cpp).
    const std::set<std::string> elsewhere{"Figure",         "api.ClauseView",  "control.ShareUse", "api.TreeAnswer",
                                          "api.BlobsTaken", "api.LackingBlob", "api.UploadView",   "api.KeptTreeItem",
                                          "api.FileItem",   "api.FileList",    "api.FilesChanged", "api.ReceiptView",
                                          "ErasedCopy",     "TreeSize",        "DropReason",       "Move",
                                          "Arrival",        "MoveDone",        "api.OutputsRefusedView"};
    const auto not_met = [&] {
        std::set<std::string> names;
        for (const auto& [name, schema, at] : *document->find("components")->find("schemas")->object())
            if (!elsewhere.contains(name) && !schemas.has_seen("#/components/schemas/" + name)) names.insert(name);
        return names;
    };
    // Each good body once as it is: what chance does to the town, such as suspending who submits, may spoil it for ever.
    for (const auto& operation : operations) {
        const auto good = good_bodies().find(operation.path);
        if (good == good_bodies().end() || operation.method != "post") continue;
        for (const std::string person : {"root", "ann", "app", "agent"}) {
            const auto answer = town.ask(person, method_of(operation.method), target_of(operation, maker), good->second);
            const auto* declared = operation.value->find("responses")->find(std::to_string(answer.status));
            ASSERT_NE(declared, nullptr) << operation.path << " " << answer.status;
            const auto value = codec::read_json(answer.body);
            ASSERT_TRUE(value) << answer.body;
            const auto& schema = *schemas.resolve(*declared).find("content")->object()->front().value.find("schema");
            ASSERT_EQ(schemas.flaw(*value, schema), "") << operation.path << ": " << answer.body;
            if (answer.status < 300) not_done.erase(operation.method + " " + operation.path);
        }
    }
    for (int i = 0; i < 900 || ((!not_done.empty() || !not_met().empty()) && i < 20'000); ++i) {
        const auto& operation = maker.any(operations);
        const auto target = target_of(operation, maker);
        std::string body;
        if (const auto* wanted = operation.value->find("requestBody")) {
            const auto good = good_bodies().find(operation.path);
            body = good != good_bodies().end() && maker.random().chance(1, 3)
                       ? good->second
                       : maker.json(*wanted->find("content")->object()->front().value.find("schema"));
            if (maker.random().chance(1, 2)) body = maker.spoil(std::move(body));
        }
        const auto person = operation.path.ends_with("/report") || operation.path.ends_with("/desired")
                                ? "agent"
                                : maker.any(std::vector<std::string>{"root", "root", "ann", "own", "fin", "app"});
        const auto answer = town.ask(person, method_of(operation.method), target, body);
        const auto told =
            fmt::format("{} {} {} {}\n{}: {}", person, operation.method, target, body, answer.status, answer.body.substr(0, 600));
        ++seen[operation.method + " " + operation.path][answer.status];
        if (answer.status < 300) {
            not_done.erase(operation.method + " " + operation.path);
            if (operation.method == "post") maker.learn(answer.body);
        }
        ASSERT_LT(answer.status, 500) << told;
        const auto* declared = operation.value->find("responses")->find(std::to_string(answer.status));
        ASSERT_NE(declared, nullptr) << told;
        const auto* content = schemas.resolve(*declared).find("content");
        ASSERT_NE(content, nullptr) << told;
        auto type = std::string{answer.headers.find("Content-Type").value_or("")};
        type = type.substr(0, type.find(';'));
        const auto* form = content->find(type);
        ASSERT_NE(form, nullptr) << type << "\n" << told;
        if (type == "text/plain" || type == "application/octet-stream") continue;
        const auto value = codec::read_json(answer.body);
        ASSERT_TRUE(value) << told;
        ASSERT_EQ(schemas.flaw(*value, *form->find("schema")), "") << told;
        if (answer.status < 400) continue;
        ASSERT_EQ(*value->find("status")->integer(), answer.status) << told;
        ASSERT_TRUE(text_of(answer.body, "type").starts_with("urn:weir:problem:")) << told;
    }
    EXPECT_EQ(not_done, std::set<std::string>{}) << "every operation must have been carried out at least once";
    EXPECT_EQ(not_met(), std::set<std::string>{}) << "each schema must have been made or read";
    for (const auto& operation : operations) {
        const auto& statuses = seen[operation.method + " " + operation.path];
        if (operation.value->find("requestBody") != nullptr) EXPECT_GE(statuses.rbegin()->first, 400) << operation.path;
    }
    EXPECT_EQ(seen.size(), operations.size());
}

}  // namespace
}  // namespace weir::api::test
