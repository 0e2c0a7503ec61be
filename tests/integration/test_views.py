"""The views: by-status/, by-type/ and untagged/ show the same services and resources in another order, at once and exactly."""
import os
import tempfile

import pytest

from tests.bench.measure import Metrics
from tests.bench.scene import mount_on, wait_swept
from tests.bench.stub import Account
from tests.lib.account import FAMILY, SHARED
from tests.lib.aws import tags
from tests.lib.mount import SLOW
from tests.lib.process import wait_until

STATUSES = ["creating", "degraded", "deleting", "failed", "ready", "unknown", "unmanaged"]


def group(lab, name="x", **own):
    """A security group with these tags; gives its id."""
    what = {"TagSpecifications": [{"ResourceType": "security-group", "Tags": tags(**own)}]} if own else {}
    return lab.aws.ec2.create_security_group(GroupName=name, Description="x", VpcId=lab.account.vpc, **what)["GroupId"]


def tag(lab, identifier, **more):
    lab.aws.ec2.create_tags(Resources=[identifier], Tags=tags(**more))


def stands(mount, service):
    """The statuses below which a service stands, by the listings."""
    return [s for s in STATUSES if service in mount.ls("by-status", s)]


def ids_by_status(mount):
    return {s: mount.ls("by-status", s) for s in STATUSES if mount.ls("by-status", s)}


# by-status/

def test_each_word_has_a_directory(lab, mount):
    assert mount.ls("by-status") == STATUSES
    assert ids_by_status(mount) == {"unmanaged": ["legacy1", "legacy2", "shop"]}
    assert os.readlink(mount.at("by-status", "unmanaged", "shop")) == "../../families/shops/shop"
    assert mount.read("by-status", "unmanaged", "legacy1", "status") == "unmanaged\n"
    assert not mount.exists("by-status", "broken") and not mount.exists("by-status", "ready", "legacy1")
    done = mount.sh("for s in by-status/failed/*; do echo $s; done; ls by-status/ready | wc -l")
    assert done.stdout == "by-status/failed/*\n0\n" and not done.stderr
    assert mount.errno_of("mkdir", mount.at("by-status", "paused")) == 1    # EPERM
    assert mount.errno_of("unlink", mount.at("by-status", "unmanaged", "shop")) == 1
    assert mount.exists("services", "shop")


@pytest.mark.limit(240)
def test_a_status_moves_the_link_at_once(lab, mount):
    """Seen through the mount that works, and through one that watches."""
    other = lab.mount()
    other.refresh()
    times = {s: os.stat(mount.at("by-status", s)).st_mtime_ns for s in STATUSES}
    assert stands(mount, "site1") == [] and not mount.exists("by-status", "ready", "site1")
    mount.mkdir(FAMILY, "site1")
    assert stands(mount, "site1") in (["creating"], ["ready"])
    assert mount.wait(FAMILY, "site1") == "ready"
    assert stands(mount, "site1") == ["ready"]
    assert not os.path.exists(mount.at("by-status", "creating", "site1"))
    assert mount.exists("by-status", "ready", "site1")
    assert os.readlink(mount.at("by-status", "ready", "site1")) == f"../../families/{FAMILY}/site1"
    for status in ("creating", "ready"):
        assert os.stat(mount.at("by-status", status)).st_mtime_ns > times[status], status
    assert os.stat(mount.at("by-status", "failed")).st_mtime_ns == times["failed"]
    wait_until(lambda: mount.ls("by-status", "ready") == other.ls("by-status", "ready") == ["site1"], 30 * SLOW, "both", 0.05)
    wait_until(lambda: stands(other, "site1") == ["ready"], 30 * SLOW, "one status", 0.05)
    # On its way out it is still to be found, and where it stands.
    lab.proxy.rule("ecs:UpdateService", times=1, delay=2)
    mount.rmdir(FAMILY, "site1")
    assert stands(mount, "site1") == ["deleting"]
    wait_until(lambda: os.readlink(mount.at("by-status", "deleting", "site1")) == f"../../deleting/{FAMILY}/site1", 5 * SLOW, "")
    assert mount.read("by-status", "deleting", "site1", "status") == "deleting\n"
    mount.wait_gone(FAMILY, "site1")
    assert stands(mount, "site1") == []
    wait_until(lambda: stands(other, "site1") == [], 30 * SLOW, "the other mount", 0.05)


