# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
"""A copy that is cut short in the middle of a blob goes on from the byte it was at:
after kill -9 of whoever has a part in it, a reset connection, a restarted registry.

The link falls silent after a number of bytes, so that each cut comes at a known
place however slow the machine is."""

import contextlib
import glob
import json
import os
import signal
import subprocess
import unittest

from berthtest import Client, Daemon, Image, Link, Registry, Registry3, proc, workdir
from berthtest import images, sets
from berthtest.daemon import descendants

COPYBENCH = os.path.join(proc.build_dir(), "tests", "copybench")
MIB = 1 << 20
SIZE = 32 * MIB
CUT = 17 * MIB
TWICE = 3 * MIB // 2  # what the target had not yet put on its disk, and the requests
RULE = {"source": {"instance": "s"}, "target": {"instance": "t"}}
# A connection that is silent by the test's will is not to be given up meanwhile.
PATIENT = ("--low-speed-s=600", "--backoff-ms=50", "--tries=8")
CONFIG = "net: { low_speed_s = 600; backoff_ms = 50; };\njobs: { restart_ms = 20; };\n"
SECRET = {"http": {"secret": "the same after a restart"}}


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        self.source = Registry(os.path.join(self.dir, "source")).start()
        self.addCleanup(self.source.stop)
        with Client(self.source.url) as client:
            self.pushed = sets.push_set(client, [("big/app", "1", Image(
                [images.random_layer("layer", SIZE)]))])

    def at(self, kind=Registry3, **more):
        """The target, behind a link that falls silent in the middle of the layer."""
        self.target = kind(os.path.join(self.dir, "target"), **more).start()
        self.addCleanup(lambda: self.target.stop())
        self.link = Link(os.path.join(self.dir, "links"), self.target, stall=CUT, cut_up=True)
        self.link.start()
        self.addCleanup(self.link.stop)

    def uploads(self):
        return glob.glob(os.path.join(self.target.storage, "docker/registry/v2/repositories/**",
                                      "_uploads/*/data"), recursive=True)

    def arrived(self):
        sizes = [0]
        for path in self.uploads():
            with contextlib.suppress(FileNotFoundError):  # a small blob's, done meanwhile
                sizes.append(os.path.getsize(path))
        return max(sizes)

    def sent(self):
        return self.link.stats()["up"]

    def assert_whole(self):
        with Client(self.source.url) as ours, Client(self.target.url) as theirs:
            self.assertEqual(ours.closure("big/app", "1"), theirs.closure("big/app", "1"))
        self.assertEqual([], os.listdir(self.journal))


