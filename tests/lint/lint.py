#!/usr/bin/env python3
"""What design.md draws, checked: which room may include which, and how long things may be.

Prints one line a finding, "FILE:LINE: what", and ends with 1 if there is any.
"""
import pathlib
import re
import sys

# A room may include itself and these.
ROOMS = {
    "base": set(),
    "awsapi": {"base"},
    "cache": {"awsapi", "base"},
    "provision": {"cache", "awsapi", "base"},
    "fs": {"provision", "cache", "base"},
}
# fs wires the rooms together, and knows of awsapi what that takes: no calls of services but "who am I".
WIRING = {"fs": {"awsapi/config.h", "awsapi/client.h", "awsapi/http.h", "awsapi/sts.h"}}
# Headers of other people's libraries that only some files may know.
LIBRARIES = {
    r"curl/": {"awsapi/http.c"},
    r"openssl/": {"awsapi/sigv4.c", "awsapi/digest.c"},
    r"expat": {"awsapi/xml.c"},
    r"fuse": {"fs/"},
    r"(mysql|mariadb)": {"provision/mariadb"},
}

MAX_SOURCE = 600
MAX_HEADER = 120
MAX_FUNCTION = 100

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check_include(path, number, kind, target):
    room = path.split("/")[0]
    if kind == "<":
        for pattern, allowed in LIBRARIES.items():
            if re.match(pattern, target) and not any(path.startswith(a) for a in allowed):
                yield f"{path}:{number}: <{target}> is known only to {', '.join(sorted(allowed))}"
        return
    if "/" not in target:
        yield f'{path}:{number}: "{target}" without its room'
        return
    other = target.split("/")[0]
    if other == room or other in ROOMS[room] or target in WIRING.get(room, ()):
        return
    yield f"{path}:{number}: {room} must not know {target}"


def check_functions(path, lines):
    begun = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begun = number
        elif line == "}" and begun:
            if number - begun + 1 > MAX_FUNCTION:
                yield f"{path}:{begun}: a function of {number - begun + 1} lines"
            begun = None


def check_file(root, file):
    path = file.relative_to(root).as_posix()
    lines = file.read_text().splitlines()
    limit = MAX_HEADER if path.endswith(".h") else MAX_SOURCE
    if len(lines) > limit:
        yield f"{path}:{limit + 1}: {len(lines)} lines, {limit} at most"
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if found:
            yield from check_include(path, number, *found.groups())
    if path.endswith(".h") and "#pragma once" not in lines:
        yield f"{path}:1: no #pragma once"
    yield from check_functions(path, lines)


def check_tree(root):
    files = [f for room in ROOMS for f in sorted((root / room).glob("*.[ch]"))]
    if not files:
        yield f"{root}: no source files: is this the checkout?"
    for file in files:
        yield from check_file(root, file)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    findings = list(check_tree(root))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
