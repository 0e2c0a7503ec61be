"""mkdir and rmdir hold nobody up: the kernel's lock of the directory is not held while AWS is asked."""
import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.lib.account import FAMILY
from tests.lib.mount import SLOW, in_parallel
from tests.lib.process import wait_until

SLOW_CALL = 2   # seconds; a claim and an intent are given up after 3


def is_claim(request):
    name = request.params.get("Name", "")
    return name.startswith("/svcfs/") and name.count("/") == 2


def is_intent(request):
    return "/delete-" in request.params.get("Name", "")


def number_of(function, *arguments):
    try:
        function(*arguments)
        return 0
    except OSError as error:
        return error.errno


def requests(mount, operation):
    found = re.search(rf'svcfs_fuse_requests_total{{op="{operation}"}} (\d+)', mount.read(".svcfs", "metrics"))
    return int(found[1]) if found else 0


@pytest.fixture
def behind(lab, mount):
    """Runs a function on a thread while calls of a kind are slow; gives what came of it, and what others saw meanwhile."""
    def run(where, function):
        rule = lab.proxy.rule("ssm:PutParameter", where=where, delay=SLOW_CALL)
        seen, result = lab.proxy.count("ssm:PutParameter", where), []
        thread = threading.Thread(target=lambda: result.append(number_of(function)), daemon=True)
        thread.start()
        lab.proxy.wait_for("ssm:PutParameter", seen + 1, where=where)
        names = mount.ls("families", FAMILY)
        missing = mount.exists("families", FAMILY, "nobody")
        assert thread.is_alive(), "the call was still under way"
        thread.join()
        lab.proxy.remove_rule(rule)
        return result[0], names, missing
    return run


def test_a_listing_does_not_wait_for_a_claim(mount, behind):
    result, names, missing = behind(is_claim, lambda: mount.mkdir(FAMILY, "site1"))
    assert result == 0 and "site1" not in names and not missing
    assert "site1" in mount.ls("families", FAMILY) and os.path.isdir(mount.at("families", FAMILY, "site1"))
    assert requests(mount, "MKDIR") == 2, "sent round once, then answered"
    assert number_of(mount.mkdir, FAMILY, "site1") == errno.EEXIST
    assert mount.wait(FAMILY, "site1") == "ready"


def test_a_listing_does_not_wait_for_a_teardown(lab, mount, behind):
    mount.provision(FAMILY, "site1")
    result, names, _ = behind(is_intent, lambda: mount.rmdir(FAMILY, "site1"))
    assert result == 0 and "site1" in names
    assert not mount.exists("families", FAMILY, "site1")
    mount.wait_gone(FAMILY, "site1")
    lab.check_restored()


def test_relative_names_wait_under_the_lock_and_are_right(mount):
    here = mount.at("families", FAMILY)
    script = "mkdir site1 && test -d site1 && ! mkdir site1 2>/dev/null && cat site1/wait && rmdir site1 && ! test -e site1"
    done = subprocess.run(["sh", "-c", script], cwd=here, capture_output=True, text=True, timeout=100 * SLOW)
    assert (done.returncode, done.stdout) == (0, "ready\n"), done.stderr
    mount.wait_gone(FAMILY, "site1")


def test_by_the_directory_s_descriptor(mount):
    directory = os.open(mount.at("families", FAMILY), os.O_RDONLY)
    try:
        os.mkdir("site1", dir_fd=directory)
        assert number_of(lambda: os.mkdir("site1", dir_fd=directory)) == errno.EEXIST
    finally:
        os.close(directory)
    assert mount.wait(FAMILY, "site1") == "ready"


def test_a_refused_claim_is_the_error_of_mkdir_once(lab, mount):
    lab.proxy.rule("ssm:PutParameter", where=is_claim, error=(400, "AccessDeniedException", "no"))
    assert number_of(mount.mkdir, FAMILY, "site1") == errno.EACCES
    lines = [line for line in mount.read(".svcfs", "errors").splitlines() if f"mkdir /families/{FAMILY}/site1" in line]
    assert len(lines) == 1 and "AccessDeniedException" in lines[0]
    assert not mount.exists("families", FAMILY, "site1")
    lab.proxy.clear_rules()
    assert number_of(mount.mkdir, FAMILY, "site1") == 0, "and the thread is not told the old outcome"


def test_a_killed_caller_goes_at_once_and_the_claim_stays(lab, mount):
    rule = lab.proxy.rule("ssm:PutParameter", where=is_claim, delay=2)
    caller = subprocess.Popen([sys.executable, "-c", "import os, sys; os.mkdir(sys.argv[1])",
                               mount.at("families", FAMILY, "site1")])
    lab.proxy.wait_for("ssm:PutParameter", where=is_claim)
    began = time.monotonic()
    caller.kill()
    assert caller.wait(20 * SLOW) == -signal.SIGKILL
    assert time.monotonic() - began < 1.5 * SLOW
    lab.proxy.remove_rule(rule)
    wait_until(lambda: mount.exists("families", FAMILY, "site1"), 20 * SLOW, "the claim to show")
    assert mount.wait(FAMILY, "site1") == "ready"


def test_many_threads_one_name_and_many_names(mount):
    names = ["same"] * 8 + [f"site{i}" for i in range(8)]
    results = in_parallel([lambda n=n: number_of(mount.mkdir, FAMILY, n) for n in names])
    assert sorted(results[:8]) == [0] + [errno.EEXIST] * 7
    assert results[8:] == [0] * 8
    assert set(names) <= set(mount.ls("families", FAMILY))
