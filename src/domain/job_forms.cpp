// How a job's accelerators and funding are written.
#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "codec/text.hpp"
#include "domain/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::codec {
namespace {

/// "8", "0.5", "0.125": cards as milli-cards, at most three decimals; nothing for other text.
std::optional<MilliCards> cards_of(std::string_view text) {
    const auto milli = parse_decimal(text, 3);
    return milli && *milli < 1'000'000'000'000 ? std::optional{MilliCards{*milli}} : std::nullopt;
}

std::string text_of(MilliCards cards) { return format_decimal_short(cards.value, 3); }

bool read_count(const Value& value, const Place& place, MilliCards& out) {
    std::optional<MilliCards> cards;
    if (const auto* number = value.integer(); number != nullptr && *number >= 0 && *number < 1'000'000) cards = MilliCards{*number * 1000};
    if (const auto* real = value.real();
        real != nullptr && *real >= 0 && *real < 1e6 && std::abs(*real * 1000 - std::round(*real * 1000)) < 1e-6) {
        cards = MilliCards{std::llround(*real * 1000)};
    }
    if (const auto* text = value.string()) cards = cards_of(*text);
    if (!cards) return place.refuse_type(value, "a number of cards, such as 8 or 0.5");
    out = *cards;
    return true;
}

bool read_short(const Value& value, const Place& place, const std::string& text, AcceleratorAsk& out) {
    const auto colon = text.rfind(':');
    out.model = text.substr(0, colon);
    out.per_node = MilliCards{1000};
    if (colon != std::string::npos) {
        const auto cards = cards_of(std::string_view{text}.substr(colon + 1));
        if (!cards)
            return place.refuse(value, Fault::bad_format,
                                fmt::format("is {} and must be a model and a number of cards, such as H800:8 or A100:0.5", show(text)));
        out.per_node = *cards;
    }
    return !out.model.empty() || place.refuse(value, Fault::bad_format, "names no model; write it before the colon, such as H800:8");
}

/// Whether an object describes one accelerator by its fields; else its keys are models.
bool has_fields(const Value& value) {
    constexpr std::array fields{"model", "count", "run"};
    return std::ranges::any_of(fields, [&](const char* name) { return value.find(name) != nullptr; });
}

/// `{A100: 8, H100: 4}`, and `{A100:8, H100:4}`, of which YAML makes keys without values.
bool read_mapping(const Value& value, const Place& place, std::vector<AcceleratorAsk>& out) {
    bool good = true;
    for (const auto& [key, count, at] : *value.object()) {
        const auto field = place.field(key);
        auto& ask = out.emplace_back();
        const Value name{key, at};
        if (!read_short(name, field, key, ask)) {
            good = false;
        } else if (key.contains(':') && !count.is_null()) {
            good = field.refuse(name, Fault::bad_format, "has a number of cards before and behind the colon; write one of them");
        } else if (!count.is_null()) {
            good = read_count(count, field, ask.per_node) && good;
        }
    }
    return good;
}

}  // namespace

std::optional<FundingSource> Custom<FundingSource>::parse(std::string_view text) {
    if (text == "prepaid") return FundingSource{};
    const auto voucher = VoucherId::parse(text);
    return voucher ? std::optional{FundingSource{voucher}} : std::nullopt;
}

std::string Custom<FundingSource>::text(const FundingSource& source) { return source.voucher ? source.voucher->text() : "prepaid"; }

bool Custom<AcceleratorAsk>::from_value(const Value& value, const Place& place, AcceleratorAsk& out) {
    if (const auto* text = value.string()) return read_short(value, place, *text, out);
    const auto* object = value.object();
    if (object == nullptr) return place.refuse_type(value, "an accelerator, such as H800:8, or an object of model, count and run");
    bool good = true;
    for (const auto& [key, member, at] : *object) {
        const auto field = place.field(key);
        if (key == "model") {
            good &= read(member, field, out.model);
            if (member.string() != nullptr && out.model.empty()) good = field.refuse(member, Fault::bad_format, "names no model");
        } else if (key == "count") {
            good &= read_count(member, field, out.per_node);
        } else if (key == "run") {
            good &= read(member, field, out.run);
        } else {
            good = field.refuse(at, Fault::unknown_field, "is not known here; the fields are model, count, run");
        }
    }
    if (value.find("model") == nullptr) good = place.refuse(value, Fault::missing_field, "lacks model");
    return good;
}

void Custom<AcceleratorAsk>::to_json(const AcceleratorAsk& ask, std::string& out) {
    if (ask.run.empty()) return append_quoted(out, ask.model + ":" + text_of(ask.per_node));
    out += "{\"model\":";
    append_quoted(out, ask.model);
    out += ",\"count\":";
    append_quoted(out, text_of(ask.per_node));
    out += ",\"run\":";
    append_quoted(out, ask.run);
    out += "}";
}

std::string Custom<AcceleratorAsk>::schema(SchemaBook&) {
    return R"({"oneOf":[{"type":"string","pattern":"^[^:]+(:[0-9]+([.][0-9]{1,3})?)?$"},)"
           R"({"type":"object","properties":{"model":{"type":"string","minLength":1},)"
           R"("count":{"oneOf":[{"type":"number"},{"type":"string"}]},"run":{"type":"string"}},)"
           R"("required":["model"],"additionalProperties":false}]})";
}

bool Custom<std::vector<AcceleratorAsk>>::from_value(const Value& value, const Place& place, std::vector<AcceleratorAsk>& out) {
    out.clear();
    const auto* list = value.array();
    const auto read_one = [&out](const Value& one, const Place& at) {
        if (one.object() != nullptr && !has_fields(one)) return read_mapping(one, at, out);
        return Custom<AcceleratorAsk>::from_value(one, at, out.emplace_back());
    };
    if (list == nullptr) return read_one(value, place);
    bool good = true;
    for (std::size_t i = 0; i < list->size(); ++i) good = read_one((*list)[i], place.item(i)) && good;
    return good;
}

void Custom<std::vector<AcceleratorAsk>>::to_json(const std::vector<AcceleratorAsk>& asks, std::string& out) {
    out += '[';
    for (std::size_t i = 0; i < asks.size(); ++i) {
        if (i > 0) out += ',';
        Custom<AcceleratorAsk>::to_json(asks[i], out);
    }
    out += ']';
}

std::string Custom<std::vector<AcceleratorAsk>>::schema(SchemaBook& book) {
    const std::string mapping =
        R"({"type":"object","description":"a model and its number of cards per node; several are alternatives, the preferred first",)"
        R"("propertyNames":{"pattern":"^(?!(model|count|run)$)[^:]+(:[0-9]+([.][0-9]{1,3})?)?$"},)"
        R"("additionalProperties":{"oneOf":[{"type":"number"},{"type":"string"},{"type":"null"}]}})";
    const auto one = R"({"oneOf":[)" + Custom<AcceleratorAsk>::schema(book) + "," + mapping + "]}";
    return R"({"oneOf":[)" + one + R"(,{"type":"array","items":)" + one + "}]}";
}

}  // namespace weir::codec
