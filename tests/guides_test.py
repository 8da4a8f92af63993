"""The guides, tried literally: every command that docs/operator.md, provider.md, user.md and finance.md show.

usage: guides_test.py --programs DIR --source DIR [--transcript] [--keep]

Goal: a guide cannot rot. Method: the blocks marked `console` are a session. A line `$ command` is given to one bash for each guide, in
the order of the page; what stands below it is what must come out. A line `...` stands for any lines, an ellipsis at the end of a line for
the rest of it; numbers, ids, digests, times and the width of columns may differ, a line that is a number alone may not. A command must
end with 0 unless the next one is `echo $?`. A block `yaml` whose first line is `# NAME.yaml` is a file of the reader. The
guides share one folder and one network, each with a home of its own; the Chinese guide must show the same blocks as the English one.

Only what a reader would fill in is replaced: host, port, users and the folders below /var/lib/weir and /opt/weir. --transcript prints
what came out, for writing the guides.
"""
import argparse
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

GUIDES = ("operator", "provider", "user", "user-guide/week", "finance")
SAME_BLOCKS = (("user", "user.zh-CN"), ("user-guide/week", "user-guide/week.zh-CN"))
COMMAND_S = 60  # far beyond what a command takes on a busy machine
FIRST_UID, UIDS_PER_RUN, UID_SLOTS = 58_000, 100, 15  # no other test's users


class Broken(Exception):
    """The guide and the programs do not agree; the text says where."""


class Block:
    """A fenced block of a page: its language, its lines, and the number of the first one."""

    def __init__(self, language, first):
        self.language, self.first, self.lines = language, first, []


def blocks(path):
    found, open_one = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if open_one is None:
                open_one = Block(line[3:].strip(), number + 1)
            else:
                found.append(open_one)
                open_one = None
        elif open_one is not None:
            open_one.lines.append(line)
    return found


def commands(block):
    """(line number, command, expected lines) of a session; `> ` continues a command as bash's own prompt does."""
    found = []
    for number, line in enumerate(block.lines, block.first):
        if line.startswith("$ "):
            found.append((number, [line[2:]], []))
        elif (line == ">" or line.startswith("> ")) and found and not found[-1][2]:
            found[-1][1].append(line[2:])
        elif found:
            found[-1][2].append(line)
        else:
            raise Broken(f"line {number} stands before the first command of its block")
    return [(number, "\n".join(command), expected) for number, command, expected in found]


