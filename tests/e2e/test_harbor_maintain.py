# SPDX-License-Identifier: Apache-2.0
"""House-keeping of a Harbor: read-only mode, garbage collection, own figures (I8)."""

import json
import unittest

from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer
from berthtest.proc import wait_until


class MaintainCase(HarborCase):
    def runs(self):
        return json.loads(self.daemon.ctl_ok("maintain", "runs", "harbor", "-o", "json"))


    def state(self, number):
        return next(run for run in self.runs()["runs"] if run["id"] == number)["state"]


class Looks(MaintainCase):
    """What leaves a shared Harbor as it is."""

    def test_the_registrys_own_figures_stand_beside_those_of_the_index(self):
        name = self.name("figures", public=False)
        self.push(name, "app", Image([random_layer("figures", 1000)]), "1")
        self.refresh()
        before = self.api.get("/v1/integrations/harbor/overview")
        self.assertNotIn("server", before)
        shown = json.loads(self.daemon.ctl_ok("integration", "overview", "harbor", "--ask",
                                              "-o", "json"))
        self.assertGreaterEqual(shown["server"]["repositories"], 1)
        self.assertGreaterEqual(shown["server"]["spaces"], 1)
        self.assertIn("at", shown["server"])
        self.assertEqual(before["repositories"], shown["repositories"])
        # A later probe and refresh leave them, with their time.
        self.refresh()
        self.done(self.api.post("/v1/integrations/harbor/probe", None))
        again = self.api.get("/v1/integrations/harbor/overview")
        self.assertEqual(shown["server"], again["server"])
        self.assertNotIn("server", self.api.get("/v1/integrations/harbor")["status"])

    def test_the_console_and_lines_to_begin_with_are_in_the_overview(self):
        shown = json.loads(self.daemon.ctl_ok("integration", "overview", "harbor", "-o", "json"))
        address = self.api.get("/v1/integrations/harbor")["address"]
        host = address.split("://")[1].split("/")[0]
        self.assertEqual(address.rstrip("/"), shown["console"])
        self.assertEqual(shown["console"],
                         self.api.get("/v1/integrations/harbor")["status"]["console"])
        self.assertEqual(f"{host}/SPACE/REPOSITORY:TAG", shown["quick_start"]["reference"])
        said = self.daemon.ctl_ok("integration", "overview", "harbor")
        self.assertRegex(said, r"(?m)^Address: +http.*\n(?:.*\n)*?Kind: +harbor\nVersion: +v?2\.")
        self.assertRegex(said, r"Console: +" + shown["console"])
        for tool in ("docker", "podman", "nerdctl", "crictl"):
            self.assertIn(f"{tool} pull", said.replace("--insecure-registry ", ""))

    def test_the_read_only_mode_is_shown(self):
        self.assertRegex(self.daemon.ctl_ok("maintain", "read-only", "harbor"), r"Read-only: +no")

    def test_a_dry_collection_begins_and_is_in_the_history(self):
        known = {run["id"] for run in self.runs()["runs"]}
        begun = json.loads(self.daemon.ctl_ok("maintain", "gc", "harbor", "--dry-run", "-o",
                                              "json"))
        number = begun["result"]["id"]
        self.assertNotIn(number, known)
        self.assertIn(number, {run["id"] for run in self.runs()["runs"]})

    def test_the_log_of_a_collection_is_printed(self):
        begun = json.loads(self.daemon.ctl_ok("maintain", "gc", "harbor", "--dry-run", "-o",
                                              "json"))
        number = begun["result"]["id"]
        wait_until(lambda: self.state(number) == "done", "the collection has ended", 120)
        self.assertIn("garbage_collection.go", self.daemon.ctl_ok("maintain", "log", "harbor",
                                                                  number))
        lines = self.daemon.ctl_ok("maintain", "log", "harbor", number, "-o", "ndjson")
        self.assertTrue(all(json.loads(line)["text"] for line in lines.splitlines()))

    def test_a_run_that_is_not_there_and_one_that_is_no_number_are_refused(self):
        for verb in ("log", "stop"):
            for run, status in (("999999", 3), ("twelve", None)):
                done = self.daemon.ctl("maintain", verb, "harbor", run)
                self.assertNotEqual(0, done.returncode, (verb, run))
                if status:
                    self.assertEqual(status, done.returncode, done.stderr)
                self.assertIn(f"no garbage collection {run}" if status else run, done.stderr)

    def test_a_dry_switch_and_a_dry_schedule_change_nothing(self):
        before = self.runs()["schedule"]
        self.daemon.ctl_ok("maintain", "read-only", "harbor", "--on", "--dry-run")
        self.daemon.ctl_ok("maintain", "schedule", "harbor", "--cron", "0 0 4 * * 6", "--dry-run")
        self.assertRegex(self.daemon.ctl_ok("maintain", "read-only", "harbor"), r"Read-only: +no")
        self.assertEqual(before, self.runs()["schedule"])

    def test_what_harbor_would_misread_is_refused(self):
        for cron in ("0 4 * * *", "5 0 4 * * *", "@daily"):
            done = self.daemon.ctl("maintain", "schedule", "harbor", "--cron", cron)
            self.assertNotEqual(0, done.returncode)
            self.assertIn("six fields", done.stderr)

    def test_berthctl_wants_one_choice(self):
        for args in (("schedule", "harbor"), ("schedule", "harbor", "--never", "--cron", "x"),
                     ("read-only", "harbor", "--on", "--off")):
            self.assertEqual(2, self.daemon.ctl("maintain", *args).returncode, args)


