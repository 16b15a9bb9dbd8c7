# SPDX-License-Identifier: Apache-2.0
"""Operations, events, audit, plugins and reload over the API: P1."""

import json
import os
import socket
import threading
import unittest

from berthtest import Registry
from berthtest.apicase import ENDED, QUIET, ApiCase, Blackhole, Stream, as_user, key
from berthtest.link import Link
from berthtest.proc import wait_until

NOBODY = 65534
ABSENT = "00000000-0000-4000-8000-000000000000"


class Operations(ApiCase):
    def probe(self):
        return self.done(self.api.post("/v1/integrations/hub/probe", None))

    def test_an_operation_says_who_asked_what_became_of_it_and_when(self):
        done = self.probe()
        self.assertEqual(("probe", os.getuid(), False),
                         (done["kind"], done["requester"]["uid"], done["may_cancel"]))
        for field in ("created_at", "started_at", "updated_at", "ended_at"):
            self.assertIn(field, done)
        listed = self.api.get("/v1/operations?filter=kind%20eq%20'probe'&sort=-created_at")
        self.assertEqual(done["id"], listed["items"][0]["id"])
        self.refused(404, "not-found", "GET", f"/v1/operations/{ABSENT}")

    def test_waiting_for_one_that_has_ended_answers_at_once(self):
        done = self.probe()
        waited = self.api.get(f"/v1/operations/{done['id']}/wait?timeout_s=60")
        self.assertEqual((done["id"], "succeeded"), (waited["id"], waited["state"]))
        self.refused(404, "not-found", "GET", f"/v1/operations/{ABSENT}/wait")

    def test_a_running_one_is_waited_for_and_cancelled(self):
        registry = self.enter(Registry(os.path.join(self.dir, "slow")))
        link = self.enter(Link(os.path.join(self.dir, "link"), registry))
        self.daemon.add("slow", link.url)
        self.settle()
        link.stop()
        blackhole = self.enter(Blackhole(link.port))
        operation = self.api.post("/v1/integrations/slow/refresh", None)
        wait_until(lambda: blackhole.held, "the job is connected")
        short = self.api.get(f"/v1/operations/{operation['id']}/wait?timeout_s=1")
        self.assertEqual("running", short["state"])
        joined = self.ask("POST", "/v1/integrations/slow/refresh", Idempotency_Key=key())
        self.assertEqual(operation["id"], joined.body["id"])
        answer = self.ask("DELETE", f"/v1/operations/{operation['id']}")
        self.assertEqual(202, answer.status)
        ended = self.api.wait(operation)
        self.assertEqual(("cancelled", "cancelled"), (ended["state"], ended["error"]["code"]))
        again = self.ask("DELETE", f"/v1/operations/{operation['id']}")
        self.assertEqual((202, "cancelled"), (again.status, again.body["state"]))

    def test_a_log_is_streamed_as_lines_and_ends_with_its_operation(self):
        operation = self.done(self.api.post("/v1/copies", {
            "source": "hub/shop/web:1.0.0", "target": "mirror/logged/web"}))
        with Stream(self.daemon.socket, f"/v1/operations/{operation['id']}/log") as stream:
            self.assertEqual((200, "application/x-ndjson"),
                             (stream.answer.status, stream.answer.headers["Content-Type"]))
            lines = [json.loads(line) for line in stream.answer.read().decode().splitlines()]
        numbers = [line["number"] for line in lines]
        self.assertEqual(sorted(numbers), numbers)
        self.refused(404, "not-found", "GET", f"/v1/operations/{ABSENT}/log")


