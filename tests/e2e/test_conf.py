# SPDX-License-Identifier: Apache-2.0
"""The generated configuration file and manual agree with the program."""

import os
import re
import subprocess
import unittest

from berthtest import Daemon, proc, workdir

FILE = os.path.join(proc.build_dir(), "etc", "berth.conf")
MANUAL = os.path.join(proc.build_dir(), "docs", "berth.conf.5")


class Generated(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        with open(FILE, encoding="utf-8") as file:
            self.text = file.read()

    def check(self, text):
        path = os.path.join(self.dir, "berth.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return subprocess.run(
            [Daemon.program("berthd"), "--check", "--state-dir", os.path.join(self.dir, "s"),
             "--config", path], capture_output=True, text=True, check=False)

    def test_the_file_as_shipped_is_right(self):
        self.assertEqual(0, self.check(self.text).returncode)

    def test_the_file_with_every_key_switched_on_is_right(self):
        text, count = re.subn(r"^(\t+)#(\w+ = .*;)$", r"\1\2", self.text, flags=re.M)
        self.assertGreater(count, 50)
        done = self.check(text)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_the_manual_has_every_key(self):
        with open(MANUAL, encoding="utf-8") as file:
            manual = file.read()
        for key in re.findall(r"^\t+#(\w+) = ", self.text, re.M):
            self.assertIn(f".It Sy {key}\n", manual)

    def test_the_manual_is_well_formed(self):
        proc.need("mandoc")
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MANUAL], capture_output=True,
                              text=True, check=False)
        self.assertEqual("", done.stdout)


if __name__ == "__main__":
    unittest.main()
