# SPDX-License-Identifier: Apache-2.0
"""The store under a running daemon: full disk, foreign lock, damaged file, lost
or wrong key (reference: faults 23 to 28 and 80 to 83)."""

import errno
import os
import sqlite3
import subprocess
import unittest

from berthtest import Daemon, Registry, proc, workdir
from berthtest.apicase import PASSWORD, key
from berthtest.openapi import CheckedApi

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")


class StoreCase(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)

    def daemon(self, **env):
        daemon = Daemon(os.path.join(self.dir, "berth"), env=env)
        daemon.api = CheckedApi(daemon.socket)
        self.addCleanup(daemon.stop)
        return daemon

    def store(self, daemon):
        return os.path.join(daemon.state, "berth.db")

    def refused_start(self, daemon, *words):
        """It must end by itself, saying why, and leave the store as it was."""
        with open(self.store(daemon), "rb") as file:
            before = file.read()
        done = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=180,
                              check=False)
        self.assertNotEqual(0, done.returncode)
        for word in words:
            self.assertIn(word, done.stderr + done.stdout)
        with open(self.store(daemon), "rb") as file:
            self.assertEqual(before, file.read())

    def post(self, daemon, name="x", address="http://127.0.0.1:1", **more):
        return daemon.api.request("POST", "/v1/integrations", {
            "name": name, "kind": "dockerreg", "address": address, **more},
            {"Idempotency-Key": key()})


class FullDisk(StoreCase):
    def test_writes_are_refused_until_space_returns(self):
        if not os.path.exists(SHIM):
            raise unittest.SkipTest("the fault shim is not built")
        full = os.path.join(self.dir, "full")
        daemon = self.daemon(LD_PRELOAD=SHIM, BERTH_FAULT=f"while:{errno.ENOSPC}",
                             BERTH_FAULT_FILE=full, BERTH_FAULT_SKIP="--worker")
        daemon.start()
        with open(full, "w", encoding="ascii"):
            pass
        answer = self.post(daemon)
        self.assertEqual((507, "disk-full"), (answer.status, answer.body["code"]), answer.body)
        self.assertEqual(200, daemon.api.request("GET", "/v1/integrations").status)
        ready = daemon.api.request("GET", "/v1/readyz")
        self.assertEqual(503, ready.status)
        self.assertIn("full", str(ready.body))
        os.unlink(full)
        proc.wait_until(daemon.is_ready, "it takes writes again")
        answer = self.post(daemon)
        self.assertEqual(202, answer.status, answer.body)


class ForeignLock(StoreCase):
    def test_a_lock_is_waited_for_a_bounded_time_then_503(self):
        daemon = self.daemon()
        daemon.start()
        stranger = sqlite3.connect(self.store(daemon), isolation_level=None)
        self.addCleanup(stranger.close)
        stranger.execute("BEGIN IMMEDIATE")
        answer = self.post(daemon)
        self.assertEqual(503, answer.status, answer.body)
        self.assertIsNotNone(answer.headers["Retry-After"])
        self.assertEqual(200, daemon.api.request("GET", "/v1/integrations").status)
        stranger.execute("ROLLBACK")
        self.assertEqual(202, self.post(daemon).status)


class File(StoreCase):
    def test_a_second_daemon_on_one_folder_is_refused(self):
        daemon = self.daemon()
        daemon.start()
        second = Daemon(daemon.dir)
        done = subprocess.run(second.command(), capture_output=True, text=True, timeout=180,
                              check=False)
        self.assertNotEqual(0, done.returncode)
        self.assertTrue(daemon.is_ready())

    def test_a_damaged_file_is_refused_and_left_alone(self):
        daemon = self.daemon()
        daemon.start()
        daemon.stop()
        with open(self.store(daemon), "rb") as file:
            good = file.read()
        for bad, word in ((b"", "is empty"), (good[:5000], "is cut short"),
                          (b"\0" * 4096 + good[4096:], "is not a database"),
                          (good[:8192] + b"\0" * 4096 + good[12288:], "damaged")):
            with open(self.store(daemon), "wb") as file:
                file.write(bad)
            self.refused_start(daemon, word, "restore a backup")
        with open(self.store(daemon), "wb") as file:
            file.write(good)
        daemon.start()

    def test_a_store_of_a_newer_berthd_is_left_alone(self):
        daemon = self.daemon()
        daemon.start()
        daemon.stop()
        with sqlite3.connect(self.store(daemon)) as db:
            db.execute("INSERT INTO schema_versions VALUES (999, 'later', 1)")
        db.close()
        self.refused_start(daemon, "schema 999")


