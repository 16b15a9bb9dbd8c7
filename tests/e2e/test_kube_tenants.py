# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""A workspace's pull secrets in a real cluster, from the binding to its end: what
e2e/pull_secrets tests at a stand-in, once at a Kubernetes API server."""

import base64
import json
import os
import unittest
import urllib.parse

from berthtest import Client, workdir
from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer
from berthtest.kube import Kube
from berthtest.proc import wait_until

MERGE = "application/merge-patch+json"
PATIENCE_S = 600


class Tenants(HarborCase):
    """A Harbor with a private project, and a cluster `prod`."""

    standin_only = True
    config = ("integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
              "pull_secrets: { check_period_s = 1; };\n")

    @classmethod
    def setUpClass(cls):
        cls.kube = Kube(workdir(cls))
        cls.addClassCleanup(cls.kube.stop)
        cls.kube.start()
        super().setUpClass()
        with open(cls.kube.ca, encoding="ascii") as file:
            body = {"name": "prod", "address": cls.kube.url, "token": cls.kube.token("berth"),
                    "tls": {"ca": file.read()}}
        done = cls.api.wait(cls.api.post("/v1/clusters", body))
        assert done["state"] == "succeeded", done
        cls.project = cls.name("shop", public=False)
        cls.push(cls.project, "app", Image([random_layer("shop", 1000)]), "1")
        cls.api.wait(cls.api.call("POST", "/v1/integrations/harbor/refresh"))
        ids = [item["id"] for item in cls.api.get(
            "/v1/integrations/harbor/spaces?limit=500")["items"] if item["name"] == cls.project]
        cls.space = f"/v1/spaces/{ids[0]}"
        cls.host = urllib.parse.urlsplit(cls.url).netloc

    def entry(self, namespace):
        """The secret's entry for the Harbor, or None."""
        secret = self.kube.secret(namespace)
        data = base64.b64decode((secret or {}).get("data", {}).get(".dockerconfigjson", "e30="))
        return json.loads(data).get("auths", {}).get(self.host)

    def phase(self, workspace, namespace):
        rows = self.api.get(f"/v1/workspaces/{workspace}/pull-secrets")["items"]
        return {one["namespace"]: one["phase"] for one in rows}.get(namespace)

    def accounts(self, namespace):
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        return [one["name"] for one in self.kube.api("GET", path)[1].get("imagePullSecrets") or []]

    def change(self, namespace, body):
        path = f"/api/v1/namespaces/{namespace}/secrets/registry-secret?fieldManager=kubectl-edit"
        self.assertEqual(200, self.kube.api("PATCH", path, body, kind=MERGE)[0])

    def until(self, check, what):
        wait_until(check, what, PATIENCE_S, 0.2)

    def test_a_workspaces_secret_is_made_kept_right_and_removed(self):
        for namespace in ("shop-a", "shop-b", "shop-c"):
            self.kube.namespace(namespace)
        self.kube.made("/api/v1/namespaces/shop-b/secrets", {
            "metadata": {"name": "registry-secret"}, "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": '{"auths":{}}'}})
        theirs = self.kube.secret("shop-b")
        self.api.post("/v1/workspaces", {
            "name": "shop", "patch_service_account": True,
            "namespaces": [{"cluster": "prod", "namespace": one}
                           for one in ("shop-a", "shop-b", "shop-c")]})
        self.api.post(f"{self.space}/bindings", {"bind": ["shop"]})

        # What a kubelet would do with it.
        self.until(lambda: self.entry("shop-a"), "the secret is there")
        pair = base64.b64decode(self.entry("shop-a")["auth"]).decode()
        with Client(self.url, *pair.split(":", 1)) as client:
            client.manifest(f"{self.project}/app", "1")
        self.until(lambda: self.accounts("shop-a") == ["registry-secret"], "pods get it")
        self.until(lambda: self.phase("shop", "shop-a") == "right", "it is right")

        # Somebody else's is left alone, and said.
        self.until(lambda: self.phase("shop", "shop-b") == "foreign", "the other is foreign")
        self.assertEqual(theirs, self.kube.secret("shop-b"))

        # What somebody edits is set right; what they add stays.
        entry = self.entry("shop-a")
        self.change("shop-a", {"metadata": {"labels": {"team": "shop"}}, "data": {
            ".dockerconfigjson": base64.b64encode(b'{"auths":{}}').decode()}})
        self.until(lambda: self.entry("shop-a") == entry, "its content is right again")
        self.assertEqual("shop", self.kube.secret("shop-a")["metadata"]["labels"]["team"])

        # A namespace that goes takes its secret along, and the others stay right.
        self.kube.api("DELETE", "/api/v1/namespaces/shop-c")
        self.until(lambda: self.phase("shop", "shop-c") == "namespace-gone", "it is noticed")
        self.until(lambda: self.phase("shop", "shop-a") == "right", "the first is right")

        # Nothing to pull, no secret.
        self.api.post(f"{self.space}/bindings", {"unbind": ["shop"]})
        self.until(lambda: self.kube.secret("shop-a") is None, "the secret is gone")
        self.until(lambda: self.accounts("shop-a") == [], "no pod names it any more")
        self.assertEqual(theirs, self.kube.secret("shop-b"))
        for token in self.kube.tokens.values():
            self.assertNotIn(token, self.daemon.log())


if __name__ == "__main__":
    unittest.main()
