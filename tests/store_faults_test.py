"""What an operator meets when things go wrong, on the real weir-server: each fault, its words, its exit code, and the way back.

usage: store_faults_test.py --programs DIR --source DIR --sick-disk FILE [CASE...]

Each case makes a network in a folder of its own, lets a tenant submit jobs, breaks one thing, and asks four questions: does the program
say what is wrong and what to do, does it end with the documented code, is every job that was acknowledged still there after the
recovery that docs/recovery.md describes, and does `weir audit verify` prove the result. Nothing waits for time to pass.
"""
import argparse
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading

from kill_test import SITE, Broken, Http, make_id, until

STORE_TROUBLE, NO_LISTEN = 3, 4
PAGE = 8192
SPEC = {"name": "wait", "resources": {"accelerators": "L20:1", "cpus": 1, "memory": "64MiB"}, "max_duration": "60s", "run": "true"}


class House:
    """A data directory and whoever serves it."""

    def __init__(self, arguments, folder, name="data"):
        self.arguments, self.folder = arguments, folder
        self.data = f"{folder}/{name}"
        self.chance = random.Random(name)
        self.child, self.http, self.jobs = None, None, []
        self.switch = f"{folder}/sick"

    def command(self, *more, port=0):
        return [f"{self.arguments.programs}/weir-server", "--data", self.data, "--port", str(port), "--catalogue",
                f"{self.arguments.source}/catalogue/accelerators.yaml", *more]

    def environment(self):
        return {**os.environ, "LD_PRELOAD": self.arguments.sick_disk, "WEIR_SICK_DISK": self.switch, "WEIR_SICK_BELOW": f"{self.data}/"}

    def log(self):
        return pathlib.Path(f"{self.data}.log").read_text(encoding="utf-8")

    def start(self):
        endpoint = pathlib.Path(self.data, "endpoint")
        endpoint.unlink(missing_ok=True)
        with open(f"{self.data}.log", "w", encoding="utf-8") as log:
            self.child = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment())
        until(lambda: f"{self.data} to answer: {self.log()}", lambda: endpoint.exists() or self.check_alive(), 120)
        port = int(endpoint.read_text(encoding="utf-8").strip().rsplit(":", 1)[1])
        self.http = Http(port, pathlib.Path(self.data, "operator.token").read_text(encoding="utf-8").strip())
        return self

    def check_alive(self):
        if self.child.poll() is not None:
            raise Broken(f"the server ended with {self.child.returncode}: {self.log()}")

    def end(self, number=signal.SIGTERM):
        self.child.send_signal(number)
        code = self.child.wait(120)
        if number == signal.SIGTERM and code != 0:
            raise Broken(f"the server was told to end and ended with {code}: {self.log()}")

    def refuses(self, *words, code=STORE_TROUBLE, more=(), port=0):
        """Starts a server that must not start: it ends with `code` and says `words` on standard error."""
        run = subprocess.run(self.command(*more, port=port), capture_output=True, text=True, timeout=120, check=False,
                             env=self.environment())
        must_say(f"weir-server on {self.data}", run, code, *words)

    def ends_itself(self, *words):
        """The server ends by itself, since it cannot go on."""
        code = self.child.wait(120)
        if code != STORE_TROUBLE:
            raise Broken(f"the server ended with {code}, not {STORE_TROUBLE}: {self.log()}")
        for word in words:
            if word not in self.log():
                raise Broken(f"the server ended and did not say '{word}': {self.log()}")

    def found(self):
        """An organisation with money, a project, and a site that no agent serves: jobs are acknowledged, and wait."""
        for path, body in (("/v1/organisations", {"name": "lab", "kind": "university", "registered_in": "cn/sichuan/chengdu"}),
                           ("/v1/projects", {"name": "vision", "organisation": "lab"}),
                           ("/v1/deposits", {"organisation": "lab", "amount": 1_000_000_000})):
            self.http.must("POST", path, json.dumps(body))
        site = SITE.format(name="east", tier="core", backend="process").replace("east-owner", "lab")
        self.http.must("POST", "/v1/sites", site, "application/yaml")
        self.http.must("PUT", "/v1/projects/vision/members/operator", json.dumps({"roles": ["owner"]}))
        return self

    def submit(self):
        """One job; its id where it was acknowledged."""
        job = make_id(self.chance)
        answer = self.http.ask("POST", "/v1/jobs", json.dumps({"id": job, "project": "vision", "spec": SPEC}))
        if answer is None:
            return None
        if answer[0] != 201:
            raise Broken(f"a job was answered {answer}")
        self.jobs.append(job)
        return job

    def submit_many(self, count):
        jobs = [make_id(self.chance) for _ in range(count)]
        items = self.http.must("POST", "/v1/jobs:batch",
                               json.dumps({"jobs": [{"id": job, "project": "vision", "spec": SPEC} for job in jobs]}))["items"]
        if [item["status"] for item in items] != [201] * count:
            raise Broken(f"a batch was answered {items[:3]}")
        self.jobs += jobs

    def must_have(self, jobs):
        for job in jobs:
            answer = self.http.ask("GET", f"/v1/jobs/{job}")
            if answer is None or answer[0] != 200:
                raise Broken(f"{job} was acknowledged and is {answer} in {self.data}")

    def proves(self):
        tool(self.arguments, 0, "audit", "--data", self.data, *catalogue(self.arguments))

    def journal(self):
        """Every (revision, text) of the store at rest."""
        with contextlib.closing(sqlite3.connect(f"{self.data}/weir.db")) as store:
            return store.execute("select revision, text from journal order by revision").fetchall()

    def sql(self, statement, *values, file="weir.db"):
        with contextlib.closing(sqlite3.connect(f"{self.data}/{file}")) as store, store:
            store.execute(statement, values)

    def take_log_away(self):
        """Of a store that was not closed; the last revision that it had."""
        with tempfile.TemporaryDirectory(dir=self.folder) as copy:
            for name in ("weir.db", "weir.db-wal"):
                shutil.copy(f"{self.data}/{name}", copy)
            with contextlib.closing(sqlite3.connect(f"{copy}/weir.db")) as store:
                last = store.execute("select max(revision) from journal").fetchone()[0]
        os.rename(f"{self.data}/weir.db-wal", f"{self.folder}/log")
        os.remove(f"{self.data}/weir.db-shm")
        return last

    def bring_log_back(self):
        pathlib.Path(self.data, "weir.db-shm").unlink(missing_ok=True)
        os.rename(f"{self.folder}/log", f"{self.data}/weir.db-wal")

    def sick(self, letter):
        pathlib.Path(self.switch).write_text(letter, encoding="utf-8")


