# SPDX-License-Identifier: Apache-2.0
"""The contract's cases against the bare workers, and what only a worker's own protocol shows.

PYTHONS=/path/one:/path/two runs the Python cases on these interpreters too; NODE names another node."""

import json
import os
import pathlib
import re
import shutil
import time

import pytest

from cases import CASES
from worker_harness import CALL, CANCEL, CHUNK, HTTP, LOG, PING, Answer, Worker, WorkerDied

INTERPRETERS = [("python", path) for path in ["/usr/bin/python3", *os.environ.get("PYTHONS", "").split(":")] if path]
INTERPRETERS.append(("node", os.environ.get("NODE", shutil.which("node"))))
LEVELS = ("debug", "info", "warn", "error")


def write_bundle(folder, files):
    for name, text in files.items():
        path = pathlib.Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def name_of(interpreter):
    return pathlib.Path(interpreter[1]).parent.parent.name + "-" + pathlib.Path(interpreter[1]).name


@pytest.fixture(params=INTERPRETERS, ids=name_of)
def worker(request):
    with Worker(*request.param) as started:
        yield started


def load(worker, tmp_path, sources, handler="main.handle", **overrides):
    """Loads the source for the worker's language; READY's meta."""
    name = {"python": "main.py", "node": "main.js"}[worker.language]
    files = sources[worker.language]
    write_bundle(tmp_path, files if isinstance(files, dict) else {name: files})
    ready = worker.load(tmp_path, handler, **overrides)
    assert "message" not in ready, ready
    return ready


PAIRS = [pytest.param(interpreter, case, id=f"{name_of(interpreter)}-{case.name}")
         for interpreter in INTERPRETERS for case in CASES if interpreter[0] in case.files]


@pytest.mark.parametrize("interpreter, case", PAIRS)
def test_case(interpreter, case, tmp_path):
    language = interpreter[0]
    with Worker(*interpreter) as worker:
        write_bundle(tmp_path, case.files[language])
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", **case.environment}
        ready = worker.load(tmp_path, case.handler, environment=environment)
        if case.load_error:
            assert "message" in ready, ready
            assert re.fullmatch(case.load_error[0], ready["type"]), ready
            assert re.search(case.load_error[1], ready["message"]), ready
            return
        assert "message" not in ready, ready
        for _ in range(case.calls):
            answer = worker.call(case.request)
        check_answer(case, language, answer)


def check_answer(case, language, answer):
    if case.error:
        assert answer.error is not None, (answer.status, answer.body)
        assert case.error[0] is None or re.fullmatch(case.error[0], answer.error["type"]), answer.error
        assert re.search(case.error[1], answer.error["message"]), answer.error
        assert "hks_worker" not in answer.error["stack"] and "worker.js" not in answer.error["stack"], answer.error["stack"]
    else:
        assert answer.error is None, answer.error
        assert answer.status == case.status
        for name, value in case.headers.items():
            assert answer.header(name) == value, answer.headers
        if case.body is not None:
            assert answer.body == case.body
        if case.has_json:
            assert json.loads(answer.body) == case.json
        if case.matches:
            assert re.search(case.matches, answer.body.decode())
    expected = case.logs.get(language) if isinstance(case.logs, dict) else case.logs
    if expected is not None:
        found = [(LEVELS[level], text) for level, _, text in answer.logs]
        assert len(found) == len(expected), found
        for (level, text), (wanted_level, wanted) in zip(found, expected):
            assert level == wanted_level
            assert re.search(wanted[3:], text) if wanted.startswith("re:") else text == wanted


# What only the protocol shows

