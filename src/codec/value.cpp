#include "codec/value.hpp"

#include "codec/text.hpp"

#include <algorithm>

namespace weir::codec {

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::null: return "null";
        case Kind::boolean: return "a boolean";
        case Kind::integer:
        case Kind::big_integer: return "an integer";
        case Kind::real: return "a number";
        case Kind::string: return "a string";
        case Kind::array: return "a list";
        case Kind::object: return "an object";
    }
    return "nothing";
}

Value::Value(const Value&) = default;
Value& Value::operator=(const Value&) = default;

Value::Value(bool value, Position at) : data_(value), at_(at) {}
Value::Value(std::int64_t value, Position at) : data_(value), at_(at) {}
Value::Value(double value, Position at) : data_(value), at_(at) {}
Value::Value(std::string value, Position at) : data_(std::move(value)), at_(at) {}
Value::Value(Array value, Position at) : data_(std::move(value)), at_(at) {}
Value::Value(Object value, Position at) : data_(std::move(value)), at_(at) {}

Value::Value(std::uint64_t value, Position at) : at_(at) {
    if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
        data_ = static_cast<std::int64_t>(value);
    } else {
        data_ = value;
    }
}

Value Value::null(Position at) {
    Value value;
    value.at_ = at;
    return value;
}

const Value* Value::find(std::string_view key) const {
    const Object* members = object();
    if (members == nullptr) return nullptr;
    const auto found = std::ranges::find(*members, key, &Member::key);
    return found == members->end() ? nullptr : &found->value;
}

namespace {

bool same_number(const Value& a, const Value& b) {
    const double* real = a.real();
    const std::int64_t* integer = b.integer();
    if (real == nullptr || integer == nullptr) return false;
    return *integer >= -largest_plain_integer && *integer <= largest_plain_integer && static_cast<double>(*integer) == *real;
}

}  // namespace

bool operator==(const Value& a, const Value& b) { return a.data_ == b.data_ || same_number(a, b) || same_number(b, a); }

void write_json(const Value& value, std::string& out) {
    switch (value.kind()) {
        case Kind::null: out += "null"; return;
        case Kind::boolean: out += *value.boolean() ? "true" : "false"; return;
        case Kind::integer: append_number(out, *value.integer()); return;
        case Kind::big_integer: append_number(out, *value.big_integer()); return;
        case Kind::real: append_number(out, *value.real()); return;
        case Kind::string: append_quoted(out, *value.string()); return;
        case Kind::array: {
            char before = '[';
            for (const Value& item : *value.array()) {
                out.push_back(before);
                before = ',';
                write_json(item, out);
            }
            out += before == '[' ? "[]" : "]";
            return;
        }
        case Kind::object: {
            char before = '{';
            for (const Member& member : *value.object()) {
                out.push_back(before);
                before = ',';
                append_quoted(out, member.key);
                out.push_back(':');
                write_json(member.value, out);
            }
            out += before == '{' ? "{}" : "}";
            return;
        }
    }
}

}  // namespace weir::codec
