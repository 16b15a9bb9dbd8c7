# SPDX-License-Identifier: Apache-2.0
"""Who may do what, asked of a running daemon by other users: A1 A2.

The table is docs/openapi.json: x-permission, x-role, x-scope and x-member of each
route. Every route is called as each role, as nobody, and as a member of another
workspace; and routes of many permission points with each point alone."""

import grp
import os
import pwd
import re
import shutil
import signal
import subprocess
import unittest

from berthtest import proc
from berthtest.apicase import ApiCase, Person, quote

ABSENT = "00000000-0000-4000-8000-000000000000"
ROLES = ["none", "viewer", "operator", "admin"]
MEMBERS = ["none", "plain", "admin"]
HIDDEN = "there is nothing at this path"
ALLOWED = {200, 204, 304, 400, 404, 409, 412, 415, 422, 428}


def some_groups():
    """Three groups that every system has and no test user is in."""
    return [entry for entry in grp.getgrall() if 0 < entry.gr_gid < 100][:3]


@unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
class AccessCase(ApiCase):
    """Two integrations of one space each: hub is red's, mirror is blue's."""

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("needs root to be somebody else")
        cls.viewers, cls.operators, cls.reporters = some_groups()
        cls.config = (f'access: {{ viewer_group = "{cls.viewers.gr_name}"; '
                      f'reporter_group = "{cls.reporters.gr_name}"; '
                      f'operator_group = "{cls.operators.gr_name}"; }};\n')
        super().setUpClass()
        cls.api.post("/v1/workspaces", {"name": "red", "members": [
            {"uid": 71001}, {"uid": 71002, "role": "workspace-admin"}, {"gid": 71010}]})
        cls.api.post("/v1/workspaces", {"name": "blue", "members": [{"uid": 71003}]})
        for name, workspace in (("hub", "red"), ("mirror", "blue")):
            space = next(one["id"] for one in cls.api.get("/v1/spaces")["items"]
                         if one["integration"] == name)
            cls.api.post(f"/v1/spaces/{space}/bindings", {"bind": [workspace]})
        cls.settle()

    def setUp(self):
        self.open_to_others()
        socket = self.daemon.socket
        self.red = self.person(socket, 71001)
        self.red_admin = self.person(socket, 71002)
        self.blue = self.person(socket, 71003)
        self.by_group = self.person(socket, 71004, 71010)
        self.nobody = self.person(socket, 65534)

    def person(self, *who, **more):
        one = Person(*who, **more)
        self.addCleanup(one.__exit__)
        return one


