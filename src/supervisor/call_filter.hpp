// supervisor/call_filter.hpp: the system calls that a tenant's programs may not make.
//
// It answers one question: which doors of the kernel stay shut for a task, whatever it runs? Today one: new user namespaces, in which
// a program is root to much of the kernel. The filter is set by the init once it has given up its privileges; every program of the
// task inherits it, and none can take it off. It needs no right and no sandbox, only a kernel with filters.
#pragma once

namespace weir::supervisor {

/// Whether this kernel takes filters at all. Changes nothing.
[[nodiscard]] bool can_filter_calls();

/// From here on no program below this one makes a user namespace: it is told EPERM, and of clone3, whose flags a filter cannot read,
/// ENOSYS, upon which C libraries use clone. After PR_SET_NO_NEW_PRIVS. @returns 0 or errno.
[[nodiscard]] int forbid_user_namespaces();

}  // namespace weir::supervisor
