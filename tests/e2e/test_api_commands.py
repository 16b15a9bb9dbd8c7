# SPDX-License-Identifier: Apache-2.0
"""Lines to paste: M8."""

import os
import shlex
import subprocess
import unittest

from berthtest import proc
from berthtest.apicase import ApiCase, quote


class Commands(ApiCase):
    def lines(self, reference, more=""):
        path = f"/v1/spaces/{self.space('hub')}/commands?reference={quote(reference)}{more}"
        return self.api.get(path)

    def line(self, body, tool, action):
        return next(one["line"] for one in body["commands"]
                    if (one["tool"], one["action"]) == (tool, action))

    def test_each_tool_has_its_lines_with_the_whole_reference(self):
        host = self.hub.url.split("://")[1]
        body = self.lines("shop/web:1.0.0")
        self.assertEqual((host, f"{host}/shop/web:1.0.0", True),
                         (body["registry"], body["reference"], body["push"]))
        self.assertEqual(f"docker pull {host}/shop/web:1.0.0", self.line(body, "docker", "pull"))
        self.assertEqual(f"docker tag web {host}/shop/web:1.0.0",
                         self.line(body, "docker", "tag"))
        self.assertEqual(f"podman push --tls-verify=false {host}/shop/web:1.0.0",
                         self.line(body, "podman", "push"))
        self.assertEqual(f"skopeo copy --src-tls-verify=false docker://{host}/shop/web:1.0.0 "
                         "docker-archive:image.tar", self.line(body, "skopeo", "pull"))
        self.assertEqual(f"ctr images pull --plain-http {host}/shop/web:1.0.0",
                         self.line(body, "ctr", "pull"))
        self.assertEqual(f'image: "{host}/shop/web:1.0.0"', self.line(body, "kubernetes", "pull"))
        self.assertEqual({"docker", "podman", "nerdctl", "skopeo", "ctr", "crictl", "kubernetes"},
                         {one["tool"] for one in body["commands"]})
        self.assertIn("plain HTTP", body["note"])
        self.assertTrue(self.lines("shop/web")["reference"].endswith("/shop/web:latest"))

    def test_a_user_name_stays_what_it_is_in_a_shell(self):
        for user in ("robot$team+x", "a'b", "`id`", "-rf", "two words", "x;y", "$(id)", "é"):
            body = self.lines("shop/web", "&username=" + quote(user))
            for tool in ("docker", "podman", "nerdctl", "skopeo"):
                line = self.line(body, tool, "login")
                self.assertIn(user, shlex.split(line), line)
                said = subprocess.run(["sh", "-c", f"set -- {line}; for w; do echo \"$w\"; done"],
                                      capture_output=True, text=True, check=True, timeout=180)
                self.assertIn(user, said.stdout.split("\n"))
                self.assertEqual("", said.stderr)

    def test_a_digest_is_pulled_and_never_pushed(self):
        digest = self.images[0][2].digest
        body = self.lines(f"shop/web@{digest}")
        self.assertFalse(body["push"])
        self.assertIn("tag", body["push_refused"])
        self.assertEqual(set(), {one["action"] for one in body["commands"]} & {"push", "tag"})
        self.assertIn(f"@{digest}", self.line(body, "docker", "pull"))

    def test_what_is_no_reference_or_elsewhere_is_refused(self):
        path = f"/v1/spaces/{self.space('hub')}/commands"
        self.refused(400, "parameter-invalid", "GET", path)
        self.refused(400, "reference-invalid", "GET", f"{path}?reference=UPPER")
        made = self.api.post("/v1/spaces", {"integration": "hub", "name": "legacy"})["id"]
        self.refused(404, "not-found", "GET", f"/v1/spaces/{made}/commands?reference=shop/web")

    def test_the_client_prints_them(self):
        env = dict(os.environ, BERTH_SOCKET=self.daemon.socket, LC_ALL="C.UTF-8")
        done = subprocess.run([os.path.join(proc.build_dir(), "berthctl"), "image", "commands",
                               "hub/shop/web:1.0.0", "--tool", "podman", "--username", "a$b"],
                              env=env, capture_output=True, text=True, timeout=180, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("--username 'a$b' --password-stdin", done.stdout)
        self.assertNotIn("docker", done.stdout)
        self.assertIn("plain HTTP", done.stderr)


if __name__ == "__main__":
    unittest.main()
