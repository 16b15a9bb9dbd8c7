# SPDX-License-Identifier: Apache-2.0
"""Whose credential goes where, seen from a registry that writes down each one."""

import base64
import os
import sys
import unittest

from berthtest import Daemon, images, proc, workdir

sys.path.insert(0, os.path.join(proc.TREE, "tests", "hostile"))

from server import Server, error  # noqa: E402

USERS = {"alice": "alice-canary-1", "bob": "bob-canary-2"}
READS = ("manifest", "manifest-head", "blob", "blob-head", "tags", "referrers")
# Nothing is probed or refreshed by itself while a test looks.
QUIET = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
WRITES = ("upload", "mount", "patch", "put", "manifest-put")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def may_trace():
    """CAP_SYS_PTRACE, which reads of any process what it closed to its user."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        effective = next(line for line in file if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> 19 & 1)


def user_of(request):
    given = request.headers.get("authorization", "")
    if not given.startswith("Basic "):
        return None
    return base64.b64decode(given[6:]).decode().partition(":")[0]


def only_the_owner(server, request, good):
    """alice/... is alice's alone, bob/... is bob's alone."""
    owner = request.name.partition("/")[0]
    if owner in USERS and user_of(request) not in (owner, None):
        server.notes.setdefault("mixed", []).append((user_of(request), request.method,
                                                     request.target))
        return error(403, "DENIED")
    return None


class SameHost(unittest.TestCase):
    """Two integrations with one address and different users (fault 64)."""

    @classmethod
    def setUpClass(cls):
        folder = workdir(cls)
        cls.server = Server([("*", only_the_owner)], users=USERS)
        cls.addClassCleanup(cls.server.stop)
        for number in range(3):
            image = images.Image([images.random_layer(f"same-host/{number}", 20_000)])
            cls.server.registry.load("alice/app", f"v{number}", image)
        cls.daemon = Daemon(folder + "/d", config=QUIET).start()
        cls.addClassCleanup(cls.daemon.stop)
        for user, password in USERS.items():
            cls.daemon.add(user, cls.server, user, password)
        proc.wait_until(cls.is_quiet, "the first refreshes end")
        cls.server.notes.clear()  # each refresh tried what the catalog names

    @classmethod
    def is_quiet(cls):
        return all(one["state"] not in ("pending", "running", "cancelling")
                   for one in cls.daemon.api.get("/v1/operations")["items"])

    def setUp(self):
        proc.wait_until(self.is_quiet, "what the test before began has ended")

    def test_a_copy_between_them_uses_each_where_it_belongs(self):
        before = len(self.server.seen)
        self.daemon.ctl_ok("copy", "alice/alice/app", "bob/bob/app", "--all-tags")
        self.assertEqual([], self.server.notes.get("mixed", []))
        seen = [request for request in self.server.seen[before:] if user_of(request)]
        self.assertEqual({"alice"}, {user_of(one) for one in seen if one.kind in READS
                                     and one.name.startswith("alice/")})
        self.assertEqual({"bob"}, {user_of(one) for one in seen if one.kind in WRITES})
        self.assertIsNotNone(self.server.registry.whole("bob/app", "v2"))

    def test_listings_and_looks_use_their_own(self):
        before = len(self.server.seen)
        self.daemon.ctl_ok("image", "show", "alice/alice/app:v1", "-o", "json")
        self.assertEqual({"alice"}, {user_of(one) for one in self.server.seen[before:]
                                     if user_of(one)})

    def test_one_may_not_read_with_the_others_rights(self):
        self.assertNotEqual(0, self.daemon.ctl("image", "show", "bob/alice/app:v1").returncode)


class Quiet(unittest.TestCase):
    def test_no_password_is_shown_to_other_processes_or_written_anywhere(self):
        folder = workdir(self)
        server = Server(users=USERS)
        self.addCleanup(server.stop)
        server.registry.load("a/b", "v1", images.Image([images.random_layer("quiet", 3000)]))
        with Daemon(folder + "/d") as daemon:
            daemon.add("mine", server, "alice", USERS["alice"])
            out = daemon.ctl("integration", "show", "mine", "-o", "json").stdout
            out += daemon.ctl("copy", "mine/a/b", "mine/a/c", "--all-tags").stdout
            self.assertIn(daemon.worker(), daemon.children())
            for pid in [daemon.process.pid, *daemon.children()]:
                self.assertNotIn(b"canary", read(f"/proc/{pid}/cmdline"))
                try:
                    self.assertNotIn(b"canary", read(f"/proc/{pid}/environ"))
                    # Open to its user only where that is root, or may trace all.
                    self.assertTrue(pid != daemon.process.pid or os.geteuid() == 0 or may_trace())
                except PermissionError:
                    # Closed to its own user too, and not for another reason than that
                    # it said so: what can't be dumped belongs to root.
                    self.assertFalse(may_trace())
                    self.assertEqual(daemon.process.pid, pid)
                    self.assertEqual(0, os.stat(f"/proc/{pid}/environ").st_uid)
        self.assertNotIn("canary", out)
        for base, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(base, name)
                if os.path.isfile(path):
                    self.assertNotIn(b"canary", read(path), path)


if __name__ == "__main__":
    unittest.main()
