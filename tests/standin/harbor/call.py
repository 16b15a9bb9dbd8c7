# SPDX-License-Identifier: Apache-2.0
"""One request: its parts, checks that all handlers share, answers, routes.

A handler is a function `(call, *parts of the path)` under @route; it returns
an Answer or raises Refused. Lists go through call.page(), which sorts,
filters and cuts as Harbor does.
"""

import json
import re
import urllib.parse

JSON = "application/json"
READ_ONLY = "The system is in read only mode. Any modification is prohibited."


class Answer:
    """What goes back. body: None for none, bytes, text, or what becomes JSON."""

    def __init__(self, status=200, body=None, headers=(), content_type=JSON):
        self.status, self.body, self.headers = status, body, list(headers)
        self.content_type = content_type

    def data(self):
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str) and self.content_type != JSON:
            return self.body.encode()
        return (json.dumps(self.body, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


class Refused(Exception):
    """An error in Harbor's envelope."""

    def __init__(self, status, code, message, headers=()):
        super().__init__(message)
        self.answer = Answer(status, {"errors": [{"code": code, "message": message}]}, headers)


def bad(message):
    return Refused(400, "BAD_REQUEST", message)


def missing(message):
    return Refused(404, "NOT_FOUND", message)


def conflict(message):
    return Refused(409, "CONFLICT", message)


def precondition(message):
    return Refused(412, "PRECONDITION", message)


def invalid(message):
    return Refused(422, "UNPROCESSABLE_ENTITY", "validation failure list:\n" + message)


# -- routes: (pattern, template, method, since, until, handler)

ROUTES = []


def route(method, template, since=(2, 0), until=(99, 0), text=False):
    """Register a handler for a path below /api/v2.0. {name} is one segment;
    until is the first version that no longer has it; text: it answers text/plain."""
    def register(handler):
        pattern = re.compile("^" + re.sub(r"\{\w+\}", "([^/]+)", template) + "/?$")
        ROUTES.append((pattern, template, method, since, until, handler, text))
        return handler
    return register


def find_route(number, method, path):
    """(handler, parts, template, text) of a path, or Refused 404 or 405."""
    others = []
    plain_first = sorted(ROUTES, key=lambda row: row[1].count("{"))
    for pattern, template, verb, since, until, handler, text in plain_first:
        found = pattern.match(path)
        if not found or not since <= number < until:
            continue
        if verb == method:
            parts = [urllib.parse.unquote(part) for part in found.groups()]
            return handler, parts, f"{method} {template}", text
        others.append(verb)
    if others:
        raise Refused(405, "METHOD_NOT_ALLOWED",
                      f"method {method} is not allowed, but [{','.join(others)}] are")
    raise missing(f"path /api/v2.0{path} was not found")


class Call:
    """One request to the API."""

    def __init__(self, harbor, who, path, query, headers, body):
        self.harbor, self.world, self.access = harbor, harbor.world, harbor.access
        self.who, self.path, self.headers, self.body = who, path, headers, body
        self.query = dict(urllib.parse.parse_qsl(query.replace("+", "%2B"), True))
        self.host = headers.get("Host", "")

    # -- parameters

    def number(self, name, default, least=None, most=None):
        text = self.query.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?\d+", text):
            raise invalid(f'{name} in query must be of type int64: "{text}"')
        value = int(text)
        if most is not None and value > most:
            raise invalid(f"{name} in query should be less than or equal to {most}")
        return value if least is None else max(least, value)

    def flag(self, name, default=False):
        return self.query.get(name, str(default).lower()) == "true"

    def json(self, name, required=True, kinds=None):
        """The body as an object; kinds is {field: type} of what Go would refuse otherwise."""
        given = self.headers.get("Content-Type")
        if not self.body:
            if required:
                raise invalid(f"{name} in body is required")
            return {}
        if (given or "").partition(";")[0] != JSON:
            raise invalid(f'unsupported media type "{given or "application/octet-stream"}", '
                          f"only [{JSON}] are allowed")
        try:
            found = json.loads(self.body.decode(errors="replace"))
        except ValueError:
            raise invalid(f'parsing {name} body from "" failed, because unexpected EOF') from None
        for key, kind in (kinds or {}).items():
            value = found.get(key)
            if value is not None and (not isinstance(value, kind) or
                                      (isinstance(value, bool) and kind is not bool)):
                raise invalid(f'parsing {name} body from "" failed, because json: cannot '
                              f"unmarshal into Go struct field {key}")
        return found

    # -- rights

    def known(self):
        """Someone must ask."""
        if self.who.kind not in ("user", "robot"):
            raise Refused(401, "UNAUTHORIZED", "unauthorized")
        return self.who

    def need_system(self, resource="system", action="read"):
        self.known()
        if not self.access.may_system(self.who, resource, action):
            raise Refused(403, "FORBIDDEN", self.who.name)

    def forbid(self):
        if self.who.kind not in ("user", "robot"):
            return Refused(401, "UNAUTHORIZED", "unauthorized")
        return Refused(403, "FORBIDDEN", "forbidden")

    def project(self, name, resource="project", action="read"):
        """The project of a path, by name or id as X-Is-Resource-Name says."""
        by_name = self.headers.get("X-Is-Resource-Name", "").lower() == "true" or \
            not name.isdigit()
        found = self.world.project(name) if by_name else self.world.projects.get(int(name))
        admin = self.who.kind == "user" and self.who.user.sysadmin
        if found is None and admin and (self.world.at_least(2, 6) or not by_name):
            raise missing(f"project {name} not found")
        if found is None or not self.access.may(self.who, resource, action, found):
            raise self.forbid()
        return found

    def repository(self, project, name, resource="repository", action="read"):
        project = self.project(project, resource, action)
        full = f"{project.name}/{name}"
        found = self.world.repository(full)
        if found is None:
            raise missing(f"repository {full} not found")
        return found

    def artifact(self, project, name, reference, action="read", resource="artifact"):
        project = self.project(project, resource, action)
        full = f"{project.name}/{name}"
        repository = self.world.repository(full)
        found = self.world.find(repository, reference) if repository else None
        if found is None:
            mark = "@" if reference.startswith("sha256:") else ":"
            raise missing(f"artifact {full}{mark}{reference} not found")
        return found

    # -- lists

    def conditions(self):
        """`q` as a list of (field, kind, value), kind '=', '~' or 'set'."""
        found = []
        for part in re.split(r",(?![^([{]*[)\]}])", self.query.get("q", "")):
            if not part:
                continue
            key, eq, value = part.partition("=")
            if not eq or ";" in part:
                raise bad(f"bad request: invalid query string: {part}")
            value = urllib.parse.unquote(value)
            if value[:1] == "~":
                found.append((key, "~", value[1:]))
            elif value[:1] in "({" and value[-1:] in ")}":
                if value[0] == "{" and key in ("tags", "labels"):
                    raise bad(f"bad request: the value of {key} can't be an or list")
                found.append((key, "set", value[1:-1].split()))
            else:
                found.append((key, "=", value))
        return found

    def keep(self, rows, fields):
        """Rows that hold the conditions; fields is {name in q: value of a row}."""
        for key, kind, value in self.conditions():
            get = fields.get(key) or fields.get(key.lower())
            if get is None:
                continue  # unknown ones mean nothing
            if kind == "~":
                rows = [r for r in rows if value in str(get(r))]
            elif kind == "set":
                rows = [r for r in rows if str(get(r)) in value]
            else:
                rows = [r for r in rows if str(get(r)).lower() == value.lower()]
        return rows

    def order(self, rows, fields, default):
        for name in reversed(self.query.get("sort", default).split(",")):
            get = fields.get(name.lstrip("-"))
            if get:
                rows = sorted(rows, key=get, reverse=name.startswith("-"))
        return rows

    def page(self, rows, show, total=None, after=None):
        """A page of rows as an Answer. after(rows) filters what the page has, as
        old versions do; the total stays what it was."""
        size = self.number("page_size", 10, most=100)
        page = self.number("page", 1, least=1) or 1
        total = len(rows) if total is None else total
        cut = rows if size < 1 else rows[(page - 1) * size:page * size]
        headers = [("X-Total-Count", str(total))]
        links = []
        if size > 0 and cut:
            if page > 1:
                links.append((page - 1, "prev"))
            if page * size < total:
                links.append((page + 1, "next"))
        if links:
            headers.append(("Link", " , ".join(f'<{self.link(n, size)}>; rel="{rel}"'
                                               for n, rel in links)))
        cut = self.harbor.faults.shuffled(self.path, page, cut)
        return Answer(200, [show(row) for row in (after(cut) if after else cut)], headers)

    def link(self, page, size):
        query = {**self.query, "page": str(page), "page_size": str(size)}
        return f"/api/v2.0{self.path}?" + "&".join(
            f"{key}={query[key]}" for key in sorted(query))

    def created(self, path, body=None):
        return Answer(201, body, [("Location", f"/api/v2.0{path}")])
