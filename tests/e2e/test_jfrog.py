# SPDX-License-Identifier: Apache-2.0
"""jfrog.so against the stand-in for Artifactory, with a real registry behind it."""

import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Client, Daemon, Registry, sets, workdir  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from standin.artifactory import HTML, Artifactory, Fault  # noqa: E402

USER, PASSWORD = "joe", "secret-jf"
behind = None


def setUpModule():
    """One registry for all, with the demo's images under docker-local."""
    global behind
    behind = Registry(tempfile.mkdtemp(prefix="berth-jfrog-"), delete=True)
    unittest.addModuleCleanup(shutil.rmtree, behind.dir)
    behind.start()
    unittest.addModuleCleanup(behind.stop)
    sets.push_set(Client(behind.url), sets.demo(), prefix="docker-local/")


class Case(unittest.TestCase):
    """Artifactory before the registry. What a test deletes is gone at its own stand-in."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        cls.registry = behind

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
            done = self.ok(standin, "probe", "{}", options={"address": standin.url + tail})
            self.assertEqual(standin.url + "/ui/", done.facts()["console"])

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


class Credentials(Case):
    """Each kind proves itself by the list of keys, and reaches a key's registry."""

    def proves(self, reads=True, **options):
        standin = self.artifactory()
        given = {"username": "", "password": "", **options}
        self.ok(standin, "probe", "{}", options=given)
        done = self.call(standin, "artifact", "docker-local/shop/web", "2.0.0", options=given)
        if reads:
            self.assertIsNone(done.error, done.text)
        else:
            self.assertEqual("auth", done.error["code"])

    def test_a_user_with_a_password(self):
        self.proves(username=USER, password=PASSWORD)

    def test_an_access_token_alone(self):
        self.proves(token=Artifactory.access_token)

    def test_a_reference_token_alone(self):
        self.proves(token=Artifactory.reference_token)

    def test_an_access_token_as_the_password(self):
        self.proves(username=USER, password=Artifactory.access_token)

    def test_an_api_key_with_its_user(self):
        self.proves(username=USER, api_key=Artifactory.api_key)

    def test_an_api_key_alone_is_for_the_rest_api(self):
        self.proves(reads=False, api_key=Artifactory.api_key)

    def test_none_of_them_is_in_an_error(self):
        for options in ({"token": "wrong-canary"}, {"api_key": "wrong-canary"},
                        {"username": USER, "password": "wrong-canary"}):
            done = self.call(self.artifactory(), "probe", "{}",
                             options={"username": "", "password": "", **options})
            self.assertEqual("auth", done.error["code"])
            self.assertNotIn("canary", done.text + done.stderr)


class Registries(Case):
    """A key's registry by its path, a port of its own, a subdomain."""

    def platforms(self, standin, **options):
        done = self.ok(standin, "artifact", "docker-local/shop/tool", "3.2", options=options)
        return {p["platform"] for p in done.of("artifact")[0]["more"]["platforms"]}

    def test_by_path(self):
        self.assertIn("linux/arm64", self.platforms(self.artifactory()))

    def test_by_a_port(self):
        standin = self.artifactory()
        standin.faults["*", "/api/docker/"] = Fault(404)
        url = standin.docker_port("docker-local")
        self.assertIn("linux/arm64", self.platforms(
            standin, docker_hosts=f"other=http://127.0.0.1:1, docker-local={url}"))

    def test_by_a_subdomain(self):
        standin = self.artifactory()
        standin.faults["*", "/api/docker/"] = Fault(404)
        url = standin.docker_subdomain("docker-local")
        self.assertIn("linux/arm64", self.platforms(standin, docker_hosts=f"docker-local={url}"))

    def test_where_a_push_goes(self):
        standin = self.artifactory()
        flags = {key: self.ok(standin, "oci_endpoint", key + "/a").items[0]["flags"]
                 for key in ("docker-local", "hub-remote", "docker", "sealed")}
        no_push = {key for key, given in flags.items() if given & 2}
        self.assertEqual({"hub-remote", "sealed"}, no_push)
        self.assertTrue(all(given & 1 for given in flags.values()), "uploads by PATCH")


