"""Browsing: the tree shows what is there, with exact sizes and the names that tree.md prescribes."""
import collections
import json
import os
import stat

import pytest

from tests.lib.account import FAMILY, SHARED
from tests.lib.aws import tags
from tests.lib.process import wait_until


def test_root_and_families(lab, mount):
    assert mount.ls() == [".svcfs", "README", "by-status", "by-type", "deleting", "families", "graph.dot", "groups",
                          "resources", "services", "untagged"]
    assert mount.ls("families") == ["shops", FAMILY, SHARED]
    assert mount.ids(FAMILY) == ["legacy1", "legacy2"] and mount.ids("shops") == ["shop"]
    assert mount.ls("services") == ["legacy1", "legacy2", "shop"]
    assert mount.ls("deleting") == []
    assert {"blueprint.json", "next-id", "services.tsv", "resources"} <= set(mount.ls("families", FAMILY))
    assert "blueprint.json" not in mount.ls("families", "shops") and "next-id" not in mount.ls("families", "shops")
    assert {"health", "identity", "freshness", "errors", "refresh", "version"} <= set(mount.ls(".svcfs"))
    with open(os.path.join(lab.blueprints, FAMILY + ".json")) as file:
        assert mount.read("families", FAMILY, "blueprint.json") == file.read()


def test_a_hand_tagged_service(lab, mount):
    top = ("families", FAMILY, "legacy1")
    assert mount.status(FAMILY, "legacy1") == "unmanaged"
    assert mount.wait(FAMILY, "legacy1", timeout=10) == "unmanaged"
    assert not mount.exists(*top, "error")
    arns = {mount.read(*top, "resources", name, "arn").strip() for name in mount.ls(*top, "resources")}
    assert arns == {a for a, t in lab.account.hand_made.items() if t["service-id"] == "legacy1"}
    document = json.loads(mount.read(*top, "service.json"))
    assert "legacy1" in json.dumps(document)
    rows = [line.split("\t") for line in mount.read("families", FAMILY, "services.tsv").splitlines()]
    assert rows[0] == ["id", "status", "checked", "created", "resources", "url"]
    assert [r[:2] + r[4:] for r in rows[1:]] == [[i, "unmanaged", "6", "-"] for i in ("legacy1", "legacy2")]


def test_family_resources_carry_no_service(lab, mount):
    names = mount.ls("families", FAMILY, "resources")
    kinds = {n.split(".")[0] for n in names}
    assert kinds == {"elasticloadbalancing", "rds"}
    assert mount.read("families", FAMILY, "resources", names[0], "arn").strip() in (lab.account.balancer,) or \
        names[0].startswith("rds")


def test_every_resource_once_with_its_tags(lab, mount):
    for arn, arn_tags in lab.account.hand_made.items():
        kind, rest = arn.split(":")[2], arn.split(":", 5)[5]
        separator = min((rest.index(c) for c in "/:" if c in rest))
        type_name, identifier = rest[:separator], rest[separator + 1:]
        path = ("resources", kind, type_name, identifier.replace("+", "%2B").replace("/", "+"))
        assert mount.read(*path, "arn") == arn + "\n", path
        shown = {k: mount.read(*path, "tags", k).rstrip("\n") for k in mount.ls(*path, "tags")}
        assert shown == arn_tags
        assert stat.S_IMODE(os.stat(mount.at(*path, "tags", "service-id")).st_mode) & 0o222 == 0o200


def test_groups_whoever_made_them(lab, mount):
    assert set(lab.account.groups) <= set(mount.ls("groups"))
    query = json.loads(mount.read("groups", "old-sites", "query.json"))
    assert FAMILY in json.dumps(query)
    assert ":group/old-sites" in mount.read("groups", "old-sites", "arn")
    members = {mount.read("groups", "old-sites", "resources", n, "arn").strip()
               for n in mount.ls("groups", "old-sites", "resources")}
    assert members == set(lab.through.tagged(service_family=FAMILY))
    # The second one's members carry neither of our tags, and stand in resources/ as well.
    (cluster,) = mount.ls("groups", "reporting", "resources")
    assert os.path.isdir(mount.at("groups", "reporting", "resources", cluster))


def test_sizes_are_exact_and_files_end_in_a_newline(lab, mount):
    mount.refresh()  # what is known only by its use has come, too
    for directory, _, files in os.walk(mount.path):
        for name in files:
            path = os.path.join(directory, name)
            if os.path.islink(path) or name in ("next-id", "freshness", "health"):
                continue
            size = os.stat(path).st_size
            with open(path, "rb") as file:
                content = file.read()
            assert len(content) == size, path
            assert not content or content.endswith(b"\n") or name == "blueprint.json", path


