#include "apps/client/job_id.hpp"

#include "apps/client/format.hpp"
#include "domain/names.hpp"

#include <fmt/format.h>

namespace weir::cli {
namespace {

constexpr std::string_view prefix = "job-";
constexpr int pages_max = 20;
constexpr std::size_t candidates_shown = 5;

std::string_view bare(std::string_view id) { return id.starts_with(prefix) ? id.substr(prefix.size()) : id; }

/// Of an id as a narrow table shows it, `job…8syk99fe8`, its end.
std::string_view end_of_cut(std::string_view written) {
    constexpr std::string_view mark = "…";
    const auto at = written.rfind(mark);
    return at == std::string_view::npos ? written : written.substr(at + mark.size());
}

Failure ambiguous(std::string_view part, const std::vector<std::string>& found) {
    std::string names;
    for (std::size_t i = 0; i < found.size() && i < candidates_shown; ++i) names += (names.empty() ? "" : ", ") + found[i];
    if (found.size() > candidates_shown) names += ", ...";
    return usage(fmt::format("'{}' means {} jobs: {}; write more of the id", part, found.size(), names));
}

}  // namespace

bool matches_id(std::string_view id, std::string_view part) {
    const auto wanted = bare(part);
    return wanted.size() >= part_of_id_min && (bare(id).starts_with(wanted) || (!part.starts_with(prefix) && id.ends_with(wanted)));
}

Result<std::string, Failure> resolve_job(Session& session, const std::string& written) {
    const std::string part{end_of_cut(written)};
    if (JobId::parse(part)) return part;
    if (bare(part).size() < part_of_id_min) {
        return fail(usage(fmt::format(
            "'{}' is too short a part of an id: it has {} characters and must have at least {}; list the ids with: weir job list", part,
            bare(part).size(), part_of_id_min)));
    }
    std::vector<std::string> found;
    std::string cursor;
    for (int page = 0; page < pages_max; ++page) {
        const auto reply = WEIR_TRY(session.get(target_of("/v1/jobs", {{"limit", "500"}, {"cursor", cursor}})));
        for (const auto& item : items_of(reply.value, "items")) {
            if (auto id = text_of(item, "id"); matches_id(id, part)) found.push_back(std::move(id));
        }
        cursor = text_of(reply.value, "next_cursor");
        if (cursor.empty()) break;
    }
    if (found.size() > 1) return fail(ambiguous(part, found));
    if (found.empty()) {
        const auto* where = cursor.empty() ? "the jobs you may see" : "the newest jobs you may see; an older one needs its whole id";
        return fail(
            Failure{.exit = Exit::not_found, .message = fmt::format("no id of a job begins or ends with '{}' among {}", part, where)});
    }
    return found.front();
}

}  // namespace weir::cli
