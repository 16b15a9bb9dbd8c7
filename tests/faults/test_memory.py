# SPDX-License-Identifier: Apache-2.0
"""Memory that ends while berthd serves a request: each third of its allocations (each with
BERTH_FAULT_STEP=1) fails in turn. Whatever comes is the answer that there would be, or says that memory lacked; and nothing
was done that the request did not ask for."""

import http.client
import json
import os
import unittest
from urllib.parse import quote

from berthtest import Client, Daemon, Registry, proc, sets, workdir

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
# Nothing of the clock's may take the failure that is meant for a request.
CONFIG = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
ALLOCATIONS_MAX = 4000
STEP = int(os.environ.get("BERTH_FAULT_STEP", "3"))
ANY = {"If-Match": "*"}
BODY_KEPT = ("status", "code", "detail", "hint", "errors")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SHIM) or "fsanitize" in os.environ.get("CFLAGS", ""):
            raise unittest.SkipTest("the fault shim is not built, or not for sanitizers")
        folder = workdir(cls)
        cls.armed, cls.hit = os.path.join(folder, "armed"), os.path.join(folder, "hit")
        cls.hub = Registry(os.path.join(folder, "hub"))
        cls.enterClassContext(cls.hub)
        with Client(cls.hub.url) as client:
            sets.push_set(client, sets.demo())
        cls.daemon = Daemon(os.path.join(folder, "berth"), config=CONFIG, env={
            "LD_PRELOAD": SHIM, "BERTH_FAULT": "request", "BERTH_FAULT_FILE": cls.armed,
            "BERTH_FAULT_COUNT": cls.hit, "BERTH_FAULT_SKIP": "--worker"})
        cls.enterClassContext(cls.daemon)
        cls.api = cls.daemon.api
        cls.api.timeout = 60  # who waits for ever is a failure, too
        for name in ("hub", "mirror"):
            cls.daemon.add(name, cls.hub)
        proc.wait_until(lambda: not cls.api.get("/v1/operations?filter=" + quote(
            "state in ('pending', 'running', 'cancelling')"))["items"], "all operations ended")
        cls.space = cls.api.get("/v1/integrations/hub/spaces")["items"][0]["id"]
        cls.api.post("/v1/workspaces", {"name": "red", "members": [{"user": "root"}]})
        cls.api.post(f"/v1/spaces/{cls.space}/bindings", {"bind": ["red"]})
        cls.api.post("/v1/syncs", {"name": "there", "source": "hub/shop", "target": "mirror/x"})
        cls.api.post("/v1/syncs", {"name": "other", "source": "hub/legacy", "target": "hub/y"})

    def arm(self, number):
        if os.path.exists(self.hit):
            os.unlink(self.hit)
        with open(self.armed + ".new", "w", encoding="ascii") as file:
            file.write(str(number))
        os.rename(self.armed + ".new", self.armed)

    def ask(self, request):
        """What is to be compared; None where the connection was closed without an answer."""
        method, path, body, headers = request
        try:
            answer = self.api.request(method, path, body, headers)
        except (ConnectionError, http.client.HTTPException):
            return None
        document = answer.body
        if answer.headers.get("Content-Type") == "application/x-ndjson" \
                and isinstance(document, dict):  # of one line
            document = json.dumps(document, separators=(",", ":")).encode()
        if isinstance(document, dict) and "code" in document:
            document = {key: document.get(key) for key in BODY_KEPT}
        return answer.status, answer.headers.get("Content-Type"), document

    def calm(self):
        """What was left armed goes with a request that nobody looks at."""
        self.arm(0)
        proc.wait_until(lambda: self.ask(("GET", "/v1/livez", None, {})), "it answers")

    def compare(self, before, got, is_stream, where):
        if is_stream:  # it may end early, between two lines, or say that it does
            lines = [line for line in got[2].splitlines() if b'"type":"gap"' not in line]
            got = got[:2] + (lines,)
            before = before[:2] + (before[2].splitlines()[:len(lines)],)
        self.assertEqual(before, got, where)

    def sweep(self, method, path, body=None, headers=None, is_stream=False):
        """Fails the allocations of one request, one at a time."""
        request = (method, path, body, headers or {})
        self.calm()
        before = self.ask(request)
        told = 0
        for number in range(1, ALLOCATIONS_MAX, STEP):
            self.arm(number)
            got = self.ask(request)
            where = f"{method} {path}, allocation {number}"
            self.assertIsNone(self.daemon.process.popen.poll(), f"{where}: berthd is gone")
            if got and got[0] == 503:
                told += 1
                self.assertIn(got[2]["code"] if got[2] else "no-memory", ("no-memory",), where)
            elif got:
                self.compare(before, got, is_stream, where)
            if not os.path.exists(self.hit):
                self.calm()
                self.assertEqual(before, self.ask(request), f"after {where}")
                self.assertGreater(told, 10, where)
                return
        self.fail(f"{method} {path}: more than {ALLOCATIONS_MAX} allocations")


class Requests(Case):
    def test_what_is_read_is_whole_or_not_there(self):
        for path in ("/v1", "/v1/spaces?sort=name&filter=" + quote("name eq 'default'"),
                     f"/v1/spaces/{self.space}/commands?reference=shop/web:1.0.0"):
            with self.subTest(path):
                self.sweep("GET", path)

    def test_what_is_refused_is_refused_for_the_same_reason(self):
        for path, body in (
                ("/v1/workspaces", {"name": "red"}),
                ("/v1/syncs", {"name": "third", "source": "hub/y", "target": "hub/legacy"})):
            with self.subTest(path, body=body):
                self.sweep("POST", path + "?dry_run=true", body)

    def test_what_is_said_to_have_failed_is_not_done(self):
        said = "as before"
        self.api.call("PATCH", "/v1/workspaces/red", {"description": said}, If_Match="*")
        for number in range(1, ALLOCATIONS_MAX, STEP):
            wanted = f"changed {number}"
            self.arm(number)
            got = self.ask(("PATCH", "/v1/workspaces/red", {"description": wanted}, ANY))
            was_hit = os.path.exists(self.hit)
            self.calm()
            now = self.api.get("/v1/workspaces/red")["description"]
            if got:  # else nobody knows
                self.assertEqual(wanted if got[0] == 200 else said, now, (number, got))
            said = now
            if not was_hit:
                return
        self.fail(f"more than {ALLOCATIONS_MAX} allocations")

    def test_a_dry_run_does_nothing_whatever_fails(self):
        for method, path, body in (
                ("PATCH", "/v1/integrations/hub", {"description": "x"}),
                ("POST", "/v1/workspaces", {"name": "blue", "members": [{"user": "daemon"}]}),
                ("POST", f"/v1/spaces/{self.space}/bindings", {"unbind": ["red"]}),
                ("DELETE", "/v1/syncs/there", None)):
            with self.subTest(method + path):
                self.sweep(method, path + "?dry_run=true", body,
                           {} if method == "POST" else ANY)


class Streams(Case):
    def test_one_ends_early_rather_than_lack_a_part(self):
        self.sweep("GET", "/v1/audit/export", is_stream=True)


if __name__ == "__main__":
    unittest.main()
