#include "sim/lying_disk/lying_vfs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace weir::sim {
namespace {

constexpr int longest_path = 512;

int code_of(Verdict verdict, int error) {
    switch (verdict) {
        case Verdict::done: return SQLITE_OK;
        case Verdict::full: return SQLITE_FULL;
        case Verdict::power_off:
        case Verdict::failed: break;
    }
    return error;
}

}  // namespace

struct LyingMachine::Handle {
    sqlite3_file base{};
    LyingMachine* machine = nullptr;
    std::uint64_t boot = 0;
    File file;
    std::string path;
    bool read_only = false;
    bool remove_on_close = false;
    bool directory_unsynced = false;
    int lock = SQLITE_LOCK_NONE;
    std::shared_ptr<SharedMemory> shared;
    std::array<bool, SQLITE_SHM_NLOCK> reads{};

    [[nodiscard]] bool dead() const { return boot != machine->boot_ || machine->disk_.power_is_off(); }
};

/// Each takes the machine's mutex; a handle of an earlier boot only sees errors.
struct LyingMachine::Methods {
    static Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }

    static int close(sqlite3_file* file) {
        Handle& handle = of(file);
        {
            const std::scoped_lock hold{handle.machine->mutex_};
            if (!handle.dead()) {
                unlock_to(handle, SQLITE_LOCK_NONE);
                drop_shared(handle);
                if (handle.remove_on_close) (void)handle.machine->disk_.remove(handle.path, false);
            }
        }
        handle.~Handle();
        return SQLITE_OK;
    }
    static int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
        const Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_IOERR_READ;
        const auto& bytes = handle.file->current;
        const auto start = std::min(static_cast<std::size_t>(offset), bytes.size());
        const auto count = std::min(static_cast<std::size_t>(size), bytes.size() - start);
        std::memcpy(into, bytes.data() + start, count);
        if (count == static_cast<std::size_t>(size)) return SQLITE_OK;
        std::memset(static_cast<char*>(into) + count, 0, static_cast<std::size_t>(size) - count);
        return SQLITE_IOERR_SHORT_READ;
    }
    static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
        const Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_IOERR_WRITE;
        if (handle.read_only || handle.machine->disk_.read_only()) return SQLITE_READONLY;
        const std::string_view bytes{static_cast<const char*>(from), static_cast<std::size_t>(size)};
        return code_of(handle.machine->disk_.write(*handle.file, static_cast<std::uint64_t>(offset), bytes), SQLITE_IOERR_WRITE);
    }
    static int truncate(sqlite3_file* file, sqlite3_int64 size) {
        const Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_IOERR_TRUNCATE;
        return code_of(handle.machine->disk_.truncate(*handle.file, static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
    }
    static int sync(sqlite3_file* file, int) {
        Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_IOERR_FSYNC;
        const auto verdict = handle.machine->disk_.sync(*handle.file, handle.directory_unsynced);
        if (verdict == Verdict::done) handle.directory_unsynced = false;
        return code_of(verdict, SQLITE_IOERR_FSYNC);
    }
    static int size(sqlite3_file* file, sqlite3_int64* size) {
        const Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_IOERR_FSTAT;
        *size = static_cast<sqlite3_int64>(handle.file->current.size());
        return SQLITE_OK;
    }
    static int lock(sqlite3_file* file, int level) {
        Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_IOERR_LOCK;
        if (level <= handle.lock) return SQLITE_OK;
        auto& locks = handle.machine->locks_[handle.path];
        const bool barred = locks.exclusive != nullptr && locks.exclusive != &handle;
        if (handle.lock == SQLITE_LOCK_NONE) {
            if (barred) return SQLITE_BUSY;
            ++locks.shared;
            handle.lock = SQLITE_LOCK_SHARED;
        }
        if (level == SQLITE_LOCK_RESERVED) {
            if (locks.reserved != nullptr && locks.reserved != &handle) return SQLITE_BUSY;
            locks.reserved = &handle;
            handle.lock = SQLITE_LOCK_RESERVED;
        }
        if (level == SQLITE_LOCK_EXCLUSIVE) {
            if (barred || (locks.reserved != nullptr && locks.reserved != &handle)) return SQLITE_BUSY;
            locks.exclusive = &handle;
            handle.lock = SQLITE_LOCK_PENDING;
            if (locks.shared > 1) return SQLITE_BUSY;
            handle.lock = SQLITE_LOCK_EXCLUSIVE;
        }
        return SQLITE_OK;
    }
    static void unlock_to(Handle& handle, int level) {
        auto& locks = handle.machine->locks_[handle.path];
        if (level >= handle.lock) return;
        if (locks.reserved == &handle) locks.reserved = nullptr;
        if (locks.exclusive == &handle) locks.exclusive = nullptr;
        if (level == SQLITE_LOCK_NONE) --locks.shared;
        handle.lock = level;
    }
    static int unlock(sqlite3_file* file, int level) {
        Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (!handle.dead()) unlock_to(handle, level);
        return SQLITE_OK;
    }
    static int reserved(sqlite3_file* file, int* held) {
        const Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        const auto& locks = handle.machine->locks_[handle.path];
        *held = locks.reserved != nullptr || locks.exclusive != nullptr ? 1 : 0;
        return SQLITE_OK;
    }
    static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
    static int sector_size(sqlite3_file*) { return 4096; }
    static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

    static int map_shared(sqlite3_file* file, int region, int bytes, int extend, void volatile** mapped) {
        Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        *mapped = nullptr;
        if (handle.dead()) return SQLITE_IOERR_SHMMAP;
        auto& shared = handle.machine->shared_memory_[handle.path];
        if (!shared) shared = std::make_shared<SharedMemory>();
        handle.shared = shared;
        auto& memory = shared->regions[region];
        if (!memory && extend != 0) memory = std::make_unique<char[]>(static_cast<std::size_t>(bytes));
        *mapped = memory.get();
        return SQLITE_OK;
    }
    static int lock_shared(sqlite3_file* file, int first, int count, int flags) {
        Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead() || !handle.shared) return SQLITE_IOERR_SHMLOCK;
        auto& shared = *handle.shared;
        const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
        for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(first + count); ++i) {
            if ((flags & SQLITE_SHM_UNLOCK) != 0)
                release(handle, i);
            else if (shared.writer[i] != nullptr && shared.writer[i] != &handle)
                return SQLITE_BUSY;
            else if (exclusive && shared.readers[i] > (handle.reads[i] ? 1 : 0))
                return SQLITE_BUSY;
        }
        if ((flags & SQLITE_SHM_UNLOCK) != 0) return SQLITE_OK;
        for (auto i = static_cast<std::size_t>(first); i < static_cast<std::size_t>(first + count); ++i) {
            if (exclusive)
                shared.writer[i] = &handle;
            else if (!std::exchange(handle.reads[i], true))
                ++shared.readers[i];
        }
        return SQLITE_OK;
    }
    static void release(Handle& handle, std::size_t i) {
        if (handle.shared->writer[i] == &handle) handle.shared->writer[i] = nullptr;
        if (std::exchange(handle.reads[i], false)) --handle.shared->readers[i];
    }
    static void barrier(sqlite3_file* file) { const std::scoped_lock hold{of(file).machine->mutex_}; }
    static void drop_shared(Handle& handle) {
        if (!handle.shared) return;
        for (std::size_t i = 0; i < SQLITE_SHM_NLOCK; ++i) release(handle, i);
        handle.shared.reset();
        // As on Unix, the first to map it again finds it empty and reads the log anew.
        auto& all = handle.machine->shared_memory_;
        if (const auto at = all.find(handle.path); at != all.end() && at->second.use_count() == 1) all.erase(at);
    }
    static int unmap_shared(sqlite3_file* file, int remove) {
        Handle& handle = of(file);
        const std::scoped_lock hold{handle.machine->mutex_};
        if (handle.dead()) return SQLITE_OK;
        drop_shared(handle);
        if (remove != 0) handle.machine->shared_memory_.erase(handle.path);
        return SQLITE_OK;
    }

    static constexpr sqlite3_io_methods table{
        2,           close,           read,       write,       truncate, sync,         size,    lock,   unlock, reserved, control,
        sector_size, characteristics, map_shared, lock_shared, barrier,  unmap_shared, nullptr, nullptr};
};

