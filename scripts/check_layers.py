#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every #include of <hks/MODULE/…> against hks_module(… DEPENDS …), and that the graph has no cycle."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULE = re.compile(r"hks_module\(\s*(\w+)([^)]*)\)", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]hks/(\w+)/', re.M)
PRIVATE = re.compile(r'^\s*#\s*include\s*"(\w+)/', re.M)


def read_rules():
    rules = {}
    for file in sorted((ROOT / "src").glob("*/CMakeLists.txt")):
        for name, rest in MODULE.findall(file.read_text()):
            depends = re.search(r"DEPENDS\s+((?:[a-z]+\s*)+)", rest)
            rules[name] = set(depends.group(1).split()) if depends else set()
    return rules


def find_cycle(rules):
    done, path = set(), []

    def visit(module):
        if module in path:
            return path[path.index(module):] + [module]
        if module in done:
            return None
        path.append(module)
        for other in sorted(rules.get(module, ())):
            cycle = visit(other)
            if cycle:
                return cycle
        path.pop()
        done.add(module)
        return None

    for module in rules:
        cycle = visit(module)
        if cycle:
            return cycle
    return None


def main():
    rules = read_rules()
    errors = []
    cycle = find_cycle(rules)
    if cycle:
        errors.append("cycle: " + " -> ".join(cycle))
    for module in rules:
        for base in (ROOT / "src" / module, ROOT / "include" / "hks" / module):
            for file in sorted(base.rglob("*")):
                if file.suffix not in (".cpp", ".hpp", ".c", ".h"):
                    continue
                text = file.read_text()
                used = set(INCLUDE.findall(text)) | {m for m in PRIVATE.findall(text) if m in rules}
                for other in sorted(used - {module} - rules[module]):
                    errors.append(f"violation: {file.relative_to(ROOT)} includes {other}, which {module} may not")
    for error in errors:
        print(error)
    print(f"{len(rules)} modules, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
