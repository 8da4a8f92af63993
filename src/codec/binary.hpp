// codec/binary.hpp: described types as compact bytes, for snapshots and other caches.
//
//     std::string bytes;
//     codec::write_binary(state, bytes);
//     auto again = codec::read_binary<State>(bytes);      // Result<State, BinaryError>
//     store(codec::schema_hash<State>(), codec::compress(bytes));
//
// The form is not self-describing: bytes belong to exactly the types that wrote them, which schema_hash() names. It
// changes when a field, an enumerator or an alternative is added, renamed, renumbered or moved, so that other bytes
// are recognised before they are read. Reading checks every length and every value; damaged bytes give an error,
// never undefined behaviour, and memory in proportion to their size. Structs in each other beyond 256 levels (a tree
// that holds itself) are refused on reading.
//
// Integers are little-endian base-128 (signed ones zigzag), instants, ids and doubles of fixed width; strings and
// containers carry their length first; maps and sets come strictly ascending. A type that has a Custom form and no
// description is written as that form's JSON text.
#pragma once

#include "base/result.hpp"
#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "codec/kinds.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weir::codec {

enum class BinaryError : std::uint8_t {
    ends_early = 1,     ///< A length or a value reaches beyond the last byte.
    bad_value = 2,      ///< No such enumerator or alternative, a number beyond its type, keys out of order...
    bytes_follow = 3,   ///< The value is complete, the bytes are not.
};
[[nodiscard]] std::string_view describe(BinaryError error);

namespace detail {

/// Reads from the front; after the first failure every further read fails.
class BinaryReader {
public:
    explicit BinaryReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    [[nodiscard]] BinaryError error() const { return error_; }

    bool refuse(BinaryError error) {
        error_ = error;
        return false;
    }
    bool byte(std::uint8_t& out) {
        if (at_ == end_) return refuse(BinaryError::ends_early);
        out = static_cast<std::uint8_t>(*at_++);
        return true;
    }
    bool varint(std::uint64_t& out) {
        if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
            out = static_cast<std::uint8_t>(*at_++);
            return true;
        }
        return long_varint(out);
    }
    /// 8 bytes, little-endian.
    bool fixed64(std::uint64_t& out) {
        if (left() < sizeof out) return refuse(BinaryError::ends_early);
        std::memcpy(&out, at_, sizeof out);
        at_ += sizeof out;
        return true;
    }
    bool bytes(void* out, std::size_t count) {
        if (left() < count) return refuse(BinaryError::ends_early);
        std::memcpy(out, at_, count);
        at_ += count;
        return true;
    }
    /// A length and as many bytes; the view lies in the input.
    bool text(std::string_view& out) {
        std::uint64_t length = 0;
        if (!varint(length)) return false;
        if (length > left()) return refuse(BinaryError::ends_early);
        out = {at_, static_cast<std::size_t>(length)};
        at_ += length;
        return true;
    }
    /// Goes into a struct; false where structs lie deeper in each other than deepest_nesting.
    bool enter() { return ++depth_ <= deepest_nesting || refuse(BinaryError::bad_value); }
    void leave() { --depth_; }

    /// How many items follow; each takes at least one byte.
    bool count(std::size_t& out) {
        std::uint64_t number = 0;
        if (!varint(number)) return false;
        if (number > left()) return refuse(BinaryError::ends_early);
        out = static_cast<std::size_t>(number);
        return true;
    }

private:
    bool long_varint(std::uint64_t& out);

    const char* at_;
    const char* end_;
    std::size_t depth_ = 0;
    BinaryError error_ = BinaryError::bad_value;
};

static_assert(std::endian::native == std::endian::little, "fixed-width fields are copied as they lie in memory");

void put_varint(std::string& out, std::uint64_t number);

inline void put_fixed64(std::string& out, std::uint64_t number) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    out.append(bytes, sizeof number);
}

