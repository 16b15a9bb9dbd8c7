# SPDX-License-Identifier: Apache-2.0
"""Logging in and out by /c/, the token service, and what needs no rights:
ping, health, systeminfo, the caller, statistics, settings."""

import re
import urllib.parse

from .call import Answer, Refused, bad, conflict, precondition, route

WITHOUT_DATABASE = ("GET /ping", "GET /health", "GET /systeminfo", "GET /users/current")


def serve(harbor, method, path, headers, cookies, body):
    access = harbor.access
    if method == "POST" and not access.csrf_holds(cookies, headers.get("X-Harbor-CSRF-Token")):
        cookie, token = access.new_csrf()
        raise Refused(403, "FORBIDDEN", "CSRF token not found in request"
                      if "X-Harbor-CSRF-Token" not in headers else "CSRF token invalid", [
                          ("Set-Cookie", f"_gorilla_csrf={cookie}; Path=/; Max-Age=43200; "
                                         "HttpOnly; SameSite=Strict"),
                          ("X-Harbor-Csrf-Token", token)])
    extra = [("Vary", "Cookie"), ("X-Harbor-Csrf-Token", access.csrf.get(
        cookies.get("_gorilla_csrf"), "none"))]
    if (method, path) == ("POST", "/c/login"):
        return _login(harbor, body, extra)
    if (method, path) == ("GET", "/c/log_out"):
        access.sessions.pop(cookies.get("sid"), None)
        return Answer(200, None, extra)
    return Answer(404, "<!DOCTYPE HTML>\n<title>404 - Page Not Found</title>\n", extra,
                  "text/html; charset=utf-8")


def _login(harbor, body, extra):
    fields = urllib.parse.parse_qs(body.decode(errors="replace"))
    name, password = fields.get("principal", [""])[0], fields.get("password", [""])[0]
    with harbor.world.lock:
        if harbor.world.settings["auth_mode"] == "oidc_auth" and name != "admin":
            raise Refused(403, "FORBIDDEN", "redirect to the OIDC login page", extra)
        user = harbor.access.check_password(name, password)
        if user is None:
            return Answer(401, None, extra)
        sid = harbor.access.open_session(user)
    return Answer(200, None, [("Set-Cookie", "sid=00000000000000000000000000000000; Path=/; "
                                             "HttpOnly"),
                              ("Set-Cookie", f"sid={sid}; Path=/; HttpOnly"), *extra])


def token(harbor, who, query):
    """Harbor's token service: never 401 where a scope is asked for."""
    fields = urllib.parse.parse_qs(query)
    service = fields.get("service", [""])[0]
    if service != "harbor-registry":
        return Answer(400, f"Unable to handle service: {service}\n",
                      content_type="text/plain; charset=utf-8")
    scopes = [one for field in fields.get("scope", []) for one in field.split()]
    if not scopes and who.kind == "anonymous":
        return Answer(401, None)
    text, now = harbor.access.token(who, scopes)
    issued = harbor.world.now()[:19] + "Z"
    return Answer(200, {"token": text, "access_token": "", "expires_in": 1800,
                        "issued_at": issued})


@route("GET", "/ping", text=True)
def ping(call):
    if "application/json" in call.headers.get("Accept", "") and call.world.at_least(2, 6):
        return Answer(200, "Pong")
    return Answer(200, b"Pong", content_type="text/plain")


@route("GET", "/health")
def health(call):
    names = ["core", "database", "jobservice", "portal", "redis", "registry", "registryctl"]
    down = set() if call.world.health_is_old else set(call.world.down)
    if "redis" in down:
        down.add("jobservice")
    parts = [{"name": n, "status": "healthy"} if n not in down else
             {"error": f"failed to connect to `{n}`: connection refused", "name": n,
              "status": "unhealthy"} for n in names]
    return Answer(200, {"components": parts, "status": "unhealthy" if down else "healthy"})


