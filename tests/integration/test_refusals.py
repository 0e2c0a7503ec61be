"""The errno table: what is refused, and that a refusal made nothing."""
import errno
import json
import os

import pytest

from tests.lib.account import FAMILY, SHARED
from tests.lib.inventory import difference
from tests.lib.process import wait_until
from tests.lib.witness import nothing_made

E = errno


def mkdir_errno(mount, *names):
    try:
        os.mkdir(mount.at(*names))
        return 0
    except OSError as error:
        return error.errno


@pytest.fixture
def untouched(lab, mount):
    """A mount on which nothing may happen to the account."""
    yield mount
    assert lab.writes() == [] and difference(lab.before, lab.inventory()) == []


@pytest.mark.parametrize("name", ["Upper", "SITE1", "my site", "a'; DROP TABLE x", 'a"b`c', "site1;", "a" * 30, "ab", "1site",
                                  "si_te", "site.1", "-site", "site-1-", "sité1", "a\\b", "%41bcd"])
def test_ids_that_the_pattern_refuses(untouched, name):
    assert mkdir_errno(untouched, "families", FAMILY, name) == E.EINVAL


def test_names_that_are_too_long_or_taken(untouched):
    m = untouched
    assert mkdir_errno(m, "families", FAMILY, "a" * 256) == E.ENAMETOOLONG
    assert mkdir_errno(m, "families", FAMILY, "a" * 255) == E.EINVAL
    for name in (".", "..", "resources", "blueprint.json", "services.tsv", "next-id", "legacy1"):
        assert mkdir_errno(m, "families", FAMILY, name) == E.EEXIST, name
    assert mkdir_errno(m, "families", FAMILY, "shop") == E.EEXIST, "an id is unique in the account"
    assert m.sh(f"mkdir -p families/{FAMILY}/legacy1").returncode == 0


@pytest.mark.parametrize("where", [("new",), ("families", "new"), ("families", "shops", "site1"), ("services", "site1"),
                                   ("resources", "x"), ("resources", "ec2", "x"), (".svcfs", "x"), ("deleting", "x"),
                                   ("families", FAMILY, "legacy1", "x"), ("families", FAMILY, "resources", "x")])
def test_mkdir_elsewhere(untouched, where):
    assert mkdir_errno(untouched, *where) == E.EPERM


def test_rmdir_of_what_it_must_not(untouched):
    m = untouched
    for names, number in ((("families", FAMILY), E.ENOTEMPTY), (("families", "shops"), E.ENOTEMPTY),
                          (("families", SHARED), E.EPERM), (("families", FAMILY, "legacy1"), E.EPERM),
                          (("families", FAMILY, "nothere"), E.ENOENT), (("families", FAMILY, "legacy1", "outputs"), E.EPERM),
                          (("families", FAMILY, "status"), E.ENOENT), (("families", FAMILY, "blueprint.json"), E.ENOTDIR),
                          (("services", "legacy1"), E.ENOTDIR), (("families",), E.EPERM), ((".svcfs",), E.EPERM),
                          (("groups", "old-sites"), E.EPERM), (("resources", "ec2"), E.EPERM)):
        assert m.errno_of("rmdir", m.at(*names)) == number, names


def test_everything_else_that_writes(untouched):
    m = untouched
    status = m.at("families", FAMILY, "legacy1", "status")
    service = m.at("families", FAMILY, "legacy1")
    assert m.errno_of("unlink", status) == E.EPERM
    assert m.errno_of("unlink", m.at("services", "legacy1")) == E.EPERM
    assert m.errno_of("unlink", m.at("README")) == E.EPERM
    assert m.errno_of("rename", service, m.at("families", FAMILY, "other1")) == E.EPERM
    assert m.errno_of("link", status, m.at("families", FAMILY, "x")) == E.EPERM
    assert m.errno_of("mkfifo", m.at("families", FAMILY, "x")) == E.EPERM
    assert m.errno_of("symlink", "x", m.at("families", FAMILY, "x")) == E.EPERM
    assert m.sh(f"chmod 600 {status}").returncode != 0
    assert m.sh(f"truncate -s 0 {status}").returncode != 0
    assert m.sh(f"echo x > families/{FAMILY}/new").returncode != 0
    assert m.sh(f"echo x >> {status}").returncode != 0
    assert m.sh(f"touch families/{FAMILY}/new; touch new").returncode != 0
    with pytest.raises(OSError) as error:
        os.getxattr(m.path, "user.x")
    assert error.value.errno in (E.ENOTSUP, E.ENODATA)
    for path in (m.at("nothere"), m.at("families", "nothere"), m.at("families", FAMILY, "legacy1", "error")):
        with pytest.raises(FileNotFoundError):
            os.stat(path)


