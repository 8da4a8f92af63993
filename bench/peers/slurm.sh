#!/usr/bin/env bash
# usage: bench/peers/slurm.sh start DIRECTORY CONTROL_PORT REST_PORT | stop DIRECTORY
# A Slurm 22.05 controller with its REST server, for measuring submissions. All of it lies below DIRECTORY and listens on the loopback.
#
# There is one node of 64 processors and no slurmd, so every job is accepted and waits: what is measured is submission alone, and no
# job takes time from it. Authentication (munge, JWT for REST), the save of state and the scheduler are as Debian ships them; only
# MaxJobCount is raised, or submissions would be refused after 10,000.
#
# Afterwards DIRECTORY/etc/slurm.conf is for sbatch (SLURM_CONF) and DIRECTORY/token holds root's token for the REST server.
set -euo pipefail

die() { echo "slurm.sh: $*" >&2; exit 1; }

await() { # WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    tail -n 20 "$dir"/log/* >&2 || true
    die "$what did not come up in 10 s"
}

start() {
    local control=$1 rest=$2 program
    ((EUID == 0)) || die "needs root: slurmrestd refuses to run as the controller's user, so two users are needed"
    for program in munged slurmctld slurmrestd sbatch scontrol setpriv; do
        command -v "$program" >/dev/null || die "$program is not installed; ./dev bench installs what bench/packages.txt names"
    done
    mkdir -p "$dir"/{etc,munge,log,run,state}
    chmod 711 "$dir"
    chmod 755 "$dir"/{etc,munge,log,run,state}
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 400 "$dir/munge/key"
    head -c 32 /dev/urandom >"$dir/etc/jwt.key"
    chmod 600 "$dir/etc/jwt.key"
    cat >"$dir/etc/slurm.conf" <<CONF
ClusterName=bench
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$control
SlurmUser=root
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$dir/etc/jwt.key
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdSpoolDir=$dir/run/spool
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MaxJobCount=1000000
NodeName=n1 NodeAddr=127.0.0.1 Port=1 CPUs=64 RealMemory=1000000 State=DOWN
PartitionName=batch Nodes=n1 Default=YES MaxTime=INFINITE State=UP
CONF
    export SLURM_CONF=$dir/etc/slurm.conf
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/run/munged.pid" \
        --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"
    slurmctld >"$dir/log/slurmctld.out" 2>&1 </dev/null
    await slurmctld scontrol ping
    scontrol token username=root lifespan=86400 | sed 's/^SLURM_JWT=//' >"$dir/token"
    # SLURM_JWT=daemon: or every token is refused. It runs as nobody, who may not read the key of the tokens.
    SLURM_JWT=daemon setpriv --reuid=nobody --regid=nogroup --clear-groups slurmrestd -f "$SLURM_CONF" -a rest_auth/jwt \
        -s openapi/v0.0.38 "127.0.0.1:$rest" >"$dir/log/slurmrestd.log" 2>&1 </dev/null &
    echo $! >"$dir/run/slurmrestd.pid"
    await slurmrestd bash -c "exec 3<>/dev/tcp/127.0.0.1/$rest"
}

stop() {
    local name pid
    for name in slurmrestd slurmctld munged; do
        [[ -s $dir/run/$name.pid ]] || continue
        pid=$(<"$dir/run/$name.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null || true
    done
}

dir=${2:?a directory}
case ${1:-} in
start) start "${3:?the controller\'s port}" "${4:?the port of the REST server}" ;;
stop) stop ;;
*) die "usage: slurm.sh start DIRECTORY CONTROL_PORT REST_PORT | stop DIRECTORY" ;;
esac
