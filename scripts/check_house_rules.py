#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a script can see; each is explained in CONTRIBUTING.md."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = [f for d in ("src", "include") for f in sorted((ROOT / d).rglob("*")) if f.suffix in (".cpp", ".hpp", ".c", ".h")]
MAX_LINES = 500


def main():
    errors = []
    for file in SOURCES:
        name = file.relative_to(ROOT)
        text = file.read_text()
        lines = text.splitlines()
        if len(lines) > MAX_LINES:
            errors.append(f"{name}: {len(lines)} lines, {MAX_LINES} is the limit: split it")
        if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            errors.append(f"{name}:1: the first line names the licence (SPDX-License-Identifier: Apache-2.0)")
        if file.suffix == ".hpp" and "#pragma once" not in text:
            errors.append(f"{name}: a header has #pragma once")
        for number, line in enumerate(lines, 1):
            if re.search(r"asio::detached", line):
                errors.append(f"{name}:{number}: a detached coroutine is joined by nobody")
            # GCC 12 destroys a capturing lambda temporary twice inside a co_await expression.
            if "co_await" in line and re.search(r"co_await\b[^;]*\[[^\]]+\]\s*(\([^)]*\))?\s*(mutable\s*)?(->[^{]*)?\{", line):
                errors.append(f"{name}:{number}: name the capturing lambda before co_await (GCC 12 destroys it twice)")
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                errors.append(f"{name}:{number}: unfinished business belongs into an issue")
    for error in errors:
        print(error)
    print(f"{len(SOURCES)} files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
