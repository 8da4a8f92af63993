"""A small network that reads handwritten digits, and Adam, in NumPy.

Everything random is a pure function of (seed, step, shard): a step can be repeated on any machine of the same kind and gives
the same bits. A batch is cut into SHARDS equal parts; whoever computes a shard, its gradient is the same, and they are
added in the order of the shards. So the result does not depend on the number of ranks.
"""
import gzip

import numpy as np

SHARDS = 8
BATCH = 64             # samples a step, SHARDS divides it
HIDDEN = 96
DROPOUT = 0.2          # share of the hidden units that a step leaves out
LEARNING_RATE = 2e-3
NAMES = ("w1", "b1", "w2", "b2")


def load(path):
    """The 1797 digits: pixels scaled to [0, 1], labels; every fifth is kept for the test."""
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    if table.shape != (1797, 65):
        raise ValueError(f"{path} has {table.shape} numbers, wanted (1797, 65)")
    pixels, labels = table[:, :64] / 16.0, table[:, 64]
    held = np.arange(len(table)) % 5 == 4
    return (pixels[~held], labels[~held]), (pixels[held], labels[held])


def chance(seed, *purpose):
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose])))


def fresh(seed):
    """Weights before the first step (He et al., 2015), and Adam's empty memory."""
    draw = chance(seed, 1)
    state = {
        "w1": draw.standard_normal((64, HIDDEN)) * np.sqrt(2 / 64), "b1": np.zeros(HIDDEN),
        "w2": draw.standard_normal((HIDDEN, 10)) * np.sqrt(2 / HIDDEN), "b2": np.zeros(10),
    }
    for name in NAMES:
        state["m_" + name] = np.zeros_like(state[name])
        state["v_" + name] = np.zeros_like(state[name])
    return state


def batch(seed, step, count):
    """Indices of a step's samples: the epoch's own shuffle, read in order; the rest of an epoch is left out."""
    per_epoch = count // BATCH
    epoch, place = divmod(step, per_epoch)
    return chance(seed, 2, epoch).permutation(count)[place * BATCH:(place + 1) * BATCH]


def shard_gradient(state, data, seed, step, shard):
    """Sum over one shard of the loss and of its gradient, as one flat vector: the loss first."""
    pixels, labels = data
    size = BATCH // SHARDS
    chosen = batch(seed, step, len(labels))[shard * size:(shard + 1) * size]
    x, y = pixels[chosen], labels[chosen]
    keep = (chance(seed, 3, step, shard).random((size, HIDDEN)) >= DROPOUT) / (1 - DROPOUT)
    before = x @ state["w1"] + state["b1"]
    hidden = np.maximum(before, 0) * keep
    scores = hidden @ state["w2"] + state["b2"]
    scores -= scores.max(axis=1, keepdims=True)
    likely = np.exp(scores)
    likely /= likely.sum(axis=1, keepdims=True)
    rows = np.arange(size)
    loss = -np.log(np.maximum(likely[rows, y], 1e-300)).sum()
    likely[rows, y] -= 1
    back = (likely @ state["w2"].T) * keep * (before > 0)
    parts = (np.array([loss]), x.T @ back, back.sum(axis=0), hidden.T @ likely, likely.sum(axis=0))
    return np.concatenate([part.ravel() for part in parts])


def gradient_length():
    return 1 + 64 * HIDDEN + HIDDEN + HIDDEN * 10 + 10


def adam(state, flat, step):
    """One step of Adam (Kingma and Ba, 2015) on the batch's summed gradient. Returns the mean loss."""
    flat = flat / BATCH
    at = 1
    for name in NAMES:
        size = state[name].size
        gradient = flat[at:at + size].reshape(state[name].shape)
        at += size
        m, v = state["m_" + name], state["v_" + name]
        m *= 0.9
        m += 0.1 * gradient
        v *= 0.999
        v += 0.001 * gradient * gradient
        state[name] -= LEARNING_RATE * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
    return float(flat[0])


def accuracy(state, data):
    pixels, labels = data
    hidden = np.maximum(pixels @ state["w1"] + state["b1"], 0)
    return float(np.mean((hidden @ state["w2"] + state["b2"]).argmax(axis=1) == labels))
