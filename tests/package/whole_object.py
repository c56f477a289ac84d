#!/usr/bin/env python3
"""A compiler and linker for builds for Windows in which one object has the bodies of all parts of the compiled form.

  whole_object.py COMPILER ARGUMENT...     # WINSVC_WHOLE_OBJECT: kit.winsvc_object of mingw g++

Part 2, which does not include cpp-httplib, is compiled with its own command, which must succeed. Then the whole object
takes its place, and the other parts are empty: to compile them takes a minute. An object of another form does not link
(config/abi.hpp). lld links the program in a second, in place of GNU ld, which takes ten; the stage examples links such
an object with GNU ld. All other commands run unchanged.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import fast_mingw_link  # noqa: E402

PART = re.compile(r"(.*/)?winsvc_part_(\d)\.cpp")


def main():
    command = sys.argv[1:]
    (number,) = {found.group(2) for found in map(PART.fullmatch, command) if found} or {""}
    if "-c" not in command and any(word.endswith(".a") for word in command):
        before, after = fast_mingw_link()
        os.execvp(before[0], [*before, *command[1:], *after])
    if not number or "-c" not in command:
        os.execvp(command[0], command)
    if number == "2":
        code = subprocess.run(command).returncode
        if code == 0:
            shutil.copyfile(os.environ["WINSVC_WHOLE_OBJECT"], command[command.index("-o") + 1])
        sys.exit(code)
    # The empty input takes the place of the part; the command still writes the list of headers that ninja reads.
    arguments = ["/dev/null" if PART.fullmatch(word) else word for word in command[1:]]
    os.execvp(command[0], [command[0], "-xc++", *arguments])


if __name__ == "__main__":
    main()
