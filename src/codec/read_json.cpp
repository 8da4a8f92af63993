// codec/read_json.cpp: RFC 8259 by recursive descent, refusing what the standard leaves to taste.
//
// The depth is counted before each descent and is bounded by deepest_nesting, so the stack is too.
// A failed step sets error_ and returns false all the way up; nothing throws.
#include "codec/number.hpp"
#include "codec/text.hpp"
#include "codec/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

namespace weir::codec {
namespace {

/// Bytes of a string that stand for themselves: no quote, backslash, control character or part of a longer sequence.
constexpr auto plain_byte = [] {
    std::array<bool, 256> table{};
    for (std::size_t i = 0x20; i < 0x80; ++i) table[i] = true;
    table['"'] = false;
    table['\\'] = false;
    return table;
}();

class JsonReader {
public:
    JsonReader(std::string_view text, const Limits& limits)
        : text_(text), max_depth_(std::min(limits.max_depth, deepest_nesting)), nodes_left_(limits.max_nodes) {
        items_.reserve(usually_open);
        members_.reserve(usually_open);
    }

    Result<Value, ReadError> read() {
        Value value;
        skip_space();
        if (!read_value(value, 0)) return fail(std::move(error_));
        skip_space();
        if (at_ < text_.size()) {
            refuse(Fault::bad_syntax, fmt::format("the document has ended, but {} follows", show_here()));
            return fail(std::move(error_));
        }
        return value;
    }

private:
    static constexpr std::size_t usually_open = 32;  ///< More nodes are seldom open at once; growing moves them all.

    [[nodiscard]] Position here() const {
        return {.line = line_, .column = static_cast<std::uint32_t>(at_ - line_start_ + 1)};
    }

    bool refuse_at(Position where, Fault code, std::string message) {
        error_ = {.line = where.line, .column = where.column, .message = std::move(message), .code = code};
        return false;
    }
    bool refuse(Fault code, std::string message) { return refuse_at(here(), code, std::move(message)); }

    [[nodiscard]] std::string show_here() const {
        if (at_ >= text_.size()) return "the end";
        std::size_t length = 1;
        while (at_ + length < text_.size() && (static_cast<unsigned char>(text_[at_ + length]) & 0xC0) == 0x80) ++length;
        return show(text_.substr(at_, length));
    }

    void skip_space() {
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (c == '\n') {
                ++line_;
                line_start_ = at_ + 1;
            } else if (c != ' ' && c != '\t' && c != '\r') {
                return;
            }
        }
    }

    bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }

    bool read_value(Value& out, std::size_t depth) {
        if (nodes_left_ == 0) return refuse(Fault::too_large, "the document has more values than the limit allows; split it");
        --nodes_left_;
        if (at_ == text_.size()) return no_value();
        switch (text_[at_]) {
            case '{': return enter(depth) && read_object(out, depth + 1);
            case '[': return enter(depth) && read_array(out, depth + 1);
            case '"': {
                const Position start = here();
                return read_string(out.emplace<std::string>(start));
            }
            case 't': return read_word("true", Value{true, here()}, out);
            case 'f': return read_word("false", Value{false, here()}, out);
            case 'n': return read_word("null", Value::null(here()), out);
            default: return read_number(out);
        }
    }

    bool enter(std::size_t depth) {
        if (depth < max_depth_) return true;
        return refuse(Fault::too_deep, fmt::format("nested deeper than {} levels", max_depth_));
    }

    bool read_word(std::string_view word, Value value, Value& out) {
        if (!text_.substr(at_).starts_with(word)) return no_value();
        at_ += word.size();
        out = std::move(value);
        return true;
    }

    bool expected(std::string_view what) { return refuse(Fault::bad_syntax, fmt::format("expected {}, found {}", what, show_here())); }
    bool no_value() { return expected("a value"); }

    [[nodiscard]] bool digit_follows(std::size_t length) const {
        return at_ + length < text_.size() && text_[at_ + length] >= '0' && text_[at_ + length] <= '9';
    }

