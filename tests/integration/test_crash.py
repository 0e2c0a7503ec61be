"""A daemon that dies or stops in the middle loses nothing and doubles nothing.

Three points each of creation and teardown, chosen at the proxy: before a request reaches AWS, and after AWS has done it
but before the answer is seen. Three continuations: the daemon is started again, another mount takes over, and the
first was only stopped and wakes up after another has taken over.
"""
import threading

import pytest

from tests.lib.account import FAMILY
from tests.lib.inventory import difference, parameters
from tests.lib.process import wait_until
from tests.lib.witness import check_service

LEASE = 5
CREATE = [("before", "secretsmanager:CreateSecret"), ("after", "elasticloadbalancing:CreateRule"),
          ("after", "ecs:CreateService")]
DELETE = [("before", "ecs:DeleteService"), ("after", "elasticloadbalancing:DeleteTargetGroup"),
          ("after", "elasticfilesystem:DeleteFileSystem")]


def name_of(point):
    return "-".join(point).replace(":", "-")


class Strike:
    """Does something to the daemon when the proxy sees the request."""

    def __init__(self, lab, point, action):
        when, operation = point
        self.struck = threading.Event()

        def hook(*_):
            action()
            self.struck.set()
        # A killed daemon's request may still arrive: here before means that it does not.
        lab.proxy.rule(operation, times=1, **{when: hook}, reset=when)

    def wait(self, timeout=90):
        assert self.struck.wait(timeout), "the point was never reached"


def begin(lab, mount, phase):
    if phase == "delete":
        mount.provision(FAMILY, "site1")


def act(mount, phase):
    if phase == "create":
        mount.mkdir(FAMILY, "site1")
    else:
        mount.rmdir(FAMILY, "site1")


def finish(lab, mount, phase):
    """The service comes to what was asked for, seen by AWS itself."""
    if phase == "create":
        wait_until(lambda: mount.exists("families", FAMILY, "site1") and
                   mount.status(FAMILY, "site1") in ("ready", "failed"), 150, "the service to be ready", 0.2)
        assert mount.status(FAMILY, "site1") == "ready", mount.try_read("families", FAMILY, "site1", "error")
        check_service(lab, "site1")
    else:
        wait_until(lambda: not parameters(lab.aws), 150, "the record to go", 0.3)
        mount.wait_gone(FAMILY, "site1")
        lab.check_restored()


POINTS = [("create", p) for p in CREATE] + [("delete", p) for p in DELETE]
points = pytest.mark.parametrize("phase, point", POINTS, ids=[f"{a}-{name_of(p)}" for a, p in POINTS])


@pytest.mark.limit(300)
@points
def test_killed_and_started_again(lab, phase, point):
    mount = lab.mount(lease=LEASE)
    begin(lab, mount, phase)
    strike = Strike(lab, point, lambda: mount.process.kill())
    act(mount, phase)
    strike.wait()
    mount.kill()
    mount.restart()
    finish(lab, mount, phase)
    if phase == "create":
        mount.tear_down(FAMILY, "site1")
        lab.check_restored()


@pytest.mark.limit(300)
@points
def test_killed_and_another_mount_takes_over(lab, phase, point):
    mount, other = lab.mount(lease=LEASE), lab.mount(lease=LEASE)
    begin(lab, mount, phase)
    strike = Strike(lab, point, lambda: mount.process.kill())
    act(mount, phase)
    strike.wait()
    mount.kill()
    finish(lab, other, phase)


@pytest.mark.limit(300)
@points
def test_stopped_and_awake_after_the_take_over(lab, phase, point):
    mount, other = lab.mount(lease=LEASE), lab.mount(lease=LEASE)
    begin(lab, mount, phase)
    strike = Strike(lab, point, mount.pause)
    act(mount, phase)
    strike.wait()
    finish(lab, other, phase)
    done = lab.inventory()
    written = len(lab.writes())
    mount.go_on()
    mount.refresh()
    if phase == "create":
        wait_until(lambda: mount.status(FAMILY, "site1") == "ready", 60, "the first to see it ready", 0.2)
        check_service(lab, "site1")
    else:
        mount.wait_gone(FAMILY, "site1")
    mount.refresh()
    assert difference(done, lab.inventory()) == [], "whoever lost the lease changes nothing"
    late = [r.operation for r in lab.writes()[written:] if not r.operation.startswith("ssm:")]
    assert late == [], "whoever lost the lease sends nothing but what concerns its own parameters"


@pytest.mark.limit(300)
def test_sigterm_in_the_middle_loses_nothing(lab):
    mount = lab.mount(lease=LEASE)
    lab.proxy.rule("ecs:RegisterTaskDefinition", times=1, delay=1)
    mount.mkdir(FAMILY, "site1")
    lab.proxy.wait_for("ecs:RegisterTaskDefinition", timeout=60)
    assert mount.stop() == 0
    mount.restart()
    finish(lab, mount, "create")
