#!/usr/bin/env python3
"""The lint finds what it is for: each rule is broken once in a small tree."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import lint  # noqa: E402

BROKEN = {
    "base/a.c": ('#include "cache/index.h"\n', "base must not know cache/index.h"),
    "fs/b.c": ('#include "awsapi/ssm.h"\n', "fs must not know awsapi/ssm.h"),
    "provision/c.c": ('#include "fs/kind.h"\n', "provision must not know fs/kind.h"),
    "cache/d.c": ("#include <fuse_lowlevel.h>\n", "is known only to fs/"),
    "awsapi/e.c": ("#include <curl/curl.h>\n", "is known only to awsapi/http.c"),
    "fs/f.c": ("int f(void)\n{\n" + "    ;\n" * 120 + "}\n", "a function of 122 lines"),
    "fs/g.c": ("\n" * 601, "601 lines, 600 at most"),
    "fs/h.h": ("int x;\n", "no #pragma once"),
    "cache/i.c": ('#include "index.h"\n', "without its room"),
}
FINE = {
    "fs/setup.c": '#include "awsapi/sts.h"\n#include "cache/cache.h"\n#include "fs/fs.h"\n',
    "provision/mariadb.c": '#include "awsapi/ssm.h"\n#include <mysql.h>\n',
}


def findings_of(files):
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for path, text in files.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(text)
        return list(lint.check_tree(root))


def main():
    failed = 0
    for path, (text, expected) in BROKEN.items():
        findings = findings_of({path: text})
        if len(findings) != 1 or expected not in findings[0] or not findings[0].startswith(path):
            print(f"{path}: expected {expected!r}, got {findings}")
            failed += 1
    if findings_of(FINE):
        print(f"fine files are found fault with: {findings_of(FINE)}")
        failed += 1
    if not findings_of({}):
        print("an empty tree passes")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
