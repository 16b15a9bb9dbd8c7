# SPDX-License-Identifier: Apache-2.0
"""Copy rules that run when their source changes. A rule that is edited is looked at
at once, and the wall clock is moved by the fault shim: nothing waits for a period."""

import datetime
import os
import unittest

from berthtest import Client, Daemon, Image, Link, Registry, proc, workdir
from berthtest.images import random_layer
from berthtest.openapi import CheckedApi
from berthtest.proc import wait_until

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
CONFIG = ("jobs: { restart_ms = 20; restart_max_ms = 100; };\n"
          "net: { tries = 1; backoff_ms = 1; };\n"
          "operations: { keep_days = 3650; };\n")  # whatever the clock says
LATER = f"clock:{400 * 86400}"
DAY = 86400


class Watching(unittest.TestCase):
    def setUp(self):
        self.dir = folder = workdir(self)
        self.hub = self.enter(Registry(os.path.join(folder, "hub")))
        self.lab = self.enter(Registry(os.path.join(folder, "lab")))
        self.daemon = Daemon(os.path.join(folder, "berth"), config=CONFIG)
        self.daemon.api = self.api = CheckedApi(self.daemon.socket)
        self.addCleanup(self.daemon.stop)
        self.daemon.start()
        self.daemon.add("hub", self.hub)
        self.daemon.add("lab", self.lab)
        self.edits = 0

    def enter(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def push(self, repository, *tags):
        with Client(self.hub.url) as client:
            for tag in tags:
                client.push(repository, Image([random_layer(repository + tag, 1000)]), tag)

    def at_lab(self, repository):
        with Client(self.lab.url) as client:
            return sorted(client.tags(repository))

    def again(self, fault=None):
        self.daemon.stop()
        if fault and not os.path.exists(SHIM):
            self.skipTest("the fault shim is not built")
        self.daemon.env = {"LD_PRELOAD": SHIM, "BERTH_FAULT": fault} if fault else {}
        self.daemon.start()

    def make(self, name, **more):
        rule = self.api.post("/v1/syncs", {
            "name": name, "source": "hub", "target": f"lab/{name}", "on_change": True,
            "poll_period_s": DAY, **more})
        self.wait_look(name)
        return rule

    def status(self, name):
        return self.api.get(f"/v1/syncs/{name}")["status"]

    def wait_look(self, name):
        """Until the next look is not near, so the last one was at the rule as it is."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        wait_until(lambda: self.seconds(now, self.status(name)["watch"]["next_look_at"]) > 500,
                   "it was looked at")

    @staticmethod
    def seconds(since, until):
        since, until = (datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
                        for text in (since, until))
        return (until - since).total_seconds()

    def look(self, name):
        """An edit, and the look that follows from it."""
        self.edits += 1
        answer = self.api.request("PATCH", f"/v1/syncs/{name}",
                                  {"description": f"edit {self.edits}"}, {"If-Match": "*"})
        self.assertEqual(200, answer.status)
        self.wait_look(name)

    def runs(self, name):
        """Newest last."""
        found = self.api.get(f"/v1/syncs/{name}/runs")["items"]
        return [(run["started_by"], run["state"]) for run in reversed(found)]

    def wait_runs(self, name, *expected):
        wait_until(lambda: self.runs(name) == [("change", state) for state in expected],
                   f"its runs are {expected}")

    def test_a_new_tag_and_a_moved_one_run_the_rule_and_nothing_else_does(self):
        self.push("app", "1", "debug")
        rule = self.make("live", exclude_tags=["debug*"])
        self.assertEqual((True, DAY), (rule["on_change"], rule["poll_period_s"]))
        self.wait_runs("live", "succeeded")
        self.assertEqual(["1"], self.at_lab("live/app"))
        self.look("live")
        self.push("app", "debug2")
        self.look("live")
        self.assertEqual([("change", "succeeded")], self.runs("live"))
        self.push("app", "2")
        self.look("live")
        self.wait_runs("live", "succeeded", "succeeded")
        self.assertEqual(["1", "2"], self.at_lab("live/app"))
        with Client(self.hub.url) as client:
            moved = client.push("app", Image([random_layer("moved", 500)]), "1").digest
        self.look("live")
        self.wait_runs("live", "succeeded", "succeeded", "succeeded")
        with Client(self.lab.url) as client:
            self.assertEqual(moved, client.digest("live/app", "1"))
        watch = self.status("live")["watch"]
        self.assertEqual((2, 0), (watch["images"], watch["failures"]))
        self.assertIn("changed_at", watch)
        audited = {row["action"] for row in self.api.get("/v1/audit?limit=1000")["items"]}
        self.assertIn("operation.sync-run", audited)
        self.assertNotIn("operation.sync-look", audited)

    def test_what_changed_while_berthd_was_down_is_found_by_the_first_look(self):
        self.make("missed")
        self.assertEqual([], self.runs("missed"))
        self.daemon.stop()
        self.push("app", "1", "2")
        self.again(LATER)
        self.wait_runs("missed", "succeeded")
        self.assertEqual(["1", "2"], self.at_lab("missed/app"))
        shown = self.status("missed")["watch"]["next_look_at"]
        self.again()
        wait_until(lambda: self.status("missed")["watch"]["next_look_at"] < shown,
                   "a clock that was put back is heeded")
        self.assertEqual([("change", "succeeded")], self.runs("missed"))

    def test_a_source_out_of_reach_is_shown_and_looked_at_later_and_later(self):
        self.push("app", "1")
        self.make("away", poll_period_s=1000)
        self.wait_runs("away", "succeeded")
        self.hub.stop()
        self.look("away")
        first = self.status("away")["watch"]
        self.assertGreaterEqual(first["failures"], 1)
        self.assertIn("message", first["error"])
        self.look("away")
        second = self.status("away")["watch"]
        self.assertGreater(second["failures"], first["failures"])
        self.assertGreater(self.seconds(second["looked_at"], second["next_look_at"]), 1500)
        self.hub.start()
        self.push("app", "2")
        self.look("away")
        self.wait_runs("away", "succeeded", "succeeded")
        watch = self.status("away")["watch"]
        self.assertEqual((0, None), (watch["failures"], watch.get("error")))

    def test_a_run_under_way_is_joined_and_what_it_missed_is_found_after_it(self):
        self.push("small", "1")
        with Client(self.hub.url) as client:
            client.push("big", Image([random_layer("big", 2_000_000)]), "1")
        link = self.enter(Link(os.path.join(self.dir, "link"), self.lab, rate=10_000))
        self.daemon.add("slow", link.url)
        self.make("joined", target="slow/joined")
        wait_until(lambda: self.runs("joined") == [("change", "running")], "it runs")
        operation = self.api.get("/v1/syncs/joined/runs")["items"][0]["operation"]
        wait_until(lambda: self.api.get(f"/v1/operations/{operation}").get("progress", {})
                   .get("stage"), "it has read its lists")
        self.push("small", "2")
        self.look("joined")
        self.assertEqual([("change", "running")], self.runs("joined"))
        self.assertEqual(0, self.status("joined")["watch"]["failures"])
        link.set(rate=0)
        self.wait_runs("joined", "succeeded", "succeeded")
        self.assertEqual(["1", "2"], self.at_lab("joined/small"))

    def test_a_run_that_failed_comes_again_although_nothing_changed(self):
        self.push("app", "1")
        self.lab.stop()
        self.make("failing")
        self.wait_runs("failing", "failed")
        self.assertIn("retry_at", self.status("failing")["watch"])
        self.look("failing")
        self.assertEqual([("change", "failed")], self.runs("failing"))
        self.lab.start()
        self.again(LATER)
        self.wait_runs("failing", "failed", "succeeded")
        self.assertEqual(["1"], self.at_lab("failing/app"))
        self.assertNotIn("retry_at", self.status("failing")["watch"])

    def tell(self, *changes, integration="hub"):
        return self.api.request("POST", "/v1/changes",
                                {"integration": integration, "changes": list(changes)})

    def test_a_hint_makes_the_rules_look_that_it_may_concern_and_no_others(self):
        self.push("app", "1")
        self.make("live", repositories=["app"], tags=["*"], exclude_tags=["debug*"])
        self.make("other", repositories=["lib/**"])
        self.wait_runs("live", "succeeded")
        self.push("app", "2")
        looked = self.status("other")["watch"]["looked_at"]
        for wrong in ({"repository": "web"}, {"repository": "app", "tag": "debug1"}):
            self.assertEqual(204, self.tell(wrong).status)
            watch = self.status("live")["watch"]
            self.assertGreater(self.seconds(watch["looked_at"], watch["next_look_at"]), 500)
        self.assertEqual(204, self.tell({"repository": "web"},
                                        {"repository": "app", "tag": "2"}).status)
        self.wait_runs("live", "succeeded", "succeeded")
        self.assertEqual(["1", "2"], self.at_lab("live/app"))
        self.assertEqual(looked, self.status("other")["watch"]["looked_at"])
        self.assertEqual(0, self.daemon.ctl("integration", "changed", "hub").returncode)
        wait_until(lambda: self.status("other")["watch"]["looked_at"] > looked, "both looked")
        self.assertEqual([("change", "succeeded")] * 2, self.runs("live"))
        answer = self.tell({}, integration="absent")
        self.assertEqual((422, "/integration"), (answer.status,
                                                 answer.body["errors"][0]["pointer"]))
        self.assertEqual(422, self.tell().status)

    def test_a_rule_without_on_change_or_disabled_has_no_watch(self):
        self.make("off")
        self.assertIn("watch", self.status("off"))
        for change, has_watch in (({"enabled": False}, False), ({"enabled": True}, True),
                                  ({"on_change": False}, False)):
            answer = self.api.request("PATCH", "/v1/syncs/off", change, {"If-Match": "*"})
            self.assertEqual((200, has_watch), (answer.status, "watch" in answer.body["status"]))
        answer = self.api.request("PATCH", "/v1/syncs/off", {"poll_period_s": 9},
                                  {"If-Match": "*"})
        self.assertEqual(422, answer.status)

    def test_berthctl_makes_and_shows_such_a_rule(self):
        done = self.daemon.ctl("sync", "create", "live", "--from", "hub", "--to", "lab/live",
                               "--on-change", "--poll-period", "30m")
        self.assertEqual(0, done.returncode, done.stderr)
        self.wait_look("live")
        rule = self.api.get("/v1/syncs/live")
        self.assertEqual((True, 1800), (rule["on_change"], rule["poll_period_s"]))
        shown = self.daemon.ctl("sync", "list", "-o", "wide")
        self.assertIn("ON CHANGE", shown.stdout)
        done = self.daemon.ctl("sync", "edit", "live", "--no-on-change")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertNotIn("watch", self.status("live"))


if __name__ == "__main__":
    unittest.main()
