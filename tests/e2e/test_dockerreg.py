# SPDX-License-Identifier: Apache-2.0
"""dockerreg.so by itself, slot by slot, on real registries.

Each class starts what it needs and calls the plugin through build/tests/drive,
which is a host made of the environment.
"""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from berthtest import (Authority, Client, Image, Registry, Registry3, TokenServer,  # noqa: E402
                       free_port, workdir)
from berthtest import images, sets  # noqa: E402
from berthtest.drive import drive as call_slot  # noqa: E402

USER, PASSWORD = "berth-user", "pass word:with \"odd\" signs"


def drive(options, slot, *args, **env):
    return call_slot("dockerreg", options, slot, *args, **env)


class Case(unittest.TestCase):
    def ok(self, options, slot, *args, **env):
        done = drive(options, slot, *args, **env)
        self.assertIsNone(done.error, done.text)
        return done

    def fails(self, code, options, slot, *args, **env):
        done = drive(options, slot, *args, **env)
        self.assertIsNotNone(done.error, f"{slot} {args} succeeded: {done.text}")
        self.assertEqual(done.error["code"], code, done.text)
        self.assertNotIn("\n", done.error["message"])
        self.assertNotIn(PASSWORD, done.text)
        return done.error


class Both:
    """What holds for 2.8 and 3 alike; a mixin, so that it runs for each."""

    make = None
    has_tag_delete = False

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        # Small pages, so that every list has several (2.8 does not page tags).
        cls.registry = cls.make(os.path.join(cls.dir, "registry"),
                                extra={"catalog": {"maxentries": 20}, "tags": {"maxtags": 20}})
        cls.registry.start()
        cls.addClassCleanup(cls.registry.stop)
        cls.client = Client(cls.registry.url)
        cls.addClassCleanup(cls.client.close)
        cls.demo = sets.push_set(cls.client, sets.demo())
        cls.signed = sets.demo_attach(cls.client, cls.demo)
        cls.options = {"address": cls.registry.url}

    def image(self, repository, tag):
        return next(one for name, its_tag, one in self.demo if (name, its_tag) == (repository, tag))

    def served(self):
        """How many requests the registry has answered, when nobody is connected."""
        self.client.close()  # it connects again by itself
        return len(self.registry.requests())

    def test_a_probe_tells_product_version_and_rights(self):
        facts = self.ok(self.options, "probe").facts()
        self.assertEqual(facts["product"], "distribution")
        self.assertEqual(facts["version"], "3.x" if self.has_tag_delete else "2.x")
        self.assertEqual(facts["rights"], {"anonymous": True, "list": True})
        self.assertEqual("tag-delete" in facts["features"], self.has_tag_delete)

    def test_an_overview_counts_what_is_cheap(self):
        facts = self.ok(self.options, "overview").facts()
        self.assertEqual(facts["spaces"], 1)
        self.assertGreaterEqual(facts["repositories"], 6)

    def test_prefixes_are_spaces_and_the_rest_is_default(self):
        options = {**self.options, "prefixes": "shop, team/payments,team"}
        spaces = self.ok(options, "spaces")
        self.assertEqual(spaces.names("space"), ["default", "shop", "team/payments", "team"])
        self.assertTrue(all(one["more"]["public"] for one in spaces.items))
        listed = {name: self.ok(options, "repositories", name).names("repository")
                  for name in ("shop", "team/payments", "team", "default")}
        self.assertIn("shop/web", listed["shop"])
        self.assertEqual(listed["team/payments"],
                         ["team/payments/backend/services/ledger-v2"])
        self.assertEqual(listed["team"], [])
        self.assertIn("legacy/app", listed["default"])
        every = self.ok(options, "repositories").names("repository")
        self.assertEqual(sorted(every), sorted(sum(listed.values(), [])))
        self.fails("not-found", options, "repositories", "nowhere")

    def test_tags_are_listed_to_the_last(self):
        image = self.image("legacy/app", "stable")
        wanted = [f"t{number:04}" for number in range(55)]
        self.client.push("many/tags", image, *wanted)
        self.assertEqual(sorted(self.ok(self.options, "tags", "many/tags").names("tag")), wanted)

    def test_repositories_are_listed_to_the_last(self):
        image = Image([images.random_layer("tiny", 64)])
        known = {}
        for number in range(45):
            self.client.push(f"pages/r{number:03}", image, "1", known=known)
        before = self.served()
        listed = self.ok({**self.options, "prefixes": "pages"}, "repositories", "pages")
        self.assertEqual(listed.names("repository"), [f"pages/r{n:03}" for n in range(45)])
        self.assertGreater(self.served() - before, 3)

    def test_tags_of_nothing_are_not_found(self):
        self.fails("not-found", self.options, "tags", "no/such")
        self.fails("invalid", self.options, "tags", "No/Such")

    def test_an_image_is_shown_with_layers_and_history(self):
        image = self.image("shop/web", "1.0.0")
        item, = self.ok(self.options, "artifact", "shop/web", "1.0.0").of("artifact")
        doc = item["more"]
        self.assertEqual(item["digest"], image.digest)
        self.assertEqual((doc["kind"], doc["platform"]), ("image", "linux/amd64"))
        self.assertEqual([one["digest"] for one in doc["layers"]],
                         [layer.digest for layer in image.layers])
        self.assertEqual(doc["layers"][1]["created_by"], "COPY layer 1 /")
        self.assertEqual(doc["size"], sum(blob.size for blob in image.blobs()))
        self.assertEqual(doc["config"]["labels"], {"org.opencontainers.image.version": "1.0.0"})
        self.assertEqual(doc["created"], images.CREATED)
        self.assertEqual(len(doc["history"]), len(image.layers))
        self.assertNotIn("Env", json.dumps(doc))
        by_digest, = self.ok(self.options, "artifact", "shop/web", image.digest).of("artifact")
        self.assertEqual(by_digest["more"], doc)

    def test_an_index_is_shown_with_its_platforms(self):
        index = self.image("shop/tool", "3.2")
        doc = self.ok(self.options, "artifact", "shop/tool", "3.2").of("artifact")[0]["more"]
        self.assertEqual(doc["kind"], "index")
        self.assertEqual([one["platform"] for one in doc["platforms"]],
                         ["linux/amd64", "linux/arm64"])
        self.assertEqual(doc["platforms"][0]["size"],
                         sum(blob.size for blob in index.children()[0].blobs()))
        self.assertEqual([one["attests"] for one in doc["attestations"]],
                         [child.digest for child in index.children()[:2]])

    def test_a_docker_image_is_shown(self):
        doc = self.ok(self.options, "artifact", "legacy/app", "stable").of("artifact")[0]["more"]
        self.assertEqual((doc["kind"], doc["media_type"]), ("image", images.DOCKER_MANIFEST))

    def test_referrers_are_found_by_stand_in_tag_and_cosign_tag(self):
        done = self.ok(self.options, "artifact", "shop/web", "2.0.0")
        doc = done.of("artifact")[0]["more"]
        self.assertEqual((doc["signatures"], doc["sboms"]), (2, 1))
        kinds = sorted(one["more"]["kind"] for one in done.of("referrer"))
        self.assertEqual(kinds, ["sbom", "signature", "signature"])
        for one in done.of("referrer"):
            self.assertEqual(one["more"]["subject"], self.signed.digest)

    def test_a_helm_chart_is_told_apart(self):
        config = images.Blob("application/vnd.cncf.helm.config.v1+json",
                             images.to_json({"name": "web", "version": "1.2.3",
                                             "description": "x" * 1000}))
        chart = Image([images.Blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"c")],
                      config=config)
        self.client.push("charts/web", chart, "1.2.3")
        doc = self.ok(self.options, "artifact", "charts/web", "1.2.3").of("artifact")[0]["more"]
        self.assertEqual((doc["kind"], doc["title"], doc["version"]),
                         ("helm-chart", "web", "1.2.3"))
        self.assertLess(len(doc["description"]), 400)

    def test_a_huge_config_still_fits_in_one_frame(self):
        labels = {f"label-{number}": "y" * 2000 for number in range(500)}
        history = [{"created": images.CREATED, "created_by": "RUN " + "z" * 3000}] * 400
        image = Image([images.random_layer("huge", 64)],
                      {"config": {"Labels": labels}, "history": history},
                      annotations={f"note-{number}": "é" * 1500 for number in range(300)})
        self.client.push("huge/app", image, "1")
        item, = self.ok(self.options, "artifact", "huge/app", "1").of("artifact")
        self.assertLess(len(json.dumps(item["more"], ensure_ascii=False).encode()), 60000)
        self.assertTrue(item["more"]["cut"])

    def test_what_is_not_there_is_not_found(self):
        self.fails("not-found", self.options, "artifact", "shop/web", "none")
        self.fails("not-found", self.options, "artifact", "shop/web", "sha256:" + "0" * 64)
        self.fails("invalid", self.options, "artifact", "shop/web", "-none")

    def test_a_lone_tag_is_deleted(self):
        image = Image([images.random_layer("lone", 64)])
        self.client.push("gone/app", image, "lone")
        self.ok(self.options, "tag_delete", "gone/app", "lone", dry_run=1)
        self.assertEqual(self.client.tags("gone/app"), ["lone"])
        self.ok(self.options, "tag_delete", "gone/app", "lone")
        self.assertEqual(self.client.tags("gone/app"), [])
        self.fails("not-found", self.options, "tag_delete", "gone/app", "lone")

    def test_a_shared_digest_is_never_lost_with_one_tag(self):
        image = Image([images.random_layer("both", 64)])
        self.client.push("shared/app", image, "one", "two")
        if self.has_tag_delete:
            self.ok(self.options, "tag_delete", "shared/app", "one")
            self.assertEqual(self.client.tags("shared/app"), ["two"])
        else:
            error = self.fails("conflict", self.options, "tag_delete", "shared/app", "one")
            self.assertIn("two", error["cause"])
            self.assertEqual(self.client.tags("shared/app"), ["one", "two"])

    def test_an_artifact_goes_with_all_its_tags(self):
        image, other = (Image([images.random_layer(seed, 64)]) for seed in "ab")
        self.client.push("all/app", image, "one", "two")
        self.client.push("all/app", other, "three")
        self.ok(self.options, "artifact_delete", "all/app", image.digest)
        self.assertIsNone(self.client.digest("all/app", image.digest))
        self.assertEqual(self.client.digest("all/app", "three"), other.digest)
        self.fails("not-found", self.options, "artifact_delete", "all/app", image.digest)

    def test_a_repository_goes_whole(self):
        made = [Image([images.random_layer(f"whole/{number}", 64)]) for number in range(3)]
        for number, image in enumerate(made):
            self.client.push("whole/app", image, f"a{number}", f"b{number}")
        planned = self.ok(self.options, "repository_delete", "whole/app", dry_run=1)
        self.assertEqual(len(planned.of("step")), 3)
        self.assertEqual(len(self.client.tags("whole/app")), 6)
        done = self.ok(self.options, "repository_delete", "whole/app")
        self.assertEqual({one["digest"] for one in done.of("step")},
                         {image.digest for image in made})
        self.assertEqual(self.client.tags("whole/app"), [])

    def test_the_endpoint_is_told_without_the_network(self):
        options = {"address": "http://127.0.0.1:1/base/", "username": "u", "password": "p"}
        item, = self.ok(options, "oci_endpoint", "a/b").items
        self.assertEqual(item, {"base_url": "http://127.0.0.1:1/base", "repository": "a/b",
                                "username": "u", "has_password": True, "flags": 0})

    def test_a_sink_that_has_enough_is_obeyed(self):
        error = self.fails("cancelled", self.options, "repositories", stop_after=1)
        self.assertIn("cannot list", error["message"])

    def test_an_address_that_is_not_allowed_is_not_connected_to(self):
        before = self.served()
        self.fails("address", self.options, "probe", deny=1)
        self.assertEqual(self.served(), before)


