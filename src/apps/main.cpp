// weir: the client of the network, the agent of a process site, and the door to its sibling programs.
#include "apps/agent/agent_program.hpp"
#include "apps/agent/pause_program.hpp"
#include "apps/client/cli.hpp"
#include "apps/command_line.hpp"
#include "apps/shipped/shipped.hpp"
#include "apps/up/up_program.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <nss.h>
#include <string_view>
#include <unistd.h>

namespace {

/// Names are looked up in /etc/hosts and then by DNS, which the program has in it. What else a host's nsswitch.conf may name are plug-ins
/// of its C library: a static program that loads one made for another release of that library crashes.
void look_up_names_without_plugins() { __nss_configure_lookup("hosts", "files dns"); }

int exec_sibling(const char* name, char** argv) {
    const auto path = weir::apps::program_folder() + "/" + name;
    ::execv(path.c_str(), argv);
    fmt::print(stderr, "weir: {} cannot be started: it is not beside this program\n", path);
    return 2;
}

int up(int argc, char** argv) {
    weir::up::UpOptions options;
    options.programs = weir::apps::program_folder();
    CLI::App app{"starts a server and three process sites, runs a training, kills an agent, drains a site, prints the bill", "weir up"};
    app.add_flag("--once", options.once, "end after the job instead of staying up");
    app.add_option("--share", options.share, "folder of catalogue/ and examples/; absent: the shipped one");
    app.add_option("--digits", options.digits, "the training's data, digits.csv.gz; absent: SHARE/.weir/data/digits.csv.gz");
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    if (options.share.empty()) {
        auto found = weir::apps::find_shipped(options.programs, weir::apps::shipped_catalogue, "--share DIR");
        if (!found) {
            fmt::print(stderr, "weir up: {}\n", found.error());
            return weir::apps::wrong_usage;
        }
        options.share = *std::move(found);
    }
    if (options.digits.empty()) options.digits = options.share + "/.weir/data/digits.csv.gz";
    return weir::up::run_up(options);
}

int agent(int argc, char** argv) {
    std::string config;
    CLI::App app{"runs the agent of a process site", "weir agent"};
    app.footer("Also: weir agent pause FILE, weir agent resume FILE (each has its own --help).");
    app.add_option("config", config, "the agent's YAML file")->required();
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    return weir::apps::run_agent_program(config);
}

/// `weir agent pause FILE` and `weir agent resume FILE`.
int pause_agent(int argc, char** argv, bool pause) {
    std::string config;
    const auto* const what = pause ? "empties a site: nothing starts, and what runs is stopped; without the network too"
                                   : "lets a site take work again";
    CLI::App app{what, pause ? "weir agent pause" : "weir agent resume"};
    app.add_option("config", config, "the agent's YAML file")->required();
    if (const auto end = weir::apps::end_of_parsing(app, argc, argv)) return *end;
    return weir::apps::run_pause_program(config, pause);
}

}  // namespace

int main(int argc, char** argv) {
    look_up_names_without_plugins();
    const std::string_view command = argc > 1 ? argv[1] : "";
    if (command == "up") return up(argc - 1, argv + 1);
    if (command == "agent" && argc > 2) {
        const std::string_view verb = argv[2];
        if (verb == "pause" || verb == "resume") return pause_agent(argc - 2, argv + 2, verb == "pause");
    }
    if (command == "agent") return agent(argc - 1, argv + 1);
    if (command == "audit" && argc > 2 && std::string_view{argv[2]} == "verify") {
        // `weir audit verify ...` is `weir-server audit ...`.
        argv[2] = argv[1];
        argv[1] = argv[0];
        return exec_sibling("weir-server", argv + 1);
    }
    if (command == "server") return exec_sibling("weir-server", argv + 1);
    if (command == "store") return exec_sibling("weir-server", argv);
    return weir::cli::run_client(argc, argv);
}
