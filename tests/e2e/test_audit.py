# SPDX-License-Identifier: Apache-2.0
"""The audit trail: who, what before and after, and how it is searched: A3 A4."""

import json
import os
import sqlite3
import subprocess
import unittest
import urllib.parse

from berthtest import proc
from berthtest.apicase import PASSWORD, ApiCase


class Trail(ApiCase):
    def rows(self, **asked):
        query = urllib.parse.urlencode({"limit": 1000, **asked})
        return self.api.get(f"/v1/audit?{query}")["items"]

    def one(self, request):
        rows = self.rows(q=request)
        self.assertEqual(1, len(rows), rows)
        return rows[0]

    def ctl(self, *args, code=0):
        env = dict(os.environ, BERTH_SOCKET=self.daemon.socket, LC_ALL="C.UTF-8")
        done = subprocess.run([os.path.join(proc.build_dir(), "berthctl"), *args], env=env,
                              capture_output=True, text=True, timeout=180, check=False)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout


class Search(Trail):
    def test_a_row_says_who_with_groups_and_what_was_before_and_after(self):
        self.ask("POST", "/v1/workspaces", {"name": "told", "description": "first"},
                 X_Request_Id="told-1")
        self.ask("PATCH", "/v1/workspaces/told", {"description": "second"}, If_Match="*",
                 X_Request_Id="told-2")
        self.ask("DELETE", "/v1/workspaces/told", If_Match="*", X_Request_Id="told-3")
        made, changed, gone = (self.one(f"told-{n}") for n in (1, 2, 3))
        self.assertEqual((os.getuid(), "workspaces_create", "succeeded"),
                         (made["uid"], made["action"], made["result"]))
        self.assertTrue(set(os.getgroups()) <= set(made["groups"]), made)
        self.assertNotIn("before", made["detail"])
        self.assertEqual("first", made["detail"]["after"]["description"])
        self.assertEqual(("first", "second", {"description": "second"}),
                         (changed["detail"]["before"]["description"],
                          changed["detail"]["after"]["description"], changed["detail"]["asked"]))
        self.assertEqual("second", gone["detail"]["before"]["description"])
        self.assertNotIn("after", gone["detail"])

    def test_a_refusal_says_what_was_asked_and_why_not(self):
        self.ask("PATCH", "/v1/integrations/hub", {"description": "x"}, If_Match='"old"',
                 X_Request_Id="late-1")
        row = self.one("late-1")
        self.assertEqual(("failed", 412, "precondition-failed", {"description": "x"}),
                         (row["result"], row["detail"]["status"], row["detail"]["problem"],
                          row["detail"]["asked"]))
        self.assertEqual(self.hub.url, row["detail"]["before"]["address"])

    def test_secrets_are_masked_by_name_and_options_whole(self):
        self.ask("POST", "/v1/integrations", {
            "name": "masked", "kind": "dockerreg", "address": self.mirror.url,
            "username": "robot", "password": "canary-Q4-other", "options": {"unheard": "canary-Q4-o"},
        }, X_Request_Id="masked-1")
        self.settle()
        rows = self.rows(q="masked-1")
        asked = next(row["detail"]["asked"] for row in rows if "asked" in row["detail"])
        self.assertEqual(("***", {"unheard": "***"}, "robot"),
                         (asked["password"], asked["options"], asked["username"]))
        for canary in ("canary-Q4", PASSWORD):
            self.assertNotIn(canary, json.dumps(self.rows()))

    def test_what_waits_for_its_operation_is_audited_when_it_is_accepted(self):
        done = self.ask("POST", "/v1/integrations/hub/probe", None, Prefer="wait=60",
                        X_Request_Id="waits-1")
        self.assertEqual(200, done.status, done.body)
        rows = sorted(self.rows(q="waits-1"), key=lambda row: row["number"])
        self.assertEqual([("integrations_probe", "accepted"), ("operation.probe", "succeeded")],
                         [(row["action"], row["result"]) for row in rows])
        self.assertNotIn("groups", rows[1])

    def test_a_long_trail_is_verified_in_pieces(self):
        for _ in range(1100):  # each is refused, and noted
            self.api.request("DELETE", "/v1/integrations/" + 60 * "x", headers={"If-Match": "*"})
        verdict = self.api.get("/v1/audit/verify")
        self.assertTrue(verdict["ok"])
        self.assertGreater(verdict["rows"], 1100)

    def test_a_long_body_is_cut_and_still_a_row(self):
        members = [{"uid": 80000 + n, "user": "u" * 50} for n in range(400)]
        self.ask("POST", "/v1/workspaces", {"name": "many", "members": members},
                 X_Request_Id="many-1")
        row = self.one("many-1")
        self.assertEqual((True, "POST", 201), (row["detail"]["cut"], row["detail"]["method"],
                                               row["detail"]["status"]))
        self.assertTrue(self.api.get("/v1/audit/verify")["ok"])

    def test_rows_are_found_by_each_part_and_by_time(self):
        self.ask("POST", "/v1/workspaces", {"name": "found%_x"}, X_Request_Id="found-1")
        self.ask("POST", "/v1/workspaces", {"name": "found"}, X_Request_Id="found-2")
        self.ask("DELETE", "/v1/workspaces/found", If_Match="*", X_Request_Id="found-3")
        uid = str(os.getuid())

        def ids(**asked):
            return sorted(row["request"] for row in self.rows(q="found-", **asked))

        everything = ["found-1", "found-2", "found-3"]
        self.assertEqual(everything, ids())
        self.assertEqual(everything, ids(user=uid))
        self.assertEqual([], ids(user="77777"))
        self.assertEqual(["found-1", "found-2"], ids(action="workspaces_create"))
        self.assertEqual(["found-3"], ids(action="*_delete"))
        self.assertEqual([], ids(action="workspaces%"))
        self.assertEqual(["found-3"], ids(resource="/v1/workspaces/*"))
        self.assertEqual(["found-1"], ids(result="failed"))
        self.assertEqual(["found-2"], ids(result="succeeded", action="*_create", user=uid))
        first, last = self.one("found-1")["at"], self.one("found-3")["at"]
        self.assertIn("found-1", ids(since=first))
        self.assertNotIn("found-1", ids(until=first))
        self.assertNotIn("found-3", ids(since=first, until=last))
        self.assertEqual([], ids(since="2999-01-01T00:00:00Z"))
        for name in ("since", "until"):
            problem = self.refused(400, "parameter-invalid", "GET", f"/v1/audit?{name}=yesterday")
            self.assertEqual([name], self.pointers(problem))

    def test_texts_of_any_kind_are_only_texts(self):
        self.ask("POST", "/v1/workspaces", {"name": "odd", "description": "50% _a' \"b\" \\ *"},
                 X_Request_Id="odd-1")
        for text in ("50%", "_a'", "%_", "' OR 1=1 --"):
            found = [row["request"] for row in self.rows(q=text)]
            self.assertEqual(text in "50% _a' \\ *", "odd-1" in found, text)
        for bad in ("/v1/audit?q=%00", "/v1/audit?q=" + "a" * 256, "/v1/audit?user=%ff"):
            self.assertEqual(400, self.ask("GET", bad).status, bad)

    def test_pages_of_a_search_go_on_with_it(self):
        for number in range(5):
            self.ask("POST", "/v1/workspaces", {"name": f"page-{number}"},
                     X_Request_Id=f"paged-{number}")
        page = self.api.get("/v1/audit?q=paged-&limit=2")
        self.assertEqual(5, page["total"])
        found = []
        while True:
            found += [row["request"] for row in page["items"]]
            if not page.get("next"):
                break
            page = self.api.get(page["next"])
        self.assertEqual([f"paged-{n}" for n in (4, 3, 2, 1, 0)], found)

    def test_berthctl_searches(self):
        self.ask("POST", "/v1/workspaces", {"name": "shown"}, X_Request_Id="shown-1")
        uid = str(os.getuid())
        shown = self.ctl("audit", "list", "--user", uid, "--last", "1h", "-q", "shown-1", "-o",
                         "csv", "--columns", "request,action,result")
        self.assertIn("shown-1,workspaces_create,succeeded", shown)
        self.assertNotIn("shown-1", self.ctl("audit", "list", "--result", "denied"))
        self.assertNotIn("shown-1", self.ctl("audit", "list", "--until", "2001-01-01T00:00:00Z"))
        self.ctl("audit", "list", "--last", "1h", "--since", "2001-01-01T00:00:00Z", code=2)


