# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import pathlib
import time

import requests
from hks_server import wait_until


def test_a_crash_is_a_502_and_the_next_call_gets_a_new_instance(server, name):
    server.deploy_source(name, "import os\ndef handle(event):\n    if event['path'] == '/die': os._exit(3)\n    return 'alive'\n")
    assert server.call(name).text == "alive"
    died = server.call(name, "/die")
    assert died.status_code == 502
    assert died.json()["code"] == "INVOCATION_FAILED"
    assert server.call(name).text == "alive"


def test_a_hang_is_a_504_and_the_instance_is_replaced(server, name):
    server.deploy_source(name, "import os, time\ndef handle(event):\n    if event['path'] == '/hang': time.sleep(60)\n    return str(os.getpid())\n",
                         resources={"timeout": "1s"})
    first = server.call(name).text
    begin = time.monotonic()
    hung = server.call(name, "/hang")
    assert hung.status_code == 504 and hung.json()["code"] == "INVOCATION_TIMEOUT"
    assert 0.9 < time.monotonic() - begin < 3
    assert server.call(name).text != first


def test_a_throw_is_a_500_that_hides_message_and_stack(server, name):
    server.deploy_source(name, "def handle(event):\n    raise ValueError('the secret reason')\n")
    thrown = server.call(name)
    assert thrown.status_code == 500
    body = thrown.json()
    assert body["code"] == "INVOCATION_FAILED" and body["details"]["type"] == "ValueError"
    assert "secret reason" not in thrown.text
    done = server.cli("function", "invoke", name)
    assert done.returncode == 1 and "the secret reason" in done.stderr and "function.py" in done.stderr
    logs = server.cli("function", "logs", name, "--level", "error").stdout
    assert "the secret reason" in logs


def test_memory_over_the_limit_ends_the_instance_with_a_reason(server, name):
    server.deploy_source(name, "def handle(event):\n    return str(len(bytearray(400_000_000)))\n",
                         resources={"memory": "64Mi"})
    answer = server.call(name)
    assert answer.status_code == 502
    assert "memory" in answer.json()["error"]


def test_idle_instances_stop_after_the_scale_down_delay(server, name):
    server.deploy_source(name, "def handle(event):\n    return 'x'\n", scaling={"scaleDownDelay": "1s"})
    cold = server.call(name)
    assert cold.headers["x-hks-cold-start"] == "true"
    assert server.call(name).headers["x-hks-cold-start"] == "false"
    assert server.instances(name) == 1
    wait_until(lambda: server.instances(name) == 0, 5)
    assert server.call(name).headers["x-hks-cold-start"] == "true"


def test_min_scale_keeps_instances(server, name):
    server.deploy_source(name, "def handle(event):\n    return 'x'\n", scaling={"minScale": 2, "scaleDownDelay": "0s"})
    wait_until(lambda: server.instances(name, "idle") == 2, 10)
    assert server.call(name).headers["x-hks-cold-start"] == "false"
    time.sleep(1.2)
    assert server.instances(name) == 2
    server.delete(name)


def test_concurrency_one_never_runs_two_calls_at_once(server, name):
    server.deploy_source(name, """
import threading, time
running = 0
worst = 0
def handle(event):
    global running, worst
    running += 1
    worst = max(worst, running)
    time.sleep(0.002)
    running -= 1
    return str(worst)
""", scaling={"maxScale": 2})
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda _: server.call(name).text, range(200)))
    assert set(results) == {"1"}


def test_max_scale_bounds_the_instances(server, name):
    server.deploy_source(name, "import os, time\ndef handle(event):\n    time.sleep(0.1)\n    return str(os.getpid())\n",
                         scaling={"maxScale": 3})
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        pids = list(pool.map(lambda _: requests.get(f"{server.url}/functions/{name}").text, range(20)))
    assert len(set(pids)) <= 3


