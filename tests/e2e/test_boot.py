# SPDX-License-Identifier: Apache-2.0
# timeout: 1800
"""The units under a real systemd: a minimal Debian of the host's own release
with what `make install` puts there, booted by systemd-nspawn. boot_guest.sh
acts inside; what it saw is judged here."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from berthtest import proc

PACKAGES = ("systemd", "dbus", "openssl", "ca-certificates", "docker-registry")
REGISTRY = """version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: "127.0.0.1:5000"}
"""
SERVICE = """[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=-/boot_guest.sh
ExecStopPost=systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
"""


def release():
    with open("/etc/os-release", encoding="utf-8") as file:
        found = dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)', file.read()))
    if found.get("ID") != "debian":
        raise unittest.SkipTest("the booted machine is a Debian, as its host must be")
    return found["VERSION_CODENAME"]


def libraries():
    """The packages that hold what the built programs are linked with."""
    built = [os.path.join(proc.build_dir(), "berthd"), os.path.join(proc.build_dir(), "berthctl")]
    linked = subprocess.run(["ldd", *built], capture_output=True, text=True, check=True).stdout
    paths = sorted(set(re.findall(r"=> (/\S+)", linked)))
    names = set()
    for path in paths:
        for one in (path, os.path.realpath(path), path.removeprefix("/usr")):
            found = subprocess.run(["dpkg-query", "-S", one], capture_output=True, text=True,
                                   check=False)
            if found.returncode == 0:
                names.add(found.stdout.split(":")[0])
                break
    return sorted(names)


def tree_of(packages):
    """A tar of the tree, made once for a set of packages."""
    suite = release()
    key = hashlib.sha256(" ".join([suite, *packages]).encode()).hexdigest()[:16]
    path = os.path.join(proc.cache_dir(), f"boot-{key}.tar")
    if not os.path.exists(path):
        fresh = f"{path}.{os.getpid()}.tar"
        made = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase",
                               "--include=" + ",".join(packages), suite, fresh],
                              capture_output=True, text=True, check=False)
        if made.returncode:
            if os.path.exists(fresh):
                os.unlink(fresh)
            raise unittest.SkipTest("mmdebstrap: " + made.stderr.strip()[-200:])
        os.replace(fresh, path)
    return path


class Boot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("a machine can only be booted by root")
        proc.need("mmdebstrap", "systemd-nspawn", "dpkg-query")
        packed = tree_of([*PACKAGES, *libraries()])
        cls.root = tempfile.mkdtemp(prefix="berth-boot-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        subprocess.run(["tar", "-C", cls.root, "-xf", packed], check=True)
        cls.try_container()
        cls.install()
        cls.boot()

    @classmethod
    def nspawn(cls, *argv, **options):
        return subprocess.run(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                               "--private-network", "-D", cls.root, *argv],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", check=False, **options)

    @classmethod
    def try_container(cls):
        tried = cls.nspawn("/bin/true", timeout=120)
        if tried.returncode:
            raise unittest.SkipTest("systemd-nspawn: " + tried.stderr.strip()[-200:])

    @classmethod
    def install(cls):
        done = subprocess.run(["make", "-s", "install", "O=" + proc.build_dir(),
                               "DESTDIR=" + cls.root], cwd=proc.TREE, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.copy(os.path.join(os.path.dirname(__file__), "boot_guest.sh"), cls.root)
        for path, text in (("registry.yml", REGISTRY),
                           ("etc/systemd/system/boot-guest.service", SERVICE)):
            with open(os.path.join(cls.root, path), "w", encoding="ascii") as file:
                file.write(text)
        for command in (["enable", "boot-guest.service"], ["mask", "docker-registry.service"]):
            subprocess.run(["systemctl", "--root=" + cls.root, *command], check=True,
                           capture_output=True)

    @classmethod
    def boot(cls):
        console = cls.nspawn("--boot", timeout=600)
        if os.path.exists(os.path.join(cls.root, "results", "done")):
            return
        if not os.path.exists(os.path.join(cls.root, "results")):
            raise unittest.SkipTest("systemd does not boot here: " + console.stdout[-300:])
        raise AssertionError("the machine did not come to its end: " + console.stdout[-2000:])

    def read(self, name):
        with open(os.path.join(self.root, "results", name), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def out(self, step, status=0):
        text = self.read(step + ".out")
        self.assertEqual(status, int(self.read(step + ".rc")), step + ": " + text)
        return text

    def test_the_first_caller_starts_the_daemon_and_sees_its_plugins(self):
        self.out("enable")
        self.assertEqual("inactive\n", self.out("before", 3))
        self.assertLessEqual({"dockerreg", "harbor", "jfrog", "kube"},
                             set(self.out("plugins").split()))
        self.assertEqual("active\nactive\n", self.out("active"))
        self.assertRegex(self.out("status"), r"^berthd \S+, \d+ plugins, \d+ operations running$")

    def test_a_registry_is_integrated_through_both_sandboxes(self):
        self.out("add")
        self.assertEqual("hub\n", self.out("list"))

    def test_who_has_no_role_or_no_group_is_told_which(self):
        self.assertIn("this needs the role viewer", self.read("no-role.out"))
        self.assertNotEqual("0\n", self.read("no-role.rc"))
        self.assertIn("usermod -aG berth-users carl", self.read("no-group.out"))
        self.assertNotEqual("0\n", self.read("no-group.rc"))

    def test_users_reach_neither_the_worker_nor_the_store(self):
        self.assertIn("Permission denied", self.read("worker-socket.out"))
        self.assertIn("Permission denied", self.read("store.out"))

    def test_berthd_has_no_network(self):
        self.assertEqual("lo\n", self.out("address-families"))

    def test_both_units_reload(self):
        self.out("reload")
        self.out("reload-worker")
        self.assertIn("dockerreg", self.out("after-reload"))

    def test_a_plugin_that_comes_or_goes_is_seen_at_a_reload(self):
        self.assertIn("plugins loaded: ", self.out("plugin-gone"))
        self.assertNotIn("jfrog", self.out("list-gone"))
        self.assertIn("plugins loaded: ", self.out("plugin-back"))
        self.assertIn("jfrog", self.out("list-back"))

    def test_the_receiver_of_notifications_runs_as_its_manual_says(self):
        self.assertEqual("0\n", self.read("hooks-enable.rc"), self.read("hooks-journal.out"))
        self.assertRegex(self.out("hooks-status"), r"^berthd --hooks \S+, 1 secrets$")
        said = self.out("hooks-journal")
        self.assertIn(" 202 ", self.read("hooks-told.out"), said)
        self.assertIn(" 401 ", self.read("hooks-refused.out"), said)
        self.out("hooks-stop")

    def test_a_killed_daemon_and_a_killed_worker_come_back(self):
        self.assertEqual("hub\n", self.out("after-kill"))
        self.out("probe-after-kill")

    def test_a_bad_configuration_leaves_the_running_daemon_alone(self):
        said = self.read("bad-reload.out")
        self.assertNotEqual("0\n", self.read("bad-reload.rc"))
        self.assertIn("no_such_section", said)
        self.assertEqual("hub\n", self.out("after-bad-reload"))

    def test_both_stop_in_good_order(self):
        self.out("stop")
        self.assertEqual({"success"}, set(self.out("results").split()))
        self.assertIn("stopped", self.read("journal.out"))

    def test_a_start_with_a_bad_configuration_ends_with_78(self):
        self.assertNotEqual("0\n", self.read("bad-start.rc"))
        self.assertEqual("78\n", self.out("bad-status"))


if __name__ == "__main__":
    unittest.main()
