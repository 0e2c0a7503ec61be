"""The bench: how the mount compares with tmpfs, what it costs in upcalls, calls and memory. tools/bench runs it.

Every row is a ratio or a count beside its limit (issue 4, "Shows"); bare times say more about the machine than about
svcfs. One account, one tree: N services, a copy of what the mount shows on tmpfs, rounds in turn (measure.py). The rows
that change the account come last. The exit status is 1 if a row is over its limit.
"""
import argparse
import dataclasses
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from tests.lib import process
from tests.lib.aws import REGION, Aws
from tests.lib.mount import dummy_environment, remove_tree

from . import tree
from .measure import (ROUNDS, Metrics, Shell, Watch, cpu_seconds, drop_caches, memory_is_paged_out, notifications, ratio,
                      status_of, wait_idle)
from .scene import ONE_TAG, mkdirs, mount_on, sweeps, wait_described, wait_swept, write_blueprint
from .stub import Account

LIST = ["ls", "-lR", *tree.TOPS]
# From elsewhere: find changes back to where it began, which on the mount is a request of its own.
FIND = ["env", "--chdir=/", "find", *("{here}/" + top for top in tree.TOPS), "-type", "f"]
GREP = ["grep", "-r", "no file has this in it", *tree.TOPS]
BIG = "resources/ec2/security-group"        # a directory with an entry a service
CLAIM_SECONDS, MKDIRS = 2, 20
SSM_READS, WINDOW = 40, 5       # AWS's rate a second (aws-facts.md 3), and the seconds over which something is counted


@dataclasses.dataclass
class Row:
    """One line of the table. value None: it cannot be measured here; limit None: for information."""
    number: int
    what: str
    value: float
    limit: float = None
    unit: str = "×"
    counts: dict = None             # what the daemon or the stub counted
    expected: dict = None           # what it must be; None: anything

    @property
    def verdict(self):
        if self.value is not None and self.limit is not None and self.value > self.limit:
            return "over"
        if self.counts is not None and self.expected is not None and self.counts != self.expected:
            return "over"
        judged = None not in (self.value, self.limit) or None not in (self.counts, self.expected)
        return "ok" if judged else ""

    def cells(self):
        counted = "-" if self.counts is None else " ".join(f"{k} {v}" for k, v in sorted(self.counts.items())) or "0"
        value = "-" if self.value is None else f"{self.value:.{3 if self.value < 1000 else 4}g} {self.unit}".strip()
        return [str(self.number), self.what, value,
                "" if self.limit is None else f"≤ {self.limit:g}", counted, self.verdict]


HEAD = ["", "what", "measured", "limit", "upcalls, calls", ""]


