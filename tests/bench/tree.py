"""The same tree on tmpfs: what the mount shows, copied by walking it, so that both sides of a ratio hold the same names,
contents and links.

Left out is .svcfs, which is rendered at each open on purpose and is no part of what is compared.
"""
import os
import shutil
import stat
import subprocess
import tempfile

TOPS = ("README", "families", "services", "groups", "resources", "deleting")

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
    inode and dentry for each of some 116 entries a service (fuse-facts.md 38), also in both."""
    return services * (2 * 65 * 4096 + 2 * 116 * 1200)


def check_memory(services):
    with open("/proc/meminfo") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    free = min(kib * 1024, shutil.disk_usage("/dev/shm").free)
    if need(services) * 1.2 > free:
        raise SystemExit(f"{services} services need {need(services) * 1.2 / 2**30:.1f} GiB of memory, "
                         f"{free / 2**30:.1f} are free")


class Copy:
    """The entries that were copied: paths relative to the top, by kind."""

    def __init__(self):
        self.directories, self.files, self.links = [], [], []

    def __len__(self):
        return len(self.directories) + len(self.files) + len(self.links)

    @property
    def paths(self):
        return self.directories + self.files + self.links


def copy(source, target):
    found = Copy()
    for top in TOPS:
        _copy(source, target, top, found)
    return found


def _copy(source, target, path, found):
    there, here = os.path.join(source, path), os.path.join(target, path)
    mode = os.lstat(there).st_mode
    if stat.S_ISDIR(mode):
        found.directories.append(path)
        os.mkdir(here)
        for name in os.listdir(there):
            _copy(source, target, f"{path}/{name}", found)
    elif stat.S_ISLNK(mode):
        found.links.append(path)
        os.symlink(os.readlink(there), here)
    else:
        found.files.append(path)
        with open(there, "rb") as file:
            content = file.read()
        with open(here, "wb") as file:
            file.write(content)
