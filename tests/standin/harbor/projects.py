# SPDX-License-Identifier: Apache-2.0
"""Projects, their members and metadata, quotas, immutable rules, labels."""

import re

from .call import Answer, Refused, bad, conflict, missing, precondition, route
from .world import NEVER, Row

NAME = re.compile(r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$")
METADATA = ("public", "enable_content_trust", "enable_content_trust_cosign", "prevent_vul",
            "severity", "auto_scan", "auto_sbom_generation", "reuse_sys_cve_allowlist",
            "retention_id", "proxy_speed_kb", "max_upstream_conn")
NEWER = {"proxy_speed_kb": (2, 7), "auto_sbom_generation": (2, 11), "max_upstream_conn": (2, 15)}
QUOTA_MAX = 1 << 50
ROLE_NAMES = {1: "projectAdmin", 2: "developer", 3: "guest", 4: "maintainer", 5: "limitedGuest"}


def show(call, project):
    world = call.world
    role = call.access.role(call.who, project)
    shown = {"creation_time": project.created, "current_user_role_ids": [role] if role else None,
             "cve_allowlist": {"creation_time": NEVER, "id": project.allowlist, "items": [],
                               "project_id": project.id, "update_time": NEVER},
             "metadata": dict(sorted(project.metadata.items())), "name": project.name,
             "owner_id": project.owner.id, "owner_name": project.owner.name,
             "project_id": project.id, "repo_count": len(world.of_project(project)),
             "update_time": project.updated}
    if role:
        shown["current_user_role_id"] = role
    if not world.at_least(2, 8):
        shown["chart_count"] = 0
    if project.registry_id:
        shown["registry_id"] = project.registry_id
    return dict(sorted(shown.items()))


def visible(call):
    world = call.world

    def sees(project):
        if world.is_public(project) or call.access.role(call.who, project):
            return True
        return call.who.kind == "robot" and (
            any(one["kind"] == "project" and one["namespace"] in ("*", project.name)
                for one in call.who.robot.permissions) or
            call.access.may_system(call.who, "project", "list"))
    return [p for p in world.projects.values() if sees(p)]


@route("POST", "/projects")
def create(call):
    world = call.world
    if call.who.kind not in ("user", "robot"):
        raise Refused(401, "UNAUTHORIZED", "unauthorized")
    if call.who.kind == "robot" and not call.access.may_system(call.who, "project", "create"):
        raise Refused(403, "FORBIDDEN", "forbidden")
    wanted = call.json("project", kinds={"project_name": str, "metadata": dict,
                                         "storage_limit": int})
    name, metadata = wanted.get("project_name", ""), wanted.get("metadata") or {}
    admin = call.who.kind == "robot" or call.who.user.sysadmin
    if len(name) > 255:
        raise Refused(422, "UNPROCESSABLE_ENTITY", "validation failure list:\nvalidation failure "
                      "list:\nproject_name in body should be at most 255 chars long")
    if not name:
        raise bad("Project name  is illegal in length. (greater than 255 or less than 1)")
    if wanted.get("registry_id") and not admin:
        raise Refused(403, "FORBIDDEN", "Only system admin can create proxy cache project")
    if not NAME.match(name):
        raise bad("project name is not in lower case or contains illegal characters")
    if metadata.get("public", "false") not in ("true", "false"):
        raise bad("metadata.public should only be 'true' or 'false', but got: "
                  f"'{metadata['public']}'")
    if wanted.get("registry_id") and wanted["registry_id"] not in world.registries:
        raise missing(f"registry {wanted['registry_id']} not found")
    if world.project(name):
        raise conflict(f"The project named {name} already exists")
    limit = wanted.get("storage_limit")
    owner = call.who.name if call.who.kind == "user" else "admin"
    project = world.add_project(name, owner=owner, registry_id=wanted.get("registry_id") or 0,
                                limit=limit if limit and admin else -1)
    project.metadata.update({k: v for k, v in metadata.items() if k in METADATA and v is not None})
    by_name = call.headers.get("X-Resource-Name-In-Location", "").lower() == "true"
    return call.created(f"/projects/{name if by_name else project.id}")


@route("GET", "/projects")
def listing(call):
    world, query = call.world, call.query
    rows = call.keep(visible(call), {"name": lambda p: p.name,
                                     "public": lambda p: str(world.is_public(p)).lower(),
                                     "owner": lambda p: p.owner.name,
                                     "project_id": lambda p: p.id})
    if query.get("name"):
        rows = [p for p in rows if query["name"] in p.name]
    if "public" in query:
        rows = [p for p in rows if world.is_public(p) == (query["public"] == "true")]
    if query.get("owner"):
        rows = [p for p in rows if p.owner.name == query["owner"]]
    rows = call.order(rows, {"name": lambda p: p.name, "creation_time": lambda p: p.created,
                             "update_time": lambda p: p.updated}, "name")
    return call.page(rows, lambda p: show(call, p))


@route("HEAD", "/projects")
def head(call):
    call.known()
    return Answer(200 if call.world.project(call.query.get("project_name", "")) else 404, None)


@route("GET", "/projects/{project}")
def get(call, name):
    return Answer(200, show(call, call.project(name)))


@route("PUT", "/projects/{project}")
def update(call, name):
    project = call.project(name, "project", "update")
    wanted = call.json("project", kinds={"metadata": dict})
    for key, value in (wanted.get("metadata") or {}).items():
        if not isinstance(value, str):
            raise Refused(422, "UNPROCESSABLE_ENTITY", "validation failure list:\nparsing project "
                          'body from "" failed, because json: cannot unmarshal bool into Go '
                          f"struct field ProjectMetadata.metadata.{key} of type string")
    project.metadata.update({k: v for k, v in (wanted.get("metadata") or {}).items()
                             if k in METADATA and v})
    return Answer(200, None)


def why_not(world, project):
    if world.of_project(project):
        return "the project contains repositories, can not be deleted"
    return None


@route("GET", "/projects/{project}/_deletable")
def deletable(call, name):
    reason = why_not(call.world, call.project(name, "project", "delete"))
    return Answer(200, {"message": reason} if reason else {"deletable": True})


@route("DELETE", "/projects/{project}")
def delete(call, name):
    world, project = call.world, call.project(name, "project", "delete")
    reason = why_not(world, project)
    if reason:
        raise precondition("precondition failed: " + reason)
    del world.projects[project.id]
    world.immutable.pop(project.id, None)
    for number in [n for n, r in world.robots.items() if r.project is project]:
        del world.robots[number]
    for number in [n for n, r in world.retentions.items() if r.project is project]:
        del world.retentions[number]
    return Answer(200, None)


@route("GET", "/projects/{project}/summary")
def summary(call, name):
    project = call.project(name)
    shown = {"repo_count": len(call.world.of_project(project))}
    if call.access.role(call.who, project) == 1:
        shown["project_admin_count"] = list(project.members.values()).count(1)
    if call.access.role(call.who, project):
        shown["quota"] = {"hard": {"storage": project.quota.hard},
                          "used": {"storage": call.world.used(project)}}
    if not call.world.at_least(2, 8):
        shown["chart_count"] = 0
    return Answer(200, dict(sorted(shown.items())))


# -- metadata

@route("GET", "/projects/{project}/metadatas")
def metadatas(call, name):
    project = call.project(name, "metadata", "list")
    return Answer(200, dict(sorted(project.metadata.items())))


@route("POST", "/projects/{project}/metadatas")
def add_metadata(call, name):
    project = call.project(name, "metadata", "create")
    wanted = call.json("metadata")
    if len(wanted) != 1:
        raise bad("only allow one key/value pair")
    (key, value), = wanted.items()
    if key not in METADATA or not call.world.at_least(*NEWER.get(key, (2, 0))):
        raise bad(f"invalid key: {key}")
    if key in project.metadata:
        raise conflict(f"metadata {key} already exists for project {project.id}")
    project.metadata[key] = value
    return Answer(200, None)


@route("GET", "/projects/{project}/metadatas/{key}")
def one_metadata(call, name, key):
    project = call.project(name, "metadata", "read")
    return Answer(200, {k: v for k, v in project.metadata.items() if k == key})


@route("PUT", "/projects/{project}/metadatas/{key}")
def put_metadata(call, name, key):
    project = call.project(name, "metadata", "update")
    wanted = call.json("metadata")
    if key in wanted:
        project.metadata[key] = wanted[key]
    return Answer(200, None)


@route("DELETE", "/projects/{project}/metadatas/{key}")
def drop_metadata(call, name, key):
    call.project(name, "metadata", "delete").metadata.pop(key, None)
    return Answer(200, None)


# -- members

@route("GET", "/projects/{project}/members")
def members(call, name):
    project = call.project(name, "member", "list")
    names = {u.id: u.name for u in call.world.users.values()}
    return call.page(sorted(project.members.items()), lambda row: {
        "entity_id": row[0], "entity_name": names[row[0]], "entity_type": "u", "id": row[0],
        "project_id": project.id, "role_id": row[1], "role_name": ROLE_NAMES[row[1]]})


@route("POST", "/projects/{project}/members")
def add_member(call, name):
    project = call.project(name, "member", "create")
    wanted = call.json("projectMember")
    who = (wanted.get("member_user") or {}).get("username", "")
    if wanted.get("role_id") not in ROLE_NAMES:
        raise bad("Failed to update project member, role is not in 1,2,3")
    user = call.world.users.get(who)
    if user is None:
        raise missing(f"user {who} is not found")
    if user.id in project.members:
        raise conflict("The project member specified already exist")
    project.members[user.id] = wanted["role_id"]
    return call.created(f"/projects/{name}/members/{user.id}")


def member_of(call, name, number, action):
    project = call.project(name, "member", action)
    if not number.isdigit() or int(number) not in project.members:
        raise missing(f"project member not found with project id {project.id}")
    return project


@route("PUT", "/projects/{project}/members/{id}")
def put_member(call, name, number):
    project = member_of(call, name, number, "update")
    project.members[int(number)] = call.json("role").get("role_id", 3)
    return Answer(200, None)


@route("DELETE", "/projects/{project}/members/{id}")
def drop_member(call, name, number):
    del member_of(call, name, number, "delete").members[int(number)]
    return Answer(200, None)


# -- quotas

def show_quota(call, project, full=True):
    quota = project.quota
    return {"creation_time": quota.created, "hard": {"storage": quota.hard}, "id": quota.id,
            "ref": {"id": project.id, "name": project.name, "owner_name": ""},
            "update_time": quota.updated if full else NEVER,
            "used": {"storage": call.world.used(project)}}


@route("GET", "/quotas")
def quotas(call):
    call.need_system("quota", "list")
    rows = list(call.world.projects.values())
    if "reference_id" in call.query:
        rows = [p for p in rows if str(p.id) == call.query["reference_id"]]
    rows = call.order(rows, {"creation_time": lambda p: p.quota.id,
                             "hard.storage": lambda p: p.quota.hard,
                             "used.storage": lambda p: call.world.used(p)}, "-creation_time")
    return call.page(rows, lambda p: show_quota(call, p))


def quota_of(call, number):
    found = [p for p in call.world.projects.values() if str(p.quota.id) == number]
    if not found:
        raise missing(f"quota {number} not found")
    return found[0]


@route("GET", "/quotas/{id}")
def quota_get(call, number):
    call.need_system("quota", "read")
    return Answer(200, show_quota(call, quota_of(call, number), full=False))


@route("PUT", "/quotas/{id}")
def quota_put(call, number):
    call.need_system("quota", "update")
    project = quota_of(call, number)
    hard = call.json("hard").get("hard") or {}
    for key, value in hard.items():
        if key != "storage":
            raise bad(f"resource {key} not support")
        if value != -1 and value <= 0:
            raise bad(f"invalid non-positive value for quota limit, value={value}")
        if value > QUOTA_MAX and call.world.at_least(2, 6):
            raise bad(f"exceeded 1024TB, which is {QUOTA_MAX} Bytes, value={value}")
        project.quota.hard = value
        project.quota.updated = call.world.now()
    return Answer(200, None)


# -- immutable rules

def doublestar(pattern, text):
    """Harbor's patterns: * within a part, ** over parts or none, {a,b}."""
    out, i = "", 0
    while i < len(pattern):
        if pattern.startswith("**/", i) and pattern[:i][-1:] in ("", "/"):
            out, i = out + "(?:.*/)?", i + 3
            continue
        if pattern.startswith("**", i):
            out, i = out + ".*", i + 2
            continue
        mark = pattern[i]
        out += {"*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}.get(
            mark, re.escape(mark))
        i += 1
    try:
        return re.fullmatch(out, text) is not None
    except re.error:
        return False


def immutable_tag(world, repository, tag):
    """Does an enabled rule of the project hold this tag?"""
    inner = repository.name.partition("/")[2]
    for rule in world.immutable.get(repository.project.id, {}).values():
        tags = rule.get("tag_selectors") or [{}]
        scope = (rule.get("scope_selectors") or {}).get("repository") or [{}]
        if rule.get("disabled"):
            continue
        if tags[0].get("decoration") not in ("matches", "excludes"):
            continue
        if (doublestar(tags[0].get("pattern", ""), tag) ==
                (tags[0].get("decoration") == "matches")) and \
                (doublestar(scope[0].get("pattern", ""), inner) ==
                 (scope[0].get("decoration") == "repoMatches")):
            return True
    return False


@route("GET", "/projects/{project}/immutabletagrules")
def rules(call, name):
    project = call.project(name, "immutable-tag", "list")
    return call.page(list(call.world.immutable[project.id].values()),
                     lambda rule: {k: v for k, v in sorted(rule.items()) if v is not False})


@route("POST", "/projects/{project}/immutabletagrules")
def add_rule(call, name):
    project = call.project(name, "immutable-tag", "create")
    wanted = call.json("ImmutableRule")
    known = call.world.immutable[project.id]
    if any({k: v for k, v in r.items() if k != "id"} == wanted for r in known.values()):
        call.world.take("immutable")
        raise conflict("immutable rule already exists")
    number = call.world.take("immutable")
    known[number] = {**wanted, "id": number}
    return call.created(f"/projects/{name}/immutabletagrules/{number}")


def rule_of(call, project, number):
    known = call.world.immutable[project.id]
    if not number.isdigit() or int(number) not in known:
        raise missing(f"immutable rule {number} not found")
    return known, int(number)


@route("PUT", "/projects/{project}/immutabletagrules/{id}")
def put_rule(call, name, number):
    project = call.project(name, "immutable-tag", "update")
    wanted = call.json("ImmutableRule")
    if str(wanted.get("id", 0)) != number:
        raise bad("bad request: the immutable_rule_id doesn't match the id in the payload body of "
                  "ImmutableRule")
    known, key = rule_of(call, project, number)
    known[key] = wanted
    return Answer(200, None)


@route("DELETE", "/projects/{project}/immutabletagrules/{id}")
def drop_rule(call, name, number):
    known, key = rule_of(call, call.project(name, "immutable-tag", "delete"), number)
    del known[key]
    return Answer(200, None)


# -- labels

def show_label(label):
    shown = {"color": label.color, "creation_time": label.created, "id": label.id,
             "name": label.name, "scope": label.scope, "update_time": label.updated}
    if label.description:
        shown["description"] = label.description
    if label.project_id:
        shown["project_id"] = label.project_id
    return dict(sorted(shown.items()))


@route("GET", "/labels")
def labels(call):
    scope = call.query.get("scope", "")
    if scope not in ("g", "p"):
        raise bad(f"invalid scope: {scope}")
    if scope == "p" and not call.query.get("project_id"):
        raise bad("must with project ID when to query project labels")
    rows = [one for one in call.world.labels.values() if one.scope == scope and
            (scope == "g" or str(one.project_id) == call.query["project_id"])]
    return call.page(call.keep(rows, {"name": lambda one: one.name}), show_label)


@route("POST", "/labels")
def add_label(call):
    wanted = call.json("label")
    scope, number = wanted.get("scope"), wanted.get("project_id", 0)
    if scope not in ("g", "p"):
        raise bad("unsupported label scope")
    if scope == "g":
        call.need_system("label", "create")
    elif number in call.world.projects:
        call.project(str(number), "label", "create")
    if any(one.name == wanted.get("name") and one.project_id == number
           for one in call.world.labels.values()):
        raise conflict(f"label {wanted.get('name')} already exists")
    now = call.world.now()
    label = Row(id=call.world.take("label"), name=wanted.get("name", ""), scope=scope,
                color=wanted.get("color", ""), description=wanted.get("description", ""),
                project_id=number if scope == "p" else 0, created=now, updated=now)
    call.world.labels[label.id] = label
    return call.created(f"/labels/{label.id}")


def label_of(call, number):
    found = call.world.labels.get(int(number)) if number.isdigit() else None
    if found is None:
        raise missing(f"label {number} not found")
    return found


@route("GET", "/labels/{id}")
def label_get(call, number):
    call.known()
    return Answer(200, show_label(label_of(call, number)))


@route("PUT", "/labels/{id}")
def label_put(call, number):
    call.known()
    label, wanted = label_of(call, number), call.json("label")
    label.name, label.color = wanted.get("name", label.name), wanted.get("color", label.color)
    label.description = wanted.get("description", label.description)
    return Answer(200, None)


@route("DELETE", "/labels/{id}")
def label_delete(call, number):
    call.known()
    del call.world.labels[label_of(call, number).id]
    return Answer(200, None)
