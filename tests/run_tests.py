#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test program that the build made, then pytest, and adds the results up.

Each program writes JUnit XML; one test case there is one test here. The last line is what CI reads.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

ROOT = pathlib.Path(__file__).resolve().parent.parent
CANNOT_RUN = {
    "tsan integration_runtime": "the sanitizer's own thread keeps the spawner's helpers from joining a mount namespace",
}


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add_junit(self, name, file):
        """False when the file cannot be read: the program died before it could write it."""
        try:
            root = ET.parse(file).getroot()
        except (OSError, ET.ParseError):
            return False
        for case in root.iter("testcase"):
            label = f"{name}: {case.get('classname', '')} {case.get('name', '')}".strip()
            problem = case.find("failure") if case.find("failure") is not None else case.find("error")
            skip = case.find("skipped")
            if problem is not None:
                self.failed.append(label)
            elif skip is not None:
                self.skipped.append((label, skip.get("message") or "no reason given"))
            else:
                self.passed += 1
        return True

    def add_command(self, name, code):
        if code == 0:
            self.passed += 1
        else:
            self.failed.append(f"{name} (exit code {code})")


def run_catch(tally, program, label, results, environment):
    file = results / f"{label.replace(' ', '_')}.xml"
    file.unlink(missing_ok=True)
    started = time.monotonic()
    done = subprocess.run([program, "-r", "junit", "-o", file], env=environment, capture_output=True, text=True,
                          errors="replace", timeout=1800)
    known = len(tally.failed)
    readable = tally.add_junit(label, file)
    # A sanitizer report ends the program with a code of its own after the tests were written down.
    if not readable or (done.returncode != 0 and len(tally.failed) == known):
        tally.failed.append(f"{label}: ended with code {done.returncode}")
    if len(tally.failed) > known:
        print(done.stdout[-4000:], done.stderr[-8000:], sep="\n", flush=True)
        if readable:
            for case in ET.parse(file).getroot().iter("testcase"):
                for problem in list(case.iter("failure")) + list(case.iter("error")):
                    print(f"--- {label}: {case.get('name')}\n{(problem.text or '').strip()}", flush=True)
    print(f"{label}: {'ok' if len(tally.failed) == known else 'FAILED'} ({time.monotonic() - started:.1f} s)", flush=True)


def run_programs(tally, preset, results):
    build = ROOT / "build" / preset
    environment = dict(os.environ, HKS_BINARY=str(build / "hks"),
                       ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:abort_on_error=0",
                       UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                       TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1")
    for kind in ("unit", "integration"):
        for program in sorted(build.glob(f"{kind}_*")):
            label = f"{preset} {program.name}"
            if label in CANNOT_RUN:
                tally.skipped.append((label, CANNOT_RUN[label]))
            elif program.is_file() and os.access(program, os.X_OK):
                run_catch(tally, program, label, results, environment)


def run_pytest(tally, results, everything, selection):
    file = results / "pytest.xml"
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", f"--junitxml={file}"]
    command += selection or [str(ROOT / "tests" / "contract"), str(ROOT / "tests" / "e2e")]
    environment = dict(os.environ, HKS_BINARY=str(ROOT / "build" / "release" / "hks"))
    if everything:
        environment["HKS_TEST_ALL"] = "1"
    code = subprocess.run(command, env=environment, cwd=ROOT).returncode
    if not tally.add_junit("pytest", file):
        tally.failed.append(f"pytest ended with code {code}")
    elif code not in (0, 1, 5):
        tally.failed.append(f"pytest ended with code {code}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("pytest", nargs="*", help="files or folders for pytest instead of all of them")
    options = parser.parse_args()
    results = ROOT / "build" / "test-results"
    results.mkdir(parents=True, exist_ok=True)
    tally = Tally()

    if not options.pytest:
        for name in ("check_layers.py", "check_house_rules.py"):
            tally.add_command(name, subprocess.run([sys.executable, ROOT / "scripts" / name]).returncode)
        run_programs(tally, "release", results)
        if options.all:
            for preset in ("asan", "tsan"):
                run_programs(tally, preset, results)
    run_pytest(tally, results, options.all, options.pytest)

    for label, reason in tally.skipped:
        print(f"skipped: {label}: {reason}")
    for label in tally.failed:
        print(f"failed: {label}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
