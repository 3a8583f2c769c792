# SPDX-License-Identifier: Apache-2.0
"""The Python side of the worker protocol: one process, one connection, one function version.

The zygote imports this module before it forks, so importing it creates no thread, loop, file or other state; run() is
called in the child, inside its sandbox. Frames are described in docs/adr/0002-worker-protocol.md, events and answers
in the contract. A function runs in one of three ways: one call after the other in the main thread (the fast way),
in a few threads (sync handlers with concurrency), or as tasks of an event loop (async handlers and ASGI).
"""

import _imp
import asyncio
import atexit
import base64
import binascii
import builtins
import collections
import contextvars
import ctypes
import importlib
import inspect
import io
import json
import linecache  # noqa: F401  (traceback needs it later, when the bundle may have one of that name)
import logging
import marshal
import mmap
import os
import random
import re
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from urllib.parse import quote

LOAD, CALL, CHUNK, CANCEL, PING, DRAIN, CREDIT = 1, 2, 3, 4, 5, 6, 7
HELLO, READY, FAILED, RESULT, ERROR, LOG, PONG, DONE = 16, 17, 18, 19, 20, 21, 22, 23
END, TEXT, OBJECT = 1, 2, 4
STDOUT, STDERR = 1, 2

HEADER = struct.Struct("<IIIBBH")  # size, meta, call, type, flags, aux
pack_header = HEADER.pack
WINDOW = 256 * 1024  # a streamed answer may be so far ahead of its client
READ_SIZE = 64 * 1024
LONGEST_LINE = 64 * 1024
QUICK_RUN = 200e-6  # seconds; after QUICK_RUNS of them in a row answers may wait for their batch
QUICK_RUNS = 16
LONGEST_HOLD = 0.001  # seconds
PUSH_AFTER = LONGEST_HOLD / 2

NEVER_LIFTED = frozenset(("specversion", "__proto__", "constructor", "prototype"))
OWN_FRAMES = frozenset((__name__ + ".py", "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>",
                        importlib.__file__, os.path.realpath(importlib.__file__)))

call_id = contextvars.ContextVar("hks_call", default=0)  # in threads and tasks; what is printed belongs to it


try:
    set_timer = ctypes.PyDLL(None).timerfd_settime
    set_timer.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    ITIMERSPEC = (ctypes.c_long * 4)(0, 0, 0, int(LONGEST_HOLD * 1e9))
    ONE_MILLISECOND = ctypes.addressof(ITIMERSPEC)
except Exception:  # an interpreter without ctypes: every answer leaves at once
    set_timer = None


def make_timer():
    timer = ctypes.PyDLL(None).timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC) if set_timer is not None else -1
    return timer if timer >= 0 else None


def frame(kind, call=0, meta=b"", body=b"", flags=0, aux=0):
    return pack_header(len(meta) + len(body), len(meta), call, kind, flags, aux) + meta + body


# --- what the handler is given ------------------------------------------------------------------------------------


def refuse_constant(name):
    raise ValueError(name + " is not JSON")


parse_json = json.JSONDecoder(parse_constant=refuse_constant).decode


# Elements of the event array behind those that only make_event() reads
REQUEST_ID, TIMEOUT, ATTEMPT, TRACEPARENT, TRIGGER, TRIGGER_TYPE, RAW_QUERY = range(11, 18)


def make_event(array, flags, body):
    """The event, from the values that the server has made and the body."""
    (method, path, headers, multi, query, multi_query, parameters, received, source, protocol, authorizer,
     request_id, _, _, _, _, _, _) = array
    if not body:
        text = ""
    elif flags & TEXT:
        text = str(body, "utf-8")
    else:
        text = str(binascii.b2a_base64(body, newline=False), "ascii")
    if multi is None:
        multi = {}
        for name, value in headers.items():  # a comprehension costs a function call
            multi[name] = [value]
    event = {
        "httpMethod": method,
        "path": path,
        "headers": headers,
        "multiValueHeaders": multi,
        "queryStringParameters": query or {},
        "multiValueQueryStringParameters": multi_query or ({name: [value] for name, value in query.items()} if query else {}),
        "pathParameters": parameters or {},
        "requestContext": {
            "requestId": request_id,
            "path": received,
            "httpMethod": method,
            "sourceIp": source,
            "protocol": protocol,
            "authorizer": authorizer or {},
        },
        "body": text,
        "isBase64Encoded": not flags & TEXT,
        "data": text,
    }
    if flags & OBJECT:
        try:
            members = parse_json(text)
        except ValueError:
            return event
        if "data" in members:
            event["data"] = members["data"]
        for name, value in members.items():
            if name not in event and name not in NEVER_LIFTED:
                event[name] = value
    return event