ECHO = {"python": "def handle(event): return event['body']", "node": "exports.handle = (event) => event.body;"}
SLEEP = {
    "python": "import asyncio\nasync def handle(event):\n    await asyncio.sleep(float(event['body']))\n    return event['body']\n",
    "node": "exports.handle = async (e) => { await new Promise((r) => setTimeout(r, e.body * 1000)); return e.body; };",
}
BLOCK = {
    "python": "import time\ndef handle(event):\n    time.sleep(float(event['body']))\n    return event['body']\n",
    "node": "exports.handle = (e) => { const end = Date.now() + e.body * 1000; while (Date.now() < end); return e.body; };",
}
ENDLESS = {
    "python": "def handle(event):\n    try:\n        while True: yield b'x' * 65536\n    finally: print('closed')\n",
    "node": "exports.handle = function* () { try { for (;;) yield Buffer.alloc(65536, 'x'); } finally { console.log('closed'); } };",
}


def body(text):
    return {"method": "POST", "body": text}


def test_says_hello_with_its_language_and_encoding(worker):
    assert worker.hello["language"] == worker.language
    assert worker.hello["encoding"] == {"python": "marshal", "node": "json"}[worker.language]
    assert re.fullmatch(r"\d+\.\d+\.\d+", worker.hello["version"])


def test_says_what_it_has_found(worker, tmp_path):
    ready = load(worker, tmp_path, SLEEP, "")
    assert ready == {"handler": "main.handle", "kind": "async", "concurrent": True}


def test_answers_a_ping_while_idle(worker, tmp_path):
    load(worker, tmp_path, ECHO)
    worker.send(PING, 7)
    assert worker.step() == (22, 7)


def test_answers_many_calls_sent_ahead_in_their_order(worker, tmp_path):
    load(worker, tmp_path, ECHO)
    ids = [worker.start(body(str(i))) for i in range(200)]
    order = []
    while len(order) < 200:
        kind, call = worker.step()
        order.append(call)
    assert order == ids
    assert [worker.answers[i].body for i in ids] == [str(i).encode() for i in range(200)]


def test_writes_the_id_of_the_call_it_starts(worker, tmp_path):
    load(worker, tmp_path, BLOCK)
    worker.call(body("0"))
    first = worker.start(body("0.3"))
    worker.start(body("0"))
    time.sleep(0.15)
    assert worker.started() == first
    worker.finish(first + 1)
    assert worker.started() == first + 1


def test_one_call_at_a_time_even_when_it_waits(worker, tmp_path):
    load(worker, tmp_path, SLEEP)
    begin = time.monotonic()
    ids = [worker.start(body("0.1")) for _ in range(3)]
    worker.finish(ids[-1])
    assert time.monotonic() - begin >= 0.3


def test_an_answer_leaves_before_the_next_slow_handler_starts(worker, tmp_path):
    load(worker, tmp_path, BLOCK)
    first = worker.start(body("0.03"))
    second = worker.start(body("1"))
    begin = time.monotonic()
    worker.finish(first)
    assert time.monotonic() - begin < 0.5
    worker.finish(second)


def test_odd_calls_quick_even_ones_slow(worker, tmp_path):
    load(worker, tmp_path, BLOCK)
    ids = [worker.start(body("0.3" if i % 2 else "0")) for i in range(6)]
    begin = time.monotonic()
    times = []
    for i in ids:
        worker.finish(i)
        times.append(time.monotonic() - begin)
    assert times[0] < 0.2 and times[2] - times[1] < 0.1 and times[4] - times[3] < 0.1, times


def test_a_surprisingly_slow_handler_does_not_keep_answers_back(tmp_path):
    with Worker("python") as worker:
        load(worker, tmp_path, BLOCK)
        for _ in range(50):
            worker.call(body("0"))
        ids = [worker.start(body("0")) for _ in range(5)]
        slow = worker.start(body("0.5"))
        begin = time.monotonic()
        for i in ids:
            worker.finish(i)
        assert time.monotonic() - begin < 0.3
        worker.finish(slow)


def test_several_calls_at_once(worker, tmp_path):
    load(worker, tmp_path, SLEEP, concurrency=8)
    begin = time.monotonic()
    ids = [worker.start(body("0.3")) for _ in range(8)]
    for i in ids:
        worker.finish(i)
    assert time.monotonic() - begin < 1.2


