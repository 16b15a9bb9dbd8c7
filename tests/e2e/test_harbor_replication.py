# SPDX-License-Identifier: Apache-2.0
"""Harbor's native replication by the sync table of harbor.so: what a policy can say
is copied as the rule means it, and what it can't say is refused by name.

The two ends are stand-ins: a real Harbor would keep its endpoints and policies."""

import json
import os
import unittest

from berthtest import Client, Image, Registry, workdir
from berthtest.drive import drive
from berthtest.images import random_layer
from berthtest.proc import wait_until
from standin.harbor import Harbor

PLAIN = {"name": "r", "push": True, "source": {"instance": "a", "prefix": "team"},
         "target": {"instance": "b", "prefix": "mirror/deep"}}
FROM_PLAIN = {"name": "r", "push": False, "source": {"instance": "a"}, "referrers": False,
              "target": {"instance": "b", "prefix": "mirror"}, "tags": ["v*"]}


def number_of(policy):
    """The id of harbor.so is Harbor's number and the name."""
    return int(policy.split("/")[0])


class ReplicationCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = workdir(cls)
        cls.ends = []
        for name in "ab":
            registry = Registry(os.path.join(folder, name))
            registry.start()
            cls.addClassCleanup(registry.stop)
            harbor = Harbor(registry.url)
            cls.addClassCleanup(harbor.stop)
            cls.ends.append(harbor)
        cls.here, cls.there = cls.ends
        cls.here.add_project("team")
        cls.here.add_project("other")
        cls.there.add_project("mirror")

    def call(self, slot, *arguments):
        user, password = self.here.login
        return drive("harbor", {"address": self.here.url, "username": user,
                                "password": password}, slot, *arguments)

    def peer(self, kind="harbor", **more):
        user, password = self.there.login
        return json.dumps({"address": self.there.url, "kind": kind, "username": user,
                           "password": password, **more})

    def prepare(self, rule, **peer):
        done = self.call("sync.prepare", json.dumps(rule), self.peer(**peer))
        self.assertIsNone(done.error, done.text)
        return done.of("object")[0]["id"]

    def run_to_its_end(self, policy):
        """The RUN and the TASKs of a run that has ended."""
        done = self.call("sync.run", policy)
        self.assertIsNone(done.error, done.text)
        run = done.of("run")[0]["id"]

        def ended():
            done = self.call("sync.status", run)
            self.assertIsNone(done.error, done.text)
            return done if done.of("run")[0]["more"]["state"] != "running" else None
        wait_until(lambda: ended() is not None, "the run has ended", 180)
        done = self.call("sync.status", run)
        return done.of("run")[0]["more"], [task["more"] for task in done.of("task")]