class Context:
    """The second argument of a handler: by attribute and by key, in snake_case and camelCase."""

    __slots__ = ("_call", "_started", "__dict__")
    function_name = function_version = workspace = ""
    memory_limit_in_mb = 0

    def __init__(self, call, started):
        self._call = call  # event array
        self._started = started

    request_id = property(lambda self: self._call[REQUEST_ID])
    attempt = property(lambda self: self._call[ATTEMPT])
    traceparent = property(lambda self: self._call[TRACEPARENT])
    trigger = property(lambda self: self._call[TRIGGER])
    trigger_type = property(lambda self: self._call[TRIGGER_TYPE])

    def get_remaining_time_in_millis(self):
        return max(0, int(self._call[TIMEOUT] - (time.monotonic() - self._started) * 1000))

    remaining_time_ms = property(get_remaining_time_in_millis)

    aws_request_id = requestId = awsRequestId = request_id
    triggerType = trigger_type
    remainingTimeMs = remaining_time_ms
    getRemainingTimeInMillis = get_remaining_time_in_millis
    functionName = property(lambda self: self.function_name)
    functionVersion = property(lambda self: self.function_version)
    memoryLimitInMb = memoryLimitInMB = property(lambda self: self.memory_limit_in_mb)

    def __getitem__(self, key):
        if isinstance(key, str) and not key.startswith("_"):
            try:
                return getattr(self, key)
            except AttributeError:
                pass
        raise KeyError(key)

    def __contains__(self, key):
        return isinstance(key, str) and not key.startswith("_") and hasattr(self, key)

    def get(self, key, default=None):
        return self[key] if key in self else default

    def keys(self):
        return ["request_id", "aws_request_id", "function_name", "function_version", "workspace", "memory_limit_in_mb",
                "remaining_time_ms", "traceparent", "attempt", "trigger", "trigger_type"]

    def __iter__(self):
        return iter(self.keys())

    def __repr__(self):
        return "Context(" + ", ".join(f"{name}={self[name]!r}" for name in self.keys()) + ")"


# --- what the handler gives back ----------------------------------------------------------------------------------

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z").match
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
BINARY_TYPE = re.compile(r"\s*(?:image/(?!.*\+xml)|audio/(?!.*mpegurl)|video/|font/|application/(?:pdf|zip|x-zip"
                         r"|x-zip-compressed)\s*(?:;|\Z))", re.I).match
encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
encode_ascii_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

TYPE_TEXT = b"content-type: text/plain; charset=utf-8\n"
TYPE_BYTES = b"content-type: application/octet-stream\n"
TYPE_JSON = b"content-type: application/json\n"


def to_json(value):
    try:
        return encode_json(value).encode()
    except UnicodeEncodeError:
        return encode_ascii_json(value).encode()  # half a surrogate pair can only be written escaped
    except (TypeError, ValueError) as error:
        raise type(error)(f"the handler's answer is not JSON: {error}") from None


def header_text(name, value):
    kind = type(value)
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("latin-1")
    raise TypeError(f"header {name!r} has a value of type {kind.__name__}: it must be text, a number or a list of them")


def header_lines(lines, name, value):
    if not isinstance(name, str) or not TOKEN(name):
        raise ValueError(f"header name {name!r} is not valid: letters, digits and !#$%&'*+-.^_`|~ are")
    for each in value if isinstance(value, (list, tuple)) else (value,):
        if each is None:
            continue
        text = header_text(name, each)
        if CONTROL(text):
            raise ValueError(f"header {name!r} has a line break or another control character in its value")
        lines.append(f"{name}: {text}\n")


class Headers:
    """Header lines ready for the wire, kept by content: handlers give the same few again and again."""

    __slots__ = ("block", "typed", "binary")
    cache = {}

    def __init__(self, headers, multi, cookies):
        lines = []
        repeated = {str(name).lower() for name in multi} if multi else ()
        for name, value in headers.items() if headers else ():
            if not repeated or str(name).lower() not in repeated:
                header_lines(lines, name, value)
        for name, value in multi.items() if multi else ():
            header_lines(lines, name, value)
        for cookie in (cookies,) if isinstance(cookies, str) else cookies or ():
            header_lines(lines, "set-cookie", cookie)
        content_type = next((line[13:] for line in lines if line[:13].lower() == "content-type:"), None)
        self.block = "".join(lines).encode("utf-8", "replace")
        self.typed = content_type is not None
        self.binary = self.typed and BINARY_TYPE(content_type.rstrip("\n")) is not None

    @classmethod
    def of(cls, headers, multi, cookies):
        for what, value in (("headers", headers), ("multiValueHeaders", multi)):
            if value is not None and not isinstance(value, collections.abc.Mapping):
                raise TypeError(f"{what} must be a dictionary, not {type(value).__name__}")
        made = cls(headers, multi, cookies)
        if not multi and not cookies and headers and all(type(value) is str for value in headers.values()):
            if len(cls.cache) >= 256:
                cls.cache.clear()
            cls.cache[tuple(headers.items())] = made
        return made


cached_headers = Headers.cache.get
NO_HEADERS = Headers(None, None, None)


def decode_base64(body, asked):
    """The bytes, or None when they are not whole padded base64 and nobody asked for it."""
    if len(body) > 0 and len(body) % 4 == 0:
        try:
            return base64.b64decode(body, validate=True)
        except ValueError:
            pass
    if not asked:
        return None
    if len(body) == 0:
        return b""
    raise ValueError("isBase64Encoded is true, but the body is not padded base64")


def is_stream(value):
    return hasattr(value, "__next__") or hasattr(value, "__anext__") or hasattr(value, "__aiter__")