    bool read_number(Value& out) {
        const char first = text_[at_];
        if (first != '-' && (first < '0' || first > '9')) return no_value();
        const std::size_t length = json_number_length(text_.substr(at_));
        if (length == 0) return refuse(Fault::bad_syntax, "a number needs a digit after '-', '.' and 'e'");
        const std::string_view spelling = text_.substr(at_, length);
        if (digit_follows(length)) return refuse(Fault::bad_syntax, "a number cannot begin with 0");
        auto number = parse_number(spelling, here());
        if (!number) return refuse(Fault::out_of_range, describe_number(number.error(), spelling));
        at_ += length;
        out = std::move(*number);
        return true;
    }

    bool read_array(Value& out, std::size_t depth) {
        const Position start = here();
        const std::size_t first = items_.size();
        ++at_;
        skip_space();
        if (!next_is(']')) {
            while (true) {
                Value item;
                if (!read_value(item, depth)) return false;
                items_.push_back(std::move(item));
                skip_space();
                if (next_is(']')) break;
                if (!next_is(',')) return expected("',' or ']' in a list");
                ++at_;
                skip_space();
            }
        }
        ++at_;
        out.emplace<Value::Array>(start) = take_from(items_, first);
        return true;
    }

    bool read_object(Value& out, std::size_t depth) {
        const Position start = here();
        const std::size_t first = members_.size();
        ++at_;
        skip_space();
        if (!next_is('}')) {
            while (true) {
                Member member;
                if (!read_member(member, depth)) return false;
                members_.push_back(std::move(member));
                skip_space();
                if (next_is('}')) break;
                if (!next_is(',')) return expected("',' or '}' in an object");
                ++at_;
                skip_space();
            }
        }
        ++at_;
        if (!keys_differ(std::span{members_}.subspan(first))) return false;
        out.emplace<Value::Object>(start) = take_from(members_, first);
        return true;
    }

    bool read_member(Member& member, std::size_t depth) {
        if (!next_is('"')) return expected("a key in double quotes");
        member.at = here();
        if (!read_string(member.key)) return false;
        skip_space();
        if (!next_is(':')) return expected("':' after a key");
        ++at_;
        skip_space();
        return read_value(member.value, depth);
    }

    /// Moves what was gathered since `first` into a container of exactly its size.
    template <class Node>
    static std::vector<Node> take_from(std::vector<Node>& gathered, std::size_t first) {
        const auto begin = gathered.begin() + static_cast<std::ptrdiff_t>(first);
        std::vector<Node> taken(std::make_move_iterator(begin), std::make_move_iterator(gathered.end()));
        gathered.erase(begin, gathered.end());
        return taken;
    }

    bool keys_differ(std::span<const Member> members) {
        const Member* twice = first_repeated(members);
        if (twice == nullptr) return true;
        return refuse_at(twice->at, Fault::duplicate_key, fmt::format("the key {} appears twice in one object", show(twice->key)));
    }

    /// The second of the first two members with one key, or nullptr.
    static const Member* first_repeated(std::span<const Member> members) {
        constexpr std::size_t few = 32;
        if (members.size() > few) return first_repeated_of_many(members);
        std::uint64_t seen = 0;  // a bit per key; equal keys share it, few others do
        for (std::size_t i = 0; i < members.size(); ++i) {
            const std::string& key = members[i].key;
            const std::size_t mark = key.empty() ? 0 : key.size() * 29 + static_cast<unsigned char>(key[key.size() / 2]) * 5U +
                                                           static_cast<unsigned char>(key.back()) * 3U + static_cast<unsigned char>(key[0]);
            const std::uint64_t bit = 1ULL << (mark % 64);
            if ((seen & bit) != 0) {
                for (std::size_t j = 0; j < i; ++j) {
                    if (members[j].key == key) return &members[i];
                }
            }
            seen |= bit;
        }
        return nullptr;
    }

