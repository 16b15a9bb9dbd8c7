# SPDX-License-Identifier: Apache-2.0
"""The image search over 1 000 000 tags: through the socket, beside pg_trgm."""

import glob
import json
import os
import pwd
import random
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.parse

from berthtest import Daemon
from berthtest.proc import build_dir, wait_until

from control import STARTS, pss_kib, row, start_to_ready_ms

PROGRAM = os.path.join(build_dir(), "tests", "selectbench")
QUERIES = 650
PG_QUERIES = 40


def queries(count):
    """Texts of 1 to 20 characters: pieces of references, and some that nothing has."""
    dice = random.Random(7)
    found = []
    for number in range(count):
        repository = dice.randrange(20000)
        reference = (f"reg{repository % 5}/project-{repository % 200:03d}/app-{repository:05d}-"
                     f"{('web', 'api', 'worker', 'base')[repository // 7 % 4]}:"
                     f"v{dice.randrange(5)}.{dice.randrange(10)}.{dice.randrange(40)}")
        size = 1 + number % 20
        at = dice.randrange(max(1, len(reference) - size))
        text = reference[at:at + size]
        found.append(text[::-1] + "q" if number % 10 == 9 else text)
    return found


def ask(daemon, texts, more):
    targets = "".join(f"/v1/images?q={urllib.parse.quote(text, safe='')}{more}\n"
                      for text in texts)
    done = subprocess.run([PROGRAM, "ask", daemon.socket], input=targets, check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(folder):
    daemon = Daemon(folder)
    os.makedirs(daemon.state, mode=0o700, exist_ok=True)
    with Daemon(folder):  # a store and its key
        pass
    store = os.path.join(daemon.state, "berth.db")
    subprocess.run([PROGRAM, "seed", store], check=True)
    rows = [row("database of 1 000 000 tags", os.path.getsize(store) / 1e6, "MB", "< 200"),
            row("start to READY=1 with them, median", statistics.median(
                start_to_ready_ms(folder) for _ in range(STARTS)), "ms", "< 100")]
    with daemon:
        began = time.monotonic()
        wait_until(lambda: daemon.api.get("/v1/images?q=x&limit=1")["complete"],
                   "the index is read", 60, step=0.01)
        rows.append(row("READY to all of 1 000 000 tags searchable, at most",
                        (time.monotonic() - began) * 1000, "ms", "< 500"))
        texts = queries(QUERIES)
        for name, more, must in (("1 space", "&workspace=bound-1", "< 3"),
                                 ("10 spaces", "&workspace=bound-10", "< 3"),
                                 ("50 spaces", "&workspace=bound-50", "< 3"),
                                 ("all 200 spaces", "", "< 10")):
            found = ask(daemon, texts, more + "&limit=20")
            rows.append(row(f"search, {name}, p50", found["p50_us"] / 1000, "ms"))
            rows.append(row(f"search, {name}, p99", found["p99_us"] / 1000, "ms", must))
        rows.append(row("berthd after these searches, PSS", pss_kib(daemon.process.pid) / 1024,
                        "MiB", "< 40"))
    return rows + postgres(store, texts[:PG_QUERIES])


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name)


def postgres(store, texts):
    """The same rows with PostgreSQL's pg_trgm: a count and a page, in all spaces."""
    if not all(program(name) for name in ("initdb", "pg_ctl", "psql")):
        return []
    with tempfile.TemporaryDirectory(prefix="berth-pg-") as folder:
        user = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            entry = pwd.getpwnam("postgres")
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(folder, entry.pw_uid, entry.pw_gid)

        def call(name, *args, **more):
            return subprocess.run([program(name), *args], cwd=folder, check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **user,
                                  **more).stdout

        data = os.path.join(folder, "data")
        call("initdb", "-D", data, "-U", "berth", "-A", "trust", "-E", "UTF8", "--locale=C",
             "--no-sync")
        call("pg_ctl", "-D", data, "-w", "-l", os.path.join(folder, "log"), "-o",
             f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=256MB", "start")
        try:
            return trigrams(store, texts, lambda script: call(
                "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "berth", "-d",
                "postgres", "-A", "-t", "-f", "-", input=script))
        except subprocess.CalledProcessError as error:
            print(f"pg_trgm is left out: {error.stdout.strip()[:200]}")
            return []
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")


def trigrams(store, texts, psql):
    with sqlite3.connect(store) as base:
        lines = [f"{name}/{repository}:{tag}" for name, repository, tag in base.execute(
            "SELECT i.name, r.name, t.name FROM tags t JOIN repositories r "
            "ON r.id = t.repository_id JOIN integrations i ON i.id = r.integration_id")]
    psql("CREATE EXTENSION pg_trgm; CREATE TABLE tags (reference text);\n"
         "COPY tags FROM STDIN;\n" + "\n".join(lines) + "\n\\.\n"
         "CREATE INDEX ON tags USING gin (reference gin_trgm_ops); ANALYZE tags;\n")
    script = "\\timing on\n"
    for text in texts:
        like = "'%" + text.replace("'", "''").replace("_", "\\_") + "%'"
        script += (f"SELECT count(*) FROM tags WHERE reference ILIKE {like};\n"
                   f"SELECT reference FROM tags WHERE reference ILIKE {like} "
                   "ORDER BY reference LIMIT 20;\n")
    times = [float(line.split()[1]) for line in psql(script).splitlines()
             if line.startswith("Time: ")]
    both = sorted(times[at] + times[at + 1] for at in range(0, len(times), 2))
    return [row("pg_trgm on the same rows, count and page, p50", both[len(both) // 2], "ms"),
            row("pg_trgm on the same rows, count and page, worst", both[-1], "ms")]
