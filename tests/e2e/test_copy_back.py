# SPDX-License-Identifier: Apache-2.0
"""Many tags of one digest are read back by a sample and the target's list of tags
(build/tests/copybench): what that costs, and what a target that lies makes of it."""

import os
import sys

from berthtest import Client, Image, images, proc, sets
from test_copy_engine import Case, copy, rule

sys.path.insert(0, os.path.join(proc.TREE, "tests", "hostile"))

from server import Response, Server, digest_of, error  # noqa: E402

TAGS = [f"t{number:02}" for number in range(40)]
REPOSITORY = "same/app"


class Requests(Case):
    def test_a_hundred_tags_of_one_digest_stay_within_their_requests(self):
        source, target = self.pair()
        with Client(source.url) as client:
            pushed = sets.push_set(client, sets.same(size=4096))
        before = len(source.requests())
        result = copy(source.url, target.url)
        self.assert_all_copied(result)
        counts = target.counts()
        self.assertLessEqual(len(source.requests(before)) + sum(counts.values()), 320)
        self.assertEqual((2, 100), (counts["GET tags"], counts["PUT manifest"]))
        with Client(target.url) as client:
            self.assertEqual([image.digest for _, _, image in pushed],
                             [client.digest(name, tag) for name, tag, _ in pushed])


class Lies(Case):
    """The target plays tricks; each rule sees all requests of its kinds."""

    def run_copy(self, *rules):
        self.source, self.target = Server(), Server(rules)
        for one in (self.source, self.target):
            self.addCleanup(one.stop)
        self.digest = [self.source.registry.load(REPOSITORY, tag, Image(
            [images.random_layer("same", 3000)])) for tag in TAGS][0]
        return copy(self.source.url, self.target.url, rule(source={"repository": REPOSITORY}),
                    "--tries=2", "--backoff-ms=5")

    def reads(self):
        """Of tags at the target, after their PUTs."""
        counts = self.target.counts
        return counts.get("manifest-head", 0) + counts.get("manifest", 0)

    def assert_all_right(self, result):
        self.assertEqual({"copied"}, set(result.states().values()))
        self.assertEqual(set(TAGS), set(self.target.registry.tags[REPOSITORY]))
        self.assertEqual({self.digest}, set(self.target.registry.tags[REPOSITORY].values()))

    def test_an_honest_target_is_asked_for_half_of_them(self):
        self.assert_all_right(self.run_copy())
        self.assertEqual((20, 2), (self.reads(), self.target.counts["tags"]))

    def test_tags_that_the_list_does_not_show_are_asked_for(self):
        def hide(server, request, good):
            answer = good()
            tags = server.registry.tags.get(REPOSITORY)
            return Response(200, {"tags": sorted(tags)[:-4]}, answer.headers) if tags else answer
        self.assert_all_right(self.run_copy(("tags", hide)))
        asked = {request.rest for request in self.target.seen
                 if request.kind in ("manifest-head", "manifest")}
        self.assertLessEqual(set(TAGS[-4:]), asked)
        self.assertLessEqual(self.reads(), 24)

    def test_without_a_list_each_tag_is_asked_for(self):
        for refused in (error(500, "UNKNOWN"), Response(200, b"no list"), error(404, "UNKNOWN"),
                        Response(200, {"tags": []}, {"Link": '</v2/x>; rel="next"'})):
            with self.subTest(refused.status):
                self.assert_all_right(self.run_copy(("tags", lambda server, request, good: refused
                                                     if REPOSITORY in server.registry.tags
                                                     else None)))
                self.assertEqual(40, self.reads())

    def test_without_digests_in_the_answers_to_put_each_tag_is_asked_for(self):
        def silent(server, request, good):
            answer = good()
            answer.headers.pop("Docker-Content-Digest", None)
            return answer
        self.assert_all_right(self.run_copy(("manifest-put", silent)))
        self.assertEqual((40, 1), (self.reads(), self.target.counts["tags"]))

    def test_a_tag_that_is_wrong_makes_each_be_asked_for(self):
        """Three of four tags get another manifest, and the answers to their PUTs hide it."""
        def other(server, request, good):
            if int(request.rest[1:]) % 4 == 0:
                return None
            kind = request.headers["content-type"]
            server.registry.put_manifest(request.name, request.rest, kind, request.body + b" ")
            return Response(201, b"", {"Docker-Content-Digest": digest_of(request.body)})
        result = self.run_copy(("manifest-put", other))
        there = self.target.registry.tags[REPOSITORY]
        self.assertEqual({f"{REPOSITORY}:{tag}": "copied" if there[tag] == self.digest else "failed"
                          for tag in TAGS},
                         result.states())

    def test_tags_that_were_there_with_another_digest_are_asked_for(self):
        old = {tag: "sha256:" + "7" * 64 for tag in TAGS[:10]}

        def stored(server, request, good):
            if REPOSITORY not in server.registry.tags:
                server.registry.tags[REPOSITORY] = dict(old)
        result = self.run_copy(("tags", stored))
        self.assertEqual({"copied"}, set(result.states().values()))
        self.assertEqual({self.digest}, set(self.target.registry.tags[REPOSITORY].values()))
        self.assertGreaterEqual(self.target.counts["manifest-head"], 40)