@route("GET", "/systeminfo")
def systeminfo(call):
    world, s = call.world, call.world.settings
    info = {"auth_mode": s["auth_mode"], "self_registration": s["self_registration"]}
    if world.at_least(2, 6):
        info.update(banner_message=s["banner_message"], oidc_provider_name="",
                    primary_auth_mode=False)
    else:
        info["harbor_version"] = world.release
    if call.who.kind in ("user", "robot") and "database" not in world.down:
        info.update(current_time=world.now(), external_url=call.harbor.external(call.host),
                    harbor_version=world.release, has_ca_root=False,
                    notification_enable=s["notification_enable"],
                    project_creation_restriction=s["project_creation_restriction"],
                    read_only=s["read_only"], registry_storage_provider_name="filesystem",
                    registry_url=call.host)
        if not world.at_least(2, 6):
            info.update(with_chartmuseum=False, with_notary=False)
    return Answer(200, dict(sorted(info.items())))


@route("GET", "/systeminfo/volumes")
def volumes(call):
    call.need_system("system-volumes", "read")
    return Answer(200, {"storage": [{}]})


def show_user(user):
    shown = {"admin_role_in_auth": False, "comment": user.comment, "creation_time": user.created,
             "realname": user.realname, "sysadmin_flag": user.sysadmin,
             "update_time": user.updated, "user_id": user.id, "username": user.name}
    if user.email:
        shown["email"] = user.email
    return shown


@route("GET", "/users/current")
def current(call):
    if call.who.kind == "robot":
        raise precondition("get current user not available for security context: robot")
    if call.who.kind != "user":
        raise Refused(401, "UNAUTHORIZED", "unauthorized")
    return Answer(200, show_user(call.who.user))


@route("GET", "/users/current/permissions")
def permissions(call):
    call.known()
    return Answer(200, [])


@route("GET", "/users")
def users(call):
    call.need_system("user", "list")
    rows = call.keep(list(call.world.users.values()), {"username": lambda u: u.name})
    return call.page(rows, show_user)


STRENGTH = "the password or secret must be 8-128, inclusively, characters long with at least " \
           "1 uppercase letter, 1 lowercase letter and 1 number"


def is_strong(text):
    return 8 <= len(text) <= 128 and all(re.search(p, text) for p in ("[A-Z]", "[a-z]", "[0-9]"))


@route("POST", "/users")
def make_user(call):
    if not call.world.settings["self_registration"]:
        call.need_system("user", "create")
    wanted = call.json("userReq")
    if not is_strong(wanted.get("password", "")):
        raise bad(STRENGTH)
    name = wanted.get("username", "")
    if name in call.world.users:
        raise conflict(f"user {name} or email {wanted.get('email')} already exists")
    user = call.world.add_user(name, wanted["password"], realname=wanted.get("realname", ""),
                               comment=wanted.get("comment", ""), email=wanted.get("email"))
    return call.created(f"/users/{user.id}")


@route("GET", "/statistics")
def statistics(call):
    call.known()
    world = call.world
    public = [p for p in world.projects.values() if world.is_public(p)]
    private = [p for p in world.projects.values() if not world.is_public(p) and
               (call.access.role(call.who, p))]

    def repositories(projects):
        return sum(1 for r in world.repositories.values() if r.project in projects)

    shown = {"private_project_count": len(private), "private_repo_count": repositories(private),
             "public_project_count": len(public), "public_repo_count": repositories(public),
             "total_project_count": 0, "total_repo_count": 0, "total_storage_consumption": 0}
    if call.who.kind == "user" and call.who.user.sysadmin:
        shown.update(total_project_count=len(world.projects),
                     total_repo_count=len(world.repositories),
                     total_storage_consumption=sum(map(world.used, world.projects.values())))
    elif call.who.kind == "user" and not world.at_least(2, 6):
        shown.pop("total_storage_consumption")
    return Answer(200, shown)


@route("GET", "/configurations")
def configurations(call):
    call.need_system("configuration", "read")
    return Answer(200, {key: {"editable": not call.world.overwritten, "value": value}
                        for key, value in sorted(call.world.settings.items())})


@route("PUT", "/configurations")
def configure(call):
    call.need_system("configuration", "update")
    wanted = call.json("configurations")
    if call.world.overwritten:
        raise bad("skip update configuration since it is overwritten by CONFIG_OVERWRITE_JSON")
    for key, value in wanted.items():
        if key in call.world.settings:
            call.world.settings[key] = value
    return Answer(200, None)
