// The OpenAPI 3.1 document, written from the endpoints and the types that parse and print.
#include "codec/text.hpp"
#include "transport/api/endpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace weir::api {
namespace {

std::string quoted(std::string_view text) {
    std::string out;
    codec::append_quoted(out, text);
    return out;
}

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::string schema_of_parameter(const Parameter& parameter) {
    switch (parameter.kind) {
        case Parameter::Kind::natural: {
            const std::string most = parameter.max == UINT64_MAX ? "" : fmt::format(R"(,"maximum":{})", parameter.max);
            return fmt::format(R"({{"type":"integer","minimum":{}{}}})", parameter.name == "limit" ? 1 : 0, most);
        }
        case Parameter::Kind::flag: return R"({"type":"boolean"})";
        case Parameter::Kind::word: {
            std::string words;
            for (const auto word : parameter.words) words += (words.empty() ? "" : ",") + quoted(word);
            return R"({"type":"string","enum":[)" + words + "]}";
        }
        case Parameter::Kind::text: return R"({"type":"string"})";
    }
    return "{}";
}

/// Answers that show the state can be asked for again by their tag.
bool has_tag(const Endpoint& endpoint) {
    return std::ranges::any_of(endpoint.query, [](const Parameter& one) { return one.name == min_revision_parameter.name; });
}

/// The pattern as the document spells it: it knows no parameter that takes the rest of a path.
std::string template_of(const Endpoint& endpoint) {
    auto path = endpoint.pattern;
    if (const auto rest = path.find("...}"); rest != std::string::npos) path.erase(rest, 3);
    return path;
}

std::string parameters_of(const Endpoint& endpoint) {
    std::string out;
    const auto pattern = template_of(endpoint);
    const auto add = [&](const std::string& one) { out += (out.empty() ? "" : ",") + one; };
    for (std::size_t at = pattern.find('{'); at != std::string::npos; at = pattern.find('{', at + 1)) {
        const auto name = pattern.substr(at + 1, pattern.find('}', at) - at - 1);
        add(fmt::format(R"({{"name":{},"in":"path","required":true,"schema":{{"type":"string"}}}})", quoted(name)));
    }
    const auto add_all = [&](const std::vector<Parameter>& parameters, std::string_view where) {
        for (const auto& one : parameters) {
            add(fmt::format(R"({{"name":{},"in":"{}","description":{},"schema":{}}})", quoted(one.name), where, quoted(one.doc),
                            schema_of_parameter(one)));
        }
    };
    add_all(endpoint.query, "query");
    add_all(endpoint.headers, "header");
    const bool changes = endpoint.method != http::Method::get;
    if (changes) add(R"({"$ref":"#/components/parameters/IdempotencyKey"})");
    if (has_tag(endpoint))
        add(R"({"name":"If-None-Match","in":"header","description":"the ETag of an answer that one has: 304 while nothing changed",)"
            R"("schema":{"type":"string"}})");
    if (endpoint.answer_type == "text/event-stream")
        add(R"({"name":"Last-Event-ID","in":"header","description":"goes on after this event","schema":{"type":"string"}})");
    return out;
}

std::string body_of(const Endpoint& endpoint, codec::SchemaBook& book) {
    if (!endpoint.body_type.empty())
        return fmt::format(R"("requestBody":{{"required":true,"content":{{{}:{{"schema":{{"type":"string"}}}}}}}})",
                           quoted(endpoint.body_type));
    const auto schema = endpoint.body(book);
    std::string out = R"("requestBody":{"required":true,"content":{"application/json":{"schema":)" + schema + "}";
    if (endpoint.takes_yaml) out += R"(,"application/yaml":{"schema":)" + schema + "}";
    return out + "}}";
}

std::string answer_of(const Endpoint& endpoint, codec::SchemaBook& book, int status) {
    const auto schema = endpoint.answer != nullptr                   ? endpoint.answer(book)
                        : endpoint.answer_type == "application/json" ? std::string{R"({"type":"object"})"}
                                                                     : std::string{R"({"type":"string"})"};
    return fmt::format(
        R"("{}":{{"description":{},"headers":{{"Weir-Revision":{{"description":"revision that the answer shows",)"
        R"("schema":{{"type":"string"}}}}{}}},"content":{{{}:{{"schema":{}}}}}}})",
        status, quoted(status == 201 ? "made" : "done"),
        has_tag(endpoint) ? R"(,"ETag":{"description":"send it as If-None-Match","schema":{"type":"string"}})" : "",
        quoted(endpoint.answer_type), schema);
}

std::string responses_of(const Endpoint& endpoint, codec::SchemaBook& book) {
    std::string out = answer_of(endpoint, book, endpoint.success);
    if (endpoint.success == 201) out += "," + answer_of(endpoint, book, 200);
    if (has_tag(endpoint)) out += R"(,"304":{"description":"unchanged since the ETag that was sent"})";
    std::set<int> statuses{endpoint.problems.begin(), endpoint.problems.end()};
    statuses.insert({400, 408, 431, 503});
    if (endpoint.needs_token) statuses.insert({401, 429});
    if (endpoint.body != nullptr) statuses.insert({413, 415, 422});
    if (endpoint.method != http::Method::get) statuses.insert({409, 413, 422});
    for (const int status : statuses) out += fmt::format(R"(,"{}":{{"$ref":"#/components/responses/Problem"}})", status);
    return out;
}

std::string operation(const Endpoint& endpoint, codec::SchemaBook& book) {
    std::string out = fmt::format(R"("{}":{{"operationId":{},"summary":{},"parameters":[{}],)", lower(http::name_of(endpoint.method)),
                                  quoted(endpoint.name), quoted(endpoint.summary), parameters_of(endpoint));
    if (endpoint.body != nullptr || !endpoint.body_type.empty()) out += body_of(endpoint, book) + ",";
    if (!endpoint.needs_token) out += R"("security":[],)";
    return out + R"("responses":{)" + responses_of(endpoint, book) + "}}";
}

constexpr std::string_view problem_schema =
    R"({"type":"object","description":"A refusal (RFC 9457): what was asked, both numbers, what to do.",)"
    R"("properties":{"type":{"type":"string","description":"urn:weir:problem: and the code"},"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},"instance":{"type":"string"},"field":{"type":"string"},)"
    R"("clause":{"type":"string"},"retry_after_s":{"type":"integer"},"problems":{"type":"array","items":{"type":"object",)"
    R"("properties":{"field":{"type":"string"},"line":{"type":"integer"},"column":{"type":"integer"},"code":{"type":"string"},)"
    R"("message":{"type":"string"}},"required":["field","code","message"]}}},"required":["type","title","status"]})";

}  // namespace

