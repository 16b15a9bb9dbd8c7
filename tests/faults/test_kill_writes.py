# SPDX-License-Identifier: Apache-2.0
"""Killed at every write: what was accepted is done, done again where that is
harmless, or reported interrupted; never lost, never done twice."""

import errno
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor

from berthtest import proc

STEPS = os.path.join(proc.build_dir(), "tests", "steps")
SHIM = os.path.join(proc.build_dir(), "tests", "faults.so")
# Every n-th of the rarer cases; BERTH_KILL_STEP=1 in the environment takes all.
SOME = int(os.environ.get("BERTH_KILL_STEP") or 3)
ENDED = {"succeeded", "failed", "cancelled", "interrupted"}


def steps(part, folder, fault=None, **more):
    env = dict(os.environ, **more)
    if fault:
        env.update(LD_PRELOAD=SHIM, BERTH_FAULT=fault,
                   BERTH_FAULT_COUNT=folder + ".count")
    return subprocess.run([STEPS, part, folder], env=env, capture_output=True, text=True,
                          check=False, timeout=300)


class Story(unittest.TestCase):
    """Each test plays the story once for each place where it may end."""

    def setUp(self):
        if "fsanitize" in os.environ.get("CFLAGS", ""):
            raise unittest.SkipTest("the shim and the sanitizers replace the same functions")
        # Shared memory: a kill does not care for the disk, and syncs are free.
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.base = tempfile.mkdtemp(prefix="berth-kill-", dir=where)
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)

    def folder(self, name):
        path = os.path.join(self.base, name)
        os.mkdir(path)
        return path

    def count(self, fault="count"):
        folder = self.folder("count-" + fault.replace(":", "-"))
        done = steps("run", folder, fault)
        self.assertEqual(0, done.returncode, done.stderr)
        with open(folder + ".count", encoding="ascii") as file:
            return int(file.read())

    def check(self, folder, accepted):
        """Opens what is left twice; returns what is wrong with it."""
        first = steps("check", folder)
        if first.returncode:
            return f"it does not recover: {first.stderr}"
        rows = [json.loads(line) for line in first.stdout.splitlines()]
        again = rows.pop()["again"]
        found = {row["id"]: row for row in rows}
        world = ""
        if os.path.exists(os.path.join(folder, "world")):
            with open(os.path.join(folder, "world"), encoding="ascii") as file:
                world = file.read()
        wrong = []
        for identity, kind in accepted:
            if identity not in found:
                wrong.append(f"{kind} {identity} was accepted and is lost")
            elif kind == "keyed" and again != identity:
                wrong.append("the same key made a second operation")
        for row in rows:
            # A torn line still says that the job ran.
            wrong += self.judge(row, world.count(row["id"][:18]))
        if sum(row["request"] == "key-1" for row in rows) > 1:
            wrong.append("two operations of one key")
        second = steps("check", folder)
        if second.returncode:
            wrong.append(f"it does not open a second time: {second.stderr}")
        return "; ".join(wrong)

    @staticmethod
    def judge(row, touched):
        wrong = []
        if row["state"] not in ENDED:
            wrong.append(f"{row} did not end")
        if row["done"] != (row["state"] == "succeeded"):
            wrong.append(f"{row}: what it changes here was not done once")
        if row["kind"] == "delete" and touched > 1:
            wrong.append(f"{row}: its job ran {touched} times")
        if row["state"] == "succeeded" and touched < 1:
            wrong.append(f"{row}: its job never ran")
        return wrong

    @staticmethod
    def made(folder):
        """How many calls a run made; what comes at once is written at once, so this varies."""
        with open(folder + ".count", encoding="ascii") as file:
            return int(file.read())

    def play(self, mode, at):
        name = f"{mode}-{at}"
        folder = self.folder(name)
        durable = self.folder(name + "-durable") if mode == "cut" else ""
        done = steps("run", folder, f"{mode}:{at}", BERTH_DURABLE=durable)
        accepted = [line.split() for line in done.stdout.splitlines()
                    if len(line.split()) == 2]
        if done.returncode == 0 and self.made(folder) < at:
            wrong = self.check(folder, accepted)  # with some writes less it was through before
        elif done.returncode != -9:
            wrong = f"it was not killed: {done.returncode} {done.stderr}"
        else:
            wrong = self.check(durable or folder, accepted)
        shutil.rmtree(folder)
        if durable:
            shutil.rmtree(durable)
        return f"{mode} at call {at}: {wrong}" if wrong else None

    def walk(self, mode, step=1):
        total = self.count()
        self.assertGreater(total, 100, "the shim counts nothing")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            findings = [f for f in pool.map(lambda at: self.play(mode, at),
                                            range(1, total + 1, step)) if f]
        self.assertEqual([], findings[:5], f"{len(findings)} findings")

    def test_killed_before_any_of_its_writes(self):
        self.walk("kill")

    def test_killed_in_the_middle_of_any_of_its_writes(self):
        self.walk("torn", SOME)

    def test_a_power_cut_at_any_of_its_writes(self):
        self.walk("cut", SOME)

    def fill(self, at, number):
        """From call `at` on nothing can be written; then room returns."""
        folder = self.folder(f"fail-{number}-{at}")
        done = steps("run", folder, f"fail:{at}:{number}")
        accepted = [line.split() for line in done.stdout.splitlines()]
        if done.returncode not in (0, 3):
            wrong = f"it ended with {done.returncode}: {done.stderr}"
        else:
            wrong = self.check(folder, accepted)
        shutil.rmtree(folder)
        return f"errno {number} from call {at} on: {wrong}" if wrong else None

    def walk_failing(self, number, step):
        total = self.count()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            findings = [f for f in pool.map(lambda at: self.fill(at, number),
                                            range(1, total + 1, step)) if f]
        self.assertEqual([], findings[:5], f"{len(findings)} findings")

    def test_a_disk_that_fills_up_at_any_of_its_writes(self):
        self.walk_failing(errno.ENOSPC, 2 * SOME)

    def test_a_disk_that_breaks_at_any_of_its_writes(self):
        self.walk_failing(errno.EIO, 4 * SOME)

    def test_a_wall_clock_that_is_a_year_off_and_comes_back(self):
        for off in (31536000, -31536000):
            with self.subTest(seconds=off):
                folder = self.folder(f"clock{off}")
                done = steps("run", folder, f"clock:{off}")
                self.assertEqual(0, done.returncode, done.stderr)
                accepted = [line.split() for line in done.stdout.splitlines()]
                self.assertEqual(5, len(accepted))
                self.assertEqual("", self.check(folder, [one for one in accepted
                                                         if off > 0 or one[1] != "keyed"]))

    def test_memory_that_ends_at_any_allocation(self):
        total = self.count("malloc:0")
        self.assertGreater(total, 100, "the shim counts nothing")

        def play(at):
            folder = self.folder(f"malloc-{at}")
            done = steps("run", folder, f"malloc:{at}")
            accepted = [line.split() for line in done.stdout.splitlines()]
            wrong = (self.check(folder, accepted) if done.returncode in (0, 3)
                     else f"it ended with {done.returncode}: {done.stderr}")
            shutil.rmtree(folder)
            return f"allocation {at}: {wrong}" if wrong else None

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            findings = [f for f in pool.map(play, range(1, total + 1, max(1, total // 200)))
                        if f]
        self.assertEqual([], findings[:5], f"{len(findings)} findings")


if __name__ == "__main__":
    unittest.main()
