# SPDX-License-Identifier: Apache-2.0
"""Pull secrets (K2) at a real Kubernetes API server: what tests/standin/kube.py takes
is what the server takes."""

import base64
import json
import os
import unittest
import urllib.parse

from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer
from berthtest.kube import Kube
from berthtest.proc import wait_until

WAIT_S = 300


class RealServer(HarborCase):
    """One workspace, two namespaces, a private project."""

    standin_only = True
    config = ("integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
              "pull_secrets: { check_period_s = 1; };\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = os.path.join(cls.dir, "kube")
        os.makedirs(folder)
        cls.kube = cls.enter(Kube(folder))
        for namespace in ("shop-a", "shop-b"):
            cls.kube.namespace(namespace)
        with open(cls.kube.ca, encoding="ascii") as file:
            body = {"name": "prod", "address": cls.kube.url, "token": cls.kube.token("berth"),
                    "tls": {"ca": file.read()}}
        ended = cls.api.wait(cls.api.post("/v1/clusters", body))
        assert ended["state"] == "succeeded", ended
        cls.project = cls.name("real", public=False)
        cls.push(cls.project, "app", Image([random_layer("real", 1000)]), "1")
        cls.api.wait(cls.api.call("POST", "/v1/integrations/harbor/refresh"))
        cls.host = urllib.parse.urlsplit(cls.url).netloc

    def auths(self, namespace):
        held = self.kube.secret(namespace)
        return held and json.loads(base64.b64decode(held["data"][".dockerconfigjson"]))["auths"]

    def phases(self):
        return {one["namespace"]: one["phase"] for one in self.api.get(
            "/v1/workspaces/shop/pull-secrets")["items"]}

    def bind(self, **names):
        self.api.post(f"/v1/spaces/{self.space('harbor', self.project)}/bindings", names)

    def test_secrets_follow_the_binding_and_leave_what_is_not_theirs(self):
        self.kube.made("/api/v1/namespaces/shop-b/secrets", {
            "metadata": {"name": "registry-secret"}, "stringData": {"by": "hand"}})
        self.api.post("/v1/workspaces", {
            "name": "shop", "patch_service_account": True,
            "namespaces": [{"cluster": "prod", "namespace": "shop-a"},
                           {"cluster": "prod", "namespace": "shop-b"}]})
        self.bind(bind=["shop"])
        wait_until(lambda: self.phases() == {"shop-a": "right", "shop-b": "foreign"},
                   "one is right, the other foreign", WAIT_S)
        self.assertEqual([self.host], list(self.auths("shop-a")))
        account = self.kube.api("GET", "/api/v1/namespaces/shop-a/serviceaccounts/default")[1]
        self.assertEqual([{"name": "registry-secret"}], account["imagePullSecrets"])
        self.assertEqual("Opaque", self.kube.secret("shop-b")["type"])
        writes = [what for what in self.kube.requests("berth")
                  if what == ("patch", "/api/v1/namespaces/shop-a/secrets/registry-secret")]
        self.assertEqual(1, len(writes))
        self.kube.api("DELETE", "/api/v1/namespaces/shop-b/secrets/registry-secret")
        wait_until(lambda: self.auths("shop-b") == self.auths("shop-a"), "it is taken up", WAIT_S)
        self.kube.api("DELETE", "/api/v1/namespaces/shop-b")
        wait_until(lambda: self.phases().get("shop-b") == "namespace-gone", "it is gone", WAIT_S)
        self.bind(unbind=["shop"])
        wait_until(lambda: not self.kube.secret("shop-a"), "the secret is gone", WAIT_S)


if __name__ == "__main__":
    unittest.main()
