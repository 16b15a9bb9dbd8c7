# SPDX-License-Identifier: Apache-2.0
"""berthctl as a user meets it: at a terminal, in a pipe, in a script."""

import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import unittest

from berthtest import Client, Daemon, Image, Link, Registry, proc, sets, workdir
from berthtest.images import random_layer
from berthtest.terminal import CTL, Terminal, all_commands, run

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


class WithoutDaemon(unittest.TestCase):
    def setUp(self):
        self.dir = workdir(self)
        self.env = {"XDG_CONFIG_HOME": self.dir, "HOME": self.dir}

    def test_every_command_has_help_with_two_examples(self):
        commands = list(all_commands())
        self.assertGreater(len(commands), 40)
        for words in commands:
            done = run(*words, "--help")
            self.assertEqual(0, done.returncode, words)
            examples = done.stdout.split("\nExamples\n")[1]
            self.assertGreaterEqual(examples.count("berthctl"), 2, words)
            self.assertIn("Usage\n  berthctl " + words[0], done.stdout)

    def test_help_goes_to_stdout_and_usage_errors_to_stderr(self):
        self.assertIn("Commands", run().stdout)
        done = run("nonsense")
        self.assertEqual((2, ""), (done.returncode, done.stdout))
        self.assertIn("error: there is no command 'nonsense'", done.stderr)

    def test_wrong_words_are_met_with_what_was_meant(self):
        for words, meant in ((("spce", "list"), "berthctl space"),
                             (("space", "lst"), "berthctl space list"),
                             (("space", "list", "--integratoin", "x"), "--integration"),
                             (("help", "topic", "reference"), "references")):
            done = run(*words)
            self.assertEqual(2, done.returncode)
            self.assertIn("did you mean", done.stderr)
            self.assertIn(meant, done.stderr)

    def test_without_a_daemon_the_exit_is_6_and_says_where_it_looked(self):
        done = run("space", "list", "--socket", self.dir + "/none", env=self.env)
        self.assertEqual(6, done.returncode)
        self.assertIn(self.dir + "/none", done.stderr)
        self.assertIn("hint:", done.stderr)
        self.assertNotIn("errno", done.stderr.lower())

    def test_what_arises_in_the_client_is_a_document_too(self):
        done = run("space", "list", "--socket", self.dir + "/none", "-o", "json", env=self.env)
        problem = json.loads(done.stderr)
        self.assertEqual((6, "unavailable"), (done.returncode, problem["code"]))
        self.assertIn(self.dir + "/none", problem["detail"])
        self.assertEqual(f"ls -l {self.dir}/none", problem["hint"])
        for words in (["space", "list", "--nope", "-o", "json"], ["spce", "--output=ndjson"],
                      ["image", "show", "-ojson"], ["image", "show", "x", "-o", "json"]):
            done = run(*words, env=self.env)
            problem = json.loads(done.stderr)
            self.assertEqual(2, done.returncode, words)
            self.assertIn(problem["code"], ("usage", "invalid"))
        self.assertIn("did you mean", json.loads(run("spce", "-o", "json").stderr)["hint"])
        self.assertIn("error: ", run("space", "--nope", "--", "-o", "json").stderr)

    def test_a_problem_of_a_daemon_gone_wrong_is_harmless_at_a_terminal(self):
        body = json.dumps({"status": 404, "detail": "x\u202e\u009b"}, ensure_ascii=False).encode()
        path = os.path.join(self.dir, "odd")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(path)
            door.listen()
            child = subprocess.Popen([CTL, "space", "list", "--socket", path, "-o", "json"],
                                     stderr=subprocess.PIPE, text=True)
            with door.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n"
                             b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                said = child.communicate(timeout=120)[1]
        self.assertEqual(3, child.returncode)
        self.assertIn("x\\u202e\\u009b", said)
        self.assertEqual("x\u202e\u009b", json.loads(said)["detail"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv")
    def test_a_refused_connect_names_the_missing_group(self):
        path = os.path.join(self.dir, "sock")
        os.chmod(self.dir, 0o755)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            os.chmod(path, 0o660)
            shutil.copy(CTL, self.dir)
            done = subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 os.path.join(self.dir, "berthctl"), "space", "list", "--socket", path],
                capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(4, done.returncode)
        self.assertIn("is not in group root", done.stderr)
        self.assertIn("log in anew", done.stderr)

    def test_what_answers_but_is_no_berthd_is_said_so(self):
        path = os.path.join(self.dir, "sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            child = subprocess.Popen([CTL, "space", "list", "--socket", path],
                                     stderr=subprocess.PIPE, text=True)
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(b"220 mail ESMTP\r\n\r\n")
            peer.close()
            error = child.communicate(timeout=300)[1]
        self.assertEqual(1, child.returncode)
        self.assertIn("does not speak HTTP/1.1", error)

    def test_secrets_are_refused_on_the_command_line(self):
        done = run("integration", "add", "x", "--address", "https://x", "--password", "hunter22")
        self.assertEqual(2, done.returncode)
        self.assertIn("every user of this machine can read a command line", done.stderr)
        self.assertNotIn("hunter22", done.stderr)

    def test_contexts_are_kept_used_and_forgotten(self):
        def ok(*words):
            done = run(*words, env=self.env)
            self.assertEqual(0, done.returncode, done.stderr)
            return done.stdout
        ok("context", "add", "lab", "/tmp/lab.sock")
        ok("context", "add", "far", "ssh://me@host:2222/run/b.sock")
        ok("context", "use", "lab")
        rows = list(csv.DictReader(io.StringIO(ok("context", "list", "-o", "csv"))))
        self.assertEqual({"lab": "true", "far": "false"}, {row["NAME"]: row["CURRENT"] if
                         row["CURRENT"] in ("true", "false") else
                         {"yes": "true", "no": "false"}[row["CURRENT"]] for row in rows})
        self.assertIn("/tmp/lab.sock", run("space", "list", env=self.env).stderr)
        self.assertEqual(0o600, os.stat(self.dir + "/berth/config").st_mode & 0o777)
        ok("context", "delete", "lab")
        self.assertIn("/run/berth/berth.sock", run("space", "list", env=self.env).stderr)
        self.assertEqual(3, run("context", "use", "nope", env=self.env).returncode)
        self.assertEqual(2, run("context", "add", "x", "http://host", env=self.env).returncode)

    def test_a_broken_context_file_is_named_with_its_line(self):
        os.makedirs(self.dir + "/berth")
        with open(self.dir + "/berth/config", "w", encoding="utf-8") as file:
            file.write("# mine\ncurrent = lab\nwhat is this\n")
        done = run("space", "list", env=self.env)
        self.assertEqual(2, done.returncode)
        self.assertIn("berth/config:3: expected KEY = VALUE", done.stderr)

    def test_the_manual_pages_are_clean(self):
        proc.need("mandoc")
        nouns = ["", *run("--man", "--list").stdout.split()]
        self.assertIn("integration", nouns)
        for noun in nouns:
            page = run("--man", *([noun] if noun else [])).stdout
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=page, text=True,
                                  capture_output=True, timeout=120, check=False)
            self.assertEqual("", done.stdout, noun)

    def test_completion_scripts_are_valid_where_their_shell_is(self):
        for shell in ("bash", "zsh", "fish"):
            script = run("completion", shell).stdout
            self.assertIn("berthctl __complete", script)
            if shutil.which(shell):
                subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=120)
        self.assertEqual(2, run("completion", "tcsh").returncode)

    def test_completion_is_silent_without_a_daemon(self):
        done = run("__complete", "image", "list", "h", env={"BERTH_SOCKET": self.dir + "/none"})
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))

    def test_a_full_disk_is_not_success(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([CTL, "help"], stdout=full, stderr=subprocess.PIPE, timeout=120,
                                  check=False)
        self.assertEqual(1, done.returncode)


class Live(unittest.TestCase):
    """One daemon, two registries and a slow way to the first."""

    @classmethod
    def setUpClass(cls):
        folder = workdir(cls)
        cls.folder = folder
        cls.source = Registry(os.path.join(folder, "source"))
        cls.source.start()
        cls.addClassCleanup(cls.source.stop)
        cls.target = Registry(os.path.join(folder, "target"))
        cls.target.start()
        cls.addClassCleanup(cls.target.stop)
        with Client(cls.source.url) as client:
            images = sets.push_set(client, sets.demo())
            cls.signed = sets.demo_attach(client, images)
            evil = {"config": {"Labels": {"evil": "\x1b]0;owned\x07\u202e\u200b\u009b31m"}}}
            client.push("evil/app", Image([random_layer("evil", 1000)], evil), "1")
            for number in range(2):
                client.push("broken/app", Image([random_layer(f"broken{number}", 5000)]),
                            f"v{number}")
            cls.lost = Image([random_layer("broken1", 5000)])
            # A layer for each test: what another copy sent would only be mounted.
            for name in ("seven", "detached", "cancelled", "quiet", "plain", "bar"):
                client.push(f"big/{name}", Image([random_layer(name, 6 << 20)]), "1")
        cls.daemon = Daemon(os.path.join(folder, "daemon"))
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.env = {"BERTH_SOCKET": cls.daemon.socket}
        for name, registry in (("hub", cls.source), ("lab", cls.target)):
            done = run("integration", "add", name, "--address", registry.url, env=cls.env)
            assert done.returncode == 0, done.stderr
            done = run("integration", "refresh", name, env=cls.env)
            assert done.returncode == 0, done.stderr

    def ctl(self, *args, status=0, **more):
        done = run(*args, env=self.env, **more)
        self.assertEqual(status, done.returncode, f"{args}\n{done.stdout}\n{done.stderr}")
        return done

    def terminal(self, *args, env=None, **more):
        return Terminal(*args, env={**self.env, **(env or {})}, **more)

    def settle(self):
        """Wait for the operations that the daemon started by itself."""
        def idle():
            states = {one["state"] for one in self.daemon.api.get("/v1/operations")["items"]}
            return not states & {"pending", "running", "cancelling"}
        proc.wait_until(idle, "every operation has ended")

    def add(self, name, url):
        """Integrate a registry for the length of a test."""
        self.ctl("integration", "add", name, "--address", url)
        self.addCleanup(self.forget, name)
        self.settle()

    def forget(self, name):
        self.settle()
        done = run("integration", "delete", name, "--yes", env=self.env)
        self.assertIn(done.returncode, (0, 3), done.stderr)

    def slow(self, name, **line):
        """Integrate the source once more, behind a line of that kind; the line."""
        link = Link(os.path.join(self.folder, name), self.source)
        link.start()
        self.addCleanup(link.stop)
        self.add(name, link.url)
        link.set(**line)
        return link

    @staticmethod
    def go_on(link):
        """The end of a silence: what waited is reset and asks again."""
        link.set(stall=0)
        link.drop()

    # output

    def test_a_pipe_gets_no_colour_whole_digests_and_exact_times(self):
        text = self.ctl("image", "show", f"hub/shop/web@{self.signed.digest}").stdout
        self.assertNotIn("\x1b", text)
        self.assertIn(self.signed.digest, text)
        self.assertRegex(self.ctl("integration", "list").stdout, TIME)

    def test_a_terminal_gets_colour_unless_told_not_to(self):
        def seen(*args, **env):
            terminal = self.terminal("integration", "list", *args, env=env)
            self.assertEqual(0, terminal.end())
            return terminal.seen
        self.assertIn("\x1b[32m", seen())
        self.assertNotIn("\x1b", seen(NO_COLOR="1"))
        self.assertNotIn("\x1b", seen(TERM="dumb"))
        self.assertNotIn("\x1b", seen("--color=never"))
        self.assertRegex(seen(), r"\d+ (s|min) ago")
        self.assertRegex(seen("--no-trunc"), TIME)
        forced = run("integration", "list", env={**self.env, "CLICOLOR_FORCE": "1"}).stdout
        self.assertIn("\x1b[32m", forced)

    def test_json_is_exactly_the_api_body(self):
        for args, path in ((["integration", "list"], "/v1/integrations"),
                           (["integration", "show", "hub"], "/v1/integrations/hub"),
                           (["plugin", "list"], "/v1/plugins")):
            self.assertEqual(self.daemon.api.get(path),
                             json.loads(self.ctl(*args, "-o", "json").stdout))

    def test_every_format_says_the_same(self):
        names = ["hub", "lab"]
        def out(*more):
            return self.ctl("integration", "list", "--sort=name", *more).stdout
        self.assertEqual(names, out("-o", "name").split())
        rows = list(csv.DictReader(io.StringIO(out("-o", "csv"))))
        self.assertEqual(names, [row["NAME"] for row in rows])
        lines = [json.loads(line) for line in out("-o", "ndjson").splitlines()]
        self.assertEqual(names, [line["name"] for line in lines])
        self.assertEqual(["hub=healthy", "lab=healthy"],
                         out("-o", "template={name}={status.phase}").split())
        self.assertRegex(out("-o", "yaml"), r"\Aitems:\n  - \w+: [^\n]+\n    \w+:")
        self.assertEqual("hub\nlab\n", out("--columns", "name", "--no-headers"))
        self.assertEqual(["lab", "hub"], self.ctl("integration", "list", "--sort=-name", "-o",
                                                  "name").stdout.split())
        self.assertEqual("hub\n", self.ctl("integration", "list", "--filter", 'name eq "hub"',
                                           "-o", "name").stdout)

    def test_a_mistyped_column_is_said(self):
        done = self.ctl("integration", "list", "--columns", ",".join(["name"] * 41), status=2)
        self.assertIn("at most 40 columns", done.stderr)
        done = self.ctl("integration", "list", "--columns", "name,staet", status=2)
        self.assertIn("there is no column 'staet'", done.stderr)
        self.assertIn("STATE", done.stderr)

    def test_jq_filters_the_answer(self):
        done = run("integration", "list", "--jq", ".items[].name", env=self.env)
        if "without libjq" in done.stderr:
            self.skipTest("berthctl was built without libjq")
        self.assertEqual(["hub", "lab"], sorted(done.stdout.split()))
        self.assertEqual(2, run("integration", "list", "--jq", ".[", env=self.env).returncode)

    def test_hostile_labels_never_reach_the_terminal(self):
        for shown in (self.ctl("image", "show", "hub/evil/app:1").stdout,
                      self.ctl("image", "show", "hub/evil/app:1", "-o", "json").stdout,
                      self.ctl("image", "show", "hub/evil/app:1", "-o", "yaml").stdout):
            for bad in ("\x1b", "\x07", "\u202e", "\u200b", "\u009b"):
                self.assertNotIn(bad, shown)
            self.assertRegex(shown, r"(?i)\\u202e")

    def test_an_image_reads_as_a_tree_of_platforms_and_layers(self):
        text = self.ctl("image", "show", "hub/shop/tool:3.2").stdout
        for part in ("linux/amd64", "linux/arm64", "Platforms", "├─", "└─"):
            self.assertIn(part, text)
        self.assertGreaterEqual(len(re.findall(r"sha256:[0-9a-f]{64} +[0-9.]+ [KM]iB", text)), 4)
        ascii_only = run("image", "show", "hub/shop/tool:3.2", env={**self.env, "LC_ALL": "C"})
        self.assertEqual(0, ascii_only.returncode)
        signed = self.ctl("image", "show", "hub/shop/web:2.0.0").stdout
        self.assertIn("signature", signed)
        self.assertIn("sbom", signed)
        shown = json.loads(self.ctl("image", "show", "hub/shop/web:2.0.0", "-o", "json").stdout)
        digests = [one["digest"] for one in shown["referrers"]]
        self.assertEqual((3, 3), (len(digests), len(set(digests))), "each is there once")

    def test_a_narrow_terminal_is_not_overrun(self):
        terminal = self.terminal("image", "show", "hub/shop/tool:3.2", columns=60,
                                 env={"NO_COLOR": "1"})
        self.assertEqual(0, terminal.end())
        for line in terminal.seen.splitlines():
            if "COPY" in line or "opt/" in line:
                self.assertLessEqual(len(line), 60, line)

    def test_ids_are_short_at_a_terminal_and_taken_so(self):
        terminal = self.terminal("operation", "list", "--limit", "5", "--no-pager", columns=80,
                                 env={"NO_COLOR": "1"})
        self.assertEqual(0, terminal.end())
        rows = terminal.seen.splitlines()
        short = rows[1].split()[0]
        self.assertRegex(short, "^[0-9a-f]{8}$")
        self.assertEqual([], [row for row in rows if len(row) > 80])
        whole = json.loads(self.ctl("operation", "show", short, "-o", "json").stdout)["id"]
        self.assertTrue(whole.startswith(short))
        self.assertIn(whole, self.ctl("operation", "list").stdout)
        terminal = self.terminal("operation", "show", short, "--no-pager")
        self.assertEqual(0, terminal.end())
        self.assertIn(whole, terminal.seen)

    # exit statuses and errors

    def test_exit_3_for_what_is_not_there_with_a_suggestion(self):
        done = self.ctl("integration", "show", "hubb", status=3)
        self.assertIn("did you mean hub?", done.stderr)
        self.assertTrue(done.stderr.splitlines()[-1].startswith("request: "), done.stderr)
        self.assertRegex(done.stderr, "request: [A-Za-z0-9-]+")
        self.ctl("space", "show", "hub/nope", status=3)

    def test_a_registry_without_a_password_is_shown_as_public(self):
        self.assertRegex(self.ctl("integration", "show", "hub").stdout, r"\nPublic: +yes\n")

    def test_a_wrong_name_is_met_with_the_list_of_the_right_ones(self):
        self.ctl("workspace", "create", "hinted")
        self.addCleanup(run, "workspace", "delete", "hinted", "--yes", env=self.env)
        self.ctl("space", "bind", "lab/default", "--workspace", "hinted")
        for status, wrong, said, right in (
                (3, ("image", "show", "hub/shop/web:nope"), "no nope", "image tags hub/shop/web"),
                (3, ("image", "delete", "hub/shop/web:nope", "--yes"), "no tag nope",
                 "image tags hub/shop/web"),
                (2, ("copy", "hub/shop/web:1.0.0", "nope/x:1"), "TARGET: no integration 'nope'",
                 "integration list"),
                (2, ("copy", "hub/shop/web:1.0.0", "lab/x:1", "--to", "nope"),
                 "--to: no integration 'nope'", "integration list"),
                (2, ("space", "bind", "lab/default", "--workspace", "nope"),
                 "--workspace: there is no workspace nope", "workspace list"),
                (2, ("space", "unbind", "lab/default", "--workspace", "nope"),
                 "--workspace: there is no workspace nope", "workspace list"),
                (2, ("role", "create", "wrong", "--scope", "platform", "--permission", "nope"),
                 "--permission: there is no permission nope", "role points"),
                (5, ("workspace", "delete", "hinted", "--yes"), "has 1 binding",
                 "space unbind lab/default --workspace hinted")):
            done = self.ctl(*wrong, status=status)
            self.assertIn(said, done.stderr)
            self.assertIn(f"hint: berthctl {right}\n", done.stderr)
        self.ctl("space", "unbind", "lab/default", "--workspace", "hinted")

    def test_short_lists_are_sorted_and_filtered_too(self):
        def names(*words):
            return self.ctl(*words, "-o", "name").stdout.split()
        self.assertEqual(names("plugin", "list")[::-1], names("plugin", "list", "--sort=-name"))
        self.assertEqual(["dockerreg"],
                         names("plugin", "list", "--filter", "name like 'docker*'"))
        self.assertEqual(["hub/default"], names("integration", "spaces", "hub", "--sort=name"))
        self.assertEqual([], names("integration", "spaces", "hub", "--filter", "name eq 'x'"))

    def test_a_program_is_told_in_one_document_what_went_wrong(self):
        done = self.ctl("integration", "show", "hubb", "-o", "ndjson", status=3)
        self.assertEqual(1, done.stderr.count("\n"))
        self.assertIn("did you mean hub?", json.loads(done.stderr)["hint"])

    def test_images_of_several_spaces_are_one_list(self):
        self.ctl("space", "create", "hub/shop")
        self.addCleanup(self.ctl, "space", "delete", "hub/shop", "--yes")
        self.ctl("integration", "refresh", "hub")
        def names(*words):
            return self.ctl("image", "list", "hub", "-o", "name", *words).stdout.split()
        everything = names("--sort=name")
        spaces = json.loads(self.ctl("image", "list", "hub", "-o", "json").stdout)["items"]
        self.assertEqual({"default", "shop"}, {one["space"] for one in spaces})
        self.assertEqual(sorted(everything), everything)
        self.assertEqual(everything[::-1], names("--sort=-name"))
        self.assertEqual(everything[:2], names("--sort=name", "--limit=2"))
        self.assertEqual(2, len(names("--limit=2")))
        self.assertEqual(["hub/shop/web"], names("--filter", "name like '*/web'"))
        tags = [one["tags"] for one in json.loads(
            self.ctl("image", "list", "hub", "--sort=-tags,name", "-o", "json").stdout)["items"]]
        self.assertEqual(sorted(tags, reverse=True), tags)
        self.ctl("image", "list", "hub", "--sort=nothing", status=2)

    def test_nothing_is_suggested_that_would_not_work(self):
        self.assertNotIn("did you mean", self.ctl("image", "show", "hub/x", status=3).stderr)

    def test_exit_5_for_what_is_there_already(self):
        self.ctl("integration", "add", "hub", "--address", self.source.url, status=5)

    def test_exit_2_for_what_the_api_refuses_as_wrong(self):
        done = self.ctl("integration", "add", "No_Name", "--address", self.source.url, status=2)
        self.assertIn("NAME: ", done.stderr)
        done = self.ctl("sync", "create", "tick", "--from=hub/shop", "--to=lab", "--cron=1 2",
                        status=2)
        self.assertIn("--cron: ", done.stderr)
        self.assertNotIn("/cron", done.stderr)

    def test_exit_8_when_the_registry_cannot_be_reached(self):
        done = self.ctl("integration", "add", "gone", "--address",
                        f"http://127.0.0.1:{proc.free_port()}", status=8)
        self.assertIn("error:", done.stderr)
        self.assertIn("cause:", done.stderr)

    def test_with_json_the_problem_document_is_on_stderr(self):
        done = self.ctl("integration", "show", "nope", "-o", "json", status=3)
        problem = json.loads(done.stderr)
        self.assertEqual(404, problem["status"])
        self.assertEqual("", done.stdout)

    def test_exit_9_when_some_images_failed(self):
        layer = max(self.lost.blobs(), key=lambda blob: blob.size)
        blob = layer.digest.split(":")[1]
        path = os.path.join(self.source.storage, "docker", "registry", "v2", "blobs", "sha256",
                            blob[:2], blob, "data")
        os.rename(path, path + ".away")
        self.addCleanup(os.rename, path + ".away", path)
        done = self.ctl("copy", "hub/broken/app", "lab/broken/app", "--all-tags", status=9)
        self.assertRegex(done.stdout, r"copied +lab/broken/app:v0")
        self.assertRegex(done.stdout, r"FAILED +lab/broken/app:v1")

    def test_exit_7_when_time_runs_out_and_the_copy_goes_on(self):
        link = self.slow("slow7", stall=1 << 20)
        done = self.ctl("copy", "slow7/big/seven:1", "lab/big/seven", "--timeout", "3s", status=7)
        ident = re.search(f"operation attach ({UUID})", done.stderr).group(1)
        self.go_on(link)
        self.ctl("operation", "wait", ident)
        with Client(self.target.url) as client:
            self.assertEqual(["1"], client.tags("big/seven"))

    # operations

    def test_ctrl_c_detaches_and_says_how_to_come_back(self):
        link = self.slow("slowc", stall=1 << 20)
        terminal = self.terminal("copy", "slowc/big/detached:1", "lab/big/detached")
        terminal.until("MiB/s|%").send("\x03").until("Ctrl-C again")
        self.assertEqual(130, terminal.end())
        ident = re.search(f"operation attach ({UUID})", terminal.seen).group(1)
        self.go_on(link)
        done = self.ctl("operation", "attach", ident)
        self.assertIn("1 image: 1 copied", done.stdout)

    def test_a_second_ctrl_c_cancels_after_a_question(self):
        self.slow("slowq", stall=1 << 20)
        terminal = self.terminal("copy", "slowq/big/cancelled:1", "lab/big/cancelled")
        terminal.until("%").send("\x03").until("Ctrl-C again").send("\x03")
        terminal.until(r"\[y/N\]").send("y\n")
        self.assertEqual(130, terminal.end())
        ident = re.search(f"operation attach ({UUID})", terminal.seen).group(1)
        self.assertEqual("cancelled", self.daemon.api.wait(ident)["state"])

    def test_progress_is_for_terminals_and_for_those_who_ask(self):
        self.slow("slowp", rate=4 << 20)
        done = self.ctl("copy", "slowp/big/quiet:1", "lab/big/quiet")
        self.assertEqual("", done.stderr)
        self.slow("slowp2", rate=4 << 20)
        done = self.ctl("copy", "slowp2/big/plain:1", "lab/big/plain", "--progress=plain")
        self.assertRegex(done.stderr, r"copy: +\d+ %  [0-9.]+ [KM]iB of ")
        with open(os.devnull, "w", encoding="ascii") as nowhere:
            terminal = self.terminal("copy", "hub/big/bar:1", "lab/big/bar", stdout=nowhere)
            self.assertEqual(0, terminal.end())

    def test_no_wait_returns_at_once_and_wait_waits(self):
        done = self.ctl("copy", "hub/shop/web", "lab/nowait/web", "--all-tags", "--no-wait", "-o",
                        "json")
        operation = json.loads(done.stdout)
        self.assertRegex(operation["id"], UUID)
        self.ctl("operation", "wait", operation["id"])
        log = self.ctl("operation", "log", operation["id"])
        self.assertEqual(not log.stdout, "the operation wrote no messages" in log.stderr)
        quiet = self.daemon.api.run("/v1/integrations/lab/probe", None)
        log = self.ctl("operation", "log", quiet["id"])
        self.assertEqual(("", "the operation wrote no messages\n"), (log.stdout, log.stderr))
        self.assertEqual("succeeded", self.daemon.api.wait(operation["id"])["state"])

    def test_a_copy_is_planned_done_and_then_there(self):
        plan = self.ctl("copy", "hub/shop/api", "lab/copied/api", "--all-tags", "--plan").stdout
        self.assertIn("3 to copy", plan)
        done = self.ctl("copy", "hub/shop/api", "lab/copied/api", "--all-tags").stdout
        self.assertIn("3 images: 3 copied", done)
        again = self.ctl("copy", "hub/shop/api", "lab/copied/api", "--all-tags").stdout
        self.assertIn("3 images: 0 copied, 3 there already", again)
        plan = self.ctl("copy", "hub/shop/api", "lab/copied/api", "--all-tags", "--plan").stdout
        self.assertIn("3 images: 0 to copy, 3 there already; 0 B to move", plan)
        with Client(self.source.url) as left, Client(self.target.url) as right:
            for tag in ("1.0.0", "1.1.0", "2.0.0"):
                self.assertEqual(left.digest("shop/api", tag), right.digest("copied/api", tag))

    # changes

    def test_destructive_verbs_ask_and_need_yes_without_a_terminal(self):
        self.add("short", self.source.url)
        done = self.ctl("integration", "delete", "short", status=2)
        self.assertIn("This deletes integration short at ", done.stderr)
        self.assertIn("--yes", done.stderr)
        terminal = self.terminal("integration", "delete", "short").until(r"\[y/N\]").send("n\n")
        self.assertEqual(1, terminal.end())
        self.ctl("integration", "delete", "short", "--dry-run")
        tried = self.ctl("integration", "add", "tried", "--address", self.source.url, "--dry-run")
        self.assertIn("tried would be added", tried.stderr)
        self.ctl("integration", "show", "tried", status=3)
        self.ctl("integration", "show", "short")
        terminal = self.terminal("integration", "delete", "short").until(r"\[y/N\]").send("y\n")
        self.assertEqual(0, terminal.end())
        self.ctl("integration", "show", "short", status=3)

    def test_a_password_is_asked_for_without_echo(self):
        terminal = self.terminal("integration", "add", "asked", "--address", self.source.url,
                                 "-u", "me")
        terminal.until("Password of me: ").send("hunter22\n")
        terminal.end()
        self.assertNotIn("hunter22", terminal.seen)
        self.forget("asked")

    def test_echo_comes_back_after_ctrl_c_at_the_prompt(self):
        import termios
        terminal = self.terminal("integration", "add", "asked", "--address", self.source.url,
                                 "-u", "me").until("Password of me: ")
        def echoes():
            return bool(termios.tcgetattr(terminal.master)[3] & termios.ECHO)
        self.assertFalse(echoes())
        terminal.send("\x03")
        proc.wait_until(lambda: terminal.process.poll() is not None, "it ended")
        self.assertTrue(echoes())
        self.assertEqual(-signal.SIGINT, terminal.end())

    def test_a_rule_is_made_planned_run_and_reported(self):
        self.ctl("sync", "create", "rule1", "--from", "hub", "--to", "lab/mirror", "--filter",
                 "shop/**", "--tag", "1.*")
        self.addCleanup(self.ctl, "sync", "delete", "rule1", "--yes")
        self.assertIn("to copy", self.ctl("sync", "plan", "rule1").stdout)
        self.assertIn("copied", self.ctl("sync", "run", "rule1").stdout)
        run_id = self.ctl("sync", "runs", "rule1", "-o", "name").stdout.split()[0]
        for words in (["rule1"], ["rule1", run_id], [run_id], ["rule1", run_id[:8]],
                      [run_id[:8]]):
            self.assertIn("lab/mirror/", self.ctl("sync", "report", *words).stdout)
        shown = json.loads(self.ctl("sync", "report", "rule1", "-o", "json").stdout)
        lines = self.ctl("sync", "report", "rule1", "-o", "ndjson").stdout.splitlines()
        self.assertEqual(shown["outcomes"], [json.loads(line) for line in lines])
        rows = list(csv.reader(io.StringIO(self.ctl("sync", "report", "rule1", "-o",
                                                    "csv").stdout)))
        self.assertEqual(len(lines) + 1, len(rows))
        none = self.ctl("sync", "run", "rule1", "--only-failed-of", run_id[:8], status=5)
        self.assertIn(f"nothing failed in run {run_id}", none.stderr)
        self.ctl("sync", "edit", "rule1", "--tag", "2.*", "--limit", "10MB")
        rule = json.loads(self.ctl("sync", "show", "rule1", "-o", "json").stdout)
        self.assertEqual((["2.*"], 10000000), (rule["tags"], rule["limit_bytes_per_s"]))

    def test_a_stored_plan_is_applied_or_says_what_drifted(self):
        with Client(self.source.url) as client:
            for repository in ("planned/one", "planned/two"):
                client.push(repository, Image([random_layer("planned", 1000)]), "1")
            self.ctl("sync", "create", "rule3", "--from", "hub/planned", "--to", "lab/planned")
            self.addCleanup(self.ctl, "sync", "delete", "rule3", "--yes")
            for words, next_line in ((("apply",), "berthctl sync plan rule3 --store"),
                                     (("report",), "berthctl sync run rule3"),
                                     (("retry",), "berthctl sync run rule3")):
                self.assertIn(next_line, self.ctl("sync", *words, "rule3", status=3).stderr)
            self.ctl("sync", "plan", "rule3", "--store")
            plan = self.ctl("sync", "plans", "rule3", "-o", "name").stdout.split()[0]
            client.push("planned/two", Image([random_layer("planned again", 1000)]), "1")
            for more in ((), ("--dry-run",)):
                done = self.ctl("sync", "apply", "rule3", plan, *more, status=5)
                self.assertIn("lab/planned/two:1 has another digest now", done.stdout)
        self.ctl("sync", "plan", "rule3", "--store")
        self.assertIn("would run as it was planned",
                      self.ctl("sync", "apply", "rule3", "--dry-run").stderr)
        with Client(self.target.url) as client:
            self.assertEqual([], client.tags("planned/two"))
        self.assertRegex(self.ctl("sync", "apply", "rule3").stdout, r"copied +lab/planned/two:1")
        self.ctl("sync", "retry", "rule3", status=5)

    def test_a_comparison_ends_with_8_9_or_0(self):
        self.ctl("sync", "create", "rule2", "--from", "hub/shop", "--to", "lab/compared")
        self.addCleanup(self.ctl, "sync", "delete", "rule2", "--yes")
        self.assertRegex(self.ctl("sync", "verify", "rule2", status=8).stdout,
                         r"MISSING +lab/compared/")
        self.ctl("sync", "run", "rule2")
        self.assertIn("blobs looked for", self.ctl("sync", "verify", "rule2").stdout)
        with Client(self.target.url) as client:
            web = client.digest("compared/web", "1.0.0")
            client.request("DELETE", f"/v2/compared/web/manifests/{web}")
        self.assertRegex(self.ctl("sync", "verify", "rule2", status=9).stdout,
                         r"MISSING +lab/compared/web:1.0.0")

    def test_a_report_has_more_outcomes_than_come_with_a_run(self):
        done = json.loads(self.ctl("copy", "hub/shop/web:1.0.0", "lab/long/web", "-o",
                                   "json").stdout)
        store = sqlite3.connect(os.path.join(self.daemon.state, "berth.db"), timeout=60)
        with store:
            store.executemany(
                "INSERT INTO sync_outcomes SELECT run_id, ?, source, ?, digest, state, cause, "
                "attempts, bytes, updated_ms FROM sync_outcomes WHERE run_id = ? AND number = 1",
                [(n, f"lab/long/web:{n:04}", done["id"]) for n in range(2, 1502)])
        store.close()
        shown = json.loads(self.ctl("sync", "report", done["id"], "-o", "json").stdout)
        self.assertEqual(1000, len(shown["outcomes"]))
        lines = self.ctl("sync", "report", done["id"], "-o", "ndjson").stdout.splitlines()
        self.assertEqual(1501, len(lines))
        self.assertIn("lab/long/web:1501", lines[-1])
        self.assertIn("lab/long/web:1501", self.ctl("sync", "report", done["id"]).stdout)
        self.ctl("sync", "retry", done["id"], status=5)

    def test_a_verified_copy_says_what_the_target_lacks_and_ends_with_9(self):
        words = ["copy", "hub/shop/jobs", "lab/verified/jobs", "--all-tags", "--verify"]
        self.assertIn(", 3 verified", self.ctl(*words).stdout)
        with Client(self.target.url) as client:
            config = client.manifest("verified/jobs", "1.0.0").json()["config"]["digest"]
            client.request("DELETE", f"/v2/verified/jobs/blobs/{config}")
        done = self.ctl(*words, status=9)
        self.assertRegex(done.stdout, r"FAILED +lab/verified/jobs:1.0.0")
        self.assertIn(f"blob {config} is missing", done.stdout)

    def test_apply_is_idempotent_and_diff_tells(self):
        path = os.path.join(self.folder, "state.yaml")
        def write(description):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"integrations:\n  - name: applied\n    kind: dockerreg\n"
                           f"    address: {self.source.url}\n    description: {description}\n"
                           f"syncs:\n  - {{name: applied, source: applied/shop, target: lab/a}}\n")
        write("one")
        self.assertEqual(1, run("diff", "-f", path, env=self.env).returncode)
        self.assertIn("create     integration applied", self.ctl("apply", "-f", path).stdout)
        self.ctl("diff", "-f", path)
        again = self.ctl("apply", "-f", path)
        self.assertIn("unchanged  integration applied", again.stdout)
        self.assertIn("0 created, 0 updated, 2 unchanged", again.stderr)
        write("two")
        shown = self.ctl("diff", "-f", path, status=1).stdout
        self.assertIn('- description: "one"', shown)
        self.assertIn('+ description: "two"', shown)
        self.ctl("apply", "-f", path)
        self.ctl("sync", "delete", "applied", "--yes")
        self.forget("applied")

    def test_apply_makes_tenants_too(self):
        path = os.path.join(self.folder, "tenants.yaml")
        me, other = os.getuid(), 4200000001
        def write(members, bound):
            with open(path, "w", encoding="utf-8") as file:
                file.write("workspaces:\n"
                           f"  - {{name: applied, description: of a file, members: [{members}]}}\n"
                           "  - {name: applied2}\n"
                           "spaces:\n"
                           f"  - {{integration: lab, name: tenants, workspaces: [{bound}]}}\n"
                           f"  - {{integration: lab, name: default, workspaces: [{bound}]}}\n")
        def unchanged():
            self.ctl("diff", "-f", path)
            self.assertIn("0 created, 0 updated, 4 unchanged", self.ctl("apply", "-f", path).stderr)
        def bound_to(space):
            return json.loads(self.ctl("space", "show", space, "-o", "json").stdout)["workspaces"]
        self.addCleanup(run, "space", "delete", "lab/tenants", "--yes", env=self.env)
        write("", "")
        self.ctl("apply", "-f", path)
        unchanged()
        write(f"{{uid: {me}, role: workspace-admin}}, {{uid: {other}}}", "applied2, applied")
        self.ctl("apply", "-f", path)
        unchanged()
        self.assertEqual([["applied", "applied2"]] * 2,
                         [bound_to("lab/tenants"), bound_to("lab/default")])
        write(f"{{uid: {other}}}, {{uid: {me}, role: workspace-admin}}", "applied, applied2")
        unchanged()  # in another order
        write(f"{{uid: {other}}}", "applied2")
        shown = self.ctl("diff", "-f", path, status=1).stdout
        self.assertIn('- workspaces: ["applied","applied2"]', shown)
        self.assertIn('+ workspaces: ["applied2"]', shown)
        self.ctl("apply", "-f", path)
        unchanged()
        self.assertEqual(["applied2"], bound_to("lab/default"))
        members = json.loads(self.ctl("workspace", "show", "applied", "-o", "json").stdout)
        self.assertEqual([other], [one["uid"] for one in members["members"]])
        write("", "nowhere")
        self.assertIn("there is no workspace nowhere", self.ctl("apply", "-f", path, status=9).stderr)
        write("", "")
        self.ctl("apply", "-f", path)
        unchanged()
        with open(path, "w", encoding="utf-8") as file:
            file.write("spaces:\n  - {integration: lab, name: default, workspaces: applied}\n")
        self.assertIn("must be a list of names", self.ctl("apply", "-f", path, status=2).stderr)
        for name in ("applied", "applied2"):
            self.ctl("workspace", "delete", name, "--yes")

    # the rest

    def test_raw_calls_print_headers_and_keep_exit_statuses(self):
        done = self.ctl("api", "GET", "/v1/integrations/hub", "-i")
        self.assertRegex(done.stdout, r"\AHTTP/1\.1 200 ")
        self.assertIn("ETag:", done.stdout)
        self.ctl("api", "GET", "/v1/nothing", status=3)
        self.ctl("api", "GETT", "/v1", status=2)
        self.ctl("api", "POST", "/v1/spaces", "-d", '{"integration":"hub"}', status=2)

    def test_watching_a_list_streams_changes(self):
        child = subprocess.Popen([CTL, "integration", "list", "--watch", "--interval", "1", "-o",
                                  "json"], stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, **self.env})
        first = json.loads(child.stdout.readline())
        self.ctl("integration", "edit", "lab", "--description", str(time.time()))
        second = json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        child.wait(120)
        child.stdout.close()
        self.assertNotEqual(first, second)

    def test_events_arrive_as_lines(self):
        child = subprocess.Popen([CTL, "event", "watch", "--since", "0", "-o", "ndjson"],
                                 stdout=subprocess.PIPE, text=True,
                                 env={**os.environ, **self.env})
        events = [json.loads(child.stdout.readline()) for _ in range(3)]
        kept = self.ctl("event", "watch", "--since", "0", "--no-follow", "-o", "ndjson").stdout
        self.assertEqual(events, [json.loads(line) for line in kept.splitlines()[:3]])
        self.assertEqual(2, len(self.ctl("event", "watch", "--since", "0", "-n", "2")
                                .stdout.splitlines()))
        child.send_signal(signal.SIGINT)
        child.wait(120)
        child.stdout.close()
        self.assertEqual(sorted(e["id"] for e in events), [e["id"] for e in events])

    def test_names_are_completed_from_the_daemon(self):
        def words(*args):
            """It asks for a fifth of a second at most: a busy machine needs several."""
            return proc.wait_until(
                lambda: run("__complete", *args, env=self.env).stdout.split(), "words come")
        self.assertEqual(["hub"], words("integration", "show", "h"))
        self.assertIn("hub/default", words("space", "show", "hub/"))
        self.assertIn("hub/shop/web:2.0.0", words("image", "show", "hub/shop/we"))
        proc.need("bash")
        script = run("completion", "bash").stdout + (
            "\nCOMP_WORDS=(berthctl integration show h) COMP_CWORD=3\n"
            "_berthctl\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
        env = {**os.environ, **self.env,
               "PATH": os.path.dirname(CTL) + ":" + os.environ["PATH"]}

        def completed():
            done = subprocess.run(["bash", "--norc"], input=script, text=True, timeout=120,
                                  capture_output=True, check=False, env=env)
            return done.stdout.strip()
        self.assertEqual("hub", proc.wait_until(completed, "bash completes"))

    def test_ssh_targets_go_through_a_bridge(self):
        folder = workdir(self)
        ssh = os.path.join(folder, "ssh")
        with open(ssh, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho \"$@\" >{folder}/argv\n"
                       "while [ \"$1\" != berthctl ]; do shift; done\nshift\n"
                       f"BERTH_SOCKET={self.daemon.socket} exec {CTL} \"$@\"\n")
        os.chmod(ssh, 0o755)
        done = run("integration", "list", "-o", "name", "--socket", "ssh://me@far:2222",
                   env={"BERTH_SSH": ssh})
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("hub", done.stdout.split())
        with open(os.path.join(folder, "argv"), encoding="utf-8") as file:
            self.assertEqual("-T -p 2222 -- me@far berthctl __bridge\n", file.read())
        with open(ssh, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec sleep 600\n")
        silent = run("__complete", "integration", "show", "h",
                     env={"BERTH_SSH": ssh, "BERTH_SOCKET": "ssh://far"})
        self.assertEqual((0, "", ""), (silent.returncode, silent.stdout, silent.stderr))
        self.assertEqual(2, run("space", "list", "--socket", "ssh://-oProxyCommand=x",
                                env={"BERTH_SSH": ssh}).returncode)

    def test_versions_of_both_sides_are_shown(self):
        shown = json.loads(self.ctl("version", "-o", "json").stdout)
        self.assertEqual(shown["client"]["version"], shown["server"]["version"])
        self.assertNotIn("warning", self.ctl("version").stderr)


class Restart(unittest.TestCase):
    def test_a_copy_is_followed_through_a_kill_of_berthd(self):
        folder = workdir(self)
        ends = [Registry(os.path.join(folder, name)) for name in ("source", "target")]
        for registry in ends:
            registry.start()
            self.addCleanup(registry.stop)
        with Client(ends[0].url) as client:
            for number in range(4):
                client.push("big/app", Image([random_layer(f"big{number}", 2 << 20)]), f"v{number}")
        link = Link(os.path.join(folder, "link"), ends[0], rate=1 << 20)
        link.start()
        self.addCleanup(link.stop)
        daemon = Daemon(os.path.join(folder, "daemon")).start()
        self.addCleanup(daemon.stop)
        daemon.add("slow", link.url)
        daemon.add("lab", ends[1])
        child = subprocess.Popen([CTL, "copy", "slow/big/app", "lab/big/app", "--all-tags",
                                  "--progress", "json"], text=True, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env={**os.environ,
                                                              "BERTH_SOCKET": daemon.socket})
        while json.loads(child.stderr.readline()).get("done", 0) == 0:
            pass
        daemon.kill()
        daemon.start()
        said, complained = child.communicate(timeout=300)
        self.assertEqual(0, child.returncode, complained)
        self.assertIn("4 images: ", said)
        with Client(ends[1].url) as client:
            self.assertEqual([f"v{number}" for number in range(4)], sorted(client.tags("big/app")))


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
    unittest.main()
