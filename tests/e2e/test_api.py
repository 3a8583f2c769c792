# SPDX-License-Identifier: Apache-2.0
"""What the gateway and the REST API promise at their edges."""
import base64
import concurrent.futures
import threading
import time

import pytest
import requests
from hks_server import wait_until

ECHO = "def handle(event):\n    return event\n"


def http(path, *methods):
    return {"type": "http", "path": path, "methods": list(methods)} if methods else {"type": "http", "path": path}


def test_methods_of_one_path_may_belong_to_several_functions(server, name):
    says = "def handle(event):\n    return {'who': '%s', 'p': event['pathParameters']}\n"
    first, second = name[:40] + "-1", name[:40] + "-2"
    server.deploy_source(first, says % "first", triggers=[http(f"/{name}/x/{{id}}", "GET"), http(f"/{name}/z", "GET")])
    server.deploy_source(second, says % "second", triggers=[
        http(f"/{name}/x/{{key}}", "PUT"), http(f"/{name}/z", "PUT"), http(f"/{name}/x/me", "POST")])

    def ask(method, path):
        return server.session.request(method, f"{server.url}/{name}{path}")

    assert ask("GET", "/z").json()["who"] == "first" and ask("PUT", "/z").json()["who"] == "second"
    assert ask("GET", "/x/1").json() == {"who": "first", "p": {"id": "1"}}
    assert ask("PUT", "/x/1").json() == {"who": "second", "p": {"key": "1"}}
    assert ask("GET", "/x/me").json() == {"who": "first", "p": {"id": "me"}}
    assert ask("POST", "/x/me").json() == {"who": "second", "p": {}}
    refused = ask("DELETE", "/x/me")
    assert refused.status_code == 405 and refused.headers["allow"] == "GET, HEAD, POST, PUT"


def test_a_catch_all_does_not_get_what_is_the_platforms(own_server):
    own_server.deploy_source("all", ECHO, triggers=[http("/*")])
    assert own_server.session.get(own_server.url + "/anything/else").status_code == 200
    for path in ("/ui", "/ui/x", "/functions", "/functions/none", "/workspaces", "/api", "/schema/x"):
        assert own_server.session.get(own_server.url + path).status_code in (401, 404), path


@pytest.mark.parametrize("header", ["Authorization: {}", "Authorization: Token {}", "Authorization: bearer {}",
                                    "X-Api-Key: {}"])
def test_a_platform_token_never_reaches_a_function(server, name, header):
    server.deploy_source(name, ECHO)
    key, value = header.format(server.token).split(": ")
    assert server.token not in server.call(name, headers={key: value, "X-Mine": "hks_mine"}).text
    assert "hks_mine" in server.call(name, headers={"X-Mine": "hks_mine"}).text


def test_invoke_through_the_api_answers_200_once_the_call_was_dispatched(server, name):
    server.deploy_source(name, """
import os, time
def handle(event):
    what = event.get('what')
    if what == 'sleep': time.sleep(5)
    if what == 'die': os._exit(3)
    if what == 'throw': raise ValueError('no')
    if what == 'much': return 'x' * (33 << 20)
    return 'ok'
""", resources={"timeout": "1s"})
    for what, status, kind in (("", 200, None), ("throw", 500, "ValueError"), ("sleep", 504, "Timeout"),
                               ("die", 502, "WorkerFailed"), ("much", 502, None)):
        body = base64.b64encode(f'{{"what": "{what}"}}'.encode()).decode()
        answer = server.api("POST", f"/functions/{name}/invoke", json={"body": body}, expect=200).json()
        assert answer["status_code"] == status, (what, answer)
        assert answer["version"] == 1 and len(answer["invocation_id"]) == 32
        if kind:
            assert answer["error"]["type"] == kind and answer["error"]["message"]
        if what == "sleep":
            assert 950 <= answer["duration_ms"] < 3000
    assert server.api("POST", "/functions/none/invoke", json={}).status_code == 404


def test_lines_of_a_deleted_function_do_not_turn_up_in_its_successor(server, name):
    server.deploy_source(name, "import time\ndef handle(event):\n    time.sleep(1)\n    print('late line')\n")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        call = pool.submit(server.call, name)
        wait_until(lambda: server.instances(name, "busy") == 1)
        server.delete(name)
        server.deploy_source(name, "def handle(event):\n    print('new line')\n")
        call.result()
    server.call(name)

    def lines():
        return [line["message"] for line in server.api("GET", f"/functions/{name}/logs").json()["items"]]

    wait_until(lambda: "new line" in lines())
    time.sleep(0.5)
    assert "late line" not in lines()


