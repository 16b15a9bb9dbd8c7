# SPDX-License-Identifier: Apache-2.0
"""How a registry may ask for credentials, and what a token server may say."""

import json

from table import *  # noqa: F403

BASIC = {"login": True}
BEARER = {"login": True, "bearer": True}

case("basic-plain", SOURCE, "47", "nothing: Basic", RIGHT, **BASIC)
case("bearer-plain", SOURCE, "47", "nothing: Bearer", RIGHT, **BEARER)
case("basic-401-always", SOURCE, "47", "the right password is refused for ever", ERROR,
     on("*", say(401, WWW_Authenticate='Basic realm="x"')), limits={"base": 12, "manifest": 12},
     **BASIC)
case("bearer-401-always", SOURCE, "47", "every fresh token is refused", ERROR,
     later("base manifest manifest-head blob", lambda s, q, good: s.challenge(q), after=2),
     limits={"token": 25, "manifest": 12}, **BEARER)
case("bearer-expires-at-once", SOURCE, "47", "every token works for one request", EITHER,
     on("manifest blob", lambda s, q, good: _one_use(s, q, good)), **BEARER)
case("bearer-expires-midway", SOURCE, "47", "all tokens are forgotten before the first layer",
     RIGHT, first("blob", lambda s, q, good: s.tokens.clear()), **BEARER)
case("password-in-no-url", SOURCE, "class 1", "nothing; the password is in no URL and no cookie",
     RIGHT, on("token", lambda s, q, good: error_if_leaked(s, q)), **BEARER)


def _one_use(server, request, good):
    answer = good()
    server.tokens.discard(request.headers.get("authorization", "")[7:])
    return answer


def error_if_leaked(server, request):
    return Response(400, b"the password came in the URL") if PASSWORD in request.target else None


# Realms (faults 43, 44; class 2).

def realm_case(name, realm, must=ERROR, fault="43", **more):
    more = {**BEARER, **more}
    case(f"realm-{name}", SOURCE, fault, f"the realm is {name}", must, realm=realm, **more)


realm_case("foreign", lambda s: s.stranger.origin + "/token", says="realm")
realm_case("foreign-query", lambda s: s.stranger.origin + "/token?x=1")
realm_case("foreign-userinfo", lambda s: f"http://127.0.0.1@{ELSEWHERE}:{s.stranger.port}/token")
realm_case("foreign-backslash",
           lambda s: f"http://{ELSEWHERE}:{s.stranger.port}\\@127.0.0.1/token")
realm_case("foreign-fragment", lambda s: f"http://{ELSEWHERE}:{s.stranger.port}#127.0.0.1/token")
realm_case("look-alike", "http://127.0.0.1.evil.invalid/token")
realm_case("with-query", lambda s: s.origin + "/token?tenant=1", RIGHT)
realm_case("metadata", "http://169.254.169.254/token")
realm_case("relative", "/token", EITHER)
realm_case("empty", "")
realm_case("file", "file:///etc/passwd")
realm_case("garbage", "http://[::1/token")
realm_case("port-closed", "http://127.0.0.1:1/token")
realm_case("http-behind-https", lambda s: f"http://127.0.0.1:{s.port}/token", tls="good",
           fault="44")
realm_case("of-50-kib", lambda s: s.origin + "/token?x=" + "a" * 50_000, EITHER)


def challenged(text):
    """Every request without a known token or password gets this WWW-Authenticate."""
    def action(server, request, good):
        given = request.headers.get("authorization", "")
        if given[7:] in server.tokens or (given.startswith("Basic ") and server.is_user(given)):
            return None
        said = text(server, request) if callable(text) else text
        return Response(401, b"", {"WWW-Authenticate": said} if said is not None else {})
    return on("base manifest manifest-head blob blob-head tags", action)


def bearer_text(server, request):
    scope = f"repository:{request.name}:pull" if request.name else ""
    return f'Bearer realm="{server.origin}/token",service="s",scope="{scope}"'


case("challenge-basic-and-bearer", SOURCE, "47", "Basic and Bearer in one header", RIGHT,
     challenged(lambda s, q: 'Basic realm="a, \\"b", ' + bearer_text(s, q)), **BEARER)
case("challenge-bearer-lower-case", SOURCE, "47", "bearer in small letters, odd blanks", RIGHT,
     challenged(lambda s, q: bearer_text(s, q).replace("Bearer", "bearer  ").replace('",',
     '"  ,  ')),
     **BEARER)
case("challenge-unquoted", SOURCE, "47", "values without quotes where they may be", EITHER,
     challenged(lambda s, q: bearer_text(s, q).replace('service="s"', "service=s")), **BEARER)
case("challenge-unknown-first", SOURCE, "47", "an unknown scheme before Bearer", RIGHT,
     challenged(lambda s, q: 'Negotiate abc==, ' + bearer_text(s, q)), **BEARER)
case("challenge-basic-beside-useless-bearer", SOURCE, "47",
     "Basic, and Bearer whose token server is no URL", RIGHT,
     challenged('Bearer realm="/token",service="s", Basic realm="x"'), login=True)
