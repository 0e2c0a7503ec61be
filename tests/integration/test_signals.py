"""Whoever waits can be stopped; the daemon itself ends in good order."""
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.lib.account import FAMILY
from tests.lib.inventory import difference
from tests.lib.mount import SLOW
from tests.lib.process import wait_until, waits_in_kernel
from tests.lib.sweeps import stalled
from tests.lib.witness import check_service, nothing_made

AT_ONCE = 2.0


def started(command, mount):
    return subprocess.Popen(command, cwd=mount.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def ends_at_once(process, number):
    began = time.monotonic()
    process.send_signal(number)
    process.wait(AT_ONCE * SLOW)
    assert time.monotonic() - began < AT_ONCE * SLOW
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_cat_wait_ends_at_once(lab, mount, number):
    rule = lab.proxy.rule("secretsmanager:CreateSecret", delay=60)
    mount.mkdir(FAMILY, "site1")
    lab.proxy.wait_for("secretsmanager:CreateSecret")
    cat = started(["cat", f"families/{FAMILY}/site1/wait"], mount)
    wait_until(lambda: waits_in_kernel(cat), 10, "cat to wait", 0.05)
    assert ends_at_once(cat, number) == -number
    lab.proxy.remove_rule(rule)
    assert mount.status(FAMILY, "site1") == "creating"


def test_a_handled_signal_ends_a_wait_with_eintr(lab, mount):
    lab.proxy.rule("secretsmanager:CreateSecret", delay=60)
    mount.mkdir(FAMILY, "site1")
    script = ("import os, signal, sys\n"
              "class Stop(Exception): pass\n"
              "def handler(*_): raise Stop\n"
              "signal.signal(signal.SIGUSR1, handler)\n"
              "f = os.open(sys.argv[1], os.O_RDONLY); print('open', flush=True)\n"
              "try: os.read(f, 100)\n"
              "except Stop: sys.exit(7)\n")
    waiter = started([sys.executable, "-I", "-S", "-c", script, mount.at("families", FAMILY, "site1", "wait")], mount)
    assert waiter.stdout.readline() == b"open\n"
    wait_until(lambda: waits_in_kernel(waiter), 10, "the read", 0.05)
    assert ends_at_once(waiter, signal.SIGUSR1) == 7


ENDS = {"kill": "Software caused connection abort", "stop": "No such device", "answer": "No such file or directory"}


@pytest.mark.parametrize("end", ENDS)
def test_no_name_waits_for_a_directory_that_is_held(lab, end):
    """The kernel keeps services/ locked for who asks for a name that cannot be known before the sweep has ended. A daemon
    that waited for that lock would not even end by SIGKILL, nor would who asked."""
    rule = stalled(lab)
    mount = lab.mount(refresh=3600)
    assert mount.exists("services")     # so what is waited for can only be the name in it
    with started(["cat", mount.at("services", "no-such-name")], mount) as asker:
        wait_until(lambda: waits_in_kernel(asker), 10, "cat to wait", 0.05)
        assert {"legacy1", "legacy2"} <= set(mount.ls("families", FAMILY)), "so there are names in services/ to be told of"
        {"kill": mount.kill, "stop": mount.stop, "answer": lambda: lab.proxy.remove_rule(rule)}[end]()
        _, errors = asker.communicate(timeout=30 * SLOW)
        assert ENDS[end] in errors.decode()
    if end == "answer":
        assert {"legacy1", "legacy2"} <= set(mount.ls("services"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ls_on_an_aws_that_stalls(lab, number):
    lab.proxy.rule("tagging:Get*", stall=True)
    mount = lab.mount()
    ls = started(["ls", "families"], mount)
    wait_until(lambda: waits_in_kernel(ls), 10, "ls to wait", 0.05)
    assert ends_at_once(ls, number) == -number
    assert mount.read(".svcfs", "version"), "the daemon serves on"


def test_mkdir_ends_on_a_fatal_signal_only(lab, mount):
    lab.proxy.rule("ssm:PutParameter", delay=2.5, times=1)
    script = ("import os, signal, sys, time\n"
              "signal.signal(signal.SIGUSR1, lambda *_: None)\n"
              "os.mkdir(sys.argv[1])\n")
    maker = started([sys.executable, "-I", "-S", "-c", script, mount.at("families", FAMILY, "site1")], mount)
    lab.proxy.wait_for("ssm:PutParameter")
    maker.send_signal(signal.SIGUSR1)
    _, errors = maker.communicate(timeout=30 * SLOW)
    assert maker.returncode == 0, errors
    assert mount.wait(FAMILY, "site1") == "ready"
    check_service(lab, "site1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_mkdir_ends_at_once_when_killed(lab, mount, number):
    lab.proxy.rule("ssm:PutParameter", delay=2.5, times=1)
    maker = started(["mkdir", f"families/{FAMILY}/site1"], mount)
    lab.proxy.wait_for("ssm:PutParameter")
    assert ends_at_once(maker, number) == -number
    # The work goes on: the claim was sent, and whoever looks sees it made.
    wait_until(lambda: mount.exists("families", FAMILY, "site1"), 20, "the service", 0.1)
    assert mount.wait(FAMILY, "site1") == "ready"
    check_service(lab, "site1")


def test_refresh_on_a_stalled_aws_can_be_interrupted(lab, mount):
    mount.refresh()
    lab.proxy.rule("tagging:GetResources", stall=True)
    writer = started(["bash", "-c", "echo now > .svcfs/refresh"], mount)
    lab.proxy.wait_for("tagging:GetResources", n=lab.proxy.count("tagging:GetResources") + 1)
    wait_until(lambda: waits_in_kernel(writer), 10, "the write to wait", 0.05)
    assert ends_at_once(writer, signal.SIGTERM) == -signal.SIGTERM
    assert "legacy1" in mount.ls("families", FAMILY), "the last good listing stays"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_daemon_unmounts_on_a_signal(lab, mount, number):
    mount.process.send_signal(number)
    assert mount.process.wait(20 * SLOW) == 0
    assert not mount.is_mounted()
    assert nothing_made(lab) == {}


def test_sighup_does_not_end_the_daemon(lab, mount):
    os.kill(mount.process.pid, signal.SIGHUP)
    mount.refresh()
    assert mount.process.poll() is None and "legacy1" in mount.ls("families", FAMILY)


def test_sigterm_answers_those_who_wait(lab, mount):
    lab.proxy.rule("secretsmanager:CreateSecret", delay=30)
    mount.mkdir(FAMILY, "site1")
    cat = started(["cat", f"families/{FAMILY}/site1/wait"], mount)
    wait_until(lambda: waits_in_kernel(cat), 10, "cat to wait", 0.05)
    mount.process.terminate()
    assert mount.process.wait(30 * SLOW) == 0
    assert cat.wait(10 * SLOW) != 0
    assert not mount.is_mounted()


@pytest.mark.limit(240)
def test_sigterm_while_deleting_loses_nothing(lab):
    mount = lab.mount(lease=5)
    mount.provision(FAMILY, "site1")
    lab.proxy.rule("ecs:DeleteService", times=1, delay=1)
    mount.rmdir(FAMILY, "site1")
    lab.proxy.wait_for("ecs:DeleteService")
    assert mount.stop() == 0
    mount.restart()
    wait_until(lambda: difference(lab.before, lab.inventory()) == [], 120, "the teardown to be finished", 0.3)
