# SPDX-License-Identifier: Apache-2.0
"""Retention policies with their executions, and garbage collection.

A run does its work at once and calls itself running at the first look, so
that who follows it sees both states without a clock.
"""

import json
import secrets

from .call import Answer, Refused, bad, conflict, missing, route
from .projects import doublestar, immutable_tag
from .world import NEVER, Row

RULES_MAX = 15
TEMPLATES = [
    ("latestPushedK", "the most recently pushed # artifacts", "COUNT"),
    ("latestPulledN", "the most recently pulled # artifacts", "COUNT"),
    ("nDaysSinceLastPush", "pushed within the last # days", "DAYS"),
    ("nDaysSinceLastPull", "pulled within the last # days", "DAYS"),
    ("always", "always", None)]


def check_cron(world, text, what):
    """Six fields from 2.6 on; before, five were taken too."""
    fields = text.split()
    if world.at_least(2, 6) and len(fields) != 6:
        raise bad(f"invalid cron string for {what}: {text}, error: expected exactly 6 fields, "
                  f"found {len(fields)}: [{text}]")
    if len(fields) not in (5, 6):
        raise bad(f"invalid cron {text}: Expected 5 or 6 fields, found {len(fields)}: {text}")
    if world.at_least(2, 6) and fields[0] != "0":
        raise bad("the 1st field (indicating Seconds of time) of the cron setting must be 0")


def log_answer(call, text):
    """Logs asked for as JSON come as one quoted string."""
    accept = call.headers.get("Accept", "")
    if accept.partition(",")[0].strip().startswith("application/json"):
        return Answer(200, text)
    return Answer(200, text.encode(), content_type="text/plain")


# -- retention

@route("GET", "/retentions/metadatas")
def metadatas(call):
    call.known()
    return Answer(200, {
        "scope_selectors": [{"decorations": ["repoMatches", "repoExcludes"],
                             "display_text": "Repositories", "kind": "doublestar"}],
        "tag_selectors": [{"decorations": ["matches", "excludes"], "display_text": "Tags",
                           "kind": "doublestar"}],
        "templates": [{"action": "retain", "display_text": text, "rule_template": name, "params": [
            {"required": True, "type": "int", "unit": unit}] if unit else []}
            for name, text, unit in TEMPLATES]})


def check_policy(call, wanted):
    rules = wanted.get("rules") or []
    if len(rules) > RULES_MAX:
        raise bad("bad request: only 15 rules are allowed at most")
    for j, rule in enumerate(rules):
        for i in range(j):
            if rules[i] == rule:
                raise conflict(f"resource conflict: rule {j} is conflict with rule {i}")
    cron = ((wanted.get("trigger") or {}).get("settings") or {}).get("cron", "")
    if cron:
        check_cron(call.world, cron, "scheduled tag retention")


@route("POST", "/retentions")
def create(call):
    world, wanted = call.world, call.json("policy")
    scope = wanted.get("scope") or {}
    project = world.projects.get(scope.get("ref"))
    call.known()
    if scope.get("level") != "project":
        raise bad(f"bad request: scope {scope.get('level')} is not support")
    if project is None:
        raise bad(f"bad request: invalid Project id {scope.get('ref')}")
    if not call.access.may(call.who, "tag-retention", "create", project):
        raise call.forbid()
    if len(wanted.get("rules") or []) > RULES_MAX:
        raise bad("bad request: only 15 rules are allowed at most")
    old = project.metadata.get("retention_id")
    if old:
        raise bad(f"bad request: project {project.id} already has retention policy {old}")
    check_policy(call, wanted)
    number = world.take("retention")
    world.retentions[number] = Row(id=number, project=project, policy={**wanted, "id": number},
                                   executions=[])
    project.metadata["retention_id"] = str(number)
    return call.created(f"/retentions/{number}")


def policy_of(call, number, action, status=400):
    call.known()
    found = call.world.retentions.get(int(number)) if number.isdigit() else None
    if found is None and status == 500:
        raise Refused(500, "UNKNOWN", "internal server error")
    if found is None and status == 404:
        raise missing(f"resource not found: the retention policy id {number} does not match")
    if found is None:
        raise bad(f"bad request: no such Retention policy with id {number}")
    if not call.access.may(call.who, "tag-retention", action, found.project):
        raise call.forbid()
    return found


