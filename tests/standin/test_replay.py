# SPDX-License-Identifier: Apache-2.0
"""The Harbor stand-in against recordings of a real one.

recordings/harbor-VERSION.jsonl holds requests in the order in which a real
Harbor answered them (recordings/README.md). They are sent again; status,
headers that matter, error codes and the keys of JSON must be the recorded
ones. Ids and digests that differ are translated on the way. What the stand-in
does not do stands in recordings/differences-VERSION.txt, and nothing else may.
"""

import base64
import http.client
import json
import os
import re
import sys
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..")]

from berthtest import Client, Image, Registry, workdir  # noqa: E402
from berthtest.images import Blob, digest_of, multi_arch, random_layer  # noqa: E402
from standin.harbor import Harbor  # noqa: E402

PASSWORD = "Abcdef67890"

# Images that the recorded laboratory pushed; each is made when it is first mentioned.
IMAGES = {
    "priv/app": ["v1", "v2", "V3.0_x"], "priv/team/sub/nested.img": ["v1"], "priv/multi": ["v1"],
    "pub/app": ["latest"], "pub/a": ["1"], "priv/deltest": ["a", "b"], "priv/imm": ["rel-1"],
    "priv/ret": ["t0", "t1", "t2"], "priv/slow": ["v1"], "priv/fail": ["v1"],
    "priv/clean": ["v1"]}


