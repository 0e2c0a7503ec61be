"""The refresh: what is asked, how often, what is shown before the first one has ended, and what a failed one leaves."""
import collections
import errno
import glob
import os

import pytest

from tests.lib.account import FAMILY, SHARED
from tests.lib.aws import tags
from tests.lib.lab import SLOW
from tests.lib.process import wait_until
from tests.lib.sweeps import is_chain, stalled, wait_for_sweeps

_TYPES = {"ec2:security-group", "ecs:service", "ecs:task-definition", "elasticloadbalancing", "secretsmanager:secret",
          "rds:db", "elasticfilesystem:file-system", "ssm:parameter"}


def types_of(record):
    return tuple(record.request.params.get("ResourceTypeFilters") or ())


def pages(lab, key="service-family"):
    return [r for r in lab.proxy.seen("tagging:GetResources", where=lambda q: is_chain(q, key)) if not lab._is_the_tests(r.request)]


def many(lab, n, family="params"):
    for i in range(n):
        lab.aws.ssm.put_parameter(Name=f"/app/p{i:03}", Value="x", Type="String",
                                  Tags=tags(service_id=f"p{i:03}", service_family=family))


# What is asked

@pytest.mark.limit(60)
def test_the_first_is_one_chain_behind_the_names(lab):
    many(lab, 130)
    mount = lab.mount(refresh=3600)
    assert len(mount.ids("params")) == 130
    wait_for_sweeps(mount, 1)
    asked = pages(lab)
    assert all(types_of(r) == () for r in asked)
    assert len(asked) == 2 and not pages(lab, "service-id")  # of 100; there are some 20 things beside
    assert lab.proxy.count("tagging:GetTagValues") == 1


@pytest.mark.limit(60)
def test_further_ones_ask_each_type_once(lab):
    mount = lab.mount(refresh=1)
    wait_for_sweeps(mount, 3)
    mount.stop()
    asked = [types_of(r) for r in pages(lab)]
    assert asked[0] == ()
    first = [t for t, in asked[1:1 + len(_TYPES)]]
    assert sorted(first) == sorted(_TYPES)
    assert () not in asked[1:] and not pages(lab, "service-id")
    assert lab.proxy.count("tagging:GetTagValues") == 1


@pytest.mark.limit(60)
def test_a_chain_that_breaks_begins_again_alone(lab):
    many(lab, 130)
    mount = lab.mount(refresh=5)
    wait_for_sweeps(mount, 1)
    broken = lab.proxy.rule("tagging:GetResources", times=1, error=(400, "PaginationTokenExpiredException", "x"),
                            where=lambda r: bool(r.params.get("PaginationToken")))
    wait_for_sweeps(mount, 2)
    mount.stop()
    assert broken.hits == 1
    count = collections.Counter(t for r in pages(lab) for t in types_of(r))
    assert count["ssm:parameter"] == 4  # a page, the one that broke, and both again
    assert {count[t] for t in _TYPES - {"ssm:parameter"}} == {1}
    failed = next(r for r in pages(lab) if r.status == 400)
    token = failed.request.params["PaginationToken"]
    assert [r for r in pages(lab) if r.request.params.get("PaginationToken") == token] == [failed]


@pytest.mark.limit(60)
def test_on_request_the_account_is_read_whole(lab):
    mount = lab.mount(refresh=3600)
    wait_for_sweeps(mount, 1)
    lab.aws.sns.create_topic(Name="new-type", Tags=tags(service_id="t1", service_family="topics"))
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id="orphan1")}])
    before = len(pages(lab))
    mount.refresh()
    assert [types_of(r) for r in pages(lab)[before:]] == [()] and len(pages(lab, "service-id")) == 1
    assert "orphan1" in mount.read(".svcfs", "errors")
    assert mount.ids("topics") == ["t1"]


@pytest.mark.limit(60)
def test_a_type_that_vanishes_is_asked_about(lab):
    """The last secrets go: an empty type is not believed until all of it has been read."""
    mount = lab.mount(refresh=1)
    wait_for_sweeps(mount, 1)
    for secret in lab.aws.secretsmanager.list_secrets()["SecretList"]:
        if secret["Name"].endswith("/database"):
            lab.aws.secretsmanager.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    wait_until(lambda: not any(n.startswith("secretsmanager") for n in mount.ls("families", FAMILY, "legacy1", "resources")),
               30 * SLOW, "the secret to go", 0.1)
    asked = [types_of(r) for r in pages(lab)]
    assert ("secretsmanager:secret",) in asked and asked.count(()) == 2


