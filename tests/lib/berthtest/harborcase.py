# SPDX-License-Identifier: Apache-2.0
"""A test case with a daemon and a Harbor integrated as `harbor`.

The Harbor is the stand-in (tests/standin/harbor) with a real registry behind,
unless BERTH_TEST_HARBOR names a real one's URL; BERTH_TEST_HARBOR_USER (by
default admin) and BERTH_TEST_HARBOR_PASSWORD_FILE say how to sign in there.
A case that is about another version than the real one's is skipped there.
"""

import http.client
import json
import os
import re
import sys
import unittest
import urllib.parse

from .apicase import ApiCase
from .daemon import Daemon
from .images import Client
from .openapi import CheckedApi
from .proc import workdir
from .registry import Registry

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from standin.harbor import Harbor  # noqa: E402


class HarborApi:
    """Calls to a Harbor's API as a test makes them: one login, then a session."""

    def __init__(self, url, username, password):
        self.host = urllib.parse.urlsplit(url).netloc
        self._cookies, self._token = "", None
        self._sign_in(username, password)

    def _once(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=180)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        return answer, data

    def _sign_in(self, username, password):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer, _ = self._once("POST", "/c/login", b"x=y", headers)
        self._token = answer.headers["X-Harbor-CSRF-Token"]
        gorilla = re.search("_gorilla_csrf=[^;]*", answer.headers["Set-Cookie"])[0]
        form = urllib.parse.urlencode({"principal": username, "password": password}).encode()
        answer, _ = self._once("POST", "/c/login", form, {
            **headers, "Cookie": gorilla, "X-Harbor-CSRF-Token": self._token})
        if answer.status != 200:
            raise AssertionError(f"signing in to Harbor: HTTP {answer.status}")
        sid = [v for k, v in answer.getheaders() if k.lower() == "set-cookie" and
               v.startswith("sid=")][-1].partition(";")[0]
        self._cookies = f"{sid}; {gorilla}"

    def call(self, method, path, body=None, expect=(200, 201)):
        """The JSON of an answer below /api/v2.0; None where it is empty."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Cookie": self._cookies, "X-Harbor-CSRF-Token": self._token,
                   "Accept": "application/json, */*", "X-Is-Resource-Name": "true",
                   "Referer": f"http://{self.host}/"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        answer, found = self._once(method, "/api/v2.0" + path, data, headers)
        if answer.status not in expect:
            raise AssertionError(f"{method} {path}: HTTP {answer.status} {found[:300]!r}")
        return json.loads(found) if found and "json" in answer.headers.get(
            "Content-Type", "") else None


class HarborCase(ApiCase):
    """`harbor` is integrated; standin is the stand-in or None at a real one.

    version   of the stand-in: "2.15", "2.5", or another "major.minor"
    url, username, password   of the Harbor
    world, counts, faults     of the stand-in
    """

    version = "2.15"
    integrate = True
    config = None
    real = os.environ.get("BERTH_TEST_HARBOR")
    standin_only = False  # a case about faults or counts

    @classmethod
    def setUpClass(cls):
        if cls.real and (cls.standin_only or cls.version != "2.15"):
            raise unittest.SkipTest("this case is about the stand-in")
        cls.dir = workdir(cls)
        cls._numbers = 0
        if cls.real:
            cls._use_real()
        else:
            cls._use_standin()
        cls.secret_file = os.path.join(cls.dir, "password")
        with open(cls.secret_file, "w", encoding="utf-8") as file:
            file.write(cls.password + "\n")
        os.chmod(cls.secret_file, 0o600)
        cls.daemon = cls.enter(Daemon(os.path.join(cls.dir, "berth"), config=cls.config))
        cls.api = CheckedApi(cls.daemon.socket)
        cls.daemon.api = cls.api
        if cls.integrate:
            cls.daemon.add("harbor", cls.url, cls.username, cls.password, kind="harbor")
            cls.settle()

    @classmethod
    def _use_real(cls):
        cls.standin, cls.url = None, cls.real.rstrip("/")
        cls.username = os.environ.get("BERTH_TEST_HARBOR_USER", "admin")
        with open(os.environ["BERTH_TEST_HARBOR_PASSWORD_FILE"], encoding="utf-8") as file:
            cls.password = file.read().rstrip("\n")
        cls.login = (cls.username, cls.password)

    @classmethod
    def _use_standin(cls):
        cls.registry = cls.enter(Registry(os.path.join(cls.dir, "registry")))
        cls.standin = cls.enter(Harbor(cls.registry.url, version=cls.version))
        cls.url, cls.login = cls.standin.url, cls.standin.login
        cls.username, cls.password = cls.login
        cls.world, cls.counts, cls.faults = (cls.standin.world, cls.standin.counts,
                                             cls.standin.faults)

    @classmethod
    def harbor_api(cls):
        """Calls to the Harbor itself, signed in once a class."""
        if cls.__dict__.get("_api") is None:
            cls._api = HarborApi(cls.url, *cls.login)
        return cls._api

    @classmethod
    def name(cls, word="p", public=None):
        """The name of a project that is free. public True or False makes it at
        the Harbor. Whatever is there goes away at the end."""
        cls._numbers += 1
        name = f"t{os.getpid():x}-{cls.__name__.lower()}-{word}-{cls._numbers}"
        cls.addClassCleanup(cls._drop, name)
        if public is not None:
            cls.harbor_api().call("POST", "/projects", {
                "project_name": name, "metadata": {"public": str(public).lower()}})
        return name

    @classmethod
    def _drop(cls, name):
        if cls.standin:
            return  # it goes away itself
        harbor = cls.harbor_api()
        rows = harbor.call("GET", f"/projects/{name}/repositories?page_size=100",
                           expect=(200, 403, 404))
        for row in rows if isinstance(rows, list) else ():
            inner = urllib.parse.quote(urllib.parse.quote(row["name"].partition("/")[2], ""), "")
            harbor.call("DELETE", f"/projects/{name}/repositories/{inner}",
                        expect=(200, 404, 412))
        harbor.call("DELETE", f"/projects/{name}", expect=(200, 403, 404, 412))

    @classmethod
    def push(cls, project, repository, image, *tags):
        """An image with its tags into project/repository; returns the image."""
        with Client(cls.url, *cls.login) as client:
            return client.push(f"{project}/{repository}", image, *tags)

    def refresh(self, **part):
        """Have the daemon read the Harbor's index, or that part, and wait for it."""
        return self.done(self.api.call("POST", "/v1/integrations/harbor/refresh", part or None))
