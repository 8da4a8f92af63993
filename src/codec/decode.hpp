// codec/decode.hpp: from a document to a described C++ type, with every problem named.
//
//     namespace weir {
//     enum class Tier : std::uint8_t { edge = 1, cloud = 2, core = 3 };
//     BOOST_DESCRIBE_ENUM(Tier, edge, cloud, core)
//
//     struct SiteSpec {
//         Name<SiteKind> name;
//         Tier tier = Tier::cloud;
//         std::optional<Instant> opens;
//         std::vector<std::string> labels;
//         static constexpr std::array field_rules{
//             codec::Field{.name = "labels", .optional = true, .max_length = 16, .doc = "free words"}};
//     };
//     BOOST_DESCRIBE_STRUCT(SiteSpec, (), (name, tier, opens, labels))
//     }
//
//     auto spec = codec::decode_yaml<SiteSpec>(text, "site.yaml");   // Result<SiteSpec, Problems>
//     if (!spec) for (const auto& problem : spec.error()) print(codec::describe(problem));
//     // site.yaml:2:7: tier: must be one of edge, cloud, core, is "clod"; did you mean "cloud"
//     std::string line;
//     codec::write_json(*spec, line);                                // {"name":"a","tier":"cloud","labels":[]}
//
// Which fields are required and what else a struct may say about them: field.hpp. Types that have a form:
//
//     bool, integers of every width, double, std::string      as in JSON; beyond 2^53 an integer is a string of digits
//     Quantity                                                an integer; say the unit in the field's name
//     Instant, Duration                                       "2026-11-22T06:00:00Z", "4h30m" (text.hpp)
//     Name, Id, Uid, Digest                                   strings; an empty Name is "none" (`.min_length = 1` refuses it)
//     described enum                                          its enumerator's name
//     std::optional                                           the value, or absent, or null
//     std::vector, std::array, std::set                       a list
//     std::map by string, Name, Id, Uid, enum                 an object
//     described struct (mod_public, bases too)                an object; unknown fields are refused
//     std::variant of described structs                       an object whose `kind` is the alternative's
//                                                             `static constexpr std::string_view kind`
//
// A type can have a form of its own, declared in the header that defines the type: a file that does not see it would
// give the type its usual form, and the linker would keep either. One string:
//
//     template <> struct codec::Custom<Version> {
//         static std::optional<Version> parse(std::string_view text);
//         static std::string text(const Version& version);
//         static constexpr std::string_view expected = "a version such as 1.4";   // for messages
//         static constexpr std::string_view pattern = "^[0-9]+\\.[0-9]+$";        // for the schema; may be empty
//     };
//
// Anything else:
//
//     template <> struct codec::Custom<Request> {
//         static bool from_value(const Value& value, const Place& place, Request& out);   // place.refuse() on failure
//         static void to_json(const Request& request, std::string& out);
//         static std::string schema(SchemaBook& book);                                    // schema.hpp
//     };
#pragma once

#include "base/result.hpp"
#include "codec/kinds.hpp"
#include "codec/value.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::codec {

struct Problem {
    std::string origin;  ///< The file, or what else the caller named.
    std::string path;    ///< `resources.accelerators[0]`; empty for the document itself.
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    Fault code = Fault::bad_syntax;
    std::string message;
};
using Problems = std::vector<Problem>;

/// No more than this many problems of one document are collected.
inline constexpr std::size_t most_problems = 20;

/// `site.yaml:2:7: tier: must be ...`.
[[nodiscard]] std::string describe(const Problem& problem);
/// All of them, a line each.
[[nodiscard]] std::string describe(const Problems& problems);
/// What a reader refused, as a problem of the document.
[[nodiscard]] Problem problem_of(ReadError error, std::string_view origin);

/// Collects the problems of one document.
struct Report {
    std::string_view origin{};
    Problems problems{};
    [[nodiscard]] bool full() const { return problems.size() >= most_problems; }
};

/// Where in the document the decoder is: a chain of fields and items, each alive as long as those below it.
class Place {
public:
    explicit Place(Report& report) : report_(report) {}
    [[nodiscard]] Place field(std::string_view name) const { return Place{report_, this, name, 0, false}; }
    [[nodiscard]] Place item(std::size_t index) const { return Place{report_, this, {}, index, true}; }