case("challenge-basic-beside-foreign-bearer", SOURCE, "43",
     "Basic, and Bearer whose token server is a stranger's", RIGHT,
     challenged(lambda s, q: f'Bearer realm="{s.stranger.origin}/token", Basic realm="x"'),
     login=True)
for _name, _text in (
        ("empty", ""), ("absent", None), ("unknown", "Negotiate"),
        ("no-realm", 'Bearer service="x"'),
        ("open-quote", 'Bearer realm="http://127.0.0.1'), ("commas", ",,,,,"),
        ("digest", 'Digest nonce="x"'),
        ("of-60-kib", "Bearer " + "x" * 60_000), ("controls", 'Bearer realm="\x01\x02"')):
    case(f"challenge-{_name}", SOURCE, "47", f"the challenge is {_name}", ERROR, challenged(_text),
         limits={"base": 12, "manifest": 12}, **BEARER)
case("challenge-wide-scope", SOURCE, "class 2", "the challenge asks for rights on everything",
     EITHER, challenged(lambda s, q: f'Bearer realm="{s.origin}/token",service="s",'
                             'scope="registry:catalog:* repository:other/secret:pull,push,delete"'),
     **BEARER)
case("challenge-changes-realm", SOURCE, "43", "later challenges name a foreign realm", ERROR,
     later("manifest manifest-head blob", lambda s, q, good: Response(401, b"", {
         "WWW-Authenticate": f'Bearer realm="{s.stranger.origin}/token",service="s"'}), after=0),
     **BEARER)

# Answers of a token server (faults 47, 48).

def token_case(name, answer, must, fault="48", **more):
    case(f"token-{name}", SOURCE, fault, f"the token server: {name}", must, on("token", answer),
         limits={"token": 30}, **BEARER, **more)


def token_with(**fields):
    """The honest token with other fields; None takes one away."""
    def edit(response, request, server):
        document = {**json.loads(response.body), **fields}
        response.body = json.dumps({key: value for key, value in document.items()
                                    if value is not None}).encode()
    return change(edit)


for _name, _value, _must in (("absent", None, RIGHT), ("0", 0, RIGHT), ("negative", -60, RIGHT),
                             ("10-years", 315_360_000, RIGHT), ("2-63", 2 ** 63, EITHER),
                             ("text", "300", EITHER), ("fraction", 1.5, EITHER),
                             ("list", [], EITHER)):
    token_case(f"expiry-{_name}", token_with(expires_in=_value), _must)
token_case("only-access-token", token_with(token=None), RIGHT)
token_case("only-token", token_with(access_token=None), RIGHT)
token_case("issued-in-the-future", token_with(issued_at="2099-01-01T00:00:00Z"), RIGHT)
token_case("issued-at-garbage", token_with(issued_at="yesterday"), EITHER)
token_case("refresh-token", token_with(refresh_token="refresh-canary"), RIGHT)
for _name, _value in (("empty", ""), ("number", 5), ("list", ["a"]),
                      ("line-break", "a\r\nX-Injected: 1"),
                      ("nul", "a\0b"), ("blank", "a b"), ("of-1-mib", "x" * MIB)):
    token_case(f"is-{_name}", token_with(token=_value, access_token=_value), ERROR)
token_case("absent", token_with(token=None, access_token=None), ERROR)
for _status in (400, 401, 403, 404, 500, 503):
    token_case(f"status-{_status}", say(_status), ERROR, "47")
token_case("429-always", say(429, Retry_After="0"), ERROR, "49")
case("token-503-once", SOURCE, "62", "the token server fails once", RIGHT,
     first("token", say(503)),
     **BEARER)
case("token-cut-once", SOURCE, "55", "a token is cut, once", RIGHT, first("token", fields(cut=9)),
     **BEARER)
case("token-busy-twice", SOURCE, "49", "the token server asks for a second's pause, twice", RIGHT,
     first("token", say(429, Retry_After="1"), count=2), **BEARER)
case("token-created", SOURCE, "48", "a token comes with 201", RIGHT,
     on("token", change(lambda r, q, s: setattr(r, "status", 201))), **BEARER)
token_case("html", html(), ERROR, "50")
token_case("not-json", say(200, b"tok", Content_Type="application/json"), ERROR)
token_case("array", say(200, b"[]", Content_Type="application/json"), ERROR)
token_case("duplicate-keys", say(200, b'{"token":"a","token":"b"}',
                                 Content_Type="application/json"), ERROR)
token_case("endless", lambda s, q, good: Response(200, b'{"token":"',
                                                          {"Content-Type": "application/json"},
                                                  length="", repeat=b"x" * 65536), ERROR, "52")
token_case("stall", fields(stall_at=5), ERROR, "54")
token_case("redirect-to-stranger", redirect(307, to_stranger), ERROR, "40")
token_case("redirect-302-to-stranger", redirect(302, to_stranger), ERROR, "40")
token_case("redirect-to-itself", redirect(307, to_self), ERROR, "40")
token_case("cookie", header("Set-Cookie", "session=cookie-canary"), RIGHT, "class 1")
