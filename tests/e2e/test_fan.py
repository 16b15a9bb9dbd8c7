# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
"""One copy to several targets through the daemon: the source is read once, each target
has its own outcomes, and a failure, a kill and a cancel concern what they should."""

import glob
import os
import signal
import unittest

from berthtest import Client, Image, Link, Registry, Registry3, images, sets
from berthtest.apicase import PASSWORD, QUIET, ApiCase
from berthtest.daemon import descendants
from berthtest.proc import wait_until

MIB = 1 << 20
SIZE = 24 * MIB
CUT = 12 * MIB
# A connection that is silent by the test's will is not to be given up meanwhile.
CONFIG = QUIET + ("net: { low_speed_s = 600; backoff_ms = 50; };\n"
                  "jobs: { restart_ms = 20; };\n")


class Fan(ApiCase):
    config = CONFIG

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.third = cls.enter(Registry3(os.path.join(cls.dir, "third")))
        cls.daemon.add("third", cls.third)
        with Client(cls.hub.url) as client:
            cls.small = Image([images.random_layer(f"fan {n}", 1000 * n) for n in (1, 2, 3)])
            cls.big = Image([images.random_layer("big", SIZE)])
            sets.push_set(client, [("fan/small", "1", cls.small), ("fan/big", "1", cls.big)])
        cls.settle()

    def copy(self, source, targets, **more):
        return self.api.post("/v1/copies", {"source": source, "targets": targets, **more})

    def assert_at(self, registry, repository, tag="1", source="fan/small"):
        users = next(iter(registry.users.items())) if registry.users else ()
        with Client(self.hub.url) as ours, Client(registry.url, *users) as theirs:
            self.assertEqual(ours.closure(source, "1"), theirs.closure(repository, tag))

    def test_the_source_gives_each_blob_once_and_each_target_has_its_outcome(self):
        self.hub.settle()
        since = len(self.hub.requests())
        done = self.done(self.copy("hub/fan/small:1", ["mirror/a/small:one", "third"]))
        counts = self.hub.counts(since)
        self.assertEqual((4, 1), (counts["GET blob"], counts["GET manifest"]))
        result = done["result"]
        self.assertEqual((2, 2, 0), (result["images"], result["copied"], result["failed"]))
        self.assertEqual([("mirror", 1), ("third", 1)],
                         [(one["target"], one["copied"]) for one in result["targets"]])
        self.assertEqual({("mirror/a/small:one", "copied"), ("third/fan/small:1", "copied")},
                         {(one["target"], one["state"]) for one in result["outcomes"]})
        self.assert_at(self.mirror, "a/small", "one")
        self.assert_at(self.third, "fan/small")
        run = self.api.get(f"/v1/copies/{done['id']}")
        self.assertEqual(result["targets"], run["totals"]["targets"])
        for image in ("mirror/a/small:one", "third/fan/small:1"):
            hits = self.api.get(f"/v1/images?q={image}")["items"]
            self.assertEqual([self.small.digest], [hit["digest"] for hit in hits])

    def test_a_plan_tells_each_target_apart_and_a_comparison_follows_where_it_is_wanted(self):
        targets = ["mirror/planned", "third/planned"]
        plan = self.done(self.api.post("/v1/copies?dry_run=true", {
            "source": "hub/fan/small:1", "targets": targets}))["result"]
        self.assertEqual({("mirror/planned:1", "copy"), ("third/planned:1", "copy")},
                         {(one["target"], one["action"]) for one in plan["outcomes"]})
        done = self.done(self.copy("hub/fan/small:1", targets, verify=True))["result"]
        self.assertEqual([1, 1], [one["verified"]["same"] for one in done["targets"]])
        self.assertEqual(2, done["verified"]["same"])
        again = self.done(self.copy("hub/fan/small:1", targets))["result"]
        self.assertEqual((2, 0), (again["present"], again["copied"]))

    def test_a_target_that_is_down_fails_alone_and_berthctl_says_partly(self):
        down = Registry(os.path.join(self.dir, "down")).start()
        self.daemon.add("down", down)
        self.settle()
        down.stop()
        done = self.daemon.ctl("copy", "hub/fan/small:1", "mirror/partly", "--to", "down/partly",
                               "--to", "third/partly:x")
        self.assertEqual(9, done.returncode, done.stdout + done.stderr)
        self.assertIn("down/partly", done.stdout)
        self.assert_at(self.mirror, "partly")
        self.assert_at(self.third, "partly", "x")

    def test_what_makes_no_sense_is_refused_by_name(self):
        for body, pointer in (
                ({"targets": ["mirror/x", "mirror/y"]}, "/targets/1"),
                ({"targets": ["mirror/x", "nowhere/x"]}, "/targets/1"),
                ({"target": "mirror/x", "targets": ["mirror/x", "third/x"]}, "/targets"),
                ({"targets": ["mirror/x"]}, "/targets"), ({}, "/target")):
            answer = self.ask("POST", "/v1/copies", {"source": "hub/fan/small:1", **body})
            self.assertEqual((422, [pointer]), (answer.status, self.pointers(answer.body)),
                             answer.body)
        self.refused(409, "copy-onto-itself", "POST", "/v1/copies",
                     {"source": "hub/fan/small:1", "targets": ["mirror/x", "hub/fan/small"]})

    # --- rules ---

    def rule(self, name, targets, **more):
        answer = self.ask("POST", "/v1/syncs", {"name": name, "source": "hub/fan",
                                                "repositories": ["small"], "targets": targets,
                                                **more})
        self.addCleanup(self.ask, "DELETE", f"/v1/syncs/{name}", If_Match="*")
        return answer

    def run_rule(self, name, **more):
        return self.api.wait(self.api.call("POST", f"/v1/syncs/{name}/runs", more))

    def test_a_rule_with_two_targets_reads_its_source_once(self):
        made = self.rule("sites", ["mirror/sites", "third/sites"])
        self.assertEqual((201, "mirror/sites", ["mirror/sites", "third/sites"]),
                         (made.status, made.body["target"], made.body["targets"]))
        plan = self.done(self.api.call("POST", "/v1/syncs/sites/plan", {"store": True}))
        self.assertEqual({("mirror/sites/small:1", "copy"), ("third/sites/small:1", "copy")},
                         {(one["target"], one["action"]) for one in plan["result"]["outcomes"]})
        self.hub.settle()
        since = len(self.hub.requests())
        done = self.done(self.api.call("POST", "/v1/syncs/sites/runs", {"plan": plan["id"]}))
        wait_until(lambda: self.last_run("sites")["state"] == "succeeded", "the plan is done", 120)
        counts = self.hub.counts(since)
        self.assertEqual(4, counts["GET blob"], counts)
        self.assertEqual(2, self.last_run("sites")["totals"]["copied"], done)
        self.assert_at(self.mirror, "sites/small")
        self.assert_at(self.third, "sites/small")
        self.hub.settle()
        since = len(self.hub.requests())
        compared = self.done(self.api.call("POST", "/v1/syncs/sites/verify"))["result"]
        self.assertEqual((2, [1, 1]), (compared["same"],
                                       [one["same"] for one in compared["targets"]]))
        counts = self.hub.counts(since)
        self.assertEqual((1, 1), (counts["HEAD manifest"], counts["GET manifest"]), counts)
        with Client(self.third.url) as client:
            gone = client.request("DELETE", f"/v2/sites/small/manifests/{self.small.digest}")
            self.assertEqual(202, gone.status)
        compared = self.done(self.api.call("POST", "/v1/syncs/sites/verify"))["result"]
        self.assertEqual([("mirror", 0), ("third", 1)],
                         [(one["target"], one["missing"]) for one in compared["targets"]])
        self.assertEqual(("failed", 1), self.copied_again())
        self.assert_at(self.third, "sites/small")

    def last_run(self, name):
        return self.api.get(f"/v1/syncs/{name}")["status"]["last_run"]

    def copied_again(self):
        """A target that is away fails alone; what failed is done by a retry."""
        self.third.stop()
        failed = self.run_rule("sites")
        self.third.start()
        outcomes = {one["target"]: one["state"]
                    for one in self.api.get(f"/v1/syncs/sites/runs/{failed['id']}")["outcomes"]}
        self.assertEqual("present", outcomes["mirror/sites/small:1"])
        since = len(self.mirror.requests())
        again = self.done(self.api.call("POST", "/v1/syncs/sites/runs",
                                        {"only_failed_of": failed["id"]}))
        self.assertEqual([], self.mirror.requests(since), "nothing had failed there")
        return failed["state"], again["result"]["copied"]

    def test_a_rules_targets_are_changed_and_are_in_use(self):
        self.rule("moved", ["mirror/moved", "third/moved"])
        refused = self.refused(409, "in-use", "DELETE", "/v1/integrations/third", If_Match="*")
        self.assertIn("copy rule moved", str(refused["errors"]))
        for patch, target, targets in (
                ({"target": "third/x"}, "third/x", []),
                ({"targets": ["third/y", "mirror/y"]}, "third/y", ["third/y", "mirror/y"]),
                ({"description": "z"}, "third/y", ["third/y", "mirror/y"]),
                ({"targets": ["mirror/one"]}, "mirror/one", [])):
            changed = self.ask("PATCH", "/v1/syncs/moved", patch, If_Match="*")
            self.assertEqual((200, target, targets), (changed.status, changed.body["target"],
                                                      changed.body["targets"]), changed.body)

    def test_rules_with_several_targets_hurt_no_other(self):
        self.rule("first", ["mirror/shared", "third/mine"])
        self.rule("second", ["third/other"])
        for targets, code, words in (
                (["third/shared", "mirror/shared"], "sync-target-taken", "first"),
                (["third/mine", "mirror/free"], "sync-target-taken", "first"),
                (["mirror/free", "hub/fan"], "sync-onto-itself", "clash")):
            problem = self.rule("clash", targets).body
            self.assertEqual(code, problem["code"], problem)
            self.assertIn(words.split()[0], problem["detail"])
        for more, pointer in (({"targets": ["mirror/x", "mirror/y"]}, "/targets/1"),
                              ({"targets": ["mirror/x", "nowhere/y"]}, "/targets/1"),
                              ({"targets": ["mirror/x", "third/y"], "target": "third/y"},
                               "/target"),
                              ({"targets": ["mirror/x", "third/y"], "engine": "native"},
                               "/engine"), ({"targets": []}, "/target")):
            answer = self.rule("wrong", more.pop("targets"), **more)
            self.assertEqual((422, [pointer]), (answer.status, self.pointers(answer.body)),
                             answer.body)

    def test_berthctl_makes_and_shows_one(self):
        self.addCleanup(self.ask, "DELETE", "/v1/syncs/cli", If_Match="*")
        self.daemon.ctl_ok("sync", "create", "cli", "--from", "hub/fan", "--filter", "small",
                           "--to", "mirror/cli", "--to", "third/cli")
        self.assertRegex(self.daemon.ctl_ok("sync", "show", "cli"),
                         "To: +mirror/cli,third/cli")
        self.assertRegex(self.daemon.ctl_ok("sync", "list"), "(?m)^cli .* mirror/cli,third/cli ")
        said = self.daemon.ctl_ok("sync", "run", "cli")
        self.assertIn("mirror/cli/small:1", said)
        self.assertIn("third/cli/small:1", said)
        self.assertIn("2 targets", self.daemon.ctl("sync", "delete", "cli", "--dry-run").stderr)
        self.daemon.ctl_ok("sync", "edit", "cli", "--to", "third/cli")
        self.assertEqual([], self.api.get("/v1/syncs/cli")["targets"])
        wrong = self.daemon.ctl("sync", "edit", "cli", "--to", "nowhere/cli")
        self.assertIn("--to: no integration 'nowhere'", wrong.stderr)

    def test_a_target_may_be_an_address_that_is_tried_first(self):
        for name in ("own", "wrong"):
            self.addCleanup(self.ask, "DELETE", f"/v1/integrations/{name}-target", If_Match="*")
        secret = os.path.join(self.dir, "own-password")
        user = next(iter(self.mirror.users))
        wrong = os.path.join(self.dir, "wrong-password")
        for path, text in ((secret, PASSWORD), (wrong, "not-it")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        login = ("--to-username", user, "--to-password-file")
        rule = ("--from", "hub/fan", "--filter", "small", "--to", f"{self.mirror.url}/own")

        refused = self.daemon.ctl("sync", "create", "wrong", *rule, *login, wrong)
        self.assertNotEqual(0, refused.returncode)
        self.refused(404, "not-found", "GET", "/v1/syncs/wrong")
        self.refused(404, "not-found", "GET", "/v1/integrations/wrong-target")

        # What was made goes when the rule is not right.
        broken = self.daemon.ctl("sync", "create", "own", *rule, *login, secret, "--semver", "x y")
        self.assertEqual(2, broken.returncode, broken.stderr)
        self.refused(404, "not-found", "GET", "/v1/integrations/own-target")

        self.addCleanup(self.ask, "DELETE", "/v1/syncs/own", If_Match="*")
        self.daemon.ctl_ok("sync", "create", "own", *rule, *login, secret, "--to", "third/own")
        self.assertEqual(["own-target/own", "third/own"],
                         self.api.get("/v1/syncs/own")["targets"])
        self.daemon.ctl_ok("sync", "run", "own")
        self.assert_at(self.mirror, "own/small")
        self.assert_at(self.third, "own/small")
        dry = self.daemon.ctl("sync", "create", "dry", *rule, "--dry-run")
        self.assertEqual(2, dry.returncode)
        self.assertIn("berthctl integration create", dry.stderr)

    # --- in the middle of a layer ---

    def uploads(self, registry):
        return glob.glob(os.path.join(registry.storage, "docker/registry/v2/repositories/**",
                                      "_uploads/*/data"), recursive=True)

    def arrived(self, registry, before):
        """Bytes of the largest upload that has begun since; a registry may keep older ones."""
        sizes = [0]
        for path in set(self.uploads(registry)) - before[registry]:
            try:
                sizes.append(os.path.getsize(path))
            except FileNotFoundError:  # a small blob's, done meanwhile
                pass
        return max(sizes)

    def begin(self, name):
        """Both targets have a part of the layer; the link of one of them is silent."""
        link = Link(os.path.join(self.dir, "links"), self.third, stall=CUT, cut_up=True).start()
        self.addCleanup(link.stop)
        self.daemon.add(name, link)
        self.settle()
        before = {one: set(self.uploads(one)) for one in (self.mirror, self.third)}
        operation = self.copy("hub/fan/big:1", [f"mirror/{name}/big", f"{name}/big"])
        for registry in (self.mirror, self.third):
            wait_until(lambda of=registry: self.arrived(of, before) > CUT - 2 * MIB,
                       "half of the layer has arrived", 300)
        return operation, link

    def journals(self):
        return glob.glob(os.path.join(self.daemon.state, "cache", "*.journal"))

    def test_after_kill_9_of_the_job_the_copy_goes_on_at_both_targets(self):
        operation, link = self.begin("killed")
        self.assertEqual(2, len(self.journals()))
        self.daemon.process.signal(signal.SIGSTOP)
        for pid in descendants(self.daemon.worker()):
            os.kill(pid, signal.SIGKILL)
        link.drop()
        link.set(stall=0)
        self.daemon.process.signal(signal.SIGCONT)
        self.assertEqual(2, self.done(operation)["attempts"])
        self.assertLess(link.stats()["up"], SIZE + 3 * MIB // 2)
        self.assert_at(self.mirror, "killed/big", source="fan/big")
        self.assert_at(self.third, "big", source="fan/big")
        self.assertEqual([], self.journals())

    def test_a_cancelled_copy_leaves_no_tag_and_no_journal_anywhere(self):
        operation, _ = self.begin("cancelled")
        self.api.call("DELETE", f"/v1/operations/{operation['id']}")
        self.assertEqual("cancelled", self.api.wait(operation)["state"])
        wait_until(lambda: not self.journals(), "the journals are gone")
        with Client(self.mirror.url, "robot", PASSWORD) as client:
            self.assertIsNone(client.digest("cancelled/big", "1"))
        outcomes = self.api.get(f"/v1/copies/{operation['id']}")["outcomes"]
        self.assertEqual({("mirror/cancelled/big:1", "skipped"), ("cancelled/big:1", "skipped")},
                         {(one["target"], one["state"]) for one in outcomes})


if __name__ == "__main__":
    unittest.main()
