"""How the bench measures: two trees in turn, and what the daemon counted meanwhile.

A ratio is taken within one round, mount beside tmpfs, so that what else the machine does meets both; of the rounds the
median counts. Before a cold run the kernel drops what it can (page cache, dentries, inodes). That empties the mount's
side; tmpfs keeps its entries in those caches and nowhere else, so its cold is its warm, and the ratio says what a first
look costs beside a tree that is always in memory. The programs' own pages are read in again before the clock starts.
"""
import glob
import os
import re
import shlex
import statistics
import subprocess
import tempfile
import time

from tests.lib import process
from tests.lib.mount import BINARY

ROUNDS = 5
LOOPS = os.path.join(os.path.dirname(BINARY), "tests", "bench", "loops")
_SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$", re.M)
_LABEL = re.compile(r'\w+="([^"]*)"')
# What the kernel sends without anybody waiting for it, whenever it likes.
_UNASKED = {"FORGET", "BATCH_FORGET"}


class Shell:
    """Stands in a directory and runs what it is told there. A process that only begins there changes to no directory,
    which on the mount would be a request of its own (ACCESS), and a small shell forks faster than Python. In a command
    {here} is the directory."""

    def __init__(self, directory):
        self.directory = directory
        self._process = subprocess.Popen(["bash", "--norc", "--noprofile"], cwd=directory, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, preexec_fn=process.dies_with_parent)
        self._paths = tempfile.NamedTemporaryFile("w", prefix="svcfs-paths-")

    def _say(self, line):
        """The line's output, and its exit status."""
        self._process.stdin.write(line + "; printf '\\n%s end\\n' $?\n")
        self._process.stdin.flush()
        said = []
        while not (text := self._process.stdout.readline()).endswith(" end\n"):
            if not text:
                raise RuntimeError(f"the shell has ended: {line}")
            said.append(text)
        return "".join(said).strip(), int(text.split()[0])

    def run(self, command, times=1):
        """Seconds that the command (a list) takes, each of so many times; its output goes nowhere."""
        line = shlex.join(word.replace("{here}", self.directory) for word in command)
        begun = time.perf_counter()
        said, status = self._say(f"for i in {{1..{times}}}; do {line}; done 2>&1 </dev/null >/dev/null")
        took = (time.perf_counter() - begun) / times
        if said or status > 1:      # 1 is grep's "not found"
            raise RuntimeError(f"{' '.join(command)}: status {status}: {said[:500]}")
        return took

    def loop(self, call, paths, rounds=1):
        """Nanoseconds that a call takes on each of the paths."""
        self._paths.seek(0)
        self._paths.truncate()
        self._paths.write("".join(p + "\n" for p in paths))
        self._paths.flush()
        said, status = self._say(shlex.join([LOOPS, "time", call, str(rounds)]) + f" <{self._paths.name} 2>&1")
        if status:
            raise RuntimeError(f"{call}: {said}")
        return float(said)

    def close(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._paths.close()


class Watch:
    """Calls one a millisecond in the background; `with Watch(...) as w`, then w.n, w.median, w.p99, w.most in seconds."""

    def __init__(self, call, paths, directory):
        self._command, self._paths, self._directory = [LOOPS, "watch", call], paths, directory

    def __enter__(self):
        self._process = subprocess.Popen(self._command, cwd=self._directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, text=True, preexec_fn=process.dies_with_parent)
        with self._process.stdin as stdin:
            stdin.write("".join(p + "\n" for p in self._paths))
        self._process.stdin = None          # communicate() would write to it
        self._process.stdout.readline()     # "watching"
        return self

    def __exit__(self, *_):
        self._process.terminate()
        out, err = self._process.communicate(timeout=60)
        if self._process.returncode:
            raise RuntimeError(f"{' '.join(self._command)}: {err}")
        n, median, p99, most = out.split()
        self.n, self.median, self.p99, self.most = int(n), int(median) / 1e9, int(p99) / 1e9, int(most) / 1e9


def ratio(mount, tmpfs, before=lambda: None, rounds=ROUNDS):
    """The median of mount() / tmpfs() over the rounds; before() stands in front of each mount()."""
    found = []
    for _ in range(rounds):
        before()
        first = mount()
        found.append(first / tmpfs())
    return statistics.median(found)


def drop_caches(daemon):
    """Empties the kernel's side, and waits until the daemon has worked off what that sends it."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3\n")
    wait_idle(daemon)
    for program in ("ls", "find", "grep"):
        subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_idle(daemon, quiet=0.2, timeout=120):
    """Until the daemon has used no processor for a while."""
    seen = [cpu_seconds(daemon), time.monotonic()]

    def idle():
        used = cpu_seconds(daemon)
        if used != seen[0]:
            seen[:] = [used, time.monotonic()]
        return time.monotonic() - seen[1] >= quiet
    process.wait_until(idle, timeout, "an idle daemon", 0.02)


def status_of(pid, name):
    """A number of /proc/PID/status."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))


class Metrics:
    """.svcfs/metrics, read so that differences hold nothing of the reading: what one reading costs is the same each time,
    and is learnt when nothing else goes on."""

    def __init__(self, mount):
        self._mount, self._path = mount, mount.at(".svcfs", "metrics")
        self._readings, self._cost = 0, {}
        self.there = os.path.exists(self._path)
        if self.there:
            self._quiet()
            first, second = self._read(), self._read()
            self._cost = {k: second[k] - first.get(k, 0) for k in second}

    def _read(self):
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            text = b""
            while piece := os.read(descriptor, 1 << 16):
                text += piece
        finally:
            os.close(descriptor)
        self._readings += 1
        return {(name, tuple(_LABEL.findall(labels))): float(value)
                for name, labels, value in _SAMPLE.findall(text.decode())}

    def _quiet(self):
        """A reading that differs from the one before by what the one before that did: RELEASE comes late."""
        a, b, c = self._read(), self._read(), self._read()
        end = time.monotonic() + 10
        while any(c[k] - b.get(k, 0) != b.get(k, 0) - a.get(k, 0) for k in c if _is_request(k)):
            a, b, c = b, c, self._read()
            if time.monotonic() > end:
                break
        return c

    def value(self, name, *labels):
        return self._read().get((name, labels)) if self.there else None

    def start(self):
        self._before, self._before_reading = (self._quiet(), self._readings) if self.there else ({}, 0)

    def difference(self):
        """{(name, labels): how much more} since start(), of what is more; None without the file."""
        if not self.there:
            return None
        now, readings = self._quiet(), self._readings - self._before_reading
        more = {k: v - self._before.get(k, 0) - self._cost.get(k, 0) * readings for k, v in now.items()}
        return {k: int(v) for k, v in more.items() if v}

    def during(self, action):
        """What an action made the daemon count."""
        self.start()
        action()
        return self.difference()

    def told(self, action):
        """{kind: sent} that an action made the daemon tell the kernel. Names are told by a thread that nobody waits for."""
        return notifications(self.during(lambda: (action(), wait_idle(self._mount.process.pid))))

    def upcalls(self, action, expected=None, tries=5):
        """{opcode: requests} that the kernel sent during an action; None without the file.

        The kernel may let go of what it has at any time, and asks again then, which says nothing of svcfs: so an action
        that can be repeated is, until the counts are the expected ones."""
        for _ in range(tries if expected is not None else 1):
            found = self.during(action)
            if found is None:
                return None
            found = {k[1][0]: v for k, v in found.items() if _is_request(k)}
            if found == expected:
                break
        return found


def memory_is_paged_out():
    """Whether the kernel takes away memory that is idle although there is enough (DAMON): then nothing stays warm."""
    for path in glob.glob("/sys/kernel/mm/damon/admin/kdamonds/*/state"):
        with open(path) as file:
            if file.read().strip() == "on":
                return True
    return False


def _is_request(key):
    return key[0] == "svcfs_fuse_requests_total" and key[1][0] not in _UNASKED


def notifications(found):
    """{kind: sent} of a difference."""
    return {k[1][0]: v for k, v in found.items() if k[0] == "svcfs_fuse_notifications_total"}
