# SPDX-License-Identifier: Apache-2.0
"""What a function sees and may answer: one table for every language, run against the bare workers (test_workers.py)
and against a real server (tests/e2e). A row is a function in each language, a request, and what must come back.

python, node  the handler's statements (with `event` and `context`), or {file name: text}; absent = not for this language
request       method, path (as the function is told it), query, headers [(name, value)], body, and for a bare worker
              what the server would add: path_parameters, authorizer, attempt, traceparent
status, headers, body, json, matches   of the answer; headers: {lower-case name: value or None = absent}
error         (type or None, regular expression for the message): the handler failed; over HTTP a 500
load_error    likewise: the version does not load
logs          [(level, text)] in this order, of the call
only          "worker" for what cannot be seen over HTTP
"""

import base64
import json as json_module
import textwrap
from dataclasses import dataclass, field

LANGUAGES = ("python", "node")


@dataclass
class Case:
    name: str
    files: dict  # language: {file name: text}
    request: dict = field(default_factory=dict)
    handler: str = "main.handle"
    environment: dict = field(default_factory=dict)
    status: int = 200
    headers: dict = field(default_factory=dict)
    body: bytes = None
    json: object = None
    has_json: bool = False
    matches: str = None
    error: tuple = None
    load_error: tuple = None
    logs: list = None
    only: str = None
    calls: int = 1  # so many times; the last answer counts


CASES = []


def python_source(statements):
    return "def handle(event, context):\n" + textwrap.indent(textwrap.dedent(statements).strip(), "    ") + "\n"


def node_source(statements):
    return "exports.handle = async (event, context) => {\n" + textwrap.dedent(statements).strip() + "\n};\n"


def case(name, python=None, node=None, body=None, **rest):
    files = {}
    if python is not None:
        files["python"] = python if isinstance(python, dict) else {"main.py": python_source(python)}
    if node is not None:
        files["node"] = node if isinstance(node, dict) else {"main.js": node_source(node)}
    if "json" in rest:
        rest["has_json"] = True
    assert name not in [each.name for each in CASES], name
    CASES.append(Case(name, files, body=body.encode() if isinstance(body, str) else body, **rest))


def same(name, expression, **rest):
    """The same expression in both languages, answered as JSON inside a list (so that it is never a response)."""
    case(name, f"return [{expression}]", f"return [{expression}];", **rest)


def answers(name, python, node, **rest):
    case(name, "return " + python, "return " + node + ";", **rest)


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PNG64 = base64.b64encode(PNG).decode()
TEXT = "text/plain; charset=utf-8"

# --- the event --------------------------------------------------------------------------------------------------

for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    same(f"event: httpMethod {method}", "event['httpMethod'], event['requestContext']['httpMethod']",
         request={"method": method}, json=[method, method])
same("event: path is what follows the function", "event['path']", request={"path": "/a/b"}, json=["/a/b"])
same("event: path is / when nothing follows", "event['path']", json=["/"])
same("event: header names are lower case", "event['headers']['x-custom']", request={"headers": [("X-Custom", "Ab")]},
     json=["Ab"])
same("event: repeated headers are joined", "event['headers']['x-a'], event['multiValueHeaders']['x-a']",
     request={"headers": [("X-A", "1"), ("x-a", "2")]}, json=["1, 2", ["1", "2"]])
same("event: cookies are joined by semicolons", "event['headers']['cookie']",
     request={"headers": [("Cookie", "a=1"), ("Cookie", "b=2")]}, json=["a=1; b=2"])
same("event: header bytes that are not UTF-8 are Latin-1", "event['headers']['x-a']",
     request={"headers": [("X-A", b"caf\xe9")]}, json=["caf\u00e9"])
same("event: header bytes in UTF-8 are UTF-8", "event['headers']['x-a']",
     request={"headers": [("X-A", "caf\u00e9 \u2603".encode())]}, json=["caf\u00e9 \u2603"])
same("event: the last query value wins", "event['queryStringParameters']['a']", request={"query": "a=1&a=2"}, json=["2"])
same("event: all query values are there", "event['multiValueQueryStringParameters']['a']",
     request={"query": "a=1&b=3&a=2"}, json=[["1", "2"]])
same("event: query is decoded", "event['queryStringParameters']", request={"query": "na%20me=a+b%26c%C3%A9&empty=&bare"},
     json=[{"na me": "a b&c\u00e9", "empty": "", "bare": ""}])
same("event: query bytes that are not UTF-8 are replaced", "event['queryStringParameters']['a']",
     request={"query": "a=%ff"}, json=["\ufffd"])
same("event: absent maps are empty",
     "event['queryStringParameters'], event['multiValueQueryStringParameters'], event['pathParameters'], "
     "event['requestContext']['authorizer']", json=[{}, {}, {}, {}])
same("event: path parameters", "event['pathParameters']['id']", request={"path_parameters": {"id": "42"}}, json=["42"],
     only="worker")
same("event: authorizer", "event['requestContext']['authorizer']", request={"authorizer": {"name": "ci", "n": 1}},
     json=[{"name": "ci", "n": 1}], only="worker")
same("event: requestContext path is as received", "event['requestContext']['path']",
     request={"path": "/x y", "original_path": "/functions/hello/x%20y"}, json=["/functions/hello/x%20y"], only="worker")
same("event: requestContext", "event['requestContext']['sourceIp'], event['requestContext']['protocol']",
     json=["127.0.0.1", "HTTP/1.1"])
case("event: exactly the members of the contract",
     "return sorted(event)", "return Object.keys(event).sort();",
     json=sorted(["httpMethod", "path", "headers", "multiValueHeaders", "queryStringParameters", "pathParameters",
                  "multiValueQueryStringParameters", "body", "isBase64Encoded", "requestContext", "data"]))
same("event: body is an empty string when absent", "event['body'], event['data']", json=["", ""])
case("event: isBase64Encoded is a boolean", "return [event['isBase64Encoded'] is False]",
     "return [event.isBase64Encoded === false];", request={"body": "x"}, json=[True])
