"""What must hold at any size, counted exactly on a few hundred services: upcalls, notifications, calls to AWS; and the
soak. tests/bench measures the times at full size; a count does not depend on the machine."""
import collections
import math
import os
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from tests.bench import tree
from tests.bench.bench import FIND, GREP, LIST
from tests.bench.measure import Metrics, Shell, memory_is_paged_out, wait_idle
from tests.bench.scene import ONE_TAG, mkdirs, mount_on, sweeps, wait_swept, write_blueprint
from tests.bench.soak import Soak
from tests.bench.stub import Account
from tests.bench.world import FAMILY_TAG, SERVICE_TAG, place
from tests.lib.mount import SLOW
from tests.lib.process import wait_until

SERVICES = 200
OF_FAMILY = ((FAMILY_TAG, ()),)


class Scale:
    """An account in a stub, and mounts on it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="svcfs-scale-")
        self.account, self.mounts = Account(services=SERVICES), []
        self.world = self.account.world
        self.family = self.world.families[0]

    def mount(self, **options):
        mount = mount_on(self.account, self.directory, f"mount{len(self.mounts)}", **options)
        self.mounts.append(mount)
        return mount

    def close(self):
        wrong = []
        for mount in self.mounts:
            mount.stop()
            wrong += [f"{mount.name}: {line}" for line in mount.complaints()]
        self.account.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        return wrong


@pytest.fixture
def scale():
    scene = Scale()
    yield scene
    wrong = scene.close()
    assert not wrong, "\n".join(wrong[:20])


@pytest.fixture(scope="module")
def shared():
    """For tests that leave the mount as it was, or change the account at both ends."""
    scene = Scale()
    wait_swept(scene.mount())
    yield scene
    wrong = scene.close()
    assert not wrong, "\n".join(wrong[:20])


class Warm:
    """A mount that has been listed and read whole, its counters, its entries, and a shell in it."""

    def __init__(self, scene):
        self.account, self.world, self.mount = scene.account, scene.world, scene.mounts[0]
        self.shell = Shell(self.mount.path)
        for command in (LIST, FIND, GREP):
            self.shell.run(command)
        self.entries = tree.look(self.mount.path)
        wait_idle(self.mount.process.pid)
        self.metrics = Metrics(self.mount)
        assert self.metrics.there, ".svcfs/metrics"

    def told(self):
        """What a refresh tells the kernel."""
        return self.metrics.told(self.mount.refresh)


@pytest.fixture
def warm(shared):
    scene = Warm(shared)
    yield scene
    scene.shell.close()


# What the kernel asks

def asks(warm, action, expected, items):
    """That an action makes the kernel ask what is expected and nothing else; where the kernel pages out what has not been
    used for some seconds it also asks for that again: for a few items in a hundred, and never for more OPENs."""
    found = warm.metrics.upcalls(action, expected)
    again = {k: v for k, v in found.items() if k not in expected}
    assert {k: found.get(k, 0) for k in expected} == expected
    assert sum(again.values()) <= (items // 20 if memory_is_paged_out() else 0), again


@pytest.mark.parametrize("command", [LIST, FIND], ids=["ls -lR", "find"])
def test_a_second_listing_asks_nothing(warm, command):
    asks(warm, lambda: warm.shell.run(command), {}, len(warm.entries.paths))


def test_a_second_stat_asks_nothing(warm):
    asks(warm, lambda: warm.shell.loop("stat", warm.entries.paths), {}, len(warm.entries.paths))


def test_a_missing_name_is_asked_for_once(warm):
    missing = [d + "/no-such-name" for d in warm.entries.directories if d.startswith("resources/")]
    missing += [f"families/{f}/no-such-name" for f in warm.world.families]
    first = warm.metrics.upcalls(lambda: warm.shell.loop("missing", missing))
    assert first["LOOKUP"] == len(missing)
    asks(warm, lambda: warm.shell.loop("missing", missing), {}, len(missing))


def test_a_second_read_opens_and_releases(warm):
    files = warm.entries.files
    expected = {"OPEN": len(files), "RELEASE": len(files)}
    asks(warm, lambda: warm.shell.loop("read", files), expected, len(files))
    asks(warm, lambda: warm.shell.run(GREP), expected, len(files))


def test_looking_asks_aws_nothing(warm):
    warm.account.forget()
    for command in (LIST, GREP):
        warm.shell.run(command)
    assert warm.account.calls() == []


# What the kernel is told

def test_a_refresh_without_a_change_tells_nothing(warm):
    generation = warm.metrics.value("svcfs_snapshot_generation")
    assert warm.told() == {}
    assert warm.metrics.value("svcfs_snapshot_generation") == generation
    assert warm.metrics.upcalls(lambda: warm.shell.run(LIST), {}) == {}


def test_one_tag_touches_its_file_and_its_service(warm):
    arn = next(a for a, r in warm.world.resources.items() if SERVICE_TAG in r.tags and "cost-center" in r.tags)
    warm.account.change("tag", arn, "cost-center", "1")
    assert warm.told() == ONE_TAG


def test_a_tag_of_what_belongs_to_no_service_touches_its_file(warm):
    arn = next(a for a, r in warm.world.resources.items() if SERVICE_TAG not in r.tags)
    warm.account.change("tag", arn, "Name", "another")
    assert warm.told() == {"inval_inode": 1}


def test_a_new_service_leaves_other_families_alone(warm):
    new, (family, other) = warm.world.id_of(SERVICES), warm.world.families[:2]
    warm.account.change("add_service", new, family)
    warm.mount.refresh()
    wait_until(lambda: warm.mount.exists("families", family, new), 5 * SLOW, "the new name")
    assert set(warm.mount.ls("families", family)) == warm.world.ids(family) | {"graph.dot", "resources", "services.tsv"}
    assert warm.metrics.upcalls(lambda: warm.shell.run(["ls", "-lR", f"families/{other}"]), {}) == {}


# What AWS is asked

def pages(resources):
    return max(1, math.ceil(len(resources) / 100))


def test_the_first_answer_needs_one_call(scale):
    scale.account.delay("tagging:GetResources", 3600)
    mount = scale.mount()
    done = subprocess.run(["timeout", str(20 * SLOW), "ls", "families"], cwd=mount.path, capture_output=True, text=True)
    assert sorted(done.stdout.split()) == sorted(scale.world.families), done.stderr
    assert scale.account.counts()["tagging:GetTagValues"] == 1
    scale.account.delay("tagging:GetResources", 0)
    wait_swept(mount)


def test_the_first_sweep_is_one_chain(scale):
    mount = scale.mount()
    wait_swept(mount)
    everything = pages(scale.world.matching(OF_FAMILY, ()))
    assert scale.account.chains() == {(OF_FAMILY, ()): everything}


# type: how many of it one call describes
BATCHES = {"ec2:security-group": 200, "elasticfilesystem:file-system": 100, "elasticfilesystem:access-point": 1000,
           "elasticloadbalancing:targetgroup": 20, "elasticloadbalancing:listener-rule": 20,
           "elasticloadbalancing:loadbalancer": 20, "ecs:task-definition": 1, "ecs:service": 10, "secretsmanager:secret": 1,
           "ssm:parameter": 25, "logs:log-group": 50}


@pytest.mark.limit(240)
def test_descriptions_cost_their_batches():
    """Of 2,000 resources: names nothing, one a call, all not more than each type's batches."""
    with tempfile.TemporaryDirectory(prefix="svcfs-scale-") as directory, Account(services=200) as account:
        mount = mount_on(account, directory)
        try:
            wait_swept(mount)
            account.forget()
            for command in (["ls", "-R", "."], ["find", "."]):
                subprocess.run(command, cwd=mount.path, stdout=subprocess.DEVNULL, check=True)
            assert not account.calls()
            paths = ["/".join(("resources", *place(arn), "properties.json")) for arn in account.world.resources]
            mount.read(paths[len(paths) // 2])
            assert len(account.calls()) == 1
            begun = time.monotonic()
            for path in paths:
                mount.read(path)
            took, types = time.monotonic() - begun, collections.Counter(r.type for r in account.world.resources.values())
            limit = sum(math.ceil(n / BATCHES[t]) for t, n in types.items())
            assert len(account.calls()) <= limit, (limit, account.counts())
            print(f"{len(paths)} resources: {len(account.calls())} calls of {limit}, {took:.1f} s")
        finally:
            mount.stop()
        assert not mount.complaints()


def between_sweeps(mount, n):
    """Waits until n sweeps have ended and none runs; gives their number, or None if one began meanwhile."""
    wait_swept(mount, n)
    before, resting = sweeps(mount), "sweeping\tno" in mount.read(".svcfs", "freshness")
    return before if resting and sweeps(mount) == before else None


@pytest.mark.limit(180)
def test_later_sweeps_are_a_chain_for_each_type(scale):
    mount = scale.mount(refresh=1)
    n = chains = None

    def counted():
        nonlocal n, chains
        before = between_sweeps(mount, 3)
        chains = scale.account.chains()
        n = between_sweeps(mount, 3)
        return n is not None and n == before
    wait_until(counted, 60 * SLOW, "a pause between two sweeps", 0.1)
    assert chains.pop((OF_FAMILY, ())) == pages(scale.world.matching(OF_FAMILY, ())), "the types are asked for once"
    seen = collections.Counter()
    for (filters, types), asked in chains.items():
        assert filters == OF_FAMILY and types
        found = scale.world.matching(filters, types)
        assert asked == (n - 1) * pages(found), types
        seen.update(r.arn for r in found)
    assert seen == collections.Counter(scale.world.resources.keys()), "each resource stands in one chain"
    assert sum(chains.values()) <= (n - 1) * scale.world.pages()


def test_phases_come_with_the_sweep():
    """A managed service has its status while no record has been read."""
    with tempfile.TemporaryDirectory(prefix="svcfs-scale-") as directory, Account(services=20, managed=10) as account:
        for operation in ("GetParametersByPath", "GetParameters", "GetParameter"):
            account.delay("ssm:" + operation, 3600)
        mount = mount_on(account, directory)
        try:
            wait_swept(mount)
            seen = collections.Counter(mount.status(account.world.services[s], s) for s in account.world.services)
            assert seen == {"ready": 10, "unmanaged": 10}
            for operation in ("GetParametersByPath", "GetParameters", "GetParameter"):
                account.delay("ssm:" + operation, 0)
            service = next(iter(account.world.records))
            url = ("families", account.world.services[service], service, "outputs", "url")
            wait_until(lambda: mount.exists(*url), 60 * SLOW, "the record", 0.05)
            assert mount.read(*url) == f"https://{service}.ou.example.edu/\n"
            assert mount.status(url[1], service) == "ready"
        finally:
            mount.stop()
        assert not mount.complaints()


# Many at once

@pytest.fixture
def writer(scale):
    mount = scale.mount(blueprints=write_blueprint(scale.directory, scale.family))
    wait_swept(mount)
    return mount


@pytest.mark.alone
@pytest.mark.limit(180)
def test_twenty_mkdirs_wait_for_nobody(scale, writer):
    """Their claims are under way side by side, and the family can be listed, looked at and read meanwhile. (A slow machine
    may not get all twenty in before the first is answered; one after the other, it would be one.)"""
    ids, took = [f"new{n:03}" for n in range(20)], []
    family, there = f"families/{scale.family}", sorted(scale.world.ids(scale.family))[:20]
    shell = Shell(writer.path)
    shell.run(["ls", "-l", family])
    scale.account.delay("claim", 2.5)   # svcfs gives a claim up after 3 s
    thread = threading.Thread(target=lambda: took.extend(mkdirs(writer, scale.family, ids)))
    thread.start()
    try:
        wait_until(lambda: scale.account.delayed("claim") >= len(ids) // 2, 20 * SLOW, "many claims at once")
        for call, paths in (("list", [family]), ("stat", [f"{family}/{s}/status" for s in there]),
                            ("read", [f"{family}/{s}/status" for s in there])):
            shell.loop(call, paths)
        assert scale.account.delayed("claim"), "those did not wait for the claims"
    finally:
        scale.account.delay("claim", 0)
        thread.join()
        shell.close()
    assert len(took) == len(ids)
    assert [writer.wait(scale.family, i) for i in ids] == ["ready"] * len(ids)
    assert set(ids) <= set(writer.ids(scale.family))


@pytest.mark.limit(180)
def test_mkdirs_by_relative_path_are_right(scale, writer):
    """The kernel lets one after the other in (fuse-facts.md 27)."""
    ids = [f"rel{n:03}" for n in range(5)]
    scale.account.delay("claim", 0.3)
    assert len(mkdirs(writer, scale.family, ids, relative=True)) == len(ids)
    assert [writer.wait(scale.family, i) for i in ids] == ["ready"] * len(ids)
    assert set(ids) <= set(writer.ids(scale.family))


# The soak

@pytest.mark.alone
@pytest.mark.limit(240)
def test_soak(scale):
    mount = scale.mount()
    wait_swept(mount)
    soak = Soak(scale.account, mount, seed=int.from_bytes(os.urandom(4), "big"))
    wrong = soak.run(refreshes=100, seconds=60 * SLOW)
    assert not wrong, f"seed {soak.seed}:\n" + "\n".join(wrong)
    assert soak.refreshes >= 20
