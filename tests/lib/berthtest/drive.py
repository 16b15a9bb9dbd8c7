# SPDX-License-Identifier: Apache-2.0
"""Calls one slot of a plugin through build/tests/drive, a host made of the
environment, and reads what it printed."""

import json
import os
import subprocess
import unittest

from .proc import build_dir


class Done:
    """What a call printed: its items, and its error as a dict or None."""

    def __init__(self, status, out, err):
        lines = [json.loads(line) for line in out.splitlines()]
        self.error = lines.pop()["error"] if lines and "error" in lines[-1] else None
        self.items, self.status, self.stderr, self.text = lines, status, err, out + err

    def of(self, kind):
        return [item for item in self.items if item["kind"] == kind]

    def names(self, kind):
        return [item["name"] for item in self.of(kind)]

    def facts(self):
        return {item["name"]: item["more"]["value"] for item in self.of("fact")}


def drive(plugin, options, slot, *args, preload="", **env):
    """Call one slot; env are BERTH_ variables of the driver in lower case, preload
    is a shared object that it is started with."""
    program = os.path.join(build_dir(), "tests", "drive")
    if not os.path.exists(program):
        raise unittest.SkipTest(f"{program} is not built (make {program})")
    given = {f"BERTH_OPT_{key}": str(value) for key, value in options.items()}
    given.update({f"BERTH_{key.upper()}": str(value) for key, value in env.items()})
    if preload:
        given["LD_PRELOAD"] = preload
    done = subprocess.run([program, os.path.join(build_dir(), "plugins", plugin + ".so"), slot,
                           *args], capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "BERTH_OPT_net_backoff_ms": "10", **given})
    if done.returncode not in (0, 1):
        raise AssertionError(f"drive ended with {done.returncode}: {done.stderr}")
    return Done(done.returncode, done.stdout, done.stderr)
