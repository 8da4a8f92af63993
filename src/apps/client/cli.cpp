#include "apps/client/cli.hpp"

#include "apps/client/arguments.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace weir::cli {
namespace {

constexpr const char* about = "Weir: one queue, one voucher and one provable bill for every data centre in the city.";
constexpr const char* also = "Also: weir server, weir agent, weir up, weir audit verify; each explains itself with --help.\n"
                             "Exit codes: 0 done, 1 refused, 2 wrong arguments or file, 3 not reachable, 4 not authorised, 5 not found,\n"
                             "6 unknown outcome (repeat with the same id), 10 the job did not succeed.";

int finish(const Done& done, Console& console) {
    console.out.flush();
    if (done) return console.out.good() ? 0 : static_cast<int>(Exit::refused);
    print(done.error(), console.err);
    return static_cast<int>(done.error().exit);
}

Done execute(Console& console, const Chosen& chosen) {
    if (chosen.is_login) return login(console, chosen.flags);
    auto session = WEIR_TRY(Session::open(console, chosen.flags));
    return chosen.run(session);
}

}  // namespace

bool is_client_command(std::string_view word) {
    CLI::App app;
    Chosen chosen;
    add_commands(app, chosen);
    return std::ranges::any_of(app.get_subcommands([](const CLI::App*) { return true; }), [&](const CLI::App* command) { return command->get_name() == word; });
}

int run(const std::vector<std::string>& arguments, Console& console) {
    CLI::App app{about, "weir"};
    app.footer(also);
    Chosen chosen;
    add_commands(app, chosen);
    try {
        auto reversed = arguments;
        std::ranges::reverse(reversed);
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, console.out, console.err) == 0 ? 0 : static_cast<int>(Exit::usage);
    }
    return finish(execute(console, chosen), console);
}

int run_client(int argc, char** argv) {
    auto console = system_console();
    return run({argv + 1, argv + argc}, console);
}

}  // namespace weir::cli