class Changes(MaintainCase):
    standin_only = True

    def test_read_only_is_switched_and_then_changes_are_refused(self):
        self.daemon.ctl_ok("maintain", "read-only", "harbor", "--on")
        self.assertTrue(self.world.settings["read_only"])
        done = self.daemon.ctl("space", "create", f"harbor/{self.name()}")
        self.assertNotEqual(0, done.returncode)
        self.daemon.ctl_ok("maintain", "read-only", "harbor", "--off")
        self.assertFalse(self.world.settings["read_only"])

    def test_a_schedule_is_set_changed_and_taken_away(self):
        for cron in ("0 0 4 * * 6", "0 30 5 * * *"):
            self.daemon.ctl_ok("maintain", "schedule", "harbor", "--cron", cron,
                               "--delete-untagged")
            self.assertEqual(cron, self.runs()["schedule"])
        self.daemon.ctl_ok("maintain", "schedule", "harbor", "--never")
        self.assertEqual("", self.runs()["schedule"])

    def test_a_collection_is_followed_to_its_end(self):
        begun = json.loads(self.daemon.ctl_ok("maintain", "gc", "harbor", "-o", "json"))
        number = begun["result"]["id"]

        wait_until(lambda: self.state(number) == "done", "the collection has ended", 120)
        self.assertRegex(self.daemon.ctl_ok("maintain", "runs", "harbor"), number + r" +done")

    def test_a_collection_is_stopped(self):
        begun = json.loads(self.daemon.ctl_ok("maintain", "gc", "harbor", "-o", "json"))
        number = begun["result"]["id"]
        run = next(one for one in self.world.gc_runs if str(one.id) == number)
        told = self.daemon.ctl("maintain", "stop", "harbor", number, "--dry-run")
        self.assertIn(f"collection {number} would be asked to stop", told.stderr)
        self.assertFalse(run.stopped)
        done = self.daemon.ctl("maintain", "stop", "harbor", number)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(f"garbage collection {number} was asked to stop", done.stderr + done.stdout)
        self.assertTrue(run.stopped)
        wait_until(lambda: self.state(number) == "stopped", "it is stopped", 120)

    def test_a_harbor_that_cannot_stop_one_is_named(self):
        number = json.loads(self.daemon.ctl_ok("maintain", "gc", "harbor", "-o", "json"))[
            "result"]["id"]
        self.faults.add("405", method="PUT", path=f"/system/gc/{number}")
        done = self.daemon.ctl("maintain", "stop", "harbor", number)
        self.faults.clear()
        self.assertNotEqual(0, done.returncode)
        self.assertIn("2.6 and newer", done.stderr)

    def test_a_broken_answer_is_an_error_with_its_cause(self):
        for fault, word in (("500", "500"), ("200 html", "JSON"), ("503 upgrade", "503")):
            with self.subTest(fault):
                self.faults.add(fault, path="/system/gc")
                done = self.daemon.ctl("maintain", "runs", "harbor")
                self.faults.clear()
                self.assertNotEqual(0, done.returncode)
                self.assertIn(word, done.stderr)

    def test_a_backend_without_house_keeping_says_so(self):
        self.daemon.add("plain", self.registry)
        self.settle()
        for args in (("read-only", "plain"), ("gc", "plain"), ("runs", "plain"),
                     ("schedule", "plain", "--never")):
            done = self.daemon.ctl("maintain", *args)
            self.assertNotEqual(0, done.returncode)
            self.assertIn("does not support maintain", done.stderr)
        done = self.daemon.ctl("retention", "show", "plain/default")
        self.assertIn("does not support retention_get", done.stderr)


if __name__ == "__main__":
    unittest.main()
