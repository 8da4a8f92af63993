// apps/client/upload.hpp: what a project's store lacks of a folder, sent so that a line that breaks costs little.
//
// It answers one question: how does all of it get there? The server says what lacks; small files go many at a time, large ones in pieces
// that are taken up where they broke off. After each break the pieces are half as large, down to one that passes; as long as something
// arrives it goes on.
#pragma once

#include "apps/client/pack.hpp"
#include "apps/client/session.hpp"

#include <string>

namespace weir::cli {

struct Sent {
    std::string tree;             ///< Its name.
    std::int64_t blobs = 0;
    std::int64_t bytes = 0;       ///< That had to be sent.
};

/// Has the project keep the tree.
[[nodiscard]] Result<Sent, Failure> upload(Session& session, const std::string& project, const Packed& packed);

/// Sends the blobs that an answer names as lacking.
class Uploader {
public:
    Uploader(Session& session, std::string project, const Packed& packed)
        : session_{session}, project_{std::move(project)}, packed_{packed} {}
    [[nodiscard]] Done send(const codec::Value::Array& lacking);
    [[nodiscard]] const Sent& sent() const { return sent_; }

private:
    [[nodiscard]] Result<std::string, Failure> read(const Digest& digest, std::int64_t offset, std::size_t length) const;
    [[nodiscard]] Done send_small(const std::vector<std::pair<Digest, std::int64_t>>& blobs);
    [[nodiscard]] Done send_large(const Digest& digest, std::int64_t size);
    [[nodiscard]] Result<codec::Value, Failure> put(http::Method method, const std::string& target, std::string body);
    [[nodiscard]] Done after_break(Failure failure);

    Session& session_;
    std::string project_;
    const Packed& packed_;
    Sent sent_;
    std::size_t piece_bytes_ = std::size_t{7} << 20;
    int breaks_ = 0;  ///< In a row.
};

}  // namespace weir::cli