def catalogue(arguments):
    return "--catalogue", f"{arguments.source}/catalogue/accelerators.yaml"


def must_say(who, run, code, *words):
    said = run.stdout + run.stderr
    if run.returncode != code:
        raise Broken(f"{who} ended with {run.returncode}, not {code}: {said}")
    for word in words:
        if word not in said:
            raise Broken(f"{who} did not say '{word}': {said}")


def tool(arguments, code, *words_of_command, says=(), environment=None):
    """A command of weir-server that must end with `code`."""
    run = subprocess.run([f"{arguments.programs}/weir-server", *words_of_command], capture_output=True, text=True, timeout=300, check=False,
                         env=environment)
    must_say(f"weir-server {' '.join(words_of_command)}", run, code, *says)
    return run.stdout


def restored(house, name, *how, jobs, gone=()):
    """Carries a restore out, proves the new directory, serves it, and looks for the jobs."""
    new = House(house.arguments, house.folder, name)
    tool(house.arguments, 0, "restore", *how, "--to", new.data)
    new.proves()
    shutil.copy(f"{house.data}/operator.token", new.data)  # tokens are in the journal, their secrets are not
    new.start()
    new.must_have(jobs)
    for job in gone:
        if (answer := new.http.ask("GET", f"/v1/jobs/{job}"))[0] != 404:
            raise Broken(f"{job} came after the moment and is {answer}")
    if new.submit() is None:
        raise Broken(f"the restored network takes no job: {new.log()}")
    new.end()
    new.proves()
    return new


def backup_of(house):
    path = f"{house.folder}/backup.db"
    tool(house.arguments, 0, "backup", "--data", house.data, "--to", path)
    return path


