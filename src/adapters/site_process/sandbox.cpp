#include "adapters/site_process/sandbox.hpp"

#include "adapters/task_files/tool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <set>

namespace weir::site_process {

using namespace task_files;

namespace {

/// Folders of the system that are links into /usr on some hosts and folders on others.
constexpr std::array merged_folders{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

void add(std::vector<std::string>& arguments, std::initializer_list<std::string> more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
}

void add_system(std::vector<std::string>& arguments) {
    add(arguments, {"--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--ro-bind-try", "/opt", "/opt"});
    for (const std::string folder : merged_folders) {
        std::error_code error;
        if (std::filesystem::is_symlink(folder, error)) {
            add(arguments, {"--symlink", std::filesystem::read_symlink(folder, error).string(), folder});
        } else if (std::filesystem::is_directory(folder, error)) {
            add(arguments, {"--ro-bind", folder, folder});
        }
    }
}

/// The folders on the way to the bound paths. bubblewrap would make them for root alone where the bound folder itself is private.
std::set<std::string> ways_to(const std::vector<std::string>& paths) {
    constexpr std::array there{"/usr", "/etc", "/opt", "/tmp", "/var", "/var/tmp", "/dev", "/proc", "/sys"};
    std::set<std::string> ways;
    for (const auto& path : paths) {
        for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
            ways.insert(path.substr(0, slash));
    }
    for (const std::string folder : there) ways.erase(folder);
    return ways;
}

}  // namespace

std::vector<std::string> sandbox_arguments(const SandboxPlan& plan) {
    std::vector<std::string> arguments{"/usr/bin/bwrap", "--unshare-pid", "--unshare-ipc", "--as-pid-1", "--die-with-parent"};
    if (plan.as_root) add(arguments, {"--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"});
    add_system(arguments);
    add(arguments, {"--proc", "/proc", "--dev", "/dev"});
    for (const std::string folder : {"/tmp", "/var/tmp", "/dev/shm"}) add(arguments, {"--perms", "1777", "--tmpfs", folder});
    if (plan.real_cards) add(arguments, {"--ro-bind", "/sys", "/sys"});
    for (const auto& device : plan.devices) add(arguments, {"--dev-bind-try", device, device});
    // Outer paths before inner ones, or an outer one would cover what was bound within.
    auto read_only = plan.read_only;
    std::sort(read_only.begin(), read_only.end());
    for (const auto& folder : ways_to(read_only)) add(arguments, {"--perms", "0755", "--dir", folder});
    for (const auto& path : read_only) add(arguments, {"--ro-bind", path, path});
    for (const auto& folder : ways_to(plan.writable)) add(arguments, {"--perms", "0755", "--dir", folder});
    for (const auto& path : plan.writable) add(arguments, {"--bind", path, path});
    add(arguments, {"--ro-bind", plan.supervisor, init_in_sandbox, "--"});
    return arguments;
}

std::vector<std::string> device_files(ports::CardStack stack, const std::vector<std::int32_t>& cards) {
    std::vector<std::string> files;
    if (cards.empty()) return files;
    if (stack == ports::CardStack::cuda) {
        files = {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"};
        for (const auto card : cards) files.push_back(fmt::format("/dev/nvidia{}", card));
    }
    if (stack == ports::CardStack::cann) {
        files = {"/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"};
        for (const auto card : cards) files.push_back(fmt::format("/dev/davinci{}", card));
    }
    return files;
}

std::string probe_sandbox(bool as_root, const std::string& supervisor, int deadline_ms) {
    auto arguments = sandbox_arguments({.as_root = as_root, .supervisor = supervisor});
    arguments.emplace_back("/bin/true");
    const auto answer = run_tool(arguments, deadline_ms);
    if (answer.end == ToolEnd::absent) return "bubblewrap is not installed (package bubblewrap)";
    if (answer.end == ToolEnd::too_late) return fmt::format("bubblewrap did not answer within {} ms", deadline_ms);
    if (answer.exit_code != 0) return fmt::format("bubblewrap is not permitted to make namespaces here (exit {})", answer.exit_code);
    return {};
}

}  // namespace weir::site_process
