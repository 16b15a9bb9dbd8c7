# SPDX-License-Identifier: Apache-2.0
"""Copy rules that run by the clock, and plans that are kept: shown, missed, joined,
killed. The wall clock is moved by the fault shim; nothing waits for a time of day."""

import datetime
import http.client
import os
import sqlite3
import unittest

from berthtest import Client, Daemon, Image, Link, Registry, proc, workdir
from berthtest.images import random_layer
from berthtest.openapi import CheckedApi
from berthtest.proc import wait_until

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
CONFIG = "jobs: { restart_ms = 20; restart_max_ms = 100; };\n"
ENDED = ("succeeded", "failed", "cancelled", "interrupted")
LATER = f"clock:{400 * 86400}"
YEARLY = "0 3 1 1 *"


class Clock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.hub = cls.enter(Registry(os.path.join(cls.dir, "hub")))
        cls.lab = cls.enter(Registry(os.path.join(cls.dir, "lab")))
        cls.link = cls.enter(Link(os.path.join(cls.dir, "link"), cls.hub, rate=50_000))
        with Client(cls.hub.url) as client:
            client.push("app", Image([random_layer("small", 1000)]), "1")
            client.push("big", Image([random_layer("big", 2_000_000)]), "1")

    @classmethod
    def enter(cls, context):
        value = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return value

    def setUp(self):
        self.daemon = Daemon(os.path.join(self.dir, self._testMethodName), config=CONFIG)
        self.daemon.api = self.api = CheckedApi(self.daemon.socket)
        self.addCleanup(self.daemon.stop)
        self.daemon.start()
        self.daemon.add("hub", self.hub)
        self.daemon.add("lab", self.lab)

    def again(self, fault=None):
        """A new start, with the fault."""
        self.daemon.stop()
        self.daemon.env = self.faulty(fault) if fault else {}
        self.daemon.start()

    def faulty(self, fault, **more):
        if not os.path.exists(SHIM):
            self.skipTest("the fault shim is not built")
        return {"LD_PRELOAD": SHIM, "BERTH_FAULT": fault, **more}

    def make(self, name, source="hub", **more):
        return self.api.post("/v1/syncs", {"name": name, "source": source, "cron": YEARLY,
                                           "target": f"lab/{name}", **more})

    def next_run(self, name):
        return self.api.get(f"/v1/syncs/{name}")["status"].get("next_run_at")

    def runs(self, name):
        return [(run["started_by"], run["state"])
                for run in self.api.get(f"/v1/syncs/{name}/runs")["items"]]

    def year(self, name):
        """Of the next run, which is on New Year's Day."""
        text = self.next_run(name)
        self.assertEqual("-01-01T03:00:00", text[4:19])
        return int(text[:4])

    def test_the_next_run_is_shown_and_stays_through_other_changes(self):
        rule = self.make("shown", repositories=["app"])
        shown = rule["status"]["next_run_at"]
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertIn(self.year("shown"), (now.year, now.year + 1))
        self.assertGreater(shown, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.assertEqual("UTC", rule["time_zone"])
        for change, expected in (({"description": "x"}, shown), ({"enabled": False}, None),
                                 ({"enabled": True}, shown), ({"cron": ""}, None)):
            answer = self.api.request("PATCH", "/v1/syncs/shown", change, {"If-Match": "*"})
            self.assertEqual((200, expected), (answer.status,
                                               answer.body["status"].get("next_run_at")))

    def test_what_was_missed_runs_once_and_a_clock_put_back_is_heeded(self):
        self.make("missed", repositories=["app"])
        first = self.year("missed")
        self.again(LATER)
        wait_until(lambda: self.runs("missed") == [("cron", "succeeded")], "it ran")
        self.assertGreater(self.year("missed"), first)
        self.again(LATER)
        self.again()
        wait_until(lambda: self.year("missed") == first, "the next run is set anew")
        self.assertEqual([("cron", "succeeded")], self.runs("missed"))

    def test_a_turn_during_a_run_joins_it(self):
        self.daemon.add("slow", self.link.url)
        self.make("joined", source="slow", repositories=["big"])
        first = self.year("joined")
        running = self.api.post("/v1/syncs/joined/runs", None)
        wait_until(lambda: self.api.get(f"/v1/operations/{running['id']}")["state"] == "running",
                   "it runs")
        self.daemon.kill()
        self.daemon.env = self.faulty(LATER)
        self.daemon.start()
        wait_until(lambda: self.year("joined") > first, "its turn came")
        self.assertEqual(["manual"], [by for by, _ in self.runs("joined")])
        self.api.request("DELETE", f"/v1/operations/{running['id']}")
        self.api.wait(running)

    def set_due(self):
        """As if the turn had been missed; the history is forgotten."""
        with sqlite3.connect(os.path.join(self.daemon.state, "berth.db")) as store:
            store.execute("UPDATE sync_rules SET next_run_ms = 1")
            store.execute("DELETE FROM sync_runs")
        store.close()

    def turn(self, fault, **more):
        """One life with a turn that is due; True: it came to the turn's end."""
        self.daemon.stop()
        self.set_due()
        self.daemon.env = self.faulty(fault, BERTH_FAULT_SKIP="--worker", **more)
        try:
            self.daemon.start()
        except (AssertionError, OSError):
            return False
        def over():
            try:
                return not self.daemon.process.is_running() or self.has_run()
            except OSError:
                return True
        wait_until(over, "its turn came, or it died")
        return self.daemon.process.is_running()

    def has_run(self):
        return [state for _, state in self.runs("killed") if state in ENDED]

    def test_killed_at_any_write_a_turn_runs_exactly_once(self):
        self.make("killed", repositories=["app"])
        path = os.path.join(self.dir, "count")
        self.assertTrue(self.turn("count", BERTH_FAULT_COUNT=path))
        self.daemon.stop()
        with open(path, encoding="ascii") as file:
            total = int(file.read())
        for at in range(3, total, max(total // 12, 1)):
            with self.subTest(write=at, of=total):
                self.turn(f"kill:{at}")
                if self.daemon.process.is_running():
                    self.daemon.kill()
                self.daemon.env = {}
                self.daemon.start()
                wait_until(self.has_run, "it ran")
                self.assertEqual([("cron", "succeeded")], self.runs("killed"))
                self.year("killed")

    def store_plan(self, fault, **more):
        """One life in which a plan is stored; its operation, or None."""
        self.daemon.stop()
        self.daemon.env = self.faulty(fault, BERTH_FAULT_SKIP="--worker", **more)
        try:
            self.daemon.start()
            operation = self.api.post("/v1/syncs/planned/plan", {"store": True})
        except (AssertionError, OSError, http.client.HTTPException):
            return None
        try:
            self.api.wait(operation)
        except (OSError, http.client.HTTPException):
            pass
        return operation["id"]

    def test_killed_at_any_write_a_stored_plan_is_whole_or_not_there(self):
        self.make("planned", repositories=["app", "big"])
        path = os.path.join(self.dir, "plan-count")
        self.assertTrue(self.store_plan("count", BERTH_FAULT_COUNT=path))
        self.daemon.stop()
        with open(path, encoding="ascii") as file:
            total = int(file.read())
        for at in range(3, total, max(total // 10, 1)):
            with self.subTest(write=at, of=total):
                operation = self.store_plan(f"kill:{at}")
                if self.daemon.process.is_running():
                    self.daemon.kill()
                self.daemon.env = {}
                self.daemon.start()
                if operation:
                    self.assertEqual("succeeded", self.api.wait(operation)["state"])
                for one in self.api.get("/v1/operations?limit=1000")["items"]:
                    self.api.wait(one)
                for plan in self.api.get("/v1/syncs/planned/plans")["items"]:
                    whole = self.api.get(f"/v1/syncs/planned/plans/{plan['id']}")
                    self.assertEqual((True, 2), (whole["ready"], len(whole["outcomes"])))


if __name__ == "__main__":
    unittest.main()
