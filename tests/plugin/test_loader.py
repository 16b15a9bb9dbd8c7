# SPDX-License-Identifier: Apache-2.0
"""The loader: one exact sentence for each defect, and the rest loads."""

import glob
import os
import shutil
import unittest

from berthtest import proc, workdir
from berthtest.worker import Job, Worker

SENTENCES = {
    "bad-claim": "its struct claims {claim} bytes, but has {size}",
    "bad-crash": "its constructor crashed with SIGSEGV",
    "bad-exit": "its constructor ended the process with status 5",
    "bad-hang": "its constructor did not end within 5000 ms",
    "bad-illegal": "it calls itself 'Bad/Name', which is not a legal name",
    "bad-magic": "its magic is 0x12345678, expected 0x48545242",
    "bad-major": "it has ABI major version 2, this Berth has 1",
    "bad-minor": "it needs ABI 1.99, this Berth has 1.0",
    "bad-noclose": "it has no close",
    "bad-noname": "it has no name",
    "bad-noopen": "it has no open",
    "bad-nosummary": "it has no summary",
    "bad-noversion": "it has no version",
    "bad-optdefault": "option 'colour' has the default 'red', which is no int",
    "bad-opthelp": "option 'colour' has no help",
    "bad-optkey": "option 'The Colour' may have a-z, 0-9 and _ only",
    "bad-optstride": "its option rows have 8 bytes, expected at least 32",
    "bad-opttwice": "option 'colour' is there twice",
    "bad-opttype": "option 'colour' has the unknown type 77",
    "bad-othername": "it calls itself 'somebody-else', but its file is bad-othername.so",
    "bad-size": "its struct has {open} bytes, expected at least {lifecycle}",
    "bad-symbol": "it exports no berth_plugin_v1",
    "bad-table": "its scan table has size 0, expected the size of its struct",
    "bad-undefined": "the dynamic linker refused it: undefined symbol: nobody_has_this",
    "bad-utf8": "its version or summary is not UTF-8",
    "bad-wordy": "what it says of itself has more than 61440 bytes",
}
# Sizes on 64-bit machines, where pointers have 8 bytes.
NUMBERS = {"size": 112, "claim": 624, "open": 64, "lifecycle": 80}
CONFIG = "jobs: { trial_ms = 5000; };\n"


def describe(folder_worker):
    job = Job(folder_worker.socket, {"kind": "plugins"})
    assert job.result()["ok"]
    return {item["name"]: item["more"] for item in job.items()}


