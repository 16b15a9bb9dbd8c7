# SPDX-License-Identifier: Apache-2.0
"""jfrog.so against the stand-in for Artifactory, with a real registry behind it."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Client, Daemon, Registry, sets, workdir  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from standin.artifactory import Artifactory  # noqa: E402

USER, PASSWORD = "joe", "secret-jf"


class Case(unittest.TestCase):
    """A registry with the demo's images under docker-local, and Artifactory before it."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.registry = Registry(os.path.join(cls.dir, "registry"), delete=True)
        cls.registry.start()
        cls.addClassCleanup(cls.registry.stop)
        sets.push_set(Client(cls.registry.url), sets.demo(), prefix="docker-local/")

    def artifactory(self, **how):
        standin = Artifactory(self.registry.url, **how)
        self.addCleanup(standin.stop)
        return standin

    def call(self, standin, slot, *args, **env):
        options = {"address": standin.url, "username": USER, "password": PASSWORD}
        options.update(env.pop("options", {}))
        return drive("jfrog", options, slot, *args, **env)

    def ok(self, *args, **env):
        done = self.call(*args, **env)
        self.assertIsNone(done.error, done.text)
        return done


class Probe(Case):
    def test_version_and_license_are_facts(self):
        facts = self.ok(self.artifactory(), "probe", '{"scope":"platform"}').facts()
        self.assertEqual("Artifactory", facts["product"])
        self.assertEqual("7.98.9", facts["version"])
        self.assertEqual("Enterprise", facts["license"])

    def test_every_form_of_the_address_is_taken(self):
        standin = self.artifactory()
        for tail in ("", "/", "/artifactory", "/artifactory/", "/ui/login"):
            self.ok(standin, "probe", "{}", options={"address": standin.url + tail})

    def test_a_token_in_place_of_a_password(self):
        self.ok(self.artifactory(), "probe", "{}",
                options={"username": "", "password": "", "token": PASSWORD})

    def test_a_wrong_password_is_auth(self):
        done = self.call(self.artifactory(), "probe", "{}", options={"password": "wrong"})
        self.assertEqual("auth", done.error["code"])
        self.assertNotIn("wrong", done.error["message"] + done.error["cause"])

    def test_an_old_version_is_refused_by_name(self):
        done = self.call(self.artifactory(version="6.23.1"), "probe", "{}")
        self.assertEqual("unsupported", done.error["code"])
        self.assertIn("6.23.1", done.error["message"])

    def test_another_server_is_no_artifactory(self):
        done = drive("jfrog", {"address": self.registry.url}, "probe", "{}")
        self.assertEqual("protocol", done.error["code"])


class Browse(Case):
    def test_keys_are_spaces_with_kind_and_push(self):
        spaces = {s["name"]: s["more"] for s in self.ok(self.artifactory(), "spaces").of("space")}
        self.assertEqual(("local", True), (spaces["docker-local"]["mode"],
                                           spaces["docker-local"]["push"]))
        self.assertEqual(("proxy", False), (spaces["hub-remote"]["mode"],
                                            spaces["hub-remote"]["push"]))
        self.assertEqual("docker-local", spaces["docker"]["deploys_to"])

    def test_repositories_and_digests_by_one_query(self):
        standin = self.artifactory()
        done = self.ok(standin, "resolve", "docker-local")
        tags = {(t["id"], t["name"]): t["digest"] for t in done.of("tag")}
        self.assertIn(("docker-local/shop/web", "2.0.0"), tags)
        self.assertRegex(tags["docker-local/shop/web", "2.0.0"], "^sha256:[0-9a-f]{64}$")
        self.assertEqual(1, standin.requests.count(("POST", "/artifactory/api/search/aql")))
        self.assertIn("docker-local/shop/tool",
                      self.ok(standin, "repositories", "docker-local").names("repository"))

    def test_without_aql_the_catalog_is_read(self):
        standin = self.artifactory(aql=False)
        names = self.ok(standin, "repositories", "docker-local").names("repository")
        self.assertIn("docker-local/shop/web", names)
        tags = self.ok(standin, "tags", "docker-local/shop/web").names("tag")
        self.assertEqual({"1.0.0", "1.1.0", "2.0.0"}, {t for t in tags if "sha256" not in t})
        self.assertEqual("unsupported",
                         self.call(standin, "resolve", "docker-local").error["code"])

    def test_an_artifact_has_its_platforms(self):
        item, = self.ok(self.artifactory(), "artifact", "docker-local/shop/tool",
                        "3.2").of("artifact")
        self.assertEqual("index", item["more"]["kind"])
        self.assertEqual({"linux/amd64", "linux/arm64"},
                         {p["platform"] for p in item["more"]["platforms"]})

    def test_an_unknown_key_is_not_found(self):
        done = self.call(self.artifactory(), "repositories", "nope")
        self.assertEqual("not-found", done.error["code"])

    def test_a_query_can_not_be_broken_out_of(self):
        done = self.ok(self.artifactory(), "tags", 'docker-local/a"}).include("*")')
        self.assertEqual([], done.of("tag"))


