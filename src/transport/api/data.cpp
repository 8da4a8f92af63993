// Folders of code: their manifests, their blobs, what a project may keep. The order of an upload: the manifest first, which is answered
// with what lacks; then that, small files in bundles and large ones in pieces; then the manifest again, and the tree is kept.
#include "transport/api/data.hpp"

#include "control/core/rules.hpp"

#include <algorithm>
#include <charconv>

#include <unistd.h>

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::Refusal;
using control::RefusalCode;
using control::State;
using http::Method;

constexpr std::uint64_t piece_bytes_max = 8U << 20U;

/// An open file, read as the peer takes it.
class FileSource final : public http::BodySource {
public:
    FileSource(int file, std::int64_t from, std::int64_t length) : file_{file}, at_{from}, left_{length}, length_{length} {}
    ~FileSource() override { ::close(file_); }
    [[nodiscard]] std::optional<std::uint64_t> length() const override { return static_cast<std::uint64_t>(length_); }
    [[nodiscard]] std::optional<std::size_t> read(std::span<char> into) override {
        const auto wanted = std::min<std::int64_t>(left_, static_cast<std::int64_t>(into.size()));
        if (wanted == 0) return 0;
        const auto got = ::pread(file_, into.data(), static_cast<std::size_t>(wanted), at_);
        if (got <= 0) return std::nullopt;
        at_ += got;
        left_ -= got;
        return static_cast<std::size_t>(got);
    }

private:
    int file_;
    std::int64_t at_;
    std::int64_t left_;
    std::int64_t length_;
};

/// `bytes=FROM-` or `bytes=FROM-TO`; other ranges are passed over, as RFC 9110 permits.
struct ByteRange {
    std::int64_t from = 0;
    std::optional<std::int64_t> last{};
};
std::optional<ByteRange> range_of(std::string_view header) {
    constexpr std::string_view unit = "bytes=";
    if (!header.starts_with(unit)) return std::nullopt;
    header.remove_prefix(unit.size());
    ByteRange range;
    const auto* const end = header.data() + header.size();
    const auto [stop, error] = std::from_chars(header.data(), end, range.from);
    if (error != std::errc{} || stop == end || *stop != '-' || range.from < 0) return std::nullopt;
    if (stop + 1 == end) return range;
    std::int64_t last = 0;
    const auto [rest, bad] = std::from_chars(stop + 1, end, last);
    if (bad != std::errc{} || rest != end || last < range.from) return std::nullopt;
    range.last = last;
    return range;
}

Result<Digest, http::Response> tree_named(const http::Request& request) {
    if (const auto digest = parse_tree_name(request.parameter("tree"))) return *digest;
    return fail(refuse(400, "bad_parameter",
                       fmt::format("the tree is '{}' and must be tree- and 64 hexadecimal digits", escaped(request.parameter("tree"))),
                       request.target, "tree"));
}

Result<Digest, http::Response> blob_named(const http::Request& request) {
    if (const auto digest = Digest::parse(request.parameter("blob"))) return *digest;
    return fail(
        refuse(400, "bad_parameter",
               fmt::format("the blob is '{}' and must be the 64 hexadecimal digits of its SHA-256", escaped(request.parameter("blob"))),
               request.target, "blob"));
}

/// What a request about a project's store is answered with, once its asker and the project are known.
struct Asked {
    Actor actor;
    ProjectName project;
    std::shared_ptr<ports::DataStore> store;
};
using Work = std::function<void(Context&, Asked, http::Request, http::Reply)>;

Result<Asked, http::Response> asked_of(Context& context, const http::Request& request, Action action) {
    if (context.world.data == nullptr) return fail(no_data(request.target));
    const auto now = context.world.wall();
    auto asked = context.world.reader.ask([&](const control::Core& core) -> Result<Asked, Refusal> {
        auto actor = WEIR_TRY(actor_of(core.state, request, now));
        auto project = WEIR_TRY(project_seen(core.state, actor, request.parameter("project")));
        WEIR_CHECK(control::permit(core.state, actor, action, project));
        return Asked{std::move(actor), std::move(project), nullptr};
    });
    if (!asked) return fail(refuse(asked.error(), request.target));
    return std::move(*asked);
}

