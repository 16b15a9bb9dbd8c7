# SPDX-License-Identifier: Apache-2.0
# timeout: 1200
"""What `make install` puts where, a plugin built against it, and the units."""

import http.server
import json
import os
import pwd
import re
import shutil
import subprocess
import threading
import unittest

from berthtest import Client, Registry, proc, workdir
from berthtest.daemon import Daemon
from berthtest.images import Image, random_layer

TREE = proc.TREE
NOBODY = pwd.getpwnam("nobody")


def make(*argv, cwd=TREE, env=None, umask=0o022):
    return subprocess.run(["make", "-s", *argv], cwd=cwd, capture_output=True, text=True,
                          check=False, env={**os.environ, **(env or {})}, umask=umask)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(root, name), folder)
                  for root, _, names in os.walk(folder) for name in names)


def below(folder):
    """The folder, and everything in it."""
    yield folder
    for root, folders, names in os.walk(folder):
        for name in folders + names:
            yield os.path.join(root, name)


def copy_built(build, to):
    """What `make` alone builds, with its times: nothing of it is made again."""
    os.mkdir(to)
    for entry in os.scandir(build):
        if entry.name in ("obj", "gen", "plugins"):
            shutil.copytree(entry.path, os.path.join(to, entry.name))
        elif entry.name.endswith((".a", "_gen")) or entry.name in ("berthd", "berthctl", "paths"):
            shutil.copy2(entry.path, to)


IMAGE = Image([random_layer("template", 5000)])


def images(following, *found):
    """A page of the template's server."""
    page = {"images": [{"repository": name, "tag": tag, "digest": IMAGE.digest}
                       for name, tag in found]}
    return ("application/json",
            json.dumps({**page, "next": following} if following else page).encode())


