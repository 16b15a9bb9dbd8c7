# SPDX-License-Identifier: Apache-2.0
"""What Harbor, or a proxy before it, can do wrong: each has a sentence of its
own that says what to do. All through berthctl, at the stand-in."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from berthtest import Client, Image  # noqa: E402
from berthtest.harborcase import HarborCase  # noqa: E402
from berthtest.images import random_layer  # noqa: E402


def image(seed):
    return Image([random_layer(seed, 600)])


class Case(HarborCase):
    standin_only = True

    def setUp(self):
        self.addCleanup(self.faults.clear)
        self.addCleanup(self.world.down.clear)

    def said(self, *args):
        """What berthctl says of a command that must fail."""
        done = self.daemon.ctl(*args)
        self.assertNotEqual(0, done.returncode, done.stdout)
        return done.stdout + done.stderr

    def add(self, name, username=None, secret=None):
        return ("integration", "add", name, "--kind", "harbor", "--address", self.url,
                "--username", username or self.username, "--password-file",
                secret or self.secret_file)


class Proof(Case):
    """What is wrong is said before an integration is saved."""

    integrate = False

    def test_every_fault_has_its_own_sentence(self):
        for fault, path, words in (
                ("500 html", "/api/", "a proxy before Harbor failed"),
                ("500", "users/current", "internal server error"),
                ("502", "/api/", "is Harbor's core running"),
                ("503 upgrade", "/c/login", "down or in upgrade"),
                ("504", "/api/", "did not answer the proxy before it in time"),
                ("404", "/api/", "is a path prefix missing"),
                ("413", "/c/login", "client_max_body_size"),
                ("429 far", "/api/", "limits how often"),
                ("csrf", "/api/", "CSRF token: a proxy before it drops cookies"),
                ("401", "users/current", "does not know the session that it has just opened"),
                ("200 error", "/api/", "an error under a status of success"),
                ("200 empty", "/api/", "an empty answer"),
                ("200 html", "/api/", "an HTML page in place of JSON"),
                ("200 cut", "/api/", "not JSON"),
                ("200 html", "", "not a Harbor"),
                ("login page", "/c/login", "https://sso.example.com/login"),
                ("login page", "/api/", "https://sso.example.com/login")):
            with self.subTest(fault=fault, path=path):
                self.faults.clear()
                self.faults.add(fault, path=path)
                said = self.said(*self.add("faulty"))
                self.assertIn(words, said)
                self.assertNotIn(self.password, said)
        self.assertNotIn("faulty", self.names("/v1/integrations"))

    def test_nor_is_one_that_went_down_just_now(self):
        """What Harbor says of its health is up to ten seconds old."""
        self.world.down.add("database")
        self.world.health_is_old = True
        self.addCleanup(setattr, self.world, "health_is_old", False)
        self.assertIn("database is down", self.said(*self.add("faulty")))

    def test_a_database_that_is_down_is_no_wrong_password(self):
        self.world.down.add("database")
        said = self.said(*self.add("faulty"))
        self.assertIn("database is down", said)
        self.assertNotIn("wrong name or password", said)

    def test_a_wrong_password_is_one(self):
        other = os.path.join(self.dir, "other")
        with open(other, "w", encoding="utf-8") as file:
            file.write("Wrong-Zq81\n")
        os.chmod(other, 0o600)
        said = self.said(*self.add("faulty", secret=other))
        self.assertIn("wrong name or password, or locked", said)
        self.assertNotIn("Wrong-Zq81", said)

    def test_a_refused_robot_and_an_eaten_authorization_are_told_apart(self):
        self.assertIn("wrong secret, disabled, expired or deleted",
                      self.said(*self.add("faulty", "robot$none")))
        self.faults.eats_authorization = True
        self.assertIn("drops the Authorization header",
                      self.said(*self.add("faulty", "robot$none")))

    def test_a_clock_that_is_off_is_logged(self):
        self.world.skew_s = 7200
        self.addCleanup(setattr, self.world, "skew_s", 0)
        done = self.api.post("/v1/integrations", {
            "name": "skewed", "kind": "harbor", "address": self.url, "username": self.username,
            "password": self.password})
        self.done(done)
        said = self.daemon.ctl_ok("operation", "log", done["id"])
        self.assertRegex(said, "Harbor's clock is [0-9]+ s ahead")


class OldOutage(Case):
    """2.5 answers everything with nginx' page when its Redis is down."""

    version = "2.5"
    integrate = False

    def test_a_redis_that_is_down_is_an_outage(self):
        self.world.down.add("redis")
        self.assertIn("down or in upgrade", self.said(*self.add("faulty")))


