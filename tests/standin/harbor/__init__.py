# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Harbor, in the shapes recorded at a real 2.15.2 and 2.5.6.

    harbor = Harbor(registry.url, version="2.15")   # or "2.5", "2.12", "2.3", ...
    harbor.add_project("team")                      # rows without asking the API
    Client(harbor.url, *harbor.login).push("team/app", image, "v1")
    harbor.counts["GET /projects"], harbor.counts["password check"]
    harbor.faults.add("500 html", path="/projects", times=1)
    harbor.world.settings["read_only"] = True
    harbor.world.down.add("database")

It keeps state, refuses what the real one refuses, and passes /v2/ on to a
real docker-registry (registry_url None: an API without bytes). Modules:

    world       the rows, and what a role may do
    access      passwords, sessions, CSRF tokens, robots, bearer tokens
    server      HTTP: nginx and core before the handlers
    call        one request: parameters, rights, lists, routes
    faults      what goes wrong on demand
    session     login, tokens, health, systeminfo, users, settings
    projects    projects, members, metadata, quotas, immutable rules
    artifacts   repositories, artifacts, tags, labels, accessories, additions
    robots      robot accounts
    housekeeping  retention, garbage collection
    scans       scanners, scans, reports, scan-all, by a scripted scanner
    replication registry endpoints, policies, runs that really copy
    registry    /v2/

tests/standin/test_replay.py plays recorded requests against it, so that it
can't drift into what we wish.
"""

import collections
import email.utils
import threading

from . import (artifacts, faults, housekeeping, projects, registry, replication, robots, scans,
               server, session)
from .access import Access
from .world import World

# Their routes register themselves.
HANDLERS = (session, projects, artifacts, robots, housekeeping, scans, replication)


class Harbor:
    """Serves at .url until stop()."""

    def __init__(self, registry_url=None, version="2.15", password="Harbor12345"):
        self.counts = collections.Counter()
        self.requests = []  # (method, path, kind, who)
        self.bodies = []    # (kind, query, body) of each request to the API
        self.scan_looks = 1  # how often a scan is seen running
        self.may_replicate = threading.Event()  # cleared: runs wait before each repository
        self.may_replicate.set()
        self._count_lock = threading.Lock()
        self.world = World(version)
        self.world.users["admin"].password = password
        self.access = Access(self.world, self.counts)
        self.faults = faults.Faults()
        self.registry_url = registry_url
        self.endpoint = None  # the configured address, where it is another than ours
        self.login = ("admin", password)
        self._server = server.start(self)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    # -- what tests ask and set

    def count(self, method, path, kind, who):
        with self._count_lock:
            self.counts[kind] += 1
            self.counts["requests"] += 1
            self.requests.append((method, path, kind, who))

    def reset_counts(self):
        with self._count_lock:
            self.counts.clear()
            self.requests.clear()

    def add_project(self, name, **how):
        with self.world.lock:
            return self.world.add_project(name, **how)

    def add_user(self, name, password, **how):
        with self.world.lock:
            return self.world.add_user(name, password, **how)

    def seed(self, projects_, repositories, artifacts_, prefix="many"):
        with self.world.lock:
            self.world.seed(projects_, repositories, artifacts_, prefix)

    def finish_scan(self, name):
        """Let the scans of a slow... repository end at the next look."""
        with self.world.lock:
            for artifact in self.world.repositories[name].artifacts.values():
                if artifact.scan is not None:
                    artifact.scan.finished = True

    # -- of the modules

    def scan_overview(self, call, artifact):
        return scans.overview(call, artifact)

    def shown_schedule(self, schedule):
        shown = {"cron": schedule.cron, "type": schedule.type}
        if self.world.at_least(2, 6):
            shown["next_scheduled_time"] = "2027-01-01T00:00:00.000Z"
        return dict(sorted(shown.items()))

    def copy(self, artifact, target, tag):
        """An artifact with its children into another repository, bytes included."""
        for child in artifact.references or ():
            known = artifact.repository.artifacts.get(child["child_digest"])
            if known:
                self.copy(known, target, None)
        if artifact.manifest is not None:
            for digest in artifact.blobs or ():
                registry.upstream(self, "POST", f"/v2/{target.name}/blobs/uploads/?mount={digest}"
                                                f"&from={artifact.repository.name}", body=b"")
            registry.upstream(self, "PUT", f"/v2/{target.name}/manifests/{tag or artifact.digest}",
                              {"Content-Type": artifact.media_type}, artifact.manifest)
        made = self.world.add_artifact(target, artifact.digest)
        for name in ("media_type", "config_type", "artifact_type", "size", "extra", "references",
                     "annotations", "kind", "history", "manifest", "blobs"):
            setattr(made, name, getattr(artifact, name))
        if tag:
            self.world.set_tag(target, tag, made)

    def external(self, host):
        """The address that goes into realms: 2.5 always gives the configured one."""
        if self.world.at_least(2, 6) and host:
            return f"http://{host}"
        return self.endpoint or self.url

    def http_date(self):
        return email.utils.formatdate(self.world.seconds(), usegmt=True)


__all__ = ["Harbor"]
