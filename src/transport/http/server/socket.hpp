// transport/http/server/socket.hpp: the one place that says what a byte stream is.
//
// Plain TCP today. A stream with TLS takes the place of Socket here; connections use async_read_some,
// async_write_some, close_socket and end_sending alone.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>

namespace weir::http {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

inline void close_socket(Socket& socket) {
    ErrorCode ignored;
    socket.close(ignored);
}

/// Tells the peer that nothing more will come; it may still send.
inline void end_sending(Socket& socket) {
    ErrorCode ignored;
    socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

}  // namespace weir::http
