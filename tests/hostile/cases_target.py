# SPDX-License-Identifier: Apache-2.0
"""How a target may take what is sent: refuse, lose, alter, and lie about it."""

from table import *  # noqa: F403
from table import _layers

case("target-plain", TARGET, "-", "nothing: an honest target", RIGHT)
case("target-index", TARGET, "-", "nothing: an honest target of an index", RIGHT, load=two_arch)
case("target-basic", TARGET, "-", "nothing: Basic", RIGHT, login=True)
case("target-bearer", TARGET, "-", "nothing: Bearer", RIGHT, login=True, bearer=True)

# What answers a push is empty, and a framework may name its type: Quay does so.
for _kinds in ("upload", "put", "patch", "manifest-put", "upload put patch manifest-put"):
    case(f"answers-as-pages-{_kinds.replace(' ', '-')}", TARGET, "50",
         f"what answers {_kinds} well is named text/html", RIGHT,
         on(_kinds, header("Content-Type", "text/html; charset=utf-8")))
case("answers-as-gzip", TARGET, "53", "what answers a push well is named gzip", RIGHT,
     on("upload put patch manifest-put", header("Content-Encoding", "gzip")))
for _kinds in ("upload", "put", "manifest-put"):
    case(f"login-page-{_kinds}", TARGET, "50", f"a login page answers {_kinds}", ERROR,
         on(_kinds, html()))

# Upload sessions (fault 45; class 3). Logged in: there is what to lose.

IN = {"login": True}


def location(make):
    """The session's Location is another; make(server, request, honest)."""
    def edit(response, request, server):
        told = make(server, request, response.headers.get("Location", ""))
        response.headers.pop("Location", None)
        if told is not None:
            response.headers["Location"] = told
    return on("upload", change(edit))


case("location-absolute", TARGET, "45", "Location with the own origin", RIGHT,
     location(lambda s, q, at: s.origin + at), **IN)
case("location-relative", TARGET, "45", "Location relative to the request", EITHER,
     location(lambda s, q, at: at.rpartition("/")[2]), **IN)
case("location-many-queries", TARGET, "45", "Location with several parameters", RIGHT,
     location(lambda s, q, at: at + "&a=b%2Fc&d=e+f"), **IN)
case("location-no-query", TARGET, "45", "Location without parameters", RIGHT,
     location(lambda s, q, at: at.partition("?")[0]), **IN)
case("location-stranger", TARGET, "45", "Location at a stranger", ERROR,
     location(lambda s, q, at: s.stranger.origin + at), says="Location|origin|address", **IN)
case("location-other-port", TARGET, "45", "Location at another port", ERROR,
     location(lambda s, q, at: "http://127.0.0.1:1" + at), **IN)
case("location-other-scheme", TARGET, "45", "Location with https where all is http", ERROR,
     location(lambda s, q, at: f"https://127.0.0.1:{s.port}{at}"), **IN)
case("location-network-path", TARGET, "45", "Location //stranger/...", ERROR,
     location(lambda s, q, at: f"//{ELSEWHERE}:{s.stranger.port}{at}"), **IN)
case("location-userinfo", TARGET, "45", "Location with a user of its own", ERROR,
     location(lambda s, q, at: f"http://127.0.0.1@{ELSEWHERE}:{s.stranger.port}{at}"), **IN)
for _name, _url in (("absent", None), ("empty", ""), ("garbage", "http://[::1"),
                                                      ("file", "file:///tmp/x"),
                    ("metadata", "http://169.254.169.254/upload"), ("long", "/v2/" + "x" * 60_000),
                    ("controls", "/v2/\x01\x02")):
    case(f"location-{_name}", TARGET, "45", f"Location is {_name}", ERROR,
         location(lambda s, q, at, u=_url: u), **IN)
