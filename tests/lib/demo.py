"""What tools/demo shows. Commands are run by a real shell at a real mount and printed as typed."""
import argparse
import os
import subprocess
import sys
import threading
import time

from . import aws as awslib
from .account import FAMILY
from .inventory import difference
from .lab import Lab, Servers
from .mount import dummy_environment
from .process import wait_until

_WAIT = 120


def say(text):
    print(text, flush=True)


class Demo:
    def __init__(self, lab, mount):
        self.lab, self.mount = lab, mount

    def run(self, command, may_fail=False):
        say(f"\n$ {command}")
        done = subprocess.run(["bash", "-c", command], cwd=self.mount.path, env=self.environment(), timeout=_WAIT)
        sys.stdout.flush()
        if done.returncode and not may_fail:
            raise RuntimeError(f"`{command}` ended with {done.returncode}")

    def environment(self):
        return dummy_environment(AWS_ENDPOINT_URL=self.lab.proxy.url, AWS_REGION=awslib.REGION,
                                 AWS_DEFAULT_REGION=awslib.REGION)

    def browse(self):
        self.run("ls families")
        self.run(f"ls families/{FAMILY} services")
        self.run(f"cat families/{FAMILY}/services.tsv")
        self.run("cat services/legacy1/status")
        self.run("ls services/legacy1/resources")

    def provision(self):
        service = self.mount.read("families", FAMILY, "next-id").strip()
        say(f"\n$ cat families/{FAMILY}/next-id\n{service}")
        self.run(f"mkdir families/{FAMILY}/{service}")
        say(f"\n$ cat families/{FAMILY}/{service}/status      # again and again, while it is made")
        self.follow(service)
        self.run(f"cat families/{FAMILY}/{service}/wait")
        self.run(f"cat families/{FAMILY}/{service}/events")
        self.run(f"ls families/{FAMILY}/{service} families/{FAMILY}/{service}/resources")
        self.run(f"cat families/{FAMILY}/{service}/resources/ec2.security-group.*/arn")
        self.run(f"grep . families/{FAMILY}/{service}/outputs/*")
        self.run(f"cat families/{FAMILY}/services.tsv")
        return service

    def follow(self, service):
        """Prints the status whenever it or the number of events has changed, until the operation has ended."""
        done = threading.Event()

        def waits():
            try:
                self.mount.wait(FAMILY, service, _WAIT)
            except OSError:
                pass
            done.set()
        waiter = threading.Thread(target=waits, daemon=True)
        began, shown = time.monotonic(), None
        waiter.start()
        while True:
            ended = done.wait(0.2)
            now = (self.mount.status(FAMILY, service),
                   self.mount.read("families", FAMILY, service, "events").count("\n"))
            if now != shown:
                say(f"{now[0]}   # {time.monotonic() - began:.1f} s, {now[1]} events")
                shown = now
            if ended:
                break
        if shown[0] != "ready":
            raise RuntimeError(f"{service} is {shown[0]}:\n{self.mount.try_read('families', FAMILY, service, 'error')}")

    def tear_down(self, service):
        self.run(f"rmdir families/{FAMILY}/{service}")
        self.run("ls deleting/*", may_fail=True)
        began = time.monotonic()
        self.mount.wait_gone(FAMILY, service, _WAIT)
        say(f"# gone after {time.monotonic() - began:.1f} s")
        self.run(f"ls families/{FAMILY} services deleting")
        wait_until(lambda: not difference(self.lab.before, self.lab.inventory()), 30, "nothing to be left in the account")
        say("# asked of AWS and of MariaDB themselves: everything is as it was before mkdir, nothing is left")

    def shell(self):
        shell = os.environ.get("SHELL") or "/bin/bash"
        say(f"\nYou are at the mount, {self.mount.path}. Try:\n"
            f"  id=$(cat families/{FAMILY}/next-id); mkdir families/{FAMILY}/$id && cat families/{FAMILY}/$id/wait\n"
            f"  cat README; ls resources/*; rmdir families/{FAMILY}/$id; cat .svcfs/health\n"
            "Leave with exit; moto, MariaDB and the mount go with it.")
        subprocess.run([shell], cwd=self.mount.path, env=self.environment())


def play(servers, batch):
    lab = Lab(servers)
    try:
        say(f"   an account with {len(lab.before['services'])} ECS services, a load balancer, a MariaDB on port {lab.db.port}")
        say("== 4/5 mounting")
        mount = lab.prepare("svcfs", refresh=5, describe=60, log_level="info")
        say("$ " + " ".join(mount.command()).replace(" -f", "", 1))
        mount.start()
        demo = Demo(lab, mount)
        say("== 5/5 at the mount")
        demo.browse()
        service = demo.provision()
        if batch:
            demo.tear_down(service)
        else:
            demo.shell()
    finally:
        wrong = lab.close()
        lab.remove()
    if wrong:
        raise RuntimeError("\n".join(wrong))


def main():
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--batch", action="store_true")
    args = parser.parse_args()
    if not os.path.exists("/dev/fuse"):
        sys.exit("demo: this machine has no /dev/fuse: load the module fuse, or run where a container may use it")
    say("== 3/5 starting moto (as AWS) and MariaDB on scratch directories")
    try:
        with Servers() as servers:
            play(servers, args.batch)
    except (RuntimeError, OSError, AssertionError, subprocess.SubprocessError) as error:
        sys.exit(f"demo: {error}")
    say("\ndemo: done, everything is taken away again")


if __name__ == "__main__":
    main()
