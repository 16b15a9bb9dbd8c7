#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for JFrog Artifactory 7, which can't be had here.

It answers the REST calls that jfrog.so uses in the shapes that JFrog documents,
keeps state, refuses what the documentation says is refused, and passes `/v2/`
on to a real docker-registry, so that copying is real. Nothing of it was seen at
a real Artifactory; plugins/jfrog/jfrog.md says so too.

Keys: `docker-local` (local), `hub-remote` (remote, cached as hub-remote-cache),
`docker` (virtual). A repository KEY/IMAGE is KEY/IMAGE at the registry.
"""

import base64
import http.client
import http.server
import json
import re
import threading
import urllib.parse

KEYS = (("docker-local", "LOCAL", "Images of the team"), ("hub-remote", "REMOTE", ""),
        ("docker", "VIRTUAL", ""))
ACCEPT = ", ".join((
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json"))
REST = re.compile(r'^\)\.include\((.*?)\)\.sort\((\{.*?\})\)\.offset\((\d+)\)\.limit\((\d+)\)$')


class Artifactory:
    """Serves at .url until stop(). aql=False refuses queries, as for users who
    may not. requests holds (method, path without query) of each REST call."""

    def __init__(self, registry_url, user="joe", password="secret-jf", aql=True, version="7.98.9"):
        self.registry = urllib.parse.urlsplit(registry_url).netloc
        self.user, self.password, self.aql, self.version = user, password, aql, version
        self.requests, self.gone, self.properties = [], set(), {}
        outer = self

        class Handler(_Handler):
            standin = outer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def upstream(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection(self.registry, timeout=30)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def tags(self, repository):
        answer, data = self.upstream("GET", f"/v2/{repository}/tags/list")
        names = json.loads(data).get("tags") or [] if answer.status == 200 else []
        return [t for t in names if (repository, t) not in self.gone]

    def rows(self, repo):
        """The manifest files below a storage repository, as AQL gives them."""
        key = repo[:-len("-cache")] if repo.endswith("-cache") else repo
        _, data = self.upstream("GET", "/v2/_catalog?n=1000")
        for name in json.loads(data)["repositories"]:
            if not name.startswith(key + "/"):
                continue
            for tag in self.tags(name):
                answer, _ = self.upstream("HEAD", f"/v2/{name}/manifests/{tag}", {"Accept": ACCEPT})
                is_list = "list" in answer.headers["Content-Type"] or \
                    "index" in answer.headers["Content-Type"]
                yield {"repo": repo, "path": f"{name[len(key) + 1:]}/{tag}",
                       "name": "list.manifest.json" if is_list else "manifest.json",
                       "modified": "2026-10-01T12:00:00.000Z",
                       "sha256": answer.headers["Docker-Content-Digest"][len("sha256:"):]}


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

    def allowed(self):
        given = self.headers.get("Authorization", "")
        pair = f"{self.standin.user}:{self.standin.password}"
        return given in ("Basic " + base64.b64encode(pair.encode()).decode(),
                         "Bearer " + self.standin.password)

    def serve(self):
        body = self.body()
        path, _, query = self.path.partition("?")
        docker = re.match(r"^/artifactory/api/docker/([^/]+)(/v2/.*)$", path)
        if not docker:
            self.standin.requests.append((self.command, path))
        if path == "/artifactory/api/system/ping" and "Authorization" not in self.headers:
            return self.reply(200, b"OK", "text/plain")
        if not self.allowed():
            return self.refuse(401, "Bad Credentials")
        if docker:
            return self.pass_on(docker[1], docker[2], query, body)
        if not path.startswith("/artifactory/"):
            return self.reply(404, b"<html>nginx</html>", "text/html")
        return self.rest(path[len("/artifactory"):], query, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def rest(self, path, query, body):
        fixed = {
            ("GET", "/api/system/ping"): lambda: self.reply(200, b"OK", "text/plain"),
            ("GET", "/api/system/version"): lambda: self.reply(
                200, {"version": self.standin.version, "revision": "79809900", "addons": [],
                      "license": "Enterprise"}),
            ("GET", "/api/repositories"): lambda: self.reply(
                200, [{"key": k, "type": t, "packageType": "Docker", "description": d,
                       "url": f"{self.standin.url}/artifactory/{k}"} for k, t, d in KEYS]),
            ("GET", "/api/repositories/configurations"): lambda: self.reply(
                200, {"VIRTUAL": [{"key": "docker", "defaultDeploymentRepo": "docker-local"}]}),
            ("GET", "/api/storageinfo"): lambda: self.refuse(403, "Forbidden"),
            ("POST", "/api/search/aql"): lambda: self.search(body.decode()),
        }
        if (self.command, path) in fixed:
            return fixed[self.command, path]()
        if self.command == "PATCH" and path.startswith("/api/metadata/"):
            self.standin.properties[urllib.parse.unquote(path[len("/api/metadata/"):])] = \
                json.loads(body)["props"]
            return self.reply(204)
        if self.command == "DELETE":
            return self.delete(urllib.parse.unquote(path[1:]))
        return self.refuse(404, "Not Found")

    def search(self, text):
        if not self.standin.aql:
            return self.refuse(403, "Only users with admin rights may use this query")
        begin = "items.find("
        where, end = json.JSONDecoder().raw_decode(text, len(begin))
        found = REST.match(text[end:])
        if self.headers["Content-Type"] != "text/plain" or not found or len(text) > 6000 or \
                not text.startswith(begin):
            return self.refuse(400, "Failed to parse query")
        offset, limit = int(found[3]), int(found[4])
        pattern = re.compile(re.escape(where["path"]["$match"]).replace(r"\*", ".*") + "$")
        rows = sorted((r for r in self.standin.rows(where["repo"]) if pattern.match(r["path"])
                       and r["name"] in where["name"]["$in"]), key=lambda r: (r["path"], r["name"]))
        page = rows[offset:offset + limit]
        return self.reply(200, {"results": page, "range": {
            "start_pos": offset, "end_pos": offset + len(page), "total": len(page)}})

    def delete(self, path):
        standin = self.standin
        key = path.partition("/")[0]
        if dict((k, t) for k, t, _ in KEYS).get(key) != "LOCAL":
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
        if dict((k, t) for k, t, _ in KEYS).get(key) == "REMOTE" and \
                self.command not in ("GET", "HEAD"):
            return self.refuse(405, "remote repositories can't be deployed to")
        inner = path if path in ("/v2/", "/v2/_catalog") else f"/v2/{key}/{path[len('/v2/'):]}"
        query = re.sub(r"(^|&)from=", rf"\1from={key}/", query)
        keep = ("Content-Type", "Accept", "Range", "Content-Range")
        headers = {h: self.headers[h] for h in keep if h in self.headers}
        answer, data = self.standin.upstream(
            self.command, inner + ("?" + query if query else ""), headers,
            body if self.command in ("PUT", "PATCH", "POST") else None)
        if path == "/v2/_catalog":
            names = json.loads(data)["repositories"]
            data = json.dumps({"repositories": [n[len(key) + 1:] for n in names
                                                if n.startswith(key + "/")]}).encode()
        kept = [(n, v) for n, v in answer.getheaders() if n.lower() in (
            "docker-content-digest", "range", "docker-upload-uuid", "content-range")]
        location = answer.getheader("Location")
        if location:
            at = urllib.parse.urlsplit(location)
            outer = at.path.replace(f"/v2/{key}/", f"/artifactory/api/docker/{key}/v2/", 1)
            kept.append(("Location", f"{self.standin.url}{outer}" +
                         ("?" + at.query if at.query else "")))
        if self.command == "HEAD":
            self.send_response(answer.status)
            for name, value in kept + [(n, v) for n, v in answer.getheaders()
                                       if n.lower() in ("content-type", "content-length")]:
                self.send_header(name, value)
            return self.end_headers()
        return self.reply(answer.status, data,
                          answer.getheader("Content-Type", "application/json"), kept)
