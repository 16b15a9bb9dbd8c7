# SPDX-License-Identifier: Apache-2.0
"""Spaces, repositories, tags, artifacts and the search: S3 M1 M3 M5."""

import unittest

from berthtest import Client, Image, Registry
from berthtest.apicase import ApiCase, quote
from berthtest.images import random_layer


class Browse(ApiCase):
    """Reading what is there."""

    def test_a_plain_registry_has_the_space_default(self):
        spaces = self.api.get("/v1/integrations/hub/spaces")["items"]
        self.assertEqual([("default", False, True, "local")],
                         [(s["name"], s["declared"], s["push"], s["mode"]) for s in spaces])
        self.assertEqual(6, spaces[0]["status"]["repositories"])
        both = self.api.get("/v1/spaces?sort=integration")["items"]
        self.assertEqual(["hub", "mirror"], [s["integration"] for s in both])
        shown = self.api.get(f"/v1/spaces/{spaces[0]['id']}")
        self.assertEqual(spaces[0]["id"], shown["id"])

    def test_repositories_and_tags_come_from_the_index_with_their_age(self):
        space = self.space("hub")
        page = self.api.get(f"/v1/spaces/{space}/images")
        found = {item["name"]: item for item in page["items"]}
        self.assertEqual(3, found["shop/web"]["tags"])
        self.assertIn("seen_at", found["shop/web"])
        self.assertEqual(["shop/web"], self.names(f"/v1/spaces/{space}/images?q=web"))
        tags = self.api.get(f"/v1/spaces/{space}/images/{quote('shop/web')}")
        self.assertEqual(["1.0.0", "1.1.0", "2.0.0"], [tag["name"] for tag in tags["items"]])
        self.assertEqual(3, tags["total"])

    def test_a_list_of_paths_leads_to_what_it_lists(self):
        space = self.space("hub")
        tags = f"/v1/spaces/{space}/images/{quote('shop/web')}"
        for path in ("/v1/images?q=shop/web", tags, f"/v1/spaces/{space}/images"):
            paths = self.api.get(path + ("&" if "?" in path else "?") + "recursion=0")["items"]
            self.assertEqual(len(self.api.get(path)["items"]), len(paths))
            for item in paths:
                answer = self.ask("GET", item)
                self.assertIn(answer.status, (200, 202), item)
                if answer.status == 202:
                    self.done(answer.body)

    def test_what_is_not_there_is_404(self):
        space = self.space("hub")
        for path in (f"/v1/spaces/{space}/images/{quote('shop/none')}",
                     "/v1/spaces/00000000-0000-4000-8000-000000000000",
                     "/v1/spaces/00000000-0000-4000-8000-000000000000/images",
                     "/v1/integrations/nobody/spaces"):
            self.refused(404, "not-found", "GET", path)

    def test_the_search_finds_any_part_and_pages(self):
        def hits(text):
            return [hit["reference"] for hit in self.api.get(f"/v1/images?q={text}")["items"]]

        self.assertEqual(["hub/legacy/app:stable"], hits("egacy/ap"))
        self.assertEqual(["hub/shop/api:2.0.0", "hub/shop/jobs:2.0.0", "hub/shop/web:2.0.0"],
                         hits("2.0.0"))
        self.assertEqual([], hits("100%25"))
        self.assertEqual([], hits("shop_web"))
        page = self.api.get("/v1/images?q=shop&limit=4")
        rest = []
        while page["items"]:
            rest += [hit["reference"] for hit in page["items"]]
            if not page.get("next"):
                break
            page = self.api.get(page["next"])
        self.assertEqual(hits("shop"), rest)
        self.assertEqual(10, len(rest))

    def test_only_healthy_integrations_are_browsed(self):
        registry = Registry(self.dir + "/ill", storage=self.hub.storage).start()
        self.addCleanup(registry.stop)
        self.daemon.add("ill", registry)
        self.settle()
        self.assertTrue(self.api.get("/v1/images?q=ill/shop")["items"])
        registry.stop()
        self.failed(self.api.post("/v1/integrations/ill/probe", None), "unavailable")
        self.assertEqual([], self.api.get("/v1/images?q=ill/shop")["items"])
        registry.start()
        self.done(self.api.post("/v1/integrations/ill/probe", None))
        self.ask("DELETE", "/v1/integrations/ill", If_Match="*")

    def test_an_artifact_is_asked_for_once_and_then_cached_by_digest(self):
        space = self.space("hub")
        path = f"/v1/spaces/{space}/artifacts/{quote('shop/web:2.0.0')}"
        done = self.done(self.ask("GET", path).body)
        image = next(one for name, tag, one in self.images if (name, tag) == ("shop/web", "2.0.0"))
        artifact = done["result"]
        self.assertEqual((image.digest, "image", "shop/web", "hub"),
                         (artifact["digest"], artifact["kind"], artifact["repository"],
                          artifact["integration"]))
        self.assertEqual(4, len(artifact["layers"]))
        self.assertEqual({"org.opencontainers.image.version": "2.0.0"}, artifact["config"]["labels"])
        before = len(self.hub.requests())
        by_digest = f"/v1/spaces/{space}/artifacts/{quote('shop/web@' + image.digest)}"
        cached = self.ask("GET", by_digest)
        self.assertEqual((200, image.digest), (cached.status, cached.body["digest"]))
        self.assertIn("fetched_at", cached.body)
        self.assertEqual(before, len(self.hub.requests()))
        tags = self.api.get(f"/v1/spaces/{space}/images/{quote('shop/web')}")["items"]
        self.assertIn(image.digest, [tag.get("digest") for tag in tags])

    def test_an_index_shows_its_platforms(self):
        space = self.space("hub")
        answer = self.ask("GET", f"/v1/spaces/{space}/artifacts/{quote('shop/tool:3.2')}",
                          Prefer="wait=60")
        self.assertEqual((200, "succeeded"), (answer.status, answer.body["state"]))
        self.assertEqual("index", answer.body["result"]["kind"])
        self.assertEqual(2, len(answer.body["result"]["platforms"]))

    def test_what_the_index_does_not_know_yet_is_read_and_deleted(self):
        """It was pushed after the last look: what is done with it goes well."""
        image, space = Image([random_layer("late", 2048)]), self.space("hub")
        with Client(self.hub.url) as client:
            client.push("late/app", image, "1")
            client.push("later/app", image, "1")
        path = f"/v1/spaces/{space}/artifacts/"
        done = self.done(self.ask("GET", path + quote("late/app:1")).body)
        self.assertEqual(image.digest, done["result"]["digest"])
        self.assertEqual(["1"], self.names(f"/v1/spaces/{space}/images/{quote('late/app')}"))
        for name in ("late/app", "later/app"):  # the one by now is in the index
            text = f"{name}@{image.digest}"
            self.done(self.ask("DELETE", path + quote(text) + f"?confirm={quote(text)}").body)

    def test_a_tag_that_is_not_there_fails_by_name(self):
        space = self.space("hub")
        answer = self.ask("GET", f"/v1/spaces/{space}/artifacts/{quote('shop/web:none')}")
        error = self.failed(answer.body, "not-found")
        self.assertIn("shop/web", error["detail"] + error.get("cause", ""))

    def test_bad_references_are_named(self):
        space = self.space("hub")
        for text, word in (("shop/web", "REPOSITORY:TAG"), ("Shop/web:1", "Shop"),
                           ("shop/web:" + "x" * 129, "128"), ("shop/web:", "tag"),
                           ("shop/web@sha256:12", "digest"), ("shop/web@md5:12", "digest")):
            problem = self.refused(400, "reference-invalid", "GET",
                                   f"/v1/spaces/{space}/artifacts/{quote(text)}")
            self.assertIn(word.lower(), problem["detail"].lower(), text)


