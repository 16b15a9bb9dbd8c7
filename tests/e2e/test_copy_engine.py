# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
"""The copy engine without the daemon (build/tests/copybench) between real
registries: what arrives, what it costs, and what is left after a failure."""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import unittest
import urllib.parse
from collections import Counter

from berthtest import (Authority, Client, Image, Index, Link, Registry, Registry3, TokenServer,
                       proc, workdir)
from berthtest import images, sets

COPYBENCH = os.path.join(proc.build_dir(), "tests", "copybench")
FOREIGN = {"validation": {"manifests": {"urls": {"allow": ["^https?://"]}}}}


# 13 to 16 MiB as a program of its own, by the machine's load; the bench has the figure.
PEAK_KIB = 20 << 10


class Result:
    def __init__(self, done):
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.exit, self.stderr = done.returncode, done.stderr
        self.items = [line for line in lines[:-1] if line.get("kind") != "progress"]
        self.progress = [line for line in lines[:-1] if line.get("kind") == "progress"]
        self.summary = lines[-1]
        self.totals = self.summary.get("totals", {})

    def states(self):
        """{target name: state} of images that are no referrers."""
        return {item["name"]: item["more"].get("state", item["more"].get("action"))
                for item in self.items if not item["more"].get("referrer")}

    def error(self, name):
        return next(item["more"]["error"] for item in self.items if item["name"] == name)


def rule(**more):
    ends = {"source": {"instance": "s", **more.pop("source", {})},
            "target": {"instance": "t", **more.pop("target", {})}}
    return {**ends, **more}


def argv_of(source, target, a_rule, *args):
    return [COPYBENCH, *args, source, target, json.dumps(a_rule)]


def copy(source, target, a_rule=None, *args, timeout=300):
    done = subprocess.run(argv_of(source, target, a_rule or rule(), *args), capture_output=True,
                          text=True, timeout=timeout, check=False)
    if not done.stdout:
        raise AssertionError(f"copybench ended with {done.returncode}: {done.stderr[-3000:]}")
    return Result(done)


def open_uploads(registry):
    """Upload sessions that the registry still has on disk.

    docker-registry 2.8 leaves an empty hash state of a cancelled one behind
    ("error closing blobwriter: file already closed"): those don't count.
    """
    pattern = os.path.join(registry.storage, "docker/registry/v2/repositories/**/_uploads/*/data")
    return glob.glob(pattern, recursive=True)


def forgotten_uploads(registry):
    """Upload sessions on disk but for those that the registry refused to cancel, and to show.

    docker-registry 2.8 answers 404 to every request for a session whose body broke off after
    its first bytes: the address that it gave out tells the offset 0, which is wrong now, and
    it gives out no other. It drops such sessions by itself, after a week.
    """
    answers = {}
    for method, path, status, _ in registry.requests():
        if "/blobs/uploads/" in path and method in ("DELETE", "GET"):
            session = path.partition("?")[0].rpartition("/")[2]
            answers.setdefault(session, {})[method] = status
    return [path for path in open_uploads(registry)
            if answers.get(os.path.basename(os.path.dirname(path))) !=
            {"DELETE": 404, "GET": 404}]


def arrived(registry):
    """The digests of the blobs whose PUT the registry has answered with 201."""
    return {urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["digest"][0]
            for method, path, status, _ in registry.requests(settle=False)
            if method == "PUT" and "/blobs/uploads/" in path and status == 201}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(COPYBENCH):
            raise unittest.SkipTest(f"{COPYBENCH} is not built (make {COPYBENCH})")

    def setUp(self):
        self.dir = workdir(self)

    def registry(self, name, kind=Registry, **more):
        registry = kind(os.path.join(self.dir, name), **more).start()
        self.addCleanup(registry.stop)
        return registry

    def link(self, registry, **more):
        link = Link(os.path.join(self.dir, "links"), registry, **more).start()
        self.addCleanup(link.stop)
        return link

    def pair(self, **more):
        return self.registry("source", **more), self.registry("target", **more)

    def assert_same(self, source, target, names, there=None):
        """Each (repository, tag) and all below it is at the target, byte for byte."""
        there = there or (lambda repository: repository)
        with Client(source.url) as ours, Client(target.url) as theirs:
            for repository, tag in names:
                self.assertEqual(ours.closure(repository, tag),
                                 theirs.closure(there(repository), tag), f"{repository}:{tag}")

    def assert_all_copied(self, result):
        self.assertEqual({"copied"}, set(result.states().values()), result.items)
        self.assertEqual(0, result.exit, result.summary)


