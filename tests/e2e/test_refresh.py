# SPDX-License-Identifier: Apache-2.0
"""The index read in parts: one space, repositories by name, and what a hint is about."""

import os
import sys
import threading
import unittest

from berthtest import Client, Daemon, Image, Registry, workdir
from berthtest.images import random_layer
from berthtest.openapi import CheckedApi
from berthtest.proc import wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hostile"))
from server import Server, error  # noqa: E402

CONFIG = "integrations: { refresh_period_s = 0; };\nnet: { tries = 1; backoff_ms = 1; };\n"


class Case(unittest.TestCase):
    def begin(self, source):
        self.daemon = Daemon(os.path.join(self.dir, "berth"), config=CONFIG)
        self.daemon.api = self.api = CheckedApi(self.daemon.socket)
        self.addCleanup(self.daemon.stop)
        self.daemon.start()
        self.daemon.add("hub", source)

    def indexed(self):
        items = self.api.get("/v1/images?limit=100")["items"]
        return sorted(f"{item['repository']}:{item['tag']}" for item in items)

    def start(self, **part):
        return self.api.post("/v1/integrations/hub/refresh", part)["id"]

    def refresh(self, **part):
        done = self.api.wait(self.start(**part))
        self.assertEqual("succeeded", done["state"], done)
        return done["result"]


class Parts(Case):
    """At a real registry."""

    def setUp(self):
        self.dir = workdir(self)
        self.hub = Registry(os.path.join(self.dir, "hub"))
        self.hub.__enter__()
        self.addCleanup(self.hub.__exit__, None, None, None)
        self.push("team/app", "1", "2")
        self.push("team/web", "1")
        self.push("other/lib", "1")
        self.begin(self.hub)

    def push(self, repository, *tags):
        with Client(self.hub.url) as client:
            for tag in tags:
                client.push(repository, Image([random_layer(repository + tag, 1000)]), tag)

    def asked(self, since):
        return sorted({path.split("?")[0] for _, path, *_ in self.hub.requests(since)} - {"/v2/"})

    def test_repositories_by_name_are_read_alone(self):
        self.push("team/app", "3")
        self.push("team/web", "2")
        self.push("team/new", "1")
        before = len(self.hub.requests())
        done = self.refresh(repositories=["team/app", "team/new"])
        self.assertEqual({"repositories": 2, "tags": 4}, done)
        self.assertEqual(["/v2/team/app/tags/list", "/v2/team/new/tags/list"], self.asked(before))
        self.assertEqual(["other/lib:1", "team/app:1", "team/app:2", "team/app:3", "team/new:1",
                          "team/web:1"], self.indexed())
        index = self.api.get("/v1/integrations/hub")["status"]["index"]
        self.assertEqual((4, 6), (index["repositories"], index["tags"]))

    def test_what_is_gone_of_them_goes_and_the_rest_stays(self):
        self.hub.stop()
        where = os.path.join(self.hub.storage, "docker", "registry", "v2", "repositories")
        os.rename(os.path.join(where, "team", "app", "_manifests", "tags", "1"),
                  os.path.join(self.dir, "a tag"))
        os.rename(os.path.join(where, "team", "web"), os.path.join(self.dir, "a repository"))
        os.rename(os.path.join(where, "other"), os.path.join(self.dir, "another"))
        self.hub.start()
        self.refresh(repositories=["team/app", "team/web"])
        self.assertEqual(["other/lib:1", "team/app:2"], self.indexed())
        self.refresh()
        self.assertEqual(["team/app:2"], self.indexed())

    def test_a_declared_space_is_read_alone(self):
        self.api.post("/v1/spaces", {"integration": "hub", "name": "team"})
        age = self.api.get("/v1/integrations/hub")["status"]["index"]["at"]
        self.push("team/new", "1")
        self.push("teams/new", "1")
        self.push("other/lib", "2")
        done = self.refresh(space="team")
        self.assertEqual({"repositories": 3, "tags": 4}, done)
        self.assertEqual(["other/lib:1", "team/app:1", "team/app:2", "team/new:1", "team/web:1"],
                         self.indexed())
        self.assertEqual(age, self.api.get("/v1/integrations/hub")["status"]["index"]["at"])
        spaces = {one["name"]: one["status"]["repositories"]
                  for one in self.api.get("/v1/spaces")["items"]}
        self.assertEqual({"team": 3, "default": 1}, spaces)
        self.daemon.ctl_ok("integration", "refresh", "hub", "--space", "default")
        self.assertIn("teams/new:1", self.indexed())

    def test_counts_are_of_now_after_a_copy_and_a_deletion(self):
        self.api.wait(self.api.post("/v1/copies", {"source": "hub/team/app:1",
                                                   "target": "hub/team/copied:1"}))
        seen = self.api.get("/v1/integrations/hub/overview")
        self.assertEqual((4, 5), (seen["repositories"], seen["tags"]))
        self.daemon.ctl_ok("image", "delete", "hub/team/copied:1", "--yes")
        seen = self.api.get("/v1/integrations/hub/overview")
        self.assertEqual((4, 4), (seen["repositories"], seen["tags"]))
        index = self.api.get("/v1/integrations/hub")["status"]["index"]
        self.assertEqual((4, 4), (index["repositories"], index["tags"]))

    def test_wrong_parts_are_refused(self):
        for part, pointer in (({"space": "absent"}, "/space"),
                              ({"repositories": ["team/app", "Bad Name"]}, "/repositories/1"),
                              ({"space": "default", "repositories": ["a"]}, "/repositories"),
                              ({"repositories": []}, "/repositories")):
            answer = self.api.request("POST", "/v1/integrations/hub/refresh", part)
            self.assertEqual((422, pointer),
                             (answer.status, answer.body["errors"][0]["pointer"]), part)

    def test_the_command_takes_repositories(self):
        self.push("team/app", "3")
        self.push("other/lib", "2")
        self.daemon.ctl_ok("integration", "refresh", "hub", "--repository", "team/app",
                           "--repository", "other/lib")
        self.assertLess({"other/lib:2", "team/app:3"}, set(self.indexed()))

    def test_a_hint_is_read_within_seconds_and_many_at_once(self):
        self.push("team/app", "3")
        self.push("team/web", "2")
        before = len(self.hub.requests())
        for name in ("team/app", "team/web", "team/app", "Bad Name"):
            self.api.call("POST", "/v1/changes", {"integration": "hub",
                                                  "changes": [{"repository": name}]})
        wait_until(lambda: {"team/app:3", "team/web:2"} < set(self.indexed()), "both are found")
        self.assertEqual(["/v2/team/app/tags/list", "/v2/team/web/tags/list"], self.asked(before))
        refreshes = self.api.get("/v1/operations?filter=kind%20eq%20'refresh'")["items"]
        self.assertEqual(2, len(refreshes), "the first whole one and one of both hints")


