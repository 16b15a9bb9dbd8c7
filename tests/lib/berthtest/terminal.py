# SPDX-License-Identifier: Apache-2.0
"""berthctl in a pipe and on a terminal of its own, and the commands that it has."""

import errno
import os
import pty
import re
import select
import signal
import subprocess
import time

from .daemon import Daemon

CTL = Daemon.program("berthctl")


def run(*args, stdin=None, env=None, **more):
    """berthctl in a pipe, without a daemon unless env names one."""
    clean = {name: value for name, value in os.environ.items()
             if name not in ("BERTH_SOCKET", "BERTH_CONTEXT", "NO_COLOR", "CLICOLOR_FORCE")}
    return subprocess.run([CTL, *map(str, args)], input=stdin, capture_output=True, text=True,
                          timeout=180, check=False,
                          env={**clean, "LC_ALL": "C.UTF-8", **(env or {})}, **more)


# A shell's background job ignores SIGINT, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """berthctl, or another program, on a terminal of its own; both streams arrive there."""

    def __init__(self, *args, env=None, columns=100, stdout=None, program=CTL):
        self.master, slave = pty.openpty()
        self.seen = ""
        full = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "LC_ALL": "C.UTF-8",
                "PAGER": "cat", **(env or {})}
        for name in ("NO_COLOR", "CLICOLOR_FORCE"):
            if name not in (env or {}):
                full.pop(name, None)
        def own_terminal():
            import fcntl
            import termios
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what nohup ignores stays ignored
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen([program, *map(str, args)], stdin=slave,
                                        stdout=stdout or slave, stderr=slave, env=full,
                                        preexec_fn=own_terminal)
        os.close(slave)

    def _read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def until(self, text, seconds=120.0):
        """Read until text (a regular expression) has been seen."""
        end = time.monotonic() + seconds
        while not re.search(text, self.seen):
            if time.monotonic() > end or not self._read(0.2):
                raise AssertionError(f"{text!r} did not come:\n{self.seen}")
        return self

    def send(self, text):
        os.write(self.master, text.encode())
        return self

    def end(self, seconds=120.0):
        """Read to the end; the exit status."""
        end = time.monotonic() + seconds
        while self._read(0.2) and time.monotonic() < end:
            if self.process.poll() is not None and not select.select([self.master], [], [], 0)[0]:
                break
        status = self.process.wait(60)
        os.close(self.master)
        return status


def all_commands():
    """Every noun and verb, from the program's own completion."""
    for line in run("__complete", "").stdout.splitlines():
        noun = line.split("\t")[0]
        verbs = [verb.split("\t")[0] for verb in run("__complete", noun, "").stdout.splitlines()
                 if "\t" in verb]
        for words in [[noun, verb] for verb in verbs] or [[noun]]:
            yield words
