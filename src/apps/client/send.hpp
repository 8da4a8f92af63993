// apps/client/send.hpp: what most commands end with: a change with its one-line answer, or a file sent as it is.
#pragma once

#include "apps/client/commands.hpp"
#include "apps/client/format.hpp"
#include "apps/client/source.hpp"
#include "apps/client/table.hpp"

#include <string>
#include <string_view>

namespace weir::cli {

/// The project that is meant: named, of the environment, or the only one.
[[nodiscard]] Result<std::string, Failure> project_of(Session& session, const std::string& named_project);

/// `what name (was so before)`, or the server's JSON.
void print_made(Session& session, const Reply& reply, std::string_view what);

/// Sends the JSON and prints what was made.
[[nodiscard]] Done send(Session& session, http::Method method, std::string target, std::string body, std::string_view what,
                        bool id_in_body = false);

/// Sends what a file holds; a refused field is named with its line.
[[nodiscard]] Done send_file(Session& session, std::string target, const std::string& file, std::string_view what);

/// Prints the table as wide as the terminal, unless JSON was printed in its place.
void print(Session& session, const Table& table);

/// Fen of `12.50 yuan` or `1250 fen`.
[[nodiscard]] Result<std::int64_t, Failure> fen_of(std::string_view amount);

}  // namespace weir::cli
