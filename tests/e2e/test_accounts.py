# SPDX-License-Identifier: Apache-2.0
"""A number of the system that somebody else gets: members of workspaces and roles are
who they were when they were added. berthd has a user file of its own, which the test
writes."""

import os
import subprocess
import unittest

from berthtest import Daemon, workdir
from berthtest.apicase import ApiCase, Person
from berthtest.openapi import CheckedApi

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

    def test_one_number_is_one_member_whatever_its_account(self):
        answer = self.ask("POST", "/v1/workspaces", {"name": "red", "members": [
            {"uid": ALICE}, {"uid": ALICE, "account": "another"}]})
        self.assertEqual((422, "twice"), (answer.status, answer.body["errors"][0]["code"]))


if __name__ == "__main__":
    unittest.main()
