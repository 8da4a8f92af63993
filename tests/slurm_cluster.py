"""A real Slurm on this machine for tests: munged, slurmctld, a slurmd for each emulated node, slurmrestd. Root only.

As a program it runs a cluster until its standard input ends:

    slurm_cluster.py FOLDER NODES USER     (a folder that USER can pass through; how many nodes; whose jobs and REST socket)

It prints `ready` once all nodes are idle, or `skipped WHY`. Its input may say, a line each: `kill PART`, `start PART` (slurmctld,
slurmrestd, or a slurmd by its node's name); each is answered by `ok`. The nodes are emulated: several slurmd on one host, each of which
says that it has four cards of a kind that is not there (device files onto /dev/null stand for them).
"""
import os
import pathlib
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

CARDS = 4          # emulated cards of a node
WAIT_S = 60        # for a part to be up
PROGRAMS = ("munged", "slurmctld", "slurmd", "slurmrestd", "scontrol", "sinfo", "srun")


def why_not():
    """Why no cluster can run here, or nothing."""
    if os.geteuid() != 0:
        return "only root can run slurmd for another user"
    missing = [name for name in PROGRAMS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing:
        return f"{', '.join(missing)} not installed; see packages.txt"
    return None


def free_ports(count):
    """Below the ports that clients are given, so that nobody takes them while a daemon is dead."""
    ports = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def wait_for(what, holds):
    end = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {WAIT_S} s")
        time.sleep(0.05)


class Cluster:
    """A cluster below a folder; `nodes` are n1, n2, ..."""

    def __init__(self, folder, count, user):
        self.folder = pathlib.Path(folder)
        self.nodes = [f"n{number + 1}" for number in range(count)]
        self.user = pwd.getpwnam(user)
        self.conf = self.folder / "etc" / "slurm.conf"
        self.socket = self.folder / "rest" / "slurmrestd.sock"
        self.parts = {}
        self.env = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "SLURM_CONF": str(self.conf), "LANG": "C.UTF-8"}

    def write_files(self):
        for name in ("etc", "munge", "log", "run", "state", "dev", "rest"):
            (self.folder / name).mkdir(parents=True)
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o755)
        os.chown(self.folder / "rest", self.user.pw_uid, self.user.pw_gid)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        jwt = self.folder / "etc" / "jwt.key"
        jwt.write_bytes(secrets.token_bytes(32))
        jwt.chmod(0o600)
        ports = free_ports(1 + len(self.nodes))
        devices = self.folder / "dev"
        for number in range(CARDS):
            os.mknod(devices / f"card{number}", 0o20666, os.makedev(1, 3))
        nodes = "\n".join(
            f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=16 Sockets=1 CoresPerSocket=16 "
            f"ThreadsPerCore=1 RealMemory=64000 Gres=gpu:l20:{CARDS} State=UNKNOWN" for name, port in zip(self.nodes, ports[1:]))
        (self.folder / "etc" / "gres.conf").write_text(
            "".join(f"NodeName={name} Name=gpu Type=l20 File={devices}/card[0-{CARDS - 1}]\n" for name in self.nodes))
        self.conf.write_text(f"""ClusterName=weir
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={self.folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool-%n
SlurmctldPidFile={self.folder}/run/slurmctld.pid
SlurmdPidFile={self.folder}/run/slurmd-%n.pid
SlurmctldLogFile={self.folder}/log/slurmctld.log
SlurmdLogFile={self.folder}/log/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
DefMemPerCPU=64
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,sched_min_interval=10000,batch_sched_delay=0
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=120
SlurmdTimeout=60
InactiveLimit=0
KillWait=5
MinJobAge=300
PropagateResourceLimits=NONE
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
{nodes}
PartitionName=train Nodes=ALL Default=YES MaxTime=INFINITE State=UP
""")

    def start(self):
        self.write_files()
        self.start_part("munged")
        self.start_part("slurmctld")
        for name in self.nodes:
            self.start_part(name)
        self.start_part("slurmrestd")
        self.await_idle()

    def await_idle(self):
        wait_for("all nodes", lambda: self.run("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split() == self.nodes)

    def run(self, *words):
        """What a command of Slurm prints; empty where it fails."""
        done = subprocess.run(words, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def words_of(self, part):
        below = self.folder / "munge"
        if part == "munged":
            return ["munged", "--foreground", f"--key-file={below}/key", f"--socket={below}/socket", f"--pid-file={below}/pid",
                    f"--log-file={below}/log", f"--seed-file={below}/seed", "--num-threads=2", "--force"]
        if part == "slurmctld":
            return ["slurmctld", "-D"]
        if part == "slurmrestd":
            # It refuses to be root, and to be Slurm's own user.
            user = ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups"]
            return user + ["slurmrestd", "-f", str(self.conf), "-a", "rest_auth/local", "-s", "openapi/v0.0.38",
                           f"unix:{self.socket}"]
        return ["slurmd", "-D", "-N", part]

    def start_part(self, part):
        if part == "slurmrestd":
            self.socket.unlink(missing_ok=True)
        with open(self.folder / "log" / f"{part}.out", "ab") as log:
            self.parts[part] = subprocess.Popen(self.words_of(part), env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                start_new_session=True)
        if part == "munged":
            wait_for(part, (self.folder / "munge" / "socket").exists)
        elif part == "slurmctld":
            wait_for(part, lambda: "UP" in self.run("scontrol", "ping"))
        elif part == "slurmrestd":
            wait_for(part, self.socket.exists)

    def kill_part(self, part):
        """kill -9 of the daemon alone: its jobs' processes have parents of their own."""
        if part == "slurmctld":
            self.await_saved()
        process = self.parts.pop(part)
        process.kill()
        process.wait()

    def await_saved(self):
        """Until the controller has written down all that it knows; it does so seconds after a change, and what was not forgets its jobs."""
        mark = f"mark-{secrets.token_hex(8)}"
        for job in self.run("squeue", "-h", "-o", "%i").split():
            self.run("scontrol", "update", f"jobid={job}", f"comment={mark}")
            wait_for("the controller's saved state", lambda: mark.encode() in (self.folder / "state" / "job_state").read_bytes())

    def jobs(self):
        """Of Slurm's queue: (id, name, state)."""
        text = self.run("squeue", "-h", "-t", "all", "-o", "%i|%j|%T")
        return [tuple(line.split("|")) for line in text.splitlines()]

    def stop(self):
        """Ends all jobs, then all daemons."""
        if "slurmctld" in self.parts:
            self.run("scancel", "-f", "-u", self.user.pw_name)
            try:
                wait_for("an empty queue", lambda: not self.run("squeue", "-h").strip())
            except RuntimeError as error:
                print(error, file=sys.stderr)
        for process in self.parts.values():
            process.send_signal(signal.SIGTERM)
        for process in self.parts.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.parts.clear()


def main():
    folder, count, user = sys.argv[1:]
    why = why_not()
    if why:
        print(f"skipped {why}", flush=True)
        return 0
    cluster = Cluster(folder, int(count), user)
    try:
        cluster.start()
        print("ready", flush=True)
        for line in sys.stdin:
            verb, part = line.split()
            if verb == "kill":
                cluster.kill_part(part)
            else:
                cluster.start_part(part)
            print("ok", flush=True)
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
