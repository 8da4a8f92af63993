#include "supervisor/call_filter.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace weir::supervisor {
namespace {

/// Numbers of the calls that can make a namespace. clone3 has the same number wherever it is.
struct Calls {
    std::uint32_t architecture = 0;
    std::uint32_t clone = 0;
    std::uint32_t unshare = 0;
};

constexpr std::uint32_t clone3 = 435;
constexpr std::uint32_t x32_bit = 0x40000000;  ///< Calls of the x32 form have it set in their number.

/// With the forms for 32 bits that the same kernel answers: nobody passes by them.
constexpr std::array families{
#if defined(__x86_64__)
    Calls{AUDIT_ARCH_X86_64, 56, 272},
    Calls{AUDIT_ARCH_I386, 120, 310},
#elif defined(__aarch64__)
    Calls{AUDIT_ARCH_AARCH64, 220, 97},
    Calls{AUDIT_ARCH_ARM, 120, 337},
#else
#error "name the calls of this architecture that make a namespace"
#endif
};

// The kernel's own headers name the calls of the architecture that is compiled for; those of the 32-bit forms are in none of them.
static_assert(families[0].clone == __NR_clone && families[0].unshare == __NR_unshare && clone3 == __NR_clone3);

constexpr sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
constexpr sock_filter answer(std::uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
constexpr sock_filter jump_if_equal(std::uint32_t value, std::uint8_t then, std::uint8_t otherwise) {
    return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise);
}

constexpr std::size_t steps_of_family = 11;
using Steps = std::array<sock_filter, steps_of_family>;

/// Answers every call of one architecture; passes on those of another, whose word is still at hand.
constexpr Steps steps_of(const Calls& calls) {
    return {
        jump_if_equal(calls.architecture, 0, steps_of_family - 1),
        load(offsetof(seccomp_data, nr)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~x32_bit),
        jump_if_equal(clone3, 4, 0),
        jump_if_equal(calls.clone, 1, 0),
        jump_if_equal(calls.unshare, 0, 3),
        // The flags are the first argument of both, in its lower half.
        load(offsetof(seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 2, 1),
        answer(SECCOMP_RET_ERRNO | ENOSYS),
        answer(SECCOMP_RET_ALLOW),
        answer(SECCOMP_RET_ERRNO | EPERM),
    };
}

constexpr std::size_t program_size = families.size() * steps_of_family + 2;

constexpr std::array<sock_filter, program_size> make_program() {
    std::array<sock_filter, program_size> program{};
    std::size_t size = 0;
    program[size++] = load(offsetof(seccomp_data, arch));
    for (const auto& calls : families) {
        for (const auto& step : steps_of(calls)) program[size++] = step;
    }
    program[size] = answer(SECCOMP_RET_ERRNO | ENOSYS);
    return program;
}

}  // namespace

bool can_filter_calls() {
    // No filter is at no address: a kernel that knows filters says so, another does not know the word.
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) != 0 && errno == EFAULT;
}

int forbid_user_namespaces() {
    auto program = make_program();
    const sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0 ? 0 : errno;
}

}  // namespace weir::supervisor
