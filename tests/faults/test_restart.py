# SPDX-License-Identifier: Apache-2.0
"""berthd is replaced under load, as an upgrade does it: the socket stays with the
service manager, and each request is answered or told to come again."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import unittest

from berthtest import Daemon, proc, workdir
from berthtest.daemon import Api

CALLERS = 4
LIVES = 4


class Upgrade(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        self.control = os.path.join(self.dir, "control")
        self.config = os.path.join(self.dir, "berth.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write("jobs: { plugins_wait_ms = 10; };\n")  # there is no worker
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(self.listening.close)
        self.listening.bind(self.control)
        self.listening.listen(64)
        self.process = None

    def start(self):
        env = {**os.environ, "STATE_DIRECTORY": self.dir, "LISTEN_FDS": "1",
               "LISTEN_FDNAMES": "control"}
        env.pop("NOTIFY_SOCKET", None)
        shell = 'exec 3<&"$0"; export LISTEN_PID=$$; exec "$@"'
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", shell, str(self.listening.fileno()), Daemon.program("berthd"),
                 "--config", self.config, "--plugins", self.dir], env=env, stderr=log,
                pass_fds=[self.listening.fileno()])
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def call(self, ended, answers):
        while not ended.is_set():
            try:
                answer = Api(self.control).request("GET", "/v1")
                answers.append((answer.status, answer.headers.get("Retry-After")))
            except (OSError, http.client.HTTPException) as error:
                answers.append((0, repr(error)))

    def test_each_request_is_answered_or_told_to_come_again(self):
        ended, answers = threading.Event(), []
        callers = [threading.Thread(target=self.call, args=(ended, answers))
                   for _ in range(CALLERS)]
        self.start()
        for caller in callers:
            caller.start()
        try:
            for _ in range(LIVES):
                before = len(answers)
                proc.wait_until(lambda at=before: len(answers) >= at + 50, "it answers")
                self.process.send_signal(signal.SIGTERM)
                self.assertEqual(0, self.process.wait(120))
                self.start()
            before = len(answers)
            proc.wait_until(lambda: len(answers) >= before + 50, "the last one answers")
        finally:
            ended.set()
            for caller in callers:
                caller.join(180)
        wrong = [one for one in answers if one[0] != 200 and (one[0] != 503 or not one[1])]
        self.assertEqual([], wrong[:5], f"{len(wrong)} of {len(answers)}")
        self.assertGreater(sum(status == 200 for status, _ in answers), 200)


if __name__ == "__main__":
    unittest.main()
