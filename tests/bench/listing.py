# SPDX-License-Identifier: Apache-2.0
"""Lists of a full store through the socket: 1 000 integrations, 10 000 spaces,
100 000 tags. One row of each is made by the daemon, the others are its copies,
written while it is stopped.
"""

import os
import sqlite3
import time
import uuid

from berthtest import Client, Daemon, Image, Registry
from berthtest.images import random_layer
from control import pss_kib

INTEGRATIONS, SPACES, REPOSITORIES, TAGS = 1000, 10000, 2000, 100000
CONFIG = "integrations: { probe_period_s = 86400; refresh_period_s = 0; };"
LOOKS = 20
PATHS = ("/v1/integrations?limit=100", "/v1/integrations?limit=1000", "/v1/spaces?limit=1000",
         "/v1/spaces?limit=100&sort=-name", "/v1/spaces?limit=100&q=space99",
         "/v1/images?q=app&limit=100", "/v1/images?q=v4%20team1&limit=1000")


def copy_row(store, table, count, change):
    """count copies of the newest row; change(members, number) makes each its own."""
    names = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
    first = store.execute(f"SELECT * FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()
    marks = ",".join("?" * len(names))
    for number in range(count):
        members = dict(zip(names, first))
        change(members, number)
        store.execute(f"INSERT INTO {table} VALUES ({marks})", [members[n] for n in names])


def fill(path):
    store = sqlite3.connect(path)
    ids = [str(uuid.uuid4()) for _ in range(INTEGRATIONS - 1)]
    first = store.execute("SELECT MAX(id) + 1 FROM repositories").fetchone()[0]
    per = TAGS // REPOSITORIES
    copy_row(store, "integrations", len(ids),
             lambda row, n: row.update(id=ids[n], name=f"hub{n}"))
    copy_row(store, "spaces", SPACES - 1, lambda row, n: row.update(
        id=str(uuid.uuid4()), name=f"space{n}", integration_id=ids[n % len(ids)]))
    copy_row(store, "repositories", REPOSITORIES, lambda row, n: row.update(
        id=first + n, name=f"team{n // 10}/app{n}"))
    copy_row(store, "tags", TAGS, lambda row, n: row.update(
        repository_id=first + n // per, name=f"v{n % per}"))
    store.commit()
    store.close()


def look(daemon, path):
    times = []
    for _ in range(LOOKS):
        begin = time.monotonic()
        page = daemon.api.get(path)
        times.append((time.monotonic() - begin) * 1000)
    times.sort()
    return {"list": path, "items": len(page["items"]), "of": page.get("total", ""),
            "median ms": f"{times[LOOKS // 2]:.1f}", "worst ms": f"{times[-1]:.1f}",
            "berthd MiB": f"{pss_kib(daemon.process.pid) / 1024:.1f}", "must": "< 200 ms"}


def measure(folder):
    with Daemon(os.path.join(folder, "berth"), config=CONFIG) as daemon, \
            Registry(os.path.join(folder, "registry")) as registry:
        with Client(registry.url) as client:
            client.push("first/app", Image([random_layer("first", 300)]), "v")
        daemon.add("hub", registry.url)
        daemon.ctl_ok("integration", "refresh", "hub")
        daemon.stop()
        fill(os.path.join(daemon.state, "berth.db"))
        daemon.start()
        return [look(daemon, path) for path in PATHS]
