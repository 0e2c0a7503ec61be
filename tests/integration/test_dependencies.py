"""Dependencies: ln -s and rm in depends-on/, seen from both ends, on every resource, through two mounts at once."""
import errno
import json
import os
import subprocess
import time

import pytest

from tests.integration.test_tags import fail_each, pairs, tag_writes, tags_at
from tests.lib.account import FAMILY
from tests.lib.aws import tags
from tests.lib.inventory import difference
from tests.lib.mount import SLOW, in_parallel
from tests.lib.process import wait_until

E = errno
TAG = "service-dependency"


def link(mount, service, other, family=FAMILY):
    """errno of ln -s."""
    return mount.errno_of("symlink", "anything", mount.at("families", family, service, "depends-on", other))


def unlink(mount, service, other, family=FAMILY):
    return mount.errno_of("unlink", mount.at("families", family, service, "depends-on", other))


def needs(mount, service, family=FAMILY):
    return mount.ls("families", family, service, "depends-on")


def needed_by(mount, service, family=FAMILY):
    return mount.ls("families", family, service, "dependents")


def words(found):
    """The ids in the dependency tags, in the order of their keys."""
    keys = sorted((k for k in found if k == TAG or k.startswith(TAG + "-")), key=lambda k: int(k[len(TAG) + 1:] or 1))
    assert keys == [TAG, *(f"{TAG}-{i}" for i in range(2, len(keys) + 1))][:len(keys)]
    assert all(0 < len(found[k]) <= 256 for k in keys)
    return [w for k in keys for w in found[k].split(" ")]


def all_of(lab, service):
    """ARNs of all that carries the service's tag, with what the owning services say."""
    arns = list(lab.through.tagged(service_id=service))
    return {arn: tags_at(lab, arn) for arn in arns}


def check_everywhere(lab, service, ids):
    found = all_of(lab, service)
    assert found
    for arn, there in found.items():
        assert words(there) == sorted(ids), arn


def make(lab, service, family="plain", dependency=None):
    """A service of one security group, tagged by hand."""
    own = tags(service_id=service, service_family=family) + ([{"Key": TAG, "Value": dependency}] if dependency else [])
    return lab.aws.ec2.create_security_group(GroupName=f"{family}-{service}", Description="x", VpcId=lab.account.vpc,
                                             TagSpecifications=[{"ResourceType": "security-group", "Tags": own}])["GroupId"]


def test_add_list_and_remove(lab, mount):
    # names that nobody found before, and listings that the kernel keeps
    assert needs(mount, "legacy1") == [] and needed_by(mount, "shop", "shops") == []
    assert not mount.exists("families", "shops", "shop", "dependents", "legacy1")
    assert link(mount, "legacy1", "shop") == 0
    assert needs(mount, "legacy1") == ["shop"] and needed_by(mount, "shop", "shops") == ["legacy1"]
    here, there = ("families", FAMILY, "legacy1", "depends-on", "shop"), ("families", "shops", "shop", "dependents", "legacy1")
    assert os.readlink(mount.at(*here)) == "../../../shops/shop" and mount.read(*here, "status") == "unmanaged\n"
    assert os.readlink(mount.at(*there)) == f"../../../{FAMILY}/legacy1/service.json"
    assert json.loads(mount.read(*there))["dependsOn"] == ["shop"]
    check_everywhere(lab, "legacy1", ["shop"])
    assert link(mount, "legacy1", "legacy2") == 0
    assert link(mount, "legacy1", "legacy2") == E.EEXIST
    assert needs(mount, "legacy1") == ["legacy2", "shop"]
    check_everywhere(lab, "legacy1", ["legacy2", "shop"])
    assert unlink(mount, "legacy1", "shop") == 0
    assert needs(mount, "legacy1") == ["legacy2"] and not mount.exists(*there) and needed_by(mount, "shop", "shops") == []
    assert unlink(mount, "legacy1", "shop") == E.ENOENT
    assert unlink(mount, "legacy1", "legacy2") == 0
    assert difference(lab.before, lab.inventory()) == [] and needs(mount, "legacy1") == []