def test_mkdir_mode_is_accepted_and_ignored(lab, mount):
    assert mount.sh(f"mkdir -m 700 families/{FAMILY}/site1").returncode == 0
    assert mount.wait(FAMILY, "site1") == "ready"


BROKEN = [
    ("an unknown property", lambda b: b["Resources"]["Secret"]["Properties"].update(Nmae="x"), "Nmae"),
    ("an unknown type", lambda b: b["Resources"]["Secret"].update(Type="AWS::S3::Bukcet"), "AWS::S3::Bukcet"),
    ("an unknown function", lambda b: b["Resources"]["Secret"]["Properties"].update(Description={"Fn::ImportValue": "x"}),
     "Fn::ImportValue"),
    ("a reference to nothing", lambda b: b["Resources"]["Service"]["Properties"].update(TaskDefinition={"Ref": "Nothing"}),
     "Nothing"),
    ("a circle", lambda b: b["Resources"]["Secret"].update(DependsOn="Service"), "Secret"),
    ("a section", lambda b: b.update(Conditions={}), "Conditions"),
    ("NoEcho", lambda b: b["Parameters"]["Image"].update(NoEcho=True), "NoEcho"),
    ("a dynamic reference", lambda b: b["Resources"]["Secret"]["Properties"].update(
        Description="{{resolve:secretsmanager:x}}"), "resolve"),
    ("a tag of ours", lambda b: b["Resources"]["Secret"]["Properties"].update(
        Tags=[{"Key": "service-id", "Value": "x"}]), "service-id"),
    ("outputs that become equal", lambda b: b["Outputs"].update(URL={"Value": "x"}), "URL"),
    ("a parameter without value", lambda b: b["Parameters"].update(Missing={"Type": "String"}), "Missing"),
    ("a setting", lambda b: b["Metadata"]["svcfs"].update(MaxDelets=3), "MaxDelets"),
]


@pytest.mark.parametrize("change, key", [b[1:] for b in BROKEN], ids=[b[0].replace(" ", "-") for b in BROKEN])
def test_broken_blueprint_names_file_line_and_key(lab, change, key):
    path = os.path.join(lab.blueprints, FAMILY + ".json")
    with open(path) as file:
        blueprint = json.load(file)
    change(blueprint)
    with open(path, "w") as file:
        json.dump(blueprint, file, indent=2)
    mount = lab.mount()
    assert mkdir_errno(mount, "families", FAMILY, "site1") == E.EPERM
    (line,) = [text for text in mount.read(".svcfs", "errors").splitlines() if FAMILY + ".json:" in text][:1]
    number = int(line.split(FAMILY + ".json:")[1].split(":")[0])
    with open(path) as file:
        lines = file.read().splitlines()
    assert key in line
    assert 1 <= number <= len(lines)
    if not key.startswith("Secret") and key != "Missing":
        assert key in "\n".join(lines[max(0, number - 3):number + 2]), f"line {number} is not where {key} is: {line}"
    assert "legacy1" in mount.ls("families", FAMILY), "the family is shown all the same"
    assert mount.read("families", FAMILY, "blueprint.json")
    assert nothing_made(lab) == {}


def test_a_mended_blueprint_is_taken_up_without_a_remount(lab):
    path = os.path.join(lab.blueprints, SHARED + ".json")
    with open(path) as file:
        good = file.read()
    with open(path, "w") as file:
        file.write(good[:len(good) // 2])
    mount = lab.mount()
    assert mkdir_errno(mount, "families", SHARED, "site1") == E.EPERM
    assert SHARED + ".json:" in mount.read(".svcfs", "errors")
    with open(path, "w") as file:
        file.write(good)
    wait_until(lambda: len(mount.try_read("families", SHARED, "next-id")) == 9, 30, "the file to be taken up", 0.1)
    mount.mkdir(SHARED, "site1")
    assert mount.wait(SHARED, "site1") == "ready"
    assert mount.read("families", SHARED, "blueprint.json") == good


def test_next_id_is_new_each_time_and_valid(lab, mount):
    seen = {mount.read("families", FAMILY, "next-id") for _ in range(20)}
    assert len(seen) == 20 and all(s.endswith("\n") and len(s) == 9 and s[0] == "n" for s in seen)
    mount.mkdir(FAMILY, seen.pop().strip())
