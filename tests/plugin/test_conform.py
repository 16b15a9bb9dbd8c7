# SPDX-License-Identifier: Apache-2.0
"""The conformance kit: what it says of good plugins and of bad ones."""

import glob
import os
import re
import subprocess
import unittest

from berthtest import proc, workdir

BUILD = proc.build_dir()


def conform(path, *options):
    """{claim: True, False or None where skipped}, and the exit status."""
    done = subprocess.run([os.path.join(BUILD, "tests", "conform"), *options, path],
                          capture_output=True, text=True, timeout=300, check=False)
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"^(not )?ok \d+ - (.*?)( # SKIP .*)?$", line)
        if match:
            found[match[2]] = None if match[3] else not match[1]
    plan = re.search(r"^1\.\.(\d+)$", done.stdout, re.M)
    assert plan and int(plan[1]) == len(found), done.stdout + done.stderr
    return found, done.returncode, done.stdout


class Kit(unittest.TestCase):
    def test_every_plugin_of_the_tree_conforms_in_every_point(self):
        folders = sorted(glob.glob(os.path.join(proc.TREE, "plugins", "*", "")))
        names = [os.path.basename(os.path.dirname(folder)) for folder in folders]
        self.assertIn("dockerreg", names)
        for name in names:
            if name == "common":
                continue
            with self.subTest(name):
                path = os.path.join(BUILD, "plugins", name + ".so")
                script = os.path.join(proc.TREE, "plugins", name, "conform.script")
                found, status, text = conform(path, "--script", script)
                failed = [claim for claim, ok in found.items() if not ok]
                self.assertEqual(([], 0), (failed, status), text)

    def test_a_slot_that_does_not_do_its_work_is_found_out(self):
        path = os.path.join(BUILD, "plugins", "jfrog.so")
        script = os.path.join(workdir(self), "script")
        with open(script, "w", encoding="ascii") as file:
            file.write("GET /artifactory/api/system/ping 200 text/plain OK\n"
                       "GET /artifactory/api/repositories 200 application/json []\n")
        found, status, text = conform(path, "--script", script)
        self.assertEqual(1, status)
        self.assertIs(False, found["with the script, probe tells facts"])
        self.assertIs(False, found["with the script, spaces gives spaces"])
        self.assertIn("# it gave 0 items, none of them SPACE", text)
        self.assertIs(True, found["401 is auth"])

    def test_a_plugin_that_copies_declares_what_copies_are_made_by(self):
        claim = "with oci_endpoint, it declares the options that copies are made by"
        found, _, _ = conform(os.path.join(BUILD, "plugins", "dockerreg.so"))
        self.assertIs(True, found[claim])
        found, _, text = conform(os.path.join(BUILD, "tests", "plugin", "half-endpoint.so"))
        self.assertIs(False, found[claim])
        self.assertIn("# tls_ca tls_client_cert tls_client_key auth_realms upload_hosts proxy",
                      text)
        found, _, _ = conform(os.path.join(BUILD, "plugins", "kube.so"))
        self.assertNotIn(claim, found)

    def test_a_script_has_a_second_page(self):
        path = os.path.join(BUILD, "plugins", "dockerreg.so")
        script = os.path.join(workdir(self), "script")
        pages = ('GET /v2/_catalog?last=a 200 application/json {"repositories":["team/app"]}\n',
                 'GET /v2/_catalog 200 application/json {"repositories":[]}\n'
                 'WITH Link: </v2/_catalog?n=9&last=a>; rel="next"\n')
        claim = "with the script, repositories gives repositories"
        for text, expected in (("".join(pages), True), (pages[1], False)):
            with open(script, "w", encoding="ascii") as file:
                file.write("GET /v2/ 200 application/json {}\n" + text)
            self.assertIs(expected, conform(path, "--script", script)[0][claim])

    def test_a_script_sets_options_and_the_command_line_wins(self):
        path = os.path.join(BUILD, "tests", "plugin", "fixture.so")
        script = os.path.join(workdir(self), "script")
        with open(script, "w", encoding="ascii") as file:
            file.write("OPTION act=crash\nGET /v2/ 200 application/json {}\n")
        claim = "no call crashed"
        self.assertIs(False, conform(path, "--script", script)[0][claim])
        self.assertIs(True, conform(path, "-o", "act=leaky-error", "--script", script)[0][claim])

    def test_a_plugin_that_misbehaves_is_found_out(self):
        path = os.path.join(BUILD, "tests", "plugin", "fixture.so")
        found, status, text = conform(path, "-o", "act=leaky-error")
        failed = [claim for claim, ok in found.items() if ok is False]
        self.assertEqual(1, status)
        self.assertIn("it calls nothing that changes the whole process", failed)
        self.assertIn("# abort _exit signal", text)
        self.assertIn("without address, open says invalid and names it", failed)
        self.assertIn("no secret was logged, kept or told in an error", failed)
        self.assertIn("errors have a message in UTF-8, on one line", failed)
        self.assertIsNone(found["401 is auth"])

    def test_crashes_and_bad_items_are_found_out(self):
        path = os.path.join(BUILD, "tests", "plugin", "fixture.so")
        self.assertIs(False, conform(path, "-o", "act=crash")[0]["no call crashed"])
        self.assertIs(False, conform(path, "-o", "act=item-kind")[0]
                      ["every item was well-formed"])

    def test_a_bad_plugin_gets_the_loaders_sentence(self):
        path = os.path.join(BUILD, "tests", "plugin", "bad-noopen.so")
        found, status, text = conform(path)
        self.assertEqual(1, status)
        self.assertIs(False, found["the loader takes it: file, head, options and tables are right"])
        self.assertIn("# it has no open\n", text)

    def test_wrong_usage_is_2(self):
        for argv in ([], ["nothing.so"], ["--nonsense"]):
            done = subprocess.run([os.path.join(BUILD, "tests", "conform"), *argv],
                                  capture_output=True, check=False)
            self.assertEqual(2, done.returncode)


if __name__ == "__main__":
    unittest.main()
