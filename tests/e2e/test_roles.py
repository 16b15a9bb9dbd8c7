# SPDX-License-Identifier: Apache-2.0
"""Custom roles from permission points (A1): made, given, changed and removed, by
the API and by berthctl. Who may do what with them: test_access.py."""

import json
import os
import unittest

from berthtest import proc
from berthtest.apicase import QUIET, ApiCase, Person
from berthtest.daemon import Daemon
from berthtest.openapi import CheckedApi

BUILT_IN = ["admin", "operator", "viewer", "workspace-admin", "workspace-member"]


class Roles(ApiCase):
    """One daemon without a registry."""

    @classmethod
    def setUpClass(cls):
        cls.dir = proc.workdir(cls)
        cls.daemon = cls.enter(Daemon(os.path.join(cls.dir, "berth"), config=QUIET))
        cls.api = CheckedApi(cls.daemon.socket)
        cls.daemon.api = cls.api

    def make(self, name, scope, permissions, **more):
        return self.api.post("/v1/roles", {"name": name, "scope": scope,
                                           "permissions": permissions, **more})

    def test_the_built_in_roles_are_sets_of_the_same_points(self):
        roles = {one["name"]: one for one in self.api.get("/v1/roles")["items"]
                 if one["built_in"]}
        self.assertEqual(BUILT_IN, sorted(roles))
        points = self.api.get("/v1/permissions")["items"]
        for name, role in roles.items():
            self.assertEqual([one["name"] for one in points if name in one["roles"]],
                             role["permissions"], name)
        for method, body in (("PATCH", {"permissions": []}), ("DELETE", None)):
            self.refused(409, "role-built-in", method, "/v1/roles/viewer", body, If_Match="*")
        self.refused(409, "exists", "POST", "/v1/roles",
                     {"name": "viewer", "scope": "platform", "permissions": []})

    def test_what_a_point_needs_comes_along_and_is_told(self):
        made = self.make("tidy", "platform", ["images.delete", "spaces.read"])
        self.assertEqual(["images.delete", "images.read", "operations.read", "spaces.read"],
                         made["permissions"])
        self.assertEqual(["images.read", "operations.read"], made["added"])
        shown = self.api.get("/v1/roles/tidy")
        self.assertNotIn("added", shown)
        answer = self.ask("PATCH", "/v1/roles/tidy", {"permissions": ["plugins.read"]},
                          If_Match=self.etag("/v1/roles/tidy"))
        self.assertEqual((["plugins.read"], []),
                         (answer.body["permissions"], answer.body["added"]))
        looking = self.make("looking", "workspace", ["spaces.read"])
        self.assertEqual(["workspaces.read"], looking["added"])

    def test_what_is_wrong_with_a_role_is_named(self):
        for permissions, members, scope, codes in (
                (["image.delete"], [], "platform", ["unknown-permission"]),
                (["roles.edit"], [], "platform", ["reserved"]),
                (["spaces.read", "retention.run"], [], "workspace", ["wrong-scope"]),
                ([], [{"uid": 1}], "workspace", ["wrong-scope"]),
                ([], [{"uid": 1}, {"uid": 1}], "platform", ["twice"]),
                ([], [{"user": "nobody-has-this-name"}], "platform",
                 ["unknown-account"])):
            problem = self.refused(422, "validation-failed", "POST", "/v1/roles", {
                "name": "wrong", "scope": scope, "permissions": permissions,
                "members": members})
            self.assertEqual(codes, [one["code"] for one in problem["errors"]])
        problem = self.refused(422, "validation-failed", "POST", "/v1/roles", {
            "name": "wrong", "scope": "platform", "permissions": ["image.delete"]})
        self.assertIn("did you mean images.delete?", problem["errors"][0]["detail"])
        self.assertNotIn("wrong", self.names("/v1/roles"))
        problem = self.refused(422, "validation-failed", "POST", "/v1/workspaces", {
            "name": "w", "members": [{"uid": 5, "role": "workspace-admim"}]})
        self.assertIn("did you mean workspace-admin?", problem["errors"][0]["detail"])
        self.refused(422, "validation-failed", "POST", "/v1/workspaces", {
            "name": "w", "members": [{"uid": 5, "role": "operator"}]})

    def test_a_role_that_somebody_has_stays(self):
        self.make("kept", "workspace", ["images.read"])
        odd = "CORP\\J\u00fcrgen Gro\u00df@corp.example"
        self.api.post("/v1/workspaces", {"name": "holders", "members": [
            {"user": odd, "uid": 70001, "role": "kept"}]})
        self.assertEqual(1, self.api.get("/v1/roles/kept")["status"]["held"])
        problem = self.refused(409, "in-use", "DELETE", "/v1/roles/kept", If_Match="*")
        self.assertEqual([f"uid 70001 ({odd}) in workspace holders"],
                         [one["detail"] for one in problem["errors"]])
        self.assertEqual(200, self.ask("PATCH", "/v1/workspaces/holders", {"members": []},
                                       If_Match="*").status)
        plan = self.ask("DELETE", "/v1/roles/kept?dry_run=true", If_Match="*")
        self.assertEqual((200, ["/v1/roles/kept"]), (plan.status, plan.body["delete"]))
        self.refused(428, "precondition-required", "DELETE", "/v1/roles/kept")
        self.refused(412, "precondition-failed", "DELETE", "/v1/roles/kept", If_Match='"x"')
        self.assertEqual(204, self.ask("DELETE", "/v1/roles/kept", If_Match="*").status)

    def test_a_plan_writes_nothing(self):
        plan = self.api.call("POST", "/v1/roles?dry_run=true", {
            "name": "planned", "scope": "platform", "permissions": ["plugins.read"]})
        self.assertEqual(["/v1/roles/planned"], plan["create"])
        self.assertNotIn("planned", self.names("/v1/roles"))

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_a_role_is_had_and_lost_at_once(self):
        self.open_to_others()
        self.make("plugs", "platform", ["plugins.read"], members=[{"gid": 70042}])
        with Person(self.daemon.socket, 70002, 70042) as person:
            self.assertEqual(["plugs"], person.get("/v1")["caller"]["roles"])
            self.assertEqual(200, person.ask("GET", "/v1/plugins").status)
            refused = person.ask("GET", "/v1/syncs")
            self.assertEqual((403, "syncs.read"), (refused.status, refused.body["permission"]))
            self.assertIn("uid 70002 has plugs", refused.body["detail"])
            self.ask("PATCH", "/v1/roles/plugs", {"members": []}, If_Match="*")
            self.assertEqual(403, person.ask("GET", "/v1/plugins").status)

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_an_underscore_in_a_role_is_no_wildcard(self):
        self.open_to_others()
        self.make("keep_r", "workspace", ["workspaces.read"])
        self.make("keeper", "workspace", ["workspaces.edit"])
        for name, role in (("under", "keep_r"), ("plain", "keeper")):
            self.api.post("/v1/workspaces", {"name": name,
                                             "members": [{"uid": 70004, "role": role}]})
        with Person(self.daemon.socket, 70004) as person:
            # As a pattern keep_r is like keeper, which they have too.
            change = {"description": "mine"}
            self.assertEqual([403, 200], [
                person.ask("PATCH", f"/v1/workspaces/{name}", change, If_Match="*").status
                for name in ("under", "plain")])

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_a_tenant_sees_roles_of_workspaces_and_not_who_has_them(self):
        self.open_to_others()
        self.make("hidden", "platform", ["audit.read"])
        self.api.post("/v1/workspaces", {"name": "tenants", "members": [
            {"uid": 70003, "role": "workspace-admin"}]})
        with Person(self.daemon.socket, 70003) as person:
            roles = person.get("/v1/roles")["items"]
            self.assertEqual({"workspace"}, {one["scope"] for one in roles})
            self.assertFalse([one for one in roles if "status" in one])
            self.assertEqual(404, person.ask("GET", "/v1/roles/hidden").status)
            self.assertEqual({"workspace"}, {one["scope"] for one in
                                             person.get("/v1/permissions")["items"]})

    def ctl(self, *words):
        return self.daemon.ctl_ok(*words)

    def test_berthctl_makes_gives_and_takes_roles(self):
        made = self.daemon.ctl("role", "create", "clerk", "-p", "images.read", "--description",
                               "looks")
        self.assertRegex(made.stderr, "came along, since others need them: .*spaces.read")
        self.ctl("workspace", "create", "office", "--member", "70010")
        self.ctl("workspace", "edit", "office", "--member", "70011", "--as", "clerk")
        members = self.api.get("/v1/workspaces/office")["members"]
        self.assertEqual([(70010, "workspace-member"), (70011, "clerk")],
                         [(one["uid"], one["role"]) for one in members])
        self.ctl("role", "create", "guard", "--scope", "platform", "-p", "audit.read",
                 "--member", "70012")
        self.ctl("role", "edit", "guard", "--add", "metrics.read", "--drop", "audit.read",
                 "--member-group", "70013", "--remove", "70012")
        guard = json.loads(self.ctl("role", "show", "guard", "-o", "json"))
        shown = self.ctl("role", "show", "guard")
        for point in guard["permissions"]:
            self.assertIn(point, shown)
        self.assertEqual((["metrics.read"], [{"gid": 70013}]),
                         (guard["permissions"], guard["members"]))
        self.assertIn("guard", self.ctl("role", "list", "-o", "name"))
        self.assertIn("images.read", self.ctl("role", "points"))
        self.ctl("workspace", "edit", "office", "--remove", "70011")
        self.ctl("role", "delete", "clerk", "--yes")
        self.assertNotIn("clerk", self.names("/v1/roles"))


if __name__ == "__main__":
    unittest.main()
