#include "adapters/blobs_moved/moved_data.hpp"

#include "adapters/blobs_moved/stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::blobs_moved {
namespace {

namespace fs = std::filesystem;
using ports::BlobError;
using ports::BlobFault;
using ports::BlobResult;
using ports::MoveError;
using ports::MoveFault;
using ports::Removed;
using ports::SizedDigest;

constexpr std::string_view parts_mark = ".parts-";
constexpr std::size_t parts_max = 100'000;  ///< Of one blob.
constexpr std::size_t part_line_bytes = 90;
constexpr std::size_t looks_max = 4;  ///< For so few blobs each is looked for by itself; for more all are listed at once.

BlobError blob_error(const MoveError& error) {
    return {error.fault == MoveFault::not_found ? BlobFault::not_found : BlobFault::unavailable, error.message};
}

std::string blob_folder(const Digest& digest) { return "blobs/" + digest.text().substr(0, 2); }
std::string blob_name(const Digest& digest) { return blob_folder(digest) + "/" + digest.text().substr(2); }
std::string parts_folder(const Digest& digest) { return "parts/" + digest.text(); }

std::string part_name(std::size_t index, const Digest& digest) { return fmt::format("{:05}-{}", index, digest.text()); }

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || stop != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

tl::unexpected<BlobError> damaged(std::string message) { return fail(BlobError{BlobFault::damaged, std::move(message)}); }
tl::unexpected<BlobError> unavailable(std::string message) { return fail(BlobError{BlobFault::unavailable, std::move(message)}); }
tl::unexpected<BlobError> called_off(const std::string& name) { return unavailable(fmt::format("the copy of {} was called off", name)); }

bool goes_on(ports::Copying& copying) { return copying.onward(0) == ports::Onward::go_on; }

/// Removes its file at its end.
class Gone {
public:
    explicit Gone(std::string path) : path_{std::move(path)} {}
    Gone(const Gone&) = delete;
    Gone& operator=(const Gone&) = delete;
    ~Gone() { ::unlink(path_.c_str()); }

private:
    std::string path_;
};

}  // namespace

void pause_for_real(Duration duration, ports::Copying& copying) {
    constexpr Duration slice = milliseconds(100);
    for (Duration left = duration; left.ns > 0 && goes_on(copying); left = left - slice)
        std::this_thread::sleep_for(std::chrono::nanoseconds{std::min(left.ns, slice.ns)});
}

BlobResult<std::shared_ptr<MovedData>> MovedData::open(std::shared_ptr<ports::Mover> mover, MovedOptions options) {
    if (!make_stage(options.stage)) return cannot("make", options.stage);
    return std::shared_ptr<MovedData>{new MovedData{std::move(mover), std::move(options)}};
}

// ---- what is there

/// Blobs in `folder`, which is `blobs` or one of the folders in it.
BlobResult<std::map<Digest, MovedData::Far>> MovedData::look(const std::string& folder) {
    const auto files = mover_->list(far(folder));
    if (!files) return fail(blob_error(files.error()));
    const auto above = folder.size() > 6 ? folder.substr(6) : std::string{};
    std::map<Digest, Far> found;
    for (const auto& file : *files) {
        auto name = above + file.name;
        std::erase(name, '/');
        Far blob{folder + "/" + file.name, file.size, file.changed_s, false};
        if (const auto mark = name.find(parts_mark); mark != std::string::npos) {
            const auto size = number(std::string_view{name}.substr(mark + parts_mark.size()));
            if (!size) continue;
            blob.size = *size;
            blob.in_parts = true;
            name.resize(mark);
        }
        if (const auto digest = Digest::parse(name)) found.insert_or_assign(*digest, std::move(blob));
    }
    return found;
}

BlobResult<std::optional<MovedData::Far>> MovedData::find(const Digest& digest) {
    auto found = WEIR_TRY(look(blob_folder(digest)));
    const auto blob = found.find(digest);
    if (blob == found.end()) return std::optional<Far>{};
    return std::optional{std::move(blob->second)};
}

BlobResult<std::int64_t> MovedData::room() {
    const auto here = WEIR_TRY(room_at(options_.stage));
    const auto there = mover_->room();
    if (!there) return fail(blob_error(there.error()));
    // Only a part of a blob lies here at a time.
    if (here < options_.part_bytes) return std::min(here, there->value_or(here));
    return there->value_or(INT64_MAX);
}

