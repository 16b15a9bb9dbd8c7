# SPDX-License-Identifier: Apache-2.0
"""What a source may hand out: manifests, indexes, blobs, lists, referrers."""

import gzip
import hashlib
import json

from table import *  # noqa: F403
from table import images, _layers

OCI, INDEX = images.OCI_MANIFEST, images.OCI_INDEX


def raw_body(data, kind=OCI):
    return lambda registry, name, tag: registry.put_manifest(name, tag, kind, data)


# Digests of manifests (faults 30, 31; class 8).

HEAD = "manifest manifest-head"
case("digest-header-of-another", SOURCE, "31", "by tag, the digest header is another's", ERROR,
     on(HEAD, header("Docker-Content-Digest", "sha256:" + "a" * 64)))
case("digest-header-garbage", SOURCE, "31", "the digest header is no digest", EITHER,
     on(HEAD, header("Docker-Content-Digest", "sha256:../../etc")))
case("digest-header-unknown-algorithm", SOURCE, "31", "the digest header says md5", EITHER,
     on(HEAD, header("Docker-Content-Digest", "md5:" + "a" * 32)))
case("digest-header-absent", SOURCE, "31", "there is no digest header", RIGHT,
     on(HEAD, header("Docker-Content-Digest", None)))
case("digest-header-twice", SOURCE, "31", "two digest headers disagree", EITHER,
     on(HEAD, change(lambda r, q, s: r.more_headers.append(
         ("Docker-Content-Digest", "sha256:" + "b" * 64)))))
case("digest-header-only-on-get", SOURCE, "31", "HEAD has no digest, GET has", RIGHT,
     on("manifest-head", header("Docker-Content-Digest", None)))
case("head-digest-of-another", SOURCE, "31", "HEAD and GET of a tag disagree for ever", EITHER,
     on("manifest-head", header("Docker-Content-Digest", "sha256:" + "c" * 64)))
case("head-length-lies", SOURCE, "31", "HEAD says another Content-Length", EITHER,
     on("manifest-head", header("Content-Length", 7)))
case("head-405", SOURCE, "31", "HEAD of a manifest is not allowed", RIGHT,
     on("manifest-head", say(405)))
case("head-404-get-200", SOURCE, "31", "HEAD says absent, GET says there", EITHER,
     on("manifest-head", say(404)))
case("head-500", SOURCE, "62", "HEAD of a manifest always fails", EITHER,
     on("manifest-head", say(500)))
case("head-with-body", SOURCE, "31", "HEAD is answered with a body", EITHER,
     on("manifest-head", lambda s, q, good: good().head(True) + b"x" * 300))
case("manifest-other-bytes", SOURCE, "30", "every manifest has a byte more than its digest", ERROR,
     on("manifest", body(lambda data: data + b"\n")))
case("child-other-bytes", SOURCE, "30", "children of an index are not what their digest says",
     ERROR,
     on("manifest", lambda s, q, good: change(lambda r, *_: setattr(r, "body", r.body + b" "))(
         s, q, good) if q.rest.startswith("sha256:") else None), load=two_arch, says="digest")
case("child-is-another", SOURCE, "30", "a child's digest leads to its sibling", ERROR,
     on("manifest", lambda s, q, good: Response(
         200, next(b for _, b in s.registry.manifests[q.name].values()), {"Content-Type": OCI})
         if q.rest.startswith("sha256:") else None), load=two_arch)
case("tag-moves-once", SOURCE, "88", "the tag moves between HEAD and GET", EITHER,
     first("manifest-head", lambda s, q, good: _move_after(s, q, good)))
case("tag-moves-always", SOURCE, "88", "the tag is another image at each look", EITHER,
     on(HEAD, lambda s, q, good: _move_after(s, q, good)))
case("tag-vanishes", SOURCE, "88", "the tag is gone after its HEAD", ERROR,
     on("manifest", say(404, {"errors": [{"code": "MANIFEST_UNKNOWN"}]})))


def _move_after(server, request, good):
    answer = good()
    count = server.notes["moved"] = server.notes.get("moved", 0) + 1
    if not request.rest.startswith("sha256:"):
        server.registry.load(request.name, request.rest,
                             images.Image(_layers(f"{request.name}/moved/{count}", (900,))))
    return answer


# Media types and shapes (faults 32, 33, 37; class 9).

case("manifest-and-index", SOURCE, "32", "manifests beside layers", ERROR,
     load=edited(lambda c: {**c, "manifests": []}))
case("index-with-layers", SOURCE, "32", "an index that has layers", ERROR,
     load=index_edited(lambda c: {**c, "layers": []}))
case("index-with-config", SOURCE, "32", "an index that has a config", ERROR,
     load=index_edited(lambda c: {**c, "config": {"mediaType": images.OCI_CONFIG, "size": 2,
                                                  "digest": "sha256:" + "1" * 64}}))
case("image-called-index", SOURCE, "32", "an image's body under the index type", ERROR,
     load=edited(lambda c: {key: value for key, value in c.items() if key != "mediaType"}, INDEX))
case("index-called-image", SOURCE, "32", "an index's body under the image type", ERROR,
     load=edited(lambda c: {key: value for key, value in c.items() if key != "mediaType"}, OCI,
                 index_base))
case("content-type-differs", SOURCE, "33", "Content-Type is Docker's, mediaType is OCI's", ERROR,
     on("manifest", header("Content-Type", images.DOCKER_MANIFEST)))
case("content-type-index-for-image", SOURCE, "33", "Content-Type says index", ERROR,
     on("manifest", header("Content-Type", INDEX)))
case("content-type-html", SOURCE, "33", "a right manifest as text/html", ERROR,
     on("manifest", header("Content-Type", "text/html")))
case("content-type-json", SOURCE, "33", "a right manifest as application/json", EITHER,
     on("manifest", header("Content-Type", "application/json")))
case("content-type-absent", SOURCE, "33", "no Content-Type", EITHER,
     on("manifest", header("Content-Type", None)))
