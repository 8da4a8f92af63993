// apps/up/stage.hpp: the demonstration's files: one directory that is gone afterwards, with a root of its own for each site.
#pragma once

#include "apps/up/user_block.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::up {

struct StageOptions {
    std::string share;   ///< The project's folder: catalogue/, examples/.
    std::string digits;  ///< digits.csv.gz, as ./dev fetches it.
};

struct SiteStage {
    std::string name;
    std::string owner;
    std::string site_yaml;    ///< Text of examples/sites/NAME.yaml.
    std::string nodes_yaml;   ///< Text of examples/sites/NAME.nodes.yaml.
    std::string folder;       ///< Below the stage: root/, agent.yaml, agent.log.
};

class Stage {
public:
    /// Makes the directory and copies what tasks need into it. The error says what is missing and what to do.
    [[nodiscard]] static Result<Stage, std::string> set(const StageOptions& options);
    Stage(Stage&& other) noexcept;
    Stage& operator=(Stage&&) = delete;
    ~Stage();

    /// Leaves the directory behind: its logs say what went wrong.
    void keep() { kept_ = true; }
    [[nodiscard]] bool kept() const { return kept_; }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
    [[nodiscard]] const std::vector<SiteStage>& sites() const { return sites_; }
    /// Writes the agent's file of a site.
    [[nodiscard]] bool write_agent_file(const SiteStage& site, std::size_t number, const std::string& server,
                                        const std::string& token) const;

private:
    explicit Stage(std::string folder) : folder_{std::move(folder)} {}
    std::string folder_;
    bool kept_ = false;
    std::optional<UserBlock> users_;  ///< Of root: whose tasks run under users of their own.
    std::vector<SiteStage> sites_;
};

[[nodiscard]] Result<std::string, std::string> read_file(const std::string& path);
[[nodiscard]] bool write_file(const std::string& path, const std::string& text, unsigned mode);

}  // namespace weir::up