def test_blocking_handlers_at_once_in_threads(tmp_path):
    with Worker("python") as worker:
        assert load(worker, tmp_path, BLOCK, concurrency=4)["concurrent"]
        begin = time.monotonic()
        ids = [worker.start(body("0.3")) for _ in range(4)]
        for i in ids:
            worker.finish(i)
        assert time.monotonic() - begin < 0.9


@pytest.mark.parametrize("concurrency", [1, 4])
def test_logs_of_calls_at_once_belong_to_their_call(worker, tmp_path, concurrency):
    sources = {
        "python": "import asyncio\nasync def handle(e):\n    for i in range(3):\n        print(e['body'], i, end='')\n"
                  "        await asyncio.sleep(0.01)\n        print('.')\n",
        "node": "exports.handle = async (e) => { for (let i = 0; i < 3; ++i) { process.stdout.write(`${e.body} ${i}`); "
                "await new Promise((r) => setTimeout(r, 10)); process.stdout.write('.\\n'); } };",
    }
    load(worker, tmp_path, sources, concurrency=concurrency)
    ids = [worker.start(body(f"c{i}")) for i in range(4)]
    for n, i in enumerate(ids):
        assert [text for _, _, text in worker.finish(i).logs] == [f"c{n} {k}." for k in range(3)]


def test_logs_of_threads_belong_to_their_call(tmp_path):
    source = "import time, logging\ndef handle(e):\n    print(e['body'])\n    time.sleep(0.02)\n    logging.info(e['body'])\n"
    with Worker("python") as worker:
        load(worker, tmp_path, {"python": source}, concurrency=4)
        ids = [worker.start(body(f"c{i}")) for i in range(12)]
        for n, i in enumerate(ids):
            assert [text for _, _, text in worker.finish(i).logs] == [f"c{n}", f"c{n}"]


def test_a_log_line_leaves_before_the_handler_ends(worker, tmp_path):
    sources = {"python": "import time\ndef handle(e):\n    print('early')\n    time.sleep(0.5)\n",
               "node": "exports.handle = (e) => { console.log('early'); const t = Date.now() + 500; while (Date.now() < t); };"}
    load(worker, tmp_path, sources)
    begin = time.monotonic()
    worker.start({})
    assert worker.step()[0] == LOG
    assert time.monotonic() - begin < 0.3


def test_a_stream_is_never_more_than_its_credit_ahead(worker, tmp_path):
    load(worker, tmp_path, ENDLESS)
    call = worker.start({})
    answer = worker.answers[call]
    while len(answer.body) < 256 * 1024:
        worker.step(credit=False)
    worker.send(PING, 3)
    while worker.pongs == 0:
        worker.step(credit=False)
    assert len(answer.body) == 256 * 1024
    worker.credit(call, 1000)
    while len(answer.body) < 256 * 1024 + 1000:
        worker.step(credit=False)
    worker.send(PING, 3)
    while worker.pongs == 1:
        worker.step(credit=False)
    assert len(answer.body) == 256 * 1024 + 1000


@pytest.mark.parametrize("concurrency", [1, 3])
def test_cancel_ends_a_stream_and_closes_its_source(worker, tmp_path, concurrency):
    load(worker, tmp_path, ENDLESS, concurrency=concurrency)
    call = worker.start({})
    while len(worker.answers[call].body) < 200_000:
        worker.step()
    worker.send(CANCEL, call)
    answer = worker.finish(call)
    assert answer.cancelled
    assert [text for _, _, text in answer.logs] == ["closed"]


def test_cancel_of_a_call_that_has_not_started(worker, tmp_path):
    load(worker, tmp_path, BLOCK)
    first = worker.start(body("0.2"))
    second = worker.start(body("0"))
    third = worker.start(body("0"))
    worker.send(CANCEL, second)
    assert worker.finish(first).body == b"0.2"
    assert worker.finish(second).cancelled
    assert worker.finish(third).body == b"0"