/// A handler that works with a project's store on the thread for that.
http::Handler with_store(Context& context, Action action, Work work) {
    return [&context, action, work = std::move(work)](http::Request request, http::Reply reply) {
        auto asked = asked_of(context, request, action);
        if (!asked) return reply(std::move(asked).error());
        later_with_data(context, std::move(request), std::move(reply),
                        [&context, work, asked = std::move(*asked)](http::Request again, http::Reply to) mutable {
                            auto store = context.world.data->stores().of(asked.project);
                            if (!store) return to(refuse(store.error(), again.target));
                            asked.store = std::move(*store);
                            work(context, std::move(asked), std::move(again), std::move(to));
                        });
    };
}

// ---- trees

TreeAnswer answer_of(const Digest& digest, const TreeSize& size, std::vector<ports::SizedDigest> lacking, std::uint64_t revision) {
    TreeAnswer answer;
    answer.tree = tree_name(digest);
    answer.size = size;
    answer.revision = revision;
    answer.more = lacking.size() > lacking_max;
    lacking.resize(std::min(lacking.size(), lacking_max));
    for (const auto& blob : lacking) answer.lacking.push_back({blob.digest, blob.size});
    return answer;
}

void put_tree(Context& context, Asked asked, http::Request request, http::Reply reply) {
    auto digest = tree_named(request);
    if (!digest) return reply(std::move(digest).error());
    if (const auto made = sha256(request.body); made != *digest) {
        return reply(refuse(422, "bad_value", fmt::format("the manifest is announced as {} and is {}", tree_name(*digest), tree_name(made)),
                            request.target, "tree"));
    }
    const auto tree = parse_tree(request.body);
    if (!tree) return reply(refuse(422, "bad_value", tree.error(), request.target));
    const auto size = size_of(*tree, request.body.size());
    const auto pin = std::make_shared<control::DataKeeper::Pin>(*context.world.data, asked.project);
    struct Known {
        bool kept = false;
        std::optional<Refusal> refusal{};
        std::uint64_t revision = 0;
    };
    const auto known = context.world.reader.ask([&](const control::Core& core) -> Known {
        if (data_of(core.state, asked.project).trees.contains(*digest)) return {true, {}, core.state.revision};
        return {false, control::check_quota(core.state, asked.project, size.bytes, 0), core.state.revision};
    });
    if (known.refusal) return reply(refuse(*known.refusal, request.target));
    const auto blobs = control::blobs_of(*tree);
    auto lacking = asked.store->lacking(blobs);
    if (!lacking) return reply(refuse(lacking.error(), request.target));
    if (!lacking->empty()) {
        std::int64_t wanted = 0;
        for (const auto& blob : *lacking) wanted += blob.size;
        if (auto refusal = no_room_for(context, asked.project, *asked.store, wanted, request.target)) return reply(std::move(*refusal));
        auto answer = answer_of(*digest, size, std::move(*lacking), known.revision);
        return reply(http::Response::json(200, codec::to_json(answer)));
    }
    if (const auto stored = asked.store->put_bytes(*digest, request.body); !stored) return reply(refuse(stored.error(), request.target));
    control::Request wanted{asked.actor, control::KeepTree{asked.project, *digest, size}};
    context.world.loop.submit(std::move(wanted), [reply = std::move(reply), pin, size, digest = *digest, target = request.target](
                                                     const control::Answer& answer, std::uint64_t revision) mutable {
        if (!answer) return reply(refuse(answer.error(), target));
        auto told = answer_of(digest, size, {}, revision);
        told.kept = true;
        reply(http::Response::json(answer->repeated ? 200 : 201, codec::to_json(told))
                  .with_header("Weir-Revision", std::to_string(revision)));
    });
}

