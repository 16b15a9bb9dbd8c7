# SPDX-License-Identifier: Apache-2.0
"""/v2/: challenges and rights as Harbor's, bytes at a real docker-registry.

What Harbor knows (tags, digests, accessories) is answered from the world; a
manifest that the registry took becomes an artifact. Without a registry the
bytes are absent, and what needs them answers 502 as Harbor does.
"""

import http.client
import json
import re
import urllib.parse

from .artifacts import INDEXES, check_delete
from .call import Answer, READ_ONLY, Refused, bad, missing
from .projects import immutable_tag
from .world import Row

PATH = re.compile(r"^/v2/(?P<name>.+?)/(?P<what>manifests|blobs/uploads|blobs|tags/list|referrers)"
                  r"(?:/(?P<rest>.*))?$")
NAME = re.compile(r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+"
                  r")*)*$")
TAG = re.compile(r"^[\w][\w.-]{0,127}$")
COSIGN = re.compile(r"^(sha256)-([0-9a-f]{64})\.(sig|att|sbom)$")
KINDS = {"application/vnd.oci.image.config.v1+json": "IMAGE",
         "application/vnd.docker.container.image.v1+json": "IMAGE",
         "application/vnd.cncf.helm.config.v1+json": "CHART"}
KEEP = ("Content-Type", "Accept", "Range", "Content-Range", "If-None-Match")
MANIFEST_MAX = 4 << 20


def upstream(harbor, method, path, headers=None, body=None):
    """(status, headers, body) of the registry; Refused 502 where there is none."""
    if harbor.registry_url is None or "registry" in harbor.world.down:
        return 502, [], b""
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(harbor.registry_url).netloc, timeout=180)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    except (OSError, http.client.HTTPException):
        return 502, [], b""
    finally:
        connection.close()


class Request:
    """One request below /v2/."""

    def __init__(self, harbor, handler, path, query, body):
        self.harbor, self.world, self.access = harbor, harbor.world, harbor.access
        self.method, self.path, self.query, self.body = handler.command, path, query, body
        self.headers = handler.headers
        self.given = "Authorization" in handler.headers
        self.fields = dict(urllib.parse.parse_qsl(query, True))

    # -- rights

    def challenge(self, scope=None):
        if self.given:
            return [("Www-Authenticate", 'Basic realm="harbor"')]
        realm = self.harbor.external(self.headers.get("Host"))
        tail = f',scope="{scope}"' if scope else ""
        return [("Www-Authenticate",
                 f'Bearer realm="{realm}/service/token",service="harbor-registry"{tail}')]

    def refuse(self, message, challenge):
        return Refused(401, "UNAUTHORIZED", f"{message}: {message}", challenge)

    def may(self, name, action):
        if self.who.kind == "token":
            return any(a["name"] == name and action in a["actions"] for a in self.who.access)
        project = self.world.project(name.partition("/")[0])
        pair = ("artifact", "delete") if action == "delete" else ("repository", action)
        if self.who.kind == "anonymous" and not self.given:
            return False
        return self.access.may(self.who, *pair, project)

    def need(self, name, *actions):
        if "database" in self.world.down and self.given:
            if self.method == "POST":
                raise Refused(500, "UNKNOWN", "internal server error")
            raise self.refuse("failed to connect to the database", [("Www-Authenticate", "")])
        project = self.world.project(name.partition("/")[0])
        scope = f"repository:{name}:{','.join(actions)}"
        if project is None and self.given:
            raise self.refuse(f"project {name.partition('/')[0]} not found",
                              [("Www-Authenticate", "")])
        if not self.given and actions == ("pull",):
            raise self.refuse("authorize header needed to send HEAD to repository",
                              self.challenge(scope))
        for action in reversed(actions):
            if not self.may(name, action):
                raise self.refuse(f"unauthorized to access repository: {name}, action: {action}",
                                  self.challenge(scope))
        return project

    # -- the answer of the registry behind

    def forward(self, path=None, method=None, headers=None):
        """Passes the request on, without the lock; Location comes back as ours."""
        kept = {h: self.headers[h] for h in KEEP if h in self.headers}
        target = path or self.path + ("?" + self.query if self.query else "")
        status, found, data = upstream(self.harbor, method or self.method, target,
                                       headers or kept, self.body if self.method in (
                                           "PUT", "PATCH", "POST") else None)
        if status == 502:
            return Answer(502, None, content_type=None)
        out = []
        for name, value in found:
            if name.lower() == "location":
                at = urllib.parse.urlsplit(value)
                value = f"http://{self.headers.get('Host')}{at.path}" + (
                    f"?{at.query}" if at.query else "")
            if name.lower() not in ("date", "connection", "transfer-encoding", "server",
                                    "x-content-type-options"):
                out.append((name, value))
        kind = next((v for n, v in out if n.lower() == "content-type"), None)
        return Answer(status, data, out, kind)


