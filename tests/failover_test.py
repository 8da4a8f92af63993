"""Two servers on one PostgreSQL database: the leader is killed, frozen, and loses its database, while somebody writes all the time.

usage: failover_test.py --programs DIR [--lease S] [--fsync]

What must hold: no acknowledged write is lost, none is doubled, a former leader writes nothing and ends, and the store can be copied to a
file and back with the same bytes. How long writes were refused is printed and not judged (the bench judges it).
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from postgres import Postgres  # noqa: E402

PATIENCE_S = 90


class Broken(Exception):
    pass


def until(what, question, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Broken(f"after {seconds} s still waiting for {what}")
        time.sleep(0.05)


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class Server:
    def __init__(self, name, programs, folder, store, lease):
        self.name, self.folder, self.port = name, folder / name, free_port()
        self.command = [str(programs / "weir-server"), "--data", str(self.folder), "--store", store, "--lease", lease,
                        "--port", str(self.port)]
        self.process = None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1) as reply:
                return reply.status == 200
        except OSError:
            return False

    def stands_by(self):
        """Whether it lives, and sends whoever asks it something on to the leader."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1) as reply:
                lives = reply.status == 200
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/sites", timeout=1) as reply:
                raise Broken(f"a server that stands by answered {reply.status}")
        except urllib.error.HTTPError as refusal:
            return lives and refusal.code == 503 and b"not_leader" in refusal.read()
        except OSError:
            return False

    def said(self, text):
        return text in (self.folder / "log").read_text(errors="replace")

    def ended(self):
        return self.process.poll() is not None


