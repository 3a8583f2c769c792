# SPDX-License-Identifier: Apache-2.0
"""A real server for tests: the binary that the build made, on a free loopback port, with its own data directory."""

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import jsonschema
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("HKS_BINARY", str(ROOT / "build" / "release" / "hks"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds=10.0, step=0.01):
    """Polls until `condition()` is true and returns its value; fails the test when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(step)


class OpenApi:
    """Checks requests and answers against the document that the server itself serves."""

    def __init__(self, document):
        self.document = document
        self.seen = set()

    def operation(self, method, path):
        wanted = path.split("?")[0].strip("/").split("/")
        best = None
        for template, item in self.document["paths"].items():
            parts = template.strip("/").split("/")
            if len(parts) != len(wanted) or method.lower() not in item:
                continue
            if all(p == w or p.startswith("{") for p, w in zip(parts, wanted)):
                exact = sum(p == w for p, w in zip(parts, wanted))
                if best is None or exact > best[0]:
                    best = (exact, template, item[method.lower()])
        return best

    def check(self, method, path, response):
        found = self.operation(method, path)
        if found is None:
            assert response.status_code in (404, 405, 501), f"{method} {path} is not in the OpenAPI document"
            return
        self.seen.add((method, found[1]))
        responses = found[2]["responses"]
        entry = responses.get(str(response.status_code)) or responses.get(f"{response.status_code // 100}XX") or \
            responses.get("default")
        assert entry is not None, f"{method} {found[1]} does not document status {response.status_code}"
        entry = self.resolve(entry)
        content = entry.get("content", {}).get("application/json")
        if content and response.headers.get("content-type", "").startswith("application/json"):
            schema = dict(content["schema"])
            schema["components"] = self.document["components"]
            jsonschema.Draft202012Validator(schema).validate(response.json())

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            node = target
        return node


class Server:
    def __init__(self, *arguments, environment=None, data=None, binary=BINARY):
        self.binary = binary
        self.own_data = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="hks-test-"))
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.process = None
        self.openapi = None
        self.session = requests.Session()

    # -- life -------------------------------------------------------------------------------------------------------
    def start(self, wait=True):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.out = open(self.data / "server.out", "w")
        self.err = open(self.data / "server.err", "a")
        self.process = subprocess.Popen(
            [self.binary, "server", "--listen", f"127.0.0.1:{self.port}", "--data-dir", str(self.data), *self.arguments],
            env=dict(os.environ, **self.environment), stdout=self.out, stderr=self.err, stdin=subprocess.DEVNULL)
        if wait:
            wait_until(self.ready, 20)
            self.token = (self.data / "admin-token").read_text().strip()
            if self.openapi is None:
                self.openapi = OpenApi(requests.get(self.url + "/openapi.json", timeout=10).json())
        return self

    def ready(self):
        assert self.process.poll() is None, "the server ended: " + self.log()
        try:
            return requests.get(self.url + "/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self, expect=0):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(40)
            assert code == expect, f"the server ended with {code}: {self.log()}"

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def restart(self):
        self.session = requests.Session()
        return self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def log(self):
        return (self.data / "server.out").read_text() + (self.data / "server.err").read_text()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.close()

    # -- REST -------------------------------------------------------------------------------------------------------
    def api(self, method, path, *, token=None, check=True, expect=None, **arguments):
        """A management call below the workspace (`/functions/…`) or absolute (`/api/…`)."""
        if not path.startswith(("/api/", "/metrics", "/healthz", "/readyz", "/openapi", "/schema")):
            path = "/api/v1/workspaces/default" + path
        headers = dict(arguments.pop("headers", {}))
        if token is None:
            token = self.token
        if token:
            headers.setdefault("Authorization", "Bearer " + token)
        response = self.session.request(method, self.url + path, headers=headers, timeout=arguments.pop("timeout", 60),
                                        **arguments)
        if check:
            self.openapi.check(method, path, response)
        if expect is not None:
            assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def deploy_source(self, name, source, runtime="python", handler=None, filename=None, expect="success", **spec):
        """Creates a function (or its next version) from one file and waits for the build."""
        body = {"name": name, "source_code": base64.b64encode(source.encode()).decode(),
                "spec": dict({"runtime": runtime if isinstance(runtime, dict) else {"name": runtime}}, **spec)}
        if handler:
            body["spec"]["handler"] = handler
        if filename:
            body["filename"] = filename
        exists = self.api("GET", f"/functions/{name}").status_code == 200
        path = f"/functions/{name}/versions" if exists else "/functions"
        answer = self.api("POST", path, json=body)
        assert answer.status_code in (201, 202), answer.text
        created = answer.json()
        version = created["version"]["version"] if isinstance(created.get("version"), dict) else created["version"]
        return self.wait_built(name, version, expect)

    def wait_built(self, name, version, expect="success"):
        def built():
            got = self.api("GET", f"/functions/{name}/versions/{version}").json()
            return got if got["status"] in ("success", "failed") else None
        got = wait_until(built, 120, 0.005)
        assert got["status"] == expect, f"{got.get('error')}\n{self.build_log(name, version)}"
        return got

    def build_log(self, name, version):
        return self.api("GET", f"/functions/{name}/versions/{version}/logs", check=False).text

    def delete(self, name):
        self.api("DELETE", f"/functions/{name}", expect=204)

    # -- calls ------------------------------------------------------------------------------------------------------
    def call(self, name, path="", method="GET", timeout=60, **arguments):
        return self.session.request(method, f"{self.url}/functions/{name}{path}", timeout=timeout, **arguments)

    def instances(self, name, state=None):
        """Instances as the metrics tell: all of them, or those in one state."""
        total = 0
        for line in self.api("GET", "/metrics").text.splitlines():
            if line.startswith("hks_instances{") and f'function="{name}"' in line and \
                    (state is None or f'state="{state}"' in line):
                total += int(float(line.rsplit(" ", 1)[1]))
        return total

    # -- command line -----------------------------------------------------------------------------------------------
    def cli(self, *arguments, cwd=None, input=None, environment=None, timeout=120, key=True):
        env = {k: v for k, v in os.environ.items() if not k.startswith("HKS_")}
        env.update(HKS_SERVER=self.url, XDG_CONFIG_HOME=str(self.data / "client-config"))
        if key:
            env["HKS_DATA_DIR"] = str(self.data)
        env.update(environment or {})
        return subprocess.run([self.binary, *arguments], cwd=cwd, input=input, env=env, timeout=timeout,
                              capture_output=True, text=True)

    def children(self):
        """Every process below the server, without the server itself."""
        return descendants(self.process.pid)


def descendants(pid):
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


def write_files(folder, files):
    folder = pathlib.Path(folder)
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content)
    return folder


def read_json(text):
    return json.loads(text)
