# SPDX-License-Identifier: Apache-2.0
"""CONTRIBUTING.md's lines for a new backend: a copy of dockerreg builds and conforms."""

import glob
import os
import re
import shlex
import shutil
import subprocess
import unittest

from berthtest import proc, workdir

BUILD, TREE = proc.build_dir(), proc.TREE


def recipe():
    """The lines that copy, and those that take the prefixes out, as they are printed."""
    with open(os.path.join(TREE, "CONTRIBUTING.md"), encoding="utf-8") as file:
        text = file.read()
    start = text.index("To begin with a copy of dockerreg")
    return re.findall(r"^```\n(.*?)^```", text[start:], re.M | re.S)[:2]


class Copy(unittest.TestCase):
    def run_lines(self, lines, folder):
        done = subprocess.run(["sh", "-ec", lines], cwd=folder, capture_output=True, text=True,
                              check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def build(self, folder):
        """As the makefile does, with all warnings; the plugin's path."""
        path = os.path.join(folder, "my-registry.so")
        libs = subprocess.run(["pkg-config", "--cflags", "--libs", "libcurl", "jansson",
                               "libcrypto", "libpsl"], capture_output=True, text=True,
                              check=True).stdout
        built = subprocess.run(
            ["cc", "-shared", "-fPIC", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
             "-fvisibility=hidden", "-Wl,-z,defs", "-Wl,--exclude-libs,ALL",
             '-DBERTH_VERSION="0"', "-I" + TREE, "-I" + os.path.join(TREE, "include"), "-o", path,
             *sorted(glob.glob(os.path.join(folder, "*.c"))), os.path.join(BUILD, "libshared.a"),
             *shlex.split(libs)], capture_output=True, text=True, check=False)
        self.assertEqual(0, built.returncode, built.stderr)
        return path

    def test_a_copy_builds_and_conforms_without_prefixes_too(self):
        copied, without = recipe()
        tree = workdir(self)
        shutil.copytree(os.path.join(TREE, "plugins", "dockerreg"),
                        os.path.join(tree, "plugins", "dockerreg"))
        self.run_lines(copied, tree)
        folder = os.path.join(tree, "plugins", "my-registry")
        self.build(folder)
        self.run_lines(without, folder)
        named = subprocess.run("grep -i prefix *.[ch]", shell=True, cwd=folder, check=False,
                               capture_output=True, text=True)
        self.assertEqual("", named.stdout)
        kit = subprocess.run([os.path.join(BUILD, "tests", "conform"), "--script",
                              os.path.join(folder, "conform.script"), self.build(folder)],
                             capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(0, kit.returncode, kit.stdout)
        self.assertNotIn("spaces gives", kit.stdout)


if __name__ == "__main__":
    unittest.main()