class TemplateServer:
    """What the template integrates: two paths of its own, and one image below /v2/."""

    def __init__(self):
        manifest = (IMAGE.media_type, IMAGE.body)
        pages = {"/health": ("text/plain", b"1.2.3\n"),
                 "http://behind.invalid/health": ("text/plain", b"1.2.3\n"),
                 "/images": images("m-2", ("team/app", "1"), ("team/app", "2")),
                 "/images?after=m-2": images(None, ("team/app", "3"), ("team/web", "1")),
                 "/round/images": images("again", ("team/app", "1")),
                 "/round/images?after=again": images("again"),
                 "/v2/": ("application/json", b"{}"),
                 "/v2/team/app/tags/list": ("application/json",
                                            b'{"name":"team/app","tags":["1","2","3"]}'),
                 "/v2/team/app/manifests/3": manifest,
                 f"/v2/team/app/manifests/{IMAGE.digest}": manifest,
                 **{f"/v2/team/app/blobs/{blob.digest}": ("application/octet-stream", blob.data())
                    for blob in IMAGE.blobs()}}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.split("?")[0] if self.path.startswith("/v2/") else self.path
                kind, body = pages.get(path, ("text/plain", b""))
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if kind == IMAGE.media_type:
                    self.send_header("Docker-Content-Digest", IMAGE.digest)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dest = workdir(cls)
        cls.build = ["O=" + proc.build_dir(), "DESTDIR=" + cls.dest]
        done = make("install", *cls.build)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.files = files_below(cls.dest)

    def path(self, *parts):
        return os.path.join(self.dest, *parts)

    def test_everything_is_there_and_nothing_is_outside_its_folders(self):
        for name in ("usr/sbin/berthd", "usr/bin/berthctl", "usr/lib/berth/conform",
                     "usr/lib/berth/drive",
                     "usr/lib/berth/plugins/dockerreg.so", "usr/include/berth/plugin.h",
                     "usr/include/berth/ops.h", "usr/include/berth/error.h",
                     "usr/share/pkgconfig/berth-plugin.pc", "etc/berth/berth.conf",
                     "usr/lib/systemd/system/berthd.service",
                     "usr/lib/systemd/system/berth-hooks.service",
                     "usr/lib/systemd/system/berthd.socket",
                     "usr/lib/systemd/system/berth-worker.service",
                     "usr/lib/systemd/system/berth-worker.socket",
                     "usr/lib/sysusers.d/berth.conf", "usr/lib/tmpfiles.d/berth.conf",
                     "usr/share/man/man5/berth.conf.5", "usr/share/man/man8/berthd.8",
                     "usr/share/man/man7/berth-plugin.7", "usr/share/man/man1/berthctl.1",
                     "usr/share/doc/berth/plugin-template/example.c"):
            self.assertIn(name, self.files)
        for name in self.files:
            self.assertRegex(name, r"^(etc/berth|usr/(s?bin|lib|include|share))/")

    def test_nobody_but_the_owner_may_write_to_plugins(self):
        for name in ("usr/lib/berth/plugins", "usr/lib/berth/plugins/dockerreg.so"):
            self.assertEqual(0, os.stat(self.path(name)).st_mode & 0o022)

    def test_uninstall_leaves_only_the_configuration(self):
        dest = workdir(self)
        build = ["O=" + proc.build_dir(), "DESTDIR=" + dest]
        self.assertEqual(0, make("install", *build).returncode)
        done = make("uninstall", *build)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(["etc/berth/berth.conf"], files_below(dest))

    def test_an_edited_configuration_stays_when_installed_again(self):
        dest = workdir(self)
        build = ["O=" + proc.build_dir(), "DESTDIR=" + dest]
        conf = os.path.join(dest, "etc/berth/berth.conf")
        self.assertEqual(0, make("install", *build).returncode)
        with open(conf, encoding="utf-8") as file:
            shipped = file.read()
        with open(conf, "w", encoding="utf-8") as file:
            file.write("# mine\n")
        done = make("install", *build)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("berth.conf.new", done.stdout)
        with open(conf, encoding="utf-8") as file:
            self.assertEqual("# mine\n", file.read())
        with open(conf + ".new", encoding="utf-8") as file:
            self.assertEqual(shipped, file.read())
        self.assertEqual(0, make("uninstall", *build).returncode)
        self.assertEqual(["etc/berth/berth.conf"], files_below(dest))

    def test_the_template_is_built_out_of_tree_and_conforms(self):
        folder = os.path.join(workdir(self), "example")
        shutil.copytree(self.path("usr/share/doc/berth/plugin-template"), folder)
        os.chmod(folder, 0o775)  # as umask 002, many users' own, leaves it
        env = {"PKG_CONFIG_PATH": self.path("usr/share/pkgconfig")}
        tool = "PKG_CONFIG=pkg-config --define-prefix"
        built = make(tool, cwd=folder, env=env, umask=0o002)
        self.assertEqual(0, built.returncode, built.stderr)
        command = make("-n", "-B", tool, cwd=folder, env=env).stdout
        self.assertNotIn(TREE, command)
        done = make(tool, "check", cwd=folder, env=env)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertNotIn("SKIP", done.stdout)
        self.integrate(folder)
        self.assertEqual(0, make(tool, "install", cwd=folder, env=env).returncode)
        os.unlink(self.path("usr/lib/berth/plugins/example.so"))

    def integrate(self, plugins):
        """What was built there is added as an integration; its images are listed and copied."""
        folder = workdir(self)
        shutil.copy(self.path("usr/lib/berth/plugins/dockerreg.so"), plugins)
        with TemplateServer() as server, Registry(os.path.join(folder, "registry")) as registry, \
                Daemon(os.path.join(folder, "berth"), plugins=plugins) as daemon:
            api = daemon.api
            daemon.add("ex", server, kind="example")
            daemon.add("to", registry)
            api.wait(api.post("/v1/integrations/ex/refresh", None))
            shown = api.get("/v1/integrations/ex")
            self.assertEqual("1.2.3", shown["status"]["version"])
            [space] = [one for one in api.get("/v1/spaces")["items"] if one["integration"] == "ex"]
            found = api.get(f"/v1/spaces/{space['id']}/images")["items"]
            self.assertEqual(["team/app", "team/web"], [one["name"] for one in found])
            self.assertEqual([3, 1], [one["tags"] for one in found])
            shown = daemon.ctl_ok("image", "show", "ex/team/app:3")
            self.assertIn(IMAGE.digest, shown)
            done = api.run("/v1/copies", {"source": "ex/team/app:3", "target": "to/new/app:3"})
            self.assertEqual("succeeded", done["state"], done)
            with Client(registry.url) as client:
                self.assertEqual(IMAGE.digest, client.digest("new/app", "3"))
            self.drive(plugins, server.url)

    def drive(self, plugins, url):
        """What no integration shows: lists without an end, images that are not there, proxies."""
        def call(slot, *args, **env):
            done = subprocess.run([self.path("usr/lib/berth/drive"),
                                   os.path.join(plugins, "example.so"), slot, *args],
                                  env={**os.environ, **env}, capture_output=True, text=True,
                                  check=False)
            return json.loads(done.stdout.splitlines()[-1])

        def code(*args, **env):
            return call(*args, **env)["error"]["code"]

        self.assertEqual("limit", code("repositories", BERTH_OPT_address=url + "/round"))
        self.assertEqual("not-found", code("artifact", "team/app", "9", BERTH_OPT_address=url))
        self.assertEqual(IMAGE.digest, call("artifact", "team/app", IMAGE.digest,
                                            BERTH_OPT_address=url)["digest"])
        behind = call("probe", BERTH_OPT_address="http://behind.invalid", BERTH_OPT_proxy=url)
        self.assertEqual({"value": "1.2.3"}, behind["more"])
        self.assertEqual("address", code("probe", BERTH_OPT_address="http://127.0.0.1:1",
                                         BERTH_OPT_proxy="http://no-proxy.invalid",
                                         BERTH_DENY="1"))

    @unittest.skipUnless(os.getuid() == 0, "needs root to be somebody else")
    def test_under_sudo_all_in_the_tree_stays_the_callers(self):
        folder = workdir(self)
        os.chmod(folder, 0o711)
        tree = os.path.join(folder, "tree")
        shutil.copytree(TREE, tree, symlinks=True,
                        ignore=shutil.ignore_patterns(".git", "build*", "__pycache__"))
        copy_built(proc.build_dir(), os.path.join(tree, "build"))
        for one in below(tree):
            os.chown(one, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
        if subprocess.run(["runuser", "-u", "nobody", "--", "ls", tree], check=False,
                          capture_output=True).returncode:
            self.skipTest("the folder of temporary files is closed to others")
        done = make("install", "DESTDIR=" + os.path.join(folder, "staged"), cwd=tree,
                    env={"SUDO_USER": "nobody", "CCACHE_DISABLE": "1"})
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        for name in ("tests/conform", "tests/drive", "docs/berth-api.7", "man/berthctl.1"):
            self.assertTrue(os.path.exists(os.path.join(tree, "build", name)), name)
        self.assertEqual([], [one for one in below(tree) if os.lstat(one).st_uid == 0])
        installed = os.stat(os.path.join(folder, "staged/usr/lib/berth/plugins/dockerreg.so"))
        self.assertEqual(0, installed.st_uid)

    def test_an_installed_berthd_checks_its_configuration(self):
        done = subprocess.run([self.path("usr/sbin/berthd"), "--check", "--config",
                               self.path("etc/berth/berth.conf")], capture_output=True,
                              text=True, check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))


