# SPDX-License-Identifier: Apache-2.0
"""A private berthd, its HTTP API over the UNIX socket, and berthctl."""

import http.client
import json
import os
import signal
import socket
import subprocess
import unittest
import uuid

from .proc import Process, build_dir, wait_until


class ApiError(Exception):
    """An answer that was not expected; problem is the document it carried."""

    def __init__(self, method, path, answer):
        self.status = answer.status
        self.problem = answer.body if isinstance(answer.body, dict) else {}
        super().__init__(f"{method} {path}: HTTP {answer.status} {answer.body!r}")


class ApiAnswer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """The control API behind one socket; a connection a request."""

    def __init__(self, path, timeout=180):
        self.path, self.timeout = path, timeout

    def request(self, method, path, body=None, headers=None):
        """Any request. A dict or list body travels as JSON, bytes as they are."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            headers.setdefault("Content-Type", kind)
        connection = _UnixConnection(self.path, self.timeout)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if "json" in answer.headers.get("Content-Type", "") and data:
            try:
                data = json.loads(data)
            except ValueError:
                pass  # NDJSON and broken bodies stay bytes
        return ApiAnswer(answer.status, answer.headers, data)

    def call(self, method, path, body=None, expect=(200, 201, 202, 204), **headers):
        """The body of a request that must succeed."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.request(method, path, body, named)
        if answer.status not in expect:
            raise ApiError(method, path, answer)
        return answer.body

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body, **headers):
        return self.call("POST", path, body, Idempotency_Key=str(uuid.uuid4()), **headers)

    def wait(self, operation, seconds=180.0):
        """Wait for an operation (object or id) to end; returns the object."""
        ident = operation["id"] if isinstance(operation, dict) else operation
        found = {}

        def ended():
            found["it"] = self.get(f"/v1/operations/{ident}")
            return found["it"]["state"] not in ("pending", "running", "cancelling")

        wait_until(ended, f"operation {ident} ends", seconds, step=0.05)
        return found["it"]

    def run(self, path, body, seconds=180.0):
        """POST, then wait for the operation that was accepted."""
        return self.wait(self.post(path, body), seconds)


class Daemon:
    """build/berthd on a private state folder, with its worker.

    config is the text of a configuration file; env and argv are added to what
    is there. A test may stop(), kill() and start() it again on its folder.
    """

    def __init__(self, folder, config=None, plugins=None, env=None, argv=()):
        self.dir = folder
        os.makedirs(folder, exist_ok=True)
        self.state = os.path.join(folder, "state")
        self.socket = os.path.join(self.state, "berth.sock")
        self.log_path = os.path.join(folder, "berthd.log")
        self.config = config
        self.plugins = plugins or os.path.join(build_dir(), "plugins")
        self.env = env or {}
        self.argv = list(argv)
        self.api = Api(self.socket)
        self.process = None

    @staticmethod
    def program(name):
        path = os.path.join(build_dir(), name)
        if not os.path.exists(path):
            raise unittest.SkipTest(f"{path} is not built (make all)")
        return path

    def command(self):
        """The command line that start() uses."""
        argv = [self.program("berthd"), "--state-dir", self.state, "--plugins", self.plugins]
        if self.config is not None:
            path = os.path.join(self.dir, "berth.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.config)
            argv += ["--config", path]
        return argv + self.argv

    def start(self, seconds=120.0):
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.process = Process(self.command(), self.log_path, env=self.env)
        self.process.wait_for(self.is_ready, "it answered on its socket", seconds)
        return self

    def is_ready(self):
        try:
            return self.api.request("GET", "/v1/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        """SIGTERM; returns the exit status."""
        status = self.process.stop() if self.process else 0
        self.process = None
        return status

    def kill(self):
        """kill -9 of berthd alone; its worker sees the connection end."""
        if self.process:
            self.process.signal(signal.SIGKILL)
            self.process.popen.wait(120)
            self.process = None

    def children(self):
        """Process ids below berthd: the worker and its jobs."""
        return descendants(self.process.pid)

    def worker(self):
        """The worker's process id, once there is one."""
        def find():
            for pid in self.children():
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        if b"--worker" in file.read():
                            return pid
                except OSError:
                    continue
            return None
        return wait_until(find, "there is a worker")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def ctl(self, *args, stdin=None, env=None, timeout=300):
        """Run berthctl; returns subprocess.CompletedProcess with text."""
        return subprocess.run(
            [self.program("berthctl"), *[str(arg) for arg in args]], input=stdin, text=True,
            capture_output=True, timeout=timeout, check=False,
            env={**os.environ, "BERTH_SOCKET": self.socket, "NO_COLOR": "1", **(env or {})})

    def ctl_ok(self, *args, **more):
        """Run berthctl, which must succeed; returns what it printed."""
        done = self.ctl(*args, **more)
        if done.returncode:
            raise AssertionError(f"berthctl {' '.join(map(str, args))}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}\n{self.log()[-2000:]}")
        return done.stdout

    def add(self, name, registry, username=None, password=None, **fields):
        """Integrate a registry (an object with url, or an URL) and wait for its proof."""
        url = registry if isinstance(registry, str) else registry.url
        body = {"name": name, "kind": "dockerreg", "address": url, **fields}
        if username:
            body.update(username=username, password=password)
        done = self.api.run("/v1/integrations", body)
        if done["state"] != "succeeded":
            raise AssertionError(f"integration {name}: {done.get('error')}")
        return done


def descendants(pid):
    """Every process below pid, parents first."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parents.setdefault(int(file.read().rpartition(")")[2].split()[1]),
                                       []).append(int(entry))
            except OSError:
                continue
    found, queue = [], [pid]
    while queue:
        below = parents.get(queue.pop(0), [])
        found += below
        queue += below
    return found
