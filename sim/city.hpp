// sim/city.hpp: a city in one process: one server, some sites, some tenants, and everything that can go wrong, from one seed.
//
// After each step the laws are checked; the first that is broken ends the run, and the same seed breaks it again.
#pragma once

#include "probes.hpp"

#include <cstdint>
#include <string>

namespace weir::sim {

struct CityOptions {
    std::uint64_t seed = 1;
    std::int64_t minutes = 12;      ///< Of virtual time with faults; then everything is mended and must come to rest.
    bool trace = false;             ///< Print every durable entry.
};

struct CityReport {
    std::string broken;             ///< Empty: every law held.
    Probes probes;
    std::uint64_t entries = 0;
    std::uint64_t jobs_acknowledged = 0;
    std::uint64_t jobs_finished = 0;
    std::string signature;          ///< The head of the journal's chain: one seed, one signature.
};

[[nodiscard]] CityReport live_through(const CityOptions& options);

}  // namespace weir::sim
