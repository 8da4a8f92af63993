#include "agent/nodes.hpp"

#include "domain/limits.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>

namespace weir::agent {
namespace {

/// Letters and digits in lower case: "NVIDIA A100-SXM4" and "a100 sxm4" are spelled alike.
std::string plain(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    }
    return out;
}

class Matcher {
public:
    explicit Matcher(const ports::Inventory& inventory)
        : inventory_{inventory}, taken_(inventory.cards.size(), false), processors_{inventory.milli_cpus / 1000} {}

    /// One of the host's processors; false where all are given to nodes.
    bool take_processor() { return processors_ > 0 && processors_-- > 0; }

    const ports::Card* take(const NodeName& node, const CardDeclaration& declared) {
        for (std::size_t i = 0; i < taken_.size(); ++i) {
            const auto& card = inventory_.cards[i];
            if (taken_[i] || card.emulated != declared.emulated || !is_model(card.model, declared.model)) continue;
            if (!card.node.empty() && card.node != node.text()) continue;
            taken_[i] = true;
            return &card;
        }
        return nullptr;
    }

    /// The card that this place meant, whatever it is called now.
    const ports::Card* take_again(const NodeName& node, const CardAt& known) {
        for (std::size_t i = 0; i < taken_.size(); ++i) {
            const auto& card = inventory_.cards[i];
            const bool same = known.uuid.empty() ? card.stack == known.stack && card.index == known.index : card.uuid == known.uuid;
            if (taken_[i] || !same || card.emulated != known.emulated || (!card.node.empty() && card.node != node.text())) continue;
            taken_[i] = true;
            return &card;
        }
        return nullptr;
    }

    void remark_untaken(std::vector<std::string>& remarks) const {
        std::map<std::string, int> left;
        for (std::size_t i = 0; i < taken_.size(); ++i) {
            if (!taken_[i]) ++left[inventory_.cards[i].model];
        }
        for (const auto& [model, count] : left) {
            remarks.push_back(fmt::format("{} cards {} were found and no node declares them: declare them to offer them", count, model));
        }
    }

private:
    const ports::Inventory& inventory_;
    std::vector<bool> taken_;
    std::int64_t processors_;
};

CardAt place_of(const ports::Card& card, const std::string& model) {
    return {card.stack, card.index, model, card.uuid, card.memory_mib, card.emulated, false};
}

/// The class of processors: nobody's tool lists them, and they are there all the same.
constexpr std::string_view processor_class = "cpu";

bool is_processor(const CardAt& place) { return place.model == processor_class && !place.emulated; }

/// What stands for the next card of a declared group; nothing where there is none.
std::optional<CardAt> next_place(const NodeName& node, const CardDeclaration& declared, std::int64_t number, Matcher& matcher) {
    if (declared.model == processor_class && !declared.emulated) {
        if (!matcher.take_processor()) return std::nullopt;
        return CardAt{ports::CardStack::none, static_cast<std::int32_t>(number), declared.model, {}, declared.memory.value, false, false};
    }
    const auto* card = matcher.take(node, declared);
    return card == nullptr ? std::nullopt : std::optional{place_of(*card, declared.model)};
}

/// The cards of a free node: as declared, as far as they are found.
std::vector<CardAt> count_anew(const NodeDeclaration& from, Matcher& matcher, std::vector<std::string>& remarks) {
    std::vector<CardAt> places;
    for (const auto& group : from.cards) {
        std::int64_t count = 0;
        for (; count < group.count; ++count) {
            auto place = next_place(from.name, group, count, matcher);
            if (!place) break;
            places.push_back(*std::move(place));
        }
        if (count < group.count) {
            remarks.push_back(
                fmt::format("node {} declares {} cards {} and {} were found: the others are not offered; mend the "
                            "driver, or declare them emulated",
                            from.name.text(), group.count, group.model, count));
        }
    }
    return places;
}

/// The cards of a node with tasks: each place as it was.
std::vector<CardAt> keep_places(const NodeName& node, std::vector<CardAt> places, Matcher& matcher) {
    for (auto& place : places) {
        if (is_processor(place)) {
            place.lost = !matcher.take_processor();
            continue;
        }
        const auto* card = matcher.take_again(node, place);
        place.lost = card == nullptr;
        if (card != nullptr) place.index = card->index;
    }
    return places;
}

/// Groups as they are reported: a place counts though its card is lost, or those behind it would move up.
std::vector<CardGroup> groups_of(const NodeDeclaration& from, const std::vector<CardAt>& places) {
    std::vector<CardGroup> groups;
    for (const auto& declared : from.cards) {
        CardGroup offered{
            .model = declared.model, .count = 0, .memory = declared.memory, .slicing = declared.slicing, .emulated = declared.emulated};
        for (const auto& place : places) {
            if (place.model != declared.model) continue;
            ++offered.count;
            if (offered.memory.value == 0) offered.memory = MiB{place.memory_mib};
        }
        if (offered.count > 0) groups.push_back(std::move(offered));
    }
    return groups;
}

}  // namespace

bool is_model(std::string_view found, std::string_view model) {
    const auto wanted = plain(model);
    return !wanted.empty() && plain(found).find(wanted) != std::string::npos;
}

Result<void, std::string> check_declared(const std::vector<NodeDeclaration>& declared) {
    std::set<NodeName> seen;
    for (const auto& from : declared) {
        Node node{.name = from.name, .cards = {}, .cpus = from.cpus, .memory = from.memory, .position = from.position,
                  .healthy = from.healthy, .address = from.address};
        for (const auto& group : from.cards) node.cards.push_back({group.model, group.count, group.memory, group.slicing, group.emulated});
        if (const auto found = flaws(node); !found.empty())
            return fail(fmt::format("node {}: {} {}", from.name.text(), found.front().path, found.front().message));
        if (!seen.insert(from.name).second) return fail(fmt::format("node {} stands twice; give each a name of its own", from.name.text()));
    }
    return {};
}

NodeTable table_of(const std::vector<NodeDeclaration>& declared, const ports::Inventory& inventory, const CardsOfNodes& in_use) {
    NodeTable table;
    table.remarks = inventory.remarks;
    Matcher matcher{inventory};
    // First those that are in use: no other node may be given one of their cards.
    for (const auto& from : declared) {
        if (const auto known = in_use.find(from.name); known != in_use.end())
            table.cards[from.name] = keep_places(from.name, known->second, matcher);
    }
    for (const auto& from : declared) {
        Node node;
        node.name = from.name;
        node.cpus = from.cpus.value > 0 ? from.cpus : MilliCpus{inventory.milli_cpus};
        node.memory = from.memory.value > 0 ? from.memory : MiB{inventory.memory_mib};
        node.position = from.position;
        node.healthy = from.healthy;
        node.address = from.address;
        if (!table.cards.contains(from.name)) table.cards[from.name] = count_anew(from, matcher, table.remarks);
        const auto& places = table.cards[from.name];
        node.cards = groups_of(from, places);
        if (const auto lost = std::ranges::count(places, true, &CardAt::lost); lost > 0) {
            node.healthy = false;
            table.remarks.push_back(
                fmt::format("node {} has lost {} of its {} cards: nothing new is placed there, and its cards are counted "
                            "anew once its tasks have left; mend the card or its driver",
                            from.name.text(), lost, places.size()));
        }
        table.nodes.push_back(std::move(node));
    }
    matcher.remark_untaken(table.remarks);
    return table;
}

}  // namespace weir::agent
