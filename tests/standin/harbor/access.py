# SPDX-License-Identifier: Apache-2.0
"""Who asks, and what they may: passwords, sessions, robots, bearer tokens.

A check of a user's password is counted (PBKDF2 costs a real Harbor half a
second each); a robot's is counted apart. Wrong credentials make an anonymous
caller here, as at a real Harbor: what needs someone answers 401.
"""

import base64
import json
import os
import secrets
from types import SimpleNamespace as Row

from .world import ROLES, _READ

ANONYMOUS = Row(kind="anonymous", name="", user=None, robot=None, access=None, wrong=False)
WRONG = Row(kind="anonymous", name="", user=None, robot=None, access=None, wrong=True)


class Access:
    def __init__(self, world, counts):
        self.world, self.counts = world, counts
        self.sessions, self.tokens, self.csrf = {}, {}, {}

    # -- who

    def check_password(self, name, password):
        """A user by name and password; the check is counted even where it fails."""
        user = self.world.users.get(name)
        self.counts["password check"] += 1
        if user is None or user.password != password or "database" in self.world.down:
            return None
        return user

    def of_basic(self, value):
        try:
            text = base64.b64decode(value).decode()
        except ValueError:
            return WRONG
        name, _, password = text.partition(":")
        if name.startswith(self.world.settings["robot_name_prefix"]):
            self.counts["robot check"] += 1
            robot = self.world.robot_of(name)
            if robot is None or robot.secret != password or not self.world.robot_works(robot) \
                    or "database" in self.world.down:
                return WRONG
            return Row(kind="robot", name=name, user=None, robot=robot, access=None, wrong=False)
        user = self.check_password(name, password)
        return self.of_user(user) if user else WRONG

    @staticmethod
    def of_user(user):
        return Row(kind="user", name=user.name, user=user, robot=None, access=None, wrong=False)

    def of_bearer(self, token):
        found = self.tokens.get(token)
        if found is None or found.expires < self.world.seconds():
            return WRONG
        return Row(kind="token", name=found.name, user=None, robot=None, access=found.access,
                   wrong=False)

    def who(self, headers, cookies):
        given = headers.get("Authorization", "")
        scheme, _, value = given.partition(" ")
        if scheme.lower() == "basic":
            return self.of_basic(value)
        if scheme.lower() == "bearer":
            return self.of_bearer(value)
        user = self.sessions.get(cookies.get("sid"))
        if user is not None and user.name in self.world.users and \
                "database" not in self.world.down:
            return self.of_user(user)
        return ANONYMOUS

    # -- sessions

    def new_csrf(self):
        cookie, token = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self.csrf[cookie] = token
        return cookie, token

    def csrf_holds(self, cookies, token):
        expected = self.csrf.get(cookies.get("_gorilla_csrf"))
        return expected is not None and token == expected

    def open_session(self, user):
        sid = secrets.token_hex(16)
        self.sessions[sid] = user
        return sid

    # -- may they?

    def role(self, who, project):
        if who.kind != "user":
            return 0
        return 1 if who.user.sysadmin else project.members.get(who.user.id, 0)

    def _robot_may(self, robot, resource, action, project):
        mixed = any(p["kind"] == "system" for p in robot.permissions)
        for permission in robot.permissions:
            if permission["kind"] != "project" or permission["namespace"] not in (
                    "*", project.name):
                continue
            if mixed and not self.world.at_least(2, 10):
                continue  # a system permission beside hides them
            pairs = {(a["resource"], a["action"]) for a in permission["access"]}
            if (resource, action) in pairs or \
                    (action == "pull" and (resource, "push") in pairs):
                return True
        return False

    def may(self, who, resource, action, project):
        """In a project. Everyone may read a public one."""
        if self.world.is_public(project) and (resource, action) in _READ:
            return True
        if who.kind == "token":
            return False
        if who.kind == "robot":
            return self._robot_may(who.robot, resource, action, project)
        role = self.role(who, project)
        return role == 1 or (resource, action) in ROLES.get(role, ())

    def may_system(self, who, resource, action):
        if who.kind == "robot":
            return any(p["kind"] == "system" and {"resource": resource, "action": action} in
                       [{"resource": a["resource"], "action": a["action"]} for a in p["access"]]
                       for p in who.robot.permissions)
        return who.kind == "user" and who.user.sysadmin

    # -- bearer tokens

    def _granted(self, who, kind, name, wanted):
        if kind != "repository":
            return []
        project = self.world.project(name.partition("/")[0])
        if project is None:
            if who.kind == "user" and who.user.sysadmin:
                return [] if self.world.at_least(2, 0) else wanted
            return []
        found = []
        for action, need in (("push", ("repository", "push")), ("delete", ("artifact", "delete")),
                             ("pull", ("repository", "pull"))):
            if self.may(who, *need, project):
                found.append(action)
        return found

    def token(self, who, scopes):
        """(token, access) for scopes of the form type:name:actions."""
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            if not name:
                continue
            access.append({"type": kind, "name": name,
                           "actions": self._granted(who, kind, name, actions.split(","))})
        now = int(self.world.seconds())
        claims = {"iss": "harbor-token-issuer", "aud": "harbor-registry", "exp": now + 1800,
                  "nbf": now, "iat": now, "jti": secrets.token_hex(8), "access": access or None}
        if who.name:
            claims["sub"] = who.name

        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        text = ".".join((part(b'{"alg":"RS256","typ":"JWT"}'), part(json.dumps(claims).encode()),
                         part(os.urandom(48))))
        self.tokens[text] = Row(name=who.name, access=access, expires=now + 1800)
        return text, now
