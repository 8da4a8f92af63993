// Fuzzes what an agent may send: whatever a report says, the core takes it or refuses it, and its laws hold.
#include "codec/decode.hpp"
#include "control/core/core.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace weir;
using namespace weir::control;

constexpr Instant start{1'800'000'000'000'000'000};

void play(Core& core, Command command, std::uint64_t& revision) {
    for (const auto& event : decide(core, Request{Actor{}, std::move(command)}, start).events) apply(core, event, ++revision, start);
}

const JobId known_job{make_uid(start, 0, 1)};

/// Chance seldom finds the id of a live job: lines of small generations are about it.
void aim(auto& lines) {
    for (auto& line : lines) {
        if (line.generation <= 3) line.job = known_job;
    }
}

/// A network with one site, on which one job runs.
Core small_network(std::uint64_t& revision) {
    Core core;
    core.catalogue["A100"].model = "A100";
    play(core, SetOrganisation{{OrganisationName{"lab"}, OrganisationKind::university, "", "", SizeClass::small, "", ""}}, revision);
    play(core, SetProject{{ProjectName{"p"}, OrganisationName{"lab"}, {}, {}, 10}}, revision);
    Site site;
    site.name = SiteName{"east"};
    site.owner = OrganisationName{"lab"};
    site.region = "cn";
    site.tariff = {{"A100", Fen{600}}};
    play(core, SetSite{site}, revision);
    SiteReport report;
    report.site = site.name;
    report.session = format_uid({0, 1});
    report.sequence = 1;
    report.nodes = {{NodeName{"n1"}, {{"A100", 2, MiB{1}, Slicing::exclusive, true}}, MilliCpus{8000}, MiB{8192}, {}, true, ""}};
    play(core, report, revision);
    play(core, Deposit{{1ULL << 60U, 1}, OrganisationName{"lab"}, Fen{1'000'000}}, revision);
    play(core, Deposit{make_uid(start, 1, 1), OrganisationName{"lab"}, Fen{1'000'000}}, revision);
    JobSpec spec;
    spec.name = "j";
    spec.run = "x";
    spec.resources.accelerators = {{"A100", MilliCards{1000}, ""}};
    play(core, SubmitJob{known_job, ProjectName{"p"}, spec, {}}, revision);
    for (const auto& event : decide_placements(core, start)) apply(core, event, ++revision, start);
    return core;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto report = codec::decode_json<SiteReport>({reinterpret_cast<const char*>(data), size}, "report");
    if (!report) return 0;
    std::uint64_t revision = 0;
    auto core = small_network(revision);
    aim(report->meters);
    aim(report->checkpoints);
    aim(report->tasks);
    play(core, *report, revision);
    for (const auto& event : decide_placements(core, start)) apply(core, event, ++revision, start);
    play(core, *report, revision);
    report->session = format_uid({1, 0});
    report->sequence = 1;
    play(core, *report, revision);
    if (core.state.ledger_broken || !core.state.ledger.verify().empty()) std::abort();
    return 0;
}