def serve(harbor, handler, path, query, body):
    request = Request(harbor, handler, path, query, body)
    with harbor.world.lock:
        request.who = harbor.access.who(handler.headers, {})
        found = PATH.match(path)
        what = found["what"] if found else path[4:] or "base"
        kind = f"{request.method} /v2/ " + (
            "mount" if "mount=" in query and request.method == "POST" else what)
        harbor.count(request.method, path, kind, request.who.name)
        if harbor.world.settings["read_only"] and request.method not in ("GET", "HEAD"):
            raise Refused(403, "DENIED", READ_ONLY)
    if path == "/v2/":
        if request.who.kind == "anonymous":
            raise request.refuse("unauthorized", request.challenge())
        if "registry" in harbor.world.down:
            return Answer(502, None, content_type=None)
        return Answer(200, {})
    if path == "/v2/_catalog":
        return catalog(request)
    if not found:
        raise request.refuse(f"un-recognized request: {request.method} {path}",
                             [("Www-Authenticate", "")] if request.given else
                             request.challenge())
    name, rest = found["name"], found["rest"] or ""
    if "/" not in name:
        raise bad(f"bad request: invalid repository name: {name}")
    if not NAME.match(name):
        raise request.refuse(f"un-recognized request: {request.method} {path}",
                             [("Www-Authenticate", "")])
    return {"manifests": manifests, "blobs": blobs, "blobs/uploads": uploads,
            "tags/list": tags, "referrers": referrers}[found["what"]](request, name, rest)


# -- lists

def cut(request, names, path):
    """?n= and ?last= over sorted names, with the Link that follows."""
    n, last = request.fields.get("n"), request.fields.get("last")
    if n is not None and not n.isdigit():
        raise bad("the N must be a positive int type")
    left = [one for one in names if last is None or one > last]
    if n is None or int(n) >= len(left):
        return left, []
    left = left[:int(n)]
    if not left:
        return [], []
    mark = urllib.parse.quote(left[-1], "")
    return left, [("Link", f'<{path}?last={mark}&n={n}>; rel="next"')]


def catalog(request):
    with request.world.lock:
        if not (request.who.kind in ("user", "robot") and
                request.access.may_system(request.who, "catalog", "read")):
            raise request.refuse("unauthorized to list catalog",
                                 [("Www-Authenticate", 'Basic realm="harbor"')])
        names = sorted(r.name for r in request.world.repositories.values() if r.artifacts)
    last = request.fields.get("last")
    if last is not None and last not in names:
        raise bad(f"the last: {last} should be a valid repository name.")
    left, headers = cut(request, names, "/v2/_catalog")
    return Answer(200, {"repositories": left}, headers)


def tags(request, name, _):
    with request.world.lock:
        request.need(name, "pull")
        repository = request.world.repository(name)
        if repository is None:
            raise missing(f"repository {name} not found")
        left, headers = cut(request, sorted(repository.tags), request.path)
    return Answer(200, {"name": name, "tags": left}, headers)