class Bench:
    def __init__(self, services, directory, copy):
        self.services, self.directory, self.tmpfs = services, directory, copy
        self.random = random.Random(4)
        self.account = Account(services=services)
        self.world = self.account.world
        self.family = self.world.families[0]
        self.mount = self.metrics = self.entries = self.here = None
        self.there = Shell(copy)

    def close(self):
        for shell in filter(None, (self.here, self.there)):
            shell.close()
        if self.mount:
            self.mount.stop()
        self.account.close()

    def beside(self, command, before=lambda: None):
        return ratio(lambda: self.here.run(command), lambda: self.there.run(command), before)

    def loops(self, call, paths, rounds=5):
        return ratio(lambda: self.here.loop(call, paths, rounds), lambda: self.there.loop(call, paths, rounds))

    def some(self, paths, n=10000):
        return self.random.sample(paths, min(n, len(paths)))

    def cold(self):
        drop_caches(self.mount.process.pid)

    # 8, first part: what a start costs. It stands first, as nothing has been read yet.

    def start(self):
        """The first answer, while no page of the sweep comes; then the sweep."""
        self.account.delay("tagging:GetResources", 3600)
        self.mount = mount_on(self.account, self.directory, describe=86400)
        self.here = Shell(self.mount.path)
        answered = subprocess.run(["timeout", "5", "ls", "families"], cwd=self.mount.path, stdout=subprocess.DEVNULL)
        counts = {k: n for k, n in self.account.counts().items() if k.startswith("tagging:")}
        yield Row(8, "first `ls families` after mounting, without a page of the sweep: calls of the tag index",
                  answered.returncode, 0, "exit status", counts, {"tagging:GetTagValues": 1})
        self.account.delay("tagging:GetResources", 0)
        wait_swept(self.mount)
        wait_described(self.mount)
        self.metrics = Metrics(self.mount)
        pages = sum(self.account.chains().values())
        yield Row(8, "first sweep: pages, beside one for each hundred resources",
                  pages / math.ceil(len(self.world) / 100), 1)
        yield self._sweep_by_types()

    def _sweep_by_types(self):
        """A sweep by the timer, which knows the types."""
        mount = mount_on(self.account, self.directory, "sweeper", refresh=1)
        try:
            wait_swept(mount)
            self.account.forget()
            wait_swept(mount, sweeps(mount) + 1)
            mount.pause()
            pages = sum(self.account.chains().values())
        finally:
            mount.stop()
        return Row(8, "a later sweep: pages, beside a chain for each type", pages / self.world.pages(), 1)

    # 1 to 5: the tree, warm and cold

    def fill(self):
        """Copies the tree, which lists and reads all of it."""
        self.entries = tree.copy(self.mount.path, self.tmpfs)
        entries = len(self.entries)
        self.read_all()
        yield Row(5, f"memory of the daemon, {entries} entries listed and read",
                  status_of(self.mount.process.pid, "VmRSS") * 1024 / entries, 500, "B/entry")

    def warm(self):
        read = {"OPEN": len(self.entries.files), "RELEASE": len(self.entries.files)}
        for number, what, command, limit, expected in (
                (1, "ls -lR", LIST, 1.3, {}), (1, "find -type f", FIND, 1.2, {}), (3, "grep -r", GREP, 8, read)):
            self.here.run(command)
            value = self.beside(command)
            counts = self.metrics.upcalls(lambda c=command: self.here.run(c), expected)
            yield Row(number, f"warm `{what}`", value, limit, counts=counts, expected=expected)
        files = self.some(self.entries.files)
        missing = [os.path.dirname(p) + "/no-such-name" for p in files if p.startswith("resources/")]
        read = {"OPEN": len(files), "RELEASE": len(files)}
        for number, what, call, paths, limit, expected in (
                (2, "stat, random paths", "stat", self.some(self.entries.paths), 1.4, {}),
                (2, "stat, missing names", "missing", missing, 1.0, {}),
                (3, f"open+read+close of {len(files)} random files", "read", files, 20, read)):
            self.here.loop(call, paths)
            value = self.loops(call, paths)
            counts = self.metrics.upcalls(lambda c=call, p=paths: self.here.loop(c, p), expected)
            yield Row(number, f"warm {what}", value, limit, counts=counts, expected=expected)

    def cold_rows(self):
        for what, command, limit in (("ls -lR", LIST, 3.5), ("find -type f", FIND, 9), ("grep -r", GREP, 16),
                                     (f"ls -f {BIG}", ["ls", "-f", BIG], 1.0)):
            yield Row(4, f"cold `{what}`", self.beside(command, self.cold), limit)

    def idle(self):
        self.account.forget()
        begun, used = time.monotonic(), cpu_seconds(self.mount.process.pid)
        time.sleep(WINDOW)  # what is measured is time itself
        used = (cpu_seconds(self.mount.process.pid) - used) / (time.monotonic() - begun)
        yield Row(5, "idle: share of a processor, calls", used, 0.005, "", dict(self.account.counts()), {})

    # 6: what a refresh tells the kernel

    def read_all(self):
        """The kernel knows every name, listing and content afterwards."""
        for command in (LIST, FIND, GREP):
            self.here.run(command)
        wait_idle(self.mount.process.pid)

    def refreshes(self):
        self.read_all()
        counts = self.metrics.during(self.mount.refresh)
        yield Row(6, "a refresh without a change: notifications", None, None, "", counts and notifications(counts), {})
        arn = self.random.choice([a for a, r in self.world.resources.items() if "cost-center" in r.tags])
        self.account.change("tag", arn, "cost-center", "1")
        counts = self.metrics.during(self.mount.refresh)
        yield Row(6, "one tag changed: notifications (its file's; those of its service's service.json)", None, None, "",
                  counts and notifications(counts), ONE_TAG)
        yield self._whole_tree()

    def _whole_tree(self):
        """From the publish until all is told: a refresh that changes each resource, less one that changes nothing."""
        def refresh():
            begun = time.perf_counter()
            self.mount.refresh()
            wait_idle(self.mount.process.pid)
            return time.perf_counter() - begun

        def listing():
            self.cold()
            return self.here.run(LIST)
        found, counts = [], None
        for number in range(ROUNDS):
            self.read_all()
            unchanged = refresh()
            self.account.change("tag_all", "owner", f"round{number}")
            took = []
            counts = self.metrics.during(lambda t=took: t.append(refresh()))
            found.append((took[0] - unchanged) / listing())
        return Row(6, "the whole tree changed: until told, beside one cold `ls -lR`", statistics.median(found), 1.5,
                   counts=counts and notifications(counts))

    # 8, second part: beside the AWS CLI and boto3

    def beside_aws(self):
        service = self.world.id_of(0)
        path = f"families/{self.family}/{service}/status"
        aws = Aws(self.account.url)
        cat = ["cat", path]

        def call():
            begun = time.perf_counter()
            aws.tagging.get_resources(TagFilters=[{"Key": "service-id", "Values": [service]}])
            return (time.perf_counter() - begun) * 1e9
        call()
        yield Row(8, "one call by boto3 (client at hand), beside open+read+close of `status`",
                  ratio(call, lambda: self.here.loop("read", [path], 1000)))
        if not shutil.which("aws"):
            return
        one, env = ["resourcegroupstaggingapi", "get-resources", "--tag-filters"], dummy_environment(
            AWS_ENDPOINT_URL=self.account.url, AWS_DEFAULT_REGION=REGION)

        def cli(tag_filter):
            begun = time.perf_counter()
            subprocess.run(["aws", *one, tag_filter], env=env, stdout=subprocess.DEVNULL, check=True)
            return time.perf_counter() - begun
        cli_ratio = ratio(lambda: cli(f"Key=service-id,Values={service}"), lambda: self.here.run(cat, 100))
        yield Row(8, "`cat status`, beside one call by `aws`", 300 / cli_ratio, 1, "× 1/300")
        yield Row(8, "all resources by `aws get-resources`, beside `find`",
                  ratio(lambda: cli("Key=service-family"), lambda: self.here.run(FIND), rounds=1))

    # 8, third part: what is looked up behind

    def behind(self):
        """The records of managed services, on a mount that takes AWS's rates as they are."""
        with Account(services=1000, managed=1000) as account:
            def calls():
                return sum(n for operation, n in account.counts().items() if operation.startswith("ssm:"))
            mount = mount_on(account, self.directory, "managed", rate_share=1)
            try:
                process.wait_until(lambda: calls() >= SSM_READS, 120, "the records to be read")
                before = calls()
                time.sleep(WINDOW)
                yield Row(8, "records read behind: calls, beside a third of SSM's rate",
                          (calls() - before) / (math.ceil(WINDOW * SSM_READS / 3) + 1), 1)
            finally:
                mount.stop()

    # 7: many at once

    def many(self):
        blueprints = write_blueprint(self.directory, self.family)
        mount = mount_on(self.account, self.directory, "writer", blueprints=blueprints)
        shell = None
        try:
            wait_swept(mount)
            shell = Shell(mount.path)
            self.account.delay("claim", CLAIM_SECONDS)
            self.account.delay("secretsmanager:CreateSecret", 1)
            yield from self._absolute(mount, shell)
            took = mkdirs(mount, self.family, [f"rel{n:03}" for n in range(MKDIRS)], relative=True)
            yield Row(7, f"{MKDIRS} `mkdir` at once by relative path: the last answer, beside one claim each",
                      took[-1] / (MKDIRS * CLAIM_SECONDS), None)
        finally:
            self.account.delay("claim", 0)
            self.account.delay("secretsmanager:CreateSecret", 0)
            if shell:
                shell.close()
            mount.stop()

    def _absolute(self, mount, shell):
        ids = [f"abs{n:03}" for n in range(MKDIRS)]
        there = self.some(sorted(self.world.ids(self.family)), 200)
        files = [f"families/{self.family}/{s}/{n}" for s in there for n in ("status", "service.json")]
        family = f"families/{self.family}"
        for call, paths in (("stat", files), ("read", files), ("list", [family])):
            shell.loop(call, paths)
        with Watch("stat", files, mount.path) as stat, Watch("read", files, mount.path) as read, \
                Watch("list", [family], mount.path) as listing:
            took = mkdirs(mount, self.family, ids)
            for service in ids:
                if (status := mount.wait(self.family, service)) != "ready":
                    raise RuntimeError(f"{service}: {status}")
        limit = CLAIM_SECONDS + 0.1 * MKDIRS
        yield Row(7, f"{MKDIRS} `mkdir` at once: the last answer, beside one claim", took[-1] / CLAIM_SECONDS,
                  limit / CLAIM_SECONDS)
        for what, watch, limit in (("stat", stat, 1), ("cat", read, 1),
                                   (f"ls of {len(self.world.ids(self.family))} services", listing, 20)):
            yield Row(7, f"meanwhile, and until they are ready: `{what}`, 99th percentile of {watch.n}",
                      watch.p99 * 1000 / limit, 1, f"× {limit} ms")

    def rows(self, wanted):
        steps = ((None, self.start), (None, self.fill), ({1, 2, 3}, self.warm), ({4}, self.cold_rows), ({5}, self.idle),
                 ({6}, self.refreshes), ({8}, self.beside_aws), ({8}, self.behind), ({7}, self.many))
        for numbers, step in steps:
            if numbers is None or not wanted or numbers & wanted:
                yield from (row for row in step() if not wanted or row.number in wanted)


def table(rows):
    lines = [HEAD] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    out = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    out.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=10000, help="of ten resources each (default: 10000)")
    parser.add_argument("--rows", type=lambda t: {int(n) for n in t.split(",")}, default=set(), metavar="N,N",
                        help="only these rows of the issue's list (default: all)")
    args = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("tools/bench: needs root, to empty the kernel's caches")
    tree.check_memory(args.services)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix="svcfs-bench-")
    rows = []
    with tree.Scratch() as scratch:
        bench = Bench(args.services, directory, scratch)
        try:
            for row in bench.rows(args.rows):
                print("  ".join(row.cells()), file=sys.stderr, flush=True)
                rows.append(row)
        finally:
            bench.close()
            remove_tree(directory)
    print(table(sorted(rows, key=lambda row: row.number)))
    if memory_is_paged_out():
        print("\nThis kernel pages idle memory out (DAMON), the mount's listings and files too: nothing stays warm for long.")
    return 1 if any(row.verdict == "over" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
