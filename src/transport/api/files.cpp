// Named files: those of a project, which people put and remove, and the outputs of a job, which its program published.
#include "transport/api/data.hpp"

#include <algorithm>
#include <map>

namespace weir::api {
namespace {

using control::Action;
using control::Actor;
using control::Refusal;
using control::State;
using http::Method;

/// How often a change is tried again that another one overtook.
constexpr int attempts_max = 5;

/// What a request about files asks of.
struct Source {
    Actor actor;
    ProjectName project;
    std::optional<Digest> tree;
    std::uint64_t revision = 0;
    std::optional<OutputsView> outputs{};
};
using Find = std::function<Result<Source, Refusal>(const State&, const Actor&, const http::Request&)>;

Result<Source, Refusal> files_of(const State& state, const Actor& actor, const http::Request& request) {
    auto project = WEIR_TRY(project_seen(state, actor, request.parameter("project")));
    const auto& files = data_of(state, project).files;
    return Source{actor, project, files ? std::optional{files->tree} : std::nullopt, state.revision};
}

/// What is known of a job's outputs; a live job that has left none yet has an empty list.
OutputsView view_of(const control::StoredOutputs* stored, const control::LiveJob* job) {
    OutputsView view;
    if (stored != nullptr) {
        view.generation = stored->generation;
        view.whole = stored->name == outputs_final;
        view.stored_at = stored->stored_at;
        view.keep_until = stored->keep_until;
        view.keep = stored->retention;
    }
    if (job != nullptr && job->outputs_refused) {
        const auto& refused = *job->outputs_refused;
        view.refused = OutputsRefusedView{refused.fault, refused.bytes, refused.bytes_max};
    }
    return view;
}

Result<Source, Refusal> outputs_of(const State& state, const Actor& actor, const http::Request& request) {
    const auto text = request.parameter("job");
    const auto id = JobId::parse(text);
    const auto live = id ? state.jobs.find(*id) : state.jobs.end();
    const auto* job = live == state.jobs.end() ? nullptr : &live->second;
    for (auto data = state.data.begin(); id && data != state.data.end(); ++data) {
        const auto outputs = data->second.outputs.find(*id);
        if (outputs == data->second.outputs.end() || !control::may_see(state, actor, data->first)) continue;
        return Source{actor, data->first, outputs->second.tree, state.revision, view_of(&outputs->second, job)};
    }
    if (job != nullptr && control::may_see(state, actor, job->project))
        return Source{actor, job->project, std::nullopt, state.revision, view_of(nullptr, job)};
    return fail(
        not_found(fmt::format("no outputs of {} are kept here: it left none, its file has keep: 0s, they were refused (its events say "
                              "so), or their time is over",
                              escaped(text)),
                  "job"));
}

/// Answers on the thread of the store, with the tree that the request is about.
http::Handler with_tree(Context& context, Find find,
                        std::function<http::Response(ports::DataStore&, const Source&, const Tree&, const http::Request&)> answer) {
    return [&context, find = std::move(find), answer = std::move(answer)](http::Request request, http::Reply reply) {
        if (context.world.data == nullptr) return reply(no_data(request.target));
        const auto now = context.world.wall();
        auto source = context.world.reader.ask([&](const control::Core& core) -> Result<Source, Refusal> {
            const auto actor = WEIR_TRY(actor_of(core.state, request, now));
            return find(core.state, actor, request);
        });
        if (!source) return reply(refuse(source.error(), request.target));
        later_with_data(context, std::move(request), std::move(reply),
                        [&context, answer, source = std::move(*source)](const http::Request& again, http::Reply to) {
                            const auto store = context.world.data->stores().of(source.project);
                            if (!store) return to(refuse(store.error(), again.target));
                            auto tree = source.tree ? tree_in(**store, *source.tree, again.target) : Result<Tree, http::Response>{Tree{}};
                            if (!tree) return to(std::move(tree).error());
                            to(answer(**store, source, *tree, again));
                        });
    };
}

FileItem item_of(const TreeEntry& entry) {
    if (entry.is_link()) return {entry.path, "link", 0, std::nullopt, entry.target};
    return {entry.path, entry.kind == EntryKind::executable ? "executable" : "file", entry.size, entry.digest, std::nullopt};
}

http::Response list_files(ports::DataStore&, const Source& source, const Tree& tree, const http::Request& request) {
    const auto prefix = word(request, "prefix");
    const auto cursor = from_cursor(request);
    const auto limit = page_limit(request);
    FileList page;
    page.revision = source.revision;
    page.outputs = source.outputs;
    if (source.tree) page.tree = tree_name(*source.tree);
    page.size = size_of(tree, 0);
    auto at = std::ranges::lower_bound(tree.entries, cursor ? *cursor : std::string{prefix}, {}, &TreeEntry::path);
    if (cursor && at != tree.entries.end() && at->path == *cursor) ++at;
    for (; at != tree.entries.end() && at->path.starts_with(prefix); ++at) {
        if (page.items.size() == limit) {
            page.next_cursor = cursor_of(request, page.items.back().path);
            break;
        }
        page.items.push_back(item_of(*at));
    }
    return show(codec::to_json(page), source.revision, request);
}

http::Response get_file(ports::DataStore& store, const Source&, const Tree& tree, const http::Request& request) {
    const auto path = request.parameter("path");
    const auto* entry = find(tree, path);
    if (entry == nullptr)
        return refuse(not_found(fmt::format("there is no file '{}'; list them first", escaped(path)), "path"), request.target);
    if (entry->is_link()) {
        return refuse(422, "bad_value", fmt::format("'{}' is a link to '{}'; ask for that", escaped(path), escaped(entry->target)),
                      request.target, "path");
    }
    auto response = content_of(store, entry->digest, request);
    if (entry->kind == EntryKind::executable) response.headers.emplace_back("Weir-Executable", "true");
    return response;
}

// ---- changes of a project's files

struct Changed {
    Tree tree;
    std::int64_t put = 0;
    std::int64_t removed = 0;
};

/// The tree with the change made; an error in words where it cannot be.
Result<Changed, std::string> changed(const Tree& before, const FilesForm& form) {
    std::map<std::string, TreeEntry, std::less<>> entries;
    for (const auto& entry : before.entries) entries.emplace(entry.path, entry);
    Changed made;
    for (const auto& path : form.remove) {
        if (path.ends_with('/')) {
            made.removed += static_cast<std::int64_t>(std::erase_if(entries, [&](const auto& one) { return one.first.starts_with(path); }));
        } else {
            made.removed += static_cast<std::int64_t>(entries.erase(path));
        }
    }
    for (const auto& file : form.put) {
        const auto kind = file.executable ? EntryKind::executable : EntryKind::file;
        entries.insert_or_assign(file.path, TreeEntry{file.path, kind, file.size, file.digest, {}});
        ++made.put;
    }
    std::vector<TreeEntry> all;
    for (auto& [path, entry] : entries) all.push_back(std::move(entry));
    made.tree = WEIR_TRY(make_tree(std::move(all)));
    return made;
}

struct FilesChange {
    Source source;
    FilesForm form;
    std::string target;
    http::Reply reply;
    std::shared_ptr<control::DataKeeper::Pin> pin{};
    int attempts = 0;
};

void change_files(Context& context, const std::shared_ptr<FilesChange>& change);

void submit_change(Context& context, const std::shared_ptr<FilesChange>& change, std::optional<Digest> tree, TreeSize size,
                   FilesChanged told) {
    control::Request wanted{change->source.actor, control::SetFiles{change->source.project, change->source.tree, tree, size}};
    context.world.loop.submit(std::move(wanted), [&context, change, told = std::move(told)](const control::Answer& answer,
                                                                                            std::uint64_t revision) mutable {
        if (answer) {
            told.revision = revision;
            return change->reply(http::Response::json(200, codec::to_json(told)).with_header("Weir-Revision", std::to_string(revision)));
        }
        if (answer.error().code != control::RefusalCode::already_exists_different || ++change->attempts == attempts_max)
            return change->reply(refuse(answer.error(), change->target));
        change->source.tree = context.world.reader.ask([&](const control::Core& core) -> std::optional<Digest> {
            const auto& files = data_of(core.state, change->source.project).files;
            return files ? std::optional{files->tree} : std::nullopt;
        });
        const auto posted = context.data_worker.post(change->source.actor.text(), [&context, change] { change_files(context, change); });
        if (posted != Worker::Posted::taken) change->reply(refuse(answer.error(), change->target));
    });
}

void change_files(Context& context, const std::shared_ptr<FilesChange>& change) {
    const auto store = context.world.data->stores().of(change->source.project);
    if (!store) return change->reply(refuse(store.error(), change->target));
    auto before = change->source.tree ? tree_in(**store, *change->source.tree, change->target) : Result<Tree, http::Response>{Tree{}};
    if (!before) return change->reply(std::move(before).error());
    const auto after = changed(*before, change->form);
    if (!after) return change->reply(refuse(422, "bad_value", after.error(), change->target, "put"));
    FilesChanged told;
    told.put = after->put;
    told.removed = after->removed;
    auto lacking = (*store)->lacking(control::blobs_of(after->tree));
    if (!lacking) return change->reply(refuse(lacking.error(), change->target));
    if (!lacking->empty()) {
        lacking->resize(std::min(lacking->size(), lacking_max));
        for (const auto& blob : *lacking) told.lacking.push_back({blob.digest, blob.size});
        told.put = 0;
        told.removed = 0;
        return change->reply(http::Response::json(200, codec::to_json(told)));
    }
    if (after->tree.entries.empty()) return submit_change(context, change, std::nullopt, {}, std::move(told));
    const auto text = tree_text(after->tree);
    const auto digest = sha256(text);
    if (const auto stored = (*store)->put_bytes(digest, text); !stored) return change->reply(refuse(stored.error(), change->target));
    told.tree = tree_name(digest);
    told.size = size_of(after->tree, text.size());
    submit_change(context, change, digest, told.size, std::move(told));
}

void post_files(Context& context, http::Request request, http::Reply reply) {
    if (context.world.data == nullptr) return reply(no_data(request.target));
    const auto now = context.world.wall();
    auto source = context.world.reader.ask([&](const control::Core& core) -> Result<Source, Refusal> {
        const auto actor = WEIR_TRY(actor_of(core.state, request, now));
        auto found = WEIR_TRY(files_of(core.state, actor, request));
        WEIR_CHECK(control::permit(core.state, actor, Action::submit, found.project));
        return found;
    });
    if (!source) return reply(refuse(source.error(), request.target));
    auto form = decode_body<FilesForm>(request);
    if (!form) return reply(std::move(form).error());
    later_with_data(context, std::move(request), std::move(reply),
                    [&context, source = std::move(*source), form = std::move(*form)](const http::Request& again, http::Reply to) mutable {
                        auto pin = std::make_shared<control::DataKeeper::Pin>(*context.world.data, source.project);
                        change_files(context, std::make_shared<FilesChange>(FilesChange{std::move(source), std::move(form), again.target,
                                                                                        std::move(to), std::move(pin)}));
                    });
}

}  // namespace

std::vector<Endpoint> file_endpoints(Context& context) {
    const Parameter prefix{.name = "prefix", .doc = "only paths that begin so"};
    std::vector<Endpoint> endpoints;
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/projects/{project}/files",
                         .name = "list_files",
                         .summary = "Files of a project, by path",
                         .query = {prefix, limit_parameter, cursor_parameter},
                         .answer = schema_of<FileList>,
                         .problems = {403, 404},
                         .handler = with_tree(context, files_of, list_files)});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/projects/{project}/files/{path...}",
                         .name = "get_file",
                         .summary = "The bytes of a file of a project, or a range of them",
                         .answer_type = "application/octet-stream",
                         .problems = {403, 404, 416, 422},
                         .handler = with_tree(context, files_of, get_file)});
    endpoints.push_back({.method = Method::post,
                         .pattern = "/v1/projects/{project}/files",
                         .name = "change_files",
                         .summary = "Puts and removes files of a project, all of it or nothing; their blobs are uploaded before",
                         .body = schema_of<FilesForm>,
                         .answer = schema_of<FilesChanged>,
                         .problems = {403, 404, 429},
                         .max_body = 8U << 20U,
                         .reply_within = seconds(120),
                         .handler = [&context](http::Request request, http::Reply reply) {
                             post_files(context, std::move(request), std::move(reply));
                         },
                         .allowed = may_upload()});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/jobs/{job}/outputs",
                         .name = "list_outputs",
                         .summary = "What a job left of its outputs until now, by path",
                         .query = {prefix, limit_parameter, cursor_parameter},
                         .answer = schema_of<FileList>,
                         .problems = {403, 404},
                         .handler = with_tree(context, outputs_of, list_files)});
    endpoints.push_back({.method = Method::get,
                         .pattern = "/v1/jobs/{job}/outputs/{path...}",
                         .name = "get_output",
                         .summary = "The bytes of one output of a job, or a range of them",
                         .answer_type = "application/octet-stream",
                         .problems = {403, 404, 416, 422},
                         .handler = with_tree(context, outputs_of, get_file)});
    endpoints.push_back(
        {.method = Method::del,
         .pattern = "/v1/jobs/{job}/outputs",
         .name = "remove_outputs",
         .summary = "Removes the outputs of a job that is over before their time",
         .answer = schema_of<Made>,
         .problems = {403, 404, 429},
         .handler = changing_without_body(context, [](const Actor&, const http::Request& request) -> Result<Change, http::Response> {
             const auto id = JobId::parse(request.parameter("job"));
             if (!id) return fail(refuse(not_found(fmt::format("no outputs of {} are kept here", escaped(request.parameter("job"))), "job"),
                                         request.target));
             return Change{control::RemoveOutputs{*id}, {}, {}, {}};
         })});
    return endpoints;
}

}  // namespace weir::api
