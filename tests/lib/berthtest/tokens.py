# SPDX-License-Identifier: Apache-2.0
"""A token server as docker-registry's "token" authentication asks for.

Tokens are JWTs signed by the openssl command; the certificate travels in the
x5c header, which distribution 2.8 and 3 both check against rootcertbundle.
"""

import base64
import json
import os
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .proc import need
from .tls import openssl


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class TokenServer:
    """Serves GET and POST on /token; users is {name: password}.

    grant(user, kind, name, actions) says what a caller gets of what was asked;
    without it a known user gets all and an anonymous caller may pull. The
    requests seen are in `requests`, as (method, user, scopes).
    """

    issuer = "berth-test-issuer"
    service = "berth-test-registry"

    def __init__(self, folder, users=None, grant=None, expires_s=300):
        need("openssl")
        os.makedirs(folder, exist_ok=True)
        self.users = users or {}
        self.grant = grant or self._grant_by_default
        self.expires_s = expires_s
        self.requests = []
        self.key = os.path.join(folder, "token.key")
        self.cert = os.path.join(folder, "token.pem")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=token",
                "-days", "30", "-keyout", self.key, "-out", self.cert)
        self._x5c = base64.b64encode(openssl("x509", "-in", self.cert, "-outform", "DER")).decode()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.realm = f"http://127.0.0.1:{self.port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def registry_auth(self):
        """The `auth` section of a registry's configuration."""
        return {"token": {"realm": self.realm, "service": self.service, "issuer": self.issuer,
                          "rootcertbundle": self.cert}}

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    @staticmethod
    def _grant_by_default(user, kind, name, actions):
        if user:
            return actions
        return [action for action in actions if action == "pull" and kind == "repository"]

    def sign(self, user, scopes):
        """A token for the scopes, each `type:name:action,action`."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = self.grant(user, kind, name, actions.split(","))
            if granted:
                access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._x5c]}
        claims = {"iss": self.issuer, "sub": user or "", "aud": self.service, "iat": now,
                  "nbf": now - 10, "exp": now + self.expires_s, "jti": _b64(os.urandom(12)),
                  "access": access}
        signed = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.key, data=signed.encode())
        return f"{signed}.{_b64(signature)}"

    def answer(self, method, authorization, fields):
        """Status and body for one token request."""
        user, password = fields.get("username", [None])[0], fields.get("password", [""])[0]
        if authorization.startswith("Basic "):
            user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
        scopes = [one for field in fields.get("scope", []) for one in field.split(" ") if one]
        self.requests.append((method, user, scopes))
        if user and self.users.get(user) != password:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user or password"}]}
        token = self.sign(user, scopes)
        return 200, {"token": token, "access_token": token, "expires_in": self.expires_s}

    def _handler(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._reply(urllib.parse.urlsplit(self.path).query)

            def do_POST(self):
                self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

            def _reply(self, encoded):
                status, body = owner.answer(self.command, self.headers.get("Authorization", ""),
                                            urllib.parse.parse_qs(encoded))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format, *args):
                pass

        return Handler