std::string openapi_document(std::span<const Endpoint> endpoints, std::string_view build) {
    codec::SchemaBook book;
    std::map<std::string, std::string> paths;
    for (const auto& endpoint : endpoints) {
        auto& operations = paths[template_of(endpoint)];
        if (!operations.empty()) operations += ",";
        operations += operation(endpoint, book);
    }
    std::string out = fmt::format(
        R"({{"openapi":"3.1.0","info":{{"title":"Weir","version":{},)"
        R"("description":"A public network of many data centres. Every answer carries the revision of the state that it shows."}},)",
        quoted(build.empty() ? "1" : build));
    out += R"("security":[{"bearer":[]}],"paths":{)";
    bool first = true;
    for (const auto& [path, operations] : paths) {
        out += (first ? "" : ",") + quoted(path) + ":{" + operations + "}";
        first = false;
    }
    out += R"(},"components":{"securitySchemes":{"bearer":{"type":"http","scheme":"bearer"}},)";
    out +=
        R"("parameters":{"IdempotencyKey":{"name":"Idempotency-Key","in":"header",)"
        R"("description":"the same key and body get the same answer, another body is refused","schema":{"type":"string",)"
        R"("minLength":1,"maxLength":128}}},)";
    out +=
        R"("responses":{"Problem":{"description":"refused",)"
        R"("content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}},"schemas":{"Problem":)";
    out += problem_schema;
    for (const auto& [name, schema] : book.definitions()) out += "," + quoted(name) + ":" + schema;
    return out + "}}}";
}

}  // namespace weir::api
