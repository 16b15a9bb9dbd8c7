# SPDX-License-Identifier: Apache-2.0
"""A front for a registry that takes so many requests at once and answers 429 to more."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP = ("connection", "keep-alive", "transfer-encoding")


class Bounded:
    """bound requests at once (0: any number), each held for pause_s so that they meet.

    Counts: requests let through, refused, and the most that were let through at once.
    busy(n, seconds) refuses the n-th request from now on, with that Retry-After; early
    counts what still comes before those seconds are over.
    """

    def __init__(self, registry, bound=0, pause_s=0.02):
        self.registry, self.bound, self.pause_s = registry, bound, pause_s
        self.requests = self.refused = self.most = self.early = 0
        self._under_way = 0
        self._countdown, self._retry_after, self._held_until = 0, 0, 0.0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def busy(self, count, seconds):
        with self._lock:
            self._countdown, self._retry_after = count, seconds

    def _enter(self):
        """The headers of a refusal, or None: it may pass."""
        with self._lock:
            if time.monotonic() < self._held_until:
                self.early += 1
            self._countdown -= 1
            if self._countdown == 0:
                self._held_until = time.monotonic() + self._retry_after
                self.refused += 1
                return {"Retry-After": str(self._retry_after)}
            if self.bound and self._under_way >= self.bound:
                self.refused += 1
                return {}
            self._under_way += 1
            self.requests += 1
            self.most = max(self.most, self._under_way)
            return None

    def _leave(self):
        with self._lock:
            self._under_way -= 1

    def _handler(self):
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                refusal = front._enter()
                if refusal is not None:
                    self._reply(429, refusal, b"")
                    return
                try:
                    time.sleep(front.pause_s)
                    status, headers, answer = self._forward(body)
                finally:
                    front._leave()
                self._reply(status, headers, answer)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any

            def _forward(self, body):
                peer = http.client.HTTPConnection("127.0.0.1", front.registry.port, timeout=300)
                try:
                    peer.putrequest(self.command, self.path, skip_host=True,
                                    skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in HOP:
                            peer.putheader(name, value)
                    peer.endheaders(body)
                    answer = peer.getresponse()
                    return (answer.status, {name: value for name, value in answer.getheaders()
                                            if name.lower() not in HOP}, answer.read())
                finally:
                    peer.close()

            def _reply(self, status, headers, body):
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() != "content-length" or self.command == "HEAD":
                        self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format, *args):
                pass

        return Handler
