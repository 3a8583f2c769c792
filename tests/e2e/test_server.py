# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import os
import pathlib
import signal
import socket
import stat
import subprocess
import time

import pytest
import requests
from hks_server import BINARY, Server, descendants, free_port, wait_until, write_files

OK = "def handle(event):\n    return 'ok'\n"


def test_the_start_block_says_where_everything_is_but_not_the_token(own_server):
    out = (own_server.data / "server.out").read_text()
    assert own_server.url in out and str(own_server.data) in out and "admin-token" in out
    assert "python3" in out and "node" in out
    assert own_server.token not in own_server.log()


def test_the_admin_token_is_for_its_owner_only(own_server):
    assert stat.S_IMODE((own_server.data / "admin-token").stat().st_mode) == 0o600


def test_every_management_route_asks_for_a_token(server):
    for template, item in server.openapi.document["paths"].items():
        path = template.replace("{ws}", "default").replace("{", "x").replace("}", "")
        for method in item:
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            code = requests.request(method.upper(), server.url + path).status_code
            if template in ("/healthz", "/readyz", "/openapi.json") or template.startswith("/schema"):
                assert code == 200, template
            else:
                assert code == 401, f"{method} {template}: {code}"


def test_a_wrong_token_is_told_apart_from_none(server):
    assert server.api("GET", "/functions", token="hks_wrong").json()["code"] == "AUTH_INVALID_TOKEN"
    assert server.api("GET", "/functions", token="").json()["code"] == "AUTH_REQUIRED"
    done = server.cli("function", "list", "--api-key", "hks_wrong")
    assert done.returncode == 1 and "AUTH_INVALID_TOKEN" in done.stderr


def test_tokens_with_roles_scopes_and_an_end(server, name):
    server.deploy_source(name, OK)
    made = server.api("POST", "/tokens", json={"name": "v-" + name, "role": "viewer"}, expect=201).json()
    assert server.api("GET", "/functions", token=made["token"]).status_code == 200
    assert server.api("DELETE", f"/functions/{name}", token=made["token"]).status_code == 403
    short = server.api("POST", "/tokens", json={"name": "s-" + name, "role": "viewer", "expires_in": "1s"}).json()
    assert server.api("GET", "/functions", token=short["token"]).status_code == 200
    wait_until(lambda: server.api("GET", "/functions", token=short["token"]).status_code == 401, 5)
    done = server.cli("token", "revoke", made["id"])
    assert done.returncode == 0, done.stderr
    assert server.api("GET", "/functions", token=made["token"]).status_code == 401


def test_a_function_can_ask_for_a_token(server, name):
    server.deploy_source(name, "def handle(event):\n    return event['headers'].get('authorization', 'none')\n",
                         triggers=[{"type": "http", "auth": {"type": "token"}}])
    assert server.call(name).status_code == 401
    assert server.call(name, headers={"Authorization": "Bearer hks_nope"}).status_code == 401
    scoped = server.api("POST", "/tokens", json={"name": "i-" + name, "scopes": ["invoke"]}, expect=201).json()["token"]
    answer = server.call(name, headers={"Authorization": "Bearer " + scoped})
    assert answer.status_code == 200 and answer.text == "none"
    assert server.api("GET", "/functions", token=scoped).status_code == 403


def test_routes_with_parameters_wildcards_methods_and_conflicts(server, name):
    base = f"/{name}"
    server.deploy_source(name, "def handle(event):\n    return {'p': event['pathParameters'], 'path': event['path']}\n",
                         triggers=[{"type": "http", "path": base + "/users/{id}", "methods": ["GET"]},
                                   {"type": "http", "path": base + "/files/*"}])
    got = server.session.get(server.url + base + "/users/42").json()
    assert got == {"p": {"id": "42"}, "path": base + "/users/42"}
    assert server.session.get(server.url + base + "/files/a/b").json()["path"] == base + "/files/a/b"
    refused = server.session.post(server.url + base + "/users/42")
    assert refused.status_code == 405 and "GET" in refused.headers["allow"]
    assert server.session.get(server.url + base + "/nothing").status_code == 404
    other = name[:40] + "-b"
    server.deploy_source(other, OK)
    clash = server.api("POST", f"/functions/{other}/triggers",
                       json={"type": "http", "config": {"path": base + "/users/{name}", "methods": ["GET"]}})
    assert clash.status_code == 409 and name in clash.text
    reserved = server.api("POST", f"/functions/{other}/triggers", json={"type": "http", "config": {"path": "/api/x"}})
    assert reserved.status_code == 400 and reserved.json()["code"] == "VALIDATION_ERROR"


