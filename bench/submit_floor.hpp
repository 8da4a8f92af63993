// bench/submit_floor.hpp: the least that could take submissions durably: a bare Beast server whose commit thread writes as many bytes for
// each request into one table, all that gathered in one transaction, and answers with as many bytes. One io thread, one commit thread.
#pragma once

#include "bench/disk.hpp"

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::bench {

/// Where the floor writes.
class FloorTable {
public:
    virtual ~FloorTable() = default;
    /// So many records as one transaction that is synced.
    virtual void write(std::size_t records) = 0;
};

/// Writes what has gathered as one transaction, then runs what waits for it.
class Committer {
public:
    Committer(std::unique_ptr<FloorTable> table, int records)
        : table_{std::move(table)}, records_{records}, thread_{[this](const std::stop_token& stop) { run_until(stop); }} {}
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;
    ~Committer() {
        thread_.request_stop();
        thread_.join();
    }
    void add(std::move_only_function<void()> then) {
        const std::scoped_lock lock{mutex_};
        waiting_.push_back(std::move(then));
        changed_.notify_one();
    }

private:
    void run_until(const std::stop_token& stop) {
        std::vector<std::move_only_function<void()>> taken;
        while (!stop.stop_requested()) {
            {
                std::unique_lock lock{mutex_};
                changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
                std::swap(taken, waiting_);
            }
            if (taken.empty()) continue;
            table_->write(taken.size() * static_cast<std::size_t>(records_));
            for (auto& then : taken) then();
            taken.clear();
        }
    }
    std::unique_ptr<FloorTable> table_;
    int records_;  ///< For each request.
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<std::move_only_function<void()>> waiting_;
    std::jthread thread_;
};

class FloorConnection : public std::enable_shared_from_this<FloorConnection> {
public:
    FloorConnection(boost::asio::ip::tcp::socket socket, Committer& committer) : socket_{std::move(socket)}, committer_{committer} {
        socket_.set_option(boost::asio::ip::tcp::no_delay{true});
    }
    void read() {
        request_ = {};
        boost::beast::http::async_read(
            socket_, buffer_, request_, [self = shared_from_this()](boost::beast::error_code error, std::size_t) {
                if (error) return;
                self->committer_.add([self] { boost::asio::post(self->socket_.get_executor(), [self] { self->answer(); }); });
            });
    }

private:
    void answer() {
        answer_ = {boost::beast::http::status::created, 11};
        answer_.set(boost::beast::http::field::content_type, "application/json");
        answer_.set("Weir-Revision", "1234567");
        answer_.set("Location", "/v1/jobs/job-01kaj3f0000000000000000000");
        answer_.body() = R"({"id":"job-01kaj3f0000000000000000000","repeated":false,"revision":1234567})";
        answer_.prepare_payload();
        boost::beast::http::async_write(socket_, answer_, [self = shared_from_this()](boost::beast::error_code error, std::size_t) {
            if (!error) self->read();
        });
    }
    boost::asio::ip::tcp::socket socket_;
    Committer& committer_;
    boost::beast::flat_buffer buffer_;
    boost::beast::http::request<boost::beast::http::string_body> request_;
    boost::beast::http::response<boost::beast::http::string_body> answer_;
};

class Floor {
public:
    explicit Floor(std::unique_ptr<FloorTable> table, int records = 1) : committer_{std::move(table), records} {
        accept();
        thread_ = std::jthread{[this] { context_.run(); }};
    }
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;
    ~Floor() {
        context_.stop();
        thread_.join();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    void accept() {
        acceptor_.async_accept([this](boost::beast::error_code error, boost::asio::ip::tcp::socket socket) {
            if (error) return;
            std::make_shared<FloorConnection>(std::move(socket), committer_)->read();
            accept();
        });
    }
    boost::asio::io_context context_{1};
    boost::asio::ip::tcp::acceptor acceptor_{context_, {boost::asio::ip::address_v4::loopback(), 0}};
    Committer committer_;
    std::jthread thread_;
};

}  // namespace weir::bench
