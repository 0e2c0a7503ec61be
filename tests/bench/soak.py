"""The soak: refreshes with random changes while eight readers list, stat and read; after each, nothing may be stale.

A round: some things change in the account; a refresh is written; when the write returns the snapshot is in force, and
whatever a reader begins to ask from then on must show it:
- listings and contents at once: their pages are dropped before the write is answered;
- whether a name is there soon after: names are told on a thread of their own, for which nothing ever waits (design.md).
Until then the readers ask for exactly what is about to change. In every other round, by chance, they leave the kernel what
it has, so that only a notification takes it away. In the others they throw it away before each look, so that a READDIR is
always under way when the snapshot changes hands: an answer from before that arrives after would stand in the cache for
ever (fuse-facts.md 29). Each reader looks as soon as the write has returned, with the others' requests still in flight,
and the driver looks once more when all is quiet.

What comes and goes is drawn from a fixed stock, so the daemon's memory, nodes, descriptors and threads must not grow.

    tools/bench --soak [REFRESHES] [--services N] [--seed N]
"""
import argparse
import dataclasses
import errno
import os
import random
import stat
import sys
import tempfile
import threading
import time

from tests.lib import process
from tests.lib.mount import SLOW, remove_tree

from . import tree
from .measure import Metrics, status_of
from .scene import mount_on, wait_swept
from .stub import Account
from .world import FAMILY_TAG, SERVICE_TAG, place

READERS, NAMES_SECONDS, ENOUGH_WRONG = 8, 5, 20
KEYS = ("owner", "cost-center", "environment", "ticket")    # the last one is on nothing at first


@dataclasses.dataclass(frozen=True)
class Truth:
    """What must be seen at a path: a listing, a content, a part of a content, or whether it is there."""
    path: str
    listing: frozenset = None
    content: str = None
    part: str = None
    there: bool = None
    soon: bool = False          # may take as long as names do

    def problem(self, root):
        """None, or what is wrong."""
        path = os.path.join(root, self.path)
        try:
            if self.listing is not None:
                seen = frozenset(os.listdir(path))
                odd = seen ^ self.listing
                return None if not odd else f"{self.path}: listed wrongly: {sorted(odd)[:4]}"
            if self.there is None:
                with open(path, encoding="utf-8") as file:
                    seen = file.read()
                if self.part is not None:
                    return None if self.part in seen else f"{self.path}: no {self.part!r} in it"
                return None if seen == self.content else f"{self.path}: {seen!r}, not {self.content!r}"
            os.lstat(path)
            return None if self.there else f"{self.path}: still there"
        except OSError as error:
            if self.there is False and error.errno == errno.ENOENT:
                return None
            return f"{self.path}: {error.strerror}"

    @property
    def at_once(self):
        return self.there is None and not self.soon


def path_of(arn):
    return "resources/" + "/".join(place(arn))