same("event: text body", "event['body'], event['data']", request={"method": "POST", "body": "h\u00e9llo"},
     json=["h\u00e9llo", "h\u00e9llo"])
same("event: body that is not UTF-8 is base64", "event['body'], event['data'], event['isBase64Encoded']",
     request={"method": "POST", "body": b"\xff\x00\xfe"}, json=["/wD+", "/wD+", True])
case("event: a NUL byte is text", "return [event['body'], event['isBase64Encoded']]",
     "return [event.body, event.isBase64Encoded];", request={"method": "POST", "body": b"a\x00b"}, json=["a\x00b", False])
case("event: a body of 600 KiB", "return [len(event['body']), event['body'][-3:]]",
     "return [event.body.length, event.body.slice(-3)];", request={"method": "POST", "body": "x" * 614_397 + "end"},
     json=[614_400, "end"])
case("event: a binary body of 300 KiB", "import base64, hashlib; return hashlib.sha256(base64.b64decode(event['body'])).hexdigest()",
     "return require('crypto').createHash('sha256').update(Buffer.from(event.body, 'base64')).digest('hex');",
     request={"method": "POST", "body": b"\xff\x00" * 153_600},
     body=__import__("hashlib").sha256(b"\xff\x00" * 153_600).hexdigest())
case("event: a character split between two parts of a body", "return [event['body'][262143]]",
     "return [event.body[262143]];", request={"method": "POST", "body": "x" * 262_143 + "\u00e9" + "y" * 10}, json=["\u00e9"])

# --- members of a JSON body -------------------------------------------------------------------------------------


def lifted(name, body, expected, python="event.get('name')", node="event.name ?? null", **request):
    case("lifting: " + name, f"return [{python}]", f"return [{node}];",
         request={"method": "POST", "body": body, **request}, json=[expected])


lifted("members of an object", '{"name": "Alice"}', "Alice")
lifted("whatever the content type", '{"name": "Alice"}', "Alice", headers=[("Content-Type", "text/plain")])
lifted("after white space", ' \r\n\t{"name": "Alice"}', "Alice")
lifted("not of arrays", '[{"name": "Alice"}]', None)
lifted("not of broken JSON", '{"name": "Alice"', None)
lifted("not of NaN, which is no JSON", '{"name": NaN}', None)
lifted("never hides a gateway key", '{"httpMethod": "EVIL", "body": 1, "isBase64Encoded": 1}',
       ["POST", '{"httpMethod": "EVIL", "body": 1, "isBase64Encoded": 1}', False],
       "event['httpMethod'], event['body'], event['isBase64Encoded']".join("[]"),
       "[event.httpMethod, event.body, event.isBase64Encoded]")
lifted("never hides headers", '{"headers": 1, "requestContext": 2, "path": 3}', ["/", "POST"],
       "[event['path'], event['requestContext']['httpMethod']]", "[event.path, event.requestContext.httpMethod]")
lifted("a member data is data", '{"data": {"x": 1}}', {"x": 1}, "event['data']", "event.data")
lifted("a member data that is null is data", '{"data": null}', None, "event['data']", "event.data")
lifted("without a member data, data is the body", '{"a": 1}', '{"a": 1}', "event['data']", "event.data")
for bad in ("specversion", "constructor", "prototype"):
    lifted("never " + bad, json_module.dumps({bad: "x", "name": "n"}), [False, "n"],
           f"['{bad}' in event, event['name']]", f"[Object.hasOwn(event, '{bad}'), event.name]")
lifted("never __proto__", '{"__proto__": {"polluted": 1}, "name": "n"}', [False, False, "n"],
       "['__proto__' in event, 'polluted' in event, event['name']]",
       "[Object.hasOwn(event, '__proto__'), event.polluted !== undefined || ({}).polluted !== undefined, event.name]")
lifted("names of Object.prototype are ordinary", '{"toString": "x", "hasOwnProperty": "y"}', ["x", "y"],
       "[event['toString'], event['hasOwnProperty']]", "[event.toString, event.hasOwnProperty]")
lifted("an object nested 128 deep", '{"name":' + "[" * 127 + "]" * 127 + "}", True, "'name' in event", "'name' in event")
lifted("not of an object nested 129 deep", '{"name":' + "[" * 128 + "]" * 128 + "}", [False, 265],
       "['name' in event, len(event['body'])]", "['name' in event, event.body.length]")
lifted("brackets inside strings are no depth", '{"name": "' + "[" * 500 + '"}', 500, "len(event['name'])",
       "event.name.length")
lifted("the body stays whole", '{"name": "Alice"}', '{"name": "Alice"}', "event['body']", "event.body")
lifted("not of a binary body", b'{"name": "\xff"}', [False, True], "['name' in event, event['isBase64Encoded']]",
       "['name' in event, event.isBase64Encoded]")
lifted("Unicode", '{"name": "\\u00e9\u2603\\ud83d\\ude00"}', "\u00e9\u2603\U0001f600")

# --- the context ------------------------------------------------------------------------------------------------

for snake, camel in (("request_id", "requestId"), ("aws_request_id", "awsRequestId"), ("function_name", "functionName"),
                     ("function_version", "functionVersion"), ("memory_limit_in_mb", "memoryLimitInMb"),
                     ("trigger_type", "triggerType"), ("attempt", "attempt"), ("trigger", "trigger"),
                     ("workspace", "workspace"), ("traceparent", "traceparent")):
    case(f"context: {snake} by attribute and key, in both spellings",
         f"a = context.{snake}; return [a == context['{snake}'] == context.{camel} == context['{camel}']]",
         f"const a = context.{snake}; return [[context['{snake}'], context.{camel}, context['{camel}']].every((b) => b === a)];",
         json=[True])
same("context: request_id is the invocation id", "context.request_id == event['requestContext']['requestId'], "
     "context.aws_request_id == context.request_id", json=[True, True])
same("context: what it says of the function",
     "context.function_name, context.function_version, context.workspace, context.memory_limit_in_mb",
     json=["hello", "3", "default", 128], only="worker")
