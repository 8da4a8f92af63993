// codec/field.hpp: what a described struct may say about its fields, beyond their types.
//
// A struct lists only the fields about which there is something to say:
//
//     struct JobSpec {
//         std::string name;
//         std::int64_t num_nodes = 1;
//         std::vector<std::string> labels;
//         std::optional<Instant> deadline;
//
//         static constexpr std::string_view doc = "What a tenant asks for.";
//         static constexpr std::array field_rules{
//             codec::Field{.name = "num_nodes", .optional = true, .min = 1, .max = 4096, .doc = "gang size, nodes"},
//             codec::Field{.name = "labels", .optional = true, .max_length = 16},
//         };
//     };
//     BOOST_DESCRIBE_STRUCT(JobSpec, (), (name, num_nodes, labels, deadline))
//
// A field is required unless its type is std::optional or its rule says `optional`; an optional field that is
// absent keeps the value of its initialiser. `min`, `max` and lengths are checked by decode() and published by the
// schema; writers do not check them. Do not tighten the rules of a type that is stored: old documents would be refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::codec {

struct Field {
    std::string_view name{};  ///< The member's name as in C++.
    bool optional = false;
    /// Bounds of a number (an integer of any kind, a Quantity, a double), both included.
    std::int64_t min = INT64_MIN;
    std::int64_t max = INT64_MAX;
    /// Bounds of the characters of a string, the items of a list or a set, the entries of a map.
    std::size_t min_length = 0;
    std::size_t max_length = SIZE_MAX;
    std::string_view doc{};
};

}  // namespace weir::codec