class Browse(Case):
    def test_keys_are_spaces_with_kind_and_push(self):
        spaces = {s["name"]: s["more"] for s in self.ok(self.artifactory(), "spaces").of("space")}
        self.assertEqual(("local", True), (spaces["docker-local"]["mode"],
                                           spaces["docker-local"]["push"]))
        self.assertEqual(("proxy", False), (spaces["hub-remote"]["mode"],
                                            spaces["hub-remote"]["push"]))
        self.assertEqual(("virtual", True, "docker-local"), (
            spaces["docker"]["mode"], spaces["docker"]["push"], spaces["docker"]["deploys_to"]))
        self.assertFalse(spaces["sealed"]["push"])
        self.assertEqual("simple-default", spaces["docker-local"]["layout"])
        self.assertEqual(1024, spaces["docker-local"]["used_bytes"])

    def test_what_only_administrators_see_is_left_out_for_others(self):
        standin = self.artifactory(admin=False)
        spaces = {s["name"]: s["more"] for s in self.ok(standin, "spaces").of("space")}
        self.assertNotIn("used_bytes", spaces["docker-local"])
        self.assertNotIn("push", spaces["docker"])
        self.assertIn("docker-local/shop/web",
                      self.ok(standin, "repositories", "docker-local").names("repository"))
        self.assertEqual({"spaces": 4, "kinds": {"local": 1, "proxy": 1, "virtual": 2}},
                         self.ok(standin, "overview").facts())

    def test_the_overview_has_the_bytes(self):
        facts = self.ok(self.artifactory(), "overview").facts()
        self.assertEqual(1024, facts["bytes"])

    def test_sizes_come_with_the_tags(self):
        tags = {t["name"]: t for t in self.ok(self.artifactory(), "tags",
                                              "docker-local/shop/web").of("tag")}
        artifact, = self.ok(self.artifactory(), "artifact", "docker-local/shop/web",
                            "2.0.0").of("artifact")
        self.assertEqual(artifact["digest"], tags["2.0.0"]["digest"])
        self.assertGreater(tags["2.0.0"]["bytes"], 12 << 20)

    def test_many_keys_take_few_queries(self):
        keys = [(f"team-{i:03}-docker-local", "LOCAL", "") for i in range(300)]
        made = {key: [{"repo": key, "path": f"app/{tag}", "name": "manifest.json", "size": 1,
                       "type": "file", "modified": "2026-10-01T12:00:00.000Z",
                       "sha256": f"{tag:064}"} for tag in range(2)] for key, _, _ in keys}
        standin = self.artifactory(keys=keys, made=made)
        found = self.ok(standin, "repositories").of("repository")
        self.assertEqual([key + "/app" for key, _, _ in keys], [r["name"] for r in found])
        self.assertEqual({2}, {r["more"]["tags"] for r in found})
        self.assertLess(standin.requests.count(("POST", "/artifactory/api/search/aql")), 14)

    def test_a_list_that_the_server_cut_is_not_taken_for_the_whole(self):
        standin = self.artifactory()
        standin.range_extra = {"notification": "AQL query reached the search hard limit"}
        done = self.call(standin, "resolve", "docker-local")
        self.assertEqual("limit", done.error["code"])
        self.assertIn("hard limit", done.error["cause"])

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


    def test_a_description_comes_with_the_list(self):
        standin = self.artifactory()
        self.ok(standin, "describe", "docker-local/shop/web", "# Web äöü")
        found = {r["name"]: r["more"].get("description") for r in self.ok(
            standin, "repositories", "docker-local").of("repository")}
        self.assertEqual("# Web äöü", found["docker-local/shop/web"])
        self.assertIsNone(found["docker-local/shop/api"])


