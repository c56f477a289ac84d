#!/usr/bin/env python3
"""Runs the tests, stage by stage; what a stage printed is in build/log/<stage>.log.

  tools/test                  everything, but not the stages that only --quick has
  tools/test --quick          native builds without sanitizers
  tools/test --stage NAME     one stage (may be repeated); NAME may end in * for all that begin so
  tools/test --list           the stages

Some stages are opt-in: they run only if --stage names them. The stages units and http belong to --quick alone: the same
files run with sanitizers, and under Wine.
Stages that compute run four at a time, each with half of the jobs: many steps use one processor only, such as to compile
a precompiled header or to link, and tests also wait. A stage that mostly waits runs at the same time. The output has the
order of the list.

The last line is `N passed, N failed` (and `, N skipped`); the exit code is 0 only if there is no failure. A stage without
tests is a failure. With CI=true, a skipped test is a failure unless MAY_SKIP names it.
"""

import argparse
import collections
import concurrent.futures
import os
import re
import sys
import time

from kit import BUILD, CORES, JOBS, ROOT, WINE10, closing_line, httplib_folder, measured, parse_closing_line, slowest_files

# runs: QUICK, FULL, BOTH or OPT_IN
Stage = collections.namedtuple("Stage", "name runs about command waits wine10 abi", defaults=[False, False, ""])
QUICK, FULL, BOTH, OPT_IN = "quick", "full", "both", "opt-in"

# Tests that CI may skip: the name that the stage prints, and the reason.
MAY_SKIP = {
    "opentelemetry": "the library is not in Debian 12",
    "the header with the headers of Microsoft": "the SDK's headers are not in Debian, and their license does not allow copies",
}

PYTHON = sys.executable
LANES = 4               # stages that compute at the same time


def program(name, *arguments):
    return [PYTHON, ROOT / "tests" / name, *arguments]


# First what fails soonest for the least time, then by processor time, the longest first, so that no processor waits at the
# end.
STAGES = (
    Stage("freshness", BOTH, "generated files, floors, version, witnesses", program("freshness.py")),
    Stage("units", QUICK, "the folders that need no httplib, clang++ with all warnings", program("units.py", "units", "clang")),
    Stage("fuzz-replay", BOTH, "every fuzzer over its corpus, with sanitizers", program("units.py", "fuzz", "asan")),
    Stage("http", QUICK, "engine, host and testing, clang++", program("units.py", "http", "clang")),
    Stage("conformance", FULL, "HTTP/1.1 byte for byte over loopback, read by h11 too; slow clients",
          program("conformance/run.py"), waits=True),
    Stage("examples", FULL, "every example by the command in its head", program("documents.py", "examples")),
    Stage("http-asan", FULL, "http with HTTPS and compression, under address and undefined sanitizers",
          program("units.py", "http", "asan")),
    Stage("package", FULL, "copied, CMake, pkg-config, Meson", program("package/run.py")),
    Stage("mingw-http", FULL, "http as a Windows program, under Wine", program("units.py", "http", "windows")),
    Stage("hygiene", FULL, "headers alone, twice, next to windows.h; no macro left", program("hygiene/run.py")),
    Stage("separate", FULL, "some files of http against the object of g++; 20,000 sequences of controls, 10,000 simulations",
          program("units.py", "separate", "clang")),
    Stage("tsan", FULL, "all files that create threads, under the thread sanitizer", program("units.py", "threads", "tsan")),
    Stage("forms", FULL, "separate files, parts and cpp-httplib's split form link; cost bars", program("forms/run.py")),
    Stage("units-asan", FULL, "the units under address and undefined sanitizers", program("units.py", "units", "asan")),
    Stage("budget", FULL, "instructions, system calls and allocations of a request", program("budget/run.py")),
    Stage("msi", FULL, "the ZIP and the MSI of examples/starter: install, upgrade, roll back, remove, under Wine",
          program("package/msi.py")),
    Stage("mingw", FULL, "the units as a Windows program, os/crash by mingw g++, under Wine",
          program("units.py", "units", "windows")),
    Stage("misuse", FULL, "code that must not compile, and the first error", program("misuse/run.py")),
    Stage("readme", FULL, "every block of README.md", program("documents.py", "readme")),
    Stage("msvc", FULL, "the header parsed by clang-cl with Microsoft's headers, if WINSVC_SDK names them",
          program("msvc/run.py")),
    Stage("scm", FULL, "end to end with a real service manager, under Wine",
          [PYTHON, "-m", "unittest", "discover", "tests/scm"], waits=True),
    Stage("scm-wine10", OPT_IN, "the same under Wine 10; runs if chosen, or in CI, after tools/deps --wine10",
          [PYTHON, "-m", "unittest", "discover", "tests/scm"], waits=True, wine10=True),
    Stage("scm-msvc", OPT_IN, "the same with a program of Microsoft's ABI; needs WINSVC_SDK and WINSVC_STL",
          [PYTHON, "-m", "unittest", "discover", "tests/scm"], waits=True, abi="msvc"),
    Stage("browser", FULL, "the pages of a service in a headless Chromium", program("browser/run.py"), waits=True),
    Stage("deps", FULL, "a second tools/deps does nothing", program("tools/deps_test.py"), waits=True),
    Stage("faults", OPT_IN, "prove under Wine finds each fault that is planted in a build (five minutes)",
          program("scm/planted_faults.py")),
    Stage("chroot", OPT_IN, "README.md and docs/ followed in an empty Debian 12 and 13 (as root, an hour)",
          program("package/chroot.py")),
)


