#!/usr/bin/env python3
"""Fails when a pure library's objects reach for the world.

usage: banned_symbols.py LIBRARY.a...

base, domain, the engines and control decide by their arguments alone: an undefined symbol of a clock, a socket, a
file, the environment, a thread or a random device in one of their objects is a broken law, whoever calls it.
"""
import re
import subprocess
import sys

BANNED = {
    "clock": r"clock_gettime|gettimeofday|time|clock|nanosleep|usleep|sleep|_ZNSt6chrono.*3nowEv",
    "socket": r"socket|connect|bind|listen|accept4?|send|recv|sendto|recvfrom|getaddrinfo",
    "file": r"open(at)?(64)?|fopen(64)?|creat(64)?|read|pread(64)?|write|pwrite(64)?|unlink|rename|mkdir|stat(64)?|fsync|fdatasync|"
            r"_ZNSt13basic_(filebuf|fstream)I.*|_ZNSt14basic_[io]fstreamI.*|_ZNK?St10filesystem(?!7__cxx114path).*",
    "terminal": r"_ZSt[34](cin|cout|cerr|clog)|v?f?printf|puts|putchar|std(in|out|err)",
    "environment": r"getenv|secure_getenv|setenv|putenv|environ|setlocale|localtime(_r)?|mktime|tzset",
    "thread": r"pthread_create|_ZNSt6thread.*|fork|vfork|posix_spawn.*|execv?e?p?",
    "random device": r"getrandom|getentropy|rand|random|arc4random.*|RAND_bytes|_ZNSt13random_device.*",
}


def kind_of(symbol):
    """What a symbol reaches for, or None."""
    return next((kind for kind, pattern in BANNED.items() if re.fullmatch(pattern, symbol)), None)


def undefined(library):
    """Pairs of object and symbol that the library's objects leave to others."""
    text = subprocess.run(["nm", "-A", "-u", library], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        where, _, symbol = line.rpartition(" ")
        yield where.split(":")[1] if ":" in where else library, symbol.split("@")[0]


def main(libraries):
    bad = [
        f"{library}({member}): error: {symbol} reaches for a {kind_of(symbol)}; take the value as an argument"
        for library in libraries
        for member, symbol in undefined(library)
        if kind_of(symbol)
    ]
    print("\n".join(bad) or f"{len(libraries)} libraries reach for nothing")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