class Sender:
    """Sends recorded requests to a stand-in, ids and digests translated."""

    def __init__(self, harbor, digests, other):
        self.harbor, self.digests, self.other = harbor, digests, other
        self.ids, self.made, self.bearer = {}, set(), None
        self.passwords = {"admin": PASSWORD}
        self.pushed = {}  # recorded digest of a manifest: ours

    def image(self, repository, tag):
        if repository == "priv/multi":
            return multi_arch({arch: Image([random_layer(arch, 300)], architecture=arch)
                               for arch in ("amd64", "arm64")})
        seed = "same" if repository == "priv/deltest" else f"{repository}/{tag}"
        return Image([random_layer(seed, 300)], {"author": "lab", "config": {"Cmd": ["/bin/x"]}},
                     docker=tag == "v2")

    def push_mentioned(self, path):
        """Repositories that a request names, as far as their project is there."""
        known = re.match(r"/api/v2.0/projects/([^/]+)/repositories/([^/?]+)|"
                         r"/v2/(.+?)/(?:manifests|tags|referrers)/", path)
        if not known:
            return
        name = known[3] or f"{known[1]}/{urllib.parse.unquote(urllib.parse.unquote(known[2]))}"
        project = name.partition("/")[0]
        if name not in IMAGES or name in self.made or not self.harbor.world.project(project):
            return
        self.made.add(name)
        endpoint, self.harbor.endpoint = self.harbor.endpoint, None
        with Client(self.harbor.url, *self.harbor.login) as client:
            for tag in IMAGES[name]:
                client.push(name, self.image(name, tag), tag)
            for data in (b"{}", b"hello-blob"):  # of the recorded referrers
                client.push_blob(name, Blob("application/octet-stream", data))
        self.harbor.endpoint = endpoint

    def digest(self, found):
        """Ours in place of a recorded digest."""
        if found in self.pushed:
            return self.pushed[found]
        place = self.digests.get(found.replace("sha256-", "sha256:"))
        if place is None:
            return found
        name, _, tag = place.partition(":")
        tag, _, child = tag.partition("#")
        repository = self.harbor.world.repository(name)
        artifact = self.harbor.world.find(repository, tag) if repository else None
        if artifact is None:
            return found
        rows = artifact.references or []
        ours = rows[int(child)]["child_digest"] if child and int(child) < len(rows) else \
            artifact.digest
        return ours.replace("sha256:", "sha256-") if found.startswith("sha256-") else ours

    def path(self, text):
        text = re.sub(r"sha256[:-][0-9a-f]{64}", lambda m: self.digest(m[0]), text)
        for theirs, ours in sorted(self.ids.items(), key=lambda pair: -len(pair[0])):
            if text == theirs or text.startswith((theirs + "/", theirs + "?")):
                return ours + text[len(theirs):]
        return text

    def body(self, method, path, text):
        """The body with our digests and our other registry; its own digest is learnt."""
        ours = re.sub(r"sha256:[0-9a-f]{64}", lambda m: self.digest(m[0]), text)
        ours = ours.replace("http://127.0.0.1:25001", self.other)
        named = re.search(r"/manifests/(sha256:[0-9a-f]{64})$", path)
        if method == "PUT" and named and ours != text:
            self.pushed[named[1]] = digest_of(ours.encode())
        return ours.encode()

    def learn(self, recorded, answer, body):
        theirs, ours = recorded["answer"].get("Location"), answer.headers.get("Location")
        if recorded["status"] == 201 and theirs and ours and theirs.startswith("/api"):
            self.ids[theirs] = ours
        if recorded["ask"] == ["POST", "/api/v2.0/users"] and answer.status == 201:
            wanted = json.loads(recorded["body"])
            self.passwords[wanted["username"]] = wanted["password"]
        if recorded["ask"][1].startswith("/service/token") and answer.status == 200:
            self.bearer = json.loads(body)["token"]

    def authorization(self, who):
        if who == "anonymous":
            return None
        if who.endswith("bearer"):
            return f"Bearer {'malformed' if who.startswith('bad') else self.bearer}"
        wrong, name = who.startswith("wrong "), who.removeprefix("wrong ")
        robot = self.harbor.world.robot_of(name)
        password = self.passwords.get(name) or (robot.secret if robot else "nothing")
        pair = f"{name}:{'Wrong12345' if wrong else password}".encode()
        return "Basic " + base64.b64encode(pair).decode()

    def send(self, recorded):
        method, path = recorded["ask"]
        self.push_mentioned(path)
        headers = {"Accept": "application/json", "Host": "harbor.test",
                   **recorded.get("headers", {})}
        if headers.get("Cookie") == "session":
            headers["Cookie"] = "sid=00000000000000000000000000000000"
        given = self.authorization(recorded["as"])
        if given:
            headers["Authorization"] = given
        body = self.body(method, path, recorded.get("body", "")) or (
            b"" if method in ("POST", "PUT", "PATCH") else None)
        connection = http.client.HTTPConnection(self.harbor.host, timeout=180)
        connection.putrequest(method, self.path(path), skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.learn(recorded, answer, data)
        return answer, data


def shape(value):
    """Keys of JSON without its values; a list is what its first rows have together."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        merged = None
        for one in map(shape, value[:3]):
            both = isinstance(one, dict) and isinstance(merged, dict)
            merged = {**one, **merged} if both else one if merged is None else merged
        return [] if merged is None else [merged]
    return 0


# Keys whose presence depends on the content, not on the server.
FREE = {"annotations", "variant", "extra_attrs", "description", "config", "summary", "quota",
        "metadata", "email", "history", "urls", "labels", "accessories", "tags", "references",
        "current_user_role_id", "scan_overview", "addition_links", "permissions", "credential",
        "storage", "settings", "trigger_settings", "params", "comment", "empty_layer",
        "properties", "vendor_attributes", "error"}


def compare(theirs, ours, where=""):
    """What differs between two shapes, as text; empty where nothing does."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"{where}.{key} is missing" for key in sorted(theirs.keys() - ours.keys() - FREE)]
        found += [f"{where}.{key} is ours alone"
                  for key in sorted(ours.keys() - theirs.keys() - FREE)]
        for key in theirs.keys() & ours.keys() - FREE:
            found += compare(theirs[key], ours[key], f"{where}.{key}")
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        return compare(theirs[0], ours[0], where + "[]") if theirs and ours else []
    return [] if type(theirs) is type(ours) or 0 in (theirs, ours) else [f"{where} is another kind"]


def media(text):
    return (text or "").partition(";")[0]


def differences(recorded, answer, body):
    """What is not as it was recorded."""
    if answer.status != recorded["status"]:
        return [f"status {answer.status}, not {recorded['status']} {body[:150]!r}"]
    found, theirs = [], recorded["answer"]
    for name in ("Location", "X-Total-Count", "Www-Authenticate", "Docker-Content-Digest"):
        if (name in theirs) != (name in answer.headers):
            found.append(f"{name} is {'missing' if name in theirs else 'ours alone'}")
    challenge = theirs.get("Www-Authenticate")
    if challenge is not None and challenge != answer.headers.get("Www-Authenticate"):
        found.append(f"challenge {answer.headers.get('Www-Authenticate')!r}, not {challenge!r}")
    if recorded["ask"][0] != "HEAD" and answer.status not in (204, 301, 304) and \
            "Content-Type" in theirs and body and \
            media(theirs["Content-Type"]) != media(answer.headers.get("Content-Type")):
        found.append(f"type {answer.headers.get('Content-Type')}, not {theirs['Content-Type']}")
    try:
        content = json.loads(body) if body else None
    except ValueError:
        content = None
    if "code" in recorded:
        code = content["errors"][0]["code"] if isinstance(content, dict) and content.get(
            "errors") else None
        if code != recorded["code"]:
            found.append(f"code {code}, not {recorded['code']}")
    elif "shape" in recorded:
        found += compare(recorded["shape"], shape(content))
    return found


class Replay(unittest.TestCase):
    """Every recorded request, in order."""

    maxDiff = None

    def replay(self, version):
        folder = workdir(self)
        registry = Registry(os.path.join(folder, "registry"))
        registry.start()
        self.addCleanup(registry.stop)
        harbor = Harbor(registry.url, version=version, password=PASSWORD)
        harbor.endpoint = "http://harbor.test"
        self.addCleanup(harbor.stop)
        with open(os.path.join(HERE, "recordings", f"harbor-{version}.jsonl"),
                  encoding="utf-8") as file:
            sender = Sender(harbor, json.loads(file.readline())["digests"],
                            registry.url)
            rows = [json.loads(line) for line in file]
        found = {}
        for recorded in rows:
            stage(harbor, recorded["case"])
            what = differences(recorded, *sender.send(recorded))
            if what:
                found.setdefault(recorded["case"], "; ".join(what))
        return len(rows), found

    def check(self, version):
        with open(os.path.join(HERE, "recordings", f"differences-{version}.txt"),
                  encoding="utf-8") as file:
            listed = {line.split()[0] for line in file if line.strip() and line[0] != "#"}
        count, found = self.replay(version)
        self.assertGreater(count, 500)
        self.assertEqual({}, {case: what for case, what in found.items() if case not in listed})
        self.assertEqual(set(), listed - found.keys(), "listed, and yet the same")

    def test_answers_as_2_15_are_those_of_a_real_one(self):
        self.check("2.15")

    def test_answers_as_2_5_are_those_of_a_real_one(self):
        self.check("2.5")


def stage(harbor, case):
    """What the laboratory did beside its requests."""
    down = {"outage.pg_down": "database", "outage.redis_down": "redis",
            "outage.registry_down": "registry", "outage.jobservice_down": "jobservice"}
    world = harbor.world
    harbor.world.down = {part for prefix, part in down.items() if case.startswith(prefix + ".")}
    if case.startswith("ret.try_"):  # what the try before made was deleted
        world.retentions.clear()
        world.project("priv").metadata.pop("retention_id", None)
    if case == "del.project_ok":
        world.add_project("page-24")
    if case.startswith("robots.expired"):
        world.robot_of("robot$priv+pullonly").expires = 1
    if re.match(r"scan\.(overview\.|report|index_|clean\.|fail\.|child)", case):
        for artifact in world.by_artifact.values():
            for _ in range(3 if artifact.scan else 0):
                artifact.scan.look()


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--list":
        case = Replay()
        total, rows = case.replay(sys.argv[2])
        case.doCleanups()
        for name, text in rows.items():
            print(name, text)
        print(f"# {len(rows)} of {total}", file=sys.stderr)
    else:
        unittest.main()
