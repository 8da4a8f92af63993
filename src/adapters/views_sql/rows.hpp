// adapters/views_sql/rows.hpp: which rows an entry makes or changes.
#pragma once

#include "adapters/sqlite/sqlite.hpp"
#include "control/entry.hpp"

#include <map>
#include <string_view>

namespace weir::views {

class Rows {
public:
    explicit Rows(store::Connection& connection) : connection_{connection} {}

    /// Writes the rows of one entry within the transaction at hand; false: SQLite refused, its connection says why.
    [[nodiscard]] bool write(const control::Entry& entry);

    /// The statement of a literal, prepared once and kept; empty where SQLite refused it.
    [[nodiscard]] store::Statement& statement(std::string_view sql);

    /// Lets go of all statements: before the connection is closed.
    void forget() { statements_.clear(); }

private:
    store::Connection& connection_;
    std::map<std::string_view, store::Statement> statements_;
};

}  // namespace weir::views
