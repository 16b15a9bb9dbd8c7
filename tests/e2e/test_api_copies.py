# SPDX-License-Identifier: Apache-2.0
"""/v1/copies and /v1/syncs between real registries: Y1 Y4 Y5 Y7."""

import os
import unittest

from berthtest import Client, Link
from berthtest.images import referrer
from berthtest.apicase import ENDED, PASSWORD, ApiCase, key, quote
from berthtest.proc import wait_until


UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Case(ApiCase):
    def target(self):
        return Client(self.mirror.url, "robot", PASSWORD)

    def digest(self, repository, tag):
        return self.target().digest(repository, tag)

    def source_digest(self, repository, tag):
        return next(image.digest for name, version, image in self.images
                    if (name, version) == (repository, tag))

    def copy(self, source, target, **more):
        return self.api.post("/v1/copies", {"source": source, "target": target, **more})


class Copies(Case):
    def test_one_tag_arrives_with_its_digest_and_is_in_the_index(self):
        done = self.done(self.copy("hub/shop/web:2.0.0", "mirror/one/web:v2"))
        self.assertEqual(self.source_digest("shop/web", "2.0.0"), self.digest("one/web", "v2"))
        result = done["result"]
        self.assertEqual((1, 0), (result["copied"], result["failed"]))
        self.assertEqual([("hub/shop/web:2.0.0", "mirror/one/web:v2", "copied")],
                         [(one["source"], one["target"], one["state"])
                          for one in result["outcomes"]])
        hits = self.api.get("/v1/images?q=mirror/one/web:v2")["items"]
        self.assertEqual([self.source_digest("shop/web", "2.0.0")], [h["digest"] for h in hits])

    def test_all_outcomes_are_reached_page_by_page_and_by_filter(self):
        done = self.done(self.copy("hub/shop/jobs", "mirror/paged/jobs", all_tags=True))
        run = self.api.get(f"/v1/copies/{done['id']}")
        self.assertEqual(("", 3, done["result"]["outcomes"]),
                         (run["sync"], run["totals"]["copied"], run["outcomes"]))
        path, pages = f"/v1/copies/{done['id']}/outcomes?limit=2", []
        while path:
            page = self.api.get(path)
            pages.append(page["items"])
            path = page.get("next")
        self.assertEqual([2, 1], [len(page) for page in pages])
        self.assertEqual(run["outcomes"], pages[0] + pages[1])
        only = self.api.get(f"/v1/copies/{done['id']}/outcomes?sort=-target&fields=target&filter="
                            + quote("target like '*:1.*'"))["items"]
        self.assertEqual([{"target": "mirror/paged/jobs:1.1.0"},
                          {"target": "mirror/paged/jobs:1.0.0"}], only)
        for path in ("", "/outcomes"):
            self.refused(404, "not-found", "GET",
                         f"/v1/copies/00000000-0000-4000-8000-000000000000{path}")

    def test_again_there_is_nothing_to_do(self):
        self.done(self.copy("hub/legacy/app:stable", "mirror"))
        result = self.done(self.copy("hub/legacy/app:stable", "mirror"))["result"]
        self.assertEqual((0, 1, 0), (result["copied"], result["present"], result["bytes_done"]))

    def test_all_tags_and_an_index_arrive(self):
        result = self.done(self.copy("hub/shop/api", "mirror/all/api", all_tags=True))["result"]
        self.assertEqual(3, result["copied"])
        self.done(self.copy("hub/shop/tool:3.2", "mirror/all/tool"))
        self.assertEqual(self.source_digest("shop/tool", "3.2"), self.digest("all/tool", "3.2"))

    def test_a_dry_run_plans_and_writes_nothing(self):
        before = self.mirror.counts()
        operation = self.api.post("/v1/copies?dry_run=true",
                                  {"source": "hub/shop/jobs:1.0.0", "target": "mirror/dry/jobs"})
        plan = self.done(operation)["result"]
        self.assertTrue(plan["dry_run"])
        self.assertEqual([("hub/shop/jobs:1.0.0", "copy")],
                         [(one["source"], one["action"]) for one in plan["outcomes"]])
        self.assertGreater(plan["bytes"], 0)
        self.assertIsNone(self.digest("dry/jobs", "1.0.0"))
        written = {kind for kind in self.mirror.counts() - before
                   if kind.startswith(("PUT", "POST", "PATCH"))}
        self.assertEqual(set(), written)

    def test_an_image_that_is_not_there_fails_with_its_cause(self):
        operation = self.copy("hub/shop/web:none", "mirror/none/web")
        ended = self.api.wait(operation)
        self.assertEqual(("failed", "not-found"), (ended["state"], ended["error"]["code"]), ended)

    def test_a_copy_onto_itself_is_refused(self):
        for target in ("hub", "hub/shop/web", "hub/shop/web:1.0.0"):
            self.refused(409, "copy-onto-itself", "POST", "/v1/copies",
                         {"source": "hub/shop/web:1.0.0", "target": target})
        self.done(self.copy("hub/shop/web:1.0.0", "hub/shop/web:again"))

    def test_references_are_checked(self):
        for source, target, pointers in (
                ("hub/shop/web", "mirror", ["/source"]), ("hub", "mirror", ["/source"]),
                ("hub/shop/web:1.0.0", "mirror/UPPER", ["/target"]),
                ("hub/shop/web:1.0.0", "docker.io/library/x:1", ["/target"]),
                ("nobody/a:1", "nowhere/a:1", ["/source", "/target"])):
            problem = self.refused(422, "validation-failed", "POST", "/v1/copies",
                                   {"source": source, "target": target})
            self.assertEqual(pointers, self.pointers(problem), source)
        problem = self.refused(422, "validation-failed", "POST", "/v1/copies", {
            "source": "hub/shop/web:1.0.0", "target": "mirror", "all_tags": True})
        self.assertEqual(["/source"], self.pointers(problem))

    def test_a_copy_that_is_verified_fails_where_the_target_lacks_something(self):
        def copy(**more):
            return self.api.wait(self.copy("hub/shop/jobs", "mirror/sure/jobs", all_tags=True,
                                           **more))
        result = copy(verify=True)["result"]
        self.assertEqual((3, 3, 0), (result["copied"], result["verified"]["same"],
                                     result["failed"]))
        image = next(one for name, tag, one in self.images
                     if (name, tag) == ("shop/jobs", "1.1.0"))
        lost = image.blobs()[-1].digest
        self.target().request("DELETE", f"/v2/sure/jobs/blobs/{lost}")
        self.assertEqual(3, copy()["result"]["present"])  # equal tags: nothing below is asked
        ended = copy(verify=True)
        self.assertEqual(("failed", "upstream-digest"),
                         (ended["state"], ended["error"]["code"]), ended)
        result = ended["result"]
        self.assertEqual((2, 1, 2, 1), (result["present"], result["failed"],
                                        result["verified"]["same"],
                                        result["verified"]["incomplete"]))
        failed, = [one for one in result["outcomes"] if one["state"] == "failed"]
        self.assertEqual("mirror/sure/jobs:1.1.0", failed["target"])
        self.assertIn(lost, failed["error"]["cause"])
        self.assertEqual("mirror", failed["error"]["integration"])
        self.assertEqual("berthctl integration probe mirror", ended["error"]["hint"])

    def test_what_the_source_lacks_is_the_source_s(self):
        for source in ("hub/shop/web:nope", "hub/nope/web:1"):
            error = self.failed(self.copy(source, "mirror/nope/web:1"), "not-found")
            self.assertEqual(("berthctl image list hub", {"status": 404, "host": "127.0.0.1"}),
                             (error["hint"], error["upstream"]), error)

    def test_platforms_and_keep(self):
        self.done(self.copy("hub/shop/tool:3.2", "mirror/amd/tool", platforms=["linux/amd64"]))
        self.assertNotEqual(self.source_digest("shop/tool", "3.2"), self.digest("amd/tool", "3.2"))
        self.done(self.copy("hub/shop/web:1.0.0", "mirror/keep/web:x"))
        result = self.done(self.copy("hub/shop/web:1.1.0", "mirror/keep/web:x",
                                     override=False))["result"]
        self.assertEqual((1, 0), (result["kept"], result["copied"]))
        self.assertEqual(self.source_digest("shop/web", "1.0.0"), self.digest("keep/web", "x"))


