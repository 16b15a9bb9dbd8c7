# SPDX-License-Identifier: Apache-2.0
"""What berth-api(7) promises of every route, asked of every route: bodies, headers,
lists, versions of resources. The routes are taken from the document, so that a new
one is asked too. Absent things, stale ETags and projections are in
test_api_statuses.py, limits and the transport in test_control_socket.py, dry runs
in test_api_secrets.py, roles in test_access.py, whole bodies in every test that
goes through CheckedApi."""

import re
import urllib.parse

from berthtest.apicase import ApiCase, quote

ABSENT = "00000000-0000-4000-8000-000000000000"
# Replaced or removed without a version of ours: what is kept at the registry, what is
# confirmed by name, what is taken once, and an operation, whose end is asked for.
UNVERSIONED = {
    ("PUT", "/v1/integrations/{name}/gc"), ("PUT", "/v1/integrations/{name}/read-only"),
    ("PUT", "/v1/spaces/{id}/retention"), ("DELETE", "/v1/logins/{id}/secret"),
    ("DELETE", "/v1/operations/{id}"), ("DELETE", "/v1/spaces/{id}/artifacts/{reference}"),
    ("DELETE", "/v1/spaces/{id}/images/{repository}")}


class EveryRoute(ApiCase):
    """Two registries, and one of each thing that needs no other server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        api = cls.api
        cls.place = api.get("/v1/integrations/hub/spaces")["items"][0]["id"]
        api.post("/v1/workspaces", {"name": "all"})
        api.post("/v1/roles", {"name": "all", "scope": "platform", "permissions": []})
        api.post("/v1/syncs", {"name": "all", "source": "hub/shop", "target": "mirror/all"})
        api.post(f"/v1/spaces/{cls.place}/bindings", {"bind": ["all"]})
        api.run("/v1/syncs/all/plan", {"store": True})
        api.run("/v1/syncs/all/runs", {})
        cls.settle()
        cls.plan = api.get("/v1/syncs/all/plans")["items"][0]["id"]
        cls.run_id = api.get("/v1/syncs/all/runs")["items"][0]["id"]
        cls.operation = api.get("/v1/operations?limit=1")["items"][0]["id"]

    def routes(self, *methods):
        """(method, path of something that may be there, operation) of every route."""
        document = self.api.document
        for method, template in document.all_operations():
            if method in methods:
                path = self.path(template)
                yield method, path, document.operation(method, path)[1]

    def path(self, template):
        """A path for a template: what there is one of, else what is absent."""
        ids = {"plans/{id}": self.plan, "runs/{id}": self.run_id, "copies/{id}": self.run_id,
               "spaces/{id}": self.place, "operations/{id}": self.operation}
        for part, value in ids.items():
            template = template.replace(part, part.replace("{id}", value))
        name = "hub" if "/integrations/" in template else "all"
        name = "dockerreg" if "/plugins/" in template else name
        named = {"name": name, "id": ABSENT, "repository": quote("shop/web"), "kind": "not-found",
                 "reference": quote("shop/web:1.0.0"), "run": "1"}
        return re.sub(r"\{(\w+)\}", lambda found: named[found[1]], template)

    @staticmethod
    def takes(operation, name):
        return any(one.get("$ref", "").endswith("/" + name)
                   for one in operation.get("parameters", []))

    @staticmethod
    def media(operation):
        return list(operation.get("requestBody", {}).get("content", {}))

    def send(self, method, path, text, kind, **headers):
        return self.ask(method, path, text.encode(), Content_Type=kind, If_Match="*", **headers)

    def test_a_request_id_is_kept_where_it_is_one_and_made_else(self):
        asked = 0
        for method, path, _ in self.routes("GET"):
            if path in ("/v1/events",) or path.endswith("/log"):
                continue  # they stream
            own = self.ask(method, path, X_Request_Id="my_own-Id1")
            self.assertEqual("my_own-Id1", own.headers["X-Request-Id"], path)
            made = self.ask(method, path, X_Request_Id="not one").headers["X-Request-Id"]
            self.assertRegex(made, "^[0-9a-f-]{36}$", path)
            asked += 1
        self.assertGreater(asked, 40)

    def test_a_member_that_is_not_known_is_named_by_its_pointer(self):
        asked = 0
        for method, path, operation in self.routes("POST", "PUT", "PATCH"):
            for kind in self.media(operation)[:1]:
                answer = self.send(method, path, '{"sur~prise/": 1}', kind)
                self.assertEqual((422, "validation-failed"),
                                 (answer.status, answer.body["code"]), f"{method} {path}")
                self.assertIn("/sur~0prise~1", self.pointers(answer.body), f"{method} {path}")
                asked += 1
        self.assertGreater(asked, 25)

    def test_json_that_may_mean_two_things_is_no_json(self):
        deep = "[" * 65 + "]" * 65
        for method, path, operation in self.routes("POST", "PUT", "PATCH"):
            for kind in self.media(operation)[:1]:
                for text in ('{"a": 1, "a": 2}', '{"a": ' + deep + "}", '{"a": "\\ud800"}',
                             '{"a": 01}', '{"a": 1} x', "[]x", '"\x00"'):
                    answer = self.send(method, path, text, kind)
                    self.assertEqual(400, answer.status, f"{method} {path} {text[:20]}")
                    self.assertTrue(answer.body["hint"], f"{method} {path} {text[:20]}")

    def test_each_change_takes_one_type_of_body(self):
        for method, path, operation in self.routes("POST", "PUT", "PATCH"):
            media = self.media(operation)
            expected = "application/merge-patch+json" if method == "PATCH" else "application/json"
            if not media:
                continue
            self.assertEqual([expected], media, f"{method} {path}")
            for kind in ("text/plain", "application/x-www-form-urlencoded",
                         "application/json" if method == "PATCH"
                         else "application/merge-patch+json"):
                answer = self.send(method, path, "{}", kind)
                self.assertEqual(415, answer.status, f"{method} {path} {kind}")

    def test_every_list_is_sorted_either_way_and_paged_without_loss(self):
        walked = 0
        for _, path, operation in self.routes("GET"):
            if not self.takes(operation, "Cursor") or self.ask("GET", path).status == 404:
                continue
            if not self.takes(operation, "Sort"):
                continue
            refused = self.refused(400, "parameter-invalid", "GET", f"{path}?sort=colour")
            fields = refused["cause"].removeprefix("there are ").split(", ")
            for field in fields:
                for sign in ("", "-"):
                    whole = self.api.get(f"{path}?limit=1000&sort={sign}{field}")
                    pages = self.pages(f"{path}?limit={max(1, len(whole['items']) // 3)}"
                                       f"&sort={sign}{field}")
                    self.assertEqual(whole["items"], pages, f"{path} by {sign}{field}")
            walked += 1
        self.assertGreater(walked, 15)

    def pages(self, path):
        found = []
        while path:
            answer = self.ask("GET", path)
            self.assertEqual(200, answer.status, answer.body)
            found += answer.body["items"]
            path = answer.body.get("next")
            link = answer.headers.get("Link", "")
            self.assertEqual(f'<{path}>; rel="next"' if path else "", link)
        return found

    def test_every_list_refuses_a_filter_on_what_it_has_not(self):
        walked = 0
        deep = "(" * 9 + "name eq 'x'" + ")" * 9
        long = "name eq '" + "x" * 1100 + "'"
        for _, path, operation in self.routes("GET"):
            if not self.takes(operation, "Filter") or self.ask("GET", path).status == 404:
                continue
            for text in ("colour eq 'x'", "colour", "name eq", "name eq 'x", deep, long,
                         " or ".join(["name eq 'x'"] * 33)):
                problem = self.refused(
                    400, "parameter-invalid" if text == long else "filter-invalid", "GET",
                    f"{path}?filter={urllib.parse.quote(text)}")
                self.assertTrue(problem["hint"], f"{path} {text[:30]}")
            self.assertIn("there are ", self.refused(
                400, "filter-invalid", "GET",
                f"{path}?filter=colour%20eq%20%27x%27")["cause"], path)
            walked += 1
        self.assertGreater(walked, 15)

    def test_what_is_unchanged_is_304_and_what_can_be_changed_has_an_etag(self):
        changed = {path for _, path, operation in self.routes("PUT", "PATCH", "DELETE")
                   if self.takes(operation, "IfMatch")}
        tagged = set()
        for _, path, _ in self.routes("GET"):
            if path == "/v1/events" or path.endswith("/log"):
                continue  # they stream
            first = self.ask("GET", path)
            if first.status != 200 or "ETag" not in first.headers:
                self.assertFalse(path in changed and first.status == 200, path)
                continue
            self.assertRegex(first.headers["ETag"], '^"[^"]+"$', path)
            again = self.ask("GET", path, If_None_Match=first.headers["ETag"])
            self.assertEqual((304, first.headers["ETag"]), (again.status, again.headers["ETag"]),
                             path)
            self.assertEqual(200, self.ask("GET", path, If_None_Match='"other"').status, path)
            tagged.add(path)
        self.assertGreater(len(tagged & changed), 4)

    def test_nothing_that_is_there_is_replaced_or_removed_unread(self):
        asked, free = 0, set()
        for method, template in self.api.document.all_operations():
            path = self.path(template)
            operation = self.api.document.operation(method, path)[1]
            if method not in ("PUT", "DELETE"):
                continue
            if not self.takes(operation, "IfMatch"):
                free.add((method, template))
                continue
            if self.ask("GET", path).status != 200:
                continue
            body = None
            if self.media(operation):
                body = {"name": path.rpartition("/")[2], "source": "hub/shop",
                        "target": "mirror/all", "kind": "dockerreg", "address": self.mirror.url,
                        "description": "x"}
                body = {key: body[key] for key in self.members(operation) if key in body}
            problem = self.refused(428, "precondition-required", method, path, body)
            self.assertTrue(problem["hint"], path)
            asked += 1
        self.assertGreater(asked, 5)
        self.assertEqual(UNVERSIONED, free)

    def members(self, operation):
        schema = self.api.document.resolve(
            next(iter(operation["requestBody"]["content"].values()))["schema"])
        return schema["properties"]

    def test_every_start_takes_a_key_and_every_change_a_dry_run(self):
        for method, path, operation in self.routes("POST", "PUT", "PATCH", "DELETE"):
            if operation["x-audit"] == "none":
                continue
            if method == "POST":
                self.assertTrue(self.takes(operation, "IdempotencyKey"), f"{method} {path}")
            self.assertTrue(self.takes(operation, "DryRun") or operation.get("x-dry-run"),
                            f"{method} {path}")

    def test_one_key_is_one_answer_and_no_other_request(self):
        asked = 0
        for method, path, operation in self.routes("POST"):
            if not self.takes(operation, "IdempotencyKey") or not self.media(operation):
                continue
            kind = self.media(operation)[0]
            first = self.send(method, path, '{"surprise": 1}', kind, Idempotency_Key=path)
            other = self.send(method, path, '{"surprise": 2}', kind, Idempotency_Key=path)
            self.assertEqual((422, 422), (first.status, other.status), path)
            self.assertEqual(400, self.send(method, path, "{}", kind,
                                            Idempotency_Key="k" * 300).status, path)
            asked += 1
        self.assertGreater(asked, 10)
        body = {"name": "once"}
        first = self.ask("POST", "/v1/workspaces", body, Idempotency_Key="once")
        again = self.ask("POST", "/v1/workspaces", body, Idempotency_Key="once")
        self.assertEqual((201, 201, "true"),
                         (first.status, again.status, again.headers["Idempotency-Replayed"]))
        self.assertEqual(first.body, again.body)
        self.refused(422, "key-reused", "POST", "/v1/workspaces", {"name": "twice"},
                     Idempotency_Key="once")
