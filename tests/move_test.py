"""A training of two ranks that is moved between two sites, with a kill -9 inside every step of a move.

usage: move_test.py --programs DIR --source DIR [--all | --moves N] [--seed S] [--keep]

One server and two process sites with emulated cards run on this machine. The job counts: each step its two ranks exchange a word, and
rank 0 folds it into a digest that tells every step that was ever done. It is moved to and fro over the API; in each move one party is
killed at one moment: the agent it leaves, the agent it comes to, a supervisor, the server. Whatever happens the job must run again
somewhere, and in the end its digest is that of an unbroken run: nothing was lost that was not done again. Its generations never run at
once, each metered second is billed once, nothing stays held back, and no process is left behind.

Moments are chosen by what the journal says, never by the clock. --all goes through every moment and every victim.
"""
import argparse
import hashlib
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import types

import kill_test
from kill_test import Broken, Generations, Http, Network, end_all, check_end, kill_pid, make_id, until

POLICY = "checkpoint_within: 8s\nprepare_within: 30s\nstop_within: 20s\n"
PLACED, STATE_CHANGED, CHECKPOINT_STORED, REQUEUED, STOP_ORDERED, FINISHED = 41, 42, 44, 45, 46, 47  # src/control/core/events.hpp
MOVE_ORDERED, MOVE_RESERVED, MOVE_PREPARED, MOVED, MOVE_ENDED, ARRIVED = 60, 61, 62, 63, 64, 65
MOMENTS = {"ordered": MOVE_ORDERED, "place held": MOVE_RESERVED, "checkpoint in place": MOVE_PREPARED, "told to leave": STOP_ORDERED,
           "left": MOVED, "arrived": ARRIVED}
VICTIMS = ("its agent", "the other agent", "a supervisor", "the server")
SETTLE_S = 90  # until it runs again; far beyond any lease, and a busy machine's

# Rank 1 gives rank 0 a word for each step. Rank 0 publishes every 40 steps, when it is asked, and never on SIGTERM.
PROGRAM = '''
import hashlib, os, socket, sys, time
sys.path.insert(0, os.environ["SDK"])
import weir

job, port = weir.Job(), int(os.environ["MASTER_PORT"])
enough = os.environ["ENOUGH"]

def word(step):
    return b"%09d" % step

def read(connection):
    data = b""
    while len(data) < 9:
        piece = connection.recv(9 - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data

if job.rank == 0:
    step, state = 0, b"0" * 64
    if job.resume_dir:
        step, state = (job.resume_dir / "state").read_bytes().split()
        step = int(step)
        assert (job.resume_dir / "fixed").read_bytes() == b"x" * 300000
    print("begins at", step, flush=True)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1)
    peer = listener.accept()[0]
    while True:
        over = os.path.exists(enough)
        peer.sendall(b"%09d" % (999999999 if over else step + 1))
        if over:
            break
        step += 1
        state = hashlib.sha256(state + read(peer)).hexdigest().encode()
        if step % 40 == 0 or job.checkpoint_requested():
            with job.checkpoint("step-%d" % step) as folder:
                (folder / "fixed").write_bytes(b"x" * 300000)
                (folder / "state").write_bytes(b"%d %s" % (step, state))
        time.sleep(0.05)
    print("counted", step, state.decode(), flush=True)
else:
    while True:
        try:
            peer = socket.create_connection(("127.0.0.1", port), 1)
            break
        except OSError:
            time.sleep(0.05)
    peer.settimeout(60)
    while True:
        step = int(read(peer))
        if step == 999999999:
            break
        peer.sendall(word(step))
'''


def expected_state(steps):
    state = b"0" * 64
    for step in range(1, steps + 1):
        state = hashlib.sha256(state + b"%09d" % step).hexdigest().encode()
    return state.decode()


class Story:
    """What the journal says of the job, read while the server writes it."""

    def __init__(self, path, job):
        self.path, self.job = path, job

    def events(self, kinds, after=0):
        """(revision, type, event) of these types after a revision, in order."""
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            found = []
            for revision, text in connection.execute("SELECT revision, text FROM journal WHERE revision > ? ORDER BY revision", (after,)):
                line = json.loads(text)
                if line["type"] in kinds and line["event"].get("job") == self.job:
                    found.append((revision, line["type"], line["event"]))
            return found
        finally:
            connection.close()

    def site(self):
        """Where it runs; None while it does not, or is to go elsewhere."""
        place, target, runs, moves = None, None, False, False
        for _, kind, event in self.events((PLACED, STATE_CHANGED, REQUEUED, STOP_ORDERED, FINISHED, MOVE_ORDERED, MOVE_RESERVED, MOVED,
                                           MOVE_ENDED)):
            if kind == PLACED:
                place = event["placement"]["site"]
            elif kind == MOVE_RESERVED:
                target = event["target"]["site"]
            elif kind == MOVED:
                place = target
            if kind in (MOVE_ORDERED, MOVE_ENDED):
                moves = kind == MOVE_ORDERED
            elif kind == STATE_CHANGED:
                runs = event["to"] == "running"
            elif kind in (PLACED, REQUEUED, STOP_ORDERED, FINISHED, MOVED):
                runs, moves = False, moves and kind == STOP_ORDERED
        return place if runs and not moves else None

    def last(self):
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute("SELECT COALESCE(MAX(revision), 0) FROM journal").fetchone()[0]
        finally:
            connection.close()


