# SPDX-License-Identifier: Apache-2.0
"""Replication: registry endpoints, policies, executions that really copy.

A run is a thread that moves bytes between the registry behind and the other
end, either way. It ends by itself; who follows it sees it in progress once.
"""

import base64
import http.client
import json
import secrets
import threading
import urllib.parse

from .artifacts import INDEXES
from .call import Answer, Refused, bad, conflict, missing, precondition, route
from .housekeeping import log_answer
from .projects import doublestar
from .registry import blobs_of
from .world import NEVER, Row

TYPES = ("ali-acr", "aws-ecr", "azure-acr", "docker-hub", "docker-registry", "github-ghcr",
         "google-gcr", "harbor", "huawei-SWR", "jfrog-artifactory", "tencent-tcr",
         "volcengine-cr")
ACCEPT = ", ".join((*INDEXES, "application/vnd.oci.image.manifest.v1+json",
                    "application/vnd.docker.distribution.manifest.v2+json"))


class Failed(Exception):
    """A task that can't go on; its text stands in the log."""


class Remote:
    """The other end's /v2/, with Basic where there is a user."""

    def __init__(self, url, key="", secret="", bearer=None):
        self.host = urllib.parse.urlsplit(url).netloc
        self.headers = {}
        if bearer:
            self.headers["Authorization"] = "Bearer " + bearer
        elif key:
            self.headers["Authorization"] = "Basic " + base64.b64encode(
                f"{key}:{secret}".encode()).decode()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=180)
        try:
            connection.request(method, path, body, {**self.headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as problem:
            raise Failed(f"{method} {path}: {problem}") from None
        finally:
            connection.close()

    def must(self, method, path, body=None, **headers):
        status, found, data = self.ask(method, path, body, **headers)
        if status >= 300:
            raise Failed(f"{method} {path}: HTTP {status} {data[:200]!r}")
        return found, data

    def manifest(self, repository, reference):
        return self.must("GET", f"/v2/{repository}/manifests/{reference}", Accept=ACCEPT)

    def push_blob(self, repository, digest, data):
        if self.ask("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200:
            return
        found, _ = self.must("POST", f"/v2/{repository}/blobs/uploads/", b"")
        at = urllib.parse.urlsplit(found["Location"])
        query = "&".join(part for part in (at.query, "digest=" + digest) if part)
        self.must("PUT", f"{at.path}?{query}", data,
                  **{"Content-Type": "application/octet-stream"})


def copy(source, target, repository, reference, to, tag):
    """One manifest with all below it."""
    headers, body = source.manifest(repository, reference)
    content = json.loads(body)
    for child in content.get("manifests") or []:
        copy(source, target, repository, child["digest"], to, child["digest"])
    for digest in blobs_of(content):
        target.push_blob(to, digest, source.must("GET",
                                                 f"/v2/{repository}/blobs/{digest}")[1])
    target.must("PUT", f"/v2/{to}/manifests/{tag}", body,
                **{"Content-Type": headers["Content-Type"]})


# -- registries

def show_registry(row):
    shown = {"creation_time": row.created, "credential": {}, "id": row.id,
             "insecure": row.insecure, "name": row.name, "status": "healthy", "type": row.type,
             "update_time": row.created, "url": row.url}
    if row.key:
        shown["credential"] = {"access_key": row.key, "access_secret": "*****", "type": "basic"}
    if row.description:
        shown["description"] = row.description
    return dict(sorted(shown.items()))


def check_endpoint(kind, url):
    if not kind or not url:
        raise bad("type or url cannot be empty")
    if kind not in TYPES:
        raise Refused(500, "UNKNOWN", "internal server error")
    try:
        status = Remote(url).ask("GET", "/v2/")[0]
    except (Failed, ValueError):
        status = 0
    if status not in (200, 401):
        raise bad("the registry is unhealthy")


@route("POST", "/registries/ping")
def ping(call):
    call.need_system("registry", "read")
    wanted = call.json("registry")
    if wanted.get("id") is not None:
        row = registry_of(call, str(wanted["id"]))
        check_endpoint(row.type, row.url)
    else:
        check_endpoint(wanted.get("type"), wanted.get("url"))
    return Answer(200, None)


@route("POST", "/registries")
def create_registry(call):
    call.need_system("registry", "create")
    world, wanted = call.world, call.json("registry")
    name = wanted.get("name", "")
    if not name:
        raise bad("name cannot be empty")
    if len(name) > 64:
        raise bad("the max length of name is 64")
    if any(row.name == name for row in world.registries.values()):
        raise conflict(f"registry {name} already exists")
    check_endpoint(wanted.get("type"), wanted.get("url"))
    credential = wanted.get("credential") or {}
    row = Row(id=world.take("registry"), name=name, type=wanted["type"], url=wanted["url"],
              insecure=bool(wanted.get("insecure")), created=world.now(),
              description=wanted.get("description", ""), key=credential.get("access_key", ""),
              secret=credential.get("access_secret", ""))
    world.registries[row.id] = row
    return call.created(f"/registries/{row.id}")


@route("GET", "/registries")
def registries(call):
    call.need_system("registry", "list")
    rows = call.keep(list(call.world.registries.values()), {"name": lambda r: r.name})
    if call.query.get("name"):
        rows = [r for r in rows if call.query["name"] in r.name]
    return call.page(rows, show_registry)


def registry_of(call, number):
    found = call.world.registries.get(int(number)) if number.isdigit() else None
    if found is None:
        raise missing(f"registry {number} not found")
    return found


@route("GET", "/registries/{id}")
def get_registry(call, number):
    call.need_system("registry", "read")
    return Answer(200, show_registry(registry_of(call, number)))


@route("PUT", "/registries/{id}")
def put_registry(call, number):
    call.need_system("registry", "update")
    row, wanted = registry_of(call, number), call.json("registry")
    if wanted.get("url"):
        check_endpoint(row.type, wanted["url"])
        row.url = wanted["url"].rstrip("/")
    row.description = wanted.get("description") or row.description
    row.key = wanted.get("access_key") or row.key
    row.secret = wanted.get("access_secret") or row.secret
    return Answer(200, None)


@route("DELETE", "/registries/{id}")
def delete_registry(call, number):
    call.need_system("registry", "delete")
    row = registry_of(call, number)
    if any(row.id in (p.src, p.dest) for p in call.world.policies.values()):
        raise precondition(f"the registry {row.id} is referenced by replication policies, cannot "
                           "delete it")
    del call.world.registries[row.id]
    return Answer(200, None)


@route("GET", "/replication/adapters")
def adapters(call):
    call.need_system("replication-adapter", "list")
    return Answer(200, list(TYPES))


# -- policies

def show_policy(call, row):
    local = {"creation_time": NEVER, "credential": {"access_secret": "*****", "type": "secret"},
             "id": 0, "insecure": True, "name": "Local", "status": "healthy", "type": "harbor",
             "update_time": NEVER, "url": call.harbor.url}

    def end(number):
        return show_registry(call.world.registries[number]) if number else local
    body = row.body
    shown = {"creation_time": row.created, "dest_namespace": body.get("dest_namespace", ""),
             "dest_namespace_replace_count": body.get("dest_namespace_replace_count", -1),
             "dest_registry": end(row.dest), "enabled": bool(body.get("enabled")),
             "filters": body.get("filters") or [], "id": row.id, "name": row.name,
             "override": bool(body.get("override")), "speed": max(0, body.get("speed") or 0),
             "src_registry": end(row.src), "trigger": {
                 "trigger_settings": {k: v for k, v in ((body.get("trigger") or {}).get(
                     "trigger_settings") or {}).items() if v},
                 "type": (body.get("trigger") or {}).get("type", "manual")},
             "update_time": row.created}
    if call.world.at_least(2, 7):
        shown["copy_by_chunk"] = bool(body.get("copy_by_chunk"))
    if call.world.at_least(2, 13):
        shown["single_active_replication"] = bool(body.get("single_active_replication"))
    return dict(sorted(shown.items()))


def check_policy(call, body):
    """(source id, target id), 0 for this Harbor."""
    src = (body.get("src_registry") or {}).get("id") or 0
    dest = (body.get("dest_registry") or {}).get("id") or 0
    if bool(src) == bool(dest):
        raise bad("either src_registry or dest_registry should be empty and the other one "
                  "shouldn't be empty")
    for one in body.get("filters") or []:
        if one.get("type") not in ("name", "tag", "label", "resource"):
            raise bad("invalid filter type")
    trigger = body.get("trigger") or {}
    cron = (trigger.get("trigger_settings") or {}).get("cron", "")
    if trigger.get("type") == "scheduled":
        fields = cron.split()
        if len(fields) != 6:
            raise bad(f"invalid cron string for scheduled trigger: {cron}")
        if fields[0] != "0" and call.world.at_least(2, 6):
            raise bad("the 1st field (indicating Seconds of time) of the cron setting must be 0")
        if fields[1] == "*" and call.world.at_least(2, 6):
            raise bad("* is not allowed for the Minutes field of the cron setting of replication "
                      "policy")
    registry_of(call, str(src or dest))
    return src, dest


@route("POST", "/replication/policies")
def create_policy(call):
    call.need_system("replication-policy", "create")
    world, body = call.world, call.json("policy")
    src, dest = check_policy(call, body)
    name = body.get("name", "")
    if any(row.name == name for row in world.policies.values()):
        raise conflict(f"replication policy {name} already exists")
    row = Row(id=world.take("policy"), name=name, body=body, src=src, dest=dest,
              created=world.now())
    world.policies[row.id] = row
    return call.created(f"/replication/policies/{row.id}")


@route("GET", "/replication/policies")
def policies(call):
    call.need_system("replication-policy", "list")
    rows = call.keep(list(call.world.policies.values()), {"name": lambda r: r.name})
    if call.query.get("name"):
        rows = [r for r in rows if call.query["name"] in r.name]
    return call.page(rows[::-1], lambda row: show_policy(call, row))


def policy_of(call, number):
    found = call.world.policies.get(int(number)) if str(number).isdigit() else None
    if found is None:
        raise missing(f"replication policy {number} not found")
    return found


@route("GET", "/replication/policies/{id}")
def get_policy(call, number):
    call.need_system("replication-policy", "read")
    return Answer(200, show_policy(call, policy_of(call, number)))


@route("PUT", "/replication/policies/{id}")
def put_policy(call, number):
    call.need_system("replication-policy", "update")
    row, body = policy_of(call, number), call.json("policy")
    row.src, row.dest = check_policy(call, body)
    row.body, row.name = body, body.get("name", row.name)
    return Answer(200, None)


@route("DELETE", "/replication/policies/{id}")
def delete_policy(call, number):
    call.need_system("replication-policy", "delete")
    row = policy_of(call, number)
    if any(run.policy is row and not run.done for run in call.world.executions.values()):
        raise precondition("contains executions that aren't in final status, stop the execution "
                           "first")
    for key in [k for k, run in call.world.executions.items() if run.policy is row]:
        del call.world.executions[key]
    del call.world.policies[row.id]
    return Answer(200, None)


# -- runs

def target_name(body, name):
    """Where a repository goes by the policy's namespace and flattening."""
    space, count = body.get("dest_namespace", ""), body.get("dest_namespace_replace_count", -1)
    if not space:
        return name
    parts = name.split("/")
    if count < 0:
        return f"{space}/{parts[-1]}"
    if count > len(parts) - 1:
        raise Failed(f'the source repository "{name}" contains only {len(parts) - 1} path '
                     f"components [{' '.join(parts[:-1])}] excepting the last one, but the "
                     f"destination namespace flattening level is {count}")
    return "/".join([space, *parts[count:]])


def matches(body, kind, text):
    for one in body.get("filters") or []:
        if one["type"] == kind and one.get("value"):
            hit = doublestar(one["value"], text)
            if hit == (one.get("decoration") == "excludes"):
                return False
    return True


def found_here(world, body):
    return [(r.name, [t for t in sorted(r.tags) if matches(body, "tag", t)])
            for r in world.repositories.values() if matches(body, "name", r.name)]


def found_there(remote, body):
    names = json.loads(remote.must("GET", "/v2/_catalog?n=1000")[1])["repositories"]
    rows = []
    for name in names:
        if matches(body, "name", name):
            tags = json.loads(remote.must("GET", f"/v2/{name}/tags/list")[1]).get("tags") or []
            rows.append((name, [t for t in sorted(tags) if matches(body, "tag", t)]))
    return rows


def run(harbor, execution):
    """The thread of one execution."""
    world, policy = harbor.world, execution.policy
    with world.lock:
        row = world.registries[policy.src or policy.dest]
        admin = harbor.access.of_user(world.users["admin"])
    other = Remote(row.url, row.key, row.secret)
    try:
        if policy.src:
            rows = found_there(other, policy.body)
        else:
            with world.lock:
                rows = found_here(world, policy.body)
        rows = [(name, target_name(policy.body, name), tags) for name, tags in rows if tags]
        if not rows:
            execution.text = "no resources need to be replicated"
        for name, to, tags in rows:
            copy_one(harbor, execution, other, admin, (name, to, tags))
    except Failed as problem:
        execution.text, execution.failed = str(problem), True
    with world.lock:
        execution.ended, execution.done = world.now(), True


def copy_one(harbor, execution, other, admin, where):
    name, to, tags = where
    world, policy = harbor.world, execution.policy
    with world.lock:
        inner = to if policy.src else name
        local, _ = harbor.access.token(admin, [f"repository:{inner}:pull,push"])
        task = Row(id=world.take("task"), job=secrets.token_hex(12), started=world.now(),
                   ended=NEVER, status="InProgress", log="", src=name, dest=to, count=len(tags))
        execution.tasks.append(task)
    while not harbor.may_replicate.wait(0.05) and not execution.stopped:
        pass
    here = Remote(harbor.url, bearer=local)
    source, target = (other, here) if policy.src else (Remote(harbor.registry_url), other)
    try:
        if execution.stopped:
            raise Failed("the task was stopped")
        for tag in tags:
            task.log += f"{world.now()[:19]}Z [INFO] [transfer.go:300]: copying {name}:{tag}...\n"
            copy(source, target, name, tag, to, tag)
        task.status = "Succeed"
    except Failed as problem:
        task.log += f"{world.now()[:19]}Z [ERROR] [transfer.go:187]: {problem}\n"
        task.status = "Stopped" if execution.stopped else "Failed"
    task.ended = world.now()[:19] + ".000Z"


@route("POST", "/replication/executions")
def execute(call):
    call.need_system("replication", "create")
    world = call.world
    policy = policy_of(call, call.json("execution").get("policy_id", 0))
    busy = any(r.policy is policy and not r.done for r in world.executions.values())
    execution = Row(id=world.take("execution"), policy=policy, started=world.now(), ended=NEVER,
                    tasks=[], text="", failed=False, done=False, stopped=False, looks=1)
    world.executions[execution.id] = execution
    if policy.body.get("single_active_replication") and busy and world.at_least(2, 13):
        execution.text = "Execution skipped: active replication still in progress."
        execution.failed = execution.done = True
        execution.ended = world.now()
    else:
        threading.Thread(target=run, args=(call.harbor, execution), daemon=True).start()
    return call.created(f"/replication/executions/{execution.id}")


def status_of(execution):
    if not execution.done:
        return "InProgress"
    if execution.stopped:
        return "Stopped"
    if execution.failed or any(t.status == "Failed" for t in execution.tasks):
        return "Failed"
    return "Succeed"


def show_execution(execution):
    status = status_of(execution)
    if execution.looks > 0:  # up to 30 s after its last task it is not ended
        execution.looks, status = execution.looks - 1, "InProgress"

    def count(word):
        return sum(1 for t in execution.tasks if t.status == word)
    return {"end_time": execution.ended if status != "InProgress" else NEVER,
            "failed": count("Failed"), "id": execution.id, "in_progress": count("InProgress"),
            "policy_id": execution.policy.id, "start_time": execution.started, "status": status,
            "status_text": execution.text, "stopped": count("Stopped"),
            "succeed": count("Succeed"), "total": len(execution.tasks), "trigger": "manual"}


@route("GET", "/replication/executions")
def executions(call):
    call.need_system("replication", "list")
    rows = list(call.world.executions.values())[::-1]
    for name, get in (("policy_id", lambda r: str(r.policy.id)), ("status", status_of)):
        if call.query.get(name):
            rows = [r for r in rows if get(r) == call.query[name]]
    return call.page(rows, show_execution)


def execution_of(call, number, action="read"):
    call.need_system("replication", action)
    found = call.world.executions.get(int(number)) if number.isdigit() else None
    if found is None:
        raise missing(f"replication execution {number} not found")
    return found


@route("GET", "/replication/executions/{id}")
def get_execution(call, number):
    return Answer(200, show_execution(execution_of(call, number)))


@route("PUT", "/replication/executions/{id}")
def stop_execution(call, number):
    found = execution_of(call, number, "create")
    if not found.done:
        found.stopped = True
    return Answer(200, b"null\n")


@route("GET", "/replication/executions/{id}/tasks")
def tasks(call, number):
    return call.page(execution_of(call, number).tasks, lambda t: {
        "dst_resource": f"{t.dest} [{t.count} item(s) in total]", "end_time": t.ended,
        "execution_id": int(number), "id": t.id, "job_id": t.job, "operation": "copy",
        "resource_type": "artifact", "src_resource": f"{t.src} [{t.count} item(s) in total]",
        "start_time": t.started, "status": t.status})


@route("GET", "/replication/executions/{id}/tasks/{task}/log", text=True)
def task_log(call, number, task):
    for one in execution_of(call, number).tasks:
        if str(one.id) == task:
            return log_answer(call, one.log)
    raise missing(f"replication task {task} not found")
