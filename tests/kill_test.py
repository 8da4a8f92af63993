"""kill -9 at random moments of a real run: of the server, an agent, a task's supervisor, or all of them at once.

usage: kill_test.py --programs DIR --source DIR [--kills N | --soak] [--seed S] [--keep]

One server and two process sites with emulated cards run on this machine; a tenant submits short jobs all the time, and asks again
with the same id and body whenever it does not know what became of a request. When the kills are done and all is mended, every
promise must hold: no acknowledged job is lost, none ends twice, no two generations of one overlap, each metered second is billed
once, nothing stays held back, the journal proves itself, no process is left behind. --soak makes WEIR_SOAK_KILLS kills, or 2000.

The seed decides what is killed and how long the test waits; what the programs do at those moments is theirs. A failure keeps the
folder with the store and the logs, and names it.
"""
import argparse
import collections
import glob
import hashlib
import http.client
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
import time

POLICY = "task_lease: 3s\nrun_on_lease: 30s\nkill_grace: 1s\ndrift_bound: 1s\nsite_silence: 2s\n"
SITES = {"pidu-core": "core", "tianfu-cloud": "cloud"}  # the example programme's vouchers reach both
PROJECTS = ("vision-lab", "speech-lab", "tables-lab")
SITE = """name: {name}
owner: {name}-owner
region: cn/sichuan/chengdu
tier: {tier}
backend: {backend}
tariff: [{{model: L20, fen_per_card_hour: 90000}}]
grid_zone: cn-sc
pue_milli: 1200
open: true
"""
AGENT = """site: {name}
server: {url}
token_file: {folder}/agent.token
root: {folder}/root
blobs: {top}/blobs
meter_slice: 1s
observe_ms: 50
poll_wait: 2s
log_retention: {retention}
nodes:
  - name: n1
    cards: [{{model: L20, count: 4, memory: 48GiB, emulated: true}}]
    cpus: 16
    memory: 32GiB
    address: 127.0.0.1
"""
FINAL = ("succeeded", "failed", "cancelled")
JOB_FINISHED, TASK_METERED = 47, 43  # src/control/core/events.hpp
OPEN_JOBS_MAX = 10
RETENTION_S = 600
SETTLE_S = 120  # everything is mended; far beyond any lease, and a busy machine's
FIRST_UID, UIDS_PER_SITE, UID_SLOTS = 62_000, 100, 15


class Broken(Exception):
    """A promise does not hold; the text says which, and of what."""