class Version2(Both, Case):
    make = staticmethod(Registry)


class Version3(Both, Case):
    make = staticmethod(Registry3)
    has_tag_delete = True


class DeletionOff(Case):
    def check(self, make):
        with make(os.path.join(workdir(self), "registry"), delete=False) as registry:
            client = Client(registry.url)
            self.addCleanup(client.close)
            image = client.push("a/b", Image([images.random_layer("off", 64)]), "1")
            options = {"address": registry.url}
            for call in (("tag_delete", "a/b", "1"), ("artifact_delete", "a/b", image.digest),
                         ("repository_delete", "a/b")):
                error = self.fails("unsupported", options, *call)
                self.assertIn("storage.delete.enabled", error["cause"])
            self.assertEqual(client.digest("a/b", "1"), image.digest)

    def test_it_is_told_apart_at_version_2(self):
        self.check(Registry)

    def test_it_is_told_apart_at_version_3(self):
        self.check(Registry3)


class Access(Case):
    """Basic and Bearer, right and wrong."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.login = {"username": USER, "password": PASSWORD}

    def start(self, make, name, **how):
        registry = make(os.path.join(self.dir, name), **how).start()
        self.addCleanup(registry.stop)
        return registry

    def check_basic(self, make, name):
        registry = self.start(make, name, users={USER: PASSWORD})
        options = {"address": registry.url}
        facts = self.ok({**options, **self.login}, "probe").facts()
        self.assertEqual(facts["rights"], {"anonymous": False, "list": True})
        error = self.fails("auth", options, "probe")
        self.assertIn("asks for a user and a password", error["message"])
        before = len(registry.requests())
        error = self.fails("auth", {**options, "username": USER, "password": "wrong"}, "probe")
        self.assertIn("password was refused", error["message"])
        self.assertLessEqual(len(registry.requests()) - before, 2)
        spaces = self.ok({**options, **self.login}, "spaces")
        self.assertFalse(spaces.items[0]["more"]["public"])

    def test_basic_at_version_2(self):
        self.check_basic(Registry, "basic-2")

    def test_basic_at_version_3(self):
        self.check_basic(Registry3, "basic-3")

    def check_bearer(self, make, name):
        tokens = TokenServer(os.path.join(self.dir, name + "-tokens"), users={USER: PASSWORD})
        self.addCleanup(tokens.stop)
        registry = self.start(make, name, tokens=tokens)
        client = Client(registry.url, USER, PASSWORD)
        self.addCleanup(client.close)
        image = client.push("a/b", Image([images.random_layer(name, 64)]), "1")
        options = {"address": registry.url, **self.login}
        self.assertEqual(self.ok(options, "probe").facts()["rights"]["list"], True)
        self.assertEqual(self.ok(options, "repositories").names("repository"), ["a/b"])
        tokens.requests.clear()
        item, = self.ok(options, "artifact", "a/b", "1").of("artifact")
        self.assertEqual(item["digest"], image.digest)
        self.assertEqual(tokens.requests, [("GET", USER, ["repository:a/b:pull"])])
        error = self.fails("auth", {**options, "password": "wrong"}, "probe")
        self.assertIn("token server", error["message"])
        self.check_anonymous(registry.url)

    def check_anonymous(self, url):
        """Pull for all, the rest for users: what a public registry looks like."""
        facts = self.ok({"address": url}, "probe").facts()
        self.assertEqual(facts["rights"], {"anonymous": True, "list": False})
        self.assertEqual(self.ok({"address": url}, "tags", "a/b").names("tag"), ["1"])
        error = self.fails("auth", {"address": url}, "tag_delete", "a/b", "1")
        self.assertIn("asks for a user", json.dumps(error))

    def test_bearer_at_version_2(self):
        self.check_bearer(Registry, "bearer-2")

    def test_bearer_at_version_3(self):
        self.check_bearer(Registry3, "bearer-3")

    def test_a_user_without_the_right_is_told_so(self):
        def grant(user, kind, name, actions):
            return [one for one in actions if one == "pull" and kind == "repository"]
        tokens = TokenServer(os.path.join(self.dir, "few-tokens"), users={USER: PASSWORD},
                             grant=grant)
        self.addCleanup(tokens.stop)
        registry = self.start(Registry, "few", tokens=tokens)
        options = {"address": registry.url, **self.login}
        facts = self.ok(options, "probe").facts()
        self.assertEqual(facts["rights"], {"anonymous": False, "list": False})
        self.fails("denied", options, "artifact_delete", "a/b", "sha256:" + "0" * 64)


class Secure(Case):
    """https: private authority, client certificate, and what must be refused."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.authority = Authority(os.path.join(cls.dir, "ca"))

    def registry(self, name, **how):
        registry = Registry(os.path.join(self.dir, name), **how).start()
        self.addCleanup(registry.stop)
        return {"address": registry.url, "tls_ca": "@" + self.authority.ca}

    def test_a_private_authority_is_trusted_when_given(self):
        options = self.registry("private", tls=self.authority)
        self.ok(options, "probe")
        error = self.fails("tls", {"address": options["address"]}, "probe")
        self.assertIn("give its CA", error["message"])
        self.ok({"address": options["address"], "tls_verify": "false"}, "probe")
        stranger = Authority(os.path.join(self.dir, "other-ca"))
        self.fails("tls", {**options, "tls_ca": "@" + stranger.ca}, "probe")

    def test_a_client_certificate_is_shown_when_given(self):
        options = self.registry("client", tls=self.authority, clients=self.authority.ca)
        error = self.fails("tls", options, "probe")
        self.assertIn("client certificate", error["message"])
        cert, key = self.authority.issue("a-client", client=True)
        self.ok({**options, "tls_client_cert": "@" + cert, "tls_client_key": "@" + key}, "probe")

    def test_each_bad_certificate_is_named(self):
        make = self.authority
        for name, pair, words in (
                ("expired", make.issue_expired("expired"), "has expired"),
                ("future", make.issue_future("future"), "not valid yet"),
                ("wrong-name", make.issue("wrong-name", hosts=("other.example",)), "another name"),
                ("weak", make.issue("weak", rsa_bits=1024), "too weak")):
            with self.subTest(name):
                error = self.fails("tls", self.registry(name, tls=pair), "probe")
                self.assertIn(words, error["message"])

    def test_http_and_https_mixed_up_are_told_apart(self):
        options = self.registry("mixed", tls=self.authority)
        plain = options["address"].replace("https:", "http:")
        error = self.fails("protocol", {"address": plain}, "probe")
        self.assertIn("https://", error["message"])
        with Registry(os.path.join(self.dir, "plain")) as registry:
            https = registry.url.replace("http:", "https:")
            error = self.fails("tls", {"address": https}, "probe")
            self.assertIn("plain http", error["message"])