    /// Records a problem of this place; always false.
    bool refuse(Position at, Fault code, std::string message) const;
    bool refuse(const Value& value, Fault code, std::string message) const { return refuse(value.at(), code, std::move(message)); }
    /// "must be `expected`, is `what the value is`"; always false.
    bool refuse_type(const Value& value, std::string_view expected) const;
    [[nodiscard]] bool full() const { return report_.full(); }
    [[nodiscard]] std::string path() const;

private:
    Place(Report& report, const Place* parent, std::string_view name, std::size_t index, bool is_item)
        : report_(report), parent_(parent), name_(name), index_(index), is_item_(is_item) {}

    Report& report_;
    const Place* parent_ = nullptr;
    std::string_view name_{};
    std::size_t index_ = 0;
    bool is_item_ = false;
};

namespace detail {

/// The problems by line and column.
[[nodiscard]] Problems in_order(Report report);

/// A rule that says nothing.
inline constexpr Field no_rule{};

// The forms that need no template. Each returns whether `out` was set; if not, the problem is recorded.
bool read_boolean(const Value& value, const Place& place, bool& out);
bool read_signed(const Value& value, const Place& place, std::int64_t min, std::int64_t max, std::int64_t& out);
bool read_unsigned(const Value& value, const Place& place, std::uint64_t min, std::uint64_t max, std::uint64_t& out);
bool read_real(const Value& value, const Place& place, const Field& rule, double& out);
bool read_string(const Value& value, const Place& place, const Field& rule, std::string& out);
bool read_instant(const Value& value, const Place& place, Instant& out);
bool read_duration(const Value& value, const Place& place, Duration& out);
/// The index of the value's text among `names`.
bool read_choice(const Value& value, const Place& place, std::span<const std::string_view> names, std::size_t& out);
/// The members of an object, sorted into the slots of a struct's fields; `also` is a key to pass over.
bool read_fields(const Value& value, const Place& place, std::span<const FieldInfo> fields, std::span<const Value*> slots,
                 std::string_view also);
/// The index of the object's `kind` among `tags`.
bool read_tag(const Value& value, const Place& place, std::span<const std::string_view> tags, std::size_t& out);
/// The list, or nullptr after a problem was recorded.
const Value::Array* read_list(const Value& value, const Place& place, const Field& rule);
const Value::Object* read_map(const Value& value, const Place& place, const Field& rule);
bool check_length(const Value& value, const Place& place, const Field& rule, std::size_t length, std::string_view unit);
bool check_characters(const Value& value, const Place& place, const Field& rule, std::string_view text);
bool refuse_word(const Value& value, const Place& place, std::string_view text, std::string_view expected);
bool refuse_key(const Member& member, const Place& place, std::string_view expected);
bool refuse_repeated(const Value& value, const Place& place);
bool refuse_count(const Value& value, const Place& place, std::size_t count, std::size_t wanted);
bool check_amount(const Value& value, const Place& place, std::int64_t amount, const Field& rule, std::string_view unit);

template <class T>
bool read(const Value& value, const Place& place, T& out, const Field& rule = no_rule);

template <Integer T>
bool read_integer(const Value& value, const Place& place, T& out, const Field& rule) {
    using Limit = std::numeric_limits<T>;
    if constexpr (std::signed_integral<T>) {
        const std::int64_t min = std::max<std::int64_t>(Limit::min(), rule.min);
        const std::int64_t max = std::min<std::int64_t>(Limit::max(), rule.max);
        std::int64_t wide = 0;
        if (!read_signed(value, place, min, max, wide)) return false;
        out = static_cast<T>(wide);
    } else {
        const std::uint64_t min = rule.min < 0 ? 0 : static_cast<std::uint64_t>(rule.min);
        const std::uint64_t max = rule.max == INT64_MAX ? UINT64_MAX : static_cast<std::uint64_t>(rule.max);
        std::uint64_t wide = 0;
        if (!read_unsigned(value, place, min, std::min<std::uint64_t>(Limit::max(), max), wide)) return false;
        out = static_cast<T>(wide);
    }
    return true;
}

template <Word T>
bool read_word(const Value& value, const Place& place, T& out, const Field& rule) {
    const std::string* text = value.string();
    if (text == nullptr) return place.refuse_type(value, word_expected<T>());
    if (!check_characters(value, place, rule, *text)) return false;
    auto word = parse_word<T>(*text);
    if (!word) return refuse_word(value, place, *text, word_expected<T>());
    out = std::move(*word);
    return true;
}

template <class T>
bool read_items(const Value& value, const Place& place, T& out, const Field& rule) {
    const Value::Array* items = read_list(value, place, rule);
    if (items == nullptr) return false;
    const Field inner = item_rule(rule);
    bool good = true;
    out.clear();  // what the document says replaces the default, item by item would add to it
    if constexpr (List<T>) out.reserve(items->size());
    for (std::size_t i = 0; i < items->size() && !place.full(); ++i) {
        const Value& item = (*items)[i];
        typename T::value_type element{};
        if (!read(item, place.item(i), element, inner)) {
            good = false;
        } else if constexpr (Set<T>) {
            if (!out.insert(std::move(element)).second) good = refuse_repeated(item, place.item(i));
        } else {
            out.push_back(std::move(element));
        }
    }
    return good;
}

template <FixedList T>
bool read_fixed(const Value& value, const Place& place, T& out, const Field& rule) {
    const Value::Array* items = read_list(value, place, no_rule);
    if (items == nullptr) return false;
    if (items->size() != out.size()) return refuse_count(value, place, items->size(), out.size());
    const Field inner = item_rule(rule);
    bool good = true;
    for (std::size_t i = 0; i < out.size(); ++i) good = read((*items)[i], place.item(i), out[i], inner) && good;
    return good;
}

template <MapKey K>
std::optional<K> parse_key(std::string_view text) {
    if constexpr (std::same_as<K, std::string>) {
        return std::string{text};
    } else if constexpr (DescribedEnum<K>) {
        for (std::size_t i = 0; i < enum_names<K>.size(); ++i) {
            if (enum_names<K>[i] == text) return enum_values<K>[i];
        }
        return std::nullopt;
    } else {
        if constexpr (is_a<K, Name>) {
            if (text.empty()) return std::nullopt;
        }
        return parse_word<K>(text);
    }
}

template <MapKey K>
std::string key_expected() {
    if constexpr (DescribedEnum<K>) {
        std::string out = "one of ";
        for (const std::string_view name : enum_names<K>) out += (out.size() > 7 ? ", " : "") + std::string{name};
        return out;
    } else if constexpr (Word<K>) {
        return word_expected<K>();
    } else {
        return "a string";
    }
}

template <Map T>
bool read_entries(const Value& value, const Place& place, T& out, const Field& rule) {
    using K = typename T::key_type;
    static_assert(MapKey<K>, "a map's key must be a string, a Name, an Id, a Uid, a described enum or a custom text");
    const Value::Object* members = read_map(value, place, rule);
    if (members == nullptr) return false;
    const Field inner = item_rule(rule);
    bool good = true;
    out.clear();
    for (const Member& member : *members) {
        if (place.full()) break;
        auto key = parse_key<K>(member.key);
        const Place inside = place.field(member.key);
        typename T::mapped_type mapped{};
        if (!key) {
            good = refuse_key(member, inside, key_expected<K>());
        } else if (!read(member.value, inside, mapped, inner)) {
            good = false;
        } else if (!out.emplace(std::move(*key), std::move(mapped)).second) {
            good = refuse_repeated(member.value, inside);
        }
    }
    return good;
}

template <DescribedStruct T>
bool read_struct(const Value& value, const Place& place, T& out, std::string_view also = {}) {
    std::array<const Value*, member_count<T>> slots{};
    bool good = read_fields(value, place, field_infos<T>, slots, also);
    std::size_t next = 0;
    each_member<T>([&](auto d) {
        using D = decltype(d);
        const Value* slot = slots[next];
        const std::string_view name = field_infos<T>[next].name;
        ++next;
        if (slot != nullptr) good = read(*slot, place.field(name), out.*D::pointer, rule<T, D>) && good;
    });
    return good;
}

template <class... A>
bool read_alternative(const Value& value, const Place& place, std::variant<A...>& out) {
    using Choices = ChoiceTraits<std::variant<A...>>;
    using Reader = bool (*)(const Value&, const Place&, std::variant<A...>&);
    static constexpr std::array<Reader, sizeof...(A)> readers{
        [](const Value& v, const Place& p, std::variant<A...>& o) { return read_struct(v, p, o.template emplace<A>(), tag_field); }...};
    std::size_t index = 0;
    return read_tag(value, place, Choices::tags, index) && readers[index](value, place, out);
}

/// Bounds hold for a quantity however it is written.
template <class T>
bool within_bounds(const Value& value, const Place& place, const T& out, const Field& rule) {
    if constexpr (std::same_as<T, Seconds>) return check_amount(value, place, out.value, rule, "s");
    if constexpr (std::same_as<T, MiB>) return check_amount(value, place, out.value, rule, "MiB");
    if constexpr (std::same_as<T, MilliCpus>) return check_amount(value, place, out.value, rule, "m");
    return true;
}

template <class T>
bool read(const Value& value, const Place& place, T& out, const Field& rule) {
    if constexpr (Word<T>) {
        return read_word(value, place, out, rule) && within_bounds(value, place, out, rule);
    } else if constexpr (FrozenValue<T>) {
        typename T::value_type plain{};
        const bool good = read(value, place, plain, rule);
        out = std::move(plain);
        return good;
    } else if constexpr (HasCustom<T>) {
        return Custom<T>::from_value(value, place, out) && within_bounds(value, place, out, rule);
    } else if constexpr (std::same_as<T, bool>) {
        return read_boolean(value, place, out);
    } else if constexpr (Integer<T>) {
        return read_integer(value, place, out, rule);
    } else if constexpr (std::same_as<T, double>) {
        return read_real(value, place, rule, out);
    } else if constexpr (std::same_as<T, std::string>) {
        return read_string(value, place, rule, out);
    } else if constexpr (AmountOf<T>) {
        return read_integer(value, place, out.value, rule);
    } else if constexpr (std::same_as<T, Instant>) {
        return read_instant(value, place, out);
    } else if constexpr (std::same_as<T, Duration>) {
        return read_duration(value, place, out);
    } else if constexpr (DescribedEnum<T>) {
        std::size_t index = 0;
        if (!read_choice(value, place, enum_names<T>, index)) return false;
        out = enum_values<T>[index];
        return true;
    } else if constexpr (Optional<T>) {
        out.reset();
        return value.is_null() || read(value, place, out.emplace(), rule);
    } else if constexpr (List<T> || Set<T>) {
        return read_items(value, place, out, rule);
    } else if constexpr (FixedList<T>) {
        return read_fixed(value, place, out, rule);
    } else if constexpr (Map<T>) {
        return read_entries(value, place, out, rule);
    } else if constexpr (Choice<T>) {
        return read_alternative(value, place, out);
    } else if constexpr (DescribedStruct<T>) {
        return read_struct(value, place, out);
    } else {
        static_assert(unsupported<T>, "this type has no form: describe it (BOOST_DESCRIBE_STRUCT) or specialise codec::Custom");
    }
}

}  // namespace detail