class Export(Trail):
    """The trail as a file, which needs no daemon to be verified."""

    integrate = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for number in range(110):
            cls.api.post("/v1/workspaces", {"name": f"w{number}"})
        cls.path = os.path.join(cls.dir, "trail.ndjson")

    def exported(self):
        self.ctl("audit", "export", self.path)
        with open(self.path, encoding="utf-8") as file:
            return file.read().splitlines()

    def verdict(self, lines, *args, code=0):
        path = os.path.join(self.dir, "other.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        return json.loads(self.ctl("audit", "verify", "--file", path, "-o", "json", *args,
                                   code=code))

    def test_a_file_holds_every_row_and_verifies_by_itself(self):
        lines = self.exported()
        verdict = self.verdict(lines)
        own = self.api.get("/v1/audit/verify")
        self.assertEqual((True, own["rows"], own["public_key"], True),
                         (verdict["ok"], verdict["rows"], verdict["public_key"],
                          verdict["signed"]))
        self.assertEqual(verdict["rows"], len(lines) - 1)
        self.assertEqual([], [name for name in os.listdir(self.dir) if name.endswith(".part")])
        self.assertTrue(self.verdict(lines, "--key", own["public_key"])["ok"])
        self.assertEqual(lines, self.ctl("audit", "export", "-").splitlines())
        self.assertIn("unbroken", self.ctl("audit", "verify"))

    def test_what_was_done_to_a_file_shows(self):
        lines = self.exported()
        rows = len(lines) - 1
        altered = json.loads(lines[7])
        altered["uid"] = 4711
        head = json.loads(lines[0])
        shorter = {**head, "end": {**head["end"], "number": rows - 1,
                                   "hash": json.loads(lines[-2])["hash"]}}
        for what, changed, first_bad in (
                ("a row altered", lines[:7] + [json.dumps(altered)] + lines[8:], 7),
                ("a row taken out", lines[:9] + lines[10:], 9),
                ("the newest row cut off", lines[:-1], rows),
                ("with its seal", [json.dumps(shorter)] + lines[1:-1], rows),
                ("the oldest row cut off", lines[:1] + lines[2:], 1),
                ("a line that is none", lines[:5] + ["{"] + lines[6:], 5),
                ("no first line", lines[1:], 1), ("nothing", [], 1)):
            verdict = self.verdict(changed, code=10)
            self.assertEqual((False, first_bad), (verdict["ok"], verdict["first_bad"]), what)
        self.assertFalse(self.verdict(lines, "--key", "0" * 64, code=10)["ok"])

    def test_a_file_that_can_not_be_made_leaves_nothing(self):
        self.ctl("audit", "export", os.path.join(self.dir, "absent", "x"), code=3)
        self.ctl("audit", "verify", "--file", os.path.join(self.dir, "absent"), code=3)
        self.ctl("audit", "verify", "--key", "0" * 64, code=2)


