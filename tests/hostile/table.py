# SPDX-License-Identifier: Apache-2.0
"""The table of hostile cases, and the words in which its rows are written.

A row says which end of a copy the hostile registry plays, what it does, and
what must hold. Whatever happens, these hold for every row: the operation ends,
berthd lives, no credential reaches a stranger, no terminal control byte reaches
the user, and nothing wrong stands at the target.
"""

import os
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from berthtest import images  # noqa: E402
from server import Registry, Response, Server, digest_of  # noqa: E402

SOURCE, TARGET = "source", "target"

RIGHT = "copied right"
ERROR = "clear error, nothing wrong at the target"
EITHER = "copied right, or clear error and nothing wrong at the target"

PASSWORD = "canary-pa55word"
USERS = {"canary-user": PASSWORD}
# 127.0.0.2 is another host to whoever compares names, and always there.
ELSEWHERE = "127.0.0.2"
MIB = 1 << 20


class Case:
    """One row. load(registry, name, tag) stores what is to be copied at the
    source and returns the digest that a right copy has."""

    def __init__(self, ident, end, fault, does, must, *rules, **more):
        self.id, self.end, self.fault, self.does, self.must = ident, end, fault, does, must
        self.rules = rules
        self.load = more.pop("load", plain_image)
        self.users = USERS if more.pop("login", False) else {}
        self.bearer = more.pop("bearer", False)
        self.realm = more.pop("realm", None)
        self.stranger = more.pop("stranger", ())
        self.tls = more.pop("tls", None)
        self.job = more.pop("job", "copy")
        self.all_tags = more.pop("all_tags", False)
        self.referrers = more.pop("referrers", False)
        self.says = more.pop("says", None)
        self.limits = more.pop("limits", {})
        self.validate = more.pop("validate", True)
        self.referrers_api = more.pop("referrers_api", False)
        self.make = more.pop("make", None)
        self.second = more.pop("second", False)
        self.also = more.pop("also", None)  # complaints of (client, name) at the honest target
        self.patch = more.pop("patch", False)  # the engine alone sends blobs by PATCH
        self.may_be_empty = more.pop("may_be_empty", False)
        self.untagged = more.pop("untagged", False)  # a hostile target has no tag after it
        self.sees = more.pop("sees", None)  # so many tags are at the honest target
        assert not more, f"{ident}: unknown field {sorted(more)}"

    def start(self, certificates=None):
        """Start the hostile server and, as its .stranger, the other origin."""
        if self.make:
            server = self.make()
            server.stranger = None
            return server
        registry = Registry(self.referrers_api, self.validate)
        tls = certificates(self.tls) if self.tls else None
        server = Server([*self.rules], registry, tls=tls, users=self.users, bearer=self.bearer,
                        tls_setup=_only_old_tls if self.tls == "old" else None)
        server.stranger = Server([*self.stranger], registry, address=ELSEWHERE)
        if self.realm is not None:
            server.realm = self.realm(server) if callable(self.realm) else self.realm
        return server


def _only_old_tls(context):
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1


CASES = []


def case(*fields, **more):
    CASES.append(Case(*fields, **more))


# What the source holds.

def _layers(seed, sizes=(3000, 70_000)):
    return [images.random_layer(f"{seed}/{number}", size) for number, size in enumerate(sizes)]


def plain_image(registry, name, tag):
    return registry.load(name, tag, images.Image(_layers(name)))


def big_image(registry, name, tag):
    return registry.load(name, tag, images.Image(_layers(name, (2 * MIB,))))


def one_blob(registry, name, tag):
    blob = _layers(name, (3000,))[0]
    return registry.load(name, tag, images.Image([blob], config=blob))


def two_arch(registry, name, tag):
    made = {arch: images.Image(_layers(name + arch), architecture=arch)
            for arch in ("amd64", "arm64")}
    return registry.load(name, tag, images.multi_arch(made))


def image_with(**fields):
    """An image whose manifest has these fields besides or in place of its own."""
    return lambda registry, name, tag: registry.load(
        name, tag, images.Image(_layers(name), **fields))


def with_layers(make):
    return lambda registry, name, tag: registry.load(name, tag, images.Image(make(name)))


