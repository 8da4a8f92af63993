"""The list of a checkpoint's files: one line `size sha256 path` for each, sorted by path, in a file MANIFEST beside them."""
import hashlib
import os
import pathlib

MANIFEST = "MANIFEST"
FILES_MAX = 10000       # of one checkpoint, as a site takes them
PATH_BYTES_MAX = 1024
_PIECE_BYTES = 1 << 20


def sync_folder(folder):
    """Makes the names in a folder durable."""
    handle = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size_and_digest(path):
    """Of a whole file, which is on the disk afterwards."""
    digest, size = hashlib.sha256(), 0
    with open(str(path), "rb") as file:
        while True:
            piece = file.read(_PIECE_BYTES)
            if not piece:
                break
            digest.update(piece)
            size += len(piece)
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _files_below(folder):
    """Relative paths of the plain files below a folder, sorted as bytes; anything else is refused with ValueError."""
    found = []
    for root, folders, names in os.walk(str(folder)):
        for name in folders + names:
            path = os.path.join(root, name)
            if os.path.islink(path) or not (os.path.isfile(path) or os.path.isdir(path)):
                raise ValueError("%s is neither a plain file nor a folder; a checkpoint holds only these" % path)
        found += [os.path.relpath(os.path.join(root, name), str(folder)) for name in names]
        sync_folder(root)
    found = sorted((path for path in found if path != MANIFEST), key=os.fsencode)
    if not found:
        raise ValueError("%s has no file; write the files of the checkpoint into it" % folder)
    if len(found) > FILES_MAX:
        raise ValueError("%s has %d files and a checkpoint at most %d; put several into one" % (folder, len(found), FILES_MAX))
    for path in found:
        raw = os.fsencode(path)
        if len(raw) > PATH_BYTES_MAX or any(byte < 0x20 or byte == 0x7f for byte in raw):
            raise ValueError("%r is no name for a file of a checkpoint: at most %d bytes, no control characters" % (path, PATH_BYTES_MAX))
    return found


def write_manifest(folder):
    """Syncs every file below `folder` and writes the MANIFEST that names them. ValueError where it holds what no checkpoint can."""
    folder = pathlib.Path(folder)
    lines = []
    for path in _files_below(folder):
        size, digest = _size_and_digest(folder / path)
        lines.append(b"%d %s %s\n" % (size, digest.encode(), os.fsencode(path)))
    with open(str(folder / MANIFEST), "wb") as file:
        file.write(b"".join(lines))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def fault(folder):
    """What is wrong with a checkpoint, in words; None where every file is as its MANIFEST says."""
    folder = pathlib.Path(folder)
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError as error:
        return "its %s cannot be read (%s)" % (MANIFEST, error.strerror)
    if not text.endswith(b"\n"):
        return "its %s has no line, or half of one" % MANIFEST
    for line in text[:-1].split(b"\n"):
        parts = line.split(b" ", 2)
        if len(parts) != 3 or not parts[0].isdigit() or not _is_inside(parts[2]):
            return "its %s has the line %r, wanted `size sha256 path`" % (MANIFEST, line)
        name = os.fsdecode(parts[2])
        try:
            size, digest = _size_and_digest(folder / name)
        except OSError as error:
            return "%s cannot be read (%s)" % (name, error.strerror)
        if size != int(parts[0]):
            return "%s has %d bytes, its %s says %s" % (name, size, MANIFEST, parts[0].decode())
        if digest.encode() != parts[1]:
            return "%s has digest %.12s, its %s says %.12s" % (name, digest, MANIFEST, parts[1].decode("ascii", "replace"))
    return None


def _is_inside(path):
    return bool(path) and all(part not in (b"", b".", b"..") for part in path.split(b"/"))
