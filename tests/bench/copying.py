# SPDX-License-Identifier: Apache-2.0
"""Copying image sets with Berth and with others, on the same registries."""

import json
import os
import shutil
import subprocess
import threading
import time
import unittest

from berthtest import Client, Daemon, Link, Registry, sets
from berthtest.daemon import descendants
from berthtest.proc import compiled, wait_until
from berthtest.registry import go_install

HERE = os.path.dirname(os.path.abspath(__file__))
SETS = ("shared", "shared-again", "tiny", "big", "same")
QUIET = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };"
TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """CPU seconds and peak memory of a program and all below it.

    CPU time of processes that have ended is in their parent's account, once it
    waited for them; memory is the highest resident and private size of any one
    process that was seen.
    """

    def __init__(self, pids):
        self.pids = pids
        self.peak_kib = self.private_kib = 0
        self._before = self._cpu()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()

    def _cpu(self):
        total = 0
        for pid in self._all():
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    total += sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
            except OSError:
                continue
        return total / TICKS

    @staticmethod
    def below(pids):
        """These processes and all below them."""
        return [below for pid in pids for below in [pid, *descendants(pid)]]

    def _all(self):
        return self.below(self.pids)

    def _sample(self):
        while not self._ended.wait(0.05):
            for pid in self._all():
                self._look(pid)

    def _look(self, pid):
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                high = [int(line.split()[1]) for line in file if line.startswith("VmHWM")]
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                private = sum(int(line.split()[1]) for line in file
                              if line.startswith("Private_"))
        except OSError:
            return
        self.peak_kib = max(self.peak_kib, *high, 0)
        self.private_kib = max(self.private_kib, private)

    def stop(self):
        self._ended.set()
        self._watch.join()
        return self._cpu() - self._before