# What a failed one leaves

@pytest.mark.limit(60)
def test_a_failed_one_leaves_the_last_good_in_force(lab):
    mount = lab.mount(refresh=1)
    wait_for_sweeps(mount, 1)
    before = mount.ls("families"), mount.ls("services"), mount.ls("families", FAMILY)
    rule = lab.proxy.rule("tagging:GetResources", error=(400, "AccessDeniedException", "no"), contains="ecs:service")
    wait_until(lambda: mount.freshness()["last-error"] != "-", 30 * SLOW, "the failure", 0.05)
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id="new1", service_family=FAMILY)}])
    hits = rule.hits
    wait_until(lambda: rule.hits > hits + 1, 30 * SLOW, "one more failure", 0.05)
    assert (mount.ls("families"), mount.ls("services"), mount.ls("families", FAMILY)) == before
    assert mount.read(".svcfs", "health").startswith("degraded: the last refresh failed; what is shown was read ")
    assert "AccessDenied" in mount.freshness()["last-error"]
    lab.proxy.remove_rule(rule)
    wait_until(lambda: mount.exists("families", FAMILY, "new1"), 30 * SLOW, "the next good one", 0.05)
    assert mount.freshness()["last-error"] == "-"


# What a reader has open

def add_service(lab, mount, name):
    lab.aws.ec2.create_security_group(GroupName=name, Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id=name, service_family=FAMILY)}])
    mount.refresh()
    wait_until(lambda: name in mount.read("families", FAMILY, "services.tsv"), 30 * SLOW, name, 0.05)


@pytest.mark.limit(60)
def test_an_open_that_comes_late_sees_what_is_true(lab):
    """The table changes between the look-up of its name and its open: here by way of /proc, which looks up no name."""
    mount = lab.mount(refresh=3600)
    wait_for_sweeps(mount, 1)
    path = mount.at("families", FAMILY, "services.tsv")
    before = mount.read("families", FAMILY, "services.tsv")
    with open(path) as early:
        add_service(lab, mount, "new1")
        with open(f"/proc/self/fd/{early.fileno()}") as late:
            assert late.read() == mount.read("families", FAMILY, "services.tsv")
        assert os.fstat(early.fileno()).st_size == len(before) and early.read() == before
    name = os.open(path, os.O_PATH)
    try:
        add_service(lab, mount, "new2")
        assert os.fstat(name).st_size == os.stat(path).st_size
        with open(f"/proc/self/fd/{name}") as late:
            assert os.fstat(late.fileno()).st_size == os.stat(path).st_size
            assert late.read() == mount.read("families", FAMILY, "services.tsv")
    finally:
        os.close(name)


# Before the first one has ended

@pytest.mark.limit(60)
def test_names_of_families_by_one_call(lab):
    rule = stalled(lab)
    mount = lab.mount(refresh=3600)
    assert {FAMILY, SHARED, "shops"} <= set(mount.ls("families"))
    assert lab.proxy.count("tagging:GetTagValues") == 1
    assert mount.freshness()["sweeps"] == "0"
    assert mount.read(".svcfs", "health") == "starting: the first refresh is running\n"
    lab.proxy.remove_rule(rule)


@pytest.mark.limit(60)
def test_one_family_by_its_own_pages(lab):
    stalled(lab)
    mount = lab.mount(refresh=3600)
    assert {"legacy1", "legacy2"} <= set(mount.ls("families", FAMILY))
    assert mount.status(FAMILY, "legacy1") == "unmanaged"
    one = [{"Key": "service-family", "Values": [FAMILY]}]
    own = [r for r in lab.proxy.seen("tagging:GetResources", where=lambda q: q.params.get("TagFilters") == one)
           if not lab._is_the_tests(r.request)]
    # A group's members may be asked for by the same filter, but groups come behind the first sweep.
    assert len(own) == 1
    assert mount.freshness()["sweeps"] == "0"


@pytest.mark.limit(60)
def test_a_family_that_cannot_be_read_is_an_error(lab):
    stalled(lab)
    mine = lab.proxy.rule("tagging:GetResources", error=(400, "AccessDeniedException", "no"), contains=f'"{FAMILY}"')
    mount = lab.mount(refresh=3600)
    assert FAMILY in mount.ls("families")
    with pytest.raises(OSError) as refused:
        mount.ls("families", FAMILY)
    assert refused.value.errno == errno.EACCES
    lab.proxy.remove_rule(mine)
    assert "legacy1" in mount.ls("families", FAMILY)


