// Goal: what was ever written to a journal can be read for ever, and nobody changes the form of an event without noticing.
// Method: golden/events.jsonl holds one whole event of each type in each form that it ever had. Every line must be readable; the last
// line of a type must be, byte for byte, what today's program writes of a value with nothing left out. WEIR_GOLDEN_NEW=FILE
// writes the lines that are missing to a file, to be looked at and appended.
#include "control/entry.hpp"
#include "filled.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir {
namespace {

using namespace control;

constexpr Instant moment{1'800'000'000'000'000'000};

std::vector<std::string> golden_lines() {
    std::ifstream file{WEIR_GOLDEN_EVENTS};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

std::string text_of(const Entry& entry) {
    std::string text;
    write_entry(entry, text);
    return text;
}

/// The whole form of each type, as today's program writes it.
template <class... E>
std::map<std::uint16_t, std::string> whole_forms(const std::variant<E...>*) {
    return {{E::type, text_of({E::type, moment, "golden", tests::Filler{}.value<E>()})}...};
}

TEST(Golden, EveryFormThatWasEverWrittenIsReadAndTodaysIsTheLast) {
    const auto lines = golden_lines();
    std::map<std::uint16_t, std::string> last;
    for (const auto& line : lines) {
        const auto entry = read_entry(line);
        ASSERT_TRUE(entry) << line << "\n" << entry.error() << "\nan old form needs a step in control/core/upcast.cpp";
        last[type_of(entry->event)] = line;
    }
    const auto today = whole_forms(static_cast<const Event*>(nullptr));
    EXPECT_EQ(today.size(), std::variant_size_v<Event>);
    std::ofstream missing;
    if (const char* path = std::getenv("WEIR_GOLDEN_NEW"); path != nullptr) missing.open(path);
    for (const auto& [type, text] : today) {
        EXPECT_EQ(last[type], text) << type_name(type)
                                    << " has another form than its last line in tests/golden/events.jsonl: make old texts "
                                    << "readable (control/core/upcast.hpp), then append this line; never change or remove one";
        if (missing.is_open() && last[type] != text) missing << text << "\n";
    }
}

// Lines are only added: these are the digests of the file as each release left it, by its number of lines.
TEST(Golden, NoLineIsEverChanged) {
    const std::map<std::size_t, std::string_view> left{
        {25, "bf9b9e15c333a60e6bbda4d95a39e5506811547cf454b1b11c8cdebbc88c4c6c"},
        {28, "09c8c09a4232520c8566fd1cb2f7b81b040f03faff52f7c7934003afdf03c53a"},
        {30, "88b72091afa59a7f176dc8503a9ef6595e10f9fcfc82ab4be852809a4f27f7f1"},
    };
    const auto lines = golden_lines();
    Digest digest;
    for (std::size_t count = 1; count <= lines.size(); ++count) {
        digest = chain(digest, lines[count - 1]);
        if (const auto found = left.find(count); found != left.end())
            EXPECT_EQ(digest.text(), found->second) << "the first " << count << " lines";
    }
    EXPECT_GE(lines.size(), left.rbegin()->first);
}

// An event as a program of long ago might have written it: `where` for site, no name, card-seconds in whole cards.
constexpr std::string_view old_checkpoint =
    R"({"revision":7,"type":900,"at":"2027-01-15T08:00:00Z","actor":"agent:east","event":{"task":"job-01mcc5rpky0000000000000001",)"
    R"("generation":3,"manifest":"d8a94e7d4d72f03a2bc156aa0b84214f0d1a26c32b913094b69e14e2b6e9b067","kib":2}})";
constexpr std::string_view old_site_news =
    R"({"revision":8,"type":24,"at":"2027-01-15T08:00:00Z","actor":"system","event":{"where":"east","why":"silence"}})";

constexpr std::array steps{
    Upcast{900, CheckpointStored::type,
           [](codec::Value& event) {
               rename_field(event, "task", "job");
               add_field(event, "name", codec::Value{std::string{"unnamed"}});
               if (const auto* kib = field_of(event, "kib"); kib != nullptr && kib->integer() != nullptr) {
                   add_field(event, "bytes", codec::Value{*kib->integer() * 1024});
               }
               drop_field(event, "kib");
           }},
    Upcast{SiteReachable::type, SiteReachable::type, [](codec::Value& event) { rename_field(event, "where", "site"); }},
    Upcast{SiteReachable::type, SiteReachable::type,
           [](codec::Value& event) {
               add_field(event, "reachable", codec::Value{false});
               drop_field(event, "why");
           }},
};

TEST(Upcast, AnOldFormIsReadAsTodays) {
    ASSERT_FALSE(read_entry(old_checkpoint)) << "without its step it is an unknown type";
    const auto checkpoint = read_entry(old_checkpoint, steps);
    ASSERT_TRUE(checkpoint) << checkpoint.error();
    const auto& stored = std::get<CheckpointStored>(checkpoint->event);
    EXPECT_EQ(stored.job.text(), "job-01mcc5rpky0000000000000001");
    EXPECT_EQ(stored.generation, 3U);
    EXPECT_EQ(stored.name, "unnamed");
    EXPECT_EQ(stored.bytes, 2048);

    ASSERT_FALSE(read_entry(old_site_news)) << "an old name is not passed over";
    const auto news = read_entry(old_site_news, steps);
    ASSERT_TRUE(news) << news.error();
    EXPECT_EQ(std::get<SiteReachable>(news->event).site, SiteName{"east"});
    EXPECT_FALSE(std::get<SiteReachable>(news->event).reachable);
}

TEST(Upcast, TodaysFormPassesEveryStepUnchanged) {
    for (const auto& line : golden_lines()) {
        const auto with = read_entry(line, steps);
        const auto without = read_entry(line);
        ASSERT_TRUE(with && without) << line;
        EXPECT_EQ(text_of(*with), text_of(*without));
    }
}

TEST(Upcast, AStepThatLeavesAnOldFieldIsNoticed) {
    const std::array half{
        Upcast{SiteReachable::type, SiteReachable::type, [](codec::Value& event) { rename_field(event, "where", "site"); }}};
    const auto news = read_entry(old_site_news, half);
    ASSERT_FALSE(news);
    EXPECT_NE(news.error().find("why"), std::string::npos) << news.error();
}

}  // namespace
}  // namespace weir
