// Goal: what goes on is told as it happens: watches, long polls, agents' reports, logs.
// Method: a real server; nothing sleeps, every wait ends by an event or by the server's own deadline.
#include "domain/desired_list.hpp"
#include "transport/api/test_server.hpp"
#include "transport/api/watch_turns.hpp"
#include "codec/encode.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace weir::api::test {
namespace {

using http::Method;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Reads events until `enough` says so.
std::vector<http::Event> watch(const Town& town, const std::string& person, const std::string& query,
                               std::function<bool(const std::vector<http::Event>&)> enough,
                               std::vector<std::pair<std::string, std::string>> headers = {}) {
    std::vector<http::Event> events;
    auto peer = town.client(person);
    http::Call call;
    call.target = "/v1/watch" + query;
    call.headers = std::move(headers);
    const auto answer = peer.events(std::move(call), [&](const http::Event& event) {
        events.push_back(event);
        return !enough(events);
    });
    if (answer) ADD_FAILURE() << answer->status << answer->body;
    return events;
}

std::function<bool(const std::vector<http::Event>&)> until(std::size_t count) {
    return [count](const auto& events) { return events.size() >= count; };
}

TEST(Watch, TellsEverybodyWhatIsTheirsInOrder) {
    Town town;
    const auto since = std::to_string(town.reader->revision());
    const auto anns = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto eves = text_of(town.post("eve", "/v1/jobs", Town::job_body("rival")).body, "id");
    ASSERT_EQ(town.ask("ann", Method::del, "/v1/jobs/" + anns).status, 200);
    const auto seen = watch(town, "ann", "?since=" + since, until(2));
    EXPECT_EQ(seen[0].name, "job_submitted");
    EXPECT_EQ(seen[1].name, "job_finished");
    for (const auto& event : seen) {
        EXPECT_THAT(event.data, HasSubstr(anns));
        EXPECT_EQ(event.data.find(eves), std::string::npos);
        EXPECT_THAT(event.data, HasSubstr(R"({"revision":)" + event.id + ","));
    }
    const auto all = watch(town, "aud", "?since=" + since, [&](const auto& events) { return events.back().name == "job_finished"; });
    std::uint64_t last = 0;
    bool saw_eves = false;
    for (const auto& event : all) {
        EXPECT_GT(std::stoull(event.id), last);
        last = std::stoull(event.id);
        saw_eves |= event.data.find(eves) != std::string::npos;
    }
    EXPECT_TRUE(saw_eves);
    const auto one = watch(town, "aud", "?since=" + since + "&job=" + eves, until(1));
    EXPECT_THAT(one[0].data, HasSubstr(eves));
}

TEST(Watch, TellsOfASiteOfANounOrOfAKindAlone) {
    Town town;
    const auto since = std::to_string(town.reader->revision());
    const auto job = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    SiteReport nodes;
    nodes.nodes = {Town::node("n1")};
    ASSERT_EQ(town.report(nodes).status, 200);
    ASSERT_TRUE(town.comes("ann", "/v1/jobs/" + job, R"("state":"placed")"));
    ASSERT_EQ(town.ask("ann", Method::del, "/v1/jobs/" + job).status, 200);
    const auto told = [&](const std::string& query) {
        std::set<std::string> names;
        for (const auto& event : watch(town, "aud", "?since=" + since + query, until(1))) names.insert(event.name);
        return names;
    };
    EXPECT_EQ(told("&type=job_placed"), std::set<std::string>{"job_placed"});
    for (const auto& name : told("&about=node")) EXPECT_THAT(name, StartsWith("node_"));
    for (const auto& name : told("&about=job")) EXPECT_THAT(name, StartsWith("job_"));
    const auto at_site = told("&site=east");
    EXPECT_FALSE(at_site.contains("job_submitted")) << "which happens nowhere";
    EXPECT_EQ(told("&site=east&type=job_placed"), std::set<std::string>{"job_placed"});
    for (const auto* query : {"&site=nowhere", "&type=job", "&about=colours"})
        EXPECT_THAT(town.get("aud", "/v1/watch?since=" + since + query).status, AnyOf(400, 404)) << query;
}

TEST(Watch, GoesOnAfterTheLastEventWithoutGapOrRepetition) {
    Town town;
    const auto since = town.reader->revision();
    std::vector<std::string> ids;
    for (int i = 0; i < 6; ++i) ids.push_back(text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id"));
    std::vector<std::string> told;
    std::string last = std::to_string(since);
    while (told.size() < ids.size()) {
        const auto some = watch(town, "ann", "", until(2), {{"Last-Event-ID", last}});
        for (const auto& event : some) {
            for (const auto& id : ids) {
                if (event.data.find(id) != std::string::npos) told.push_back(id);
            }
        }
        last = some.back().id;
    }
    EXPECT_EQ(told, ids);
}

TEST(Watch, IsWokenByWhatHappensWhileItIsOpen) {
    Town town;
    std::promise<void> open;
    auto watching = std::async(std::launch::async, [&] {
        auto peer = town.client("ann");
        http::Call call;
        call.target = "/v1/watch";
        std::string name;
        http::Consumer consumer;
        consumer.on_head = [&](const http::Answer&) {
            open.set_value();
            return true;
        };
        std::string text;
        consumer.on_piece = [&](std::string_view piece) {
            text += piece;
            return text.find("job_submitted") == std::string::npos;
        };
        [[maybe_unused]] const auto answer = peer.download(std::move(call), std::move(consumer));
        return text;
    });
    open.get_future().wait();
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    EXPECT_THAT(watching.get(), HasSubstr(id));
}

TEST(Watch, ReadsWhatTheReaderHasDroppedFromTheJournal) {
    Town town;
    const auto first = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    // Each answered change is a batch of its own; the reader keeps so many of them.
    for (std::size_t i = 0; i < control::Reader::Kept{}.batches + 10; ++i)
        town.must(control::SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, std::to_string(i), "", SizeClass::small, "", ""}});
    ASSERT_FALSE(town.reader->since(0));
    const auto seen = watch(town, "ann", "?since=0&job=" + first, until(1));
    EXPECT_THAT(seen[0].data, HasSubstr(first));

