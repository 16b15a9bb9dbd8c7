# SPDX-License-Identifier: Apache-2.0
"""What a Harbor knows: users, projects, repositories, artifacts, robots, settings.

Rows are plain objects with the names that the code uses; the modules beside
this one turn them into Harbor's JSON. Nothing here speaks HTTP. Whoever
changes rows holds `lock`.
"""

import datetime
import hashlib
import itertools
import threading
import uuid
from types import SimpleNamespace as Row

NEVER = "0001-01-01T00:00:00.000Z"
RELEASES = {"2.15": "v2.15.2-080b0220", "2.5": "v2.5.6-9b0ac301"}

# What a member's role may do in a project, by resource and action.
_READ = {("project", "read"), ("repository", "list"), ("repository", "read"),
         ("repository", "pull"), ("artifact", "list"), ("artifact", "read"), ("tag", "list"),
         ("artifact-addition", "read"), ("accessory", "list"), ("label", "list"),
         ("label", "read"), ("scan", "read")}
_GUEST = _READ | {("quota", "read"), ("metadata", "list"), ("metadata", "read"),
                  ("scanner", "read"), ("member", "list"), ("log", "list"),
                  ("robot", "read"), ("robot", "list")}
_DEVELOPER = _GUEST | {("repository", "push"), ("repository", "update"), ("artifact", "create"),
                       ("tag", "create"), ("artifact-label", "create"),
                       ("artifact-label", "delete"), ("scan", "create"), ("scan", "stop")}
_MAINTAINER = _DEVELOPER | {
    ("repository", "delete"), ("artifact", "delete"), ("tag", "delete"), ("label", "create"),
    ("label", "update"), ("label", "delete"), ("metadata", "create"), ("metadata", "update"),
    ("metadata", "delete"),
    ("immutable-tag", "create"), ("immutable-tag", "list"), ("immutable-tag", "update"),
    ("immutable-tag", "delete"), ("tag-retention", "create"), ("tag-retention", "read"),
    ("tag-retention", "update"), ("tag-retention", "delete"), ("tag-retention", "list"),
    ("tag-retention", "operate"), ("notification-policy", "list")}
ROLES = {2: _DEVELOPER, 3: _GUEST, 4: _MAINTAINER, 5: _READ}


class Artifact:
    """One manifest of a repository; many of these fit a large world."""

    __slots__ = ("id", "repository", "digest", "media_type", "config_type", "artifact_type",
                 "size", "pushed", "pulled", "extra", "references", "annotations", "accessories",
                 "subject", "labels", "kind", "scan", "history", "manifest", "blobs")

    def __init__(self, number, repository, digest):
        self.id, self.repository, self.digest = number, repository, digest
        self.media_type = "application/vnd.oci.image.manifest.v1+json"
        self.config_type = self.artifact_type = "application/vnd.oci.image.config.v1+json"
        self.size, self.pushed, self.pulled = 0, NEVER, NEVER
        self.extra = self.references = self.annotations = self.history = self.manifest = None
        self.accessories = self.labels = self.scan = self.subject = self.blobs = None
        self.kind = "IMAGE"


