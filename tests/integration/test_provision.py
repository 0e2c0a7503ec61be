"""mkdir makes a service whole, rmdir takes all of it away; witnessed by boto3 and SQL."""
import errno
import json
import os
import re

import pytest

from tests.lib.account import FAMILY, HAND_TAGGED, SHARED, witness as tagged_of
from tests.lib.aws import tags
from tests.lib.mariadb import ADMIN_PASSWORD
from tests.lib.mount import SLOW
from tests.lib.process import wait_until
from tests.lib.witness import check_service, claim_of


@pytest.mark.limit(180)
@pytest.mark.parametrize("family", [FAMILY, SHARED])
def test_mkdir_and_rmdir_of_a_service(lab, mount, family):
    assert mount.provision(family, "site1") == "ready"
    check_service(lab, "site1", family)
    assert mount.status(family, "site1") == "ready"
    assert not mount.exists("families", family, "site1", "error")
    assert os.readlink(mount.at("services", "site1")) == f"../families/{family}/site1"
    mount.tear_down(family, "site1")
    lab.check_restored()
    assert "site1" not in mount.ls("families", family) and "site1" not in mount.ls("services")
    assert mount.ls("deleting") == []
    assert set(HAND_TAGGED) <= set(mount.ls("services"))
    for service in HAND_TAGGED:
        assert tagged_of(lab.aws, service) == {a: t for a, t in lab.account.hand_made.items() if t["service-id"] == service}


@pytest.mark.limit(180)
def test_files_of_a_ready_service(lab, mount):
    mount.provision(FAMILY, "site1")
    own = check_service(lab, "site1")
    mount.refresh()
    top = ("families", FAMILY, "site1")
    assert mount.read(*top, "outputs", "url") == "https://site1.ou.example.edu/\n"
    assert mount.read(*top, "outputs", "dns") == lab.account.balancer_dns + "\n"
    assert mount.read(*top, "outputs", "database") == f"127.0.0.1:{lab.db.port}/site1\n"
    assert mount.ls(*top, "outputs") == ["database", "dns", "url"]
    links = {name: os.readlink(mount.at(*top, "resources", name)) for name in mount.ls(*top, "resources")}
    for link, target in links.items():
        assert os.path.isdir(mount.at(*top, "resources", target)), f"{link} -> {target}"
    arns = {mount.read(*top, "resources", name, "arn").strip() for name in links
            if mount.exists(*top, "resources", name, "arn")}
    for kind in ("target groups", "rules", "task definitions", "services"):
        assert set(own[kind]) <= arns, kind
    assert own["secrets"] and all(s["arn"] in arns for s in own["secrets"].values())
    kinds = {name.split(".")[0] + "." + name.split(".")[1] for name in links}
    assert {"elasticfilesystem.mount-target", "mariadb.database", "mariadb.user", "ec2.security-group"} <= kinds
    row = next(r for r in mount.read("families", FAMILY, "services.tsv").splitlines() if r.startswith("site1\t"))
    fields = row.split("\t")
    assert fields[1] == "ready" and fields[5] == "https://site1.ou.example.edu/" and int(fields[4]) >= 11
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fields[3])


@pytest.mark.limit(180)
def test_no_secret_is_shown_anywhere(lab, mount):
    mount.provision(FAMILY, "site1")
    own = check_service(lab, "site1")
    password = json.loads(next(iter(own["secrets"].values()))["value"])["password"]
    for secret in (password, ADMIN_PASSWORD):
        found = mount.sh(f"grep -rlF -- '{secret}' families resources groups services .svcfs")
        assert found.stdout == ""
        assert secret not in mount.log_text()
        assert not any(secret in value for value in lab.inventory()["parameters"].values())


@pytest.mark.limit(180)
def test_while_it_is_made_it_is_creating(lab, mount):
    gate = lab.proxy.rule("ecs:CreateService", delay=2)
    mount.mkdir(FAMILY, "site1")
    assert mount.status(FAMILY, "site1") == "creating"
    assert mount.exists("services", "site1")
    assert "wait" not in mount.ls("families", FAMILY, "site1")
    lab.proxy.wait_for("ecs:CreateService", timeout=60)
    assert mount.status(FAMILY, "site1") == "creating"
    events = mount.read("families", FAMILY, "site1", "events")
    assert "TargetGroup" in events and "ListenerRule" in events
    lab.proxy.remove_rule(gate)
    assert mount.wait(FAMILY, "site1") == "ready"
    assert mount.read("families", FAMILY, "site1", "events").startswith(events)


