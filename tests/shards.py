"""Runs a doctest program in shards: each runs some of the source files, in a separate process with its own limit.

A shard that hangs or crashes costs only its own results. The report names the shard and the test case that was running:
tests/main.cpp prints a line for each test case that starts.
"""

import collections
import concurrent.futures
import re
import time

from kit import doctest_counts

LIMIT = 300             # seconds of an idle machine for one shard: more than tests/main.cpp gives to one test case
CASE = re.compile(r"^\[case\] (.*)\n?", re.MULTILINE)
NOISE = re.compile(r"^(?:=+|\[doctest\] (?:run with|doctest version|test cases:|assertions:|Status:).*)\n?", re.MULTILINE)

Shard = collections.namedtuple("Shard", "name sources")


def shards_of(sources, root, size):
    """The source files in shards of `size` files at most; no shard has files of two folders."""
    folders = {}
    for source in sources:
        folders.setdefault(source.parent, []).append(source)
    made = []
    for folder, files in folders.items():
        for at in range(0, len(files), size):
            part = files[at:at + size]
            name = f"{folder.relative_to(root).as_posix()}/{' '.join(source.stem for source in part)}"
            made.append(Shard(name, part))
    return made


def run_shards(tally, shards, start, jobs):
    """Runs all shards, `jobs` at a time, and counts their test cases. The report has the order of the shards.

    start(arguments, limit) runs the program and returns (exit code, output).
    """
    def run_shard(shard):
        began = time.monotonic()
        files = ",".join(str(source) for source in shard.sources)
        code, output = start(["--no-colors=true", "--no-version=true", "--reporters=console,announce",
                              f"--source-file={files}"], LIMIT)
        return code, output, time.monotonic() - began

    ran, everything = 0, set()
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        for shard, (code, output, seconds) in zip(shards, pool.map(run_shard, shards)):
            counts = doctest_counts(output)
            if counts:
                passed, failed, others = counts
                ran += passed + failed
                everything.add(passed + failed + others)    # doctest counts what the filter excludes as skipped
                tally.passed, tally.failed = tally.passed + passed, tally.failed + failed
            report(tally, shard, code, output, counts, seconds)
    if len(everything) > 1 or (everything and tally.failed == 0 and ran != max(everything)):
        tally.check("every test case ran", False, f"{ran} ran, and the program has {sorted(everything)}: a test case is in "
                    "a file that no shard runs, or is skipped")


def readable(output):
    return NOISE.sub("", CASE.sub("", output)).strip("\n")


def report(tally, shard, code, output, counts, seconds):
    text = readable(output)
    if counts is None:
        running = CASE.findall(output)
        where = f"in the test case {running[-1]}" if running else "before its first test case"
        tally.check(f"{shard.name} runs to its end", False, f"exit code {code}, {where}\n{last_lines(text)}")
        return
    passed, failed, _ = counts
    if failed:
        print(f"  FAIL  {shard.name}: {failed} of {passed + failed} test cases failed in {seconds:.1f} s", flush=True)
    elif code != 0:                                         # a sanitizer's finding after the last test case, for example
        tally.check(f"{shard.name} exits with 0", False, f"exit code {code}")
    else:
        print(f"  ok    {shard.name}: {passed} test cases in {seconds:.1f} s", flush=True)
    if text:                                                # of a shard that passed: messages, and what its children print
        text = text if failed or code != 0 else last_lines(text, 8)
        print("        " + text.replace("\n", "\n        "), flush=True)


def last_lines(text, most=60):
    lines = text.split("\n")
    return "\n".join(["..."] * (len(lines) > most) + lines[-most:])
