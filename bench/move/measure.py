"""Moves a training of two ranks with a checkpoint of 200 MB between two sites whose copies are held to 1 Gbit/s, and says what it cost.

usage: measure.py --programs DIR --source DIR --moves N

A line `move MS MILLI-CARD-SECONDS` for each: how long no process of it ran, and what is done again. It is the test of moves
(tests/move_test.py) with a larger checkpoint and nobody killed, and checks all that that does.
The checkpoint's bytes are new each time: nothing of one copy can serve another. The network between the sites is this machine's disk, held
back by `checkpoint_rate`; each copy goes to the store and from there on, so a checkpoint takes twice the time of one way.
"""
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))
import kill_test  # noqa: E402
import move_test  # noqa: E402

RATE = "119MiB"  # in a second: 1 Gbit/s is 119.2 of them
FILES = "; ".join(f'(folder / "{name}").write_bytes(os.urandom(100000000))' for name in ("weights", "moments"))

kill_test.AGENT += f"checkpoint_rate: {RATE}\n"
move_test.POLICY = "checkpoint_within: 60s\nprepare_within: 300s\nstop_within: 120s\n"
move_test.PROGRAM = (move_test.PROGRAM.replace('(folder / "fixed").write_bytes(b"x" * 300000)', FILES)
                     .replace('        assert (job.resume_dir / "fixed").read_bytes() == b"x" * 300000\n', "")
                     .replace("step % 40 == 0", "step % 200 == 0"))


class Tenant(move_test.Http):
    """Whose training has room for its checkpoint."""

    def must(self, method, target, body=None):
        return super().must(method, target, body and body.replace('"256MiB"', '"3GiB"'))


def run(network, arguments, folder):
    generations = move_test.Generations(network.roots)
    try:
        token, vouchers = network.found()
        moves = move_test.Moves(network, Tenant(network.port, token), generations, folder)
        moves.submit(vouchers)
        for _ in range(arguments.moves):
            arrived = moves.once()
            if arrived is None:
                raise move_test.Broken("a move that nobody disturbed did not arrive")
            print("move", arrived["pause_ms"], arrived["lost"], flush=True)
        steps = moves.finish()
        move_test.check_end(network, types.SimpleNamespace(jobs={moves.job: "plain"}), generations)
        return f"{steps} steps"
    finally:
        move_test.end_all(network, generations)


if __name__ == "__main__":
    move_test.run = run
    sys.exit(move_test.main())