def status_of(value):
    """The status, or None when the map is no response but plain JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        status = int(value)
    elif isinstance(value, str) and value.isascii() and value.isdigit():
        status = int(value[:5])
    else:
        return None
    if not 200 <= status <= 599:
        raise ValueError(f"statusCode {value} is not valid: it must be between 200 and 599")
    return status


def encode_response(status, response):
    """(status, header lines, body) of a map with statusCode; the body is bytes or something to iterate."""
    get = response.get
    given, multi, cookies = get("headers"), get("multiValueHeaders"), get("cookies")
    headers = NO_HEADERS
    if given or multi or cookies:
        try:
            headers = cached_headers(tuple(given.items())) if given and not multi and not cookies else None
        except (TypeError, AttributeError):  # a list as value, or no dictionary at all
            headers = None
        if headers is None:
            headers = Headers.of(given, multi, cookies)
    body, encoded, block = get("body"), get("isBase64Encoded"), headers.block
    if type(body) is str and not encoded and not headers.binary:
        return status, block if headers.typed else block + TYPE_TEXT, body.encode("utf-8", "replace")
    if body is None:
        return status, block, b""
    if isinstance(body, (str, bytes, bytearray, memoryview)):
        kind = TYPE_TEXT if isinstance(body, str) else TYPE_BYTES
        if isinstance(body, str):
            body = body.encode("utf-8", "replace")
        if encoded or (encoded is None and headers.binary):
            decoded = decode_base64(body, bool(encoded))
            if decoded is not None:
                body, kind = decoded, TYPE_BYTES
        return status, block if headers.typed else block + kind, bytes(body)
    if is_stream(body):
        if encoded:
            raise TypeError("isBase64Encoded is true, but the body is a stream: give its bytes as they are")
        return status, block, (body, headers.typed)
    if encoded:
        raise TypeError(f"isBase64Encoded is true, but the body is {type(body).__name__} and not text")
    return status, block if headers.typed else block + TYPE_JSON, to_json(body)


def encode_answer(result):
    """(status, header lines, body) of whatever a handler returned."""
    if isinstance(result, dict):
        get = result.get
        status = get("statusCode")
        if status is not None:
            body = get("body")
            if (type(body) is str and type(status) is int and 200 <= status <= 599 and not get("headers")
                    and len(result) == 2 + ("headers" in result)):
                return status, TYPE_TEXT, body.encode("utf-8", "replace")  # what most functions return
            if type(status) is not int or not 200 <= status <= 599:
                status = status_of(status)
            if status is not None:
                return encode_response(status, result)
        return 200, TYPE_JSON, to_json(result)
    if isinstance(result, str):
        return 200, TYPE_TEXT, result.encode("utf-8", "replace")
    if result is None:
        return 204, b"", b""
    if isinstance(result, (bytes, bytearray, memoryview)):
        return 200, TYPE_BYTES, bytes(result)
    if is_stream(result):
        return 200, b"", (result, False)
    if isinstance(result, collections.abc.Mapping):
        return encode_answer(dict(result))
    return 200, TYPE_JSON, to_json(result)


def chunk_bytes(chunk):
    if isinstance(chunk, str):
        return chunk.encode("utf-8", "replace")
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(f"the stream gave {type(chunk).__name__}: every piece must be text or bytes")


def stream_head(block, typed, first):
    return block if typed else block + (TYPE_TEXT if isinstance(first, str) else TYPE_BYTES)


def describe(error):
    """The JSON that the server keeps of an exception: the user's frames only."""
    def strip(summary, seen):
        if summary is None or id(summary) in seen:
            return
        seen.add(id(summary))
        summary.stack[:] = [each for each in summary.stack if each.filename not in OWN_FRAMES]
        for linked in (summary.__cause__, summary.__context__, *(getattr(summary, "exceptions", None) or ())):
            strip(linked, seen)

    try:
        summary = traceback.TracebackException(type(error), error, error.__traceback__)
        strip(summary, set())
        stack = "".join(summary.format())
    except Exception:  # an exception whose own __str__ fails, a source that cannot be read
        stack = ""
    try:
        message = str(error)
    except Exception:
        message = "(its message could not be made)"
    return encode_ascii_json({"type": type(error).__name__, "message": message, "stack": stack}).encode()


# --- logs ---------------------------------------------------------------------------------------------------------


class LogStream(io.TextIOBase):
    """sys.stdout or sys.stderr of the function: whole lines become LOG frames of the call that is running."""

    encoding, errors, newlines, line_buffering = "utf-8", "replace", None, True

    def __init__(self, worker, flag):
        self.worker, self.flag = worker, flag
        self.partial = {}  # call: text without its end of line
        self.lock = threading.RLock()
        self.buffer = LogBytes(self)
        self.name = "<stdout>" if flag == STDOUT else "<stderr>"

    def fileno(self):
        return self.flag

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = call_id.get() or self.worker.current
        with self.lock:
            waiting = self.partial.pop(call, "") + text
            if "\n" in waiting:
                *lines, waiting = waiting.split("\n")
                for line in lines:
                    self.emit(call, line)
                self.worker.logged()
            if len(waiting) > LONGEST_LINE:
                self.emit(call, waiting)
            elif waiting:
                self.partial[call] = waiting
        return len(text)

    def emit(self, call, line):
        line = line[:-1] if line.endswith("\r") else line
        level = 1 if self.flag == STDOUT else 2
        self.worker.out.append(frame(LOG, call, b"", line.encode("utf-8", "replace"), self.flag, level))

    def finish(self, call):
        """The call is over: what it printed last may lack its end of line."""
        with self.lock:
            waiting = self.partial.pop(call, "")
            if waiting:
                self.emit(call, waiting)


class LogBytes(io.RawIOBase):
    """sys.stdout.buffer."""

    def __init__(self, text):
        self.text = text

    def fileno(self):
        return self.text.fileno()

    def writable(self):
        return True

    def write(self, data):
        self.text.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


class LogHandler(logging.Handler):
    def __init__(self, worker):
        super().__init__()
        self.worker = worker

    def emit(self, record):
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        level = 0 if record.levelno < 20 else 1 if record.levelno < 30 else 2 if record.levelno < 40 else 3
        call = call_id.get() or self.worker.current
        self.worker.out.append(frame(LOG, call, b"", text.encode("utf-8", "replace"), 0, level))
        self.worker.logged()


# --- the connection -----------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """SIGTERM while the main thread waits for work."""


class Stream:
    """What the server has said about an answer that is being streamed, or a call that runs beside others."""

    __slots__ = ("credit", "cancelled", "wake", "changed")

    def __init__(self, wake=None):
        self.credit = WINDOW
        self.cancelled = False
        self.wake = wake  # called when something changed


