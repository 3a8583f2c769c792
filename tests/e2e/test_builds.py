# SPDX-License-Identifier: Apache-2.0
"""What builds leave on the disk, and how they get on with each other and with a full disk."""

import base64
import concurrent.futures
import contextlib
import io
import lzma
import os
import subprocess
import tarfile
import time

import pytest
from hks_server import Server, wait_until, write_files

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


def test_an_archive_of_another_kind_is_refused_before_a_version_is_made(server, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("function.py")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    refused = server.api("POST", "/functions", check=False, files={
        "spec": (None, f'{{"name": "{name}", "runtime": "python"}}'),
        "archive": ("f.tar.xz", lzma.compress(buffer.getvalue()))})
    assert refused.status_code == 400, refused.text
    assert "tar.gz or zip" in refused.json()["error"]
    assert server.api("GET", f"/functions/{name}").status_code == 404


def test_a_package_tells_its_language(server, name, tmp_path):
    write_files(tmp_path / "code", {"pkg/__init__.py": "", "pkg/mod.py": source(name)})
    done = server.cli("function", "deploy", name, "--path", str(tmp_path / "code"), "--handler", "pkg.mod.handle")
    assert done.returncode == 0, done.stderr
    assert server.call(name).text == name


@pytest.mark.parametrize("runtime", ["python2.7", "python4", {"name": "python", "version": "2"}])
def test_a_runtime_that_is_not_there_is_refused_with_what_is(server, name, runtime):
    refused = server.api("POST", "/functions", json={"name": name, "source_code": "eA==", "spec": {"runtime": runtime}})
    assert refused.status_code == 400 and refused.json()["code"] == "INVALID_RUNTIME", refused.text
    assert "python3." in refused.json()["error"] and "node" in refused.json()["error"]


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