class Sets(Case):
    def test_shared_layers_are_sent_once_and_mounted_elsewhere(self):
        source, target = self.pair()
        with Client(source.url) as client:
            pushed = sets.push_set(client, sets.shared_small())
        result = copy(source.url, target.url)
        self.assert_all_copied(result)
        counts, read = target.counts(), source.counts()["GET blob"]
        self.assert_same(source, target, [(name, tag) for name, tag, _ in pushed])
        blobs = {blob.digest for _, _, image in pushed for blob in image.blobs()}
        self.assertEqual(len(blobs), counts["PUT upload"])
        self.assertEqual(10, counts["POST mount"])
        self.assertLessEqual(counts["HEAD blob"], 24)  # the proofs of one run
        self.assertEqual(len(blobs), read)
        self.assertEqual([], open_uploads(target))

    def test_the_shared_set_stays_within_its_requests_bytes_and_memory(self):
        source, target = self.pair()
        with Client(source.url) as client:
            sets.push_set(client, sets.shared())
        before = len(source.requests())
        result = copy(source.url, target.url)
        self.assert_all_copied(result)
        read = sum(size for _, _, _, size in source.requests(before))
        requests = len(source.requests(before)) + len(target.requests())
        self.assertLessEqual(requests, 2000)
        self.assertLessEqual(read, 112 << 20)
        self.assertLess(result.summary["peak_kib"], PEAK_KIB)

    def test_nothing_to_do_costs_one_answer_a_tag_at_each_end(self):
        source, target = self.pair()
        with Client(source.url) as client, Client(target.url) as other:
            wanted = [(f"many/app-{repo}", f"v{tag}", Image([images.random_layer(f"{repo}/{tag}", 64)]))
                      for repo in range(4) for tag in range(50)]
            sets.push_set(client, wanted)
            sets.push_set(other, wanted)
        before = len(source.requests()), len(target.requests())
        result = copy(source.url, target.url, rule(source={"prefix": "many"}))
        self.assertEqual({"present"}, set(result.states().values()))
        requests = len(source.requests(before[0])) + len(target.requests(before[1]))
        self.assertLessEqual(requests, 2 * 200 + 25)
        self.assertEqual(0, source.counts(before[0])["GET manifest"])
        self.assertEqual(0, target.counts(before[1])["PUT manifest"])

    def test_many_tags_of_one_digest_read_their_blobs_once(self):
        source, target = self.pair()
        with Client(source.url) as client:
            pushed = sets.push_set(client, sets.same(tags=40, size=4096))
        result = copy(source.url, target.url)
        self.assert_all_copied(result)
        self.assertEqual(9, source.counts()["GET blob"])
        self.assertEqual(0, result.summary["target"]["retries"])
        self.assert_same(source, target, [(name, tag) for name, tag, _ in pushed[:3]])

    def test_memory_does_not_grow_with_a_layer(self):
        source, target = self.pair()
        with Client(source.url) as client:
            sets.push_set(client, sets.one_layer(192 << 20))
        result = copy(source.url, target.url)
        self.assert_all_copied(result)
        self.assertLess(result.summary["peak_kib"], PEAK_KIB)


