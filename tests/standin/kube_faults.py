#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a Kubernetes API server, for what a real one can't be made to do
at will: to be busy, to fail inside, to cut, to drip, to answer as a proxy would.

Its answers are shapes recorded at kube-apiserver 1.34.4, and it knows only what
kube.so asks for. What a real server does is tested at a real one (e2e/kube).
"""

import base64
import http.server
import json
import re
import threading
import time
import urllib.parse

TOKEN = "standin-token-5f0c2b71"
TYPE = "kubernetes.io/dockerconfigjson"
HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>...</body></html>"
NOT_READY = (b"[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\n"
             b"[-]etcd-readiness failed: reason withheld\n[+]informer-sync ok\nreadyz check failed\n")


def status(code, reason, message, details=None):
    """A failure as the server words it; some have no reason."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "code": code}
    if reason:
        body["reason"] = reason
    if details:
        body["details"] = details
    return body


BUSY = (429, b"Too many requests, please try again later.\n", {"Retry-After": "1"})
FAULTS = {
    "busy": BUSY,
    "busy long": (429, BUSY[1], {"Retry-After": "3000"}),
    "404 text": (404, b"404 page not found\n", {}),
    "not ready": (500, NOT_READY, {}),
    "500 for ever": (500, status(
        500, "", "failed to create typed patch object (team-a/registry-secret; /v1, Kind=Secret): "
        ".bogus: field not declared in schema"), {}),
    "webhook away": (500, status(
        500, "InternalError", "Internal error occurred: failed calling webhook \"x.example\": "
        "failed to call webhook: Post \"https://x.ns.svc:443/\": dial tcp: connect refused"), {}),
    "webhook denies": (403, status(
        403, "Forbidden", "admission webhook \"x.example\" denied the request: no pull secrets"),
        {}),
    "quota": (403, status(
        403, "Forbidden", "secrets \"registry-secret\" is forbidden: exceeded quota: q, "
        "requested: secrets=1, used: secrets=20, limited: secrets=20"), {}),
    "quota uncounted": (403, status(
        403, "Forbidden", "secrets \"registry-secret\" is forbidden: status unknown for quota: q, "
        "resources: secrets"), {}),
    "terminating": (403, status(
        403, "Forbidden", "secrets \"registry-secret\" is forbidden: unable to create new content "
        "in namespace team-a because it is being terminated", {"causes": [
            {"reason": "NamespaceTerminating", "field": "metadata.namespace",
             "message": "namespace team-a is being terminated"}]}), {}),
    "expired token": (401, status(401, "Unauthorized", "Unauthorized"), {}),
    "504 text": (504, {"metadata": {}, "status": "Failure", "reason": "Timeout", "details": {},
                       "message": "Timeout: request did not complete within the allotted timeout",
                       "code": 504}, {}),
    "too large": (413, status(413, "RequestEntityTooLarge",
                              "Request entity too large: limit is 3145728"), {}),
    "login page": (200, HTML, {"Content-Type": "text/html"}),
    "html 404": (404, HTML, {"Content-Type": "text/html"}),
    "html 502": (502, HTML, {"Content-Type": "text/html"}),
    "html 503": (503, HTML, {"Content-Type": "text/html"}),
    "redirect": (302, b"", {"Location": "https://login.example/?next=secret"}),
    "empty": (200, b"", {}),
    "array": (200, b"[]", {}),
    "no list": (200, {"kind": "Status", "items": "none"}, {}),
    "null items": (200, {"kind": "NamespaceList", "metadata": {}, "items": None}, {}),
    "nameless": (200, {"kind": "NamespaceList", "metadata": {}, "items": [{"metadata": {}}]}, {}),
    "no secret": (404, status(404, "NotFound", 'secrets "registry-secret" not found',
                              {"name": "registry-secret", "kind": "secrets"}), {}),
    "apply conflict": (409, status(
        409, "Conflict", "Apply failed with 1 conflict: conflict with \"helm\" using v1: "
        ".data..dockerconfigjson", {"causes": [
            {"reason": "FieldManagerConflict", "message": "conflict with \"helm\" using v1",
             "field": ".data..dockerconfigjson"}]}), {}),
    "conflict": (409, status(
        409, "Conflict", "Operation cannot be fulfilled on secrets \"registry-secret\": the object "
        "has been modified; please apply your changes to the latest version and try again"), {}),
}