def of_journal(house, job):
    """The revision at which a job was submitted."""
    return next(revision for revision, text in house.journal() if json.loads(text)["type"] == 40 and job in text)


def overwrite(path, place, length):
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(b"\x5a" * length)


def place_of(path, needle):
    place = pathlib.Path(path).read_bytes().rfind(needle.encode())
    if place < 0:
        raise Broken(f"{path} does not hold {needle}")
    return place


def append_forged(house, kind, event):
    """A record that continues the chain as a program that is not ours would write it."""
    with contextlib.closing(sqlite3.connect(f"{house.data}/weir.db")) as store, store:
        revision, before = store.execute("select revision, hash from journal order by revision desc limit 1").fetchone()
        text = json.dumps({"revision": revision + 1, "type": kind, "at": "2200-01-01T00:00:00Z", "actor": "system", "event": event},
                          separators=(",", ":"))
        store.execute("insert into journal values(?, ?, ?)", (revision + 1, text, hashlib.sha256(before + text.encode()).digest()))
    return revision + 1


# ---- the cases


def backup_and_a_moment(house):
    """A backup while jobs come in; a new network as of a moment; and one of the backup and what came after it."""
    house.start().found()
    moments, enough, trouble = [], threading.Event(), []

    def load():
        try:
            while not enough.is_set():
                if house.submit() is None:
                    raise Broken("a job was not answered")
                moments.append(datetime.datetime.now(datetime.timezone.utc))
        except Broken as broken:
            trouble.append(broken)

    def more(count):
        goal = len(moments) + count
        until("the load to go on", lambda: trouble or len(moments) >= goal, 120, every=0.005)

    tenant = threading.Thread(target=load)
    tenant.start()
    try:
        more(20)
        before = len(moments)
        moment = datetime.datetime.now(datetime.timezone.utc)
        more(20)
        saved = len(moments)
        tool(house.arguments, 0, "backup", "--data", house.data, "--to", f"{house.folder}/backup.db",
             says=("chain verified from the first record",))
        more(20)
        tool(house.arguments, STORE_TROUBLE, "backup", "--data", house.data, "--to", f"{house.folder}/backup.db",
             says=("never overwritten",))
    finally:
        enough.set()
        tenant.join()
    if trouble:
        raise trouble[0]
    house.end(signal.SIGKILL)
    backup = f"{house.folder}/backup.db"
    tool(house.arguments, 0, "audit", "--store", backup, *catalogue(house.arguments))
    late = house.jobs[before + 1:]  # the one at `before` may have been on its way at that moment
    at = moment.isoformat().replace("+00:00", "Z")
    restored(house, "as-of", "--from", backup, "--until-time", at, jobs=house.jobs[:before], gone=late)
    restored(house, "whole", "--from", backup, jobs=house.jobs[:saved])
    revision = of_journal(house, house.jobs[5])
    restored(house, "revision", "--from", backup, "--until-revision", str(revision), jobs=house.jobs[:6], gone=house.jobs[6:])
    restored(house, "and-then", "--from", backup, "--then", f"{house.data}/weir.db", jobs=house.jobs)
    tool(house.arguments, STORE_TROUBLE, "restore", "--from", backup, "--to", f"{house.folder}/whole", says=("never overwritten",))


def full_disk(house):
    house.start().found().submit_many(5)
    house.sick("f")
    if house.submit() is not None:
        raise Broken("a job was acknowledged on a full disk")
    house.ends_itself("no space for", "make room", "replays at its next start")
    house.refuses("No space left on device", "free space")
    house.sick("")
    house.start().must_have(house.jobs)
    house.submit_many(1)


def failing_sync(house):
    house.start().found().submit_many(5)
    house.sick("s")
    if house.submit() is not None:
        raise Broken("a job was acknowledged though no sync succeeded")
    house.ends_itself("may or may not be durable", "replays at its next start")
    house.sick("")
    house.start().must_have(house.jobs)


