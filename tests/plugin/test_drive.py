# SPDX-License-Identifier: Apache-2.0
"""drive, with which the author of a plugin calls one slot by hand."""

import json
import os
import shutil
import subprocess
import unittest

from berthtest import proc, workdir

BUILD = proc.build_dir()


class Drive(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        shutil.copy(os.path.join(BUILD, "tests", "plugin", "fixture.so"), self.dir)

    def call(self, *argv, plugin="fixture.so", **env):
        """From the plugin's folder: exit status, lines, what is on stderr."""
        done = subprocess.run([os.path.join(BUILD, "tests", "drive"), plugin, *argv],
                              cwd=self.dir, capture_output=True, text=True, timeout=120,
                              check=False,
                              env={**os.environ, "BERTH_OPT_address": "http://127.0.0.1:1",
                                   **env})
        lines = [json.loads(line) for line in done.stdout.splitlines()] if argv else []
        return done.returncode, lines, done.stdout + done.stderr

    def test_a_file_of_the_folder_at_hand_needs_no_slash(self):
        status, lines, text = self.call("options")
        self.assertEqual(0, status, text)
        self.assertIn("act", [line["key"] for line in lines])

    def test_a_plugin_may_run_a_program(self):
        status, lines, text = self.call("probe", BERTH_OPT_act="run",
                                        BERTH_OPT_program="/bin/sh",
                                        BERTH_OPT_argument="echo there; exit 3")
        self.assertEqual(0, status, text)
        self.assertEqual({"value": 3}, lines[-1]["more"])
        status, lines, _ = self.call("probe", BERTH_OPT_act="run", BERTH_DEADLINE_MS="200",
                                     BERTH_OPT_program="/bin/sh", BERTH_OPT_argument="sleep 60")
        self.assertEqual((1, "timeout"), (status, lines[-1]["error"]["code"]))

    def test_options_are_checked_as_for_an_integration(self):
        status, lines, _ = self.call("probe", BERTH_OPT_akt="well")
        self.assertEqual(1, status)
        self.assertIn("has no option 'akt' (did you mean act?)", lines[-1]["error"]["cause"])

    def test_items_have_their_times(self):
        _, lines, text = self.call("repositories", BERTH_OPT_act="well")
        self.assertEqual([None, 1000, 2000], [line.get("updated_ms") for line in lines], text)

    def test_its_help_names_slots_and_controls(self):
        status, _, text = self.call(plugin="--help")
        self.assertEqual(0, status)
        for word in ("probe\n", "tags ARGUMENT\n", "artifact ARGUMENT ARGUMENT\n",
                     "BERTH_DEADLINE_MS=N", "BERTH_STOP_AFTER=N", "scan.report ARGUMENT\n"):
            self.assertIn(word, text)
        self.assertEqual(2, self.call()[0])


if __name__ == "__main__":
    unittest.main()
