# SPDX-License-Identifier: Apache-2.0
"""Repositories, artifacts, tags, accessories, artifact labels, additions, copies."""

import html
import re
import urllib.parse

from .call import Answer, Refused, bad, conflict, invalid, missing, precondition, route
from .projects import immutable_tag, show_label, visible

TAG = re.compile(r"^[\w][\w.-]{0,127}$")
ICONS = {"IMAGE": "sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06",
         "CHART": "sha256:61cf3a178ff0f75bf08a25d96b75cf7355dc197749a9f128ed3ef34b0df05518"}
INDEXES = ("application/vnd.oci.image.index.v1+json",
           "application/vnd.docker.distribution.manifest.list.v2+json")
FINDINGS = "application/vnd.security.vulnerability.report; version=1.1"
OLD_FINDINGS = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0"

# -- repositories


def show_repository(world, repository):
    shown = {"artifact_count": len(world.listed(list(repository.artifacts.values()))),
             "creation_time": repository.created, "id": repository.id, "name": repository.name,
             "project_id": repository.project.id, "pull_count": repository.pulls,
             "update_time": repository.updated}
    if repository.description:
        shown["description"] = repository.description
    return dict(sorted(shown.items()))


def _list_repositories(call, rows):
    rows = call.keep(rows, {"name": lambda r: r.name, "project_id": lambda r: r.project.id})
    rows = call.order(rows, {
        "name": lambda r: r.name, "creation_time": lambda r: r.id,
        "update_time": lambda r: r.updated, "pull_count": lambda r: r.pulls,
        "artifact_count": lambda r: len(r.artifacts)}, "-creation_time")
    return call.page(rows, lambda row: show_repository(call.world, row))


@route("GET", "/repositories")
def all_repositories(call):
    projects = {p.id for p in visible(call)}
    return _list_repositories(call, [r for r in call.world.repositories.values()
                                     if r.project.id in projects])


@route("GET", "/projects/{project}/repositories")
def repositories(call, name):
    project = call.project(name, "repository", "list")
    return _list_repositories(call, call.world.of_project(project))


@route("GET", "/projects/{project}/repositories/{repository}")
def get_repository(call, project, name):
    return Answer(200, show_repository(call.world, call.repository(project, name)))


@route("PUT", "/projects/{project}/repositories/{repository}")
def describe(call, project, name):
    repository = call.repository(project, name, "repository", "update")
    text = call.json("repository").get("description") or ""
    if "\0" in text and not call.world.at_least(2, 6):
        raise Refused(500, "UNKNOWN", "internal server error")
    if call.world.at_least(2, 14):
        text = html.escape(text, quote=True).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    repository.description, repository.updated = text, call.world.now()
    return Answer(200, None)


@route("DELETE", "/projects/{project}/repositories/{repository}")
def delete_repository(call, project, name):
    repository = call.repository(project, name, "repository", "delete")
    for tag in repository.tags:
        refuse_immutable(call.world, repository, tag)
    call.world.drop_repository(repository)
    return Answer(200, None)


# -- artifacts

def refuse_immutable(world, repository, tag):
    if immutable_tag(world, repository, tag):
        raise precondition(f"the tag {tag} configured as immutable, cannot be deleted")


def show_tag(world, tag, immutable=False):
    repository = tag.artifact.repository
    shown = {"artifact_id": tag.artifact.id, "id": tag.id,
             "immutable": immutable and immutable_tag(world, repository, tag.name),
             "name": tag.name, "pull_time": tag.pulled, "push_time": tag.pushed,
             "repository_id": repository.id}
    if not world.at_least(2, 8):
        shown["signed"] = False
    return dict(sorted(shown.items()))


def show_accessory(world, accessory):
    artifact, subject = accessory.artifact, accessory.subject
    shown = {"artifact_id": artifact.id, "creation_time": accessory.created,
             "digest": artifact.digest, "icon": accessory.icon, "id": accessory.id,
             "size": artifact.size, "subject_artifact_id": subject.id if subject else 0,
             "type": accessory.type}
    if world.at_least(2, 8):
        shown["subject_artifact_digest"] = accessory.subject_digest
        shown["subject_artifact_repo"] = artifact.repository.name
    return dict(sorted(shown.items()))


