# SPDX-License-Identifier: Apache-2.0
"""A plugin that misbehaves, seen from the API: the operation says what
happened, everything else goes on. The fixture plugin stands in for dockerreg."""

import os
import resource
import signal
import unittest

from berthtest import Daemon, proc, workdir
from berthtest.daemon import descendants
from berthtest.worker import is_sanitized

PLUGINS = os.path.join(proc.build_dir(), "tests", "plugin-as")
CONFIG = """
jobs: { grace_ms = 200; restart_ms = 50; restart_max_ms = 200; %s memory_max_bytes = 536870912; };
"""
CANARY = "canary-5f0c2b71-secret"


class Case(unittest.TestCase):
    jobs = "probe_ms = 5000;"

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.daemon = Daemon(cls.dir, plugins=PLUGINS, config=CONFIG % cls.jobs).start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.api = cls.daemon.api

    def submit(self, name, act, **more):
        return self.api.post("/v1/integrations", {
            "name": name, "kind": "dockerreg", "address": "http://127.0.0.1:1",
            "options": {"act": act}, **more})

    def error(self, act, **more):
        done = self.api.wait(self.submit("x-" + act, act, **more))
        self.assertEqual("failed", done["state"], done)
        return done["error"]

    def still_works(self, name):
        self.assertEqual("succeeded", self.api.wait(self.submit(name, "well"))["state"])


class Console(Case):
    def test_a_console_that_is_no_web_address_is_not_kept(self):
        seen = {}
        for act in ("console", "console-script"):
            done = self.api.wait(self.submit("x-" + act, act))
            self.assertEqual("succeeded", done["state"], done)
            seen[act] = self.api.get(f"/v1/integrations/x-{act}/overview").get("console")
        self.assertEqual({"console": "https://console.example/ui/", "console-script": None}, seen)


class Undeclared(Case):
    def test_what_a_plugin_does_not_ask_for_is_refused_by_name(self):
        answer = self.api.request("POST", "/v1/integrations", {
            "name": "x-fields", "kind": "dockerreg", "address": "http://127.0.0.1:1",
            "username": "joe", "auth_realms": ["auth.example"], "upload_hosts": ["up.example"],
            "tls": {"verify": False}, "options": {"act": "well", "akt": "well", "zzz": "1"}})
        self.assertEqual(422, answer.status)
        found = {one["pointer"]: one["detail"] for one in answer.body["errors"]}
        self.assertEqual({
            "/auth_realms": "plugin dockerreg does not take auth_realms",
            "/upload_hosts": "plugin dockerreg does not take upload_hosts",
            "/tls/verify": "plugin dockerreg does not take tls_verify",
            "/options/akt": "plugin dockerreg has no option akt: did you mean act?",
            "/options/zzz": "plugin dockerreg has no option zzz: berthctl plugin show "
                            "dockerreg lists them"}, found)

    def test_an_unknown_kind_is_answered_with_those_there_are(self):
        answer = self.api.request("POST", "/v1/integrations", {
            "name": "x-kind", "kind": "docker", "address": "http://127.0.0.1:1"})
        self.assertEqual("there is no plugin docker; there is dockerreg",
                         answer.body["errors"][0]["detail"])


