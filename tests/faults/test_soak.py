# SPDX-License-Identifier: Apache-2.0
"""Many cycles of a day's work with few descriptors: what leaks one a cycle runs out
of them, and what leaks memory grows."""

import os
import resource
import socket
import unittest

from berthtest import Daemon, Registry, workdir
from berthtest.proc import wait_until
from berthtest.worker import is_sanitized

CYCLES = 120
DESCRIPTORS = 64
# What a cycle leaves in the store is on disk; its cache is 1 MiB and full by then.
GROWTH_MAX = 2 * 1024 * 1024


class Soak(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        registry = Registry(os.path.join(self.dir, "registry")).start()
        self.addCleanup(registry.stop)
        self.daemon = Daemon(os.path.join(self.dir, "berth")).start()
        self.addCleanup(self.daemon.stop)
        self.daemon.add("hub", registry)

    def leave(self, text):
        """A connection whose client goes away in the middle."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(120)
            sock.connect(self.daemon.socket)
            try:
                sock.sendall(text)
                sock.recv(100)
            except (BrokenPipeError, ConnectionResetError):
                pass  # turned away, as long as those that left are not gone yet

    def cycle(self, number):
        self.leave(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        self.leave(b"POST /v1/integrations HTTP/1.1\r\nHost: x\r\nContent-Length: bad\r\n\r\n")
        wait_until(lambda: self.daemon.api.request("GET", "/v1/integrations").status == 200,
                   "callers are served")
        if number % 4 == 0:
            done = self.daemon.api.run("/v1/integrations/hub/probe", None)
            self.assertEqual("succeeded", done["state"], done)

    def resident(self):
        with open(f"/proc/{self.daemon.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def test_many_cycles_need_no_more_than_one(self):
        for pid in (self.daemon.process.pid, self.daemon.worker()):
            hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
        for number in range(CYCLES):
            self.cycle(number)
        before = self.resident()
        for number in range(CYCLES):
            self.cycle(number)
        if not is_sanitized():
            self.assertLess(self.resident() - before, GROWTH_MAX)


if __name__ == "__main__":
    unittest.main()