class Moves:
    def __init__(self, network, tenant, generations, folder):
        self.network, self.tenant, self.generations, self.folder = network, tenant, generations, folder
        self.job, self.story, self.said = None, None, None

    def wait(self, what, question, seconds=SETTLE_S):
        """As until(), and watches that no two generations run."""
        def ask():
            self.generations.check_alive()
            self.generations.collect()
            return question()
        return until(what, ask, seconds, every=0.1)

    def view(self):
        answer = self.tenant.ask("GET", f"/v1/jobs/{self.job}")
        return answer[1] if answer is not None and answer[0] == 200 else None

    def site(self):
        return self.story.site()

    def submit(self, vouchers):
        self.job = make_id(self.network.chance)
        spec = {"name": "counter", "type": "training", "resources": {"accelerators": "L20:2", "cpus": 1, "memory": "256MiB"},
                "processes_per_node": 2, "max_duration": "1h", "checkpoint": {"protocol": "file", "interval": "2s"},
                "retry": {"max_restarts": 5, "max_restarts_on_site_fault": 100, "backoff": "1s"},
                "envs": {"SDK": f"{self.folder}/shared/sdk", "ENOUGH": f"{self.folder}/shared/enough"},
                "run": f"exec /usr/bin/python3 -B {self.folder}/shared/program.py",
                "funding": [vouchers["vision-lab"], "prepaid"]}
        self.tenant.must("POST", "/v1/jobs", json.dumps({"id": self.job, "project": "vision-lab", "spec": spec}))
        self.story = Story(f"{self.network.folder}/server/weir.db", self.job)
        self.wait("the job to run", self.site)
        self.wait("its first checkpoint", lambda: self.story.events((CHECKPOINT_STORED,)))

    def call_off(self):
        """Once: where the job was told to leave already it goes."""
        answer = self.tenant.ask("POST", f"/v1/jobs/{self.job}/move", json.dumps({"call_off": True}))
        if answer is not None and answer[0] not in (200, 201, 409, 429, 503):
            raise Broken(f"calling the move off was answered {answer}")

    def move(self):
        """Orders it to go to the other site, until that is taken; an order made twice is one. Returns from where to where."""
        def ask():
            left = self.site()
            if not left or not kill_test.is_whole(self.network):
                return None
            target = next(site for site in kill_test.SITES if site != left)
            answer = self.tenant.ask("POST", f"/v1/jobs/{self.job}/move", json.dumps({"to": target}))
            # Shortly after a move it stays where it is, and what was killed may just be seen to be gone.
            if answer is None or answer[0] in (409, 429, 503):
                self.said = answer
                return None
            if answer[0] >= 300:
                raise Broken(f"the order to move to {target} was answered {answer}")
            return left, target
        return self.wait(lambda: f"the order to move to be taken; the last answer is {self.said}", ask)

    def party(self, victim, left, target):
        if victim == "its agent":
            return self.network.agents[left]
        return self.network.agents[target] if victim == "the other agent" else self.network.server

    def kill(self, victim, left, target):
        """Returns whom to start again."""
        if victim == "a supervisor":
            for pid in self.network.supervisors():
                kill_pid(pid)
            return None
        process = self.party(victim, left, target)
        process.check()
        process.end(signal.SIGKILL)
        return process

    def once(self, moment=None, victim=None, away_s=0.0):
        """One move, with a kill at a moment; ends when the job runs again and nothing is on its way."""
        before = self.story.last()
        left, target = self.move()
        if moment:
            over = (MOMENTS[moment], MOVE_ENDED, ARRIVED)
            self.wait(f"the moment: {moment}", lambda: self.story.events(over, before))
            killed = self.kill(victim, left, target)
            if killed:
                end = time.monotonic() + away_s
                while time.monotonic() < end:
                    self.generations.check_alive()
                    time.sleep(0.05)
                killed.start()
        done = (ARRIVED, MOVE_ENDED, REQUEUED)
        self.wait(lambda: f"the job to run again: {self.view()}", lambda: self.story.events(done, before) and self.site())
        events = self.story.events((MOVED, MOVE_ENDED, ARRIVED), before)
        arrived = [event for _, kind, event in events if kind == ARRIVED]
        said = f"{left} to {target}"
        if moment:
            said += f", {victim} killed when {moment}"
        if arrived:
            said += f": paused {arrived[-1]['pause_ms']} ms, did {int(arrived[-1]['lost']) / 1000:.0f} card-seconds again"
        else:
            said += f": not arrived, runs at {self.site()}"
        print(said, flush=True)
        return arrived[-1] if arrived else None

    def finish(self):
        pathlib.Path(self.folder, "shared", "enough").touch()
        self.wait(lambda: f"the job to end: {self.view()}", lambda: (self.view() or {}).get("state") in kill_test.FINAL)
        words = [line.split() for root in self.network.roots.values()
                 for file in pathlib.Path(root, "tasks", self.job).glob("*/0/logs/0.out.*")
                 for line in file.read_text().splitlines() if line.startswith("counted ")]
        if len(words) != 1:
            raise Broken(f"one generation counts to the end, and these said so: {words}")
        steps, state = int(words[0][1]), words[0][2]
        if state != expected_state(steps):
            raise Broken(f"after {steps} steps the digest is {state}, that of an unbroken run is {expected_state(steps)}")
        return steps


