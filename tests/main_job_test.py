"""The main job, as people see it: `weir up` to Ctrl-C and `weir up --once`, side by side on this machine.

usage: main_job_test.py --programs DIR --source DIR

Goal: what the README promises is what is printed. The job begins at one site, loses its agent, goes on at another from a checkpoint, is
moved on when that is drained, and ends in the bits of an unbroken run; the bill names who pays for what was lost, and its sources pay
it to the fen; `weir up` answers until Ctrl-C, `weir up --once` ends by itself, and neither leaves a process or a file. Method: both are
started at once, each with a TMPDIR of its own by which its processes are known, and their output is read while it comes. What the READMEs
show is read likewise.
"""
import argparse
import decimal
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

from kill_test import Broken, read_bytes, until

LONGEST_S = 480  # all of it, far beyond what the job takes on a busy machine, and less than the test's own end
GONE_S = 2  # a supervisor may be on its way out; a task that was forgotten lives for its lease of 4 s at least
STAYS_UP = re.compile(r"the network stays up at (http://\S+); Ctrl-C ends it\n\s+try: (.*)\n\s+(.*)\n")
BILL_LINE = re.compile(r" +(\d+) +(\S+) +(\S+) \(emulated\) +([\d.]+) +([\d.]+) (\w+) +([\d.]+) *(?:lost: (\w+))?")
PAID_LINE = re.compile(r" +(voucher vch-\w+|cash \(prepaid balance\)) +held +([\d.]+) yuan, paid +([\d.]+) yuan, the rest went back")


def left_s(until_s=time.monotonic() + LONGEST_S):
    """What every wait shares, so that whoever waits in vain still says what it saw."""
    return max(1.0, until_s - time.monotonic())


def check(so, what):
    if not so:
        raise Broken(what)


class Demonstration:
    """A `weir up` whose output goes to a file, and the processes that are known to be its own."""

    def __init__(self, options, digits, folder, *words):
        self.folder, self.output = folder / "tmp", folder / "output"
        self.folder.mkdir(parents=True)
        for passed in (folder, self.folder):  # tasks run under users of their own and must be able to pass through
            passed.chmod(0o711)
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([options.programs / "weir", "up", *words, "--share", options.source, "--digits", digits],
                                            env={**os.environ, "TMPDIR": str(self.folder)}, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output)

    def text(self):
        return self.output.read_text(encoding="utf-8")

    def processes(self):
        """What names its folder in command line or environment, as (pid, command line)."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            command = read_bytes(f"/proc/{pid}/cmdline")
            if os.fsencode(self.folder) in command + read_bytes(f"/proc/{pid}/environ"):
                found.append((int(pid), command.replace(b"\0", b" ").decode(errors="replace").strip()))
        return found

    def check_end(self):
        """It ends with 0 and leaves nothing."""
        try:
            code = self.process.wait(left_s())
        except subprocess.TimeoutExpired:
            raise Broken("it does not end") from None
        check(code == 0, f"it ends with {code}")
        check("ended; nothing is left behind" in self.text().splitlines()[-1], "its last line does not say that nothing is left")
        until(lambda: f"processes to be gone: {self.processes()}", lambda: not self.processes(), GONE_S)
        check(not os.listdir(self.folder), f"these files are left: {os.listdir(self.folder)}")

    def end(self):
        """Whatever became of the test: told to end it ends its children, and what it forgot is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                pass
        for pid, _ in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


def the_job_moved(text):
    """The sites of the job: of the first one the agent was killed, the second was drained, and each time it resumed from a checkpoint."""
    sites = [line[1] for line in re.finditer(r" s  (\S+) +job running: generation \d+ runs on", text)]
    check(len(sites) == 3 and sites[0] != sites[1] != sites[2], f"the job ran at {sites}: it did not move twice")
    before, killed, after = text.partition(f"kill -9 of the agent of {sites[0]} ")
    check(killed and "resuming" not in before, f"no agent of {sites[0]} was killed before the job moved")
    resumed = [(int(line[1]), int(line[2])) for line in re.finditer(r" s  training +resuming at step (\d+) from step-(\d+)\n", after)]
    check(len(resumed) == 2 and all(0 < at == name < 600 for at, name in resumed) and resumed[0] < resumed[1],
          f"it resumed from {resumed}: not twice, and further the second time")
    moved = re.search(rf" s  network +moved the job from {sites[1]} to {sites[2]}: none of its processes ran for (\d+\.\d+) s, and "
                      r"(\d+\.\d+) card-seconds are done again\n", after)
    check(moved and f"drains {sites[1]}: " in after, f"{sites[1]} was not drained, or what the move cost is not told")
    check(re.search(r" s  job +succeeded: exited\n", after), "it did not succeed")
    return sites