class Writer(threading.Thread):
    """Makes one organisation after another at whichever server takes it; a name is asked for again until it is acknowledged."""

    def __init__(self, servers, token):
        super().__init__(daemon=True)
        self.servers, self.token = servers, token
        self.acknowledged, self.gaps, self.last = [], [], time.monotonic()
        self.stopping = False

    def run(self):
        number = 0
        while not self.stopping:
            number += 1
            while not self.stopping and not self.post(f"org-{number:06}"):
                time.sleep(0.01)

    def post(self, name):
        body = json.dumps({"name": name, "kind": "university"}).encode()
        for server in self.servers:
            request = urllib.request.Request(f"http://127.0.0.1:{server.port}/v1/organisations", body, method="POST", headers={
                "Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=1) as reply:
                    if reply.status in (200, 201):
                        now = time.monotonic()
                        if now - self.last > 0.5:
                            self.gaps.append(now - self.last)
                        self.last = now
                        self.acknowledged.append(name)
                        return True
            except (OSError, urllib.error.HTTPError):
                continue
        return False

    def goes_on(self):
        have = len(self.acknowledged)
        until("writes to be taken again", lambda: len(self.acknowledged) > have + 20)


def check_nothing_lost(database, base, writer, when):
    acknowledged = set(writer.acknowledged)  # Before the question: it goes on meanwhile.
    known = database.sql(base, "select text from weir.record where text like '%\"type\":10,%' order by revision")
    names = [json.loads(line)["event"]["organisation"]["name"] for line in known.splitlines()]
    lost = acknowledged - set(names)
    if lost:
        raise Broken(f"{when}: acknowledged and gone: {sorted(lost)[:5]}")
    if len(names) != len(set(names)):
        raise Broken(f"{when}: an organisation was made twice")
    return len(names)


def check_client(programs, servers, token):
    """The client finds the leader among the addresses, whichever it is."""
    for order in (servers, servers[::-1]):
        asked = subprocess.run([str(programs / "weir"), "--server", ",".join(f"http://127.0.0.1:{server.port}" for server in order),
                                "--token-file", str(token), "whoami"], capture_output=True, text=True, timeout=PATIENCE_S)
        if asked.returncode != 0 or "operator" not in asked.stdout:
            raise Broken(f"the client with two addresses: {asked.returncode} {asked.stdout}{asked.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--lease", default="2s")
    parser.add_argument("--fsync", action="store_true", help="the database syncs each commit; for measuring")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-failover-"))
    database = Postgres(folder / "postgres", fsync=arguments.fsync)
    servers = []
    try:
        store = database.database("city")
        one = Server("one", arguments.programs, folder, store, arguments.lease)
        two = Server("two", arguments.programs, folder, store, arguments.lease)
        servers = [one, two]
        one.start()
        until("the first server to lead", one.answers)
        two.start()
        until("the second to stand by", lambda: two.said("standing by"))
        until("the second to send people on", lambda: two.stands_by())
        writer = Writer(servers, (one.folder / "operator.token").read_text().strip())
        writer.start()
        writer.goes_on()

        one.process.kill()
        one.process.wait()
        until("the second to lead", two.answers)
        writer.goes_on()
        check_nothing_lost(database, "city", writer, "after kill -9 of the leader")
        check_client(arguments.programs, servers, one.folder / "operator.token")

        one.start()
        until("the first to stand by", lambda: one.said("standing by"))
        two.process.send_signal(signal.SIGSTOP)
        until("the first to lead again", one.answers)
        writer.goes_on()
        two.process.send_signal(signal.SIGCONT)
        until("the frozen one to end", two.ended)
        if two.process.returncode != 3:
            raise Broken(f"the server that was overtaken ended with {two.process.returncode}")
        writer.goes_on()
        check_nothing_lost(database, "city", writer, "after a leader was frozen past its lease")

        two.start()
        until("the second to stand by", lambda: two.stands_by())
        gaps = len(writer.gaps)
        one.process.terminate()  # As an upgrade does: the lease is given back, and nobody waits for its end.
        until("the leader that was told to end", one.ended)
        until("the second to lead", two.answers)
        writer.goes_on()
        if one.process.returncode != 0:
            raise Broken(f"a leader that was told to end ended with {one.process.returncode}")
        handover, writer.gaps[gaps:] = writer.gaps[gaps:], []
        check_nothing_lost(database, "city", writer, "after the leader was told to end")

        one.start()
        until("the first to stand by", lambda: one.stands_by())
        one, two = two, one
        database.stop("immediate")
        until("the leader without a database to end", one.ended)
        database.start()
        one.start() if one.ended() else None
        until("somebody to lead", lambda: one.answers() or two.answers() or (two.ended() and two.start()))
        writer.goes_on()
        writer.stopping = True
        writer.join()
        count = check_nothing_lost(database, "city", writer, "after kill of the database")
        for server in servers:
            if not server.ended():
                server.process.terminate()
        for server in servers:
            server.process.wait(timeout=PATIENCE_S)

        copies = [(store, str(folder / "copy.db")), (str(folder / "copy.db"), database.database("again"))]
        for source, target in copies:
            done = subprocess.run([str(arguments.programs / "weir"), "store", "copy", "--from", source, "--to", target],
                                  capture_output=True, text=True, timeout=PATIENCE_S)
            if done.returncode != 0 or done.stdout.count("ok ") != 2:
                raise Broken(f"copy of {source}: {done.returncode}\n{done.stdout}{done.stderr}")
        text = "select md5(string_agg(revision || text || encode(hash, 'hex'), '|' order by revision)) from weir.record"
        if database.sql("city", text) != database.sql("again", text):
            raise Broken("the copy of a copy differs")
        again = subprocess.run([str(arguments.programs / "weir-server"), "--data", str(folder / "three"), "--port", "0", "--store",
                                store.replace("postgres@", "postgres:secret@")], capture_output=True, text=True, timeout=PATIENCE_S)
        if again.returncode != 3 or "PGPASSFILE" not in again.stderr or "secret" in again.stderr:
            raise Broken(f"a password on the command line: {again.returncode} {again.stderr}")
        print(f"handed over in good order, writes were refused for {', '.join(f'{gap:.1f} s' for gap in handover) or 'less than 0.5 s'}")
        print(f"{count} writes acknowledged once each; writes were refused for {', '.join(f'{gap:.1f} s' for gap in writer.gaps)} "
              f"with a lease of {arguments.lease}; copied to a file and back")
    except Exception:
        print(f"the folder {folder} is kept", file=sys.stderr)
        for server in servers:
            print((server.folder / "log").read_text(errors="replace")[-1500:], file=sys.stderr)
        folder = None
        raise
    finally:
        for server in servers:
            if server.process and not server.ended():
                server.process.send_signal(signal.SIGCONT)
                server.process.kill()
                server.process.wait()
        database.stop()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
