#!/usr/bin/env python3
"""Tests of the time limits in tests/kit.py and of the shards in tests/shards.py.

  python3 tests/tools/kit_test.py
"""

import contextlib
import io
import pathlib
import shutil
import sys
import tempfile
import textwrap
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import kit  # noqa: E402
import shards  # noqa: E402

# Simulates a doctest program with `--reporters=console,announce`. It hangs, crashes or fails if the name of its source
# file contains this word.
PROGRAM = textwrap.dedent("""
    import os, sys, time
    file = sys.argv[-1].split("=")[1]
    print(f"[case] {file}:7: the first", flush=True)
    print(f"[case] {file}:9: the {file} one", flush=True)
    if "hang" in file: time.sleep(60)
    if "crash" in file: os.abort()
    failed = int("fail" in file)
    print("[doctest] test cases:  2 |  %d passed | %d failed | 6 skipped" % (2 - failed, failed))
    print("[doctest] Status: " + ("FAILURE!" if failed else "SUCCESS!"))
    sys.exit(failed)
""")


class Clock:
    """A simulated clock and load average."""

    def __init__(self):
        self.now, self.load = 100.0, 1.0

    def limit(self, seconds):
        return kit.Limit(seconds, clock=lambda: self.now, load=lambda: self.load)


class Limits(unittest.TestCase):
    def test_on_an_idle_machine_the_limit_applies_unchanged(self):
        clock = Clock()
        limit = clock.limit(10)
        clock.now += 9
        self.assertEqual(limit.passed(), "")
        clock.now += 2
        self.assertIn("stopped after 11 s: the limit is 10 s", limit.passed())

    def test_on_a_busy_machine_the_limit_is_extended(self):
        clock = Clock()
        limit, clock.load = clock.limit(10), 4.0
        clock.now += 39
        self.assertEqual(limit.passed(), "")
        clock.load = 1.0
        clock.now += 2                                      # 39 s at a load of 4 and 2 s at a load of 1
        self.assertIn("the load was 3.5 per core", limit.passed())

    def test_processor_time_has_a_limit_at_any_load(self):
        clock = Clock()
        limit, clock.load = clock.limit(10), 8.0
        self.assertEqual(limit.passed(10 * kit.CORES), "")
        self.assertIn("of processor time", limit.passed(10 * kit.CORES + 1))

    def test_a_program_that_hangs_is_stopped_and_its_output_is_returned(self):
        began = time.monotonic()
        text = "import time; print('here', flush=True); time.sleep(60)"
        code, output = kit.run([sys.executable, "-c", text], timeout=0.5)
        self.assertEqual(code, -1)
        self.assertRegex(output, r"^here\n\nstopped after \d+ s: the limit is 0.5 s")
        self.assertLess(time.monotonic() - began, 30)

    def test_a_program_that_computes_without_end_is_stopped(self):
        code, output = kit.run([sys.executable, "-c", "while True: pass"], timeout=1)
        self.assertEqual(code, -1)
        self.assertIn("stopped after", output)

    def test_the_children_of_a_stopped_program_are_stopped(self):
        text = "import os, time; print(os.fork() or os.setpgid(0, 0) or os.getpid(), flush=True); time.sleep(60)"
        code, output = kit.run([sys.executable, "-c", text], timeout=1)
        self.assertEqual(code, -1)
        for pid in {int(word) for word in output.split("stopped")[0].split()}:
            with contextlib.suppress(FileNotFoundError):    # an orphan may still wait for its new parent
                self.assertIn("State:\tZ", pathlib.Path(f"/proc/{pid}/status").read_text())

    def test_run_does_not_wait_for_background_processes(self):
        text = "import os, time\nif os.fork() == 0: time.sleep(5)\nelse: print('done')"
        began = time.monotonic()
        self.assertEqual(kit.run([sys.executable, "-c", text]), (0, "done\n"))
        self.assertLess(time.monotonic() - began, 5)

    def test_a_program_that_is_being_written_is_started_when_it_is_complete(self):
        with tempfile.TemporaryDirectory() as folder:
            program = shutil.copy(shutil.which("true"), folder)
            writer = open(program, "ab")
            threading.Timer(0.3, writer.close).start()
            self.assertEqual(kit.run([program]), (0, ""))

    def test_eventually_returns_the_last_result(self):
        results = iter([0, 0, 7])
        self.assertEqual(kit.eventually(lambda: next(results)), 7)
        self.assertEqual(kit.eventually(lambda: 0, seconds=0.05), 0)


class Shards(unittest.TestCase):
    def results(self, *names, limit=60):
        """Runs each name as a source file; returns (tally, report)."""
        def start(arguments, _):
            return kit.run([sys.executable, "-c", PROGRAM, *arguments], timeout=limit)

        tally, report = kit.Tally(), io.StringIO()
        with contextlib.redirect_stdout(report):
            shards.run_shards(tally, [shards.Shard(name, [name]) for name in names], start, 2)
        return tally, report.getvalue()

    def test_a_hang_fails_one_shard_and_names_the_test_case(self):
        tally, report = self.results("a", "hang", "b", "c", limit=1.5)
        self.assertEqual((tally.passed, tally.failed), (6, 1))
        self.assertIn("FAIL  hang runs to its end", report)
        self.assertIn("exit code -1, in the test case hang:9: the hang one", report)
        self.assertIn("stopped after", report)

    def test_a_crash_fails_one_shard_and_names_the_test_case(self):
        tally, report = self.results("a", "crash", "b", "c")
        self.assertEqual((tally.passed, tally.failed), (6, 1))
        self.assertIn("in the test case crash:9: the crash one", report)

    def test_a_failed_test_case_is_counted(self):
        tally, report = self.results("a", "b", "c", "fail")
        self.assertEqual((tally.passed, tally.failed), (7, 1))
        self.assertIn("FAIL  fail: 1 of 2 test cases failed", report)

    def test_results_are_reported_in_the_order_of_the_shards(self):
        _, report = self.results("a", "b", "c", "d")
        self.assertEqual([line.split()[1] for line in report.splitlines()], ["a:", "b:", "c:", "d:"])

    def test_a_test_case_that_no_shard_runs_is_a_failure(self):
        tally, report = self.results("a", "b", "c")         # 6 of 8 test cases
        self.assertEqual((tally.passed, tally.failed), (6, 1))
        self.assertIn("FAIL  every test case ran", report)

    def test_a_shard_contains_files_of_one_folder(self):
        files = [pathlib.Path("/t", name) for name in ("x/a.cpp", "x/b.cpp", "x/c.cpp", "y/d.cpp")]
        names = [shard.name for shard in shards.shards_of(files, pathlib.Path("/t"), 2)]
        self.assertEqual(names, ["x/a b", "x/c", "y/d"])


if __name__ == "__main__":
    unittest.main()
