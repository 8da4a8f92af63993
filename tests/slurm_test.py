"""A real Slurm as a site of the network: a gang, kills of whatever can be killed, a drained node, and moves to and from a process site.

usage: slurm_test.py --programs DIR --source DIR [--keep]

One server, one process site and one site that is a real Slurm (slurm_cluster.py: real daemons; nodes and cards are emulated), whose
agent is an ordinary user. A gang of two nodes runs as one Slurm job, and goes on, the same generation, though its agent, the controller
of Slurm and the daemon of one of its nodes are killed with SIGKILL. It is cancelled, and Slurm has no job left. A node that Slurm drains
takes no new gang until it is resumed. A training that counts is moved from one kind of site to the other and back, and ends with the
digest of an unbroken run. In the end every promise that kill_test.py knows holds: bills, books, journal, nobody left behind.

Skipped where no Slurm can be run here (it says why).
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types

import kill_test
import move_test
import slurm_cluster
from kill_test import Broken, Generations, Http, Network, Process, check_end, end_all, make_id, until

USER = "nobody"
SLURM, HOSTS = "tianfu-cloud", "pidu-core"
# Longer than kill_test's: the controller of Slurm is away for seconds, and a lease that ended would be no news.
POLICY = ("task_lease: 10s\nrun_on_lease: 30s\nkill_grace: 1s\ndrift_bound: 1s\nsite_silence: 5s\n"
          "checkpoint_within: 8s\nprepare_within: 30s\nstop_within: 20s\n")
AGENT = """site: {name}
server: {url}
token_file: {folder}/agent.token
root: {folder}/root
blobs: {top}/blobs
meter_slice: 1s
observe_ms: 50
poll_wait: 2s
log_retention: {retention}
"""
ON_HOSTS = """sandbox: false
nodes:
  - {name: n1, cards: [{model: L20, count: 4, memory: 48GiB, emulated: true}], cpus: 16, memory: 32GiB}
"""
ON_SLURM = """backend: slurm
slurm: {{api: "unix:{socket}", partition: train, gres: [{{type: l20, model: L20}}], shared_user: true}}
nodes:
  - {{name: n1, cards: [{{model: L20, count: 4, memory: 48GiB, emulated: true}}], cpus: 16, memory: 32GiB}}
  - {{name: n2, cards: [{{model: L20, count: 4, memory: 48GiB, emulated: true}}], cpus: 16, memory: 32GiB}}
"""
GANG = 'echo rank $RANK of $WORLD_SIZE on $CUDA_VISIBLE_DEVICES; while :; do sleep 100 & wait; done'


class SlurmNetwork(Network):
    """As kill_test's, with agents that are an ordinary user, one of them with Slurm."""

    def __init__(self, arguments, folder, chance, cluster):
        super().__init__(arguments, folder, chance)
        self.cluster = cluster
        os.chown(f"{folder}/blobs", cluster.user.pw_uid, cluster.user.pw_gid)
        os.chmod(f"{folder}/blobs", 0o700)

    def backend_of(self, site):
        return "slurm" if site == SLURM else "process"

    def as_user(self, *words):
        user = self.cluster.user
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *words]

    def text_of(self, site, folder):
        text = AGENT.format(name=site, url=self.url, folder=folder, top=self.folder, retention=f"{kill_test.RETENTION_S}s")
        return text + (ON_SLURM.format(socket=self.cluster.socket) if site == SLURM else ON_HOSTS)

    def add_agent(self, site, number, secret):
        folder = pathlib.Path(self.folder, site)
        folder.mkdir()
        for name, content in (("agent.token", secret + "\n"), ("agent.yaml", self.text_of(site, folder))):
            (folder / name).touch(0o600)
            (folder / name).write_text(content)
        for path in (folder, *folder.iterdir()):
            os.chown(path, self.cluster.user.pw_uid, self.cluster.user.pw_gid)
        self.agents[site] = Process(f"agent of {site}", self.as_user(f"{self.programs}/weir", "agent", f"{folder}/agent.yaml"),
                                    f"{self.folder}/{site}.log")
        self.agents[site].start()