def errors(status):
    return {"errors": [{"status": status, "message": "said no"}]}


FAULTS = (
    # what the server does, the error's code, words of it
    (Fault(401, errors(401)), "auth", "said no"),
    (Fault(409, errors(409)), "conflict", "HTTP 409: said no"),
    (Fault(412, errors(412)), "conflict", "HTTP 412: said no"),
    (Fault(429, errors(429), headers=[("Retry-After", "0")]), "throttled", "HTTP 429"),
    (Fault(500, HTML, "text/html"), "unavailable", "an HTML page"),
    (Fault(503, HTML, "text/html"), "unavailable", "down or in upgrade"),
    (Fault(503, headers=[("Retry-After", "0")]), "throttled", "HTTP 503"),
    (Fault(200, errors(500)), "protocol", "error under a status of success"),
    (Fault(200, HTML, "text/html"), "protocol", "login page"),
    (Fault(302, headers=[("Location", "https://sso.example/login?next=canary")]), "protocol",
     "redirect: HTTP 302 to https://sso.example/login:"),
    (Fault(200, b"[" * 200, drop=True), "unavailable", "ended its answer before its end"),
)
READS = (
    (Fault(200, b'{"results":[{"repo":"docker-lo'), "protocol", "not JSON"),
    (Fault(200, b"[" * 10000), "limit", "deeper than 64"),
    (Fault(200, {}), "protocol", ""),
    (Fault(200, b""), "protocol", ""),
)


TRIES = 3  # net.tries, as drive leaves it


class Faults(Case):
    """Whatever an API can do wrong has a code and a sentence, and no secret."""

    def play(self, standin, slot, args, key, case):
        fault, code, words = case
        standin.faults = {key: fault}
        done = self.call(standin, slot, *args, options={"net_backoff_ms": "1"})
        self.assertEqual(code, done.error["code"], done.text)
        self.assertIn(words, done.error["message"] + ": " + done.error.get("cause", ""))
        self.assertNotIn("canary", done.text)
        self.assertNotIn(PASSWORD, done.text)

    def test_in_the_proof(self):
        standin = self.artifactory()
        for case in FAULTS + READS:
            self.play(standin, "probe", ["{}"], ("GET", "/api/repositories"), case)
        self.play(standin, "probe", ["{}"], ("GET", "/api/repositories"),
                  (Fault(403, errors(403)), "denied", "may not list"))
        self.play(standin, "probe", ["{}"], ("GET", "/api/system/ping"),
                  (Fault(404, HTML, "text/html"), "protocol", "no Artifactory at"))

    def test_in_a_query(self):
        standin = self.artifactory()
        for case in FAULTS + READS:
            self.play(standin, "resolve", ["docker-local"], ("POST", "/api/search/aql"), case)

    def test_in_a_deletion_which_is_sent_again_after_a_429_alone(self):
        standin = self.artifactory()
        for case in FAULTS + ((Fault(403, errors(403)), "denied", "said no"),
                              (Fault(404, errors(404)), "not-found", "said no"),
                              (Fault(405, errors(405)), "unsupported", "said no")):
            standin.requests.clear()
            self.play(standin, "tag_delete", ["docker-local/shop/web", "1.0.0"],
                      ("DELETE", "/docker-local"), case)
            self.assertEqual(TRIES if case[0].status == 429 else 1,
                             [method for method, _ in standin.requests].count("DELETE"))

    def test_a_server_that_says_nothing(self):
        standin = self.artifactory()
        standin.faults["GET", "/api/repositories"] = Fault(silent_s=600)
        done = self.call(standin, "probe", "{}", options={"net_answer_ms": "3000"})
        self.assertEqual("timeout", done.error["code"])

    def test_a_busy_server_is_asked_again(self):
        standin = self.artifactory()
        standin.faults["POST", "/api/search/aql"] = Fault(
            429, errors(429), headers=[("Retry-After", "0")], times=2)
        done = self.ok(standin, "resolve", "docker-local", options={"net_backoff_ms": "1"})
        self.assertTrue(done.of("tag"))
        self.assertEqual(3, standin.requests.count(("POST", "/artifactory/api/search/aql")))

    def test_a_pause_beyond_the_deadline_is_not_waited_for(self):
        standin = self.artifactory()
        standin.faults["GET", "/api/repositories"] = Fault(
            429, errors(429), headers=[("Retry-After", "290")])
        done = self.call(standin, "probe", "{}", deadline_ms=200000)
        self.assertEqual("throttled", done.error["code"])
        self.assertEqual(290000, done.error["retry_ms"])
        self.assertEqual(1, standin.requests.count(("GET", "/artifactory/api/repositories")))


