# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""kube.so against a real Kubernetes API server: who we are and what we may do, and
pull secrets made, kept right, left to others, and removed."""

import base64
import hashlib
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from berthtest import Authority, Daemon, proc, workdir  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from berthtest.kube import VERSION, Kube  # noqa: E402

MERGE = "application/merge-patch+json"
MANAGED = "app.kubernetes.io/managed-by"
WORKSPACE = "berth.io/workspace"
ACCOUNT = "berth.io/service-account"
HOSTS = "berth.io/hosts"
cluster = None


def setUpModule():
    """One server for all; each test has a namespace of its own."""
    global cluster
    folder = tempfile.mkdtemp(prefix="berth-kube-")
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    cluster = Kube(folder)
    unittest.addModuleCleanup(cluster.stop)
    cluster.start()


def config(password="pw-1", host="hub.example:5000"):
    pair = base64.b64encode(f"robot$alpha:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"username": "robot$alpha", "password": password,
                                        "auth": pair}}}, sort_keys=True)


def digest(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class Case(unittest.TestCase):
    user = "berth"
    makes_namespace = True

    def setUp(self):
        self.ns = f"t-{os.urandom(4).hex()}"
        if self.makes_namespace:
            cluster.namespace(self.ns)

    def options(self, user=None):
        return {"address": cluster.url, "tls_ca": "@" + cluster.ca,
                "token": cluster.token(user or self.user)}

    def call(self, slot, *args, user=None, options=None, **env):
        done = drive("kube", {**self.options(user), **(options or {})}, slot, *args, **env)
        for token in cluster.tokens.values():
            self.assertNotIn(token, done.text)
        return done

    def ok(self, *args, **env):
        done = self.call(*args, **env)
        self.assertIsNone(done.error, done.text)
        return done

    def spec(self, content=None, **more):
        return json.dumps({"kind": "pull-secret", "namespace": self.ns, "name": "registry-secret",
                           "owner": "alpha", "dockerconfigjson": content or config(),
                           "service_account": False, **more})

    def act(self, slot, *args, dry=False, **more):
        """The actions of the steps of a lifecycle slot."""
        env = {"dry_run": 1} if dry else {}
        done = self.ok(f"lifecycle.{slot}", self.spec(*args, **more), **env)
        return [item["more"]["action"] for item in done.of("step")]

    def refused(self, slot, *args, user=None, **more):
        done = self.call(f"lifecycle.{slot}", self.spec(*args, **more), user=user)
        self.assertIsNotNone(done.error, done.text)
        self.assertNotIn("pw-", done.text)
        return done.error

    def conditions(self, *args, **more):
        done = self.ok("lifecycle.status", self.spec(*args, **more))
        return {item["name"]: item["more"]["status"] for item in done.of("condition")}, done

    def secret(self):
        return cluster.secret(self.ns)

    def content(self):
        return base64.b64decode(self.secret()["data"][".dockerconfigjson"]).decode()

    def path(self, what="secrets/registry-secret"):
        return f"/api/v1/namespaces/{self.ns}/{what}"

    def change(self, body, what="secrets/registry-secret", manager="somebody"):
        status, answer = cluster.api("PATCH", f"{self.path(what)}?fieldManager={manager}", body,
                                     kind=MERGE)
        self.assertEqual(200, status, answer)
        return answer

    def make(self, content, kind="kubernetes.io/dockerconfigjson", **meta):
        """A secret that somebody else makes."""
        return cluster.made(self.path("secrets") + "?fieldManager=kubectl-create", {
            "metadata": {"name": "registry-secret", **meta}, "type": kind,
            "stringData": {".dockerconfigjson": content}})

    def entries(self):
        account = cluster.api("GET", self.path("serviceaccounts/default"))[1]
        return [one["name"] for one in account.get("imagePullSecrets") or []]

    def verbs(self, since):
        """What was asked of this test's namespace since now() was that."""
        return [verb for verb, path in cluster.requests("berth", since)
                if f"/{self.ns}/" in path]

    @staticmethod
    def now():
        return len(cluster.requests("berth"))


