#include "control/entry.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::control {
namespace {

using Decoder = Result<Event, codec::Problems> (*)(const codec::Value&);

struct Type {
    std::uint16_t number;
    std::string_view name;
    Decoder decode;
};

template <class T>
Result<Event, codec::Problems> decode_as(const codec::Value& value) {
    auto event = codec::decode<T>(value, "journal");
    if (!event) return fail(std::move(event).error());
    return Event{std::move(*event)};
}

template <class T>
constexpr Type type(std::string_view name) {
    return {T::type, name, &decode_as<T>};
}

constexpr std::array types{
    type<LeaderStarted>("leader_started"),
    type<OrganisationSet>("organisation_set"),
    type<ProjectSet>("project_set"),
    type<RolesSet>("roles_set"),
    type<TokenIssued>("token_issued"),
    type<TokenEnded>("token_ended"),
    type<SiteSet>("site_set"),
    type<NodeSet>("node_set"),
    type<NodeRemoved>("node_removed"),
    type<ReportTaken>("report_taken"),
    type<SiteReachable>("site_reachable"),
    type<ProgrammeOpened>("programme_opened"),
    type<VoucherAwarded>("voucher_awarded"),
    type<VoucherEnded>("voucher_ended"),
    type<LedgerPosted>("ledger_posted"),
    type<JobSubmitted>("job_submitted"),
    type<JobPlaced>("job_placed"),
    type<JobStateChanged>("job_state_changed"),
    type<TaskMetered>("task_metered"),
    type<CheckpointStored>("checkpoint_stored"),
    type<JobRequeued>("job_requeued"),
    type<JobStopOrdered>("job_stop_ordered"),
    type<JobFinished>("job_finished"),
    type<RecordsForgotten>("records_forgotten"),
    type<KeyRecorded>("key_recorded"),
    type<JobMoveOrdered>("job_move_ordered"),
    type<JobMoveReserved>("job_move_reserved"),
    type<JobMovePrepared>("job_move_prepared"),
    type<JobMoved>("job_moved"),
    type<JobMoveEnded>("job_move_ended"),
    type<JobArrived>("job_arrived"),
    type<SiteDutySet>("site_duty_set"),
    type<AcceleratorSet>("accelerator_set"),
    type<OrganisationSuspended>("organisation_suspended"),
    type<TreeKept>("tree_kept"),
    type<TreeDropped>("tree_dropped"),
    type<FilesSet>("files_set"),
    type<OutputsStored>("outputs_stored"),
    type<OutputsDropped>("outputs_dropped"),
    type<DataErased>("data_erased"),
    type<DataQuotaSet>("data_quota_set"),
    type<ReceiptsForgotten>("receipts_forgotten"),
    type<OutputsRefused>("outputs_refused"),
};
static_assert(types.size() == std::variant_size_v<Event>, "every event has a line in the table of types");

const Type* find(std::uint16_t number) {
    for (const auto& entry : types) {
        if (entry.number == number) return &entry;
    }
    return nullptr;
}

/// The envelope's members but the event.
struct Head {
    std::uint64_t revision = 0;
    std::uint16_t type = 0;
    Instant at;
    std::string actor;
};

}  // namespace

std::uint16_t type_of(const Event& event) {
    return std::visit([](const auto& one) { return std::decay_t<decltype(one)>::type; }, event);
}

std::string_view type_name(std::uint16_t type) {
    const auto* known = find(type);
    return known == nullptr ? "unknown" : known->name;
}

void write_entry(const Entry& entry, std::string& out) {
    out += R"({"revision":)";
    codec::write_json(entry.revision, out);
    out += R"(,"type":)";
    codec::write_json(type_of(entry.event), out);
    out += R"(,"at":)";
    codec::write_json(entry.at, out);
    out += R"(,"actor":)";
    codec::write_json(entry.actor, out);
    out += R"(,"event":)";
    std::visit([&](const auto& one) { codec::write_json(one, out); }, entry.event);
    out += '}';
}

Result<Entry, std::string> read_entry(std::string_view text, std::span<const Upcast> steps) {
    // An event of a hundred thousand transfers is a legal line; what bounds it is the store's limit of a record.
    const auto value = codec::read_json(text, {.max_bytes = 64U << 20U, .max_depth = 64, .max_nodes = 50'000'000});
    if (!value) return fail(fmt::format("is no JSON: {}", value.error().message));
    const auto* object = value->object();
    const auto* event = value->find("event");
    Head head;
    codec::Report report{"journal", {}};
    const codec::Place top{report};
    const auto get = [&](std::string_view key, auto& out) {
        const auto* member = value->find(key);
        return member != nullptr && codec::read(*member, top.field(key), out);
    };
    const bool whole = get("revision", head.revision) && get("type", head.type) && get("at", head.at) && get("actor", head.actor);
    if (object == nullptr || object->size() != 5 || event == nullptr || !whole) {
        return fail(report.problems.empty() ? std::string{"is no envelope of revision, type, at, actor and event"}
                                            : codec::describe(report.problems));
    }
    codec::Value of_today;
    auto number = head.type;
    // A copy only where there is something to change: most of a replay's time would go into it.
    if (std::ranges::any_of(steps, [&](const Upcast& step) { return step.from == head.type; })) {
        of_today = *event;
        number = upcast(head.type, of_today, steps);
        event = &of_today;
    }
    const auto* type = find(number);
    if (type == nullptr)
        return fail(
            fmt::format("has the event type {}, which this program does not know; it was written by a newer one: start that", head.type));
    auto decoded = type->decode(*event);
    if (!decoded) return fail(fmt::format("{}: {}", type->name, codec::describe(decoded.error())));
    return Entry{head.revision, head.at, std::move(head.actor), std::move(*decoded)};
}

}  // namespace weir::control
