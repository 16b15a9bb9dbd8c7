# SPDX-License-Identifier: Apache-2.0
"""Connections that can't be made: a probe names why, and a copy goes on when it
is one of several that failed."""

import errno
import json
import os
import subprocess
import unittest

from berthtest import Client, Image, Registry, proc, workdir
from berthtest.drive import drive
from berthtest.images import random_layer

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
COPYBENCH = os.path.join(proc.build_dir(), "tests", "copybench")


class Connects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for path in (SHIM, COPYBENCH):
            if not os.path.exists(path):
                raise unittest.SkipTest(f"{path} is not built")
        if "fsanitize" in os.environ.get("CFLAGS", ""):
            raise unittest.SkipTest("the shim and the sanitizers replace the same functions")
        cls.dir = workdir(cls)
        cls.source = Registry(os.path.join(cls.dir, "source")).start()
        cls.addClassCleanup(cls.source.stop)
        with Client(cls.source.url) as client:
            cls.images = {tag: client.push("a/b", Image([random_layer(tag, 5000)]), tag)
                          for tag in ("1", "2", "3")}

    def test_a_refused_connection_is_unavailable_and_names_the_address(self):
        for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
            with self.subTest(errno.errorcode[number]):
                error = drive("dockerreg", {"address": self.source.url, "net_tries": "1"}, "probe",
                              preload=SHIM, fault=f"connect:1:{number}").error
                self.assertIsNotNone(error, "no connect was made to fail")
                self.assertEqual("unavailable", error["code"], error)
                self.assertIn(self.source.host, json.dumps(error))

    def copy(self, target, fault, *args):
        rule = {"source": {"instance": "s"}, "target": {"instance": "t"}}
        env = {**os.environ, "LD_PRELOAD": SHIM, "BERTH_FAULT": fault}
        done = subprocess.run([COPYBENCH, *args, self.source.url, target.url, json.dumps(rule)],
                              capture_output=True, text=True, timeout=300, check=False, env=env)
        self.assertIn(done.returncode, (0, 1, 3), done.stderr)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def test_a_copy_survives_the_loss_of_any_one_connection(self):
        for at in range(1, 6):
            with self.subTest(connect=at), \
                    Registry(os.path.join(self.dir, f"target-{at}")) as target:
                status, lines = self.copy(target, f"connect:{at}:{errno.ECONNREFUSED}",
                                          "--backoff-ms=10")
                self.assertEqual(0, status, lines)
                with Client(target.url) as client:
                    for tag, image in self.images.items():
                        self.assertEqual(image.digest, client.digest("a/b", tag))
                        client.closure("a/b", tag)

    def test_without_a_second_try_it_fails_and_says_what_was_refused(self):
        with Registry(os.path.join(self.dir, "once")) as target:
            status, lines = self.copy(target, f"connect:1:{errno.ECONNREFUSED}", "--tries=1")
            self.assertNotEqual(0, status, lines)
            self.assertIn("127.0.0.1", json.dumps(lines))
            with Client(target.url) as client:
                self.assertEqual([], client.tags("a/b"))


if __name__ == "__main__":
    unittest.main()
