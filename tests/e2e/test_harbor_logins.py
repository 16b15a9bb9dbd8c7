# SPDX-License-Identifier: Apache-2.0
"""Temporary logins of a Harbor (M9): made, taken once, revoked, expired; and
after a crash anywhere no robot is left that Berth does not know."""

import glob
import http.client
import json
import os
import shutil
import signal
import sqlite3
import unittest

from berthtest import Client, Daemon, proc
from berthtest.apicase import Person, quote
from berthtest.daemon import descendants
from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer
from berthtest.openapi import CheckedApi
from berthtest.proc import wait_until

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")


class LoginCase(HarborCase):
    config = 'networks: { workspace: { allow = ["127.0.0.1/32"]; }; };\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.project = cls.name("logins", public=False)
        cls.push(cls.project, "app", Image([random_layer("logins", 1000)]), "1")
        cls.done_once("/v1/integrations/harbor/refresh")

    @classmethod
    def done_once(cls, path):
        ended = cls.api.wait(cls.api.call("POST", path))
        if ended["state"] != "succeeded":
            raise AssertionError(ended)

    def where(self):
        return f"harbor/{self.project}"

    def create(self, *args):
        return json.loads(self.daemon.ctl_ok("login", "create", self.where(), "-o", "json", *args))

    def logins(self, api=None):
        return (api or self.api).get("/v1/logins?limit=1000")["items"]

    def robots(self):
        """Names of the robots for this case's project at the Harbor."""
        found, page = [], 1
        while True:
            rows = self.harbor_api().call(
                "GET", f"/robots?page_size=100&page={page}&q=" + quote("name=~berth-"))
            found += [row["name"].partition("$")[2] for row in rows or []
                      if row["permissions"][0]["namespace"] == self.project]
            page += 1
            if len(rows or []) < 100:
                return sorted(found)

    def nothing_is_left(self):
        wait_until(lambda: not self.robots(), "no robot is left at the Harbor", 120)


