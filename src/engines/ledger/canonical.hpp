// engines/ledger/canonical.hpp: the bytes by which values are digested.
//
// It answers: which bytes stand for this value, on every machine? Integers are little-endian at their full width, text
// carries its length. Bytes are hashed in chunks of at least 64 KiB, each chained to the one before, so a state of any
// size is digested in constant memory.
#pragma once

#include "base/id.hpp"
#include "base/sha256.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::ledger {

class Canonical {
public:
    template <std::integral T>
    void add(T value) {
        char bytes[sizeof(T)];
        auto bits = static_cast<std::uint64_t>(value);
        for (std::size_t i = 0; i < sizeof(T); ++i, bits >>= 8) bytes[i] = static_cast<char>(bits & 0xFF);
        bytes_.append(bytes, sizeof(T));
        if (bytes_.size() >= chunk_bytes) flush();
    }
    void add(Uid uid) {
        add(uid.high);
        add(uid.low);
    }
    void add_text(std::string_view text) {
        add(static_cast<std::uint64_t>(text.size()));
        bytes_.append(text);
    }

    /// The digest of all that was added.
    [[nodiscard]] Digest digest() {
        flush();
        return head_;
    }
    /// The first 128 bits of the digest.
    [[nodiscard]] Uid uid() {
        const Digest digest_now = digest();
        Uid uid;
        for (std::size_t i = 0; i < 8; ++i) {
            uid.high = uid.high << 8 | digest_now.bytes[i];
            uid.low = uid.low << 8 | digest_now.bytes[i + 8];
        }
        return uid;
    }

private:
    static constexpr std::size_t chunk_bytes = 64 * 1024;

    void flush() {
        if (bytes_.empty()) return;
        head_ = chain(head_, bytes_);
        bytes_.clear();
    }

    std::string bytes_;
    Digest head_;
};

}  // namespace weir::ledger
