#include "apps/server/traces.hpp"

#include "adapters/views_sql/views.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <system_error>

namespace weir::server {
namespace {

constexpr std::string_view for_a_new_network = "or restore a backup into a new directory (weir-server restore); for a new network name an "
                                               "empty one";

}  // namespace

std::optional<std::string> Traces::file_of_a_server() const {
    std::error_code error;
    for (const auto* name : {"/operator.token", "/views.db"}) {
        if (std::filesystem::exists(data + name, error)) return data + name;
    }
    return std::nullopt;
}

std::optional<std::string> Traces::store_missing() const {
    const auto store = data + "/weir.db";
    std::error_code error;
    if (std::filesystem::is_directory(store, error)) {
        return fmt::format("{} is a directory where the store's file should be; --data names the directory that holds weir.db", store);
    }
    if (std::filesystem::exists(store, error)) return std::nullopt;
    if (const auto file = file_of_a_server()) {
        return fmt::format("{} is missing but {} is there: this directory had a store; bring it back, {}", store, *file, for_a_new_network);
    }
    if (!existing) return std::nullopt;
    return fmt::format("there is no store at {} and --existing asks for one; mount its disk or name the right directory", store);
}

std::optional<std::string> Traces::tail_missing(const ports::StoreIdentity& store, const ports::Head& head) const {
    const auto views = views::Views::origin_of(data + "/views.db");
    if (!views) return views.error();
    const bool ahead = *views && (*views)->store_id == store.store_id && (*views)->revision > head.revision;
    if (ahead) {
        const auto seen = (*views)->revision;
        return fmt::format(
            "{0}/weir.db ends at revision {1} but {0}/views.db was made of it up to revision {2}: {3} acknowledged events are lost, as "
            "when weir.db-wal was taken away; copy all files aside, then bring the log back beside weir.db, or restore a backup into a new "
            "directory (weir-server restore); to go on without those events, move views.db, views.db-wal and views.db-shm away",
            data, head.revision, seen, seen - head.revision);
    }
    // The first event is in the journal before any file of a server is made, so an empty journal beside one is a loss.
    if (head.revision > 0) return std::nullopt;
    const auto file = file_of_a_server();
    if (!file && !existing) return std::nullopt;
    return fmt::format("{}/weir.db is empty (revision 0) but {}: its events are lost, as when weir.db-wal was taken away; copy all files "
                       "aside, then bring the log back beside weir.db, {}",
                       data, file ? *file + " is there" : "--existing asks for a network that exists", for_a_new_network);
}

}  // namespace weir::server
