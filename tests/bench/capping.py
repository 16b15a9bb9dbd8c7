# SPDX-License-Identifier: Apache-2.0
"""How well a cap is kept: bytes that the source's registry sends, and bytes that the
target's gets, in any one second.

A link in front of the source notes when bytes have left it: what the reader's
system has acknowledged, not what waits in the link's own socket. One in front of the
target notes what comes.
"""

import bisect
import fcntl
import json
import os
import socket
import struct
import subprocess
import termios
import threading
import time

from berthtest import Client, Daemon, Image, Registry, proc
from berthtest.images import random_layer
from berthtest.proc import wait_until

CAP = 10_000_000
SECONDS = 6
PIECE = 4096
QUIET = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };"


def waiting(sock):
    """Bytes that the other end has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


class Link:
    """A TCP link that keeps (time, bytes) of all that comes to the port."""

    def __init__(self, port):
        self.to, self.events, self._open = port, [], []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        for one in self._open:
            one.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            self.tune(near, far)
            self._open += [near, far]
            threading.Thread(target=self.pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, True), daemon=True).start()

    def tune(self, near, far):
        pass

    def note(self, count):
        with self._lock:
            self.events.append((time.monotonic(), count))

    def pump(self, source, sink, is_back):
        try:
            while data := source.recv(16 * PIECE):
                if not is_back:
                    self.note(len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class SourceLink(Link):
    """Of all that the readers have acknowledged."""

    def tune(self, near, far):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * PIECE)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * PIECE)

    def pump(self, source, sink, is_back):
        given = noted = 0
        try:
            while data := source.recv(PIECE):
                sink.sendall(data)
                given += len(data)
                left = given - waiting(sink) if is_back else 0
                if left > noted:
                    self.note(left - noted)
                    noted = left
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def windows(events):
    """(most, least, mean) bytes of a second, over all seconds that begin at an event; the
    mean and the least leave out what is not between the first and the last second."""
    times = [at for at, _ in events]
    sums = [0]
    for _, count in events:
        sums.append(sums[-1] + count)
    found = []
    for index, at in enumerate(times):
        end = bisect.bisect_left(times, at + 1)
        found.append((at, sums[end] - sums[index]))
    inner = [count for at, count in found if times[0] + 1 <= at <= times[-1] - 2]
    took = times[-1] - times[0]
    return (max(count for _, count in found), min(inner) if inner else 0,
            sums[-1] / took if took else 0)


def row(name, end, events):
    most, least, mean = windows(events)
    return {"streams": name, "end": end, "cap_mb_s": CAP / 1e6,
            "most_in_a_second": f"{most / CAP:.2%}",
            "least_in_a_second": f"{least / CAP:.2%}", "whole_run": f"{mean / CAP:.2%}"}


def push(client, streams):
    size = CAP * SECONDS // streams
    layers = [random_layer(f"cap/{streams}/{number}", size) for number in range(streams)]
    client.push(f"cap/of-{streams}", Image(layers), "1")


def engine_row(folder, streams, end):
    """The engine alone, with the rule's own limit."""
    with Registry(os.path.join(folder, f"s{streams}{end}")) as source, \
            Registry(os.path.join(folder, f"t{streams}{end}")) as target:
        with Client(source.url) as client:
            push(client, streams)
        rule = {"source": {"instance": "s"}, "target": {"instance": "t"},
                "limit_bytes_per_s": CAP}
        with (SourceLink(source.port) if end == "source" else Link(target.port)) as link:
            urls = {"source": source.url, "target": target.url, end: link.url}
            subprocess.run([os.path.join(proc.build_dir(), "tests", "copybench"),
                            "--in-flight=64", urls["source"], urls["target"], json.dumps(rule)],
                           check=True, stdout=subprocess.DEVNULL)
            return row(str(streams), end, link.events)


def shared_row(folder, streams, end):
    """Two copies at once through the daemon, with a limit of the source's integration."""
    folder = os.path.join(folder, f"two{max(streams)}{end}")
    with Registry(os.path.join(folder, "s")) as source, \
            Registry(os.path.join(folder, "t")) as target, \
            Daemon(os.path.join(folder, "berth"), config=QUIET) as daemon:
        with Client(source.url) as client:
            for count in streams:
                push(client, count)
        with (SourceLink(source.port) if end == "source" else Link(target.port)) as link:
            urls = {"source": source.url, "target": target.url, end: link.url}
            daemon.add("s", urls["source"], limit_bytes_per_s=CAP)
            daemon.add("t", urls["target"])
            wait_until(lambda: all(one["state"] not in ("pending", "running") for one in
                                   daemon.api.get("/v1/operations")["items"]), "refreshed", 300)
            link.events.clear()
            started = [daemon.api.post("/v1/copies", {"source": f"s/cap/of-{count}:1",
                                                      "target": f"t/cap/of-{count}"})
                       for count in streams]
            for one in started:
                daemon.api.wait(one, 600)
            name = " and ".join(str(count) for count in streams)
            return row(f"two copies of {name}", end, link.events)


def measure(folder):
    return [one for end in ("source", "target")
            for one in (*(engine_row(folder, streams, end) for streams in (1, 4, 16)),
                        *(shared_row(folder, pair, end) for pair in ((1, 4), (4, 16))))]