class Probe(Case):
    makes_namespace = False

    def test_product_version_user_and_rights_are_facts(self):
        facts = self.ok("probe", '{"scope":"platform"}').facts()
        self.assertEqual(("Kubernetes", VERSION, "berth", []),
                         tuple(facts[key] for key in ("product", "version", "user", "missing")))
        self.assertEqual({True}, set(facts["rights"].values()))
        self.assertEqual([], facts["features"])

    def test_what_a_user_may_not_is_named_and_no_error(self):
        facts = self.ok("probe", "{}", user="reader").facts()
        self.assertIn("patch secrets", facts["missing"])
        self.assertNotIn("list nodes", facts["missing"])

    def test_rights_in_namespaces_that_are_asked_for_must_be_there(self):
        cluster.namespace(self.ns)
        scope = json.dumps({"namespaces": [self.ns]})
        done = self.call("probe", scope, user="namespaced")
        self.assertEqual("denied", done.error["code"])
        self.assertIn(f"may not get secrets in namespace '{self.ns}'", done.error["message"])
        cluster.give_in(self.ns, "namespaced", [
            ("", ["secrets"], ["get", "create", "patch", "delete"]),
            ("", ["serviceaccounts"], ["get", "patch"])])
        self.ok("probe", scope, user="namespaced")

    def test_a_wrong_token_is_auth(self):
        done = self.call("probe", "{}", options={"token": "wrong-canary"})
        self.assertEqual("auth", done.error["code"])
        self.assertIn("refused the token", done.error["message"])
        self.assertNotIn("canary", done.text)

    def test_no_credential_is_auth(self):
        done = self.call("probe", "{}", options={"token": ""})
        self.assertEqual("auth", done.error["code"])
        self.assertIn("wants a token or a client certificate", done.error["message"])

    def test_a_client_certificate_is_taken_for_its_name(self):
        cert, key = cluster.authority.issue("reader", client=True)
        facts = self.ok("probe", "{}", options={
            "token": "", "tls_client_cert": "@" + cert, "tls_client_key": "@" + key}).facts()
        self.assertEqual("reader", facts["user"])

    def test_an_authority_that_did_not_sign_it_is_tls(self):
        other = Authority(workdir(self))
        done = self.call("probe", "{}", options={"tls_ca": "@" + other.ca})
        self.assertEqual("tls", done.error["code"])

    def test_a_port_without_a_server_is_unavailable(self):
        done = self.call("probe", "{}", options={
            "address": f"https://127.0.0.1:{proc.free_port()}"})
        self.assertEqual("unavailable", done.error["code"])

    def test_an_account_token_that_is_no_longer_taken_is_auth(self):
        cluster.namespace(self.ns)
        made = cluster.made(self.path("serviceaccounts/default/token"),
                            {"spec": {"expirationSeconds": 600}})
        token = {"token": made["status"]["token"]}
        facts = self.ok("probe", "{}", options=token).facts()
        self.assertEqual(f"system:serviceaccount:{self.ns}:default", facts["user"])
        cluster.api("DELETE", self.path("serviceaccounts/default"))
        proc.wait_until(lambda: self.call("probe", "{}", options=token).error,
                        "the token is no longer taken")
        done = self.call("probe", "{}", options=token)
        self.assertEqual("auth", done.error["code"])