@route("GET", "/retentions/{id}")
def get(call, number):
    policy = policy_of(call, number, "read", 500).policy
    shown = {key: policy[key] for key in ("algorithm", "id", "scope") if key in policy}
    shown["rules"] = [{k: v for k, v in sorted(r.items()) if v is not False}
                      for r in policy.get("rules") or []]
    shown["trigger"] = json.loads(json.dumps(policy.get("trigger") or {}))
    cron = shown["trigger"].setdefault("settings", {}).get("cron")
    if cron and call.world.at_least(2, 6):
        shown["trigger"]["settings"]["next_scheduled_time"] = "2027-01-01T00:00:00.000Z"
    return Answer(200, dict(sorted(shown.items())))


@route("PUT", "/retentions/{id}")
def put(call, number):
    wanted = call.json("policy")
    if len(wanted.get("rules") or []) > RULES_MAX:
        raise bad("bad request: only 15 rules are allowed at most")
    found = policy_of(call, number, "update", 404)
    check_policy(call, wanted)
    found.policy = {**wanted, "id": found.id}
    return Answer(200, None)


@route("DELETE", "/retentions/{id}")
def delete(call, number):
    found = policy_of(call, number, "delete")
    del call.world.retentions[found.id]
    if call.world.at_least(2, 14):
        found.project.metadata.pop("retention_id", None)  # before, it is left behind
    return Answer(200, None)


def kept_by(rule, repository, artifacts):
    """The artifacts that one rule keeps, by the number of its template."""
    scope = (rule.get("scope_selectors") or {}).get("repository") or [{}]
    inside = doublestar(scope[0].get("pattern", "**"), repository.name.partition("/")[2])
    if rule.get("disabled") or inside != (scope[0].get("decoration") != "repoExcludes"):
        return None
    chosen = (rule.get("tag_selectors") or [{}])[0]
    matches = chosen.get("decoration") != "excludes"
    untagged = "true" in chosen.get("extras", "")

    def selected(artifact, tags):
        if not tags:
            return untagged
        return any(doublestar(chosen.get("pattern", "**"), t) == matches for t in tags)
    rows = [a for a, tags in artifacts if selected(a, tags)]
    template = rule.get("template")
    count = (rule.get("params") or {}).get(template, 0)
    if template == "latestPushedK":
        return sorted(rows, key=lambda a: (a.pushed, a.id), reverse=True)[:count]
    if template == "latestPulledN":
        return sorted(rows, key=lambda a: (a.pulled, a.id), reverse=True)[:count]
    return rows  # all are younger than any number of days here


def table(rows):
    """The kept and removed as Harbor's log draws them."""
    rows = [["Digest", "Tag", "Kind", "Labels", "PushedTime", "PulledTime", "CreatedTime",
             "Retention"], *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |"
             for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines) + "\n"


def run_repository(world, policy, repository, dry):
    artifacts = [(a, [t.name for t in world.tags_of(a)])
                 for a in world.listed(list(repository.artifacts.values()))]
    kept, touched = set(), False
    for rule in policy.get("rules") or []:
        rows = kept_by(rule, repository, artifacts)
        touched = touched or rows is not None
        kept |= {id(a) for a in rows or ()}
    if not touched:
        return None
    lines = []
    for artifact, tags in sorted(artifacts, key=lambda row: row[0].id, reverse=True):
        stays = id(artifact) in kept
        pushed = artifact.pushed[:19].replace("-", "/").replace("T", " ")
        lines.append([artifact.digest, ",".join(tags), "image", "", pushed, "", pushed,
                      "RETAIN" if stays else "DEL"])
        if not stays and not dry and not any(immutable_tag(world, repository, t) for t in tags):
            world.drop_artifact(artifact)
    text = (f"{world.now()[:19]}Z [INFO] [/pkg/retention/job.go:86]: Run retention process.\n "
            f"Repository: {repository.name} \n Rule Algorithm: or \n Dry Run: "
            f"{str(dry).lower()}\n" + table(lines))
    return Row(id=world.take("task"), repository=repository.name.partition("/")[2], log=text,
               total=len(artifacts), retained=sum(1 for a, _ in artifacts if id(a) in kept),
               job=secrets.token_hex(12))


