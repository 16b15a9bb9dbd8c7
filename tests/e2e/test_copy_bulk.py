# SPDX-License-Identifier: Apache-2.0
"""Copying between registries that list digests in bulk: two Harbors (stand-ins)."""

import hashlib
import unittest

from berthtest import Client, Image, Registry
from berthtest.harborcase import Harbor, HarborCase
from berthtest.images import random_layer

REPOSITORIES, TAGS = 10, 1000


class Bulk(HarborCase):
    standin_only = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        behind = cls.enter(Registry(cls.dir + "/mirror-registry"))
        cls.mirror = Harbor(behind.url)
        cls.addClassCleanup(cls.mirror.stop)
        cls.daemon.add("mirror", cls.mirror.url, *cls.mirror.login, kind="harbor")
        cls.settle()

    def both(self):
        return (self.standin, self.mirror)

    def seen(self):
        return [len(harbor.requests) for harbor in self.both()]

    def fill(self, project, tags=TAGS):
        """The same rows at both: two tags for each artifact; no bytes."""
        for harbor in self.both():
            world = harbor.world
            with world.lock:
                world.add_project(project)
                for number in range(REPOSITORIES):
                    repository = world.repository(f"{project}/app{number}", create=True)
                    for tag in range(tags):
                        name = f"{project}/{number}/{tag // 2}"
                        digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
                        world.set_tag(repository, f"v{tag}",
                                      world.add_artifact(repository, digest))

    def run_rule(self, name, state="succeeded", **more):
        self.api.post("/v1/syncs", {"name": name, "source": f"harbor/{name}",
                                    "target": f"mirror/{name}", **more})
        return self.again(name, state)

    def again(self, name, state="succeeded"):
        ended = self.api.run(f"/v1/syncs/{name}/runs", None, seconds=300)
        self.assertEqual(state, ended["state"], ended.get("error"))
        return ended["result"]

    def test_ten_thousand_tags_with_nothing_to_do_take_at_most_200_requests(self):
        self.fill("many")
        before = self.seen()
        result = self.run_rule("many", referrers=False)
        self.assertEqual((REPOSITORIES * TAGS, 0), (result["present"], result["failed"]))
        asked = sum(self.seen()) - sum(before)
        self.assertLessEqual(asked, 200)
        self.assertGreater(asked, 50, "the stand-in counts nothing")

    def test_spaces_that_may_not_be_listed_cost_requests_and_not_the_copy(self):
        self.fill("narrow", tags=4)
        self.mirror.faults.add("403", path="/projects$", method="GET")
        self.addCleanup(self.mirror.faults.clear)
        result = self.run_rule("narrow", referrers=False)
        self.assertEqual((REPOSITORIES * 4, 0), (result["present"], result["failed"]))

    def test_what_differs_is_copied_and_the_rest_is_not_asked_for(self):
        for harbor in self.both():
            harbor.add_project("some")
        images = {f"v{n}": Image([random_layer(f"some{n}", 2000)]) for n in range(5)}
        with Client(self.standin.url, *self.standin.login) as client:
            for tag, image in images.items():
                client.push("some/app", image, tag)
            client.sign("some/app", images["v0"])
        self.assertEqual(5, self.run_rule("some")["copied"])
        with Client(self.standin.url, *self.standin.login) as client:
            images["v3"] = Image([random_layer("changed", 2000)])
            client.push("some/app", images["v3"], "v3")
            client.push("some/app", images["v1"], "new")
            client.sign("some/app", images["v3"])
        result = self.again("some")
        self.assertEqual((4, 2, 0), (result["present"], result["copied"], result["failed"]))
        with Client(self.mirror.url, *self.mirror.login) as client:
            for tag, image in images.items():
                self.assertEqual(image.digest, client.digest("some/app", tag))
            self.assertEqual(images["v1"].digest, client.digest("some/app", "new"))
            for tag in ("v0", "v3"):
                signature = images[tag].digest.replace(":", "-") + ".sig"
                self.assertIsNotNone(client.digest("some/app", signature))
        self.assertEqual(6, self.api.run("/v1/syncs/some/verify", None)["result"]["images"])


if __name__ == "__main__":
    unittest.main()