class Kinds(Case):
    def test_indexes_nested_indexes_and_attestations_arrive_whole(self):
        source, target = self.pair()
        arch = {name: Image([images.random_layer(name, 3000)], architecture=name)
                for name in ("amd64", "arm64")}
        multi = images.multi_arch(arch)
        nested = Index([(multi, None, None)], annotations={"org.example.note": "outer"})
        with Client(source.url) as client:
            client.push("kinds/multi", multi, "1")
            client.push("kinds/nested", nested, "1")
            client.push("kinds/docker", Image([images.random_layer("d", 100)], docker=True), "1")
        self.assert_all_copied(copy(source.url, target.url))
        self.assert_same(source, target, [("kinds/multi", "1"), ("kinds/nested", "1"),
                                          ("kinds/docker", "1")])

    def test_an_artifact_with_the_empty_config_is_copied(self):
        source, target = self.pair()
        subject = Image([images.random_layer("x", 10)])
        artifact = images.referrer(subject, "application/spdx+json", b"{}")
        with Client(source.url) as client:
            client.push("kinds/artifact", artifact, "sbom")
        self.assert_all_copied(copy(source.url, target.url))
        self.assert_same(source, target, [("kinds/artifact", "sbom")])

    def test_a_layer_of_no_bytes_is_copied(self):
        source, target = self.pair()
        empty = images.Blob(images.OCI_LAYER, b"")
        with Client(source.url) as client:
            client.push("kinds/empty", Image([empty, images.random_layer("more", 10)]), "1")
        self.assert_all_copied(copy(source.url, target.url))
        self.assert_same(source, target, [("kinds/empty", "1")])
        self.assert_all_copied(copy(source.url, target.url, rule(target={"prefix": "p"}),
                                    "--patch"))
        self.assert_same(source, target, [("kinds/empty", "1")], lambda name: "p/" + name)

    def test_manifests_that_were_not_kept_are_read_again(self):
        source, target = self.pair()
        with Client(source.url) as client:
            pushed = sets.push_set(client, sets.demo())
            sets.demo_attach(client, pushed)
        self.assert_all_copied(copy(source.url, target.url, rule(), "--cache-bytes=1"))
        self.assert_same(source, target, [(name, tag) for name, tag, _ in pushed])

    def test_foreign_layers_stay_where_they_are(self):
        source, target = self.pair(extra=FOREIGN)
        foreign = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                   "digest": "sha256:" + "ab" * 32, "size": 1234,
                   "urls": ["https://example.com/layer"]}
        image = Image([images.random_layer("own", 500)], docker=True)
        image.content["layers"].append(foreign)
        image.body = images.to_json(image.content)
        with Client(source.url) as client:
            client.push("kinds/windows", image, "1")
        self.assert_all_copied(copy(source.url, target.url))
        with Client(target.url) as client:
            self.assertEqual(image.digest, client.digest("kinds/windows", "1"))
            self.assertFalse(client.has_blob("kinds/windows", foreign["digest"]))

    def test_signatures_and_referrers_go_along_before_their_subjects_tag(self):
        source, target = self.pair()
        with Client(source.url) as client:
            pushed = sets.push_set(client, sets.demo())
            signed = sets.demo_attach(client, pushed)
            tags = client.tags("shop/web")
        result = copy(source.url, target.url)
        self.assert_all_copied(result)
        with Client(target.url) as client:
            self.assertEqual(tags, client.tags("shop/web"))
        fallback = images.fallback_tag(signed)
        self.assert_same(source, target, [("shop/web", fallback), ("shop/web", fallback + ".sig")])
        order = [path.rsplit("/", 1)[1] for method, path, status, _ in target.requests()
                 if method == "PUT" and "/shop/web/manifests/" in path and status == 201]
        self.assertLess(order.index(signed.digest), order.index(fallback))
        self.assertLess(order.index(fallback), order.index("2.0.0"))
        self.assertLess(order.index(fallback + ".sig"), order.index("2.0.0"))
        again = copy(source.url, target.url)
        self.assertEqual({"present"}, set(again.states().values()))

    def test_referrers_can_be_left_out(self):
        source, target = self.pair()
        with Client(source.url) as client:
            pushed = sets.push_set(client, sets.demo())
            sets.demo_attach(client, pushed)
        result = copy(source.url, target.url,
                      rule(source={"repository": "shop/web"}, referrers=False))
        self.assert_all_copied(result)
        with Client(target.url) as client:
            self.assertEqual(["1.0.0", "1.1.0", "2.0.0"], client.tags("shop/web"))

    def test_lists_of_referrers_are_united_where_both_sides_changed(self):
        source, target = self.pair()
        image = Image([images.random_layer("subject", 300)])
        ours, theirs, common = (images.referrer(image, "application/spdx+json", name)
                                for name in (b'{"a":1}', b'{"b":1}', b'{"c":1}'))
        for registry, mine in ((source, ours), (target, theirs)):
            with Client(registry.url) as client:
                client.push("both/app", image, "1")
                client.attach("both/app", image, common, mine)
        result = copy(source.url, target.url)
        self.assertEqual({"both/app:1": "present"}, result.states())
        with Client(target.url) as client:
            listed = client.manifest("both/app", images.fallback_tag(image)).json()["manifests"]
            self.assertEqual({one.digest for one in (ours, theirs, common)},
                             {one["digest"] for one in listed})
            client.closure("both/app", ours.digest)
        before = len(target.requests())
        copy(source.url, target.url)
        self.assertEqual(0, target.counts(before)["PUT manifest"])

    def test_blobs_under_sha512_digests_are_copied(self):
        source, target = self.pair()
        layer = images.random_layer("sha512", 5000)
        layer.digest = "sha512:" + hashlib.sha512(layer.data()).hexdigest()
        image = Image([layer])
        with Client(source.url) as client:
            client.push("kinds/sha512", image, "1")
        self.assert_all_copied(copy(source.url, target.url))
        with Client(target.url) as client:
            self.assertEqual(image.digest, client.digest("kinds/sha512", "1"))
            self.assertEqual(layer.data(), client.blob("kinds/sha512", layer.digest))