def test_what_is_refused(lab, mount):
    make(lab, "x", "other")
    make(lab, "x", "another")
    mount.refresh()
    for service, other, number in (("legacy1", "nothere", E.ENOENT), ("legacy1", "legacy1", E.ELOOP), ("legacy1", "x", E.ENOENT),
                                   ("legacy1", "%", E.ENOENT), ("legacy1", ".x", E.ENOENT), ("legacy1", "a" * 255, E.ENOENT)):
        assert link(mount, service, other) == number, other
    for where in ("families/{f}/legacy1/x", "families/{f}/legacy1/dependents/shop", "families/{f}/legacy1/resources/x",
                  "families/{f}/x", "services/x", "x", "deleting/x", "families/{f}/legacy1/outputs/x"):
        assert mount.errno_of("symlink", "y", mount.at(where.format(f=FAMILY))) == E.EPERM, where
    top = f"families/{FAMILY}/legacy1"
    assert mount.errno_of("unlink", mount.at(top, "depends-on", "shop")) == E.ENOENT
    assert mount.sh(f"touch {top}/depends-on/x; mkdir {top}/depends-on/shop; rmdir {top}/depends-on").returncode != 0
    assert lab.writes() == []
    assert link(mount, "legacy1", "x@other") == 0
    assert needs(mount, "legacy1") == ["x@another", "x@other"], "the tag has the id alone"
    closed = lab.mount(ro=True)
    assert link(closed, "legacy1", "shop") == E.EROFS and unlink(closed, "legacy1", "x@other") == E.EROFS


def test_circles(lab, mount):
    ids = [f"s{i}" for i in range(6)]
    for i in ids:
        make(lab, i)
    mount.refresh()
    for a, b in zip(ids, ids[1:]):
        assert link(mount, a, b, "plain") == 0
    writes = len(lab.writes())
    for a in ids[1:]:
        assert link(mount, a, "s0", "plain") == E.ELOOP
    assert len(lab.writes()) == writes and needed_by(mount, "s0", "plain") == []
    assert "s5 needs" not in mount.read(".svcfs", "errors")
    assert unlink(mount, "s2", "s3", "plain") == 0
    assert link(mount, "s5", "s0", "plain") == 0, "no longer one"
    assert link(mount, "s2", "s3", "plain") == E.ELOOP


def test_a_circle_through_two_mounts(lab, mount):
    """The other mount's dependency is seen before any refresh; and of two at once at most one stays."""
    for i in ("s0", "s1", "s2"):
        make(lab, i)
    mount.refresh()
    other = lab.mount(refresh=3600)
    other.refresh()
    assert link(mount, "s0", "s1", "plain") == 0 and link(mount, "s1", "s2", "plain") == 0
    assert link(other, "s2", "s0", "plain") == E.ELOOP
    assert unlink(mount, "s1", "s2", "plain") == 0 and unlink(mount, "s0", "s1", "plain") == 0
    for _ in range(3):
        results = in_parallel([lambda: link(mount, "s0", "s1", "plain"), lambda: link(other, "s1", "s0", "plain")])
        assert sorted(results)[-1] == E.ELOOP and set(results) <= {0, E.ELOOP}
        both = [words(t) for s in ("s0", "s1") for t in all_of(lab, s).values()]
        assert [] in both, both
        for m in (mount, other):
            m.refresh()
        for m, a, b in ((mount, "s0", "s1"), (other, "s1", "s0")):
            if b in needs(m, a, "plain"):
                assert unlink(m, a, b, "plain") == 0


