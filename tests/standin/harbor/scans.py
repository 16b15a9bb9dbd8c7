# SPDX-License-Identifier: Apache-2.0
"""Scanners, scans and their reports, by a scripted scanner.

What a scan comes to stands in the repository's own name (its last part):
`clean...` finds nothing, `fail...` ends in an error, `slow...` runs until
Harbor.finish_scan(repository), all others find FINDINGS. A scan is pending at
the first look, running at the next `scan_looks`, then done: no clock.
"""

import base64
import uuid

from .artifacts import FINDINGS as NEW, INDEXES, OLD_FINDINGS as OLD, media_of
from .call import Answer, Refused, bad, conflict, missing, precondition, route
from .housekeeping import keep_schedule, log_answer, schedule_of
from .world import NEVER

SCANNER = {"name": "LabScanner", "vendor": "Berth", "version": "0.1"}
ORDER = ("None", "Unknown", "Low", "Medium", "High", "Critical")
FINDINGS = (("CVE-2026-0001", "openssl", "1.0.1", "Critical"),
            ("CVE-2026-0002", "zlib", "1.0.1", "High"),
            ("CVE-2026-0003", "bash", "", "Medium"),
            ("CVE-2026-0004", "curl", "", "Low"))


class Scan:
    """One scan of one artifact."""

    def __init__(self, harbor, artifact):
        self.harbor, self.digest = harbor, artifact.digest
        self.script = artifact.repository.name.rpartition("/")[2]
        self.report = str(uuid.uuid4())
        self.status, self.looks = "Pending", harbor.scan_looks
        self.started = self.ended = NEVER
        self.finished = False

    def look(self):
        """Goes one state on."""
        if self.status == "Pending" and self.looks < self.harbor.scan_looks:
            self.status, self.started = "Running", self.harbor.world.now()
        elif self.status == "Running" and (self.finished or (
                self.looks <= 0 and not self.script.startswith("slow"))):
            self.end("Error" if self.script.startswith("fail") else "Success")
        self.looks -= 1

    def end(self, status):
        self.status, self.ended = status, self.harbor.world.now()

    def findings(self):
        if self.status != "Success" or self.script.startswith("clean"):
            return []
        found = [{"id": name, "package": package, "version": "1.0.0", "fix_version": fixed,
                  "severity": severity, "status": "", "description":
                  f'lab <b>{name}</b> & "quoted" text – ünïcode',
                  "links": [f"http://cve.invalid/{name}"], "artifact_digests": [self.digest],
                  "preferred_cvss": {"score_v3": 7.5, "score_v2": None, "vector_v3":
                                     "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
                                     "vector_v2": ""}, "cwe_ids": ["CWE-400"],
                  "vendor_attributes": {}} for name, package, fixed, severity in FINDINGS]
        if not self.harbor.world.at_least(2, 10):
            for one in found:
                del one["status"]
        return found


def worst(findings):
    return max((f["severity"] for f in findings), key=ORDER.index, default="None")


def children(world, artifact):
    """The artifacts that a scan of this one is about."""
    if artifact.media_type not in INDEXES:
        return [artifact]
    found = [artifact.repository.artifacts.get(r["child_digest"])
             for r in artifact.references or () if not (r.get("annotations") or {}).get(
                 "vnd.docker.reference.type")]
    return [a for a in found if a is not None]


def summed(world, artifact):
    """The scans of an artifact or of an index's children; none where one lacks."""
    scans = [a.scan for a in children(world, artifact)]
    return [s for s in scans if s is not None]


def merged(scans):
    """Status of several: the one that is least done."""
    for status in ("Error", "Stopped", "Pending", "Running"):
        if any(s.status == status for s in scans):
            return status
    return "Success"