void get_tree(Context&, const Asked& asked, const http::Request& request, http::Reply reply) {
    auto digest = tree_named(request);
    if (!digest) return reply(std::move(digest).error());
    auto text = asked.store->fetch_bytes(*digest, limits::tree_text_bytes_max);
    if (!text) return reply(refuse(text.error(), request.target));
    // Other blobs of the project are no trees.
    if (!parse_tree(*text)) return reply(refuse(not_found(fmt::format("there is no {}", tree_name(*digest)), "tree"), request.target));
    reply(http::Response::text(200, std::move(*text)).with_header("Cache-Control", "private, no-cache"));
}

Result<std::string, Refusal> list_trees(const View& view) {
    const auto project = WEIR_TRY(project_seen(view.state, view.actor, view.request.parameter("project")));
    const auto& data = data_of(view.state, project);
    std::map<std::string, KeptTreeItem> trees;
    for (const auto& [digest, tree] : data.trees) {
        const auto uses = view.state.tree_uses.find({project, digest});
        trees[tree_name(digest)] = {tree_name(digest), tree.size, tree.used_at, uses == view.state.tree_uses.end() ? 0 : uses->second};
    }
    return codec::to_json(page_of<KeptTreeItem>(trees, view, [](const auto&, const KeptTreeItem& item) { return std::optional{item}; }));
}

// ---- uploads

void post_bundle(Context& context, const Asked& asked, const http::Request& request, http::Reply reply) {
    BundleReader reader;
    auto read = reader.take(request.body);
    if (read) read = reader.finish();
    if (!read) return reply(refuse(422, "bad_value", read.error(), request.target));
    const auto blobs = reader.release();
    const auto bytes = static_cast<std::int64_t>(request.body.size());
    if (auto refusal = no_room_for(context, asked.project, *asked.store, bytes, request.target)) return reply(std::move(*refusal));
    if (const auto stored = asked.store->put_all(blobs); !stored) return reply(refuse(stored.error(), request.target));
    reply(http::Response::json(200, codec::to_json(BlobsTaken{static_cast<std::int64_t>(blobs.size()), bytes})));
}

std::int64_t number_of(const http::Request& request, std::string_view name) {
    return static_cast<std::int64_t>(natural(request, name).value_or(0));
}

void get_upload(Context&, const Asked& asked, const http::Request& request, http::Reply reply) {
    auto digest = blob_named(request);
    if (!digest) return reply(std::move(digest).error());
    const ports::SizedDigest blob{*digest, number_of(request, "size")};
    const auto have = asked.store->uploaded(blob);
    if (!have) return reply(refuse(have.error(), request.target));
    reply(http::Response::json(200, codec::to_json(UploadView{*digest, *have, blob.size})));
}

void put_upload(Context& context, const Asked& asked, const http::Request& request, http::Reply reply) {
    auto digest = blob_named(request);
    if (!digest) return reply(std::move(digest).error());
    const ports::SizedDigest blob{*digest, number_of(request, "size")};
    const auto offset = number_of(request, "offset");
    if (blob.size == 0)
        return reply(refuse(422, "bad_value",
                            "size is 0 or absent; say how many bytes the whole blob has, 1 or more; an empty file goes in a bundle",
                            request.target, "size"));
    const auto have = asked.store->uploaded(blob);
    if (!have) return reply(refuse(have.error(), request.target));
    if (*have != blob.size) {
        if (offset != *have) {
            return reply(refuse(409, "stale_offset",
                                fmt::format("a piece from byte {} on came of {}, of which {} of {} bytes are here; go on from there",
                                            offset, digest->text(), *have, blob.size),
                                request.target, "offset"));
        }
        const auto more = static_cast<std::int64_t>(request.body.size());
        if (more > blob.size - offset) {
            return reply(refuse(422, "bad_value", fmt::format("{} bytes from {} on came of a blob of {}", more, offset, blob.size),
                                request.target, "size"));
        }
        if (auto refusal = no_room_for(context, asked.project, *asked.store, more, request.target)) return reply(std::move(*refusal));
    }
    const auto now = asked.store->append(blob, offset, request.body);
    if (!now) return reply(refuse(now.error(), request.target));
    reply(http::Response::json(200, codec::to_json(UploadView{*digest, *now, blob.size})));
}