def referrers(request, name, digest):
    if not request.world.at_least(2, 8):
        raise request.refuse(f"un-recognized request: {request.method} {request.path}",
                             [("Www-Authenticate", "")])
    with request.world.lock:
        request.need(name, "pull")
        repository = request.world.repository(name)
        rows = referrers_of(repository, digest) if repository else []
    wanted, headers = request.fields.get("artifactType"), [("X-Total-Count", str(len(rows)))]
    if wanted:
        rows = [r for r in rows if r["artifactType"] == wanted]
        headers.append(("Oci-Filters-Applied", "artifactType"))
    return Answer(200, {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": rows}, headers,
                  INDEXES[0])


def referrers_of(repository, digest):
    found = []
    for accessory in repository.accessories:
        artifact = accessory.artifact
        if accessory.subject_digest != digest:
            continue
        row = {"mediaType": artifact.media_type, "digest": artifact.digest,
               "size": len(artifact.manifest or b"")}
        if artifact.annotations:
            row["annotations"] = artifact.annotations
        row["artifactType"] = artifact.artifact_type
        found.append(row)
    return found


# -- blobs

def blobs(request, name, digest):
    with request.world.lock:
        request.need(name, "delete" if request.method == "DELETE" else "pull")
    return request.forward()


def size_text(number):
    """go-units' binary sizes, as Harbor's quota errors write them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.1f} {unit}"
        number /= 1024
    return ""


def check_quota(world, project, more):
    hard, used = project.quota.hard, world.used(project)
    if hard >= 0 and used + more > hard:
        raise Refused(403, "DENIED", f"adding {size_text(more)} of storage resource, which when "
                      f"updated to current usage of {size_text(used)} will exceed the configured "
                      f"upper limit of {size_text(hard)}.")


def uploads(request, name, rest):
    world = request.world
    with world.lock:
        project = request.need(name, "pull", "push")
        if request.method == "POST" and not request.path.endswith("/"):
            return Answer(301, None, [("Location", request.path + "/")], None)
        if project.registry_id:
            raise Refused(405, "METHOD_NOT_ALLOWED", "can not push artifact to a proxy project: "
                          + project.name)
        digest, source = request.fields.get("mount"), request.fields.get("from")
        if request.method == "POST" and digest and source:
            request.need(source, "pull")
        if request.method == "PUT":
            check_quota(world, project, len(request.body))
        if request.method == "POST" and "digest" in request.fields:
            request.query = ""  # Harbor takes no upload in one POST
    done = request.forward()
    with world.lock:
        put = request.fields.get("digest") or digest
        if done.status == 201 and put:
            project.loose[put] = max(project.loose.get(put, 0), len(request.body))
    return done


# -- manifests

def manifests(request, name, reference):
    reference = urllib.parse.unquote(reference)
    if request.method == "PUT":
        return put_manifest(request, name, reference)
    if request.method == "DELETE":
        return delete_manifest(request, name, reference)
    world = request.world
    with world.lock:
        request.need(name, "pull")
        repository = world.repository(name)
        if repository is None:
            raise missing(f"repository {name} not found")
        artifact = world.find(repository, reference)
        if artifact is None:
            mark = "@" if reference.startswith("sha256:") else ":"
            raise missing(f"artifact {name}{mark}{reference} not found")
        digest = artifact.digest
    done = request.forward(f"/v2/{name}/manifests/{digest}")
    if done.status == 200 and request.method == "GET":
        with world.lock:
            repository.pulls += 1
            artifact.pulled = world.now()
            if reference in repository.tags:
                repository.tags[reference].pulled = artifact.pulled
    return done


def delete_manifest(request, name, reference):
    world = request.world
    with world.lock:
        request.need(name, "delete")
        if not re.match(r"^sha256:[0-9a-f]{64}$", reference):
            raise Refused(400, "UNSUPPORTED", f"unsupported digest {reference}: invalid checksum "
                          "digest format")
        repository = world.repository(name)
        artifact = world.find(repository, reference) if repository else None
        if artifact is None:
            raise missing(f"artifact {name}@{reference} not found")
        check_delete(world, artifact)
        world.drop_artifact(artifact)
    return Answer(202, None, content_type=None)


def put_manifest(request, name, reference):
    world, harbor = request.world, request.harbor
    with world.lock:
        project = request.need(name, "pull", "push")
        if project.registry_id:
            raise Refused(405, "METHOD_NOT_ALLOWED", "can not push artifact to a proxy project: "
                          + project.name)
        is_digest = reference.startswith("sha256:")
        if not is_digest and not TAG.match(reference):
            raise bad(f"bad request: invalid tag name: {reference}")
        repository = world.repository(name)
        if repository and not is_digest and reference in repository.tags and \
                immutable_tag(world, repository, reference):
            raise Refused(412, "PRECONDITION", "Failed to process request due to "
                          f"'{name.partition('/')[2]}:{reference}' configured as immutable.")
        check_signature(world, repository, name, reference)
        if len(request.body) > MANIFEST_MAX:
            raise Refused(400, "MANIFEST_INVALID", "manifest invalid")
        try:
            manifest = json.loads(request.body)
        except ValueError:
            raise Refused(400, "MANIFEST_INVALID", "unmarshal manifest failed: invalid character "
                          "looking for beginning of object key string") from None
        check_quota(world, project, len(request.body) + new_bytes(world, project, manifest))
    done = request.forward(f"/v2/{name}/manifests/{urllib.parse.quote(reference, ':')}")
    if done.status != 201:
        return done
    digest = next(v for n, v in done.headers if n.lower() == "docker-content-digest")
    config = read_config(harbor, name, manifest)
    with world.lock:
        subject = register(harbor, name, digest, request.body, manifest, config,
                           None if is_digest else reference)
    if subject:
        done.headers.append(("Oci-Subject", subject))
    return done


def check_signature(world, repository, name, tag):
    """Before 2.8 a signature can't come before its image."""
    found = COSIGN.match(tag)
    if found and world.at_least(2, 5) and not world.at_least(2, 8) and not (
            repository and f"{found[1]}:{found[2]}" in repository.artifacts):
        raise missing(f"artifact {name}@{found[1]}:{found[2]} not found")


def blobs_of(manifest):
    return {one["digest"]: one.get("size", 0)
            for one in [manifest.get("config"), *(manifest.get("layers") or [])] if one}


def new_bytes(world, project, manifest):
    known = dict(project.loose)
    for repository in world.of_project(project):
        for artifact in repository.artifacts.values():
            known.update(artifact.blobs or ())
    return sum(size for digest, size in blobs_of(manifest).items() if digest not in known)


def read_config(harbor, name, manifest):
    config = manifest.get("config") or {}
    if config.get("mediaType") not in KINDS or config.get("size", 0) > MANIFEST_MAX:
        return {}
    status, _, data = upstream(harbor, "GET", f"/v2/{name}/blobs/{config['digest']}")
    try:
        return json.loads(data) if status == 200 else {}
    except ValueError:
        return {}


def register(harbor, name, digest, body, manifest, config, tag):
    """A manifest that the registry took, as an artifact; the subject's digest or None."""
    world = harbor.world
    repository = world.repository(name, create=True)
    artifact = world.add_artifact(repository, digest)
    artifact.manifest = body
    artifact.media_type = manifest.get("mediaType") or \
        (INDEXES[0] if "manifests" in manifest else artifact.media_type)
    artifact.annotations = manifest.get("annotations")
    artifact.blobs = blobs_of(manifest)
    repository.updated = world.now()
    if artifact.media_type in INDEXES:
        set_index(repository, artifact, manifest, body)
    else:
        kind = (manifest.get("config") or {}).get("mediaType", "")
        artifact.config_type = kind
        artifact.artifact_type = manifest.get("artifactType") or kind
        artifact.kind = KINDS.get(kind, "UNKNOWN" if not kind else kind.rpartition(".")[2].upper())
        if kind not in KINDS:
            found = re.match(r"^application/vnd\.[^.]*\.(.*)\.config\.[^.]*\+json$", kind)
            artifact.kind = found[1].upper() if found else "UNKNOWN"
        artifact.size = len(body) + sum(blobs_of(manifest).values())
        if config and artifact.kind == "IMAGE":
            artifact.history = config.get("history")
            artifact.extra = {key: config[key] for key in (
                "architecture", "author", "config", "created", "os", "variant") if key in config}
    if tag:
        world.set_tag(repository, tag, artifact)
    return attach(world, repository, artifact, manifest, tag)


def set_index(repository, artifact, manifest, body):
    artifact.config_type = artifact.media_type
    artifact.size, artifact.references = len(body), []
    for child in manifest.get("manifests") or []:
        known = repository.artifacts.get(child["digest"])
        platform = child.get("platform") or {}
        row = {"child_digest": child["digest"], "child_id": known.id if known else 0,
               "parent_id": artifact.id, "urls": None,
               "platform": {"OsFeatures": None, "architecture": platform.get("architecture", ""),
                            "os": platform.get("os", "")}}
        if platform.get("variant"):
            row["platform"]["variant"] = platform["variant"]
        if child.get("annotations"):
            row["annotations"] = child["annotations"]
        artifact.references.append(row)
        artifact.size += known.size if known else 0


def attach(world, repository, artifact, manifest, tag):
    """Cosign's tags since 2.5, the subject field since 2.8."""
    found = COSIGN.match(tag or "")
    subject = (manifest.get("subject") or {}).get("digest") if world.at_least(2, 8) else None
    if found and world.at_least(2, 5):
        digest, kind = f"{found[1]}:{found[2]}", "signature.cosign"
        icon = "sha256:20401d5b3a0f6dbc607c8d732eb08471af4ae6b19811a4efce8c6a724aed2882"
    elif subject:
        digest, kind, icon = subject, "subject.accessory", ""
        if "notary" in artifact.artifact_type:
            kind = "signature.notation"
    else:
        return None
    host = repository.artifacts.get(digest)
    if host is None and not world.at_least(2, 8):
        return None
    row = Row(id=world.take("accessory"), artifact=artifact, subject=host, type=kind, icon=icon,
              subject_digest=digest, created=world.now())
    repository.accessories = [a for a in repository.accessories if a.artifact is not artifact]
    repository.accessories.append(row)
    artifact.subject = host or artifact.subject
    if host is not None:
        host.accessories = [a for a in host.accessories or () if a.artifact is not artifact]
        host.accessories.append(row)
    return subject
