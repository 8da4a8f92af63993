// codec/sample.hpp: described types that use every kind of member; for tests, fuzz targets and measurements.
#pragma once

#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "codec/schema.hpp"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace weir::codec::sample {

struct SiteKind {};
struct JobKind {
    static constexpr std::string_view prefix = "job";
};

enum class Tier : std::uint8_t { edge = 1, cloud = 2, core = 3 };
BOOST_DESCRIBE_ENUM(Tier, edge, cloud, core)

enum class Role : std::int16_t { owner = -1, operator_ = 300 };
BOOST_DESCRIBE_ENUM(Role, owner, operator_)

/// A form of one string: `1.4`.
struct Version {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    friend auto operator<=>(const Version&, const Version&) = default;
};

/// A form of its own: `8`, or `{"model": "H800", "count": 8}`; the first means any model.
struct Cards {
    std::string model;
    std::int64_t count = 0;
    friend bool operator==(const Cards&, const Cards&) = default;
};
struct LongCards {
    std::string model;
    std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(LongCards, (), (model, count))

struct Empty {
    friend bool operator==(const Empty&, const Empty&) = default;
};
BOOST_DESCRIBE_STRUCT(Empty, (), ())

struct Resources {
    std::int32_t nodes = 1;
    Joules energy_j;
    double share = 1;
    friend bool operator==(const Resources&, const Resources&) = default;
    static constexpr std::string_view doc = "What one task needs.";
    static constexpr std::array field_rules{
        codec::Field{.name = "nodes", .optional = true, .min = 1, .max = 4096, .doc = "gang size, nodes"},
        codec::Field{.name = "energy_j", .optional = true, .min = 0},
        codec::Field{.name = "share", .optional = true, .min = 0, .max = 1},
    };
};
BOOST_DESCRIBE_STRUCT(Resources, (), (nodes, energy_j, share))

struct Placed {
    Name<SiteKind> site;
    std::uint32_t generation = 0;
    friend bool operator==(const Placed&, const Placed&) = default;
    static constexpr std::string_view kind = "placed";
};
BOOST_DESCRIBE_STRUCT(Placed, (), (site, generation))

struct Refused {
    std::string reason;
    friend bool operator==(const Refused&, const Refused&) = default;
    static constexpr std::string_view kind = "refused";
};
BOOST_DESCRIBE_STRUCT(Refused, (), (reason))

struct Tree {
    std::string label;
    std::vector<Tree> children;
    friend bool operator==(const Tree&, const Tree&) = default;
    static constexpr std::array field_rules{codec::Field{.name = "children", .optional = true}};
};
BOOST_DESCRIBE_STRUCT(Tree, (), (label, children))

struct Everything {
    bool flag = false;
    std::int8_t tiny = 0;
    std::uint8_t octet = 0;
    std::int32_t middle = 0;
    std::uint32_t natural = 0;
    std::int64_t wide = 0;
    std::uint64_t widest = 0;
    double real = 0;
    std::string text;
    Tier tier = Tier::edge;
    Role role = Role::owner;
    Fen price_fen;
    Instant at;
    Duration grace;
    Name<SiteKind> site;
    Id<JobKind> job;
    Uid uid;
    Digest digest;
    Version version;
    Cards cards;
    Empty empty;
    std::optional<std::int64_t> maybe;
    std::optional<Resources> resources;
    std::vector<std::string> words;
    std::vector<bool> bits;
    std::vector<std::optional<std::int32_t>> gaps;
    std::array<std::uint16_t, 3> triple{};
    std::set<Name<SiteKind>> sites;
    std::map<std::string, std::string> envs;
    std::map<Id<JobKind>, Resources> by_job;
    std::map<Tier, Fen> by_tier_fen;
    std::vector<std::variant<Placed, Refused>> outcomes;
    Tree tree;
    friend bool operator==(const Everything&, const Everything&) = default;
    static constexpr std::array field_rules{
        codec::Field{.name = "words", .optional = true, .max_length = 64},
        codec::Field{.name = "text", .max_length = 4096},
    };
};
BOOST_DESCRIBE_STRUCT(Everything, (),
                      (flag, tiny, octet, middle, natural, wide, widest, real, text, tier, role, price_fen, at, grace, site, job,
                       uid, digest, version, cards, empty, maybe, resources, words, bits, gaps, triple, sites, envs, by_job,
                       by_tier_fen, outcomes, tree))

}  // namespace weir::codec::sample

template <>
struct weir::codec::Custom<weir::codec::sample::Version> {
    using Version = sample::Version;
    static std::optional<Version> parse(std::string_view text) {
        const auto number = [](std::string_view digits) -> std::optional<std::uint32_t> {
            std::uint32_t out = 0;
            if (digits.empty() || digits.size() > 9 || (digits[0] == '0' && digits.size() > 1)) return std::nullopt;
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
            return error == std::errc{} && end == digits.data() + digits.size() ? std::optional{out} : std::nullopt;
        };
        const std::size_t dot = text.find('.');
        if (dot == std::string_view::npos) return std::nullopt;
        const auto major = number(text.substr(0, dot));
        const auto minor = number(text.substr(dot + 1));
        return major && minor ? std::optional{Version{*major, *minor}} : std::nullopt;
    }
    static std::string text(const Version& version) { return std::to_string(version.major) + "." + std::to_string(version.minor); }
    static constexpr std::string_view expected = "a version such as 1.4";
    static constexpr std::string_view pattern = R"(^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$)";
};

template <>
struct weir::codec::Custom<weir::codec::sample::Cards> {
    using Cards = sample::Cards;
    static bool from_value(const Value& value, const Place& place, Cards& out) {
        if (value.object() == nullptr) {
            out.model.clear();
            return codec::read(value, place, out.count);
        }
        sample::LongCards form;
        if (!codec::read(value, place, form)) return false;
        out = {.model = std::move(form.model), .count = form.count};
        return !out.model.empty() || place.refuse(value, Fault::bad_format, "a request by model must name the model");
    }
    static void to_json(const Cards& cards, std::string& out) {
        if (cards.model.empty()) {
            append_integer(out, cards.count);
        } else {
            write_json(sample::LongCards{.model = cards.model, .count = cards.count}, out);
        }
    }
    static std::string schema(SchemaBook& book) {
        return "{\"anyOf\":[" + book.add<std::int64_t>() + ",{\"allOf\":[" + book.add<sample::LongCards>() +
               ",{\"properties\":{\"model\":{\"minLength\":1}}}]}]}";
    }
};
