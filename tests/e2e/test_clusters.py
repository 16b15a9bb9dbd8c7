# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""Kubernetes clusters (K1): by kubeconfig or address and token, proved, probed,
changed and forgotten. The API server is tests/standin/kube.py."""

import base64
import glob
import json
import os
import sys
import unittest

from berthtest.apicase import QUIET, ApiCase
from berthtest.daemon import Daemon
from berthtest.openapi import CheckedApi
from berthtest.proc import wait_until, workdir
from berthtest.tls import Authority

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from standin.kube import TOKEN, StandinKube  # noqa: E402


class Clusters(ApiCase):
    """One daemon, one API server."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.authority = Authority(os.path.join(cls.dir, "ca"))
        cls.kube = cls.enter(StandinKube(cls.authority))
        cls.kube.make("default", "team-a")
        with open(cls.kube.ca, encoding="ascii") as file:
            cls.ca = file.read()
        cls.daemon = cls.enter(Daemon(os.path.join(cls.dir, "berth"), config=QUIET))
        cls.api = CheckedApi(cls.daemon.socket)
        cls.daemon.api = cls.api

    def setUp(self):
        self.kube.token, self.kube.denied = TOKEN, set()
        self.settle()
        for item in self.api.get("/v1/clusters")["items"]:
            self.assertEqual(204, self.ask("DELETE", f"/v1/clusters/{item['name']}",
                                           If_Match="*").status)

    def body(self, name="prod", **more):
        return {"name": name, "address": self.kube.url, "token": TOKEN,
                "tls": {"ca": self.ca}, **more}

    def add(self, name="prod", **more):
        self.done(self.api.post("/v1/clusters", self.body(name, **more)))
        return self.api.get(f"/v1/clusters/{name}")

    def kubeconfig(self, user=None, **cluster):
        data = base64.b64encode(self.ca.encode()).decode()
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {
                "server": self.kube.url, "certificate-authority-data": data, **cluster}}],
            "users": [{"name": "me", "user": user or {"token": TOKEN}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}]})

    def test_an_address_and_a_token_are_proved_and_kept(self):
        shown = self.add(description="the big one")
        self.assertEqual(("healthy", "v1.34.4", 2, "berth", ["goharbor.io"]),
                         tuple(shown["status"][key] for key in (
                             "phase", "version", "nodes", "user", "features")))
        self.assertEqual(7840, shown["status"]["allocatable"]["cpu_millis"])
        self.assertTrue(shown["token"]["set"])
        nodes = self.api.get("/v1/clusters/prod/nodes")["items"]
        self.assertEqual([("node-0", True), ("node-1", True)],
                         [(one["name"], one["ready"]) for one in nodes])
        self.assertEqual(["prod"], self.names("/v1/clusters?q=pr"))
        self.refused(409, "exists", "POST", "/v1/clusters", self.body())

    def test_a_kubeconfig_is_taken_apart(self):
        self.done(self.api.post("/v1/clusters", {"name": "byfile",
                                                 "kubeconfig": self.kubeconfig()}))
        shown = self.api.get("/v1/clusters/byfile")
        self.assertEqual((self.kube.url, self.ca, True, True),
                         (shown["address"], shown["tls"]["ca"], shown["tls"]["verify"],
                          shown["token"]["set"]))
        self.assertNotIn("kubeconfig", shown)

    def test_what_is_wrong_with_a_body_is_named(self):
        for body, pointers in (
                ({"name": "x"}, ["/address", "/token"]),
                ({"name": "x", "address": "http://127.0.0.1:1", "token": "t"}, ["/address"]),
                ({"name": "x", "kubeconfig": "a: [", "token": "t"}, ["/kubeconfig"] * 2),
                ({"name": "x", "context": "c", "address": self.kube.url, "token": "t"},
                 ["/context"]),
                ({"name": "x", "kubeconfig": self.kubeconfig(user={"exec": {"command": "id"}})},
                 ["/kubeconfig"]),
                (self.body(tls={"ca": "no pem"}), ["/tls/ca"])):
            problem = self.refused(422, "validation-failed", "POST", "/v1/clusters", body)
            self.assertEqual(pointers, self.pointers(problem), problem)
        problem = self.refused(422, "validation-failed", "POST", "/v1/clusters", {
            "name": "x", "kubeconfig": self.kubeconfig(user={"exec": {"command": "id"}})})
        self.assertIn("run a program", problem["errors"][0]["detail"])

    def test_a_proof_that_fails_keeps_nothing(self):
        self.failed(self.api.post("/v1/clusters", self.body(token="another-token")),
                    "upstream-auth-failed")
        self.failed(self.api.post("/v1/clusters", self.body(tls={})), "upstream-tls")
        self.assertEqual([], self.names("/v1/clusters"))
        plan = self.done(self.api.post("/v1/clusters?dry_run=true", self.body()))
        self.assertTrue(plan["result"]["dry_run"])
        self.assertEqual([], self.names("/v1/clusters"))

    def test_a_new_token_is_proved_and_a_remark_is_not(self):
        self.add()
        answer = self.ask("PATCH", "/v1/clusters/prod", {"description": "x"}, If_Match="*")
        self.assertEqual((200, "x"), (answer.status, answer.body["description"]))
        self.failed(self.ask("PATCH", "/v1/clusters/prod", {"token": "wrong"},
                             If_Match="*").body, "upstream-auth-failed")
        self.kube.token = "kube-canary-token-next"
        self.done(self.ask("PATCH", "/v1/clusters/prod", {"token": "kube-canary-token-next"},
                           If_Match="*").body)
        self.done(self.api.call("POST", "/v1/clusters/prod/probe"))
        self.refused(412, "precondition-failed", "PATCH", "/v1/clusters/prod",
                     {"description": "y"}, If_Match='"another"')

    def test_a_kubeconfig_replaces_all_that_another_said(self):
        self.add()
        pair = self.authority.issue("client", client=True)
        user = {}
        for key, path in zip(("client-certificate-data", "client-key-data"), pair):
            with open(path, "rb") as file:
                user[key] = base64.b64encode(file.read()).decode()
        # The stand-in knows tokens only: what was sent in its place is refused there.
        self.failed(self.ask("PATCH", "/v1/clusters/prod",
                             {"kubeconfig": self.kubeconfig(user=user)}, If_Match="*").body,
                    "upstream-auth-failed")
        self.done(self.api.call("POST", "/v1/clusters/prod/probe"))
        self.done(self.ask("PATCH", "/v1/clusters/prod", {"kubeconfig": self.kubeconfig(
            **{"insecure-skip-tls-verify": True})}, If_Match="*").body)
        self.assertFalse(self.api.get("/v1/clusters/prod")["tls"]["verify"])

    def test_an_outage_is_seen_and_ends(self):
        self.add()
        self.kube.close()
        self.addCleanup(lambda: self.kube.server or self.kube.open())
        operation = self.api.wait(self.api.call("POST", "/v1/clusters/prod/probe"))
        self.assertEqual("failed", operation["state"])
        status = self.api.get("/v1/clusters/prod")["status"]
        self.assertEqual(("unhealthy", "Unreachable", "v1.34.4"),
                         (status["phase"], status["reason"], status["version"]))
        self.kube.open()
        self.done(self.api.call("POST", "/v1/clusters/prod/probe"))
        self.assertEqual("healthy", self.api.get("/v1/clusters/prod")["status"]["phase"])

    def test_it_is_probed_by_itself_on_its_period(self):
        self.add(probe_period_s=1)
        self.kube.close()
        self.addCleanup(lambda: self.kube.server or self.kube.open())
        wait_until(lambda: self.api.get("/v1/clusters/prod")["status"]["phase"] == "unhealthy",
                   "the outage is noticed", 120)
        self.kube.open()
        wait_until(lambda: self.api.get("/v1/clusters/prod")["status"]["phase"] == "healthy",
                   "it is well again", 120)
        self.ask("PATCH", "/v1/clusters/prod", {"probe_period_s": 86400}, If_Match="*")

    def test_rights_that_lack_are_listed(self):
        self.kube.denied = {"list nodes", "patch secrets"}
        status = self.add()["status"]
        self.assertEqual({"list nodes", "patch secrets"}, set(status["missing"]))
        self.assertEqual([], self.names("/v1/clusters/prod/nodes"))

    def test_no_credential_is_anywhere_to_be_read(self):
        made = self.done(self.api.post("/v1/clusters", {"name": "sealed",
                                                        "kubeconfig": self.kubeconfig()}))
        seen = [json.dumps(self.api.get(where)) for where in (
            "/v1/clusters/sealed", "/v1/clusters", f"/v1/operations/{made['id']}",
            "/v1/audit?limit=1000", "/v1/events?wait_s=0")] + [self.daemon.log()]
        for file in glob.glob(os.path.join(self.daemon.state, "berth.db*")):
            with open(file, "rb") as data:
                seen.append(data.read().decode("latin-1"))
        for text in seen:
            self.assertNotIn(TOKEN, text)

    def test_the_commands_do_the_same(self):
        for name, text in (("kubeconfig", self.kubeconfig()), ("token", TOKEN)):
            with open(os.path.join(self.dir, name), "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(file.name, 0o600)
        ctl = self.daemon.ctl_ok
        ctl("cluster", "add", "prod", "--kubeconfig", os.path.join(self.dir, "kubeconfig"))
        ctl("cluster", "add", "lab", "--address", self.kube.url, "--ca", self.kube.ca,
            "--token-file", os.path.join(self.dir, "token"))
        self.assertIn("healthy", ctl("cluster", "list"))
        self.assertIn("node-1", ctl("cluster", "nodes", "lab"))
        self.assertIn("v1.34.4", ctl("cluster", "probe", "lab"))
        ctl("cluster", "edit", "lab", "--description", "of the lab")
        self.assertIn("of the lab", ctl("cluster", "show", "lab"))
        ctl("cluster", "delete", "lab", "--yes")
        self.assertEqual(3, self.daemon.ctl("cluster", "show", "lab").returncode)
        refused = self.daemon.ctl("cluster", "add", "x", "--token", "secret")
        self.assertEqual(2, refused.returncode)
        self.assertIn("--token-file", refused.stderr)

    def test_a_cluster_is_no_integration(self):
        problem = self.refused(422, "validation-failed", "POST", "/v1/integrations", {
            "name": "k", "kind": "kube", "address": self.kube.url})
        self.assertIn("/kind", self.pointers(problem))


if __name__ == "__main__":
    unittest.main()