for _name, _path in (("manifest", "/v2/{}/manifests/old"),
                     ("manifest-escaped", "/v2/{}/%6danifests/old"),
                     ("blob", "/v2/{}/blobs/sha256:" + "7" * 64)):
    case(f"location-of-a-{_name}", TARGET, "45",
         f"Location is that of a {_name}, which a cancel would delete", ERROR,
         location(lambda s, q, at, p=_path: p.format(q.name)),
         limits={"manifest-put": 0, "manifest-delete": 0, "manifest": 0, "other": 0},
         says="manifest or of a blob", **IN)
case("location-other-repository", TARGET, "45", "the session is in another repository", ERROR,
     location(lambda s, q, at: at.replace(q.name, "other/repository")), untagged=True, **IN)
case("location-bearer-stranger", TARGET, "45", "Location at a stranger; a token is at stake",
     ERROR, location(lambda s, q, at: s.stranger.origin + at), bearer=True, **IN)
for _status in (301, 302, 307, 308):
    case(f"upload-redirect-{_status}", TARGET, "40", f"the session is at a stranger ({_status})",
         ERROR, on("upload", redirect(_status, to_stranger)), **IN)
    case(f"put-redirect-{_status}", TARGET, "40",
         f"the upload's end is at a stranger ({_status})", ERROR,
         on("put patch", redirect(_status, to_stranger)), **IN)
    case(f"manifest-put-redirect-{_status}", TARGET, "40",
         f"manifests go to a stranger ({_status})",
         ERROR, on("manifest-put", redirect(_status, to_stranger)), **IN)

# Refusals of a session, a blob, a manifest: once and always.

for _kind, _word in (("upload", "a session"), ("put patch", "a blob"),
                     ("manifest-put", "a manifest")):
    _short = _kind.split()[0]
    for _status in (500, 502, 503, 429):
        case(f"{_short}-{_status}-once", TARGET, "62", f"{_word} is answered {_status}, once",
             RIGHT, first(_kind, say(_status)))
    for _status in (400, 401, 403, 404, 405, 411, 413, 415, 500, 507):
        case(f"{_short}-{_status}-always", TARGET, "62", f"{_word} is answered {_status}, always",
             ERROR, on(_kind, say(_status)), limits={_short: 40})
    case(f"{_short}-413-html", TARGET, "62", f"{_word}: 413 with a page", ERROR,
         on(_kind, html(413)))
    case(f"{_short}-200-html", TARGET, "50", f"{_word}: 200 with a login page", ERROR,
         on(_kind, html()))
    case(f"{_short}-204", TARGET, "62", f"{_word}: 204 and nothing done", ERROR,
         on(_kind, say(204)))
    case(f"{_short}-silent", TARGET, "54", f"{_word} is never answered", ERROR,
         on(_kind, silent))
    case(f"{_short}-reset-once", TARGET, "55", f"{_word}: a reset in place of the answer, once",
         RIGHT, first(_kind, lambda s, q, good: Response(200, cut_head=0, reset=True)))
    case(f"{_short}-reset-always", TARGET, "55",
         f"{_word}: a reset in place of the answer, always", ERROR,
         on(_kind, lambda s, q, good: Response(200, cut_head=0, reset=True)), limits={_short: 40})
    case(f"{_short}-garbage", TARGET, "61", f"{_word} is answered with garbage", ERROR,
         on(_kind, raw(b"\x00\x01garbage\r\n\r\n")))
    case(f"{_short}-header-1-mib", TARGET, "61", f"{_word} is answered with a header of 1 MiB",
         EITHER, on(_kind, header("X-Long", "a" * MIB)))
    case(f"{_short}-retry-after-1e9", TARGET, "49", f"{_word}: 429 with Retry-After 1e9, always",
         ERROR, on(_kind, say(429, Retry_After="1000000000")), limits={_short: 24})
case("put-500-after-storing", TARGET, "62", "a blob is stored, then 500", RIGHT,
     first("put", after_effect(say(500))))
case("put-reset-after-storing", TARGET, "55", "a blob is stored, then a reset", RIGHT,
     first("put", after_effect(lambda s, q, good: Response(200, cut_head=0, reset=True))))