def overview(call, artifact):
    """What with_scan_overview shows; each look takes the scans on."""
    scans = summed(call.world, artifact)
    if not scans:
        return None
    for scan in scans:
        scan.look()
    status, report = merged(scans), "|".join(s.report for s in scans)
    if len(scans) > 1:
        report = base64.b64encode(report.encode()).decode()
    found = {"end_time": min(s.ended for s in scans), "report_id": report,
             "scan_status": status, "start_time": max(s.started for s in scans)}
    if status not in ("Pending", "Running"):
        found["duration"] = 2
    if status == "Success":
        findings = [f for s in scans for f in s.findings()]
        counts = {w: sum(1 for f in findings if f["severity"] == w) for w in ORDER}
        summary = {"fixable": sum(1 for f in findings if f["fix_version"]),
                   "summary": {w: n for w, n in sorted(counts.items()) if n},
                   "total": len(findings)}
        found.update(complete_percent=100, scanner=SCANNER, severity=worst(findings),
                     summary={k: v for k, v in summary.items() if v or k == "summary"})
    elif status == "Running" and any(s.status == "Success" for s in scans):
        found["complete_percent"] = 100 * sum(
            s.status == "Success" for s in scans) // len(scans)
    return {media_of(call): dict(sorted(found.items()))}


# -- of an artifact

BASE = "/projects/{project}/repositories/{repository}/artifacts/{reference}"


def default_scanner(world, project):
    if project.scanner in world.scanners:
        return world.scanners[project.scanner]
    return next((s for s in world.scanners.values() if s.is_default), None)


def check_type(call, wanted):
    if wanted and wanted not in ("vulnerability", "sbom") and call.world.at_least(2, 11):
        raise Refused(422, "UNPROCESSABLE_ENTITY", "validation failure list:\nvalidation failure "
                      "list:\nscan_type in body should be one of [vulnerability sbom]")


def begin(call, artifact):
    world = call.world
    for one in children(world, artifact):
        if one.scan is not None and one.scan.status in ("Pending", "Running"):
            raise conflict(f"a previous scan process is {one.scan.status}")
    for one in children(world, artifact):
        one.scan = Scan(call.harbor, one)


@route("POST", BASE + "/scan")
def start(call, project, name, reference):
    check_type(call, call.json("scanType", required=False).get("scan_type"))
    artifact = call.artifact(project, name, reference, "create", "scan")
    project = artifact.repository.project
    if default_scanner(call.world, project) is None:
        raise precondition(f"no available scanner for project: {project.id}")
    if artifact.kind != "IMAGE":
        raise bad("the configured scanner LabScanner does not support scanning artifact with mime "
                  f"type {artifact.media_type}")
    if "jobservice" in call.world.down:
        raise Refused(500, "UNKNOWN", "internal server error")
    begin(call, artifact)
    return Answer(202, None)


@route("POST", BASE + "/scan/stop")
def stop(call, project, name, reference):
    check_type(call, call.json("scanType", required=call.world.at_least(2, 11)).get("scan_type"))
    artifact = call.artifact(project, name, reference, "stop", "scan")
    scans = summed(call.world, artifact)
    if not scans:
        raise bad(f"no scan job for artifact digest={artifact.digest}")
    for scan in scans:
        if scan.status in ("Pending", "Running"):
            scan.end("Stopped")
    return Answer(202, None)


@route("GET", BASE + "/additions/vulnerabilities")
def vulnerabilities(call, project, name, reference):
    artifact = call.artifact(project, name, reference, "read", "artifact-addition")
    project = artifact.repository.project
    if default_scanner(call.world, project) is None:
        raise missing(f"no scanner registration configured for project: {project.id}")
    if artifact.kind != "IMAGE":
        raise bad(f"addition VULNERABILITIES isn't supported for {artifact.kind}(manifest version "
                  "2)")
    scans = [s for s in summed(call.world, artifact) if s.status == "Success"]
    if not scans:
        return Answer(200, {})
    findings = [f for s in scans for f in s.findings()]
    return Answer(200, {media_of(call): {
        "generated_at": scans[0].ended, "scanner": SCANNER, "severity": worst(findings),
        "vulnerabilities": findings}})