// ---- what is kept

Result<std::string, Refusal> show_data(const View& view) {
    const auto project = WEIR_TRY(project_seen(view.state, view.actor, view.request.parameter("project")));
    const auto& data = data_of(view.state, project);
    DataView shown;
    shown.project = project;
    shown.quota_bytes = control::quota_of(data);
    shown.kept_bytes = control::kept_bytes(data);
    shown.trees = static_cast<std::int64_t>(data.trees.size());
    for (const auto& [digest, tree] : data.trees) shown.tree_bytes += tree.size.bytes;
    if (data.files) {
        shown.files = data.files->size.files;
        shown.file_bytes = data.files->size.bytes;
    }
    shown.outputs = static_cast<std::int64_t>(data.outputs.size());
    for (const auto& [job, outputs] : data.outputs) shown.output_bytes += outputs.size.bytes;
    shown.to_erase = static_cast<std::int64_t>(data.dropped.size());
    shown.revision = view.state.revision;
    return codec::to_json(shown);
}

Result<std::string, Refusal> show_receipt(const View& view) {
    const auto project = WEIR_TRY(project_seen(view.state, view.actor, view.request.parameter("project")));
    const auto name = view.request.parameter("tree");
    const auto digest = parse_tree_name(name);
    const auto& data = data_of(view.state, project);
    ReceiptView shown;
    shown.tree = name;
    shown.revision = view.state.revision;
    if (digest && control::keeps(data, *digest)) {
        shown.state = "kept";
    } else if (const auto dropped = digest ? data.dropped.find(*digest) : data.dropped.end(); dropped != data.dropped.end()) {
        shown.state = "dropped";
        shown.reason = dropped->second.reason;
        shown.by = dropped->second.by;
        shown.dropped_at = dropped->second.dropped_at;
    } else if (const auto erased = digest ? data.erased.find(*digest) : data.erased.end(); erased != data.erased.end()) {
        shown.state = "erased";
        shown.reason = erased->second.reason;
        shown.by = erased->second.by;
        shown.dropped_at = erased->second.dropped_at;
        shown.erased_at = erased->second.erased_at;
        shown.list = erased->second.list;
        shown.copies = erased->second.copies;
        shown.journal_revision = erased->second.revision;
    } else {
        return fail(not_found(fmt::format("project {} keeps no {} and has no receipt of it", project.value, escaped(name)), "tree"));
    }
    return codec::to_json(shown);
}

}  // namespace

http::Response refuse(const ports::BlobError& error, std::string_view target) {
    if (error.fault == ports::BlobFault::not_found) return refuse(404, "not_found", error.message, target);
    if (error.fault == ports::BlobFault::damaged) return refuse(422, "damaged", error.message, target);
    auto refusal =
        refuse(503, "store_unavailable", fmt::format("the store of files did not do it now: {}; try again", error.message), target);
    refusal.headers.emplace_back("Retry-After", "5");
    return refusal;
}

http::Response no_data(std::string_view target) {
    return refuse(404, "no_data_store", "this network keeps no files: its operator starts the server with --blobs DIRECTORY", target);
}

Result<ProjectName, Refusal> project_seen(const State& state, const Actor& actor, std::string_view name) {
    const auto project = ProjectName::parse(name);
    if (project && state.projects.contains(*project) && control::may_see(state, actor, *project)) return *project;
    return fail(not_found(fmt::format("project {} is not known here; list yours with: weir project list", escaped(name)), "project"));
}

const control::ProjectData& data_of(const State& state, const ProjectName& project) {
    static const control::ProjectData none;
    const auto data = state.data.find(project);
    return data == state.data.end() ? none : data->second;
}