class Kube:
    """Serves at .url until stop(); .secrets by (namespace, name), .accounts by
    namespace; .requests are (method, path with query).

    faults   [(method, part of the path, name, times)]: "cut", "drip", "silent",
             "echo" (a 422 that repeats the body) or a key of FAULTS; times None: always
    expire   the n-th page of a list answers 410 once; fresh: with a token to go on by
    """

    def __init__(self, namespaces=("team-a",), nodes=()):
        self.namespaces, self.nodes = list(namespaces), list(nodes)
        self.secrets, self.accounts = {}, {name: [] for name in self.namespaces}
        self.requests, self.faults = [], []
        self.expire, self.fresh, self.version, self.count = None, True, 0, 0
        self.knows_remaining = True
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def fault(self, name, method="", path="", times=None):
        self.faults.append([method, path, name, times])

    def asked(self, method):
        return [path for one, path in self.requests if one == method]

    def _handler(self):
        kube = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                with kube.lock:
                    kube.requests.append((self.command, self.path))
                    name = kube.pick(self.command, self.path)
                    made = kube.serve(self, body) if name in (None, "cut", "drip") else None
                kube.send(self, name, made, body)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *args):
                pass

        return Handler

    def pick(self, method, path):
        for row in self.faults:
            if row[0] in ("", method) and row[1] in path and row[3] != 0:
                row[3] = None if row[3] is None else row[3] - 1
                return row[2]
        return None

    def send(self, handler, name, made, body):
        if name == "silent":
            time.sleep(3600)
        code, answer, headers = made or FAULTS.get(name) or (422, status(
            422, "Invalid", f"Secret is invalid: {body.decode()}"), {})
        kind = "application/json" if isinstance(answer, (dict, list)) else "text/plain"
        data = json.dumps(answer).encode() if kind == "application/json" else answer
        handler.send_response(code)
        for key, value in {"Content-Type": kind, **headers}.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        try:
            if name == "cut":
                handler.wfile.write(data[:len(data) // 2])
                handler.close_connection = True
                return
            step = 1 if name == "drip" else len(data) or 1
            for at in range(0, len(data), step):
                handler.wfile.write(data[at:at + step])
                if name == "drip":
                    handler.wfile.flush()
                    time.sleep(0.3)
        except OSError:
            pass

    # What it knows.

    def serve(self, handler, body):
        try:
            json.loads(body or "{}")
        except ValueError:
            return 400, status(400, "BadRequest", "error decoding YAML"), {}
        path, _, query = handler.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if handler.headers.get("Authorization") != f"Bearer {TOKEN}":
            return FAULTS["expired token"]
        secret = re.fullmatch(r"/api/v1/namespaces/([^/]+)/secrets/([^/]+)", path)
        account = re.fullmatch(r"/api/v1/namespaces/([^/]+)/serviceaccounts/default", path)
        if secret:
            return self.serve_secret(handler.command, secret.groups(), body, asked)
        if account:
            return self.serve_account(handler.command, account[1], body, asked)
        return self.serve_rest(path, asked, body)

    def serve_rest(self, path, asked, body):
        if path == "/version":
            return 200, {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}, {}
        if path == "/readyz":
            return 200, b"ok", {}
        if path == "/apis":
            return 200, {"kind": "APIGroupList", "groups": [
                {"name": name} for name in ("apps", "rbac.authorization.k8s.io",
                                            "goharbor.io")]}, {}
        if path.endswith("/selfsubjectreviews"):
            return 201, {"status": {"userInfo": {"username": "standin"}}}, {}
        if path.endswith("/selfsubjectaccessreviews"):
            return 201, {**json.loads(body), "status": {"allowed": True}}, {}
        if path == "/api/v1/namespaces":
            return self.page([{"metadata": {"name": name, "uid": f"uid-{name}"},
                               "status": {"phase": "Active"}} for name in self.namespaces], asked)
        if path == "/api/v1/nodes":
            return self.page(self.nodes, asked)
        name = path.rpartition("/")[2]
        if path.startswith("/api/v1/namespaces/") and name in self.namespaces:
            return 200, {"metadata": {"name": name, "uid": f"uid-{name}"},
                         "status": {"phase": "Active"}}, {}
        if path.startswith("/api/v1/namespaces/"):
            return self.absent("namespaces", name)
        return FAULTS["404 text"]

    @staticmethod
    def absent(kind, name):
        return 404, status(404, "NotFound", f'{kind} "{name}" not found',
                           {"name": name, "kind": kind}), {}

    def page(self, items, asked):
        start, limit = int(asked.get("continue", "0").lstrip("f")), int(asked.get("limit", "500"))
        self.count += 1
        if self.count == self.expire:
            gone = status(410, "Expired", "The provided continue parameter is too old")
            if self.fresh:
                gone["metadata"]["continue"] = f"f{start}"
            return 410, gone, {}
        meta, left = {"resourceVersion": "1"}, len(items) - start - limit
        if left > 0:
            meta["continue"] = str(start + limit)
            if self.knows_remaining:
                meta["remainingItemCount"] = left
        return 200, {"kind": "List", "metadata": meta, "items": items[start:start + limit]}, {}

    def serve_secret(self, method, key, body, asked):
        there = self.secrets.get(key)
        if method == "PATCH" and key[0] not in self.namespaces:
            return self.absent("namespaces", key[0])
        if method == "PATCH":
            wanted = json.loads(body)
            if there and wanted["metadata"].get("uid", "") != there["metadata"]["uid"]:
                return FAULTS["conflict"]
            self.version += 1
            wanted["metadata"].update(uid=f"uid-{self.version}" if not there else
                                      there["metadata"]["uid"], resourceVersion=str(self.version),
                                      managedFields=[{"manager": "berth"}])
            if "dryRun" not in asked:
                self.secrets[key] = wanted
            return 200 if there else 201, wanted, {}
        if not there:
            return self.absent("secrets", key[1])
        if method == "DELETE":
            if json.loads(body)["preconditions"]["uid"] != there["metadata"]["uid"]:
                return FAULTS["conflict"]
            del self.secrets[key]
            return 200, {"kind": "Status", "status": "Success"}, {}
        return 200, there, {}

    def serve_account(self, method, namespace, body, asked):
        if namespace not in self.accounts:
            return self.absent("serviceaccounts", "default")
        if method == "PATCH" and "dryRun" not in asked:
            self.accounts[namespace] = json.loads(body)["imagePullSecrets"]
        return 200, {"metadata": {"name": "default", "uid": "uid-sa", "resourceVersion": "1"},
                     "imagePullSecrets": self.accounts[namespace]}, {}


def secret(config, owner="alpha", manager="berth", **more):
    """A secret as the server has it."""
    return {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": {
        "name": "registry-secret", "namespace": "team-a", "uid": "uid-0", "resourceVersion": "7",
        "labels": {"app.kubernetes.io/managed-by": "berth"},
        "annotations": {"berth.io/workspace": owner} if owner else {},
        "managedFields": [{"manager": manager}]},
        "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()}, **more}
