# SPDX-License-Identifier: Apache-2.0
"""harbor.so through the daemon: at the stand-in as 2.15 and as 2.5, or at a real
Harbor named by BERTH_TEST_HARBOR."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from berthtest import Client, Image, Registry  # noqa: E402
from berthtest.apicase import quote  # noqa: E402
from berthtest.harborcase import HarborCase  # noqa: E402
from berthtest.images import multi_arch, random_layer, referrer  # noqa: E402


def image(seed, size=3000):
    return Image([random_layer(f"{seed}/base", size), random_layer(f"{seed}/top", 500)],
                 {"config": {"Labels": {"seed": seed}}})


class Driven(HarborCase):
    """What every version does alike."""

    def shown(self, reference):
        return json.loads(self.daemon.ctl_ok("image", "show", reference, "-o", "json"))

    def test_the_proof_says_version_and_rights(self):
        status = self.api.get("/v1/integrations/harbor")["status"]
        self.assertEqual("healthy", status["phase"], status)
        self.assertRegex(status["version"], r"^v?2\." + self.version.partition(".")[2])

    def test_projects_are_spaces_and_their_images_are_found(self):
        project = self.name("browse", public=False)
        self.push(project, "team/app", image("one"), "1.0", "latest")
        self.push(project, "other", image("two"), "v2")
        self.refresh()
        space = self.space("harbor", project)
        self.assertEqual([f"{project}/other", f"{project}/team/app"],
                         sorted(self.names(f"/v1/spaces/{space}/images")))
        tags = self.names(f"/v1/spaces/{space}/images/{quote(project + '/team/app')}")
        self.assertEqual(["1.0", "latest"], sorted(tags))

    def test_one_project_or_repository_is_read_alone(self):
        one, other = self.name("part", public=False), self.name("rest", public=False)
        self.push(one, "app", image("part"), "1.0")
        self.refresh()
        self.push(one, "app", image("part two"), "2.0")
        self.push(one, "web", image("part web"), "1.0")
        self.push(other, "app", image("rest"), "1.0")
        self.refresh(repositories=[f"{one}/app"])
        images = f"/v1/spaces/{self.space('harbor', one)}/images"
        tags = f"{images}/{quote(one + '/app')}"
        self.assertEqual(["1.0", "2.0"], sorted(self.names(tags)))
        self.assertEqual([f"{one}/app"], self.names(images))
        self.refresh(space=one)
        self.assertEqual([f"{one}/app", f"{one}/web"], sorted(self.names(images)))
        self.assertEqual([], self.names(f"/v1/spaces/{self.space('harbor', other)}/images"))
        refused = self.api.request("POST", "/v1/integrations/harbor/refresh", {"space": "none~"})
        self.assertEqual(422, refused.status)

    def test_an_artifact_shows_tags_labels_platform_and_history(self):
        project = self.name("show", public=False)
        one = self.push(project, "deep/er/app", image("show"), "1.0", "again")
        self.refresh()
        found = self.shown(f"harbor/{project}/deep/er/app:1.0")
        self.assertEqual(one.digest, found["digest"])
        self.assertEqual({"1.0", "again"}, set(found["tags"]))
        self.assertEqual("linux/amd64", found["platform"])
        self.assertEqual({"seed": "show"}, found["config"]["labels"])
        text = self.daemon.ctl_ok("image", "show", f"harbor/{project}/deep/er/app:1.0")
        self.assertRegex(text, r"\nHistory\n  COPY layer 0 /\n")

    def test_an_index_shows_its_platforms(self):
        project = self.name("index", public=False)
        both = multi_arch({arch: Image([random_layer(arch, 900)], architecture=arch)
                           for arch in ("amd64", "arm64")})
        self.push(project, "tool", both, "3.2")
        self.refresh()
        found = self.shown(f"harbor/{project}/tool:3.2")
        self.assertEqual("index", found["kind"])
        self.assertLessEqual({"linux/amd64", "linux/arm64"},
                             {p["platform"] for p in found["platforms"]})

    def test_a_signature_is_a_referrer_and_no_artifact_of_the_list(self):
        project = self.name("signed", public=False)
        one = self.push(project, "app", image("signed"), "1.0")
        with Client(self.url, *self.login) as client:
            client.sign(f"{project}/app", one)
        self.refresh()
        found = self.shown(f"harbor/{project}/app:1.0")
        self.assertIn("signature", {r["kind"] for r in found["referrers"]})

    def test_a_deleted_tag_leaves_the_digest_and_its_other_tags(self):
        project = self.name("delete", public=False)
        one = self.push(project, "app", image("delete"), "1.0", "keep")
        self.refresh()
        self.daemon.ctl_ok("image", "delete", f"harbor/{project}/app:1.0", "--yes")
        with Client(self.url, *self.login) as client:
            self.assertEqual(["keep"], client.tags(f"{project}/app"))
            self.assertEqual(one.digest, client.digest(f"{project}/app", "keep"))

    def test_an_immutable_tag_is_kept_and_the_rule_is_named(self):
        project = self.name("immutable", public=False)
        self.push(project, "app", image("immutable"), "rel-1")
        self.harbor_api().call("POST", f"/projects/{project}/immutabletagrules", {
            "disabled": False, "action": "immutable", "template": "immutable_template",
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches",
                               "pattern": "rel-*"}],
            "scope_selectors": {"repository": [{"kind": "doublestar",
                                                "decoration": "repoMatches",
                                                "pattern": "**"}]}})
        self.refresh()
        done = self.daemon.ctl("image", "delete", f"harbor/{project}/app:rel-1", "--yes")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("immutab", done.stdout + done.stderr)
        rules = self.harbor_api().call("GET", f"/projects/{project}/immutabletagrules")
        self.harbor_api().call("DELETE", f"/projects/{project}/immutabletagrules/"
                               f"{rules[0]['id']}")

    def test_images_are_copied_in_and_out_and_within(self):
        plain = Registry(os.path.join(self.dir, f"plain-{self._numbers}"))
        plain.start()
        self.addCleanup(plain.stop)
        self.daemon.add(f"plain{self._numbers}", plain)
        outside = f"plain{self._numbers}"
        project, second = self.name("from", public=False), self.name("to", public=False)
        one = self.push(project, "app", image("copy", 200_000), "1.0")
        self.refresh()
        self.daemon.ctl_ok("copy", f"harbor/{project}/app:1.0", f"{outside}/app:1.0")
        self.daemon.ctl_ok("copy", f"{outside}/app:1.0", f"harbor/{project}/back:1.0")
        self.daemon.ctl_ok("copy", f"harbor/{project}/app:1.0", f"harbor/{second}/app:1.0")
        with Client(self.url, *self.login) as client:
            for repository in (f"{project}/back", f"{second}/app"):
                self.assertEqual(one.digest, client.digest(repository, "1.0"))
                client.closure(repository, "1.0")
        with Client(plain.url) as client:
            client.closure("app", "1.0")


class AsOf215(Driven):
    version = "2.15"

    def test_what_has_a_subject_is_what_its_artifact_type_says(self):
        project = self.name("attached", public=False)
        one = self.push(project, "app", image("attached"), "1.0")
        with Client(self.url, *self.login) as client:
            client.push(f"{project}/app", referrer(one, "application/spdx+json", b"{}"))
        self.refresh()
        found = self.shown(f"harbor/{project}/app:1.0")["referrers"]
        self.assertEqual([("sbom", "application/spdx+json")],
                         [(r["kind"], r["artifact_type"]) for r in found])

    def test_an_image_with_many_referrers_is_shown_in_three_requests(self):
        project = self.name("many", public=False)
        one = self.push(project, "app", image("many"), "1.0")
        with Client(self.url, *self.login) as client:
            for number in range(4):
                client.push(f"{project}/app", referrer(one, "application/vnd.example.thing",
                                                       b"%d" % number))
        self.refresh()
        since = len(self.standin.requests) if self.standin else 0
        found = self.shown(f"harbor/{project}/app:1.0")["referrers"]
        self.assertEqual(["application/vnd.example.thing"] + ["subject.accessory"] * 3,
                         sorted(one["artifact_type"] for one in found))
        if self.standin:
            asked = [path for _, path, _, _ in self.standin.requests[since:]
                     if "/artifacts/" in path]
            self.assertEqual(3, len(asked), asked)


class AsOf25(Driven):
    version = "2.5"


class Counted(HarborCase):
    """What only a stand-in can tell."""

    standin_only = True

    def test_one_password_check_serves_every_job(self):
        self.refresh()
        project = self.name("counted", public=False)
        self.push(project, "app", image("counted"), "1.0")
        self.standin.reset_counts()
        self.refresh()
        self.refresh()
        self.daemon.ctl_ok("image", "show", f"harbor/{project}/app:1.0")
        self.assertLessEqual(self.counts["password check"], 1, self.counts)


class TooOld(HarborCase):
    """Before 2.4.0."""

    version = "2.3"
    integrate = False
    standin_only = True

    def test_it_is_refused_by_name(self):
        done = self.daemon.ctl("integration", "add", "old", "--kind", "harbor", "--address",
                               self.url, "--username", self.username, "--password-file",
                               self.secret_file)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("2.3.0", done.stdout + done.stderr)
        self.assertIn("2.4.0", done.stdout + done.stderr)


del Driven

if __name__ == "__main__":
    unittest.main()