@pytest.mark.limit(180)
def test_a_degraded_one_is_found(lab, mount):
    mount.provision(FAMILY, "site1")
    (service,) = [s for s in lab.aws.ecs.list_services(cluster=lab.account.cluster)["serviceArns"] if "site1" in s]
    lab.proxy.config.short_of_tasks.append(service.rsplit("/", 1)[1])
    mount.stop()
    mount.restart()     # each daemon's first look at a service comes soon
    wait_until(lambda: mount.ls("by-status", "degraded") == ["site1"], 60 * SLOW, "the look at its health", 0.1)
    assert mount.read("by-status", "degraded", "site1", "status") == "degraded\n"
    assert stands(mount, "site1") == ["degraded"]


def test_ids_that_are_not_unique(lab, mount):
    assert "shop" in mount.ls("by-status", "unmanaged")
    second = group(lab, service_id="shop", service_family="other")
    mount.refresh()
    assert {"shop@shops", "shop@other"} <= set(mount.ls("by-status", "unmanaged"))
    assert "shop" not in mount.ls("by-status", "unmanaged")
    assert os.readlink(mount.at("by-status", "unmanaged", "shop@other")) == "../../families/other/shop"
    lab.aws.ec2.delete_security_group(GroupId=second)
    mount.refresh()
    assert mount.ls("by-status", "unmanaged") == ["legacy1", "legacy2", "shop"]
    assert os.readlink(mount.at("by-status", "unmanaged", "shop")) == "../../families/shops/shop"


def test_a_service_that_moves_to_another_family(lab, mount):
    own = group(lab, service_id="nomad", service_family="aaa")
    mount.refresh()
    assert os.readlink(mount.at("by-status", "unmanaged", "nomad")) == "../../families/aaa/nomad"
    for family in ("zzz", "aaa"):
        tag(lab, own, service_family=family)
        mount.refresh()
        assert mount.ls("by-status", "unmanaged").count("nomad") == 1
        wait_until(lambda: os.readlink(mount.at("by-status", "unmanaged", "nomad")) == f"../../families/{family}/nomad",
                   5 * SLOW, "the new target")


@pytest.mark.parametrize("value, name", [("a/b", "a%2Fb"), ("a@b", "a%40b"), (".hidden", "%2Ehidden"), ("50%", "50%25"),
                                         ("services.tsv", "services.tsv")])
def test_names_are_those_of_services(lab, mount, value, name):
    group(lab, service_id=value, service_family="names/x")
    mount.refresh()
    assert name in mount.ls("services") and name in mount.ls("by-status", "unmanaged")
    inside = os.readlink(mount.at("services", name)).rsplit("/", 1)[1]
    assert os.readlink(mount.at("by-status", "unmanaged", name)) == f"../../families/names%2Fx/{inside}"
    assert mount.read("by-status", "unmanaged", name, "status") == "unmanaged\n"


# by-type/

def test_types(lab, mount):
    # What is known only because something uses it comes right behind the first snapshot.
    wait_until(lambda: {"ecs.cluster", "elasticloadbalancing.listener"} <= set(mount.ls("by-type")), 20 * SLOW, "all of it")
    shown = {tuple(n.split(".", 1)) for n in mount.ls("by-type")}
    assert shown == {(s, t) for s in mount.ls("resources") for t in mount.ls("resources", s)}
    for service, kind in shown:
        assert os.readlink(mount.at("by-type", f"{service}.{kind}")) == f"../resources/{service}/{kind}"
        assert mount.ls("by-type", f"{service}.{kind}") == mount.ls("resources", service, kind)
    assert not mount.exists("by-type", "ec2.no-such-type") and not mount.exists("by-type", "ec2")
    done = mount.sh("cat by-type/ec2.security-group/*/arn | wc -l; ls -d by-type/ec2.security-group/sg-* | wc -l")
    assert done.stdout.split() == [str(len(mount.ls("resources", "ec2", "security-group")))] * 2