class Faults(Case):
    """A registry that fails in the middle: made up, since a real one does not on demand."""

    def setUp(self):
        self.dir = workdir(self)
        self.server = Server()
        self.addCleanup(self.server.stop)
        for name in ("a", "b", "c"):
            self.server.registry.tags[name] = {"1": "sha256:" + "0" * 64}
        self.begin(self.server)

    def test_one_that_fails_drops_nothing(self):
        for name in ("a", "b", "c"):
            self.server.registry.tags[name]["2"] = "sha256:" + "1" * 64
            del self.server.registry.tags[name]["1"]
        self.server.rules.append(("tags", lambda server, request, good:
                                  error(500, "UNKNOWN") if request.name == "b" else None))
        done = self.api.wait(self.start(repositories=["a", "b", "c"]))
        self.assertEqual(("failed", "unavailable"), (done["state"], done["error"]["code"]))
        self.assertEqual(["a:1", "a:2", "b:1", "c:1"], self.indexed())
        self.assertNotIn("error", self.api.get("/v1/integrations/hub")["status"]["index"])

    def test_after_kill_9_it_goes_on_with_its_part_alone(self):
        hung, go_on = threading.Event(), threading.Event()

        def act(server, request, good):
            if not hung.is_set():
                hung.set()
                go_on.wait(120)
            return good()
        for name in ("a", "b"):
            self.server.registry.tags[name] = {"2": "sha256:" + "1" * 64}
        self.server.rules.append(("tags", act))
        started = self.start(repositories=["a"])
        self.assertTrue(hung.wait(120))
        before = self.server.counts["tags"]
        self.daemon.kill()
        self.daemon.start()
        go_on.set()
        done = self.api.wait(started)
        self.assertEqual(("succeeded", 2), (done["state"], done["attempts"]))
        self.assertEqual(["a:2", "b:1", "c:1"], self.indexed())
        self.assertEqual(before + 1, self.server.counts["tags"])

    def test_a_part_that_was_read_later_is_not_put_back_by_a_whole_look(self):
        """The whole look has what c was, and waits before it is told so."""
        hung, go_on = threading.Event(), threading.Event()

        def act(server, request, good):
            answer = good()
            if request.name == "c" and not hung.is_set():
                hung.set()
                go_on.wait(120)
            return answer
        self.server.rules.append(("tags", act))
        whole = self.start()
        self.assertTrue(hung.wait(120))
        self.server.registry.tags["c"] = {"3": "sha256:" + "2" * 64}
        self.refresh(repositories=["c"])
        self.assertEqual(["a:1", "b:1", "c:3"], self.indexed())
        go_on.set()
        self.assertEqual("succeeded", self.api.wait(whole)["state"])
        self.assertEqual(["a:1", "b:1", "c:3"], self.indexed())


if __name__ == "__main__":
    unittest.main()