case("manifest-500-after-storing", TARGET, "62", "a manifest is stored, then 500", RIGHT,
     first("manifest-put", after_effect(say(500))))
case("manifest-reset-after-storing", TARGET, "55", "a manifest is stored, then a reset", RIGHT,
     first("manifest-put", after_effect(lambda s, q, good: Response(200, cut_head=0, reset=True))))
case("put-early-413", TARGET, "62", "413 before the bytes were read", ERROR,
     on("put patch", early(lambda s, q, good: Response(413, close=True))))
case("put-early-401", TARGET, "47", "401 before the bytes were read, always", ERROR,
     on("put patch", early(lambda s, q, good: Response(401, close=True))), limits={"put": 40},
     **IN)
case("put-early-reset", TARGET, "55", "a reset before the bytes were read, once", RIGHT,
     first("put patch", lambda s, q, good: Response(200, cut_head=0, reset=True)), load=big_image)
for _status in (403, 409, 500, 501):
    case(f"put-cut-status-{_status}", TARGET, "55",
         f"a blob's upload is reset once, how far it is is answered {_status}", RIGHT,
         first("put patch", lambda s, q, good: Response(200, cut_head=0, reset=True)),
         on("upload-status", say(_status)), load=big_image)
case("put-cut-status-silent", TARGET, "55",
     "a blob's upload is reset once, how far it is is never answered", RIGHT,
     first("put patch", lambda s, q, good: Response(200, cut_head=0, reset=True)),
     on("upload-status", silent), load=big_image)
# Faster than the low-speed rule wants, and without an end.
SLOW = {"length": "", "repeat_s": 0.1}
case("put-answer-without-end", TARGET, "54", "201 and a body that never ends", ERROR,
     on("put patch", lambda s, q, good: Response(201, b"", repeat=b"a" * 300, **SLOW)))
case("put-refusal-without-end", TARGET, "54", "500 and trailers that never end", ERROR,
     on("put patch", lambda s, q, good: Response(
         500, b"0\r\n", {"Transfer-Encoding": "chunked"}, repeat=b"X: " + b"a" * 300 + b"\r\n",
         **SLOW)))
