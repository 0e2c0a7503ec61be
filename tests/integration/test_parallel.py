"""Many at once: one id, many ids, a full listener, and readers beside all that."""
import errno
import os
import threading
import time

import pytest

from tests.lib.account import FAMILY
from tests.lib.mount import in_parallel
from tests.lib.process import wait_until
from tests.lib.witness import check_service


def outcome(function):
    try:
        function()
        return 0
    except OSError as error:
        return error.errno


def is_claim(request):
    name = request.params.get("Name", "")
    return request.operation == "ssm:PutParameter" and name.startswith("/svcfs/") and name.count("/") == 2


@pytest.mark.limit(240)
def test_fifty_mkdirs_of_one_id_through_two_mounts(lab, mount):
    mounts = [mount, lab.mount()]
    results = in_parallel([lambda m=mounts[i % 2]: outcome(lambda: m.mkdir(FAMILY, "site1")) for i in range(50)])
    assert sorted(results) == [0] + [errno.EEXIST] * 49
    for m in mounts:
        assert "site1" in m.ls("families", FAMILY), "it is in the tree before the loser gets EEXIST"
    assert mount.wait(FAMILY, "site1") == "ready"
    check_service(lab, "site1")


@pytest.mark.limit(400)
def test_twenty_ids_at_once(lab, mount):
    ids = [f"site{i:02}" for i in range(20)]
    assert in_parallel([lambda i=i: outcome(lambda: mount.mkdir(FAMILY, i)) for i in ids]) == [0] * 20
    assert in_parallel([lambda i=i: mount.wait(FAMILY, i, 300) for i in ids]) == ["ready"] * 20
    now = lab.inventory()
    for service in ids:
        check_service(lab, service, now=now)
    made = [r for a, r in now["rules"].items() if a not in lab.before["rules"]]
    assert len({(r["listener"], r["priority"]) for r in made}) == 20


@pytest.mark.limit(180)
def test_a_full_listener_is_passed_over(lab, mount):
    lab.proxy.config.full_listeners.append(lab.account.listeners[0])
    mount.provision(FAMILY, "site1")
    own = check_service(lab, "site1")
    assert [r["listener"] for r in own["rules"].values()] == [lab.account.listeners[1]]


@pytest.mark.limit(180)
def test_a_priority_that_somebody_else_takes_is_not_used(lab, mount):
    """Between our look and our CreateRule somebody else takes the priority: another one is used."""
    taken = []

    def take(request):
        taken.append(request.params["Priority"])
        lab.aws.elbv2.create_rule(
            ListenerArn=request.params["ListenerArn"], Priority=int(request.params["Priority"]),
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [f"other{len(taken)}.ou.example.edu"]}}],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])
    lab.proxy.rule("elasticloadbalancing:CreateRule", times=2, before=take)
    mount.provision(FAMILY, "site1")
    own = check_service(lab, "site1")
    assert len(taken) == 2
    assert next(iter(own["rules"].values()))["priority"] not in taken


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def measure(mount, seconds, at_least):
    """Seconds that ls, stat and cat took, for as long as given."""
    took, end = [], time.monotonic() + seconds
    operations = (lambda: os.listdir(mount.at("families", FAMILY)),
                  lambda: os.stat(mount.at("families", FAMILY, "legacy1")),
                  lambda: mount.read("families", FAMILY, "legacy1", "status"),
                  lambda: mount.read("families", FAMILY, "services.tsv"))
    while time.monotonic() < end or len(took) < at_least:
        for operation in operations:
            began = time.monotonic()
            operation()
            took.append(time.monotonic() - began)
    return took


@pytest.mark.alone
@pytest.mark.limit(400)
def test_readers_wait_at_most_for_a_claim_while_twenty_are_made(lab, mount):
    idle = measure(mount, 2, 400)
    lab.proxy.rule("*", delay=2, where=lambda request: not is_claim(request))
    ids = [f"site{i:02}" for i in range(20)]
    results = []
    makers = threading.Thread(target=lambda: results.extend(
        in_parallel([lambda i=i: outcome(lambda: mount.mkdir(FAMILY, i)) for i in ids])))
    makers.start()
    busy = measure(mount, 10, 1000)
    makers.join()
    assert results == [0] * 20
    assert any(mount.status(FAMILY, i) == "creating" for i in ids), "the measurement lay within the provisioning"
    claims = [r.ended - r.began for r in lab.proxy.seen("ssm:PutParameter", is_claim)]
    assert len(claims) == 20
    # What a claim takes for who waits for it is more than its call: sending, threads, the kernel's lock.
    assert percentile(busy, 0.99) <= percentile(idle, 0.99) + max(claims) + 0.02, \
        f"idle {percentile(idle, .99):.4f} busy {percentile(busy, .99):.4f} claims {max(claims):.4f}"
    lab.proxy.clear_rules()
    wait_until(lambda: all(mount.status(FAMILY, i) == "ready" for i in ids), 240, "twenty ready services", 0.5)
