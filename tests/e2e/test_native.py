# SPDX-License-Identifier: Apache-2.0
"""Copy rules that a Harbor's own replication does (Y8): chosen, planned, run, followed,
stopped and removed over the socket and by berthctl.

Two stand-ins with real registries behind; what a policy can and can't say is in
test_harbor_replication.py."""

import contextlib
import copy
import json
import os
import re
import sqlite3
import unittest

from berthtest import Client, Image, Registry
from berthtest.harborcase import Harbor, HarborCase
from berthtest.images import random_layer
from berthtest.proc import wait_until
from standin.harbor.faults import answer


class NativeCase(HarborCase):
    standin_only = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = cls.enter(Registry(os.path.join(cls.dir, "plain")))
        cls.there = cls.enter(Harbor(cls.enter(Registry(os.path.join(cls.dir, "behind"))).url))
        cls.there.add_project("mirror")
        cls.daemon.add("there", cls.there.url, *cls.there.login, kind="harbor")
        cls.simple = cls.enter(Registry(os.path.join(cls.dir, "simple")))
        cls.daemon.add("plain", cls.plain.url)
        cls.daemon.add("simple", cls.simple.url)

    def setUp(self):
        self.project = self.name("team", public=True)
        self.standin.may_replicate.set()

    def rule(self, engine, name=None, **more):
        name = name or self.project
        self.addCleanup(self.nothing_is_left)
        body = {"name": name, "source": f"harbor/{self.project}", "target": "there/mirror",
                "engine": engine, **more}
        self.api.post("/v1/syncs", body)
        self.addCleanup(self.ask, "DELETE", f"/v1/syncs/{name}", If_Match="*")
        return name

    def image(self, repository, *tags):
        return self.push(self.project, repository, Image([random_layer(repository, 500)]), *tags)

    def policies(self):
        return {row.name for row in list(self.world.policies.values())}

    def policy(self, name):
        """The rule's policy at Harbor, as {its name} or set()."""
        return {one for one in self.policies()
                if re.fullmatch(f"berth-{re.escape(name)}-[0-9a-f]{{8}}", one)}

    def run_rule(self, name):
        return self.api.call("POST", f"/v1/syncs/{name}/runs", {})

    def gone(self, name):
        """The policy goes with what wanted it."""
        wait_until(lambda: not self.policy(name), "the policy is gone", 180)

    def nothing_is_left(self):
        """The endpoint goes after its last policy. A removal that came before the end of
        a run that was stopped comes again after a refresh."""
        self.standin.may_replicate.set()

        def is_clean():
            if self.policies():
                self.refresh()
            return not any(row.name.startswith("berth-")
                           for harbor in (self.standin, self.there)
                           for rows in (harbor.world.policies, harbor.world.registries)
                           for row in list(rows.values()))
        wait_until(is_clean, "nothing of Berth's is left", 180)

    def is_followed(self, name):
        """Does the store know a run of the rule at Harbor?"""
        uri = f"file:{self.daemon.state}/berth.db?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as store:
            return store.execute("SELECT COUNT(*) FROM sync_natives WHERE rule = ? AND "
                                 "run_id <> ''", (name,)).fetchone()[0]


