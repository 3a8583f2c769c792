# SPDX-License-Identifier: Apache-2.0
"""The command line client, where it needs a real server to be wrong."""

import base64
import contextlib
import json
import os
import subprocess
import time

import yaml
from hks_server import BINARY, Server, wait_until, write_files

OK = "def handle(event):\n    return 'ok'\n"
LARGE = "def handle(event):\n    return 'large'\n"


@contextlib.contextmanager
def client(server, *arguments, cwd=None):
    """A client in the background: a follower, or one whose server goes away."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HKS_")}
    environment.update(HKS_SERVER=server.url, HKS_DATA_DIR=str(server.data),
                       XDG_CONFIG_HOME=str(server.data / "client-config"))
    process = subprocess.Popen([BINARY, *arguments], cwd=cwd, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_verbose_call_shows_status_headers_and_identity(server, name):
    server.deploy_source(name, "def handle(event):\n    return {'statusCode': 201, 'headers': {'x-own': 'y'}, 'body': 'made'}\n")
    done = server.cli("function", "invoke", name, "-v")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "made"
    for part in ("status: 201\n", "x-own: y\n", "duration: ", "cold start: ", "version: 1\n", "invocation: "):
        assert part in done.stderr
    invocation = done.stderr.split("invocation: ")[1].split()[0]
    assert len(invocation) == 32


def test_the_printed_invocation_finds_its_lines(server, name):
    server.deploy_source(name, "def handle(event):\n    print('hello')\n    return 'x'\n")
    server.call(name)
    line = wait_until(lambda: [t for t in server.cli("function", "logs", name).stdout.splitlines() if "hello" in t], 5)[0]
    found = server.cli("function", "logs", name, "--invocation", line.split()[3])
    assert found.returncode == 0 and "hello" in found.stdout, found.stderr


def test_yaml_output_goes_back_into_a_manifest(server, tmp_path, name):
    server.deploy_source(name, OK)
    spec = yaml.safe_load(server.cli("function", "get", name, "-o", "yaml").stdout)["spec"]
    assert spec["resources"]["cpuLimit"] is None and spec["resources"]["queueTimeout"] is None
    write_files(tmp_path, {"function.py": OK, "function.yaml": yaml.safe_dump(
        {"apiVersion": "hks.io/v1", "kind": "Function", "metadata": {"name": name}, "spec": spec})})
    done = server.cli("function", "deploy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_lists_show_every_item(server, name):
    server.deploy_source(name, OK)
    for number in range(24):
        server.api("POST", f"/functions/{name}/triggers",
                   json={"type": "http", "name": f"t{number}", "config": {"path": f"/{name}/{number}"}}, expect=201)
    assert len(server.cli("function", "trigger", "list", name, "-o", "name").stdout.split()) == 25
    for number in range(103):
        server.api("POST", "/secrets", json={"name": f"{name}-{number}", "data": {"k": "v"}}, expect=201)
    listed = server.cli("secret", "list", "-o", "name").stdout.split()
    assert sum(secret.startswith(name + "-") for secret in listed) == 103
    for number in range(103):
        server.api("DELETE", f"/secrets/{name}-{number}", expect=204)


def test_limits_are_the_servers(tmp_path):
    write_files(tmp_path, {"function.py": OK})
    with Server("--limits-max-memory", "4Gi", "--limits-max-timeout", "1h") as server:
        done = server.cli("function", "deploy", "big", "--memory", "3Gi", "--timeout", "1000s", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        spec = server.api("GET", "/functions/big").json()["spec"]
        assert spec["resources"]["memory"] == "3Gi"
        assert server.cli("function", "deploy", "big", cwd=tmp_path).returncode == 0
        over = server.cli("function", "deploy", "big", "--memory", "5Gi", cwd=tmp_path)
        assert over.returncode == 1 and "4Gi" in over.stderr


def test_the_package_limit_is_the_servers(tmp_path):
    write_files(tmp_path, {"function.py": LARGE, "data.bin": os.urandom(66 << 20)})
    with Server("--limits-package", "128Mi") as server:
        done = server.cli("function", "deploy", "large", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert server.call("large").text == "large"
    with Server("--limits-package", "1Mi") as server:
        done = server.cli("function", "deploy", "large", cwd=tmp_path)
        assert done.returncode == 1 and "larger than 1Mi" in done.stderr
        write_files(tmp_path, {"data.bin": os.urandom(8 << 20)})
        done = server.cli("function", "deploy", "large", cwd=tmp_path)
        assert done.returncode == 1 and "PAYLOAD_TOO_LARGE" in done.stderr, done.stderr


def test_trigger_members_change_the_trigger_there_is(server, tmp_path, name):
    write_files(tmp_path, {"function.py": OK})
    first = server.cli("function", "deploy", name, "--trigger-config", f"path=/{name}-own", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    second = server.cli("function", "deploy", name, "--trigger-config", "auth.type=token", cwd=tmp_path)
    assert second.returncode == 0 and "It is not public" in second.stderr, second.stderr
    assert server.session.get(f"{server.url}/{name}-own").status_code == 401
    triggers = server.api("GET", f"/functions/{name}/triggers").json()["items"]
    assert [t["config"]["path"] for t in triggers] == [f"/{name}-own"]


def test_a_deploy_says_who_may_call(tmp_path):
    write_files(tmp_path, {"function.py": OK})
    with Server("--gateway-default-auth", "token") as server:
        done = server.cli("function", "deploy", "shut", cwd=tmp_path)
        assert done.returncode == 0 and "It is not public" in done.stderr, done.stderr
        assert server.call("shut").status_code == 401
        opened = server.cli("function", "deploy", "shut", "--trigger-config", "auth.type=public", cwd=tmp_path)
        assert "It is public" in opened.stderr
        assert server.call("shut").status_code == 200
        assert server.cli("function", "trigger", "delete", "shut", "http").returncode == 0
        none = server.cli("function", "deploy", "shut", cwd=tmp_path)
        assert none.returncode == 0 and "No trigger leads to it" in none.stderr, none.stderr
        assert "public" not in none.stderr and len(none.stdout.splitlines()) == 1


def test_a_deploy_that_was_overtaken_does_not_say_live(tmp_path):
    slow = write_files(tmp_path / "slow", {"function.py": "import time\ntime.sleep(3)\n" + OK})
    fast = write_files(tmp_path / "fast", {"function.py": OK})
    with Server("--build-parallel", "2") as server:
        server.deploy_source("race", OK)
        with client(server, "function", "deploy", "race", cwd=slow) as late:
            wait_until(lambda: len(server.api("GET", "/functions/race/versions").json()["items"]) == 2)
            assert "version 3 is live" in server.cli("function", "deploy", "race", cwd=fast).stdout
            out, _ = late.communicate(timeout=60)
        assert late.returncode == 0
        assert "version 2 is ready" in out and "version 3 is live" in out


def test_a_followed_log_ends_with_its_server_or_its_function(own_server):
    for function in ("stays", "goes"):
        own_server.deploy_source(function, "def handle(event):\n    print('line')\n    return 'x'\n")
        own_server.call(function)
    with client(own_server, "function", "logs", "goes", "-f") as gone:
        assert "line" in gone.stdout.readline()
        own_server.delete("goes")
        _, err = gone.communicate(timeout=30)
        assert gone.returncode == 1 and "was deleted" in err
    with client(own_server, "function", "logs", "stays", "-f") as follower:
        assert "line" in follower.stdout.readline()
        own_server.stop()
        _, err = follower.communicate(timeout=10)
        assert follower.returncode == 3 and "stops" in err


def test_a_server_that_is_killed_is_not_reachable(own_server, tmp_path):
    write_files(tmp_path, {"function.py": "import time\ntime.sleep(20)\n" + OK})
    with client(own_server, "function", "deploy", "slow", cwd=tmp_path) as deploying:
        wait_until(lambda: own_server.api("GET", "/functions/slow/versions", check=False).status_code == 200)
        time.sleep(0.5)
        own_server.kill()
        _, err = deploying.communicate(timeout=10)
    assert deploying.returncode == 3
    assert "error: The server" in err and "PROVIDER_ERROR" not in err


def test_bytes_that_are_not_text_are_refused_with_a_word(server, tmp_path, name):
    (tmp_path / "raw").write_bytes(b"\xff\xfe")
    done = server.cli("secret", "create", name, f"--from-file=k={tmp_path}/raw")
    assert done.returncode == 2 and "base64" in done.stderr
    encoded = base64.b64encode(b"\xff\xfe").decode()
    assert server.cli("secret", "create", name, f"--from-literal=k={encoded}").returncode == 0
    assert json.loads(server.cli("secret", "list", "-o", "json").stdout)
    server.api("DELETE", f"/secrets/{name}", expect=204)
