#!/usr/bin/python3
"""Learns handwritten digits on one or more ranks, and goes on after an interruption as if there had been none.

usage: train.py [--steps N] [--seed N] [--checkpoint-every N] [--pace-ms N] [--data FILE]

Reads RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, WEIR_CHECKPOINT_DIR, WEIR_RESUME_DIR and WEIR_OUTPUT_DIR, which the network
sets, and DIGITS_PACE_MS (least milliseconds a step). README.md beside this file explains the protocol.
Exit status: 0 learned, 1 a peer was lost, 2 wrong settings, 143 stopped by SIGTERM after a checkpoint.
"""
import signal

STOP, SAVE = 1, 2      # wishes that travel with the gradients
wishes = 0


def wish(number, _frame):
    global wishes   # a signal handler has nowhere else to write
    wishes |= STOP if number == signal.SIGTERM else SAVE


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, wish)   # before the slow imports: an early SIGUSR1 would end the process
    signal.signal(signal.SIGUSR1, wish)

import argparse
import hashlib
import io
import json
import os
import pathlib
import sys
import time

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"   # one thread per rank: the same order of additions, whatever the machine
sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print(f"{sys.executable} has no NumPy; run this with Debian's /usr/bin/python3 and the package python3-numpy", file=sys.stderr)
    sys.exit(2)

import checkpoint
import exchange
import model

STOPPED, WRONG = 143, 2
PATIENCE_S, HURRY_S = 60, 2      # how long a peer may be silent; and once this rank was asked to stop
KEEP = 3


def patience():
    return HURRY_S if wishes & STOP else PATIENCE_S


def stop_early():
    """Before the first step there is nothing to save."""
    if wishes & STOP:
        print("stopped before the first step", flush=True)
        sys.exit(STOPPED)


def whole(name, default, low, high):
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not low <= int(text) <= high:
        print(f"{name} is {text!r}, wanted a whole number from {low} to {high}", file=sys.stderr)
        sys.exit(WRONG)
    return int(text)


def settings():
    parser = argparse.ArgumentParser(description="Learns handwritten digits; see README.md.")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--checkpoint-every", type=int, default=50, metavar="N", help="steps between checkpoints")
    parser.add_argument("--pace-ms", type=int, default=whole("DIGITS_PACE_MS", 0, 0, 60_000), help="least milliseconds a step")
    parser.add_argument("--data", help="digits.csv.gz")
    chosen = parser.parse_args()
    for name, low in (("steps", 1), ("seed", 0), ("checkpoint_every", 1), ("pace_ms", 0)):
        if getattr(chosen, name) < low:
            parser.error(f"--{name.replace('_', '-')} is {getattr(chosen, name)}, the least is {low}")
    chosen.world = whole("WORLD_SIZE", 1, 1, model.SHARDS)
    chosen.rank = whole("RANK", 0, 0, chosen.world - 1)
    chosen.address = os.environ.get("MASTER_ADDR", "127.0.0.1")
    chosen.port = whole("MASTER_PORT", 29500, 1, 65535)
    chosen.checkpoints = os.environ.get("WEIR_CHECKPOINT_DIR", "")
    return chosen


def find_data(path):
    here = pathlib.Path(__file__).resolve().parent
    beside, fetched = here / "digits.csv.gz", here.parent.parent / ".weir" / "data" / "digits.csv.gz"
    places = [pathlib.Path(path)] if path else [beside, fetched]
    for place in places:
        if place.is_file():
            return place
    print(f"the digits are not at {' nor at '.join(map(str, places))}; run tools/fetch_digits, or name them with --data", file=sys.stderr)
    sys.exit(WRONG)


def same_training(chosen):
    """What two ranks, or a training and its checkpoint, must agree on."""
    return {"seed": chosen.seed, "shards": model.SHARDS, "batch": model.BATCH, "hidden": model.HIDDEN}


def pack(state):
    file = io.BytesIO()
    np.savez(file, **state)
    return file.getvalue()


def unpack(data):
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def resume(chosen):
    """(step, state) of the newest usable checkpoint, or the beginning."""
    for step, folder in checkpoint.newest(os.environ.get("WEIR_RESUME_DIR", ""), chosen.checkpoints, report=say):
        about = json.loads((folder / "training.json").read_text())
        if about.get("settings") != same_training(chosen) or step > chosen.steps:
            say(f"checkpoint {folder.name} is of another training ({about.get('settings')}); passing it over")
            continue
        say(f"resuming at step {step} from {folder}")
        return step, unpack((folder / "state.npz").read_bytes())
    say("starting at step 0: there is no checkpoint")
    return 0, model.fresh(chosen.seed)


def say(text):
    print(text, flush=True)


def save(chosen, step, state, why):
    if not chosen.checkpoints:
        return
    global wishes
    wishes &= ~SAVE   # before it is written: who asks meanwhile, or after the last look, is answered by the next one
    pathlib.Path(chosen.checkpoints, "REQUEST").unlink(missing_ok=True)
    about = json.dumps({"step": step, "settings": same_training(chosen)}, sort_keys=True)
    folder = checkpoint.publish(chosen.checkpoints, step, {"state.npz": pack(state), "training.json": about.encode()})
    checkpoint.forget_old(chosen.checkpoints, KEEP)
    say(f"checkpoint {folder.name} published ({why})")