def read_only_store(house):
    """It cannot be served; at rest it can be proved, copied and restored. With events in its log it can only be copied away."""
    house.start().found().submit_many(5)
    house.end()
    house.sick("r")
    house.refuses("Read-only file system", "permissions")
    backup = f"{house.folder}/backup.db"
    ways = (("audit", "--data", house.data, *catalogue(house.arguments)), ("backup", "--data", house.data, "--to", backup),
            ("restore", "--from", f"{house.data}/weir.db", "--to", f"{house.folder}/elsewhere"))
    for way in ways:
        tool(house.arguments, 0, *way, environment=house.environment())
    for name in ("weir.db-wal", "weir.db-shm"):
        if os.path.exists(f"{house.data}/{name}"):
            raise Broken(f"{name} was written on a disk that can only be read")
    house.sick("")
    restored(house, "again", "--from", backup, jobs=house.jobs)
    house.start().must_have(house.jobs)
    house.submit_many(1)
    house.end(signal.SIGKILL)
    os.remove(f"{house.data}/weir.db-shm")
    os.remove(backup)
    shutil.rmtree(f"{house.folder}/elsewhere")
    house.sick("r")
    for way in ways:
        tool(house.arguments, STORE_TROUBLE, *way, says=("can only be read", "with its -wal"), environment=house.environment())
    house.sick("")
    house.start().must_have(house.jobs)


def damaged_tail(house):
    """The last page of the journal is not what was written."""
    house.start().found().submit_many(40)
    house.end()
    store = f"{house.data}/weir.db"
    written = house.journal()
    place = place_of(store, house.jobs[-1]) // PAGE * PAGE
    overwrite(store, place, PAGE)
    house.refuses("is damaged", "restore from the newest backup")
    said = tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("FAIL", "restore until"))
    good = int(said.split("restore until revision ")[1].split()[0])
    if not 0 < good < len(written):
        raise Broken(f"the audit names revision {good} of {len(written)}: {said}")
    kept = [job for job in house.jobs if any(job in text for revision, text in written if revision <= good)]
    restored(house, "rest", "--from", store, "--until-revision", str(good), jobs=kept)
    if len(kept) >= len(house.jobs) or not kept:
        raise Broken(f"{len(kept)} of {len(house.jobs)} jobs lie before the damage")


def cut_off(house):
    """The end of the file is gone, as when a copy was broken off."""
    house.start().found().submit_many(5)
    house.end()
    house.start()
    backup = backup_of(house)
    house.submit_many(200)
    house.end()
    written, store = house.journal(), f"{house.data}/weir.db"
    os.truncate(store, os.path.getsize(store) - 9000)
    house.refuses("is damaged", "restore from the newest backup")
    said = tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("FAIL", "restore until"))
    good = said.split("restore until revision ")[1].split()[0]
    kept = [job for job in house.jobs if any(job in text for revision, text in written if revision <= int(good))]
    if not 5 < len(kept) < len(house.jobs):
        raise Broken(f"{len(kept)} of {len(house.jobs)} jobs lie before the cut")
    tool(house.arguments, STORE_TROUBLE, "restore", "--from", store, "--to", f"{house.folder}/none", says=(f"--until-revision {good}",))
    restored(house, "alone", "--from", store, "--until-revision", good, jobs=kept)
    restored(house, "then", "--from", backup, "--then", store, "--until-revision", good, jobs=kept)


def damaged_middle(house):
    """A page far behind the tail: the server starts from its snapshot, and the audit finds what no start looks for."""
    house.start().found().submit_many(5)
    first = list(house.jobs)
    house.submit_many(600)
    house.end()
    house.start()
    backup = backup_of(house)
    house.submit_many(10)
    house.end()
    store = f"{house.data}/weir.db"
    overwrite(store, place_of(store, first[0]) // PAGE * PAGE, PAGE)
    house.start().must_have(house.jobs)
    house.submit_many(1)
    tool(house.arguments, STORE_TROUBLE, "backup", "--data", house.data, "--to", f"{house.folder}/worse.db", says=("is damaged",))
    house.end()
    tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("FAIL", "breaks at revision"))
    tool(house.arguments, STORE_TROUBLE, "restore", "--from", store, "--to", f"{house.folder}/none", says=("--until-revision", "--then"))
    if os.path.exists(f"{house.folder}/none"):
        raise Broken("a restore that failed left its directory")
    os.remove(f"{store}.snapshots")
    house.refuses("is damaged", "restore from the newest backup")
    restored(house, "both", "--from", backup, "--then", store, jobs=house.jobs)