Permission may_upload() {
    return [](const State& state, const Actor& actor, const http::Request& request) -> Result<void, Refusal> {
        const auto project = WEIR_TRY(project_seen(state, actor, request.parameter("project")));
        return control::permit(state, actor, Action::submit, project);
    };
}

std::optional<http::Response> no_room_for(Context& context, const ProjectName& project, ports::DataStore& store, std::int64_t more,
                                          std::string_view target) {
    const auto room = store.room();
    if (!room) return refuse(room.error(), target);
    if (more > *room) {
        auto refusal = refuse(507, "disk_full",
                              fmt::format("{} bytes are to be stored and the network's store has room for {}; try again later, or tell its "
                                          "operator",
                                          more, *room),
                              target);
        refusal.headers.emplace_back("Retry-After", "60");
        return refusal;
    }
    const auto quota = context.world.reader.ask([&](const control::Core& core) { return control::quota_of(data_of(core.state, project)); });
    const auto there = context.data_sizes.of(project, store);
    if (!there) return refuse(there.error(), target);
    if (*there + more <= 2 * quota) {
        context.data_sizes.add(project, more);
        return std::nullopt;
    }
    context.data_sizes.forget(project);
    return refuse(
        429, "limit_reached",
        fmt::format("{} bytes are to be stored for project {}, of which {} lie here, kept and on their way, and {} may (twice its "
                    "quota); uploads that nothing names go after a day, or ask an operator for more",
                    more, project.value, *there, 2 * quota),
        target, "quota");
}

http::Response content_of(ports::DataStore& store, const Digest& digest, const http::Request& request) {
    const auto opened = store.open(digest);
    if (!opened) return refuse(opened.error(), request.target);
    const auto size = opened->size;
    const auto range = range_of(request.header("Range").value_or(""));
    const auto from = range ? range->from : 0;
    if (range && from >= size) {
        ::close(opened->file);
        auto refusal =
            refuse(416, "bad_range", fmt::format("bytes from {} on were asked for, and there are {}", from, size), request.target);
        refusal.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
        return refusal;
    }
    const auto last = range && range->last ? std::min(*range->last, size - 1) : size - 1;
    auto response = http::Response::pulled("application/octet-stream", std::make_unique<FileSource>(opened->file, from, last - from + 1));
    response.status = range ? 206 : 200;
    if (range) response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", from, last, size));
    response.headers.emplace_back("Accept-Ranges", "bytes");
    response.headers.emplace_back("Weir-Digest", digest.text());
    response.headers.emplace_back("Cache-Control", "private, no-cache");
    return response;
}

Result<Tree, http::Response> tree_in(ports::DataStore& store, const Digest& digest, std::string_view target) {
    const auto text = store.fetch_bytes(digest, limits::tree_text_bytes_max);
    if (!text) return fail(refuse(text.error(), target));
    auto tree = parse_tree(*text);
    if (!tree) return fail(refuse(503, "store_unavailable", tree.error(), target));
    return std::move(*tree);
}