struct LyingMachine::Calls {
    static LyingMachine& of(sqlite3_vfs* vfs) { return *static_cast<LyingMachine*>(vfs->pAppData); }

    static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
        LyingMachine& machine = of(vfs);
        const std::scoped_lock hold{machine.mutex_};
        file->pMethods = nullptr;
        if (machine.disk_.power_is_off()) return SQLITE_IOERR;
        const std::string path = name == nullptr ? std::string{} : std::string{name};
        auto inode = path.empty() ? std::make_shared<Inode>() : machine.disk_.find(path);
        const bool read_only = machine.disk_.read_only() || (flags & SQLITE_OPEN_READONLY) != 0;
        if (!inode) {
            if ((flags & SQLITE_OPEN_CREATE) == 0 || machine.disk_.read_only()) return SQLITE_CANTOPEN;
            if (machine.disk_.create(path) != Verdict::done) return SQLITE_CANTOPEN;
            inode = machine.disk_.find(path);
        }
        auto* handle = new (file) Handle;
        handle->machine = &machine;
        handle->boot = machine.boot_;
        handle->file = std::move(inode);
        handle->path = path;
        handle->read_only = read_only;
        handle->remove_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0 && !path.empty();
        constexpr int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
        handle->directory_unsynced = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0;
        handle->base.pMethods = &Methods::table;
        constexpr int modes = SQLITE_OPEN_READWRITE | SQLITE_OPEN_READONLY;
        if (flags_out != nullptr) *flags_out = read_only ? (flags & ~modes) | SQLITE_OPEN_READONLY : flags;
        return SQLITE_OK;
    }
    static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
        LyingMachine& machine = of(vfs);
        const std::scoped_lock hold{machine.mutex_};
        if (machine.disk_.power_is_off()) return SQLITE_IOERR_DELETE;
        if (machine.disk_.read_only()) return SQLITE_READONLY;
        if (!machine.disk_.find(name)) return SQLITE_IOERR_DELETE_NOENT;
        return code_of(machine.disk_.remove(name, sync_directory != 0), SQLITE_IOERR_DELETE);
    }
    static int access(sqlite3_vfs* vfs, const char* name, int flags, int* answer) {
        LyingMachine& machine = of(vfs);
        const std::scoped_lock hold{machine.mutex_};
        if (machine.disk_.power_is_off()) return SQLITE_IOERR_ACCESS;
        const auto file = machine.disk_.find(name);
        const bool usable = file && !(flags == SQLITE_ACCESS_EXISTS && file->current.empty());
        *answer = usable && !(flags == SQLITE_ACCESS_READWRITE && machine.disk_.read_only()) ? 1 : 0;
        return SQLITE_OK;
    }
    static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
        sqlite3_snprintf(size, out, "%s", name);
        return SQLITE_OK;
    }
    static int randomness(sqlite3_vfs* vfs, int size, char* out) {
        LyingMachine& machine = of(vfs);
        const std::scoped_lock hold{machine.mutex_};
        std::generate_n(out, size, [&] { return static_cast<char>(machine.random_.below(256)); });
        return size;
    }
    static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
    static int time(sqlite3_vfs*, double* julian_day) {
        *julian_day = 2'460'000.5;
        return SQLITE_OK;
    }
    static int last_error(sqlite3_vfs*, int, char*) { return 0; }
};

LyingMachine::LyingMachine(std::uint64_t seed)
    : disk_{seed}, random_{seed, "lying machine"}, name_{fmt::format("lying-{}", static_cast<const void*>(this))} {
    vfs_.iVersion = 1;
    vfs_.szOsFile = sizeof(Handle);
    vfs_.mxPathname = longest_path;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = &Calls::open;
    vfs_.xDelete = &Calls::remove;
    vfs_.xAccess = &Calls::access;
    vfs_.xFullPathname = &Calls::full_path;
    vfs_.xRandomness = &Calls::randomness;
    vfs_.xSleep = &Calls::sleep;
    vfs_.xCurrentTime = &Calls::time;
    vfs_.xGetLastError = &Calls::last_error;
    sqlite3_vfs_register(&vfs_, 0);
}

LyingMachine::~LyingMachine() { sqlite3_vfs_unregister(&vfs_); }

void LyingMachine::restart() {
    const std::scoped_lock hold{mutex_};
    disk_.restart();
    ++boot_;
    locks_.clear();
    shared_memory_.clear();
}

}  // namespace weir::sim
