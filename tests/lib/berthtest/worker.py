# SPDX-License-Identifier: Apache-2.0
"""A worker alone (berthd --worker) and jobs on its socket, as berthd asks."""

import json
import os
import shutil
import socket

from .proc import Process, build_dir, wait_until

FRAME_MAX = 64 * 1024

# In a sanitized build a crash stays a signal, as it is in the real one.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [
    os.environ.get("ASAN_OPTIONS"), "handle_segv=0", "handle_abort=0"]))


def is_sanitized():
    """Is berthd built with a sanitizer? Those take address space by terabytes."""
    with open(os.path.join(build_dir(), "berthd"), "rb") as file:
        data = file.read()
    return b"__asan_init" in data or b"__tsan_init" in data


class Job:
    """One connection: the call goes out at once, frames are read as they come."""

    def __init__(self, path, call, timeout=120):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.frames = []
        if call is not None:
            self.send({"t": "call", "job": "j1", "request": "r1", "deadline_ms": 60000,
                       "args": {}, "instances": {}, **call})

    def send(self, frame):
        self.sock.send(frame if isinstance(frame, bytes) else json.dumps(frame).encode())

    def read(self):
        """The next frame; None at the end of the connection."""
        data = self.sock.recv(FRAME_MAX + 1)
        if not data:
            return None
        frame = json.loads(data)
        self.frames.append(frame)
        return frame

    def until(self, kind):
        """Read up to the first frame of that type."""
        while True:
            frame = self.read()
            if frame is None or frame["t"] == kind:
                return frame

    def cancel(self):
        self.send({"t": "cancel"})
        self.sock.shutdown(socket.SHUT_WR)

    def result(self):
        """Read to the result; None where the connection ended without one."""
        found = self.until("result")
        self.sock.close()
        return found

    def of(self, kind):
        return [frame for frame in self.frames if frame["t"] == kind]

    def items(self):
        return self.of("item")


class Worker:
    """berthd --worker on a folder of its own, with the test plugins named."""

    def __init__(self, folder, plugins=("fixture",), config=None):
        self.dir = folder
        self.socket = os.path.join(folder, "state", "worker.sock")
        self.plugins = os.path.join(folder, "plugins")
        self.log_path = os.path.join(folder, "worker.log")
        self.config = config
        self.process = None
        os.makedirs(self.plugins, exist_ok=True)
        for name in plugins:
            shutil.copy(os.path.join(build_dir(), "tests", "plugin", name + ".so"), self.plugins)

    def start(self):
        os.makedirs(os.path.dirname(self.socket), mode=0o700, exist_ok=True)
        argv = [os.path.join(build_dir(), "berthd"), "--worker", "--state-dir",
                os.path.dirname(self.socket), "--plugins", self.plugins]
        if self.config:
            path = os.path.join(self.dir, "berth.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.config)
            argv += ["--config", path]
        self.process = Process(argv, self.log_path)
        self.process.wait_for(self.is_ready, "it takes jobs")
        return self

    def is_ready(self):
        try:
            return Job(self.socket, {"kind": "plugins"}).result() is not None
        except OSError:
            return False

    def stop(self):
        status = self.process.stop() if self.process else 0
        self.process = None
        return status

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def job(self, kind, act="well", args=None, **more):
        """A job on an instance of the fixture plugin; see tests/plugin/fixture.c."""
        options = {"address": "http://127.0.0.1:1", "act": act, **more.pop("options", {})}
        instance = {"plugin": "fixture", "options": options, **more.pop("instance", {})}
        return Job(self.socket, {"kind": kind, "args": {"instance": "it", **(args or {})},
                                 "instances": {"it": instance}, **more})

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def wait_idle(self):
        wait_until(lambda: not self.children(), "the worker has no children")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
