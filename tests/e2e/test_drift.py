# SPDX-License-Identifier: Apache-2.0
"""What a Harbor does to its projects by itself is noticed at the next look: S5."""

import json
import unittest

from berthtest.harborcase import HarborCase
from berthtest.images import Image, random_layer


class DriftCase(HarborCase):
    """Two workspaces; what is in the stand-in's world is changed behind Berth's back."""

    standin_only = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("red", "blue"):
            cls.api.post("/v1/workspaces", {"name": name})

    def bound(self, word, public=False, name=None):
        """A project, seen and bound to both workspaces: its name and its path."""
        if name:
            self.addClassCleanup(self._drop, name)
            self.harbor_api().call("POST", "/projects", {
                "project_name": name, "metadata": {"public": str(public).lower()}})
        else:
            name = self.name(word, public=public)
        self.refresh()
        path = f"/v1/spaces/{self.space('harbor', name)}"
        self.api.post(f"{path}/bindings", {"bind": ["red", "blue"]})
        return name, path

    def take_away(self, name):
        """The project as the stand-in has it, which has it no more."""
        project = self.world.project(name)
        del self.world.projects[project.id]
        self.addCleanup(self.world.projects.__setitem__, project.id, project)
        return project

    def retired(self, path):
        return [(one["workspace"], one.get("retired", {}).get("for"))
                for one in self.api.get(f"{path}/bindings")["items"]]

    def usable(self, workspace="red"):
        return self.names(f"/v1/spaces?limit=500&workspace={workspace}")

    def audited(self, path):
        """(result, what, the workspaces) of the drifts of one space, oldest first."""
        rows = self.api.get("/v1/audit?limit=1000&sort=number&filter=" + (
            f"action%20eq%20'space.drift'%20and%20resource%20eq%20'{path}'"))["items"]
        return [(row["result"], row["detail"]["what"],
                 row["detail"].get("retired", row["detail"].get("restored"))) for row in rows]

    def told(self, path):
        """What the events say of one space, oldest first."""
        page = self.api.get("/v1/events?since=0&wait_s=0&types=lifecycle")
        found = []
        while page["items"]:
            found += [one["data"].get("what", one["data"]["action"]) for one in page["items"]
                      if one.get("resource") == path]
            page = self.api.get(page["next"] + "&types=lifecycle")
        return found


