"""Checkpoints that are whole or absent: written aside, synced, published by one rename, verified by manifest.

A checkpoint is a folder `step-<n>` with its files and MANIFEST, one line `size sha256 path` per file. It is written as
`.tmp-<n>` first, so a reader never meets half of one, whatever instant the power fails at. A damaged one is
reported and passed over for the one before.
"""
import hashlib
import os
import pathlib
import re
import shutil

MANIFEST = "MANIFEST"
NAME = re.compile(r"step-(\d{1,12})")


def _sync_folder(folder):
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_synced(path, data):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def publish(root, step, files):
    """Writes `files` (name to bytes) as checkpoint `step` below `root`; returns its folder. Publishing twice is harmless."""
    root = pathlib.Path(root)
    root.mkdir(parents=True, exist_ok=True)
    target, aside = root / f"step-{step:06d}", root / f".tmp-{step}"
    if target.is_dir():
        if fault(target) is None:
            return target
        shutil.rmtree(target)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    lines = []
    for name, data in sorted(files.items()):
        _write_synced(aside / name, data)
        lines.append(f"{len(data)} {hashlib.sha256(data).hexdigest()} {name}\n")
    _write_synced(aside / MANIFEST, "".join(lines).encode())
    _sync_folder(aside)
    os.rename(aside, target)
    _sync_folder(root)
    return target


def fault(folder):
    """What is wrong with a checkpoint, in words, or None where every file is as the manifest says."""
    folder = pathlib.Path(folder)
    try:
        lines = (folder / MANIFEST).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return f"its {MANIFEST} cannot be read ({getattr(error, 'strerror', None) or 'not text'})"
    if not lines:
        return f"its {MANIFEST} is empty"
    for line in lines:
        parts = line.split(" ", 2)
        if len(parts) != 3 or not parts[0].isdigit() or "/" in parts[2] or parts[2] in ("", ".", ".."):
            return f"its {MANIFEST} has the line {line!r}, wanted `size sha256 path`"
        size, digest, name = parts
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if len(data) != int(size):
            return f"{name} has {len(data)} bytes, the {MANIFEST} says {size}"
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            return f"{name} has digest {found[:12]}, the {MANIFEST} says {digest[:12]}"
    return None


def newest(*roots, report=print):
    """Yields (step, folder) of the valid checkpoints below all `roots`, newest first. A root may itself be a checkpoint."""
    found = []
    for root in (pathlib.Path(root) for root in roots if root):
        folders = [root] if NAME.fullmatch(root.name) else sorted(root.glob("step-*")) if root.is_dir() else []
        found += [(int(match.group(1)), folder) for folder in folders if (match := NAME.fullmatch(folder.name))]
    for step, folder in sorted(found, reverse=True):
        reason = fault(folder)
        if reason is None:
            yield step, folder
        else:
            report(f"checkpoint {folder.name} is damaged: {reason}; falling back to the one before")


def forget_old(root, keep):
    """Removes all but the newest `keep` checkpoints, and what an interrupted writer left."""
    root = pathlib.Path(root)
    folders = sorted((int(m.group(1)), f) for f in root.glob("step-*") if (m := NAME.fullmatch(f.name)))
    for _, folder in folders[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in root.glob(".tmp-*"):
        shutil.rmtree(folder, ignore_errors=True)
