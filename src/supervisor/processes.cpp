#include "supervisor/processes.hpp"

#include "supervisor/system.hpp"
#include "supervisor/text.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

namespace weir::supervisor {
namespace {

/// The n-th blank-separated field of `rest`, from 1.
std::string_view field(std::string_view rest, int n) {
    std::string_view value;
    for (int i = 0; i < n; ++i) value = take_until(rest, ' ');
    return value;
}

}  // namespace

std::optional<Process> read_process(pid_t pid) {
    char path_room[64];
    TextBuffer path{path_room};
    path.add("/proc/").add(std::int64_t{pid}).add("/stat");
    char room[1024];
    const auto text = read_file(AT_FDCWD, path.c_str(), room);
    if (!text) return std::nullopt;
    // The second field is the program's name in parentheses and may itself hold blanks and parentheses.
    const auto* const name_end = static_cast<const char*>(memrchr(text->data(), ')', text->size()));
    if (name_end == nullptr || name_end + 2 > text->data() + text->size()) return std::nullopt;
    const std::string_view rest{name_end + 2, static_cast<std::size_t>(text->data() + text->size() - name_end) - 2};
    const auto parent = parse_number(field(rest, 2));
    const auto session = parse_number(field(rest, 4));
    const auto start = parse_number(field(rest, 20));
    if (!parent || !session || !start) return std::nullopt;
    return Process{.pid = pid,
                   .parent = static_cast<pid_t>(*parent),
                   .session = static_cast<pid_t>(*session),
                   .depth = 0,
                   .start_ticks = *start,
                   .zombie = rest.front() == 'Z' || rest.front() == 'X',
                   .stopped = rest.front() == 'T' || rest.front() == 't'};
}

ProcessTable::ProcessTable() {
    void* const room = mmap(nullptr, capacity * sizeof(Process), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room != MAP_FAILED) rows_ = static_cast<Process*>(room);
}

ProcessTable::~ProcessTable() {
    if (rows_ != nullptr) munmap(rows_, capacity * sizeof(Process));
}

bool ProcessTable::read() {
    size_ = 0;
    DIR* const folder = rows_ == nullptr ? nullptr : opendir("/proc");
    if (folder == nullptr) return false;
    bool whole = true;
    while (const dirent* const entry = readdir(folder)) {
        const auto pid = parse_number(entry->d_name);
        if (!pid) continue;
        const auto process = size_ < capacity ? read_process(static_cast<pid_t>(*pid)) : std::nullopt;
        if (process) {
            rows_[size_++] = *process;
        } else if (size_ == capacity || errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
            whole = false;  // others have ended meanwhile
        }
    }
    closedir(folder);
    return whole;
}

std::span<Process> ProcessTable::keep_descendants(pid_t root) {
    // Generation by generation. Chosen rows move to the front, so each pass looks for children of the last one only.
    std::size_t chosen = 0;
    std::size_t parents_from = 0;
    for (std::uint32_t depth = 1;; ++depth) {
        const std::size_t parents_to = chosen;
        for (std::size_t at = parents_to; at < size_; ++at) {
            bool child = depth == 1 && rows_[at].parent == root;
            for (std::size_t p = parents_from; !child && p < parents_to; ++p) child = rows_[at].parent == rows_[p].pid;
            if (!child) continue;
            rows_[at].depth = depth;
            std::swap(rows_[at], rows_[chosen++]);
        }
        if (chosen == parents_to) break;
        parents_from = parents_to;
    }
    size_ = chosen;
    return all();
}

bool catches_signal(pid_t pid, int number) {
    char path_room[64];
    TextBuffer path{path_room};
    path.add("/proc/").add(std::int64_t{pid}).add("/status");
    char room[4096];
    const auto text = read_file(AT_FDCWD, path.c_str(), room);
    if (!text) return false;
    std::string_view rest = *text;
    while (const auto line = take_line(rest)) {
        if (!line->starts_with("SigCgt:\t")) continue;
        const char* const digits = line->data() + 8;
        std::uint64_t mask = 0;
        const auto error = std::from_chars(digits, line->data() + line->size(), mask, 16).ec;
        return error == std::errc{} && number >= 1 && number <= 64 && (mask >> (number - 1) & 1) == 1;
    }
    return false;
}

}  // namespace weir::supervisor