class Worker:
    def __init__(self, connection_fd, page_fd):
        self.socket = socket.socket(fileno=connection_fd)
        self.page = memoryview(mmap.mmap(page_fd, 4096)).cast("I")
        self.out = []  # pieces of frames on their way out; append is atomic, taking needs the lock
        self.lock = threading.Lock()
        self.pending = collections.deque()  # (call, flags, event, body) not yet started
        self.unfinished = {}  # call: [flags, event, parts] whose body is still coming
        self.streams = {}  # call: Stream
        self.rest, self.missing = [], 0
        self.current = 0  # the call whose handler runs; 0 between calls and beside concurrent ones
        self.quick = 0  # so many runs in a row were quick
        self.waiting = False  # in recv with nothing to do
        self.draining = False
        self.load = None
        self.timer = None  # descriptor
        self.pushed = 0  # when it was set
        self.stdout, self.stderr = LogStream(self, STDOUT), LogStream(self, STDERR)
        self.on_sigterm = self.handle_sigterm  # one object, to be recognised

    def handle_sigterm(self, *_):
        self.draining = True
        if self.waiting:
            raise Stopped

    # Writing

    def flush(self):
        with self.lock:
            count = len(self.out)
            if count:
                data = b"".join(self.out[:count])
                del self.out[:count]
                try:
                    self.socket.sendall(data)
                except OSError:
                    os._exit(0)  # the server has gone, and with it everybody who wants to know

    def logged(self):
        """Lines should be seen at once, but not at the price of a system call each while calls take microseconds."""
        now = time.monotonic()
        if self.quick < QUICK_RUNS:
            self.flush()
        elif now - self.pushed > PUSH_AFTER:
            self.hold(now)

    def hold(self, now):
        """What is in `out` may wait, for a millisecond at most: a timer then wakes a thread that flushes. Batches keep
        pushing the timer on, so that under load it never fires; that is done rarely, because it is a system call."""
        if self.timer is None:
            self.timer = make_timer()
            if self.timer is None:
                return self.flush()
            sys.setswitchinterval(0.001)
            threading.Thread(target=self.flush_late, name="hks-flush", daemon=True).start()
        self.pushed = now
        set_timer(self.timer, 0, ONE_MILLISECOND, None)

    def flush_late(self):
        while True:
            os.read(self.timer, 8)
            self.flush()

    def end_lines(self, call):
        if self.stdout.partial:
            self.stdout.finish(call)
        if self.stderr.partial:
            self.stderr.finish(call)

    def answer(self, call, status, block, body):
        self.end_lines(call)
        self.out += (pack_header(len(block) + len(body), len(block), call, RESULT, END, status), block, body)

    def fail(self, call, error):
        self.end_lines(call)
        self.out.append(frame(ERROR, call, describe(error)))

    def done(self, call):
        self.end_lines(call)
        self.out.append(frame(DONE, call))

    # Reading

    def read(self, flags=0):
        """Reads once, waiting unless told otherwise, and sorts the frames."""
        try:
            data = self.socket.recv(max(READ_SIZE, self.missing), flags)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            os._exit(0)  # the server has gone
        self.take(data)
        return True

    def take(self, data):
        if self.rest:
            self.rest.append(data)
            self.missing -= len(data)
            if self.missing > 0:
                return
            data = b"".join(self.rest)
            self.rest = []
        at, size = 0, len(data)
        self.missing = 0
        while size - at >= 16:
            length, meta, call, kind, flags, _ = HEADER.unpack_from(data, at)
            start = at + 16
            end = start + length
            if end > size:
                self.missing = end - size
                break
            middle = start + meta
            if kind == CALL and flags & END:
                self.pending.append((call, flags, data[start:middle], data[middle:end]))
            else:
                self.handle(kind, flags, call, data[start:middle], data[middle:end])
            at = end
        if at < size:
            self.rest.append(data[at:])
            self.missing = self.missing or 16 - (size - at)

    def handle(self, kind, flags, call, meta, body):
        if kind == CALL:
            self.unfinished[call] = [flags, meta, [body]]
        elif kind == CHUNK:
            begun = self.unfinished.get(call)
            if begun is not None:
                begun[2].append(body)
                if flags & END:
                    del self.unfinished[call]
                    self.pending.append((call, begun[0], begun[1], b"".join(begun[2])))
        elif kind == CREDIT:
            stream = self.streams.get(call)
            if stream is not None:
                stream.credit += int.from_bytes(body[:4], "little")
                if stream.wake is not None:
                    stream.wake()
        elif kind == CANCEL:
            self.cancel(call)
        elif kind == PING:
            self.out.append(frame(PONG, call, meta, body))
            self.flush()
        elif kind == DRAIN:
            self.draining = True
        elif kind == LOAD:
            self.load = json.loads(meta)

    def cancel(self, call):
        stream = self.streams.get(call)
        if stream is not None:
            stream.cancelled = True
            if stream.wake is not None:
                stream.wake()
            return
        if self.unfinished.pop(call, None) is None:
            for item in self.pending:
                if item[0] == call:
                    self.pending.remove(item)
                    break
            else:
                return  # it was answered while the cancellation was on its way
        self.out.append(frame(DONE, call))
        self.flush()

    # Streaming from ordinary code; `wait` comes back when something about the stream may have changed

    def send_stream(self, call, status, block, source, stream, wait):
        body, typed = source
        iterator = iterate_async(body) if not hasattr(body, "__next__") else body
        begun = False
        try:
            while not stream.cancelled:
                try:
                    chunk = next(iterator)
                except StopIteration:
                    break
                data = chunk_bytes(chunk)
                if not begun:
                    begun = True
                    self.out.append(frame(RESULT, call, stream_head(block, typed, chunk), b"", 0, status))
                while data and not stream.cancelled:
                    if stream.credit <= 0:
                        self.flush()
                        wait()
                        continue
                    part = data[: stream.credit]
                    data = data[len(part) :]
                    stream.credit -= len(part)
                    self.out.append(frame(CHUNK, call, b"", part))
                self.flush()
                wait(False)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        if stream.cancelled:
            return self.done(call)
        self.end_lines(call)
        if begun:
            self.out.append(frame(CHUNK, call, flags=END))
        else:
            self.answer(call, status, block if typed else block + TYPE_TEXT, b"")

    # One call after the other

    def serve_serial(self, function, wants):
        pending, out, page, loads, monotonic = self.pending, self.out, self.page, marshal.loads, time.monotonic
        popleft, recv = pending.popleft, self.socket.recv
        printed, failed = self.stdout.partial, self.stderr.partial
        batch = 0  # when it was read
        while True:
            if not pending:
                if self.draining:
                    return
                if out:
                    self.flush()
                self.waiting = True
                data = recv(self.missing or READ_SIZE)
                self.waiting = False
                if not data:
                    os._exit(0)  # the server has gone
                self.take(data)
                batch = now = monotonic()
                continue
            if self.quick < QUICK_RUNS:
                if out:
                    self.flush()
                if len(pending) > 1:
                    self.read(socket.MSG_DONTWAIT)  # somebody may have been cancelled meanwhile
                    if not pending:
                        continue
                now = monotonic()
            call, flags, meta, body = popleft()
            page[0] = self.current = call
            if out:
                if now - batch > LONGEST_HOLD:
                    self.flush()
                    batch = now
                elif now - self.pushed > PUSH_AFTER:
                    self.hold(now)
            try:
                array = loads(meta)
                if wants == 2:
                    result = function(make_event(array, flags, body), Context(array, now))
                elif wants == 1:
                    result = function(make_event(array, flags, body))
                elif wants == 0:
                    result = function()
                else:
                    result = function(array, flags, body)
                if hasattr(result, "__await__"):
                    result = run_awaitable(result)
                status, block, body = encode_answer(result) if wants < 3 else result
                if type(body) is bytes:
                    if printed or failed:
                        self.end_lines(call)
                    out += (pack_header(len(block) + len(body), len(block), call, RESULT, END, status), block, body)
                else:
                    stream = self.streams[call] = Stream()
                    try:
                        self.send_stream(call, status, block, body, stream, self.wait_serial)
                    finally:
                        del self.streams[call]
            except (SystemExit, Stopped):
                self.end_lines(call)
                self.flush()
                raise
            except BaseException as error:
                self.fail(call, error)
            self.current = 0
            ended = monotonic()
            self.quick = self.quick + 1 if ended - now < QUICK_RUN else 0
            now = ended

    def wait_serial(self, block=True):
        self.read(0 if block else socket.MSG_DONTWAIT)

    # Several calls at once, in threads

    def serve_threads(self, function, wants, count):
        work = collections.deque()
        ready = threading.Semaphore(0)
        idle = [0]

        def thread():
            while True:
                idle[0] += 1
                ready.acquire()
                idle[0] -= 1
                self.run_threaded(work.popleft(), function, wants)

        started = 0
        while True:
            self.flush()
            while self.pending:
                item = self.pending.popleft()
                self.streams[item[0]] = Stream(threading.Event().set)
                work.append(item)
                if started < count and idle[0] < len(work):
                    started += 1
                    threading.Thread(target=thread, name=f"hks-call-{started}", daemon=True).start()
                ready.release()
            if self.draining:
                while self.streams:
                    time.sleep(0.005)
                return
            try:
                self.waiting = True
                self.read()
            except Stopped:
                pass
            self.waiting = False

    def run_threaded(self, item, function, wants):
        call, flags, meta, body = item
        stream = self.streams[call]
        changed = stream.wake.__self__
        call_id.set(call)

        def wait(block=True):
            if block:
                changed.wait()
                changed.clear()

        try:
            if stream.cancelled:
                return self.done(call)
            array = marshal.loads(meta)
            if wants == 3:
                result = function(array, flags, body)
            else:
                result = function(*(make_event(array, flags, body), Context(array, time.monotonic()))[:wants])
            if hasattr(result, "__await__"):
                result = run_awaitable(result)
            status, block, body = encode_answer(result) if wants < 3 else result
            if stream.cancelled:
                self.done(call)
            elif type(body) is bytes:
                self.answer(call, status, block, body)
            else:
                self.send_stream(call, status, block, body, stream, wait)
        except SystemExit as end:
            self.end_lines(call)
            self.flush()
            os._exit(exit_code(end))
        except BaseException as error:
            self.fail(call, error)
        finally:
            del self.streams[call]
            call_id.set(0)
            self.flush()


