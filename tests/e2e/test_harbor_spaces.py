# SPDX-License-Identifier: Apache-2.0
"""Spaces of a Harbor, made and changed there through berthctl (S1 S6 S7 M3)."""

import json
import os
import unittest

from berthtest.apicase import Person, quote
from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer

MIB = 1 << 20
TEXT = "# Webshop\n\n<b>&amp; \"quoted\" 'too'</b>, grün, 船, \U0001f6a2\n"


def image(seed="spaces"):
    return Image([random_layer(seed, 1000)])


class Spaces(HarborCase):
    config = 'networks: { workspace: { allow = ["127.0.0.1/32"]; }; };\n'

    def show(self, name):
        return json.loads(self.daemon.ctl_ok("space", "show", f"harbor/{name}", "-o", "json"))

    def project(self, name):
        return self.harbor_api().call("GET", f"/projects/{name}", expect=(200, 403, 404))

    def test_a_space_is_made_with_visibility_and_quota(self):
        name = self.name()
        self.daemon.ctl_ok("space", "create", f"harbor/{name}", "--public", "--quota", "50M")
        shown = self.show(name)
        self.assertEqual((True, "local", True, False, 50 * MIB, 0),
                         (shown["public"], shown["mode"], shown["push"], shown["declared"],
                          shown["quota_bytes"], shown["status"]["repositories"]))
        self.assertEqual("true", self.project(name)["metadata"]["public"])
        done = self.daemon.ctl("space", "create", f"harbor/{name}")
        self.assertEqual(5, done.returncode, done.stderr)

    def test_a_name_may_be_digits_only(self):
        name = str(10 ** 9 + int(self.name().encode().hex()[-12:], 16) % 10 ** 9)
        self.addClassCleanup(self._drop, name)
        self.daemon.ctl_ok("space", "create", f"harbor/{name}")
        self.daemon.ctl_ok("space", "edit", f"harbor/{name}", "--public", "--quota", "1GiB")
        self.assertEqual((True, 1024 * MIB),
                         (self.show(name)["public"], self.show(name)["quota_bytes"]))
        self.daemon.ctl_ok("space", "delete", f"harbor/{name}", "--yes")
        self.assertNotIn(name, self.names("/v1/integrations/harbor/spaces"))

    def test_visibility_and_quota_are_changed_alone(self):
        name = self.name()
        self.daemon.ctl_ok("space", "create", f"harbor/{name}", "--public", "--quota", "50M")
        self.daemon.ctl_ok("space", "edit", f"harbor/{name}", "--private")
        self.assertEqual((False, 50 * MIB),
                         (self.show(name)["public"], self.show(name)["quota_bytes"]))
        self.daemon.ctl_ok("space", "edit", f"harbor/{name}", "--no-quota")
        self.assertNotIn("quota_bytes", self.show(name))
        self.assertFalse(self.show(name)["public"])

    def test_where_the_quota_is_used_up_no_line_pushes(self):
        name = self.name("full", public=False)
        self.push(name, "app", Image([random_layer("full", 4000)]), "1.0")
        self.refresh()
        path = f"/v1/spaces/{self.show(name)['id']}/commands?reference={name}%2Fapp:1.0"
        self.assertTrue(self.api.get(path)["push"])
        self.daemon.ctl_ok("space", "edit", f"harbor/{name}", "--quota", "1000")
        self.refresh()
        body = self.api.get(path)
        self.assertEqual((False, "the space's quota is used up"),
                         (body["push"], body["push_refused"]))

    def test_used_bytes_are_known_after_a_refresh(self):
        name = self.name("used", public=False)
        self.push(name, "app", image(), "1")
        self.refresh()
        shown = self.show(name)
        self.assertEqual(1, shown["status"]["repositories"])
        self.assertGreater(shown["used_bytes"], 1000)

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_a_workspaces_admin_makes_and_deletes_them_at_its_own_integration(self):
        self.open_to_others()
        for name, uid in (("tenant", 73011), ("stranger", 73013)):
            self.api.post("/v1/workspaces", {"name": name, "members": [
                {"uid": uid, "role": "workspace-admin"}]})
        self.daemon.add("tenant~harbor", self.url, self.username, self.password, kind="harbor")
        self.settle()
        admin, stranger = (self.enter(Person(self.daemon.socket, uid)) for uid in (73011, 73013))
        wanted = {"integration": "tenant~harbor", "name": self.name(), "quota_bytes": 50 * MIB}
        self.assertEqual(404, stranger.ask("POST", "/v1/spaces", wanted).status)
        made = admin.ask("POST", "/v1/spaces", wanted, Prefer="wait=60")
        self.assertEqual("succeeded", made.body.get("state"), made.body)
        path = made.body["result"]["space"]
        self.assertEqual(50 * MIB, admin.get(path)["quota_bytes"])
        operation = f"/v1/operations/{made.body['id']}"
        self.assertEqual([200, 404], [one.ask("GET", operation).status
                                      for one in (admin, stranger)])
        changed = admin.ask("PATCH", path, {"public": True}, If_Match="*", Prefer="wait=60")
        self.assertEqual("succeeded", changed.body.get("state"), changed.body)
        # Public at its server or not, it is for that workspace alone.
        self.assertEqual(404, stranger.ask("GET", path).status)
        self.assertEqual(404, stranger.ask("DELETE", path, If_Match="*").status)
        gone = admin.ask("DELETE", f"{path}?confirm={wanted['name']}", If_Match="*",
                         Prefer="wait=60")
        self.assertEqual("succeeded", gone.body.get("state"), gone.body)
        self.assertEqual(404, admin.ask("GET", path).status)

    def test_what_is_not_empty_stays_and_the_reason_is_said(self):
        name = self.name("full", public=False)
        self.push(name, "app", image(), "1")
        self.refresh()
        done = self.daemon.ctl("space", "delete", f"harbor/{name}", "--yes")
        self.assertEqual(5, done.returncode, done.stderr)
        self.assertIn("contains repositories", done.stderr)
        self.assertIn(name, self.names("/v1/integrations/harbor/spaces"))

    def test_what_is_gone_at_the_server_is_forgotten(self):
        name = self.name("gone", public=False)
        self.refresh()
        space = self.space("harbor", name)
        self.harbor_api().call("DELETE", f"/projects/{name}")
        answer = self.ask("DELETE", f"/v1/spaces/{space}?confirm={name}", If_Match="*")
        self.assertEqual(202, answer.status, answer.body)
        self.api.wait(answer.body)
        self.refused(404, "not-found", "GET", f"/v1/spaces/{space}")

    def test_what_harbor_refuses_is_the_error(self):
        done = self.daemon.ctl("space", "create", "harbor/a--b/c")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("illegal", done.stderr)

    def test_dry_runs_change_nothing(self):
        name = self.name("dry", public=False)
        self.refresh()
        space = self.space("harbor", name)
        before = self.project(name)
        self.daemon.ctl_ok("space", "create", f"harbor/{self.name()}", "--dry-run")
        plan = self.ask("PATCH", f"/v1/spaces/{space}?dry_run=true", {"public": True})
        self.assertEqual((200, [f"/v1/spaces/{space}"]), (plan.status, plan.body["update"]))
        self.daemon.ctl_ok("space", "delete", f"harbor/{name}", "--dry-run")
        self.assertEqual(before, self.project(name))

    def test_an_etag_of_before_the_change_is_stale(self):
        name = self.name("etag", public=False)
        self.refresh()
        path = f"/v1/spaces/{self.space('harbor', name)}"
        etag = self.etag(path)
        self.daemon.ctl_ok("space", "edit", f"harbor/{name}", "--public")
        self.refused(412, "precondition-failed", "PATCH", path, {"public": False}, If_Match=etag)

    def test_a_description_survives_a_refresh_and_a_second_write(self):
        name = self.name("text", public=False)
        self.push(name, "deep/app", image(), "1")
        self.refresh()
        for text in (TEXT, TEXT + "more\n", ""):
            self.daemon.ctl_ok("image", "describe", f"harbor/{name}/deep/app", "--set-file", "-",
                               stdin=text)
            self.refresh()
            path = (f"/v1/spaces/{self.space('harbor', name)}/images/"
                    f"{quote(name + '/deep/app')}/description")
            self.assertEqual(text, self.api.get(path)["description"])


