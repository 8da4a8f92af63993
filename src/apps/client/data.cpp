// Files of a project and outputs of jobs: put, get, ls, rm; and what a project keeps in all.
#include "apps/client/format.hpp"
#include "apps/client/job_id.hpp"
#include "apps/client/object.hpp"
#include "apps/client/progress.hpp"
#include "apps/client/send.hpp"
#include "apps/client/table.hpp"
#include "apps/client/upload.hpp"
#include "codec/text.hpp"
#include "base/time.hpp"
#include "domain/names.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t files_of_a_change = 2'000;
constexpr int breaks_max = 8;
constexpr std::size_t list_max = 1'000'000;
constexpr int changes_max = 8;  ///< How often a file that changes while it is fetched is asked for anew.

/// Where a name of a file leads: the whole id of a job, or `JOB:PATH`, into its outputs; anything else into the files of the project.
struct Remote {
    std::string base;  ///< Path of the list.
    std::string path;
    bool is_job = false;
};

/// Slashes stay; all else that a path of the API cannot have is encoded.
std::string encoded(std::string_view path) {
    std::string out;
    while (true) {
        const auto slash = path.find('/');
        out += http::percent_encode(path.substr(0, slash));
        if (slash == std::string_view::npos) return out;
        out += '/';
        path.remove_prefix(slash + 1);
    }
}

Result<Remote, Failure> remote_of(Session& session, const std::string& project, const std::string& name) {
    if (JobId::parse(name)) return Remote{fmt::format("/v1/jobs/{}/outputs", name), {}, true};
    const auto colon = name.find(':');
    if (colon != std::string::npos && name.find('/') > colon) {
        const auto job = WEIR_TRY(resolve_job(session, name.substr(0, colon)));
        auto path = name.substr(colon + 1);
        // What the job called its folder of outputs is what they are in.
        if (path == "outputs" || path.starts_with("outputs/")) path.erase(0, std::min<std::size_t>(path.size(), 8));
        return Remote{fmt::format("/v1/jobs/{}/outputs", job), std::move(path), true};
    }
    const auto mine = WEIR_TRY(project_of(session, project));
    return Remote{fmt::format("/v1/projects/{}/files", mine), name, false};
}

class Fd {
public:
    explicit Fd(int fd) : fd_{fd} {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_;
};

Failure cannot(std::string_view what, const std::string& path) {
    return usage(fmt::format("cannot {} {}: {}", what, visible(path), std::strerror(errno)));
}

std::optional<Digest> digest_of_file(int file) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    std::vector<char> room(std::size_t{1} << 20);
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return std::nullopt;
    for (off_t at = 0;;) {
        const auto got = ::pread(file, room.data(), room.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        EVP_DigestUpdate(context.get(), room.data(), static_cast<std::size_t>(got));
        at += got;
    }
    Digest digest;
    EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr);
    return digest;
}

/// What is on disk of a download, and what it must become.
struct Download {
    std::string target;    ///< Of the API.
    std::string path;      ///< Here.
    Digest digest;
    std::int64_t size = 0;
    bool executable = false;
};

