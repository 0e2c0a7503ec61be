"""Fails where two of the given static libraries define the same global name: the linker would take one for both."""
import collections
import subprocess
import sys

homes = collections.defaultdict(set)
for library in sys.argv[1:]:
    listing = subprocess.run(["nm", "--defined-only", "--extern-only", library], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        words = line.split()
        # What compilers and sanitizers add for themselves begins with an underscore.
        if len(words) == 3 and words[1] in "BDRT" and not words[2].startswith("_"):
            homes[words[2]].add(library)

twice = {name: where for name, where in homes.items() if len(where) > 1}
for name, where in sorted(twice.items()):
    print(f"{name} is defined in {' and in '.join(sorted(where))}")
sys.exit(1 if twice or not homes else 0)
