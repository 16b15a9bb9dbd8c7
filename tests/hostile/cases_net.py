# SPDX-License-Identifier: Apache-2.0
"""How a source may speak: broken HTTP, cuts, drips, refusals, redirects, TLS."""

from datetime import datetime, timedelta, timezone

from server import Raw
from table import *  # noqa: F403
from table import _layers


def http_date(**delta):
    when = datetime.now(timezone.utc) + timedelta(**delta)
    return when.strftime("%a, %d %b %Y %H:%M:%S GMT")


# Cuts, at several bytes of an answer, once and always (faults 51, 55).

for _kind in ("manifest", "blob"):
    for _at in (0, 1, 9, 17, 60):
        case(f"reset-{_kind}-head-{_at}", SOURCE, "55", f"a {_kind} is reset at byte {_at}, once",
             RIGHT, first(_kind, fields(cut_head=_at, reset=True)))
    for _at in (0, 1, 200, -1):
        case(f"reset-{_kind}-body-{_at}", SOURCE, "55",
             f"a {_kind} is reset at its byte {_at}, once",
             RIGHT, first(_kind, fields(cut=_at, reset=True)))
        case(f"close-{_kind}-body-{_at}", SOURCE, "51", f"a {_kind} ends at its byte {_at}, once",
             RIGHT, first(_kind, fields(cut=_at)))
    case(f"reset-{_kind}-always", SOURCE, "55", f"every {_kind} is reset in its middle", ERROR,
         on(_kind, fields(cut=100, reset=True)), limits={_kind: 60})
    case(f"close-{_kind}-always", SOURCE, "51", f"every {_kind} ends in its middle", ERROR,
         on(_kind, fields(cut=100)), limits={_kind: 60})
case("reset-every-64-kib", SOURCE, "55", "a layer of 2 MiB is reset after each 256 KiB", EITHER,
     on("blob", fields(cut=256 * 1024, reset=True)), load=big_image)
case("close-keep-alive", SOURCE, "55", "every connection closes after one answer", RIGHT,
     on("*", fields(close=True)))
case("close-keep-alive-silently", SOURCE, "55", "each kept connection is dead when used again",
     RIGHT, on("*", lambda s, q, good: _close_behind(good())))


def _close_behind(response):
    """A whole answer that promises keep-alive, then a close."""
    response.cut = len(response.body)
    return response


# Drips and silence (fault 54).

case("drip-manifest", SOURCE, "54", "manifests come at two bytes a second", ERROR,
     on("manifest", fields(drip_s=0.5)), limits={"manifest": 8})
case("drip-blob", SOURCE, "54", "layers come at two bytes a second", ERROR,
     on("blob", fields(drip_s=0.5)), limits={"blob": 20})
case("drip-blob-once", SOURCE, "54", "the first layer drips, once", EITHER,
     first("blob", fields(drip_s=0.5)))
case("stall-manifest", SOURCE, "54", "manifests stop in their middle", ERROR,
     on("manifest", fields(stall_at=50)), limits={"manifest": 8})
case("stall-blob", SOURCE, "54", "layers stop in their middle", ERROR,
     on("blob", fields(stall_at=50)), limits={"blob": 20})
case("stall-blob-once", SOURCE, "54", "one layer stops in its middle, once", EITHER,
     first("blob", fields(stall_at=50)))
case("silent-manifest", SOURCE, "54", "a manifest is never answered", ERROR,
     on("manifest", silent))
case("silent-blob", SOURCE, "54", "a layer is never answered", ERROR,
     on("blob", silent))
MANY = {"load": with_layers(lambda name: _layers(name, range(1000, 1048)))}
case("many-layers-gone", SOURCE, "62", "48 layers are not there: the first one ends it", ERROR,
     on("blob", say(404)), limits={"blob": 36}, **MANY)
