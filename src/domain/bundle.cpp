#include "domain/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

constexpr std::string_view head = "weir-bundle 1\n";
constexpr std::size_t digest_bytes = 32;
constexpr std::size_t length_bytes = 4;

}  // namespace

void add_to_bundle(std::string& bundle, const Digest& digest, std::string_view bytes) {
    if (bundle.empty()) bundle = head;
    bundle.append(digest.bytes.begin(), digest.bytes.end());
    const auto length = static_cast<std::uint32_t>(bytes.size());
    for (std::size_t i = 0; i < length_bytes; ++i) bundle += static_cast<char>((length >> (8 * i)) & 0xffU);
    bundle += bytes;
}

Result<bool, std::string> BundleReader::cut_one() {
    const auto rest = std::string_view{rest_}.substr(at_);
    if (!begun_) {
        const auto have = std::min(rest.size(), head.size());
        if (rest.substr(0, have) != head.substr(0, have))
            return fail(std::string{"the body is no bundle: it does not begin with weir-bundle 1"});
        if (have < head.size()) return false;
        begun_ = true;
        at_ += head.size();
        return true;
    }
    if (rest.size() < digest_bytes + length_bytes) return false;
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i)
        length |= static_cast<std::size_t>(static_cast<unsigned char>(rest[digest_bytes + i])) << (8 * i);
    if (length > limits::bundle_blob_bytes_max)
        return fail(fmt::format("a blob of {} bytes is in the bundle, at most {} are taken; send it by itself", length,
                                limits::bundle_blob_bytes_max));
    if (rest.size() < digest_bytes + length_bytes + length) return false;
    SmallBlob blob;
    std::ranges::copy(rest.substr(0, digest_bytes), blob.digest.bytes.begin());
    blob.bytes = rest.substr(digest_bytes + length_bytes, length);
    if (const auto made = sha256(blob.bytes); made != blob.digest)
        return fail(fmt::format("a blob was announced as {} and its {} bytes make {}", blob.digest.text(), length, made.text()));
    if (++blobs_ > limits::bundle_blobs_max)
        return fail(fmt::format("there are more than {} blobs in the bundle; send the rest in another", limits::bundle_blobs_max));
    at_ += digest_bytes + length_bytes + length;
    whole_.push_back(std::move(blob));
    return true;
}

Result<void, std::string> BundleReader::take(std::string_view piece) {
    taken_ += piece.size();
    if (taken_ > limits::bundle_bytes_max)
        return fail(fmt::format("the bundle has more than {} bytes; send the rest in another", limits::bundle_bytes_max));
    rest_ += piece;
    while (WEIR_TRY(cut_one())) {
    }
    rest_.erase(0, std::exchange(at_, 0));
    return {};
}

std::vector<SmallBlob> BundleReader::release() { return std::exchange(whole_, {}); }

Result<void, std::string> BundleReader::finish() const {
    if (!begun_) return fail(std::string{"the body is no bundle: it does not begin with weir-bundle 1"});
    if (!rest_.empty()) return fail(fmt::format("the bundle breaks off within a blob, {} bytes after the one before", rest_.size()));
    return {};
}

}  // namespace weir
