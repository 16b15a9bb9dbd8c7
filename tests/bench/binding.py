# SPDX-License-Identifier: Apache-2.0
"""One space bound to many workspaces at once, each with many namespaces of a real
Kubernetes API server: how long until every pull secret is right, how many writes of
a secret that took, and how long calls on the control socket took meanwhile. The
Harbor that makes the workspaces' robots is the stand-in.
"""

import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Daemon  # noqa: E402
from berthtest.harborcase import HarborApi  # noqa: E402
from berthtest.kube import Kube  # noqa: E402
from berthtest.proc import compiled, wait_until  # noqa: E402
from control import pss_kib  # noqa: E402
from standin.harbor import Harbor  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };"
WORKSPACES, NAMESPACES = 50, 20
LOAD_RATE = 100
LOADED = ("/v1/livez", "/v1/workspaces?limit=10")
PATIENCE_S = 1800


def names(workspace):
    return [f"bench-{workspace:02d}-{number:02d}" for number in range(NAMESPACES)]


def prepare(kube, harbor, daemon):
    """A private project, the cluster, the namespaces and the workspaces; the space."""
    HarborApi(harbor.url, *harbor.login).call("POST", "/projects", {
        "project_name": "shop", "metadata": {"public": "false"}})
    daemon.add("harbor", harbor.url, *harbor.login, kind="harbor")
    api = daemon.api
    with open(kube.ca, encoding="ascii") as file:
        done = api.wait(api.post("/v1/clusters", {
            "name": "prod", "address": kube.url, "token": kube.token("berth"),
            "tls": {"ca": file.read()}}))
    if done["state"] != "succeeded":
        raise RuntimeError(done)
    every = [name for number in range(WORKSPACES) for name in names(number)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: kube.made("/api/v1/namespaces",
                                             {"metadata": {"name": name}}), every))
    for number in range(WORKSPACES):
        api.post("/v1/workspaces", {"name": f"w{number}", "namespaces": [
            {"cluster": "prod", "namespace": name} for name in names(number)]})
    wait_until(lambda: [s for s in api.get("/v1/integrations/harbor/spaces?limit=100")["items"]
                        if s["name"] == "shop"], "the space is seen", 300)
    return next(s["id"] for s in api.get("/v1/integrations/harbor/spaces?limit=100")["items"]
                if s["name"] == "shop")


def right(api, number):
    rows = api.get(f"/v1/workspaces/w{number}/pull-secrets?limit=100")["items"]
    return len(rows) == NAMESPACES and all(row["phase"] == "right" for row in rows)


def load(daemon, target, seconds):
    program = compiled(os.path.join(HERE, "load.c"))
    return subprocess.Popen([program, daemon.socket, target, str(LOAD_RATE),
                             str(LOAD_RATE * seconds)], stdout=subprocess.PIPE, text=True)


def finish(running):
    rows = []
    for target, process in running:
        found = json.loads(process.communicate()[0])
        rows += [(f"GET {target}, p50", f"{found['p50_us'] / 1000:.2f} ms", ""),
                 (f"GET {target}, p99", f"{found['p99_us'] / 1000:.2f} ms", "< 5 ms")]
    return rows


def run(kube, harbor, daemon, space):
    api = daemon.api
    before = len(kube.requests("berth"))
    harbor.reset_counts()
    loads = [(target, load(daemon, target, 20)) for target in LOADED]
    begin = time.monotonic()
    api.post(f"/v1/spaces/{space}/bindings",
             {"bind": [f"w{number}" for number in range(WORKSPACES)]})
    bound = time.monotonic() - begin
    left = set(range(WORKSPACES))

    def all_right():
        left.difference_update([number for number in list(left)[:5] if right(api, number)])
        return not left

    wait_until(all_right, "every secret is right", PATIENCE_S, 0.2)
    took = time.monotonic() - begin
    asked = collections.Counter(verb for verb, path in kube.requests("berth", before)
                                if "/secrets/" in path)
    total = WORKSPACES * NAMESPACES
    return [("bindings answered", f"{bound:.2f} s", ""),
            ("every secret right", f"{took:.1f} s", "< 60 s"),
            ("writes of a secret", asked["patch"], f"<= {total}"),
            ("reads of a secret", asked["get"], ""),
            ("requests to the Harbor", harbor.counts["requests"], ""),
            ("berthd afterwards, PSS", f"{pss_kib(daemon.process.pid) / 1024:.1f} MiB", ""),
            *finish(loads)]


def measure(folder):
    try:
        with Kube(os.path.join(folder, "kube")) as kube, Harbor(None) as harbor, \
                Daemon(os.path.join(folder, "berth"), config=CONFIG) as daemon:
            rows = run(kube, harbor, daemon, prepare(kube, harbor, daemon))
    except unittest.SkipTest as why:
        print(f"binding is left out: {why}")
        return []
    return [{"what": what, "value": value, "must": must} for what, value, must in rows]
