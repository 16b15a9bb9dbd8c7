# SPDX-License-Identifier: Apache-2.0
"""A test case with a daemon between two registries, every answer checked.

The registries and the daemon are shared by the tests of one class: `hub` is
open and has the demo set, `mirror` wants a password and is empty at first.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse
import uuid

from . import sets
from .daemon import ApiAnswer, Daemon
from .images import Client
from .openapi import CheckedApi
from .proc import wait_until, workdir
from .registry import Registry

# Nothing is probed or refreshed by itself while a test counts.
QUIET = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
PASSWORD = "canary-Zq81-password"
ENDED = ("succeeded", "failed", "cancelled", "interrupted")


class ApiCase(unittest.TestCase):
    """Registries and a daemon; integrations hub and mirror unless a class says no."""

    integrate = True
    config = QUIET

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.hub = cls.enter(Registry(os.path.join(cls.dir, "hub")))
        cls.mirror = cls.enter(Registry(os.path.join(cls.dir, "mirror"),
                                        users={"robot": PASSWORD}))
        with Client(cls.hub.url) as client:
            cls.images = sets.push_set(client, sets.demo())
        cls.daemon = cls.enter(Daemon(os.path.join(cls.dir, "berth"), config=cls.config))
        cls.api = CheckedApi(cls.daemon.socket)
        cls.daemon.api = cls.api
        if cls.integrate:
            cls.daemon.add("hub", cls.hub)
            cls.daemon.add("mirror", cls.mirror, "robot", PASSWORD)
            cls.settle()

    @classmethod
    def enter(cls, context):
        value = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return value

    @classmethod
    def settle(cls):
        """Wait until no operation is open."""
        wait_until(lambda: not cls.api.get("/v1/operations?filter=" + urllib.parse.quote(
            "state in ('pending', 'running', 'cancelling')"))["items"], "all operations ended")

    def ask(self, method, path, body=None, **headers):
        """Any request; the answer, whatever its status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.api.request(method, path, body, named)

    def refused(self, status, code, method, path, body=None, **headers):
        """A request that must be refused with that status and code; the problem."""
        answer = self.ask(method, path, body, **headers)
        self.assertEqual((status, code), (answer.status, answer.body.get("code")), answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        return answer.body

    def pointers(self, problem):
        return [one.get("pointer", one.get("parameter")) for one in problem["errors"]]

    def done(self, operation):
        """Wait for an operation that must succeed; its document."""
        ended = self.api.wait(operation)
        self.assertEqual("succeeded", ended["state"], ended)
        return ended

    def failed(self, operation, code):
        """Wait for an operation that must fail with that problem."""
        ended = self.api.wait(operation)
        self.assertEqual(("failed", code), (ended["state"], ended.get("error", {}).get("code")),
                         ended)
        return ended["error"]

    def etag(self, path):
        return self.ask("GET", path).headers["ETag"]

    def names(self, path):
        return [item["name"] for item in self.api.get(path)["items"]]

    def open_to_others(self):
        """Let other users reach the socket; the shared folder above stays as it is."""
        shared = {os.path.realpath(tempfile.gettempdir()), "/tmp", "/var/tmp", "/"}
        folder = os.path.realpath(self.daemon.state)
        while folder not in shared:
            self.addCleanup(os.chmod, folder, os.stat(folder).st_mode & 0o7777)
            os.chmod(folder, 0o755)
            folder = os.path.dirname(folder)
        self.addCleanup(os.chmod, self.daemon.socket, 0o600)
        os.chmod(self.daemon.socket, 0o666)

    def space(self, integration, name="default"):
        """The id of a space."""
        path = f"/v1/integrations/{integration}/spaces?limit=500"
        found = [item for item in self.api.get(path)["items"] if item["name"] == name]
        self.assertEqual(1, len(found), f"space {integration}/{name}")
        return found[0]["id"]


class Stream:
    """A streaming answer, read line by line."""

    def __init__(self, path, target, **headers):
        self.connection = http.client.HTTPConnection("localhost", timeout=120)
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.settimeout(120)
        self.connection.sock.connect(path)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("GET", target, headers=named)
        self.answer = self.connection.getresponse()

    def line(self):
        return self.answer.readline().decode().rstrip("\n")

    def event(self):
        """The next SSE record as {field: value}; comments are skipped."""
        record = {}
        while True:
            line = self.line()
            if not line and record:
                return record
            name, _, value = line.partition(": ")
            if name:
                record[name] = value

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Blackhole:
    """Takes connections on a port and never answers."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.held = []
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self):
        while True:
            try:
                self.held.append(self.listener.accept()[0])
            except OSError:
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Give the port back; more than once is no error."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.held:
            sock.close()


def quote(text):
    """A reference or repository as one segment of a path."""
    return urllib.parse.quote(text, safe="")


def key():
    return str(uuid.uuid4())


def as_user(uid, path, method, target, body="", gid=None):
    """One request over the socket by another user; ApiAnswer, or None where the
    connection itself is refused. Needs root."""
    program = (
        "import http.client, os, socket, sys\n"
        "uid, gid, path, method, target, body = sys.argv[1:]\n"
        "os.setgroups([]); os.setgid(int(gid)); os.setuid(int(uid))\n"
        "c = http.client.HTTPConnection('localhost')\n"
        "c.sock = socket.socket(socket.AF_UNIX)\n"
        "try: c.sock.connect(path)\n"
        "except PermissionError: sys.exit(77)\n"
        "head = {'Content-Type': 'application/json'} if body else {}\n"
        "c.request(method, target, body or None, head)\n"
        "a = c.getresponse(); print(a.status); print(a.read().decode())\n")
    done = subprocess.run([sys.executable, "-c", program, str(uid), str(gid or uid), path, method,
                           target, body], capture_output=True, text=True, timeout=180, check=False)
    if done.returncode == 77:
        return None
    if done.returncode:
        raise AssertionError(done.stderr)
    status, _, text = done.stdout.partition("\n")
    return ApiAnswer(int(status), {}, text.strip())


class Person:
    """Another user, who asks one thing after the other over the socket. Needs root."""

    PROGRAM = (
        "import http.client, json, os, socket, sys\n"
        "uid, gid, path, *groups = sys.argv[1:]\n"
        "os.setgroups(list(map(int, groups))); os.setgid(int(gid)); os.setuid(int(uid))\n"
        "for line in sys.stdin:\n"
        "    method, target, body, head = json.loads(line)\n"
        "    c = http.client.HTTPConnection('localhost')\n"
        "    c.sock = socket.socket(socket.AF_UNIX)\n"
        "    c.sock.connect(path)\n"
        "    c.request(method, target, body, head)\n"
        "    a = c.getresponse(); text = a.read().decode()\n"
        "    print(json.dumps([a.status, dict(a.getheaders()), text]), flush=True)\n"
        "    c.close()\n")

    def __init__(self, path, uid, gid=None, groups=()):
        self.uid = uid
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM, str(uid), str(gid or uid), path, *map(str, groups)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, method, target, body=None, **headers):
        """Any request; ApiAnswer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
            named.setdefault("Content-Type", kind)
            body = json.dumps(body)
        self.process.stdin.write(json.dumps([method, target, body, named]) + "\n")
        self.process.stdin.flush()
        status, head, text = json.loads(self.process.stdout.readline())
        try:
            text = json.loads(text)
        except ValueError:
            pass
        return ApiAnswer(status, head, text)

    def get(self, target):
        """The body of a read that must succeed."""
        answer = self.ask("GET", target)
        assert answer.status == 200, f"uid {self.uid}: {target}: {answer.status} {answer.body}"
        return answer.body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(180)
        self.process.stdout.close()


def raw(path, data, until=b"\r\n\r\n", seconds=120):
    """Bytes to the socket, and what comes back up to `until`."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(path)
        sock.sendall(data)
        got = b""
        while until not in got:
            piece = sock.recv(65536)
            if not piece:
                break
            got += piece
    return got
