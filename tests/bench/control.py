# SPDX-License-Identifier: Apache-2.0
"""Start, memory and answer times of berthd; start of berthctl."""

import json
import os
import socket
import statistics
import subprocess
import time

from berthtest import Daemon
from berthtest.proc import compiled

HERE = os.path.dirname(os.path.abspath(__file__))
STARTS = 15


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))


def start_to_ready_ms(folder):
    """The time from exec to READY=1 on the notification socket."""
    path = os.path.join(folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(20)
        daemon = Daemon(folder, env={"NOTIFY_SOCKET": path})
        os.makedirs(daemon.state, mode=0o700, exist_ok=True)
        began = time.monotonic()
        child = subprocess.Popen(daemon.command(), env={**os.environ, **daemon.env},
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            took = time.monotonic() - began
        finally:
            child.terminate()
            child.wait(20)
    os.unlink(path)
    return took * 1000


def row(what, value, unit, must=""):
    return {"what": what, "value": f"{value:.2f}", "unit": unit, "must": must}


def measure(folder):
    os.makedirs(folder)
    rows = []
    starts = [start_to_ready_ms(folder) for _ in range(STARTS)]
    rows.append(row("start to READY=1, median", statistics.median(starts), "ms", "< 50"))
    with Daemon(os.path.join(folder, "d")) as daemon:
        time.sleep(1)
        rows.append(row("berthd idle, PSS", pss_kib(daemon.process.pid) / 1024, "MiB", "< 10"))
        for number, pid in enumerate(daemon.children()):
            rows.append(row(f"worker idle, PSS ({number})", pss_kib(pid) / 1024, "MiB", "< 10"))
        load = compiled(os.path.join(HERE, "load.c"))
        for target in ("/v1/livez", "/v1/integrations", "/v1/operations"):
            done = subprocess.run([load, daemon.socket, target, "1000", "5000"], check=True,
                                  capture_output=True, text=True)
            found = json.loads(done.stdout)
            rows.append(row(f"GET {target} at 1 000/s, p50", found["p50_us"] / 1000, "ms"))
            rows.append(row(f"GET {target} at 1 000/s, p99", found["p99_us"] / 1000, "ms", "< 0.5"))
        times = []
        for _ in range(STARTS):
            began = time.monotonic()
            subprocess.run([Daemon.program("berthctl"), "--help"], check=False,
                           capture_output=True)
            times.append((time.monotonic() - began) * 1000)
        rows.append(row("berthctl --help, median", statistics.median(times), "ms", "< 20"))
        rows.append(row("berthd after the load, PSS", pss_kib(daemon.process.pid) / 1024, "MiB"))
    return rows