class Indexes(ApiCase):
    """A list says when what it shows was read, and how the last look failed."""

    def lists(self):
        return ["/v1/spaces", "/v1/integrations/far/spaces",
                f"/v1/spaces/{self.space('far')}/images", "/v1/images?q=far/"]

    def index(self, path):
        found = [one for one in self.api.get(path)["indexes"] if one["integration"] == "far"]
        self.assertEqual(1, len(found), path)
        return found[0]

    def test_a_failed_refresh_is_told_with_every_list_and_by_berthctl(self):
        registry = Registry(self.dir + "/far", storage=self.hub.storage).start()
        self.addCleanup(registry.stop)
        self.daemon.add("far", registry)
        self.settle()
        good = self.index("/v1/spaces")
        self.assertEqual({"integration", "phase", "at"}, set(good))
        self.assertEqual("", self.daemon.ctl("image", "list", "far").stderr)
        registry.stop()
        error = self.failed(self.api.post("/v1/integrations/far/refresh", None), "unavailable")
        for path in self.lists():
            index = self.index(path)
            self.assertEqual((good["at"], error["detail"]), (index["at"], index["error"]), path)
            self.assertGreater(index["failed_at"], index["at"])
        self.assertEqual(6, self.api.get(self.lists()[2])["total"])
        self.assertEqual(["far"], [one["integration"] for one in
                                   self.api.get(self.lists()[2])["indexes"]])
        for words in (["image", "list", "far"], ["space", "list"], ["image", "search", "far/"]):
            done = self.daemon.ctl(*words)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertIn(f"warning: far could not be read on {index['failed_at']}: "
                          f"{error['detail']}", done.stderr)
            self.assertIn("; what is shown is of " + good["at"], done.stderr)
            self.assertNotIn("warning", done.stdout)
        registry.start()
        self.done(self.api.post("/v1/integrations/far/refresh", None))
        self.assertEqual({"integration", "phase", "at"}, set(self.index("/v1/spaces")))
        self.assertEqual("", self.daemon.ctl("space", "list").stderr)
        self.ask("DELETE", "/v1/integrations/far", If_Match="*")


