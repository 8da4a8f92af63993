// codec/schema.hpp: the JSON Schema (draft 2020-12, as OpenAPI 3.1 uses it) of what decode() accepts.
//
//     codec::SchemaBook book;                                   // "#/components/schemas/..."
//     const std::string body = book.add<JobSpec>();             // {"$ref":"#/components/schemas/JobSpec"}
//     book.definitions();                                       // name -> schema text, all that was met
//
// Made from the same description as the decoder, so the two agree; what a regular expression cannot say (the days of
// a month, the range of an instant, the sum of a length of time) the decoder alone checks. A struct's definition has
// the name of its type without `weir::`, other namespaces joined by dots.
#pragma once

#include "codec/kinds.hpp"
#include "codec/text.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace weir::codec {

namespace detail {

/// `"minLength":1,...` for what a rule bounds, with a comma before.
void append_lengths(std::string& out, const Field& rule, std::string_view minimum, std::string_view maximum);
/// Adds `"description":...` to a schema's members unless `doc` is empty.
[[nodiscard]] std::string with_description(std::string schema, std::string_view doc);
[[nodiscard]] std::string integer_schema(std::int64_t min, std::int64_t max);
[[nodiscard]] std::string unsigned_schema(std::uint64_t min, std::uint64_t max);
[[nodiscard]] std::string real_schema(const Field& rule);
[[nodiscard]] std::string string_schema(const Field& rule, std::string_view pattern);
[[nodiscard]] std::string enum_schema(std::span<const std::string_view> names);
[[nodiscard]] std::string instant_schema();
[[nodiscard]] std::string duration_schema();
/// The name of a type as the compiler spells it -> the name of its definition.
[[nodiscard]] std::string definition_name(std::string_view spelled);

template <class T>
std::string type_name() {
    std::string_view function = __PRETTY_FUNCTION__;
    function.remove_prefix(function.find("[T = ") + 5);
    function.remove_suffix(1);
    return definition_name(function);
}

/// Of a Quantity that is written as a number: its unit, for people.
template <class T>
inline constexpr std::string_view unit_of{};
template <>
inline constexpr std::string_view unit_of<Fen> = "fen (0.01 yuan)";
template <>
inline constexpr std::string_view unit_of<MicroYuan> = "micro-yuan";
template <>
inline constexpr std::string_view unit_of<MilliCards> = "1/1000 of an accelerator card";
template <>
inline constexpr std::string_view unit_of<MilliCardSeconds> = "1/1000 card-seconds";
template <>
inline constexpr std::string_view unit_of<Joules> = "joules";

template <class T>
concept HasDoc = requires {
    { T::doc } -> std::convertible_to<std::string_view>;
};

}  // namespace detail

/// Collects the definitions that schemas refer to.
class SchemaBook {
public:
    /// `prefix` stands before a definition's name in a reference.
    explicit SchemaBook(std::string_view prefix = "#/components/schemas/") : prefix_(prefix) {}

    /// The schema of T: a reference where T is a struct or a choice of structs, otherwise the schema itself.
    template <class T>
    [[nodiscard]] std::string add() {
        return schema<T>(Field{});
    }
    /// Definitions by name, each a JSON object.
    [[nodiscard]] const std::map<std::string, std::string>& definitions() const { return definitions_; }
    /// `{"$ref":"..."}`.
    [[nodiscard]] std::string reference(std::string_view name) const { return "{\"$ref\":\"" + prefix_ + std::string{name} + "\"}"; }

private:
    template <class T>
    std::string schema(const Field& rule);
    template <class T>
    std::string integer(const Field& rule);
    template <class T>
    std::string items(const Field& rule);
    template <class T>
    std::string entries(const Field& rule);
    template <class T>
    std::string members(std::string_view tag);
    template <class... A>
    std::string choice(const std::variant<A...>*);
    /// A reference to the definition, which `make` writes when it is met first.
    template <class Make>
    std::string define(const std::string& name, Make&& make) {
        if (definitions_.emplace(name, "").second) {
            std::string text = make();
            definitions_[name] = std::move(text);
        }
        return reference(name);
    }

    std::string prefix_;
    std::map<std::string, std::string> definitions_;
};

template <class T>
std::string SchemaBook::integer(const Field& rule) {
    using Limit = std::numeric_limits<T>;
    if constexpr (std::signed_integral<T>) {
        const std::int64_t min = std::max<std::int64_t>(Limit::min(), rule.min);
        const std::int64_t max = std::min<std::int64_t>(Limit::max(), rule.max);
        // The expressions of the usual ranges are long; they are written once.
        const auto make = [&] { return detail::integer_schema(min, max); };
        if (max == INT64_MAX && min == INT64_MIN) return define("Int64", make);
        if (max == INT64_MAX && min == 0) return define("NaturalInt64", make);
        if (max == INT64_MAX && min == 1) return define("PositiveInt64", make);
        return make();
    } else {
        const std::uint64_t min = rule.min < 0 ? 0 : static_cast<std::uint64_t>(rule.min);
        const std::uint64_t max = rule.max == INT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(rule.max);
        const std::uint64_t most = std::min<std::uint64_t>(Limit::max(), max);
        return most == UINT64_MAX && min == 0 ? define("Uint64", [] { return detail::unsigned_schema(0, UINT64_MAX); })
                                              : detail::unsigned_schema(min, most);
    }
}

