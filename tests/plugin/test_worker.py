# SPDX-License-Identifier: Apache-2.0
"""The worker: a job's crash, hang or greed ends that job alone, with a word."""

import os
import signal
import unittest

from berthtest import proc, workdir
from berthtest.worker import Job, Worker, is_sanitized

CONFIG = """
jobs: { grace_ms = 200; children_max = 4; hello_ms = 3000; items_max = 1000;
        progress_per_s = 10; memory_max_bytes = 536870912; };
"""
SECRET = "hunter2-very-secret"


class WorkerCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.worker = Worker(workdir(cls), config=CONFIG).start()
        cls.addClassCleanup(cls.worker.stop)

    def job(self, kind, act="well", **more):
        return self.worker.job(kind, act, **more)

    def error(self, kind, act="well", **more):
        result = self.job(kind, act, **more).result()
        self.assertIsNotNone(result, "the connection ended without a result")
        self.assertFalse(result["ok"], result)
        return result["error"]

    def still_works(self):
        self.assertTrue(self.job("probe").result()["ok"])


class Jobs(WorkerCase):
    def test_hello_items_and_result_come_in_order(self):
        job = self.job("probe", args={"scope": "workspace"})
        self.assertEqual({"t": "result", "ok": True, "value": None}, job.result())
        self.assertEqual("hello", job.frames[0]["t"])
        self.assertEqual([("scope", {"scope": "workspace"}), ("product", {"value": "fixture"})],
                         [(item["name"], item["more"]) for item in job.items()])

    def test_refresh_gives_each_repository_and_then_its_tags(self):
        job = self.job("refresh")
        self.assertEqual({"repositories": 3, "tags": 4}, job.result()["value"])
        self.assertEqual(
            [("repository", "team/app0"), ("tag", "latest"), ("tag", "1.0"),
             ("repository", "team/app1"),
             ("repository", "team/app2"), ("tag", "latest"), ("tag", "1.0")],
            [(item["kind"], item["name"]) for item in job.items()])
        self.assertEqual([None, 1000, 2000], [item.get("updated_ms") for item in job.items()
                                              if item["kind"] == "repository"])
        self.assertEqual("team/app2", job.items()[-1]["id"])
        self.assertEqual({"pulls": 4}, job.items()[-1]["more"])

    def test_what_a_plugin_keeps_goes_to_berthd_and_comes_back(self):
        job = self.job("overview", instance={"kept": {"seen": 0}})
        self.assertTrue(job.result()["ok"])
        self.assertEqual({"seen": 0}, job.items()[0]["more"])
        self.assertEqual([{"t": "keep", "instance": "it", "state": {"seen": 1}}], job.of("keep"))
        job = self.job("overview", "forget")
        self.assertTrue(job.result()["ok"])
        self.assertIsNone(job.of("keep")[0]["state"])

    def test_progress_is_at_most_ten_a_second_and_the_last_is_never_lost(self):
        job = self.job("repositories", options={"count": "900"})
        self.assertTrue(job.result()["ok"])
        progress = job.of("progress")
        self.assertLess(len(progress), 100)
        self.assertEqual((899, 900), (progress[-1]["done"], progress[-1]["total"]))

    def test_a_slot_that_is_not_there_is_unsupported_in_words(self):
        error = self.error("tag-delete", args={"repository": "r", "tag": "t"})
        self.assertEqual(("unsupported", "plugin fixture does not support tag_delete"),
                         (error["code"], error["message"]))

    def test_wrong_calls_are_refused(self):
        for call, message in (
                ({"kind": "dance"}, "the worker knows no job of kind 'dance'"),
                ({"kind": "probe"}, "a job of kind probe needs 'instance'"),
                ({"kind": "probe", "args": {"instance": "x"}},
                 "the call names no instance 'x'"),
                ({"kind": "probe", "args": {"instance": "x"},
                  "instances": {"x": {"plugin": "nope"}}}, "there is no plugin 'nope'")):
            result = Job(self.worker.socket, call).result()
            self.assertEqual(message, result["error"]["message"])

    def test_what_is_no_call_ends_the_connection(self):
        for junk in (b"{", b"[]", b"{}", b'{"t":"call"}', b'{"t":"cancel"}', b"x" * 70000):
            job = Job(self.worker.socket, None)
            job.send(junk)
            result = job.result()
            self.assertTrue(result is None or not result["ok"])
        self.still_works()