@pytest.mark.limit(300)
def test_two_mounts_add_at_once(lab, mount):
    """Nothing is lost, of a service tagged by hand and of one with a record."""
    ids = [f"s{i:02}" for i in range(12)]
    for i in ids:
        make(lab, i)
    mount.provision(FAMILY, "site1")
    other = lab.mount()
    for m in (mount, other):
        m.refresh()
    for service in ("legacy1", "site1"):
        results = in_parallel([lambda i=i, m=m: link(m, service, i)
                               for n, i in enumerate(ids) for m in ((mount, other)[n % 2],)])
        assert results == [0] * len(ids)
        for m in (mount, other):
            m.refresh()
            assert needs(m, service) == ids
        assert words(tags_at(lab, next(a for a in all_of(lab, service) if ":ecs:" in a and ":service/" in a)))
    record = pairs(lab.aws.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/svcfs/site1")["TagList"])
    assert words(record) == ids
    results = in_parallel([lambda i=i, m=m: unlink(m, "site1", i) for n, i in enumerate(ids) for m in ((mount, other)[n % 2],)])
    assert results == [0] * len(ids)
    for m in (mount, other):
        m.refresh()
        assert needs(m, "site1") == []


@pytest.mark.limit(200)
def test_of_a_service_that_svcfs_made(lab, mount):
    mount.provision(FAMILY, "site1")
    mount.refresh()
    assert link(mount, "site1", "legacy1") == 0
    check_everywhere(lab, "site1", ["legacy1"])
    assert any(":ssm:" in arn for arn in all_of(lab, "site1"))
    assert link(mount, "legacy2", "site1") == 0
    # who is needed does not go
    number = mount.errno_of("rmdir", mount.at("families", FAMILY, "site1"))
    assert number == E.EBUSY and "legacy2 depends on it" in mount.read(".svcfs", "errors")
    assert "legacy2 depends on it" in mount.log_text()
    assert mount.status(FAMILY, "site1") == "ready"
    assert not [r for r in lab.proxy.seen("ssm:PutParameter") if "/delete-" in r.request.params["Name"]]
    assert unlink(mount, "legacy2", "site1") == 0
    # on its way out it still shows what it needs, and nobody changes that
    lab.proxy.config.ecs_drain_looks = 1000000
    assert mount.errno_of("rmdir", mount.at("families", FAMILY, "site1")) == 0
    gone = mount.at("deleting", FAMILY, "site1", "depends-on")
    assert os.listdir(gone) == ["legacy1"]
    assert os.readlink(os.path.join(gone, "legacy1")) == f"../../../../families/{FAMILY}/legacy1"
    back = ("families", FAMILY, "legacy1", "dependents", "site1")
    assert os.readlink(mount.at(*back)) == f"../../../../deleting/{FAMILY}/site1/service.json"
    assert os.path.exists(mount.at(*back))
    assert mount.errno_of("unlink", os.path.join(gone, "legacy1")) == E.EPERM
    assert mount.errno_of("symlink", "x", os.path.join(gone, "shop")) == E.EPERM
    assert link(mount, "legacy1", "site1") == E.ENOENT
    lab.proxy.config.ecs_drain_looks = 1
    mount.wait_gone(FAMILY, "site1")
    assert needed_by(mount, "legacy1") == []


def test_what_does_not_exist_is_shown(lab, mount):
    make(lab, "s1", dependency="nothere shop a=20b c=3Dd")
    mount.refresh()
    assert needs(mount, "s1", "plain") == ["a b", "c=d", "nothere", "shop"]
    top = ("families", "plain", "s1", "depends-on")
    assert not os.path.exists(mount.at(*top, "nothere")) and os.path.islink(mount.at(*top, "nothere"))
    # it comes: the link leads there
    make(lab, "nothere", "fresh")
    mount.refresh()
    assert os.readlink(mount.at(*top, "nothere")) == "../../../fresh/nothere"
    assert mount.read(*top, "nothere", "status") == "unmanaged\n" and needed_by(mount, "nothere", "fresh") == ["s1"]
    # and once more in another family: the names change
    second = make(lab, "nothere", "more")
    mount.refresh()
    assert needs(mount, "s1", "plain") == ["a b", "c=d", "nothere@fresh", "nothere@more", "shop"]
    assert not mount.exists(*top, "nothere")
    lab.aws.ec2.delete_security_group(GroupId=second)
    wait_until(lambda: "nothere" in needs(mount, "s1", "plain"), 30, "the name alone", 0.2)
    # ids that need an escape are written with one
    assert unlink(mount, "s1", "a b", "plain") == 0
    assert needs(mount, "s1", "plain") == ["c=d", "nothere", "shop"]
    check_everywhere(lab, "s1", ["c=3Dd", "nothere", "shop"])
    make(lab, "odd one")
    mount.refresh()
    assert link(mount, "s1", "odd one", "plain") == 0
    assert "odd=20one" in words(next(iter(all_of(lab, "s1").values())))
    done = mount.sh("find families -follow >/dev/null; grep -r shop families/plain >/dev/null; cp -r families/plain $0.copy")
    assert "loop" not in done.stderr


@pytest.mark.limit(900)
def test_300_dependencies(lab, mount):
    ids = [f"svc{i:05}" for i in range(300)]
    for i in ids:
        lab.aws.ssm.put_parameter(Name=f"/app/{i}", Value="x", Type="String", Tags=tags(service_id=i, service_family="many"))
    mount.refresh()
    began = time.monotonic()
    done = mount.sh(f"cd families/{FAMILY}/legacy1/depends-on && for i in ../../../many/svc*; do ln -s $i . || exit 1; done",
                    timeout=600)
    assert done.returncode == 0, done.stderr
    print(f"300 dependencies in {time.monotonic() - began:.0f} s")
    assert needs(mount, "legacy1") == ids
    check_everywhere(lab, "legacy1", ids)
    assert {len([k for k in t if k.startswith(TAG)]) for t in all_of(lab, "legacy1").values()} == {11}
    assert needed_by(mount, ids[7], "many") == ["legacy1"]
    other = lab.mount()
    assert needs(other, "legacy1") == ids
    # what is no longer needed of the continuations goes
    for i in ids[::-1][:60]:
        assert unlink(mount, "legacy1", i) == 0
    check_everywhere(lab, "legacy1", ids[:240])
    assert {len([k for k in t if k.startswith(TAG)]) for t in all_of(lab, "legacy1").values()} == {9}


def test_no_room_for_a_list(lab, mount):
    """A tag too many on any resource: ENOSPC, and nothing is written anywhere."""
    ids = [f"{'x' * 200}{i}" for i in range(3)]
    for n, i in enumerate(ids):
        lab.aws.ssm.put_parameter(Name=f"/app/{n}", Value="x", Type="String", Tags=tags(service_id=i, service_family="many"))
    group = make(lab, "s1")
    lab.aws.ssm.put_parameter(Name="/app/s1", Value="x", Type="String", Tags=tags(service_id="s1", service_family="plain"))
    lab.aws.ec2.create_tags(Resources=[group], Tags=[{"Key": f"t{i}", "Value": "x"} for i in range(46)])
    mount.refresh()
    assert link(mount, "s1", ids[0], "plain") == 0 and link(mount, "s1", ids[1], "plain") == 0
    writes, before = len(lab.writes()), all_of(lab, "s1")
    assert link(mount, "s1", ids[2], "plain") == E.ENOSPC
    assert len(lab.writes()) == writes and all_of(lab, "s1") == before
    assert unlink(mount, "s1", ids[0], "plain") == 0 and link(mount, "s1", ids[2], "plain") == 0


def test_a_failure_in_between_is_taken_back(lab, mount):
    """ln that failed changed nothing, and works when it is repeated; rm that failed is completed by the next."""
    def fail(times=None):
        lab.proxy.rule("tagging:*agResources", where=lambda r: ":secret:" in r.body.decode(), before=fail_each, times=times)
        lab.proxy.rule("secretsmanager:*agResource", error=(400, "AccessDeniedException", "no"), times=times)
    before = all_of(lab, "legacy1")
    fail()
    assert link(mount, "legacy1", "shop") == E.EACCES
    errors = mount.read(".svcfs", "errors")
    assert ":secret:" in errors and "taken back" not in errors
    lab.proxy.clear_rules()
    assert needs(mount, "legacy1") == [] and all_of(lab, "legacy1") == before
    # refused at the first resource, and nothing at all is written
    refused = lab.proxy.rule("*:*", where=lambda r: r.is_write and r.action != "GetResources", error=(403, "AccessDenied", "no"))
    assert link(mount, "legacy1", "shop") == E.EACCES and refused.hits == 2
    assert "taken back" not in mount.read(".svcfs", "errors")
    lab.proxy.clear_rules()
    assert link(mount, "legacy1", "shop") == 0
    check_everywhere(lab, "legacy1", ["shop"])
    fail()
    assert unlink(mount, "legacy1", "shop") == E.EACCES
    assert needs(mount, "legacy1") == ["shop"], "the secret still has it"
    lab.proxy.clear_rules()
    assert unlink(mount, "legacy1", "shop") == 0
    assert needs(mount, "legacy1") == [] and all_of(lab, "legacy1") == before


def test_only_one_of_the_resources_has_it(lab, mount):
    arn = next(a for a in lab.account.hand_made if ":targetgroup/legacy1" in a)
    lab.aws.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": TAG, "Value": "shop"}])
    mount.refresh()
    assert needs(mount, "legacy1") == ["shop"]
    assert link(mount, "legacy1", "legacy2") == 0
    check_everywhere(lab, "legacy1", ["legacy2", "shop"])
    assert unlink(mount, "legacy1", "shop") == 0
    check_everywhere(lab, "legacy1", ["legacy2"])


def test_the_name_of_the_tag_is_an_option(lab):
    mount = lab.mount(dependency_tag="needs")
    assert link(mount, "legacy1", "shop") == 0
    assert all(t["needs"] == "shop" and TAG not in t for t in all_of(lab, "legacy1").values())


def test_a_stalled_ln_can_be_killed(lab, mount):
    stall = lab.proxy.rule("tagging:TagResources", stall=True)
    ln = subprocess.Popen(["ln", "-s", "x", mount.at("families", FAMILY, "legacy1", "depends-on", "shop")],
                          start_new_session=True)
    lab.proxy.wait_for("tagging:TagResources")
    began = time.monotonic()
    assert mount.sh(f"ls families/{FAMILY}/legacy1/depends-on families/{FAMILY}/legacy1", timeout=5).returncode == 0
    assert time.monotonic() - began < 2 * SLOW
    ln.kill()
    ln.wait(5)
    lab.proxy.remove_rule(stall)
    assert tag_writes(lab)