def edited(edit, kind=images.OCI_MANIFEST, base=None):
    """Store what edit makes of the manifest (a dict): a dict, or bytes as they
    are to be. The blobs are all there."""
    def load(registry, name, tag):
        image = base(name) if base else images.Image(_layers(name))
        registry.load(name, "base-" + tag, image)
        body = edit(image.content)
        body = body if isinstance(body, bytes) else images.to_json(body)
        return registry.put_manifest(name, tag, kind, body)
    return load


def swapped(*pairs, **more):
    """Store the manifest with text in its JSON replaced."""
    def edit(content):
        body = images.to_json(content)
        for old, new in pairs:
            old = old.encode() if isinstance(old, str) else old
            new = new.encode() if isinstance(new, str) else new
            assert old in body, (old, body)
            body = body.replace(old, new, 1)
        return body
    return edited(edit, **more)


def layer_field(field, value):
    """Store an image whose first layer's descriptor says something else."""
    def edit(content):
        first = {**content["layers"][0], field: value}
        if value is None:
            del first[field]
        return {**content, "layers": [first, *content["layers"][1:]]}
    return edited(edit)


def index_base(name):
    return images.multi_arch({"amd64": images.Image(_layers(name))}, attestations=False)


def index_edited(edit):
    return edited(edit, kind=images.OCI_INDEX, base=index_base)


def many_tags(count):
    def load(registry, name, tag):
        for number in range(count):
            registry.load(name, f"t{number:03}", images.Image(_layers(f"{name}{number}", (500,))))
        return registry.load(name, tag, images.Image(_layers(name, (500,))))
    return load


# What the server does.

def honest(kinds="*"):
    return kinds, lambda server, request, good: None


def on(kinds, action):
    """Every request of these kinds."""
    return kinds, action


def first(kinds, action, count=1):
    """Only the first requests of these kinds."""
    def limited(server, request, good):
        key = (kinds, id(action))
        server.notes[key] = server.notes.get(key, 0) + 1
        return action(server, request, good) if server.notes[key] <= count else None
    return kinds, limited


def later(kinds, action, after=1):
    """All but the first requests of these kinds."""
    def limited(server, request, good):
        key = (kinds, id(action))
        server.notes[key] = server.notes.get(key, 0) + 1
        return action(server, request, good) if server.notes[key] > after else None
    return kinds, limited


def say(status, body=b"", length=None, **headers):
    """This answer, and nothing is done."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda server, request, good: Response(status, body, named, length=length)


def raw(data):
    return lambda server, request, good: data


def change(edit):
    """The honest answer, edited: edit(response, request, server)."""
    def action(server, request, good):
        response = good()
        if response.status < 300:
            edit(response, request, server)
        return response
    return action


def fields(**values):
    """The honest answer with other fields of Response (cut, drip_s, length, ...)."""
    def edit(response, request, server):
        for name, value in values.items():
            setattr(response, name, value)
    return change(edit)


def header(name, value):
    """The honest answer with a header set; None takes it away."""
    def edit(response, request, server):
        told = value(server, request) if callable(value) else value
        response.headers.pop(name, None)
        if told is not None:
            response.headers[name] = told
    return change(edit)


def body(edit):
    """The honest answer with another body."""
    def apply(response, request, server):
        response.body = edit(response.body)
    return change(apply)


def redirect(status, to):
    """to: an URL, or a function of server and request."""
    def action(server, request, good):
        url = to(server, request) if callable(to) else to
        return Response(status, b"", {"Location": url})
    return action


def to_stranger(server, request):
    return server.stranger.origin + request.target


def to_self(server, request):
    return request.target


def silent(server, request, good):
    """No answer at all, for as long as the server lives."""
    return server.silence()


def html(status=200):
    return say(status, b"<!DOCTYPE html><html><body>Please log in</body></html>",
               Content_Type="text/html; charset=utf-8")


def after_effect(answer):
    """Do what was asked, then answer this instead."""
    def action(server, request, good):
        good()
        return answer(server, request, good)
    return action


def flipped(position):
    def edit(data):
        if not data:
            return data
        at = position % len(data)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
    return edit


def is_layer(action):
    """Only for blobs of more than 1000 bytes: layers, not configs."""
    def limited(server, request, good):
        data = server.registry.blobs.get(request.name, {}).get(request.rest, b"")
        return action(server, request, good) if len(data) > 1000 else None
    return limited


def early(action):
    """Answer before the request's body was read."""
    def answer(server, request, good):
        return action(server, request, good)
    answer.early = True
    return answer


__all__ = [name for name in dir() if not name.startswith("_")]
