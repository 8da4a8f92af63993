#include "transport/http/server/server.hpp"

#include "transport/http/server/connection.hpp"
#include "transport/http/server/loop.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <random>
#include <utility>

namespace weir::http {
namespace {

/// How long accepting pauses when the process has no file descriptor left.
constexpr std::chrono::milliseconds accept_pause{100};

StartError describe_start(const ErrorCode& code, const ServerOptions& options) {
    const std::string where = fmt::format("{} port {}", options.address, options.port);
    if (code == asio::error::address_in_use)
        return {StartFault::address_in_use, fmt::format("another process listens on {}; stop it or choose another port", where)};
    if (code == asio::error::access_denied)
        return {StartFault::not_permitted,
                fmt::format("listening on {} needs a right this process lacks; choose a port above 1023", where)};
    if (code == boost::system::errc::address_not_available) {
        return {StartFault::no_such_address, fmt::format("no interface of this machine has the address of {}; choose one it has", where)};
    }
    return {StartFault::system, fmt::format("cannot listen on {}: {}", where, code.message())};
}

}  // namespace

std::uint64_t raise_open_files(std::uint64_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur >= wanted) return limit.rlim_cur;
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

std::size_t connections_within(std::uint64_t files, std::uint64_t others, std::size_t wanted) {
    constexpr std::uint64_t few = 16;
    const auto beside = others + refusal_room;
    return std::min<std::uint64_t>(wanted, files > beside + few ? files - beside : few);
}

struct Server::Impl {
    Shared shared;
    std::vector<std::unique_ptr<Loop>> loops;
    std::optional<Acceptor> acceptor;
    std::optional<Timer> pause;
    std::size_t next_loop = 0;
    std::string url;
    std::uint16_t port = 0;
    bool stopped = false;

    Result<void, StartError> listen();
    void accept_next();
    void on_accepted(Loop& target, const ErrorCode& code, Socket socket);
    void close_acceptor();
    bool stop(Duration grace);
};

Result<void, StartError> Server::Impl::listen() {
    const ServerOptions& options = shared.options;
    ErrorCode code;
    const auto address = asio::ip::make_address(options.address, code);
    if (code)
        return fail(
            StartError{StartFault::bad_address, fmt::format("{} is no numeric address; write for example 127.0.0.1", options.address)});
    const asio::ip::tcp::endpoint endpoint{address, options.port};
    acceptor.emplace(loops.front()->context());
    pause.emplace(loops.front()->context());
    acceptor->open(endpoint.protocol(), code);
    if (!code) acceptor->set_option(asio::socket_base::reuse_address{true}, code);
    if (!code) acceptor->bind(endpoint, code);
    if (!code) acceptor->listen(asio::socket_base::max_listen_connections, code);
    if (code) return fail(describe_start(code, options));
    port = acceptor->local_endpoint(code).port();
    url = fmt::format(fmt::runtime(address.is_v6() ? "http://[{}]:{}" : "http://{}:{}"), address.to_string(), port);
    return {};
}

void Server::Impl::accept_next() {
    Loop& target = *loops[next_loop++ % loops.size()];
    acceptor->async_accept(target.context(),
                           [this, &target](const ErrorCode& code, Socket socket) { on_accepted(target, code, std::move(socket)); });
}

void Server::Impl::on_accepted(Loop& target, const ErrorCode& code, Socket socket) {
    if (code == asio::error::operation_aborted || !acceptor->is_open()) return;
    if (!code) {
        asio::dispatch(target.context(), [&target, taken = std::move(socket)]() mutable { target.adopt(std::move(taken)); });
        return accept_next();
    }
    shared.log(LogLevel::warning, "http.accept",
               fmt::format("cannot accept a connection: {}; trying again in {} ms", code.message(), accept_pause.count()));
    pause->expires_after(accept_pause);
    pause->async_wait([this](const ErrorCode& cancelled) {
        if (!cancelled) accept_next();
    });
}

void Server::Impl::close_acceptor() {
    std::promise<void> closed;
    asio::post(loops.front()->context(), [&] {
        ErrorCode ignored;
        acceptor->close(ignored);
        pause->cancel();
        closed.set_value();
    });
    closed.get_future().wait();
}

bool Server::Impl::stop(Duration grace) {
    if (std::exchange(stopped, true)) return true;
    close_acceptor();
    shared.draining = true;
    for (const auto& loop : loops) loop->drain();
    bool all_gone = false;
    {
        std::unique_lock lock{shared.mutex};
        all_gone = shared.changed.wait_for(lock, std::chrono::nanoseconds{std::max<std::int64_t>(0, grace.ns)},
                                           [this] { return shared.connections == 0; });
    }
    for (const auto& loop : loops) loop->stop();
    return all_gone;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&& other) noexcept {
    if (impl_) impl_->stop({});
    impl_ = std::move(other.impl_);
    return *this;
}
Server::~Server() {
    if (impl_) impl_->stop({});
}

Result<Server, StartError> Server::start(Router router, ServerOptions options) {
    auto impl = std::make_unique<Impl>();
    impl->shared.router = std::move(router);
    impl->shared.options = std::move(options);
    impl->shared.bodies = std::make_shared<BodyBudget>(impl->shared.options.limits.body_bytes,
                                                         impl->shared.options.limits.body_bytes / 4);
    std::random_device device;
    impl->shared.id_seed = (std::uint64_t{device()} << 32U) | device();
    const int threads = std::clamp(impl->shared.options.io_threads, 1, 16);
    for (int i = 0; i < threads; ++i) impl->loops.push_back(std::make_unique<Loop>(impl->shared));
    auto listening = impl->listen();
    if (!listening) {
        impl->stopped = true;
        return fail(std::move(listening).error());
    }
    impl->accept_next();
    for (const auto& loop : impl->loops) loop->run_in_thread();
    return Server{std::move(impl)};
}

std::uint16_t Server::port() const { return impl_->port; }
std::string Server::url() const { return impl_->url; }
const Router& Server::router() const { return impl_->shared.router; }
bool Server::stop(Duration grace) { return impl_->stop(grace); }

Metrics Server::metrics() const {
    Metrics sum;
    for (const auto& loop : impl_->loops) loop->counters().add_to(sum);
    sum.body_bytes = impl_->shared.bodies->used();
    sum.bodies_refused = impl_->shared.bodies->refused();
    return sum;
}

}  // namespace weir::http
