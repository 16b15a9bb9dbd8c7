# SPDX-License-Identifier: Apache-2.0
"""Plays one hostile case against a copier and says what was wrong.

A copier has run(case, hostile, honest, folder) and returns a Result. The other
end of the copy is an honest registry of the caller's.
"""

import base64
import re

from server import Registry, digest_of
from table import ERROR, PASSWORD, RIGHT, SOURCE, USERS

TAG = "latest"
SECRETS = (PASSWORD, "token-canary-", "refresh-canary", "cookie-canary")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class Result:
    """ok: it said that it succeeded; text: what it told the user; ended: in time."""

    def __init__(self, ok, text, ended=True):
        self.ok, self.text, self.ended = ok, text, ended


def name_of(case):
    return f"hostile/{case.id}"


def judge(case, copier, honest, certificates, client):
    """The complaints about one case; none is a pass. honest is a real registry
    with its client; it stands at the end that the case does not play."""
    server = case.start(certificates)
    try:
        wanted, below = _load(case, server, client)
        if case.second:
            _load_sibling(case, server, client)
        result = copier.run(case, server, honest)
        complaints = _outcome(case, server, client, result, wanted, below)
        return complaints + _always(case, server, result)
    finally:
        server.stop()
        if server.stranger:
            server.stranger.stop()


def _load(case, server, client):
    """Put the image at the source; returns its digest and a checker's notion."""
    name = name_of(case)
    if case.end == SOURCE:
        return case.load(server.registry, name, TAG), None
    store = Registry()
    digest = case.load(store, name, TAG)
    for blob in store.blobs[name].values():
        client.push_blob(name, _Blob(blob))
    for reference, (kind, body) in store.manifests[name].items():
        client.put_manifest(name, reference, _Manifest(kind, body))
    client.put_manifest(name, TAG, _Manifest(*store.manifests[name][digest]))
    return digest, store.whole(name, TAG)


class _Blob:
    def __init__(self, data):
        self.size, self.digest, self._data = len(data), digest_of(data), data

    def pieces(self):
        yield self._data


class _Manifest:
    def __init__(self, media_type, body):
        self.media_type, self.body = media_type, body


def _load_sibling(case, server, client):
    """The blobs are in a sibling repository at both ends, so that a mount pays."""
    name = name_of(case)
    sibling = name + "-sibling"
    content = client.manifest(name, TAG)
    for one in _descriptors(content.json()):
        data = client.blob(name, one["digest"])
        client.push_blob(sibling, _Blob(data))
        server.registry.put_blob(sibling, data)
    manifest = _Manifest(content.headers["Content-Type"], content.body)
    client.put_manifest(sibling, TAG, manifest)
    server.registry.put_manifest(sibling, TAG, manifest.media_type, manifest.body)


def _descriptors(content):
    return [content["config"], *content["layers"]]


def _outcome(case, server, client, result, wanted, below):
    if not result.ended:
        return ["it did not end"]
    if case.job == "refresh":
        return _said(case, result)
    complaints = _said(case, result)
    if case.end == SOURCE:
        complaints += _at_honest_target(case, client, result, wanted)
    else:
        complaints += _at_hostile_target(case, server, result, wanted, below)
    return complaints


def _said(case, result):
    if case.must == RIGHT and not result.ok:
        return [f"it failed: {result.text[-600:]}"]
    if case.must == ERROR and result.ok:
        return ["it said that it succeeded"]
    if not result.ok and not result.text.strip():
        return ["it failed without a word"]
    if case.says and not result.ok and not re.search(case.says, result.text, re.I):
        return [f"the error does not say /{case.says}/: {result.text[-600:]}"]
    return []


def _at_honest_target(case, client, result, wanted):
    name = name_of(case)
    try:
        found = client.digest(name, TAG)
        if result.ok and not found and not case.may_be_empty:
            return ["it said that it succeeded, and the tag is not there"]
        if found:
            client.closure(name, TAG)
    except (AssertionError, RuntimeError) as error:
        return [f"the target holds something wrong: {error}"]
    if found and found != wanted and not case.id.startswith("tag-moves"):
        return [f"the target's tag is {found}, not {wanted}"]
    if case.sees and len(client.tags(name)) != case.sees:
        return [f"the target has {client.tags(name)}, not {case.sees} tags"]
    if result.ok and case.also:
        return case.also(client, name)
    if found and not result.ok and case.must == ERROR and not case.all_tags and not case.referrers:
        return ["it failed, yet the tag is at the target"]
    return []


def _at_hostile_target(case, server, result, wanted, below):
    name = name_of(case)
    if not result.ok:
        left = case.untagged and server.registry.tags.get(name, {}).get(TAG)
        return [f"it failed, and left the tag {left}"] if left else []
    found = server.registry.tags.get(name, {}).get(TAG)
    if found != wanted:
        return [f"it said that it succeeded, and the tag is {found}, not {wanted}"]
    if server.registry.whole(name, TAG) != below:
        return ["it said that it succeeded, and something below the tag is missing or wrong"]
    return []


def _always(case, server, result):
    """What must hold in every case."""
    complaints = []
    strangers = [server.stranger] if server.stranger else []
    for one in strangers:
        for text in one.carried(*SECRETS):
            complaints.append("a stranger got a credential:\n" + text)
        if any("authorization" in request.headers for request in one.seen):
            complaints.append("a stranger got an Authorization header")
    for request in server.seen:
        if "cookie" in request.headers:
            complaints.append(f"a cookie was sent back: {request.method} {request.target}")
            break
    basic = [base64.b64encode(f"{user}:{password}".encode()).decode()
             for user, password in USERS.items()]
    for secret in (*SECRETS, *basic):
        if secret in result.text:
            complaints.append(f"the secret {secret} was printed")
    found = CONTROLS.search(result.text.replace("\n", "").replace("\t", ""))
    if found:
        complaints.append(f"a control character reached the user: {found[0]!r} in "
                          f"{result.text[max(0, found.start() - 60):found.end() + 20]!r}")
    for kind, most in case.limits.items():
        if server.counts.get(kind, 0) > most:
            complaints.append(f"{server.counts[kind]} requests of the kind {kind}; at most {most}")
    return complaints
