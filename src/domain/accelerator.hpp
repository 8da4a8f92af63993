// domain/accelerator.hpp: the catalogue of accelerator models. The figures themselves are data (catalogue/accelerators.yaml).
#pragma once

#include "base/quantity.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// A published figure and where it was published.
struct Figure {
    std::int64_t value = 0;
    std::string source;
    bool operator==(const Figure&) const = default;
};
BOOST_DESCRIBE_STRUCT(Figure, (), (value, source))

/// One accelerator model. Throughput is dense (without sparsity), in GFLOPS or, for int8, in GOPS; absent where the vendor
/// publishes none.
struct Accelerator {
    std::string model;
    std::string vendor;
    std::string stack;                    ///< `cuda`, `cann`, `neuware`, `dtk`, `cpu`: what a program must be built for.
    bool domestic = false;                ///< Made by a Chinese vendor, as programmes with a domestic-chip ratio ask.
    std::optional<Figure> memory_mib;
    std::optional<Figure> fp64_gflops;
    std::optional<Figure> fp32_gflops;
    std::optional<Figure> fp16_gflops;    ///< FP16 or BF16 with matrix units.
    std::optional<Figure> int8_gops;
    std::optional<Figure> tdp_w;
    std::string interconnect;
    bool operator==(const Accelerator&) const = default;
};
BOOST_DESCRIBE_STRUCT(Accelerator, (),
                      (model, vendor, stack, domestic, memory_mib, fp64_gflops, fp32_gflops, fp16_gflops, int8_gops, tdp_w, interconnect))

/// The models by name.
using Catalogue = std::map<std::string, Accelerator>;

}  // namespace weir
