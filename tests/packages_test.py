"""The Debian packages: what is in them, and that they install, run, keep what an administrator wrote, and go away again.

usage: packages_test.py --build DIR --cpack PROGRAM --version VERSION      makes them from a build first
       packages_test.py --packages DIR                                     those of ./dev dist

Method: dpkg itself, with a root in a temporary folder; the scripts of the packages run with that root as DPKG_ROOT, so no service of
this machine is touched. That systemd starts the units is not tested: only that it understands them.
"""
import argparse
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

from kill_test import Broken, until

DEADLINE_S = 120
IN_WEIR = {"usr/bin/weir", "usr/bin/weir-supervisor", "usr/lib/systemd/system/weir-agent@.service", "usr/lib/tmpfiles.d/weir.conf",
           "usr/share/doc/weir/copyright", "usr/share/doc/weir/provider.md"}
IN_SERVER = {"usr/bin/weir-server", "usr/lib/systemd/system/weir-server.service", "usr/lib/sysusers.d/weir-server.conf",
             "etc/weir/server.conf", "usr/share/weir/catalogue/accelerators.yaml", "usr/share/weir/examples/programmes/demo-2026.yaml",
             "usr/share/doc/weir-server/operator.md", "usr/share/doc/weir-server/reference/api.md"}


def check(so, what):
    if not so:
        raise Broken(what)


def run(*words, code=0):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL)
    check(done.returncode == code, f"{' '.join(map(str, words))} ends with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def content(package):
    """Paths without the dot in front; who owns each."""
    rows = [line.split() for line in run("dpkg-deb", "-c", package).splitlines()]
    check(all(row[1] == "root/root" for row in rows), f"{package.name} has files of others than root")
    check(not any(row[0][8] == "w" for row in rows if row[0][0] != "l"), f"{package.name} has files that all may write")
    return {row[5].removeprefix("./").rstrip("/") for row in rows}


def told(package, architecture):
    """Each package says of what it is and what it needs."""
    is_server = package.name.startswith("weir-server")
    missing = (IN_SERVER if is_server else IN_WEIR) - content(package)
    check(not missing, f"{package.name} lacks {sorted(missing)}")
    check(not any("_test" in path or "__pycache__" in path for path in content(package)), f"{package.name} has tests in it")
    check(run("dpkg-deb", "-f", package, "Architecture").strip() == architecture, f"{package.name} is of another architecture")
    needs = run("dpkg-deb", "-f", package, "Depends").strip()
    if is_server:
        check("libsqlite3-0" in needs and "libssl3" in needs, f"{package.name} depends on {needs!r}")
    else:
        check(needs == "", f"{package.name} depends on {needs!r} and carries all that it needs")


class Root:
    """A machine's root in a folder, with dpkg's own records."""

    def __init__(self, folder):
        self.path = folder / "root"
        (self.path / "var/lib/dpkg/updates").mkdir(parents=True)
        (self.path / "var/lib/dpkg/info").mkdir()
        (self.path / "var/lib/dpkg/status").touch()

    def dpkg(self, *words):
        return run("dpkg", f"--root={self.path}", "--force-script-chrootless", "--force-depends", f"--log={self.path}/dpkg.log", *words)

    def mode(self, path):
        return stat.S_IMODE((self.path / path).stat().st_mode)


def installed(packages, root, folder):
    root.dpkg("--install", *packages)
    check(root.mode("etc/weir/agents") == 0o700, "all can read the agents' tokens")
    check(root.mode("var/lib/weir/blobs") == 0o700, "all can read the store of checkpoints")
    users = (root.path / "etc/passwd").read_text()
    check("weir:" in users and ":/var/lib/weir-server:" in users, f"the server has no user: {users}")
    version = run(root.path / "usr/bin/weir", "--version")
    check(run(root.path / "usr/bin/weir-server", "--version") == version, "server and client are of two releases")

    # The server finds its catalogue where the package puts it.
    data = folder / "data"
    with open(folder / "server.log", "w", encoding="utf-8") as log:
        server = subprocess.Popen([root.path / "usr/bin/weir-server", "--data", data, "--port", "0"], stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log)
    try:
        until(lambda: "the server: " + (folder / "server.log").read_text(),
              lambda: server.poll() is not None or (data / "endpoint").exists(), DEADLINE_S)
        check(server.poll() is None, "the installed server ended: " + (folder / "server.log").read_text())
    finally:
        server.terminate()
        server.wait(DEADLINE_S)


def units(root, folder):
    """Read by systemd itself, with the programs where they lie here."""
    if not shutil.which("systemd-analyze"):
        print("  systemd-analyze is not there: the units were not read")
        return
    (folder / "units").mkdir()
    for unit, name in (("weir-agent@.service", "weir-agent@pidu-core.service"), ("weir-server.service", "weir-server.service")):
        text = (root.path / "usr/lib/systemd/system" / unit).read_text().replace("=/usr/bin/", f"={root.path}/usr/bin/")
        (folder / "units" / name).write_text(text.replace("User=weir\n", "").replace("Group=weir\n", "").replace("%i", "pidu-core"))
        run("systemd-analyze", "verify", "--man=no", folder / "units" / name)


def goes_away(packages, root):
    """What an administrator wrote outlives an upgrade; a purge takes it."""
    conf = root.path / "etc/weir/server.conf"
    conf.write_text("WEIR_SERVER_OPTIONS=--port 8000\n")
    root.dpkg("--install", *packages)
    check("8000" in conf.read_text(), "an upgrade took the administrator's options")
    root.dpkg("--remove", "weir-server", "weir")
    check(conf.exists() and not (root.path / "usr/bin/weir").exists(), "a removal takes the programs and keeps the options")
    root.dpkg("--purge", "weir-server", "weir")
    check(not conf.exists(), "a purge left the options")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--cpack", default="cpack")
    parser.add_argument("--version")
    parser.add_argument("--packages", type=pathlib.Path)
    options = parser.parse_args()
    if os.geteuid() != 0:  # dpkg asks for root; of a namespace of our own it may be
        own = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "0", "--gid", "0"]
        os.execv("/usr/bin/bwrap", [*own, "--", sys.executable, "-B", *sys.argv])
    with tempfile.TemporaryDirectory(prefix="weir-packages-") as folder:
        folder = pathlib.Path(folder)
        try:
            made = options.packages
            if not made:
                made = folder / "made"
                run(options.cpack, "-G", "DEB", "--config", options.build / "CPackConfig.cmake", "-B", made)
                expected = {f"weir_{options.version}_amd64.deb", f"weir-server_{options.version}_amd64.deb"}
                found = {package.name for package in made.glob("*.deb")}
                check(found == expected, f"made were {found}")
            packages = sorted(made.glob("*_amd64.deb"))
            check(len(packages) == 2, f"there are {packages}")
            for package in packages:
                told(package, "amd64")
            for package in made.glob("*_arm64.deb"):
                told(package, "arm64")
            root = Root(folder)
            installed(packages, root, folder)
            units(root, folder)
            goes_away(packages, root)
        except Broken as broken:
            print(f"broken: {broken}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