constexpr std::uint64_t zigzag(std::int64_t number) {
    return (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t bits) { return static_cast<std::int64_t>((bits >> 1) ^ (0 - (bits & 1))); }

/// Items reserved before the first is read; more only as they prove to be there.
inline constexpr std::size_t most_reserved = 1024;

template <class T>
void put(const T& value, std::string& out);
template <class T>
bool get(BinaryReader& in, T& out);

template <DescribedStruct T>
void put_struct(const T& value, std::string& out) {
    each_member<T>([&](auto d) { put(value.*decltype(d)::pointer, out); });
    if constexpr (member_count<T> == 0) out.push_back('\0');  // every item of a list takes a byte
}

template <DescribedStruct T>
bool get_struct(BinaryReader& in, T& out) {
    if constexpr (member_count<T> == 0) {
        std::uint8_t zero = 0;
        return in.byte(zero) && (zero == 0 || in.refuse(BinaryError::bad_value));
    } else {
        if (!in.enter()) return false;
        const bool good = all_members<T>([&](auto d) { return get(in, out.*decltype(d)::pointer); });
        in.leave();
        return good;
    }
}

template <class T>
bool get_items(BinaryReader& in, T& out) {
    std::size_t count = 0;
    if (!in.count(count)) return false;
    if constexpr (List<T>) out.reserve(std::min(count, most_reserved));
    for (std::size_t i = 0; i < count; ++i) {
        typename T::value_type item{};
        if (!get(in, item)) return false;
        if constexpr (Set<T>) {
            if (!out.empty() && !out.key_comp()(*out.rbegin(), item)) return in.refuse(BinaryError::bad_value);
            out.emplace_hint(out.end(), std::move(item));
        } else {
            out.push_back(std::move(item));
        }
    }
    return true;
}

template <Map T>
bool get_entries(BinaryReader& in, T& out) {
    std::size_t count = 0;
    if (!in.count(count)) return false;
    for (std::size_t i = 0; i < count; ++i) {
        typename T::key_type key{};
        if (!get(in, key)) return false;
        if (!out.empty() && !out.key_comp()(out.rbegin()->first, key)) return in.refuse(BinaryError::bad_value);
        const auto entry = out.emplace_hint(out.end(), std::move(key), typename T::mapped_type{});
        if (!get(in, entry->second)) return false;
    }
    return true;
}

template <class... A>
bool get_alternative(BinaryReader& in, std::variant<A...>& out) {
    using Reader = bool (*)(BinaryReader&, std::variant<A...>&);
    static constexpr std::array<Reader, sizeof...(A)> readers{
        [](BinaryReader& i, std::variant<A...>& o) { return get(i, o.template emplace<A>()); }...};
    std::uint64_t index = 0;
    if (!in.varint(index)) return false;
    if (index >= readers.size()) return in.refuse(BinaryError::bad_value);
    return readers[index](in, out);
}

template <Integer T>
bool get_integer(BinaryReader& in, T& out) {
    std::uint64_t bits = 0;
    if (!in.varint(bits)) return false;
    if constexpr (std::signed_integral<T>) {
        const std::int64_t number = unzigzag(bits);
        if (!std::in_range<T>(number)) return in.refuse(BinaryError::bad_value);
        out = static_cast<T>(number);
    } else {
        if (!std::in_range<T>(bits)) return in.refuse(BinaryError::bad_value);
        out = static_cast<T>(bits);
    }
    return true;
}

template <DescribedEnum T>
bool get_enum(BinaryReader& in, T& out) {
    std::underlying_type_t<T> number{};
    if (!get_integer(in, number)) return false;
    out = static_cast<T>(number);
    for (const T known : enum_values<T>) {
        if (known == out) return true;
    }
    return in.refuse(BinaryError::bad_value);
}

/// The JSON text of a Custom form, read back.
template <class T>
bool get_custom(BinaryReader& in, T& out) {
    std::string_view text;
    if (!in.text(text)) return false;
    const auto value = read_json(text, {.max_bytes = SIZE_MAX, .max_depth = deepest_nesting, .max_nodes = SIZE_MAX});
    Report report;
    if (!value || !codec::read(*value, Place{report}, out)) return in.refuse(BinaryError::bad_value);
    return true;
}

template <class T>
concept OnlyCustom = HasCustom<T> && !DescribedStruct<T> && !DescribedEnum<T> && !List<T>;

template <class T>
void put(const T& value, std::string& out) {
    if constexpr (std::same_as<T, bool>) {
        out.push_back(value ? '\1' : '\0');
    } else if constexpr (Integer<T>) {
        if constexpr (std::signed_integral<T>) {
            put_varint(out, zigzag(value));
        } else {
            put_varint(out, value);
        }
    } else if constexpr (std::same_as<T, double>) {
        put_fixed64(out, std::bit_cast<std::uint64_t>(value));
    } else if constexpr (std::same_as<T, std::string>) {
        put_varint(out, value.size());
        out += value;
    } else if constexpr (AmountOf<T>) {
        put_varint(out, zigzag(value.value));
    } else if constexpr (std::same_as<T, Instant> || std::same_as<T, Duration>) {
        put_fixed64(out, static_cast<std::uint64_t>(value.ns));
    } else if constexpr (std::same_as<T, Uid>) {
        put_fixed64(out, value.high);
        put_fixed64(out, value.low);
    } else if constexpr (is_a<T, Id>) {
        put(value.uid, out);
    } else if constexpr (is_a<T, Name>) {
        put(value.value, out);
    } else if constexpr (std::same_as<T, Digest>) {
        out.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
    } else if constexpr (FrozenValue<T>) {
        put(*value, out);
    } else if constexpr (OnlyCustom<T>) {
        put(to_json(value), out);
    } else if constexpr (DescribedEnum<T>) {
        static_cast<void>(enum_name(value));  // what cannot be read is not written
        put(static_cast<std::underlying_type_t<T>>(value), out);
    } else if constexpr (Optional<T>) {
        out.push_back(value ? '\1' : '\0');
        if (value) put(*value, out);
    } else if constexpr (List<T> || Set<T>) {
        put_varint(out, value.size());
        for (auto&& item : value) put<typename T::value_type>(item, out);
    } else if constexpr (FixedList<T>) {
        if constexpr (std::tuple_size_v<T> == 0) out.push_back('\0');
        for (const auto& item : value) put(item, out);
    } else if constexpr (Map<T>) {
        put_varint(out, value.size());
        for (const auto& [key, mapped] : value) {
            put(key, out);
            put(mapped, out);
        }
    } else if constexpr (Choice<T>) {
        put_varint(out, value.index());
        std::visit([&](const auto& alternative) { put(alternative, out); }, value);
    } else if constexpr (DescribedStruct<T>) {
        put_struct(value, out);
    } else {
        static_assert(unsupported<T>, "this type has no form: describe it (BOOST_DESCRIBE_STRUCT) or specialise codec::Custom");
    }
}

template <class T>
bool get(BinaryReader& in, T& out) {
    if constexpr (std::same_as<T, bool>) {
        std::uint8_t bit = 0;
        if (!in.byte(bit)) return false;
        out = bit != 0;
        return bit <= 1 || in.refuse(BinaryError::bad_value);
    } else if constexpr (Integer<T>) {
        return get_integer(in, out);
    } else if constexpr (std::same_as<T, double>) {
        std::uint64_t bits = 0;
        if (!in.fixed64(bits)) return false;
        out = std::bit_cast<double>(bits);
        return true;
    } else if constexpr (std::same_as<T, std::string>) {
        std::string_view text;
        if (!in.text(text)) return false;
        out.assign(text);
        return true;
    } else if constexpr (AmountOf<T>) {
        return get_integer(in, out.value);
    } else if constexpr (std::same_as<T, Instant> || std::same_as<T, Duration>) {
        std::uint64_t bits = 0;
        if (!in.fixed64(bits)) return false;
        out.ns = static_cast<std::int64_t>(bits);
        return true;
    } else if constexpr (std::same_as<T, Uid>) {
        return in.fixed64(out.high) && in.fixed64(out.low);
    } else if constexpr (is_a<T, Id>) {
        return get(in, out.uid);
    } else if constexpr (is_a<T, Name>) {
        return get(in, out.value) && (out.value.empty() || is_name(out.value) || in.refuse(BinaryError::bad_value));
    } else if constexpr (std::same_as<T, Digest>) {
        return in.bytes(out.bytes.data(), out.bytes.size());
    } else if constexpr (FrozenValue<T>) {
        typename T::value_type plain{};
        if (!get(in, plain)) return false;
        out = std::move(plain);
        return true;
    } else if constexpr (OnlyCustom<T>) {
        return get_custom(in, out);
    } else if constexpr (DescribedEnum<T>) {
        return get_enum(in, out);
    } else if constexpr (Optional<T>) {
        bool present = false;
        if (!get(in, present)) return false;
        out.reset();
        return !present || get(in, out.emplace());
    } else if constexpr (List<T> || Set<T>) {
        return get_items(in, out);
    } else if constexpr (FixedList<T>) {
        if constexpr (std::tuple_size_v<T> == 0) {
            std::uint8_t zero = 0;
            return in.byte(zero);
        }
        for (auto& item : out) {
            if (!get(in, item)) return false;
        }
        return true;
    } else if constexpr (Map<T>) {
        return get_entries(in, out);
    } else if constexpr (Choice<T>) {
        return get_alternative(in, out);
    } else if constexpr (DescribedStruct<T>) {
        return get_struct(in, out);
    } else {
        static_assert(unsupported<T>, "this type has no form: describe it (BOOST_DESCRIBE_STRUCT) or specialise codec::Custom");
    }
}

// ---- the description of a type as text, for its hash ---------------------------------------------------------

template <class T>
inline constexpr char type_mark = 0;

/// Structs already described, by the address of their mark: a type that holds itself ends here.
using Described = std::vector<const void*>;

template <class T>
void describe_layout(std::string& out, Described& known);

template <DescribedStruct T>
void describe_struct(std::string& out, Described& known) {
    const void* mark = &type_mark<T>;
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (known[i] == mark) {
            out += "#" + std::to_string(i);
            return;
        }
    }
    known.push_back(mark);
    out += "{";
    each_member<T>([&](auto d) {
        using D = decltype(d);
        out += D::name;
        out += ":";
        describe_layout<member_type<T, D>>(out, known);
        out += ";";
    });
    out += "}";
}