case("many-layers-silent", SOURCE, "54", "48 layers are never answered: the first one ends it", ERROR,
     on("blob", silent), limits={"blob": 90}, **MANY)
for _kind in ("manifest", "blob"):
    case(f"hints-{_kind}", SOURCE, "54", f"early hints for ever in place of a {_kind}", ERROR,
         on(_kind, fields(status=103, body=b"", length="", repeat_s=0.3,
                          repeat=b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")))
case("drip-head", SOURCE, "54", "the heads of manifests come at two bytes a second", ERROR,
     on("manifest", fields(head_drip_s=0.5)), limits={"manifest": 8})


# HTTP that is none (faults 61, and the framing of class 10).

for _name, _data in (
        ("no-status", b"hello\r\n\r\n"), ("http-0.9", b"{}"),
        ("status-99", b"HTTP/1.1 99 Low\r\n\r\n"),
        ("status-1000", b"HTTP/1.1 1000 High\r\n\r\n"), ("status-text", b"HTTP/1.1 OK\r\n\r\n"),
        ("nothing", b""), ("only-head", b"HTTP/1.1 200 OK\r\nContent-Le"),
        ("switching", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
        ("two-lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}   "),
        ("length-negative", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"),
        ("length-text", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
        ("length-2-64", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n{}"),
        ("length-and-chunked", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        ("chunk-garbage",
         b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        ("chunk-negative",
         b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"),
        ("chunk-huge", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("chunk-cut", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{}"),
        ("header-no-colon", b"HTTP/1.1 200 OK\r\ngarbage\r\nContent-Length: 2\r\n\r\n{}"),
        ("header-nul", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
        ("header-folded", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
        ("header-1-mib",
         b"HTTP/1.1 200 OK\r\nX: " + b"a" * MIB + b"\r\nContent-Length: 2\r\n\r\n{}"),
        ("headers-10000",
         b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 10_000 + b"Content-Length: 2\r\n\r\n{}"),
        ("continue-1000", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        ("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("binary", bytes(range(256)) * 4)):
    case(f"http-{_name}-manifest", SOURCE, "61", f"manifests are answered with {_name}", ERROR,
         on("manifest", raw(_data)))
    case(f"http-{_name}-blob", SOURCE, "61", f"layers are answered with {_name}", ERROR,
         on("blob", raw(_data)))
case("header-endless", SOURCE, "61", "a head that does not end", ERROR,
     on("manifest", fields(head_repeat=b"X: " + b"a" * 4000 + b"\r\n")))
case("headers-100", SOURCE, "61", "100 headers more than usual", RIGHT,
     on("*", change(lambda r, q, s: r.more_headers.extend(("X-%d" % n, "v") for n in range(100)))))
case("cookies", SOURCE, "class 1", "cookies with each answer", RIGHT,
     on("*", header("Set-Cookie", "session=cookie-canary; Path=/")))

# Refusals, once and always (faults 49, 62).

for _status in (500, 502, 503, 504, 429, 408):
    for _kind in ("manifest", "blob"):
        case(f"{_kind}-{_status}-once", SOURCE, "62", f"a {_kind} answers {_status}, once", RIGHT,
             first(_kind, say(_status)))
for _status in (500, 503, 429):
    for _kind in ("manifest", "blob"):
        case(f"{_kind}-{_status}-always", SOURCE, "62", f"every {_kind} answers {_status}", ERROR,
             on(_kind, say(_status)), limits={_kind: 40})
case("all-500", SOURCE, "62", "every request but the first answers 500", ERROR,
     later("*", say(500), after=3), limits={"manifest": 40})
case("html-500", SOURCE, "62", "500 with a page", ERROR, on("manifest", html(500)))
for _name, _value in (
        ("1", "1"), ("0", "0"), ("negative", "-5"), ("fraction", "0.5"), ("text", "soon"),
        ("empty", ""),
        ("date-past", "Wed, 21 Oct 2015 07:28:00 GMT"), ("date-garbage", "Wed, 99 Foo 2015"),
        ("date-now", None), ("escape", "\x1b[31m1")):
    case(f"retry-after-{_name}", SOURCE, "49", f"429 once, with Retry-After {_name}", RIGHT,
         first("manifest", lambda s, q, good, v=_value: Response(
             429, b"", {"Retry-After": http_date() if v is None else v})))
for _name, _value in (("1e9", "1000000000"), ("2-64", str(2 ** 64)), ("40-digits", "9" * 40),
                      ("date-far", "Wed, 21 Oct 2099 07:28:00 GMT")):
    case(f"retry-after-{_name}", SOURCE, "49", f"429 always, with Retry-After {_name}", ERROR,
         on("manifest", say(429, Retry_After=_value)), limits={"manifest": 12})
case("error-endless", SOURCE, "52", "an error whose body does not end", ERROR,
     on("manifest", lambda s, q, good: Response(500, b"x", length="", repeat=b"x" * 65536)))
case("error-escapes", SOURCE, "39", "an error with terminal controls in its message", ERROR,
     on("manifest", say(403, {"errors": [{"code": "DENIED", "message":
                                          "\x1b]0;owned\x07\x1b[2J\u202e no \u009b31m"}]},
                        Content_Type="application/json")))
case("error-of-a-mebibyte", SOURCE, "39", "an error with a message of 1 MiB", ERROR,
     on("manifest", say(403, {"errors": [{"code": "DENIED", "message": "x" * MIB}]},
                        Content_Type="application/json")))
case("error-odd-json", SOURCE, "39", "an error whose JSON is of an odd shape", ERROR,
     on("manifest", say(403, {"errors": {"code": ["x"], "message": {}}},
                        Content_Type="application/json")))

# Redirects (faults 40-42; classes 1 and 5). Logged in, so that there is what to lose.

IN = {"login": True}
for _status in (301, 302, 303, 307, 308):
    case(f"redirect-{_status}-blob", SOURCE, "40", f"layers are at a stranger ({_status})", RIGHT,
         on("blob", redirect(_status, to_stranger)), **IN)
case("redirect-blob-head", SOURCE, "40", "HEAD and GET of layers are at a stranger", RIGHT,
     on("blob blob-head", redirect(307, to_stranger)), **IN)
case("redirect-bearer", SOURCE, "40", "layers are at a stranger; a token is at stake", RIGHT,
     on("blob", redirect(307, to_stranger)), bearer=True, **IN)
case("redirect-relative", SOURCE, "40", "layers move within the registry", RIGHT,
     on("blob", lambda s, q, good: None if "moved" in q.query else
        Response(307, b"", {"Location": q.path + "?moved=1"})), **IN)
case("redirect-stranger-wrong-bytes", SOURCE, "30", "the stranger hands out other bytes", ERROR,
     on("blob", redirect(307, to_stranger)), stranger=[on("blob", body(flipped(9)))], **IN)
case("redirect-stranger-401-basic", SOURCE, "40", "the stranger asks for a password", ERROR,
     on("blob", redirect(307, to_stranger)),
     stranger=[on("*", say(401, WWW_Authenticate='Basic realm="give"'))], **IN)
case("redirect-stranger-401-bearer", SOURCE, "40", "the stranger asks for a token of its own",
     ERROR, on("blob", redirect(307, to_stranger)), stranger=[
         on("blob", lambda s, q, good: Response(401, b"", {
             "WWW-Authenticate": f'Bearer realm="{s.origin}/token",service="x"'}))], **IN)
case("redirect-stranger-and-back", SOURCE, "40", "the stranger sends back to the registry", EITHER,
     on("blob", lambda s, q, good: None if "back" in q.query else
        Response(307, b"", {"Location": f"{s.stranger.origin}{q.path}?to={s.origin}"})),
     stranger=[on("blob", lambda s, q, good: Response(
         307, b"", {"Location": f"{q.query['to']}{q.path}?back=1"}))], **IN)
case("redirect-loop", SOURCE, "40", "a layer leads to itself", ERROR,
     on("blob", redirect(307, to_self)),
     limits={"blob": 60}, **IN)
case("redirect-chain-3", SOURCE, "40", "three redirects in a row", RIGHT,
     on("blob", lambda s, q, good: _hop(q, 3)), **IN)
case("redirect-chain-9", SOURCE, "40", "nine redirects in a row", ERROR,
     on("blob", lambda s, q, good: _hop(q, 9)), **IN)
case("redirect-manifest", SOURCE, "40", "manifests are at a stranger", RIGHT,
     on("manifest manifest-head", redirect(307, to_stranger)), **IN)
case("redirect-manifest-wrong-bytes", SOURCE, "30", "the stranger hands out other manifests", ERROR,
     on("manifest manifest-head", redirect(307, to_stranger)),
     stranger=[on("manifest", body(lambda data: data + b" "))], **IN)
case("redirect-manifest-loop", SOURCE, "40", "a manifest leads to itself", ERROR,
     on("manifest manifest-head", redirect(307, to_self)), limits={"manifest": 40}, **IN)
for _status in (301, 302, 303, 307, 308):
    case(f"redirect-{_status}-tags", SOURCE, "40", f"the list of tags is at a stranger ({_status})",
         RIGHT, on("tags", redirect(_status, to_stranger)), all_tags=True, load=many_tags(3), **IN)
case("redirect-tags-loop", SOURCE, "40", "the list of tags leads to itself", ERROR,
     on("tags", redirect(307, to_self)), all_tags=True, limits={"tags": 40}, **IN)
case("redirect-tags-401", SOURCE, "40", "the stranger asks for a password for the list of tags",
     ERROR, on("tags", redirect(307, to_stranger)), all_tags=True, stranger=[
         on("tags", say(401, WWW_Authenticate='Basic realm="x"'))], **IN)
case("busy-without-a-pause", SOURCE, "49", "503 with an empty Retry-After, once", RIGHT,
     first("manifest", say(503, Retry_After="")), **IN)
case("redirect-base", SOURCE, "40", "/v2/ is at a stranger", EITHER,
     on("base", redirect(301, to_stranger)),
     **IN)
case("redirect-everything", SOURCE, "40", "everything is at a stranger", EITHER,
     on("*", redirect(302, to_stranger)), **IN)
for _name, _url in (
        ("metadata", "http://169.254.169.254/latest/meta-data/"),
        ("metadata-v6", "http://[fd00:ec2::254]/latest/"), ("ula", "http://[fd00::1]:80/x"),
        ("any", "http://0.0.0.0:1/x"), ("any-v6", "http://[::]:1/x"),
        ("mapped", "http://[::ffff:169.254.169.254]/x"), ("decimal", "http://2852039166/x"),
        ("octal", "http://0251.0376.0251.0376/x"), ("hex", "http://0xa9fea9fe/x"),
        ("closed-port", "http://127.0.0.2:1/x"), ("file", "file:///etc/passwd"),
        ("gopher", "gopher://127.0.0.1:1/_x"), ("ftp", "ftp://127.0.0.1:1/x"),
        ("data", "data:text/plain,x"), ("dict", "dict://127.0.0.1:1/x"), ("empty", ""),
        ("garbage", "http://[::1"), ("no-host", "http:///x"),
         ("port-99999", "http://127.0.0.1:99999/x"),
        ("scheme-only", "http:"), ("blank", "http://127.0.0.1 :80/x"),
        ("long", "http://127.0.0.1:1/" +
                                                                       "x" * 50_000),
        ("userinfo", "http://canary-user:x@127.0.0.2:1/x"),
        ("unknown-host", "http://no-such.invalid/x")):
    case(f"redirect-to-{_name}", SOURCE, "42", f"layers lead to {_name}", ERROR,
         on("blob", redirect(307, _url)), limits={"blob": 40}, **IN)
case("redirect-without-location", SOURCE, "40", "307 without Location", ERROR,
     on("blob", say(307)),
     **IN)
case("redirect-two-locations", SOURCE, "40", "two Locations", EITHER,
     on("blob", lambda s, q, good: Response(307, b"", {"Location": q.target + "?a"}, more_headers=[
         ("Location", s.stranger.origin + q.target)]) if "?" not in q.target else None), **IN)
case("redirect-300", SOURCE, "40", "300 Multiple Choices", ERROR,
     on("blob", redirect(300, to_stranger)),
     **IN)
case("redirect-304", SOURCE, "40", "304 to what was never asked before", ERROR,
     on("blob", say(304)),
     **IN)
case("redirect-https-to-http", SOURCE, "41", "from https to http", ERROR,
     on("blob", redirect(307, to_stranger)), tls="good", **IN)


def _hop(request, hops):
    done = int(request.query.get("hop", 0))
    if done == hops:
        return None
    return Response(307, b"", {"Location": f"{request.path}?hop={done + 1}"})


# What /v2/ says (fault 50), when the registry is integrated or copied from.

for _name, _answer, _must in (
        ("html", html(), ERROR), ("404", say(404), ERROR), ("500", say(500), ERROR),
        ("503", say(503), ERROR), ("403", say(403), ERROR), ("204", say(204), EITHER),
        ("empty", say(200), RIGHT), ("no-version",
                                     header("Docker-Distribution-Api-Version", None), RIGHT),
        ("text", say(200, b"ok", Content_Type="text/plain"), EITHER),
        ("array", say(200, b"[]", Content_Type="application/json"), EITHER),
        ("cut", fields(cut_head=20), ERROR), ("reset", fields(cut_head=0, reset=True), ERROR),
        ("ssh", raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"), ERROR),
        ("smtp", raw(b"220 mail ESMTP\r\n"), ERROR),
        ("401-no-challenge", say(401), ERROR),
        ("endless", lambda s, q, good: Response(200, b"{", {"Content-Type": "application/json"},
                                                length="", repeat=b" " * 65536), ERROR),
        ("drip", fields(drip_s=3), EITHER),
        ("gzip-lie", header("Content-Encoding", "gzip"), EITHER)):
    case(f"base-{_name}", SOURCE, "50", f"/v2/ answers with {_name}", _must, on("base", _answer),
         says="registry|HTML" if _name == "html" else None)
case("banner-ssh", SOURCE, "50", "the port is an SSH server's", ERROR,
     make=lambda: Raw(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"))
case("banner-random", SOURCE, "50", "the port speaks binary", ERROR,
     make=lambda: Raw(bytes(range(256))))
case("port-silent", SOURCE, "54", "the port takes the connection and is silent", ERROR,
     make=lambda: Raw(hold=True))
case("port-closes", SOURCE, "55", "the port closes each connection", ERROR, make=Raw)

# TLS (fault 56).

case("tls-good", SOURCE, "56", "nothing: a certificate of the private authority", RIGHT,
     tls="good")
for _name, _says in (("expired", "expired"), ("future", "not yet|valid"),
                     ("wrong-name", "name|host|match|subject"),
                     ("stranger", "trust|issuer|signed|unknown"),
                     ("self-signed", "trust|issuer|signed|unknown"), ("weak", None)):
    case(f"tls-{_name}", SOURCE, "56", f"the certificate is {_name}", ERROR, tls=_name, says=_says)
case("tls-old", SOURCE, "56", "the server speaks TLS 1.1 at most", ERROR, tls="old")
case("tls-plain-http", SOURCE, "56", "plain HTTP behind an https address", ERROR,
     make=lambda: _not_tls())


def _not_tls():
    port = Raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    port.scheme = "https"
    return port