class Lists(Case):
    def test_namespaces_are_spaces_with_their_phase(self):
        done = self.ok("spaces")
        phases = {item["name"]: item["more"]["phase"] for item in done.of("space")}
        self.assertEqual("Active", phases[self.ns])
        self.assertIn("kube-system", phases)
        self.assertEqual(len(phases), len(done.items))

    def test_an_overview_counts_what_is_there(self):
        facts = self.ok("overview").facts()
        self.assertEqual((0, 0, 0), tuple(facts[key] for key in ("nodes", "nodes_ready", "pods")))
        self.assertGreaterEqual(facts["namespaces"], 4)

    def test_who_may_see_nothing_gets_nothing(self):
        self.assertEqual({}, self.ok("overview", user="nobody").facts())
        self.assertEqual("denied", self.call("spaces", user="nobody").error["code"])

    def test_nodes_are_objects(self):
        name = self.ns
        cluster.made("/api/v1/nodes", {"metadata": {"name": name}})
        self.addCleanup(cluster.api, "DELETE", f"/api/v1/nodes/{name}")
        status, answer = cluster.api("PATCH", f"/api/v1/nodes/{name}/status", {"status": {
            "allocatable": {"cpu": "1900m", "memory": "4Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}]}}, kind=MERGE)
        self.assertEqual(200, status, answer)
        more = {item["name"]: item["more"] for item in
                self.ok("lifecycle.status", '{"kind":"nodes"}').of("object")}[name]
        self.assertEqual((True, {"cpu_millis": 1900, "memory_bytes": 4 << 30, "pods": 110}),
                         (more["ready"], more["allocatable"]))


class Making(Case):
    def test_one_get_and_one_apply_make_it_and_one_get_finds_it_right(self):
        before = self.now()
        self.assertEqual(["create"], self.act("apply"))
        self.assertEqual(["get", "patch"], self.verbs(before))
        made = self.secret()
        self.assertEqual("kubernetes.io/dockerconfigjson", made["type"])
        self.assertEqual({MANAGED: "berth"}, made["metadata"]["labels"])
        self.assertEqual({WORKSPACE: "alpha", HOSTS: "hub.example:5000"}, made["metadata"]["annotations"])
        self.assertEqual([("berth", "Apply")], [(one["manager"], one["operation"])
                                                for one in made["metadata"]["managedFields"]])
        self.assertEqual(config(), self.content())
        before = self.now()
        self.assertEqual(["keep"], self.act("apply"))
        self.assertEqual(["get"], self.verbs(before))
        self.assertEqual(made, self.secret())

    def test_a_new_content_is_one_apply(self):
        self.act("apply")
        before = self.now()
        self.assertEqual(["update"], self.act("apply", config("pw-2")))
        self.assertEqual(["get", "patch"], self.verbs(before))
        self.assertEqual(config("pw-2"), self.content())

    def test_a_plan_says_it_and_writes_nothing(self):
        self.assertEqual(["create"], self.act("plan"))
        self.assertEqual(["create"], self.act("apply", dry=True))
        self.assertIsNone(self.secret())
        self.act("apply")
        before = self.secret()
        self.assertEqual(["update", "patch"], self.act("plan", config("pw-2"),
                                                       service_account=True))
        self.assertEqual(["remove"], self.act("remove", dry=True))
        self.assertEqual((before, []), (self.secret(), self.entries()))

    def test_fields_of_others_stay(self):
        self.act("apply")
        self.change({"metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}}})
        self.assertEqual(["keep"], self.act("apply"))
        self.act("apply", config("pw-2"))
        meta = self.secret()["metadata"]
        self.assertEqual(("x", "y"), (meta["labels"]["team"], meta["annotations"]["note"]))

    def test_what_somebody_changed_is_seen_and_set_right(self):
        self.act("apply")
        self.change({"data": {".dockerconfigjson": base64.b64encode(b'{"auths":{}}').decode()}},
                    manager="kubectl-edit")
        found, done = self.conditions()
        self.assertEqual(("true", "false"), (found["drift"], found["right"]))
        self.assertEqual(["berth", "kubectl-edit"], sorted(done.facts()["managers"]))
        self.assertEqual(["update"], self.act("apply"))
        self.assertEqual(config(), self.content())
        self.change({"metadata": {"labels": {MANAGED: "helm"}}})
        self.assertEqual(["update"], self.act("apply"))
        self.assertEqual("berth", self.secret()["metadata"]["labels"][MANAGED])

    def enter(self, content, manager="kubectl-edit"):
        """Somebody writes another content into the secret."""
        self.change({"data": {".dockerconfigjson": base64.b64encode(
            json.dumps(content).encode()).decode()}}, manager=manager)

    def hosts(self):
        return {host: entry["password"]
                for host, entry in json.loads(self.content())["auths"].items()}

    def test_what_others_enter_beside_ours_stays(self):
        self.act("apply")
        both = json.loads(config("pw-changed"))
        both["auths"].update(json.loads(config("pw-their", "ghcr.example"))["auths"])
        self.enter(both)
        self.assertEqual(["update"], self.act("apply"))  # ours is set right
        self.assertEqual({"hub.example:5000": "pw-1", "ghcr.example": "pw-their"}, self.hosts())
        self.assertEqual(["keep"], self.act("apply"))
        self.assertEqual("true", self.conditions()[0]["right"])
        self.assertEqual(["update"], self.act("apply", config("pw-2")))
        self.assertEqual({"hub.example:5000": "pw-2", "ghcr.example": "pw-their"}, self.hosts())
        # A host that we had and want no more goes, theirs does not.
        self.assertEqual(["update"], self.act("apply", config("pw-3", "other.example")))
        self.assertEqual({"other.example": "pw-3", "ghcr.example": "pw-their"}, self.hosts())
        # What we want ourselves is ours.
        self.assertEqual(["update"], self.act("apply", config("pw-4", "ghcr.example")))
        self.assertEqual({"ghcr.example": "pw-4"}, self.hosts())
        self.assertEqual("ghcr.example", self.secret()["metadata"]["annotations"][HOSTS])

    def test_what_others_entered_is_left_to_them_in_the_end(self):
        self.act("apply", service_account=True)
        both = json.loads(config())
        both["auths"].update(json.loads(config("pw-their", "ghcr.example"))["auths"])
        self.enter(both)
        self.act("apply", service_account=True)
        self.assertEqual(["update", "patch"], sorted(self.act("remove"), reverse=True))
        self.assertEqual({"ghcr.example": "pw-their"}, self.hosts())
        meta = self.secret()["metadata"]
        self.assertEqual(({}, {}), (meta.get("annotations", {}), meta.get("labels", {})))
        self.assertIn("was not made by Berth", self.refused("apply")["message"])

    def test_what_others_entered_just_before_a_removal_or_a_change_is_not_lost(self):
        for act in (("remove",), ("apply", config("pw-2", "new.example"))):
            with self.subTest(act[0]):
                self.act("apply")
                both = json.loads(config())
                both["auths"].update(json.loads(config("pw-their", "ghcr.example"))["auths"])
                self.enter(both)
                self.assertEqual(["update"], self.act(*act))
                self.assertEqual({"ghcr.example": "pw-their"},
                                 {host: word for host, word in self.hosts().items()
                                  if host != "new.example"})
                cluster.api("DELETE", f"/api/v1/namespaces/{self.ns}/secrets/registry-secret")

    def test_an_immutable_one_with_hosts_of_others_keeps_them(self):
        self.act("apply")
        both = json.loads(config())
        both["auths"].update(json.loads(config("pw-their", "ghcr.example"))["auths"])
        self.enter(both)
        self.act("apply")
        self.change({"immutable": True})
        self.assertEqual(["replace"], self.act("apply", config("pw-2")))
        self.assertEqual({"hub.example:5000": "pw-2", "ghcr.example": "pw-their"}, self.hosts())

    def test_an_immutable_one_is_made_anew(self):
        self.act("apply")
        self.change({"immutable": True})
        self.assertEqual(["keep"], self.act("apply"))
        before = self.secret()["metadata"]["uid"]
        self.assertEqual(["replace"], self.act("plan", config("pw-2")))
        self.assertEqual(["replace"], self.act("apply", config("pw-2")))
        self.assertEqual(config("pw-2"), self.content())
        self.assertNotEqual(before, self.secret()["metadata"]["uid"])

    def test_one_of_another_type_that_was_handed_over_is_made_anew(self):
        self.make(config(), kind="Opaque", annotations={WORKSPACE: "alpha"})
        self.assertEqual(["replace"], self.act("apply"))
        self.assertEqual("kubernetes.io/dockerconfigjson", self.secret()["type"])


class Foreign(Case):
    def test_a_foreign_secret_is_left_alone_until_it_is_handed_over(self):
        made = self.make(config("pw-theirs"))
        error = self.refused("apply")
        self.assertEqual("conflict", error["code"])
        self.assertIn("was not made by Berth and is left alone", error["message"])
        self.assertIn("kubectl-create", error["cause"])
        self.assertEqual("conflict", self.refused("plan")["code"])
        self.assertEqual(["keep"], self.act("remove"))
        found, _ = self.conditions()
        self.assertEqual(("true", "false", "false"),
                         (found["present"], found["ours"], found["drift"]))
        self.assertEqual(made, self.secret())
        self.change({"metadata": {"annotations": {WORKSPACE: "alpha"}}})
        self.assertEqual(["update"], self.act("apply"))
        self.assertEqual(config(), self.content())

    def test_another_workspaces_secret_is_left_alone(self):
        self.act("apply")
        error = self.refused("apply", config("pw-2"), owner="beta")
        self.assertEqual("conflict", error["code"])
        self.assertIn("belongs to workspace 'alpha'", error["message"])
        self.assertEqual(["keep"], self.act("remove", owner="beta"))
        self.assertEqual(config(), self.content())

    def test_one_that_a_finalizer_holds_is_said_so(self):
        self.act("apply")
        self.change({"metadata": {"finalizers": ["example.org/held"]}})
        self.addCleanup(self.change, {"metadata": {"finalizers": None}})
        cluster.api("DELETE", self.path())
        error = self.refused("apply", config("pw-2"))
        self.assertEqual("conflict", error["code"])
        self.assertIn("a finalizer holds it", error["message"])


class Account(Case):
    def test_the_default_account_gets_the_secret_beside_its_own(self):
        self.change({"imagePullSecrets": [{"name": "theirs"}]}, "serviceaccounts/default")
        self.assertEqual(["create", "patch"], self.act("apply", service_account=True))
        self.assertEqual(["theirs", "registry-secret"], self.entries())
        before = self.now()
        self.assertEqual(["keep", "keep"], self.act("apply", service_account=True))
        self.assertEqual(["get", "get"], self.verbs(before))
        found, _ = self.conditions(service_account=True)
        self.assertEqual("true", found["service-account"])

    def test_what_is_no_longer_wanted_is_taken_out(self):
        self.change({"imagePullSecrets": [{"name": "theirs"}]}, "serviceaccounts/default")
        self.act("apply", service_account=True)
        self.assertEqual(["patch", "update"], self.act("apply"))
        self.assertEqual(["theirs"], self.entries())
        self.assertNotIn(ACCOUNT, self.secret()["metadata"]["annotations"])

    def test_removal_takes_it_out_too(self):
        self.act("apply", service_account=True)
        self.assertEqual(["patch", "remove"], self.act("remove"))
        self.assertEqual(([], None), (self.entries(), self.secret()))

    def test_an_entry_of_a_secret_that_is_gone_is_taken_out(self):
        self.act("apply", service_account=True)
        cluster.api("DELETE", self.path())
        self.assertEqual(["patch", "none"], self.act("remove", service_account=True))
        self.assertEqual([], self.entries())

    def test_an_entry_that_somebody_took_out_comes_back(self):
        self.act("apply", service_account=True)
        self.change({"imagePullSecrets": []}, "serviceaccounts/default")
        found, _ = self.conditions(service_account=True)
        self.assertEqual("false", found["service-account"])
        self.assertEqual(["keep", "patch"], self.act("apply", service_account=True))
        self.assertEqual(["registry-secret"], self.entries())


class Removing(Case):
    def test_it_is_removed_once_and_gone_is_no_error(self):
        self.act("apply")
        self.assertEqual(["remove"], self.act("remove"))
        self.assertIsNone(self.secret())
        self.assertEqual(["none"], self.act("remove"))
        found, _ = self.conditions()
        self.assertEqual(("true", "false", "unknown", "false"), tuple(
            found[key] for key in ("namespace", "present", "ours", "right")))

    def test_in_a_namespace_that_is_gone_there_is_nothing_to_remove(self):
        self.ns = "never-" + self.ns
        self.assertEqual(["none"], self.act("remove", service_account=True))
        error = self.refused("apply")
        self.assertEqual("not-found", error["code"])
        self.assertIn("the namespace does not exist", error["cause"])
        found, _ = self.conditions()
        self.assertEqual("false", found["namespace"])

    def test_a_namespace_that_is_being_deleted_takes_nothing(self):
        cluster.made(self.path("configmaps"), {"metadata": {
            "name": "held", "finalizers": ["example.org/held"]}})
        self.addCleanup(self.change, {"metadata": {"finalizers": None}}, "configmaps/held")
        cluster.api("DELETE", f"/api/v1/namespaces/{self.ns}")
        error = self.refused("apply")
        self.assertEqual("conflict", error["code"])
        self.assertIn("is being deleted", error["cause"])
        phases = {item["name"]: item["more"]["phase"] for item in self.ok("spaces").of("space")}
        self.assertEqual("Terminating", phases[self.ns])
        self.assertEqual("invalid", self.refused("validate")["code"])
        found, _ = self.conditions()
        self.assertEqual("false", found["namespace"])


class Looking(Case):
    def test_a_digest_is_enough_to_compare_with(self):
        self.act("apply")
        spec = {"dockerconfigjson": None, "digest": digest(config())}
        found, done = self.conditions(**spec)
        self.assertEqual(("true", "false"), (found["right"], found["drift"]))
        self.assertEqual(digest(config()), done.facts()["digest"])
        found, _ = self.conditions(dockerconfigjson=None, digest=digest(config("pw-2")))
        self.assertEqual(("false", "true"), (found["right"], found["drift"]))
        found, _ = self.conditions(dockerconfigjson=None)
        self.assertEqual("unknown", found["right"])

    def test_validate_says_all_that_is_wrong_at_once(self):
        self.assertEqual({"check"}, set(self.act("validate", service_account=True)))
        done = self.call("lifecycle.validate", self.spec(service_account=True), user="reader")
        self.assertEqual("invalid", done.error["code"])
        refused = [item["more"]["object"] for item in done.of("step")
                   if item["more"]["action"] == "refuse"]
        self.assertEqual([f"right to {verb} {what}" for what, verbs in (
            ("secrets", ("get", "create", "patch", "delete")),
            ("serviceaccounts", ("get", "patch"))) for verb in verbs], refused)

    def test_a_user_without_the_right_is_denied_by_its_words(self):
        error = self.refused("apply", user="reader")
        self.assertEqual("denied", error["code"])
        self.assertIn("give it the role", error["cause"])
        self.assertIn("cannot get resource", error["cause"])

    def test_rights_in_one_namespace_are_enough_there(self):
        cluster.give_in(self.ns, "namespaced", [
            ("", ["secrets"], ["get", "create", "patch", "delete"])])
        self.ok("lifecycle.apply", self.spec(), user="namespaced")
        self.assertEqual(config(), self.content())

    def test_a_quota_that_is_full_is_named(self):
        cluster.made(self.path("resourcequotas"), {
            "metadata": {"name": "q"}, "spec": {"hard": {"secrets": "0"}}})
        proc.wait_until(lambda: "exceeded quota" in str(cluster.api(
            "POST", self.path("secrets") + "?dryRun=All", {"metadata": {"name": "other"}})[1]),
            "the quota counts", 300)
        for slot in ("plan", "apply"):
            error = self.refused(slot)
            self.assertEqual("quota", error["code"])
            self.assertIn("ResourceQuota", error["cause"])


class Registered(Case):
    """The same cluster as berthd has it, by berthctl."""

    makes_namespace = False

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.daemon = Daemon(os.path.join(cls.dir, "berth")).start()
        cls.addClassCleanup(cls.daemon.stop)

    def add(self, name, user):
        """cluster add with a kubeconfig as kubectl would write it."""
        with open(cluster.ca, "rb") as file:
            authority = base64.b64encode(file.read()).decode()
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as file:
            json.dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "it",
                "clusters": [{"name": "lab", "cluster": {
                    "server": cluster.url, "certificate-authority-data": authority}}],
                "users": [{"name": "me", "user": user}],
                "contexts": [{"name": "it", "context": {"cluster": "lab", "user": "me"}}]}, file)
        os.chmod(path, 0o600)
        return self.daemon.ctl("cluster", "add", name, "--kubeconfig", path)

    def shown(self, name):
        return json.loads(self.daemon.ctl_ok("cluster", "show", name, "-o", "json"))["status"]

    def test_it_is_added_by_a_token_with_its_version_and_user(self):
        done = self.add("lab", {"token": cluster.token("berth")})
        self.assertEqual(0, done.returncode, done.stderr)
        status = self.shown("lab")
        self.assertEqual(("healthy", VERSION, "berth"),
                         (status["phase"], status["version"], status["user"]))
        self.assertFalse(status.get("missing"))

    def test_it_is_added_by_a_client_certificate_with_what_that_lacks(self):
        user = {}
        for key, path in zip(("client-certificate-data", "client-key-data"),
                             cluster.authority.issue("reader", client=True)):
            with open(path, "rb") as file:
                user[key] = base64.b64encode(file.read()).decode()
        done = self.add("certified", user)
        self.assertEqual(0, done.returncode, done.stderr)
        status = self.shown("certified")
        self.assertEqual("reader", status["user"])
        self.assertIn("patch secrets", status["missing"])

    def test_a_token_that_the_server_refuses_adds_nothing(self):
        done = self.add("wrong", {"token": "wrong-canary"})
        self.assertNotEqual(0, done.returncode)
        self.assertIn("refused the token", done.stderr)
        self.assertNotIn("canary", done.stdout + done.stderr)
        self.assertNotEqual(0, self.daemon.ctl("cluster", "show", "wrong").returncode)


if __name__ == "__main__":
    unittest.main()