class Events(ApiCase):
    def test_a_stream_resumes_after_the_last_id_it_saw(self):
        with Stream(self.daemon.socket, "/v1/events?since=0&types=lifecycle",
                    Accept="text/event-stream") as stream:
            self.assertEqual("text/event-stream", stream.answer.headers["Content-Type"])
            first, second = stream.event(), stream.event()
        self.assertLess(int(first["id"]), int(second["id"]))
        self.assertEqual("lifecycle", first["event"])
        self.assertEqual("/v1/integrations/hub", json.loads(first["data"])["resource"])
        with Stream(self.daemon.socket, "/v1/events?types=lifecycle",
                    Accept="text/event-stream", Last_Event_ID=first["id"]) as stream:
            self.assertEqual(second, stream.event())

    def test_live_events_come_as_lines_of_json(self):
        with Stream(self.daemon.socket, "/v1/events?types=operation") as stream:
            self.assertEqual("application/x-ndjson", stream.answer.headers["Content-Type"])
            operation = self.api.post("/v1/integrations/hub/probe", None)
            states = []
            while not states or states[-1] not in ENDED:
                event = json.loads(stream.line())
                self.api.document.check({"$ref": "#/components/schemas/Event"}, event, "event")
                if event["resource"].endswith(operation["id"]):
                    states.append(event["data"]["state"])
            self.assertEqual("succeeded", states[-1])
            self.assertEqual("pending", states[0])

    def test_a_long_poll_gives_what_there_is_or_waits(self):
        page = self.api.get("/v1/events?since=0&wait_s=0&types=lifecycle")
        self.assertTrue(page["items"])
        self.assertEqual({"lifecycle"}, {event["type"] for event in page["items"]})
        now = self.api.get("/v1/events?wait_s=0")
        self.assertEqual([], now["items"])
        got = {}
        waiting = threading.Thread(target=lambda: got.update(
            self.api.get(now["next"].replace("wait_s=0", "wait_s=60") + "&types=lifecycle")))
        waiting.start()
        self.api.get("/v1/events?wait_s=1&types=health")  # most often it waits by then
        made = self.ask("POST", "/v1/spaces", {"integration": "hub", "name": "polled"})
        waiting.join(120)
        self.assertEqual([f"/v1/spaces/{made.body['id']}"],
                         [event["resource"] for event in got["items"]])

    def test_unknown_types_and_ids_are_refused(self):
        self.refused(400, "parameter-invalid", "GET", "/v1/events?types=weather&wait_s=0")
        answer = self.ask("GET", "/v1/events?wait_s=0", Last_Event_ID="x")
        self.assertEqual(400, answer.status)


class Gap(ApiCase):
    """A reader that the ring has overtaken is told so."""

    config = QUIET + "operations: { events_keep_count = 16; };\n"
    integrate = False

    def test_a_since_older_than_the_ring_begins_with_a_gap(self):
        self.daemon.add("hub", self.hub)
        for _ in range(12):
            self.done(self.api.post("/v1/integrations/hub/probe", None))
        self.daemon.stop()  # old rows are swept at the next start
        self.daemon.start()
        page = wait_until(self.gapped, "the ring has turned")
        self.assertEqual(("gap", 1), (page["items"][0]["type"], page["items"][0]["data"]["since"]))
        self.assertEqual(page["items"][0]["data"]["until"] + 1, page["items"][1]["id"])
        with Stream(self.daemon.socket, "/v1/events?since=1",
                    Accept="text/event-stream") as stream:
            self.assertEqual("gap", stream.event()["event"])

    def gapped(self):
        page = self.api.get("/v1/events?since=1&wait_s=0")
        return page if page["items"][0]["type"] == "gap" else None


class Audit(ApiCase):
    def rows(self, text):
        found = []
        page = self.api.get("/v1/audit?limit=1000")
        while True:
            found += [row for row in page["items"] if text in json.dumps(row)]
            if not page.get("next"):
                return found
            page = self.api.get(page["next"])

    def test_changes_and_refusals_leave_rows_and_reads_do_not(self):
        made = self.ask("POST", "/v1/spaces", {"integration": "hub", "name": "audited"},
                        X_Request_Id="audit-1").body
        self.assertTrue(self.rows("audit-1"))
        self.api.request("GET", f"/v1/spaces/{made['id']}", None, {"X-Request-Id": "audit-2"})
        self.assertEqual([], self.rows("audit-2"))
        self.refused(409, "exists", "POST", "/v1/spaces",
                     {"integration": "hub", "name": "audited"}, X_Request_Id="audit-3")
        rows = self.rows("audit-3")
        self.assertEqual([os.getuid()], [row["uid"] for row in rows])
        self.assertEqual("failed", rows[0]["result"])

    def test_the_chain_holds(self):
        verdict = self.api.get("/v1/audit/verify")
        self.assertTrue(verdict["ok"])
        self.assertGreater(verdict["rows"], 0)

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_another_user_is_refused_and_that_is_audited(self):
        self.open_to_others()
        os.chmod(self.daemon.socket, 0o600)
        self.assertIsNone(as_user(NOBODY, self.daemon.socket, "GET", "/v1"))
        os.chmod(self.daemon.socket, 0o666)
        try:
            for method, target in self.api.document.all_operations():
                operation = self.api.document.operation(method, target)[1]
                if operation["x-role"] == "none":
                    continue
                path = target.replace("{name}", "hub").replace("{id}", ABSENT)
                path = path.replace("{repository}", "a").replace("{reference}", "a:1")
                answer = as_user(NOBODY, self.daemon.socket, method, path)
                self.assertEqual(403, answer.status, f"{method} {path}: {answer.body}")
        finally:
            os.chmod(self.daemon.socket, 0o600)
        denied = [row for row in self.rows('"denied"') if row["uid"] == NOBODY]
        self.assertTrue(denied)


