#include "adapters/store_postgres/dump.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace weir::store {
namespace {

using ports::Head;
using ports::JournalError;
using ports::JournalFault;
using ports::JournalResult;
using ports::Record;

constexpr std::string_view magic = "weir store dump 1\n";
constexpr std::size_t piece_bytes = 16U << 20U;

class File {
public:
    explicit File(int handle) : handle_{handle} {}
    ~File() {
        if (handle_ >= 0) ::close(handle_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    File(File&& other) noexcept : handle_{std::exchange(other.handle_, -1)} {}
    File& operator=(File&&) = delete;
    [[nodiscard]] int get() const { return handle_; }

private:
    int handle_;
};

JournalError trouble(const std::string& path, std::string_view what) {
    const int code = errno;
    const auto fault = code == EEXIST                     ? JournalFault::already_exists
                       : code == ENOSPC || code == EDQUOT ? JournalFault::disk_full
                       : code == ENOENT                   ? JournalFault::not_found
                                                          : JournalFault::unavailable;
    return {fault, fmt::format("{} cannot be {}: {}{}", path, what, std::strerror(code),
                               code == EEXIST ? "; choose another name, nothing is overwritten" : "")};
}

void append_number(std::string& out, std::uint64_t number) {
    for (int i = 0; i < 8; ++i) out += static_cast<char>(number >> (8 * i));
}
void append_bytes(std::string& out, std::string_view bytes) {
    append_number(out, bytes.size());
    out += bytes;
}
std::string_view view_of(const Digest& digest) { return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()}; }

bool write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

/// Reads the parts of a dump in their order; empty where it is cut off.
class Input {
public:
    Input(int file, std::uint64_t size) : file_{file}, size_{size} {}
    [[nodiscard]] std::uint64_t at() const { return at_; }
    void seek(std::uint64_t at) { at_ = at; }
    [[nodiscard]] std::optional<std::string> take(std::uint64_t length) {
        if (length > size_ - std::min(at_, size_)) return std::nullopt;
        std::string out(length, '\0');
        std::size_t have = 0;
        while (have < out.size()) {
            const auto got = ::pread(file_, out.data() + have, out.size() - have, static_cast<off_t>(at_ + have));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return std::nullopt;
            have += static_cast<std::size_t>(got);
        }
        at_ += length;
        return out;
    }
    [[nodiscard]] std::optional<std::uint64_t> number() {
        const auto raw = take(8);
        if (!raw) return std::nullopt;
        std::uint64_t number = 0;
        for (int i = 7; i >= 0; --i) number = number << 8U | static_cast<unsigned char>((*raw)[static_cast<std::size_t>(i)]);
        return number;
    }
    [[nodiscard]] std::optional<std::string> bytes() {
        const auto length = number();
        return length ? take(*length) : std::nullopt;
    }
    [[nodiscard]] std::optional<Digest> digest() {
        const auto raw = take(32);
        if (!raw) return std::nullopt;
        Digest digest;
        std::memcpy(digest.bytes.data(), raw->data(), raw->size());
        return digest;
    }
    bool skip(std::uint64_t length) {
        if (length > size_ - std::min(at_, size_)) return false;
        at_ += length;
        return true;
    }

private:
    int file_;
    std::uint64_t size_;
    std::uint64_t at_ = 0;
};

class DumpReader final : public ports::JournalReader {
public:
    DumpReader(File file, std::string path, std::uint64_t size) : file_{std::move(file)}, path_{std::move(path)}, size_{size} {}

    JournalResult<void> look() {
        Input input{file_.get(), size_};
        const auto cut = [&] { return fail(damaged("it is cut off")); };
        const auto begin = input.take(magic.size());
        if (!begin || *begin != magic)
            return fail(JournalError{JournalFault::unknown_format, fmt::format("{} is no dump of a store that this program knows", path_)});
        auto id = input.bytes();
        auto lineage = input.bytes();
        const auto format = input.number();
        const auto records = input.number();
        if (!id || !lineage || !format || !records) return cut();
        identity_ = {*std::move(id), static_cast<std::uint32_t>(*format), *std::move(lineage)};
        for (std::uint64_t i = 0; i < *records; ++i) {
            starts_.push_back(input.at());
            const auto length = input.number();
            if (!length || !input.skip(*length + 32)) return cut();
        }
        const auto snapshots = input.number();
        if (!snapshots) return cut();
        if (*snapshots > 0) {
            ports::Snapshot snapshot;
            const auto revision = input.number();
            const auto version = input.number();
            const auto state = input.digest();
            auto bytes = input.bytes();
            const auto check = input.digest();
            if (!revision || !version || !state || !bytes || !check) return cut();
            if (sha256(*bytes) == *check) {
                snapshot_ = ports::Snapshot{*revision, static_cast<std::uint32_t>(*version), *state, *std::move(bytes)};
            }
        }
        return {};
    }