class Change:
    """Random changes of the account, and the truths that follow."""

    def __init__(self, account, seed):
        self.account, self.world, self.random = account, account.world, random.Random(seed)
        stock = len(self.world.services)
        self.away = [self.world.id_of(stock + n) for n in range(30)]    # services that are not there now
        self.come = []
        self.more = {}                                                  # service -> ARN of its extra secret

    def round(self):
        """Makes a few; gives the truths of what they touched, as it is after all of them."""
        steps = (self._tag, self._tag, self._tag, self._service_comes, self._service_goes, self._resource)
        touched = []
        while not touched:      # some can do nothing at times
            touched = [t for step in self.random.sample(steps, self.random.randint(1, 4)) for t in step()]
        return list({t: None for give in touched for t in give()})

    # The changes: each gives functions that tell the truths afterwards

    def _tag(self):
        arn, key = self.random.choice(list(self.world.resources)), self.random.choice(KEYS)
        value = None if self.random.random() < 0.3 else str(self.random.randrange(10 ** 6))
        new = key not in self.world.resources[arn].tags
        self.account.change("tag", arn, key, value)
        return [lambda: self._tags(arn, key, new)]

    def _service_comes(self):
        if not self.away:
            return []
        service, family = self.away.pop(self.random.randrange(len(self.away))), self.random.choice(self.world.families)
        self.come.append(service)
        self.account.change("add_service", service, family)
        owned = list(self.world.owned[service])
        return [lambda: self._service(service, family, news=True), lambda: self._resources(owned)]

    def _service_goes(self):
        if len(self.come) < 10:
            return []
        service = self.come.pop(self.random.randrange(len(self.come)))
        family, owned = self.world.services[service], list(self.world.owned[service])
        self.away.append(service)
        self.account.change("remove_service", service)
        return [lambda: self._service(service, family, news=True), lambda: self._resources(owned)]

    def _resource(self):
        """The extra secret of one of the first services comes or goes."""
        service = self.world.id_of(self.random.randrange(20))
        arn = self.more.pop(service, None)
        if arn:
            self.account.change("remove", arn)
        else:
            self.account.change("add_resource", service, 1)
            self.more[service] = arn = self.world.owned[service][-1]
        return [lambda: self._service(service, self.world.services[service], news=False), lambda: self._resources([arn])]

    # What the mount must show

    def _tags(self, arn, key, new):
        if arn not in self.world.resources:
            return
        tags, directory = self.world.resources[arn].tags, path_of(arn) + "/tags"
        yield Truth(directory, frozenset(tags))
        yield Truth(f"{directory}/{key}", there=key in tags)
        if key in tags:
            yield Truth(f"{directory}/{key}", content=tags[key] + "\n", soon=new)
            if SERVICE_TAG in tags:     # the document has another node with each content, and so a new name
                document = f"families/{tags[FAMILY_TAG]}/{tags[SERVICE_TAG]}/service.json"
                yield Truth(document, part=f'"{tags[key]}"', soon=True)

    def _service(self, service, family, news):
        """news: its name may have to become known first."""
        there = self.world.services.get(service) == family
        yield Truth(f"families/{family}", frozenset(self.world.ids(family) | {"graph.dot", "resources", "services.tsv"}))
        yield Truth("services", frozenset(self.world.services))
        yield Truth("by-status/unmanaged", frozenset(self.world.services))
        yield Truth(f"by-status/unmanaged/{service}", there=service in self.world.services)
        yield Truth(f"families/{family}/{service}", there=there)
        yield Truth(f"services/{service}", there=service in self.world.services)
        if there:
            links = frozenset(self.world.links(service))
            yield Truth(f"families/{family}/{service}/resources", links, soon=news)
            yield Truth(f"families/{family}/services.tsv", part=f"\n{service}\tunmanaged\t-\t-\t{len(links)}\t", soon=True)

    def _resources(self, arns):
        for service, kind in {place(arn)[:2] for arn in arns}:
            yield Truth(f"resources/{service}/{kind}", frozenset(self.world.listing(service, kind)))
        yield from (Truth(path_of(arn), there=arn in self.world.resources) for arn in arns)


