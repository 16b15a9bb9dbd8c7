# SPDX-License-Identifier: Apache-2.0
"""A repository's description through API and berthctl (M3)."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Client, sets  # noqa: E402
from berthtest.apicase import ApiCase, quote  # noqa: E402
from standin.artifactory import Artifactory  # noqa: E402

TEXT = "# Webshop\n\n<b>&amp; \"quoted\"</b>, grün, 船, \U0001f6a2\n\tand a tab\n"


class Describe(ApiCase):
    # Artifactory's descriptions are not read back: no refresh by the clock.
    config = "integrations: { refresh_period_s = 0; };\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        sets.push_set(Client(cls.hub.url), sets.demo(), prefix="docker-local/")
        cls.standin = Artifactory(cls.hub.url)
        cls.addClassCleanup(cls.standin.stop)
        cls.daemon.add("frog", cls.standin.url, "joe", "secret-jf", kind="jfrog")
        cls.settle()

    def path(self, repository="docker-local/shop/web", space="docker-local"):
        return (f"/v1/spaces/{self.space('frog', space)}/images/{quote(repository)}"
                "/description")

    def write(self, text, path=None, **headers):
        headers = headers or {"If_Match": "*"}
        return self.ask("PUT", path or self.path(), {"description": text}, **headers)

    def test_what_is_written_is_at_the_registry_and_shows_at_once(self):
        answer = self.write(TEXT)
        self.assertEqual(202, answer.status, answer.body)
        self.done(answer.body)
        self.assertEqual({"berth.description": TEXT},
                         self.standin.properties["docker-local/shop/web"])
        shown = self.api.get(self.path())
        self.assertEqual(("frog", "docker-local", "docker-local/shop/web", TEXT),
                         (shown["integration"], shown["space"], shown["repository"],
                          shown["description"]))
        listed = self.api.get(self.path().rsplit("/", 2)[0] + "?q=shop/web")["items"]
        self.assertEqual([TEXT], [item["description"] for item in listed])

    def test_a_change_needs_the_etag_that_was_read(self):
        self.refused(428, "precondition-required", "PUT", self.path(), {"description": "x"})
        etag = self.etag(self.path())
        self.done(self.write("first", If_Match=etag).body)
        self.refused(412, "precondition-failed", "PUT", self.path(), {"description": "x"},
                     If_Match=etag)

    def test_a_dry_run_writes_nothing(self):
        before = dict(self.standin.properties)
        answer = self.write("never", self.path() + "?dry_run=true")
        self.assertEqual((200, [self.path()]), (answer.status, answer.body["update"]))
        self.assertEqual(before, self.standin.properties)

    def test_a_text_over_the_cap_is_refused_with_its_pointer(self):
        problem = self.refused(422, "validation-failed", "PUT", self.path(),
                               {"description": "\n" * 30000}, If_Match="*")
        self.assertEqual(["/description"], self.pointers(problem))

    def test_the_registrys_own_refusal_is_the_operations_error(self):
        error = self.failed(self.write("y" * 3000).body, "limit-exceeded")
        self.assertIn("2 400", json.dumps(error))

    def test_a_plain_registry_has_no_descriptions_and_says_so(self):
        path = f"/v1/spaces/{self.space('hub')}/images/{quote('shop/web')}/description"
        problem = self.refused(422, "unsupported", "PUT", path, {"description": "x"},
                               If_Match="*")
        self.assertIn("describe", problem["detail"])
        self.assertEqual("", self.api.get(path)["description"])

    def test_what_is_not_there_is_404(self):
        self.refused(404, "not-found", "GET", self.path("docker-local/none"))

    def test_berthctl_writes_a_file_and_shows_it(self):
        self.daemon.ctl_ok("image", "describe", "frog/docker-local/shop/api", "--set-file", "-",
                           stdin=TEXT)
        shown = self.daemon.ctl_ok("image", "describe", "frog/docker-local/shop/api",
                                   env={"LC_ALL": "C.UTF-8"})
        self.assertEqual(TEXT, shown)
        body = json.loads(self.daemon.ctl_ok("image", "describe", "frog/docker-local/shop/api",
                                             "-o", "json"))
        self.assertEqual(TEXT, body["description"])

    def test_an_image_is_no_repository_to_berthctl(self):
        done = self.daemon.ctl("image", "describe", "frog/docker-local/shop/api:1")
        self.assertEqual(2, done.returncode, done.stderr)


if __name__ == "__main__":
    unittest.main()
