/* sick_disk.c: a disk that is full, cannot sync or refuses writes, at the moment a test chooses.
 *
 * Loaded before the C library (LD_PRELOAD) it stands in for the calls by which a program writes files, and lets them through while
 * the file named by WEIR_SICK_DISK is empty or missing. The first letter in that file says what is wrong with everything below the
 * folder WEIR_SICK_BELOW: `f` full (writes that make a file longer: ENOSPC), `s` sync (EIO), `r` read-only (opening for writing
 * and new folders: EROFS).
 * The answers are the kernel's own, so what is tested is the program and its libraries as they are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char sickness(void) {
    static int (*plain_open)(const char*, int, ...);
    if (plain_open == NULL) plain_open = dlsym(RTLD_NEXT, "open");
    const char* path = getenv("WEIR_SICK_DISK");
    const int file = path == NULL ? -1 : plain_open(path, O_RDONLY | O_CLOEXEC);
    char letter = 0;
    if (file < 0 || read(file, &letter, 1) != 1) letter = 0;
    if (file >= 0) close(file);
    return letter;
}

static int below(const char* path) {
    const char* folder = getenv("WEIR_SICK_BELOW");
    return folder != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int on_disk(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return below(path);
}

static int is_full(int file, off_t end) {
    struct stat status;
    return sickness() == 'f' && on_disk(file) && fstat(file, &status) == 0 && end > status.st_size;
}

static ssize_t no_space(void) {
    errno = ENOSPC;
    return -1;
}

static int refuses(const char* path, int flags) {
    return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0 && sickness() == 'r' && below(path);
}

/* What stands behind the call that is being replaced. */
#define REAL(name)                   \
    static __typeof__(&name) real;   \
    if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRITE_AT(name, offset_type)                                                    \
    ssize_t name(int file, const void* bytes, size_t size, offset_type offset) {       \
        REAL(name);                 \
        return is_full(file, offset + (off_t)size) ? no_space() : real(file, bytes, size, offset); \
    }
WRITE_AT(pwrite, off_t)
WRITE_AT(pwrite64, off64_t)

ssize_t write(int file, const void* bytes, size_t size) {
    REAL(write);
    const off_t at = lseek(file, 0, SEEK_CUR);
    return at >= 0 && is_full(file, at + (off_t)size) ? no_space() : real(file, bytes, size);
}

#define SYNC(name)                                        \
    int name(int file) {                                  \
        REAL(name);                         \
        if (sickness() != 's' || !on_disk(file)) return real(file); \
        errno = EIO;                                      \
        return -1;                                        \
    }
SYNC(fsync)
SYNC(fdatasync)

#define OPEN(name)                                        \
    int name(const char* path, int flags, ...) {          \
        REAL(name);       \
        va_list more;                                     \
        va_start(more, flags);                            \
        const mode_t mode = va_arg(more, mode_t);         \
        va_end(more);                                     \
        if (!refuses(path, flags)) return real(path, flags, mode); \
        errno = EROFS;                                    \
        return -1;                                        \
    }

char* mkdtemp(char* path) {
    REAL(mkdtemp);
    if (!refuses(path, O_CREAT)) return real(path);
    errno = EROFS;
    return NULL;
}

OPEN(open)
OPEN(open64)