BlobResult<std::vector<SizedDigest>> MovedData::lacking(std::span<const SizedDigest> wanted) {
    std::map<Digest, Far> there;
    if (wanted.size() > looks_max) {
        there = WEIR_TRY(look("blobs"));
    } else {
        for (const auto& blob : wanted) {
            if (auto found = WEIR_TRY(find(blob.digest))) there.emplace(blob.digest, std::move(*found));
        }
    }
    const std::lock_guard lock{guard_};
    std::vector<SizedDigest> missing;
    for (const auto& blob : wanted) {
        const auto found = there.find(blob.digest);
        if (found == there.end() || found->second.size != blob.size || bad_.contains(blob.digest)) missing.push_back(blob);
    }
    return missing;
}

BlobResult<std::vector<ports::StoredBlob>> MovedData::list() {
    std::vector<ports::StoredBlob> blobs;
    for (const auto& [digest, found] : WEIR_TRY(look("blobs"))) blobs.push_back({digest, found.size, found.stored_s});
    return blobs;
}

// ---- one file there and back

/// Sends it, fetches it again and compares; only then it bears its name.
BlobResult<void> MovedData::send(const Staged& staged, const std::string& name, ports::Copying& copying) {
    const auto aside = fmt::format("partial/{}.{}", staged.part.digest.text(), options_.writer);
    const auto& target = mover_->names_when_whole() ? name : aside;
    const auto back = staged.path + ".back";
    const Gone gone{back};
    std::string why;
    auto pause = options_.first_pause;
    for (int attempt = 0; attempt < options_.attempts; ++attempt) {
        if (attempt > 0) {
            options_.pause(pause, copying);
            pause = pause + pause;
        }
        if (!goes_on(copying)) return called_off(name);
        ::unlink(back.c_str());
        auto done = mover_->send(staged.path, far(target), copying);
        if (done) done = mover_->fetch(far(target), back, 0, copying);
        if (!done && done.error().fault == MoveFault::called_off) return called_off(name);
        if (!done) {
            why = done.error().message;
            continue;
        }
        if (!holds(back, staged.part.digest, staged.part.size)) {
            why = fmt::format("{} said that it was sent, and other bytes came back", mover_->text());
            if (mover_->names_when_whole()) (void)mover_->remove(std::vector{far(target)});
            continue;
        }
        if (target == name) return {};
        done = mover_->rename(far(target), far(name));
        if (done) return {};
        why = done.error().message;
    }
    return unavailable(fmt::format("{} was not stored in {} attempts; the last: {}", name, options_.attempts, why));
}

/// Fetches it, from where an earlier attempt ended; at its end it holds.
BlobResult<void> MovedData::bring(const std::string& name, const Staged& staged, ports::Copying& copying) {
    std::string why;
    auto pause = options_.first_pause;
    int false_ones = 0;
    for (int attempt = 0; attempt < options_.attempts; ++attempt) {
        if (attempt > 0) {
            options_.pause(pause, copying);
            pause = pause + pause;
        }
        if (!goes_on(copying)) return called_off(name);
        auto have = file_size(staged.path);
        if (have > staged.part.size) have = 0;
        const auto done = mover_->fetch(far(name), staged.path, have, copying);
        if (!done && done.error().fault != MoveFault::failed) return fail(blob_error(done.error()));
        if (!done) {
            why = done.error().message;
            continue;
        }
        if (holds(staged.path, staged.part.digest, staged.part.size)) return {};
        why = fmt::format("{} bytes came that are not it", file_size(staged.path));
        ::unlink(staged.path.c_str());
        ++false_ones;
    }
    auto said = fmt::format("{} did not come in {} attempts; the last: {}", name, options_.attempts, why);
    return false_ones > 1 ? damaged(std::move(said)) : unavailable(std::move(said));
}

// ---- blobs

