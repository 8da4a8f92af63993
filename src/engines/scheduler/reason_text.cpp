#include "engines/scheduler/reason_text.hpp"

#include <fmt/format.h>

namespace weir::scheduler {
namespace {

std::string decimal(std::int64_t milli) {
    if (milli % 1000 == 0) return std::to_string(milli / 1000);
    std::string text = fmt::format("{}.{:03}", milli / 1000, milli % 1000);
    while (text.back() == '0') text.pop_back();
    return text;
}

/// `8 x H800`, `0.3 of one H800`, `4 CPU cores`.
std::string cards(const std::string& model, std::int64_t milli) {
    if (model.empty()) return fmt::format("{} CPU core{}", decimal(milli), milli == 1000 ? "" : "s");
    if (milli > 0 && milli < whole_card_milli) return fmt::format("{} of one {}", decimal(milli), model);
    return fmt::format("{} x {}", decimal(milli), model);
}

std::string_view was_or_were(std::int64_t milli) { return milli <= whole_card_milli ? "was" : "were"; }

std::string count(std::int64_t n, std::string_view noun) { return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s"); }

std::string gang(const Reason& r) {
    const std::string each = cards(r.model, r.room.milli_asked);
    if (r.room.nodes_asked == 1) return fmt::format("{} on one node {} asked", each, was_or_were(r.room.milli_asked));
    return fmt::format("{} with {} each were asked", count(r.room.nodes_asked, "node"), each);
}

std::string nodes_have_room(std::int64_t nodes) {
    if (nodes == 0) return "no node has room";
    return nodes == 1 ? std::string{"1 node has room"} : fmt::format("{} nodes have room", nodes);
}

std::string_view tier_name(std::int64_t tier) {
    switch (static_cast<Tier>(tier)) {
        case Tier::edge: return "edge";
        case Tier::cloud: return "cloud";
        case Tier::core: return "core";
    }
    return "unknown";
}

/// `; of 12 nodes 2 are not healthy, 9 are short of cards`: the operator's part.
std::string shortfall(const Room& room) {
    struct Line {
        std::int64_t nodes;
        std::string_view what;
    };
    std::string text;
    for (const auto& [nodes, what] :
         {Line{room.short_of_health, "not healthy"}, Line{room.short_of_trust, "excluded for this job"},
          Line{room.short_of_reality, "emulated"}, Line{room.short_of_position, "without the position asked"},
          Line{room.short_of_slicing, "not to be shared"}, Line{room.short_of_card_memory, "short of card memory"},
          Line{room.short_of_cards, "short of free cards"}, Line{room.short_of_cpus, "short of CPUs"},
          Line{room.short_of_memory, "short of memory"}}) {
        if (nodes > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", nodes, what);
    }
    return fmt::format("; of {}{}{}", count(room.nodes_total, "node"), text.empty() ? ", none is in the way" : ": ", text);
}

std::string clauses(const Reason& r) {
    std::string text;
    for (const FundingClause& one : r.clauses) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", one.source, one.clause);
    return text.empty() ? std::string{"no source of the funding order pays here"} : text;
}

std::string_view name_of_model(const std::string& model) { return model.empty() ? "CPU cores" : std::string_view{model}; }

std::string to_second(Instant t) { return format_utc({floor_seconds(t) * 1'000'000'000}); }

std::string of_the_job(const Reason& r) {
    switch (r.code) {
        case ReasonCode::dependency_unresolved:
            return fmt::format("{} must end first; it is considered when {} ended", count(r.asked, "job"),
                               r.asked == 1 ? "that has" : "they have");
        case ReasonCode::backing_off:
            return fmt::format("it backs off until {} after an attempt that ended; it is considered again then", to_second(r.until));
        case ReasonCode::quota_reached:
            return fmt::format("{} {} asked, the project holds {} and may hold {}; wait for its own jobs to end, or ask for a larger quota",
                               cards(r.model, r.asked), was_or_were(r.asked), decimal(r.has), decimal(r.limit));
        case ReasonCode::quota_too_small:
            return fmt::format("{} {} asked, the project may hold {} at once; ask for fewer, or for a larger quota",
                               cards(r.model, r.asked), was_or_were(r.asked), decimal(r.limit));
        default: return "1 site is needed, the network has 0; wait for a site to join";
    }
}

std::string of_the_site(const Reason& r) {
    switch (r.code) {
        case ReasonCode::site_closed: return "the site is closed or out of reach and takes no new work now; wait until it opens";
        case ReasonCode::site_not_trusted: return "the site is not on the job's trust list; add it there to use it";
        case ReasonCode::site_excluded: return "the job excludes the site; take it off that list to use it";
        case ReasonCode::outside_residency:
            return fmt::format("the site is in {}, outside the job's residency; widen the residency to use it", r.text);
        case ReasonCode::tier_differs:
            return fmt::format("tier {} is required, the site is {}; leave the tier out to run at any", tier_name(r.asked),
                               tier_name(r.has));
        case ReasonCode::funding_refused:
            return fmt::format("the job's funding does not pay for {} here ({}); submit it again with funding that does",
                               name_of_model(r.model), clauses(r));
        case ReasonCode::funding_unanswered:
            return fmt::format("the site has no price for {}; wait until it has one, or submit it again for a model that it lists",
                               name_of_model(r.model));
        default:
            return fmt::format("the job must stay in one {}, the site declares no such level; ask for another level", r.text);
    }
}

std::string memory_text(std::int64_t mib) {
    return mib % 1024 == 0 ? fmt::format("{} GiB", mib / 1024) : fmt::format("{} MiB", mib);
}

/// What never fits because of something else than the number of cards.
std::string never_for_another_reason(const Reason& r) {
    if (r.text == "memory")
        return fmt::format("{} of memory on one node were asked, and no node with {} has more than {}; ask for less", memory_text(r.asked),
                           name_of_model(r.model), memory_text(r.has));
    if (r.text == "cpus")
        return fmt::format("{} CPU cores on one node were asked, and no node with {} has more than {}; ask for fewer", decimal(r.asked),
                           name_of_model(r.model), decimal(r.has));
    if (r.text == "card_memory")
        return fmt::format("{} of memory on each card were asked, and no {} has more than {}; ask for less, or name another model",
                           memory_text(r.asked), r.model, memory_text(r.has));
    return fmt::format("{} was asked, and the site gives {} only whole; ask for 1", cards(r.model, r.asked), r.model);
}

/// No node takes anything now: the site is paused, or its nodes are ill.
bool is_out_of_service(const Room& room) { return room.nodes_total > 0 && room.short_of_health == room.nodes_total; }

std::string of_the_room(const Reason& r) {
    if (r.code == ReasonCode::never_fits && !r.text.empty()) return never_for_another_reason(r);
    if (r.code == ReasonCode::room_lacking && is_out_of_service(r.room))
        return fmt::format("{}, and the site is paused or not healthy ({} with {}, none takes work now); wait until it is back", gang(r),
                           count(r.room.nodes_total, "node"), name_of_model(r.model));
    switch (r.code) {
        case ReasonCode::model_absent:
            return fmt::format("{}, the site has no {}; name another model as an alternative", gang(r),
                               r.model.empty() ? "node" : r.model);
        case ReasonCode::never_fits:
            return fmt::format("{}, {} even when all is free ({} at most on one node); ask for fewer, or name another model", gang(r),
                               nodes_have_room(r.room.nodes_fit), decimal(r.room.milli_largest));
        case ReasonCode::room_lacking:
            return fmt::format("{}, {} now and {} of {} are free in pieces; wait, or ask for fewer, or name another model", gang(r),
                               nodes_have_room(r.room.nodes_fit), decimal(r.room.milli_free), decimal(r.room.milli_total));
        default:
            return fmt::format("{}, {}; the next plan takes it unless a job before it needs the room", gang(r),
                               nodes_have_room(r.room.nodes_fit));
    }
}

std::string in_words(const Reason& r) {
    if (r.code < ReasonCode::site_closed) return of_the_job(r);
    return r.code < ReasonCode::model_absent ? of_the_site(r) : of_the_room(r);
}

}  // namespace

std::string reason_text(const Reason& reason, Audience audience) {
    std::string text = reason.site.empty() ? in_words(reason) : fmt::format("{}: {}", reason.site, in_words(reason));
    const bool measured = reason.code == ReasonCode::never_fits || reason.code == ReasonCode::room_lacking;
    if (audience == Audience::operations && measured) text += shortfall(reason.room);
    return text;
}

std::string_view reason_name(ReasonCode code) {
    switch (code) {
        case ReasonCode::dependency_unresolved: return "dependency_unresolved";
        case ReasonCode::backing_off: return "backing_off";
        case ReasonCode::quota_reached: return "quota_reached";
        case ReasonCode::quota_too_small: return "quota_too_small";
        case ReasonCode::no_sites: return "no_sites";
        case ReasonCode::site_closed: return "site_closed";
        case ReasonCode::site_not_trusted: return "site_not_trusted";
        case ReasonCode::site_excluded: return "site_excluded";
        case ReasonCode::outside_residency: return "outside_residency";
        case ReasonCode::tier_differs: return "tier_differs";
        case ReasonCode::funding_refused: return "funding_refused";
        case ReasonCode::funding_unanswered: return "funding_unanswered";
        case ReasonCode::level_unknown: return "level_unknown";
        case ReasonCode::model_absent: return "model_absent";
        case ReasonCode::never_fits: return "never_fits";
        case ReasonCode::room_lacking: return "room_lacking";
        case ReasonCode::awaits_plan: return "awaits_plan";
    }
    return "unknown";
}

std::string_view ask_refusal_text(AskRefusal refusal) {
    switch (refusal) {
        case AskRefusal::project_is_empty: return "the job names no project; name one";
        case AskRefusal::nodes_out_of_range: return "num_nodes must be 1 to 65536; ask for a number in that range";
        case AskRefusal::alternatives_out_of_range: return "1 to 16 alternatives of accelerators are allowed; name that many";
        case AskRefusal::model_without_cards: return "an accelerator needs both a model and a number of cards; give both or neither";
        case AskRefusal::cards_not_whole: return "above one card only whole cards can be asked; round the number of cards";
        case AskRefusal::amount_out_of_range:
            return "an amount is negative or too large; ask for 0 or more, and for at most 1024 cards per node";
        case AskRefusal::list_too_long: return "a list of sites, nodes or regions has more than 1024 entries; shorten it";
    }
    return "unknown refusal";
}

}  // namespace weir::scheduler
