#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold the C code to its size limits: functions, files, headers, parameters.

Usage: size.py FILE...   Prints what is over a limit and exits 1, else nothing.
"""
import json
import re
import subprocess
import sys

FUNCTION_LINES, FILE_LINES, HEADER_LINES, PARAMETERS, BRANCHES, NESTING = 100, 800, 290, 8, 20, 4
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
BRANCH = re.compile(r"\b(?:if|for|while|case)\b|&&|\|\||\?")


def bare(text):
    """Blank comments and literals, keep the lines."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def nesting(body):
    depth = deepest = 0
    for char in body:
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    return deepest - 1


def functions(files):
    tags = subprocess.run(
        ["ctags", "--languages=C", "--langmap=C:.c", "--kinds-C=f", "--fields=+neS",
         "--output-format=json", "-f", "-", *files],
        text=True, capture_output=True, check=True).stdout
    return [json.loads(line) for line in tags.splitlines()]


def parameters(signature):
    """How many; those of a parameter that is a function do not count."""
    inner = signature[1:-1]
    while "(" in inner:
        inner = re.sub(r"\([^()]*\)", "", inner)
    return inner.count(",") + 1


def check_function(tag, lines):
    body = "\n".join(lines[tag["line"] - 1:tag["end"]])
    where = f'{tag["path"]}:{tag["line"]}: {tag["name"]}'
    measures = (
        (tag["end"] - tag["line"] + 1, FUNCTION_LINES, "lines"),
        (1 + len(BRANCH.findall(body)), BRANCHES, "branches"),
        (nesting(body), NESTING, "levels of nesting"),
        (parameters(tag.get("signature", "")), PARAMETERS, "parameters"),
    )
    return [f"{where}: {n} {what}, at most {limit}" for n, limit, what in measures if n > limit]


def main():
    found = []
    sources = [f for f in sys.argv[1:] if f.endswith(".c")]
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            count = sum(1 for _ in file)
        limit = FILE_LINES if name.endswith(".c") else HEADER_LINES
        if count > limit:
            found.append(f"{name}: {count} lines, at most {limit}")
    text = {}
    for name in sources:
        with open(name, encoding="utf-8") as file:
            text[name] = bare(file.read()).split("\n")
    for tag in functions(sources) if sources else []:
        if "end" in tag:
            found += check_function(tag, text[tag["path"]])
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
