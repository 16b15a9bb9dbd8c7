# SPDX-License-Identifier: Apache-2.0
"""Faults to inject: what an API, or a proxy before it, can do wrong.

    harbor.faults.add(answer("429"), path="/projects", times=1)

Each fault holds for requests whose method and path match, so often as said.
`answer(name)` makes the usual ones by name; any Answer will do. State faults
(read-only, database down, clock) are set on the world instead.
"""

import re
import threading

from .call import Answer, READ_ONLY

HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>" \
       "\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"


def _page(status, title):
    return lambda: Answer(status, HTML.format(f"{status} {title}"), content_type="text/html")


def _error(status, code, message, *headers):
    return lambda: Answer(status, {"errors": [{"code": code, "message": message}]}, headers)


ANSWERS = {
    "401": _error(401, "UNAUTHORIZED", "unauthorized"),
    "403": _error(403, "FORBIDDEN", "forbidden"),
    "404": _page(404, "Not Found"),
    "405": _page(405, "Method Not Allowed"),
    "409": _error(409, "CONFLICT", "the object was changed meanwhile"),
    "412": _error(412, "PRECONDITION", "the object is in use"),
    "413": _page(413, "Request Entity Too Large"),
    "429": _error(429, "TOO_MANY_REQUESTS", "too many requests", ("Retry-After", "1")),
    "429 far": _error(429, "TOO_MANY_REQUESTS", "too many requests", ("Retry-After", "3600")),
    "500": _error(500, "UNKNOWN", "internal server error"),
    "500 html": _page(500, "Internal Server Error"),
    "502": _page(502, "Bad Gateway"),
    "503 upgrade": _page(503, "Service Temporarily Unavailable"),
    "504": _page(504, "Gateway Time-out"),
    "200 error": lambda: Answer(200, {"errors": [{"code": "UNKNOWN",
                                                  "message": "internal server error"}]}),
    "200 html": lambda: Answer(200, "<!DOCTYPE html><title>Sign in</title>",
                               content_type="text/html"),
    "200 cut": lambda: Answer(200, '[{"name": "cut', content_type="application/json; cut"),
    "200 empty": lambda: Answer(200, None),
    "login page": lambda: Answer(302, None, [
        ("Location", "https://sso.example.com/login?next=harbor")], "text/html"),
    "csrf": _error(403, "FORBIDDEN", "CSRF token not found in request"),
    "read-only": _error(403, "DENIED", READ_ONLY),
}


def answer(name):
    return ANSWERS[name]()


class Gate:
    """reached: the request has taken effect; open.set() lets its answer go."""

    def __init__(self, path, method):
        self.path, self.method = re.compile(path), method
        self.reached, self.open = threading.Event(), threading.Event()


class Faults:
    """The faults of one stand-in, and what a proxy before it does."""

    def __init__(self):
        self._lock = threading.Lock()
        self._rows = []
        self._shuffles = []
        self._gates = []
        self.eats_authorization = False  # a proxy that drops the header
        self.body_max = None             # a proxy that caps request bodies

    def add(self, what, path="", method=None, times=None):
        """what: an Answer or a name of ANSWERS. path: a regular expression
        searched in the path below the root. times: None for ever."""
        made = answer(what) if isinstance(what, str) else what
        with self._lock:
            self._rows.append({"answer": made, "path": re.compile(path), "method": method,
                               "left": times})

    def hold(self, path="", method=None):
        """The next such request does its work, and its answer waits: a Gate."""
        gate = Gate(path, method)
        with self._lock:
            self._gates.append(gate)
        return gate

    def wait(self, method, path):
        """Where an answer is held: until its gate opens."""
        with self._lock:
            gate = next((g for g in self._gates if not g.reached.is_set() and
                         g.path.search(path) and g.method in (None, method)), None)
            if gate:
                gate.reached.set()
        if gate:
            gate.open.wait(300)

    def clear(self):
        with self._lock:
            for gate in self._gates:
                gate.open.set()
            self._gates.clear()
            self._rows.clear()
            self._shuffles.clear()
        self.eats_authorization, self.body_max = False, None

    def find(self, method, path):
        with self._lock:
            for row in self._rows:
                if row["left"] == 0 or not row["path"].search(path) or \
                        row["method"] not in (None, method):
                    continue
                if row["left"] is not None:
                    row["left"] -= 1
                return row["answer"]
        return None

    def shuffle(self, path, page, change):
        """A list that changes while it is read: change(rows) alters that page."""
        with self._lock:
            self._shuffles.append((re.compile(path), page, change))

    def shuffled(self, path, page, rows):
        with self._lock:
            for pattern, number, change in self._shuffles:
                if number == page and pattern.search(path):
                    rows = change(rows)
        return rows