case("session-forgotten-once", TARGET, "62", "the session is unknown when bytes come, once", RIGHT,
     first("put patch", say(404, {"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]})))
case("session-invalid-once", TARGET, "62", "the session is invalid when bytes come, once", RIGHT,
     first("put patch", say(404, {"errors": [{"code": "BLOB_UPLOAD_INVALID"}]})))
case("digest-invalid-once", TARGET, "30", "the target got other bytes, once", EITHER,
     first("put", say(400, {"errors": [{"code": "DIGEST_INVALID"}]})))
case("digest-invalid-always", TARGET, "30", "the target got other bytes, always", ERROR,
     on("put", say(400, {"errors": [{"code": "DIGEST_INVALID"}]})), limits={"put": 40})
case("drip-session", TARGET, "54", "the answer to a session drips", ERROR,
     on("upload", fields(head_drip_s=0.5)))
case("error-escapes-target", TARGET, "39", "a refusal with terminal controls", ERROR,
     on("manifest-put", say(400, {"errors": [{"code": "MANIFEST_INVALID", "message":
                                              "\x1b[2J\x1b]0;x\x07 \u202e"}]},
                            Content_Type="application/json")))
case("quota-exceeded", TARGET, "62", "403 DENIED: quota exceeded", ERROR,
     on("manifest-put", say(403, {"errors": [{"code": "DENIED", "message": "quota exceeded"}]},
                            Content_Type="application/json")), says="quota")
case("error-echoes-password", TARGET, "class 20", "a refusal repeats the Authorization header",
     ERROR, on("upload", lambda s, q, good: _echo_head_of(q)), **IN)
case("error-echoes-token", TARGET, "class 20", "a refusal repeats the token", ERROR,
     on("upload", lambda s, q, good: _echo_head_of(q) if "authorization" in q.headers else None),
     bearer=True, **IN)
case("reset-of-second-requests", TARGET, "55", "a connection that is used again is reset", RIGHT,
     on("*", lambda s, q, good: Response(cut_head=0, reset=True) if q.turn > 1 else None))
case("reset-of-each-third", TARGET, "55", "each third request is reset, cancels aside", RIGHT,
     on("*", lambda s, q, good: _third(s, q)), load=one_blob)
case("tag-immutable", TARGET, "62", "412: the tag is immutable", ERROR,
     on("manifest-put", lambda s, q, good: None if q.rest.startswith("sha256:") else Response(
         412, {"errors": [{"code": "PRECONDITION", "message": "tag is immutable"}]},
         {"Content-Type": "application/json"})), says="immutable")

# Ranges and chunks of an upload (reference: 0-0 means zero bytes or one).

for _name, _value in (("absent", None), ("0-0", "0-0"), ("short", "0-9"), ("beyond", "0-99999999"),
                      ("backwards", "9-0"), ("garbage", "bytes x"), ("negative", "0--1"),
                      ("2-64", "0-18446744073709551616")):
    case(f"range-{_name}", TARGET, "45", f"every answer of a session has the Range {_name}",
         EITHER, on("upload patch upload-status", header("Range", _value)))
case("min-chunk-huge", TARGET, "45", "OCI-Chunk-Min-Length of 2^63", EITHER,
     on("upload", header("OCI-Chunk-Min-Length", str(2 ** 63))))
case("min-chunk-negative", TARGET, "45", "OCI-Chunk-Min-Length of -1", EITHER,
     on("upload", header("OCI-Chunk-Min-Length", "-1")))

# Mounts.

SECOND = {"second": True}


def mount_case(name, must, *rules, **more):
    case(f"mount-{name}", TARGET, "41 of the traps", f"a mount from the sibling: {name}", must,
         *rules,
         **SECOND, **more)


mount_case("honest", RIGHT)
mount_case("202", RIGHT, on("mount", lambda s, q, good: s.registry.on_upload(q)))
for _status in (400, 404, 405, 500):
    mount_case(str(_status), RIGHT, on("mount", say(_status)))
mount_case("202-without-location", EITHER, on("mount", say(202)))
mount_case("202-at-a-stranger", EITHER, on("mount", lambda s, q, good: Response(
    202, b"", {"Location": s.stranger.origin + "/v2/x/blobs/uploads/1"})))
mount_case("201-and-nothing-done", EITHER, on("mount", say(201)))
mount_case("201-and-nothing-checked", EITHER, on("mount", say(201)), untagged=True, validate=False)
mount_case("redirect-to-stranger", EITHER, on("mount", redirect(307, to_stranger)))

case("patch-without-location", TARGET, "45", "a PATCH is answered without a Location", RIGHT,
     on("patch", header("Location", None)), patch=True)
case("patch-range-is-size", TARGET, "45", "a PATCH's Range ends with the size, not the last byte",
     RIGHT, on("patch", header("Range", lambda s, q: f"0-{len(q.body)}")), patch=True)
for _name, _value in (("letters", "0-x"), ("negative", "0--5"), ("short", "0-9"),
                      ("beyond", "0-99999999")):
    case(f"patch-range-{_name}", TARGET, "45", f"a PATCH's Range is {_name}", ERROR,
         on("patch", header("Range", _value)), patch=True)

case("head-with-late-body", TARGET, "55", "bytes follow the answer to each HEAD, a moment later",
     RIGHT, on("manifest-head blob-head", fields(late=b"{not HTTP}" * 20)), load=two_arch)

# What was stored is seen a moment later: a server may be several machines.

for _kinds in ("blob", "blob-head", "blob blob-head", "manifest", "manifest-head"):
    case(f"late-{_kinds.replace(' ', '-')}", TARGET, "8", f"what was stored is a 404 once ({_kinds})",
         RIGHT, first(_kinds, say(404)), load=two_arch)

# Lies (class 8; "report success when the target lies").

NO_CHECK = {"validate": False}
case("lie-head-blob-200", TARGET, "8", "every blob is said to be there; manifests are checked",
     EITHER, on("blob-head", say(200)))
case("lie-head-blob-other-size", TARGET, "8", "HEAD of absent blobs: 200 with another size",
     EITHER, on("blob-head", lambda s, q, good: Response(200, b"", {"Content-Length": 5})))
case("lie-upload-201", TARGET, "8", "a session is answered 201 at once, nothing stored", ERROR,
     on("upload", say(201)))
case("lie-put-201", TARGET, "8", "blobs are answered 201 and dropped; manifests are checked",
     ERROR, on("put", say(201)))
case("lie-put-201-unchecked", TARGET, "8",
     "blobs are answered 201 and dropped; nothing is checked",
     ERROR, on("put", say(201)), untagged=True, **NO_CHECK)
case("lie-layers-201", TARGET, "8", "layers are answered 201 and dropped, the config is kept", ERROR,
     on("put", lambda s, q, good: Response(201) if len(q.body) > 1000 else None), untagged=True,
     **NO_CHECK)
case("lie-layers-cut", TARGET, "8", "layers lose a byte, the config is kept", ERROR,
     on("put", lambda s, q, good: _cut_layer(s, q, good)), untagged=True, **NO_CHECK)
case("lie-one-layer-201", TARGET, "8", "one of eight layers is dropped", ERROR,
     later("put", first("put", say(201))[1], after=4), untagged=True,
     load=with_layers(lambda name: _layers(name, range(5000, 13000, 1000))), **NO_CHECK)
case("lie-head-manifest-200", TARGET, "8", "every manifest is said to be there, as it was asked for",
     ERROR, on("manifest-head", lambda s, q, good: _as_asked(q)),
     on("tags", say(200, {"tags": ["old"]}, Content_Type="application/json")), load=two_arch,
     untagged=True, **NO_CHECK)
case("lie-head-manifest-other", TARGET, "31", "every manifest is said to be there, by one digest",
     EITHER, on("manifest-head", say(200, Docker_Content_Digest="sha256:" + "3" * 64)),
     on("tags", say(200, {"tags": ["old"]}, Content_Type="application/json")), load=two_arch,
     **NO_CHECK)
case("lie-child-altered", TARGET, "8", "children are stored with a byte more, under their digest",
     ERROR, on("manifest-put", lambda s, q, good: _altered_child(s, q)), load=two_arch,
     untagged=True, **NO_CHECK)
case("lie-put-202", TARGET, "41", "blobs are answered 202 and dropped", ERROR, on("put", say(202)))
case("lie-put-other-digest", TARGET, "31", "a stored blob is reported with another digest", EITHER,
     on("put", header("Docker-Content-Digest", "sha256:" + "6" * 64)))
case("lie-blob-altered", TARGET, "8", "blobs are stored with another byte, under their digest",
     ERROR, on("put", lambda s, q, good: _alter(s, q, good)), **NO_CHECK)
case("lie-manifest-201", TARGET, "8", "manifests are answered 201 and dropped", ERROR,
     on("manifest-put", say(201)))
case("lie-manifest-200", TARGET, "8", "manifests are answered 200 and dropped", ERROR,
     on("manifest-put", say(200)))
case("lie-manifest-201-right-digest", TARGET, "8", "201 with the right digest, and dropped", ERROR,
     on("manifest-put", lambda s, q, good: Response(
         201, b"", {"Docker-Content-Digest": digest_of(q.body)})))
case("lie-manifest-other-digest", TARGET, "31", "201 with another digest, stored right", EITHER,
     on("manifest-put", header("Docker-Content-Digest", "sha256:" + "5" * 64)))
case("lie-manifest-altered", TARGET, "8", "manifests are stored re-serialised", ERROR,
     on("manifest-put", lambda s, q, good: _restore(s, q, q.body + b" ", q.rest)), **NO_CHECK)
case("lie-manifest-other-tag", TARGET, "8", "manifests go under another tag", ERROR,
     on("manifest-put", lambda s, q, good: _restore(s, q, q.body, "other")))
case("lie-manifest-by-digest-only", TARGET, "8", "tags are never set", ERROR,
     on("manifest-put", lambda s, q, good: _restore(s, q, q.body, digest_of(q.body))))
case("lie-read-back-other", TARGET, "8", "the tag reads back as another digest", ERROR,
     later("manifest-put", lambda s, q, good: None, after=0), on(
         "manifest-head manifest", lambda s, q, good: Response(200, b"{}", {
             "Content-Type": "application/vnd.oci.image.manifest.v1+json",
             "Docker-Content-Digest": "sha256:" + "4" * 64})
         if s.counts.get("manifest-put") else None))
case("lie-read-back-404", TARGET, "8", "the tag reads back as absent", ERROR,
     on("manifest-head manifest", lambda s, q, good: Response(404) if s.counts.get("manifest-put")
        else None))
case("lie-read-back-500", TARGET, "62", "the tag can't be read back", ERROR,
     on("manifest-head manifest", lambda s, q, good: Response(500) if s.counts.get("manifest-put")
        else None))
case("lie-tag-moved-by-another", TARGET, "88", "someone moves the tag right after", ERROR,
     on("manifest-put", lambda s, q, good: _moved(s, q, good)))
case("lie-child-dropped", TARGET, "8", "children of an index are dropped, the index is taken",
     ERROR,
     on("manifest-put", lambda s, q,
        good: Response(201) if q.rest.startswith("sha256:") else None),
     load=two_arch, **NO_CHECK)
case("lie-all-201", TARGET, "8", "everything is answered 201, nothing is stored", ERROR,
     on("upload put patch manifest-put mount", say(201, Location="/v2/x/blobs/uploads/1")))
case("lie-digest-header-as-asked", TARGET, "8",
     "the stored bytes are others, the header is as wished",
     ERROR, on("manifest-put", lambda s, q, good: _echo(s, q)),
     on("manifest-head", lambda s, q, good: _echo_head(s, q)), **NO_CHECK)


def _echo_head_of(request):
    sent = request.headers.get("authorization", "")
    told = f"you sent {sent}, {PASSWORD}"
    return Response(400, {"errors": [{"code": "UNKNOWN", "message": told}]},
                    {"Content-Type": "application/json"})


def _cut_layer(server, request, good):
    answer = good()
    digest = request.query.get("digest")
    if len(request.body) > 1000:
        server.registry.blobs[request.name][digest] = request.body[:-1]
    return answer


def _as_asked(request):
    digest = request.rest if request.rest.startswith("sha256:") else "sha256:" + "2" * 64
    return Response(200, b"", {"Docker-Content-Digest": digest,
                               "Content-Type": images.OCI_MANIFEST})


def _altered_child(server, request):
    if not request.rest.startswith("sha256:"):
        return None
    kind = request.headers.get("content-type", "")
    server.registry.manifests.setdefault(request.name, {})[request.rest] = (
        kind, request.body + b" ")
    return Response(201, b"", {"Docker-Content-Digest": request.rest})


def _alter(server, request, good):
    answer = good()
    blobs = server.registry.blobs.get(request.name, {})
    digest = request.query.get("digest")
    if digest in blobs:
        blobs[digest] = flipped(0)(blobs[digest])
    return answer


def _restore(server, request, data, reference):
    kind = request.headers.get("content-type", "")
    digest = server.registry.put_manifest(request.name, reference, kind, data)
    return Response(201, b"", {"Docker-Content-Digest": digest})


def _moved(server, request, good):
    answer = good()
    if answer.status == 201 and not request.rest.startswith("sha256:"):
        image = images.Image([images.random_layer("thief", 400)])
        server.registry.load(request.name, request.rest, image)
    return answer


def _echo(server, request):
    server.notes["claimed", request.rest] = digest_of(request.body)
    server.registry.put_manifest(request.name, request.rest,
                                 request.headers.get("content-type", ""),
                                 request.body + b" ")
    return Response(201, b"", {"Docker-Content-Digest": digest_of(request.body)})


def _echo_head(server, request):
    claimed = server.notes.get(("claimed", request.rest))
    return Response(200, b"", {
        "Content-Type": "application/vnd.oci.image.manifest.v1+json", "Content-Length": 5,
        "Docker-Content-Digest": claimed}) if claimed else None


# A look at the target before the copy.

for _status in (401, 403, 500, 503):
    case(f"target-look-{_status}", TARGET, "62", f"HEAD of the target's tag answers {_status}",
         EITHER,
         on("manifest-head", say(_status)), limits={"manifest-head": 40})
case("target-look-garbage", TARGET, "31", "the target's tag has a digest that is none", EITHER,
     on("manifest-head", lambda s, q, good: None if s.counts.get("manifest-put") else Response(
         200, b"", {"Docker-Content-Digest": "garbage", "Content-Length": 5})))
case("target-blob-head-500", TARGET, "62", "HEAD of blobs always fails", EITHER,
     on("blob-head", say(500)))
case("target-blob-head-403", TARGET, "62", "HEAD of blobs is refused", EITHER,
     on("blob-head", say(403)), says="can't be looked at")
case("target-blob-head-405", TARGET, "62", "HEAD of blobs is not allowed", EITHER,
     on("blob-head", say(405)))
case("target-blob-head-stranger", TARGET, "40", "HEAD of blobs leads to a stranger", EITHER,
     on("blob-head", redirect(307, to_stranger)), **IN)
for _status in (400, 403, 405, 500, 501):
    case(f"target-no-head-{_status}", TARGET, "62",
         f"HEAD of a manifest is answered {_status}, GET is right", RIGHT,
         on("manifest-head", say(_status)), load=two_arch)
for _name, _does, _action in (
        ("500", "500", say(500)), ("400", "400", say(400)), ("html", "a page", html()),
        ("broken", "half a list", body(lambda data: data[:-4])),
        ("circle", "a page that links to itself",
         header("Link", lambda s, q: f'<{q.target}>; rel="next"'))):
    case(f"target-tags-{_name}", TARGET, "62", f"the target's tags are answered by {_does}", RIGHT,
         on("tags", lambda s, q, good, action=_action: _not_probe(action, s, q, good)), **SECOND)
    case(f"target-tags-{_name}-there", TARGET, "62",
         f"the target has another tag, its tags are answered by {_does}", RIGHT,
         on("tags", lambda s, q, good, action=_action: _with_old_tag(action, s, q, good)))
case("target-cookies", TARGET, "class 1", "cookies with each answer", RIGHT,
     on("*", header("Set-Cookie", "session=cookie-canary")))
case("target-realm-foreign", TARGET, "43", "the target's realm is foreign", ERROR,
     login=True, bearer=True, realm=lambda s: s.stranger.origin + "/token", says="realm")
case("target-token-expires-midway", TARGET, "47",
     "tokens are forgotten before the first manifest", RIGHT,
     first("manifest-put", lambda s, q, good: s.tokens.clear()), login=True, bearer=True)
case("target-tls-expired", TARGET, "56", "the target's certificate is expired", ERROR,
     tls="expired",
     says="expired")
case("target-404-everything", TARGET, "50", "nothing is there but /v2/", ERROR,
     on("upload put patch manifest-put manifest-head manifest blob-head mount", say(404)))


def _third(server, request):
    """Of what one blob's upload and its manifest ask for, one after the other."""
    if request.kind == "upload-cancel" or not request.name.startswith("hostile/"):
        return None
    server.notes["third"] = server.notes.get("third", 0) + 1
    return None if server.notes["third"] % 3 else Response(cut_head=0, reset=True)


def _not_probe(action, server, request, good):
    """The proof of the integration itself asks for the tags of a name that is none."""
    return None if request.name == "berth/probe" else action(server, request, good)


def _with_old_tag(action, server, request, good):
    server.registry.tags.setdefault(request.name, {}).setdefault("old", "sha256:" + "7" * 64)
    return _not_probe(action, server, request, good)
