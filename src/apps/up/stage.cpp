#include "apps/up/stage.hpp"

#include "codec/value.hpp"
#include "apps/up/network_client.hpp"

#include <fmt/format.h>

#include <array>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::up {
namespace {

namespace fs = std::filesystem;

constexpr std::array site_names{"pidu-core", "tianfu-cloud", "mianyang-edge"};

/// Each site has a user for its root and its own range for the projects, so none can read another's.
constexpr unsigned uids_per_site = UserBlock::users / site_names.size();

}  // namespace

Result<std::string, std::string> read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) return fail(fmt::format("{} cannot be read; run this from a checkout, or name its folder with --share", path));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

bool write_file(const std::string& path, const std::string& text, unsigned mode) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (file < 0) return false;
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(file);
    return written;
}

Result<Stage, std::string> Stage::set(const StageOptions& options) {
    const char* temporary = std::getenv("TMPDIR");
    auto pattern = std::string{temporary == nullptr ? "/tmp" : temporary} + "/weir-up-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr)
        return fail(fmt::format("no directory can be made at {}; set TMPDIR to one that can be written", pattern));
    Stage stage{pattern};
    if (::geteuid() == 0) {
        auto users = UserBlock::claim();
        if (!users)
            return fail(fmt::format("{} demonstrations run on this host, or somebody holds their names (@weir-up-users-...); end one",
                                    UserBlock::blocks));
        stage.users_.emplace(*std::move(users));
    }
    // Tasks run under users of their own and must be able to pass through, not to list.
    ::chmod(pattern.c_str(), 0711);
    std::error_code error;
    const auto program = stage.path("digits");
    fs::create_directory(program, error);
    for (const auto& entry : fs::directory_iterator(options.share + "/examples/digits", error)) {
        if (entry.path().extension() == ".py") fs::copy_file(entry.path(), program / entry.path().filename(), error);
    }
    fs::copy_file(options.digits, program + "/digits.csv.gz", error);
    if (error)
        return fail(
            fmt::format("the training or its data cannot be copied ({}); ./dev up fetches the data to .weir/data", error.message()));
    for (const auto& entry : fs::recursive_directory_iterator(program)) fs::permissions(entry.path(), fs::perms{0755});
    fs::permissions(program, fs::perms{0755});
    fs::create_directory(stage.path("blobs"), error);
    for (const auto* name : site_names) {
        SiteStage site;
        site.name = name;
        site.site_yaml = WEIR_TRY(read_file(fmt::format("{}/examples/sites/{}.yaml", options.share, name)));
        site.nodes_yaml = WEIR_TRY(read_file(fmt::format("{}/examples/sites/{}.nodes.yaml", options.share, name)));
        const auto parsed = codec::read_yaml(site.site_yaml);
        if (!parsed) return fail(fmt::format("examples/sites/{}.yaml: {}", name, parsed.error().message));
        site.owner = text_at(*parsed, "owner");
        site.folder = stage.path(name);
        fs::create_directory(site.folder, error);
        ::chmod(site.folder.c_str(), 0711);
        stage.sites_.push_back(std::move(site));
    }
    return stage;
}

bool Stage::write_agent_file(const SiteStage& site, std::size_t number, const std::string& server, const std::string& token) const {
    auto text = fmt::format("site: {}\nserver: {}\ntoken_file: {}/agent.token\nroot: {}/root\nblobs: {}/blobs\nshared_paths: [{}/digits]\n"
                            "meter_slice: 1s\nobserve_ms: 50\n",
                            site.name, server, site.folder, site.folder, folder_, folder_);
    if (users_) {
        const auto owner = users_->first() + static_cast<unsigned>(number) * uids_per_site;
        text += fmt::format("owner_uid: {}\nusers: {{first: {}, count: {}}}\n", owner, owner + 1, uids_per_site - 1);
    }
    return write_file(site.folder + "/agent.token", token + "\n", 0600) &&
           write_file(site.folder + "/agent.yaml", text + site.nodes_yaml, 0600);
}

Stage::Stage(Stage&& other) noexcept
    : folder_{std::exchange(other.folder_, {})}, users_{std::move(other.users_)}, sites_{std::move(other.sites_)} {}

Stage::~Stage() {
    std::error_code error;
    if (!folder_.empty() && !kept_) fs::remove_all(folder_, error);
}

}  // namespace weir::up