class Engine(Case):
    """build/tests/copybench: the engine without the daemon."""

    def setUp(self):
        if not os.path.exists(COPYBENCH):
            raise unittest.SkipTest(f"{COPYBENCH} is not built (make {COPYBENCH})")
        super().setUp()
        self.journal = os.path.join(self.dir, "journal")
        os.mkdir(self.journal)

    def argv(self, *args, rule=None):
        return [COPYBENCH, f"--journal={self.journal}", *PATIENT, *args, self.source.url,
                self.link.url, json.dumps(rule or RULE)]

    def begin(self, *args):
        """A copy whose layer is at the target up to CUT."""
        process = proc.Process(self.argv(*args), os.path.join(self.dir, "first.log"))
        self.addCleanup(process.kill)
        process.wait_for(lambda: self.arrived() > CUT - MIB, "half of the layer has arrived", 300)
        return process

    def kill(self, process):
        process.kill()
        self.link.drop()
        self.link.set(stall=0)

    def again(self, *args, rule=None):
        done = subprocess.run(self.argv("--resume", *args, rule=rule), capture_output=True,
                              text=True, timeout=300, check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.stderr = done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def assert_went_on(self, summary):
        """What the target had was not sent again, nor read but for a part between two marks."""
        self.assertLess(self.sent(), SIZE + TWICE)
        self.assertLess(summary["source"]["bytes_in"], SIZE - CUT + TWICE + 2 * MIB)
        self.assert_whole()

    def test_after_kill_9_the_next_process_goes_on_at_the_byte(self):
        self.at()
        self.kill(self.begin())
        self.assert_went_on(self.again())

    def test_after_kill_9_an_upload_by_patch_goes_on_too(self):
        self.at()
        self.kill(self.begin("--patch"))
        self.assert_went_on(self.again("--patch"))

    def test_after_a_reset_while_writing_the_same_upload_goes_on(self):
        self.at()
        process = self.begin()
        self.link.drop()
        self.link.set(stall=0)
        proc.wait_until(lambda: not process.is_running(), "the copy has ended", 300)
        self.assertEqual(0, process.popen.returncode, process.log())
        self.assertLess(self.sent(), SIZE + TWICE)
        self.assert_whole()

    def test_after_a_restart_of_the_registry_the_same_upload_goes_on(self):
        self.at(extra=SECRET)
        process = self.begin()
        self.target.kill()
        self.target.start()
        self.link.set(stall=0)
        proc.wait_until(lambda: not process.is_running(), "the copy has ended", 300)
        self.assertEqual(0, process.popen.returncode, process.log())
        self.assertLess(self.sent(), SIZE + TWICE)
        self.assert_whole()

    def test_a_target_that_forgets_uploads_gets_the_blob_again(self):
        self.at(Registry)
        self.kill(self.begin())
        self.again()
        self.assert_whole()

    def test_with_a_spool_it_is_sent_again_but_not_read_again(self):
        self.at(Registry)
        self.kill(self.begin("--spool-mib=64"))
        summary = self.again("--spool-mib=64")
        self.assertLess(summary["source"]["bytes_in"], SIZE - CUT + MIB)
        self.assert_whole()

    def test_a_spool_that_a_power_cut_damaged_is_found_out(self):
        self.at(Registry)
        self.kill(self.begin("--spool-mib=64"))
        path, = glob.glob(os.path.join(self.journal, "spool-*"))
        with open(path, "r+b") as file:
            file.seek(5 * MIB)
            file.write(bytes(4096))
        summary = self.again("--spool-mib=64")
        self.assertGreaterEqual(summary["source"]["bytes_in"], SIZE)
        self.assert_whole()

    def test_a_reset_at_a_target_that_forgets_reads_nothing_twice(self):
        self.at(Registry)
        process = self.begin("--spool-mib=64")
        self.link.drop()
        self.link.set(stall=0)
        proc.wait_until(lambda: not process.is_running(), "the copy has ended", 300)
        self.assertEqual(0, process.popen.returncode, process.log())
        read = json.loads(process.log().splitlines()[-1])["source"]["bytes_in"]
        self.assertLess(read, SIZE + MIB)
        self.assert_whole()

    def test_the_journal_of_another_rule_is_dropped_with_a_word(self):
        self.at()
        self.kill(self.begin())
        self.again(rule={**RULE, "referrers": False})
        self.assertIn("dropped: it was of another rule", self.stderr)
        self.assert_whole()

    def test_an_upload_that_nobody_needs_any_more_is_cancelled(self):
        self.at()
        self.kill(self.begin())
        with Client(self.target.url) as client:
            sets.push_set(client, self.pushed)
        self.again()
        self.assertEqual([], self.uploads())
        self.assert_whole()

    def test_a_session_that_was_changed_on_disk_is_not_followed(self):
        self.at()
        self.kill(self.begin())
        path, = glob.glob(os.path.join(self.journal, "*"))
        with open(path, "r+b") as file:
            bytes_ = file.read()
            file.seek(0)
            file.write(bytes_.replace(b"/blobs/uploads/", b"/blobs/uploadz/"))
        self.again()
        self.assert_whole()


class WithDaemon(Case):
    """A copy by berthd: whoever is killed, it goes on by itself."""

    def begin(self):
        self.at()
        self.daemon = Daemon(os.path.join(self.dir, "daemon"), config=CONFIG).start()
        self.addCleanup(self.daemon.stop)
        self.journal = os.path.join(self.daemon.state, "cache")
        self.daemon.add("hub", self.source)
        self.daemon.add("mirror", self.link)
        self.operation = self.daemon.api.post(
            "/v1/copies", {"source": "hub/big/app:1", "target": "mirror/big/app"})["id"]
        proc.wait_until(lambda: self.arrived() > CUT - MIB, "half of the layer has arrived", 300)

    def go_on(self):
        self.link.drop()
        self.link.set(stall=0)

    def assert_went_on(self):
        ended = self.daemon.api.wait(self.operation)
        self.assertEqual(("succeeded", 2), (ended["state"], ended["attempts"]), ended)
        self.assertLess(self.link.stats()["up"], SIZE + TWICE)
        self.assert_whole()

    def kill_below(self, choose):
        """Some processes below berthd, which sees it after the link is free again."""
        self.daemon.process.signal(signal.SIGSTOP)
        worker = self.daemon.worker()
        for pid in choose(worker):
            os.kill(pid, signal.SIGKILL)
        self.go_on()
        self.daemon.process.signal(signal.SIGCONT)

    def test_after_kill_9_of_the_job_the_copy_goes_on_at_the_byte(self):
        self.begin()
        self.kill_below(descendants)
        self.assert_went_on()

    def test_after_kill_9_of_the_worker_the_copy_goes_on_at_the_byte(self):
        self.begin()
        self.kill_below(lambda worker: [worker])
        self.assert_went_on()

    def test_after_kill_9_of_berthd_the_copy_goes_on_at_the_byte(self):
        self.begin()
        self.daemon.kill()
        self.go_on()
        self.daemon.start()
        self.assert_went_on()
        self.assertNotIn("crashed", self.daemon.log())  # nobody waited for it any more

    def test_after_a_restart_of_berthd_the_copy_goes_on_at_the_byte(self):
        self.begin()
        self.daemon.stop()
        self.go_on()
        self.daemon.start()
        self.assert_went_on()

    def test_a_cancelled_copy_leaves_nothing_to_go_on_with(self):
        self.begin()
        self.link.set(stall=0)
        self.daemon.api.call("DELETE", f"/v1/operations/{self.operation}")
        ended = self.daemon.api.wait(self.operation)
        self.assertIn(ended["state"], ("cancelled", "succeeded"))  # it may have been faster
        proc.wait_until(lambda: not os.listdir(self.journal), "the journal is gone")


if __name__ == "__main__":
    unittest.main()
