"""Fixtures: `servers` once a run, `lab` fresh for each test, `mount` started on it."""
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.lib.lab import Lab, Servers  # noqa: E402
from tests.lib.mount import BINARY, SLOW  # noqa: E402


def pytest_collection_modifyitems(items):
    """A limit for each test: its own mark times the slowness of what is tested."""
    for item in items:
        mark = item.get_closest_marker("limit")
        item.add_marker(pytest.mark.timeout((mark.args[0] if mark else 120) * SLOW))


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): the test's time limit on a plain build")
    config.addinivalue_line("markers", "alone: measures time; no other test may run beside it")
    # Whoever runs the tests in the background lets them ignore SIGINT, and all that they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        scenes = [item.funcargs[name] for name in ("lab", "scale", "shared") if name in item.funcargs]
        for mount in scenes[0].mounts if scenes else ():
            outcome.get_result().sections.append((f"log of {mount.name}", mount.log_text()[-20000:]))


@pytest.fixture(scope="session")
def servers():
    with Servers() as running:
        yield running


@pytest.fixture
def lab(servers):
    laboratory = Lab(servers)
    yield laboratory
    wrong = laboratory.close()
    laboratory.remove()
    assert not wrong, "\n".join(wrong[:20])


@pytest.fixture
def mount(lab):
    if not os.access(BINARY, os.X_OK):
        pytest.fail(f"{BINARY} is not built")
    return lab.mount()