def test_directories_and_inodes(lab, mount):
    def numbers():
        return {os.path.relpath(os.path.join(d, n), mount.path): os.lstat(os.path.join(d, n)).st_ino
                for d, dirs, files in os.walk(mount.path) for n in dirs + files}
    mount.refresh()  # what is known only by its use has come, too
    first = numbers()
    several = collections.defaultdict(set)
    for name, number in first.items():
        several[number].add(name)
    for names in several.values():      # only links that say the same are one inode
        assert len(names) == 1 or len({os.readlink(mount.at(name)) for name in names}) == 1, names
    for directory, dirs, _ in os.walk(mount.path):
        real = [d for d in dirs if not os.path.islink(os.path.join(directory, d))]
        assert os.stat(directory).st_nlink in (1, 2 + len(real)), directory
    mount.stop()
    mount.restart()
    mount.refresh()
    second = numbers()
    same = [n for n in first if n in second]
    assert len(same) > 50 and [n for n in same if first[n] != second[n]] == []


@pytest.mark.parametrize("value, name", [
    ("plain", "plain"), ("a b:c+d=e@f", "a b:c+d=e@f"), ("a/b", "a%2Fb"), ("50%", "50%25"), (".hidden", "%2Ehidden"),
    ("Straße", "Straße"), ("services.tsv", "%73ervices.tsv"), ("resources", "%72esources"), ("UPPER", "UPPER"),
])
def test_names_of_tag_values(lab, mount, value, name):
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id=value, service_family="names")}])
    mount.refresh()
    assert mount.ids("names") == [name] or name in mount.ls("families", "names")
    assert mount.status("names", name) == "unmanaged"


def test_changes_by_others_appear(lab, mount):
    before = os.stat(mount.at("families")).st_mtime_ns
    group = lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id="new1", service_family="fresh")}])["GroupId"]
    mount.refresh()
    assert mount.ids("fresh") == ["new1"] and mount.exists("services", "new1")
    assert os.stat(mount.at("families")).st_mtime_ns > before
    lab.aws.ec2.delete_security_group(GroupId=group)
    wait_until(lambda: not mount.exists("families", "fresh"), 20, "the sweep by the timer", 0.1)
    assert not mount.exists("services", "new1")


def test_one_id_in_two_families(lab, mount):
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id="shop", service_family="other")}])
    mount.refresh()
    assert {"shop@shops", "shop@other"} <= set(mount.ls("services")) and "shop" not in mount.ls("services")


def test_a_service_without_family_is_a_complaint(lab, mount):
    lab.aws.ec2.create_security_group(GroupName="x", Description="x", VpcId=lab.account.vpc, TagSpecifications=[
        {"ResourceType": "security-group", "Tags": tags(service_id="orphan1")}])
    mount.refresh()
    assert "orphan1" not in mount.ls("services") and "orphan1" in mount.read(".svcfs", "errors")


def test_browsing_asks_aws_for_nothing(lab):
    mount = lab.mount(refresh=3600)
    mount.refresh()
    lab.wait_quiet()
    before = lab.proxy.count()
    done = mount.sh("ls -R . >/dev/null; find . >/dev/null; grep -r legacy families >/dev/null; find -L services >/dev/null")
    assert done.returncode == 0, done.stderr
    assert [r.operation for r in lab.proxy.seen()[before:] if not r.operation.startswith("ssm:Get")] == []
    # The sizes of what was not described yet cost a call for each batch; then they are known.
    # What they bring to light is described by the next look.
    for _ in range(4):
        assert mount.sh("ls -lR . >/dev/null").returncode in (0, 1)
    before = lab.proxy.count()
    assert mount.sh("ls -lR . >/dev/null; find . -size +100k").returncode == 0
    # The records are read by a timer of their own.
    assert [r.operation for r in lab.proxy.seen()[before:] if not r.operation.startswith("ssm:Get")] == []


def test_many_resources_come_over_many_pages(lab):
    for i in range(230):
        lab.aws.ssm.put_parameter(Name=f"/app/p{i:03}", Value="x", Type="String",
                                  Tags=tags(service_id=f"p{i:03}", service_family="params"))
    mount = lab.mount()
    assert len(mount.ids("params")) == 230
    pages = [r for r in lab.proxy.seen("tagging:GetResources") if r.request.params.get("PaginationToken")]
    assert pages


def test_a_chain_of_pages_that_breaks_is_begun_anew(lab):
    for i in range(130):
        lab.aws.ssm.put_parameter(Name=f"/app/p{i:03}", Value="x", Type="String",
                                  Tags=tags(service_id=f"p{i:03}", service_family="params"))
    broken = lab.proxy.rule("tagging:GetResources", times=1, error=(500, "InternalServiceException", "x"),
                            where=lambda r: bool(r.params.get("PaginationToken")))
    mount = lab.mount()
    assert len(mount.ids("params")) == 130
    assert broken.hits == 1
    failed = next(r for r in lab.proxy.seen("tagging:GetResources") if r.status == 500)
    token = failed.request.params["PaginationToken"]
    again = [r for r in lab.proxy.seen("tagging:GetResources") if r.request.params.get("PaginationToken") == token]
    assert again == [failed], "a token is not used again after an error"
