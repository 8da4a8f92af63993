"""How the ranks of a training talk: a star over TCP around rank 0.

Rank 0 listens on MASTER_ADDR:MASTER_PORT, the others connect. A message is a kind, a length and bytes. Every wait has a
deadline and every failure says who was awaited, where, and for how long. Nothing here knows what a gradient is.
"""
import errno
import socket
import struct
import time

HEADER = struct.Struct("<4sIQ")        # magic, kind, length of what follows
HELLO = struct.Struct("<II64s")        # rank, world size, digest of the settings (64 hexadecimal digits)
MAGIC = b"DGT1"
HELLO_KIND, STATE_KIND, SHARDS_KIND, SUM_KIND = 1, 2, 3, 4
LARGEST_MESSAGE = 64 * 1024 * 1024


class Lost(Exception):
    """A peer is gone, silent or speaks another language."""


class Peer:
    """One end of a connection. `patience()` is how many seconds a silence may last; it is asked again while waiting."""

    def __init__(self, connection, name, patience):
        self.connection, self.name, self.patience = connection, name, patience
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, kind, data):
        try:
            self.connection.settimeout(self.patience())
            self.connection.sendall(HEADER.pack(MAGIC, kind, len(data)) + data)
        except OSError as error:
            raise Lost(f"{self.name} is gone while sending: {error}") from None

    def receive(self, kind):
        magic, got, length = HEADER.unpack(self._exactly(HEADER.size))
        if magic != MAGIC or got != kind or length > LARGEST_MESSAGE:
            raise Lost(f"{self.name} sent message {got} of {length} bytes, wanted message {kind} of at most {LARGEST_MESSAGE}")
        return self._exactly(length)

    def _exactly(self, length):
        parts = bytearray()
        heard = time.monotonic()
        self.connection.settimeout(0.25)
        while len(parts) < length:
            try:
                part = self.connection.recv(min(1 << 20, length - len(parts)))
                heard = time.monotonic()
            except socket.timeout:
                if time.monotonic() - heard > self.patience():
                    raise Lost(f"{self.name} was silent for {self.patience()} s") from None
                continue
            except OSError as error:
                raise Lost(f"{self.name} is gone: {error}") from None
            if not part:
                raise Lost(f"{self.name} closed the connection")
            parts += part
        return bytes(parts)


def gather(address, port, world, settings, patience, stopping):
    """Rank 0: the peers of ranks 1.. in order of rank. Raises Lost where somebody does not come in time."""
    if world == 1:
        return []
    deadline = time.monotonic() + patience()
    listener = _listen(address, port, deadline, stopping)
    peers = {}
    with listener:
        while len(peers) < world - 1:
            stopping()
            listener.settimeout(0.2)
            try:
                connection, _ = listener.accept()
            except socket.timeout:
                if time.monotonic() > deadline:
                    missing = sorted(set(range(1, world)) - set(peers))
                    raise Lost(f"{len(peers) + 1} of {world} ranks arrived at {address}:{port} within {patience()} s, "
                               f"missing {missing}; look into their logs") from None
                continue
            rank = _welcome(connection, world, settings)
            if rank is None or rank in peers:
                connection.close()
                continue
            peers[rank] = Peer(connection, f"rank {rank}", patience)
    return [peers[rank] for rank in range(1, world)]


def _listen(address, port, deadline, stopping):
    """The port of a rank 0 that was just killed may take a moment to be free."""
    while True:
        stopping()
        try:
            return socket.create_server((address, port), backlog=16)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise Lost(f"rank 0 could not listen on {address}:{port}: {error.strerror}; choose another MASTER_PORT") from None
            time.sleep(0.2)


def _welcome(connection, world, settings):
    """The rank of whoever connected, or None where it is no rank of this training."""
    try:
        rank, its_world, its_settings = HELLO.unpack(Peer(connection, "a stranger", lambda: 5).receive(HELLO_KIND))
    except (Lost, struct.error) as reason:
        print(f"refused a connection: {reason}", flush=True)
        return None
    if its_world != world or its_settings.decode("ascii", "replace") != settings or not 0 < rank < world:
        print(f"refused rank {rank} of {its_world}: this is a training of {world} ranks, or its settings differ", flush=True)
        return None
    return rank


def join(address, port, rank, world, settings, patience, stopping):
    """Ranks 1..: the connection to rank 0, tried again until the patience is over."""
    deadline = time.monotonic() + patience()
    while True:
        stopping()
        try:
            connection = socket.create_connection((address, port), timeout=5)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise Lost(f"rank {rank} could not reach rank 0 at {address}:{port} within {patience()} s ({error.strerror or error}); "
                           "is rank 0 running, and is MASTER_PORT the same") from None
            time.sleep(0.1)
    peer = Peer(connection, "rank 0", patience)
    peer.send(HELLO_KIND, HELLO.pack(rank, world, settings.encode()))
    return peer