class Drift(DriftCase):
    def test_what_is_gone_is_shown_and_out_of_use_and_back_when_it_returns(self):
        name, path = self.bound("gone")
        overview = "/v1/integrations/harbor/overview"
        count = self.api.get(overview)["spaces"]
        self.assertIn(name, self.usable())
        project = self.take_away(name)
        self.refresh()
        status = self.api.get(path)["status"]
        self.assertEqual((False, "removed"), (status["present"], status["drift"]["what"]))
        self.assertIn("at", status["drift"])
        self.assertEqual([("blue", "removed"), ("red", "removed")], self.retired(path))
        self.assertEqual([], self.api.get(path)["workspaces"])
        self.assertNotIn(name, self.usable())
        self.assertEqual(count - 1, self.api.get(overview)["spaces"])
        self.refused(409, "space-absent", "POST", f"{path}/bindings", {"bind": ["red"]})
        self.refused(409, "space-absent", "POST", f"{path}/logins", {"rights": ["pull"]})
        self.refresh()  # it is noticed once
        self.world.projects[project.id] = project
        self.refresh()
        status = self.api.get(path)["status"]
        self.assertEqual((True, "returned"), (status["present"], status["drift"]["what"]))
        self.assertEqual([("blue", None), ("red", None)], self.retired(path))
        self.assertIn(name, self.usable())
        self.assertEqual([("retired", "removed", ["blue", "red"]),
                          ("restored", "returned", ["blue", "red"])], self.audited(path))
        for workspace in ("red", "blue"):
            rows = [row for row in self.api.get(
                "/v1/audit?limit=1000&sort=number&action=workspace.drift&resource="
                f"/v1/workspaces/{workspace}")["items"] if row["detail"]["space"] == name]
            self.assertEqual([(result, {"integration": "harbor", "space": name, "what": what})
                              for result, what in (("retired", "removed"),
                                                   ("restored", "returned"))],
                             [(row["result"], row["detail"]) for row in rows])
        told = self.told(path)
        self.assertEqual(["removed", "bindings-retired", "returned", "bindings-restored"],
                         told[told.index("removed"):])

    def test_a_new_one_of_the_same_name_is_not_the_same(self):
        name, path = self.bound("new")
        self.harbor_api().call("DELETE", f"/projects/{name}")
        self.harbor_api().call("POST", "/projects", {"project_name": name, "metadata": {
            "public": "false"}})
        for _ in range(2):
            self.refresh()
            drift = self.api.get(path)["status"]["drift"]
            self.assertEqual("replaced", drift["what"])
            self.assertIn("bound again", drift["message"])
            self.assertEqual([("blue", "replaced"), ("red", "replaced")], self.retired(path))
        self.assertNotIn(name, self.usable())
        done = self.api.post(f"{path}/bindings", {"bind": ["red"]})
        self.assertEqual((["red"], ["red"]), (done["bound"], done["workspaces"]))
        self.refresh()
        self.assertIn(name, self.usable())
        self.assertNotIn(name, self.usable("blue"))

    def test_one_that_went_and_came_back_as_another_is_not_the_same_either(self):
        name, path = self.bound("other")
        self.harbor_api().call("DELETE", f"/projects/{name}")
        self.refresh()
        self.harbor_api().call("POST", "/projects", {"project_name": name, "metadata": {
            "public": "false"}})
        self.refresh()
        self.assertEqual([("blue", "replaced"), ("red", "replaced")], self.retired(path))
        self.assertEqual(["removed", "replaced"], [one[1] for one in self.audited(path)])

    def test_what_is_made_public_needs_no_bindings_until_it_is_private_again(self):
        name, path = self.bound("open")
        self.harbor_api().call("PUT", f"/projects/{name}", {"metadata": {"public": "true"}})
        self.refresh()
        self.assertEqual("made-public", self.api.get(path)["status"]["drift"]["what"])
        self.assertEqual([("blue", "made-public"), ("red", "made-public")], self.retired(path))
        self.assertIn(name, self.usable())  # as everybody
        self.harbor_api().call("PUT", f"/projects/{name}", {"metadata": {"public": "false"}})
        self.refresh()
        self.assertEqual("made-private", self.api.get(path)["status"]["drift"]["what"])
        self.assertEqual([("blue", None), ("red", None)], self.retired(path))
        self.assertEqual(["retired", "restored"], [one[0] for one in self.audited(path)])

    def test_made_private_by_berth_itself_they_count_again_too(self):
        name, path = self.bound("here")
        self.harbor_api().call("PUT", f"/projects/{name}", {"metadata": {"public": "true"}})
        self.refresh()
        self.done(self.ask("PATCH", path, {"public": False}, If_Match="*").body)
        self.assertEqual([("blue", None), ("red", None)], self.retired(path))
        self.assertNotIn("drift", self.api.get(path)["status"])
        self.assertIn("bindings-restored", self.told(path))

    def test_another_name_for_the_same_is_said(self):
        name, path = self.bound("before")
        project = self.world.project(name)
        project.name = self.name("after")
        self.refresh()
        self.assertEqual("renamed", self.api.get(path)["status"]["drift"]["what"])
        self.assertEqual([("blue", "renamed"), ("red", "renamed")], self.retired(path))
        row = self.api.get("/v1/audit?filter=action%20eq%20'space.drift'")["items"][0]
        self.assertEqual(project.name, row["detail"]["after"]["name"])
        self.assertNotIn(project.name, self.usable())
        project.name = name
        self.refresh()
        self.assertEqual([("blue", None), ("red", None)], self.retired(path))

    def test_names_of_digits_are_names(self):
        long, path = self.bound("digits", name="00720077")
        short, other = self.bound("digits", name="720077")
        project = self.take_away(long)
        self.refresh()
        self.assertEqual([("blue", "removed"), ("red", "removed")], self.retired(path))
        self.assertEqual([("blue", None), ("red", None)], self.retired(other))
        self.assertEqual([False], [one["status"]["present"] for one in self.api.get(
            f"/v1/spaces?filter=name%20eq%20'{long}'")["items"]])
        self.assertIn(short, self.usable())
        shown = json.loads(self.daemon.ctl_ok("space", "show", f"harbor/{long}", "-o", "json"))
        self.assertEqual("removed", shown["status"]["drift"]["what"])
        self.world.projects[project.id] = project
        self.refresh()
        self.assertIn(long, self.usable())

    def test_a_look_that_fails_takes_nothing_out_of_use(self):
        name, path = self.bound("kept")
        self.take_away(name)
        self.faults.add("500 html", path="/projects")
        self.addCleanup(self.faults.clear)
        ended = self.api.wait(self.api.post("/v1/integrations/harbor/refresh", None))
        self.assertEqual("failed", ended["state"])
        self.assertEqual([("blue", None), ("red", None)], self.retired(path))
        self.assertNotIn("drift", self.api.get(path)["status"])

    def test_what_is_retired_holds_nobody_back(self):
        self.api.post("/v1/workspaces", {"name": "gray"})
        name, path = self.bound("free")
        self.api.post(f"{path}/bindings", {"bind": ["gray"], "unbind": ["red", "blue"]})
        self.refused(409, "in-use", "DELETE", "/v1/workspaces/gray", If_Match="*")
        self.assertEqual(1, self.api.get("/v1/workspaces/gray")["status"]["spaces"])
        self.take_away(name)
        self.refresh()
        self.assertEqual(0, self.api.get("/v1/workspaces/gray")["status"]["spaces"])
        self.assertEqual(204, self.ask("DELETE", "/v1/workspaces/gray", If_Match="*").status)

    def test_berthctl_shows_what_drifted_and_since_when(self):
        name, _ = self.bound("shown")
        self.push(name, "app", Image([random_layer("drift", 500)]), "1")
        self.refresh()
        self.assertEqual([f"harbor/{name}/app:1"], self.daemon.ctl_ok(
            "image", "search", name, "-W", "red", "-o", "name").split())
        self.take_away(name)
        self.refresh()
        shown = self.daemon.ctl_ok("space", "show", f"harbor/{name}")
        self.assertRegex(shown, r"Drift: +removed")
        self.assertIn("bindings are retired", shown)
        self.assertIn("removed", self.daemon.ctl_ok("space", "list", "-o", "wide",
                                                    "--filter", f'name eq "{name}"'))
        self.assertEqual("", self.daemon.ctl_ok("image", "search", name, "-W", "red",
                                                "-o", "name"))


if __name__ == "__main__":
    unittest.main()
