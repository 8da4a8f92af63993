"""A real PostgreSQL server for a test, in a folder of its own: a socket there and nothing else. Gone with the test."""
import os
import pathlib
import shutil
import subprocess
import urllib.parse

PROGRAMS = next((p for p in (pathlib.Path("/usr/lib/postgresql/15/bin"), pathlib.Path("/usr/local/bin"), pathlib.Path("/usr/bin"))
                 if (p / "initdb").exists()), None)


class Postgres:
    def __init__(self, folder, fsync=False):
        if PROGRAMS is None:
            raise RuntimeError("PostgreSQL is not installed; packages.txt names it")
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        # PostgreSQL refuses to run as root; Debian's package makes this user.
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.folder, "postgres")
            os.chmod(self.folder.parent, 0o755)
        self.run("initdb", "-D", self.folder / "data", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")
        self.options = f"-c listen_addresses= -k {self.folder} -c fsync={'on' if fsync else 'off'} -c max_connections=60"
        self.start()

    def run(self, program, *arguments, check=True):
        return subprocess.run(self.user + [str(PROGRAMS / program)] + [str(a) for a in arguments], check=check, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/").returncode

    def start(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-s", "-l", self.folder / "log", "-o", self.options, "start")

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", mode, "-w", "-s", "stop", check=False)

    def database(self, name):
        """A new, empty database, as an address."""
        self.sql("postgres", f"create database {name} encoding 'UTF8' template template0")
        return f"postgresql://postgres@{urllib.parse.quote(str(self.folder), safe='')}/{name}"

    def sql(self, database, text):
        return subprocess.run(["psql", "-h", str(self.folder), "-U", "postgres", "-d", database, "-Atc", text], check=True,
                              capture_output=True, text=True).stdout.strip()
