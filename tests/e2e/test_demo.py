# SPDX-License-Identifier: Apache-2.0
"""`make demo`, away from a terminal and at one: it shows what it promises and tidies up."""

import glob
import os
import pwd
import subprocess
import unittest

from berthtest import Daemon, need, proc, workdir
from berthtest.terminal import Terminal

DEMO = os.path.join(proc.TREE, "tests", "demo", "demo")


class Demo(unittest.TestCase):
    def test_the_demo_runs_to_its_end_and_leaves_nothing_behind(self):
        need("docker-registry", "htpasswd", "openssl")
        Daemon.program("berthctl")
        folder = workdir(self)
        os.chmod(folder, 0o711)  # then the member is another user, where root runs this
        done = subprocess.run([DEMO], text=True, capture_output=True, check=False,
                              timeout=550, stdin=subprocess.DEVNULL,
                              env={**os.environ, "TMPDIR": folder, "BERTH_BUILD": proc.build_dir()})
        self.assertEqual(0, done.returncode, done.stdout[-3000:] + done.stderr[-3000:])
        for line in ("$ berthctl integration add second", "$ berthctl space list",
                     "$ berthctl copy first/shop/web second/shop/web", "$ berthctl operation list",
                     "$ berthctl space bind second/team --workspace payments",
                     f"{self.member(folder)}$ berthctl image search ledger",
                     "second/team/payments/backend/services/ledger-v2"):
            self.assertIn(line, done.stdout)
        self.assertIn("nothing: shop is in another space", done.stdout)
        self.assertNotIn("\x1b", done.stdout)
        self.assertNotIn("only-for-the-demo", done.stdout + done.stderr)
        self.assertEqual([], os.listdir(folder))
        self.assertEqual([], self.processes_below(folder))

    def test_at_a_terminal_it_waits_in_no_pager_and_ends_in_a_shell_that_has_one(self):
        need("docker-registry", "htpasswd", "openssl")
        folder = workdir(self)
        paged, shell = os.path.join(folder, "paged"), os.path.join(folder, "shell")
        with open(shell, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\necho "socket ${BERTH_SOCKET:+known}, pager $PAGER, '
                       'another ${BERTH_PAGER-none}"\n')
        os.chmod(shell, 0o755)
        terminal = Terminal(program=DEMO, env={"TMPDIR": folder, "BERTH_BUILD": proc.build_dir(),
                                               "SHELL": shell, "PAGER": f"touch {paged}"})
        terminal.until(f"socket known, pager touch {paged}, another none", 550)
        self.assertEqual(0, terminal.end(), terminal.seen[-3000:])
        self.assertFalse(os.path.exists(paged))
        self.assertIn("second/team/payments/backend/services/ledger-v2", terminal.seen)

    @staticmethod
    def member(folder):
        """The name of who searches: see Member in the demo."""
        above = os.path.dirname(os.path.realpath(folder))
        while os.stat(above).st_mode & 0o001 and above != "/":
            above = os.path.dirname(above)
        names = [one.pw_name for one in pwd.getpwall()]
        is_other = os.getuid() == 0 and above == "/" and "nobody" in names
        own = [one.pw_name for one in pwd.getpwall() if one.pw_uid == os.getuid()]
        return "nobody" if is_other else (own or [str(os.getuid())])[0]

    @staticmethod
    def processes_below(folder):
        found = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as file:
                    if folder.encode() in file.read():
                        found.append(path)
            except OSError:
                continue  # it ended while we looked
        return found


if __name__ == "__main__":
    unittest.main()