def exit_code(end):
    return end.code if isinstance(end.code, int) else int(end.code is not None)


def own_loop(local=threading.local()):
    """The event loop of this thread, for coroutines that ordinary handlers return."""
    if getattr(local, "loop", None) is None:
        local.loop = asyncio.new_event_loop()
    return local.loop


def run_awaitable(awaitable):
    async def finish():
        return await awaitable

    return own_loop().run_until_complete(finish())


def iterate_async(source):
    iterator = source.__aiter__()
    try:
        while True:
            try:
                yield run_awaitable(iterator.__anext__())
            except StopAsyncIteration:
                return
    finally:
        if hasattr(iterator, "aclose"):
            run_awaitable(iterator.aclose())


# --- several calls at once, in an event loop ----------------------------------------------------------------------


class AsyncServer:
    """Runs async handlers and ASGI applications: every call is a task; with concurrency 1 one after the other."""

    def __init__(self, worker, run_one, count):
        self.worker, self.run_one, self.count = worker, run_one, count
        self.loop = asyncio.new_event_loop()
        self.running = set()
        self.flushing = False
        self.stopped = self.loop.create_future()

    def serve(self):
        self.loop.add_reader(self.worker.socket.fileno(), self.on_readable)
        if signal.getsignal(signal.SIGTERM) is self.worker.on_sigterm:
            self.loop.add_signal_handler(signal.SIGTERM, self.drain)
        self.start_pending()
        self.loop.run_until_complete(self.stopped)
        self.loop.remove_reader(self.worker.socket.fileno())

    def drain(self):
        self.worker.draining = True
        self.start_pending()

    def on_readable(self):
        self.worker.read(socket.MSG_DONTWAIT)
        self.start_pending()

    def start_pending(self):
        worker = self.worker
        while worker.pending and (self.count > 1 or not self.running):
            item = worker.pending.popleft()
            call = item[0]
            if self.count == 1:
                worker.page[0] = worker.current = call
            stream = worker.streams[call] = Stream()
            stream.changed = asyncio.Event()
            stream.wake = stream.changed.set
            task = self.loop.create_task(self.run(item, stream))
            self.running.add(task)
            stream.wake = lambda stream=stream, task=task: (task.cancel if stream.cancelled else stream.changed.set)()
        if worker.draining and not self.running and not worker.pending and not self.stopped.done():
            self.stopped.set_result(None)

    async def run(self, item, stream):
        worker, call = self.worker, item[0]
        call_id.set(call)
        try:
            await self.run_one(self, item, stream)
            if stream.cancelled:
                worker.done(call)
        except SystemExit as end:
            worker.end_lines(call)
            worker.flush()
            os._exit(exit_code(end))
        except BaseException as error:
            if stream.cancelled:
                worker.done(call)
            else:
                worker.fail(call, error)
        del worker.streams[call]
        self.running.discard(asyncio.current_task())
        if self.count == 1:
            worker.current = 0
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self.after_turn)

    def after_turn(self):
        """One write for all that has ended in this turn of the loop."""
        self.flushing = False
        self.worker.flush()
        self.start_pending()

    async def send_part(self, call, stream, data):
        worker = self.worker
        while data:
            if stream.credit <= 0:
                stream.changed.clear()
                worker.flush()
                await stream.changed.wait()
                continue
            part = data[: stream.credit]
            data = data[len(part) :]
            stream.credit -= len(part)
            worker.out.append(frame(CHUNK, call, b"", part))
        worker.flush()

    async def send_stream(self, call, status, block, source, stream):
        worker = self.worker
        body, typed = source
        begun = False
        iterator = body if hasattr(body, "__aiter__") else iterate_sync(body)
        try:
            async for chunk in iterator:
                data = chunk_bytes(chunk)
                if not begun:
                    begun = True
                    worker.out.append(frame(RESULT, call, stream_head(block, typed, chunk), b"", 0, status))
                await self.send_part(call, stream, data)
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()
        if stream.cancelled:
            return
        worker.end_lines(call)
        if begun:
            worker.out.append(frame(CHUNK, call, flags=END))
        else:
            worker.answer(call, status, block if typed else block + TYPE_TEXT, b"")