def links(call, artifact):
    base = f"/api/v2.0/projects/{artifact.repository.project.name}/repositories/" + \
        urllib.parse.quote(urllib.parse.quote(artifact.repository.name.partition("/")[2], ""), "")
    found = {}

    def add(name):
        found[name] = {"absolute": False,
                       "href": f"{base}/artifacts/{artifact.digest}/additions/{name}"}
    if artifact.kind == "IMAGE" and artifact.media_type not in INDEXES:
        add("build_history")
    if artifact.kind == "CHART":
        for name in ("readme.md", "values.yaml", "dependencies"):
            add(name)
    if artifact.kind == "IMAGE" and call.world.scanners:
        add("vulnerabilities")
        if call.world.at_least(2, 11):
            # With an empty digest, as a real one writes it.
            found["sboms"] = {"absolute": False, "href": f"{base}/artifacts//additions/sbom"}
    return found


def show(call, artifact, with_tag=True):
    world = call.world
    shown = {"accessories": None, "digest": artifact.digest, "icon": ICONS.get(artifact.kind, ""),
             "id": artifact.id, "labels": None, "manifest_media_type": artifact.media_type,
             "media_type": artifact.config_type, "project_id": artifact.repository.project.id,
             "pull_time": artifact.pulled, "push_time": artifact.pushed,
             "references": artifact.references, "repository_id": artifact.repository.id,
             "size": artifact.size, "tags": None, "type": artifact.kind}
    found = links(call, artifact)
    if found:
        shown["addition_links"] = found
    if artifact.extra:
        shown["extra_attrs"] = artifact.extra
    if artifact.annotations:
        shown["annotations"] = artifact.annotations
    if world.at_least(2, 10):
        shown["repository_name"] = artifact.repository.name
        if artifact.media_type not in INDEXES:
            shown["artifact_type"] = artifact.artifact_type
    if with_tag and call.flag("with_tag", True):
        immutable = call.flag("with_immutable_status")
        tags = world.tags_of(artifact)
        shown["tags"] = [show_tag(world, t, immutable) for t in tags] or None
    if call.flag("with_accessory") and artifact.accessories:
        shown["accessories"] = [show_accessory(world, a) for a in artifact.accessories]
    if call.flag("with_label") and artifact.labels:
        shown["labels"] = [show_label(one) for one in artifact.labels]
    if call.flag("with_scan_overview"):
        found = call.harbor.scan_overview(call, artifact)
        if found:
            shown["scan_overview"] = found
    return dict(sorted(shown.items()))


def media_of(call):
    """The report's media type that the caller asked for; old servers give 1.0 unless asked."""
    wanted = call.headers.get("X-Accept-Vulnerabilities", "")
    if not wanted:
        return FINDINGS if call.world.at_least(2, 6) else OLD_FINDINGS
    return FINDINGS if "version=1.1" in wanted else OLD_FINDINGS


def _tag_conditions(call, rows):
    """`tags` and `labels` in q; the rest is left to keep()."""
    for key, kind, value in call.conditions():
        if key == "tags" and kind == "=" and value == "nil":
            rows = [a for a in rows if not call.world.tags_of(a)]
        elif key == "tags" and kind == "=" and value == "*":
            rows = [a for a in rows if call.world.tags_of(a)]
        elif key == "tags":
            rows = [a for a in rows if any(
                t.name == value if kind == "=" else value in t.name
                for t in call.world.tags_of(a))]
        elif key == "labels" and kind == "set":
            rows = [a for a in rows if {str(one.id) for one in a.labels or ()} >= set(value)]
        elif key == "push_time" and value.startswith("[") and not re.match(r"\[[\d~]", value):
            raise Refused(500, "UNKNOWN", "internal server error")
    return rows


