# SPDX-License-Identifier: Apache-2.0
"""Integrations that belong to a workspace: I2. Its admins make, change, probe, refresh and
delete them; its members use them; nobody else but the platform learns of them."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import unittest

from berthtest import sets
from berthtest.apicase import QUIET, ApiCase, Person, quote
from berthtest.images import Client, Image, random_layer
from berthtest.registry import Registry

CONFIG = QUIET + 'networks: { workspace: { allow = ["127.0.0.1/32"]; }; };\n'
ADMIN, MEMBER, OTHER_ADMIN, OUTSIDER = 72001, 72002, 72003, 72004


@unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
class OwnCase(ApiCase):
    """Two workspaces, each with an admin; red has a member, too."""

    config = CONFIG

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("needs root to be somebody else")
        super().setUpClass()
        cls.own = cls.enter(Registry(os.path.join(cls.dir, "own"), users={"red": "canary-own-7"}))
        with Client(cls.own.url, "red", "canary-own-7") as client:
            sets.push_set(client, sets.demo())
        cls.api.post("/v1/workspaces", {"name": "red", "members": [
            {"uid": ADMIN, "role": "workspace-admin"}, {"uid": MEMBER}]})
        cls.api.post("/v1/workspaces", {"name": "blue", "members": [
            {"uid": OTHER_ADMIN, "role": "workspace-admin"}]})

    def setUp(self):
        self.open_to_others()
        self.admin, self.member, self.other, self.outsider = (
            self.person(uid) for uid in (ADMIN, MEMBER, OTHER_ADMIN, OUTSIDER))

    def person(self, uid):
        one = Person(self.daemon.socket, uid)
        self.addCleanup(one.__exit__)
        return one

    def body(self, name, **more):
        return {"name": name, "kind": "dockerreg", "address": self.own.url, "username": "red",
                "password": "canary-own-7", **more}

    def ended(self, person, method, path, body=None, **headers):
        """The operation that a call begins, as its caller sees it when it has ended."""
        answer = person.ask(method, path, body, Prefer="wait=60", **headers)
        self.assertIn(answer.status, (200, 202), answer.body)
        operation = answer.body
        while operation["state"] in ("pending", "running", "cancelling"):
            operation = person.get(f"/v1/operations/{operation['id']}/wait?timeout_s=60")
        return operation

    def make(self, person, name, **more):
        made = self.ended(person, "POST", "/v1/integrations", self.body(name, **more))
        self.assertEqual("succeeded", made["state"], made)
        self.settle()

    def drop(self, name):
        self.settle()
        answer = self.ask("DELETE", f"/v1/integrations/{name}", If_Match="*")
        self.assertEqual(204, answer.status, answer.body)


class Audit(OwnCase):
    """The audit rows of a workspace, for its admins: A3."""

    def rows(self, person, query=""):
        """Every row that somebody sees, through all pages; none says where in the chain."""
        page = person.get(f"/v1/audit?limit=3{query}")
        found, total = page["items"], page["total"]
        while page.get("next"):
            page = person.get(page["next"])
            found += page["items"]
        self.assertEqual(total, len(found))
        self.assertEqual([], [one for one in found if "number" in one or "hash" in one])
        return found

    def actions(self, person, request):
        return sorted((one["action"], one["result"], one["resource"])
                      for one in self.rows(person, f"&q={request}"))

    def test_an_admin_sees_the_rows_of_what_is_the_workspaces(self):
        made = self.ended(self.admin, "POST", "/v1/integrations", self.body("red~told"),
                          X_Request_Id="told-1")
        self.assertEqual("succeeded", made["state"], made)
        self.settle()
        space = self.space("red~told")
        self.ask("PATCH", "/v1/workspaces/red", {"description": "told"}, If_Match="*",
                 X_Request_Id="told-2")
        self.ask("PUT", f"/v1/spaces/{space}/retention", {}, X_Request_Id="told-3")
        self.assertEqual(404, self.other.ask("DELETE", "/v1/integrations/red%7Etold",
                                             If_Match="*", X_Request_Id="told-4").status)
        self.ask("POST", "/v1/integrations/hub/probe", None, Prefer="wait=60",
                 X_Request_Id="told-5")
        self.ask("POST", f"/v1/spaces/{space}/bindings", {"bind": ["blue"]},
                 X_Request_Id="told-6")
        self.drop("red~told")
        self.assertLessEqual({("integrations_create", "accepted", "/v1/integrations"),
                              ("operation.integration-create", "succeeded",
                               "/v1/integrations/red~told")},
                             set(self.actions(self.admin, "told-1")))
        changed, = self.rows(self.admin, "&q=told-2")
        self.assertEqual((0, "told"), (changed["uid"], changed["detail"]["after"]["description"]))
        self.assertEqual(["retention_put"], [one[0] for one in self.actions(self.admin, "told-3")])
        self.assertEqual([72003], [one["uid"] for one in self.rows(self.admin, "&q=told-4")])
        for request in ("told-5", "told-6"):
            self.assertNotEqual([], self.api.get(f"/v1/audit?q={request}")["items"])
            self.assertEqual([], self.actions(self.admin, request))
        self.assertNotIn("blue", str(self.rows(self.admin)))
        self.assertEqual([], self.rows(self.other, "&q=told"))
        self.assertTrue(self.api.get("/v1/audit/verify")["ok"])
        exported = self.daemon.ctl_ok("audit", "export", "-")
        red = self.api.get("/v1/workspaces/red")["id"]
        self.assertIn(f'"workspace":"{red}"', exported)

    def test_rules_and_copies_are_the_workspaces_where_their_ends_are(self):
        for name in ("red~one", "red~two", "blue~one"):
            self.daemon.add(name, self.own, "red", "canary-own-7")
            self.addCleanup(self.drop, name)
        self.settle()
        rule = {"source": "red~one/shop", "target": "red~two/kept", "enabled": False}
        path, other = "/v1/syncs/inner", "/v1/syncs/outer"
        self.api.post("/v1/syncs", {"name": "outer", **rule, "source": "blue~one/shop"})
        self.ask("PATCH", other, {"description": "rule-0"}, If_Match="*", X_Request_Id="rule-0")
        for number, (method, target, body) in enumerate((
                ("POST", "/v1/syncs", {"name": "inner", **rule}),
                ("PATCH", path, {"tags": ["1.*"]}),
                ("POST", f"{path}/runs", None),
                ("PATCH", path, {"target": "blue~one/kept"}),  # no more from here on
                ("PATCH", path, {"target": "red~two/kept"}),   # it was another's before
                ("DELETE", path, None)), 1):
            answer = self.ask(method, target, body, If_Match="*", X_Request_Id=f"rule-{number}")
            self.assertIn(answer.status, (200, 201, 204, 409), answer.body)
        own = [one for one in self.rows(self.admin, "&q=rule-")
               if one["action"] != "workspace.sync"]
        self.assertEqual(["rule-1", "rule-2", "rule-3", "rule-6"],
                         sorted(one["request"] for one in own))
        for person in (self.admin, self.other):
            self.assertNotIn("outer", str(self.rows(person)))
        # Where an end is another's, each has a row that names its own end alone.
        told = {person: sorted((one["request"], one["detail"]["as"], one["detail"]["place"])
                               for one in self.rows(person, "&q=rule-")
                               if one["action"] == "workspace.sync")
                for person in (self.admin, self.other)}
        self.assertEqual([("rule-0", "target", "red~two/kept"),
                          *((f"rule-{number}", *end) for number in (4, 5) for end in (
                              ("source", "red~one/shop"), ("target", "red~two/kept")))],
                         told[self.admin])
        self.assertEqual([("rule-0", "source", "blue~one/shop"),
                          ("rule-4", "target", "blue~one/kept"),
                          ("rule-5", "target", "blue~one/kept")], told[self.other])
        self.assertNotIn("red", str(self.rows(self.other, "&q=rule-")))
        for number, source in ((1, "red~one"), (2, "blue~one"), (3, "hub"), (4, "nil")):
            self.ask("POST", "/v1/copies?dry_run=true", {
                "source": f"{source}/shop/web:1.0.0", "target": "red~two/copied/web:1"},
                X_Request_Id=f"copied-{number}")
        self.assertEqual(["copied-1"],
                         [one["request"] for one in self.rows(self.admin, "&q=copied-")])
        self.ask("DELETE", other, If_Match="*")
        self.api.wait(self.api.call("POST", "/v1/copies", {
            "source": "hub/none:1", "target": "red~two/copied/none:1"}, X_Request_Id="taken-1"))
        told, = self.rows(self.admin, "&q=taken-")
        self.assertEqual(("workspace.copy", "copies_create", "target", "red~two/copied/none:1"),
                         (told["action"], told["detail"]["what"], told["detail"]["as"],
                          told["detail"]["place"]))

    def test_a_space_that_was_deleted_is_told(self):
        self.make(self.admin, "red~gone")
        self.addCleanup(self.drop, "red~gone")
        for number in (1, 2):
            made = self.ask("POST", "/v1/spaces", {"integration": "red~gone", "name": "shop"},
                            X_Request_Id=f"gone-{number}")
            self.ask("DELETE", f"/v1/spaces/{made.body['id']}", If_Match="*",
                     X_Request_Id=f"gone-{number}")
        self.assertEqual([("spaces_create", "succeeded"), ("spaces_delete", "succeeded")] * 2,
                         [(one["action"], one["result"]) for one in
                          self.rows(self.admin, "&q=gone-&sort=at")])

    def test_who_has_no_such_point_sees_none_and_the_chain_is_the_platforms(self):
        for person in (self.member, self.outsider):
            self.assertEqual(403, person.ask("GET", "/v1/audit").status)
        for path in ("/v1/audit/verify", "/v1/audit/export"):
            self.assertEqual(404, self.admin.ask("GET", path).status)
        for query in ("sort=number", "sort=hash", "filter=" + quote("number gt 1")):
            self.assertEqual(400, self.admin.ask("GET", f"/v1/audit?{query}").status, query)
        self.assertEqual([], self.rows(self.admin, "&sort=at,user&resource=/v1/workspaces/blue"))
        self.assertTrue(self.rows(self.other, "&sort=at,user&resource=*"
                                  "&filter=" + quote("uid eq 0")))

    def test_berthctl_names_rows_by_their_requests(self):
        self.ask("PATCH", "/v1/workspaces/red", {"description": "named"}, If_Match="*",
                 X_Request_Id="named-1")
        # A copy: the tree may be closed to others.
        ctl = shutil.copy(self.daemon.program("berthctl"), os.path.dirname(self.daemon.socket))
        args = [ctl, "audit", "list", "-q", "named-1", "-o", "name"]
        self.assertTrue(self.daemon.ctl_ok(*args[1:]).strip().isdigit())
        done = subprocess.run(args, user=ADMIN, group=ADMIN, extra_groups=[], check=True,
                              capture_output=True, text=True, timeout=60,
                              env={"BERTH_SOCKET": self.daemon.socket, "HOME": "/"})
        self.assertEqual("named-1\n", done.stdout)

    def test_each_workspace_has_a_row_of_its_own_of_what_is_bound_to_it(self):
        path = f"/v1/spaces/{self.space('hub')}/bindings"
        self.ask("POST", f"{path}?dry_run=true", {"bind": ["red", "blue"]},
                 X_Request_Id="bound-1")
        for number, change in ((2, "bind"), (3, "unbind")):
            done = self.ask("POST", path, {change: ["red", "blue"]},
                            X_Request_Id=f"bound-{number}")
            self.assertEqual(200, done.status, done.body)
        for person, name, foreign in ((self.admin, "red", "blue"), (self.other, "blue", "red")):
            rows = self.rows(person, "&q=bound-&sort=action")
            self.assertEqual([("workspace.bind", "bound-2"), ("workspace.unbind", "bound-3")],
                             [(one["action"], one["request"]) for one in rows])
            for one in rows:
                self.assertEqual((f"/v1/workspaces/{name}", "succeeded",
                                  {"integration": "hub", "space": "default"}),
                                 (one["resource"], one["result"], one["detail"]))
                self.assertNotIn(foreign, str(one))

    def test_a_later_workspace_of_that_name_has_none_of_the_rows_before(self):
        for who, word in ((ADMIN, "first"), (OTHER_ADMIN, "second")):
            self.api.post("/v1/workspaces", {"name": "again", "description": word, "members": [
                {"uid": who, "role": "workspace-admin"}]})
            if word == "first":
                self.assertEqual(1, len(self.rows(self.admin, "&resource=/v1/workspaces&q=first")))
                self.ask("DELETE", "/v1/workspaces/again", If_Match="*")
        self.assertEqual([], self.rows(self.admin, "&q=again"))
        rows = self.rows(self.other, "&q=again")
        self.assertEqual(["second"], [one["detail"]["asked"]["description"] for one in rows])


class Life(OwnCase):
    def test_an_admin_deletes_images_of_it_and_of_nothing_else(self):
        self.make(self.admin, "red~images")
        self.addCleanup(self.drop, "red~images")
        with Client(self.own.url, "red", "canary-own-7") as client:
            for tag in ("1", "2"):
                client.push("doomed/app", Image([random_layer("doomed" + tag, 1000)]), tag)
        ended = self.ended(self.admin, "POST", "/v1/integrations/red~images/refresh")
        self.assertEqual("succeeded", ended["state"], ended)
        space = f"/v1/spaces/{self.space('red~images')}"
        one, whole = (f"{space}/artifacts/" + quote("doomed/app:1"),
                      f"{space}/images/" + quote("doomed/app"))
        for path, name in ((one, "doomed/app:1"), (whole, "doomed/app")):
            sure = f"{path}?confirm={quote(name)}"
            refused = [self.member.ask("DELETE", sure), self.other.ask("DELETE", sure)]
            self.assertEqual([403, 404], [answer.status for answer in refused], refused)
            plan = self.admin.ask("DELETE", sure + "&dry_run=true")
            self.assertEqual((200, [name]), (plan.status, plan.body["delete"]))
            unsure = self.admin.ask("DELETE", path)
            self.assertEqual("confirmation-missing", unsure.body["code"])
            ended = self.ended(self.admin, "DELETE", sure)
            self.assertEqual("succeeded", ended["state"], ended)
            # Those who see the integration see what was done with it.
            self.assertEqual(200, self.member.ask("GET", f"/v1/operations/{ended['id']}").status)
            self.assertEqual(404, self.other.ask("GET", f"/v1/operations/{ended['id']}").status)
        with Client(self.own.url, "red", "canary-own-7") as client:
            self.assertNotIn("1", client.tags("doomed/app") or [])
        # A space of the platform's that the workspace is bound to stays the platform's.
        hub = f"/v1/spaces/{self.space('hub')}"
        self.api.post(f"{hub}/bindings", {"bind": ["red"]})
        self.addCleanup(self.api.post, f"{hub}/bindings", {"unbind": ["red"]})
        self.assertEqual(200, self.admin.ask("GET", hub).status)
        for method, path, body in (
                ("DELETE", "/artifacts/" + quote("shop/web:1.0.0"), None),
                ("DELETE", "/images/" + quote("shop/web"), None), ("GET", "/logins", None),
                ("POST", "/logins", {}),
                ("PUT", "/images/" + quote("shop/web") + "/description", {"description": "x"})):
            answer = self.admin.ask(method, hub + path, body)
            self.assertEqual((403, "forbidden"), (answer.status, answer.body["code"]), path)
            self.assertIn("workspace that the space's integration", answer.body["detail"])

    def test_an_admin_makes_and_deletes_spaces_of_it_and_of_nothing_else(self):
        self.make(self.admin, "red~spaces")
        self.addCleanup(self.drop, "red~spaces")
        wanted = {"integration": "red~spaces", "name": "shop"}
        plan = self.admin.ask("POST", "/v1/spaces?dry_run=true", wanted)
        self.assertEqual((200, 1), (plan.status, len(plan.body["create"])), plan.body)
        refused = [person.ask("POST", "/v1/spaces", wanted)
                   for person in (self.member, self.other, self.outsider)]
        self.assertEqual([403, 404, 403], [one.status for one in refused])
        made = self.admin.ask("POST", "/v1/spaces", wanted)
        self.assertEqual((201, "shop", ["red"]), (
            made.status, made.body.get("name"), made.body.get("workspaces")), made.body)
        path = f"/v1/spaces/{made.body['id']}"
        self.assertEqual(409, self.admin.ask("POST", "/v1/spaces", wanted).status)
        self.assertGreater(self.member.get(f"{path}/images")["total"], 0)
        for method, body in (("PATCH", {"public": True}), ("DELETE", None)):
            answers = [person.ask(method, path, body, If_Match="*")
                       for person in (self.member, self.other)]
            self.assertEqual([403, 404], [one.status for one in answers], method)
        for method, where, body, head in (
                ("POST", "/v1/spaces", {**wanted, "name": "other", "public": True}, {}),
                ("PATCH", path, {"public": True}, {"If_Match": "*"})):
            answer = self.admin.ask(method, where, body, **head)
            self.assertEqual((422, "/public"), (answer.status,
                                                answer.body["errors"][0]["pointer"]), method)
        self.assertEqual(428, self.admin.ask("DELETE", path).status)
        self.assertEqual(204, self.admin.ask("DELETE", path, If_Match="*").status)

    def test_a_space_of_the_platforms_stays_its_own(self):
        self.make(self.admin, "red~beside")
        self.addCleanup(self.drop, "red~beside")
        answers = []
        for name in ("hub", "blue~hub", "nil"):
            answer = self.admin.ask("POST", "/v1/spaces", {"integration": name, "name": "mine"})
            self.assertEqual(404, answer.status, answer.body)
            answers.append(str({**answer.body, "instance": 0}).replace(name, "X"))
        self.assertEqual({answers[0]}, set(answers))
        hub = f"/v1/spaces/{self.space('hub')}"
        for status in (404, 403):  # unbound, and bound: a binding is for seeing and pulling
            for method, body in (("PATCH", {"public": True}), ("DELETE", None)):
                answer = self.admin.ask(method, hub, body, If_Match="*")
                self.assertEqual(status, answer.status, answer.body)
            self.api.post(f"{hub}/bindings", {"bind": ["red"]})
        self.addCleanup(self.api.post, f"{hub}/bindings", {"unbind": ["red"]})
        self.assertEqual(404, self.admin.ask("POST", "/v1/spaces", {
            "integration": "hub", "name": "mine"}).status)

    def test_one_of_a_workspace_has_1000_spaces_at_most(self):
        self.make(self.admin, "red~many")
        self.addCleanup(self.drop, "red~many")
        self.in_store(
            "INSERT INTO spaces (id, integration_id, name, origin, mode, is_public, can_push, "
            "quota_bytes, used_bytes, is_present, seen_ms, repository_count, artifact_count, "
            "generation, created_ms, updated_ms) SELECT ?1, id, ?1, 'declared', 'local', 0, 1, "
            "-1, -1, 1, 0, 0, 0, 1, 0, 0 FROM integrations WHERE name = 'red~many'",
            [(f"n{number}",) for number in range(999)])
        answer = self.admin.ask("POST", "/v1/spaces", {"integration": "red~many", "name": "more"})
        self.assertEqual((409, "conflict"), (answer.status, answer.body["code"]), answer.body)
        self.assertIn("red~many has 1000 spaces", answer.body["detail"])

    def test_what_its_registry_has_not_is_told(self):
        self.make(self.admin, "red~plain")
        self.addCleanup(self.drop, "red~plain")
        space = f"/v1/spaces/{self.space('red~plain')}"
        answer = self.admin.ask("POST", f"{space}/logins", {})
        self.assertEqual((422, "unsupported"), (answer.status, answer.body["code"]), answer.body)
        self.assertEqual([], self.admin.get(f"{space}/logins")["items"])

    def test_an_admin_cancels_what_is_its_own(self):
        self.make(self.admin, "red~slow")
        self.addCleanup(self.drop, "red~slow")
        mine = self.ended(self.admin, "POST", "/v1/integrations/red~slow/probe")["id"]
        theirs = self.done(self.api.post("/v1/integrations/mirror/probe", None))["id"]
        self.assertEqual([202, 403, 404, 404], [
            person.ask("DELETE", f"/v1/operations/{one}").status for person, one in (
                (self.admin, mine), (self.member, mine), (self.other, mine),
                (self.admin, theirs))])

    def test_an_admin_makes_changes_probes_refreshes_and_deletes_one(self):
        path = "/v1/integrations/red~hub"
        plan = self.ended(self.admin, "POST", "/v1/integrations?dry_run=true",
                          self.body("red~hub"))
        self.assertEqual("succeeded", plan["state"], plan)
        self.assertEqual(404, self.admin.ask("GET", path).status)
        self.make(self.admin, "red~hub")
        shown = self.admin.get(path)
        self.assertEqual(("red~hub", "red", "healthy"),
                         (shown["name"], shown["scope"], shown["status"]["phase"]))
        self.assertEqual(["red~hub"], [one["name"] for one in
                                       self.admin.get("/v1/integrations")["items"]])
        changed = self.admin.ask("PATCH", path, {"description": "ours"}, If_Match="*")
        self.assertEqual((200, "ours"), (changed.status, changed.body.get("description")))
        proved = self.ended(self.admin, "PATCH", path, {"address": self.own.url + "/",
                                                        "password": "canary-own-7"}, If_Match="*")
        self.assertEqual("succeeded", proved["state"], proved)
        for verb in ("probe", "refresh"):
            # One that somebody else began is joined, and seen.
            first = self.api.post(f"{path}/{verb}", None)["id"]
            self.assertEqual(200, self.admin.ask("GET", f"/v1/operations/{first}").status)
            ended = self.ended(self.admin, "POST", f"{path}/{verb}")
            self.assertEqual("succeeded", ended["state"], ended)
        self.assertGreater(self.admin.get(f"{path}/overview")["tags"], 0)
        self.settle()
        self.assertEqual(204, self.admin.ask("DELETE", path, If_Match="*").status)
        self.assertEqual(0, self.admin.get("/v1/integrations")["total"])

    def test_what_the_name_says_and_what_is_refused(self):
        forbidden = self.admin.ask("POST", "/v1/integrations", self.body("plain"))
        self.assertEqual((403, "forbidden"), (forbidden.status, forbidden.body["code"]))
        taken = self.admin.ask("POST", "/v1/integrations", self.body("hub"))
        self.assertEqual({**forbidden.body, "instance": 0}, {**taken.body, "instance": 0})
        for name in ("red~", "~hub", "red~a~b", "red~" + "x" * 60):
            self.refused(422, "validation-failed", "POST", "/v1/integrations", self.body(name))
        self.refused(422, "validation-failed", "POST", "/v1/integrations",
                     self.body("red~hub", scope="blue"))
        self.refused(404, "not-found", "POST", "/v1/integrations", self.body("green~hub"))
        self.refused(422, "validation-failed", "POST", "/v1/workspaces", {"name": "platform"})
        self.assertEqual(403, self.member.ask("POST", "/v1/integrations",
                                              self.body("red~hub")).status)

    def in_store(self, text, rows):
        """Changes the store while berthd is away."""
        self.settle()
        self.daemon.stop()
        with contextlib.closing(sqlite3.connect(
                os.path.join(self.daemon.state, "berth.db"))) as store, store:
            store.executemany(text, rows)
        os.chmod(self.daemon.state, 0o700)  # as berthd wants it
        self.daemon.start()
        self.open_to_others()

    def test_a_workspace_has_100_of_them_at_most(self):
        self.make(self.admin, "red~one")
        self.addCleanup(self.drop, "red~one")
        names = [(f"red~n{number}",) for number in range(99)]
        self.addCleanup(self.in_store, "DELETE FROM integrations WHERE name = ?", names)
        self.in_store(
            "INSERT INTO integrations SELECT ?1, ?1, kind, scope, json_set(desired, '$.enabled', "
            "json('false')), status, phase, 1, 0, 0, 0, 0 FROM integrations WHERE "
            "name = 'red~one'", names)
        self.assertEqual(100, self.admin.get("/v1/integrations?limit=1")["total"])
        asked = [self.admin.ask("POST", "/v1/integrations", self.body("red~more")),
                 self.ask("POST", "/v1/integrations", self.body("red~more"))]
        for answer in asked:
            self.assertEqual((409, "conflict"), (answer.status, answer.body["code"]))
            self.assertIn("workspace red has 100 integrations", answer.body["detail"])
        self.make(self.other, "blue~first")  # of a workspace, not of all
        self.drop("blue~first")

    def test_a_workspace_that_owns_one_is_not_deleted(self):
        self.make(self.admin, "red~kept")
        self.addCleanup(self.drop, "red~kept")
        self.assertEqual(1, self.api.get("/v1/workspaces/red")["status"]["integrations"])
        problem = self.refused(409, "in-use", "DELETE", "/v1/workspaces/red", If_Match="*")
        self.assertEqual(["integration red~kept"], [one["detail"] for one in problem["errors"]])

    def test_a_workspace_that_goes_during_the_proof_leaves_nothing(self):
        self.api.post("/v1/workspaces", {"name": "brief"})
        begun = self.api.post("/v1/integrations", self.body("brief~hub"))
        gone = self.ask("DELETE", "/v1/workspaces/brief", If_Match="*")
        ended = self.api.wait(begun)
        if gone.status == 204:
            self.assertEqual("failed", ended["state"], ended)
            self.assertEqual(404, self.ask("GET", "/v1/integrations/brief~hub").status)
        else:  # the proof was quicker
            self.assertEqual(409, gone.status)
            self.drop("brief~hub")


class Copies(OwnCase):
    """Copies by members, from what their workspace may use to what is its own: Y2 A2."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("red~hub", "blue~hub"):
            cls.daemon.add(name, cls.own, "red", "canary-own-7")
        cls.api.post("/v1/roles", {"name": "copier", "scope": "workspace",
                                   "permissions": ["copies.run"]})
        cls.api.post("/v1/workspaces", {"name": "green", "members": [
            {"uid": 72006, "role": "copier"}, {"uid": 72007}]})
        cls.daemon.add("green~hub", cls.own, "red", "canary-own-7")
        cls.settle()

    def bind(self, *names):
        path = f"/v1/spaces/{self.space('hub')}/bindings"
        self.api.post(path, {"bind": names})
        self.addCleanup(self.api.post, path, {"unbind": names})

    def copy(self, person, source, target, status, code, query=""):
        answer = person.ask("POST", f"/v1/copies{query}", {"source": source, "target": target})
        self.assertEqual((status, code), (answer.status, answer.body.get("code")), answer.body)
        return answer.body

    def test_who_may_copies_from_what_is_bound_to_what_is_the_workspaces(self):
        self.bind("green", "red")
        for person, name in ((self.person(72006), "green"), (self.admin, "red")):
            body = {"source": "hub/shop/web:1.0.0", "target": f"{name}~hub/{name}/web:1"}
            plan = self.ended(person, "POST", "/v1/copies?dry_run=true", body)
            self.assertEqual("succeeded", plan["state"], plan)
            done = self.ended(person, "POST", "/v1/copies", body)
            self.assertEqual("succeeded", done["state"], done)
            outcome, = person.get(f"/v1/copies/{done['id']}")["outcomes"]
            self.assertEqual(("copied", f"{name}~hub/{name}/web:1"),
                             (outcome["state"], outcome["target"]))
            self.assertEqual([outcome], person.get(f"/v1/copies/{done['id']}/outcomes")["items"])
            again = self.ended(person, "POST", "/v1/copies", {  # within what is theirs
                "source": f"{name}~hub/{name}/web:1", "target": f"{name}~hub/{name}/two:1"})
            self.assertEqual("succeeded", again["state"], again)
        with Client(self.own.url, "red", "canary-own-7") as client:
            self.assertEqual(["1"], client.tags("green/web"))

    def test_who_may_not_is_refused(self):
        self.bind("green", "red")
        plain = self.person(72007)
        self.copy(plain, "hub/shop/web:1.0.0", "green~hub/x:1", 403, "forbidden")
        self.assertEqual(403, plain.ask("GET", "/v1/copies/" + "0" * 8).status)
        # A binding is for seeing and pulling.
        refused = self.copy(self.admin, "red~hub/shop/web:1.0.0", "hub/shop/new:1", 403, "forbidden")
        self.assertIn("copies.run", refused["detail"])
        self.done(self.api.post("/v1/copies", {"source": "hub/shop/web:1.0.0",
                                               "target": "hub/copied/web:1"}))

    def test_a_role_counts_for_its_own_workspace_alone(self):
        self.bind("red")
        for name, role in (("red", "workspace-member"), ("green", "copier")):
            members = self.api.get(f"/v1/workspaces/{name}")["members"]
            self.ask("PATCH", f"/v1/workspaces/{name}", {
                "members": members + [{"uid": 72008, "role": role}]}, If_Match="*")
        both = self.person(72008)
        for source, target in (("hub/shop/web:1.0.0", "green~hub/x:1"),
                               ("green~hub/shop/web:1.0.0", "red~hub/x:1")):
            refused = self.copy(both, source, target, 403, "forbidden")
            self.assertIn("this needs copies.run in", refused["detail"])

    def test_what_is_anothers_answers_as_what_is_not_there(self):
        mine = "red~hub/shop/web:1.0.0"
        for foreign, absent, other in (("blue~hub", "blue~nil", None), ("hub", "nil", None),
                                       ("mirror", "nowhere", "targets")):
            pairs = []
            for name in (foreign, absent):
                there = f"{name}/shop/web:1.0.0"
                bodies = [{"source": there, "target": "red~hub/taken/web:1"},
                          {"source": mine, "target": there},
                          {"source": mine, "targets": ["red~hub/two/web:1", there]}]
                answers = [self.admin.ask("POST", "/v1/copies", body) for body in bodies]
                self.assertEqual([422] * 3, [one.status for one in answers], other)
                pairs.append([str({**one.body, "instance": 0}).replace(name, "X")
                              for one in answers])
            self.assertEqual(pairs[1], pairs[0])
        theirs = self.done(self.api.post("/v1/copies", {
            "source": "hub/shop/web:1.0.0", "target": "red~hub/by/platform:1"}))["id"]
        for path in ("", "/outcomes"):
            pair = [self.admin.ask("GET", f"/v1/copies/{one}{path}") for one in (
                theirs, "00000000-0000-4000-8000-000000000000")]
            self.assertEqual([404, 404], [one.status for one in pair])
            self.assertEqual(*[str({**one.body, "instance": 0}).replace(ident, "X") for one, ident
                               in zip(pair, (theirs, "00000000-0000-4000-8000-000000000000"))])


