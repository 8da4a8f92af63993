#include "apps/client/explain.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace weir::cli {
namespace {

bool every(const CLI::App*) { return true; }

/// What may come after the words of a command: its commands and its long options.
struct Node {
    std::string path;  ///< `weir job logs`
    std::vector<std::string> words;
    std::vector<std::string> about;  ///< Of each word.
};

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
    Node node{path, {}, {}};
    for (const auto* command : app.get_subcommands(every)) {
        node.words.push_back(command->get_name());
        node.about.push_back(command->get_description());
    }
    for (const auto* option : app.get_options()) {
        for (const auto& name : option->get_lnames()) {
            node.words.push_back("--" + name);
            node.about.push_back(option->get_description());
        }
    }
    nodes.push_back(std::move(node));
    for (const auto* command : app.get_subcommands(every)) collect(*command, path + " " + command->get_name(), nodes);
}

/// Within single quotes of a shell.
std::string in_quotes(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
    return out;
}

/// The path of commands is found by walking the words: options and what is no command are passed over.
std::string bash(const std::vector<Node>& nodes) {
    std::string out = "# bash completion of weir; put it into /etc/bash_completion.d/weir, or: source <(weir completion bash)\n"
                      "_weir() {\n"
                      "    local word path=weir i\n"
                      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                      "        word=${COMP_WORDS[i]}\n"
                      "        case \"$path $word\" in\n";
    std::string known;
    for (const auto& node : nodes) {
        if (node.path != "weir") known += (known.empty() ? "" : " | ") + fmt::format("'{}'", node.path);
    }
    out += fmt::format("            {}) path=\"$path $word\" ;;\n        esac\n    done\n    case \"$path\" in\n", known);
    for (const auto& node : nodes) out += fmt::format("        '{}') word='{}' ;;\n", node.path, fmt::join(node.words, " "));
    out += "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$word\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "    if ((${#COMPREPLY[@]} == 0)); then mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"); fi\n"
           "}\n"
           "complete -F _weir weir\n";
    return out;
}

std::string zsh(const std::vector<Node>& nodes) {
    std::string out = "#compdef weir\n# zsh completion of weir; put it as _weir into a folder of $fpath\n"
                      "_weir() {\n"
                      "    local path=weir word i\n"
                      "    local -a choices\n"
                      "    for ((i = 2; i < CURRENT; i++)); do\n"
                      "        word=${words[i]}\n"
                      "        case \"$path $word\" in\n";
    std::string known;
    for (const auto& node : nodes) {
        if (node.path != "weir") known += (known.empty() ? "" : "|") + fmt::format("'{}'", node.path);
    }
    out += fmt::format("            {}) path=\"$path $word\" ;;\n        esac\n    done\n    case \"$path\" in\n", known);
    for (const auto& node : nodes) {
        std::string choices;
        for (std::size_t i = 0; i < node.words.size(); ++i) {
            auto about = node.about[i];
            std::ranges::replace(about, ':', ',');
            choices += fmt::format(" '{}:{}'", node.words[i], in_quotes(about));
        }
        out += fmt::format("        '{}') choices=({} ) ;;\n", node.path, choices);
    }
    out += "    esac\n    _describe 'weir' choices || _files\n}\n_weir \"$@\"\n";
    return out;
}

std::string fish(const std::vector<Node>& nodes) {
    std::string out = "# fish completion of weir; put it into ~/.config/fish/completions/weir.fish\n"
                      "function __weir_path\n"
                      "    set -l path weir\n"
                      "    for word in (commandline -opc)[2..]\n"
                      "        switch \"$path $word\"\n";
    std::string known;
    for (const auto& node : nodes) {
        if (node.path != "weir") known += fmt::format(" '{}'", node.path);
    }
    out += fmt::format("            case{}\n                set path \"$path $word\"\n        end\n    end\n    echo $path\nend\n", known);
    for (const auto& node : nodes) {
        for (std::size_t i = 0; i < node.words.size(); ++i) {
            const auto& word = node.words[i];
            const auto what = word.starts_with("--") ? "-l " + word.substr(2) : "-f -a " + word;
            out += fmt::format("complete -c weir -n 'test (__weir_path) = \"{}\"' {} -d '{}'\n", node.path, what, in_quotes(node.about[i]));
        }
    }
    return out;
}

}  // namespace

Done print_completion(Console& console, const CLI::App& app, const CompletionAsk& ask) {
    std::vector<Node> nodes;
    collect(app, "weir", nodes);
    if (ask.shell == "bash") console.out << bash(nodes);
    if (ask.shell == "zsh") console.out << zsh(nodes);
    if (ask.shell == "fish") console.out << fish(nodes);
    return {};
}

}  // namespace weir::cli