def snapshots_of_another_build(house):
    house.start().found().submit_many(5)
    house.end()
    house.sql("update snapshot set version = version + 1", file="weir.db.snapshots")
    house.start().must_have(house.jobs)
    if "its layout is version" not in house.log() or "this program reads version" not in house.log():
        raise Broken(f"no word about the snapshot that was passed over: {house.log()}")
    house.end()
    house.proves()
    overwrite(f"{house.data}/weir.db.snapshots", 0, 64)
    house.start().must_have(house.jobs)
    if "weir.db.snapshots" not in house.log():
        raise Broken(f"no word about snapshots that cannot be read: {house.log()}")
    house.end()
    # It can still be opened, and is broken behind its first page.
    shelf = f"{house.data}/weir.db.snapshots"
    overwrite(shelf, PAGE, os.path.getsize(shelf) - PAGE)
    for expected in (True, False):
        house.start().must_have(house.jobs)
        house.submit_many(1)
        if ("nothing is lost" in house.log()) != expected or "backup" in house.log():
            raise Broken(f"damaged snapshots, expected {expected}: {house.log()}")
        house.end()
        house.proves()


def unknown_event(house):
    house.start().found().submit_many(5)
    house.end()
    forged = append_forged(house, 999, {"what": "nobody knows"})
    house.refuses(f"revision {forged}", "event type 999", "newer")
    tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("FAIL", "event type 999"))
    restored(house, "before", "--from", f"{house.data}/weir.db", "--until-revision", str(forged - 1), jobs=house.jobs)


def books_that_do_not_balance(house):
    """A posting of more than the organisation has, by somebody who could write the file."""
    house.start().found().submit_many(5)
    house.end()
    bad = next(json.loads(text)["event"] for revision, text in reversed(house.journal()) if json.loads(text)["type"] == 33)
    bad["postings"][0].update(id="trf-7zzzzzzzzz0000000000000000", amt=900_000_000_000_000, at="2200-01-01T00:00:00Z")
    bad["postings"], bad["opened"] = bad["postings"][:1], []
    forged = append_forged(house, 33, bad)
    house.refuses(f"revision {forged} breaks a law of the ledger", "on ledger 1", f"restore up to revision {forged - 1}")
    tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("FAIL", "law of the ledger"))
    restored(house, "before", "--from", f"{house.data}/weir.db", "--until-revision", str(forged - 1), jobs=house.jobs)


def newer_format(house):
    house.start().found().submit_many(5)
    house.end()
    house.sql("update meta set value = '2' where key = 'weir.format'")
    house.refuses("store format 2", "formats up to 1", "newer")
    house.sql("update meta set value = '1' where key = 'weir.format'")  # stands for the newer program
    house.start().must_have(house.jobs)


def two_servers(house):
    house.start().found().submit_many(5)
    house.refuses(f"by process {house.child.pid}", "two servers cannot share one store")
    house.submit_many(5)
    house.must_have(house.jobs)


def missing_store(house):
    house.start().found().submit_many(5)
    backup = backup_of(house)
    house.end()
    os.remove(f"{house.data}/weir.db")
    house.refuses("weir.db is missing", "restore")
    os.remove(f"{house.data}/weir.db.snapshots")
    house.refuses("weir.db is missing", "operator.token", "restore")
    tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("there is no store at",))
    restored(house, "again", "--from", backup, jobs=house.jobs)
    nothing = House(house.arguments, house.folder, "unmounted")
    nothing.refuses("there is no store at", "--existing", more=("--existing",))
    if os.path.exists(nothing.data):
        raise Broken("--existing made a directory")


