# SPDX-License-Identifier: Apache-2.0
"""The control socket of a running daemon: every route against the conventions,
and clients that are slow, many, silent, or leave."""

import concurrent.futures
import json
import os
import re
import select
import socket
import subprocess
import sys
import unittest

from berthtest import Daemon, workdir
from berthtest.openapi import Document, source_dir
from berthtest.proc import wait_until

UUID = "00000000-0000-4000-8000-000000000000"
VALUES = {"name": "absent", "id": UUID, "repository": "some%2Frepository", "kind": "not-found",
          "reference": "sha256:" + 64 * "0", "run": "7"}


class Case(unittest.TestCase):
    config = None

    def setUp(self):
        self.daemon = Daemon(workdir(self), config=self.config)
        self.addCleanup(self.daemon.stop)
        self.daemon.start()
        self.api = self.daemon.api

    def connect(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        sock.settimeout(120)
        sock.connect(self.daemon.socket)
        return sock

    def read_all(self, sock):
        """What comes until the other side ends."""
        data = b""
        try:
            while piece := sock.recv(65536):
                data += piece
        except ConnectionError:
            pass
        return data

    def refused(self, status, code, method, path, body=None, headers=None):
        answer = self.api.request(method, path, body, headers)
        self.assertEqual((status, code), (answer.status, answer.body.get("code")),
                         f"{method} {path}: {answer.body}")
        self.assertEqual("application/problem+json", answer.headers["Content-Type"])
        self.assertEqual(answer.headers["X-Request-Id"], answer.body["instance"])
        return answer


class EveryRoute(Case):
    """What must hold for each operation of docs/openapi.json."""

    def operations(self):
        root = Document().root
        for path, item in root["paths"].items():
            filled = re.sub(r"\{(\w+)\}", lambda m: VALUES[m[1]], path)
            for method, operation in item.items():
                if method != "parameters":
                    yield method.upper(), filled, operation

    def test_the_daemon_serves_the_document_it_was_built_from(self):
        with open(os.path.join(source_dir(), "docs", "openapi.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), self.api.get("/v1/openapi.json"))
        for path in ("/v1/openapi.json", "/v1/problems/not-found"):
            etag = self.api.request("GET", path).headers["ETag"]
            self.assertEqual([304, 200], [
                self.api.request("GET", path, headers={"If-None-Match": value}).status
                for value in (etag, '"another"')])

    def test_an_unknown_parameter_is_refused(self):
        for method, path, operation in self.operations():
            with self.subTest(method=method, path=path):
                needed = operation.get("requestBody", {}).get("required")
                self.refused(400, "parameter-unknown", method, path + "?no_such=1",
                             {} if needed else None)

    def test_an_unacceptable_format_is_406(self):
        for method, path, operation in self.operations():
            produces = [kind for status, answer in operation["responses"].items()
                        if status[0] == "2" for kind in Document().resolve(answer).get("content", {})]
            if not produces:
                continue
            with self.subTest(method=method, path=path):
                self.refused(406, "not-acceptable", method, path, None, {"Accept": "image/png"})

    def test_an_unknown_member_of_a_body_is_422_with_its_pointer(self):
        for method, path, operation in self.operations():
            if "requestBody" not in operation:
                continue
            with self.subTest(method=method, path=path):
                answer = self.refused(422, "validation-failed", method, path, {"no_such": 1})
                found = {(e["pointer"], e["code"]) for e in answer.body["errors"]}
                self.assertIn(("/no_such", "unknown-field"), found)

    def test_a_body_of_another_type_is_415_and_an_unwanted_one_400(self):
        for method, path, operation in self.operations():
            with self.subTest(method=method, path=path):
                wanted = "requestBody" in operation
                self.refused(415 if wanted else 400,
                             "media-type-unsupported" if wanted else "body-unexpected",
                             method, path, b"{}", {"Content-Type": "text/plain"})

    def test_a_body_over_the_cap_is_413_before_it_is_sent(self):
        for method, path, operation in self.operations():
            if "requestBody" not in operation:
                continue
            kind = next(iter(operation["requestBody"]["content"]))
            with self.subTest(method=method, path=path):
                sock = self.connect()
                sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                             f"Content-Length: 99999999\r\n\r\n".encode())
                self.assertTrue(self.read_all(sock).startswith(b"HTTP/1.1 413 "))

    def test_options_and_405_tell_the_methods(self):
        methods = {}
        for method, path, _ in self.operations():
            methods.setdefault(path, set()).add(method)
        for path, known in methods.items():
            with self.subTest(path=path):
                allow = known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
                answer = self.api.request("OPTIONS", path)
                self.assertEqual(204, answer.status)
                self.assertEqual(allow, set(answer.headers["Allow"].split(", ")))
                wrong = next(m for m in ("PUT", "PATCH", "POST", "DELETE") if m not in known)
                answer = self.refused(405, "method-not-allowed", wrong, path)
                self.assertEqual(allow, set(answer.headers["Allow"].split(", ")))

    def test_head_is_get_without_its_body(self):
        for path in ("/", "/v1", "/v1/integrations", "/v1/openapi.json"):
            got, head = (self.api.request(m, path) for m in ("GET", "HEAD"))
            self.assertEqual((got.status, b""), (head.status, head.body))
            self.assertEqual(got.headers["Content-Type"], head.headers["Content-Type"])

    def test_a_forged_cursor_is_400_on_every_list(self):
        for method, path, operation in self.operations():
            names = [Document().resolve(p)["name"] for p in operation.get("parameters", [])]
            if "cursor" not in names:
                continue
            answer = self.api.request(method, path + "?cursor=Zm9yZ2Vk")
            with self.subTest(path=path):
                # Below something that is not there it is the 404 that comes first.
                self.assertIn(answer.status, (400, 404) if VALUES["name"] in path or UUID in path
                              else (400,))

    def test_problems_explain_themselves(self):
        answer = self.api.request("GET", "/v1/integrations/absent")
        self.assertEqual(404, answer.status)
        kind = self.api.get(answer.body["type"])
        self.assertEqual((answer.body["code"], 404), (kind["code"], kind["status"]))
        self.assertTrue(kind["detail"])

    def test_metrics_speak_both_formats(self):
        plain = self.api.request("GET", "/v1/metrics")
        self.assertEqual("text/plain; version=0.0.4; charset=utf-8", plain.headers["Content-Type"])
        self.assertIn(b"# TYPE berth_http_requests_total counter\n", plain.body)
        other = self.api.request("GET", "/v1/metrics",
                                 headers={"Accept": "application/openmetrics-text"})
        self.assertIn(b"# TYPE berth_http_requests counter\n", other.body)
        self.assertTrue(other.body.endswith(b"# EOF\n"))


class Slow(Case):
    config = "http: { head_ms = 3000; body_gap_ms = 3000; };\n"

    def test_a_slow_head_and_a_slow_body_are_408_and_others_go_on(self):
        head, body = self.connect(), self.connect()
        head.sendall(b"GET /v1 HT")
        body.sendall(b"POST /v1/integrations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                     b"\r\nContent-Length: 50\r\n\r\n{\"name\":")
        self.assertEqual("v1", self.api.get("/v1")["api"])
        for sock in (head, body):
            got = self.read_all(sock)
            self.assertTrue(got.startswith(b"HTTP/1.1 408 "), got)
            self.assertIn(b"Retry-After: ", got)
        self.assertEqual([], self.api.get("/v1/integrations")["items"])


class Many(Case):
    config = "http: { head_ms = 120000; };\n"

    def test_a_flood_of_one_user_is_capped_and_ends(self):
        flood = []
        for _ in range(300):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.addCleanup(sock.close)
            sock.connect(self.daemon.socket)
            sock.settimeout(120)
            flood.append(sock)
        self.assert_others_are_served()
        answered = wait_until(lambda: self.answered(flood, 300 - 32), "the rest is turned away")
        # One place may have been the fixture's own, that asked whether berthd is ready.
        self.assertLessEqual(len(answered), 300 - 31)
        for sock in answered:
            answer = self.read_all(sock)
            self.assertTrue(answer.startswith(b"HTTP/1.1 429 "), answer)
            self.assertIn(b"Retry-After: ", answer)
        for sock in flood:
            sock.close()
        wait_until(self.daemon.is_ready, "its user is served again")

    @staticmethod
    def answered(socks, count):
        """Those of the connections that something came over, once so many have."""
        found = select.select(socks, [], [], 0)[0]
        return found if len(found) >= count else None

    def assert_others_are_served(self):
        """A second user, where the test may play one: without a role, so 403."""
        if os.geteuid():
            return
        os.chmod(self.daemon.dir, 0o755)
        os.chmod(self.daemon.state, 0o711)
        os.chmod(self.daemon.socket, 0o666)
        program = ("import os, socket, sys\n"
                   "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
                   "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
                   "s.sendall(b'GET /v1/integrations HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n')\n"
                   "print(s.makefile('rb').read().decode())\n")
        done = subprocess.run([sys.executable, "-c", program, self.daemon.socket],
                              capture_output=True, text=True, timeout=120, check=True)
        self.assertIn(" 403 ", done.stdout.splitlines()[0])
        self.assertIn('"code":"forbidden"', done.stdout)

    def test_a_client_that_dies_in_its_upload_leaves_nothing(self):
        sock = self.connect()
        sock.sendall(b"POST /v1/integrations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                     b"\r\nIdempotency-Key: half\r\nContent-Length: 80\r\n\r\n{\"name\":\"half\",")
        sock.close()
        self.assertEqual([], self.api.get("/v1/integrations")["items"])
        self.assertEqual([], self.api.get("/v1/operations")["items"])
        self.assertEqual([], self.api.get("/v1/audit")["items"])


class Keys(Case):
    def test_one_key_sent_many_times_at_once_is_one_operation(self):
        body = {"name": "one", "kind": "dockerreg", "address": "http://127.0.0.1:1"}

        def post(_):
            return self.api.request("POST", "/v1/integrations", body, {"Idempotency-Key": "same"})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(16)))
        self.assertEqual({202}, {a.status for a in answers})
        self.assertEqual(1, len({a.headers["Location"] for a in answers}))
        self.assertEqual(15, sum("Idempotency-Replayed" in a.headers for a in answers))
        made = [o for o in self.api.get("/v1/operations")["items"]
                if o["kind"] == "integration-create"]
        self.assertEqual(1, len(made))

    def test_a_kept_answer_outlives_the_daemon(self):
        body = {"name": "one", "kind": "dockerreg", "address": "http://127.0.0.1:1"}
        headers = {"Idempotency-Key": "kept", "Prefer": "wait=60"}
        first = self.api.request("POST", "/v1/integrations", body, headers)
        self.assertEqual((200, "failed"), (first.status, first.body["state"]))
        self.daemon.kill()
        self.daemon.start()
        again = self.api.request("POST", "/v1/integrations", body, headers)
        self.assertEqual((202, "true"), (again.status, again.headers["Idempotency-Replayed"]))
        self.assertEqual(first.body["id"], again.body["id"])
        self.refused(422, "key-reused", "POST", "/v1/integrations", {**body, "name": "two"},
                     {"Idempotency-Key": "kept"})


class Streams(Case):
    config = ("http: { reader_max_bytes = 4096; keep_alive_ms = 100; streams_max = 2; };\n"
              "operations: { events_keep_count = 20; };\n")

    def stream(self, **headers):
        sock = self.connect()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        sock.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
        return sock

    def make_events(self, count):
        for _ in range(count):
            self.api.request("DELETE", "/v1/integrations/" + 60 * "x", headers={"If-Match": "*"})

    def test_a_reader_that_stops_reading_is_told_what_it_missed(self):
        sock = self.stream(Accept="text/event-stream")
        self.assertIn(b"200 OK", sock.recv(4096))
        self.make_events(900)  # more than the socket's buffer and the ring hold
        got = b""
        while b"event: gap\n" not in got:
            got += sock.recv(65536)
        since, until = map(int, re.search(rb'"since":(\d+),"until":(\d+)', got).groups())
        self.assertLess(since, until)

    def test_an_idle_stream_carries_comments(self):
        sock = self.stream(Accept="text/event-stream")
        got = b""
        while b": \n\n" not in got:
            got += sock.recv(4096)
        self.assertIn(b"200 OK", got)

    def test_what_is_no_longer_stored_is_a_gap(self):
        self.make_events(60)
        sock = self.stream(Accept="text/event-stream", Last_Event_ID="1")
        got = b""
        while b"id: " not in got:
            got += sock.recv(65536)
        self.assertIn(b"event: gap\n", got)

    def test_there_is_a_limit_of_streams(self):
        held = [self.stream() for _ in range(2)]
        for sock in held:
            self.assertIn(b"200 OK", sock.recv(4096))
        answer = self.refused(429, "too-many", "GET", "/v1/events")
        self.assertIn("Retry-After", answer.headers)
        held[0].close()
        wait_until(lambda: self.stream().recv(4096).startswith(b"HTTP/1.1 200 "),
                   "a place is free again")


if __name__ == "__main__":
    unittest.main()
