// transport/api/data.hpp: what the routes of trees, files and outputs share. Internal to this room.
#pragma once

#include "transport/api/context.hpp"
#include "transport/api/data_words.hpp"

#include <memory>
#include <optional>
#include <string>

namespace weir::api {

/// Blobs that one answer names as lacking.
inline constexpr std::size_t lacking_max = 4'000;

/// A problem that says what a store said.
[[nodiscard]] http::Response refuse(const ports::BlobError& error, std::string_view target);
[[nodiscard]] http::Response no_data(std::string_view target);

/// The project of the path, where the actor may see it.
[[nodiscard]] Result<ProjectName, control::Refusal> project_seen(const control::State& state, const control::Actor& actor,
                                                                 std::string_view name);
/// What the state says of it; nothing kept where it was never asked for.
[[nodiscard]] const control::ProjectData& data_of(const control::State& state, const ProjectName& project);

/// Before a body is read: whether the actor may upload into the project of the path.
[[nodiscard]] Permission may_upload();

/// Why the project's store may not take so many bytes more, or nothing: twice the quota is the most that lies there, what is kept and what
/// is on its way.
[[nodiscard]] std::optional<http::Response> no_room_for(Context& context, const ProjectName& project, ports::DataStore& store,
                                                        std::int64_t more, std::string_view target);

/// The bytes of a blob, or the range of them that was asked for.
[[nodiscard]] http::Response content_of(ports::DataStore& store, const Digest& digest, const http::Request& request);

/// The tree of a manifest in the store.
[[nodiscard]] Result<Tree, http::Response> tree_in(ports::DataStore& store, const Digest& digest, std::string_view target);

}  // namespace weir::api
