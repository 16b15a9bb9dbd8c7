# SPDX-License-Identifier: Apache-2.0
"""The selector: M1 M2. What it finds, how it ranks, and that it stays true."""

import os
import subprocess
import unittest

from berthtest import Client, proc
from berthtest.apicase import ApiCase, quote


class SearchCase(ApiCase):
    def hits(self, text, more=""):
        return [hit["reference"] for hit in
                self.api.get(f"/v1/images?q={quote(text)}{more}")["items"]]


class Ranking(SearchCase):
    def test_a_whole_tag_comes_first_then_what_begins_so(self):
        with Client(self.hub.url) as client:
            image = self.images[0][2]
            for name, tag in (("zz/web", "w1"), ("zz/tool", "xw1x"), ("zz/tool", "w1")):
                client.push(name, image, tag)
        self.done(self.api.post("/v1/integrations/hub/refresh", None))
        self.assertEqual(["hub/zz/tool:w1", "hub/zz/web:w1", "hub/zz/tool:xw1x"], self.hits("w1"))
        self.assertEqual(["hub/zz/tool:w1", "hub/zz/tool:xw1x", "hub/zz/web:w1"], self.hits("zz w"))


class Search(SearchCase):
    def all_tags(self):
        return sorted(f"hub/{name}:{tag}" for name, tag, _ in self.images)

    def test_every_part_and_every_word_counts(self):
        self.assertEqual(self.all_tags(), sorted(self.hits("")))
        for text in ("hub", "default", "HUB/", "u"):
            self.assertEqual(self.all_tags(), sorted(self.hits(text)), text)
        self.assertEqual(["hub/shop/web:1.1.0"], self.hits("web 1.1"))
        self.assertEqual(["hub/shop/web:1.1.0"], self.hits("  1.1   shop/we hub "))
        self.assertEqual(["hub/shop/web:1.1.0"], self.hits("web:1.1"))
        self.assertEqual(["hub/shop/api:2.0.0", "hub/shop/jobs:2.0.0", "hub/shop/web:2.0.0"],
                         self.hits(":2.0"))
        for text in ("nothing", "web:2.0.0:", "100%", "shop_web", "*", "\"", "'", "eb:2x"):
            self.assertEqual([], self.hits(text), text)

    def test_pages_have_an_exact_total_and_no_hit_twice(self):
        page = self.api.get("/v1/images?q=shop&limit=3")
        found, total = [], page["total"]
        while True:
            self.assertEqual(total, page["total"])
            self.assertTrue(page["complete"])
            found += [hit["reference"] for hit in page["items"]]
            if not page.get("next"):
                break
            page = self.api.get(page["next"])
        self.assertEqual((total, found), (len(set(found)), self.hits("shop", "&limit=1000")))

    def test_a_cursor_of_another_search_or_of_nobody_is_refused(self):
        cursor = self.api.get("/v1/images?q=shop&limit=1")["next"].split("cursor=")[1].split("&")[0]
        for target in (f"/v1/images?q=web&cursor={cursor}", "/v1/images?q=shop&cursor=00ff",
                       f"/v1/images?q=shop&cursor={cursor[:-2]}00"):
            problem = self.refused(400, "parameter-invalid", "GET", target)
            self.assertEqual(["?cursor"], ["?" + one.get("parameter", "").lstrip("?")
                                           for one in problem["errors"]])

    def test_too_much_to_ask_is_refused(self):
        self.refused(400, "parameter-invalid", "GET", "/v1/images?q=" + quote("a " * 20))
        self.refused(400, "parameter-invalid", "GET", "/v1/images?q=" + "a" * 252)
        problem = self.refused(400, "parameter-invalid", "GET", "/v1/images?q=" + "a" * 5000)
        self.assertEqual("must be a text of 0 to 255 characters", problem["errors"][0]["detail"])
        self.refused(431, "head-too-large", "GET", "/v1/images?q=" + "a" * 10000)
        for bad in ("a%00b", "%00", "%ff", "%"):
            self.assertEqual(400, self.ask("GET", f"/v1/images?q={bad}").status, bad)

    def test_signs_that_mean_something_elsewhere_mean_themselves(self):
        for sign in "%_*\"'\\?[;":
            for text in (sign, f"web{sign}", f"{sign}web", f"shop {sign}"):
                self.assertEqual([], self.hits(text), text)
                self.assertEqual([], self.hits(text, "&sort=reference"), text)

    def test_each_answer_says_how_old_each_index_is(self):
        page = self.api.get("/v1/images?q=nothing")
        self.assertEqual(["hub", "mirror"], sorted(one["integration"] for one in page["indexes"]))
        for one in page["indexes"]:
            self.assertEqual("healthy", one["phase"])
            self.assertIn("at", one)

    def test_what_comes_and_goes_is_found_as_it_is_now(self):
        self.daemon.add("other", self.hub)
        self.settle()
        self.assertEqual(len(self.hits("hub/")), len(self.hits("other/")))
        space = self.api.post("/v1/spaces", {"integration": "other", "name": "legacy"})["id"]
        moved = [hit for hit in self.api.get("/v1/images?q=other/legacy")["items"]]
        self.assertEqual({"legacy"}, {hit["space"] for hit in moved})
        self.api.request("DELETE", f"/v1/spaces/{space}", None, {"If-Match": "*"})
        moved = [hit for hit in self.api.get("/v1/images?q=other/legacy")["items"]]
        self.assertEqual({"default"}, {hit["space"] for hit in moved})
        # A refresh by the clock may be at work on it: then it is busy.
        proc.wait_until(lambda: self.ask("DELETE", "/v1/integrations/other",
                                         If_Match="*").status == 204, "it is deleted")
        self.assertEqual([], self.hits("other/"))

    def test_a_copy_is_found_when_it_has_ended_and_a_deleted_tag_is_not(self):
        self.done(self.api.post("/v1/copies", {"source": "hub/shop/web:1.0.0",
                                               "target": "mirror/found/web"}))
        self.settle()
        self.done(self.api.post("/v1/integrations/mirror/refresh", None))
        self.assertEqual(["mirror/found/web:1.0.0"], self.hits("found"))
        path = f"/v1/spaces/{self.space('mirror')}/artifacts/" + quote("found/web:1.0.0")
        self.done(self.api.call("DELETE", path + "?confirm=" + quote("found/web:1.0.0")))
        self.assertEqual([], self.hits("found"))

    def test_the_next_life_of_the_daemon_finds_the_same(self):
        before = self.hits("")
        self.daemon.stop()
        self.daemon.start()
        proc.wait_until(lambda: self.api.get("/v1/images?q=x")["complete"], "the index is read")
        proc.wait_until(lambda: self.hits("") == before, "all is healthy again")

    def test_the_client_searches_and_says_what_is_left_out(self):
        def ctl(*args):
            env = dict(os.environ, BERTH_SOCKET=self.daemon.socket, LC_ALL="C.UTF-8")
            done = subprocess.run([os.path.join(proc.build_dir(), "berthctl"), *args], env=env,
                                  capture_output=True, text=True, timeout=180, check=False)
            self.assertEqual(0, done.returncode, done.stderr)
            return done.stdout

        self.assertEqual(["hub/shop/web:1.1.0"],
                         ctl("image", "search", "web 1.1", "-o", "name").split())
        self.api.post("/v1/workspaces", {"name": "poor"})
        self.assertEqual("", ctl("image", "search", "web", "-o", "name", "-W", "poor"))
        self.assertIn("IMAGE", ctl("image", "search", "web"))


if __name__ == "__main__":
    unittest.main()
