// Goal: a tree that is taken can be unpacked anywhere and stays in its folder; what cannot is refused with the path.
// Method: a table of bad paths and links, each beside what it must be told; every text is read back.
#include "domain/bundle.hpp"
#include "domain/tree.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

using testing::HasSubstr;

TreeEntry file(const std::string& path, const std::string& bytes = "x") {
    return {path, EntryKind::file, static_cast<std::int64_t>(bytes.size()), sha256(bytes), {}};
}
TreeEntry link(const std::string& path, const std::string& target) { return {path, EntryKind::link, 0, {}, target}; }

std::string refusal(std::vector<TreeEntry> entries) {
    const auto tree = make_tree(std::move(entries));
    return tree ? "taken" : tree.error();
}

TEST(Tree, ItsTextIsCanonicalAndReadBack) {
    auto run = file("run.sh", "echo");
    run.kind = EntryKind::executable;
    const auto tree = make_tree({run, file("a b/c d", "12"), link("lib/current", "2.1 beta"), file("a-b"), file("数据/标签.csv")}).value();
    const auto text = tree_text(tree);
    EXPECT_EQ(parse_tree(text).value(), tree);
    EXPECT_EQ(text, fmt::format("weir-tree 1\n- 2 {} a b/c d\n- 1 {} a-b\nl 11 lib/current 2.1 beta\nx 4 {} run.sh\n- 1 {} 数据/标签.csv\n",
                                sha256("12").text(), sha256("x").text(), sha256("echo").text(), sha256("x").text()));
    EXPECT_EQ(size_of(tree, text.size()), (TreeSize{static_cast<std::int64_t>(8 + text.size()), 5}));
    EXPECT_EQ(find(tree, "a-b")->size, 1);
    EXPECT_EQ(find(tree, "a"), nullptr);
    EXPECT_EQ(parse_tree_name(tree_name(sha256(text))), sha256(text));
    EXPECT_EQ(parse_tree_name(sha256(text).text()), std::nullopt);
}

TEST(Tree, APathThatLeadsOutOrCannotBeKeptIsRefused) {
    const std::vector<std::pair<std::string, std::string>> bad{
        {"", "is empty"},
        {"/etc/passwd", "begins with a slash"},
        {"../x", "has '..' in it"},
        {"a/../../x", "has '..' in it"},
        {"a/./x", "has '.' in it"},
        {"a//x", "has an empty name"},
        {"a/", "has an empty name"},
        {"..", "has '..' in it"},
        {"a\nb", "has a control character"},
        {std::string{"a\0b", 3}, "has a control character"},
        {"caf\xe9", "is not UTF-8"},
        {std::string(256, 'n'), "a name of 256 bytes, at most 255"},
        {std::string(2049, 'n'), "has 2049 bytes, at most 2048"},
    };
    for (const auto& [path, why] : bad) EXPECT_THAT(refusal({file(path)}), HasSubstr(why)) << path;
    EXPECT_THAT(refusal({file("caf\xe9")}), HasSubstr("'caf\\xe9'")) << "the name is shown without harm to the terminal";
    std::string deep = "d";
    for (int i = 1; i < 100; ++i) deep += "/d";
    EXPECT_EQ(refusal({file(deep)}), "taken");
    EXPECT_THAT(refusal({file(deep + "/d")}), HasSubstr("is 101 names deep, at most 100"));
}

TEST(Tree, TwoThingsAtOnePlaceAreRefused) {
    EXPECT_THAT(refusal({file("a"), file("a", "other")}), HasSubstr("'a' is there twice"));
    EXPECT_THAT(refusal({file("a"), file("a-b"), file("a/b")}), HasSubstr("'a' is a file and has files below it"));
    EXPECT_THAT(refusal({link("a", "b"), file("a/x/y")}), HasSubstr("'a' is a link and has files below it"));
    EXPECT_EQ(refusal({file("A"), file("a")}), "taken") << "sites are Linux";
}

