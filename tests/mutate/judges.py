"""Compiles and runs the tests of a folder against a copy of the headers, in which mutate.py changes one line."""

import concurrent.futures
import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# With _GLIBCXX_ASSERTIONS, an index beyond the end ends the test.
COMPILE = ["nice", "-n", "10", "clang++", "-std=c++17", "-O0", "-w", "-D_GLIBCXX_ASSERTIONS", "-isystem",
           str(ROOT / "build" / "deps" / "include")]
TEST_LIMIT = 60     # seconds
# Precompiled for the tests of `Judge`; no header of winsvc, which mutants change.
LIBRARY = ("algorithm", "array", "atomic", "chrono", "condition_variable", "cstdio", "cstring", "deque", "functional",
           "map", "memory", "mutex", "optional", "random", "set", "sstream", "string", "string_view", "thread",
           "variant", "vector", "doctest/doctest.h")

# Folders whose tests compile with cpp-httplib, and the folders of their tests. In the separate form, the objects of the
# tests stay, and one part of the bodies is compiled for a mutant.
WEB, VERBS = ("addons", "api", "http"), ("cli", "diagnose", "manage")
SEPARATE_FOLDERS = {**dict.fromkeys(WEB, WEB), **dict.fromkeys(VERBS, VERBS), "server": ("server",),
                    "host": ("host", "cli")}  # tests/cli has the tests of `status`
# The tests that take longest, and those that need allocations of host/memory_shortage or another build.
OMITTED = {"server/simulation", "server/crowd", "server/tls", "host/memory_shortage", "host/sequences",
           "host/timed_sequences", "host/allocation_sweep_host", "host/allocation_sweep_http",
           "host/allocation_sweep_log", "host/allocation_sweep_setup", "manage/allocation_sweep_verbs"}
SEPARATE_LIMIT = 120  # seconds


def headers_included_by(path, seen):
    for name in re.findall(r'^#include ["<](winsvc/[^">]+)[">]', path.read_text(encoding="utf-8"), re.MULTILINE):
        if name not in seen:
            seen.add(name)
            headers_included_by(ROOT / "include" / name, seen)
    return seen


def tests_of(folder):
    """The tests of a folder, each with the headers that it includes."""
    return {path: headers_included_by(path, set()) for path in sorted((ROOT / "tests" / folder).glob("*.cpp"))}


def run(command, limit):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return None, ""


class Judge:
    """Compiles and runs tests of one folder against a copy of the headers."""

    def __init__(self, scratch, folder):
        self.scratch = scratch
        self.tests = tests_of(folder)
        self.include = scratch / "include"
        shutil.copytree(ROOT / "include", self.include)
        self.main = scratch / "main.o"
        subprocess.run([*COMPILE, "-c", str(ROOT / "tests" / "main.cpp"), "-o", str(self.main)], check=True)
        header, self.precompiled = scratch / "library.hpp", scratch / "library.pch"
        header.write_text("".join(f"#include <{name}>\n" for name in LIBRARY), encoding="utf-8")
        subprocess.run([*COMPILE, "-pthread", "-x", "c++-header", str(header), "-o",
                        str(self.precompiled)], check=True)

    def test(self, path):
        """True if the test passes, False if it detects something, None if it does not compile."""
        program = self.scratch / "test"
        command = [*COMPILE, f"-I{self.include}", "-include-pch", str(self.precompiled), str(path),
                   str(self.main), "-fuse-ld=lld", "-o", str(program), "-pthread"]
        code, output = run(command, 300)
        if code != 0:
            return False if "static_assert" in output or "static assertion" in output else None
        code, _ = run(["nice", "-n", "10", str(program), "--abort-after=1"], TEST_LIMIT)
        return code == 0

    @staticmethod
    def first_line(lines):
        return 0

    def is_detected(self, header):
        """The test whose name is the header's comes first."""
        users = sorted((path for path, names in self.tests.items() if header in names),
                       key=lambda path: (path.stem != Path(header).stem, len(self.tests[path])))
        for path in users:
            passed = self.test(path)
            if not passed:
                return None if passed is None else True
        return False if users else None


