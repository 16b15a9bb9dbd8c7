# SPDX-License-Identifier: Apache-2.0
"""How many requests and password checks harbor.so costs a Harbor: counted at
the stand-in. Counts are asserted here, times nowhere."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from berthtest import Image  # noqa: E402
from berthtest.drive import drive  # noqa: E402
from berthtest.harborcase import HarborCase  # noqa: E402
from berthtest.images import random_layer  # noqa: E402
from standin.harbor import Harbor  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))

from server import Server  # noqa: E402


class Counting(HarborCase):
    """The index of 4 projects of 100 repositories of 5 artifacts."""

    standin_only = True

    def read(self):
        self.standin.seed(4, 100, 5)
        self.refresh()
        self.standin.reset_counts()
        self.refresh()
        space = self.space("harbor", "many-003")
        images = self.names(f"/v1/spaces/{space}/images?limit=500")
        self.assertEqual(100, len(images))
        tags = self.names(f"/v1/spaces/{space}/images/many-003%2Fapp-099")
        self.assertEqual([f"v{n}" for n in range(5)], sorted(tags))


class Index(Counting):
    """From 2.12 on a project's artifacts are one list."""

    def test_it_takes_a_request_for_ninety_artifacts(self):
        self.read()
        self.assertEqual(0, self.counts["password check"])
        self.assertEqual(4 * 5 + 1, self.counts["GET /projects/{project}/artifacts"])
        self.assertEqual(1, self.counts["GET /repositories"])
        # What does not grow with the artifacts: version, projects twice, quotas, `library`.
        self.assertLessEqual(self.counts["requests"] - 5, 4 * 100 * 5 / 90, self.counts)

    def test_one_project_takes_its_own_pages_alone(self):
        self.standin.seed(4, 100, 5)
        self.refresh()
        self.standin.reset_counts()
        self.refresh(space="many-002")
        self.assertEqual(5, self.counts["GET /projects/{project}/artifacts"])
        self.assertLessEqual(self.counts["requests"], 5 + 6, self.counts)


class OldIndex(Counting):
    """Before, each repository has its own."""

    version = "2.5"

    def test_it_takes_a_request_a_repository(self):
        self.read()
        kind = "GET /projects/{project}/repositories/{repository}/artifacts"
        self.assertEqual(4 * 100, self.counts[kind])
        self.assertLessEqual(self.counts["requests"], 4 * 100 + 4 + 5 + 5, self.counts)


del Counting


class Slots(unittest.TestCase):
    """Single calls, each in a process that has no session yet."""

    def setUp(self):
        self.harbor = Harbor(None)
        self.addCleanup(self.harbor.stop)
        self.options = {"address": self.harbor.url, "username": self.harbor.login[0],
                        "password": self.harbor.login[1]}

    def call(self, slot, *args):
        self.harbor.reset_counts()
        done = drive("harbor", self.options, slot, *args)
        self.assertIsNone(done.error, done.text)
        self.assertEqual(1, self.harbor.counts["password check"])
        return done

    def test_a_proof_takes_four_requests_and_one_password_check(self):
        self.call("probe", '{"scope":"platform"}')
        self.assertLessEqual(self.harbor.counts["requests"], 4, self.harbor.counts)

    def test_an_artifact_is_shown_in_two_requests(self):
        self.harbor.seed(1, 1, 1)
        self.call("artifact", "many-000/app-000", "v0")
        requests = self.harbor.counts["requests"] - self.harbor.counts["POST /c/login"]
        self.assertLessEqual(requests, 3, self.harbor.counts)

    def test_robots_are_listed_by_the_hundred_and_deleted_in_one_request_each(self):
        self.call("login_create", json.dumps({"name": "berth-0", "spaces": ["library"],
                                              "rights": ["pull"], "ttl_s": 60}))
        world = self.harbor.world
        first = next(iter(world.robots.values()))
        for number in range(1, 100):
            made = type(first)(**{**vars(first), "id": world.take("robot"),
                                  "name": f"berth-{number}"})
            world.robots[made.id] = made
        found = self.call("login_list", "berth-").of("login")
        self.assertEqual(100, len(found))
        self.assertEqual(1, self.counted("GET /robots"))
        for robot in found[:3]:
            self.call("login_revoke", robot["id"])
            self.assertEqual(1, self.counted("DELETE /robots/{id}"))
        self.assertEqual(97, len(world.robots))

    def counted(self, kind):
        """Requests of a kind, where there was no other but the login's."""
        counts = self.harbor.counts
        self.assertEqual(counts["requests"], counts[kind] + counts["POST /c/login"], counts)
        return counts[kind]


class OneLogin(HarborCase):
    """Sessions between jobs."""

    standin_only = True

    def test_jobs_of_one_integration_share_a_login(self):
        project = self.name("one", public=False)
        self.push(project, "app", Image([random_layer("one", 400)]), "1.0", "2.0")
        self.refresh()
        self.standin.reset_counts()
        self.refresh()
        self.daemon.ctl_ok("image", "show", f"harbor/{project}/app:1.0")
        self.daemon.ctl_ok("image", "delete", f"harbor/{project}/app:1.0", "--yes")
        self.refresh()
        self.assertEqual(0, self.counts["password check"], self.counts)

    def test_the_first_index_goes_on_with_the_session_of_the_proof(self):
        self.standin.reset_counts()
        self.daemon.add("again", self.url, *self.login, kind="harbor")
        self.settle()
        self.assertEqual(1, self.counts["password check"], self.counts)
        self.assertEqual(1, self.counts["GET /repositories"], self.counts)

    def change(self, name, **fields):
        path = f"/v1/integrations/{name}"
        return self.ask("PATCH", path, fields, If_Match=self.etag(path)).body

    def test_a_session_hides_no_wrong_password(self):
        self.daemon.add("stern", self.url, *self.login, kind="harbor")
        self.settle()
        self.standin.reset_counts()
        self.failed(self.change("stern", password="not it"), "upstream-auth-failed")
        self.done(self.api.call("POST", "/v1/integrations/stern/refresh"))
        self.assertEqual(1, self.counts["password check"], "only the wrong one's")

    def test_a_session_reaches_no_other_server(self):
        stranger = Server()
        self.addCleanup(stranger.stop)
        self.daemon.add("moved", self.url, *self.login, kind="harbor")
        self.settle()
        ended = self.api.wait(self.change("moved", address=stranger.url, password=self.password))
        self.assertEqual("failed", ended["state"])
        self.assertTrue(stranger.seen)
        self.assertNotIn("sid=", "".join(request.text() for request in stranger.seen))


if __name__ == "__main__":
    unittest.main()
