#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hks beside its peers: one command, ratios within one run, raw figures kept in tests/bench/results/."""

import argparse
import asyncio
import datetime
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from hks_server import BINARY, Server  # noqa: E402
from peers import SERVER_CORE, Peers  # noqa: E402

CLIENT_CORE = "1"
FUNCTIONS = HERE / "functions"


class Pinned(Server):
    def start(self, wait=True):
        os.sched_setaffinity(0, {int(SERVER_CORE)})
        try:
            return super().start(wait)
        finally:
            os.sched_setaffinity(0, {int(CLIENT_CORE)})


def wrk(url, connections, seconds, script=None):
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if script:
        command += ["-s", str(script)]
    out = subprocess.run(command + [url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"{url}: {out}")

    def latency(percent):
        value, unit = re.search(rf"^\s*{percent}%\s+([\d.]+)(us|ms|s)", out, re.M).groups()
        return float(value) * {"us": 1, "ms": 1000, "s": 1e6}[unit]
    return {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), "p50_us": latency(50), "p99_us": latency(99)}


def spawn_ms(command, count):
    """Milliseconds from spawn to exit, on the server core."""
    times = []
    os.sched_setaffinity(0, {int(SERVER_CORE)})
    try:
        for _ in range(count):
            begin = time.perf_counter()
            pid = os.posix_spawn(command[0], command, os.environ)
            os.waitpid(pid, 0)
            times.append((time.perf_counter() - begin) * 1000)
    finally:
        os.sched_setaffinity(0, {int(CLIENT_CORE)})
    return times


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Bench:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.raw = {}
        self.server = Pinned(data=tempfile.mkdtemp(prefix="hks-bench-data-")).start()
        self.peers = Peers()

    def wanted(self, word):
        return not self.options.only or any(only in word for only in self.options.only)

    def deploy(self, name, file, runtime="python", **spec):
        self.server.deploy_source(name, (FUNCTIONS / file).read_text(), runtime=runtime, filename=file,
                                  handler=file.split(".")[0] + ".handle", **spec)
        return f"{self.server.url}/functions/{name}"

    def rounds(self, targets, connections, script=None):
        """Every target once a round, so that all of them see the same weather. → {name: {figure: median}}"""
        seen = {name: [] for name in targets}
        for url in targets.values():
            wrk(url, connections, 1, script)
        for _ in range(self.options.rounds):
            for name, url in targets.items():
                seen[name].append(wrk(url, connections, self.options.seconds, script))
        self.raw.setdefault("wrk", []).append({"connections": connections, "figures": seen})
        return {name: {key: statistics.median(r[key] for r in results) for key in results[0]}
                for name, results in seen.items()}

    def row(self, measure, peer, ours, theirs, unit, must, aim, at_most=False):
        ratio = ours / theirs
        met = (lambda bar: ratio <= bar) if at_most else (lambda bar: ratio >= bar)
        verdict = "aim" if met(aim) else "must" if met(must) else "MISSED"
        row = {"measure": measure, "peer": peer, "ours": ours, "theirs": theirs, "unit": unit, "ratio": ratio,
               "must": must, "aim": aim, "at_most": at_most, "verdict": verdict}
        self.rows.append(row)
        sign = "<=" if at_most else ">="
        print(f"{measure:48} {peer:34} {ours:10.2f} {theirs:10.2f} {unit:6} ratio {ratio:6.3f}  "
              f"must {sign} {must:<5g} aim {aim:<5g} {verdict}", flush=True)

    # -- measures ---------------------------------------------------------------------------------------------------
    def python_throughput(self):
        hks = self.deploy("hello", "hello.py")
        self.peers.uvicorn_socket()
        nginx = self.peers.nginx()
        targets = {"hks": hks, "nginx": nginx, "nginx-uvicorn": nginx + "uvicorn", "uvicorn": self.peers.uvicorn(),
                   "ff": self.peers.functions_framework_python()}
        at16 = self.rounds(targets, 16)
        at64 = self.rounds({k: targets[k] for k in ("hks", "nginx", "nginx-uvicorn")}, 64)
        at1 = self.rounds({k: targets[k] for k in ("hks", "nginx-uvicorn")}, 1)
        self.peers.stop()
        name = "Python hello, req/s"
        self.row(f"{name}, 16 connections", "nginx proxy_pass", at16["hks"]["rps"], at16["nginx"]["rps"], "req/s", 0.9, 1.5)
        self.row(f"{name}, 64 connections", "nginx proxy_pass", at64["hks"]["rps"], at64["nginx"]["rps"], "req/s", 1.0, 2.0)
        self.row(f"{name}, 16 connections", "nginx -> uvicorn", at16["hks"]["rps"], at16["nginx-uvicorn"]["rps"], "req/s", 2, 4)
        self.row(f"{name}, 64 connections", "nginx -> uvicorn", at64["hks"]["rps"], at64["nginx-uvicorn"]["rps"], "req/s", 2, 4)
        self.row(f"{name}, 16 connections", "uvicorn", at16["hks"]["rps"], at16["uvicorn"]["rps"], "req/s", 1.1, 2)
        self.row(f"{name}, 16 connections", "functions-framework", at16["hks"]["rps"], at16["ff"]["rps"], "req/s", 9, 15)
        self.row("Python hello, p50, 1 connection", "nginx -> uvicorn", at1["hks"]["p50_us"], at1["nginx-uvicorn"]["p50_us"], "us", 0.9, 0.65, True)
        self.row("Python hello, p99, 1 connection", "nginx -> uvicorn", at1["hks"]["p99_us"], at1["nginx-uvicorn"]["p99_us"], "us", 1.0, 0.5, True)

    def node_throughput(self):
        targets = {"hks": self.deploy("hello-node", "hello.js", "node"), "bare": self.peers.bare_node(),
                   "ff": self.peers.functions_framework_node()}
        at16 = self.rounds(targets, 16)
        self.peers.stop()
        self.row("Node hello, req/s, 16 connections", "bare Node http", at16["hks"]["rps"], at16["bare"]["rps"], "req/s", 0.6, 1.0)
        self.row("Node hello, req/s, 16 connections", "functions-framework", at16["hks"]["rps"], at16["ff"]["rps"], "req/s", 8.5, 14)

    def large_bodies(self):
        script = self.peers.write("large.lua", 'wrk.method = "POST"\nwrk.body = string.rep("x", 65536)\n'
                                               'wrk.headers["Content-Type"] = "text/plain"\n')
        targets = {"hks": self.deploy("echo", "echo.py"), "nginx": self.peers.nginx() + "large"}
        got = self.rounds(targets, 16, script)
        self.peers.stop()
        self.row("64 KiB request and answer, req/s", "nginx proxy_pass", got["hks"]["rps"], got["nginx"]["rps"], "req/s", 0.6, 1.0)

    def slow_handlers(self):
        burn = self.rounds({"hks": self.deploy("burn", "burn.py", scaling={"maxScale": 1})}, 16)
        self.row("1 ms of CPU a call, req/s", "ideal", burn["hks"]["rps"], 1000, "req/s", 0.9, 0.97)
        sleep = self.rounds({"hks": self.deploy("sleep", "sleep.py", scaling={"concurrency": 16, "maxScale": 1})}, 16)
        self.row("10 ms sleep, concurrency 16, req/s", "ideal", sleep["hks"]["rps"], 1600, "req/s", 0.95, 0.99)

    def cold(self, name, count, gap):
        """`gap`: seconds between calls, more than a worker that is made ahead takes."""
        times = []
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = f"GET /functions/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            while len(times) < count:
                begin = time.perf_counter()
                connection.sendall(request)
                answer = connection.recv(65536)
                took = (time.perf_counter() - begin) * 1000
                assert answer.startswith(b"HTTP/1.1 200"), answer
                if b"cold-start: true" in answer.lower():
                    times.append(took)
                time.sleep(gap)
        return times

    def cold_starts(self):
        self.deploy("cold-py", "hello.py", scaling={"scaleDownDelay": "0s"})
        self.deploy("cold-node", "hello.js", "node", scaling={"scaleDownDelay": "0s"})
        python, node = self.cold("cold-py", 200, 0.05), self.cold("cold-node", 100, 0.3)
        bare_python = spawn_ms(["/usr/bin/python3", "-I", "-S", "-c", "pass"], 200)
        bare_node = spawn_ms(["/usr/bin/node", "-e", "0"], 50)
        self.raw["cold"] = {"python": python, "node": node, "bare_python": bare_python, "bare_node": bare_node}
        self.row("cold start Python, p50", "python3 -I -S -c pass", statistics.median(python), statistics.median(bare_python), "ms", 0.4, 0.2, True)
        self.row("cold start Python, p99", "python3 -I -S -c pass", percentile(python, 99), statistics.median(bare_python), "ms", 1.0, 0.4, True)
        self.row("cold start Node, p50", "node -e 0", statistics.median(node), statistics.median(bare_node), "ms", 0.2, 0.1, True)

    async def burst_once(self, name, count):
        streams = [await asyncio.open_connection("127.0.0.1", self.server.port) for _ in range(count)]
        request = f"GET /functions/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        begin = time.perf_counter()
        for _, writer in streams:
            writer.write(request)
        answers = await asyncio.gather(*(reader.read() for reader, _ in streams))
        took = (time.perf_counter() - begin) * 1000
        assert all(a.startswith(b"HTTP/1.1 200") for a in answers), [a for a in answers if not a.startswith(b"HTTP/1.1 200")][0]
        for _, writer in streams:
            writer.close()
        return took, len({a.rsplit(b"\r\n", 1)[1] for a in answers})

    def burst(self):
        """100 calls that each keep their instance for a second; what is told is the time beyond that second."""
        self.deploy("burst", "burst.py", scaling={"scaleDownDelay": "0s", "maxScale": 100})
        ours, instances = [], []
        for _ in range(self.options.rounds + 1):
            time.sleep(3)
            took, pids = asyncio.run(self.burst_once("burst", 100))
            ours.append(took - 1000)
            instances.append(pids)
        first, ours = ours[0], ours[1:]
        theirs = [sum(spawn_ms(["/usr/bin/python3", "-I", "-S", "-c", "pass"], 100)) for _ in range(self.options.rounds)]
        self.raw["burst"] = {"first_ms": first, "ours_ms": ours, "instances": instances, "theirs_ms": theirs}
        self.row(f"burst, {instances[0]} instances from zero, the first", "100 x fork+exec", first, statistics.median(theirs), "ms", 0.2, 0.1, True)
        self.row(f"burst, {min(instances)} instances from zero, again", "100 x fork+exec", statistics.median(ours), statistics.median(theirs), "ms", 0.2, 0.1, True)

    def deploy_time(self):
        times = []
        with tempfile.TemporaryDirectory() as folder:
            for number in range(max(3, self.options.rounds)):
                pathlib.Path(folder, "function.py").write_text(f"def handle(event):\n    return 'v{number}'\n")
                begin = time.perf_counter()
                done = self.server.cli("function", "deploy", "quick", cwd=folder)
                assert done.returncode == 0, done.stderr
                assert self.server.call("quick").text == f"v{number}"
                times.append(time.perf_counter() - begin)
        self.raw["deploy"] = times
        self.row("deploy, Enter to first 200", "one second", statistics.median(times), 1.0, "s", 1.0, 0.3, True)

    def version(self):
        ours, true = spawn_ms([BINARY, "version"], 100), spawn_ms(["/bin/true"], 100)
        self.raw["version"] = {"ours": ours, "true": true}
        self.row("hks version", "/bin/true", statistics.median(ours), statistics.median(true), "ms", 10, 5, True)

    def run(self):
        measures = {"python": self.python_throughput, "node": self.node_throughput, "large": self.large_bodies,
                    "slow": self.slow_handlers, "cold": self.cold_starts, "burst": self.burst,
                    "deploy": self.deploy_time, "version": self.version}
        try:
            for word, measure in measures.items():
                if self.wanted(word):
                    measure()
        finally:
            self.peers.stop()
            self.server.close()
        return self.rows


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} × {model.group(1) if model else 'unknown'}, Linux {os.uname().release.split('-')[0]}"


