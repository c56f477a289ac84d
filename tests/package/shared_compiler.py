#!/usr/bin/env python3
"""A compiler that compiles each part of the compiled form once for all ways of tests/package/run.py.

  shared_compiler.py COMPILER ARGUMENT...     # WINSVC_SHARED_OBJECTS: the folder of the objects

The command of a part is preprocessed with its own arguments, so a wrong path or macro fails or gives another text. If a
way has compiled the same text with the same options before, its object is copied. All other commands run unchanged.
"""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

PART = re.compile(r"(.*/)?winsvc_part_\d\.cpp")


def key_of(command, output):
    """The name of the object. It depends on the preprocessed text, without the folders of headers, on the options that
    change the code, and on the compiler."""
    where = command.index("-o")
    preprocess = [word for word in command[:where] + command[where + 2:] if word != "-c"] + ["-E", "-P"]
    if "-MD" in preprocess and "-MF" not in preprocess:
        preprocess += ["-MF", re.sub(r"\.o$", ".d", output)]
    text = subprocess.run(preprocess, stdout=subprocess.PIPE)
    if text.returncode != 0:
        sys.exit(text.returncode)
    same = re.sub(rb'"[^"\n]*/include/', b'"', text.stdout)    # in the messages of assert
    release = subprocess.run([command[0], "--version"], stdout=subprocess.PIPE, check=True).stdout
    options = [word for word in command[1:] if re.match(r"-(std=|O|g|m|f(?!diagnostics|color))", word)]
    return hashlib.sha256(b"\0".join([release, " ".join(options).encode(), same])).hexdigest()


def main():
    command = sys.argv[1:]
    folder = os.environ.get("WINSVC_SHARED_OBJECTS")
    if not folder or "-c" not in command or "-o" not in command or not any(map(PART.fullmatch, command)):
        os.execvp(command[0], command)
    output = command[command.index("-o") + 1]
    shared = pathlib.Path(folder) / f"{key_of(command, output)}.o"
    with open(f"{shared}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                    # two ways may need it at the same moment
        if not shared.exists():
            code = subprocess.run(command).returncode
            if code != 0:
                sys.exit(code)
            shutil.copy(output, f"{shared}.new")
            os.replace(f"{shared}.new", shared)
        os.utime(shared)                                    # run.py deletes what no way has used
    shutil.copyfile(shared, output)


if __name__ == "__main__":
    main()