def shared_folder(folder, source):
    """What every task may read: the program and the SDK."""
    shared = pathlib.Path(folder, "shared")
    shared.mkdir()
    shutil.copytree(pathlib.Path(source, "sdk", "python"), shared / "sdk")
    (shared / "program.py").write_text(PROGRAM)
    for root, folders, files in os.walk(shared):
        for name in folders + files:
            os.chmod(os.path.join(root, name), 0o755)
    shared.chmod(0o755)
    return shared


def choose(arguments, chance):
    """(moment, victim, seconds until what was killed is back)."""
    everything = [(moment, victim) for moment, victim in itertools.product(MOMENTS, VICTIMS)]
    if not arguments.all:
        # Each moment once, and each victim at least once.
        victims = list(VICTIMS) + chance.sample(VICTIMS, len(MOMENTS) - len(VICTIMS))
        chance.shuffle(victims)
        everything = list(zip(MOMENTS, victims))[:arguments.moves]
    # Mostly back at once, sometimes only after the leases have run out.
    return [(moment, victim, 0.0 if chance.random() < 0.7 else chance.uniform(5.0, 7.0)) for moment, victim in everything]


def check_quiet(arrived):
    """A move that nobody disturbs loses next to nothing: the card-seconds between a checkpoint and the stop that follows it."""
    if arrived is None or not arrived["prepared"]:
        raise Broken(f"a move that nobody disturbed came to {arrived}")
    if int(arrived["lost"]) > 2 * 4000:  # two cards, four seconds on a busy machine; the program publishes by itself every two
        raise Broken(f"a move that nobody disturbed did {arrived['lost']} milli-card-seconds again")


def run(network, arguments, folder):
    generations = Generations(network.roots)
    try:
        token, vouchers = network.found()
        moves = Moves(network, Http(network.port, token), generations, folder)
        moves.submit(vouchers)
        check_quiet(moves.once())
        for moment, victim, away_s in choose(arguments, network.chance):
            moves.once(moment, victim, away_s)
        # One that is called off: what was fetched for it is gone again, and the job never noticed.
        before = moves.story.last()
        moves.move()
        moves.call_off()
        moves.wait("the job to run", lambda: moves.story.events((MOVE_ENDED, ARRIVED, REQUEUED), before) and moves.site())
        steps = moves.finish()
        most = max(len(of_job) for of_job in generations.ended.values())
        lines = check_end(network, types.SimpleNamespace(jobs={moves.job: "plain"}), generations)
        return f"{steps} steps, {most} generations ended, {lines} journal lines"
    finally:
        end_all(network, generations)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=os.path.abspath)
    parser.add_argument("--source", required=True, type=os.path.abspath)
    parser.add_argument("--moves", type=int, default=len(MOMENTS), help="how many moves are disturbed")
    parser.add_argument("--all", action="store_true", help="every moment with every victim")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that went well too")
    arguments = parser.parse_args()
    # A test that is told to end still ends its children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    folder = tempfile.mkdtemp(prefix="weir-move-")
    os.chmod(folder, 0o711)
    keep = arguments.keep
    kill_test.POLICY += POLICY
    kill_test.AGENT = f"shared_paths: [{shared_folder(folder, arguments.source)}]\n" + kill_test.AGENT
    try:
        said = run(Network(arguments, folder, random.Random(arguments.seed)), arguments, folder)
        print(f"ok seed {arguments.seed}: {time.monotonic() - began:.0f} s, {said}", flush=True)
        return 0
    except Broken as trouble:
        keep = True
        print(f"FAIL seed {arguments.seed} after {time.monotonic() - began:.0f} s: {trouble}\n  kept: {folder}", flush=True)
        return 1
    finally:
        if not keep:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
