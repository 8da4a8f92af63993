"""The network's store behind rclone, at an S3 server that is a fake (fake_s3.py): folders in, outputs out, and no key where others see it.

usage: s3_store_test.py --programs DIR --source DIR --tools-test FILE

Goal: a network whose server and agent copy by rclone takes a folder of code and gives back what a job left; the keys stand in a file of
mode 0600 alone. Method: a real server, agent and rclone; the S3 server checks every signature. What S3 does beside that is rclone's.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import fake_s3
from cli_test import DEADLINE_S, check
from kill_test import Broken
from workdir_test import World, make_code


def carries_a_store(options, folder, server):
    """What a store is asked for, of rclone at this server (the C++ test of the tools)."""
    environment = dict(os.environ, WEIR_TEST_REMOTE=f"s3:{fake_s3.BUCKET}/unit", WEIR_TEST_REMOTE_CONFIG=str(folder / "rclone.conf"))
    done = subprocess.run([options.tools_test, "--gtest_filter=*CarriesAStoreToARemote"], env=environment, capture_output=True, text=True,
                          timeout=DEADLINE_S * 3, check=False)
    check(done.returncode == 0 and "[  PASSED  ] 1 test" in done.stdout, done.stdout[-3000:] + done.stderr[-2000:])
    check(any(name.startswith("unit/store/blobs/") for name in server.files), "nothing came to the server")


def takes_code_and_gives_outputs(options, folder, server):
    """A job begins in its folder and what it leaves is fetched; all of it lay at the far end."""
    config = folder / "rclone.conf"
    words = ("--mover", "rclone", "--mover-to", f"s3:{fake_s3.BUCKET}/net", "--mover-config", config)
    world = World(options, folder / "net", server_words=words,
                  agent_text=f"mover: rclone\nmover_to: s3:{fake_s3.BUCKET}/net\nmover_config: {config}\n")
    try:
        make_code(world.folder / "code")
        text = "workdir: code\nrun: './run.sh && head -c 300000 /dev/urandom > $WEIR_OUTPUT_DIR/model && " \
               "sha256sum $WEIR_OUTPUT_DIR/model | cut -c1-64'\n"
        done = world.weir("submit", world.job("job.yaml", text), "--project", "vision", "--wait")
        job = re.search(r"job-\w+", done.stdout).group()
        printed = world.weir("job", "logs", job).stdout.split()
        check(printed[:2] == ["one", "1"], f"the task printed {printed}")
        world.weir("get", job, "model", folder / "model")
        got = subprocess.run(["sha256sum", folder / "model"], capture_output=True, text=True, check=True).stdout[:64]
        check(got == printed[2], f"{got} and not {printed[2]}")
        check(any(name.startswith("net/projects/vision/blobs/") for name in server.files), "nothing came to the server")
        for log in ("agent.log", "server.log"):
            check(fake_s3.SECRET not in (folder / "net" / log).read_text(), f"{log} has the key")
    except (Broken, subprocess.TimeoutExpired):
        for log in ("agent.log", "server.log"):
            print((folder / "net" / log).read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        world.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--tools-test", type=pathlib.Path, required=True)
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-s3-"))
    folder.chmod(0o711)
    (folder / "net").mkdir(mode=0o711)
    server = fake_s3.Server()
    try:
        with open(folder / "rclone.conf", "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as config:
            config.write(server.config)
        for part in (carries_a_store, takes_code_and_gives_outputs):
            part(options, folder, server)
            print("ok:", part.__doc__)
    except (Broken, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        server.close()
        subprocess.run(["chmod", "-R", "u+w", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