class Copying(ReplicationCase):
    def test_a_project_arrives_below_the_targets_prefix_with_its_digests(self):
        images = {}
        with Client(self.here.url, *self.here.login) as client:
            for name in ("team/app", "team/deep/tool", "other/app"):
                images[name] = client.push(name, Image([random_layer(name, 500)]), "v1", "x1")
        policy = self.prepare({**PLAIN, "tags": ["v*"]})
        run, tasks = self.run_to_its_end(policy)
        self.assertEqual("succeeded", run["state"])
        self.assertEqual(run["items"], run["items_done"])
        self.assertEqual({("team/app", "mirror/deep/app", "succeeded"),
                          ("team/deep/tool", "mirror/deep/deep/tool", "succeeded")},
                         {(t["source"], t["target"], t["state"]) for t in tasks})
        with Client(self.there.url, *self.there.login) as client:
            self.assertEqual(images["team/app"].digest,
                             client.digest("mirror/deep/app", "v1"))
            self.assertEqual(["v1"], client.tags("mirror/deep/app"))
            self.assertEqual(["v1"], client.tags("mirror/deep/deep/tool"))

    def test_a_changed_password_of_the_other_end_arrives_with_the_next_prepare(self):
        rule = {**PLAIN, "name": "renewed", "tags": ["v*"]}
        policy = self.prepare(rule, username="berth-renewed", password="old")
        self.assertEqual(policy, self.prepare(rule, username="berth-renewed", password="new"))
        rows = [row for row in self.here.world.registries.values() if row.key == "berth-renewed"]
        self.assertEqual(["new"], [row.secret for row in rows])
        self.assertIsNone(self.call("sync.remove", policy).error)
        self.assertNotIn(number_of(policy), self.here.world.policies)
        self.assertNotIn(rows[0].id, self.here.world.registries)

    def test_artifacts_without_a_tag_and_the_projects_own_path_are_not_meant(self):
        policy = self.prepare({**PLAIN, "name": "filters"})
        filters = self.here.world.policies[number_of(policy)].body["filters"]
        self.assertEqual({"name": "team/**/?*", "tag": "?*"},
                         {one["type"]: one["value"] for one in filters})


    def test_another_policy_that_took_the_number_since_is_left_alone(self):
        policy = self.prepare({**PLAIN, "name": "swapped"})
        ours = self.here.world.policies[number_of(policy)]
        self.assertEqual(f"{number_of(policy)}/berth-swapped", policy)
        ours.name = "berth-nightly"
        done = self.call("sync.remove", policy)
        self.assertEqual("denied", (done.error or {}).get("code"), done.text)
        self.assertIn(number_of(policy), self.here.world.policies)
        # As it was kept before names were: any of Berth's is taken.
        self.assertIsNone(self.call("sync.remove", str(number_of(policy))).error)
        self.assertNotIn(number_of(policy), self.here.world.policies)
        self.assertEqual("invalid", self.call("sync.remove", "x/berth-swapped").error["code"])


class Refusing(ReplicationCase):
    def check(self, rule, kind, says, **peer):
        done = self.call("sync.plan", json.dumps(rule), self.peer(kind, **peer))
        self.assertEqual("unsupported", (done.error or {}).get("code"), (rule, done.text))
        self.assertIn(says, done.error["message"])

    def test_what_a_policy_can_say_is_planned(self):
        for rule, kind in ((PLAIN, "harbor"), ({**PLAIN, "names": ["web/**"]}, "harbor"),
                           ({**PLAIN, "override": False, "tags": ["*"]}, "harbor"),
                           (FROM_PLAIN, "dockerreg")):
            done = self.call("sync.plan", json.dumps(rule), self.peer(kind))
            self.assertIsNone(done.error, (rule, done.text))
            self.assertEqual(2, len(done.of("step")), done.text)

    def test_each_member_that_a_policy_has_no_word_for_is_named(self):
        for name, value in (("exclude", ["x"]), ("exclude_tags", ["x"]), ("semver", "^1"),
                            ("newest", 3), ("platforms", ["linux/amd64"]), ("verify", True),
                            ("flatten", 1), ("limit_bytes_per_s", 20000), ("only", ["a:1"]),
                            ("digest", "sha256:" + "0" * 64)):
            self.check({**PLAIN, name: value}, "harbor", f"'{name}'")

    def test_patterns_that_harbor_reads_otherwise_are_refused(self):
        for more, says in (({"names": ["a", "b"]}, "one name"), ({"tags": ["a", "b"]}, "one tag"),
                           ({"names": ["**/app"]}, "**"), ({"names": ["app**"]}, "**"),
                           ({"tags": ["{a,b}"]}, "braces")):
            self.check({**PLAIN, **more}, "harbor", says)

    def test_ends_that_would_lose_or_add_something_are_refused(self):
        self.check(PLAIN, "dockerreg", "signatures")
        self.check({**PLAIN, "referrers": False}, "harbor", "leave signatures out")
        self.check({**PLAIN, "source": {"prefix": "team/deep"}}, "harbor", "projects")
        self.check({**FROM_PLAIN, "referrers": True}, "dockerreg", "fetch signatures")
        self.check({**FROM_PLAIN, "tags": ["*"]}, "dockerreg", "signature's tag")
        self.check({**FROM_PLAIN, "source": {"prefix": "team"}}, "dockerreg", "path")
        self.check(PLAIN, "harbor", "CA", own_tls=True)


if __name__ == "__main__":
    unittest.main()
