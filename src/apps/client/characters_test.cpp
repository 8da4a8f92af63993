// Goal: nothing that a terminal would obey passes, whatever the pieces in which it comes; what people write passes as it is.
#include "apps/client/characters.hpp"
#include "codec/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace weir::cli {
namespace {

std::string shown(const std::vector<std::string>& pieces) {
    TerminalText text;
    std::string out;
    for (const auto& piece : pieces) out += text.take(piece);
    return out + text.rest();
}

TEST(TerminalText, WhatATerminalWouldObeyIsSpelled) {
    struct Case {
        std::vector<std::string> pieces;
        const char* shown;
    };
    for (const auto& [pieces, expected] : std::vector<Case>{{{"step 1\nloss\t0.5 算力 é 🙂\n"}, "step 1\nloss\t0.5 算力 é 🙂\n"},
                                                            {{"\x1b[2J\x1b]0;title\x07"}, "\\x1b[2J\\x1b]0;title\\x07"},
                                                            {{"a\x08\x7f"}, "a\\x08\\x7f"},
                                                            {{"\xc2\x9b", "31m"}, "\\u009b31m"},
                                                            {{"\xe2\x80\xae", "evil"}, "\\u202eevil"},
                                                            {{"10 %\r20 %\r", "\ndone\r\n"}, "10 %\n20 %\ndone\n"},
                                                            {{"\xe7", "\xae", "\x97"}, "算"},
                                                            {{"\xe7\xae"}, "\\xe7\\xae"},
                                                            {{"\xff\xc0\xaf\xed\xa0\x80"}, "\\xff\\xc0\\xaf\\xed\\xa0\\x80"},
                                                            {{"\xe7", "a"}, "\\xe7" "a"},
                                                            {{"end\r"}, "end\n"}}) {
        EXPECT_EQ(shown(pieces), expected);
    }
}

TEST(TerminalText, AnyBytesInAnyPiecesAreHarmlessAndTheSame) {
    EXPECT_TRUE(rc::check("any bytes", [](const std::vector<std::string>& pieces) {
        std::string whole;
        for (const auto& piece : pieces) whole += piece;
        const auto out = shown(pieces);
        RC_ASSERT(out == shown({whole}));
        RC_ASSERT(codec::check_utf8(out).good);
        for (std::string_view left = out; !left.empty();) {
            const auto one = character_of(left);
            RC_ASSERT(one.kind == Character::Kind::plain || one.code == '\n' || one.code == '\t');
            left.remove_prefix(one.bytes);
        }
    }));
}

}  // namespace
}  // namespace weir::cli