class Options(WorkerCase):
    def cause(self, **options):
        error = self.error("probe", options=options)
        self.assertEqual(("invalid", "'it' is not configured right"),
                         (error["code"], error["message"]))
        return error["cause"]

    def test_values_are_checked_before_the_plugin_sees_them(self):
        self.assertEqual("option 'count' 'many' is no int", self.cause(count="many"))
        self.assertEqual("option 'quick' 'yes' is no bool", self.cause(quick="yes"))
        self.assertEqual("option 'pause_ms' '-1' is no duration_ms", self.cause(pause_ms="-1"))
        self.assertEqual("option 'address' 'here' is no url", self.cause(address="here"))
        self.assertEqual("plugin fixture has no option 'cuont' (did you mean count?)",
                         self.cause(cuont="1"))

    def test_a_missing_option_is_named(self):
        result = Job(self.worker.socket, {
            "kind": "probe", "args": {"instance": "it"},
            "instances": {"it": {"plugin": "fixture", "options": {}}}}).result()
        self.assertEqual("option 'address' is missing", result["error"]["cause"])

    def test_own_fields_that_a_plugin_does_not_take_are_no_mistake(self):
        self.assertTrue(self.job("probe", options={"tls_ca": "x"}).result()["ok"])

    def test_a_plugin_that_does_not_open_says_so(self):
        error = self.error("probe", "open-fails")
        self.assertEqual(("invalid", "the fixture does not open"),
                         (error["code"], error["message"]))


class Border(WorkerCase):
    def test_wrong_items_are_refused_at_the_border(self):
        for act, cause in (
                ("item-utf8", "an item's name is not UTF-8"),
                ("item-kind", "an item has the unknown kind 99"),
                ("item-size", "an item has size 3, which is too small"),
                ("item-array", "an item's more_json is not right: not a JSON object"),
                ("item-digest", "an item's digest is none"),
                ("item-control", "an item's name has a control character"),
                ("item-number", "an item's number is out of range"),
                ("item-json", "an item's more_json is not right")):
            with self.subTest(act):
                job = self.job("probe", act)
                error = job.result()["error"]
                self.assertEqual(("protocol", "probe of 'it' was stopped"),
                                 (error["code"], error["message"]))
                self.assertTrue(error["cause"].startswith(cause), error["cause"])
                self.assertEqual([], job.items())

    def test_a_flood_of_items_is_cut_off(self):
        job = self.job("repositories", "flood", options={"count": "5000"})
        error = job.result()["error"]
        self.assertEqual(("limit", "more than 1000 items"), (error["code"], error["cause"]))
        self.assertEqual(1000, len(job.items()))

    def test_an_error_without_a_reason_or_with_an_odd_code_is_made_readable(self):
        error = self.error("probe", "silent-failure")
        self.assertEqual(("protocol", "plugin fixture gave no reason"),
                         (error["code"], error["message"]))
        error = self.error("probe", "odd-code")
        self.assertEqual(("protocol", "plugin fixture answered probe with the unknown code -77"),
                         (error["code"], error["message"]))

    def test_secrets_are_masked_in_logs_and_errors(self):
        job = self.job("probe", options={"username": "me", "password": SECRET})
        self.assertTrue(job.result()["ok"])
        self.assertEqual(["probing as me with " + "*" * len(SECRET)],
                         [frame["text"] for frame in job.of("log")])
        error = self.error("probe", "leaky-error", options={"password": SECRET})
        self.assertEqual("password " + "*" * len(SECRET) + " was refused", error["message"])
        self.assertNotIn(SECRET, self.worker.log())