def test_a_full_queue_is_a_429_with_retry_after(server, name):
    server.deploy_source(name, "import time\ndef handle(event):\n    time.sleep(1)\n    return 'x'\n",
                         scaling={"maxScale": 1, "queueSize": 2})
    assert server.call(name).status_code == 200
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: requests.get(f"{server.url}/functions/{name}"), range(8)))
    refused = [a for a in answers if a.status_code == 429]
    assert refused and all(a.json()["code"] == "CONCURRENCY_LIMIT_EXCEEDED" for a in refused)
    assert all(int(a.headers["retry-after"]) >= 1 for a in refused)
    assert [a.status_code for a in answers].count(200) >= 3


def test_one_exit_in_a_hundred_gives_exactly_one_502(server, name):
    server.deploy_source(name, """
import os, time
def handle(event):
    number = int(event['queryStringParameters']['n'])
    if number == 50: os._exit(1)
    if number % 2: return 'fast'
    time.sleep(0.02)
    return 'slow'
""", scaling={"maxScale": 4})

    def call(number):
        return requests.get(f"{server.url}/functions/{name}?n={number}").status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(call, range(100)))
    assert codes.count(502) == 1 and codes.count(200) == 99
    assert codes[50] == 502


def test_a_client_that_leaves_cancels_its_waiting_call(server, name):
    server.deploy_source(name, """
import time, pathlib
def handle(event):
    print('ran', event['path'])
    time.sleep(0.7)
    return 'x'
""", scaling={"maxScale": 1})
    server.call(name, "/warm")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(server.call, name, "/first")
        time.sleep(0.2)
        try:
            requests.get(f"{server.url}/functions/{name}/left", timeout=0.2)
        except requests.Timeout:
            pass
        assert first.result().status_code == 200
    time.sleep(0.3)
    assert "ran /left" not in server.cli("function", "logs", name).stdout


def test_streams_arrive_piece_by_piece(server, name):
    server.deploy_source(name, """
import time
def handle(event):
    def parts():
        for number in range(3):
            yield f'part {number}\\n'
            time.sleep(0.3)
    return {'statusCode': 200, 'headers': {'content-type': 'text/plain'}, 'body': parts()}
""")
    begin = time.monotonic()
    times = []
    with requests.get(f"{server.url}/functions/{name}", stream=True) as answer:
        for line in answer.iter_lines(chunk_size=1):
            times.append((line.decode(), time.monotonic() - begin))
    assert [t[0] for t in times] == ["part 0", "part 1", "part 2"]
    assert times[0][1] < 0.4 < times[2][1]


def test_a_slow_reader_of_a_big_stream_does_not_fill_the_server(server, name):
    server.deploy_source(name, """
def handle(event):
    def parts():
        for _ in range(2000):
            yield b'x' * 65536
    return {'statusCode': 200, 'body': parts()}
""")
    def rss():
        for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    before = rss()
    with requests.get(f"{server.url}/functions/{name}", stream=True) as answer:
        time.sleep(1)
        assert rss() - before < 20_000
        assert sum(len(c) for c in answer.iter_content(1 << 20)) == 2000 * 65536


def test_logs_carry_level_version_and_invocation(server, name):
    server.deploy_source(name, """
import logging, sys
def handle(event):
    print('to stdout')
    print('to stderr', file=sys.stderr)
    logging.warning('a warning')
    return 'x'
""")
    invocation = server.call(name).headers["x-hks-invocation-id"]

    def lines():
        got = server.api("GET", f"/functions/{name}/logs?invocation_id={invocation}").json()["items"]
        return got if len(got) >= 3 else None
    got = {line["message"]: line for line in wait_until(lines, 5)}
    assert got["to stdout"]["stream"] == "stdout" and got["to stderr"]["stream"] == "stderr"
    assert got["a warning"]["level"] == "warn"
    assert all(line["version"] == 1 and line["invocation_id"] == invocation for line in got.values())


def test_logs_filter_by_level_and_time(server, name):
    server.deploy_source(name, "import logging\ndef handle(event):\n    logging.error('bad')\n    logging.info('fine')\n    return 'x'\n")
    server.call(name)
    wait_until(lambda: "bad" in server.cli("function", "logs", name).stdout, 5)
    only = server.cli("function", "logs", name, "--level", "error").stdout
    assert "bad" in only and "fine" not in only
    assert server.cli("function", "logs", name, "--until", "1h").stdout == ""
    assert server.cli("function", "logs", name, "--tail", "1").stdout.count("\n") == 1


