#include "transport/http/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <optional>

namespace weir::http {
namespace {

using testing::ElementsAre;

// Goal: a target means one path, or it is refused with its reason.
// Method: a table; the empty fault means that the decoded path is as given.
TEST(Target, IsReadOrRefused) {
    struct Row {
        std::string_view raw;
        std::string_view path;
        std::optional<TargetFault> fault{};
    };
    constexpr auto bad = [](std::string_view raw, TargetFault fault) { return Row{raw, "", fault}; };
    const std::array rows{
        Row{"/", "/"},
        Row{"/v1/jobs", "/v1/jobs"},
        Row{"/v1/jobs/", "/v1/jobs/"},
        Row{"/a%20b/%E5%A0%B0", "/a b/堰"},
        Row{"/a;b=c,d:e@f!$&'()*+", "/a;b=c,d:e@f!$&'()*+"},
        Row{"/%25", "/%"},
        Row{"/...", "/..."},
        Row{"*", "*"},
        Row{"http://host", "/"},
        Row{"HTTP://host:80/v1", "/v1"},
        Row{"https://host?x=1", "/"},
        bad("", TargetFault::not_absolute),
        bad("v1", TargetFault::not_absolute),
        bad("http:///x", TargetFault::not_absolute),
        bad("ftp://host/x", TargetFault::not_absolute),
        bad("/a#b", TargetFault::bad_character),
        bad("/a\\b", TargetFault::bad_character),
        bad("/a\"b", TargetFault::bad_character),
        bad("/\xE5\xA0\xB0", TargetFault::bad_character),
        bad("/a?b=\x01", TargetFault::bad_character),
        bad("/%", TargetFault::bad_escape),
        bad("/%4", TargetFault::bad_escape),
        bad("/%4g", TargetFault::bad_escape),
        bad("/a?b=%zz", TargetFault::bad_escape),
        bad("/%00", TargetFault::bad_text),
        bad("/%0a", TargetFault::bad_text),
        bad("/%ff", TargetFault::bad_text),
        bad("/%c0%af", TargetFault::bad_text),
        bad("/%ed%a0%80", TargetFault::bad_text),
        bad("/?a=%80", TargetFault::bad_text),
        bad("/..", TargetFault::path_escape),
        bad("/a/../b", TargetFault::path_escape),
        bad("/a/./b", TargetFault::path_escape),
        bad("/%2e%2e/etc", TargetFault::path_escape),
        bad("/a/.%2E", TargetFault::path_escape),
        bad("/a%2fb", TargetFault::path_escape),
        bad("/a%5cb", TargetFault::path_escape),
        bad("//", TargetFault::empty_segment),
        bad("//host/a", TargetFault::empty_segment),
        bad("/a//b", TargetFault::empty_segment),
    };
    for (const Row& row : rows) {
        const auto target = parse_target(row.raw);
        if (row.fault) {
            ASSERT_FALSE(target) << row.raw;
            EXPECT_EQ(target.error(), *row.fault) << row.raw;
        } else {
            ASSERT_TRUE(target) << row.raw;
            EXPECT_EQ(target->path, row.path) << row.raw;
        }
    }
}

TEST(Target, AQueryKeepsItsOrderAndItsRepetitions) {
    const auto target = parse_target("/x?a=1&b=&a=2+3%2B4&&c&d=e=f&%E5%A0%B0=%26");
    ASSERT_TRUE(target);
    EXPECT_THAT(target->query, ElementsAre(QueryItem{"a", "1"}, QueryItem{"b", ""}, QueryItem{"a", "2 3+4"}, QueryItem{"c", ""},
                                           QueryItem{"d", "e=f"}, QueryItem{"堰", "&"}));
}

TEST(Target, AQueryHasAtMostSixtyFourParameters) {
    std::string raw = "/x?a";
    for (int i = 1; i < 64; ++i) raw += "&a";
    EXPECT_TRUE(parse_target(raw));
    EXPECT_EQ(parse_target(raw + "&a").error(), TargetFault::too_many_parameters);
}

TEST(Target, WhatIsEncodedComesBack) {
    EXPECT_TRUE(rc::check("encode then parse is the identity", [](const std::vector<std::uint8_t>& codes) {
        std::string text = "x";
        for (const std::uint8_t code : codes) {
            const char c = static_cast<char>(32 + code % 95);
            if (c != '/' && c != '\\') text.push_back(c);
        }
        const auto target = parse_target("/" + percent_encode(text) + "?" + percent_encode(text) + "=" + percent_encode(text));
        RC_ASSERT(target.has_value());
        RC_ASSERT(target->path == "/" + text);
        RC_ASSERT(target->query == (std::vector{QueryItem{text, text}}));
    }));
}

}  // namespace
}  // namespace weir::http
