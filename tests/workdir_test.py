"""Code in: a folder goes from the client through the server's store to a real task, which begins in it.

usage: workdir_test.py --programs DIR --source DIR

Goal: what a job prints of its folder is what the folder has; a second submission sends what changed alone; an upload that is cut at every
megabyte arrives; what cannot be kept or sent is refused with both numbers or with the path, and nothing is lost by it.
Method: a real server, agent, supervisor and client; between client and server, where it matters, a proxy that cuts. Nothing waits for time
to pass.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from cli_test import DEADLINE_S, World as Bare, check
from kill_test import Broken, until

MIB = 1 << 20
SITE = """name: pidu
owner: pidu-owner
region: cn/sichuan/chengdu
tier: core
backend: process
tariff: [{model: cpu, fen_per_card_hour: 0}]
grid_zone: cn-sc
pue_milli: 1200
open: true
"""
NODES = "nodes: [{name: n1, cards: [{model: cpu, count: 2, memory: 1GiB, emulated: true}], cpus: 8, memory: 8GiB}]\n"


class World(Bare):
    """A server with a store of files, one site with its agent, and a project."""

    def __init__(self, options, folder, server_words=(), agent_text="outputs_every: 1s\n"):
        folder.chmod(0o711)
        (folder / "blobs").mkdir(mode=0o700)
        self.agent, self.agent_text = None, agent_text
        super().__init__(options, folder, "--blobs", folder / "blobs", "--site-root", f"pidu={folder}/site/root", *server_words)
        try:
            self.settle_in(folder)
        except BaseException:
            self.end()
            raise

    def settle_in(self, folder):
        for words in (("org", "set", "lab", "--kind", "university"), ("org", "set", "pidu-owner", "--kind", "enterprise"),
                      ("project", "set", "vision", "--organisation", "lab"), ("project", "set", "other", "--organisation", "lab"),
                      ("project", "member", "vision", "operator", "--role", "owner")):
            self.weir(*words)
        (folder / "site.yaml").write_text(SITE)
        self.weir("site", "set", "-f", folder / "site.yaml")
        self.weir("site", "agent-token", "pidu", "--to", folder / "agent.token")
        (folder / "site").mkdir(mode=0o711)
        text = (f"site: pidu\nserver: {self.url}\ntoken_file: {folder}/agent.token\nroot: {folder}/site/root\n"
                f"blobs: {folder}/blobs\n") + self.agent_text + NODES
        if os.geteuid() == 0:
            first = 200_000 + os.getpid() % 1000 * 100
            text += f"owner_uid: {first}\nusers: {{first: {first + 1}, count: 20}}\n"
        (folder / "agent.yaml").write_text(text)
        self.agent_log = open(folder / "agent.log", "w+", encoding="utf-8")
        self.start_agent()

    def start_agent(self):
        folder = self.folder
        self.agent = subprocess.Popen([self.program("weir"), "agent", folder / "agent.yaml"], stdin=subprocess.DEVNULL,
                                      stdout=self.agent_log, stderr=self.agent_log)

    def weir(self, *words, **more):
        return super().weir(*map(str, words), **more)

    def end(self):
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait(DEADLINE_S)
            self.agent_log.close()
        super().end()

    def job(self, name, text):
        path = self.folder / name
        path.write_text("name: code\nresources: {accelerators: cpu, memory: 64MiB}\nmax_duration: 60s\n" + text)
        return path

    def run(self, path, *words):
        """Submits, waits for a good end, and gives what it printed."""
        done = self.weir("submit", path, "--project", "vision", "--wait", *words)
        job = re.search(r"job-\w+", done.stdout).group()
        return self.weir("job", "logs", job).stdout

    def data(self):
        return json.loads(self.weir("--json", "data", "show", "--project", "vision").stdout)


class Cutter:
    """A proxy that breaks connections after so many bytes from the client: each, or the first `most` of them."""

    def __init__(self, port, cut_after, most=1 << 30):
        self.port, self.cut_after, self.most, self.cuts = port, cut_after, most, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client, socket.create_connection(("127.0.0.1", self.port)) as server:
            def back():
                try:
                    while data := server.recv(65536):
                        client.sendall(data)
                    client.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            answers = threading.Thread(target=back, daemon=True)
            answers.start()
            left = self.cut_after if self.cuts < self.most else 1 << 60
            try:
                while data := client.recv(min(65536, left)):
                    server.sendall(data)
                    left -= len(data)
                    if left == 0:
                        self.cuts += 1
                        break
            except OSError:
                pass
            for end in (client, server):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            answers.join()


def make_code(folder):
    (folder / "lib").mkdir(parents=True)
    (folder / "run.sh").write_text("#!/bin/sh\ncat lib/current; pwd -P | grep -c tree-\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "lib/one").write_text("one\n")
    (folder / "lib/current").symlink_to("one")
    (folder / "secret.log").write_text("not sent\n")
    (folder / ".gitignore").write_text("*.log\n")


def begins_in_its_folder(world):
    """A job begins in its folder, which it can read and not change."""
    make_code(world.folder / "code")
    text = "workdir: code\nrun: './run.sh; test -e secret.log && echo sent; " \
           "touch lib/new 2>/dev/null || echo read-only; touch ~/new && echo home'\n"
    printed = world.run(world.job("job.yaml", text))
    check(printed == "one\n1\nread-only\nhome\n", f"the task printed {printed!r}")
    kept = world.data()
    check(kept["trees"] == 1 and kept["tree_bytes"] > 0, f"kept: {kept}")


def sends_what_changed(world):
    """A second submission sends the one file that changed; --workdir names another folder than the file."""
    (world.folder / "code/lib/one").write_text("two\n")
    blobs = lambda: {path.name for path in (world.folder / "blobs/projects/vision/blobs").rglob("*") if path.is_file()}
    before = blobs()
    printed = world.run(world.job("job2.yaml", "run: ./run.sh\n"), "--workdir", world.folder / "code")
    check(printed == "two\n1\n", f"the task printed {printed!r}")
    check(len(blobs() - before) == 2, f"a file and its manifest came, and not {blobs() - before}")


def arrives_though_it_is_cut(world):
    """At every megabyte the line is cut, for small files and for a large one."""
    folder, chance = world.folder / "large", random.Random(7)
    folder.mkdir()
    for i in range(60):
        (folder / f"small-{i}").write_bytes(chance.randbytes(60_000))
    (folder / "large").write_bytes(chance.randbytes(5 * MIB))
    cutter = Cutter(int(world.url.rsplit(":", 1)[1]), MIB)
    try:
        world.environment["WEIR_SERVER"] = cutter.url
        printed = world.run(world.job("job3.yaml", "workdir: large\nrun: 'ls | wc -l; sha256sum large | cut -c1-64'\n"))
    finally:
        world.environment["WEIR_SERVER"] = world.url
        cutter.listener.close()
    wanted = subprocess.run(["sha256sum", folder / "large"], capture_output=True, text=True, check=True).stdout[:64]
    check(printed == f"61\n{wanted}\n", f"the task printed {printed!r}")
    check(cutter.cuts >= 5, f"the line was cut {cutter.cuts} times")


def arrives_wherever_it_is_cut(world):
    """An upload of 300 KB that breaks off at each 64 KiB arrives, and one of 8 MiB at each megabyte."""
    chance = random.Random(11)
    port = int(world.url.rsplit(":", 1)[1])
    sent, back = world.folder / "sent", world.folder / "back"
    for size, step in ((300_000, 65_536), (8 * MIB, MIB)):
        for at in range(step, size, step):
            sent.write_bytes(chance.randbytes(size))
            cutter = Cutter(port, at, most=1)
            try:
                world.environment["WEIR_SERVER"] = cutter.url
                world.weir("put", sent, "cut", "--project", "vision")
            finally:
                world.environment["WEIR_SERVER"] = world.url
                cutter.listener.close()
            check(cutter.cuts == 1, f"the line was cut {cutter.cuts} times at {at} of {size}")
            world.weir("get", "cut", back, "--project", "vision")
            check(back.read_bytes() == sent.read_bytes(), f"it came back changed, cut at {at} of {size}")


def outputs_show_while_it_runs(world):
    """What a job has left is listed and fetched while it runs; what is written just now, or is called .tmp-, is not."""
    text = "outputs: {keep: 2d}\nrun: 'cd $WEIR_OUTPUT_DIR && echo first > a && mkdir .tmp-half && echo half > .tmp-half/b && " \
           "until [ -e go ]; do sleep 0.1; echo more >> growing; done; mv .tmp-half whole'\n"
    job = world.weir("submit", world.job("runs.yaml", text), "--project", "vision").stdout.strip()
    until(lambda: "the first outputs", lambda: " a\n" in world.weir("ls", job).stdout, DEADLINE_S)
    listed = world.weir("ls", job).stdout
    check("half" not in listed and "growing" not in listed, listed)
    check("as of" in listed and "generation 1; the job is not over, and they are kept for 2 d after its end" in listed, listed)
    world.weir("get", job, "a", world.folder / "first")
    check((world.folder / "first").read_text() == "first\n", "a")
    world.weir("rm", job, code=1)
    place = next((world.folder / "site/root/tasks").glob(f"{job}/1/0/outputs"))
    (place / "go").touch()
    until(lambda: "the end", lambda: "kept until" in world.weir("ls", job).stdout, DEADLINE_S)
    listed = world.weir("ls", job).stdout
    check("whole/b" in listed and "growing" in listed, listed)


def a_killed_agent_loses_no_output(world):
    """kill -9 of the agent while it copies outputs: nothing half is ever listed, and all of them are there in the end."""
    text = "run: 'cd $WEIR_OUTPUT_DIR && for i in 1 2 3 4 5 6; do head -c 3000000 /dev/urandom > f$i; done; sha256sum f* > sums'\n"
    job = world.weir("submit", world.job("kill.yaml", text), "--project", "vision").stdout.strip()
    partial = world.folder / "blobs/projects/vision/partial"
    for _ in range(3):
        until(lambda: "a copy under way, or its end",
              lambda: any(partial.glob("*.pidu")) or "kept until" in world.weir("ls", job).stdout, DEADLINE_S)
        world.agent.kill()
        world.agent.wait(DEADLINE_S)
        if " f" in world.weir("ls", job).stdout:
            world.weir("get", f"{job}:", world.folder / "scratch")  # Each file is compared with its digest.
        world.start_agent()
    until(lambda: "the end", lambda: "kept until" in world.weir("ls", job).stdout, DEADLINE_S)
    world.weir("get", f"{job}:", world.folder / "killed")
    done = subprocess.run(["sha256sum", "--check", "--quiet", "sums"], cwd=world.folder / "killed", capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, done.stdout + done.stderr)


def outputs_beyond_the_quota_are_told(world):
    """Outputs that do not fit: what was kept before stays, and the job's events and the answer say why with both numbers."""
    kept = world.data()  # Folders of code that no job uses make room.
    world.weir("data", "quota", "vision", f"{kept['file_bytes'] + kept['output_bytes'] + 2 * MIB}")
    text = "run: 'cd $WEIR_OUTPUT_DIR && echo small > a && until [ -e go ]; do sleep 0.1; done; head -c 4000000 /dev/zero > big'\n"
    job = world.weir("submit", world.job("quota.yaml", text), "--project", "vision").stdout.strip()
    until(lambda: "the first outputs", lambda: " a\n" in world.weir("ls", job).stdout, DEADLINE_S)
    (next((world.folder / "site/root/tasks").glob(f"{job}/1/0/outputs")) / "go").touch()
    until(lambda: "the end", lambda: "kept until" in world.weir("ls", job).stdout, DEADLINE_S)
    listed = world.weir("ls", job).stdout
    check(" a\n" in listed and "big" not in listed, listed)
    events = world.weir("watch", "--job", job, "--since", "0").stdout
    check(re.search(r"outputs_refused .*fault=over_quota bytes=40\d+ bytes_max=\d+", events), events[-2000:])
    world.weir("data", "quota", "vision", f"{1000 * MIB}")