template <class T>
void describe_layout(std::string& out, Described& known) {
    if constexpr (std::same_as<T, bool>) {
        out += "bool";
    } else if constexpr (Integer<T>) {
        out += (std::signed_integral<T> ? "i" : "u") + std::to_string(sizeof(T) * 8);
    } else if constexpr (std::same_as<T, double>) {
        out += "f64";
    } else if constexpr (std::same_as<T, std::string>) {
        out += "text";
    } else if constexpr (AmountOf<T>) {
        out += "amount";
    } else if constexpr (std::same_as<T, Instant>) {
        out += "instant";
    } else if constexpr (std::same_as<T, Duration>) {
        out += "duration";
    } else if constexpr (std::same_as<T, Uid>) {
        out += "uid";
    } else if constexpr (is_a<T, Id>) {
        out += "id " + std::string{id_prefix<T>};
    } else if constexpr (is_a<T, Name>) {
        out += "name";
    } else if constexpr (std::same_as<T, Digest>) {
        out += "digest";
    } else if constexpr (FrozenValue<T>) {
        describe_layout<typename T::value_type>(out, known);
    } else if constexpr (OnlyCustom<T>) {
        out += "json";
    } else if constexpr (DescribedEnum<T>) {
        out += "enum" + std::to_string(sizeof(T)) + "(";
        for (std::size_t i = 0; i < enum_names<T>.size(); ++i) {
            out += std::string{enum_names<T>[i]} + "=" + std::to_string(static_cast<std::int64_t>(enum_values<T>[i])) + ",";
        }
        out += ")";
    } else if constexpr (Optional<T>) {
        out += "?";
        describe_layout<typename T::value_type>(out, known);
    } else if constexpr (List<T> || Set<T>) {
        out += List<T> ? "list " : "set ";
        describe_layout<typename T::value_type>(out, known);
    } else if constexpr (FixedList<T>) {
        out += "array" + std::to_string(std::tuple_size_v<T>) + " ";
        describe_layout<typename T::value_type>(out, known);
    } else if constexpr (Map<T>) {
        out += "map ";
        describe_layout<typename T::key_type>(out, known);
        out += " ";
        describe_layout<typename T::mapped_type>(out, known);
    } else if constexpr (Choice<T>) {
        out += "choice(";
        [&]<class... A>(const std::variant<A...>*) {
            (..., (out += std::string{A::kind} + " ", describe_layout<A>(out, known), out += ","));
        }(static_cast<const T*>(nullptr));
        out += ")";
    } else if constexpr (DescribedStruct<T>) {
        describe_struct<T>(out, known);
    } else {
        static_assert(unsupported<T>, "this type has no form: describe it (BOOST_DESCRIBE_STRUCT) or specialise codec::Custom");
    }
}

[[nodiscard]] std::uint64_t hash_layout(std::string_view layout);

}  // namespace detail

/// Appends the value's bytes.
template <class T>
void write_binary(const T& value, std::string& out) {
    detail::put(value, out);
}

/// The value of which these are exactly the bytes.
template <class T>
[[nodiscard]] Result<T, BinaryError> read_binary(std::string_view bytes) {
    detail::BinaryReader in{bytes};
    T out{};
    if (!detail::get(in, out)) return fail(in.error());
    if (in.left() != 0) return fail(BinaryError::bytes_follow);
    return out;
}

/// What schema_hash() hashes: field names, types, enumerators, alternatives; for people who compare two versions.
template <class T>
[[nodiscard]] std::string schema_text() {
    std::string layout;
    detail::Described known;
    detail::describe_layout<T>(layout, known);
    return layout;
}

/// A number that differs (but for one chance in 2^64) whenever write_binary<T> means something else.
template <class T>
[[nodiscard]] std::uint64_t schema_hash() {
    return detail::hash_layout(schema_text<T>());
}

}  // namespace weir::codec
