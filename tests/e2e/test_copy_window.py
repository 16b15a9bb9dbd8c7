# SPDX-License-Identifier: Apache-2.0
"""Requests in flight follow what a registry takes (build/tests/copybench): a registry
that answers 429 above a bound is found out, and its Retry-After holds for all."""

import unittest

from berthtest import Client, sets
from berthtest.bounded import Bounded
from test_copy_engine import Case, copy


class Window(Case):
    def fronts(self, **bounds):
        """A source with images, a target, and a front of each."""
        source, target = self.pair()
        self.images = sets.tiny(images=10, layers=4)
        with Client(source.url) as client:
            sets.push_set(client, self.images)
        self.registries = source, target
        made = [Bounded(registry, bounds.get(name, 0)).start()
                for name, registry in (("source", source), ("target", target))]
        for one in made:
            self.addCleanup(one.stop)
        return made

    def assert_arrived(self, result):
        self.assert_all_copied(result)
        with Client(self.registries[1].url) as client:
            self.assertEqual([image.digest for _, _, image in self.images],
                             [client.digest(name, tag) for name, tag, _ in self.images])

    def assert_few(self, front, bound):
        """The bound was found out with few refusals; without a window most would be."""
        self.assertLessEqual(front.most, bound)
        self.assertLess(front.refused, 48, f"of {front.requests}")

    def test_bounds_of_both_ends_are_found_out_with_few_refusals(self):
        source, target = self.fronts(source=2, target=3)
        self.assert_arrived(copy(source.url, target.url, None, "--backoff-ms=20"))
        self.assert_few(source, 2)
        self.assert_few(target, 3)

    def test_both_ends_may_take_one_at_once(self):
        source, target = self.fronts(source=1, target=1)
        self.assert_arrived(copy(source.url, target.url, None, "--backoff-ms=20"))
        self.assert_few(source, 1)
        self.assert_few(target, 1)

    def test_one_registry_at_both_ends_may_take_two_at_once(self):
        source, _ = self.fronts(source=2)
        result = copy(source.url, source.url, {"source": {"instance": "s"},
                                               "target": {"instance": "s", "prefix": "again"}},
                      "--backoff-ms=20")
        self.assert_all_copied(result)
        self.assert_few(source, 2)

    def test_retry_after_holds_for_all_requests_and_the_window_is_told(self):
        source, target = self.fronts()
        target.busy(60, 2)
        result = copy(source.url, target.url, None, "--progress", "--in-flight=12")
        self.assert_arrived(result)
        self.assertEqual(1, target.refused)
        # What was on its way when the answer came, and no more.
        self.assertLessEqual(target.early, 12)
        last = result.progress[-1]["more"]["requests"]
        self.assertEqual({"source", "target"}, set(last))
        for end in last.values():
            self.assertEqual({"in_flight", "window"}, set(end))
            self.assertIn(end["window"], range(1, 13))


if __name__ == "__main__":
    unittest.main()
