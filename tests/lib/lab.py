"""The laboratory of one test: a fresh account in moto, an empty MariaDB, a proxy, and mounts on them."""
import os
import shutil
import stat
import tempfile
import time

from . import account as accountlib
from . import signing
from .aws import REGION, Aws
from .inventory import difference, inventory
from .mariadb import MariaDB
from .mount import BINARY, SLOW, Mount, remove_tree
from .moto import Moto
from .process import wait_until
from .proxy import Proxy

# A directory that the database's user and a mount's ordinary user may enter, too.
_OPEN = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH


class Servers:
    """moto and MariaDB, which all tests of a run share; each test finds them empty."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="svcfs-lab-")
        os.chmod(self.directory, _OPEN)
        self.moto, self.mariadb = Moto(self.directory), MariaDB(self.directory)

    def __enter__(self):
        try:
            self.moto.start()
            self.mariadb.start()
            self.aws = Aws(self.moto.url)  # once: making a client takes boto3 long
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.mariadb.stop()
        self.moto.stop()
        remove_tree(self.directory)


class Lab:
    def __init__(self, servers):
        self.servers = servers
        servers.moto.reset()
        servers.mariadb.reset()
        self.db = servers.mariadb
        self.aws = servers.aws                                  # the witness
        self.account = accountlib.lay(self.aws, self.db.port)
        self.proxy = Proxy(servers.moto.url).start()
        self.proxy.config.rds_endpoints[self.account.rds] = ("127.0.0.1", self.db.port)
        self.through = Aws(self.proxy.url)                      # boto3 as another user of the corrected AWS
        self.directory = tempfile.mkdtemp(prefix="t-", dir=servers.directory)
        os.chmod(self.directory, _OPEN)
        self.blueprints = os.path.join(self.directory, "blueprints")
        accountlib.write_blueprints(self.account, self.blueprints, self.db.port)
        self.mounts = []
        self.before = self.inventory()

    def inventory(self):
        return inventory(self.aws, self.db)

    def check_restored(self, timeout=20):
        """Asserts that the account and the database server are as they were at first.

        A service is gone when its record is; what stands beneath the record goes right after it, hence the wait.
        """
        try:
            wait_until(lambda: not difference(self.before, self.inventory()), timeout * SLOW, "restored", 0.2)
        except TimeoutError:
            left = difference(self.before, self.inventory())
            assert left == [], "\n".join(left)

    def wait_quiet(self, seconds=1.0, timeout=30):
        """Until the daemons have sent nothing for a while."""
        def quiet():
            records = self.proxy.seen()
            return all(r.ended for r in records) and \
                time.monotonic() - max((r.ended for r in records), default=0) > seconds
        wait_until(quiet, timeout * SLOW, "quiet", 0.1)

    def options(self, **more):
        return {"region": REGION, "endpoint_url": self.proxy.url, "blueprints": self.blueprints, "refresh": 3, "describe": 0,
                "rate_share": 50, "log_level": "debug", **more}

    def prepare(self, name=None, env=None, user=None, flags=(), **options):
        """A mount that is not started yet."""
        mount = Mount(self.directory, name or f"m{len(self.mounts) + 1}", self.options(**options), env, user, flags)
        if user is not None:
            mount.binary = self._open_binary()
        self.mounts.append(mount)
        return mount

    def _open_binary(self):
        """The program where an ordinary user may run it: the checkout may be closed to others."""
        path = os.path.join(self.directory, "svcfs")
        if not os.path.exists(path):
            shutil.copy(BINARY, path)
            os.chmod(path, _OPEN)
        return path

    def mount(self, **what):
        return self.prepare(**what).start()

    def writes(self):
        """Requests that change something in AWS, as the proxy has seen them."""
        return [r for r in self.proxy.seen() if r.request.is_write and r.operation != "tagging:GetResources"]

    def close(self):
        """Unmounts all; gives what was wrong in the course of the test, whatever the test itself found."""
        wrong = []
        self.proxy.clear_rules()
        for mount in self.mounts:
            try:
                mount.stop()
            except Exception as error:
                wrong.append(f"{mount.name}: {error}")
            wrong += [f"{mount.name}: {line}" for line in mount.complaints()]
        self.proxy.stop()
        wrong += self.proxy.failures
        captured = [r.request for r in self.proxy.seen() if not self._is_the_tests(r.request)]
        wrong += [w for w in map(signing.mismatch, captured) if w]
        self.captured = len(captured)
        return wrong

    @staticmethod
    def _is_the_tests(request):
        return (request.header("user-agent") or "").startswith("Boto3/") or request.header("x-lab") is not None

    def remove(self):
        remove_tree(self.directory)
