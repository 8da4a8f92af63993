"""The job that this program is part of, as its environment tells."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import tempfile
import time

from .manifest import fault, sync_folder, write_manifest

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
REQUEST = "REQUEST"
PROGRESS = "progress.json"
METRICS = "metrics.jsonl"


class CheckpointError(Exception):
    """A checkpoint cannot be published; the text says why, and what to do."""


class RequestSignal:
    """Remembers that SIGUSR1 came. Make it before long imports: until somebody takes the signal it ends the process."""

    def __init__(self, number=signal.SIGUSR1):
        self.count = 0
        self._before = signal.signal(number, self._take)
        self._number = number

    def _take(self, _number, _frame):
        self.count += 1

    def close(self):
        """Whoever had the signal before has it again."""
        signal.signal(self._number, self._before)


class Job:
    """One process of a job.

    `request_signal`: a RequestSignal where the job says `protocol: signal`; with `file` and `self` none is needed. `environment` and
    `clock` (seconds, growing) are for tests.
    """

    def __init__(self, request_signal=None, environment=None, clock=time.monotonic):
        env = os.environ if environment is None else environment
        self.rank = int(env.get("RANK", "0"))
        self.world_size = int(env.get("WORLD_SIZE", "1"))
        self.generation = int(env.get("WEIR_GENERATION", "1"))
        self.checkpoint_dir = _folder(env, "WEIR_CHECKPOINT_DIR")
        self.output_dir = _folder(env, "WEIR_OUTPUT_DIR")
        self._resume = _folder(env, "WEIR_RESUME_DIR")
        self._signal = request_signal
        self._signals_seen = 0
        self._clock = clock
        self._last_at = clock()

    @property
    def resume_dir(self):
        """The folder of the checkpoint to go on from, or None: begin at the start. Its site compared every byte with its manifest."""
        return self._resume

    def resume_fault(self):
        """What is wrong with that checkpoint, in words; None where it is whole, or there is none. Reads all of it once more."""
        return None if self._resume is None else fault(self._resume)

    def checkpoint_requested(self):
        """Whether the network has asked for a checkpoint that was not published yet. Cheap: ask once a step. Only node rank 0 publishes
        what counts; the ranks of a gang must agree on the step, so let the rank that publishes ask and tell the others."""
        return self._request_number() is not None or (self._signal is not None and self._signal.count > self._signals_seen)

    def checkpoint_due(self, every_s):
        """Whether one was requested, or the last one (or the start) is `every_s` seconds ago."""
        return self.checkpoint_requested() or self._clock() - self._last_at >= every_s

    @contextlib.contextmanager
    def checkpoint(self, name, keep=2):
        """Gives a folder to write files into; at the end of the block it is published under `name`, whole and on the disk, and older
        ones of this generation go but for `keep` (at least 2: one may be on its way to the network's store). Where the block raises,
        nothing is published.

        `name`: 1 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit. A name that is there already gives way.
        Outside of a job the files are written and thrown away.
        """
        if not NAME.fullmatch(name):
            raise CheckpointError("%r names no checkpoint: a name has 1 to 63 of a-z, 0-9, '-' and '.', and begins and ends with a letter "
                                  "or digit" % name)
        if keep < 2:
            raise CheckpointError("keep is %d and at least 2: the newest may not be stored yet while the next is published" % keep)
        # What is asked for from here on is not in this one, for all that the caller knows.
        request, signals = self._request_number(), self._signal.count if self._signal else 0
        root = self.checkpoint_dir or pathlib.Path(tempfile.mkdtemp(prefix="weir-"))
        aside = root / (".tmp-" + name)
        try:
            shutil.rmtree(str(aside), ignore_errors=True)
            aside.mkdir(parents=True)
            yield aside
            try:
                write_manifest(aside)
            except ValueError as error:
                raise CheckpointError(str(error))
            if self.checkpoint_dir is not None:
                _publish(root, aside, name)
        finally:
            shutil.rmtree(str(aside if self.checkpoint_dir else root), ignore_errors=True)
        self._last_at = self._clock()
        self._signals_seen = max(self._signals_seen, signals)
        if self.checkpoint_dir is not None:
            self._answer(request)
            _forget_old(root, keep)

    def progress(self, done, total, note=""):
        """Says how far it is: `done` of `total`. Kept as WEIR_OUTPUT_DIR/progress.json, the last word only."""
        if self.output_dir is None:
            return
        text = json.dumps({"done": done, "total": total, "note": note, "generation": self.generation}, sort_keys=True)
        aside = self.output_dir / (".tmp-%d-%s" % (self.rank, PROGRESS))
        aside.write_text(text + "\n")
        os.replace(str(aside), str(self.output_dir / PROGRESS))

    def metric(self, step, **values):
        """Adds a line to WEIR_OUTPUT_DIR/metrics.jsonl: {"step": ..., "generation": ..., name: number, ...}."""
        for name, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError("metric %s is %r and must be a number" % (name, value))
        if self.output_dir is None:
            return
        line = json.dumps(dict(values, step=step, generation=self.generation), sort_keys=True) + "\n"
        with open(str(self.output_dir / METRICS), "a") as file:
            file.write(line)

    def _request_number(self):
        """Of the request that waits, which the supervisor counts up; None where there is none."""
        if self.checkpoint_dir is None:
            return None
        try:
            return (self.checkpoint_dir / REQUEST).read_bytes()
        except OSError:
            return None

    def _answer(self, request):
        """Takes a request away, but not one that came since. Between the look and the removal one may slip in: its signal, or the next
        checkpoint by the clock, makes up for it."""
        if request is not None and self._request_number() == request:
            with contextlib.suppress(OSError):
                (self.checkpoint_dir / REQUEST).unlink()


def _folder(env, name):
    path = env.get(name, "")
    return pathlib.Path(path) if path else None


def _publish(root, aside, name):
    """By one rename. What bore the name before is gone a moment earlier: it was older."""
    target = root / name
    if target.exists():
        before = root / (".old-" + name)
        shutil.rmtree(str(before), ignore_errors=True)
        os.rename(str(target), str(before))
        os.rename(str(aside), str(target))
        shutil.rmtree(str(before), ignore_errors=True)
    else:
        os.rename(str(aside), str(target))
    sync_folder(root)


def _forget_old(root, keep):
    """The folders that were changed last are the newest: each was named when it was whole, and is not written to since."""
    folders = [folder for folder in root.iterdir() if NAME.fullmatch(folder.name) and folder.is_dir()]
    folders.sort(key=lambda folder: (folder.stat().st_ctime_ns, folder.name))
    for folder in folders[:-keep]:
        shutil.rmtree(str(folder), ignore_errors=True)
