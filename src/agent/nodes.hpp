// agent/nodes.hpp: the site's nodes as the network counts them, and which of the host's cards each of them means.
//
// It answers one question: what does "card 3 of node n2" mean to the backend? Declared nodes are matched with what the backend
// found, in the order of the file; a card belongs to one node.
#pragma once

#include "agent/config.hpp"
#include "domain/site.hpp"
#include "ports/site_backend.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::agent {

struct CardAt {
    ports::CardStack stack = ports::CardStack::none;
    std::int32_t index = 0;  ///< Of the inventory.
    std::string model;       ///< As declared.
    friend bool operator==(const CardAt&, const CardAt&) = default;
};

struct NodeTable {
    std::vector<Node> nodes;                        ///< As reported.
    std::map<NodeName, std::vector<CardAt>> cards;  ///< By the card's index within its node.
    std::vector<std::string> remarks;               ///< Declared and not found, found and not declared.
};

/// Whether `found`, as a maker's tool spells it ("NVIDIA H800"), is the catalogue's `model` ("H800").
[[nodiscard]] bool is_model(std::string_view found, std::string_view model);

[[nodiscard]] NodeTable table_of(const std::vector<NodeDeclaration>& declared, const ports::Inventory& inventory);

}  // namespace weir::agent