def _list_artifacts(call, rows):
    everything = any(k == "base" and v == "*" for k, _, v in call.conditions())
    old = not call.world.at_least(2, 6)
    if not everything:
        signatures = [a for a in rows if a.subject is not None] if old else []
        rows = call.world.listed(rows) + signatures
    rows = call.keep(_tag_conditions(call, rows), {
        "type": lambda a: a.kind, "digest": lambda a: a.digest,
        "media_type": lambda a: a.config_type, "repository_name": lambda a: a.repository.name})
    rows = call.order(rows, {"push_time": lambda a: (a.pushed, a.id), "id": lambda a: a.id,
                             "pull_time": lambda a: a.pulled, "size": lambda a: a.size,
                             "digest": lambda a: a.digest}, "-push_time")
    if old and not everything:
        # Signatures are dropped after the page was cut: pages run short.
        total = sum(1 for a in rows if a.subject is None)
        return call.page(rows, lambda a: show(call, a), total,
                         lambda cut: [a for a in cut if a.subject is None])
    return call.page(rows, lambda a: show(call, a))


@route("GET", "/projects/{project}/artifacts", since=(2, 12))
def project_artifacts(call, name):
    project = call.project(name, "artifact", "list")
    if call.flag("latest_in_repository"):
        raise bad("either 'media_type' or 'artifact_type' must be specified in the query when "
                  "latest_in_repository=true")
    return _list_artifacts(call, [a for r in call.world.of_project(project)
                                  for a in r.artifacts.values()])


@route("GET", "/projects/{project}/repositories/{repository}/artifacts")
def artifacts(call, name, inner):
    project = call.project(name, "artifact", "list")
    repository = call.world.repository(f"{project.name}/{inner}")
    return _list_artifacts(call, list(repository.artifacts.values()) if repository else [])


@route("GET", "/projects/{project}/repositories/{repository}/artifacts/{reference}")
def get_artifact(call, project, name, reference):
    return Answer(200, show(call, call.artifact(project, name, reference)))


def check_delete(world, artifact):
    """Refused where an index lists it or a rule keeps one of its tags."""
    for tag in world.tags_of(artifact):
        refuse_immutable(world, artifact.repository, tag.name)
    if world.parents(artifact):
        raise Refused(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT",
                      "the deleting artifact is referenced by others")


@route("DELETE", "/projects/{project}/repositories/{repository}/artifacts/{reference}")
def delete_artifact(call, project, name, reference):
    artifact = call.artifact(project, name, reference, "delete")
    check_delete(call.world, artifact)
    call.world.drop_artifact(artifact)
    return Answer(200, None)


@route("POST", "/projects/{project}/repositories/{repository}/artifacts")
def copy(call, name, inner):
    world, project = call.world, call.project(name, "artifact", "create")
    source = call.query.get("from", "")
    found = re.match(r"^(.+?)(?:@(sha256:.+)|:([^/:]+))$", source)
    repository = world.repository(found[1]) if found else None
    artifact = world.find(repository, found[2] or found[3]) if repository else None
    if artifact is None:
        raise bad(f"artifact {source} not found")
    target = world.repository(f"{project.name}/{inner}", create=True)
    call.harbor.copy(artifact, target, found[3])
    return call.created(f"/projects/{name}/repositories/{inner}/artifacts/"
                        f"{found[3] or artifact.digest}")


# -- tags

@route("GET", "/projects/{project}/repositories/{repository}/artifacts/{reference}/tags")
def tags(call, project, name, reference):
    artifact = call.artifact(project, name, reference, "list", "tag")
    immutable = call.flag("with_immutable_status")
    return call.page(call.world.tags_of(artifact),
                     lambda tag: show_tag(call.world, tag, immutable))


