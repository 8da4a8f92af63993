// codec/read_yaml.cpp: yaml-cpp's events into a Value, without its own tree.
//
// yaml-cpp resolves plain scalars by YAML 1.1's taste and lets duplicate keys, cyclic aliases and
// any depth pass. Here the events are taken one by one, and the first that breaks a rule ends the
// parse by an exception that does not leave this file.
#include "codec/number.hpp"
#include "codec/text.hpp"
#include "codec/value.hpp"

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

namespace weir::codec {
namespace {

struct Refused {
    ReadError error;
};

[[noreturn]] void refuse(Position at, Fault code, std::string message) {
    throw Refused{{.line = at.line, .column = at.column, .message = std::move(message), .code = code}};
}

Position position_of(const YAML::Mark& mark) {
    if (mark.is_null()) return {.line = 1, .column = 1};
    return {.line = static_cast<std::uint32_t>(mark.line + 1), .column = static_cast<std::uint32_t>(mark.column + 1)};
}

bool is_any(std::string_view text, std::initializer_list<std::string_view> words) { return std::ranges::find(words, text) != words.end(); }

/// `0o17` and `0x1f`; nothing for other spellings.
std::optional<Value> based_integer(std::string_view text, Position at) {
    const int base = text.starts_with("0o") ? 8 : text.starts_with("0x") ? 16 : 0;
    if (base == 0 || text.size() == 2) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), number, base);
    if (end != text.data() + text.size()) return std::nullopt;
    if (error != std::errc{}) refuse(at, Fault::out_of_range, describe_number(NumberError::too_big, text));
    return Value{number, at};
}

/// A scalar without quotes, by the core schema of YAML 1.2.
Value resolve(const std::string& text, Position at) {
    if (is_any(text, {"", "~", "null", "Null", "NULL"})) return Value::null(at);
    if (is_any(text, {"true", "True", "TRUE"})) return Value{true, at};
    if (is_any(text, {"false", "False", "FALSE"})) return Value{false, at};
    const std::string_view unsigned_text = std::string_view{text}.substr(text[0] == '-' || text[0] == '+' ? 1 : 0);
    if (is_any(unsigned_text, {".inf", ".Inf", ".INF"}) || is_any(text, {".nan", ".NaN", ".NAN"})) {
        refuse(at, Fault::out_of_range, fmt::format("{} is not a finite number", text));
    }
    if (auto value = based_integer(text, at)) return std::move(*value);
    auto number = parse_number(text, at);
    if (number) return std::move(*number);
    if (number.error() == NumberError::not_a_number) return Value{text, at};
    refuse(at, Fault::out_of_range, describe_number(number.error(), text));
}

/// The text of a scalar as UTF-8: for the escapes \N and \_ (a next line, a hard space) yaml-cpp writes the single bytes of
/// Latin-1. The document was UTF-8, so no other byte can be wrong.
std::string repair(const std::string& text) {
    std::string out;
    std::string_view rest = text;
    for (auto check = check_utf8(rest); !check.good; check = check_utf8(rest)) {
        out += rest.substr(0, check.bad_at);
        append_utf8(out, static_cast<unsigned char>(rest[check.bad_at]));
        rest.remove_prefix(check.bad_at + 1);
    }
    return out += rest;
}

