# SPDX-License-Identifier: Apache-2.0
"""A language worker without a server: speaks the worker protocol (docs/adr/0002-worker-protocol.md) with a process
started here. The event is built by code of its own, so that server and workers are checked against the same table."""

import json
import marshal
import mmap
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIMS = ROOT / "src" / "runtime" / "shims"
HEADER = struct.Struct("<IIIBBH")
LOAD, CALL, CHUNK, CANCEL, PING, DRAIN, CREDIT = 1, 2, 3, 4, 5, 6, 7
HELLO, READY, FAILED, RESULT, ERROR, LOG, PONG, DONE = 16, 17, 18, 19, 20, 21, 22, 23
END, TEXT, OBJECT, HTTP = 1, 2, 4, 8
FIRST_PART = 256 * 1024

PYTHON_BOOT = """
import sys, types
module = types.ModuleType("hks_worker")
sys.modules["hks_worker"] = module
source = "".join(open(path).read() for path in sys.argv[1:])  # as src/runtime/embed_shims.c joins them
exec(compile(source, "hks_worker.py", "exec"), module.__dict__)
module.run(3, 4)
"""
PYTHON_PARTS = [SHIMS / "python" / "worker" / f"{part}.py"
                for part in ("frames", "event", "answer", "logs", "worker", "tasks", "web", "load")]


def is_utf8(data):
    try:
        data.decode()
        return True
    except UnicodeDecodeError:
        return False


def text(data):
    return data if isinstance(data, str) else data.decode() if is_utf8(data) else data.decode("latin-1")


def make_array(request, request_id):
    """The event array. Headers of the request: pairs; path: as the function is told it."""
    multi = {}
    for name, value in request.get("headers", []):
        multi.setdefault(name.lower(), []).append(text(value))
    query = {}
    for name, value in urllib.parse.parse_qsl(request.get("query", ""), keep_blank_values=True, errors="replace"):
        query.setdefault(name, []).append(value)

    def repeated(lists):
        return lists if any(len(values) > 1 for values in lists.values()) else None

    path = request.get("path", "/")
    return (
        request.get("method", "GET"),
        path,
        {name: ("; " if name == "cookie" else ", ").join(values) for name, values in multi.items()},
        repeated(multi),
        {name: values[-1] for name, values in query.items()} or None,
        repeated(query),
        request.get("path_parameters"),
        request.get("original_path", "/functions/hello" + ("" if path == "/" else path)),
        "127.0.0.1",
        "HTTP/1.1",
        request.get("authorizer"),
        request_id,
        request.get("timeout_ms", 30_000),
        request.get("attempt", 1),
        request.get("traceparent"),
        "http",
        "http",
        request.get("query", ""),
    )


def depth(data):
    level = deepest = 0
    inside = escaped = False
    for c in data:
        if inside:
            inside = escaped or c != '"'
            escaped = c == "\\" and not escaped
        elif c == '"':
            inside = True
        elif c in "{[":
            level += 1
            deepest = max(deepest, level)
        elif c in "}]":
            level -= 1
    return deepest


class Answer:
    def __init__(self):
        self.status = None
        self.headers = []  # (lower-case name, value)
        self.body = b""
        self.taken = 0  # of a stream, not yet given back as credit
        self.error = None  # {"type", "message", "stack"}
        self.logs = []  # (level, flags, text)
        self.ended = False
        self.cancelled = False

    def header(self, name):
        return ", ".join(value for each, value in self.headers if each == name) or None


class WorkerDied(Exception):
    pass


