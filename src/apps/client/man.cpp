#include "apps/client/explain.hpp"

#include "apps/version/version.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace weir::cli {
namespace {

bool every(const CLI::App*) { return true; }

/// Text of roff: backslashes doubled, minus signs as such, no line that begins with a dot or quote.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out;
}

std::string options_text(const CLI::App& app) {
    std::string out;
    for (const auto* option : app.get_options()) {
        if (option->get_positional()) {
            out += fmt::format(".TP\n.I {}\n{}\n", roff(option->get_name(true)), roff(option->get_description()));
            continue;
        }
        std::string names;
        for (const auto& name : option->get_snames()) names += (names.empty() ? "" : ", ") + ("\\fB\\-" + roff(name) + "\\fR");
        for (const auto& name : option->get_lnames()) names += (names.empty() ? "" : ", ") + ("\\fB\\-\\-" + roff(name) + "\\fR");
        const bool takes = option->get_expected_min() > 0 && option->get_items_expected_max() > 0 && option->get_type_size() != 0;
        out += fmt::format(".TP\n{}{}\n{}\n", names, takes ? " \\fIVALUE\\fR" : "", roff(option->get_description()));
    }
    return out;
}

/// A command with all below it.
void describe(const CLI::App& app, const std::string& path, std::string& out) {
    const auto below = app.get_subcommands(every);
    if (below.empty()) {
        out += fmt::format(".SS {}\n{}.\n{}", roff(path), roff(app.get_description()), options_text(app));
        return;
    }
    for (const auto* command : below) describe(*command, path + " " + command->get_name(), out);
}

std::string head(const std::string& name, const std::string& about) {
    return fmt::format(".TH {} 1 \"\" \"weir {}\" \"Weir\"\n.SH NAME\n{} \\- {}\n", roff(name), roff(version()), roff(name), roff(about));
}

constexpr std::string_view exit_codes =
    ".SH EXIT STATUS\n"
    "0 done; 1 refused; 2 wrong arguments or file; 3 not reachable, nothing changed; 4 not authorised; 5 not found; "
    "6 unknown outcome: repeat with the same id; 10 the job did not succeed; 11 its end was not seen; 12 done, but its "
    "output could not be written.\n";

std::string page_of(const CLI::App& command) {
    const auto name = "weir-" + command.get_name();
    auto out = head(name, command.get_description());
    out += fmt::format(".SH SYNOPSIS\n.B weir {}\n.RI [ options ]\n.SH COMMANDS\n", roff(command.get_name()));
    describe(command, "weir " + command.get_name(), out);
    return out + std::string{exit_codes} + ".SH SEE ALSO\n.BR weir (1)\n";
}

std::string main_page(const CLI::App& app) {
    auto out = head("weir", app.get_description());
    out += ".SH SYNOPSIS\n.B weir\n.RI [ options ]\n.I COMMAND\n.SH OPTIONS\n" + options_text(app) + ".SH COMMANDS\n";
    std::string others;
    for (const auto* command : app.get_subcommands(every)) {
        out += fmt::format(".TP\n.B {}\n{}\n", roff(command->get_name()), roff(command->get_description()));
        others += fmt::format("{}.BR weir\\-{} (1)", others.empty() ? "" : ",\n", roff(command->get_name()));
    }
    out +=
        ".SH ENVIRONMENT\n.TP\n.B WEIR_SERVER\nthe server, where no option names one\n.TP\n.B WEIR_TOKEN\nthe token, where no option names "
        "its file\n"
        ".TP\n.B WEIR_PROJECT\nthe project of a submission\n"
        ".SH FILES\n.TP\n.I ~/.config/weir/config.yaml\nwhat \\fBweir login\\fR stored, readable by its owner alone\n";
    return out + std::string{exit_codes} + ".SH SEE ALSO\n" + others + "\n";
}

Done write_page(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file{path, std::ios::trunc};
    file << text;
    file.close();
    if (file) return {};
    return fail(Failure{.exit = Exit::usage, .message = fmt::format("{} cannot be written: {}", path.string(), std::strerror(errno))});
}

}  // namespace

Done print_man(Console& console, const CLI::App& app, const ManAsk& ask) {
    const auto commands = app.get_subcommands(every);
    if (ask.to.empty()) {
        if (ask.command.empty()) {
            console.out << main_page(app);
            return {};
        }
        const auto found = std::ranges::find(commands, ask.command.front(), [](const CLI::App* one) { return one->get_name(); });
        if (found == commands.end()) return fail(usage(fmt::format("weir has no command {}; see: weir --help", ask.command.front())));
        console.out << page_of(**found);
        return {};
    }
    std::error_code error;
    std::filesystem::create_directories(ask.to, error);
    if (error) return fail(Failure{.exit = Exit::usage, .message = fmt::format("{} cannot be made: {}", ask.to, error.message())});
    const std::filesystem::path folder{ask.to};
    WEIR_CHECK(write_page(folder / "weir.1", main_page(app)));
    for (const auto* command : commands) WEIR_CHECK(write_page(folder / fmt::format("weir-{}.1", command->get_name()), page_of(*command)));
    console.out << fmt::format("{} pages in {}\n", commands.size() + 1, ask.to);
    return {};
}

}  // namespace weir::cli
