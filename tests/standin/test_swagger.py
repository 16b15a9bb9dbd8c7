# SPDX-License-Identifier: Apache-2.0
"""What harbor.so sends stands in Harbor's own API documents.

swagger/harbor-VERSION.json is Harbor's API document of that version, cut down
to the paths that Berth may use: the query parameters and the fields of the
body of each. Every slot is called at a stand-in of each version, and each
request it makes is looked up in that version's document.
"""

import json
import os
import re
import sys
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..")]

from berthtest import Client, Image, Registry, workdir  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from berthtest.images import random_layer  # noqa: E402
from standin.harbor import Harbor  # noqa: E402

RULE = {"template": "latestPushedK", "number": 2, "repositories": "**", "tags": "v*",
        "untagged": True}


def calls(digest, peer):
    """Each slot with its arguments, in an order in which all succeed."""
    target = json.dumps({"repository": "team/app", "digest": digest})
    rule = json.dumps({"name": "r", "push": True, "source": {"prefix": "team"},
                       "target": {"prefix": "mirror"}, "names": ["**"], "tags": ["v*"]})
    return [
        ("probe", '{"scope":"platform"}'), ("overview",), ("spaces",),
        ("space_create", "made", '{"public":true,"quota_bytes":1000000}'),
        ("space_update", "made", '{"public":false,"quota_bytes":2000000}'),
        ("space_delete", "made"), ("repositories",), ("repositories", "team"),
        ("tags", "team/app"), ("resolve", "team"), ("artifact", "team/app", "v1"),
        ("describe", "team/app", "text"), ("tag_delete", "team/app", "v2"),
        ("login_create", '{"name":"berth-x","spaces":["team"],"rights":["pull","push"],'
                         '"ttl_s":60}'),
        ("login_list", "berth-"), ("login_revoke", "1"),
        ("retention_set", "team", json.dumps({"rules": [RULE], "schedule": "0 0 0 * * *"})),
        ("retention_set", "team", json.dumps({"rules": [RULE], "schedule": ""})),
        ("retention_get", "team"), ("retention_run", "team"), ("retention_runs", "team"),
        ("retention_runs", "team", "1"),
        ("maintain", "read-only", '{"on":false}'), ("maintain", "gc", "{}"),
        ("maintain", "gc", '{"schedule":"0 0 0 * * *"}'),
        ("maintain", "gc", '{"schedule":"0 0 1 * * *"}'), ("maintain", "gc-history", "{}"),
        ("maintain", "gc-stop", '{"run":"2"}'), ("maintain", "gc-log", '{"run":"2"}'),
        ("scan.scanners",), ("scan.start", target), ("scan.status", target),
        ("scan.log", target), ("scan.stop", target), ("scan.report", target),
        ("scan.start", "{}"), ("scan.status", "{}"), ("scan.start", '{"space":"team"}'),
        ("scan.configure", '{"cron":"0 0 0 * * *"}'),
        ("scan.configure", '{"cron":"0 0 1 * * *"}'),
        ("sync.prepare", rule, peer), ("sync.prepare", rule, peer), ("sync.run", "1"),
        ("sync.status", "2"), ("sync.cancel", "2"), ("sync.remove", "1"),
        ("artifact_delete", "team/app", digest), ("repository_delete", "team/app")]


# A call may be refused here; what it sent counts all the same.
MAY_FAIL = {"scan.report", "scan.stop", "scan.start", "sync.status", "sync.cancel", "sync.remove",
            "retention_runs", ("maintain", "gc-stop")}


# Sent whatever the version, and ignored by those that do not know it.
IGNORED = {"2.4": {"GET /projects/{}/repositories/{}/artifacts/{}?with_accessory"}}


def beyond(fields, body, where):
    """Keys of a body that the document does not have."""
    if isinstance(body, list) and isinstance(fields, list):
        return [one for item in body for one in beyond(fields[0] if fields else 0, item, where)]
    if not isinstance(body, dict) or fields == "*":
        return []
    if not isinstance(fields, dict):
        return []
    found = [f"{where}.{key}" for key in body if key not in fields]
    for key in body.keys() & fields.keys():
        found += beyond(fields[key], body[key], f"{where}.{key}")
    return found


class Documents(unittest.TestCase):
    """One stand-in a version."""

    def sent(self, version):
        folder = workdir(self)
        registry = Registry(os.path.join(folder, "registry"))
        registry.start()
        self.addCleanup(registry.stop)
        harbor = Harbor(registry.url, version=version)
        self.addCleanup(harbor.stop)
        harbor.add_project("team")
        harbor.world.add_scanner()
        with Client(harbor.url, *harbor.login) as client:
            one = client.push("team/app", Image([random_layer("a", 300)]), "v1", "v2")
        options = {"address": harbor.url, "username": harbor.login[0],
                   "password": harbor.login[1]}
        peer = json.dumps({"address": registry.url, "kind": "harbor", "username": "u",
                           "password": "p"})
        harbor.bodies.clear()
        for slot, *arguments in calls(one.digest, peer):
            done = drive("harbor", options, slot, *arguments)
            if not MAY_FAIL & {slot, (slot, *arguments[:1])}:
                self.assertIsNone(done.error, f"{slot}: {done.text}")
        return list(harbor.bodies)

    def check(self, version, document):
        with open(os.path.join(HERE, "swagger", f"harbor-{document}.json"),
                  encoding="utf-8") as file:
            known = json.load(file)
        requests = self.sent(version)
        self.assertGreater(len({kind for kind, _, _ in requests}), 35)
        wrong = []
        for kind, query, body in requests:
            kind = re.sub(r"\{\w+\}", "{}", kind)
            # A document has each addition's path or one for all; both are the same here.
            row = known.get(kind) or known.get(re.sub(r"additions/\w+$", "additions/{}", kind))
            if row is None:
                wrong.append(f"{kind}: not in the document")
                continue
            wrong += [f"{kind}?{name}" for name in urllib.parse.parse_qs(query, True)
                      if name not in row["query"]]
            if body:
                wrong += beyond(row.get("body", {}), json.loads(body), kind)
        self.assertEqual(IGNORED.get(version, set()), set(wrong))

    def test_at_2_15_all_that_is_sent_is_documented(self):
        self.check("2.15", "2.15.2")

    def test_at_2_5_all_that_is_sent_is_documented(self):
        self.check("2.5", "2.5.6")

    def test_at_2_4_all_that_is_sent_is_documented(self):
        self.check("2.4", "2.4.3")


if __name__ == "__main__":
    unittest.main()
