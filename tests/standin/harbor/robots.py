# SPDX-License-Identifier: Apache-2.0
"""Robot accounts of the system and of projects."""

import re
import secrets

from .call import Answer, Refused, bad, conflict, missing, route
from .session import STRENGTH, is_strong
from .world import Row

NAME = re.compile(r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$")
DAY_S = 86400

# What /permissions of 2.15 lists, as far as Berth and the tests use it.
PROJECT = {
    "repository": "list read update delete pull push", "artifact": "list read create delete",
    "scan": "create read stop", "sbom": "create read stop", "tag": "list create delete",
    "artifact-label": "create delete", "artifact-addition": "read", "accessory": "list",
    "project": "read update delete", "metadata": "list read create update delete",
    "quota": "read", "label": "list read create update delete", "log": "list",
    "scanner": "read create", "robot": "list read create delete",
    "immutable-tag": "list create update delete", "member": "list read create update delete",
    "tag-retention": "list read create update delete operate", "export-cve": "create read",
    "notification-policy": "list read create update delete", "preheat-policy": "list read create "
                                                                               "update delete"}
SYSTEM = {
    "project": "list create", "catalog": "read", "quota": "list read update",
    "robot": "list read create delete", "registry": "list read create update delete",
    "replication": "list read create", "replication-policy": "list read create update delete",
    "replication-adapter": "list", "garbage-collection": "list read create update stop",
    "scan-all": "read create update stop", "scanner": "list read create update delete",
    "system-volumes": "read", "purge-audit": "list read create update stop", "user": "list read "
    "create update delete", "user-group": "list read create update delete", "audit-log": "list",
    "label": "read create update delete", "ldap-user": "list create", "jobservice-monitor":
    "list stop", "security-hub": "list read", "preheat-instance": "list read create update delete",
    "export-cve": "create read"}


def allowed(kind, resource, action):
    return action in (PROJECT if kind == "project" else SYSTEM).get(resource, "").split()


def check_permissions(call, level, permissions):
    """The project of a project's robot, or None for the system's."""
    world, strict = call.world, call.world.at_least(2, 6)
    if not permissions:
        raise bad("bad request empty permission")
    if level == "project" and (len(permissions) != 1 or permissions[0].get("kind") != "project"):
        raise bad("bad request permission")
    for one in permissions:
        for access in one.get("access") or []:
            pair = access.get("resource", ""), access.get("action", "")
            if strict and not allowed(one.get("kind"), *pair):
                raise bad(f"bad request permission: {pair[0]}:{pair[1]}")
        name = one.get("namespace", "")
        if one.get("kind") == "project" and (name != "*" or level == "project") and \
                world.project(name) is None:
            if not strict:
                raise call.forbid()
            raise missing(f"project {name} not found")
    return world.project(permissions[0]["namespace"]) if level == "project" else None


def check_narrower(robot, permissions):
    """A robot makes no robot that may more than itself."""
    held = {(p["kind"], p["namespace"], a["resource"], a["action"])
            for p in robot.permissions for a in p["access"]}
    for one in permissions:
        for a in one.get("access") or []:
            pair = a.get("resource"), a.get("action")
            if (one["kind"], one["namespace"], *pair) not in held and \
                    (one["kind"], "*", *pair) not in held:
                raise Refused(403, "DENIED", "permission scope is invalid. It must be equal to or "
                              "more restrictive than the creator robot's permissions: "
                              f"{robot.name}")


def expires(world, days):
    return -1 if days < 0 else int(world.seconds()) + days * DAY_S


def check_duration(call, days):
    if days == 0 and not call.world.at_least(2, 6):
        return call.world.settings["robot_token_duration"]
    if days != -1 and days <= 0:
        raise bad(f"bad request error duration input: {days}, duration must be either -1(Never) "
                  "or a positive integer")
    return days


def need(call, project, action):
    if project is None:
        call.need_system("robot", action)
    elif not call.access.may(call.who, "robot", action, project):
        raise call.forbid()


def fresh_secret():
    while True:
        text = secrets.token_urlsafe(24).replace("-", "a").replace("_", "B")[:32]
        if is_strong(text):
            return text


@route("POST", "/robots")
def create(call):
    world = call.world
    call.known()
    wanted = call.json("robot", kinds={"duration": int, "name": str, "permissions": list})
    name, level = wanted.get("name", ""), wanted.get("level", "")
    if not NAME.match(name):
        raise bad("robot name is not in lower case or contains illegal characters")
    days = check_duration(call, wanted.get("duration", 0))
    if level not in ("system", "project"):
        raise bad(f"bad request error level input: {level}")
    project = check_permissions(call, level, wanted.get("permissions") or [])
    need(call, project, "create")
    if call.who.kind == "robot" and world.at_least(2, 6):
        check_narrower(call.who.robot, wanted["permissions"])
    if any(r.name == name and r.project is project for r in world.robots.values()):
        world.take("robot")
        where = f"{project.id}:{project.name}+{name}" if project else f"0:{name}"
        raise conflict(f"robot account {where} already exists")
    now = world.now()
    robot = Row(id=world.take("robot"), name=name, level=level, project=project, days=days,
                description=wanted.get("description", ""), disabled=bool(wanted.get("disable")),
                permissions=wanted["permissions"], secret=fresh_secret(), created=now,
                updated=now, expires=expires(world, days))
    world.robots[robot.id] = robot
    return call.created(f"/robots/{robot.id}", {
        "creation_time": now, "expires_at": robot.expires, "id": robot.id,
        "name": world.robot_name(robot), "secret": robot.secret})


def show(call, robot):
    shown = {"creation_time": robot.created, "description": robot.description,
             "disable": robot.disabled, "duration": robot.days, "editable": True,
             "expires_at": robot.expires, "id": robot.id, "level": robot.level,
             "name": call.world.robot_name(robot), "permissions": robot.permissions,
             "update_time": robot.updated}
    if call.world.at_least(2, 10):
        shown.update(creator_ref=1, creator_type="local")
    if not robot.description:
        shown.pop("description")
    return dict(sorted(shown.items()))


@route("GET", "/robots")
def listing(call):
    found = {key: (kind, value) for key, kind, value in call.conditions()}
    project = None
    if found.get("Level", ("", ""))[1] == "project":
        if "ProjectID" not in found:
            raise bad("must with project ID when to query project robots")
        project = call.world.projects.get(int(found["ProjectID"][1]))
    need(call, project, "list")
    rows = [r for r in call.world.robots.values() if r.project is project]

    def stored(robot):  # names are kept as project+robot
        return f"{robot.project.name}+{robot.name}" if robot.project else robot.name
    kind, value = found.get("name", ("", ""))
    if kind == "~":
        rows = [r for r in rows if value in stored(r)]
    elif kind:
        rows = [r for r in rows if value == stored(r)]
    return call.page(sorted(rows, key=stored), lambda r: show(call, r))


@route("GET", "/projects/{project}/robots", until=(2, 6))
def of_project(call, name):
    project = call.project(name, "robot", "list")
    rows = [r for r in call.world.robots.values() if r.project is project]
    return call.page(rows, lambda r: show(call, r))


def robot_of(call, number, action):
    call.known()
    robot = call.world.robots.get(int(number)) if number.isdigit() else None
    if robot is None:
        raise missing(f"robot {number} not found")
    need(call, robot.project, action)
    return robot


@route("GET", "/robots/{id}")
def get(call, number):
    return Answer(200, show(call, robot_of(call, number, "read")))


@route("PUT", "/robots/{id}")
def update(call, number):
    robot = robot_of(call, number, "update")
    wanted = call.json("robot", kinds={"duration": int})
    if wanted.get("name") != call.world.robot_name(robot):
        raise bad("bad request cannot update the level or name of robot")
    if wanted.get("level") != robot.level:
        raise bad("bad request cannot update the level or name of robot")
    days = check_duration(call, wanted.get("duration", 0))
    check_permissions(call, robot.level, wanted.get("permissions") or [])
    if days != robot.days:
        robot.days, robot.expires = days, expires(call.world, days)
    robot.permissions = wanted["permissions"]
    robot.description = wanted.get("description", "")
    robot.disabled, robot.updated = bool(wanted.get("disable")), call.world.now()
    return Answer(200, None)


@route("PATCH", "/robots/{id}")
def refresh(call, number):
    robot = robot_of(call, number, "update")
    given = call.json("robotSec", required=False).get("secret", "")
    if given and not is_strong(given):
        raise bad(STRENGTH)
    robot.secret, robot.updated = given or fresh_secret(), call.world.now()
    return Answer(200, {} if given else {"secret": robot.secret})


@route("DELETE", "/robots/{id}")
def delete(call, number):
    del call.world.robots[robot_of(call, number, "delete").id]
    return Answer(200, None)


@route("GET", "/permissions", since=(2, 9))
def permissions(call):
    if call.who.kind not in ("user", "robot"):
        raise Refused(401, "UNAUTHORIZED", "")
    return Answer(200, {word: [{"action": a, "resource": r} for r, actions in table.items()
                               for a in actions.split()]
                        for word, table in (("project", PROJECT), ("system", SYSTEM))})
