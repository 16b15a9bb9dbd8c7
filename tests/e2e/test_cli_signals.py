# SPDX-License-Identifier: Apache-2.0
"""What berthctl does when it is interrupted, loses its reader, its terminal's size or its
daemon in the middle of something."""

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import unittest

from berthtest import Client, Daemon, Image, Link, Registry, workdir
from berthtest.images import random_layer
from berthtest.terminal import CTL, Terminal, run

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Interrupted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = workdir(cls)
        ends = [Registry(os.path.join(folder, name)) for name in ("source", "target")]
        for registry in ends:
            registry.start()
            cls.addClassCleanup(registry.stop)
        with Client(ends[0].url) as client:
            for name in ("term", "hup", "wait", "cancel"):
                client.push(f"big/{name}", Image([random_layer(name, 6 << 20)]), "1")
        cls.link = Link(os.path.join(folder, "link"), ends[0], rate=2 << 20)
        cls.link.start()
        cls.addClassCleanup(cls.link.stop)
        cls.daemon = Daemon(os.path.join(folder, "daemon"))
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.env = {"BERTH_SOCKET": cls.daemon.socket}
        cls.daemon.add("slow", cls.link.url)
        cls.daemon.add("lab", ends[1])

    def start(self, *args, **more):
        child = subprocess.Popen([CTL, *args], text=True, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**os.environ, **self.env, "LC_ALL": "C.UTF-8"}, **more)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def names_what_goes_on(self, text):
        """The operation that was left is named, and is not ended by it."""
        ident = re.search(f"operation attach ({UUID})", text).group(1)
        self.assertIn(self.daemon.api.get(f"/v1/operations/{ident}")["state"],
                      ("pending", "running", "succeeded"))
        self.assertEqual("succeeded", self.daemon.api.wait(ident)["state"])

    def test_sigterm_leaves_a_copy_to_berthd_and_names_it(self):
        child = self.start("copy", "slow/big/term:1", "lab/big/term", "--progress", "json")
        self.assertIn("done", json.loads(child.stderr.readline()))
        child.send_signal(signal.SIGTERM)
        _, complained = child.communicate(timeout=60)
        self.assertEqual(130, child.returncode, complained)
        self.assertIn("detached: operation", complained)
        self.names_what_goes_on(complained)

    def test_a_terminal_that_goes_away_leaves_a_copy_to_berthd(self):
        before = {one["id"] for one in self.daemon.api.get("/v1/operations")["items"]}
        terminal = Terminal("copy", "slow/big/hup:1", "lab/big/hup", env=self.env)
        terminal.until("%")
        os.close(terminal.master)
        self.assertEqual(130, terminal.process.wait(60))
        made = {one["id"] for one in self.daemon.api.get("/v1/operations?filter=" +
                "kind%20eq%20%22copy%22")["items"]} - before
        self.assertEqual(1, len(made))
        self.assertEqual("succeeded", self.daemon.api.wait(made.pop())["state"])

    def test_a_bar_follows_the_width_of_its_terminal(self):
        done = run("copy", "slow/big/wait:1", "lab/big/wait", "--no-wait", "-o", "json",
                   env=self.env)
        ident = json.loads(done.stdout)["id"]
        terminal = Terminal("operation", "attach", ident, env={**self.env, "COLUMNS": ""})
        self.resize(terminal, 120)
        terminal.until("\u2501|\u2500")
        self.resize(terminal, 60)
        terminal.seen = ""
        terminal.until("\r\x1b\\[K *[0-9]+ %")  # narrow: figures without a bar
        terminal.send("\x03").until("Ctrl-C again")
        self.assertEqual(130, terminal.end())
        quiet = Terminal("operation", "wait", ident, env=self.env)
        self.assertEqual(0, quiet.end())
        self.assertNotIn("\r\x1b[K", quiet.seen)

    @staticmethod
    def resize(terminal, columns):
        fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def test_a_watched_table_follows_the_width_of_its_terminal(self):
        terminal = Terminal("plugin", "list", "--watch", "--interval", "1",
                            env={**self.env, "COLUMNS": ""})
        self.resize(terminal, 200)
        terminal.until("\x1b\\[H\x1b\\[J(?s:.*)dockerreg")
        self.resize(terminal, 40)
        terminal.until("\u2026")
        before = termios.tcgetattr(terminal.master)
        terminal.send("\x03")
        self.assertIn(terminal.process.wait(60), (130, -signal.SIGINT))
        self.assertEqual(before, termios.tcgetattr(terminal.master))
        os.close(terminal.master)

    def test_a_watch_ends_when_nobody_reads_it(self):
        child = self.start("integration", "list", "--watch", "-o", "json", "--interval", "600s")
        child.stdout.readline()
        child.stdout.close()
        self.assertIn(child.wait(60), (0, 1, -signal.SIGPIPE))

    def test_signals_end_a_stream_of_events(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            child = self.start("event", "watch", "--since", "0", "-o", "ndjson")
            self.assertTrue(json.loads(child.stdout.readline()))
            child.send_signal(number)
            self.assertIn(child.wait(60), (128 + number, -number))

    def pager(self, text):
        path = os.path.join(workdir(self), "pager")
        with open(path, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o700)
        return {**self.env, "BERTH_PAGER": path}

    def test_a_pager_that_is_left_early_is_no_error(self):
        terminal = Terminal("audit", "list", env=self.pager("read line; echo first: $line\n"))
        terminal.until("first: ")
        self.assertEqual(0, terminal.end())

    def test_ctrl_c_in_a_pager_is_the_pagers(self):
        env = self.pager("trap 'echo caught' INT; cat; echo ready; read x </dev/tty\n"
                         "read x </dev/tty; echo \"got $x\"\n")
        terminal = Terminal("plugin", "list", env=env)
        terminal.until("ready").send("\x03").until("caught").send("word\n").until("got word")
        self.assertEqual(0, terminal.end())


    def test_a_cancelled_operation_is_shown_to_a_program(self):
        done = run("copy", "slow/big/cancel:1", "lab/big/cancel", "--no-wait", "-o", "json",
                   env=self.env)
        ident = json.loads(done.stdout)["id"]
        done = run("operation", "cancel", ident, "--yes", "-o", "json", env=self.env)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(ident, json.loads(done.stdout)["id"])


class Cut(unittest.TestCase):
    """berthd goes away in the middle."""

    def test_watches_end_with_6_and_say_where_they_looked(self):
        daemon = Daemon(os.path.join(workdir(self), "daemon")).start()
        self.addCleanup(daemon.stop)
        done = run("daemon", "reload", env={"BERTH_SOCKET": daemon.socket})  # an event
        self.assertEqual(0, done.returncode, done.stderr)
        children = [subprocess.Popen([CTL, *words], text=True, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE,
                                     env={**os.environ, "BERTH_SOCKET": daemon.socket})
                    for words in (["event", "watch", "--since", "0", "-o", "ndjson"],
                                  ["plugin", "list", "--watch", "--interval", "1", "-o", "json"])]
        for child in children:
            self.assertTrue(json.loads(child.stdout.readline()))
        daemon.kill()
        for child in children:
            _, complained = child.communicate(timeout=60)
            self.assertEqual(6, child.returncode, complained)
            problem = json.loads(complained)
            self.assertEqual("unavailable", problem["code"])
            self.assertIn("berthd", problem["detail"])
            self.assertIn(daemon.socket, problem["hint"])
            self.assertEqual(child is children[0], "event watch --since " in problem["hint"])


if __name__ == "__main__":
    unittest.main()