class Misdeeds(Case):
    def test_each_misdeed_ends_in_words_and_berthd_goes_on(self):
        for act, code, detail in (
                ("crash", "internal", "worker crashed: SIGSEGV in probe of plugin dockerreg"),
                ("open-crashes", "internal",
                 "worker crashed: SIGABRT in open of plugin dockerreg"),
                ("free-twice", "internal",
                 "worker crashed: SIGABRT in probe of plugin dockerreg"),
                ("exit", "internal",
                 "worker crashed: exit status 3 in probe of plugin dockerreg"),
                ("hang", "upstream-timeout",
                 "the job was stopped: it slept through its deadline"),
                ("hang-deaf", "upstream-timeout",
                 "the job was stopped: it slept through its deadline"),
                ("allocate", "no-memory", "1 GiB cannot be had"),
                ("item-utf8", "upstream-failed", "probe of 'x-item-utf8' was stopped"),
                ("silent-failure", "upstream-failed", "plugin dockerreg gave no reason")):
            if act in ("allocate", "free-twice") and is_sanitized():
                continue
            with self.subTest(act):
                error = self.error(act)
                self.assertEqual((code, detail), (error["code"], error["detail"]))
        self.still_works("after-misdeeds")

    def test_a_storm_of_crashes_harms_nobody_else(self):
        operations = [self.submit(f"storm-{n}", "crash") for n in range(30)]
        self.still_works("in-the-storm")
        for operation in operations:
            self.assertEqual("failed", self.api.wait(operation)["state"])
        self.assertEqual(200, self.api.request("GET", "/v1/readyz").status)

    def test_a_password_is_found_nowhere(self):
        self.error("leaky-error", username="me", password=CANARY)
        done = self.api.wait(self.submit("canary", "well", username="me", password=CANARY))
        self.assertEqual("succeeded", done["state"])
        self.assertNotIn(CANARY, self.daemon.log())
        for root, _, names in os.walk(self.daemon.state):
            for name in names:
                path = os.path.join(root, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        self.assertNotIn(CANARY.encode(), file.read(), path)
        for path in ("/v1/integrations", "/v1/operations", "/v1/audit", "/v1/events?wait_s=0"):
            self.assertNotIn(CANARY, repr(self.api.request("GET", path).body))
        for pid in [self.daemon.process.pid, *self.daemon.children()]:
            for name in ("cmdline", "environ"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as file:
                        self.assertNotIn(CANARY.encode(), file.read())
                except OSError:
                    continue


class LostWorkers(Case):
    jobs = "probe_ms = 10000; watchdog_ms = 3000; trial_ms = 3000;"

    def running(self, name):
        operation = self.submit(name, "wait")
        proc.wait_until(lambda: self.api.get(f"/v1/operations/{operation['id']}")["state"] ==
                        "running" and len(descendants(self.daemon.worker())) > 0, "its job runs")
        return operation

    def test_a_killed_worker_is_replaced_and_the_operation_comes_to_an_end(self):
        operation = self.running("killed")
        before = self.daemon.worker()
        os.kill(before, signal.SIGKILL)
        done = self.api.wait(operation)
        self.assertIn(done["state"], ("failed", "interrupted"))
        self.assertNotEqual(before, self.daemon.worker())
        self.still_works("after-the-kill")

    def test_a_stopped_worker_is_replaced_and_the_operation_comes_to_an_end(self):
        operation = self.running("stopped")
        before = self.daemon.worker()
        os.kill(before, signal.SIGSTOP)
        done = self.api.wait(operation)
        self.assertIn(done["state"], ("failed", "interrupted"))
        proc.wait_until(lambda: self.daemon.worker() != before, "there is another worker")
        self.still_works("after-the-stop")

    def test_a_cancel_ends_a_job_that_waits(self):
        operation = self.running("cancelled")
        self.api.call("DELETE", f"/v1/operations/{operation['id']}")
        self.assertEqual("cancelled", self.api.wait(operation)["state"])
        proc.wait_until(lambda: not descendants(self.daemon.worker()), "the job is gone")


class FewDescriptors(Case):
    jobs = "probe_ms = 1500;"

    def test_a_worker_without_descriptors_makes_jobs_wait_not_fail(self):
        pid = self.daemon.worker()
        open_now = len(os.listdir(f"/proc/{pid}/fd"))
        limit = open_now + 2
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
        operations = [self.submit(f"few-{n}", "wait") for n in range(8)]
        for operation in operations:
            self.assertEqual("upstream-timeout", self.api.wait(operation)["error"]["code"])
        self.assertEqual(200, self.api.request("GET", "/v1/readyz").status)


if __name__ == "__main__":
    unittest.main()