def run_program(argv, env=None):
    """Run one program (or several in turn), with CPU time by wait4."""
    cpu, peak, private = 0.0, 0, 0
    for one in argv if isinstance(argv[0], list) else [argv]:
        child = subprocess.Popen(one, env={**os.environ, **(env or {})},
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        usage = Usage([child.pid])  # wait4's maximum counts this process before exec, too
        words = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        usage.stop()
        child.returncode = status
        if status:
            raise RuntimeError(f"{one[0]}: {words[-400:].decode('utf-8', 'replace')}")
        cpu += used.ru_utime + used.ru_stime
        peak, private = max(peak, usage.peak_kib), max(private, usage.private_kib)
    return {"cpu_s": cpu, "peak_mib": peak / 1024, "private_mib": private / 1024}


class Tool:
    """What the tools have in common; copy() is what is measured."""

    def prepare(self, source, target):
        """Done once for a pair of registries, unmeasured."""

    def stop(self):
        pass


class Berth(Tool):
    name = "berth"

    def __init__(self, folder):
        self.daemon = Daemon(os.path.join(folder, "berth"), config=QUIET).start()
        self.count = 0

    def prepare(self, source, target):
        """One rule over the whole set, as a user would write it."""
        self.count += 1
        names = [f"s{self.count}", f"t{self.count}"]
        for name, url in zip(names, (source, target)):
            self.daemon.add(name, url)
        self.daemon.api.post("/v1/syncs", {"name": f"r{self.count}", "source": names[0],
                                           "target": names[1], "referrers": False})
        wait_until(self._is_quiet, "the first refreshes end", 600)

    def _is_quiet(self):
        return all(one["state"] not in ("pending", "running")
                   for one in self.daemon.api.get("/v1/operations?limit=20")["items"])

    def copy(self, source, target, images):
        usage = Usage(descendants(self.daemon.process.pid)[:1])
        began = time.monotonic()
        done = self.daemon.api.run(f"/v1/syncs/r{self.count}/runs", {}, seconds=1800)
        took = time.monotonic() - began
        cpu = usage.stop()
        if done["state"] != "succeeded":
            raise RuntimeError(str(done.get("error"))[:400])
        return {"cpu_s": cpu, "peak_mib": usage.peak_kib / 1024,
                "private_mib": usage.private_kib / 1024, "seconds": took}

    def stop(self):
        self.daemon.stop()


class Skopeo(Tool):
    name = "skopeo"

    def __init__(self, folder):
        self.dir = folder
        if not shutil.which("skopeo"):
            raise unittest.SkipTest("skopeo is not installed")

    def copy(self, source, target, images):
        """skopeo sync copies a repository with all its tags."""
        lines = []
        for repository in sorted({name for name, _, _ in images}):
            at = f"{target[7:]}/{os.path.dirname(repository)}"
            lines.append(["skopeo", "sync", "--all", "--src", "docker", "--dest", "docker",
                          "--src-tls-verify=false", "--dest-tls-verify=false",
                          "--preserve-digests", f"{source[7:]}/{repository}", at])
        return run_program(lines)


class Crane(Tool):
    name = "crane"

    def __init__(self, folder):
        self.program = go_install("github.com/google/go-containerregistry/cmd/crane", "latest")

    def copy(self, source, target, images):
        return run_program([[self.program, "copy", "--insecure", "--all-tags",
                             f"{source[7:]}/{name}", f"{target[7:]}/{name}"]
                            for name in sorted({name for name, _, _ in images})])


class Regsync(Tool):
    name = "regsync"

    def __init__(self, folder):
        self.program = go_install("github.com/regclient/regclient/cmd/regsync", "latest")
        self.config = os.path.join(folder, "regsync.json")

    def copy(self, source, target, images):
        config = {"version": 1, "creds": [{"registry": url[7:], "tls": "disabled"}
                                          for url in (source, target)],
                  "defaults": {"parallel": 4},
                  "sync": [{"source": f"{source[7:]}/{name}", "target": f"{target[7:]}/{name}",
                            "type": "repository"}
                           for name in sorted({name for name, _, _ in images})]}
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return run_program([self.program, "once", "-c", self.config])


TOOLS = {"berth": Berth, "skopeo": Skopeo, "crane": Crane, "regsync": Regsync}


def image_sets(options):
    return {"shared": sets.shared, "tiny": sets.tiny, "same": sets.same,
            "big": lambda: sets.one_layer(options.big_mib << 20)}


def start_tools(folder, names):
    """The tools that are here; the others are named with the reason."""
    found = []
    for name in names:
        try:
            os.makedirs(os.path.join(folder, name), exist_ok=True)
            found.append(TOOLS[name](os.path.join(folder, name)))
        except unittest.SkipTest as missing:
            print(f"{name}: left out: {missing}", flush=True)
    return found


def measure(folder, options, table):
    os.makedirs(folder)
    tools = start_tools(folder, options.tool.split(","))
    wanted = options.set.split(",")
    rows = []
    try:
        for name, make in image_sets(options).items():
            if name in wanted or f"{name}-again" in wanted:
                found = measure_set(os.path.join(folder, name), name, make(), tools, options)
                table(f"Copying: {name}", found)
                rows += found
    finally:
        for tool in tools:
            tool.stop()
    return rows


def measure_set(folder, name, images, tools, options):
    rows = []
    with Registry(os.path.join(folder, "source")) as source:
        with Client(source.url) as client:
            sets.push_set(client, images)
        for rtt in map(int, options.rtt.split(",")):
            for tool in tools:
                rows += measure_tool(folder, name, images, tool, source, rtt)
        if name == "big" and "0" in options.rtt.split(","):
            rows.append(bare_loop(folder, images, source))
    return rows


def measure_tool(folder, name, images, tool, source, rtt):
    """Cold into an empty target, then once more for the set `shared`."""
    at = os.path.join(folder, f"{tool.name}-{rtt}")
    rows = []
    with Registry(at) as target, Link(at, source, rtt_ms=rtt) as down, \
            Link(at, target, rtt_ms=rtt) as up:
        tool.prepare(down.url, up.url)
        for again in ("", "-again") if name == "shared" else ("",):
            rows.append(measure_once(name + again, images, tool, (source, target), (down, up), rtt))
        problem = check(target, images)
    if problem:
        rows[-1]["note"] = problem
    shutil.rmtree(at, ignore_errors=True)
    return rows


def measure_once(name, images, tool, registries, links, rtt):
    before = [len(one.requests()) for one in registries]
    bytes_before = [link.stats() for link in links]
    began = time.monotonic()
    try:
        used, note = tool.copy(links[0].url, links[1].url, images), ""
    except (RuntimeError, AssertionError) as error:
        used, note = {"cpu_s": 0, "peak_mib": 0}, "FAILED: " + str(error)[:160]
    took = used.get("seconds", time.monotonic() - began)
    time.sleep(0.3)
    stats = [link.stats() for link in links]
    counts = [one.counts(since) for one, since in zip(registries, before)]
    return {"set": name, "rtt_ms": rtt, "tool": tool.name, "seconds": round(took, 2),
            "requests": sum(counts[0].values()) + sum(counts[1].values()),
            "read_mib": round((stats[0]["down"] - bytes_before[0]["down"]) / 2 ** 20, 1),
            "sent_mib": round((stats[1]["up"] - bytes_before[1]["up"]) / 2 ** 20, 1),
            "cpu_s": round(used["cpu_s"], 2), "peak_mib": round(used["peak_mib"], 1),
            "private_mib": round(used.get("private_mib", 0), 1),
            "kinds": " ".join(f"{kind.replace(' ', '_')}={count}" for kind, count in
                              sorted((counts[0] + counts[1]).items())), "note": note}


def check(target, images):
    """Are the digests of all tags there?"""
    with Client(target.url) as client:
        wrong = [f"{name}:{tag}" for name, tag, image in images
                 if client.digest(name, tag) != image.digest]
    return f"{len(wrong)} tags are missing or differ, such as {wrong[0]}" if wrong else ""


def bare_loop(folder, images, source):
    [(name, _, image)] = images
    layer = max(image.layers, key=lambda one: one.size)
    with Registry(os.path.join(folder, "bare")) as target, Client(target.url) as client:
        answer = client.request("POST", f"/v2/{name}/blobs/uploads/", b"")
        place = answer.headers["Location"].replace(target.url, "")
        done = subprocess.run(
            [compiled(os.path.join(HERE, "bareloop.c"), "-lcrypto"), str(source.port),
             f"/v2/{name}/blobs/{layer.digest}", str(target.port),
             f"{place}&digest={layer.digest}", str(layer.size)],
            check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["digest"] == layer.digest
    return {"set": "big", "rtt_ms": 0, "tool": "bare loop", "seconds": round(found["seconds"], 2),
            "requests": 2, "read_mib": layer.size >> 20, "sent_mib": layer.size >> 20,
            "cpu_s": round(found["cpu_seconds"], 2), "peak_mib": "", "private_mib": "",
            "kinds": "", "note": ""}
