#!/usr/bin/env python3
"""Mutation testing: changes one token of a header and runs the unit tests of its folder. A mutant that no test detects
shows a missing test. Run by hand; docs/testing.md has the results.

  tests/mutate/mutate.py FOLDER... [--count N] [--minutes M] [--seed S]

FOLDER     a folder of include/winsvc with unit tests: base, settings, route, wire, scm, commandline, log
--count    mutants per folder (default 40)
--minutes  maximum time for all folders (default 10)
--seed     number that selects the mutants (default 1); the same seed selects the same ones

A mutant that does not compile is not counted, except if a static_assert rejects it. A test that does not end within
60 s counts as a detection. The mutants that were not detected are listed with file, line and change.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILE = ["nice", "-n", "10", "clang++", "-std=c++17", "-O0", "-w", "-isystem",
           str(ROOT / "build" / "deps" / "include")]
TEST_LIMIT = 60     # seconds

OPERATORS = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&", "+": "-",
             "-": "+", "+=": "-=", "-=": "+=", "*": "/", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "%": "*"}
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
NO_CODE = re.compile(r"\s*(#|//|template|namespace|inline namespace|using|static_assert|$)")


def mutants_of_line(line):
    """Pairs (description, changed line) of one line of code."""
    if NO_CODE.match(line):
        return
    comment = line.find("//")
    code = LITERAL.sub(lambda text: "\1" * len(text.group()), line if comment < 0 else line[:comment])

    def replaced(match, text, group=0):
        return line[:match.start(group)] + text + line[match.end(group):]

    for match in re.finditer(r" (==|!=|<=|>=|<<|>>|&&|\|\||\+=|-=|[<>+\-*&|%]) ", code):
        yield f"{match.group(1)} becomes {OPERATORS[match.group(1)]}", replaced(match, OPERATORS[match.group(1)], 1)
    for match in re.finditer(r"(?<![\w.:'])(\d+)(?![\w.'])", code):
        yield f"{match.group(1)} becomes {int(match.group(1)) + 1}", replaced(match, str(int(match.group(1)) + 1))
    for match in re.finditer(r"\b(true|false)\b", code):
        other = "false" if match.group() == "true" else "true"
        yield f"{match.group()} becomes {other}", replaced(match, other)
    for match in re.finditer(r"(?<=[( ,])!(?=[\w(])", code):
        yield "a negation is removed", replaced(match, "")
    for match in re.finditer(r"\bcontinue;", code):
        yield "continue becomes break", replaced(match, "break;")
    statement = re.match(r"(\s+)(?!return|throw|break|continue|else|case|using|const |auto |friend)[\w.>:\[\]()-]+"
                         r"( = | \+= |\(|\.push_back\(|\+\+).*;$", code)
    if statement and code.count("(") == code.count(")"):
        yield "a statement is removed", statement.group(1) + ";"


def headers_included_by(path, seen):
    for name in re.findall(r'^#include "(winsvc/[^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
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
    """Compiles and runs tests against a copy of the headers."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.include = scratch / "include"
        shutil.copytree(ROOT / "include", self.include)
        self.main = scratch / "main.o"
        subprocess.run([*COMPILE, "-c", str(ROOT / "tests" / "main.cpp"), "-o", str(self.main)], check=True)

    def test(self, path):
        """True if the test passes, False if it detects something, None if it does not compile."""
        program = self.scratch / "test"
        command = [*COMPILE, f"-I{self.include}", str(path), str(self.main), "-o", str(program), "-pthread"]
        code, output = run(command, 300)
        if code != 0:
            return False if "static_assert" in output or "static assertion" in output else None
        code, _ = run(["nice", "-n", "10", str(program), "--abort-after=1"], TEST_LIMIT)
        return code == 0

    def is_detected(self, header, tests):
        """The test whose name is the header's comes first."""
        users = sorted((path for path, names in tests.items() if header in names),
                       key=lambda path: (path.stem != Path(header).stem, len(tests[path])))
        for path in users:
            passed = self.test(path)
            if not passed:
                return None if passed is None else True
        return False if users else None


def mutate_folder(judge, folder, count, deadline, seed):
    tests = tests_of(folder)
    sites = []
    for path in sorted((ROOT / "include" / "winsvc" / folder).glob("*.hpp")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")):
            sites += [(path, number, text, changed) for text, changed in mutants_of_line(line) if changed != line]
    random.Random(seed).shuffle(sites)
    detected, missed = 0, []
    for path, number, text, changed in sites:
        if detected + len(missed) >= count or time.monotonic() > deadline:
            break
        name = path.relative_to(ROOT / "include").as_posix()
        lines = path.read_text(encoding="utf-8").split("\n")
        lines[number] = changed
        (judge.include / name).write_text("\n".join(lines), encoding="utf-8")
        result = judge.is_detected(name, tests)
        shutil.copyfile(path, judge.include / name)
        if result:
            detected += 1
        elif result is False:
            missed.append(f"{name}:{number + 1}: {text}: {changed.strip()}")
    return detected, missed


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    deadline = time.monotonic() + options.minutes * 60
    build = ROOT / "build" / "mutate"
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        judge = Judge(Path(scratch))
        for folder in options.folders:
            detected, missed = mutate_folder(judge, folder, options.count, deadline, options.seed)
            print(f"{folder}: {detected} of {detected + len(missed)} mutants detected", flush=True)
            for text in missed:
                print("  " + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