same("context: trigger and attempt", "context.trigger, context.trigger_type, context.attempt", json=["http", "http", 1])
same("context: a later attempt", "context.attempt", request={"attempt": 2}, json=[2], only="worker")
same("context: traceparent", "context.traceparent", request={"traceparent": "00-ab-cd-01"}, json=["00-ab-cd-01"], only="worker")
case("context: remaining time, in all spellings", """
     values = [context.remaining_time_ms, context['remainingTimeMs'], context.get_remaining_time_in_millis(),
               context.getRemainingTimeInMillis()]
     return [all(29000 < value <= 30000 for value in values)]
     """, """
     const values = [context.remaining_time_ms, context['remainingTimeMs'], context.get_remaining_time_in_millis(),
                     context.getRemainingTimeInMillis()];
     return [values.every((value) => 29000 < value && value <= 30000)];
     """, json=[True])
case("context: remaining time falls", "import time; time.sleep(0.1); return [context.remaining_time_ms <= 29900]",
     "await new Promise((r) => setTimeout(r, 105)); return [context.remainingTimeMs <= 29900];", json=[True])
case("context: an unknown key", "return ['nothing' in context, context.get('nothing', 5)]",
     "return ['nothing' in context, context.nothing ?? 5];", json=[False, 5])
case("context: no emit yet", "return ['emit' in context]", "return ['emit' in context];", json=[False])

# --- what comes back --------------------------------------------------------------------------------------------

answers("return: text", "'h\u00e9'", "'h\u00e9'", body="h\u00e9", headers={"content-type": TEXT})
answers("return: an empty text", "''", "''", body="", headers={"content-type": TEXT})
answers("return: nothing", "None", "null", status=204, body="", headers={"content-type": None})
case("return: nothing at all", "pass", "", status=204, body="")
answers("return: bytes", "b'\\x00\\xff'", "Buffer.from([0, 255])", body=b"\x00\xff",
        headers={"content-type": "application/octet-stream"})
answers("return: other bytes", "bytearray(b'\\x01\\xfe')", "new Uint8Array([1, 254])", body=b"\x01\xfe",
        headers={"content-type": "application/octet-stream"})
answers("return: a view of bytes", "memoryview(b'abc')[1:]", "new Uint8Array([97, 98, 99]).buffer.slice(1)", body=b"bc")
answers("return: an object", "{'a': 1, 'b': [None, True, 1.5, '\u00e9']}", "({a: 1, b: [null, true, 1.5, '\u00e9']})",
        json={"a": 1, "b": [None, True, 1.5, "\u00e9"]}, headers={"content-type": "application/json"})
answers("return: an empty object", "{}", "({})", json={}, headers={"content-type": "application/json"})
answers("return: a list", "[1, 'two']", "[1, 'two']", json=[1, "two"], headers={"content-type": "application/json"})
answers("return: a number", "42", "42", body="42", headers={"content-type": "application/json"})
answers("return: zero", "0", "0", body="0")
answers("return: a fraction", "1.5", "1.5", body="1.5")
answers("return: a boolean", "False", "false", body="false", headers={"content-type": "application/json"})
answers("return: the event itself", "event", "event", request={"method": "POST", "body": '{"statusCode2": 1}'},
        matches=r'"httpMethod":')
answers("return: an object with another statusCode is JSON", "{'statusCode': 'fine'}", "({statusCode: 'fine'})",
        json={"statusCode": "fine"})
answers("return: an object whose statusCode is null is JSON", "{'statusCode': None, 'a': 1}", "({statusCode: null, a: 1})",
        json={"statusCode": None, "a": 1})
answers("response: integer status", "{'statusCode': 201}", "({statusCode: 201})", status=201, body="",
        headers={"content-type": None})
answers("response: status in digits", "{'statusCode': '404', 'body': 'no'}", "({statusCode: '404', body: 'no'})",
        status=404, body="no", headers={"content-type": TEXT})
answers("response: 599 is the highest status", "{'statusCode': 599}", "({statusCode: 599})", status=599)
for bad in ("99", "100", "199", "600", "1000", "0", "-1"):
    answers(f"response: status {bad} is an error", f"{{'statusCode': {bad}}}", f"({{statusCode: {bad}}})",
            error=(None, "statusCode.*not valid"))
answers("response: a 500 is an answer, not a failure", "{'statusCode': 500, 'body': 'mine'}",
        "({statusCode: 500, body: 'mine'})", status=500, body="mine")
answers("response: headers", "{'statusCode': 200, 'headers': {'X-A': 'b', 'X-N': 5, 'X-F': 1.5}, 'body': ''}",
        "({statusCode: 200, headers: {'X-A': 'b', 'X-N': 5, 'X-F': 1.5}, body: ''})",
        headers={"x-a": "b", "x-n": "5", "x-f": "1.5"})
answers("response: own content type", "{'statusCode': 200, 'headers': {'Content-Type': 'text/html'}, 'body': '<p>'}",
        "({statusCode: 200, headers: {'Content-Type': 'text/html'}, body: '<p>'})", body="<p>",
        headers={"content-type": "text/html"})
answers("response: own content type in any case", "{'statusCode': 200, 'headers': {'cOnTent-tYpe': 'text/html'}, 'body': {}}",
        "({statusCode: 200, headers: {'cOnTent-tYpe': 'text/html'}, body: {}})", body="{}",
        headers={"content-type": "text/html"})
answers("response: a header with several values", "{'statusCode': 200, 'headers': {'x-a': ['1', 2]}}",
        "({statusCode: 200, headers: {'x-a': ['1', 2]}})", headers={"x-a": "1, 2"})
answers("response: multiValueHeaders", "{'statusCode': 200, 'multiValueHeaders': {'x-a': ['1', '2']}}",
        "({statusCode: 200, multiValueHeaders: {'x-a': ['1', '2']}})", headers={"x-a": "1, 2"})
answers("response: multiValueHeaders win over headers",
        "{'statusCode': 200, 'headers': {'X-A': '0', 'x-b': 'b'}, 'multiValueHeaders': {'x-a': ['1', '2']}}",
        "({statusCode: 200, headers: {'X-A': '0', 'x-b': 'b'}, multiValueHeaders: {'x-a': ['1', '2']}})",
        headers={"x-a": "1, 2", "x-b": "b"})
