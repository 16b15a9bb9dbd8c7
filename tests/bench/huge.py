# SPDX-License-Identifier: Apache-2.0
"""What grows with the size of the work, and what must not: an image of many GiB
between two registries that make its bytes up and drop them (giant.c), and many
rules at once. Memory is looked at while it runs.
"""

import os
import subprocess
import time

from berthtest import Client, Daemon, Image, Registry, sets
from berthtest.images import random_layer
from berthtest.proc import Process, compiled, free_port, wait_until
from copying import HERE, QUIET, Usage

LAYERS = 10
RULES = 100


class Giant:
    """A registry without a disk."""

    def __init__(self, folder, *args):
        self.scheme, self.port = "http", free_port()
        self.process = Process([compiled(os.path.join(HERE, "giant.c"), "-lcrypto", "-lpthread"),
                                self.port, *args], os.path.join(folder, f"giant-{self.port}"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.popen.stdout.readline()  # ready: it knows the digests

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def taken(self):
        """The bytes of bodies that came so far."""
        self.process.popen.stdin.write(b"?\n")
        self.process.popen.stdin.flush()
        return int(self.process.popen.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()


def is_quiet(daemon):
    return all(one["state"] not in ("pending", "running")
               for one in daemon.api.get("/v1/operations?limit=1000")["items"])


def private_kib(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
    except OSError:
        return 0  # it has just ended


def memory_kib(daemon):
    """Private memory: of berthd, of the largest other process (the job), of all."""
    berthd, *others = map(private_kib, Usage.below([daemon.process.pid]))
    return berthd, max(others, default=0), berthd + sum(others)


def measure(folder, gib):
    """A row for each tenth of the bytes, and one for the whole."""
    os.makedirs(folder)
    began = time.monotonic()
    with Giant(folder, LAYERS, gib * 1024 // LAYERS) as source, Giant(folder) as target, \
            Daemon(os.path.join(folder, "berth"), config=QUIET) as daemon:
        print(f"digests known after {time.monotonic() - began:.0f} s", flush=True)
        for name, end in (("source", source), ("target", target)):
            daemon.add(name, end)
        wait_until(lambda: is_quiet(daemon), "the first refreshes end", 600)
        usage = Usage([daemon.process.pid])
        began, rows = time.monotonic(), []
        done = daemon.api.post("/v1/copies", {"source": "source/huge/app:1", "target": "target"})
        while done["state"] not in ("succeeded", "failed", "cancelled"):
            time.sleep(0.2)
            done = daemon.api.get(f"/v1/operations/{done['id']}")
            taken = target.taken()
            if done["state"] == "running" and taken * 10 // (gib << 30) > len(rows):
                rows.append(row(f"after {len(rows) + 1} tenths", taken, began, daemon))
        cpu = usage.stop()
        if done["state"] != "succeeded" or done["result"]["copied"] != 1:
            raise RuntimeError(str(done.get("error"))[:400])
        rows.append({"what": "all", "gib": gib, "seconds": round(time.monotonic() - began, 1),
                     "berthd_kib": "", "job_kib": "", "all_kib": "", "peak_kib": usage.peak_kib,
                     "cpu_s": round(cpu, 1)})
    keys = list(rows[-1])
    return [{key: one.get(key, "") for key in keys} for one in rows]


def row(what, taken, began, daemon):
    berthd, job, together = memory_kib(daemon)
    return {"what": what, "gib": round(taken / 2 ** 30, 1),
            "seconds": round(time.monotonic() - began, 1), "berthd_kib": berthd, "job_kib": job,
            "all_kib": together}


def many_rules(folder):
    """Rules that share a layer, all planned, then all run, each as a job of its own."""
    os.makedirs(folder)
    base = random_layer("base", 4 << 20)
    with Registry(os.path.join(folder, "source")) as source, \
            Registry(os.path.join(folder, "target")) as target, \
            Daemon(os.path.join(folder, "berth"), config=QUIET) as daemon:
        with Client(source.url) as client:
            sets.push_set(client, [(f"team-{n}/app", f"v{tag}", Image(
                [base, random_layer(f"{n}/{tag}", 20000)])) for n in range(RULES)
                for tag in range(5)])
        for name, end in (("source", source), ("target", target)):
            daemon.add(name, end)
        wait_until(lambda: is_quiet(daemon), "the first refreshes end", 600)
        for n in range(RULES):
            daemon.api.post("/v1/syncs", {"name": f"rule-{n}", "source": f"source/team-{n}",
                                          "target": "target", "referrers": False})
        return [at_once(daemon, source, target, word) for word in ("plan", "runs", "runs")]


def at_once(daemon, source, target, word):
    since, before = len(source.requests()), len(target.requests())
    usage, began, together = Usage([daemon.process.pid]), time.monotonic(), 0
    started = [daemon.api.post(f"/v1/syncs/rule-{n}/{word}", None) for n in range(RULES)]
    while not is_quiet(daemon):
        together = max(together, memory_kib(daemon)[2])
        time.sleep(0.1)
    took, cpu = time.monotonic() - began, usage.stop()
    ended = [daemon.api.get(f"/v1/operations/{one['id']}") for one in started]
    if any(one["state"] != "succeeded" for one in ended):
        raise RuntimeError(str([one["error"] for one in ended if one.get("error")][:1]))
    counts = source.counts(since) + target.counts(before)
    return {"what": word, "seconds": round(took, 1), "requests": sum(counts.values()),
            "mounts": counts["POST mount"], "sent": counts["PUT upload"],
            "copied": sum(one["result"].get("copied", 0) for one in ended),
            "cpu_s": round(cpu, 1), "largest_kib": usage.peak_kib,
            "largest_private_kib": usage.private_kib, "all_private_kib": together}
