"""A svcfs daemon with a mount point of its own: started, awaited, asked, and always unmounted."""
import errno
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import unittest

from . import aws as awslib
from . import process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(os.environ.get("SVCFS_BINARY") or os.path.join(ROOT, "build", "svcfs"))
# Sanitizers slow everything down; time limits (never expectations) are stretched by this.
SLOW = float(os.environ.get("SVCFS_TEST_SLOW", "1"))
ORDINARY = pwd.getpwnam("nobody").pw_uid   # a user who is not root
_COMPLAINTS = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion `")

# One system call in a process of its own, with its errno as the exit status: a process that was refused an unlink
# is refused all further ones, so the test's own process must not be the one that asks.
_CALL = """
import os, sys
try:
    getattr(os, sys.argv[1])(*sys.argv[2:])
except OSError as error:
    sys.exit(error.errno)
"""


def needs_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("to act as another user takes root")


def dummy_environment(**more):
    return process.environment(**{"AWS_ACCESS_KEY_ID": awslib.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": awslib.SECRET_KEY,
                                  "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
                                  "AWS_EC2_METADATA_DISABLED": "true",
                                  "XDG_CACHE_HOME": "/dev/null",    # nothing is saved
                                  **more})


class Mount:
    def __init__(self, directory, name, options, env=None, user=None, flags=()):
        self.name, self.options, self.user, self.flags = name, dict(options), user, flags
        self.path = os.path.join(directory, name)
        self.log = os.path.join(directory, name + ".log")
        # Its saved index, which outlives the daemon; another mount on the account has another.
        self.cache = os.path.join(directory, name + ".cache")
        self.env = dummy_environment(**{"XDG_CACHE_HOME": self.cache, **(env or {})})
        self.process, self.binary = None, BINARY
        self.private = False    # whether only processes in the daemon's namespace see the mount
        for path in (self.path, self.cache):
            os.makedirs(path, exist_ok=True)
            if user is not None:
                os.chown(path, user, -1)

    # Life

    def command(self):
        words = ",".join(f"{k}={v}" if v is not True else k for k, v in self.options.items() if v is not None)
        return [self.binary, "-f", "-o", words, *self.flags, self.path]

    def start(self, timeout=20):
        prefix, drop = self._as_user()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(prefix + self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.env, start_new_session=True, cwd="/",
                                            preexec_fn=process.unmounts_with_parent, **drop)
        try:
            process.wait_until(self._usable, timeout * SLOW, f"mount {self.name}")
        except TimeoutError as error:
            self.stop()
            raise TimeoutError(f"{error}\n{self.log_text()[-4000:]}") from None
        return self

    def _as_user(self):
        """How to run the daemon as its user: a command in front, and what Popen drops.

        Where a container keeps /dev/fuse to root, which no Debian does, the daemon gets a mount namespace with a
        device of the usual mode; the machine's own stays as it is.
        """
        if self.user is None:
            return [], {}
        if os.stat("/dev/fuse").st_mode & 0o006 == 0o006:
            return [], {"user": self.user, "group": self.user, "extra_groups": []}
        node = self.path + ".fuse"
        if not os.path.exists(node):
            os.mknod(node, stat.S_IFCHR | 0o666, os.stat("/dev/fuse").st_rdev)
            os.chmod(node, 0o666)
        self.private = True
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                'node=$0 user=$1; shift; mount --bind "$node" /dev/fuse &&'
                ' exec setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@"', node, str(self.user)], {}

    def _inside(self, user):
        """What to put in front of a command so that it sees the mount, as the user if one is given."""
        words = ["nsenter", "-t", str(self.process.pid), "-m"] if self.private else []
        if user is not None:
            words += ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--"]
        return words

    def _usable(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"svcfs ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
        return self.is_mounted()

    def is_mounted(self):
        where = "self" if not self.private else str(self.process.pid)
        try:
            mounts = open(f"/proc/{where}/mountinfo")
        except FileNotFoundError:
            return False  # the namespace went with its only process
        with mounts:
            return any(line.split()[4] == self.path for line in mounts)

    def kill(self):
        """As a crash: the process is gone, the mount point answers ENOTCONN."""
        self.process.kill()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self._abort()
        self.detach()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self, timeout=30):
        """SIGTERM; gives the exit status."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            try:
                status = process.stop(self.process, timeout * SLOW)
            except subprocess.TimeoutExpired:
                self._abort()
        else:
            status = self.process.returncode if self.process else None
        self.detach()
        return status

    def _abort(self):
        """For a daemon that the kernel keeps, and with it whoever waits for it: else the tests would stay for ever, too."""
        subprocess.run(["umount", "-f", "-l", self.path], capture_output=True, timeout=20)
        self.process.wait(20)
        raise RuntimeError(f"{self.name}: not even SIGKILL ended svcfs; its connection had to be aborted")

    def detach(self):
        for _ in range(4):
            if not self.process or not self.is_mounted():
                return
            subprocess.run(["fusermount3", "-u", "-z", self.path], capture_output=True, timeout=20)
        raise RuntimeError(f"{self.path} stays mounted")

    def restart(self):
        self.start()
        return self

    def log_text(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def complaints(self):
        """What sanitizers and assertions said."""
        return [line for line in self.log_text().splitlines() if _COMPLAINTS.search(line)]

    # The tree

    def at(self, *names):
        return os.path.join(self.path, *names)

    def read(self, *names):
        with open(self.at(*names), encoding="utf-8") as file:
            return file.read()

    def ls(self, *names):
        return sorted(os.listdir(self.at(*names)))

    def exists(self, *names):
        return os.path.lexists(self.at(*names))

    def mkdir(self, family, service):
        os.mkdir(self.at("families", family, service))

    def errno_of(self, function, *arguments, user=None, timeout=60):
        """errno (0: none) of an os function in a fresh process."""
        done = subprocess.run([*self._inside(user), "/usr/bin/python3", "-I", "-S", "-c", _CALL, function,
                               *map(str, arguments)], capture_output=True, timeout=timeout * SLOW, text=True, cwd="/")
        if done.returncode < 0 or done.stderr:
            raise RuntimeError(f"{function}{arguments}: status {done.returncode}: {done.stderr}")
        return done.returncode

    def rmdir(self, family, service):
        number = self.errno_of("rmdir", self.at("families", family, service))
        if number:
            raise OSError(number, os.strerror(number), f"{family}/{service}")

    def sh(self, command, timeout=60, user=None):
        """A shell in the mount's root."""
        return subprocess.run([*self._inside(user), "bash", "-c", 'cd "$0" && eval "$1"', self.path, command], cwd="/",
                              capture_output=True, text=True, timeout=timeout * SLOW)

    def status(self, family, service):
        return self.read("families", family, service, "status").strip()

    def wait(self, family, service, timeout=120, top="families"):
        """`cat wait`: its text, or the OSError that cat met."""
        done = subprocess.run([sys.executable, "-I", "-S", "-c",
                               "import os,sys\n"
                               "try: sys.stdout.write(open(sys.argv[1]).read())\n"
                               "except OSError as e: sys.exit(e.errno)", self.at(top, family, service, "wait")],
                              capture_output=True, text=True, timeout=timeout * SLOW)
        if done.returncode or done.stderr:
            raise OSError(done.returncode, os.strerror(done.returncode), done.stderr or f"{family}/{service}/wait")
        return done.stdout.strip()

    def provision(self, family, service, timeout=120):
        self.mkdir(family, service)
        try:
            return self.wait(family, service, timeout)
        except OSError as error:
            if error.errno != errno.ECANCELED:
                raise
            raise AssertionError(f"{family}/{service}: {self.try_read('families', family, service, 'error')}\n"
                                 f"{self.try_read('families', family, service, 'events')}") from None

    def try_read(self, *names):
        try:
            return self.read(*names)
        except OSError as error:
            return f"[{error}]"

    def tear_down(self, family, service, timeout=120):
        """rmdir, and waits until the service is gone from deleting/ too."""
        self.rmdir(family, service)
        self.wait_gone(family, service, timeout)

    def wait_gone(self, family, service, timeout=120):
        def gone():
            if self.exists("families", family, service):
                text = self.try_read("families", family, service, "error")
                if "No such file" not in text and self.status(family, service) == "failed":
                    raise AssertionError(f"teardown failed: {text}\n"
                                         f"{self.try_read('families', family, service, 'events')}")
                return False
            return not self.exists("deleting", family, service)
        process.wait_until(gone, timeout * SLOW, f"{family}/{service} to be gone", 0.1)

    def refresh(self):
        with open(self.at(".svcfs", "refresh"), "w") as file:
            file.write("now\n")

    def freshness(self):
        """The lines of .svcfs/freshness, by their first word."""
        return dict(line.split("\t", 1) for line in self.read(".svcfs", "freshness").splitlines())

    def ids(self, family):
        """The services of a family as ls shows them."""
        return [n for n in self.ls("families", family) if os.path.isdir(self.at("families", family, n))
                and n not in ("resources", "plan")]


def in_parallel(functions):
    """Runs them at once; gives the results or the exceptions, in order."""
    results = [None] * len(functions)
    start = threading.Barrier(len(functions))

    def run(i, function):
        start.wait()
        try:
            results[i] = function()
        except BaseException as error:  # the caller judges
            results[i] = error
    threads = [threading.Thread(target=run, args=item, daemon=True) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def remove_tree(path):
    shutil.rmtree(path, ignore_errors=True)