class World:
    """All state of one stand-in. version is '2.15', '2.5', or 'major.minor' of another."""

    def __init__(self, version):
        self.lock = threading.RLock()
        self.version = version
        self.release = RELEASES.get(version, f"v{version}.0-00000000")
        self.number = tuple(int(part) for part in version.split(".")[:2])
        self.skew_s = 0
        self._ids = {}
        self.users, self.projects, self.repositories = {}, {}, {}
        self.by_artifact = {}
        self.robots, self.labels = {}, {}
        self.retentions, self.schedules, self.gc_runs = {}, {}, []
        self.scanners, self.all_scans = {}, []
        self.registries, self.policies, self.executions = {}, {}, {}
        self.immutable = {}
        self.health_is_old = False  # /health still says what was
        self.down = set()  # of "database", "redis", "registry", "jobservice"
        self.settings = {
            "auth_mode": "db_auth", "read_only": False, "robot_name_prefix": "robot$",
            "robot_token_duration": 30, "token_expiration": 30, "self_registration": False,
            "project_creation_restriction": "everyone", "storage_per_project": -1,
            "quota_per_project_enable": True, "notification_enable": True, "banner_message": "",
            "session_timeout": 60, "skip_audit_log_database": False}
        self.overwritten = False  # CONFIG_OVERWRITE_JSON fixes the settings
        self.add_user("admin", "Harbor12345", sysadmin=True, realname="system admin",
                      comment="admin user")
        self.take("user")  # Harbor's own 'anonymous' row
        self.add_project("library", public=True)

    def at_least(self, major, minor):
        return self.number >= (major, minor)

    def take(self, kind):
        """The next id of a kind; ids are never used twice."""
        return next(self._ids.setdefault(kind, itertools.count(1)))

    def seconds(self):
        return datetime.datetime.now(datetime.timezone.utc).timestamp() + self.skew_s

    def now(self, ahead_s=0):
        when = datetime.datetime.fromtimestamp(self.seconds() + ahead_s, datetime.timezone.utc)
        return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03}Z"

    # -- users and projects

    def add_user(self, name, password, sysadmin=False, realname="", comment="", email=None):
        now = self.now()
        user = Row(id=self.take("user"), name=name, password=password, sysadmin=sysadmin,
                   realname=realname or name, comment=comment, email=email, created=now,
                   updated=now)
        self.users[name] = user
        return user

    def add_project(self, name, public=False, owner="admin", limit=-1, registry_id=0):
        now = self.now()
        owner = self.users[owner]
        project = Row(id=self.take("project"), name=name, owner=owner,
                      loose={}, metadata={"public": "true" if public else "false"}, created=now,
                      updated=now, registry_id=registry_id, members={owner.id: 1},
                      allowlist=self.take("allowlist"), scanner=None,
                      quota=Row(id=self.take("quota"), hard=limit, created=now, updated=now))
        self.projects[project.id] = project
        self.immutable[project.id] = {}
        return project

    def project(self, name):
        return next((p for p in self.projects.values() if p.name == name), None)

    def is_public(self, project):
        return project.metadata.get("public") == "true"

    def used(self, project):
        """Bytes of a project: blobs and manifests once each."""
        seen = dict(project.loose)
        for repository in self.of_project(project):
            for artifact in repository.artifacts.values():
                seen.update(artifact.blobs or ())
                seen[artifact.digest] = artifact.size if artifact.manifest is None \
                    else len(artifact.manifest)
        return sum(seen.values())

    # -- repositories and artifacts

    def of_project(self, project):
        return [r for r in self.repositories.values() if r.project is project]

    def repository(self, name, create=False):
        found = self.repositories.get(name)
        if not found and create:
            now = self.now()
            found = Row(id=self.take("repository"), name=name, created=now, updated=now,
                        project=self.project(name.partition("/")[0]), description="", pulls=0,
                        artifacts={}, tags={}, accessories=[])
            self.repositories[name] = found
        return found

    def drop_repository(self, repository):
        for artifact in list(repository.artifacts.values()):
            self.drop_artifact(artifact)
        del self.repositories[repository.name]

    def add_artifact(self, repository, digest):
        found = repository.artifacts.get(digest)
        if not found:
            found = Artifact(self.take("artifact"), repository, digest)
            found.pushed = self.now()
            repository.artifacts[digest] = found
            self.by_artifact[found.id] = found
        return found

    def set_tag(self, repository, name, artifact):
        now = self.now()
        tag = repository.tags.get(name)
        if tag and tag.artifact is artifact:
            tag.pushed = now
            return tag
        tag = Row(id=self.take("tag"), name=name, artifact=artifact, pushed=now, pulled=NEVER)
        repository.tags[name] = tag
        return tag

    def tags_of(self, artifact):
        return sorted((t for t in artifact.repository.tags.values() if t.artifact is artifact),
                      key=lambda tag: tag.name)

    def find(self, repository, reference):
        """The artifact of a tag or digest, or None."""
        if reference.startswith("sha256:"):
            return repository.artifacts.get(reference)
        tag = repository.tags.get(reference)
        return tag.artifact if tag else None

    def listed(self, artifacts):
        """Without accessories, and without children of an index that have no tag."""
        children = {r["child_digest"] for a in artifacts for r in a.references or ()}
        tagged = {id(t.artifact) for a in artifacts for t in a.repository.tags.values()} \
            if children else ()
        return [a for a in artifacts if a.subject is None and
                (a.digest not in children or id(a) in tagged)]

    def parents(self, artifact):
        """Indexes of the repository that list an artifact."""
        return [a for a in artifact.repository.artifacts.values()
                if any(r["child_digest"] == artifact.digest for r in a.references or ())]

    def drop_artifact(self, artifact):
        repository = artifact.repository
        for digest in artifact.blobs or ():
            repository.project.loose.pop(digest, None)
        for name in [t.name for t in repository.tags.values() if t.artifact is artifact]:
            del repository.tags[name]
        for accessory in list(artifact.accessories or ()):
            self.drop_artifact(accessory.artifact)
        if artifact.subject is not None:
            artifact.subject.accessories = [
                a for a in artifact.subject.accessories or () if a.artifact is not artifact]
        repository.accessories = [a for a in repository.accessories if a.artifact is not artifact]
        repository.artifacts.pop(artifact.digest, None)
        self.by_artifact.pop(artifact.id, None)

    def seed(self, projects, repositories, artifacts, prefix="many"):
        """Fill in rows that no registry has: for lists and counts, not for copies."""
        for p in range(projects):
            project = self.add_project(f"{prefix}-{p:03}")
            for r in range(repositories):
                repository = self.repository(f"{project.name}/app-{r:03}", create=True)
                for a in range(artifacts):
                    text = f"{repository.name}/{a}".encode()
                    one = self.add_artifact(repository, "sha256:" + hashlib.sha256(text)
                                            .hexdigest())
                    one.size = 1000 + a
                    self.set_tag(repository, f"v{a}", one)

    def add_scanner(self, name="lab", url="http://127.0.0.1:9/", auth="", credential="",
                    description=""):
        """The first one is the default."""
        scanner = Row(uuid=str(uuid.uuid4()), name=name, url=url, auth=auth,
                      credential=credential, description=description, disabled=False,
                      is_default=not self.scanners, created=self.now())
        self.scanners[scanner.uuid] = scanner
        return scanner

    # -- robots

    def robot_name(self, robot):
        middle = f"{robot.project.name}+" if robot.project else ""
        return f"{self.settings['robot_name_prefix']}{middle}{robot.name}"

    def robot_of(self, login):
        return next((r for r in self.robots.values() if self.robot_name(r) == login), None)

    def robot_works(self, robot):
        return not robot.disabled and (robot.expires < 0 or robot.expires > self.seconds())
