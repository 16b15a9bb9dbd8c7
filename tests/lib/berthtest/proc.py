# SPDX-License-Identifier: Apache-2.0
"""Processes that a test starts, and the folders and ports they use."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

TREE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))


def build_dir():
    """The folder with the built programs: $BERTH_BUILD or build/ of the tree."""
    return os.path.abspath(os.environ.get("BERTH_BUILD") or os.path.join(TREE, "build"))


def cache_dir():
    """Where things that take long to make are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = os.path.join(base, "berth-test")
    os.makedirs(path, exist_ok=True)
    return path


def need(*programs):
    """Skip the calling test unless every program is on the PATH."""
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} is not installed (packaging/deps test)")


def compiled(source, *libraries):
    """The program made of one C file, compiled when it is first needed."""
    name = os.path.splitext(os.path.basename(source))[0]
    target = os.path.join(build_dir(), "tests", name)
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(source):
        compiler = os.environ.get("CC", "cc").split()
        need(compiler[-1])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        fresh = f"{target}.{os.getpid()}"
        subprocess.run([*compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-o", fresh, source,
                        *libraries], check=True)
        os.replace(fresh, target)
    return target


def workdir(case):
    """A private folder that goes away with the test case (class or instance)."""
    path = tempfile.mkdtemp(prefix="berth-test-")
    cleanup = case.addClassCleanup if isinstance(case, type) else case.addCleanup
    cleanup(shutil.rmtree, path, ignore_errors=True)
    return path


_claims = []


def free_port():
    """A loopback port that is this process's own while it lives.

    It lies below the ports that the kernel gives to outgoing connections, and
    a socket without a file, named after it, keeps other test processes away.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        top = int(file.read().split()[0])
    for _ in range(1000):
        port = random.randrange(10240, max(top, 20480))
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0berth-test-port-{port}")
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise AssertionError("no port is free")


def wait_until(check, what, seconds=120.0, step=0.02):
    """Wait for check() to be true; the bound is generous and is no measurement."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(step)
    raise AssertionError(f"{what}: not within {seconds:g} s")


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """A child in a process group of its own, with its output in a file.

    It is killed when the thread that started it ends, so that an interrupted
    test run leaves nothing behind; start it from the main thread.
    """

    def __init__(self, argv, log, env=None, cwd=None, stdin=None, stdout=None):
        self.argv = [str(arg) for arg in argv]
        self.log_path = log
        guard = shutil.which("setpriv")
        full = [guard, "--pdeathsig", "KILL", "--"] + self.argv if guard else self.argv
        with open(log, "ab") as sink:
            self.popen = subprocess.Popen(
                full, stdin=stdin or subprocess.DEVNULL, stdout=stdout or sink, stderr=sink,
                env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def is_running(self):
        return self.popen.poll() is None

    def log(self, tail=None):
        """The output so far, or its last bytes."""
        with open(self.log_path, "rb") as file:
            data = file.read()
        return data[-tail:].decode("utf-8", "replace") if tail else data.decode("utf-8", "replace")

    def wait_for(self, check, what, seconds=120.0):
        """Wait for check(); an early end of the process fails with its log."""
        def ready():
            if not self.is_running():
                raise AssertionError(f"{self.argv[0]} ended with {self.popen.returncode} before "
                                     f"{what}:\n{self.log(2000)}")
            return check()
        return wait_until(ready, f"{self.argv[0]}: {what}", seconds)

    def wait_port(self, port, seconds=120.0):
        self.wait_for(lambda: can_connect(port), f"it listened on port {port}", seconds)

    def signal(self, number):
        """Send a signal to the process alone."""
        if self.is_running():
            os.kill(self.pid, number)

    def stop(self, grace=60.0):
        """End the group: SIGTERM, then SIGKILL. Returns the exit status."""
        self._signal_group(signal.SIGTERM)
        try:
            self.popen.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        return self.kill()

    def kill(self):
        """End the group at once. Returns the exit status."""
        self._signal_group(signal.SIGKILL)
        status = self.popen.wait(120)
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()
        return status

    def _signal_group(self, number):
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass
