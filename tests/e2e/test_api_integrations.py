# SPDX-License-Identifier: Apache-2.0
"""/v1/integrations against real registries: I1 I3 I5 I6 I7 I10."""

import os
import unittest

from berthtest import Authority, Registry, free_port
from berthtest.apicase import PASSWORD, ApiCase, Blackhole, key
from berthtest.proc import wait_until


class Proof(ApiCase):
    """An integration exists only after its proof has succeeded."""

    integrate = False

    def post(self, name, address, **more):
        return self.api.post("/v1/integrations",
                             {"name": name, "kind": "dockerreg", "address": address, **more})

    def gone(self, name):
        self.refused(404, "not-found", "GET", f"/v1/integrations/{name}")

    def test_an_open_registry_is_saved_and_marked_public(self):
        done = self.done(self.post("open", self.hub.url + "/"))
        self.assertEqual(["/v1/integrations/open"], done["resources"])
        shown = self.api.get("/v1/integrations/open")
        self.assertEqual((True, self.hub.url, "platform", "dockerreg"),
                         (shown["public"], shown["address"], shown["scope"], shown["kind"]))
        self.assertEqual(("healthy", "Probed"),
                         (shown["status"]["phase"], shown["status"]["reason"]))
        self.assertTrue(shown["status"]["version"].startswith("2"))
        self.assertFalse(shown["password"]["set"])

    def test_who_must_show_a_certificate_is_no_public_registry(self):
        authority = Authority(os.path.join(self.dir, "authority"))
        registry = Registry(os.path.join(self.dir, "guarded"), tls=authority, clients=authority.ca)
        self.enter(registry)
        cert, private = authority.issue("berth", client=True)
        pems = {}
        for member, path in (("ca", authority.ca), ("client_cert", cert), ("client_key", private)):
            with open(path, encoding="ascii") as file:
                pems[member] = file.read()
        self.done(self.post("guarded", registry.url, tls=pems))
        shown = self.api.get("/v1/integrations/guarded")
        self.assertEqual((True, False), (shown["tls"]["client_key"]["set"], shown["public"]))

    def test_a_password_is_proved_kept_and_never_shown(self):
        self.done(self.post("locked", self.mirror.url, username="robot", password=PASSWORD))
        shown = self.api.get("/v1/integrations/locked")
        self.assertEqual((True, False), (shown["password"]["set"], shown["public"]))
        self.assertRegex(shown["password"]["fingerprint"], "^[0-9a-f]{8}$")
        self.assertNotIn(PASSWORD, str(shown))

    def test_a_wrong_password_is_named_and_nothing_is_saved(self):
        error = self.failed(self.post("wrong", self.mirror.url, username="robot", password="no"),
                            "upstream-auth-failed")
        self.assertIn("password", error["detail"])
        self.assertEqual(401, error["upstream"]["status"])
        self.assertEqual("127.0.0.1", error["upstream"]["host"])
        self.gone("wrong")

    def test_a_missing_password_is_told_from_a_wrong_one(self):
        self.failed(self.post("nobody", self.mirror.url), "upstream-auth-failed")
        self.gone("nobody")

    def test_a_closed_port_and_an_unknown_host_are_unavailable(self):
        error = self.failed(self.post("closed", f"http://127.0.0.1:{free_port()}"), "unavailable")
        self.assertIn("127.0.0.1", error["detail"] + error.get("cause", ""))
        self.gone("closed")

    def test_a_web_page_is_no_registry(self):
        page = f"unix-socket-is-no-registry-{os.getpid()}.invalid"
        self.failed(self.post("page", f"http://{page}"), "unavailable")
        self.gone("page")

    def test_metadata_addresses_are_never_reached(self):
        self.failed(self.post("meta", "http://169.254.169.254"), "address-refused")
        self.gone("meta")

    def test_a_private_certificate_needs_its_authority(self):
        authority = Authority(os.path.join(self.dir, "ca"))
        registry = self.enter(Registry(os.path.join(self.dir, "tls"), tls=authority))
        self.failed(self.post("tls", registry.url), "upstream-tls")
        self.gone("tls")
        with open(authority.ca, encoding="ascii") as file:
            self.done(self.post("tls", registry.url, tls={"ca": file.read()}))
        self.done(self.post("insecure", registry.url, tls={"verify": False}))
        self.assertFalse(self.api.get("/v1/integrations/insecure")["tls"]["verify"])

    def test_a_name_that_is_there_is_a_conflict(self):
        self.done(self.post("twice", self.hub.url))
        problem = self.refused(409, "exists", "POST", "/v1/integrations", {
            "name": "twice", "kind": "dockerreg", "address": self.hub.url},
            Idempotency_Key=key())
        self.assertIn("twice", problem["detail"])

    def test_everything_that_is_wrong_with_a_body_is_said_at_once(self):
        problem = self.refused(422, "validation-failed", "POST", "/v1/integrations", {
            "name": "faults", "kind": "dockerreg", "address": "ftp://x", "password": PASSWORD,
            "tls": {"client_cert": "no pem"}, "options": {"colour": "x"}})
        self.assertEqual({"/address", "/tls/client_cert", "/tls/client_key", "/username",
                          "/options/colour"}, set(self.pointers(problem)))
        self.assertNotIn(PASSWORD, str(problem))

    def test_schema_faults_have_pointers(self):
        for body, pointer in (({}, "/name"), ({"name": "Up"}, "/name"),
                              ({"name": "a", "kind": "dockerreg", "address": "http://h",
                                "passwort": "x"}, "/passwort"),
                              ({"name": "a", "kind": "dockerreg", "address": "http://h",
                                "probe_period_s": 0}, "/probe_period_s"),
                              ({"name": "a", "kind": "dockerreg", "address": "http://h",
                                "auth_realms": [1]}, "/auth_realms/0")):
            problem = self.refused(422, "validation-failed", "POST", "/v1/integrations", body)
            self.assertIn(pointer, self.pointers(problem), body)

    def test_an_unknown_kind_is_refused_by_name(self):
        problem = self.refused(422, "validation-failed", "POST", "/v1/integrations", {
            "name": "kind", "kind": "quay", "address": self.hub.url})
        self.assertEqual(["/kind"], self.pointers(problem))

    def test_a_plugin_that_has_no_repositories_is_no_kind(self):
        problem = self.refused(422, "validation-failed", "POST", "/v1/integrations", {
            "name": "cluster", "kind": "kube", "address": "https://127.0.0.1:6443"})
        self.assertEqual(["/kind"], self.pointers(problem))
        self.assertIn("plugin kube integrates no registry", str(problem))

    def test_a_dry_run_proves_and_saves_nothing(self):
        operation = self.api.post("/v1/integrations?dry_run=true", {
            "name": "dry", "kind": "dockerreg", "address": self.mirror.url, "username": "robot",
            "password": PASSWORD})
        done = self.done(operation)
        self.assertTrue(done["result"]["dry_run"])
        self.gone("dry")
        self.failed(self.api.post("/v1/integrations?dry_run=true", {
            "name": "dry", "kind": "dockerreg", "address": self.mirror.url, "username": "robot",
            "password": "other"}), "upstream-auth-failed")

    def test_prefer_wait_gives_the_ended_operation(self):
        answer = self.ask("POST", "/v1/integrations", {
            "name": "waited", "kind": "dockerreg", "address": self.hub.url}, Prefer="wait=60")
        self.assertEqual((200, "succeeded"), (answer.status, answer.body["state"]))

    def test_the_same_idempotency_key_makes_one_integration(self):
        body = {"name": "once", "kind": "dockerreg", "address": self.hub.url}
        word = key()
        first = self.ask("POST", "/v1/integrations", body, Idempotency_Key=word)
        again = self.ask("POST", "/v1/integrations", body, Idempotency_Key=word)
        self.assertEqual((202, first.body["id"]), (again.status, again.body["id"]))
        self.assertEqual("true", again.headers["Idempotency-Replayed"])
        self.refused(422, "key-reused", "POST", "/v1/integrations", {**body, "name": "other"},
                     Idempotency_Key=word)
        self.done(first.body)


    def test_a_name_is_reserved_while_it_is_proved(self):
        port = free_port()
        blackhole = self.enter(Blackhole(port))
        first = self.post("reserved", f"http://127.0.0.1:{port}")
        wait_until(lambda: blackhole.held, "the proof is connected")
        problem = self.refused(409, "busy", "POST", "/v1/integrations", {
            "name": "reserved", "kind": "dockerreg", "address": self.hub.url})
        self.assertEqual(first["id"], problem["operation"])
        self.gone("reserved")
        self.ask("DELETE", f"/v1/operations/{first['id']}")
        self.assertEqual("cancelled", self.api.wait(first)["state"])
        self.gone("reserved")
        self.done(self.post("reserved", self.hub.url))

    def test_a_proof_survives_the_death_of_berthd(self):
        port = free_port()
        blackhole = self.enter(Blackhole(port))
        first = self.post("survivor", f"http://127.0.0.1:{port}", username="robot",
                          password=PASSWORD)
        wait_until(lambda: blackhole.held, "the proof is connected")
        self.daemon.kill()
        blackhole.close()
        registry = self.enter(Registry(os.path.join(self.dir, "late"), port=port,
                                       users={"robot": PASSWORD}))
        self.daemon.start()
        ended = self.api.wait(first)
        self.assertEqual("succeeded", ended["state"], ended)
        self.assertGreater(ended["attempts"], 1)
        shown = self.api.get("/v1/integrations/survivor")
        self.assertEqual((registry.url, True), (shown["address"], shown["password"]["set"]))
        self.done(self.api.post("/v1/integrations/survivor/probe", None))