def test_types_come_and_go(lab, mount):
    assert "s3.bucket" not in mount.ls("by-type") and not mount.exists("by-type", "s3.bucket")
    times = [os.stat(mount.at("by-type")).st_mtime_ns]
    lab.aws.s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": lab.aws.region})
    lab.aws.s3.put_bucket_tagging(Bucket="files", Tagging={"TagSet": tags(service_id="n1", service_family="wp")})
    mount.refresh()
    times.append(os.stat(mount.at("by-type")).st_mtime_ns)
    assert "s3.bucket" in mount.ls("by-type")
    wait_until(lambda: mount.exists("by-type", "s3.bucket", "files"), 5 * SLOW, "the name")
    assert mount.read("by-type", "s3.bucket", "files", "arn") == "arn:aws:s3:::files\n"
    lab.aws.s3.delete_bucket(Bucket="files")
    mount.refresh()
    times.append(os.stat(mount.at("by-type")).st_mtime_ns)
    assert "s3.bucket" not in mount.ls("by-type")
    wait_until(lambda: not mount.exists("by-type", "s3.bucket"), 5 * SLOW, "the name to go")
    assert times == sorted(set(times))


# untagged/

def untagged(identifier):
    return f"ec2.security-group.{identifier}"


def carry_one(lab):
    """The ARNs of all that carries one of the two tags and not the other, by the tag index."""
    return {arn for arn, found in lab.aws.tagged().items() if len(found.keys() & {"service-id", "service-family"}) == 1}


def arns(mount):
    return {mount.read("untagged", name, "arn").strip() for name in mount.ls("untagged")}


def shown(mount, shared):
    """What untagged/ lists beyond what was there at first, which must be there still."""
    names = mount.ls("untagged")
    assert set(shared) <= set(names)
    return sorted(set(names) - set(shared))


def test_what_families_share_is_there_and_with_them(lab, mount):
    """Beside it nothing: not what carries both tags, nor what carries neither."""
    assert arns(mount) == carry_one(lab) and len(arns(mount)) == 3, "balancer, database, file system"
    assert mount.ls("untagged") == sorted(n for f in (FAMILY, SHARED) for n in mount.ls("families", f, "resources"))
    own = group(lab, service_id="legacy1")
    mount.refresh()
    assert arns(mount) == carry_one(lab) and len(arns(mount)) == 4
    assert not any(mount.exists("families", f, "resources", untagged(own)) for f in mount.ls("families")), "that tells them apart"


@pytest.mark.parametrize("first, key, value", [({"service_id": "legacy1"}, "service-family", FAMILY),
                                               ({"service_family": FAMILY}, "service-id", "legacy1")],
                         ids=["no family", "no service"])
def test_what_was_forgotten(lab, mount, first, key, value):
    shared = mount.ls("untagged")
    before = os.stat(mount.at("untagged")).st_mtime_ns
    own = group(lab, **first)
    assert not mount.exists("untagged", untagged(own))
    mount.refresh()
    assert shown(mount, shared) == [untagged(own)]
    after = os.stat(mount.at("untagged")).st_mtime_ns
    assert after > before
    assert os.readlink(mount.at("untagged", untagged(own))) == f"../resources/ec2/security-group/{own}"
    assert mount.ls("untagged", untagged(own), "tags") == [next(iter(first)).replace("_", "-")]
    assert mount.exists("families", FAMILY, "resources", untagged(own)) == ("service_family" in first)
    tag(lab, own, **{key: value})
    mount.refresh()
    assert shown(mount, shared) == [] and os.stat(mount.at("untagged")).st_mtime_ns > after
    wait_until(lambda: not mount.exists("untagged", untagged(own)), 5 * SLOW, "the name to go")
    assert untagged(own) in mount.ls("services", "legacy1", "resources")
    lab.aws.ec2.delete_tags(Resources=[own], Tags=[{"Key": key}])
    mount.refresh()
    assert shown(mount, shared) == [untagged(own)]
    lab.aws.ec2.delete_security_group(GroupId=own)
    mount.refresh()
    assert shown(mount, shared) == []


