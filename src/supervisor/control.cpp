#include "supervisor/control.hpp"

#include "supervisor/status.hpp"
#include "supervisor/text.hpp"

#include <cerrno>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace weir::supervisor {
namespace {

bool name_address(int directory, sockaddr_un& address) {
    address.sun_family = AF_UNIX;
    TextBuffer path{address.sun_path};
    path.add("/proc/self/fd/").add(std::int64_t{directory}).add("/").add(control_file);
    return !path.overflowed();
}

const sockaddr* plain(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

}  // namespace

std::optional<Command> parse_command(std::string_view text) {
    using Verb = Command::Verb;
    if (text == "ping") return Command{Verb::ping};
    if (text == "stop") return Command{Verb::stop};
    if (text == "kill") return Command{Verb::kill};
    if (text == "checkpoint") return Command{Verb::checkpoint};
    if (text == "renew") return Command{Verb::renew};
    if (take_until(text, ' ') != "signal") return std::nullopt;
    const auto number = parse_number(text);
    if (!number || *number < 1 || *number > 64) return std::nullopt;
    return Command{Verb::signal, static_cast<int>(*number)};
}

bool ControlSocket::open(int directory) {
    sockaddr_un address{};
    if (!name_address(directory, address)) return false;
    if (unlinkat(directory, control_file, 0) != 0 && errno != ENOENT) return false;
    listener_ = Fd{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    return listener_ && bind(listener_.get(), plain(address), sizeof address) == 0 && listen(listener_.get(), 16) == 0;
}

void ControlSocket::accept() {
    Fd client{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!client) return;
    ucred who{};
    socklen_t size = sizeof who;
    if (getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return;
    if (who.uid != 0 && who.uid != geteuid()) return;
    std::size_t at = 0;
    while (at < clients_.size() && clients_[at]) ++at;
    if (at == clients_.size()) at = next_++ % clients_.size();
    clients_[at] = std::move(client);
}

std::optional<std::string_view> ControlSocket::receive(std::size_t at, std::span<char> room) {
    const auto got = recv(clients_[at].get(), room.data(), room.size(), MSG_DONTWAIT);
    if (got > 0) return std::string_view{room.data(), static_cast<std::size_t>(got)};
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) clients_[at].reset();
    return std::nullopt;
}

void ControlSocket::answer(std::size_t at, std::string_view text) {
    if (send(clients_[at].get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) clients_[at].reset();
}

Fd connect_control(int directory) {
    sockaddr_un address{};
    Fd client{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    if (!client || !name_address(directory, address)) return {};
    if (connect(client.get(), plain(address), sizeof address) != 0) return {};
    return client;
}

}  // namespace weir::supervisor