@pytest.mark.limit(60)
def test_without_names_the_sweep_decides(lab):
    lab.proxy.rule("tagging:GetTagValues", error=(400, "AccessDeniedException", "no"))
    mount = lab.mount(refresh=3600)
    assert {FAMILY, SHARED, "shops"} <= set(mount.ls("families"))
    assert mount.read(".svcfs", "health") == "ok\n"


# The saved index

def saved_file(mount):
    (path,) = glob.glob(os.path.join(mount.cache, "svcfs", "*.index"))
    return path


def mount_and_save(lab):
    mount = lab.mount(refresh=3600)
    wait_for_sweeps(mount, 1)
    mount.refresh()
    before = mount.ls("families"), mount.ls("services"), mount.ls("families", FAMILY)
    assert mount.stop() == 0
    assert os.stat(saved_file(mount)).st_mode & 0o777 == 0o600
    return mount, before


@pytest.mark.limit(60)
def test_a_saved_index_is_shown_at_once(lab):
    mount, before = mount_and_save(lab)
    rule = stalled(lab)
    names = lab.proxy.count("tagging:GetTagValues")
    mount.restart()
    wait_until(lambda: mount.freshness()["saved"] == "yes", 20 * SLOW, "the saved index")
    assert (mount.ls("families"), mount.ls("services"), mount.ls("families", FAMILY)) == before
    assert mount.read("families", FAMILY, "legacy1", "status") == "unmanaged\n"
    assert mount.freshness()["begun"] != "-" and mount.freshness()["ended"] == "-" and mount.freshness()["sweeps"] == "0"
    health = mount.read(".svcfs", "health")
    assert health.startswith("starting: what is shown was saved ") and health.endswith("the first refresh is running\n")
    assert lab.proxy.count("tagging:GetTagValues") == names
    lab.proxy.remove_rule(rule)
    mount.stop()
    mount.restart()
    wait_for_sweeps(mount, 1)
    assert mount.freshness()["saved"] == "no" and mount.read(".svcfs", "health") == "ok\n"


@pytest.mark.limit(60)
def test_it_is_saved_without_a_clean_end(lab):
    mount = lab.mount(refresh=3600)
    wait_until(lambda: glob.glob(os.path.join(mount.cache, "svcfs", "*.index")), 20 * SLOW, "the file")
    mount.kill()
    stalled(lab)
    mount.restart()
    wait_until(lambda: mount.freshness()["saved"] == "yes", 20 * SLOW, "the saved index")
    assert "legacy1" in mount.ls("families", FAMILY)


def flip(path):
    with open(path, "r+b") as file:
        file.seek(200)
        byte = file.read(1)
        file.seek(200)
        file.write(bytes([byte[0] ^ 1]))


def shorten(path):
    os.truncate(path, os.path.getsize(path) - 1)


def open_to_all(path):
    os.chmod(path, 0o644)


def through_a_link(path):
    os.rename(path, path + ".real")
    os.symlink(path + ".real", path)


def of_another(path):
    """Another account's file under this one's name."""
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(b"123456789012", b"210987654321", 1))


@pytest.mark.limit(60)
@pytest.mark.parametrize("spoil", [flip, shorten, open_to_all, through_a_link, of_another])
def test_a_spoilt_one_is_ignored_and_replaced(lab, spoil):
    mount, before = mount_and_save(lab)
    path = saved_file(mount)
    spoil(path)
    mount.restart()
    wait_for_sweeps(mount, 1)
    assert "no saved index: " in mount.log_text().rsplit("unmounted", 1)[1]
    assert (mount.ls("families"), mount.ls("services"), mount.ls("families", FAMILY)) == before
    mount.stop()
    stalled(lab)
    mount.restart()
    wait_until(lambda: mount.freshness()["saved"] == "yes", 20 * SLOW, "the new one")


@pytest.mark.limit(60)
def test_none_is_saved_where_that_is_switched_off_or_unsafe(lab):
    unsafe = os.path.join(lab.directory, "unsafe")
    os.mkdir(unsafe)
    os.chmod(unsafe, 0o777)
    for directory in ("none", unsafe):
        mount = lab.mount(refresh=3600, cache_dir=directory)
        wait_for_sweeps(mount, 1)
        assert ('"cache_dir": null' if directory == "none" else unsafe) in mount.read(".svcfs", "config.json")
        mount.stop()
        assert os.listdir(unsafe) == [] and not os.path.exists(os.path.join(mount.cache, "svcfs"))
