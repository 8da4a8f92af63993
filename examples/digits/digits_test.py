#!/usr/bin/python3
"""Goal: an interrupted training ends with the very bits of an unbroken one, whatever interrupted it.

Method: real processes, real sockets, real signals. Every run ends in a line with the digest of its weights; runs are
compared by that line. Moments are chosen by what a run prints, never by the clock.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import checkpoint  # noqa: E402
import exchange  # noqa: E402
import made_up  # noqa: E402
import model  # noqa: E402
import train  # noqa: E402

STEPS, EVERY = 100, 20
REAL_DATA = HERE.parent.parent / ".weir" / "data" / "digits.csv.gz"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Training:
    """The ranks of one run; leaves no process behind."""

    def __init__(self, root, world=2, every=EVERY, pace_ms=0, steps=STEPS, resume=None, ranks=None):
        self.root, self.port = pathlib.Path(root), free_port()
        common = {
            **os.environ, "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self.port),
            "WEIR_CHECKPOINT_DIR": str(self.root / "checkpoints"), "WEIR_OUTPUT_DIR": str(self.root / "output"),
            "WEIR_RESUME_DIR": str(resume or ""),
        }
        command = [sys.executable, str(HERE / "train.py"), "--steps", str(steps), "--checkpoint-every", str(every),
                   "--pace-ms", str(pace_ms), "--data", Digits.data]
        self.lines = []
        self.ranks = [
            subprocess.Popen(command, env={**common, "RANK": str(rank)}, text=True, stderr=subprocess.STDOUT,
                             stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL)
            for rank in ranks or range(world)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for rank in self.ranks:
            rank.kill()
            rank.wait()
        self.ranks[0].stdout.close()

    def until(self, piece):
        """Reads what rank 0 prints up to the first line with `piece` in it; returns that line."""
        for line in self.ranks[0].stdout:
            self.lines.append(line.rstrip("\n"))
            if piece in line:
                return self.lines[-1]
        raise AssertionError(f"rank 0 never printed {piece!r} but:\n" + "\n".join(self.lines))

    def end(self):
        """Exit statuses of all ranks, after rank 0 has said all."""
        self.lines += [line.rstrip("\n") for line in self.ranks[0].stdout]
        return [rank.wait(timeout=60) for rank in self.ranks]


class Digits(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="weir-digits-"))
        self.addCleanup(shutil.rmtree, self.root)

    @classmethod
    def setUpClass(cls):
        cls.unbroken_root = tempfile.mkdtemp(prefix="weir-digits-")
        cls.data = str(REAL_DATA)
        if not REAL_DATA.is_file():
            cls.data = os.path.join(cls.unbroken_root, "made-up.csv.gz")
            made_up.write(cls.data)
            print(f"{REAL_DATA} is absent (tools/fetch_digits brings it): learning made-up digits instead")
        with Training(cls.unbroken_root) as run:
            cls.unbroken = run.until("final accuracy")
            assert run.end() == [0, 0]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.unbroken_root)

    def finish(self, **options):
        with Training(self.root, **options) as run:
            final = run.until("final accuracy")
            self.assertEqual(set(run.end()), {0})
            return final, run.lines

    def interrupted(self, moment="checkpoint step-000060 published"):
        with Training(self.root, pace_ms=5) as run:
            run.until(moment)
            for rank in run.ranks:
                rank.send_signal(signal.SIGKILL)
        return self.root / "checkpoints"

    def test_it_learns(self):
        self.assertGreater(float(self.unbroken.split()[2]), 0.9)
        result = pathlib.Path(self.unbroken_root, "output", "result.json").read_text()
        self.assertIn(self.unbroken.split()[3], result)

    def test_killed_and_resumed_ends_in_the_same_bits(self):
        self.interrupted()
        final, lines = self.finish()
        self.assertIn("resuming at step", "\n".join(lines))
        self.assertEqual(final, self.unbroken)

    def test_another_number_of_ranks_goes_on_with_the_same_bits(self):
        self.interrupted()
        self.assertEqual(self.finish(world=1)[0], self.unbroken)

    def test_a_replica_elsewhere_is_resumed_from(self):
        replica = self.root / "replica"
        os.rename(self.interrupted(), replica)
        final, lines = self.finish(resume=replica)
        self.assertIn(str(replica), "\n".join(lines))
        self.assertEqual(final, self.unbroken)
        one = checkpoint.newest(replica)
        shutil.rmtree(self.root / "checkpoints")
        self.assertEqual(self.finish(resume=next(one)[1])[0], self.unbroken, "the replica of a single checkpoint")

    def test_a_damaged_checkpoint_falls_back_to_the_one_before(self):
        def flip(folder):
            data = bytearray((folder / "state.npz").read_bytes())
            data[len(data) // 2] ^= 1
            (folder / "state.npz").write_bytes(data)

        def cut(folder):
            os.truncate(folder / "state.npz", 100)

        def lose(folder):
            (folder / "MANIFEST").unlink()

        for name, damage in (("has digest", flip), ("has 100 bytes", cut), ("cannot be read", lose)):
            with self.subTest(name):
                shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
                (newest_step, newest), (before, _), *_ = checkpoint.newest(self.interrupted())
                damage(newest)
                final, lines = self.finish()
                said = "\n".join(lines)
                self.assertIn(f"checkpoint step-{newest_step:06d} is damaged", said)
                self.assertIn(name, said)
                self.assertIn(f"resuming at step {before} ", said)
                self.assertEqual(final, self.unbroken)

    def test_asked_to_stop_it_saves_and_says_143(self):
        for asked in (0, 1):
            with self.subTest(rank=asked):
                shutil.rmtree(self.root / "checkpoints", ignore_errors=True)
                with Training(self.root, pace_ms=5, every=30) as run:
                    run.until("checkpoint step-000030")
                    run.ranks[asked].terminate()
                    self.assertEqual(run.end(), [143, 143])
                    self.assertTrue(any("(asked to stop)" in line for line in run.lines), run.lines)
                self.assertGreater(next(checkpoint.newest(self.root / "checkpoints"))[0], 30)
                self.assertEqual(self.finish()[0], self.unbroken)

    def test_asked_to_stop_without_its_peers_it_still_saves(self):
        """The test plays rank 1: it takes part in one step, then says nothing more."""
        with Training(self.root, ranks=(0,), steps=STEPS) as run:
            settings = train.digest(types.SimpleNamespace(seed=7, steps=STEPS))
            leader = exchange.join("127.0.0.1", run.port, 1, 2, settings, lambda: 60, lambda: None)
            leader.receive(exchange.STATE_KIND)
            shards = len(train.my_shards(1, 2))
            leader.send(exchange.SHARDS_KIND, bytes(1 + 8 * shards * model.gradient_length()))
            leader.receive(exchange.SUM_KIND)
            run.ranks[0].terminate()
            run.until("checkpoint step-000001 published (asked to stop, the other ranks are gone)")
            self.assertEqual(run.end(), [143])
            leader.connection.close()

    def test_a_lost_peer_ends_the_run(self):
        with Training(self.root, pace_ms=5) as run:
            run.until("checkpoint step-000020")
            run.ranks[1].kill()
            self.assertEqual(run.end(), [1, -signal.SIGKILL])
            self.assertIn("rank 0 gives up: rank 1", "\n".join(run.lines))

    def test_a_checkpoint_is_made_when_asked_for(self):
        with Training(self.root, pace_ms=5, every=10_000, steps=100_000) as run:
            run.until("starting at step 0")
            for number in (signal.SIGUSR1, None):
                if number:
                    run.ranks[0].send_signal(number)
                else:
                    (self.root / "checkpoints" / "REQUEST").touch()
                run.until("published (asked for)")
                self.assertFalse((self.root / "checkpoints" / "REQUEST").exists())
        self.assertEqual(len(list(checkpoint.newest(self.root / "checkpoints"))), 2)

    def test_wrong_settings_are_named(self):
        for name, value in (("WORLD_SIZE", "9"), ("RANK", "2"), ("MASTER_PORT", "x")):
            done = subprocess.run([sys.executable, str(HERE / "train.py")], env={**os.environ, name: value}, capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"{name} is {value!r}, wanted a whole number from", done.stderr)


class Pieces(unittest.TestCase):
    def test_made_up_digits_are_always_the_same_and_have_the_form_of_real_ones(self):
        with tempfile.TemporaryDirectory() as root:
            one, two = pathlib.Path(root, "one"), pathlib.Path(root, "two")
            made_up.write(one)
            made_up.write(two)
            self.assertEqual(one.read_bytes(), two.read_bytes())
            training, test = model.load(one)
            self.assertEqual((len(training[1]), len(test[1])), (1438, 359))

    def test_the_one_who_does_not_come_is_named(self):
        with self.assertRaisesRegex(exchange.Lost, r"1 of 3 ranks arrived at .* within 0 s, missing \[1, 2\]"):
            exchange.gather("127.0.0.1", free_port(), 3, "s", lambda: 0, lambda: None)
        with self.assertRaisesRegex(exchange.Lost, r"rank 1 could not reach rank 0 at .* within 0 s"):
            exchange.join("127.0.0.1", free_port(), 1, 2, "s", lambda: 0, lambda: None)

    def test_an_epoch_meets_no_digit_twice(self):
        count = 1438
        seen = [int(i) for step in range(count // model.BATCH) for i in model.batch(7, step, count)]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertNotEqual(list(model.batch(7, 0, count)), list(model.batch(7, count // model.BATCH, count)), "the next epoch differs")

    def test_a_manifest_cannot_point_outside(self):
        with tempfile.TemporaryDirectory() as root:
            folder = checkpoint.publish(root, 5, {"a": b"1"})
            self.assertIsNone(checkpoint.fault(folder))
            self.assertEqual(checkpoint.publish(root, 5, {"a": b"1"}), folder, "publishing twice is harmless")
            digest = "0" * 64
            for line in (f"1 {digest} ../a", f"1 {digest}", "", f"-1 {digest} a", f"1 {digest} .."):
                (folder / "MANIFEST").write_text(line + "\n" if line else "")
                self.assertIsNotNone(checkpoint.fault(folder), line)


if __name__ == "__main__":
    unittest.main()
