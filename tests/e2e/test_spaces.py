# SPDX-License-Identifier: Apache-2.0
"""Spaces where the server has none, or lets nobody make them (S1 S3 S4)."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Client, sets  # noqa: E402
from berthtest.apicase import ApiCase  # noqa: E402
from standin.artifactory import Artifactory  # noqa: E402


class Others(ApiCase):
    """A plain registry declares prefixes; Artifactory's keys are made there."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sets.push_set(Client(cls.hub.url), sets.demo(), prefix="docker-local/")
        cls.standin = Artifactory(cls.hub.url)
        cls.addClassCleanup(cls.standin.stop)
        cls.daemon.add("frog", cls.standin.url, "joe", "secret-jf", kind="jfrog")
        cls.settle()

    def test_a_prefix_has_no_quota(self):
        body = {"integration": "hub", "name": "shop", "public": True, "quota_bytes": 1000}
        problem = self.refused(422, "validation-failed", "POST", "/v1/spaces", body)
        self.assertEqual(["/quota_bytes"], self.pointers(problem))
        self.assertNotIn("shop", self.names("/v1/integrations/hub/spaces"))
        path = f"/v1/spaces/{self.space('hub')}"
        for quota in (1000, None):
            problem = self.refused(422, "validation-failed", "PATCH", path,
                                   {"quota_bytes": quota}, If_Match="*")
            self.assertEqual(["/quota_bytes"], self.pointers(problem))

    def test_lines_to_paste_name_the_host_that_a_key_has_of_its_own(self):
        path = f"/v1/spaces/{self.space('frog', 'docker-local')}/commands"
        host = self.standin.url.partition("://")[2].partition("/")[0]
        said = self.api.get(path + "?reference=docker-local/shop/web:1.0.0")
        self.assertEqual(f"{host}/docker-local/shop/web:1.0.0", said["reference"])
        self.daemon.ctl_ok("integration", "edit", "frog", "--option",
                           "docker_hosts=docker=https://no.example,"
                           f"docker-local={self.standin.docker_subdomain('docker-local')}")
        own = self.standin.docker_subdomain("docker-local").partition("://")[2]
        said = self.api.get(path + "?reference=docker-local/shop/web:1.0.0")
        self.assertEqual((own, f"{own}/shop/web:1.0.0"), (said["registry"], said["reference"]))
        self.assertIn(f"docker login --username USER --password-stdin {own}",
                      [one["line"] for one in said["commands"]])

    def test_a_prefix_is_public_by_its_flag_and_nobody_is_asked(self):
        made = self.api.post("/v1/spaces", {"integration": "hub", "name": "shop", "public": True})
        self.addCleanup(self.ask, "DELETE", f"/v1/spaces/{made['id']}", If_Match="*")
        self.assertTrue(made["public"])
        path = f"/v1/spaces/{self.space('hub')}"
        before = self.ask("GET", path)
        self.assertFalse(before.body["public"])
        tag = before.headers["ETag"]
        plan = self.ask("PATCH", path + "?dry_run=true", {"public": True}, If_Match=tag)
        self.assertEqual((200, [path]), (plan.status, plan.body["update"]))
        self.assertEqual(tag, self.ask("GET", path).headers["ETag"])
        changed = self.ask("PATCH", path, {"public": True}, If_Match=tag)
        self.assertEqual((200, True), (changed.status, changed.body["public"]))
        now = self.ask("GET", path)
        self.assertEqual(changed.headers["ETag"], now.headers["ETag"])
        self.refused(412, "precondition-failed", "PATCH", path, {"public": False}, If_Match=tag)
        self.done(self.api.post("/v1/integrations/hub/refresh", None))
        self.assertTrue(self.api.get(path)["public"])
        self.daemon.ctl_ok("space", "edit", "hub/default", "--private")
        self.assertFalse(self.api.get(path)["public"])

    def test_a_change_has_the_etag_of_now_and_members_that_are_known(self):
        path = f"/v1/spaces/{self.space('frog', 'docker-local')}"
        self.refused(412, "precondition-failed", "PATCH", path, {"public": True},
                     If_Match='"of another"')
        for body in ({}, {"name": "other"}, {"quota_bytes": 0}, {"public": "yes"}):
            self.refused(422, "validation-failed", "PATCH", path, body, If_Match="*")

    def test_where_spaces_can_not_be_made_the_answer_says_so(self):
        path = f"/v1/spaces/{self.space('frog', 'docker-local')}"
        for slot, method, where, body, headers in (
                ("space_create", "POST", "/v1/spaces", {"integration": "frog", "name": "x"}, {}),
                ("space_update", "PATCH", path, {"public": True}, {"If_Match": "*"}),
                ("space_delete", "DELETE", path + "?confirm=docker-local", None,
                 {"If_Match": "*"})):
            problem = self.refused(422, "unsupported", method, where, body, **headers)
            self.assertIn(slot, problem["detail"])

    def test_a_space_of_the_server_goes_only_when_it_is_named_again(self):
        path = f"/v1/spaces/{self.space('frog', 'docker-local')}"
        problem = self.refused(422, "confirmation-missing", "DELETE", path, If_Match="*")
        self.assertIn("confirm=docker-local", problem["hint"])

    def test_a_backend_without_logins_says_so_in_words(self):
        for integration in ("hub", "frog"):
            space = "default" if integration == "hub" else "docker-local"
            done = self.daemon.ctl("login", "create", f"{integration}/{space}")
            self.assertNotEqual(0, done.returncode)
            self.assertIn("does not support login_create", done.stderr)
        self.assertEqual([], self.api.get("/v1/logins")["items"])

    def test_a_login_that_could_push_to_a_proxy_is_refused(self):
        path = f"/v1/spaces/{self.space('frog', 'hub-remote')}/logins"
        problem = self.refused(422, "validation-failed", "POST", path, {"rights": ["push"]})
        self.assertEqual(["/rights"], self.pointers(problem))
        self.assertIn("proxy", problem["errors"][0]["detail"])

    def test_modes_and_push_are_shown(self):
        spaces = {s["name"]: s for s in self.api.get("/v1/integrations/frog/spaces")["items"]}
        self.assertEqual(("local", True), (spaces["docker-local"]["mode"],
                                           spaces["docker-local"]["push"]))
        self.assertEqual(("proxy", False), (spaces["hub-remote"]["mode"],
                                            spaces["hub-remote"]["push"]))
        self.assertEqual("virtual", spaces["docker"]["mode"])
        shown = self.daemon.ctl_ok("space", "show", "frog/hub-remote")
        self.assertRegex(shown, r"Mode: +proxy")
        self.assertRegex(shown, r"Push: +no")

    def test_berthctl_refuses_an_edit_without_a_change(self):
        done = self.daemon.ctl("space", "edit", "frog/docker-local")
        self.assertEqual(2, done.returncode)
        self.assertIn("nothing to change", done.stderr)


if __name__ == "__main__":
    unittest.main()