/// Goes on where an earlier download of the same bytes broke off; under its name only once it is whole and has its digest.
Done download(Session& session, const Download& wanted) {
    const auto part = fmt::format("{}.{}.part", wanted.path, wanted.digest.text().substr(0, 16));
    const Fd file{::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return fail(cannot("write", part));
    struct stat facts{};
    if (::fstat(file.get(), &facts) != 0) return fail(cannot("look at", part));
    auto have = facts.st_size > wanted.size ? 0 : facts.st_size;
    if (have != facts.st_size && ::ftruncate(file.get(), have) != 0) return fail(cannot("empty", part));
    for (int breaks = 0; have < wanted.size;) {
        http::Call call;
        call.target = wanted.target;
        call.headers.emplace_back("Range", fmt::format("bytes={}-", have));
        const auto before = have;
        bool written = true;
        const auto answer = session.client().download(std::move(call), {.on_head = {}, .on_piece = [&](std::string_view piece) {
                                                                            written = ::pwrite(file.get(), piece.data(), piece.size(),
                                                                                               have) == std::ssize(piece);
                                                                            if (written) have += std::ssize(piece);
                                                                            return written && have <= wanted.size;
                                                                        }});
        if (!written) return fail(cannot("write", part));
        if (answer && !answer->ok()) return fail(failure_of(*answer, false));
        if (have >= wanted.size) break;
        breaks = have > before ? 0 : breaks + 1;
        if (breaks > breaks_max) {
            return fail(answer ? Failure{.exit = Exit::unreachable, .message = fmt::format("{} broke off at byte {}", wanted.path, have)}
                               : failure_of(answer.error(), session.server(), false));
        }
        session.console().sleep(first_delay);
    }
    const auto made = digest_of_file(file.get());
    if (made != wanted.digest) {
        ::unlink(part.c_str());
        return fail(Failure{.exit = Exit::refused,
                            .message = fmt::format("{} came with other bytes than its digest {} says; get it again", wanted.path,
                                                   wanted.digest.text())});
    }
    if (::fchmod(file.get(), wanted.executable ? 0755 : 0644) != 0 || ::rename(part.c_str(), wanted.path.c_str()) != 0)
        return fail(cannot("name", wanted.path));
    return {};
}

/// The items of a list, each once.
Result<std::vector<codec::Value>, Failure> files_at(Session& session, const Remote& remote) {
    std::vector<codec::Value> found;
    PageWalk pages;
    for (bool more = true; more && found.size() < list_max;) {
        const auto page =
            WEIR_TRY(session.get(target_of(remote.base, {{"prefix", remote.path}, {"limit", "500"}, {"cursor", pages.cursor()}})));
        for (const auto& item : items_of(page.value, "items")) found.push_back(item);
        more = WEIR_TRY(pages.go_on(page));
    }
    return found;
}

std::string file_json(const TreeEntry& entry, const std::string& path) {
    return Object{}
        .text("path", path)
        .text("digest", entry.digest.text())
        .number("size", entry.size)
        .raw("executable", entry.kind == EntryKind::executable ? "true" : "false")
        .json();
}

/// Sends one change, and before it what lacks for it.
Done change_files(Session& session, const std::string& project, const Packed& packed, const std::string& body) {
    Uploader uploader{session, project, packed};
    while (true) {
        const auto reply = WEIR_TRY(session.change(http::Method::post, fmt::format("/v1/projects/{}/files", project), body));
        const auto& lacking = items_of(reply.value, "lacking");
        if (lacking.empty()) return {};
        const auto before = uploader.sent().blobs;
        WEIR_CHECK(uploader.send(lacking));
        if (uploader.sent().blobs == before)
            return fail(Failure{.exit = Exit::refused, .message = "the server says that files lack and takes none"});
    }
}

}  // namespace

Done put_files(Session& session, const PutAsk& ask) {
    std::error_code error;
    const bool is_folder = fs::is_directory(ask.source, error);
    auto to = ask.to.empty() ? fs::absolute(ask.source, error).lexically_normal().filename().string() : ask.to;
    if (!is_folder && to.ends_with('/')) to += fs::path{ask.source}.filename().string();
    const auto project = WEIR_TRY(project_of(session, ask.project));
    const auto packed = WEIR_TRY(is_folder ? pack(ask.source, memory_of(session.console(), ask.source)) : pack_file(ask.source));
    while (to.ends_with('/')) to.pop_back();
    Progress progress{session.console(), "putting " + ask.source};
    std::string list;
    std::size_t count = 0;
    const auto flush = [&]() -> Done {
        if (count == 0) return {};
        WEIR_CHECK(change_files(session, project, packed, fmt::format(R"({{"put":[{}]}})", list)));
        list.clear();
        count = 0;
        return {};
    };
    for (const auto& entry : packed.tree.entries) {
        if (entry.is_link())
            return fail(usage(fmt::format("'{}' is a link, which is not put; put what it points to", visible(entry.path))));
        const auto path = !is_folder ? to : to.empty() || to == "." ? entry.path : to + "/" + entry.path;
        if (auto fault = path_fault(path)) return fail(usage(fmt::format("'{}' {}", escaped(path), *fault)));
        list += (list.empty() ? "" : ",") + file_json(entry, path);
        if (++count == files_of_a_change) WEIR_CHECK(flush());
    }
    WEIR_CHECK(flush());
    session.console().out << fmt::format("{} files put\n", packed.tree.entries.size());
    return {};
}

