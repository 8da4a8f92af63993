// adapters/store_postgres/test_database.hpp: a real PostgreSQL server for a test program, in a folder of its own, gone with it.
//
// It speaks on a socket in that folder alone. PostgreSQL refuses to run as root: then it runs as the user `postgres` that Debian's package
// makes. In tests it syncs nothing: durability against power cuts is the database's own business and is not what they are about.
#pragma once

#include "adapters/store_postgres/connection.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace weir::store::test {

inline std::string programs() {
    for (const auto* folder : {"/usr/lib/postgresql/15/bin", "/usr/local/bin", "/usr/bin"}) {
        if (std::filesystem::exists(std::string{folder} + "/initdb")) return folder;
    }
    throw std::runtime_error{"PostgreSQL's initdb is not installed; see packages.txt"};
}

/// As the user that may run it.
inline std::string as_user(const std::string& command) {
    return ::geteuid() == 0 ? fmt::format("setpriv --reuid=postgres --regid=postgres --clear-groups {}", command) : command;
}

inline void must(const std::string& command) {
    if (std::system((command + " </dev/null >/dev/null 2>&1").c_str()) != 0) throw std::runtime_error{command + " failed"};
}

class TestDatabase {
public:
    /// The one of this program; made at the first call. Fails the test where it cannot start.
    static TestDatabase& get();
    /// `syncs`: each commit, for figures that say something.
    explicit TestDatabase(bool syncs);
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    /// A connection string to a new, empty database.
    std::string fresh();
    /// The same as an address.
    std::string fresh_address();
    /// Kills the server as a power cut would, and starts it again.
    void kill_and_restart();

private:
    void start();
    void stop(const std::string& mode);
    bool syncs_;
    std::string folder_;
    int databases_ = 0;
};

inline TestDatabase& TestDatabase::get() {
    static TestDatabase one{false};
    return one;
}

inline TestDatabase::TestDatabase(bool syncs) : syncs_{syncs} {
    std::string name = (std::filesystem::temp_directory_path() / "weir-pg-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
    folder_ = name;
    if (::geteuid() == 0) must("chown postgres " + folder_);
    must(as_user(fmt::format("{}/initdb -D {}/data -A trust -U postgres --no-sync -E UTF8 --locale=C", programs(), folder_)));
    start();
}

inline TestDatabase::~TestDatabase() {
    stop("immediate");
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

inline void TestDatabase::start() {
    must(as_user(
        fmt::format("{0}/pg_ctl -D {1}/data -w -s -l {1}/log -o \"-c listen_addresses= -k {1} -c fsync={2} -c max_connections=60\" start",
                    programs(), folder_, syncs_ ? "on" : "off")));
}

inline void TestDatabase::stop(const std::string& mode) {
    (void)std::system(
        (as_user(fmt::format("{}/pg_ctl -D {}/data -m {} -w -s stop", programs(), folder_, mode)) + " >/dev/null 2>&1").c_str());
}

inline void TestDatabase::kill_and_restart() {
    stop("immediate");
    start();
}

inline std::string TestDatabase::fresh() {
    auto connection = PgConnection::open(fmt::format("host={} user=postgres dbname=postgres", folder_));
    if (!connection) throw std::runtime_error{connection.error().message};
    const auto name = fmt::format("store_{}", ++databases_);
    if (auto made = connection->run(fmt::format("create database {} encoding 'UTF8' template template0", name)); !made)
        throw std::runtime_error{made.error().message};
    return fmt::format("host={} user=postgres dbname={}", folder_, name);
}

inline std::string TestDatabase::fresh_address() {
    const auto words = fresh();
    return fmt::format("postgresql:///{}?host={}&user=postgres", words.substr(words.rfind('=') + 1), folder_);
}

}  // namespace weir::store::test