def my_shards(rank, world):
    return range(rank * model.SHARDS // world, (rank + 1) * model.SHARDS // world)


def fingerprint(state):
    return hashlib.sha256(b"".join(state[name].tobytes() for name in model.NAMES)).hexdigest()


def lead(chosen, training, test):
    """Rank 0: adds the shards in their order, tells everybody the sum, keeps the checkpoints."""
    if chosen.world > 1:
        say(f"rank 0 of {chosen.world} awaits the others at {chosen.address}:{chosen.port}")
    peers = exchange.gather(chosen.address, chosen.port, chosen.world, digest(chosen), patience, stop_early)
    step, state = resume(chosen)
    try:
        begin = json.dumps({"step": step}).encode() + b"\n" + pack(state)
        for peer in peers:
            peer.send(exchange.STATE_KIND, begin)
        say(f"{chosen.world} ranks are here: {len(training[1])} digits to learn, {len(test[1])} to be tested on")
        while step < chosen.steps:
            began = time.monotonic()
            parts = [model.shard_gradient(state, training, chosen.seed, step, shard) for shard in my_shards(0, chosen.world)]
            asked = wishes
            for peer in peers:
                data = peer.receive(exchange.SHARDS_KIND)
                asked |= data[0]
                parts += list(np.frombuffer(data[1:]).reshape(-1, model.gradient_length()))
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            for peer in peers:
                peer.send(exchange.SUM_KIND, bytes([asked & STOP]) + total.tobytes())
            loss = model.adam(state, total, step)
            step += 1
            after(chosen, step, state, loss, test, asked)
            if asked & STOP:
                say(f"stopped at step {step} of {chosen.steps}, as asked")
                return STOPPED
            time.sleep(max(0.0, chosen.pace_ms / 1000 - (time.monotonic() - began)))
    except exchange.Lost:
        if not wishes & STOP:
            raise
        save(chosen, step, state, "asked to stop, the other ranks are gone")   # between two steps the state is whole
        return STOPPED
    finish(chosen, state, test)
    return 0


def after(chosen, step, state, loss, test, asked):
    """What a step leaves behind: a line, a checkpoint."""
    if step % chosen.checkpoint_every == 0 or step == chosen.steps:
        say(f"step {step}/{chosen.steps} loss {loss:.4f} accuracy {model.accuracy(state, test):.4f}")
    if asked & STOP:
        save(chosen, step, state, "asked to stop")
    elif asked & SAVE or (chosen.checkpoints and os.path.exists(os.path.join(chosen.checkpoints, "REQUEST"))):
        save(chosen, step, state, "asked for")
    elif step % chosen.checkpoint_every == 0:
        save(chosen, step, state, f"every {chosen.checkpoint_every} steps")


def finish(chosen, state, test):
    score, weights = model.accuracy(state, test), fingerprint(state)
    output = os.environ.get("WEIR_OUTPUT_DIR", "")
    if output:
        folder = pathlib.Path(output)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights.npz").write_bytes(pack({name: state[name] for name in model.NAMES}))
        result = {"accuracy": f"{score:.4f}", "weights_sha256": weights, "steps": chosen.steps, "seed": chosen.seed}
        (folder / "result.json").write_text(json.dumps(result, sort_keys=True) + "\n")
    say(f"final accuracy {score:.4f} {weights}")


def follow(chosen, training):
    """The other ranks: compute their shards, apply everybody's sum."""
    global wishes
    leader = exchange.join(chosen.address, chosen.port, chosen.rank, chosen.world, digest(chosen), patience, stop_early)
    about, _, packed = leader.receive(exchange.STATE_KIND).partition(b"\n")
    step, state = json.loads(about)["step"], unpack(packed)
    say(f"rank {chosen.rank} of {chosen.world}: from step {step}")
    while step < chosen.steps:
        parts = [model.shard_gradient(state, training, chosen.seed, step, shard) for shard in my_shards(chosen.rank, chosen.world)]
        asked, wishes = wishes, wishes & STOP
        try:
            leader.send(exchange.SHARDS_KIND, bytes([asked]) + np.concatenate(parts).tobytes())
            answer = leader.receive(exchange.SUM_KIND)
        except exchange.Lost:
            if wishes & STOP:
                return STOPPED   # rank 0 was faster
            raise
        model.adam(state, np.frombuffer(answer[1:]), step)
        step += 1
        if answer[0] & STOP:
            say(f"rank {chosen.rank} stopped at step {step}, as asked")
            return STOPPED
    say(f"rank {chosen.rank} finished, weights {fingerprint(state)[:12]}")
    return 0


def digest(chosen):
    return hashlib.sha256(json.dumps({**same_training(chosen), "steps": chosen.steps}, sort_keys=True).encode()).hexdigest()


def main():
    chosen = settings()
    training, test = model.load(find_data(chosen.data))
    try:
        return lead(chosen, training, test) if chosen.rank == 0 else follow(chosen, training)
    except exchange.Lost as reason:
        print(f"rank {chosen.rank} gives up: {reason}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
