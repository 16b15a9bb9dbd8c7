#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for JFrog Artifactory 7, which can't be had here.

It answers the REST calls that jfrog.so uses in the shapes that JFrog documents,
keeps state, refuses what the documentation says is refused, and passes `/v2/`
on to a real docker-registry, so that copying is real. Nothing of it was seen at
a real Artifactory; plugins/jfrog/jfrog.md says so too.

Keys: `docker-local` (local), `hub-remote` (remote, cached as hub-remote-cache),
`docker` (virtual, deploys to docker-local), `sealed` (virtual, deploys nowhere).
A repository KEY/IMAGE is KEY/IMAGE at the registry. A key's registry is at its
path, at a port of its own (docker_port), and at KEY.localhost.
"""

import base64
import http.client
import http.server
import json
import re
import threading
import time
import urllib.parse

KEYS = (("docker-local", "LOCAL", "Images of the team"), ("hub-remote", "REMOTE", ""),
        ("docker", "VIRTUAL", ""), ("sealed", "VIRTUAL", ""))
DEPLOYS_TO = {"docker": "docker-local", "sealed": ""}
ACCEPT = ", ".join((
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json"))
REST = re.compile(r'^\.include\((.*?)\)\.sort\((\{.*?\})\)\.offset\((\d+)\)\.limit\((\d+)\)$')
HTML = b"<!DOCTYPE html><html><head><title>JFrog</title></head><body>...</body></html>"


class Fault:
    """What comes in place of an answer. times None: always. drop: the connection
    is cut after the head and half a body; silent_s: nothing for so long, then the end."""

    def __init__(self, status=500, body=b"", content_type="application/json", headers=(),
                 times=None, drop=False, silent_s=0):
        self.status, self.content_type, self.headers = status, content_type, headers
        self.body = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        self.times, self.drop, self.silent_s = times, drop, silent_s


def storages(where):
    """The storage repositories that a query names."""
    if isinstance(where, dict):
        return {value for name, value in where.items() if name == "repo"}.union(
            *map(storages, where.values()))
    return set().union(*map(storages, where)) if isinstance(where, list) else set()


def compares(wanted, value):
    if not isinstance(wanted, dict):
        return wanted == value
    (operator, text), = wanted.items()
    if operator == "$eq":
        return value == text
    if operator == "$match":
        pattern = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
        return value is not None and re.fullmatch(pattern, value) is not None
    raise ValueError(f"no operator {operator}")


def holds(where, row):
    """One criteria object of AQL; files alone are meant unless a type is named."""
    if '"type":' not in json.dumps(where) and row["type"] != "file":
        return False
    for name, wanted in where.items():
        if name in ("$and", "$or"):
            parts = [holds_part(part, row) for part in wanted]
            if not (all(parts) if name == "$and" else any(parts)):
                return False
        elif not holds_part({name: wanted}, row):
            return False
    return True


def holds_part(part, row):
    for name, wanted in part.items():
        if name == "$and":
            good = all(holds_part(one, row) for one in wanted)
        elif name == "$or":
            good = any(holds_part(one, row) for one in wanted)
        elif name.startswith("@"):
            good = compares(wanted, row.get("properties", {}).get(name[1:]))
        else:
            good = compares(wanted, row[name])
        if not good:
            return False
    return True


class Artifactory:
    """Serves at .url until stop().

    aql=False    queries are refused, as for users who may not
    admin=False  what only administrators may see is refused
    made         storage rows of repositories that have no registry (benchmarks)
    requests     (method, path without query) of each REST call
    faults       {(method, path prefix): Fault}; "*" is any method
    """

    access_token = "eyJhbGciOi-access-token"
    reference_token = "cmVmdGtuOjAx-reference"
    api_key = "AKCp8-api-key"

    def __init__(self, registry_url=None, user="joe", password="secret-jf", aql=True,
                 version="7.98.9", admin=True, keys=KEYS, made=None):
        self.registry = urllib.parse.urlsplit(registry_url or "").netloc
        self.user, self.password, self.aql, self.version = user, password, aql, version
        self.admin, self.keys, self.made = admin, keys, made
        self.kinds = {key: kind for key, kind, _ in keys}
        self.requests, self.gone, self.properties = [], set(), {}
        self.faults, self.range_extra, self.servers, self.manifests, self.kept = {}, {}, [], {}, {}
        self.url = self.listen(None)

    def listen(self, key):
        outer = self

        class Handler(_Handler):
            standin, own_key = outer, key

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    @property
    def port(self):
        return self.servers[0].server_port

    def docker_port(self, key):
        """The URL of a port that is that key's registry alone."""
        return self.listen(key)

    def docker_subdomain(self, key):
        return f"http://{key}.localhost:{self.port}"

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def fault(self, method, path):
        for (wanted, prefix), fault in self.faults.items():
            if wanted in ("*", method) and path.startswith(prefix) and fault.times != 0:
                if fault.times:
                    fault.times -= 1
                return fault
        return None

    def upstream(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection(self.registry, timeout=180)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def tags(self, repository):
        answer, data = self.upstream("GET", f"/v2/{repository}/tags/list")
        names = json.loads(data).get("tags") or [] if answer.status == 200 else []
        return [t for t in names if (repository, t) not in self.gone]

    def items(self, repos):
        """Files and described folders of storage repositories, as AQL knows them."""
        for repo in sorted(repos):
            if self.made is not None:
                yield from self.made.get(repo, ())
            elif self.kinds.get(repo) == "LOCAL" or repo.endswith("-cache"):
                yield from self.files(repo)
        for path, properties in self.properties.items():
            repo, _, image = path.partition("/")
            parent, _, name = image.rpartition("/")
            if repo in repos:
                yield {"repo": repo, "path": parent or ".", "name": name, "type": "folder",
                       "properties": properties}

    def found(self, where, order):
        """The rows of a query; made-up storage does not change, so its are kept."""
        key = json.dumps([where, order])
        if key in self.kept:
            return self.kept[key]
        rows = [row for row in self.items(storages(where)) if holds(where, row)]
        rows.sort(key=lambda row: [row[field] for field in order])
        if self.made is not None:
            self.kept[key] = rows
        return rows

    def manifest(self, name, tag):
        answer, _ = self.upstream("HEAD", f"/v2/{name}/manifests/{tag}", {"Accept": ACCEPT})
        digest = answer.headers["Docker-Content-Digest"]
        if digest not in self.manifests:
            self.manifests[digest] = self.upstream(
                "GET", f"/v2/{name}/manifests/{digest}", {"Accept": ACCEPT})[1]
        return digest, self.manifests[digest]

    def files(self, repo):
        key = repo[:-len("-cache")] if repo.endswith("-cache") else repo
        _, data = self.upstream("GET", "/v2/_catalog?n=1000")
        for name in json.loads(data)["repositories"]:
            if not name.startswith(key + "/"):
                continue
            for tag in self.tags(name):
                folder = {"repo": repo, "path": f"{name[len(key) + 1:]}/{tag}", "type": "file",
                          "modified": "2026-10-01T12:00:00.000Z"}
                digest, text = self.manifest(name, tag)
                manifest = json.loads(text)
                yield {**folder, "size": len(text), "name": "list.manifest.json"
                       if "manifests" in manifest else "manifest.json",
                       "sha256": digest[len("sha256:"):]}
                blobs = manifest.get("layers", []) + [manifest[k] for k in ("config",)
                                                      if k in manifest]
                for digest, size in {b["digest"]: b["size"] for b in blobs}.items():
                    yield {**folder, "name": digest.replace(":", "__"), "size": size,
                           "sha256": digest[len("sha256:"):]}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while size := int(self.rfile.readline().strip(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status, body=b"", content_type="application/json", headers=()):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-JFrog-Version", f"Artifactory/{self.standin.version} 79809900")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status, message):
        self.reply(status, {"errors": [{"status": status, "message": message}]})

    def play(self, fault):
        if fault.silent_s:
            time.sleep(fault.silent_s)
            self.close_connection = True
            return None
        if not fault.drop:
            return self.reply(fault.status, fault.body, fault.content_type, fault.headers)
        self.send_response(fault.status)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Content-Length", str(len(fault.body)))
        self.end_headers()
        self.wfile.write(fault.body[:len(fault.body) // 2])
        self.close_connection = True
        return None

    def allowed(self):
        """A user with a password, or a token or API key in the password's place; a token
        as Bearer; an API key in its own header, for the REST API alone."""
        standin = self.standin
        given = self.headers.get("Authorization", "")
        basic = ["Basic " + base64.b64encode(f"{standin.user}:{secret}".encode()).decode()
                 for secret in (standin.password, standin.access_token, standin.reference_token,
                                standin.api_key)]
        bearer = ["Bearer " + token for token in (standin.access_token, standin.reference_token)]
        return given in basic + bearer or self.headers.get("X-JFrog-Art-Api") == standin.api_key

    def docker_key(self, path):
        """The key and the path below /v2/ of a request to a key's registry."""
        by_path = re.match(r"^/artifactory/api/docker/([^/]+)(/v2/.*)$", path)
        if by_path:
            return by_path[1], by_path[2]
        host = self.headers.get("Host", "").split(".")[0]
        key = self.own_key or (host if host in self.standin.kinds else None)
        return (key, path) if key and path.startswith("/v2/") else (None, path)

    def serve(self):
        body = self.body()
        path, _, query = self.path.partition("?")
        key, inner = self.docker_key(path)
        rest = path[len("/artifactory"):] if path.startswith("/artifactory/") else path
        if not key:
            self.standin.requests.append((self.command, path))
        fault = self.standin.fault(self.command, rest)
        if fault:
            return self.play(fault)
        if rest == "/api/system/ping" and not {"Authorization", "X-JFrog-Art-Api"} & \
                set(self.headers):
            return self.reply(200, b"OK", "text/plain")
        if not self.allowed() or (key and "Authorization" not in self.headers):
            return self.refuse(401, "Bad Credentials")
        if key:
            return self.pass_on(key, inner, query, body)
        if not path.startswith("/artifactory/"):
            return self.reply(404, b"<html>nginx</html>", "text/html")
        return self.rest(rest, query, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def rest(self, path, query, body):
        standin = self.standin
        fixed = {
            ("GET", "/api/system/ping"): lambda: self.reply(200, b"OK", "text/plain"),
            ("GET", "/api/system/version"): lambda: self.reply(
                200, {"version": standin.version, "revision": "79809900", "addons": [],
                      "license": "Enterprise"}),
            ("GET", "/api/repositories"): lambda: self.reply(
                200, [{"key": k, "type": t, "packageType": "Docker", "description": d,
                       "url": f"{standin.url}/artifactory/{k}"} for k, t, d in standin.keys]),
            ("GET", "/api/repositories/configurations"): self.configurations,
            ("GET", "/api/storageinfo"): self.storageinfo,
            ("POST", "/api/search/aql"): lambda: self.search(body.decode()),
        }
        if (self.command, path) in fixed:
            return fixed[self.command, path]()
        if self.command == "GET" and path.startswith("/api/repositories/"):
            return self.configuration(path[len("/api/repositories/"):])
        if self.command == "PATCH" and path.startswith("/api/metadata/"):
            standin.properties[urllib.parse.unquote(path[len("/api/metadata/"):])] = \
                json.loads(body)["props"]
            return self.reply(204)
        if self.command == "DELETE":
            return self.delete(urllib.parse.unquote(path[1:]))
        return self.refuse(404, "Not Found")

    def config_of(self, key):
        kind = self.standin.kinds[key]
        config = {"key": key, "rclass": kind.lower(), "packageType": "docker",
                  "repoLayoutRef": "simple-default"}
        if kind == "VIRTUAL":
            config.update(repositories=["docker-local"],
                          defaultDeploymentRepo=DEPLOYS_TO.get(key, ""))
        return config

    def configurations(self):
        if not self.standin.admin:
            return self.refuse(403, "Forbidden")
        by_kind = {}
        for key, kind in self.standin.kinds.items():
            by_kind.setdefault(kind, []).append(self.config_of(key))
        return self.reply(200, by_kind)

    def configuration(self, key):
        if not self.standin.admin:
            return self.refuse(403, "Forbidden")
        if key not in self.standin.kinds:
            return self.refuse(400, "Bad Request")
        return self.reply(200, self.config_of(key))

    def storageinfo(self):
        if not self.standin.admin:
            return self.refuse(403, "Forbidden")
        rows = [{"repoKey": key, "repoType": kind, "packageType": "Docker",
                 "usedSpace": "1.00 KB", "usedSpaceInBytes": 1024, "itemsCount": 3}
                for key, kind in self.standin.kinds.items() if kind == "LOCAL"]
        total = {"repoKey": "TOTAL", "repoType": "NA", "usedSpaceInBytes": 1024 * len(rows)}
        return self.reply(200, {"repositoriesSummaryList": rows + [total]})

    def search(self, text):
        standin = self.standin
        if not standin.aql:
            return self.refuse(403, "Only users with admin rights may use this query")
        begin = "items.find("
        if self.headers["Content-Type"] != "text/plain" or len(text) > 6000 or \
                not text.startswith(begin):
            return self.refuse(400, "Failed to parse query")
        where, end = json.JSONDecoder().raw_decode(text, len(begin))
        found = REST.match(text[end + 1:])
        if not found or text[end] != ")":
            return self.refuse(400, "Failed to parse query")
        fields = [field.strip('"') for field in found[1].split(",")]
        order = json.loads(found[2])["$asc"]
        offset, limit = int(found[3]), int(found[4])
        if not {"repo", "path", "name"} <= set(fields) or not set(order) <= set(fields):
            return self.refuse(400, "repo, path and name must be included")
        if "property" in fields and not standin.admin:
            return self.refuse(400, "Only administrators may include other domains")
        try:
            rows = standin.found(where, order)
        except ValueError as error:
            return self.refuse(400, f"Failed to parse query: {error}")
        page = [self.row(row, fields) for row in rows[offset:offset + limit]]
        return self.reply(200, {"results": page, "range": {
            "start_pos": offset, "end_pos": offset + len(page), "total": len(page),
            **standin.range_extra}})

    @staticmethod
    def row(row, fields):
        given = {field: row[field] for field in fields if field in row}
        if "property" in fields:
            given["properties"] = [{"key": key, "value": value}
                                   for key, value in row["properties"].items()]
        return given

    def delete(self, path):
        standin = self.standin
        if standin.kinds.get(path.partition("/")[0]) != "LOCAL":
            return self.refuse(405, "Method not allowed for this repository")
        repository, _, tag = path.rpartition("/")
        gone = {(repository, tag)} if tag in standin.tags(repository) else \
            {(path, t) for t in standin.tags(path)}
        if not gone:
            return self.refuse(404, f"Could not locate artifact '{path}'")
        standin.gone |= gone
        return self.reply(204)

    def pass_on(self, key, path, query, body):
        """/v2/ of one key: names carry the key at the registry behind."""
        if self.command == "PUT" and "/blobs/uploads/" in path and body:
            return self.refuse(400, "monolithic uploads are not supported")
        stores = key if self.standin.kinds.get(key) == "LOCAL" else DEPLOYS_TO.get(key)
        if self.command not in ("GET", "HEAD") and not stores:
            return self.refuse(405, f"{key} can't be deployed to")
        below = key if self.command in ("GET", "HEAD") and \
            self.standin.kinds.get(key) != "VIRTUAL" else stores or "docker-local"
        inner = path if path in ("/v2/", "/v2/_catalog") else f"/v2/{below}/{path[len('/v2/'):]}"
        query = re.sub(r"(^|&)from=", rf"\1from={below}/", query)
        keep = ("Content-Type", "Accept", "Range", "Content-Range")
        headers = {h: self.headers[h] for h in keep if h in self.headers}
        answer, data = self.standin.upstream(
            self.command, inner + ("?" + query if query else ""), headers,
            body if self.command in ("PUT", "PATCH", "POST") else None)
        if path == "/v2/_catalog":
            names = json.loads(data)["repositories"]
            data = json.dumps({"repositories": [n[len(below) + 1:] for n in names
                                                if n.startswith(below + "/")]}).encode()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() in (
            "docker-content-digest", "range", "docker-upload-uuid", "content-range")]
        location = answer.getheader("Location")
        if location:
            kept.append(("Location", self.outside(location, key, below)))
        if self.command == "HEAD":
            self.send_response(answer.status)
            for name, value in kept + [(n, v) for n, v in answer.getheaders()
                                       if n.lower() in ("content-type", "content-length")]:
                self.send_header(name, value)
            return self.end_headers()
        return self.reply(answer.status, data,
                          answer.getheader("Content-Type", "application/json"), kept)

    def outside(self, location, key, below):
        """A Location of the registry behind, as the client has to ask for it."""
        at = urllib.parse.urlsplit(location)
        is_by_path = self.path.startswith("/artifactory/")
        before = f"/artifactory/api/docker/{key}" if is_by_path else ""
        path = at.path.replace(f"/v2/{below}/", f"{before}/v2/", 1)
        return f"http://{self.headers['Host']}{path}" + ("?" + at.query if at.query else "")