class Commands(OwnCase):
    def test_berthctl_makes_lists_copies_from_and_deletes_one(self):
        ctl = self.daemon.ctl_ok
        secret = os.path.join(self.dir, "own-password")
        with open(secret, "w", encoding="ascii") as file:
            file.write("canary-own-7\n")
        ctl("integration", "add", "shop", "--workspace", "red", "--address", self.own.url,
            "--username", "red", "--password-file", secret)
        self.assertEqual("red~shop", ctl("integration", "list", "-o", "name", "--filter",
                                         "scope eq 'red'").strip())
        table = ctl("integration", "list", "-o", "wide").splitlines()
        self.assertIn("WORKSPACE", table[0])
        self.assertIn("red~shop/default", ctl("space", "list", "--workspace", "red", "-o", "name"))
        ctl("copy", "red~shop/shop/web:1.0.0", "hub/from-red:1")
        ctl("integration", "edit", "red~shop", "--description", "theirs")
        wrong = self.daemon.ctl("integration", "add", "a~b", "--workspace", "red", "--address",
                                self.own.url)
        self.assertEqual(2, wrong.returncode, wrong)
        self.settle()
        ctl("integration", "delete", "red~shop", "--yes")
        self.assertNotIn("red~shop", self.names("/v1/integrations"))


