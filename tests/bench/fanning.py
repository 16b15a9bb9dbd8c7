# SPDX-License-Identifier: Apache-2.0
"""One source, three targets: a copy to all of them, which reads the source once,
beside three rules from it at once, and a rule to the first target and two more that go on
from there. What the source is asked for is counted."""

import os
import time

from berthtest import Client, Daemon, Link, Registry, sets
from berthtest.proc import wait_until
from copying import QUIET, Usage, check
from huge import is_quiet

RTT_MS = 50
TAGS = 200  # of one repository
TARGETS = ("a", "b", "c")
# Each way is steps; the rules of a step run at once, each from an end to an end.
WAYS = {"to one": [[("source", "a")]],
        "one copy to three targets": [[("source", TARGETS)]],
        "three rules from the source at once": [[("source", name) for name in TARGETS]],
        "one rule, then two from its target": [[("source", "a")], [("a", "b"), ("a", "c")]]}


def measure(folder):
    os.makedirs(folder)
    images = sets.shared(repositories=1, tags=TAGS)
    with Registry(os.path.join(folder, "source")) as source:
        with Client(source.url) as client:
            sets.push_set(client, images)
        return [one_way(os.path.join(folder, str(number)), way, source, images)
                for number, way in enumerate(WAYS)]


def one_way(folder, way, source, images):
    os.makedirs(folder)
    names = sorted({name for step in WAYS[way] for _, target in step for name in target})
    targets = {name: Registry(os.path.join(folder, name)).start() for name in names}
    links = {}
    try:
        for name, end in {"source": source, **targets}.items():
            links[name] = Link(folder, end, rtt_ms=RTT_MS).start()
        with Daemon(os.path.join(folder, "berth"), config=QUIET) as daemon:
            return run_way(daemon, way, source, targets, links, images)
    finally:
        for one in [*links.values(), *targets.values()]:
            one.stop()


def run_way(daemon, way, source, targets, links, images):
    for name, link in links.items():
        daemon.add(name, link.url)
    wait_until(lambda: is_quiet(daemon), "the first refreshes end", 600)
    since, bytes_before = len(source.requests()), links["source"].stats()["down"]
    usage, began = Usage([daemon.process.pid]), time.monotonic()
    for step in WAYS[way]:
        run_step(daemon, step, images)
    took, cpu = time.monotonic() - began, usage.stop()
    counts = source.counts(since)
    wrong = [problem for one in targets.values() if (problem := check(one, images))]
    return {"way": way, "seconds": round(took, 1), "source_blob_gets": counts["GET blob"],
            "source_manifest_gets": counts["GET manifest"],
            "source_requests": sum(counts.values()),
            "source_mib": round((links["source"].stats()["down"] - bytes_before) / 2 ** 20, 1),
            "cpu_s": round(cpu, 1), "peak_mib": round(usage.peak_kib / 1024, 1),
            "note": "; ".join(wrong)}


def run_step(daemon, step, images):
    if any(len(target) > 1 for _, target in step):
        wait(daemon, [daemon.api.post("/v1/copies", {
            "source": f"{source}/{name}", "targets": list(targets), "all_tags": True,
            "referrers": False}) for source, targets in step
            for name in sorted({name for name, _, _ in images})])
        return
    for ends in step:
        daemon.api.post("/v1/syncs", {"name": "-".join(ends), "source": ends[0],
                                      "target": ends[1], "referrers": False})
    wait(daemon, [daemon.api.post(f"/v1/syncs/{'-'.join(ends)}/runs", {}) for ends in step])


def wait(daemon, started):
    for done in [daemon.api.wait(one, 1800) for one in started]:
        if done["state"] != "succeeded":
            raise RuntimeError(str(done.get("error"))[:400])