async def iterate_sync(iterator):
    try:
        for chunk in iterator:
            yield chunk
            await asyncio.sleep(0)
    finally:
        if hasattr(iterator, "close"):
            iterator.close()


def run_async_handler(function, wants):
    async def run_one(server, item, stream):
        call, flags, meta, body = item
        array = marshal.loads(meta)
        result = function(*(make_event(array, flags, body), Context(array, time.monotonic()))[:wants])
        if hasattr(result, "__await__"):
            result = await result
        status, block, body = encode_answer(result)
        if stream.cancelled:
            return
        if type(body) is bytes:
            server.worker.answer(call, status, block, body)
        else:
            await server.send_stream(call, status, block, body, stream)

    return run_one


# --- WSGI and ASGI applications -----------------------------------------------------------------------------------


def raw_text(text):
    """The bytes of a header or path as the client sent them, most likely."""
    return text.encode("utf-8", "surrogateescape")


def server_address(event):
    host, _, port = event["headers"].get("host", "localhost").rpartition(":")
    if host and port.isdigit():
        return host, int(port)
    scheme = event["headers"].get("x-forwarded-proto", "http")
    return event["headers"].get("host", "localhost"), 443 if scheme == "https" else 80


def head_block(status, headers):
    """Checks a status and (name, value) pairs of text; (status, header lines)."""
    if not 200 <= status <= 599:
        raise ValueError(f"status {status} is not valid: it must be between 200 and 599")
    lines = []
    for name, value in headers:
        header_lines(lines, name, value)
    return "".join(lines).encode("latin-1", "replace")


