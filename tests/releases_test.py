"""Two releases back: their journals are read, their agents and clients served, and a task lives on while its agent is brought up to date.

usage: releases_test.py --programs DIR --source DIR

tests/releases/NAME.tar.xz has of each old release its programs `weir` and `weir-supervisor`, and a journal that its server wrote
(tools/keep_release). With each of them: the journal is proved and its jobs are billed as they were; then this release's server has one
site with the old agent and one with the new one, and the old client asks it. A long task of the old agent goes on in the same generation
while that agent is replaced by the new one under the same folder, and again when the new one is taken back.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile

import kill_test
from kill_test import FINAL, Broken, Generations, Http, Network, end_all, until

OLD_SITE, NEW_SITE = kill_test.SITES
PATIENCE_S = 60


def run(*command, environment=None, text=None):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, input=text, timeout=PATIENCE_S,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise Broken(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def check_journal(arguments, kept):
    """This release proves what an old server wrote, goes on with it, and still knows its jobs."""
    said = run(arguments.programs / "weir-server", "audit", "--store", kept / "journal.db", "--catalogue", kept / "catalogue.yaml")
    if "does not" in said or "ok" not in said:
        raise Broken(f"the journal of an old release: {said}")


class Release:
    """A network of this release, whose first site has the agent of an old one."""

    def __init__(self, arguments, kept, folder, chance):
        self.kept, self.programs = kept, arguments.programs
        self.network = Network(arguments, folder, chance)
        self.generations = Generations(self.network.roots)
        self.tenant = None

    def found(self):
        network = self.network
        start = network.add_agent

        def add_agent(site, number, secret):
            if site == OLD_SITE:
                network.programs = str(self.kept)
            start(site, number, secret)
            network.programs = str(self.programs)

        network.add_agent = add_agent
        token, self.vouchers = network.found()
        self.token = token
        self.tenant = Http(network.port, token)

    def submit(self, site, run_, **more):
        """A job that only this site may take."""
        spec = {"name": "release", "resources": {"accelerators": "L20:1", "cpus": 1, "memory": "64MiB"}, "max_duration": "600s",
                "trust": [site], "run": run_, **more}
        job = kill_test.make_id(self.network.chance)
        self.tenant.must("POST", "/v1/jobs", json.dumps({"id": job, "project": "vision-lab", "spec": spec}))
        return job

    def job(self, job):
        return self.tenant.must("GET", f"/v1/jobs/{job}")

    def await_state(self, job, *states):
        return until(lambda: f"{job} to be {states}: {self.job(job)}",
                     lambda: self.network.check() or self.job(job)["state"] in states and self.job(job), PATIENCE_S)

    def await_end(self, job, state):
        ended = self.await_state(job, *FINAL)
        if ended["state"] != state:
            raise Broken(f"{job} ended {ended['state']} and not {state}: {ended}")
        return ended

    def replace_agent(self, programs):
        """Ends the agent of the old site in good order; another release's takes its folder."""
        agent = self.network.agents[OLD_SITE]
        agent.end(signal.SIGTERM)
        if agent.child.returncode != 0:
            raise Broken(f"the agent was told to end, and ended with {agent.child.returncode}: see {agent.log}")
        agent.command[0] = f"{programs}/weir"
        begun = self.sessions()
        agent.start()
        until("the next agent to begin", lambda: self.network.check() or self.sessions() > begun, PATIENCE_S)

    def sessions(self):
        """How often an agent of the old site began: each says so once, and listens to signals by then."""
        return pathlib.Path(self.network.agents[OLD_SITE].log).read_text(errors="replace").count("agent.session")


def check_old_agent(release):
    """What jobs do at a site whose agent is an old one."""
    for site in (OLD_SITE, NEW_SITE):
        good = release.submit(site, "echo at $WEIR_GENERATION; sleep 0.3")
        bad = release.submit(site, "exit 7", retry={"max_restarts": 0})
        stopped = release.submit(site, "sleep 600")
        release.await_end(good, "succeeded")
        release.await_end(bad, "failed")
        release.await_state(stopped, "running")
        release.tenant.must("DELETE", f"/v1/jobs/{stopped}")
        release.await_end(stopped, "cancelled")


def check_old_client(release):
    """Who has not brought the client up to date submits and asks all the same."""
    environment = {"WEIR_SERVER": release.network.url, "WEIR_TOKEN": release.token, "WEIR_PROJECT": "vision-lab"}
    job = run(release.kept / "weir", "submit", "-", environment=environment,
              text="name: old\nresources: {accelerators: [L20:1]}\nrun: 'true'\nmax_duration: 60s\n").split()[0]
    release.await_end(job, "succeeded")
    if job not in run(release.kept / "weir", "job", "list", "--json", environment=environment):
        raise Broken(f"the old client does not list {job}")


def check_upgrade(release):
    """A task outlives its agent's release, forth and back."""
    job = release.submit(OLD_SITE, "trap 'echo told; exit 0' USR1; while true; do sleep 0.1; done")
    release.await_state(job, "running")
    for programs in (release.programs, release.kept, release.programs):
        release.replace_agent(programs)
        reports = lambda: release.network.operator.must("GET", f"/v1/sites/{OLD_SITE}")
        until(lambda: f"the next agent's report: {reports()}", lambda: release.network.check() or reports()["reachable"], PATIENCE_S)
        state = release.job(job)
        if state["state"] != "running" or state["generation"] != 1:
            raise Broken(f"{job} did not outlive its agent: {state}")
    for pid in release.generations.look()[job, 1]:
        if b"trap" in kill_test.read_bytes(f"/proc/{pid}/cmdline"):
            os.kill(pid, signal.SIGUSR1)
    ended = release.await_end(job, "succeeded")
    if ended["generation"] != 1:
        raise Broken(f"{job} was begun again: {ended}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--source", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kept_releases = sorted((arguments.source / "tests/releases").glob("*.tar.xz"))
    if len(kept_releases) < 2:
        print("broken: tests/releases has less than two releases")
        return 1
    for archive in kept_releases[-2:]:
        folder = tempfile.mkdtemp(prefix="weir-releases-")
        os.chmod(folder, 0o711)
        kept = pathlib.Path(folder, "kept")
        kept.mkdir(mode=0o755)
        with tarfile.open(archive) as tar:
            tar.extractall(kept)  # ours, from the tree
        kept.chmod(0o755)
        release = None
        try:
            check_journal(arguments, kept)
            release = Release(arguments, kept, folder, random.Random(arguments.seed))
            release.found()
            check_old_agent(release)
            check_old_client(release)
            check_upgrade(release)
            print(f"ok {archive.name.removesuffix('.tar.xz')} ({(kept / 'commit').read_text().strip()})", flush=True)
        except Broken as broken:
            print(f"broken with {archive.name}: {broken}\n  kept: {folder}", flush=True)
            folder = None
            return 1
        finally:
            if release:
                end_all(release.network, release.generations)
            if folder:
                shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