@route("GET", BASE + "/scan/{report}/log", text=True)
def log(call, project, name, reference, report):
    artifact = call.artifact(project, name, reference, "read", "scan")
    try:
        wanted = base64.b64decode(report, validate=True).decode().split("|") \
            if len(report) > 40 else [str(uuid.UUID(report))]
    except ValueError:
        raise bad(f"bad request: invalid UUID {report}") from None
    scans = [s for s in summed(call.world, artifact) if s.report in wanted]
    if not scans:
        raise missing(f"report with uuid {report} does not exist")
    lines = []
    for scan in scans:
        if len(scans) > 1:
            lines.append(f"---------- Logs of report {scan.report} ----------")
        lines.append(f"{scan.started[:19]}Z [INFO] [/pkg/scan/job.go:396]: scan of {scan.digest}")
        if scan.status == "Error":
            lines.append(f"{scan.ended[:19]}Z [ERROR] [/pkg/scan/job.go:331]: running scan "
                         "failed: the scanner's database is broken")
    return log_answer(call, "\n".join(lines) + "\n")


# -- scanners

def show(call, scanner, full=False):
    shown = {"access_credential": "" if call.world.at_least(2, 6) else scanner.credential,
             "auth": scanner.auth, "create_time": scanner.created,
             "description": scanner.description, "disabled": scanner.disabled,
             "is_default": scanner.is_default, "name": scanner.name, "skip_certVerify": False,
             "update_time": scanner.created, "url": scanner.url, "use_internal_addr": True,
             "uuid": scanner.uuid}
    if call.world.at_least(2, 11):
        shown["capabilities"] = {"support_sbom": True, "support_vulnerability": True}
    if full:
        shown.update(adapter="LabScanner", health="healthy", vendor="Berth", version="0.1")
    return dict(sorted(shown.items()))


@route("GET", "/scanners")
def scanners(call):
    call.need_system("scanner", "list")
    rows = call.keep(list(call.world.scanners.values()), {"name": lambda s: s.name})
    return call.page(rows, lambda s: show(call, s))


@route("POST", "/scanners")
def create(call):
    call.need_system("scanner", "create")
    wanted, world = call.json("registration"), call.world
    auth = wanted.get("auth", "")
    if auth not in ("", "Basic", "Bearer", "X-ScannerAdapter-API-Key"):
        raise bad(f"auth type {auth} is not supported")
    if auth and not wanted.get("access_credential"):
        raise bad(f"access_credential is required for auth type {auth}")
    if any(s.url == wanted.get("url") for s in world.scanners.values()):
        raise Refused(409, "UNKNOWN", "dao: create registration: registration name or url "
                      "already exists")
    scanner = world.add_scanner(wanted.get("name", ""), wanted.get("url", ""), auth,
                                wanted.get("access_credential", ""),
                                wanted.get("description", ""))
    return call.created(f"/scanners/{scanner.uuid}")


def scanner_of(call, ident):
    found = call.world.scanners.get(ident)
    if found is None:
        raise missing(f"scanner {ident} not found")
    return found


@route("GET", "/scanners/{id}")
def get(call, ident):
    call.need_system("scanner", "read")
    return Answer(200, show(call, scanner_of(call, ident)))


@route("PATCH", "/scanners/{id}")
def choose(call, ident):
    call.need_system("scanner", "update")
    chosen, wanted = scanner_of(call, ident), call.json("payload")
    if wanted.get("is_default"):
        for scanner in call.world.scanners.values():
            scanner.is_default = scanner is chosen
    return Answer(200, None)


@route("PUT", "/scanners/{id}")
def put(call, ident):
    call.need_system("scanner", "update")
    found, wanted = scanner_of(call, ident), call.json("registration")
    for name in ("name", "url", "auth", "description", "disabled"):
        setattr(found, name, wanted.get(name, getattr(found, name)))
    return Answer(200, None)


@route("DELETE", "/scanners/{id}")
def delete(call, ident):
    call.need_system("scanner", "delete")
    found = scanner_of(call, ident)
    del call.world.scanners[ident]
    return Answer(200, show(call, found))


@route("GET", "/scanners/{id}/metadata")
def metadata(call, ident):
    call.need_system("scanner", "read")
    if ident not in call.world.scanners:
        raise missing(f"registration {ident} not found")
    kinds = ["application/vnd.oci.image.manifest.v1+json",
             "application/vnd.docker.distribution.manifest.v2+json"]
    capability = {"consumes_mime_types": kinds, "produces_mime_types": [OLD, NEW]}
    if call.world.at_least(2, 11):
        capability["type"] = "vulnerability"
    return Answer(200, {"capabilities": [capability], "properties": {}, "scanner": SCANNER})


