#!/usr/bin/env python3
"""Tests of the choice of files in tests/units.py, and of the sources that it makes of them.

  python3 tests/tools/units_test.py
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import units  # noqa: E402

TESTS = units.ROOT / "tests"


def content(name):
    return (TESTS / f"{name}.cpp").read_text(encoding="utf-8")


class FilesWithThreads(unittest.TestCase):
    def test_a_file_that_is_excluded_from_the_thread_sanitizer_creates_no_thread(self):
        for name in units.WITHOUT_THREADS:
            with self.subTest(name):
                found = units.CERTAIN_THREADS.search(units.text_with_tsan(content(name)))
                self.assertIsNone(found, f"tests/{name}.cpp creates a thread: remove it from WITHOUT_THREADS")

    def test_an_exception_would_be_chosen_without_it(self):
        for name in (*units.WITHOUT_THREADS, *units.TOO_LONG_WITH_TSAN):
            with self.subTest(name):
                self.assertIsNotNone(units.CREATES_THREADS.search(units.text_with_tsan(content(name))))

    def test_each_way_to_create_a_thread_is_found(self):
        for line in ("  std::thread first(work);", "  winsvc::host host(app);", "  engine.start();", "  test_engine s;",
                     "  scoped_thread t(work);", "  winsvc::testing::simulated_scm scm;", "  if (fork() == 0) {"):
            with self.subTest(line):
                self.assertIsNotNone(units.CERTAIN_THREADS.search(line))
        self.assertIsNone(units.CERTAIN_THREADS.search("has_engine = true; template_engine& e; std::atomic<int> n;"))

    def test_lines_that_are_not_compiled_with_the_thread_sanitizer_do_not_count(self):
        text = ("a\n#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)\nb\n  #ifdef X\nc\n  #endif\n"
                "#else\nd\n#endif\n#ifndef CPPHTTPLIB_OPENSSL_SUPPORT\ne\n#else\nf\n#endif\n"
                "#ifdef CPPHTTPLIB_OPENSSL_SUPPORT\ng\n#endif\n#ifdef _WIN32\nh\n#else\ni\n#endif\n")
        self.assertEqual(units.text_with_tsan(text).split(), ["a", "d", "e", "h", "i"])

    def test_the_files_that_replace_api_examples_are_chosen(self):
        chosen = {f"{path.parent.name}/{path.stem}" for path in units.sources("threads", "tsan")}
        self.assertLessEqual({"host/embedded_host", "testing/scm", "server/engine", "server/engine_slot"}, chosen)
        self.assertNotIn("server/simulation", chosen)


class FilesReadTogether(unittest.TestCase):
    def test_the_headers_of_all_files_come_before_the_first_namespace(self):
        text = units.text_of([TESTS / "cli" / "output.cpp", TESTS / "cli" / "run.cpp"])
        headers, _, bodies = text.partition("namespace ")
        for wanted in ("#include <doctest/doctest.h>", "  #include <fcntl.h>", f'  #include "{TESTS}/cli/machine.hpp"'):
            self.assertIn(f"\n{wanted}\n", headers)
        self.assertEqual(re.findall(r'#include "(.*)"', bodies), [f"{TESTS}/cli/output.cpp", f"{TESTS}/cli/run.cpp"])
        self.assertEqual(len(re.findall(r"^ *#if", headers, re.MULTILINE)), headers.count("#endif"))

    def test_a_macro_that_decides_about_a_header_is_defined_before_it(self):
        headers = units.text_of([TESTS / "server" / "simulation.cpp"]).partition("namespace ")[0]
        self.assertLess(headers.index("#define SIMULATION_WITH_SANITIZER"), headers.index("simulated_run.hpp"))

    def test_each_file_is_in_one_source(self):
        class Sources:
            folder = units.ROOT / "build" / "test" / "units_test"

        files = units.sources("http", "clang")
        read = [path for _, source in units.sources_to_compile(Sources, files)
                for path in (re.findall(r'^namespace file_\d+ {\n#include "(.*)"', source.read_text(encoding="utf-8"),
                                        re.MULTILINE) or [str(source)])]
        self.assertEqual(sorted(read), sorted(map(str, files)))
        self.assertIn(str(TESTS / "host" / "memory_shortage.cpp"), read)   # it replaces operator new


if __name__ == "__main__":
    unittest.main()
