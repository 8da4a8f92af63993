// apps/up/network_client.hpp: the API as the demonstration uses it: a call, and fields of the answer.
#pragma once

#include "codec/value.hpp"
#include "transport/http/client/client.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace weir::up {

class NetworkClient {
public:
    NetworkClient(const std::string& url, std::string token);

    /// The answer's JSON, or why there is none, in words.
    [[nodiscard]] Result<codec::Value, std::string> get(const std::string& target);
    [[nodiscard]] Result<codec::Value, std::string> post(const std::string& target, const std::string& json);
    /// The body is a YAML file's text.
    [[nodiscard]] Result<codec::Value, std::string> post_yaml(const std::string& target, const std::string& yaml);
    [[nodiscard]] Result<codec::Value, std::string> put(const std::string& target, const std::string& json);
    [[nodiscard]] Result<codec::Value, std::string> remove(const std::string& target);
    /// The plain text of an answer: logs.
    [[nodiscard]] std::optional<std::string> text(const std::string& target);

private:
    [[nodiscard]] Result<codec::Value, std::string> ask(http::Method method, const std::string& target, const std::string& body,
                                                        std::string content_type = "application/json");
    http::Client client_;
};

/// A field by its path, `a.b.c`; empty or 0 where there is none.
[[nodiscard]] std::string text_at(const codec::Value& value, std::string_view path);
[[nodiscard]] std::int64_t number_at(const codec::Value& value, std::string_view path);
[[nodiscard]] const codec::Value* at(const codec::Value& value, std::string_view path);

}  // namespace weir::up
