# SPDX-License-Identifier: Apache-2.0
"""What every route answers alike: absent things, stale ETags, waiting, and an
integration that is switched off. The routes are taken from the document, so
that a new one is asked too."""

import unittest

from berthtest.apicase import QUIET, ApiCase, quote

ABSENT = "00000000-0000-4000-8000-000000000000"
BODIES = {
    "BindingInput": {"bind": []},
    "ClusterPatch": {"description": "x"},
    "DescriptionInput": {"description": "x"},
    "GcInput": {},
    "GcSchedule": {"schedule": ""},
    "IntegrationInput": {"name": "nobody", "kind": "dockerreg", "address": "http://h"},
    "IntegrationPatch": {"description": "x"},
    "LoginInput": {"rights": ["pull"]},
    "ReadOnly": {"on": False},
    "Retention": {"rules": []},
    "RolePatch": {"description": "x"},
    "ScanSettings": {"target": "hub", "cron": ""},
    "ScanTarget": {"target": "hub/shop/web:1.0.0"},
    "SpacePatch": {"public": True},
    "SyncInput": {"name": "nobody", "source": "hub", "target": "mirror"},
    "SyncPatch": {"description": "x"},
    "WorkspacePatch": {"description": "x"},
}


class Alike(ApiCase):
    def routes(self, wanted):
        """(method, template, operation) of the routes that `wanted` says yes to."""
        document = self.api.document
        for method, template in document.all_operations():
            operation = document.operation(method, template.replace("{", "").replace("}", ""))[1]
            if operation and wanted(method, template, operation):
                yield method, template, operation

    def body(self, operation):
        """A body of the right form, or None where the route takes none."""
        content = operation.get("requestBody", {}).get("content", {})
        for media in content.values():
            return BODIES.get(media["schema"].get("$ref", "").rpartition("/")[2])
        return None

    def test_what_is_absent_is_404_on_every_route(self):
        asked = 0
        for method, template, operation in self.routes(
                lambda _, template, __: "{name}" in template or "{id}" in template):
            path = template.replace("{name}", "nobody").replace("{id}", ABSENT)
            path = path.replace("{repository}", "a").replace("{reference}", "a%3A1")
            path = path.replace("{run}", "1")
            needed = [p["name"] for p in operation.get("parameters", [])
                      if p.get("in") == "query" and p.get("required")]
            path += "".join(f"?{name}=a" for name in needed)
            if (method, template) == ("PUT", "/v1/syncs/{name}"):
                continue  # makes it
            answer = self.ask(method, path, self.body(operation), If_None_Match="") \
                if method == "PUT" else self.ask(method, path, self.body(operation))
            self.assertEqual((404, "not-found"), (answer.status, answer.body["code"]),
                             f"{method} {path}: {answer.body}")
            asked += 1
        self.assertGreater(asked, 20)
        made = {"name": "rule", "source": "hub/shop", "target": "mirror/rule"}
        self.ask("POST", "/v1/syncs", made)
        self.refused(404, "not-found", "GET", f"/v1/syncs/rule/runs/{ABSENT}")

    def test_a_stale_etag_is_412_on_every_route_that_changes(self):
        self.ask("POST", "/v1/syncs", {"name": "stale", "source": "hub/team",
                                       "target": "mirror/stale"})
        self.ask("POST", "/v1/workspaces", {"name": "stale"})
        self.ask("POST", "/v1/roles", {"name": "stale", "scope": "platform",
                                       "permissions": []})
        made = self.ask("POST", "/v1/spaces", {"integration": "hub", "name": "stale"}).body
        asked = 0
        for method, template, operation in self.routes(
                lambda method, _, operation: any(
                    p.get("$ref", "").endswith("/IfMatch")
                    for p in operation.get("parameters", []))):
            if "/logins/" in template or "/clusters/" in template:
                continue  # none here: see test_harbor_logins.py and test_clusters.py
            name = "hub" if "integrations" in template else "stale"
            space = self.space("hub") if "{repository}" in template else made["id"]
            path = template.replace("{name}", name).replace("{id}", space)
            path = path.replace("{repository}", quote("shop/web"))
            body = self.body(operation)
            if body and "name" in body:
                body = {**body, "name": name}
            problem = self.refused(412, "precondition-failed", method, path, body,
                                   If_Match='"0000000000000000"')
            self.assertEqual(self.etag(path), problem["etag"], path)
            asked += 1
        self.assertGreater(asked, 8)

    def test_every_start_of_work_can_be_waited_for(self):
        self.ask("POST", "/v1/syncs", {"name": "wait", "source": "hub/legacy",
                                       "target": "mirror/wait"})
        space = self.space("hub")
        for method, path, body in (
                ("POST", "/v1/integrations/hub/probe", None),
                ("POST", "/v1/integrations/hub/refresh", None),
                ("PATCH", "/v1/integrations/mirror", {"auth_realms": ["token.example"]}),
                ("POST", "/v1/copies", {"source": "hub/legacy/app:stable",
                                        "target": "mirror/wait/copy"}),
                ("POST", "/v1/syncs/wait/plan", None), ("POST", "/v1/syncs/wait/runs", None),
                ("GET", f"/v1/spaces/{space}/artifacts/{quote('shop/jobs:1.0.0')}", None)):
            answer = self.ask(method, path, body, Prefer="wait=60")
            self.assertEqual((200, "succeeded"), (answer.status, answer.body.get("state")),
                             f"{method} {path}: {answer.body}")

    def test_every_list_of_paths_leads_to_what_it_lists(self):
        space = self.space("hub")
        self.ask("POST", "/v1/syncs", {"name": "walked", "source": "hub/shop",
                                       "target": "mirror/walked"})
        self.ask("POST", "/v1/workspaces", {"name": "walkers"})
        self.ask("POST", f"/v1/spaces/{space}/bindings", {"bind": ["walkers"]})
        self.api.run("/v1/syncs/walked/plan", {"store": True})
        self.api.run("/v1/syncs/walked/runs", {})
        names = {"/v1/integrations/": "hub", "/v1/syncs/": "walked"}
        found = {}
        for _, template, operation in self.routes(lambda method, _, __: method == "GET"):
            if not any(p.get("$ref", "").endswith("/Recursion")
                       for p in operation.get("parameters", [])):
                continue
            name = next((names[start] for start in names if template.startswith(start)), "")
            path = template.replace("{name}", name).replace("{id}", space)
            path = path.replace("{repository}", quote("shop/web"))
            items = self.api.get(path)["items"]
            paths = self.api.get(path + "?recursion=0")["items"]
            self.assertEqual(len(items), len(paths), path)
            for one in paths[:3]:
                self.assertIn(self.ask("GET", one).status, (200, 202), f"{path}: {one}")
            found[template] = len(paths)
        self.assertGreater(len(found), 18)
        # What this daemon has none of: those lists are walked through by their own tests.
        empty = sorted(template for template, count in found.items() if not count)
        self.assertEqual(["/v1/clusters", "/v1/logins", "/v1/scan-reports", "/v1/scans",
                          "/v1/spaces/{id}/logins"], empty)

    def test_lists_give_paths_and_projections(self):
        page = self.api.get("/v1/integrations?recursion=0")
        self.assertEqual(["/v1/integrations/hub", "/v1/integrations/mirror"], page["items"])
        page = self.api.get("/v1/integrations?fields=name,kind")
        self.assertEqual({"name": "hub", "kind": "dockerreg"}, page["items"][0])
        for query in ("sort=colour", "sort=", "sort=name,", "filter=name", "cursor=AAAA", "limit=0", "limit=1001",
                      "unknown=1"):
            for path in ("/v1/integrations", "/v1/spaces", "/v1/operations", "/v1/images",
                         "/v1/syncs", "/v1/audit"):
                answer = self.ask("GET", f"{path}?{query}")
                self.assertEqual(400, answer.status, f"{path}?{query}: {answer.body}")

    def test_a_reload_refuses_a_wrong_file_and_goes_on(self):
        with open(self.daemon.dir + "/berth.conf", "a", encoding="ascii") as file:
            file.write("nonsense = ;\n")
        problem = self.refused(422, "config-invalid", "POST", "/v1/reload")
        self.assertIn("berth.conf:", problem["detail"] + problem.get("cause", ""))
        self.assertEqual(200, self.ask("GET", "/v1/readyz").status)

    config = QUIET


