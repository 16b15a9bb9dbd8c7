# SPDX-License-Identifier: Apache-2.0
"""Retention of a Harbor's space (R1, R2): rules, runs, what was kept and removed."""

import json
import os
import unittest

from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer
from berthtest.proc import wait_until

NEWEST = {"template": "latestPushedK", "number": 1, "repositories": "**", "tags": "**"}
# What Berth's members can't say: two tag selectors.
ODD = {"action": "retain", "template": "always", "params": {}, "tag_selectors": [
    {"kind": "doublestar", "decoration": "matches", "pattern": "v*"},
    {"kind": "doublestar", "decoration": "excludes", "pattern": "v0*"}],
    "scope_selectors": {"repository": [
        {"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]}}


class RetentionCase(HarborCase):
    def space_with_images(self):
        """A space whose repository has the tags 1, 2, 3, the last one newest."""
        name = self.name("keep", public=False)
        for tag in "123":
            self.push(name, "app", Image([random_layer(name + tag, 1000)]), tag)
        self.refresh()
        return f"harbor/{name}"

    def write(self, where, *rules, schedule="", **more):
        path = os.path.join(self.dir, "rules.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"schedule": schedule, "rules": list(rules)}, file)
        return self.daemon.ctl("retention", "set", where, "-f", path, *more.get("args", ()))

    def written(self, where, *rules, **more):
        done = self.write(where, *rules, **more)
        self.assertEqual(0, done.returncode, done.stderr)

    def show(self, where):
        return json.loads(self.daemon.ctl_ok("retention", "show", where, "-o", "json"))

    def rows(self, *args):
        return json.loads(self.daemon.ctl_ok("retention", "runs", *args, "-o", "json"))["items"]

    def run_to_its_end(self, where, *args):
        """A run's number after it has ended, and {tag: kept or removed}."""
        self.daemon.ctl_ok("retention", "run", where, *args)
        number = self.rows(where)[0]["id"]
        wait_until(lambda: next(row for row in self.rows(where) if row["id"] == number)["state"]
                   == "done", "the run has ended", 120)
        wait_until(lambda: {row["state"] for row in self.rows(where, number)} <=
                   {"kept", "removed"}, "its tasks have ended", 120)
        return number, {row["source"].rpartition(":")[2]: row["state"]
                        for row in self.rows(where, number)}

    def tags(self, where):
        self.refresh()
        listed = self.daemon.ctl_ok("image", "tags", where + "/app", "-o", "json")
        return sorted(row["name"] for row in json.loads(listed)["items"])


class Retention(RetentionCase):
    def test_rules_and_schedule_come_back_as_they_were_written(self):
        where = self.space_with_images()
        self.assertEqual({"schedule": "", "rules": []}, self.show(where))
        rules = [NEWEST, {"template": "nDaysSinceLastPull", "number": 30, "repositories": "**",
                          "exclude_tags": "tmp-*", "untagged": True, "disabled": True},
                 {"template": "always", "exclude_repositories": "scratch/**", "tags": "v*"}]
        done = self.write(where, *rules, schedule="0 0 3 * * *")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(f"berthctl retention run {where} --dry-run", done.stderr)
        shown = self.show(where)
        self.assertEqual("0 0 3 * * *", shown["schedule"])
        for wanted, got in zip(rules, shown["rules"]):
            for key, value in wanted.items():
                self.assertEqual(value, got.get(key), (key, got))
        self.written(where, NEWEST)
        self.assertEqual(("", 1), (self.show(where)["schedule"], len(self.show(where)["rules"])))

    def test_a_dry_run_names_what_would_go_and_a_run_removes_it(self):
        where = self.space_with_images()
        self.written(where, NEWEST)
        number, tags = self.run_to_its_end(where, "--dry-run")
        self.assertEqual({"1": "removed", "2": "removed", "3": "kept"}, tags)
        self.assertTrue(self.rows(where)[0]["dry_run"])
        self.assertEqual(["1", "2", "3"], self.tags(where))
        after, tags = self.run_to_its_end(where)
        self.assertNotEqual(number, after)
        self.assertEqual({"1": "removed", "2": "removed", "3": "kept"}, tags)
        self.assertEqual(["3"], self.tags(where))
        table = self.daemon.ctl_ok("retention", "runs", where, after)
        self.assertRegex(table, r"removed +\S+/app:1 +sha256:")
        self.assertNotIn("removes all", self.daemon.ctl("retention", "runs", where, after).stderr)

    def test_a_run_that_would_leave_nothing_is_asked_about(self):
        where = self.space_with_images()
        self.written(where, {**NEWEST, "tags": "none-*"})
        done = self.daemon.ctl("retention", "run", where)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("this removes all 3 tags of 1 repository", done.stderr)
        self.assertIn(where.partition("/")[2] + "/app", done.stderr)
        self.assertIn("--yes", done.stderr)
        self.assertEqual(["1", "2", "3"], self.tags(where))
        self.assertEqual([True], [row["dry_run"] for row in self.rows(where)])
        space = self.daemon.ctl_ok("space", "show", where, "--jq", ".id").strip().strip('"')
        path = f"/v1/spaces/{space}/retention/runs"
        self.refused(422, "confirmation-missing", "POST", path + "?confirm=other")
        ended = self.api.wait(self.api.call("POST", path))
        self.assertEqual(("failed", 3), (ended["state"],
                                         ended["result"]["removes_all"]["tags"]))
        number, tags = self.run_to_its_end(where, "--yes")
        self.assertEqual({"1": "removed", "2": "removed", "3": "removed"}, tags)
        self.assertIn("this run removes all 3 tags of 1 repository",
                      self.daemon.ctl("retention", "runs", where, number).stderr)
        self.assertFalse(next(row for row in self.rows(where) if row["id"] == number)["dry_run"])

    def test_more_than_fifteen_rules_are_refused_before_harbor_is_asked(self):
        where = self.space_with_images()
        done = self.write(where, *[NEWEST] * 16)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("/rules", done.stderr)
        self.assertEqual([], self.show(where)["rules"])
        self.written(where, *[{**NEWEST, "tags": f"v{n}"} for n in range(15)])
        self.assertEqual(15, len(self.show(where)["rules"]))

    def test_what_harbor_would_take_in_silence_is_refused(self):
        where = self.space_with_images()
        for rule, schedule, word in (({"template": "newest", "number": 1}, "", "latestPushedK"),
                                     ({"template": "latestPushedK", "number": 0}, "", "number"),
                                     (NEWEST, "0 3 * * *", "six fields")):
            done = self.write(where, rule, schedule=schedule)
            self.assertNotEqual(0, done.returncode, rule)
            self.assertIn(word, done.stderr)
        self.assertEqual([], self.show(where)["rules"])

    def test_a_policy_made_elsewhere_is_shown_whole_and_goes_back_as_it_is(self):
        where = self.space_with_images()
        name = where.partition("/")[2]
        project = self.harbor_api().call("GET", f"/projects/{name}")
        self.harbor_api().call("POST", "/retentions", {
            "algorithm": "or", "rules": [ODD], "trigger": {"kind": "Schedule", "settings": {
                "cron": ""}},
            "scope": {"level": "project", "ref": project["project_id"]}})
        shown = self.show(where)
        self.assertEqual(["v*", "v0*"],
                         [s["pattern"] for s in shown["rules"][0]["native"]["tag_selectors"]])
        self.written(where, *shown["rules"], NEWEST)
        again = self.show(where)
        self.assertEqual(["v*", "v0*"],
                         [s["pattern"] for s in again["rules"][0]["native"]["tag_selectors"]])
        self.assertEqual("latestPushedK", again["rules"][1]["template"])

    def test_a_dry_set_writes_nothing(self):
        where = self.space_with_images()
        self.written(where, NEWEST, args=("--dry-run",))
        self.assertEqual([], self.show(where)["rules"])

    def test_without_rules_there_is_nothing_to_run(self):
        where = self.space_with_images()
        for verb in ("run", "runs"):
            done = self.daemon.ctl("retention", verb, where)
            self.assertEqual(3, done.returncode, done.stderr)
            self.assertIn("no retention rules", done.stderr)

    def test_a_run_that_is_not_there_is_not_found(self):
        where = self.space_with_images()
        self.written(where, NEWEST)
        done = self.daemon.ctl("retention", "runs", where, "999999999")
        self.assertNotEqual(0, done.returncode)
        done = self.daemon.ctl("retention", "runs", where, "none")
        self.assertIn("no run's number", done.stderr)


class Older(RetentionCase):
    """Harbor 2.5 answers logs in text/plain alone."""

    version = "2.5"

    def test_a_run_tells_what_it_removed(self):
        where = self.space_with_images()
        self.written(where, NEWEST)
        _, tags = self.run_to_its_end(where, "--dry-run")
        self.assertEqual({"1": "removed", "2": "removed", "3": "kept"}, tags)


class Faults(RetentionCase):
    standin_only = True

    def test_a_broken_answer_is_an_error_with_its_cause(self):
        where = self.space_with_images()
        self.written(where, NEWEST)
        for fault, word in (("500", "500"), ("200 html", "JSON"), ("503 upgrade", "503"),
                            ("403", "403")):
            with self.subTest(fault):
                self.faults.add(fault, path="/retentions/.*/executions")
                done = self.daemon.ctl("retention", "runs", where)
                self.faults.clear()
                self.assertNotEqual(0, done.returncode)
                self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main()