def run_wsgi(application, threads):
    def environment(array, flags, body):
        event = make_event(array, flags & TEXT, body)
        host, port = server_address(event)
        environ = {
            "REQUEST_METHOD": event["httpMethod"],
            "SCRIPT_NAME": "",
            "PATH_INFO": raw_text(event["path"]).decode("latin-1"),
            "QUERY_STRING": array[RAW_QUERY],
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": event["requestContext"]["protocol"],
            "REMOTE_ADDR": event["requestContext"]["sourceIp"],
            "CONTENT_LENGTH": str(len(body)) if body else "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": event["headers"].get("x-forwarded-proto", "http"),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threads,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "hks.event": event,
            "hks.request_id": array[REQUEST_ID],
        }
        for name, value in event["headers"].items():
            key = name.upper().replace("-", "_")
            value = raw_text(value).decode("latin-1")
            if key == "CONTENT_TYPE":
                environ[key] = value
            elif key != "CONTENT_LENGTH":
                environ["HTTP_" + key] = value
        return environ

    def pieces(written, result):
        try:
            yield from written
            for piece in result:
                if piece:
                    yield piece
        finally:
            if hasattr(result, "close"):
                result.close()

    def run(array, flags, body):
        head, written = [], []

        def start_response(status, headers, exc_info=None):
            if exc_info is None and head:
                raise AssertionError("start_response() was called twice")
            head[:] = [int(status.split(" ", 1)[0]), headers]
            return written.append

        result = application(environment(array, flags, body), start_response)
        if isinstance(result, (list, tuple)) or hasattr(result, "__len__") and len(result) == 1:
            whole = b"".join(pieces(written, result))
            return head[0], head_block(*head), whole
        stream = pieces(written, result)
        first = next(stream, None)  # an application may call start_response() as late as this
        if not head:
            raise RuntimeError("the WSGI application returned without calling start_response()")
        if first is None:
            return head[0], head_block(*head), b""
        return head[0], head_block(*head), (resume(first, stream), True)

    def resume(first, stream):
        yield first
        yield from stream

    return run


class AsgiApplication:
    def __init__(self, application):
        self.application = application
        self.state = {}
        self.lifespan = None  # (task, inbox, answers) when the application takes part

    async def start(self):
        """Lifespan startup; an application that does not know of it is asked nothing more."""
        inbox, answers = asyncio.Queue(), asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        task = asyncio.ensure_future(self.application(scope, inbox.get, answers.put))
        inbox.put_nowait({"type": "lifespan.startup"})
        answer = asyncio.ensure_future(answers.get())
        await asyncio.wait((task, answer), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            task.exception()  # seen: it does not support lifespan
            return
        if answer.result()["type"] == "lifespan.startup.failed":
            raise RuntimeError("the application's startup failed: " + str(answer.result().get("message", "")))
        self.lifespan = task, inbox, answers

    async def stop(self):
        if self.lifespan is None:
            return
        task, inbox, answers = self.lifespan
        inbox.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait((task, asyncio.ensure_future(answers.get())), return_when=asyncio.FIRST_COMPLETED)

    def scope(self, array, flags, body):
        event = make_event(array, flags & TEXT, body)
        host = server_address(event)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": event["requestContext"]["protocol"].rpartition("/")[2],
            "method": event["httpMethod"],
            "scheme": event["headers"].get("x-forwarded-proto", "http"),
            "path": event["path"],
            "raw_path": quote(event["path"], safe="/:@!$&'()*+,;=~").encode(),
            "query_string": array[RAW_QUERY].encode("latin-1", "replace"),
            "root_path": "",
            "headers": [(raw_text(name), raw_text(value)) for name, values in event["multiValueHeaders"].items()
                        for value in values],
            "client": (event["requestContext"]["sourceIp"], 0),
            "server": host,
            "state": dict(self.state),
            "hks.event": event,
            "hks.request_id": array[REQUEST_ID],
        }

    async def run_one(self, server, item, stream):
        call, flags, meta, body = item
        worker = server.worker
        head, parts = [], []
        asked = ended = begun = False
        over = asyncio.Event()

        async def receive():
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": body, "more_body": False}
            await over.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            nonlocal ended, begun
            if message["type"] == "http.response.start":
                if head:
                    raise RuntimeError("http.response.start was sent twice")
                pairs = [(bytes(name).decode("latin-1"), value) for name, value in message.get("headers", ())]
                head[:] = [message["status"], head_block(message["status"], pairs)]
            elif message["type"] == "http.response.body" and not ended:
                if not head:
                    raise RuntimeError("http.response.body was sent before http.response.start")
                data = bytes(message.get("body", b""))
                ended = not message.get("more_body", False)
                if ended and not begun:
                    worker.answer(call, head[0], head[1], data)
                else:
                    if not begun:
                        begun = True
                        worker.out.append(frame(RESULT, call, head[1], b"", 0, head[0]))
                    await server.send_part(call, stream, data)
                    if ended:
                        worker.end_lines(call)
                        worker.out.append(frame(CHUNK, call, flags=END))
                if ended:
                    over.set()
                    worker.flush()

        try:
            await self.application(self.scope(marshal.loads(meta), flags, body), receive, send)
        except Exception as error:
            if not ended:
                raise
            sys.stderr.write(json.loads(describe(error))["stack"])  # it has answered already
        if not ended and not stream.cancelled:
            raise RuntimeError("the ASGI application returned without a complete answer")


# --- loading ------------------------------------------------------------------------------------------------------


class HandlerNotFound(Exception):
    pass


def purge_modules(folders):
    """What the bundle brings itself must win over what the zygote has imported, as it would in a fresh interpreter."""
    provided = set()
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            stem, dot, extension = name.partition(".")
            if dot and not name.endswith((".py", ".pyc", ".so")):
                continue
            if not dot and not os.path.exists(os.path.join(folder, name, "__init__.py")):
                continue
            provided.add(stem)
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in provided and top not in sys.builtin_module_names and not _imp.is_frozen(top) and top != __name__:
            del sys.modules[name]


