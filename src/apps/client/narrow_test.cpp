// Goal: 80 columns are what most people have: what they look for is in them, and no card is shown without its mark.
// Method: pictures of whole answers with names as long as real ones.
#include "apps/client/table.hpp"
#include "apps/client/test_rig.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

/// What the command prints on 80 columns.
std::string shown(Rig& rig, const std::vector<std::string>& command) {
    rig.width = 80;
    EXPECT_EQ(rig.run(command), 0) << rig.err;
    std::istringstream lines{rig.out};
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 80U) << line;
    return "\n" + rig.out;
}

std::string job(std::string_view id_end, std::string_view name, std::string_view state, std::string_view reason, std::string_view site) {
    return fmt::format(R"({{"id":"job-01m80b4zf28wdepg48{}","name":"{}","project":"vision-lab","state":"{}","reason":"{}","site":"{}",)"
                       R"("model":"Ascend910B3","emulated":true,"num_nodes":1,"since":"2026-11-21T05:00:00Z"}})", id_end, name, state,
                       reason, site);
}

TEST(Narrow, JobsCanBeToldApart) {
    Rig rig;
    rig.on("GET /v1/jobs", R"({"items":[)" + job("syk99fe8", "train-vision-large-017", "running", "agent_started", "tianfu-cloud") + "," +
                               job("w2xq7c1d", "train-vision-large-018", "succeeded", "exited", "tianfu-edge") + "," +
                               job("0h4rzzb6", "digits", "queued", "submitted", "") + R"(],"revision":1})");
    rig.on("GET /v1/jobs", R"({"items":[)" + job("syk99fe8", "train-vision-large-017", "checkpointing", "lease_lost", "tianfu-cloud") +
                               R"(],"revision":1})");
    EXPECT_EQ(shown(rig, {"job", "list"}), R"(
ID             NAME             STATE      REASON      SITE          SINCE
job…8syk99fe8  trai…-large-017  running    agent_sta…  tianfu-cloud  11-21 05:00
job…8w2xq7c1d  trai…-large-018  succeeded  exited      tianfu-edge   11-21 05:00
job…80h4rzzb6  digits           queued     submitted                 11-21 05:00
)");
    EXPECT_EQ(shown(rig, {"job", "list"}), R"(
ID             NAME         STATE          REASON      SITE          SINCE
job…8syk99fe8  tr…arge-017  checkpointing  lease_lost  tianfu-cloud  11-21 05:00
)");
}

TEST(Narrow, ABillKeepsTheMarkOfACard) {
    Rig rig;
    const auto line = [](std::string_view site, std::string_view model, std::string_view payer, std::string_view lost, int fen) {
        return fmt::format(R"({{"generation":2,"site":"{}","model":"{}","emulated":true,"fen_per_card_hour":1150,"used":360000000,)"
                           R"("payer":"{}","lost":"{}","amount":{}}})", site, model, payer, lost, fen);
    };
    const auto bill = [&](int fen) {
        return fmt::format(R"({{"job":"job-1","final":true,"lines":[{},{}],"paid":[],"revision":4}})",
                           line("tianfu-cloud", "Ascend910B3", "tenant", "", fen),
                           line("tianfu-edge", "H800", "provider", "provider_fault", 0));
    };
    const auto path = std::string{"GET /v1/jobs/"} + job_a + "/bill";
    rig.on(path, bill(1150));
    rig.on(path, bill(123'456'789));
    EXPECT_EQ(shown(rig, {"job", "bill", job_a}), R"(
bill of job-1, final

GEN  SITE      MODEL        CARD-SECONDS  YUAN/HOUR  PAYER     LOST TO      YUAN
  2  t…-cloud  Ascend910B3        360000      11.50  tenant                11.50
               (emulated)
  2  t…u-edge  H800               360000      11.50  provider  provider_…   0.00
               (emulated)
                                                     tenant    in all      11.50
)");
    EXPECT_EQ(shown(rig, {"job", "bill", job_a}), R"(
bill of job-1, final

GEN  SITE          MODEL        CARD-SECONDS  PAYER     LOST TO             YUAN
  2  tianfu-cloud  Ascend910B3        360000  tenant                  1234567.89
                   (emulated)
  2  tianfu-edge   H800               360000  provider  provider_fa…        0.00
                   (emulated)
                                              tenant    in all        1234567.89
)") << "the price goes before the sum does";
}

TEST(Narrow, NodesShowAllOfTheirCards) {
    Rig rig;
    rig.on("GET /v1/nodes", R"({"items":[{"site":"tianfu-cloud","name":"node-0017","cards":[
        {"model":"Ascend910B3","count":8,"memory":"64GiB","slicing":"fractional","emulated":true},
        {"model":"cpu","count":4,"memory":"0MiB","slicing":"exclusive","emulated":true}],
        "cpus":192,"memory":"1536GiB","position":["block-a","rack-1"],"healthy":false,"reachable":true},
        {"site":"pidu-core","name":"n1","cards":[{"model":"A100","count":4,"memory":"0MiB","slicing":"exclusive","emulated":false}],
        "cpus":64,"memory":"512GiB","position":[],"healthy":true,"reachable":false}],"revision":1})");
    EXPECT_EQ(shown(rig, {"node", "list"}), R"(
SITE          NODE       CARDS                       CPUS   MEMORY  STATE
tianfu-cloud  node-0017  8 x Ascend910B3 (emulated)   192  1536GiB  ill
                         in fractions,
                         4 x cpu (emulated)
pidu-core     n1         4 x A100                      64   512GiB  out of reach
)");
}