case("content-type-parameter", SOURCE, "33", "Content-Type with a charset", RIGHT,
     on("manifest", header("Content-Type", OCI + "; charset=utf-8")))
case("content-type-upper-case", SOURCE, "33", "Content-Type in capitals", EITHER,
     on("manifest", header("Content-Type", OCI.upper())))
case("content-type-twice", SOURCE, "33", "two Content-Types", EITHER,
     on("manifest", change(lambda r, *_: r.more_headers.append(("Content-Type", INDEX)))))
case("content-type-of-a-kibibyte", SOURCE, "33", "a Content-Type of 2 KiB", ERROR,
     on("manifest", header("Content-Type", OCI + "x" * 2048)))
case("media-type-absent", SOURCE, "33", "an OCI manifest without mediaType", RIGHT,
     load=edited(lambda c: {key: value for key, value in c.items() if key != "mediaType"}))
case("media-type-number", SOURCE, "33", "mediaType is a number", ERROR,
     load=edited(lambda c: {**c, "mediaType": 5}))
case("schema-1", SOURCE, "37", "a signed schema 1 manifest", ERROR,
     load=raw_body(b'{"schemaVersion":1,"name":"a","tag":"b","architecture":"amd64","fsLayers":[],'
                   b'"history":[],"signatures":[]}',
                   "application/vnd.docker.distribution.manifest.v1+prettyjws"), says="schema")
case("schema-1-plain", SOURCE, "37", "an unsigned schema 1 manifest", ERROR,
     load=raw_body(b'{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[]}',
                   "application/vnd.docker.distribution.manifest.v1+json"), says="schema")
case("schema-1-as-2", SOURCE, "37", "schemaVersion 1 under the OCI type", ERROR,
     load=edited(lambda c: {**c, "schemaVersion": 1}))
case("schema-3", SOURCE, "37", "schemaVersion 3", ERROR,
     load=edited(lambda c: {**c, "schemaVersion": 3}))
case("schema-text", SOURCE, "37", "schemaVersion is \"2\"", ERROR,
     load=edited(lambda c: {**c, "schemaVersion": "2"}))
case("schema-absent", SOURCE, "37", "no schemaVersion", ERROR,
     load=edited(lambda c: {key: value for key, value in c.items() if key != "schemaVersion"}))
case("artifact-manifest", SOURCE, "37", "the withdrawn OCI artifact manifest", EITHER,
     load=raw_body(b'{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":[]}',
                   "application/vnd.oci.artifact.manifest.v1+json"))
case("unknown-manifest-type", SOURCE, "33", "a manifest of an unknown type", ERROR,
     load=raw_body(b'{"schemaVersion":2,"mediaType":"application/x-strange+json"}',
                   "application/x-strange+json"))

# JSON that two parsers may read in two ways (class 9; fault 8).

case("duplicate-layers", SOURCE, "class 9", "layers twice", ERROR,
     load=swapped(('"layers":', '"layers":[],"layers":')))
case("duplicate-config", SOURCE, "class 9", "config twice", ERROR,
     load=swapped(('"config":', '"config":{},"config":')))
case("duplicate-media-type", SOURCE, "class 9", "mediaType twice", ERROR,
     load=swapped(('"schemaVersion"', f'"mediaType":"{INDEX}","schemaVersion"')))
case("duplicate-digest", SOURCE, "class 9", "a layer with two digests", ERROR,
     load=swapped(('"layers":[{', '"layers":[{"digest":"sha256:%s",' % ("0" * 64))))
case("duplicate-escaped-key", SOURCE, "class 9", "a key twice, once escaped", ERROR,
     load=swapped(('"layers":', '"l\\u0061yers":[],"layers":')))
case("trailing-garbage", SOURCE, "class 9", "a second document behind the first", ERROR,
     load=edited(lambda c: images.to_json(c) + b"{}"))
case("byte-order-mark", SOURCE, "8", "a byte order mark in front", ERROR,
     load=edited(lambda c: b"\xef\xbb\xbf" + images.to_json(c)))
case("utf-16", SOURCE, "8", "a manifest in UTF-16", ERROR,
     load=edited(lambda c: json.dumps(c).encode("utf-16")))
case("invalid-utf-8", SOURCE, "8", "an annotation that is no UTF-8", ERROR,
     load=swapped(('"schemaVersion"', b'"annotations":{"a":"\xff\xfe"},"schemaVersion"')))
case("overlong-utf-8", SOURCE, "8", "an overlong slash in an annotation", ERROR,
     load=swapped(('"schemaVersion"', b'"annotations":{"a":"\xc0\xaf"},"schemaVersion"')))
case("lone-surrogate", SOURCE, "8", "a lone surrogate", ERROR,
     load=swapped(('"schemaVersion"', '"annotations":{"a":"\\ud800"},"schemaVersion"')))
case("not-a-number", SOURCE, "8", "NaN as a size", ERROR,
     load=swapped(('"size":3000', '"size":NaN')))
case("comment", SOURCE, "8", "JSON with a comment", ERROR,
     load=edited(lambda c: b"/* hi */" + images.to_json(c)))
case("depth-1000", SOURCE, "8", "1 000 levels of nesting", ERROR,
     load=swapped(('"schemaVersion"', '"x":' + "[" * 1000 + "]" * 1000 + ',"schemaVersion"')))
case("depth-500000", SOURCE, "8", "500 000 levels of nesting", ERROR,
     load=swapped(('"schemaVersion"',
                   '"x":' + "[" * 500_000 + "]" * 500_000 + ',"schemaVersion"')))
for _name, _body in (("empty", b""), ("null", b"null"), ("array", b"[]"), ("text", b'"a"'),
                     ("number", b"42"), ("empty-object", b"{}"),
                     ("cut-json", b'{"schemaVersion":2,'),
                     ("nul-bytes", b"\0" * 400), ("html", b"<html></html>")):
    case(f"manifest-{_name}", SOURCE, "8", f"a manifest whose body is {_name}", ERROR,
         load=raw_body(_body))

