#!/usr/bin/python3
"""Goal: what a program publishes with the SDK is what the agent takes, and what it is asked for it hears, once.

Method: jobs that are folders made here; the manifest is compared with the text that docs/reference/checkpoints.md gives. Instants are the
test's own.
"""
import ast
import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import weir  # noqa: E402


class Case(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.root = pathlib.Path(made.name)
        self.checkpoints, self.outputs = self.root / "checkpoints", self.root / "outputs"
        self.checkpoints.mkdir()
        self.outputs.mkdir()
        self.now = 0.0

    def job(self, **more):
        request_signal = more.pop("request_signal", None)
        env = {"WEIR_CHECKPOINT_DIR": str(self.checkpoints), "WEIR_OUTPUT_DIR": str(self.outputs), "WEIR_GENERATION": "3", "RANK": "1",
               "WORLD_SIZE": "4"}
        env.update(more)
        return weir.Job(request_signal, env, lambda: self.now)

    def ask(self, number):
        """As the supervisor does."""
        (self.checkpoints / "REQUEST").write_text("%d\n" % number)

    def names(self):
        return sorted(os.listdir(str(self.checkpoints)))

    def publish(self, job, name, **files):
        with job.checkpoint(name, keep=files.pop("keep", 2)) as folder:
            for path, text in (files or {"state": name}).items():
                (folder / path).write_text(text)


class Checkpoints(Case):
    def test_one_is_whole_and_named_by_its_manifest(self):
        job = self.job()
        with job.checkpoint("step-1") as folder:
            (folder / "b").mkdir()
            (folder / "b" / "two words").write_text("second")
            (folder / "a").write_text("first")
            self.assertEqual(self.names(), [".tmp-step-1"], "nobody sees half of one")
        self.assertEqual(self.names(), ["step-1"])
        lines = ["%d %s %s\n" % (len(text), hashlib.sha256(text.encode()).hexdigest(), path)
                 for path, text in (("a", "first"), ("b/two words", "second"))]
        self.assertEqual((self.checkpoints / "step-1" / "MANIFEST").read_text(), "".join(lines))
        self.assertIsNone(weir.fault(self.checkpoints / "step-1"))

    def test_one_that_fails_leaves_what_was_there(self):
        job = self.job()
        self.publish(job, "latest", state="one")
        with contextlib.suppress(RuntimeError):
            with job.checkpoint("latest") as folder:
                (folder / "state").write_text("half")
                raise RuntimeError
        self.assertEqual(self.names(), ["latest"])
        self.assertEqual((self.checkpoints / "latest" / "state").read_text(), "one")

    def test_a_name_is_used_again_by_another_folder(self):
        job = self.job()
        self.publish(job, "latest", state="one")
        first = (self.checkpoints / "latest").stat().st_ino
        self.publish(job, "latest", state="two")
        self.assertNotEqual((self.checkpoints / "latest").stat().st_ino, first)
        self.assertEqual((self.checkpoints / "latest" / "state").read_text(), "two")
        self.assertEqual(self.names(), ["latest"])

    def test_old_ones_go(self):
        job = self.job()
        for number in (9, 10, 11, 12):
            self.publish(job, "step-%d" % number)
        self.assertEqual(self.names(), ["step-11", "step-12"])
        self.publish(job, "step-13", keep=3)
        self.assertEqual(self.names(), ["step-11", "step-12", "step-13"])

    def test_what_no_agent_takes_is_refused_here(self):
        job = self.job()
        for name in ("", "step_1", "Step", "-a", "a.", "a" * 64, "a/b"):
            with self.assertRaisesRegex(weir.CheckpointError, "names no checkpoint"):
                with job.checkpoint(name):
                    self.fail(name)
        with self.assertRaisesRegex(weir.CheckpointError, "keep is 1"):
            with job.checkpoint("a", keep=1):
                self.fail()
        with self.assertRaisesRegex(weir.CheckpointError, "has no file"):
            with job.checkpoint("a"):
                pass
        with self.assertRaisesRegex(weir.CheckpointError, "neither a plain file nor a folder"):
            with job.checkpoint("a") as folder:
                (folder / "link").symlink_to("/etc/hostname")
        with self.assertRaisesRegex(weir.CheckpointError, "no control characters"):
            with job.checkpoint("a") as folder:
                (folder / "a\nb").write_text("x")
        self.assertEqual(self.names(), [])

    def test_each_fault_of_a_manifest_is_named(self):
        job = self.job()
        self.publish(job, "one", weights="heavy")
        folder = self.checkpoints / "one"
        manifest = (folder / "MANIFEST").read_text()
        digest = manifest.split()[1]
        for text, said in (("", "has no line"), (manifest[:-1], "half of one"), ("5 %s ../x\n" % digest, "wanted `size"),
                           ("5 %s\n" % digest, "wanted `size"), ("6 %s weights\n" % digest, "has 5 bytes"),
                           ("5 %s weights\n" % ("0" * 64), "has digest"), ("5 %s other\n" % digest, "cannot be read")):
            (folder / "MANIFEST").write_text(text)
            self.assertIn(said, weir.fault(folder))
        (folder / "MANIFEST").unlink()
        self.assertIn("cannot be read", weir.fault(folder))

    def test_it_resumes_where_it_is_told_to(self):
        self.assertIsNone(self.job().resume_dir)
        self.assertIsNone(self.job(WEIR_RESUME_DIR="").resume_dir)
        self.publish(self.job(), "one", weights="heavy")
        job = self.job(WEIR_RESUME_DIR=str(self.checkpoints / "one"))
        self.assertEqual((job.resume_dir / "weights").read_text(), "heavy")
        self.assertIsNone(job.resume_fault())
        (job.resume_dir / "weights").write_text("heavx")
        self.assertIn("has digest", job.resume_fault())


class Requests(Case):
    def test_a_request_is_heard_until_it_is_answered(self):
        job = self.job()
        self.assertFalse(job.checkpoint_requested())
        self.ask(1)
        self.assertTrue(job.checkpoint_requested())
        self.publish(job, "one")
        self.assertFalse(job.checkpoint_requested())
        self.assertEqual(self.names(), ["one"])

    def test_a_request_that_comes_while_one_is_written_is_not_answered_by_it(self):
        job = self.job()
        self.ask(1)
        with job.checkpoint("one") as folder:
            (folder / "state").write_text("of before")
            self.ask(2)
        self.assertTrue(job.checkpoint_requested())
        self.publish(job, "two")
        self.assertFalse(job.checkpoint_requested())

    def test_one_that_was_not_published_answers_nothing(self):
        job = self.job()
        self.ask(1)
        with contextlib.suppress(RuntimeError):
            with job.checkpoint("one"):
                raise RuntimeError
        self.assertTrue(job.checkpoint_requested())

    def test_a_signal_is_a_request(self):
        request_signal = weir.RequestSignal()
        self.addCleanup(request_signal.close)
        job = self.job(request_signal=request_signal)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertTrue(job.checkpoint_requested())
        with job.checkpoint("one") as folder:
            (folder / "state").write_text("of before")
            os.kill(os.getpid(), signal.SIGUSR1)
        self.assertTrue(job.checkpoint_requested(), "of what was asked for meanwhile nothing is in there")
        self.publish(job, "two")
        self.assertFalse(job.checkpoint_requested())

    def test_one_is_due_by_the_clock_too(self):
        job = self.job()
        self.now = 9.0
        self.assertFalse(job.checkpoint_due(every_s=10))
        self.now = 10.0
        self.assertTrue(job.checkpoint_due(every_s=10))
        self.publish(job, "one")
        self.assertFalse(job.checkpoint_due(every_s=10))
        self.ask(1)
        self.assertTrue(job.checkpoint_due(every_s=10))


class Words(Case):
    def test_progress_is_the_last_word_and_metrics_are_all(self):
        job = self.job()
        self.assertEqual((job.rank, job.world_size, job.generation), (1, 4, 3))
        job.progress(1, 10)
        job.progress(2, 10, note="warm")
        self.assertEqual(json.loads((self.outputs / "progress.json").read_text()),
                         {"done": 2, "total": 10, "note": "warm", "generation": 3})
        job.metric(1, loss=0.5)
        job.metric(2, loss=0.25, rate=3)
        self.assertEqual([json.loads(line) for line in (self.outputs / "metrics.jsonl").read_text().splitlines()],
                         [{"step": 1, "generation": 3, "loss": 0.5}, {"step": 2, "generation": 3, "loss": 0.25, "rate": 3}])
        for wrong in ("1", True, None):
            with self.assertRaises(TypeError):
                job.metric(1, loss=wrong)

    def test_outside_of_a_job_nothing_is_kept(self):
        job = weir.Job(environment={})
        job.progress(1, 2)
        job.metric(1, loss=1)
        self.assertFalse(job.checkpoint_requested())
        with job.checkpoint("one") as folder:
            (folder / "state").write_text("x")
        self.assertFalse(folder.exists())
        self.assertFalse(folder.parent.exists())


class Reach(Case):
    def test_old_interpreters_can_read_it(self):
        standard = {"contextlib", "hashlib", "json", "os", "pathlib", "re", "shutil", "signal", "tempfile", "time"}
        for file in sorted((HERE / "weir").glob("*.py")):
            tree = ast.parse(file.read_text(), str(file), feature_version=(3, 6))
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    self.assertLessEqual({name.name for name in node.names}, standard, file)
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    self.assertIn(node.module, standard, file)

    def test_the_shell_example_of_the_reference_does_the_same(self):
        """The program that docs/reference/checkpoints.md shows, run as a job would run it."""
        text = (HERE.parent.parent / "docs" / "reference" / "checkpoints.md").read_text()
        script = text.split("```sh\n", 1)[1].split("```", 1)[0]
        env = dict(os.environ, WEIR_CHECKPOINT_DIR=str(self.checkpoints), WEIR_RESUME_DIR="", STEPS="3", PACE="0")
        done = subprocess.run(["/bin/sh", "-c", script], env=env, stdout=subprocess.PIPE, universal_newlines=True, check=True)
        self.assertIn("step 3", done.stdout)
        self.assertEqual(self.names(), ["step-3"])
        self.assertIsNone(weir.fault(self.checkpoints / "step-3"))
        # It goes on from there, and answers a request at its next step.
        later = self.root / "later"
        later.mkdir()
        (later / "REQUEST").write_text("1\n")
        env.update(WEIR_CHECKPOINT_DIR=str(later), WEIR_RESUME_DIR=str(self.checkpoints / "step-3"), STEPS="5")
        done = subprocess.run(["/bin/sh", "-c", script], env=env, stdout=subprocess.PIPE, universal_newlines=True, check=True)
        self.assertIn("resuming at 3", done.stdout)
        self.assertEqual(sorted(os.listdir(str(later))), ["step-4", "step-5"])
        self.assertIsNone(weir.fault(later / "step-4"))


if __name__ == "__main__":
    unittest.main()
