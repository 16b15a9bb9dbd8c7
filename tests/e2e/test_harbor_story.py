# SPDX-License-Identifier: Apache-2.0
"""A platform admin's work with a Harbor by berthctl alone, from its proof to the deletion of a
project: at the stand-in, or at a real Harbor named by BERTH_TEST_HARBOR."""

import json
import os
import unittest

from berthtest import Client, Image, Registry
from berthtest.harborcase import HarborCase
from berthtest.images import random_layer
from berthtest.proc import wait_until

RULES = """
rules:
  - template: latestPushedK
    number: 1
    repositories: "**"
    tags: "**"
"""


class Story(HarborCase):
    integrate = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = cls.enter(Registry(os.path.join(cls.dir, "plain")))
        cls.image = Image([random_layer("story/base", 3000), random_layer("story/top", 700)])
        with Client(cls.plain.url) as client:
            for tag in ("1.0", "2.0"):
                client.push("team/app", cls.image if tag == "1.0" else
                            Image([random_layer(f"story/{tag}", 900)]), tag)

    def ctl(self, *args, **more):
        return self.daemon.ctl_ok(*args, **more)

    def json(self, *args):
        return json.loads(self.ctl(*args, "-o", "json"))

    def refused(self, status, words, *args):
        done = self.daemon.ctl(*args)
        self.assertEqual(status, done.returncode, done.stdout + done.stderr)
        self.assertIn(words, done.stderr)

    def test_from_the_proof_to_a_deleted_project(self):
        space = self.integrates()
        self.makes_a_space(space)
        self.copies_into_it(space)
        self.shows_and_describes(space)
        self.gives_a_login(space)
        self.keeps_the_newest(space)
        self.keeps_house()
        self.deletes(space)

    def integrates(self):
        wrong = os.path.join(self.dir, "wrong")
        with open(wrong, "w", encoding="ascii") as file:
            file.write("not-it\n")
        add = ("integration", "add", "hub", "--kind", "harbor", "--address", self.url,
               "--username", self.username, "--password-file")
        self.refused(8, "password", *add, wrong)
        self.ctl(*add, self.secret_file)
        self.ctl("integration", "add", "plain", "--address", self.plain.url)
        self.ctl("integration", "refresh", "plain")
        self.settle()
        self.assertIn("healthy", self.ctl("integration", "probe", "hub"))
        overview = self.ctl("integration", "overview", "hub", "--ask")
        self.assertIn(self.url, overview)
        self.assertIn("docker login", overview)
        return f"hub/{self.name('story')}"

    def makes_a_space(self, space):
        self.assertIn("would create", self.ctl("space", "create", space, "--dry-run"))
        self.refused(3, "there is no space", "space", "show", space)
        self.ctl("space", "create", space, "--quota", "1GiB")
        shown = self.json("space", "show", space)
        self.assertEqual((1 << 30, False), (shown["quota_bytes"], shown["public"]))
        self.ctl("space", "edit", space, "--public", "--quota", "2GiB")
        shown = self.json("space", "show", space)
        self.assertEqual((2 << 30, True), (shown["quota_bytes"], shown["public"]))
        self.refused(5, "", "space", "create", space)

    def copies_into_it(self, space):
        line = ("copy", "plain/team/app", f"{space}/app", "--all-tags")
        self.assertIn("2 to copy", self.ctl(*line, "--plan"))
        self.assertIn("2 copied", self.ctl(*line))
        self.assertIn("2 there already", self.ctl(*line))
        self.assertIn("1 copied", self.ctl("copy", f"{space}/app:1.0", "plain/back:1.0"))
        with Client(self.plain.url) as client:
            self.assertEqual(self.image.digest, client.digest("back", "1.0"))
        self.refused(3, "hint: berthctl space list", "copy", "plain/team/app:1.0", "hub/never-made/app:1.0")

    def shows_and_describes(self, space):
        self.ctl("integration", "refresh", "hub")
        self.assertEqual(f"{space}/app\n", self.ctl("image", "list", space, "-o", "name"))
        self.assertEqual({"1.0", "2.0"}, {one["name"] for one in
                                          self.json("image", "tags", f"{space}/app")["items"]})
        self.assertEqual(self.image.digest, self.json("image", "show", f"{space}/app:1.0")["digest"])
        self.refused(3, "nope", "image", "show", f"{space}/app:nope")
        self.assertIn(f"{space}/app:1.0",
                      self.ctl("image", "search", space.partition("/")[2], "1.0", "-o", "name"))
        text = os.path.join(self.dir, "description.md")
        with open(text, "w", encoding="utf-8") as file:
            file.write("# Über die Anwendung\n\n* eins\n")
        self.ctl("image", "describe", f"{space}/app", "--set-file", text)
        self.assertIn("Über die Anwendung", self.ctl("image", "describe", f"{space}/app"))
        lines = self.ctl("image", "commands", f"{space}/app:1.0")
        self.assertIn(f"docker push {self.url.partition('//')[2]}/{space.partition('/')[2]}/app:1.0",
                      lines)

    def gives_a_login(self, space):
        made = self.json("login", "create", space, "--ttl", "2d", "--description", "for a day")
        self.assertIn(made["id"], self.ctl("login", "list", "-o", "name"))
        with Client(self.url, made["username"], made["secret"]) as client:
            self.assertEqual(self.image.digest,
                             client.digest(f"{space.partition('/')[2]}/app", "1.0"))
        self.ctl("login", "revoke", made["id"], "--yes")

    def keeps_the_newest(self, space):
        path = os.path.join(self.dir, "retention.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(RULES)
        self.ctl("retention", "set", space, "--file", path)
        self.assertIn("latestPushedK", self.ctl("retention", "show", space))
        self.ctl("retention", "run", space, "--dry-run")
        number = self.json("retention", "runs", space)["items"][0]["id"]
        wait_until(lambda: ["kept", "removed"] == sorted(
            one["state"] for one in self.json("retention", "runs", space, number)["items"]),
            "the dry run has said what would go", 120)
        self.ctl("image", "show", f"{space}/app:1.0")
        self.ctl("image", "show", f"{space}/app:2.0")

    def keeps_house(self):
        self.ctl("maintain", "read-only", "hub", "--on")
        self.addCleanup(self.daemon.ctl, "maintain", "read-only", "hub", "--off")
        self.assertIn("yes", self.ctl("maintain", "read-only", "hub"))
        self.ctl("maintain", "read-only", "hub", "--off")
        self.ctl("maintain", "gc", "hub", "--dry-run")
        self.ctl("maintain", "schedule", "hub", "--cron", "0 0 4 * * 6")
        self.assertEqual("0 0 4 * * 6", self.json("maintain", "runs", "hub")["schedule"])
        self.ctl("maintain", "schedule", "hub", "--never")
        shown = self.json("maintain", "runs", "hub")
        self.assertEqual(("", True), (shown["schedule"], bool(shown["runs"])))

    def deletes(self, space):
        self.refused(5, "", "space", "delete", space, "--yes")
        self.ctl("image", "delete", f"{space}/app:2.0", "--yes")
        self.ctl("image", "delete", f"{space}/app", "--yes")
        self.ctl("space", "delete", space, "--yes")
        self.refused(3, "there is no space", "space", "show", space)
        self.ctl("integration", "delete", "hub", "--yes")


if __name__ == "__main__":
    unittest.main()
