// supervisor/control.hpp: the socket on which the agent speaks to a supervisor.
//
// Requests and answers are single messages of a SOCK_SEQPACKET socket named `control` in the task's directory:
//
//     ping                 ok
//     stop                 ok        SIGTERM, the task's grace, SIGKILL
//     kill                 ok        SIGKILL at once
//     signal N             ok M      M processes got it
//     checkpoint           ok N      request number N is written, and the signal sent where the spec names one
//     renew                ok        the lease file was read again; it is read by itself when the lease runs out
//
// Anything else is answered `refused` and a reason. Only root and the supervisor's own user are heard.
#pragma once

#include "supervisor/system.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace weir::supervisor {

inline constexpr std::size_t control_bytes_max = 128;
inline constexpr std::size_t control_clients_max = 8;

struct Command {
    enum class Verb : std::uint8_t { ping = 1, stop = 2, kill = 3, signal = 4, checkpoint = 5, renew = 6 };
    Verb verb{};
    int number = 0;  ///< Of a signal, 1 to 64.
};

[[nodiscard]] std::optional<Command> parse_command(std::string_view text);

class ControlSocket {
public:
    /// Binds in `directory`, replacing the socket of a dead predecessor.
    [[nodiscard]] bool open(int directory);

    [[nodiscard]] int listener() const { return listener_.get(); }
    /// One for each client; -1 where there is none.
    [[nodiscard]] int client(std::size_t at) const { return clients_[at].get(); }

    /// Takes a waiting client; the one that came first makes room where all places are taken.
    void accept();
    /// The next message of a client into `room`; nothing where there is none. A client that hung up is forgotten.
    [[nodiscard]] std::optional<std::string_view> receive(std::size_t at, std::span<char> room);
    void answer(std::size_t at, std::string_view text);

private:
    Fd listener_;
    std::array<Fd, control_clients_max> clients_;
    std::size_t next_ = 0;
};

/// The socket's address through the directory's descriptor, because a path may be longer than an address can hold.
/// @returns a connected (or bound) socket, or none.
[[nodiscard]] Fd connect_control(int directory);

}  // namespace weir::supervisor
