// ports/fake_mover.hpp: a far end in memory and a mover to it that fails as it is told, for tests.
#pragma once

#include "ports/mover.hpp"

#include <deque>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace weir::ports {

/// What lies there, for as many movers as there are.
struct FarEnd {
    std::mutex guard;
    std::map<std::string, std::string> files;
    std::int64_t bytes_max = INT64_MAX;  ///< Of all of them.
    std::int64_t now_s = 1'700'000'000;
};

class FakeMover final : public Mover {
public:
    /// What goes wrong with one call that copies.
    enum class Trouble : std::uint8_t {
        none = 0,
        dies = 1,       ///< In its middle: half of the bytes are there, where the far end shows such.
        lies = 2,       ///< It says that all is well, and other bytes are there.
        lies_idle = 3,  ///< It says that all is well, and did nothing.
    };

    FakeMover(std::shared_ptr<FarEnd> far, bool names_when_whole) : far_{std::move(far)}, names_when_whole_{names_when_whole} {}

    [[nodiscard]] std::string text() const override { return "a fake mover"; }
    [[nodiscard]] bool names_when_whole() const override { return names_when_whole_; }

    [[nodiscard]] MoveResult<void> send(const std::string& from, const std::string& to, Copying& copying) override {
        calls.push_back("send " + to);
        const auto trouble = next();
        auto bytes = read(from);
        if (copying.onward(std::ssize(bytes)) != Onward::go_on) return fail(MoveError{MoveFault::called_off, "called off"});
        if (trouble == Trouble::lies_idle) return {};
        if (trouble == Trouble::lies) bytes += "?";
        const std::lock_guard lock{far_->guard};
        std::int64_t all = std::ssize(bytes);
        for (const auto& [name, content] : far_->files) all += name == to ? 0 : std::ssize(content);
        if (all > far_->bytes_max) return fail(MoveError{MoveFault::failed, "507 insufficient storage"});
        if (trouble == Trouble::dies) {
            if (!names_when_whole_) far_->files[to] = bytes.substr(0, bytes.size() / 2);
            return fail(MoveError{MoveFault::failed, "it ended with 137"});
        }
        far_->files[to] = std::move(bytes);
        return {};
    }
    [[nodiscard]] MoveResult<void> fetch(const std::string& from, const std::string& to, std::int64_t offset, Copying& copying) override {
        calls.push_back("fetch " + from + " from " + std::to_string(offset));
        const auto trouble = next();
        std::string bytes;
        {
            const std::lock_guard lock{far_->guard};
            const auto found = far_->files.find(from);
            if (found == far_->files.end()) return fail(MoveError{MoveFault::not_found, "there is no " + from});
            bytes = found->second;
        }
        if (copying.onward(std::ssize(bytes)) != Onward::go_on) return fail(MoveError{MoveFault::called_off, "called off"});
        if (trouble == Trouble::lies_idle) return {};
        if (trouble == Trouble::lies) bytes += "?";
        const auto start = names_when_whole_ ? 0 : static_cast<std::size_t>(offset);
        auto rest = bytes.substr(std::min(start, bytes.size()));
        if (trouble == Trouble::dies) rest.resize(rest.size() / 2);
        const int file = ::open(to.c_str(), O_WRONLY | O_CREAT, 0600);
        const bool written = ::ftruncate(file, static_cast<off_t>(start)) == 0 &&
                             ::pwrite(file, rest.data(), rest.size(), static_cast<off_t>(start)) == std::ssize(rest);
        ::close(file);
        if (!written || trouble == Trouble::dies) return fail(MoveError{MoveFault::failed, "it ended with 137"});
        return {};
    }
    [[nodiscard]] MoveResult<void> rename(const std::string& from, const std::string& to) override {
        calls.push_back("rename " + to);
        const std::lock_guard lock{far_->guard};
        auto node = far_->files.extract(from);
        if (node.empty()) return fail(MoveError{MoveFault::not_found, "there is no " + from});
        far_->files[to] = std::move(node.mapped());
        return {};
    }
    [[nodiscard]] MoveResult<void> remove(std::span<const std::string> names) override {
        const std::lock_guard lock{far_->guard};
        for (const auto& name : names) far_->files.erase(name);
        return {};
    }
    [[nodiscard]] MoveResult<std::vector<FarFile>> list(const std::string& folder) override {
        const std::lock_guard lock{far_->guard};
        std::vector<FarFile> files;
        for (const auto& [name, bytes] : far_->files) {
            if (name.starts_with(folder + "/")) files.push_back({name.substr(folder.size() + 1), std::ssize(bytes), far_->now_s});
        }
        return files;
    }
    [[nodiscard]] MoveResult<std::optional<std::int64_t>> room() override { return std::optional{far_->bytes_max}; }

    std::deque<Trouble> troubles;  ///< Of the copies to come, one each; then none.
    std::vector<std::string> calls;

private:
    Trouble next() {
        if (troubles.empty()) return Trouble::none;
        const auto trouble = troubles.front();
        troubles.pop_front();
        return trouble;
    }
    static std::string read(const std::string& path) {
        std::ifstream file{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
    std::shared_ptr<FarEnd> far_;
    bool names_when_whole_;
};

}  // namespace weir::ports
