# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
"""kill -9 of berthd, of the worker, or of both, walked through a copy.

Whatever was accepted is done, resumed or reported interrupted afterwards:
never lost, never stuck, and what stands at the target is right.
"""

import os
import signal
import unittest

from berthtest import ApiError, Client, Daemon, Link, Registry, proc, sets, workdir

CONFIG = """
net: { tries = 3; backoff_ms = 10; connect_ms = 2000; answer_ms = 5000; };
integrations: { probe_period_s = 86400; refresh_period_s = 0; };
jobs: { restart_ms = 50; restart_max_ms = 200; };
"""
# Requests at the target after which a kill comes. The whole copy takes about 90.
STEPS = (0, 1, 8, 25, 45, 75, 88)
ENDED = ("succeeded", "failed", "interrupted", "cancelled")


class Crashes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.source = Registry(cls.dir + "/source").start()
        cls.addClassCleanup(cls.source.stop)
        cls.images = sets.shared(repositories=2, tags=6, base=6000, own=3000, top=500)
        with Client(cls.source.url) as client:
            sets.push_set(client, cls.images)

    def walk(self, kill):
        for step in STEPS:
            with self.subTest(requests=step):
                self.crash_once(kill, step)

    def crash_once(self, kill, step):
        folder = workdir(self)
        with Registry(folder + "/target") as target, Link(folder, target, rtt_ms=6) as link:
            daemon = Daemon(folder + "/d", config=CONFIG).start()
            try:
                daemon.add("src", self.source)
                daemon.add("dst", link)
                daemon.api.post("/v1/syncs", {"name": "all", "source": "src", "target": "dst"})
                before = len(target.requests())
                accepted = daemon.api.post("/v1/syncs/all/runs", {})
                self.wait_for_requests(target, before + step, daemon, accepted["id"])
                kill(daemon)
                if not daemon.process or not daemon.process.is_running():
                    daemon.start()
                done = self.end_of(daemon, accepted["id"])
                self.assertEqual("succeeded", done["state"], done)
                self.check(target)
                self.assertEqual(1, len([one for one in self.operations(daemon)
                                         if one["id"] == accepted["id"]]))
            finally:
                daemon.stop()

    @staticmethod
    def wait_for_requests(target, count, daemon, operation):
        """So many requests were served, or the operation has ended already."""
        def reached():
            return len(target.requests(settle=False)) >= count or \
                daemon.api.get(f"/v1/operations/{operation}")["state"] in ENDED
        proc.wait_until(reached, f"{count} requests at the target", step=0.002)

    @staticmethod
    def end_of(daemon, operation):
        """The operation's end, asked for across a worker or daemon that comes back."""
        found = {}

        def ended():
            try:
                found["it"] = daemon.api.get(f"/v1/operations/{operation}")
            except OSError:
                return False
            return found["it"]["state"] in ENDED
        try:
            proc.wait_until(ended, f"operation {operation} ends", 180)
        except ApiError as lost:
            raise AssertionError(f"an accepted operation is lost: {lost}") from lost
        return found["it"]

    @staticmethod
    def operations(daemon):
        return daemon.api.get("/v1/operations?limit=1000")["items"]

    def check(self, target):
        with Client(target.url) as client:
            for name, tag, image in self.images:
                self.assertEqual(image.digest, client.digest(name, tag), f"{name}:{tag}")
                client.closure(name, tag)

    def test_berthd_is_killed_at_every_step_of_a_copy(self):
        self.walk(lambda daemon: daemon.kill())

    def test_the_worker_is_killed_at_every_step_of_a_copy(self):
        self.walk(lambda daemon: kill_all(daemon.children()))

    def test_both_are_killed_at_every_step_of_a_copy(self):
        def both(daemon):
            children = daemon.children()
            daemon.kill()
            kill_all(children)
        self.walk(both)

    def test_the_job_alone_is_killed_at_every_step_of_a_copy(self):
        self.walk(lambda daemon: kill_all(daemon.children()[1:]))


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it had ended


if __name__ == "__main__":
    unittest.main()