def test_adoption_empties_it_at_once(lab):
    mount = lab.mount(refresh=3600)
    shared = mount.ls("untagged")
    own = group(lab, service_id="legacy1")
    mount.refresh()
    assert shown(mount, shared) == [untagged(own)]
    done = mount.sh(f"echo {FAMILY} > untagged/{untagged(own)}/tags/service-family")
    assert done.returncode == 0, done.stderr
    assert shown(mount, shared) == [] and untagged(own) in mount.ls("services", "legacy1", "resources")
    assert lab.aws.tagged(service_id="legacy1", service_family=FAMILY).keys() >= {
        f"arn:aws:ec2:{lab.aws.region}:123456789012:security-group/{own}"}
    for key in ("family", "id"):
        assert mount.sh(f"rm resources/ec2/security-group/{own}/tags/service-{key}").returncode == 0
        assert shown(mount, shared) == ([untagged(own)] if key == "family" else [])


def test_another_family_leaves_it_there(lab, mount):
    """A mistyped one, one with a service, one with a blueprint: only the last tag counts."""
    shared = mount.ls("untagged")
    own = group(lab, service_family="wp-container")
    mount.refresh()
    assert shown(mount, shared) == [untagged(own)]
    changed = os.stat(mount.at("untagged")).st_mtime_ns
    group(lab, "y", service_family="wp-container", service_id="n1")
    mount.refresh()
    assert shown(mount, shared) == [untagged(own)]
    tag(lab, own, service_family=SHARED)
    mount.refresh()
    assert shown(mount, shared) == [untagged(own)] and untagged(own) in mount.ls("families", SHARED, "resources")
    assert os.stat(mount.at("untagged")).st_mtime_ns == changed


@pytest.mark.limit(180)
def test_what_svcfs_made_and_one_tag(lab, mount):
    """It carries both; where somebody removes one it is listed. The record stays its service's all the same."""
    shared = mount.ls("untagged")
    mount.provision(FAMILY, "site1")
    mount.refresh()
    assert shown(mount, shared) == [f"resource-groups.group.{FAMILY}"], "the family's, which svcfs makes"
    shared = mount.ls("untagged")
    own = mount.ls("services", "site1", "resources")
    (files,) = [n for n in own if n.startswith("elasticfilesystem.file-system.")]
    (record,) = [n for n in own if n.startswith("ssm.parameter.svcfs+")]

    def files_tags(remove=(), **add):
        identifier = files.rsplit(".", 1)[1]
        if remove:
            lab.aws.efs.untag_resource(ResourceId=identifier, TagKeys=remove)
        else:
            lab.aws.efs.tag_resource(ResourceId=identifier, Tags=tags(**add))

    def record_tags(remove=(), **add):
        what = {"ResourceType": "Parameter", "ResourceId": "/svcfs/site1"}
        if remove:
            lab.aws.ssm.remove_tags_from_resource(TagKeys=remove, **what)
        else:
            lab.aws.ssm.add_tags_to_resource(Tags=tags(**add), **what)
    for name, change in ((files, files_tags), (record, record_tags)):
        for key, value in (("service_id", "site1"), ("service_family", FAMILY)):
            change(remove=[key.replace("_", "-")])
            mount.refresh()
            assert shown(mount, shared) == [name]
            assert (name in mount.ls("services", "site1", "resources")) == (name == record)
            change(**{key: value})
            mount.refresh()
            assert shown(mount, shared) == [] and mount.ls("services", "site1", "resources") == own