class TreeBuilder : public YAML::EventHandler {
public:
    TreeBuilder(const Limits& limits, std::size_t bytes)
        : max_depth_(std::min(limits.max_depth, deepest_nesting)), nodes_left_(limits.max_nodes), copies_left_(16 * bytes + 1'000) {}

    [[nodiscard]] Value take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const Position at = position_of(mark);
        if (wants_key()) refuse(at, Fault::bad_syntax, "a key must be a name, not null");
        count(1, at);
        add(Value::null(at), anchor);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const Position at = position_of(mark);
        const auto known = anchors_.find(anchor);
        if (known == anchors_.end()) refuse(at, Fault::bad_syntax, "an alias cannot stand inside what it names");
        if (wants_key()) refuse(at, Fault::bad_syntax, "a key must be a name, not an alias");
        if (stack_.size() + known->second.depth > max_depth_) refuse_depth(at);
        count(known->second.nodes, at);
        const auto weight = weight_of(known->second.value);
        if (weight > copies_left_) refuse(at, Fault::too_large, "the aliases copy many times what the document says; write it out");
        copies_left_ -= weight;
        if (!stack_.empty()) stack_.back().deepest_inside = std::max(stack_.back().deepest_inside, known->second.depth);
        place(Value{known->second.value});
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& read) override {
        const Position at = position_of(mark);
        const std::string text = repair(read);
        const bool quoted = tag == "!";
        if (!quoted) refuse_tag(tag, at);
        if (wants_key()) {
            if (!quoted && text == "<<") refuse(at, Fault::bad_syntax, "merge keys (<<) are not supported; write the fields out");
            if (anchor != 0) refuse(at, Fault::bad_syntax, "a key cannot carry an anchor");
            set_key(text, at);
            return;
        }
        count(1, at);
        add(quoted ? Value{text, at} : resolve(text, at), anchor);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(Value{Value::Array{}, position_of(mark)}, tag, anchor);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(Value{Value::Object{}, position_of(mark)}, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

private:
    struct Open {
        Value value;
        YAML::anchor_t anchor = 0;
        std::size_t nodes_left_before = 0;
        std::size_t deepest_inside = 0;  ///< Levels below this one.
        bool key_pending = false;        ///< The last member has a key and no value yet.
        std::set<std::string> keys{};
    };
    struct Anchored {
        Value value;
        std::size_t nodes = 0;
        std::size_t depth = 0;
    };

    [[nodiscard]] bool wants_key() const {
        return !stack_.empty() && stack_.back().value.object() != nullptr && !stack_.back().key_pending;
    }

    /// Values and the bytes of their texts: what a copy costs.
    static std::size_t weight_of(const Value& value) {
        std::size_t sum = 1;
        if (const auto* text = value.string()) sum += text->size();
        if (const auto* items = value.array()) {
            for (const auto& item : *items) sum += weight_of(item);
        }
        if (const auto* members = value.object()) {
            for (const auto& member : *members) sum += member.key.size() + weight_of(member.value);
        }
        return sum;
    }

    [[noreturn]] void refuse_depth(Position at) const {
        refuse(at, Fault::too_deep, fmt::format("nested deeper than {} levels", max_depth_));
    }

    static void refuse_tag(const std::string& tag, Position at) {
        if (tag.empty() || tag == "?") return;
        refuse(at, Fault::bad_syntax, fmt::format("the tag {} is not supported; leave it out", show(tag)));
    }

    void count(std::size_t nodes, Position at) {
        if (nodes > nodes_left_) refuse(at, Fault::too_large, "the document has more values than the limit allows; split it");
        nodes_left_ -= nodes;
    }

    void set_key(const std::string& text, Position at) {
        Open& top = stack_.back();
        if (!top.keys.insert(text).second) {
            refuse(at, Fault::duplicate_key, fmt::format("the key {} appears twice in one object", show(text)));
        }
        top.value.object()->push_back({.key = text, .value = {}, .at = at});
        top.key_pending = true;
    }

    void open(Value value, const std::string& tag, YAML::anchor_t anchor) {
        const Position at = value.at();
        if (tag != "!") refuse_tag(tag, at);
        if (wants_key()) refuse(at, Fault::bad_syntax, "a key must be a name, not a list or an object");
        if (stack_.size() >= max_depth_) refuse_depth(at);
        const std::size_t before = nodes_left_;
        count(1, at);
        stack_.push_back({.value = std::move(value), .anchor = anchor, .nodes_left_before = before});
    }

    void close() {
        Open done = std::move(stack_.back());
        stack_.pop_back();
        const std::size_t depth = done.deepest_inside + 1;
        if (done.anchor != 0) {
            anchors_[done.anchor] = {.value = done.value, .nodes = done.nodes_left_before - nodes_left_, .depth = depth};
        }
        if (!stack_.empty()) stack_.back().deepest_inside = std::max(stack_.back().deepest_inside, depth);
        place(std::move(done.value));
    }

    void add(Value value, YAML::anchor_t anchor) {
        if (anchor != 0) anchors_[anchor] = {.value = value, .nodes = 1, .depth = 0};
        place(std::move(value));
    }

    void place(Value value) {
        if (stack_.empty()) {
            root_ = std::move(value);
            return;
        }
        Open& top = stack_.back();
        if (Value::Array* items = top.value.array()) {
            items->push_back(std::move(value));
        } else {
            top.value.object()->back().value = std::move(value);
            top.key_pending = false;
        }
    }

    std::size_t max_depth_;
    std::size_t nodes_left_;
    std::size_t copies_left_;  ///< Weight of what aliases may still copy.
    std::vector<Open> stack_;
    std::map<YAML::anchor_t, Anchored> anchors_;
    Value root_;
};

Position position_in(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const auto lines = static_cast<std::uint32_t>(std::ranges::count(before, '\n'));
    const std::size_t last = before.rfind('\n');
    const std::size_t start = last == std::string_view::npos ? 0 : last + 1;
    return {.line = lines + 1, .column = static_cast<std::uint32_t>(offset - start + 1)};
}

/// Refuses, before yaml-cpp sees it, what its scanner takes and should not: size, foreign encodings, control characters.
void guard(std::string_view text, std::size_t max_bytes) {
    if (text.size() > max_bytes) {
        refuse({1, 1}, Fault::too_large, fmt::format("the document has {} bytes and the limit is {}; split it", text.size(), max_bytes));
    }
    if (const auto check = check_utf8(text); !check.good) {
        refuse(position_in(text, check.bad_at), Fault::bad_utf8,
               fmt::format("byte 0x{:02x} is not UTF-8 here", static_cast<unsigned char>(text[check.bad_at])));
    }
    const auto control = std::ranges::find_if(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7F;
    });
    if (control != text.end()) {
        refuse(position_in(text, static_cast<std::size_t>(control - text.begin())), Fault::bad_syntax,
               fmt::format("control character 0x{:02x} is not allowed in YAML", static_cast<unsigned char>(*control)));
    }
}

/// yaml-cpp's word for what is wrong, or a better one where we know it.
std::string explain(const YAML::Exception& wrong, std::string_view text) {
    std::string_view line = text;
    for (int i = 0; i < wrong.mark.line && !line.empty(); ++i) line.remove_prefix(std::min(line.find('\n') + 1, line.size()));
    if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos) return "a tab cannot indent; use spaces";
    if (wrong.msg == "illegal map value") return "a ':' cannot stand here; put the text in quotes, or the key on a line of its own";
    if (wrong.msg == "illegal document indicator in scalar") return "the document ends inside a text in quotes; close the quotes";
    if (wrong.msg.starts_with("unknown escape character"))
        return "this is no escape of YAML; write the backslash twice, or use single quotes";
    return wrong.msg;
}

