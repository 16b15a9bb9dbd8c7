# SPDX-License-Identifier: Apache-2.0
"""kube.so against a stand-in that misbehaves: each way has a sentence that says
what to do, nothing is asked more often than makes sense, no secret gets out."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest.drive import drive  # noqa: E402
from standin.kube_faults import TOKEN, Kube, secret  # noqa: E402

PASSWORD = "canary-pw-81b0c6f2"
CONFIG = json.dumps({"auths": {"hub.example:5000": {
    "username": "robot$alpha", "password": PASSWORD, "auth": "cm9ib3Q6Y2FuYXJ5LXB3"}}})
WRITE = ("PATCH", "/secrets/")


def spec(**more):
    return json.dumps({"kind": "pull-secret", "namespace": "team-a", "name": "registry-secret",
                       "owner": "alpha", "dockerconfigjson": CONFIG, "service_account": False,
                       **more})


class Case(unittest.TestCase):
    def standin(self, **how):
        kube = Kube(**how)
        self.addCleanup(kube.stop)
        return kube

    def call(self, kube, slot, *args, options=None, **env):
        given = {"address": kube.url, "token": TOKEN, "net_retry_after_max_ms": "50",
                 **(options or {})}
        done = drive("kube", given, slot, *args, **env)
        for canary in (TOKEN, PASSWORD, "cm9ib3Q6Y2FuYXJ5LXB3"):
            self.assertNotIn(canary, done.text)
        return done

    def ok(self, *args, **env):
        done = self.call(*args, **env)
        self.assertIsNone(done.error, done.text)
        return done

    def actions(self, done):
        return [item["more"]["action"] for item in done.of("step")]

    def fails(self, code, words, *args, **env):
        done = self.call(*args, **env)
        self.assertIsNotNone(done.error, done.text)
        self.assertEqual(code, done.error["code"], done.text)
        self.assertIn(words, done.error["message"], done.text)
        return done.error


class Reading(Case):
    def test_every_fault_of_a_list_has_its_sentence(self):
        for fault, code, words in (
                ("404 text", "protocol", "does not have this path"),
                ("html 404", "protocol", "is a path prefix missing"),
                ("html 502", "unavailable", "can't reach it"),
                ("html 503", "unavailable", "is down, or starts"),
                ("504 text", "unavailable", "is its etcd slow"),
                ("expired token", "auth", "refused the token"),
                ("login page", "protocol", "an HTML page in place of JSON"),
                ("redirect", "protocol", "sends us on"),
                ("empty", "protocol", "the answer is no object"),
                ("array", "protocol", "the answer is no object"),
                ("no list", "protocol", "the answer is no list"),
                ("nameless", "protocol", "without name or uid")):
            with self.subTest(fault):
                kube = self.standin()
                kube.fault(fault)
                error = self.fails(code, "cannot list the cluster's namespaces", kube, "spaces")
                self.assertIn(words, error["cause"])
                self.assertNotIn("next=secret", error["cause"])

    def test_a_busy_server_is_asked_again_after_the_time_it_gives(self):
        kube = self.standin()
        kube.fault("busy", times=2)
        self.assertEqual(["team-a"], self.ok(kube, "spaces").names("space"))
        self.assertEqual(3, len(kube.requests))

    def test_one_that_stays_busy_is_throttled_with_a_time(self):
        kube = self.standin()
        kube.fault("busy")
        error = self.fails("throttled", "cannot list", kube, "spaces")
        self.assertGreater(error["retry_ms"], 0)
        self.assertIn("limits how often", error["cause"])
        self.assertEqual(3, len(kube.requests))

    def test_a_pause_beyond_the_deadline_is_not_begun(self):
        kube = self.standin()
        kube.fault("busy long")
        self.fails("throttled", "cannot list", kube, "spaces", deadline_ms=60000,
                   options={"net_retry_after_max_ms": "3000000"})
        self.assertEqual(1, len(kube.requests))

    def test_a_cut_answer_is_asked_again_and_then_an_error(self):
        kube = self.standin()
        kube.fault("cut", times=1)
        self.assertEqual(["team-a"], self.ok(kube, "spaces").names("space"))
        kube.fault("cut")
        self.fails("unavailable", "cannot list", kube, "spaces")

    def test_a_server_that_drips_or_is_silent_meets_the_deadline(self):
        for fault in ("drip", "silent"):
            with self.subTest(fault):
                kube = self.standin()
                kube.fault(fault)
                self.fails("timeout", "cannot list", kube, "spaces", deadline_ms=1500)

    def test_an_empty_list_may_be_null(self):
        kube = self.standin()
        kube.fault("null items")
        self.assertEqual([], self.ok(kube, "spaces").items)

    def test_ten_thousand_namespaces_come_once_each_in_pages(self):
        names = [f"n{n:05d}" for n in range(10000)]
        kube = self.standin(namespaces=names)
        self.assertEqual(names, self.ok(kube, "spaces").names("space"))
        self.assertEqual(20, len(kube.requests))

    def test_a_list_whose_token_became_too_old_goes_on_or_begins_again(self):
        names = [f"n{n:04d}" for n in range(1700)]
        for fresh, asked in ((True, 5), (False, 7)):
            with self.subTest(fresh=fresh):
                kube = self.standin(namespaces=names)
                kube.expire, kube.fresh = 3, fresh
                self.assertEqual(names, self.ok(kube, "spaces").names("space"))
                self.assertEqual(asked, len(kube.requests))

    def test_a_list_that_is_over_the_limit_is_an_error(self):
        kube = self.standin(namespaces=[f"n{n}" for n in range(1200)])
        self.fails("limit", "cannot list", kube, "spaces", options={"net_items_max": "600"})
        self.fails("limit", "cannot list", kube, "spaces", options={"net_pages_max": "1"})

    def test_a_sink_that_says_stop_ends_the_list(self):
        kube = self.standin(namespaces=[f"n{n}" for n in range(1200)])
        done = self.call(kube, "spaces", stop_after=3)
        self.assertEqual(("cancelled", 3), (done.error["code"], len(done.items)))
        self.assertEqual(1, len(kube.requests))


class Probe(Case):
    def test_a_server_that_is_not_ready_says_what_fails(self):
        kube = self.standin()
        kube.fault("not ready", path="/readyz")
        error = self.fails("unavailable", "is not ready", kube, "probe", "{}")
        self.assertIn("etcd, etcd-readiness", error["cause"])
        self.assertGreater(error["retry_ms"], 0)

    def test_another_server_is_no_kubernetes(self):
        for fault in ("404 text", "login page", "html 404", "array", "empty"):
            with self.subTest(fault):
                kube = self.standin()
                kube.fault(fault, path="/version")
                self.fails("protocol", "no Kubernetes API server at", kube, "probe", "{}")

    def test_what_older_or_stricter_servers_do_not_show_is_left_out(self):
        kube = self.standin()
        kube.fault("404 text", path="/selfsubjectreviews")
        kube.fault("webhook denies", path="/readyz")
        kube.fault("webhook denies", "GET", "/apis")
        facts = self.ok(kube, "probe", "{}").facts()
        self.assertEqual("v1.34.4", facts["version"])
        self.assertEqual([], facts["missing"])
        self.assertFalse({"user", "features"} & set(facts))

    def test_a_wrong_token_is_auth(self):
        kube = self.standin()
        self.fails("auth", "refused the token", kube, "probe", "{}",
                   options={"token": "wrong-canary"})

    def test_a_token_beside_a_certificate_is_refused(self):
        kube = self.standin()
        error = self.fails("invalid", "token and tls_client_cert", kube, "probe", "{}",
                           options={"tls_client_cert": "x", "tls_client_key": "y"})
        self.assertNotIn("standin", error["message"])
        self.assertEqual([], kube.requests)


class Overview(Case):
    @staticmethod
    def node(name, ready="True", cordoned=False, cpu="3920m"):
        return {"metadata": {"name": name, "uid": name, "labels": {
            "node-role.kubernetes.io/control-plane": ""}},
            "spec": {"unschedulable": True} if cordoned else {},
            "status": {"conditions": [{"type": "Ready", "status": ready}],
                       "allocatable": {"cpu": cpu, "memory": "7986996Ki", "pods": "110"},
                       "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}],
                       "nodeInfo": {"kubeletVersion": "v1.34.4", "architecture": "arm64"}}}

    def nodes(self):
        return [self.node("a"), self.node("b", "Unknown"), self.node("c", cordoned=True),
                self.node("d", cpu="nonsense")]

    def test_it_adds_up_what_ready_nodes_have_for_pods(self):
        kube = self.standin(namespaces=[f"n{n}" for n in range(1234)], nodes=self.nodes())
        self.assertEqual({"nodes": 4, "nodes_ready": 3, "cpu_millis": 3920,
                          "memory_bytes": 2 * 7986996 * 1024, "pods": 220, "namespaces": 1234},
                         self.ok(kube, "overview").facts())
        self.assertEqual(2, len(kube.requests))
        kube.knows_remaining = False
        self.assertEqual(1234, self.ok(kube, "overview").facts()["namespaces"])

    def test_what_is_forbidden_is_left_out(self):
        kube = self.standin()
        kube.fault("webhook denies", path="/nodes")
        self.assertEqual({"namespaces": 1}, self.ok(kube, "overview").facts())

    def test_each_node_is_an_object(self):
        kube = self.standin(nodes=self.nodes())
        done = self.ok(kube, "lifecycle.status", '{"kind": "nodes"}')
        self.assertEqual(["a", "b", "c", "d"], done.names("object"))
        more = done.of("object")[2]["more"]
        self.assertEqual((True, False, ["control-plane"], ["10.0.0.7"], "v1.34.4"),
                         tuple(more[key] for key in ("ready", "schedulable", "roles", "addresses",
                                                     "version")))
        self.assertEqual({"cpu_millis": 3920, "memory_bytes": 7986996 * 1024, "pods": 110},
                         more["allocatable"])


class Writing(Case):
    def test_every_fault_of_a_write_has_its_sentence_and_is_sent_once(self):
        for fault, code, words, again in (
                ("500 for ever", "protocol", "asking again changes nothing", False),
                ("webhook away", "unavailable", "does not answer", True),
                ("webhook denies", "denied", "webhook of the cluster forbids", False),
                ("quota", "quota", "ResourceQuota", False),
                ("quota uncounted", "unavailable", "has not counted", True),
                ("terminating", "conflict", "is being deleted", False),
                ("expired token", "auth", "refused the token", False),
                ("too large", "limit", "too large", False),
                ("504 text", "unavailable", "is its etcd slow", True)):
            with self.subTest(fault):
                kube = self.standin()
                kube.fault(fault, *WRITE)
                error = self.fails(code, "cannot write secret team-a/registry-secret", kube,
                                   "lifecycle.apply", spec())
                self.assertIn(words, error["cause"])
                self.assertEqual(again, error.get("retry_ms", 0) > 0)
                self.assertEqual(1, len(kube.asked("PATCH")))

    def test_a_write_that_meets_a_busy_server_is_sent_again(self):
        kube = self.standin()
        kube.fault("busy", *WRITE, times=2)
        self.assertEqual(["create"], self.actions(self.ok(kube, "lifecycle.apply", spec())))
        self.assertEqual(3, len(kube.asked("PATCH")))

    def test_a_cut_write_is_an_error_and_the_next_apply_finds_it_done(self):
        kube = self.standin()
        kube.fault("cut", *WRITE, times=1)
        error = self.fails("unavailable", "cannot write", kube, "lifecycle.apply", spec())
        self.assertGreater(error["retry_ms"], 0)
        self.assertEqual(["keep"], self.actions(self.ok(kube, "lifecycle.apply", spec())))
        self.assertEqual(1, len(kube.asked("PATCH")))

    def test_a_conflict_is_read_again_a_few_times(self):
        kube = self.standin()
        kube.fault("conflict", *WRITE, times=2)
        self.ok(kube, "lifecycle.apply", spec())
        self.assertEqual((3, 3), (len(kube.asked("GET")), len(kube.asked("PATCH"))))
        kube = self.standin()
        kube.fault("conflict", *WRITE)
        error = self.fails("conflict", "cannot write", kube, "lifecycle.apply", spec())
        self.assertGreater(error["retry_ms"], 0)
        self.assertEqual(3, len(kube.asked("PATCH")))

    def test_an_account_that_others_change_is_read_again(self):
        kube = self.standin()
        kube.accounts["team-a"] = [{"name": "other"}]
        kube.fault("conflict", "PATCH", "/serviceaccounts/", times=2)
        self.ok(kube, "lifecycle.apply", spec(service_account=True))
        self.assertEqual([{"name": "other"}, {"name": "registry-secret"}],
                         kube.accounts["team-a"])

    def test_a_secret_of_a_namespace_that_is_gone_is_not_found(self):
        error = self.fails("not-found", "cannot write secret team-z/", self.standin(),
                           "lifecycle.apply", spec(namespace="team-z"))
        self.assertIn("the namespace does not exist", error["cause"])

    def test_a_secret_that_comes_between_reading_and_writing_is_left_alone(self):
        kube = self.standin()
        kube.secrets["team-a", "registry-secret"] = secret("{}", owner=None, manager="helm")
        kube.fault("no secret", "GET", "/secrets/", times=1)
        kube.fault("apply conflict", *WRITE, times=1)
        error = self.fails("conflict", "was not made by Berth and is left alone", kube,
                           "lifecycle.apply", spec())
        self.assertEqual(("it was written by helm", 0),
                         (error["cause"], error.get("retry_ms", 0)))
        self.assertEqual(1, len(kube.asked("PATCH")))

    def test_wrong_specs_are_refused_before_anything_is_asked(self):
        kube = self.standin()
        for wrong, code, words in (
                ({"namespace": "../kube-system"}, "invalid", "no name of a namespace"),
                ({"namespace": "a" * 64}, "invalid", "no name of a namespace"),
                ({"namespace": "-a"}, "invalid", "no name of a namespace"),
                ({"namespace": ""}, "invalid", "no name of a namespace"),
                ({"name": "a/b"}, "invalid", "no name of a secret"),
                ({"name": "a..b"}, "invalid", "no name of a secret"),
                ({"name": "A"}, "invalid", "no name of a secret"),
                ({"owner": ""}, "invalid", "without an owner"),
                ({"kind": "bucket"}, "unsupported", "kind 'bucket'"),
                ({"dockerconfigjson": f'{{"auths": "{PASSWORD}"'}, "invalid", "with auths"),
                ({"dockerconfigjson": f'["{PASSWORD}"]'}, "invalid", "with auths"),
                ({"dockerconfigjson": None}, "invalid", "without dockerconfigjson")):
            with self.subTest(wrong=str(wrong)[:40]):
                self.fails(code, words, kube, "lifecycle.apply", spec(**wrong))
        self.fails("invalid", "", kube, "lifecycle.apply", "[]")
        self.assertEqual([], kube.requests)


class Secrets(Case):
    def test_a_server_that_repeats_what_it_was_sent_is_not_repeated(self):
        kube = self.standin()
        kube.fault("echo", *WRITE)
        error = self.call(kube, "lifecycle.apply", spec()).error
        self.assertIn("words that had a secret in them", error["cause"])

    def test_nothing_of_a_call_is_in_the_log(self):
        kube = self.standin()
        for slot in ("validate", "plan", "apply", "status", "remove"):
            done = self.ok(kube, "lifecycle." + slot, spec())
            self.assertNotIn("auths", done.text)


if __name__ == "__main__":
    unittest.main()