namespace {

/// What is fetched, and where to.
struct Wanted {
    Remote remote;
    std::string name;
    std::string to;
};

Result<Wanted, Failure> wanted_of(Session& session, const GetAsk& ask) {
    auto words = ask.words;
    if (words.size() > 1 && JobId::parse(words[0])) {
        words[0] += ":" + words[1];
        words.erase(words.begin() + 1);
    }
    if (words.size() > 2)
        return fail(usage(fmt::format("'{}' is one word too many: name a file, and where to", visible(words.back()))));
    return Wanted{WEIR_TRY(remote_of(session, ask.project, words[0])), words[0], words.size() > 1 ? words[1] : std::string{}};
}

/// The file under this path now, where it is another than it was listed as: a job that runs goes on.
std::optional<codec::Value> changed_since(Session& session, const Remote& remote, const codec::Value& item) {
    const auto path = text_of(item, "path");
    const auto now = files_at(session, Remote{remote.base, path, remote.is_job});
    if (!now) return std::nullopt;
    for (const auto& one : *now) {
        if (text_of(one, "path") == path && text_of(one, "digest") != text_of(item, "digest")) return one;
    }
    return std::nullopt;
}

}  // namespace

Done get_files(Session& session, const GetAsk& ask) {
    const auto wanted = WEIR_TRY(wanted_of(session, ask));
    const auto& remote = wanted.remote;
    const auto items = WEIR_TRY(files_at(session, remote));
    const bool whole_folder = remote.path.empty() || remote.path.ends_with('/');
    std::error_code error;
    std::size_t got = 0;
    for (auto item : items) {
        const auto path = text_of(item, "path");
        const bool below = path.starts_with(remote.path + "/");
        if (!whole_folder && path != remote.path && !below) continue;
        if (text_of(item, "kind") == "link") continue;
        if (path_fault(path))
            return fail(Failure{.exit = Exit::refused, .message = fmt::format("the server names the file '{}'", escaped(path))});
        const auto digest = Digest::parse(text_of(item, "digest"));
        if (!digest) return fail(Failure{.exit = Exit::refused, .message = "the server gives a file without a digest"});
        fs::path here;
        if (path == remote.path) {
            const auto name = fs::path{path}.filename();
            here = wanted.to.empty() ? name : fs::is_directory(wanted.to, error) ? fs::path{wanted.to} / name : fs::path{wanted.to};
        } else {
            const auto cut = whole_folder ? remote.path.size() : remote.path.size() + 1;
            here = fs::path{wanted.to.empty() ? "." : wanted.to} / path.substr(cut);
            fs::create_directories(here.parent_path(), error);
        }
        const auto fetch = [&] {
            return download(session, {fmt::format("{}/{}", remote.base, encoded(path)), here.string(),
                                      *Digest::parse(text_of(item, "digest")), integer_of(item, "size"),
                                      text_of(item, "kind") == "executable"});
        };
        auto done = fetch();
        for (int i = 0; !done && remote.is_job && i < changes_max; ++i) {
            auto now = changed_since(session, remote, item);
            if (!now || !Digest::parse(text_of(*now, "digest"))) break;
            item = std::move(*now);
            done = fetch();
        }
        WEIR_CHECK(done);
        ++got;
    }
    if (got == 0)
        return fail(Failure{.exit = Exit::not_found,
                            .message = fmt::format("there is no file '{}'; list them with: weir ls", visible(wanted.name))});
    session.console().out << fmt::format("{} {} got\n", got, got == 1 ? "file" : "files");
    return {};
}

namespace {

/// Until when a job's outputs are kept, and whether they are whole.
Done tell_of_outputs(Session& session, const Remote& remote) {
    const auto page = WEIR_TRY(session.get(target_of(remote.base, {{"limit", "1"}})));
    const auto* outputs = page.value.find("outputs");
    if (outputs == nullptr) return {};
    auto& out = session.console().out;
    if (!text_of(*outputs, "keep_until").empty()) {
        out << fmt::format("kept until {}\n", zoned_time_of(session.console(), *outputs, "keep_until"));
    } else if (!text_of(*outputs, "stored_at").empty()) {
        out << fmt::format("as of {}, generation {}; the job is not over, and they are kept for {} after its end\n",
                           zoned_time_of(session.console(), *outputs, "stored_at"), integer_of(*outputs, "generation"),
                           format_duration(seconds(integer_of(*outputs, "keep"))));
    } else {
        out << "nothing yet; the job is not over\n";
    }
    const auto* refused = outputs->find("refused");
    if (refused == nullptr || text_of(*refused, "fault").empty()) return {};
    out << fmt::format("what it leaves now is not kept ({}): it has {} bytes, and {} could be kept\n", text_of(*refused, "fault"),
                       integer_of(*refused, "bytes"), integer_of(*refused, "bytes_max"));
    return {};
}

}  // namespace