def prepare_interpreter(load):
    os.environ.clear()
    os.environ.update(load["environment"])
    time.tzset()
    random.seed()
    code = load["code"]
    dependencies = os.path.join(code, "_deps")
    os.chdir(code)
    folders = [code]
    if "/" in load["handler"]:
        folders.append(os.path.join(code, os.path.dirname(load["handler"])))
    sys.path[:0] = folders
    sys.argv = [""]
    purge_modules(folders)
    if os.path.isdir(dependencies):
        sys.path.append(dependencies)  # behind the standard library, as site-packages is
        if any(name.endswith(".pth") for name in os.listdir(dependencies)):
            import site

            site.addsitedir(dependencies)
    importlib.invalidate_caches()
    builtins.exit = builtins.quit = sys.exit  # what `site` would bring
    Context.function_name, Context.function_version = load["function"], str(load["version"])
    Context.workspace, Context.memory_limit_in_mb = load["workspace"], load["memory_mb"]


def find_handler(load):
    """(name, object) of the handler that was named, or of the first of the usual ones."""
    named = load["handler"]
    if named:
        module_name, dot, function = named.replace("/", ".").rpartition(".")
        if not dot or not module_name.strip("."):
            raise HandlerNotFound(f"The handler {named!r} names no function. Write FILE.FUNCTION, main.handle for example.")
        module_name = module_name.strip(".")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name + ".").startswith(error.name + "."):
                raise
            raise HandlerNotFound(f"There is no {module_name.replace('.', '/')}.py for the handler {named!r}. "
                                  "Name a file of the bundle.") from None
        if not callable(getattr(module, function, None)):
            there = ", ".join(name for name, value in vars(module).items()
                              if inspect.isfunction(value) and value.__module__ == module.__name__) or "none"
            raise HandlerNotFound(f"{module_name} has no function {function!r}. Functions there: {there}.")
        return named, getattr(module, function)
    for stem in load["files"]:
        base = os.path.join(load["code"], stem)
        if not os.path.exists(base + ".py") and not os.path.exists(os.path.join(base, "__init__.py")):
            continue
        module = importlib.import_module(stem)
        for function in load["functions"]:
            if callable(getattr(module, function, None)):
                return f"{stem}.{function}", getattr(module, function)
    raise HandlerNotFound("No handler was found: none of the files " + ", ".join(name + ".py" for name in load["files"]) +
                          " has one of the functions " + ", ".join(load["functions"]) + ". Name it: FILE.FUNCTION.")


def positional(function):
    """Names of the positional parameters, or None when they are not known; *args counts as many."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    names = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return names + ["*", "*"] if any(each.kind == each.VAR_POSITIONAL for each in parameters) else names


def classify(handler):
    """(kind, number of parameters that it is given)."""
    target = handler
    while hasattr(target, "func") and hasattr(target, "keywords"):  # functools.partial
        target = target.func
    if not inspect.isroutine(target) and not inspect.isclass(target):
        target = type(target).__call__
    names = positional(handler)
    if inspect.iscoroutinefunction(target) and names is not None and len(names) == 3 and "*" not in names:
        return "asgi", 3
    if hasattr(handler, "wsgi_app") or names is not None and len(names) >= 2 and "start_response" in names[:2]:
        return "wsgi", 3
    wants = 1 if names is None else min(len(names), 2)
    if names is not None and "*" not in names:
        try:
            inspect.signature(handler).bind(*range(wants))
        except TypeError:
            raise HandlerNotFound(f"The handler takes the parameters {', '.join(names)}. "
                                  "It is called with (event) or (event, context).") from None
    if inspect.isasyncgenfunction(target):
        return "async generator", wants
    if inspect.iscoroutinefunction(target):
        return "async", wants
    return "generator" if inspect.isgeneratorfunction(target) else "sync", wants


def install_logs(worker):
    sys.stdout = sys.__stdout__ = worker.stdout
    sys.stderr = sys.__stderr__ = worker.stderr
    logging.root.handlers[:] = [LogHandler(worker)]
    logging.root.setLevel(logging.INFO)


def serve(worker):
    """Loads the function and runs it until the server says DRAIN."""
    load = worker.load
    count = load["concurrency"]
    server = application = None
    try:
        prepare_interpreter(load)
        name, handler = find_handler(load)
        kind, wants = classify(handler)
        if kind == "asgi":
            application = AsgiApplication(handler)
            server = AsyncServer(worker, application.run_one, count)
            server.loop.run_until_complete(application.start())
        elif kind.startswith("async"):
            server = AsyncServer(worker, run_async_handler(handler, wants), count)
        elif kind == "wsgi":
            handler = run_wsgi(handler, count > 1)
    except BaseException as error:
        worker.end_lines(0)
        worker.out.append(frame(FAILED, meta=describe(error)))
        worker.flush()
        raise SystemExit(1) from None
    worker.end_lines(0)
    ready = {"handler": name, "kind": kind, "concurrent": server is not None or count > 1}
    worker.out.append(frame(READY, meta=json.dumps(ready).encode()))
    worker.flush()
    if server is not None:
        server.serve()
        if application is not None:
            server.loop.run_until_complete(application.stop())
    elif count > 1:
        worker.serve_threads(handler, wants, count)
    else:
        worker.serve_serial(handler, wants)


def run(connection_fd=3, page_fd=4):
    worker = Worker(connection_fd, page_fd)
    hello = {"language": "python", "version": "{}.{}.{}".format(*sys.version_info[:3]), "encoding": "marshal"}
    worker.out.append(frame(HELLO, meta=json.dumps(hello).encode()))
    worker.flush()
    signal.signal(signal.SIGTERM, worker.on_sigterm)
    try:
        worker.waiting = True
        while worker.load is None:
            worker.read()
        worker.waiting = False
        install_logs(worker)
        serve(worker)
    except Stopped:
        pass
    finally:
        atexit._run_exitfuncs()
        worker.end_lines(0)
        worker.flush()