@route("POST", "/retentions/{id}/executions")
def execute(call, number):
    world, found = call.world, policy_of(call, number, "operate")
    dry = bool(call.json("body").get("dry_run"))
    run = Row(id=world.take("execution"), dry=dry, started=world.now(), ended=world.now(),
              looks=1, tasks=[], stopped=False)
    for repository in list(world.of_project(found.project)):
        task = run_repository(world, found.policy, repository, dry)
        if task:
            run.tasks.append(task)
    found.executions.insert(0, run)
    return call.created(f"/retentions/{number}/executions/{run.id}")


def state(run):
    """Running at the first look, then Success."""
    if run.looks > 0:
        run.looks -= 1
        return "Running"
    return "Stopped" if run.stopped else "Success"


@route("GET", "/retentions/{id}/executions")
def executions(call, number):
    found = policy_of(call, number, "list")

    def show(run):
        status = state(run)
        shown = {"end_time": run.ended[:19] + "Z" if status != "Running" else NEVER[:19] + "Z",
                 "id": run.id, "policy_id": found.id, "start_time": run.started,
                 "status": status, "trigger": "MANUAL"}
        if run.dry:
            shown["dry_run"] = True
        return dict(sorted(shown.items()))
    return call.page(found.executions, show)


def execution_of(call, number, run, action="read"):
    found = policy_of(call, number, action)
    for one in found.executions:
        if str(one.id) == run:
            return found, one
    raise missing(f"execution {run} not found")


@route("GET", "/retentions/{id}/executions/{execution}/tasks")
def tasks(call, number, run):
    _, found = execution_of(call, number, run, "list")
    return call.page(found.tasks, lambda task: {
        "end_time": found.ended[:19] + "Z", "execution_id": found.id, "id": task.id,
        "job_id": task.job, "repository": task.repository, "retained": task.retained,
        "start_time": found.started[:19] + "Z", "status": "Success", "status_code": 3,
        "total": task.total})


@route("GET", "/retentions/{id}/executions/{execution}/tasks/{task}", text=True)
def task_log(call, number, run, task):
    _, found = execution_of(call, number, run)
    for one in found.tasks:
        if str(one.id) == task:
            return log_answer(call, one.log)
    raise missing(f"task {task} not found")


@route("PATCH", "/retentions/{id}/executions/{execution}")
def stop(call, number, run):
    _, found = execution_of(call, number, run, "operate")
    if call.json("body").get("action") != "stop":
        raise bad("bad request: action should be 'stop'")
    found.stopped = found.looks > 0
    return Answer(200, None)


# -- garbage collection

TYPES = ("Hourly", "Daily", "Weekly", "Custom", "Manual", "None", "Schedule")


def schedule_of(call, what):
    wanted = call.json("schedule")
    schedule = wanted.get("schedule") or {}
    if schedule.get("type") not in TYPES:
        raise Refused(422, "UNPROCESSABLE_ENTITY", "validation failure list:\nvalidation failure "
                      f"list:\nschedule.type in body should be one of [{' '.join(TYPES)}]")
    if schedule["type"] not in ("Manual", "None"):
        check_cron(call.world, schedule.get("cron", ""), what)
    return schedule, wanted.get("parameters") or {}


def gc_parameters(world, given, run=True):
    found = {"delete_untagged": bool(given.get("delete_untagged"))}
    if run:
        found.update(dry_run=bool(given.get("dry_run")), time_window=2)
    if world.at_least(2, 6):
        found.update(delete_tag=False, workers=given.get("workers", 0))
        if run:
            found.update(freed_space=0, purged_blobs=0, purged_manifests=0)
    elif run:
        found["redis_url_reg"] = "redis://:secret@127.0.0.1:6379/1?idle_timeout_seconds=30"
    return json.dumps(dict(sorted(found.items())), separators=(",", ":"))


