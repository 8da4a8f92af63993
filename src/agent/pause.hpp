// agent/pause.hpp: the file by which a site's owner empties it, with the network down too.
//
// It answers one question: is this site to take work? The agent looks for the file; what follows is the reconciler's: nothing starts,
// running tasks are asked for a checkpoint where they can be and are stopped, and no node is offered until the file is gone.
//
//     <root>/pause        there: paused. What it says is for people: since when.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <string>

namespace weir::agent {

/// Name of the file in the site's root directory.
inline constexpr const char* pause_file = "pause";

/// What a change of the file did.
enum class PauseChange : std::uint8_t { made = 1, was_so = 2 };

[[nodiscard]] bool is_paused(const std::string& root);
/// Durable once it returns; the error says what to do.
[[nodiscard]] Result<PauseChange, std::string> pause_site(const std::string& root, Instant now);
[[nodiscard]] Result<PauseChange, std::string> resume_site(const std::string& root);

}  // namespace weir::agent
