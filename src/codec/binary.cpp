#include "codec/binary.hpp"

#include "base/sha256.hpp"

namespace weir::codec {

std::string_view describe(BinaryError error) {
    switch (error) {
        case BinaryError::ends_early: return "the bytes end before the value does";
        case BinaryError::bad_value: return "the bytes hold a value that its type does not have";
        case BinaryError::bytes_follow: return "bytes follow the end of the value";
    }
    return "unknown error";
}

namespace detail {

bool BinaryReader::long_varint(std::uint64_t& out) {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        std::uint8_t part = 0;
        if (!byte(part)) return false;
        const std::uint64_t bits = part & 0x7F;
        if (shift == 63 && bits > 1) return refuse(BinaryError::bad_value);
        number |= bits << shift;
        if (part < 0x80) {
            if (part == 0 && shift != 0) return refuse(BinaryError::bad_value);  // one number, one spelling
            out = number;
            return true;
        }
    }
    return refuse(BinaryError::bad_value);
}

void put_varint(std::string& out, std::uint64_t number) {
    char bytes[10];
    std::size_t length = 0;
    while (number >= 0x80) {
        bytes[length++] = static_cast<char>(number | 0x80);
        number >>= 7;
    }
    bytes[length++] = static_cast<char>(number);
    out.append(bytes, length);
}

std::uint64_t hash_layout(std::string_view layout) {
    const Digest digest = sha256(layout);
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < sizeof hash; ++i) hash = (hash << 8) | digest.bytes[i];
    return hash;
}

}  // namespace detail
}  // namespace weir::codec