class Tampering(Trail):
    """What is done to the store while berthd is away shows, also when it goes on."""

    integrate = False

    def alter(self, *statements):
        self.daemon.stop()
        store = sqlite3.connect(os.path.join(self.daemon.state, "berth.db"))
        for statement in statements:
            store.execute(statement)
        store.commit()
        store.close()
        self.daemon.start()

    def test_rows_cut_off_at_the_end_show_for_good(self):
        for number in range(5):
            self.api.post("/v1/workspaces", {"name": f"cut{number}"})
        self.assertTrue(self.api.get("/v1/audit/verify")["ok"])
        last = self.rows()[0]["number"]
        self.alter(f"DELETE FROM audit WHERE number > {last - 2}")
        verdict = self.api.get("/v1/audit/verify")
        self.assertEqual((False, last - 1), (verdict["ok"], verdict["first_bad"]))
        self.assertIn("newest rows are missing", verdict["message"])
        self.api.post("/v1/workspaces", {"name": "later"})
        self.assertEqual(last - 1, self.api.get("/v1/audit/verify")["first_bad"])
        self.assertIn("does not fit", subprocess.run(
            [os.path.join(proc.build_dir(), "berthctl"), "audit", "verify"], text=True,
            env=dict(os.environ, BERTH_SOCKET=self.daemon.socket), capture_output=True,
            timeout=180, check=False).stderr)


if __name__ == "__main__":
    unittest.main()