class Older(HarborCase):
    """The same at a Harbor 2.5, which does not escape HTML."""

    version = "2.5"

    def test_a_description_is_what_was_written(self):
        name = self.name("text", public=False)
        self.push(name, "app", image(), "1")
        self.refresh()
        text = "a &amp; b <i>&lt;</i>\n"
        self.daemon.ctl_ok("image", "describe", f"harbor/{name}/app", "--set-file", "-",
                           stdin=text)
        self.refresh()
        self.assertEqual(text, self.daemon.ctl_ok("image", "describe", f"harbor/{name}/app"))

    def test_a_space_is_made_changed_and_deleted(self):
        name = self.name()
        self.daemon.ctl_ok("space", "create", f"harbor/{name}", "--quota", "10M")
        self.daemon.ctl_ok("space", "edit", f"harbor/{name}", "--public", "--no-quota")
        self.daemon.ctl_ok("space", "delete", f"harbor/{name}", "--yes")
        self.assertNotIn(name, self.names("/v1/integrations/harbor/spaces"))


class Faults(HarborCase):
    """What a change says when its answer does not come as it should."""

    standin_only = True

    def test_a_quota_request_over_the_cap_never_leaves(self):
        before = self.counts["requests"]
        self.refused(422, "validation-failed", "POST", "/v1/spaces",
                     {"integration": "harbor", "name": "big", "quota_bytes": 1 << 52})
        self.assertEqual(before, self.counts["requests"])

    def test_a_failed_creation_is_an_error_and_leaves_no_row(self):
        for kind in ("500 html", "200 html", "503 upgrade", "429 far", "403"):
            with self.subTest(kind):
                name = self.name()
                self.faults.add(kind, path="/projects", method="POST", times=1)
                done = self.daemon.ctl("space", "create", f"harbor/{name}")
                self.assertNotEqual(0, done.returncode, done.stderr)
                self.assertIn("error: ", done.stderr)
                self.assertNotIn(name, self.names("/v1/integrations/harbor/spaces"))
                self.faults.clear()

    def test_read_only_mode_is_named(self):
        self.world.settings["read_only"] = True
        self.addCleanup(self.world.settings.__setitem__, "read_only", False)
        done = self.daemon.ctl("space", "create", f"harbor/{self.name()}")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("read", done.stderr.lower())


if __name__ == "__main__":
    unittest.main()
