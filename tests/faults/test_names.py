# SPDX-License-Identifier: Apache-2.0
"""The name of an integrated registry turns while berthd runs: it is gone, nobody
answers, it leads elsewhere or to several addresses. The shim plays the resolver."""

import os
import unittest

from berthtest import Daemon, Registry, proc, workdir

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
CONFIG = """
net: { backoff_ms = 5; connect_ms = 5000; };
integrations: { probe_period_s = 86400; refresh_period_s = 0; };
"""


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SHIM) or "fsanitize" in os.environ.get("CFLAGS", ""):
            raise unittest.SkipTest("the fault shim is not built, or not for sanitizers")
        cls.dir = workdir(cls)
        cls.registry = Registry(os.path.join(cls.dir, "registry")).start()
        cls.addClassCleanup(cls.registry.stop)
        cls.file = os.path.join(cls.dir, "names")
        cls.lead_to("127.0.0.1")
        cls.daemon = Daemon(os.path.join(cls.dir, "berth"), config=CONFIG, env={
            "LD_PRELOAD": SHIM, "BERTH_FAULT": "names", "BERTH_FAULT_FILE": cls.file}).start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.add("hub", f"http://registry.test:{cls.registry.port}")

    @classmethod
    def lead_to(cls, *addresses):
        with open(cls.file + ".new", "w", encoding="ascii") as file:
            file.write(" ".join(addresses))
        os.rename(cls.file + ".new", cls.file)

    def probe(self):
        return self.daemon.api.run("/v1/integrations/hub/probe", None)

    def fails(self, *addresses):
        self.lead_to(*addresses)
        done = self.probe()
        self.assertEqual("failed", done["state"], done)
        self.assertIn("registry.test", str(done["error"]))
        return done["error"]

    def works(self, *addresses):
        self.lead_to(*addresses)
        done = self.probe()
        self.assertEqual("succeeded", done["state"], done.get("error"))

    def test_a_name_that_goes_or_has_no_answer_is_an_outage_that_ends(self):
        for word in ("none", "again"):
            with self.subTest(word):
                error = self.fails(word)
                self.assertEqual("unavailable", error["code"], error)
                self.works("127.0.0.1")

    def test_a_name_that_turns_to_a_metadata_address_is_refused(self):
        error = self.fails("169.254.169.254")
        self.assertNotEqual("unavailable", error["code"], error)
        self.assertIn("169.254.169.254", str(error))
        self.works("127.0.0.1")

    def test_an_address_that_does_not_answer_leaves_the_others(self):
        self.works("::1", "127.0.0.1")
        self.works("127.0.0.2", "127.0.0.3", "127.0.0.1")
        self.assertEqual("unavailable", self.fails("::1", "127.0.0.2")["code"])


if __name__ == "__main__":
    unittest.main()
