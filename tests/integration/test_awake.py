"""Processors are kept from sleeping while the kernel asks one thing after the other, and at no other time."""
import json
import os
import struct
import threading

import pytest

from tests.lib.mount import ORDINARY, needs_root
from tests.lib.process import wait_until
from tests.lib.sweeps import wait_for_sweeps

LATENCY, DRIVER = "/dev/cpu_dma_latency", "/sys/devices/system/cpu/cpuidle/current_driver"
AT_REST = 2000 * 1000 * 1000       # PM_QOS_CPU_LATENCY_DEFAULT_VALUE, microseconds


def latency():
    """What is asked of the processors now, by whomever."""
    with open(LATENCY, "rb") as file:
        return struct.unpack("i", file.read(4))[0]


def can_be_held():
    """Nor does anybody else here."""
    if not os.access(LATENCY, os.W_OK) or not os.path.exists(DRIVER) or len(os.sched_getaffinity(0)) < 2:
        return False
    with open(DRIVER) as file:
        return file.read().strip() != "none" and latency() == AT_REST


held_only = pytest.mark.skipif(not can_be_held(), reason="nothing here keeps processors awake")


def holds(mount):
    fds = f"/proc/{mount.process.pid}/fd"
    for fd in os.listdir(fds):
        try:
            if os.readlink(os.path.join(fds, fd)) == LATENCY:
                return True
        except FileNotFoundError:
            pass        # it is closed by now
    return False


class Asking:
    """Looks for a name that is not there, which each time is a request, one after the other."""

    def __init__(self, mount):
        self._path, self._ended = mount.at("services", "no-such-name"), threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self):
        while not self._ended.is_set():
            os.path.lexists(self._path)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


@pytest.mark.alone
@held_only
def test_held_while_asked(lab, mount):
    assert holds(mount)
    # Killed while a name is being forgotten in the directory that is asked, it could not end (svcfs(1), SIGNALS).
    wait_for_sweeps(mount, 2)
    for end in (lambda: None, mount.kill):
        wait_until(lambda: latency() == AT_REST, 10, "processors that may sleep", 0.01)
        with Asking(mount):
            wait_until(lambda: latency() == 0, 10, "processors that stay awake", 0.001)
            end()
    wait_until(lambda: latency() == AT_REST, 10, "processors that may sleep", 0.01)


@pytest.mark.parametrize("who", ["root", "ordinary"])
def test_not_where_power_is_saved(lab, who):
    """By option; an ordinary user cannot have it."""
    if who == "ordinary":
        needs_root()
    user = ORDINARY if who == "ordinary" else None
    mount = lab.mount(save_power=True) if user is None else lab.mount(user=user)
    assert not holds(mount)
    config = json.loads(mount.sh("cat .svcfs/config.json", user=user).stdout)
    assert config["save_power"] is (user is None)
    assert {"legacy1", "legacy2"} <= set(mount.sh("ls -R families", user=user).stdout.split())