class Keys(StoreCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(os.path.join(self.dir, "registry"), users={"robot": PASSWORD})
        self.registry.start()
        self.addCleanup(self.registry.stop)
        self.berthd = self.daemon()
        self.berthd.start()
        self.berthd.add("one", self.registry, "robot", PASSWORD)

    def key_file(self):
        """The one file of 65 bytes and mode 0600."""
        found = [os.path.join(self.berthd.state, name) for name in os.listdir(self.berthd.state)
                 if os.path.getsize(os.path.join(self.berthd.state, name)) == 65]
        self.assertEqual(1, len(found))
        self.assertEqual(0o600, os.stat(found[0]).st_mode & 0o777)
        return found[0]

    def probe(self, name):
        return self.berthd.api.run(f"/v1/integrations/{name}/probe", None)

    def test_without_its_key_sealed_parts_are_off_and_the_rest_runs(self):
        self.berthd.stop()
        path = self.key_file()
        os.rename(path, path + ".away")
        self.berthd.start()
        self.assertFalse(os.path.exists(path), "a new key was made")
        self.assertEqual(["one"], [row["name"] for row in
                                   self.berthd.api.get("/v1/integrations")["items"]])
        ended = self.probe("one")
        self.assertEqual("failed", ended["state"], ended)
        self.berthd.stop()
        os.rename(path + ".away", path)
        self.berthd.start()
        self.assertEqual("succeeded", self.probe("one")["state"])

    def test_another_key_is_refused(self):
        self.berthd.stop()
        path = self.key_file()
        with open(path, "rb") as file:
            right = file.read()
        with open(path, "wb") as file:
            file.write(b"0" * 64 + b"\n")
        self.refused_start(self.berthd, "not the key")
        os.chmod(path, 0o640)
        self.refused_start(self.berthd, "open to others")
        os.chmod(path, 0o600)
        with open(path, "wb") as file:
            file.write(right)
        self.berthd.start()
        self.assertEqual("succeeded", self.probe("one")["state"])

    def test_one_damaged_secret_leaves_the_other_integrations_alone(self):
        self.berthd.add("two", self.registry, "robot", PASSWORD)
        owner = self.berthd.api.get("/v1/integrations/one")["id"]
        self.berthd.stop()
        with sqlite3.connect(self.store(self.berthd)) as db:
            changed = db.execute(
                "UPDATE secrets SET sealed = SUBSTR(sealed, 1, LENGTH(sealed) - 1) || "
                "CASE SUBSTR(sealed, LENGTH(sealed), 1) WHEN X'00' THEN X'01' ELSE X'00' END "
                "WHERE owner = ? AND field = 'password'", (owner,)).rowcount
        db.close()
        self.assertEqual(1, changed)
        self.berthd.start()
        self.assertEqual("failed", self.probe("one")["state"])
        self.assertEqual("succeeded", self.probe("two")["state"])

    def test_a_copy_made_while_it_runs_is_a_backup(self):
        copy = os.path.join(self.dir, "backup.db")
        db = sqlite3.connect(self.store(self.berthd))
        db.execute("VACUUM INTO ?", (copy,))
        db.close()
        self.berthd.api.call("POST", "/v1/workspaces", {"name": "later"})
        self.berthd.stop()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.store(self.berthd) + end):
                os.unlink(self.store(self.berthd) + end)
        os.rename(copy, self.store(self.berthd))
        os.chmod(self.store(self.berthd), 0o600)
        self.berthd.start()
        self.assertEqual([], self.berthd.api.get("/v1/workspaces")["items"])
        self.assertEqual("succeeded", self.probe("one")["state"])
        self.assertTrue(self.berthd.api.get("/v1/audit/verify")["ok"])

    def test_no_password_is_in_any_file(self):
        self.probe("one")
        self.berthd.stop()
        for name in os.listdir(self.berthd.state):
            path = os.path.join(self.berthd.state, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    self.assertNotIn(PASSWORD.encode(), file.read(), name)
        self.assertNotIn(PASSWORD, self.berthd.log())


if __name__ == "__main__":
    unittest.main()