answers("response: cookies", "{'statusCode': 200, 'cookies': ['a=1; Path=/', 'b=2']}",
        "({statusCode: 200, cookies: ['a=1; Path=/', 'b=2']})", headers={"set-cookie": "a=1; Path=/, b=2"})
answers("response: a null header is absent", "{'statusCode': 200, 'headers': {'x-a': None, 'x-b': '1'}}",
        "({statusCode: 200, headers: {'x-a': null, 'x-b': '1'}})", headers={"x-a": None, "x-b": "1"})
for what, value in (("a line break", "a\\r\\nx-evil: 1"), ("a line feed", "a\\nb"), ("a NUL", "a\\x00b")):
    answers(f"response: {what} in a header is an error", f"{{'statusCode': 200, 'headers': {{'x-a': '{value}'}}}}",
            f"({{statusCode: 200, headers: {{'x-a': '{value}'}}}})", error=(None, "x-a.*line break"))
for what, name in (("a space", "x a"), ("a colon", "x:a"), ("a line break", "x\\na"), ("nothing", "")):
    answers(f"response: {what} as header name is an error", f"{{'statusCode': 200, 'headers': {{'{name}': '1'}}}}",
            f"({{statusCode: 200, headers: {{'{name}': '1'}}}})", error=(None, "header name .* not valid"))
answers("response: a header that is an object is an error", "{'statusCode': 200, 'headers': {'x-a': {'b': 1}}}",
        "({statusCode: 200, headers: {'x-a': {b: 1}}})", error=("TypeError", "x-a"))
answers("response: headers that are no object are an error", "{'statusCode': 200, 'headers': ['x-a']}",
        "({statusCode: 200, headers: ['x-a']})", error=("TypeError", "headers must be"))
answers("response: a line break in a cookie is an error", "{'statusCode': 200, 'cookies': ['a=1\\nb']}",
        "({statusCode: 200, cookies: ['a=1\\nb']})", error=(None, "line break"))
answers("response: body text", "{'statusCode': 200, 'body': 'h\u00e9'}", "({statusCode: 200, body: 'h\u00e9'})", body="h\u00e9",
        headers={"content-type": TEXT})
answers("response: body bytes", "{'statusCode': 200, 'body': b'\\xff\\x00'}",
        "({statusCode: 200, body: Buffer.from([255, 0])})", body=b"\xff\x00",
        headers={"content-type": "application/octet-stream"})
answers("response: body null", "{'statusCode': 200, 'body': None}", "({statusCode: 200, body: null})", body="",
        headers={"content-type": None})
answers("response: body object", "{'statusCode': 200, 'body': {'a': [1]}}", "({statusCode: 200, body: {a: [1]}})",
        json={"a": [1]}, headers={"content-type": "application/json"})
answers("response: body number", "{'statusCode': 200, 'body': 7}", "({statusCode: 200, body: 7})", body="7",
        headers={"content-type": "application/json"})
answers("response: body false", "{'statusCode': 200, 'body': False}", "({statusCode: 200, body: false})", body="false")
answers("response: body list", "{'statusCode': 200, 'body': [1, 2]}", "({statusCode: 200, body: [1, 2]})", json=[1, 2])
case("response: a body of 3 MiB", "return {'statusCode': 200, 'body': 'x' * 3145728}",
     "return {statusCode: 200, body: 'x'.repeat(3145728)};", body=b"x" * 3145728)
case("response: the same headers many times, the body changes",
     "global n; n = globals().get('n', 0) + 1; return {'statusCode': 200, 'headers': {'x-a': 'b'}, 'body': str(n)}",
     "globalThis.n = (globalThis.n || 0) + 1; return {statusCode: 200, headers: {'x-a': 'b'}, body: String(n)};",
     calls=40, body="40", headers={"x-a": "b"})
case("response: header values that are equal but not the same",
     "global n; n = not globals().get('n', False); return {'statusCode': 200, 'headers': {'x-a': 1 if n else '1.0'}}",
     "globalThis.n = !globalThis.n; return {statusCode: 200, headers: {'x-a': n ? 1 : '1.0'}};", calls=2,
     headers={"x-a": "1.0"})

# base64


def image(name, python, node, expected=PNG, content_type="image/png", extra="", **rest):
    case("base64: " + name,
         f"return {{'statusCode': 200, 'headers': {{'Content-Type': {content_type!r}}}, 'body': {python}{extra}}}",
         f"return {{statusCode: 200, headers: {{'Content-Type': {content_type!r}}}, 'body': {node}{extra.replace('True', 'true').replace('False', 'false')}}};",
         body=expected, headers={"content-type": content_type}, **rest)


image("asked for", f"'{PNG64}'", f"'{PNG64}'", extra=", 'isBase64Encoded': True")
image("asked for with any content type", f"'{PNG64}'", f"'{PNG64}'", content_type="text/html",
      extra=", 'isBase64Encoded': True")
image("asked for as bytes", f"b'{PNG64}'", f"Buffer.from('{PNG64}')", extra=", 'isBase64Encoded': True")
image("refused", f"'{PNG64}'", f"'{PNG64}'", PNG64.encode(), extra=", 'isBase64Encoded': False")
for kind in ("image/png", "IMAGE/JPEG", "audio/mpeg", "video/mp4", "font/woff2", "application/pdf", "application/zip",
             "image/webp; q=1"):
    image(f"found in {kind}", f"'{PNG64}'", f"'{PNG64}'", content_type=kind)
for kind in ("image/svg+xml", "audio/mpegurl", "audio/x-mpegurl", "text/plain", "application/json", "application/pdfx",
             "application/octet-stream"):
    image(f"not looked for in {kind}", f"'{PNG64}'", f"'{PNG64}'", PNG64.encode(), content_type=kind)
image("found in bytes", f"b'{PNG64}'", f"Buffer.from('{PNG64}')")
image("an image as it is", f"bytes.fromhex('{PNG.hex()}')", f"Buffer.from('{PNG.hex()}', 'hex')")
image("not when padding is missing", f"'{PNG64.rstrip('=')}'", f"'{PNG64.rstrip('=')}'",
      PNG64.rstrip("=").encode() if PNG64.endswith("=") else PNG)
