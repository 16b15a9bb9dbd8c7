# SPDX-License-Identifier: Apache-2.0
"""Scans for vulnerabilities by Harbor's own scanner (C1 to C5), through API and
berthctl. The stand-in's scanner is scripted by the repository's name: clean...
has no finding, fail... ends in an error, slow... runs until it is told to end,
all others have the same four findings."""

import csv
import io
import json
import unittest

from berthtest import images
from berthtest.harborcase import HarborCase
from berthtest.proc import wait_until

FOUND = {"critical": 1, "high": 1, "medium": 1, "low": 1}
WAIT_S = 90.0


def image(name, architecture="amd64"):
    layer = images.tar_layer({"etc/name": f"{name} {architecture}".encode()})
    return images.Image([layer], {"x-name": name}, architecture=architecture)


class ScanCase(HarborCase):
    standin_only = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.add_scanner()

    def filled(self, *repositories):
        """A project that holds an image in each of these; its name."""
        project = self.name("scan", public=False)
        for repository in repositories:
            self.push(project, repository, image(repository), "v1")
        self.refresh()
        return project

    def start(self, target):
        answer = self.ask("POST", "/v1/scans", {"target": target})
        self.assertEqual(202, answer.status, answer.body)
        return answer.body

    def scan(self, target):
        """Scan to the end; the scan as it is kept."""
        ended = self.api.wait(self.start(target), WAIT_S)
        return ended, self.api.get(f"/v1/scans/{ended['id']}")

    def in_state(self, operation, state):
        def look():
            found = self.api.get(f"/v1/scans/{operation['id']}")
            return found if found["state"] == state else None
        return wait_until(look, f"the scan is {state}", WAIT_S)

    def state(self, target):
        return self.done(self.api.post("/v1/scan-states", {"target": target}))["result"]

    def report(self, target):
        """A report read anew, and all its findings."""
        report = self.done(self.api.post("/v1/scan-reports", {"target": target}))["result"]
        self.assertEqual(report, self.api.get(f"/v1/scan-reports/{report['id']}"))
        return report, self.api.get(f"/v1/scan-reports/{report['id']}/findings")["items"]

    def begun(self):
        """How often Harbor was asked to scan an artifact."""
        return sum(method == "POST" and path.endswith("/scan")
                   for method, path, *_ in list(self.standin.requests))