def test_a_log_line_cannot_forge_another(server, name):
    server.deploy_source(name, "def handle(event):\n    print('a\\x1b[31mred\\r\\nb')\n    return 'x'\n")
    server.call(name)
    items = wait_until(lambda: server.api("GET", f"/functions/{name}/logs").json()["items"], 5)
    assert all("\n" not in item["message"] for item in items)


def test_function_logs_survive_a_restart(own_server):
    own_server.deploy_source("keeper", "def handle(event):\n    print('remember me')\n    return 'x'\n")
    own_server.call("keeper")
    own_server.stop()
    own_server.restart()
    assert "remember me" in own_server.cli("function", "logs", "keeper").stdout
    assert own_server.call("keeper").text == "x"


def test_answers_carry_phases_and_identity(server, name):
    server.deploy_source(name, "def handle(event, context):\n    return context.request_id\n")
    answer = server.call(name)
    assert answer.text == answer.headers["x-hks-invocation-id"]
    assert answer.headers["x-hks-version"] == "1"
    phases = {p.split(";")[0].strip() for p in answer.headers["server-timing"].split(",")}
    assert {"queue", "start", "run"} <= phases


def test_metrics_count_by_function_and_version(server, name):
    server.deploy_source(name, "def handle(event):\n    if event['path'] == '/bad': raise KeyError('x')\n    return 'x'\n")
    for path in ("/", "/", "/bad"):
        server.call(name, path)
    text = server.api("GET", "/metrics").text
    lines = [line for line in text.splitlines() if f'function="{name}"' in line]
    total = sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("hks_requests_total"))
    assert total == 3
    assert any(line.startswith("hks_cold_starts_total") for line in lines)
    metrics = server.api("GET", f"/functions/{name}/metrics").json()
    assert metrics


def test_secrets_reach_the_function_and_nobody_else(server, name):
    value = "canary-5f1c9a"
    done = server.cli("secret", "create", name, f"--from-literal=url={value}")
    assert done.returncode == 0, done.stderr
    server.deploy_source(name, "import os\ndef handle(event):\n    return os.environ['DB_URL']\n",
                         environment={"secrets": [{"name": "DB_URL", "secretName": name, "secretKey": "url"}]})
    assert server.call(name).text == value
    assert value not in server.cli("secret", "list", "-o", "json").stdout
    assert value not in server.api("GET", f"/secrets/{name}").text
    for file in server.data.rglob("*"):
        if file.is_file():
            assert value.encode() not in file.read_bytes(), file


def test_the_environment_is_clean(server, name):
    server.deploy_source(name, "import os\ndef handle(event):\n    return dict(os.environ)\n",
                         environment={"variables": {"MINE": "1"}})
    environment = server.call(name).json()
    assert environment.pop("MINE") == "1"
    assert environment["HKS_FUNCTION_NAME"] == name and environment["HKS_FUNCTION_VERSION"] == "1"
    assert environment["HKS_WORKSPACE_NAME"] == "default"
    allowed = {"HKS_FUNCTION_NAME", "HKS_FUNCTION_VERSION", "HKS_WORKSPACE_NAME", "_HANDLER", "PATH", "HOME", "TMPDIR",
               "LANG", "TZ"}
    assert set(environment) <= allowed


def test_code_is_read_only_and_tmp_is_private(server, name):
    server.deploy_source(name, """
import os
def handle(event):
    try:
        open('x', 'w')
        wrote = True
    except OSError:
        wrote = False
    open('/tmp/mine', 'w').write('x')
    return {'wrote': wrote, 'tmp': os.listdir('/tmp'), 'uid': os.getuid()}
""")
    answer = server.call(name).json()
    assert answer["wrote"] is False and "mine" in answer["tmp"]
    assert not pathlib.Path("/tmp/mine").exists()
    import os
    if os.geteuid() == 0:
        assert answer["uid"] != 0