def until(what, question, seconds, every=0.05):
    """Asks until the answer is true, and returns it; a bounded poll."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Broken(f"after {seconds} s still waiting for {what() if callable(what) else what}")
        time.sleep(every)


def make_id(chance):
    """48 bits of milliseconds since 1970, then 80 of chance, in Crockford's base 32."""
    number = (time.time_ns() // 1_000_000) << 80 | chance.getrandbits(80)
    return "job-" + "".join("0123456789abcdefghjkmnpqrstvwxyz"[number >> shift & 31] for shift in range(125, -1, -5))


def free_port(chance):
    """Below the ports that clients are given, so that nobody takes it while the server is dead."""
    while True:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def claim_uids():
    """Users that no other run of this test uses now: an agent ends every process of its idle users. The socket is the claim."""
    for slot in range(UID_SLOTS):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0weir-kill-test-{slot}")
            return claim, FIRST_UID + slot * UIDS_PER_SITE * len(SITES)
        except OSError:
            claim.close()
    raise Broken(f"{UID_SLOTS} runs of this test have taken all users; end one")


class Http:
    """One party's requests. No answer is an answer too: None."""

    def __init__(self, port, token):
        self.port, self.token, self.connection = port, token, None

    def ask(self, method, path, body=None, kind="application/json"):
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = kind
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            self.connection.request(method, path, None if body is None else body.encode(), headers)
            reply = self.connection.getresponse()
            return reply.status, json.loads(reply.read() or b"{}")
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return None

    def must(self, method, path, body=None, kind="application/json"):
        """For a network that is up; whoever asks for thousands of things in a row is told to go slower."""
        def ask():
            answer = self.ask(method, path, body, kind)
            return None if answer is not None and answer[0] == 429 else answer

        answer = until(f"an answer to {method} {path}", ask, 30)
        if answer[0] >= 300:
            raise Broken(f"{method} {path}: {answer[0]} {answer[1].get('detail')}")
        return answer[1]


class Process:
    """A program of ours that is started again after it was killed."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log, self.child = name, command, log, None

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def end(self, number):
        if self.alive():
            self.child.send_signal(number)
        if self.child is not None:
            self.child.wait(30)

    def check(self):
        if self.child is not None and self.child.poll() is not None:
            raise Broken(f"{self.name} ended by itself with {self.child.returncode}: see {self.log}")


def read_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:  # it ended meanwhile
        return b""


class Tenant(threading.Thread):
    """Submits jobs for as long as it is wanted, and looks after them; what the network has acknowledged is in `jobs`."""

    def __init__(self, http_, vouchers, chance):
        super().__init__(daemon=True)
        self.http, self.vouchers, self.chance = http_, vouchers, chance
        self.jobs, self.open, self.asked_again, self.trouble = {}, {}, 0, None
        self.enough, self.over = threading.Event(), threading.Event()

    def run(self):
        try:
            while not self.enough.is_set():
                self.submit()
                self.look()
                self.enough.wait(self.chance.uniform(0.02, 0.3))
            end = time.monotonic() + SETTLE_S
            while self.open and time.monotonic() < end and not self.over.wait(0.1):
                self.look()
            if self.open:
                raise Broken(f"{SETTLE_S} s after all was mended {len(self.open)} acknowledged jobs are not final: {self.describe_open()}")
        except Broken as trouble:
            self.trouble = trouble
        except Exception as trouble:  # a thread's last words would go nowhere
            self.trouble = Broken(f"the tenant stumbled: {trouble!r}")

    def describe_open(self):
        return "; ".join(f"{job} {kind}: {self.http.ask('GET', f'/v1/jobs/{job}')}" for job, kind in list(self.open.items())[:3])

    def new_spec(self):
        kind = self.chance.choice(("plain", "plain", "plain", "again", "fails", "checkpoint"))
        pause = f"sleep {self.chance.uniform(0.2, 3.0):.2f}"
        spec = {"name": kind, "resources": {"accelerators": "L20:1", "cpus": 1, "memory": "64MiB"}, "max_duration": "60s",
                "retry": {"max_restarts": 0, "max_restarts_on_site_fault": 100, "backoff": "1s"}, "run": pause}
        if kind == "again":  # fails once, then succeeds
            spec["run"] = f"{pause}; test $WEIR_GENERATION -ge 2 || exit 75"
            spec["retry"].update(max_restarts=1, exit_codes=[75])
        elif kind == "fails":
            spec["run"] = f"{pause}; exit 7"
        elif kind == "checkpoint":
            spec["checkpoint"] = {"protocol": "self", "interval": "1s"}
            spec["run"] = ('cd "$WEIR_CHECKPOINT_DIR"; for step in 1 2 3; do sleep 0.6; mkdir .tmp-$step; echo $step >.tmp-$step/step; '
                           "mv .tmp-$step g$WEIR_GENERATION-$step; done")
        project = self.chance.choice(PROJECTS)
        if self.chance.random() < 0.5:
            spec["funding"] = [self.vouchers[project], "prepaid"]
        return kind, project, spec

    def submit(self):
        kind, project, spec = self.new_spec()
        job = make_id(self.chance)
        body = json.dumps({"id": job, "project": project, "spec": spec})
        unknown = 0
        while not self.over.is_set():
            answer = self.http.ask("POST", "/v1/jobs", body)
            if answer is None or answer[0] in (429, 503):
                unknown += 1
                self.over.wait(0.05)
                continue
            if answer[0] not in (200, 201) or answer[1].get("id") != job:
                raise Broken(f"submitting {job} ({kind}, {unknown} requests without an answer before): {answer[0]} {answer[1]}")
            if not unknown and answer[0] != 201:
                raise Broken(f"the first request for {job} was answered as a repeated one: {answer}")
            break
        else:
            return
        self.asked_again += bool(unknown)
        self.jobs[job] = self.open[job] = kind
        if self.chance.random() < 0.1:
            again = self.http.ask("POST", "/v1/jobs", body)
            if again is not None and again[0] not in (200, 429, 503):
                raise Broken(f"the same request for {job} made again was answered {again}, not 200")

    def look(self):
        """Strikes off what is final; waits while more is open than two small sites can take."""
        while not self.over.is_set():
            for job in list(self.open):
                answer = self.http.ask("GET", f"/v1/jobs/{job}")
                if answer is None or answer[0] in (429, 503):
                    break
                if answer[0] != 200:
                    raise Broken(f"{job} was acknowledged, and is now {answer[0]} {answer[1].get('detail')}")
                if answer[1]["state"] in FINAL:
                    del self.open[job]
            if self.enough.is_set() or len(self.open) < OPEN_JOBS_MAX:
                return
            self.over.wait(0.1)


class Generations:
    """What ran when: seen with our own eyes in /proc, and as the supervisors wrote it."""

    def __init__(self, roots):
        self.roots = roots
        self.ended = collections.defaultdict(dict)  # job -> generation -> (started, ended, site)
        self.unended = {}

    def look(self):
        """The processes of tasks of ours: pids by (job, generation). A job with two generations alive breaks the promise."""
        found = collections.defaultdict(list)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for variable in read_bytes(f"/proc/{pid}/environ").split(b"\0"):
                if variable.startswith(b"WEIR_TASK=job-"):
                    job, generation, _ = variable[len(b"WEIR_TASK="):].decode().split("/")
                    if any(os.path.isdir(f"{root}/tasks/{job}") for root in self.roots.values()):
                        found[job, int(generation)].append(int(pid))
        return found

    def check_alive(self):
        found = self.look()
        for job, generation in list(found):
            others = [other for same, other in found if same == job and other < generation]
            if not others:
                continue
            # One look at /proc takes a while: what is still there at a second look was there together with the other.
            again = self.look()
            for other in others:
                if (job, generation) in again and (job, other) in again:
                    raise Broken(f"{job}: generations {other} and {generation} run at once, "
                                 f"pids {again[job, other]} and {again[job, generation]}")

    def collect(self):
        self.unended = {}
        for site, root in self.roots.items():
            # Not by pathlib: it gives up where a folder that it found is forgotten meanwhile.
            for status in map(pathlib.Path, glob.iglob(f"{root}/tasks/job-*/*/0/status")):
                job, generation = status.parts[-4], int(status.parts[-3])
                if generation in self.ended[job]:
                    continue
                lines = dict(line.partition(" ")[::2] for line in read_bytes(status).decode(errors="replace").splitlines())
                if lines.get("phase") == "ended":
                    self.ended[job][generation] = int(lines["started_at_s"]), int(lines["ended_at_s"]), site
                else:
                    self.unended[job, generation, site] = lines.get("phase")

    def check_times(self):
        for job, generations in self.ended.items():
            ran = sorted((number, times) for number, times in generations.items() if times[0] > 0)
            for (first, (_, ended, site)), (second, (started, _, later_site)) in zip(ran, ran[1:]):
                if started < ended:  # both in whole seconds, rounded down
                    raise Broken(f"{job}: generation {second} began at {started} at {later_site}, and {first} ended at {ended} at {site}")


class Network:
    def __init__(self, arguments, folder, chance):
        self.programs, self.source, self.folder, self.chance = arguments.programs, arguments.source, folder, chance
        self.port = free_port(chance)
        self.url = f"http://127.0.0.1:{self.port}"
        self.agents = {}
        self.roots = {site: f"{folder}/{site}/root" for site in SITES}
        pathlib.Path(folder, "policy.yaml").write_text(POLICY)
        os.mkdir(f"{folder}/blobs")
        self.server = Process("weir-server", [f"{self.programs}/weir-server", "--data", f"{folder}/server", "--port", str(self.port),
                                              "--catalogue", f"{self.source}/catalogue/accelerators.yaml", "--policy",
                                              f"{folder}/policy.yaml"] +
                              [part for site, root in self.roots.items() for part in ("--site-root", f"{site}={root}")],
                              f"{folder}/server.log")

    def found(self):
        """Organisations, projects, money, sites with their agents; returns the tenant's token and the vouchers."""
        self.server.start()
        endpoint = pathlib.Path(self.folder, "server", "endpoint")
        until("the server's endpoint", lambda: self.server.check() or endpoint.exists(), 30)
        self.operator = Http(self.port, pathlib.Path(self.folder, "server", "operator.token").read_text().strip())
        post = lambda path, body: self.operator.must("POST", path, json.dumps(body))
        programme = pathlib.Path(self.source, "examples/programmes/demo-2026.yaml").read_text()
        for site, tier in SITES.items():
            post("/v1/organisations", {"name": f"{site}-owner", "kind": "enterprise", "registered_in": "cn/sichuan/chengdu"})
            self.operator.must("POST", "/v1/sites", SITE.format(name=site, tier=tier, backend=self.backend_of(site)), "application/yaml")
        self.operator.must("POST", "/v1/programmes", programme, "application/yaml")
        vouchers = {}
        for project in PROJECTS:
            post("/v1/organisations", {"name": f"{project}-org", "kind": "university", "registered_in": "cn/sichuan/chengdu"})
            post("/v1/projects", {"name": project, "organisation": f"{project}-org"})
            self.operator.must("PUT", f"/v1/projects/{project}/members/ann", json.dumps({"roles": ["owner"]}))
            post("/v1/deposits", {"organisation": f"{project}-org", "amount": 10_000_000_000})
            award = {"programme": "demo-2026", "organisation": f"{project}-org", "amount": 100_000_000}
            vouchers[project] = post("/v1/vouchers", award)["id"]
        for number, site in enumerate(SITES):
            self.add_agent(site, number, post(f"/v1/sites/{site}/agent-token", {})["secret"])
        for site in SITES:
            until(f"{site} to join", lambda: self.agents[site].check() or self.nodes_of(site) > 0, 30)
        return post("/v1/tokens", {"subject": "ann", "scopes": ["read", "write"]})["secret"], vouchers

    def backend_of(self, _):
        return "process"

    def nodes_of(self, site):
        return int(self.operator.must("GET", f"/v1/sites/{site}")["nodes"])

    def add_agent(self, site, number, secret):
        folder = pathlib.Path(self.folder, site)
        folder.mkdir()
        folder.chmod(0o711)
        text = AGENT.format(name=site, url=self.url, folder=folder, top=self.folder, retention=f"{RETENTION_S}s")
        if os.geteuid() == 0:
            if number == 0:
                self.claim, self.first_uid = claim_uids()
            owner = self.first_uid + number * UIDS_PER_SITE
            text += f"owner_uid: {owner}\nusers: {{first: {owner + 1}, count: {UIDS_PER_SITE - 1}}}\n"
        for name, content in (("agent.token", secret + "\n"), ("agent.yaml", text)):
            file = folder / name
            file.touch(0o600)
            file.write_text(content)
        self.agents[site] = Process(f"agent of {site}", [f"{self.programs}/weir", "agent", f"{folder}/agent.yaml"], f"{folder}/agent.log")
        self.agents[site].start()

    def supervisors(self):
        """Pids of this run's supervisors."""
        pids = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            command = read_bytes(f"/proc/{pid}/cmdline").split(b"\0")
            if command[0].endswith(b"weir-supervisor") and any(self.folder.encode() in part for part in command):
                pids.append(int(pid))
        return pids

    def kill_some(self):
        """Kills what chance picks; returns the name of it and the programs to start again."""
        target = self.chance.choice(("server", "agent", "supervisor", "all"))
        site = self.chance.choice(list(SITES))
        supervisors = self.supervisors()
        if target == "supervisor" and supervisors:
            kill_pid(self.chance.choice(supervisors))
            return target, []
        if target == "all":
            victims = [self.server, *self.agents.values()]
        elif target == "server":
            victims = [self.server]
        else:  # an agent too where there is no supervisor now
            target, victims = "agent", [self.agents[site]]
        for victim in victims:
            victim.check()
            victim.child.kill()
        if target == "all":
            for pid in self.supervisors():
                kill_pid(pid)
        for victim in victims:
            victim.child.wait(30)
        return target, victims

    def check(self):
        for process in (self.server, *self.agents.values()):
            process.check()


def kill_pid(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself meanwhile


def check_journal(path, jobs):
    """What the journal says of every acknowledged job; returns how many lines it has."""
    finished, metered, expected = {}, collections.Counter(), 1
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    for revision, text in connection.execute("SELECT revision, text FROM journal ORDER BY revision"):
        if revision != expected:
            raise Broken(f"the journal goes from revision {expected - 1} to {revision}")
        expected += 1
        line = json.loads(text)
        event = line["event"]
        if line["type"] == TASK_METERED:
            if event["job"] in finished:
                raise Broken(f"{event['job']} was metered in revision {revision} after its end in {finished[event['job']][0]}")
            metered[event["job"]] += int(event["used"])
        if line["type"] == JOB_FINISHED:
            if event["job"] in finished:
                raise Broken(f"{event['job']} finished twice, in revisions {finished[event['job']][0]} and {revision}")
            finished[event["job"]] = revision, event
    connection.close()
    outcomes = {"plain": "succeeded", "again": "succeeded", "checkpoint": "succeeded", "fails": "failed"}
    for job, kind in jobs.items():
        if job not in finished:
            raise Broken(f"{job} was acknowledged and is final, and the journal has no end of it")
        revision, event = finished[job]
        billed = sum(int(bill_line["used"]) for bill_line in event["bill"])
        if billed != metered[job]:
            raise Broken(f"{job} (revision {revision}): {metered[job]} milli-card-seconds were metered and {billed} are in the bill")
        owed = sum(int(bill_line["amount"]) for bill_line in event["bill"] if bill_line["payer"] == "tenant")
        paid = sum(int(part["captured"]) for part in event["paid"])
        if owed != paid:
            raise Broken(f"{job} (revision {revision}): the tenant owes {owed} fen and the sources paid {paid}")
        if event["outcome"] != outcomes[kind]:
            raise Broken(f"{job} ({kind}, revision {revision}) is {event['outcome']} ({event['reason']}) and should be {outcomes[kind]}")
    return expected - 1


def check_books(operator):
    for sheet in operator.must("GET", "/v1/ledger/trial-balance")["ledgers"]:
        pending = int(sheet["debits_pending"]), int(sheet["credits_pending"])
        if pending != (0, 0) or not sheet["balanced"]:
            raise Broken(f"all jobs are final, and {sheet['title']} holds {pending} back (balanced: {sheet['balanced']})")


def is_whole(network):
    """The server answers and hears both sites."""
    network.check()
    answers = [network.operator.ask("GET", f"/v1/sites/{site}") for site in SITES]
    return all(answer is not None and answer[0] == 200 and answer[1]["reachable"] for answer in answers)


def break_things(network, tenant, generations, kills):
    """The kills, each at a random moment; returns how often what was killed."""
    count = collections.Counter()
    chance = network.chance
    for _ in range(kills):
        wait_random(chance.uniform(0.1, 2.0), tenant, generations)
        network.check()
        target, victims = network.kill_some()
        count[target] += 1
        # Mostly back at once, sometimes only after the leases have run out.
        if victims:
            wait_random(chance.uniform(0.0, 1.0) if chance.random() < 0.7 else chance.uniform(4.0, 6.0), tenant, generations)
        chance.shuffle(victims)
        for victim in victims:
            victim.start()
        generations.collect()
    return count


def wait_random(seconds, tenant, generations):
    """Lets the run go on for so long, and watches it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if tenant.trouble:
            raise tenant.trouble
        generations.check_alive()
        time.sleep(max(0.0, min(0.1, end - time.monotonic())))


def leftovers(network, generations):
    """Processes of this run: its tasks', by their marker, and whoever was started with the run's folder."""
    pids = {pid for found in generations.look().values() for pid in found}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) != os.getpid() and network.folder.encode() in read_bytes(f"/proc/{pid}/cmdline"):
            pids.add(int(pid))
    return pids


def end_all(network, generations):
    """By pid, until none is left."""
    for process in (*network.agents.values(), network.server):
        if process.alive():
            process.child.kill()
        if process.child is not None:
            process.child.wait(30)
    end = time.monotonic() + 10
    while (pids := leftovers(network, generations)) and time.monotonic() < end:
        for pid in pids:
            kill_pid(pid)
        time.sleep(0.02)
    remove_cgroups(network.roots.values())


def remove_cgroups(roots):
    """What agents that were killed and never started again could not remove; an agent names its groups by its root."""
    for root in roots:
        name = f"weir-{hashlib.sha256(root.encode()).hexdigest()[:12]}"
        for group in pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}"):
            for folder in (*group.glob("*/"), group):
                try:
                    folder.rmdir()
                except OSError as trouble:
                    print(f"{folder} cannot be removed: {trouble.strerror}", file=sys.stderr)


def check_end(network, tenant, generations):
    """All promises, once everything is mended and every job is final."""
    for job in tenant.jobs:
        state = network.operator.must("GET", f"/v1/jobs/{job}")["state"]
        if state not in FINAL:
            raise Broken(f"{job} was final and is {state} now")
    check_books(network.operator)
    generations.collect()
    until(lambda: f"the end of tasks whose jobs are final: {generations.unended}",
          lambda: generations.collect() or not generations.unended, 30)
    generations.check_times()
    for process in (*network.agents.values(), network.server):
        process.end(signal.SIGTERM)
        if process.child.returncode != 0:
            raise Broken(f"{process.name} was told to end, and ended with {process.child.returncode}: see {process.log}")
    until(lambda: f"processes of this run to end: {[(pid, read_bytes(f'/proc/{pid}/cmdline')) for pid in leftovers(network, generations)]}",
          lambda: not leftovers(network, generations), 10)
    lines = check_journal(f"{network.folder}/server/weir.db", tenant.jobs)
    proof = subprocess.run([f"{network.programs}/weir", "audit", "verify", "--data", f"{network.folder}/server", "--catalogue",
                            f"{network.source}/catalogue/accelerators.yaml"], capture_output=True, text=True, timeout=300, check=False)
    if proof.returncode != 0:
        raise Broken(f"weir audit verify ended with {proof.returncode}:\n{proof.stdout}{proof.stderr}")
    return lines


def run(network, arguments):
    generations, tenant = Generations(network.roots), None
    try:
        token, vouchers = network.found()
        tenant = Tenant(Http(network.port, token), vouchers, random.Random(network.chance.getrandbits(64)))
        tenant.start()
        killed = break_things(network, tenant, generations, arguments.kills)
        until("the server to hear its sites again", lambda: is_whole(network), 60)
        tenant.enough.set()
        while tenant.is_alive():
            network.check()
            generations.check_alive()
            tenant.join(0.1)
        if tenant.trouble:
            raise tenant.trouble
        lines = check_end(network, tenant, generations)
        most = max((len(of_job) for of_job in generations.ended.values()), default=0)
        return (f"{len(tenant.jobs)} jobs, {tenant.asked_again} asked for again, at most {most} generations of one, {lines} journal "
                f"lines; killed " + ", ".join(f"{name} {number}" for name, number in sorted(killed.items())))
    finally:
        if tenant:
            tenant.over.set()
        end_all(network, generations)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=os.path.abspath)
    parser.add_argument("--source", required=True, type=os.path.abspath)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--soak", action="store_true", help="as many kills as WEIR_SOAK_KILLS says, or 2000")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that went well too")
    arguments = parser.parse_args()
    if arguments.soak:
        arguments.kills = int(os.environ.get("WEIR_SOAK_KILLS") or 2000)
    # A test that is told to end still ends its children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    folder = tempfile.mkdtemp(prefix="weir-kill-")
    os.chmod(folder, 0o711)
    keep = arguments.keep
    try:
        said = run(Network(arguments, folder, random.Random(arguments.seed)), arguments)
        print(f"ok seed {arguments.seed}: {arguments.kills} kills in {time.monotonic() - began:.0f} s, {said}", flush=True)
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
