#include "apps/client/cli.hpp"

#include "apps/client/arguments.hpp"
#include "apps/client/format.hpp"
#include "apps/version/version.hpp"

#include "codec/text.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace weir::cli {
namespace {

constexpr const char* about = "Weir: one queue, one voucher and one provable bill for every data centre in the city.";
constexpr const char* also =
    "Also: weir server, weir agent, weir up, weir audit verify; each explains itself with --help.\n"
    "Exit codes: 0 done, 1 refused, 2 wrong arguments or file, 3 not reachable, 4 not authorised, 5 not found,\n"
    "6 unknown outcome (repeat with the same id), 10 the job did not succeed, 11 its end was not seen,\n"
    "12 done, but its output could not be written.";

bool every_command(const CLI::App*) { return true; }

/// The first word that should be a command and is none, with the command that was probably meant.
std::optional<Failure> unknown_command(const CLI::App& app, const std::vector<std::string>& arguments) {
    const auto* at = &app;
    std::string words = "weir";
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto& word = arguments[i];
        if (word == "--server" || word == "--token-file") ++i;
        if (word.starts_with('-')) continue;
        std::vector<std::string> names;
        const CLI::App* next = nullptr;
        for (const auto* command : at->get_subcommands(every_command)) {
            names.push_back(command->get_name());
            if (names.back() == word) next = command;
        }
        if (names.empty()) return std::nullopt;
        if (next == nullptr) {
            const std::vector<std::string_view> candidates{names.begin(), names.end()};
            const auto meant = codec::nearest(word, candidates);
            return usage(fmt::format("{} has no command {}{}; see: {} --help", words, codec::show(word),
                                     meant ? fmt::format(", did you mean {}", *meant) : "", words));
        }
        at = next;
        words += " " + word;
    }
    return std::nullopt;
}

int finish(const Done& done, Console& console) {
    errno = 0;
    console.out.flush();
    const bool written = console.out.good();
    if (!written) {
        print({.exit = Exit::not_told,
               .message = fmt::format("what there is to say could not be written{}; make room, or write it elsewhere",
                                      errno != 0 ? fmt::format(": {}", std::strerror(errno)) : "")},
              console.err);
    }
    if (done) return static_cast<int>(written ? Exit::ok : Exit::not_told);
    auto failure = done.error();
    failure.message = with_local_times(console, failure.message);
    print(failure, console.err);
    return static_cast<int>(failure.exit);
}

/// Help is printed where it was asked for; anything else that the parser throws is a wrong command line.
int explain(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments, Console& console) {
    if (error.get_exit_code() == 0) {
        app.exit(error, console.out, console.err);
        return finish({}, console);
    }
    if (auto unknown = unknown_command(app, arguments)) return finish(fail(*std::move(unknown)), console);
    app.exit(error, console.out, console.err);
    return static_cast<int>(Exit::usage);
}

Done execute(Console& console, const Chosen& chosen) {
    if (chosen.alone) return chosen.alone(console);
    auto session = WEIR_TRY(Session::open(console, chosen.flags));
    return chosen.run(session);
}

}  // namespace

bool is_client_command(std::string_view word) {
    CLI::App app;
    Chosen chosen;
    add_commands(app, chosen);
    return std::ranges::any_of(app.get_subcommands(every_command), [&](const CLI::App* command) { return command->get_name() == word; });
}

int run(const std::vector<std::string>& arguments, Console& console) {
    CLI::App app{about, "weir"};
    Chosen chosen;
    add_commands(app, chosen);
    app.set_version_flag("--version", "weir " + std::string{version()}, "the release, and the commit it was built from");
    app.footer(also);  // After the commands, which would inherit it.
    try {
        auto reversed = arguments;
        std::ranges::reverse(reversed);
        app.parse(reversed);
    } catch (const CLI::ParseError& error) { return explain(app, error, arguments, console); }
    return finish(execute(console, chosen), console);
}

int run_client(int argc, char** argv) {
    auto console = system_console();
    return run({argv + 1, argv + argc}, console);
}

}  // namespace weir::cli
