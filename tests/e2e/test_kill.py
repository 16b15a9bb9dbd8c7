# SPDX-License-Identifier: Apache-2.0
"""kill -9 of berthd, of its worker, or of both, at every step of an operation:
what was accepted is done, resumed or reported interrupted, and done once.

The walk through berthd's writes takes an even choice of them; BERTH_KILL_STEP=1
in the environment takes every one (some minutes)."""

import http.client
import os
import shutil
import signal
import unittest

from berthtest import Client, Daemon, Link, Registry, proc, sets, workdir
from berthtest.apicase import PASSWORD, key, quote
from berthtest.daemon import descendants
from berthtest.openapi import CheckedApi

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
CONFIG = """
integrations: { probe_period_s = 86400; refresh_period_s = 0; };
jobs: { restart_ms = 20; restart_max_ms = 100; };
"""
ENDED = ("succeeded", "failed", "cancelled", "interrupted")
GONE = (OSError, http.client.HTTPException)


class KillCase(unittest.TestCase):
    """Two registries; a state folder that knows them both, to begin from."""

    rtt_ms = 0

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.hub = cls.enter(Registry(os.path.join(cls.dir, "hub")))
        cls.mirror = cls.enter(Registry(os.path.join(cls.dir, "mirror"),
                                        users={"robot": PASSWORD}))
        cls.link = cls.enter(Link(os.path.join(cls.dir, "link"), cls.mirror, rtt_ms=cls.rtt_ms))
        with Client(cls.hub.url) as client:
            cls.images = sets.push_set(client, sets.demo())
        with Daemon(os.path.join(cls.dir, "base"), config=CONFIG) as daemon:
            daemon.add("hub", cls.hub)
            daemon.add("mirror", cls.link, "robot", PASSWORD)
            proc.wait_until(lambda: all(row["state"] in ENDED for row in daemon.api.get(
                "/v1/operations")["items"]), "all operations ended")
            cls.base = daemon.state
        cls.runs = 0

    @classmethod
    def enter(cls, context):
        value = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return value

    def fresh(self, **env):
        """A daemon, not started, on a copy of the base state; a name for what it copies."""
        type(self).runs += 1
        name = f"run{type(self).runs}"
        daemon = Daemon(os.path.join(self.dir, name), config=CONFIG, env=env)
        daemon.api = CheckedApi(daemon.socket)
        shutil.copytree(self.base, daemon.state)
        os.chmod(daemon.state, 0o700)
        self.addCleanup(daemon.stop)
        return daemon, name

    def target(self):
        return Client(self.mirror.url, "robot", PASSWORD)

    def source_digest(self, repository, tag):
        return next(image.digest for name, version, image in self.images
                    if (name, version) == (repository, tag))

    def deletions(self, name):
        """How often the mirror deleted something of a run's repository."""
        return sum(method == "DELETE" and f"/{name}/" in path and status == 202
                   for method, path, status, _ in self.mirror.requests())

    @staticmethod
    def is_worker(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return b"--worker" in file.read()
        except OSError:
            return False

    def kill(self, who, daemon):
        """The worker is its parent and all its jobs."""
        below = [pid for pid in descendants(daemon.process.pid) if self.is_worker(pid)]
        if who in ("worker", "both"):
            for pid in below:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if who in ("berthd", "both"):
            daemon.kill()
            daemon.start()

    def check_records(self, daemon):
        """The trail is whole, and no operation ended twice."""
        self.assertTrue(daemon.api.get("/v1/audit/verify")["ok"])
        last = {}
        for event in self.events(daemon):
            state = event["data"]["state"]
            if state not in ENDED:
                continue
            # A run that was lost shows as interrupted before it begins again.
            self.assertIn(last.get(event["resource"], "interrupted"), ("interrupted",),
                          f"{event['resource']} ended twice, the second time as {state}")
            last[event["resource"]] = state

    @staticmethod
    def events(daemon):
        found, since = [], 0
        while True:
            page = daemon.api.get(f"/v1/events?types=operation&since={since}&wait_s=0")["items"]
            if not page:
                return found
            found += page
            since = page[-1]["id"]


class EveryWrite(KillCase):
    """berthd dies before the n-th of its writes, while it serves a story."""

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SHIM):
            raise unittest.SkipTest("the fault shim is not built")
        super().setUpClass()

    def story(self, daemon, name, keyed):
        """What was accepted until berthd was gone: {step: operation id}."""
        accepted = {}
        api = daemon.api
        try:
            accepted["copy"] = self.copy(api, name, keyed)
            api.wait(accepted["copy"])
            space = next(one["id"] for one in api.get("/v1/integrations/mirror/spaces")["items"]
                         if one["name"] == "default")
            path = f"/v1/spaces/{space}/artifacts/" + quote(f"{name}/web:1.0.0")
            accepted["delete"] = api.call(
                "DELETE", path + "?confirm=" + quote(f"{name}/web:1.0.0"))["id"]
            api.wait(accepted["delete"])
            accepted["probe"] = api.post("/v1/integrations/hub/probe", None)["id"]
            api.wait(accepted["probe"])
        except GONE:
            pass
        return accepted

    @staticmethod
    def copy(api, name, keyed):
        return api.call("POST", "/v1/copies", {"source": "hub/shop/web:1.0.0",
                                               "target": f"mirror/{name}/web"},
                        Idempotency_Key=keyed)["id"]

    def start(self, daemon):
        """False: it was killed before it was ready."""
        try:
            daemon.start()
            return True
        except (AssertionError, *GONE):
            return False

    def count(self):
        path = os.path.join(self.dir, "count")
        daemon, name = self.fresh(LD_PRELOAD=SHIM, BERTH_FAULT="count", BERTH_FAULT_COUNT=path,
                                  BERTH_FAULT_SKIP="--worker")
        daemon.start()
        self.assertEqual({"copy", "delete", "probe"}, set(self.story(daemon, name, key())))
        daemon.stop()
        with open(path, encoding="ascii") as file:
            return int(file.read())

    def play(self, at):
        daemon, name = self.fresh(LD_PRELOAD=SHIM, BERTH_FAULT=f"kill:{at}",
                                  BERTH_FAULT_SKIP="--worker")
        keyed = key()
        accepted = self.story(daemon, name, keyed) if self.start(daemon) else {}
        if daemon.process:
            daemon.process.popen.wait(120) if not daemon.process.is_running() else daemon.kill()
        daemon.env = {}
        daemon.start()
        for step, operation in accepted.items():
            ended = daemon.api.wait(operation)
            allowed = {"succeeded", "interrupted"} if step == "delete" else {"succeeded"}
            self.assertIn(ended["state"], allowed, f"{step}: {ended}")
        again = self.copy(daemon.api, name, keyed)
        if "copy" in accepted:
            self.assertEqual(accepted["copy"], again, "one key, two operations")
        self.assertEqual("succeeded", daemon.api.wait(again)["state"])
        # berthd may have died between the acceptance and the answer.
        runs = daemon.api.get("/v1/operations?filter=" + quote("kind eq 'tag-delete'"))["items"]
        if runs:
            self.assertEqual(1, len(runs))
            self.assertLessEqual(runs[0]["attempts"], 1)
            self.assertLessEqual(self.deletions(name), 1)
        else:
            with self.target() as target:
                self.assertEqual(self.source_digest("shop/web", "1.0.0"),
                                 target.digest(f"{name}/web", "1.0.0"))
        self.check_records(daemon)
        daemon.stop()

    def test_a_story_survives_a_kill_at_its_writes(self):
        total = self.count()
        self.assertGreater(total, 20, "the shim counts nothing")
        step = int(os.environ.get("BERTH_KILL_STEP") or max(1, total // 20))
        for at in range(1, total + 1, step):
            with self.subTest(write=at, of=total):
                self.play(at)


class TenantWrites(EveryWrite):
    """The same while workspaces come, change and go: each change is there whole, or not."""

    STATES = [None, ((1, 2, 3), False), ((1, 2, 3), True), ((4,), True), ((4,), False), None]

    def story(self, daemon, name, keyed):
        """How many changes were answered until berthd was gone."""
        api, done = daemon.api, 0
        try:
            space = next(one["id"] for one in api.get("/v1/spaces")["items"]
                         if one["integration"] == "hub")
            path = f"/v1/workspaces/{name}"
            for method, target, body, more in (
                    ("POST", "/v1/workspaces",
                     {"name": name, "members": [{"uid": n} for n in (1, 2, 3)]}, {}),
                    ("POST", f"/v1/spaces/{space}/bindings", {"bind": [name]}, {}),
                    ("PATCH", path, {"members": [{"uid": 4}]}, {"If_Match": "*"}),
                    ("POST", f"/v1/spaces/{space}/bindings", {"unbind": [name]}, {}),
                    ("DELETE", path, None, {"If_Match": "*"})):
                api.call(method, target, body, **more)
                done += 1
        except GONE:
            pass
        return done

    @staticmethod
    def state(daemon, name):
        """None, or (members' numbers, is a space bound to it?)."""
        found = [one for one in daemon.api.get("/v1/workspaces")["items"] if one["name"] == name]
        return (tuple(one["uid"] for one in found[0]["members"]),
                found[0]["status"]["spaces"] > 0) if found else None

    def count(self):
        path = os.path.join(self.dir, "count")
        daemon, name = self.fresh(LD_PRELOAD=SHIM, BERTH_FAULT="count", BERTH_FAULT_COUNT=path,
                                  BERTH_FAULT_SKIP="--worker")
        daemon.start()
        self.assertEqual(5, self.story(daemon, name, None))
        daemon.stop()
        with open(path, encoding="ascii") as file:
            return int(file.read())

    def play(self, at):
        daemon, name = self.fresh(LD_PRELOAD=SHIM, BERTH_FAULT=f"kill:{at}",
                                  BERTH_FAULT_SKIP="--worker")
        done = self.story(daemon, name, None) if self.start(daemon) else 0
        if daemon.process:
            daemon.process.popen.wait(180) if not daemon.process.is_running() else daemon.kill()
        daemon.env = {}
        daemon.start()
        # The last one may have been done without its answer.
        self.assertIn(self.state(daemon, name), self.STATES[done:done + 2])
        self.assertTrue(daemon.api.get("/v1/audit/verify")["ok"])
        daemon.stop()


class EveryStep(KillCase):
    """Who dies while a copy is at its n-th request to the target."""

    rtt_ms = 20

    def served(self, settle=True):
        return len(self.mirror.requests(settle=settle))

    def post(self, daemon, name):
        return daemon.api.post("/v1/copies", {"source": "hub/shop/api", "all_tags": True,
                                              "target": f"mirror/{name}/api"})["id"]

    def clean(self):
        daemon, name = self.fresh()
        daemon.start()
        before = self.served()
        ended = daemon.api.wait(self.post(daemon, name))
        self.assertEqual("succeeded", ended["state"], ended)
        daemon.stop()
        return self.served() - before

    def play(self, who, at):
        daemon, name = self.fresh()
        daemon.start()
        before = self.served()
        operation = self.post(daemon, name)
        proc.wait_until(lambda: self.served(settle=False) >= before + at or daemon.api.get(
            f"/v1/operations/{operation}")["state"] in ENDED, f"{at} requests are served")
        self.kill(who, daemon)
        ended = daemon.api.wait(operation)
        self.assertEqual("succeeded", ended["state"], ended)
        result = ended["result"]
        self.assertEqual((3, 0), (result["copied"] + result["present"], result["failed"]), result)
        with self.target() as target:
            for repository, tag, image in self.images:
                if repository == "shop/api":
                    self.assertEqual(image.digest, target.digest(f"{name}/api", tag))
        self.check_records(daemon)
        daemon.stop()

    def walk(self, who):
        total = self.clean()
        self.assertGreater(total, 5, "the copy made no requests")
        for part in range(5):
            with self.subTest(who=who, at=total * part // 5, of=total):
                self.play(who, total * part // 5)

    def test_berthd_is_killed(self):
        self.walk("berthd")

    def test_the_worker_and_its_jobs_are_killed(self):
        self.walk("worker")

    def test_both_are_killed(self):
        self.walk("both")


class OnceOnly(KillCase):
    """What must not be repeated is reported interrupted. The link falls silent
    at the first answer to the deletion, so that it can't end before the kill."""

    def play(self, who):
        daemon, name = self.fresh()
        daemon.start()
        done = daemon.api.run("/v1/copies", {"source": "hub/shop/web:1.0.0",
                                             "target": f"mirror/{name}/web"})
        self.assertEqual("succeeded", done["state"], done)
        space = next(one["id"] for one in daemon.api.get(
            "/v1/integrations/mirror/spaces")["items"] if one["name"] == "default")
        path = f"/v1/spaces/{space}/artifacts/" + quote(f"{name}/web:1.0.0")
        proc.wait_until(lambda: not self.link.stats()["open"], "the copy's connections are gone")
        self.link.set(stall=1)
        operation = daemon.api.call(
            "DELETE", path + "?confirm=" + quote(f"{name}/web:1.0.0"))["id"]
        proc.wait_until(lambda: self.link.stats()["open"], "the deletion is at the registry")
        self.kill(who, daemon)
        self.link.set(stall=0)
        self.link.drop()
        ended = daemon.api.wait(operation)
        self.assertEqual("interrupted", ended["state"], ended)
        self.assertEqual(1, ended["attempts"])
        self.assertIsNotNone(ended["error"])
        self.assertLessEqual(self.deletions(name), 1)
        self.check_records(daemon)
        # Its lock went with it: the same may be asked for again.
        again = daemon.api.call("DELETE", path + "?confirm=" + quote(f"{name}/web:1.0.0"),
                                expect=(202, 404, 409))
        self.assertNotEqual("integration-busy", again.get("code"))
        daemon.stop()

    def test_a_deletion_is_interrupted_when_berthd_is_killed(self):
        self.play("berthd")

    def test_a_deletion_is_interrupted_when_the_worker_is_killed(self):
        self.play("worker")

    def test_a_deletion_is_interrupted_when_both_are_killed(self):
        self.play("both")


if __name__ == "__main__":
    unittest.main()
