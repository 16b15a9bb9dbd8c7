# SPDX-License-Identifier: Apache-2.0
"""An honest registry in memory whose every answer can be spoiled.

HTTP is spoken over bare sockets, so that an answer may be anything: cut at a
byte, dripped, endless, with two lengths or no status line. A server has rules;
the first one that fits a request makes the answer, otherwise the registry
answers as distribution does. A stranger is a server at another address that
notes who calls and what they carry.
"""

import base64
import binascii
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse
import uuid

ROUTE = re.compile(r"^/v2/(?P<name>.+)/(?P<what>manifests|blobs/uploads|blobs|tags|referrers)"
                   r"(?:/(?P<rest>.*))?$")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Request:
    """One request; kind is a word such as `manifest`, `blob`, `upload`, `put`."""

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        parts = urllib.parse.urlsplit(target)
        self.path = urllib.parse.unquote(parts.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.name = self.rest = ""
        self.nth = 0
        self.peer = None
        self.kind = self._kind()

    def _kind(self):
        plain = {"/v2/": "base", "/v2": "base", "/v2/_catalog": "catalog", "/token": "token"}
        if self.path in plain:
            return plain[self.path]
        found = ROUTE.match(self.path)
        if not found:
            return "other"
        self.name, self.rest = found["name"], found["rest"] or ""
        method = self.method
        if found["what"] == "manifests":
            return {"GET": "manifest", "HEAD": "manifest-head", "PUT": "manifest-put",
                    "DELETE": "manifest-delete"}.get(method, "other")
        if found["what"] == "blobs":
            return {"GET": "blob", "HEAD": "blob-head"}.get(method, "other")
        if found["what"] == "blobs/uploads":
            if method == "POST":
                return "mount" if "mount" in self.query else "upload"
            return {"PATCH": "patch", "PUT": "put", "GET": "upload-status",
                    "DELETE": "upload-cancel"}.get(method, "other")
        return found["what"]

    def text(self):
        """Everything that came with it, for a search after secrets."""
        lines = [f"{self.method} {self.target}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\n".join(lines) + "\n\n" + self.body[:65536].decode("latin-1")


class Response:
    """An answer and the ways in which its sending goes wrong.

    length     the Content-Length to claim (None: the true one; "": none at all)
    cut        close after so many bytes of the body (negative: from its end)
    cut_head   close after so many bytes of the whole answer
    reset      a cut is a TCP reset
    drip_s     pause before each byte of the body
    stall_at   send so many bytes of the body, then nothing for stall_s
    repeat     send this after the body, again and again
    repeat_s   pause before each time of that
    head_repeat  send this before the end of the head, again and again
    head_drip_s  pause before each byte of the head
    close      close the connection afterwards
    late       bytes that follow a moment after the answer to a HEAD
    """

    def __init__(self, status=200, body=b"", headers=(), **how):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = dict(headers)
        self.more_headers = []
        self.length = None
        self.cut = self.cut_head = self.stall_at = None
        self.reset = False
        self.drip_s = self.repeat_s = 0
        self.stall_s = 3600
        self.repeat = self.head_repeat = None
        self.head_drip_s = 0
        self.close = False
        self.chunked = False
        self.late = b""
        for name, value in how.items():
            setattr(self, name, value)

    def head(self, is_head=False):
        lines = [f"HTTP/1.1 {self.status} Status"]
        headers = dict(self.headers)
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif self.length != "" and not (is_head and "Content-Length" in headers):
            headers["Content-Length"] = len(self.body) if self.length is None else self.length
        if self.close or self.length == "":
            headers["Connection"] = "close"
        lines += [f"{name}: {value}" for name, value in [*headers.items(), *self.more_headers]]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def error(status, code, message="", **headers):
    body = {"errors": [{"code": code, "message": message or code.lower()}]}
    return Response(status, body, {"Content-Type": "application/json", **headers})


class Registry:
    """What an honest registry keeps, and how it answers."""

    def __init__(self, referrers_api=False, validate=True):
        self.blobs = {}
        self.manifests = {}
        self.tags = {}
        self.uploads = {}
        self.referrers_api = referrers_api
        self.validate = validate
        self.lock = threading.RLock()

    def put_blob(self, name, data):
        self.blobs.setdefault(name, {})[digest_of(data)] = data

    def put_manifest(self, name, reference, media_type, body):
        """Store without looking at it; returns its digest."""
        digest = digest_of(body)
        self.manifests.setdefault(name, {})[digest] = (media_type, body)
        if not reference.startswith("sha256:"):
            self.tags.setdefault(name, {})[reference] = digest
        return digest

    def load(self, name, tag, manifest):
        """Store an image or index of berthtest.images with all it refers to."""
        for blob in manifest.blobs():
            self.put_blob(name, blob.data())
        for child in manifest.children():
            self.load(name, child.digest, child)
        return self.put_manifest(name, tag, manifest.media_type, manifest.body)

    def whole(self, name, tag):
        """The digests below a tag, all checked; None where something is missing."""
        digest = self.tags.get(name, {}).get(tag, tag)
        found = self.manifests.get(name, {}).get(digest)
        if not found or digest_of(found[1]) != digest:
            return None
        content, below = json.loads(found[1]), {digest}
        for child in content.get("manifests", []):
            more = self.whole(name, child["digest"])
            if more is None:
                return None
            below |= more
        for one in [content.get("config"), *(content.get("layers") or [])]:
            data = self.blobs.get(name, {}).get(one["digest"]) if one else b""
            if one and (data is None or digest_of(data) != one["digest"]):
                return None
            below.add(one["digest"] if one else digest)
        return below

    def answer(self, request):
        with self.lock:
            handler = getattr(self, "on_" + request.kind.replace("-", "_"), None)
            return handler(request) if handler else error(404, "NOT_FOUND")

    def on_base(self, request):
        return Response(200, b"{}", {"Content-Type": "application/json",
                                     "Docker-Distribution-Api-Version": "registry/2.0"})

    def on_catalog(self, request):
        return Response(200, {"repositories": sorted(self.tags)},
                        {"Content-Type": "application/json"})

    def on_tags(self, request):
        if request.name not in self.tags:
            return error(404, "NAME_UNKNOWN")
        return Response(200, {"name": request.name, "tags": sorted(self.tags[request.name])},
                        {"Content-Type": "application/json"})

    def on_referrers(self, request):
        if not self.referrers_api:
            return Response(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        entries = []
        for media_type, body in self.manifests.get(request.name, {}).values():
            content = json.loads(body)
            if (content.get("subject") or {}).get("digest") == request.rest:
                entries.append({"mediaType": media_type, "digest": digest_of(body),
                                "size": len(body),
                                "artifactType": content.get("artifactType", "")})
        kind = "application/vnd.oci.image.index.v1+json"
        return Response(200, {"schemaVersion": 2, "mediaType": kind, "manifests": entries},
                        {"Content-Type": kind})

    def on_manifest(self, request):
        digest = self.tags.get(request.name, {}).get(request.rest, request.rest)
        found = self.manifests.get(request.name, {}).get(digest)
        if not found:
            return error(404, "MANIFEST_UNKNOWN")
        return Response(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": digest})

    def on_manifest_head(self, request):
        good = self.on_manifest(request)
        good.headers["Content-Length"], good.body = len(good.body), b""
        return good

    def on_blob(self, request):
        data = self.blobs.get(request.name, {}).get(request.rest)
        if data is None:
            return error(404, "BLOB_UNKNOWN")
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes",
                   "Docker-Content-Digest": request.rest}
        asked = re.match(r"bytes=(\d+)-(\d*)$", request.headers.get("range", ""))
        if asked and int(asked[1]) < len(data):
            first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            return Response(206, data[first:last + 1], headers)
        return error(416, "RANGE_INVALID") if asked else Response(200, data, headers)

    def on_blob_head(self, request):
        good = self.on_blob(request)
        good.headers["Content-Length"], good.body = len(good.body), b""
        return good

    def on_upload(self, request):
        session = str(uuid.uuid4())
        self.uploads[session] = bytearray()
        return self._session(request.name, session, 202)

    def on_mount(self, request):
        data = self.blobs.get(request.query.get("from", ""), {}).get(request.query["mount"])
        if data is None:
            return self.on_upload(request)
        self.put_blob(request.name, data)
        return self._created(request.name, request.query["mount"])

    def _session(self, name, session, status):
        end = max(len(self.uploads[session]) - 1, 0)
        return Response(status, b"", {"Location": f"/v2/{name}/blobs/uploads/{session}?_state=s",
                                      "Range": f"0-{end}", "Docker-Upload-UUID": session})

    def _created(self, name, digest):
        return Response(201, b"", {"Location": f"/v2/{name}/blobs/{digest}",
                                   "Docker-Content-Digest": digest})

    def on_patch(self, request):
        if request.rest not in self.uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        self.uploads[request.rest] += request.body
        return self._session(request.name, request.rest, 202)

    def on_put(self, request):
        if request.rest not in self.uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        data = bytes(self.uploads.pop(request.rest) + request.body)
        if digest_of(data) != request.query.get("digest"):
            return error(400, "DIGEST_INVALID")
        self.put_blob(request.name, data)
        return self._created(request.name, digest_of(data))

    def on_upload_status(self, request):
        if request.rest not in self.uploads:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        return self._session(request.name, request.rest, 204)

    def on_upload_cancel(self, request):
        self.uploads.pop(request.rest, None)
        return Response(204)

    def on_manifest_put(self, request):
        body, kind = request.body, request.headers.get("content-type", "")
        if request.rest.startswith("sha256:") and digest_of(body) != request.rest:
            return error(400, "DIGEST_INVALID")
        if self.validate:
            problem = self._problem(request.name, kind, body)
            if problem:
                return problem
        digest = self.put_manifest(request.name, request.rest, kind, body)
        return Response(201, b"", {"Location": f"/v2/{request.name}/manifests/{digest}",
                                   "Docker-Content-Digest": digest})

    def _problem(self, name, kind, body):
        try:
            content = json.loads(body)
        except ValueError:
            return error(400, "MANIFEST_INVALID")
        if content.get("mediaType", kind) != kind:
            return error(400, "MANIFEST_INVALID", "content type differs")
        for child in content.get("manifests", []):
            if child["digest"] not in self.manifests.get(name, {}):
                return error(400, "MANIFEST_BLOB_UNKNOWN", child["digest"])
        for one in [content.get("config"), *(content.get("layers") or [])]:
            if one and one["digest"] not in self.blobs.get(name, {}):
                return error(400, "MANIFEST_BLOB_UNKNOWN", one["digest"])
        return None


class Server:
    """Listens on a free port of one loopback address.

    rules are (kinds, action): action(server, request, good) returns a Response,
    None to let the next rule try, or bytes to send as they are; good() is the
    honest answer, with its effect. users asks for Basic, or with bearer=True
    for tokens that the server itself gives out under /token.
    """

    def __init__(self, rules=(), registry=None, address="127.0.0.1", tls=None, users=None,
                 bearer=False, realm=None, tls_setup=None):
        self.rules = list(rules)
        self.registry = registry or Registry()
        self.users, self.bearer, self.realm = users or {}, bearer, realm
        self.tokens = set()
        self.seen = []
        self.counts = {}
        self.notes = {}
        self.address = address
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.load_cert_chain(*tls)
            if tls_setup:
                tls_setup(self.context)
        self._open = set()
        self._lock = threading.Lock()
        self._socket = socket.create_server((address, 0), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._stopped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def scheme(self):
        return "https" if self.context else "http"

    @property
    def origin(self):
        return f"{self.scheme}://{self.address}:{self.port}"

    url = origin

    def stop(self):
        self._stopped.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        with self._lock:
            for one in list(self._open):
                _abort(one)

    def carried(self, *secrets):
        """The requests in which one of the secrets came along."""
        return [request.text()[:2000] for request in self.seen
                if any(secret in request.text() for secret in secrets)]

    def _accept(self):
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.settimeout(120)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.add(connection)
            with connection, connection.makefile("rb") as reader:
                turn = 1
                while self._one(connection, reader, turn):
                    turn += 1
        except (OSError, ValueError):
            pass  # the client went away, or spoke no HTTP: nothing is owed to it
        finally:
            with self._lock:
                self._open.discard(connection)

    def _one(self, connection, reader, turn):
        line = reader.readline(65536)
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while True:
            line = reader.readline(65536).decode("latin-1").rstrip("\r\n")
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        request = Request(method, target, headers, b"")
        request.turn = turn  # on its connection, from 1
        early = self._early(request)
        if early is None:
            if headers.get("expect", "").lower() == "100-continue":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.body = _read_body(reader, headers)
        with self._lock:
            self.seen.append(request)
            self.counts[request.kind] = self.counts.get(request.kind, 0) + 1
            request.nth = self.counts[request.kind]
        answer = early or self.answer(request)
        return self._send(connection, request, answer)

    def _early(self, request):
        """An answer that does not wait for the request's body."""
        for kinds, action in self.rules:
            if getattr(action, "early", False) and request.kind in kinds.split():
                return action(self, request, None)
        return None

    def answer(self, request):
        def good():
            return self._authorise(request) or self.registry.answer(request)

        for kinds, action in self.rules:
            if kinds != "*" and request.kind not in kinds.split():
                continue
            if getattr(action, "early", False):
                continue
            response = action(self, request, good)
            if response is not None:
                return response
        return good()

    def _authorise(self, request):
        """The refusal of a request without right credentials, None when fine."""
        if request.kind == "token":
            return self.give_token(request)
        if not self.users:
            return None
        given = request.headers.get("authorization", "")
        if self.bearer:
            if given.startswith("Bearer ") and given[7:] in self.tokens:
                return None
            return self.challenge(request)
        if given.startswith("Basic ") and self.is_user(given):
            return None
        return error(401, "UNAUTHORIZED", **{"WWW-Authenticate": 'Basic realm="hostile"'})

    def is_user(self, authorization):
        try:
            name, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return name in self.users and self.users[name] == password

    def challenge(self, request):
        scope = f',scope="repository:{request.name}:pull,push"' if request.name else ""
        realm = f"{self.origin}/token" if self.realm is None else self.realm
        return error(401, "UNAUTHORIZED", **{
            "WWW-Authenticate": f'Bearer realm="{realm}",service="hostile"{scope}'})

    def give_token(self, request):
        given = request.headers.get("authorization", "")
        posted = dict(urllib.parse.parse_qsl(request.body.decode("latin-1")))
        known = posted.get("username") in self.users and \
            self.users.get(posted.get("username")) == posted.get("password")
        if self.users and not known and not (given.startswith("Basic ") and self.is_user(given)):
            return error(401, "UNAUTHORIZED")
        token = "token-canary-" + uuid.uuid4().hex
        self.tokens.add(token)
        return Response(200, {"token": token, "access_token": token, "expires_in": 300},
                        {"Content-Type": "application/json"})

    def _send(self, connection, request, answer):
        """Send an answer as it asks to be sent; False when the connection ends."""
        if isinstance(answer, bytes):
            connection.sendall(answer)
            return False
        head, body = answer.head(request.method == "HEAD"), answer.body
        if request.method == "HEAD":
            body = b""
            if answer.late:
                connection.sendall(head)
                self._stopped.wait(0.01)
                connection.sendall(answer.late)
                return True
        if answer.chunked and body:
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        if answer.cut_head is not None:
            connection.sendall((head + body)[:answer.cut_head])
            return self._end(connection, answer)
        if answer.head_drip_s and not self._drip(connection, head, answer.head_drip_s):
            return False
        if answer.head_repeat:
            connection.sendall(head[:-2])
            return self._repeat(connection, answer.head_repeat)
        if not answer.head_drip_s:
            connection.sendall(head)
        if answer.cut is not None:
            connection.sendall(body[:answer.cut])
            return self._end(connection, answer)
        if answer.stall_at is not None:
            connection.sendall(body[:answer.stall_at])
            self._stopped.wait(answer.stall_s)
            return False
        if answer.drip_s:
            return self._drip(connection, body, answer.drip_s)
        connection.sendall(body)
        if answer.repeat:
            return self._repeat(connection, answer.repeat, answer.repeat_s)
        return not (answer.close or answer.length == "" or
                    request.headers.get("connection", "").lower() == "close")

    def _repeat(self, connection, data, pause_s=0):
        while not self._stopped.wait(pause_s):
            connection.sendall(data)
        return False

    def silence(self):
        """Hold a request until the server is stopped, then close."""
        self._stopped.wait(3600)
        return b""

    def _drip(self, connection, body, pause_s):
        for number in range(len(body)):
            connection.sendall(body[number:number + 1])
            if self._stopped.wait(pause_s):
                return False
        return True

    def _end(self, connection, answer):
        if answer.reset:
            _abort(connection)
        return False


def _abort(connection):
    """Close with a reset."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    except OSError:
        pass


def _read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while True:
            size = int(reader.readline(1024).split(b";")[0], 16)
            parts.append(reader.read(size))
            reader.readline(1024)
            if not size:
                return b"".join(parts)
    wanted = int(headers.get("content-length") or 0)
    data = reader.read(wanted)
    if len(data) < wanted:
        raise OSError("the request was cut")
    return data


class Raw:
    """A port that speaks no HTTP: banner is sent to whoever connects."""

    def __init__(self, banner=b"", hold=False, address="127.0.0.1"):
        self.banner, self.hold = banner, hold
        self._socket = socket.create_server((address, 0))
        self.address, self.port = address, self._socket.getsockname()[1]
        self.scheme = "http"
        self.seen, self.counts, self._held = [], {}, []
        self.registry = Registry()
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def origin(self):
        return f"{self.scheme}://{self.address}:{self.port}"

    url = origin

    def carried(self, *secrets):
        return []

    def _run(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                connection.sendall(self.banner)
                if self.hold:
                    self._held.append(connection)
                else:
                    time.sleep(0.05)
                    connection.close()
            except OSError:
                continue

    def stop(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        for connection in self._held:
            connection.close()