class Soak:
    def __init__(self, account, mount, seed):
        self.account, self.mount, self.seed = account, mount, seed
        self.change = Change(account, seed)
        self.truths, self.published, self.ended = [], threading.Event(), False
        self.meet = threading.Barrier(READERS + 1, timeout=120 * SLOW)
        self.wrong, self.asked, self.refreshes = [], 0, 0

    # The readers

    def _reader(self, number):
        try:
            self._read(random.Random(self.seed * 100 + number))
        except threading.BrokenBarrierError:
            pass                            # what broke it is told already
        except BaseException as error:
            self.wrong.append(f"round {self.refreshes}, a reader: {error!r}")
            self.meet.abort()

    def _read(self, chance):
        while True:
            self.meet.wait()                # the truths of the round are there, the refresh is about to be written
            if self.ended:
                return
            while not self.published.is_set():
                self._stir(chance)
            self._check(chance.sample(self.truths, len(self.truths)), "at once")
            self.meet.wait()                # nobody asks any more: the driver looks once more

    def _stir(self, chance):
        """Asks for what is about to change, and for something else; answers are old or new here, errors are neither."""
        truth = chance.choice(self.truths)
        arn = chance.choice(self.stable)
        for path in (truth.path, path_of(arn) + "/tags/Name"):
            try:
                self._ask(self.mount.at(path), self.fresh)
            except OSError as error:
                if error.errno != errno.ENOENT or path != truth.path:
                    self.wrong.append(f"{path}: {error}")
        self.asked += 2

    @staticmethod
    def _ask(path, fresh):
        """Lists or reads; fresh: not what the kernel has of it."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if fresh:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.listdir(descriptor)
            else:
                os.read(descriptor, 1 << 16)
        finally:
            os.close(descriptor)

    def _check(self, truths, when):
        for truth in truths:
            if truth.at_once and (problem := truth.problem(self.mount.path)):
                self.wrong.append(f"round {self.refreshes}, {when}: {problem}")

    # The driver

    def _round(self):
        self.fresh = self.change.random.random() < 0.5
        self.truths = self.change.round()
        for truth in self.truths:
            truth.problem(self.mount.path)      # the kernel has it now, as it was
        self.published.clear()
        self.meet.wait()
        try:
            self.mount.refresh()
        finally:
            self.refreshes += 1
            self.published.set()
            self.meet.wait()
        for truth in self.truths:
            if not truth.at_once:
                self._wait_for(truth)
        self._check(self.truths, "when quiet")

    def _wait_for(self, truth):
        try:
            process.wait_until(lambda: truth.problem(self.mount.path) is None, NAMES_SECONDS * SLOW, "", 0.002)
        except TimeoutError:
            self.wrong.append(f"round {self.refreshes}, after {NAMES_SECONDS} s: {truth.problem(self.mount.path)}")

    def size(self, metrics):
        """What must not grow, when the kernel has looked at all there is: so the nodes are compared with the entries."""
        pid, entries = self.mount.process.pid, len(tree.look(self.mount.path))
        return {"rss": status_of(pid, "VmRSS") * 1024, "threads": status_of(pid, "Threads"),
                "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                "nodes beyond entries": int(metrics.value("svcfs_nodes")) - entries}

    def run(self, refreshes, seconds=None, tell=lambda text: None):
        """Gives what was wrong. Growth counts from the first fifth on, by when caches and pools are full."""
        # Resources that nothing takes away: those of the first services, but for the extra secrets.
        self.stable = [a for s in list(self.account.world.services)[:200] for a in self.account.world.owned[s]]
        readers = [threading.Thread(target=self._reader, args=(n,), daemon=True) for n in range(READERS)]
        for reader in readers:
            reader.start()
        metrics, early, end = Metrics(self.mount), None, time.monotonic() + (seconds or float("inf"))
        try:
            while self.refreshes < refreshes and len(self.wrong) < ENOUGH_WRONG and time.monotonic() < end:
                self._round()
                if self.refreshes == max(refreshes // 5, 1):
                    early = self.size(metrics)
                if self.refreshes % 100 == 0:
                    tell(f"{self.refreshes} refreshes, {self.asked} answers, {self.size(metrics)}")
            self.ended = True
            self.meet.wait()
        except threading.BrokenBarrierError:
            self.wrong.append(f"round {self.refreshes}: a reader hangs, or has ended")
        for reader in readers:
            reader.join(60 * SLOW)
        return self.wrong or (self._growth(early, self.size(metrics)) if early else [])

    @staticmethod
    def _growth(early, late):
        """A pool may still be growing by a little; a leak of a thing a round grows by much more than this."""
        room = {"rss": early["rss"] * 0.15 + (8 << 20), "threads": 2, "descriptors": 4, "nodes beyond entries": 50}
        if SLOW > 1:    # a sanitizer keeps what was freed
            del room["rss"]
        return [f"{name} grew from {early[name]} to {late[name]}" for name, more in room.items()
                if late[name] > early[name] + more]


def main():
    parser = argparse.ArgumentParser(prog="tools/bench --soak", description=__doc__.splitlines()[0])
    parser.add_argument("refreshes", nargs="?", type=int, default=2000)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="svcfs-soak-")
    print(f"seed {args.seed}", flush=True)
    with Account(services=args.services) as account:
        mount = mount_on(account, directory)
        try:
            wait_swept(mount)
            soak = Soak(account, mount, args.seed)
            wrong = soak.run(args.refreshes, tell=lambda text: print(text, flush=True))
        finally:
            mount.stop()
            remove_tree(directory)
    print("\n".join(wrong) or f"{soak.refreshes} refreshes, {soak.asked} answers while they ran: nothing stale, no growth")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