class OneImage(ScanCase):
    def test_a_scan_ends_with_what_was_found_and_its_report(self):
        project = self.filled("app")
        target = f"harbor/{project}/app:v1"
        self.assertEqual("not-scanned", self.state(target)["state"])
        ended, scan = self.scan(target)
        self.assertEqual("succeeded", ended["state"], ended)
        self.assertEqual(("done", "artifact", target, 4, 2, FOUND, 100, "LabScanner"),
                         (scan["state"], scan["scope"], scan["target"], scan["total"],
                          scan["fixable"], scan["counts"], scan["percent"], scan["scanner"]))
        self.assertEqual(image("app").digest, scan["digest"])
        kept = self.api.get(f"/v1/scan-reports/{ended['result']['report']}")
        self.assertEqual((scan["digest"], 4, FOUND), (kept["digest"], kept["total"],
                                                      kept["counts"]))
        self.assertEqual("done", self.state(target)["state"])
        self.assertIn(scan["id"], [one["id"] for one in self.api.get(
            "/v1/scans?filter=state%20eq%20'done'")["items"]])

    def test_a_report_has_every_finding_with_its_parts_the_worst_first(self):
        project = self.filled("parts")
        target = f"harbor/{project}/parts:v1"
        self.scan(target)
        report, findings = self.report(target)
        self.assertEqual("LabScanner", report["scanner"]["name"])
        self.assertIn("version=1.1", report["media_type"])
        self.assertEqual(["critical", "high", "medium", "low"],
                         [one["severity"] for one in findings])
        worst = findings[0]
        self.assertEqual(("CVE-2026-0001", "openssl", "1.0.0", "1.0.1", "7.5",
                          ["http://cve.invalid/CVE-2026-0001"], report["digest"]),
                         (worst["vulnerability"], worst["package"], worst["version"],
                          worst["fixed"], worst["score"], worst["links"], worst["artifact"]))
        self.assertIn("ünïcode", worst["description"])
        self.assertNotIn("fixed", findings[2])

    def test_a_new_report_takes_the_place_of_the_older_one(self):
        project = self.filled("again")
        target = f"harbor/{project}/again:v1"
        self.scan(target)
        first, _ = self.report(target)
        second, _ = self.report(target)
        self.refused(404, "not-found", "GET", f"/v1/scan-reports/{first['id']}")
        listed = [one["id"] for one in self.api.get(f"/v1/scan-reports?q={project}")["items"]]
        self.assertEqual([second["id"]], listed)

    def test_an_index_has_each_finding_once_for_each_child(self):
        project = self.name("index", public=False)
        index = images.multi_arch({"amd64": image("multi"), "arm64": image("multi", "arm64")})
        self.push(project, "multi", index, "v1")
        self.refresh()
        target = f"harbor/{project}/multi:v1"
        _, scan = self.scan(target)
        self.assertEqual((8, 4), (scan["total"], scan["fixable"]))
        report, findings = self.report(target)
        self.assertEqual(8, report["total"])
        pairs = {(one["vulnerability"], one["artifact"]) for one in findings}
        self.assertEqual(8, len(pairs))
        self.assertEqual({image("multi").digest, image("multi", "arm64").digest},
                         {artifact for _, artifact in pairs})

    def test_a_clean_image_has_a_report_without_findings(self):
        project = self.filled("clean")
        target = f"harbor/{project}/clean:v1"
        ended, scan = self.scan(target)
        self.assertEqual(("succeeded", "done", 0), (ended["state"], scan["state"], scan["total"]))
        report, findings = self.report(target)
        self.assertEqual((0, []), (report["total"], findings))

    def test_a_failed_scan_says_why_with_the_scanners_log(self):
        project = self.filled("fail")
        ended, scan = self.scan(f"harbor/{project}/fail:v1")
        self.assertEqual(("failed", "upstream-failed"), (ended["state"], ended["error"]["code"]))
        self.assertIn("database is broken", ended["error"]["cause"])
        self.assertEqual("error", scan["state"])
        self.assertIn("database is broken", scan["error"]["cause"])
        log = self.ask("GET", f"/v1/operations/{ended['id']}/log").body
        self.assertIn(b"database is broken", log if isinstance(log, bytes) else
                      json.dumps(log).encode())
        refused = self.api.wait(self.api.post("/v1/scan-reports", {
            "target": f"harbor/{project}/fail:v1"}))
        self.assertEqual("not-found", refused["error"]["code"])

    def test_an_artifact_that_is_not_there_is_not_found(self):
        project = self.filled("gone")
        for reference in (f"@sha256:{'0' * 64}", ":nosuch"):
            ended = self.api.wait(self.start(f"harbor/{project}/gone{reference}"))
            self.assertEqual(("failed", "not-found"), (ended["state"], ended["error"]["code"]))
            self.assertEqual("error", self.api.get(f"/v1/scans/{ended['id']}")["state"])


class Going(ScanCase):
    def test_a_second_start_joins_and_a_stop_ends_it(self):
        project = self.filled("slow")
        target = f"harbor/{project}/slow:v1"
        first = self.start(target)
        self.in_state(first, "running")
        before = self.begun()
        self.assertEqual(first["id"], self.api.post("/v1/scans", {"target": target})["id"])
        self.assertEqual(before, self.begun())
        self.assertEqual("running", self.state(target)["state"])
        self.done(self.api.post(f"/v1/scans/{first['id']}/stop", None))
        ended = self.api.wait(first, WAIT_S)
        self.assertEqual(("failed", "cancelled"), (ended["state"], ended["error"]["code"]))
        self.assertEqual("stopped", self.api.get(f"/v1/scans/{first['id']}")["state"])
        self.refused(409, "conflict", "POST", f"/v1/scans/{first['id']}/stop")

    def test_cancelling_the_operation_leaves_the_scan_alone(self):
        project = self.filled("slow-left")
        operation = self.start(f"harbor/{project}/slow-left:v1")
        self.in_state(operation, "running")
        self.api.call("DELETE", f"/v1/operations/{operation['id']}")
        self.assertEqual("cancelled", self.api.wait(operation, WAIT_S)["state"])
        self.assertEqual("left", self.api.get(f"/v1/scans/{operation['id']}")["state"])
        self.assertEqual("running", self.state(f"harbor/{project}/slow-left:v1")["state"])
        self.done(self.api.post(f"/v1/scans/{operation['id']}/stop", None))
        self.assertEqual("stopped", self.state(f"harbor/{project}/slow-left:v1")["state"])

    def test_a_killed_daemon_follows_the_scan_that_it_had_begun(self):
        project = self.filled("slow-kill")
        operation = self.start(f"harbor/{project}/slow-kill:v1")
        self.in_state(operation, "running")
        before = self.begun()
        self.daemon.kill()
        self.daemon.start()
        self.standin.finish_scan(f"{project}/slow-kill")
        ended = self.api.wait(operation, WAIT_S)
        self.assertEqual(("succeeded", 2), (ended["state"], ended["attempts"]), ended)
        self.assertEqual(before, self.begun())
        scan = self.api.get(f"/v1/scans/{operation['id']}")
        self.assertEqual(("done", 4), (scan["state"], scan["total"]))


