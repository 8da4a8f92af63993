#!/usr/bin/python3
"""Writes a stand-in for digits.csv.gz, of the same form and as learnable, for tests on machines without the real file.

usage: made_up.py FILE

Ten random pictures, each repeated with noise; always the same bytes.
"""
import gzip
import sys

import numpy as np


def write(path, seed=1):
    draw = np.random.Generator(np.random.PCG64(seed))
    pictures = draw.integers(0, 17, size=(10, 64))
    labels = draw.integers(0, 10, size=1797)
    pixels = np.clip(pictures[labels] + draw.integers(-6, 7, size=(1797, 64)), 0, 16)
    rows = "".join(",".join(map(str, [*row, label])) + "\n" for row, label in zip(pixels, labels))
    with open(path, "wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(rows.encode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: made_up.py FILE")
    write(sys.argv[1])