    static const Member* first_repeated_of_many(std::span<const Member> members) {
        std::vector<const Member*> sorted;
        sorted.reserve(members.size());
        for (const Member& member : members) sorted.push_back(&member);
        std::ranges::sort(sorted, [](const Member* a, const Member* b) { return a->key != b->key ? a->key < b->key : a < b; });
        const Member* first = nullptr;
        for (std::size_t i = 1; i < sorted.size(); ++i) {
            if (sorted[i]->key == sorted[i - 1]->key && (first == nullptr || sorted[i] < first)) first = sorted[i];
        }
        return first;
    }

    bool read_string(std::string& out) {
        const Position start = here();
        ++at_;
        const std::size_t content = at_;
        while (at_ < text_.size() && plain_byte[static_cast<unsigned char>(text_[at_])]) ++at_;
        out.assign(text_.substr(content, at_ - content));
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return true;
            }
            if (!(c == '\\' ? read_escape(out) : read_run(out))) return false;
        }
        return refuse_at(start, Fault::bad_syntax, "the string that begins here has no closing quote");
    }

    bool read_run(std::string& out) {
        const std::size_t begin = at_;
        while (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x20 && text_[at_] != '"' && text_[at_] != '\\') ++at_;
        const std::string_view run = text_.substr(begin, at_ - begin);
        if (const auto check = check_utf8(run); !check.good) {
            at_ = begin + check.bad_at;
            return refuse(Fault::bad_utf8, fmt::format("byte 0x{:02x} is not UTF-8 here", static_cast<unsigned char>(text_[at_])));
        }
        out += run;
        if (at_ < text_.size() && static_cast<unsigned char>(text_[at_]) < 0x20) {
            const auto byte = static_cast<unsigned>(text_[at_]);
            return refuse(Fault::bad_syntax, fmt::format("a control character in a string is written \\u{:04x}", byte));
        }
        return true;
    }

    bool read_escape(std::string& out) {
        const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (c == 'u') return read_code_point(out);
        const std::size_t which = letters.find(c);
        if (which == std::string_view::npos) {
            return refuse(Fault::bad_syntax, "there is no such escape; a backslash itself is written \\\\");
        }
        out.push_back(meanings[which]);
        at_ += 2;
        return true;
    }

    /// The four hexadecimal digits of `\uXXXX` at `from`, or nothing.
    [[nodiscard]] std::optional<std::uint32_t> hex4(std::size_t from) const {
        if (!text_.substr(std::min(from, text_.size())).starts_with("\\u") || from + 6 > text_.size()) return std::nullopt;
        std::uint32_t number = 0;
        for (const char c : text_.substr(from + 2, 4)) {
            const std::size_t digit = std::string_view{"0123456789abcdef0123456789ABCDEF"}.find(c);
            if (digit == std::string_view::npos) return std::nullopt;
            number = number * 16 + static_cast<std::uint32_t>(digit % 16);
        }
        return number;
    }

    bool read_code_point(std::string& out) {
        const auto unit = hex4(at_);
        if (!unit) return refuse(Fault::bad_syntax, "\\u needs four hexadecimal digits");
        if (*unit < 0xD800 || *unit > 0xDFFF) {
            append_utf8(out, *unit);
            at_ += 6;
            return true;
        }
        const auto low = hex4(at_ + 6);
        if (*unit >= 0xDC00 || !low || *low < 0xDC00 || *low > 0xDFFF) {
            return refuse(Fault::bad_utf8, "half of a surrogate pair stands alone");
        }
        append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
        at_ += 12;
        return true;
    }

    std::string_view text_;
    std::size_t max_depth_;
    std::size_t nodes_left_;
    std::size_t at_ = 0;
    std::size_t line_start_ = 0;
    std::uint32_t line_ = 1;
    std::vector<Value> items_;     ///< Of the lists that are still open.
    std::vector<Member> members_;  ///< Of the objects that are still open.
    ReadError error_;
};

}  // namespace

Result<Value, ReadError> read_json(std::string_view text, const Limits& limits) {
    if (text.size() > limits.max_bytes) {
        auto message = fmt::format("the document has {} bytes and the limit is {}; split it", text.size(), limits.max_bytes);
        return fail(ReadError{.line = 1, .column = 1, .message = std::move(message), .code = Fault::too_large});
    }
    return JsonReader{text, limits}.read();
}

}  // namespace weir::codec