class Work(Case):
    """Of an integrated Harbor."""

    def test_a_session_that_harbor_has_ended_is_opened_again(self):
        self.refresh()
        self.standin.access.sessions.clear()
        self.standin.access.csrf.clear()
        type(self)._api = None
        self.refresh()
        project = self.name("ended", public=False)
        self.push(project, "app", image("ended"), "1.0", "2.0")
        self.refresh()
        self.standin.access.csrf.clear()  # the key of the cookies changed
        type(self)._api = None
        self.daemon.ctl_ok("image", "delete", f"harbor/{project}/app:1.0", "--yes")

    def test_a_read_only_harbor_says_so(self):
        project = self.name("ro", public=False)
        self.push(project, "app", image("ro"), "1.0")
        self.refresh()
        self.world.settings["read_only"] = True
        self.addCleanup(self.world.settings.update, read_only=False)
        self.assertIn("read-only mode",
                      self.said("image", "delete", f"harbor/{project}/app:1.0", "--yes"))

    def test_a_conflict_and_a_precondition_come_with_harbors_words(self):
        project = self.name("refused", public=False)
        self.push(project, "app", image("refused"), "1.0")
        self.refresh()
        for fault, words in (("409", "the object was changed meanwhile"),
                             ("412", "another artifact refers to it")):
            self.faults.clear()
            self.faults.add(fault, path="/tags/1.0", method="DELETE")
            self.assertIn(words, self.said("image", "delete", f"harbor/{project}/app:1.0",
                                           "--yes"))

    def test_a_full_project_is_told_before_it_is_called_denied(self):
        source = self.name("source", public=False)
        self.push(source, "app", image("quota"), "1.0")
        self.standin.add_project("tiny", limit=10)
        self.refresh()
        said = self.said("copy", f"harbor/{source}/app:1.0", "harbor/tiny/app:1.0")
        self.assertIn("quota", said)

    def test_a_copy_into_a_project_that_is_not_there_names_it(self):
        source = self.name("there", public=False)
        self.push(source, "app", image("there"), "1.0")
        self.refresh()
        said = self.said("copy", f"harbor/{source}/app:1.0", "harbor/notthere/app:1.0")
        self.assertIn("notthere", said)
        self.assertNotIn("password", said)

    def test_deleted_renamed_and_made_again_projects(self):
        old = self.name("old", public=False)
        self.push(old, "app", image("old"), "1.0")
        self.refresh()
        first = self.space("harbor", old)
        with self.world.lock:
            row = self.world.project(old)
            row.name = old + "-new"  # as nobody can at a real one, but for its database
            for repository in list(self.world.of_project(row)):
                self.world.drop_repository(repository)
        self.refresh()
        self.assertIn(old + "-new", self.names("/v1/integrations/harbor/spaces?limit=500"))
        self.assertEqual([], self.names(f"/v1/spaces/{first}/images"))
        self.standin.add_project(old)
        self.push(old, "other", image("again"), "2.0")
        self.refresh()
        again = self.space("harbor", old)
        self.assertEqual([f"{old}/other"], self.names(f"/v1/spaces/{again}/images"))

    def test_long_and_odd_names_are_read_and_deleted(self):
        project = self.name("odd", public=False)
        long = "/".join(["n" * 60] * 3) + "/" + "e" * 40
        self.assertEqual(223, len(long))
        for name in (long, "a/b/c", "x__y.z-w"):
            self.push(project, name, image(name), "1.0")
        self.refresh()
        for name in (long, "a/b/c", "x__y.z-w"):
            found = json.loads(self.daemon.ctl_ok("image", "show",
                                                  f"harbor/{project}/{name}:1.0", "-o", "json"))
            self.assertEqual(image(name).digest, found["digest"])
            self.daemon.ctl_ok("image", "delete", f"harbor/{project}/{name}:1.0", "--yes")
            with Client(self.url, *self.login) as client:
                self.assertEqual([], client.tags(f"{project}/{name}"))

    def test_a_list_that_changes_while_it_is_read_loses_nothing(self):
        for number in range(130):
            self.standin.add_project(f"shift-{number:03}")
        gone = []

        def shift(rows):
            """After page 1 a project of it goes, and one of page 2 moves up."""
            if not gone:
                gone.append(self.world.project("shift-000"))
                del self.world.projects[gone[0].id]
            return rows
        self.faults.shuffle("^/projects$", 1, shift)
        self.refresh()
        names = self.names("/v1/integrations/harbor/spaces?limit=500")
        self.assertLessEqual({f"shift-{n:03}" for n in range(1, 130)}, set(names))
        self.assertEqual(len(names), len(set(names)))

    def test_an_item_that_comes_twice_is_one(self):
        for number in range(110):
            self.standin.add_project(f"twice-{number:03}")
        self.faults.shuffle("^/projects$", 2, lambda rows: [
            self.world.project("twice-000"), *rows])
        self.refresh()
        names = self.names("/v1/integrations/harbor/spaces?limit=500")
        self.assertEqual(1, names.count("twice-000"))

    def test_a_limit_on_requests_is_waited_for(self):
        self.faults.add("429", path="/projects", times=1)
        self.refresh()
        self.assertIsNone(self.faults.find("GET", "/api/v2.0/projects"))

    def test_a_limit_on_requests_says_when_to_come_again(self):
        self.faults.add("429", path="/projects")
        said = self.said("integration", "refresh", "harbor")
        self.assertIn("limits how often", said)
        self.assertIn("try again in 1 s", said)

    def test_an_immutable_tag_is_no_missing_right_to_a_copy(self):
        project, target = self.name("im", public=False), self.name("kept", public=False)
        self.push(project, "app", image("new"), "1.0")
        self.push(target, "app", image("old one"), "1.0")
        self.harbor_api().call("POST", f"/projects/{target}/immutabletagrules", {
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
            "scope_selectors": {"repository": [{"kind": "doublestar", "pattern": "**",
                                                "decoration": "repoMatches"}]}})
        self.refresh()
        self.assertIn("keeps the tag as it is", self.said(
            "copy", f"harbor/{project}/app:1.0", f"harbor/{target}/app:1.0"))


del Case

if __name__ == "__main__":
    unittest.main()
