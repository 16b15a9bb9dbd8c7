# SPDX-License-Identifier: Apache-2.0
"""Images made from a seed, and a small client that pushes and reads them.

The same seed gives the same bytes and so the same digests, on every machine.
The client is deliberately plain (one connection, no retries): what it says of
a registry is what the registry answered.
"""

import base64
import gzip
import hashlib
import http.client
import io
import json
import random
import re
import ssl
import tarfile
import urllib.parse

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST))
CREATED = "2026-01-02T03:04:05Z"
_PIECE = 1 << 20


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Blob:
    """Bytes with a digest; a big one is made anew from its seed when read."""

    def __init__(self, media_type, data=None, seed=None, size=None):
        self.media_type = media_type
        self._data = data
        self._seed = seed
        self.size = len(data) if data is not None else size
        hasher = hashlib.sha256()
        for piece in self.pieces():
            hasher.update(piece)
        self.digest = "sha256:" + hasher.hexdigest()

    def pieces(self):
        """The content, in pieces of at most 1 MiB."""
        if self._data is not None:
            yield self._data
            return
        source, left = random.Random(self._seed), self.size
        while left:
            yield source.randbytes(min(left, _PIECE))
            left -= min(left, _PIECE)

    def data(self):
        return b"".join(self.pieces())

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size, **more}


def random_layer(seed, size, media_type=OCI_LAYER):
    """A layer of exactly size bytes of noise: registries look at no content."""
    if size <= _PIECE:
        return Blob(media_type, random.Random(seed).randbytes(size))
    return Blob(media_type, seed=seed, size=size)


def tar_layer(files, media_type=OCI_LAYER):
    """A real layer, tar and gzip, of {path: bytes}; and its diff id."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime, entry.mode = len(data), 1767323045, 0o644
            archive.addfile(entry, io.BytesIO(data))
    layer = Blob(media_type, gzip.compress(plain.getvalue(), 1, mtime=0))
    layer.diff_id = digest_of(plain.getvalue())
    return layer


class Manifest:
    """What images and indexes have in common: bytes, a type and a digest."""

    media_type = None
    body = b""

    @property
    def digest(self):
        return digest_of(self.body)

    def descriptor(self, **more):
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body),
                **more}

    def blobs(self):
        """Every blob below, each once."""
        return []

    def children(self):
        return []


class Image(Manifest):
    """One manifest with a config and layers.

    config is a Blob or a dict that is merged into a plain image config;
    docker=True makes Docker's types of it; subject is the Manifest (or
    descriptor) that this one refers to; more goes into the manifest as it is.
    """

    def __init__(self, layers, config=None, docker=False, architecture="amd64", subject=None,
                 annotations=None, artifact_type=None, **more):
        self.media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        self.layers = layers
        self.config = config if isinstance(config, Blob) else \
            _plain_config(layers, docker, architecture, config or {})
        self.architecture = architecture
        content = {"schemaVersion": 2, "mediaType": self.media_type,
                   "config": self.config.descriptor(),
                   "layers": [layer.descriptor() for layer in layers]}
        if docker:
            for one in content["layers"]:
                one["mediaType"] = DOCKER_LAYER
        if artifact_type:
            content["artifactType"] = artifact_type
        if subject is not None:
            content["subject"] = subject if isinstance(subject, dict) else subject.descriptor()
        if annotations:
            content["annotations"] = annotations
        content.update(more)
        self.content = content
        self.body = to_json(content)

    def blobs(self):
        return list({blob.digest: blob for blob in [self.config, *self.layers]}.values())


def _plain_config(layers, docker, architecture, merged):
    history = [{"created": CREATED, "created_by": f"COPY layer {number} /"}
               for number, _ in enumerate(layers)]
    content = {"architecture": architecture, "os": "linux", "created": CREATED,
               "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/sh"]},
               "rootfs": {"type": "layers", "diff_ids": [getattr(layer, "diff_id", layer.digest)
                                                         for layer in layers]},
               "history": history, **merged}
    return Blob(DOCKER_CONFIG if docker else OCI_CONFIG, to_json(content))


class Index(Manifest):
    """A list of manifests; members are (Manifest, platform dict, annotations)."""

    def __init__(self, members, docker=False, annotations=None, **more):
        self.media_type = DOCKER_LIST if docker else OCI_INDEX
        self.members = members
        entries = []
        for member, platform, notes in members:
            extra = {"platform": platform} if platform else {}
            if notes:
                extra["annotations"] = notes
            if getattr(member, "artifact", None):
                extra["artifactType"] = member.artifact
            entries.append(member.descriptor(**extra))
        content = {"schemaVersion": 2, "mediaType": self.media_type, "manifests": entries}
        if annotations:
            content["annotations"] = annotations
        content.update(more)
        self.content = content
        self.body = to_json(content)

    def children(self):
        return [member for member, _, _ in self.members]

    def blobs(self):
        return list({blob.digest: blob for child in self.children()
                     for blob in child.blobs()}.values())


def multi_arch(images, attestations=True, docker=False):
    """An index over {architecture: Image}, with BuildKit's attestations."""
    members = [(image, {"architecture": name, "os": "linux"}, None)
               for name, image in images.items()]
    for image in images.values() if attestations else ():
        statement = Blob("application/vnd.in-toto+json", to_json(
            {"_type": "https://in-toto.io/Statement/v0.1", "subject": [image.digest],
             "predicateType": "https://slsa.dev/provenance/v0.2"}))
        members.append((Image([statement], architecture="unknown"),
                        {"architecture": "unknown", "os": "unknown"},
                        {"vnd.docker.reference.type": "attestation-manifest",
                         "vnd.docker.reference.digest": image.digest}))
    return Index(members, docker=docker)