class Sight(OwnCase):
    """Who sees what. red~hub and blue~hub are there."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("red~hub", "blue~hub"):
            cls.daemon.add(name, cls.own, "red", "canary-own-7")
        cls.settle()

    def normal(self, answer, name):
        body = {key: value for key, value in answer.body.items() if key != "instance"}
        return answer.status, str(body).replace(name, "X"), "ETag" in answer.headers

    def test_a_member_uses_all_of_it_and_changes_nothing(self):
        shown = self.member.get("/v1/integrations")
        self.assertEqual((["red~hub"], 1),
                         ([one["name"] for one in shown["items"]], shown["total"]))
        self.assertNotIn("canary", str(shown))
        path = "/v1/integrations/red~hub"
        spaces = self.member.get(f"{path}/spaces")["items"]
        self.assertEqual([["red"]], [one["workspaces"] for one in spaces])
        for method, target in (("PATCH", path), ("DELETE", path), ("POST", f"{path}/probe"),
                               ("POST", f"{path}/refresh"), ("POST", f"{path}/overview")):
            body = {"description": "x"} if method == "PATCH" else None
            answer = self.member.ask(method, target, body, If_Match="*")
            self.assertEqual((403, "forbidden"), (answer.status, answer.body["code"]), target)
        everything = self.api.get("/v1/images?q=shop&workspace=red")
        self.assertGreater(everything["total"], 0)
        self.assertEqual(everything["total"], self.member.get("/v1/images?q=shop")["total"])
        self.assertEqual(["red~hub"], [one["integration"] for one in everything["indexes"]])
        space = spaces[0]["id"]
        self.assertEqual(200, self.member.ask(
            "GET", f"/v1/spaces/{space}/images/" + quote("shop/web")).status)
        lines = self.member.get(f"/v1/spaces/{space}/commands?reference=" + quote("shop/web"))
        self.assertTrue(lines["push"])  # whose registry it is

    def test_a_role_counts_in_its_own_workspace_alone(self):
        for name, role in (("red", "workspace-member"), ("blue", "workspace-admin")):
            members = self.api.get(f"/v1/workspaces/{name}")["members"]
            answer = self.ask("PATCH", f"/v1/workspaces/{name}", {
                "members": members + [{"uid": 72005, "role": role}]}, If_Match="*")
            self.assertEqual(200, answer.status, answer.body)
        both = self.person(72005)
        self.assertEqual(["blue~hub", "red~hub"],
                         [one["name"] for one in both.get("/v1/integrations")["items"]])
        change = {"description": "by one of both"}
        self.assertEqual(200, both.ask("PATCH", "/v1/integrations/blue~hub", change,
                                       If_Match="*").status)
        for method, path, body in (("PATCH", "/v1/integrations/red~hub", change),
                                   ("POST", "/v1/integrations/red~hub/probe", None),
                                   ("POST", "/v1/integrations", self.body("red~new"))):
            answer = both.ask(method, path, body, If_Match="*")
            self.assertEqual((403, "forbidden"), (answer.status, answer.body["code"]), path)
            self.assertIn("your role in workspace red lacks", answer.body["detail"])

    def test_another_workspaces_one_answers_as_what_is_not_there(self):
        there, absent = "blue~hub", "blue~nil"
        for person in (self.admin, self.member):
            for method, path, body in (
                    ("GET", "", None), ("GET", "/overview", None), ("GET", "/spaces", None),
                    ("PATCH", "", {"description": "x"}), ("DELETE", "", None),
                    ("PUT", "", "itself"), ("POST", "/probe", None), ("POST", "/refresh", None),
                    ("POST", "/overview", None), ("POST", "/gc", None),
                    ("GET", "/read-only", None)):
                pair = []
                for name in (there, absent):
                    given = self.body(name) if body == "itself" else body
                    head = {"If_Match": "*"} if method in ("PATCH", "PUT", "DELETE") else {}
                    pair.append(self.normal(person.ask(
                        method, f"/v1/integrations/{name}{path}", given, **head), name))
                self.assertEqual(pair[1], pair[0], f"{method} {path}")
                self.assertIn(pair[0][0], (403, 404) if person is self.member else (404,), path)
        # Neither its name, nor the platform's, nor that of no workspace says more.
        pair = [self.normal(self.admin.ask("POST", "/v1/integrations", self.body(name)),
                            name.split("~")[0]) for name in ("blue~hub", "blue~new")]
        self.assertEqual(pair[1], pair[0])
        pair = [self.normal(self.admin.ask("POST", "/v1/integrations", self.body(name)),
                            name.split("~")[0]) for name in ("blue~hub", "none~hub")]
        self.assertEqual(pair[1], pair[0])
        for name in ("hub", "nil"):
            self.assertEqual(404, self.admin.ask("GET", f"/v1/integrations/{name}").status)

    def test_lists_searches_and_counts_have_ones_own_alone(self):
        for person, name in ((self.admin, "red"), (self.other, "blue")):
            page = person.get("/v1/integrations?q=hub")
            self.assertEqual(([f"{name}~hub"], 1),
                             ([one["name"] for one in page["items"]], page["total"]))
            self.assertEqual([f"{name}~hub"], [one["integration"] for one in
                                               person.get("/v1/spaces")["items"]])
            page = person.get("/v1/images")
            self.assertEqual({f"{name}~hub"}, {one["integration"] for one in page["items"]})
            self.assertEqual([f"{name}~hub"], [one["integration"] for one in page["indexes"]])
        self.assertEqual(0, self.admin.get("/v1/images?q=blue")["total"])
        self.assertEqual(0, self.admin.get(
            "/v1/integrations?filter=" + quote("scope eq 'blue'"))["total"])
        self.assertEqual(403, self.outsider.ask("GET", "/v1/integrations").status)
        self.assertEqual({"hub", "mirror", "red~hub", "blue~hub"},
                         set(self.names("/v1/integrations")))

    def test_its_spaces_are_for_no_other_workspace(self):
        space = self.space("red~hub")
        problem = self.refused(409, "conflict", "POST", f"/v1/spaces/{space}/bindings",
                               {"bind": ["blue"]})
        self.assertIn("of workspace red", problem["detail"])
        self.assertEqual(404, self.other.ask("GET", f"/v1/spaces/{space}").status)

    def test_a_rule_of_the_platform_holds_it_and_is_not_named(self):
        path = "/v1/integrations/red~hub"
        self.api.post("/v1/syncs", {"name": "secretly-to-blue", "source": "red~hub",
                                    "target": "mirror/for-blue"})
        self.assertIn("secretly-to-blue", str(self.refused(409, "in-use", "DELETE", path,
                                                           If_Match="*")))
        answer = self.admin.ask("DELETE", path, If_Match="*")
        self.assertEqual((409, "in-use"), (answer.status, answer.body["code"]))
        self.assertNotIn("blue", str(answer.body))
        self.ask("DELETE", "/v1/syncs/secretly-to-blue", If_Match="*")

    def test_events_and_operations_go_to_their_own_workspace_alone(self):
        since = self.api.get("/v1/events?wait_s=0")["next"].split("since=")[1].split("&")[0]
        theirs = self.api.post("/v1/integrations/blue~hub/probe", None)
        ours = self.api.post("/v1/integrations/red~hub/probe", None)
        self.done(theirs), self.done(ours)
        for name in ("red~hub", "blue~hub"):
            answer = self.ask("PATCH", f"/v1/integrations/{name}", {"description": name + since},
                              If_Match="*")
            self.assertEqual(200, answer.status, answer.body)
        self.assertEqual(404, self.admin.ask("GET", f"/v1/operations/{theirs['id']}").status)
        self.assertEqual(200, self.admin.ask("GET", f"/v1/operations/{ours['id']}").status)
        self.assertNotIn("blue", str(self.admin.get("/v1/operations?limit=500")))
        seen, path = [], f"/v1/events?since={since}&wait_s=0"
        while True:
            page = self.admin.get(path)
            if not page["items"]:
                break
            seen, path = seen + page["items"], page["next"]
        self.assertIn("/v1/integrations/red~hub", [one["resource"] for one in seen])
        self.assertNotIn("blue", str(seen))


class Networks(OwnCase):
    """127.0.0.1 alone is allowed."""

    integrate = False

    def failure(self, address):
        ended = self.ended(self.admin, "POST", "/v1/integrations",
                           {"name": "red~look", "kind": "dockerreg", "address": address})
        self.assertEqual("failed", ended["state"], address)
        error = ended["error"]
        log = self.admin.ask("GET", f"/v1/operations/{ended['id']}/log")
        self.assertEqual(200, log.status)
        for said in (str(error), str(log.body)):
            for word in ("allow", "refused", "denied", "private", "loopback", "127.0.0"):
                self.assertNotIn(word, said.replace(address, ""), said)
        return {key: value for key, value in error.items() if key not in ("instance", "operation")}

    def test_closed_and_not_allowed_are_told_in_the_same_words(self):
        with socket.socket() as free, socket.socket() as listening:
            free.bind(("127.0.0.1", 0))
            listening.bind(("127.0.0.2", 0))
            listening.listen()
            listening.settimeout(0)
            closed = self.failure(f"http://127.0.0.1:{free.getsockname()[1]}")
            port = listening.getsockname()[1]
            for address in (f"http://127.0.0.2:{port}", f"https://[::1]:{port}",
                            "http://169.254.169.254", "http://10.1.2.3"):
                self.assertEqual(closed, self.failure(address), address)
            with self.assertRaises(OSError):
                listening.accept()  # nobody came
        # The platform's own may.
        self.daemon.add("inner", self.own, "red", "canary-own-7")


if __name__ == "__main__":
    unittest.main()
