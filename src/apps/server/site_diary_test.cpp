// Goal: the operator's log says once what happened to a site, and nothing of what goes as ever.
// Method: entries as the writer makes them are given to the reader that the diary follows; a table of what is said of each.
#include "apps/server/site_diary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::server {
namespace {

using namespace control;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant nine{1'800'000'000'000'000'000};  // 2027-01-15T08:00:00Z
const SiteName east{"east"};

Node node(const std::string& name, bool healthy, const std::string& address = {}) {
    Node made;
    made.name = NodeName{name};
    made.healthy = healthy;
    made.address = address;
    return made;
}

Site site(const SiteName& name) {
    Site made;
    made.name = name;
    return made;
}

std::string session_at(Instant t, std::uint64_t chance) { return format_uid(make_uid(t, 0, chance)); }

class Diary : public testing::Test {
protected:
    Diary() {
        commit(SiteSet{site(east)});
        commit(NodeSet{east, node("n1", true)});
        diary.follow([](const std::string&) {});
    }
    void commit(Event event) {
        auto committed = std::make_shared<Committed>();
        committed->revision = ++revision;
        committed->entries.push_back({revision, nine, "system", std::move(event)});
        committed->bytes = 100;
        reader.take(std::move(committed));
    }
    std::vector<std::string> said() {
        std::vector<std::string> lines;
        diary.follow([&](const std::string& line) { lines.push_back(line); });
        return lines;
    }

    std::uint64_t revision = 0;
    Core core;
    Reader reader{std::move(core), Reader::Kept{.batches = 8, .bytes = 1 << 20}};
    SiteDiary diary{reader};
};

TEST_F(Diary, SaysWhoSpeaksAndWhoFellSilent) {
    const auto first = session_at(nine, 1);
    const auto second = session_at(nine + seconds(90), 2);
    commit(ReportTaken{east, first, 1});
    commit(ReportTaken{east, first, 2});
    EXPECT_THAT(said(), ElementsAre("site east: its agent speaks, which began at 2027-01-15T08:00:00Z"));
    commit(SiteReachable{east, false});
    EXPECT_THAT(said(), ElementsAre("site east is silent: nothing new is placed there, and what runs there is given up once its leases are "
                                    "over; see to its agent and its network"));
    commit(SiteReachable{east, true});
    commit(ReportTaken{east, second, 1});
    EXPECT_THAT(said(), ElementsAre("site east is heard again",
                                    "site east: another run of its agent speaks, which began at 2027-01-15T08:01:30Z"));
    EXPECT_THAT(said(), IsEmpty());
}

TEST_F(Diary, SaysWhichNodesAreUnwellOrGone) {
    commit(NodeSet{east, node("n1", false)});
    commit(NodeSet{east, node("n1", false, "n1")});
    commit(NodeSet{east, node("n1", true, "n1")});
    commit(NodeSet{east, node("n2", true)});
    commit(NodeRemoved{east, NodeName{"n1"}});
    EXPECT_THAT(said(), ElementsAre("site east: node n1 is not healthy and takes nothing new", "site east: node n1 is healthy again",
                                    "site east: node n1 is no longer among its nodes"));
}

TEST_F(Diary, BeginsWithWhatIsKnownAndSaysWhatItMissed) {
    const auto session = session_at(nine, 1);
    commit(ReportTaken{east, session, 1});
    SiteDiary late{reader};
    commit(ReportTaken{east, session, 2});
    late.follow([](const std::string& line) { ADD_FAILURE() << line << ": no other run of the agent"; });

    for (std::uint64_t i = 0; i < 20; ++i) commit(ReportTaken{east, session, 3 + i});
    EXPECT_THAT(said(),
                ElementsAre("what happened to sites in revisions 3 to 24 is not in this log: too much came at once; see weir audit log"));
    commit(SiteReachable{east, false});
    EXPECT_EQ(said().size(), 1U);
}

}  // namespace
}  // namespace weir::server