template <class T>
std::string SchemaBook::items(const Field& rule) {
    std::string out = "{\"type\":\"array\",\"items\":" + schema<typename T::value_type>(detail::item_rule(rule));
    if constexpr (detail::Set<T>) out += ",\"uniqueItems\":true";
    if constexpr (detail::FixedList<T>) {
        const std::string count = std::to_string(std::tuple_size_v<T>);
        out += ",\"minItems\":" + count + ",\"maxItems\":" + count;
    } else {
        detail::append_lengths(out, rule, "minItems", "maxItems");
    }
    return out + "}";
}

template <class T>
std::string SchemaBook::entries(const Field& rule) {
    using K = typename T::key_type;
    std::string out = "{\"type\":\"object\",\"additionalProperties\":" + schema<typename T::mapped_type>(detail::item_rule(rule));
    if constexpr (detail::DescribedEnum<K>) {
        out += ",\"propertyNames\":" + detail::enum_schema(detail::enum_names<K>);
    } else if constexpr (detail::Word<K>) {
        const std::size_t shortest = detail::is_a<K, Name> ? 1 : 0;
        out += ",\"propertyNames\":" + detail::string_schema(Field{.min_length = shortest}, detail::word_pattern<K>());
    }
    detail::append_lengths(out, rule, "minProperties", "maxProperties");
    return out + "}";
}

template <class T>
std::string SchemaBook::members(std::string_view tag) {
    std::string properties;
    std::string required;
    const auto add_name = [](std::string& list, std::string_view name) {
        if (!list.empty()) list.push_back(',');
        append_quoted(list, name);
    };
    if (!tag.empty()) {
        append_quoted(properties, detail::tag_field);
        properties += ":{\"const\":";
        append_quoted(properties, tag);
        properties += "}";
        add_name(required, detail::tag_field);
    }
    std::size_t next = 0;
    detail::each_member<T>([&](auto d) {
        using D = decltype(d);
        using M = detail::member_type<T, D>;
        const auto& info = detail::field_infos<T>[next++];
        add_name(properties, info.name);
        properties.push_back(':');
        properties += detail::with_description(schema<M>(detail::rule<T, D>), detail::rule<T, D>.doc);
        if (info.required) add_name(required, info.name);
    });
    std::string out = "{\"type\":\"object\",\"properties\":{" + properties + "},\"required\":[" + required + "]";
    out += ",\"additionalProperties\":false}";
    if constexpr (detail::HasDoc<T>) out = detail::with_description(std::move(out), T::doc);
    return out;
}

template <class... A>
std::string SchemaBook::choice(const std::variant<A...>*) {
    std::string out = "{\"oneOf\":[";
    const auto add_one = [&](const std::string& one) {
        if (!out.ends_with('[')) out.push_back(',');
        out += one;
    };
    (..., add_one(define(detail::type_name<A>() + ".tagged", [&] { return members<A>(A::kind); })));
    return out + "]}";
}

template <class T>
std::string SchemaBook::schema(const Field& rule) {
    if constexpr (detail::Word<T>) {
        const std::string doc = detail::TextCustom<T> ? detail::word_expected<T>() : "";
        return detail::with_description(detail::string_schema(rule, detail::word_pattern<T>()), doc);
    } else if constexpr (detail::FrozenValue<T>) {
        return schema<typename T::value_type>(rule);
    } else if constexpr (detail::HasCustom<T>) {
        return Custom<T>::schema(*this);
    } else if constexpr (std::same_as<T, bool>) {
        return R"({"type":"boolean"})";
    } else if constexpr (detail::Integer<T>) {
        return integer<T>(rule);
    } else if constexpr (std::same_as<T, double>) {
        return detail::real_schema(rule);
    } else if constexpr (std::same_as<T, std::string>) {
        return detail::string_schema(rule, "");
    } else if constexpr (detail::AmountOf<T>) {
        return detail::with_description(integer<std::int64_t>(rule), detail::unit_of<T>);
    } else if constexpr (std::same_as<T, Instant>) {
        return detail::instant_schema();
    } else if constexpr (std::same_as<T, Duration>) {
        return detail::duration_schema();
    } else if constexpr (detail::DescribedEnum<T>) {
        return detail::enum_schema(detail::enum_names<T>);
    } else if constexpr (detail::Optional<T>) {
        return "{\"anyOf\":[" + schema<typename T::value_type>(rule) + ",{\"type\":\"null\"}]}";
    } else if constexpr (detail::List<T> || detail::Set<T> || detail::FixedList<T>) {
        return items<T>(rule);
    } else if constexpr (detail::Map<T>) {
        return entries<T>(rule);
    } else if constexpr (detail::Choice<T>) {
        return choice(static_cast<const T*>(nullptr));
    } else if constexpr (detail::DescribedStruct<T>) {
        return define(detail::type_name<T>(), [&] { return members<T>({}); });
    } else {
        static_assert(detail::unsupported<T>, "this type has no form: describe it (BOOST_DESCRIBE_STRUCT) or specialise codec::Custom");
    }
}

namespace detail {
[[nodiscard]] std::string standalone(std::string root, const std::map<std::string, std::string>& definitions);
}

/// A schema document of its own, definitions under `$defs`.
template <class T>
[[nodiscard]] std::string json_schema() {
    SchemaBook book{"#/$defs/"};
    std::string root = book.add<T>();
    return detail::standalone(std::move(root), book.definitions());
}

}  // namespace weir::codec