class Sentences(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        built = glob.glob(os.path.join(proc.build_dir(), "tests", "plugin", "*.so"))
        cls.names = sorted(os.path.basename(path)[:-3] for path in built)
        cls.worker = Worker(workdir(cls), plugins=cls.names, config=CONFIG).start()
        cls.addClassCleanup(cls.worker.stop)
        cls.found = describe(cls.worker)

    def test_every_bad_plugin_has_a_sentence_and_the_other_way_round(self):
        self.assertEqual(sorted(SENTENCES), [n for n in self.names if n.startswith("bad-")])

    def test_each_defect_gets_its_exact_sentence(self):
        for name, sentence in SENTENCES.items():
            with self.subTest(name):
                self.assertEqual(sentence.format(**NUMBERS), self.found[name]["error"])
                self.assertFalse(self.found[name]["ok"])

    def test_the_log_has_each_sentence_too(self):
        log = self.worker.log()
        for name, sentence in SENTENCES.items():
            self.assertIn(f"plugin {name} is not loaded: {sentence.format(**NUMBERS)}", log)

    def test_the_good_plugin_beside_them_is_loaded_and_described(self):
        good = self.found["fixture"]
        self.assertTrue(good["ok"])
        self.assertNotIn("error", good)
        self.assertEqual(("fixture.so", "1.0", "1.0", "Behaves as its options say."),
                         (good["file"], good["version"], good["abi"], good["summary"]))
        self.assertEqual({"integration": ["probe", "overview", "repositories", "tags"]},
                         good["tables"])
        self.assertIn({"key": "address", "type": "url", "required": True, "secret": False,
                       "help": "Where the server is."}, good["options"])
        self.assertIn({"key": "count", "type": "int", "required": False, "secret": False,
                       "default": "3", "help": "How many items."}, good["options"])

    def test_a_job_that_wants_a_bad_plugin_is_told_why(self):
        job = Job(self.worker.socket, {
            "kind": "probe", "args": {"instance": "it"},
            "instances": {"it": {"plugin": "bad-crash", "options": {}}}})
        error = job.result()["error"]
        self.assertEqual(("unavailable", "plugin bad-crash is not loaded",
                          SENTENCES["bad-crash"]),
                         (error["code"], error["message"], error["cause"]))


class Files(unittest.TestCase):
    """What is wrong with the file itself; asked of the open descriptor."""

    maxDiff = None

    def errors(self, prepare):
        worker = Worker(workdir(self), config=CONFIG)
        prepare(worker.plugins)
        with worker:
            return {name: more.get("error") for name, more in describe(worker).items()}

    def good(self):
        return os.path.join(proc.build_dir(), "tests", "plugin", "fixture.so")

    def test_files_that_may_not_be_loaded_are_named_and_the_rest_loads(self):
        def prepare(folder):
            def put(name, data=None, mode=0o644):
                path = os.path.join(folder, name)
                if data is None:
                    shutil.copy(self.good(), path)
                else:
                    with open(path, "wb") as file:
                        file.write(data)
                os.chmod(path, mode)
            put("group.so", mode=0o664)
            put("others.so", mode=0o646)
            put("text.so", b"#!/bin/sh\n")
            put("empty.so", b"")
            with open(self.good(), "rb") as file:
                data = bytearray(file.read())
            put("cut.so", bytes(data[:200]))
            data[18:20] = b"\x08\x00"
            put("mips.so", bytes(data))
            put("Upper_Case.so")
            put("a" * 33 + ".so")
            os.mkfifo(os.path.join(folder, "fifo.so"))
            os.mkdir(os.path.join(folder, "folder.so"))
            os.symlink(self.good(), os.path.join(folder, "link.so"))
            put("ignored.txt", b"")
        found = self.errors(prepare)
        name_rule = "the name may have a-z, 0-9 and - only, at most 32 of them"
        expected = {
            "group": "the file may be written by others than its owner (mode 0664)",
            "others": "the file may be written by others than its owner (mode 0646)",
            "text": "the file is not an ELF shared object",
            "empty": "the file is not an ELF shared object",
            "cut": "the dynamic linker refused it: cannot read file data",
            "mips": "the file is built for another machine",
            "fifo": "the file is not a regular file",
            "folder": "the file is not a regular file",
            "link": "the file is a symbolic link",
            "Upper_Case": name_rule,
            "a" * 33: name_rule,
            "fixture": None,
        }
        self.assertEqual(expected, found)

    def test_a_folder_that_others_may_write_to_is_not_loaded_from(self):
        found = self.errors(lambda folder: os.chmod(folder, 0o777))
        self.assertEqual({"fixture": "the plugin folder may be written by others than its owner "
                                     "(mode 0777)"}, found)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_a_file_of_another_user_is_not_loaded(self):
        found = self.errors(
            lambda folder: os.chown(os.path.join(folder, "fixture.so"), 12345, 0))
        self.assertEqual({"fixture": "the file is owned by user 12345, expected root or user 0"},
                         found)


class Reload(unittest.TestCase):
    def test_a_reload_of_what_is_there_already_holds_no_more_descriptors(self):
        worker = Worker(workdir(self), config=CONFIG)

        def loads():
            return worker.log().count("loaded plugin fixture")

        with worker:
            before = len(os.listdir(f"/proc/{worker.process.pid}/fd"))
            for count in range(2, 6):
                worker.process.signal(1)
                proc.wait_until(lambda: loads() == count, "it has reloaded")
            self.assertTrue(describe(worker)["fixture"]["ok"])
            proc.wait_until(lambda: len(os.listdir(f"/proc/{worker.process.pid}/fd")) <= before,
                            "no descriptor is left")

    def test_a_plugin_replaced_on_disk_is_taken_at_the_next_reload(self):
        worker = Worker(workdir(self), config=CONFIG)
        with worker:
            before = describe(worker)["fixture"]
            fresh = os.path.join(worker.dir, "fresh")
            shutil.copy(os.path.join(proc.build_dir(), "tests", "plugin", "bad-noopen.so"), fresh)
            os.rename(fresh, os.path.join(worker.plugins, "fixture.so"))
            self.assertEqual(before, describe(worker)["fixture"])
            worker.process.signal(1)
            proc.wait_until(lambda: describe(worker)["fixture"] != before, "it has reloaded")
            self.assertEqual("it calls itself 'bad-noopen', but its file is fixture.so",
                             describe(worker)["fixture"]["error"])


if __name__ == "__main__":
    unittest.main()