    const auto other = town.get("ann", fmt::format("/v1/watch?since={}", town.reader->revision() + 1000));
    EXPECT_EQ(other.status, 410);
    EXPECT_EQ(text_of(other.body, "type"), "urn:weir:problem:revision_unknown");
}

/// Views that are built again: they know nothing until `are_there`.
class LateViews final : public History {
public:
    [[nodiscard]] std::uint64_t watermark() const override { return are_there.load() ? UINT64_MAX : 1; }
    Result<std::optional<FinishedJob>, std::string> job(JobId id) override {
        if (!are_there.load()) return std::nullopt;
        FinishedJob old;
        old.job.id = id;
        old.job.project = ProjectName{"vision"};
        return old;
    }
    Result<std::vector<JobSummary>, std::string> list_jobs(const HistoryQuery&) override { return std::vector<JobSummary>{}; }
    Result<std::optional<VoucherView>, std::string> voucher(VoucherId) override { return std::nullopt; }
    Result<std::vector<TransferView>, std::string> transfers(const std::string&, const StatementQuery&) override {
        return std::vector<TransferView>{};
    }
    Result<Earnings, std::string> earnings(const SiteName&, const StatementQuery&) override { return Earnings{}; }
    std::atomic<bool> are_there = false;
};

TEST(Watch, OfAJobThatTheCoreHasForgottenWaitsForTheViewsWhereItMustNotSeeEverything) {
    TownOptions options;
    const auto views = std::make_shared<LateViews>();
    options.history = views;
    Town town{options};
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto since = fmt::format("?since={}", town.reader->revision());
    const auto is_told = [](const auto& events) { return events.back().name == "job_finished"; };
    ASSERT_EQ(town.ask("ann", Method::del, "/v1/jobs/" + id).status, 200);
    const auto is_remembered = [&] {
        return town.reader->ask([&](const control::Core& core) { return core.state.finished.contains(*JobId::parse(id)); });
    };
    for (std::size_t i = 0; i < control::Reader::Kept{}.batches + 10 || is_remembered(); ++i) {
        town.wall_shift_ns += seconds(60).ns;  // Days, in steps that the network follows.
        town.must(control::SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, std::to_string(i), "", SizeClass::small, "", ""}});
    }
    EXPECT_THAT(watch(town, "aud", since, is_told).back().data, HasSubstr(id)) << "who may see everything need not be told whose it is";
    auto anns = std::async(std::launch::async, [&] { return watch(town, "ann", since + "&project=vision", until(1)); });
    // Another watch has passed by meanwhile: hers has met the event, or will with views that are there.
    EXPECT_THAT(watch(town, "aud", since, is_told).back().data, HasSubstr(id));
    views->are_there = true;
    EXPECT_THAT(anns.get()[0].data, HasSubstr(id));
}

