#!/usr/bin/env python3
"""Tests code that must not compile: the first compiler error of each tests/misuse/*.cpp must be its expected error.

  tests/misuse/run.py [CASE...]

The first lines of a case contain the reason, the expected error and, if necessary, compiler options:

  // Must not compile: the type in body<T> has from_json, but not to_json.
  // expect: text of the static_assert
  // with: -DWINSVC_JSON=0

The expected error must be the first one, because a user does not read further. The order of errors differs between
compilers, so g++ and clang++ compile each case. The umbrella header is precompiled once for each compiler, without
httplib.h and nlohmann/json.hpp: with them, a case takes several times as long. A case that includes httplib.h does so first,
and compiles without the precompiled header.
"""

import concurrent.futures
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import CLANG, GXX, JOBS, ROOT, STANDARD, Ninja, Tally, library_includes, run  # noqa: E402

# The separate form (config/form.hpp) has the same static_asserts, and a case compiles in about 1 s.
OPTIONS = [*STANDARD, "-DWINSVC_SEPARATE=1", f"-I{ROOT / 'include'}", *library_includes()]
HEADERS = "#include <winsvc.hpp>\n"


def precompiled(tally):
    """Compiles the umbrella header; returns {compiler: the options that use its precompiled header}."""
    ninja = Ninja("misuse")
    options = {compiler: ninja.precompile("umbrella.hpp", HEADERS, [compiler, *OPTIONS], generate=False)[0]
               for compiler in (GXX, CLANG)}
    built, output = ninja.build()
    tally.check("the umbrella compiles", built, output)
    return options if built else {}


def compile_case(job):
    """Compiles a case; returns a description of the failure, or an empty text if the expected error is the first."""
    source, compiler, umbrella = job
    text = source.read_text(encoding="utf-8")
    expected = re.match(r"// Must not compile: .+\.\n// expect: (.+)", text)
    if not expected:
        return "the first lines are not `// Must not compile: REASON.` and `// expect: TEXT`"
    options = re.search(r"^// with: (.+)", text, re.MULTILINE)
    extra = options.group(1).split() if options else umbrella   # a precompiled header requires the same options
    if "#include <httplib.h>" in text:
        extra = []
    code, output = run([compiler, *OPTIONS, "-fsyntax-only", *extra, source])
    errors = re.findall(r"error: (.*)", output)
    if code == 0:
        return "the case compiles"
    if not errors or expected.group(1) not in errors[0]:
        return f"expected as the first error: {expected.group(1)}\n" + "\n".join(output.split("\n")[:20])
    return ""


def main():
    tally = Tally()
    names = sys.argv[1:]
    cases = [c for c in sorted((ROOT / "tests" / "misuse").glob("*.cpp")) if not names or c.stem in names]
    umbrella = precompiled(tally)
    jobs = [(case, compiler, umbrella[compiler]) for case in cases for compiler in umbrella]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for (case, compiler, _), failure in zip(jobs, pool.map(compile_case, jobs)):
            tally.check(f"{case.stem} ({compiler})", not failure, failure)
    if not cases:
        tally.check("cases exist", False, "no tests/misuse/*.cpp")
    tally.finish()


if __name__ == "__main__":
    main()