TEST(Tree, ALinkStaysInTheFolder) {
    for (const auto& [path, target] : std::vector<std::pair<std::string, std::string>>{
             {"l", "x"}, {"l", "x/y z"}, {"a/l", "../x"}, {"a/b/l", "../../x"}, {"a/l", ".."}}) {
        EXPECT_EQ(refusal({link(path, target)}), "taken") << path << " to " << target;
    }
    const std::vector<std::pair<std::pair<std::string, std::string>, std::string>> bad{
        {{"l", "/etc/passwd"}, "outside of the folder"}, {{"l", "../x"}, "outside of the folder"},
        {{"a/l", "../../x"}, "outside of the folder"},   {{"a/l", "b/../../../x"}, "has '..' in it"},
        {{"l", "b/.."}, "has '..' in it"},               {{"l", ""}, "is empty"},
        {{"l", ".."}, "outside of the folder"},          {{"l", "a\nb"}, "control character"},
    };
    for (const auto& [one, why] : bad) EXPECT_THAT(refusal({link(one.first, one.second)}), HasSubstr(why)) << one.second;
}

TEST(Tree, ATextThatIsNotItsOneFormIsRefused) {
    const auto digest = sha256("x").text();
    const std::string head = "weir-tree 1\n";
    EXPECT_TRUE(parse_tree(head)) << "an empty folder";
    for (const auto& text :
         {std::string{}, std::string{"weir-tree 2\n"}, head + "- 1 " + digest + " a", head + "- 01 " + digest + " a\n",
          head + "- 1 " + digest + " b\n- 1 " + digest + " a\n", head + "- -1 " + digest + " a\n", head + "d 1 " + digest + " a\n",
          head + "- 1 abc a\n", head + "l 9 a b\n", head + "l 1 ab\n", head + "- 99999999999999999999 " + digest + " a\n",
          head + "- 1 " + digest + " a\n\n"}) {
        EXPECT_FALSE(parse_tree(text)) << text;
    }
    EXPECT_THAT(parse_tree(head + "- 9000000000000000 " + digest + " a\n- 9000000000000000 " + digest + " b\n").error(),
                HasSubstr("more than 17592186044416 bytes"));
}

TEST(Bundle, ComesInPiecesOfAnySize) {
    std::string bundle;
    for (const std::string bytes : {"one", "", "three"}) add_to_bundle(bundle, sha256(bytes), bytes);
    for (std::size_t piece = 1; piece <= bundle.size(); ++piece) {
        BundleReader reader;
        std::vector<SmallBlob> blobs;
        for (std::size_t at = 0; at < bundle.size(); at += piece) {
            ASSERT_TRUE(reader.take(std::string_view{bundle}.substr(at, piece)));
            for (auto& blob : reader.release()) blobs.push_back(std::move(blob));
        }
        EXPECT_TRUE(reader.finish());
        ASSERT_EQ(blobs.size(), 3U);
        EXPECT_EQ(blobs[2].bytes, "three");
    }
}

TEST(Bundle, WhatWasWholeBeforeABreakIsGood) {
    std::string bundle;
    for (const std::string bytes : {"one", "two"}) add_to_bundle(bundle, sha256(bytes), bytes);
    BundleReader reader;
    ASSERT_TRUE(reader.take(std::string_view{bundle}.substr(0, bundle.size() - 1)));
    EXPECT_EQ(reader.release().size(), 1U);
    EXPECT_FALSE(reader.finish());
}

TEST(Bundle, OtherBytesThanTheirDigestAndTooManyAreRefused) {
    std::string wrong;
    add_to_bundle(wrong, sha256("one"), "two");
    EXPECT_THAT(BundleReader{}.take(wrong).error(), HasSubstr("its 3 bytes make " + sha256("two").text()));
    EXPECT_THAT(BundleReader{}.take("weir-tree 1\n").error(), HasSubstr("is no bundle"));
    EXPECT_FALSE(BundleReader{}.finish());
    std::string large;
    const std::string bytes(limits::bundle_blob_bytes_max + 1, 'x');
    add_to_bundle(large, sha256(bytes), bytes);
    EXPECT_THAT(BundleReader{}.take(large).error(), HasSubstr("a blob of 262145 bytes is in the bundle, at most 262144"));
    EXPECT_THAT(BundleReader{}.take(std::string(limits::bundle_bytes_max + 1, 'x')).error(), HasSubstr("more than 8388608 bytes"));
}

}  // namespace
}  // namespace weir