def counts_of(output):
    """(passed, failed, skipped) from the last line of the stage; None if that line has no counts."""
    lines = output.strip().split("\n")
    ours = parse_closing_line(lines[-1])
    if ours:
        return ours
    ran = re.search(r"^Ran (\d+) tests? in ", output, re.MULTILINE)     # Python's unittest
    ending = re.fullmatch(r"(?:OK|FAILED)(?: \((.*)\))?", lines[-1].strip())
    if not ran or not ending:
        return None
    said = dict(re.findall(r"(\w+)=(\d+)", ending.group(1) or ""))
    failed = int(said.get("failures", 0)) + int(said.get("errors", 0))
    skipped = int(said.get("skipped", 0))
    return int(ran.group(1)) - failed - skipped, failed, skipped


def run_stage(stage, jobs):
    """(passed, failed, skipped, sentence about a failure of the stage itself, seconds, processor seconds)"""
    environment = dict(os.environ, WINSVC_HTTPLIB_DIR=str(httplib_folder()), PYTHONDONTWRITEBYTECODE="1",
                       WINSVC_STAGE=stage.name, WINSVC_TEST_JOBS=str(jobs), CMAKE_BUILD_PARALLEL_LEVEL=str(jobs))
    if stage.abi:
        environment["WINSVC_ABI"] = stage.abi
    if stage.wine10:
        environment.update(WINSVC_WINE="wine10", PATH=f"{WINE10 / 'bin'}{os.pathsep}{os.environ['PATH']}")
    start = time.monotonic()
    limit = 7200 if stage.runs == OPT_IN else 1800
    code, output, processor = measured(stage.command, timeout=limit, cwd=ROOT, env=environment)
    seconds = time.monotonic() - start
    (BUILD / "log").mkdir(parents=True, exist_ok=True)
    (BUILD / "log" / f"{stage.name}.log").write_text(output, encoding="utf-8")
    return *verdict(code, output), seconds, processor


def verdict(code, output):
    counts = counts_of(output)
    if counts is None:
        return 0, 1, 0, f"ended with {code} and without counts"
    passed, failed, skipped = counts
    if sum(counts) == 0:
        return 0, 1, 0, "found no tests"
    if code != 0 and failed == 0:
        return passed, 1, skipped, f"ended with {code}, though no test failed"
    names = re.findall(r"^  skip  (.+?): ", output, re.MULTILINE)
    allowed = sum(name in MAY_SKIP for name in names)
    if os.environ.get("CI") == "true" and skipped > allowed:
        missing = ", ".join(name for name in names if name not in MAY_SKIP) or "see the log"
        return passed, failed + skipped - allowed, allowed, f"skipped in CI: {missing}"
    return passed, failed, skipped, ""


