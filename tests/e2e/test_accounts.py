# SPDX-License-Identifier: Apache-2.0
"""A number of the system that somebody else gets: members of workspaces and roles are
who they were when they were added. berthd has a user file of its own, which the test
writes."""

import os
import pwd
import subprocess
import sys
import unittest

from berthtest import Daemon, workdir
from berthtest.apicase import ApiCase, Person
from berthtest.openapi import CheckedApi

# Prints the lines of a stream of events until berthd ends it.
READ = """
import http.client, os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
c = http.client.HTTPConnection("localhost")
c.sock = socket.socket(socket.AF_UNIX)
c.sock.settimeout(60)
c.sock.connect(sys.argv[2])
c.request("GET", "/v1/events?since=0&types=lifecycle", headers={"Accept": "application/x-ndjson"})
for line in c.getresponse():
    if line.strip():
        print(line.decode(), end="", flush=True)
"""
BASE = "root:x:0:0::/:/bin/sh\n"
ALICE = 71101


def can_mount():
    return os.getuid() == 0 and not subprocess.run(
        ["unshare", "-m", "true"], capture_output=True, check=False).returncode


class OwnUsers(Daemon):
    """berthd with self.users in place of /etc/passwd."""

    @property
    def users(self):
        return os.path.join(self.dir, "passwd")

    def write(self, **names):
        with open(self.users, "w", encoding="ascii") as file:
            file.write(BASE + "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n"
                                      for name, uid in names.items()))

    def command(self):
        return ["unshare", "-m", "sh", "-c",
                'mount --bind "$1" /etc/passwd && shift && exec "$@"', "sh", self.users,
                *super().command()]