class Ends(WorkerCase):
    def test_a_crash_names_the_signal_and_the_call(self):
        error = self.error("probe", "crash")
        self.assertEqual(("internal", "worker crashed: SIGSEGV in probe of plugin fixture",
                          5, signal.SIGSEGV),
                         (error["code"], error["message"], error["from"], error["upstream"]))
        error = self.error("probe", "open-crashes")
        self.assertEqual("worker crashed: SIGABRT in open of plugin fixture", error["message"])
        self.still_works()

    def test_a_write_that_nobody_reads_is_an_error_and_no_crash(self):
        error = self.error("probe", "write-to-nobody")
        self.assertEqual(("unavailable", "nobody reads this"), (error["code"], error["message"]))

    def test_a_plugin_that_ends_the_process_is_named(self):
        error = self.error("probe", "exit")
        self.assertEqual("worker crashed: exit status 3 in probe of plugin fixture",
                         error["message"])

    @unittest.skipIf(is_sanitized(), "address space is not capped under the sanitizers")
    def test_one_gib_ends_that_job_alone(self):
        other = self.job("probe", "wait", deadline_ms=3000)
        other.until("hello")
        error = self.error("probe", "allocate")
        self.assertEqual(("no-memory", "1 GiB cannot be had"), (error["code"], error["message"]))
        self.assertEqual("timeout", other.result()["error"]["code"])

    def test_a_hang_past_the_deadline_is_ended(self):
        error = self.error("probe", "hang", deadline_ms=1000)
        self.assertEqual(("timeout", "the job was stopped: it slept through its deadline",
                          "it was in probe of plugin fixture"),
                         (error["code"], error["message"], error["cause"]))

    def test_a_job_deaf_to_sigterm_is_killed(self):
        error = self.error("probe", "hang-deaf", deadline_ms=1000)
        self.assertEqual("timeout", error["code"])
        self.worker.wait_idle()

    def test_a_deadline_is_seen_by_a_plugin_that_asks(self):
        error = self.error("probe", "wait", deadline_ms=1000)
        self.assertEqual(("timeout", "the caller gave up"), (error["code"], error["message"]))

    def test_an_interrupt_of_the_terminal_is_not_a_jobs(self):
        job = self.job("probe", "wait")
        pid = job.until("hello")["pid"]
        job.until("progress")
        os.kill(pid, signal.SIGINT)
        job.cancel()
        error = job.result()["error"]
        self.assertEqual(("cancelled", "the caller gave up"), (error["code"], error["message"]))

    def test_a_cancel_is_seen_by_a_plugin_that_asks(self):
        job = self.job("probe", "wait")
        job.until("progress")
        job.cancel()
        error = job.result()["error"]
        self.assertEqual(("cancelled", "the caller gave up"), (error["code"], error["message"]))

    def test_a_cancel_unheeded_is_enforced_and_answered(self):
        job = self.job("probe", "hang-deaf")
        job.until("progress")
        job.cancel()
        error = job.result()["error"]
        self.assertEqual(("cancelled", "the job was stopped: it did not heed its cancel"),
                         (error["code"], error["message"]))

    def test_a_connection_that_is_gone_ends_the_child(self):
        job = self.job("probe", "hang")
        job.until("hello")
        self.assertEqual(1, len(self.worker.children()))
        job.sock.close()
        self.worker.wait_idle()

    def test_a_stopped_child_is_killed_at_its_deadline(self):
        job = self.job("probe", "hang", deadline_ms=3000)
        pid = job.until("hello")["pid"]
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual("timeout", job.result()["error"]["code"])
        self.worker.wait_idle()

    def test_a_client_without_a_word_is_not_waited_for_long(self):
        job = Job(self.worker.socket, None)
        self.assertIsNotNone(job.until("hello"))
        job.until("result")
        self.worker.wait_idle()

    def test_more_jobs_than_children_wait_and_are_done(self):
        jobs = [self.job("probe", "wait", deadline_ms=300) for _ in range(9)]
        self.assertLessEqual(len(self.worker.children()), 4)
        for job in jobs:
            self.assertEqual("timeout", job.result()["error"]["code"])

    def test_a_storm_of_crashes_leaves_the_worker_whole(self):
        self.worker.wait_idle()
        before = len(os.listdir(f"/proc/{self.worker.process.pid}/fd"))
        for _ in range(50):
            self.assertEqual("internal", self.error("probe", "crash")["code"])
        self.worker.wait_idle()
        proc.wait_until(
            lambda: len(os.listdir(f"/proc/{self.worker.process.pid}/fd")) <= before,
            "no descriptor is left")
        self.still_works()

    def test_a_child_has_no_descriptor_of_its_siblings(self):
        first = self.job("probe", "hang")
        first.until("hello")
        second = self.job("probe", "hang")
        second.until("progress")
        pid = second.frames[0]["pid"]
        if os.geteuid():
            # A job has secrets in memory: it is closed to others of its user.
            with self.assertRaises(PermissionError):
                os.listdir(f"/proc/{pid}/fd")
        else:
            open_now = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            self.assertEqual(1, len([path for path in open_now if path.startswith("socket:")]))
        first.sock.close()
        second.sock.close()
        self.worker.wait_idle()


