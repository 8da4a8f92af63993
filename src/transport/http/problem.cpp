#include "transport/http/problem.hpp"

#include "transport/http/message.hpp"
#include "transport/http/utf8.hpp"

#include <fmt/format.h>

#include <iterator>

namespace weir::http {
namespace {

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c)); return;
    }
}

struct MemberPrinter {
    std::string& out;
    void operator()(const std::string& text) const { append_json_string(out, text); }
    void operator()(std::int64_t number) const { out += std::to_string(number); }
    void operator()(bool yes) const { out += yes ? "true" : "false"; }
    void operator()(const RawJson& json) const { out += json.text; }
};

void append_text(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out += fmt::format(R"(,"{}":)", name);
    append_json_string(out, value);
}

}  // namespace

std::string problem_type(std::string_view code) { return fmt::format("urn:weir:problem:{}", code); }

void append_json_string(std::string& out, std::string_view text) {
    out.push_back('"');
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_sequence(text, at);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            ++at;
            continue;
        }
        const char c = text[at];
        if (length == 1 && (c == '"' || c == '\\' || (c >= 0 && c < 0x20))) {
            append_escape(out, c);
        } else {
            out.append(text.substr(at, length));
        }
        at += length;
    }
    out.push_back('"');
}

std::string render_json(const Problem& problem) {
    std::string out = R"({"type":)";
    append_json_string(out, problem.type.empty() ? "about:blank" : std::string_view{problem.type});
    append_text(out, "title", problem.title.empty() ? reason_phrase(problem.status) : std::string_view{problem.title});
    out += fmt::format(R"(,"status":{})", problem.status);
    append_text(out, "detail", problem.detail);
    append_text(out, "instance", problem.instance);
    for (const auto& member : problem.members) {
        out.push_back(',');
        append_json_string(out, member.name);
        out.push_back(':');
        std::visit(MemberPrinter{out}, member.value);
    }
    out.push_back('}');
    return out;
}

}  // namespace weir::http
