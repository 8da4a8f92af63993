// supervisor/system.hpp: the few calls to the kernel that the supervisor and its agent share: clocks, small files, locks.
//
// Every function says by its value whether it worked and leaves errno as the kernel set it. Nothing allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <sys/types.h>

namespace weir::supervisor {

/// Owns a file descriptor; -1 is none.
class Fd {
public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return number_; }
    [[nodiscard]] explicit operator bool() const { return number_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(number_, -1); }
    void reset();

private:
    int number_ = -1;
};

/// Closes the descriptors from `first` to `last`, both included. A kernel before 5.9 has no call for it: there those that /proc lists.
[[nodiscard]] bool close_descriptors(unsigned first, unsigned last);

/// CLOCK_BOOTTIME: counts on through suspend and knows no step of the wall clock.
[[nodiscard]] std::int64_t boot_now_ns();
/// Makes a timer of the boot clock due at that moment; one that has passed is due at once.
void set_timer(int timer, std::int64_t due_ns);
/// Whole seconds since 1970, rounded down.
[[nodiscard]] std::int64_t wall_now_s();

/// Writes the boot's id, boot_id_size characters and a NUL, into `room`; empty where the kernel does not tell.
void read_boot_id(std::span<char> room);

/// The content of a small file, or nothing: it is not there, not readable, or larger than `room`. Follows no symbolic link.
[[nodiscard]] std::optional<std::string_view> read_file(int directory, const char* name, std::span<char> room);

/// All bytes of `text`, through short writes and interruptions.
[[nodiscard]] bool write_all(int descriptor, std::string_view text);

enum class Durable : std::uint8_t { no = 1, yes = 2 };

/// Replaces `name` as a whole; a reader sees the old or the new content. `temporary` is a name that only this writer uses.
[[nodiscard]] bool replace_file(int directory, const char* name, const char* temporary, std::string_view text, mode_t mode,
                                Durable durable);

/// Takes the lock file's OFD lock, which the kernel drops with the last descriptor of this opening; nothing if it is held.
[[nodiscard]] std::optional<Fd> take_lock(int directory, const char* name);
/// Whether somebody holds it, without touching it.
[[nodiscard]] bool is_locked(int directory, const char* name);

}  // namespace weir::supervisor
