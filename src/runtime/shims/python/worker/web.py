# SPDX-License-Identifier: Apache-2.0
"""Part 7 of hks_worker: WSGI and ASGI applications as handlers."""

import asyncio
import io
import json
import marshal
import sys
from urllib.parse import quote, unquote_to_bytes

from hks_worker import (
    CHUNK, END, RAW_QUERY, REQUEST_ID, RESULT, TEXT, describe, frame, header_lines, make_event,
)


def raw_text(text):
    """The bytes of a header or path as the client sent them, most likely."""
    return text.encode("utf-8", "surrogateescape")


def raw_path(event):
    """The path as the client wrote it, from where the function's own part begins."""
    path, received = raw_text(event["path"]), raw_text(event["requestContext"]["path"])
    raw = b"/" + b"/".join(received.split(b"/")[-path.count(b"/"):])
    # The server decodes everything but these two, which would change what a segment is.
    kept = raw.replace(b"%2f", b"%2F").replace(b"%5c", b"%5C").replace(b"%2F", b"%252F").replace(b"%5C", b"%255C")
    if b"%" in raw and unquote_to_bytes(kept) == path:
        return raw
    # Nothing was encoded, or dot segments and double slashes were resolved: as the client would have written the rest.
    quoted = quote(path, safe="/:@!$&'()*+,;=~")
    return quoted.replace("%252F", "%2F").replace("%255C", "%5C").encode()


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
            "raw_path": raw_path(event),
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