def test_the_kernel_is_told_of_each_name():
    """One that comes to be shared: beyond what it changes elsewhere, the listing and one name; nothing for the others."""
    with tempfile.TemporaryDirectory(prefix="svcfs-views-") as directory, Account(services=20) as account:
        mount = mount_on(account, directory)
        try:
            wait_swept(mount)
            metrics = Metrics(mount)
            arn = next(a for a, r in account.world.resources.items() if "service-id" in r.tags and ":security-group/" in a)
            both = dict(account.world.resources[arn].tags)
            half = {k: v for k, v in both.items() if k != "service-id"}
            name = "ec2.security-group." + arn.rsplit("/", 1)[1]

            def told(its_tags):
                mount.sh("ls -lR families services resources >/dev/null")
                account.change("put", arn, its_tags)
                return metrics.told(mount.refresh)
            unseen = told(half), told(both)
            for i, its_tags in enumerate((half, both)):
                mount.sh(f"ls -lR untagged >/dev/null; ls untagged/{name} 2>/dev/null")
                seen = told(its_tags)
                assert {k: seen[k] - unseen[i][k] for k in seen} == {"inval_inode": 1, "inval_entry": 1}
                assert (name in mount.ls("untagged")) == (i == 0)
        finally:
            mount.stop()
        assert not mount.complaints()


# All of them

def test_following_links_ends(lab, mount):
    group(lab, service_id="orphan")
    mount.refresh()
    done = mount.sh("timeout 50 find -L by-status by-type untagged -name arn | wc -l; timeout 50 grep -R . by-type by-status >/dev/null")
    assert done.returncode == 0 and int(done.stdout) > 20 and "loop" not in done.stderr, done.stderr
    assert mount.sh("find -L by-status by-type untagged -type l").stdout == "", "all of them lead somewhere"


def test_views_wait_for_the_first_sweep(lab):
    hold = lab.proxy.rule("tagging:GetResources", delay=3)
    mount = lab.mount(cache_dir="none")
    assert mount.sh("timeout 2 ls -d by-status by-type untagged").returncode == 0
    assert mount.ls("by-status", "unmanaged") == ["legacy1", "legacy2", "shop"]
    assert "ecs.service" in mount.ls("by-type") and arns(mount) == carry_one(lab)
    assert hold.hits


def test_views_are_there_from_what_was_saved(lab):
    mount = lab.mount()
    group(lab, service_id="orphan")
    mount.refresh()
    seen = [ids_by_status(mount), mount.ls("by-type"), mount.ls("untagged")]
    mount.stop()
    lab.proxy.rule("tagging:GetResources", delay=20)
    mount.restart()
    assert [ids_by_status(mount), mount.ls("by-type"), mount.ls("untagged")] == seen
    assert "being read" in mount.read(".svcfs", "health") or "saved" in mount.read(".svcfs", "health")
    lab.proxy.clear_rules()


RECORDS = ["ssm:" + o for o in ("GetParametersByPath", "GetParameters", "GetParameter")]


@pytest.mark.limit(180)
def test_another_status_is_two_listings_and_two_names():
    """Counted, as what it costs beyond the same change that nobody has looked at in by-status/: two listings, two names,
    and the old link itself."""
    with tempfile.TemporaryDirectory(prefix="svcfs-views-") as directory, Account(services=300, managed=20) as account:
        for operation in RECORDS:
            account.delay(operation, 3600)      # so the phase of the tags counts
        mount = mount_on(account, directory)
        try:
            wait_swept(mount)
            service = next(iter(account.world.records))
            (record,) = [a for a in account.world.owned[service] if a.endswith("/svcfs/" + service)]
            mount.sh("ls -lR families services resources by-type untagged >/dev/null; grep -r . families >/dev/null")
            metrics = Metrics(mount)

            def told(phase):
                account.change("tag", record, "svcfs:phase", phase)
                found = metrics.told(mount.refresh)
                mount.sh("ls -lR families services resources by-type >/dev/null; grep -r . families >/dev/null")
                return found
            unseen = told("failed")
            told("ready")
            assert len(mount.ls("by-status", "ready")) == 20 and len(mount.ls("by-status", "unmanaged")) == 280
            mount.sh("ls -lR by-status >/dev/null")
            seen = told("failed")
            assert {k: seen[k] - unseen[k] for k in seen} == {"inval_inode": 3, "inval_entry": 2}
            assert mount.ls("by-status", "failed") == [service]
            assert mount.read("by-status", "failed", service, "status") == "failed\n"
            mount.sh("ls -lR by-status >/dev/null")
            assert metrics.told(mount.refresh) == {}
            for operation in RECORDS:
                account.delay(operation, 0)
        finally:
            mount.stop()
        assert not mount.complaints()
