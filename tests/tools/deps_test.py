#!/usr/bin/env python3
"""Tests of tools/deps: if all dependencies are installed, it changes nothing and takes less than a second."""

import os
import pathlib
import resource
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import ROOT, Tally, httplib_folder, run  # noqa: E402


def main():
    tally = Tally()
    deps = ROOT / "tools" / "deps"

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, output = run([deps])
    tally.check("a second run does nothing", code == 0 and "nothing to do" in output, output)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)    # processor time does not depend on other load
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    tally.check("it takes less than a second", seconds < 1, f"{seconds:.1f} s of processor time")

    code, output = run([deps, "--print-httplib"])
    tally.check("--print-httplib prints the folder in use",
                code == 0 and output.strip() == str(httplib_folder()), output)

    environment = dict(os.environ, WINSVC_HTTPLIB_DIR="/nowhere")
    code, output = run([deps, "--print-httplib"], env=environment)
    tally.check("WINSVC_HTTPLIB_DIR selects another folder", output.strip() == "/nowhere", output)
    code, output = run([deps], env=environment)
    tally.check("a folder without httplib.h is rejected with an error message",
                code == 1 and "/nowhere" in output, output)

    code, output = run([deps, "--frobnicate"])
    tally.check("an unknown option is rejected", code == 1 and "--frobnicate" in output, output)
    tally.finish()


if __name__ == "__main__":
    main()
