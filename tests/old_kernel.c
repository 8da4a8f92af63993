/* old_kernel.c: runs a program as Linux 4.19 would, the oldest kernel that Weir's client and agent meet (Kylin V10, openEuler 20.03).
 *
 * usage: old_kernel PROGRAM [ARGUMENT...]
 *
 * Every system call that came later is answered with ENOSYS, to the program and to all that it starts. Since 5.1 new calls have one
 * number on every architecture, from 424 on. What else changed with the years (options of calls that were there, files of /proc) is
 * as it is on this machine's kernel. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { first_call_of_5_1 = 424 };

int main(int count, char** arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: old_kernel PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_call_of_5_1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)) {
        fprintf(stderr, "old_kernel: the filter is refused: %s\n", strerror(errno));
        return 125;
    }
    execv(arguments[1], arguments + 1);
    fprintf(stderr, "old_kernel: %s: %s\n", arguments[1], strerror(errno));
    return 126;
}
