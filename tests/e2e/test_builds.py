# SPDX-License-Identifier: Apache-2.0
"""What builds leave on the disk, and how they get on with each other and with a full disk."""

import base64
import concurrent.futures
import contextlib
import os
import subprocess
import time

import pytest
from hks_server import Server, wait_until

SLOW_TO_LOAD = "import time\ntime.sleep(6)\ndef handle(event):\n    return 'late'\n"
# A connection that stays open knows the function that it called last, and keeps its bundle.
ONCE = {"Connection": "close"}


def source(text):
    return f"def handle(event):\n    return {text!r}\n"


def bundle(server, name):
    return server.data / "bundles" / server.api("GET", f"/functions/{name}/versions/1").json()["digest"]


def test_a_deleted_function_leaves_no_bundle(server, name):
    server.deploy_source(name, source(name))
    server.deploy_source(name + "-2", source("twin of " + name))
    gone, kept = bundle(server, name), bundle(server, name + "-2")
    assert server.call(name, headers=ONCE).status_code == 200
    server.delete(name)
    wait_until(lambda: not gone.exists(), 10)
    assert kept.exists() and server.call(name + "-2").status_code == 200


def test_a_call_that_runs_keeps_the_bundle_of_its_function(server, name):
    server.deploy_source(name, "import time\n# " + name + "\ndef handle(event):\n    time.sleep(2)\n"
                         "    return open(__file__).read().splitlines()[1]\n")
    folder = bundle(server, name)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pending = pool.submit(server.call, name, headers=ONCE)
        time.sleep(0.5)
        server.delete(name)
        time.sleep(0.8)
        assert folder.exists()
        assert pending.result().text == "# " + name
    wait_until(lambda: not folder.exists(), 20)


def test_a_quick_deploy_does_not_wait_for_slow_ones(server, name):
    body = {"runtime": "python", "filename": "function.py"}
    for i in range(3):
        server.api("POST", "/functions", expect=201, json=dict(
            body, name=f"{name}-{i}", source_code=base64.b64encode(SLOW_TO_LOAD.encode()).decode()))
    start = time.monotonic()
    server.deploy_source(name, source(name))
    assert time.monotonic() - start < 4
    for i in range(3):
        server.wait_built(f"{name}-{i}", 1)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_the_version_fails_once_there_is_room(small_disk):
    server = Server(data=small_disk)
    try:
        server.start()
        body = {"name": "late", "runtime": "python", "filename": "function.py",
                "source_code": base64.b64encode(SLOW_TO_LOAD.encode()).decode()}
        server.api("POST", "/functions", json=body, expect=201)
        with open(small_disk / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        path = "/functions/late/versions/1"

        def answer():
            got = server.api("GET", path)
            return got.status_code, got.json()
        status, told = wait_until(lambda: (got := answer())[1].get("status") != "building" and got, 20)
        assert status == 507 and told["code"] == "STORAGE_FULL", told
        os.unlink(small_disk / "filler")
        wait_until(lambda: answer()[1].get("status") == "failed", 20)
    finally:
        server.close()