    JournalResult<ports::StoreIdentity> identity() override { return identity_; }
    JournalResult<Head> head() override {
        if (starts_.empty()) return Head{};
        const auto last = WEIR_TRY(record(starts_.size()));
        return Head{last.revision, last.hash};
    }
    JournalResult<std::vector<Record>> read(std::uint64_t from, std::size_t max_records, std::size_t max_bytes) override {
        std::vector<Record> records;
        std::size_t bytes = 0;
        for (auto revision = std::max<std::uint64_t>(from, 1); revision <= starts_.size() && records.size() < max_records; ++revision) {
            auto one = WEIR_TRY(record(revision));
            if (!records.empty() && bytes + one.text.size() > max_bytes) break;
            bytes += one.text.size();
            records.push_back(std::move(one));
        }
        return records;
    }
    JournalResult<ports::Verification> verify(std::uint64_t from, std::uint64_t to) override {
        const auto first = std::max<std::uint64_t>(from, 1);
        ports::Verification result;
        to = std::min<std::uint64_t>(to, starts_.size());
        if (first > to) return result;
        result.end = {first - 1, first == 1 ? Digest{} : WEIR_TRY(record(first - 1)).hash};
        for (auto revision = first; revision <= to; ++revision) {
            const auto one = WEIR_TRY(record(revision));
            const auto computed = chain(result.end.hash, one.text);
            if (one.hash != computed) {
                result.bad = ports::BadRecord{revision, one.hash, computed,
                                              fmt::format("{}: revision {} does not hold; take another copy", path_, revision)};
                return result;
            }
            result.end = {revision, computed};
            ++result.records;
        }
        return result;
    }
    JournalResult<ports::SnapshotSearch> latest_snapshot(std::uint32_t version, std::uint64_t at_most) override {
        if (!snapshot_ || snapshot_->version != version || snapshot_->revision > at_most) return ports::SnapshotSearch{};
        return ports::SnapshotSearch{snapshot_, {}};
    }
    JournalResult<std::optional<std::string>> meta(const std::string&) override { return std::optional<std::string>{}; }

private:
    [[nodiscard]] JournalError damaged(std::string_view what) const {
        return {JournalFault::damaged, fmt::format("{}: {}; take another copy", path_, what)};
    }
    [[nodiscard]] JournalResult<Record> record(std::uint64_t revision) {
        Input input{file_.get(), size_};
        input.seek(starts_.at(revision - 1));
        auto text = input.bytes();
        const auto hash = input.digest();
        if (!text || !hash) return fail(damaged(fmt::format("revision {} cannot be read", revision)));
        return Record{revision, *std::move(text), *hash};
    }

    File file_;
    std::string path_;
    std::uint64_t size_;
    ports::StoreIdentity identity_;
    std::vector<std::uint64_t> starts_;  ///< Where each record begins.
    std::optional<ports::Snapshot> snapshot_;
};

/// All that the reader sees, in the form of the file.
JournalResult<ports::BackupReport> write_parts(PostgresReader& reader, int file, const std::string& path) {
    std::string out{magic};
    const auto put = [&](bool all) -> JournalResult<void> {
        if (!all && out.size() < piece_bytes) return {};
        if (!write_all(file, out)) return fail(trouble(path, "written"));
        out.clear();
        return {};
    };
    const auto identity = WEIR_TRY(reader.identity());
    append_bytes(out, identity.store_id);
    append_bytes(out, identity.lineage);
    append_number(out, identity.format_version);
    const auto head = WEIR_TRY(reader.head());
    append_number(out, head.revision);
    Head end;
    while (end.revision < head.revision) {
        const auto records = WEIR_TRY(reader.read(end.revision + 1, head.revision - end.revision, piece_bytes));
        if (records.empty()) break;
        for (const auto& record : records) {
            end = {record.revision, chain(end.hash, record.text)};
            if (end.hash != record.hash) {
                return fail(
                    JournalError{JournalFault::damaged,
                                 fmt::format("revision {} of the store does not hold; nothing was written to {}", record.revision, path)});
            }
            append_bytes(out, record.text);
            out += view_of(record.hash);
        }
        WEIR_CHECK(put(false));
    }
    const auto version = reader.connection().ask("select version from snapshot order by revision desc limit 1");
    std::optional<ports::Snapshot> snapshot;
    if (version && version->count() > 0)
        snapshot = WEIR_TRY(reader.latest_snapshot(static_cast<std::uint32_t>(version->integer(0, 0)), head.revision)).found;
    append_number(out, snapshot ? 1 : 0);
    if (snapshot) {
        append_number(out, snapshot->revision);
        append_number(out, snapshot->version);
        out += view_of(snapshot->state);
        append_bytes(out, snapshot->bytes);
        out += view_of(sha256(snapshot->bytes));
    }
    WEIR_CHECK(put(true));
    if (::fsync(file) != 0) return fail(trouble(path, "synced"));
    struct stat about {};
    ::fstat(file, &about);
    return ports::BackupReport{end, static_cast<std::uint64_t>(about.st_size)};
}

}  // namespace

JournalResult<ports::BackupReport> write_dump(PostgresReader& reader, const std::string& path) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
        errno = EEXIST;
        return fail(trouble(path, "written"));
    }
    const auto part = fmt::format("{}.part-{}", path, ::getpid());
    const File file{::open(part.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600)};
    if (file.get() < 0) return fail(trouble(part, "made"));
    (void)reader.connection().run("begin isolation level repeatable read read only");
    auto report = write_parts(reader, file.get(), path);
    (void)reader.connection().run("rollback");
    // A link does not replace what is there, as a rename would.
    if (report && ::link(part.c_str(), path.c_str()) != 0) report = fail(trouble(path, "made"));
    ::unlink(part.c_str());
    if (!report) return report;
    const File folder{::open(std::filesystem::path{path}.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.get() >= 0) (void)::fsync(folder.get());
    return report;
}

JournalResult<std::unique_ptr<ports::JournalReader>> open_dump(const std::string& path) {
    File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.get() < 0) return fail(trouble(path, "opened"));
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return fail(trouble(path, "read"));
    auto reader = std::make_unique<DumpReader>(std::move(file), path, static_cast<std::uint64_t>(about.st_size));
    WEIR_CHECK(reader->look());
    return reader;
}

}  // namespace weir::store
