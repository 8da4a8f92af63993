// agent/nodes.hpp: the site's nodes as the network counts them, and which of the host's cards each of them means.
//
// It answers one question: what does "card 3 of node n2" mean to the backend? Declared nodes are matched with what the backend
// found, in the order of the file; a card belongs to one node.
//
// A place among a node's cards keeps its card while a task is known on the node: the network hands out places, and one that meant
// another card all at once would give two tasks the same. A card that falls off leaves its place as a hole, and its node is told as not
// healthy: nothing new is placed there. Once no task is known on it, its cards are counted anew.
#pragma once

#include "agent/config.hpp"
#include "base/result.hpp"
#include "domain/site.hpp"
#include "ports/site_backend.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace weir::ports {
BOOST_DESCRIBE_ENUM(CardStack, none, cuda, cann, other)
}  // namespace weir::ports

namespace weir::agent {

struct CardAt {
    ports::CardStack stack = ports::CardStack::none;
    std::int32_t index = 0;       ///< Of the inventory.
    std::string model;            ///< As declared.
    std::string uuid;             ///< What it is known by; where it has none, its stack and index.
    std::int64_t memory_mib = 0;
    bool emulated = false;
    bool lost = false;            ///< It was here, and is not found any more.
    friend bool operator==(const CardAt&, const CardAt&) = default;
};
BOOST_DESCRIBE_STRUCT(CardAt, (), (stack, index, model, uuid, memory_mib, emulated, lost))

/// By the card's index within its node.
using CardsOfNodes = std::map<NodeName, std::vector<CardAt>>;

struct NodeTable {
    std::vector<Node> nodes;           ///< As reported.
    CardsOfNodes cards;
    std::vector<std::string> remarks;  ///< Declared and not found, found and not declared, lost.
};

/// Whether `found`, as a maker's tool spells it ("NVIDIA H800"), is the catalogue's `model` ("H800").
[[nodiscard]] bool is_model(std::string_view found, std::string_view model);

/// What is wrong with the nodes of an agent's file, whatever the host has: what the network would refuse, and with it the whole inventory.
[[nodiscard]] Result<void, std::string> check_declared(const std::vector<NodeDeclaration>& declared);

/// @param in_use nodes on which a task is known, with the cards that their places mean: those keep their places.
[[nodiscard]] NodeTable table_of(const std::vector<NodeDeclaration>& declared, const ports::Inventory& inventory,
                                 const CardsOfNodes& in_use = {});

}  // namespace weir::agent
