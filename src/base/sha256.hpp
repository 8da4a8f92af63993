// base/sha256.hpp: the digest that chains the journal and names stored content.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir {

/// A SHA-256 digest; all zeros stands for "nothing yet", the head of an empty chain.
struct Digest {
    std::array<std::uint8_t, 32> bytes{};
    friend auto operator<=>(const Digest&, const Digest&) = default;
    [[nodiscard]] std::string text() const;  ///< 64 lower-case hexadecimal digits.
    [[nodiscard]] static std::optional<Digest> parse(std::string_view hex);
};

[[nodiscard]] Digest sha256(std::string_view bytes);

/// SHA-256 of `before` followed by `bytes`: one link of a chain.
[[nodiscard]] Digest chain(const Digest& before, std::string_view bytes);

}  // namespace weir
