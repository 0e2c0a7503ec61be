"""moto in a process of its own, on a free port of 127.0.0.1.

    python -m tests.lib.moto PORT     runs it in the foreground
"""
import os
import subprocess
import sys
import urllib.request

from . import process


class Moto:
    def __init__(self, directory):
        self.log = os.path.join(directory, "moto.log")
        self._process = None

    def start(self, timeout=60):
        for _ in range(3):  # the port was free a moment ago
            self.port = process.free_port()
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(self.port)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    env=process.environment(MOTO_PORT=str(self.port)), preexec_fn=process.dies_with_parent)
            process.wait_until(lambda: self._process.poll() is not None or process.accepts(self.port), timeout, "moto")
            if self._process.poll() is None:
                self.url = f"http://127.0.0.1:{self.port}"
                return self
        raise RuntimeError("moto does not start:\n" + process.tail(self.log))

    def reset(self):
        request = urllib.request.Request(self.url + "/moto-api/reset", method="POST")
        urllib.request.urlopen(request, timeout=30).read()

    def stop(self):
        if self._process:
            process.stop(self._process)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
