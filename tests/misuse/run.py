#!/usr/bin/env python3
"""Code that must not compile: the first error of each tests/misuse/*.cpp is the sentence in its first line.

  tests/misuse/run.py [CASE...]

  // expect: text of the static_assert
  // with: -DWINSVC_JSON=0          (where it needs an option)

The first, because a reader stops there: an error of the standard library before it would hide the sentence. The order of
errors differs between compilers, so g++ and clang++ compile each case; the umbrella is precompiled once for each.
"""

import concurrent.futures
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import CLANG, GXX, JOBS, ROOT, STANDARD, Ninja, Tally, library_includes, run  # noqa: E402

# The separate form (config/form.hpp): the same sentences, and an app's file parses in a second.
OPTIONS = [*STANDARD, "-DWINSVC_SEPARATE=1", f"-I{ROOT / 'include'}", *library_includes()]
HEADERS = "#include <httplib.h>\n#include <nlohmann/json.hpp>\n#include <winsvc.hpp>\n"


def precompiled(tally):
    """{compiler: the options that use its precompiled umbrella}; the umbrella by itself must compile."""
    ninja = Ninja("misuse")
    options = {compiler: ninja.precompile("umbrella.hpp", HEADERS, [compiler, *OPTIONS], generate=False)[0]
               for compiler in (GXX, CLANG)}
    built, output = ninja.build()
    tally.check("the umbrella compiles", built, output)
    return options if built else {}


def attempt(job):
    """Compiles a case; returns a description of the failure, or an empty text if the expected error is the first."""
    source, compiler, umbrella = job
    text = source.read_text(encoding="utf-8")
    expected = re.match(r"// expect: (.+)", text)
    if not expected:
        return "its first line is not `// expect: ...`"
    options = re.search(r"^// with: (.+)", text, re.MULTILINE)
    extra = options.group(1).split() if options else umbrella   # other options do not fit what is precompiled
    code, output = run([compiler, *OPTIONS, "-fsyntax-only", *extra, source])
    errors = re.findall(r"error: (.*)", output)
    if code == 0:
        return "it compiles"
    if not errors or expected.group(1) not in errors[0]:
        return f"wanted as the first error: {expected.group(1)}\n" + "\n".join(output.split("\n")[:20])
    return ""


def main():
    tally = Tally()
    cases = [c for c in sorted((ROOT / "tests" / "misuse").glob("*.cpp")) if len(sys.argv) == 1 or c.stem in sys.argv[1:]]
    umbrella = precompiled(tally)
    jobs = [(case, compiler, umbrella[compiler]) for case in cases for compiler in umbrella]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for (case, compiler, _), wrong in zip(jobs, pool.map(attempt, jobs)):
            tally.check(f"{case.stem} ({compiler})", not wrong, wrong)
    if not cases:
        tally.check("there are cases", False, "no tests/misuse/*.cpp")
    tally.finish()


if __name__ == "__main__":
    main()
