#!/usr/bin/env python3
"""The tree tests itself: `path:line: error: X is banned, use Y`, and exit status 1 where anything is wrong.

usage: tidy.py [ROOT]

Looks at what git tracks or would track (or, outside a git checkout, at every file that is not built or downloaded).
The rules are in rules.py; tidy_test.py shows that each of them catches its bad sample.
"""
import os
import pathlib
import subprocess
import sys

from rules import RULES, Tree

SKIPPED_FOLDERS = {"build", ".weir", ".git", "node_modules", "__pycache__"}


def paths(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return sorted(p for p in listed.stdout.decode().split("\0") if p and os.path.isfile(os.path.join(root, p)))
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files]
    return sorted(found)


def read(root):
    texts = {}
    for path in paths(root):
        data = pathlib.Path(root, path).read_bytes()
        try:
            texts[path] = data.decode()
        except UnicodeDecodeError:
            continue   # a picture, a damaged seed: no text to judge
    return Tree(texts)


def main(arguments):
    root = arguments[0] if arguments else str(pathlib.Path(__file__).resolve().parent.parent.parent)
    tree = read(root)
    findings = sorted({finding for rule in RULES for finding in rule(tree)})
    for path, line, message in findings:
        print(f"{path}:{line}: error: {message}")
    print(f"tidy: {len(tree.texts)} files, {len(RULES)} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
