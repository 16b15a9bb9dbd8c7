# SPDX-License-Identifier: Apache-2.0
"""What harbor.so costs a Harbor over a slow line: requests, password checks,
time, and the memory of the job. The server is the stand-in with rows made up
for it; e2e/harbor_counts asserts the counts, nothing asserts the times.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Daemon, Link  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from berthtest.proc import wait_until  # noqa: E402
from control import pss_kib  # noqa: E402
from standin.harbor import Harbor  # noqa: E402

RTT_MS = 20
WORLDS = (("2.15", 200, 100, 5), ("2.5", 20, 100, 5))


class Port:
    """What a link wants to know of a server."""

    def __init__(self, url):
        self.scheme, self.port = "http", int(url.rpartition(":")[2])


def row(harbor, world, what, items, took, peak_kib=0, must=""):
    counts = harbor.counts
    return {"world": world, "what": what, "items": items, "requests": counts["requests"],
            "password checks": counts["password check"], "seconds": f"{took:.2f}",
            "MiB": f"{peak_kib / 1024:.1f}" if peak_kib else "", "must": must}


def slots(harbor, link, world):
    options = {"address": link.url, "username": harbor.login[0], "password": harbor.login[1]}
    for must, slot, *args in (("<= 4 requests", "probe", '{"scope":"platform"}'),
                              ("<= 3 and the login's 2", "artifact", "many-000/app-000", "v0"),
                              ("", "resolve", "many-000")):
        harbor.reset_counts()
        begin = time.monotonic()
        done = drive("harbor", options, slot, *args)
        if done.error:
            raise RuntimeError(done.text)
        yield row(harbor, world, slot, len(done.items), time.monotonic() - begin, must=must)


def refresh(harbor, link, folder, world, artifacts):
    """An index through the daemon; the job's memory is looked at while it runs."""
    with Daemon(folder) as daemon:
        daemon.add("harbor", link.url, *harbor.login, kind="harbor")
        wait_until(lambda: all(one["state"] == "succeeded" for one in daemon.api.get(
            "/v1/operations")["items"]), "the first index is read", 1200)
        harbor.reset_counts()
        peak, begin = 0, time.monotonic()
        started = daemon.api.call("POST", "/v1/integrations/harbor/refresh")
        state = "running"
        while state in ("pending", "running"):
            for pid in daemon.children():
                try:
                    peak = max(peak, pss_kib(pid))
                except OSError:
                    continue  # it has just ended
            state = daemon.api.get(f"/v1/operations/{started['id']}")["state"]
            time.sleep(0.05)
        if state != "succeeded":
            raise RuntimeError(daemon.log()[-2000:])
        took = time.monotonic() - begin
    return row(harbor, world, "index", artifacts, took, peak, "< 12 MiB")


def measure(folder):
    rows = []
    for version, projects, repositories, artifacts in WORLDS:
        world = f"{version}: {projects} x {repositories} x {artifacts}"
        with Harbor(None, version=version) as harbor:
            harbor.seed(projects, repositories, artifacts)
            here = os.path.join(folder, version)
            with Link(os.path.join(here, "link"), Port(harbor.url), rtt_ms=RTT_MS) as link:
                rows += slots(harbor, link, world)
                rows.append(refresh(harbor, link, os.path.join(here, "berth"), world,
                                    projects * repositories * artifacts))
    return rows
