// codec/kinds.hpp: which C++ types have a form, and which. Internal to this room.
//
// Answers, at compile time: is T a struct, a list, a tagged choice...? What are its fields called on the wire,
// what do they require? decode.hpp, encode.hpp, binary.hpp and schema.hpp each walk a type by these answers, so
// that the four cannot disagree about what a type is.
//
// On the wire a member or enumerator has its C++ name without one trailing underscore (`operator_` is `operator`).
#pragma once

#include "base/frozen.hpp"
#include "base/id.hpp"
#include "base/quantity.hpp"
#include "base/sha256.hpp"
#include "base/time.hpp"
#include "codec/custom.hpp"
#include "codec/field.hpp"
#include "codec/unit_forms.hpp"

#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/list.hpp>

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace weir::codec::detail {

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Args>
inline constexpr bool is_a<Template<Args...>, Template> = true;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t N>
inline constexpr bool is_array<std::array<T, N>> = true;

template <class T>
concept HasCustom = requires { sizeof(Custom<T>); };
template <class T>
concept Optional = is_a<T, std::optional>;
template <class T>
concept List = is_a<T, std::vector>;
template <class T>
concept FixedList = is_array<T>;
template <class T>
concept Set = is_a<T, std::set>;
template <class T>
concept Map = is_a<T, std::map>;
template <class T>
concept Choice = is_a<T, std::variant>;
/// Written and read as the value that it holds.
template <class T>
concept FrozenValue = is_a<T, Frozen>;
template <class T>
concept AmountOf = is_a<T, Quantity>;
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;
template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
/// A type whose Custom form is one string: parse(), text(), expected, pattern.
template <class T>
concept TextCustom = HasCustom<T> && requires(std::string_view text) {
    { Custom<T>::parse(text) } -> std::same_as<std::optional<T>>;
};
/// What is one string with rules of its own: names, ids, digests, custom texts.
template <class T>
concept Word = is_a<T, Name> || is_a<T, Id> || std::same_as<T, Uid> || std::same_as<T, Digest> || TextCustom<T>;
template <class T>
concept MapKey = std::same_as<T, std::string> || Word<T> || DescribedEnum<T>;

template <class T>
inline constexpr bool unsupported = false;

constexpr std::string_view wire_name(std::string_view name) { return name.ends_with('_') ? name.substr(0, name.size() - 1) : name; }

// ---- structs -------------------------------------------------------------------------------------------------

template <class T>
using members_of = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

template <class T>
inline constexpr std::size_t member_count = boost::mp11::mp_size<members_of<T>>::value;

template <class T>
concept HasRules = requires { T::field_rules.size(); };

template <class T, class D>
using member_type = std::remove_cvref_t<decltype(std::declval<T&>().*D::pointer)>;

/// The rule of a member, or one that says nothing.
template <class T>
constexpr Field rule_of(std::string_view name) {
    if constexpr (HasRules<T>) {
        for (const Field& rule : T::field_rules) {
            if (rule.name == name) return rule;
        }
    }
    return Field{.name = name};
}

template <class T>
constexpr bool every_rule_names_a_member() {
    if constexpr (HasRules<T>) {
        return [&]<class... D>(boost::mp11::mp_list<D...>) {
            for (const Field& rule : T::field_rules) {
                if (!(... || (rule.name == D::name))) return false;
            }
            return true;
        }(boost::mp11::mp_rename<members_of<T>, boost::mp11::mp_list>{});
    } else {
        return true;
    }
}

template <class T, class D>
inline constexpr Field rule = rule_of<T>(D::name);

/// What of a container's rule holds for its items: the bounds of numbers.
constexpr Field item_rule(const Field& rule) { return Field{.min = rule.min, .max = rule.max}; }

/// Calls `visit` with each member's descriptor, in the order of declaration, as long as it returns true.
template <class T, class Visit>
constexpr bool all_members(Visit&& visit) {
    static_assert(every_rule_names_a_member<T>(), "field_rules names a field that BOOST_DESCRIBE_STRUCT does not list");
    return [&]<template <class...> class L, class... D>(L<D...>) { return (... && visit(D{})); }(members_of<T>{});
}

template <class T, class Visit>
constexpr void each_member(Visit&& visit) {
    all_members<T>([&](auto d) {
        visit(d);
        return true;
    });
}

/// What decode() needs to know of a field before it looks at its type.
struct FieldInfo {
    std::string_view name;  ///< On the wire.
    bool required = true;
};

template <class T>
inline constexpr auto field_infos = []<template <class...> class L, class... D>(L<D...>) {
    return std::array<FieldInfo, sizeof...(D)>{
        FieldInfo{wire_name(D::name), !(rule<T, D>.optional || Optional<member_type<T, D>>)}...};
}(members_of<T>{});

// ---- enums ---------------------------------------------------------------------------------------------------

template <class E>
using enumerators_of = boost::describe::describe_enumerators<E>;

template <class E>
inline constexpr auto enum_names = []<template <class...> class L, class... D>(L<D...>) {
    return std::array<std::string_view, sizeof...(D)>{wire_name(D::name)...};
}(enumerators_of<E>{});

template <class E>
inline constexpr auto enum_values = []<template <class...> class L, class... D>(L<D...>) {
    return std::array<E, sizeof...(D)>{D::value...};
}(enumerators_of<E>{});

/// Ends the process: a value that no enumerator names is a bug, and no text of it could be read again.
[[noreturn]] void no_such_enumerator(std::string_view first_enumerator, std::int64_t value);

template <class E>
constexpr std::string_view enum_name(E value) {
    for (std::size_t i = 0; i < enum_values<E>.size(); ++i) {
        if (enum_values<E>[i] == value) return enum_names<E>[i];
    }
    no_such_enumerator(enum_names<E>.front(), static_cast<std::int64_t>(value));
}

// ---- choices -------------------------------------------------------------------------------------------------

/// The field that tells the alternatives of a std::variant apart.
inline constexpr std::string_view tag_field = "kind";

template <class T>
concept Tagged = DescribedStruct<T> && requires {
    { T::kind } -> std::convertible_to<std::string_view>;
};

template <class V>
struct ChoiceTraits;
template <class... A>
struct ChoiceTraits<std::variant<A...>> {
    static_assert((... && Tagged<A>),
                  "each alternative of a std::variant is a described struct with `static constexpr std::string_view kind = \"...\";`");
    static constexpr std::array<std::string_view, sizeof...(A)> tags{std::string_view{A::kind}...};
};

// ---- words ---------------------------------------------------------------------------------------------------

template <class T>
inline constexpr std::string_view id_prefix{};
template <class K>
inline constexpr std::string_view id_prefix<Id<K>>{K::prefix};

template <Word T>
std::string word_text(const T& word) {
    if constexpr (TextCustom<T>) {
        return std::string{Custom<T>::text(word)};
    } else if constexpr (std::same_as<T, Uid>) {
        return format_uid(word);
    } else {
        return std::string{word.text()};
    }
}

/// An empty Name is "none" and is read as such; a field that must have one says `.min_length = 1`.
template <Word T>
std::optional<T> parse_word(std::string_view text) {
    if constexpr (TextCustom<T>) {
        return Custom<T>::parse(text);
    } else if constexpr (std::same_as<T, Uid>) {
        return parse_uid(text);
    } else if constexpr (is_a<T, Name>) {
        return text.empty() ? std::optional{T{}} : T::parse(text);
    } else {
        return T::parse(text);
    }
}

/// What a word looks like, for a message: "a name of ...".
template <Word T>
std::string word_expected() {
    if constexpr (TextCustom<T>) {
        return std::string{Custom<T>::expected};
    } else if constexpr (is_a<T, Name>) {
        return "a name: 1 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends";
    } else if constexpr (is_a<T, Id>) {
        return "an id: '" + std::string{id_prefix<T>} + "-' and 26 characters of base 32";
    } else if constexpr (std::same_as<T, Uid>) {
        return "an id of 26 characters of base 32";
    } else {
        return "a digest of 64 hexadecimal digits in lower case";
    }
}

/// The same as a regular expression of ECMA-262; empty where there is none.
template <Word T>
std::string word_pattern() {
    constexpr std::string_view uid = "[0-7][0-9a-hjkmnp-tv-z]{25}$";
    if constexpr (TextCustom<T>) {
        return std::string{Custom<T>::pattern};
    } else if constexpr (is_a<T, Name>) {
        return R"(^(?!.*\.\.)([a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)?$)";
    } else if constexpr (is_a<T, Id>) {
        return "^" + std::string{id_prefix<T>} + "-" + std::string{uid};
    } else if constexpr (std::same_as<T, Uid>) {
        return "^" + std::string{uid};
    } else {
        return "^[0-9a-f]{64}$";
    }
}

}  // namespace weir::codec::detail
