"""The programs on a host that has nothing of ours: no library, other plug-ins for names, an older kernel, another processor.

usage: anywhere_test.py --programs DIR --source DIR --old-kernel PROGRAM [--carried DIR [--emulator PROGRAM]]

Goal: weir and weir-supervisor run wherever Linux 4.19 or newer does. Method: the real server of --programs; the client in a root that
holds nothing but itself and /etc, in a network of its own with a name server of this test; then an agent with its supervisor and a task
of a few words. Client and agent also run as a kernel of that age would let them (old_kernel.c). --carried names the programs to be
tested where they are not those of --programs, and --emulator what runs them where they are of another processor.

What an emulator cannot show: qemu-user passes calls on to this machine's kernel, whose pages and call numbers are this machine's, and
refuses two prctl options that the supervisor needs: filters of calls, and to inherit the orphans of a task. So there client and agent
are tested, and that the supervisor says why it starts no task.
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from cli_test import DEADLINE_S, SITE, World, check
from kill_test import Broken, claim_uids, until

PAGE_MAX = 65_536  # of the kernels that openEuler and Kylin ship for aarch64
JOB = "name: words\nresources: {accelerators: L20}\nmax_duration: 60s\nrun: 'echo done by $WEIR_TASK'\n"
AGENT = """site: pidu
server: {url}
token_file: {folder}/agent.token
root: {folder}/root
blobs: {folder}/blobs
observe_ms: 50
poll_wait: 2s
supervisor: {supervisor}
nodes: [{{name: n1, cards: [{{model: L20, count: 1, memory: 48GiB, emulated: true}}], cpus: 4, memory: 8GiB, address: 127.0.0.1}}]
"""
FINAL = r"^state +(succeeded|failed|cancelled)"
BWRAP = ["/usr/bin/bwrap", "--die-with-parent"]


def tail(log):
    return log.read_text()[-3000:]


class Names(threading.Thread):
    """A name server on port 53 that knows one name; it keeps what it was asked for."""

    def __init__(self, known):
        super().__init__(daemon=True)
        self.known, self.asked = known, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(512)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, question = ".".join(labels), query[12:at + 5]
            kind = struct.unpack(">H", query[at + 1:at + 3])[0]
            self.asked.append(name)
            answer = b"\xc0\x0c" + struct.pack(">HHIH4B", 1, 1, 60, 4, 127, 0, 0, 1) if name == self.known and kind == 1 else b""
            flags = 0x8180 if name == self.known else 0x8183
            head = query[:2] + struct.pack(">5H", flags, 1, 1 if answer else 0, 0, 0)
            self.socket.sendto(head + question + answer, peer)


class Carried:
    """Programs that were carried to a host, and the words that start one there."""

    def __init__(self, options, folder):
        self.programs, self.emulator, self.folder = options.carried or options.programs, options.emulator, folder
        self.before = [options.old_kernel] if not options.emulator else []

    def path(self, name):
        return self.programs / name

    def words(self, name):
        return [*self.before, *([self.emulator] if self.emulator else []), str(self.path(name))]

    def supervisor(self):
        """What an agent starts: under an emulator a script, for this kernel starts no program of another processor."""
        if not self.emulator:
            return self.path("weir-supervisor")
        script = self.folder / "weir-supervisor"
        script.write_text(f"#!/bin/sh\nexec {self.emulator} {self.path('weir-supervisor')} \"$@\"\n")
        script.chmod(0o755)
        return script


def needs_nothing(carried):
    """No interpreter, no library, no version of a symbol; segments that fit the largest pages."""
    for name in ("weir", "weir-supervisor"):
        told = subprocess.run(["readelf", "-lWdV", carried.path(name)], capture_output=True, text=True, check=True).stdout
        for sign in ("INTERP", "(NEEDED)", "GLIBC_"):
            check(sign not in told, f"{name} has {sign}: it needs something of its host")
        if carried.emulator:
            steps = [int(step, 16) for step in re.findall(r"^ +LOAD .* (0x[0-9a-f]+)$", told, re.M)]
            check(steps and min(steps) >= PAGE_MAX, f"{name} has segments on pages of {steps} bytes, some kernels' have {PAGE_MAX}")


def bare_root(carried):
    """A host's root with the client, and settings that would lead to plug-ins which are not there."""
    root = carried.folder / "bare"
    for folder in ("bin", "dev", "etc", "proc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(carried.path("weir"), root / "bin/weir")
    (root / "etc/hosts").write_text("127.0.0.1 in-hosts.example\n")
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (root / "etc/nsswitch.conf").write_text("hosts: myhostname resolve [!UNAVAIL=return]\npasswd: sss\n")
    words = ["/bin/weir"]
    if carried.emulator:
        shutil.copy(carried.emulator, root / "bin/emulator")
        words = ["/bin/emulator", "/bin/weir"]
    return [*carried.before, *BWRAP, "--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--", *words]


def names_on_a_bare_host(world, carried):
    """The client finds the server by the host's own table and by DNS, without a library or a plug-in of the host."""
    names = Names("in-dns.example")
    start = bare_root(carried)
    port = world.url.rsplit(":", 1)[1]
    for name, code in (("in-hosts.example", 0), ("in-dns.example", 0), ("nowhere.example", 3)):
        done = subprocess.run([*start, "--server", f"http://{name}:{port}", "whoami"], env=world.environment, capture_output=True,
                              text=True, timeout=DEADLINE_S)
        check(done.returncode == code, f"a client that calls {name} ends with {done.returncode}: {done.stdout}{done.stderr}")
        check(code != 0 or "operator" in done.stdout, f"whoami of {name} says {done.stdout}")
    check(set(names.asked) == {"in-dns.example", "nowhere.example"}, f"the name server was asked for {sorted(set(names.asked))}")


def a_task(world, carried):
    """Submitted, started, supervised and told of by programs that were carried here."""
    world.weir("org", "set", "pidu-owner", "--kind", "enterprise", "--registered-in", "cn/sichuan/chengdu")
    world.weir("org", "set", "lab", "--kind", "university", "--registered-in", "cn/sichuan/chengdu")
    world.weir("project", "set", "vision", "--organisation", "lab")
    world.weir("project", "member", "vision", "operator", "--role", "owner")
    world.weir("site", "set", "-f", "-", text=SITE)
    world.weir("site", "agent-token", "pidu", "--to", str(world.folder / "agent.token"))
    # A name of each run: the agent's control socket and its users are its own.
    (world.folder / "blobs").mkdir(mode=0o700)
    claim, uid = claim_uids()
    text = AGENT.format(url=world.url, folder=world.folder, supervisor=carried.supervisor())
    if os.geteuid() == 0:
        text += f"owner_uid: {uid}\nusers: {{first: {uid + 1}, count: 50}}\n"
    (world.folder / "agent.yaml").write_text(text)
    said = world.folder / "agent.log"
    with open(said, "w", encoding="utf-8") as log:
        agent = subprocess.Popen([*carried.words("weir"), "agent", world.folder / "agent.yaml"], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log)
    try:
        job = subprocess.run([*carried.words("weir"), "submit", "-", "--project", "vision"], env=world.environment, input=JOB, text=True,
                             capture_output=True, timeout=DEADLINE_S)
        check(job.returncode == 0, f"weir submit ends with {job.returncode}: {job.stdout}{job.stderr}")
        job = job.stdout.strip()
        if carried.emulator:
            until(lambda: "the supervisor's refusal: " + tail(said), lambda: "refused task directory: Invalid argument" in said.read_text(),
                  DEADLINE_S)
            return
        until(lambda: f"{job} to end: {world.weir('job', 'show', job).stdout}{tail(said)}",
              lambda: agent.poll() is not None or re.search(FINAL, world.weir("job", "show", job).stdout, re.M),
              DEADLINE_S)
        shown = world.weir("job", "show", job).stdout
        check(re.search(r"^state +succeeded", shown, re.M), f"the job did not succeed: {shown}{tail(said)}")
        words = [path.read_text() for path in (world.folder / "root/tasks").glob("*/*/*/logs/*")]
        check(f"done by {job}/1/0\n" in "".join(words), f"the task's log is {words}")
    finally:
        agent.terminate()
        check(agent.wait(DEADLINE_S) == 0, "the agent did not end when told to: " + tail(said))
        claim.close()
    for line in said.read_text().splitlines():
        if "agent.isolation" in line:
            print(" ", line.split("agent.isolation ", 1)[1])


def inside(options):
    with tempfile.TemporaryDirectory(prefix="weir-anywhere-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        carried = Carried(options, folder)
        needs_nothing(carried)
        world = World(options, folder)
        try:
            told = subprocess.run([*carried.words("weir"), "--version"], capture_output=True, text=True, timeout=DEADLINE_S).stdout
            check(told == world.weir("--version").stdout, f"the carried weir tells {told!r}")
            names_on_a_bare_host(world, carried)
            a_task(world, carried)
        finally:
            world.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--old-kernel", required=True)
    parser.add_argument("--carried", type=pathlib.Path)
    parser.add_argument("--emulator")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        # A network of the test's own, where port 53 is free and nothing leads outside.
        own = [*BWRAP, "--dev-bind", "/", "/", "--unshare-net", "--cap-add", "CAP_NET_BIND_SERVICE"]
        if os.geteuid() == 0:
            own += ["--cap-add", "ALL"]
        os.execv(BWRAP[0], [*own, "--", sys.executable, "-B", *sys.argv, "--inside"])
    try:
        inside(options)
    except Broken as broken:
        print(f"broken: {broken}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