class Rest(ApiCase):
    integrate = False

    def test_plugins_are_listed_with_their_tables_and_options(self):
        self.assertIn("dockerreg", self.names("/v1/plugins"))
        plugin = self.api.get("/v1/plugins/dockerreg")
        self.assertTrue(plugin["ok"])
        self.assertIn("probe", plugin["tables"]["integration"])
        self.assertIn("address", [option["key"] for option in plugin["options"]])
        self.refused(404, "not-found", "GET", "/v1/plugins/quay")

    def test_permissions_are_sorted_filtered_and_paged_as_every_list(self):
        names = self.names("/v1/permissions?limit=1000")
        self.assertEqual(sorted(names), names)
        self.assertEqual(names[::-1], self.names("/v1/permissions?limit=1000&sort=-name"))
        self.assertEqual(["audit.read"], self.names("/v1/permissions?filter=name%20eq%20%27audit.read%27"))
        first = self.api.get("/v1/permissions?limit=3")
        self.assertEqual(names[:3], [one["name"] for one in first["items"]])
        self.assertEqual(len(names), first["total"])
        self.assertEqual(names[3:6], [one["name"] for one in
                                      self.api.get(first["next"])["items"][:3]])

    def test_plugins_are_sorted_filtered_and_paged_as_every_list(self):
        names = self.names("/v1/plugins")
        self.assertEqual(sorted(names), names)
        self.assertEqual(names[::-1], self.names("/v1/plugins?sort=-name"))
        self.assertEqual(["dockerreg"], self.names("/v1/plugins?filter=name%20like%20%27docker*%27"))
        self.assertEqual([], self.names("/v1/plugins?filter=ok%20eq%20false"))
        paged, path = [], "/v1/plugins?limit=1&sort=-name"
        while path:
            page = self.api.get(path)
            self.assertEqual((1, len(names)), (len(page["items"]), page["total"]))
            paged += [item["name"] for item in page["items"]]
            path = page.get("next")
        self.assertEqual(names[::-1], paged)
        self.refused(400, "parameter-invalid", "GET", "/v1/plugins?sort=size")
        self.refused(400, "filter-invalid", "GET", "/v1/plugins?filter=size%20eq%201")
        cursor = self.api.get("/v1/plugins?limit=1")["next"].split("cursor=")[1].split("&")[0]
        self.refused(400, "parameter-invalid", "GET", "/v1/plugins?sort=-name&cursor=" + cursor)

    def test_a_reload_takes_a_right_file_and_refuses_a_wrong_one(self):
        done = self.api.call("POST", "/v1/reload")
        self.assertEqual((True, []), (done["reloaded"], done["needs_restart"]))
        self.assertEqual([item["name"] for item in self.api.get("/v1/plugins")["items"]],
                         [item["name"] for item in done["plugins"]])

    def test_every_route_answers_what_the_document_says_of_methods(self):
        for method, template in self.api.document.all_operations():
            path = template.replace("{name}", "hub").replace("{id}", ABSENT)
            path = path.replace("{repository}", "a").replace("{reference}", "a%3A1")
            path = path.replace("{kind}", "not-found").replace("{run}", "1")
            answer = self.ask("OPTIONS", path)
            if answer.status == 204:
                self.assertIn(method, answer.headers["Allow"].split(", "), template)


if __name__ == "__main__":
    unittest.main()