/// A piece of a file below the stage, with its digest.
BlobResult<MovedData::Staged> MovedData::stage(int file, std::int64_t from, std::int64_t size, const std::string& name,
                                               ports::Copying& copying) {
    Staged staged{staged_path(name), {}};
    const Fd into{::open(staged.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!into) return cannot("write", staged.path);
    const auto made = copy_piece(file, from, size, into.get(), copying);
    if (!made) return goes_on(copying) ? BlobResult<Staged>{cannot("write", staged.path)} : BlobResult<Staged>{called_off(name)};
    staged.part = {made->digest, made->bytes};
    return staged;
}

BlobResult<void> MovedData::put(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) {
    if (WEIR_TRY(lacking(std::vector{SizedDigest{digest, size}})).empty()) return {};
    {
        const std::lock_guard lock{guard_};
        if (!under_way_.insert(digest).second) return unavailable(fmt::format("{} is just being stored for another task", digest.text()));
    }
    const auto store = [&]() -> BlobResult<void> {
        if (size > options_.part_bytes) return put_in_parts(digest, size, file, copying);
        const auto name = fmt::format("out-{}", digest.text());
        const Gone gone{staged_path(name)};
        const auto staged = WEIR_TRY(stage(file, 0, size, name, copying));
        if (staged.part.digest != digest || staged.part.size != size) {
            return damaged(fmt::format("{} bytes with digest {} were announced, and {} bytes with digest {} came", size, digest.text(),
                                       staged.part.size, staged.part.digest.text()));
        }
        return send(staged, blob_name(digest), copying);
    };
    auto stored = store();
    const std::lock_guard lock{guard_};
    under_way_.erase(digest);
    if (stored) bad_.erase(digest);
    return stored;
}

BlobResult<void> MovedData::put_in_parts(const Digest& digest, std::int64_t size, int file, ports::Copying& copying) {
    const auto folder = parts_folder(digest);
    std::map<std::string, std::int64_t> there;
    const auto listed = mover_->list(far(folder));
    if (!listed) return fail(blob_error(listed.error()));
    for (const auto& one : *listed) there[one.name] = one.size;
    if (size / options_.part_bytes >= static_cast<std::int64_t>(parts_max))
        return damaged(fmt::format("{} bytes are more than {} parts of {}", size, parts_max, options_.part_bytes));
    std::string text;
    std::vector<std::string> names;
    Hash whole;
    for (std::int64_t at = 0; at < size; at += options_.part_bytes) {
        const auto wanted = std::min(options_.part_bytes, size - at);
        const auto staged_name = fmt::format("out-{}", digest.text());
        const Gone gone{staged_path(staged_name)};
        const auto staged = WEIR_TRY(stage(file, at, wanted, staged_name, copying));
        if (staged.part.size != wanted || !whole.take_file(staged.path)) return damaged(fmt::format("{} became shorter", digest.text()));
        const auto name = part_name(names.size(), staged.part.digest);
        names.push_back(far(folder + "/" + name));
        const auto known = there.find(name);
        // What lies there under its own digest was compared before it was called so, unless what it is a part of did not hold.
        const bool is_there = known != there.end() && known->second == wanted && !bad_.contains(digest);
        if (!is_there) WEIR_CHECK(send(staged, folder + "/" + name, copying));
        text += fmt::format("{} {}\n", staged.part.digest.text(), wanted);
    }
    if (const auto made = whole.digest(); made != digest) {
        (void)mover_->remove(names);
        return damaged(
            fmt::format("{} bytes with digest {} were announced, and bytes with digest {} came", size, digest.text(), made.text()));
    }
    const auto list_name = fmt::format("out-{}.list", digest.text());
    const Gone gone{staged_path(list_name)};
    const auto list = memory_file(text);
    if (!list) return unavailable("no memory for a list of parts");
    const auto staged = WEIR_TRY(stage(list.get(), 0, std::ssize(text), list_name, copying));
    return send(staged, fmt::format("{}{}{}", blob_name(digest), parts_mark, size), copying);
}

BlobResult<void> MovedData::put_bytes(const Digest& digest, std::string_view bytes) {
    const auto file = memory_file(bytes);
    if (!file) return unavailable(fmt::format("no memory for {} bytes", bytes.size()));
    ports::Unhindered unhindered;
    return put(digest, std::ssize(bytes), file.get(), unhindered);
}

BlobResult<void> MovedData::put_all(std::span<const SmallBlob> blobs) {
    std::vector<SizedDigest> wanted;
    for (const auto& blob : blobs) {
        if (sha256(blob.bytes) != blob.digest)
            return damaged(fmt::format("{} bytes do not make {}", blob.bytes.size(), blob.digest.text()));
        wanted.push_back({blob.digest, std::ssize(blob.bytes)});
    }
    const auto missing = WEIR_TRY(lacking(wanted));
    for (const auto& blob : blobs) {
        if (std::ranges::find(missing, blob.digest, &SizedDigest::digest) == missing.end()) continue;
        WEIR_CHECK(put_bytes(blob.digest, blob.bytes));
    }
    return {};
}

/// The parts of a blob as its list says, in order.
BlobResult<std::vector<MovedData::Part>> MovedData::parts_of(const Digest& digest, const Far& found, ports::Copying& copying) {
    const auto path = staged_path(fmt::format("in-{}.list", digest.text()));
    const Gone gone{path};
    ::unlink(path.c_str());
    if (const auto done = mover_->fetch(far(found.name), path, 0, copying); !done) return fail(blob_error(done.error()));
    const auto text = read_whole(path, parts_max * part_line_bytes);
    std::vector<Part> parts;
    std::int64_t bytes = 0;
    std::string_view left = text ? std::string_view{*text} : std::string_view{};
    while (!left.empty()) {
        const auto line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(left.size(), line.size() + 1));
        const auto space = line.find(' ');
        const auto made = Digest::parse(line.substr(0, space));
        const auto size = space == std::string_view::npos ? std::nullopt : number(line.substr(space + 1));
        if (!made || !size) return damaged(fmt::format("{} is no list of parts", found.name));
        parts.push_back({*made, *size});
        bytes += *size;
    }
    if (bytes != found.size) return damaged(fmt::format("{} lists {} bytes", found.name, bytes));
    return parts;
}

