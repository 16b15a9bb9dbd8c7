# SPDX-License-Identifier: Apache-2.0
"""What the plugins' client for a server's own API makes of errors, told in the
forms that real servers have, and of lists: here by Artifactory's plugin."""

import http.server
import json
import threading
import unittest

from berthtest.drive import drive

SAID = (  # a body, and the cause that is made of it
    ({"errors": [{"code": "DENIED", "message": "no push here"}]}, "DENIED: no push here"),
    ({"errors": [{"code": "DIGEST_INVALID", "message": "it did not match",
                  "detail": "sha256:77"}]}, "DIGEST_INVALID: it did not match: sha256:77"),
    ({"errors": [{"code": "NAME", "message": "", "detail": "said in the detail"}]},
     "NAME: said in the detail"),
    ({"errors": [{"message": "once", "detail": "once"}]}, "HTTP 400: once"),
    ({"errors": [{"message": "an object", "detail": {"x": 1}}]}, "HTTP 400: an object"),
    ({"errors": ["a text alone"]}, "HTTP 400: a text alone"),
    ({"errors": [], "message": "beside an empty list"}, "HTTP 400: beside an empty list"),
    ({"status": 400, "error_message": "the tag is not there", "title": "not_found"},
     "HTTP 400: the tag is not there"),
    ({"error": "invalid_scope", "error_description": "the scope is wrong"},
     "HTTP 400: the scope is wrong"),
    ({"detail": "object not found"}, "HTTP 400: object not found"),
    ({"type": "about:blank", "title": "Too many layers"}, "HTTP 400: Too many layers"),
    ({"error": "insufficient rights"}, "HTTP 400: insufficient rights"),
    ([], "HTTP 400"), ({"errors": {}}, "HTTP 400"), ("text", "HTTP 400: text"),
)


class Server:
    """Answers reads with `reads`, writes with `writes`: a status and a body; counts writes."""

    def __init__(self, case):
        outer, self.reads, self.writes, self.written = self, (200, []), (200, {}), 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PATCH(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.written += 1
                self.answer(*outer.writes)

            def do_GET(self):
                self.answer(*outer.reads)

            def answer(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        case.addCleanup(server.server_close)
        case.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"


class Words(unittest.TestCase):
    def test_a_servers_own_words_are_told_in_whichever_form_they_come(self):
        server = Server(self)
        for body, cause in SAID:
            with self.subTest(json.dumps(body)):
                server.reads = (400, body)
                error = drive("jfrog", {"address": server.url}, "spaces").error
                self.assertEqual(cause if cause.startswith("HTTP") else "HTTP 400 " + cause,
                                 error["cause"].rpartition("GET /api/repositories: ")[2])

    def test_a_write_is_asked_again_after_a_429_alone(self):
        for status, code, asked in ((429, "throttled", 3), (503, "unavailable", 1)):
            server = Server(self)
            server.reads = (200, [{"key": "key", "type": "LOCAL"}])
            server.writes = (status, {})
            done = drive("jfrog", {"address": server.url, "net_tries": "3"}, "describe",
                         "key/app", "words")
            self.assertEqual((code, asked), (done.error["code"], server.written), done.text)


if __name__ == "__main__":
    unittest.main()