class Disabled(ApiCase):
    """An integration that is switched off is never contacted, and says so."""

    def test_work_on_it_is_refused_with_the_reason(self):
        space = self.space("hub")
        self.ask("POST", "/v1/syncs", {"name": "off", "source": "hub/shop",
                                       "target": "mirror/off"})
        self.ask("PATCH", "/v1/integrations/hub", {"enabled": False})
        served = len(self.hub.requests())
        reference = quote("shop/web:1.0.0")
        for method, path, body in (
                ("POST", "/v1/integrations/hub/probe", None),
                ("POST", "/v1/integrations/hub/refresh", None),
                ("GET", f"/v1/spaces/{space}/artifacts/{reference}", None),
                ("DELETE", f"/v1/spaces/{space}/artifacts/{reference}?confirm={reference}", None),
                ("DELETE", f"/v1/spaces/{space}/images/{quote('shop/web')}?confirm=shop/web",
                 None),
                ("POST", "/v1/copies", {"source": "hub/shop/web:1.0.0", "target": "mirror"}),
                ("POST", "/v1/syncs/off/plan", None), ("POST", "/v1/syncs/off/runs", None)):
            problem = self.refused(409, "integration-disabled", method, path, body)
            self.assertRegex(problem["hint"], "^berthctl integration edit (hub|mirror) --enable$")
            self.assertIn("hub", problem["detail"])
            self.assertIn("hub", problem["hint"])
        self.assertEqual([], self.api.get("/v1/images?q=hub")["items"])
        self.assertEqual(served, len(self.hub.requests()))
        answer = self.ask("PATCH", "/v1/integrations/hub", {"enabled": True})
        self.done(answer.body)
        self.assertEqual("healthy", self.api.get("/v1/integrations/hub")["status"]["phase"])


if __name__ == "__main__":
    unittest.main()
