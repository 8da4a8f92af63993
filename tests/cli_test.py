"""The programs as people and scripts meet them: the version, the shipped catalogue, and pipes that are closed.

usage: cli_test.py --programs DIR --source DIR

Goal: every program tells the same version; the catalogue is found where it is shipped, and a refusal names every place; a command
that waits ends with whoever read it, though nothing comes that it could print. Method: one real server with one job that can never
start, and the real client behind real pipes. Nothing waits for time to pass.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

from kill_test import Broken, until

DEADLINE_S = 60  # far beyond what anything here takes on a busy machine
SITE = """name: pidu
owner: pidu-owner
region: cn/sichuan/chengdu
tier: core
backend: process
tariff: [{model: L20, fen_per_card_hour: 0}]
grid_zone: cn-sc
pue_milli: 1200
open: true
"""
JOB = "name: wait\nresources: {accelerators: L20}\nmax_duration: 60s\nrun: 'true'\n"


def check(so, what):
    if not so:
        raise Broken(what)


class World:
    """A server on a port of its own, and the client that its operator uses."""

    def __init__(self, options, folder, *more):
        self.options, self.folder = options, folder
        self.log = open(folder / "server.log", "w+", encoding="utf-8")
        # No --catalogue: the one that is shipped in this checkout.
        self.server = subprocess.Popen([self.program("weir-server"), "--data", folder / "data", "--port", "0", *more],
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        endpoint = folder / "data/endpoint"
        until(lambda: "the server to answer: " + (folder / "server.log").read_text(),
              lambda: self.server.poll() is not None or endpoint.exists() and endpoint.read_text(), DEADLINE_S)
        check(self.server.poll() is None, "the server ended: " + (folder / "server.log").read_text())
        self.url = endpoint.read_text().strip()
        token = (folder / "data/operator.token").read_text().strip()
        self.environment = {"WEIR_SERVER": self.url, "WEIR_TOKEN": token, "HOME": str(folder), "PATH": "/usr/bin:/bin"}

    def program(self, name):
        return str(self.options.programs / name)

    def weir(self, *words, code=0, text=None):
        done = subprocess.run([self.program("weir"), *words], env=self.environment, input=text, capture_output=True, text=True,
                              timeout=DEADLINE_S)
        check(done.returncode == code, f"weir {' '.join(words)} ends with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=DEADLINE_S) as answer:
            return answer.read().decode()

    def end(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(DEADLINE_S)
        self.log.close()


def one_version(world):
    """Every program and the server tell the same version."""
    version = world.weir("--version").stdout
    for program, *words in (("weir", "agent"), ("weir", "agent", "pause"), ("weir", "up"), ("weir", "server"), ("weir", "audit", "verify"),
                            ("weir-server",), ("weir-server", "backup"), ("weir-server", "restore")):
        done = subprocess.run([world.program(program), *words, "--version"], capture_output=True, text=True, timeout=DEADLINE_S)
        check((done.returncode, done.stdout) == (0, version), f"{program} {words} tells {done.stdout!r} and weir tells {version!r}")
    bare = version.removeprefix("weir ").strip()
    check(json.loads(world.get("/v1/openapi.json"))["info"]["version"] == bare, "the API's document tells another version")
    check(world.get("/healthz") == f"ok\nweir {bare}\n", "/healthz tells another version")
    first = json.loads(world.weir("audit", "log", "--type", "leader_started", "--json").stdout)
    check(first["event"]["build"] == bare, "the journal tells another version")


def shipped_catalogue(world):
    """A program that was moved away from its files says where it looked."""
    away = world.folder / "away/bin"
    away.mkdir(parents=True)
    shutil.copy(world.program("weir-server"), away / "weir-server")
    command = [away / "weir-server", "--data", world.folder / "other", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    check(done.returncode == 2, f"a server without a catalogue ends with {done.returncode}")
    for place in (away, world.folder / "away/share/weir", "--catalogue"):
        check(str(place) in done.stderr, f"the refusal does not name {place}: {done.stderr}")
    check(not (world.folder / "other").exists(), "a refused start left a directory")
    share = world.folder / "away/share/weir/catalogue"
    share.mkdir(parents=True)
    shutil.copy(world.options.source / "catalogue/accelerators.yaml", share)
    command = [away / "weir-server", "audit", "--data", world.folder / "data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    check(done.returncode == 0, f"the catalogue of the share folder is not found: {done.stdout}{done.stderr}")


def agent_files_with_a_fault(world):
    """An agent's file that cannot do is refused in words that fit it, and no line is empty."""
    token = world.folder / "empty.token"
    token.write_text("")
    sound = (f"site: pidu-core\nserver: {world.url}\ntoken_file: {token}\nroot: {world.folder}/site\nblobs: {world.folder}/blobs\n"
             "nodes: [{name: n1}]\n")
    path = world.folder / "agent.yaml"
    users = "owner_uid: 61005\nusers: {first: 61001, count: 9}\n"
    cases = [(("agent", "pause"), "", "nonsense: 1\n", "nonsense"), (("agent",), "", "", "has no token in its first line")]
    if os.geteuid() == 0:
        cases.append((("agent",), "a token", users, "owner_uid is 61005 and the tenants' users are 61001 to 61009"))
    for words, held, more, wanted in cases:
        token.write_text(held)
        path.write_text(sound + more)
        told = world.weir(*words, str(path), code=2).stderr
        check(wanted in told and told.endswith("\n") and not told.endswith("\n\n"), f"{words} with {more!r} says {told!r}")