Value parse(std::string_view text, const Limits& limits) {
    guard(text, std::min(limits.max_bytes, largest_yaml_bytes));
    // Without an explicit end yaml-cpp takes a text whose quotes are never closed.
    std::istringstream input{std::string{text} + (text.ends_with('\n') || text.empty() ? "...\n" : "\n...\n")};
    YAML::Parser parser{input};
    TreeBuilder tree{limits, text.size()};
    if (!parser.HandleNextDocument(tree)) return Value::null({1, 1});
    Value root = tree.take();
    TreeBuilder second{limits, text.size()};
    if (parser.HandleNextDocument(second)) {
        const Position at = second.take().at();
        refuse(at, Fault::bad_syntax, "a second document begins here; one file holds one document");
    }
    return root;
}

}  // namespace

Result<Value, ReadError> read_yaml(std::string_view text, const Limits& limits) {
    try {
        return parse(text, limits);
    } catch (Refused& refused) {
        return fail(std::move(refused.error));
    } catch (const YAML::DeepRecursion& deep) {
        const Position at = position_of(deep.mark);
        return fail(ReadError{.line = at.line, .column = at.column, .message = "nested too deeply", .code = Fault::too_deep});
    } catch (const YAML::Exception& wrong) {
        const Position at = position_of(wrong.mark);
        return fail(ReadError{.line = at.line, .column = at.column, .message = explain(wrong, text), .code = Fault::bad_syntax});
    }
}

}  // namespace weir::codec