image("not when it is longer than the base64", "'AAAA!'", "'AAAA!'", b"AAAA!")
image("not when there are line breaks", "'AAAA\\nAAAA'", "'AAAA\\nAAAA'", b"AAAA\nAAAA")
image("not when padding is inside", "'AA==AAAA'", "'AA==AAAA'", b"AA==AAAA")
image("not when it is empty", "''", "''", b"")
image("of one byte", "'/w=='", "'/w=='", b"\xff")
case("base64: asked for, but it is not", "return {'statusCode': 200, 'body': 'not base64!', 'isBase64Encoded': True}",
     "return {statusCode: 200, body: 'not base64!', isBase64Encoded: true};", error=(None, "base64"))
case("base64: asked for with an empty body", "return {'statusCode': 200, 'body': '', 'isBase64Encoded': True}",
     "return {statusCode: 200, body: '', isBase64Encoded: true};", body="")
case("base64: asked for with an object", "return {'statusCode': 200, 'body': {}, 'isBase64Encoded': True}",
     "return {statusCode: 200, body: {}, isBase64Encoded: true};", error=("TypeError", "Base64"))
case("base64: without a content type the default is bytes",
     f"return {{'statusCode': 200, 'body': '{PNG64}', 'isBase64Encoded': True}}",
     f"return {{statusCode: 200, body: '{PNG64}', isBase64Encoded: true}};", body=PNG,
     headers={"content-type": "application/octet-stream"})

# streams

case("stream: a generator as body", {"main.py": """
def parts():
    yield 'a'
    yield 'b'
def handle(event):
    return {'statusCode': 201, 'headers': {'X-A': '1'}, 'body': parts()}
"""}, {"main.js": """
function* parts() { yield 'a'; yield 'b'; }
exports.handle = () => ({statusCode: 201, headers: {'X-A': '1'}, body: parts()});
"""}, status=201, body="ab", headers={"x-a": "1", "content-type": TEXT})
case("stream: an async generator as body", {"main.py": """
import asyncio
async def parts():
    yield 'a'
    await asyncio.sleep(0.01)
    yield 'b'
async def handle(event):
    return {'statusCode': 200, 'body': parts()}
"""}, {"main.js": """
async function* parts() { yield 'a'; await new Promise((r) => setTimeout(r, 10)); yield 'b'; }
exports.handle = async () => ({statusCode: 200, body: parts()});
"""}, body="ab")
case("stream: an async generator from an ordinary handler", {"main.py": """
async def parts():
    yield b'a'
    yield b'b'
def handle(event):
    return {'statusCode': 200, 'body': parts()}
"""}, {"main.js": """
async function* parts() { yield Buffer.from('a'); yield Buffer.from('b'); }
exports.handle = () => ({statusCode: 200, body: parts()});
"""}, body="ab", headers={"content-type": "application/octet-stream"})
case("stream: the handler is a generator", {"main.py": "def handle(event):\n    yield 'a'\n    yield 'b'\n"},
     {"main.js": "exports.handle = function* (event) { yield 'a'; yield 'b'; };"}, body="ab",
     headers={"content-type": TEXT})
case("stream: the handler is an async generator",
     {"main.py": "async def handle(event, context):\n    yield b'a'\n    yield b'b'\n"},
     {"main.js": "exports.handle = async function* (event) { yield Buffer.from('a'); yield Buffer.from('b'); };"}, body="ab",
     headers={"content-type": "application/octet-stream"})
case("stream: a file", {"main.py": "import io\ndef handle(event):\n    return {'statusCode': 200, 'body': io.BytesIO(b'a\\nb')}\n"},
     {"main.js": "exports.handle = () => ({statusCode: 200, body: require('stream').Readable.from(['a\\n', 'b'])});"}, body="a\nb")
case("stream: one megabyte in one piece", "return {'statusCode': 200, 'body': iter([b'x' * 1048576])}",
     "return {statusCode: 200, body: [Buffer.alloc(1048576, 'x')].values()};", body=b"x" * 1048576)
case("stream: ten thousand pieces", "return {'statusCode': 200, 'body': (b'%4d' % i for i in range(10000))}", """
     function* parts() { for (let i = 0; i < 10000; ++i) yield Buffer.from(String(i).padStart(4)); }
     return {statusCode: 200, body: parts()};
     """, body=b"".join(b"%4d" % i for i in range(10000)))
case("stream: an empty one", "return {'statusCode': 200, 'body': iter([])}", "return {statusCode: 200, body: [].values()};", body="")
case("stream: fails before its first piece", {"main.py": "def handle(event):\n    raise KeyError('early')\n    yield 'a'\n"},
     {"main.js": "exports.handle = function* (event) { throw new TypeError('early'); };"}, error=(None, "early"))
case("stream: fails in the middle", {"main.py": "def handle(event):\n    yield 'a'\n    raise KeyError('late')\n"},
     {"main.js": "exports.handle = function* (event) { yield 'a'; throw new TypeError('late'); };"}, error=(None, "late"),
     only="worker")
case("stream: a piece that is neither text nor bytes", "return iter([{'a': 1}])", "return [{a: 1}].values();",
     error=("TypeError", "piece"))
case("stream: cannot be base64", "return {'statusCode': 200, 'body': iter(['a']), 'isBase64Encoded': True}",
     "return {statusCode: 200, body: ['a'].values(), isBase64Encoded: true};", error=("TypeError", "stream"))

# --- errors -----------------------------------------------------------------------------------------------------

case("error: type and message", "raise KeyError('no such thing')", "throw new RangeError('no such thing');",
     error=("KeyError|RangeError", "no such thing"))
case("error: an own class", {"main.py": "class OrderError(Exception): pass\ndef handle(event):\n    raise OrderError('x')\n"},
     {"main.js": "class OrderError extends Error {}\nexports.handle = async () => { throw new OrderError('x'); };"},
     error=("OrderError", "^x$"))
