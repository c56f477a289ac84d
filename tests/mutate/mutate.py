#!/usr/bin/env python3
"""Mutation testing: changes one token of a header and runs the unit tests of its folder. A mutant that no test detects
shows a missing test. Run by hand; docs/testing.md has the results.

  tests/mutate/mutate.py FOLDER... [--count N] [--minutes M] [--seed S]

FOLDER     a folder of include/winsvc with unit tests: base, settings, route, wire, scm, commandline, log; or, in the
           separate form (SeparateJudge), api, addons, http, server, host, manage, diagnose, cli
--count    mutants per folder (default 40)
--minutes  maximum time for the mutants of a folder (default 10)
--seed     number that selects the mutants (default 1); the same seed selects the same ones

A mutant that does not compile is not counted, except if a static_assert rejects it. A test program that does not end
within its limit counts as a detection. The mutants that were not detected are listed with file, line and change.
"""

import argparse
import itertools
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from judges import ROOT, SEPARATE_FOLDERS, Judge, SeparateJudge

OPERATORS = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&", "+": "-",
             "-": "+", "+=": "-=", "-=": "+=", "*": "/", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "%": "*"}
LITERAL = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
NO_CODE = re.compile(r"\s*(#|//|template|namespace|inline namespace|using|static_assert|$)")
# Lines that only reserve memory: without them, the same happens with more allocations. (Where a reservation prevents
# a partial change, only an allocation that fails shows it; host/allocation_sweep_* has these.)
RESERVES = re.compile(r"\breserve(_one)?\(")


def mutants_of_line(line):
    """Pairs (description, changed line) of one line of code."""
    if NO_CODE.match(line) or RESERVES.search(line):
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


def sites_of(folder, begin_of):
    """(path, line number, change, changed line) of each mutant of a folder, from the line
    `begin_of(lines)` on."""
    sites = []
    for path in sorted((ROOT / "include" / "winsvc" / folder).glob("*.hpp")):
        lines = path.read_text(encoding="utf-8").split("\n")
        for number in range(begin_of(lines), len(lines)):
            sites += [(path, number, text, changed) for text, changed in mutants_of_line(lines[number])
                      if changed != lines[number]]
    return sites


def mutate_folder(judge, folder, count, deadline, seed):
    sites = sites_of(folder, judge.first_line)
    random.Random(seed).shuffle(sites)
    detected, missed = 0, []
    for path, number, text, changed in sites:
        if detected + len(missed) >= count or time.monotonic() > deadline:
            break
        name = path.relative_to(ROOT / "include").as_posix()
        lines = path.read_text(encoding="utf-8").split("\n")
        lines[number] = changed
        (judge.include / name).write_text("\n".join(lines), encoding="utf-8")
        result = judge.is_detected(name)
        shutil.copyfile(path, judge.include / name)
        if result:
            detected += 1
        elif result is False:
            missed.append(f"{name}:{number + 1}: {text}: {changed.strip()}")
            print("  " + missed[-1], flush=True)
    return detected, len(missed)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    build = ROOT / "build" / "mutate"
    build.mkdir(parents=True, exist_ok=True)
    groups = itertools.groupby(options.folders, lambda folder: SEPARATE_FOLDERS.get(folder, folder))
    for _, folders in groups:
        with tempfile.TemporaryDirectory(dir=build) as scratch:
            judge = None
            for folder in folders:
                judge = judge or (SeparateJudge if folder in SEPARATE_FOLDERS else Judge)(Path(scratch), folder)
                deadline = time.monotonic() + options.minutes * 60
                detected, missed = mutate_folder(judge, folder, options.count, deadline, options.seed)
                print(f"{folder}: {detected} of {detected + missed} mutants detected", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
