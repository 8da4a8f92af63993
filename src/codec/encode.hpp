// codec/encode.hpp: from a described C++ type to JSON, straight to text.
//
// Fields in the order of their description, absent optionals left out, no space: one value has one text, on every
// machine. decode<T>() of the text gives the value back, where its strings are UTF-8 and its doubles finite (other
// bytes become U+FFFD, other doubles null). An enum's value that no enumerator names ends the process. Which types have
// a form: decode.hpp.
#pragma once

#include "codec/kinds.hpp"
#include "codec/text.hpp"
#include "codec/value.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::codec {

namespace detail {

template <class T>
void write(const T& value, std::string& out);

/// `,"name":` of a member, made by the compiler.
template <class D>
inline constexpr auto key_text = [] {
    constexpr std::string_view name = wire_name(D::name);
    std::array<char, name.size() + 4> text{};
    text[0] = ',';
    text[1] = '"';
    for (std::size_t i = 0; i < name.size(); ++i) text[2 + i] = name[i];
    text[2 + name.size()] = '"';
    text[3 + name.size()] = ':';
    return text;
}();

/// Writes the members after an open brace; `first` says whether nothing follows it yet.
template <DescribedStruct T>
void write_members(const T& value, std::string& out, bool first) {
    each_member<T>([&](auto d) {
        using D = decltype(d);
        const auto& member = value.*D::pointer;
        if constexpr (Optional<member_type<T, D>>) {
            if (!member) return;
        }
        out.append(key_text<D>.data() + (first ? 1 : 0), key_text<D>.size() - (first ? 1 : 0));
        first = false;
        write(member, out);
    });
}

template <class T>
void write_items(const T& items, std::string& out) {
    out.push_back('[');
    bool first = true;
    for (auto&& item : items) {
        if (!first) out.push_back(',');
        first = false;
        write<typename T::value_type>(item, out);
    }
    out.push_back(']');
}

template <MapKey K>
void write_key(const K& key, std::string& out) {
    if constexpr (std::same_as<K, std::string>) {
        append_quoted(out, key);
    } else if constexpr (DescribedEnum<K>) {
        append_quoted(out, enum_name(key));
    } else {
        append_quoted(out, word_text(key));
    }
}

template <Map T>
void write_entries(const T& entries, std::string& out) {
    out.push_back('{');
    bool first = true;
    for (const auto& [key, mapped] : entries) {
        if (!first) out.push_back(',');
        first = false;
        write_key(key, out);
        out.push_back(':');
        write(mapped, out);
    }
    out.push_back('}');
}

template <class... A>
void write_alternative(const std::variant<A...>& choice, std::string& out) {
    std::visit(
        [&]<class T>(const T& alternative) {
            out += "{\"kind\":";
            append_quoted(out, ChoiceTraits<std::variant<A...>>::tags[choice.index()]);
            write_members(alternative, out, false);
            out.push_back('}');
        },
        choice);
}

template <class T>
void write(const T& value, std::string& out) {
    if constexpr (is_a<T, Name>) {
        out.push_back('"');
        out += value.value;
        out.push_back('"');
    } else if constexpr (Word<T>) {
        append_quoted(out, word_text(value));
    } else if constexpr (FrozenValue<T>) {
        write(*value, out);
    } else if constexpr (HasCustom<T>) {
        Custom<T>::to_json(value, out);
    } else if constexpr (std::same_as<T, bool>) {
        out += value ? "true" : "false";
    } else if constexpr (Integer<T>) {
        if constexpr (std::signed_integral<T>) {
            append_integer(out, static_cast<std::int64_t>(value));
        } else {
            append_integer(out, static_cast<std::uint64_t>(value));
        }
    } else if constexpr (std::same_as<T, double>) {
        append_number(out, value);
    } else if constexpr (std::same_as<T, std::string>) {
        append_quoted(out, value);
    } else if constexpr (AmountOf<T>) {
        append_integer(out, value.value);
    } else if constexpr (std::same_as<T, Instant>) {
        out.push_back('"');
        append_utc(out, value);
        out.push_back('"');
    } else if constexpr (std::same_as<T, Duration>) {
        append_quoted(out, format_span(value));
    } else if constexpr (DescribedEnum<T>) {
        append_quoted(out, enum_name(value));
    } else if constexpr (Optional<T>) {
        if (value) {
            write(*value, out);
        } else {
            out += "null";
        }
    } else if constexpr (List<T> || Set<T> || FixedList<T>) {
        write_items(value, out);
    } else if constexpr (Map<T>) {
        write_entries(value, out);
    } else if constexpr (Choice<T>) {
        write_alternative(value, out);
    } else if constexpr (DescribedStruct<T>) {
        out.push_back('{');
        write_members(value, out, true);
        out.push_back('}');
    } else {
        static_assert(unsupported<T>, "this type has no form: describe it (BOOST_DESCRIBE_STRUCT) or specialise codec::Custom");
    }
}

}  // namespace detail

/// The enumerator's name, as in JSON.
template <detail::DescribedEnum E>
[[nodiscard]] std::string_view name_of(E value) {
    return detail::enum_name(value);
}

/// Appends the value as compact JSON.
template <class T>
    requires(!std::same_as<T, Value>)
void write_json(const T& value, std::string& out) {
    detail::write(value, out);
}

/// The value as compact JSON.
template <class T>
[[nodiscard]] std::string to_json(const T& value) {
    std::string out;
    write_json(value, out);
    return out;
}

/// Appends JSON text again with a line per member and two spaces per level, for people. The text must be well formed.
void append_indented(std::string_view json, std::string& out);

/// Appends the value as JSON for people.
template <class T>
void write_json_pretty(const T& value, std::string& out) {
    append_indented(to_json(value), out);
}

}  // namespace weir::codec