class Programs(WorkerCase):
    def run_shell(self, line, program="/bin/sh", **more):
        return self.job("probe", "run", options={"program": program, "argument": line}, **more)

    def test_output_status_and_environment_are_the_programs_own(self):
        job = self.run_shell("env; exit 3")
        self.assertTrue(job.result()["ok"])
        text = "".join(item["name"] for item in job.items() if item["kind"] == "log")
        self.assertIn("ONLY=this\n", text)
        self.assertNotIn("PATH=/", text.replace("OLDPATH", ""))
        self.assertEqual({"value": 3}, job.items()[-1]["more"])

    def test_a_program_whose_end_could_not_be_seen_is_not_left_running(self):
        mark = f"88{os.getpid()}"
        error = self.error("probe", "run-unwatched", options={
            "program": "/bin/sh", "argument": f"sleep {mark}; true"})
        if error["code"] == "unsupported":
            self.skipTest(error["message"])
        self.assertEqual(("denied", "cannot watch /bin/sh"), (error["code"], error["message"]))
        proc.wait_until(lambda: not running("sleep", mark), "no sleep is left")

    def test_a_signal_is_128_and_its_number(self):
        job = self.run_shell("kill -9 $$")
        self.assertTrue(job.result()["ok"])
        self.assertEqual({"value": 137}, job.items()[-1]["more"])

    def test_too_much_output_stops_the_program(self):
        error = self.run_shell("echo oops >&2; yes").result()["error"]
        self.assertEqual(("limit", "/bin/sh was stopped: it wrote too much"),
                         (error["code"], error["message"]))

    def test_programs_that_may_not_run_are_refused(self):
        folder = workdir(self)
        loose = os.path.join(folder, "loose")
        with open(loose, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n")
        os.chmod(loose, 0o777)
        for program, code in ((loose, "denied"), ("sh", "invalid"),
                              (os.path.join(folder, "absent"), "not-found")):
            self.assertEqual(code, self.run_shell("true", program).result()["error"]["code"])

    def test_the_whole_group_ends_with_the_call(self):
        mark = f"86{os.getpid()}"
        job = self.run_shell(f"trap '' TERM; sleep {mark} & sleep {mark}; wait",
                             deadline_ms=1000)
        self.assertEqual("timeout", job.result()["error"]["code"])
        proc.wait_until(lambda: not running("sleep", mark), "no sleep is left")

    def test_a_killed_jobs_program_is_killed_too(self):
        mark = f"87{os.getpid()}"
        job = self.run_shell(f"sleep {mark}; true")
        pid = job.until("hello")["pid"]
        proc.wait_until(lambda: running("sleep", mark), "the program runs")
        os.kill(pid, signal.SIGKILL)
        self.assertEqual("worker crashed: SIGKILL in probe of plugin fixture, perhaps for want "
                         "of memory", job.result()["error"]["message"])
        proc.wait_until(lambda: not running("sleep", mark), "no sleep is left")
        self.worker.wait_idle()


def running(*argv):
    """Process ids with exactly these arguments."""
    want = "\0".join(argv).encode() + b"\0"
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if entry.isdigit() and file.read() == want:
                    found.append(int(entry))
        except OSError:
            continue
    return found


class Stop(unittest.TestCase):
    def test_sigterm_lets_jobs_end_and_then_ends_with_0(self):
        worker = Worker(workdir(self), config=CONFIG).start()
        job = worker.job("probe", "wait", deadline_ms=500)
        job.until("hello")
        worker.process.signal(signal.SIGTERM)
        self.assertEqual("timeout", job.result()["error"]["code"])
        self.assertEqual(0, worker.process.popen.wait(120))

    def test_children_die_with_a_killed_worker(self):
        worker = Worker(workdir(self), config=CONFIG).start()
        job = worker.job("probe", "hang-deaf")
        pid = job.until("hello")["pid"]
        worker.process.signal(signal.SIGKILL)
        self.assertIsNone(job.result())
        proc.wait_until(lambda: not os.path.exists(f"/proc/{pid}") or state(pid) == "Z",
                        "the child is gone")

    def test_a_wrong_configuration_ends_with_78(self):
        worker = Worker(workdir(self), config="jobs: { children_max = 0; };\n")
        with self.assertRaises(AssertionError):
            worker.start()
        self.assertEqual(78, worker.process.popen.returncode)
        self.assertIn("berth.conf:1: expected a whole number from 1 to 1000 for "
                      "jobs.children_max", worker.log())


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


if __name__ == "__main__":
    unittest.main()