def test_triggers_are_added_switched_and_deleted_from_the_command_line(server, name):
    server.deploy_source(name, OK)
    done = server.cli("function", "trigger", "add", name, "--name", "extra", "--trigger-config", f"path=/{name}/extra")
    assert done.returncode == 0, done.stderr
    url = f"{server.url}/{name}/extra"
    wait_until(lambda: server.session.get(url).status_code == 200, 5)
    assert server.cli("function", "trigger", "disable", name, "extra").returncode == 0
    wait_until(lambda: server.session.get(url).status_code == 404, 5)
    assert server.cli("function", "trigger", "enable", name, "extra").returncode == 0
    wait_until(lambda: server.session.get(url).status_code == 200, 5)
    assert "extra" in server.cli("function", "trigger", "list", name).stdout
    assert server.cli("function", "trigger", "delete", name, "extra").returncode == 0
    wait_until(lambda: server.session.get(url).status_code == 404, 5)


def test_kill_9_leaves_no_process_and_a_restart_serves_again(own_server):
    own_server.deploy_source("a", OK, scaling={"minScale": 2})
    own_server.deploy_source("b", "exports.handle = async () => 'node';\n", runtime="node")
    assert own_server.call("a").text == "ok" and own_server.call("b").text == "node"
    below = own_server.children()
    assert below
    own_server.kill()
    wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in below), 10)
    own_server.restart()
    assert own_server.call("a").text == "ok" and own_server.call("b").text == "node"


def test_kill_9_during_the_first_start_spoils_nothing():
    for delay in (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3):
        server = Server()
        try:
            server.start(wait=False)
            time.sleep(delay)
            server.kill()
            server.start()
            assert server.api("GET", "/functions").status_code == 200, delay
            assert server.api("POST", "/secrets", json={"name": "db", "data": {"k": "v"}}).status_code == 201, delay
        finally:
            server.close()


