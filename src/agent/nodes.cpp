#include "agent/nodes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <optional>

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
    explicit Matcher(const ports::Inventory& inventory) : inventory_{inventory}, taken_(inventory.cards.size(), false) {}

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
};

}  // namespace

bool is_model(std::string_view found, std::string_view model) {
    const auto wanted = plain(model);
    return !wanted.empty() && plain(found).find(wanted) != std::string::npos;
}

NodeTable table_of(const std::vector<NodeDeclaration>& declared, const ports::Inventory& inventory) {
    NodeTable table;
    table.remarks = inventory.remarks;
    Matcher matcher{inventory};
    for (const auto& from : declared) {
        Node node;
        node.name = from.name;
        node.cpus = from.cpus.value > 0 ? from.cpus : MilliCpus{inventory.milli_cpus};
        node.memory = from.memory.value > 0 ? from.memory : MiB{inventory.memory_mib};
        node.position = from.position;
        node.healthy = from.healthy;
        node.address = from.address;
        auto& cards = table.cards[from.name];
        for (const auto& group : from.cards) {
            CardGroup offered{
                .model = group.model, .count = 0, .memory = group.memory, .slicing = group.slicing, .emulated = group.emulated};
            for (std::int64_t i = 0; i < group.count; ++i) {
                const auto* card = matcher.take(from.name, group);
                if (card == nullptr) break;
                ++offered.count;
                if (offered.memory.value == 0) offered.memory = MiB{card->memory_mib};
                cards.push_back({card->stack, card->index, group.model});
            }
            if (offered.count < group.count) {
                table.remarks.push_back(
                    fmt::format("node {} declares {} cards {} and {} were found: the others are not offered; mend the "
                                "driver, or declare them emulated",
                                from.name.text(), group.count, group.model, offered.count));
            }
            if (offered.count > 0) node.cards.push_back(std::move(offered));
        }
        table.nodes.push_back(std::move(node));
    }
    matcher.remark_untaken(table.remarks);
    return table;
}

}  // namespace weir::agent
