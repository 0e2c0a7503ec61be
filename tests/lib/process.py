"""Processes of the laboratory: each is awaited by connecting, stopped by its pid, and ends with its parent."""
import ctypes
import os
import signal
import socket
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def dies_with_parent(number=signal.SIGKILL):
    """For preexec_fn: a killed test run leaves no process behind. A change of user inside the program would undo this; it
    must be Popen's, which comes before."""
    _libc.prctl(_PR_SET_PDEATHSIG, number)


def unmounts_with_parent():
    dies_with_parent(signal.SIGTERM)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(condition, timeout, what, interval=0.02):
    """Asks until the condition gives something true, and gives that."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(interval)


def waits_in_kernel(process):
    """Whether it is asleep in a request to the mount. (wchan is hidden in some containers: then its state alone.)"""
    try:
        with open(f"/proc/{process.pid}/wchan") as file:
            where = file.read().strip()
        with open(f"/proc/{process.pid}/stat") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state in "SD" and (where in ("0", "") or "fuse" in where or "request_wait" in where)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def stop(process, timeout=10):
    if process.poll() is not None:
        return process.returncode
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(timeout)


def tail(path, lines=30):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError:
        return ""


def environment(**more):
    """The surroundings without anything that could lead to a real account, or to a saved index of another test."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("AWS_") and not k.lower().endswith("_proxy") and k != "CACHE_DIRECTORY"}
    env.update(more)
    return env