TEST(Narrow, AWatchedEventGoesOnInTheNextLine) {
    Rig rig;
    rig.on("GET /v1/watch", [&](const auto&) {
        const auto stream = http::Stream::open();
        const auto event = [&](std::string_view name, std::string_view rest) {
            const auto data = fmt::format(R"({{"revision":"12345","at":"2026-11-22T05:00:00Z","event":{{"job":"{}","generation":1,{}}}}})",
                                          job_a, rest);
            (void)stream.push(http::format_event({"5", std::string{name}, data}));
        };
        event("job_placed", R"("placement":{"site":"pidu-core","model":"Ascend910B3","emulated":true,"nodes":[]},"run_for":300)");
        event("job_finished", R"("outcome":"failed","reason":"lease_lost","exit_code":0,"finished_at":"2026-11-22T05:00:00.273559862Z")");
        return Response::events(stream);
    });
    EXPECT_EQ(shown(rig, {"watch", "--since", "4", "--job", job_a}), R"(
05:00:00     12345  job_placed          job=job-01kaj3aaaaaaaaaaaaaaaaaaaa
                                        generation=1
                                        placement=pidu-core/Ascend910B3
                                        (emulated) run_for=300
05:00:00     12345  job_finished        outcome=failed reason=lease_lost
                                        exit_code=0
                                        job=job-01kaj3aaaaaaaaaaaaaaaaaaaa
                                        generation=1 finished_at=05:00:00
)");
}

TEST(Narrow, TheAuditLogSaysWhoAndAboutWhat) {
    Rig rig;
    rig.on("GET /v1/audit", fmt::format(R"({{"items":[
        {{"revision":123456,"type":42,"at":"2026-11-21T05:00:00Z","actor":"agent:tianfu-cloud",
          "event":{{"job":"{}","generation":1,"to":"running"}}}},
        {{"revision":123455,"type":41,"at":"2026-11-21T05:00:00Z","actor":"subject:wang-xiaolei",
          "event":{{"placement":{{"site":"tianfu-cloud","model":"Ascend910B3","emulated":true}}}}}}],"revision":12}})", job_a));
    EXPECT_EQ(shown(rig, {"audit", "log"}), R"(
REVISION  TIME         ACTOR           EVENT              ABOUT
  123456  11-21 05:00  age…anfu-cloud  job_state_changed  job=jo…aaaaaaaaaaaaaaa
                                                          generation=1
                                                          to=running
  123455  11-21 05:00  sub…ng-xiaolei  job_placed         placem…oud/Ascend910B3
                                                          (emulated)
)");
}

TEST(Narrow, TokensKeepTheirIdAndAllTheirScopes) {
    Rig rig;
    rig.on("GET /v1/tokens", R"({"items":[
        {"id":"tok-01m80b4zf28wdepg48syk99fe8","subject":"wang-xiaolei","scopes":["read","write","admin"],
         "issued_at":"2026-11-21T05:00:00Z","expires_at":"2026-12-21T05:00:00Z"},
        {"id":"tok-01m80b4zf28wdepg48w2xq7c1d","site":"tianfu-cloud","scopes":["agent"],
         "issued_at":"2026-11-21T05:00:00Z","expires_at":null}],"revision":1})");
    EXPECT_EQ(shown(rig, {"token", "list"}), R"(
ID                              SUBJECT       SITE          SCOPES    EXPIRES
tok-01m80b4zf28wdepg48syk99fe8  wang-xiaolei                read,     2026-12-21
                                                            write,
                                                            admin
tok-01m80b4zf28wdepg48w2xq7c1d                tianfu-cloud  agent     -
)");
}

TEST(Narrow, ProgrammesKeepTheirDaysAndBudget) {
    Rig rig;
    rig.on("GET /v1/programmes", R"({"items":[
        {"name":"chengdu-compute-2026","title":"成都市算力券实施办法（试行）","fiscal_year":2026,"funder":"chengdu-development-bureau",
         "effective_from":"2025-12-31T16:00:00Z","effective_to":"2026-12-31T16:00:00Z","budget":1000000000}],"revision":1})");
    EXPECT_EQ(shown(rig, {"programme", "list"}), R"(
NAME                  TITLE            YEAR  FROM        TO          BUDGET YUAN
chengdu-compute-2026  成都市算力券实…  2026  2025-12-31  2026-12-31  10000000.00
)");
}

TEST(Narrow, AccountsKeepWhatAStatementIsAskedBy) {
    Rig rig;
    rig.on("GET /v1/ledger/accounts", R"({"items":[
        {"account":"acc-4y6z0ab7r3xkq0c9dn2m5v8t1w","name":"prepaid of sichuan-university-vision-lab","kind":"buyer","debits_pending":12345,
         "credits_pending":0,"debits_posted":100,"credits_posted":1234567},
        {"account":"acc-7q2c0ab7r3xkq0c9dn2m5v8t9z","name":"vch-01m81feacy7wfe5r8n3vq0t2xz of short-2026","kind":"voucher",
         "debits_pending":0,"credits_pending":0,"debits_posted":100,"credits_posted":900}],"revision":1})");
    EXPECT_EQ(shown(rig, {"ledger", "accounts"}), R"(
ACCOUNT                         NAME                            DEBITS   CREDITS
acc-4y6z0ab7r3xkq0c9dn2m5v8t1w  prepaid of                        1.00  12345.67
                                sichuan-university-vision-lab
acc-7q2c0ab7r3xkq0c9dn2m5v8t9z  vch-01m81feacy7wfe5r8n3vq0t2xz    1.00      9.00
                                of short-2026
)");
}

}  // namespace
}  // namespace weir::cli