BlobResult<void> MovedData::fetch(const Digest& digest, int into, ports::Copying& copying) {
    const auto found = WEIR_TRY(find(digest));
    if (!found) return fail(BlobError{BlobFault::not_found, fmt::format("{} is not stored", digest.text())});
    const auto hand_on = [&]() -> BlobResult<void> {
        std::vector<std::pair<std::string, Part>> files{{found->name, {digest, found->size}}};
        if (found->in_parts) {
            files.clear();
            const auto parts = WEIR_TRY(parts_of(digest, *found, copying));
            for (std::size_t i = 0; i < parts.size(); ++i)
                files.emplace_back(parts_folder(digest) + "/" + part_name(i, parts[i].digest), parts[i]);
        }
        Hash whole;
        for (const auto& [name, part] : files) {
            // One for each reader: two of the same blob do not write to the same file.
            const Staged staged{staged_path(fmt::format("in-{}-{}", part.digest.text(), into)), part};
            auto came = bring(name, staged, copying);
            if (!came && came.error().fault == BlobFault::not_found && found->in_parts)
                came = damaged(fmt::format("{} is a part of {} and is not there", name, digest.text()));
            if (!came) return came;
            const bool handed = hand_file(staged.path, into) && whole.take_file(staged.path);
            ::unlink(staged.path.c_str());
            if (!handed) return cannot("hand on", digest.text());
        }
        if (whole.digest() != digest) return damaged(fmt::format("the parts of {} do not make it", digest.text()));
        return {};
    };
    auto done = hand_on();
    if (!done && done.error().fault == BlobFault::damaged) {
        const std::lock_guard lock{guard_};
        bad_.insert(digest);
    }
    return done;
}

BlobResult<std::string> MovedData::fetch_bytes(const Digest& digest, std::size_t at_most) {
    const auto found = WEIR_TRY(find(digest));
    if (!found) return fail(BlobError{BlobFault::not_found, fmt::format("{} is not stored", digest.text())});
    if (found->size > static_cast<std::int64_t>(at_most))
        return damaged(fmt::format("{} has {} bytes, at most {} are read", digest.text(), found->size, at_most));
    const auto file = memory_file({});
    if (!file) return unavailable("no memory");
    ports::Unhindered unhindered;
    WEIR_CHECK(fetch(digest, file.get(), unhindered));
    auto bytes = read_file(file.get(), at_most);
    if (!bytes) return unavailable("no memory");
    return std::move(*bytes);
}

BlobResult<ports::OpenBlob> MovedData::open(const Digest& digest) {
    auto path = staged_path("open-XXXXXX");
    Fd file{::mkostemp(path.data(), O_CLOEXEC)};
    if (!file) return cannot("make", path);
    ::unlink(path.c_str());
    ports::Unhindered unhindered;
    WEIR_CHECK(fetch(digest, file.get(), unhindered));
    struct stat facts{};
    if (::fstat(file.get(), &facts) != 0) return cannot("look at", path);
    return ports::OpenBlob{file.release(), facts.st_size};
}

// ---- uploads in pieces: they are gathered here

BlobResult<std::int64_t> MovedData::uploaded(const SizedDigest& blob) {
    const auto have = file_size(staged_path("upload-" + blob.digest.text()));
    if (have > 0) return std::min(have, blob.size);
    return WEIR_TRY(lacking(std::vector{blob})).empty() ? blob.size : 0;
}