class SeparateJudge:
    """The same in the separate form, for the lines of function bodies."""

    def __init__(self, scratch, folder):
        self.scratch = scratch
        self.folders = SEPARATE_FOLDERS[folder]
        self.include = scratch / "include"
        shutil.copytree(ROOT / "include", self.include)
        form = (self.include / "winsvc" / "config" / "form.hpp").read_text(encoding="utf-8")
        self.parts = {macro: int(part) for macro, part in
                      re.findall(r"#define (WINSVC_BODIES_\w+) WINSVC_HAS_PART\((\d)\)", form)}
        self.compile = [*COMPILE, f"-I{self.include}"]
        (scratch / "library.hpp").write_text("#include <httplib.h>\n#include <map>\n#include <deque>\n"
                                             "#include <optional>\n#include <variant>\n", encoding="utf-8")
        self._check([*self.compile, "-x", "c++-header", scratch / "library.hpp", "-o", scratch / "library.pch"])
        self._compile_tests([path for name in self.folders for path in (ROOT / "tests" / name).glob("*.cpp")
                             if f"{name}/{path.stem}" not in OMITTED])
        if not all(self.pool(self._compile_part, sorted(set(self.parts.values())))):
            raise RuntimeError("the headers do not compile")
        self._link()
        code, output = self._run_tests("*")
        if code != 0:
            reason = f"do not end within {SEPARATE_LIMIT} s" if code is None else "fail:\n" + output[-3000:]
            raise RuntimeError(f"the tests of {folder}, without a change, {reason}")

    @staticmethod
    def first_line(lines):
        return next((n for n, line in enumerate(lines) if line.startswith("#if WINSVC_BODIES_")), len(lines))

    @staticmethod
    def pool(function, arguments):
        with concurrent.futures.ThreadPoolExecutor(2) as executor:
            return list(executor.map(function, arguments))

    @staticmethod
    def _check(command):
        code, output = run([str(word) for word in command], 600)
        if code != 0:
            raise RuntimeError(output[-3000:])

    def _compile_tests(self, paths):
        options = ["-DWINSVC_SEPARATE=1", "-DWINSVC_TESTING=1", "-DDOCTEST_CONFIG_SUPER_FAST_ASSERTS"]
        header = self.scratch / "tests.hpp"
        header.write_text("#include <winsvc/testing.hpp>\n#include <doctest/doctest.h>\n", encoding="utf-8")
        self._check([*self.compile, *options, "-x", "c++-header", header, "-o", self.scratch / "tests.pch"])
        precompiled = [*self.compile, *options, "-include-pch", self.scratch / "tests.pch"]
        self.objects = [self.scratch / f"{path.parent.name}_{path.stem}.o" for path in paths]
        self.pool(lambda pair: self._check([*precompiled, "-c", pair[0], "-o", pair[1]]), zip(paths, self.objects))
        self.objects.append(self.scratch / "main.o")  # without the precompiled doctest, of which it compiles the bodies
        self._check([*self.compile, "-c", ROOT / "tests" / "main.cpp", "-o", self.objects[-1]])

    def _compile_part(self, part):
        """False if the part does not compile."""
        source = self.scratch / f"part{part}.cpp"
        source.write_text(f"#define WINSVC_IMPLEMENTATION 1\n#define WINSVC_PART {part}\n#include <winsvc.hpp>\n",
                          encoding="utf-8")
        precompiled = ["-include-pch", str(self.scratch / "library.pch")] if part in (3, 4) else []
        code, _ = run([*self.compile, *precompiled, "-c", str(source), "-o", str(source.with_suffix(".o"))], 300)
        return code == 0

    def _link(self):
        parts = [self.scratch / f"part{part}.o" for part in set(self.parts.values())]
        self._check([*self.compile, "-fuse-ld=lld", *self.objects, *parts, "-o", self.scratch / "test", "-pthread"])

    def _run_tests(self, files):
        return run([str(self.scratch / "test"), "--abort-after=1", f"--source-file={files}"], SEPARATE_LIMIT)

    def _passes(self, files):
        return self._run_tests(files)[0] == 0

    def is_detected(self, header):
        """None if the changed header does not compile. The tests of its name and of its folder come first."""
        text = (self.include / header).read_text(encoding="utf-8")
        part = self.parts[re.search(r"^#if (WINSVC_BODIES_\w+)", text, re.MULTILINE).group(1)]
        kept = self.scratch / "kept.o"
        shutil.copyfile(self.scratch / f"part{part}.o", kept)
        try:
            if not self._compile_part(part):
                return None
            self._link()
            folder = Path(header).parent.name
            near = f"*{Path(header).stem.replace('_impl', '')}*,*tests/{folder}/*"
            return not (self._passes(near) and (self.folders == (folder,) or self._passes("*")))
        finally:
            shutil.move(kept, self.scratch / f"part{part}.o")
