#include "base/sha256.hpp"

#include <openssl/sha.h>

#include <initializer_list>

namespace weir {

std::string Digest::text() const {
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string out;
    out.reserve(64);
    for (const auto byte : bytes) {
        out.push_back(hex[byte >> 4]);
        out.push_back(hex[byte & 15]);
    }
    return out;
}

std::optional<Digest> Digest::parse(std::string_view hex) {
    if (hex.size() != 64) return std::nullopt;
    const auto nibble = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        return -1;
    };
    Digest digest;
    for (std::size_t i = 0; i < 32; ++i) {
        const int high = nibble(hex[2 * i]);
        const int low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        digest.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return digest;
}

// The one-shot functions of OpenSSL 3 look their algorithm up at each call, which costs more than a short message does; the
// plain SHA256_* functions are marked deprecated, and are what a chain of millions of short records needs.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
namespace {

Digest hash_of(std::initializer_list<std::string_view> parts) {
    SHA256_CTX context;
    SHA256_Init(&context);
    for (const auto part : parts) SHA256_Update(&context, part.data(), part.size());
    Digest digest;
    SHA256_Final(digest.bytes.data(), &context);
    return digest;
}

}  // namespace
#pragma clang diagnostic pop

Digest sha256(std::string_view bytes) { return hash_of({bytes}); }

Digest chain(const Digest& before, std::string_view bytes) {
    return hash_of({{reinterpret_cast<const char*>(before.bytes.data()), before.bytes.size()}, bytes});
}

}  // namespace weir
