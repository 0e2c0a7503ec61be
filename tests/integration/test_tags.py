"""Tags as files: a write tags, rm untags; every limit is known before AWS is asked, and nothing is lost by mistake."""
import errno
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.lib import wire
from tests.lib.account import FAMILY, SHARED
from tests.lib.inventory import difference
from tests.lib.mount import ORDINARY, SLOW, needs_root
from tests.lib.process import wait_until

E = errno
SHELLS = [s for s in ("bash", "dash", "zsh") if shutil.which(s)]
WRITES = ("*TagResource*", "*:AddTags*", "*:CreateTags", "*Untag*", "*:RemoveTags*", "*:DeleteTags", "*:Tag")


def path_of(arn):
    """Where a resource stands below the mount."""
    kind, rest = arn.split(":")[2], arn.split(":", 5)[5]
    separator = min(rest.index(c) for c in "/:" if c in rest)
    identifier = rest[separator + 1:].replace("+", "%2B").replace("/", "+")
    return f"resources/{kind}/{rest[:separator]}/{identifier}"


def tags_at(lab, arn):
    """The tags at the owning service, asked straight of moto."""
    kind, rest = arn.split(":")[2], arn.split(":", 5)[5]
    aws, name = lab.aws, rest.split("/")[-1]
    if kind == "ec2":
        return pairs(aws.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [name]}])["Tags"])
    if kind == "elasticloadbalancing":
        return pairs(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])
    if kind == "ssm":
        return pairs(aws.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=rest[len("parameter"):])["TagList"])
    if kind == "ecs":
        return pairs(aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"])
    if kind == "elasticfilesystem":
        return pairs(aws.efs.list_tags_for_resource(ResourceId=name)["Tags"])
    if kind == "rds":
        return pairs(aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"])
    if kind == "resource-groups":
        return aws.resource_groups.get_tags(Arn=arn)["Tags"]
    if kind == "secretsmanager":
        return pairs(aws.secretsmanager.describe_secret(SecretId=arn).get("Tags"))
    raise ValueError(arn)


def pairs(tags):
    return {t.get("Key", t.get("key")): t.get("Value", t.get("value")) for t in tags or []}


def group_of(lab, service="legacy1"):
    """The ARN of the security group that was tagged by hand."""
    return next(a for a, t in lab.account.hand_made.items() if ":security-group/" in a and t["service-id"] == service)


def tag_writes(lab):
    return [r.operation for pattern in WRITES for r in lab.proxy.seen(pattern)]


@pytest.fixture
def group(lab, mount):
    """A security group: mount, its directory, a function that gives its tags as AWS has them."""
    arn = group_of(lab)
    return mount, path_of(arn), lambda: tags_at(lab, arn)


HOW = {
    "echo": "echo value > {}", "printf": "printf value > {}", "tee": "echo value | tee {} >/dev/null",
    "cp": "echo value > $TMPDIR/from; cp $TMPDIR/from {}", "dd": "echo value | dd of={} 2>/dev/null",
    "cat": "echo value | cat > {}",
    "python": "python3 -I -c 'import sys; f = open(sys.argv[1], \"w\"); f.write(\"value\\n\"); f.close()' {}",
    "perl": "perl -e 'open F, \">\", $ARGV[0] or exit 1; print F \"value\\n\"; close F or exit 2' {}",
    **{f"echo in {shell}": shell + " -c 'echo value > {}'" for shell in SHELLS},
}


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_writing_tags(lab, group, how):
    mount, path, tags = group
    before = tags()
    for attempt in ("made", "changed"):  # CREATE, then OPEN of what is there
        if attempt == "changed":
            assert mount.sh(f"echo other > {path}/tags/key").returncode == 0
        done = mount.sh(f"export TMPDIR={lab.directory}; {how.format(f'{path}/tags/key')}")
        assert (done.returncode, done.stderr) == (0, "")
        assert mount.read(path, "tags", "key") == "value\n" and os.stat(mount.at(path, "tags", "key")).st_size == 6
        assert "key" in mount.ls(path, "tags") and tags() == {**before, "key": "value"}
    assert mount.sh(f"rm {path}/tags/key").returncode == 0
    assert tags() == before and sorted(before) == mount.ls(path, "tags") and not mount.exists(path, "tags", "key")


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_an_error_reaches_the_exit_status(lab, group, how):
    mount, path, tags = group
    before = tags()
    lab.proxy.rule("tagging:TagResources", error=(400, "AccessDeniedException", "no"))
    lab.proxy.rule("ec2:CreateTags", error=(403, "UnauthorizedOperation", "no"))
    done = mount.sh(f"export TMPDIR={lab.directory}; {how.format(f'{path}/tags/key')}")
    assert done.returncode != 0
    assert tags() == before and not mount.exists(path, "tags", "key")
    assert "EACCES" in mount.read(".svcfs", "errors")


def write_errno(mount, path, key, value, user=None):
    """errno of a whole write, by one process."""
    script = ("import os, sys\n"
              "try:\n"
              "    f = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)\n"
              "    os.write(f, os.fsencode(sys.argv[2]))\n"
              "except OSError as e: sys.exit(e.errno)\n")
    done = subprocess.run([*mount._inside(user), "/usr/bin/python3", "-I", "-S", "-c", script, mount.at(path, "tags", key), value],
                          capture_output=True, text=True, timeout=60 * SLOW, cwd="/")
    assert not done.stderr
    return done.returncode


REFUSED = [
    ("aws:x", "v", E.EPERM), ("AWS:x", "v", E.EPERM), ("svcfs:claim", "v", E.EPERM), ("management-mode", "automatic", E.EPERM),
    ("k" * 128, "v", E.EINVAL),   # EC2: 127
    ("key", "v" * 257, E.EINVAL), ("key", "é" * 257, E.EINVAL), ("key", "a,b", E.EINVAL), ("key", '{"a":1}', E.EINVAL),
    ("key", "a\nb", E.EINVAL), ("key", "a\tb", E.EINVAL), ("key", "a\n\n", E.EINVAL), ("key", "x" * 5000, E.EINVAL),
    ("a,b", "v", E.EINVAL), ("K~", "v", E.EINVAL), ("a%2Cb", "v", E.EINVAL), ("a%2cb", "v", E.EINVAL), ("%", "v", E.EINVAL),
    (".hidden", "v", E.EPERM), (".key.swp", "v", E.EPERM), ("a\x7fb", "v", E.EINVAL),
]


@pytest.mark.parametrize("key, value, number", REFUSED, ids=[repr(r[0][:12] + "=" + r[1][:8]) for r in REFUSED])
def test_what_is_refused_before_aws_is_asked(lab, group, key, value, number):
    mount, path, tags = group
    assert write_errno(mount, path, key, value) == number
    assert tag_writes(lab) == [] and difference(lab.before, lab.inventory()) == []
    assert mount.ls(path, "tags") == sorted(tags())


@pytest.mark.parametrize("key, value, shown", [
    ("k" * 127, "v" * 256, None), ("key", "é" * 256, None), ("key", "\n", ""), ("Straße 1", "a b:c+d=e@f/g_h.i-j", None),
    ("a%2Fb", "v", None), ("key", "v\n", "v"),
])
def test_what_is_just_allowed(lab, group, key, value, shown):
    mount, path, tags = group
    assert write_errno(mount, path, key, value) == 0
    value = value if shown is None else shown
    assert tags()[key.replace("%2F", "/")] == value
    assert mount.read(path, "tags", key) == value + "\n" and key in mount.ls(path, "tags")


def test_rds_has_rules_of_its_own(lab, mount):
    arn = next(a for a in lab.aws.tagged(service_family=FAMILY) if ":rds:" in a)
    assert write_errno(mount, path_of(arn), "key", "\n") == E.EINVAL
    assert write_errno(mount, path_of(arn), "rds:key", "v") == E.EINVAL
    assert tag_writes(lab) == []
    assert write_errno(mount, path_of(arn), "k" * 128, "v") == 0
    assert tags_at(lab, arn)["k" * 128] == "v"


def test_the_51st_tag(lab, mount):
    arn = group_of(lab)
    group = arn.split("/")[-1]
    have = len(tags_at(lab, arn))
    lab.aws.ec2.create_tags(Resources=[group], Tags=[{"Key": f"t{i}", "Value": "x"} for i in range(50 - have)])
    mount.refresh()
    assert write_errno(mount, path_of(arn), "one", "more") == E.ENOSPC
    assert tag_writes(lab) == [] and len(tags_at(lab, arn)) == 50
    assert write_errno(mount, path_of(arn), "t1", "other") == 0, "one that is there may change"
    assert mount.sh(f"rm {path_of(arn)}/tags/t2 && echo more > {path_of(arn)}/tags/one").returncode == 0
    assert tags_at(lab, arn)["one"] == "more" and len(tags_at(lab, arn)) == 50


def test_opening_and_truncating_change_nothing(lab, group):
    mount, path, tags = group
    before = tags()
    file = f"{path}/tags/service-id"
    for command in (f": > {file}", f": > {path}/tags/new", f"truncate -s 0 {file}", f"exec 3<>{file}; exec 3>&-",
                    f"dd if=/dev/null of={file} 2>/dev/null", f"cp /dev/null {path}/tags/new", f"test -w {file}"):
        assert mount.sh(command).returncode == 0, command
        assert mount.read(file) == "legacy1\n" and not mount.exists(path, "tags", "new")
    for command in (f"echo x >> {file}", f"echo x >> {path}/tags/new", f"touch {file}", f"chmod 600 {file}",
                    f"truncate -s 5 {file}", f"mv {file} {path}/tags/other", f"ln {file} {path}/tags/other",
                    f"ln -s x {path}/tags/new", f"mkdir {path}/tags/new", f"(echo a; echo b) > {path}/tags/new2"):
        assert mount.sh(command).returncode != 0, command
    # the one that wrote twice: its first line stands, the second was refused
    assert tags() == {**before, "new2": "a"}


def test_a_new_file_is_its_openers_alone(lab, group):
    mount, path, tags = group
    file = mount.at(path, "tags", "new")
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        assert os.fstat(fd).st_size == 0 and os.pread(fd, 10, 0) == b""
        assert not os.path.exists(file) and "new" not in mount.ls(path, "tags")
        assert os.pwrite(fd, b"v\n", 0) == 2
        assert os.path.exists(file) and os.fstat(fd).st_size == 2 and os.pread(fd, 10, 0) == b"v\n"
        with pytest.raises(OSError) as error:
            os.pwrite(fd, b"w", 2)
        assert error.value.errno == E.EINVAL and tags()["new"] == "v"
    finally:
        os.close(fd)
    assert mount.read(path, "tags", "new") == "v\n"


def test_editors(lab, group):
    """sed -i and perl -i fail and leave nothing; vim's swap file fails, its write works."""
    mount, path, tags = group
    mount.sh(f"echo old > {path}/tags/key")
    before, writes = tags(), len(tag_writes(lab))
    for command in ("sed -i s/old/new/ {}", "perl -pi -e s/old/new/ {}", "rsync -a {} {}2", "install -m 600 {} {}2"):
        done = mount.sh(command.format(*[f"{path}/tags/key"] * 2))
        assert done.returncode != 0 or "perl" in command and "not permitted" in done.stderr, command
        assert tags() == before and mount.ls(path, "tags") == sorted(before), command
    assert len(tag_writes(lab)) == writes
    for name, flags in ((".key.swp", os.O_RDWR | os.O_CREAT | os.O_EXCL), (".key.swx", os.O_RDWR | os.O_CREAT)):
        with pytest.raises(PermissionError):
            os.open(mount.at(path, "tags", name), flags, 0o600)
    # What vim does to see whether it may rename: the name is gone at once, so that it writes in place.
    fd = os.open(mount.at(path, "tags", "4913"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    assert not os.path.exists(mount.at(path, "tags", "4913"))
    os.close(fd)
    fd = os.open(mount.at(path, "tags", "key"), os.O_WRONLY | os.O_CREAT, 0o644)
    os.ftruncate(fd, 0)
    assert os.write(fd, b"in place\n") == 9
    os.fsync(fd)
    os.close(fd)
    assert tags() == {**before, "key": "in place"} and mount.read(path, "tags", "key") == "in place\n"


@pytest.mark.skipif(not shutil.which("vim"), reason="no vim")
def test_vim(lab, group):
    mount, path, tags = group
    mount.sh(f"echo old > {path}/tags/key")
    before = tags()
    done = mount.sh(f"HOME={lab.directory} vim -u NONE -es -c '%s/old/new/' -c 'wq!' {path}/tags/key", timeout=30)
    assert tags() == {**before, "key": "new"}, done
    assert mount.read(path, "tags", "key") == "new\n" and mount.ls(path, "tags") == sorted(before)


def test_removing(lab, group):
    mount, path, tags = group
    before = tags()
    assert mount.errno_of("unlink", mount.at(path, "tags", "nothere")) == E.ENOENT
    assert tag_writes(lab) == []
    assert mount.sh(f"cd {path}/tags && echo v > a && echo v > b && rm a b").returncode == 0
    assert tags() == before
    lab.aws.ec2.create_tags(Resources=[path.split("/")[-1]], Tags=[{"Key": "management-mode", "Value": "x"}])
    mount.refresh()
    assert mount.errno_of("unlink", mount.at(path, "tags", "management-mode")) == E.EPERM
    assert os.stat(mount.at(path, "tags", "management-mode")).st_mode & 0o222 == 0
    assert os.stat(mount.at(path, "tags", "service-id")).st_mode & 0o222 == 0o200
    assert "management-mode" in tags()


def test_the_index_lags(lab, mount):
    """What was written shows at once and stays, on this mount, whatever the tag index says; on others by a refresh."""
    arn = group_of(lab)
    path = path_of(arn)
    lab.proxy.corrections.index.prime(lab.aws.region)
    lab.proxy.config.tag_lag_add = lab.proxy.config.tag_lag_remove = 3600
    assert mount.sh(f"echo v > {path}/tags/key && rm {path}/tags/service-family").returncode == 0
    for _ in range(2):
        mount.refresh()
        assert mount.read(path, "tags", "key") == "v\n" and not mount.exists(path, "tags", "service-family")
    other = lab.mount()
    other.refresh()
    assert not other.exists(path, "tags", "key")
    lab.proxy.config.tag_lag_add = lab.proxy.config.tag_lag_remove = 0
    other.refresh()
    assert other.read(path, "tags", "key") == "v\n" and not other.exists(path, "tags", "service-family")


def test_what_another_mount_wrote_afterwards_wins(lab, mount):
    path = path_of(group_of(lab))
    other = lab.mount()
    assert mount.sh(f"echo one > {path}/tags/key").returncode == 0
    other.refresh()
    assert other.sh(f"echo two > {path}/tags/key").returncode == 0
    mount.refresh()
    assert mount.read(path, "tags", "key") == other.read(path, "tags", "key") == "two\n"


def test_adoption(lab, mount):
    """Writing the two tags moves a resource into a service; all of it shows when the write has returned."""
    balancer = lab.account.balancer
    path, link = path_of(balancer), "elasticloadbalancing.loadbalancer." + path_of(balancer).rsplit("/", 1)[1]
    for gone in (("services", "new1"), ("families", FAMILY, "new1"), ("families", FAMILY, "new1", "resources")):
        assert not mount.exists(*gone)
    assert link in mount.ls("families", FAMILY, "resources")
    assert mount.sh(f"echo new1 > {path}/tags/service-id && ls families/{FAMILY}/new1/status services/new1/status"
                    ).returncode == 0
    assert mount.ls("families", FAMILY, "new1", "resources") == [link]
    assert link not in mount.ls("families", FAMILY, "resources") and "new1" in mount.ls(path, "services")
    assert mount.sh(f"echo legacy1 > {path}/tags/service-id && ls families/{FAMILY}/legacy1/resources/{link}").returncode == 0
    assert not mount.exists("families", FAMILY, "new1")
    assert tags_at(lab, balancer)["service-id"] == "legacy1"
    assert mount.sh(f"echo other > {path}/tags/service-family; ls families/other/legacy1").returncode == 0
    assert {"legacy1@other", f"legacy1@{FAMILY}"} <= set(mount.ls("services"))
    assert mount.sh(f"rm {path}/tags/service-id; ls families/other/resources/{link}").returncode == 0


@pytest.mark.limit(200)
def test_what_svcfs_made_stays_with_its_service(lab, mount):
    mount.provision(FAMILY, "site1")
    lab.wait_quiet()
    writes = len(tag_writes(lab))
    for name in mount.ls("families", FAMILY, "site1", "resources"):
        path = f"families/{FAMILY}/site1/resources/{name}"
        if not mount.exists(path, "tags"):
            continue
        for key in ("service-id", "service-family", "management-mode", "svcfs:claim"):
            assert write_errno(mount, path, key, "legacy1") == E.EPERM, (name, key)
            assert mount.errno_of("unlink", mount.at(path, "tags", key)) == E.EPERM, (name, key)
    assert len(tag_writes(lab)) == writes
    for name in mount.ls("families", FAMILY, "site1", "resources"):
        path = f"families/{FAMILY}/site1/resources/{name}"
        if mount.exists(path, "tags"):
            assert mount.sh(f"echo it > {path}/tags/owner").returncode == 0, name
            arn = mount.read(path, "arn").strip()
            assert tags_at(lab, arn)["owner"] == "it", name
    assert mount.sh(f"rm families/{FAMILY}/site1/resources/ssm.*/tags/owner").returncode == 0
    mount.tear_down(FAMILY, "site1")


# What the tagging API does not do

OWN = {"ec2": ("ec2:CreateTags", "ec2:DeleteTags"),
       "elasticloadbalancing": ("elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"),
       "ecs": ("ecs:TagResource", "ecs:UntagResource"), "rds": ("rds:AddTagsToResource", "rds:RemoveTagsFromResource"),
       "elasticfilesystem": ("elasticfilesystem:TagResource", "elasticfilesystem:UntagResource"),
       "secretsmanager": ("secretsmanager:TagResource", "secretsmanager:UntagResource"),
       "ssm": ("ssm:AddTagsToResource", "ssm:RemoveTagsFromResource")}


def one_of_each(lab):
    """An ARN of each service that has an own call."""
    lab.aws.ssm.put_parameter(Name="/app/x", Value="x", Type="String", Tags=[{"Key": "service-family", "Value": "params"}])
    lab.aws.ssm.put_parameter(Name="plain", Value="x", Type="String", Tags=[{"Key": "service-family", "Value": "params"}])
    found = {}
    for family in (FAMILY, SHARED, "params"):
        for arn in lab.aws.tagged(service_family=family):
            found.setdefault(arn.split(":")[2], arn)
    assert set(OWN) <= set(found)
    return [found[k] for k in OWN]


def fail_each(request):
    value = {"FailedResourcesMap": {arn: {"StatusCode": 400, "ErrorCode": "InvalidParameterException", "ErrorMessage": "not by me"}
                                    for arn in request.params["ResourceARNList"]}}
    return wire.json_answer(request, value)


@pytest.mark.parametrize("how", ["map", "refused", "failed"])
def test_the_owning_service_is_asked_where_the_tagging_api_fails(lab, how):
    arns = one_of_each(lab)
    mount = lab.mount()
    for operation in ("tagging:TagResources", "tagging:UntagResources"):
        if how == "map":
            lab.proxy.rule(operation, before=fail_each)
        else:
            lab.proxy.rule(operation, error=(400, "AccessDeniedException", "no") if how == "refused"
                           else (500, "InternalServiceException", "x"))
    for arn in arns:
        before, (add, remove) = tags_at(lab, arn), OWN[arn.split(":")[2]]
        assert mount.sh(f"echo 'a b' > {path_of(arn)}/tags/key").returncode == 0, arn
        assert tags_at(lab, arn) == {**before, "key": "a b"} and lab.proxy.count(add) == 1
        assert mount.sh(f"rm {path_of(arn)}/tags/key").returncode == 0, arn
        assert tags_at(lab, arn) == before and lab.proxy.count(remove) == 1


def test_a_failed_resources_map_is_an_error(lab):
    arns = one_of_each(lab)
    mount = lab.mount()
    lab.proxy.rule("tagging:TagResources", before=fail_each)
    before = lab.inventory()
    for arn in arns:
        lab.proxy.rule(OWN[arn.split(":")[2]][0], error=(400, "AccessDeniedException", "no"))
        assert write_errno(mount, path_of(arn), "key", "v") == E.EACCES, arn
        assert "key" not in tags_at(lab, arn)
    assert difference(before, lab.inventory()) == []


def test_where_no_service_can_be_asked_the_map_is_the_answer(lab):
    lab.aws.s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": lab.aws.region})
    lab.aws.s3.put_bucket_tagging(Bucket="files", Tagging={"TagSet": [{"Key": "service-family", "Value": "x"}]})
    mount = lab.mount()
    assert mount.sh("echo v > resources/s3/bucket/files/tags/key").returncode == 0
    for status, number in ((400, E.EINVAL), (403, E.EACCES), (404, E.ENOENT), (429, E.EAGAIN), (500, E.EREMOTEIO)):
        code = "InternalServiceException" if status == 500 else "InvalidParameterException"
        lab.proxy.clear_rules()
        lab.proxy.rule("tagging:TagResources", before=lambda request, status=status, code=code: wire.json_answer(request, {
            "FailedResourcesMap": {request.params["ResourceARNList"][0]: {
                "StatusCode": status, "ErrorCode": code, "ErrorMessage": "no such thing"}}}))
        assert write_errno(mount, "resources/s3/bucket/files", "other", "v") == number, status
    assert "no such thing" in mount.read(".svcfs", "errors")


def test_throttled_writes_are_tried_again(lab, group):
    mount, path, tags = group
    lab.proxy.rule("tagging:TagResources", times=2, error=(400, "ThrottledException", "slow down"))
    assert mount.sh(f"echo v > {path}/tags/key").returncode == 0
    assert tags()["key"] == "v"


# Who may, and who can be stopped

def test_others_and_read_only(lab):
    path = path_of(group_of(lab))
    mount = lab.mount(allow_other=True)
    if os.geteuid() == 0:
        assert write_errno(mount, path, "key", "v", user=ORDINARY) == E.EACCES
        assert write_errno(mount, path, "service-id", "v", user=ORDINARY) == E.EACCES
        assert mount.errno_of("unlink", mount.at(path, "tags", "service-id"), user=ORDINARY) == E.EACCES
    closed = lab.mount(ro=True)
    assert write_errno(closed, path, "key", "v") == E.EROFS
    assert write_errno(closed, path, "service-id", "v") == E.EROFS
    assert closed.errno_of("unlink", closed.at(path, "tags", "service-id")) == E.EROFS
    assert tag_writes(lab) == []


def test_a_write_that_hangs(lab, group):
    """Others go on, also in that directory; whoever waits can be killed."""
    mount, path, tags = group
    stall = lab.proxy.rule("tagging:TagResources", stall=True)
    writer = subprocess.Popen(["bash", "-c", f"echo v > {path}/tags/key"], cwd=mount.path, start_new_session=True)
    lab.proxy.wait_for("tagging:TagResources")
    began = time.monotonic()
    assert mount.sh(f"ls {path}/tags; cat {path}/tags/service-id; echo {mount.path}/{path}/tags/*", timeout=5).returncode == 0
    assert time.monotonic() - began < 2 * SLOW
    writer.send_signal(signal.SIGKILL)
    writer.wait(5)
    stall2 = lab.proxy.rule("tagging:UntagResources", stall=True)
    remover = subprocess.Popen(["rm", mount.at(path, "tags", "service-id")], start_new_session=True)
    lab.proxy.wait_for("tagging:UntagResources")
    assert "service-id" in mount.sh(f"ls {path}/tags", timeout=5).stdout
    remover.send_signal(signal.SIGKILL)
    remover.wait(5)
    lab.proxy.remove_rule(stall)
    lab.proxy.remove_rule(stall2)
    assert "service-id" in tags()


# Mistakes

MISTAKES = [
    "rm -rf {group}", "rm -rf {group}/tags", "rm -rf {group}/*", "rm -r resources", "find {group} -delete",
    "find {group} -depth -delete", "find resources -type f -delete", "find {group}/tags -type f -delete",
    "find . -type l -delete", "find families -name depends-on -exec rm -rf {{}} +", "find $PWD -delete",
    "rm -rf families/{family}/legacy1", "rm -rf families/{family}/legacy1/*", "rm -rf families/{family}/legacy1/depends-on",
    "find families/{family}/legacy1 -delete", "rm -rf families/{family} families/shops", "rm -rf families services .",
    "python3 -I -c 'import shutil; shutil.rmtree(\"{group}\", ignore_errors=True)'",
    "python3 -I -c 'import shutil; shutil.rmtree(\"{group}/tags\", ignore_errors=True)'",
    "python3 -I -c 'import shutil; shutil.rmtree(\"families\", ignore_errors=True)'",
    "perl -MFile::Path=remove_tree -e 'remove_tree(\"{group}\")'",
    "perl -MFile::Path=remove_tree -e 'remove_tree(\"families/{family}/legacy1\")'",
    "rmdir {group}/tags families/{family}/legacy1/depends-on {group}",
    "rsync -a --delete /var/empty/ families/",
]


@pytest.mark.limit(300)
@pytest.mark.parametrize("who", ["root", "ordinary"])
def test_mistakes_lose_nothing(lab, who):
    if who == "ordinary":
        needs_root()
    user = ORDINARY if who == "ordinary" else None
    mount = lab.mount(user=user)
    path = path_of(group_of(lab))
    sh = lambda command: mount.sh(command, timeout=120, user=user)  # noqa: E731
    done = sh(f"echo v > {path}/tags/key && ln -s x families/{FAMILY}/legacy1/depends-on/shop && "
              f"ln -s x families/{FAMILY}/legacy2/depends-on/legacy1")
    assert done.returncode == 0, done.stderr
    before, writes = lab.inventory(), len(lab.writes())
    for mistake in MISTAKES:
        command = mistake.format(group=path, family=FAMILY)
        sh(command)
        assert difference(before, lab.inventory()) == [], command
    assert len(lab.writes()) == writes
    assert sh(f"cat {path}/tags/key; ls families/{FAMILY}/legacy1/depends-on").stdout == "v\nshop\n"
    # What was meant still works.
    assert sh(f"rm {path}/tags/key && rm families/{FAMILY}/legacy1/depends-on/shop").returncode == 0


@pytest.mark.limit(60)
def test_tags_of_what_is_only_used(lab):
    """A VPC that carries none of our tags stands there since a service's security group is in it: its tags are AWS's, and can be
    written; until they were read there is no tags/."""
    ec2, vpc = lab.aws.ec2, lab.account.vpc
    arn = f"arn:aws:ec2:{lab.aws.region}:123456789012:vpc/{vpc}"
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "main"}])
    refused = lab.proxy.rule("tagging:GetResources", error=(400, "AccessDeniedException", "no"), contains="ResourceARNList")
    mount = lab.mount(refresh=3600, describe=3600)
    directory = ("resources", "ec2", "vpc", vpc)
    wait_until(lambda: mount.exists(*directory), 20 * SLOW, "the VPC", 0.1)
    lab.proxy.wait_for("tagging:GetResources", where=lambda r: arn in r.params.get("ResourceARNList", []), answered=True)
    assert not mount.exists(*directory, "tags") and "tags" not in mount.ls(*directory)
    lab.proxy.remove_rule(refused)
    mount.refresh()
    wait_until(lambda: mount.exists(*directory, "tags", "Name"), 20 * SLOW, "its tags", 0.1)
    assert "tags" in mount.ls(*directory) and mount.ls(*directory, "tags") == ["Name"]
    name = mount.at(*directory, "tags", "Name")
    assert mount.sh(f"cat {name}").stdout == "main\n"
    # somebody else writes
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "other"}])
    mount.refresh()
    wait_until(lambda: open(name).read() == "other\n", 20 * SLOW, "the new name", 0.1)
    # we do
    assert mount.sh(f"cd {mount.at(*directory, 'tags')} && echo x > K && cat K && echo y > Name && cat Name").stdout == "x\ny\n"
    assert tags_at(lab, arn) == {"Name": "y", "K": "x"}
    for _ in range(2):
        mount.refresh()
        lab.wait_quiet(0.5)
        assert mount.sh(f"cd {mount.at(*directory, 'tags')} && cat *").stdout == "x\ny\n"
    # and they go
    assert mount.sh(f"rm {mount.at(*directory, 'tags', 'K')}; ls {mount.at(*directory, 'tags')}").stdout == "Name\n"
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "Name"}])
    mount.refresh()
    wait_until(lambda: mount.ls(*directory, "tags") == [], 20 * SLOW, "no tags", 0.1)
