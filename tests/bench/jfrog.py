# SPDX-License-Identifier: Apache-2.0
"""Lists of a large Artifactory over a slow line: requests and time of each.

The server is the stand-in with storage made up for it; its answers are made
beforehand, so that the line and the plugin are measured. The plugin is called
by build/tests/drive, whose start counts.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Link  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from standin.artifactory import Artifactory  # noqa: E402

RTT_MS = 20
RUNS = 3


def storage(repo, images, tags, layers):
    """Rows of the tag folders of a storage repository."""
    rows = []
    for image in range(images):
        for tag in range(tags):
            folder = {"repo": repo, "path": f"team/app-{image:04}/1.{tag}", "type": "file",
                      "modified": "2026-10-01T12:00:00.000Z"}
            names = ["manifest.json"] + [f"sha256__{n:064x}" for n in range(layers)]
            rows += [{**folder, "name": name, "size": 4096, "sha256": f"{at:064x}"}
                     for at, name in enumerate(names)]
    return rows


def lists(world, standin, link, calls):
    options = {"address": link.url, "username": standin.user, "password": standin.password}
    for slot, *args in calls:
        best = None
        for run in range(RUNS + 1):  # the first one fills the stand-in's answers
            standin.requests.clear()
            begin = time.monotonic()
            done = drive("jfrog", options, slot, *args)
            took = time.monotonic() - begin
            if done.error:
                raise RuntimeError(done.text)
            if run:
                best = took if best is None else min(best, took)
        yield {"world": world, "list": " ".join([slot, *args]), "items": len(done.items),
               "requests": len(standin.requests), "seconds": round(best, 2)}


def measure(folder):
    keys = [(f"team-{i:04}-docker", "LOCAL", "") for i in range(1000)]
    worlds = (
        ("1000 keys, 2 tags each", keys,
         {key: storage(key, 1, 2, 5) for key, _, _ in keys},
         (("spaces",), ("repositories",))),
        ("1 key, 1000 images, 5 tags each", [("docker-local", "LOCAL", "")],
         {"docker-local": storage("docker-local", 1000, 5, 5)},
         (("repositories", "docker-local"), ("resolve", "docker-local"),
          ("tags", "docker-local/team/app-0500"))),
    )
    rows = []
    for world, keys, made, calls in worlds:
        standin = Artifactory(keys=keys, made=made)
        try:
            with Link(os.path.join(folder, "link"), standin, rtt_ms=RTT_MS) as link:
                rows += lists(world, standin, link, calls)
        finally:
            standin.stop()
    return rows