case("error: what is not JSON", "return {'a': object()}", "return {a: 10n};", error=("TypeError", "JSON|serialize"))
case("error: a body that is not JSON", "return {'statusCode': 200, 'body': {1, 2}}",
     "return {statusCode: 200, body: {a: 1n}};", error=("TypeError", "JSON|serialize"))
case("error: a circle", "a = []; a.append(a); return a", "const a = {}; a.a = a; return a;", error=(None, "[Cc]ircular"))
case("error: NaN is not JSON", "return {'a': float('nan')}", error=("ValueError", "not JSON"))
case("error: a text is thrown", node="throw 'plain text';", error=("Error", "plain text"))
case("error: a rejected promise", node={"main.js": "exports.handle = () => Promise.reject(new Error('no'));"}, error=("Error", "^no$"))
case("error: KeyboardInterrupt fails the call only", "raise KeyboardInterrupt('x')", error=("KeyboardInterrupt", "x"))
case("error: the next call is not affected", """
     global n
     n = globals().get('n', 0) + 1
     if n % 2:
         raise ValueError(n)
     return str(n)
     """, "globalThis.n = (globalThis.n || 0) + 1; if (n % 2) throw new Error(n); return String(n);", calls=4, body="4")
case("error: without a message", "raise ValueError", "throw new Error();", error=("ValueError|Error", "^$"))
case("error: an exception that cannot be printed", {"main.py": """
class Bad(Exception):
    def __str__(self):
        raise RuntimeError('no')
def handle(event):
    raise Bad()
"""}, error=("Bad", ""))

# --- loading ----------------------------------------------------------------------------------------------------

case("load: handler named by file and function", {"other.py": "def run(event):\n    return 'ok'\n"},
     {"other.js": "exports.run = () => 'ok';"}, handler="other.run", body="ok")
case("load: handler in a folder", {"src/main.py": "import side\ndef run(event):\n    return side.text\n", "src/side.py": "text = 'ok'"},
     {"src/main.js": "const side = require('./side');\nexports.run = () => side.text;", "src/side.js": "exports.text = 'ok';"},
     handler="src/main.run", body="ok")
case("load: handler in a package", {"pkg/__init__.py": "", "pkg/mod.py": "from . import side\ndef run(event):\n    return side.text\n",
                                    "pkg/side.py": "text = 'ok'"},
     {"pkg/mod.js": "exports.run = () => 'ok';"}, handler="pkg.mod.run", body="ok")
for stem in ("function", "main", "index", "handler", "app"):
    case(f"load: {stem} is found without being named", {stem + ".py": "def handle(event):\n    return 'ok'\n"},
         {stem + ".js": "exports.handle = () => 'ok';"}, handler="", body="ok")
for name in ("handle", "handler", "main"):
    case(f"load: function {name} is found without being named", {"function.py": f"def {name}(event):\n    return 'ok'\n"},
         {"function.js": f"exports.{name} = () => 'ok';"}, handler="", body="ok")
case("load: the order of files and functions", {"main.py": "def handle(event): return 'main'", "function.py":
                                                "def handler(event): return 'handler'\ndef handle(event): return 'handle'"},
     {"main.js": "exports.handle = () => 'main';", "function.js": "exports.handler = () => 'handler'; exports.handle = () => 'handle';"},
     handler="", body="handle")
case("load: a missing file", {"main.py": ""}, {"main.js": ""}, handler="nothing.handle", load_error=("HandlerNotFound", "nothing"))
case("load: a missing function", {"main.py": "def other(event): pass"}, {"main.js": "exports.other = () => 1;"},
     handler="main.handle", load_error=("HandlerNotFound", "other"))
case("load: nothing to find", {"x.py": ""}, {"x.js": ""}, handler="", load_error=("HandlerNotFound", "No handler"))
case("load: a handler without a function", {"main.py": ""}, {"main.js": ""}, handler="main", load_error=("HandlerNotFound", "names no function"))
case("load: a syntax error", {"main.py": "def handle(event:\n    pass\n"}, {"main.js": "exports.handle = (event => {"},
     load_error=("SyntaxError", ""))
case("load: a missing module", {"main.py": "import surely_not_there\ndef handle(event): pass"},
     {"main.js": "require('surely-not-there'); exports.handle = () => 1;"}, load_error=("ModuleNotFoundError|Error", "surely"))
case("load: an exception", {"main.py": "raise ValueError('at load')"}, {"main.js": "throw new RangeError('at load');"},
     load_error=("ValueError|RangeError", "at load"))
case("load: the module ends the process", {"main.py": "import sys\nsys.exit(3)"}, load_error=("SystemExit", "3"))
case("load: too many parameters", {"main.py": "def handle(a, b, c): pass"}, load_error=("HandlerNotFound", "parameters"))
case("load: one parameter", {"main.py": "def handle(event): return event['httpMethod']"},
     {"main.js": "exports.handle = (event) => event.httpMethod;"}, body="GET")
case("load: any number of parameters", {"main.py": "def handle(*args): return str(len(args))"},
     {"main.js": "exports.handle = (...args) => String(args.length);"}, body="2")
case("load: no parameters", {"main.py": "def handle(): return 'ok'"}, {"main.js": "exports.handle = () => 'ok';"}, body="ok")
case("load: an async handler", {"main.py": "import asyncio\nasync def handle(event, context):\n    await asyncio.sleep(0.01)\n    return 'ok'\n"},
     {"main.js": "exports.handle = async () => { await new Promise((r) => setTimeout(r, 10)); return 'ok'; };"}, body="ok")
case("load: a handler that returns an awaitable", {"main.py": "async def later(): return 'ok'\ndef handle(event): return later()\n"},
     {"main.js": "exports.handle = () => ({then(done) { setTimeout(() => done('ok'), 5); }});"}, body="ok")
case("load: an object that can be called", {"main.py": "class A:\n    def __call__(self, event, context): return 'ok'\nhandle = A()\n"}, body="ok")
case("load: a partial", {"main.py": "import functools\ndef run(word, event): return word\nhandle = functools.partial(run, 'ok')\n"}, body="ok")
case("load: what the bundle brings wins over the standard library",
     {"main.py": "import queue, json\ndef handle(event): return queue.mine + json.mine", "queue.py": "mine = 'o'", "json.py": "mine = 'k'"},
     body="ok")