@route("POST", "/projects/{project}/repositories/{repository}/artifacts/{reference}/tags")
def add_tag(call, project, name, reference):
    world = call.world
    call.project(project, "tag", "create")
    wanted = call.json("tag").get("name") or ""
    if not wanted and world.at_least(2, 6):
        raise Refused(422, "UNPROCESSABLE_ENTITY", "validation failure list:\nvalidation failure "
                      "list:\nname in body is required")
    artifact = call.artifact(project, name, reference, "create", "tag")
    if not TAG.match(wanted) and world.at_least(2, 6):
        raise bad(f"bad request: invalid tag name: {wanted}")
    if wanted in artifact.repository.tags:
        raise conflict(f"tag {wanted} already exists under the repository "
                       f"{artifact.repository.id}")
    world.set_tag(artifact.repository, wanted, artifact)
    return Answer(201, None)


@route("DELETE",
       "/projects/{project}/repositories/{repository}/artifacts/{reference}/tags/{tag}")
def delete_tag(call, project, name, reference, tag):
    artifact = call.artifact(project, name, reference, "delete", "tag")
    found = artifact.repository.tags.get(tag)
    if found is None or found.artifact is not artifact:
        raise missing(f"tag {tag} attached to artifact {artifact.id} not found")
    refuse_immutable(call.world, artifact.repository, tag)
    del artifact.repository.tags[tag]
    return Answer(200, None)


# -- accessories, labels of an artifact, additions

@route("GET", "/projects/{project}/repositories/{repository}/artifacts/{reference}/accessories",
       since=(2, 5))
def accessories(call, project, name, reference):
    artifact = call.artifact(project, name, reference, "list", "accessory")
    rows = call.keep(list(artifact.accessories or ()), {"type": lambda a: a.type})
    return call.page(rows, lambda a: show_accessory(call.world, a))


@route("POST", "/projects/{project}/repositories/{repository}/artifacts/{reference}/labels")
def add_label(call, project, name, reference):
    artifact = call.artifact(project, name, reference, "create", "artifact-label")
    number = call.json("label").get("id", 0)
    label = call.world.labels.get(number)
    if label is None:
        raise missing(f"label {number} not found")
    if any(one is label for one in artifact.labels or ()):
        raise conflict(f"label {number} is already added to the artifact {artifact.id}")
    artifact.labels = [*(artifact.labels or ()), label]
    return Answer(200, None)


@route("DELETE",
       "/projects/{project}/repositories/{repository}/artifacts/{reference}/labels/{id}")
def drop_label(call, project, name, reference, number):
    artifact = call.artifact(project, name, reference, "delete", "artifact-label")
    kept = [one for one in artifact.labels or () if str(one.id) != number]
    if len(kept) == len(artifact.labels or ()):
        raise missing(f"reference with label {number} and artifact {artifact.id} not found")
    artifact.labels = kept
    return Answer(200, None)


ADDITIONS = ("build_history", "values.yaml", "readme.md", "dependencies", "sbom", "license",
             "files")


@route("GET", "/projects/{project}/repositories/{repository}/artifacts/{reference}/additions/"
              "{addition}")
def no_addition(call, project, name, reference, addition):
    artifact = call.artifact(project, name, reference, "read", "artifact-addition")
    if addition not in ADDITIONS[:None if call.world.at_least(2, 11) else 4]:
        names = ", ".join(("vulnerabilities", *ADDITIONS))
        raise invalid(f"addition in path should be one of [{names}]")
    mark = "" if artifact.media_type in INDEXES else f" for {artifact.kind}(manifest version 2)"
    raise bad(f"addition {addition.upper()} isn't supported{mark}")


@route("GET", "/projects/{project}/repositories/{repository}/artifacts/{reference}/additions/"
              "build_history")
def build_history(call, project, name, reference):
    artifact = call.artifact(project, name, reference, "read", "artifact-addition")
    if artifact.media_type in INDEXES:
        raise bad("addition BUILD_HISTORY isn't supported")
    if artifact.kind != "IMAGE":
        raise bad(f"addition BUILD_HISTORY isn't supported for {artifact.kind}")
    return Answer(200, artifact.history or [])