class Commands(Case):
    """The same through berthctl, where the index and its figures are."""

    def setUp(self):
        self.jfrog = self.artifactory()
        self.daemon = Daemon(os.path.join(workdir(self), "berth")).start()
        self.addCleanup(self.daemon.stop)
        token = os.path.join(self.dir, "token")
        with open(token, "w", encoding="utf-8") as file:
            file.write(Artifactory.access_token + "\n")
        self.ctl = self.daemon.ctl_ok
        self.ctl("integration", "add", "jf", "--kind", "jfrog", "--address", self.jfrog.url,
                 "--username", USER, "--password-file", token)

    def rows(self, *args):
        return [json.loads(line) for line in self.ctl(*args, "-o", "ndjson").splitlines()]

    def test_keys_images_tags_and_descriptions_are_shown(self):
        shown = json.loads(self.ctl("integration", "show", "jf", "-o", "json"))
        self.assertEqual("7.98.9", shown["status"]["version"])
        spaces = {s["name"]: s for s in self.rows("space", "list", "--integration", "jf")}
        self.assertEqual({"docker-local": ("local", True), "hub-remote": ("proxy", False),
                          "docker": ("virtual", True), "sealed": ("virtual", False)},
                         {name: (s["mode"], s["push"]) for name, s in spaces.items()
                          if name != "default"})
        tags = {t["name"]: t for t in self.rows("image", "tags", "jf/docker-local/shop/web")}
        self.assertRegex(tags["2.0.0"]["digest"], "^sha256:")
        self.assertGreater(tags["2.0.0"]["bytes"], 12 << 20)
        self.ctl("image", "describe", "jf/docker-local/shop/web", "--set-file", "-",
                 stdin="# Web")
        self.ctl("integration", "refresh", "jf")
        images = {i["name"]: i.get("description") for i in self.rows(
            "image", "list", "jf/docker-local")}
        self.assertEqual("# Web", images["docker-local/shop/web"])

    def test_a_tag_goes_and_remote_and_virtual_keys_say_why_not(self):
        self.ctl("image", "delete", "jf/docker-local/shop/jobs:1.0.0", "-y")
        self.assertIn(("docker-local/shop/jobs", "1.0.0"), self.jfrog.gone)
        done = self.daemon.ctl("image", "delete", "jf/docker/shop/web:1.0.0", "-y")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("is virtual: change the local repository behind it", done.stderr)

    def test_a_push_that_no_local_key_takes_is_refused_beforehand(self):
        before = len(self.jfrog.requests)
        for key in ("hub-remote", "sealed"):
            done = self.daemon.ctl("copy", "jf/docker-local/shop/web:1.1.0", f"jf/{key}/web:1.1.0")
            self.assertNotEqual(0, done.returncode)
            self.assertIn("nothing can be pushed there", done.stderr)
        self.assertFalse([m for m, _ in self.jfrog.requests[before:] if m in ("PUT", "PATCH")])
        self.ctl("copy", "jf/docker-local/shop/web:1.1.0", "jf/docker/by-virtual/web:1.1.0")


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
