# SPDX-License-Identifier: Apache-2.0
"""What holds for every command of berthctl, walked through the command table as completion
tells it, so that a command that is new is walked through, too."""

import csv
import io
import json
import os
import re
import subprocess
import unittest

from berthtest import Client, Daemon, Registry, sets, workdir
from berthtest.terminal import CTL, Terminal, all_commands, run

FORMATS = ("json", "yaml", "name", "csv", "ndjson", "wide", "template={}")
# How berthctl says that a line is none of its own.
NO_SUCH_LINE = re.compile(r"there is no (flag|command|output|column)|has no verb|needs a verb|"
                          r"one word too many|is missing|takes no value|needs a value|takes a|is one of")


COMMANDS = [tuple(words) for words in all_commands()]


def section(words, title):
    """The lines of a part of a command's help."""
    _, found, rest = run(*words, "--help").stdout.partition(f"\n{title}\n")
    lines = []
    for line in rest.splitlines() if found else []:
        if not line.startswith("  "):
            break
        lines.append(line.strip())
    return lines


def flags_of(words):
    return set(re.findall(r"(--[a-z][a-z-]*)", run(*words, "--help").stdout.split("\nExamples")[0]))


class Offline(unittest.TestCase):
    """Without a daemon."""

    def setUp(self):
        self.dir = workdir(self)
        self.env = {"BERTH_SOCKET": os.path.join(self.dir, "none"), "XDG_CONFIG_HOME": self.dir}

    def test_there_are_commands_to_walk_through(self):
        self.assertGreater(len(COMMANDS), 90)
        self.assertEqual(len(COMMANDS), len(set(COMMANDS)))

    def test_help_is_on_stdout_alone_and_at_most_a_hundred_columns_wide(self):
        for words in COMMANDS:
            done = run(*words, "--help")
            self.assertEqual((0, ""), (done.returncode, done.stderr), words)
            self.assertNotIn("\x1b", done.stdout, words)
            self.assertIn(f"berthctl {' '.join(words)}", done.stdout)
            wide = [line for line in done.stdout.partition("\nExamples\n")[0].splitlines()
                    if len(line) > 100]
            self.assertEqual([], wide, words)

    def test_a_wrong_flag_is_an_error_on_stderr_with_exit_2(self):
        for words in COMMANDS:
            done = run(*words, "--no-such-flag", env=self.env)
            self.assertEqual((2, ""), (done.returncode, done.stdout), words)
            self.assertTrue(done.stderr.startswith("error: there is no flag --no-such-flag"), words)
            done = run(*words, "--no-such-flag", "-o", "json", env=self.env)
            self.assertEqual("usage", json.loads(done.stderr)["code"], words)

    def test_every_example_is_a_line_that_berthctl_takes(self):
        path = os.path.dirname(CTL)
        env = {**os.environ, **self.env, "PATH": f"{path}:{os.environ['PATH']}",
               "LC_ALL": "C.UTF-8"}
        count = 0
        for words in COMMANDS:
            for line in section(words, "Examples"):
                if line.startswith("#") or not line.startswith("berthctl"):
                    continue
                done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=env,
                                      stdin=subprocess.DEVNULL, timeout=120, check=False,
                                      cwd=self.dir)
                self.assertIsNone(NO_SUCH_LINE.search(done.stderr), f"{line}\n{done.stderr}")
                self.assertLess(done.returncode, 128, f"{line}\n{done.stderr}")
                count += 1
        self.assertGreater(count, 180)

    def test_no_flag_takes_a_secret_itself(self):
        """What is secret comes from a file; --set-secrets takes nothing at all."""
        taking = re.compile(r"(--[a-z-]*(?:password|token|secret)[a-z-]*) [A-Z]")
        found = {name for words in COMMANDS
                 for name in taking.findall(run(*words, "--help").stdout)}
        self.assertIn("--password-file", found)
        self.assertEqual([], [name for name in found if not name.endswith("-file")])

    def test_what_is_gone_for_good_is_asked_about(self):
        """A context is but a line of the user's own file."""
        removing = [words for words in COMMANDS if words[-1] in ("delete", "revoke", "cancel") and
                    words[0] != "context"]
        self.assertGreater(len(removing), 8)
        for words in removing:
            self.assertIn("--yes", flags_of(words), words)


class Live(unittest.TestCase):
    """With a daemon that has something to list."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        registry = Registry(os.path.join(cls.dir, "registry")).start()
        cls.addClassCleanup(registry.stop)
        with Client(registry.url) as client:
            sets.push_set(client, sets.demo())
        cls.daemon = Daemon(os.path.join(cls.dir, "daemon")).start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.env = {"BERTH_SOCKET": cls.daemon.socket}
        name = "a-registry-of-the-west"
        cls.daemon.add(name, registry)
        for line in (["integration", "refresh", name], ["workspace", "create", "blue"],
                     ["sync", "create", "images-of-the-night", "--from",
                      f"{name}/shop/**", "--to", f"{name}/mirror"]):
            run(*line, env=cls.env)
        cls.lists = [words for words in COMMANDS if words[-1] in ("list", "points", "topics") and
                     not section(words, "Operands")]

    def ask(self, *words):
        done = run(*words, env=self.env)
        self.assertEqual(0, done.returncode, f"{words} {done.stderr}")
        return done

    def test_there_are_lists(self):
        self.assertGreater(len(self.lists), 10)

    def test_each_list_is_data_alone_in_every_format(self):
        for words in self.lists:
            items = json.loads(self.ask(*words, "-o", "json").stdout)["items"]
            names = self.ask(*words, "-o", "name").stdout.splitlines()
            lines = self.ask(*words, "-o", "ndjson").stdout.splitlines()
            rows = list(csv.reader(io.StringIO(self.ask(*words, "-o", "csv").stdout)))
            self.assertEqual([len(items)] * 3, [len(names), len(lines), len(rows) - 1], words)
            self.assertEqual(items, [json.loads(line) for line in lines], words)
            for form in FORMATS:
                done = self.ask(*words, "-o", form)
                self.assertEqual("", done.stderr, words)
                self.assertNotIn("\x1b", done.stdout, words)

    def test_each_list_fits_a_terminal_of_eighty_columns(self):
        for words in self.lists:
            terminal = Terminal(*words, "--no-pager", columns=80,
                                env={**self.env, "NO_COLOR": "1"})
            self.assertEqual(0, terminal.end(), words)
            wide = [line for line in terminal.seen.splitlines() if len(line) > 80]
            self.assertEqual([], wide, words)

    def test_each_list_takes_a_limit_and_says_so_of_a_wrong_one(self):
        for words in self.lists:
            if "--limit" not in flags_of(words):
                continue
            body = json.loads(self.ask(*words, "--limit", "1", "-o", "json").stdout)
            self.assertLessEqual(len(body["items"]), 1, words)
            done = run(*words, "--limit", "many", env=self.env)
            self.assertEqual(2, done.returncode, words)

    def test_a_reader_that_goes_away_is_no_error_that_is_shown(self):
        for words in self.lists:
            done = subprocess.run(["sh", "-c", '"$0" "$@" | true', CTL, *words], capture_output=True, text=True, timeout=120,
                                  check=False, env={**os.environ, **self.env})
            self.assertEqual("", done.stderr, words)


if __name__ == "__main__":
    unittest.main()