class Table(AccessCase):
    def routes(self):
        """(method, path, operation) of each route, with names that nothing has."""
        for method, template in self.api.document.all_operations():
            operation = self.api.document.operation(method, template)[1]
            path = template.replace("{id}", ABSENT).replace("{reference}", "a:1")
            path = path.replace("{kind}", "not-found")
            path = re.sub(r"\{[a-z_]+\}", "absent", path)
            if template == "/v1/events":
                path += "?wait_s=0"
            yield method, path, operation

    def expect(self, operation, role, member, who, answer):
        """What the table says of that caller on that route."""
        is_theirs = operation["x-scope"] == "workspace"
        if ROLES.index(role) >= ROLES.index(operation["x-role"]) or (
                is_theirs and MEMBERS.index(member) >= MEMBERS.index(operation["x-member"])):
            self.assertIn(answer.status, ALLOWED, f"{who}: {answer.body}")
            self.assertNotIn(HIDDEN, str(answer.body), who)
        elif role == "none" and member != "none" and not is_theirs:
            self.assertEqual((404, HIDDEN), (answer.status, answer.body["detail"]), who)
        elif role == "none":
            self.assertEqual((403, "forbidden"), (answer.status, answer.body["code"]), who)
        else:
            self.assertIn((answer.status, answer.body["code"]),
                          [(403, "forbidden"), (404, "not-found")], who)

    def test_every_route_answers_each_caller_as_the_table_says(self):
        viewer = self.person(self.daemon.socket, 71005, self.viewers.gr_gid)
        operator = self.person(self.daemon.socket, 71006, self.operators.gr_gid)
        reporter = self.person(self.daemon.socket, 71007, self.reporters.gr_gid)
        callers = [("nobody", self.nobody, "none", "none"), ("viewer", viewer, "viewer", "none"),
                   ("operator", operator, "operator", "none"),
                   ("member", self.red, "none", "plain"),
                   ("member by group", self.by_group, "none", "plain"),
                   ("admin of a workspace", self.red_admin, "none", "admin"),
                   ("admin", self.person(self.daemon.socket, 0), "admin", "none")]
        for method, path, operation in self.routes():
            for name, person, role, member in callers:
                answer = person.ask(method, path)
                self.expect(operation, role, member, f"{name}: {method} {path}", answer)
            role = "admin" if operation.get("x-reporter") else "none"
            self.expect(operation, role, "none", f"reporter: {method} {path}",
                        reporter.ask(method, path))

    def one_of_each(self):
        """(method, path, operation) of one route for each scope and point."""
        chosen = {}
        for method, path, operation in self.routes():
            chosen.setdefault((operation["x-scope"], operation["x-permission"]),
                              (method, path, operation))
        return list(chosen.values())

    def expect_points(self, operation, held, scope, who, answer):
        """What the table says of a caller with these points alone."""
        needed, is_theirs = operation["x-permission"], operation["x-scope"] == "workspace"
        if needed == "none" or (needed in held and (is_theirs or scope == "platform")):
            self.assertIn(answer.status, ALLOWED, f"{who}: {answer.body}")
            self.assertNotIn(HIDDEN, str(answer.body), who)
        elif scope == "workspace" and not is_theirs:
            self.assertEqual((404, HIDDEN), (answer.status, answer.body["detail"]), who)
        elif answer.status == 404 and scope == "platform":
            self.assertEqual(HIDDEN, answer.body["detail"], who)
        else:
            self.assertEqual((403, "forbidden", needed), (
                answer.status, answer.body["code"], answer.body["permission"]), who)
            self.assertIn(f"or one with {needed}, and", answer.body["detail"])
            self.assertIn(f"uid {71300 if scope == 'platform' else 71301}",
                          answer.body["detail"])

    def test_each_point_alone_allows_what_the_table_says(self):
        for scope, uid in (("platform", 71300), ("workspace", 71301)):
            self.api.post("/v1/roles", {
                "name": f"one-{scope}", "scope": scope, "permissions": [],
                "members": [{"uid": uid}] if scope == "platform" else []})
        self.api.post("/v1/workspaces", {"name": "points", "members": [
            {"uid": 71301, "role": "one-workspace"}]})
        routes = self.one_of_each()
        self.assertGreater(len(routes), 50)
        for index, point in enumerate(self.api.get("/v1/permissions")["items"]):
            for scope, uid in (("platform", 71300), ("workspace", 71301)):
                if point["reserved"] or scope == "workspace" != point["scope"]:
                    continue
                held = self.ask("PATCH", f"/v1/roles/one-{scope}",
                                {"permissions": [point["name"]]}, If_Match="*")
                self.assertEqual(200, held.status, held.body)
                # Each with each is tests/unit/test_access.c's.
                asked = [one for i, one in enumerate(routes) if i % 6 == index % 6
                         or one[2]["x-permission"] in held.body["permissions"]]
                with Person(self.daemon.socket, uid) as person:
                    for method, path, operation in asked:
                        self.expect_points(
                            operation, held.body["permissions"], scope,
                            f"{scope} {point['name']}: {method} {path}",
                            person.ask(method, path))


