#include "agent/records.hpp"

#include "codec/decode.hpp"
#include "codec/encode.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::agent {
namespace {

namespace fs = std::filesystem;

/// No server takes a session that is further ahead of its own clock.
constexpr Duration session_ahead_max = seconds(300);

std::string slurp(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

/// Writes and syncs a new file. False with errno set.
bool write_synced(const std::string& path, std::string_view text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return false;
    bool good = true;
    while (good && !text.empty()) {
        const auto wrote = ::write(file, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        good = wrote > 0;
        if (good) text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    good = good && ::fsync(file) == 0;
    const int error = errno;
    ::close(file);
    errno = error;
    return good;
}

bool sync_folder(const std::string& path) {
    const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return false;
    const bool good = ::fsync(folder) == 0;
    ::close(folder);
    return good;
}

}  // namespace

Result<Records, std::string> Records::open(std::string directory, const std::string& host_boot) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return fail(fmt::format("cannot make {}: {}", directory, std::strerror(errno)));
    Records records{std::move(directory)};
    // A copy of the folder on the same host is another place.
    struct stat place{};
    if (!host_boot.empty() && ::stat(records.directory_.c_str(), &place) == 0)
        records.vouching_.host_boot = fmt::format("{} {}:{}", host_boot, place.st_dev, place.st_ino);
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(records.directory_, error)) {
        const auto& path = entry.path();
        if (path.filename() == "session") {
            const auto session = parse_uid(slurp(path));
            if (!session)
                return fail(fmt::format("{} does not hold a session: remove it, and the next report begins a new one", path.string()));
            records.session_ = *session;
        } else if (path.filename() == "cards") {
            auto cards = codec::decode_json<CardsOfNodes>(slurp(path), path.string());
            if (!cards) return fail(fmt::format("{}: remove it once no task of this site runs", codec::describe(cards.error())));
            records.cards_ = std::move(*cards);
        } else if (path.filename() == "vouching") {
            auto vouching = codec::decode_json<Vouching>(slurp(path), path.string());
            if (!vouching) return fail(fmt::format("{}: remove it, and what was ordered waits a lease", codec::describe(vouching.error())));
            if (vouching->host_boot == records.vouching_.host_boot) records.vouching_ = std::move(*vouching);
        } else if (path.extension() == ".json") {
            auto record = codec::decode_json<GenerationRecord>(slurp(path), path.string());
            if (!record) return fail(fmt::format("{}: move it away to go on without it", codec::describe(record.error())));
            records.records_.emplace(record->key(), std::move(*record));
        }
    }
    if (error) return fail(fmt::format("cannot read {}: {}", records.directory_, error.message()));
    return records;
}

const GenerationRecord* Records::find(const GenerationKey& key) const {
    const auto found = records_.find(key);
    return found == records_.end() ? nullptr : &found->second;
}

Result<void, std::string> Records::write(const std::string& name, const std::string& text) {
    const auto path = directory_ + "/" + name;
    const auto partial = path + ".new";
    if (!write_synced(partial, text)) return fail(fmt::format("cannot write {}: {}", partial, std::strerror(errno)));
    if (::rename(partial.c_str(), path.c_str()) != 0) return fail(fmt::format("cannot publish {}: {}", path, std::strerror(errno)));
    if (!sync_folder(directory_)) return fail(fmt::format("cannot sync {}: {}", directory_, std::strerror(errno)));
    return {};
}

Result<void, std::string> Records::save(const GenerationRecord& record) {
    const auto known = records_.find(record.key());
    if (known != records_.end() && known->second == record) return {};
    WEIR_CHECK(write(record.key().text() + ".json", codec::to_json(record)));
    records_[record.key()] = record;
    return {};
}

void Records::remove(const GenerationKey& key) {
    records_.erase(key);
    ::unlink((directory_ + "/" + key.text() + ".json").c_str());
}

CardsOfNodes Records::cards_in_use() const {
    CardsOfNodes in_use;
    for (const auto& [key, record] : records_) {
        for (const auto& node : record.nodes) {
            if (const auto known = cards_.find(node); !record.end_known && known != cards_.end()) in_use.insert(*known);
        }
    }
    return in_use;
}

Result<void, std::string> Records::save_cards(const CardsOfNodes& cards) {
    if (cards_ == cards) return {};
    WEIR_CHECK(write("cards", codec::to_json(cards)));
    cards_ = cards;
    return {};
}

Result<std::string, std::string> Records::begin_session(Instant now, Duration skip, std::uint64_t chance_high, std::uint64_t chance_low) {
    const auto after = session_.is_nil() ? Instant{0} : time_of(session_) + milliseconds(1);
    const auto session = make_uid(std::max(now, after) + skip, chance_high, chance_low);
    WEIR_CHECK(write("session", format_uid(session)));
    session_ = session;
    return format_uid(session);
}

Result<void, std::string> Records::save_vouching(const std::vector<std::string>& sessions) {
    if (vouching_.host_boot.empty() || vouching_.sessions == sessions) return {};
    const Vouching vouching{vouching_.host_boot, sessions};
    WEIR_CHECK(write("vouching", codec::to_json(vouching)));
    vouching_ = vouching;
    return {};
}

bool Records::session_is_ahead_of(Instant now) const {
    return !session_.is_nil() && time_of(session_) > now + session_ahead_max;
}

}  // namespace weir::agent