class Running(NativeCase):
    def test_harbor_copies_and_what_it_keeps_goes_with_the_rule(self):
        image = self.image("app", "v1")
        name = self.rule("native")
        plan = self.done(self.api.call("POST", f"/v1/syncs/{name}/plan"))
        self.assertEqual("native", plan["result"]["engine"])
        self.assertEqual(set(), self.policy(name))

        done = self.done(self.run_rule(name))
        self.assertEqual(("native", 1, 1), tuple(done["result"][key] for key in
                                                 ("engine", "images", "copied")))
        with Client(self.there.url, *self.there.login) as client:
            self.assertEqual(image.digest, client.digest("mirror/app", "v1"))
        self.assertEqual(1, len(self.policy(name)))
        shown = self.api.get(f"/v1/syncs/{name}")
        self.assertEqual("harbor", shown["status"]["native"]["integration"])
        self.assertEqual("native", shown["status"]["last_run"]["totals"]["engine"])
        outcome = self.api.get(f"/v1/syncs/{name}/runs/{done['id']}")["outcomes"][0]
        self.assertEqual((f"harbor/{self.project}/app", "there/mirror/app", "copied"),
                         (outcome["source"], outcome["target"], outcome["state"]))
        # The target's index is read after it.
        wait_until(lambda: self.api.get("/v1/images?q=mirror%20app%20v1")["items"],
                   "the copy is in the index", 180)

        self.ask("DELETE", f"/v1/syncs/{name}", If_Match="*")
        self.gone(name)
        self.nothing_is_left()

    def test_a_rule_that_is_done_otherwise_leaves_nothing_at_harbor(self):
        self.image("tool", "v1")
        name = self.rule("native")
        for change, back in (({"enabled": False}, {"enabled": True}),
                             ({"engine": "berth"}, {"engine": "auto"})):
            self.done(self.run_rule(name))
            self.assertEqual(1, len(self.policy(name)))
            self.patch(name, {"description": "another"})
            self.assertIn("native", self.api.get(f"/v1/syncs/{name}")["status"])
            self.patch(name, change)
            self.gone(name)
            wait_until(lambda: "native" not in self.api.get(f"/v1/syncs/{name}")["status"],
                       "the rule knows", 180)
            self.patch(name, back)
        # What another registry keeps goes when the rule is done elsewhere.
        self.done(self.run_rule(name))
        self.there.add_project("back")
        with Client(self.there.url, *self.there.login) as client:
            client.push("back/app", Image([random_layer("back", 500)]), "v1")
        self.patch(name, {"source": "there/back", "target": f"harbor/{self.project}"})
        self.done(self.run_rule(name))
        self.gone(name)
        wait_until(lambda: self.api.get(f"/v1/syncs/{name}")["status"]["native"][
            "integration"] == "there", "the rule knows", 180)

    def patch(self, name, change):
        answer = self.ask("PATCH", f"/v1/syncs/{name}", change, If_Match="*")
        self.assertEqual(200, answer.status, answer.body)

    def test_what_was_not_removed_is_removed_after_the_next_refresh(self):
        self.image("late", "v1")
        name = self.rule("native")
        self.done(self.run_rule(name))
        number = next(k for k, row in self.world.policies.items() if row.name in self.policy(name))
        self.faults.add(answer("403"), method="DELETE", path=f"/replication/policies/{number}",
                        times=1)
        before = self.failed_removals()
        self.ask("DELETE", f"/v1/syncs/{name}", If_Match="*")
        wait_until(lambda: self.failed_removals() - before, "the removal failed", 180)
        self.assertEqual(1, len(self.policy(name)))
        self.refresh()
        self.gone(name)

    def test_an_integration_that_keeps_a_policy_is_not_forgotten(self):
        self.image("kept", "v1")
        name = self.rule("native")
        self.done(self.run_rule(name))
        self.faults.add(answer("403"), method="DELETE", path="/replication/policies/", times=1)
        before = self.failed_removals()
        self.ask("DELETE", f"/v1/syncs/{name}", If_Match="*")
        wait_until(lambda: self.failed_removals() - before, "the removal failed", 180)
        problem = self.refused(409, "in-use", "DELETE", "/v1/integrations/harbor", If_Match="*")
        self.assertIn("1 replication policy at integration harbor", problem["detail"])
        self.refresh()
        self.gone(name)

    def test_what_stays_at_a_disabled_integration_is_said(self):
        self.image("stays", "v1")
        self.daemon.add("twin", self.standin.url, *self.standin.login, kind="harbor")
        name = self.rule("native", source=f"twin/{self.project}")
        self.done(self.run_rule(name))
        self.patch_integration("twin", {"enabled": False})
        self.ask("DELETE", f"/v1/syncs/{name}", If_Match="*")
        path = "/v1/integrations/twin"
        wait_until(lambda: self.ask("DELETE", path + "?dry_run=true", If_Match="*").status == 200,
                   "nothing is under way", 180)
        plan = self.ask("DELETE", path + "?dry_run=true", If_Match="*").body
        self.assertTrue(plan["dry_run"])
        self.assertIn("1 replication policy and 0 temporary logins", plan["message"])
        said = self.daemon.ctl("integration", "delete", "twin", "--yes")
        self.assertEqual(0, said.returncode, said.stderr)
        self.assertIn("1 replication policy and 0 temporary logins", said.stderr)
        self.refused(404, "not-found", "GET", path)
        for number, row in list(self.world.policies.items()):
            if row.name in self.policy(name):
                del self.world.policies[number]
        self.drop_endpoints()

    def drop_endpoints(self):
        for key, row in list(self.world.registries.items()):
            if row.name.startswith("berth-"):
                del self.world.registries[key]

    def patch_integration(self, name, change):
        answer = self.ask("PATCH", f"/v1/integrations/{name}", change, If_Match="*")
        self.assertEqual(200, answer.status, answer.body)

    def test_what_another_berth_made_for_a_rule_of_that_name_stays(self):
        self.image("both", "v1")
        name = self.rule("native")
        self.done(self.run_rule(name))
        number, ours = next((k, row) for k, row in self.world.policies.items()
                            if row.name in self.policy(name))
        others = f"berth-{name}-zzzzzzzz"
        theirs = copy.copy(ours)
        theirs.name = others
        self.world.policies[number + 1000] = theirs
        self.addCleanup(self.world.policies.pop, number + 1000, None)
        self.done(self.run_rule(name))
        self.ask("DELETE", f"/v1/syncs/{name}", If_Match="*")
        self.gone(name)
        self.assertIn(others, self.policies())
        # Its end there is the other Berth's to remove, and the endpoint with it.
        del self.world.policies[number + 1000]
        self.drop_endpoints()

    def failed_removals(self):
        listed = self.api.get("/v1/operations?filter=kind%20eq%20'native-remove'")["items"]
        return {one["id"] for one in listed if one["state"] == "failed"}

    def test_a_failed_repository_is_told_with_the_last_line_of_its_log(self):
        self.image("app", "v1")
        name = self.rule("native", target="there/nowhere")
        done = self.api.wait(self.run_rule(name))
        self.assertEqual("failed", done["state"], done)
        outcome = self.api.get(f"/v1/syncs/{name}/runs/{done['id']}")["outcomes"][0]
        self.assertEqual("failed", outcome["state"])
        self.assertTrue(outcome["error"]["cause"])