def run_gc(call, given):
    world = call.world
    if "jobservice" in world.down:
        raise Refused(500, "UNKNOWN", "internal server error")
    if world.at_least(2, 6) and not 0 <= given.get("workers", 1) <= 10:
        raise bad(f"Error: Invalid number of workers:{given['workers']}. Workers must be greater "
                  "than 0 and less than or equal to 10.")
    if not given.get("dry_run") and given.get("delete_untagged"):
        for repository in list(world.repositories.values()):
            for artifact in world.listed(list(repository.artifacts.values())):
                if not world.tags_of(artifact):
                    world.drop_artifact(artifact)
    if not given.get("dry_run"):
        for project in world.projects.values():
            project.loose.clear()
    run = Row(id=world.take("execution"), created=world.now(), looks=1, stopped=False,
              parameters=gc_parameters(world, given),
              log=f"{world.now()[:19]}Z [INFO] [/jobservice/job/impl/gc/garbage_collection.go:169]:"
                  f" Garbage Collection parameters: {given}\n")
    world.gc_runs.insert(0, run)
    return run


@route("GET", "/system/gc/schedule")
def gc_schedule(call):
    call.need_system("garbage-collection", "read")
    found = call.world.schedules.get("gc")
    if not found:
        return Answer(200, None)
    return Answer(200, {
        "creation_time": found.created, "id": found.id, "job_kind": found.cron,
        "job_parameters": gc_parameters(call.world, found.parameters, run=False),
        "job_status": "Running", "schedule": call.harbor.shown_schedule(found),
        "update_time": found.created})


def keep_schedule(world, name, schedule, parameters):
    world.schedules.pop(name, None)
    if schedule["type"] != "None":
        world.schedules[name] = Row(id=world.take("schedule"), type=schedule["type"],
                                    cron=schedule.get("cron", ""), created=world.now(),
                                    parameters=parameters)


@route("POST", "/system/gc/schedule")
def gc_create(call):
    call.need_system("garbage-collection", "create")
    schedule, parameters = schedule_of(call, "scheduled gc")
    if schedule["type"] == "Manual":
        return call.created(f"/system/gc/{run_gc(call, parameters).id}")
    keep_schedule(call.world, "gc", schedule, parameters)
    return call.created("/system/gc/0")


@route("PUT", "/system/gc/schedule")
def gc_update(call):
    call.need_system("garbage-collection", "update")
    schedule, parameters = schedule_of(call, "scheduled gc")
    if schedule["type"] == "Manual":
        run_gc(call, parameters)  # a PUT runs one, too
    else:
        keep_schedule(call.world, "gc", schedule, parameters)
    return Answer(200, None)


def show_gc(world, run):
    schedule = {"type": "Manual"}
    if world.at_least(2, 6):
        schedule["next_scheduled_time"] = NEVER
    return {"creation_time": run.created, "id": run.id, "job_kind": "MANUAL",
            "job_name": "GARBAGE_COLLECTION", "job_parameters": run.parameters,
            "job_status": state(run), "schedule": schedule, "update_time": run.created}


@route("GET", "/system/gc")
def gc_history(call):
    call.need_system("garbage-collection", "list")
    return call.page(call.world.gc_runs, lambda run: show_gc(call.world, run))


def gc_of(call, number, message):
    for run in call.world.gc_runs:
        if str(run.id) == number:
            return run
    raise missing(message.format(number))


@route("GET", "/system/gc/{id}")
def gc_get(call, number):
    call.need_system("garbage-collection", "read")
    run = gc_of(call, number, "garbage collection execution {} not found")
    return Answer(200, show_gc(call.world, run))


@route("PUT", "/system/gc/{id}", since=(2, 6))
def gc_stop(call, number):
    call.need_system("garbage-collection", "stop")
    gc_of(call, number, "execution {} not found").stopped = True
    return Answer(200, None)


@route("GET", "/system/gc/{id}/log", text=True)
def gc_log(call, number):
    call.need_system("garbage-collection", "read")
    return log_answer(call, gc_of(call, number,
                                  "garbage collection {} log is not found").log)