def lost_log(house):
    """Somebody took the log away: the views know how far the journal went."""
    house.start().found().submit_many(5)
    house.end()
    house.start().submit_many(5)
    over = house.jobs[-1]
    house.http.must("DELETE", f"/v1/jobs/{over}")
    until("the views to know", lambda: [job["id"] for job in finished(house)] == [over], 60)
    house.end(signal.SIGKILL)
    last = house.take_log_away()
    before = pathlib.Path(f"{house.data}/weir.db").read_bytes()
    for _ in range(2):
        house.refuses("ends at revision", f"made of it up to revision {last}", "bring the log back", "restore a backup", "move views.db")
    if pathlib.Path(f"{house.data}/weir.db").read_bytes() != before:
        raise Broken("a store that was refused was written to")
    house.bring_log_back()
    house.start().must_have(house.jobs)
    house.submit_many(1)
    house.end(signal.SIGKILL)
    # Knowingly without it.
    house.take_log_away()
    for name in ("views.db", "views.db-wal", "views.db-shm"):
        pathlib.Path(house.data, name).unlink(missing_ok=True)
    house.start().must_have(house.jobs[:5])
    house.end()
    house.proves()


def lost_log_of_a_young_store(house):
    """All that a store has is in its log until it is first closed."""
    house.start().found().submit_many(5)
    house.end(signal.SIGKILL)
    token = pathlib.Path(house.data, "operator.token")
    secret = token.read_bytes()
    house.take_log_away()
    house.refuses("ends at revision 0", "views.db")
    for name in ("views.db", "views.db-wal", "views.db-shm"):
        os.rename(f"{house.data}/{name}", f"{house.folder}/{name}")
    house.refuses("revision 0", "operator.token is there", "restore a backup")
    os.rename(token, f"{house.folder}/operator.token")
    house.refuses("revision 0", "--existing", more=("--existing",))
    for name in ("views.db", "views.db-wal", "views.db-shm", "operator.token"):
        os.rename(f"{house.folder}/{name}", f"{house.data}/{name}")
    house.bring_log_back()
    house.start().must_have(house.jobs)
    if token.read_bytes() != secret:
        raise Broken("operator.token was written again")


def start_that_was_cut_off(house):
    """The token is on the disk and not yet in the journal: it is of no use, and kept all the same."""
    house.start().end()
    house.sql("delete from journal where revision > 1")
    for name in ("views.db", "weir.db.snapshots"):
        pathlib.Path(house.data, name).unlink(missing_ok=True)
    token = pathlib.Path(house.data, "operator.token")
    secret = token.read_bytes()
    house.start().found()
    if pathlib.Path(f"{token}.old").read_bytes() != secret or token.read_bytes() == secret or "operator.token.old" not in house.log():
        raise Broken(f"the token of the start that was cut off is not kept: {house.log()}")


def views_of_another_store(house):
    """Views that were copied into a restored directory are not its own."""
    house.start().found().submit_many(20)
    over = house.jobs[-1]
    house.http.must("DELETE", f"/v1/jobs/{over}")
    until("the views to know", lambda: [job["id"] for job in finished(house)] == [over], 60)
    house.end()
    early = of_journal(house, house.jobs[0])
    new = restored(house, "early", "--from", f"{house.data}/weir.db", "--until-revision", str(early), jobs=house.jobs[:1])
    shutil.copy(f"{house.data}/views.db", new.data)
    tool(house.arguments, STORE_TROUBLE, "audit", "--data", new.data, *catalogue(house.arguments), says=("FAIL", "of the journal of store"))
    new.start()
    house.child = new.child
    if "another store" not in new.log() or finished(new):
        raise Broken(f"another store's views are served: {finished(new)} {new.log()}")
    new.end()
    new.proves()


def store_removed_below_a_running_server(house):
    for number, files in enumerate((("weir.db", "weir.db-wal"), ("weir.db",), ("weir.db-wal",))):
        one = House(house.arguments, house.folder, f"lost-{number}")
        one.start().found().submit_many(50)
        house.child = one.child
        for file in files:
            os.remove(f"{one.data}/{file}")
        one.ends_itself("was removed or replaced while the server ran", "weir.db.rescued", "restore --from")
        rescued = f"{one.data}/weir.db.rescued"
        tool(one.arguments, 0, "audit", "--store", rescued, *catalogue(one.arguments))
        restored(one, f"after-{number}", "--from", rescued, jobs=one.jobs)