class Isolation(AccessCase):
    """No answer tells a member of one workspace of what another has."""

    def normal(self, answer, ident):
        """An answer without what belongs to the request itself."""
        body = answer.body
        if isinstance(body, dict):
            body = {key: value for key, value in body.items() if key != "instance"}
        return answer.status, str(body).replace(ident, "X"), "ETag" in answer.headers

    def statements(self):
        """How many the store has run."""
        text = self.ask("GET", "/v1/metrics").body
        return int(re.search(r"berth_store_statements_total (\d+)", str(text))[1])

    def work(self, *ask):
        """The fewest statements that a request takes: others may come in between."""
        person, *words, headers = ask
        found = []
        for _ in range(4):
            before = self.statements()
            person.ask(*words, **headers)
            found.append(self.statements() - before)
        return min(found)

    def same(self, person, method, template, there, absent, body=None, **headers):
        """What is another's answers as what is not there, by the same work."""
        pair = [self.normal(person.ask(method, template.format(one), body, **headers), one)
                for one in (there, absent)]
        self.assertEqual(pair[1], pair[0], f"{method} {template}")
        self.assertEqual(404, pair[0][0], template)
        work = [self.work(person, method, template.format(one), body, headers)
                for one in (there, absent)]
        with self.subTest(statements=f"{method} {template}"):
            self.assertEqual(work[1], work[0])

    def test_another_workspaces_things_are_not_there(self):
        hub = self.space("hub")
        for template in ("/v1/spaces/{}", "/v1/spaces/{}/images",
                         "/v1/spaces/{}/images/" + quote("shop/web"),
                         "/v1/spaces/{}/commands?reference=shop/web",
                         "/v1/spaces/{}/artifacts/" + quote("shop/web:1.0.0")):
            self.assertNotEqual(404, self.red.ask("GET", template.format(hub)).status, template)
            self.same(self.blue, "GET", template, hub, ABSENT)
        self.same(self.blue, "GET", "/v1/workspaces/{}", "red", "nil")
        self.same(self.blue, "GET", "/v1/spaces?workspace={}", "red", "nil")
        self.same(self.red_admin, "PATCH", "/v1/integrations/{}", "hub", "nil",
                  {"description": "x"}, If_Match="*")

    def test_a_search_finds_what_the_caller_may_use_and_counts_no_more(self):
        everything = self.api.get("/v1/images?q=shop")["total"]
        self.assertGreater(everything, 0)
        self.assertEqual(everything, self.red.get("/v1/images?q=shop")["total"])
        self.assertEqual(everything, self.api.get("/v1/images?q=shop&workspace=red")["total"])
        for page in (self.blue.get("/v1/images?q=shop"), self.blue.get("/v1/images?q=hub"),
                     self.blue.get("/v1/images?q=shop&sort=reference"),
                     self.blue.get("/v1/images?q=hub&filter=" + quote("tag like '*'")),
                     self.api.get("/v1/images?q=shop&workspace=blue")):
            self.assertEqual(([], 0), (page["items"], page["total"]))
        self.assertEqual(["mirror"], [one["integration"] for one in
                                      self.blue.get("/v1/images")["indexes"]])
        self.same(self.blue, "GET", "/v1/images?workspace={}", "red", "nil")
        first = self.red.get("/v1/images?q=shop&limit=2")["next"]
        self.assertEqual(2, len(self.red.get(first)["items"]))
        self.assertEqual(400, self.blue.ask("GET", first).status)

    def test_lists_and_counts_have_ones_own_alone(self):
        for person, integration, name in ((self.red, "hub", "red"), (self.by_group, "hub", "red"),
                                          (self.blue, "mirror", "blue")):
            spaces = person.get("/v1/spaces")
            self.assertEqual([integration], [one["integration"] for one in spaces["items"]])
            self.assertEqual(([name], 1), (spaces["items"][0]["workspaces"], spaces["total"]))
            workspaces = person.get("/v1/workspaces")
            self.assertEqual(([name], 1), ([one["name"] for one in workspaces["items"]],
                                           workspaces["total"]))
            self.assertEqual([name], person.get("/v1")["caller"]["workspaces"])
        self.assertEqual([], self.nobody.get("/v1")["caller"]["workspaces"])

    def test_a_workspaces_admin_changes_that_one_alone(self):
        def patch(person, name, match="*"):
            return person.ask("PATCH", f"/v1/workspaces/{name}", {"description": "mine"},
                              If_Match=match).status

        self.assertEqual(200, patch(self.red_admin, "red"))
        self.assertEqual(404, patch(self.red_admin, "blue"))
        self.assertEqual(403, patch(self.red, "red"))
        self.same(self.red_admin, "PATCH", "/v1/workspaces/{}", "blue", "nil",
                  {"description": "x"}, If_Match="*")

    def test_operations_of_others_are_not_there(self):
        theirs = self.api.wait(self.api.post("/v1/integrations/hub/probe", None)["id"])["id"]
        for template in ("/v1/operations/{}", "/v1/operations/{}/wait", "/v1/operations/{}/log"):
            self.same(self.red, "GET", template, theirs, ABSENT)
        self.hub.process.signal(signal.SIGSTOP)  # what runs is in memory, too
        try:
            runs = self.api.post("/v1/integrations/hub/probe", None)["id"]
            for template in ("/v1/operations/{}", "/v1/operations/{}/log"):
                self.same(self.red, "GET", template, runs, ABSENT)
        finally:
            self.hub.process.signal(signal.SIGCONT)
        self.done(self.api.get(f"/v1/operations/{runs}"))
        asked = self.red.ask("GET", f"/v1/spaces/{self.space('hub')}/artifacts/"
                             + quote("shop/web:2.0.0"))
        self.assertEqual(202, asked.status, asked.body)
        mine = asked.body["id"]
        own = self.red.get("/v1/operations")["items"]
        self.assertIn(mine, [one["id"] for one in own])
        self.assertEqual({71001}, {one["requester"]["uid"] for one in own})
        self.assertEqual(0, self.blue.get("/v1/operations")["total"])
        self.done(self.api.get(f"/v1/operations/{mine}"))
        self.same(self.blue, "GET", "/v1/operations/{}", mine, ABSENT)

    def events(self, person, since):
        """Every event that somebody gets from one id on, through all pages."""
        found, path = [], f"/v1/events?since={since}&wait_s=0"
        while True:
            page = person.get(path)
            if not page["items"]:
                return found
            found += page["items"]
            path = page["next"]

    def test_events_are_those_of_ones_own_spaces_workspaces_and_operations(self):
        since = int(self.api.get("/v1/events?wait_s=0")["next"].split("since=")[1].split("&")[0])
        hub, mirror = (f"/v1/spaces/{self.space(name)}" for name in ("hub", "mirror"))
        for path, name in ((hub, "red"), (mirror, "blue")):
            self.api.post(f"{path}/bindings", {"unbind": [name]})
            self.api.post(f"{path}/bindings", {"bind": [name]})
            self.ask("PATCH", f"/v1/workspaces/{name}", {"description": "told"}, If_Match="*")
        asked = self.red.ask("GET", f"{hub}/artifacts/" + quote("shop/web:1.0.0"))
        self.assertIn(asked.status, (200, 202), asked.body)
        self.settle()
        everything = self.events(self.api, since)
        self.assertLessEqual({"operation", "lifecycle", "audit"},
                             {one["type"] for one in everything})
        for person, own, name in ((self.red, hub, "red"), (self.by_group, hub, "red"),
                                  (self.blue, mirror, "blue")):
            seen = self.events(person, since)
            self.assertEqual({own, f"/v1/workspaces/{name}"},
                             {one["resource"] for one in seen if one["type"] == "lifecycle"})
            self.assertNotIn("audit", {one["type"] for one in seen})
            for one in seen:
                if one["type"] == "operation":
                    self.assertEqual(person.uid, one["data"]["requester"]["uid"])
                else:
                    self.assertNotIn("operation", one["data"])
        if asked.status == 202:
            self.assertIn(f"/v1/operations/{asked.body['id']}",
                          [one["resource"] for one in self.events(self.red, since)])
        self.assertEqual(403, self.nobody.ask("GET", "/v1/events?wait_s=0").status)
        # What is another's is unbound: it wakes nobody else, and is not there later.
        self.api.post("/v1/workspaces", {"name": "pale", "members": [{"uid": 71008}]})
        pale = self.person(self.daemon.socket, 71008)
        self.assertEqual(["/v1/workspaces/pale"],
                         [one["resource"] for one in self.events(pale, since)])
        self.assertEqual([], pale.get("/v1/events?wait_s=1")["items"])

    def test_a_member_of_200_workspaces_sees_all_of_them_bound_in_one_call(self):
        names = [f"many-{number}" for number in range(200)]
        for name in names:
            self.api.post("/v1/workspaces", {"name": name, "members": [{"uid": 71200}]})
        person = self.person(self.daemon.socket, 71200)
        self.assertEqual(0, person.get("/v1/images?q=shop")["total"])
        path = f"/v1/spaces/{self.space('hub')}"
        self.refused(422, "validation-failed", "POST", f"{path}/bindings",
                     {"bind": names[:199] + ["many-none"]})
        self.assertEqual(404, person.ask("GET", path).status)
        plan = self.ask("POST", f"{path}/bindings?dry_run=true", {"bind": names})
        self.assertEqual(200, len(plan.body["create"]))
        self.assertEqual(404, person.ask("GET", path).status)
        done = self.api.post(f"{path}/bindings", {"bind": names})
        listed = self.api.get(f"{path}/bindings?recursion=0&limit=1000")["items"]
        self.assertLessEqual({f"/v1/workspaces/{name}" for name in names}, set(listed))
        self.assertEqual(200, len(done["bound"]))
        try:
            self.assertEqual(sorted(names), person.get(path)["workspaces"])
            self.assertEqual(200, person.get("/v1/workspaces?limit=1")["total"])
            self.assertEqual(sorted(names), sorted(person.get("/v1")["caller"]["workspaces"]))
            self.assertEqual(["hub"], [one["integration"]
                                       for one in person.get("/v1/spaces")["items"]])
            self.assertEqual(self.red.get("/v1/images?q=shop")["total"],
                             person.get("/v1/images?q=shop")["total"])
            self.refused(422, "validation-failed", "POST", f"{path}/bindings",
                         {"bind": names + ["red"]})  # more than one call takes
        finally:
            self.api.post(f"{path}/bindings", {"unbind": names})
        self.assertEqual(0, person.get("/v1/images?q=shop")["total"])

    def test_a_role_counts_in_its_own_workspace_alone(self):
        # In red they may look at spaces, in blue at images, too.
        self.api.post("/v1/roles", {"name": "looker", "scope": "workspace",
                                    "permissions": ["spaces.read"]})
        for name, role in (("red", "looker"), ("blue", "workspace-member")):
            members = self.api.get(f"/v1/workspaces/{name}")["members"]
            answer = self.ask("PATCH", f"/v1/workspaces/{name}", {
                "members": members + [{"uid": 71011, "role": role}]}, If_Match="*")
            self.assertEqual(200, answer.status, answer.body)
        both = self.person(self.daemon.socket, 71011)
        self.assertEqual(["looker", "workspace-member"], both.get("/v1")["caller"]["roles"])
        self.assertEqual({"hub", "mirror"},
                         {one["integration"] for one in both.get("/v1/spaces")["items"]})
        self.assertEqual(0, both.get("/v1/images?q=hub")["total"])
        self.assertEqual(["mirror"], [one["integration"] for one in
                                      both.get("/v1/images")["indexes"]])
        hub = self.space("hub")
        self.assertEqual(200, both.ask("GET", f"/v1/spaces/{hub}").status)
        self.same(both, "GET", "/v1/spaces/{}/images", hub, ABSENT)
        self.assertEqual(403, both.ask("GET", "/v1/images?workspace=red").status)
        self.assertEqual(200, both.ask("GET", "/v1/images?workspace=blue").status)
        self.same(both, "GET", "/v1/images?workspace={}", "gone", "nil")

    def test_the_last_of_many_groups_counts(self):
        self.api.post("/v1/workspaces", {"name": "crowd", "members": [{"gid": 90299}]})
        many = self.person(self.daemon.socket, 71012, groups=range(90000, 90300))
        self.assertEqual(["crowd"], many.get("/v1")["caller"]["workspaces"])
        few = self.person(self.daemon.socket, 71013, groups=range(90000, 90299))
        self.assertEqual([], few.get("/v1")["caller"]["workspaces"])

    def test_a_member_who_is_taken_out_is_nobody_at_once(self):
        self.api.post("/v1/workspaces", {"name": "gray", "members": [{"uid": 71009}]})
        person = self.person(self.daemon.socket, 71009)
        self.assertEqual(["gray"], person.get("/v1")["caller"]["workspaces"])
        self.ask("PATCH", "/v1/workspaces/gray", {"members": []}, If_Match="*")
        self.assertEqual(403, person.ask("GET", "/v1/spaces").status)