class Many(ScanCase):
    def test_a_space_is_scanned_image_by_image(self):
        project = self.filled("one", "two", "clean")
        ended, scan = self.scan(f"harbor/{project}")
        self.assertEqual("succeeded", ended["state"], ended)
        self.assertEqual(("space", "done", {"done": 3}, 8),
                         (scan["scope"], scan["state"], scan["artifacts"], scan["total"]))
        self.assertEqual({f"{project}/one": 4, f"{project}/two": 4, f"{project}/clean": 0},
                         {one["repository"]: one["total"] for one in scan["images"]})
        self.assertEqual(3, len(self.state(f"harbor/{project}")["images"]))

    def test_one_image_that_fails_is_counted_and_the_others_stay(self):
        project = self.filled("good", "fail")
        ended, scan = self.scan(f"harbor/{project}")
        self.assertEqual("1 of 2 artifacts failed to scan", ended["error"]["detail"])
        self.assertEqual(("error", {"done": 1, "error": 1}),
                         (scan["state"], scan["artifacts"]))

    def test_a_repository_is_scanned_alone(self):
        project = self.filled("mine", "other")
        _, scan = self.scan(f"harbor/{project}/mine")
        self.assertEqual(("repository", {"done": 1}), (scan["scope"], scan["artifacts"]))
        self.assertEqual("not-scanned", self.state(f"harbor/{project}/other:v1")["state"])

    def test_a_space_is_stopped_image_by_image(self):
        project = self.filled("slow-a", "slow-b")
        operation = self.start(f"harbor/{project}")
        self.in_state(operation, "running")
        self.done(self.api.post(f"/v1/scans/{operation['id']}/stop", None))
        self.assertEqual("cancelled", self.api.wait(operation, WAIT_S)["error"]["code"])
        self.assertEqual({"stopped": 2}, self.state(f"harbor/{project}")["artifacts"])


class Everything(ScanCase):
    def test_all_are_scanned_at_once_and_on_a_schedule(self):
        self.filled("all-a", "all-b")
        ended, scan = self.scan("harbor")
        self.assertEqual(("succeeded", "integration", "done"),
                         (ended["state"], scan["scope"], scan["state"]), ended)
        self.assertGreaterEqual(scan["artifacts"]["done"], 2)
        for cron in ("0 0 3 * * *", "0 30 4 * * *"):
            self.done(self.api.post("/v1/scan-settings", {"target": "harbor", "cron": cron}))
            self.assertEqual(cron, self.state("harbor")["cron"])
        self.done(self.api.post("/v1/scan-settings", {"target": "harbor", "cron": ""}))
        self.assertNotIn("cron", self.state("harbor"))

    def test_a_cron_that_harbor_reads_otherwise_is_refused(self):
        for cron in ("0 3 * * *", "30 0 3 * * *"):
            ended = self.api.wait(self.api.post("/v1/scan-settings", {
                "target": "harbor", "cron": cron}))
            self.assertIn("six fields", ended["error"]["detail"])

    def test_stopping_a_scan_of_all_is_refused_because_it_wipes_results(self):
        self.filled("slow-all")
        operation = self.start("harbor")
        self.in_state(operation, "running")
        stop = self.api.wait(self.api.post(f"/v1/scans/{operation['id']}/stop", None))
        self.assertEqual("unsupported", stop["error"]["code"])
        self.assertIn("wipes", stop["error"]["detail"])
        for name in list(self.world.repositories):
            self.standin.finish_scan(name)
        self.api.wait(operation, WAIT_S)