TEST(Watch, FeedsAllOfManyThatBeginFarBack) {
    Town town;
    const auto since = town.reader->revision();
    for (std::uint64_t i = 0; i <= live_within; ++i) {
        town.must(control::SetOrganisation{{OrganisationName{"lab"}, OrganisationKind::university, fmt::format("Lab {}", i), "",
                                            SizeClass::small, "cn/sichuan/chengdu", ""}});
    }
    std::vector<std::future<std::string>> last;
    for (std::size_t i = 0; i < catching_up_at_once + 8; ++i) {
        last.push_back(std::async(std::launch::async, [&] {
            return watch(town, "ann", fmt::format("?since={}", since), until(live_within + 1)).back().data;
        }));
    }
    for (auto& one : last) EXPECT_THAT(one.get(), HasSubstr(fmt::format("Lab {}", live_within)));
}

TEST(Watch, SaysWhatToDoWhereTheEventsAreGone) {
    TownOptions options;
    options.has_journal = false;
    Town town{options};
    for (std::size_t i = 0; i < control::Reader::Kept{}.batches + 10; ++i)
        town.must(control::SetOrganisation{
            {OrganisationName{"lab"}, OrganisationKind::university, std::to_string(i), "", SizeClass::small, "", ""}});
    const auto answer = town.get("ann", "/v1/watch?since=1");
    EXPECT_EQ(answer.status, 410);
    EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:revision_gone");
    EXPECT_THAT(answer.body, HasSubstr("read the state again"));
}

TEST(Watch, EndsWithItsToken) {
    Town town;
    const auto made = town.post("ann", "/v1/tokens", R"({"scopes":["read"]})");
    const auto secret = text_of(made.body, "secret");
    auto peer = town.client(secret);
    http::Call call;
    call.target = fmt::format("/v1/watch?since={}", town.reader->revision());
    std::promise<void> open;
    auto watching = std::async(std::launch::async, [&] { return peer.events(std::move(call), [](const http::Event&) { return true; }); });
    ASSERT_EQ(town.ask("ann", Method::del, "/v1/tokens/" + text_of(made.body, "id")).status, 200);
    const auto answer = watching.get();
    ASSERT_TRUE(answer) << answer.error().message;
    // Ended while it was open, or refused because the end came first.
    EXPECT_TRUE(answer->status == 401 || answer->body.find("token") != std::string::npos) << answer->status << answer->body;
}

// ---- agents

Node node(const std::string& name) {
    return {NodeName{name}, {{"A100", 2, MiB{40960}, Slicing::fractional, true}}, MilliCpus{16000}, MiB{65536}, {}, true, "127.0.0.1"};
}

const std::string desired_of_east = "/v1/sites/east/desired?session=" + format_uid({0, 1});

SiteReport report(std::uint64_t sequence) {
    SiteReport made;
    made.site = SiteName{"east"};
    made.session = format_uid({0, 1});
    made.sequence = sequence;
    return made;
}

TEST(Agent, ReportsAreTakenInOrderAndHeartbeatsWriteNothing) {
    Town town;
    auto first = report(1);
    first.nodes = {node("n1"), node("n2")};
    const auto taken = town.post("agent", "/v1/sites/east/report", codec::to_json(first));
    ASSERT_EQ(taken.status, 200) << taken.body;
    const auto answer = codec::decode_json<ReportAnswer>(taken.body, "answer");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->sequence, 1U);
    EXPECT_EQ(answer->lease_ms, 30'000);
    EXPECT_EQ(answer->session_before, "") << "the first that ever spoke for the site";
    EXPECT_THAT(town.get("ann", "/v1/sites/east/nodes").body, HasSubstr(R"("name":"n2")"));
    EXPECT_EQ(town.get("ann", "/v1/nodes").body.find("127.0.0.1"), std::string::npos) << "where ranks meet is the site's business";

    const auto revision = town.reader->revision();
    const auto beat = town.post("agent", "/v1/sites/east/report", codec::to_json(report(1)));
    EXPECT_EQ(beat.status, 200) << beat.body;
    EXPECT_EQ(town.reader->revision(), revision) << "a heartbeat writes nothing";
    const auto gap = town.post("agent", "/v1/sites/east/report", codec::to_json(report(3)));
    EXPECT_EQ(gap.status, 409);
    EXPECT_EQ(text_of(gap.body, "type"), "urn:weir:problem:stale_sequence");
    EXPECT_EQ(town.post("agent", "/v1/sites/west/report", codec::to_json(report(2))).status, 403) << "told by the path, before the body";
    auto of_another = report(2);
    of_another.site = SiteName{"west"};
    EXPECT_EQ(town.post("agent", "/v1/sites/east/report", codec::to_json(of_another)).status, 422);
    EXPECT_EQ(town.post("ann", "/v1/sites/east/report", codec::to_json(report(2))).status, 403);
}

