# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
"""Several targets of one copy read the source once, without the daemon: what comes
together, who goes alone, and what one target's failure does to the others (nothing)."""

import http.server
import json
import os
import subprocess
import threading
import unittest

from berthtest import Client, Image, Link, Registry, Registry3, images, proc, sets, workdir

COPYBENCH = os.path.join(proc.build_dir(), "tests", "copybench")
MIB = 1 << 20
RULE = {"source": {"instance": "s"}, "target": {"instance": "t"}}
LAYERS = 5


class ReferrersApi:
    """A stand-in for a registry with the referrers API, in front of a real one without."""

    def __init__(self, url, subject, referrers):
        self.asked, lists = [], {subject.digest: [
            {"mediaType": one.media_type, "digest": one.digest, "size": len(one.body),
             "artifactType": one.content["artifactType"]} for one in referrers]}
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, body, headers = 307, b"", {"Location": url + self.path}
                if "/referrers/" in self.path:
                    asked.append(self.path)
                    found = lists.get(self.path.rsplit("/", 1)[1], [])
                    status, headers = 200, {"Content-Type": images.OCI_INDEX}
                    body = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX,
                                       "manifests": found}).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Case(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(COPYBENCH):
            raise unittest.SkipTest(f"{COPYBENCH} is not built (make {COPYBENCH})")
        self.dir = workdir(self)
        self.source = self.at("source")
        self.layers = [images.random_layer(f"layer {number}", size) for number, size in
                       enumerate([100, 5000, 70000, MIB, 4 * MIB])]
        with Client(self.source.url) as client:
            sets.push_set(client, [("team/app", "1", Image(self.layers)),
                                   ("team/app", "2", Image(self.layers[:2]))])
        self.source.settle()
        self.since = len(self.source.requests())
        self.blobs = LAYERS + 2  # and two configs

    def at(self, name, kind=Registry):
        registry = kind(os.path.join(self.dir, name)).start()
        self.addCleanup(lambda: registry.stop())
        return registry

    def targets(self):
        return [self.at("one"), self.at("two", Registry3), self.at("three")]

    def link(self, to, **how):
        link = Link(os.path.join(self.dir, "links"), to, **how).start()
        self.addCleanup(link.stop)
        return link

    def argv(self, urls, *args, source=None):
        return [COPYBENCH, "--backoff-ms=20", *args, source or self.source.url, urls[0],
                json.dumps(RULE), *urls[1:]]

    def copy(self, urls, *args, source=None, expected=0):
        """Where no test says otherwise, however slow the machine is, nobody is left behind."""
        args = args or ("--patience-ms=1000000",)
        done = subprocess.run(self.argv(urls, *args, source=source), capture_output=True,
                              text=True, timeout=300, check=False)
        self.assertEqual(expected, done.returncode, done.stdout + done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.summary = lines[-1]
        return lines[:-1]

    def gets(self, what):
        return self.source.counts(self.since)[f"GET {what}"]

    def assert_whole(self, *registries):
        with Client(self.source.url) as ours:
            for one in registries:
                with Client(one.url) as theirs:
                    for tag in ("1", "2"):
                        self.assertEqual(ours.closure("team/app", tag),
                                         theirs.closure("team/app", tag))


class Together(Case):
    def test_three_targets_get_all_of_it_and_the_source_gives_each_blob_and_manifest_once(self):
        targets = self.targets()
        outcomes = self.copy([one.url for one in targets])
        self.assertEqual((self.blobs, 2), (self.gets("blob"), self.gets("manifest")))
        self.assertEqual((1, 1), (self.gets("tags"), self.gets("referrers")))
        self.assertEqual(6, len([one for one in outcomes if one["more"]["state"] == "copied"]))
        self.assert_whole(*targets)

    def test_what_the_source_says_refers_to_an_image_is_asked_for_once(self):
        image = Image(self.layers[:2])
        with Client(self.source.url) as client:
            signature = images.referrer(image, "application/spdx+json", b"{}")
            client.push("team/app", signature)
        targets = [one.url for one in self.targets()]
        with ReferrersApi(self.source.url, image, [signature]) as front:
            outcomes = self.copy(targets, source=front.url)
        self.assertEqual(sorted(front.asked), sorted(set(front.asked)))
        self.assertEqual({"copied"}, {one["more"]["state"] for one in outcomes})
        for url in targets:
            with Client(url) as client:
                client.closure("team/app", signature.digest)
                listed = client.manifest("team/app", images.fallback_tag(image)).json()
            self.assertEqual([signature.digest], [one["digest"] for one in listed["manifests"]])

    def test_a_target_that_has_half_of_it_gets_the_rest_from_the_same_reads(self):
        targets = self.targets()
        with Client(targets[1].url) as client:
            sets.push_set(client, [("team/app", "2", Image(self.layers[:2]))])
        self.copy([one.url for one in targets])
        self.assertEqual((self.blobs, 2), (self.gets("blob"), self.gets("manifest")))
        self.assertEqual([self.blobs, self.blobs - 3, self.blobs],
                         [one["blobs_done"] for one in self.summary["totals"]])
        self.assert_whole(*targets)

    def test_a_target_that_is_down_fails_alone(self):
        targets = self.targets()
        urls = [one.url for one in targets]
        targets[1].stop()
        self.copy(urls, expected=3)
        self.assertEqual(self.blobs, self.gets("blob"))
        self.assertEqual([2, 0, 2], [one["copied"] for one in self.summary["totals"]])
        self.assertEqual([0, 0], [self.summary["totals"][i]["failed"] for i in (0, 2)])
        self.assertGreater(self.summary["totals"][1]["failed"], 0)
        self.assert_whole(targets[0], targets[2])

    def test_where_the_source_breaks_the_targets_go_on_together_from_there(self):
        targets = self.targets()
        cut = self.link(self.source, cut=2 * MIB, cuts=1)
        self.copy([one.url for one in targets], source=cut.url)
        self.assertLess(self.summary["source"]["bytes_in"], 7 * MIB)
        self.assert_whole(*targets)


class Alone(Case):
    def test_a_target_that_stands_still_leaves_the_others_which_end_before_it(self):
        targets = self.targets()
        still = self.link(targets[1], stall=2 * MIB, cut_up=True)
        process = proc.Process(self.argv([targets[0].url, still.url, targets[2].url],
                                         "--patience-ms=300", "--low-speed-s=600"),
                               os.path.join(self.dir, "copy.log"))
        self.addCleanup(process.kill)
        with Client(targets[0].url) as one, Client(targets[2].url) as three:
            process.wait_for(lambda: one.digest("team/app", "1") and three.digest("team/app", "1"),
                             "the others have it", 300)
        with Client(targets[1].url) as two:
            self.assertIsNone(two.digest("team/app", "1"))
        still.set(stall=0)
        still.drop()
        self.assertEqual(0, process.popen.wait(300), process.log(2000))
        self.assert_whole(*targets)

    def test_a_slow_target_ends_by_its_own_reads(self):
        targets = self.targets()
        slow = self.link(targets[1], rate=MIB)
        self.copy([targets[0].url, slow.url, targets[2].url], "--patience-ms=300")
        self.assertEqual([2, 2, 2], [one["copied"] for one in self.summary["totals"]])
        self.assert_whole(*targets)

    def test_an_upload_that_is_cut_goes_on_and_the_others_are_read_once(self):
        targets = self.targets()
        cut = self.link(targets[1], cut=2 * MIB, cuts=1, cut_up=True)
        self.copy([targets[0].url, cut.url, targets[2].url])
        self.assertLess(self.summary["source"]["bytes_in"], 11 * MIB)
        self.assert_whole(*targets)


if __name__ == "__main__":
    unittest.main()
