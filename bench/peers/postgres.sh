#!/usr/bin/env bash
# usage: bench/peers/postgres.sh start DIRECTORY PORT | stop DIRECTORY
# A PostgreSQL 15 in a directory of its own, on the loopback, with Debian's defaults: fsync, full_page_writes and synchronous_commit on.
# Only shared_buffers and max_connections are given, as any operator would. DIRECTORY must not exist.
set -euo pipefail

die() { echo "postgres.sh: $*" >&2; exit 1; }
bin=/usr/lib/postgresql/15/bin
[[ -x $bin/postgres ]] || die "PostgreSQL 15 is not installed; ./dev bench installs what bench/packages.txt names"

# The server refuses to run as root.
as_server() {
    if ((EUID == 0)); then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

dir=${2:?a directory}
case ${1:-} in
start)
    port=${3:?a port}
    mkdir "$dir"
    chmod 700 "$dir"
    if ((EUID == 0)); then chown postgres: "$dir"; fi
    cd "$dir"
    as_server "$bin/initdb" -D "$dir/data" -A trust -U postgres -E UTF8 --locale=C >"$dir/initdb.log" 2>&1 </dev/null ||
        { cat "$dir/initdb.log" >&2; die "initdb failed"; }
    as_server "$bin/pg_ctl" -D "$dir/data" -w -s -l "$dir/data/server.log" \
        -o "-c listen_addresses=127.0.0.1 -p $port -k $dir -c shared_buffers=256MB -c max_connections=200" start \
        >/dev/null 2>&1 </dev/null || { cat "$dir/data/server.log" >&2; die "the server did not start"; }
    ;;
stop)
    [[ -s $dir/data/postmaster.pid ]] || exit 0
    cd "$dir"
    as_server "$bin/pg_ctl" -D "$dir/data" -m fast -w -s stop
    ;;
*) die "usage: postgres.sh start DIRECTORY PORT | stop DIRECTORY" ;;
esac