BlobResult<std::int64_t> MovedData::append(const SizedDigest& blob, std::int64_t offset, std::string_view piece) {
    const std::lock_guard lock{uploading_};
    const auto path = staged_path("upload-" + blob.digest.text());
    auto have = file_size(path);
    if (have == 0 && WEIR_TRY(lacking(std::vector{blob})).empty()) return blob.size;
    const Fd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return cannot("open", path);
    if (have > blob.size) {
        if (::ftruncate(file.get(), 0) != 0) return cannot("empty", path);
        have = 0;
    }
    const auto length = std::ssize(piece);
    if (offset != have || offset > blob.size - length) {
        return unavailable(fmt::format("{} bytes from {} on came of {}, of which {} of {} are here; go on from there", length, offset,
                                       blob.digest.text(), have, blob.size));
    }
    if (!write_at(file.get(), piece, offset)) return cannot("write", path);
    if (offset + length < blob.size) return offset + length;
    ports::Unhindered unhindered;
    const auto stored = put(blob.digest, blob.size, file.get(), unhindered);
    if (!stored && stored.error().fault == BlobFault::unavailable) {
        // The last piece did not come to anything: it is sent again, and tries again to store all.
        (void)::ftruncate(file.get(), offset);
        return fail(stored.error());
    }
    ::unlink(path.c_str());
    if (!stored) return fail(stored.error());
    return blob.size;
}

// ---- removal

BlobResult<Removed> MovedData::remove(std::span<const Digest> digests) {
    Removed removed;
    if (digests.empty()) return removed;
    std::map<Digest, Far> there;
    if (digests.size() > looks_max) {
        there = WEIR_TRY(look("blobs"));
    } else {
        for (const auto& digest : digests) {
            if (auto found = WEIR_TRY(find(digest))) there.emplace(digest, std::move(*found));
        }
    }
    std::vector<std::string> names;
    std::vector<std::string> parts;
    for (const auto& digest : digests) {
        ::unlink(staged_path("upload-" + digest.text()).c_str());
        const auto found = there.find(digest);
        if (found == there.end()) continue;
        ++removed.files;
        removed.bytes += found->second.size;
        names.push_back(far(found->second.name));
        if (!found->second.in_parts) continue;
        const auto listed = mover_->list(far(parts_folder(digest)));
        if (!listed) return fail(blob_error(listed.error()));
        for (const auto& one : *listed) parts.push_back(far(parts_folder(digest) + "/" + one.name));
    }
    // The list of parts first: what is half removed is not there.
    if (const auto done = mover_->remove(names); !done) return fail(blob_error(done.error()));
    if (const auto done = mover_->remove(parts); !done) return fail(blob_error(done.error()));
    return removed;
}

BlobResult<Removed> MovedData::remove_uploads(std::int64_t before_s) {
    Removed removed;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{options_.stage, error}) {
        struct stat facts{};
        if (::lstat(entry.path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_mtim.tv_sec >= before_s) continue;
        if (::unlink(entry.path().c_str()) != 0) continue;
        ++removed.files;
        removed.bytes += facts.st_size;
    }
    const auto blobs = WEIR_TRY(look("blobs"));
    std::vector<std::string> names;
    for (const std::string folder : {"partial", "parts"}) {
        const auto listed = mover_->list(far(folder));
        if (!listed) return fail(blob_error(listed.error()));
        for (const auto& one : *listed) {
            const auto whole = folder == "parts" ? Digest::parse(one.name.substr(0, one.name.find('/'))) : std::nullopt;
            if (one.changed_s >= before_s || (whole && blobs.contains(*whole))) continue;
            names.push_back(far(folder + "/" + one.name));
            ++removed.files;
            removed.bytes += one.size;
        }
    }
    if (const auto done = mover_->remove(names); !done) return fail(blob_error(done.error()));
    return removed;
}

// ---- the stores of projects

BlobResult<std::shared_ptr<ports::DataStore>> MovedStores::of(const ProjectName& project) {
    const std::lock_guard lock{guard_};
    auto& known = open_[project];
    if (!known) {
        auto options = options_;
        options.prefix += fmt::format("projects/{}/", project.text());
        options.stage += "/" + project.text();
        auto opened = make_stage(options_.stage) ? MovedData::open(mover_, std::move(options))
                                                 : BlobResult<std::shared_ptr<MovedData>>{cannot("make", options_.stage)};
        if (!opened) {
            open_.erase(project);
            return fail(std::move(opened).error());
        }
        known = std::move(*opened);
    }
    return std::shared_ptr<ports::DataStore>{known};
}

BlobResult<std::vector<ProjectName>> MovedStores::projects() {
    const auto listed = mover_->list(options_.prefix + "projects");
    if (!listed) return fail(blob_error(listed.error()));
    std::set<ProjectName> names;
    for (const auto& one : *listed) {
        if (auto name = ProjectName::parse(one.name.substr(0, one.name.find('/')))) names.insert(std::move(*name));
    }
    return std::vector<ProjectName>{names.begin(), names.end()};
}

}  // namespace weir::blobs_moved
