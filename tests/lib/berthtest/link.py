# SPDX-License-Identifier: Apache-2.0
"""A TCP link with delay, a rate, cuts and counters: tests/lib/slowlink.c.

The program is compiled when it is first needed. It moves bytes without
looking at them, so it serves TLS as well; requests are counted by the
registry behind it (Registry.counts).
"""

import json
import os
import subprocess

from .proc import Process, TREE, compiled, free_port

_SOURCE = os.path.join(TREE, "tests", "lib", "slowlink.c")


class Link:
    """A port whose connections lead to port `to`, through a link.

    rtt_ms     round trip time that the link adds, half of it each way
    rate       bytes a second in each direction, over all connections together
    cut        reset a connection after so many bytes from the server ...
    cuts       ... at most so many times (0: every time)
    cut_up     count the bytes to the server instead
    stall      fall silent after so many bytes from the server, instead of a cut

    url stands in for the registry's own: Link(registry).url.
    """

    def __init__(self, folder, to, rtt_ms=0, rate=0, cut=0, cuts=0, cut_up=False, stall=0):
        os.makedirs(folder, exist_ok=True)
        self.scheme = getattr(to, "scheme", "http")
        self.target = getattr(to, "port", to)
        self.port = free_port()
        options = {"delay-us": rtt_ms * 500, "rate": rate, "cut": cut, "cuts": cuts,
                   "stall": stall, "up": int(cut_up)}
        self.argv = [compiled(_SOURCE), str(self.port), str(self.target)]
        self.argv += [f"{name}={int(value)}" for name, value in options.items() if value]
        self.log_path = os.path.join(folder, f"link-{self.port}.log")
        self.process = None

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self):
        self.process = Process(self.argv, self.log_path, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
        self._ask(b"stats\n")
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _ask(self, line):
        self.process.popen.stdin.write(line)
        self.process.popen.stdin.flush()
        answer = self.process.popen.stdout.readline()
        if not answer:
            raise AssertionError(f"slowlink ended: {self.process.log(500)}")
        return json.loads(answer)

    def stats(self):
        """{connections, open, peak, up, down, cuts}: bytes to and from the server."""
        return self._ask(b"stats\n")

    def set(self, **options):
        """Change options while it runs: set(rtt_ms=50, cut=1000, cuts=1, rate=0, stall=0)."""
        if "rtt_ms" in options:
            options["delay-us"] = options.pop("rtt_ms") * 500
        if "cut_up" in options:
            options["up"] = int(options.pop("cut_up"))
        for name, value in options.items():
            self._ask(f"{name}={int(value)}\n".encode())

    def drop(self):
        """Reset every open connection now."""
        return self._ask(b"drop\n")