class Prefixes(ApiCase):
    """Spaces of a plain registry are prefixes that a user declares."""

    def declare(self, name, **more):
        return self.ask("POST", "/v1/spaces", {"integration": "hub", "name": name}, **more)

    def test_the_longest_prefix_holds_a_repository(self):
        made = self.declare("shop")
        self.assertEqual((201, True), (made.status, made.body["declared"]))
        self.assertEqual(f"/v1/spaces/{made.body['id']}", made.headers["Location"])
        self.assertEqual(4, made.body["status"]["repositories"])
        deeper = self.declare("team/payments").body
        self.assertEqual(["team/payments/backend/services/ledger-v2"],
                         self.names(f"/v1/spaces/{deeper['id']}/images"))
        self.assertEqual(["legacy/app"], self.names(f"/v1/spaces/{self.space('hub')}/images"))
        self.assertEqual(["shop/api", "shop/jobs", "shop/tool", "shop/web"],
                         self.names(f"/v1/spaces/{made.body['id']}/images"))
        self.done(self.api.post("/v1/integrations/hub/refresh", None))
        self.assertEqual(["legacy/app"], self.names(f"/v1/spaces/{self.space('hub')}/images"))
        self.refused(409, "exists", "POST", "/v1/spaces", {"integration": "hub", "name": "shop"})
        self.refused(428, "precondition-required", "DELETE", f"/v1/spaces/{deeper['id']}")
        for space in (deeper, made.body):
            answer = self.ask("DELETE", f"/v1/spaces/{space['id']}",
                              If_Match=self.etag(f"/v1/spaces/{space['id']}"))
            self.assertEqual(204, answer.status)
        self.assertEqual(6, len(self.names(f"/v1/spaces/{self.space('hub')}/images")))

    def test_a_dry_run_declares_nothing(self):
        plan = self.ask("POST", "/v1/spaces?dry_run=true", {"integration": "hub", "name": "dry"})
        self.assertEqual((200, True), (plan.status, plan.body["dry_run"]))
        self.assertNotIn("dry", self.names("/v1/integrations/hub/spaces"))

    def test_bad_prefixes_and_integrations_are_refused(self):
        for name in ("", "/shop", "shop/", "Shop", "a//b", "../x"):
            problem = self.refused(422, "validation-failed", "POST", "/v1/spaces",
                                   {"integration": "hub", "name": name})
            self.assertEqual(["/name"], sorted(set(self.pointers(problem))), name)
        self.refused(404, "not-found", "POST", "/v1/spaces",
                     {"integration": "nobody", "name": "shop"})

    def test_the_space_default_can_not_be_taken_back(self):
        self.refused(409, "space-fixed", "DELETE", f"/v1/spaces/{self.space('hub')}",
                     If_Match="*")


class Delete(ApiCase):
    """Deleting asks for the name, tells what goes, and keeps what is shared."""

    def setUp(self):
        self.client = Client(self.hub.url)
        self.image = Image([random_layer("delete", 4096)])
        for tag in ("one", "two"):
            self.client.push("gone/app", self.image, tag)
        self.done(self.api.post("/v1/integrations/hub/refresh", None))
        self.at = self.space("hub")

    def path(self, text):
        return f"/v1/spaces/{self.at}/artifacts/{quote(text)}"

    def test_a_delete_without_the_name_says_what_would_go(self):
        problem = self.refused(422, "confirmation-missing", "DELETE", self.path("gone/app:one"))
        self.assertIn("gone/app:one", problem["detail"])
        self.refused(422, "confirmation-missing", "DELETE",
                     self.path("gone/app:one") + "?confirm=gone/app:two")
        plan = self.ask("DELETE", self.path("gone/app:one") + "?dry_run=true")
        self.assertEqual(["gone/app:one"], plan.body["delete"])
        for unknown in ("gone/app:three", "gone/none:one"):
            refused = self.refused(404, "not-found", "DELETE", self.path(unknown) + "?dry_run=true")
            self.assertIn("refresh hub", refused["hint"])
        self.assertEqual(["one", "two"],
                         self.names(f"/v1/spaces/{self.at}/images/{quote('gone/app')}"))

    def test_a_digest_goes_with_all_its_tags(self):
        text = f"gone/app@{self.image.digest}"
        answer = self.ask("DELETE", self.path(text) + f"?confirm={quote(text)}")
        self.done(answer.body)
        self.assertEqual(404, self.client.request(
            "GET", f"/v2/gone/app/manifests/{self.image.digest}").status)

    def test_a_repository_goes_with_all_it_holds(self):
        path = f"/v1/spaces/{self.at}/images/{quote('gone/app')}"
        self.refused(422, "confirmation-missing", "DELETE", path)
        self.done(self.ask("DELETE", path + "?confirm=gone/app").body)
        self.refused(404, "not-found", "GET", path)


if __name__ == "__main__":
    unittest.main()