def outputs_come_back(world):
    """What a job leaves is fetched after its site forgot it, whole, and removed with a receipt; files of the project likewise."""
    here = world.folder / "here"
    text = "outputs: {retention: 1d}\nrun: 'cd $WEIR_OUTPUT_DIR && mkdir sub && head -c 3000000 /dev/urandom > sub/model && " \
           "echo done > log && sha256sum sub/model | cut -c1-64'\n"
    done = world.weir("submit", world.job("job6.yaml", text), "--project", "vision", "--wait")
    job = re.search(r"job-\w+", done.stdout).group()
    wanted = world.weir("job", "logs", job).stdout.strip()
    listed = world.weir("ls", f"{job}:").stdout
    check("sub/model" in listed and ".weir" not in listed, listed)
    world.weir("get", f"{job}:", here)
    got = subprocess.run(["sha256sum", here / "sub/model"], capture_output=True, text=True, check=True).stdout[:64]
    check(got == wanted and (here / "log").read_text() == "done\n", f"{got} and not {wanted}")
    tree = json.loads(world.weir("--json", "ls", f"{job}:").stdout.splitlines()[0])["tree"]
    world.weir("rm", f"{job}:")
    until(lambda: "the receipt", lambda: "is erased" in world.weir("data", "receipt", tree, "--project", "vision").stdout, DEADLINE_S)
    world.weir("get", f"{job}:", here, code=5)

    world.weir("put", here, "sets", "--project", "vision")
    check("sets/sub/model" in world.weir("ls", "--project", "vision").stdout, "put and ls")
    world.weir("get", "sets/sub/model", world.folder / "again", "--project", "vision")
    check((world.folder / "again").read_bytes() == (here / "sub/model").read_bytes(), "put and get")
    world.weir("rm", "sets/", "--project", "vision")
    check("sets" not in world.weir("ls", "--project", "vision").stdout, "rm")


