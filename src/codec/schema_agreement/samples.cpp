// Prints the schema of a type that uses every kind of member, then documents, one a line: the decoder's verdict, a tab,
// the document. check.py asks another implementation of JSON Schema whether it agrees.
#include "codec/sample_random.hpp"
#include "codec/schema.hpp"

#include <array>
#include <cstdio>

namespace weir::codec {
namespace {

Value odd_value(Random& random) {
    constexpr std::array<std::string_view, 22> texts{
        "",                    "5",                   "-5",                   "9007199254740992",     "9007199254740993",
        "-9007199254740993",   "9223372036854775807", "9223372036854775808",  "-9223372036854775808", "-9223372036854775809",
        "18446744073709551615", "18446744073709551616", "edge",               "operator",             "a..b",
        "a-",                  "1.4",                 "01.4",                 "4h30m",                "30m4h",
        "2026-11-22 06:00:00.5+08:00", "2026-13-22T06:00:00Z"};
    constexpr std::array<double, 8> numbers{0.5, -0.0, 1.0, 2.0, 127.5, 1e20, -1e300, 5e-324};
    constexpr std::array<std::int64_t, 12> integers{0, -1, 1, 127, 128, 255, 256, -129, 4096, 4097, INT64_MIN, INT64_MAX};
    switch (random.below(8)) {
        case 0: return Value::null();
        case 1: return Value{random.chance(1, 2)};
        case 2: return Value{integers[random.below(integers.size())]};
        case 3: return Value{UINT64_MAX - random.below(2)};
        case 4: return Value{numbers[random.below(numbers.size())]};
        case 5: return random.chance(1, 2) ? Value{Value::Array{}} : Value{Value::Object{}};
        default: return Value{std::string{texts[random.below(texts.size())]}};
    }
}

void damage(Value& value, Random& random);

void damage_list(Value::Array& items, Random& random) {
    if (items.empty() || random.chance(1, 4)) {
        items.push_back(items.empty() ? odd_value(random) : Value{items.front()});
    } else if (random.chance(1, 3)) {
        items.pop_back();
    } else {
        damage(items[random.below(items.size())], random);
    }
}

void damage_object(Value::Object& members, Random& random) {
    if (members.empty() || random.chance(1, 8)) {
        const std::string key = random.chance(1, 2) ? "cloud" : "Odd";
        for (const Member& member : members) {
            if (member.key == key) return;
        }
        members.push_back({.key = key, .value = odd_value(random), .at = {}});
    } else if (random.chance(1, 5)) {
        members.erase(members.begin() + static_cast<std::ptrdiff_t>(random.below(members.size())));
    } else {
        damage(members[random.below(members.size())].value, random);
    }
}

void damage(Value& value, Random& random) {
    const bool deeper = random.chance(4, 5);
    if (Value::Array* items = value.array(); items != nullptr && deeper) return damage_list(*items, random);
    if (Value::Object* members = value.object(); members != nullptr && deeper) return damage_object(*members, random);
    value = odd_value(random);
}

void print_samples(std::uint64_t count) {
    std::string line = json_schema<sample::Everything>() + "\n";
    for (std::uint64_t seed = 0; seed < count; ++seed) {
        Random random{seed, "schema"};
        Value document = read_json(to_json(sample::make_everything(seed))).value();
        if (!random.chance(1, 8)) damage(document, random);
        std::string text;
        write_json(document, text);
        const auto value = decode_json<sample::Everything>(text, "");
        line += (value ? "accepted" : describe(value.error().front())) + "\t" + text + "\n";
    }
    std::fwrite(line.data(), 1, line.size(), stdout);
}

}  // namespace
}  // namespace weir::codec

int main() { weir::codec::print_samples(1500); }
