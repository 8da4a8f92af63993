#include "apps/client/upload.hpp"

#include "apps/client/format.hpp"
#include "apps/client/progress.hpp"
#include "domain/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace weir::cli {
namespace {

constexpr std::size_t piece_bytes_min = std::size_t{300} << 10;  ///< One small blob with its head fits.
constexpr std::size_t bundle_entry_bytes = 36;
constexpr int breaks_max = 8;
constexpr Duration piece_within = seconds(120);
constexpr Duration manifest_within = seconds(300);

/// Whether it may go better the next time.
bool is_of_the_line(const Failure& failure) {
    return failure.exit == Exit::unreachable || failure.exit == Exit::unknown_outcome || failure.code == "stale_offset";
}

}  // namespace

Result<std::string, Failure> Uploader::read(const Digest& digest, std::int64_t offset, std::size_t length) const {
    const auto found = packed_.where.find(digest);
    if (found == packed_.where.end()) return fail(usage(fmt::format("the server wants {}, which is not in the folder", digest.text())));
    const auto path = packed_.folder + "/" + found->second;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return fail(usage(fmt::format("cannot open {}: {}", escaped(path), std::strerror(errno))));
    std::string bytes(length, '\0');
    std::size_t have = 0;
    while (have < length) {
        const auto got = ::pread(file, bytes.data() + have, length - have, offset + static_cast<std::int64_t>(have));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        have += static_cast<std::size_t>(got);
    }
    ::close(file);
    if (have == length) return bytes;
    return fail(usage(fmt::format("'{}' became shorter while it was sent; submit again when it is at rest", escaped(found->second))));
}

Result<codec::Value, Failure> Uploader::put(http::Method method, const std::string& target, std::string body) {
    http::Call call;
    call.method = method;
    call.target = target;
    if (method != http::Method::get) {
        call.body = std::move(body);
        call.content_type = "application/octet-stream";
    }
    call.within = piece_within;
    const auto answer = session_.client().call(std::move(call));
    if (!answer) return fail(failure_of(answer.error(), session_.server(), false));
    if (!answer->ok()) return fail(failure_of(*answer, false));
    auto value = codec::read_json(answer->body);
    if (!value) return fail(Failure{.exit = Exit::refused, .message = "the answer is no JSON; is it a Weir server of this release?"});
    breaks_ = 0;
    return std::move(*value);
}

Done Uploader::after_break(Failure failure) {
    if (!is_of_the_line(failure) || ++breaks_ > breaks_max) return fail(std::move(failure));
    piece_bytes_ = std::max(piece_bytes_ / 2, piece_bytes_min);
    if (breaks_ > 1) session_.console().sleep(first_delay);
    return {};
}

Done Uploader::send_small(const std::vector<std::pair<Digest, std::int64_t>>& blobs) {
    for (std::size_t next = 0; next < blobs.size();) {
        std::string bundle;
        auto last = next;
        std::int64_t bytes = 0;
        for (; last < blobs.size() && last - next < limits::bundle_blobs_max; ++last) {
            const auto& [digest, size] = blobs[last];
            if (last > next && bundle.size() + bundle_entry_bytes + static_cast<std::size_t>(size) > piece_bytes_) break;
            const auto content = WEIR_TRY(read(digest, 0, static_cast<std::size_t>(size)));
            if (sha256(content) != digest)
                return fail(usage(fmt::format("'{}' changed while it was sent; submit again when it is at rest",
                                              escaped(packed_.where.at(digest)))));
            add_to_bundle(bundle, digest, content);
            bytes += size;
        }
        const auto taken = put(http::Method::post, fmt::format("/v1/projects/{}/blobs", project_), std::move(bundle));
        if (!taken) {
            WEIR_CHECK(after_break(taken.error()));
            continue;
        }
        sent_.blobs += static_cast<std::int64_t>(last - next);
        sent_.bytes += bytes;
        next = last;
    }
    return {};
}

Done Uploader::send_large(const Digest& digest, std::int64_t size) {
    const auto target = fmt::format("/v1/projects/{}/uploads/{}?size={}", project_, digest.text(), size);
    std::optional<std::int64_t> offset;
    while (!offset || *offset < size) {
        if (!offset) {
            const auto at = put(http::Method::get, target, {});
            if (!at) {
                WEIR_CHECK(after_break(at.error()));
                continue;
            }
            offset = integer_of(*at, "offset");
            continue;
        }
        const auto length = std::min<std::int64_t>(size - *offset, static_cast<std::int64_t>(piece_bytes_));
        auto piece = WEIR_TRY(read(digest, *offset, static_cast<std::size_t>(length)));
        const auto at = put(http::Method::put, fmt::format("{}&offset={}", target, *offset), std::move(piece));
        if (!at) {
            WEIR_CHECK(after_break(at.error()));
            offset.reset();
            continue;
        }
        sent_.bytes += length;
        offset = integer_of(*at, "offset");
    }
    ++sent_.blobs;
    return {};
}

Done Uploader::send(const codec::Value::Array& lacking) {
    std::vector<std::pair<Digest, std::int64_t>> small;
    std::vector<std::pair<Digest, std::int64_t>> large;
    for (const auto& item : lacking) {
        const auto digest = Digest::parse(text_of(item, "digest"));
        const auto size = integer_of(item, "size");
        if (!digest || size < 0)
            return fail(Failure{.exit = Exit::refused, .message = "the server names what lacks in no form that is known here"});
        (std::cmp_less_equal(size, limits::bundle_blob_bytes_max) ? small : large).emplace_back(*digest, size);
    }
    WEIR_CHECK(send_small(small));
    for (const auto& [digest, size] : large) WEIR_CHECK(send_large(digest, size));
    return {};
}

Result<Sent, Failure> upload(Session& session, const std::string& project, const Packed& packed) {
    const auto text = tree_text(packed.tree);
    const auto name = tree_name(sha256(text));
    Uploader uploader{session, project, packed};
    Progress progress{session.console(), "uploading the workdir"};
    for (std::optional<std::int64_t> lacked;;) {
        const auto answer = WEIR_TRY(session.ask(
            [&] {
                http::Call call;
                call.method = http::Method::put;
                call.target = fmt::format("/v1/projects/{}/trees/{}", project, name);
                call.content_type = "text/plain";
                call.body = text;
                call.within = manifest_within;
                return call;
            },
            false));
        const auto value = codec::read_json(answer.body);
        if (!value) return fail(Failure{.exit = Exit::refused, .message = "the answer is no JSON; is it a Weir server of this release?"});
        if (flag_of(*value, "kept")) break;
        const auto& lacking = items_of(*value, "lacking");
        const auto before = uploader.sent().blobs;
        if (lacking.empty() || lacked == before)
            return fail(Failure{.exit = Exit::refused, .message = fmt::format("the server neither keeps {} nor says what lacks", name)});
        lacked = before;
        progress.say(fmt::format("uploading {} files of the workdir", lacking.size()));
        WEIR_CHECK(uploader.send(lacking));
    }
    auto sent = uploader.sent();
    sent.tree = name;
    return sent;
}

}  // namespace weir::cli