class Logins(LoginCase):
    def test_it_may_pull_from_its_space_and_no_more(self):
        made = self.create("--ttl", "1h")
        with Client(self.url, made["username"], made["secret"]) as client:
            client.manifest(f"{self.project}/app", "1")
            with self.assertRaises(Exception):
                client.push(f"{self.project}/app", Image([random_layer("more", 900)]), "2")
        self.daemon.ctl_ok("login", "revoke", made["username"], "--yes")

    def test_one_login_is_for_several_spaces_and_no_third(self):
        second, third = self.name("more", public=False), self.name("third", public=False)
        for name in (second, third):
            self.push(name, "app", Image([random_layer(name, 1000)]), "1")
        self.refresh()
        made = self.create(f"harbor/{second}", self.where())
        shown = self.api.get(f"/v1/logins/{made['id']}")
        self.assertEqual((self.project, [self.project, second]), (shown["space"], shown["spaces"]))
        with Client(self.url, made["username"], made["secret"]) as client:
            for name in (self.project, second):
                client.manifest(f"{name}/app", "1")
            with self.assertRaises(Exception):
                client.manifest(f"{third}/app", "1")
        for name, count in ((self.project, 1), (second, 1), (third, 0)):
            listed = json.loads(self.daemon.ctl_ok("login", "list", f"harbor/{name}", "-o", "json"))
            found = [one for one in listed["items"] if one["id"] == made["id"]]
            self.assertEqual(count, len(found), name)
        question = self.daemon.ctl("login", "revoke", made["username"], "--dry-run")
        self.assertEqual(0, question.returncode, question.stderr)
        self.daemon.ctl_ok("login", "revoke", made["username"], "--yes")

    def test_with_push_it_may_push(self):
        made = self.create("--push", "--ttl", "90s", "--description", "for a build")
        with Client(self.url, made["username"], made["secret"]) as client:
            client.push(f"{self.project}/built", Image([random_layer("built", 900)]), "1")
        shown = self.api.get(f"/v1/logins/{made['id']}")
        self.assertEqual((["pull", "push"], "for a build", "active", self.project, "harbor"),
                         (shown["rights"], shown["description"], shown["state"], shown["space"],
                          shown["integration"]))
        self.daemon.ctl_ok("login", "revoke", made["id"], "--yes")

    def test_the_secret_is_given_once_and_is_nowhere_else(self):
        space = self.space("harbor", self.project)
        made = self.done(self.api.post(f"/v1/spaces/{space}/logins", {"ttl_s": 3600}))
        path = made["result"]["login"]
        self.assertTrue(self.api.get(path)["secret"]["set"])
        answer = self.api.request("DELETE", path + "/secret")
        self.assertEqual("no-store", answer.headers["Cache-Control"])
        secret = answer.body["secret"]
        self.refused(404, "not-found", "DELETE", path + "/secret")
        self.assertFalse(self.api.get(path)["secret"]["set"])
        seen = [json.dumps(self.api.get(where)) for where in (
            path, "/v1/logins", f"/v1/operations/{made['id']}", "/v1/audit?limit=1000",
            "/v1/events?wait_s=0")] + [self.daemon.log()]
        for file in glob.glob(os.path.join(self.daemon.state, "berth.db*")):
            with open(file, "rb") as data:
                seen.append(data.read().decode("latin-1"))
        for text in seen:
            self.assertNotIn(secret, text)
        self.daemon.ctl_ok("login", "revoke", path.rpartition("/")[2], "--yes")

    def test_a_secret_whose_row_is_gone_is_not_an_empty_one(self):
        space = self.space("harbor", self.project)
        made = self.done(self.api.post(f"/v1/spaces/{space}/logins", {"ttl_s": 3600}))
        path = made["result"]["login"]
        name = path.rpartition("/")[2]
        store = sqlite3.connect(os.path.join(self.daemon.state, "berth.db"), timeout=30)
        with store:
            gone = store.execute("DELETE FROM secrets WHERE field = ?", (f"login-{name}",))
        store.close()
        self.assertEqual(1, gone.rowcount)
        self.refused(404, "not-found", "DELETE", path + "/secret")
        self.daemon.ctl_ok("login", "revoke", name, "--yes")

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_a_workspaces_admin_makes_them_at_its_own_integration_alone(self):
        people = (("tenant", 73001, "workspace-admin"), ("tenant", 73002, "workspace-member"),
                  ("stranger", 73003, "workspace-admin"))
        for name in ("tenant", "stranger"):
            self.api.post("/v1/workspaces", {"name": name, "members": [
                {"uid": uid, "role": role} for of, uid, role in people if of == name]})
        self.daemon.add("tenant~harbor", self.url, self.username, self.password, kind="harbor")
        self.settle()
        self.open_to_others()
        admin, member, stranger = (self.enter(Person(self.daemon.socket, uid))
                                   for _, uid, _ in people)
        foreign = self.create("--ttl", "1h")  # at the platform's
        space = f"/v1/spaces/{self.space('tenant~harbor', self.project)}"
        made = admin.ask("POST", f"{space}/logins", {"ttl_s": 3600}, Prefer="wait=60")
        self.assertIn(made.status, (200, 202), made.body)
        path = self.done(self.api.get(f"/v1/operations/{made.body['id']}"))["result"]["login"]
        for listing in ("/v1/logins", f"{space}/logins"):
            page = admin.get(listing)
            self.assertEqual(([path], 1), ([f"/v1/logins/{one['id']}" for one in page["items"]],
                                           page["total"]))
        self.assertEqual("tenant~harbor", admin.get(path)["integration"])
        self.assertEqual(2, len([one for one in self.logins() if one["state"] == "active" and one[
            "id"] in (foreign["id"], path.rpartition("/")[2])]))
        absent = "/v1/logins/00000000-0000-4000-8000-000000000000"
        for person, status in ((member, 403), (stranger, 404)):
            for method, target in (("GET", path), ("DELETE", path), ("DELETE", path + "/secret")):
                answer = person.ask(method, target, None, If_Match="*")
                self.assertEqual(status, answer.status, answer.body)
            self.assertEqual(status, person.ask("POST", f"{space}/logins", {}).status)
        self.assertEqual(0, stranger.get("/v1/logins")["total"])
        for method, suffix in (("GET", ""), ("DELETE", ""), ("DELETE", "/secret")):
            pair = [{**admin.ask(method, one + suffix, None, If_Match="*").body, "instance": 0}
                    for one in (f"/v1/logins/{foreign['id']}", absent)]
            self.assertEqual(str(pair[1]).replace(absent[11:], ""),
                             str(pair[0]).replace(foreign["id"], ""))
        secret = admin.ask("DELETE", path + "/secret").body
        with Client(self.url, secret["username"], secret["secret"]) as client:
            client.manifest(f"{self.project}/app", "1")
        gone = admin.ask("DELETE", path, None, If_Match="*", Prefer="wait=60")
        self.assertIn(gone.status, (200, 202), gone.body)
        self.done(self.api.get(f"/v1/operations/{gone.body['id']}"))
        self.assertEqual(404, admin.ask("GET", path).status)
        self.daemon.ctl_ok("login", "revoke", foreign["id"], "--yes")

    def project_admin(self):
        """A user of Harbor who has this project and no other rights."""
        api, name = self.harbor_api(), "berth-lead"
        api.call("POST", "/users", {"username": name, "email": "lead@example.com",
                                    "realname": "Lead", "password": "Harbor12345a"})
        if not self.standin:
            number = next(one["user_id"] for one in api.call("GET", "/users?page_size=100")
                          if one["username"] == name)
            self.addCleanup(api.call, "DELETE", f"/users/{number}")
        api.call("POST", f"/projects/{self.project}/members",
                 {"role_id": 1, "member_user": {"username": name}})
        return name, "Harbor12345a"

    def test_a_projects_admin_makes_robots_of_that_project(self):
        self.api.post("/v1/workspaces", {"name": "lead"})
        self.daemon.add("lead~harbor", self.url, *self.project_admin(), kind="harbor")
        self.settle()
        where = f"lead~harbor/{self.project}"
        made = json.loads(self.daemon.ctl_ok("login", "create", where, "--ttl", "1h", "-o",
                                             "json"))
        self.assertIn(f"{self.project}+berth-", made["username"])
        with Client(self.url, made["username"], made["secret"]) as client:
            client.manifest(f"{self.project}/app", "1")
        self.daemon.ctl_ok("login", "revoke", made["username"], "--yes")
        with Client(self.url, made["username"], made["secret"]) as client:
            with self.assertRaises(Exception):
                client.manifest(f"{self.project}/app", "1")

    def test_revoking_removes_it_at_the_registry(self):
        made = self.create()
        name = made["username"].partition("$")[2]
        self.assertIn(name, self.robots())
        listed = self.daemon.ctl_ok("login", "list", self.where())
        self.assertIn(made["username"], listed)
        self.daemon.ctl_ok("login", "revoke", made["username"], "--yes")
        self.assertNotIn(name, self.robots())
        self.refused(404, "not-found", "GET", f"/v1/logins/{made['id']}")
        done = self.daemon.ctl("login", "revoke", made["username"], "--yes")
        self.assertEqual(3, done.returncode, done.stderr)

    def test_what_is_gone_at_the_registry_is_revoked_without_error(self):
        made = self.create()
        name = made["username"].partition("$")[2]
        row = next(row for row in self.harbor_api().call(
            "GET", "/robots?page_size=100&q=" + quote("name=~" + name)))
        self.harbor_api().call("DELETE", f"/robots/{row['id']}")
        self.daemon.ctl_ok("login", "revoke", made["id"], "--yes")
        self.refused(404, "not-found", "GET", f"/v1/logins/{made['id']}")

    def test_when_its_time_is_over_it_goes_by_itself(self):
        made = self.create("--ttl", "1s")
        wait_until(lambda: made["id"] not in [row["id"] for row in self.logins()],
                   "the login is gone", 120)
        self.assertNotIn(made["username"].partition("$")[2], self.robots())

    def test_a_dry_run_makes_none(self):
        before = self.robots(), self.logins()
        self.daemon.ctl_ok("login", "create", self.where(), "--dry-run")
        self.assertEqual(before, (self.robots(), self.logins()))
        made = self.create()
        path = f"/v1/logins/{made['id']}"
        self.daemon.ctl_ok("login", "revoke", made["id"], "--dry-run")
        self.assertEqual("active", self.api.get(path)["state"])
        self.refused(428, "precondition-required", "DELETE", path)
        self.refused(412, "precondition-failed", "DELETE", path, If_Match='"of another"')
        self.daemon.ctl_ok("login", "revoke", made["id"], "--yes")

    def test_an_integration_with_logins_is_not_deleted(self):
        made = self.create()
        problem = self.refused(409, "in-use", "DELETE", "/v1/integrations/harbor", If_Match="*")
        self.assertIn("login", problem["detail"])
        self.daemon.ctl_ok("login", "revoke", made["id"], "--yes")

    def test_bad_requests_are_refused_with_their_pointers(self):
        space = self.space("harbor", self.project)
        for body, pointer in (({"ttl_s": 0}, "/ttl_s"), ({"rights": ["delete"]}, "/rights/0"),
                              ({"rights": []}, "/rights"), ({"name": "x"}, "/name")):
            problem = self.refused(422, "validation-failed", "POST",
                                   f"/v1/spaces/{space}/logins", body)
            self.assertEqual([pointer], self.pointers(problem))