class Rules(Case):
    def test_only_the_wanted_platforms_of_an_index_are_copied(self):
        source, target = self.pair()
        arch = {name: Image([images.random_layer(name, 900)], architecture=name)
                for name in ("amd64", "arm64", "s390x")}
        with Client(source.url) as client:
            client.push("rules/multi", images.multi_arch(arch), "1")
        wanted = rule(platforms=["linux/arm64"])
        self.assert_all_copied(copy(source.url, target.url, wanted))
        with Client(target.url) as client:
            entries = client.manifest("rules/multi", "1").json()["manifests"]
            client.closure("rules/multi", "1")
        self.assertIn(arch["arm64"].digest, [one["digest"] for one in entries])
        self.assertEqual(2, len(entries))  # the image and its attestation
        again = copy(source.url, target.url, wanted)
        self.assertEqual({"rules/multi:1": "present"}, again.states())

    def test_a_rule_that_keeps_replaces_nothing(self):
        source, target = self.pair()
        new, old = Image([images.random_layer("new", 50)]), Image([images.random_layer("old", 50)])
        with Client(source.url) as client:
            client.push("rules/keep", new, "1", "2")
        with Client(target.url) as client:
            client.push("rules/keep", old, "1")
        kept = copy(source.url, target.url, rule(override=False))
        self.assertEqual({"rules/keep:1": "kept", "rules/keep:2": "copied"}, kept.states())
        with Client(target.url) as client:
            self.assertEqual(old.digest, client.digest("rules/keep", "1"))
        replaced = copy(source.url, target.url)
        self.assertEqual({"rules/keep:1": "copied", "rules/keep:2": "present"}, replaced.states())
        with Client(target.url) as client:
            self.assertEqual(new.digest, client.digest("rules/keep", "1"))

    def test_one_tag_or_digest_goes_under_another_name(self):
        source, target = self.pair()
        image = Image([images.random_layer("one", 50)])
        with Client(source.url) as client:
            client.push("a/one", image, "1")
        to = {"repository": "b/two", "tag": "stable"}
        result = copy(source.url, target.url,
                      rule(source={"repository": "a/one"}, target=to, tags=["1"]))
        self.assertEqual({"b/two:stable": "copied"}, result.states())
        result = copy(source.url, target.url, rule(source={"repository": "a/one"},
                                                   target={"prefix": "by"}, digest=image.digest))
        self.assertEqual({f"by/a/one@{image.digest}": "copied"}, result.states())
        self.assert_same(source, target, [("a/one", image.digest)], lambda name: "by/" + name)

    def test_two_repositories_that_would_meet_are_named_before_anything_moves(self):
        source, target = self.pair()
        with Client(source.url) as client:
            for name in ("x/app", "y/app"):
                client.push(name, Image([images.random_layer(name, 50)]), "1")
        result = copy(source.url, target.url, rule(flatten=1))
        self.assertEqual(1, result.exit)
        self.assertEqual("conflict", result.summary["error"]["code"])
        self.assertIn("'x/app' and 'y/app'", result.summary["error"]["cause"])
        self.assertEqual([], target.requests())

    def test_a_copy_within_one_registry_mounts_every_blob(self):
        registry = self.registry("both")
        image = Image([images.random_layer("inside", 5000)])
        with Client(registry.url) as client:
            client.push("a/app", image, "1")
        before = len(registry.requests())
        result = copy(registry.url, registry.url,
                      rule(source={"prefix": "a"}, target={"instance": "s", "prefix": "b"}))
        self.assertEqual({"b/app:1": "copied"}, result.states())
        counts = registry.counts(before)
        self.assertEqual((2, 0), (counts["POST mount"], counts["PUT upload"]))
        with Client(registry.url) as client:
            client.closure("b/app", "1")

    def test_a_plan_writes_nothing_and_says_what_a_run_then_does(self):
        source, target = self.pair()
        with Client(source.url) as client:
            sets.push_set(client, sets.shared_small())
        plan = copy(source.url, target.url, rule(), "--plan")
        self.assertEqual({"copy"}, set(plan.states().values()))
        self.assertEqual({"GET"}, {method for method, _, _, _ in target.requests()})
        done = copy(source.url, target.url)
        for key in ("images", "blobs", "bytes", "mounts"):
            self.assertEqual(plan.totals[key], done.totals[key], key)
        self.assertEqual((plan.totals["bytes"], plan.totals["mounts"]),
                         (done.totals["bytes_done"], done.totals["mounts_done"]))
        nothing = copy(source.url, target.url, rule(), "--plan")
        self.assertEqual({"present"}, set(nothing.states().values()))
        self.assertEqual(0, nothing.totals["bytes"])


