# SPDX-License-Identifier: Apache-2.0
"""Part 3 of hks_worker: what a handler gives back, or throws, as status, header lines and body."""

import base64
import collections.abc
import importlib
import json
import linecache  # noqa: F401  (traceback needs it later, when the bundle may have one of that name)
import os
import re
import traceback

OWN_FRAMES = frozenset((__name__ + ".py", "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>",
                        importlib.__file__, os.path.realpath(importlib.__file__)))

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
    return encode_json({"type": type(error).__name__, "message": message, "stack": stack}).encode("utf-8", "replace")
