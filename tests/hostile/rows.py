# SPDX-License-Identifier: Apache-2.0
"""Makes a unittest class of the table: every row is a test of its own.

The rows are judged side by side before the first test reports, so that one
row's silence is also a test of the others' progress. HOSTILE=TEXT in the
environment chooses rows by name.
"""

import concurrent.futures
import os
import re
import traceback

import hostile  # noqa: F401  fills the table
import judge
from certificates import Certificates
from table import CASES

from berthtest import Client, Registry

AT_ONCE = 6


class Rows:
    """Mix it into a TestCase; call start_rows() in setUpClass when the copier,
    an object with run(case, server, honest), is ready."""

    @classmethod
    def start_honest(cls, folder):
        cls.certificates = Certificates(folder)
        cls.honest = Registry(folder + "/honest").start()
        cls.addClassCleanup(cls.honest.stop)

    @classmethod
    def start_rows(cls, copier, cases):
        chosen = [case for case in cases if os.environ.get("HOSTILE", "") in case.id]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda case: cls._judge(case, copier), chosen)
            cls.complaints = dict(zip((case.id for case in chosen), found))

    @classmethod
    def _judge(cls, case, copier):
        try:
            with Client(cls.honest.url) as client:
                return judge.judge(case, copier, cls.honest, cls.certificates, client)
        except Exception:  # a defect of the table must not hide the other rows
            return ["the case itself failed:\n" + traceback.format_exc()]


def add_rows(test_class, cases=CASES):
    """Give the class a test for each case."""
    for case in cases:
        name = "test_row_" + re.sub(r"\W", "_", case.id)
        setattr(test_class, name, _test_of(case))
    return test_class


def _test_of(case):
    def test(self):
        if case.id not in self.complaints:
            self.skipTest("not chosen by HOSTILE")
        self.assertEqual([], self.complaints[case.id], f"\n{case.end}, fault {case.fault}: "
                                                       f"{case.does}; must: {case.must}")
    test.__doc__ = f"{case.id}: {case.end}, {case.does}: {case.must}"
    return test