class Choosing(ScanCase):
    def test_scanners_are_listed_without_their_credentials(self):
        found = self.done(self.api.get("/v1/integrations/harbor/scanners"))["result"]["objects"]
        self.assertEqual([True], [one["is_default"] for one in found])
        self.assertNotIn("access_credential", found[0])

    def test_a_scanner_is_chosen_by_name_for_a_space_and_for_all(self):
        project = self.filled("app")
        name = next(iter(self.world.scanners.values())).name
        for target in (f"harbor/{project}", "harbor"):
            self.done(self.api.post("/v1/scan-settings", {"target": target, "scanner": name}))
            ended = self.api.wait(self.api.post("/v1/scan-settings", {
                "target": target, "scanner": "nosuch"}))
            self.assertEqual("not-found", ended["error"]["code"])

    def test_settings_that_make_no_sense_are_named(self):
        project = self.filled("app")
        for body, pointer in (
                ({"target": f"harbor/{project}", "cron": "0 0 3 * * *"}, "/cron"),
                ({"target": f"harbor/{project}/app:v1", "scanner": "x"}, "/target"),
                ({"target": "harbor"}, "")):
            problem = self.refused(422, "validation-failed", "POST", "/v1/scan-settings", body)
            self.assertEqual([pointer], self.pointers(problem))


class Refused(ScanCase):
    def test_targets_that_are_not_there_are_named(self):
        project = self.filled("app")
        for target in ("nosuch", "nosuch/x", "harbor/nosuch/x:1", f"harbor/{project}/A:1"):
            problem = self.refused(422, "validation-failed", "POST", "/v1/scans",
                                   {"target": target})
            self.assertEqual(["/target"], self.pointers(problem), target)
        problem = self.refused(422, "validation-failed", "POST", "/v1/scan-reports",
                               {"target": f"harbor/{project}"})
        self.assertEqual(["/target"], self.pointers(problem))

    def test_a_registry_without_a_scanner_says_what_to_do(self):
        self.daemon.add("plain", self.registry)
        self.settle()
        for path, body in (("/v1/scans", {"target": "plain/x:1"}),
                           ("/v1/scan-states", {"target": "plain"}),
                           ("/v1/scan-reports", {"target": "plain/x:1"}),
                           ("/v1/scan-settings", {"target": "plain", "cron": ""})):
            problem = self.refused(422, "unsupported", "POST", path, body)
            self.assertIn("plain is a dockerreg", problem["detail"])
            self.assertIn("berthctl copy", problem["hint"])
        self.refused(422, "unsupported", "GET", "/v1/integrations/plain/scanners")

    def test_a_dry_run_starts_nothing(self):
        project = self.filled("app")
        before = self.begun()
        plan = self.ask("POST", "/v1/scans?dry_run=true", {"target": f"harbor/{project}/app:v1"})
        self.assertEqual((200, ["/v1/scans"]), (plan.status, plan.body["create"]))
        self.assertEqual(before, self.begun())