# Sizes, digests and fields of descriptors (faults 29, 36).

for _name, _value in (("negative", -1), ("2-63", 2 ** 63), ("2-64", 2 ** 64),
                      ("2-53", 2 ** 53 + 1),
                      ("fraction", 3000.5), ("text", "3000"), ("null", None), ("one-more", 3001),
                      ("one-less", 2999), ("zero", 0), ("true", True), ("list", [3000])):
    case(f"size-{_name}", SOURCE, "36", f"the size of a layer is {_name}", ERROR,
         load=layer_field("size", _value))
case("size-exponent", SOURCE, "36", "a size of 3e3", EITHER,
     load=swapped(('"size":3000', '"size":3e3')))
case("size-1e999", SOURCE, "8", "a size of 1e999", ERROR,
     load=swapped(('"size":3000', '"size":1e999')))
for _name, _value in (
        ("short", "sha256:abc"), ("long", "sha256:" + "a" * 65),
        ("upper-case", "sha256:" + "A" * 64),
        ("not-hex", "sha256:" + "g" * 64), ("unknown-algorithm", "md5:" + "a" * 32),
        ("no-algorithm", "a" * 64), ("empty", ""), ("no-hex", "sha256:"), ("absent", None),
        ("number", 5), ("traversal", "sha256:../../../../etc/passwd"),
        ("line-break", "sha256:" + "a" * 64 + "\r\nX-Injected: 1"),
        ("query", "sha256:" + "a" * 64 + "?x=1"), ("nul", "sha256:" + "a" * 63 + "\0"),
        ("nothing-there", "sha256:" + "d" * 64)):
    case(f"digest-{_name}", SOURCE, "29", f"the digest of a layer is {_name}", ERROR,
         load=layer_field("digest", _value))
case("digest-sha512", SOURCE, "29", "a layer named by its right sha512", EITHER,
     load=lambda r, n, t: _sha512(r, n, t))
case("digest-sha512-wrong", SOURCE, "30", "a layer named by a wrong sha512", ERROR,
     load=lambda r, n, t: _sha512(r, n, t, wrong=True))
case("one-digest-two-sizes", SOURCE, "36", "one digest with two sizes", ERROR,
     load=edited(lambda c: {**c, "layers": [c["layers"][0], {**c["layers"][0], "size": 1}]}))
case("one-layer-twice", SOURCE, "36", "the same layer twice", RIGHT,
     load=with_layers(lambda name: _layers(name, (3000,)) * 2))
case("layer-is-config", SOURCE, "36", "the config is a layer too", RIGHT,
     load=edited(lambda c: {**c, "layers": [*c["layers"], {**c["config"]}]}))
for _name, _value in (("absent", None), ("null", "null"), ("list", []), ("text", "x"),
                      ("empty", {})):
    case(f"config-{_name}", SOURCE, "36", f"the config is {_name}", ERROR,
         load=edited(lambda c, v=_value: {**{k: x for k, x in c.items() if k != "config"},
                                          **({} if v is None else
                                             {"config": None if v == "null" else v})}))
for _name, _value, _must in (("null", None, EITHER), ("object", {}, ERROR), ("text", "x", ERROR),
                             ("numbers", [1, 2], ERROR), ("nulls", [None], ERROR)):
    case(f"layers-{_name}", SOURCE, "36", f"layers is {_name}", _must,
         load=edited(lambda c, v=_value: {**c, "layers": v}))
case("layers-none", SOURCE, "36", "an artifact with no layer", EITHER,
     load=edited(lambda c: {**c, "layers": []}))
case("layers-2000", SOURCE, "36", "2 000 entries of one layer", EITHER,
     load=edited(lambda c: {**c, "layers": [c["layers"][0]] * 2000}))
case("layer-of-no-bytes", SOURCE, "36", "a layer of no bytes", EITHER,
     load=with_layers(lambda name: [images.Blob(images.OCI_LAYER, b"")]))
case("foreign-layer", SOURCE, "class 5", "a layer with urls at a stranger", EITHER,
     load=edited(lambda c: {**c, "layers": [
         {**c["layers"][0], "mediaType": images.DOCKER_LAYER.replace("diff", "foreign.diff"),
          "urls": ["http://127.0.0.2:1/x", "file:///etc/passwd"]}, *c["layers"][1:]]}))
case("foreign-layer-without-urls", SOURCE, "class 5", "a foreign layer that is nowhere else", RIGHT,
     load=layer_field("mediaType", images.OCI_LAYER.replace("layer", "layer.nondistributable")))
case("layer-with-data", SOURCE, "36", "a descriptor that carries wrong data", EITHER,
     load=layer_field("data", "bm90IHRoZSBsYXllcg=="))
case("layer-media-type-absent", SOURCE, "36", "a layer without media type", EITHER,
     load=layer_field("mediaType", None))
case("subject-absent-manifest", SOURCE, "38", "the subject does not exist", RIGHT,
     load=image_with(subject={"mediaType": OCI, "digest": "sha256:" + "e" * 64, "size": 5}))
case("subject-text", SOURCE, "38", "the subject is a word", ERROR,
     load=edited(lambda c: {**c, "subject": "x"}))


def _sha512(registry, name, tag, wrong=False):
    layer = images.random_layer(name, 3000)
    digest = "sha512:" + hashlib.sha512(layer.data() + (b"x" if wrong else b"")).hexdigest()
    registry.blobs.setdefault(name, {})[digest] = layer.data()
    image = images.Image([layer])
    registry.load(name, "base-" + tag, image)
    content = {**image.content, "layers": [{**layer.descriptor(), "digest": digest}]}
    return registry.put_manifest(name, tag, OCI, images.to_json(content))


# Indexes (faults 34, 35).

def nested(depth):
    def load(registry, name, tag):
        member = images.Image(_layers(name))
        for _ in range(depth):
            member = images.Index([(member, None, None)])
        return registry.load(name, tag, member)
    return load


