# SPDX-License-Identifier: Apache-2.0
"""`berthd --hooks`: real registries tell of a push over TLS, and the rule that reads
it runs; who has not the secret, or sends something else, is turned away."""

import base64
import json
import os
import signal
import socket
import ssl
import unittest

from berthtest import Client, Daemon, Image, Registry, Registry3, free_port, workdir
from berthtest.images import random_layer
from berthtest.openapi import CheckedApi
from berthtest.proc import Process, wait_until
from berthtest.tls import Authority

EVENTS = "application/vnd.docker.distribution.events.v1+json"
CLOUD = "application/cloudevents+json"
SECRETS = {"hub": "hub-secret-0123456789", "harbor": "harbor-secret-0123456789",
           "shop~hub": "shop-secret-0123456789"}
DAY = 86400


def push_event(repository, tag, kind="default"):
    """As a Harbor 2.15.2 sent it."""
    data = {"resources": [{"digest": "sha256:" + "9" * 64, "tag": tag,
                           "resource_url": f"harbor.test/{repository}:{tag}"}],
            "repository": {"date_created": 1795362793, "name": repository.split("/")[-1],
                           "namespace": "priv", "repo_full_name": repository,
                           "repo_type": "private"}}
    if kind == "cloud":
        return {"specversion": "1.0", "id": "09c57fc5-1266-42d0-bef5-c328529f896c",
                "source": "/projects/3/webhook/policies/2", "type": "harbor.artifact.pushed",
                "datacontenttype": "application/json", "time": "2026-11-22T15:53:14Z",
                "data": data, "operator": "admin"}
    return {"type": "PUSH_ARTIFACT", "occur_at": 1795362794, "operator": "admin",
            "event_data": data}


class Hooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.authority = Authority(os.path.join(cls.dir, "ca"))
        cls.lab = cls.enter(Registry(os.path.join(cls.dir, "lab")))
        cls.port = free_port()
        config = cls.configure()
        cls.daemon = Daemon(os.path.join(cls.dir, "b"), config=config)
        cls.daemon.api = cls.api = CheckedApi(cls.daemon.socket)
        cls.daemon.start()
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.add("lab", cls.lab)
        cls.log = os.path.join(cls.dir, "hooks.log")
        cls.receiver = Process([*cls.daemon.command(), "--hooks"], cls.log)
        cls.addClassCleanup(cls.receiver.stop)
        cls.receiver.wait_port(cls.port)

    @classmethod
    def configure(cls):
        certificate, key = cls.authority.issue("hooks")
        secrets = os.path.join(cls.dir, "secrets")
        os.mkdir(secrets, 0o700)
        for name, secret in SECRETS.items():
            cls.write_secret(os.path.join(secrets, name), secret)
        return ('networks: { workspace: { allow = ["127.0.0.1/32"]; }; };\n'
                f'hooks: {{ listen = "127.0.0.1:{cls.port}"; certificate = "{certificate}"; '
                f'key = "{key}"; secrets = "{secrets}"; }};\n')

    @staticmethod
    def write_secret(path, secret):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as file:
            file.write(secret + "\n")

    @classmethod
    def enter(cls, context):
        value = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return value

    def connect(self):
        context = ssl.create_default_context(cafile=self.authority.ca)
        raw = socket.create_connection(("127.0.0.1", self.port), 120)
        self.addCleanup(raw.close)
        return context.wrap_socket(raw, server_hostname="localhost")

    def send(self, path="/hooks/hub", body=b"{}", method="POST", secret=SECRETS["hub"],
             kind="application/json", is_sent=True, **headers):
        """The status of one request on a connection of its own; the body goes with
        the head, so that an answer to the head alone is not overtaken by a reset."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        headers = {"Content-Type": kind, "Authorization": secret,
                   "Content-Length": str(len(body)), **headers}
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()
                  if value is not None]
        with self.connect() as tls:
            head = "\r\n".join(lines).encode() + b"\r\n\r\n"
            tls.sendall(head + body if is_sent else head)
            return int(tls.recv(65536).split(b" ")[1])

    def tell_on_push(self, name, secret):
        """What makes a registry tell berthd --hooks."""
        return {"notifications": {"endpoints": [{
            "name": "berth", "url": f"https://127.0.0.1:{self.port}/hooks/{name}",
            "headers": {"Authorization": [f"Bearer {secret}"]}, "timeout": "30s",
            "threshold": 3, "backoff": "1s", "ignoredmediatypes": ["application/octet-stream"]}]}}

    def watch(self, name, source):
        rule = {"name": name, "source": source, "target": f"lab/{name}", "on_change": True,
                "poll_period_s": DAY}
        self.api.post("/v1/syncs", rule)
        wait_until(lambda: self.status(name).get("looked_at"), "it was looked at")

    def status(self, name):
        return self.api.get(f"/v1/syncs/{name}")["status"]["watch"]

    def tags(self, repository):
        with Client(self.lab.url) as client:
            return client.tags(repository)

    def push(self, registry, repository, tag):
        with Client(registry.url) as client:
            client.push(repository, Image([random_layer(repository + tag, 1000)]), tag)

    def told_by(self, kind, name):
        secrets = os.path.join(self.dir, "secrets")
        self.write_secret(os.path.join(secrets, name), f"{name}-secret-0123456789")
        self.receiver.signal(signal.SIGHUP)
        wait_until(lambda: self.send(f"/hooks/{name}", {"events": []},
                                     secret=f"{name}-secret-0123456789") == 202,
                   "the new secret counts")
        registry = kind(os.path.join(self.dir, name),
                        extra=self.tell_on_push(name, f"{name}-secret-0123456789"))
        registry.program()  # made, where it is not yet, without what follows
        os.environ["SSL_CERT_FILE"] = self.authority.ca
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE", None)
        with registry:
            self.daemon.add(name, registry)
            self.watch(f"from-{name}", name)
            self.push(registry, "team/app", "1.0")
            wait_until(lambda: self.tags(f"from-{name}/team/app") == ["1.0"], "it was copied")
            self.push(registry, "team/app", "2.0")
            wait_until(lambda: self.tags(f"from-{name}/team/app") == ["1.0", "2.0"],
                       "the next one, too")
            runs = self.api.get(f"/v1/syncs/from-{name}/runs")["items"]
            self.assertEqual({"change"}, {run["started_by"] for run in runs})

    def test_docker_registry_tells_of_a_push(self):
        self.told_by(Registry, "docker")

    def test_distribution_3_tells_of_a_push(self):
        self.told_by(Registry3, "distribution")

    def test_harbors_webhooks_are_understood_in_both_forms(self):
        registry = self.enter(Registry(os.path.join(self.dir, "harbor")))
        self.daemon.add("harbor", registry)
        self.watch("from-harbor", "harbor")
        secret = SECRETS["harbor"]
        for tag, form, kind in (("1", "default", "application/json"), ("2", "cloud", CLOUD)):
            self.push(registry, "priv/hooked", tag)
            status = self.send("/hooks/harbor", push_event("priv/hooked", tag, form),
                               secret=secret, kind=kind)
            self.assertEqual(202, status)
            wait_until(lambda: tag in self.tags("from-harbor/priv/hooked"), f"{form} was heeded")

    def test_a_workspaces_integration_has_a_secret_of_its_own(self):
        registry = self.enter(Registry(os.path.join(self.dir, "shop")))
        self.api.post("/v1/workspaces", {"name": "shop"})
        self.daemon.add("shop~hub", registry)
        self.watch("from-shop", "shop~hub")
        event, secret = push_event("team/app", "1"), SECRETS["shop~hub"]
        self.push(registry, "team/app", "1")
        self.assertEqual(401, self.send("/hooks/shop~hub", event))
        self.assertEqual(401, self.send("/hooks/hub", event, secret=secret))
        self.assertEqual(404, self.send("/hooks/shop~", event, secret=secret))
        self.assertEqual(202, self.send("/hooks/shop~hub", event, secret=secret))
        wait_until(lambda: self.tags("from-shop/team/app") == ["1"], "it was copied")

    def test_only_the_right_secret_of_that_integration_counts(self):
        event = push_event("priv/hooked", "1")
        self.assertEqual(202, self.send(body=event))
        self.assertEqual(202, self.send(body=event, secret="bearer " + SECRETS["hub"]))
        wrong = [None, "", "x", SECRETS["hub"][:-1], SECRETS["hub"] + "x", SECRETS["harbor"],
                 "Bearer " + SECRETS["harbor"], "Bearer", "Bearer  " + SECRETS["hub"],
                 "Basic " + base64.b64encode(SECRETS["hub"].encode()).decode()]
        for secret in wrong:
            with self.subTest(secret=secret):
                self.assertEqual(401, self.send(body=event, secret=secret))
        self.assertEqual(401, self.send("/hooks/nobody", event))
        self.assertEqual(401, self.send("/hooks/harbor", event))
        with open(self.log, encoding="utf-8") as file:
            log = file.read()
        for secret in SECRETS.values():
            self.assertNotIn(secret, log)

    def test_what_is_no_notification_is_refused(self):
        self.assertEqual(202, self.send(body={"events": []}, kind=EVENTS))
        for body in (b"", b"{", b"[]", b"null", b'{"events":7}', b'{"type":"PUSH_ARTIFACT"}',
                     b"\xff", b"[" * 100, b'{"events":[],"events":[]}'):
            with self.subTest(body=body):
                self.assertEqual(400, self.send(body=body))
        self.assertEqual(404, self.send("/"))
        self.assertEqual(404, self.send("/hooks/UPPER"))
        self.assertEqual(404, self.send("/hooks/hub/more"))
        self.assertEqual(405, self.send(method="GET", body=b""))
        self.assertEqual(405, self.send(method="DELETE", body=b""))
        self.assertEqual(415, self.send(kind="text/plain"))
        for size in ((1 << 20) + 1, 1 << 40):
            self.assertEqual(413, self.send(is_sent=False, **{"Content-Length": str(size)}))
        blank = b"%x\r\n%s\r\n0\r\n\r\n" % ((1 << 20) + 1, b" " * ((1 << 20) + 1))
        self.assertEqual(413, self.send(body=blank, **{"Content-Length": None,
                                                       "Transfer-Encoding": "chunked"}))

    def test_silent_and_slow_ones_do_not_keep_others_out(self):
        with self.connect() as tls:
            for _ in range(20):
                silent = socket.create_connection(("127.0.0.1", self.port), 120)
                self.addCleanup(silent.close)
            tls.sendall(b"POST /hooks/hub HTTP/1.1\r\nHost: x\r\nX: ")

            def is_cut():
                try:
                    tls.sendall(b"y")
                    return False
                except OSError:
                    return True
            wait_until(is_cut, "one byte now and then does not keep a connection", step=0.2)
        wait_until(lambda: self.status_or_none() == 202, "it serves again")

    def status_or_none(self):
        try:
            return self.send(body={"events": []})
        except (OSError, IndexError):
            return None

    def test_what_is_told_while_berthd_is_away_waits_for_it(self):
        registry = self.enter(Registry(os.path.join(self.dir, "away")))
        self.daemon.add("hub", registry)
        self.watch("from-hub", "hub")
        before = self.status("from-hub")["looked_at"]
        self.daemon.stop()
        self.push(registry, "app", "1")
        self.assertEqual(202, self.send(body=push_event("app", "1")))
        self.daemon.start()
        wait_until(lambda: self.tags("from-hub/app") == ["1"], "it was copied")
        self.assertGreaterEqual(self.status("from-hub")["looked_at"], before)


class Starting(unittest.TestCase):
    def start(self, config):
        folder = workdir(self)
        daemon = Daemon(folder, config=config)
        os.makedirs(daemon.state, mode=0o700)
        process = Process([*daemon.command(), "--hooks"], os.path.join(folder, "log"))
        self.addCleanup(process.kill)
        status = process.popen.wait(120)
        with open(os.path.join(folder, "log"), encoding="utf-8") as file:
            return status, file.read()

    def test_without_its_configuration_it_says_what_is_missing(self):
        status, log = self.start("# nothing\n")
        self.assertEqual(78, status)
        self.assertIn("hooks.listen", log)

    def test_a_secret_that_others_may_read_is_refused(self):
        folder = workdir(self)
        with open(os.path.join(folder, "hub"), "w", encoding="ascii") as file:
            file.write("0123456789abcdef\n")
        os.chmod(os.path.join(folder, "hub"), 0o644)
        status, log = self.start(f'hooks: {{ listen = "127.0.0.1:1"; certificate = "/x"; '
                                 f'key = "/x"; secrets = "{folder}"; }};\n')
        self.assertEqual(78, status)
        self.assertIn("the secret hub must be", log)


if __name__ == "__main__":
    unittest.main()