def refuses_in_words(world):
    """What is beyond the quota, and what cannot be sent, is refused; what was kept stays."""
    kept = world.data()
    world.weir("data", "quota", "vision", f"{MIB}")
    big = world.folder / "big"
    big.mkdir()
    (big / "file").write_bytes(b"x" * (2 * MIB))
    said = world.weir("submit", world.job("job4.yaml", "workdir: big\nrun: 'true'\n"), "--project", "vision", code=1).stderr
    check(re.search(r"209\d{4} bytes are to be kept for project vision.* may keep 1048576", said), said)
    world.weir("data", "quota", "vision", f"{100 * MIB}")
    check(world.data()["tree_bytes"] == kept["tree_bytes"], "a refusal changed what is kept")
    (big / "out").symlink_to("/etc/passwd")
    said = world.weir("submit", world.folder / "job4.yaml", "--project", "vision", code=2).stderr
    check("'out' is a link to '/etc/passwd', outside of the folder" in said, said)
    said = world.weir("submit", world.job("job5.yaml", "workdir: nowhere\nrun: 'true'\n"), "--project", "vision", code=2).stderr
    check("is no folder here" in said, said)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-workdir-"))
    world = World(options, folder)
    try:
        for part in (begins_in_its_folder, sends_what_changed, arrives_though_it_is_cut, arrives_wherever_it_is_cut,
                     outputs_show_while_it_runs, a_killed_agent_loses_no_output, outputs_come_back, outputs_beyond_the_quota_are_told,
                     refuses_in_words):
            part(world)
            print("ok:", part.__doc__)
    except (Broken, subprocess.TimeoutExpired) as error:
        print(error, (folder / "agent.log").read_text()[-3000:], (folder / "server.log").read_text()[-2000:], sep="\n", file=sys.stderr)
        return 1
    finally:
        world.end()
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
