#!/usr/bin/env python3
"""Line and function coverage of the native tests, for each folder of include/winsvc. Run by hand: the build needs some
minutes. docs/testing.md has the results.

  tests/coverage.py [--functions N]

--functions  lists the N functions with the most lines that no test runs (default 20)

It builds and runs the programs `units` and `http` of tests/units.py with the coverage of clang, and needs llvm-profdata
and llvm-cov of the same version. Code for Windows, TLS and compression libraries is not part of this build. A function
counts once, whatever the number of its template instances.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys

import units
from kit import CLANG, GC_SECTIONS, ROOT, Tally, run

WAY = "coverage"
PROGRAMS = ("units", "http")
FOLDER = ROOT / "build" / "coverage"
HEADERS = str(ROOT / "include" / "winsvc") + os.sep


def measure():
    """Builds and runs the tests. Returns their coverage."""
    units.WAYS[WAY] = ([CLANG, "-fprofile-instr-generate", "-fcoverage-mapping"], ["-O0"], ["-pthread", *GC_SECTIONS])
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    os.environ["LLVM_PROFILE_FILE"] = str(FOLDER / "%m-%p.profraw")
    tally = Tally()
    for program in PROGRAMS:
        units.doctest_program(tally, program, WAY)
    return export()


def export():
    """The coverage of the last run of the tests."""
    profile = FOLDER / "all.profdata"
    code, output = run(["llvm-profdata", "merge", "-o", profile, *sorted(FOLDER.glob("*.profraw"))], 600)
    if code != 0:
        sys.exit(output)
    built = [ROOT / "build" / "test" / f"{program}-{WAY}" / f"{program}.exe" for program in PROGRAMS]
    exported = subprocess.run(["llvm-cov", "export", f"-instr-profile={profile}", built[0], f"-object={built[1]}"],
                              stdout=subprocess.PIPE, check=True).stdout
    return json.loads(exported)["data"][0]


def folder_of(name):
    return name[len(HEADERS):].partition(os.sep)[0]


def print_folders(files):
    lines, functions = collections.defaultdict(lambda: [0, 0]), collections.defaultdict(lambda: [0, 0])
    for entry in files:
        if not entry["filename"].startswith(HEADERS):
            continue
        for counts, key in ((lines, "lines"), (functions, "functions")):
            summary = entry["summary"][key]
            for total in (folder_of(entry["filename"]), "all"):
                counts[total][0] += summary["covered"]
                counts[total][1] += summary["count"]
    print("| folder | lines | functions |\n|---|---|---|")
    for folder in sorted(set(lines) - {"all"}) + ["all"]:
        cells = [f"{100 * covered / max(count, 1):.1f} % of {count:,}"
                 for covered, count in (lines[folder], functions[folder])]
        print(f"| `{folder}` | {' | '.join(cells)} |")


def print_functions(functions, most):
    """The functions that no instance of any program has run, those with the most lines first."""
    size, executed = {}, set()
    for entry in functions:
        name, region = entry["filenames"][0], entry["regions"][0]
        if name.startswith(HEADERS):
            place = name[len(HEADERS):], region[0]
            size[place] = region[2] - region[0] + 1
            if entry["count"] > 0:
                executed.add(place)
    missing = sorted((place for place in size if place not in executed), key=lambda place: (-size[place], place))
    print(f"\n{len(missing)} functions of {len(size)} were not run:")
    for name, line in missing[:most]:
        text = (ROOT / "include" / "winsvc" / name).read_text(encoding="utf-8").split("\n")[line - 1].strip()
        print(f"  {name}:{line}: {size[name, line]} lines: {text}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--functions", type=int, default=20)
    options = parser.parse_args()
    exported = measure()
    print_folders(exported["files"])
    print_functions(exported["functions"], options.functions)


if __name__ == "__main__":
    main()
