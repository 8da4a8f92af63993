#include "control/core/ledger_text.hpp"

#include "codec/encode.hpp"

#include <array>
#include <cstdint>

namespace weir::codec {
namespace {

using ledger::Fingerprint;
using ledger::Posting;

constexpr std::size_t digits_of_word = 16;

void append_hex(std::string& out, std::uint64_t word) {
    static constexpr std::string_view hex = "0123456789abcdef";
    std::array<char, digits_of_word> digits{};
    for (std::size_t i = digits_of_word; i-- > 0; word >>= 4U) digits[i] = hex[word & 15U];
    out.append(digits.data(), digits.size());
}

void append(std::string& out, const Fingerprint& request) {
    for (const auto word : {request.body, request.tags_high, request.tags_low}) append_hex(out, word);
}

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
    std::uint64_t word = 0;
    for (const char c : digits) {
        const bool decimal = c >= '0' && c <= '9';
        if (!decimal && (c < 'a' || c > 'f')) return std::nullopt;
        word = word << 4U | static_cast<std::uint64_t>(decimal ? c - '0' : c - 'a' + 10);
    }
    return word;
}

/// Calls `with` for each field of a posting: its name in the journal and its member. The order is that of the text.
template <class With>
void each_field(With&& with) {
    with("at", &Posting::at);
    with("id", &Posting::id);
    with("kind", &Posting::kind);
    with("dr", &Posting::debit);
    with("cr", &Posting::credit);
    with("amt", &Posting::amount);
    with("rel", &Posting::released);
    with("hold", &Posting::pending_id);
    with("until", &Posting::expires_at);
    with("cause", &Posting::cause);
    with("actor", &Posting::actor);
    with("actor2", &Posting::second_actor);
    with("req", &Posting::request);
    with("ledger", &Posting::ledger);
    with("policy", &Posting::policy_version);
    with("code", &Posting::code);
}

// As write_json() of the same types, without its search for characters that must be escaped: there are none.
void write(std::string& out, const Uid& uid) { out.append("\"").append(format_uid(uid)).append("\""); }
template <class Kind>
void write(std::string& out, const Id<Kind>& id) {
    out.append("\"").append(Kind::prefix).append("-").append(format_uid(id.uid)).append("\"");
}
void write(std::string& out, const Fingerprint& request) {
    out += '"';
    append(out, request);
    out += '"';
}
void write(std::string& out, const auto& value) { write_json(value, out); }

/// About what the text of a posting takes.
constexpr std::size_t bytes_of_posting = 300;

/// What a posting is where its text says nothing.
Posting blank_at(Instant at) {
    Posting blank;
    blank.at = at;
    blank.kind = ledger::PostingKind::moved;
    return blank;
}

bool read_posting(const Value& value, const Place& place, Posting& out) {
    const auto* object = value.object();
    if (object == nullptr) return place.refuse_type(value, "a posting");
    bool good = true;
    for (const auto& [key, member, at] : *object) {
        bool known = false;
        each_field([&](std::string_view name, auto field) {
            if (known || key != name) return;
            known = true;
            good &= read(member, place.field(name), out.*field);
        });
        if (!known) good = place.field(key).refuse(at, Fault::unknown_field, "is no field of a posting; a newer program wrote it");
    }
    for (const auto* needed : {"id", "code"}) {
        if (value.find(needed) == nullptr) good = place.refuse(value, Fault::missing_field, std::string{"lacks "} + needed);
    }
    return good;
}

}  // namespace

std::optional<Fingerprint> Custom<Fingerprint>::parse(std::string_view text) {
    if (text.size() != 3 * digits_of_word) return std::nullopt;
    std::array<std::uint64_t, 3> words{};
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto word = parse_hex(text.substr(i * digits_of_word, digits_of_word));
        if (!word) return std::nullopt;
        words[i] = *word;
    }
    return Fingerprint{words[0], words[1], words[2]};
}

std::string Custom<Fingerprint>::text(const Fingerprint& request) {
    std::string out;
    append(out, request);
    return out;
}

bool Custom<std::vector<Posting>>::from_value(const Value& value, const Place& place, std::vector<Posting>& out) {
    const auto* list = value.array();
    if (list == nullptr) return place.refuse_type(value, "a list of postings");
    bool good = true;
    Instant at;
    out.reserve(list->size());
    for (std::size_t i = 0; i < list->size() && !place.full(); ++i) {
        auto& posting = out.emplace_back(blank_at(at));
        good &= read_posting((*list)[i], place.item(i), posting);
        at = posting.at;
    }
    return good;
}

void Custom<std::vector<Posting>>::to_json(const std::vector<Posting>& postings, std::string& out) {
    out.reserve(out.size() + postings.size() * bytes_of_posting);
    out += '[';
    Posting blank = blank_at({});
    for (const auto& posting : postings) {
        out += out.back() == '[' ? "{" : ",{";
        each_field([&](std::string_view name, auto field) {
            if (posting.*field == blank.*field) return;
            out += out.back() == '{' ? "\"" : ",\"";
            out += name;
            out += "\":";
            write(out, posting.*field);
        });
        out += '}';
        blank.at = posting.at;
    }
    out += ']';
}

}  // namespace weir::codec
