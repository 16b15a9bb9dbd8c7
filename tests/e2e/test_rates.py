# SPDX-License-Identifier: Apache-2.0
"""Rates that copies share: of an integration, of all copies, changed while they run."""

import os
import unittest

from berthtest.apicase import QUIET, ApiCase
from berthtest.images import Client, Image, random_layer
from berthtest.proc import wait_until

SLOW = 16384                # a whole layer would take nine minutes
LAYER = 9 << 20


class Copies(ApiCase):
    """hub and free are one registry; hub alone is given a rate."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemon.add("free", cls.hub)
        cls.settle()
        with Client(cls.hub.url) as client:
            for name in ("one", "two", "three", "four", "five"):
                client.push(f"big/{name}", Image([random_layer(name, LAYER)]), "1")

    def copy(self, source, target):
        return self.api.post("/v1/copies", {"source": source, "target": target})

    def progress(self, operation):
        now = self.api.get(f"/v1/operations/{operation['id']}")
        return now["state"], (now.get("progress") or {}).get("done", 0)

    def begun(self, operation):
        """Waits until a copy under a low rate moves bytes."""
        wait_until(lambda: self.progress(operation)[1] > 0, "it moves bytes")
        return operation


class Together(Copies):
    config = QUIET + "copy: { requests_max = 6; };"

    def windows(self, operation):
        """How many requests may be in flight at either end, as its progress says."""
        now = self.api.get(f"/v1/operations/{operation['id']}")
        ends = ((now.get("progress") or {}).get("more") or {}).get("requests") or {}
        return {end: one["window"] for end, one in ends.items()}

    def test_copies_at_one_integration_share_its_requests_in_flight(self):
        self.daemon.ctl_ok("integration", "edit", "hub", "--limit", SLOW)
        alone = self.begun(self.copy("hub/big/one:1", "mirror/windows/one"))
        self.assertEqual({"source": 6, "target": 6}, self.windows(alone))
        other = self.begun(self.copy("hub/big/two:1", "free/windows/two"))
        wait_until(lambda: self.windows(alone)["source"] == 3, "its part is smaller")
        self.assertEqual(6, self.windows(alone)["target"])
        self.assertEqual({"source": 3, "target": 6}, self.windows(other))
        self.daemon.ctl_ok("integration", "edit", "hub", "--limit", 0)
        for one in (alone, other):
            self.done(one)


class Rates(Copies):
    def assert_held(self, operation):
        state, done = self.progress(operation)
        self.assertEqual("running", state)
        self.assertLess(done, LAYER / 2)

    def reload(self, text):
        with open(os.path.join(self.daemon.dir, "berth.conf"), "w", encoding="utf-8") as file:
            file.write(QUIET + text)
        return self.api.request("POST", "/v1/reload")

    def test_a_rate_of_an_integration_holds_its_copies_alone_until_it_is_lifted(self):
        self.daemon.ctl_ok("integration", "edit", "hub", "--limit", SLOW)
        self.assertEqual(SLOW, self.api.get("/v1/integrations/hub")["limit_bytes_per_s"])
        held = self.begun(self.copy("hub/big/one:1", "mirror/rates/one"))
        free = self.done(self.copy("free/big/two:1", "mirror/rates/two"))
        self.assertGreaterEqual(free["result"]["bytes_done"], LAYER)
        self.assert_held(held)
        self.assertEqual(0, self.ask("PATCH", "/v1/integrations/hub",
                                     {"limit_bytes_per_s": None}).body["limit_bytes_per_s"])
        self.assertEqual(1, self.done(held)["result"]["copied"])

    def test_a_rate_of_the_target_holds_what_is_written(self):
        self.ask("PATCH", "/v1/integrations/mirror", {"limit_bytes_per_s": SLOW})
        held = self.begun(self.copy("free/big/four:1", "mirror/rates/four"))
        self.done(self.copy("free/big/four:1", "free/rates/four"))
        self.assert_held(held)
        self.daemon.ctl_ok("integration", "edit", "mirror", "--limit", 0)
        self.done(held)

    def test_the_rate_of_all_copies_is_shared_and_a_reload_lifts_it(self):
        self.assertEqual(200, self.reload("copy: { limit_bytes_per_s = 16384; };").status)
        held = [self.begun(self.copy(f"{end}/big/{name}:1", f"mirror/rates/{name}"))
                for end, name in (("hub", "three"), ("free", "five"))]
        self.api.run("/v1/integrations/free/probe", None)
        for one in held:
            self.assert_held(one)
        self.assertEqual(200, self.reload("").status)
        for one in held:
            self.done(one)

    def test_rates_below_a_piece_are_refused(self):
        problem = self.refused(422, "validation-failed", "PATCH", "/v1/integrations/hub",
                               {"limit_bytes_per_s": SLOW - 1})
        self.assertEqual(["/limit_bytes_per_s"], self.pointers(problem))
        answer = self.reload("copy: { limit_bytes_per_s = 5; };")
        self.assertEqual(422, answer.status, answer.body)
        self.assertIn("0 or a whole number from 16384", str(answer.body))
        self.assertEqual(200, self.reload("").status)


if __name__ == "__main__":
    unittest.main()