class Told(AccessCase):
    """What somebody who may not is told to do."""

    def test_lines_that_push_are_for_those_who_may(self):
        path = f"/v1/spaces/{self.space('hub')}/commands?reference=" + quote("shop/web:1")
        viewer = self.person(self.daemon.socket, 71020, self.viewers.gr_gid)
        for who in (self.red, self.red_admin, viewer):  # a binding is for pulling
            body = who.get(path)
            self.assertEqual((False, {"login", "pull"}),
                             (body["push"], {one["action"] for one in body["commands"]}))
            self.assertIn("copies.run", body["push_refused"])
        operator = self.person(self.daemon.socket, 71021, self.operators.gr_gid)
        for body in (operator.get(path), self.api.get(path)):
            self.assertTrue(body["push"])
            self.assertNotIn("push_refused", body)

    def test_nobody_is_pointed_to_a_workspace_and_not_to_a_role_over_everything(self):
        for path in ("/v1/spaces", "/v1/images", "/v1/workspaces", "/v1/operations"):
            body = self.nobody.ask("GET", path).body
            self.assertEqual("berthctl workspace edit WORKSPACE --member USER", body["hint"], path)
        body = self.nobody.ask("GET", "/v1/plugins").body
        self.assertEqual("sudo usermod -aG berth-users,berth-viewer USER", body["hint"])

    def test_a_member_is_pointed_to_what_members_have(self):
        for path in ("/v1/clusters", "/v1/clusters/absent", "/v1/plugins"):
            body = self.red.ask("GET", path).body
            self.assertEqual((HIDDEN, "berthctl help topic access"), (body["detail"], body["hint"]))

    def refused(self, program, path):
        """What berthctl tells another user who can't open the socket there."""
        def become():
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        done = subprocess.run([program, "--socket", path, "space", "list"], preexec_fn=become,
                              cwd="/", text=True, capture_output=True, check=False)
        self.assertEqual(4, done.returncode, done.stderr)
        self.assertIn(f"you may not open {path}", done.stderr)
        return done.stderr

    def test_a_private_daemon_is_not_a_matter_of_groups(self):
        program = shutil.copy(self.daemon.program("berthctl"), self.daemon.state)
        os.chmod(program, 0o755)
        own, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
        private = f"who started it, here {own};"
        os.chmod(self.daemon.socket, 0o600)
        self.assertIn(private, self.refused(program, self.daemon.socket))
        os.chmod(self.daemon.socket, 0o660)
        self.assertIn(f"is not in group {group}:", self.refused(program, self.daemon.socket))
        closed = os.path.join(self.daemon.state, "closed")
        os.mkdir(closed, 0o700)
        self.addCleanup(os.rmdir, closed)
        self.assertIn(private, self.refused(program, f"{closed}/a/sock"))