def no_file_at_all(house):
    os.makedirs(f"{house.data}/weir.db")
    house.refuses("weir.db is a directory", "--data")
    shutil.rmtree(house.data)
    pathlib.Path(house.data).write_text("a file", encoding="utf-8")
    house.refuses("Not a directory")
    os.remove(house.data)
    house.start().found().submit_many(1)


def damaged_views(house):
    """The views are made of the journal, and are made again."""
    house.start().found().submit_many(200)
    over = house.jobs[0]
    house.http.must("DELETE", f"/v1/jobs/{over}")
    house.end()
    views = f"{house.data}/views.db"
    for place, length in ((0, 64), (PAGE // 2, os.path.getsize(views) - PAGE // 2)):
        overwrite(views, place, length)
        tool(house.arguments, STORE_TROUBLE, "audit", "--data", house.data, *catalogue(house.arguments), says=("FAIL", "views"))
        house.start()
        until(lambda: f"the views to be built again: {house.log()}",
              lambda: (house.http.ask("GET", f"/v1/jobs/{over}") or (0, {}))[1].get("state") == "cancelled", 60)
        until("the list of what is over", lambda: [job["id"] for job in finished(house)] == [over], 60)
        if "set aside" not in house.log() or not os.path.exists(f"{views}.damaged"):
            raise Broken(f"the damaged views are not set aside: {house.log()}")
        house.must_have(house.jobs)
        house.end()
        house.proves()


def finished(house):
    answer = house.http.ask("GET", "/v1/jobs?state=finished")
    return answer[1].get("items", []) if answer else []


def taken_port(house):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        house.refuses(str(port), "in use", code=NO_LISTEN, port=port)
        if os.path.exists(house.data):
            raise Broken("a server that cannot listen wrote a store")


def wrong_arguments(house):
    """What is asked wrongly is found before a store is opened, or made."""
    usage = 2
    for more, words in ((("--address", "localhost"), "in numbers"), (("--site-root", "east"), "SITE=DIRECTORY"),
                        (("--policy", "/dev/zero"), "is the most that is taken"), (("--policy", "/"), "cannot be read")):
        house.refuses(words, code=usage, more=more)
        if os.path.exists(house.data):
            raise Broken(f"{more} made {house.data}")
    tool(house.arguments, usage, "restore", "--from", "nowhere", "--to", house.data, "--until-time", "yesterday",
         says=("--until-time yesterday must be such as",))


def directory_of_somebody(house):
    """A directory that was there keeps its mode; what the server writes into it is its owner's alone."""
    os.mkdir(house.data)
    os.chmod(house.data, 0o755)
    house.start().found()
    house.end()
    modes = {name: os.stat(f"{house.data}/{name}").st_mode & 0o777 for name in (".", "weir.db", "views.db", "operator.token")}
    if modes != {".": 0o755, "weir.db": 0o600, "views.db": 0o600, "operator.token": 0o600}:
        raise Broken(f"the modes are {[(name, oct(mode)) for name, mode in modes.items()]}")


CASES = (backup_and_a_moment, full_disk, failing_sync, read_only_store, damaged_tail, cut_off, damaged_middle, snapshots_of_another_build,
         unknown_event, books_that_do_not_balance, newer_format, two_servers, missing_store,
         lost_log, lost_log_of_a_young_store, start_that_was_cut_off, views_of_another_store,
         store_removed_below_a_running_server, no_file_at_all, damaged_views, taken_port, wrong_arguments,
         directory_of_somebody)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=os.path.abspath)
    parser.add_argument("--source", required=True, type=os.path.abspath)
    parser.add_argument("--sick-disk", required=True, type=os.path.abspath)
    parser.add_argument("cases", nargs="*", help="names of cases; none: all")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wrong = 0
    for case in CASES:
        if arguments.cases and case.__name__ not in arguments.cases:
            continue
        with tempfile.TemporaryDirectory(prefix="weir-faults-") as folder:
            house = House(arguments, folder)
            try:
                case(house)
                print(f"ok    {case.__name__}", flush=True)
            except Broken as broken:
                wrong += 1
                print(f"FAIL  {case.__name__}: {broken}", flush=True)
            finally:
                if house.child is not None and house.child.poll() is None:
                    house.child.kill()
                    house.child.wait()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
