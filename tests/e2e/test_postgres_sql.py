# SPDX-License-Identifier: Apache-2.0
"""The store's SQL is PostgreSQL's too: a real server takes the schema and
prepares every text. The server listens on a socket in a private folder."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest

from berthtest import proc

SQLTEXTS = os.path.join(proc.build_dir(), "tests", "sqltexts")


def find(name):
    """The newest of Debian's versions, or what the PATH has."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"),
                   key=lambda path: int(path.split("/")[4]))
    return found[-1] if found else shutil.which(name)


class Sql(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not all(find(name) for name in ("initdb", "pg_ctl", "psql")):
            raise unittest.SkipTest("PostgreSQL's server is not installed")
        cls.dir = tempfile.mkdtemp(prefix="berth-pg-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.user = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            try:
                entry = pwd.getpwnam("postgres")
            except KeyError:
                raise unittest.SkipTest("there is no user postgres") from None
            cls.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(cls.dir, entry.pw_uid, entry.pw_gid)
        cls.data = os.path.join(cls.dir, "data")
        cls.call("initdb", "-D", cls.data, "-U", "berth", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "--no-sync")
        cls.call("pg_ctl", "-D", cls.data, "-w", "-l", os.path.join(cls.dir, "log"), "-o",
                 f"-k {cls.dir} -c listen_addresses= -c fsync=off", "start")
        cls.addClassCleanup(cls.call, "pg_ctl", "-D", cls.data, "-m", "immediate", "stop")

    @classmethod
    def call(cls, name, *args, **more):
        done = subprocess.run([find(name), *args], cwd=cls.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, **cls.user,
                              **more)
        if done.returncode:
            raise AssertionError(f"{name}: {done.stdout}")
        return done.stdout

    def psql(self, script):
        return self.call("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.dir, "-U",
                         "berth", "-d", "postgres", "-A", "-t", "-f", "-", input=script)

    def test_schema_and_texts_are_taken(self):
        script = subprocess.run([SQLTEXTS], check=True, capture_output=True, text=True).stdout
        self.assertGreater(script.count("PREPARE"), 40)
        checks = """
            SELECT count(*) FROM pg_prepared_statements;
            EXECUTE "sequence-next" ('x');
            EXECUTE "sequence-next" ('x');
            EXECUTE "sequence-last" ('x');
        """
        answers = self.psql(script + checks).split()
        self.assertEqual([str(script.count("PREPARE")), "2"], answers)


if __name__ == "__main__":
    unittest.main()