class Long(Case):
    """A copy over a slow line: seen on its way, cancelled, and killed."""

    def setUp(self):
        self.link = Link(os.path.join(self.dir, "link"), self.hub, rate=600_000)
        self.link.__enter__()
        self.addCleanup(self.link.__exit__, None, None, None)
        name = self._testMethodName.split("_")[1]
        self.slow = f"slow-{name}"
        self.daemon.add(self.slow, self.link.url)
        self.settle()

    def moving(self, operation):
        """Wait until bytes have moved; the operation's document."""
        def look():
            document = self.api.get(f"/v1/operations/{operation['id']}")
            self.assertNotIn(document["state"], ENDED, document)
            return document if document.get("progress", {}).get("done", 0) > 0 else None
        return wait_until(look, "bytes move")

    def test_progress_is_shown_and_a_cancel_ends_it(self):
        operation = self.copy(f"{self.slow}/shop/web:1.0.0", "mirror/cancelled/web")
        progress = self.moving(operation)["progress"]
        self.assertEqual("bytes", progress["unit"])
        self.assertGreater(progress["total"], progress["done"])
        self.assertEqual(202, self.ask("DELETE", f"/v1/operations/{operation['id']}").status)
        self.assertEqual("cancelled", self.api.wait(operation)["state"])
        self.assertIsNone(self.digest("cancelled/web", "1.0.0"))

    def test_killed_berthd_goes_on_at_its_next_start(self):
        operation = self.copy(f"{self.slow}/shop/web:1.1.0", "mirror/killed/web")
        self.moving(operation)
        self.daemon.kill()
        self.daemon.start()
        ended = self.api.wait(operation)
        self.assertEqual("succeeded", ended["state"], ended)
        self.assertGreater(ended["attempts"], 1)
        self.assertEqual(self.source_digest("shop/web", "1.1.0"), self.digest("killed/web",
                                                                             "1.1.0"))
        self.assertTrue(self.api.get("/v1/audit/verify")["ok"])


