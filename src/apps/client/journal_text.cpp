#include "apps/client/journal_text.hpp"

#include "apps/client/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::cli {
namespace {

constexpr std::size_t postings_shown = 8;

struct Known {
    std::int64_t type;
    std::string_view name;
};

/// Type numbers are never reused, so that a later release can only add to these.
constexpr std::array known{
    Known{1, "leader_started"},   Known{10, "organisation_set"},  Known{11, "project_set"},    Known{12, "roles_set"},
    Known{13, "token_issued"},    Known{14, "token_ended"},       Known{20, "site_set"},       Known{21, "node_set"},
    Known{22, "node_removed"},    Known{23, "report_taken"},      Known{24, "site_reachable"}, Known{30, "programme_opened"},
    Known{31, "voucher_awarded"}, Known{32, "voucher_ended"},     Known{33, "ledger_posted"},  Known{40, "job_submitted"},
    Known{41, "job_placed"},      Known{42, "job_state_changed"}, Known{43, "task_metered"},   Known{44, "checkpoint_stored"},
    Known{45, "job_requeued"},    Known{46, "job_stop_ordered"},  Known{47, "job_finished"},   Known{50, "records_forgotten"},
    Known{51, "key_recorded"},     Known{60, "job_move_ordered"}, Known{61, "job_move_reserved"}, Known{62, "job_move_prepared"},
    Known{63, "job_moved"},        Known{64, "job_move_ended"},   Known{65, "job_arrived"},       Known{66, "site_duty_set"},
    Known{25, "accelerator_set"},   Known{67, "organisation_suspended"},
};

/// What a transfer does: `hold 1.92`, or `redeem 0.03 of 1.92` where the rest of a hold went back.
std::string posting_text(const codec::Value& posting) {
    const auto amount = integer_of(posting, "amt");
    const auto released = integer_of(posting, "rel");
    if (amount == 0 && released > 0) return fmt::format("{} {}", text_of(posting, "code"), yuan(released));
    return fmt::format("{} {}{}", text_of(posting, "code"), yuan(amount), released > 0 ? " of " + yuan(amount + released) : "");
}

bool is_posting(const codec::Value& one) { return one.find("code") != nullptr && one.find("dr") != nullptr; }

/// A scalar as it is; of an object what names it; of a list of transfers what they do, of any other how many.
std::string brief(const codec::Value& value) {
    if (const auto* array = value.array()) {
        const bool plain = std::ranges::all_of(*array, [](const codec::Value& one) { return one.string() != nullptr; });
        if (!array->empty() && array->size() <= postings_shown && std::ranges::all_of(*array, is_posting)) {
            std::string out;
            for (const auto& one : *array) out += (out.empty() ? "" : ", ") + posting_text(one);
            return out;
        }
        return plain && array->size() <= 3 ? text_of(value) : fmt::format("[{}]", array->size());
    }
    if (value.object() == nullptr) return text_of(value);
    for (const auto* name : {"id", "name", "site"}) {
        if (value.find(name) == nullptr) continue;
        const auto model = model_of(value);
        return text_of(value, name) + (model.empty() ? "" : "/" + model);
    }
    return fmt::format("{{{}}}", value.object()->size());
}

}  // namespace

std::string event_name(std::int64_t type) {
    const auto found = std::ranges::find(known, type, &Known::type);
    return found != known.end() ? std::string{found->name} : fmt::format("type {}", type);
}

namespace {

/// What people watch for, before what they know already.
constexpr std::array<std::string_view, 6> first_told{"to", "outcome", "state", "reason", "exit_code", "site"};

std::string member_text(const Console& console, const codec::Member& member) {
    const auto text = with_local_times(console, brief(member.value));
    return text.empty() ? text : fmt::format("{}={}", visible(member.key), text);
}

}  // namespace

std::string watched_text(const Console& console, const codec::Value& event) {
    std::string out;
    if (event.object() == nullptr) return out;
    const auto add = [&](const codec::Member& member) {
        const auto text = member_text(console, member);
        if (!text.empty()) out += (out.empty() ? "" : " ") + text;
    };
    const auto is_first = [](const codec::Member& member) { return std::ranges::find(first_told, member.key) != first_told.end(); };
    for (const auto name : first_told) {
        for (const auto& member : *event.object()) {
            if (member.key == name) add(member);
        }
    }
    for (const auto& member : *event.object()) {
        if (!is_first(member)) add(member);
    }
    return out;
}

std::string event_text(const Console& console, const codec::Value& event) {
    std::string out;
    if (event.object() == nullptr) return out;
    for (const auto& member : *event.object()) {
        const auto text = member_text(console, member);
        if (!text.empty()) out += (out.empty() ? "" : " ") + text;
    }
    return out;
}

}  // namespace weir::cli