/// Reads part of a document, for Custom forms: whether `out` was set; if not, `place` recorded why.
template <class T>
bool read(const Value& value, const Place& place, T& out) {
    return detail::read(value, place, out);
}

/// The value as a T, or all its problems (at least one, at most most_problems), in the order of their places.
template <class T>
[[nodiscard]] Result<T, Problems> decode(const Value& value, std::string_view origin) {
    Report report{.origin = origin};
    T out{};
    detail::read(value, Place{report}, out);
    if (!report.problems.empty()) return fail(detail::in_order(std::move(report)));
    return out;
}

/// read_json() and decode().
template <class T>
[[nodiscard]] Result<T, Problems> decode_json(std::string_view text, std::string_view origin, const Limits& limits = {}) {
    auto value = read_json(text, limits);
    if (!value) return fail(Problems{problem_of(std::move(value).error(), origin)});
    return decode<T>(*value, origin);
}

/// read_yaml() and decode().
template <class T>
[[nodiscard]] Result<T, Problems> decode_yaml(std::string_view text, std::string_view origin, const Limits& limits = {}) {
    auto value = read_yaml(text, limits);
    if (!value) return fail(Problems{problem_of(std::move(value).error(), origin)});
    return decode<T>(*value, origin);
}

}  // namespace weir::codec