@unittest.skipUnless(can_mount(), "needs root and a mount namespace")
class Accounts(ApiCase):
    integrate = False

    @classmethod
    def setUpClass(cls):
        folder = workdir(cls)
        cls.daemon = OwnUsers(os.path.join(folder, "berth"))
        cls.daemon.write(alice=ALICE)
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.api = CheckedApi(cls.daemon.socket)

    def setUp(self):
        self.daemon.write(alice=ALICE)
        self.open_to_others()
        self.alice = Person(self.daemon.socket, ALICE)
        self.addCleanup(self.alice.__exit__)

    def workspace(self, name, *members):
        self.api.post("/v1/workspaces", {"name": name, "members": list(members)})
        self.addCleanup(self.ask, "DELETE", f"/v1/workspaces/{name}", If_Match="*")

    def seen(self):
        """What Alice's number sees of workspaces; None: it is nobody."""
        answer = self.alice.ask("GET", "/v1/workspaces")
        return None if answer.status == 403 else [one["name"] for one in answer.body["items"]]

    def shown(self, name):
        return self.api.get(f"/v1/workspaces/{name}")

    def test_a_number_that_somebody_else_gets_brings_no_rights_along(self):
        self.workspace("red", {"user": "alice"})
        self.assertEqual([{"uid": ALICE, "user": "alice", "account": "alice",
                           "role": "workspace-member"}], self.shown("red")["members"])
        self.assertEqual(["red"], self.seen())
        self.assertNotIn("other_accounts", self.shown("red")["status"])

        self.daemon.write(mallory=ALICE)
        self.assertIsNone(self.seen())
        self.assertEqual([{"uid": ALICE, "was": "alice", "is": "mallory"}],
                         self.shown("red")["status"]["other_accounts"])
        self.assertRegex(self.daemon.ctl_ok("workspace", "show", "red"),
                         rf"\nOut of use: +user {ALICE}: was alice, is mallory\n")
        # A change of something else, as a client makes it, does not let them in.
        self.ask("PATCH", "/v1/workspaces/red", {"members": self.shown("red")["members"],
                                                 "description": "new"}, If_Match="*")
        self.assertIsNone(self.seen())

        # Who comes back is who they were; whoever is added by their number is, too.
        self.daemon.write(alice=ALICE)
        self.assertEqual(["red"], self.seen())
        self.daemon.write(mallory=ALICE)
        self.workspace("blue", {"uid": ALICE})
        self.assertEqual(["blue"], self.seen())

    def test_what_another_machine_calls_a_number_is_not_believed(self):
        self.workspace("red")
        for member in ({"user": "zed", "uid": ALICE}, {"user": "zed", "uid": ALICE + 1},
                       {"user": "alice", "uid": ALICE + 1}):
            answer = self.ask("PATCH", "/v1/workspaces/red", {"members": [member]}, If_Match="*")
            if member == {"user": "zed", "uid": ALICE + 1}:  # may be a directory's
                self.assertEqual(200, answer.status, answer.body)
            else:
                self.assertEqual((422, "other-account"),
                                 (answer.status, answer.body["errors"][0]["code"]), member)

    def test_berthctl_leaves_names_to_the_machine_at_the_other_end_of_ssh(self):
        name = next(one.pw_name for one in pwd.getpwall() if one.pw_uid not in (0, ALICE))
        self.daemon.write(**{name: ALICE})
        self.workspace("red")
        here = self.daemon.ctl("workspace", "edit", "red", "--member", name)
        self.assertEqual(2, here.returncode, here.stdout)
        self.assertIn(f"'{name}' has the uid {ALICE} here", here.stderr)
        ssh = os.path.join(workdir(self), "ssh")
        with open(ssh, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nwhile [ \"$1\" != berthctl ]; do shift; done\nshift\n"
                       f"BERTH_SOCKET={self.daemon.socket} exec "
                       f"{self.daemon.program('berthctl')} \"$@\"\n")
        os.chmod(ssh, 0o755)
        far = {"BERTH_SSH": ssh, "BERTH_SOCKET": "ssh://far"}
        self.daemon.ctl_ok("workspace", "edit", "red", "--member", name, env=far)
        self.assertEqual([(ALICE, name)], [(one["uid"], one["user"])
                                           for one in self.shown("red")["members"]])
        self.daemon.ctl_ok("workspace", "edit", "red", "--remove", name, env=far)
        self.assertEqual([], self.shown("red")["members"])

    def test_a_role_of_the_platform_is_not_handed_on_either(self):
        self.ask("POST", "/v1/roles", {"name": "keeper", "scope": "platform",
                                       "permissions": ["workspaces.read"],
                                       "members": [{"user": "alice"}]})
        self.addCleanup(self.ask, "DELETE", "/v1/roles/keeper", If_Match="*")
        self.addCleanup(self.ask, "PATCH", "/v1/roles/keeper", {"members": []}, If_Match="*")
        self.assertEqual([], self.seen())
        self.daemon.write(mallory=ALICE)
        self.assertIsNone(self.seen())
        self.assertEqual([{"uid": ALICE, "was": "alice", "is": "mallory"}],
                         self.api.get("/v1/roles/keeper")["status"]["other_accounts"])

    def test_a_number_without_a_name_counts_as_it_is(self):
        self.daemon.write()
        self.workspace("red", {"user": "DOM\\alice", "uid": ALICE})
        self.assertNotIn("account", self.shown("red")["members"][0])
        self.assertEqual(["red"], self.seen())
        self.daemon.write(alice=ALICE)
        self.assertEqual(["red"], self.seen())

    def test_what_is_kept_by_number_is_not_handed_on(self):
        self.workspace("red", {"user": "alice", "role": "workspace-admin"})
        path = self.operation_of_alice()
        self.assertEqual(200, self.alice.ask("GET", path).status)
        before = self.ids()
        events = self.alice.get("/v1/events?since=0&wait_s=0&types=operation")["items"]
        self.assertTrue(before and events)

        self.daemon.write(mallory=ALICE)
        self.workspace("blue", {"user": "mallory"})
        self.assertEqual(404, self.alice.ask("GET", path).status)
        none = "/v1/operations/00000000-0000-4000-8000-000000000000"
        self.assertEqual(self.alice.ask("DELETE", none).status,
                         self.alice.ask("DELETE", path).status)
        self.assertEqual(set(), self.ids())
        self.assertEqual([], self.alice.get(
            "/v1/events?since=0&wait_s=0&types=operation")["items"])

        self.daemon.write(alice=ALICE)
        self.assertEqual(before, self.ids())

    def ids(self):
        return {one["id"] for one in self.alice.get("/v1/operations")["items"]}

    def operation_of_alice(self):
        """Begun by her: what it comes to does not matter."""
        answer = self.alice.ask("POST", "/v1/integrations", {
            "name": "red~hub", "kind": "dockerreg", "address": "http://127.0.0.1:9"})
        self.assertEqual(202, answer.status, answer.body)
        return f"/v1/operations/{answer.body['id']}"

    def test_an_open_stream_ends_where_an_account_changes(self):
        self.workspace("late", {"user": "alice"})
        reader = subprocess.Popen([sys.executable, "-c", READ, str(ALICE), self.daemon.socket],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(reader.wait)
        self.addCleanup(reader.kill)
        self.addCleanup(reader.stdout.close)
        self.assertTrue(any("late" in line for line in reader.stdout))  # it is open
        self.daemon.write(mallory=ALICE)
        self.ask("PATCH", "/v1/workspaces/late", {"description": "2"}, If_Match="*")
        self.assertFalse([line for line in reader.stdout if "late" in line and "changed" in line])

    def test_one_number_is_one_member_whatever_its_account(self):
        answer = self.ask("POST", "/v1/workspaces", {"name": "red", "members": [
            {"uid": ALICE}, {"uid": ALICE, "account": "another"}]})
        self.assertEqual((422, "twice"), (answer.status, answer.body["errors"][0]["code"]))


if __name__ == "__main__":
    unittest.main()