def test_cancel_of_an_async_call_frees_its_place(worker, tmp_path):
    load(worker, tmp_path, SLEEP)
    first = worker.start(body("1"))
    second = worker.start(body("0"))
    time.sleep(0.1)
    worker.send(CANCEL, first)
    assert worker.finish(first).cancelled
    assert worker.finish(second).body == b"0"


def test_cancel_after_the_answer_changes_nothing(worker, tmp_path):
    load(worker, tmp_path, ECHO)
    answer = worker.call(body("x"))
    worker.send(CANCEL, worker.last_call)
    worker.send(CANCEL, 4711)
    assert answer.body == b"x" and worker.call(body("y")).body == b"y"


def test_cancel_of_a_call_whose_body_is_still_coming(worker, tmp_path):
    load(worker, tmp_path, ECHO)
    worker.last_call += 1
    call = worker.last_call
    worker.answers[call] = Answer()
    worker.send(CALL, call, b"", b"part", HTTP)
    worker.send(CANCEL, call)
    worker.send(CHUNK, call, b"", b"rest", 1)
    assert worker.finish(call).cancelled
    assert worker.call(body("y")).body == b"y"


def test_a_broken_stream_says_why(worker, tmp_path):
    sources = {"python": "def handle(e):\n    yield 'a'\n    raise KeyError('late')\n",
               "node": "exports.handle = function* () { yield 'a'; throw new Error('late'); };"}
    load(worker, tmp_path, sources)
    answer = worker.call()
    assert answer.status == 200 and answer.body == b"a" and "late" in answer.error["message"]


def test_drain_finishes_what_was_sent_and_exits_with_zero(worker, tmp_path):
    load(worker, tmp_path, BLOCK)
    ids = [worker.start(body("0.05")) for _ in range(3)]
    assert worker.drain() == 0
    assert all(worker.answers[i].ended for i in ids)


