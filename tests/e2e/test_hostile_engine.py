# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""The copy engine without the daemon (build/tests/copybench) against the hostile
registry, at either end of the copy."""

import json
import os
import subprocess
import sys
import unittest
import urllib.parse

from berthtest import proc, workdir

sys.path.insert(0, os.path.join(proc.TREE, "tests", "hostile"))

import judge  # noqa: E402
import rows  # noqa: E402
from table import CASES, SOURCE, USERS  # noqa: E402

# Short, because no row needs them long.
LIMITS = ("--connect-ms=2000", "--answer-ms=4000", "--commit-ms=4000", "--low-speed-s=1",
          "--tries=3", "--backoff-ms=5", "--retry-after-ms=200")
BOUND_S = 90
# With sanitizers, a finding must not look like a failed copy.
ENV = {**os.environ, "ASAN_OPTIONS": "exitcode=99", "TSAN_OPTIONS": "exitcode=99",
       "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99"}
# The engine starts from references; whether /v2/ is a registry's is asked when a
# registry is integrated, and lists of repositories are the plugin's.
MINE = [case for case in CASES if case.job == "copy" and not case.id.startswith("base-")]


class Engine:
    def __init__(self, program, ca):
        self.program, self.ca = program, ca

    def run(self, case, server, honest):
        ends = [self.with_user(case, server), honest.url]
        if case.end != SOURCE:
            ends.reverse()
        repository = judge.name_of(case)
        rule = {"source": {"instance": "s", "repository": repository},
                "target": {"instance": "t", "repository": repository},
                "referrers": case.referrers}
        if not case.all_tags:
            rule["tags"] = [judge.TAG]
        argv = [self.program, *LIMITS, *(["--patch"] if case.patch else []), f"--ca={self.ca}",
                *ends, json.dumps(rule)]
        try:
            done = subprocess.run(argv, capture_output=True, check=False, timeout=BOUND_S, env=ENV)
        except subprocess.TimeoutExpired:
            return judge.Result(False, "", ended=False)
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.returncode not in (0, 1, 3):
            raise AssertionError(f"copybench ended with {done.returncode}: {text[-3000:]}")
        return judge.Result(done.returncode == 0, text)

    @staticmethod
    def with_user(case, server):
        if not case.users:
            return server.url
        user, password = next(iter(USERS.items()))
        parts = urllib.parse.urlsplit(server.url)
        return f"{parts.scheme}://{user}:{password}@{parts.netloc}"


class HostileEngine(rows.Rows, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = os.path.join(proc.build_dir(), "tests", "copybench")
        if not os.path.exists(program):
            raise unittest.SkipTest(f"{program} is not built (make check-here)")
        cls.start_honest(workdir(cls))
        cls.start_rows(Engine(program, cls.certificates.ca), MINE)


rows.add_rows(HostileEngine, MINE)


if __name__ == "__main__":
    unittest.main()
