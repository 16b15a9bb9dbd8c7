#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The hostile registry by hand.

    tests/hostile/hostile.py --list [TEXT]    the table, or its rows with TEXT
    tests/hostile/hostile.py CASE...          play the cases, a port each, until
                                              Ctrl-C; then tell what strangers got

A case of the source holds the image `case/app:latest`; a case of the target is
empty. To log in, where a case asks: canary-user, canary-pa55word.
"""

import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import cases_auth  # noqa: E402,F401
import cases_net  # noqa: E402,F401
import cases_source  # noqa: E402,F401
import cases_target  # noqa: E402,F401
from certificates import Certificates  # noqa: E402
from table import CASES, PASSWORD, SOURCE  # noqa: E402

NAME, TAG = "case/app", "latest"


def show(text=""):
    for one in CASES:
        line = f"{one.id:34} {one.end:6} {one.fault:10} {one.does}\n{'':52} -> {one.must}"
        if text in line:
            print(line)


def play(names):
    known = {one.id: one for one in CASES}
    for name in names:
        if name not in known:
            sys.exit(f"hostile.py: no case is called {name}; see --list")
    with tempfile.TemporaryDirectory(prefix="berth-hostile-") as folder:
        certificates = Certificates(folder)
        running = []
        for name in names:
            server = known[name].start(certificates)
            if known[name].end == SOURCE:
                known[name].load(server.registry, NAME, TAG)
            running.append((name, server))
            print(f"{name}: {server.url} ({known[name].does}; must: {known[name].must})",
                  flush=True)
        if any(known[name].tls for name in names):
            print(f"authority to trust: {certificates.ca}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print()
        for name, server in running:
            report(name, server)


def report(name, server):
    print(f"{name}: " + (", ".join(f"{kind} {count}" for kind, count in
                                   sorted(server.counts.items())) or "nothing asked"))
    stranger = server.stranger
    if stranger and stranger.seen:
        print(f"  a stranger was asked {len(stranger.seen)} times")
        for text in stranger.carried(PASSWORD, "Authorization", "authorization", "canary"):
            print("  WITH A CREDENTIAL: " + text.splitlines()[0])
    server.stop()
    if stranger:
        stranger.stop()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) > 1 else 2)
    if sys.argv[1] == "--list":
        show(" ".join(sys.argv[2:]))
    else:
        play(sys.argv[1:])