class Ends(Case):
    def roundtrip(self, source, target, source_url=None, target_url=None, *args):
        with self.client(source) as client:
            image = client.push("ends/app", Image([images.random_layer("ends", 70000)]), "1", "2")
        result = copy(source_url or source.url, target_url or target.url,
                      rule(source={"repository": "ends/app"}), *args)
        self.assert_all_copied(result)
        with self.client(target) as client:
            self.assertEqual(image.digest, client.digest("ends/app", "1"))
            client.closure("ends/app", "2")
        return result

    def client(self, registry):
        user = next(iter(registry.users.items()), (None, None))
        tls = registry.tls
        return Client(registry.url, *user, ca=tls.ca if isinstance(tls, Authority) else None)

    def test_distribution_3_at_either_end(self):
        old, new = self.registry("old"), self.registry("new", Registry3)
        self.roundtrip(old, new)
        third = self.registry("third")
        self.roundtrip(new, third)

    def test_a_private_authority_and_a_password(self):
        authority = Authority(os.path.join(self.dir, "ca"))
        source = self.registry("source", tls=authority, users={"reader": "secret-1"})
        target = self.registry("target", tls=authority, users={"writer": "secret-2"})
        self.roundtrip(source, target, source.url.replace("//", "//reader:secret-1@"),
                       target.url.replace("//", "//writer:secret-2@"), f"--ca={authority.ca}")

    def test_a_target_that_wants_patch(self):
        source, target = self.pair()
        self.roundtrip(source, target, None, None, "--patch")
        self.assertEqual(2, target.counts()["PATCH upload"])
        self.assertEqual([], open_uploads(target))


