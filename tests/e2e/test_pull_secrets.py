# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""Pull secrets of workspaces (K2): in each namespace what the workspace may pull,
with a login of its own that may do no more; and whatever happens on the way, no
secret and no robot is left. The Harbor is the stand-in with a real registry behind,
the API server tests/standin/kube.py; e2e/kube_tenants
has a real one."""

import base64
import os
import signal
import sqlite3
import sys
import unittest
import urllib.parse

from berthtest import Client
from berthtest.daemon import descendants
from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer
from berthtest.proc import wait_until
from berthtest.tls import Authority

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from standin.kube import Gate, StandinKube  # noqa: E402

FOREIGN = {"metadata": {"name": "registry-secret", "uid": "theirs", "resourceVersion": "1"},
           "type": "kubernetes.io/dockerconfigjson",
           "data": {".dockerconfigjson": base64.b64encode(b'{"auths":{}}').decode()}}


class PullCase(HarborCase):
    """A Harbor with private projects `first` and `second`, and a cluster `prod`."""

    standin_only = True
    config = ("integrations: { probe_period_s = 86400; refresh_period_s = 0; };\n"
              "pull_secrets: { check_period_s = 1; };\n"
              "networks: { workspace: { private = true; }; };\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kube = cls.enter(StandinKube(Authority(os.path.join(cls.dir, "ca"))))
        with open(cls.kube.ca, encoding="ascii") as file:
            body = {"name": "prod", "address": cls.kube.url, "token": cls.kube.token,
                    "tls": {"ca": file.read()}}
        cls.api.wait(cls.api.post("/v1/clusters", body))
        cls.projects = [cls.name(word, public=False) for word in ("first", "second")]
        for project in cls.projects:
            cls.push(project, "app", Image([random_layer(project, 1000)]), "1")
        cls.api.wait(cls.api.call("POST", "/v1/integrations/harbor/refresh"))
        cls.spaces = [f"/v1/spaces/{cls.find(project)}" for project in cls.projects]
        cls.host = urllib.parse.urlsplit(cls.url).netloc
        cls.addClassCleanup(cls.leaves_nothing)

    @classmethod
    def leaves_nothing(cls):
        """When all workspaces are gone, so are their secrets and robots."""
        wait_until(lambda: not cls.robots() and not any(cls.kube.namespaces.values()),
                   "no secret and no robot is left", 300)

    @classmethod
    def find(cls, project):
        return [item["id"] for item in cls.api.get(
            "/v1/integrations/harbor/spaces?limit=500")["items"] if item["name"] == project][0]

    def workspace(self, name, *namespaces, **more):
        """A workspace whose namespaces are there; it goes away at the end."""
        self.kube.make(*namespaces)
        self.api.post("/v1/workspaces", {"name": name, "namespaces": [
            {"cluster": "prod", "namespace": one} for one in namespaces], **more})
        self.addCleanup(self.clear, name)

    def clear(self, name):
        for space in self.spaces:
            self.api.post(f"{space}/bindings", {"unbind": [name]})
        self.ask("PATCH", f"/v1/workspaces/{name}", {"namespaces": []}, If_Match="*")
        self.assertEqual(204, self.ask("DELETE", f"/v1/workspaces/{name}", If_Match="*").status)

    def bind(self, name, *spaces):
        for space in spaces:
            self.api.post(f"{space}/bindings", {"bind": [name]})

    def unbind(self, name, *spaces):
        for space in spaces:
            self.api.post(f"{space}/bindings", {"unbind": [name]})

    def secrets(self, name):
        return self.api.get(f"/v1/workspaces/{name}/pull-secrets")["items"]

    def phases(self, name):
        return {one["namespace"]: one["phase"] for one in self.secrets(name)}

    @classmethod
    def robots(cls):
        """{name at the Harbor: projects} of the robots that Berth made."""
        rows = cls.harbor_api().call("GET", "/robots?page_size=100&q=name%3D~berth-") or []
        return {row["name"]: sorted(one["namespace"] for one in row["permissions"])
                for row in rows}

    def entry(self, namespace):
        return (self.kube.auths(namespace) or {}).get(self.host)

    def wait_content(self, namespace, *projects):
        """Until the login in the secret is a robot for exactly these projects."""
        def is_so():
            entry, robots = self.entry(namespace), self.robots()
            return entry and robots.get(entry["username"]) == sorted(projects)
        wait_until(is_so, f"{namespace} may pull from {projects}", 300)
        return self.entry(namespace)

    def wait_robots(self, *usernames):
        """Until these are all the robots that Berth made."""
        wait_until(lambda: sorted(self.robots()) == sorted(usernames),
                   f"the robots are {usernames}", 300)

    def writes(self, namespace, name="registry-secret"):
        with self.kube.lock:
            return [how for how, where, what in self.kube.writes
                    if (where, what) == (namespace, name)]


class Following(PullCase):
    """What is bound is what can be pulled."""

    def test_a_binding_brings_a_secret_that_pulls_that_space_and_no_other(self):
        self.workspace("shop", "shop-a", "shop-b")
        self.bind("shop", self.spaces[0])
        entry = self.wait_content("shop-a", self.projects[0])
        wait_until(lambda: self.entry("shop-b") == entry, "both have the same", 300)
        # What a kubelet does with it.
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        self.assertEqual((entry["username"], entry["password"]), (user, password))
        with Client(self.url, user, password) as client:
            client.manifest(f"{self.projects[0]}/app", "1")
            with self.assertRaises(Exception):
                client.manifest(f"{self.projects[1]}/app", "1")
            with self.assertRaises(Exception):
                client.push(f"{self.projects[0]}/app", Image([random_layer("x", 900)]), "2")
        wait_until(lambda: self.phases("shop") == {"shop-a": "right", "shop-b": "right"},
                   "both are right", 300)
        held = self.kube.secret("shop-a")
        self.assertEqual("shop", held["metadata"]["annotations"]["berth.io/workspace"])

        self.bind("shop", self.spaces[1])
        newer = self.wait_content("shop-a", *self.projects)
        self.assertNotEqual(entry["username"], newer["username"])
        self.unbind("shop", self.spaces[0])
        last = self.wait_content("shop-a", self.projects[1])
        wait_until(lambda: not {entry["username"], newer["username"]} & set(self.robots()),
                   "those before it are revoked", 300)
        self.assertIn(last["username"], self.robots())
        self.unbind("shop", self.spaces[1])
        wait_until(lambda: not self.kube.secret("shop-a") and not self.kube.secret("shop-b") and
                   last["username"] not in self.robots(), "secret and robot are gone", 300)
        wait_until(lambda: [one.get("reason") for one in self.secrets("shop")] ==
                   ["NothingToPull"] * 2, "that is right, and said", 300)

    def test_a_namespace_that_is_taken_away_loses_its_secret(self):
        self.workspace("leave", "leave-a", "leave-b")
        self.bind("leave", self.spaces[0])
        self.wait_content("leave-b", self.projects[0])
        wait_until(lambda: self.entry("leave-a"), "the first has its secret", 300)
        self.daemon.ctl_ok("workspace", "edit", "leave", "--remove-namespace", "prod/leave-a")
        wait_until(lambda: not self.kube.secret("leave-a"), "its secret is gone", 300)
        wait_until(lambda: list(self.phases("leave")) == ["leave-b"], "so is its row", 300)
        self.assertTrue(self.entry("leave-b"))

    def test_the_default_service_account_names_it_where_that_is_wanted(self):
        self.workspace("pods", "pods-a", patch_service_account=True)
        self.bind("pods", self.spaces[0])
        wait_until(lambda: self.kube.accounts["pods-a"].get("imagePullSecrets") ==
                   [{"name": "registry-secret"}], "the account names it", 300)
        self.daemon.ctl_ok("workspace", "edit", "pods", "--no-patch-service-account")
        wait_until(lambda: self.kube.accounts["pods-a"]["imagePullSecrets"] == [],
                   "the account names it no more", 300)

    def test_a_login_that_grows_old_is_renewed_and_one_revoked_is_replaced(self):
        self.workspace("old", "old-a")
        self.bind("old", self.spaces[0])
        entry = self.wait_content("old-a", self.projects[0])
        login = [one for one in self.api.get("/v1/logins")["items"]
                 if one["username"] == entry["username"]][0]
        self.assertEqual(("old", [self.projects[0]]), (login["workspace"], login["spaces"]))
        self.refused(409, "in-use", "DELETE", f"/v1/logins/{login['id']}/secret")
        self.daemon.stop()
        store = sqlite3.connect(os.path.join(self.daemon.state, "berth.db"))
        with store:
            store.execute("UPDATE logins SET created_ms = created_ms - 2592000000 + 60000000, "
                          "expires_ms = expires_ms - 2592000000 + 60000000")
        store.close()
        self.daemon.start()
        wait_until(lambda: self.entry("old-a") != entry, "another login is in the secret", 300)
        entry = self.wait_content("old-a", self.projects[0])
        self.daemon.ctl_ok("login", "revoke", entry["username"], "--yes")
        wait_until(lambda: self.entry("old-a") != entry, "another login is in the secret", 300)
        self.wait_content("old-a", self.projects[0])

    def test_many_changes_at_once_are_one_write_for_each_namespace(self):
        namespaces = [f"many-{n}" for n in range(12)]
        self.workspace("many", *namespaces)
        self.api.post(f"{self.spaces[0]}/bindings", {"bind": ["many"]})
        self.api.post(f"{self.spaces[1]}/bindings", {"bind": ["many"]})
        self.wait_content("many-11", *self.projects)
        wait_until(lambda: set(self.phases("many").values()) == {"right"}, "all are right", 300)
        for namespace in namespaces:
            # Two where the daemon was so slow that its pass began between the two calls.
            self.assertLessEqual(len(self.writes(namespace)), 2, namespace)
        checked = self.secrets("many")[0]["checked_at"]
        wait_until(lambda: self.secrets("many")[0]["checked_at"] != checked, "it is checked", 300)
        counted = [len(self.writes(namespace)) for namespace in namespaces]
        checked = self.secrets("many")[0]["checked_at"]
        wait_until(lambda: self.secrets("many")[0]["checked_at"] != checked, "and again", 300)
        self.assertEqual(counted, [len(self.writes(namespace)) for namespace in namespaces])

    def test_the_commands_show_it(self):
        self.kube.make("ctl-a")
        ctl = self.daemon.ctl_ok
        ctl("workspace", "create", "ctl", "--namespace", "prod/ctl-a")
        self.addCleanup(self.clear, "ctl")
        ctl("space", "bind", f"harbor/{self.projects[0]}", "--workspace", "ctl")
        self.wait_content("ctl-a", self.projects[0])
        wait_until(lambda: "right" in ctl("workspace", "secrets", "ctl"), "it is right", 300)
        self.assertIn("included", ctl("workspace", "secrets", "ctl", "-o", "json"))
        self.assertIn("ctl", ctl("login", "list", "-o", "wide"))
        self.assertEqual(1, self.api.get("/v1/workspaces/ctl")["status"]["pull_secrets"]["right"])

    def test_a_namespace_is_of_one_workspace_at_most(self):
        self.workspace("one", "one-a")
        problem = self.refused(422, "validation-failed", "POST", "/v1/workspaces", {
            "name": "two", "namespaces": [{"cluster": "prod", "namespace": "one-a"},
                                          {"cluster": "none", "namespace": "x"}]})
        self.assertEqual(["unknown-cluster", "taken"],
                         [one["code"] for one in problem["errors"]])
        self.refused(404, "not-found", "GET", "/v1/workspaces/two")
        problem = self.refused(422, "validation-failed", "POST", "/v1/workspaces", {
            "name": "two", "namespaces": [{"cluster": "prod", "namespace": "Bad_Name"}]})
        self.assertEqual(["/namespaces/0/namespace"], self.pointers(problem))

    def test_neither_workspace_nor_cluster_goes_while_it_has_namespaces(self):
        self.workspace("held", "held-a")
        for path in ("/v1/workspaces/held", "/v1/clusters/prod"):
            problem = self.refused(409, "in-use", "DELETE", path, If_Match="*")
            self.assertIn("held-a", problem["errors"][0]["detail"])

    def test_a_registry_without_logins_is_left_out_with_the_reason(self):
        self.daemon.add("plain", self.registry)
        self.settle()
        space = f"/v1/spaces/{self.space('plain')}"
        self.workspace("mixed", "mixed-a")
        self.api.post(f"{space}/bindings", {"bind": ["mixed"]})
        self.addCleanup(lambda: self.api.post(f"{space}/bindings", {"unbind": ["mixed"]}))
        rows = self.api.get("/v1/workspaces/mixed/pull-secrets")["integrations"]
        self.assertEqual([("plain", "left-out", "Open")], [
            (one["integration"], one["state"], one["reason"]) for one in rows])
        self.assertIsNone(self.kube.secret("mixed-a"))

    def test_what_a_workspace_brought_along_is_in_its_secret_without_a_binding(self):
        self.workspace("owner", "owner-a")
        self.workspace("near", "near-a")
        self.daemon.add("owner~own", self.url, *self.login, kind="harbor")
        self.settle()
        try:
            # Other tests' projects may be there, too.
            wait_until(lambda: set(self.projects) <= set(self.robots().get(
                (self.entry("owner-a") or {}).get("username"), [])), "both may be pulled", 300)
            rows = self.api.get("/v1/workspaces/owner/pull-secrets")["integrations"]
            self.assertEqual([("owner~own", "included")],
                             [(one["integration"], one["state"]) for one in rows])
            self.assertEqual([], self.api.get(
                "/v1/workspaces/near/pull-secrets")["integrations"])
            self.assertIsNone(self.kube.secret("near-a"))
        finally:
            self.ask("PATCH", "/v1/workspaces/owner", {"namespaces": []}, If_Match="*")
            wait_until(lambda: not self.robots(), "its robot is revoked", 300)
            wait_until(lambda: self.ask("DELETE", "/v1/integrations/owner~own",
                                        If_Match="*").status == 204, "it is deleted", 300)


class Trouble(PullCase):
    """Servers and daemons that do not do as they should."""

    def tearDown(self):
        self.kube.refuse, self.kube.gate = None, None
        if not self.kube.server:
            self.kube.open()
        super().tearDown()

    def test_a_secret_of_somebody_else_is_left_alone_until_it_goes(self):
        self.workspace("guest", "guest-a")
        self.kube.namespaces["guest-a"]["registry-secret"] = dict(FOREIGN)
        self.bind("guest", self.spaces[0])
        wait_until(lambda: self.phases("guest") == {"guest-a": "foreign"}, "it is foreign", 300)
        self.assertEqual(FOREIGN, self.kube.secret("guest-a"))
        self.assertEqual([], self.writes("guest-a"))
        self.assertIn("not made by Berth", self.secrets("guest")[0]["message"])
        del self.kube.namespaces["guest-a"]["registry-secret"]
        self.wait_content("guest-a", self.projects[0])

    def test_what_somebody_changes_or_deletes_is_set_right(self):
        self.workspace("drift", "drift-a")
        self.bind("drift", self.spaces[0])
        entry = self.wait_content("drift-a", self.projects[0])
        with self.kube.lock:
            held = self.kube.namespaces["drift-a"]["registry-secret"]
            held["data"] = dict(FOREIGN["data"])
        wait_until(lambda: self.entry("drift-a") == entry, "its content is right again", 300)
        with self.kube.lock:
            del self.kube.namespaces["drift-a"]["registry-secret"]
        wait_until(lambda: self.entry("drift-a") == entry, "it is there again", 300)

    def test_a_namespace_that_goes_and_comes_back_is_followed(self):
        self.workspace("gone", "gone-a", "gone-b")
        self.bind("gone", self.spaces[0])
        self.wait_content("gone-a", self.projects[0])
        with self.kube.lock:
            del self.kube.namespaces["gone-a"]
        wait_until(lambda: self.phases("gone").get("gone-a") == "namespace-gone",
                   "it is noticed", 300)
        wait_until(lambda: self.phases("gone").get("gone-b") == "right", "the other is right", 300)
        self.kube.make("gone-a")
        wait_until(lambda: self.entry("gone-a"), "it has its secret again", 300)

    def test_a_cluster_that_stands_still_gets_what_it_missed(self):
        self.workspace("still", "still-a")
        self.bind("still", self.spaces[0])
        old = self.wait_content("still-a", self.projects[0])
        self.kube.close()
        self.unbind("still", self.spaces[0])
        self.bind("still", self.spaces[1])
        wait_until(lambda: self.phases("still") == {"still-a": "cluster-unreachable"},
                   "the outage is said", 300)
        # The old robot may what the workspace may not: it does not wait for the cluster.
        wait_until(lambda: old["username"] not in self.robots(), "the old robot is gone", 300)
        self.kube.open()
        self.wait_content("still-a", self.projects[1])
        wait_until(lambda: self.phases("still") == {"still-a": "right"}, "all is right", 300)

    def test_too_many_requests_are_waited_out(self):
        self.workspace("busy", "busy-a")
        self.kube.refuse = (429, 4)
        self.bind("busy", self.spaces[0])
        self.wait_content("busy-a", self.projects[0])

    def test_a_kill_between_robot_and_secret_leaves_neither_too_many_nor_too_few(self):
        self.workspace("crash", "crash-a")
        gate = Gate("/crash-a/secrets/")
        self.kube.gate = gate
        self.bind("crash", self.spaces[0])
        self.assertTrue(gate.reached.wait(120), "the secret was not asked for")
        self.daemon.kill()
        self.kube.gate = None
        gate.open.set()
        self.daemon.start()
        self.wait_robots(self.wait_content("crash-a", self.projects[0])["username"])

    def test_a_kill_while_the_robot_is_made_leaves_no_other_robot(self):
        self.workspace("robot", "robot-a")
        gate = self.faults.hold(path="/robots", method="POST")
        self.addCleanup(gate.open.set)
        self.bind("robot", self.spaces[0])
        self.assertTrue(gate.reached.wait(120), "the robot was not asked for")
        self.daemon.kill()
        gate.open.set()
        self.daemon.start()
        wait_until(lambda: self.entry("robot-a"), "the secret is there", 300)
        self.wait_robots(self.wait_content("robot-a", self.projects[0])["username"])

    def test_a_lost_worker_is_no_end(self):
        self.workspace("lost", "lost-a")
        gate = Gate("/lost-a/secrets/")
        self.kube.gate = gate
        self.bind("lost", self.spaces[0])
        self.assertTrue(gate.reached.wait(120), "the secret was not asked for")
        self.kube.gate = None
        for pid in descendants(self.daemon.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        gate.open.set()
        self.wait_content("lost-a", self.projects[0])

    def test_a_harbor_that_makes_no_robots_is_said_and_tried_again(self):
        self.workspace("denied", "denied-a")
        self.faults.add("403", path="/robots", method="POST", times=2)  # system's, project's
        self.bind("denied", self.spaces[0])
        wait_until(lambda: [one.get("reason") for one in self.api.get(
            "/v1/workspaces/denied/pull-secrets")["integrations"]] == ["LoginFailed"],
                   "the reason is said", 300)
        self.wait_content("denied-a", self.projects[0])


if __name__ == "__main__":
    unittest.main()
