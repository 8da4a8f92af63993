#include "apps/client/job_file.hpp"

#include "apps/client/format.hpp"
#include "codec/bare_lengths.hpp"
#include "codec/decode.hpp"
#include "codec/encode.hpp"
#include "domain/job.hpp"
#include "domain/length_fields.hpp"
#include "domain/limits.hpp"
#include "domain/tree.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace weir::cli {

Result<JobFile, Failure> read_job_file(const Console& console, const std::string& path, const std::vector<std::string>& funding) {
    JobFile job{WEIR_TRY(read_source(console, path)), {}, {}};
    if (const auto flaws = codec::bare_lengths(job.source.value, job_length_fields, job.source.origin); !flaws.empty())
        return fail(failure_of(flaws));
    auto spec = codec::decode<JobSpec>(job.source.value, job.source.origin);
    if (!spec) return fail(failure_of(spec.error()));
    if (!funding.empty()) spec->funding.clear();
    for (const auto& text : funding) {
        using Form = codec::Custom<FundingSource>;
        const auto source = Form::parse(text);
        if (!source) return fail(usage(fmt::format("--funding is '{}' and must be {}", text, Form::expected)));
        spec->funding.push_back(*source);
    }
    job.spec = std::move(*spec);
    if (job.spec.workdir && !parse_tree_name(*job.spec.workdir)) {
        // Beside the file that names it; what comes by standard input names it from here.
        const auto beside = path == "-" ? std::filesystem::path{} : std::filesystem::path{path}.parent_path();
        job.workdir = (beside / *job.spec.workdir).string();
    }
    return job;
}

Done check_job(const JobFile& job, const codec::Value& catalogue) {
    const auto spec = codec::decode<JobSpec>(job.source.value, job.source.origin);
    if (!spec) return fail(failure_of(spec.error()));
    // Only the names count here; the figures are the server's business.
    Catalogue known;
    for (const auto& item : items_of(catalogue, "items")) {
        Accelerator accelerator;
        accelerator.model = text_of(item, "model");
        known.emplace(accelerator.model, accelerator);
    }
    codec::Problems problems;
    for (const auto& flaw : flaws(*spec, known)) {
        const auto at = place_of(job.source.value, flaw.path);
        problems.push_back({job.source.origin, flaw.path, at.line, at.column, codec::Fault::out_of_range, flaw.message});
    }
    if (!problems.empty()) return fail(failure_of(problems));
    return {};
}

}  // namespace weir::cli