class Failing(AccessCase):
    """What a registry answered to berthd may name what is another's."""

    def test_a_member_learns_that_a_look_failed_and_not_what_it_said(self):
        self.mirror.stop()
        # One that had begun before may be joined, and succeed.
        proc.wait_until(lambda: self.api.wait(self.api.post(
            "/v1/integrations/mirror/refresh", None))["state"] == "failed", "a refresh fails")
        told = [one for one in self.api.get("/v1/spaces")["indexes"] if "error" in one]
        self.assertEqual(["mirror"], [one["integration"] for one in told])
        space = self.blue.get("/v1/spaces")["items"][0]["id"]
        for target in ("/v1/spaces", "/v1/images", "/v1/images?sort=tag",
                       f"/v1/spaces/{space}/images"):
            indexes = self.blue.get(target)["indexes"]
            self.assertEqual([("mirror", "the registry could not be read", None)],
                             [(one["integration"], one["error"], one.get("cause"))
                              for one in indexes], target)


class PublicPrefix(AccessCase):
    """A plain registry's space that an admin shows to all workspaces."""

    def test_every_workspace_sees_it_until_it_is_private_again(self):
        path = f"/v1/spaces/{self.space('hub')}"

        def change():
            return self.blue.ask("PATCH", path, {"public": True}, If_Match="*").status
        self.assertEqual((404, 403), (self.blue.ask("GET", path).status, change()))
        self.assertEqual(0, self.blue.get("/v1/images?q=web")["total"])
        self.ask("PATCH", path, {"public": True}, If_Match="*")
        self.assertEqual("hub", self.blue.get(path)["integration"])
        self.assertEqual([], self.blue.get(path)["workspaces"])
        self.assertEqual(self.red.get("/v1/images?q=web")["total"],
                         self.blue.get("/v1/images?q=web")["total"])
        # To see it is not to change it, and nobody without a workspace sees it.
        self.assertEqual((403, 403), (change(), self.nobody.ask("GET", path).status))
        self.ask("PATCH", path, {"public": False}, If_Match="*")
        self.assertEqual(404, self.blue.ask("GET", path).status)
        self.assertEqual(0, self.blue.get("/v1/images?q=web")["total"])
        self.assertEqual("hub", self.red.get(path)["integration"])  # bound as before


class OtherPrefix(AccessCase):
    """Two spaces of one registry, bound to two workspaces."""

    def test_an_artifact_is_reached_through_its_own_space_alone(self):
        made = self.api.post("/v1/spaces", {"integration": "hub", "name": "legacy"})["id"]
        self.api.post(f"/v1/spaces/{made}/bindings", {"bind": ["blue"]})
        image = next(one for name, tag, one in self.images if name == "shop/web")
        self.done(self.ask("GET", f"/v1/spaces/{self.space('hub')}/artifacts/"
                           + quote(f"shop/web@{image.digest}")).body)
        for reference in ("shop/web:2.0.0", f"shop/web@{image.digest}"):
            answer = self.blue.ask("GET", f"/v1/spaces/{made}/artifacts/" + quote(reference))
            self.assertEqual(404, answer.status, answer.body)
            self.assertIn("holds no repository", answer.body["detail"])
        self.assertEqual(1, self.blue.get(f"/v1/spaces/{made}/images")["total"])
        seen = self.blue.ask("GET", f"/v1/spaces/{made}/images/" + quote("shop/web"))
        self.assertEqual(404, seen.status)


if __name__ == "__main__":
    unittest.main()