def the_bits_are_the_same(text):
    final = r"(final accuracy [01]\.\d{4} [0-9a-f]{64})\n"
    ends = re.search(rf"interrupted run: {final} +unbroken run: +{final} +the same accuracy and the same weights, bit for bit\n", text)
    check(ends and ends[1] == ends[2], "the interrupted run and the unbroken one did not end alike")


def the_bill_adds_up(text, sites):
    """Each site's use is paid by the tenant, what the first one lost by its provider, and both sources pay their parts."""
    lines = [line.groups() for line in map(BILL_LINE.fullmatch, text.splitlines()) if line]
    payers = {(site, payer, lost) for _, site, _, used, _, payer, _, lost in lines if decimal.Decimal(used) > 0}
    wanted = {(site, "tenant", None) for site in sites} | {(sites[0], "provider", "lease_lost")}
    check(wanted <= payers, f"the bill's lines are {payers}, and {wanted - payers} are missing")
    owed = sum(decimal.Decimal(amount) for *_, payer, amount, _ in lines if payer == "tenant")
    check(all(decimal.Decimal(amount) == 0 for *_, payer, amount, _ in lines if payer != "tenant"), f"a loss has a price: {lines}")
    parts = {line[1].split()[0]: (decimal.Decimal(line[2]), decimal.Decimal(line[3]))
             for line in map(PAID_LINE.fullmatch, text.splitlines()) if line}
    check(parts.keys() == {"voucher", "cash"}, f"the sources are {parts}")
    check(all(0 < paid <= held for held, paid in parts.values()), f"held and paid are {parts}")
    check(sum(paid for _, paid in parts.values()) == owed, f"the lines sum up to {owed} yuan, and the sources paid {parts}")


def check_story(text):
    sites = the_job_moved(text)
    the_bits_are_the_same(text)
    the_bill_adds_up(text, sites)


def it_stays_up(shown):
    """After the job it answers at the address that it prints, and what it tells people to try works, until Ctrl-C."""
    until("the network to stay up", lambda: shown.process.poll() is not None or STAYS_UP.search(shown.text()), left_s())
    up = STAYS_UP.search(shown.text())
    check(up, f"it ended with {shown.process.poll()} instead of staying up")
    with urllib.request.urlopen(up[1] + "/healthz", timeout=left_s()) as answer:
        check(answer.read().startswith(b"ok\nweir "), f"{up[1]}/healthz answers with something else")
    job = re.search(r"submitted (job-\w+):", shown.text())[1]

    def tried():
        return subprocess.run(["bash", "-c", f"{up[2]}\n{up[3]}"], capture_output=True, text=True, timeout=left_s()).stdout

    # Lists of what has ended trail the job's own page by a moment.
    until(f"{job} in what it says to try", lambda: re.search(rf"^{job} .* succeeded ", tried(), re.MULTILINE), left_s())
    running = [command for _, command in shown.processes()]
    agents = sum(" agent " in command for command in running)
    check(agents == 3 and any("weir-server " in command for command in running), f"while it is up these run: {running}")
    shown.process.send_signal(signal.SIGINT)


def the_readmes_show_it(source):
    """Both pages show one run's output, and it is of the form that a run has."""
    pages = [(source / name).read_text(encoding="utf-8").split("```")[1] for name in ("README.md", "README.zh-CN.md")]
    check(pages[0] == pages[1], "README.md and README.zh-CN.md show two outputs; keep the two in step")
    check_story(pages[0])


def digits_of(options, folder):
    """The real digits, or made-up ones where tools/fetch_digits has not brought them."""
    real = options.source / ".weir/data/digits.csv.gz"
    if real.exists():
        return real
    made_up = folder / "digits.csv.gz"
    # Debian's python, as the training has it: another may lack numpy.
    subprocess.run(["/usr/bin/python3", "-B", options.source / "examples/digits/made_up.py", made_up], check=True, timeout=left_s())
    return made_up


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.programs, options.source = options.programs.resolve(), options.source.resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-main-job-"))
    folder.chmod(0o711)
    shown, started = None, []
    try:
        digits = digits_of(options, folder)
        for name, words in (("up", ()), ("once", ("--once",))):
            started.append(Demonstration(options, digits, folder / name, *words))
        shown, once = started
        it_stays_up(shown)
        shown.check_end()
        check_story(shown.text())
        shown = once
        once.check_end()
        check("stays up" not in once.text(), "it stayed up")
        check_story(once.text())
        shown = None
        the_readmes_show_it(options.source)
        print(once.text() + "main_job_test: both networks did what they say, and are gone")
        return 0
    except Exception as trouble:  # whatever it is, what the network printed is the first thing to read
        print(f"{shown.text() if shown else ''}main_job_test: {trouble}", file=sys.stderr)
        if not isinstance(trouble, Broken):
            traceback.print_exc()
        return 1
    finally:
        for one in started:
            one.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