class Units(unittest.TestCase):
    """The units pass systemd's own checks, with the scores they are built for."""

    @classmethod
    def setUpClass(cls):
        cls.dir = workdir(cls)
        program = os.path.join(cls.dir, "berthd")
        shutil.copy(os.path.join(proc.build_dir(), "berthd"), program)
        for name in ("berthd.service", "berth-worker.service", "berth-hooks.service"):
            with open(os.path.join(proc.build_dir(), "systemd", name), encoding="utf-8") as file:
                text = file.read()
            with open(os.path.join(cls.dir, name), "w", encoding="utf-8") as file:
                file.write(text.replace("/usr/sbin/berthd", program))
        for name in ("berthd.socket", "berth-worker.socket"):
            shutil.copy(os.path.join(TREE, "systemd", name), cls.dir)

    def test_another_prefix_is_in_the_workers_unit(self):
        build = workdir(self)
        unit = os.path.join(build, "systemd", "berth-worker.service")
        for prefix, extra in (("/opt/berth", ["-/opt/berth"]), ("/usr/local", [])):
            done = make("O=" + build, "PREFIX=" + prefix, "SYSCONFDIR=/opt/etc", unit)
            self.assertEqual(0, done.returncode, done.stderr)
            with open(unit, encoding="utf-8") as file:
                text = file.read()
            self.assertIn(f"RootDirectory={prefix}/lib/berth/root\n", text)
            self.assertIn(f"ExecStart={prefix}/sbin/berthd --worker\n", text)
            self.assertIn(" -/opt/etc/berth\n", text)
            self.assertEqual(extra, re.findall(r"^BindReadOnlyPaths=(-/opt.*)$", text, re.M))
            self.assertNotIn("@OUTSIDE@", text)

    def test_verify_finds_nothing(self):
        proc.need("systemd-analyze")
        units = [os.path.join(self.dir, name) for name in sorted(os.listdir(self.dir))
                 if name != "berthd"]
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units],
                              capture_output=True, text=True, check=False)
        found = [line for line in (done.stdout + done.stderr).splitlines()
                 if re.search(r"berth", line)]
        self.assertEqual([], found)

    def test_the_sandbox_is_as_tight_as_it_was_built_to_be(self):
        proc.need("systemd-analyze")
        for name, threshold in (("berthd", 5), ("berth-worker", 10), ("berth-hooks", 12)):
            done = subprocess.run(
                ["systemd-analyze", "security", "--offline=yes", f"--threshold={threshold}",
                 os.path.join(self.dir, name + ".service")], capture_output=True, text=True,
                check=False)
            self.assertEqual(0, done.returncode, done.stdout[-300:] + done.stderr)

    def test_peer_credentials_are_not_hidden_from_berthd(self):
        with open(os.path.join(self.dir, "berthd.service"), encoding="utf-8") as file:
            text = file.read()
        self.assertNotRegex(text, r"(?m)^PrivateUsers=")
        self.assertRegex(text, r"(?m)^RestrictAddressFamilies=AF_UNIX$")


if __name__ == "__main__":
    unittest.main()