def results_in_order(stages):
    """(stage, result) in the order of the stages. With several jobs, LANES stages that compute run at a time, and one that
    waits."""
    jobs = int(JOBS)
    lanes = LANES if jobs > 1 and sum(not stage.waits for stage in stages) > 1 else 1
    with concurrent.futures.ThreadPoolExecutor(lanes) as computing, concurrent.futures.ThreadPoolExecutor(1) as waiting:
        share = max(1, jobs // 2) if lanes > 1 else jobs
        running = [(waiting if stage.waits and jobs > 1 else computing).submit(run_stage, stage, share) for stage in stages]
        for stage, result in zip(stages, running):
            yield stage, result.result()


def tail_of(name, lines=60):
    text = (BUILD / "log" / f"{name}.log").read_text(encoding="utf-8").rstrip().split("\n")
    return ["..."] * (len(text) > lines) + text[-lines:]


def is_wine10_prepared():
    return (WINE10 / "bin" / "wine").exists()


def chosen(options):
    if not options.stage:
        with_wine10 = os.environ.get("CI") == "true" and is_wine10_prepared()
        wanted = (QUICK, BOTH) if options.quick else (FULL, BOTH)
        return [stage for stage in STAGES if stage.runs in wanted or (stage.wine10 and with_wine10 and not options.quick)]
    wanted = []
    for name in options.stage:
        hits = [s for s in STAGES if s.name == name or (name.endswith("*") and s.name.startswith(name[:-1]))]
        if not hits:
            sys.exit(f"there is no stage '{name}'; tools/test --list shows them")
        if any(stage.wine10 for stage in hits) and not is_wine10_prepared():
            if name.endswith("*"):
                hits = [stage for stage in hits if not stage.wine10]
            else:
                sys.exit(f"stage '{name}' needs Wine 10; tools/deps --wine10 installs it in build/wine10")
        wanted += [stage for stage in hits if stage not in wanted]
    return wanted


def main():
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="native builds alone")
    parser.add_argument("--stage", action="append", metavar="NAME", help="this stage alone (may be repeated)")
    parser.add_argument("--list", action="store_true", help="show the stages")
    options = parser.parse_args()

    if options.list:
        for stage in STAGES:
            print(f"{stage.name:12} {'' if stage.runs == FULL else stage.runs:6}  {stage.about}")
        return 0

    stages = chosen(options)
    totals, used, failures, begin, since = [0, 0, 0], 0.0, [], time.monotonic(), time.time()
    print(f"{len(stages)} stages, {JOBS} jobs, httplib.h in {os.path.relpath(httplib_folder(), ROOT)}", flush=True)
    for stage, (*counts, wrong, seconds, processor) in results_in_order(stages):
        totals, used = [total + count for total, count in zip(totals, counts)], used + processor
        words = closing_line(*counts) + (f" ({wrong})" if wrong else "")
        print(f"{stage.name:12} {seconds:6.1f} s  {processor:6.1f} s of processor time  {words}", flush=True)
        if counts[1]:
            failures.append(stage.name)
            print(*(f"    | {line}" for line in tail_of(stage.name)), sep="\n", flush=True)

    slowest = slowest_files({stage.name for stage in stages}, since)
    if slowest:
        print("the slowest files to compile:")
        print(*(f"  {seconds:6.1f} s  {stage}: {file}" for seconds, stage, file in slowest), sep="\n")
    seconds = time.monotonic() - begin
    print(f"{len(stages)} stages in {seconds / 60:.1f} minutes ({seconds:.0f} s), {used:.0f} s of processor time: "
          f"{100 * used / (seconds * CORES):.0f} % of {CORES} processors")
    if failures:
        print("failed: " + ", ".join(f"{name} (build/log/{name}.log)" for name in failures))
    print(closing_line(*totals))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
