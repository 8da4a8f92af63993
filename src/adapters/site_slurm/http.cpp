#include "adapters/site_slurm/http.hpp"

#include "supervisor/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace weir::site_slurm {
namespace {

using supervisor::Fd;

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

Result<Fd, std::string> connect_to(const HttpAddress& address) {
    const bool local = !address.path.empty();
    Fd socket{::socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket) return fail(fmt::format("no socket could be made: {}", std::strerror(errno)));
    int result = 0;
    if (local) {
        sockaddr_un to{.sun_family = AF_UNIX, .sun_path = {}};
        address.path.copy(to.sun_path, sizeof to.sun_path - 1);
        result = connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    } else {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(address.port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        result = connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    // Under way; a server that is not there is told of by the first write.
    if (result == 0 || errno == EINPROGRESS) return socket;
    return fail(fmt::format("slurmrestd does not listen: {}", std::strerror(errno)));
}

/// Waits until the socket is ready or the deadline has passed.
bool await(int socket, short events, std::int64_t deadline_ns) {
    for (;;) {
        const auto left_ms = (deadline_ns - supervisor::boot_now_ns()) / 1'000'000;
        if (left_ms <= 0) return false;
        pollfd source{.fd = socket, .events = events, .revents = 0};
        const int ready = poll(&source, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1 << 20)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

std::string text_of(const HttpQuestion& question) {
    auto text = fmt::format("{} {} HTTP/1.1\r\nHost: slurm\r\nConnection: close\r\nAccept: application/json\r\n", question.method,
                            question.target);
    for (const auto& [name, value] : question.headers) text += fmt::format("{}: {}\r\n", name, value);
    if (!question.body.empty()) text += "Content-Type: application/json\r\n";
    text += fmt::format("Content-Length: {}\r\n\r\n{}", question.body.size(), question.body);
    return text;
}

}  // namespace

Result<HttpAddress, std::string> parse_address(std::string_view text) {
    constexpr std::string_view local = "unix:";
    constexpr std::string_view loopback = "http://127.0.0.1:";
    if (text.starts_with(local)) {
        const auto path = text.substr(local.size());
        if (!path.starts_with('/') || path.size() >= sizeof(sockaddr_un::sun_path)) {
            return fail(fmt::format("`{}` names no socket: its path must be absolute and shorter than {} bytes", text,
                                    sizeof(sockaddr_un::sun_path)));
        }
        return HttpAddress{.path = std::string{path}};
    }
    const auto port = text.starts_with(loopback) ? number<std::uint16_t>(text.substr(loopback.size())) : std::nullopt;
    if (port && *port > 0) return HttpAddress{.port = *port};
    return fail(
        fmt::format("`{}` must be unix:/path/of/its/socket or http://127.0.0.1:PORT: slurmrestd is asked on this host alone", text));
}

Result<HttpAnswer, std::string> parse_answer(std::string_view text) {
    constexpr std::string_view version = "HTTP/1.";
    const auto head_end = text.find("\r\n\r\n");
    if (!text.starts_with(version) || head_end == std::string_view::npos || head_end < 12) {
        return fail(std::string{"slurmrestd hung up before it had answered"});
    }
    const auto status = number<int>(text.substr(9, 3));
    if (!status || *status < 100) return fail(std::string{"slurmrestd answered no status"});
    std::optional<std::size_t> length;
    auto head = text.substr(0, head_end);
    while (!head.empty()) {
        const auto line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(head.size(), line.size() + 2));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || lower(line.substr(0, colon)) != "content-length") continue;
        auto value = line.substr(colon + 1);
        while (value.starts_with(' ')) value.remove_prefix(1);
        length = number<std::size_t>(value);
        if (!length) return fail(std::string{"slurmrestd answered with a length that is no number"});
    }
    const auto body = text.substr(head_end + 4);
    if (!length) return fail(std::string{"slurmrestd answered without a length"});
    if (body.size() < *length) return fail(fmt::format("slurmrestd hung up after {} of {} bytes", body.size(), *length));
    return HttpAnswer{*status, std::string{body.substr(0, *length)}};
}

Result<HttpAnswer, std::string> ask(const HttpAddress& address, const HttpQuestion& question, const HttpLimits& limits) {
    const auto deadline_ns = supervisor::boot_now_ns() + std::int64_t{limits.deadline_ms} * 1'000'000;
    const auto too_late = [&] { return fail(fmt::format("slurmrestd did not answer within {} ms", limits.deadline_ms)); };
    const Fd socket = WEIR_TRY(connect_to(address));
    const auto text = text_of(question);
    for (std::size_t sent = 0; sent < text.size();) {
        if (!await(socket.get(), POLLOUT, deadline_ns)) return too_late();
        const auto put = send(socket.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (put > 0) sent += static_cast<std::size_t>(put);
        else if (errno != EINTR && errno != EAGAIN) return fail(fmt::format("slurmrestd does not listen: {}", std::strerror(errno)));
    }
    std::string answer;
    std::vector<char> room(256 * 1024);
    for (;;) {
        if (!await(socket.get(), POLLIN, deadline_ns)) return too_late();
        const auto got = recv(socket.get(), room.data(), room.size(), 0);
        if (got == 0) return parse_answer(answer);
        if (got < 0 && errno != EINTR && errno != EAGAIN) return fail(fmt::format("slurmrestd hung up: {}", std::strerror(errno)));
        if (got < 0) continue;
        if (answer.size() + static_cast<std::size_t>(got) > limits.bytes_max) {
            return fail(fmt::format("slurmrestd answered more than {} bytes to {}", limits.bytes_max, question.target));
        }
        answer.append(room.data(), static_cast<std::size_t>(got));
        // It may keep the connection; a whole answer is enough.
        if (auto whole = parse_answer(answer)) return whole;
    }
}

}  // namespace weir::site_slurm
