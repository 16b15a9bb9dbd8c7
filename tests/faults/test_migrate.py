# SPDX-License-Identifier: Apache-2.0
"""A store of the first schema is brought to the newest and dies on the way: what
is left is one whole schema, and the next start goes on from it."""

import glob
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

from berthtest import Daemon, proc

SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
STORE = os.path.join(proc.TREE, "core", "store")
ROW = ("int_1", "hub", "dockerreg", "platform", "{}", "{}", "ready", 1, 0, 0, 1, 1)


def application_id():
    with open(os.path.join(STORE, "open.c"), encoding="utf-8") as file:
        return int(re.search(r"define APPLICATION_ID (0x\w+)", file.read())[1], 16)


def schema_of(db):
    """(its number, what there is in it)."""
    return (db.execute("SELECT MAX(number) FROM schema_versions").fetchone()[0],
            sorted(db.execute("SELECT type, name, sql FROM sqlite_master "
                              "WHERE name NOT LIKE '%schema_versions%'").fetchall(), key=str))


def look(path):
    db = sqlite3.connect(path)
    try:
        return (*schema_of(db), db.execute("PRAGMA integrity_check").fetchone()[0],
                db.execute("SELECT * FROM integrations").fetchall())
    finally:
        db.close()


class Migration(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(SHIM) or "fsanitize" in os.environ.get("CFLAGS", ""):
            raise unittest.SkipTest("the fault shim is not built, or not for sanitizers")
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.base = tempfile.mkdtemp(prefix="berth-migrate-", dir=where)
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.schemas = {}
        self.old = os.path.join(self.base, "old")
        self.make_old()
        self.newest = max(self.schemas)

    def make_old(self):
        """The first schema with a row in it; what each later one is like."""
        os.mkdir(self.old, 0o700)
        path = os.path.join(self.old, "berth.db")
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE schema_versions (number BIGINT NOT NULL PRIMARY KEY, "
                   "name TEXT NOT NULL, applied_ms BIGINT NOT NULL)")
        for file in sorted(glob.glob(os.path.join(STORE, "schema", "*.sql"))):
            number = int(os.path.basename(file)[:3])
            with open(file, encoding="utf-8") as text:
                db.executescript(text.read().replace("BERTH_BLOB", "BLOB"))
            db.execute("INSERT INTO schema_versions VALUES (?, 'x', 1)", (number,))
            if number == 1:
                db.execute(f"INSERT INTO integrations VALUES ({','.join('?' * len(ROW))})", ROW)
                db.execute(f"PRAGMA application_id={application_id()}")
                db.commit()
                shutil.copy(path, path + ".first")
            self.schemas[number] = schema_of(db)[1]
        db.close()
        os.replace(path + ".first", path)
        os.chmod(path, 0o600)

    def init(self, folder, fault=None):
        env = dict(os.environ, **({"LD_PRELOAD": SHIM, "BERTH_FAULT": fault,
                                   "BERTH_FAULT_COUNT": folder + ".count"} if fault else {}))
        return subprocess.run([Daemon.program("berthd"), "--state-dir", folder, "--plugins",
                               self.base, "--init"], capture_output=True, text=True, env=env,
                              check=False, timeout=300)

    def play(self, fault):
        """Returns what is wrong, and the number of the schema that was left."""
        folder = os.path.join(self.base, fault.replace(":", "-"))
        shutil.copytree(self.old, folder)
        died = self.init(folder, fault)
        if died.returncode not in (0, -9):  # 0: with a write less it was through before
            return f"{fault}: ended with {died.returncode}: {died.stderr}", 0
        copy = folder + "-copy"  # a look takes the log in, which is the next start's to do
        shutil.copytree(folder, copy)
        number, found, _, rows = look(os.path.join(copy, "berth.db"))
        if found != self.schemas[number] or len(rows) != 1:
            return f"{fault}: half of a schema was left after {number}", number
        done = self.init(folder)
        if done.returncode:
            return f"{fault}: it does not start again: {done.stderr}", number
        last = look(os.path.join(folder, "berth.db"))
        if last[:3] != (self.newest, self.schemas[self.newest], "ok") or len(last[3]) != 1:
            return f"{fault}: it did not become whole: {last[0]} {last[2]}", number
        shutil.rmtree(folder)
        shutil.rmtree(copy)
        return None, number

    def test_killed_at_any_write_it_leaves_the_old_schema_or_the_new(self):
        count = os.path.join(self.base, "count")
        shutil.copytree(self.old, count)
        done = self.init(count, "count")
        self.assertEqual(0, done.returncode, done.stderr)
        with open(count + ".count", encoding="ascii") as file:
            total = int(file.read())
        self.assertGreater(total, 100, "the shim counts nothing")
        faults = [f"kill:{at}" for at in range(1, total + 1, 5)] + \
            [f"torn:{at}" for at in range(3, total + 1, 9)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ended = list(pool.map(self.play, faults))
        self.assertEqual([], [wrong for wrong, _ in ended if wrong][:5])
        self.assertGreater(len({number for _, number in ended}), self.newest // 2)


if __name__ == "__main__":
    unittest.main()