std::vector<Endpoint> data_endpoints(Context& context) {
    using enum Parameter::Kind;
    constexpr auto bytes_most = static_cast<std::uint64_t>(limits::tree_bytes_max);
    const Parameter size{.name = "size", .kind = natural, .doc = "bytes of the whole blob", .max = bytes_most};
    std::vector<Endpoint> endpoints;
    endpoints.push_back({.method = Method::put,
                         .pattern = "/v1/projects/{project}/trees/{tree}",
                         .name = "keep_tree",
                         .summary = "Sends the manifest of a folder: says which files lack, or keeps it where none does",
                         .body_type = "text/plain",
                         .answer = schema_of<TreeAnswer>,
                         .success = 201,
                         .problems = {403, 404, 415, 429, 507},
                         .max_body = limits::tree_text_bytes_max,
                         .reply_within = seconds(300),
                         .handler = with_store(context, Action::submit, put_tree),
                         .allowed = may_upload()});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/projects/{project}/trees/{tree}",
                         .name = "get_tree",
                         .summary = "The manifest of a folder",
                         .answer_type = "text/plain",
                         .problems = {403, 404, 422},
                         .handler = with_store(context, Action::see_project, get_tree)});
    endpoints.push_back(listing<KeptTreeItem>(context,
                                              {.method = Method::get,
                                               .pattern = "/v1/projects/{project}/trees",
                                               .name = "list_trees",
                                               .summary = "Folders of code that a project keeps",
                                               .problems = {403, 404}},
                                              list_trees));
    endpoints.push_back(
        {.method = Method::del,
         .pattern = "/v1/projects/{project}/trees/{tree}",
         .name = "remove_tree",
         .summary = "Removes a folder that no live job begins in",
         .answer = schema_of<Made>,
         .problems = {403, 404, 429},
         .handler = changing_without_body(context, [](const Actor&, const http::Request& request) -> Result<Change, http::Response> {
             const auto digest = tree_named(request);
             if (!digest)
                 return fail(refuse(400, "bad_parameter", "the tree must be tree- and 64 hexadecimal digits", request.target, "tree"));
             return Change{control::RemoveTree{ProjectName{std::string{request.parameter("project")}}, *digest}, {}, {}, {}};
         })});
    endpoints.push_back({.method = Method::post,
                         .pattern = "/v1/projects/{project}/blobs",
                         .name = "upload_blobs",
                         .summary = "Stores many small files at once (docs/reference/api.md: bundles)",
                         .body_type = "application/octet-stream",
                         .answer = schema_of<BlobsTaken>,
                         .problems = {403, 404, 415, 429, 507},
                         .max_body = limits::bundle_bytes_max,
                         .reply_within = seconds(120),
                         .handler = with_store(context, Action::submit, post_bundle),
                         .allowed = may_upload()});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/projects/{project}/uploads/{blob}",
                         .name = "get_upload",
                         .summary = "How far the upload of a large file has come",
                         .query = {size},
                         .answer = schema_of<UploadView>,
                         .problems = {403, 404, 422},
                         .handler = with_store(context, Action::submit, get_upload)});
    endpoints.push_back(
        {.method = Method::put,
         .pattern = "/v1/projects/{project}/uploads/{blob}",
         .name = "put_upload",
         .summary = "Goes on with the upload of a large file from where it broke off; the last piece makes it whole",
         .query = {size, {.name = "offset", .kind = natural, .doc = "where in the blob the body begins", .max = bytes_most}},
         .body_type = "application/octet-stream",
         .answer = schema_of<UploadView>,
         .problems = {403, 404, 415, 429, 507},
         .max_body = piece_bytes_max,
         .reply_within = seconds(300),
         .handler = with_store(context, Action::submit, put_upload),
         .allowed = may_upload()});
    endpoints.push_back(showing<DataView>(context,
                                          {.method = Method::get,
                                           .pattern = "/v1/projects/{project}/data",
                                           .name = "get_data",
                                           .summary = "What a project keeps with the network, and may keep",
                                           .problems = {403, 404}},
                                          show_data));
    endpoints.push_back(setting<DataQuotaForm>(
        context,
        {.pattern = "/v1/projects/{project}/data",
         .name = "set_data_quota",
         .summary = "Sets what a project may keep",
         .problems = {403, 404}},
        [](const Actor&, const http::Request& request, const DataQuotaForm& form) -> Result<Change, http::Response> {
            return Change{control::SetDataQuota{ProjectName{std::string{request.parameter("project")}}, form.quota_bytes},
                          codec::to_json(form), {}, {}};
        }));
    endpoints.push_back(showing<ReceiptView>(context,
                                             {.method = Method::get,
                                              .pattern = "/v1/projects/{project}/receipts/{tree}",
                                              .name = "get_receipt",
                                              .summary = "Whether a tree is kept, or the receipt that its files were removed",
                                              .problems = {403, 404}},
                                             show_receipt));
    return endpoints;
}

}  // namespace weir::api
