# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""berthctl copy against the hostile registry, at either end of the copy."""

import os
import re
import subprocess
import sys
import unittest

from berthtest import ApiError, Daemon, proc, workdir

sys.path.insert(0, os.path.join(proc.TREE, "tests", "hostile"))

import judge  # noqa: E402
import rows  # noqa: E402
from table import CASES, ERROR, SOURCE, USERS, Case, on, say  # noqa: E402

# Time-outs are short here because no case needs them long, and Retry-After is
# obeyed for at most a fifth of a second.
CONFIG = """
net: {
  connect_ms = 2000; answer_ms = 4000; low_speed_s = 1; low_speed_bytes = 1024;
  retry_after_max_ms = 200; tries = 3; backoff_ms = 5; commit_ms = 4000;
};
integrations: { probe_period_s = 86400; refresh_period_s = 0; };
jobs: { children_max = 32; };
"""
BOUND_S = 90


class Berth:
    """Integrates the hostile server, then copies with berthctl."""

    def __init__(self, daemon, ca):
        self.daemon = daemon
        with open(ca, encoding="ascii") as file:
            self.ca = file.read()

    def run(self, case, server, honest):
        name = "h-" + case.id
        body = {"name": name, "kind": "dockerreg", "address": server.url}
        if case.users:
            body["username"], body["password"] = next(iter(USERS.items()))
        if server.scheme == "https":
            body["tls"] = {"verify": True, "ca": self.ca}
        try:
            added = self.daemon.api.run("/v1/integrations", body, BOUND_S)
            if added["state"] != "succeeded":
                return judge.Result(False, problem_text(added.get("error")))
            if case.job == "refresh":
                done = self.daemon.api.run(f"/v1/integrations/{name}/refresh", None, BOUND_S)
                return judge.Result(done["state"] == "succeeded", problem_text(done.get("error")))
        except ApiError as error:
            return judge.Result(False, problem_text(error.problem) or str(error))
        except AssertionError as error:
            return judge.Result(False, str(error), ended=False)
        return self.rule(case, name) if case.job == "rule" else self.copy(case, name)

    def rule(self, case, name):
        made = self.daemon.ctl("sync", "create", name, "--from", name, "--to", "honest",
                               "--filter", judge.name_of(case), timeout=BOUND_S)
        if made.returncode:
            return judge.Result(False, made.stdout + made.stderr)
        try:
            done = self.daemon.ctl("sync", "run", name, timeout=BOUND_S)
        except subprocess.TimeoutExpired as error:
            return judge.Result(False, str(error.stderr), ended=False)
        return judge.Result(done.returncode == 0, done.stdout + done.stderr)

    def copy(self, case, name):
        source, target = (name, "honest") if case.end == SOURCE else ("honest", name)
        repository = judge.name_of(case)
        tag = "" if case.all_tags else ":" + judge.TAG
        argv = ["copy", f"{source}/{repository}{tag}", f"{target}/{repository}"]
        argv += ["--all-tags"] if case.all_tags else []
        argv += ["--referrers"] if case.referrers else []
        try:
            done = self.daemon.ctl(*argv, timeout=BOUND_S)
        except subprocess.TimeoutExpired as error:
            return judge.Result(False, str(error.stderr), ended=False)
        return judge.Result(done.returncode == 0, done.stdout + done.stderr)


# A plain registry gets its blobs by PUT.
MINE = [case for case in CASES if not case.patch]


def problem_text(problem):
    """What a problem document says to a person."""
    problem = problem or {}
    words = [problem.get("title"), problem.get("detail"), problem.get("hint")]
    words += [one.get("detail") for one in problem.get("errors") or []]
    return "\n".join(str(word) for word in words if word)


class Hostile(rows.Rows, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = workdir(cls)
        cls.start_honest(folder)
        cls.daemon = Daemon(folder + "/daemon", config=CONFIG).start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.add("honest", cls.honest)
        cls.pid = cls.daemon.process.pid
        cls.start_rows(Berth(cls.daemon, cls.certificates.ca), MINE)

    def test_the_daemon_lived_through_all_of_it(self):
        self.assertTrue(self.daemon.process.is_running())
        self.assertEqual(self.pid, self.daemon.process.pid)
        self.assertEqual(200, self.daemon.api.request("GET", "/v1/readyz").status)
        crashes = re.findall(r".*(?:worker crashed|signal \d+|AddressSanitizer).*", self.daemon.log())
        self.assertEqual([], crashes[:5])

    def test_a_refusal_to_show_an_image_is_the_registrys_fault(self):
        case = Case("show-400", SOURCE, "62", "400 to each manifest", ERROR,
                    on("manifest manifest-head", say(400)))
        server = case.start()
        self.addCleanup(server.stop)
        self.addCleanup(server.stranger.stop)
        case.load(server.registry, "case/app", judge.TAG)
        self.daemon.api.run("/v1/integrations", {
            "name": "show-400", "kind": "dockerreg", "address": server.url}, BOUND_S)
        done = self.daemon.ctl("image", "show", f"show-400/case/app:{judge.TAG}", timeout=BOUND_S)
        self.assertEqual(8, done.returncode, done.stdout + done.stderr)
        self.assertIn("HTTP 400", done.stderr)

    def test_no_secret_is_in_the_log_or_the_store(self):
        for base, _, files in os.walk(self.daemon.dir):
            for name in files:
                if not os.path.isfile(os.path.join(base, name)):
                    continue  # a socket
                with open(os.path.join(base, name), "rb") as file:
                    data = file.read()
                for secret in judge.SECRETS:
                    self.assertNotIn(secret.encode(), data, name)


rows.add_rows(Hostile, MINE)


if __name__ == "__main__":
    unittest.main()
