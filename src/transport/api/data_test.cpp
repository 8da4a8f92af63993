// Goal: what a project sends is kept whole or answered with what lacks; nobody sees another's; what is removed leaves its receipt.
// Method: a real server over a store in memory (a fake of ports/data_store.hpp).
#include "transport/api/test_server.hpp"

#include "domain/bundle.hpp"
#include "domain/tree.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::api::test {
namespace {

using http::Method;
using testing::HasSubstr;
using testing::Not;

class DataApi : public testing::Test {
protected:
    static Tree code(const std::vector<std::pair<std::string, std::string>>& files) {
        std::vector<TreeEntry> entries;
        for (const auto& [path, bytes] : files)
            entries.push_back({path, EntryKind::file, static_cast<std::int64_t>(bytes.size()), sha256(bytes), {}});
        return make_tree(std::move(entries)).value();
    }
    http::Answer send(const std::string& person, Method method, const std::string& target, std::string body) {
        return town.ask(person, method, target, std::move(body), {}, "application/octet-stream");
    }
    http::Answer keep(const Tree& tree, const std::string& person = "ann", const std::string& project = "vision") {
        const auto text = tree_text(tree);
        return town.ask(person, Method::put, fmt::format("/v1/projects/{}/trees/{}", project, tree_name(sha256(text))), text, {},
                        "text/plain");
    }
    void upload(const std::vector<std::string>& blobs) {
        std::string bundle;
        for (const auto& bytes : blobs) add_to_bundle(bundle, sha256(bytes), bytes);
        EXPECT_EQ(send("ann", Method::post, "/v1/projects/vision/blobs", bundle).status, 200);
    }
    Town town;
};

TEST_F(DataApi, ATreeIsAnsweredWithWhatLacksAndKeptOnceItIsThere) {
    const auto tree = code({{"a", "one"}, {"b/c", "two"}, {"b/d", "one"}});
    const auto first = keep(tree);
    EXPECT_EQ(first.status, 200);
    EXPECT_THAT(first.body, HasSubstr(R"("kept":false)"));
    for (const std::string bytes : {"one", "two"}) EXPECT_THAT(first.body, HasSubstr(sha256(bytes).text()));
    upload({"one"});
    EXPECT_THAT(keep(tree).body, Not(HasSubstr(sha256("one").text())));
    upload({"two"});
    EXPECT_EQ(keep(tree).status, 201);
    EXPECT_EQ(keep(tree).status, 200) << "the same again";
    const auto name = tree_name(sha256(tree_text(tree)));
    EXPECT_EQ(town.get("ann", "/v1/projects/vision/trees/" + name).body, tree_text(tree));
    EXPECT_THAT(town.get("ann", "/v1/projects/vision/trees").body, HasSubstr(name));
    EXPECT_THAT(town.get("ann", "/v1/projects/vision/data").body, HasSubstr(R"("trees":1)"));
    EXPECT_EQ(town.get("eve", "/v1/projects/vision/trees/" + name).status, 404);
    EXPECT_THAT(keep(tree, "eve", "rival").body, HasSubstr(sha256("one").text())) << "who knows a digest does not have the file";
}

TEST_F(DataApi, BadManifestsAndBundlesAreRefused) {
    const auto put = [&](const std::string& text, const std::string& name) {
        return town.ask("ann", Method::put, "/v1/projects/vision/trees/" + name, text, {}, "text/plain");
    };
    const auto one = sha256("one").text();
    for (const std::string path : {"../a", "/a", "a/../b", "a\x01"}) {
        const auto text = fmt::format("weir-tree 1\n- 3 {} {}\n", one, path);
        EXPECT_EQ(put(text, tree_name(sha256(text))).status, 422) << path;
    }
    const auto twice = fmt::format("weir-tree 1\n- 3 {} a\n- 3 {} a\n", one, one);
    EXPECT_THAT(put(twice, tree_name(sha256(twice))).body, HasSubstr("there twice"));
    EXPECT_EQ(put("weir-tree 1\n", tree_name(sha256("other"))).status, 422);
    EXPECT_EQ(put("weir-tree 1\n", "nothing").status, 400);
    std::string wrong;
    add_to_bundle(wrong, sha256("one"), "two");
    EXPECT_EQ(send("ann", Method::post, "/v1/projects/vision/blobs", wrong).status, 422);
    EXPECT_EQ(send("eve", Method::post, "/v1/projects/vision/blobs", wrong).status, 404);
    EXPECT_EQ(send("ann-reads", Method::post, "/v1/projects/vision/blobs", wrong).status, 403);
}

TEST_F(DataApi, ALargeFileComesInPiecesAndGoesOnWhereItBrokeOff) {
    const std::string bytes = "0123456789";
    const auto target = fmt::format("/v1/projects/vision/uploads/{}?size=10", sha256(bytes).text());
    EXPECT_THAT(town.get("ann", target).body, HasSubstr(R"("offset":0)"));
    EXPECT_EQ(send("ann", Method::put, target + "&offset=0", "0123").status, 200);
    const auto stale = send("ann", Method::put, target + "&offset=0", "0123");
    EXPECT_EQ(stale.status, 409);
    EXPECT_THAT(stale.body, HasSubstr("4 of 10 bytes are here; go on from there"));
    EXPECT_EQ(send("ann", Method::put, target + "&offset=4", "456789+").status, 422);
    EXPECT_THAT(send("ann", Method::put, target + "&offset=4", "456789").body, HasSubstr(R"("offset":10)"));
    EXPECT_EQ(keep(code({{"large", bytes}})).status, 201);
    const auto sizeless = send("ann", Method::put, target.substr(0, target.find('?')) + "?offset=2", "23");
    EXPECT_EQ(sizeless.status, 422) << "whoever does not say how large it is cannot go on with it";
}

TEST_F(DataApi, TheQuotaAndAFullDiskAreToldWithBothNumbers) {
    EXPECT_EQ(town.ask("ann", Method::put, "/v1/projects/vision/data", R"({"quota_bytes":1000})").status, 403);
    EXPECT_EQ(town.ask("root", Method::put, "/v1/projects/vision/data", R"({"quota_bytes":1000})").status, 200);
    const std::string large(2'000, 'x');
    const auto refused = keep(code({{"large", large}}));
    EXPECT_EQ(refused.status, 429);
    EXPECT_THAT(refused.body, HasSubstr("may keep 1000"));
    std::string bundle;
    add_to_bundle(bundle, sha256(large), large);
    const auto beyond = send("ann", Method::post, "/v1/projects/vision/blobs", bundle);
    EXPECT_EQ(beyond.status, 429) << "what no tree names is bounded too";
    EXPECT_THAT(beyond.body, HasSubstr("2000 may"));
    town.stores.fake(ProjectName{"vision"})->free_bytes = 10;
    const auto full = send("ann", Method::post, "/v1/projects/vision/blobs", bundle);
    EXPECT_EQ(full.status, 507);
    EXPECT_THAT(full.body, HasSubstr("room for 10"));
}

TEST_F(DataApi, FilesAreChangedAsOneAndReadInRanges) {
    const auto put = fmt::format(R"({{"put":[{{"path":"data/a","digest":"{}","size":3}}]}})", sha256("one").text());
    EXPECT_THAT(town.post("ann", "/v1/projects/vision/files", put).body, HasSubstr(R"("lacking":[{)"));
    upload({"one", "two"});
    EXPECT_EQ(town.post("ann", "/v1/projects/vision/files", put).status, 200);
    const auto more = fmt::format(R"({{"put":[{{"path":"data/b","digest":"{}","size":3,"executable":true}}]}})", sha256("two").text());
    EXPECT_EQ(town.post("own", "/v1/projects/vision/files", more).status, 200);
    EXPECT_THAT(town.get("ann", "/v1/projects/vision/files?prefix=data/").body, HasSubstr("data/b"));
    EXPECT_THAT(town.get("ann", "/v1/projects/vision/files?limit=1").body, Not(HasSubstr("data/b")));
    EXPECT_EQ(town.get("ann", "/v1/projects/vision/files/data/a").body, "one");
    const auto range = town.ask("ann", Method::get, "/v1/projects/vision/files/data/a", {}, {{"Range", "bytes=1-"}});
    EXPECT_EQ(range.status, 206);
    EXPECT_EQ(range.body, "ne");
    EXPECT_EQ(range.headers.find("Content-Range"), "bytes 1-2/3");
    EXPECT_EQ(town.ask("ann", Method::get, "/v1/projects/vision/files/data/a", {}, {{"Range", "bytes=3-"}}).status, 416);
    EXPECT_EQ(town.get("ann", "/v1/projects/vision/files/data/c").status, 404);
    EXPECT_EQ(town.get("eve", "/v1/projects/vision/files/data/a").status, 404);
    const auto bad = fmt::format(R"({{"put":[{{"path":"data/a/x","digest":"{}","size":3}}]}})", sha256("one").text());
    EXPECT_THAT(town.post("ann", "/v1/projects/vision/files", bad).body, HasSubstr("is a file and has files below it"));
    EXPECT_THAT(town.post("ann", "/v1/projects/vision/files", R"({"remove":["data/"]})").body, HasSubstr(R"("removed":2)"));
    EXPECT_THAT(town.get("ann", "/v1/projects/vision/files").body, HasSubstr(R"("items":[])"));
}

TEST_F(DataApi, OutputsSayHowLongTheyAreKeptAndWhyTheyAreNot) {
    SiteReport report;
    report.nodes = {Town::node("n1"), Town::node("n2")};
    EXPECT_EQ(town.report(report).status, 200);
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    EXPECT_TRUE(town.comes("ann", "/v1/jobs/" + id, R"("state":"placed")"));
    const auto outputs = "/v1/jobs/" + id + "/outputs";
    EXPECT_THAT(town.get("ann", outputs).body, HasSubstr(R"("items":[])")) << "nothing yet";
    EXPECT_EQ(town.get("eve", outputs).status, 404);
    upload({"one"});
    const auto text = tree_text(code({{"model", "one"}}));
    ASSERT_TRUE(town.stores.fake(ProjectName{"vision"})->put_bytes(sha256(text), text));
    const auto job = *JobId::parse(id);
    report = SiteReport{};
    report.outputs = std::vector{OutputReport{job, 1, "so-far", sha256(text), 100, 1}};
    EXPECT_EQ(town.report(report).status, 200);
    EXPECT_THAT(town.get("ann", outputs).body, HasSubstr(R"("path":"model")"));
    EXPECT_THAT(town.get("ann", outputs).body, HasSubstr(R"("whole":false)"));
    EXPECT_THAT(town.get("ann", outputs).body, HasSubstr(R"("keep":2592000)"));
    EXPECT_THAT(town.get("ann", outputs).body, Not(HasSubstr("keep_until"))) << "the job is not over";
    EXPECT_EQ(town.get("ann", outputs + "/model").body, "one");
    report.outputs = std::vector{OutputReport{job, 1, "so-far", {}, 99, 1, OutputFault::store_full, 10}};
    EXPECT_EQ(town.report(report).status, 200);
    EXPECT_THAT(town.get("ann", outputs).body, HasSubstr(R"("refused":{"fault":"store_full","bytes":99,"bytes_max":10})"));
    EXPECT_EQ(town.get("ann", outputs + "/model").body, "one") << "what was kept before stays";
}

TEST_F(DataApi, WhatIsRemovedIsErasedButForWhatIsStillNamedAndLeavesItsReceipt) {
    const auto first = code({{"shared", "one"}, {"own", "two"}});
    const auto second = code({{"shared", "one"}});
    upload({"one", "two"});
    EXPECT_EQ(keep(first).status, 201);
    EXPECT_EQ(keep(second).status, 201);
    const auto name = tree_name(sha256(tree_text(first)));
    const auto receipt = "/v1/projects/vision/receipts/" + name;
    EXPECT_THAT(town.get("ann", receipt).body, HasSubstr(R"("state":"kept")"));
    EXPECT_EQ(town.ask("ann", Method::del, "/v1/projects/vision/trees/" + name).status, 200);
    EXPECT_THAT(town.get("ann", receipt).body, HasSubstr(R"("state":"dropped")"));
    town.keeper->turn();
    const auto told = town.get("ann", receipt).body;
    EXPECT_THAT(told, HasSubstr(R"("state":"erased")"));
    EXPECT_THAT(told, HasSubstr(R"("by":"ann")"));
    EXPECT_THAT(told, HasSubstr(chain(Digest{}, sha256("two").text()).text())) << "of the one file that it had alone";
    auto store = town.stores.fake(ProjectName{"vision"});
    EXPECT_FALSE(store->fetch_bytes(sha256("two"), 10));
    EXPECT_TRUE(store->fetch_bytes(sha256("one"), 10));
    EXPECT_THAT(keep(first).body, HasSubstr(sha256("two").text())) << "it can come again";
}

}  // namespace
}  // namespace weir::api::test
