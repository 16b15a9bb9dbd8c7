# SPDX-License-Identifier: Apache-2.0
"""Workspaces, their members and bindings: A1 A2 S2 I9."""

import http.client
import json
import os
import socket
import subprocess
import threading
import unittest

from berthtest import proc
from berthtest.apicase import ApiCase

ROOT_NAME = "root"


class Admin:
    """A connection of one's own."""

    def __init__(self, path):
        self.connection = http.client.HTTPConnection("localhost", timeout=180)
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.connect(path)

    def ask(self, method, path, body, headers):
        """(status, body)"""
        kind = "merge-patch+json" if method == "PATCH" else "json"
        self.connection.request(method, path, json.dumps(body), {
            **headers, "Content-Type": f"application/{kind}"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


class Workspaces(ApiCase):
    """The noun itself."""

    integrate = False

    def setUp(self):
        for item in self.api.get("/v1/workspaces")["items"]:
            self.ask("DELETE", f"/v1/workspaces/{item['name']}", If_Match="*")

    def make(self, name="shop", **members):
        return self.api.post("/v1/workspaces", {"name": name, **members})

    def test_a_workspace_is_made_shown_changed_and_deleted(self):
        made = self.make(description="the shop", members=[
            {"uid": 70007, "user": "MÜLLER@corp\\x y"}, {"gid": 70010, "role": "workspace-admin"}])
        self.assertEqual([{"gid": 70010, "role": "workspace-admin"},
                          {"uid": 70007, "user": "MÜLLER@corp\\x y", "role": "workspace-member"}],
                         made["members"])
        self.assertEqual(made, self.api.get("/v1/workspaces/shop"))
        self.assertEqual(0, made["status"]["spaces"])
        answer = self.ask("PATCH", "/v1/workspaces/shop", {"members": [{"uid": 70005}]},
                          If_Match=self.etag("/v1/workspaces/shop"))
        self.assertEqual(200, answer.status, answer.body)
        self.assertEqual([{"uid": 70005, "role": "workspace-member"}], answer.body["members"])
        self.assertEqual("the shop", answer.body["description"])
        self.assertEqual(["shop"], self.names("/v1/workspaces?q=shop"))
        self.refused(428, "precondition-required", "DELETE", "/v1/workspaces/shop")
        self.assertEqual(204, self.ask("DELETE", "/v1/workspaces/shop", If_Match="*").status)
        self.refused(404, "not-found", "GET", "/v1/workspaces/shop")

    def test_a_name_alone_is_looked_up_in_the_local_files(self):
        made = self.make(members=[{"user": ROOT_NAME}, {"group": ROOT_NAME}])
        self.assertEqual([0, 0], [made["members"][0]["gid"], made["members"][1]["uid"]])

    def test_each_wrong_member_is_named(self):
        problem = self.refused(422, "validation-failed", "POST", "/v1/workspaces", {
            "name": "shop", "members": [
                {"user": "no-such-user-here"}, {"user": "root", "uid": 77},
                {"uid": 1, "gid": 1}, {}, {"uid": 9}, {"uid": 9}, {"user": "a\nb", "uid": 3}]})
        self.assertEqual(["unknown-account", "other-account", "one-account", "one-account",
                          "twice", "bad-name"], [one["code"] for one in problem["errors"]])
        self.assertEqual("/members/5", self.pointers(problem)[4])
        self.refused(404, "not-found", "GET", "/v1/workspaces/shop")

    def test_a_name_is_taken_once_and_a_stale_change_is_refused(self):
        self.make()
        self.refused(409, "exists", "POST", "/v1/workspaces", {"name": "shop"})
        old = self.etag("/v1/workspaces/shop")
        self.assertEqual(200, self.ask("PATCH", "/v1/workspaces/shop", {"description": "a"},
                                       If_Match=old).status)
        self.refused(412, "precondition-failed", "PATCH", "/v1/workspaces/shop",
                     {"description": "b"}, If_Match=old)

    def test_a_dry_run_writes_nothing(self):
        plan = self.ask("POST", "/v1/workspaces?dry_run=true", {"name": "later"}).body
        self.assertEqual(["/v1/workspaces/later"], plan["create"])
        self.assertEqual([], self.names("/v1/workspaces"))

    def test_another_daemon_life_knows_the_same(self):
        made = self.make(members=[{"uid": 70001}])
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(made, self.api.get("/v1/workspaces/shop"))


class Bindings(ApiCase):
    """Which workspaces may use a space."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("red", "green", "blue"):
            cls.api.post("/v1/workspaces", {"name": name})

    def setUp(self):
        self.path = f"/v1/spaces/{self.space('hub')}"
        self.bind(unbind=["red", "green", "blue"])

    def bind(self, query="", **body):
        answer = self.ask("POST", f"{self.path}/bindings{query}", body)
        self.assertEqual(200, answer.status, answer.body)
        return answer.body

    def test_many_are_bound_at_once_and_what_is_bound_stays(self):
        done = self.bind(bind=["red", "green"])
        self.assertEqual((["red", "green"], [], ["green", "red"]),
                         (done["bound"], done["unbound"], done["workspaces"]))
        done = self.bind(bind=["green", "blue"], unbind=["red"])
        self.assertEqual((["blue"], ["red"], ["blue", "green"]),
                         (done["bound"], done["unbound"], done["workspaces"]))
        listed = self.api.get(f"{self.path}/bindings")
        self.assertEqual((["blue", "green"], 2),
                         ([one["workspace"] for one in listed["items"]], listed["total"]))
        self.assertEqual(["blue", "green"], self.api.get(self.path)["workspaces"])
        self.assertEqual(1, self.api.get("/v1/workspaces/blue")["status"]["spaces"])

    def test_one_unknown_name_leaves_all_as_it_was(self):
        problem = self.refused(422, "validation-failed", "POST", f"{self.path}/bindings",
                               {"bind": ["red", "nobody"]})
        self.assertEqual(["/bind/1"], self.pointers(problem))
        self.assertEqual([], self.api.get(self.path)["workspaces"])

    def at_once(self, *calls):
        """Several people's requests, sent as nearly together as threads do; the answers."""
        start, answers = threading.Barrier(len(calls)), [None] * len(calls)

        def send(number, method, path, body, headers):
            with Admin(self.daemon.socket) as admin:
                start.wait(60)
                answers[number] = admin.ask(method, path, body, headers)

        threads = [threading.Thread(target=send, args=(number, *call))
                   for number, call in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(180)
        return answers

    def test_two_who_bind_at_once_lose_nothing_and_each_learns_what_changed(self):
        path = f"{self.path}/bindings"
        for _ in range(10):
            one, two = self.at_once(("POST", path, {"bind": ["red", "green"]}, {}),
                                    ("POST", path, {"bind": ["green", "blue"]}, {}))
            self.assertEqual((200, 200), (one[0], two[0]), (one, two))
            self.assertEqual(["blue", "green", "red"], sorted(one[1]["bound"] + two[1]["bound"]))
            self.assertEqual(["blue", "green", "red"], self.api.get(self.path)["workspaces"])
            one, two = self.at_once(("POST", path, {"bind": ["red"], "unbind": ["blue"]}, {}),
                                    ("POST", path, {"unbind": ["red", "green"]}, {}))
            self.assertEqual((200, 200), (one[0], two[0]), (one, two))
            left = self.api.get(self.path)["workspaces"]
            self.assertIn(left, ([], ["red"]))
            self.assertIn(left, (one[1]["workspaces"], two[1]["workspaces"]))
            self.bind(unbind=left)

    def test_of_two_changes_with_one_etag_one_is_made(self):
        for number in range(10):
            match = {"If-Match": self.etag("/v1/workspaces/red")}
            calls = [("PATCH", "/v1/workspaces/red", {"description": f"{who} {number}"}, match)
                     for who in ("a", "b")]
            answers = self.at_once(*calls)
            self.assertEqual([200, 412], sorted(answer[0] for answer in answers), answers)
            made = next(answer[1] for answer in answers if answer[0] == 200)
            self.assertEqual(made["description"],
                             self.api.get("/v1/workspaces/red")["description"])

    def test_a_name_in_both_lists_is_refused(self):
        problem = self.refused(422, "validation-failed", "POST", f"{self.path}/bindings",
                               {"bind": ["red"], "unbind": ["red"]})
        self.assertEqual(["in-both"], [one["code"] for one in problem["errors"]])

    def test_the_plan_says_what_would_change_and_writes_nothing(self):
        self.bind(bind=["red"])
        plan = self.bind("?dry_run=true", bind=["red", "blue"])
        self.assertEqual(1, len(plan["create"]))
        self.assertIn("(blue)", plan["create"][0])
        self.assertEqual(["red"], self.api.get(self.path)["workspaces"])

    def test_what_a_workspace_may_use_is_what_is_bound(self):
        self.bind(bind=["red"])
        self.assertEqual(["hub"], [one["integration"] for one in
                                   self.api.get("/v1/spaces?workspace=red")["items"]])
        for workspace, known in (("red", ["hub"]), ("blue", [])):
            page = self.api.get(f"/v1/spaces?workspace={workspace}")
            self.assertEqual(known, [one["integration"] for one in page["indexes"]])
        self.assertEqual(0, page["total"])
        self.refused(404, "not-found", "GET", "/v1/spaces?workspace=nobody")

    def test_nothing_goes_while_it_is_bound_and_the_list_says_what(self):
        self.bind(bind=["red"])
        for path in ("/v1/workspaces/red", "/v1/integrations/hub"):
            problem = self.refused(409, "in-use", "DELETE", path, If_Match="*")
            self.assertEqual(["space hub/default is bound to workspace red"],
                             [one["detail"] for one in problem["errors"]])
        made = self.api.post("/v1/spaces", {"integration": "hub", "name": "tools"})
        path = f"/v1/spaces/{made['id']}"
        self.api.post(f"{path}/bindings", {"bind": ["blue"]})
        self.refused(409, "in-use", "DELETE", path, If_Match="*")
        self.api.post(f"{path}/bindings", {"unbind": ["blue"]})
        self.assertEqual(204, self.ask("DELETE", path, If_Match="*").status)


class Commands(ApiCase):
    """The same by berthctl."""

    def ctl(self, *args, code=0):
        env = dict(os.environ, BERTH_SOCKET=self.daemon.socket, LC_ALL="C.UTF-8")
        done = subprocess.run([os.path.join(proc.build_dir(), "berthctl"), *args], env=env,
                              capture_output=True, text=True, timeout=180, check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def members(self):
        return [(one.get("user", one.get("group", "")), one["role"])
                for one in self.api.get("/v1/workspaces/shop")["members"]]

    def test_a_workspace_lives_by_the_client(self):
        self.ctl("workspace", "create", "shop", "--admin", "root", "--member", "70009",
                 "--description", "the shop")
        self.assertIn(("root", "workspace-admin"), self.members())
        shown = self.ctl("workspace", "show", "shop")
        self.assertIn("root (workspace-admin)", shown)
        self.assertIn("user 70009 (workspace-member)", shown)
        self.ctl("workspace", "edit", "shop", "--member", "root", "--remove", "70009")
        self.assertEqual([("root", "workspace-member")], self.members())
        self.assertIn("no member", self.ctl("workspace", "edit", "shop", "--remove", "1", code=2))
        self.assertIn("shop", self.ctl("workspace", "list"))
        self.assertIn("the shop", self.ctl("workspace", "show", "shop"))
        self.assertIn("would create", self.ctl("space", "bind", "hub/default", "-W", "shop",
                                               "--dry-run"))
        self.ctl("space", "bind", "hub/default", "--workspace", "shop")
        self.assertIn("hub", self.ctl("space", "list", "--workspace", "shop"))
        self.assertIn("hub/default", self.ctl("workspace", "delete", "shop", "--yes", code=5))
        self.ctl("space", "unbind", "hub/default", "--workspace", "shop")
        # As many in one call as the API takes.
        many = [f"shop-{number}" for number in range(200)]
        for name in many:
            self.api.post("/v1/workspaces", {"name": name})
        flags = [word for name in many for word in ("--workspace", name)]
        self.ctl("space", "bind", "hub/default", *flags)
        self.assertEqual(sorted(many), self.api.get(
            f"/v1/spaces/{self.space('hub')}")["workspaces"])
        self.ctl("space", "unbind", "hub/default", *flags)
        self.assertEqual([], self.api.get(f"/v1/spaces/{self.space('hub')}")["workspaces"])
        self.ctl("workspace", "delete", "shop", "--yes")


if __name__ == "__main__":
    unittest.main()