def referrer(subject, artifact_type, payload, media_type=None, annotations=None):
    """An OCI 1.1 artifact that refers to subject (an SBOM, a signature)."""
    image = Image([Blob(media_type or artifact_type, payload)], config=Blob(OCI_EMPTY, b"{}"),
                  artifact_type=artifact_type, subject=subject, annotations=annotations)
    image.artifact = artifact_type
    return image


def fallback_tag(manifest):
    """The tag under which a registry without the referrers API lists them."""
    return manifest.digest.replace(":", "-")


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Client:
    """Talks to one registry; url may hold no path.

    ca trusts an authority, cert is a (certificate, key) pair of the client's
    own. Basic and Bearer challenges are met with user and password.
    """

    def __init__(self, url, user=None, password=None, ca=None, cert=None):
        parts = urllib.parse.urlsplit(url)
        self.parts, self.user, self.password = parts, user, password
        self.context = None
        if parts.scheme == "https":
            self.context = ssl.create_default_context(cafile=ca)
            if cert:
                self.context.load_cert_chain(*cert)
        self._connection = None
        self._tokens = {}
        self._basic = False

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _connect(self):
        if not self._connection:
            kind = http.client.HTTPSConnection if self.context else http.client.HTTPConnection
            more = {"context": self.context} if self.context else {}
            self._connection = kind(self.parts.hostname, self.parts.port, timeout=180, **more)
        return self._connection

    def _once(self, method, path, body, headers):
        try:
            connection = self._connect()
            connection.request(method, path, body() if callable(body) else body, headers)
            answer = connection.getresponse()
            data = answer.read()
        except (http.client.HTTPException, OSError):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return Answer(answer.status, answer.headers, data)

    def request(self, method, path, body=None, headers=None, scope=None):
        """One request, with a second try after a 401; body may be a maker."""
        headers = dict(headers or {})
        if scope in self._tokens:
            headers["Authorization"] = "Bearer " + self._tokens[scope]
        elif self._basic:
            headers["Authorization"] = self._basic_header()
        answer = self._once(method, path, body, headers)
        challenge = answer.headers.get("WWW-Authenticate", "")
        if answer.status != 401 or not challenge:
            return answer
        if challenge.lower().startswith("bearer"):
            self._tokens[scope] = self._fetch_token(challenge)
            headers["Authorization"] = "Bearer " + self._tokens[scope]
        elif self.user:
            self._basic = True
            headers["Authorization"] = self._basic_header()
        return self._once(method, path, body, headers)

    def _basic_header(self):
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def _fetch_token(self, challenge):
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = urllib.parse.urlsplit(fields["realm"])
        query = urllib.parse.urlencode([("service", fields.get("service", "")),
                                        ("scope", fields.get("scope", ""))])
        with Client(f"{realm.scheme}://{realm.netloc}") as other:
            other.context = self.context if realm.scheme == "https" else None
            headers = {"Authorization": self._basic_header()} if self.user else {}
            answer = other._once("GET", f"{realm.path}?{query}", None, headers)
        if answer.status != 200:
            raise RuntimeError(f"token: HTTP {answer.status}")
        return answer.json()["token"]

    @staticmethod
    def _expect(answer, what, *statuses):
        if answer.status not in statuses:
            raise RuntimeError(f"{what}: HTTP {answer.status} {answer.body[:300]!r}")
        return answer

    def has_blob(self, repository, digest):
        path = f"/v2/{repository}/blobs/{digest}"
        return self.request("HEAD", path, scope=(repository, "pull")).status == 200

    def blob(self, repository, digest):
        path = f"/v2/{repository}/blobs/{digest}"
        return self._expect(self.request("GET", path, scope=(repository, "pull")), path, 200).body

    def push_blob(self, repository, blob, mount_from=None):
        """Put one blob, by a mount where a sibling repository has it."""
        scope = (repository, "push")
        path = f"/v2/{repository}/blobs/uploads/"
        query = f"?mount={blob.digest}&from={mount_from}" if mount_from else ""
        answer = self._expect(self.request("POST", path + query, b"", scope=scope), path, 201, 202)
        if answer.status == 201:
            return
        location = urllib.parse.urlsplit(answer.headers["Location"])
        query = "&".join(part for part in (location.query, "digest=" + blob.digest) if part)
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        done = self.request("PUT", f"{location.path}?{query}", blob.pieces, headers, scope=scope)
        self._expect(done, f"PUT {path}", 201)

    def put_manifest(self, repository, reference, manifest):
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self.request("PUT", path, manifest.body, {"Content-Type": manifest.media_type},
                              scope=(repository, "push"))
        return self._expect(answer, path, 201)

    def push(self, repository, manifest, *tags, known=None):
        """Push blobs, children, the manifest, then its tags.

        known is a dict {digest: repository} that a caller keeps between
        pushes: blobs in it are mounted instead of sent again.
        """
        known = {} if known is None else known
        self._push_blobs(repository, manifest, known)
        for child in manifest.children():
            self.push(repository, child, known=known)
        for reference in tags or (manifest.digest,):
            self.put_manifest(repository, reference, manifest)
        return manifest

    def _push_blobs(self, repository, manifest, known):
        if manifest.children():
            return
        for blob in manifest.blobs():
            if (repository, blob.digest) in known:
                continue
            self.push_blob(repository, blob, known.get(blob.digest))
            known[(repository, blob.digest)] = repository
            known.setdefault(blob.digest, repository)

    def attach(self, repository, subject, *referrers):
        """Push referrers and list them under the fallback tag of subject."""
        for one in referrers:
            self.push(repository, one)
        listing = Index([(one, None, one.content.get("annotations")) for one in referrers])
        self.put_manifest(repository, fallback_tag(subject), listing)
        return listing

    def sign(self, repository, subject, payload=b'{"critical":{}}'):
        """A signature as cosign 2 makes it: the tag sha256-<hex>.sig."""
        layer = Blob("application/vnd.dev.cosign.simplesigning.v1+json", payload)
        image = Image([layer], annotations={"dev.cosignproject.cosign/signature": "MEUCIQ=="})
        self.push(repository, image, fallback_tag(subject) + ".sig")
        return image

    def manifest(self, repository, reference):
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self.request("GET", path, headers={"Accept": ACCEPT}, scope=(repository, "pull"))
        return self._expect(answer, path, 200)

    def digest(self, repository, reference):
        """The digest of what a reference names now, None where it is absent."""
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self.request("HEAD", path, headers={"Accept": ACCEPT}, scope=(repository, "pull"))
        if answer.status == 404:
            return None
        return self._expect(answer, path, 200).headers["Docker-Content-Digest"]

    def tags(self, repository):
        """The tags of a repository; none where it is absent."""
        path = f"/v2/{repository}/tags/list"
        answer = self.request("GET", path, scope=(repository, "pull"))
        if answer.status == 404:
            return []
        return sorted(self._expect(answer, path, 200).json().get("tags") or [])

    def catalog(self):
        answer = self.request("GET", "/v2/_catalog?n=1000", scope=("", "catalog"))
        return self._expect(answer, "catalog", 200).json()["repositories"]

    def closure(self, repository, reference):
        """Read everything below a reference and check every digest.

        Returns {digest: bytes} of manifests and blobs; raises what is wrong.
        Layers that are elsewhere by their urls need not be there.
        """
        found = {}
        self._walk(repository, reference, found)
        return found

    def _walk(self, repository, reference, found):
        body = self.manifest(repository, reference).body
        digest = digest_of(body)
        if reference.startswith("sha256:") and digest != reference:
            raise AssertionError(f"{repository}@{reference} holds {digest}")
        found[digest] = body
        content = json.loads(body)
        for child in content.get("manifests") or []:
            self._walk(repository, child["digest"], found)
        for one in [content.get("config"), *(content.get("layers") or [])]:
            if one and one["digest"] not in found and not one.get("urls"):
                data = self.blob(repository, one["digest"])
                algorithm = one["digest"].partition(":")[0]
                if digest_of(data, algorithm) != one["digest"] or len(data) != one["size"]:
                    raise AssertionError(f"{repository}: blob {one['digest']} is another's bytes")
                found[one["digest"]] = data
