// apps/client/test_rig.hpp: whole command lines against a server in this process that answers what each test wrote down.
#pragma once

#include "apps/client/cli.hpp"

#include "codec/value.hpp"
#include "transport/http/server/server.hpp"
#include "transport/http/sse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <streambuf>

namespace weir::cli {

using http::Response;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace fs = std::filesystem;

/// Gives a text and then breaks the connection.
class Broken final : public http::BodySource {
public:
    explicit Broken(std::string text) : text_{std::move(text)} {}
    [[nodiscard]] std::optional<std::uint64_t> length() const override { return std::nullopt; }
    std::optional<std::size_t> read(std::span<char> into) override {
        if (text_.empty()) return std::nullopt;
        const auto size = text_.copy(into.data(), into.size());
        text_.erase(0, size);
        return size;
    }

private:
    std::string text_;
};

inline Response json(std::string text, int status = 200) { return Response::json(status, std::move(text)); }
inline Response broken(std::string text = {}) { return Response::pulled("text/plain", std::make_unique<Broken>(std::move(text))); }
inline Response problem(int status, std::string detail, std::string field = {}, std::string_view code = "some_case") {
    http::Problem document;
    document.type = http::problem_type(code);
    document.status = status;
    document.detail = std::move(detail);
    if (!field.empty()) document.members.push_back({"field", field});
    return Response::problem(document);
}
inline Response piece(std::string text, std::uint64_t next, bool ended) {
    return Response::text(200, std::move(text))
        .with_header("Weir-Log-Next", std::to_string(next))
        .with_header("Weir-Log-Ended", ended ? "true" : "false");
}

inline constexpr const char* catalogue = R"({"items":[{"model":"cpu"},{"model":"H800"}],"revision":1})";
inline constexpr const char* one_project =
    R"({"actor":"subject:ann","subject":"ann","scopes":["write"],"projects":[{"project":"vision","roles":["owner"]}],"revision":1})";
inline constexpr const char* job_a = "job-01kaj3aaaaaaaaaaaaaaaaaaaa";
inline constexpr const char* job_b = "job-01kaj3bbbbbbbbbbbbbbbbbbbb";

/// A pipe: who reads it has what was flushed.
class Pipe final : public std::stringbuf {
public:
    std::string read;

private:
    int sync() override {
        read = str();
        return 0;
    }
};

/// A file on a disk that has no room left.
class FullDisk final : public std::streambuf {
    int overflow(int) override { return traits_type::eof(); }
};

/// A server with answers for each `METHOD /path`: in turn, the last one again and again.
class Rig {
public:
    using Answer = std::function<Response(const http::Request&)>;

    Rig() {
        auto name = (fs::temp_directory_path() / "weir-cli-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        http::Router router;
        using enum http::Method;
        for (const auto method : {get, post, put, del}) {
            EXPECT_TRUE(router.add({.method = method,
                                    .pattern = "/{rest...}",
                                    .handler = http::answer_with([this](const http::Request& request) { return answer(request); }),
                                    .options = {}}));
        }
        auto started = http::Server::start(std::move(router));
        EXPECT_TRUE(started);
        server_.emplace(std::move(*started));
        environment["WEIR_SERVER"] = server_->url();
        environment["WEIR_TOKEN"] = "secret";
        environment["HOME"] = folder_.string();
    }
    ~Rig() {
        server_.reset();
        fs::remove_all(folder_);
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    void on(const std::string& what, Answer made) { answers_[what].push_back(std::move(made)); }
    void on(const std::string& what, std::string text) {
        on(what, [text = std::move(text)](const http::Request&) { return json(text); });
    }

    int run(std::vector<std::string> arguments, std::string input = {}) {
        std::istringstream in{std::move(input)};
        Pipe pipe;
        std::ostream out_stream{&pipe};
        FullDisk full_disk;
        std::ostream full_stream{&full_disk};
        std::ostringstream err_stream;
        std::uint64_t chance = 0;
        Console console{.in = in, .out = disk_is_full ? full_stream : out_stream, .err = err_stream, .width = width};
        console.environment = [this](const std::string& name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional{found->second};
        };
        console.now = [] { return *parse_utc("2026-11-22T06:00:00Z"); };
        console.new_uid = [&] { return make_uid(console.now(), 7, ++chance); };
        console.sleep = [&](Duration length) {
            slept.push_back(length);
            read_while_it_slept = pipe.read;
        };
        console.local_time = [](Instant at) {
            const std::time_t whole = floor_seconds(at);
            std::tm parts{};
            ::gmtime_r(&whole, &parts);
            return parts;
        };
        const int code = cli::run(arguments, console);
        out = pipe.str();
        err = err_stream.str();
        return code;
    }

    [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
        const auto path = folder_ / name;
        std::ofstream{path} << text;
        return path.string();
    }
    [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
    [[nodiscard]] std::vector<std::string> seen(const std::string& start) {
        const std::lock_guard lock{mutex_};
        std::vector<std::string> found;
        for (const auto& one : seen_) {
            if (one.starts_with(start)) found.push_back(one);
        }
        return found;
    }
    void stop() { server_->stop({}); }
    [[nodiscard]] std::string url() const { return server_->url(); }

    std::map<std::string, std::string> environment;
    std::size_t width = 0;
    bool disk_is_full = false;
    std::string out;
    std::string err;
    std::vector<Duration> slept;
    std::string read_while_it_slept;  ///< What of `out` another program had when the last sleep began.

private:
    Response answer(const http::Request& request) {
        const std::lock_guard lock{mutex_};
        const auto what = std::string{http::name_of(request.method)} + " " + request.path;
        seen_.push_back(what + " " + std::string{request.header("Last-Event-ID").value_or("")} + request.body + " " +
                        std::string{request.bearer_token().value_or("")});
        const auto found = answers_.find(what);
        if (found == answers_.end()) return problem(404, "nothing is written down for " + what);
        auto made = found->second.front();
        if (found->second.size() > 1) found->second.pop_front();
        return made(request);
    }

    fs::path folder_;
    std::mutex mutex_;
    std::map<std::string, std::deque<Answer>> answers_;
    std::vector<std::string> seen_;
    std::optional<http::Server> server_;
};

inline void serve_submission(Rig& rig) {
    rig.on("GET /v1/whoami", one_project);
    rig.on("GET /v1/catalog", catalogue);
}

inline std::string good_job(const Rig& rig) {
    return rig.write("job.yaml", "name: hello\nresources:\n  accelerators: cpu:1\nrun: echo hi\n");
}

}  // namespace weir::cli