class Gangs:
    def __init__(self, network, tenant, generations):
        self.network, self.tenant, self.generations = network, tenant, generations
        self.jobs = {}

    def wait(self, what, question, seconds=move_test.SETTLE_S):
        def ask():
            self.network.check()
            self.generations.check_alive()
            return question()
        return until(what, ask, seconds, every=0.1)

    def view(self, job):
        answer = self.tenant.ask("GET", f"/v1/jobs/{job}")
        return answer[1] if answer is not None and answer[0] == 200 else {}

    def submit(self, name, run, nodes, cards):
        job = make_id(self.network.chance)
        spec = {"name": name, "resources": {"accelerators": f"L20:{cards}", "cpus": 1, "memory": "64MiB"}, "num_nodes": nodes,
                "max_duration": "1h", "trust": [SLURM], "retry": {"max_restarts": 0, "max_restarts_on_site_fault": 10, "backoff": "1s"},
                "run": run}
        self.tenant.must("POST", "/v1/jobs", json.dumps({"id": job, "project": "vision-lab", "spec": spec}))
        self.jobs[job] = "plain"
        return job

    def await_state(self, job, state, seconds=move_test.SETTLE_S):
        self.wait(lambda: f"{job} to be {state}: {self.view(job)}; Slurm has {self.network.cluster.jobs()}",
                  lambda: self.view(job).get("state") == state, seconds)

    def log(self, job, rank):
        """What a rank printed, through the server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.network.port, timeout=5)
        connection.request("GET", f"/v1/jobs/{job}/logs?stream=stdout&offset=0&node_rank={rank}",
                           headers={"Authorization": f"Bearer {self.tenant.token}"})
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return text if reply.status == 200 else ""

    def folder(self, job):
        return pathlib.Path(self.network.roots[SLURM], "tasks", job)

    def cancel(self, job):
        self.tenant.must("DELETE", f"/v1/jobs/{job}")
        self.await_state(job, "cancelled")
        del self.jobs[job]  # check_end expects success of the others
        self.wait(lambda: f"Slurm to have no job left: {self.network.cluster.jobs()}",
                  lambda: not self.network.cluster.run("squeue", "-h").strip())


def survive(gangs):
    """A gang of two nodes through the death of everybody around it."""
    network, cluster = gangs.network, gangs.network.cluster
    job = gangs.submit("gang", GANG, nodes=2, cards=2)
    gangs.await_state(job, "running")
    for rank in (0, 1):
        gangs.wait(f"the log of rank {rank}", lambda rank=rank: gangs.log(job, rank) == f"rank {rank} of 2 on 0,1\n")
    of_slurm = [entry for entry in cluster.jobs() if job in entry[1]]
    if len(of_slurm) != 1 or of_slurm[0][2] != "RUNNING":
        raise Broken(f"a gang is one job of Slurm, and there are {of_slurm}")
    agent = network.agents[SLURM]
    agent.end(signal.SIGKILL)
    agent.start()
    gangs.wait("the agent to be back", lambda: kill_test.is_whole(network))
    cluster.kill_part("slurmctld")
    # An agent that comes while the controller is away still keeps its tasks' leases.
    agent.end(signal.SIGKILL)
    agent.start()
    gangs.wait("the agent to be back without a controller", lambda: kill_test.is_whole(network))
    end = time.monotonic() + 12  # longer than a lease
    gangs.wait("a lease's length", lambda: time.monotonic() > end)
    cluster.start_part("slurmctld")
    cluster.kill_part("n2")
    cluster.start_part("n2")
    gangs.wait("a lease's length", lambda: time.monotonic() > end + 3)
    view = gangs.view(job)
    if view.get("state") != "running" or sorted(path.name for path in gangs.folder(job).iterdir() if path.name.isdigit()) != ["1"]:
        raise Broken(f"nobody who died was part of the gang, and it is {view}")
    if [entry for entry in cluster.jobs() if job in entry[1]] != of_slurm:
        raise Broken(f"the gang was {of_slurm} and is {cluster.jobs()}")
    for rank in (0, 1):
        if gangs.log(job, rank) != f"rank {rank} of 2 on 0,1\n":
            raise Broken(f"rank {rank} printed {gangs.log(job, rank)!r}")
    gangs.cancel(job)
    print("a gang of two nodes outlived kill -9 of its agent (twice), of slurmctld and of a slurmd", flush=True)


def drain(gangs):
    """A node that Slurm's operator drains takes nothing new."""
    cluster = gangs.network.cluster
    cluster.run("scontrol", "update", "nodename=n1", "state=drain", "reason=test")
    log = pathlib.Path(gangs.network.folder, f"{SLURM}.log")
    gangs.wait("the agent to see it", lambda: "n1 is DRAIN in Slurm" in log.read_text())
    job = gangs.submit("two", "sleep 0.1", nodes=2, cards=1)
    alone = gangs.submit("one", "sleep 0.1", nodes=1, cards=1)
    gangs.await_state(alone, "succeeded")
    if gangs.view(job).get("state") != "queued":
        raise Broken(f"one of two nodes is drained, and a gang of two is {gangs.view(job)}")
    cluster.run("scontrol", "update", "nodename=n1", "state=resume")
    gangs.await_state(job, "succeeded")
    print("a drained node took no new gang until it was resumed", flush=True)