@route("GET", "/projects/{project}/scanner")
def of_project(call, name):
    project = call.project(name, "scanner", "read")
    found = default_scanner(call.world, project)
    return Answer(200, show(call, found, full=True) if found else None)


@route("PUT", "/projects/{project}/scanner")
def set_project(call, name):
    call.project(name, "scanner", "create").scanner = call.json("payload").get("uuid")
    return Answer(200, None)


@route("GET", "/projects/{project}/scanner/candidates")
def candidates(call, name):
    call.project(name, "scanner", "create")
    return call.page(list(call.world.scanners.values()), lambda s: show(call, s))


# -- of all

def need_scanner(call):
    if not call.world.scanners:
        raise precondition("no scanner is configured, it's not possible to scan")


def everything(world):
    return [r for r in world.by_artifact.values() if r.kind == "IMAGE" and r.subject is None and
            r.media_type not in INDEXES]


def all_running(call):
    return [a.scan for a in everything(call.world) if a.scan and a.scan in call.world.all_scans and
            a.scan.status in ("Pending", "Running")]


@route("GET", "/system/scanAll/schedule")
def schedule(call):
    call.need_system("scan-all", "read")
    need_scanner(call)
    found = call.world.schedules.get("scan")
    if not found:
        return Answer(200, None)
    return Answer(200, {"creation_time": found.created, "id": found.id,
                        "schedule": call.harbor.shown_schedule(found), "status": "Running",
                        "update_time": found.created})


@route("POST", "/system/scanAll/schedule")
def start_all(call):
    call.need_system("scan-all", "create")
    need_scanner(call)
    wanted, world = schedule_of(call, "scheduled scan all")[0], call.world
    if "scan" in world.schedules:
        raise precondition("fail to set schedule for scan all as always had one, please delete it "
                           "firstly then to re-schedule")
    if wanted["type"] != "Manual":
        keep_schedule(world, "scan", wanted, {})
        return Answer(201, None)
    if all_running(call):
        raise conflict("a previous scan all job already exits, its status is Running")
    world.all_scans = []
    for artifact in everything(world):
        if artifact.scan is None or artifact.scan.status not in ("Pending", "Running"):
            artifact.scan = Scan(call.harbor, artifact)
        world.all_scans.append(artifact.scan)
    return Answer(201, None)


@route("PUT", "/system/scanAll/schedule")
def put_schedule(call):
    call.need_system("scan-all", "update")
    need_scanner(call)
    wanted = schedule_of(call, "scheduled scan all")[0]
    if wanted["type"] == "Manual":
        raise bad("fail to update scan all schedule as wrong schedule type: Manual")
    keep_schedule(call.world, "scan", wanted, {})
    return Answer(200, None)


@route("POST", "/system/scanAll/stop")
def stop_all(call):
    """Wipes the earlier results, as a real one does."""
    call.need_system("scan-all", "stop")
    for scan in call.world.all_scans:
        scan.end("Stopped")
    return Answer(202, None)


@route("GET", "/scans/schedule/metrics")
def schedule_metrics(call):
    call.need_system("scan-all", "read")
    need_scanner(call)
    return Answer(200, {"completed": 0, "ongoing": False, "total": 0})


@route("GET", "/scans/all/metrics")
def metrics(call):
    call.need_system("scan-all", "read")
    need_scanner(call)
    scans = call.world.all_scans
    for scan in scans:
        scan.look()
    counts = {w: sum(1 for s in scans if s.status == w)
              for w in ("Error", "Pending", "Running", "Stopped", "Success")}
    if not scans:
        return Answer(200, {"completed": 0, "ongoing": False, "total": 0})
    return Answer(200, {"completed": len(scans) - counts["Pending"] - counts["Running"],
                        "metrics": counts, "ongoing": bool(counts["Pending"] + counts["Running"]),
                        "total": len(scans), "trigger": "Manual"})
