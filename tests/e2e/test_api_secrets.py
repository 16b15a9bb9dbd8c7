# SPDX-License-Identifier: Apache-2.0
"""A password given once is nowhere to be read again (A4), and a dry run leaves
no trace but its operation."""

import glob
import json
import os
import sqlite3
import sys
import unittest

from berthtest import free_port
from berthtest.apicase import PASSWORD, ApiCase, Stream, quote
from berthtest.daemon import descendants
from berthtest.tls import Authority

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from standin.kube import TOKEN, StandinKube  # noqa: E402

WRONG = "canary-Wx42-wrong"
KEY = "canary-Ky93-key"
DRY = "canary-Dr17-dry"
ABSENT = "00000000-0000-4000-8000-000000000000"
CANARIES = [PASSWORD, WRONG, KEY, DRY]
PEM = f"-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


class Secrets(ApiCase):
    def setUp(self):
        for body in ({"name": "refused", "address": self.mirror.url, "username": "robot",
                      "password": WRONG},
                     {"name": "nokey", "address": f"https://127.0.0.1:{free_port()}",
                      "tls": {"client_cert": CERTIFICATE, "client_key": PEM}}):
            self.api.wait(self.api.post("/v1/integrations", {"kind": "dockerreg", **body}))
        self.api.wait(self.api.post("/v1/integrations?dry_run=true", {
            "name": "dry", "kind": "dockerreg", "address": self.mirror.url, "username": "robot",
            "password": DRY}))
        self.ask("POST", "/v1/integrations", {"name": "bad name", "kind": "dockerreg",
                                              "address": "x", "password": WRONG})
        self.ask("PATCH", "/v1/integrations/mirror", {"password": WRONG, "address": "nonsense"})
        self.settle()

    def clean(self, where, data):
        data = data if isinstance(data, bytes) else data.encode()
        for canary in CANARIES:
            self.assertNotIn(canary.encode(), data, where)

    def test_no_answer_event_audit_row_or_log_has_it(self):
        space = self.space("mirror")
        for path in ("/v1", "/v1/integrations", "/v1/integrations/mirror", "/v1/operations",
                     "/v1/audit?limit=1000", "/v1/events?since=0&wait_s=0", "/v1/plugins",
                     f"/v1/spaces/{space}/images", "/v1/readyz", "/v1/metrics"):
            answer = self.ask("GET", path)
            body = answer.body
            self.clean(path, body if isinstance(body, bytes) else json.dumps(body))
        for operation in self.api.get("/v1/operations?limit=1000")["items"]:
            path = f"/v1/operations/{operation['id']}/log"
            with Stream(self.daemon.socket, path) as stream:
                self.clean(path, stream.answer.read())
        self.clean("the daemon's log", self.daemon.log())

    def test_the_store_has_it_sealed_only(self):
        self.done(self.api.post("/v1/integrations/mirror/probe", None))
        for path in glob.glob(os.path.join(self.daemon.state, "*")):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    self.clean(path, file.read())

    def test_no_argument_or_environment_of_a_process_has_it(self):
        operation = self.api.post("/v1/integrations/mirror/refresh", None)
        pid = self.daemon.process.pid
        for process in [pid, *descendants(pid)]:
            for name in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{process}/{name}", "rb") as file:
                        self.clean(f"{process}/{name}", file.read())
                except OSError:
                    continue  # it has ended
        self.done(operation)

    def test_neither_berthd_nor_its_worker_would_leave_a_core(self):
        for process in (self.daemon.process.pid, self.daemon.worker()):
            with open(f"/proc/{process}/limits", encoding="ascii") as file:
                self.assertRegex(file.read(), r"Max core file size +0 +0 ")

    def test_an_integration_that_failed_leaves_no_sealed_secret(self):
        with sqlite3.connect(f"file:{self.daemon.state}/berth.db?mode=ro", uri=True) as store:
            owners = {row[0] for row in store.execute("SELECT owner FROM secrets")}
            known = {row[0] for row in store.execute("SELECT id FROM integrations")}
        self.assertEqual(set(), owners - known)