def move(network, tenant, generations, vouchers, folder):
    """A training from hosts to Slurm and back, or the other way."""
    moves = move_test.Moves(network, tenant, generations, folder)
    moves.submit(vouchers)
    began = moves.site()
    for _ in range(2):
        arrived = moves.once()
        if arrived is None or not arrived["prepared"]:
            raise Broken(f"a move that nobody disturbed came to {arrived}")
    if moves.site() != began:
        raise Broken(f"the training went from {began} there and back, and is at {moves.site()}")
    return moves, moves.finish()


def refusals(arguments, folder, cluster):
    """What an agent's file may not say."""
    def refused(text, words, root=False):
        path = pathlib.Path(folder, "bad.yaml")
        path.write_text(text)
        path.chmod(0o644)
        command = [f"{arguments.programs}/weir", "agent", str(path)]
        if not root:
            command = ["setpriv", f"--reuid={cluster.user.pw_uid}", f"--regid={cluster.user.pw_gid}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 2 or words not in done.stderr:
            raise Broken(f"expected `{words}` and exit code 2, got {done.returncode}:\n{done.stderr}")

    token = pathlib.Path(folder, "bad.token")
    token.write_text("token\n")
    token.chmod(0o644)
    node = "nodes: [{name: n1, cards: [{model: L20, count: 4, emulated: true}], cpus: 16, memory: 32GiB}]\n"
    base = f"site: s\nserver: http://127.0.0.1:1\ntoken_file: {token}\nroot: {folder}/none\nblobs: {folder}/none\n"
    slurm = 'backend: slurm\nslurm: {api: "unix:/nowhere", shared_user: true}\n'
    refused(base + slurm + node, "must not be root", root=True)
    refused(base + "backend: slurm\n" + node, "does not say where it is")
    refused(base + "backend: kubernetes\n" + node, "knows process and slurm")
    refused(base + slurm.replace("backend: slurm\n", "") + node, "its backend is process")
    refused(base + slurm.replace(", shared_user: true", "") + node, "shared_user: true")
    refused(base + slurm.replace("unix:/nowhere", "http://10.0.0.1:6820") + node, "on this host alone")
    refused(base + slurm + node.replace("cpus: 16, ", ""), "must say its cpus and memory")
    refused(base + slurm + "shared_paths: [/opt]\n" + node, "shared_paths")
    refused(base + slurm.replace("shared_user", "token_file: /x, shared_user") + node, "belong together")


def run(arguments, folder, cluster):
    refusals(arguments, folder, cluster)
    network = SlurmNetwork(arguments, folder, random.Random(arguments.seed), cluster)
    generations = Generations(network.roots)
    try:
        token, vouchers = network.found()
        tenant = Http(network.port, token)
        gangs = Gangs(network, tenant, generations)
        survive(gangs)
        drain(gangs)
        moves, steps = move(network, tenant, generations, vouchers, folder)
        jobs = {**gangs.jobs, moves.job: "plain"}
        lines = check_end(network, types.SimpleNamespace(jobs=jobs), generations)
        return f"{steps} steps of the training, {lines} journal lines"
    finally:
        end_all(network, generations)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=os.path.abspath)
    parser.add_argument("--source", required=True, type=os.path.abspath)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that went well too")
    arguments = parser.parse_args()
    if why := slurm_cluster.why_not():
        print(f"skipped: {why}")
        return 77
    # A test that is told to end still ends its children.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    folder, beside = tempfile.mkdtemp(prefix="weir-slurm-"), tempfile.mkdtemp(prefix="weir-cluster-")
    for path in (folder, beside):
        os.chmod(path, 0o711)
    keep = arguments.keep
    kill_test.POLICY = POLICY
    move_test.shared_folder(folder, arguments.source)
    cluster = slurm_cluster.Cluster(f"{beside}/cluster", 2, USER)
    try:
        cluster.start()
        said = run(arguments, folder, cluster)
        print(f"ok seed {arguments.seed}: {time.monotonic() - began:.0f} s, {said}", flush=True)
        return 0
    except Broken as trouble:
        keep = True
        print(f"FAIL seed {arguments.seed} after {time.monotonic() - began:.0f} s: {trouble}\n  kept: {folder} {beside}", flush=True)
        return 1
    finally:
        cluster.stop()
        if not keep:
            shutil.rmtree(folder)
            shutil.rmtree(beside)


if __name__ == "__main__":
    sys.exit(main())
