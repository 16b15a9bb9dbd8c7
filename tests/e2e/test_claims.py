# SPDX-License-Identifier: Apache-2.0
"""Copies that overlap send a big blob once: one of them has it, the others wait for
it and mount it, and whoever ends or dies leaves it to the next."""

import os
import signal
import unittest
import urllib.parse

from berthtest import Client, Image, Link, Registry, images, sets
from berthtest.apicase import ApiCase, QUIET
from berthtest.daemon import descendants
from berthtest.proc import wait_until

MIB = 1 << 20
# A connection that is silent by the test's will is not to be given up meanwhile.
PATIENT = QUIET + "net: { low_speed_s = 600; backoff_ms = 50; };\n"


class Claims(ApiCase):
    config = PATIENT

    def setUp(self):
        """A layer in three repositories of the hub, which the link gives only the half of."""
        self.name = self._testMethodName.split("_")[1]
        self.layer = images.random_layer(self.name, 8 * MIB)
        self.image = {part: Image([self.layer, images.random_layer(f"{self.name}/{part}", 100)])
                      for part in ("one", "two", "three")}
        with Client(self.hub.url) as client:
            sets.push_set(client, [(f"{self.name}/{part}", "1", image)
                                   for part, image in self.image.items()])
        self.link = Link(os.path.join(self.dir, "links"), self.hub, stall=3 * MIB)
        self.link.start()
        self.addCleanup(self.link.stop)
        self.slow = f"slow-{self.name}"
        self.daemon.add(self.slow, self.link)
        self.settle()

    def copy(self, part, source="hub"):
        return self.api.post("/v1/copies", {"source": f"{source}/{self.name}/{part}:1",
                                            "target": f"mirror/{self.name}/{part}"})

    def stored(self, digest, kind="digest", settle=False, at=None):
        """How often the mirror took that blob by an upload; kind mount: by a mount."""
        return sum(1 for method, path, status, _ in (at or self.mirror).requests(settle=settle)
                   if method in ("PUT", "POST") and status == 201 and
                   urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get(kind) == [digest])

    def begin(self):
        """The first copy in the middle of the layer, and a second one that wants it, too."""
        first = self.copy("one", self.slow)
        wait_until(lambda: (self.api.get(f"/v1/operations/{first['id']}")
                            .get("progress", {}).get("done", 0)) > MIB, "half of it is sent", 300)
        before = set(descendants(self.daemon.worker()))
        second = self.copy("two")
        own = self.image["two"].blobs()
        for blob in own:
            if blob.digest != self.layer.digest:
                wait_until(lambda digest=blob.digest: self.stored(digest),
                           "the second copy's own blobs are there", 300)
        return first, second, before

    def assert_whole(self, *parts):
        with Client(self.hub.url) as ours, Client(
                self.mirror.url, *next(iter(self.mirror.users.items()))) as theirs:
            for part in parts:
                self.assertEqual(ours.closure(f"{self.name}/{part}", "1"),
                                 theirs.closure(f"{self.name}/{part}", "1"))

    def test_two_copies_at_once_write_a_layer_that_they_share_once(self):
        first, second, _ = self.begin()
        self.link.drop()
        self.link.set(stall=0)
        done = [self.done(operation)["result"] for operation in (first, second)]
        self.assertEqual((1, 1), (self.stored(self.layer.digest, settle=True),
                                  self.stored(self.layer.digest, "mount")))
        self.assertLess(done[1]["bytes_done"], MIB)
        self.assertEqual(1, done[1]["mounts_done"])
        third = self.done(self.copy("three"))["result"]
        self.assertEqual((1, 2, 1), (self.stored(self.layer.digest, settle=True),
                                     self.stored(self.layer.digest, "mount"),
                                     third["mounts_done"]))
        self.assert_whole("one", "two", "three")

    def test_killed_jobs_leave_their_layer_to_the_next_one(self):
        first, second, jobs = self.begin()
        for pid in jobs:
            os.kill(pid, signal.SIGKILL)
        self.done(second)
        ended = self.done(first)  # begun again; what it lacks, it mounts
        self.assertEqual(2, ended["attempts"])
        self.assertEqual((1, 1), (self.stored(self.layer.digest, settle=True),
                                  self.stored(self.layer.digest, "mount")))
        self.assert_whole("one", "two")

    def test_cancelled_copies_leave_their_layer_to_the_next_one(self):
        first, second, _ = self.begin()
        self.api.call("DELETE", f"/v1/operations/{first['id']}")
        self.assertEqual("cancelled", self.api.wait(first)["state"])
        self.done(second)
        self.assertEqual((1, 0), (self.stored(self.layer.digest, settle=True),
                                  self.stored(self.layer.digest, "mount")))
        self.assert_whole("two")


class ClaimsAtSeveral(Claims):
    """The same of copies that have a second target each, which claim at both."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.third = cls.enter(Registry(os.path.join(cls.dir, "third")))
        cls.daemon.add("third", cls.third)

    def copy(self, part, source="hub"):
        return self.api.post("/v1/copies", {
            "source": f"{source}/{self.name}/{part}:1",
            "targets": [f"third/{self.name}/{part}", f"mirror/{self.name}/{part}"]})

    def test_two_copies_at_once_write_a_layer_that_they_share_once(self):
        first, second, _ = self.begin()
        self.link.drop()
        self.link.set(stall=0)
        done = [self.done(operation)["result"] for operation in (first, second)]
        for registry in (self.mirror, self.third):
            self.assertEqual((1, 1), (self.stored(self.layer.digest, settle=True, at=registry),
                                      self.stored(self.layer.digest, "mount", at=registry)))
        self.assertLess(done[1]["bytes_done"], MIB)
        self.assertEqual(2, done[1]["mounts_done"])
        self.assert_whole("one", "two")

    def test_other_targets_of_a_copy_don_t_wait_for_what_is_claimed_at_one(self):
        """The second copy is to one of the first one's targets, and to one more."""
        other = self.enter(Registry(os.path.join(self.dir, "other")))
        self.daemon.add("other", other)
        first = self.copy("one", self.slow)
        wait_until(lambda: (self.api.get(f"/v1/operations/{first['id']}")
                            .get("progress", {}).get("done", 0)) > MIB, "half of it is sent", 300)
        second = self.api.post("/v1/copies", {
            "source": f"hub/{self.name}/two:1",
            "targets": [f"other/{self.name}/two", f"mirror/{self.name}/two"]})
        wait_until(lambda: self.stored(self.layer.digest, at=other), "it is at the other", 300)
        self.assertEqual(0, self.stored(self.layer.digest))
        self.link.drop()
        self.link.set(stall=0)
        self.done(first)
        self.assertEqual(1, self.done(second)["result"]["mounts_done"])
        self.assertEqual((1, 1), (self.stored(self.layer.digest, settle=True),
                                  self.stored(self.layer.digest, "mount")))


if __name__ == "__main__":
    unittest.main()
