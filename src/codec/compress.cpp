#include "codec/compress.hpp"

#include <zstd.h>

#include <memory>
#include <new>

namespace weir::codec {

std::string_view describe(CompressError error) {
    switch (error) {
        case CompressError::not_a_frame: return "this is not one whole zstd frame with its size";
        case CompressError::too_large: return "the content is larger than the limit";
        case CompressError::damaged: return "the content is damaged: its checksum does not match";
    }
    return "unknown error";
}

std::string compress(std::string_view bytes, int level) {
    const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(), &ZSTD_freeCCtx};
    if (!context) throw std::bad_alloc{};
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    const std::size_t length = ZSTD_compress2(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
    if (ZSTD_isError(length) != 0) throw std::bad_alloc{};  // with room for the worst case only memory can be short
    out.resize(length);
    return out;
}

Result<std::string, CompressError> decompress(std::string_view frame, std::size_t max_bytes) {
    const std::size_t length = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
    if (ZSTD_isError(length) != 0 || length != frame.size()) return fail(CompressError::not_a_frame);
    const unsigned long long content = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (content == ZSTD_CONTENTSIZE_UNKNOWN || content == ZSTD_CONTENTSIZE_ERROR) return fail(CompressError::not_a_frame);
    if (content > max_bytes) return fail(CompressError::too_large);
    std::string out(static_cast<std::size_t>(content), '\0');
    const std::size_t got = ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
    if (ZSTD_isError(got) != 0 || got != out.size()) return fail(CompressError::damaged);
    return out;
}

}  // namespace weir::codec