def a_waiting_job(world):
    """Projects, a site that nobody serves, and a job that waits for it."""
    world.weir("org", "set", "pidu-owner", "--kind", "enterprise", "--registered-in", "cn/sichuan/chengdu")
    world.weir("org", "set", "lab", "--kind", "university", "--registered-in", "cn/sichuan/chengdu")
    world.weir("project", "set", "vision", "--organisation", "lab")
    world.weir("project", "member", "vision", "operator", "--role", "owner")
    world.weir("site", "set", "-f", "-", text=SITE)
    return world.weir("submit", "-", "--project", "vision", text=JOB).stdout.strip()


def closed_pipes(world, job):
    """Whoever waits ends with its reader, silently, as every command of a pipeline does."""
    for words in (("watch",), ("watch", "--json"), ("job", "logs", job, "-f")):
        child = subprocess.Popen([world.program("weir"), *words], env=world.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        child.stdout.close()
        try:
            code = child.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Broken(f"weir {' '.join(words)} goes on though nobody reads it") from None
        said = child.stderr.read().decode()
        child.stderr.close()
        check((code, said) == (-signal.SIGPIPE, ""), f"weir {' '.join(words)} ends with {code} and says {said!r}")
    line = subprocess.run(f"{world.program('weir')} watch --since 0 | head -n 1", shell=True, env=world.environment, capture_output=True,
                          text=True, timeout=DEADLINE_S)
    check("leader_started" in line.stdout and not line.stderr, f"weir watch | head prints {line.stdout!r} and {line.stderr!r}")


def audit_filters(world, job):
    """Filters of the audit log, and what is said where they leave nothing."""
    told = [json.loads(line) for line in world.weir("audit", "log", "--job", job[-8:], "--json").stdout.splitlines()]
    check(told and all(job in json.dumps(entry) for entry in told if entry["type"] != 33), f"the log of {job} is {told}")
    check("job_submitted" in world.weir("audit", "log", "--project", "vision").stdout, "the project's log lacks its job")
    wrong = world.weir("audit", "log", "--type", "job_submited", code=1).stderr
    check("did you mean job_submitted?" in wrong, f"a wrong kind is answered with {wrong}")
    nothing = world.weir("audit", "log", "--type", "job_finished")
    check("no entry of the journal is there with --type job_finished" in nothing.stderr, f"nothing is answered with {nothing.stderr!r}")


def books(world):
    """Accounts by name, their transfers, and the site that has earned nothing yet."""
    world.weir("deposit", "lab", "12.50 yuan")
    items = json.loads(world.weir("ledger", "accounts", "--owner", "lab", "--json").stdout)["items"]
    check([one["name"] for one in items] == ["prepaid balance of lab"], f"the accounts of lab are {items}")
    statement = world.weir("ledger", "statement", items[0]["account"]).stdout
    check("top_up" in statement and "12.50" in statement and "bank: money that came in" in statement, f"the statement is {statement}")
    lines = json.loads(world.weir("ledger", "statement", items[0]["account"], "--json").stdout)["items"]
    check(sum(line["credit"] for line in lines) == items[0]["credits_posted"] == 1250, f"the lines are {lines}")
    check("CNY 0.00" in world.weir("site", "statement", "pidu").stdout, "a site without jobs has earned something")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.programs, options.source = options.programs.resolve(), options.source.resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-cli-"))
    world = None
    try:
        world = World(options, folder)
        one_version(world)
        shipped_catalogue(world)
        agent_files_with_a_fault(world)
        job = a_waiting_job(world)
        closed_pipes(world, job)
        audit_filters(world, job)
        books(world)
        print("cli_test: version, catalogue, agent files, pipes, filters and books are as promised")
        return 0
    except Broken as trouble:
        print(f"cli_test: {trouble}", file=sys.stderr)
        return 1
    finally:
        if world is not None:
            world.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
