#include "apps/up/user_block.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace weir::up {
namespace {

/// A name without a file, which one process of the host has at a time and none after its death.
bool take_name(int socket, const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto bytes = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(bytes)) == 0;
}

}  // namespace

std::optional<UserBlock> UserBlock::claim() {
    for (unsigned block = 0; block < blocks; ++block) {
        const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (socket < 0) return std::nullopt;
        const auto first = first_user + block * users;
        if (take_name(socket, fmt::format("weir-up-users-{}", first))) return UserBlock{socket, first};
        ::close(socket);
    }
    return std::nullopt;
}

UserBlock::UserBlock(UserBlock&& other) noexcept : socket_{std::exchange(other.socket_, -1)}, first_{other.first_} {}

UserBlock::~UserBlock() {
    if (socket_ >= 0) ::close(socket_);
}

}  // namespace weir::up