class Worker:
    """One worker process. Use as a context manager; load() first, then call()."""

    def __init__(self, language, interpreter=None, timeout=20):
        self.language = language
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(timeout)
        page_fd = os.memfd_create("page")
        os.ftruncate(page_fd, 4096)
        self.page = mmap.mmap(page_fd, 4096)
        self.output = tempfile.TemporaryFile()
        if language == "python":
            command = [interpreter or "/usr/bin/python3", "-I", "-S", "-c", PYTHON_BOOT, *map(str, PYTHON_PARTS)]
        else:
            command = [interpreter or "node", str(SHIMS / "node" / "worker.js")]

        def descriptors():
            high = os.dup(theirs.fileno()), os.dup(page_fd)
            for fd in high:
                os.set_inheritable(fd, False)
            while min(high) < 5:
                high = tuple(os.dup(fd) for fd in high)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
                                        close_fds=False, preexec_fn=descriptors, env={"PATH": os.environ["PATH"]})
        theirs.close()
        os.close(page_fd)
        self.buffer = b""
        self.last_call = 0
        self.answers = {}
        self.load_logs = []
        self.late_logs = False  # of what runs on after its answer
        self.pongs = 0
        kind, _, _, _, meta, _ = self.read_frame()
        assert kind == HELLO, kind
        self.hello = json.loads(meta)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()

    # Frames

    def send(self, kind, call=0, meta=b"", body=b"", flags=0, aux=0):
        self.socket.sendall(HEADER.pack(len(meta) + len(body), len(meta), call, kind, flags, aux) + meta + body)

    def fill(self, count):
        while len(self.buffer) < count:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionError:
                data = b""
            if not data:
                self.process.wait(10)
                raise WorkerDied(f"exit status {self.process.returncode}: {self.printed()}")
            self.buffer += data

    def read_frame(self):
        self.fill(16)
        size, meta, call, kind, flags, aux = HEADER.unpack_from(self.buffer)
        self.fill(16 + size)
        rest = self.buffer[16 : 16 + size]
        self.buffer = self.buffer[16 + size :]
        return kind, flags, aux, call, rest[:meta], rest[meta:]

    def printed(self):
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace")

    # What the server does

    def load(self, code, handler="main.handle", **overrides):
        """READY's or FAILED's meta; the latter has a member "message"."""
        load = {
            "handler": handler,
            "files": ["function", "main", "index", "handler", "app"],
            "functions": ["handle", "handler", "main", "app"],
            "code": str(code),
            "function": "hello",
            "version": 3,
            "workspace": "default",
            "memory_mb": 128,
            "concurrency": 1,
            "timeout_ms": 30_000,
            "environment": {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"},
            "smoke": False,
        }
        load.update(overrides)
        self.load_message = load
        self.send(LOAD, meta=json.dumps(load).encode())
        while True:
            kind, flags, aux, call, meta, body = self.read_frame()
            if kind == LOG:
                self.load_logs.append((aux, flags, body.decode()))
            else:
                assert kind in (READY, FAILED), kind
                return json.loads(meta)

    def start(self, request):
        """Sends a CALL; its id."""
        self.last_call += 1
        body = request.get("body", b"")
        body = body.encode() if isinstance(body, str) else body
        flags = HTTP
        if is_utf8(body):
            flags |= TEXT
            if body.lstrip(b" \t\r\n")[:1] == b"{" and depth(body.decode()) <= 128:
                flags |= OBJECT
        array = make_array(request, f"{self.last_call:032x}")
        marshalled = self.hello["encoding"] == "marshal"
        meta = marshal.dumps(array, 2) if marshalled else json.dumps(array).encode()
        first, rest = body[:FIRST_PART], body[FIRST_PART:]
        self.answers[self.last_call] = Answer()
        self.send(CALL, self.last_call, meta, first, flags if rest else flags | END)
        while rest:
            first, rest = rest[:FIRST_PART], rest[FIRST_PART:]
            self.send(CHUNK, self.last_call, b"", first, 0 if rest else END)
        return self.last_call

    def step(self, credit=True):
        """Reads one frame and files it; its kind and call."""
        kind, flags, aux, call, meta, body = self.read_frame()
        if kind == PONG:
            self.pongs += 1
            return kind, call
        answer = self.answers.get(call)
        if kind == LOG:
            (answer.logs if answer else self.load_logs).append((aux, flags, body.decode()))
            assert self.late_logs or answer is None or not answer.ended, "a log line after the end of its call"
            return kind, call
        assert answer is not None and not answer.ended, f"frame {kind} of call {call}, which is over or unknown"
        if kind == RESULT:
            assert answer.status is None
            answer.status = aux & 1023
            answer.ran_bits = aux >> 10
            for line in meta.decode().splitlines():
                name, value = line.split(": ", 1)
                answer.headers.append((name.lower(), value))
            answer.body = body
            answer.ended = bool(flags & END)
        elif kind == CHUNK:
            answer.body += body
            answer.ended = bool(flags & END)
            answer.taken += len(body)
            if credit and answer.taken >= 32 * 1024 and not answer.ended:  # not for every piece: nobody reads meanwhile
                self.credit(call, answer.taken)
                answer.taken = 0
        elif kind == ERROR:
            answer.error = json.loads(meta)
            answer.ended = True
        elif kind == DONE:
            answer.cancelled = answer.ended = True
        else:
            raise AssertionError(f"unexpected frame {kind}")
        return kind, call

    def credit(self, call, count):
        self.send(CREDIT, call, b"", struct.pack("<I", count))

    def finish(self, call):
        while not self.answers[call].ended:
            self.step()
        return self.answers[call]

    def call(self, request=None):
        return self.finish(self.start(request or {}))

    def drain(self):
        """Asks for the end; the exit status."""
        self.send(DRAIN)
        try:
            while True:
                self.step()
        except WorkerDied:
            return self.process.returncode

    def started(self):
        return struct.unpack_from("<I", self.page)[0]


if __name__ == "__main__":
    # One call from the command line: worker_harness.py python FOLDER [HANDLER] [BODY]
    with Worker(sys.argv[1]) as worker:
        print(worker.load(os.path.abspath(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
        answer = worker.call({"body": sys.argv[4] if len(sys.argv) > 4 else ""})
        print(answer.status, answer.headers, answer.body, answer.error, answer.logs)
