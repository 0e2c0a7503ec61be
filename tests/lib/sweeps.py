"""The daemon's sweeps of the account, as the proxy and .svcfs/freshness show them."""
from tests.lib.lab import SLOW
from tests.lib.process import wait_until


def is_chain(request, key="service-family"):
    """A page of a sweep; the groups' members are read with other filters."""
    return request.params.get("TagFilters") == [{"Key": key}]


def wait_for_sweeps(mount, n, timeout=30):
    wait_until(lambda: int(mount.freshness()["sweeps"]) >= n, timeout * SLOW, f"{n} sweeps", 0.02)


def stalled(lab):
    """No sweep gets an answer; the pages of one family do."""
    return lab.proxy.rule("tagging:GetResources", stall=True, where=is_chain)