class Lost(LoginCase):
    """Answers that never came: the intent was stored, the name finds it."""

    standin_only = True
    config = "jobs: { restart_ms = 20; restart_max_ms = 100; };\n"

    def begin(self):
        """A login whose robot is made and whose answer is held; (operation, gate)."""
        gate = self.faults.hold(path="/robots", method="POST")
        self.addCleanup(gate.open.set)
        space = self.space("harbor", self.project)
        operation = self.api.post(f"/v1/spaces/{space}/logins", {"ttl_s": 3600})
        self.assertTrue(gate.reached.wait(60), "the robot was not asked for")
        self.assertEqual(1, len(self.robots()))
        return operation, gate

    def test_spaces_of_two_registries_are_refused(self):
        self.daemon.add("plain", self.registry)
        self.settle()
        done = self.daemon.ctl("login", "create", self.where(), "plain/default")
        self.assertEqual(2, done.returncode, done.stderr)
        self.assertIn("expected a space of harbor", done.stderr)
        self.daemon.ctl_ok("integration", "delete", "plain", "--yes")

    def test_a_crash_between_the_answer_and_our_commit_leaves_no_robot(self):
        operation, gate = self.begin()
        self.daemon.kill()
        gate.open.set()
        self.daemon.start()
        self.assertEqual("interrupted", self.api.wait(operation)["state"])
        self.nothing_is_left()

    def test_a_lost_worker_leaves_no_robot(self):
        operation, gate = self.begin()
        for pid in descendants(self.daemon.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        gate.open.set()
        self.assertNotEqual("succeeded", self.api.wait(operation)["state"])
        self.nothing_is_left()

    def test_a_cancelled_creation_leaves_no_robot(self):
        operation, gate = self.begin()
        self.ask("DELETE", f"/v1/operations/{operation['id']}")
        gate.open.set()
        self.api.wait(operation)
        wait_until(lambda: not [row for row in self.logins() if row["state"] == "making"],
                   "the row is settled")
        for row in self.logins():
            if row["state"] == "active":  # it had won the race
                self.daemon.ctl_ok("login", "revoke", row["id"], "--yes")
        self.nothing_is_left()

    def test_a_refusal_leaves_no_row_and_says_why(self):
        for fault in ("403", "read-only"):
            with self.subTest(fault):
                before = {row["id"] for row in self.logins()}
                self.faults.add(fault, path="/robots", method="POST", times=2)  # system's, project's
                done = self.daemon.ctl("login", "create", self.where())
                self.assertNotEqual(0, done.returncode)
                self.assertIn("cannot make robot", done.stderr)
                self.assertFalse({row["id"] for row in self.logins()} - before)
                self.faults.clear()

    def test_a_broken_answer_is_an_error_and_is_cleaned_up(self):
        for fault in ("500 html", "200 html", "200 empty", "200 cut"):
            with self.subTest(fault):
                self.faults.add(fault, path="/robots", method="POST", times=1)
                done = self.daemon.ctl("login", "create", self.where())
                self.assertNotEqual(0, done.returncode)
                self.faults.clear()
        self.assertFalse([row for row in self.logins() if row["state"] == "active"])
        self.nothing_is_left()

    def test_a_revocation_that_fails_is_done_by_the_next(self):
        made = self.create()
        self.faults.add("503 upgrade", path="/robots", method="DELETE")
        done = self.daemon.ctl("login", "revoke", made["id"], "--yes")
        self.assertNotEqual(0, done.returncode)
        self.assertEqual("revoking", self.api.get(f"/v1/logins/{made['id']}")["state"])
        self.faults.clear()
        self.daemon.ctl_ok("login", "revoke", made["id"], "--yes")
        self.nothing_is_left()


class Many(LoginCase):
    """A hundred that are over cost a request each, and a few more."""

    standin_only = True

    def test_a_hundred_robots_are_cleaned_in_at_most_110_requests(self):
        self.create("--ttl", "1h")
        self.daemon.stop()
        with sqlite3.connect(os.path.join(self.daemon.state, "berth.db")) as store:
            store.execute("UPDATE logins SET expires_ms = 1")
            names = [column[1] for column in store.execute("PRAGMA table_info(logins)")]
            row = dict(zip(names, store.execute("SELECT * FROM logins").fetchone()))
            for number in range(99):
                name = f"berth-{number:012x}"
                permissions = [{"kind": "project", "namespace": self.project, "access": [
                    {"resource": "repository", "action": "pull"}]}]
                made = self.harbor_api().call("POST", "/robots", {
                    "name": name, "level": "system", "duration": 1, "disable": False,
                    "permissions": permissions})
                row.update(id=f"00000000-0000-4000-8000-{number:012x}", name=name,
                           remote_id=str(made["id"]), username=made["name"])
                store.execute(f"INSERT INTO logins ({', '.join(row)}) VALUES "
                              f"({', '.join('?' * len(row))})", list(row.values()))
        store.close()
        self.assertEqual(100, len(self.robots()))
        self.standin.reset_counts()
        self.daemon.start()
        wait_until(lambda: not self.logins(), "all logins are gone", 120)
        asked = [row for row in self.standin.requests
                 if "/robots" in row[1] or row[1].startswith("/c/")]
        self.assertEqual(100, sum(row[0] == "DELETE" for row in asked))
        self.assertLessEqual(len(asked), 110)
        self.assertEqual([], self.robots())


class EveryWrite(LoginCase):
    """berthd dies before the n-th of its writes while a login is made and revoked:
    afterwards the robots are those of the rows."""

    standin_only = True
    runs = 8

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SHIM):
            raise unittest.SkipTest("the fault shim is not built")
        super().setUpClass()
        cls.daemon.stop()

    def fresh(self, name, **env):
        daemon = Daemon(os.path.join(self.dir, name), env={
            "LD_PRELOAD": SHIM, "BERTH_FAULT_SKIP": "--worker", **env})
        shutil.copytree(self.daemon.state, daemon.state)
        os.chmod(daemon.state, 0o700)
        daemon.api = CheckedApi(daemon.socket)
        self.addCleanup(daemon.stop)
        return daemon

    def story(self, daemon):
        """Makes one login that stays and one that is revoked; True: to its end."""
        api = daemon.api
        try:
            space = next(row["id"] for row in api.get("/v1/spaces")["items"]
                         if row["name"] == self.project)
            for is_revoked in (False, True):
                done = api.run(f"/v1/spaces/{space}/logins", {"ttl_s": 3600})
                path = done["result"]["login"]
                api.call("DELETE", path + "/secret")
                if is_revoked:
                    api.wait(api.call("DELETE", path, If_Match="*"))
            return True
        except (OSError, http.client.HTTPException):
            return False

    def agree(self, daemon):
        """No row is in between that could still be settled, and each robot has a row."""
        rows = self.logins(daemon.api)
        robots = self.robots()
        return robots == sorted(row["name"] for row in rows if row["state"] == "active")

    def count(self):
        path = os.path.join(self.dir, "writes")
        daemon = self.fresh("count", BERTH_FAULT="count", BERTH_FAULT_COUNT=path)
        daemon.start()
        self.assertTrue(self.story(daemon))
        self.clear(daemon)
        daemon.stop()
        with open(path, encoding="ascii") as file:
            return int(file.read())

    def clear(self, daemon):
        """Revokes all; a creation that the restart took up again may end meanwhile."""
        def is_clear():
            for row in self.logins(daemon.api):
                if row["state"] == "active":
                    daemon.api.wait(daemon.api.call("DELETE", f"/v1/logins/{row['id']}",
                                                    If_Match="*"))
            making = [row for row in self.logins(daemon.api) if row["state"] == "making"]
            return not making and not self.robots()

        wait_until(is_clear, "no robot is left", 120)

    def test_after_a_kill_at_any_write_robots_and_rows_agree(self):
        total = self.count()
        self.assertGreater(total, 20)
        for at in range(1, total + 1, max(1, total // self.runs)):
            with self.subTest(at=at):
                daemon = self.fresh(f"at{at}", BERTH_FAULT=f"kill:{at}")
                try:
                    daemon.start()
                except (AssertionError, OSError, http.client.HTTPException):
                    pass
                else:
                    self.story(daemon)
                daemon.kill()
                daemon.env = {}
                daemon.start()
                wait_until(lambda: self.agree(daemon), "robots and rows agree", 120)
                self.clear(daemon)
                daemon.stop()


if __name__ == "__main__":
    unittest.main()