def children(edit):
    return index_edited(lambda c: {**c, "manifests": edit(c["manifests"])})


case("index-plain", SOURCE, "34", "nothing: an honest index with attestations", RIGHT,
     load=two_arch)
case("index-in-index", SOURCE, "34", "an index in an index", RIGHT, load=nested(2))
case("index-depth-6", SOURCE, "34", "six indexes in each other", ERROR, load=nested(6))
case("index-cycle", SOURCE, "34", "a child's digest leads back to the index", ERROR,
     on("manifest", lambda s, q, good: Response(
         200, s.registry.manifests[q.name][s.registry.tags[q.name]["latest"]][1],
         {"Content-Type": INDEX, "Docker-Content-Digest": q.rest})
         if q.rest.startswith("sha256:") else None), load=two_arch)
case("index-children-10000", SOURCE, "35", "10 000 children", ERROR,
     load=children(lambda list_: [{**list_[0], "digest": "sha256:%064x" % number}
                                  for number in range(10_000)]))
case("index-children-twice", SOURCE, "35", "the same child twice", RIGHT,
     load=children(lambda list_: list_ * 2))
case("index-without-children", SOURCE, "35", "an empty index", EITHER, load=children(lambda _: []))
case("index-child-missing", SOURCE, "35", "a child that is not there", ERROR,
     load=children(lambda list_: [*list_, {**list_[0], "digest": "sha256:" + "9" * 64}]))
case("index-child-size", SOURCE, "36", "a child's size is wrong", ERROR,
     load=children(lambda list_: [{**list_[0], "size": list_[0]["size"] + 1}]))
case("index-child-negative-size", SOURCE, "36", "a child's size is negative", ERROR,
     load=children(lambda list_: [{**list_[0], "size": -5}]))
case("index-child-type", SOURCE, "33", "a child's type differs from what it is", ERROR,
     load=children(lambda list_: [{**list_[0], "mediaType": INDEX}]))
case("index-child-unknown-type", SOURCE, "33", "a child of an unknown type", EITHER,
     load=children(lambda list_: [{**list_[0], "mediaType": "application/octet-stream"}]))
case("index-child-is-number", SOURCE, "36", "a child is a number", ERROR,
     load=children(lambda _: [7]))
case("index-children-null", SOURCE, "36", "manifests is null", EITHER,
     load=children(lambda _: None))
case("index-children-object", SOURCE, "36", "manifests is an object", ERROR,
     load=children(lambda _: {}))
case("index-platform-hostile", SOURCE, "39", "a platform with control bytes", EITHER,
     load=children(lambda list_: [{**list_[0], "platform": {
         "os": "\x1b[2J", "architecture": "\u202eamd64"}}]))

# Bombs and floods (faults 39, 52, 53, 63; classes 10, 11).

case("manifest-of-5-mib", SOURCE, "39", "a manifest of 5 MiB", ERROR,
     load=edited(lambda c: {**c, "annotations": {"a": "x" * (5 * MIB)}}))
case("annotation-of-4-mib", SOURCE, "39", "an annotation of 4 MiB", ERROR,
     load=edited(lambda c: {**c, "annotations": {"a": "x" * (4 * MIB)}}))
case("annotation-escapes", SOURCE, "39", "annotations with terminal and bidi controls", RIGHT,
     load=image_with(annotations={"org.opencontainers.image.title": "\x1b[31mred\x07 \u202egnp"}))
case("manifest-of-braces", SOURCE, "63", "4 MiB of {} in a manifest", ERROR,
     load=edited(lambda c: {**c, "x": [{}] * 1_300_000}))
case("manifest-endless", SOURCE, "52", "a manifest that does not end", ERROR,
     on("manifest", fields(repeat=b" " * 65536, length="")))
case("manifest-endless-chunked", SOURCE, "52", "a chunked manifest that does not end", ERROR,
     on("manifest", lambda s, q, good: Response(
         200, b"", {"Content-Type": OCI, "Transfer-Encoding": "chunked"}, length="",
         repeat=b"1000\r\n" + b" " * 4096 + b"\r\n")))
case("manifest-huge-length", SOURCE, "52", "Content-Length of a manifest is 2^62", ERROR,
     on("manifest", fields(length=2 ** 62)))
case("manifest-gzip", SOURCE, "53", "a manifest in gzip that nobody asked for", EITHER,
     on("manifest", change(lambda r, q, s: (
         setattr(r, "body", gzip.compress(r.body, mtime=0)),
         r.headers.update({"Content-Encoding": "gzip"})))))
case("manifest-gzip-bomb", SOURCE, "53", "a manifest that is 512 MiB of gzipped blanks", ERROR,
     on("manifest", lambda s, q, good: Response(
         200, _bomb(), {"Content-Type": OCI, "Content-Encoding": "gzip"})))
case("manifest-says-gzip", SOURCE, "53", "Content-Encoding is gzip and the bytes are not", EITHER,
     on("manifest", header("Content-Encoding", "gzip")))
case("manifest-unknown-encoding", SOURCE, "53", "an unknown Content-Encoding", EITHER,
     on("manifest", header("Content-Encoding", "x-strange")))


def _bomb():
    piece = gzip.compress(b" " * (16 * MIB), 9, mtime=0)
    return piece * 32


# Blobs (faults 30, 51-55).

for _name, _at in (("first", 0), ("middle", 1500), ("last", -1)):
    case(f"blob-{_name}-byte", SOURCE, "30", f"the {_name} byte of every layer is wrong", ERROR,
         on("blob", is_layer(body(flipped(_at)))), says="digest|differ|another")
case("blob-wrong-once", SOURCE, "30", "a byte of the first layer is wrong, once", EITHER,
     first("blob", is_layer(body(flipped(7)))))
case("config-wrong", SOURCE, "30", "the config is another's", ERROR,
     on("blob", lambda s, q, good: None if len(good().body) > 1000 else Response(200, b"{}")))
