// apps/client/console.hpp: the world of a command: its streams, clock, chance and environment, as values.
//
// Everything that a command takes from outside comes through here, so that a test can put it together by hand.
#pragma once

#include "base/id.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <ctime>
#include <functional>
#include <istream>
#include <optional>
#include <ostream>
#include <string>

namespace weir::cli {

struct Console {
    std::istream& in;
    std::ostream& out;  ///< Answers, and nothing else.
    std::ostream& err;  ///< Errors, hints, progress.
    /// Columns of the terminal behind `out`; 0: there is none, and nothing is cut.
    std::size_t width = 0;
    std::size_t height = 0;  ///< Its rows; 0: there is none.
    /// Whether `err` is a terminal: only then are there hints and progress.
    bool talks = false;
    /// Whether `in` is a terminal: only then is anything asked.
    bool asks = false;
    /// A line of progress is shown: whoever waits within that wait shows none of its own.
    bool is_waiting = false;
    std::function<std::optional<std::string>(const std::string& name)> environment{};
    std::function<Instant()> now{};
    std::function<Uid()> new_uid{};
    std::function<void(Duration)> sleep{};
    std::function<std::tm(Instant)> local_time{};
    /// From now on the process ends when nobody reads `out` any more, whether there is something to print or not.
    std::function<void()> end_with_reader{};
    /// A line of `in` that the terminal does not show.
    std::function<std::string()> hidden_line{};
};

/// The console of this process.
[[nodiscard]] Console system_console();

/// Writes a file that only its owner may read, whole or not at all; makes its folder. Nothing, or what went wrong.
[[nodiscard]] std::optional<std::string> write_private_file(const std::string& path, const std::string& text);

/// Whether write_private_file() could write there now: nothing, or what is in the way. The file itself is not touched.
[[nodiscard]] std::optional<std::string> private_file_fault(const std::string& path);

}  // namespace weir::cli
