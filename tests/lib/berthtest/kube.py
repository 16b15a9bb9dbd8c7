# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes API server on loopback: etcd, kube-apiserver, and three
controllers (namespaces, service accounts, quotas). tests/tools/kube builds them.

Starting takes some 15 s and 560 MB: one for each suite file.

    cluster = Kube(workdir(case)).start()
    cluster.url, cluster.ca              the server and the PEM file to trust
    cluster.token("berth")               a token of one of USERS
    cluster.namespace("team-a")          made, with its default service account there
    cluster.api("GET", "/api/v1/nodes")  (status, JSON or text), as admin
    cluster.requests("berth")            what that user has asked, as (verb, URI)
"""

import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import unittest

from .proc import TREE, Process, cache_dir, free_port, wait_until
from .registry import find_go
from .tls import Authority, openssl

VERSION = "v1.34.4"
SOURCE = os.path.join(TREE, "tests", "tools", "kube")
BUILD_S = 600
_FLAGS = ("-s -w -X k8s.io/component-base/version.gitVersion=" + VERSION +
          " -X k8s.io/component-base/version.gitMajor=1"
          " -X k8s.io/component-base/version.gitMinor=34")

# Users of the token file, with their groups. What they may do is in RIGHTS; admin
# may do everything, and nobody nothing but what each authenticated user may.
USERS = {"admin": "system:masters", "berth": "", "namespaced": "", "reader": "", "nobody": ""}
RIGHTS = {
    "berth": [("", ["secrets"], ["get", "create", "patch", "delete"]),
              ("", ["serviceaccounts"], ["get", "patch"]),
              ("", ["namespaces", "nodes"], ["get", "list"])],
    "reader": [("", ["namespaces", "nodes"], ["get", "list"])],
}
_AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
          "omitStages": ["ResponseStarted", "ResponseComplete", "Panic"],
          "rules": [{"level": "Metadata"}]}


def _memory_mb():
    with open("/proc/meminfo", encoding="ascii") as file:
        rows = dict(line.split(":", 1) for line in file)
    return int(rows["MemAvailable"].split()[0]) // 1024


def _key():
    """What the program depends on: a change makes another one."""
    seen = hashlib.sha256(_FLAGS.encode())
    for name in ("go.mod", "go.sum", "main.go"):
        with open(os.path.join(SOURCE, name), "rb") as file:
            seen.update(file.read())
    return seen.hexdigest()[:16]


def program():
    """The program, built once; skips where it can't be had."""
    path = os.path.join(cache_dir(), f"kube-{_key()}", "kube")
    if not os.path.exists(path):
        with open(os.path.join(cache_dir(), "kube.lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                _build(path)
    return path


def _build(path):
    """It takes 16 minutes of CPU: in a `make check` only where cores are to spare."""
    wanted = os.environ.get("BERTH_KUBE_BUILD") == "yes"
    how = "not built yet: `make check-kube` does it"
    if not wanted and (os.cpu_count() or 1) < 4:
        raise unittest.SkipTest(f"the Kubernetes API server is {how} (here are under 4 cores)")
    if _memory_mb() < (3000 if wanted else 4000):
        raise unittest.SkipTest(f"the Kubernetes API server is {how}, and memory is short")
    late = os.path.dirname(path) + ".late"  # one suite has waited: no other does
    if not wanted and os.path.exists(late):
        raise unittest.SkipTest(f"the Kubernetes API server is {how} (it took over {BUILD_S} s)")
    go = find_go()
    fresh = f"{os.path.dirname(path)}.{os.getpid()}"
    os.makedirs(fresh)
    argv = ["nice", "-n", "19", go, "build", "-trimpath", "-p", "2", "-ldflags", _FLAGS, "-o",
            os.path.join(fresh, "kube"), "."]
    build = subprocess.Popen(argv, cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             start_new_session=True, text=True, errors="replace",
                             env={**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
                                  "GOFLAGS": "-mod=readonly"})
    try:
        text, _ = build.communicate(timeout=None if wanted else BUILD_S)
        reason = (text.strip().splitlines() or ["no reason given"])[-1]
    except subprocess.TimeoutExpired:
        os.killpg(build.pid, signal.SIGKILL)
        build.communicate()
        reason = f"not done within {BUILD_S} s"
        open(late, "w", encoding="ascii").close()
    if build.returncode:
        shutil.rmtree(fresh)
        raise unittest.SkipTest(f"the Kubernetes API server was not built: {reason}")
    os.rename(fresh, os.path.dirname(path))


class Kube:
    """The three processes in one folder; see the top of this file."""

    def __init__(self, folder, flags=()):
        self.dir = folder
        self.flags = list(flags)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.processes = []
        self.authority = Authority(os.path.join(folder, "ca"))
        self.ca = self.authority.ca
        self.tokens = {name: f"{name}-{os.urandom(16).hex()}" for name in USERS}

    def token(self, user):
        return self.tokens[user]

    def _file(self, name, text=None):
        path = os.path.join(self.dir, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text if isinstance(text, str) else json.dumps(text))
        return path

    def start(self):
        kube = program()
        if _memory_mb() < 1200:
            raise unittest.SkipTest("under 1200 MB of memory for a Kubernetes API server")
        etcd = f"http://127.0.0.1:{free_port()}"
        peer = f"http://127.0.0.1:{free_port()}"
        self._run("etcd", [
            kube, "etcd", "--data-dir", self._file("etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}"]).wait_port(
                int(etcd.rpartition(":")[2]), 600)
        self._start_server(kube, etcd)
        self._start_controllers(kube)
        self._give_rights()
        return self

    def _run(self, name, argv):
        self.processes.append(Process(argv, self._file(f"{name}.log")))
        return self.processes[-1]

    def _start_server(self, kube, etcd):
        pair = self.authority.issue("kube-apiserver")
        self.account_key = self._file("accounts.key")
        openssl("genrsa", "-out", self.account_key, "2048")
        rows = "".join(f'{self.tokens[user]},{user},{user},"{groups}"\n'
                       for user, groups in USERS.items())
        server = self._run("apiserver", [
            kube, "apiserver", f"--etcd-servers={etcd}", f"--secure-port={self.port}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
            f"--tls-cert-file={pair[0]}", f"--tls-private-key-file={pair[1]}",
            f"--client-ca-file={self.ca}", "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.account_key}",
            f"--service-account-signing-key-file={self.account_key}",
            "--authorization-mode=RBAC", f"--token-auth-file={self._file('tokens.csv', rows)}",
            "--endpoint-reconciler-type=none",
            f"--audit-policy-file={self._file('audit.json', _AUDIT)}",
            f"--audit-log-path={self._file('audit.log')}", *self.flags])
        server.wait_for(self._is_ready, "it was ready", 600)

    def _is_ready(self):
        try:
            return self.api("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def _start_controllers(self, kube):
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "it",
                  "clusters": [{"name": "it", "cluster": {
                      "server": self.url, "certificate-authority": self.ca}}],
                  "users": [{"name": "it", "user": {"token": self.tokens["admin"]}}],
                  "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}
        self._run("controllers", [
            kube, "controller-manager", "--kubeconfig", self._file("controllers.json", config),
            "--bind-address=127.0.0.1", f"--secure-port={free_port()}", "--leader-elect=false",
            "--use-service-account-credentials=false",
            "--controllers=namespace-controller,serviceaccount-controller,"
            "resourcequota-controller"])
        self.wait_account("default")

    def _give_rights(self):
        for user, rules in RIGHTS.items():
            self.made("/apis/rbac.authorization.k8s.io/v1/clusterroles", {
                "metadata": {"name": f"test-{user}"},
                "rules": [{"apiGroups": [group], "resources": what, "verbs": verbs}
                          for group, what, verbs in rules]})
            self.made("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
                "metadata": {"name": f"test-{user}"},
                "subjects": [{"kind": "User", "name": user}],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                            "name": f"test-{user}"}})
        # Rights may be seen by the authorizer a moment after they were written.
        wait_until(lambda: self.api("GET", "/api/v1/namespaces/default/secrets/none",
                                    user="berth")[0] == 404, "the user berth has its rights")
        wait_until(lambda: self.api("GET", "/api/v1/nodes", user="reader")[0] == 200,
                   "the user reader has its rights")

    def give_in(self, namespace, user, rules):
        """Rights in one namespace, in the form of RIGHTS; ends when the first is seen."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        self.made(f"{path}/roles", {
            "metadata": {"name": user},
            "rules": [{"apiGroups": [group], "resources": what, "verbs": verbs}
                      for group, what, verbs in rules]})
        self.made(f"{path}/rolebindings", {
            "metadata": {"name": user}, "subjects": [{"kind": "User", "name": user}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}})
        review = {"spec": {"resourceAttributes": {
            "namespace": namespace, "resource": rules[0][1][0], "verb": rules[0][2][0]}}}
        wait_until(lambda: self.api(
            "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review,
            user=user)[1]["status"]["allowed"], f"{user} has its rights in {namespace}")

    def api(self, method, path, body=None, user="admin", kind="application/json"):
        """(status, JSON or text) of one request, as a user."""
        context = ssl.create_default_context(cafile=self.ca)
        link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=120, context=context)
        try:
            link.request(method, path, None if body is None else json.dumps(body), {
                "Authorization": f"Bearer {self.tokens[user]}", "Content-Type": kind,
                "Accept": "application/json"})
            answer = link.getresponse()
            text = answer.read().decode()
        finally:
            link.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def made(self, path, body):
        """What a POST as admin made; anything but 201 fails."""
        status, answer = self.api("POST", path, body)
        if status != 201:
            raise AssertionError(f"POST {path}: {status} {answer}")
        return answer

    def namespace(self, name):
        made = self.made("/api/v1/namespaces", {"metadata": {"name": name}})
        self.wait_account(name)
        return made

    def wait_account(self, namespace):
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        wait_until(lambda: self.api("GET", path)[0] == 200, f"{namespace} has its account", 600)

    def secret(self, namespace, name="registry-secret"):
        """The secret as it is, or None."""
        status, answer = self.api("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        return answer if status == 200 else None

    def requests(self, user, since=0):
        """What a user has asked so far, oldest first: (verb, URI without its query).

        A line is written before its request is served: what was answered is there.
        """
        found = []
        with open(self._file("audit.log"), encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # of a request that goes on
                event = json.loads(line)
                if event["user"]["username"] == user:
                    found.append((event["verb"], event["requestURI"].partition("?")[0]))
        return found[since:]

    def stop(self):
        """By SIGKILL: with an open watch a SIGTERM takes the server a minute."""
        for process in reversed(self.processes):
            process.kill()
        self.processes = []

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
