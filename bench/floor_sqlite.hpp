// bench/floor_sqlite.hpp: the floor's table in a SQLite file of its own: WAL, synchronous=FULL, as the journal's.
#pragma once

#include "bench/submit_floor.hpp"

#include <sqlite3.h>

namespace weir::bench {

class SqliteTable final : public FloorTable {
public:
    explicit SqliteTable(std::size_t bytes) : text_(bytes, 'x') {
        if (::sqlite3_open(directory_.file("floor.db").c_str(), &store_) != SQLITE_OK) give_up("sqlite3_open");
        run("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
            "CREATE TABLE journal(revision INTEGER PRIMARY KEY, text TEXT NOT NULL)");
        ::sqlite3_stmt* level = nullptr;
        ::sqlite3_prepare_v2(store_, "PRAGMA synchronous", -1, &level, nullptr);
        if (::sqlite3_step(level) != SQLITE_ROW || ::sqlite3_column_int(level, 0) != 2) give_up("SQLite does not sync each commit");
        ::sqlite3_finalize(level);
        ::sqlite3_prepare_v2(store_, "INSERT INTO journal(text) VALUES(?)", -1, &insert_, nullptr);
    }
    SqliteTable(const SqliteTable&) = delete;
    SqliteTable& operator=(const SqliteTable&) = delete;
    ~SqliteTable() override {
        ::sqlite3_finalize(insert_);
        ::sqlite3_close(store_);
    }
    void write(std::size_t records) override {
        run("BEGIN");
        for (std::size_t i = 0; i < records; ++i) {
            ::sqlite3_bind_text(insert_, 1, text_.data(), static_cast<int>(text_.size()), SQLITE_STATIC);
            if (::sqlite3_step(insert_) != SQLITE_DONE) give_up(::sqlite3_errmsg(store_));
            ::sqlite3_reset(insert_);
        }
        run("COMMIT");
    }

private:
    void run(const char* sql) {
        if (::sqlite3_exec(store_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(::sqlite3_errmsg(store_));
    }
    Directory directory_;
    std::string text_;
    ::sqlite3* store_ = nullptr;
    ::sqlite3_stmt* insert_ = nullptr;
};

}  // namespace weir::bench