class DryRun(ApiCase):
    """Every changing route takes dry_run; the store says what it wrote."""

    # What any request may write: its audit row, and where a network is needed
    # the operation's own rows.
    BOOKS = {"audit", "audit_seals", "events", "sequences", "operations", "operation_log"}

    def contents(self):
        with sqlite3.connect(f"file:{self.daemon.state}/berth.db?mode=ro", uri=True) as store:
            tables = [row[0] for row in store.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {table: sorted(map(repr, store.execute(f"SELECT * FROM {table}")))
                    for table in tables if table not in self.BOOKS}

    def test_no_route_writes_in_a_dry_run(self):
        self.ask("POST", "/v1/syncs", {"name": "rule", "source": "hub/shop",
                                       "target": "mirror/rule"})
        made = self.ask("POST", "/v1/spaces", {"integration": "hub", "name": "team"}).body
        self.ask("POST", "/v1/workspaces", {"name": "tenant"})
        role = {"name": "reader", "scope": "platform", "permissions": ["spaces.read"]}
        self.assertEqual(201, self.ask("POST", "/v1/roles", role).status)
        cluster = self.cluster()
        self.done(self.ask("POST", "/v1/clusters", cluster).body)
        space = self.space("hub")
        integration = {"name": "new", "kind": "dockerreg", "address": self.hub.url}
        hub = {"name": "hub", "kind": "dockerreg", "address": self.mirror.url,
               "username": "robot", "password": PASSWORD}
        rule = {"name": "rule", "source": "hub/shop", "target": "mirror/other"}
        requests = [
            ("POST", "/v1/clusters", {**cluster, "name": "dry"}, {}),
            ("PATCH", "/v1/clusters/prod", {"description": "dry"}, {}),
            ("DELETE", "/v1/clusters/prod", None, {"If_Match": "*"}),
            ("POST", "/v1/integrations", integration, {}),
            ("PUT", "/v1/integrations/hub", hub, {"If_Match": "*"}),
            ("PATCH", "/v1/integrations/hub", {"description": "dry"}, {}),
            ("PATCH", "/v1/integrations/mirror", {"password": PASSWORD}, {}),
            ("DELETE", "/v1/integrations/hub", None, {"If_Match": "*"}),
            ("POST", "/v1/integrations/hub/gc", {}, {}),
            ("POST", "/v1/integrations/hub/gc/1/stop", None, {}),
            ("PUT", "/v1/integrations/hub/gc", {"schedule": ""}, {}),
            ("PUT", "/v1/integrations/hub/read-only", {"on": True}, {}),
            ("POST", "/v1/roles", {**role, "name": "dry"}, {}),
            ("PATCH", "/v1/roles/reader", {"description": "dry"}, {}),
            ("DELETE", "/v1/roles/reader", None, {"If_Match": "*"}),
            ("DELETE", f"/v1/logins/{ABSENT}", None, {"If_Match": "*"}),
            ("POST", "/v1/scan-settings", {"target": "hub", "cron": ""}, {}),
            ("POST", "/v1/scans", {"target": "hub/shop/web:1.0.0"}, {}),
            ("POST", f"/v1/scans/{ABSENT}/stop", None, {}),
            ("POST", "/v1/spaces", {"integration": "hub", "name": "dry"}, {}),
            ("PATCH", f"/v1/spaces/{space}", {"public": True}, {}),
            ("POST", f"/v1/spaces/{space}/logins", {"rights": ["pull"]}, {}),
            ("PUT", f"/v1/spaces/{space}/retention", {"rules": []}, {}),
            ("POST", f"/v1/spaces/{space}/retention/runs", None, {}),
            ("DELETE", f"/v1/spaces/{made['id']}", None, {"If_Match": "*"}),
            ("PUT", f"/v1/spaces/{space}/images/{quote('shop/web')}/description",
             {"description": "dry"}, {"If_Match": "*"}),
            ("DELETE", f"/v1/spaces/{space}/images/{quote('shop/web')}", None, {}),
            ("DELETE", f"/v1/spaces/{space}/artifacts/{quote('shop/web:1.0.0')}", None, {}),
            ("POST", "/v1/workspaces", {"name": "dry"}, {}),
            ("PATCH", "/v1/workspaces/tenant", {"description": "dry"}, {}),
            ("DELETE", "/v1/workspaces/tenant", None, {"If_Match": "*"}),
            ("POST", f"/v1/spaces/{space}/bindings", {"bind": ["tenant"]}, {}),
            ("POST", "/v1/copies", {"source": "hub/shop/web:1.0.0", "target": "mirror"}, {}),
            ("POST", "/v1/syncs", {**rule, "name": "dry"}, {}),
            ("PUT", "/v1/syncs/rule", rule, {"If_Match": "*"}),
            ("PATCH", "/v1/syncs/rule", {"enabled": False}, {}),
            ("DELETE", "/v1/syncs/rule", None, {"If_Match": "*"}),
            ("POST", "/v1/syncs/rule/runs", None, {}),
        ]
        self.assertEqual(self.dry_routes(), self.routes_of(requests))
        before, served = self.contents(), len(self.mirror.requests())
        for method, path, body, headers in requests:
            answer = self.ask(method, path + "?dry_run=true", body, **headers)
            if path == "/v1/integrations/hub" and method == "DELETE":
                self.assertEqual(409, answer.status)  # the rule uses it: said in a dry run too
            elif ABSENT in path:  # what a plain registry has none of
                self.assertEqual(404, answer.status)
            elif answer.status == 202:
                self.done(answer.body)
            elif answer.status == 422:  # a plain registry can't: said in a dry run too
                self.assertEqual("unsupported", answer.body["code"], f"{method} {path}")
            else:
                self.assertEqual((200, True), (answer.status, answer.body.get("dry_run")),
                                 f"{method} {path}: {answer.body}")
            self.assertEqual(before, self.contents(), f"{method} {path}")
        written = [row for row in self.mirror.requests()[served:]
                   if row[0] not in ("GET", "HEAD")]
        self.assertEqual([], written)

    def cluster(self):
        """What adds the stand-in's cluster as `prod`."""
        kube = self.enter(StandinKube(Authority(os.path.join(self.dir, "kube-ca"))))
        with open(kube.ca, encoding="ascii") as file:
            return {"name": "prod", "address": kube.url, "token": TOKEN,
                    "tls": {"ca": file.read()}}

    def dry_routes(self):
        """The routes that the document gives a dry run."""
        found = set()
        for method, path in self.api.document.all_operations():
            parameters = self.api.document.operation(method, path)[1].get("parameters", [])
            if any(p.get("$ref", "").endswith("/DryRun") for p in parameters):
                found.add((method, path))
        return found

    def routes_of(self, requests):
        return {(method, self.api.document.operation(method, path)[0])
                for method, path, _, _ in requests}


if __name__ == "__main__":
    unittest.main()
