// domain/site.hpp: where work runs: sites, their tariffs and links, their nodes and cards.
#pragma once

#include "base/quantity.hpp"
#include "domain/forms.hpp"
#include "domain/names.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

BOOST_DEFINE_ENUM_CLASS(Tier, edge, cloud, core)
BOOST_DEFINE_ENUM_CLASS(Backend, process, slurm, kubernetes, weir)
BOOST_DEFINE_ENUM_CLASS(Slicing, exclusive, fractional)

/// The price of one card of a model for an hour, in fen. Fractions pay their share.
struct TariffLine {
    std::string model;
    Fen fen_per_card_hour;
    bool operator==(const TariffLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(TariffLine, (), (model, fen_per_card_hour))

/// A measured way to another site.
struct SiteLink {
    SiteName to;
    std::int64_t megabit_per_s = 0;
    std::int64_t latency_us = 0;
    Fen fen_per_gib;
    bool operator==(const SiteLink&) const = default;
};
BOOST_DESCRIBE_STRUCT(SiteLink, (), (to, megabit_per_s, latency_us, fen_per_gib))

/// One data centre, or the pledged part of one.
struct Site {
    SiteName name;
    OrganisationName owner;
    std::string region;               ///< `cn/sichuan/chengdu`, a node of the region tree.
    Tier tier = Tier::cloud;
    Backend backend = Backend::process;
    std::vector<TariffLine> tariff;
    std::vector<SiteLink> links;
    std::string grid_zone;
    std::int64_t pue_milli = 1300;    ///< Power usage effectiveness x 1000, until it is modelled.
    bool open = true;                 ///< Closed sites finish what they run and get nothing new.
    bool operator==(const Site&) const = default;
};
BOOST_DESCRIBE_STRUCT(Site, (), (name, owner, region, tier, backend, tariff, links, grid_zone, pue_milli, open))

/// Like cards of one node.
struct CardGroup {
    std::string model;                ///< A model of the catalogue.
    std::int64_t count = 0;
    MiB memory;                       ///< Of one card.
    Slicing slicing = Slicing::exclusive;
    bool emulated = false;            ///< Declared, not detected: labelled so wherever a person sees it.
    bool operator==(const CardGroup&) const = default;
};
BOOST_DESCRIBE_STRUCT(CardGroup, (), (model, count, memory, slicing, emulated))

/// One machine of a site, as its agent reports it.
struct Node {
    NodeName name;
    std::vector<CardGroup> cards;
    MilliCpus cpus;
    MiB memory;
    std::vector<std::string> position;  ///< Outermost level first: zone, block, rack.
    bool healthy = true;
    std::string address;                ///< Where rank 0 listens when it runs here.
    bool operator==(const Node&) const = default;
};
BOOST_DESCRIBE_STRUCT(Node, (), (name, cards, cpus, memory, position, healthy, address))

}  // namespace weir