case("load: packages beside the code", {"main.py": "import dep\ndef handle(event): return dep.text", "_deps/dep/__init__.py": "text = 'ok'"},
     {"main.js": "const dep = require('dep'); exports.handle = () => dep;", "node_modules/dep/index.js": "module.exports = 'ok';"}, body="ok")
case("load: module.exports is the function", node={"main.js": "module.exports = async (event) => 'ok';"}, body="ok")
case("load: an ES module", node={"main.mjs": "import fs from 'fs';\nexport const handle = async () => typeof fs.readFileSync;"}, body="function")
case("load: an ES module by package.json", node={"main.js": "export async function handle() { return 'ok'; }", "package.json": '{"type": "module"}'}, body="ok")
case("load: an ES module's default", node={"main.mjs": "export default async () => 'ok';"}, body="ok")
case("load: a CommonJS file in an ES package", node={"main.cjs": "exports.handle = () => 'ok';", "package.json": '{"type": "module"}'}, body="ok")
case("load: a folder with an index", node={"main/index.js": "exports.handle = () => 'ok';"}, body="ok")
case("load: top-level await", node={"main.mjs": "const text = await Promise.resolve('ok');\nexport const handle = () => text;"}, body="ok")
case("callback: a value", node={"main.js": "exports.handle = (event, context, callback) => { setTimeout(() => callback(null, 'ok'), 5); };"}, body="ok")
case("callback: an error", node={"main.js": "exports.handle = (event, context, callback) => { callback(new RangeError('no')); };"}, error=("RangeError", "no"))
case("callback: a throw", node={"main.js": "exports.handle = (event, context, callback) => { throw new RangeError('no'); };"}, error=("RangeError", "no"))
case("callback: a promise instead", node={"main.js": "exports.handle = async (event, context, callback) => 'ok';"}, body="ok")
case("callback: twice is once", node={"main.js": "exports.handle = (event, context, callback) => { callback(null, 'ok'); callback(null, 'no'); };"}, body="ok")

# --- environment ------------------------------------------------------------------------------------------------

case("environment: exactly what was given", "import os; return sorted(os.environ)", "return Object.keys(process.env).sort();",
     environment={"A": "1"}, json=["A", "HOME", "LANG", "PATH"], only="worker")
case("environment: a variable", "import os; return os.environ['GREETING']", "return process.env.GREETING;",
     environment={"GREETING": "h\u00e9 = 1"}, body="h\u00e9 = 1")
case("environment: the working folder is the code", {"main.py": "def handle(event): return open('note.txt').read()", "note.txt": "ok"},
     {"main.js": "exports.handle = () => require('fs').readFileSync('note.txt', 'utf8');", "note.txt": "ok"}, body="ok")
case("environment: the time zone", "import time; return time.strftime('%H', time.localtime(0))",
     "return String(new Date(0).getHours()).padStart(2, '0');", environment={"TZ": "Asia/Tokyo"}, body="09")

# --- logs -------------------------------------------------------------------------------------------------------

case("log: lines", "print('one'); print('two\\nthree')",
     "process.stdout.write('one\\n'); process.stdout.write('two\\nthree\\n');", status=204,
     logs=[("info", "one"), ("info", "two"), ("info", "three")])
case("log: a line without its end", "print('a', end=''); print('b', end='')",
     "process.stdout.write('a'); process.stdout.write('b');", status=204, logs=[("info", "ab")])
case("log: a line that is too long is one record", "print('x' * 70000); print('y')",
     "process.stdout.write('x'.repeat(70000)); process.stdout.write('\\ny\\n');", status=204,
     logs=[("info", "x" * 70000), ("info", "y")])
case("log: stderr", "import sys; print('bad', file=sys.stderr)", "process.stderr.write('bad\\n');", status=204, logs=[("warn", "bad")])
case("log: levels", """
     import logging
     logging.debug('0'); logging.info('1 %s', 'x'); logging.warning('2'); logging.error('3'); logging.getLogger('a.b').info('4')
     """, "console.debug('0'); console.info('1 %s', 'x'); console.warn('2'); console.error('3'); console.log('4');", status=204,
     logs=None)
CASES[-1].logs = {"python": [("info", "1 x"), ("warn", "2"), ("error", "3"), ("info", "4")],
                  "node": [("debug", "0"), ("info", "1 x"), ("warn", "2"), ("error", "3"), ("info", "4")]}
case("log: a traceback is one record", """
     import logging
     try:
         1 / 0
     except ZeroDivisionError:
         logging.exception('oh')
     """, status=204, logs=[("error", r"re:oh\nTraceback[\s\S]*ZeroDivisionError")])
case("log: an object", node="console.log({a: [1, {b: 2}]});", status=204, logs=[("info", "{ a: [ 1, { b: 2 } ] }")])
case("log: before a failure", "print('x'); raise ValueError('no')", "console.log('x'); throw new Error('no');",
     error=(None, "no"), logs=[("info", "x")])
case("log: bytes", "import sys; sys.stdout.buffer.write(b'a\\xff\\n')", "process.stdout.write(Buffer.from('a\\n'));", status=204,
     logs=None)
CASES[-1].logs = {"python": [("info", "a\ufffd")], "node": [("info", "a")]}
case("log: in every call its own", "print(event['body']); return event['body']", "console.log(event.body); return event.body;",
     request={"method": "POST", "body": "x"}, calls=3, body="x", logs=[("info", "x")])
case("log: inside an async handler", {"main.py": "import asyncio\nasync def handle(event):\n    print('a')\n    await asyncio.sleep(0)\n    print('b')\n"},
     {"main.js": "exports.handle = async () => { console.log('a'); await 1; console.log('b'); };"}, status=204,
     logs=[("info", "a"), ("info", "b")])

# --- WSGI and ASGI ----------------------------------------------------------------------------------------------