@pytest.mark.limit(240)
def test_rmdir_while_creating_removes_what_was_made(lab, mount):
    lab.proxy.rule("elasticfilesystem:CreateMountTarget", delay=1.5)
    mount.mkdir(FAMILY, "site1")
    lab.proxy.wait_for("elasticfilesystem:CreateMountTarget", timeout=60)
    mount.rmdir(FAMILY, "site1")
    assert "site1" not in mount.ls("families", FAMILY)
    assert mount.ls("deleting", FAMILY) == ["site1"]
    assert mount.read("deleting", FAMILY, "site1", "status") == "deleting\n"
    assert mount.errno_of("rmdir", mount.at("deleting", FAMILY, "site1")) == errno.EPERM
    mount.wait_gone(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(240)
def test_wait_in_deleting_gives_deleted(lab, mount):
    mount.provision(FAMILY, "site1")
    lab.proxy.rule("ecs:DeleteService", delay=1)
    mount.rmdir(FAMILY, "site1")
    assert mount.wait(FAMILY, "site1", top="deleting") == "deleted"
    wait_until(lambda: not mount.exists("deleting", FAMILY), 10, "an empty deleting/")


@pytest.mark.limit(240)
def test_an_id_gone_a_moment_ago_is_busy_then_free(lab, mount):
    mount.provision(FAMILY, "site1")
    first = claim_of(lab, "site1")
    mount.tear_down(FAMILY, "site1")
    with pytest.raises(OSError) as error:
        mount.mkdir(FAMILY, "site1")
    assert error.value.errno == errno.EBUSY

    def free():
        try:
            mount.mkdir(FAMILY, "site1")
            return True
        except OSError as refused:
            assert refused.errno == errno.EBUSY
            return False
    wait_until(free, 60, "the id to be free again", 1)
    assert mount.wait(FAMILY, "site1") == "ready"
    check_service(lab, "site1")
    assert claim_of(lab, "site1") != first


@pytest.mark.limit(240)
def test_a_second_mount_sees_the_same(lab, mount):
    other = lab.mount()
    mount.mkdir(FAMILY, "site1")
    wait_until(lambda: "site1" in other.ls("families", FAMILY), 30, "the other mount to show it", 0.1)
    assert mount.wait(FAMILY, "site1") == "ready"
    assert other.wait(FAMILY, "site1") == "ready"
    other.refresh()
    assert other.read("families", FAMILY, "site1", "outputs", "url") == "https://site1.ou.example.edu/\n"
    other.rmdir(FAMILY, "site1")
    assert "site1" not in other.ls("families", FAMILY)
    wait_until(lambda: "site1" not in mount.ls("families", FAMILY), 30, "the first mount to take it away", 0.1)
    other.wait_gone(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(240)
def test_the_index_may_show_parts_before_their_record(lab, mount):
    lab.proxy.config.tag_hidden = [":parameter/svcfs/"]
    other, seen = lab.mount(refresh=1), set()
    other.refresh()
    lab.proxy.rule("ssm:GetParametersByPath", contains='"/svcfs"', delay=2.0 * SLOW)   # the records come late
    mount.mkdir(FAMILY, "site1")
    wait_until(lambda: "site1" in other.ls("families", FAMILY), 30, "the other mount to show it", 0.01)
    wait_until(lambda: seen.add(other.status(FAMILY, "site1")) or "ready" in seen, 60, "ready", 0.01)
    assert seen <= {"unknown", "creating", "ready"}
    assert other.wait(FAMILY, "site1") == "ready"
    with open(other.at("families", FAMILY, "site1", "service.json")) as f:
        assert json.load(f)["managed"] is True
    other.rmdir(FAMILY, "site1")
    other.wait_gone(FAMILY, "site1")
    lab.check_restored()


@pytest.mark.limit(240)
def test_parts_without_a_record_are_nobodys(lab, mount):
    """What carries a claim's tags and has no record is looked into once, and shown as it is."""
    lost = {"Key": "svcfs:claim", "Value": "0" * 26}
    before = lab.proxy.count("ssm:GetParameter")
    lab.aws.ec2.create_security_group(
        GroupName="lost", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
            {"ResourceType": "security-group", "Tags": tags(service_id="lost", service_family=FAMILY) + [lost]}])
    mount.refresh()
    assert mount.wait(FAMILY, "lost", timeout=20) == "unmanaged"
    for _ in range(3):
        mount.refresh()
        assert mount.status(FAMILY, "lost") == "unmanaged"
    assert lab.proxy.count("ssm:GetParameter") == before + 1
    assert mount.errno_of("rmdir", mount.at("families", FAMILY, "lost")) == errno.EPERM


@pytest.mark.limit(240)
def test_the_tag_index_may_lag(lab, mount):
    lab.proxy.corrections.index.prime(lab.aws.region)
    lab.proxy.config.change({"tag_lag_add": 6.0, "tag_lag_remove": 6.0})
    assert mount.provision(FAMILY, "site1") == "ready"
    mount.refresh()
    assert mount.status(FAMILY, "site1") == "ready"
    assert len(mount.ls("families", FAMILY, "site1", "resources")) >= 11
    mount.tear_down(FAMILY, "site1")
    mount.refresh()
    assert "site1" not in mount.ls("families", FAMILY) and not mount.exists("services", "site1")
    lab.check_restored()


@pytest.mark.limit(240)
def test_read_only_mount_changes_nothing(lab):
    mount = lab.mount(ro=True)
    with pytest.raises(OSError) as error:
        mount.mkdir(FAMILY, "site1")
    assert error.value.errno == errno.EROFS
    assert mount.errno_of("rmdir", mount.at("families", FAMILY, "legacy1")) == errno.EROFS
    assert lab.writes() == []
