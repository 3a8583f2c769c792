# SPDX-License-Identifier: Apache-2.0
"""Part 2 of hks_worker: what a handler is given, event and context."""

import binascii
import json
import time

from hks_worker import OBJECT, TEXT

NEVER_LIFTED = frozenset(("specversion", "__proto__", "constructor", "prototype"))


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
