# SPDX-License-Identifier: Apache-2.0
"""berthd's life: start, private folder, reload, worker, captive mode, service."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import unittest

from berthtest import Daemon, proc, workdir
from berthtest.daemon import Api

PLUGINS = os.path.join(proc.build_dir(), "tests", "plugin")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def berthd(*argv, env=None, timeout=180):
    return subprocess.run([Daemon.program("berthd"), *argv], capture_output=True, text=True,
                          timeout=timeout, check=False, env={**os.environ, **(env or {})})


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        self.state = os.path.join(self.dir, "state")
        self.plugins = os.path.join(self.dir, "plugins")
        os.makedirs(self.plugins)

    def daemon(self, **more):
        daemon = Daemon(self.dir, plugins=self.plugins, **more)
        self.addCleanup(daemon.stop)
        return daemon


class Private(Case):
    def test_everything_is_in_one_folder_that_is_its_users_alone(self):
        with self.daemon():
            proc.wait_until(lambda: os.path.exists(os.path.join(self.state, "worker.sock")),
                            "worker.sock is there")
            self.assertEqual(0o700, mode(self.state))
            for name in ("berth.sock", "worker.sock", "berth.db", "berth.key", "notify.sock"):
                self.assertEqual(0o600, mode(os.path.join(self.state, name)), name)
        left = sorted(name for name in os.listdir(self.state) if name.endswith(".sock"))
        self.assertEqual([], left)

    def test_the_key_is_made_once(self):
        key = os.path.join(self.state, "berth.key")
        with self.daemon():
            with open(key, "rb") as file:
                first = file.read()
        with self.daemon():
            with open(key, "rb") as file:
                self.assertEqual(first, file.read())

    def test_its_starting_user_is_administrator(self):
        with self.daemon() as daemon:
            caller = daemon.api.get("/v1")["caller"]
            self.assertEqual((os.geteuid(), "admin"), (caller["uid"], caller["role"]))

    def test_a_second_daemon_on_the_folder_is_turned_away(self):
        with self.daemon() as daemon:
            done = berthd("--state-dir", self.state, "--plugins", self.plugins)
            self.assertEqual(75, done.returncode)
            self.assertIn("another berthd is running on the state folder", done.stderr)
            self.assertTrue(daemon.is_ready())

    def test_a_folder_that_others_may_enter_is_refused(self):
        os.mkdir(self.state, 0o755)
        done = berthd("--state-dir", self.state, "--plugins", self.plugins)
        self.assertEqual(78, done.returncode)
        self.assertIn("may be entered by others (mode 0755, expected 0700)", done.stderr)

    def test_a_lost_or_foreign_key_is_never_overwritten(self):
        with self.daemon():
            pass
        key = os.path.join(self.state, "berth.key")
        with open(key, "w", encoding="ascii") as file:
            file.write("00" * 32 + "\n")
        done = berthd("--state-dir", self.state, "--plugins", self.plugins)
        self.assertEqual(78, done.returncode, done.stderr)
        with open(key, encoding="ascii") as file:
            self.assertEqual("00" * 32 + "\n", file.read())

    def test_it_opens_no_network_socket(self):
        proc.need("strace", "curl")
        trace = os.path.join(self.dir, "trace")
        done = subprocess.run(
            ["strace", "-qq", "-o", trace, "-e", "trace=socket,socketpair,bind,connect",
             Daemon.program("berthd"), "--state-dir", self.state, "--plugins", self.plugins,
             "--run", "curl -sf --unix-socket $BERTH_SOCKET http://b/v1/readyz"],
            capture_output=True, text=True, timeout=180, check=False,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.assertEqual(0, done.returncode, done.stderr)
        with open(trace, encoding="utf-8", errors="replace") as file:
            sockets = re.findall(r"^socket\((\w+)", file.read(), re.M)
        self.assertIn("AF_UNIX", sockets)
        self.assertEqual({"AF_UNIX"}, set(sockets))


class ExitCodes(Case):
    def test_usage_is_64(self):
        for argv in (["--nonsense"], ["operand"], ["--run", "true"],
                     ["--state-dir", self.state, "--run"]):
            done = berthd(*argv)
            self.assertEqual(64, done.returncode, argv)
            self.assertIn("usage: berthd", done.stderr)

    def test_version_and_help_are_0(self):
        self.assertRegex(berthd("--version").stdout, r"^berthd \d+\.\d+\.\d+\n$")
        self.assertIn("--state-dir DIR", berthd("--help").stdout)

    def test_a_missing_plugin_folder_is_66(self):
        done = berthd("--state-dir", self.state, "--plugins", os.path.join(self.dir, "none"))
        self.assertEqual(66, done.returncode)
        self.assertIn("the plugin folder", done.stderr)

    def test_no_socket_passed_to_a_service_is_66(self):
        config = os.path.join(self.dir, "berth.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write("# defaults\n")
        done = berthd("--config", config, env={"STATE_DIRECTORY": self.dir})
        self.assertEqual(66, done.returncode)
        self.assertIn("no socket named control was passed", done.stderr)

    def test_a_wrong_configuration_is_78_with_file_and_line(self):
        config = os.path.join(self.dir, "berth.conf")
        for text, message in (
                ("net: {\n  connect_sm = 1;\n};\n",
                 f"{config}:2: expected a known key, found net.connect_sm (did you mean "
                 "net.connect_ms?)"),
                ("@include \"/etc\"\n", f"{config}:1: expected no @include"),
                ("", f"{config}:1: expected at least a comment, found an empty file")):
            with open(config, "w", encoding="ascii") as file:
                file.write(text)
            for extra in ([], ["--check"], ["--init"]):
                done = berthd("--state-dir", self.state, "--plugins", self.plugins, "--config",
                              config, *extra)
                self.assertEqual(78, done.returncode)
                self.assertIn(message, done.stderr)
        os.unlink(config)
        self.assertEqual(78, berthd("--check", "--config", config).returncode)

    def test_check_says_what_is_used_and_changes_nothing(self):
        os.mkdir(self.state, 0o700)
        done = berthd("--state-dir", self.state, "--plugins", self.plugins, "--check")
        self.assertEqual(0, done.returncode)
        self.assertIn(f"store          {self.state}/berth.db\n", done.stdout)
        self.assertEqual([], os.listdir(self.state))

    def test_init_makes_key_and_store(self):
        done = berthd("--state-dir", self.state, "--plugins", self.plugins, "--init")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(0o600, mode(os.path.join(self.state, "berth.key")))
        self.assertTrue(os.path.exists(os.path.join(self.state, "berth.db")))

    def test_a_damaged_store_is_78_and_not_tried_again(self):
        berthd("--state-dir", self.state, "--plugins", self.plugins, "--init")
        with open(os.path.join(self.state, "berth.db"), "wb") as file:
            file.write(b"no store\n" * 1000)
        done = berthd("--state-dir", self.state, "--plugins", self.plugins)
        self.assertEqual(78, done.returncode, done.stderr)
        self.assertIn("is not a database: restore a backup", done.stderr)

    def test_a_path_too_long_for_a_socket_is_named(self):
        long = os.path.join(self.dir, "d" * 120)
        done = berthd("--state-dir", long, "--plugins", self.plugins)
        self.assertEqual(78, done.returncode)
        self.assertIn("is too long for a socket, which may have 107 bytes", done.stderr)


class Captive(Case):
    def run_captive(self, *command):
        return berthd("--state-dir", self.state, "--plugins", self.plugins, "--run", *command)

    def test_it_ends_with_the_commands_status(self):
        self.assertEqual(0, self.run_captive("true").returncode)
        self.assertEqual(7, self.run_captive("exit 7").returncode)
        self.assertEqual(3, self.run_captive("sh", "-c", "exit 3").returncode)
        self.assertEqual(143, self.run_captive("kill -TERM $$").returncode)
        self.assertEqual(141, self.run_captive("kill -PIPE $$").returncode)
        self.assertEqual(127, self.run_captive("/nonexistent/command", "x").returncode)

    def test_the_command_finds_the_socket_and_is_given_its_words_as_they_are(self):
        done = self.run_captive("sh", "-c", 'test -S "$BERTH_SOCKET" && echo "$1|$2"', "-", "a b",
                                "--version")
        self.assertEqual((0, "a b|--version\n"), (done.returncode, done.stdout))

    def test_nothing_is_left_running(self):
        done = self.run_captive("echo $PPID")
        self.assertFalse(os.path.exists(f"/proc/{done.stdout.strip()}"))
        self.assertEqual([], [name for name in os.listdir(self.state) if name.endswith(".sock")])


class WorkersLife(Case):
    CONFIG = "jobs: { restart_ms = 50; restart_max_ms = 400; };\n"
    # A worker that lived for restart_max_ms is no storm.
    STORM = "jobs: { restart_ms = 400; restart_max_ms = 6000; };\n"
    WATCHED = CONFIG.replace("};", "watchdog_ms = 3000; trial_ms = 3000; };")

    def test_a_killed_worker_is_started_again(self):
        with self.daemon(config=self.CONFIG) as daemon:
            first = daemon.worker()
            os.kill(first, signal.SIGKILL)
            proc.wait_until(lambda: daemon.worker() != first, "there is another worker")
            self.assertIn("the worker ended by SIGKILL and is started again in 50 ms",
                          daemon.log())
            self.assertTrue(daemon.is_ready())

    def test_a_stopped_worker_is_replaced(self):
        with self.daemon(config=self.WATCHED) as daemon:
            first = daemon.worker()
            os.kill(first, signal.SIGSTOP)
            proc.wait_until(lambda: daemon.worker() != first, "there is another worker")
            self.assertIn("is silent and is replaced", daemon.log())

    def test_a_worker_that_cannot_live_is_not_started_in_a_storm(self):
        with self.daemon(config=self.STORM) as daemon:
            daemon.worker()
            os.rmdir(self.plugins)
            os.kill(daemon.worker(), signal.SIGKILL)
            proc.wait_until(lambda: "is started again in 3200 ms" in daemon.log(),
                            "the pause has grown")
            pauses = [int(ms) for ms in re.findall(r"started again in (\d+) ms", daemon.log())]
            self.assertEqual([400, 800, 1600, 3200], pauses[:4])
            os.mkdir(self.plugins)
            self.assertTrue(daemon.is_ready())

    def test_the_worker_dies_with_a_killed_daemon(self):
        daemon = self.daemon(config=self.CONFIG)
        daemon.start()
        worker = daemon.worker()
        daemon.kill()
        proc.wait_until(lambda: not os.path.exists(f"/proc/{worker}"), "the worker is gone")

    def test_sigterm_ends_it_in_order_with_0(self):
        daemon = self.daemon(config=self.CONFIG).start()
        worker = daemon.worker()
        daemon.process.signal(signal.SIGTERM)
        self.assertEqual(0, daemon.process.popen.wait(120))
        self.assertFalse(os.path.exists(f"/proc/{worker}"))


    def test_a_job_that_no_worker_takes_any_more_does_not_hold_up_the_end(self):
        """Ctrl-C at a terminal goes to berthd and to its worker at once."""
        config = self.CONFIG + "daemon: { stop_grace_ms = 600000; };\n"
        daemon = Daemon(self.dir, config=config).start()
        self.addCleanup(daemon.stop)
        proc.wait_until(lambda: daemon.api.get("/v1/plugins")["items"], "plugins are known")
        worker = daemon.worker()
        os.kill(worker, signal.SIGSTOP)
        made = daemon.api.post("/v1/integrations", {"name": "hub", "kind": "dockerreg",
                                                    "address": "http://127.0.0.1:1"})
        proc.wait_until(lambda: daemon.api.get(f"/v1/operations/{made['id']}")["state"] ==
                        "running", "the job waits to be taken")
        daemon.process.signal(signal.SIGTERM)
        proc.wait_until(lambda: "stopping" in daemon.log(), "it is stopping")
        os.kill(worker, signal.SIGKILL)
        self.assertEqual(0, daemon.process.popen.wait(180))
        with Daemon(self.dir, config=config) as again:
            ended = again.api.wait(made["id"])
            self.assertEqual("failed", ended["state"])


class Reload(Case):
    def test_a_wrong_file_leaves_the_old_settings_and_the_daemon_alone(self):
        hooks = 'hooks: { certificate = "/etc/berth/own.pem"; key = "/etc/berth/%s.pem"; };\n'
        with self.daemon(config="http: { connections_max = 77; };\n" + hooks % "a") as daemon:
            path = os.path.join(self.dir, "berth.conf")
            self.assertEqual(77, daemon.api.get("/v1")["limits"]["connections"])
            self.write(path, "http: { connections_max = 0; };\n")
            daemon.process.signal(signal.SIGHUP)
            proc.wait_until(lambda: "the old configuration stays" in daemon.log(), "it says so")
            self.assertIn(f"{path}:1: expected a whole number from 1 to 8000 for "
                          "http.connections_max", daemon.log())
            self.assertEqual(77, daemon.api.get("/v1")["limits"]["connections"])
            self.write(path, "http: { connections_max = 78; };\njobs: { children_max = 3; };\n" +
                       hooks % "b")
            daemon.process.signal(signal.SIGHUP)
            proc.wait_until(
                lambda: daemon.api.get("/v1")["limits"]["connections"] == 78, "it is taken")
            for key in ("jobs.children_max", "hooks.key"):
                self.assertIn(f"{key} counts from the next start on", daemon.log())
            self.assertNotIn("hooks.certificate counts", daemon.log())

    def test_its_answer_has_the_plugins_as_they_are_now(self):
        fixture = os.path.join(self.plugins, "fixture.so")
        broken = os.path.join(self.plugins, "broken.so")
        with self.daemon() as daemon:
            for _ in range(4):
                shutil.copy(os.path.join(PLUGINS, "fixture.so"), fixture)
                done = daemon.api.call("POST", "/v1/reload")
                self.assertEqual([{"name": "fixture", "ok": True}], done["plugins"])
                self.assertTrue(daemon.api.get("/v1/plugins/fixture")["ok"])
                os.unlink(fixture)
                done = daemon.api.call("POST", "/v1/reload")
                self.assertEqual([], done["plugins"])
                self.assertEqual([], daemon.api.get("/v1/plugins")["items"])
            self.write(broken, "no object\n")
            done = daemon.ctl("daemon", "reload")
            self.assertEqual(0, done.returncode)
            self.assertIn("plugins loaded: 0\n", done.stderr)
            why = "the file is not an ELF shared object"
            self.assertIn("plugin broken is not loaded: " + why, done.stderr)
            shown = daemon.ctl("plugin", "show", "broken")
            self.assertIn(why, shown.stdout)
            self.assertIn("then: berthctl daemon reload", shown.stderr)
            refused = daemon.ctl("integration", "add", "x", "--kind", "broken",
                                 "--address", "http://127.0.0.1:1")
            self.assertIn("see berthctl plugin show broken", refused.stderr)

    def test_its_answer_names_what_needs_a_restart(self):
        with self.daemon(config="http: { connections_max = 77; };\n") as daemon:
            self.write(os.path.join(self.dir, "berth.conf"), "jobs: { children_max = 3; };\n")
            done = daemon.ctl("daemon", "reload")
            self.assertIn("needs a restart: jobs.children_max\n", done.stderr)
            self.assertEqual({"reloaded": True, "needs_restart": [], "plugins": []},
                             daemon.api.call("POST", "/v1/reload"))

    def test_it_waits_for_a_worker_that_is_being_replaced(self):
        with self.daemon() as daemon:
            daemon.api.call("POST", "/v1/reload")
            os.kill(daemon.worker(), signal.SIGKILL)
            self.assertEqual([], daemon.api.call("POST", "/v1/reload")["plugins"])

    @staticmethod
    def write(path, text):
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)


class Service(Case):
    """As the service manager runs it: sockets passed, words on NOTIFY_SOCKET."""

    def listen(self, path, kind=socket.SOCK_STREAM):
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(path)
        if kind != socket.SOCK_DGRAM:
            sock.listen(16)
        self.addCleanup(sock.close)
        return sock

    def start(self, config):
        path = os.path.join(self.dir, "berth.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(config)
        self.control = os.path.join(self.dir, "control")
        listening = self.listen(self.control)
        self.notify = self.listen(os.path.join(self.dir, "notify"), socket.SOCK_DGRAM)
        self.notify.settimeout(120)
        credentials = os.path.join(self.dir, "credentials")
        os.makedirs(credentials, exist_ok=True)
        env = {"STATE_DIRECTORY": self.dir, "CREDENTIALS_DIRECTORY": credentials,
               "NOTIFY_SOCKET": os.path.join(self.dir, "notify"), "WATCHDOG_USEC": "300000",
               "LISTEN_FDS": "1", "LISTEN_FDNAMES": "control"}
        shell = 'exec 3<&"$0"; export LISTEN_PID=$$; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, str(listening.fileno()), Daemon.program("berthd"), "--config",
             path, "--plugins", self.plugins], env={**os.environ, **env},
            pass_fds=[listening.fileno()], stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(self.process.kill)

    def hear(self, word):
        """Everything up to a notification with that word, which comes last."""
        heard = []
        while not heard or word not in heard[-1]:
            heard.append(self.notify.recv(4096).decode())
        return heard

    def test_ready_watchdog_reload_and_stop_are_told(self):
        self.start("jobs: { plugins_wait_ms = 10; };\n")
        status = [line for line in self.hear("READY=1") if line.startswith("STATUS=")]
        self.assertIn("degraded: no master key: secrets are off", status[-1])
        self.hear("WATCHDOG=1")
        self.hear("WATCHDOG=1")
        server = Api(self.control).get("/v1")
        self.assertEqual("admin" if os.geteuid() == 0 else "none", server["caller"]["role"])
        if os.geteuid() == 0:
            refused = Api(self.control).request("GET", "/v1/plugins")
            self.assertEqual(503, refused.status)
            self.assertEqual("the worker has not said its plugins yet", refused.body["detail"])
            self.assertEqual("systemctl status berth-worker", refused.body["hint"])
            done = Api(self.control).call("POST", "/v1/reload")
            self.assertTrue(done["reloaded"])
            self.assertIn("the worker cannot be reached", done["worker"])
        self.process.send_signal(signal.SIGHUP)
        self.assertRegex(self.hear("RELOADING=1")[-1], r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
        self.hear("READY=1")
        self.process.send_signal(signal.SIGTERM)
        self.hear("STOPPING=1")
        self.assertEqual(0, self.process.wait(120))
        self.assertTrue(os.path.exists(self.control), "the socket belongs to its unit")


if __name__ == "__main__":
    unittest.main()
