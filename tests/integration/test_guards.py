"""What people type by mistake destroys nothing: rm -rf, find -delete, rmdir *."""
import errno
import os

import pytest

from tests.lib.account import FAMILY, SHARED
from tests.lib.inventory import difference
from tests.lib.mount import ORDINARY, in_parallel, needs_root
from tests.lib.process import wait_until

# Sorted before the hand-tagged ones: a shell's * meets them first.
IDS = [f"a{i:03}" for i in range(8)]
MAX_DELETES = 5
MISTAKES = [
    "rm -rf families/* resources/* groups/*",
    "rm -rf families resources groups services deleting",
    "find families resources groups -delete",
    "find families resources groups -depth -exec rm -rf {} +",
    "rmdir families/*/* families/* resources/*/*/* groups/*",
    "cd families/wp-containers && rmdir *",
    "cd families/wp-containers-shared && rmdir --ignore-fail-on-non-empty *",
    "cd families && rm -r wp-containers",
    "mv families/wp-containers/legacy1 families/shops/",
    "rsync -a --delete /var/empty/ families/ 2>&1 || true",
]


def teardowns(lab):
    """Services whose teardown was asked for."""
    return {r.request.params["Name"].split("/")[2] for r in lab.proxy.seen("ssm:PutParameter")
            if "/delete-" in r.request.params.get("Name", "")}


def lasting_changes(before, after):
    """Without the leases beneath a record, which move by themselves."""
    return [c for c in difference(before, after) if not c.startswith("parameters: changed")]


def check_nothing_lost(lab, before):
    changes = lasting_changes(before, lab.inventory())
    lost = teardowns(lab)
    assert len(lost) <= MAX_DELETES, lost
    strangers = [c for c in changes if not any(i in c for i in lost)]
    assert [c for c in strangers if "legacy" in c or "shop" in c] == []
    for kind in ("groups", "rules"):
        now = lab.inventory()[kind]
        for key, thing in before[kind].items():
            service = thing["tags"].get("service-id")
            if service not in lost:
                assert now.get(key) == thing, f"{kind} {key}"


@pytest.mark.limit(400)
@pytest.mark.parametrize("who", ["root", "ordinary"])
def test_mistakes_over_the_whole_tree(lab, who):
    if who == "ordinary":
        needs_root()
    user = ORDINARY if who == "ordinary" else None
    mount = lab.mount(user=user)
    ids = IDS[:3]
    made = in_parallel([lambda i=i: mount.errno_of("mkdir", mount_path(mount, SHARED, i), user=user) for i in ids])
    assert made == [0] * len(ids)
    for i in ids:
        # Whoever mounted may look; root may not where a user's mount is not allow_other.
        assert mount.sh(f"cat families/{SHARED}/{i}/wait", timeout=180, user=user).stdout == "ready\n"
    before = lab.inventory()
    for mistake in MISTAKES:
        mount.sh(mistake, timeout=120, user=user)
        check_nothing_lost(lab, before)
    shown = mount.sh("ls families/wp-containers services", user=user).stdout.split()
    assert {"legacy1", "legacy2", "shop"} <= set(shown)


def mount_path(mount, *names):
    return os.path.join(mount.path, "families", *names)


@pytest.mark.limit(400)
def test_rm_rf_never_reaches_a_managed_service(lab, mount):
    for i in IDS[:2]:
        mount.provision(SHARED, i)
    before = lab.inventory()
    for command in (f"rm -rf families/{SHARED}/a000", f"rm -rf families/{SHARED}", f"find families/{SHARED}/a000 -delete"):
        done = mount.sh(command)
        assert done.returncode != 0 and "not permitted" in done.stderr
    assert teardowns(lab) == set() and lasting_changes(before, lab.inventory()) == []
    assert mount.status(SHARED, "a000") == "ready"


@pytest.mark.limit(400)
def test_at_most_so_many_teardowns_a_minute(lab, mount):
    assert in_parallel([lambda i=i: mount.provision(SHARED, i, 240) for i in IDS]) == ["ready"] * len(IDS)
    results = [mount.errno_of("rmdir", mount.at("families", SHARED, i)) for i in IDS]
    assert results == [0] * MAX_DELETES + [errno.EAGAIN] * (len(IDS) - MAX_DELETES)
    for i in IDS[:MAX_DELETES]:
        mount.wait_gone(SHARED, i)
    assert set(mount.ids(SHARED)) == set(IDS[MAX_DELETES:])
    assert teardowns(lab) == set(IDS[:MAX_DELETES])


@pytest.mark.limit(200)
def test_a_process_that_was_refused_stays_refused(lab, mount):
    mount.provision(SHARED, "a000")
    script = ("import os, sys\n"
              "def call(f, p):\n"
              "    try: f(p); return 0\n"
              "    except OSError as e: return e.errno\n"
              f"print(call(os.unlink, 'families/{FAMILY}/blueprint.json'), call(os.rmdir, 'families/{SHARED}/a000'))\n")
    done = mount.sh(f"python3 -I -c \"{script}\"")
    assert done.stdout.split() == [str(errno.EPERM), str(errno.EPERM)], done.stderr
    assert mount.status(SHARED, "a000") == "ready" and teardowns(lab) == set()
    mount.tear_down(SHARED, "a000")  # another process may


@pytest.mark.limit(200)
def test_an_ordinary_user_mounts_and_provisions(lab):
    needs_root()
    mount = lab.mount(user=ORDINARY)
    sh = lambda command: mount.sh(command, timeout=120, user=ORDINARY)  # noqa: E731
    done = sh(f"mkdir families/{FAMILY}/site1 && cat families/{FAMILY}/site1/wait")
    assert (done.stdout, done.returncode) == ("ready\n", 0), done.stderr
    assert sh(f"rmdir families/{FAMILY}/site1").returncode == 0
    wait_until(lambda: difference(lab.before, lab.inventory()) == [], 90, "all to be gone", 0.3)


@pytest.mark.limit(200)
def test_others_may_look_but_not_make(lab):
    """allow_other: who is neither the mount's user nor in its group reads, and changes nothing."""
    needs_root()
    mount = lab.mount(allow_other=True)
    assert mount.sh("ls families", user=ORDINARY).stdout
    for function, name in (("mkdir", "site1"), ("rmdir", "legacy1")):
        assert mount.errno_of(function, mount.at("families", FAMILY, name), user=ORDINARY) in (errno.EACCES, errno.EPERM)
    assert lab.writes() == []


@pytest.mark.limit(200)
def test_copies_out_work_and_change_nothing(lab):
    mount = lab.mount(describe=900)
    writes = len(lab.writes())
    target = os.path.join(lab.directory, "copy")
    # Until groups and edges are known resources/ grows by what only they name, and tar says so.
    mount.sh("ls groups")
    mount.read("resources", "ecs", "cluster", lab.account.cluster, "impact.tsv")
    for command in (f"cp -r families/shops {target}", f"tar cf {target}.tar families resources",
                    "grep -r eu-central-1 resources >/dev/null", "find -L families services groups resources >/dev/null"):
        done = mount.sh(command, timeout=90)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert len(lab.writes()) == writes