TEST(Agent, ASilencedSiteIsHeardAgainByAHeartbeat) {
    Town town;
    ASSERT_EQ(town.post("agent", "/v1/sites/east/report", codec::to_json(report(1))).status, 200);
    town.must(control::SilenceSite{SiteName{"east"}});
    EXPECT_THAT(town.get("ann", "/v1/sites/east").body, HasSubstr(R"("reachable":false)"));
    ASSERT_EQ(town.post("agent", "/v1/sites/east/report", codec::to_json(report(1))).status, 200);
    EXPECT_THAT(town.get("ann", "/v1/sites/east").body, HasSubstr(R"("reachable":true)"));
}

TEST(Agent, IsToldWhatShouldRunWhenItChanges) {
    Town town;
    auto first = report(1);
    auto ill = node("n2");
    ill.healthy = false;
    first.nodes = {node("n1"), ill};
    ASSERT_EQ(town.post("agent", "/v1/sites/east/report", codec::to_json(first)).status, 200);
    EXPECT_THAT(town.get("ann", "/v1/sites/east").body, HasSubstr(R"("nodes":2,"healthy_nodes":1,)"));
    const auto page_of = [&](const std::string& query) {
        return codec::decode_json<DesiredPage>(town.get("agent", desired_of_east + query).body, "desired").value();
    };
    const auto now = page_of("");
    EXPECT_TRUE(now.full);
    EXPECT_TRUE(now.set.empty());
    EXPECT_EQ(now.digest, Digest{});
    auto asking = std::async(std::launch::async, [&] { return page_of(fmt::format("&since={}&wait_s=20", now.revision)); });
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto told = asking.get();
    EXPECT_FALSE(told.full);
    ASSERT_EQ(told.set.size(), 1U);
    EXPECT_EQ(told.set[0].job.text(), id);
    EXPECT_GT(told.revision, now.revision);
    EXPECT_EQ(told.digest, digest_of(told.set));
    const auto same = page_of(fmt::format("&since={}", told.revision));
    EXPECT_TRUE(same.set.empty()) << "without a wait the answer comes at once";
    EXPECT_EQ(same.digest, told.digest);
    EXPECT_TRUE(page_of(fmt::format("&since={}&wait_s=20", told.revision + 1'000'000)).full) << "of another server: no wait";
    EXPECT_EQ(town.get("agent", desired_of_east + "&after=job").status, 400);
    EXPECT_THAT(town.get("ann", "/v1/jobs/" + id + "/why").body, HasSubstr(R"("waiting":false,"reasons":[{"code":"placed","site":"east")"));
    EXPECT_THAT(town.get("ann", "/v1/projects/vision").body, HasSubstr(R"("use":[{"model":"A100","limit":3000,"used":1000}])"));

    town.must(control::SilenceSite{SiteName{"east"}});
    const auto why = town.get("ann", "/v1/jobs/" + id + "/why").body;
    EXPECT_THAT(why, HasSubstr(R"("code":"site_silent","site":"east")"));
    const auto silent = town.reader->ask([](const control::Core& core) { return core.state.sites.at(SiteName{"east"}).reachable_since; });
    const auto to_second = [](Instant at) { return format_utc({floor_seconds(at) * 1'000'000'000}); };
    EXPECT_THAT(why, HasSubstr("the job goes back to the queue, or ends where its restarts are used up"));
    EXPECT_THAT(why, HasSubstr("not been heard since about " + to_second(silent - seconds(15))));
    EXPECT_THAT(why, HasSubstr("the lease of this task ends at " + to_second(silent + seconds(15))));
    EXPECT_THAT(why, HasSubstr("unless the site is heard before " + to_second(silent + seconds(27))));
}

TEST(Agent, IsUnderstoodInTheProtocolsOfTheReleasesBeforeAndToldOfOthers) {
    Town town;
    const auto secret = town.token_for("", {Scope::agent}, SiteName{"east"});
    const auto ask = [&](const std::string& protocol, const std::string& query = {}) {
        std::vector<std::pair<std::string, std::string>> headers;
        if (!protocol.empty()) headers.emplace_back(agent_protocol::header, protocol);
        return town.ask(secret, http::Method::get, "/v1/sites/east/desired" + query, {}, headers);
    };
    EXPECT_TRUE(codec::decode_json<Desired>(ask("").body, "desired")) << "who does not say speaks the first protocol";
    EXPECT_TRUE(codec::decode_json<Desired>(ask("1").body, "desired"));
    EXPECT_TRUE(codec::decode_json<DesiredPage>(ask("2").body, "desired"));
    EXPECT_TRUE(codec::decode_json<DesiredPage>(ask("3", "?session=" + format_uid({0, 1})).body, "desired"));
    for (const std::string no_session : {"", "?session=", "?session=mine", "?session=01K00000000000000000000000"}) {
        const auto answer = ask("3", no_session);
        EXPECT_EQ(answer.status, 400) << no_session;
        EXPECT_THAT(answer.body, HasSubstr("from protocol 3 on names the session of the agent's reports, a uid")) << no_session;
    }
    const auto answer_in = [&](const std::string& protocol, std::uint64_t sequence) {
        return town.ask(secret, http::Method::post, "/v1/sites/east/report", codec::to_json(report(sequence)),
                        {{std::string{agent_protocol::header}, protocol}}).body;
    };
    EXPECT_EQ(answer_in("2", 1).find("session_before"), std::string::npos) << "older agents take no field that they do not know";
    EXPECT_THAT(answer_in("3", 2), HasSubstr(R"("session_before":"","leases_out":{"lease_ms":30000,)"));
    for (const std::string other : {"0", "5", "4000000000"}) {
        const auto answer = ask(other);
        EXPECT_EQ(answer.status, 400);
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:agent_protocol");
        EXPECT_THAT(answer.body, HasSubstr(fmt::format("speaks protocol {} and this server speaks {} to {}", other, agent_protocol::oldest,
                                                       agent_protocol::newest)));
        const auto report_of_it = town.ask(secret, http::Method::post, "/v1/sites/east/report", codec::to_json(report(1)),
                                           {{std::string{agent_protocol::header}, other}});
        EXPECT_EQ(text_of(report_of_it.body, "type"), "urn:weir:problem:agent_protocol");
    }
    EXPECT_EQ(text_of(ask("two").body, "type"), "urn:weir:problem:bad_parameter");
}

// Found by a review: of two agents of a site both began what was ordered.
TEST(Agent, IsToldNothingMoreOnceALaterOneSpeaks) {
    Town town;
    const auto session = [](std::uint64_t life) { return format_uid({0, life}); };
    const auto speak = [&](std::uint64_t life) {
        auto first = report(1);
        first.session = session(life);
        return town.post("agent", "/v1/sites/east/report", codec::to_json(first)).status;
    };
    const auto secret = town.token_for("", {Scope::agent}, SiteName{"east"});
    const auto ask = [&](std::uint64_t life, const std::string& more = {}) {
        return town.ask(secret, http::Method::get, "/v1/sites/east/desired?session=" + session(life) + more, {},
                        {{std::string{agent_protocol::header}, "3"}});
    };
    EXPECT_EQ(ask(1).status, 200) << "it asks before it speaks";
    ASSERT_EQ(speak(1), 200);
    const auto heard = codec::decode_json<DesiredPage>(ask(1).body, "desired").value();
    EXPECT_EQ(ask(2).status, 200) << "so does the next";
    auto asking = std::async(std::launch::async, [&] { return ask(1, fmt::format("&since={}&wait_s=60", heard.revision)); });
    while (town.get("", "/metrics").body.find("weir_api_waiting 1") == std::string::npos) std::this_thread::yield();
    ASSERT_EQ(speak(2), 200);
    const auto told = asking.get();
    EXPECT_EQ(told.status, 409) << "who waits is told at once";
    EXPECT_EQ(text_of(told.body, "type"), "urn:weir:problem:stale_sequence");
    EXPECT_THAT(told.body, HasSubstr("session " + session(1) + " asks what should run, and session " + session(2)));
    EXPECT_EQ(ask(1).status, 409);
    EXPECT_EQ(ask(2).status, 200);
    // Its session ends with a token of the site; it is the last that spoke all the same.
    const auto made = town.post("root", "/v1/sites/east/agent-token", "{}");
    ASSERT_EQ(town.ask("root", http::Method::del, "/v1/tokens/" + text_of(made.body, "id"), {}).status, 200);
    EXPECT_EQ(ask(1).status, 409);
    EXPECT_EQ(ask(2).status, 200);
}

// Found by a review: a token that was revoked went on hearing orders, with all that a job is given to run.
TEST(Agent, IsToldNothingMoreOnceItsTokenIsRevoked) {
    Town town;
    const auto made = town.post("root", "/v1/sites/east/agent-token", "{}");
    const auto secret = text_of(made.body, "secret");
    const auto ask = [&](const std::string& more) {
        return town.ask(secret, http::Method::get, desired_of_east + more, {}, {{std::string{agent_protocol::header}, "3"}});
    };
    const auto heard = codec::decode_json<DesiredPage>(ask("").body, "desired").value();
    auto asking = std::async(std::launch::async, [&] { return ask(fmt::format("&since={}&wait_s=60", heard.revision)); });
    while (town.get("", "/metrics").body.find("weir_api_waiting 1") == std::string::npos) std::this_thread::yield();
    ASSERT_EQ(town.ask("root", http::Method::del, "/v1/tokens/" + text_of(made.body, "id"), {}).status, 200);
    EXPECT_EQ(asking.get().status, 401);
}

TEST(Agent, ALongPollEndsWhenTheServerStops) {
    auto town = std::make_unique<Town>();
    auto peer = town->client("agent");
    const auto now = codec::decode_json<DesiredPage>(town->get("agent", desired_of_east).body, "desired").value();
    auto asking = std::async(std::launch::async, [&] {
        http::Call call;
        call.target = fmt::format("{}&since={}&wait_s=60", desired_of_east, now.revision);
        call.within = seconds(120);
        return peer.call(std::move(call));
    });
    while (town->get("", "/metrics").body.find("weir_api_waiting 1") == std::string::npos) std::this_thread::yield();
    town->api->stop();
    const auto answer = asking.get();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
}

TEST(Access, WhoWaitedForARevisionIsToldNoneOnceTheTokenHasEnded) {
    const Instant in_an_hour{
        std::chrono::duration_cast<std::chrono::nanoseconds>((std::chrono::system_clock::now() + std::chrono::hours{1}).time_since_epoch())
            .count()};
    for (const bool revoked : {true, false}) {
        TownOptions options;
        options.api.revision_wait = seconds(600);
        Town town{options};
        const auto made = town.post("ann", "/v1/tokens", R"({"scopes":["read"]})");
        const auto secret = revoked ? text_of(made.body, "secret") : town.token_for("ann", {Scope::read}, {}, in_an_hour);
        auto asking = std::async(std::launch::async, [&] { return town.get(secret, "/v1/jobs?min_revision=999999"); });
        while (town.get("", "/metrics").body.find("weir_api_waiting 1") == std::string::npos) std::this_thread::yield();
        if (revoked) {
            ASSERT_EQ(town.ask("ann", Method::del, "/v1/tokens/" + text_of(made.body, "id")).status, 200);
        } else {
            town.wall_shift_ns = hours(2).ns;
        }
        town.api->stop();
        const auto answer = asking.get();
        EXPECT_EQ(answer.status, 401) << answer.body;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:unauthenticated");
    }
}

// ---- logs

/// A log that grows by a line with each look.
class GrowingLog final : public LogSource {
public:
    Result<LogPiece, LogError> read(const LogQuery& query) override {
        const std::lock_guard lock{mutex_};
        asked = query;
        if (is_away) return fail(LogError{LogFault::unavailable, "it is on another machine"});
        if (query.stream == LogStream::stderr_) return fail(LogError{LogFault::unknown, "this task has written nothing there yet"});
        if (query.max_bytes == 0) return LogPiece{{}, query.offset, false};
        text_ += fmt::format("line {}\n", ++lines_);
        const bool ended = lines_ >= 5;
        return LogPiece{text_.substr(std::min<std::size_t>(query.offset, text_.size())), query.offset, ended};
    }
    LogQuery asked;
    std::atomic<bool> is_away = false;

private:
    std::mutex mutex_;
    std::string text_;
    int lines_ = 0;
};

/// A job of ann's that the site east has.
std::string placed_job(Town& town) {
    SiteReport first;
    first.nodes = {{Town::node("n1")}};
    EXPECT_EQ(town.report(std::move(first)).status, 200);
    auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    EXPECT_TRUE(town.comes("ann", "/v1/jobs/" + id, R"("state":"placed")"));
    return id;
}

TEST(Logs, AreReadFromAnOffsetAndFollowedToTheirEnd) {
    TownOptions options;
    options.logs = std::make_shared<GrowingLog>();
    Town town{options};
    const auto id = placed_job(town);
    const auto piece = town.get("ann", "/v1/jobs/" + id + "/logs");
    EXPECT_EQ(piece.status, 200) << piece.body;
    EXPECT_EQ(piece.body, "line 1\n");
    EXPECT_EQ(piece.headers.find("Weir-Log-Next"), "7");
    EXPECT_EQ(piece.headers.find("Weir-Log-Ended"), "false");
    EXPECT_EQ(town.get("ann", "/v1/jobs/" + id + "/logs?follow=true&offset=7").body, "line 2\nline 3\nline 4\nline 5\n");
    EXPECT_EQ(text_of(town.get("ann", "/v1/jobs/" + id + "/logs?stream=stderr").body, "type"), "urn:weir:problem:no_log");
    EXPECT_EQ(town.get("eve", "/v1/jobs/" + id + "/logs").status, 404);
}

/// A log that never ends.
class EndlessLog final : public LogSource {
public:
    Result<LogPiece, LogError> read(const LogQuery& query) override {
        ++looks;
        return LogPiece{"x", query.offset, false};
    }
    std::atomic<int> looks = 0;
};

TEST(Logs, BreakOffOnceTheTokenIsRevoked) {
    const auto log = std::make_shared<EndlessLog>();
    TownOptions options;
    options.logs = log;
    Town town{options};
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto made = town.post("ann", "/v1/tokens", R"({"scopes":["read"]})");
    const auto secret = text_of(made.body, "secret");
    http::Call call;
    call.target = "/v1/jobs/" + id + "/logs?follow=true";
    call.within = seconds(120);
    auto reader = town.client(secret);
    auto following = std::async(std::launch::async, [&] { return reader.call(std::move(call)); });
    while (log->looks == 0) std::this_thread::yield();
    ASSERT_EQ(town.ask("ann", http::Method::del, "/v1/tokens/" + text_of(made.body, "id")).status, 200);
    const auto answer = following.get();
    ASSERT_FALSE(answer) << "a body without its last chunk is no whole log";
    EXPECT_EQ(answer.error().fault, http::CallFault::closed) << answer.error().message;
}

TEST(Logs, OfAJobThatWaitsAreNotThereYetAndSayWhereToAskWhy) {
    TownOptions options;
    options.logs = std::make_shared<GrowingLog>();
    Town town{options};
    const auto id = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    for (const std::string query : {"", "?generation=1", "?node_rank=7", "?follow=false"}) {
        const auto answer = town.get("ann", "/v1/jobs/" + id + "/logs" + query);
        EXPECT_EQ(answer.status, 404) << query;
        EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:not_found");
        EXPECT_EQ(text_of(answer.body, "detail"),
                  id + " was not started yet, so it has printed nothing; it is queued, and why it waits tells: weir job why " + id);
    }
    EXPECT_EQ(town.get("ann", "/v1/jobs/" + id + "/logs?follow=true").status, 200) << "who follows waits with it";
}

TEST(Logs, OutOfReachAreNotWaitedForByWhoFollowsThem) {
    TownOptions options;
    const auto logs = std::make_shared<GrowingLog>();
    logs->is_away = true;
    options.logs = logs;
    Town town{options};
    const auto id = placed_job(town);
    EXPECT_EQ(town.get("ann", "/v1/jobs/" + id + "/logs").status, 503);
    const auto answer = town.get("ann", "/v1/jobs/" + id + "/logs?follow=true");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:log_unavailable");
}

TEST(Logs, WithoutASourceAreRefusedClearly) {
    Town town;
    const auto id = placed_job(town);
    const auto answer = town.get("ann", "/v1/jobs/" + id + "/logs");
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(text_of(answer.body, "type"), "urn:weir:problem:no_log_source");
}

// ---- history

/// Views with one finished job.
class OldJobs final : public History {
public:
    [[nodiscard]] std::uint64_t watermark() const override { return 7; }
    Result<std::vector<JobSummary>, std::string> list_jobs(const HistoryQuery& query) override {
        asked = query;
        if (query.before && !(old.job.id < *query.before)) return std::vector<JobSummary>{};
        if (query.projects && std::ranges::find(*query.projects, old.job.project) == query.projects->end())
            return std::vector<JobSummary>{};
        return std::vector<JobSummary>{old.job};
    }
    Result<std::optional<FinishedJob>, std::string> job(JobId id) override { return id == old.job.id ? std::optional{old} : std::nullopt; }
    Result<std::optional<VoucherView>, std::string> voucher(VoucherId id) override {
        return ended && id == ended->id ? ended : std::nullopt;
    }
    Result<std::vector<TransferView>, std::string> transfers(const std::string&, const StatementQuery&) override {
        return std::vector<TransferView>{};
    }
    Result<Earnings, std::string> earnings(const SiteName&, const StatementQuery&) override { return Earnings{}; }
    FinishedJob old;
    std::optional<VoucherView> ended;
    HistoryQuery asked;
};

TEST(History, TellsOfVouchersThatHaveEnded) {
    TownOptions options;
    const auto views = std::make_shared<OldJobs>();
    views->ended.emplace();
    views->ended->id = *VoucherId::parse("vch-01kaj3y0000000000000000000");
    views->ended->organisation = OrganisationName{"lab"};
    views->ended->amount = Fen{500};
    views->ended->redeemed_fen = Fen{300};
    views->ended->expired_fen = Fen{200};
    views->ended->ended_at = Instant{1'800'000'000'000'000'000};
    options.history = views;
    Town town{options};
    const auto path = "/v1/vouchers/" + views->ended->id.text();
    const auto answer = town.get("ann", path);
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(R"("held_fen":0,"redeemed_fen":300,"left_fen":0,"expired_fen":200,)"
                                       R"("ended_at":"2027-01-15T08:00:00Z")"));
    EXPECT_EQ(answer.headers.find("ETag"), fmt::format("\"r{}-v7\"", town.reader->revision()));
    EXPECT_EQ(town.get("eve", path).status, 404) << "another organisation's";
    EXPECT_EQ(town.get("ann", "/v1/vouchers/vch-01kaj3y0000000000000000001").status, 404);
}

TEST(History, TellsOfJobsThatHaveLeftTheCore) {
    TownOptions options;
    const auto views = std::make_shared<OldJobs>();
    views->old.job.id = *JobId::parse("job-01kaj3y0000000000000000000");
    views->old.job.project = ProjectName{"vision"};
    views->old.job.state = JobState::succeeded;
    views->old.bill = {{1, SiteName{"east"}, "A100", false, Fen{600}, MilliCardSeconds{1000}, Payer::tenant, std::nullopt, Fen{1}}};
    views->old.job.generation = 3;
    views->old.job.site = SiteName{"east"};
    options.history = views;
    const auto logs = std::make_shared<GrowingLog>();
    options.logs = logs;
    Town town{options};
    const auto live = text_of(town.post("ann", "/v1/jobs", Town::job_body()).body, "id");
    const auto page = codec::decode_json<Page<JobSummary>>(town.get("ann", "/v1/jobs").body, "page");
    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 2U);
    EXPECT_EQ(page->items[0].id.text(), live);
    EXPECT_EQ(page->items[1].id, views->old.job.id);
    const auto path = "/v1/jobs/" + views->old.job.id.text();
    EXPECT_THAT(town.get("ann", path).body, HasSubstr(R"("state":"succeeded")"));
    for (const std::string field : {"error_restarts", "fault_restarts", "checkpoints", "usage", "holds", "held_fen", "accrued_fen"}) {
        EXPECT_THAT(town.get("ann", "/v1/jobs/" + live).body, HasSubstr("\"" + field + "\":"));
        EXPECT_THAT(town.get("ann", path).body, Not(HasSubstr(field)))
            << "nobody knows it any more, and a zero would be taken for the truth";
    }
    EXPECT_EQ(town.get("ann", path).headers.find("ETag"), fmt::format("\"r{}-v7\"", town.reader->revision()))
        << "the views' answer changes with them";
    EXPECT_THAT(town.get("ann", path + "/bill").body, HasSubstr(R"("final":true,"lines":[{"generation":1)"));
    EXPECT_EQ(town.get("ann", path + "/logs").body, "line 1\n");
    EXPECT_EQ(logs->asked.generation, 3U);
    EXPECT_EQ(logs->asked.site.value, "east");
    EXPECT_EQ(town.get("eve", path + "/logs").status, 404);
    EXPECT_EQ(town.get("eve", path).status, 404);
    EXPECT_EQ(town.get("eve", "/v1/jobs").body.find("succeeded"), std::string::npos);
    EXPECT_THAT(town.get("", "/metrics").body, HasSubstr("weir_views_revision 7"));
    views->old.job.generation = 0;
    views->old.job.state = JobState::failed;
    views->old.job.reason = Reason::dependency_failed;
    const auto never = town.get("ann", path + "/logs");
    EXPECT_EQ(never.status, 404) << "what never ran printed nothing, and asking again does not help";
    EXPECT_THAT(never.body, HasSubstr("was never started, so it printed nothing; it is failed: dependency_failed"));
}

}  // namespace
}  // namespace weir::api::test
