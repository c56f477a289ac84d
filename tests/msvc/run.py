#!/usr/bin/env python3
"""Parses the single header with clang-cl and the headers of Microsoft: the Windows SDK, the C runtime and the STL.

  tests/msvc/run.py [PART...]

hello      examples/hello.cpp for each architecture, each standard, Debug and Release
examples   every example, for x86_64 and C++17
cases      tests/msvc/*.cpp; `// expect: text` must be the first error

toolchain.py describes the compiler and the headers. If one of them is missing, the stage is skipped. Each job has to
succeed without a warning at /W4. Nothing is linked; the stage scm-msvc links a program and runs it.
"""

import concurrent.futures
import itertools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from documents import LINUX_LIBRARIES  # noqa: E402
from kit import JOBS, ROOT, Tally, run  # noqa: E402
from toolchain import STANDARD_OPTIONS, Missing, compiler as find_compiler  # noqa: E402

HERE = ROOT / "tests" / "msvc"
ARCHITECTURES = ("x86_64", "aarch64", "i686")
STANDARDS = ("c++17", "c++20", "c++latest")
CONFIGURATIONS = {"Debug": ["/Od", "/MDd"], "Release": ["/O2", "/MD", "/DNDEBUG"]}


class Compiler:
    def __init__(self):
        self.program, self.includes = find_compiler()

    def parse(self, source, architecture="x86_64", standard="c++17", options=()):
        """Returns the output of clang-cl and its exit code; empty if it prints nothing and succeeds."""
        # The path is relative: clang-cl reads /path as an option.
        words = [self.program, f"--target={architecture}-pc-windows-msvc", "/c", "/Zs", "/W4", *STANDARD_OPTIONS,
                 f"/std:{standard}", *self.includes, "-I", "single_include", "-I", "adapters", *options, source.relative_to(ROOT)]
        code, output = run(words, timeout=600, cwd=ROOT)
        return "" if code == 0 and not output.strip() else f"{output[:4000]}\nexit code {code}"


# --- the parts --------------------------------------------------------------------------------------------------------

def hello(compiler):
    """Yields (name, job) for each combination. A job returns a message, which is empty if it succeeds."""
    source = ROOT / "examples" / "hello.cpp"
    for architecture, standard, configuration in itertools.product(ARCHITECTURES, STANDARDS, CONFIGURATIONS):
        yield (f"hello ({architecture}, {standard}, {configuration})",
               lambda a=architecture, s=standard, c=configuration: compiler.parse(source, a, s, CONFIGURATIONS[c]))


def examples(compiler):
    for source in sorted((ROOT / "examples").rglob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        name = source.relative_to(ROOT / "examples").with_suffix("").as_posix()
        missing = next((library for library in LINUX_LIBRARIES if library in text), "")
        if missing:
            yield name, lambda m=missing: Missing(f"its library for Windows is not here: {m}")
            continue
        for options in ([], ["/DTESTS"]) if "-DTESTS" in text else ([],):
            yield " ".join([name, *options]), lambda s=source, o=options: compiler.parse(s, options=o)


def cases(compiler):
    for source in sorted(HERE.glob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        expected = re.search(r"^// expect: (.*)", text, re.MULTILINE)
        options = re.search(r"^// options: (.*)", text, re.MULTILINE)
        yield source.stem, lambda s=source, e=expected, o=options: case(
            compiler, s, e.group(1) if e else "", o.group(1).split() if o else [])


def case(compiler, source, expected, options):
    wrong = compiler.parse(source, options=options)
    if not expected:
        return wrong
    errors = re.findall(r"error: .*", wrong)
    return "" if errors and expected in errors[0] else f"wanted first: {expected}\n{wrong or 'it compiles'}"


# ----------------------------------------------------------------------------------------------------------------------

PARTS = {"cases": cases, "hello": hello, "examples": examples}


def main():
    tally = Tally()
    names = sys.argv[1:] or PARTS
    if any(name not in PARTS for name in names):
        sys.exit(__doc__)
    try:
        compiler = Compiler()
    except Missing as reason:
        tally.skip("the header with the headers of Microsoft", str(reason))
        tally.finish()
        return
    jobs = [job for name in names for job in PARTS[name](compiler)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for (name, _), wrong in zip(jobs, pool.map(lambda job: job[1](), jobs)):
            if isinstance(wrong, Missing):
                tally.skip(name, str(wrong))
            else:
                tally.check(name, not wrong, wrong)
    tally.finish()


if __name__ == "__main__":
    main()