class Anywhere(HarborCase):
    """What holds at a real Harbor too, whatever its scanner finds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if cls.standin:
            cls.world.add_scanner()

    def test_a_scan_and_its_report_agree_or_no_scanner_is_set_up(self):
        project = self.name("real", public=False)
        self.push(project, "clean", image("clean"), "v1")
        self.refresh()
        target = f"harbor/{project}/clean:v1"
        ended = self.api.wait(self.api.post("/v1/scans", {"target": target}), WAIT_S)
        if not self.harbor_api().call("GET", "/scanners"):
            self.assertIn("no scanner is set up", ended["error"]["detail"])
            return
        self.assertEqual("succeeded", ended["state"], ended)
        state = self.done(self.api.post("/v1/scan-states", {"target": target}))["result"]
        report = self.done(self.api.post("/v1/scan-reports", {"target": target}))["result"]
        found = self.api.get(f"/v1/scan-reports/{report['id']}/findings?limit=1")
        self.assertEqual("done", state["state"])
        self.assertEqual((image("clean").digest, found["total"]),
                         (report["digest"], report["total"]))
        space = self.api.wait(self.api.post("/v1/scans", {"target": f"harbor/{project}"}), WAIT_S)
        self.assertEqual({"done": 1}, space["result"]["artifacts"])


class NoScanner(HarborCase):
    standin_only = True

    def test_a_harbor_without_a_scanner_is_told_apart(self):
        project = self.name("none", public=False)
        self.push(project, "app", image("app"), "v1")
        self.refresh()
        for target in (f"harbor/{project}", f"harbor/{project}/app:v1"):
            ended = self.api.wait(self.api.post("/v1/scans", {"target": target}))
            self.assertEqual("failed", ended["state"])
            self.assertIn("no scanner is set up", ended["error"]["detail"])


class Old(ScanCase):
    version = "2.5"

    def test_an_old_harbor_is_scanned_too(self):
        project = self.filled("old", "clean")
        _, scan = self.scan(f"harbor/{project}")
        self.assertEqual(({"done": 2}, 4), (scan["artifacts"], scan["total"]))
        report, findings = self.report(f"harbor/{project}/old:v1")
        self.assertEqual((4, 4), (report["total"], len(findings)))
        found = self.done(self.api.get("/v1/integrations/harbor/scanners"))["result"]["objects"]
        self.assertNotIn("access_credential", found[0])


class Commands(ScanCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.project = cls.name("ctl", public=False)
        cls.push(cls.project, "app", image("ctl"), "v1")
        cls.push(cls.project, "slow", image("ctl-slow"), "v1")
        cls.target = f"harbor/{cls.project}/app:v1"
        cls.daemon.ctl_ok("integration", "refresh", "harbor")
        cls.daemon.ctl_ok("scan", "start", cls.target)

    def of_target(self, target):
        return next(one for one in self.api.get("/v1/scans")["items"] if one["target"] == target)

    def test_a_scan_is_shown_in_a_line(self):
        out = self.daemon.ctl_ok("scan", "start", self.target)
        self.assertEqual(f"{self.target}  done  4 findings (2 fixable): 1 critical, 1 high, "
                         "1 medium, 1 low\n", out)
        self.assertIn(self.target, self.daemon.ctl_ok("scan", "list"))
        self.assertIn("done", self.daemon.ctl_ok("scan", "show", self.target))

    def test_a_report_as_table_json_csv_and_sarif(self):
        table = self.daemon.ctl_ok("scan", "report", self.target)
        self.assertEqual(5, len(table.splitlines()), table)
        body = json.loads(self.daemon.ctl_ok("scan", "report", self.target, "-o", "json"))
        self.assertEqual(4, len(body["items"]))
        rows = list(csv.DictReader(io.StringIO(
            self.daemon.ctl_ok("scan", "report", self.target, "-o", "csv"))))
        self.assertEqual(["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0004"],
                         [row["VULNERABILITY"] for row in rows])
        self.assertIn('"quoted"', rows[0]["DESCRIPTION"])
        sarif = json.loads(self.daemon.ctl_ok("scan", "report", self.target, "-o", "sarif"))
        run = sarif["runs"][0]
        self.assertEqual(("2.1.0", 4, 4, "error"),
                         (sarif["version"], len(run["results"]),
                          len(run["tool"]["driver"]["rules"]), run["results"][0]["level"]))

    def test_findings_that_are_too_bad_are_exit_10(self):
        self.assertEqual(10, self.daemon.ctl("scan", "report", self.target, "--fail-on",
                                             "high").returncode)

    def test_sarif_is_of_reports_alone(self):
        done = self.daemon.ctl("scan", "list", "-o", "sarif")
        self.assertEqual(2, done.returncode)
        self.assertIn("no output format 'sarif'", done.stderr)

    def test_a_scan_is_stopped_by_its_target(self):
        target = f"harbor/{self.project}/slow:v1"
        self.daemon.ctl_ok("scan", "start", target, "--no-wait")
        self.in_state(self.of_target(target), "running")
        self.assertIn("running", self.daemon.ctl_ok("scan", "show", target))
        self.daemon.ctl_ok("scan", "stop", target)
        self.in_state(self.of_target(target), "stopped")
        self.assertEqual(3, self.daemon.ctl("scan", "stop", target).returncode)

    def test_schedule_scanner_and_scan_of_all(self):
        name = next(iter(self.world.scanners.values())).name
        self.assertIn(name, self.daemon.ctl_ok("scan", "scanners", "harbor"))
        self.daemon.ctl_ok("scan", "use", f"harbor/{self.project}", name)
        self.daemon.ctl_ok("scan", "schedule", "harbor", "--cron", "0 0 3 * * *")
        self.assertIn("0 0 3 * * *", self.daemon.ctl_ok("scan", "show", "harbor"))
        self.daemon.ctl_ok("scan", "schedule", "harbor", "--off")
        self.assertEqual(2, self.daemon.ctl("scan", "start", "harbor").returncode)
        self.assertEqual(2, self.daemon.ctl("scan", "schedule", "harbor").returncode)


if __name__ == "__main__":
    unittest.main()
