// transport/api/test_document.hpp: the served OpenAPI document, for tests: what it says, and requests made by it.
#pragma once

#include "base/random.hpp"
#include "codec/text.hpp"
#include "codec/value.hpp"
#include "transport/api/test_server.hpp"
#include "transport/http/message.hpp"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::api::test {

using codec::Value;

/// The part of JSON Schema that the document uses.
class Schemas {
public:
    explicit Schemas(const Value& document) : document_{document} {}

    const Value& resolve(const Value& schema) const {
        const auto* ref = schema.find("$ref");
        if (ref == nullptr) return schema;
        seen_.insert(*ref->string());
        const Value* at = &document_;
        std::string_view path = *ref->string();
        path.remove_prefix(2);
        while (!path.empty()) {
            const auto slash = std::min(path.find('/'), path.size());
            at = at->find(path.substr(0, slash));
            if (at == nullptr) throw std::runtime_error{"the document has no " + *ref->string()};
            path.remove_prefix(std::min(slash + 1, path.size()));
        }
        return resolve(*at);
    }

    /// What is wrong with the value, or empty.
    std::string flaw(const Value& value, const Value& unresolved, const std::string& path = "") const {
        const auto& schema = resolve(unresolved);
        for (const std::string_view some : {"anyOf", "oneOf"}) {
            const auto* choices = schema.find(some);
            if (choices == nullptr) continue;
            std::string last;
            for (const auto& choice : *choices->array()) {
                last = flaw(value, choice, path);
                if (last.empty()) break;
            }
            if (!last.empty()) return last;
        }
        if (const auto* type = schema.find("type"); type != nullptr && type->string() != nullptr && !is(value, *type->string()))
            return path + " is no " + *type->string();
        if (const auto* words = schema.find("enum")) {
            if (std::ranges::none_of(*words->array(), [&](const Value& word) { return word == value; }))
                return path + " is none of its words";
        }
        if (const auto* pattern = schema.find("pattern"); pattern != nullptr && value.string() != nullptr && value.string()->size() < 200) {
            if (!std::regex_search(*value.string(), std::regex{*pattern->string()}))
                return path + " is '" + *value.string() + "', not like " + *pattern->string();
        }
        if (value.array() != nullptr && schema.find("items") != nullptr) {
            for (const auto& item : *value.array()) {
                if (auto wrong = flaw(item, *schema.find("items"), path + "[]"); !wrong.empty()) return wrong;
            }
        }
        return value.object() != nullptr ? flaw_of_object(value, schema, path) : "";
    }

    /// Whether anything was read or made by that component, such as `#/components/schemas/JobForm`.
    [[nodiscard]] bool has_seen(const std::string& component) const { return seen_.contains(component); }

private:
    std::string flaw_of_object(const Value& value, const Value& schema, const std::string& path) const {
        if (const auto* required = schema.find("required")) {
            for (const auto& name : *required->array()) {
                if (value.find(*name.string()) == nullptr) return path + " lacks " + *name.string();
            }
        }
        const auto* properties = schema.find("properties");
        const auto* others = schema.find("additionalProperties");
        for (const auto& [key, member, at] : *value.object()) {
            const auto* known = properties != nullptr ? properties->find(key) : nullptr;
            if (known == nullptr && others != nullptr && others->object() != nullptr) known = others;
            if (known == nullptr && others != nullptr && others->boolean() != nullptr) return path + "." + key + " is not in its schema";
            if (known == nullptr) continue;
            if (auto wrong = flaw(member, *known, path + "." + key); !wrong.empty()) return wrong;
        }
        return "";
    }
    static bool is(const Value& value, std::string_view type) {
        using codec::Kind;
        const auto kind = value.kind();
        if (type == "object") return kind == Kind::object;
        if (type == "array") return kind == Kind::array;
        if (type == "string") return kind == Kind::string;
        if (type == "boolean") return kind == Kind::boolean;
        if (type == "null") return kind == Kind::null;
        if (type == "integer") return kind == Kind::integer || kind == Kind::big_integer;
        return kind == Kind::integer || kind == Kind::big_integer || kind == Kind::real;
    }
    const Value& document_;
    mutable std::set<std::string> seen_;
};

