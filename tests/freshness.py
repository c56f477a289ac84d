#!/usr/bin/env python3
"""Consistency checks: the single header matches include/, the headers follow the rules, the versions agree, and each
sentence about Windows has a witness.

  tests/freshness.py
"""

import re
import sys

import claims
from kit import ROOT, Tally, run

# Tests of the tools: (script in tests/tools, its subject).
SCRIPTS = (("amalgamate_test.py", "tests of tools/amalgamate"), ("header_audit_test.py", "tests of the header audit"),
           ("architecture_test.py", "files and functions that the pages name"),
           ("kit_test.py", "tests of time limits and shards"), ("release_test.py", "tests of tools/release"),
           ("packages_test.py", "tests of the script that makes packages"),
           ("workflows_test.py", "tests of the workflows"),
           ("units_test.py", "no file that creates threads is excluded from the thread sanitizer"),
           ("crowds_test.py", "tests of the crowds of clients"),
           ("planted_faults_test.py", "the headers have the places where faults are planted"))


def main():
    tally = Tally()
    amalgamate = [sys.executable, ROOT / "tools" / "amalgamate"]

    code, output = run([*amalgamate, "--check"])
    tally.check("single_include/ matches include/", code == 0, output)
    code, output = run([*amalgamate, "--audit"])
    tally.check("the headers follow the rules of tools/amalgamate --audit", code == 0, output)

    for script, subject in SCRIPTS:
        code, output = run([sys.executable, ROOT / "tests" / "tools" / script])
        count = re.search(r"Ran (\d+) tests?", output)
        tally.check(f"{subject} ({count.group(1) if count else 'no'} tests)", code == 0 and bool(count), output)

    _, version = run([*amalgamate, "--version"])
    changelog = ROOT / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8") if changelog.exists() else ""
    newest = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", text, re.MULTILINE)
    tally.check("the newest heading of CHANGELOG.md is the version in config/version.hpp",
                newest is not None and newest.group(1) == version.strip(),
                f"header {version.strip()}, changelog {newest.group(1) if newest else 'none'}")
    claims.check(tally)
    tally.finish()


if __name__ == "__main__":
    main()