class Nowhere(Case):
    """Addresses at which there is no registry."""

    def test_a_closed_port_is_unavailable(self):
        error = self.fails("unavailable", {"address": f"http://127.0.0.1:{free_port()}"}, "probe")
        self.assertGreater(error["retry_ms"], 0)

    def test_a_name_that_does_not_exist_is_told(self):
        error = self.fails("unavailable", {"address": "http://no-such-host.invalid"}, "probe")
        self.assertIn("name", error["message"])

    def test_bad_options_are_named(self):
        self.assertIn("address", self.fails("invalid", {}, "spaces")["cause"])
        for address in ("registry.example", "ftp://x", "http://u:p@x", "http://x/?q", "http://"):
            with self.subTest(address):
                self.fails("invalid", {"address": address}, "spaces")
        good = {"address": "http://x"}
        self.fails("invalid", {**good, "tls_verify": "maybe"}, "spaces")
        self.fails("invalid", {**good, "prefixes": "Shop"}, "spaces")
        self.fails("invalid", {**good, "prefixes": "default"}, "spaces")
        self.fails("invalid", {**good, "username": "a:b"}, "spaces")
        self.fails("invalid", {**good, "tls_ca": "no pem"}, "spaces")
        self.fails("invalid", {**good, "tls_client_cert": "no pem"}, "spaces")


if __name__ == "__main__":
    unittest.main()