WSGI = """
def app(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/boom':
        raise KeyError('boom')
    if path == '/stream':
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return (b'%d' % i for i in range(10))
    if path == '/write':
        write = start_response('200 OK', [('Content-Type', 'text/plain')])
        write(b'written ')
        return [b'returned']
    if path == '/bad':
        start_response('200 OK', [('X-A', 'a\\r\\nb: c')])
        return [b'']
    if path == '/silent':
        return [b'x']
    body = environ['wsgi.input'].read()
    text = repr([environ['REQUEST_METHOD'], path, environ['QUERY_STRING'], environ['CONTENT_LENGTH'],
                 environ.get('CONTENT_TYPE'), environ.get('HTTP_X_A'), len(body)])
    start_response('201 Created', [('Content-Type', 'text/plain'), ('X-B', '1'), ('X-B', '2')])
    return [text.encode()]
"""


def wsgi(name, path, **rest):
    request = {"path": path, **rest.pop("request", {})}
    case("wsgi: " + name, {"main.py": WSGI}, handler="main.app", request=request, **rest)


wsgi("the request and the answer", "/p", status=201, headers={"x-b": "1, 2", "content-type": "text/plain"},
     body="['POST', '/p', 'a=%20', '3', 'text/x', 'v', 3]",
     request={"method": "POST", "query": "a=%20", "body": b"\xff\x00\x01", "headers": [("Content-Type", "text/x"), ("X-A", "v")]})
wsgi("a stream", "/stream", body="0123456789")
wsgi("write()", "/write", body="written returned")
wsgi("an exception", "/boom", error=("KeyError", "boom"))
wsgi("a line break in a header", "/bad", error=("ValueError", "X-A"))
wsgi("no start_response", "/silent", error=(None, ""))
case("wsgi: found without being named", {"app.py": WSGI}, handler="", status=201, matches="GET")

ASGI = """
state = []

async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        await receive()
        state.append('started')
        await send({'type': 'lifespan.startup.complete'})
        await receive()
        print('shut down')
        await send({'type': 'lifespan.shutdown.complete'})
        return
    path = scope['path']
    if path == '/boom':
        raise KeyError('boom')
    if path == '/silent':
        return
    headers = [(b'content-type', b'text/plain'), (b'x-b', b'1'), (b'x-b', b'2')]
    if path == '/bad':
        headers.append((b'x-a', b'a\\r\\nb: c'))
    await send({'type': 'http.response.start', 'status': 201, 'headers': headers})
    if path == '/stream':
        for i in range(10):
            await send({'type': 'http.response.body', 'body': b'%d' % i, 'more_body': True})
        await send({'type': 'http.response.body', 'body': b''})
        return
    message = await receive()
    text = repr([scope['method'], path, scope['raw_path'], scope['query_string'], message['more_body'],
                 [value for name, value in scope['headers'] if name == b'x-a'], len(message['body']), state])
    await send({'type': 'http.response.body', 'body': text.encode()})
"""


def asgi(name, path, **rest):
    request = {"path": path, **rest.pop("request", {})}
    case("asgi: " + name, {"main.py": ASGI}, handler="main.app", request=request, **rest)


asgi("the request and the answer", "/p q", status=201, headers={"x-b": "1, 2", "content-type": "text/plain"},
     body="['POST', '/p q', b'/p%20q', b'a=%20', False, [b'1', b'2'], 3, ['started']]", only="worker",
     request={"method": "POST", "query": "a=%20", "body": b"\xff\x00\x01", "headers": [("X-A", "1"), ("X-A", "2")]})
for raw, path, told in (("/functions/f/%C3%A9/x%2Fy", "/é/x%2Fy", "/%C3%A9/x%2Fy"),
                        ("/functions/f/%2541/%5c", "/%41/%5C", "/%2541/%5c"),
                        ("/functions/f/b/../a//%63", "/a/c", "/a/c"), ("/functions/f", "/", "/")):
    asgi("the path as it was sent, " + raw, path, status=201, only="worker", request={"original_path": raw},
         body=f"['GET', {path!r}, {told.encode()!r}, b'', False, [], 0, ['started']]")
asgi("a stream", "/stream", status=201, body="0123456789")
asgi("an exception", "/boom", error=("KeyError", "boom"))
asgi("a line break in a header", "/bad", error=("ValueError", "x-a"))
asgi("no answer", "/silent", error=("RuntimeError", "without a complete answer"))
case("asgi: an application without lifespan", {"main.py": """
async def app(scope, receive, send):
    assert scope['type'] == 'http'
    await send({'type': 'http.response.start', 'status': 200})
    await send({'type': 'http.response.body', 'body': b'ok'})
"""}, handler="main.app", body="ok")
case("asgi: a startup that fails", {"main.py": """
async def app(scope, receive, send):
    await receive()
    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})
"""}, handler="main.app", load_error=("RuntimeError", "no database"))

# --- what people start with ---------------------------------------------------------------------------------------

case("sample: greeting", {"function.py": """
def handle(request):
    name = request.get('name', 'World')
    return {
        'statusCode': 200,
        'body': f'Hello, {name}!'
    }
"""}, handler="function.handle", request={"method": "POST", "body": '{"name": "Alice"}'}, body="Hello, Alice!")
case("sample: an image in and out", {"process_image.py": """
import base64

def handle(event):
    image = base64.b64decode(event['data'])
    return {
        'statusCode': 200,
        'body': base64.b64encode(image[::-1]),
        'headers': {'Content-Type': 'image/jpeg'}
    }
"""}, handler="process_image.handle", request={"method": "POST", "body": PNG}, body=PNG[::-1], headers={"content-type": "image/jpeg"})
case("sample: an order", node={"handle_order.js": """
module.exports.handle = async (event) => {
  const order = JSON.parse(event.data);
  await validateOrder(order);
  return {
    statusCode: 200,
    body: JSON.stringify({
      orderId: order.id,
      status: "processed",
    }),
  };
};
async function validateOrder(order) { if (!order.id) throw new Error("no id"); }
"""}, handler="handle_order.handle", request={"method": "POST", "body": '{"id": 7}'}, json={"orderId": 7, "status": "processed"})
