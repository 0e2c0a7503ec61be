"""The same tree on tmpfs: what the mount shows, copied by walking it, so that both sides of a ratio hold the same names,
contents and links.

Left out is .svcfs, which is rendered at each open on purpose and is no part of what is compared.
"""
import os
import shutil
import stat
import subprocess
import tempfile

TOPS = ("README", "families", "services", "groups", "resources", "deleting", "by-status", "by-type", "untagged")

# Whatever ends the bench, the pipe to this shell ends with it, and the gigabytes go.
_GUARD = 'trap "" INT TERM HUP; read -r nothing; rm -rf -- "$0"'


class Scratch:
    """A directory in memory that is gone when this process is: `with Scratch() as path`."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="svcfs-bench-", dir="/dev/shm")
        self._guard = subprocess.Popen(["sh", "-c", _GUARD, self.path], stdin=subprocess.PIPE, start_new_session=True)
        return self.path

    def __exit__(self, *_):
        self._guard.stdin.close()
        self._guard.wait()


def need(services):
    """Bytes of memory that a bench of so many services takes: a page a file in each of the two trees, and the kernel's
    inode and dentry for each of some 117 entries a service (fuse-facts.md 38), also in both."""
    return services * (2 * 65 * 4096 + 2 * 117 * 1200)


def check_memory(services):
    with open("/proc/meminfo") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    free = min(kib * 1024, shutil.disk_usage("/dev/shm").free)
    if need(services) * 1.2 > free:
        raise SystemExit(f"{services} services need {need(services) * 1.2 / 2**30:.1f} GiB of memory, "
                         f"{free / 2**30:.1f} are free")


class Entries:
    """What is in a tree: paths relative to the top, by kind."""

    def __init__(self):
        self.directories, self.files, self.links = [], [], []

    def __len__(self):
        return len(self.directories) + len(self.files) + len(self.links)

    @property
    def paths(self):
        return self.directories + self.files + self.links


def look(source, on_entry=lambda path, mode: None):
    """Walks the tree; gives its entries, each after on_entry(path, mode) was called for it."""
    found, left = Entries(), list(reversed(TOPS))
    while left:
        path = left.pop()
        there = os.path.join(source, path)
        mode = os.lstat(there).st_mode
        on_entry(path, mode)
        if stat.S_ISDIR(mode):
            found.directories.append(path)
            left += (f"{path}/{name}" for name in os.listdir(there))
        else:
            (found.links if stat.S_ISLNK(mode) else found.files).append(path)
    return found


def copy(source, target):
    """Gives the entries."""
    def make(path, mode):
        there, here = os.path.join(source, path), os.path.join(target, path)
        if stat.S_ISDIR(mode):
            os.mkdir(here)
        elif stat.S_ISLNK(mode):
            os.symlink(os.readlink(there), here)
        else:
            with open(there, "rb") as old, open(here, "wb") as new:
                new.write(old.read())
    return look(source, make)