def markdown(rows, when):
    def figure(value, unit):
        return f"{value:,.0f}" if unit == "req/s" else f"{value:.2f} {unit}" if unit != "us" else f"{value:.0f} µs"
    lines = [f"Measured {when} on {machine()}; one core for the server side, the other for the load.", "",
             "| measure | peer | hks | peer | ratio | must | aim |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        sign = "≤" if r["at_most"] else "≥"
        mark = "" if r["verdict"] != "MISSED" else " (missed)"
        lines.append(f"| {r['measure']} | {r['peer']} | {figure(r['ours'], r['unit'])} | {figure(r['theirs'], r['unit'])} | "
                     f"**{r['ratio']:.2f}**{mark} | {sign} {r['must']:g} | {r['aim']:g} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--only", action="append", help="python node large slow cold burst deploy version")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    os.sched_setaffinity(0, {int(CLIENT_CORE)})
    bench = Bench(options)
    rows = bench.run()
    when = datetime.date.today().isoformat()
    table = markdown(rows, when)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    if not options.only:
        (results / "latest.json").write_text(json.dumps({"date": when, "machine": machine(), "rows": rows, "raw": bench.raw}, indent=1))
    print("\n" + table)
    if options.readme:
        readme = HERE.parents[1] / "README.md"
        text = readme.read_text()
        begin, end = "<!-- benchmarks -->", "<!-- /benchmarks -->"
        head, rest = text.split(begin, 1)
        readme.write_text(head + begin + "\n" + table + "\n" + end + rest.split(end, 1)[1])
    return 1 if any(r["verdict"] == "MISSED" for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