class Syncs(Case):
    def tearDown(self):
        for name in self.names("/v1/syncs"):
            self.ask("DELETE", f"/v1/syncs/{name}", If_Match="*")

    def make(self, name, source, target, **more):
        answer = self.ask("POST", "/v1/syncs",
                          {"name": name, "source": source, "target": target, **more})
        self.assertEqual(201, answer.status, answer.body)
        return answer

    def run_sync(self, name, body=None):
        return self.api.post(f"/v1/syncs/{name}/runs", body)

    def test_a_rule_is_made_shown_changed_and_deleted(self):
        made = self.make("shop", "hub/shop", "mirror/copy", tags=["2.*"], description="nightly")
        self.assertEqual("/v1/syncs/shop", made.headers["Location"])
        self.assertEqual((["2.*"], True, 0), (made.body["tags"], made.body["override"],
                                              made.body["flatten"]))
        self.assertEqual(["shop"], self.names("/v1/syncs?q=shp"))
        changed = self.ask("PATCH", "/v1/syncs/shop", {"tags": None, "enabled": False},
                           If_Match=made.headers["ETag"])
        self.assertEqual(([], False), (changed.body["tags"], changed.body["enabled"]))
        self.refused(412, "precondition-failed", "PATCH", "/v1/syncs/shop", {"enabled": True},
                     If_Match=made.headers["ETag"])
        body = {"name": "shop", "source": "hub/shop", "target": "mirror/copy"}
        self.refused(428, "precondition-required", "PUT", "/v1/syncs/shop", body)
        put = self.ask("PUT", "/v1/syncs/shop", body, If_Match="*")
        self.assertEqual((200, ""), (put.status, put.body["description"]))
        fresh = self.ask("PUT", "/v1/syncs/fresh", {"name": "fresh", "source": "hub/team",
                                                    "target": "mirror/fresh"},
                         If_None_Match="*")
        self.assertEqual(201, fresh.status, fresh.body)
        self.refused(412, "precondition-failed", "PUT", "/v1/syncs/fresh", {
            "name": "fresh", "source": "hub/team", "target": "mirror/fresh"}, If_None_Match="*")
        self.refused(409, "exists", "POST", "/v1/syncs", body)
        self.refused(428, "precondition-required", "DELETE", "/v1/syncs/shop")
        self.assertEqual(204, self.ask("DELETE", "/v1/syncs/shop", If_Match="*").status)
        self.refused(404, "not-found", "GET", "/v1/syncs/shop")

    def test_dry_runs_change_nothing(self):
        plan = self.ask("POST", "/v1/syncs?dry_run=true", {
            "name": "dry", "source": "hub/shop", "target": "mirror/dry"})
        self.assertEqual((200, ["/v1/syncs/dry"]), (plan.status, plan.body["create"]))
        self.assertEqual([], self.names("/v1/syncs"))
        self.make("dry", "hub/shop", "mirror/dry")
        plan = self.ask("PATCH", "/v1/syncs/dry?dry_run=true", {"enabled": False})
        self.assertEqual(["/v1/syncs/dry"], plan.body["update"])
        plan = self.ask("DELETE", "/v1/syncs/dry?dry_run=true", If_Match="*")
        self.assertEqual(["/v1/syncs/dry"], plan.body["delete"])
        self.assertTrue(self.api.get("/v1/syncs/dry")["enabled"])

    def test_a_plan_a_run_and_its_report(self):
        self.make("report", "hub/shop", "mirror/report", repositories=["web", "api"],
                  tags=["1.*"])
        plan = self.done(self.api.post("/v1/syncs/report/plan", None))["result"]
        self.assertEqual(4, len(plan["outcomes"]))
        done = self.done(self.run_sync("report"))
        self.assertEqual(4, done["result"]["copied"])
        self.assertEqual(self.source_digest("shop/api", "1.1.0"), self.digest("report/api",
                                                                             "1.1.0"))
        runs = self.api.get("/v1/syncs/report/runs")["items"]
        self.assertEqual([(done["id"], "succeeded")], [(r["id"], r["state"]) for r in runs])
        run = self.api.get(f"/v1/syncs/report/runs/{done['id']}")
        self.assertEqual({"copied"}, {one["state"] for one in run["outcomes"]})
        self.assertEqual(4, run["totals"]["copied"])
        self.assertEqual(run["outcomes"], self.api.get(
            f"/v1/syncs/report/runs/{done['id']}/outcomes")["items"])
        self.assertEqual(run, self.api.get(f"/v1/copies/{done['id']}"))
        single = self.done(self.copy("hub/shop/web:1.0.0", "mirror/report/one"))["id"]
        self.refused(404, "not-found", "GET", f"/v1/syncs/report/runs/{single}/outcomes")
        last = self.api.get("/v1/syncs/report")["status"]["last_run"]
        self.assertEqual(done["id"], last["id"])
        again = self.done(self.run_sync("report"))["result"]
        self.assertEqual((0, 4), (again["copied"], again["present"]))
        listed = self.api.get("/v1/syncs/report/runs?sort=started_at&filter="
                              "state%20eq%20'succeeded'")["items"]
        self.assertEqual([done["id"], again["run"]], [one["id"] for one in listed])
        self.refused(404, "not-found", "GET",
                     "/v1/syncs/report/runs/00000000-0000-4000-8000-000000000000")

    def test_lists_below_a_resource_are_sorted_and_filtered_too(self):
        space = self.api.get("/v1/integrations/hub/spaces?sort=-name&filter="
                             "integration%20eq%20'hub'")["items"][0]
        names = [one["name"] for one in
                 self.api.get(f"/v1/spaces/{space['id']}/images?sort=-name")["items"]]
        self.assertGreater(len(names), 1)
        self.assertEqual(sorted(names, reverse=True), names)
        only = self.api.get(f"/v1/spaces/{space['id']}/images?filter=name%20eq%20'{names[1]}'")
        self.assertEqual([names[1]], [one["name"] for one in only["items"]])
        self.make("kept", "hub/shop", "mirror/kept", tags=["1.*"])
        plan = self.done(self.api.post("/v1/syncs/kept/plan", {"store": True}))["result"]["plan"]
        for condition, found in (("gt", [plan]), ("lt", [])):
            plans = self.api.get("/v1/syncs/kept/plans?sort=created_at&filter="
                                 f"created_at%20{condition}%20'2026-01-01T00:00:00Z'")["items"]
            self.assertEqual(found, [one["id"] for one in plans])

    def test_tags_are_chosen_by_range_exclusion_and_version(self):
        self.make("chosen", "hub/shop", "mirror/chosen", repositories=["web", "api"],
                  semver=">=1 <3", exclude_tags=["1.0.*"], newest=1)
        done = self.done(self.run_sync("chosen"))["result"]
        self.assertEqual(["mirror/chosen/api:2.0.0", "mirror/chosen/web:2.0.0"],
                         sorted(one["target"] for one in done["outcomes"]))
        rule = self.ask("PATCH", "/v1/syncs/chosen", {"newest": 0, "semver": None}).body
        self.assertEqual((0, "", ["1.0.*"]), (rule["newest"], rule["semver"],
                                              rule["exclude_tags"]))
        done = self.done(self.run_sync("chosen"))["result"]
        self.assertEqual((2, 2, None), (done["copied"], done["present"],
                                        self.digest("chosen/web", "1.0.0")))
        copied = self.done(self.copy("hub/shop/web", "mirror/chosen/one", semver="1.x",
                                     newest=1))["result"]
        self.assertEqual(["mirror/chosen/one:1.1.0"],
                         [one["target"] for one in copied["outcomes"]])
        problem = self.refused(422, "validation-failed", "POST", "/v1/copies", {
            "source": "hub/shop/web:1.0.0", "target": "mirror", "newest": 1})
        self.assertEqual(["/source"], self.pointers(problem))

    def test_a_limit_is_kept_with_the_rule_and_taken_by_a_run(self):
        self.make("slow", "hub/shop", "mirror/slow", repositories=["web"],
                  limit_bytes_per_s=1 << 20)
        self.assertEqual(1 << 20, self.api.get("/v1/syncs/slow")["limit_bytes_per_s"])
        self.assertEqual("succeeded", self.done(self.run_sync("slow"))["state"])
        rule = self.ask("PATCH", "/v1/syncs/slow", {"limit_bytes_per_s": None}).body
        self.assertEqual(0, rule["limit_bytes_per_s"])
        copied = self.done(self.copy("hub/shop/web:1.0.0", "mirror/slow/one",
                                     limit_bytes_per_s=1 << 20))["result"]
        self.assertEqual(1, copied["copied"])
        problem = self.refused(422, "validation-failed", "POST", "/v1/copies", {
            "source": "hub/shop/web:1.0.0", "target": "mirror", "limit_bytes_per_s": 1})
        self.assertEqual(["/limit_bytes_per_s"], self.pointers(problem))

    def plan(self, name, **more):
        return self.done(self.api.post(f"/v1/syncs/{name}/plan", more or None))["result"]

    def apply(self, name, plan):
        """The comparison, ended."""
        return self.api.wait(self.run_sync(name, {"plan": plan}))

    def test_a_stored_plan_is_applied_as_it_was_made(self):
        self.make("kept", "hub/shop", "mirror/kept", repositories=["web", "api"])
        plan = self.plan("kept", store=True)["plan"]
        shown = self.api.get(f"/v1/syncs/kept/plans/{plan}")
        steps = self.api.get(f"/v1/syncs/kept/plans/{plan}/steps?sort=target")
        self.assertEqual(shown["outcomes"], steps["items"])
        self.assertEqual(len(shown["outcomes"]), steps["total"])
        one = self.api.get(f"/v1/syncs/kept/plans/{plan}/steps?limit=1")
        self.assertEqual(1, len(one["items"]))
        self.refused(404, "not-found", "GET", f"/v1/syncs/kept/plans/{UNKNOWN}/steps")
        listed = self.daemon.ctl_ok("sync", "steps", "kept", plan[:8], "-o", "name")
        self.assertEqual([row["target"] for row in shown["outcomes"]], sorted(listed.split()))
        self.assertEqual((True, 6, {"copy"}),
                         (shown["ready"], len(shown["outcomes"]),
                          {one["action"] for one in shown["outcomes"]}))
        for member in ("images", "blobs", "bytes", "mounts", "requests", "present"):
            self.assertIn(member, shown["totals"])
        self.assertNotIn("plan", self.plan("kept"))
        self.assertEqual([plan], [one["id"] for one in self.api.get(
            "/v1/syncs/kept/plans")["items"]])
        self.done(self.copy("hub/shop/web:1.0.0", "mirror/kept/web"))
        ended = self.apply("kept", plan)
        self.assertEqual(("succeeded", 0), (ended["state"], ended["result"]["drifted"]), ended)
        run = self.done({"id": ended["result"]["run"]})
        self.assertEqual((5, 1), (run["result"]["copied"], run["result"]["present"]))
        self.assertEqual(["plan"], [one["started_by"] for one in self.api.get(
            "/v1/syncs/kept/runs")["items"]])
        self.assertEqual(200, self.ask("PATCH", "/v1/syncs/kept", {"flatten": 1},
                                       If_Match="*").status)
        self.refused(409, "plan-outdated", "POST", "/v1/syncs/kept/runs", {"plan": plan})
        self.refused(404, "not-found", "POST", "/v1/syncs/kept/runs",
                     {"plan": "00000000-0000-4000-8000-000000000000"})

    def test_what_drifted_since_a_plan_is_said_and_nothing_is_moved(self):
        self.done(self.copy("hub/shop/web", "hub/drift/app", all_tags=True))
        self.make("drifted", "hub/drift", "mirror/drifted")
        plan = self.plan("drifted", store=True)["plan"]
        self.done(self.copy("hub/shop/web:1.0.0", "hub/drift/app:1.1.0"))
        self.done(self.copy("hub/shop/web:1.0.0", "hub/drift/app:9"))
        source = Client(self.hub.url, "robot", PASSWORD)
        source.request("DELETE", "/v2/drift/app/manifests/"
                       + self.source_digest("shop/web", "2.0.0"))
        self.done(self.copy("hub/shop/web:1.1.0", "mirror/drifted/app:1.0.0"))
        ended = self.apply("drifted", plan)
        self.assertEqual(("failed", "conflict"), (ended["state"], ended["error"]["code"]), ended)
        self.assertIsNone(ended["result"].get("run"))
        drift = {one["target"].rpartition(":")[2]: one for one in ended["result"]["drift"]}
        self.assertEqual({"9": "new", "1.1.0": "moved"},
                         {tag: one["how"] for tag, one in drift.items()
                          if tag in ("9", "1.1.0")})
        self.assertIn(drift["2.0.0"]["how"], ("gone", "moved"))
        self.assertEqual((self.source_digest("shop/web", "1.1.0"),
                          self.source_digest("shop/web", "1.0.0")),
                         (drift["1.1.0"]["planned"], drift["1.1.0"]["now"]))
        self.assertIsNone(self.digest("drifted/app", "9"))
        self.assertEqual([], self.api.get("/v1/syncs/drifted/runs")["items"])

    def test_flattened_names_that_meet_are_named_before_anything_moves(self):
        before = self.mirror.counts()
        self.done(self.copy("hub/shop/web:1.0.0", "hub/deep/one/web:1"))
        self.done(self.copy("hub/shop/web:1.0.0", "hub/deep/two/web:1"))
        self.make("flat", "hub/deep", "mirror/flat", flatten=1)
        ended = self.api.wait(self.run_sync("flat"))
        self.assertEqual("failed", ended["state"], ended)
        self.assertIn("flat/web", str(ended["error"]))
        self.assertIn("hub/deep/one/web", str(ended["error"]))
        self.assertIn("hub/deep/two/web", str(ended["error"]))
        written = {kind for kind in self.mirror.counts() - before
                   if kind.startswith(("PUT", "POST", "PATCH"))}
        self.assertEqual(set(), written)

    def verify(self, name):
        """The result of a comparison, and states by what follows the target's prefix."""
        result = self.done(self.api.post(f"/v1/syncs/{name}/verify", None))["result"]
        return result, {one["target"].partition(f"/{name}/")[2]: one["state"]
                        for one in result["outcomes"]}

    def test_a_comparison_says_what_differs_and_moves_nothing(self):
        self.make("same", "hub/shop", "mirror/same")
        _, states = self.verify("same")
        self.assertEqual({"missing"}, set(states.values()))
        self.done(self.run_sync("same"))
        before = self.mirror.counts()
        result, states = self.verify("same")
        self.assertEqual({"same"}, set(states.values()), states)
        self.assertEqual((10, result["images"] + result["referrers"]),
                         (result["images"], result["same"]))
        written = {kind for kind in self.mirror.counts() - before
                   if kind.startswith(("PUT", "POST", "PATCH"))}
        self.assertEqual(set(), written)
        image = next(one for name, tag, one in self.images
                     if (name, tag) == ("shop/jobs", "1.1.0"))
        lost = image.blobs()[-1].digest
        self.target().request("DELETE", f"/v2/same/jobs/blobs/{lost}")
        self.done(self.copy("hub/shop/web:1.0.0", "mirror/same/web:1.1.0"))
        result, states = self.verify("same")
        self.assertEqual(("different", "incomplete", "same"),
                         (states["web:1.1.0"], states["jobs:1.1.0"], states["api:1.0.0"]))
        self.assertEqual((1, 1, 0), (result["different"], result["incomplete"],
                                     result["missing"]))
        broken = next(one for one in result["outcomes"] if one["state"] == "incomplete")
        self.assertEqual([{"what": "blob", "how": "missing", "digest": lost}],
                         broken["differences"])
        moved = next(one for one in result["outcomes"] if one["state"] == "different")
        self.assertEqual(self.digest("same/web", "1.1.0"), moved["found"])

    def test_a_rule_can_have_each_run_verified(self):
        self.make("sure", "hub/shop", "mirror/surely", repositories=["api"], verify=True)
        self.assertTrue(self.api.get("/v1/syncs/sure")["verify"])
        result = self.done(self.run_sync("sure"))["result"]
        self.assertEqual((3, 3), (result["copied"], result["verified"]["same"]))
        run = self.api.get("/v1/syncs/sure/runs")["items"][0]
        self.assertEqual(3, run["totals"]["verified"]["same"])
        rule = self.ask("PATCH", "/v1/syncs/sure", {"verify": None}).body
        self.assertFalse(rule["verify"])
        self.assertNotIn("verified", self.done(self.run_sync("sure"))["result"])

    def test_a_comparison_finds_what_is_attached(self):
        source = Client(self.hub.url, "robot", PASSWORD)
        image = next(one for name, tag, one in self.images
                     if (name, tag) == ("legacy/app", "stable"))
        source.sign("legacy/app", image)
        note = referrer(image, "application/vnd.example.note", b"a note")
        source.attach("legacy/app", image, note)
        self.make("noted", "hub/legacy", "mirror/noted")
        self.done(self.run_sync("noted"))
        result, states = self.verify("noted")
        self.assertEqual({"same"}, set(states.values()), result)
        self.assertGreater(result["referrers"], 1)
        self.target().request("DELETE", f"/v2/noted/app/manifests/{note.digest}")
        result, states = self.verify("noted")
        self.assertEqual("same", states["app:stable"])
        self.assertEqual(1, result["incomplete"], result)

    def test_what_failed_is_repeated_alone(self):
        self.make("partly", "hub/shop", "mirror/partly", repositories=["jobs", "tool"])
        victim = self.source_digest("shop/jobs", "2.0.0")
        image = next(one for name, tag, one in self.images if (name, tag) == ("shop/jobs",
                                                                              "2.0.0"))
        tool = next(one for name, tag, one in self.images if (name, tag) == ("shop/tool", "3.2"))
        hidden = [self.hide_blob(one.blobs()[-1].digest) for one in (image, tool)]
        try:
            ended = self.api.wait(self.run_sync("partly"))
        finally:
            for show in hidden:
                show()
        self.assertEqual("failed", ended["state"], ended)
        run = self.api.get(f"/v1/syncs/partly/runs/{ended['id']}")
        states = {one["target"].rpartition(":")[2]: one["state"] for one in run["outcomes"]}
        self.assertEqual({"1.0.0": "copied", "1.1.0": "copied", "2.0.0": "failed",
                          "3.2": "failed"}, {tag: state for tag, state in states.items()
                                             if len(tag) < 10})
        again = self.done(self.run_sync("partly", {"only_failed_of": ended["id"]}))
        self.assertEqual((2, 2), (again["result"]["images"], again["result"]["copied"]))
        self.assertEqual(victim, self.digest("partly/jobs", "2.0.0"))
        self.refused(409, "run-has-no-failures", "POST", "/v1/syncs/partly/runs",
                     {"only_failed_of": again["id"]})
        self.refused(404, "not-found", "POST", "/v1/syncs/partly/runs",
                     {"only_failed_of": "00000000-0000-4000-8000-000000000000"})

    def hide_blob(self, digest):
        """Take a blob's bytes from the hub's disk; returns what puts them back."""
        name = digest.partition(":")[2]
        path = os.path.join(self.hub.storage, "docker/registry/v2/blobs/sha256", name[:2], name,
                            "data")
        os.rename(path, path + ".hidden")
        return lambda: os.rename(path + ".hidden", path)

    def test_a_ring_is_found_however_long_its_names_are(self):
        names = [f"{n}-" + "long" * 15 for n in range(10)]
        for n, name in enumerate(names):
            self.make(name, f"hub/ring{n}", f"hub/ring{n + 1}")
        problem = self.refused(409, "sync-ring", "POST", "/v1/syncs",
                               {"name": "last", "source": "hub/ring10", "target": "hub/ring0"})
        self.assertIn(names[9], problem["detail"])

    def test_rules_that_would_hurt_each_other_are_refused_by_name(self):
        self.refused(409, "sync-onto-itself", "POST", "/v1/syncs",
                     {"name": "self", "source": "hub/shop", "target": "hub/shop"})
        self.refused(409, "sync-onto-itself", "POST", "/v1/syncs",
                     {"name": "self", "source": "hub/shop", "target": "hub/shop/copy"})
        self.refused(409, "sync-onto-itself", "POST", "/v1/syncs",
                     {"name": "self", "source": "hub", "target": "hub"})
        self.make("first", "hub/shop", "mirror/x")
        problem = self.refused(409, "sync-target-taken", "POST", "/v1/syncs",
                               {"name": "second", "source": "hub/team", "target": "mirror/x"})
        self.assertIn("first", problem["detail"])
        self.make("disjoint", "hub/team", "mirror/y")
        problem = self.refused(409, "sync-ring", "POST", "/v1/syncs",
                               {"name": "back", "source": "mirror/x", "target": "hub/shop"})
        self.assertIn("first", problem["detail"])
        off = self.make("back", "mirror/x", "hub/shop", enabled=False)
        self.refused(409, "sync-ring", "PATCH", "/v1/syncs/back", {"enabled": True},
                     If_Match=off.headers["ETag"])
        self.assertEqual("berthctl sync edit back --enable", self.refused(
            409, "sync-disabled", "POST", "/v1/syncs/back/runs")["hint"])

    def test_rules_of_versions_that_cannot_be_one_share_a_target(self):
        self.make("old", "hub/shop", "mirror/versions", semver="<2")
        self.make("new", "hub/team", "mirror/versions", semver=">=2")
        problem = self.refused(409, "sync-target-taken", "POST", "/v1/syncs",
                               {"name": "both", "source": "hub/legacy",
                                "target": "mirror/versions", "semver": "^1.9 || 7.x"})
        self.assertRegex(problem["detail"], "old|new")

    def test_two_integrations_of_one_address_are_one_registry(self):
        self.daemon.add("alias", self.hub)
        self.refused(409, "sync-onto-itself", "POST", "/v1/syncs",
                     {"name": "alias", "source": "hub/shop", "target": "alias/shop"})
        self.refused(409, "copy-onto-itself", "POST", "/v1/copies",
                     {"source": "hub/shop/web:1.0.0", "target": "alias"})

    def test_bad_rules_are_refused(self):
        for body, pointer in (
                ({"source": "HUB/x", "target": "mirror"}, "/source"),
                ({"source": "hub", "target": "mirror/UP"}, "/target"),
                ({"source": "nobody", "target": "mirror"}, "/source"),
                ({"source": "hub", "target": "mirror", "flatten": 65}, "/flatten"),
                ({"source": "hub", "target": "mirror", "platforms": ["linux"]}, "/platforms/0"),
                ({"source": "hub", "target": "mirror", "semver": "new"}, "/semver"),
                ({"source": "hub", "target": "mirror", "newest": -1}, "/newest"),
                ({"source": "hub", "target": "mirror", "limit_bytes_per_s": 16383},
                 "/limit_bytes_per_s"),
                ({"source": "hub", "target": "mirror", "limit_bytes_per_s": "10M"},
                 "/limit_bytes_per_s"),
                ({"source": "hub", "target": "mirror", "cron": "* * * *"}, "/cron"),
                ({"source": "hub", "target": "mirror", "cron": "0 0 30 2 *"}, "/cron"),
                ({"source": "hub", "target": "mirror", "time_zone": "Mars/Base"}, "/time_zone"),
                ({"source": "hub", "target": "mirror", "kron": "* * * * *"}, "/kron")):
            problem = self.refused(422, "validation-failed", "POST", "/v1/syncs",
                                   {"name": "bad", **body})
            self.assertIn(pointer, self.pointers(problem), body)

    def test_a_second_start_joins_the_first(self):
        link = self.enter(Link(os.path.join(self.dir, "joined"), self.hub))
        self.daemon.add("joined", link)
        self.settle()
        self.make("joined", "joined/shop", "mirror/joined")
        link.set(stall=1)  # nothing ends
        first = self.ask("POST", "/v1/syncs/joined/runs", Idempotency_Key=key()).body
        second = self.ask("POST", "/v1/syncs/joined/runs", Idempotency_Key=key()).body
        self.assertEqual(first["id"], second["id"])
        link.set(stall=0)
        link.drop()
        self.done(first)
        self.assertEqual(10, len(self.api.get(
            f"/v1/images?q={quote('mirror/joined')}&limit=1000")["items"]))


if __name__ == "__main__":
    unittest.main()