def plain(line):
    """A line without what differs from run to run."""
    line = line.strip()
    if re.fullmatch(r"\d+", line):
        return line
    line = re.sub(r"\b(job|vch|tok|trf)-[0-9a-hjkmnp-tv-z]{26}\b", r"\1-ID", line)
    line = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "ID", line)
    line = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", line)
    line = re.sub(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME", line)
    line = re.sub(r"\d+(\.\d+)?", "N", line)
    return re.sub(r"\s+", " ", line)


def stands_for(line, output):
    """Whether a line of a guide stands for this line of output."""
    if line.endswith("…"):
        return plain(output).startswith(plain(line.rstrip("…")))
    return plain(output) == plain(line)


def missing(expected, output):
    """The first expected line that does not come out in its turn, or None. What is shown begins and ends with the output, unless `...`
    stands there; nothing shown promises nothing."""
    runs = [[]]
    for line in expected:
        if line.strip() == "...":
            runs.append([])
        elif line.strip():
            runs[-1].append(line)
    output = [line for line in output if line.strip()]
    if runs == [[]]:
        return None
    at = 0
    for number, run in enumerate(runs):
        last = len(output) - len(run)
        starts = range(at, last + 1)
        if number == 0:
            starts = range(0, 1)
        if number + 1 == len(runs):
            starts = range(last, last + 1) if number > 0 or last == 0 else range(0)
        for start in starts:
            if start >= at and all(stands_for(line, got) for line, got in zip(run, output[start:])) and start + len(run) <= len(output):
                at = start + len(run)
                break
        else:
            return next((line for line in run if not any(stands_for(line, got) for got in output[at:])), run[0] if run else "the end")
    return None


class Shell:
    """A bash that is told one command after the other and says where each output ends."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["bash", "--noprofile", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.count, self.buffer = 0, b""

    def run(self, command):
        """Exit code and lines of what it printed."""
        self.count += 1
        mark = f"--{self.count}-{os.getpid()}--"
        self.process.stdin.write(f"{command}\n__weir=$?; echo; echo {mark} $__weir; (exit $__weir)\n".encode())
        self.process.stdin.flush()
        pattern = re.compile(rb"(.*?)\n?^" + mark.encode() + rb" (\d+)\n", re.DOTALL | re.MULTILINE)
        end = time.monotonic() + COMMAND_S
        while not (found := pattern.search(self.buffer)):
            if time.monotonic() > end or not select.select([self.process.stdout], [], [], 1)[0] and self.process.poll() is not None:
                raise Broken(f"no end within {COMMAND_S} s, after:\n{self.buffer.decode(errors='replace')}")
            if select.select([self.process.stdout], [], [], 0)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                if not piece:
                    raise Broken("the shell ended")
                self.buffer += piece
        self.buffer = self.buffer[found.end():]
        lines = found.group(1).decode(errors="replace").split("\n")
        while lines and not lines[-1].strip():
            lines.pop()
        return int(found.group(2)), lines

    def end(self):
        """Ends what the guide started, too: it is all in this shell's session."""
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                self.process.poll()
                try:
                    os.killpg(self.process.pid, 0)
                except ProcessLookupError:
                    return
                time.sleep(0.05)


def claim_users():
    """Users that no other run has now: an agent ends every process of its idle users. The socket is the claim."""
    for slot in range(UID_SLOTS):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0weir-guides-test-{slot}")
            return claim, FIRST_UID + slot * UIDS_PER_RUN
        except OSError:
            claim.close()
    raise Broken(f"{UID_SLOTS} runs of this test have taken all users; end one")


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


class Run:
    """One network and one folder for all guides."""

    def __init__(self, options, top, first_uid):
        self.options, self.top = options, top
        self.replaced = (
            ("weir.example", "127.0.0.1"), ("7440", str(free_port())), ("/var/lib/weir", f"{top}/lib"), ("/opt/weir", f"{top}/opt"),
            ("61000", str(first_uid)), ("61001", str(first_uid + 1)), ("count: 999", f"count: {UIDS_PER_RUN - 1}"))
        self.shells = []
        for name in ("work", "lib", "opt"):
            (top / name).mkdir()
        for name in ("examples", "catalogue", "sdk"):
            (top / "work" / name).symlink_to(options.source / name)
        os.chmod(top, 0o711)  # tasks run under users of their own and must be able to pass through

    def fill_in(self, text):
        for general, ours in self.replaced:
            text = text.replace(general, ours)
        return text

    def guide(self, name):
        page = self.options.source / "docs" / f"{name}.md"
        home = self.top / f"home-{name.replace(chr(47), chr(45))}"
        home.mkdir()
        environment = {"HOME": str(home), "PATH": f"{self.options.programs}:{os.environ['PATH']}", "LANG": "C.UTF-8", "TZ": "UTC"}
        shell = Shell(self.top / "work", environment)
        self.shells.append(shell)
        count = 0
        for block in blocks(page):
            if block.language == "yaml" and block.lines and (named := re.fullmatch(r"# ([\w.-]+\.yaml)", block.lines[0])):
                lines = block.lines
                if os.geteuid() != 0:  # an ordinary user's agent runs tasks as itself
                    lines = [line for line in lines if not line.startswith(("users:", "owner_uid:"))]
                (self.top / "work" / named.group(1)).write_text(self.fill_in("\n".join(lines)) + "\n", encoding="utf-8")
            if block.language != "console":
                continue
            session = commands(block)
            for i, (number, command, expected) in enumerate(session):
                count += 1
                try:
                    code, output = shell.run(self.fill_in(command))
                except Broken as trouble:
                    raise Broken(f"docs/{name}.md:{number}: {command}\n{trouble}") from None
                if self.options.transcript:
                    print(f"$ {command}", *output, *([] if code == 0 else [f"[{code}]"]), sep="\n", flush=True)
                    continue
                asked = i + 1 < len(session) and session[i + 1][1] == "echo $?"
                lacking = missing([self.fill_in(line) for line in expected], output)
                if code != 0 and not asked or lacking is not None:
                    what = f"it ends with {code}" if lacking is None else f"this line does not come out in its turn:\n    {lacking}"
                    raise Broken(f"docs/{name}.md:{number}: {command}\n{what}\nbut this comes out:\n" + "\n".join(output))
        return count

    def end(self):
        for shell in reversed(self.shells):
            shell.end()


def check_same_blocks(source):
    for one, other in SAME_BLOCKS:
        first, second = ([(block.language, block.lines) for block in blocks(source / "docs" / f"{name}.md")] for name in (one, other))
        for ours, theirs in zip(first, second):
            if ours != theirs:
                raise Broken(f"docs/{other}.md shows {theirs[1][:3]} where docs/{one}.md shows {ours[1][:3]}; keep the two in step")
        if len(first) != len(second):
            raise Broken(f"docs/{one}.md has {len(first)} blocks and docs/{other}.md {len(second)}; keep the two in step")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--transcript", action="store_true", help="print what comes out and compare nothing")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    options.programs, options.source = options.programs.resolve(), options.source.resolve()
    claim, first_uid = claim_users()
    top = pathlib.Path(tempfile.mkdtemp(prefix="weir-guides-"))
    run = Run(options, top, first_uid)
    began, failed = time.monotonic(), True
    try:
        if not options.transcript:
            check_same_blocks(options.source)
        for name in GUIDES:
            count = run.guide(name)
            print(f"docs/{name}.md: {count} commands, {time.monotonic() - began:.1f} s", flush=True)
        failed = False
    except Broken as trouble:
        print(f"guides_test: {trouble}", file=sys.stderr)
    finally:
        run.end()
        claim.close()
        if failed or options.keep:
            print(f"guides_test: the folder is {top}", file=sys.stderr)
        else:
            shutil.rmtree(top, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