class Change(Case):
    def test_a_tag_is_deleted_and_its_sisters_stay(self):
        standin = self.artifactory()
        self.ok(standin, "tag_delete", "docker-local/shop/web", "1.0.0")
        tags = self.ok(standin, "tags", "docker-local/shop/web").names("tag")
        self.assertNotIn("1.0.0", tags)
        self.assertIn("1.1.0", tags)

    def test_a_dry_run_deletes_nothing(self):
        standin = self.artifactory()
        self.ok(standin, "tag_delete", "docker-local/shop/web", "1.1.0", dry_run=1)
        self.assertFalse([r for r in standin.requests if r[0] == "DELETE"])

    def test_remote_and_virtual_keys_say_why_not(self):
        standin = self.artifactory()
        for key, word in (("hub-remote", "caches"), ("docker", "virtual")):
            done = self.call(standin, "tag_delete", key + "/a", "1")
            self.assertEqual("read-only", done.error["code"])
            self.assertIn(word, done.error["message"])
        self.assertFalse([r for r in standin.requests if r[0] == "DELETE"])

    def test_a_description_is_a_property(self):
        standin = self.artifactory()
        self.ok(standin, "describe", "docker-local/shop/web", "# Web äöü")
        self.assertEqual({"berth.description": "# Web äöü"},
                         standin.properties["docker-local/shop/web"])


class Copying(Case):
    def test_images_go_there_and_back(self):
        standin = self.artifactory()
        plain = Registry(os.path.join(self.dir, "plain"))
        plain.start()
        self.addCleanup(plain.stop)
        secret = os.path.join(self.dir, "password")
        with open(secret, "w", encoding="utf-8") as file:
            file.write(PASSWORD + "\n")
        daemon = Daemon(os.path.join(self.dir, "berth"))
        daemon.start()
        self.addCleanup(daemon.stop)

        def ctl(*args):
            done = daemon.ctl(*args)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            return done.stdout

        ctl("integration", "add", "jf", "--kind", "jfrog", "--address", standin.url,
            "--username", USER, "--password-file", secret)
        ctl("integration", "add", "plain", "--kind", "dockerreg", "--address", plain.url)
        ctl("copy", "jf/docker-local/shop/tool:3.2", "plain/tool:3.2")
        ctl("copy", "plain/tool:3.2", "jf/docker-local/back/tool:3.2")
        shown = [json.loads(ctl("image", "show", ref, "-o", "json"))["digest"] for ref in (
            "jf/docker-local/shop/tool:3.2", "plain/tool:3.2", "jf/docker-local/back/tool:3.2")]
        self.assertEqual(1, len(set(shown)))


if __name__ == "__main__":
    unittest.main()
