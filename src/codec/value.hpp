// codec/value.hpp: a document as a tree whose every node knows where it was written.
//
// Answers: is this text a well-formed document, and what does it hold? What the document *means*
// is decode.hpp's question. Both readers are strict: nothing is repaired, guessed or dropped.
//
// Numbers are values, not spellings: `5`, `5.0` and `0.5e1` are the same integer (up to 2^53; beyond, only digits
// alone are). An integer that neither int64 nor uint64 holds is an error, never a rounded double; NaN and infinities
// are errors.
// Lines and columns count from 1; a column is a byte of its line.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::codec {

struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    friend bool operator==(const Position&, const Position&) = default;
};

/// What is wrong with a document. The first six come from the readers, the rest from decode().
enum class Fault : std::uint8_t {
    bad_syntax = 1,
    bad_utf8 = 2,
    too_large = 3,      ///< More bytes or nodes than Limits allow.
    too_deep = 4,
    duplicate_key = 5,
    out_of_range = 6,   ///< A number beyond what its type, or any type, holds.
    unknown_field = 7,
    missing_field = 8,
    wrong_type = 9,
    not_one_of = 10,
    too_long = 11,      ///< Too many characters, items or entries.
    too_short = 12,
    bad_format = 13,    ///< A string that is not a name, an id, an instant...
};

struct ReadError {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string message;
    Fault code = Fault::bad_syntax;
};

/// Nesting beyond this is refused whatever Limits say: the readers recurse.
inline constexpr std::size_t deepest_nesting = 256;
/// YAML beyond this is refused whatever Limits say: it is what people write by hand.
inline constexpr std::size_t largest_yaml_bytes = 1U << 20;

struct Limits {
    std::size_t max_bytes = 8U << 20;
    std::size_t max_depth = 64;          ///< `[[1]]` has depth 2.
    std::size_t max_nodes = 1'000'000;   ///< Values of every kind, copies made by YAML aliases included.
};

enum class Kind : std::uint8_t { null, boolean, integer, big_integer, real, string, array, object };

/// "an integer", "a string": for messages.
[[nodiscard]] std::string_view name_of(Kind kind);

struct Member;

/// One node. An integer of int64's range is always `integer`; `big_integer` is above it.
class Value {
public:
    using Array = std::vector<Value>;
    using Object = std::vector<Member>;  ///< In the order written.

    Value();
    Value(const Value&);
    Value(Value&&) noexcept;
    Value& operator=(const Value&);
    Value& operator=(Value&&) noexcept;
    ~Value();

    explicit Value(bool value, Position at = {});
    explicit Value(std::int64_t value, Position at = {});
    explicit Value(std::uint64_t value, Position at = {});
    explicit Value(double value, Position at = {});
    explicit Value(std::string value, Position at = {});
    explicit Value(Array value, Position at = {});
    explicit Value(Object value, Position at = {});
    [[nodiscard]] static Value null(Position at = {});

    [[nodiscard]] Kind kind() const { return static_cast<Kind>(data_.index()); }
    [[nodiscard]] Position at() const { return at_; }
    [[nodiscard]] bool is_null() const { return kind() == Kind::null; }

    /// The content, or nullptr where the value is of another kind.
    [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&data_); }
    [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
    [[nodiscard]] const std::uint64_t* big_integer() const { return std::get_if<std::uint64_t>(&data_); }
    [[nodiscard]] const double* real() const { return std::get_if<double>(&data_); }
    [[nodiscard]] const std::string* string() const { return std::get_if<std::string>(&data_); }
    [[nodiscard]] const Array* array() const { return std::get_if<Array>(&data_); }
    [[nodiscard]] const Object* object() const { return std::get_if<Object>(&data_); }
    [[nodiscard]] Array* array() { return std::get_if<Array>(&data_); }
    [[nodiscard]] Object* object() { return std::get_if<Object>(&data_); }

    /// Replaces the content in place; T is one of the eight that a Value holds.
    template <class T>
    T& emplace(Position at) {
        at_ = at;
        return data_.template emplace<T>();
    }

    /// The member's value, or nullptr where there is none or this is no object.
    [[nodiscard]] const Value* find(std::string_view key) const;

    /// Equal content: a real equals the integer of its value; where it was written does not matter, the order of
    /// members does.
    friend bool operator==(const Value& a, const Value& b);

private:
    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> data_;
    Position at_;
};

struct Member {
    std::string key;
    Value value;
    Position at;  ///< Of the key.
    friend bool operator==(const Member& a, const Member& b) { return a.key == b.key && a.value == b.value; }
};

// Here, and not in the class, since they need the whole Member; inline, since readers move every node twice.
inline Value::Value() = default;
inline Value::Value(Value&&) noexcept = default;
inline Value& Value::operator=(Value&&) noexcept = default;
inline Value::~Value() = default;

/// RFC 8259 exactly, and duplicate keys refused. UTF-8 without a byte order mark.
[[nodiscard]] Result<Value, ReadError> read_json(std::string_view text, const Limits& limits = {});

/// One YAML document by the core schema of YAML 1.2: `no` and `on` are strings, `0o17` and `0x1f` are
/// integers, what is quoted is a string. Tags, merge keys (`<<`), keys that are not scalars, and
/// `.inf`/`.nan` are refused. Aliases are copied and count towards max_nodes. An empty document is null.
[[nodiscard]] Result<Value, ReadError> read_yaml(std::string_view text, const Limits& limits = {});

/// Appends the tree as compact JSON. A real that is not finite cannot be read and is written as null.
void write_json(const Value& value, std::string& out);

}  // namespace weir::codec
