// adapters/site_slurm/step_script.hpp: what Slurm runs on each node of a gang, before our supervisor.
//
// It answers one question: how does a task's part of a Slurm job become its supervisor, once, with what only its own host can know?
// The step says in the task's folder where it is (job, boot, clock, cards), again each second, and waits. The agent answers with the spec,
// a lease in that host's own clock, and last the file `begin`; without it nothing begins, whatever Slurm does. A job that Slurm runs again
// begins nothing.
#pragma once

namespace weir::site_slurm {

inline constexpr const char* step_file = "weir-step";
inline constexpr const char* nodes_file = "nodes";     ///< Of a generation: `rank node`, one a line.
inline constexpr const char* arrival_file = "arrival";
inline constexpr const char* begin_file = "begin";     ///< `JOB BOOT`: who may begin.

/// Arguments: the generation's folder, the supervisor, how many seconds to wait. Exit codes are for Slurm's records alone.
inline constexpr const char* step_script = R"(#!/bin/sh
umask 077
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || exit 75
cd "$1" || exit 71
rank=
while read -r number node; do
    [ "$node" = "$SLURMD_NODENAME" ] && rank=$number
done < nodes
[ -n "$rank" ] || exit 72
cd "$rank" || exit 71
read -r boot < /proc/sys/kernel/random/boot_id
left=$3
while [ ! -e status ] && [ "$left" -gt 0 ]; do
    read -r up idle < /proc/uptime
    printf 'weir-arrival 1\njob %s\nboot_id %s\nuptime %s\nnode %s\ncards %s\nend\n' "$SLURM_JOB_ID" "$boot" "$up" \
        "$SLURMD_NODENAME" "${CUDA_VISIBLE_DEVICES:-${SLURM_JOB_GPUS:-}}" > arrival.new && mv -f arrival.new arrival
    for look in 1 2 3 4 5 6 7 8 9 10; do
        if [ -e begin ] && read -r job where < begin && [ "$job $where" = "$SLURM_JOB_ID $boot" ]; then
            exec "$2" "$PWD/spec"
        fi
        sleep 0.1
    done
    left=$((left - 1))
done
[ -e status ] || exit 75
)";

}  // namespace weir::site_slurm