class Kept(ApiCase):
    """What is there is shown, changed, probed and forgotten."""

    def test_a_list_is_sorted_filtered_searched_and_paged(self):
        self.assertEqual(["hub", "mirror"], self.names("/v1/integrations"))
        self.assertEqual(["mirror", "hub"], self.names("/v1/integrations?sort=-name"))
        self.assertEqual(["hub"], self.names("/v1/integrations?filter=name%20eq%20'hub'"))
        self.assertEqual(["mirror"], self.names("/v1/integrations?q=mrr"))
        page = self.api.get("/v1/integrations?limit=1")
        self.assertEqual(2, page["total"])
        self.assertEqual(["mirror"], self.names(page["next"]))
        paths = self.ask("GET", "/v1/integrations?recursion=0&fields=name")
        self.assertIn(paths.status, (200, 400))

    def test_an_unknown_filter_field_lists_those_there_are(self):
        problem = self.refused(400, "filter-invalid", "GET",
                               "/v1/integrations?filter=colour%20eq%20'red'")
        self.assertIn("status.phase", str(problem))

    def test_a_forged_cursor_is_refused(self):
        answer = self.ask("GET", "/v1/integrations?cursor=AAAA")
        self.assertEqual(400, answer.status, answer.body)

    def test_an_unchanged_resource_is_304(self):
        tag = self.etag("/v1/integrations/hub")
        answer = self.ask("GET", "/v1/integrations/hub", If_None_Match=tag)
        self.assertEqual(304, answer.status)

    def test_a_change_of_words_needs_no_proof(self):
        tag = self.etag("/v1/integrations/hub")
        answer = self.ask("PATCH", "/v1/integrations/hub", {"description": "the Öffentliche"},
                          If_Match=tag)
        self.assertEqual((200, "the Öffentliche"), (answer.status, answer.body.get("description")), answer.body)
        self.assertNotEqual(tag, self.etag("/v1/integrations/hub"))
        problem = self.refused(412, "precondition-failed", "PATCH", "/v1/integrations/hub",
                               {"description": "late"}, If_Match=tag)
        self.assertEqual(problem["etag"], self.etag("/v1/integrations/hub"))

    def test_a_change_of_password_is_proved_first(self):
        before = self.api.get("/v1/integrations/mirror")
        answer = self.ask("PATCH", "/v1/integrations/mirror", {"password": "wrong"})
        self.failed(answer.body, "upstream-auth-failed")
        after = self.api.get("/v1/integrations/mirror")
        self.assertEqual(before["password"], after["password"])
        answer = self.ask("PATCH", "/v1/integrations/mirror", {"password": PASSWORD})
        self.assertEqual(202, answer.status)
        self.done(answer.body)
        self.settle()

    def test_a_change_of_address_keeps_the_id(self):
        self.daemon.add("moving", self.hub)
        before = self.api.get("/v1/integrations/moving")
        answer = self.ask("PATCH", "/v1/integrations/moving", {
            "address": self.mirror.url, "username": "robot", "password": PASSWORD})
        self.done(answer.body)
        after = self.api.get("/v1/integrations/moving")
        self.assertEqual((before["id"], self.mirror.url), (after["id"], after["address"]))
        self.settle()
        self.ask("DELETE", "/v1/integrations/moving", If_Match="*")

    def test_a_change_to_a_dead_address_changes_nothing(self):
        answer = self.ask("PATCH", "/v1/integrations/hub",
                          {"address": f"http://127.0.0.1:{free_port()}"})
        self.failed(answer.body, "unavailable")
        self.assertEqual(self.hub.url, self.api.get("/v1/integrations/hub")["address"])

    def test_a_dry_run_of_a_change_is_a_plan(self):
        tag = self.etag("/v1/integrations/hub")
        answer = self.ask("PATCH", "/v1/integrations/hub?dry_run=true", {"description": "x"})
        self.assertEqual(["/v1/integrations/hub"], answer.body["update"])
        self.assertEqual(tag, self.etag("/v1/integrations/hub"))

    def test_names_kinds_and_unknown_fields_are_refused_in_a_patch(self):
        for field in ("name", "kind", "id", "status", "public"):
            problem = self.refused(422, "validation-failed", "PATCH", "/v1/integrations/hub",
                                   {field: "x"})
            self.assertEqual([f"/{field}"], self.pointers(problem))

    def test_put_wants_if_match_and_keeps_what_is_not_said_of_secrets(self):
        body = {"name": "mirror", "kind": "dockerreg", "address": self.mirror.url,
                "username": "robot", "description": "put"}
        self.refused(428, "precondition-required", "PUT", "/v1/integrations/mirror", body)
        answer = self.ask("PUT", "/v1/integrations/mirror", body,
                          If_Match=self.etag("/v1/integrations/mirror"))
        self.assertEqual((200, "put", True), (answer.status, answer.body["description"],
                                              answer.body["password"]["set"]))
        problem = self.refused(422, "validation-failed", "PUT", "/v1/integrations/mirror",
                               {**body, "name": "another"}, If_Match="*")
        self.assertEqual(["/name"], self.pointers(problem))

    def test_a_probe_on_demand_notices_the_fall_and_the_return(self):
        # The name is no reason: it is unhealthy, and not switched off.
        registry = Registry(os.path.join(self.dir, "disabled-at-times"))
        registry.start()
        self.addCleanup(registry.stop)
        self.daemon.add("disabled-at-times", registry)
        self.settle()
        since = self.api.get("/v1/events?wait_s=0")["next"]
        registry.stop()
        place = self.space("disabled-at-times")
        for starts in (self.ask("GET", f"/v1/spaces/{place}/artifacts/a%3A1").body,
                       self.api.post("/v1/integrations/disabled-at-times/probe", None)):
            problem = self.failed(starts, "unavailable")
            self.assertEqual("berthctl integration probe disabled-at-times", problem["hint"])
        status = self.api.get("/v1/integrations/disabled-at-times")["status"]
        self.assertEqual(("unhealthy", "Unreachable"), (status["phase"], status["reason"]))
        self.assertTrue(status["message"])
        events = [one for one in self.api.get(since)["items"] if one["type"] == "health"]
        self.assertEqual([("/v1/integrations/disabled-at-times", "unhealthy", "healthy")],
                         [(one["resource"], one["data"]["phase"], one["data"]["before"])
                          for one in events])
        self.refused(409, "integration-unhealthy", "POST", "/v1/copies",
                     {"source": "disabled-at-times/a:1", "target": "mirror/a:1"})
        registry.start()
        self.done(self.api.post("/v1/integrations/disabled-at-times/probe", None))
        after = self.api.get("/v1/integrations/disabled-at-times")["status"]
        self.assertEqual("healthy", after["phase"])
        self.assertGreater(after["since"], status["since"])

    def test_health_is_probed_on_its_period(self):
        self.daemon.add("often", self.hub, probe_period_s=1)
        first = self.api.get("/v1/integrations/often")["status"]["checked_at"]
        wait_until(lambda: self.api.get("/v1/integrations/often")["status"]["checked_at"] > first,
                   "it was probed again")
        self.ask("PATCH", "/v1/integrations/often", {"enabled": False})
        self.assertEqual("disabled", self.api.get("/v1/integrations/often")["status"]["phase"])
        self.refused(409, "integration-disabled", "POST", "/v1/integrations/often/probe")

    def test_an_overview_has_its_age(self):
        self.done(self.api.post("/v1/integrations/hub/refresh", None))
        overview = self.api.get("/v1/integrations/hub/overview")
        self.assertEqual((1, 6), (overview["spaces"], overview["repositories"]))
        self.assertEqual(12, overview["tags"])
        self.assertIn("at", overview)
        self.assertEqual(("dockerreg", self.hub.url), (overview["kind"], overview["address"]))

    def test_an_overview_says_how_to_begin(self):
        overview = self.api.get("/v1/integrations/hub/overview")
        host = self.hub.url.split("://")[1]
        lines = {(one["tool"], one["action"]): one["line"]
                 for one in overview["quick_start"]["commands"]}
        self.assertNotIn("console", overview)
        self.assertEqual(f"docker login --username USER --password-stdin {host}",
                         lines["docker", "login"])
        self.assertEqual(f"podman push --tls-verify=false {host}/REPOSITORY:TAG",
                         lines["podman", "push"])
        self.assertEqual(f"nerdctl --insecure-registry pull {host}/REPOSITORY:TAG",
                         lines["nerdctl", "pull"])
        self.assertEqual(f"crictl pull {host}/REPOSITORY:TAG", lines["crictl", "pull"])
        said = self.daemon.ctl_ok("integration", "overview", "hub", "--tool", "podman")
        self.assertIn("Repositories:", said)
        self.assertIn(lines["podman", "push"], said)
        self.assertNotIn("docker pull", said)
        only = self.daemon.ctl_ok("integration", "overview", "hub", "--columns", "repositories")
        self.assertNotIn("podman", only)

    def test_delete_wants_if_match_and_names_what_uses_it(self):
        self.daemon.add("doomed", self.hub)
        self.settle()
        self.refused(428, "precondition-required", "DELETE", "/v1/integrations/doomed")
        self.api.post("/v1/syncs", {"name": "user-of-doomed", "source": "doomed/shop",
                                    "target": "mirror/doomed"})
        problem = self.refused(409, "in-use", "DELETE", "/v1/integrations/doomed", If_Match="*")
        self.assertIn("user-of-doomed", str(problem["errors"]))
        self.ask("DELETE", "/v1/syncs/user-of-doomed", If_Match="*")
        plan = self.ask("DELETE", "/v1/integrations/doomed?dry_run=true", If_Match="*")
        self.assertEqual(["/v1/integrations/doomed"], plan.body["delete"])
        answer = self.ask("DELETE", "/v1/integrations/doomed", If_Match="*")
        self.assertEqual(204, answer.status)
        self.refused(404, "not-found", "GET", "/v1/integrations/doomed")
        self.assertNotIn("doomed", self.names("/v1/integrations"))


if __name__ == "__main__":
    unittest.main()