case("blob-short", SOURCE, "51", "a layer is one byte short and says so", ERROR,
     on("blob", is_layer(body(lambda data: data[:-1]))))
case("blob-long", SOURCE, "51", "a layer is one byte long and says so", ERROR,
     on("blob", is_layer(body(lambda data: data + b"x"))))
case("blob-long-no-length", SOURCE, "52", "a layer is a byte long, without a length", ERROR,
     on("blob", is_layer(change(lambda r, q, s: (setattr(r, "body", r.body + b"x"),
                                                 setattr(r, "length", ""))))))
case("blob-endless", SOURCE, "52", "a layer that does not end", ERROR,
     on("blob", is_layer(fields(repeat=b"x" * 65536, length=""))))
case("blob-endless-chunked", SOURCE, "52", "a chunked layer that does not end", ERROR,
     on("blob", is_layer(lambda s, q, good: Response(
         200, b"", {"Transfer-Encoding": "chunked"}, length="",
         repeat=b"8000\r\n" + b"x" * 32768 + b"\r\n"))))
case("blob-empty", SOURCE, "51", "a layer comes as nothing", ERROR, on("blob", is_layer(say(200))))
case("blob-204", SOURCE, "51", "a layer comes as 204", ERROR, on("blob", is_layer(say(204))))
case("blob-html", SOURCE, "50", "a layer comes as a login page", ERROR, on("blob", html()))
case("blob-chunked", SOURCE, "51", "layers without a length, chunked", RIGHT,
     on("blob", fields(chunked=True)))
case("blob-no-length", SOURCE, "51", "layers without a length, ended by a close", RIGHT,
     on("blob", fields(length="")))
case("blob-header-digest", SOURCE, "31", "the digest header of a layer is another's", EITHER,
     on("blob", header("Docker-Content-Digest", "sha256:" + "f" * 64)))
case("blob-gzip", SOURCE, "53", "layers in gzip that nobody asked for", EITHER,
     on("blob", change(lambda r, q, s: (setattr(r, "body", gzip.compress(r.body, mtime=0)),
                                        r.headers.update({"Content-Encoding": "gzip"})))))
case("blob-says-gzip", SOURCE, "53", "Content-Encoding of layers is gzip and they are not", EITHER,
     on("blob", header("Content-Encoding", "gzip")))
case("blob-gzip-bomb", SOURCE, "53", "a layer that is 512 MiB of gzipped blanks", ERROR,
     on("blob", is_layer(lambda s, q, good: Response(200, _bomb(), {"Content-Encoding": "gzip"}))))
for _status in (400, 401, 403, 404, 410, 416, 418, 451):
    case(f"blob-{_status}", SOURCE, "62", f"every layer answers {_status}", ERROR,
         on("blob", say(_status)), limits={"blob": 40})
case("blob-partial", SOURCE, "51", "every GET is answered 206 with the first half", EITHER,
     on("blob", is_layer(lambda s, q, good: _partial(good()))))


def _partial(whole):
    half = len(whole.body) // 2
    return Response(206, whole.body[:half], {
        "Content-Range": f"bytes 0-{half - 1}/{len(whole.body)}"})


# A Range answer after a cut that is not what was asked for (faults 51, 55).

def after_cut(second):
    """Cut the first GET of a layer in its middle, then answer with second."""
    def action(server, request, good):
        key = ("cut", request.rest)
        server.notes[key] = server.notes.get(key, 0) + 1
        if server.notes[key] == 1:
            whole = good()
            whole.cut = len(whole.body) // 2
            return whole
        return second(server, request, good)
    return on("blob", is_layer(action))


case("range-honest", SOURCE, "51", "a layer is cut once, then Range works", RIGHT,
     after_cut(lambda s, q, good: good()), load=big_image)
case("range-ignored", SOURCE, "51", "after a cut, Range is ignored: 200 and the whole", RIGHT,
     after_cut(lambda s, q, good: s.registry.on_blob(_without_range(q))), load=big_image)
case("range-shifted", SOURCE, "51", "after a cut, 206 starts a byte off", EITHER,
     after_cut(change(lambda r, q, s: setattr(r, "body", b"x" + r.body[:-1]))), load=big_image)
case("range-no-content-range", SOURCE, "51", "after a cut, 206 without Content-Range", EITHER,
     after_cut(header("Content-Range", None)), load=big_image)
case("range-other-content-range", SOURCE, "51", "after a cut, 206 of another range", EITHER,
     after_cut(header("Content-Range", "bytes 5-10/11")), load=big_image)
case("range-garbage-content-range", SOURCE, "51", "after a cut, Content-Range is garbage", EITHER,
     after_cut(header("Content-Range", "bytes */x")), load=big_image)
case("range-416", SOURCE, "51", "after a cut, only 416", EITHER, after_cut(say(416)),
     load=big_image)
case("range-other-bytes", SOURCE, "30", "after a cut, the rest is another's bytes", ERROR,
     after_cut(body(flipped(3))), load=big_image)


def _without_range(request):
    request.headers.pop("range", None)
    return request


def ranges_are(action):
    """After a cut, what has a Range is answered so; the whole blob is still given."""
    return after_cut(lambda s, q, good: action(s, q, good) if "range" in q.headers else good())


case("blob-refusal-without-end", SOURCE, "54", "500 and trailers that never end", ERROR,
     on("blob", is_layer(lambda s, q, good: Response(
         500, b"0\r\n", {"Transfer-Encoding": "chunked"}, length="", repeat_s=0.1,
         repeat=b"X: " + b"a" * 300 + b"\r\n"))))
for _name, _does, _action in (
        ("416", "416", say(416)),
        ("403", "403", say(403)),
        ("500", "500", say(500)),
        ("reset", "a reset", lambda s, q, good: Response(206, cut_head=0, reset=True)),
        ("astray", "another range", header("Content-Range", "bytes 5-10/11")),
        ("empty", "200 and nothing", say(200)),
        ("wrong", "the right range of wrong bytes", body(flipped(3)))):
    case(f"ranges-{_name}", SOURCE, "51", f"after a cut, a Range is answered by {_does}", RIGHT,
         ranges_are(_action), load=big_image)
