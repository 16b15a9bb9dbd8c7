# SPDX-License-Identifier: Apache-2.0
"""What berthd runs short of, and what turns while it runs: descriptors, the store's
log under a long reader, a registry's certificate."""

import os
import resource
import socket
import sqlite3
import unittest

from berthtest import Daemon, Registry, proc, workdir
from berthtest.proc import wait_until
from berthtest.tls import Authority

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
CONFIG = "jobs: { restart_ms = 50; restart_max_ms = 200; };\n"


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        self.daemon = Daemon(os.path.join(self.dir, "berth"), config=CONFIG)
        self.addCleanup(self.daemon.stop)
        self.daemon.start()
        self.api = self.daemon.api


class Kept:
    """A connection that stays open: its answers are read whole."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(path)

    def ask(self, method="GET", path="/v1/integrations", body="", more=""):
        """The status and the body of an answer."""
        try:
            self.sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}"
                              f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                              if body else
                              f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
        except BrokenPipeError:
            pass  # turned away before it asked: the answer is there
        got = b""
        while b"\r\n\r\n" not in got:
            piece = self.sock.recv(65536)
            if not piece:
                raise AssertionError(f"the answer ends in its head: {got}")
            got += piece
        return int(got.split()[1]), got

    def close(self):
        self.sock.close()


class Descriptors(Case):
    def test_without_one_newcomers_are_told_and_others_go_on(self):
        pid = self.daemon.process.pid
        old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (36, old[1]))  # idle it has some 17
        held, refused = [], None
        while not refused:
            self.assertLess(len(held), 30, "there is always another descriptor")
            one = Kept(self.daemon.socket)
            self.addCleanup(one.close)
            status, answer = one.ask()
            if status == 200:
                held.append(one)
            else:
                refused = (status, answer)
        self.assertEqual(503, refused[0], refused)
        self.assertIn(b"Retry-After: ", refused[1])
        self.assertTrue(held, "somebody was there before")
        status, answer = held[0].ask("POST", more="Content-Type: application/json\r\n"
                                     "Idempotency-Key: short\r\n",
                                     body='{"name":"x","kind":"dockerreg",'
                                          '"address":"http://127.0.0.1:1"}')
        self.assertEqual(202, status, answer)
        for one in held:
            self.assertEqual(200, one.ask()[0])
            one.close()
        wait_until(self.daemon.is_ready, "newcomers are served again")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
        [operation] = [row for row in self.api.get("/v1/operations")["items"]
                       if row["kind"] == "integration-create"]
        # Its job had to wait for a descriptor, and then asked the registry.
        error = self.api.wait(operation)["error"]
        self.assertEqual("unavailable", error["code"], error)
        self.assertIn("127.0.0.1:1", str(error))


class Processes(unittest.TestCase):
    def test_without_one_jobs_wait_and_are_done_when_there_is(self):
        if not os.path.exists(SHIM) or "fsanitize" in os.environ.get("CFLAGS", ""):
            self.skipTest("the fault shim is not built, or not for sanitizers")
        folder = workdir(self)
        full = os.path.join(folder, "full")
        daemon = Daemon(os.path.join(folder, "berth"), config=CONFIG, env={
            "LD_PRELOAD": SHIM, "BERTH_FAULT": "forks", "BERTH_FAULT_FILE": full})
        self.addCleanup(daemon.stop)
        daemon.start()
        wait_until(lambda: daemon.api.request("GET", "/v1/plugins").status == 200,
                   "its plugins were tried")
        with open(full, "w", encoding="ascii"):
            pass
        operations = [daemon.api.post("/v1/integrations", {
            "name": f"x-{n}", "kind": "dockerreg", "address": "http://127.0.0.1:1"})
            for n in range(3)]
        wait_until(lambda: "cannot begin a job" in daemon.log(), "the worker says so")
        self.assertTrue(daemon.is_ready())
        daemon.api.call("DELETE", f"/v1/operations/{operations[1]['id']}")
        os.unlink(full)
        for operation, state in zip(operations, ("failed", "cancelled", "failed")):
            done = daemon.api.wait(operation)
            self.assertEqual(state, done["state"], done)
            if state == "failed":  # it was asked for, and nobody was there
                self.assertIn("127.0.0.1:1", str(done["error"]))


class Log(Case):
    """The store's write-ahead log while somebody reads an old state for long."""

    def write_until(self, done, what):
        """Each refused deletion leaves a row of the audit log."""
        for _ in range(3000):
            if done():
                return
            self.api.request("DELETE", "/v1/integrations/" + 60 * "x", headers={"If-Match": "*"})
        self.fail(what)

    def test_a_long_reader_lets_it_grow_and_the_next_writes_begin_it_anew(self):
        path = os.path.join(self.daemon.state, "berth.db")
        reader = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        seen = reader.execute("SELECT COUNT(*) FROM audit").fetchone()

        def salts():  # others with each new beginning of the log
            with open(path + "-wal", "rb") as file:
                return file.read(32)[16:24]

        before = salts()
        self.write_until(lambda: os.path.getsize(path + "-wal") > 1100 * 4096, "it does not grow")
        self.assertEqual(before, salts())
        self.assertEqual(seen, reader.execute("SELECT COUNT(*) FROM audit").fetchone())
        reader.close()
        self.write_until(lambda: salts() != before, "it only grows")
        self.assertTrue(self.daemon.is_ready())


class Certificates(Case):
    def test_one_that_expires_and_is_renewed_needs_no_restart(self):
        authority = Authority(os.path.join(self.dir, "ca"))
        with open(authority.ca, encoding="ascii") as file:
            trusted = file.read()
        good, bad = authority.issue("good"), authority.issue_expired("bad")
        first = Registry(os.path.join(self.dir, "first"), tls=good)
        first.start()
        self.addCleanup(first.stop)
        self.daemon.add("hub", first, tls={"verify": True, "ca": trusted})
        first.stop()
        later = Registry(os.path.join(self.dir, "later"), tls=bad, port=first.port)
        later.start()
        self.addCleanup(later.stop)
        done = self.api.run("/v1/integrations/hub/probe", None)
        self.assertEqual("failed", done["state"])
        self.assertIn("has expired", str(done["error"]))
        later.stop()
        first.start()
        self.assertEqual("succeeded", self.api.run("/v1/integrations/hub/probe", None)["state"])


if __name__ == "__main__":
    unittest.main()
