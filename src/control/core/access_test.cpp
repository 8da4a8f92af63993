// Goal: who may do what, what tokens may make of themselves, and how often a key is remembered.
// Method: a small town; each test plays commands as somebody and reads the answer.
#include "control/core/test_town.hpp"

#include <fmt/format.h>

namespace weir::control {
namespace {

TEST(Access, AnotherTenantsThingsAreNotFound) {
    Town town;
    town.deposit(10'000);
    town.must(SetRoles{SubjectName{"bob"}, {}, {Role::finance}});
    const auto token = town.issue("bob");
    const auto job = town.submit(Town::spec());
    const Actor bob{Actor::Kind::subject, SubjectName{"bob"}, token.id, {}};
    EXPECT_EQ(decide(town.core, Request{bob, CancelJob{job}, "", {}}, town.now).answer.error().code, RefusalCode::not_found);
    EXPECT_EQ(decide(town.core, Request{bob, SubmitJob{town.id(), ProjectName{"vision"}, Town::spec(), {}}, "", {}}, town.now)
                  .answer.error()
                  .code,
              RefusalCode::not_found);
    EXPECT_EQ(authenticate(town.core.state, sha256("bob"), town.now)->subject.value, "bob");
    EXPECT_FALSE(authenticate(town.core.state, sha256("other"), town.now));
    town.must(RevokeToken{token.id});
    EXPECT_FALSE(authenticate(town.core.state, sha256("bob"), town.now));
}

TEST(Access, AProjectTrustsSitesThatAreKnown) {
    Town town;
    auto project = town.core.state.projects.at(ProjectName{"vision"});
    project.trusted = {SiteName{"east"}, SiteName{"weat"}};
    const auto refusal = town.refused(SetProject{project});
    EXPECT_EQ(refusal.code, RefusalCode::not_found);
    EXPECT_EQ(refusal.field, "trusted");
    EXPECT_EQ(refusal.message, "trusted names the site weat, which is not known; register it first: weir site set -f FILE");
    project.trusted = {SiteName{"east"}, SiteName{"west"}};
    town.must(SetProject{project});
}

TEST(Access, TheMembersOfAProjectAreBounded) {
    Town town;
    const ProjectName vision{"vision"};
    auto& members = town.core.state.members[vision];
    for (std::size_t i = 0; members.size() < limits::members_per_project_max; ++i)
        members[SubjectName{fmt::format("m{}", i)}] = {Role::viewer};
    const auto refusal = town.refused(SetRoles{SubjectName{"one-more"}, vision, {Role::viewer}});
    EXPECT_EQ(refusal.code, RefusalCode::limit_reached);
    EXPECT_EQ(refusal.message, "there are 1000 members of project vision, at most 1000 are kept; remove one who no longer takes part: weir "
                               "project member PROJECT SUBJECT --none");
    town.must(SetRoles{SubjectName{"m0"}, vision, {Role::member}});
    town.must(SetRoles{SubjectName{"m0"}, vision, {}});
    town.must(SetRoles{SubjectName{"one-more"}, vision, {Role::viewer}});
}

TEST(Access, AnOperatorWhoMayOnlyLookAtAProjectCancelsForTheNetwork) {
    Town town;
    town.deposit(10'000);
    town.must(SetRoles{SubjectName{"olga"}, {}, {Role::operator_}});
    town.must(SetRoles{SubjectName{"olga"}, ProjectName{"vision"}, {Role::viewer}});
    const auto token = town.issue("olga");
    const Actor olga{Actor::Kind::subject, SubjectName{"olga"}, token.id, {}};
    const auto reason_of = [&](JobId job) {
        const auto decision = decide(town.core, Request{olga, CancelJob{job}, "", {}}, town.now);
        return std::get<JobFinished>(decision.events.back()).reason;
    };
    EXPECT_EQ(reason_of(town.submit(Town::spec())), Reason::cancelled_by_operator);
    town.must(SetRoles{SubjectName{"olga"}, ProjectName{"vision"}, {Role::member}});
    EXPECT_EQ(reason_of(town.submit(Town::spec())), Reason::cancelled_by_tenant);
}

TEST(Access, AProviderSeesItsOrganisationAndNoJobOfTheProject) {
    Town town;
    const ProjectName vision{"vision"};
    EXPECT_EQ(town.refused(SetRoles{SubjectName{"paul"}, {}, {Role::provider}}).code, RefusalCode::bad_value) << "of what network?";
    town.must(SetRoles{SubjectName{"paul"}, vision, {Role::provider}});
    const Actor paul{Actor::Kind::subject, SubjectName{"paul"}, town.issue("paul").id, {}};
    EXPECT_TRUE(may_see_organisation_of(town.core.state, paul, vision));
    EXPECT_FALSE(may_see(town.core.state, paul, vision));
    for (const auto action : {Action::see_project, Action::submit, Action::cancel, Action::manage_members}) {
        EXPECT_EQ(permit(town.core.state, paul, action, vision).error().code, RefusalCode::not_found);
    }
    const Actor agent{Actor::Kind::agent, SubjectName{"paul"}, paul.token, SiteName{"east"}};
    EXPECT_FALSE(may_see_organisation_of(town.core.state, agent, vision));
    const Actor nobody{Actor::Kind::subject, SubjectName{"paul"}, TokenId{}, {}};
    EXPECT_FALSE(may_see_organisation_of(town.core.state, nobody, vision)) << "by its token alone";
    town.must(SetRoles{SubjectName{"paul"}, vision, {}});
    EXPECT_FALSE(may_see_organisation_of(town.core.state, paul, vision));
}

// Ids are made by clients, so one that is taken has to be refused; the refusal does not say by what, or whose.
TEST(Access, ATakenIdTellsAStrangerNothing) {
    Town town;
    town.deposit(10'000);
    town.must(SetProject{{ProjectName{"rival"}, OrganisationName{"owner"}, {}, {}, 100}});
    town.must(SetRoles{SubjectName{"eve"}, ProjectName{"rival"}, {Role::member}});
    Token eves;
    eves.id = {make_uid(town.now, 3, 1)};
    eves.subject = SubjectName{"eve"};
    eves.hash = sha256("eve");
    eves.scopes = {Scope::admin};
    town.must(IssueToken{eves});
    Token anns = eves;
    anns.id = {make_uid(town.now, 3, 2)};
    anns.subject = SubjectName{"ann"};
    anns.hash = sha256("ann");
    town.must(IssueToken{anns});
    const Actor eve{Actor::Kind::subject, SubjectName{"eve"}, eves.id, {}};
    const Actor ann{Actor::Kind::subject, SubjectName{"ann"}, anns.id, {}};
    const auto ask = [&](const Actor& who, Command command) {
        return decide(town.core, Request{who, std::move(command), "", {}}, town.now).answer.error();
    };
    const auto job = town.submit(Town::spec());
    const auto refused = ask(eve, SubmitJob{job, ProjectName{"rival"}, Town::spec(), sha256("other")});
    EXPECT_EQ(refused.code, RefusalCode::bad_value);
    EXPECT_EQ(refused.field, "id");
    EXPECT_EQ(refused.message, job.text() + " cannot be used for something new; make a new id");
    EXPECT_EQ(ask(ann, SubmitJob{job, ProjectName{"vision"}, Town::spec(2), sha256("other")}).code,
              RefusalCode::already_exists_different);
    town.must(CancelJob{job});
    EXPECT_EQ(ask(eve, SubmitJob{job, ProjectName{"rival"}, Town::spec(), sha256("other")}).message, refused.message)
        << "nor of a finished one";

    Token mine = eves;
    mine.id = anns.id;
    mine.hash = sha256("new");
    EXPECT_EQ(ask(eve, IssueToken{mine}).code, RefusalCode::bad_value);
    mine.subject = SubjectName{"ann"};
    mine.scopes = {Scope::read};
    EXPECT_EQ(ask(ann, IssueToken{mine}).code, RefusalCode::already_exists_different);
}

TEST(Access, AnotherOrganisationsVoucherIsLikeOneThatNobodyHas) {
    Town town;
    town.deposit(10'000);
    const auto labs = town.award(10'000);
    town.must(SetProject{{ProjectName{"rival"}, OrganisationName{"owner"}, {}, {}, 100}});
    auto spec = Town::spec();
    const auto refusal_of = [&](VoucherId voucher) {
        spec.funding = {{voucher}};
        auto refused = town.refused(SubmitJob{town.id(), ProjectName{"rival"}, spec, sha256("body")});
        EXPECT_EQ(refused.field, "funding[0]");
        return refused.message.replace(refused.message.find(voucher.text()), voucher.text().size(), "V");
    };
    EXPECT_EQ(refusal_of(labs), refusal_of(VoucherId{make_uid(town.now, 9, 9)}));
}

TEST(Access, AnAgentDoesNotLearnWhichJobsThereAre) {
    Town town;
    town.deposit(10'000);
    const auto job = town.submit(Town::spec());
    Token token;
    token.id = {make_uid(town.now, 3, 1)};
    token.hash = sha256("agent");
    token.scopes = {Scope::agent};
    token.site = SiteName{"east"};
    town.must(IssueToken{token});
    const Actor agent{Actor::Kind::agent, {}, token.id, SiteName{"east"}};
    for (const auto id : {job, JobId{make_uid(town.now, 9, 9)}}) {
        EXPECT_EQ(decide(town.core, Request{agent, CancelJob{id}, "", {}}, town.now).answer.error().code, RefusalCode::forbidden);
    }
}

TEST(Jobs, ADeadlineIsNotInThePast) {
    Town town;
    town.deposit(10'000);
    auto spec = Town::spec();
    spec.deadline = town.now;
    const auto refused = town.refused(SubmitJob{town.id(), ProjectName{"vision"}, spec, sha256("body")});
    EXPECT_EQ(refused.field, "deadline");
    EXPECT_EQ(refused.message, "deadline is " + format_utc(town.now) + ", and now it is " + format_utc(town.now) +
                                   "; choose a later time or leave it out");
    spec.deadline = town.now + seconds(1);
    const auto job = town.submit(spec);
    town.wait(10);
    EXPECT_TRUE(town.play(SubmitJob{job, ProjectName{"vision"}, spec, sha256("body")}).answer->repeated)
        << "the same again is the same, whatever the time";
}

TEST(Access, ATokenIssuesItsLikeAndNothingWider) {
    Town town;
    const auto issue = [&](TokenId with, std::uint64_t number, Scope scope) {
        Token token;
        token.id = {make_uid(town.now, 3, number)};
        token.subject = SubjectName{"ann"};
        token.hash = sha256(std::to_string(number));
        token.scopes = {scope};
        const Actor ann{Actor::Kind::subject, token.subject, with, {}};
        const auto decision =
            with == TokenId{} ? town.play(IssueToken{token}) : decide(town.core, Request{ann, IssueToken{token}, "", {}}, town.now);
        return decision.answer.has_value() ? token.id : TokenId{};
    };
    const auto admin = issue({}, 1, Scope::admin);
    const auto write = issue({}, 2, Scope::write);
    const auto read = issue({}, 3, Scope::read);
    EXPECT_NE(issue(admin, 4, Scope::read), TokenId{});
    EXPECT_NE(issue(admin, 4, Scope::write), TokenId{});
    EXPECT_NE(issue(write, 4, Scope::read), TokenId{});
    EXPECT_EQ(issue(write, 4, Scope::admin), TokenId{});
    EXPECT_EQ(issue(read, 4, Scope::write), TokenId{});
    EXPECT_EQ(issue(admin, 4, Scope::agent), TokenId{});
}

TEST(Access, ATokenOfTheSameIdIsIssuedOnceWhateverItsSecret) {
    Town town;
    Token token;
    token.id = {make_uid(town.now, 3, 1)};
    token.subject = SubjectName{"ann"};
    token.hash = sha256("first");
    token.scopes = {Scope::read};
    town.must(IssueToken{token});
    token.hash = sha256("second");
    EXPECT_TRUE(town.play(IssueToken{token}).answer->repeated) << "the server makes a new secret for every request";
    EXPECT_TRUE(authenticate(town.core.state, sha256("first"), town.now));
    EXPECT_FALSE(authenticate(town.core.state, sha256("second"), town.now));
    token.scopes = {Scope::write};
    EXPECT_EQ(town.refused(IssueToken{token}).code, RefusalCode::already_exists_different);
}

// The table of rights, row by row: who may do what in a project of theirs, and in the network.
TEST(Access, TheTableOfRightsIsWhatItSays) {
    struct Row {
        Role role;
        bool in_project;
        std::string_view granted;  // one letter for each action, in the order of the enum; '.' where refused
    };
    // see submit cancel members network manage token award money ledger audit report
    for (const auto& row : std::initializer_list<Row>{
             {Role::owner, true, "sscm........"},      {Role::owner, false, "............"},    {Role::member, true, "ssc........."},
             {Role::viewer, true, "s..........."},     {Role::operator_, false, "s.cm.mt..la."}, {Role::operator_, true, "............"},
             {Role::approver, false, ".......a...."},  {Role::finance, false, "........ml.."},   {Role::auditor, false, "s........la."},
             {Role::provider, true, "............"},    {Role::provider, false, "............"}}) {
        for (std::size_t i = 0; i < row.granted.size(); ++i) {
            EXPECT_EQ(grants(row.role, static_cast<Action>(i + 1), row.in_project), row.granted[i] != '.')
                << boost::describe::enum_to_string(row.role, "") << " action " << i + 1;
        }
    }
}

TEST(Key, TheSameKeyAndBodyGetTheSameAnswer) {
    Town town;
    const SetOrganisation command{{OrganisationName{"new"}, OrganisationKind::startup, "New", "", SizeClass::micro, "", ""}};
    town.play(command, "k1");
    EXPECT_TRUE(town.play(command, "k1").answer->repeated);
    auto decision = decide(town.core, Request{Actor{}, command, "k1", sha256("other")}, town.now);
    EXPECT_EQ(decision.answer.error().code, RefusalCode::key_reused);
}

TEST(Key, ThoseOfASenderAboutNoProjectHaveACapOfTheirOwn) {
    Town town;
    for (std::size_t i = 0; i + 1 < limits::keys_per_sender_max; ++i)
        apply(town.core, KeyRecorded{"system", std::to_string(i), {}, "x", town.now + hours(24), {}}, ++town.revision, town.now);
    const auto set = [&](const std::string& name) {
        return town.play(SetOrganisation{{OrganisationName{name}, OrganisationKind::startup, "New", "", SizeClass::micro, "", ""}}, name);
    };
    EXPECT_TRUE(set("last").answer) << "exactly the cap";
    const auto refused = set("more").answer;
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, RefusalCode::limit_reached);
    EXPECT_FALSE(town.core.state.organisations.contains(OrganisationName{"more"})) << "refused is not done";
    EXPECT_TRUE(town.play(SetRoles{SubjectName{"kim"}, ProjectName{"vision"}, {Role::viewer}}, "of a project").answer);
}

TEST(Key, TheCapIsTheProjectsWhoeverSends) {
    Town town;
    const ProjectName vision{"vision"};
    town.must(SetProject{{ProjectName{"speech"}, OrganisationName{"lab"}, {}, {}, 100}});
    const auto expires_at = town.now + hours(24);
    for (std::size_t i = 0; i + 1 < limits::keys_per_project_max; ++i)
        apply(town.core, KeyRecorded{"subject:bob", std::to_string(i), {}, "x", expires_at, vision}, ++town.revision, town.now);
    const auto set = [&](const std::string& subject, const std::string& project, const std::string& key) {
        return town.play(SetRoles{SubjectName{subject}, ProjectName{project}, {Role::viewer}}, key).answer;
    };
    EXPECT_TRUE(set("kim", "vision", "the last")) << "exactly the cap";
    const auto refused = set("lee", "vision", "one more");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, RefusalCode::limit_reached);
    EXPECT_EQ(refused.error().message,
              "10000 idempotency keys are remembered for project vision, at most 10000 are; wait until some expire, or send without a key");
    EXPECT_FALSE(town.core.state.members.at(vision).contains(SubjectName{"lee"})) << "refused is not done";
    EXPECT_TRUE(set("lee", "speech", "one more")) << "another project has a cap of its own";
    EXPECT_TRUE(set("kim", "vision", "the last")->repeated) << "what is remembered is still answered";
    EXPECT_TRUE(town.play(SetOrganisation{{OrganisationName{"new"}, OrganisationKind::startup, "New", "", SizeClass::micro, "", ""}},
                          "of no project")
                    .answer);

    const auto told = town.core.state.keys_of;
    auto scratch = town.core.state;
    rebuild(scratch);
    EXPECT_EQ(scratch.keys_of, told);

    town.wait(25 * 3600);
    town.must(Tick{});
    EXPECT_TRUE(town.core.state.keys.empty()) << "they expire by event";
    EXPECT_TRUE(town.core.state.keys_of.empty());
    EXPECT_TRUE(set("lee", "vision", "one more"));
}

TEST(Access, TheLastOperatorAndTheLastOwnerStay) {
    Town town;
    town.must(SetRoles{SubjectName{"op"}, ProjectName{}, {Role::operator_}});
    town.must(SetRoles{SubjectName{"bob"}, ProjectName{"vision"}, {Role::owner}});
    EXPECT_EQ(town.refused(SetRoles{SubjectName{"op"}, ProjectName{}, {Role::auditor}}).code, RefusalCode::bad_value);
    town.must(SetRoles{SubjectName{"op2"}, ProjectName{}, {Role::operator_}});
    town.must(SetRoles{SubjectName{"op"}, ProjectName{}, {}});
    Token token;
    token.id = {make_uid(town.now, 5, 1)};
    token.subject = SubjectName{"bob"};
    token.scopes = {Scope::write};
    token.hash = sha256("bob");
    town.must(IssueToken{token});
    const Actor bob{Actor::Kind::subject, token.subject, token.id, {}};
    const auto leave = decide(town.core, {bob, SetRoles{SubjectName{"bob"}, ProjectName{"vision"}, {}}}, town.now);
    ASSERT_FALSE(leave.answer);
    EXPECT_EQ(leave.answer.error().code, RefusalCode::bad_value);
    town.must(SetRoles{SubjectName{"bob"}, ProjectName{"vision"}, {}});  // an operator may
}

TEST(Access, SomebodyWithATokenCanAlwaysRunTheNetwork) {
    Town town;
    town.must(SetRoles{SubjectName{"op"}, ProjectName{}, {Role::operator_}});
    const auto token = town.issue("op");
    town.must(SetRoles{SubjectName{"lni"}, ProjectName{}, {Role::operator_}});  // a slip of the pen: nobody is called so
    EXPECT_EQ(town.refused(SetRoles{SubjectName{"op"}, ProjectName{}, {}}).field, "roles");
    EXPECT_EQ(town.refused(RevokeToken{token.id}).field, "id");
    Token short_lived;
    short_lived.id = {make_uid(town.now, 5, 1)};
    short_lived.subject = SubjectName{"op"};
    short_lived.hash = sha256("an hour");
    short_lived.scopes = {Scope::admin};
    short_lived.expires_at = town.now + hours(1);
    town.must(IssueToken{short_lived});
    EXPECT_EQ(town.refused(RevokeToken{token.id}).field, "id") << "in an hour nobody could";
    town.must(SetRoles{SubjectName{"lin"}, ProjectName{}, {Role::operator_}});
    const auto lins = town.issue("lin");
    town.must(RevokeToken{token.id});
    town.must(SetRoles{SubjectName{"op"}, ProjectName{}, {}});
    EXPECT_EQ(town.refused(RevokeToken{lins.id}).field, "id");
    town.must(SetRoles{SubjectName{"lni"}, ProjectName{}, {}});
}

TEST(Access, WhatIsSetAlreadyIsARepeat) {
    Town town;
    auto project = town.core.state.projects.at(ProjectName{"vision"});
    project.trusted = {SiteName{"gone"}};
    town.core.state.projects.at(project.name) = project;  // of a time when trust was not looked up
    EXPECT_TRUE(town.play(SetProject{project}).answer->repeated);
}

TEST(Access, ATokenOutlivesNoneThatIssuedItAndReadsOnlyWhereThatReads) {
    Town town;
    Token mine;
    mine.id = {make_uid(town.now, 5, 1)};
    mine.subject = SubjectName{"ann"};
    mine.scopes = {Scope::write};
    mine.hash = sha256("mine");
    mine.expires_at = town.now + hours(1);
    town.must(IssueToken{mine});
    const Actor ann{Actor::Kind::subject, mine.subject, mine.id, {}};
    auto next = mine;
    next.id = {make_uid(town.now, 5, 2)};
    next.scopes = {Scope::read};
    next.hash = sha256("next");
    for (const auto& end : {std::optional<Instant>{}, std::optional{town.now + hours(2)}}) {
        next.expires_at = end;
        const auto longer = decide(town.core, {ann, IssueToken{next}}, town.now);
        ASSERT_FALSE(longer.answer);
        EXPECT_EQ(longer.answer.error().field, "expires_at");
    }
    next.expires_at = town.now + hours(1);
    for (const auto& event : decide(town.core, {ann, IssueToken{next}}, town.now).events)
        apply(town.core, event, ++town.revision, town.now);
    const Actor reader{Actor::Kind::subject, next.subject, next.id, {}};
    auto third = next;
    third.id = {make_uid(town.now, 5, 3)};
    EXPECT_FALSE(decide(town.core, {reader, IssueToken{third}}, town.now).answer);
    EXPECT_FALSE(decide(town.core, {reader, RevokeToken{mine.id}}, town.now).answer);
    EXPECT_TRUE(decide(town.core, {reader, RevokeToken{next.id}}, town.now).answer) << "itself it may end";
}

}  // namespace
}  // namespace weir::control