class Faults(Case):
    def fill(self, registry, size=8 << 20, count=3):
        wanted = [(f"faults/app-{number}", "1", Image([images.random_layer(f"f{number}", size)]))
                  for number in range(count)]
        with Client(registry.url) as client:
            sets.push_set(client, wanted)
        return [(name, tag) for name, tag, _ in wanted]

    def test_one_image_that_cannot_be_read_does_not_stop_the_others(self):
        source, target = self.pair()
        names = self.fill(source, 20000)
        with Client(source.url) as client:
            victim = json.loads(client.manifest(names[1][0], "1").body)["layers"][0]["digest"]
        shutil.rmtree(os.path.join(source.storage, "docker/registry/v2/blobs/sha256",
                                   victim[7:9], victim[7:]))
        source.stop()
        source.start()  # forgets what it cached
        result = copy(source.url, target.url, rule(), "--backoff-ms=10")
        self.assertEqual({"faults/app-0:1": "copied", "faults/app-1:1": "failed",
                          "faults/app-2:1": "copied"}, result.states())
        self.assertEqual(3, result.exit)
        error = result.error("faults/app-1:1")
        self.assertEqual("not-found", error["code"])
        self.assertIn(victim[:30], error["message"])
        with Client(target.url) as client:
            self.assertEqual([], client.tags("faults/app-1"))
        self.assertEqual([], forgotten_uploads(target))

    def test_bytes_that_are_not_what_they_should_be_never_become_a_blob(self):
        source, target = self.pair()
        names = self.fill(source, 50000, 1)
        with Client(source.url) as client:
            victim = json.loads(client.manifest(names[0][0], "1").body)["layers"][0]["digest"]
        path = os.path.join(source.storage, "docker/registry/v2/blobs/sha256", victim[7:9],
                            victim[7:], "data")
        with open(path, "r+b") as file:
            file.seek(100)
            file.write(b"bit rot")
        result = copy(source.url, target.url)
        self.assertEqual("digest", result.error("faults/app-0:1")["code"])
        with Client(target.url) as client:
            self.assertEqual([], client.tags(names[0][0]))
            self.assertFalse(client.has_blob(names[0][0], victim))
        self.assertEqual([], forgotten_uploads(target))
        self.assertLessEqual(len(open_uploads(target)), 1)

    def test_a_read_that_is_cut_goes_on_where_it_was(self):
        source, target = self.pair()
        names = self.fill(source, 24 << 20, 1)
        link = self.link(source, cut=9 << 20, cuts=2)
        result = copy(link.url, target.url, rule(), "--backoff-ms=10")
        self.assert_all_copied(result)
        self.assert_same(source, target, names)
        self.assertEqual(2, link.stats()["cuts"])
        self.assertLess(result.summary["source"]["bytes_in"], 24.5 * (1 << 20))
        self.assertEqual(1, target.counts()["PUT upload"] - 1)  # layer and config, once each

    def test_an_upload_that_is_cut_is_sent_again(self):
        source, target = self.pair()
        names = self.fill(source, 24 << 20, 1)
        link = self.link(target, cut=9 << 20, cuts=1, cut_up=True)
        result = copy(source.url, link.url, rule(), "--backoff-ms=10")
        self.assert_all_copied(result)
        self.assert_same(source, target, names)
        layer = next(item for item in result.items if item["name"] == "faults/app-0:1")
        self.assertEqual(2, layer["more"]["attempts"])
        # docker-registry 2.8 answers 404 to the cancel of an upload that broke: it
        # can't be had away, and its own purge takes it.
        self.assertEqual(1, target.counts()["DELETE upload"])

    def test_after_a_kill_what_had_arrived_is_not_read_again(self):
        source, target = self.pair()
        names = self.fill(source, 4 << 20, 24)
        link = self.link(target, rate=40 << 20)
        process = proc.Process(argv_of(source.url, link.url, rule(), "--in-flight=4"),
                               os.path.join(self.dir, "killed.log"))
        proc.wait_until(lambda: len(arrived(target)) >= 12, "some blobs have arrived", 120)
        process.kill()
        there = arrived(target)
        result = copy(source.url, target.url, rule(), "--resume")
        self.assertEqual(0, result.exit, result.summary)
        reads = Counter(path.rpartition("/")[2] for method, path, _, _ in source.requests()
                        if method == "GET" and "/blobs/" in path)
        self.assertEqual({digest: 1 for digest in there},
                         {digest: reads[digest] for digest in there})
        self.assert_same(source, target, names)

    def test_a_cancel_leaves_neither_tags_nor_uploads(self):
        source, target = self.pair()
        self.fill(source, 8 << 20, 6)
        link = self.link(target, rate=10 << 20)
        result = copy(source.url, link.url, rule(), "--cancel-ms=1500", "--cleanup-ms=60000")
        self.assertEqual(1, result.exit)
        self.assertEqual("cancelled", result.summary["error"]["code"])
        self.assertIn("skipped", result.states().values())
        with Client(target.url) as client:
            for name, state in result.states().items():
                repository, tag = name.split(":")
                self.assertEqual(state == "copied",
                                 client.digest(repository, tag) is not None, name)
        proc.wait_until(lambda: not forgotten_uploads(target), "the uploads are cancelled")

    def test_a_cancel_waits_for_the_address_of_an_upload_to_cancel_it(self):
        source, target = self.pair()
        self.fill(source, 2 << 20, 8)
        link = self.link(target, rtt_ms=400)
        process = proc.Process(argv_of(source.url, link.url, rule()),
                               os.path.join(self.dir, "cancelled.log"))
        proc.wait_until(lambda: target.counts(settle=False)["POST upload"],
                        "an upload is open", 120, step=0.01)
        process.stop()
        self.assertIn('"cancelled"', process.log())
        opened = [path for method, path, status, _ in target.requests()
                  if method == "POST" and status == 202]
        counts = target.counts()
        self.assertGreater(len(opened), 0)
        self.assertEqual(len(opened), counts["PUT upload"] + counts["DELETE upload"])

    def cancel_at_a_tag(self, source, link, target, cleanup_ms, *stall):
        """What a copy over a slow link says that is cancelled once a first tag is stored."""
        process = proc.Process(argv_of(source.url, link.url, rule(),
                                       f"--cleanup-ms={cleanup_ms}"),
                               os.path.join(self.dir, "cancelled.log"), stdout=subprocess.PIPE)
        proc.wait_until(lambda: [path for method, path, status, _ in
                                 target.requests(settle=False)
                                 if (method, status) == ("PUT", 201) and path.endswith("/1")],
                        "a tag is stored", 240, step=0.01)
        for each in stall:
            link.set(stall=each)
        process.popen.terminate()
        lines = process.popen.communicate(timeout=300)[0].splitlines()
        return [json.loads(line) for line in lines[:-1]]

    def test_a_tag_whose_put_was_under_way_at_a_cancel_is_not_called_skipped(self):
        source, target = self.pair()
        self.fill(source, 1000, 12)
        link = self.link(target, rtt_ms=600)
        items = self.cancel_at_a_tag(source, link, target, 60000)
        states = {item["name"]: item["more"]["state"] for item in items}
        self.assertEqual(12, len(states))
        self.assertIn("copied", states.values())
        with Client(target.url) as client:
            for name, state in states.items():
                self.assertEqual(state == "copied",
                                 client.digest(*name.split(":")) is not None, name)

    def test_a_tag_that_cannot_be_asked_for_after_a_cancel_is_said_to_be_in_doubt(self):
        source, target = self.pair()
        self.fill(source, 1000, 1)
        link = self.link(target, rtt_ms=2000)
        item, = self.cancel_at_a_tag(source, link, target, 1500, 1)
        if item["more"]["state"] == "skipped":
            self.assertIn("whether the target has it could not be asked",
                          item["more"]["error"]["message"])
        else:  # all was answered before the link fell silent
            self.assertEqual("copied", item["more"]["state"])

    def test_tokens_are_asked_for_once_a_repository(self):
        tokens = TokenServer(os.path.join(self.dir, "tokens"), {"user": "word"})
        self.addCleanup(tokens.stop)
        source, target = self.registry("source"), self.registry("target", tokens=tokens)
        with Client(source.url) as client:
            sets.push_set(client, sets.shared_small())
        result = copy(source.url, target.url.replace("//", "//user:word@"))
        self.assert_all_copied(result)
        self.assertLessEqual(result.summary["target"]["token_requests"], 9)


if __name__ == "__main__":
    unittest.main()
