"""An aarch64 machine with a kernel of its own: the agent joins, its supervisor runs a task, and the kernel keeps the task confined.

usage: aarch64_machine_test.py --programs DIR --source DIR --carried DIR --machine DIR

Goal: what qemu-user cannot show (see anywhere_test.py): the supervisor itself, its filter of system calls by the numbers of that
architecture, its orphans, its clocks. Method: qemu emulates the whole machine, --machine holds Debian's kernel and busybox for it as
tools/sysroot unpacks them, and its root has nothing else but the programs of --carried. The server of --programs runs here, the machine
reaches it through qemu's own network. Pages of that kernel are 4 KiB; those of 64 KiB are not tried by any test.
"""
import argparse
import gzip
import pathlib
import re
import subprocess
import sys
import tempfile

from anywhere_test import FINAL
from cli_test import SITE, World, check
from kill_test import Broken, until

BOOT_S = 90  # an emulated machine on a busy host
JOB = """name: words
resources: {accelerators: L20}
max_duration: 60s
run: 'uname -m; (sleep 1; echo orphan) & unshare -U true && echo escaped || echo confined; wait'
"""
AGENT = """site: pidu
server: http://10.0.2.2:{port}
token_file: /weir/agent.token
root: /var/weir/pidu
blobs: /var/blobs
owner_uid: 61000
users: {{first: 61001, count: 50}}
task_disk: 64MiB
disk_floor: 1MiB
nodes: [{{name: n1, cards: [{{model: L20, count: 1, memory: 48GiB, emulated: true}}], cpus: 4, memory: 8GiB, address: 127.0.0.1}}]
"""
MODULES = ("drivers/virtio/virtio_pci_legacy_dev", "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci", "net/core/failover",
           "drivers/net/net_failover", "drivers/net/virtio_net")
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 var /var
mkdir -p /var/weir /run/lock /tmp
mkdir -m 700 /var/blobs
chmod 1777 /tmp
for module in {modules}; do insmod /modules/$module.ko; done
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
/weir/weir agent /weir/agent.yaml &
while sleep 1; do
    for log in /var/weir/pidu/tasks/*/*/*/logs/*; do [ -s "$log" ] && sed 's/^/task says: /' "$log"; done
done
"""


def newc(files):
    """An archive as the kernel unpacks it into its first root: path, mode, content."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def first_root(options, port, token):
    kernel_files = next(options.machine.glob("lib/modules/*/kernel"))
    files = [(folder, 0o40755, b"") for folder in ("bin", "dev", "etc", "modules", "proc", "run", "sys", "var", "weir")]
    for name in ("weir", "weir-supervisor"):
        files.append((f"weir/{name}", 0o100755, (options.carried / name).read_bytes()))
    for module in MODULES:
        files.append((f"modules/{pathlib.Path(module).name}.ko", 0o100644, (kernel_files / f"{module}.ko").read_bytes()))
    files.append(("bin/busybox", 0o100755, (options.machine / "bin/busybox").read_bytes()))
    files.append(("weir/agent.yaml", 0o100600, AGENT.format(port=port).encode()))
    files.append(("weir/agent.token", 0o100600, token))
    files.append(("init", 0o100755, INIT.format(modules=" ".join(pathlib.Path(module).name for module in MODULES)).encode()))
    return gzip.compress(newc(files), 1)


def a_task(options, world):
    world.weir("org", "set", "pidu-owner", "--kind", "enterprise", "--registered-in", "cn/sichuan/chengdu")
    world.weir("org", "set", "lab", "--kind", "university", "--registered-in", "cn/sichuan/chengdu")
    world.weir("project", "set", "vision", "--organisation", "lab")
    world.weir("project", "member", "vision", "operator", "--role", "owner")
    world.weir("site", "set", "-f", "-", text=SITE)
    world.weir("site", "agent-token", "pidu", "--to", str(world.folder / "agent.token"))
    root = world.folder / "root.gz"
    root.write_bytes(first_root(options, world.url.rsplit(":", 1)[1], (world.folder / "agent.token").read_bytes()))
    job = world.weir("submit", "-", "--project", "vision", text=JOB).stdout.strip()
    said = world.folder / "console.log"
    with open(said, "wb") as console:
        machine = subprocess.Popen(
            ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-m", "768", "-nographic", "-no-reboot",
             "-kernel", next(options.machine.glob("boot/vmlinuz-*")), "-initrd", root, "-append", "console=ttyAMA0 quiet panic=-1",
             "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    try:
        def text():
            return said.read_text(errors="replace")
        until(lambda: f"{job} to end: {world.weir('job', 'why', job).stdout}{text()[-4000:]}",
              lambda: machine.poll() is not None or re.search(FINAL, world.weir("job", "show", job).stdout, re.M), BOOT_S, every=1)
        shown = world.weir("job", "show", job).stdout
        check(re.search(r"^state +succeeded", shown, re.M), f"the job did not succeed: {shown}{text()[-4000:]}")
        check("a filter of system calls refuses them" in text(), f"the agent found no filter of calls: {text()[-4000:]}")
        for word in ("aarch64", "confined", "orphan"):
            wanted = f"task says: {word}"
            until(lambda wanted=wanted: f"`{wanted}`: {text()[-4000:]}", lambda wanted=wanted: wanted in text(), BOOT_S)
        check("task says: escaped" not in text(), "a task made a user namespace")
    finally:
        machine.terminate()
        machine.wait()


def main():
    parser = argparse.ArgumentParser()
    for name in ("--programs", "--source", "--carried", "--machine"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weir-machine-") as folder:
        world = None
        try:
            world = World(options, pathlib.Path(folder))
            a_task(options, world)
        except Broken as broken:
            print(f"broken: {broken}")
            return 1
        finally:
            if world:
                world.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