class Choosing(NativeCase):
    def test_native_is_refused_where_no_end_replicates(self):
        problem = self.refused(422, "validation-failed", "POST", "/v1/syncs", {
            "name": "none", "source": "plain/a", "target": "simple/b", "engine": "native"})
        self.assertEqual([("/engine", "unsupported")],
                         [(one["pointer"], one["code"]) for one in problem["errors"]])

    def test_a_rate_is_kept_by_berth_alone(self):
        self.image("app", "v1")
        name = self.rule("native")
        for rate in (1 << 30, 0):
            changed = self.ask("PATCH", "/v1/integrations/there", {"limit_bytes_per_s": rate},
                               If_Match="*")
            self.assertEqual(200, changed.status, changed.body)
            if rate:
                self.assertIn("a second", str(self.failed(self.run_rule(name), "unsupported")))
        self.assertEqual("native", self.done(self.run_rule(name))["result"]["engine"])

    def test_what_harbor_cannot_say_is_refused_or_done_by_berth(self):
        self.image("app", "v1", "v2")
        name = self.rule("native", newest=1)
        for path in ("plan", "runs"):
            body = {} if path == "runs" else None
            error = self.failed(self.api.call("POST", f"/v1/syncs/{name}/{path}", body),
                                "unsupported")
            self.assertIn("'newest'", str(error))
        self.assertEqual(set(), self.policy(name))

        answer = self.ask("PATCH", f"/v1/syncs/{name}", {"engine": "auto"}, If_Match="*")
        self.assertEqual(200, answer.status, answer.body)
        done = self.done(self.run_rule(name))
        self.assertEqual(("berth", 1), (done["result"]["engine"], done["result"]["copied"]))
        self.assertIn("'newest'", done["result"]["engine_reason"])
        totals = self.api.get(f"/v1/syncs/{name}")["status"]["last_run"]["totals"]
        self.assertEqual("berth", totals["engine"])
        self.assertIn("'newest'", totals["engine_reason"])
        self.assertEqual(set(), self.policy(name))

    def test_what_harbor_cannot_say_is_said_when_the_rule_is_saved(self):
        body = {"name": self.project, "source": f"harbor/{self.project}",
                "target": "there/mirror", "engine": "native"}
        self.addCleanup(self.ask, "DELETE", f"/v1/syncs/{self.project}", If_Match="*")
        made = self.api.post("/v1/syncs", body)
        self.done({"id": made["status"]["check"]})
        self.assertNotIn("check", self.api.get(f"/v1/syncs/{self.project}")["status"])
        changed = self.ask("PATCH", f"/v1/syncs/{self.project}", {"newest": 1}, If_Match="*")
        error = self.failed({"id": changed.body["status"]["check"]}, "unsupported")
        self.assertIn("'newest'", str(error))
        for engine in ("auto", "berth"):
            changed = self.ask("PATCH", f"/v1/syncs/{self.project}", {"engine": engine},
                               If_Match="*")
            self.assertNotIn("check", changed.body["status"])

    def test_berthctl_says_so_when_it_saves(self):
        self.addCleanup(self.ask, "DELETE", f"/v1/syncs/{self.project}", If_Match="*")
        said = self.daemon.ctl("sync", "create", self.project, "--from",
                               f"harbor/{self.project}", "--to", "there/mirror", "--engine",
                               "native", "--newest", "1")
        self.assertNotEqual(0, said.returncode)
        self.assertIn("'newest'", said.stderr)
        self.assertIn(f"sync {self.project} is saved all the same", said.stderr)
        self.assertIn(f"berthctl sync edit {self.project} --engine auto", said.stderr)
        self.daemon.ctl_ok("sync", "edit", self.project, "--newest", "0")
        shown = json.loads(self.daemon.ctl_ok("sync", "show", self.project, "-o", "json"))
        rule = {name: shown[name] for name in ("name", "source", "target", "engine")}
        path = os.path.join(self.dir, "rule.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"syncs": [{**rule, "newest": 1}]}, file)
        said = self.daemon.ctl("apply", "-f", path)
        self.assertNotEqual(0, said.returncode)
        self.assertIn(f"sync {self.project} is saved all the same", said.stderr)
        self.assertEqual(1, self.api.get(f"/v1/syncs/{self.project}")["newest"])

    def test_berthctl_says_who_copied(self):
        self.image("app", "v1")
        self.daemon.ctl_ok("sync", "create", self.project, "--from", f"harbor/{self.project}",
                           "--to", "there/mirror", "--engine", "native")
        self.addCleanup(self.nothing_is_left)
        self.addCleanup(self.ask, "DELETE", f"/v1/syncs/{self.project}", If_Match="*")
        self.assertIn("the registry's own replication",
                      self.daemon.ctl_ok("sync", "plan", self.project))
        self.assertIn("1 repository: 1 copied\nCopied by the registry's own replication",
                      self.daemon.ctl_ok("sync", "run", self.project))
        self.daemon.ctl_ok("sync", "edit", self.project, "--engine", "auto", "--newest", "1")
        self.assertIn("'newest'", self.daemon.ctl_ok("sync", "run", self.project))


class Interrupted(NativeCase):
    def test_a_cancelled_run_is_stopped_at_harbor(self):
        self.image("app", "v1")
        name = self.rule("native")
        self.standin.may_replicate.clear()
        begun = self.run_rule(name)
        wait_until(lambda: self.is_followed(name), "the run is known", 180)
        self.ask("DELETE", f"/v1/operations/{begun['id']}")
        self.assertEqual("cancelled", self.api.wait(begun)["state"])
        wait_until(lambda: all(run.stopped for run in self.executions()),
                   "the run is stopped", 180)
        self.standin.may_replicate.set()

    def executions(self):
        return [run for run in list(self.world.executions.values())
                if run.policy.name in self.policy(self.project)]

    def test_a_killed_daemon_follows_the_run_that_it_began(self):
        self.image("app", "v1")
        name = self.rule("native")
        self.standin.may_replicate.clear()
        begun = self.run_rule(name)
        wait_until(lambda: self.is_followed(name), "the run is known", 180)
        self.daemon.kill()
        self.daemon.start()
        self.standin.may_replicate.set()
        self.done(begun)
        self.assertEqual(1, len(self.executions()))


if __name__ == "__main__":
    unittest.main()