Done list_files(Session& session, const FilesAsk& ask) {
    const auto remote = WEIR_TRY(remote_of(session, ask.project, ask.name));
    Table table{{{.title = "SIZE", .align = Align::right}, {.title = "KIND"}, {.title = "PATH"}}};
    WEIR_CHECK(each_item(session, remote.base, {{"prefix", remote.path}}, ask.most, [&](const codec::Value& item) {
        const auto target = text_of(item, "target");
        table.add({bytes_text(static_cast<std::uint64_t>(integer_of(item, "size"))), text_of(item, "kind"),
                   visible(text_of(item, "path")) + (target.empty() ? "" : " -> " + visible(target))});
    }));
    print(session, table);
    return remote.is_job && !session.json() ? tell_of_outputs(session, remote) : Done{};
}

Done remove_files(Session& session, const RemoveAsk& ask) {
    for (const auto& name : ask.names) {
        if (const auto digest = parse_tree_name(name)) {
            const auto project = WEIR_TRY(project_of(session, ask.project));
            WEIR_CHECK(send(session, http::Method::del, fmt::format("/v1/projects/{}/trees/{}", project, name), {}, "removed"));
            continue;
        }
        const auto remote = WEIR_TRY(remote_of(session, ask.project, name));
        if (remote.is_job) {
            if (!remote.path.empty())
                return fail(usage(
                    fmt::format("the outputs of a job are removed together: weir rm {}", visible(name.substr(0, name.find(':') + 1)))));
            WEIR_CHECK(send(session, http::Method::del, remote.base, {}, "removed the outputs of"));
            continue;
        }
        std::string body = R"({"remove":[)";
        codec::append_quoted(body, remote.path);
        const auto reply = WEIR_TRY(session.change(http::Method::post, remote.base, body + "]}"));
        if (integer_of(reply.value, "removed") == 0)
            return fail(Failure{.exit = Exit::not_found,
                                .message = fmt::format("there is no file '{}'; all below a folder: '{}/'", visible(name), visible(name))});
        if (!session.printed(reply)) session.console().out << fmt::format("{} files removed\n", integer_of(reply.value, "removed"));
    }
    return {};
}

Done show_data(Session& session, const DataAsk& ask) {
    const auto project = WEIR_TRY(project_of(session, ask.project));
    const auto reply = WEIR_TRY(session.get(fmt::format("/v1/projects/{}/data", project)));
    if (session.printed(reply)) return {};
    const auto bytes = [&](std::string_view key) { return bytes_text(static_cast<std::uint64_t>(integer_of(reply.value, key))); };
    session.console().out << fmt::format(
        "kept {} of {}\nfolders of code: {}, {}\nfiles: {}, {}\noutputs of jobs: {}, {}\nto be erased: {}\n", bytes("kept_bytes"),
        bytes("quota_bytes"), integer_of(reply.value, "trees"), bytes("tree_bytes"), integer_of(reply.value, "files"), bytes("file_bytes"),
        integer_of(reply.value, "outputs"), bytes("output_bytes"), integer_of(reply.value, "to_erase"));
    return {};
}

Done set_data_quota(Session& session, const DataQuotaAsk& ask) {
    return send(session, http::Method::put, fmt::format("/v1/projects/{}/data", ask.project),
                Object{}.number("quota_bytes", ask.bytes).json(), "set what may be kept by");
}

Done show_receipt(Session& session, const ReceiptAsk& ask) {
    const auto project = WEIR_TRY(project_of(session, ask.project));
    const auto reply = WEIR_TRY(session.get(fmt::format("/v1/projects/{}/receipts/{}", project, ask.tree)));
    if (session.printed(reply)) return {};
    auto& out = session.console().out;
    out << fmt::format("{} is {}\n", visible(text_of(reply.value, "tree")), text_of(reply.value, "state"));
    if (const auto reason = text_of(reply.value, "reason"); !reason.empty()) {
        const auto by = text_of(reply.value, "by");
        out << fmt::format("no longer kept since {} ({}{})\n", zoned_time_of(session.console(), reply.value, "dropped_at"), reason,
                           by.empty() ? "" : ", by " + visible(by));
    }
    if (text_of(reply.value, "state") != "erased") return {};
    for (const auto& copy : items_of(reply.value, "copies")) {
        out << fmt::format("erased at {}: {} files, {}, confirmed {}\n", visible(text_of(copy, "place")), integer_of(copy, "files"),
                           bytes_text(static_cast<std::uint64_t>(integer_of(copy, "bytes"))),
                           zoned_time_of(session.console(), copy, "confirmed_at"));
    }
    out << fmt::format("digests of the files, chained: {}\nevent {} of the journal\n", text_of(reply.value, "list"),
                       text_of(*reply.value.find("journal_revision")));
    return {};
}

}  // namespace weir::cli
