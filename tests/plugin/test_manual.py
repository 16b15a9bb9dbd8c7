# SPDX-License-Identifier: Apache-2.0
"""berth-plugin(7) against the header: nothing is missing, examples compile."""

import os
import re
import subprocess
import unittest

from berthtest import proc, workdir

TREE = proc.TREE


def read(*parts):
    with open(os.path.join(TREE, *parts), encoding="utf-8") as file:
        return file.read()


def members(text, struct):
    body = re.search(rf"struct {struct} \{{(.*?)\n\}};", text, re.S)[1]
    return re.findall(r"\(\*(\w+)\)\(", body)


class Manual(unittest.TestCase):
    manual = read("docs", "berth-plugin.7")
    ops = read("include", "berth", "ops.h")
    plugin = read("include", "berth", "plugin.h")
    error = read("include", "berth", "error.h")

    def slots(self):
        return [f"{table}.{slot}" for table in ("lifecycle", "integration", "sync", "scan")
                for slot in members(self.ops, f"berth_{table}_ops")]

    def test_every_slot_has_its_section_and_says_what_follows_from_its_absence(self):
        sections = dict(re.findall(r"^\.Ss (\w+\.\w+)\n(.*?)(?=^\.S[sh] )", self.manual,
                                   re.M | re.S))
        found = [name for name in sections if not name.startswith("host.")]
        self.assertEqual(sorted(self.slots()), sorted(found))
        for name in found:
            self.assertIn("If absent: ", sections[name], name)

    def test_the_programs_own_table_has_every_slot(self):
        table = re.findall(r"^\tSLOT\((\w+), (\w+)\)", read("core", "worker", "slots.c"), re.M)
        self.assertEqual(self.slots(), [".".join(row) for row in table])

    def test_the_slots_that_are_called_are_those_that_it_names(self):
        start = self.manual.index(".Sh WHAT THIS RELEASE CALLS")
        table = self.manual[start:self.manual.index(".El", start)]
        rows = re.findall(r"^\.It (\w+) Ta", table, re.M)
        code = read("core", "transfer", "job.c") + "".join(
            read("core", "jobs", name)
            for name in sorted(os.listdir(os.path.join(TREE, "core", "jobs"))))
        called = {name for name in members(self.ops, "berth_integration_ops")
                  if re.search(rf"\bbackend_{name}\b", code)}
        self.assertEqual(called, set(rows))

    def test_the_names_of_own_options_are_those_of_the_core(self):
        start = self.manual.index(".Ss Names of options")
        table = self.manual[start:self.manual.index(".El", start)]
        own = re.search(r"own_fields\[\] = \{(.*?)\};", read("core", "worker", "instance.c"), re.S)
        self.assertEqual(re.findall(r'"(\w+)"', own[1]),
                         re.findall(r"^\.It (\w+) Ta", table, re.M))

    def test_the_kit_calls_and_answers_what_it_says(self):
        testing = self.manual[self.manual.index(".Ss What it calls"):]
        slots = re.search(r"callable_slots\[\] = \{(.*?)\};",
                          read("tests", "conform", "host.c"), re.S)
        table = testing[:testing.index(".El")]
        self.assertEqual(re.findall(r'"(\w+)"', slots[1]),
                         re.findall(r"^\.It (\w+) Ta", table, re.M))
        well = re.search(r"well\[\] = \{(.*?)\n\};", read("tests", "conform", "upstream.c"), re.S)
        answers = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', well[1])).replace('\\"', '"')
        shown = re.search(r"^\.Bd -literal.*?\n(.*?)^\.Ed", testing, re.M | re.S)
        self.assertEqual(answers, shown[1].replace("\n", ""))

    def test_every_host_service_has_its_section(self):
        found = re.findall(r"^\.Ss host\.(\w+)$", self.manual, re.M)
        self.assertEqual(members(self.plugin, "berth_host"), found)

    def test_every_code_and_every_kind_has_its_row(self):
        codes = re.findall(r"^\t(BERTH_E_\w+) =", self.error, re.M)
        self.assertEqual(codes, re.findall(r"^\.It Dv (BERTH_E_\w+) Ta", self.manual, re.M))
        kinds = re.findall(r"^\tBERTH_ITEM_(\w+)", self.ops, re.M)
        table = self.manual[self.manual.index(".Ss Items"):self.manual.index(".Ss Errors")]
        self.assertEqual(kinds, re.findall(r"^\.It (\w+) Ta", table, re.M))

    def test_the_example_compiles_and_conforms(self):
        text = self.manual[self.manual.index(".Ss A whole plugin"):]
        block = re.search(r"^\.Bd [^\n]*\n(.*?)^\.Ed$", text, re.M | re.S)[1]
        folder = workdir(self)
        source, plugin = (os.path.join(folder, "hello" + end) for end in (".c", ".so"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(block.replace(r"\e", "\\"))
        done = subprocess.run(
            ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-cast-qual", "-fPIC",
             "-shared", "-fvisibility=hidden", "-Wl,-z,defs", "-I" + os.path.join(TREE, "include"),
             "-o", plugin, source], capture_output=True, text=True, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        kit = subprocess.run([os.path.join(proc.build_dir(), "tests", "conform"), plugin],
                             capture_output=True, text=True, check=False)
        self.assertIn("ok 4 - the loader takes it", kit.stdout)
        failed = [line for line in kit.stdout.splitlines() if line.startswith("not ok")]
        self.assertEqual(([], 0), (failed, kit.returncode), kit.stdout)

    def test_the_manuals_are_well_formed(self):
        proc.need("mandoc")
        for name in ("berthd.8", "berth-plugin.7"):
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning",
                                   os.path.join(TREE, "docs", name)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual("", done.stdout)


if __name__ == "__main__":
    unittest.main()
