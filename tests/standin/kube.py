# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Kubernetes API server: what berthd's cluster jobs ask of one,
in the shapes of 1.34. tests/lib/berthtest/kube.py is a real one, which takes long
to build; this one counts, refuses and stands still when it is told to.

    kube = StandinKube(folder)               # https; kube.url, kube.ca, kube.token
    kube.namespaces["team-a"] = {"registry-secret": OBJECT, ...}
    kube.writes                              # [("PATCH", "team-a", "registry-secret"), ...]
    kube.refuse = (429, 1)                   # status, and how often (None: always)
    kube.close(); kube.open()                # on the same port
"""

import base64
import json
import re
import socket
import ssl
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "kube-canary-token-7Qx"
SECRET = re.compile(r"^/api/v1/namespaces/([^/]+)/secrets/([^/]+)$")
ACCOUNT = re.compile(r"^/api/v1/namespaces/([^/]+)/serviceaccounts/default$")
NAMESPACE = re.compile(r"^/api/v1/namespaces/([^/]+)$")


def failure(code, reason, message):
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
                  "reason": reason, "message": message, "details": {}}


class StandinKube:
    """Its world is in plain attributes; hold the lock to change several."""

    def __init__(self, authority, nodes=2):
        self.ca, self.token = authority.ca, TOKEN
        self.pair = authority.issue(f"kube-{uuid.uuid4().hex[:8]}")
        self.lock = threading.RLock()
        self.namespaces, self.accounts, self.writes = {}, {}, []
        self.denied, self.refuse, self.gate = set(), None, None
        self.nodes = [self._node(f"node-{n}") for n in range(nodes)]
        self.version, self.port, self.server, self.held = 0, 0, None, None
        self.open()

    @staticmethod
    def _node(name):
        return {"metadata": {"name": name, "uid": name}, "spec": {}, "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "allocatable": {"cpu": "3920m", "memory": "7986996Ki", "pods": "110"},
            "nodeInfo": {"kubeletVersion": "v1.34.4", "osImage": "Debian GNU/Linux 12",
                         "architecture": "amd64", "containerRuntimeVersion": "containerd://2.1"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def open(self):
        world = self

        class Handler(Answers):
            """Of this world."""
            kube = world

        self.server = Server(("127.0.0.1", self.port), Handler)
        if self.held:
            self.held.close()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()

    def close(self):
        """Refuses connections from now on; what it holds stays."""
        if self.server:
            self.server.shutdown()
            self.held = socket.socket()  # nobody else gets the port meanwhile
            self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.server.server_close()
            self.held.bind(("127.0.0.1", self.port))
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def make(self, *names):
        with self.lock:
            for name in names:
                self.namespaces.setdefault(name, {})
                self.accounts.setdefault(name, self.stamp({"metadata": {"name": "default"}}))

    def secret(self, namespace, name="registry-secret"):
        with self.lock:
            return self.namespaces.get(namespace, {}).get(name)

    def auths(self, namespace, name="registry-secret"):
        """What a kubelet reads of it: {host: {"username", "password", "auth"}}, or None."""
        found = self.secret(namespace, name)
        if not found:
            return None
        return json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))["auths"]

    def stamp(self, thing):
        self.version += 1
        thing["metadata"].setdefault("uid", str(uuid.uuid4()))
        thing["metadata"]["resourceVersion"] = str(self.version)
        return thing

    def answer(self, method, path, body):
        """(status, JSON) of one request whose credential was right."""
        fixed = {
            "/version": {"gitVersion": "v1.34.4", "major": "1", "minor": "34"},
            "/apis": {"groups": [{"name": "apps"}, {"name": "goharbor.io"}]},
            "/apis/authentication.k8s.io/v1/selfsubjectreviews":
                {"status": {"userInfo": {"username": "berth"}}},
            "/api/v1/nodes": {"metadata": {}, "items": self.nodes},
            "/api/v1/namespaces": {"metadata": {}, "items": [
                {"metadata": {"name": name, "uid": name}, "status": {"phase": "Active"}}
                for name in sorted(self.namespaces)]},
        }
        if path.endswith("/selfsubjectaccessreviews"):
            what = body["spec"]["resourceAttributes"]
            return 201, {"status": {
                "allowed": f"{what['verb']} {what['resource']}" not in self.denied}}
        if path == "/api/v1/nodes" and "list nodes" in self.denied:
            return failure(403, "Forbidden", "nodes is forbidden")
        if path in fixed:
            return 200, fixed[path]
        for form, act in ((SECRET, self._secret), (ACCOUNT, self._account),
                          (NAMESPACE, self._namespace)):
            found = form.match(path)
            if found:
                return act(method, body, *found.groups())
        return failure(404, "NotFound", "the server could not find the requested resource")

    def _namespace(self, method, _, name):
        if name not in self.namespaces:
            return failure(404, "NotFound", f'namespaces "{name}" not found')
        return 200, {"metadata": {"name": name, "uid": name}, "status": {"phase": "Active"}}

    def _account(self, method, body, namespace):
        account = self.accounts.get(namespace)
        if not account:
            return failure(404, "NotFound", 'serviceaccounts "default" not found')
        if method == "PATCH":
            self.writes.append((method, namespace, "default"))
            account["imagePullSecrets"] = body["imagePullSecrets"]
            self.stamp(account)
        return 200, account

    def _secret(self, method, body, namespace, name):
        held = self.namespaces.get(namespace)
        there = (held or {}).get(name)
        if method == "PATCH" and held is None:
            return failure(404, "NotFound", f'namespaces "{namespace}" not found')
        if method != "PATCH" and not there:
            return failure(404, "NotFound", f'secrets "{name}" not found')
        if method == "GET":
            return 200, there
        self.writes.append((method, namespace, name))
        if method == "DELETE":
            return 200, held.pop(name)
        if there:
            body["metadata"]["uid"] = there["metadata"]["uid"]
        held[name] = self.stamp(body)
        return (200 if there else 201), held[name]


class Server(ThreadingHTTPServer):
    """A client that goes away in the middle of something is no news."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """Silent."""


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 300
    kube = None

    def _ask(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        path = self.path.partition("?")[0]
        gate = self.kube.gate
        if gate and gate.path in path:
            gate.reached.set()
            gate.open.wait(300)
        with self.kube.lock:
            status, found = self._answer(path, json.loads(text) if text else None)
        sent = (found if isinstance(found, str) else json.dumps(found)).encode()
        self.send_response(status)
        kind = "text/plain" if isinstance(found, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(sent)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(sent)

    def _answer(self, path, body):
        kube = self.kube
        if self.headers.get("Authorization") != f"Bearer {kube.token}":
            return failure(401, "Unauthorized", "Unauthorized")
        if kube.refuse and "/secrets/" in path:
            status, times = kube.refuse
            kube.refuse = None if times == 1 else (status, times and times - 1)
            return status, "Too many requests, please try again later."
        if path == "/readyz":
            return 200, "ok"
        return kube.answer(self.command, path, body)

    def log_message(self, *_):
        """Silent."""

    do_GET = do_POST = do_PATCH = do_DELETE = _ask


class Gate:
    """kube.gate = Gate("/secrets/"): such requests wait until gate.open is set."""

    def __init__(self, path):
        self.path, self.reached, self.open = path, threading.Event(), threading.Event()