/// Values by the schemas, and spoiled ones.
class Maker {
public:
    Maker(const Schemas& schemas, std::uint64_t seed) : schemas_{schemas}, random_{seed, "openapi"} {}

    Random& random() { return random_; }
    template <class T>
    const T& any(const std::vector<T>& of) { return of[random_.below(of.size())]; }

    /// Remembers the id that an answer names, so that later requests ask for what is there.
    void learn(const std::string& answer) {
        const auto id = text_of(answer, "id");
        for (const auto& [prefix, name] : {std::pair{"job-", "job"}, std::pair{"tok-", "token"}, std::pair{"vch-", "voucher"},
                                        std::pair{"acc-", "account"}}) {
            if (!id.starts_with(prefix)) continue;
            auto& ids = ids_[name];
            if (ids.size() < 8) {
                ids.push_back(id);
            } else {
                ids[random_.below(ids.size())] = id;
            }
        }
    }

    std::string text(const std::string& name) {
        const auto id = ids_.find(name);
        if (id != ids_.end() && random_.chance(3, 4)) return any(id->second);
        static const std::map<std::string, std::vector<std::string>> known{
            {"project", {"vision", "rival", "speech"}},
            {"organisation", {"lab", "rivals", "owner", "acme"}},
            {"owner", {"owner", "lab"}},
            {"site", {"east", "west"}},
            {"subject", {"kim", "bob"}},
            {"model", {"A100", "cpu"}},
            {"name", {"vision", "east", "lab", "p1", "train"}},
            {"programme", {"p1", "p2"}},
            {"region", {"cn/sichuan/chengdu"}},
            {"job", {"job-01kaj3y0000000000000000000"}},
            {"token", {"tok-01kaj3y0000000000000000000"}},
            {"voucher", {"vch-01kaj3y0000000000000000000"}},
            {"effective_from", {"2026-01-01T00:00:00Z"}},
            {"effective_to", {"2030-01-01T00:00:00Z"}},
            {"accelerators", {"A100:1", "cpu:2", "A100:0.5"}},
            {"memory", {"1GiB", "512MiB"}},
            {"session", {"00000000000000000000000001", "00000000000000000000000002"}},
            {"funder", {"city"}},
            {"credit_code", {""}},
            {"registered_in", {"cn/sichuan", ""}},
            {"residency", {""}},
            {"control_group", {"", "group"}}};
        const auto words = known.find(name);
        if (words != known.end() && random_.chance(9, 10)) return any(words->second);
        return any(std::vector<std::string>{"x", "", "a.b", "train-7", "cn/sichuan", "1h", "2026-01-01T00:00:00Z", "prepaid", "4GiB",
                                            std::string(64, 'a'), std::string(300, 'b'), "\xE4\xB8\xAD", "../etc", "%00", "0", "-1",
                                            "9007199254740993"});
    }
    std::string json(const Value& unresolved, const std::string& name = "", int depth = 0) {
        const auto& schema = schemas_.resolve(unresolved);
        for (const std::string_view some : {"anyOf", "oneOf", "allOf"}) {
            if (const auto* choices = schema.find(some)) return json(any(*choices->array()), name, depth);
        }
        if (const auto* words = schema.find("enum")) {
            std::string out;
            codec::write_json(any(*words->array()), out);
            return out;
        }
        const auto* type = schema.find("type");
        if (type == nullptr || type->string() == nullptr) return "1";
        if (*type->string() == "integer" || *type->string() == "number") return number(schema);
        if (*type->string() == "boolean") return random_.chance(1, 2) ? "true" : "false";
        if (*type->string() == "null") return "null";
        if (*type->string() == "array") {
            std::string out = "[";
            const auto count = depth > 6 ? 0 : random_.below(3);
            for (std::uint64_t i = 0; i < count; ++i) out += (i == 0 ? "" : ",") + json(*schema.find("items"), name, depth + 1);
            return out + "]";
        }
        if (*type->string() == "object") return object(schema, depth);
        std::string out;
        codec::append_quoted(out, text(name));
        return out;
    }
    /// The text with something wrong in it.
    std::string spoil(std::string json) {
        const auto at = random_.below(json.size() + 1);
        switch (random_.below(8)) {
            case 0: return json.substr(0, at);
            case 1: return json.insert(at, any(std::vector<std::string>{"\"", "{", "[", ",", "\xff", "1e999", "null", "\\u0000"}));
            case 2: return json.empty() || json.back() != '}' ? json : json.substr(0, json.size() - 1) + R"(,"unheard_of":1})";
            case 3: return std::string(70, '[') + json + std::string(70, ']');
            case 4:
                return replace(json, "1",
                               any(std::vector<std::string>{"-1", "0", "99999999999999999999", "1.5", "\"1\"", "9223372036854775807"}));
            case 5: return replace(json, "\"", "");
            case 6: return "[" + json + "]";
            default: return replace(json, "A100", "Z9");
        }
    }

private:
    std::string object(const Value& schema, int depth) {
        std::string out = "{";
        std::set<std::string> required;
        if (const auto* names = schema.find("required")) {
            for (const auto& one : *names->array()) required.insert(*one.string());
        }
        if (const auto* properties = schema.find("properties")) {
            for (const auto& [key, member, at] : *properties->object()) {
                if (!required.contains(key) && (depth > 6 || random_.chance(2, 3))) continue;
                if (out.size() > 1) out += ',';
                codec::append_quoted(out, key);
                out += ':' + json(member, key, depth + 1);
            }
        }
        return out + "}";
    }
    std::string number(const Value& schema) {
        const auto* least = schema.find("minimum");
        const auto low = least != nullptr && least->integer() != nullptr ? *least->integer() : 0;
        return std::to_string(any(std::vector<std::int64_t>{low, std::max<std::int64_t>(low, 1), std::max<std::int64_t>(low, 2),
                                                            std::max<std::int64_t>(low, 100), std::max<std::int64_t>(low, 86'400)}));
    }
    static std::string replace(std::string text, std::string_view what, std::string_view by) {
        if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
        return text;
    }
    const Schemas& schemas_;
    Random random_;
    std::map<std::string, std::vector<std::string>> ids_;   ///< By the name of the parameter that takes them.
};

struct Operation {
    std::string method, path;
    const Value* value;
};

inline http::Method method_of(const std::string& name) {
    return name == "get" ? http::Method::get : name == "post" ? http::Method::post : name == "put" ? http::Method::put : http::Method::del;
}

inline std::string target_of(const Operation& operation, Maker& maker) {
    std::string target = operation.path;
    std::string query;
    for (const auto& unresolved : *operation.value->find("parameters")->array()) {
        const auto* in = unresolved.find("in");
        if (in == nullptr) continue;
        const auto name = *unresolved.find("name")->string();
        if (*in->string() == "path") {
            const auto hole = "{" + name + "}";
            auto text = http::percent_encode(maker.text(name));
            if (text.empty()) text = "x";
            target.replace(target.find(hole), hole.size(), text);
        } else if (*in->string() == "query" && maker.random().chance(1, 4) && name != "min_revision" && name != "wait_s" &&
                   name != "follow") {
            auto text = maker.json(*unresolved.find("schema"), name);
            if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
            query += (query.empty() ? "?" : "&") + name + "=" + http::percent_encode(text);
        }
    }
    return target + query;
}

/// All but those that are not JSON over one request: the watch.
inline std::vector<Operation> operations_of(const Value& document) {
    std::vector<Operation> operations;
    for (const auto& [path, methods, at] : *document.find("paths")->object()) {
        for (const auto& [method, operation, where] : *methods.object()) {
            if (path != "/v1/watch") operations.push_back({method, path, &operation});
        }
    }
    return operations;
}

}  // namespace weir::api::test