def test_a_write_holds_only_under_the_etag_that_was_read(server, name):
    server.deploy_source(name, ECHO)
    server.api("POST", "/secrets", json={"name": name, "data": {"k": "v"}}, expect=201)
    paths = {f"/functions/{name}/triggers/http": {"type": "http"}, f"/secrets/{name}": {"data": {"k": "w"}}}
    for path, body in paths.items():
        etag = server.api("GET", path).headers["ETag"]
        assert server.api("PUT", path, json=body, headers={"If-Match": '"999"'}).status_code == 412
        assert server.api("DELETE", path, headers={"If-Match": '"999"'}).status_code == 412
        assert server.api("GET", path).headers["ETag"] == etag
        server.api("PUT", path, json=body, headers={"If-Match": etag}, expect=200)
        now = server.api("GET", path).headers["ETag"]
        server.api("DELETE", path, headers={"If-Match": now}, expect=204)
    assert server.api("GET", f"/functions/{name}/versions/1").headers["ETag"]
    assert server.api("POST", "/secrets", json={"name": "x", "data": {"k": "v"}},
                      headers={"If-Match": '"1"'}).status_code == 412


class Follower(threading.Thread):
    """Reads a followed log to its end."""

    def __init__(self, server, name, token):
        super().__init__(daemon=True)
        self.text, self.ended = "", threading.Event()
        self.response = requests.get(f"{server.url}/api/v1/workspaces/default/functions/{name}/logs?follow=true",
                                     headers={"Authorization": "Bearer " + token}, stream=True, timeout=30)
        assert self.response.status_code == 200
        self.start()

    def run(self):
        for piece in self.response.iter_content(None):
            self.text += piece.decode()
        self.ended.set()


def test_a_followed_log_ends_with_its_function_and_with_its_token(server, name):
    server.deploy_source(name, "def handle(event):\n    print('a line')\n")
    made = server.api("POST", "/tokens", json={"name": name, "role": "viewer"}, expect=201).json()
    revoked, deleted = Follower(server, name, made["token"]), Follower(server, name, server.token)
    server.call(name)
    wait_until(lambda: "a line" in revoked.text and "a line" in deleted.text)
    server.api("DELETE", f"/tokens/{made['id']}", expect=204)
    assert revoked.ended.wait(2) and "AUTH_INVALID_TOKEN" in revoked.text
    assert not deleted.ended.is_set()
    server.delete(name)
    assert deleted.ended.wait(2) and "FUNCTION_NOT_FOUND" in deleted.text


def test_a_caller_does_not_learn_which_secret_is_missing(server, name):
    secret = "s-" + name[:50]
    server.api("POST", "/secrets", json={"name": secret, "data": {"k": "v"}}, expect=201)
    server.deploy_source(name, ECHO, environment={"secrets": [
        {"name": "K", "secretName": secret, "secretKey": "k"}]}, scaling={"scaleDownDelay": "0s"})
    server.api("DELETE", f"/secrets/{secret}", expect=204)
    wait_until(lambda: server.instances(name) == 0)
    answer = server.call(name)
    assert answer.status_code >= 500 and "could not be started" in answer.text and secret not in answer.text


def test_the_part_spec_is_read_as_json_and_as_yaml_of_any_style(server, name):
    code = ("function.py", "def handle(event):\n    return 'ok'\n")
    manifest = "{apiVersion: hks.io/v1, kind: Function, metadata: {name: %s%s}, spec: {runtime: {name: python}}}"
    for i, spec in enumerate((f"name: {name}-0\nspec:\n  runtime: {{name: python}}\n", manifest % (name, "-1"))):
        server.api("POST", "/functions", files={"spec": (None, spec), "archive": code}, expect=201)
        server.wait_built(f"{name}-{i}", 1)
    other = manifest % (name, ", workspace: other")
    refused = server.api("POST", "/functions", files={"spec": (None, other), "archive": code}, expect=400).json()
    assert refused["details"]["fields"][0]["field"] == "metadata.workspace"


def test_every_wrong_field_is_told_at_once(server):
    refused = server.api("POST", "/functions", expect=400, json={
        "name": "Bad_", "runtime": "python", "memory": "9Gi", "timeout": "1h", "foo": 1, "source_code": "!!"}).json()
    fields = {field["field"] for field in refused["details"]["fields"]}
    assert fields == {"name", "memory", "timeout", "foo", "source_code"}


def test_logs_with_a_limit_lead_back_to_the_first_line(server, name):
    server.deploy_source(name, "def handle(event):\n    for i in range(250):\n        print(i)\n")
    server.call(name)
    path = f"/functions/{name}/logs?limit=100"
    wait_until(lambda: len(server.api("GET", f"/functions/{name}/logs").json()["items"]) == 250)
    lines, cursor = [], None
    while True:
        page = server.api("GET", path + (f"&cursor={cursor}" if cursor else "")).json()
        lines = [line["message"] for line in page["items"]] + lines
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert lines == [str(i) for i in range(250)]


def test_an_asgi_application_sees_the_path_as_sent_and_keeps_the_length_of_a_head(server, name):
    server.deploy_source(name, """
async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    headers = [(b'content-length', b'1000')] if scope['method'] == 'HEAD' else []
    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
    await send({'type': 'http.response.body', 'body': b'' if headers else scope['raw_path']})
""")
    assert server.call(name, "/%C3%A9/x%2Fy").text == "/%C3%A9/x%2Fy"
    assert server.call(name, "/", method="HEAD").headers["Content-Length"] == "1000"
