// apps/client/object.hpp: writes the JSON object of a request, leaving out what was not given.
#pragma once

#include "codec/text.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

class Object {
public:
    /// Texts and lists that are empty are left out.
    Object text(std::string_view name, std::string_view value) && {
        if (!value.empty()) codec::append_quoted(key(name), value);
        return std::move(*this);
    }
    Object number(std::string_view name, std::int64_t value) && {
        codec::append_integer(key(name), value);
        return std::move(*this);
    }
    Object list(std::string_view name, const std::vector<std::string>& values) && {
        return values.empty() ? std::move(*this) : std::move(*this).list_even_if_empty(name, values);
    }
    Object list_even_if_empty(std::string_view name, const std::vector<std::string>& values) && {
        auto& out = key(name);
        out += '[';
        for (const auto& value : values) {
            if (!out.ends_with('[')) out += ',';
            codec::append_quoted(out, value);
        }
        out += ']';
        return std::move(*this);
    }
    /// JSON as it stands; empty: left out.
    Object raw(std::string_view name, std::string_view json) && {
        if (!json.empty()) key(name) += json;
        return std::move(*this);
    }
    [[nodiscard]] std::string json() && { return std::move(text_) + '}'; }

private:
    std::string& key(std::string_view name) {
        if (text_.size() > 1) text_ += ',';
        codec::append_quoted(text_, name);
        text_ += ':';
        return text_;
    }

    std::string text_ = "{";
};

}  // namespace weir::cli