@pytest.mark.parametrize("sources", [BLOCK, SLEEP], ids=["block", "sleep"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_sigterm_finishes_what_runs_and_exits_with_zero(worker, tmp_path, sources, concurrency):
    load(worker, tmp_path, sources, concurrency=concurrency)
    worker.call(body("0"))
    call = worker.start(body("0.3"))
    time.sleep(0.1)
    worker.process.terminate()
    assert worker.finish(call).body == b"0.3"
    with pytest.raises(WorkerDied, match="exit status 0"):
        worker.step()


@pytest.mark.parametrize("sources", [ECHO, SLEEP], ids=["block", "sleep"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_sigterm_while_idle(worker, tmp_path, sources, concurrency):
    load(worker, tmp_path, sources, concurrency=concurrency)
    worker.call(body("0"))
    time.sleep(0.1)
    worker.process.terminate()
    with pytest.raises(WorkerDied, match="exit status 0"):
        worker.step()


def test_sigterm_before_load(worker):
    worker.process.terminate()
    with pytest.raises(WorkerDied):
        worker.step()


def test_own_handler_of_sigterm_wins(worker, tmp_path):
    sources = {"python": "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\ndef handle(e): return ''\n",
               "node": "process.on('SIGTERM', () => process.exit(5)); exports.handle = () => '';"}
    load(worker, tmp_path, sources)
    worker.call()
    time.sleep(0.05)
    worker.process.terminate()
    with pytest.raises(WorkerDied, match="exit status 5"):
        worker.step()


def test_exit_in_a_handler_is_an_exit(worker, tmp_path):
    sources = {"python": "import sys\ndef handle(e):\n    if e['body'] == 'die':\n        print('bye'); sys.exit(7)\n    return 'ok'\n",
               "node": "exports.handle = (e) => { if (e.body === 'die') { console.log('bye'); process.exit(7); } return 'ok'; };"}
    load(worker, tmp_path, sources)
    ids = [worker.start(body("live")) for _ in range(30)] + [worker.start(body("die")), worker.start(body("live"))]
    with pytest.raises(WorkerDied, match="exit status 7"):
        while True:
            worker.step()
    assert all(worker.answers[i].body == b"ok" for i in ids[:30])
    assert not worker.answers[ids[30]].ended and [text for *_, text in worker.answers[ids[30]].logs] == ["bye"]
    assert not worker.answers[ids[31]].ended and worker.started() == ids[30]


def test_exit_in_a_thread_of_a_concurrent_worker_is_an_exit(tmp_path):
    with Worker("python") as worker:
        load(worker, tmp_path, {"python": "import sys\ndef handle(e): sys.exit(7)\n"}, concurrency=2)
        worker.start({})
        with pytest.raises(WorkerDied, match="exit status 7"):
            worker.step()


def test_atexit_runs_at_the_end(worker, tmp_path):
    sources = {"python": "import atexit\natexit.register(print, 'bye')\ndef handle(e): pass\n",
               "node": "process.on('exit', () => console.log('bye')); exports.handle = () => {};"}
    load(worker, tmp_path, sources)
    assert worker.drain() == 0
    assert worker.load_logs[-1][2] == "bye"


def test_lines_printed_while_loading_belong_to_no_call(worker, tmp_path):
    sources = {"python": "print('loading')\ndef handle(e): pass\n", "node": "console.log('loading'); exports.handle = () => {};"}
    load(worker, tmp_path, sources)
    assert [text for *_, text in worker.load_logs] == ["loading"]


def test_an_uncaught_exception_fails_the_call_and_ends_the_process(tmp_path):
    with Worker("node") as worker:
        load(worker, tmp_path, {"node": "exports.handle = () => new Promise(() => setTimeout(() => { throw new RangeError('boo'); }, 5));"})
        call = worker.start({})
        assert worker.finish(call).error["type"] == "RangeError"
        with pytest.raises(WorkerDied, match="exit status 1"):
            worker.step()


def test_an_uncaught_exception_between_calls_is_logged_and_ends_the_process(tmp_path):
    with Worker("node") as worker:
        load(worker, tmp_path, {"node": "exports.handle = () => { setTimeout(() => { Promise.reject(new Error('boo')); }, 20); };"})
        worker.call()
        with pytest.raises(WorkerDied, match="exit status 1"):
            worker.step()
            worker.step()
        assert any("boo" in text for *_, text in worker.load_logs)


def test_the_end_of_the_connection_ends_the_worker(worker, tmp_path):
    load(worker, tmp_path, ECHO)
    worker.socket.close()
    assert worker.process.wait(5) == 0


def test_a_worker_does_nothing_while_nobody_calls(worker, tmp_path):
    load(worker, tmp_path, ECHO)
    for _ in range(3):
        for i in [worker.start(body("x")) for _ in range(100)]:
            worker.finish(i)
    time.sleep(0.3)

    def spent():
        fields = pathlib.Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        status = pathlib.Path(f"/proc/{worker.process.pid}/status").read_text()
        switches = sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)
        return int(fields[11]) + int(fields[12]), switches

    before = spent()
    time.sleep(0.5)
    after = spent()
    assert after[0] - before[0] <= 1 and after[1] - before[1] <= 5


def test_stacks_show_the_functions_own_frames(worker, tmp_path):
    sources = {"python": "def deep():\n    raise ValueError('x')\ndef handle(e):\n    deep()\n",
               "node": "function deep() { throw new Error('x'); }\nexports.handle = () => deep();"}
    load(worker, tmp_path, sources)
    stack = worker.call().error["stack"]
    assert "deep" in stack and "main." in stack and "hks_worker" not in stack and "shims" not in stack


def test_random_numbers_differ_between_workers(tmp_path):
    values = set()
    for _ in range(2):
        with Worker("python") as worker:
            load(worker, tmp_path, {"python": "import random\ndef handle(e): return str(random.random())\n"})
            values.add(worker.call().body)
    assert len(values) == 2