def test_a_lost_admin_token_is_made_anew_by_the_next_start(own_server):
    old = own_server.token
    own_server.stop()
    (own_server.data / "admin-token").unlink()
    own_server.restart()
    assert own_server.token != old
    assert own_server.api("GET", "/functions").status_code == 200
    assert own_server.api("GET", "/functions", token=old).status_code == 401
    assert "a new admin token was made" in own_server.log() and own_server.token not in own_server.log()
    again = own_server.token
    own_server.stop()
    own_server.restart()
    assert own_server.token == again


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.15, 0.25])
def test_kill_9_during_a_deploy_leaves_the_old_or_the_new_version(own_server, delay):
    own_server.deploy_source("f", "def handle(event):\n    return 'old'\n")
    body = {"runtime": "python", "source_code": "ZGVmIGhhbmRsZShldmVudCk6CiAgICByZXR1cm4gJ25ldycK", "filename": "function.py"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pending = pool.submit(lambda: own_server.api("POST", "/functions/f/versions", check=False, json=body))
        time.sleep(delay)
        own_server.kill()
        try:
            pending.result()
        except requests.RequestException:
            pass
    own_server.restart()
    assert own_server.call("f").text in ("old", "new")
    for version in own_server.api("GET", "/functions/f/versions").json()["items"]:
        assert version["status"] in ("success", "failed")
    leftovers = [p for p in (own_server.data / "bundles").iterdir() if p.name.startswith("tmp-")]
    assert leftovers == []


def test_a_second_server_on_the_same_data_is_refused(own_server):
    done = subprocess.run([BINARY, "server", "--listen", f"127.0.0.1:{free_port()}", "--data-dir", str(own_server.data)],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert str(own_server.process.pid) in done.stderr and str(own_server.data) in done.stderr


def test_configuration_errors_are_told_all_at_once_before_a_port_is_bound(tmp_path):
    file = tmp_path / "server.yaml"
    file.write_text("listen: nonsense\nlog: {level: loud}\nno_such_key: 1\n")
    done = subprocess.run([BINARY, "server", "--config", str(file), "--data-dir", str(tmp_path / "d")],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    for word in ("listen", "log.level", "no_such_key"):
        assert word in done.stderr


def test_files_that_cannot_be_used_are_told_all_at_once_before_anything_is_made(tmp_path):
    data = tmp_path / "d"
    done = subprocess.run([BINARY, "server", "--listen", "127.0.0.1:0", "--data-dir", str(data), "--tls-cert", "/none",
                           "--tls-key", "/none2", "--secrets-master-key-file", "/nodir/key"],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2, done.stderr
    for word in ("tls.cert", "/none", "tls.key", "/none2", "secrets.master_key_file", "/nodir"):
        assert word in done.stderr
    assert not data.exists()


def test_an_open_address_without_tls_is_refused(tmp_path):
    done = subprocess.run([BINARY, "server", "--listen", "0.0.0.0:0", "--data-dir", str(tmp_path / "d")],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "insecure_http" in done.stderr


def test_sigterm_finishes_what_runs(own_server):
    own_server.deploy_source("slow", "import time\ndef handle(event):\n    time.sleep(1)\n    return 'done'\n")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pending = pool.submit(own_server.call, "slow")
        time.sleep(0.4)
        own_server.process.send_signal(signal.SIGTERM)
        assert pending.result().text == "done"
    assert own_server.process.wait(20) == 0


def test_nothing_runs_while_nobody_calls(own_server):
    own_server.deploy_source("idle", OK, scaling={"scaleDownDelay": "0s"})
    own_server.deploy_source("idle-node", "exports.handle = async () => 'x';\n", runtime="node",
                             scaling={"scaleDownDelay": "0s"})
    own_server.call("idle")
    own_server.call("idle-node")
    own_server.session.close()
    wait_until(lambda: own_server.instances("idle") + own_server.instances("idle-node") == 0, 10)
    own_server.session.close()
    time.sleep(1.5)

    def busy():
        ticks = 0
        for pid in [own_server.process.pid, *own_server.children()]:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks
    before = busy()
    time.sleep(3)
    assert busy() - before <= 1


def test_the_edge_refuses_ambiguous_messages_and_closes(server):
    bad = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /functions/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /functions/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /functions/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"POST /functions/x HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        b"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    for message in bad:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(message)
            answer = b""
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
        assert answer.startswith(b"HTTP/1.1 400 "), (message, answer)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 501 ")


def test_a_body_over_the_limit_is_413(server, name):
    server.deploy_source(name, OK)
    answer = server.call(name, method="POST", data=b"x" * (6 * 1024 * 1024 + 1))
    assert answer.status_code == 413 and answer.json()["code"] == "PAYLOAD_TOO_LARGE"
    assert server.call(name, method="POST", data=b"x" * (6 * 1024 * 1024)).status_code == 200


def test_deep_json_is_refused_by_the_api_and_survived_by_functions(server, name):
    server.deploy_source(name, "def handle(event):\n    return str(len(event['body']))\n")
    deep = "[" * 100_000 + "]" * 100_000
    assert server.api("POST", "/functions", data=deep, headers={"Content-Type": "application/json"}).status_code == 400
    deep_object = '{"a":' * 20_000 + "1" + "}" * 20_000
    assert server.call(name, method="POST", data=deep_object).text == str(len(deep_object))


def test_the_command_line_explains_a_server_that_is_not_there(tmp_path):
    done = subprocess.run([BINARY, "function", "list", "--server", f"http://127.0.0.1:{free_port()}"],
                          capture_output=True, text=True, timeout=20, env=dict(os.environ, HOME=str(tmp_path)))
    assert done.returncode == 3 and "hks server" in done.stderr


def test_the_command_line_suggests_what_was_meant(server):
    done = server.cli("function", "deplyo")
    assert done.returncode == 2 and "deploy" in done.stderr
    done = server.cli("function", "list", "--outptu", "json")
    assert done.returncode == 2 and "--output" in done.stderr


def test_an_idempotency_key_makes_a_write_happen_once(server, name):
    body = {"name": name, "runtime": "python", "source_code": "ZGVmIGhhbmRsZShldmVudCk6CiAgICByZXR1cm4gJ25ldycK", "filename": "function.py"}
    headers = {"Idempotency-Key": "key-" + name}
    first = server.api("POST", "/functions", json=body, headers=headers, expect=201)
    again = server.api("POST", "/functions", json=body, headers=headers, expect=201)
    assert again.json()["id"] == first.json()["id"]
    assert server.api("POST", "/functions", json=dict(body, memory="64Mi"), headers=headers).status_code == 409
    assert server.api("POST", "/functions", json=body).json()["code"] == "ALREADY_EXISTS"


def test_if_match_protects_against_lost_updates(server, name):
    server.deploy_source(name, OK)
    tag = server.api("GET", f"/functions/{name}").headers["etag"]
    server.api("PATCH", f"/functions/{name}", json={"labels": {"a": "1"}}, headers={"If-Match": tag}, expect=200)
    late = server.api("PATCH", f"/functions/{name}", json={"labels": {"a": "2"}}, headers={"If-Match": tag})
    assert late.status_code == 412 and late.json()["code"] == "PRECONDITION_FAILED"
