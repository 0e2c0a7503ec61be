"""The transcript in the README's section "Who breaks if I change this?": its commands, run by a real shell at a real mount.

What the commands are stands in the README alone. What they print there is compared with a run by tests/integration/
test_readme.py, but for the ids that AWS makes up, and is written anew by

    tools/transcript
"""
import itertools
import os
import re
import subprocess
import sys

from .account import FAMILY, SHARED
from .lab import Lab, Servers
from .mount import ROOT, dummy_environment

README = os.path.join(ROOT, "README.md")
BEGIN = "## Who breaks if I change this?\n"
FENCE = "```\n"
# Ids, claims, hashes; the port of the laboratory's MariaDB.
_MADE_UP = re.compile(r"(?<![0-9a-f])(?=[a-z]*[0-9])[0-9a-f]{8,}(?![0-9a-z])|(?<=127\.0\.0\.1:)[0-9]+")
# On a terminal of that width ls makes columns; here nothing is one.
_LIKE_A_TERMINAL = 'ls() { command ls -C -T 0 -w 120 "$@"; }; shopt -s expand_aliases\n'
_MARK = "\x1e"


def parts(text):
    """(before, the transcript, behind) of the README's text; the transcript without its fences."""
    section = text.index(BEGIN)
    begin = text.index(FENCE, section) + len(FENCE)
    end = text.index(FENCE, begin)
    return text[:begin], text[begin:end], text[end:]


def commands(transcript):
    return [line[2:] for line in transcript.splitlines() if line.startswith("$ ")]


def normal(transcript):
    """What differs from run to run, by the order in which it first appears."""
    seen = {}
    return _MADE_UP.sub(lambda found: seen.setdefault(found[0], f"<{len(seen) + 1}>"), transcript)


def prepare(lab):
    """Beside the three services that were tagged by hand, one of each family that svcfs makes; gives a mount that sees all
    of them for the first time."""
    maker = lab.mount()
    for family, service in ((FAMILY, "blog"), (SHARED, "news")):
        maker.provision(family, service)
    maker.stop()
    mount = lab.mount(refresh=3600, describe=900)
    mount.refresh()
    # Whoever reads this waits until all is described; what is known by that alone stands in resources/ then, too.
    mount.read("resources", "ecs", "cluster", lab.account.cluster, "impact.tsv")
    return mount


def run(mount, lines):
    """The transcript of these commands. One shell runs them all, so that one may use what another has set."""
    script = _LIKE_A_TERMINAL + "".join(f"printf '{_MARK}'\n{line}\n" for line in lines)
    done = subprocess.run(["bash", "-s"], input=script, cwd=mount.path, env=dummy_environment(LC_ALL="C.UTF-8"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    printed = done.stdout.split(_MARK)[1:]
    if len(printed) != len(lines):
        raise RuntimeError(f"{len(lines)} commands, and {len(printed)} of them were run:\n{done.stdout}")
    return "".join(itertools.chain.from_iterable((f"$ {line}\n", text) for line, text in zip(lines, printed)))


def main():
    with open(README, encoding="utf-8") as file:
        before, transcript, behind = parts(file.read())
    with Servers() as servers:
        lab = Lab(servers)
        try:
            transcript = run(prepare(lab), commands(transcript))
        finally:
            wrong = lab.close()
            lab.remove()
    if wrong:
        sys.exit("\n".join(wrong))
    with open(README, "w", encoding="utf-8") as file:
        file.write(before + transcript + behind)
    print(transcript, end="")


if __name__ == "__main__":
    main()