case("ranges-short", SOURCE, "51", "after a cut, each 206 has half of the rest", RIGHT,
     ranges_are(lambda s, q, good: _half_of(good())), load=big_image)


def _half_of(answer):
    first, last, size = re.match(r"bytes (\d+)-(\d+)/(\d+)",
                                 answer.headers["Content-Range"]).groups()
    kept = max(len(answer.body) // 2, 1)
    answer.body = answer.body[:kept]
    answer.headers["Content-Range"] = f"bytes {first}-{int(first) + kept - 1}/{size}"
    return answer


# Lists (faults 46, 63; class 4). These are seen by a copy of all tags.

def tags_link(target):
    """The honest list with a Link to the next page."""
    def edit(response, request, server):
        url = target(server, request)
        if url:
            response.headers["Link"] = url
    return on("tags", change(edit))


def _page(server, request):
    server.notes["page"] = server.notes.get("page", 0) + 1
    return server.notes["page"]


ALL = {"all_tags": True, "load": many_tags(3)}
case("tags-plain", SOURCE, "46", "nothing: an honest list of tags", RIGHT, **ALL)
case("tags-pages", SOURCE, "46", "pages by relative Link", RIGHT,
     on("tags", lambda s, q, good: _tag_pages(s, q)), **ALL)
case("tags-pages-absolute", SOURCE, "46", "pages by absolute Link", RIGHT,
     on("tags", lambda s, q, good: _tag_pages(s, q, s.origin)), **ALL)
case("tags-pages-other-host", SOURCE, "46", "pages by a Link that names an inner host", RIGHT,
     on("tags", lambda s, q, good: _tag_pages(s, q, s.stranger.origin)), **ALL)
case("tags-pages-redirected", SOURCE, "46", "all pages are at a stranger, who links to the next",
     RIGHT, on("tags", redirect(307, to_stranger)), sees=4,
     stranger=[on("tags", lambda s, q, good: _tag_pages(s, q))], **ALL)
case("tags-link-to-itself", SOURCE, "46", "the next page is the same page", ERROR,
     tags_link(lambda s, q: f'<{q.target}>; rel="next"'), limits={"tags": 1100}, **ALL)
case("tags-link-round", SOURCE, "46", "two pages lead to each other", ERROR,
     tags_link(lambda s, q: f'</v2/{q.name}/tags/list?last={_page(s, q) % 2}>; rel="next"'),
     limits={"tags": 30}, **ALL)
case("tags-endless-pages", SOURCE, "46", "ever new pages with the same tags", ERROR,
     tags_link(lambda s, q: f'</v2/{q.name}/tags/list?last={_page(s, q)}>; rel="next"'),
     limits={"tags": 1100}, **ALL)
case("tags-link-in-a-second-header", SOURCE, "46", "two Link headers, the next page in the second",
     RIGHT, on("tags", lambda s, q, good: _two_links(_tag_pages(s, q))), sees=4, **ALL)
case("tags-page-size-refused", SOURCE, "46", "400 where a page size is asked for", RIGHT,
     on("tags", lambda s, q, good: say(400)(s, q, good) if "n" in q.query else None), **ALL)
case("tags-link-garbage", SOURCE, "46", "a Link that is no link", EITHER,
     tags_link(lambda s, q: '>;;<"rel=next'), **ALL)
case("tags-pages-without-rel", SOURCE, "46", "pages by a Link that does not say what it is", RIGHT,
     on("tags", lambda s, q, good: _without_rel(_tag_pages(s, q))), sees=4, **ALL)
case("tags-link-no-rel", SOURCE, "46", "a Link of another relation", RIGHT,
     tags_link(lambda s, q: f'<{q.target}>; rel="prev"'), **ALL)
case("tags-link-file", SOURCE, "46", "a Link to file:///etc/passwd", ERROR,
     tags_link(lambda s, q: '<file:///etc/passwd>; rel="next"'), **ALL)
case("tags-link-other-path", SOURCE, "46", "a Link into another part of the server", ERROR,
     tags_link(lambda s, q: '</admin/delete?all=1>; rel="next"'), **ALL)
case("tags-link-line-break", SOURCE, "46", "a Link of 60 KiB", ERROR,
     tags_link(lambda s, q: f'</v2/{q.name}/tags/list?last={"x" * 60000}>; rel="next"'), **ALL)
case("tags-null", SOURCE, "46", "tags is null", EITHER,
     on("tags", say(200, {"name": "x", "tags": None}, Content_Type="application/json")),
     may_be_empty=True, **ALL)
case("tags-absent", SOURCE, "46", "an object without tags", ERROR,
     on("tags", say(200, {"name": "x"}, Content_Type="application/json")), **ALL)
case("tags-object", SOURCE, "46", "tags is an object", ERROR,
     on("tags", say(200, {"tags": {"a": 1}}, Content_Type="application/json")), **ALL)
case("tags-numbers", SOURCE, "46", "tags are numbers", ERROR,
     on("tags", say(200, {"tags": [1, 2]}, Content_Type="application/json")), **ALL)
for _name, _tag in (("traversal", "../../x"), ("slash", "a/b"), ("empty", ""), ("long", "x" * 300),
                    ("escape", "\x1b[2Jx"), ("blank", "a b"), ("line-break", "a\r\nX: 1"),
                    ("digest", "sha256:" + "a" * 64), ("dash", "-rf")):
    case(f"tags-name-{_name}", SOURCE, "29", f"a tag whose name is {_name}", EITHER,
         on("tags", lambda s, q, good, t=_tag: Response(
             200, {"name": q.name, "tags": ["latest", t]}, {"Content-Type": "application/json"})),
         **ALL)
case("tags-twice", SOURCE, "46", "every tag twice", RIGHT,
     on("tags", body(lambda data: data.replace(b'"latest"', b'"latest", "latest"'))),
     limits={"manifest": 8}, **ALL)
case("tags-one-is-none", SOURCE, "29", "an odd name among tags: the others are copied", ERROR,
     on("tags", body(lambda data: data.replace(b'"latest"', b'"latest", "-odd!"'))), sees=4,
     says="-odd!", **ALL)
case("tags-not-there", SOURCE, "46", "tags that do not exist", ERROR,
     on("tags", lambda s, q, good: Response(200, {"name": q.name, "tags": ["latest", "ghost"]},
                                            {"Content-Type": "application/json"})), **ALL)
case("tags-braces", SOURCE, "63", "a page of 4 MiB of {}", ERROR,
     on("tags", say(200, b'{"tags":[' + b"{}," * 1_300_000 + b"{}]}",
                    Content_Type="application/json")), **ALL)
case("tags-endless", SOURCE, "52", "a list that does not end", ERROR,
     on("tags", lambda s, q, good: Response(200, b'{"tags":["a"', {
         "Content-Type": "application/json"}, length="", repeat=b',"a"' * 10000)), **ALL)
case("tags-html", SOURCE, "50", "a login page for a list", ERROR, on("tags", html()), **ALL)
case("tags-404", SOURCE, "46", "the list is not there", ERROR, on("tags", say(404)), **ALL)
case("tags-500", SOURCE, "62", "the list always fails", ERROR, on("tags", say(500)), **ALL)
case("tags-cut", SOURCE, "55", "the list is cut, always", ERROR, on("tags", fields(cut=10)), **ALL)
case("tags-cut-once", SOURCE, "55", "the list is cut once", RIGHT, first("tags", fields(cut=10)),
     **ALL)
case("tags-cut-with-length", SOURCE, "55", "half a list with the length of that half", ERROR,
     on("tags", body(lambda data: data[:20])), **ALL)


def _two_links(response):
    if response and "Link" in response.headers:
        response.more_headers.append(("Link", response.headers.pop("Link")))
        response.headers["Link"] = '</v2/>; rel="first"'
    return response


def _without_rel(response):
    if response and "Link" in response.headers:
        response.headers["Link"] = response.headers["Link"].partition(";")[0]
    return response


def _tag_pages(server, request, origin=""):
    if request.name not in server.registry.tags:
        return None
    tags = sorted(server.registry.tags[request.name])
    start = tags.index(request.query["last"]) + 1 if "last" in request.query else 0
    response = Response(200, {"name": request.name, "tags": tags[start:start + 1]},
                        {"Content-Type": "application/json"})
    if start + 1 < len(tags):
        url = f"{origin}/v2/{request.name}/tags/list?n=1&last={tags[start]}"
        response.headers["Link"] = f'<{url}>; rel="next"'
    return response


CATALOG = {"job": "refresh"}
case("catalog-plain", SOURCE, "46", "nothing: an honest catalog", RIGHT, **CATALOG)
case("catalog-link-to-itself", SOURCE, "46", "the next page of the catalog is the same", ERROR,
     on("catalog",
        change(lambda r, q, s: r.headers.update({"Link": f'<{q.target}>; rel="next"'}))),
     limits={"catalog": 1100}, **CATALOG)
case("catalog-endless-pages", SOURCE, "46", "ever new pages of the catalog", ERROR,
     on("catalog", change(lambda r, q, s: r.headers.update(
         {"Link": f'</v2/_catalog?last={_page(s, q)}>; rel="next"'}))),
     limits={"catalog": 1100}, **CATALOG)
case("catalog-html", SOURCE, "50", "a login page for the catalog", ERROR, on("catalog", html()),
     **CATALOG)
case("catalog-braces", SOURCE, "63", "4 MiB of {} in the catalog", ERROR,
     on("catalog", say(200, b'{"repositories":[' + b"{}," * 1_300_000 + b"{}]}",
                       Content_Type="application/json")), **CATALOG)
case("catalog-hostile-names", SOURCE, "29", "repositories with names that are none", EITHER,
     on("catalog", say(200, {"repositories": ["../../etc", "UPPER", "\x1b[31m", "", "a//b",
     "x" * 4000]},
                       Content_Type="application/json")), **CATALOG)
case("catalog-cut", SOURCE, "55", "the catalog is cut, always", ERROR,
     on("catalog", fields(cut=9)),
     **CATALOG)
case("catalog-404", SOURCE, "46", "there is no catalog", EITHER, on("catalog", say(404)),
     **CATALOG)

def _twice(response, request, server):
    found = json.loads(response.body)
    response.body = json.dumps({"repositories": found["repositories"] * 2}).encode()


RULE = {"job": "rule"}
case("catalog-rule-plain", SOURCE, "46", "nothing: an honest catalog, read by a rule", RIGHT, **RULE)
case("catalog-twice", SOURCE, "46", "the catalog names each repository twice", RIGHT,
     on("catalog", change(_twice)), **RULE)

# Referrers (fault 38).

REFERRERS = {"referrers": True, "referrers_api": True}


def signed(registry, name, tag):
    image = images.Image(_layers(name))
    registry.load(name, tag, image)
    sbom = images.referrer(image, "application/spdx+json", b'{"spdx":1}')
    registry.load(name, sbom.digest, sbom)
    return image.digest


def referrers_say(make):
    """The answer of the referrers API: a list of descriptors."""
    return on("referrers", lambda s, q, good: Response(
        200, {"schemaVersion": 2, "mediaType": INDEX, "manifests": make(s, q)},
        {"Content-Type": INDEX}))


case("referrers-plain", SOURCE, "38", "nothing: an honest SBOM", RIGHT, load=signed, **REFERRERS)
case("referrers-of-itself", SOURCE, "38", "an image lists itself as its referrer", EITHER,
     referrers_say(lambda s, q: [{"mediaType": OCI, "digest": q.rest,
                                  "size": len(s.registry.manifests[q.name][q.rest][1])}]),
     load=signed, limits={"referrers": 40}, **REFERRERS)
case("referrers-loop", SOURCE, "38", "each referrer has a referrer, for ever", ERROR,
     referrers_say(lambda s, q: [_new_referrer(s, q)]), load=signed, limits={"referrers": 200},
     **REFERRERS)
case("referrers-10000", SOURCE, "38", "10 000 referrers that are not there", ERROR,
     referrers_say(lambda s, q: [{"mediaType": OCI, "digest": "sha256:%064x" % number, "size": 9}
                                 for number in range(10_000)]), load=signed, **REFERRERS)
case("referrers-missing", SOURCE, "38", "a referrer that is not there", ERROR,
     referrers_say(lambda s, q: [{"mediaType": OCI, "digest": "sha256:" + "7" * 64, "size": 9}]),
     load=signed, **REFERRERS)
case("referrers-html", SOURCE, "50", "a page in place of referrers", EITHER,
     on("referrers", html()), load=signed, **REFERRERS)
case("referrers-500", SOURCE, "62", "referrers always fail", ERROR, on("referrers", say(500)),
     load=signed, **REFERRERS)
case("referrers-link-to-itself", SOURCE, "46", "the next page of referrers is the same", ERROR,
     on("referrers", change(lambda r, q, s: r.headers.update(
         {"Link": f'<{q.target}>; rel="next"'}))), load=signed, limits={"referrers": 1100},
     **REFERRERS)
case("referrers-link-round", SOURCE, "46", "two pages of referrers lead to each other", ERROR,
     on("referrers", change(lambda r, q, s: r.headers.update(
         {"Link": f'<{q.path}?page={_page(s, q) % 2}>; rel="next"'}))), load=signed,
     limits={"referrers": 20}, **REFERRERS)
case("referrers-link-elsewhere", SOURCE, "46", "the next page is at a stranger", EITHER,
     on("referrers", change(lambda r, q, s: "page" in q.query or r.headers.update(
         {"Link": f'<{s.stranger.origin}{q.path}?page=2>; rel="next"'}))), load=signed,
         **REFERRERS)
for _status in (401, 404, 500):
    case(f"referrers-page-{_status}", SOURCE, "46", f"the second page of referrers is a {_status}",
         ERROR, on("referrers", lambda s, q, good, n=_status: _second_page(q, good, n)),
         load=signed, **REFERRERS)
case("referrers-redirected", SOURCE, "40", "referrers are listed at a stranger", RIGHT,
     on("referrers", redirect(307, to_stranger)), load=signed, **REFERRERS)
case("referrers-redirected-401", SOURCE, "40", "the stranger asks for a password for referrers",
     ERROR, on("referrers", redirect(307, to_stranger)), load=signed, stranger=[
         on("referrers", say(401, WWW_Authenticate='Basic realm="x"'))], **REFERRERS)
case("referrers-of-another", SOURCE, "38", "a referrer whose subject is another image", EITHER,
     referrers_say(lambda s, q: [_stranger_to(s, q)]), load=signed, **REFERRERS)
for _name, _made in (("older", True), ("empty", False)):
    case(f"fallback-tag-{_name}-beside-api", SOURCE, "38",
         f"the API lists an SBOM, and an {_name} fallback tag does not", RIGHT,
         load=lambda r, n, t, m=_made: _older_tag(r, n, t, m),
         also=lambda c, n, m=_made: _all_listed(c, n, 1 + m), **REFERRERS)
case("fallback-tag-is-image", SOURCE, "38", "the fallback tag is an image", EITHER,
     load=lambda r, n, t: _fallback(r, n, t, lambda image: image), referrers=True)
case("fallback-tag-garbage", SOURCE, "38", "the fallback tag is garbage", EITHER,
     load=lambda r, n, t: _fallback(r, n, t, None), referrers=True)
case("fallback-tag-lists-itself", SOURCE, "38", "the fallback index lists the image itself",
     EITHER,
     load=lambda r, n, t: _fallback(r, n, t, lambda image: images.Index([(image, None, None)])),
     referrers=True)


def _second_page(request, good, status):
    if "page" in request.query:
        return Response(status, b"", {"WWW-Authenticate": ""} if status == 401 else {})
    response = good()
    response.headers["Link"] = f'<{request.path}?page=2>; rel="next"'
    return response


def _new_referrer(server, request):
    media, data = server.registry.manifests[request.name][request.rest]
    subject = {"mediaType": media, "digest": request.rest, "size": len(data)}
    artifact = images.referrer(subject, "application/x-loop", b"loop")
    server.registry.load(request.name, artifact.digest, artifact)
    return artifact.descriptor()


def _stranger_to(server, request):
    subject = {"mediaType": OCI, "digest": "sha256:" + "8" * 64, "size": 77}
    artifact = images.referrer(subject, "application/x-other", b"other")
    server.registry.load(request.name, artifact.digest, artifact)
    return artifact.descriptor()


def _older_tag(registry, name, tag, made):
    """An SBOM that only the API lists, and a signature that only the tag does."""
    signed(registry, name, tag)
    image = images.Image(_layers(name))
    older = images.Image(_layers(name + "-older", (500,)))
    entries = [(older, None, None)] if made else []
    registry.load(name, images.fallback_tag(image), images.Index(entries))
    return image.digest


def _all_listed(client, name, count):
    tag = images.fallback_tag(images.Image(_layers(name)))
    listed = [one["digest"] for one in client.manifest(name, tag).json()["manifests"]]
    client.closure(name, tag)
    return [] if len(listed) == count else [f"{tag} lists {listed}, not {count} manifests"]


def _fallback(registry, name, tag, make):
    image = images.Image(_layers(name))
    registry.load(name, tag, image)
    at = images.fallback_tag(image)
    if make:
        registry.load(name, at, make(image))
    else:
        registry.put_manifest(name, at, INDEX, b'{"schemaVersion":2,"manifests":{}}')
    return image.digest
