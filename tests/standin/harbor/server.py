# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: nginx and core before the handlers.

Faults first, then cookies and CSRF as Harbor's middlewares order them, then
/c/, /service/token, /v2/ and the API. Every answer is one write.
"""

import http.server
import secrets
import socket
import threading
import urllib.parse
import uuid

from . import registry, session
from .call import Answer, Call, JSON, READ_ONLY, Refused, find_route, invalid
from .faults import HTML, answer as fault_answer

BODY_MAX = 64 << 20
READS = ("GET", "HEAD", "OPTIONS")


def not_found_page():
    return Answer(404, "<!DOCTYPE HTML>\n<html>\n<head><title>404 - Page Not Found</title></head>"
                  "\n</html>\n", content_type="text/html; charset=utf-8")


def nginx(status, title, headers=()):
    return Answer(status, HTML.format(f"{status} {title}"), headers, "text/html")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, harbor):
        self.harbor = harbor
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request, client_address):
        """A peer that went away is no fault of the stand-in's."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    # -- reading

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces, total = [], 0
            while size := int(self.rfile.readline().partition(b";")[0].strip() or b"0", 16):
                total += size
                if total > BODY_MAX:
                    raise ValueError("body too large for the stand-in")
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def cookies(self):
        """The last one of a name counts, as in Go's reading of Harbor's two sid."""
        found = {}
        for part in self.headers.get("Cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            found[name] = value
        return found

    # -- one request

    def serve(self):
        harbor = self.server.harbor
        body = self.read_body()
        target, _, query = self.path.partition("?")
        path = "/" + target.lstrip("/") if target.startswith("//") else target
        self.kind = None
        found = harbor.faults.find(self.command, path)
        if found is None and harbor.faults.body_max is not None and \
                len(body) > harbor.faults.body_max:
            found = fault_answer("413")
        if harbor.faults.eats_authorization:
            del self.headers["Authorization"]
        if found is not None:
            harbor.count(self.command, path, "fault", "")
            return self.send(found)
        try:
            done = self.dispatch(harbor, path, query, body)
        except Refused as refused:
            done = refused.answer
        harbor.faults.wait(self.command, path)
        return self.send(done)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve

    def dispatch(self, harbor, path, query, body):
        world, cookies = harbor.world, self.cookies()
        if "redis" in world.down and not world.at_least(2, 6):
            harbor.count(self.command, path, "down", "")
            return nginx(503, "Service Temporarily Unavailable")
        if path == "/v2":
            return nginx(301, "Moved Permanently", [
                ("Location", f"http://{self.headers.get('Host')}/v2/")])
        if path.startswith("/c/"):
            harbor.count(self.command, path, f"{self.command} {path}", "")
            return session.serve(harbor, self.command, path, self.headers, cookies, body)
        if path == "/api/version":
            harbor.count(self.command, path, "GET /api/version", "")
            return Answer(200, b'{"version":"v2.0"}\n', content_type="text/plain; charset=utf-8")
        if path == "/service/token":
            return self.token(harbor, query, cookies)
        if path.startswith("/v2/"):
            return registry.serve(harbor, self, path, query, body)
        if path.startswith("/api/v2.0"):
            return self.api(harbor, path, query, body, cookies)
        if path.startswith(("/api/", "/service/")):
            return not_found_page()
        return nginx(404, "Not Found") if path.startswith("/v1/") else \
            Answer(200, "<!doctype html><title>Harbor</title>", content_type="text/html")

    def token(self, harbor, query, cookies):
        if self.command != "GET" and harbor.world.settings["read_only"] and \
                not harbor.world.at_least(2, 6):
            raise Refused(403, "DENIED", READ_ONLY)
        if self.command != "GET":
            return Answer(405, "Method Not Allowed\n", content_type="text/plain; charset=utf-8")
        with harbor.world.lock:
            who = harbor.access.who(self.headers, cookies)
            harbor.count("GET", "/service/token", "GET /service/token", who.name)
            return session.token(harbor, who, query)

    def csrf(self, harbor, cookies):
        """Unsafe requests with a session cookie need the token, whatever else they carry."""
        if self.command in READS or "sid" not in cookies:
            return
        given = self.headers.get("X-Harbor-CSRF-Token", "")
        if not harbor.access.csrf_holds(cookies, given):
            _, token = harbor.access.new_csrf()
            raise Refused(403, "FORBIDDEN", "CSRF token not found in request"
                          if not given else "CSRF token invalid",
                          [("X-Harbor-Csrf-Token", token)])

    def api(self, harbor, path, query, body, cookies):
        world = harbor.world
        inner = urllib.parse.unquote(path)[len("/api/v2.0"):]  # nginx decodes once
        with world.lock:
            self.csrf(harbor, cookies)
            who = harbor.access.who(self.headers, cookies)
            if world.settings["read_only"] and self.command not in READS and \
                    inner != "/configurations":
                harbor.count(self.command, path, f"{self.command} read-only", who.name)
                raise Refused(403, "DENIED", READ_ONLY)
            try:
                handler, parts, kind, text = find_route(world.number, self.command, inner)
            except Refused:
                harbor.count(self.command, path, f"{self.command} no route", who.name)
                raise
            harbor.count(self.command, path, kind, who.name)
            harbor.bodies.append((kind, query, body))
            self.accept(world, text)
            call = Call(harbor, who, inner, query, self.headers, body)
            if "database" in world.down and kind not in session.WITHOUT_DATABASE:
                if not world.at_least(2, 6) and not kind.endswith(" /projects"):
                    raise Refused(401, "UNAUTHORIZED", "unauthorized")
                raise Refused(500, "UNKNOWN", "internal server error")
            return handler(call, *parts)

    def accept(self, world, text):
        given = self.headers.get("Accept")
        if given is None or (not given and not world.at_least(2, 6)):
            return
        kinds = [part.partition(";")[0].strip() for part in given.split(",")]
        offered = [JSON]
        if text:
            offered = ["text/plain"] + ([JSON] if world.at_least(2, 6) else [])
        if not any(kind in (*offered, "*/*", offered[0].partition("/")[0] + "/*")
                   for kind in kinds):
            raise invalid("unsupported media type requested, only "
                          f"[{' '.join(sorted(offered))}] are available")

    # -- answering

    def send(self, found):
        data = found.data()
        lines = [f"HTTP/1.1 {found.status} {self.responses.get(found.status, ('',))[0]}",
                 "Server: nginx", f"Date: {self.server.harbor.http_date()}"]
        names = {name.lower() for name, _ in found.headers}
        cut = found.content_type == "application/json; cut"
        if found.content_type and found.status not in (204, 304) and "content-type" not in names:
            lines.append("Content-Type: " + found.content_type.partition("; cut")[0])
        if found.status not in (204, 304) and "content-length" not in names:
            lines.append(f"Content-Length: {len(data)}")
        if self.path.startswith("/api/") and "sid" not in self.cookies():
            lines.append(f"Set-Cookie: sid={secrets.token_hex(16)}; Path=/; HttpOnly")
        lines.append(f"X-Request-Id: {self.headers.get('X-Request-Id') or uuid.uuid4()}")
        lines += [f"{name}: {value}" for name, value in found.headers]
        if cut:
            lines.append("Connection: close")
            self.close_connection = True
        head = "\r\n".join(lines) + "\r\n\r\n"
        if self.command == "HEAD" or found.status in (204, 304):
            data = b""
        self.wfile.write(head.encode("latin-1", "replace") + data)

    def send_error(self, code, message=None, explain=None):
        """http.server's own refusals, in nginx's words."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or "GET"
        page = nginx(code, message or "Bad Request").data()
        self.wfile.write(f"HTTP/1.1 {code} Bad Request\r\nContent-Length: {len(page)}\r\n"
                         "Connection: close\r\n\r\n".encode() + page)


def start(harbor):
    server = Server(harbor)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05},
                     daemon=True).start()
    return server
